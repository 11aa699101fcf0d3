//! Debits and credits of each ledger account: of all time, up to a day, or of some days; of one entity or of all.

use std::collections::BTreeMap;

use indelible_domain::journal::{Event as Fact, Ledger};
use indelible_domain::kernel::{Currency, Date, Money};
use indelible_domain::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::{Projection, Rows, Snapshot, ViewError};

/// What was posted to one ledger account in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub account: Ledger,
    pub debit: Money,
    pub credit: Money,
}

impl Line {
    /// Debits − credits.
    pub fn net(&self) -> Money {
        self.debit.minus(self.credit)
    }
}

/// Rows: `entity/day/currency/account` a [`Line`].
pub struct TrialBalance;

impl Projection for TrialBalance {
    const NAME: &'static str = "finance/trial_balance";
    const VERSION: u32 = 1;
    const KINDS: &'static [&'static str] = &["journal"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let Event::Journal(Fact::Posted(e)) = &recorded.event else {
            return Ok(());
        };
        let entity = recorded.id.split('/').next().unwrap_or_default();
        for line in e.entry.lines() {
            let (on, currency) = (e.entry.on(), line.debit.currency);
            let key = format!("{entity}/{on}/{currency}/{:04}", line.account.code());
            let none = Money::zero(currency);
            let row = rows.get::<Line>(&key)?.unwrap_or(Line {
                account: line.account,
                debit: none,
                credit: none,
            });
            let row = Line {
                account: line.account,
                debit: row.debit.plus(line.debit),
                credit: row.credit.plus(line.credit),
            };
            rows.put(&key, &row)?;
        }
        Ok(())
    }
}

/// What was posted on days in `[from, until)` (none: without bound), by currency and ledger account. The debits of
/// each currency equal its credits.
pub fn between(
    snapshot: &Snapshot<'_>,
    entity: Option<&str>,
    from: Option<Date>,
    until: Option<Date>,
) -> Result<Vec<Line>, ViewError> {
    let mut sums: BTreeMap<(Currency, Ledger), Line> = BTreeMap::new();
    let (first, last) = match entity {
        Some(entity) => (format!("{entity}/"), format!("{entity}0")),
        None => (String::new(), String::new()),
    };
    snapshot.each::<TrialBalance, Line>(&first, &last, &mut |key, line| {
        let day = key
            .split('/')
            .nth(1)
            .and_then(|day| day.parse::<Date>().ok());
        let within = day.is_some_and(|day| {
            from.is_none_or(|from| from <= day) && until.is_none_or(|until| day < until)
        });
        if within {
            let sum = sums.entry((line.debit.currency, line.account));
            sum.and_modify(|sum| {
                sum.debit = sum.debit.plus(line.debit);
                sum.credit = sum.credit.plus(line.credit);
            })
            .or_insert(line);
        }
        Ok(true)
    })?;
    Ok(sums.into_values().collect())
}
