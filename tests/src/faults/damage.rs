//! A log that lost its end: the engine may open what is left as if nothing were missing. What is kept of the head
//! outside it tells.

use super::files::{Image, scratch};
use super::random::Random;
use super::syncs::append_noted;
use super::truth::Truth;
use super::{Outcome, Setting};
use indelible_store::SledStore;

const COMMITS: u64 = 24;
const CUTS: u64 = 12;

/// The drill: the log's directory of an earlier moment under the head of a later one; and the engine's file cut short
/// or its end overwritten with zeros. Each must be found, or be without effect.
pub fn lost_tail(setting: &Setting) -> Result<Outcome, String> {
    let dir = scratch().map_err(|e| e.to_string())?;
    let data = dir.path().join("data");
    let mut truth = Truth::default();
    let mut earlier = Vec::new();
    for run in 0..COMMITS / 4 {
        let store = SledStore::open(&data).map_err(|e| e.to_string())?;
        for number in 0..4 {
            append_noted(&store, &mut truth, run, number).map_err(|e| e.to_string())?;
        }
        drop(store);
        earlier.push(Image::read(&data).map_err(|e| e.to_string())?);
    }
    let last = earlier.pop().ok_or("no moments")?;
    let copy = dir.path().join("copy");
    let mut found = 0;
    for (moment, before) in earlier.iter().enumerate() {
        let mut rolled_back = last.clone();
        rolled_back
            .directories
            .retain(|path| !path.starts_with("log"));
        rolled_back.files.retain(|path, _| !path.starts_with("log"));
        let log = |path: &&std::path::PathBuf| path.starts_with("log");
        rolled_back
            .directories
            .extend(before.directories.iter().filter(log).cloned());
        let files = before
            .files
            .iter()
            .filter(|(path, _)| path.starts_with("log"));
        rolled_back
            .files
            .extend(files.map(|(path, content)| (path.clone(), content.clone())));
        rolled_back.write(&copy).map_err(|e| e.to_string())?;
        match SledStore::open(&copy) {
            Err(e) if e.code() == "CORRUPT" => found += 1,
            Err(e) => return Err(format!("an older log is refused with {}: {e}", e.code())),
            Ok(_) => return Err(format!("an older log (moment {moment}) opens unnoticed")),
        }
    }
    let older = found;
    let mut random = Random::seeded(setting.seed);
    let mut harmless = 0;
    for cut in 0..CUTS {
        let mut damaged = last.clone();
        let file = damaged
            .files
            .iter_mut()
            .filter(|(path, _)| path.ends_with("db"));
        let (_, content) = file.last().ok_or("the engine has no file db")?;
        let pages: Vec<u64> = content.pages.keys().copied().collect();
        let from = pages[random.index(pages.len())];
        content.pages.retain(|number, _| *number < from);
        if cut % 2 == 0 {
            content.length = content.length.min(from * 4_096);
        }
        damaged.write(&copy).map_err(|e| e.to_string())?;
        match SledStore::open(&copy) {
            Err(_) => found += 1,
            Ok(store) => {
                truth.check(&store).map_err(|e| {
                    format!("the engine's file cut at page {from} opens, and then: {e}")
                })?;
                harmless += 1;
            }
        }
    }
    Ok(Outcome::Passed(format!(
        "{older} older logs under a newer head refused; of {CUTS} files cut short or zeroed {} refused, {harmless} had lost nothing",
        found - older
    )))
}
