use super::{
    Basis, Corrected, Correction, Drawn, Event, Meter, Metered, Provenance, Rated, RatedRecord,
    Recounted, Remembered,
};
use crate::kernel::{Decider, Rejection, Text};
use std::sync::Arc;

/// Stored bytes of one event at most, roughly: far below what one payload may have.
const EVENT_BYTES: usize = 1024 * 1024;

/// Results of rating, computed on this meter by `operations::usage` within the same session.
#[derive(Clone, Debug)]
pub enum Command {
    Record {
        batch: Text,
        source: Text,
        basis: Basis,
        records: Vec<RatedRecord>,
        corrections: Vec<Correction>,
        meter: Meter,
        /// Where the charge depends on each of its records.
        remembered: Option<Remembered>,
        /// Where records drew on counters.
        drawn: Option<Drawn>,
    },
    /// The meter was counted anew by a rerating; `counted` is the whole of it.
    Recount {
        counted: Recounted,
        remembered: Option<Remembered>,
        /// Where its records draw other than they did.
        drawn: Option<Drawn>,
    },
}

impl Decider for Metered {
    type State = Metered;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Metered, command: Command) -> Result<Vec<Event>, Rejection> {
        let record = match command {
            Command::Recount {
                counted,
                remembered,
                drawn,
            } => return recount(state, counted, remembered, drawn),
            record => record,
        };
        let Command::Record {
            batch,
            source,
            basis,
            records,
            corrections,
            meter,
            remembered,
            drawn,
        } = record
        else {
            return Ok(vec![]);
        };
        let left = corrections.iter().filter(|c| c.now.is_none()).count() as u64;
        let expected = state.meter.records + records.len() as u64;
        if meter.records + left != expected {
            return Err(Rejection::new(
                "METER_MOVED",
                format!(
                    "the meter has {} records, rated for one that would have {expected}",
                    meter.records + left
                ),
            ));
        }
        let provenance = Provenance {
            batch,
            source,
            basis,
        };
        let rated = Rated {
            provenance: Arc::new(provenance.clone()),
            records,
            meter: meter.clone(),
        };
        let bytes = rated.records.iter().map(size).sum();
        let mut events: Vec<Event> = match rated.in_parts(bytes) {
            Ok(whole) if whole.records.is_empty() => vec![],
            Ok(whole) => vec![whole.into()],
            Err(parts) => parts.into_iter().map(Event::from).collect(),
        };
        for corrections in chunks(corrections, |c| 200 + c.now.as_ref().map_or(0, size)) {
            let Provenance {
                batch,
                source,
                basis,
            } = provenance.clone();
            events.push(
                Corrected {
                    batch,
                    source,
                    basis,
                    corrections,
                    meter: meter.clone(),
                }
                .into(),
            );
        }
        events.extend(remembered.into_iter().flat_map(cut).map(Event::from));
        events.extend(drawn.into_iter().flat_map(Drawn::cut).map(Event::from));
        Ok(events)
    }

    fn evolve(state: &mut Metered, event: &Event) {
        state.apply(event);
    }
}

/// The meter as a rerating counted it, in as many events as it takes.
fn recount(
    state: &Metered,
    counted: Recounted,
    remembered: Option<Remembered>,
    drawn: Option<Drawn>,
) -> Result<Vec<Event>, Rejection> {
    let came = counted.changes.iter().filter(|c| c.came()).count() as u64;
    let left = counted.changes.iter().filter(|c| c.left()).count() as u64;
    if counted.meter.records + left != state.meter.records + came {
        return Err(Rejection::new(
            "METER_MOVED",
            format!(
                "the meter has {} records, of which {left} leave and to which {came} come: {} were counted",
                state.meter.records, counted.meter.records
            ),
        ));
    }
    let Recounted {
        rerating,
        basis,
        changes,
        mut parts,
        meter,
    } = counted;
    let mut events: Vec<Event> = Vec::new();
    for changes in chunks(changes, |c| 250 + c.now.as_ref().map_or(0, size)) {
        let (rerating, basis) = (rerating.clone(), basis.clone());
        events.push(
            Recounted {
                rerating,
                basis,
                changes,
                // What wallets paid belongs to the whole, and is told once.
                parts: std::mem::take(&mut parts),
                meter: meter.clone(),
            }
            .into(),
        );
    }
    events.extend(remembered.into_iter().flat_map(cut).map(Event::from));
    events.extend(drawn.into_iter().flat_map(Drawn::cut).map(Event::from));
    Ok(events)
}

