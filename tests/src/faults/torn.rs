//! Torn writes: between two syncs the power goes, and of what was written since the first, any sectors are on the disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indelible_store::SledStore;

use super::files::{Image, scratch};
use super::random::Random;
use super::syncs::append_noted;
use super::truth::Truth;
use super::{Outcome, Setting};

/// The drill. A picture of the directory is taken just before each sync; a mixture of two pictures in a row is what a
/// power cut before the later sync may leave. Everything acknowledged before the earlier picture must be in it.
pub fn drill(setting: &Setting) -> Result<Outcome, String> {
    let (commits, ways) = setting.torn;
    let dir = scratch().map_err(|e| e.to_string())?;
    let data = dir.path().join("data");
    let acknowledged = Arc::new(AtomicU64::new(0));
    let pictures: Arc<Mutex<Vec<(u64, Image)>>> = Arc::default();
    let hook = Box::new({
        let (data, acknowledged) = (data.clone(), Arc::clone(&acknowledged));
        let pictures = Arc::clone(&pictures);
        move || {
            let picture = (acknowledged.load(Ordering::SeqCst), Image::read(&data)?);
            pictures
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(picture);
            Ok(())
        }
    });
    let store = SledStore::open_with_sync(&data, hook).map_err(|e| e.to_string())?;
    let mut truths = vec![Truth::default()];
    let mut truth = Truth::default();
    for number in 0..commits {
        append_noted(&store, &mut truth, 0, number).map_err(|e| e.to_string())?;
        acknowledged.fetch_add(1, Ordering::SeqCst);
        truths.push(truth.clone());
    }
    drop(store);

    let mut random = Random::seeded(setting.seed);
    let copy = dir.path().join("torn");
    let pictures = std::mem::take(&mut *pictures.lock().unwrap_or_else(PoisonError::into_inner));
    let (mut opened, mut with_the_last) = (0, 0);
    for pair in pictures.windows(2) {
        let [(_, before), (known, after)] = pair else {
            continue;
        };
        let truth = usize::try_from(*known).ok().and_then(|n| truths.get(n));
        let truth = truth.ok_or("a picture of a commit that was never made")?;
        for way in 0..ways {
            Image::torn(before, after, &mut random)
                .write(&copy)
                .map_err(|e| e.to_string())?;
            let compared = truth
                .check_directory(&copy)
                .map_err(|e| format!("after commit {known}, tearing {way}: {e}"))?;
            opened += 1;
            with_the_last += u64::from(compared.commits > truth.len());
        }
    }
    if opened == 0 || with_the_last == opened {
        return Err(format!("{opened} tearings, {with_the_last} tore nothing"));
    }
    Ok(Outcome::Passed(format!(
        "{opened} torn writes opened, everything acknowledged before them there; {with_the_last} had the torn commit whole, the others not at all"
    )))
}
