//! The life of a subscription beyond start and change: activation, tenure, transfer, billing day, ends, and what is undone.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::{self, Command};
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::operations;
use indelible_domain::session::Session;
use indelible_domain::subscriptions as domain;

use super::books::Books;
use super::desk::{self, Receipt};
use super::scalars::{Date, Money};
use super::subscriptions::{EffectiveInput, SubscriptionPayload, Unused, done};
use super::{errors, ids};
use crate::auth::Scope;

/// How far a look ahead goes that names no day.
pub(super) const DAYS_AHEAD: i64 = 400;

/// What becomes due of one subscription on a day.
#[derive(Clone, SimpleObject)]
pub struct ComingInvoice {
    on: Date,
    net: Money,
    tax: Money,
    total: Money,
    lines: Vec<ComingLine>,
}

/// What a command makes due of another subscription than the one it answers with.
#[derive(Clone, SimpleObject)]
pub struct ComingElsewhere {
    subscription: ID,
    coming: Vec<ComingInvoice>,
}

impl ComingElsewhere {
    pub fn of(subscription: &str, coming: Vec<ComingInvoice>) -> ComingElsewhere {
        ComingElsewhere {
            subscription: ids::node("subscription", subscription),
            coming,
        }
    }
}

#[derive(Clone, SimpleObject)]
pub struct ComingLine {
    /// Code of the charge.
    charge: String,
    text: String,
    /// First day it is for.
    from: Option<Date>,
    /// Exclusive.
    until: Option<Date>,
    quantity: String,
    /// Below zero where something is given back.
    net: Money,
    /// The arithmetic in words.
    explain: String,
}

impl ComingInvoice {
    pub fn of(coming: &operations::Coming) -> ComingInvoice {
        let document = &coming.document;
        let line = |line: &indelible_domain::invoices::Line| ComingLine {
            charge: line.what.charge().to_owned(),
            text: line.text.clone(),
            from: line.what.days().map(|days| Date(days.from)),
            until: line.what.days().map(|days| Date(days.until)),
            quantity: line.quantity.clone(),
            net: Money(line.net),
            explain: line.explain.clone(),
        };
        ComingInvoice {
            on: Date(coming.on),
            net: Money(document.net),
            tax: Money(document.tax),
            total: Money(document.total),
            lines: document.lines.iter().map(line).collect(),
        }
    }
}

/// What becomes due of a subscription as it is now.
pub(super) fn coming(
    ctx: &Context<'_>,
    key: &str,
    through: Option<Date>,
) -> Result<Vec<ComingInvoice>> {
    let books = Books::of(ctx)?;
    let (past, now) = (books.past(), books.now());
    let account = books.find::<domain::Subscription>(key);
    let account = account
        .map(|sub| sub.state.account.clone())
        .unwrap_or_default();
    let ahead = add_days(books.today(&account), DAYS_AHEAD);
    let through = through.map_or(ahead, |date| date.0);
    let coming = books
        .live(|tenant| operations::coming(Session::new(tenant, now).with(&past), key, through));
    let coming = coming.map_err(errors::rejected)?;
    Ok(coming.iter().map(ComingInvoice::of).collect())
}

/// What follows the last day of a tenure.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(name = "TenureAtEnd", remote = "domain::AtEnd")]
pub enum AtEnd {
    /// It runs on, and may be ended at any day that the notice allows.
    GoOn,
    /// It is agreed for another stretch.
    Renew,
    Terminate,
    /// It is paused until somebody resumes it.
    Pause,
}

/// How long a contract was agreed to run for at least.
#[derive(SimpleObject)]
pub struct Tenure {
    from: Date,
    /// Exclusive; renewals included.
    until: Date,
    /// Such as `12 months`.
    lasts: String,
    renews: Option<String>,
    notice: Option<String>,
    at_end: AtEnd,
    renewals: u32,
    /// The last day on which an end at the tenure's own can be asked for.
    notice_by: Option<Date>,
    /// It has passed and did not renew.
    over: bool,
}

impl Tenure {
    pub fn of(tenure: &domain::Tenure) -> Tenure {
        Tenure {
            from: Date(tenure.from),
            until: Date(tenure.until()),
            lasts: tenure.terms.lasts.to_string(),
            renews: tenure.terms.renews.map(|span| span.to_string()),
            notice: tenure.terms.notice.map(|span| span.to_string()),
            at_end: tenure.terms.at_end.into(),
            renewals: tenure.renewals,
            notice_by: tenure.notice_by().map(Date),
            over: tenure.over,
        }
    }
}

/// Spans are written `30 days`, `2 weeks`, `12 months` or `1 year`.
#[derive(InputObject)]
pub struct TenureInput {
    lasts: String,
    /// Length of a renewal; none: as long as the first time.
    renews: Option<String>,
    /// How long before an end it must be asked for.
    notice: Option<String>,
    #[graphql(default_with = "AtEnd::GoOn")]
    at_end: AtEnd,
}

