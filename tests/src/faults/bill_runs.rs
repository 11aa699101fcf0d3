//! Bill runs that are stopped between any two of their steps: they go on to the documents of a run that nobody disturbed.
//!
//! Two drills. One stops a run after each of its commits, by opening a log that ends there; the other kills the process that
//! bills. In both the whole state must be that of the undisturbed ledger, number for number, and two runs over the same
//! accounts at once must come to the same documents between them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::Duration;

use indelible_domain::audit;
use indelible_domain::invoices::{Document, Stage};
use indelible_domain::runs::BillRun;
use indelible_domain::world::{Noun, Tenant};
use indelible_store::{
    Commit, EventStore, Ledger, MemoryStore, NewEvent, Refused, Request, SledStore, StreamKey,
    block,
};

use super::business::{self, TENANT};
use super::process::Running;
use super::random::Random;
use super::{Outcome, Setting, reratings};

/// Accounts of the business whose runs are stopped after every commit.
const FEW: u64 = 12;
/// Accounts of the business whose process is killed.
pub(super) const MANY: u64 = 30;
/// Months of the business that is stopped after every commit.
const FEW_MONTHS: u64 = 2;
/// Most commands of a run that are durable before a kill.
const MOST_STEPS: u64 = 9;
/// Beyond them, in microseconds: about one sync.
const LONGEST_DELAY: u64 = 2_000;
/// Every so many kills come while the process opens the log, within so many microseconds.
const DIES_OPENING: u64 = 7;
const LONGEST_OPENING: u64 = 60_000;
/// One kill in so many falls on two runs at once.
const OVERLAPPING: u64 = 5;
/// Bytes of log that are read at a time.
const READ_BYTES: usize = 1 << 20;

fn name(month: u64) -> String {
    format!("m{month}")
}

/// The other run over the same accounts.
fn other(month: u64) -> String {
    format!("m{month}-again")
}

pub(super) fn refused(what: &str) -> impl Fn(Refused) -> String + '_ {
    move |no| format!("{what}: {}: {}", no.code(), no.message())
}

pub(super) fn hand_in(ledger: &Ledger, requests: Vec<Request>) -> Result<(), String> {
    let done = ledger.execute_all(requests, &mut |_| {});
    done.map_err(refused("the business"))
}

/// A business in memory up to the run of a month, which nobody disturbs.
pub(super) struct Undisturbed {
    pub ledger: Ledger,
    accounts: u64,
}

impl Undisturbed {
    pub fn open(accounts: u64) -> Result<Undisturbed, String> {
        let ledger = Ledger::open(Arc::new(MemoryStore::new())).map_err(|e| e.to_string())?;
        hand_in(&ledger, business::opening(accounts))?;
        Ok(Undisturbed { ledger, accounts })
    }

    /// Everything of a month before its run.
    fn prepare(&self, month: u64) -> Result<(), String> {
        hand_in(&self.ledger, business::before(month, self.accounts))
    }

    /// The run of a month.
    fn bill(&self, month: u64) -> Result<(), String> {
        let ask = business::run(month, &name(month));
        let run = self.ledger.run_bill(&ask, &mut |_, _| {});
        run.map(drop).map_err(refused("the undisturbed run"))
    }
}

/// The first sentence that tells two states apart.
pub(super) fn same(disturbed: &Ledger, undisturbed: &Ledger) -> Result<(), String> {
    let expected = undisturbed.read(TENANT, Tenant::clone);
    disturbed.read(TENANT, |found| {
        if *found == expected {
            return Ok(());
        }
        Err(match found.tables.first_difference(&expected.tables) {
            Some((kind, id)) => format!("{kind} {id} is not what it is without the interruption"),
            None => "look-ups or agenda are not what they are without the interruption".into(),
        })
    })
}

