//! Many commands of one sender, decided ahead of the disk.

use std::collections::VecDeque;

use super::{Ledger, Receipt, Refused, Request};

/// Commands decided ahead of the disk: while one group is written, the next ones are decided. More would only wait, and a
/// crash costs what is not answered yet.
const AHEAD: usize = 4;

impl Ledger {
    /// Executes commands in their order and tells each receipt, in that order, once it is durable. The first refusal ends
    /// it, after what was decided before it has been told.
    pub fn execute_all(
        &self,
        requests: impl IntoIterator<Item = Request>,
        told: &mut dyn FnMut(Receipt),
    ) -> Result<(), Refused> {
        let mut posted = VecDeque::with_capacity(AHEAD);
        let mut refused = None;
        for request in requests {
            match self.post(request) {
                Ok(ahead) => posted.push_back(ahead),
                Err(no) => {
                    refused = Some(no);
                    break;
                }
            }
            if posted.len() > AHEAD
                && let Some(first) = posted.pop_front()
            {
                match self.settle(first) {
                    Ok(receipt) => told(receipt),
                    Err(no) => {
                        refused = Some(no);
                        break;
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
