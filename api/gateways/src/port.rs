//! What every payment provider can be asked. What it can answer is the domain's ([`Answer`]), because the log keeps it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use indelible_domain::kernel::{Date, Money};

pub use indelible_domain::payments::{Answer, Decline};

/// One collection, asked for by a payment that is already in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Names this attempt for ever: the same key asked again is the same attempt, never a second one.
    /// `<tenant>/<payment>`, see [`key`].
    pub key: String,
    pub tenant: String,
    /// The payment in the ledger.
    pub payment: String,
    pub account: String,
    pub amount: Money,
    /// What the provider knows the payer's method by: a card token, a mandate's reference. Never a card number.
    pub token: String,
    /// What the provider knows the payer by, where it wants to know (Stripe: `customer`).
    pub customer: Option<String>,
    /// Shown to the payer, e.g. the numbers of the invoices.
    pub text: String,
    /// The day on which the money should move.
    pub on: Date,
}

/// Money to be given back.
#[derive(Clone, Debug, PartialEq)]
pub struct Return {
    /// Names this return for ever, like [`Ask::key`]: `<tenant>/<payment>/r<number>`.
    pub key: String,
    pub tenant: String,
    /// The payment whose money it is.
    pub payment: String,
    /// What the provider called the collection.
    pub reference: String,
    pub amount: Money,
    pub reason: String,
    /// The day on which it was asked for.
    pub on: Date,
}

/// The key of a payment's collection; with a number, of that return of its money.
pub fn key(tenant: &str, payment: &str, back: Option<u32>) -> String {
    match back {
        None => format!("{tenant}/{payment}"),
        Some(number) => format!("{tenant}/{payment}/r{number}"),
    }
}

/// What a look-up says.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    As(Answer),
    /// The provider never saw it: asking with the same key is safe.
    NeverArrived,
    /// The provider cannot be reached, or does not know yet.
    NotYet {
        why: String,
    },
}

/// A payment provider. Calls block; the caller has a thread for them.
pub trait Gateway: Send + Sync {
    /// What payment methods name it by: `test`, `stripe`, `direct-debit`.
    fn name(&self) -> &str;

    /// Asks for money. The same [`Ask::key`] asked twice moves it once.
    fn collect(&self, ask: &Ask) -> Answer;

    /// What became of an ask whose answer was lost; `reference` if the provider has named it.
    fn look_up(&self, key: &str, reference: Option<&str>) -> Known;

    /// Gives money back. The same [`Return::key`] asked twice gives it back once.
    fn give_back(&self, back: &Return) -> Answer;

    /// What became of a return whose answer was lost; `reference` if the provider has named the return.
    fn look_up_return(&self, back: &Return, reference: Option<&str>) -> Known;
}

/// The providers that are at hand, by name.
#[derive(Clone, Default)]
pub struct Gateways(BTreeMap<String, Arc<dyn Gateway>>);

impl Gateways {
    /// Adds a provider; one of the same name is replaced.
    pub fn with(mut self, gateway: Arc<dyn Gateway>) -> Gateways {
        self.0.insert(gateway.name().to_owned(), gateway);
        self
    }

    pub fn named(&self, name: &str) -> Option<&Arc<dyn Gateway>> {
        self.0.get(name)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for Gateways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
