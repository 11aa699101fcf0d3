//! On which folio something is billed and paid: in which currency, and to which legal entity.

use super::selling::Sale;
use super::{account_terms, entity_terms, exchange, folio_terms, terms_of};
use crate::accounts::{AccountTerms, Folio, folio};
use crate::catalog::Pay;
use crate::charges::Charges;
use crate::command::{InvoicingPlace, Outcome};
use crate::entities::EntityTerms;
use crate::invoices::{Document, Invoice};
use crate::invoicing::{self, ChargeFolioSet, Currencies, FolioSet, Invoicing};
use crate::kernel::{Currency, Id, Rejection};
use crate::session::Session;
use crate::subscriptions::Subscription;
use std::collections::BTreeSet;

pub(super) fn set_currencies(
    session: &mut Session<'_>,
    place: &InvoicingPlace,
    currencies: Option<Currencies>,
) -> Result<Outcome, Rejection> {
    super::invoicing::tell(session, place, invoicing::Command::Currencies(currencies))
}

pub(super) fn set_seller(
    session: &mut Session<'_>,
    offer: &str,
    seller: Option<Id>,
) -> Result<Outcome, Rejection> {
    if let Some(seller) = &seller {
        entity_terms(session, seller)?;
    }
    let known = session.find::<crate::catalog::Catalog>(super::catalog::MAIN);
    if known.is_none_or(|c| c.state.offer(offer).is_none()) {
        return Err(Rejection::new(
            "OFFER_UNKNOWN",
            format!("there is no offer {offer:?}"),
        ));
    }
    let stream = invoicing::of_offer(offer);
    session.decide::<Invoicing>(&stream, invoicing::Command::Sell { seller })?;
    Ok(Outcome::of("invoicing", &stream))
}

/// Says for one subscription what its account and its offer would say otherwise.
pub(super) fn set(
    session: &mut Session<'_>,
    subscription: Id,
    seller: Option<Id>,
    currencies: Option<Currencies>,
) -> Result<Outcome, Rejection> {
    let sub = session.get::<Subscription>(&subscription)?;
    let (account, sold) = (sub.account.clone(), sub.clone());
    if let Some(seller) = &seller {
        entity_terms(session, seller)?;
    }
    let (payer, terms) = payer(session, &account)?;
    let sold = exchange::currency_of(&sold, terms.currency);
    let mode = currencies.unwrap_or_else(|| currencies_of(session, &payer, &terms));
    if sold != terms.currency
        && mode == Currencies::Account
        && !exchange::converts(session, &account, &account_terms(session, &account)?)
    {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "subscription {subscription} is sold in {sold}, account {payer} is in {}, and nobody said how it is converted",
                terms.currency
            ),
        ));
    }
    let folio = Folio {
        entity: seller.unwrap_or_else(|| terms.entity.clone()),
        currency: match mode {
            Currencies::Account => terms.currency,
            Currencies::Sale => sold,
        },
    };
    let before = of_subscription(session, &account, &subscription);
    let before = before.unwrap_or_else(|| Folio::own(&terms));
    let billed = session.find::<Charges>(&subscription);
    if before != folio && billed.is_some_and(|c| !c.state.items.is_empty()) {
        return Err(Rejection::new(
            "FOLIO_FIXED",
            format!(
                "subscription {subscription} was billed by {} in {}: what it corrects later belongs there",
                before.entity, before.currency
            ),
        ));
    }
    let (other, first) = (
        before.entity != folio.entity,
        session.get::<Subscription>(&subscription)?.first_day(),
    );
    let outcome = put(session, &account, subscription.clone(), folio, &terms)?;
    payable(session, &subscription)?;
    // Another seller has other price lists.
    if other {
        super::migration::lay(session, &subscription, first, None)?;
    }
    Ok(outcome)
}

fn put(
    session: &mut Session<'_>,
    account: &str,
    subscription: Id,
    folio: Folio,
    payer: &AccountTerms,
) -> Result<Outcome, Rejection> {
    let stream = invoicing::of_account(account);
    let set = FolioSet {
        subscription,
        folio: (folio != Folio::own(payer)).then_some(folio),
    };
    session.decide::<Invoicing>(&stream, invoicing::Command::Fold(set))?;
    Ok(Outcome::of("invoicing", &stream))
}

