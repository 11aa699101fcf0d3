//! Words about how documents are made: terms, invoice groups, documents at once, and what a person says of a draft.

use indelible_domain::command::{Command, InvoicingPlace, RateOfDay};
use indelible_domain::expressions::Expression;
use indelible_domain::invoices::Shown;
use indelible_domain::invoices::shown::UsageDate;
use indelible_domain::invoicing::{Exchange, RateDay, Rule, Split, Terms, Verdict};
use indelible_domain::kernel::{Currency, Decimal};

use super::ast::{Kind, Reviewed};
use super::parse::Mistake;
use super::words::Words;

/// `invoicing A|entity E [minimum N] [grace N] [keep] [split subscription|group|account|order|method]
/// [accept|hold|reject CODE EXPRESSION TEXT …]`
pub(super) fn invoicing(words: &mut Words) -> Result<Kind, Mistake> {
    let place = place(words)?;
    let mut terms = Terms::default();
    while let Some(word) = words.take() {
        match word.as_str() {
            "minimum" => {
                terms.minimum = Some(Decimal::new(words.decimal("an amount after `minimum`")?));
            }
            "grace" => terms.grace_days = words.whole("a number of days after `grace`")?,
            "keep" => terms.keep_drafts = true,
            "split" => {
                let what = "`subscription`, `group`, `account`, `order` or `method` after `split`";
                terms.split = match words.need(what)?.as_str() {
                    "subscription" => Split::Subscription,
                    "group" => Split::Group,
                    "account" => Split::Account,
                    "order" => Split::Order,
                    "method" => Split::Method,
                    other => return Err(words.misfit(what, other)),
                };
            }
            "accept" => terms.rules.push(rule(words, Verdict::Accept)?),
            "hold" => terms.rules.push(rule(words, Verdict::Hold)?),
            "reject" => terms.rules.push(rule(words, Verdict::Reject)?),
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Ordered(Box::new(Command::SetInvoicing {
        place,
        terms: Some(Box::new(terms)),
    })))
}

/// `A|entity E`
pub(super) fn place(words: &mut Words) -> Result<InvoicingPlace, Mistake> {
    Ok(if words.skip("entity") {
        InvoicingPlace::Entity(words.name("an entity after `entity`")?)
    } else {
        InvoicingPlace::Account(words.name("an account")?)
    })
}

/// `shown A|entity E [day|week|month] [unit-price] [service] [group]` or `shown A|entity E none`
pub(super) fn shown(words: &mut Words) -> Result<Kind, Mistake> {
    let place = place(words)?;
    let mut shown = Shown::default();
    let mut said = true;
    while let Some(word) = words.take() {
        match word.as_str() {
            "day" => shown.usage_date = UsageDate::Day,
            "week" => shown.usage_date = UsageDate::Week,
            "month" => shown.usage_date = UsageDate::Month,
            "unit-price" => shown.unit_price = true,
            "service" => shown.service = true,
            "group" => shown.group = true,
            "none" => said = false,
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Kind::Ordered(Box::new(Command::SetShown {
        place,
        shown: said.then_some(shown),
    })))
}

/// `zone A|entity E ZONE [from DATE]`
pub(super) fn zone(words: &mut Words) -> Result<Kind, Mistake> {
    let place = place(words)?;
    let name = words.need("a time zone")?;
    let zone = name
        .parse()
        .map_err(|_| words.misfit("a time zone", &name))?;
    let from = match words.skip("from") {
        true => Some(words.date("a day after `from`")?),
        false => None,
    };
    Ok(Kind::Ordered(Box::new(match place {
        InvoicingPlace::Entity(entity) => Command::SetEntityZone { entity, zone, from },
        InvoicingPlace::Account(account) => Command::SetAccountZone {
            account,
            zone,
            from,
        },
    })))
}

/// `exchange A|entity E document|service|none [age DAYS]`
pub(super) fn exchange(words: &mut Words) -> Result<Kind, Mistake> {
    let place = place(words)?;
    let what = "`document`, `service` or `none`";
    let day = match words.need(what)?.as_str() {
        "document" => Some(RateDay::Document),
        "service" => Some(RateDay::Service),
        "none" => None,
        other => return Err(words.misfit(what, other)),
    };
    let mut max_age_days = 7;
    if words.skip("age") {
        max_age_days = words.whole("a number of days after `age`")?;
    }
    let exchange = day.map(|day| Exchange { day, max_age_days });
    let command = Command::SetExchange { place, exchange };
    Ok(Kind::Ordered(Box::new(command)))
}

/// `rate FROM TO RATE on DATE [by SOURCE] [entity E]`
pub(super) fn rate(words: &mut Words) -> Result<Kind, Mistake> {
    let (from, to) = (currency(words)?, currency(words)?);
    let rate = Decimal::new(words.decimal("a rate")?);
    if !words.skip("on") {
        return Err(words.mistake("needs `on DATE` after the rate"));
    }
    let on = words.date("a day after `on`")?;
    let (mut source, mut entity) = ("scenario".to_string(), None);
    if words.skip("by") {
        source = words.name("who tells it after `by`")?;
    }
    if words.skip("entity") {
        entity = Some(words.name("an entity after `entity`")?);
    }
    let rates = vec![RateOfDay {
        from,
        to,
        on,
        rate,
        source,
    }];
    let command = Command::TellRates { entity, rates };
    Ok(Kind::Ordered(Box::new(command)))
}

pub(super) fn currency(words: &mut Words) -> Result<Currency, Mistake> {
    let code = words.need("a currency code")?;
    code.parse()
        .map_err(|_| words.misfit("a currency code", &code))
}

/// `CODE EXPRESSION TEXT`
fn rule(words: &mut Words, verdict: Verdict) -> Result<Rule, Mistake> {
    Ok(Rule {
        code: words.name("a code for the rule")?,
        when: Expression::new(words.need("an expression in quotes")?),
        verdict,
        text: words.need("a text in quotes")?,
    })
}

/// `group S NAME|none`
pub(super) fn group(words: &mut Words) -> Result<Kind, Mistake> {
    let subscription = words.name("a subscription")?;
    let group = match words
        .need("the name of an invoice group, or `none`")?
        .as_str()
    {
        "none" => None,
        name => Some(name.to_owned()),
    };
    Ok(Kind::Ordered(Box::new(Command::GroupSubscription {
        subscription,
        group,
    })))
}

/// `of-order S NAME|none`
pub(super) fn of_order(words: &mut Words) -> Result<Kind, Mistake> {
    let subscription = words.name("a subscription")?;
    let order = match words.need("the name of an order, or `none`")?.as_str() {
        "none" => None,
        name => Some(name.to_owned()),
    };
    Ok(Kind::Ordered(Box::new(Command::OrderSubscription {
        subscription,
        order,
    })))
}

/// `invoice-now A [usage]`
pub(super) fn now(words: &mut Words) -> Result<Kind, Mistake> {
    Ok(Kind::InvoiceNow {
        account: words.name("an account")?,
        usage: words.skip("usage"),
    })
}

/// `hold|release|reject A invoice N`
pub(super) fn reviewed(words: &mut Words, verdict: Reviewed) -> Result<Kind, Mistake> {
    let account = words.name("an account")?;
    if !words.skip("invoice") {
        return Err(words.mistake("needs `invoice N` after the account"));
    }
    Ok(Kind::Reviewed {
        account,
        invoice: words.ordinal("the number of an invoice")?,
        verdict,
    })
}
