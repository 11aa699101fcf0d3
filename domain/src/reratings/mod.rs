//! A rerating: usage of the past rated again, because records, prices or what is known of them changed (policy 18).
//!
//! - It is done subscription by subscription, then settled payer by payer; each step is a commit, so it goes on after a
//!   crash where it stood.
//! - Old results are reversed and new ones recorded, never edited; so is undoing.
//! - Usage that it adds may be more than one commit takes: it comes in parts, and nothing is settled before the last.
//! - Asked for again under the same id it does nothing; under another id it finds no difference.

mod ask;

use crate::catalog;
use crate::events;
use crate::kernel::{Days, Decider, Id, Money, Rejection};
use crate::subscriptions::Term;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub use ask::{Amend, Ask, Change, KEYS_MAX, Settle, Which};

/// Most subscriptions of one rerating.
pub const SUBSCRIPTIONS_MAX: usize = 50_000;

/// Most differences of one subscription.
pub const DIFFERENCES_MAX: usize = 2_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    #[default]
    Absent,
    /// Subscriptions are rated again, then payers settled.
    Running,
    Done,
    /// What was done is being taken back.
    Undoing,
    Undone,
}

/// What one period of a charge came to, and comes to now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    pub charge: String,
    pub days: Days,
    pub text: String,
    /// With its unit; empty where there was nothing.
    pub quantity_before: String,
    pub quantity_after: String,
    /// Rounded as a line, with allowances, tiers and the charge's minimum, before discounts and tax.
    pub before: Money,
    pub after: Money,
    /// The first document that billed it; none: it is still open, and its invoice shows it.
    pub billed_on: Option<Id>,
    /// The new arithmetic in words.
    pub explain: String,
}

impl Difference {
    pub fn amount(&self) -> Money {
        self.after.minus(self.before)
    }
}

/// What was done to one subscription, as far as undoing needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    pub subscription: Id,
    pub payer: Id,
    pub meters: BTreeSet<Id>,
    /// Its terms before and after, where they changed.
    pub terms: Option<(Vec<Term>, Vec<Term>)>,
}

/// A subscription that could not be rated again; nothing of it changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    pub subscription: Id,
    pub reason: Rejection,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rerating {
    pub stage: Stage,
    pub ask: Option<catalog::Text<Ask>>,
    /// Subscriptions that wait, in order.
    pub pending: Vec<Id>,
    /// Payers that wait to be settled.
    pub payers: BTreeSet<Id>,
    pub done: Vec<Done>,
    pub failed: Vec<Failed>,
    /// (payer, document) of what settled the difference; those of undoing follow.
    pub documents: Vec<(Id, Id)>,
    /// Records that were looked at.
    pub records: u64,
    /// How many parts of what it adds came; 0: it adds nothing, or that came as a whole.
    pub parts: u64,
    /// More parts are to come.
    pub adding: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub ask: catalog::Text<Ask>,
    pub subscriptions: Vec<Id>,
}

/// One subscription was rated again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rerated {
    pub done: Done,
    pub records: u64,
    pub differences: Vec<Difference>,
}

/// These subscriptions come to what they came to before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passed {
    pub subscriptions: Vec<Id>,
    pub records: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    pub failed: Failed,
}

/// The difference to what a payer was invoiced was settled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    pub payer: Id,
    /// None: nothing that was invoiced differs, or the next invoice tells it.
    pub document: Option<Id>,
}

/// A note over the difference on one of several folios of a payer; the payer is settled with the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noted {
    pub payer: Id,
    pub document: Id,
}

