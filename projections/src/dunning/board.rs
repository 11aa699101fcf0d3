//! The dunning board: who is being dunned, how far it went, and each step that was taken.

use indelible_domain::dunning::{Event as Fact, Why};
use indelible_domain::kernel::{Date, Id, Money};
use indelible_domain::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::{Page, Projection, Rows, Snapshot, ViewError};

/// Where a case stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing is dunned.
    #[default]
    Clear,
    /// Something overdue is being dunned.
    Open,
    /// What was overdue was written off, and not paid since.
    GivenUp,
    /// The episode was ended by hand.
    Stopped,
}

/// An account that was dunned at least once, or whose dunning is paused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    pub account: Id,
    /// Something overdue was dunned and is not cleared yet.
    pub open: bool,
    pub stage: Stage,
    /// The policy of the episode, and what chose it.
    pub policy: Option<Id>,
    pub why: Option<Why>,
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
    /// Subscriptions that are paused or restricted for it, by level.
    pub suspended: Vec<Measure>,
    /// Late fees and interest of this episode, without what was waived.
    pub fees: Option<Money>,
    pub interest: Option<Money>,
    pub cleared_on: Option<Date>,
    /// Why nothing is done for the time being.
    pub paused: Option<String>,
    /// Last day of the pause.
    pub paused_until: Option<Date>,
    /// What was promised by then.
    pub promised: Option<Money>,
    /// Nothing new is sold to the account.
    pub held: bool,
    /// Who collects.
    pub agency: Option<String>,
    /// Invoices that are not dunned.
    pub excluded: Vec<Id>,
    /// Charges of fees and interest that can be waived.
    pub charges: Vec<Charged>,
}

/// Subscriptions that a level paused or restricted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    pub level: String,
    pub subscriptions: Vec<Id>,
}

/// A fee or interest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charged {
    pub charge: Id,
    pub amount: Money,
    pub interest: bool,
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
    Begun,
    Noticed,
    InterestCharged,
    InterestCarried,
    Restricted,
    Held,
    HoldLifted,
    HandedOver,
    Recalled,
    Terminated,
    Waived,
    SteppedBack,
    Deferred,
    InvoiceLost,
    GivenUp,
    PausedUntil,
    Promised,
    PromiseKept,
    PromiseBroken,
    Excluded,
    Included,
    Stopped,
    Switched,
    Restored,
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
            Kind::Begun => "begun",
            Kind::Noticed => "noticed",
            Kind::InterestCharged => "interest charged",
            Kind::InterestCarried => "interest carried",
            Kind::Restricted => "restricted",
            Kind::Held => "held",
            Kind::HoldLifted => "hold lifted",
            Kind::HandedOver => "handed over",
            Kind::Recalled => "recalled",
            Kind::Terminated => "terminated",
            Kind::Waived => "waived",
            Kind::SteppedBack => "stepped back",
            Kind::Deferred => "deferred",
            Kind::InvoiceLost => "invoice lost",
            Kind::GivenUp => "given up",
            Kind::PausedUntil => "paused until",
            Kind::Promised => "promised",
            Kind::PromiseKept => "promise kept",
            Kind::PromiseBroken => "promise broken",
            Kind::Excluded => "excluded",
            Kind::Included => "included",
            Kind::Stopped => "stopped",
            Kind::Switched => "switched",
            Kind::Restored => "restored",
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
    const VERSION: u32 = 2;
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

