//! Pools and sizes follow the subscriptions: who starts, changes, pauses or ends brings something else to the periods
//! that were reached already.

use crate::catalog::Owner;
use crate::counters::{self, Brings, Command, Counter, Crossed, Share};
use crate::kernel::{Date, Id, Rejection};
use crate::messages::{self, Ask, Message};
use crate::operations::account_terms;
use crate::session::{Session, Staged};
use crate::subscriptions::Subscription;
use crate::world::Event;
use std::collections::BTreeMap;

/// Brings every period that was reached to what the subscription brings now.
pub(crate) fn react(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    if !matches!(fact.event, Event::Subscription(_)) {
        return Ok(());
    }
    follow(session, &fact.id)
}

/// The same for one subscription at once, for whoever goes on with its counters in the same command.
pub(crate) fn follow(session: &mut Session<'_>, id: &str) -> Result<(), Rejection> {
    let Some(sub) = session.find::<Subscription>(id).map(|e| &e.state) else {
        return Ok(());
    };
    let before = session.before::<Subscription>(id).map(|e| &e.state);
    let counts = |sub: &Subscription| sub.terms.iter().any(|t| t.offer.has_counters());
    if !counts(sub) && !before.is_some_and(counts) {
        return Ok(());
    }
    let on = match session.find::<crate::accounts::Account>(&sub.account) {
        Some(account) => session.today(&account.state.terms.zone),
        None => return Ok(()),
    };
    let news = news(session, id, sub)?;
    for (counter, share) in news {
        bring(session, &counter, share, on)?;
    }
    Ok(())
}

/// Writes to whom a counter belongs that its use reached a threshold, if its rule asks for that.
pub(crate) fn tell(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    let Event::Counter(counters::Event::Crossed(crossed)) = &fact.event else {
        return Ok(());
    };
    let counter = session.find::<Counter>(&fact.id).map(|e| &e.state);
    let Some(terms) = counter.and_then(|c| c.terms.as_ref()) else {
        return Ok(());
    };
    let Some(template) = terms.rule.message.clone() else {
        return Ok(());
    };
    let account = match terms.owner {
        Owner::Subscription => session.get::<Subscription>(&terms.of)?.account.clone(),
        Owner::Account | Owner::Customer => terms.of.clone(),
    };
    let values = values(terms, crossed);
    let message = message_id(session, &fact.id, crossed);
    if session.find::<Message>(&message).is_some() {
        // Reached, left and reached again by one command: that is said once.
        return Ok(());
    }
    let ask = Ask {
        account,
        template,
        values,
        on: crossed.on,
        ..Ask::default()
    };
    session.decide::<Message>(&message, messages::Command::Ask(Box::new(ask)))?;
    Ok(())
}

/// What the text may say: `counter`, `threshold`, `level`, `used`, `size`, `unit` (of money: the currency), `from` and `until`.
fn values(terms: &counters::Terms, crossed: &Crossed) -> BTreeMap<String, String> {
    let shown = |amount: crate::kernel::Exact| {
        let text = amount.to_decimal(2);
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
            false => text,
        }
    };
    let money = terms.currency.map(|c| c.code().to_string());
    let unit = terms.rule.unit.clone().or(money).unwrap_or_default();
    let values = [
        ("counter", short(terms.rule.shown())),
        ("threshold", crossed.threshold.to_string()),
        ("level", shown(crossed.level)),
        ("used", shown(crossed.used)),
        ("size", shown(crossed.size)),
        ("unit", short(&unit)),
        ("from", terms.days.from.to_string()),
        ("until", terms.days.until.to_string()),
    ];
    let values = values
        .into_iter()
        .map(|(name, text)| (name.to_string(), text));
    values.collect()
}

/// As much of a name as a message may say.
fn short(name: &str) -> String {
    let mut end = name.len().min(messages::VALUE_LENGTH_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default().to_string()
}

/// One per counter, threshold and moment. A counter's name is longer than an id may be.
fn message_id(session: &Session<'_>, counter: &str, crossed: &Crossed) -> Id {
    let mut hash = blake3::Hasher::new();
    for part in [counter, &crossed.threshold.to_string()] {
        hash.update(part.as_bytes()).update(&[0]);
    }
    hash.update(&session.now().0.to_be_bytes());
    let hex = hash.finalize().to_hex();
    format!("threshold.{}", hex.get(..32).unwrap_or_default())
}

fn bring(
    session: &mut Session<'_>,
    counter: &str,
    share: Share,
    on: Date,
) -> Result<(), Rejection> {
    let brought = vec![share];
    session.decide::<Counter>(counter, Command::Bring { brought, on })?;
    Ok(())
}

/// Periods to which a subscription brings something else than it did.
fn news(
    session: &Session<'_>,
    id: &str,
    sub: &Subscription,
) -> Result<Vec<(Id, Share)>, Rejection> {
    let terms = account_terms(session, &sub.account)?;
    let payer = terms.payer(&sub.account);
    let payer_terms = account_terms(session, payer)?;
    let owners = [
        (Owner::Subscription, id, Brings::Subscription(sub)),
        (Owner::Account, sub.account.as_str(), Brings::Pool(&terms)),
        (Owner::Customer, payer, Brings::Pool(&payer_terms)),
    ];
    let mut out = Vec::new();
    for (owner, of, brings) in owners {
        for counter in session.ids::<Counter>(&counters::prefix(owner, of, None)) {
            let Some(state) = session.find::<Counter>(&counter).map(|e| &e.state) else {
                continue;
            };
            let Some(known) = &state.terms else { continue };
            let (_, whole) = counters::period(&known.rule, brings, known.days.from);
            let amount = counters::share(sub, (owner, &known.rule.code), (known.days, whole))?;
            let had = state.brought.get(id).copied().unwrap_or_default();
            if amount != had {
                let subscription = id.to_string();
                out.push((
                    counter,
                    Share {
                        subscription,
                        amount,
                    },
                ));
            }
        }
    }
    Ok(out)
}