impl TenureInput {
    pub fn into_domain(self) -> Result<domain::TenureTerms> {
        let span = |text: String| text.parse().map_err(errors::rejected);
        Ok(domain::TenureTerms {
            lasts: span(self.lasts)?,
            renews: self.renews.map(span).transpose()?,
            notice: self.notice.map(span).transpose()?,
            at_end: self.at_end.into(),
        })
    }
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub enum SubscriptionEndKind {
    Terminated,
    Cancelled,
    HandedOver,
}

/// When and how a subscription ends.
#[derive(SimpleObject)]
pub struct SubscriptionEnding {
    /// The first day on which it does not run.
    on: Date,
    kind: SubscriptionEndKind,
    reason: String,
    unused: Unused,
    /// Recurring charges go on up to this day, exclusive.
    charged_until: Date,
    /// One-off charges of a termination are asked for.
    fees: bool,
    /// The subscription of another account that goes on with it.
    handed_to: Option<ID>,
}

impl SubscriptionEnding {
    pub fn of(ending: &domain::Ending) -> SubscriptionEnding {
        let (kind, handed_to) = match &ending.kind {
            domain::EndKind::Terminated => (SubscriptionEndKind::Terminated, None),
            domain::EndKind::Cancelled => (SubscriptionEndKind::Cancelled, None),
            domain::EndKind::HandedOver { to } => (SubscriptionEndKind::HandedOver, Some(to)),
        };
        SubscriptionEnding {
            on: Date(ending.on),
            kind,
            reason: ending.reason.clone(),
            unused: ending.unused.into(),
            charged_until: Date(ending.charged_until),
            fees: ending.fees,
            handed_to: handed_to.map(|id| ids::node("subscription", id)),
        }
    }
}

/// On which day a subscription is to end.
#[derive(Clone, Copy, Enum, PartialEq, Eq, Default)]
pub enum EndBy {
    /// As `effective` says.
    #[default]
    Effective,
    /// The first day that the notice allows, if it is given today.
    Notice,
    /// The end of its tenure, renewals so far included.
    EndOfTenure,
}

/// What becomes of the rest of an agreed tenure.
#[derive(Clone, Copy, Enum, PartialEq, Eq, Default)]
pub enum TenureRest {
    /// An end before the end of the tenure is refused.
    #[default]
    Refuse,
    /// It is not charged.
    Waive,
    /// Recurring charges go on up to the end of the tenure.
    Charge,
    /// The same, all on the day of the end.
    ChargeAtOnce,
}

#[derive(InputObject)]
pub struct TerminateSubscriptionInput {
    id: ID,
    #[graphql(default)]
    effective: EffectiveInput,
    /// Instead of a day, what decides it.
    #[graphql(default)]
    by: EndBy,
    #[graphql(default_with = "Unused::CreditProrata")]
    unused: Unused,
    #[graphql(default)]
    rest: TenureRest,
    /// Recurring charges go on up to this day, exclusive, tenure or not; instead of `rest`.
    charge_until: Option<Date>,
    /// One-off charges of a termination are asked for.
    #[graphql(default = true)]
    fees: bool,
    /// Why, in your words. No personal data.
    #[graphql(default)]
    reason: String,
}

impl TerminateSubscriptionInput {
    fn into_domain(self) -> Result<command::EndSubscription> {
        let when = match self.by {
            EndBy::Effective => command::EndWhen::Effective(self.effective.into_domain()?),
            EndBy::Notice => command::EndWhen::Notice,
            EndBy::EndOfTenure => command::EndWhen::EndOfTenure,
        };
        let rest = match (self.charge_until, self.rest) {
            (Some(day), _) => command::Rest::ChargeUntil(day.0),
            (None, TenureRest::Refuse) => command::Rest::Refuse,
            (None, TenureRest::Waive) => command::Rest::Waive,
            (None, TenureRest::Charge) => command::Rest::Charge,
            (None, TenureRest::ChargeAtOnce) => command::Rest::ChargeAtOnce,
        };
        Ok(command::EndSubscription {
            subscription: ids::key("subscription", &self.id),
            reason: self.reason,
            when,
            unused: self.unused.into(),
            rest,
            fees: self.fees,
        })
    }
}

#[derive(InputObject)]
pub struct TransferSubscriptionInput {
    id: ID,
    /// Id of the subscription that goes on with it, chosen by you.
    to: ID,
    /// The account that has it from then on.
    account: ID,
    #[graphql(default)]
    effective: EffectiveInput,
    #[graphql(default_with = "Unused::CreditProrata")]
    unused: Unused,
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub enum PlanKind {
    /// The term that begins on `date`.
    Change,
    /// The end, or the transfer to another account.
    End,
    /// The pause for `reason` from `date`.
    Pause,
    /// The end, on `date`, of the pause for `reason`.
    Resume,
}

/// Something that lies ahead.
#[derive(InputObject)]
pub struct PlanInput {
    kind: PlanKind,
    date: Option<Date>,
    reason: Option<String>,
}

impl PlanInput {
    fn into_domain(self) -> Result<domain::Plan> {
        let missing = |what: &str| {
            errors::refused(
                "PLAN_INCOMPLETE",
                format!("this kind of plan needs a {what}"),
            )
        };
        let date = self.date.map(|date| date.0);
        let date = date.ok_or_else(|| missing("date"));
        let reason = self.reason.ok_or_else(|| missing("reason"));
        Ok(match self.kind {
            PlanKind::End => domain::Plan::End,
            PlanKind::Change => domain::Plan::Change { from: date? },
            PlanKind::Pause => domain::Plan::Pause {
                reason: reason?,
                from: date?,
            },
            PlanKind::Resume => domain::Plan::Resume {
                reason: reason?,
                on: date?,
            },
        })
    }
}

#[derive(SimpleObject)]
pub struct MovedBillingDay {
    /// Subscriptions that got the day.
    moved: Vec<ID>,
    receipt: Receipt,
}

#[derive(Default)]
pub struct LifeMutations;

#[Object]
impl LifeMutations {
    /// Ends the contract. The date is exclusive: terminated `ON` 18 December bills up to and including the 17th. What
    /// becomes of an agreed tenure, of days that were billed beyond the end and of one-off charges is said here.
    async fn terminate_subscription(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: TerminateSubscriptionInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let ask = input.into_domain()?;
        let key = ask.subscription.clone();
        let command = Command::EndSubscription(Box::new(ask));
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Takes a subscription back before it begins: nothing of it is charged.
    async fn cancel_subscription(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        #[graphql(default)] reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let key = ids::key("subscription", &id);
        let command = Command::CancelSubscription {
            subscription: key.clone(),
            reason,
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Takes an end back, planned or past; the days between it and `on` are not charged. `on` none: today, or the end if
    /// that lies ahead.
    async fn reactivate_subscription(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        on: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let key = ids::key("subscription", &id);
        let command = Command::ReactivateSubscription {
            subscription: key.clone(),
            on: on.map(|date| date.0),
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Takes back what lies ahead, until its day.
    async fn undo_plan(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        plan: PlanInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let key = ids::key("subscription", &id);
        let command = Command::UndoPlan {
            subscription: key.clone(),
            plan: plan.into_domain()?,
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Hands out what was sold to be activated: the contract begins on this day. `on` none: today.
    async fn activate_subscription(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        on: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let key = ids::key("subscription", &id);
        let command = Command::ActivateSubscription {
            subscription: key.clone(),
            on: on.map(|date| date.0),
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Another account goes on with a subscription: same offer, prices and periods, under a new id.
    async fn transfer_subscription(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: TransferSubscriptionInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let to = ids::key("subscription", &input.to);
        let command = Command::TransferSubscription(Box::new(command::TransferSubscription {
            subscription: ids::key("subscription", &input.id),
            to: to.clone(),
            account: ids::key("account", &input.account),
            effective: input.effective.into_domain()?,
            unused: input.unused.into(),
        }));
        done(ctx, &idempotency_key, &to, command, dry_run).await
    }

    /// Moves the billing day of a running subscription, at the end of its running period if nothing else is said. The days
    /// between are a prorated period of their own.
    async fn move_billing_day(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        day: u32,
        effective: Option<EffectiveInput>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let key = ids::key("subscription", &id);
        let command = Command::MoveBillingDay {
            subscription: key.clone(),
            day,
            effective: effective_of(effective)?,
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Moves the billing day of an account, and of its subscriptions that have the same.
    async fn move_account_billing_day(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        day: u32,
        effective: Option<EffectiveInput>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<MovedBillingDay> {
        let command = Command::MoveAccountBillingDay {
            account: ids::key("account", &account),
            day,
            effective: effective_of(effective)?,
        };
        let receipt =
            desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await?;
        let touched = receipt.outcome().touched.iter();
        let moved = touched.filter(|(kind, _)| kind == "subscription");
        let moved = moved.map(|(kind, key)| ids::node(kind, key)).collect();
        Ok(MovedBillingDay { moved, receipt })
    }

    /// Agrees how long a subscription runs at least. `from` none: today.
    async fn agree_tenure(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        from: Option<Date>,
        tenure: TenureInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let key = ids::key("subscription", &id);
        let command = Command::AgreeTenure {
            subscription: key.clone(),
            from: from.map(|date| date.0),
            terms: tenure.into_domain()?,
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }
}

fn effective_of(given: Option<EffectiveInput>) -> Result<command::Effective> {
    match given {
        Some(given) => given.into_domain(),
        None => Ok(command::Effective::EndOfPeriod),
    }
}
