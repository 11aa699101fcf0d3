//! What a scenario file says, as types: the setting (price lists, legal entities, tax, dunning), then the steps in order.
//!
//! Names (`alice`, `s1`, `p1`, `w1`) are the file's own; the runner maps them to the ids of the log.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use indelible_domain::command::{Command, GrantWallet};
use indelible_domain::messages::Channel;
use indelible_domain::wallets::{Rule, Terms};
use rust_decimal::Decimal;

pub use super::reratings::{Differs, Rerate};

/// One file: one story on an empty ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    pub id: String,
    pub title: String,
    pub source: Option<String>,
    pub notes: Vec<String>,
    /// Why a figure is not that of the source, or the story is told another way.
    pub adapted: Vec<String>,
    pub catalogs: Vec<Catalog>,
    /// Empty when the file names none; the runner then uses [`Entity::default`].
    pub entities: Vec<Entity>,
    pub taxes: Vec<Tax>,
    pub dunning: Vec<Dunning>,
    pub steps: Vec<Step>,
}

/// Where the offers come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Catalog {
    /// A TOML file, relative to the scenario file.
    File { line: usize, path: String },
    /// TOML written in the scenario itself.
    Inline { line: usize, text: String },
}

/// The legal entity that sells.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    pub line: usize,
    pub name: String,
    pub currency: String,
    pub zone: String,
    pub country: String,
    /// Days from the issue date to the due date.
    pub terms: u32,
    pub rounding: Rounding,
}

impl Default for Entity {
    fn default() -> Self {
        Entity {
            line: 0,
            name: "main".to_owned(),
            currency: "USD".to_owned(),
            zone: "UTC".to_owned(),
            country: "US".to_owned(),
            terms: 0,
            rounding: Rounding::HalfUp,
        }
    }
}

/// How a line is rounded to the minor unit (policy 1). `HalfUp` is half away from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    HalfUp,
    HalfEven,
    Up,
    Down,
}

/// One row of the tax table: what a tax class of a charge costs, from a date on.
#[derive(Debug, Clone, PartialEq)]
pub struct Tax {
    pub line: usize,
    pub class: String,
    /// 0.20 is 20 %.
    pub rate: Decimal,
    pub from: NaiveDate,
    pub category: Option<String>,
    pub seller: Option<String>,
    pub buyer: Option<String>,
    pub name: Option<String>,
    /// Of a composite tax: names and rates.
    pub parts: Vec<(String, Decimal)>,
}

/// A dunning policy: levels in ascending order of severity.
#[derive(Debug, Clone, PartialEq)]
pub struct Dunning {
    pub line: usize,
    pub name: String,
    pub levels: Vec<Level>,
}

/// One dunning level. It is reached `after_days` after the due date (policy 29).
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    pub line: usize,
    pub name: String,
    pub after_days: u32,
    /// Least overdue amount, in the account's currency.
    pub minimum: Option<Decimal>,
    pub remind: bool,
    pub fee: Option<Decimal>,
    pub suspend: bool,
    pub write_off: bool,
}

/// One thing that happens or is expected, with the line it stands on.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub line: usize,
    /// The step as written, without its comment: what a difference report quotes.
    pub text: String,
    pub kind: Kind,
}

