//! The steps of a scenario: one verb, one line.

use chrono::NaiveDate;
use indelible_domain::messages::Channel;
use rust_decimal::Decimal;

use super::ast::{Account, Change, Effective, Kind, Reviewed, Subscribe, Unused, Usage};
use super::folios;
use super::invoicing;
use super::life;
use super::parse::Mistake;
use super::prepaid;
use super::reductions;
use super::reratings;
use super::structure;
use super::words::Words;

/// Reads the step whose verb has been taken.
pub(super) fn step(words: &mut Words) -> Result<Kind, Mistake> {
    let kind = match words.verb() {
        "on" => Kind::On(words.moment("a day or a day and a time")?),
        "account" => account(words)?,
        "zone" => invoicing::zone(words)?,
        "shown" => invoicing::shown(words)?,
        "currencies" => folios::currencies(words)?,
        "minimum" => folios::minimum(words)?,
        "seller" => folios::seller(words)?,
        "folio" => folios::folio(words)?,
        "advance" => folios::advance(words, false)?,
        "request-advance" => folios::advance(words, true)?,
        "invoice-advance" => Kind::InvoiceAdvance {
            advance: words.name("an advance")?,
        },
        "close-advance" => folios::close(words)?,
        "subscribe" => subscribe(words)?,
        "change" => change(words)?,
        "migrate" => structure::migrate(words)?,
        "retire" => structure::retire(words)?,
        "order" => structure::order(words)?,
        "contract" => structure::contract(words)?,
        "pause" => {
            let subscription = words.name("a subscription")?;
            let (from, reason) = day_and_reason(words, "from")?;
            Kind::Pause {
                subscription,
                from,
                reason,
            }
        }
        "resume" => {
            let subscription = words.name("a subscription")?;
            let (on, reason) = day_and_reason(words, "on")?;
            Kind::Resume {
                subscription,
                on,
                reason,
            }
        }
        "terminate" => terminate(words)?,
        "move-billing-day" | "activate" | "cancel" | "reactivate" | "undo" | "transfer"
        | "tenure" => Kind::Life(Box::new(life::step(words)?)),
        "usage" => usage(words)?,
        "rerate" => reratings::rerate(words, false)?,
        "try" => {
            words.descend("`rerate`")?;
            match words.verb() {
                "rerate" => reratings::rerate(words, true)?,
                _ => return Err(words.mistake("cannot be tried, `rerate` can")),
            }
        }
        "undo-rerating" => reratings::undo(words)?,
        "charge" => charge(words)?,
        "wallet" => prepaid::wallet(words)?,
        "grant" => prepaid::grant(words)?,
        "take-out" => prepaid::take_out(words)?,
        "refill" => prepaid::refill(words)?,
        "discount" => reductions::discount(words)?,
        "redeem" => reductions::redeem(words)?,
        "end-discount" => reductions::end(words, true)?,
        "commitment" => reductions::commitment(words)?,
        "end-commitment" => reductions::end(words, false)?,
        "exempt" => reductions::exempt(words)?,
        "top-up" => Kind::TopUp {
            wallet: words.name("a wallet")?,
            amount: words.decimal("an amount")?,
        },
        "credit" => Kind::Credit {
            account: words.name("an account")?,
            amount: words.decimal("an amount")?,
        },
        "pay" => pay(words)?,
        "settle" => Kind::Settle {
            payment: words.name("a payment")?,
        },
        "fail" => fail(words)?,
        "refund" => Kind::Refund {
            payment: words.name("a payment")?,
            amount: words.decimal("an amount")?,
        },
        "chargeback" => {
            let (payment, amount) = payment_or_part(words)?;
            Kind::Chargeback { payment, amount }
        }
        "reverse-chargeback" => {
            let (payment, amount) = payment_or_part(words)?;
            Kind::ReverseChargeback { payment, amount }
        }
        "adjust" => {
            let (account, invoice) = invoice(words)?;
            if !words.skip("line") {
                return Err(words.mistake("is written `adjust ACCOUNT invoice N line N AMOUNT`"));
            }
            let item = words.ordinal("the number of a line")?;
            Kind::Adjust {
                account,
                invoice,
                item,
                amount: words.decimal("a net amount")?,
            }
        }
        "void" => invoice(words).map(|(account, invoice)| Kind::Void { account, invoice })?,
        "write-off" => {
            invoice(words).map(|(account, invoice)| Kind::WriteOff { account, invoice })?
        }
        "owed-again" => {
            invoice(words).map(|(account, invoice)| Kind::OwedAgain { account, invoice })?
        }
        "bill" => {
            let (mut accounts, mut as_of) = (Vec::new(), None);
            while words.peek().is_some() {
                if words.skip("as-of") {
                    as_of = Some(words.date("a day after `as-of`")?);
                } else {
                    accounts.push(words.name("an account")?);
                }
            }
            Kind::Bill { accounts, as_of }
        }
        "draft" => Kind::Draft {
            account: words.name("an account")?,
        },
        "finalise" => Kind::Finalise {
            account: words.name("an account")?,
        },
        "invoicing" => invoicing::invoicing(words)?,
        "of-order" => invoicing::of_order(words)?,
        "exchange" => invoicing::exchange(words)?,
        "rate" => invoicing::rate(words)?,
        "group" => invoicing::group(words)?,
        "invoice-now" => invoicing::now(words)?,
        "hold" => invoicing::reviewed(words, Reviewed::Hold)?,
        "release" => invoicing::reviewed(words, Reviewed::Release)?,
        "reject" => invoicing::reviewed(words, Reviewed::Reject)?,
        "refused" => refused(words)?,
        _ => return Err(words.mistake("is not a step of a scenario")),
    };
    words.end()?;
    Ok(kind)
}