/// No line twice, no gap in the numbers, every sum as it must be; and another run finds nothing to bill.
fn sound(ledger: &Ledger, month: u64) -> Result<(), String> {
    let broken = ledger.read(TENANT, audit::audit);
    if let Some(first) = broken.first() {
        return Err(format!(
            "{} broken invariants, such as: {first}",
            broken.len()
        ));
    }
    let documents = |ledger: &Ledger| ledger.read(TENANT, |t| t.tables.invoices.len());
    let before = documents(ledger);
    let again = business::run(month, &format!("m{month}-once-more"));
    let report = ledger.run_bill(&again, &mut |_, _| {});
    report.map_err(refused("another run"))?;
    if documents(ledger) != before {
        return Err("another run over the same day found something to bill".into());
    }
    let checked = ledger.verify_state().map_err(|e| e.to_string())?;
    match checked.differing.is_empty() {
        true => Ok(()),
        false => Err("the state is not the fold of its log".into()),
    }
}

/// What runs made, whoever of them it was: the documents of each account, and the numbers of all.
#[derive(PartialEq)]
struct Made {
    documents: BTreeMap<String, Vec<Document>>,
    numbers: BTreeSet<String>,
    carried: BTreeSet<String>,
    failed: BTreeSet<String>,
}

fn made(ledger: &Ledger, names: &[&str]) -> Made {
    ledger.read(TENANT, |tenant| {
        let mut made = Made {
            documents: BTreeMap::new(),
            numbers: BTreeSet::new(),
            carried: BTreeSet::new(),
            failed: BTreeSet::new(),
        };
        for invoice in tenant.tables.invoices.values().map(|e| &e.state) {
            let document = &invoice.document;
            let of_these = |run: &String| names.contains(&run.as_str());
            if !document.run.as_ref().is_some_and(of_these) {
                continue;
            }
            if invoice.stage == Stage::Finalised {
                made.numbers.insert(invoice.number.clone());
            }
            let document = Document {
                run: None,
                ..Document::clone(document)
            };
            let account = document.account.clone();
            made.documents.entry(account).or_default().push(document);
        }
        let runs = names
            .iter()
            .filter_map(|name| BillRun::table(&tenant.tables).get(name));
        for run in runs {
            made.carried
                .extend(run.state.carried.iter().map(|(a, _)| a.clone()));
            made.failed
                .extend(run.state.failed.iter().map(|(a, _, _)| a.clone()));
        }
        made
    })
}

/// What two runs made between them is what one makes alone.
fn same_between_them(two: &Ledger, undisturbed: &Ledger, month: u64) -> Result<(), String> {
    let (one, other) = (name(month), other(month));
    let found = made(two, &[&one, &other]);
    let expected = made(undisturbed, &[&one]);
    if found.numbers != expected.numbers {
        return Err(format!(
            "two runs at once gave {} numbers, one gives {}",
            found.numbers.len(),
            expected.numbers.len()
        ));
    }
    match found == expected {
        true => Ok(()),
        false => Err("two runs at once made other documents than one".into()),
    }
}

/// A log in memory that ends after some commits of another one.
fn cut(commits: &[Commit]) -> Result<Ledger, String> {
    let store = MemoryStore::new();
    for commit in commits {
        store.append(commit.clone()).map_err(|e| e.to_string())?;
    }
    Ledger::open(Arc::new(store)).map_err(|e| e.to_string())
}

pub(super) fn commits(store: &dyn EventStore) -> Result<Vec<Commit>, String> {
    let (mut found, mut after) = (Vec::new(), 0);
    while after < store.head() {
        for raw in store.blocks(after, READ_BYTES).map_err(|e| e.to_string())? {
            let block = block::decode(raw.first_position, &raw.bytes).map_err(|e| e.to_string())?;
            let body = block.body;
            let tenant = body.tenant;
            let event = |e: block::BodyEvent| NewEvent {
                stream: StreamKey::new(tenant.as_str(), e.kind, e.id),
                expected_version: e.version - 1,
                event_type: e.event_type,
                schema: e.schema,
                payload: e.payload,
            };
            found.push(Commit {
                events: body.events.into_iter().map(event).collect(),
                tenant: tenant.clone(),
                recorded_at: raw.recorded_at,
                actor: body.actor,
                correlation: body.correlation,
                causation: body.causation,
                command: body.command,
            });
            after = raw.last_position;
        }
    }
    Ok(found)
}

