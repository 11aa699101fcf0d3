//! Takes the commands of all clients, one after the other, and answers each when it is durable.
//!
//! One thread decides what comes in, another waits for the disk: while a group of commits is synced, the commands of the next one
//! are decided. A thread for each client that waits would be woken for each answer, and to wake it costs more than its command.
//!
//! Lines of usage come sealed with keys that may not be on disk yet: those of all commands that wait are synced together
//! before the first of them is decided.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};

use indelible_domain::command::Command;
use indelible_domain::mediation::{Intake, Received};
use indelible_store::{Keyring, Ledger, Posted, Receipt, Refused, Request};
use tokio::sync::{mpsc, oneshot};

/// Commands that wait to be decided, and decided ones that wait for the disk: above, clients wait to be heard.
const WAITING: usize = 1_024;

type Answer = oneshot::Sender<Result<Receipt, Refused>>;

/// The desk of one ledger. Dropped, it has answered everybody who was heard.
pub struct Clerk {
    ledger: Arc<Ledger>,
    keyring: Arc<Keyring>,
    /// From the first command on.
    desk: OnceLock<Option<Desk>>,
}

struct Desk {
    ask: Option<mpsc::Sender<(Request, Answer)>>,
    threads: Vec<JoinHandle<()>>,
}

impl Clerk {
    pub fn new(ledger: Arc<Ledger>, keyring: Arc<Keyring>) -> Clerk {
        Clerk {
            ledger,
            keyring,
            desk: OnceLock::new(),
        }
    }

