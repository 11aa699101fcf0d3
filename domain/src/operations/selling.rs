//! What is sold to a customer: the version of the day, its options, and this customer's prices, as one offer.

mod by_buyer;

use super::catalog::MAIN;
use super::{exchange, folios};
use crate::accounts::AccountTerms;
use crate::catalog::{
    Catalog, Framework, Market, Offer, OptionRule, Pay, Price, PriceRule, PriceSource, Prices,
    Sold, completed, problems,
};
use crate::contracts::Contract;
use crate::kernel::{Date, Decimal, Rejection};
use crate::rating::names::ContractNames;
use crate::session::Session;
use crate::subscriptions::Subscription;
use std::collections::{BTreeMap, BTreeSet};

pub(super) use by_buyer::{is_read, kind};

/// Who buys, and when.
#[derive(Clone, Copy)]
pub(super) struct Sale<'a> {
    pub account: &'a str,
    pub terms: &'a AccountTerms,
    /// The first day on which it holds.
    pub on: Date,
    /// The day whose price lists are asked.
    pub listed_on: Date,
    /// The contract that the subscription names.
    pub contract: Option<&'a str>,
    /// A contract that indexes do not know yet.
    pub also: Option<&'a str>,
    /// The subscription that it is about.
    pub subscription: &'a str,
    /// How many of it.
    pub quantity: Decimal,
}

/// How many of each option there are to be, and since when.
pub(super) type Choices = BTreeMap<String, (Decimal, Date)>;

/// Which version of which offer is sold.
pub(super) type Pick<'a> = &'a dyn Fn(&Catalog, &str) -> Option<Sold>;

/// Refuses with every broken rule.
fn refused(code: &str, found: Vec<String>) -> Rejection {
    Rejection::new(
        "OFFER_RULES_BROKEN",
        format!(
            "offer {code} cannot be had like this, {} problems: {}",
            found.len(),
            found.join("; ")
        ),
    )
}

fn catalog<'s>(session: &'s Session<'_>, code: &str) -> Result<&'s Catalog, Rejection> {
    let catalog = session.find::<Catalog>(MAIN).map(|e| &e.state);
    catalog.filter(|c| c.offer(code).is_some()).ok_or_else(|| {
        Rejection::new(
            "OFFER_UNKNOWN",
            format!("there is no published offer {code:?}"),
        )
    })
}

/// The version of an offer that somebody new gets on a day.
fn version_of_the_day(catalog: &Catalog, code: &str, on: Date) -> Result<Sold, Rejection> {
    if let Some(from) = catalog.retired(code).filter(|from| *from <= on) {
        return Err(Rejection::new(
            "OFFER_RETIRED",
            format!("offer {code} is not sold any more since {from}, asked for {on}"),
        ));
    }
    catalog.sold_on(code, on).cloned().ok_or_else(|| {
        Rejection::new(
            "OFFER_NOT_SOLD",
            format!("no version of offer {code} is sold on {on}"),
        )
    })
}

/// A new sale: the offer of the day with the options asked for, mandatory ones included.
pub(super) fn sell(
    session: &Session<'_>,
    sale: Sale<'_>,
    code: &str,
    choices: Choices,
) -> Result<Offer, Rejection> {
    let catalog = catalog(session, code)?;
    let base = version_of_the_day(catalog, code, sale.on)?;
    let asked: BTreeMap<String, Decimal> =
        choices.iter().map(|(o, (n, _))| (o.clone(), *n)).collect();
    let asked = completed(&base.option, asked);
    let mut found = problems(&base, &asked);
    found.extend(beside(session, sale, &base));
    found.extend(ineligible(session, sale, &base)?);
    let mut brought = Vec::new();
    // In the order of the catalog, whatever order they were asked for in.
    for rule in &base.option {
        let Some(quantity) = asked.get(&rule.code).copied() else {
            continue;
        };
        let since = choices.get(&rule.code).map_or(sale.on, |(_, since)| *since);
        match version_of_the_day(catalog, &rule.offer, sale.on) {
            Ok(sold) => brought.push((rule.code.clone(), sold, quantity, since)),
            Err(e) => found.push(e.message),
        }
    }
    if !found.is_empty() {
        return Err(refused(code, found));
    }
    compose(session, catalog, sale, &base, brought)
}

/// An option's offer of the day with this customer's prices, for a contract that runs.
pub(super) fn add(
    session: &Session<'_>,
    sale: Sale<'_>,
    offer: Offer,
    rule: &OptionRule,
    quantity: Decimal,
    since: Date,
) -> Result<Offer, Rejection> {
    let catalog = catalog(session, &offer.code)?;
    // More or fewer of what one has is no new sale: its version stays.
    let kept = offer.chosen(&rule.code).filter(|c| c.offer == rule.offer);
    let kept = kept.and_then(|c| catalog.version(&c.offer, c.version).cloned());
    let sold = match kept {
        Some(sold) => sold,
        None => version_of_the_day(catalog, &rule.offer, sale.on)?,
    };
    let prices = prices(session, catalog, sale, &offer.code)?;
    let priced = by_buyer::found(session, sale, priced(&prices, &sold)?)?;
    Ok(offer.with_option(&rule.code, &priced, quantity, since))
}

