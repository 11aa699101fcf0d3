//! The catalog of a tenant.

use super::selling;
use crate::catalog::{self, Catalog, File, Price, diff};
use crate::command::Outcome;
use crate::contracts::Contract;
use crate::drafts::{self, Draft};
use crate::expressions::{Expression, Kind};
use crate::fields::Look;
use crate::kernel::{Date, Rejection, Zone, check_id};
use crate::rating::names::{contract_schema, price_schema, usage_schema};
use crate::session::Session;
use crate::subscriptions::Subscription;

/// Stream id of things a tenant has one of.
pub(crate) const MAIN: &str = "main";

pub(super) fn apply(session: &mut Session<'_>, file: File) -> Result<Outcome, Rejection> {
    let found = unreadable(session, &file);
    decide(session, catalog::Command::Apply { file, found })
}

/// Works on a draft; publishing it applies the whole of it, or nothing.
pub(super) fn edit(
    session: &mut Session<'_>,
    draft: &str,
    edit: drafts::Command,
) -> Result<Outcome, Rejection> {
    check_id("draft", draft)?;
    if edit == drafts::Command::Publish {
        let file = session.get::<Draft>(draft)?.file();
        apply(session, file)?;
    }
    session.decide::<Draft>(draft, edit)?;
    Ok(Outcome::of("catalog-draft", draft))
}

/// What applying a file would do: every problem with its place, and every difference with whom it concerns. Nothing is
/// staged.
pub fn review(session: &Session<'_>, file: &File) -> Result<Review, Rejection> {
    let none = Catalog::default();
    let known = session.find::<Catalog>(MAIN).map_or(&none, |e| &e.state);
    let problems = catalog::problems_of(known, file, unreadable(session, file));
    let today = session.today(&Zone::default());
    let mut differences = Vec::new();
    for difference in diff::diff(known, file) {
        let has = |sub: &Subscription| {
            sub.terms
                .last()
                .is_some_and(|t| t.offer.code == difference.of && today < sub.end_date())
        };
        let mut subscriptions = 0_u64;
        if !difference.price_list {
            for id in session.ids::<Subscription>("") {
                subscriptions += u64::from(has(session.get::<Subscription>(&id)?));
            }
        }
        let moves = file
            .offer
            .iter()
            .find(|o| o.code == difference.of)
            .and_then(|o| o.grandfathered_until);
        differences.push(Reviewed {
            difference,
            subscriptions,
            moves,
        });
    }
    Ok(Review {
        problems,
        differences,
    })
}

/// What a catalog file would do if it were applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    /// Each with its place; while there is one, nothing is applied.
    pub problems: Vec<String>,
    pub differences: Vec<Reviewed>,
}

/// A difference, and whom it concerns.
#[derive(Clone, Debug, PartialEq)]
pub struct Reviewed {
    pub difference: diff::Difference,
    /// Running subscriptions of the offer.
    pub subscriptions: u64,
    /// They get it with their first period from this day on; none: they keep what they have.
    pub moves: Option<Date>,
}

impl Reviewed {
    /// Whom it concerns, in words.
    pub fn concerns(&self) -> String {
        match (self.subscriptions, self.moves) {
            (0, _) => "nobody has it yet".to_string(),
            (n, Some(day)) => {
                format!("affects {n} subscriptions from their first period after {day}")
            }
            (n, None) => {
                format!("affects new contracts only, {n} subscriptions keep what they have")
            }
        }
    }
}

/// What is wrong with the expressions of a file.
fn unreadable(session: &Session<'_>, file: &File) -> Vec<String> {
    let mut found = eligibility(session, file);
    found.extend(measuring(session, file));
    found.extend(selling_prices(session, file));
    found
}

