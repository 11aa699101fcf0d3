//! What publishing a catalog file would change, in the words of the business.
//!
//! Every offer and price list is told as facts, each a label and a value ("price above 100": "0.05 EUR per minute"). What
//! differs between the facts of two versions is the difference; so a field that is added to the catalog later is told
//! too, by its name, before anybody has found better words for it.

use super::{Beyond, Catalog, CounterRule, File, Offer, Owner, Price, PriceList, Reset, Tier};
use crate::kernel::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Added,
    Changed,
    Removed,
}

/// One thing that would be otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub kind: Kind,
    /// Code of the offer or price list.
    pub of: String,
    /// Code of the charge, option or commitment; empty for the offer itself.
    pub part: String,
    /// `calls: price above 100: 0.05 EUR → 0.045 EUR per minute from 2027-01-01`
    pub words: String,
}

/// What of an offer or list would be otherwise, and whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub kind: Kind,
    /// Code of the offer or price list.
    pub of: String,
    pub price_list: bool,
    /// The version of the offer that is compared with; 0 for none.
    pub version: u32,
    pub changes: Vec<Change>,
}

/// What a file changes of the newest versions. Offers and lists that the file does not name stay as they are.
pub fn diff(catalog: &Catalog, file: &File) -> Vec<Difference> {
    let mut out = Vec::new();
    for offer in &file.offer {
        let current = catalog.offer(&offer.code);
        let mut changes = Vec::new();
        compare(
            &offer.code,
            current.map(|o| facts(o)).unwrap_or_default(),
            facts(offer),
            offer.valid_from,
            &mut changes,
        );
        push(
            &mut out,
            &offer.code,
            false,
            current.map(|o| o.version),
            changes,
        );
    }
    for list in &file.price_list {
        let current = catalog.price_lists.get(&list.code);
        let mut changes = Vec::new();
        compare(
            &list.code,
            current.map(|l| listed(l)).unwrap_or_default(),
            listed(list),
            list.from,
            &mut changes,
        );
        push(&mut out, &list.code, true, current.map(|_| 1), changes);
    }
    out
}

fn push(
    out: &mut Vec<Difference>,
    of: &str,
    price_list: bool,
    version: Option<u32>,
    changes: Vec<Change>,
) {
    if version.is_some() && changes.is_empty() {
        return;
    }
    out.push(Difference {
        kind: match version {
            Some(_) => Kind::Changed,
            None => Kind::Added,
        },
        of: of.to_string(),
        price_list,
        version: version.unwrap_or(0),
        changes,
    });
}

/// Facts by part (a charge's code; empty for the whole) and label.
type Facts = BTreeMap<String, BTreeMap<String, String>>;

fn compare(of: &str, before: Facts, after: Facts, from: Option<Date>, out: &mut Vec<Change>) {
    let since = from.map_or(String::new(), |day| format!(" from {day}"));
    let mut push = |kind: Kind, part: &str, words: String, since: &str| {
        let place = if part.is_empty() { of } else { part };
        out.push(Change {
            kind,
            of: of.to_string(),
            part: part.to_string(),
            words: format!("{place}: {words}{since}"),
        });
    };
    let none = BTreeMap::new();
    let parts: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for part in parts {
        let (was, is) = (before.get(part), after.get(part));
        if was.is_none() || is.is_none() {
            let (kind, facts) = match is {
                Some(facts) => (Kind::Added, facts),
                None => (Kind::Removed, was.unwrap_or(&none)),
            };
            let told: Vec<String> = facts.iter().map(|(l, v)| format!("{l} {v}")).collect();
            let verb = match kind {
                Kind::Added => "new",
                _ => "no more",
            };
            push(kind, part, format!("{verb}, {}", told.join(", ")), &since);
            continue;
        }
        let (was, is) = (was.unwrap_or(&none), is.unwrap_or(&none));
        let labels: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        for label in labels {
            let (kind, words) = match (was.get(label), is.get(label)) {
                (Some(a), Some(b)) if a == b => continue,
                (Some(a), Some(b)) => (Kind::Changed, format!("{label}: {a} → {b}")),
                (None, Some(b)) => (Kind::Added, format!("{label}: {b}")),
                (Some(a), None) => (Kind::Removed, format!("{label}: {a} no more")),
                (None, None) => continue,
            };
            // The day itself is not told twice.
            let is_the_day = part.is_empty() && VALIDITY.contains(&label.as_str());
            push(kind, part, words, if is_the_day { "" } else { &since });
        }
    }
}

