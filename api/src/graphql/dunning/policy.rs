//! Dunning policies: levels, what each does, and what holds for all of them.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::{DunningAction, DunningLevel};
use indelible_domain::dunning as domain;
use indelible_domain::subscriptions::UsageRule;

use crate::graphql::books::Books;
use crate::graphql::messages::Channel;
use crate::graphql::scalars::Decimal;
use crate::graphql::{errors, ids};

/// Class that fees and interest are taxed under unless another is given.
const TAX_CLASS: &str = "standard";

/// Levels in the order they are reached, counted in days from the due date of the oldest unpaid invoice.
pub struct Policy {
    key: String,
    state: domain::Policy,
}

impl Policy {
    pub fn find(ctx: &Context<'_>, key: &str) -> Result<Option<Policy>> {
        let found = Books::of(ctx)?.find::<domain::Policy>(key);
        Ok(found.map(|found| Policy {
            key: key.to_owned(),
            state: found.state.clone(),
        }))
    }
}

#[Object(name = "DunningPolicy")]
impl Policy {
    pub async fn id(&self) -> ID {
        ids::node("dunning-policy", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    async fn levels(&self) -> Vec<Level> {
        let level = |level: &DunningLevel| Level {
            name: level.name.clone(),
            after_days: level.after_days,
            minimum: level.minimum.map(Decimal),
            actions: level.actions.iter().map(Action::from).collect(),
        };
        self.state.levels.iter().map(level).collect()
    }

    async fn part_payment(&self) -> PartPayment {
        self.state.terms.part_payment.into()
    }

    /// Time that a large part payment buys.
    async fn grace(&self) -> Option<Grace> {
        self.state.terms.grace.as_ref().map(|grace| Grace {
            percent: Decimal(grace.percent),
            days: grace.days,
        })
    }
}

/// What a part payment does to a case.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(name = "DunningPartPayment", remote = "domain::PartPayment")]
pub enum PartPayment {
    /// The ladder is counted from what is still open: levels that it has not reached are taken back.
    Reanchor,
    /// Levels stay reached until all that is overdue is paid.
    Keep,
}

/// A payment of at least `percent` of what was overdue puts the next level off by `days`.
#[derive(SimpleObject, InputObject)]
#[graphql(name = "DunningGrace", input_name = "DunningGraceInput")]
pub struct Grace {
    pub percent: Decimal,
    pub days: u32,
}

#[derive(SimpleObject)]
#[graphql(name = "DunningLevel")]
pub struct Level {
    name: String,
    /// Reached on the day this many days after the due date.
    after_days: u32,
    /// Only when at least this much is overdue, in the account's currency.
    minimum: Option<Decimal>,
    actions: Vec<Action>,
}

#[derive(Default, SimpleObject)]
#[graphql(name = "DunningAction")]
pub struct Action {
    kind: ActionKind,
    /// Of a flat fee, in the account's currency.
    fee: Option<Decimal>,
    late_fee: Option<LateFee>,
    interest: Option<Interest>,
    restriction: Option<Restriction>,
    /// Who collects.
    agency: Option<String>,
    notice: Option<Notice>,
}

impl From<&DunningAction> for Action {
    fn from(action: &DunningAction) -> Action {
        let of = |kind| Action {
            kind,
            ..Action::default()
        };
        match action {
            DunningAction::Remind => of(ActionKind::Remind),
            DunningAction::Fee(fee) => Action {
                fee: Some(Decimal(*fee)),
                ..of(ActionKind::Fee)
            },
            DunningAction::Suspend => of(ActionKind::Suspend),
            DunningAction::RetryPayment => of(ActionKind::RetryPayment),
            DunningAction::WriteOff => of(ActionKind::WriteOff),
            DunningAction::LateFee(fee) => Action {
                late_fee: Some(fee.into()),
                ..of(ActionKind::LateFee)
            },
            DunningAction::Interest(interest) => Action {
                interest: Some(interest.into()),
                ..of(ActionKind::Interest)
            },
            DunningAction::Restrict(restriction) => Action {
                restriction: Some(restriction.into()),
                ..of(ActionKind::Restrict)
            },
            DunningAction::Hold => of(ActionKind::Hold),
            DunningAction::HandOver { agency } => Action {
                agency: Some(agency.clone()),
                ..of(ActionKind::HandOver)
            },
            DunningAction::Terminate => of(ActionKind::Terminate),
            DunningAction::Send(notice) => Action {
                notice: Some(notice.into()),
                ..of(ActionKind::Send)
            },
        }
    }
}

#[derive(Clone, Copy, Default, Enum, PartialEq, Eq)]
#[graphql(name = "DunningActionKind")]
pub enum ActionKind {
    /// The message `reminder`, by the channel and in the language that the customer prefers.
    #[default]
    Remind,
    /// A flat charge on the next invoice.
    Fee,
    /// Pauses the account's subscriptions until everything overdue is paid.
    Suspend,
    /// Asks the payment provider again.
    RetryPayment,
    WriteOff,
    /// A charge on the next invoice: flat, a share of what is overdue, or both.
    LateFee,
    /// A charge on the next invoice: interest on what is overdue.
    Interest,
    /// Restricts chosen services until everything overdue is paid.
    Restrict,
    /// Nothing new is sold to the account until everything overdue is paid.
    Hold,
    /// An agency collects.
    HandOver,
    /// Ends the account's contracts.
    Terminate,
    /// Another message than the reminder.
    Send,
}

/// A fee within limits, in the account's currency.
#[derive(SimpleObject, InputObject)]
#[graphql(name = "LateFee", input_name = "LateFeeInput")]
pub struct LateFee {
    flat: Option<Decimal>,
    /// Of what is overdue on the day of the level.
    percent: Option<Decimal>,
    min: Option<Decimal>,
    max: Option<Decimal>,
    /// `standard` unless another is given.
    tax_class: Option<String>,
}

impl From<&domain::LateFee> for LateFee {
    fn from(fee: &domain::LateFee) -> LateFee {
        LateFee {
            flat: fee.flat.map(Decimal),
            percent: fee.percent.map(Decimal),
            min: fee.min.map(Decimal),
            max: fee.max.map(Decimal),
            tax_class: Some(fee.tax_class.clone()),
        }
    }
}

impl LateFee {
    fn made(&self) -> domain::LateFee {
        domain::LateFee {
            flat: self.flat.map(|d| d.0),
            percent: self.percent.map(|d| d.0),
            min: self.min.map(|d| d.0),
            max: self.max.map(|d| d.0),
            tax_class: class(&self.tax_class),
        }
    }
}

fn class(given: &Option<String>) -> String {
    given.clone().unwrap_or_else(|| TAX_CLASS.to_owned())
}

/// How days become a part of a year.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::DayCount")]
pub enum DayCount {
    Actual365,
    Actual360,
    Thirty360,
}

/// Simple interest by day, on the principal of each day.
#[derive(SimpleObject, InputObject)]
#[graphql(name = "LateInterest", input_name = "LateInterestInput")]
pub struct Interest {
    /// Percent a year.
    rate: Decimal,
    day_count: DayCount,
    /// All interest of an episode is at most this percentage of what is overdue.
    cap_percent: Option<Decimal>,
    /// `standard` unless another is given.
    tax_class: Option<String>,
}

impl From<&domain::Interest> for Interest {
    fn from(interest: &domain::Interest) -> Interest {
        Interest {
            rate: Decimal(interest.rate),
            day_count: interest.day_count.into(),
            cap_percent: interest.cap_percent.map(Decimal),
            tax_class: Some(interest.tax_class.clone()),
        }
    }
}

impl Interest {
    fn made(&self) -> domain::Interest {
        domain::Interest {
            rate: self.rate.0,
            day_count: self.day_count.into(),
            cap_percent: self.cap_percent.map(|d| d.0),
            tax_class: class(&self.tax_class),
        }
    }
}

/// What becomes of usage.
#[derive(Clone, Copy, Default, Enum, PartialEq, Eq)]
#[graphql(name = "UsageRule")]
pub enum UsageKind {
    /// All of it is refused.
    #[default]
    Refused,
    /// Usage of the charges named is refused.
    RefusedFor,
    Allowed,
}

/// Services that are restricted; without offers and product lines: all of the account.
#[derive(SimpleObject, InputObject)]
#[graphql(name = "DunningRestriction", input_name = "DunningRestrictionInput")]
pub struct Restriction {
    /// Codes.
    #[graphql(default)]
    offers: Vec<String>,
    #[graphql(default)]
    product_lines: Vec<String>,
    /// Recurring charges stop.
    #[graphql(default)]
    billing_stops: bool,
    usage: UsageKind,
    /// Codes of usage charges, with `REFUSED_FOR`.
    #[graphql(default)]
    charges: Vec<String>,
}

impl From<&domain::Restriction> for Restriction {
    fn from(restriction: &domain::Restriction) -> Restriction {
        let (usage, charges) = match &restriction.usage {
            UsageRule::Refused => (UsageKind::Refused, vec![]),
            UsageRule::RefusedFor(charges) => (UsageKind::RefusedFor, charges.clone()),
            UsageRule::Allowed => (UsageKind::Allowed, vec![]),
        };
        Restriction {
            offers: restriction.offers.clone(),
            product_lines: restriction.product_lines.clone(),
            billing_stops: restriction.billing_stops,
            usage,
            charges,
        }
    }
}

impl Restriction {
    fn made(&self) -> domain::Restriction {
        domain::Restriction {
            offers: self.offers.clone(),
            product_lines: self.product_lines.clone(),
            billing_stops: self.billing_stops,
            usage: match self.usage {
                UsageKind::Refused => UsageRule::Refused,
                UsageKind::RefusedFor => UsageRule::RefusedFor(self.charges.clone()),
                UsageKind::Allowed => UsageRule::Allowed,
            },
        }
    }
}

/// A message; without a channel or language: those that the customer prefers.
#[derive(SimpleObject, InputObject)]
#[graphql(name = "DunningNotice", input_name = "DunningNoticeInput")]
pub struct Notice {
    template: String,
    channel: Option<Channel>,
    language: Option<String>,
}

impl From<&domain::Notice> for Notice {
    fn from(notice: &domain::Notice) -> Notice {
        Notice {
            template: notice.template.clone(),
            channel: notice.channel.map(Channel::from),
            language: notice.language.clone(),
        }
    }
}

impl Notice {
    fn made(&self) -> domain::Notice {
        domain::Notice {
            template: self.template.clone(),
            channel: self.channel.map(Into::into),
            language: self.language.clone(),
        }
    }
}

/// An action with the terms of its kind, and no others.
#[derive(InputObject)]
pub struct DunningActionInput {
    kind: ActionKind,
    /// Of `FEE`.
    fee: Option<Decimal>,
    /// Of `LATE_FEE`.
    late_fee: Option<LateFee>,
    /// Of `INTEREST`.
    interest: Option<Interest>,
    /// Of `RESTRICT`.
    restriction: Option<Restriction>,
    /// Of `HAND_OVER`.
    agency: Option<String>,
    /// Of `SEND`.
    notice: Option<Notice>,
}

#[derive(InputObject)]
pub struct DunningLevelInput {
    name: String,
    after_days: u32,
    minimum: Option<Decimal>,
    actions: Vec<DunningActionInput>,
}

impl DunningLevelInput {
    pub fn made(&self) -> Result<DunningLevel> {
        Ok(DunningLevel {
            name: self.name.clone(),
            after_days: self.after_days,
            minimum: self.minimum.map(|minimum| minimum.0),
            actions: self.actions.iter().map(action).collect::<Result<_>>()?,
        })
    }
}

fn action(input: &DunningActionInput) -> Result<DunningAction> {
    check(input)?;
    let missing = |what: &str| {
        errors::refused(
            "ACTION_INCOMPLETE",
            format!("an action of this kind needs `{what}`"),
        )
    };
    Ok(match input.kind {
        ActionKind::Remind => DunningAction::Remind,
        ActionKind::Suspend => DunningAction::Suspend,
        ActionKind::RetryPayment => DunningAction::RetryPayment,
        ActionKind::WriteOff => DunningAction::WriteOff,
        ActionKind::Hold => DunningAction::Hold,
        ActionKind::Terminate => DunningAction::Terminate,
        ActionKind::Fee => match input.fee {
            Some(fee) => DunningAction::Fee(fee.0),
            None => {
                let why = "an action of kind FEE needs a `fee`";
                return Err(errors::refused("FEE_MISSING", why));
            }
        },
        ActionKind::LateFee => {
            let fee = input.late_fee.as_ref().ok_or_else(|| missing("lateFee"))?;
            DunningAction::LateFee(fee.made())
        }
        ActionKind::Interest => {
            let interest = input.interest.as_ref();
            DunningAction::Interest(interest.ok_or_else(|| missing("interest"))?.made())
        }
        ActionKind::Restrict => {
            let restriction = input.restriction.as_ref();
            DunningAction::Restrict(restriction.ok_or_else(|| missing("restriction"))?.made())
        }
        ActionKind::HandOver => DunningAction::HandOver {
            agency: input.agency.clone().ok_or_else(|| missing("agency"))?,
        },
        ActionKind::Send => {
            let notice = input.notice.as_ref().ok_or_else(|| missing("notice"))?;
            DunningAction::Send(notice.made())
        }
    })
}

/// Refuses terms of another kind than the action's.
fn check(input: &DunningActionInput) -> Result<()> {
    if let Some(fee) = input.fee
        && input.kind != ActionKind::Fee
    {
        return Err(errors::refused(
            "FEE_UNEXPECTED",
            format!("the fee {} belongs to an action of kind FEE only", fee.0),
        ));
    }
    let given = [
        (ActionKind::LateFee, input.late_fee.is_some(), "lateFee"),
        (ActionKind::Interest, input.interest.is_some(), "interest"),
        (
            ActionKind::Restrict,
            input.restriction.is_some(),
            "restriction",
        ),
        (ActionKind::HandOver, input.agency.is_some(), "agency"),
        (ActionKind::Send, input.notice.is_some(), "notice"),
    ];
    let stray = given
        .iter()
        .find(|(kind, given, _)| *given && *kind != input.kind);
    match stray {
        Some((_, _, name)) => Err(errors::refused(
            "ACTION_TERMS_UNEXPECTED",
            format!("`{name}` belongs to an action of another kind"),
        )),
        None => Ok(()),
    }
}
