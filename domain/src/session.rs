//! One command at work: reads the world, stages decisions of any number of aggregates, sees its own staged facts.
//!
//! All of a command's events, with those of every process that reacts to them, become one atomic commit
//! (docs/decisions/0003-one-command-one-commit.md). A dry run is a session that is dropped.

use crate::berths::Spot;
use crate::kernel::{Date, Id, Instant, Rejection, Zone};
use crate::past::{Past, Unknown};
use crate::table::Place;
use crate::usage::{self, Metered};
use crate::world::{Entry, Event, Noun, Tables, Tenant};
use std::ops::Bound;
use std::sync::Arc;

/// A decided event, with the version its stream has after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Staged {
    pub kind: &'static str,
    /// Shared with the table that has the stream's state.
    pub id: Arc<Id>,
    pub version: u64,
    pub event: Event,
    pub apart: Option<Apart>,
}

/// Where a fact of usage is folded by whoever takes the session's facts over: its meter is not among the staged states,
/// because nothing in its command reads it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apart {
    /// The meter's row, if there was one before.
    pub(crate) row: Option<Place>,
    pub(crate) spot: Spot,
    /// At least as many bytes as the fact is stored with.
    pub(crate) bytes: usize,
}

impl Staged {
    /// Fetches what some facts hold together, before any of them is worked on, so that the waits for memory overlap.
    pub fn fetch(some: &[Staged]) {
        let heads = some.iter().fold(0, |touched, staged| {
            let records = match &staged.event {
                Event::Usage(usage::Event::Rated(e)) => e.records.first().map_or(0, |r| r.line),
                _ => 0,
            };
            touched ^ records ^ staged.id.len() as u64
        });
        let names = some.iter().fold(heads, |touched, staged| {
            touched ^ u64::from(staged.id.as_bytes().first().copied().unwrap_or(0))
        });
        std::hint::black_box(names);
    }

    /// At least as many bytes as the fact is stored with; none where that would have to be found by encoding it.
    pub fn size_bound(&self) -> Option<usize> {
        match &self.apart {
            Some(apart) => Some(apart.bytes),
            None => self.event.size_bound(),
        }
    }
}

/// Facts that most commands lead to at most.
const USUAL_FACTS: usize = 16;

pub struct Session<'w> {
    base: &'w Tenant,
    past: &'w dyn Past,
    /// Apart, because it is kilobytes and goes from hand to hand.
    over: Box<Tables>,
    events: Vec<Staged>,
    /// It began with what another session had decided, which is among none of its events.
    forked: bool,
    now: Instant,
    berths: bool,
}

impl<'w> Session<'w> {
    /// `now` comes in with the command; nothing below reads a clock. What usage left behind is refused as unknown unless the
    /// session is given it ([`Session::with`]).
    pub fn new(base: &'w Tenant, now: Instant) -> Self {
        Session {
            base,
            past: &Unknown,
            over: Box::new(Tables::unordered()),
            events: Vec::with_capacity(USUAL_FACTS),
            forked: false,
            now,
            berths: true,
        }
    }

    /// The same session with the log behind the state.
    #[must_use]
    pub fn with(self, past: &'w dyn Past) -> Self {
        Session { past, ..self }
    }

    /// The same session, in which no record of usage goes the short way. It leads to the same.
    #[must_use]
    pub fn without_berths(self) -> Self {
        Session {
            berths: false,
            ..self
        }
    }

    /// Whether records of usage may go the short way: nothing was decided yet.
    pub(crate) fn takes_berths(&self) -> bool {
        self.berths && !self.decided()
    }

    /// Whether anything was decided, here or in the session that this one was forked from: only then may what it sees differ
    /// from what is below it, and from what indexes and the agenda tell.
    pub(crate) fn decided(&self) -> bool {
        self.forked || !self.events.is_empty()
    }

