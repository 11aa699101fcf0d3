//! One flipped byte at a time, anywhere in the files of a log.
//!
//! In bytes the log rests on, the flip is found and the damaged block named. Elsewhere (room the engine left behind,
//! older copies, its own notes, zeros not yet used) it is found, or the log reads exactly as before. What must never
//! be: a log that opens and is another, or a process that dies.

use std::collections::HashMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use indelible_store::{EventStore, SledStore, StoreError, StoredEvent};

use super::files::{Image, scratch};
use super::process::Running;
use super::random::Random;
use super::syncs::append_noted;
use super::truth::{Truth, chain};
use super::{Outcome, Setting};

/// Bytes of a payload by which it is found in the engine's file.
const NEEDLE: usize = 16;
/// Processes that open damaged logs; of their own, because the engine may die of what it reads.
const WORKERS: usize = 2;

/// A byte to flip.
#[derive(Clone, Debug)]
struct Place {
    file: PathBuf,
    offset: u64,
    mask: u8,
    /// First position of the block whose only copy lies there.
    live: Option<u64>,
    /// Nothing was ever written there, or nothing but zeros.
    zeros: bool,
}

/// What came of the flips.
#[derive(Default)]
struct Counts {
    live: u64,
    to_the_block: u64,
    in_data: u64,
    in_zeros: u64,
    in_other_files: u64,
    found: u64,
    identical: u64,
}

/// The drill.
pub fn drill(setting: &Setting) -> Result<Outcome, String> {
    let dir = scratch().map_err(|e| e.to_string())?;
    let data = dir.path().join("data");
    let places = choose(&data, setting)?;
    let answers: Vec<Result<Vec<String>, String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let mine: Vec<&Place> = places.iter().skip(worker).step_by(WORKERS).collect();
                let (data, exe) = (&data, &setting.exe);
                let work = dir.path().join(format!("worker-{worker}"));
                scope.spawn(move || all_answers(exe, data, &work, &mine))
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err("panicked".into())))
            .collect()
    });
    let mut counts = Counts::default();
    for (worker, answers) in answers.into_iter().enumerate() {
        let mine = places.iter().skip(worker).step_by(WORKERS);
        for (place, answer) in mine.zip(answers?) {
            judge(place, &answer, &mut counts).map_err(|e| format!("{place:?}: {e}: {answer}"))?;
        }
    }
    Ok(Outcome::Passed(format!(
        "{} flips: {} in live blocks, all found and located ({} to the very block, the others to the first block that can no longer be read); {} elsewhere in the engine's data, {} in its zeros, {} in other files: {} found, {} without effect on the log",
        places.len(),
        counts.live,
        counts.to_the_block,
        counts.in_data,
        counts.in_zeros,
        counts.in_other_files,
        counts.found,
        counts.identical,
    )))
}

/// Makes a log, closes it, and chooses the places.
fn choose(data: &Path, setting: &Setting) -> Result<Vec<Place>, String> {
    let mut truth = Truth::default();
    for run in 0..2 {
        // Opened twice: so a snapshot of the engine and a log that goes on after it are both there.
        let store = SledStore::open(data).map_err(|e| e.to_string())?;
        for number in 0..setting.flip_commits / 2 {
            append_noted(&store, &mut truth, run, number).map_err(|e| e.to_string())?;
        }
    }
    let image = Image::read(data).map_err(|e| e.to_string())?;
    let store = SledStore::open(data).map_err(|e| e.to_string())?;
    let events = store.read(0, usize::MAX).map_err(|e| e.to_string())?;
    let blocks = store.blocks(0, usize::MAX).map_err(|e| e.to_string())?;
    let first = |position: u64| {
        let at = blocks.partition_point(|block| block.last_position < position);
        blocks.get(at).map(|block| block.first_position)
    };
    drop(store);
    image.write(data).map_err(|e| e.to_string())?;

    let engine: Vec<Stretches<'_>> = image
        .files
        .iter()
        .filter(|(path, _)| path.ends_with("db"))
        .map(|(path, content)| (path, content.stretches()))
        .collect();
    let live = only_copies(&engine, &events);
    let mut random = Random::seeded(setting.seed);
    let mut places = Vec::new();
    let others: Vec<(&PathBuf, u64)> = image
        .files
        .iter()
        .filter(|(path, content)| !path.ends_with("db") && content.length > 0)
        .map(|(path, content)| (path, content.length))
        .collect();
    if live.is_empty() || engine.is_empty() || others.is_empty() {
        return Err("the log lies in no file that is known".into());
    }
    for number in 0..setting.flips {
        let (file, stretches) = &engine[random.index(engine.len())];
        let (file, offset, live) = match number % 10 {
            0..=3 => {
                let (file, offset, position, length) = &live[random.index(live.len())];
                (*file, offset + random.below(*length), first(*position))
            }
            4..=6 => {
                let (begin, bytes) = &stretches[random.index(stretches.len())];
                (*file, begin + random.below(bytes.len() as u64), None)
            }
            7 => (*file, random.below(image.files[*file].length), None),
            _ => {
                let (file, length) = others[random.index(others.len())];
                (file, random.below(length), None)
            }
        };
        places.push(Place {
            file: file.clone(),
            offset,
            mask: 1 << random.below(8),
            live,
            zeros: number % 10 == 7,
        });
    }
    Ok(places)
}

