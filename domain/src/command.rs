//! Everything that can be asked of the ledger. GraphQL, the command line, scenarios and the demo all speak this.

mod bank;
mod levels;
mod money;
mod outcome;
mod subscriptions;

pub use self::bank::{ImportStatement, ImportStatusReport, ReceivedEntry, ReceivedPart};
pub use self::levels::{DunningAction, DunningLevel};
pub use self::money::{AddMethod, Collect, Exchange, FailureKind, ReceiveCash, RecordPayment};
pub use self::outcome::{Outcome, UsageCounts};
pub use self::subscriptions::{
    Beginning, ChangeSubscription, ChangeWithOptions, Choice, Effective, EndSubscription, EndWhen,
    OrderOneOff, Rest, StartSubscription, StartWithOptions, TransferSubscription,
};

use crate::accounts::{AccountTerms, Buyer};
use crate::advances;
use crate::bank::{FeeRule, Terms};
use crate::cash::Rules;
use crate::catalog::{self, Offer};
use crate::collections;
use crate::commitments::Agreed;
use crate::contracts::Agreement;
use crate::discounts::DiscountTerms;
use crate::drafts;
use crate::dunning;
use crate::entities::{Closing, EntityTerms, Retention};
use crate::fields;
use crate::invoices::Shown;
use crate::invoicing;
use crate::kernel::{Currency, Date, Decimal, Id, Money, Personal, Purpose, Zone};
use crate::mediation::Intake;
use crate::messages;
use crate::methods::{MandateTerm, Means};
use crate::milestones;
use crate::payments;
use crate::receivables::{Instalment, RestOn, Source};
use crate::reratings;
use crate::reservations;
use crate::subscriptions::{Plan, TenureTerms, Unused};
use crate::taxes::{Exemption, Rate};
use crate::wallets;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    OpenEntity {
        entity: Id,
        terms: EntityTerms,
    },
    ChangeEntity {
        entity: Id,
        terms: EntityTerms,
    },
    /// For how long its legal documents are kept.
    SetRetention {
        entity: Id,
        rule: Retention,
    },
    /// Closes the books of an entity for every day before the first open one.
    ClosePeriod {
        entity: Id,
        closing: Closing,
    },
    ReopenPeriod {
        entity: Id,
        open_from: Date,
        reason: String,
    },
    SetTaxRate(Rate),
    ExemptFromTax {
        account: Id,
        exemption: Exemption,
    },
    /// `class` none: the exemption for all charges. `on` none: today.
    EndTaxExemption {
        account: Id,
        class: Option<String>,
        on: Option<Date>,
    },
    DefineDiscount {
        discount: Id,
        terms: Box<DiscountTerms>,
    },
    WithdrawDiscount {
        discount: Id,
        reason: String,
    },
    RedeemDiscount(Box<RedeemDiscount>),
    EndRedemption {
        account: Id,
        redemption: Id,
        on: Option<Date>,
    },
    AgreeCommitment {
        account: Id,
        agreed: Box<Agreed>,
    },
    EndCommitment {
        account: Id,
        commitment: Id,
        on: Option<Date>,
    },
    /// Publishes every offer that is new or differs from its newest version.
    ApplyCatalog {
        offers: Vec<Offer>,
    },
    /// The same for a whole catalog file: offers and price lists.
    PublishCatalog(Box<catalog::File>),
    /// Works on a draft of the catalog, or publishes it as a whole.
    EditCatalogDraft {
        draft: Id,
        edit: drafts::Command,
    },
    /// Nobody new can subscribe to the offer; `from` none: today, in UTC.
    RetireOffer {
        offer: String,
        from: Option<Date>,
    },
    /// The offer is sold again.
    ReopenOffer {
        offer: String,
    },
    /// Takes an offer that nobody ever had out of the catalog.
    DeleteOffer {
        offer: String,
    },
    /// Agrees on prices for an account and those it pays for, or on other ones under the same id.
    DefineContract {
        contract: Id,
        agreement: Box<Agreement>,
    },
    /// `on` none: today.
    EndContract {
        contract: Id,
        on: Option<Date>,
    },
    /// Puts an offer into a product line, for reports and dunning; none: takes it out.
    ClassifyOffer {
        offer: String,
        product_line: Option<String>,
    },

    /// Defines a custom field, or changes its words, limits and defaults.
    DefineField(Box<fields::Definition>),
    /// Takes a custom field off the list, if no offer on sale reads it.
    WithdrawField {
        code: String,
    },
    /// Gives a custom field of something a value on some days.
    SetField {
        place: fields::Place,
        field: String,
        period: fields::Period,
    },
    /// Takes back the value with this first day and priority.
    ClearField {
        place: fields::Place,
        field: String,
        from: Option<Date>,
        priority: i32,
    },

    OpenAccount {
        account: Id,
        terms: AccountTerms,
    },
    /// Another time zone in the terms is in force from today on.
    ChangeAccount {
        account: Id,
        terms: AccountTerms,
    },
    /// Another time zone from a day on, past or coming; none: from today on. Zones that were to follow later do not.
    SetEntityZone {
        entity: Id,
        zone: Zone,
        from: Option<Date>,
    },
    /// The same of an account.
    SetAccountZone {
        account: Id,
        zone: Zone,
        from: Option<Date>,
    },
    ForgetAccount(Box<ForgetAccount>),

    StartSubscription(Box<StartSubscription>),
    ChangeSubscription(Box<ChangeSubscription>),
    StartWithOptions(Box<StartWithOptions>),
    ChangeWithOptions(Box<ChangeWithOptions>),
    /// Gives a subscription the version of its offer that is sold on the day.
    MigrateSubscription {
        subscription: Id,
        effective: Effective,
        unused: Unused,
    },
    /// The same for everybody who has a version of an offer; none: any older one. Repeat until `Outcome::left` is 0.
    MigrateSubscriptions {
        offer: String,
        version: Option<u32>,
        effective: Effective,
        unused: Unused,
    },
    /// Does what the grandfathering date of a newer version asks for; a late or repeated call does the same.
    MoveSubscription {
        subscription: Id,
    },
    /// Charges an ad hoc one-off charge of the offer.
    OrderOneOff(Box<OrderOneOff>),
    /// `from` none: today. Paused while any reason holds.
    PauseSubscription {
        subscription: Id,
        reason: String,
        from: Option<Date>,
    },
    ResumeSubscription {
        subscription: Id,
        reason: String,
        on: Option<Date>,
    },
    TerminateSubscription {
        subscription: Id,
        effective: Effective,
        unused: Unused,
    },

    /// Ends a subscription with all that its end asks for.
    EndSubscription(Box<EndSubscription>),
    /// Takes a subscription back before it begins.
    CancelSubscription {
        subscription: Id,
        reason: String,
    },
    /// Takes an end back, planned or past; the days between it and `on` stay uncharged. `on` none: today, or the end if that
    /// lies ahead.
    ReactivateSubscription {
        subscription: Id,
        on: Option<Date>,
    },
    /// Takes back what lies ahead: a change, an end, a transfer, a pause, the end of a pause.
    UndoPlan {
        subscription: Id,
        plan: Plan,
    },
    /// Hands out what was sold to be activated later; `on` none: today.
    ActivateSubscription {
        subscription: Id,
        on: Option<Date>,
    },
    /// Another account goes on with a subscription, under a new id.
    TransferSubscription(Box<TransferSubscription>),
    /// Moves the billing day of a running subscription; the days between the periods are a prorated one of their own.
    MoveBillingDay {
        subscription: Id,
        day: u32,
        effective: Effective,
    },
    /// Moves the billing day of an account, and of its subscriptions that have the same.
    MoveAccountBillingDay {
        account: Id,
        day: u32,
        effective: Effective,
    },
    /// Agrees how long a subscription runs at least; `from` none: today.
    AgreeTenure {
        subscription: Id,
        from: Option<Date>,
        terms: TenureTerms,
    },
    /// Tells and does what a tenure asks for; a late or repeated call does the same.
    TendTenure {
        subscription: Id,
    },

    IngestUsage(Box<Intake>),
    /// Rates usage of the past again. Asked for again under the same id it goes on where it stood.
    Rerate {
        rerating: Id,
        ask: Box<reratings::Ask>,
        /// Past records that are rated with it.
        add: Option<Box<Intake>>,
    },
    /// A half of the records that a rerating adds, where the whole is more than a commit takes: its change names the whole.
    AddToRerating {
        rerating: Id,
        ask: Box<reratings::Ask>,
        part: Box<Intake>,
        /// Others follow.
        more: bool,
    },
    /// The next commit of a rerating or of its undoing.
    StepRerating {
        rerating: Id,
    },
    UndoRerating {
        rerating: Id,
        reason: String,
    },

    /// A one-off charge for the account's next invoice; negative amounts give something back.
    AddCharge {
        account: Id,
        charge: Id,
        text: String,
        amount: Money,
        on: Option<Date>,
        tax_class: String,
    },
    CancelCharge {
        account: Id,
        charge: Id,
    },

    /// A prepaid wallet in the account's currency; lower priority numbers are burnt first (policy 30).
    OpenWallet {
        wallet: Id,
        account: Id,
        priority: u32,
    },
    TopUpWallet {
        wallet: Id,
        grant: Id,
        amount: Money,
        expires: Option<Date>,
    },

    /// Reserves, debits and sets free; the answer is in `Outcome::answer`.
    ControlCredit(Box<reservations::Request>),
    /// Notes which quotas of a session have ended, and sets their money free.
    ExpireReservation {
        session: Id,
    },
    /// What is agreed about a wallet from now on.
    ChangeWallet {
        wallet: Id,
        terms: Box<wallets::Terms>,
    },
    GrantWallet(Box<GrantWallet>),
    /// Takes units out, of one grant or in the order of burning; none: all that is left (rate of the unit, policy 30).
    VoidWallet {
        wallet: Id,
        units: Option<Decimal>,
        grant: Option<Id>,
        reason: String,
    },
    /// Does whatever time brought to a wallet by today; a late or repeated call does the same.
    TickWallet {
        wallet: Id,
    },

    /// `accounts` empty: every account with something due. `draft`: nothing is numbered. Repeat it as it was while the run is
    /// `listing`: it takes more accounts than a commit.
    StartBillRun {
        run: Id,
        as_of: Option<Date>,
        accounts: Vec<Id>,
        draft: bool,
    },
    /// Bills the next waiting account of a run, or completes it. Repeat until `Outcome::left` is 0.
    StepBillRun {
        run: Id,
    },
    DraftInvoice {
        invoice: Id,
        account: Id,
        as_of: Option<Date>,
    },
    FinaliseInvoice {
        invoice: Id,
    },
    VoidInvoice {
        invoice: Id,
        reason: String,
    },
    /// A credit note `note` for parts of a finalised invoice: (line, net); no amount: all that is left of the line.
    CreditInvoice {
        note: Id,
        invoice: Id,
        parts: Vec<(u32, Option<Money>)>,
        reason: String,
    },
    WriteOffInvoice {
        invoice: Id,
        reason: String,
    },
    /// What was written off of an invoice is owed again.
    ReverseWriteOff {
        invoice: Id,
        reason: String,
    },

    /// Account credit without a payment; pays finalised invoices oldest first.
    GrantCredit {
        account: Id,
        credit: Id,
        amount: Money,
        reason: String,
    },
    /// A way in which an account pays.
    AddMethod(Box<AddMethod>),
    /// Another card or mandate under the same id; it may be tried again.
    ChangeMethod {
        account: Id,
        method: Id,
        means: Box<Means>,
    },
    /// Every method of the account, in the order in which they are to be tried.
    OrderMethods {
        account: Id,
        order: Vec<Id>,
    },
    RemoveMethod {
        account: Id,
        method: Id,
        reason: String,
    },
    /// Tells of cards that will expire or have expired; a late or repeated call does the same.
    NoticeMethods {
        account: Id,
    },
    /// Whether what is due is collected without being asked; none: as the legal entity has it.
    SetAutomaticCollection {
        account: Id,
        automatic: Option<bool>,
    },
    /// How many collections a mandate is for.
    SetMandateTerm {
        account: Id,
        method: Id,
        term: MandateTerm,
    },
    /// An account of a legal entity at a bank.
    OpenBankAccount {
        bank: Id,
        terms: Box<Terms>,
    },
    ChangeBankAccount {
        bank: Id,
        terms: Box<Terms>,
    },
    /// How what the bank takes for its work is told and posted.
    RuleBankFees {
        bank: Id,
        rule: FeeRule,
    },
    /// What the bank says of a file before it books; taken once.
    ImportStatusReport(Box<ImportStatusReport>),
    /// A statement, or a part of a large one; taken once, whatever brings it again.
    ImportStatement(Box<ImportStatement>),
    /// A person dealt with a part of a bank entry that waited for one.
    CloseBankEntry {
        entry: Id,
        part: u32,
        note: String,
    },
    /// Puts collections that wait for it into one file of direct debits. `on` none: as early as can be.
    DrawDebits {
        file: Id,
        bank: Id,
        on: Option<Date>,
    },
    /// Puts money that goes back by transfer into one file.
    DrawTransfers {
        file: Id,
        bank: Id,
        on: Option<Date>,
    },
    /// The file never reached the bank: what is in it waits for another one.
    WithdrawBankFile {
        file: Id,
        reason: String,
    },
    RecordPayment(RecordPayment),
    /// Money that came in, from wherever: its account is found by what is known of it, or it waits unallocated.
    ReceiveCash(Box<ReceiveCash>),
    /// Unallocated money is of this account; `invoices` empty: by the rules. Money in another currency than the
    /// account's needs a rate.
    AllocateCash {
        entity: Id,
        payment: Id,
        account: Id,
        invoices: Vec<Id>,
        exchange: Option<Exchange>,
    },
    /// How payments of an entity's accounts are applied from now on.
    SetCashRules {
        entity: Id,
        rules: Rules,
    },
    /// Credits pay invoices by hand; what one side is more stays on `rest_on` (policy 27).
    MatchItems {
        account: Id,
        invoices: Vec<Id>,
        credits: Vec<Source>,
        rest_on: Option<RestOn>,
    },
    /// What a source (none: every source) paid of an invoice is credit again, and both are left alone.
    UnmatchItem {
        account: Id,
        invoice: Id,
        source: Option<Source>,
    },
    /// What was unmatched or held goes by the rules again.
    ReleaseCredit {
        account: Id,
    },
    /// Credit becomes another account's of the same entity and currency.
    TransferCredit {
        transfer: Id,
        from: Id,
        to: Id,
        amount: Money,
        reason: String,
    },
    /// Another account of the same entity and currency takes over what is open of an invoice.
    TransferDebt {
        transfer: Id,
        invoice: Id,
        from: Id,
        to: Id,
        /// None: all that is open.
        amount: Option<Money>,
        reason: String,
    },
    /// Pays unapplied credit out, oldest first: by refunding the payments behind it, else out of the cash box.
    RefundCredit {
        refund: Id,
        account: Id,
        amount: Money,
        reason: String,
    },
    /// No amount: all that is open and undisputed.
    DisputeItem {
        dispute: Id,
        account: Id,
        invoice: Id,
        amount: Option<Money>,
        reason: String,
    },
    EndDispute {
        dispute: Id,
        account: Id,
        upheld: bool,
        reason: String,
    },
    /// Instalments take the place of the invoices' due dates.
    AgreePlan {
        plan: Id,
        account: Id,
        invoices: Vec<Id>,
        instalments: Vec<Instalment>,
        grace_days: u32,
    },
    CancelPlan {
        plan: Id,
        account: Id,
        reason: String,
    },
    /// Ends payment plans that are broken by today; a late or repeated call ends the same ones.
    CheckPlans {
        account: Id,
    },
    /// Money that is held apart from the start: a payment of the same id.
    ReceiveDeposit {
        deposit: Id,
        account: Id,
        amount: Money,
        value_date: Date,
        method: String,
    },
    /// Unapplied credit is held apart.
    TakeDeposit {
        deposit: Id,
        account: Id,
        amount: Money,
        reason: String,
    },
    /// A deposit (none: all of it) pays an invoice, or by the rules.
    ApplyDeposit {
        deposit: Id,
        account: Id,
        invoice: Option<Id>,
        amount: Option<Money>,
        reason: String,
    },
    /// A deposit (none: all of it) goes back to the customer.
    ReturnDeposit {
        deposit: Id,
        account: Id,
        amount: Option<Money>,
        reason: String,
    },
    /// Unallocated money goes back to where it came from.
    ReturnCash {
        entity: Id,
        payment: Id,
        reason: String,
    },
    SettlePayment {
        payment: Id,
    },
    FailPayment {
        payment: Id,
        kind: FailureKind,
        reason: String,
    },
    /// No amount: all that was not yet refunded or charged back.
    RefundPayment {
        payment: Id,
        amount: Option<Money>,
        reason: String,
    },
    ChargeBackPayment {
        payment: Id,
        amount: Option<Money>,
        reason: String,
    },

    /// Money that was charged back is ours again; no amount: all of it.
    ReverseChargeBack {
        payment: Id,
        amount: Option<Money>,
        reason: String,
    },
    /// Its provider is about to be called; `again`: it said that it never saw the payment.
    SendPayment {
        payment: Id,
        again: bool,
    },
    /// What a provider says of a payment; late, twice and out of order it does the same.
    AnswerPayment {
        payment: Id,
        answer: payments::Answer,
    },
    /// Its provider is about to be called for a return.
    SendRefund {
        payment: Id,
        number: u32,
        again: bool,
    },
    AnswerRefund {
        payment: Id,
        number: u32,
        answer: payments::Answer,
    },
    /// A provider gave money back that it was not asked to give; told twice, it is counted once.
    ObserveRefund {
        payment: Id,
        reference: String,
        amount: Money,
        reason: String,
    },
    /// A person has looked at what a provider said that cannot be, and at returns that failed.
    AcknowledgePayment {
        payment: Id,
        note: String,
    },
    /// How a legal entity collects what is due.
    SetCollectionRules {
        entity: Id,
        rules: collections::Rules,
    },
    /// Asks a payer's provider for an invoice, or for everything that is due.
    Collect(Collect),
    /// Makes the attempts that are due by today; a late or repeated call does the same.
    CollectDue {
        account: Id,
    },
    /// No further attempt is made.
    CloseCollection {
        collection: Id,
        reason: String,
    },

    SetDunningPolicy {
        policy: Id,
        levels: Vec<DunningLevel>,
    },
    /// Does whatever the account's dunning has reached by today; a late or repeated call does the same.
    DunAccount {
        account: Id,
    },
    PauseDunning {
        account: Id,
        reason: String,
    },
    ResumeDunning {
        account: Id,
    },

    /// Something to be said to an account's holder; `ask.on` is the day it is dated.
    AskMessage {
        message: Id,
        ask: Box<messages::Ask>,
    },
    /// What came of an attempt to send, counted from 1; a second report of one attempt changes nothing.
    ReportMessage {
        message: Id,
        attempt: u32,
        report: messages::Report,
    },
    /// Sends a message again, whatever became of it; `channel` none: as before.
    ResendMessage {
        message: Id,
        channel: Option<messages::Channel>,
    },
    /// Takes a message back while it waits or after it failed.
    WithdrawMessage {
        message: Id,
        reason: String,
    },
    /// What holds for all levels of a policy.
    SetDunningTerms {
        policy: Id,
        terms: dunning::Terms,
    },
    /// Which policy dunns whom; the first rule that fits wins.
    SetDunningRules {
        rules: Vec<dunning::Rule>,
    },
    SteerDunning {
        account: Id,
        steer: dunning::Steer,
    },
    /// What was sent came back; a second word of the same changes nothing.
    BounceMessage {
        message: Id,
        bounce: Box<messages::Bounce>,
    },
    /// The language in which a legal entity writes to accounts that have none; none: English.
    SetEntityLanguage {
        entity: Id,
        language: Option<String>,
    },

    /// How documents of an entity's accounts, or of one account, are made from now on; none: no longer said there.
    SetInvoicing {
        place: InvoicingPlace,
        terms: Option<Box<invoicing::Terms>>,
    },
    /// How charges in another currency come onto documents from now on; none: no longer said there.
    SetExchange {
        place: InvoicingPlace,
        exchange: Option<invoicing::Exchange>,
    },
    /// How lines are put together on documents from now on; none: no longer said there.
    SetShown {
        place: InvoicingPlace,
        shown: Option<Shown>,
    },
    /// In which currency documents are from now on, for what is sold from now on; none: no longer said there.
    SetCurrencies {
        place: InvoicingPlace,
        currencies: Option<invoicing::Currencies>,
    },
    /// The total below which documents in a currency wait for more from now on; none: no longer said there.
    SetMinimum {
        place: InvoicingPlace,
        currency: Currency,
        minimum: Option<Decimal>,
    },
    /// The legal entity that sells an offer from now on, whoever buys it; none: the buyer's own.
    SetSeller {
        offer: String,
        seller: Option<Id>,
    },
    /// The legal entity that a subscription is bought from and the currency it is billed in; none: the account's entity, and
    /// the currency as the account or its entity says. Not for one that was billed.
    SetFolio {
        subscription: Id,
        seller: Option<Id>,
        currencies: Option<invoicing::Currencies>,
    },
    /// The order that a subscription is of; none: of none.
    OrderSubscription {
        subscription: Id,
        order: Option<String>,
    },
    /// The method of who pays that a subscription is paid by; none: the preferred one.
    PaySubscriptionBy {
        subscription: Id,
        method: Option<Id>,
    },
    /// A price is invoiced in parts.
    AgreeMilestones {
        plan: Id,
        terms: Box<milestones::Plan>,
    },
    /// A part is due; `on` none: today.
    ReachMilestone {
        plan: Id,
        milestone: Id,
        on: Option<Date>,
    },
    /// Parts that no document has are not asked for any more.
    CancelMilestones {
        plan: Id,
        reason: String,
    },
    /// Invoices money before the supply, which is taken off what the supply is invoiced for.
    AskAdvance {
        advance: Id,
        terms: Box<advances::Terms>,
    },
    /// Asks for money before the supply by a document that is no invoice; the invoice follows when it is paid.
    RequestAdvance {
        advance: Id,
        terms: Box<advances::Terms>,
    },
    /// Invoices a requested advance that waits for its money, paid or not.
    InvoiceAdvance {
        advance: Id,
    },
    /// Takes nothing more of it off, and gives back what is left by a credit note.
    CloseAdvance {
        advance: Id,
        rest: advances::Rest,
        reason: String,
    },
    /// What currencies are worth on days; `entity` none: for the whole tenant.
    TellRates {
        entity: Option<Id>,
        rates: Vec<RateOfDay>,
    },
    /// There is no rate of a day any more.
    WithdrawRate {
        entity: Option<Id>,
        from: Currency,
        to: Currency,
        on: Date,
        reason: String,
    },
    /// Puts a subscription's lines onto the documents of an invoice group (an order, a payment method); none: takes it out.
    GroupSubscription {
        subscription: Id,
        group: Option<String>,
    },
    /// Invoices everything due for an account at once; `usage`: and what was used of periods that still run.
    InvoiceNow {
        invoice: Id,
        account: Id,
        usage: bool,
    },
    /// A draft waits until somebody releases it; it keeps its lines.
    HoldInvoice {
        invoice: Id,
        reason: String,
    },
    /// Finalises a draft that waits.
    ReleaseInvoice {
        invoice: Id,
        note: String,
    },
    /// A draft becomes no invoice; what it bills is due again.
    RejectInvoice {
        invoice: Id,
        reason: String,
    },
    /// Invoices what a subscription has used if it reached a threshold; a late or repeated call does the same.
    BillThreshold {
        subscription: Id,
    },
    /// Bills nobody else and rejects the run's drafts. Repeat until `Outcome::left` is 0.
    CancelBillRun {
        run: Id,
        reason: String,
    },
    /// Accounts that a run was refused for wait again; none: all of them.
    RetryBillRun {
        run: Id,
        accounts: Vec<Id>,
    },
}

