//! Review rules: whether a document may go out, asked of the document and of the one before it.

use super::Terms;
use crate::expressions::{Expression, Kind, Names, Schema, Value};
use crate::invoices::{Document, Reason};
use crate::kernel::{Exact, Id, Money, Rejection, check_id};
use serde::{Deserialize, Serialize};

/// What a rule that holds says about a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No later rule is read.
    #[default]
    Accept,
    /// It stays a draft until somebody has looked at it.
    Hold,
    /// Nothing is made; the bill run names the account as an exception.
    Reject,
}

/// A condition and what it means for a document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub code: Id,
    /// True or false, of the names in [`schema`].
    pub when: Expression,
    pub verdict: Verdict,
    /// What a person is told.
    pub text: String,
}

/// What rules are asked about.
#[derive(Clone, Copy, Debug)]
pub struct Looked<'a> {
    pub document: &'a Document,
    /// Total of the account's latest invoice; none: this is the first.
    pub previous: Option<Money>,
    pub country: &'a str,
    pub group: &'a str,
}

/// Names that a review rule may read.
pub fn schema() -> Schema {
    Schema::default()
        .with("total", Kind::Number)
        .with("net", Kind::Number)
        .with("tax", Kind::Number)
        .with("highest", Kind::Number)
        .with("lines", Kind::Number)
        .with("previous", Kind::Number)
        .with("change", Kind::Number)
        .with("first", Kind::Boolean)
        .with("credit", Kind::Boolean)
        .with("day", Kind::Date)
        .with("currency", Kind::Text)
        .with("account", Kind::Text)
        .with("entity", Kind::Text)
        .with("country", Kind::Text)
        .with("group", Kind::Text)
}

impl Looked<'_> {
    /// Percent by which the total is above the one before; zero where there is nothing to compare with.
    fn change(&self) -> Exact {
        let Some(before) = self.previous.filter(|m| m.is_positive()) else {
            return Exact::ZERO;
        };
        let more = self.document.total.minor.saturating_sub(before.minor);
        more.checked_mul(100)
            .and_then(|more| Exact::ratio(more, before.minor).ok())
            .unwrap_or(Exact::ZERO)
    }
}

impl Names for Looked<'_> {
    fn name(&self, name: &str) -> Option<Value<'_>> {
        let document = self.document;
        let count = i128::try_from(document.lines.len()).unwrap_or(i128::MAX);
        let highest = document.lines.iter().map(|l| l.net).max_by_key(|m| m.minor);
        Some(match name {
            "total" => document.total.exact().into(),
            "net" => document.net.exact().into(),
            "tax" => document.tax.exact().into(),
            "highest" => highest.map_or(Exact::ZERO, Money::exact).into(),
            "lines" => Exact::from(count).into(),
            "previous" => self.previous.map_or(Exact::ZERO, Money::exact).into(),
            "change" => self.change().into(),
            "first" => self.previous.is_none().into(),
            "credit" => document.total.is_negative().into(),
            "day" => document.as_of.into(),
            "currency" => Value::text(document.currency.code()),
            "account" => Value::text(&document.account),
            "entity" => Value::text(&document.entity),
            "country" => Value::text(self.country),
            "group" => Value::text(self.group),
            _ => return None,
        })
    }
}

/// What the rules say about a document, and why. A rule that cannot be read for it holds it: nothing goes out unread.
pub fn review(terms: &Terms, looked: Looked<'_>) -> (Verdict, Vec<Reason>) {
    let (mut verdict, mut reasons) = (Verdict::Accept, Vec::new());
    for rule in &terms.rules {
        let (says, text) = match rule.when.holds(&looked) {
            Ok(false) => continue,
            Ok(true) => (rule.verdict, rule.text.clone()),
            Err(failure) => (Verdict::Hold, failure.to_string()),
        };
        if says == Verdict::Accept {
            break;
        }
        verdict = verdict.max(says);
        reasons.push(Reason {
            rule: rule.code.clone(),
            text,
        });
    }
    (verdict, reasons)
}

/// Refuses a rule that cannot be read, or reads what is not there.
pub(super) fn check(rule: &Rule) -> Result<(), Rejection> {
    check_id("review rule", &rule.code)?;
    if let Some(problem) = rule.when.check(&schema(), Kind::Boolean).first() {
        return Err(Rejection::new(
            "REVIEW_RULE_INVALID",
            format!("review rule {}: {problem}", rule.code),
        ));
    }
    if rule.text.trim().is_empty() && rule.verdict != Verdict::Accept {
        return Err(Rejection::new(
            "REVIEW_RULE_INVALID",
            format!("review rule {} does not say why", rule.code),
        ));
    }
    Ok(())
}
