//! What the bench sends, and what all of it must cost: a generator of records and an oracle that knows nothing of the
//! product's rating. Both are the same for the same numbers of records and subscriptions.

use std::io::Write;

use indelible_domain::kernel::{Exact, Rejection};

/// 15 January 2026, 00:00 UTC.
const THIS_MONTH: i64 = 1_768_435_200;
/// 15 December 2025, 00:00 UTC.
const LAST_MONTH: i64 = 1_765_756_800;
/// Seconds over which the records of a month are spread.
const SPREAD: u64 = 1_200_000;

/// Seconds of voice that are free in a month.
const FREE_SECONDS: i64 = 600;
const ZONES: [&str; 4] = ["eu", "us", "row", "sat"];
const CLASSES: [&str; 2] = ["peak", "off"];

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Written {
    Csv,
    Ndjson,
}

/// Which record is sent as number n.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    pub records: u64,
    pub subscriptions: u64,
    pub written: Written,
}

/// What a line says.
#[derive(Clone, Copy, Debug)]
struct Said {
    key: u64,
    subscription: u64,
    /// Seconds since 1970.
    at: i64,
    late: bool,
    kind: Kind,
    /// Whole units; of data, thousandths.
    quantity: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Per unit with an allowance: 60 %.
    Voice,
    /// Graduated: 25 %.
    Data,
    /// By a matrix over zone, class and quantity: 10 %.
    Roaming(usize, usize),
    /// By an expression: 5 %.
    Calls,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Rated,
    Duplicate,
    Conflict,
}

/// What must have become of all lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub received: u64,
    pub rated: u64,
    pub duplicates: u64,
    pub conflicts: u64,
    pub late: u64,
}

/// Scatters a number (SplitMix64).
fn scatter(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Mix {
    /// 1 % of the lines repeat an earlier one, 0.1 % bring an earlier key with other content.
    fn fate(n: u64) -> Fate {
        match n % 1_000 {
            501 => Fate::Conflict,
            m if m % 100 == 37 => Fate::Duplicate,
            _ => Fate::Rated,
        }
    }

    fn said(&self, n: u64) -> Said {
        match Mix::fate(n) {
            Fate::Rated => self.original(n),
            // Up to some batches back, and never another repetition.
            Fate::Duplicate => self.original((n - n.min(scatter(n) % 300 * 100)) / 100 * 100 + 11),
            Fate::Conflict => {
                let first = self.original(n - 3);
                Said {
                    quantity: first.quantity + 1,
                    ..first
                }
            }
        }
    }

    fn original(&self, n: u64) -> Said {
        let random = scatter(n);
        let kind = match random % 100 {
            0..60 => Kind::Voice,
            60..85 => Kind::Data,
            85..95 => Kind::Roaming((random >> 8) as usize % 4, (random >> 16) as usize % 2),
            _ => Kind::Calls,
        };
        let quantity = match kind {
            Kind::Data => 1 + (random >> 20) % 40_000,
            _ => 1 + (random >> 20) % 600,
        };
        let late = n % 100 == 73;
        let month = if late { LAST_MONTH } else { THIS_MONTH };
        Said {
            key: n,
            subscription: scatter(random) % self.subscriptions,
            at: month + (n % SPREAD) as i64,
            late,
            kind,
            quantity: quantity as i64,
        }
    }

    /// The first line of a file, if it has one.
    pub fn head(&self) -> &'static str {
        match self.written {
            Written::Csv => "key,metric,access,at,quantity,zone,class\n",
            Written::Ndjson => "",
        }
    }

    /// Appends line number n.
    pub fn write(&self, n: u64, out: &mut Vec<u8>) {
        let said = self.said(n);
        let (metric, zone, class) = match said.kind {
            Kind::Voice => ("voice", "", ""),
            Kind::Data => ("data", "", ""),
            Kind::Roaming(zone, class) => ("roaming", ZONES[zone], CLASSES[class]),
            Kind::Calls => ("calls", "", ""),
        };
        let (day, second) = (said.at / 86_400, said.at % 86_400);
        // Days since 15 December 2025; the mix has two short stretches of days.
        let from = if said.late { 20_437 } else { 20_468 };
        let (year, month) = if said.late { (2025, 12) } else { (2026, 1) };
        let date = 15 + day - from;
        let at = format_args!(
            "{year}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z",
            second / 3_600,
            second / 60 % 60,
            second % 60
        );
        let (whole, rest) = match said.kind {
            Kind::Data => (said.quantity / 1_000, Some(said.quantity % 1_000)),
            _ => (said.quantity, None),
        };
        let (key, subscription) = (said.key, said.subscription);
        // Writing to a vector cannot fail.
        let _ = match self.written {
            Written::Csv => write!(out, "r{key},{metric},n{subscription},{at},{whole}"),
            Written::Ndjson => write!(
                out,
                "{{\"key\":\"r{key}\",\"metric\":\"{metric}\",\"access\":\"n{subscription}\",\"at\":\"{at}\",\"quantity\":\"{whole}"
            ),
        };
        if let Some(rest) = rest {
            let _ = write!(out, ".{rest:03}");
        }
        let _ = match self.written {
            Written::Csv => writeln!(out, ",{zone},{class}"),
            Written::Ndjson if zone.is_empty() => out.write_all(b"\"}\n"),
            Written::Ndjson => writeln!(out, "\",\"zone\":\"{zone}\",\"class\":\"{class}\"}}"),
        };
    }

    /// What all lines must come to.
    pub fn oracle(&self) -> Result<(Exact, Counts), Rejection> {
        let places = 2 * usize::try_from(self.subscriptions).unwrap_or(usize::MAX);
        let (mut voice, mut data) = (vec![0_i64; places], vec![0_i64; places]);
        let (mut roaming, mut calls) = (0_i64, 0_i64);
        let mut counts = Counts {
            received: self.records,
            ..Counts::default()
        };
        for n in 0..self.records {
            match Mix::fate(n) {
                Fate::Rated => counts.rated += 1,
                Fate::Duplicate => {
                    counts.duplicates += 1;
                    continue;
                }
                Fate::Conflict => {
                    counts.conflicts += 1;
                    continue;
                }
            }
            let said = self.original(n);
            counts.late += u64::from(said.late);
            let place = 2 * said.subscription as usize + usize::from(said.late);
            match said.kind {
                Kind::Voice => voice[place] += said.quantity,
                Kind::Data => data[place] += said.quantity,
                Kind::Roaming(zone, class) => {
                    roaming += said.quantity * roamed(zone, class, said.quantity)
                }
                Kind::Calls => calls += called(said.quantity),
            }
        }
        // 0.05 for each minute beyond ten.
        let seconds: i64 = voice.iter().map(|s| (s - FREE_SECONDS).max(0)).sum();
        // 0.02 up to 100, 0.015 up to 1,000, 0.01 beyond: in millionths, as the quantity is in thousandths.
        let tiers = |q: &i64| {
            20 * (*q).min(100_000)
                + 15 * (*q - 100_000).clamp(0, 900_000)
                + 10 * (*q - 1_000_000).max(0)
        };
        let data: i64 = data.iter().map(tiers).sum();
        let sum = Exact::ratio(i128::from(seconds) * 5, 6_000)?
            .plus(Exact::ratio(i128::from(data), 1_000_000)?)?
            .plus(Exact::ratio(i128::from(roaming), 1_000)?)?
            .plus(Exact::ratio(i128::from(calls), 100_000)?)?;
        Ok((sum, counts))
    }
}