/// What one unit of a currency is worth in another on a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateOfDay {
    pub from: Currency,
    pub to: Currency,
    pub on: Date,
    /// Units of `to` for one of `from`.
    pub rate: Decimal,
    /// Who tells it, for example `ecb`.
    pub source: String,
}

/// Where the way is said in which documents are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InvoicingPlace {
    /// For all accounts of a legal entity.
    Entity(Id),
    /// For one account, instead of what its entity says.
    Account(Id),
}

/// Destroys keys of an account's personal data. The keys come with the command, because the domain holds none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForgetAccount {
    pub account: Id,
    pub purposes: BTreeSet<Purpose>,
    /// Ids of the account's living keys for these purposes.
    pub keys: BTreeSet<String>,
    /// The buyer of its documents, made of the contact before that goes; for accounts that have none recorded yet.
    pub buyer: Option<Personal<Buyer>>,
    /// Who asks, as it is recorded with the fact.
    pub by: String,
}

/// Puts units into a wallet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantWallet {
    pub wallet: Id,
    pub grant: Id,
    /// In units of the wallet; cut to whole minor units of its currency.
    pub units: Decimal,
    pub funding: wallets::Funding,
    /// The first day on which it cannot be used.
    pub expires: Option<Date>,
    /// Lower is burnt first within the wallet.
    pub priority: u32,
    pub rollover: Option<wallets::Rollover>,
}

/// An account takes a discount that is offered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RedeemDiscount {
    pub account: Id,
    /// Its code: a promotion code, or the name by which the seller gives it.
    pub discount: Id,
    pub redemption: Id,
    /// Only for this subscription.
    pub subscription: Option<Id>,
    /// Services from this day on; none: today.
    pub from: Option<Date>,
}