/// When a day is named, the step takes effect on that business date; otherwise on the clock's.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// The clock moves to this local time in the zone of the first entity.
    On(NaiveDateTime),
    Account(Account),
    Subscribe(Subscribe),
    Change(Change),
    /// The version of its offer that is sold on the day.
    Migrate {
        subscription: String,
        effective: Effective,
    },
    Retire {
        offer: String,
    },
    /// An ad hoc charge of the offer.
    Order {
        subscription: String,
        code: String,
        quantity: Decimal,
        amount: Option<Decimal>,
    },
    Contract(Contract),
    Pause {
        subscription: String,
        from: Option<NaiveDate>,
        reason: Option<String>,
    },
    Resume {
        subscription: String,
        on: Option<NaiveDate>,
        reason: Option<String>,
    },
    Terminate {
        subscription: String,
        effective: Effective,
        unused: Unused,
        /// Recurring charges go on up to this day.
        charge_until: Option<NaiveDate>,
    },
    /// Something of a subscription's life that needs nothing of the story to be asked.
    Life(Box<indelible_domain::Command>),
    Usage(Usage),
    Charge {
        account: String,
        amount: Decimal,
        text: String,
        class: Option<String>,
        on: Option<NaiveDate>,
    },
    Wallet {
        name: String,
        account: String,
        terms: Box<Terms>,
    },
    /// Units put into a wallet.
    Grant(Box<GrantWallet>),
    /// Units taken out of a wallet; none: all.
    TakeOut {
        wallet: String,
        units: Option<indelible_domain::kernel::Decimal>,
        grant: Option<String>,
    },
    /// A step that is a command as it stands.
    Ordered(Box<Command>),
    /// An automatic top-up is agreed.
    Refill {
        wallet: String,
        rule: Box<Rule>,
    },
    TopUp {
        wallet: String,
        amount: Decimal,
    },
    Credit {
        account: String,
        amount: Decimal,
    },
    Pay {
        payment: String,
        account: String,
        amount: Decimal,
        invoice: Option<usize>,
        pending: bool,
    },
    Settle {
        payment: String,
    },
    Fail {
        payment: String,
        hard: bool,
        reason: String,
    },
    Refund {
        payment: String,
        amount: Decimal,
    },
    Chargeback {
        payment: String,
        amount: Option<Decimal>,
    },
    ReverseChargeback {
        payment: String,
        amount: Option<Decimal>,
    },
    /// `amount` is net, for part of a line.
    Adjust {
        account: String,
        invoice: usize,
        item: usize,
        amount: Decimal,
    },
    Void {
        account: String,
        invoice: usize,
    },
    WriteOff {
        account: String,
        invoice: usize,
    },
    /// `write-off` taken back.
    OwedAgain {
        account: String,
        invoice: usize,
    },
    /// Everybody when no account is named; as of the clock's day unless another is.
    Bill {
        accounts: Vec<String>,
        as_of: Option<NaiveDate>,
    },
    Draft {
        account: String,
    },
    Finalise {
        account: String,
    },
    /// Everything due, and with `usage` what was used of running periods, invoiced at once.
    InvoiceNow {
        account: String,
        usage: bool,
    },
    /// Money asked for before the supply.
    Advance(Box<Advance>),
    /// A requested advance, whether or not it is paid.
    InvoiceAdvance {
        advance: String,
    },
    /// What a person says of a draft.
    Reviewed {
        account: String,
        invoice: usize,
        verdict: Reviewed,
    },
    /// The past is rated again, or would be.
    Rerate(Box<Rerate>),
    UndoRerating {
        rerating: String,
    },
    Refused {
        code: String,
        step: Box<Kind>,
    },
    Expect(Expect),
}

/// What is asked for before the supply.
#[derive(Debug, Clone, PartialEq)]
pub struct Advance {
    pub name: String,
    /// An account or one of its folios.
    pub account: String,
    /// (tax class, amount without tax).
    pub lines: Vec<(String, Decimal)>,
    pub subscription: Option<String>,
    pub order: Option<String>,
    pub once_paid: bool,
    /// By a document that is no invoice.
    pub requested: bool,
}

/// What a person says of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reviewed {
    Hold,
    Release,
    Reject,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    pub name: String,
    pub entity: Option<String>,
    pub currency: Option<String>,
    pub billing_day: Option<u32>,
    pub zone: Option<String>,
    pub terms: Option<u32>,
    /// The account that pays for this one.
    pub parent: Option<String>,
    pub country: Option<String>,
    pub tax_category: Option<String>,
    pub dunning: Option<String>,
    /// Customer group.
    pub group: Option<String>,
    pub language: Option<String>,
    /// `email`, `letter`, `sms` or `push`.
    pub channel: Option<Channel>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscribe {
    pub subscription: String,
    pub account: String,
    pub offer: String,
    pub quantity: Option<Decimal>,
    pub from: Option<NaiveDate>,
    pub billing_day: Option<u32>,
    /// (charge code, price) instead of the catalog's.
    pub overrides: Vec<(String, Decimal)>,
    /// What usage records name the subscription by.
    pub access: Vec<String>,
    pub no_trial: bool,
    pub billed_from: Option<NaiveDate>,
    pub awaits_activation: bool,
    /// (option, quantity).
    pub options: Vec<(String, Decimal)>,
    pub contract: Option<String>,
}

/// Prices for an account for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    pub contract: String,
    pub account: String,
    pub from: NaiveDate,
    pub until: Option<NaiveDate>,
    pub terms: Vec<ContractTerm>,
}

/// `OFFER percent P`, or `OFFER CHARGE price P`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractTerm {
    pub offer: String,
    pub charge: Option<String>,
    pub price: Option<Decimal>,
    pub percent: Option<Decimal>,
}

/// An option that comes, and the one whose place it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub option: String,
    pub quantity: Decimal,
    pub replaces: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub subscription: String,
    pub to: Option<String>,
    pub effective: Effective,
    pub unused: Unused,
    pub quantity: Option<Decimal>,
    pub billing_day: Option<u32>,
    pub overrides: Vec<(String, Decimal)>,
    pub add: Vec<Added>,
    pub remove: Vec<String>,
}