/// What is wrong with recurring prices that depend on who buys.
fn selling_prices(session: &Session<'_>, file: &File) -> Vec<String> {
    let schema = contract_schema(session.definitions());
    let mut found = Vec::new();
    for offer in &file.offer {
        for charge in &offer.recurring {
            let mut check = |what: &str, expression: &Expression, kind| {
                let problems = expression.check(&schema, kind).into_iter();
                let place = format!("offer {}, charge {}, {what}", offer.code, charge.code);
                found.extend(problems.map(|p| format!("{place}: {p}")));
            };
            match &charge.price {
                Price::Expression(price) => check("price", price, Kind::Number),
                Price::Matrix(matrix) => {
                    for column in matrix.columns.iter().filter(|c| selling::is_read(c)) {
                        let read = Expression::new(&*column.attribute);
                        check("column", &read, selling::kind(column));
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// What is wrong with conditions for buyers: they may read custom fields, which the catalog does not know.
fn eligibility(session: &Session<'_>, file: &File) -> Vec<String> {
    let schema = contract_schema(session.definitions());
    let conditions = file
        .offer
        .iter()
        .filter_map(|o| Some((&o.code, o.eligible.as_ref()?)));
    conditions
        .flat_map(|(code, condition)| {
            let problems = condition.check(&schema, Kind::Boolean).into_iter();
            problems.map(move |p| format!("offer {code}, eligible: {p}"))
        })
        .collect()
}

/// The same of conditions, quantities and prices of usage charges.
fn measuring(session: &Session<'_>, file: &File) -> Vec<String> {
    let definitions = session.definitions();
    let (record, price) = (usage_schema(definitions), price_schema(definitions));
    let mut found = Vec::new();
    for offer in &file.offer {
        for charge in &offer.usage {
            let mut check = |what, expression: &Expression, schema, kind| {
                let problems = expression.check(schema, kind).into_iter();
                let place = format!("offer {}, charge {}, {what}", offer.code, charge.code);
                found.extend(problems.map(|p| format!("{place}: {p}")));
            };
            if let Some(condition) = &charge.condition {
                check("if", condition, &record, Kind::Boolean);
            }
            if let Some(quantity) = &charge.quantity {
                check("quantity", quantity, &record, Kind::Number);
            }
            for model in charge.all_prices() {
                if let Price::Expression(expression) = model {
                    check("price", expression, &price, Kind::Number);
                }
            }
        }
    }
    found
}

fn decide(session: &mut Session<'_>, command: catalog::Command) -> Result<Outcome, Rejection> {
    session.decide::<Catalog>(MAIN, command)?;
    Ok(Outcome::of("catalog", MAIN))
}

/// A catalog has no zone of its own: without a day it is today's in UTC.
pub(super) fn retire(
    session: &mut Session<'_>,
    offer: String,
    from: Option<Date>,
) -> Result<Outcome, Rejection> {
    let from = from.unwrap_or_else(|| session.today(&Zone::default()));
    decide(session, catalog::Command::Retire { offer, from })
}

pub(super) fn reopen(session: &mut Session<'_>, offer: String) -> Result<Outcome, Rejection> {
    decide(session, catalog::Command::Reopen { offer })
}

pub(super) fn delete(session: &mut Session<'_>, offer: String) -> Result<Outcome, Rejection> {
    let used = used_by(session, &offer)?;
    decide(session, catalog::Command::Delete { offer, used })
}

/// Who ever had an offer, or agreed on its price, in words.
fn used_by(session: &Session<'_>, offer: &str) -> Result<Option<String>, Rejection> {
    let mut subscriptions = 0_usize;
    for id in session.ids::<Subscription>("") {
        let sub = session.get::<Subscription>(&id)?;
        let has = sub
            .terms
            .iter()
            .any(|t| t.offer.code == offer || t.offer.chosen.iter().any(|c| c.offer == offer));
        subscriptions += usize::from(has);
    }
    if subscriptions > 0 {
        return Ok(Some(format!(
            "{subscriptions} subscriptions have or had it"
        )));
    }
    for id in session.ids::<Contract>("") {
        let contract = session.get::<Contract>(&id)?;
        let terms = contract.agreement.iter().flat_map(|a| &a.terms);
        if terms.into_iter().any(|t| t.offer == offer) {
            return Ok(Some(format!("contract {id} prices it")));
        }
    }
    Ok(None)
}

pub(super) fn classify(
    session: &mut Session<'_>,
    offer: String,
    product_line: Option<String>,
) -> Result<Outcome, Rejection> {
    decide(
        session,
        catalog::Command::Classify {
            offer,
            product_line,
        },
    )
}
