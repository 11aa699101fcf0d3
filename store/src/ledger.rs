//! The ledger at work: load → decide → append, exactly once.
//!
//! - One lock orders decisions: decide, take the facts over into the live state, queue the commit. It is let go before
//!   the disk is waited for, so the commits of many clients share one sync.
//! - Nothing is answered before it is durable, and neither is what rests on it: a refusal, a replay, a read.
//! - A command id is remembered for ever: the same input gets the first receipt, another input is refused.
//! - A commit that fails stops the ledger until it is opened again, because the live state is ahead of the log then.

mod ahead;
mod answer;
mod history;
mod past;
mod runs;
mod snapshot;
mod timers;
mod turns;

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    TryLockError,
};
use std::time::Duration;

use indelible_domain::{Event, Outcome, Rejection, Session, Staged, World, operations, world};

pub use answer::{DryRun, Receipt, Refused, Request};
pub use history::StateCheck;
pub use past::TenantPast;
pub use runs::{BillRunRequest, RunReport};
pub use snapshot::{Pace, SnapshotNews, Snapshots};
pub use timers::Tick;

use crate::seen::{KeysLimits, Seen};
use crate::{CommandRecord, Commit, EventRef, EventStore, StoreError, Ticket};
use answer::Flight;
use snapshot::Keeper;
use turns::Turns;

/// How often a wait for the disk looks whether the ledger has stopped meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Tenant and command id.
type CommandKey = (String, String);

/// All tenants' state, ahead of the log by what is queued.
#[derive(Default)]
struct Live {
    world: World,
    /// Last position of what is queued or durable.
    position: u64,
}

/// Runs commands over one log, for all tenants.
pub struct Ledger {
    store: Arc<dyn EventStore>,
    /// Keys of usage records up to the live state.
    seen: Arc<Seen>,
    live: Arc<RwLock<Live>>,
    turns: Turns,
    /// Commands that are queued and not yet durable. Apart from the state: who was answered waits for nobody's decision.
    /// Entered under the state's lock, left once the log has the receipt.
    flights: Mutex<HashMap<CommandKey, Arc<Flight>>>,
    stopped: Arc<OnceLock<String>>,
    /// Takes snapshots, where the ledger has any; dropped with it, so that no thread outlives it.
    _keeper: Option<Keeper>,
}

/// A command that is decided and perhaps not yet durable. Dropped, it is done all the same, and nobody hears of it.
#[must_use = "a command is answered only when it is settled"]
pub struct Posted(Begun);

impl Posted {
    /// How many events wait to be durable.
    fn events(&self) -> u64 {
        match &self.0 {
            Begun::Queued { receipt, .. } => receipt.events,
            Begun::Follows { .. } | Begun::Settled { .. } => 0,
        }
    }
}

/// A command between the lock and the disk.
enum Begun {
    /// Queued: the receipt counts when the ticket says so.
    Queued {
        ticket: Ticket,
        receipt: Box<Receipt>,
        flight: Option<(CommandKey, Arc<Flight>)>,
        /// Held until the writer has done with them: whoever decided the facts puts them away, so that the writer and the
        /// next decision do not touch the counts of the same texts.
        _facts: Arc<Vec<Staged>>,
    },
    /// The same command id is queued by somebody else.
    Follows { flight: Arc<Flight>, same: bool },
    /// Decided, nothing to write; it rests on what is queued up to a position.
    Settled {
        answer: Box<Result<Receipt, Refused>>,
        rests_on: u64,
    },
}

impl Ledger {
    /// Replays the log into the live state, from its beginning and without snapshots.
    ///
    /// Errors: CORRUPT when an event cannot be read, IO.
    pub fn open(store: Arc<dyn EventStore>) -> Result<Ledger, StoreError> {
        Ledger::open_with_keys(store, KeysLimits::default())
    }

    /// As [`open`](Ledger::open), with a memory of usage keys of other sizes.
    pub fn open_with_keys(
        store: Arc<dyn EventStore>,
        keys: KeysLimits,
    ) -> Result<Ledger, StoreError> {
        Ledger::catch_up(store, Live::default(), keys)
    }

