//! What time and spending bring to a wallet: expiries, rollovers, and top-ups by schedule or threshold.

use super::decide::{Put, Work};
use super::{Ask, Asked, Funding, Grant, Origin, Rule, Size, Wallet, When};
use crate::kernel::{Date, Exact, Grid, Id, Instant, Money, Rejection, Rounding, Zone};

/// Most things that one tick does; the next one goes on from there.
const TICK_MAX: usize = 1000;

/// Something that falls due on a day. On one day grants expire before new ones come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Expiry(Id),
    Scheduled(Id),
}

impl Wallet {
    /// The first day on which time has something to do here.
    pub fn next_day(&self) -> Option<Date> {
        self.next_due().map(|(on, _)| on)
    }

    fn next_due(&self) -> Option<(Date, Due)> {
        let open = |g: &&Grant| {
            let free = self.free(g).unwrap_or(Exact::ZERO);
            // What is held of it waits until it is free or used.
            !free.is_zero() || (g.rollover.is_some() && g.remaining.is_zero())
        };
        let expiries = self
            .grants
            .iter()
            .filter(open)
            .filter_map(|g| Some((g.expires?, Due::Expiry(g.id.clone()))));
        let scheduled = self
            .terms
            .rules
            .iter()
            .filter_map(|r| Some((self.scheduled(r)?, Due::Scheduled(r.code.clone()))));
        expiries.chain(scheduled).min()
    }

    /// The next day of a rule that has a schedule.
    fn scheduled(&self, rule: &Rule) -> Option<Date> {
        let When::Every { every, from } = &rule.when else {
            return None;
        };
        let done = self.done.get(&rule.code).copied().unwrap_or_default();
        let on = Grid::anchored(*from, *every).boundary(i32::try_from(done).ok()?);
        rule.allows(done, on).then_some(on)
    }

    /// Money that a rule puts in where `level` is what there is; none when there is nothing to put in.
    fn size(&self, rule: &Rule, level: Exact) -> Result<Option<Money>, Rejection> {
        let wanted = match rule.size {
            Size::Fixed(units) => self.terms.worth(units)?,
            Size::Target(units) => self.terms.worth(units)?.minus(level)?,
        };
        if wanted <= Exact::ZERO {
            return Ok(None);
        }
        let raised = match rule.least {
            Some(least) => wanted.max(self.terms.worth(least)?),
            None => wanted,
        };
        let bounded = match rule.most {
            Some(most) => raised.min(self.terms.worth(most)?),
            None => raised,
        };
        let money = Money::round(bounded, self.currency, Rounding::Down)?;
        Ok(Some(money).filter(|m| m.is_positive()))
    }
}

impl Rule {
    fn allows(&self, done: u32, on: Date) -> bool {
        self.times.is_none_or(|times| done < times) && self.until.is_none_or(|until| on < until)
    }
}

/// The grant that continues another from a day on; what was held on that day and is free later continues in a further one.
fn rolled_id(wallet: &Wallet, grant: &str, on: Date) -> Id {
    let root = grant.split('@').next().unwrap_or(grant);
    let first = format!("{root}@{on}");
    let more = (2..).map(|n: u32| format!("{first}.{n}"));
    let mut ids = std::iter::once(first.clone()).chain(more);
    // A wallet has fewer grants than there are numbers.
    ids.find(|id| wallet.grant(id).is_none()).unwrap_or(first)
}

impl Work {
    pub(super) fn tick(
        &mut self,
        wallet: &str,
        today: Date,
        zone: &Zone,
        rounding: Rounding,
    ) -> Result<(), Rejection> {
        for _ in 0..TICK_MAX {
            let Some((on, due)) = self.next.next_due().filter(|(on, _)| *on <= today) else {
                break;
            };
            // Dated by the day it was due: a late tick puts in what a punctual one would have.
            let at = zone.start_of(on);
            match due {
                Due::Expiry(id) => {
                    let Some(grant) = self.next.grant(&id).cloned() else {
                        break;
                    };
                    let left = self.next.free(&grant)?;
                    self.expire(&grant, on, rounding)?;
                    self.roll_over(&grant, left, on, at)?;
                }
                Due::Scheduled(code) => {
                    let level = self.next.balance(on);
                    self.by_rule(wallet, &code, level, at, on)?;
                }
            }
        }
        Ok(())
    }

