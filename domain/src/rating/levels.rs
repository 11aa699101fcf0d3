//! What the records of one slot come to: the aggregations that depend on when a record was, and how its level is priced.
//!
//! A [`Walk`] goes through the records in the order of their own time and can be asked at every point what they come to.

use super::price;
use crate::catalog::{Aggregate, By, Price, Usage};
use crate::kernel::{Date, Days, Exact, Rejection, calendar::days_between};
use crate::mediation::Key;
use crate::usage::{Moved, Slot, Worth};
use std::collections::{BTreeMap, BTreeSet};

/// Seconds of a day by the clock; a day of 23 or 25 hours is one day (policy 6).
const SECONDS: i128 = 86_400;

/// The days that a meter counts, and the whole period they are a part of: the denominator (policy 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    pub days: Days,
    pub whole: Days,
}

/// What a slot had when its period began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Carried {
    pub level: Exact,
    /// Where different values are counted: those that were there.
    pub values: BTreeSet<Key>,
}

/// What goes over from the periods before, by slot.
pub type CarriedIn = BTreeMap<Slot, Carried>;

/// On the way through the records of one slot.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    charge: &'a Usage,
    price: &'a Price,
    /// The price is of one line of a matrix.
    line: bool,
    over: Over,
    /// After the last record.
    now: Carried,
    records: u64,
    /// Sum, largest, smallest or last of the units, or how many values were seen.
    plain: Exact,
    seen: BTreeSet<Key>,
    /// By-record prices: what the records cost, and the free money used up.
    by_record: price::Share,
    highest: Exact,
    time: Time,
    /// The day that is not over yet.
    day: Option<Today>,
}

/// Time that is over.
#[derive(Clone, Debug)]
struct Time {
    /// Days or seconds from the first day.
    until: i128,
    /// Levels × time.
    units: Exact,
    /// Price of each level × time, flat fees of tiers left out.
    amount: Exact,
    /// The highest level that was priced.
    top: Exact,
    /// Each level and how long it stood, where somebody asks for it.
    stretches: Option<Vec<Stretch>>,
}

/// A level that stood for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    pub level: Exact,
    /// Days or seconds, as the charge counts them.
    pub spent: i128,
    /// What it costs if it stands for the whole period, without flat fees.
    pub each: Exact,
}

/// What one slot comes to, step by step.
#[derive(Clone, Debug, PartialEq)]
pub enum Steps {
    /// Each record has a price of its own.
    Records(Exact),
    /// The units that the price model sees at the end.
    Units(Exact),
    /// Levels by the time they stood, out of `whole` days or seconds, and the flat fees that were entered.
    Levels {
        stretches: Vec<Stretch>,
        whole: i128,
        flat: Exact,
    },
}

/// What moved on one day.
#[derive(Clone, Debug)]
struct Today {
    on: Date,
    /// Where the level rose, from and to, apart from each other and in order.
    rose: Vec<(Exact, Exact)>,
    /// Values that came.
    came: BTreeSet<Key>,
}