/// A subscription was sold: it keeps the folio that its sale has, whatever is said later.
pub(super) fn sell(session: &mut Session<'_>, subscription: &str) -> Result<(), Rejection> {
    let sub = session.get::<Subscription>(subscription)?;
    let account = sub.account.clone();
    let (payer, terms) = payer(session, &account)?;
    let sold = exchange::currency_of(sub, terms.currency);
    let offer = sub.terms.first().map(|t| t.offer.code.clone());
    let seller = offer.and_then(|offer| seller(session, &offer)).cloned();
    let apart =
        sold != terms.currency && currencies_of(session, &payer, &terms) == Currencies::Sale;
    let folio = Folio {
        entity: seller.unwrap_or_else(|| terms.entity.clone()),
        currency: if apart { sold } else { terms.currency },
    };
    if folio != Folio::own(&terms) {
        put(session, &account, subscription.to_string(), folio, &terms)?;
        payable(session, subscription)?;
    }
    Ok(())
}

/// The legal entity that sells an offer to everybody.
fn seller<'s>(session: &'s Session<'_>, offer: &str) -> Option<&'s Id> {
    let stream = invoicing::of_offer(offer);
    session.find::<Invoicing>(&stream)?.state.seller.as_ref()
}

/// The legal entity whose price lists hold for a sale of an offer: that of the folio that the subscription is on, or will be.
pub(super) fn seller_of<'s>(session: &'s Session<'_>, sale: Sale<'s>, offer: &str) -> &'s str {
    let own = &sale.terms.entity;
    if session.find::<Subscription>(sale.subscription).is_none() {
        return seller(session, offer).unwrap_or(own);
    }
    let said = session.find::<Invoicing>(&invoicing::of_account(sale.account));
    let folio = said.and_then(|said| said.state.folios.get(sale.subscription));
    folio.map_or(own, |folio| &folio.entity)
}

/// Refuses usage that wallets pay on another folio than the payer's own: money that was left with one legal entity in one currency
/// pays nothing that is owed to another, or in another.
pub(super) fn payable(session: &Session<'_>, subscription: &str) -> Result<(), Rejection> {
    let sub = session.get::<Subscription>(subscription)?;
    let Some(folio) = of_subscription(session, &sub.account, subscription) else {
        return Ok(());
    };
    let usage = sub.terms.iter().flat_map(|term| &term.offer.usage);
    match usage.into_iter().find(|usage| usage.pay != Pay::Invoice) {
        None => Ok(()),
        Some(usage) => Err(Rejection::new(
            "WALLET_OTHER_FOLIO",
            format!(
                "charge {} of subscription {subscription} is paid from wallets: it cannot be sold by {} in {}",
                usage.code, folio.entity, folio.currency
            ),
        )),
    }
}

/// A charge of an account in another currency goes onto a folio of its own where documents have the currency of the sale.
pub(super) fn charge(
    session: &mut Session<'_>,
    account: &str,
    charge: &str,
    currency: Currency,
) -> Result<(), Rejection> {
    let (payer, terms) = payer(session, account)?;
    if currency == terms.currency || currencies_of(session, &payer, &terms) != Currencies::Sale {
        return Ok(());
    }
    let folio = Folio {
        entity: terms.entity,
        currency,
    };
    charge_on(session, account, charge, folio)
}

/// The same on a given folio.
pub(super) fn charge_on(
    session: &mut Session<'_>,
    account: &str,
    charge: &str,
    folio: Folio,
) -> Result<(), Rejection> {
    let set = ChargeFolioSet {
        charge: charge.to_string(),
        folio,
    };
    let stream = invoicing::of_account(account);
    session.decide::<Invoicing>(&stream, invoicing::Command::FoldCharge(set))?;
    Ok(())
}

/// Whether something in another currency can be sold to an account, because it is billed apart.
pub(super) fn apart(session: &Session<'_>, account: &str, terms: &AccountTerms) -> bool {
    currencies_of(session, terms.payer(account), terms) == Currencies::Sale
}

