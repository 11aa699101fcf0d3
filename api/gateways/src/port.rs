//! What every payment provider can be asked, and what it can answer.

use indelible_domain::command::FailureKind;
use indelible_domain::kernel::{Date, Money};

/// One collection, asked for by a payment that is already in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Names this attempt for ever: the same key asked again is the same attempt, never a second one.
    pub key: String,
    /// The payment in the ledger.
    pub payment: String,
    pub amount: Money,
    /// What the provider knows the payer's method by: a card token, a mandate. Never a card number.
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
    /// Names this return for ever, like [`Ask::key`].
    pub key: String,
    /// What the provider called the collection.
    pub reference: String,
    pub amount: Money,
    pub reason: String,
}

/// Why a provider refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decline {
    pub kind: FailureKind,
    /// The provider's own code, e.g. `insufficient_funds`, `AM04`.
    pub code: String,
    pub reason: String,
}

/// What a provider says when it is asked to move money.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The money is ours.
    Settled { reference: String },
    /// It was taken on and will be answered later: by a webhook, a file, or when asked.
    Pending { reference: String },
    /// The payer must do something first, e.g. 3-D Secure at `url`.
    ActionRequired {
        reference: String,
        url: Option<String>,
    },
    Declined {
        /// None if the provider made no record of it.
        reference: Option<String>,
        decline: Decline,
    },
    /// Nobody knows whether it arrived: it is to be looked up, never asked again under another key.
    Unknown { why: String },
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
}
