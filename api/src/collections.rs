//! Collecting: what the log asks of payment providers is carried to them while the server runs.
//!
//! The log says that a provider is being called before it is, no lock of the ledger is held meanwhile, and a crash between
//! the two is resolved by asking what became of it (docs/decisions/0017-collection-by-intent.md).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indelible_domain::Command;
use indelible_domain::payments::Payment;
use indelible_domain::world::Noun;
use indelible_gateways::{Books, Collector, Turn};
use indelible_store::Request;
use tokio::sync::watch;

use crate::office::Office;

/// How often it is looked whether something is to be asked for.
const EVERY: Duration = Duration::from_secs(1);

/// Most payments of one tenant in one turn, so that every tenant has its turn; the next turn goes on behind them.
const TURN_MAX: usize = 500;

/// Who acts when a provider is called or has answered.
const ACTOR: &str = "collector";

/// Where the next turn begins, by tenant: what waits for a bank for days must not keep others from being asked for.
#[derive(Debug, Default)]
pub struct Rounds(Mutex<BTreeMap<String, Last>>);

/// The last ids of a turn.
#[derive(Clone, Debug, Default)]
struct Last {
    payment: String,
    back: String,
}

/// The books of one tenant of an office.
struct Tenant<'a> {
    office: &'a Office,
    name: &'a str,
    rounds: &'a Rounds,
}

/// Everything behind `last` and then from the beginning, at most one turn's worth.
fn behind<'a>(
    last: &str,
    ids: impl Fn((Bound<&str>, Bound<&str>)) -> Vec<&'a String>,
) -> Vec<String> {
    let mut found = ids((Bound::Excluded(last), Bound::Unbounded));
    if found.len() < TURN_MAX {
        found.extend(ids((Bound::Unbounded, Bound::Included(last))));
    }
    found.into_iter().take(TURN_MAX).cloned().collect()
}

impl Books for Tenant<'_> {
    fn tenant(&self) -> &str {
        self.name
    }

    fn asked(&self) -> Vec<String> {
        let rounds = &self.rounds.0;
        let mut rounds = rounds.lock().unwrap_or_else(PoisonError::into_inner);
        let last = rounds.entry(self.name.to_owned()).or_default();
        let (mut ids, backs) = self.office.ledger.read(self.name, |books| {
            let intents = &books.index.intents;
            let asked = behind(&last.payment, |range| {
                let of = intents.asked.range::<str, _>(range);
                of.take(TURN_MAX).collect()
            });
            let backs = behind(&last.back, |range| {
                let of = intents.backs.range::<str, _>(range);
                of.take(TURN_MAX).map(|(id, _)| id).collect()
            });
            (asked, backs)
        });
        last.payment = ids.last().cloned().unwrap_or_default();
        last.back = backs.last().cloned().unwrap_or_default();
        ids.extend(backs);
        ids
    }

    fn payment(&self, id: &str) -> Option<Payment> {
        self.office.ledger.read(self.name, |books| {
            let found = Payment::table(&books.tables).get(id);
            found.map(|entry| entry.state.clone())
        })
    }

    fn carry_out(&self, command: Command) -> Result<bool, String> {
        // No command id: whether it was done before is decided by the payment's own state.
        let request = Request::new(self.name, ACTOR, self.office.clock.now(), command);
        let done = self.office.ledger.execute(request);
        done.map(|receipt| receipt.events > 0)
            .map_err(|refused| format!("{}: {refused}", refused.code()))
    }
}

/// Does what is to be done now, for every tenant.
pub fn turn(
    office: &Office,
    collector: &Collector,
    rounds: &Rounds,
    stop: &dyn Fn() -> bool,
) -> Vec<(String, Turn)> {
    let mut turns = Vec::new();
    for tenant in office.ledger.tenants() {
        let books = Tenant {
            office,
            name: &tenant,
            rounds,
        };
        let turn = collector.turn(&books, office.clock.now(), stop);
        for (payment, why) in &turn.refused {
            tracing::error!(
                tenant,
                payment,
                why,
                "the answer of a provider was not taken"
            );
        }
        turns.push((tenant, turn));
    }
    turns
}

/// Works until `stop` turns true.
pub async fn run(office: Arc<Office>, collector: Collector, mut stop: watch::Receiver<bool>) {
    let work = Arc::new((collector, Rounds::default()));
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let (office, work) = (Arc::clone(&office), Arc::clone(&work));
        let stopping = stop.clone();
        let work = move || turn(&office, &work.0, &work.1, &|| *stopping.borrow());
        if let Err(error) = tokio::task::spawn_blocking(work).await {
            tracing::error!(%error, "a turn of collecting was not finished");
        }
    }
}