/// What one has, sold again: other versions, other prices of the day, the same options, overrides and waived trial.
pub(super) fn again(
    session: &Session<'_>,
    sale: Sale<'_>,
    now: &Offer,
    pick: Pick<'_>,
) -> Result<Offer, Rejection> {
    let catalog = catalog(session, &now.code)?;
    let gone = |code: &str| {
        Rejection::new(
            "OFFER_UNKNOWN",
            format!("there is no such version of offer {code:?}"),
        )
    };
    let base = pick(catalog, &now.code).ok_or_else(|| gone(&now.code))?;
    let mut brought = Vec::new();
    for chosen in &now.chosen {
        let sold = pick(catalog, &chosen.offer).ok_or_else(|| gone(&chosen.offer))?;
        brought.push((chosen.option.clone(), sold, chosen.quantity, chosen.from));
    }
    let mut offer = compose(session, catalog, sale, &base, brought)?;
    let before = catalog.version(&now.code, now.version);
    if now.trial.is_none() && before.is_some_and(|b| b.trial.is_some()) {
        offer.trial = None;
    }
    keep_overrides(now, before, &mut offer);
    keep_free_days(session, now, &mut offer)?;
    Ok(offer)
}

/// Free days that were agreed for this subscription, and are no trial of the offer it had, outlast what is sold to it later:
/// it is billed from its day whatever it has until then.
pub(super) fn keep_free_days(
    session: &Session<'_>,
    now: &Offer,
    offer: &mut Offer,
) -> Result<(), Rejection> {
    let before = catalog(session, &now.code)?.version(&now.code, now.version);
    if now.trial.is_some() && before.is_some_and(|b| b.trial != now.trial) {
        offer.trial = now.trial;
    }
    Ok(())
}

fn compose(
    session: &Session<'_>,
    catalog: &Catalog,
    sale: Sale<'_>,
    base: &Sold,
    brought: Vec<(String, Sold, Decimal, Date)>,
) -> Result<Offer, Rejection> {
    let mut prices = prices(session, catalog, sale, &base.code)?;
    let known = session.find::<Subscription>(sale.subscription).is_some();
    if !known
        && !listed(&prices, base)
        && (exchange::converts(session, sale.account, sale.terms)
            || folios::apart(session, sale.account, sale.terms))
    {
        convertible(base)?;
        prices.in_currency(base.currency, catalog.price_lists.values().map(|l| &**l));
    }
    let mut missing = Vec::new();
    let mut offer = priced(&prices, base)?;
    for (option, sold, quantity, since) in brought {
        match priced(&prices, &sold) {
            Ok(part) => offer = offer.with_option(&option, &part, quantity, since),
            Err(e) => missing.push(e.message),
        }
    }
    offer.contract = sale.contract.map(str::to_string);
    match missing.is_empty() {
        true => by_buyer::found(session, sale, offer),
        false => Err(Rejection::new("NO_PRICE", missing.join("; "))),
    }
}

fn priced(prices: &Prices<'_>, sold: &Sold) -> Result<Offer, Rejection> {
    let currency = prices.market.currency;
    if !listed(prices, sold) {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "offer {} is sold in {}, what is asked for is in {currency}",
                sold.code, sold.currency
            ),
        ));
    }
    prices
        .apply(Offer::clone(sold))
        .map_err(|missing| Rejection::new("NO_PRICE", missing.join("; ")))
}

/// Whether an offer has any price in the currency of the sale.
fn listed(prices: &Prices<'_>, sold: &Sold) -> bool {
    let named = prices.lists.iter().flat_map(|l| &l.items);
    let mut named = named.chain(prices.contracts.iter().flat_map(|c| c.terms));
    sold.currency == prices.market.currency || named.any(|t| t.offer == sold.code)
}

/// Refuses what cannot be converted on a document: wallets pay in the account's currency when usage is rated, before there
/// is one.
fn convertible(sold: &Sold) -> Result<(), Rejection> {
    match sold.usage.iter().find(|u| u.pay != Pay::Invoice) {
        None => Ok(()),
        Some(usage) => Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "charge {} of offer {} is paid from wallets: it cannot be sold in {}",
                usage.code, sold.code, sold.currency
            ),
        )),
    }
}

