//! The time a contract was agreed to run for at least: how it renews, how much notice it asks, and what follows its end.
//!
//! - The end of the nth renewal is counted from the first day, never chained (policy 7).
//! - A renewal is a fact of its own day, however late it is told.

use super::{EndKind, Ended, Ending, Event, Subscription, Unused};
use crate::kernel::{Date, Rejection, Span, calendar::add_days};
use serde::{Deserialize, Serialize};

/// What follows the last day of a tenure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtEnd {
    /// The subscription runs on, and may be ended at any day that the notice allows.
    #[default]
    GoOn,
    /// It is agreed for another stretch.
    Renew,
    Terminate,
    /// It is paused until somebody resumes it.
    Pause,
}

/// What is agreed of a tenure, by the command or by the offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenureTerms {
    pub lasts: Span,
    /// Length of a renewal; none: as long as the first time.
    #[serde(default)]
    pub renews: Option<Span>,
    /// How long before an end it must be asked for, and how long before its own end the tenure is told of.
    #[serde(default)]
    pub notice: Option<Span>,
    #[serde(default)]
    pub at_end: AtEnd,
}

/// The tenure of one subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tenure {
    pub from: Date,
    pub terms: TenureTerms,
    pub renewals: u32,
    /// The end it was told of ahead.
    pub told: Option<Date>,
    /// Its last day has passed and it does not renew.
    pub over: bool,
}

/// The reason of a pause that follows a tenure.
pub const TENURE_OVER: &str = "end of tenure";

/// Longest way that a search for a day goes; a span has at most 1,200 units.
const STEPS_MAX: u32 = 40_000;

impl Tenure {
    pub fn new(from: Date, terms: TenureTerms) -> Tenure {
        Tenure {
            from,
            terms,
            renewals: 0,
            told: None,
            over: false,
        }
    }

    /// The first day after the tenure, its renewals included.
    pub fn until(&self) -> Date {
        self.until_after(self.renewals)
    }

    fn until_after(&self, renewals: u32) -> Date {
        let (first, more) = (
            self.terms.lasts,
            self.terms.renews.unwrap_or(self.terms.lasts),
        );
        let sum = |first: u32, more: u32| first.saturating_add(more.saturating_mul(renewals));
        Span {
            months: sum(first.months, more.months),
            days: sum(first.days, more.days),
        }
        .after(self.from)
    }

    /// The last day on which an end at the tenure's own end may be asked for.
    pub fn notice_by(&self) -> Option<Date> {
        let (notice, until) = (self.terms.notice?, self.until());
        let most = i64::from(notice.months) * 31 + i64::from(notice.days);
        let mut day = add_days(until, -most);
        while notice.after(add_days(day, 1)) <= until {
            day = add_days(day, 1);
        }
        Some(day)
    }

    /// The first day on which the subscription may end, if that is asked for on `given`.
    pub fn earliest_end(&self, given: Date) -> Date {
        let noticed = self
            .terms
            .notice
            .map_or(given, |notice| notice.after(given));
        let until = self.until();
        if noticed <= until || self.terms.at_end != AtEnd::Renew {
            return noticed.max(until);
        }
        (self.renewals..self.renewals.saturating_add(STEPS_MAX))
            .map(|n| self.until_after(n))
            .find(|until| *until >= noticed)
            .unwrap_or(noticed)
    }

    /// The end that follows from what was agreed.
    pub(super) fn planned_end(&self) -> Option<Ended> {
        let ending = Ending {
            reason: TENURE_OVER.to_string(),
            ..Ending::on(self.until(), Unused::CreditProrata)
        };
        (self.terms.at_end == AtEnd::Terminate).then_some(Ended { ending })
    }

    /// The next day on which something of it has to be said or done; none: never again.
    pub fn next_day(&self, end: Option<Date>) -> Option<Date> {
        let until = self.until();
        if self.over || end.is_some_and(|end| end < until) {
            return None;
        }
        let told = self.told == Some(until);
        let notice = self.notice_by().filter(|_| !told);
        notice.or_else(|| end.is_none().then_some(until))
    }
}

/// A subscription is agreed to run for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TenureAgreed {
    pub from: Date,
    pub terms: TenureTerms,
}

