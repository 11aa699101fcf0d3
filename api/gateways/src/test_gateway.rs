//! A provider for tests and trials: it moves no money, remembers every key, and does what its script or the token says.
//!
//! Tokens without a script: `decline:CODE` and `decline-hard:CODE` refuse, `pending` and `action` wait for
//! [`TestGateway::resolve`], `timeout` never arrives the first time, `lost` is done and not answered, all others settle.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indelible_domain::command::FailureKind;
use indelible_domain::kernel::Money;

use crate::port::{Answer, Ask, Decline, Gateway, Known, Return};

/// What the provider does with the next call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Settle,
    Decline {
        kind: FailureKind,
        code: String,
    },
    Pending,
    /// The payer must do something first.
    Action,
    /// The call never arrives, and the caller knows only that.
    Timeout,
    /// The call arrives and is done as the step says; the answer is lost.
    Lost(Box<Step>),
}

#[derive(Clone, Debug)]
struct Record {
    reference: String,
    amount: Money,
    answer: Answer,
}

#[derive(Debug, Default)]
struct Inside {
    script: VecDeque<Step>,
    records: BTreeMap<String, Record>,
    /// How often money was moved for a key: never more than once, or the test has found something.
    moved: BTreeMap<String, u32>,
    calls: u64,
    away: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct TestGateway(Mutex<Inside>);

/// What it is called in payment methods.
pub const NAME: &str = "test";

impl TestGateway {
    /// Does these steps with the next calls, then goes by the tokens.
    pub fn scripted(steps: impl IntoIterator<Item = Step>) -> TestGateway {
        let script = steps.into_iter().collect();
        TestGateway(Mutex::new(Inside {
            script,
            ..Inside::default()
        }))
    }

    /// Answers what is pending, as a webhook would; none if the key is unknown. The answer may be delivered late or twice.
    pub fn resolve(&self, key: &str, step: &Step) -> Option<Answer> {
        let mut inside = self.lock();
        let record = inside.records.get(key)?.clone();
        if matches!(
            record.answer,
            Answer::Pending { .. } | Answer::ActionRequired { .. }
        ) {
            inside.done(key, &record.reference, record.amount, step);
        }
        inside.records.get(key).map(|r| r.answer.clone())
    }

    /// Whether it can be reached for look-ups.
    pub fn set_away(&self, away: bool) {
        self.lock().away = away;
    }

    /// How often money moved, by key.
    pub fn moved(&self) -> BTreeMap<String, u32> {
        self.lock().moved.clone()
    }

    /// Σ money of settled collections and returns.
    pub fn amounts(&self) -> Vec<(String, Money)> {
        let inside = self.lock();
        let settled = inside
            .records
            .iter()
            .filter(|(_, r)| matches!(r.answer, Answer::Settled { .. }));
        settled.map(|(key, r)| (key.clone(), r.amount)).collect()
    }

    /// How many calls asked for money or gave it back.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, key: &str, amount: Money, token: &str) -> Answer {
        let mut inside = self.lock();
        inside.calls += 1;
        // The same key is the same attempt, whatever the script would do with a new one.
        if let Some(known) = inside.records.get(key) {
            return known.answer.clone();
        }
        let step = inside.script.pop_front().unwrap_or_else(|| by_token(token));
        let reference = format!("test_{}", inside.records.len() + 1);
        let unknown = |why: &str| Answer::Unknown {
            why: why.to_owned(),
        };
        match &step {
            Step::Timeout => unknown("the call timed out"),
            Step::Lost(what) => {
                inside.done(key, &reference, amount, what);
                unknown("the answer was lost")
            }
            step => {
                inside.done(key, &reference, amount, step);
                let known = inside.records.get(key);
                known.map_or_else(|| unknown("nothing was recorded"), |r| r.answer.clone())
            }
        }
    }

    fn known(&self, key: &str) -> Known {
        let inside = self.lock();
        match inside.records.get(key) {
            _ if inside.away => Known::NotYet {
                why: "it cannot be reached".to_owned(),
            },
            Some(record) => Known::As(record.answer.clone()),
            None => Known::NeverArrived,
        }
    }
}

impl Inside {
    fn done(&mut self, key: &str, reference: &str, amount: Money, step: &Step) {
        let reference = reference.to_owned();
        let answer = match step {
            Step::Settle => {
                *self.moved.entry(key.to_owned()).or_default() += 1;
                Answer::Settled {
                    reference: reference.clone(),
                }
            }
            Step::Decline { kind, code } => Answer::Declined {
                reference: Some(reference.clone()),
                decline: Decline {
                    kind: *kind,
                    code: code.clone(),
                    reason: format!("declined with {code}"),
                },
            },
            Step::Pending => Answer::Pending {
                reference: reference.clone(),
            },
            Step::Action => Answer::ActionRequired {
                reference: reference.clone(),
                url: None,
            },
            Step::Lost(inner) => return self.done(key, &reference, amount, inner),
            Step::Timeout => return,
        };
        let record = Record {
            reference,
            amount,
            answer,
        };
        self.records.insert(key.to_owned(), record);
    }
}

fn by_token(token: &str) -> Step {
    let decline = |kind, code: &str| Step::Decline {
        kind,
        code: code.to_owned(),
    };
    match token.split_once(':') {
        Some(("decline", code)) => decline(FailureKind::Soft, code),
        Some(("decline-hard", code)) => decline(FailureKind::Hard, code),
        _ => match token {
            "pending" => Step::Pending,
            "action" => Step::Action,
            "lost" => Step::Lost(Box::new(Step::Settle)),
            "timeout" => Step::Timeout,
            _ => Step::Settle,
        },
    }
}

impl Gateway for TestGateway {
    fn name(&self) -> &str {
        NAME
    }

    fn collect(&self, ask: &Ask) -> Answer {
        self.call(&ask.key, ask.amount, &ask.token)
    }

    fn look_up(&self, key: &str, _reference: Option<&str>) -> Known {
        self.known(key)
    }

    fn give_back(&self, back: &Return) -> Answer {
        self.call(&back.key, back.amount, "")
    }

    fn look_up_return(&self, back: &Return, _reference: Option<&str>) -> Known {
        self.known(&back.key)
    }
}