/// When a change takes effect (policy 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effective {
    Now,
    On(NaiveDate),
    AtPeriodEnd,
}

/// What happens to the part that was billed and is no longer wanted (policy 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unused {
    Prorata,
    Full,
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    pub subscription: String,
    pub metric: String,
    pub quantity: Decimal,
    /// Local to the account's zone; the clock when absent.
    pub at: Option<NaiveDateTime>,
    /// Made up by the runner when absent.
    pub key: Option<String>,
    /// For records that carry their own amount of money.
    pub amount: Option<Decimal>,
    pub attributes: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Expect {
    Invoice(Invoice),
    NoInvoice {
        account: String,
    },
    /// A credit note made by `adjust`; `number` counts the account's credit notes from 1, without it the newest.
    CreditNote {
        account: String,
        number: Option<usize>,
        total: Decimal,
        tax: Option<Decimal>,
        accounting_tax: Option<Decimal>,
    },
    /// What is left of an advance, and of its tax.
    Advance {
        advance: String,
        net: Decimal,
        tax: Option<Decimal>,
    },
    Balance {
        account: String,
        amount: Decimal,
    },
    Credit {
        account: String,
        amount: Decimal,
    },
    Wallet {
        wallet: String,
        what: Stock,
        amount: Decimal,
    },
    /// What is left of a counter today.
    Counter {
        subscription: String,
        counter: String,
        left: Decimal,
    },
    /// Whether so much may be used, and how much of it is free.
    Entitled {
        subscription: String,
        class: String,
        quantity: Decimal,
        free: Option<Decimal>,
        /// Absent where it may.
        refused: Option<String>,
    },
    /// `level` is absent for `clear`.
    Dunning {
        account: String,
        level: Option<String>,
    },
    Subscription {
        subscription: String,
        state: SubscriptionState,
    },
    /// (counter, value), the counters of policy 14.
    Usage {
        counts: Vec<(Counter, u64)>,
    },
    /// What a rerating made different, or would; or its undoing.
    Rerated {
        rerating: String,
        differences: Vec<Differs>,
    },
    Mrr {
        currency: String,
        amount: Decimal,
        on: Option<NaiveDate>,
    },
}

/// Which figure of a wallet is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stock {
    /// In its currency.
    Money,
    /// In its own unit.
    Units,
    /// In its currency, once everything held, due and used up to now is paid.
    Expected,
    /// The amount of invoices of top-ups that are not paid.
    Asked,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Invoice {
    pub account: String,
    /// Counts the account's billed documents from 1; without it the newest.
    pub number: Option<usize>,
    pub total: Option<Decimal>,
    pub tax: Option<Decimal>,
    /// Its tax in the currency of its legal entity, where that is another one.
    pub accounting_tax: Option<Decimal>,
    pub balance: Option<Decimal>,
    pub state: Option<InvoiceState>,
    pub currency: Option<String>,
    /// Code of its kind.
    pub kind: Option<String>,
    /// As it was given.
    pub numbered: Option<String>,
    /// The legal entity that it is of.
    pub seller: Option<String>,
    /// Compared as a multiset when there is at least one.
    pub lines: Vec<Line>,
    /// What is shown of it, in its order; compared when there is at least one.
    pub shown: Vec<ShownLine>,
}

/// An expected line as a reader is shown it.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownLine {
    pub text: String,
    pub amount: Decimal,
    pub quantity: Option<String>,
}

/// One expected invoice line: net amount over `[from, until)`, or on one day when `until` is absent; on no day at all where it
/// takes off an advance ([`Line::NO_DAY`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub from: NaiveDate,
    pub until: Option<NaiveDate>,
    pub amount: Decimal,
}

impl Line {
    /// Stands for the day of a line that has none.
    pub const NO_DAY: NaiveDate = NaiveDate::MIN;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceState {
    Draft,
    Open,
    PartlyPaid,
    Paid,
    Void,
    WrittenOff,
    /// A request for an advance: nothing is owed by it.
    Requested,
    Credited,
    Rejected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    Pending,
    Active,
    Paused,
    Terminated,
    Cancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    Received,
    Accepted,
    Duplicates,
    Conflicts,
    Unreadable,
    Rated,
    Pending,
    Rejected,
    Superseded,
}

/// Midnight at the start of a day.
pub(super) fn midnight(date: NaiveDate) -> NaiveDateTime {
    date.and_time(NaiveTime::MIN)
}