    /// The ledger over a state, with everything that follows it in the log.
    fn catch_up(
        store: Arc<dyn EventStore>,
        mut live: Live,
        keys: KeysLimits,
    ) -> Result<Ledger, StoreError> {
        let (world, position) = (&mut live.world, &mut live.position);
        let seen = Seen::open(&store, keys, *position, &mut |stored, event| {
            world.fold(stored.tenant, stored.id, stored.version, event);
            *position = stored.position;
        })?;
        Ok(Ledger::over(store, seen, live))
    }

    fn over(store: Arc<dyn EventStore>, seen: Seen, live: Live) -> Ledger {
        Ledger {
            store,
            seen: Arc::new(seen),
            live: Arc::new(RwLock::new(live)),
            turns: Turns::default(),
            flights: Mutex::default(),
            stopped: Arc::default(),
            _keeper: None,
        }
    }

    /// Decides a command, commits what follows, and answers when that is durable.
    pub fn execute(&self, request: Request) -> Result<Receipt, Refused> {
        let begun = self.begin(request)?;
        self.finish(begun)
    }

    /// Decides a command and queues what follows: its place in the order is fixed, and nothing may be answered before
    /// [`settle`](Ledger::settle) does. Who sends much decides ahead of the disk with it.
    pub fn post(&self, request: Request) -> Result<Posted, Refused> {
        self.begin(request).map(Posted)
    }

    /// Answers a command when what it led to is durable.
    pub fn settle(&self, posted: Posted) -> Result<Receipt, Refused> {
        self.finish(posted.0)
    }

    /// What a command would do now. Writes nothing and uses no command id.
    pub fn dry_run(&self, request: Request) -> Result<DryRun, Refused> {
        let (tried, ()) = self.dry_run_and(request, |_| Ok(()))?;
        Ok(tried)
    }

    /// The same, and what `look` makes of the state as the command would leave it. Commands wait meanwhile.
    pub fn dry_run_and<T>(
        &self,
        request: Request,
        look: impl FnOnce(&Session<'_>) -> Result<T, Rejection>,
    ) -> Result<(DryRun, T), Refused> {
        self.alive()?;
        let (decided, rests_on) = {
            let live = self.reading();
            let past = self.past_upto(&request.tenant, live.position);
            let session = Session::new(live.world.tenant(&request.tenant), request.now);
            let decided = decide(session, &past, request, look);
            (
                decided.map(|((outcome, aggregates, events), seen)| {
                    let tried = DryRun {
                        outcome,
                        events,
                        aggregates,
                    };
                    (tried, seen)
                }),
                live.position,
            )
        };
        self.durable(rests_on)?;
        decided
    }

    /// Reads one tenant's live state, and answers when all of it is durable. Commands wait meanwhile, so `f` must be
    /// short. Never call it from a listener of the store.
    ///
    /// After the log has failed, the state may hold what the log does not: see [`stopped`](Ledger::stopped).
    pub fn read<T>(&self, tenant: &str, f: impl FnOnce(&world::Tenant) -> T) -> T {
        let (answer, rests_on) = {
            let live = self.reading();
            (f(live.world.tenant(tenant)), live.position)
        };
        // A stopped ledger goes on answering reads, so that an operator can look.
        let _ = self.durable(rests_on);
        answer
    }

    /// [`read`](Ledger::read) where nothing is to be waited for; given back where a command is at work, or what it would
    /// rest on is not durable yet.
    pub fn read_now<T, F: FnOnce(&world::Tenant) -> T>(&self, tenant: &str, f: F) -> Result<T, F> {
        let live = match self.live.try_read() {
            Ok(live) => live,
            Err(TryLockError::Poisoned(live)) => live.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(f),
        };
        match self.store.head() < live.position {
            true => Err(f),
            false => Ok(f(live.world.tenant(tenant))),
        }
    }

    /// The tenants that have any facts.
    pub fn tenants(&self) -> Vec<String> {
        self.reading().world.tenants().cloned().collect()
    }

    /// The log below.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// Why no command is taken any more, if so.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.get().map(String::as_str)
    }