/// A part of the usage that it adds was taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartAdded {
    pub batch: Id,
    /// Others follow.
    pub more: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completed {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UndoAsked {
    pub reason: String,
}

/// One subscription came back to what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    pub subscription: Id,
    pub differences: Vec<Difference>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undone {}

events! {
    /// What happens to a rerating.
    pub enum Event in "rerating" {
        Asked = "asked" 1,
        Rerated = "rerated" 1,
        Passed = "passed" 1,
        Refused = "refused" 1,
        Settled = "settled" 1,
        Completed = "completed" 1,
        UndoAsked = "undo-asked" 1,
        Restored = "restored" 1,
        Undone = "undone" 1,
        Noted = "noted" 1,
        PartAdded = "part-added" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Ask {
        ask: Ask,
        subscriptions: Vec<Id>,
    },
    /// Of what it adds.
    Add(PartAdded),
    Rerated(Box<Rerated>),
    Passed {
        subscriptions: Vec<Id>,
        records: u64,
    },
    Refuse(Failed),
    /// Documents by folio, in order.
    Settle {
        payer: Id,
        documents: Vec<Id>,
    },
    /// Everything asked for is done: the rerating, or its undoing.
    Complete,
    Undo {
        reason: String,
    },
    Restored {
        subscription: Id,
        differences: Vec<Difference>,
    },
}

impl Rerating {
    /// Steps that are left: subscriptions, payers and the end.
    pub fn left(&self) -> u64 {
        match self.stage {
            Stage::Running | Stage::Undoing => (self.pending.len() + self.payers.len()) as u64 + 1,
            Stage::Absent | Stage::Done | Stage::Undone => 0,
        }
    }

    fn at_work(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Undoing)
    }
}

impl Decider for Rerating {
    type State = Rerating;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Rerating, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Ask { ask, subscriptions } => begin(state, ask, subscriptions),
            Command::Undo { .. } if matches!(state.stage, Stage::Undoing | Stage::Undone) => {
                Ok(vec![])
            }
            Command::Undo { reason } if state.stage == Stage::Done || state.adding => {
                Ok(vec![UndoAsked { reason }.into()])
            }
            Command::Undo { .. } => Err(Rejection::new(
                "RERATING_NOT_DONE",
                "only a rerating that is done can be undone",
            )),
            _ if !state.at_work() => Err(Rejection::new(
                "RERATING_NOT_OPEN",
                "this rerating is not at work",
            )),
            Command::Add(part) => Ok(vec![part.into()]),
            Command::Rerated(rerated) => {
                if rerated.differences.len() > DIFFERENCES_MAX {
                    return Err(Rejection::new(
                        "RERATING_TOO_LARGE",
                        format!(
                            "subscription {} has {} differences, a rerating tells {DIFFERENCES_MAX} of each: rerate fewer days or charges at once",
                            rerated.done.subscription,
                            rerated.differences.len()
                        ),
                    ));
                }
                Ok(vec![(*rerated).into()])
            }
            Command::Passed { subscriptions, .. } if subscriptions.is_empty() => Ok(vec![]),
            Command::Passed {
                subscriptions,
                records,
            } => Ok(vec![
                Passed {
                    subscriptions,
                    records,
                }
                .into(),
            ]),
            Command::Refuse(failed) => Ok(vec![Refused { failed }.into()]),
            Command::Settle {
                payer,
                mut documents,
            } => {
                let document = documents.pop();
                let note = |document: Id| {
                    let payer = payer.clone();
                    Noted { payer, document }.into()
                };
                let mut events: Vec<Event> = documents.into_iter().map(note).collect();
                events.push(Settled { payer, document }.into());
                Ok(events)
            }
            Command::Restored {
                subscription,
                differences,
            } => Ok(vec![
                Restored {
                    subscription,
                    differences,
                }
                .into(),
            ]),
            Command::Complete if state.adding => Err(in_parts()),
            Command::Complete if state.left() > 1 => Err(Rejection::new(
                "RERATING_NOT_DONE",
                format!("{} steps are still to be done", state.left() - 1),
            )),
            Command::Complete if state.stage == Stage::Undoing => Ok(vec![Undone {}.into()]),
            Command::Complete => Ok(vec![Completed {}.into()]),
        }
    }

    fn evolve(state: &mut Rerating, event: &Event) {
        match event {
            Event::Asked(e) => {
                state.stage = Stage::Running;
                state.ask = Some(e.ask.clone());
                state.pending.clone_from(&e.subscriptions);
            }
            Event::Rerated(e) => {
                state.pending.retain(|id| *id != e.done.subscription);
                state.payers.insert(e.done.payer.clone());
                state.records += e.records;
                // Several parts of what it adds may be of one subscription.
                let mut known = state.done.iter_mut().filter(|_| state.parts > 0);
                match known.find(|known| known.subscription == e.done.subscription) {
                    Some(known) => known.meters.extend(e.done.meters.iter().cloned()),
                    None => state.done.push(e.done.clone()),
                }
            }
            Event::PartAdded(e) => {
                state.parts += 1;
                state.adding = e.more;
            }
            Event::Passed(e) => {
                let passed: BTreeSet<&Id> = e.subscriptions.iter().collect();
                state.pending.retain(|id| !passed.contains(id));
                state.records += e.records;
            }
            Event::Refused(e) => {
                state.pending.retain(|id| *id != e.failed.subscription);
                state.failed.push(e.failed.clone());
            }
            Event::Settled(e) => {
                state.payers.remove(&e.payer);
                let document = e.document.iter().map(|d| (e.payer.clone(), d.clone()));
                state.documents.extend(document);
            }
            Event::Noted(e) => state.documents.push((e.payer.clone(), e.document.clone())),
            Event::Completed(_) => state.stage = Stage::Done,
            Event::UndoAsked(_) => {
                state.stage = Stage::Undoing;
                state.adding = false;
                let done = state.done.iter().rev();
                state.pending = done.map(|d| d.subscription.clone()).collect();
            }
            Event::Restored(e) => {
                state.pending.retain(|id| *id != e.subscription);
                let done = state.done.iter().find(|d| d.subscription == e.subscription);
                state.payers.extend(done.map(|d| d.payer.clone()));
            }
            Event::Undone(_) => state.stage = Stage::Undone,
        }
    }
}

/// What it adds is not there as a whole.
pub(crate) fn in_parts() -> Rejection {
    Rejection::new(
        "RERATING_IN_PARTS",
        "the usage that this rerating adds came in parts, and not all of them: ask for it again as it was asked for",
    )
}

fn begin(state: &Rerating, ask: Ask, subscriptions: Vec<Id>) -> Result<Vec<Event>, Rejection> {
    if let Some(known) = &state.ask {
        return match **known == ask {
            true => Ok(vec![]),
            false => Err(Rejection::new(
                "RERATING_EXISTS",
                "a rerating of this id was asked for with another scope or change",
            )),
        };
    }
    ask.check()?;
    if subscriptions.len() > SUBSCRIPTIONS_MAX {
        return Err(Rejection::new(
            "RERATING_TOO_LARGE",
            format!(
                "the scope has {} subscriptions, a rerating may have {SUBSCRIPTIONS_MAX}: split it by account",
                subscriptions.len()
            ),
        ));
    }
    let ask = catalog::Text::new(ask);
    Ok(vec![Asked { ask, subscriptions }.into()])
}
