//! Reratings that are stopped between any two of their steps, and taken back likewise: they go on to the state of a ledger
//! that nobody disturbed, so no difference is posted twice and none is lost.
//!
//! Two drills. One stops a rerating, and its undoing, after each of its commits, by opening a copy of a directory that ends
//! there; the other kills the process that rates again.

use std::path::Path;
use std::sync::Arc;

use indelible_domain::catalog::Price;
use indelible_domain::reratings::{Ask, Change, Rerating, Settle, Stage};
use indelible_domain::world::Noun;
use indelible_domain::{Command, audit};
use indelible_store::{EventStore, Ledger, Refused, Request, SledStore};

use super::bill_runs::{
    End, Killer, MANY, Undisturbed, commits, hand_in, opened, refused, same, say,
};
use super::business::{self, TENANT, day, now};
use super::{Outcome, Setting};

/// Accounts of the business whose reratings are stopped after every commit.
const FEW: u64 = 7;
/// Months that are billed before anything is rated again.
const MONTHS: u64 = 2;
/// How a process is told what to do: before the number of the rerating.
const RERATE: &str = "rerate-";
const UNDO: &str = "undo-";

fn name(number: u64) -> String {
    format!("r{number}")
}

/// Calls of the first billed month at another price; each rerating has its own.
fn ask(number: u64) -> Ask {
    let price = format!("0.{:04}", 500 + number % 400 * 10);
    Ask {
        accounts: vec![],
        subscriptions: vec![],
        charges: vec!["calls".into()],
        from: day(0),
        until: day(MONTHS),
        change: Change::Price {
            charge: "calls".into(),
            price: Price::PerUnit(price.parse().expect("a price")),
        },
        reason: "the drill".into(),
        settle: Settle::Note,
    }
}

/// The business with its first months billed; what is done already is done once.
fn billed(ledger: &Ledger, accounts: u64) -> Result<(), String> {
    hand_in(ledger, business::opening(accounts))?;
    for month in 1..=MONTHS {
        hand_in(ledger, business::before(month, accounts))?;
        let run = business::run(month, &format!("m{month}"));
        let done = ledger.run_bill(&run, &mut |_, _| {});
        done.map(drop).map_err(refused("a run"))?;
    }
    Ok(())
}

fn request(command: Command) -> Request {
    Request::new(TENANT, "drill", now(MONTHS), command)
}

/// Rates again, or goes on with it, one command after the other. Tells of each that is durable.
fn rerate(ledger: &Ledger, number: u64, told: &mut dyn FnMut()) -> Result<(), Refused> {
    let rerating = name(number);
    let ask = Command::Rerate {
        rerating: rerating.clone(),
        ask: Box::new(ask(number)),
        add: None,
    };
    ledger.execute(request(ask).named(format!("ask {rerating}")))?;
    told();
    steps(ledger, &rerating, told)
}

/// Takes it back, or goes on with that.
fn undo(ledger: &Ledger, number: u64, told: &mut dyn FnMut()) -> Result<(), Refused> {
    let rerating = name(number);
    let undo = Command::UndoRerating {
        rerating: rerating.clone(),
        reason: "the drill".into(),
    };
    ledger.execute(request(undo).named(format!("undo {rerating}")))?;
    told();
    steps(ledger, &rerating, told)
}

fn steps(ledger: &Ledger, rerating: &str, told: &mut dyn FnMut()) -> Result<(), Refused> {
    loop {
        let step = Command::StepRerating {
            rerating: rerating.into(),
        };
        let done = ledger.execute(request(step))?;
        told();
        if done.outcome.left == 0 {
            return Ok(());
        }
    }
}

/// What the killed process does; none where it was asked for something else.
pub(super) fn work(
    ledger: &Ledger,
    accounts: u64,
    how: &str,
    did: &mut dyn FnMut(),
) -> Option<Result<(), String>> {
    let number = |prefix: &str| how.strip_prefix(prefix)?.parse::<u64>().ok();
    let (again, back) = (number(RERATE), number(UNDO));
    let number = again.or(back)?;
    let done = billed(ledger, accounts).and_then(|()| {
        say("open");
        match again {
            Some(_) => rerate(ledger, number, did),
            None => undo(ledger, number, did),
        }
        .map_err(refused("the rerating"))
    });
    Some(done)
}

/// Every sum as it must be, the state the fold of its log, and the same rerating again finds nothing.
fn sound(ledger: &Ledger, number: u64) -> Result<(), String> {
    let broken = ledger.read(TENANT, audit::audit);
    if let Some(first) = broken.first() {
        return Err(format!("{} broken invariants: {first}", broken.len()));
    }
    let checked = ledger.verify_state().map_err(|e| e.to_string())?;
    if !checked.differing.is_empty() {
        return Err("the state is not the fold of its log".into());
    }
    let documents = || ledger.read(TENANT, |t| t.tables.invoices.len());
    let before = documents();
    steps(ledger, &name(number), &mut || {}).map_err(refused("a step too many"))?;
    match documents() == before {
        true => Ok(()),
        false => Err("a rerating that was done made another document".into()),
    }
}

