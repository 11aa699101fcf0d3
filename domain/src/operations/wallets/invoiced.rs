//! Top-ups that are paid by an invoice of their own: nothing is in the wallet before that invoice is paid, and nothing
//! stays there when the money goes back (docs/decisions/0023-wallets-that-pay.md).

use super::of_account;
use crate::charges::What;
use crate::invoices::{Document, Invoice, Line, Stage, compose};
use crate::kernel::{Id, Money, Rejection, Rounding};
use crate::operations::{account_terms, billing, entity_terms, invoicing, stated, taxes};
use crate::receivables::{Event as Fact, Item, Receivables};
use crate::session::Session;
use crate::wallets::{Ask, Command, Entitlement, Wallet};

/// Tax class of a top-up. What may be used for several things is taxed when it is used (Directive 2006/112/EC,
/// article 30b (2)); a table that says otherwise has a rate for this class.
const TAX_CLASS: &str = "prepaid";

/// Finalises the invoice of a top-up.
pub(super) fn send(session: &mut Session<'_>, wallet: &str, ask: &Ask) -> Result<(), Rejection> {
    if session
        .find::<Invoice>(&ask.invoice)
        .is_some_and(|e| e.state.stage != Stage::Absent)
    {
        return Err(Rejection::new(
            "INVOICE_EXISTS",
            format!("document {} is already there", ask.invoice),
        ));
    }
    let account = session.get::<Wallet>(wallet)?.account.clone();
    let terms = account_terms(session, &account)?;
    let entity = entity_terms(session, &terms.entity)?;
    let tax = taxes::answer(session, &account, &terms, &entity, TAX_CLASS, ask.on);
    let line = Line {
        no: 0,
        account: account.clone(),
        subscription: None,
        what: What::TopUp {
            wallet: wallet.to_string(),
            grant: ask.grant.clone(),
            on: ask.on,
        },
        text: format!("Top-up of wallet {wallet}"),
        quantity: "1".to_string(),
        exact: ask.amount.exact(),
        net: ask.amount,
        tax,
        explain: format!("{} into wallet {wallet} on {}", ask.amount, ask.on),
        corrects_line: None,
        reductions: vec![],
        gross: None,
        converted: None,
    };
    let document = compose::complete(Document {
        account: terms.payer(&account).to_string(),
        entity: terms.entity.clone(),
        currency: terms.currency,
        rounding: entity.rounding,
        as_of: ask.on,
        lines: vec![line],
        ..Document::default()
    })?;
    let issued = billing::issued(session, &document)?;
    match stated::of(session, &document, issued) {
        // Usage that brought the wallet down is not refused for it: the draft waits until somebody has told the rate.
        Err(why) if why.code == "RATE_MISSING" => {
            invoicing::hold(session, &ask.invoice, document, why)
        }
        _ => billing::finalise(session, &ask.invoice, document),
    }
}

/// Something moved among the open items of an account: puts in what is paid now, gives up what never will be.
fn paid(session: &mut Session<'_>, payer: &str) -> Result<(), Rejection> {
    for (wallet, invoice) in waiting(session, payer) {
        let Some(owed) = session.find::<Receivables>(payer).map(|e| &e.state) else {
            continue;
        };
        let Some(item) = owed.item(&invoice).filter(|i| !i.open.is_positive()) else {
            continue;
        };
        let written_off = item.written_off.is_positive();
        let kept = kept(session.get::<Invoice>(&invoice)?, item);
        let command = if kept.is_positive() && !written_off {
            Command::Settle {
                invoice: invoice.clone(),
                at: session.now(),
                today: session.today(&account_terms(session, payer)?.zone),
            }
        } else {
            Command::Drop {
                invoice: invoice.clone(),
                reason: "its invoice was credited or written off".to_string(),
            }
        };
        session.decide::<Wallet>(&wallet, command)?;
        // Of an invoice that was credited in parts before it was paid, only the rest is there.
        entitle(session, payer, &invoice)?;
    }
    Ok(())
}

/// What of a document was paid: neither open, nor written off, nor credited.
fn kept(document: &Invoice, item: &Item) -> Money {
    let left = document.left().minus(item.open).minus(item.written_off);
    match left.is_negative() {
        true => Money::zero(left.currency),
        false => left,
    }
}

