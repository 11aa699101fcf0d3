//! What a charge stream remembers, and how a part of it is found.

use super::{Charges, Item, What};
use crate::kernel::{Date, Days, Exact, Money, Rejection, Roll};

impl Charges {
    /// What was billed for periods that reach a day or later, and whatever was billed after it: credits and reductions of a
    /// line follow it. The years before are not looked at.
    pub fn since(&self, day: Date) -> impl Iterator<Item = &Item> + Clone {
        let before = self.reach.partition_point(|reach| *reach < day);
        self.items.since(before)
    }

    pub(super) fn push(&mut self, item: Item) {
        let own = match &item.what {
            What::Recurring { days, period, .. } => days.until.max(period.until),
            what => what.days().map_or(Date::MIN, |days| days.until),
        };
        let before = self.reach.last().copied().unwrap_or(Date::MIN);
        self.reach.push(before.max(own));
        self.items.push(item);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Item) -> bool) {
        if self.items.iter().all(&keep) {
            return;
        }
        let all = std::mem::take(&mut self.items);
        self.reach = Roll::default();
        for item in all.into_iter().filter(keep) {
            self.push(item);
        }
    }

    /// Days of a billed recurring line that were not given back.
    pub fn held(&self, invoice: &str, line: u32, days: Days) -> Vec<Days> {
        days.without_all(
            &self
                .credits_of(invoice, line, Some(days))
                .map(|(days, _)| days)
                .collect::<Vec<_>>(),
        )
    }

    /// What a line over some days gave back.
    pub(super) fn credits_of<'a>(
        &'a self,
        invoice: &'a str,
        line: u32,
        days: Option<Days>,
    ) -> impl Iterator<Item = (Days, Money)> + 'a {
        let after = self.since(days.map_or(Date::MIN, |days| days.from));
        after.filter_map(move |i| match &i.what {
            What::Credit {
                invoice: of,
                line: no,
                days,
                ..
            } if of == invoice && *no == line => Some((*days, i.net)),
            _ => None,
        })
    }

    /// What is left of a line after credits and adjustments.
    pub fn left(&self, item: &Item) -> Money {
        let credited = Money::sum(
            item.net.currency,
            self.credits_of(&item.invoice, item.line, item.what.days())
                .map(|(_, net)| net),
        );
        self.paid_for(item).plus(credited).minus(self.adjusted_of(
            &item.invoice,
            item.line,
            item.net,
        ))
    }

    /// What a line charged before discounts, less what was given back of it, and what of it is about to be (`back`, below
    /// zero). What a credit note took off it changes nothing of that.
    pub fn charged(
        &self,
        item: &Item,
        back: impl Iterator<Item = Money>,
    ) -> Result<Exact, Rejection> {
        let given = self.credits_of(&item.invoice, item.line, item.what.days());
        let given = given.map(|(_, net)| net).chain(back);
        let given = Money::sum(item.net.currency, given);
        let asked = self.paid_for(item);
        if given.is_zero() || asked.is_zero() {
            return Ok(item.net.exact());
        }
        let given = given.exact().share(item.net.minor, asked.minor)?;
        item.net.exact().plus(given)
    }

    /// What was asked for a line: its price less what discounts took off.
    pub fn paid_for(&self, item: &Item) -> Money {
        let of_line = |i: &&Item| {
            i.invoice == item.invoice
                && i.line == item.line
                && matches!(i.what, What::Reduction { .. })
        };
        let days = item.what.days();
        let after = self.since(days.map_or(Date::MIN, |days| days.from));
        let reduced = after.filter(of_line).map(|i| i.net);
        item.net.plus(Money::sum(item.net.currency, reduced))
    }

    fn adjusted_of(&self, invoice: &str, line: u32, like: Money) -> Money {
        Money::sum(
            like.currency,
            self.adjusted
                .iter()
                .filter(|(i, l, _)| i == invoice && *l == line)
                .map(|(_, _, m)| *m),
        )
    }

    /// The line that holds one of `days` of a charge, if any does.
    pub(super) fn holder(&self, charge: &str, days: Days) -> Option<&Item> {
        self.since(days.from).find(|i| match &i.what {
            What::Recurring {
                charge: c, days: d, ..
            } if c == charge && !d.overlap(days).is_empty() => self
                .held(&i.invoice, i.line, *d)
                .iter()
                .any(|h| !h.overlap(days).is_empty()),
            _ => false,
        })
    }

    pub(super) fn forget(&mut self, invoice: &str) {
        self.retain(|i| i.invoice != invoice);
        self.adjusted.retain(|(i, _, _)| i != invoice);
    }

    /// Net billed so far for one usage period, and the first invoice that carried it.
    pub fn usage_billed(&self, charge: &str, from: Date) -> impl Iterator<Item = &Item> {
        self.since(from).filter(move |i| matches!(&i.what, What::Usage { charge: c, days } if c == charge && days.from == from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Timing;
    use crate::kernel::Currency;
    use crate::kernel::calendar::add_days;

    fn money(minor: i128) -> Money {
        Money::new(minor, Currency::default())
    }

    fn day(n: i64) -> Date {
        add_days(Date::default(), n)
    }

    /// Lines in an order in which nobody bills them: periods come late, parts of periods, credits and reductions between.
    fn lines() -> Vec<Item> {
        let mut items = Vec::new();
        for n in 0..200_i64 {
            let from = (n * 37) % 101 * 30;
            let period = Days {
                from: day(from),
                until: day(from + 30),
            };
            let days = Days {
                from: day(from + n % 7),
                until: day(from + 30 - n % 5),
            };
            let (invoice, charge) = (format!("i{n}"), format!("c{}", n % 3));
            let what = match n % 4 {
                0 => What::Usage {
                    charge,
                    days: period,
                },
                _ => What::Recurring {
                    charge,
                    days,
                    period,
                    full: Exact::ZERO,
                    timing: Timing::Arrears,
                },
            };
            let item = |line, what, net| Item {
                invoice: invoice.clone(),
                line,
                what,
                net,
            };
            items.push(item(1, what, money(100 + i128::from(n))));
            items.push(item(
                1,
                What::Reduction {
                    redemption: "r".into(),
                    charge: "c".into(),
                },
                money(-1),
            ));
            if n % 6 == 1 {
                let back = What::Credit {
                    invoice: invoice.clone(),
                    line: 1,
                    charge: "c".into(),
                    days: Days {
                        from: days.from,
                        until: day(from + n % 7 + 2),
                    },
                };
                items.push(item(2, back, money(-5)));
            }
        }
        items
    }

    #[test]
    fn what_reaches_a_day_is_never_left_out_however_late_it_was_billed() {
        let mut charges = Charges::default();
        for item in lines() {
            charges.push(item);
        }
        charges.retain(|item| item.invoice != "i50");
        for n in (0..3_100).step_by(97) {
            let since: Vec<&Item> = charges.since(day(n)).collect();
            let reaches = |i: &&Item| match &i.what {
                What::Recurring { period, .. } => period.until >= day(n),
                what => what.days().is_some_and(|days| days.until >= day(n)),
            };
            for item in charges.items.iter().filter(reaches) {
                assert!(since.contains(&item), "{item:?} is of {n} or later");
            }
        }
        for item in charges.items.iter() {
            let reduced = charges.items.iter().filter(|i| {
                (&i.invoice, i.line) == (&item.invoice, item.line)
                    && matches!(i.what, What::Reduction { .. })
            });
            let all = Money::sum(item.net.currency, reduced.map(|i| i.net));
            assert_eq!(charges.paid_for(item), item.net.plus(all));
            let back = charges.items.iter().filter_map(|i| match &i.what {
                What::Credit { invoice, line, .. }
                    if (invoice, *line) == (&item.invoice, item.line) =>
                {
                    Some(i.net)
                }
                _ => None,
            });
            let back = Money::sum(item.net.currency, back);
            assert_eq!(charges.left(item), item.net.plus(all).plus(back));
        }
    }
}
