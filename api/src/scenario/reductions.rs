//! Words about what changes the price of a document as a whole: discounts, commitments, exemptions from tax.

use indelible_domain::command::{Command, RedeemDiscount};
use indelible_domain::commitments::Agreed;
use indelible_domain::discounts::{ChargeKind, DiscountTerms, Lasts, Off, Scope};
use indelible_domain::kernel::{Decimal, Money, Span};
use indelible_domain::taxes::Exemption;

use super::ast::Kind;
use super::parse::Mistake;
use super::words::Words;

/// `discount CODE percent N|fixed AMOUNT CURRENCY [once|times N|for SPAN|forever] [offer|charge|metric CODE …]
/// [kind one-off|recurring|usage …] [sequence N] [exclusive] [limit N] [each N] [from DATE] [until DATE] [name TEXT]`
pub(super) fn discount(words: &mut Words) -> Result<Kind, Mistake> {
    let discount = words.name("a code for the discount")?;
    let off = match words.need("`percent` or `fixed`")?.as_str() {
        "percent" => {
            let percent = words.decimal("a percentage")?;
            Off::Percent(Decimal::new(percent / rust_decimal::Decimal::ONE_HUNDRED))
        }
        "fixed" => {
            let amount = Decimal::new(words.decimal("an amount")?);
            let currency = words.need("a currency after the amount")?;
            let money = currency
                .parse()
                .and_then(|currency| Money::parse(amount, currency));
            Off::Fixed(money.map_err(|why| words.mistake(why.message))?)
        }
        other => return Err(words.misfit("`percent` or `fixed`", other)),
    };
    let mut terms = DiscountTerms {
        name: discount.clone(),
        off,
        scope: Scope::default(),
        lasts: Lasts::Once,
        redeem_from: None,
        redeem_until: None,
        limit: None,
        limit_per_account: None,
        sequence: 0,
        exclusive: false,
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "once" => terms.lasts = Lasts::Once,
            "times" => terms.lasts = Lasts::Times(words.whole("a number after `times`")?),
            "for" => terms.lasts = Lasts::For(span(words)?),
            "forever" => terms.lasts = Lasts::Forever,
            "offer" => terms.scope.offers.push(words.need("an offer")?),
            "charge" => terms.scope.charges.push(words.need("a charge")?),
            "metric" => terms.scope.metrics.push(words.need("a metric")?),
            "kind" => terms
                .scope
                .kinds
                .push(match words.need("a kind of charge")?.as_str() {
                    "one-off" => ChargeKind::OneOff,
                    "recurring" => ChargeKind::Recurring,
                    "usage" => ChargeKind::Usage,
                    other => {
                        return Err(words.misfit("`one-off`, `recurring` or `usage`", other));
                    }
                }),
            "sequence" => terms.sequence = words.whole("a number after `sequence`")?,
            "exclusive" => terms.exclusive = true,
            "limit" => terms.limit = Some(words.whole("a number after `limit`")?),
            "each" => terms.limit_per_account = Some(words.whole("a number after `each`")?),
            "from" => terms.redeem_from = Some(words.date("a day after `from`")?),
            "until" => terms.redeem_until = Some(words.date("a day after `until`")?),
            "name" => terms.name = words.need("a name")?,
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Ordered(Box::new(Command::DefineDiscount {
        discount,
        terms: Box::new(terms),
    })))
}

/// `redeem R A CODE [subscription S] [from DATE]`
pub(super) fn redeem(words: &mut Words) -> Result<Kind, Mistake> {
    let mut ask = RedeemDiscount {
        redemption: words.name("a name for the redemption")?,
        account: words.name("an account")?,
        discount: words.name("the code of a discount")?,
        subscription: None,
        from: None,
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "subscription" => ask.subscription = Some(words.name("a subscription")?),
            "from" => ask.from = Some(words.date("a day after `from`")?),
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Ordered(Box::new(Command::RedeemDiscount(Box::new(
        ask,
    )))))
}

/// `end-discount A R [on DATE]` · `end-commitment A C [on DATE]`
pub(super) fn end(words: &mut Words, discount: bool) -> Result<Kind, Mistake> {
    let account = words.name("an account")?;
    let of = words.name("what ends")?;
    let on = words
        .skip("on")
        .then(|| words.date("a day after `on`"))
        .transpose()?;
    Ok(Kind::Ordered(Box::new(if discount {
        Command::EndRedemption {
            account,
            redemption: of,
            on,
        }
    } else {
        Command::EndCommitment {
            account,
            commitment: of,
            on,
        }
    })))
}

/// `commitment C A [min N] [max N] every SPAN from DATE [until DATE] [offer CODE …] [class CLASS] [name TEXT]`
pub(super) fn commitment(words: &mut Words) -> Result<Kind, Mistake> {
    let id = words.name("a name for the commitment")?;
    let account = words.name("an account")?;
    let mut agreed = Agreed {
        name: id.clone(),
        id,
        min: None,
        max: None,
        every: Span::default(),
        from: chrono::NaiveDate::default(),
        until: None,
        offers: vec![],
        tax_class: "standard".to_owned(),
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "min" => agreed.min = Some(Decimal::new(words.decimal("an amount after `min`")?)),
            "max" => agreed.max = Some(Decimal::new(words.decimal("an amount after `max`")?)),
            "every" => agreed.every = span(words)?,
            "from" => agreed.from = words.date("a day after `from`")?,
            "until" => agreed.until = Some(words.date("a day after `until`")?),
            "offer" => agreed.offers.push(words.need("an offer")?),
            "class" => agreed.tax_class = words.need("a tax class")?,
            "name" => agreed.name = words.need("a name")?,
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Ordered(Box::new(Command::AgreeCommitment {
        account,
        agreed: Box::new(agreed),
    })))
}

/// `exempt A "reason" from DATE [until DATE] [class CLASS]`
pub(super) fn exempt(words: &mut Words) -> Result<Kind, Mistake> {
    let account = words.name("an account")?;
    let reason = words.need("a reason")?;
    if !words.skip("from") {
        return Err(words.mistake("needs `from DATE` after the reason"));
    }
    let mut exemption = Exemption {
        class: None,
        reason,
        from: words.date("a day after `from`")?,
        until: None,
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "until" => exemption.until = Some(words.date("a day after `until`")?),
            "class" => exemption.class = Some(words.need("a tax class")?),
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Ordered(Box::new(Command::ExemptFromTax {
        account,
        exemption,
    })))
}

fn span(words: &mut Words) -> Result<Span, Mistake> {
    let what = "a span like \"1 month\"";
    let text = words.need(what)?;
    text.parse().map_err(|_| words.misfit(what, &text))
}
