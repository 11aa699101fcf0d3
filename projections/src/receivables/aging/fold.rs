//! How facts become the rows that aging is answered from.

use std::collections::BTreeMap;

use indelible_domain::accounts::folio;
use indelible_domain::invoices::Event as Document;
use indelible_domain::invoices::product_lines::{served_from, shares};
use indelible_domain::kernel::{Currency, Date, Id, Instant, Money, Zone};
use indelible_domain::receivables::{Dispute, Event as Fact, Item};
use indelible_domain::{Event, Recorded, accounts, catalog, subscriptions};
use serde::{Deserialize, Serialize};

use crate::receivables::effects;
use crate::{Projection, Rows, ViewError};

/// What a stretch is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum What {
    /// `grace`: days of grace of its plan.
    Item {
        item: Box<Item>,
        grace: u32,
    },
    Credit(Money),
    Deposits(Money),
}

impl What {
    fn is_nothing(&self) -> bool {
        match self {
            What::Item { item, .. } => item.open.is_zero(),
            What::Credit(amount) | What::Deposits(amount) => amount.is_zero(),
        }
    }
}

/// Something that was so from one fact until another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stretch {
    pub(super) what: What,
    pub(super) from: Instant,
    /// The position of the fact that began it.
    pub(super) position: u64,
    /// None while it is so.
    pub(super) until: Option<Instant>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Owner {
    pub(super) zone: Zone,
    pub(super) currency: Currency,
    pub(super) entity: Id,
}

/// An offer that a subscription has from a day on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sold {
    from: Date,
    offer: String,
}

/// See [`Aging`](super::Aging). Rows: `a/account` its zone; `n/account/what` what is so now; `h/account/what/position` what was;
/// `z/account/what` what is nothing now, kept because a refund reopens it. What is `i/invoice`, `credit` or `deposits`.
/// `p/offer` its product line; `s/subscription` what it was sold, by day; `d/invoice` the shares of its product lines,
/// where it has any; `y/entity/currency/day` what was invoiced on a day; `v/entity/currency/day/void` what of it was voided on
/// another day; `t/invoice` what a document counts there with.
pub struct Agings;

const CREDIT: &str = "credit";
const DEPOSITS: &str = "deposits";
/// There is a row once any offer has a product line: before, nobody looks for those of a document's lines.
const CLASSIFIED: &str = "c";

impl Projection for Agings {
    const NAME: &'static str = "receivables/aging";
    const VERSION: u32 = 5;
    const KINDS: &'static [&'static str] = &[
        "account",
        "catalog",
        "invoice",
        "receivable",
        "subscription",
    ];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let account = &recorded.id;
        match &recorded.event {
            Event::Account(accounts::Event::Opened(e)) => own(rows, account, &e.terms),
            Event::Account(accounts::Event::Changed(e)) => own(rows, account, &e.terms),
            Event::Catalog(catalog::Event::OfferClassified(e)) => {
                if !e.product_line.is_empty() {
                    rows.put(CLASSIFIED, &true)?;
                }
                rows.put(&format!("p/{}", e.offer), &e.product_line)
            }
            Event::Subscription(subscriptions::Event::Started(e)) => sold(rows, account, &e.term),
            Event::Subscription(subscriptions::Event::Changed(e)) => sold(rows, account, &e.term),
            Event::Invoice(event) => document(rows, recorded, event),
            Event::Receivable(fact) => receivable(rows, recorded, fact),
            _ => Ok(()),
        }
    }
}

fn own(
    rows: &mut Rows<'_>,
    account: &str,
    terms: &accounts::AccountTerms,
) -> Result<(), ViewError> {
    let owner = Owner {
        zone: terms.zone.clone(),
        currency: terms.currency,
        entity: terms.entity.clone(),
    };
    rows.put(&format!("a/{account}"), &owner)
}

/// A folio has a row of its own from the first fact about it on.
fn folio_row(rows: &mut Rows<'_>, id: &str) -> Result<(), ViewError> {
    let Some((currency, entity)) = folio::parts(id) else {
        return Ok(());
    };
    let key = format!("a/{id}");
    if rows.get::<Owner>(&key)?.is_some() {
        return Ok(());
    }
    let Some(account) = rows.get::<Owner>(&format!("a/{}", folio::owner(id)))? else {
        return Ok(());
    };
    let owner = Owner {
        currency,
        entity: entity.map_or(account.entity, str::to_string),
        zone: account.zone,
    };
    rows.put(&key, &owner)
}