/// `refused CODE: <step>`
fn refused(words: &mut Words) -> Result<Kind, Mistake> {
    let code =
        words.need("a code and a step, as in `refused INVOICE_PAID: void alice invoice 1`")?;
    let Some(code) = code
        .strip_suffix(':')
        .filter(|code| !code.is_empty())
        .map(str::to_owned)
    else {
        return Err(words.mistake(format!("needs a colon after the code, found `{code}`")));
    };
    words.descend("a step after the code")?;
    if matches!(words.verb(), "on" | "refused") {
        return Err(words.mistake("cannot be refused"));
    }
    Ok(Kind::Refused {
        code,
        step: Box::new(step(words)?),
    })
}

fn account(words: &mut Words) -> Result<Kind, Mistake> {
    let mut account = Account {
        name: words.name("a name")?,
        ..Account::default()
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "entity" => account.entity = Some(words.name("an entity after `entity`")?),
            "currency" => account.currency = Some(words.need("a currency code after `currency`")?),
            "billing-day" => account.billing_day = Some(billing_day(words)?),
            "zone" => account.zone = Some(words.need("a time zone after `zone`")?),
            "terms" => account.terms = Some(words.whole("a number of days after `terms`")?),
            "parent" => account.parent = Some(words.name("an account after `parent`")?),
            "country" => account.country = Some(words.need("a country code after `country`")?),
            "tax-category" => {
                account.tax_category = Some(words.name("a tax category after `tax-category`")?)
            }
            "dunning" => account.dunning = Some(words.name("a dunning policy after `dunning`")?),
            "group" => account.group = Some(words.name("a customer group after `group`")?),
            "language" => account.language = Some(words.name("a language tag after `language`")?),
            "channel" => account.channel = Some(channel(words)?),
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Account(account))
}

