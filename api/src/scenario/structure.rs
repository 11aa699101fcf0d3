//! Words about options, versions, contracts and ad hoc charges.

use rust_decimal::Decimal;

use super::ast::{Added, Contract, ContractTerm, Effective, Kind};
use super::parse::Mistake;
use super::steps::effective;
use super::words::Words;

/// `NAME [QUANTITY]`; one if no quantity is said.
pub(super) fn option(words: &mut Words) -> Result<(String, Decimal), Mistake> {
    let option = words.name("an option")?;
    let number = words
        .peek()
        .is_some_and(|word| Decimal::from_str_exact(word).is_ok());
    let quantity = match number {
        true => words.decimal("a number")?,
        false => Decimal::ONE,
    };
    Ok((option, quantity))
}

/// `NAME [QUANTITY] [replaces OTHER]`
pub(super) fn added(words: &mut Words) -> Result<Added, Mistake> {
    let (option, quantity) = option(words)?;
    let replaces = words
        .skip("replaces")
        .then(|| words.name("an option after `replaces`"))
        .transpose()?;
    Ok(Added {
        option,
        quantity,
        replaces,
    })
}

pub(super) fn migrate(words: &mut Words) -> Result<Kind, Mistake> {
    let subscription = words.name("a subscription")?;
    let mut when = Effective::Now;
    while let Some(word) = words.take() {
        match word.as_str() {
            "on" | "at" => when = effective(words, &word)?,
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Migrate {
        subscription,
        effective: when,
    })
}

pub(super) fn retire(words: &mut Words) -> Result<Kind, Mistake> {
    Ok(Kind::Retire {
        offer: words.name("an offer")?,
    })
}

/// `order SUBSCRIPTION CHARGE QUANTITY [at AMOUNT]`
pub(super) fn order(words: &mut Words) -> Result<Kind, Mistake> {
    let subscription = words.name("a subscription")?;
    let code = words.name("the code of a charge")?;
    let quantity = words.decimal("a quantity")?;
    let amount = words
        .skip("at")
        .then(|| words.decimal("an amount after `at`"))
        .transpose()?;
    Ok(Kind::Order {
        subscription,
        code,
        quantity,
        amount,
    })
}

/// `contract NAME ACCOUNT from DATE [until DATE] OFFER [CHARGE] price|percent NUMBER …`
pub(super) fn contract(words: &mut Words) -> Result<Kind, Mistake> {
    let contract = words.name("a name for the contract")?;
    let account = words.name("an account")?;
    if !words.skip("from") {
        return Err(words.mistake("needs `from` and a day after the account"));
    }
    let from = words.date("a day after `from`")?;
    let until = words
        .skip("until")
        .then(|| words.date("a day after `until`"))
        .transpose()?;
    let mut terms = Vec::new();
    while words.peek().is_some() {
        terms.push(term(words)?);
    }
    Ok(Kind::Contract(Contract {
        contract,
        account,
        from,
        until,
        terms,
    }))
}

fn term(words: &mut Words) -> Result<ContractTerm, Mistake> {
    let offer = words.name("an offer")?;
    let charge = match words.peek() {
        Some("price" | "percent") | None => None,
        Some(_) => Some(words.name("the code of a charge")?),
    };
    let (mut price, mut percent) = (None, None);
    let what = "`price` or `percent`";
    match words.need(what)?.as_str() {
        "price" => price = Some(words.decimal("a price")?),
        "percent" => percent = Some(words.decimal("a percentage")?),
        other => return Err(words.misfit(what, other)),
    }
    Ok(ContractTerm {
        offer,
        charge,
        price,
        percent,
    })
}