fn sold(
    rows: &mut Rows<'_>,
    subscription: &str,
    term: &subscriptions::Term,
) -> Result<(), ViewError> {
    let key = format!("s/{subscription}");
    let mut terms = rows.get::<Vec<Sold>>(&key)?.unwrap_or_default();
    // A change takes the place of everything that was to follow its day.
    terms.retain(|sold| sold.from < term.from);
    terms.push(Sold {
        from: term.from,
        offer: term.offer.code.clone(),
    });
    rows.put(&key, &terms)
}

/// What a document counts with in what was invoiced.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Counted {
    account: Id,
    /// `entity/currency/day`.
    day: String,
    total: Money,
}

fn add(rows: &mut Rows<'_>, key: &str, amount: Money) -> Result<(), ViewError> {
    let before = rows.get::<Money>(key)?;
    let before = before.unwrap_or(Money::zero(amount.currency));
    rows.put(key, &before.plus(amount))
}

fn document(
    rows: &mut Rows<'_>,
    recorded: &Recorded<Event>,
    event: &Document,
) -> Result<(), ViewError> {
    let invoice = &recorded.id;
    match event {
        // A request is neither sold nor owed.
        Document::Finalised(e) if !e.document.kind.is_booked() => Ok(()),
        Document::Finalised(e) => {
            let of = &e.document;
            let counted = Counted {
                account: of.account.clone(),
                day: format!("{}/{}/{}", of.entity, of.currency, e.issued),
                total: of.total,
            };
            add(rows, &format!("y/{}", counted.day), of.total)?;
            rows.add(&format!("t/{invoice}"), &counted)?;
            if !of.total.is_positive() {
                return Ok(());
            }
            if rows.get::<bool>(CLASSIFIED)?.is_none() {
                return Ok(());
            }
            let mut lines = BTreeMap::new();
            for line in &of.lines {
                lines.insert(line.no, product_line(rows, line)?);
            }
            if lines.values().all(String::is_empty) {
                return Ok(());
            }
            let named = shares(of, |line| lines.get(&line.no).cloned().unwrap_or_default());
            let named = named.map_err(|refused| ViewError::row(Agings::NAME, refused))?;
            rows.put(&format!("d/{invoice}"), &named)
        }
        // A void document was not sold after all, on the day of its issue: so it looks from the day of the void on.
        Document::Voided(_) => {
            let Some(counted) = rows.get::<Counted>(&format!("t/{invoice}"))? else {
                return Ok(());
            };
            let owner = rows.get::<Owner>(&format!("a/{}", counted.account))?;
            let zone = owner.map(|owner| owner.zone).unwrap_or_default();
            let void = zone.date(recorded.meta.recorded_at);
            add(rows, &format!("v/{}/{void}", counted.day), counted.total)
        }
        Document::Drafted(_)
        | Document::TaxStated(_)
        | Document::CreditNoted(_)
        | Document::Held(_)
        | Document::Released(_)
        | Document::Rejected(_) => Ok(()),
    }
}

fn product_line(
    rows: &mut Rows<'_>,
    line: &indelible_domain::invoices::Line,
) -> Result<String, ViewError> {
    let Some(subscription) = &line.subscription else {
        return Ok(String::new());
    };
    let terms = rows.get::<Vec<Sold>>(&format!("s/{subscription}"))?;
    let (terms, at) = (terms.unwrap_or_default(), served_from(line));
    let then = terms.iter().rev().find(|sold| Some(sold.from) <= at);
    match then.or(terms.first()) {
        Some(sold) => Ok(rows
            .get::<String>(&format!("p/{}", sold.offer))?
            .unwrap_or_default()),
        None => Ok(String::new()),
    }
}

