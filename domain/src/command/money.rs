//! What is said of money: paid, received, or to be collected.

use crate::kernel::{Date, Decimal, Id, Money};
use crate::methods::Means;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordPayment {
    pub payment: Id,
    pub account: Id,
    pub amount: Money,
    /// Applied to this invoice; none: oldest due date first (policy 26).
    pub invoice: Option<Id>,
    /// card, direct-debit, transfer, cash, …
    pub method: String,
    /// True: asked of a provider, money not here yet. False: received.
    pub pending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// May succeed when tried again.
    Soft,
    /// Will not.
    Hard,
}

/// A way in which an account pays; what names a bank account is sealed at the edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddMethod {
    pub account: Id,
    pub method: Id,
    pub means: Means,
    /// Tried before the others; else after them.
    pub preferred: bool,
}

/// Money that is to be collected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collect {
    pub collection: Id,
    pub account: Id,
    /// None: everything that is due by today.
    pub invoice: Option<Id>,
    /// None: the first that a provider can be asked by.
    pub method: Option<Id>,
}

/// Money that came in for a legal entity, as a bank or a cashier tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiveCash {
    /// The id its payment gets; the same money must always come with the same one.
    pub payment: Id,
    /// Whose bank account or till it came to.
    pub entity: Id,
    /// None: it is looked for.
    pub account: Option<Id>,
    pub amount: Money,
    /// The day the bank counts it from.
    pub value_date: Date,
    /// What the payer wrote; only words that can be numbers are stored.
    pub reference: String,
    /// Keyed hash of the payer's bank account.
    pub payer: Option<String>,
    /// transfer, cash, …
    pub method: String,
}

/// What money in another currency is worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// Units of the account's currency for one unit of the paid one, on the value date.
    pub rate: Decimal,
    /// What it settles in the account's currency; none: what it is worth. The difference is a gain or a loss.
    pub settles: Option<Money>,
}