    fn roll_over(
        &mut self,
        grant: &Grant,
        left: Exact,
        on: Date,
        at: Instant,
    ) -> Result<(), Rejection> {
        let Some(rule) = grant.rollover.clone() else {
            return Ok(());
        };
        let worth = |units| self.next.terms.worth(units);
        // What was held when it expired rolls over later: both together keep the bounds.
        let (mut before, mut made) = (Exact::ZERO, Exact::ZERO);
        for other in &self.next.grants {
            if let Origin::Rollover { from, kept } = &other.origin
                && *from == grant.id
            {
                before = before.plus(kept.exact())?;
                made = made.plus(other.amount.exact())?;
            }
        }
        let mut carried = left;
        if let Some(max) = rule.max {
            carried = carried.min(worth(max)?.minus(before)?.max(Exact::ZERO));
        }
        let kept = Money::round(carried, self.next.currency, Rounding::Down)?;
        let amount = match rule.min {
            Some(min) => {
                let lacks = worth(min)?.minus(made)?.max(Exact::ZERO);
                let least = Money::round(lacks, self.next.currency, Rounding::Down)?;
                if kept.minor < least.minor {
                    least
                } else {
                    kept
                }
            }
            None => kept,
        };
        if !amount.is_positive() {
            return Ok(());
        }
        self.put(Put {
            grant: rolled_id(&self.next, &grant.id, on),
            amount,
            expires: rule.lasts.map(|l| l.after(on)),
            priority: grant.priority,
            origin: Origin::Rollover {
                from: grant.id.clone(),
                kept,
            },
            // What lasts for ever has nothing to roll over.
            rollover: rule.lasts.is_some().then_some(rule),
            rule: None,
            at,
            today: on,
        })
    }

    pub(super) fn refill(
        &mut self,
        wallet: &str,
        expected: Exact,
        at: Instant,
        today: Date,
    ) -> Result<(), Rejection> {
        let codes: Vec<Id> = self
            .next
            .terms
            .rules
            .iter()
            .filter(|r| matches!(r.when, When::Below(_)))
            .map(|r| r.code.clone())
            .collect();
        let mut level = expected;
        for code in codes {
            let before = self.next.balance(today);
            self.by_rule(wallet, &code, level, at, today)?;
            level = level.plus(self.next.balance(today).minus(before)?)?;
        }
        Ok(())
    }

    /// Does a rule once, if it asks for it.
    fn by_rule(
        &mut self,
        wallet: &str,
        code: &str,
        level: Exact,
        at: Instant,
        on: Date,
    ) -> Result<(), Rejection> {
        let Some(rule) = self.next.terms.rules.iter().find(|r| r.code == code) else {
            return Ok(());
        };
        let rule = rule.clone();
        let done = self.next.done.get(code).copied().unwrap_or_default();
        let size = self.next.size(&rule, level)?;
        let amount = match &rule.when {
            When::Below(units) => {
                let waits = self
                    .next
                    .asked
                    .iter()
                    .any(|a| a.rule.as_deref() == Some(code));
                if waits || !rule.allows(done, on) || level >= self.next.terms.worth(*units)? {
                    return Ok(());
                }
                let Some(amount) = size else {
                    return Ok(());
                };
                amount
            }
            // A schedule counts its days, filled or not: an amount of nothing is said as a grant of nothing.
            When::Every { .. } => size.unwrap_or(Money::zero(self.next.currency)),
        };
        let grant = format!("{code}-{}", done.saturating_add(1));
        if rule.funding == Funding::Invoice && amount.is_positive() {
            self.say(Asked {
                ask: Ask {
                    invoice: format!("{wallet}.{grant}"),
                    grant,
                    amount,
                    on,
                    expires: None,
                    lasts: rule.lasts,
                    priority: rule.priority,
                    rollover: rule.rollover,
                    rule: Some(rule.code),
                },
            });
            return Ok(());
        }
        self.put(Put {
            grant,
            amount,
            expires: rule.lasts.map(|l| l.after(on)),
            priority: rule.priority,
            origin: Origin::Free,
            rollover: rule.rollover,
            rule: Some(rule.code),
            at,
            today: on,
        })
    }
}