/// Splits what is remembered so that no part is larger than one event may be.
fn cut(remembered: Remembered) -> Vec<Remembered> {
    let Remembered { gone, moves, worth } = remembered;
    let text = |group: &[String]| group.iter().map(|v| 8 + v.len()).sum::<usize>();
    let mut out: Vec<Remembered> = Vec::new();
    out.extend(chunks(gone, |_| 16).into_iter().map(|gone| Remembered {
        gone,
        ..Remembered::default()
    }));
    let moves = chunks(moves, |(slot, _)| 150 + text(&slot.group));
    out.extend(moves.into_iter().map(|moves| Remembered {
        moves,
        ..Remembered::default()
    }));
    let worth = chunks(worth, |(slot, _)| 90 + text(&slot.group));
    out.extend(worth.into_iter().map(|worth| Remembered {
        worth,
        ..Remembered::default()
    }));
    out
}

/// Splits a list so that no part is larger than one event may be.
pub(crate) fn chunks<T>(items: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    // Nearly always all of it fits.
    if items.iter().map(&size).sum::<usize>() <= EVENT_BYTES {
        return if items.is_empty() {
            vec![]
        } else {
            vec![items]
        };
    }
    let mut out: Vec<Vec<T>> = Vec::new();
    let mut room = 0;
    for item in items {
        let bytes = size(&item);
        match out.last_mut() {
            Some(chunk) if bytes <= room => chunk.push(item),
            _ => {
                room = EVENT_BYTES;
                out.push(vec![item]);
            }
        }
        room = room.saturating_sub(bytes);
    }
    out
}

impl Rated {
    /// The fact as it is, or in parts where it would be larger than one event may be; `bytes` is the [`size`] of its records.
    pub(crate) fn in_parts(self, bytes: usize) -> Result<Rated, Vec<Rated>> {
        // Nearly always it is one record.
        if self.records.len() < 2 || bytes <= EVENT_BYTES {
            return Ok(self);
        }
        let Rated {
            provenance,
            records,
            meter,
        } = self;
        let part = |records| Rated {
            provenance: Arc::clone(&provenance),
            records,
            meter: meter.clone(),
        };
        Err(chunks(records, size).into_iter().map(part).collect())
    }

    /// At least as many bytes as the fact is stored with.
    pub(crate) fn size_bound(&self) -> usize {
        self.provenance.size_bound() + self.records.iter().map(size).sum::<usize>()
    }
}

impl Provenance {
    /// At least as many bytes as a fact without records is stored with.
    pub(crate) fn size_bound(&self) -> usize {
        let basis = &self.basis;
        let names = [
            &self.batch,
            &self.source,
            &basis.engine,
            &basis.tzdb,
            &basis.offer,
        ];
        let names: usize = names.iter().map(|name| name.len()).sum();
        // Texts with their lengths, the version, and a meter of five numbers of at most 19 bytes twice.
        names + 300
    }
}

/// At least as many bytes as a record is stored with.
pub(crate) fn size(record: &RatedRecord) -> usize {
    let attributes: usize = record
        .attributes
        .iter()
        .map(|(k, v)| 16 + k.len() + v.len())
        .sum();
    let parts = record.payer.parts().len() * 300;
    250 + attributes
        + parts
        + record
            .raw
            .as_ref()
            .map_or(0, |r| r.ciphertext.len() + r.key_id.len() + 48)
}