/// Price lists and contracts that fit a sale of an offer.
fn prices<'s>(
    session: &'s Session<'_>,
    catalog: &'s Catalog,
    sale: Sale<'s>,
    offer: &str,
) -> Result<Prices<'s>, Rejection> {
    let market = Market {
        seller: folios::seller_of(session, sale, offer),
        country: &sale.terms.country,
        group: sale.terms.group.as_deref(),
        currency: exchange::currency_of_sale(session, sale.subscription, sale.terms),
        on: sale.listed_on,
    };
    let lists = catalog.price_lists.values().map(|l| &**l);
    Ok(Prices::fitting(market, lists, frameworks(session, sale)?))
}

/// Contracts that hold on the day, in the order in which they are asked: the subscription's own, the account's, those of
/// who pays for it; of several the one that began last.
fn frameworks<'s>(
    session: &'s Session<'_>,
    sale: Sale<'s>,
) -> Result<Vec<Framework<'s>>, Rejection> {
    let payer = sale.terms.payer.as_deref();
    let mut found = Vec::new();
    if let Some(id) = sale.contract {
        let contract = &session.find::<Contract>(id).map(|e| &e.state);
        let Some(agreement) = contract.and_then(|c| c.agreement.as_ref()) else {
            return Err(Rejection::new(
                "CONTRACT_UNKNOWN",
                format!("there is no contract {id:?}"),
            ));
        };
        if agreement.account != sale.account && Some(agreement.account.as_str()) != payer {
            return Err(Rejection::new(
                "CONTRACT_OF_OTHER",
                format!(
                    "contract {id} is of account {}, not of {}",
                    agreement.account, sale.account
                ),
            ));
        }
        if agreement.days().contains(sale.on) {
            found.push(Framework {
                id,
                whose: "the subscription",
                rule: PriceRule::SubscriptionContract,
                terms: &agreement.terms,
            });
        }
    }
    let owners = [
        (Some(sale.account), "the account"),
        (payer, "the account that pays"),
    ];
    for (owner, whose) in owners {
        let Some(owner) = owner else { continue };
        let mut of_owner: Vec<_> = contract_ids(session, owner, sale.also)
            .into_iter()
            .filter(|id| Some(id.as_str()) != sale.contract)
            .filter_map(|id| {
                let (id, entry) = session.entry::<Contract>(&id)?;
                let agreement = entry.state.agreement.as_ref()?;
                let holds = agreement.account == owner && agreement.days().contains(sale.on);
                holds.then_some((id, agreement))
            })
            .collect();
        of_owner.sort_by(|(a, x), (b, y)| (y.from, *a).cmp(&(x.from, *b)));
        found.extend(of_owner.into_iter().map(|(id, agreement)| Framework {
            id,
            whose,
            rule: PriceRule::AccountContract,
            terms: &agreement.terms,
        }));
    }
    Ok(found)
}

/// Ids of an account's contracts, with one that indexes do not know yet.
pub(super) fn contract_ids(
    session: &Session<'_>,
    account: &str,
    also: Option<&str>,
) -> BTreeSet<String> {
    let known = session
        .index()
        .contracts_of
        .get(account)
        .into_iter()
        .flatten()
        .cloned();
    known.chain(also.map(str::to_string)).collect()
}

/// Offers that the account must have beside this one, or must not.
fn beside(session: &Session<'_>, sale: Sale<'_>, offer: &Offer) -> Vec<String> {
    if offer.requires.is_empty() && offer.excludes.is_empty() {
        return vec![];
    }
    let ids = session
        .index()
        .subscriptions_of
        .get(sale.account)
        .into_iter()
        .flatten();
    let running: BTreeSet<&str> = ids
        .filter(|id| *id != sale.subscription)
        .filter_map(|id| {
            let sub = &session.find::<Subscription>(id)?.state;
            sub.term_on(sale.on).map(|(_, t)| t.offer.code.as_str())
        })
        .collect();
    let needs = offer
        .requires
        .iter()
        .filter(|o| !running.contains(o.as_str()));
    let bars = offer
        .excludes
        .iter()
        .filter(|o| running.contains(o.as_str()));
    needs
        .map(|o| {
            format!(
                "{} needs offer {o}, which the account does not have on {}",
                offer.code, sale.on
            )
        })
        .chain(bars.map(|o| {
            format!(
                "{} does not go with offer {o}, which the account has on {}",
                offer.code, sale.on
            )
        }))
        .collect()
}

/// Whether prices of what one has depend on who has it, and how many: it is sold again when that changes.
pub(super) fn depends_on_buyer(session: &Session<'_>, offer: &Offer) -> bool {
    let catalog = session.find::<Catalog>(MAIN).map(|e| &e.state);
    let versions = offer.chosen.iter().map(|c| (&c.offer, c.version));
    let versions = versions.chain([(&offer.code, offer.version)]);
    catalog.is_some_and(|catalog| {
        let sold = versions.filter_map(|(code, version)| catalog.version(code, version));
        sold.flat_map(|sold| &sold.recurring).any(by_buyer::depends)
    })
}

