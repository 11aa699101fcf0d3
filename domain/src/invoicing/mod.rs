//! How the documents of an account are made: what is looked at before they go out, when, how small and how many.
//!
//! A legal entity says it for all its accounts, an account for itself; what an account says replaces what its entity says.
//!
//! - Review rules are expressions over the document. They are read in order: one that accepts ends the reading; rejecting
//!   weighs more than holding. One that cannot be read for a document holds it.
//! - A grace period and kept drafts hold a document without its being wrong.
//! - A total above zero and below the minimum is carried forward until there is more, or nothing runs any more.
//! - Documents are split by subscription, by the group, the order or the payment method a subscription has, or by the account
//!   that used it.
//! - How lines are put together for a reader changes nothing of what is billed.
//! - Charges in another currency than the account's are converted where somebody said how, or go onto documents of their own
//!   where somebody said so, and are not sold otherwise.
//! - What another legal entity sells goes onto documents of that entity. A subscription keeps the folio it was sold on.

pub mod progress;
pub mod review;

use crate::accounts::Folio;
use crate::events;
use crate::invoices::Shown;
use crate::kernel::{Currency, Decider, Decimal, Id, Rejection};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub use progress::Progress;
pub use review::{Rule, Verdict};

/// Longest grace period, in days.
pub const GRACE_MAX: u32 = 60;
/// Most review rules of one entity or account.
pub const RULES_MAX: usize = 50;
/// Most days for which an exchange rate holds when no newer one is told.
pub const RATE_AGE_MAX: u32 = 366;
/// Longest name of an invoice group or an order, in bytes.
pub const GROUP_MAX: usize = 60;

/// What goes onto a document of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// One document for everything.
    #[default]
    Whole,
    /// One per subscription; what belongs to none is one more.
    Subscription,
    /// One per invoice group (an order, a payment method, a cost centre); what is in none is one more.
    Group,
    /// One per account that used it.
    Account,
    /// One per order that subscriptions are of; what is of none is one more.
    Order,
    /// One per payment method that subscriptions are paid by; what is paid by the preferred one is one more.
    Method,
}

/// The day whose exchange rate counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateDay {
    /// Everything due on or before this day is on the document.
    #[default]
    Document,
    /// The first day that the line is about: of a period, a one-off or a charge.
    Service,
}

/// How charges in another currency come onto the documents of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    pub day: RateDay,
    /// Days for which a rate holds when no newer one is told; 0: only on its own day.
    pub max_age_days: u32,
}

/// In which currency documents are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Currencies {
    /// In the account's: what is sold in another one is converted.
    #[default]
    Account,
    /// In that of the sale: each currency has documents, open items and credit of its own.
    Sale,
}

/// How documents are made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// In the account's currency; a smaller total above zero waits for more.
    pub minimum: Option<Decimal>,
    /// Days for which a document of a bill run stays a draft.
    pub grace_days: u32,
    /// Documents stay drafts until somebody releases them.
    pub keep_drafts: bool,
    pub split: Split,
    pub rules: Vec<Rule>,
}

/// See the module. Stream id: [`of_entity`] or [`of_account`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Invoicing {
    /// None: as the legal entity says, or one finalised document for everything.
    pub terms: Option<Terms>,
    /// Invoice groups by subscription.
    pub groups: BTreeMap<Id, String>,
    /// None: as the legal entity says, or nothing is sold in another currency.
    pub exchange: Option<Exchange>,
    /// None: as the legal entity says, or line by line.
    pub shown: Option<Shown>,
    /// Orders by subscription.
    pub orders: BTreeMap<Id, String>,
    /// Payment methods of who pays, by subscription.
    pub methods: BTreeMap<Id, Id>,
    /// None: as the legal entity says, or in the account's currency.
    pub currencies: Option<Currencies>,
    /// Subscriptions that are billed on another folio than the payer's own.
    pub folios: BTreeMap<Id, Folio>,
    /// The same of charges that belong to no subscription.
    pub charges: BTreeMap<Id, Folio>,
    /// Smaller totals above zero of documents in a currency wait for more; where nothing is said, `terms` say it in the
    /// account's currency.
    pub minimums: BTreeMap<Currency, Decimal>,
    /// In the stream of an offer: the legal entity that sells it to everybody.
    pub seller: Option<Id>,
}

