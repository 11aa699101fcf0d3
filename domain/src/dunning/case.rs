//! The dunning case of one account.
//!
//! - Each level is reached once in an episode, each of its actions done once, dated at the day it was reached. A level that
//!   a part payment took back may be reached again, by what was left open.
//! - A paused case reaches nothing.
//! - No level is dated before the debt came back: before the last clearing, reopening or resumption.
//! - What restricts services is a measure of an episode. It ends when the episode is cleared, or by hand; not by a write-off.

use super::events::{Event, Span};
use crate::kernel::{Date, Id, Money};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Episodes so far, the open one included.
    pub episodes: u32,
    pub open: Option<Episode>,
    /// The last episode that ended without being paid, while its measures are in force or it may still be paid.
    pub unpaid: Option<Unpaid>,
    /// Nothing is done for the time being.
    pub paused: Option<Pause>,
    /// No level is reached earlier.
    pub not_before: Option<Date>,
    /// Invoices that are not dunned, and why.
    pub excluded: BTreeMap<Id, String>,
    /// Policy set by hand, until the episode ends.
    pub by_hand: Option<Id>,
    /// Fees and interest that were charged and not waived.
    pub charged: BTreeMap<Id, Money>,
    /// From when interest runs, where it is not the due date.
    pub interest_from: BTreeMap<Id, Date>,
    /// Days of principals that changed, whose interest is not charged yet.
    pub carried: Vec<Span>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    pub number: u32,
    pub began: Date,
    /// Policy chosen for it; none in episodes that are older than the choice: what holds for the account now.
    pub policy: Option<Id>,
    /// Levels reached, in order.
    pub done: Vec<String>,
    /// Levels reached, those that were taken back included.
    pub reached: u32,
    pub measures: Vec<Measure>,
    /// Interest charged in it and not waived.
    pub interest: Vec<Id>,
    /// Overdue invoices that were written off in it.
    pub lost: BTreeSet<Id>,
}

