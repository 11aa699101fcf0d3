//! The setting of a scenario: who sells, what tax is due, how overdue accounts are chased.

use super::ast::{Dunning, Entity, Level, Rounding, Tax};
use super::parse::{Lines, Mistake};
use super::words::Words;

/// `entity us currency USD zone UTC country US terms 0 rounding half-up`; all but the name may be left out.
pub(super) fn entity(words: &mut Words) -> Result<Entity, Mistake> {
    let mut entity = Entity {
        line: words.line(),
        name: words.name("a name")?,
        ..Entity::default()
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "currency" => entity.currency = words.need("a currency code after `currency`")?,
            "zone" => entity.zone = words.need("a time zone after `zone`")?,
            "country" => entity.country = words.need("a country code after `country`")?,
            "terms" => entity.terms = words.whole("a number of days after `terms`")?,
            "rounding" => {
                let what = "half-up, half-even, up or down after `rounding`";
                entity.rounding = match words.need(what)?.as_str() {
                    "half-up" => Rounding::HalfUp,
                    "half-even" => Rounding::HalfEven,
                    "up" => Rounding::Up,
                    "down" => Rounding::Down,
                    other => return Err(words.misfit(what, other)),
                };
            }
            other => return Err(words.unknown(other)),
        }
    }
    Ok(entity)
}

/// `tax class standard rate 0.20 from 2000-01-01 [category standard] [seller US] [buyer DE] [name VAT]`
pub(super) fn tax(words: &mut Words) -> Result<Tax, Mistake> {
    let (mut class, mut rate, mut from) = (None, None, None);
    let (mut category, mut seller, mut buyer, mut name) = (None, None, None, None);
    let mut parts = Vec::new();
    while let Some(word) = words.take() {
        match word.as_str() {
            "class" => class = Some(words.name("a tax class after `class`")?),
            "rate" => rate = Some(words.decimal("a rate after `rate` (0.20 is 20 %)")?),
            "from" => from = Some(words.date("a day after `from`")?),
            "category" => category = Some(words.name("a tax category after `category`")?),
            "seller" => seller = Some(words.need("a country code after `seller`")?),
            "buyer" => buyer = Some(words.need("a country code after `buyer`")?),
            "name" => name = Some(words.need("a name after `name`")?),
            "part" => {
                let part = words.need("a name after `part`")?;
                parts.push((part, words.decimal("the rate of a part")?));
            }
            other => return Err(words.unknown(other)),
        }
    }
    let missing = |what: &str| words.mistake(format!("needs `{what}`"));
    Ok(Tax {
        line: words.line(),
        class: class.ok_or_else(|| missing("class"))?,
        rate: rate.ok_or_else(|| missing("rate"))?,
        from: from.ok_or_else(|| missing("from"))?,
        category,
        seller,
        buyer,
        name,
        parts,
    })
}

/// `dunning policy NAME`, one `level` per line, `end`.
pub(super) fn dunning(words: &mut Words, lines: &mut Lines<'_>) -> Result<Dunning, Mistake> {
    if !words.skip("policy") {
        return Err(words.mistake("is written `dunning policy NAME`"));
    }
    let mut policy = Dunning {
        line: words.line(),
        name: words.name("a name after `policy`")?,
        levels: Vec::new(),
    };
    words.end()?;
    while let Some((line, text)) = lines.take() {
        let Some(mut inner) = Words::cut(line, text)? else {
            continue;
        };
        match inner.verb() {
            "level" => policy.levels.push(level(&mut inner)?),
            "end" => {
                inner.end()?;
                return Ok(policy);
            }
            _ => return Err(inner.mistake("does not belong between `dunning` and `end`")),
        }
    }
    Err(words.mistake("is not closed by `end`"))
}

/// `level OD1 after 30 days [minimum 260.00] [remind] [fee 5.00] [suspend] [write-off]`
fn level(words: &mut Words) -> Result<Level, Mistake> {
    let name = words.name("a name")?;
    if !words.skip("after") {
        return Err(words.mistake("is written `level NAME after N days …`"));
    }
    let after_days = words.whole("a number of days after `after`")?;
    if !words.skip("days") && !words.skip("day") {
        return Err(words.mistake("counts in days: `after 30 days`"));
    }
    let mut level = Level {
        line: words.line(),
        name,
        after_days,
        minimum: None,
        remind: false,
        fee: None,
        suspend: false,
        write_off: false,
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "minimum" => level.minimum = Some(words.decimal("an amount after `minimum`")?),
            "fee" => level.fee = Some(words.decimal("an amount after `fee`")?),
            "remind" => level.remind = true,
            "suspend" => level.suspend = true,
            "write-off" => level.write_off = true,
            other => return Err(words.unknown(other)),
        }
    }
    Ok(level)
}
