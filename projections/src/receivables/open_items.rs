//! What is to be paid: finalised invoices with something open, oldest due date first.

use indelible_domain::kernel::{Date, Id, Money};
use indelible_domain::receivables::Event as Fact;
use indelible_domain::{Event, Recorded};
use serde::{Deserialize, Serialize};

use super::effects;
use crate::{Page, Projection, Rows, Snapshot, ViewError};

/// An invoice above zero, paid or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenItem {
    pub account: Id,
    pub invoice: Id,
    pub number: String,
    pub issued: Date,
    pub due: Date,
    pub total: Money,
    pub open: Money,
    pub written_off: Money,
    /// The payment asked of a provider that has not come yet.
    pub pending: Option<Id>,
}

/// See [`OpenItem`]. Rows: `i/account/invoice` every item; `o/account/due/number` the invoice ids of open ones;
/// `p/payment` the invoices a pending payment is for.
pub struct OpenItems;

fn item_key(account: &str, invoice: &str) -> String {
    format!("i/{account}/{invoice}")
}

fn open_key(item: &OpenItem) -> String {
    format!("o/{}/{}/{}", item.account, item.due, item.number)
}

impl Projection for OpenItems {
    const NAME: &'static str = "receivables/open_items";
    const VERSION: u32 = 1;
    const KINDS: &'static [&'static str] = &["receivable"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let Event::Receivable(fact) = &recorded.event else {
            return Ok(());
        };
        let account = &recorded.id;
        match fact {
            Fact::ItemOpened(e) => {
                let none = Money::zero(e.total.currency);
                let item = OpenItem {
                    account: account.clone(),
                    invoice: e.invoice.clone(),
                    number: e.number.clone(),
                    issued: e.issued,
                    due: e.due,
                    total: e.total,
                    open: none,
                    written_off: none,
                    pending: None,
                };
                rows.add(&item_key(account, &e.invoice), &item)?;
            }
            Fact::ClaimOpened(e) => {
                let none = Money::zero(e.total.currency);
                let item = OpenItem {
                    account: account.clone(),
                    invoice: e.claim.clone(),
                    number: e.number.clone(),
                    issued: e.issued,
                    due: e.due,
                    total: e.total,
                    open: none,
                    written_off: none,
                    pending: None,
                };
                rows.put(&item_key(account, &e.invoice), &item)?;
            }
            Fact::PaymentExpected(e) => {
                rows.put(&format!("p/{}", e.payment), &e.invoices)?;
                for invoice in &e.invoices {
                    set_pending(rows, account, invoice, Some(&e.payment))?;
                }
            }
            Fact::PaymentDropped(e) => release(rows, account, &e.payment)?,
            Fact::PaymentApplied(e) => release(rows, account, &e.payment)?,
            _ => {}
        }
        for (invoice, by) in effects(fact).open {
            let key = item_key(account, &invoice);
            let Some(mut item) = rows.get::<OpenItem>(&key)? else {
                continue;
            };
            item.open = item.open.plus(by);
            match fact {
                Fact::WrittenOff(_) | Fact::WriteOffReversed(_) => {
                    item.written_off = item.written_off.minus(by);
                }
                _ => {}
            }
            match item.open.is_positive() {
                true if matches!(fact, Fact::ItemOpened(_)) => {
                    rows.add(&open_key(&item), &item.invoice)?;
                }
                true => rows.put(&open_key(&item), &item.invoice)?,
                false => rows.remove(&open_key(&item))?,
            }
            rows.put(&key, &item)?;
        }
        match fact {
            Fact::ItemVoided(e) => rows.remove(&item_key(account, &e.invoice))?,
            Fact::ClaimEnded(e) => rows.remove(&item_key(account, &e.claim))?,
            _ => {}
        }
        Ok(())
    }
}

fn release(rows: &mut Rows<'_>, account: &str, payment: &str) -> Result<(), ViewError> {
    let key = format!("p/{payment}");
    for invoice in rows.get::<Vec<Id>>(&key)?.unwrap_or_default() {
        set_pending(rows, account, &invoice, None)?;
    }
    rows.remove(&key)
}

fn set_pending(
    rows: &mut Rows<'_>,
    account: &str,
    invoice: &str,
    payment: Option<&str>,
) -> Result<(), ViewError> {
    rows.change(&item_key(account, invoice), |item: &mut OpenItem| {
        item.pending = payment.map(str::to_string);
    })
}

/// One item, open or not; none for drafts, credit notes and void invoices.
pub fn get(
    snapshot: &Snapshot<'_>,
    account: &str,
    invoice: &str,
) -> Result<Option<OpenItem>, ViewError> {
    snapshot.get::<OpenItems, _>(&item_key(account, invoice))
}

/// Items with something open: of one account by due date, or of all, by account.
pub fn page(
    snapshot: &Snapshot<'_>,
    account: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<OpenItem>, ViewError> {
    let prefix = account.map_or("o/".to_string(), |account| format!("o/{account}/"));
    let found = snapshot.page::<OpenItems, Id>(&prefix, after, limit)?;
    let mut rows = Vec::with_capacity(found.rows.len());
    for (key, invoice) in found.rows {
        let owner = account.or(key.split('/').next()).unwrap_or_default();
        if let Some(item) = get(snapshot, owner, &invoice)? {
            rows.push((key, item));
        }
    }
    Ok(Page {
        rows,
        more: found.more,
    })
}
