//! What comes next for an account, and on which day.
//!
//! Worked out from the contract terms, the rules, the case and what is open, and from nothing else: no clock, no run. So it
//! is the same whenever it is asked, and asking late finds what was due earlier.

use super::owed::{self, Owed};
use super::rules::{self, Choice, Subject, Why};
use super::{Case, Policy};
use crate::accounts::{Account, AccountTerms, folio};
use crate::command::DunningLevel;
use crate::entities::LegalEntity;
use crate::kernel::{Date, Exact, Money, calendar::add_days};
use crate::receivables::Receivables;
use crate::session::Session;
use crate::world::{Noun, Tables};
use std::borrow::Cow;

/// Where aggregates are read from: the world as it stands, or a session at work.
pub trait Look {
    fn state<N: Noun>(&self, id: &str) -> Option<&N::State>;
}

impl Look for Tables {
    fn state<N: Noun>(&self, id: &str) -> Option<&N::State> {
        N::table(self).get(id).map(|e| &e.state)
    }
}

impl Look for Session<'_> {
    fn state<N: Noun>(&self, id: &str) -> Option<&N::State> {
        self.find::<N>(id).map(|e| &e.state)
    }
}

/// The next thing that time alone brings about.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Level {
        choice: Choice,
        level: DunningLevel,
        on: Date,
    },
    /// A pause is over, or a promise is broken.
    PauseEnds { on: Date },
}

impl Next {
    pub fn on(&self) -> Date {
        match self {
            Next::Level { on, .. } | Next::PauseEnds { on } => *on,
        }
    }
}

/// What comes next for an account that owes what `receivables` says; none while it is paused without an end, when nothing
/// is open, or when no level is left.
///
/// A level of n days is reached on the day n days after the oldest due date (policy 29), or on the first day after
/// that on which at least its minimum is overdue. Before an episode the policy is chosen by what is overdue on each
/// day, so a rule about the amount can choose another one as more falls due.
pub fn next(look: &impl Look, account: &str, receivables: &Receivables) -> Option<Next> {
    let none = Case::default();
    let case = look.state::<Case>(account).unwrap_or(&none);
    if let Some(pause) = &case.paused {
        let on = add_days(pause.until?, 1);
        return Some(Next::PauseEnds { on });
    }
    // Nobody dunns most accounts of most ledgers, and what is open may be years of invoices.
    if standing(case).is_none() && !may_be_dunned(look, account) {
        return None;
    }
    // A payment plan that is not kept changes what is due on the day on which it breaks.
    let plans = receivables.plans.keys();
    let mut breaks: Vec<Date> = plans.filter_map(|p| receivables.broken_on(p)).collect();
    breaks.sort();
    breaks.insert(0, Date::MIN);
    for (i, from) in breaks.iter().enumerate() {
        let owed = owed::owed(case, receivables, *from);
        let Some((choice, level, on)) = level_of(look, account, case, &owed) else {
            continue;
        };
        let on = on.max(*from);
        if breaks.get(i + 1).is_none_or(|until| on < *until) {
            return Some(Next::Level { choice, level, on });
        }
    }
    None
}

fn level_of(
    look: &impl Look,
    account: &str,
    case: &Case,
    owed: &[Owed],
) -> Option<(Choice, DunningLevel, Date)> {
    if let Some(choice) = standing(case) {
        let policy = look.state::<Policy>(&choice.policy)?;
        let (level, on) = next_level(policy, case, owed)?;
        return Some((choice, level.clone(), on));
    }
    // The day from which each further part is overdue.
    let mut days: Vec<Date> = owed.iter().map(|o| add_days(o.due, 1)).collect();
    days.dedup();
    for (i, from) in days.iter().enumerate() {
        let until = days.get(i + 1);
        let Some(choice) = choose(look, account, owed, *from) else {
            continue;
        };
        let Some(policy) = look.state::<Policy>(&choice.policy) else {
            continue;
        };
        let Some((level, on)) = next_level(policy, case, owed) else {
            continue;
        };
        let on = on.max(*from);
        if until.is_none_or(|until| on < *until) {
            return Some((choice, level.clone(), on));
        }
    }
    None
}

/// Terms of the folio that is dunned.
fn terms_of<'l>(look: &'l impl Look, id: &str) -> Option<Cow<'l, AccountTerms>> {
    folio::terms(id, &look.state::<Account>(folio::owner(id))?.terms)
}

/// Whether a policy could be chosen for an account, whatever is overdue.
fn may_be_dunned(look: &impl Look, account: &str) -> bool {
    let terms = terms_of(look, account);
    let entity = terms
        .as_ref()
        .and_then(|t| look.state::<LegalEntity>(&t.entity));
    match (&terms, entity) {
        (Some(terms), Some(entity)) => rules::may_choose(look, terms, &entity.terms),
        _ => false,
    }
}

/// The policy that holds whatever is overdue: set by hand, or chosen for the open episode.
fn standing(case: &Case) -> Option<Choice> {
    let by_hand = case.by_hand.clone();
    let of_episode = || case.open.as_ref().and_then(|o| o.policy.clone());
    let policy = by_hand.or_else(of_episode)?;
    let why = Why::Hand;
    Some(Choice { policy, why })
}

/// The policy of an account by what is overdue on a day.
pub fn chosen(
    look: &impl Look,
    account: &str,
    receivables: &Receivables,
    on: Date,
) -> Option<Choice> {
    let none = Case::default();
    let case = look.state::<Case>(account).unwrap_or(&none);
    if let Some(choice) = standing(case) {
        return Some(choice);
    }
    if !may_be_dunned(look, account) {
        return None;
    }
    choose(look, account, &owed::owed(case, receivables, on), on)
}

fn choose(look: &impl Look, account: &str, owed: &[Owed], on: Date) -> Option<Choice> {
    let terms = &*terms_of(look, account)?;
    let entity = &look.state::<LegalEntity>(&terms.entity)?.terms;
    let subject = Subject {
        account,
        terms,
        entity,
        on,
        owed,
    };
    rules::choose(look, &subject)
}

fn next_level<'p>(
    policy: &'p Policy,
    case: &Case,
    owed: &[Owed],
) -> Option<(&'p DunningLevel, Date)> {
    let left = policy
        .levels
        .iter()
        .filter(|l| !case.done().contains(&l.name));
    let reached = left.filter_map(|level| {
        let on = reached_on(level, owed)?;
        Some((level, case.not_before.map_or(on, |floor| on.max(floor))))
    });
    // The first of equal days: levels are sorted by their days.
    reached.min_by_key(|(_, on)| *on)
}

/// The day on which what is open reaches a level, whatever was done before.
pub fn reached_on(level: &DunningLevel, owed: &[Owed]) -> Option<Date> {
    let first = add_days(owed.first()?.due, i64::from(level.after_days));
    let Some(minimum) = level.minimum else {
        return Some(first);
    };
    let minimum = Exact::from(minimum);
    let mut overdue = 0_i128;
    for part in owed {
        overdue = overdue.saturating_add(part.amount.minor);
        if Money::new(overdue, part.amount.currency).exact() >= minimum {
            return Some(first.max(add_days(part.due, 1)));
        }
    }
    None
}
