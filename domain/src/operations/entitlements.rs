//! Answers what may be used. Reads what rating reads, and writes nothing: the desk it asks is dropped.

use crate::accounts::Account;
use crate::catalog::{Catalog, Feature, Offer, Pay, Sold, Usage};
use crate::entitlements::{Answer, Entitlement, More, Of, gives, is_more};
use crate::kernel::{Date, Decimal, Exact, Id, Rejection};
use crate::mediation::UsageRecord;
use crate::operations::catalog::MAIN;
use crate::operations::selling::{self, Sale};
use crate::operations::usage::Desk;
use crate::session::Session;
use crate::subscriptions::{Subscription, Term};
use std::collections::BTreeMap;

/// Most offers and options that are told to give more.
pub const MORE_MAX: usize = 20;

/// Attributes of a record that was not sent.
pub type Attributes = BTreeMap<String, String>;

/// May a subscription use so much of a class, a usage charge, metric or feature? It looks at that subscription's counters,
/// meter and wallets alone; only a pool that was not drawn on in its period has to look at all its members.
///
/// Errors: NOT_FOUND where there is no subscription, CLASS_UNKNOWN where it has no such class.
pub fn check(
    session: &Session<'_>,
    subscription: &str,
    class: &str,
    quantity: Decimal,
    attributes: Attributes,
) -> Result<Answer, Rejection> {
    let sub = session.get::<Subscription>(subscription)?;
    let no = |class: &str, refused: Rejection| Answer {
        allowed: false,
        refused: Some(refused),
        granted: Exact::ZERO,
        covered: Exact::ZERO,
        cost: Exact::ZERO,
        class: class.to_string(),
    };
    let term = match running(session, sub)? {
        Ok(term) => term,
        Err(refused) => return Ok(no(class, refused)),
    };
    if let Some(feature) = term.offer.feature(class) {
        return Ok(of_feature(&feature, quantity));
    }
    let charge = class_of(&term.offer, class).ok_or_else(|| unknown(subscription, class))?;
    let record = asked(session, subscription, charge, quantity, attributes);
    let mut desk = Desk::new(session, "", "");
    let standing = match desk.entitled(&record) {
        Ok(standing) => standing,
        Err(refused) => return Ok(no(&charge.code, refused)),
    };
    let covered = standing.units.min(standing.free).max(Exact::ZERO);
    let beyond = standing.units.minus(covered)?;
    let (cost, available) = standing.wallets.unwrap_or_default();
    let lacking = standing.charge.pay == Pay::Wallet && cost > available;
    let refused = if standing.refuses && beyond > Exact::ZERO {
        Some(Rejection::new(
            "COUNTER_EXHAUSTED",
            format!(
                "{} are left, {} asked for",
                covered.to_decimal(12),
                quantity
            ),
        ))
    } else if lacking {
        let (has, needs) = (available.to_decimal(12), cost.to_decimal(12));
        Some(Rejection::new(
            "WALLET_INSUFFICIENT",
            format!("the wallets have {has} free, {quantity} cost {needs}"),
        ))
    } else {
        None
    };
    Ok(Answer {
        allowed: refused.is_none(),
        granted: match refused {
            None => standing.units,
            Some(_) => covered,
        },
        refused,
        covered,
        cost,
        class: standing.charge.code.clone(),
    })
}

/// Everything that the subscriptions of a customer, an account or one alone may use now, with what is left of it and
/// what would give more.
pub fn all(session: &Session<'_>, of: Of<'_>) -> Result<Vec<Entitlement>, Rejection> {
    let mut out = Vec::new();
    for id in subscriptions(session, of)? {
        let Some((id, entry)) = session.entry::<Subscription>(&id) else {
            continue;
        };
        let sub = &entry.state;
        let today = session.today(&zone_of(session, sub)?);
        // What has ended or not begun has nothing to use.
        let Some((_, term)) = sub.term_on(today) else {
            continue;
        };
        for charge in &term.offer.usage {
            out.push(of_charge(session, (id, sub), term, charge, today)?);
        }
        for code in term.offer.feature_codes() {
            let Some(feature) = term.offer.feature(code) else {
                continue;
            };
            let refused = running(session, sub)?.err();
            out.push(Entitlement {
                subscription: id.to_string(),
                account: sub.account.clone(),
                class: code.to_string(),
                name: match feature.name.is_empty() {
                    true => code.to_string(),
                    false => feature.name.clone(),
                },
                metric: None,
                unit: None,
                refused,
                left: vec![],
                beyond: None,
                wallets: None,
                more: more(session, (id, sub), term, today, |offer| {
                    let other = offer.feature(code)?;
                    is_more(&other, Some(&feature)).then(|| words(&other))
                }),
                feature: Some(feature),
            });
        }
    }
    Ok(out)
}