/// The invoices whose open amounts a fact moves.
fn touched(event: &Fact) -> Vec<&Id> {
    match event {
        Fact::PaymentApplied(e) => e.applied.iter().map(|p| &p.invoice).collect(),
        Fact::PaymentUnapplied(e) => e.reopened.iter().map(|p| &p.invoice).collect(),
        Fact::PaymentRestored(e) => e.applied.iter().map(|p| &p.invoice).collect(),
        Fact::Matched(e) => e.parts.iter().map(|p| &p.invoice).collect(),
        Fact::CreditApplied(e) => vec![&e.invoice],
        Fact::CreditReturned(e) => vec![&e.invoice],
        Fact::ItemCredited(e) => vec![&e.invoice],
        Fact::Unmatched(e) => vec![&e.invoice],
        Fact::Allowed(e) => vec![&e.invoice],
        Fact::AllowanceReversed(e) => vec![&e.invoice],
        Fact::WrittenOff(e) => vec![&e.invoice],
        Fact::WriteOffReversed(e) => vec![&e.invoice],
        _ => vec![],
    }
}

/// Money moved on open items of an account: top-ups whose invoices are among them follow.
pub(super) fn moved(session: &mut Session<'_>, payer: &str, event: &Fact) -> Result<(), Rejection> {
    paid(session, payer)?;
    for invoice in touched(event) {
        entitle(session, payer, invoice)?;
    }
    Ok(())
}

/// The invoice was credited in parts.
pub(super) fn credited(session: &mut Session<'_>, invoice: &str) -> Result<(), Rejection> {
    let payer = session.get::<Invoice>(invoice)?.document.account.clone();
    entitle(session, &payer, invoice)
}

/// The wallet, the top-up and its amount that an invoice is for.
fn top_up(session: &Session<'_>, invoice: &str) -> Option<(Id, Id, Money)> {
    let document = &session.find::<Invoice>(invoice)?.state.document;
    let What::TopUp { wallet, grant, .. } = &document.lines.first()?.what else {
        return None;
    };
    let amount = session.find::<Wallet>(wallet)?.state.grant(grant)?.amount;
    Some((wallet.clone(), grant.clone(), amount))
}

/// Tells the wallet how much of a top-up its invoice stands for now. Shares are cut to whole minor units in favour of
/// whoever has paid last: what is not paid in full is not there in full.
fn entitle(session: &mut Session<'_>, payer: &str, invoice: &str) -> Result<(), Rejection> {
    let Some((wallet, grant, amount)) = top_up(session, invoice) else {
        return Ok(());
    };
    let document = session.get::<Invoice>(invoice)?;
    let total = document.document.total;
    let owed = session.find::<Receivables>(payer);
    let item = owed.and_then(|e| e.state.item(invoice));
    let void = document.stage == Stage::Void;
    let (paid, credited) = match item {
        Some(item) if !void => (kept(document, item), total.minus(document.left())),
        _ if void => (Money::zero(total.currency), total),
        _ => return Ok(()),
    };
    let share = |part: Money| -> Result<Money, Rejection> {
        if part == total || !total.is_positive() {
            return Ok(amount);
        }
        let exact = amount.exact().share(part.minor, total.minor)?;
        Money::round(exact, amount.currency, Rounding::Down)
    };
    let on = session.today(&account_terms(session, payer)?.zone);
    let command = Command::Entitle {
        entitlement: Entitlement {
            invoice: invoice.to_string(),
            grant,
            paid: share(paid)?,
            credited: share(credited)?,
        },
        on,
        at: session.now(),
    };
    session.decide::<Wallet>(&wallet, command)?;
    Ok(())
}

/// The invoice of a top-up is void: the top-up will not come, or is taken out again.
pub(super) fn voided(session: &mut Session<'_>, invoice: &str) -> Result<(), Rejection> {
    let document = &session.get::<Invoice>(invoice)?.document;
    let payer = document.account.clone();
    let Some(What::TopUp { wallet, .. }) = document.lines.first().map(|l| l.what.clone()) else {
        return Ok(());
    };
    entitle(session, &payer, invoice)?;
    let command = Command::Drop {
        invoice: invoice.to_string(),
        reason: "its invoice is void".to_string(),
    };
    session.decide::<Wallet>(&wallet, command)?;
    Ok(())
}

/// Top-ups whose invoices an account is to pay: (wallet, invoice).
fn waiting(session: &Session<'_>, payer: &str) -> Vec<(Id, Id)> {
    let children = session.index().paid_by.get(payer).into_iter().flatten();
    let accounts = std::iter::once(payer).chain(children.map(String::as_str));
    let mut out = Vec::new();
    for id in accounts.flat_map(|account| of_account(session, account)) {
        if let Some(entry) = session.find::<Wallet>(&id) {
            let asked = entry.state.asked.iter();
            out.extend(asked.map(|a| (id.clone(), a.invoice.clone())));
        }
    }
    out
}