/// Whether the buyer could have the offer: its condition holds, and so do its rules about other offers. A condition that
/// cannot be computed for this buyer does not hold.
pub(super) fn may_have(session: &Session<'_>, sale: Sale<'_>, offer: &Offer) -> bool {
    beside(session, sale, offer).is_empty() && matches!(ineligible(session, sale, offer), Ok(None))
}

/// Why the buyer may not have the offer, if its condition says so.
fn ineligible(
    session: &Session<'_>,
    sale: Sale<'_>,
    offer: &Offer,
) -> Result<Option<String>, Rejection> {
    let Some(condition) = &offer.eligible else {
        return Ok(None);
    };
    let sub = session
        .find::<Subscription>(sale.subscription)
        .map(|e| &e.state);
    let names = ContractNames {
        look: session,
        account: sale.account,
        terms: sale.terms,
        subscription: sub.map(|s| (sale.subscription, s)),
        offer,
        charge: None,
        quantity: None,
        on: sale.on,
    };
    let holds = condition
        .holds(&names)
        .map_err(|e| e.of(format!("offer {}, eligible", offer.code)))?;
    Ok((!holds).then(|| {
        format!(
            "account {} is not eligible for {}: {}",
            sale.account,
            offer.code,
            condition.source()
        )
    }))
}

/// The offer with prices of this subscription's own: price per period of a recurring charge, per unit of a usage charge,
/// amount of a one-off charge.
pub(super) fn overridden(
    mut offer: Offer,
    overrides: &BTreeMap<String, Decimal>,
) -> Result<Offer, Rejection> {
    for (code, price) in overrides {
        if price.is_negative() {
            return Err(Rejection::new(
                "PRICE_NEGATIVE",
                format!("a price of {price} for charge {code} is below zero"),
            ));
        }
        let source = |was: String| {
            Some(PriceSource {
                rule: PriceRule::Override,
                id: String::new(),
                why: format!("agreed for this subscription{was}"),
            })
        };
        let instead = |before: &Option<PriceSource>| match before {
            Some(before) => format!(" instead of: {}", before.why),
            None => " instead of the offer's own price".to_string(),
        };
        let like = |price_now: &Price| match price_now {
            Price::Flat(_) => Price::Flat(*price),
            _ => Price::PerUnit(*price),
        };
        if let Some(charge) = offer.recurring.iter_mut().find(|c| c.code == *code) {
            charge.price = match charge.price {
                Price::PerUnit(_) => Price::PerUnit(*price),
                _ => Price::Flat(*price),
            };
            charge.source = source(instead(&charge.source));
        } else if let Some(charge) = offer.usage.iter_mut().find(|c| c.code == *code) {
            charge.price = like(&charge.price);
            charge.prices.clear();
            charge.source = source(instead(&charge.source));
        } else if let Some(charge) = offer.one_off.iter_mut().find(|c| c.code == *code) {
            charge.amount = *price;
            charge.source = source(instead(&charge.source));
        } else {
            return Err(Rejection::new(
                "CHARGE_UNKNOWN",
                format!("offer {} has no charge {code:?} to override", offer.code),
            ));
        }
    }
    Ok(offer)
}

/// Prices of a subscription's own stay when it is sold again. `before`: the version it had, to know prices that were
/// agreed before sources were recorded.
fn keep_overrides(now: &Offer, before: Option<&Sold>, offer: &mut Offer) {
    let own = |source: &Option<PriceSource>| {
        source
            .as_ref()
            .is_some_and(|s| s.rule == PriceRule::Override)
    };
    let early = || {
        Some(PriceSource {
            rule: PriceRule::Override,
            id: String::new(),
            why: "agreed for this subscription".to_string(),
        })
    };
    for charge in &mut offer.recurring {
        let Some(had) = now.recurring.iter().find(|c| c.code == charge.code) else {
            continue;
        };
        let published = before.and_then(|b| b.recurring.iter().find(|c| c.code == charge.code));
        let differs = had.of.is_none() && published.is_some_and(|p| p.price != had.price);
        if own(&had.source) || (had.source.is_none() && differs) {
            charge.price = had.price.clone();
            charge.source = had.source.clone().or_else(early);
        }
    }
    for charge in &mut offer.usage {
        if let Some(had) = now
            .usage
            .iter()
            .find(|c| c.code == charge.code && own(&c.source))
        {
            charge.price = had.price.clone();
            charge.prices = had.prices.clone();
            charge.source = had.source.clone();
        }
    }
    for charge in &mut offer.one_off {
        if let Some(had) = now
            .one_off
            .iter()
            .find(|c| c.code == charge.code && own(&c.source))
        {
            charge.amount = had.amount;
            charge.source = had.source.clone();
        }
    }
}