fn subscribe(words: &mut Words) -> Result<Kind, Mistake> {
    let mut subscribe = Subscribe {
        subscription: words.name("a name for the subscription")?,
        account: words.name("an account")?,
        offer: words.name("an offer")?,
        ..Subscribe::default()
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "quantity" => subscribe.quantity = Some(words.decimal("a number after `quantity`")?),
            "from" => subscribe.from = Some(words.date("a day after `from`")?),
            "billing-day" => subscribe.billing_day = Some(billing_day(words)?),
            "override" => subscribe.overrides.push(override_of(words)?),
            "access" => subscribe.access.push(words.need("a key after `access`")?),
            "option" => subscribe.options.push(structure::option(words)?),
            "contract" => {
                subscribe.contract = Some(words.name("a contract after `contract`")?);
            }
            "trial" if words.skip("none") => subscribe.no_trial = true,
            "billed-from" => {
                subscribe.billed_from = Some(words.date("a day after `billed-from`")?);
            }
            "awaits-activation" => subscribe.awaits_activation = true,
            "trial" => return Err(words.mistake("knows only `trial none`")),
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Subscribe(subscribe))
}

fn change(words: &mut Words) -> Result<Kind, Mistake> {
    let mut change = Change {
        subscription: words.name("a subscription")?,
        to: None,
        effective: Effective::Now,
        unused: Unused::Prorata,
        quantity: None,
        billing_day: None,
        overrides: Vec::new(),
        add: Vec::new(),
        remove: Vec::new(),
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "to" => change.to = Some(words.name("an offer after `to`")?),
            "on" | "at" => change.effective = effective(words, &word)?,
            "unused" => change.unused = unused(words)?,
            "quantity" => change.quantity = Some(words.decimal("a number after `quantity`")?),
            "billing-day" => change.billing_day = Some(billing_day(words)?),
            "override" => change.overrides.push(override_of(words)?),
            "add" => change.add.push(structure::added(words)?),
            "remove" => change.remove.push(words.name("an option after `remove`")?),
            other => return Err(words.unknown(other)),
        }
    }
    let nothing = change.to.is_none() && change.quantity.is_none() && change.billing_day.is_none();
    let nothing = nothing && change.add.is_empty() && change.remove.is_empty();
    if nothing && change.overrides.is_empty() {
        return Err(words.mistake(
            "needs something to change: `to OFFER`, `quantity`, `billing-day`, `override`, `add` or `remove`",
        ));
    }
    Ok(Kind::Change(change))
}

