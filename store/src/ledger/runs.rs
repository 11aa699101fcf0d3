//! Driving a bill run to its end: one commit per account, so that a crash between two accounts loses nothing.

use std::collections::VecDeque;
use std::time::Duration;

use indelible_domain::kernel::{Date, Instant};
use indelible_domain::operations::near;
use indelible_domain::runs::BillRun;
use indelible_domain::world::Noun;
use indelible_domain::{Command, Rejection};

use super::{Begun, Ledger, Receipt, Refused, Request};
use crate::StreamKey;

/// Accounts decided one after the other under one lock, and handed to the writer together: a group of one or two commits
/// costs what a group of many does. Others wait for the lock meanwhile, so that it is some milliseconds at most.
const TOGETHER: usize = 32;
/// Accounts decided ahead of the disk: they share syncs, and a crash loses nothing that was reported.
const AHEAD: usize = 2 * TOGETHER;

/// The longest that a run waits for those who wait for it: they only have to take the lock, not to give it back.
const LET_IN: Duration = Duration::from_millis(20);

/// A bill run as somebody asks for it.
#[derive(Clone, Debug)]
pub struct BillRunRequest {
    pub tenant: String,
    pub run: String,
    /// None: today in each account's zone.
    pub as_of: Option<Date>,
    /// Empty: every account with something due.
    pub accounts: Vec<String>,
    /// Nothing is numbered.
    pub draft: bool,
    pub command_id: Option<String>,
    pub input_hash: [u8; 32],
    pub actor: String,
    pub correlation: String,
    pub now: Instant,
}

/// How a bill run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// Last position of the run.
    pub position: u64,
    pub run: BillRun,
}

impl Ledger {
    /// Starts a bill run, or goes on with one of the same id that did not end, and bills account after account.
    /// Calls `progress(done, left)` after each account that is durable.
    ///
    /// Errors: RUN_EXISTS for a run of this id with another day or draft mode; what stops the log.
    pub fn run_bill(
        &self,
        ask: &BillRunRequest,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<RunReport, Refused> {
        let mut position = self.start(ask)?.position;
        // A list that is longer than a commit.
        while let Some(run) = self.find_run(ask).filter(BillRun::listing) {
            if run.named == ask.accounts.is_empty() {
                return Err(Refused::Rejection(Rejection::new(
                    "RUN_NOT_LISTED",
                    "the list of this bill run is not whole: start it again with the accounts it was started with",
                )));
            }
            let more = self.execute(request(ask, None, begin(ask)))?;
            position = position.max(more.position);
        }
        let cause = self.started_at(ask)?;
        let mut queued: VecDeque<Begun> = VecDeque::new();
        let mut more = true;
        let mut done = 0;
        // Reported after what is queued has landed: a failed commit must not go unnoticed.
        let mut refused = None;
        while more || !queued.is_empty() {
            while more && queued.len() + TOGETHER <= AHEAD {
                match self.steps(ask, cause, &mut queued) {
                    Ok(left) => more = left,
                    Err(e) => (more, refused) = (false, Some(e)),
                }
            }
            if let Some(step) = queued.pop_front() {
                let receipt = self.finish(step)?;
                position = position.max(receipt.position);
                // The last step completes the run and bills nobody.
                if receipt.outcome.left > 0 {
                    done += 1;
                    progress(done, receipt.outcome.left - 1);
                }
            }
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        let run = self.find_run(ask).unwrap_or_default();
        Ok(RunReport { position, run })
    }

    /// Decides the next accounts and queues them; whether any are left.
    fn steps(
        &self,
        ask: &BillRunRequest,
        cause: u64,
        queued: &mut VecDeque<Begun>,
    ) -> Result<bool, Refused> {
        self.alive()?;
        self.turns.let_others_in(LET_IN);
        let mut live = self.writing();
        near::fetch(live.world.tenant(&ask.tenant), &ask.run, TOGETHER);
        let mut left = Ok(true);
        self.store.together(&mut || {
            for _ in 0..TOGETHER {
                let step = self.begin_on(&mut live, step(ask, cause));
                left = step.map(|step| {
                    let more =
                        matches!(&step, Begun::Queued { receipt, .. } if receipt.outcome.left > 0);
                    queued.push_back(step);
                    more
                });
                if !matches!(left, Ok(true)) {
                    break;
                }
            }
        });
        left
    }

    fn start(&self, ask: &BillRunRequest) -> Result<Receipt, Refused> {
        let started = self.execute(request(ask, ask.command_id.clone(), begin(ask)));
        match started {
            Err(Refused::Rejection(no)) if no.code == "RUN_EXISTS" => self.go_on(ask, no),
            other => other,
        }
    }

    /// A run that was started before goes on if it is the same run.
    fn go_on(&self, ask: &BillRunRequest, no: Rejection) -> Result<Receipt, Refused> {
        let same = |run: &BillRun| {
            run.draft == ask.draft && (ask.as_of.is_none() || run.as_of == ask.as_of)
        };
        match self.find_run(ask) {
            Some(run) if same(&run) => Ok(Receipt {
                position: self.store.head(),
                events: 0,
                outcome: indelible_domain::Outcome::of(BillRun::KIND, &ask.run),
                replayed: true,
            }),
            _ => Err(Refused::Rejection(no)),
        }
    }

    /// Position of the fact that the run was started: the cause of all its steps.
    fn started_at(&self, ask: &BillRunRequest) -> Result<u64, Refused> {
        let stream = StreamKey::new(&ask.tenant, BillRun::KIND, &ask.run);
        let first = self.store.read_stream(&stream, 0, 1)?;
        Ok(first.first().map_or(0, |started| started.position))
    }

    fn find_run(&self, ask: &BillRunRequest) -> Option<BillRun> {
        self.read(&ask.tenant, |tenant| {
            BillRun::table(&tenant.tables)
                .get(&ask.run)
                .map(|e| e.state.clone())
        })
    }
}

fn begin(ask: &BillRunRequest) -> Command {
    Command::StartBillRun {
        run: ask.run.clone(),
        as_of: ask.as_of,
        accounts: ask.accounts.clone(),
        draft: ask.draft,
    }
}

fn step(ask: &BillRunRequest, cause: u64) -> Request {
    let command = Command::StepBillRun {
        run: ask.run.clone(),
    };
    // No command id: the run itself remembers which accounts are done.
    Request {
        causation: cause,
        ..request(ask, None, command)
    }
}

fn request(ask: &BillRunRequest, command_id: Option<String>, command: Command) -> Request {
    Request {
        tenant: ask.tenant.clone(),
        command_id,
        input_hash: ask.input_hash,
        actor: ask.actor.clone(),
        correlation: ask.correlation.clone(),
        causation: 0,
        now: ask.now,
        command,
    }
}