    /// What the log knows of usage, up to before this command.
    pub fn past(&self) -> &'w dyn Past {
        self.past
    }

    pub fn now(&self) -> Instant {
        self.now
    }

    /// The business date of `now` in `zone`.
    pub fn today(&self, zone: &Zone) -> Date {
        zone.date(self.now)
    }

    /// Indexes as they were before this command.
    pub fn index(&self) -> &'w crate::index::Index {
        &self.base.index
    }

    /// What was to be done, and when, before this command.
    pub fn agenda(&self) -> &'w crate::processes::agenda::Agenda {
        &self.base.agenda
    }

    /// An aggregate as it was before this command, or nothing if it had no events.
    pub fn before<N: Noun>(&self, id: &str) -> Option<&'w Entry<N::State>> {
        N::table(&self.base.tables).get(id).map(AsRef::as_ref)
    }

    /// An aggregate with what this session has already decided, or nothing if it has no events.
    pub fn find<N: Noun>(&self, id: &str) -> Option<&Entry<N::State>> {
        N::table(&self.over)
            .get(id)
            .or_else(|| N::table(&self.base.tables).get(id))
            .map(AsRef::as_ref)
    }

    /// Like [`Session::find`], to be kept while the session goes on deciding: as it is now, and not copied.
    pub fn keep<N: Noun>(&self, id: &str) -> Option<Arc<Entry<N::State>>> {
        N::table(&self.over)
            .get(id)
            .or_else(|| N::table(&self.base.tables).get(id))
            .cloned()
    }

    /// Like [`Session::find`], with the id as the session holds it.
    pub fn entry<N: Noun>(&self, id: &str) -> Option<(&str, &Entry<N::State>)> {
        let found = N::table(&self.over)
            .get_key_value(id)
            .or_else(|| N::table(&self.base.tables).get_key_value(id));
        found.map(|(id, entry)| (id.as_str(), entry.as_ref()))
    }

    /// The state of an aggregate that must exist.
    pub fn get<N: Noun>(&self, id: &str) -> Result<&N::State, Rejection> {
        self.find::<N>(id)
            .map(|e| &e.state)
            .ok_or_else(|| Rejection::new("NOT_FOUND", format!("there is no {} {id:?}", N::KIND)))
    }

    /// Ids of one kind that start with `prefix`, staged ones included, in order.
    pub fn ids<N: Noun>(&self, prefix: &str) -> Vec<Id> {
        self.ids_from::<N>(prefix, prefix)
    }

    /// Those of them that are not before `first`; none before it is looked at.
    pub fn ids_from<N: Noun>(&self, prefix: &str, first: &str) -> Vec<Id> {
        let upto = after(prefix);
        let bounds = (
            Bound::Included(first),
            upto.as_deref().map_or(Bound::Unbounded, Bound::Excluded),
        );
        let scan = |t: &'_ Tables| -> Vec<Id> {
            N::table(t)
                .range::<str, _>(bounds)
                .map(|(id, _)| id.clone())
                .take_while(|id| id.starts_with(prefix))
                .collect()
        };
        let mut ids = scan(&self.base.tables);
        ids.extend(scan(&self.over));
        ids.sort();
        ids.dedup();
        ids
    }

    /// The first id of one kind that starts with `prefix` and is not before `first`, staged ones included.
    pub fn first_id<N: Noun>(&self, prefix: &str, first: &str) -> Option<Id> {
        let upto = after(prefix);
        let bounds = (
            Bound::Included(first),
            upto.as_deref().map_or(Bound::Unbounded, Bound::Excluded),
        );
        let found = |t: &'_ Tables| -> Option<Id> {
            let (id, _) = N::table(t).range::<str, _>(bounds).next()?;
            Some(id.clone())
        };
        let firsts = found(&self.base.tables)
            .into_iter()
            .chain(found(&self.over));
        firsts.min().filter(|id| id.starts_with(prefix))
    }

    /// Asks an aggregate to decide; its events are staged and its staged state moves on. Returns how many there were.
    pub fn decide<N: Noun>(&mut self, id: &str, command: N::Command) -> Result<usize, Rejection> {
        self.decide_owned::<N>(id.to_string(), command)
    }

    /// The same, with an id that need not be copied.
    pub fn decide_owned<N: Noun>(
        &mut self,
        id: Id,
        command: N::Command,
    ) -> Result<usize, Rejection> {
        let (id, mut entry) = match N::table_mut(&mut self.over).take(&id) {
            Some(staged) => staged,
            None => match N::table(&self.base.tables).share(&id) {
                Some(known) => known,
                None => (Arc::new(id), Arc::default()),
            },
        };
        let decided = N::decide(&entry.state, command);
        if let Ok(events) = &decided
            && !events.is_empty()
        {
            let entry = Arc::make_mut(&mut entry);
            for event in events {
                N::evolve(&mut entry.state, event);
                entry.version += 1;
            }
        }
        let mut version = entry.version;
        if version > 0 {
            N::table_mut(&mut self.over).put(Arc::clone(&id), entry);
        }
        let events = decided?;
        version -= events.len() as u64;
        let count = events.len();
        for event in events {
            version += 1;
            self.events.push(Staged {
                kind: N::KIND,
                id: Arc::clone(&id),
                version,
                event: N::root(event),
                apart: None,
            });
        }
        Ok(count)
    }

    /// Makes room for so many facts: a long list that grows moves all of them each time.
    pub(crate) fn expect(&mut self, facts: usize) {
        self.events.reserve_exact(facts);
    }

    /// Stages a fact of a meter that nothing in this command reads again: the meter's own state moves on when the facts are
    /// taken over.
    pub(crate) fn stage_apart(
        &mut self,
        id: Arc<Id>,
        version: u64,
        event: usage::Event,
        apart: Apart,
    ) {
        self.events.push(Staged {
            kind: Metered::KIND,
            id,
            version,
            event: Event::Usage(event),
            apart: Some(apart),
        });
    }

    /// The state below everything this command decides.
    pub(crate) fn base(&self) -> &'w Tenant {
        self.base
    }

    /// A session that sees what this one decided, and whose own decisions are none of it.
    #[must_use]
    pub fn fork(&self) -> Session<'w> {
        Session {
            base: self.base,
            past: self.past,
            over: self.over.clone(),
            events: Vec::new(),
            forked: self.decided(),
            ..*self
        }
    }

    /// What was decided so far.
    pub fn events(&self) -> &[Staged] {
        &self.events
    }

    /// Runs `attempt`; if it is refused, everything it staged is taken back (policy 17: nothing of it stays).
    pub fn attempt<T>(
        &mut self,
        attempt: impl FnOnce(&mut Self) -> Result<T, Rejection>,
    ) -> Result<T, Rejection> {
        let (over, events) = (self.staged(), self.events.len());
        attempt(self).inspect_err(|_| {
            self.over = over.unwrap_or_else(|| Box::new(Tables::unordered()));
            self.events.truncate(events);
        })
    }

    /// Runs `look` and takes back whatever it staged: what would come of something.
    pub fn probe<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let (over, events) = (self.staged(), self.events.len());
        let seen = look(self);
        self.over = over.unwrap_or_else(|| Box::new(Tables::unordered()));
        self.events.truncate(events);
        seen
    }

    /// A copy of the staged states; none where nothing was decided, and so nothing differs from what is below.
    fn staged(&self) -> Option<Box<Tables>> {
        self.decided().then(|| self.over.clone())
    }

    /// The staged state and events, for the runtime.
    pub fn finish(self) -> (Box<Tables>, Vec<Staged>) {
        (self.over, self.events)
    }
}

/// The first text after all that begin with a prefix, where that is one character more; none where it is not, or there is none.
fn after(prefix: &str) -> Option<String> {
    let last = prefix.bytes().last().filter(|last| *last < 0x7f)?;
    let mut after = prefix.to_string();
    after.pop();
    after.push(char::from(last + 1));
    Some(after)
}
