//! Which quotas there are on a meter, and which end when: found without looking at every session.

use super::{Event, Kind, Quota};
use crate::kernel::{Id, Instant};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A quota as those who count on the same meter see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Living {
    pub session: Id,
    pub service: Id,
    pub quota: Quota,
}

/// Every quota that was neither used up nor given back nor noted as ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reserved {
    /// By meter, in the order they were granted.
    on: BTreeMap<Id, Vec<Living>>,
    /// (meter, end) by session and service.
    of: BTreeMap<Id, BTreeMap<Id, (Id, Instant)>>,
    /// (end, session).
    ends: BTreeSet<(Instant, Id, Id)>,
}

impl Reserved {
    /// Quotas on a meter that count at an instant, in the order they were granted.
    pub fn on(&self, meter: &str, at: Instant) -> impl Iterator<Item = &Living> {
        let all = self.on.get(meter).into_iter().flatten();
        all.filter(move |l| at < l.quota.until)
    }

    /// Whether nothing is reserved anywhere.
    pub fn is_empty(&self) -> bool {
        self.on.is_empty()
    }

    /// Whether there is anything on a meter.
    pub fn any_on(&self, meter: &str) -> bool {
        self.on.contains_key(meter)
    }

    /// Sessions with quotas that have ended by an instant and were not noted yet, by the first of these ends.
    pub fn ended(&self, by: Instant) -> Vec<(Instant, Id)> {
        let mut sessions: BTreeMap<&Id, Instant> = BTreeMap::new();
        for (at, session, _) in self.ends.iter().take_while(|(at, ..)| *at <= by) {
            sessions.entry(session).or_insert(*at);
        }
        let mut ended: Vec<_> = sessions
            .into_iter()
            .map(|(s, at)| (at, s.clone()))
            .collect();
        ended.sort();
        ended
    }

    /// Every quota with its session and service.
    pub fn iter(&self) -> impl Iterator<Item = &Living> {
        self.on.values().flatten()
    }

    pub fn apply(&mut self, session: &str, event: &Event) {
        match event {
            Event::Answered(e) => {
                if e.kind == Kind::Terminate {
                    let services = self.of.get(session).into_iter().flat_map(|s| s.keys());
                    for service in services.cloned().collect::<Vec<_>>() {
                        self.remove(session, &service);
                    }
                }
                for served in &e.answer.services {
                    self.remove(session, &served.service);
                    if let Some(quota) = &served.quota {
                        self.insert(session, &served.service, quota);
                    }
                }
            }
            Event::Expired(e) => e.services.iter().for_each(|s| self.remove(session, s)),
        }
    }

    fn insert(&mut self, session: &str, service: &str, quota: &Quota) {
        let place = (quota.meter.clone(), quota.until);
        self.ends
            .insert((quota.until, session.to_string(), service.to_string()));
        let services = self.of.entry(session.to_string()).or_default();
        services.insert(service.to_string(), place);
        self.on
            .entry(quota.meter.clone())
            .or_default()
            .push(Living {
                session: session.to_string(),
                service: service.to_string(),
                quota: quota.clone(),
            });
    }

    fn remove(&mut self, session: &str, service: &str) {
        let Some(services) = self.of.get_mut(session) else {
            return;
        };
        let Some((meter, until)) = services.remove(service) else {
            return;
        };
        if services.is_empty() {
            self.of.remove(session);
        }
        self.ends
            .remove(&(until, session.to_string(), service.to_string()));
        if let Some(living) = self.on.get_mut(&meter) {
            living.retain(|l| l.session != session || l.service != service);
            if living.is_empty() {
                self.on.remove(&meter);
            }
        }
    }
}
