//! Rating the past again: how it is asked for, and what is expected to differ.

use chrono::NaiveDate;
use indelible_domain::catalog::Price;
use indelible_domain::kernel::Decimal as Number;
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::reratings::{Ask, Change, Settle};
use rust_decimal::Decimal;

use super::ast::{Expect, Kind, Usage};
use super::parse::Mistake;
use super::steps;
use super::words::Words;

/// A rerating, asked for or only tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Rerate {
    pub rerating: String,
    /// Without the records it names.
    pub ask: Ask,
    /// Keys of records that never should have counted.
    pub void: Vec<String>,
    /// Keys of records and what they should have said.
    pub correct: Vec<(String, Decimal)>,
    /// A record that came too late.
    pub add: Option<Usage>,
    /// Nothing of it stays.
    pub dry: bool,
}

/// What one period of a charge came to and comes to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differs {
    pub charge: String,
    pub from: NaiveDate,
    pub before: Decimal,
    pub after: Decimal,
}

/// `rerate R [FROM, UNTIL) again|price …|version …|void …|correct …|add …`, and the same after `try`.
pub(super) fn rerate(words: &mut Words, dry: bool) -> Result<Kind, Mistake> {
    let rerating = words.name("a name for the rerating")?;
    let (from, until) = words.span()?;
    let mut rerate = Rerate {
        rerating,
        ask: Ask {
            accounts: vec![],
            subscriptions: vec![],
            charges: vec![],
            from,
            until: until.unwrap_or_else(|| add_days(from, 1)),
            change: Change::Again,
            reason: "scenario".to_owned(),
            settle: Settle::Note,
        },
        void: vec![],
        correct: vec![],
        add: None,
        dry,
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "again" => {}
            "price" => rerate.ask.change = price(words)?,
            "version" => {
                rerate.ask.change = Change::Version {
                    offer: words.name("an offer after `version`")?,
                    version: words.whole("the number of a version")?,
                };
            }
            "void" => rerate
                .void
                .push(words.need("the key of a record after `void`")?),
            "correct" => {
                let key = words.need("the key of a record after `correct`")?;
                rerate.correct.push((key, words.decimal("a quantity")?));
            }
            "add" => {
                let Kind::Usage(usage) = steps::usage(words)? else {
                    continue;
                };
                rerate.add = Some(usage);
            }
            "account" => rerate.ask.accounts.push(words.name("an account")?),
            "subscription" => rerate.ask.subscriptions.push(words.name("a subscription")?),
            "charge" => rerate.ask.charges.push(words.name("the code of a charge")?),
            "next-invoice" => rerate.ask.settle = Settle::NextInvoice,
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Rerate(Box::new(rerate)))
}

/// `price CHARGE P [flat]`: per unit if nothing else is said.
fn price(words: &mut Words) -> Result<Change, Mistake> {
    let charge = words.name("the code of a charge after `price`")?;
    let price = Number::new(words.decimal("a price")?);
    let price = match words.skip("flat") {
        true => Price::Flat(price),
        false => Price::PerUnit(price),
    };
    Ok(Change::Price { charge, price })
}

/// `undo-rerating R`
pub(super) fn undo(words: &mut Words) -> Result<Kind, Mistake> {
    let rerating = words.name("a rerating")?;
    words.end()?;
    Ok(Kind::UndoRerating { rerating })
}

/// `expect rerated R CHARGE DAY BEFORE AFTER [CHARGE DAY BEFORE AFTER …]` or `expect rerated R nothing`
pub(super) fn expected(words: &mut Words) -> Result<Expect, Mistake> {
    let rerating = words.name("a rerating")?;
    let mut differences = Vec::new();
    if !words.skip("nothing") {
        while words.peek().is_some() || differences.is_empty() {
            differences.push(Differs {
                charge: words.name("the code of a charge")?,
                from: words.date("the first day of a period")?,
                before: words.decimal("what it came to")?,
                after: words.decimal("what it comes to now")?,
            });
        }
    }
    Ok(Expect::Rerated {
        rerating,
        differences,
    })
}
