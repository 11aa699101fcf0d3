//! Words about wallets: what is agreed about one, grants, what is taken out, automatic top-ups.

use indelible_domain::command::GrantWallet;
use indelible_domain::kernel::{Decimal, Span};
use indelible_domain::wallets::{Burn, Funding, Rollover, Rule, Size, Terms, Unit, When};

use super::ast::Kind;
use super::parse::Mistake;
use super::words::Words;

/// `wallet W A [priority N] [unit NAME rate R] [burn rating|finalising] [offer|charge|metric CODE …] [limit N] [reject N] [low N]`
pub(super) fn wallet(words: &mut Words) -> Result<Kind, Mistake> {
    let name = words.name("a name for the wallet")?;
    let account = words.name("an account")?;
    let mut terms = Terms {
        priority: 1,
        ..Terms::default()
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "priority" => terms.priority = words.whole("a number after `priority`")?,
            "unit" => {
                let name = words.need("a name after `unit`")?;
                if !words.skip("rate") {
                    return Err(words.mistake("needs `rate` after the name of a unit"));
                }
                let rate = units(words, "what a unit is worth")?;
                terms.unit = Some(Unit { name, rate });
            }
            "burn" => {
                terms.burn = match words.need("`rating` or `finalising`")?.as_str() {
                    "rating" => Burn::Rating,
                    "finalising" => Burn::Finalising,
                    "rating-with-tax" => Burn::RatingWithTax,
                    other => return Err(words.misfit("`rating` or `finalising`", other)),
                }
            }
            "offer" => {
                terms.targets.offers.insert(words.need("an offer")?);
            }
            "charge" => {
                terms.targets.charges.insert(words.need("a charge")?);
            }
            "metric" => {
                terms.targets.metrics.insert(words.need("a metric")?);
            }
            "limit" => terms.credit_limit = units(words, "a credit limit")?,
            "reject" => terms.reject_level = Some(units(words, "a reject level")?),
            "low" => terms.low_level = Some(units(words, "a low level")?),
            _ => return Err(words.unknown(&word)),
        }
    }
    Ok(Kind::Wallet {
        name,
        account,
        terms: Box::new(terms),
    })
}

/// `grant W UNITS [as G] [free|paid|invoice] [expires DATE] [priority N] [carry …]`; a gift unless said otherwise.
pub(super) fn grant(words: &mut Words) -> Result<Kind, Mistake> {
    let mut grant = GrantWallet {
        wallet: words.name("a wallet")?,
        units: units(words, "an amount of units")?,
        funding: Funding::Free,
        ..GrantWallet::default()
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "as" => grant.grant = words.name("a name for the grant")?,
            "expires" => grant.expires = Some(words.date("a day after `expires`")?),
            "priority" => grant.priority = words.whole("a number after `priority`")?,
            "carry" => grant.rollover = Some(carry(words)?),
            other => {
                grant.funding = funding(other).ok_or_else(|| words.unknown(other))?;
            }
        }
    }
    Ok(Kind::Grant(Box::new(grant)))
}

/// `take-out W UNITS|all [of G]`
pub(super) fn take_out(words: &mut Words) -> Result<Kind, Mistake> {
    let wallet = words.name("a wallet")?;
    let amount = match words.skip("all") {
        true => None,
        false => Some(units(words, "an amount of units or `all`")?),
    };
    let grant = words
        .skip("of")
        .then(|| words.name("a grant after `of`"))
        .transpose()?;
    Ok(Kind::TakeOut {
        wallet,
        units: amount,
        grant,
    })
}

/// `refill W CODE below N|every SPAN from DATE fixed N|target N [least N] [most N] [times N] [free|invoice] [lasts SPAN] [carry …]`
pub(super) fn refill(words: &mut Words) -> Result<Kind, Mistake> {
    let wallet = words.name("a wallet")?;
    let code = words.name("a name for the top-up")?;
    let when = match words.need("`below` or `every`")?.as_str() {
        "below" => When::Below(units(words, "units after `below`")?),
        "every" => {
            let every = span(words)?;
            if !words.skip("from") {
                return Err(words.mistake("needs `from DATE` after a span"));
            }
            let from = words.date("a day after `from`")?;
            When::Every { every, from }
        }
        other => return Err(words.misfit("`below` or `every`", other)),
    };
    let size = match words.need("`fixed` or `target`")?.as_str() {
        "fixed" => Size::Fixed(units(words, "units after `fixed`")?),
        "target" => Size::Target(units(words, "units after `target`")?),
        other => return Err(words.misfit("`fixed` or `target`", other)),
    };
    let mut rule = Rule {
        code,
        when,
        size,
        least: None,
        most: None,
        times: None,
        until: None,
        funding: Funding::Free,
        priority: 0,
        lasts: None,
        rollover: None,
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "least" => rule.least = Some(units(words, "units after `least`")?),
            "most" => rule.most = Some(units(words, "units after `most`")?),
            "times" => rule.times = Some(words.whole("a number after `times`")?),
            "lasts" => rule.lasts = Some(span(words)?),
            "carry" => rule.rollover = Some(carry(words)?),
            other => rule.funding = funding(other).ok_or_else(|| words.unknown(other))?,
        }
    }
    Ok(Kind::Refill {
        wallet,
        rule: Box::new(rule),
    })
}

/// `carry [max N] [min N] [for SPAN]`: what becomes of the rest when it expires.
fn carry(words: &mut Words) -> Result<Rollover, Mistake> {
    let mut rule = Rollover::default();
    loop {
        if words.skip("max") {
            rule.max = Some(units(words, "units after `max`")?);
        } else if words.skip("min") {
            rule.min = Some(units(words, "units after `min`")?);
        } else if words.skip("for") {
            rule.lasts = Some(span(words)?);
        } else {
            return Ok(rule);
        }
    }
}

fn funding(word: &str) -> Option<Funding> {
    match word {
        "free" => Some(Funding::Free),
        "paid" => Some(Funding::Paid),
        "invoice" => Some(Funding::Invoice),
        _ => None,
    }
}

fn units(words: &mut Words, what: &str) -> Result<Decimal, Mistake> {
    words.decimal(what).map(Decimal::new)
}

fn span(words: &mut Words) -> Result<Span, Mistake> {
    let what = "a span like \"1 month\"";
    let text = words.need(what)?;
    text.parse().map_err(|_| words.misfit(what, &text))
}