/// A rerating or its undoing under way: some of it is done, and not all.
fn under_way(ledger: &Ledger, number: u64) -> bool {
    ledger.read(TENANT, |t| {
        Rerating::table(&t.tables)
            .get(&name(number))
            .is_some_and(|r| !matches!(r.state.stage, Stage::Done | Stage::Undone))
    })
}

/// A file or directory with everything in it.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        return std::fs::copy(from, to).map(drop);
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// The drill that stops a rerating and its undoing after each of its commits, on disk.
pub fn every_step(_: &Setting) -> Result<Outcome, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let (data, short) = (dir.path().join("data"), dir.path().join("short"));
    let undisturbed = Undisturbed::open(FEW)?;
    billed(&undisturbed.ledger, FEW)?;
    let all = |ledger: &Ledger| commits(ledger.store().as_ref());
    let mut written = 0;
    let mut stops = 0;
    for back in [false, true] {
        let go = |ledger: &Ledger| match back {
            true => undo(ledger, 1, &mut || {}),
            false => rerate(ledger, 1, &mut || {}),
        };
        let before = all(&undisturbed.ledger)?.len();
        go(&undisturbed.ledger).map_err(refused("the undisturbed rerating"))?;
        let log = all(&undisturbed.ledger)?;
        if log.len() < before + 5 {
            return Err("it has hardly any steps: the drill did not drill".into());
        }
        for end in before..=log.len() {
            let told = |what: String| format!("undone: {back}, stopped after commit {end}: {what}");
            let store = SledStore::open(&data).map_err(|e| e.to_string())?;
            for commit in &log[written..end] {
                store.append(commit.clone()).map_err(|e| e.to_string())?;
            }
            written = end;
            drop(store);
            let _ = std::fs::remove_dir_all(&short);
            copy(&data, &short).map_err(|e| e.to_string())?;
            let store = SledStore::open(&short).map_err(|e| e.to_string())?;
            let ledger = Ledger::open(Arc::new(store)).map_err(|e| e.to_string())?;
            go(&ledger).map_err(refused("the rerating")).map_err(told)?;
            let told = |what: String| format!("undone: {back}, stopped after commit {end}: {what}");
            same(&ledger, &undisturbed.ledger).map_err(told)?;
            sound(&ledger, 1)?;
            stops += 1;
        }
    }
    Ok(Outcome::Passed(format!(
        "{stops} reratings and undoings stopped between two steps went on to the same state: no difference twice, none lost"
    )))
}

/// The drill that kills the process that rates again.
pub fn kills(setting: &Setting) -> Result<Outcome, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let data = dir.path().join("data");
    let undisturbed = Undisturbed::open(MANY)?;
    billed(&undisturbed.ledger, MANY)?;
    let mut killer = Killer::of(setting);
    let mut number = 0;
    while killer.kills < setting.run_kills {
        number += 1;
        for prefix in [RERATE, UNDO] {
            let how = format!("{prefix}{number}");
            through(&mut killer, &data, (number, &how), setting.run_kills)?;
            let done = work_quietly(&undisturbed.ledger, prefix, number);
            done.map_err(refused("the undisturbed rerating"))?;
            let ledger = opened(&data)?;
            same(&ledger, &undisturbed.ledger).map_err(|e| format!("{how}: {e}"))?;
            sound(&ledger, number).map_err(|e| format!("{how}: {e}"))?;
        }
    }
    if killer.unfinished == 0 {
        return Err("no kill came between two steps: the drill did not drill".into());
    }
    Ok(Outcome::Passed(format!(
        "{} kills, {} of them between two steps of {number} reratings and their undoings; the state is that of a ledger that nobody disturbed",
        killer.kills, killer.unfinished
    )))
}

fn work_quietly(ledger: &Ledger, prefix: &str, number: u64) -> Result<(), Refused> {
    match prefix == RERATE {
        true => rerate(ledger, number, &mut || {}),
        false => undo(ledger, number, &mut || {}),
    }
}

/// Killed again and again while there are kills left, and then to the end.
fn through(
    killer: &mut Killer<'_>,
    data: &Path,
    (number, how): (u64, &str),
    most: u64,
) -> Result<(), String> {
    loop {
        let kill = killer.kills < most;
        let end = killer.once(data, MONTHS, how, kill);
        if let End::Done = end.map_err(|e| format!("{how}: {e}"))? {
            return Ok(());
        }
        let ledger = opened(data)?;
        killer.unfinished += u64::from(under_way(&ledger, number));
        let broken = ledger.read(TENANT, audit::audit);
        if let Some(first) = broken.first() {
            return Err(format!("{how}, kill {}: {first}", killer.kills));
        }
    }
}