/// Something in force until an episode is cleared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    pub level: String,
    pub kind: MeasureKind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MeasureKind {
    /// Subscriptions paused or restricted under a reason.
    Restriction {
        reason: String,
        subscriptions: Vec<Id>,
    },
    Hold,
    HandOver {
        agency: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unpaid {
    pub episode: Episode,
    /// Paid, its measures end.
    pub invoices: Vec<Id>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    pub reason: String,
    /// Last day; none: until it is resumed by hand.
    pub until: Option<Date>,
    pub promise: Option<Promise>,
}

/// Kept when no more than `leaves` is open of `invoices`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    pub amount: Money,
    pub invoices: Vec<Id>,
    pub leaves: Money,
}

impl Case {
    /// The highest level reached; none while all is clear.
    pub fn level(&self) -> Option<&str> {
        self.open
            .as_ref()
            .and_then(|e| e.done.last())
            .map(String::as_str)
    }

    pub fn done(&self) -> &[String] {
        self.open.as_ref().map_or(&[], |e| e.done.as_slice())
    }

    /// Measures in force.
    pub fn measures(&self) -> impl Iterator<Item = &Measure> {
        let open = self.open.iter().flat_map(|e| &e.measures);
        open.chain(self.unpaid.iter().flat_map(|u| &u.episode.measures))
    }

    /// Nothing new is sold to the account.
    pub fn held(&self) -> bool {
        self.measures().any(|m| m.kind == MeasureKind::Hold)
    }

    /// The agency that collects from the account.
    pub fn agency(&self) -> Option<&str> {
        self.measures().find_map(|m| match &m.kind {
            MeasureKind::HandOver { agency } => Some(agency.as_str()),
            _ => None,
        })
    }

    /// Number of the open episode, or of the next one.
    pub fn episode(&self) -> u32 {
        match &self.open {
            Some(open) => open.number,
            None => self.episodes + 1,
        }
    }

    fn measure(&mut self, level: &str, kind: MeasureKind) {
        if let Some(open) = &mut self.open {
            let level = level.to_string();
            open.measures.push(Measure { level, kind });
        }
    }

    fn restricts(&mut self, level: &str, reason: &str, subscriptions: &[Id]) {
        let kind = MeasureKind::Restriction {
            reason: reason.to_string(),
            subscriptions: subscriptions.to_vec(),
        };
        self.measure(level, kind);
    }

    /// Drops measures of the open and the unpaid episode.
    fn drop_measures(&mut self, which: impl Fn(&MeasureKind) -> bool) {
        let unpaid = self.unpaid.iter_mut().map(|u| &mut u.episode);
        for episode in self.open.iter_mut().chain(unpaid) {
            episode.measures.retain(|m| !which(&m.kind));
        }
    }

    fn begin(&mut self, number: u32, began: Date, policy: Option<Id>) -> &mut Episode {
        self.episodes = number;
        self.open.get_or_insert_with(|| Episode {
            number,
            began,
            policy,
            done: vec![],
            reached: 0,
            measures: vec![],
            interest: vec![],
            lost: BTreeSet::new(),
        })
    }

    /// The episode is over, unpaid; an earlier one like it is forgotten with what it left in force taken over.
    fn leave(&mut self, invoices: &[Id]) {
        let Some(mut episode) = self.open.take() else {
            return;
        };
        let mut invoices = invoices.to_vec();
        if let Some(before) = self.unpaid.take() {
            episode.measures.extend(before.episode.measures);
            invoices.extend(before.invoices);
        }
        self.by_hand = None;
        self.unpaid = Some(Unpaid { episode, invoices });
    }

    pub(super) fn fold(&mut self, event: &Event) {
        match event {
            Event::Begun(e) => {
                self.begin(e.episode, e.on, Some(e.policy.clone()));
            }
            Event::LevelReached(e) => {
                let open = self.begin(e.episode, e.on, None);
                open.reached += 1;
                open.done.push(e.level.clone());
            }
            Event::FeeCharged(e) => {
                self.charged.insert(e.charge.clone(), e.amount);
            }
            Event::InterestCharged(e) => {
                self.charged.insert(e.charge.clone(), e.amount);
                for span in &e.spans {
                    let from = self.interest_from.entry(span.invoice.clone());
                    let from = from.or_insert(span.until);
                    *from = span.until.max(*from);
                }
                self.carried.clear();
                if let Some(open) = &mut self.open {
                    open.interest.push(e.charge.clone());
                }
            }
            Event::InterestCarried(e) => {
                self.carried.extend(e.spans.iter().cloned());
                let spans = e.spans.iter().map(|s| &s.invoice);
                for invoice in spans.chain(&e.anew) {
                    self.interest_from.insert(invoice.clone(), e.on);
                }
            }
            Event::Suspended(e) => self.restricts(&e.level, super::REASON, &e.subscriptions),
            Event::Restricted(e) => self.restricts(&e.level, &e.reason, &e.subscriptions),
            Event::Held(e) => self.measure(&e.level, MeasureKind::Hold),
            Event::HoldLifted(_) => self.drop_measures(|m| *m == MeasureKind::Hold),
            Event::HandedOver(e) => {
                let agency = e.agency.clone();
                self.measure(&e.level, MeasureKind::HandOver { agency });
            }
            Event::Recalled(_) => {
                self.drop_measures(|m| matches!(m, MeasureKind::HandOver { .. }));
            }
            Event::Restored(_) => {
                self.drop_measures(|m| matches!(m, MeasureKind::Restriction { .. }));
            }
            Event::Waived(e) => {
                self.charged.remove(&e.charge);
                if let Some(open) = &mut self.open {
                    open.interest.retain(|c| *c != e.charge);
                }
            }
            Event::SteppedBack(e) => {
                if let Some(open) = &mut self.open {
                    open.done.retain(|l| !e.undone.contains(l));
                    open.measures.retain(|m| !e.undone.contains(&m.level));
                }
            }
            Event::Deferred(e) => self.not_before = Some(e.until),
            Event::InvoiceLost(e) => {
                if let Some(open) = &mut self.open {
                    open.lost.insert(e.invoice.clone());
                }
            }
            Event::GivenUp(e) => {
                self.leave(&e.invoices);
                self.not_before = Some(e.on);
            }
            Event::Stopped(e) => {
                for invoice in &e.invoices {
                    self.excluded.insert(invoice.clone(), e.reason.clone());
                }
                self.leave(&e.invoices);
                if e.restored {
                    self.unpaid = None;
                }
                self.paused = None;
                self.not_before = Some(e.on);
            }
            Event::Cleared(e) => {
                if self.open.as_ref().is_some_and(|o| o.number == e.episode) {
                    self.open = None;
                    self.by_hand = None;
                    self.carried.clear();
                }
                if self
                    .unpaid
                    .as_ref()
                    .is_some_and(|u| u.episode.number == e.episode)
                {
                    self.unpaid = None;
                }
                self.not_before = Some(e.on);
            }
            Event::Reopened(e) => self.not_before = Some(e.on),
            Event::Paused(e) => self.pause(&e.reason, None, None),
            Event::PausedUntil(e) => self.pause(&e.reason, Some(e.until), None),
            Event::Promised(e) => {
                let promise = Promise {
                    amount: e.amount,
                    invoices: e.invoices.clone(),
                    leaves: e.leaves,
                };
                self.pause("promised to pay", Some(e.until), Some(promise));
            }
            Event::Resumed(super::Resumed { on })
            | Event::PromiseKept(super::PromiseKept { on })
            | Event::PromiseBroken(super::PromiseBroken { on, .. }) => {
                self.paused = None;
                self.not_before = Some(*on);
            }
            Event::Excluded(e) => {
                self.excluded.insert(e.invoice.clone(), e.reason.clone());
            }
            Event::Included(e) => {
                self.excluded.remove(&e.invoice);
                self.not_before = Some(e.on);
            }
            Event::Switched(e) => {
                self.by_hand = Some(e.policy.clone());
                if let Some(open) = &mut self.open {
                    open.policy = Some(e.policy.clone());
                    for level in &e.done {
                        if !open.done.contains(level) {
                            open.done.push(level.clone());
                        }
                    }
                }
                self.not_before = Some(e.on);
            }
            Event::Reminded(_)
            | Event::Noticed(_)
            | Event::RetryAsked(_)
            | Event::WroteOff(_)
            | Event::Terminated(_) => {}
        }
    }

    fn pause(&mut self, reason: &str, until: Option<Date>, promise: Option<Promise>) {
        self.paused = Some(Pause {
            reason: reason.to_string(),
            until,
            promise,
        });
    }
}
