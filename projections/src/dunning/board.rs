//! The dunning board: who is being dunned, how far it went, and each step that was taken.

use indelible_domain::dunning::Event as Fact;
use indelible_domain::kernel::{Date, Id, Money};
use indelible_domain::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::{Page, Projection, Rows, Snapshot, ViewError};

/// An account that was dunned at least once, or whose dunning is paused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    pub account: Id,
    /// Something overdue was dunned and is not cleared yet.
    pub open: bool,
    /// Episodes so far, the open one included.
    pub episode: u32,
    /// When the open episode, or the last one, began.
    pub began: Option<Date>,
    /// The highest level reached in it, and when.
    pub level: Option<String>,
    pub reached_on: Option<Date>,
    /// The oldest overdue invoice when that level was reached.
    pub oldest: Option<Id>,
    /// What was overdue then.
    pub overdue: Option<Money>,
    /// Subscriptions that are paused for it.
    pub suspended: Vec<Id>,
    /// Late fees of this episode.
    pub fees: Option<Money>,
    pub cleared_on: Option<Date>,
    /// Why nothing is done for the time being.
    pub paused: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    LevelReached,
    Reminded,
    FeeCharged,
    Suspended,
    RetryAsked,
    WroteOff,
    Cleared,
    Reopened,
    Paused,
    Resumed,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::LevelReached => "level reached",
            Kind::Reminded => "reminded",
            Kind::FeeCharged => "fee charged",
            Kind::Suspended => "suspended",
            Kind::RetryAsked => "retry asked",
            Kind::WroteOff => "wrote off",
            Kind::Cleared => "cleared",
            Kind::Reopened => "reopened",
            Kind::Paused => "paused",
            Kind::Resumed => "resumed",
        }
    }
}

/// Something that was done to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub account: Id,
    pub on: Date,
    pub kind: Kind,
    pub level: Option<String>,
    /// What was overdue, charged or written off.
    pub amount: Option<Money>,
    pub position: u64,
}

/// How often a kind of step was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub kind: Kind,
    pub times: u64,
}

/// Rows: `c/account` a [`Case`]; `o/account` an empty row while it is open; `s/account/position` and `t/position` a
/// [`Step`]; `n/kind` a [`Count`].
pub struct Board;

impl Projection for Board {
    const NAME: &'static str = "dunning/board";
    const VERSION: u32 = 1;
    const KINDS: &'static [&'static str] = &["dunning"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let Event::Dunning(fact) = &recorded.event else {
            return Ok(());
        };
        let account = &recorded.id;
        let step = step(recorded, fact);
        rows.put(&format!("s/{account}/{:020}", step.position), &step)?;
        rows.put(&format!("t/{:020}", step.position), &step)?;
        let times_key = format!("n/{:02}", step.kind as u8);
        let times = rows.get::<Count>(&times_key)?.map_or(0, |c| c.times) + 1;
        let kind = step.kind;
        rows.put(&times_key, &Count { kind, times })?;
        let mut open = false;
        rows.update(&format!("c/{account}"), |case: &mut Case| {
            case.account.clone_from(account);
            apply(case, fact);
            open = case.open;
        })?;
        match open {
            true => rows.put(&format!("o/{account}"), &()),
            false => rows.remove(&format!("o/{account}")),
        }
    }
}

fn step(recorded: &Recorded<Event>, fact: &Fact) -> Step {
    let (kind, on, level, amount) = match fact {
        Fact::LevelReached(e) => (Kind::LevelReached, e.on, Some(&e.level), Some(e.overdue)),
        Fact::Reminded(e) => (Kind::Reminded, e.on, Some(&e.level), Some(e.overdue)),
        Fact::FeeCharged(e) => (Kind::FeeCharged, e.on, Some(&e.level), Some(e.amount)),
        Fact::Suspended(e) => (Kind::Suspended, e.on, Some(&e.level), None),
        Fact::RetryAsked(e) => (Kind::RetryAsked, e.on, Some(&e.level), None),
        Fact::WroteOff(e) => (Kind::WroteOff, e.on, Some(&e.level), Some(e.amount)),
        Fact::Cleared(e) => (Kind::Cleared, e.on, None, None),
        Fact::Reopened(e) => (Kind::Reopened, e.on, None, None),
        Fact::Paused(e) => (Kind::Paused, e.on, None, None),
        Fact::Resumed(e) => (Kind::Resumed, e.on, None, None),
    };
    Step {
        account: recorded.id.clone(),
        on,
        kind,
        level: level.cloned(),
        amount,
        position: recorded.position,
    }
}

fn apply(case: &mut Case, fact: &Fact) {
    match fact {
        Fact::LevelReached(e) => {
            if !case.open {
                *case = Case {
                    account: std::mem::take(&mut case.account),
                    open: true,
                    began: Some(e.on),
                    ..Case::default()
                };
            }
            case.episode = e.episode;
            case.level = Some(e.level.clone());
            case.reached_on = Some(e.on);
            case.oldest = Some(e.oldest.clone());
            case.overdue = Some(e.overdue);
        }
        Fact::FeeCharged(e) => {
            case.fees = Some(case.fees.map_or(e.amount, |fees| fees.plus(e.amount)));
        }
        Fact::Suspended(e) => case.suspended.extend(e.subscriptions.iter().cloned()),
        Fact::Cleared(e) => {
            case.open = false;
            case.cleared_on = Some(e.on);
            case.suspended.clear();
        }
        Fact::Paused(e) => case.paused = Some(e.reason.clone()),
        Fact::Resumed(_) => case.paused = None,
        Fact::Reminded(_) | Fact::RetryAsked(_) | Fact::WroteOff(_) | Fact::Reopened(_) => {}
    }
}

/// The case of one account.
pub fn get(snapshot: &Snapshot<'_>, account: &str) -> Result<Option<Case>, ViewError> {
    snapshot.get::<Board, _>(&format!("c/{account}"))
}

/// Open cases, or all that ever were, by account.
pub fn page(
    snapshot: &Snapshot<'_>,
    only_open: bool,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Case>, ViewError> {
    if !only_open {
        return snapshot.page::<Board, _>("c/", after, limit);
    }
    let open = snapshot.page::<Board, ()>("o/", after, limit)?;
    let mut rows = Vec::with_capacity(open.rows.len());
    for (account, ()) in open.rows {
        if let Some(case) = get(snapshot, &account)? {
            rows.push((account, case));
        }
    }
    let more = open.more;
    Ok(Page { rows, more })
}

/// Steps of one account, or of all, in the order they were taken.
pub fn steps(
    snapshot: &Snapshot<'_>,
    account: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Step>, ViewError> {
    let prefix = account.map_or("t/".to_string(), |account| format!("s/{account}/"));
    snapshot.page::<Board, _>(&prefix, after, limit)
}

/// How often each kind of step was taken.
pub fn counts(snapshot: &Snapshot<'_>) -> Result<Vec<Count>, ViewError> {
    let mut found = Vec::new();
    snapshot.each::<Board, Count>("n/", "n0", &mut |_, count| {
        found.push(count);
        Ok(true)
    })?;
    Ok(found)
}
