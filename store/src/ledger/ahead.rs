//! Many commands of one sender, decided ahead of the disk.

use std::collections::VecDeque;

use super::{Ledger, Posted, Receipt, Refused, Request};

/// Commands decided ahead of the disk whatever they lead to: while one group is written, the next ones are decided.
const AHEAD: usize = 4;
/// Small commands decided ahead: waiting for each costs more than deciding it, because a thread has to be woken.
const AHEAD_SMALL: usize = 256;
/// Events of what is decided ahead beyond [`AHEAD`]: more would only wait, and a crash costs what is not answered yet.
const AHEAD_EVENTS: u64 = 4_096;

impl Ledger {
    /// Executes commands in their order and tells each receipt, in that order, once it is durable. The first refusal ends
    /// it, after what was decided before it has been told.
    pub fn execute_all(
        &self,
        requests: impl IntoIterator<Item = Request>,
        told: &mut dyn FnMut(Receipt),
    ) -> Result<(), Refused> {
        let mut posted: VecDeque<Posted> = VecDeque::with_capacity(AHEAD);
        let mut refused = None;
        let mut events = 0;
        'all: for request in requests {
            match self.post(request) {
                Ok(ahead) => {
                    events += ahead.events();
                    posted.push_back(ahead);
                }
                Err(no) => {
                    refused = Some(no);
                    break;
                }
            }
            while posted.len() > AHEAD
                && (posted.len() > AHEAD_SMALL || events > AHEAD_EVENTS)
                && let Some(first) = posted.pop_front()
            {
                events -= first.events();
                match self.settle(first) {
                    Ok(receipt) => told(receipt),
                    Err(no) => {
                        refused = Some(no);
                        break 'all;
                    }
                }
            }
        }
        for ahead in posted {
            match self.settle(ahead) {
                Ok(receipt) if refused.is_none() => told(receipt),
                Ok(_) => {}
                Err(no) => refused = refused.or(Some(no)),
            }
        }
        refused.map_or(Ok(()), Err)
    }
}