fn of_charge(
    session: &Session<'_>,
    (id, sub): (&str, &Subscription),
    term: &Term,
    charge: &Usage,
    today: Date,
) -> Result<Entitlement, Rejection> {
    let record = asked(session, id, charge, Decimal::ZERO, Attributes::new());
    let mut desk = Desk::new(session, "", "");
    let (mut left, mut wallets, mut refused, mut refuses) = (vec![], None, None, false);
    match desk.entitled(&record) {
        Ok(standing) => {
            left = standing.left;
            wallets = standing.wallets.map(|(_, available)| available);
            refuses = standing.refuses;
            let empty = refuses && standing.free.is_zero();
            refused = empty.then(|| {
                let message = format!("nothing is left of {}", charge.name);
                Rejection::new("COUNTER_EXHAUSTED", message)
            });
        }
        // It is there at other times, or for records with attributes.
        Err(r) if r.code == "NO_MATCHING_CHARGE" || r.code == "ATTRIBUTE_MISSING" => {}
        Err(r) if r.code == "NO_PRICE" || r.code == "PRICE_MISSING" => {}
        Err(r) => refused = Some(r),
    }
    let has = gives(&term.offer, &charge.metric, &charge.unit)?;
    let more = more(session, (id, sub), term, today, |offer| {
        let other = gives(offer, &charge.metric, &charge.unit).ok()?;
        let option = offer.usage.iter().all(|u| u.metric != charge.metric);
        let better = match option {
            true => other > Exact::ZERO,
            false => other > has,
        };
        let shown = other.to_decimal(2);
        better.then(|| format!("{shown} {} per month", charge.unit))
    });
    Ok(Entitlement {
        subscription: id.to_string(),
        account: sub.account.clone(),
        class: charge.code.clone(),
        name: charge.name.clone(),
        metric: Some(charge.metric.clone()),
        unit: Some(charge.unit.clone()),
        refused,
        feature: None,
        left,
        beyond: (!refuses).then_some(charge.pay),
        wallets,
        more,
    })
}

/// Options of the offer and other offers on sale of which `better` says what they give, if the customer may have them.
fn more(
    session: &Session<'_>,
    (id, sub): (&str, &Subscription),
    term: &Term,
    today: Date,
    better: impl Fn(&Offer) -> Option<String>,
) -> Vec<More> {
    let Some(catalog) = session.find::<Catalog>(MAIN).map(|e| &e.state) else {
        return vec![];
    };
    let account = session.find::<Account>(&sub.account).map(|e| &e.state);
    let may = |offer: &Sold| {
        account.is_some_and(|account| {
            let sale = Sale {
                account: &sub.account,
                terms: &account.terms,
                on: today,
                listed_on: today,
                contract: None,
                also: None,
                subscription: id,
                quantity: term.quantity,
            };
            selling::may_have(session, sale, offer)
        })
    };
    let mut out = Vec::new();
    let told = |offer: &Sold, option: Option<&str>, gives: String| More {
        offer: offer.code.clone(),
        option: option.map(str::to_string),
        name: offer.name.clone(),
        gives,
    };
    for rule in &term.offer.option {
        let has = term
            .offer
            .chosen(&rule.code)
            .map_or(Decimal::ZERO, |c| c.quantity);
        let Some(offer) = catalog
            .sold_on(&rule.offer, today)
            .filter(|_| has < rule.max)
        else {
            continue;
        };
        let gives = better(offer).filter(|_| may(offer));
        out.extend(gives.map(|gives| told(offer, Some(&rule.code), gives)));
    }
    // What only extends others is not for sale by itself.
    let brought = |code: &str| {
        let mut all = catalog.current().flat_map(|o| &o.option);
        all.any(|rule| rule.offer == code)
    };
    for code in catalog.offers.keys() {
        let retired = catalog.retired(code).is_some_and(|from| from <= today);
        let Some(offer) = catalog.sold_on(code, today) else {
            continue;
        };
        let fits = offer.currency == term.offer.currency && *code != term.offer.code;
        if !retired && fits && !offer.usage.is_empty() | !offer.feature.is_empty() && !brought(code)
        {
            let gives = better(offer).filter(|_| may(offer));
            out.extend(gives.map(|gives| told(offer, None, gives)));
        }
        if out.len() >= MORE_MAX {
            break;
        }
    }
    out.truncate(MORE_MAX);
    out
}