    /// Everything up to the disk: after it, the command's place in the order is fixed.
    fn begin(&self, request: Request) -> Result<Begun, Refused> {
        self.alive()?;
        self.begin_on(&mut self.writing(), request)
    }

    /// The same on a state that is locked already.
    fn begin_on(&self, live: &mut Live, request: Request) -> Result<Begun, Refused> {
        let key = request
            .command_id
            .as_ref()
            .map(|id| (request.tenant.clone(), id.clone()));
        if let Some(known) = self.known(key.as_ref(), &request.input_hash)? {
            return Ok(known);
        }
        let (tenant, input_hash, now) = (request.tenant.clone(), request.input_hash, request.now);
        let (actor, correlation) = (request.actor.clone(), request.correlation.clone());
        let causation = request.causation;
        let past = self.past_upto(&tenant, live.position);
        let session = Session::new(live.world.tenant(&tenant), now);
        let settled = |answer, rests_on| {
            Ok(Begun::Settled {
                answer: Box::new(answer),
                rests_on,
            })
        };
        let (outcome, tables, staged) = match decide(session, &past, request, |_| Ok(())) {
            Ok((decided, ())) => decided,
            Err(refused) => return settled(Err(refused), live.position),
        };
        let receipt = Receipt {
            position: live.position + staged.len() as u64,
            events: staged.len() as u64,
            outcome,
            replayed: false,
        };
        if staged.is_empty() {
            return settled(Ok(receipt), live.position);
        }
        let command = match &key {
            Some((_, command_id)) => Some(CommandRecord {
                command_id: command_id.clone(),
                input_hash,
                receipt: receipt.to_bytes()?,
            }),
            None => None,
        };
        let commit = Commit {
            tenant: tenant.clone(),
            recorded_at: now.0,
            actor,
            correlation,
            causation,
            command,
            events: Vec::new(),
        };
        let staged = Arc::new(staged);
        let ticket = self
            .store
            .submit_staged(commit, Arc::clone(&staged))
            .inspect_err(|e| {
                if matches!(e, StoreError::Poisoned { .. }) {
                    self.stop(e);
                }
            })?;
        self.see(&tenant, live.position, &staged);
        live.world.absorb(&tenant, tables, &staged);
        live.position = receipt.position;
        let flight = key.map(|key| {
            let flight = Flight::new(&key.1, input_hash);
            (key, Arc::new(flight))
        });
        if let Some((key, flight)) = &flight {
            self.flights().insert(key.clone(), Arc::clone(flight));
        }
        Ok(Begun::Queued {
            ticket,
            receipt: Box::new(receipt),
            flight,
            _facts: staged,
        })
    }

    /// The answer of a command id that is already queued or in the log.
    fn known(
        &self,
        key: Option<&CommandKey>,
        input_hash: &[u8; 32],
    ) -> Result<Option<Begun>, Refused> {
        let Some(key) = key else { return Ok(None) };
        let flying = self.flights().get(key).cloned();
        if let Some(flight) = flying {
            let same = flight.input_hash == *input_hash;
            return Ok(Some(Begun::Follows { flight, same }));
        }
        let Some(stored) = self.store.receipt(&key.0, &key.1)? else {
            return Ok(None);
        };
        let answer = if stored.input_hash == *input_hash {
            Ok(Receipt::from_bytes(&stored)?)
        } else {
            Err(Refused::conflict(&key.1))
        };
        Ok(Some(Begun::Settled {
            answer: Box::new(answer),
            rests_on: stored.last_position,
        }))
    }

    /// Waits for the disk, then answers.
    fn finish(&self, begun: Begun) -> Result<Receipt, Refused> {
        match begun {
            Begun::Settled { answer, rests_on } => {
                self.durable(rests_on)?;
                *answer
            }
            Begun::Follows { flight, same } => {
                let first = flight.wait()?;
                match same {
                    true => Ok(Receipt {
                        replayed: true,
                        ..first
                    }),
                    false => Err(Refused::conflict(&flight.command_id)),
                }
            }
            Begun::Queued {
                ticket,
                receipt,
                flight,
                _facts,
            } => {
                let answer = self.landed(ticket, *receipt);
                if let Some((key, flight)) = flight {
                    self.flights().remove(&key);
                    flight.land(answer.clone());
                }
                answer
            }
        }
    }

