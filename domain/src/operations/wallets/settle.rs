//! Wallets that pay invoices: the gross, the largest open target first (policy 30), when one is finalised or when the
//! wallet is asked as a payment method.

use super::{known, of_account};
use crate::charges::What;
use crate::collections::DrawnPart;
use crate::invoices::{Document, Finalised, Invoice, Line, product_lines::served_from};
use crate::kernel::{Date, Exact, Id, Money, Rejection, Rounding};
use crate::operations::{account_terms, billing, folios};
use crate::receivables::{self, Receivables, Source};
use crate::session::Session;
use crate::subscriptions::Subscription;
use crate::wallets::{Burn, Command, Purse, Target, Wallet};
use std::collections::BTreeMap;

/// What one charge of a document asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    offer: Option<String>,
    charge: String,
    metric: Option<String>,
}

impl Named {
    fn target(&self) -> Target<'_> {
        Target {
            offer: self.offer.as_deref(),
            charge: &self.charge,
            metric: self.metric.as_deref(),
        }
    }
}

/// What the payer's wallets pay of a document that was just finalised.
pub(super) fn pay(
    session: &mut Session<'_>,
    invoice: &str,
    finalised: &Finalised,
) -> Result<(), Rejection> {
    let document = &finalised.document;
    if document.corrects.is_some() || !document.total.is_positive() {
        return Ok(());
    }
    let account = &document.account;
    let mut purse = purse(session, account);
    if purse.finalising().is_empty() {
        return Ok(());
    }
    // They are in the account's own currency, with its own legal entity.
    if folios::of_document(session, document)? != *account {
        return Ok(());
    }
    // Credit of the account has been used by now; what it left open is for the wallets.
    let open = session
        .find::<Receivables>(account)
        .and_then(|e| e.state.item(invoice).map(|i| i.open));
    let Some(open) = open.filter(|o| o.is_positive()) else {
        return Ok(());
    };
    let on = session.today(&account_terms(session, account)?.zone);
    let wallets = purse.finalising();
    spread(&mut purse, &wallets, targets(session, document)?, open, on)?;
    burn(session, account, (invoice, open), purse, on)?;
    Ok(())
}

/// Burns what a purse drew for an open item and applies it there; the answer is what was paid.
fn burn(
    session: &mut Session<'_>,
    account: &str,
    (invoice, open): (&str, Money),
    purse: Purse,
    on: Date,
) -> Result<Money, Rejection> {
    let mut paid = Money::zero(open.currency);
    for draw in purse.finish() {
        let mut parts = draw.parts.iter().map(|(_, amount)| *amount);
        let sum = parts.try_fold(Exact::ZERO, Exact::plus)?;
        let amount = Money::round(sum, open.currency, Rounding::Down)?;
        let source = free_source(session, account, &draw.wallet, invoice);
        let (parts, at) = (draw.parts, session.now());
        let invoice = invoice.to_string();
        let pay = Command::Pay {
            invoice: invoice.clone(),
            parts,
            amount,
            on,
            at,
        };
        session.decide::<Wallet>(&draw.wallet, pay)?;
        let prepay = receivables::Command::Prepay {
            source,
            invoice,
            amount,
        };
        session.decide::<Receivables>(account, prepay)?;
        paid = paid.plus(amount);
    }
    Ok(paid)
}

/// What a wallet pays of open items as a payment method: as much as it holds, whole minor units, down to its floor. It
/// pays of an invoice what it may pay at all, never a top-up.
pub(crate) fn collect(
    session: &mut Session<'_>,
    account: &str,
    wallet: &str,
    items: &[(Id, Money)],
    on: Date,
) -> Result<Vec<DrawnPart>, Rejection> {
    let mut paid = Vec::new();
    for (item, open) in items {
        let mut purse = purse(session, account);
        let own = [wallet.to_string()];
        match session.find::<Invoice>(item).map(|e| &e.state.document) {
            Some(document) => spread(&mut purse, &own, targets(session, document)?, *open, on)?,
            // A debt that was taken over has no lines here: a wallet for some things only does not pay it.
            None if purse.covers(wallet, &Target::default()) => {
                let whole = BTreeMap::from([(Named::default(), *open)]);
                spread(&mut purse, &own, whole, *open, on)?;
            }
            None => {}
        }
        let amount = burn(session, account, (item, *open), purse, on)?;
        if amount.is_positive() {
            paid.push(DrawnPart {
                invoice: item.clone(),
                amount,
            });
        }
    }
    Ok(paid)
}

/// Sources of what a wallet paid of an invoice, in the order they came: `wallet/invoice`, `wallet/invoice/2`, …
fn sources(session: &Session<'_>, account: &str, wallet: &str, invoice: &str) -> Vec<Source> {
    let (first, more) = (
        format!("{wallet}/{invoice}"),
        format!("{wallet}/{invoice}/"),
    );
    let state = session.find::<Receivables>(account).map(|e| &e.state);
    let funds = state.into_iter().flat_map(|s| &s.funds);
    let own = |source: &&Source| matches!(source, Source::Wallet(id) if *id == first || id.starts_with(&more));
    funds.map(|f| &f.source).filter(own).cloned().collect()
}

fn free_source(session: &Session<'_>, account: &str, wallet: &str, invoice: &str) -> Source {
    let known = sources(session, account, wallet, invoice);
    let numbered = |n: usize| match n {
        1 => Source::Wallet(format!("{wallet}/{invoice}")),
        n => Source::Wallet(format!("{wallet}/{invoice}/{n}")),
    };
    let free = (1..=known.len() + 1).map(numbered);
    let mut free = free.filter(|source| !known.contains(source));
    // One more than there are: one of them is free.
    free.next().unwrap_or_else(|| numbered(known.len() + 1))
}