impl<'a> Walk<'a> {
    pub fn new(charge: &'a Usage, price: &'a Price, over: Over, carried: Carried) -> Walk<'a> {
        let level = carried.level;
        Walk {
            charge,
            price,
            line: matches!(charge.price_on(over.days.from), Price::Matrix(_)),
            over,
            plain: match charge.aggregate {
                Aggregate::Last => level,
                _ => Exact::ZERO,
            },
            now: carried,
            records: 0,
            seen: BTreeSet::new(),
            by_record: price::Share {
                amount: Exact::ZERO,
                free: Exact::ZERO,
            },
            highest: level,
            time: Time {
                until: 0,
                units: Exact::ZERO,
                amount: Exact::ZERO,
                top: level,
                stretches: None,
            },
            day: None,
        }
    }

    /// What the slot has now, for the period after.
    pub fn carries(self) -> Carried {
        self.now
    }

    /// Goes on to a record that is not before the last one.
    pub fn pass(&mut self, moved: &Moved) -> Result<(), Rejection> {
        self.records += 1;
        let before = self.plain;
        self.plain = match self.charge.aggregate {
            Aggregate::Sum => self.plain.plus(moved.units)?,
            Aggregate::Count => Exact::from(i128::from(self.records)),
            Aggregate::Max => self.plain.max(moved.units),
            Aggregate::Min if self.records > 1 => self.plain.min(moved.units),
            Aggregate::Min => moved.units,
            Aggregate::Last if self.charge.readings || !self.charge.carry => moved.units,
            Aggregate::Last => self.plain.plus(moved.units)?,
            Aggregate::Unique => {
                self.seen.extend(moved.value);
                Exact::from(i128::try_from(self.seen.len()).unwrap_or(i128::MAX))
            }
            Aggregate::Weighted | Aggregate::Level | Aggregate::Peak => return self.level(moved),
        };
        if self.charge.aggregate == Aggregate::Last {
            self.now.level = self.plain;
        }
        match self.price {
            Price::Percentage(p) => {
                let free = self.by_record.free;
                let share = price::percentage(p, self.records, moved.units, self.plain, free)?;
                self.by_record = price::Share {
                    amount: self.by_record.amount.plus(share.amount)?,
                    free: share.free,
                };
            }
            Price::Dynamic(d) => {
                let carried = Exact::from(moved.carried.unwrap_or_default());
                let asked = carried.times(d.multiplier.into())?;
                let amount = price::beyond(self.charge, before, moved.units, asked)?;
                self.by_record.amount = self.by_record.amount.plus(amount)?;
            }
            Price::Expression(_) => {
                let asked = moved.priced.as_deref().copied();
                let asked = asked.ok_or_else(|| super::measured::unremembered(self.charge))?;
                let amount = price::beyond(self.charge, before, moved.units, asked)?;
                self.by_record.amount = self.by_record.amount.plus(amount)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Moves the level, after what it was until now is counted.
    fn level(&mut self, moved: &Moved) -> Result<(), Rejection> {
        let before = self.now.level;
        let counted = self.counted();
        match self.charge.precision() {
            By::Second => {
                let day = i128::from(days_between(self.over.days.from, moved.on));
                let until = (day * SECONDS + i128::from(moved.clock)).max(self.time.until);
                let spent = until - self.time.until;
                self.time.spend(self.charge, self.price, counted, spent)?;
            }
            By::Day if self.day.as_ref().is_none_or(|d| d.on != moved.on) => {
                if let Some(today) = self.today()? {
                    self.time.spend(self.charge, self.price, today, 1)?;
                }
                let until = i128::from(days_between(self.over.days.from, moved.on));
                let spent = until - self.time.until;
                self.time.spend(self.charge, self.price, counted, spent)?;
                self.day = Some(Today {
                    on: moved.on,
                    rose: Vec::new(),
                    came: BTreeSet::new(),
                });
            }
            By::Day => {}
        }
        let after = match (self.charge.unique.is_some(), moved.value) {
            (true, Some(value)) if moved.units.is_negative() => {
                self.now.values.remove(&value);
                self.now.count()
            }
            (true, Some(value)) => {
                self.now.values.insert(value);
                if let Some(day) = &mut self.day {
                    day.came.insert(value);
                }
                self.now.count()
            }
            (true, None) => before,
            (false, _) if self.charge.readings => moved.units,
            (false, _) => before.plus(moved.units)?,
        };
        self.now.level = after;
        self.highest = self.highest.max(after);
        if let Some(day) = &mut self.day
            && after > before
        {
            day.rise(before, after);
        }
        Ok(())
    }

    /// The level that counts while nothing moves.
    fn counted(&self) -> Exact {
        match self.charge.high_water {
            true => self.highest,
            false => self.now.level,
        }
    }

    /// What counts of the day that is not over yet, as it stands.
    fn today(&self) -> Result<Option<Exact>, Rejection> {
        let Some(day) = &self.day else {
            return Ok(None);
        };
        let counted = match (self.charge.high_water, self.charge.unique.is_some()) {
            (true, _) => self.highest,
            (false, true) => {
                let left = day.came.difference(&self.now.values).count();
                let left = i128::try_from(left).unwrap_or(i128::MAX);
                self.now.level.plus(Exact::from(left))?
            }
            (false, false) => day.counted(self.now.level)?,
        };
        Ok(Some(counted))
    }

    /// Keeps each level and how long it stood, for [`steps`](Walk::steps).
    pub fn kept(mut self) -> Walk<'a> {
        self.time.stretches = Some(vec![]);
        self
    }

    /// What it all comes to, step by step, if nothing more happens until the end of the days.
    pub fn steps(&self) -> Result<Steps, Rejection> {
        let (charge, price) = (self.charge, self.price);
        if by_record(price) {
            return Ok(Steps::Records(self.by_record.amount));
        }
        if charge.aggregate != Aggregate::Level {
            return Ok(Steps::Units(self.worth()?.units));
        }
        let (end, whole) = self.ended()?;
        Ok(Steps::Levels {
            flat: price::flats(price, price::seen(charge, end.top)?)?,
            stretches: end.stretches.unwrap_or_default(),
            whole,
        })
    }

    /// The time of all days, and how much there is in the whole period.
    fn ended(&self) -> Result<(Time, i128), Rejection> {
        let (charge, price) = (self.charge, self.price);
        let mut end = self.time.clone();
        if let Some(counted) = self.today()? {
            end.spend(charge, price, counted, 1)?;
        }
        let day = match charge.precision() {
            By::Second => SECONDS,
            By::Day => 1,
        };
        let until = i128::from(self.over.days.count()) * day;
        let rest = until - end.until;
        end.spend(charge, price, self.counted(), rest)?;
        Ok((end, i128::from(self.over.whole.count().max(1)) * day))
    }

    /// What it all comes to, if nothing more happens until the end of the days.
    pub fn worth(&self) -> Result<Worth, Rejection> {
        let (charge, price) = (self.charge, self.price);
        if by_record(price) {
            return Ok(Worth {
                units: self.plain,
                amount: self.by_record.amount,
            });
        }
        let units = match charge.aggregate {
            Aggregate::Peak => self.highest,
            Aggregate::Weighted | Aggregate::Level => {
                let (end, whole) = self.ended()?;
                let units = end.units.share(1, whole)?;
                if charge.aggregate == Aggregate::Level {
                    let flat = price::flats(price, price::seen(charge, end.top)?)?;
                    let amount = end.amount.share(1, whole)?.plus(flat)?;
                    return Ok(Worth { units, amount });
                }
                units
            }
            _ => self.plain,
        };
        // Units taken back on one line lower what those of the others cost, so that it does not matter whether the matrix
        // also has lines with totals of their own: only the period is never below zero.
        let amount = match price {
            Price::PerUnit(unit) if self.line && units.is_negative() => {
                price::whole_steps(charge, units)?.times((*unit).into())?
            }
            price => price::model(charge, price, units)?,
        };
        Ok(Worth { units, amount })
    }
}

/// Whether each record has a price of its own.
fn by_record(price: &Price) -> bool {
    matches!(
        price,
        Price::Percentage(_) | Price::Dynamic(_) | Price::Expression(_)
    )
}

impl Carried {
    fn count(&self) -> Exact {
        Exact::from(i128::try_from(self.values.len()).unwrap_or(i128::MAX))
    }
}

impl Time {
    /// Counts a level for a while.
    fn spend(
        &mut self,
        charge: &Usage,
        price: &Price,
        level: Exact,
        spent: i128,
    ) -> Result<(), Rejection> {
        if spent <= 0 {
            return Ok(());
        }
        self.until += spent;
        self.top = self.top.max(level);
        let level_time = level.times(Exact::from(spent))?;
        self.units = self.units.plus(level_time)?;
        if charge.aggregate == Aggregate::Level {
            let each = price::without_flats(price, price::seen(charge, level)?)?;
            self.amount = self.amount.plus(each.times(Exact::from(spent))?)?;
            if let Some(stretches) = &mut self.stretches {
                match stretches.last_mut().filter(|last| last.level == level) {
                    Some(last) => last.spent += spent,
                    None => stretches.push(Stretch { level, spent, each }),
                }
            }
        }
        Ok(())
    }
}

impl Today {
    /// Puts a rise among those of the day; where they overlap or touch they become one.
    fn rise(&mut self, from: Exact, to: Exact) {
        let (mut from, mut to) = (from, to);
        self.rose.retain(|(a, b)| {
            let apart = *b < from || to < *a;
            if !apart {
                from = from.min(*a);
                to = to.max(*b);
            }
            apart
        });
        let at = self.rose.partition_point(|(a, _)| *a < from);
        self.rose.insert(at, (from, to));
    }

    /// The level at the end of the day, and above it what rose and fell on the day.
    fn counted(&self, end: Exact) -> Result<Exact, Rejection> {
        self.rose.iter().try_fold(end, |sum, (from, to)| {
            let above = to.minus((*from).max(end))?.max(Exact::ZERO);
            sum.plus(above)
        })
    }
}
