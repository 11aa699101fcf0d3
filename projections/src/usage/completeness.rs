//! What became of every usage record: nothing disappears (policy 14).
//!
//! received = accepted + duplicates + conflicts + unreadable, accepted = rated + pending + rejected + superseded: per
//! batch, per source and in all, with a reason for each line that was not simply rated.

use indelible_domain::command::UsageCounts;
use indelible_domain::kernel::{Id, Instant};
use indelible_domain::mediation::batch::{Event as Fact, Listed};
use indelible_domain::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::{Page, Projection, Rows, Snapshot, ViewError};

/// One batch as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    pub batch: Id,
    pub source: String,
    pub format: String,
    /// File name or caller.
    pub name: String,
    pub received_at: Instant,
    pub counts: UsageCounts,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Unreadable,
    Duplicate,
    Conflict,
    Pending,
    Rejected,
    Superseded,
}

impl Fate {
    pub fn name(self) -> &'static str {
        match self {
            Fate::Unreadable => "unreadable",
            Fate::Duplicate => "duplicate",
            Fate::Conflict => "conflict",
            Fate::Pending => "pending",
            Fate::Rejected => "rejected",
            Fate::Superseded => "superseded",
        }
    }
}

/// A line that was not simply rated, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub line: u64,
    pub fate: Fate,
    pub code: String,
    pub reason: String,
}

/// How many lines had one fate for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub fate: Fate,
    pub code: String,
    pub lines: u64,
}

/// Rows: `b/batch` a [`Batch`]; `o/position` its id; `l/batch/line` a [`Line`]; `k/batch/key` the line of an unrated
/// record; `s/source` and `t` summed [`UsageCounts`]; `r/fate/code` a [`Reason`].
pub struct Completeness;

type Key = indelible_domain::mediation::Key;

impl Projection for Completeness {
    const NAME: &'static str = "usage/completeness";
    const VERSION: u32 = 1;
    const KINDS: &'static [&'static str] = &["batch"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let Event::Batch(fact) = &recorded.event else {
            return Ok(());
        };
        let batch = &recorded.id;
        match fact {
            Fact::Received(e) => {
                let row = Batch {
                    batch: batch.clone(),
                    source: e.source.clone(),
                    format: e.format.clone(),
                    name: e.name.clone(),
                    received_at: recorded.meta.recorded_at,
                    counts: UsageCounts::default(),
                };
                rows.put(&format!("b/{batch}"), &row)?;
                rows.put(&format!("o/{:020}", recorded.position), batch)?;
                recount(rows, batch, |counts| *counts = e.counts)?;
                list(rows, batch, &e.listed)
            }
            Fact::Continued(e) => list(rows, batch, &e.listed),
            Fact::Settled(e) => {
                for key in &e.rated {
                    if let Some(line) = line_of(rows, batch, key)? {
                        unlist(rows, batch, line)?;
                        rows.remove(&key_row(batch, key))?;
                    }
                }
                for refused in &e.rejected {
                    let (code, reason) = (&refused.reason.code, &refused.reason.message);
                    refate(
                        rows,
                        batch,
                        &refused.record.key,
                        Fate::Rejected,
                        code,
                        reason,
                    )?;
                }
                let (rated, rejected) = (e.rated.len() as u64, e.rejected.len() as u64);
                recount(rows, batch, |counts| {
                    counts.pending = counts.pending.saturating_sub(rated + rejected);
                    counts.rated += rated;
                    counts.rejected += rejected;
                })
            }
            Fact::Superseded(e) => {
                let reason = format!("corrected by batch {}", e.by);
                for key in e.pending.iter().chain(&e.rejected) {
                    refate(rows, batch, key, Fate::Superseded, "CORRECTED", &reason)?;
                }
                let count = |keys: &Vec<Key>| keys.len() as u64;
                let (rated, pending, rejected) =
                    (count(&e.rated), count(&e.pending), count(&e.rejected));
                // The lines of rated records are not listed; the reason counts them all the same.
                tally(rows, Fate::Superseded, "CORRECTED", rated, true)?;
                recount(rows, batch, |counts| {
                    counts.rated = counts.rated.saturating_sub(rated);
                    counts.pending = counts.pending.saturating_sub(pending);
                    counts.rejected = counts.rejected.saturating_sub(rejected);
                    counts.superseded += rated + pending + rejected;
                })
            }
            // The lines of rated records are not listed; the reason counts them all the same.
            Fact::Restored(e) => {
                let rated = e.rated.len() as u64;
                tally(rows, Fate::Superseded, "CORRECTED", rated, false)?;
                recount(rows, batch, |counts| {
                    counts.rated += rated;
                    counts.superseded = counts.superseded.saturating_sub(rated);
                })
            }
        }
    }
}

fn key_row(batch: &str, key: &Key) -> String {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("k/{batch}/{hex}")
}

fn line_key(batch: &str, line: u64) -> String {
    format!("l/{batch}/{line:020}")
}

fn line_of(rows: &mut Rows<'_>, batch: &str, key: &Key) -> Result<Option<u64>, ViewError> {
    rows.get(&key_row(batch, key))
}

/// Changes the counts of a batch, and the sums they are part of.
fn recount(
    rows: &mut Rows<'_>,
    batch: &str,
    change: impl FnOnce(&mut UsageCounts),
) -> Result<(), ViewError> {
    let key = format!("b/{batch}");
    let Some(mut row) = rows.get::<Batch>(&key)? else {
        return Ok(());
    };
    let before = row.counts;
    change(&mut row.counts);
    let after = row.counts;
    for sum in ["t".to_string(), format!("s/{}", row.source)] {
        rows.update(&sum, |sum: &mut UsageCounts| {
            *sum = moved(*sum, before, after)
        })?;
    }
    rows.put(&key, &row)
}