/// What wallets paid of an invoice that is void goes back into them.
pub(super) fn give_back(session: &mut Session<'_>, invoice: &str) -> Result<(), Rejection> {
    let account = session.get::<Invoice>(invoice)?.document.account.clone();
    for wallet in of_account(session, &account) {
        let paid = |e: &crate::world::Entry<Wallet>| e.state.paid.contains_key(invoice);
        if !session.find::<Wallet>(&wallet).is_some_and(paid) {
            continue;
        }
        for source in sources(session, &account, &wallet, invoice) {
            session.decide::<Receivables>(&account, receivables::Command::Withdraw { source })?;
        }
        let invoice = invoice.to_string();
        session.decide::<Wallet>(&wallet, Command::Return { invoice })?;
    }
    Ok(())
}

/// What a wallet will have left, in money, once what is held, what is due and what was used up to now is paid. A wallet that is burnt
/// at rating has paid already.
pub fn expected_balance(session: &Session<'_>, wallet: &str) -> Result<Exact, Rejection> {
    let (state, zone) = known(session, wallet)?;
    let held = state.reserved(session.now());
    let left = state.balance(session.today(&zone)).minus(held)?;
    let account = &state.account;
    let paid_by_other = account_terms(session, account)?.payer.is_some();
    if state.terms.burn != Burn::Finalising || paid_by_other {
        return Ok(left);
    }
    let Some(document) = billing::expected(session, account)? else {
        return Ok(left);
    };
    let mut purse = purse(session, account);
    let on = session.today(&zone);
    let wallets = purse.finalising();
    let gross = targets(session, &document)?;
    spread(&mut purse, &wallets, gross, document.total, on)?;
    let draws = purse.finish().into_iter().filter(|d| d.wallet == wallet);
    let mut parts = draws.flat_map(|d| d.parts);
    parts.try_fold(left, |left, (_, part)| left.minus(part))
}

fn purse(session: &Session<'_>, account: &str) -> Purse {
    let ids = of_account(session, account);
    let states = ids.iter().filter_map(|id| {
        let entry = session.find::<Wallet>(id)?;
        Some((id, &entry.state))
    });
    Purse::new(states, session.now())
}

/// Lets wallets in order pay what they may, each the largest open target first, never more than `open` in all.
fn spread(
    purse: &mut Purse,
    wallets: &[Id],
    mut targets: BTreeMap<Named, Money>,
    open: Money,
    on: Date,
) -> Result<(), Rejection> {
    let whole = |exact| Money::round(exact, open.currency, Rounding::Down).map(Money::exact);
    let mut left = open;
    for wallet in wallets {
        loop {
            let payable = targets
                .iter()
                .filter(|(named, gross)| {
                    gross.is_positive() && purse.covers(wallet, &named.target())
                })
                // The first of equals, so that the order is always the same.
                .max_by(|a, b| a.1.minor.cmp(&b.1.minor).then(b.0.cmp(a.0)))
                .map(|(named, gross)| (named.clone(), gross.min(left)));
            let Some((named, asked)) = payable.filter(|(_, asked)| asked.is_positive()) else {
                break;
            };
            let pays = purse.draw_wallet(wallet, asked.exact(), on, whole)?;
            let pays = Money::round(pays, open.currency, Rounding::Down)?;
            if !pays.is_positive() {
                break;
            }
            left = left.minus(pays);
            if let Some(gross) = targets.get_mut(&named) {
                *gross = gross.minus(pays);
            }
        }
    }
    Ok(())
}

/// The gross of a document by what it is for. The tax of a group goes to its lines as their nets run up, so that it
/// adds up to the group's. A top-up is not paid out of a wallet.
fn targets(
    session: &Session<'_>,
    document: &Document,
) -> Result<BTreeMap<Named, Money>, Rejection> {
    let mut out: BTreeMap<Named, Money> = BTreeMap::new();
    let mut running: Vec<(Money, Money)> = document
        .taxes
        .iter()
        .map(|_| {
            (
                Money::zero(document.currency),
                Money::zero(document.currency),
            )
        })
        .collect();
    for line in &document.lines {
        let group = document.taxes.iter().zip(&mut running);
        let mut tax = Money::zero(document.currency);
        for (group, (net, taxed)) in group.filter(|(g, _)| g.tax == line.tax) {
            *net = net.plus(line.net);
            let so_far = if *net == group.net {
                group.amount
            } else {
                let exact = net.exact().times(Exact::from(group.tax.rate))?;
                Money::round(exact, document.currency, document.rounding)?
            };
            tax = so_far.minus(*taxed);
            *taxed = so_far;
        }
        if matches!(line.what, What::TopUp { .. }) {
            continue;
        }
        let gross = out
            .entry(named(session, line))
            .or_insert(Money::zero(document.currency));
        *gross = gross.plus(line.net).plus(tax);
    }
    Ok(out)
}

fn named(session: &Session<'_>, line: &Line) -> Named {
    let charge = line.what.charge().to_string();
    let subscription = line.subscription.as_deref();
    let term = subscription
        .and_then(|id| session.find::<Subscription>(id))
        .and_then(|entry| {
            let sub = &entry.state;
            let on = served_from(line)?;
            sub.term_on(on).map(|(_, term)| term).or(sub.terms.last())
        });
    let metric = term.and_then(|t| {
        let usage = t.offer.usage.iter().find(|u| u.code == charge);
        usage.map(|u| u.metric.clone())
    });
    Named {
        offer: term.map(|t| t.offer.code.clone()),
        metric: metric.filter(|_| matches!(line.what, What::Usage { .. })),
        charge,
    }
}
