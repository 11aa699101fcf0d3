//! Which messages wait to be sent, and which wait for a person.

use crate::kernel::{Id, Instant};
use crate::messages::{ContactSeal, Event, Then};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Messages by what is to be done about them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    /// Messages of an account, in the order they were asked for.
    pub of_account: BTreeMap<Id, Vec<Id>>,
    /// Messages that failed for good or have no address.
    pub stuck: BTreeSet<Id>,
    /// Contacts of accounts whose e-mail address brings messages back.
    dead: BTreeMap<Id, ContactSeal>,
    waiting: BTreeMap<Id, Instant>,
    /// `waiting`, by time.
    by_due: BTreeSet<(Instant, Id)>,
}

impl Outbox {
    /// Messages to be sent by `now`, longest due first; no other is looked at.
    pub fn due(&self, now: Instant) -> impl Iterator<Item = &Id> {
        self.by_due
            .iter()
            .take_while(move |(due, _)| *due <= now)
            .map(|(_, id)| id)
    }

    /// When the next message is due.
    pub fn next(&self) -> Option<Instant> {
        self.by_due.first().map(|(due, _)| *due)
    }

    /// Whether messages to the e-mail address of this contact of an account come back.
    pub fn bounces(&self, account: &str, contact: &ContactSeal) -> bool {
        self.dead.get(account) == Some(contact)
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn apply(&mut self, id: &str, event: &Event) {
        match event {
            Event::Asked(e) => {
                let messages = self.of_account.entry(e.ask.account.clone()).or_default();
                messages.push(id.to_string());
                self.wait(id, Instant::default());
            }
            Event::AskedAgain(e) => self.wait(id, e.at),
            Event::Failed(e) => match e.next {
                // Withdrawn meanwhile if it does not wait.
                Some(next) if self.waiting.contains_key(id) => self.wait(id, next),
                None if self.waiting.contains_key(id) => self.leave(id, true),
                _ => {}
            },
            Event::Suppressed(_) => self.leave(id, true),
            Event::Sent(_) | Event::Withdrawn(_) => self.leave(id, false),
            Event::Bounced(e) => {
                if let Some(contact) = e.bounce.contact {
                    self.dead.insert(e.account.clone(), contact);
                }
                match e.then {
                    Then::Again => self.wait(id, e.at),
                    Then::Stuck => self.leave(id, true),
                    Then::Nothing => {}
                }
            }
        }
    }

    fn wait(&mut self, id: &str, due: Instant) {
        self.leave(id, false);
        self.waiting.insert(id.to_string(), due);
        self.by_due.insert((due, id.to_string()));
    }

    fn leave(&mut self, id: &str, stuck: bool) {
        if let Some(due) = self.waiting.remove(id) {
            self.by_due.remove(&(due, id.to_string()));
        }
        match stuck {
            true => self.stuck.insert(id.to_string()),
            false => self.stuck.remove(id),
        };
    }
}
