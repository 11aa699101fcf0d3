//! Meter readings: the supplied days again and again, one file a day for all sites.

use super::super::sample;
use super::{Delivery, Month, Outbox, PatternError, after};
use crate::demo::random::Random;
use chrono::NaiveDate;
use indelible_domain::mediation::formats::Format;

/// Sent by the metering data provider.
pub(super) const SOURCE: &str = "meters";

/// Which supplied meter a site reads like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Like {
    /// Five-minute readings of a house with solar panels: a month of B1 and E1.
    Solar,
    /// Half-hour readings of a small consumer: one day of E1.
    House,
    /// Half-hour readings of a plant, with substituted values: one day of E1.
    Plant,
}

/// A metered connection point.
#[derive(Clone, Debug)]
pub struct Site {
    /// National metering identifier, ten characters.
    pub nmi: String,
    pub like: Like,
    /// First day with readings.
    pub from: NaiveDate,
}

/// A register of a supplied meter: its 200 record, and for each supplied day the 300 record with its 400s.
struct Channel {
    head: Vec<String>,
    days: Vec<(Vec<String>, Vec<String>)>,
}

struct Patterns {
    solar: Vec<Channel>,
    house: Vec<Channel>,
    plant: Vec<Channel>,
}

impl Patterns {
    fn of(&self, like: Like) -> &[Channel] {
        match like {
            Like::Solar => &self.solar,
            Like::House => &self.house,
            Like::Plant => &self.plant,
        }
    }
}

pub(super) fn deliveries(
    mut random: Random,
    months: &[Month],
    sites: &[Site],
) -> Result<Vec<Delivery>, PatternError> {
    let patterns = Patterns {
        solar: channels(sample::SOLAR, sample::SOLAR_NAME, &["B1", "E1"])?,
        house: channels(sample::INTERVAL, sample::INTERVAL_NAME, &["E1"])?,
        plant: channels(sample::QUALITY, sample::QUALITY_NAME, &["E1"])?,
    };
    let mut outbox = Outbox::new(
        SOURCE,
        Format::Nem12,
        "100,NEM12,{on}0400,METERS,RETAILER\n",
    );
    outbox.footer = "900\n";
    for month in months {
        // The supplied month has 31 days; a shorter one leaves some out, and none begins where the supplied one does.
        let offset = random.below(31);
        for day in 1..=month.days {
            for site in sites.iter().filter(|s| s.from <= month.day(day)) {
                let pick = usize::try_from(offset + day).unwrap_or(0);
                for text in reading(
                    patterns.of(site.like),
                    &site.nmi,
                    month.day(day),
                    pick,
                    Edit::None,
                ) {
                    outbox.put(month.day(day), text);
                }
            }
        }
        faults(&mut random, *month, &patterns, sites, &mut outbox);
    }
    Ok(outbox.deliveries())
}

/// What a provider sends besides: a day again, a day corrected, a damaged day, a site nobody supplies.
fn faults(
    random: &mut Random,
    month: Month,
    patterns: &Patterns,
    sites: &[Site],
    outbox: &mut Outbox,
) {
    let houses: Vec<&Site> = sites
        .iter()
        .filter(|s| s.like == Like::House && s.from <= month.first)
        .collect();
    let mut put = |arrives: NaiveDate, nmi: &str, of: NaiveDate, edit: Edit| {
        for text in reading(&patterns.house, nmi, of, 0, edit) {
            outbox.put(arrives, text);
        }
    };
    let mut any = || {
        houses
            .get(
                usize::try_from(random.below(u32::try_from(houses.len()).unwrap_or(1)))
                    .unwrap_or(0),
            )
            .map(|s| s.nmi.as_str())
    };
    if let Some(nmi) = any() {
        put(month.day(12), nmi, month.day(10), Edit::Corrected);
    }
    if let Some(nmi) = any() {
        put(month.day(17), nmi, month.day(15), Edit::None);
    }
    if let Some(nmi) = any() {
        put(month.day(20), nmi, month.day(20), Edit::Damaged);
    }
    put(month.day(5), "VABX000999", month.day(5), Edit::None);
    // The last day but two is corrected when its month was invoiced already.
    if let Some(nmi) = any() {
        put(
            after(month.next(), 8),
            nmi,
            month.day(month.days - 2),
            Edit::Corrected,
        );
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    None,
    /// The first ten values were estimated too low.
    Corrected,
    /// The last value got lost.
    Damaged,
}

/// The 200, 300 and 400 records of one site and day.
fn reading(
    channels: &[Channel],
    nmi: &str,
    day: NaiveDate,
    pick: usize,
    edit: Edit,
) -> Vec<String> {
    let mut lines = Vec::new();
    for channel in channels {
        let Some((day_record, quality)) = channel.days.get(pick % channel.days.len().max(1)) else {
            continue;
        };
        let mut head = channel.head.clone();
        if let Some(cell) = head.get_mut(1) {
            *cell = nmi.to_string();
        }
        lines.push(head.join(","));
        let mut cells = day_record.clone();
        if let Some(cell) = cells.get_mut(1) {
            *cell = day.format("%Y%m%d").to_string();
        }
        // The times of the last update and of the upload, in the night after.
        for cell in cells.iter_mut().skip(2).filter(|c| c.len() == 14) {
            *cell = after(day, 1).format("%Y%m%d020000").to_string();
        }
        match edit {
            Edit::None => {}
            Edit::Corrected => cells
                .iter_mut()
                .skip(2)
                .take(10)
                .for_each(|value| *value = "1.375".to_string()),
            Edit::Damaged => {
                cells.remove(2);
            }
        }
        lines.push(cells.join(","));
        lines.extend(quality.iter().cloned());
    }
    lines
}

/// The wanted registers of a supplied file.
fn channels(
    text: &'static str,
    file: &'static str,
    registers: &[&str],
) -> Result<Vec<Channel>, PatternError> {
    let mut all: Vec<Channel> = Vec::new();
    for line in text.lines() {
        let cells: Vec<String> = line.split(',').map(str::to_string).collect();
        match (cells.first().map(String::as_str), all.last_mut()) {
            (Some("200"), _) => all.push(Channel {
                head: cells,
                days: Vec::new(),
            }),
            (Some("300"), Some(channel)) => channel.days.push((cells, Vec::new())),
            (Some("400"), Some(channel)) => {
                if let Some((_, quality)) = channel.days.last_mut() {
                    quality.push(line.to_string());
                }
            }
            _ => {}
        }
    }
    all.retain(|c| {
        c.head
            .get(4)
            .is_some_and(|register| registers.contains(&register.as_str()))
    });
    if all.len() != registers.len() || all.iter().any(|c| c.days.is_empty()) {
        return Err(PatternError {
            file,
            why: format!("it has not the registers {registers:?} with their days"),
        });
    }
    Ok(all)
}
