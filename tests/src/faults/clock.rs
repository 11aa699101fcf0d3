//! A clock that goes back: the log's time does not, and nothing else notices.

use std::sync::Arc;

use indelible_domain::Command;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::Instant;
use indelible_store::{EventStore, Ledger, Request, SledStore};

use super::load::{Name, commit};
use super::{Outcome, Setting};

const COMMITS: u64 = 40;
const MICROS_PER_DAY: i64 = 86_400_000_000;
const START: i64 = 1_767_225_600_000_000;

/// The drill: commits whose times go back by a day each, with leaps to before 1970 and back, over a reopening; then
/// the ledger's own commands by such a clock.
pub fn drill(_: &Setting) -> Result<Outcome, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut highest = i64::MIN;
    let mut expected = Vec::new();
    for run in 0..2 {
        let store = SledStore::open(dir.path()).map_err(|e| e.to_string())?;
        for number in 0..COMMITS {
            let name = Name {
                run,
                submitter: 0,
                number,
            };
            let mut commit = commit(name, &|stream| {
                store.stream_version(stream).expect("the index can be read")
            });
            commit.recorded_at = match number % 7 {
                6 => i64::MIN,
                back => START - i64::try_from(run * COMMITS + back).unwrap_or(0) * MICROS_PER_DAY,
            };
            highest = highest.max(commit.recorded_at);
            expected.extend(vec![highest; commit.events.len()]);
            store.append(commit).map_err(|e| e.to_string())?;
        }
    }
    let store = SledStore::open(dir.path()).map_err(|e| e.to_string())?;
    store.verify(&mut |_, _| {}).map_err(|e| e.to_string())?;
    let events = store.read(0, usize::MAX).map_err(|e| e.to_string())?;
    let times: Vec<i64> = events.iter().map(|event| event.recorded_at).collect();
    if times != expected {
        return Err("the log's time is not the highest time seen so far".into());
    }
    drop(store);
    let commands = the_ledger_by_such_a_clock()?;
    Ok(Outcome::Passed(format!(
        "{} commits and {commands} commands, times raised to the highest seen, state equal to a replay",
        2 * COMMITS
    )))
}

fn the_ledger_by_such_a_clock() -> Result<u64, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut commands = vec![Command::OpenEntity {
        entity: "main".into(),
        terms: EntityTerms {
            name: "Main".into(),
            ..EntityTerms::default()
        },
    }];
    commands.extend((0..10).map(|n| Command::OpenAccount {
        account: format!("a{n}"),
        terms: AccountTerms {
            entity: "main".into(),
            ..AccountTerms::default()
        },
    }));
    let count = commands.len() as u64;
    let mut at = START;
    for command in commands {
        // A new process for every command: the clock may have been set back while none was running.
        let store = SledStore::open(dir.path()).map_err(|e| e.to_string())?;
        let ledger = Ledger::open(Arc::new(store)).map_err(|e| e.to_string())?;
        ledger
            .execute(Request::new("drill", "test", Instant(at), command))
            .map_err(|e| format!("refused: {e:?}"))?;
        let state = ledger.verify_state().map_err(|e| e.to_string())?;
        if !state.differing.is_empty() {
            return Err("the state in memory differs from a replay".into());
        }
        at -= MICROS_PER_DAY;
    }
    let store = SledStore::open(dir.path()).map_err(|e| e.to_string())?;
    store.verify(&mut |_, _| {}).map_err(|e| e.to_string())?;
    Ok(count)
}
