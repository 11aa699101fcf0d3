//! The clock at work: what the agenda asks for is done while the server runs.
//!
//! A late or repeated tick does the same, because each command's id names what it does, for whom and on which day.
//! Billing is asked for by a bill run, never by the clock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::office::Office;

/// Business dates change once a day; a minute late is early enough.
const EVERY: Duration = Duration::from_secs(60);

/// Ticks until `stop` turns true.
pub async fn run(office: Arc<Office>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let office = Arc::clone(&office);
        if let Err(error) = tokio::task::spawn_blocking(move || tick(&office)).await {
            tracing::error!(%error, "the clock's work was not finished");
        }
    }
}

/// Does what is due by now, for every tenant.
pub fn tick(office: &Office) {
    let now = office.clock.now();
    for tenant in office.ledger.tenants() {
        match office.ledger.tick(&tenant, now) {
            Ok(done) => tracing::debug!(tenant, ?done, "tick"),
            Err(refused) => {
                tracing::error!(tenant, code = refused.code(), error = %refused, "the clock's work was refused")
            }
        }
    }
}