/// In which currency the documents of who pays are: as it says, else as its legal entity does.
fn currencies_of(session: &Session<'_>, payer: &str, terms: &AccountTerms) -> Currencies {
    let said = |stream: &str| session.find::<Invoicing>(stream)?.state.currencies;
    let own = said(&invoicing::of_account(payer));
    own.or_else(|| said(&invoicing::of_entity(&terms.entity)))
        .unwrap_or_default()
}

/// Who pays for an account, and its terms.
fn payer(session: &Session<'_>, account: &str) -> Result<(Id, AccountTerms), Rejection> {
    let terms = account_terms(session, account)?;
    match &terms.payer {
        Some(payer) => Ok((payer.clone(), account_terms(session, payer)?)),
        None => Ok((account.to_string(), terms)),
    }
}

/// The folio of a subscription of an account; none: the payer's own.
pub(super) fn of_subscription(
    session: &Session<'_>,
    account: &str,
    subscription: &str,
) -> Option<Folio> {
    let said = session.find::<Invoicing>(&invoicing::of_account(account))?;
    said.state.folios.get(subscription).cloned()
}

/// Terms of who uses a subscription and of its seller, with the currency and the legal entity of the folio it is billed on.
pub(super) fn sold_on(
    session: &Session<'_>,
    account: &str,
    subscription: &str,
) -> Result<(AccountTerms, EntityTerms), Rejection> {
    let mut terms = account_terms(session, account)?;
    if let Some(folio) = of_subscription(session, account, subscription) {
        terms.entity = folio.entity;
        terms.currency = folio.currency;
    }
    let entity = entity_terms(session, &terms.entity)?;
    Ok((terms, entity))
}

/// The folios on which something of a payer and of those it pays for is billed, the own one first.
pub(crate) fn of(session: &Session<'_>, payer: &str) -> Result<Vec<Id>, Rejection> {
    let terms = terms_of(session, payer)?;
    let children = session.index().paid_by.get(payer).into_iter().flatten();
    let accounts = std::iter::once(payer).chain(children.map(String::as_str));
    let mut found = BTreeSet::new();
    for account in accounts {
        if let Some(said) = session.find::<Invoicing>(&invoicing::of_account(account)) {
            let folios = said.state.folios.values();
            found.extend(folios.chain(said.state.charges.values()));
        }
    }
    let own = Folio::own(terms);
    let others = found.into_iter().filter(|f| **f != own);
    let ids = others.map(|f| f.id(payer, terms));
    Ok(std::iter::once(payer.to_string()).chain(ids).collect())
}

/// The folio that a document is on.
pub(crate) fn of_document(session: &Session<'_>, document: &Document) -> Result<Id, Rejection> {
    let terms = terms_of(session, &document.account)?;
    Ok(document.folio().id(&document.account, terms))
}

/// The folio of an account that an invoice is on, if it is the account's; else what was named.
pub(super) fn holding(session: &Session<'_>, named: &str, invoice: Option<&str>) -> Id {
    let own = || named.to_string();
    let Some(invoice) = invoice.filter(|_| folio::is_own(named)) else {
        return own();
    };
    let document = session
        .find::<Invoice>(invoice)
        .map(|e| &e.state.document)
        .filter(|d| d.account == named);
    let found = document.and_then(|d| of_document(session, d).ok());
    found.unwrap_or_else(own)
}

/// The folio of an account that takes money in a currency: what is named, if that is a folio or fits; else the account's in
/// that currency, to its own legal entity or to `entity`. What fits nowhere is the named one's.
pub(super) fn paying(
    session: &Session<'_>,
    named: &str,
    entity: Option<&str>,
    currency: Currency,
) -> Result<Id, Rejection> {
    if !folio::is_own(named) {
        folio_terms(session, named)?;
        return Ok(named.to_string());
    }
    let terms = account_terms(session, named)?;
    let wanted = Folio {
        entity: entity.unwrap_or(&terms.entity).to_string(),
        currency,
    };
    let id = wanted.id(named, &terms);
    Ok(match of(session, named)?.contains(&id) {
        true => id,
        false => named.to_string(),
    })
}
