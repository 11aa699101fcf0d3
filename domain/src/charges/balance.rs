//! What a period of a fee comes to: what the contract asks for it as it is known now, whatever was billed when.
//!
//! Lines are billed as the contract was known on their day. Where parts of a period cost as much as the whole, or nothing, or
//! where the highest quantity counts, their amounts cannot always be read back off them. So what a period was charged is
//! held against what it is owed, and the lines of this document take the difference (policy 10, 15, 24).
//!
//! Left alone are periods of which a change or an end says by itself what becomes of days that were paid ([`Unused`]): what
//! it gives back follows from what was billed, and is meant to.

use super::due::{Basis, Due, charged_whole, full_amount, priced_by, reached, tax_class};
use super::{Charges, Item, What};
use crate::catalog::{Part, Prorate};
use crate::kernel::calendar::{LAST_DATE, add_days};
use crate::kernel::{Date, Days, Exact, Money, Rejection};
use crate::subscriptions::schedule::Segment;
use crate::subscriptions::{Subscription, Unused};

/// Days that are paid at what a whole period costs, and whether only what exceeds the most before is new.
type Asked = (Days, Exact, bool);

/// Brings what is due of each period to what it is owed.
pub(super) fn balance(
    sub: &Subscription,
    charges: &Charges,
    segments: &[Segment<'_>],
    due: &mut Vec<Due>,
    basis: Basis,
    settled: Date,
) -> Result<(), Rejection> {
    let mut seen: Vec<(&str, Days)> = Vec::new();
    for s in segments.iter().filter(|s| s.period.until > settled) {
        let key = (s.charge.code.as_str(), s.period);
        let by_day = s.charge.prorate == Prorate::Day && !s.charge.high_water;
        let plain = by_day && matches!(s.part, None | Some(Part::Prorate));
        if plain || seen.contains(&key) || says_itself(sub, s.period) {
            continue;
        }
        seen.push(key);
        let here = |what: &What| matches!(what, What::Recurring { charge, period, .. } if (charge.as_str(), *period) == key);
        let items = charges.since(s.period.from).filter(|i| here(&i.what));
        let account = Account {
            sub,
            charges,
            segments,
            key,
            items: items.collect(),
            basis,
        };
        account.settle(due)?;
    }
    Ok(())
}

/// Whether a change or an end in a period says by itself what becomes of what was paid.
fn says_itself(sub: &Subscription, period: Days) -> bool {
    let mut terms = sub.terms.iter().skip(1);
    let end = sub.end.as_ref();
    terms.any(|t| period.contains(t.from) && t.unused != Unused::CreditProrata)
        || end.is_some_and(|e| e.on < period.until && e.unused != Unused::CreditProrata)
}

/// One charge in one period.
struct Account<'a> {
    sub: &'a Subscription,
    charges: &'a Charges,
    segments: &'a [Segment<'a>],
    key: (&'a str, Days),
    /// What was billed for it.
    items: Vec<&'a Item>,
    basis: Basis,
}

