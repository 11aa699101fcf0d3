//! Pools and sizes follow the subscriptions: who starts, changes, pauses or ends brings something else to the periods
//! that were reached already.

use crate::catalog::Owner;
use crate::counters::{self, Brings, Command, Counter, Share};
use crate::kernel::{Date, Id, Rejection};
use crate::operations::account_terms;
use crate::session::{Session, Staged};
use crate::subscriptions::Subscription;
use crate::world::Event;

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