fn terminate(words: &mut Words) -> Result<Kind, Mistake> {
    let subscription = words.name("a subscription")?;
    let (mut when, mut rest) = (Effective::Now, Unused::Prorata);
    let mut charge_until = None;
    while let Some(word) = words.take() {
        match word.as_str() {
            "on" | "at" => when = effective(words, &word)?,
            "unused" => rest = unused(words)?,
            "charge-until" => charge_until = Some(words.date("a day after `charge-until`")?),
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Terminate {
        subscription,
        effective: when,
        unused: rest,
        charge_until,
    })
}

pub(super) fn usage(words: &mut Words) -> Result<Kind, Mistake> {
    let mut usage = Usage {
        subscription: words.name("a subscription")?,
        metric: words.name("a metric")?,
        quantity: words.decimal("a quantity")?,
        ..Usage::default()
    };
    while let Some(word) = words.take() {
        match (word.as_str(), word.split_once('=')) {
            ("at", _) => usage.at = Some(words.moment("a day or a day and a time after `at`")?),
            ("key", _) => usage.key = Some(words.need("a record key after `key`")?),
            ("amount", _) => usage.amount = Some(words.decimal("an amount after `amount`")?),
            (_, Some((name, value))) if !name.is_empty() => {
                usage.attributes.push((name.to_owned(), value.to_owned()))
            }
            _ => return Err(words.unknown(&word)),
        }
    }
    Ok(Kind::Usage(usage))
}

fn charge(words: &mut Words) -> Result<Kind, Mistake> {
    let account = words.name("an account")?;
    let amount = words.decimal("an amount")?;
    let text = words.need("a text in quotes")?;
    let (mut class, mut on) = (None, None);
    while let Some(word) = words.take() {
        match word.as_str() {
            "class" => class = Some(words.name("a tax class after `class`")?),
            "on" => on = Some(words.date("a day after `on`")?),
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Charge {
        account,
        amount,
        text,
        class,
        on,
    })
}

fn pay(words: &mut Words) -> Result<Kind, Mistake> {
    let (payment, account) = (
        words.name("a name for the payment")?,
        words.name("an account")?,
    );
    let amount = words.decimal("an amount")?;
    let (mut invoice, mut pending) = (None, false);
    while let Some(word) = words.take() {
        match word.as_str() {
            "invoice" => invoice = Some(words.ordinal("the number of an invoice after `invoice`")?),
            "pending" => pending = true,
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Pay {
        payment,
        account,
        amount,
        invoice,
        pending,
    })
}

/// A payment, and how much of it; none: all that is left.
fn payment_or_part(words: &mut Words) -> Result<(String, Option<Decimal>), Mistake> {
    let payment = words.name("a payment")?;
    let amount = words
        .peek()
        .is_some()
        .then(|| words.decimal("an amount"))
        .transpose()?;
    Ok((payment, amount))
}

fn fail(words: &mut Words) -> Result<Kind, Mistake> {
    let payment = words.name("a payment")?;
    let what = "`soft` or `hard`";
    let hard = match words.need(what)?.as_str() {
        "soft" => false,
        "hard" => true,
        other => return Err(words.misfit(what, other)),
    };
    let reason = words
        .rest()
        .ok_or_else(|| words.mistake("needs a reason"))?;
    Ok(Kind::Fail {
        payment,
        hard,
        reason,
    })
}

/// `ACCOUNT invoice N`
fn invoice(words: &mut Words) -> Result<(String, usize), Mistake> {
    let account = words.name("an account")?;
    if !words.skip("invoice") {
        return Err(words.mistake("needs `invoice N` after the account"));
    }
    Ok((account, words.ordinal("the number of an invoice")?))
}

fn day_and_reason(
    words: &mut Words,
    day: &str,
) -> Result<(Option<NaiveDate>, Option<String>), Mistake> {
    let on = words
        .skip(day)
        .then(|| words.date(&format!("a day after `{day}`")))
        .transpose()?;
    let reason = if words.skip("reason") {
        words.rest()
    } else {
        None
    };
    Ok((on, reason))
}

/// After `on`: a day. After `at`: `period-end`.
pub(super) fn effective(words: &mut Words, word: &str) -> Result<Effective, Mistake> {
    match word {
        "on" => words.date("a day after `on`").map(Effective::On),
        _ if words.skip("period-end") => Ok(Effective::AtPeriodEnd),
        _ => Err(words.mistake("knows only `at period-end`")),
    }
}

pub(super) fn unused(words: &mut Words) -> Result<Unused, Mistake> {
    let what = "prorata, full or none after `unused`";
    match words.need(what)?.as_str() {
        "prorata" => Ok(Unused::Prorata),
        "full" => Ok(Unused::Full),
        "none" => Ok(Unused::Nothing),
        other => Err(words.misfit(what, other)),
    }
}

fn channel(words: &mut Words) -> Result<Channel, Mistake> {
    let what = "`email`, `letter`, `sms` or `push` after `channel`";
    let word = words.need(what)?;
    Channel::named(&word).ok_or_else(|| words.misfit(what, &word))
}

pub(super) fn billing_day(words: &mut Words) -> Result<u32, Mistake> {
    let what = "a day of the month, 1 to 31, after `billing-day`";
    match words.whole::<u32>(what)? {
        day @ 1..=31 => Ok(day),
        other => Err(words.misfit(what, &other.to_string())),
    }
}

/// `override CHARGE PRICE`
fn override_of(words: &mut Words) -> Result<(String, Decimal), Mistake> {
    Ok((
        words.name("the code of a charge after `override`")?,
        words.decimal("a price after the charge")?,
    ))
}