/// Stream of what a legal entity says.
pub fn of_entity(entity: &str) -> Id {
    format!("entity/{entity}")
}

/// Stream of what is said for one account.
pub fn of_account(account: &str) -> Id {
    format!("account/{account}")
}

/// Stream of what is said for one offer.
pub fn of_offer(offer: &str) -> Id {
    format!("offer/{offer}")
}

/// How documents are made from now on; none: no longer said here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermsSet {
    pub terms: Option<Terms>,
}

/// A subscription's lines go onto the documents of a group; none: of no group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grouped {
    pub subscription: Id,
    pub group: Option<String>,
}

/// How charges in another currency come onto documents from now on; none: no longer said here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExchangeSet {
    pub exchange: Option<Exchange>,
}

/// How lines are put together on documents from now on; none: no longer said here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownSet {
    pub shown: Option<Shown>,
}

/// A subscription is of an order; none: of none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfOrder {
    pub subscription: Id,
    pub order: Option<String>,
}

/// A subscription is paid by a method of who pays for it; none: by the preferred one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaidBy {
    pub subscription: Id,
    pub method: Option<Id>,
}

/// In which currency documents are from now on; none: no longer said here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurrenciesSet {
    pub currencies: Option<Currencies>,
}

/// The legal entity that sells an offer from now on; none: that of whoever buys it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SellerSet {
    pub seller: Option<Id>,
}

/// Smaller totals above zero of documents in a currency wait for more from now on; none: no longer said here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MinimumSet {
    pub currency: Currency,
    pub minimum: Option<Decimal>,
}

/// A subscription is billed on a folio; none: on the payer's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FolioSet {
    pub subscription: Id,
    pub folio: Option<Folio>,
}

/// A charge that belongs to no subscription is billed on a folio that is not the payer's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChargeFolioSet {
    pub charge: Id,
    pub folio: Folio,
}

