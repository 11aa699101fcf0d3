//! Which policy dunns whom: a policy by hand, else the account's own, else the first rule that fits, else the legal entity's.
//!
//! A rule fits when each of its conditions is met; a condition that names nothing is always met. What was chosen, and why, is
//! in the event with which an episode begins, and holds for the episode.

use super::owed::{self, Owed};
use super::{Look, Policy};
use crate::accounts::{AccountTerms, folio};
use crate::catalog::Catalog;
use crate::entities::EntityTerms;
use crate::events;
use crate::invoices::{self, Invoice};
use crate::kernel::{Currency, Date, Decider, Decimal, Exact, Id, Rejection};
use crate::methods::{Kind, Methods};
use crate::subscriptions::Subscription;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Stream of the rules: a tenant has one list of them.
pub const MAIN: &str = "main";
/// Most rules of a tenant.
const RULES_MAX: usize = 200;

/// One rule: who it is for, and the policy that dunns them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub name: String,
    pub policy: Id,
    pub when: When,
}

/// Conditions of a rule; each list is met by any of its members, an empty one by everybody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct When {
    pub entities: Vec<Id>,
    /// Customer groups.
    pub groups: Vec<String>,
    /// Product lines of what is overdue.
    pub product_lines: Vec<String>,
    /// At least so much is overdue, in the account's currency.
    pub at_least: Option<Decimal>,
    /// Less than so much is overdue.
    pub below: Option<Decimal>,
    /// Kinds of the payment method that is tried first.
    pub methods: Vec<Kind>,
    /// Only accounts without a payment method that can be used.
    pub no_method: bool,
    /// Buyer's countries, ISO 3166 alpha-2.
    pub countries: Vec<String>,
    pub currencies: Vec<Currency>,
}

/// Why a policy was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It was set for this case by hand.
    Hand,
    /// It is the account's own.
    Account,
    /// The rule of this name fits.
    Rule(String),
    /// It is the legal entity's.
    Entity,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub policy: Id,
    pub why: Why,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// The first that fits wins.
    pub rules: Vec<Rule>,
}

/// The rules in force from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RulesSet {
    pub rules: Vec<Rule>,
}

events! {
    /// What happens to the rules that choose a policy.
    pub enum Event in "dunning-rules" {
        RulesSet = "set" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Set { rules: Vec<Rule> },
}

impl Decider for Rules {
    type State = Rules;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Rules, command: Command) -> Result<Vec<Event>, Rejection> {
        let Command::Set { rules } = command;
        if rules == state.rules {
            return Ok(vec![]);
        }
        let mut names = BTreeSet::new();
        let twice = rules.iter().find(|r| !names.insert(&r.name));
        let why = if rules.len() > RULES_MAX {
            format!("{} rules are more than {RULES_MAX}", rules.len())
        } else if let Some(rule) = twice {
            format!("rule name {:?} is used twice", rule.name)
        } else if rules.iter().any(|r| r.name.trim().is_empty()) {
            "a rule has no name".to_string()
        } else {
            return Ok(vec![RulesSet { rules }.into()]);
        };
        Err(Rejection::new("DUNNING_RULES_INVALID", why))
    }

    fn evolve(state: &mut Rules, event: &Event) {
        let Event::RulesSet(e) = event;
        state.rules.clone_from(&e.rules);
    }
}

/// What rules look at.
pub struct Subject<'a> {
    pub account: &'a str,
    pub terms: &'a AccountTerms,
    pub entity: &'a EntityTerms,
    /// The day that is looked at, and what is overdue on it.
    pub on: Date,
    pub owed: &'a [Owed],
}

/// Whether there is anything that [`choose`] could answer, whatever is overdue.
pub fn may_choose(look: &impl Look, terms: &AccountTerms, entity: &EntityTerms) -> bool {
    terms.dunning_policy.is_some()
        || entity.dunning_policy.is_some()
        || look
            .state::<Rules>(MAIN)
            .is_some_and(|r| !r.rules.is_empty())
}

/// The policy for what is overdue; none: nobody dunns this account. A rule whose policy was never set is passed over.
pub fn choose(look: &impl Look, subject: &Subject<'_>) -> Option<Choice> {
    if let Some(policy) = &subject.terms.dunning_policy {
        let (policy, why) = (policy.clone(), Why::Account);
        return Some(Choice { policy, why });
    }
    let rules = look.state::<Rules>(MAIN).map_or(&[][..], |r| &r.rules);
    let fitting = rules
        .iter()
        .find(|r| look.state::<Policy>(&r.policy).is_some() && fits(look, subject, &r.when));
    if let Some(rule) = fitting {
        return Some(Choice {
            policy: rule.policy.clone(),
            why: Why::Rule(rule.name.clone()),
        });
    }
    subject.entity.dunning_policy.clone().map(|policy| Choice {
        policy,
        why: Why::Entity,
    })
}

fn fits(look: &impl Look, subject: &Subject<'_>, when: &When) -> bool {
    let terms = subject.terms;
    let bounded = when.at_least.is_some() || when.below.is_some();
    // Most rules ask nothing about the amount, and an account may have years of open items.
    let overdue = match bounded {
        true => owed::sum(subject.owed, subject.on, terms.currency).exact(),
        false => Exact::ZERO,
    };
    any(&when.entities, &terms.entity)
        && any(&when.countries, &terms.country)
        && any_of(&when.groups, terms.group.as_ref())
        && any(&when.currencies, &terms.currency)
        && when.at_least.is_none_or(|d| overdue >= Exact::from(d))
        && when.below.is_none_or(|d| overdue < Exact::from(d))
        && pays_by(look, subject, when)
        && (when.product_lines.is_empty() || sells(look, subject, &when.product_lines))
}

fn any<T: PartialEq>(of: &[T], value: &T) -> bool {
    of.is_empty() || of.contains(value)
}

fn any_of<T: PartialEq>(of: &[T], value: Option<&T>) -> bool {
    of.is_empty() || value.is_some_and(|value| of.contains(value))
}

/// The method that would be tried first on the day is of a kind that is asked for.
fn pays_by(look: &impl Look, subject: &Subject<'_>, when: &When) -> bool {
    if when.methods.is_empty() && !when.no_method {
        return true;
    }
    let methods = look.state::<Methods>(folio::owner(subject.account));
    let preferred = methods.and_then(|m| m.preferred(subject.on));
    let kind = preferred.map(|m| m.means.kind());
    any_of(&when.methods, kind.as_ref()) && (!when.no_method || kind.is_none())
}

/// Something of these product lines is overdue.
fn sells(look: &impl Look, subject: &Subject<'_>, lines: &[String]) -> bool {
    let none = Catalog::default();
    let catalog = look.state::<Catalog>(MAIN).unwrap_or(&none);
    let of = |invoice: &&Id| {
        let document = &look.state::<Invoice>(invoice)?.document;
        invoices::product_lines(document, catalog, |id| look.state::<Subscription>(id)).ok()
    };
    let overdue = owed::invoices(subject.owed, subject.on);
    let mut found = overdue.iter().filter_map(of).flatten();
    found.any(|(line, _)| lines.contains(&line))
}