/// The end of the tenure is near: told when an end at it can be asked for the last time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TenureEnding {
    pub until: Date,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Renewed {
    /// How often it was renewed, this time included.
    pub renewals: u32,
    /// First day of the renewal.
    pub from: Date,
    pub until: Date,
}

/// The tenure is over and does not renew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TenureOver {
    pub on: Date,
}

pub(super) fn agree(
    state: &Subscription,
    from: Date,
    terms: TenureTerms,
) -> Result<Vec<Event>, Rejection> {
    if !state.awaits {
        super::decide::running(state, from)?;
    }
    let long_enough = |span: Option<Span>| span.is_none_or(|span| !span.is_zero());
    if !long_enough(Some(terms.lasts)) || !long_enough(terms.renews) {
        return Err(Rejection::new(
            "TENURE_EMPTY",
            "a tenure and its renewals last at least a day",
        ));
    }
    if let Some(end) = &state.end {
        return Err(super::ending::ended(end, end.on));
    }
    let tenure = Tenure::new(from, terms);
    if state.tenure.as_ref() == Some(&tenure) {
        return Ok(vec![]);
    }
    let mut events: Vec<Event> = vec![TenureAgreed { from, terms }.into()];
    if !state.awaits {
        events.extend(tenure.planned_end().map(Into::into));
    }
    Ok(events)
}

/// Takes a tenure over as it stands with what another account had: one that is over is over here too, and stops nothing again.
/// `ends`: its end was not withdrawn.
pub(super) fn carry(
    state: &Subscription,
    tenure: &Tenure,
    ends: bool,
) -> Result<Vec<Event>, Rejection> {
    let mut events = agree(state, tenure.from, tenure.terms)?;
    if tenure.over || !ends {
        events.retain(|event| !matches!(event, Event::Ended(_)));
    }
    if tenure.over {
        events.push(TenureOver { on: tenure.until() }.into());
    }
    Ok(events)
}

/// The end of the tenure itself holds again where an earlier end, or a hand-over, that took its place is taken back.
pub(super) fn end_again(state: &Subscription, undone: &Ending) -> Vec<Event> {
    let Some(tenure) = state.tenure.as_ref().filter(|t| !t.over) else {
        return vec![];
    };
    let Some(own) = tenure.planned_end() else {
        return vec![];
    };
    if own.ending == *undone || own.ending.on < undone.on {
        return vec![];
    }
    let agreed = TenureAgreed {
        from: tenure.from,
        terms: tenure.terms,
    };
    let told = tenure.told.map(|until| TenureEnding { until }.into());
    [agreed.into()]
        .into_iter()
        .chain(told)
        .chain([own.into()])
        .collect()
}

/// Tells and does what the tenure asks for up to a day; a late or repeated call does the same.
pub(super) fn tend(state: &Subscription, today: Date) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let Some(mut tenure) = state.tenure.clone() else {
        return events;
    };
    let end = state.end.as_ref().map(|e| e.on);
    if matches!(&state.end, Some(e) if e.kind != EndKind::Terminated) {
        return events;
    }
    for _ in 0..STEPS_MAX {
        let Some(_) = tenure.next_day(end).filter(|day| *day <= today) else {
            break;
        };
        let until = tenure.until();
        let near = tenure.notice_by().is_some_and(|by| by <= today);
        if near && tenure.told != Some(until) {
            tenure.told = Some(until);
            events.push(TenureEnding { until }.into());
            continue;
        }
        if tenure.terms.at_end == AtEnd::Renew {
            tenure.renewals += 1;
            events.push(
                Renewed {
                    renewals: tenure.renewals,
                    from: until,
                    until: tenure.until(),
                }
                .into(),
            );
            continue;
        }
        tenure.over = true;
        events.push(TenureOver { on: until }.into());
        if tenure.terms.at_end == AtEnd::Pause {
            let paused = |p: &super::Pause| p.reason == TENURE_OVER && p.until.is_none();
            if !state.pauses.iter().any(paused) {
                events.push(
                    super::Paused {
                        reason: TENURE_OVER.to_string(),
                        from: until,
                    }
                    .into(),
                );
            }
        }
    }
    events
}