/// What a fact of a case says: what was done, when, at which level, and the amount it is about.
pub fn read(fact: &Fact) -> (Kind, Date, Option<&String>, Option<Money>) {
    match fact {
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
        Fact::Begun(e) => (Kind::Begun, e.on, None, None),
        Fact::Noticed(e) => (Kind::Noticed, e.on, Some(&e.level), None),
        Fact::InterestCharged(e) => (Kind::InterestCharged, e.on, Some(&e.level), Some(e.amount)),
        Fact::InterestCarried(e) => (Kind::InterestCarried, e.on, None, None),
        Fact::Restricted(e) => (Kind::Restricted, e.on, Some(&e.level), None),
        Fact::Held(e) => (Kind::Held, e.on, Some(&e.level), None),
        Fact::HoldLifted(e) => (Kind::HoldLifted, e.on, None, None),
        Fact::HandedOver(e) => (Kind::HandedOver, e.on, Some(&e.level), Some(e.amount)),
        Fact::Recalled(e) => (Kind::Recalled, e.on, None, None),
        Fact::Terminated(e) => (Kind::Terminated, e.on, Some(&e.level), None),
        Fact::Waived(e) => (Kind::Waived, e.on, None, Some(e.amount)),
        Fact::SteppedBack(e) => (Kind::SteppedBack, e.on, Some(&e.to), None),
        Fact::Deferred(e) => (Kind::Deferred, e.on, None, Some(e.paid)),
        Fact::InvoiceLost(e) => (Kind::InvoiceLost, e.on, None, Some(e.amount)),
        Fact::GivenUp(e) => (Kind::GivenUp, e.on, None, None),
        Fact::PausedUntil(e) => (Kind::PausedUntil, e.on, None, None),
        Fact::Promised(e) => (Kind::Promised, e.on, None, Some(e.amount)),
        Fact::PromiseKept(e) => (Kind::PromiseKept, e.on, None, None),
        Fact::PromiseBroken(e) => (Kind::PromiseBroken, e.on, None, Some(e.missing)),
        Fact::Excluded(e) => (Kind::Excluded, e.on, None, None),
        Fact::Included(e) => (Kind::Included, e.on, None, None),
        Fact::Stopped(e) => (Kind::Stopped, e.on, None, None),
        Fact::Switched(e) => (Kind::Switched, e.on, None, None),
        Fact::Restored(e) => (Kind::Restored, e.on, None, None),
    }
}

/// The case of an account as facts of it leave it, in their order, and its steps; none: nothing of it was dunned or paused.
/// For whoever asks for a past day: the rows of the read model are of today.
pub fn of_facts(account: &str, facts: &[Recorded<Event>]) -> Option<(Case, Vec<Step>)> {
    let (mut case, mut steps) = (Case::default(), Vec::new());
    case.account = account.to_string();
    for recorded in facts {
        let Event::Dunning(fact) = &recorded.event else {
            continue;
        };
        apply(&mut case, fact);
        steps.push(step(recorded, fact));
    }
    (!steps.is_empty()).then_some((case, steps))
}