/// From when an offer or a price list holds, as told.
const VALIDITY: [&str; 2] = ["valid from", "from"];

/// Lists of an offer whose members have a code, or name an offer.
const PARTS: [&str; 7] = [
    "one_off",
    "recurring",
    "usage",
    "commitments",
    "option",
    "counter",
    "feature",
];

fn facts(offer: &Offer) -> Facts {
    let mut out = Facts::new();
    let mut value = serde_json::to_value(offer).unwrap_or(Value::Null);
    let Some(fields) = value.as_object_mut() else {
        return out;
    };
    // Numbers of versions differ by nature; what a version is valid for is told with each change.
    for given in ["version", "code"] {
        fields.remove(given);
    }
    for list in PARTS {
        let Some(Value::Array(members)) = fields.remove(list) else {
            continue;
        };
        for member in members {
            let code = ["code", "offer"]
                .iter()
                .find_map(|key| member.get(key).and_then(Value::as_str))
                .unwrap_or(list)
                .to_string();
            let facts = out.entry(code.clone()).or_default();
            facts.insert("kind".to_string(), list.replace('_', "-"));
            if let Value::Object(mut member) = member {
                member.remove("code");
                for charge in [priced(offer, list, &code)].into_iter().flatten() {
                    member.remove("price");
                    member.remove("allowance");
                    facts.extend(charge);
                }
                if list == "counter" {
                    let rule = offer.counter.iter().find(|c| c.code == code);
                    for said in ["size", "unit", "thresholds", "rollover", "beyond", "price"] {
                        member.remove(said);
                    }
                    facts.extend(rule.map(|rule| counted(offer, rule)).into_iter().flatten());
                }
                flatten("", &Value::Object(member), facts);
            }
        }
    }
    let whole = out.entry(String::new()).or_default();
    flatten("", &value, whole);
    out
}

fn listed(list: &PriceList) -> Facts {
    let mut out = Facts::new();
    let mut value = serde_json::to_value(list).unwrap_or(Value::Null);
    if let Some(fields) = value.as_object_mut() {
        fields.remove("code");
        fields.remove("item");
    }
    for term in &list.items {
        let part = match &term.charge {
            Some(charge) => format!("{} {charge}", term.offer),
            None => format!("{} all charges", term.offer),
        };
        let facts = out.entry(part).or_default();
        if let Some(price) = &term.price {
            facts.extend(of_price(price, None, "unit", list.currency.code()));
        }
        if let Some(amount) = term.amount {
            facts.insert("amount".to_string(), format!("{amount} {}", list.currency));
        }
        if let Some(percent) = term.percent {
            facts.insert("percent".to_string(), format!("{percent} %"));
        }
    }
    flatten("", &value, out.entry(String::new()).or_default());
    out
}

/// Facts about the price of a charge, where there are words for its model.
fn priced(offer: &Offer, list: &str, code: &str) -> Option<BTreeMap<String, String>> {
    let currency = offer.currency.code();
    match list {
        "recurring" => {
            let charge = offer.recurring.iter().find(|c| c.code == code)?;
            Some(of_price(&charge.price, None, "unit", currency))
        }
        "usage" => {
            let charge = offer.usage.iter().find(|c| c.code == code)?;
            Some(of_price(
                &charge.price,
                charge.allowance.map(|a| a.to_string()),
                &charge.unit,
                currency,
            ))
        }
        _ => None,
    }
}