fn receivable(
    rows: &mut Rows<'_>,
    recorded: &Recorded<Event>,
    fact: &Fact,
) -> Result<(), ViewError> {
    folio_row(rows, &recorded.id)?;
    match fact {
        Fact::ItemOpened(e) => {
            let days = (e.issued, e.due);
            return opened(
                rows,
                recorded,
                Item::opened(e.invoice.clone(), &e.number, days, e.total),
            );
        }
        Fact::ClaimOpened(e) => {
            let named = rows.get::<Vec<(String, Money)>>(&format!("d/{}", e.invoice))?;
            if let Some(named) = named {
                rows.put(&format!("d/{}", e.claim), &named)?;
            }
            let days = (e.issued, e.due);
            return opened(
                rows,
                recorded,
                Item::opened(e.claim.clone(), &e.number, days, e.total),
            );
        }
        Fact::Disputed(e) => change(rows, recorded, &e.invoice, |item, _| {
            item.disputes.push(Dispute {
                id: e.dispute.clone(),
                amount: e.amount,
                reason: String::new(),
            });
        })?,
        Fact::DisputeEnded(e) => change(rows, recorded, &e.invoice, |item, _| {
            item.disputes.retain(|dispute| dispute.id != e.dispute);
        })?,
        Fact::PlanAgreed(e) => {
            let mut invoices = Vec::new();
            for planned in &e.planned {
                invoices.push(planned.invoice.clone());
                change(rows, recorded, &planned.invoice, |item, grace| {
                    item.plan = Some(e.plan.clone());
                    item.instalments.clone_from(&planned.instalments);
                    *grace = e.grace_days;
                })?;
            }
            rows.put(&format!("g/{}/{}", recorded.id, e.plan), &invoices)?;
        }
        Fact::PlanEnded(e) => {
            let key = format!("g/{}/{}", recorded.id, e.plan);
            for invoice in rows.get::<Vec<Id>>(&key)?.unwrap_or_default() {
                change(rows, recorded, &invoice, |item, grace| {
                    item.plan = None;
                    item.instalments.clear();
                    *grace = 0;
                })?;
            }
        }
        Fact::DepositTaken(e) => deposits(rows, recorded, e.amount)?,
        Fact::DepositReleased(e) => deposits(rows, recorded, e.amount.negated())?,
        _ => {}
    }
    let effects = effects(fact);
    for (invoice, by) in effects.open {
        change(rows, recorded, &invoice, |item, _| {
            item.open = item.open.plus(by);
        })?;
    }
    match effects.unapplied {
        Some(by) if !by.is_zero() => turn(rows, recorded, CREDIT, |before| match before {
            Some(What::Credit(amount)) => Some(What::Credit(amount.plus(by))),
            _ => Some(What::Credit(by)),
        }),
        _ => Ok(()),
    }
}

fn opened(rows: &mut Rows<'_>, recorded: &Recorded<Event>, item: Item) -> Result<(), ViewError> {
    // An item is opened once: nothing was so before.
    let key = format!("n/{}/i/{}", recorded.id, item.invoice);
    let now = Stretch {
        what: What::Item {
            item: Box::new(item),
            grace: 0,
        },
        from: recorded.meta.recorded_at,
        position: recorded.position,
        until: None,
    };
    rows.add(&key, &now)
}

fn change(
    rows: &mut Rows<'_>,
    recorded: &Recorded<Event>,
    invoice: &str,
    change: impl FnOnce(&mut Item, &mut u32),
) -> Result<(), ViewError> {
    turn(rows, recorded, &format!("i/{invoice}"), |before| {
        let mut now = before?;
        if let What::Item { item, grace } = &mut now {
            change(item, grace);
        }
        Some(now)
    })
}

fn deposits(rows: &mut Rows<'_>, recorded: &Recorded<Event>, by: Money) -> Result<(), ViewError> {
    turn(rows, recorded, DEPOSITS, |before| match before {
        Some(What::Deposits(amount)) => Some(What::Deposits(amount.plus(by))),
        _ => Some(What::Deposits(by)),
    })
}

/// Closes what was so and opens what is so now.
fn turn(
    rows: &mut Rows<'_>,
    recorded: &Recorded<Event>,
    what: &str,
    to: impl FnOnce(Option<What>) -> Option<What>,
) -> Result<(), ViewError> {
    let (account, at) = (&recorded.id, recorded.meta.recorded_at);
    let now_key = format!("n/{account}/{what}");
    let nothing_key = format!("z/{account}/{what}");
    let before = match rows.get::<Stretch>(&now_key)? {
        None => rows.get::<Stretch>(&nothing_key)?,
        found => found,
    };
    let Some(now) = to(before.as_ref().map(|before| before.what.clone())) else {
        return Ok(());
    };
    // Nobody can ask for a time within the instant of one commit.
    if let Some(mut before) = before.filter(|b| b.from < at && !b.what.is_nothing()) {
        let key = format!("h/{account}/{what}/{:020}", before.position);
        before.until = Some(at);
        rows.put(&key, &before)?;
    }
    let (key, other) = match now.is_nothing() {
        true => (nothing_key, now_key),
        false => (now_key, nothing_key),
    };
    let now = Stretch {
        what: now,
        from: at,
        position: recorded.position,
        until: None,
    };
    rows.remove(&other)?;
    rows.put(&key, &now)
}