    fn landed(&self, ticket: Ticket, receipt: Receipt) -> Result<Receipt, Refused> {
        let appended = ticket.wait().inspect_err(|e| self.stop(e))?;
        if appended.last_position != receipt.position {
            // Somebody else writes to the log: the live state is not its fold any more.
            self.stop(&format!(
                "a commit landed at position {}, it was decided for {}",
                appended.last_position, receipt.position
            ));
            return Err(self.refusal());
        }
        Ok(receipt)
    }

    /// Waits until everything up to a position is durable.
    fn durable(&self, position: u64) -> Result<(), Refused> {
        while self.store.head() < position {
            self.alive()?;
            self.store.wait_past(position - 1, LOOK_AGAIN);
        }
        Ok(())
    }

    fn alive(&self) -> Result<(), Refused> {
        match self.stopped.get() {
            Some(_) => Err(self.refusal()),
            None => Ok(()),
        }
    }

    fn refusal(&self) -> Refused {
        Refused::Stopped {
            why: self.stopped.get().cloned().unwrap_or_default(),
        }
    }

    fn stop(&self, why: &dyn fmt::Display) {
        // The first reason is the cause of the later ones.
        let _ = self.stopped.set(why.to_string());
    }

    // The live state changes only after the last thing that can panic, so a panicking holder leaves it whole.
    fn reading(&self) -> RwLockReadGuard<'_, Live> {
        match self.live.try_read() {
            Ok(live) => live,
            Err(TryLockError::Poisoned(live)) => live.into_inner(),
            Err(TryLockError::WouldBlock) => self
                .turns
                .wait(|| self.live.read().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<CommandKey, Arc<Flight>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> RwLockWriteGuard<'_, Live> {
        match self.live.try_write() {
            Ok(live) => live,
            Err(TryLockError::Poisoned(live)) => live.into_inner(),
            Err(TryLockError::WouldBlock) => self
                .turns
                .wait(|| self.live.write().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("head", &self.store.head())
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}

type Decided = (Outcome, Box<world::Tables>, Vec<Staged>);

/// Runs the rules. A broken invariant panics in there; then nothing of the command stays, and nothing wrong is posted.
fn decide<'w, T>(
    session: Session<'w>,
    past: &'w TenantPast,
    request: Request,
    look: impl FnOnce(&Session<'_>) -> Result<T, Rejection>,
) -> Result<(Decided, T), Refused> {
    let mut session = session.with(past);
    let command = request.command;
    let decided = catch_unwind(AssertUnwindSafe(move || {
        let outcome = operations::execute(&mut session, command)?;
        let seen = look(&session)?;
        let (tables, staged) = session.finish();
        Ok::<_, Rejection>(((outcome, tables, staged), seen))
    }));
    // What was decided without an answer of the log is not decided.
    if let Some(failure) = past.failure() {
        return Err(failure.into());
    }
    match decided {
        Ok(Ok(decided)) => Ok(decided),
        Ok(Err(rejection)) => Err(Refused::Rejection(rejection)),
        Err(panic) => Err(Refused::Broken {
            what: answer::panic_text(panic.as_ref()),
        }),
    }
}

/// Folds the log from `position` up to `until`, or its head.
pub(crate) fn replay(
    store: &dyn EventStore,
    world: &mut World,
    position: &mut u64,
    until: u64,
) -> Result<(), StoreError> {
    replay_each(store, *position, until, &mut |stored, event| {
        world.fold(stored.tenant, stored.id, stored.version, &event);
        *position = stored.position;
    })
}

/// Hands out the facts after a position, up to another one or the head.
pub(crate) fn replay_each(
    store: &dyn EventStore,
    after: u64,
    until: u64,
    each: &mut dyn FnMut(&EventRef<'_>, Event),
) -> Result<(), StoreError> {
    store.replay(after, until, &mut |stored| {
        let event = Event::decode(stored.event_type, stored.schema, stored.payload)
            .map_err(|e| StoreError::corrupt(stored.position, e.to_string()))?;
        each(stored, event);
        Ok(true)
    })
}