events! {
    /// What happens to the way in which documents are made.
    pub enum Event in "invoicing" {
        TermsSet = "terms-set" 1,
        Grouped = "grouped" 1,
        ExchangeSet = "exchange-set" 1,
        ShownSet = "shown-set" 1,
        OfOrder = "of-order" 1,
        PaidBy = "paid-by" 1,
        CurrenciesSet = "currencies-set" 1,
        SellerSet = "seller-set" 1,
        FolioSet = "folio-set" 1,
        ChargeFolioSet = "charge-folio-set" 1,
        MinimumSet = "minimum-set" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Set(Option<Terms>),
    Group {
        subscription: Id,
        group: Option<String>,
    },
    Exchange(Option<Exchange>),
    Show(Option<Shown>),
    Order(OfOrder),
    Pay(PaidBy),
    Currencies(Option<Currencies>),
    Sell {
        seller: Option<Id>,
    },
    /// The folio of a subscription.
    Fold(FolioSet),
    FoldCharge(ChargeFolioSet),
    Least(MinimumSet),
}

impl Decider for Invoicing {
    type State = Invoicing;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Invoicing, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Exchange(exchange) if exchange == state.exchange => Ok(vec![]),
            Command::Exchange(exchange) => {
                let days = exchange.map_or(0, |e| e.max_age_days);
                if days > RATE_AGE_MAX {
                    return Err(Rejection::new(
                        "INVOICING_INVALID",
                        format!("a rate that holds for {days} days is older than {RATE_AGE_MAX}"),
                    ));
                }
                Ok(vec![ExchangeSet { exchange }.into()])
            }
            Command::Show(shown) if shown == state.shown => Ok(vec![]),
            Command::Show(shown) => Ok(vec![ShownSet { shown }.into()]),
            Command::Order(of) if state.orders.get(&of.subscription) == of.order.as_ref() => {
                Ok(vec![])
            }
            Command::Order(of) => {
                of.order.as_deref().map_or(Ok(()), named)?;
                Ok(vec![of.into()])
            }
            Command::Pay(by) if state.methods.get(&by.subscription) == by.method.as_ref() => {
                Ok(vec![])
            }
            Command::Pay(by) => Ok(vec![by.into()]),
            Command::Currencies(currencies) if currencies == state.currencies => Ok(vec![]),
            Command::Currencies(currencies) => Ok(vec![CurrenciesSet { currencies }.into()]),
            Command::Sell { seller } if seller == state.seller => Ok(vec![]),
            Command::Sell { seller } => Ok(vec![SellerSet { seller }.into()]),
            Command::Fold(set) if state.folios.get(&set.subscription) == set.folio.as_ref() => {
                Ok(vec![])
            }
            Command::Fold(set) => Ok(vec![set.into()]),
            Command::FoldCharge(set) if state.charges.get(&set.charge) == Some(&set.folio) => {
                Ok(vec![])
            }
            Command::FoldCharge(set) => Ok(vec![set.into()]),
            Command::Least(set) if state.minimums.get(&set.currency) == set.minimum.as_ref() => {
                Ok(vec![])
            }
            Command::Least(set) => match set.minimum.filter(|m| m.is_negative()) {
                Some(minimum) => Err(Rejection::new(
                    "INVOICING_INVALID",
                    format!("a minimum of {minimum} is below zero"),
                )),
                None => Ok(vec![set.into()]),
            },
            Command::Set(terms) if terms == state.terms => Ok(vec![]),
            Command::Set(terms) => {
                if let Some(terms) = &terms {
                    check(terms)?;
                }
                Ok(vec![TermsSet { terms }.into()])
            }
            Command::Group {
                subscription,
                group,
            } if state.groups.get(&subscription) == group.as_ref() => Ok(vec![]),
            Command::Group {
                subscription,
                group,
            } => {
                group.as_deref().map_or(Ok(()), named)?;
                Ok(vec![
                    Grouped {
                        subscription,
                        group,
                    }
                    .into(),
                ])
            }
        }
    }

    fn evolve(state: &mut Invoicing, event: &Event) {
        match event {
            Event::TermsSet(e) => state.terms.clone_from(&e.terms),
            Event::ExchangeSet(e) => state.exchange = e.exchange,
            Event::ShownSet(e) => state.shown = e.shown,
            Event::OfOrder(e) => keep(&mut state.orders, &e.subscription, e.order.as_ref()),
            Event::PaidBy(e) => keep(&mut state.methods, &e.subscription, e.method.as_ref()),
            Event::CurrenciesSet(e) => state.currencies = e.currencies,
            Event::SellerSet(e) => state.seller.clone_from(&e.seller),
            Event::FolioSet(e) => keep(&mut state.folios, &e.subscription, e.folio.as_ref()),
            Event::ChargeFolioSet(e) => {
                state.charges.insert(e.charge.clone(), e.folio.clone());
            }
            Event::MinimumSet(e) => {
                match e.minimum {
                    Some(minimum) => state.minimums.insert(e.currency, minimum),
                    None => state.minimums.remove(&e.currency),
                };
            }
            Event::Grouped(e) => {
                keep(&mut state.groups, &e.subscription, e.group.as_ref());
            }
        }
    }
}

/// Remembers what a subscription has, or forgets it.
fn keep<T: Clone>(known: &mut BTreeMap<Id, T>, subscription: &Id, is: Option<&T>) {
    match is {
        Some(is) => known.insert(subscription.clone(), is.clone()),
        None => known.remove(subscription),
    };
}

fn named(name: &str) -> Result<(), Rejection> {
    if name.trim().is_empty() || name.len() > GROUP_MAX {
        return Err(Rejection::new(
            "INVOICE_GROUP_INVALID",
            format!(
                "an invoice group or an order is named by 1 to {GROUP_MAX} bytes, {} were given",
                name.len()
            ),
        ));
    }
    Ok(())
}

fn check(terms: &Terms) -> Result<(), Rejection> {
    let refused = |why: String| Err(Rejection::new("INVOICING_INVALID", why));
    if terms.grace_days > GRACE_MAX {
        return refused(format!(
            "a grace period of {} days is more than {GRACE_MAX}",
            terms.grace_days
        ));
    }
    if let Some(minimum) = terms.minimum.filter(|m| m.is_negative()) {
        return refused(format!("a minimum of {minimum} is below zero"));
    }
    if terms.rules.len() > RULES_MAX {
        return refused(format!(
            "{} review rules are more than {RULES_MAX}",
            terms.rules.len()
        ));
    }
    let mut codes = BTreeSet::new();
    for rule in &terms.rules {
        if !codes.insert(rule.code.as_str()) {
            return refused(format!("there are two review rules {:?}", rule.code));
        }
        review::check(rule)?;
    }
    Ok(())
}