fn words(feature: &Feature) -> String {
    match (feature.on, feature.limit, &feature.text) {
        (Some(on), _, _) => if on { "on" } else { "off" }.to_string(),
        (_, Some(limit), _) => format!("up to {limit}"),
        (_, _, Some(text)) => text.clone(),
        _ => String::new(),
    }
}

fn of_feature(feature: &Feature, quantity: Decimal) -> Answer {
    let (on, limit) = (feature.on != Some(false), feature.limit);
    let allowed = on && limit.is_none_or(|limit| quantity <= limit);
    let refused = match (on, limit) {
        (false, _) => Some(Rejection::new(
            "FEATURE_OFF",
            format!("feature {} is off", feature.code),
        )),
        (true, Some(limit)) if quantity > limit => Some(Rejection::new(
            "FEATURE_LIMIT",
            format!(
                "feature {} allows {limit}, {quantity} asked for",
                feature.code
            ),
        )),
        _ => None,
    };
    let granted = match (on, limit) {
        (false, _) => Decimal::ZERO,
        (true, Some(limit)) => limit.min(quantity),
        (true, None) => quantity,
    };
    Answer {
        allowed,
        refused,
        granted: granted.into(),
        covered: granted.into(),
        cost: Exact::ZERO,
        class: feature.code.clone(),
    }
}

/// The usage charge with a code, else the first with a metric.
fn class_of<'a>(offer: &'a Offer, class: &str) -> Option<&'a Usage> {
    let by_code = offer.usage.iter().find(|u| u.code == class);
    by_code.or_else(|| offer.usage.iter().find(|u| u.metric == class))
}

fn unknown(subscription: &str, class: &str) -> Rejection {
    Rejection::new(
        "CLASS_UNKNOWN",
        format!("subscription {subscription} has no usage charge, metric or feature {class:?}"),
    )
}

/// The term that runs today, or why nothing may be used.
fn running<'s>(
    session: &Session<'_>,
    sub: &'s Subscription,
) -> Result<Result<&'s Term, Rejection>, Rejection> {
    let today = session.today(&zone_of(session, sub)?);
    let Some((_, term)) = sub.term_on(today) else {
        let message = format!("the subscription does not run on {today}");
        return Ok(Err(Rejection::new("SUBSCRIPTION_NOT_ACTIVE", message)));
    };
    let paused = sub.pauses.iter().find(|p| {
        p.from <= today
            && p.until.is_none_or(|until| today < until)
            && p.usage == crate::subscriptions::UsageRule::Refused
    });
    Ok(match paused {
        Some(pause) => Err(Rejection::new(
            "SUBSCRIPTION_PAUSED",
            format!(
                "the subscription is paused for {:?} from {}",
                pause.reason, pause.from
            ),
        )),
        None => Ok(term),
    })
}

fn zone_of(session: &Session<'_>, sub: &Subscription) -> Result<crate::kernel::Zone, Rejection> {
    let account = session.get::<Account>(&sub.account)?;
    Ok(account.terms.zone.clone())
}

/// A record that asks for a charge and was not sent.
fn asked(
    session: &Session<'_>,
    subscription: &str,
    charge: &Usage,
    quantity: Decimal,
    attributes: Attributes,
) -> UsageRecord {
    let mut all = charge.filter.clone();
    all.extend(attributes);
    UsageRecord {
        line: 0,
        key: Default::default(),
        content: Default::default(),
        corrects: false,
        metric: charge.metric.clone(),
        access: format!("subscription:{subscription}"),
        at: session.now(),
        quantity,
        amount: None,
        attributes: all,
        raw: None,
    }
}

fn subscriptions(session: &Session<'_>, of: Of<'_>) -> Result<Vec<Id>, Rejection> {
    let index = session.index();
    let of_account = |account: &str| {
        let all = index.subscriptions_of.get(account);
        all.into_iter().flatten().cloned().collect::<Vec<Id>>()
    };
    Ok(match of {
        Of::Subscription(id) => {
            session.get::<Subscription>(id)?;
            vec![id.to_string()]
        }
        Of::Account(account) => {
            session.get::<Account>(account)?;
            of_account(account)
        }
        Of::Customer(payer) => {
            session.get::<Account>(payer)?;
            let mut all = of_account(payer);
            for account in index.paid_by.get(payer).into_iter().flatten() {
                all.extend(of_account(account));
            }
            all
        }
    })
}