/// The drill that stops a run after each of its commits.
pub fn every_step(_: &Setting) -> Result<Outcome, String> {
    let undisturbed = Undisturbed::open(FEW)?;
    let mut stops = 0;
    for month in 1..=FEW_MONTHS {
        undisturbed.prepare(month)?;
        let before = commits(undisturbed.ledger.store().as_ref())?.len();
        undisturbed.bill(month)?;
        let all = commits(undisturbed.ledger.store().as_ref())?;
        if all.len() < before + usize::try_from(FEW).unwrap_or(0) {
            return Err("the run has hardly any steps: the drill did not drill".into());
        }
        for end in before..=all.len() {
            let told = |what: String| format!("month {month}, stopped after commit {end}: {what}");
            stopped(&all[..end], &undisturbed.ledger, month).map_err(told)?;
            stops += 1;
        }
    }
    Ok(Outcome::Passed(format!(
        "{stops} runs stopped between two steps went on to the same state, and so did two runs over the same accounts"
    )))
}

fn stopped(log: &[Commit], undisturbed: &Ledger, month: u64) -> Result<(), String> {
    let alone = cut(log)?;
    alone
        .run_bill(&business::run(month, &name(month)), &mut |_, _| {})
        .map_err(refused("the run"))?;
    same(&alone, undisturbed)?;
    sound(&alone, month)?;
    let two = cut(log)?;
    // The run that was stopped is under way already, if it was begun; the other one begins after it was.
    let (one, other) = (name(month), other(month));
    business::step_by_step(&two, month, &[&other, &one], &mut || {})
        .map_err(refused("two runs"))?;
    same_between_them(&two, undisturbed, month)?;
    sound(&two, month)
}

/// The process that is killed: works through a month of the business in a directory, and says `did` after each command of
/// the run that is durable, `done` at the end. `how` is `ahead`, `stepwise` or `two`, or what is rated again or taken back
/// ([`reratings`]).
pub fn bill(data: &Path, month: u64, how: &str) -> Result<(), String> {
    let store = SledStore::open(data).map_err(|e| e.to_string())?;
    let ledger = Ledger::open(Arc::new(store)).map_err(|e| e.to_string())?;
    let mut did = || say("did");
    if let Some(done) = reratings::work(&ledger, MANY, how, &mut did) {
        done?;
        say("done");
        return Ok(());
    }
    hand_in(&ledger, business::opening(MANY))?;
    hand_in(&ledger, business::before(month, MANY))?;
    say("open");
    let (one, other) = (name(month), other(month));
    match how {
        "ahead" => ledger
            .run_bill(&business::run(month, &one), &mut |_, _| did())
            .map(drop),
        "two" => business::step_by_step(&ledger, month, &[&one, &other], &mut did),
        _ => business::step_by_step(&ledger, month, &[&one], &mut did),
    }
    .map_err(refused("the run"))?;
    say("done");
    Ok(())
}

pub(super) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("{line}\n").as_bytes());
    let _ = out.flush();
}

/// What a process that billed came to.
pub(super) enum End {
    Killed,
    /// Before its moment came.
    Done,
}

pub(super) struct Killer<'a> {
    setting: &'a Setting,
    random: Random,
    pub kills: u64,
    /// Those that came between two steps.
    pub unfinished: u64,
}

