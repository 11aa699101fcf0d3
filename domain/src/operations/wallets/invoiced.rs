//! Top-ups that are paid by an invoice of their own: nothing is in the wallet before that invoice is paid.

use super::of_account;
use crate::charges::What;
use crate::invoices::{Document, Invoice, Line, Stage, compose};
use crate::kernel::{Id, Rejection};
use crate::operations::{account_terms, billing, entity_terms, taxes};
use crate::receivables::Receivables;
use crate::session::Session;
use crate::wallets::{Ask, Command, Origin, Wallet};

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
    billing::finalise(session, &ask.invoice, document)
}

/// Something moved among the open items of an account: puts in what is paid now, gives up what never will be.
pub(super) fn paid(session: &mut Session<'_>, payer: &str) -> Result<(), Rejection> {
    for (wallet, invoice) in waiting(session, payer) {
        let Some(owed) = session.find::<Receivables>(payer).map(|e| &e.state) else {
            continue;
        };
        let Some(item) = owed.item(&invoice).filter(|i| !i.open.is_positive()) else {
            continue;
        };
        let applied = owed.applied_to(&invoice).map(|(_, a)| a.amount.minor);
        let command = if applied.sum::<i128>() == item.total.minor {
            Command::Settle {
                invoice,
                at: session.now(),
                today: session.today(&account_terms(session, payer)?.zone),
            }
        } else {
            Command::Drop {
                invoice,
                reason: "its invoice was credited or written off".to_string(),
            }
        };
        session.decide::<Wallet>(&wallet, command)?;
    }
    Ok(())
}

/// The invoice of a top-up is void: the top-up will not come. One that is in its wallet has to be taken out first.
pub(super) fn voided(session: &mut Session<'_>, invoice: &str) -> Result<(), Rejection> {
    let document = &session.get::<Invoice>(invoice)?.document;
    let Some(What::TopUp { wallet, grant, .. }) = document.lines.first().map(|l| l.what.clone())
    else {
        return Ok(());
    };
    let state = session.get::<Wallet>(&wallet)?;
    let there = |origin: &Origin| matches!(origin, Origin::Invoice(by) if by == invoice);
    if state.grant(&grant).is_some_and(|g| there(&g.origin)) {
        return Err(Rejection::new(
            "TOP_UP_GRANTED",
            format!(
                "top-up {grant} of wallet {wallet} is paid and in the wallet: credit the invoice instead"
            ),
        ));
    }
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
