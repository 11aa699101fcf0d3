//! Steps of a subscription's life beyond start, change, pause and end.

use indelible_domain::Command;
use indelible_domain::command::{Effective as Asked, TransferSubscription};
use indelible_domain::kernel::Span;
use indelible_domain::subscriptions::{AtEnd, Plan, TenureTerms, Unused as Kept};

use super::ast::{Effective, Unused};
use super::parse::Mistake;
use super::steps::{billing_day, effective, unused};
use super::words::Words;

/// Reads the step whose verb has been taken.
pub(super) fn step(words: &mut Words) -> Result<Command, Mistake> {
    let verb = words.verb().to_owned();
    let subscription = words.name("a subscription")?;
    let command = match verb.as_str() {
        "move-billing-day" => Command::MoveBillingDay {
            subscription,
            day: billing_day(words)?,
            effective: when(words, Asked::EndOfPeriod)?,
        },
        "activate" => Command::ActivateSubscription {
            subscription,
            on: day(words)?,
        },
        "cancel" => Command::CancelSubscription {
            subscription,
            reason: words.rest().unwrap_or_default(),
        },
        "reactivate" => Command::ReactivateSubscription {
            subscription,
            on: day(words)?,
        },
        "undo" => Command::UndoPlan {
            subscription,
            plan: plan(words)?,
        },
        "transfer" => transfer(words, subscription)?,
        _ => Command::AgreeTenure {
            subscription,
            from: None,
            terms: tenure(words)?,
        },
    };
    words.end()?;
    Ok(command)
}

fn day(words: &mut Words) -> Result<Option<chrono::NaiveDate>, Mistake> {
    match words.skip("on") {
        true => words.date("a day after `on`").map(Some),
        false => Ok(None),
    }
}

fn when(words: &mut Words, otherwise: Asked) -> Result<Asked, Mistake> {
    let word = match words.peek() {
        Some(word @ ("on" | "at")) => word.to_owned(),
        _ => return Ok(otherwise),
    };
    words.skip(&word);
    Ok(match effective(words, &word)? {
        Effective::Now => Asked::Immediate,
        Effective::On(day) => Asked::On(day),
        Effective::AtPeriodEnd => Asked::EndOfPeriod,
    })
}

fn plan(words: &mut Words) -> Result<Plan, Mistake> {
    let what = "`change DAY`, `end`, `pause REASON DAY` or `resume REASON DAY`";
    Ok(match words.need(what)?.as_str() {
        "change" => Plan::Change {
            from: words.date("the day of the change")?,
        },
        "end" => Plan::End,
        "pause" => Plan::Pause {
            reason: words.need("the reason of the pause")?,
            from: words.date("the first day of the pause")?,
        },
        "resume" => Plan::Resume {
            reason: words.need("the reason of the pause")?,
            on: words.date("the day on which the pause ends")?,
        },
        other => return Err(words.misfit(what, other)),
    })
}

/// `transfer S to S2 ACCOUNT [on DAY|at period-end] [unused prorata|full|none]`
fn transfer(words: &mut Words, subscription: String) -> Result<Command, Mistake> {
    if !words.skip("to") {
        return Err(words.mistake("needs `to` and a name for the subscription that goes on"));
    }
    let to = words.name("a name for the subscription that goes on")?;
    let account = words.name("an account")?;
    let effective = when(words, Asked::Immediate)?;
    let kept = match words.skip("unused") {
        true => unused(words)?,
        false => Unused::Prorata,
    };
    Ok(Command::TransferSubscription(Box::new(
        TransferSubscription {
            subscription,
            to,
            account,
            effective,
            unused: match kept {
                Unused::Prorata => Kept::CreditProrata,
                Unused::Full => Kept::CreditFull,
                Unused::Nothing => Kept::None,
            },
        },
    )))
}

/// `tenure S SPAN [renews SPAN] [notice SPAN] [at-end go-on|renew|terminate|pause]`, a span being two words: `12 months`.
fn tenure(words: &mut Words) -> Result<TenureTerms, Mistake> {
    let mut terms = TenureTerms {
        lasts: span(words)?,
        ..TenureTerms::default()
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "renews" => terms.renews = Some(span(words)?),
            "notice" => terms.notice = Some(span(words)?),
            "at-end" => {
                let what = "go-on, renew, terminate or pause after `at-end`";
                terms.at_end = match words.need(what)?.as_str() {
                    "go-on" => AtEnd::GoOn,
                    "renew" => AtEnd::Renew,
                    "terminate" => AtEnd::Terminate,
                    "pause" => AtEnd::Pause,
                    other => return Err(words.misfit(what, other)),
                };
            }
            other => return Err(words.unknown(other)),
        }
    }
    Ok(terms)
}

fn span(words: &mut Words) -> Result<Span, Mistake> {
    let what = "a span such as `12 months`";
    let text = format!("{} {}", words.need(what)?, words.need(what)?);
    text.parse().map_err(|_| words.misfit(what, &text))
}