/// A file and what it holds but zeros: offset and bytes of each stretch.
type Stretches<'a> = (&'a PathBuf, Vec<(u64, Vec<u8>)>);
/// An event, and the files and offsets its payload was found at.
type Found<'a, 'e> = (&'e StoredEvent, Vec<(&'a PathBuf, u64)>);

/// Where the noise of a payload stands in one copy only: file, offset, position of its event, length. The log reads
/// back whole, so it rests on that copy.
fn only_copies<'a>(
    engine: &[Stretches<'a>],
    events: &[StoredEvent],
) -> Vec<(&'a PathBuf, u64, u64, u64)> {
    let mut by_needle: HashMap<&[u8], Found<'a, '_>> = events
        .iter()
        .filter_map(|event| Some((event.payload.get(..NEEDLE)?, (event, Vec::new()))))
        .collect();
    for (file, stretches) in engine {
        for (begin, bytes) in stretches {
            for (offset, window) in (*begin..).zip(bytes.windows(NEEDLE)) {
                if let Some((_, found)) = by_needle.get_mut(window) {
                    found.push((*file, offset));
                }
            }
        }
    }
    let mut only: Vec<_> = by_needle
        .into_values()
        .filter_map(|(event, found)| match found.as_slice() {
            [(file, offset)] => Some((*file, *offset, event.position, NEEDLE as u64)),
            _ => None,
        })
        .collect();
    only.sort();
    only
}

/// Has a process open the log with each flip in turn, and another after it if it dies.
fn all_answers(
    exe: &Path,
    data: &Path,
    work: &Path,
    places: &[&Place],
) -> Result<Vec<String>, String> {
    fs::create_dir_all(work).map_err(|e| e.to_string())?;
    let plan: String = places
        .iter()
        .map(|p| format!("{} {} {}\n", p.offset, p.mask, p.file.display()))
        .collect();
    let plan_file = work.join("plan");
    fs::write(&plan_file, plan).map_err(|e| e.to_string())?;
    let mut answers: Vec<String> = Vec::new();
    while answers.len() < places.len() {
        let mut command = Command::new(exe);
        command
            .arg("flips")
            .args([data, &work.join("copy"), &plan_file])
            .arg(answers.len().to_string());
        let mut running = Running::start(command)?;
        loop {
            match running.line() {
                Ok(Some(line)) => answers.push(line),
                Ok(None) => break,
                Err(hangs) => {
                    answers.push(hangs);
                    break;
                }
            }
        }
        if answers.len() < places.len() {
            running.kill();
            answers.push("the process died".into());
        }
    }
    Ok(answers)
}

fn judge(place: &Place, answer: &str, counts: &mut Counts) -> Result<(), String> {
    let words: Vec<&str> = answer.splitn(4, ' ').collect();
    match (words.as_slice(), place.live) {
        (["identical"], None) => counts.identical += 1,
        (["found", "CORRUPT", block, _], Some(live)) => {
            let block: u64 = block.parse().map_err(|_| "found and not located")?;
            if block == 0 || block > live {
                return Err(format!("the damage is in block {live}"));
            }
            counts.live += 1;
            counts.to_the_block += u64::from(block == live);
            return Ok(());
        }
        (["found", ..], None) => counts.found += 1,
        (_, Some(live)) => return Err(format!("the damage in block {live} is not reported so")),
        _ => return Err("a log that is another one, or no answer".into()),
    }
    match (place.file.ends_with("db"), place.zeros) {
        (false, _) => counts.in_other_files += 1,
        (true, true) => counts.in_zeros += 1,
        (true, false) => counts.in_data += 1,
    }
    Ok(())
}

/// The process that opens: for each place of the plan from a number on, one line: `identical`, `found CODE BLOCK WHY`
/// or what is wrong.
pub fn answer(data: &Path, copy: &Path, plan: &Path, from: usize) -> Result<(), String> {
    let image = Image::read(data).map_err(|e| e.to_string())?;
    image.write(copy).map_err(|e| e.to_string())?;
    let whole = look(copy).map_err(|e| format!("the undamaged log: {e}"))?;
    let plan = fs::read_to_string(plan).map_err(|e| e.to_string())?;
    for line in plan.lines().skip(from) {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().ok_or("half a line");
        let offset: u64 = word()?.parse().map_err(|_| "no offset")?;
        let mask: u8 = word()?.parse().map_err(|_| "no mask")?;
        let path = PathBuf::from(word()?);
        let mut damaged = image.clone();
        let file = damaged.files.get_mut(&path).ok_or("no such file")?;
        file.flip(offset, mask);
        damaged.write(copy).map_err(|e| e.to_string())?;
        // A panic that comes through is a fault of ours: the product would die of it.
        let said = match catch_unwind(AssertUnwindSafe(|| look(copy))) {
            Ok(Ok(read)) if read == whole => "identical".to_string(),
            Ok(Ok(_)) => "another log, and nobody noticed".to_string(),
            Ok(Err(e)) => {
                let block = match &e {
                    StoreError::Corrupt { block, .. } => block.to_string(),
                    _ => "-".into(),
                };
                format!(
                    "found {} {block} {}",
                    e.code(),
                    chain(&e).replace('\n', " ")
                )
            }
            Err(_) => "panicked".to_string(),
        };
        println!("{said}");
    }
    Ok(())
}

/// Opens, verifies and reads everything.
fn look(data: &Path) -> Result<([u8; 32], Vec<StoredEvent>), StoreError> {
    let store = SledStore::open(data)?;
    let verified = store.verify(&mut |_, _| {})?;
    Ok((verified.head_hash, store.read(0, usize::MAX)?))
}
