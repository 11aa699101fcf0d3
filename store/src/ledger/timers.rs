//! What falls due by the clock: the agenda's commands, each under an id that names it, so that a late or repeated tick
//! does the same.

use std::collections::VecDeque;

use indelible_domain::kernel::Instant;
use indelible_domain::processes::agenda;
use indelible_domain::{Command, Rejection};

use super::{Begun, Ledger, Refused, Request};

/// Commands decided ahead of the disk: they share syncs.
const AHEAD: usize = 64;
/// Who acts when nobody asked.
const ACTOR: &str = "agenda";

/// What a tick did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tick {
    /// Commands that changed something.
    pub done: u64,
    /// Last position of them; 0 if there were none.
    pub position: u64,
    /// Commands the rules refused, by their ids; they stay on the agenda.
    pub refused: Vec<(String, Rejection)>,
}

impl Ledger {
    /// Does what the agenda of a tenant asks for at an instant. Bill runs are not started by it.
    ///
    /// Errors: what stops the log; a refusal of the rules is part of the answer.
    pub fn tick(&self, tenant: &str, now: Instant) -> Result<Tick, Refused> {
        let mut tick = Tick::default();
        let mut asked = self
            .read(tenant, |t| agenda::tick_commands(t, now))
            .into_iter();
        let mut queued: VecDeque<(String, Begun)> = VecDeque::new();
        // Reported after what is queued has landed: a failed commit must not go unnoticed.
        let mut failed = None;
        loop {
            while queued.len() < AHEAD && failed.is_none() {
                let Some((id, command)) = asked.next() else {
                    break;
                };
                match self.begin(request(tenant, now, &id, command)) {
                    Ok(begun) => queued.push_back((id, begun)),
                    Err(refused) => failed = Some(refused),
                }
            }
            let Some((id, begun)) = queued.pop_front() else {
                break;
            };
            match self.finish(begun) {
                Ok(receipt) if receipt.events > 0 && !receipt.replayed => {
                    tick.done += 1;
                    tick.position = tick.position.max(receipt.position);
                }
                Ok(_) => {}
                Err(Refused::Rejection(rejection)) => tick.refused.push((id, rejection)),
                Err(other) => failed = failed.or(Some(other)),
            }
        }
        failed.map_or(Ok(tick), Err)
    }
}

fn request(tenant: &str, now: Instant, id: &str, command: Command) -> Request {
    // The id names everything the command depends on, so it also stands for the input.
    Request {
        input_hash: *blake3::hash(id.as_bytes()).as_bytes(),
        correlation: id.to_string(),
        ..Request::new(tenant, ACTOR, now, command).named(id)
    }
}