    /// Decides a command after those that came before it, and answers when what it led to is durable. It is carried out
    /// also if nobody waits for the answer any more.
    pub async fn execute(&self, request: Request) -> Result<Receipt, Refused> {
        let gone = |what: &str| Refused::Broken { what: what.into() };
        let desk = self
            .desk
            .get_or_init(|| Desk::start(&self.ledger, &self.keyring).ok());
        let ask = desk.as_ref().and_then(|desk| desk.ask.as_ref());
        let ask = ask.ok_or_else(|| gone("no thread could be started to take commands"))?;
        let (answer, answered) = oneshot::channel();
        let ended = || gone("the thread that takes commands has ended");
        (ask.send((request, answer)).await).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

impl Desk {
    fn start(ledger: &Arc<Ledger>, keyring: &Arc<Keyring>) -> std::io::Result<Desk> {
        let (ask, asked) = mpsc::channel(WAITING);
        let (post, posted) = sync_channel::<(Posted, Answer)>(WAITING);
        let (decides, settles) = (Arc::clone(ledger), Arc::clone(ledger));
        let keyring = Arc::clone(keyring);
        let desk = Builder::new().name("indelible-desk".into());
        let desk = desk.spawn(move || decide(&decides, &keyring, asked, &post))?;
        let answers = Builder::new().name("indelible-answers".into());
        let answers = answers.spawn(move || {
            for (posted, answer) in posted {
                // Who asked may have gone.
                let _ = answer.send(settles.settle(posted));
            }
        })?;
        Ok(Desk {
            ask: Some(ask),
            threads: vec![desk, answers],
        })
    }
}

fn decide(
    ledger: &Ledger,
    keyring: &Keyring,
    mut asked: mpsc::Receiver<(Request, Answer)>,
    post: &SyncSender<(Posted, Answer)>,
) {
    let mut waiting = Vec::new();
    while asked.blocking_recv_many(&mut waiting, WAITING) > 0 {
        let seals = waiting.iter().any(|(request, _)| seals(request));
        let unkept = seals.then(|| keyring.keep().err()).flatten();
        for (request, answer) in waiting.drain(..) {
            if let Some(why) = unkept.as_ref().filter(|_| !is_kept(keyring, &request)) {
                drop(answer.send(Err(Refused::Keys(why.clone()))));
                continue;
            }
            match ledger.post(request) {
                // Dropped where nobody settles any more, which tells who waits.
                Ok(posted) => drop(post.send((posted, answer))),
                Err(refused) => drop(answer.send(Err(refused))),
            }
        }
    }
}

/// Whether a command may hold what was sealed ahead of the disk.
fn seals(request: &Request) -> bool {
    intake(&request.command).is_some()
}

/// Whether all keys that a command's lines are sealed with are on disk.
fn is_kept(keyring: &Keyring, request: &Request) -> bool {
    let lines = intake(&request.command).into_iter().flat_map(|i| &i.lines);
    let mut raw = lines.filter_map(|line| match line {
        Received::Record(record) => record.raw.as_ref(),
        Received::Unreadable { .. } => None,
    });
    raw.all(|raw| keyring.is_kept(&raw.key_id))
}

/// The lines of usage that a command brings.
fn intake(command: &Command) -> Option<&Intake> {
    match command {
        Command::IngestUsage(intake) | Command::AddToRerating { part: intake, .. } => Some(intake),
        Command::Rerate { add, .. } => add.as_deref(),
        _ => None,
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.ask = None;
        for thread in self.threads.drain(..) {
            // A panic in there was told to whoever waited.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use indelible_domain::command::Command;
    use indelible_domain::entities::EntityTerms;
    use indelible_domain::kernel::{Date, Decimal, Instant, Personal, Purpose};
    use indelible_domain::mediation::UsageRecord;
    use indelible_domain::reratings::{Ask, Change, Settle};
    use indelible_store::MemoryStore;

    use super::*;

    fn open(entity: &str, key: &str) -> Request {
        Request {
            tenant: "t".into(),
            command_id: Some(key.into()),
            input_hash: [1; 32],
            actor: "test".into(),
            correlation: String::new(),
            causation: 0,
            now: Instant(0),
            command: Command::OpenEntity {
                entity: entity.into(),
                terms: EntityTerms {
                    name: "Test".into(),
                    country: "DE".into(),
                    ..EntityTerms::default()
                },
            },
        }
    }

    #[test]
    fn every_client_gets_the_answer_to_its_own_command_and_a_repeated_one_the_first() {
        let ledger = Ledger::open(Arc::new(MemoryStore::new())).expect("an empty log");
        let ledger = Arc::new(ledger);
        let clerk = Arc::new(Clerk::new(
            Arc::clone(&ledger),
            Arc::new(Keyring::in_memory(1)),
        ));
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(2).build().expect("a runtime");
        let ask = |n: usize| {
            let clerk = Arc::clone(&clerk);
            let request = open(&format!("e{}", n % 32), &format!("k{}", n % 32));
            runtime.spawn(async move { clerk.execute(request).await })
        };
        let asked: Vec<_> = (0..64).map(ask).collect();
        let answers = asked.into_iter().map(|asked| {
            let answer = runtime.block_on(asked).expect("no panic");
            answer.expect("nothing refuses it")
        });
        let answers: Vec<Receipt> = answers.collect();
        let positions: BTreeSet<u64> = answers.iter().map(|receipt| receipt.position).collect();
        assert_eq!(positions.len(), 32);
        assert_eq!(
            answers.iter().filter(|receipt| receipt.replayed).count(),
            32
        );
        let refused = runtime.block_on(clerk.execute(open("e1", "another")));
        assert!(matches!(refused, Err(Refused::Rejection(_))), "{refused:?}");
        // Nothing of it outlives the clerk.
        drop(clerk);
        assert_eq!(Arc::strong_count(&ledger), 1);
    }

    /// A line sealed with a key of its own that is not on disk yet.
    fn line(keyring: &Keyring, access: &str) -> (String, Box<Intake>) {
        let sealed = keyring.seal_ahead("t", access, Purpose::UsageRaw, b"a line");
        let sealed = sealed.expect("it is sealed");
        let key_id = sealed.key_id.clone();
        let record = UsageRecord {
            line: 1,
            key: [1; 16],
            content: [2; 16],
            corrects: false,
            metric: "calls".into(),
            access: access.into(),
            at: Instant(0),
            quantity: Decimal::ONE,
            amount: None,
            attributes: BTreeMap::new(),
            raw: Some(Box::new(Personal::sealed(
                sealed.key_id,
                sealed.nonce,
                sealed.ciphertext,
            ))),
        };
        let intake = Intake {
            batch: access.into(),
            source: "s".into(),
            format: "records".into(),
            name: String::new(),
            lines: vec![Received::Record(record)],
        };
        (key_id, Box::new(intake))
    }

    #[test]
    fn keys_are_on_disk_before_whatever_command_brings_lines_is_decided() {
        let dir = std::env::temp_dir().join(format!("indelible-clerk-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let keyring = Arc::new(Keyring::open(&dir).expect("a keyring"));
        let ledger = Ledger::open(Arc::new(MemoryStore::new())).expect("an empty log");
        let clerk = Clerk::new(Arc::new(ledger), Arc::clone(&keyring));
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let ask = Box::new(Ask {
            accounts: vec![],
            subscriptions: vec![],
            charges: vec![],
            from: Date::default(),
            until: Date::default(),
            change: Change::Again,
            reason: "a test".into(),
            settle: Settle::Note,
        });
        type Bring<'a> = &'a dyn Fn(Box<Intake>) -> Command;
        let commands: [Bring<'_>; 3] = [
            &|lines| Command::IngestUsage(lines),
            &|lines| Command::Rerate {
                rerating: "r".into(),
                ask: ask.clone(),
                add: Some(lines),
            },
            &|lines| Command::AddToRerating {
                rerating: "r".into(),
                ask: ask.clone(),
                part: lines,
                more: false,
            },
        ];
        for (n, command) in commands.into_iter().enumerate() {
            let (key_id, lines) = line(&keyring, &format!("a{n}"));
            assert!(!keyring.is_kept(&key_id), "{n}: it was sealed ahead");
            let request = Request {
                command: command(lines),
                ..open("e", &format!("k{n}"))
            };
            // Whether it is refused for another reason does not matter here.
            let _ = runtime.block_on(clerk.execute(request));
            assert!(keyring.is_kept(&key_id), "{n}: its key is on disk");
        }
        drop(clerk);
        std::fs::remove_dir_all(&dir).expect("removed");
    }
}