/// Facts about a counter.
fn counted(offer: &Offer, rule: &CounterRule) -> BTreeMap<String, String> {
    let currency = offer.currency.code();
    let unit = rule.unit.as_deref().unwrap_or(currency);
    let per = match rule.reset {
        Reset::BillingPeriod => "billing period",
        Reset::Day => "day",
        Reset::Week => "week",
        Reset::Month => "month",
        Reset::Quarter => "quarter",
        Reset::Year => "year",
        Reset::Never => "contract",
    };
    let brought = match rule.owner {
        Owner::Subscription => String::new(),
        owner => format!(" into the pool of the {owner}"),
    };
    let mut facts = BTreeMap::new();
    let size = format!("{} {unit} per {per}{brought}", rule.size);
    facts.insert("allowance".to_string(), size);
    if let Some(price) = rule.price {
        let price = format!("{price} {currency} per {unit}");
        facts.insert("price of what it covers".to_string(), price);
    }
    if let Some(rollover) = &rule.rollover {
        let most = match rollover.max {
            Some(max) => format!("at most {max} {unit}"),
            None => "everything".to_string(),
        };
        let periods = rollover.periods;
        facts.insert(
            "what is left rolls over".to_string(),
            format!("{most}, through {periods} periods"),
        );
    }
    if !rule.thresholds.is_empty() {
        let levels: Vec<String> = rule.thresholds.iter().map(ToString::to_string).collect();
        facts.insert("a notice at".to_string(), levels.join(", "));
    }
    if rule.beyond == Beyond::Refuse {
        facts.insert("beyond it".to_string(), "usage is refused".to_string());
    }
    facts
}

fn of_price(
    price: &Price,
    free: Option<String>,
    unit: &str,
    currency: &str,
) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    if let Some(free) = &free {
        facts.insert(format!("free {unit}s per period"), free.clone());
    }
    let each = |amount: &dyn std::fmt::Display| format!("{amount} {currency} per {unit}");
    match price {
        Price::Flat(amount) => {
            facts.insert("price".to_string(), format!("{amount} {currency}"));
        }
        Price::PerUnit(amount) => {
            let label = match &free {
                Some(free) => format!("price above {free}"),
                None => "price".to_string(),
            };
            facts.insert(label, each(amount));
        }
        Price::Graduated(tiers) => tiered(&mut facts, "price of units", tiers, &each, currency),
        Price::Volume(tiers) => {
            tiered(
                &mut facts,
                "price of all units if they are",
                tiers,
                &each,
                currency,
            );
        }
        other => {
            let value = serde_json::to_value(other).unwrap_or(Value::Null);
            flatten("price", &value, &mut facts);
        }
    }
    facts
}

fn tiered(
    facts: &mut BTreeMap<String, String>,
    what: &str,
    tiers: &[Tier],
    each: &dyn Fn(&dyn std::fmt::Display) -> String,
    currency: &str,
) {
    let mut lower = "0".to_string();
    for tier in tiers {
        let range = match tier.up_to {
            Some(upper) => format!("{what} above {lower} up to {upper}"),
            None => format!("{what} above {lower}"),
        };
        let mut value = each(&tier.unit);
        if let Some(block) = tier.block {
            value.push_str(&format!(" block of {block}"));
        }
        if !tier.flat.is_zero() {
            value.push_str(&format!(" and {} {currency} once", tier.flat));
        }
        facts.insert(range, value);
        lower = tier.up_to.map_or(lower, |upper| upper.to_string());
    }
}

/// Fields by their names, as deep as they go.
fn flatten(label: &str, value: &Value, facts: &mut BTreeMap<String, String>) {
    let under = |name: &str| {
        let name = name.replace('_', " ");
        if label.is_empty() {
            name
        } else {
            format!("{label} {name}")
        }
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&under(name), value, facts);
            }
        }
        Value::Array(members) if members.iter().all(|m| !m.is_object() && !m.is_array()) => {
            let words: Vec<String> = members.iter().map(plain).collect();
            facts.insert(label.to_string(), words.join(", "));
        }
        Value::Array(members) => {
            for (i, member) in members.iter().enumerate() {
                flatten(&under(&(i + 1).to_string()), member, facts);
            }
        }
        Value::Null => {}
        value => {
            facts.insert(label.to_string(), plain(value));
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
