//! Words about what is owed in several currencies or to several sellers, and about advances.

use indelible_domain::advances::{Rest, Wanted};
use indelible_domain::command::Command;
use indelible_domain::invoicing::Currencies;
use indelible_domain::kernel::{Currency, Decimal, Money, Rejection};

use super::ast::{Advance, Expect, Kind};
use super::invoicing::{currency, place};
use super::parse::Mistake;
use super::words::Words;

/// `currencies A|entity E sale|account|none`
pub(super) fn currencies(words: &mut Words) -> Result<Kind, Mistake> {
    let place = place(words)?;
    let what = "`sale`, `account` or `none`";
    let currencies = match words.need(what)?.as_str() {
        "sale" => Some(Currencies::Sale),
        "account" => Some(Currencies::Account),
        "none" => None,
        other => return Err(words.misfit(what, other)),
    };
    let command = Command::SetCurrencies { place, currencies };
    Ok(Kind::Ordered(Box::new(command)))
}

/// `minimum A|entity E CURRENCY AMOUNT|none`
pub(super) fn minimum(words: &mut Words) -> Result<Kind, Mistake> {
    let place = place(words)?;
    let currency = currency(words)?;
    let minimum = match words.skip("none") {
        true => None,
        false => Some(Decimal::new(words.decimal("an amount, or `none`")?)),
    };
    Ok(Kind::Ordered(Box::new(Command::SetMinimum {
        place,
        currency,
        minimum,
    })))
}

/// `seller OFFER E|none`
pub(super) fn seller(words: &mut Words) -> Result<Kind, Mistake> {
    let offer = words.name("an offer")?;
    let seller = words.name("an entity, or `none`")?;
    let seller = (seller != "none").then_some(seller);
    let command = Command::SetSeller { offer, seller };
    Ok(Kind::Ordered(Box::new(command)))
}

/// `folio S [seller E] [sale|account]`
pub(super) fn folio(words: &mut Words) -> Result<Kind, Mistake> {
    let subscription = words.name("a subscription")?;
    let (mut seller, mut currencies) = (None, None);
    while let Some(word) = words.take() {
        match word.as_str() {
            "seller" => seller = Some(words.name("an entity after `seller`")?),
            "sale" => currencies = Some(Currencies::Sale),
            "account" => currencies = Some(Currencies::Account),
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Ordered(Box::new(Command::SetFolio {
        subscription,
        seller,
        currencies,
    })))
}

/// `advance X A AMOUNT [class C] [and AMOUNT [class C] …] [subscription S|order O] [once-paid]`; `request-advance …` is the same
/// by a document that is no invoice.
pub(super) fn advance(words: &mut Words, requested: bool) -> Result<Kind, Mistake> {
    let mut advance = Advance {
        name: words.name("a name for the advance")?,
        account: words.name("an account or a folio")?,
        lines: vec![("standard".to_owned(), words.decimal("an amount")?)],
        subscription: None,
        order: None,
        once_paid: false,
        requested,
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "subscription" => {
                advance.subscription = Some(words.name("a subscription after `subscription`")?);
            }
            "order" => advance.order = Some(words.need("an order after `order`")?),
            "once-paid" => advance.once_paid = true,
            "class" => {
                let class = words.name("a tax class after `class`")?;
                if let Some(line) = advance.lines.last_mut() {
                    line.0 = class;
                }
            }
            "and" => {
                let amount = words.decimal("an amount after `and`")?;
                advance.lines.push(("standard".to_owned(), amount));
            }
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Advance(Box::new(advance)))
}

/// `close-advance X credit|refund`
pub(super) fn close(words: &mut Words) -> Result<Kind, Mistake> {
    let advance = words.name("an advance")?;
    let what = "`credit` or `refund`";
    let rest = match words.need(what)?.as_str() {
        "credit" => Rest::Credit,
        "refund" => Rest::Refund,
        other => return Err(words.misfit(what, other)),
    };
    Ok(Kind::Ordered(Box::new(Command::CloseAdvance {
        advance,
        rest,
        reason: "scenario".to_owned(),
    })))
}

/// `expect advance X left NET [tax T]`
pub(super) fn expected(words: &mut Words) -> Result<Expect, Mistake> {
    let advance = words.name("an advance")?;
    if !words.skip("left") {
        return Err(words.mistake("is written `expect advance NAME left NET [tax TAX]`"));
    }
    let net = words.decimal("an amount")?;
    let tax = match words.skip("tax") {
        true => Some(words.decimal("an amount after `tax`")?),
        false => None,
    };
    Ok(Expect::Advance { advance, net, tax })
}

/// Lines of an advance, as the ledger is asked for them.
pub(super) fn wanted(
    lines: &[(String, rust_decimal::Decimal)],
    currency: Currency,
) -> Result<Vec<Wanted>, Rejection> {
    let one = |(class, amount): &(String, rust_decimal::Decimal)| {
        Ok(Wanted {
            text: "Advance".to_owned(),
            amount: Money::parse(Decimal::new(*amount), currency)?,
            tax_class: class.clone(),
        })
    };
    lines.iter().map(one).collect()
}