impl Account<'_> {
    fn settle(&self, due: &mut Vec<Due>) -> Result<(), Rejection> {
        let (least, most) = self.owed()?;
        let before = self.charged(&[])?;
        let after = self.charged(due)?;
        // Each line was rounded by itself.
        let lines = self.items.len() + due.iter().filter(|d| self.has(d)).count();
        let off = i128::try_from(lines).unwrap_or(0);
        let off = Money::new(off, self.basis.currency).exact();
        let (least, most) = (least.minus(off)?, most.plus(off)?);
        let fits = |sum: Exact| sum >= least && sum <= most;
        if fits(after) {
            return Ok(());
        }
        if fits(before) {
            return self.nothing(due);
        }
        match after < least {
            true => self.more(due, least.plus(off)?.minus(after)?),
            false => self.less(due, after.minus(most.minus(off)?)?),
        }
    }

    /// What the contract asks for as far as its moment has come, and the most that may stand: days that are billed ahead are
    /// not given back before they come.
    fn owed(&self) -> Result<(Exact, Exact), Rejection> {
        let mut here: Vec<&Segment<'_>> = self.segments.iter().collect();
        here.retain(|s| (s.charge.code.as_str(), s.period) == self.key);
        here.retain(|s| s.part != Some(Part::Nothing) && reached(self.sub, s, self.basis.as_of));
        here.sort_by_key(|s| s.days.from);
        let mut asked: Vec<Asked> = Vec::new();
        for s in here {
            let days = match (s.part, s.charge.prorate) {
                (Some(_), _) => s.paid,
                (None, Prorate::None) => s.period,
                (None, Prorate::Day) => s.days,
            };
            asked.push((days, full_amount(s, self.segments)?, s.charge.high_water));
        }
        let least = self.sum(&asked)?;
        if self.sub.end_date() <= self.basis.as_of {
            return Ok((least, least));
        }
        let ahead = Days::new(add_days(self.basis.as_of, 1), LAST_DATE);
        for item in &self.items {
            let What::Recurring { days, full, .. } = &item.what else {
                continue;
            };
            let held = self.charges.held(&item.invoice, item.line, *days);
            let held = held.iter().map(|held| held.overlap(ahead));
            asked.extend(held.filter(|d| !d.is_empty()).map(|d| (d, *full, true)));
        }
        Ok((least, self.sum(&asked)?))
    }

    /// Each day is paid once at a price, and of the highest quantity for what exceeds the most that is paid for it.
    fn sum(&self, asked: &[Asked]) -> Result<Exact, Rejection> {
        let mut cuts: Vec<Date> = asked.iter().flat_map(|(d, ..)| [d.from, d.until]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut sum = Exact::ZERO;
        for cut in cuts.windows(2) {
            let days = Days::new(cut[0], cut[1]);
            let mut paid: Vec<Exact> = Vec::new();
            for (_, price, highest) in asked.iter().filter(|(d, ..)| d.contains(days.from)) {
                let new = match highest {
                    true => paid
                        .iter()
                        .fold(*price, |new, p| new.min(price.minus(*p).unwrap_or(new))),
                    false if paid.contains(price) => Exact::ZERO,
                    false => *price,
                };
                let new = new.max(Exact::ZERO).share(days.count().into(), 1)?;
                sum = sum.plus(new)?;
                paid.push(*price);
            }
        }
        sum.share(1, self.key.1.count().into())
    }

    /// Whether a line of this document is of this period.
    fn has(&self, due: &Due) -> bool {
        self.line(due).is_some() || self.adds(due)
    }

    fn adds(&self, due: &Due) -> bool {
        matches!(&due.what, What::Recurring { charge, period, .. } if (charge.as_str(), *period) == self.key)
    }

    /// The billed line that one of this document gives back of.
    fn line(&self, due: &Due) -> Option<&Item> {
        let What::Credit { invoice, line, .. } = &due.what else {
            return None;
        };
        let mut items = self.items.iter().copied();
        items.find(|i| (&i.invoice, i.line) == (invoice, *line))
    }

    /// What was charged before discounts, with the lines of this document.
    fn charged(&self, due: &[Due]) -> Result<Exact, Rejection> {
        let mut sum = Exact::ZERO;
        for item in &self.items {
            let back = due.iter().filter(|d| self.line(d) == Some(item));
            sum = sum.plus(self.charges.charged(item, back.map(|d| d.net))?)?;
        }
        for line in due.iter().filter(|d| self.adds(d)) {
            sum = sum.plus(line.net.exact())?;
        }
        Ok(sum)
    }

    /// What was billed is what is owed: days change their lines, and no money.
    fn nothing(&self, due: &mut Vec<Due>) -> Result<(), Rejection> {
        due.retain(|d| match (self.line(d), d.what.days()) {
            (Some(item), Some(days)) => item.what.days().is_some_and(|own| {
                let held = self.charges.held(&item.invoice, item.line, own);
                held.iter().any(|h| !h.overlap(days).is_empty())
            }),
            _ => true,
        });
        for line in due.iter_mut() {
            if self.line(line).is_some() {
                self.give(line, Money::zero(self.basis.currency));
            } else if self.adds(line) {
                self.ask(line, Exact::ZERO)?;
            }
        }
        Ok(())
    }

    /// Less is given back, or more is asked for.
    fn more(&self, due: &mut Vec<Due>, mut missing: Exact) -> Result<(), Rejection> {
        for line in due.iter_mut() {
            let Some(item) = self.line(line).filter(|_| !line.net.is_zero()) else {
                continue;
            };
            let back = line.net.negated();
            let kept = self.of_line(item, missing, true)?.min(back);
            missing = missing.minus(self.of_line(item, kept.exact(), false)?.exact())?;
            self.give(line, back.minus(kept));
        }
        if self.basis.round(missing)?.is_zero() {
            return Ok(());
        }
        if let Some(line) = due.iter_mut().rev().find(|d| self.adds(d)) {
            let exact = line.exact.plus(missing)?;
            return self.ask(line, exact);
        }
        self.again(due, missing)
    }

    /// All days are held already: the last of them is given back and billed again with what is missing.
    fn again(&self, due: &mut Vec<Due>, missing: Exact) -> Result<(), Rejection> {
        for s in self.segments.iter().rev() {
            if (s.charge.code.as_str(), s.period) != self.key
                || s.part == Some(Part::Nothing)
                || !reached(self.sub, s, self.basis.as_of)
            {
                continue;
            }
            let last = Days::new(add_days(s.days.until, -1), s.days.until);
            let price = full_amount(s, self.segments)?;
            let holds = |i: &&&Item| match &i.what {
                What::Recurring { days, full, .. } => {
                    let held = self.charges.held(&i.invoice, i.line, *days);
                    *full == price && held.iter().any(|h| h.contains(last.from))
                }
                _ => false,
            };
            let Some(item) = self.items.iter().find(holds) else {
                continue;
            };
            let day = match charged_whole(s) {
                true => Exact::ZERO,
                false => price.share(1, self.key.1.count().into())?,
            };
            let back = self.of_line(item, day, true)?.min(self.left(item, due));
            due.push(self.credit(item, last, back));
            let exact = self.of_line(item, back.exact(), false)?.exact();
            let mut line = Due {
                what: What::Recurring {
                    charge: self.key.0.to_string(),
                    days: last,
                    period: self.key.1,
                    full: price,
                    timing: s.charge.timing,
                },
                text: format!("{} {}", s.term.offer.name, s.charge.name),
                quantity: String::new(),
                exact,
                net: Money::zero(self.basis.currency),
                tax_class: s.charge.tax_class.clone(),
                explain: String::new(),
            };
            self.ask(&mut line, exact.plus(missing)?)?;
            due.push(line);
            return Ok(());
        }
        Ok(())
    }

    /// Less is asked for, or more is given back: of the latest lines first.
    fn less(&self, due: &mut Vec<Due>, mut over: Exact) -> Result<(), Rejection> {
        for line in due.iter_mut().rev() {
            if self.adds(line) && !line.net.is_zero() {
                let off = over.min(line.net.exact());
                over = over.minus(off)?;
                let exact = line.net.exact().minus(off)?;
                self.ask(line, exact)?;
            }
        }
        for item in self.items.iter().rev() {
            let left = self.left(item, due);
            let back = self.of_line(item, over, true)?.min(left);
            if !back.is_positive() {
                continue;
            }
            over = over.minus(self.of_line(item, back.exact(), false)?.exact())?;
            let mut lines = due.iter_mut();
            if let Some(line) = lines.find(|d| self.line(d) == Some(item)) {
                let all = line.net.negated().plus(back);
                self.give(line, all);
                continue;
            }
            let days = self.idle(item);
            due.push(self.credit(item, days, back));
        }
        Ok(())
    }

    /// Days of the period that a line does not hold, best those that nobody asks for.
    fn idle(&self, item: &Item) -> Days {
        let own = item.what.days().unwrap_or(self.key.1);
        let mut taken = self.charges.held(&item.invoice, item.line, own);
        let free = self.key.1.without_all(&taken);
        let here = self.segments.iter();
        let here = here.filter(|s| (s.charge.code.as_str(), s.period) == self.key);
        taken.extend(here.map(|s| s.days));
        let idle = self.key.1.without_all(&taken);
        let last = Days::new(add_days(own.until, -1), own.until);
        let found = idle.last().or(free.last());
        found.copied().unwrap_or(last)
    }

    /// What is left of a line with what this document gives back of it.
    fn left(&self, item: &Item, due: &[Due]) -> Money {
        let back = due.iter().filter(|d| self.line(d) == Some(item));
        let back = Money::sum(self.basis.currency, back.map(|d| d.net));
        self.charges.left(item).plus(back)
    }

    /// An amount before discounts as a part of what was asked for a line (`asked`), or the other way round.
    fn of_line(&self, item: &Item, amount: Exact, asked: bool) -> Result<Money, Rejection> {
        let (net, paid) = (item.net.minor, self.charges.paid_for(item).minor);
        let (to, from) = if asked { (paid, net) } else { (net, paid) };
        match from == 0 {
            true => Ok(Money::zero(self.basis.currency)),
            false => self.basis.round(amount.share(to, from)?),
        }
    }

    fn credit(&self, item: &Item, days: Days, back: Money) -> Due {
        let mut line = Due {
            what: What::Credit {
                invoice: item.invoice.clone(),
                line: item.line,
                charge: self.key.0.to_string(),
                days,
            },
            text: format!("Unused {} {days}", self.key.0),
            quantity: format!("-{}/{}", days.count(), self.key.1.count()),
            exact: Exact::ZERO,
            net: back,
            tax_class: tax_class(self.sub, self.key.0, days.from),
            explain: String::new(),
        };
        self.give(&mut line, back);
        line
    }

    /// Gives so much of a line back.
    fn give(&self, line: &mut Due, back: Money) {
        line.exact = back.exact().negated();
        line.net = back.negated();
        if let What::Credit {
            invoice,
            line: no,
            days,
            ..
        } = &line.what
        {
            line.explain = format!(
                "days {days} of line {no} of {invoice}: {back}, what {} was charged above what is asked for it",
                self.key.1
            );
        }
    }

    /// Asks for so much: the days of the period that it is at least, less what is paid of them.
    fn ask(&self, line: &mut Due, exact: Exact) -> Result<(), Rejection> {
        let What::Recurring { full, .. } = &line.what else {
            return Ok(());
        };
        let whole = self.key.1.count();
        line.exact = exact.max(Exact::ZERO);
        line.net = self.basis.round(line.exact)?;
        let mut part = 0;
        while part < whole && full.share(part.into(), whole.into())? < line.exact {
            part += 1;
        }
        line.quantity = match part == whole {
            true => "1".to_string(),
            false => format!("{part}/{whole}"),
        };
        let first = line.what.days().map(|days| days.from);
        let here = self.segments.iter().find(|s| {
            (s.charge.code.as_str(), s.period) == self.key
                && first.is_some_and(|day| s.days.contains(day))
        });
        let sold = here.map_or(String::new(), |s| {
            let offer = &s.term.offer;
            format!(
                " (offer {} version {}, quantity {}){}",
                offer.code,
                offer.version,
                s.charge.units(s.term.quantity),
                priced_by(&s.charge.source)
            )
        });
        line.explain = format!(
            "{part} of {whole} days of {} × {}, less what is paid of them = {}, {} to {}{sold}",
            self.key.1,
            full.to_decimal(12),
            line.exact.to_decimal(12),
            self.basis.how(),
            line.net
        );
        Ok(())
    }
}