impl<'a> Killer<'a> {
    pub fn of(setting: &'a Setting) -> Killer<'a> {
        Killer {
            setting,
            random: Random::seeded(setting.seed),
            kills: 0,
            unfinished: 0,
        }
    }

    /// Lets the process work up to a random moment, or to its end.
    pub fn once(&mut self, data: &Path, month: u64, how: &str, kill: bool) -> Result<End, String> {
        let mut process = Process::new(&self.setting.exe);
        process
            .arg("bill")
            .arg(data)
            .args([month.to_string().as_str(), how]);
        let mut running = Running::start(process)?;
        if kill && self.kills % DIES_OPENING == DIES_OPENING - 1 {
            std::thread::sleep(Duration::from_micros(self.random.below(LONGEST_OPENING)));
            running.kill();
            self.kills += 1;
            return Ok(End::Killed);
        }
        let mut steps = match kill {
            true => self.random.below(MOST_STEPS),
            false => u64::MAX,
        };
        let mut begun = false;
        loop {
            if begun && steps == 0 {
                std::thread::sleep(Duration::from_micros(self.random.below(LONGEST_DELAY)));
                running.kill();
                self.kills += 1;
                return Ok(End::Killed);
            }
            match running.line()?.as_deref() {
                Some("open") => begun = true,
                Some("did") => steps -= 1,
                Some("done") => return Ok(End::Done),
                Some(other) => return Err(other.into()),
                None => return Err("the process ended by itself".into()),
            }
        }
    }
}

/// The drill that kills the process that bills.
pub fn kills(setting: &Setting) -> Result<Outcome, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let data = dir.path().join("data");
    let undisturbed = Undisturbed::open(MANY)?;
    let mut killer = Killer::of(setting);
    let overlapping = (setting.run_kills / OVERLAPPING).max(1);
    let alone = setting.run_kills.saturating_sub(overlapping);
    let mut month = 1;
    while killer.kills < alone {
        let how = ["stepwise", "ahead"][usize::from(month % 3 == 0)];
        month_through(&mut killer, &data, month, how, alone)?;
        undisturbed.prepare(month)?;
        undisturbed.bill(month)?;
        let ledger = opened(&data)?;
        same(&ledger, &undisturbed.ledger).map_err(|e| format!("month {month}: {e}"))?;
        month += 1;
    }
    let months = month - 1;
    month_through(&mut killer, &data, month, "two", setting.run_kills)?;
    undisturbed.prepare(month)?;
    undisturbed.bill(month)?;
    let ledger = opened(&data)?;
    same_between_them(&ledger, &undisturbed.ledger, month)?;
    sound(&ledger, month)?;
    if killer.unfinished == 0 {
        return Err("no kill came between two steps: the drill did not drill".into());
    }
    let documents = ledger.read(TENANT, |t| t.tables.invoices.len());
    Ok(Outcome::Passed(format!(
        "{} kills, {} of them between two steps of a run; after {months} months the state is that of a ledger that nobody disturbed, and two runs at once made the same documents between them ({documents} documents, no line twice, no gap in the numbers)",
        killer.kills, killer.unfinished
    )))
}

/// Works through a month, killed again and again while there are kills left, and then to its end.
fn month_through(
    killer: &mut Killer<'_>,
    data: &Path,
    month: u64,
    how: &str,
    most: u64,
) -> Result<(), String> {
    loop {
        let kill = killer.kills < most;
        let end = killer.once(data, month, how, kill);
        if let End::Done = end.map_err(|e| format!("month {month}: {e}"))? {
            return Ok(());
        }
        let ledger = opened(data)?;
        let open = |name: &str| {
            ledger.read(TENANT, |t| {
                BillRun::table(&t.tables)
                    .get(name)
                    .is_some_and(|run| run.state.done > 0 && !run.state.completed)
            })
        };
        killer.unfinished += u64::from(open(&name(month)));
        let broken = ledger.read(TENANT, audit::audit);
        if let Some(first) = broken.first() {
            return Err(format!("month {month}, kill {}: {first}", killer.kills));
        }
    }
}

pub(super) fn opened(data: &Path) -> Result<Ledger, String> {
    let store = SledStore::open(data).map_err(|e| e.to_string())?;
    Ledger::open(Arc::new(store)).map_err(|e| e.to_string())
}