/// What a unit of roaming costs in thousandths, said once more than in the catalog's matrix and in another way.
fn roamed(zone: usize, class: usize, quantity: i64) -> i64 {
    match (ZONES[zone], CLASSES[class]) {
        ("eu", "peak") => 12,
        ("eu", _) => 9,
        ("us", "peak") if quantity < 300 => 45,
        ("us", "peak") => 40,
        ("us", _) => 31,
        ("row", "off") => 64,
        ("row", _) => 80,
        _ => 99,
    }
}

/// What a call costs in hundred-thousandths: at least a tenth of a cent.
fn called(units: i64) -> i64 {
    let cheap = (units - 100).max(0);
    (50 * (units - cheap) + 30 * cheap).max(100)
}

/// The catalog that prices the mix.
pub const CATALOG: &str = r#"
[[offer]]
code = "bench"
name = "Bench"
currency = "EUR"
[[offer.recurring]]
code = "fee"
name = "Fee"
every = "1 month"
price = { flat = "9.95" }
[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
per = "60"
allowance = "10"
every = "1 month"
align = "calendar"
price = { per_unit = "0.05" }
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "MB"
every = "1 month"
align = "calendar"
price = { graduated = [{ up_to = "100", unit = "0.02" }, { up_to = "1000", unit = "0.015" }, { unit = "0.01" }] }
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "calls"
unit = "call"
every = "1 month"
align = "calendar"
price = { expression = 'max(0.001, if quantity > 100 then 100 * 0.0005 + (quantity - 100) * 0.0003 else quantity * 0.0005)' }
[[offer.usage]]
code = "roaming"
name = "Roaming"
metric = "roaming"
unit = "minute"
every = "1 month"
align = "calendar"
[offer.usage.price.matrix]
columns = [ { attribute = "zone" }, { attribute = "class" }, { attribute = "$quantity", kind = "number" } ]
lines = [
  { cells = ["eu", "peak", "*"], price = { per_unit = "0.012" } },
  { cells = ["eu", "off", "*"], price = { per_unit = "0.009" } },
  { cells = ["us", "peak", "..300"], price = { per_unit = "0.045" } },
  { cells = ["us", "peak", "300.."], price = { per_unit = "0.040" } },
  { cells = ["us", "*", "*"], price = { per_unit = "0.031" } },
  { cells = ["r*", "*", "*"], price = { per_unit = "0.080" } },
  { cells = ["row", "off", "*"], price = { per_unit = "0.064" } },
]
otherwise = { per_unit = "0.099" }
"#;
