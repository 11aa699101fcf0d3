//! What a billed line of a recurring charge pays for beyond the days that it holds.
//!
//! A line is billed as the contract was known then. Where a change or an end costs as much as if it were none, it pays up to
//! the edge of its period; where freed days give nothing back, it goes on paying for them. Whatever becomes of the contract
//! afterwards, these days are not paid twice.

use super::due::Basis;
use super::{Charges, Item};
use crate::catalog::Prorate;
use crate::kernel::calendar::add_days;
use crate::kernel::{Date, Days, Exact, Money, Rejection};
use crate::subscriptions::schedule::Segment;

/// Days that a line pays for beyond its own, up to the edges of its period or phase.
#[derive(Clone, Copy, Default)]
pub(super) struct Beyond {
    pub before: i64,
    pub after: i64,
    /// All that the line pays for, its own with them.
    pub paid: i64,
}

impl Beyond {
    /// How many paid days some of a line's days are: with its first or last one go those beyond.
    pub fn with(self, days: Days, piece: Days) -> i64 {
        let mut count = piece.count();
        if piece.from == days.from {
            count += self.before;
        }
        if piece.until == days.until {
            count += self.after;
        }
        count
    }

    /// The days before and after a line's own.
    fn around(self, days: Days) -> [Days; 2] {
        [
            Days::new(add_days(days.from, -self.before), days.from),
            Days::new(days.until, add_days(days.until, self.after)),
        ]
    }

    /// Less what was given back of them already.
    pub fn less(self, days: Days, given: &[(Days, Money)]) -> Beyond {
        let given: Vec<Days> = given
            .iter()
            .filter(|(_, net)| !net.is_zero())
            .map(|(d, _)| *d)
            .collect();
        let left = |side: Days| side.without_all(&given).iter().map(Days::count).sum();
        let [before, after] = self.around(days).map(left);
        Beyond {
            before,
            after,
            ..self
        }
    }
}

/// Days that a line still pays for and does not hold: beyond its own, as far as it holds the day beside them, and those
/// that were freed and gave nothing back. `gone`: its days that are freed now, and take with them what lies beyond them.
pub(super) fn spare(
    days: Days,
    beyond: Beyond,
    given: &[(Days, Money)],
    gone: &[Days],
) -> Vec<Days> {
    let paid_back = |day: Date| {
        let mut given = given.iter().filter(|(_, net)| !net.is_zero());
        given.any(|(back, _)| back.contains(day))
    };
    let with = |edge: Date| !paid_back(edge) && gone.iter().all(|g| !g.contains(edge));
    let [before, after] = beyond.around(days);
    let mut found: Vec<Days> = Vec::new();
    if with(days.from) {
        found.push(before);
    }
    let free = given.iter().filter(|(_, net)| net.is_zero());
    for (piece, _) in free {
        let known = found.clone();
        found.extend(piece.without_all(&known));
    }
    if with(add_days(days.until, -1)) {
        let known = found.clone();
        found.extend(after.without_all(&known));
    }
    let back: Vec<Days> = given
        .iter()
        .filter(|(_, net)| !net.is_zero())
        .map(|(d, _)| *d)
        .collect();
    found
        .iter()
        .flat_map(|d| d.without_all(&back))
        .filter(|d| !d.is_empty())
        .collect()
}

/// What a line pays for beyond its days, read off its amount: of a charge whose start, change or end costs as much as if it
/// were none, and of one that is charged whole in a period in which its phase ends.
pub(super) fn beyond(
    item: &Item,
    full: Exact,
    (days, period): (Days, Days),
    segments: &[Segment<'_>],
    basis: Basis,
) -> Result<Beyond, Rejection> {
    let plain = Beyond {
        paid: days.count(),
        ..Beyond::default()
    };
    let whole = period.count();
    let room = (
        Days::new(period.from, days.from).count().max(0),
        Days::new(days.until, period.until).count().max(0),
    );
    let by_day = full.share(plain.paid.into(), whole.into())?;
    if room == (0, 0) || full.is_zero() || basis.round(by_day)? == item.net {
        return Ok(plain);
    }
    let here = segments
        .iter()
        .find(|s| s.charge.code == item.what.charge() && s.days.contains(days.from));
    // Of the highest quantity only what is new is on a line.
    if here.is_some_and(|s| s.charge.high_water && s.charge.prorate == Prorate::None) {
        return Ok(plain);
    }
    // As many days as its amount is nearest to.
    let exact = item.net.exact().share(whole.into(), 1)?;
    let exact = exact.share(full.denominator(), full.numerator())?;
    let nearest = exact.minus(Exact::ratio(1, 2)?)?.ceil();
    let more = i64::try_from(nearest.numerator()).map_or(0, |paid| paid - plain.paid);
    if more <= 0 || more > room.0 + room.1 {
        return Ok(plain);
    }
    // A line that goes on with days before it pays for none of them.
    let before = here.map_or(room.0, |s| match s.days.from == days.from {
        true => Days::new(s.paid.from, s.days.from).count(),
        false => 0,
    });
    let before = before.clamp(more.saturating_sub(room.1).max(0), more.min(room.0));
    Ok(Beyond {
        before,
        after: more - before,
        paid: plain.paid + more,
    })
}

/// What unused days of a line are worth: their share of the whole period's amount, or, where a discount lowered the line,
/// of what was asked for it.
pub(super) fn unused_share(
    item: &Item,
    charges: &Charges,
    (full, period): (Exact, Days),
    beyond: Beyond,
    unused: i64,
    basis: Basis,
) -> Result<Exact, Rejection> {
    let asked = charges.paid_for(item);
    let by_day = full.share(beyond.paid.into(), period.count().into())?;
    if asked == item.net || basis.round(by_day)? == asked {
        return full.share(unused.into(), period.count().into());
    }
    asked.exact().share(unused.into(), beyond.paid.into())
}