fn step(recorded: &Recorded<Event>, fact: &Fact) -> Step {
    let (kind, on, level, amount) = read(fact);
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
        Fact::Begun(e) => {
            begin(case, e.on);
            case.episode = e.episode;
            case.policy = Some(e.policy.clone());
            case.why = Some(e.why.clone());
        }
        Fact::LevelReached(e) => {
            // Episodes of before a policy was chosen for each begin with their first level.
            if !case.open {
                begin(case, e.on);
            }
            case.episode = e.episode;
            case.level = Some(e.level.clone());
            case.reached_on = Some(e.on);
            case.oldest = Some(e.oldest.clone());
            case.overdue = Some(e.overdue);
        }
        Fact::FeeCharged(e) => charged(case, &e.charge, e.amount, false),
        Fact::InterestCharged(e) => charged(case, &e.charge, e.amount, true),
        Fact::Waived(e) => waived(case, &e.charge),
        Fact::Suspended(e) => measure(case, &e.level, &e.subscriptions),
        Fact::Restricted(e) => measure(case, &e.level, &e.subscriptions),
        Fact::Restored(_) => case.suspended.clear(),
        Fact::Held(_) => case.held = true,
        Fact::HoldLifted(_) => case.held = false,
        Fact::HandedOver(e) => case.agency = Some(e.agency.clone()),
        Fact::Recalled(_) => case.agency = None,
        Fact::SteppedBack(e) => {
            case.level = Some(e.to.clone());
            case.suspended.retain(|m| !e.undone.contains(&m.level));
        }
        Fact::Cleared(e) => {
            // An episode that was given up may be paid while the next one is open.
            if e.episode == case.episode {
                end(case, Stage::Clear);
                case.cleared_on = Some(e.on);
                case.suspended.clear();
            }
        }
        Fact::GivenUp(_) => end(case, Stage::GivenUp),
        Fact::Stopped(e) => {
            end(case, Stage::Stopped);
            exclude(case, &e.invoices);
            if e.restored {
                case.suspended.clear();
            }
            resume(case);
        }
        Fact::Paused(e) => case.paused = Some(e.reason.clone()),
        Fact::PausedUntil(e) => {
            case.paused = Some(e.reason.clone());
            case.paused_until = Some(e.until);
        }
        Fact::Promised(e) => {
            case.paused = Some("promised to pay".to_string());
            case.paused_until = Some(e.until);
            case.promised = Some(e.amount);
        }
        Fact::Resumed(_) | Fact::PromiseKept(_) | Fact::PromiseBroken(_) => resume(case),
        Fact::Excluded(e) => exclude(case, std::slice::from_ref(&e.invoice)),
        Fact::Included(e) => case.excluded.retain(|i| *i != e.invoice),
        Fact::Switched(e) => {
            case.policy = Some(e.policy.clone());
            case.why = Some(Why::Hand);
        }
        Fact::Reminded(_)
        | Fact::Noticed(_)
        | Fact::InterestCarried(_)
        | Fact::RetryAsked(_)
        | Fact::WroteOff(_)
        | Fact::InvoiceLost(_)
        | Fact::Terminated(_)
        | Fact::Deferred(_)
        | Fact::Reopened(_) => {}
    }
}

/// What outlives an episode stays: a pause, exclusions, what may be waived, and restrictions of one that was given up.
fn begin(case: &mut Case, on: Date) {
    let before = std::mem::take(case);
    let in_force = before.stage != Stage::Clear;
    *case = Case {
        account: before.account,
        open: true,
        stage: Stage::Open,
        began: Some(on),
        paused: before.paused,
        paused_until: before.paused_until,
        promised: before.promised,
        excluded: before.excluded,
        charges: before.charges,
        suspended: match in_force {
            true => before.suspended,
            false => vec![],
        },
        held: in_force && before.held,
        agency: before.agency.filter(|_| in_force),
        ..Case::default()
    };
}

fn end(case: &mut Case, stage: Stage) {
    case.open = false;
    case.stage = stage;
}

fn resume(case: &mut Case) {
    case.paused = None;
    case.paused_until = None;
    case.promised = None;
}

fn measure(case: &mut Case, level: &str, subscriptions: &[Id]) {
    case.suspended.push(Measure {
        level: level.to_string(),
        subscriptions: subscriptions.to_vec(),
    });
}

fn exclude(case: &mut Case, invoices: &[Id]) {
    for invoice in invoices {
        if !case.excluded.contains(invoice) {
            case.excluded.push(invoice.clone());
        }
    }
}

fn charged(case: &mut Case, charge: &str, amount: Money, interest: bool) {
    case.charges.push(Charged {
        charge: charge.to_string(),
        amount,
        interest,
    });
    let sum = match interest {
        true => &mut case.interest,
        false => &mut case.fees,
    };
    *sum = Some(sum.map_or(amount, |before| before.plus(amount)));
}

fn waived(case: &mut Case, charge: &str) {
    let Some(i) = case.charges.iter().position(|c| c.charge == charge) else {
        return;
    };
    let Charged {
        amount, interest, ..
    } = case.charges.remove(i);
    let sum = match interest {
        true => &mut case.interest,
        false => &mut case.fees,
    };
    // A fee of an earlier episode is not in this one's sum.
    *sum = sum
        .map(|before| before.minus(amount))
        .filter(|s| !s.is_negative());
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