/// A sum in which one part changed.
fn moved(sum: UsageCounts, before: UsageCounts, after: UsageCounts) -> UsageCounts {
    let part = |sum: u64, before: u64, after: u64| (sum + after).saturating_sub(before);
    UsageCounts {
        received: part(sum.received, before.received, after.received),
        accepted: part(sum.accepted, before.accepted, after.accepted),
        duplicates: part(sum.duplicates, before.duplicates, after.duplicates),
        conflicts: part(sum.conflicts, before.conflicts, after.conflicts),
        unreadable: part(sum.unreadable, before.unreadable, after.unreadable),
        rated: part(sum.rated, before.rated, after.rated),
        pending: part(sum.pending, before.pending, after.pending),
        rejected: part(sum.rejected, before.rejected, after.rejected),
        superseded: part(sum.superseded, before.superseded, after.superseded),
    }
}

fn list(rows: &mut Rows<'_>, batch: &str, listed: &Listed) -> Result<(), ViewError> {
    let line = |line: u64, fate: Fate, code: &str, reason: String| Line {
        line,
        fate,
        code: code.to_string(),
        reason,
    };
    let mut lines = Vec::new();
    for l in &listed.unreadable {
        lines.push(line(l.line, Fate::Unreadable, &l.code, l.reason.clone()));
    }
    for l in &listed.duplicates {
        let reason = "the same record was received before".to_string();
        lines.push(line(*l, Fate::Duplicate, "DUPLICATE", reason));
    }
    for l in &listed.conflicts {
        let reason = format!("batch {} brought this key with another content", l.batch);
        lines.push(line(l.line, Fate::Conflict, "CONFLICT", reason));
    }
    for held in &listed.pending {
        let (at, why) = (held.record.line, &held.reason);
        rows.put(&key_row(batch, &held.record.key), &at)?;
        lines.push(line(at, Fate::Pending, &why.code, why.message.clone()));
    }
    for refused in &listed.rejected {
        let (at, why) = (refused.record.line, &refused.reason);
        rows.put(&key_row(batch, &refused.record.key), &at)?;
        lines.push(line(at, Fate::Rejected, &why.code, why.message.clone()));
    }
    for l in &listed.superseded {
        let reason = format!("corrected by line {} of the same batch", l.by);
        lines.push(line(l.line, Fate::Superseded, "CORRECTED", reason));
    }
    for line in lines {
        tally(rows, line.fate, &line.code, 1, true)?;
        rows.put(&line_key(batch, line.line), &line)?;
    }
    Ok(())
}

fn unlist(rows: &mut Rows<'_>, batch: &str, line: u64) -> Result<(), ViewError> {
    let key = line_key(batch, line);
    if let Some(line) = rows.get::<Line>(&key)? {
        tally(rows, line.fate, &line.code, 1, false)?;
        rows.remove(&key)?;
    }
    Ok(())
}

fn refate(
    rows: &mut Rows<'_>,
    batch: &str,
    key: &Key,
    fate: Fate,
    code: &str,
    reason: &str,
) -> Result<(), ViewError> {
    let Some(line) = line_of(rows, batch, key)? else {
        return Ok(());
    };
    unlist(rows, batch, line)?;
    tally(rows, fate, code, 1, true)?;
    let row = Line {
        line,
        fate,
        code: code.to_string(),
        reason: reason.to_string(),
    };
    rows.put(&line_key(batch, line), &row)
}

fn tally(
    rows: &mut Rows<'_>,
    fate: Fate,
    code: &str,
    lines: u64,
    more: bool,
) -> Result<(), ViewError> {
    let key = format!("r/{}/{code}", fate.name());
    let before = rows.get::<Reason>(&key)?.map_or(0, |r| r.lines);
    let lines = match more {
        true => before + lines,
        false => before.saturating_sub(lines),
    };
    if lines == 0 {
        return rows.remove(&key);
    }
    let code = code.to_string();
    rows.put(&key, &Reason { fate, code, lines })
}

/// All batches together.
pub fn total(snapshot: &Snapshot<'_>) -> Result<UsageCounts, ViewError> {
    Ok(snapshot.get::<Completeness, _>("t")?.unwrap_or_default())
}

/// All batches of one source.
pub fn of_source(snapshot: &Snapshot<'_>, source: &str) -> Result<UsageCounts, ViewError> {
    let found = snapshot.get::<Completeness, _>(&format!("s/{source}"))?;
    Ok(found.unwrap_or_default())
}

/// Why lines were not simply rated, over all batches.
pub fn reasons(snapshot: &Snapshot<'_>) -> Result<Vec<Reason>, ViewError> {
    let mut found = Vec::new();
    snapshot.each::<Completeness, Reason>("r/", "r0", &mut |_, reason| {
        found.push(reason);
        Ok(true)
    })?;
    Ok(found)
}

/// One batch.
pub fn get(snapshot: &Snapshot<'_>, batch: &str) -> Result<Option<Batch>, ViewError> {
    snapshot.get::<Completeness, _>(&format!("b/{batch}"))
}

/// Batches in the order they came.
pub fn page(
    snapshot: &Snapshot<'_>,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Batch>, ViewError> {
    let found = snapshot.page::<Completeness, Id>("o/", after, limit)?;
    found.look_up(|id| get(snapshot, id))
}

/// Lines of a batch that were not simply rated, by line.
pub fn lines(
    snapshot: &Snapshot<'_>,
    batch: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Line>, ViewError> {
    snapshot.page::<Completeness, _>(&format!("l/{batch}/"), after, limit)
}
