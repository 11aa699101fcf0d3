//! What six months came to, read from the read models, and the object that `--json` prints.
//!
//! Amounts are text. Nothing in it depends on a clock, on random keys or on the order of threads: the same seed gives
//! the same bytes. Fields are in the order of their names.

use super::businesses::opening;
use super::{Agreed, DemoError, TENANT};
use crate::office::Office;
use chrono::{Months, NaiveDate};
use indelible_domain::command::UsageCounts;
use indelible_domain::invoices::Kind as Document;
use indelible_domain::kernel::{Currency, Exact, Money, Rounding};
use indelible_domain::payments::Stage;
use indelible_projections::receivables::aging::Aging;
use indelible_projections::subscriptions::churn::Churn;
use indelible_projections::subscriptions::mrr::Stretch;
use indelible_projections::usage::completeness::Reason;
use indelible_projections::{
    Snapshot, Views, accounts, dunning, finance, invoices, payments, receivables, subscriptions,
    usage,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rows read from a read model at a time.
const PAGE: usize = 500;

/// Everything the demo reports.
pub struct Figures {
    /// The day the clock stands at.
    pub today: NaiveDate,
    pub seed: u64,
    /// Events of the whole log.
    pub events: u64,
    pub agreed: Vec<Agreed>,
    pub usage: UsageCounts,
    pub reasons: Vec<Reason>,
    /// By currency and month.
    pub months: Vec<invoices::list::Month>,
    pub documents: Vec<invoices::list::Invoice>,
    pub payments: Vec<payments::list::Payment>,
    pub balances: Vec<accounts::balances::Balance>,
    pub aging: Vec<Aging>,
    pub recurring: BTreeMap<Currency, Recurring>,
    pub cases: Vec<dunning::board::Case>,
    pub dunning_steps: Vec<dunning::board::Count>,
    pub trial_balance: Vec<finance::trial_balance::Line>,
    /// What was checked at the end, and held.
    pub invariants: Vec<String>,
}

/// What recurs in one currency.
pub struct Recurring {
    pub months: Vec<Stretch>,
    pub churn: Vec<Churn>,
    /// On the last day.
    pub mrr: Exact,
    pub arr: Exact,
}

impl Figures {
    /// Reads everything at one position of the log; `invariants` names what was found to hold.
    pub fn read(
        office: &Office,
        views: &Views,
        seed: u64,
        agreed: Vec<Agreed>,
        invariants: Vec<String>,
    ) -> Result<Figures, DemoError> {
        let rows = views.of(TENANT);
        let today = indelible_domain::kernel::Zone::default().date(office.clock.now());
        let mut recurring = BTreeMap::new();
        for currency in subscriptions::mrr::currencies(&rows)? {
            recurring.insert(currency, Recurring::read(&rows, currency, today)?);
        }
        Ok(Figures {
            today,
            seed,
            events: office.store().head(),
            agreed,
            usage: usage::completeness::total(&rows)?,
            reasons: usage::completeness::reasons(&rows)?,
            months: invoices::list::months(&rows)?,
            documents: all(|after| invoices::list::page(&rows, None, after, PAGE))?,
            payments: all(|after| payments::list::page(&rows, None, after, PAGE))?,
            balances: all(|after| accounts::balances::page(&rows, after, PAGE))?,
            aging: receivables::aging::totals(&rows, today)?,
            recurring,
            cases: all(|after| dunning::board::page(&rows, false, after, PAGE))?,
            dunning_steps: dunning::board::counts(&rows)?,
            trial_balance: finance::trial_balance::between(&rows, None, None, None)?,
            invariants,
        })
    }

    /// The object of `--json`.
    pub fn json(&self) -> Value {
        let each = |f: &dyn Fn(&Recurring) -> Value| -> BTreeMap<String, Value> {
            self.recurring
                .iter()
                .map(|(currency, r)| (currency.to_string(), f(r)))
                .collect()
        };
        json!({
            "aging": self.aging.iter().map(aging).collect::<Vec<_>>(),
            "arr": self.recurring.iter().map(|(c, r)| (c.to_string(), Value::from(rounded(r.arr, *c)))).collect::<BTreeMap<_, _>>(),
            "checked": self.agreed.iter().map(|a| json!({ "figure": a.figure, "what": a.what })).collect::<Vec<_>>(),
            "churn": each(&|r| r.churn.iter().map(churn).collect()),
            "dunning_steps": self.dunning_steps.iter().map(|s| (s.kind.name().to_string(), Value::from(s.times))).collect::<BTreeMap<_, _>>(),
            "events": self.events,
            "invariants": self.invariants,
            "invoices": self.invoices(),
            "mrr": self.recurring.iter().map(|(c, r)| (c.to_string(), r.json(*c))).collect::<BTreeMap<_, _>>(),
            "payments": self.payments(),
            "seed": self.seed,
            "trial_balance": self.trial_balance.iter().map(|line| json!({
                "account": line.account.name(),
                "credit": plain(line.credit),
                "currency": line.debit.currency.to_string(),
                "debit": plain(line.debit),
            })).collect::<Vec<_>>(),
            "usage": counts(&self.usage),
        })
    }

    fn invoices(&self) -> Value {
        let mut totals: BTreeMap<Currency, Money> = BTreeMap::new();
        for month in &self.months {
            let total = totals
                .entry(month.total.currency)
                .or_insert(Money::zero(month.total.currency));
            *total = total.plus(month.total);
        }
        let of = |kind| {
            self.documents
                .iter()
                .filter(|d| d.kind == kind && !d.number.is_empty())
                .count()
        };
        let voided = self
            .documents
            .iter()
            .filter(|d| d.stage == invoices::list::Stage::Void)
            .count();
        json!({
            "count": of(Document::Invoice),
            "credit_notes": of(Document::CreditNote),
            "total_by_currency": totals.into_iter().map(|(c, total)| (c.to_string(), plain(total))).collect::<BTreeMap<_, _>>(),
            "voided": voided,
        })
    }

    fn payments(&self) -> Value {
        let mut received: BTreeMap<Currency, Money> = BTreeMap::new();
        for payment in self
            .payments
            .iter()
            .filter(|p| matches!(p.stage, Stage::Settled | Stage::Returned))
        {
            let left = payment
                .amount
                .minus(payment.refunded)
                .minus(payment.charged_back);
            let sum = received
                .entry(left.currency)
                .or_insert(Money::zero(left.currency));
            *sum = sum.plus(left);
        }
        let of = |stage| self.payments.iter().filter(|p| p.stage == stage).count();
        json!({
            "count": self.payments.len(),
            "failed": of(Stage::Failed),
            "pending": of(Stage::Pending),
            "received_by_currency": received.into_iter().map(|(c, sum)| (c.to_string(), plain(sum))).collect::<BTreeMap<_, _>>(),
            "refunded": self.payments.iter().filter(|p| !p.refunded.is_zero()).count(),
            "settled": of(Stage::Settled),
        })
    }
}

impl Recurring {
    fn read(
        rows: &Snapshot<'_>,
        currency: Currency,
        today: NaiveDate,
    ) -> Result<Recurring, DemoError> {
        // What starts on the last day is the next month's: the six months end before it.
        let last = today.pred_opt().unwrap_or(today);
        let mrr = subscriptions::mrr::on(rows, currency, last)?;
        Ok(Recurring {
            months: subscriptions::mrr::by_month(rows, currency, opening(), last)?,
            churn: subscriptions::churn::by_month(rows, currency, opening(), last)?,
            mrr,
            arr: subscriptions::mrr::yearly(mrr)?,
        })
    }

    fn json(&self, currency: Currency) -> Value {
        let amount = |exact| rounded(exact, currency);
        let months: Vec<Value> = self
            .months
            .iter()
            .map(|month| {
                json!({
                    "churn": amount(month.moves.churn),
                    "closing": amount(month.closing),
                    "contraction": amount(month.moves.contraction),
                    "expansion": amount(month.moves.expansion),
                    "month": month.from.format("%Y-%m").to_string(),
                    "new": amount(month.moves.new),
                    "opening": amount(month.opening),
                    "reactivation": amount(month.moves.reactivation),
                })
            })
            .collect();
        json!({ "closing": amount(self.mrr), "movements": months })
    }
}

/// The last month that is over.
pub fn last_full_month(today: NaiveDate) -> NaiveDate {
    today.checked_sub_months(Months::new(1)).unwrap_or(today)
}

/// All rows of a read model, page by page.
fn all<T: Clone>(
    mut page: impl FnMut(
        Option<&str>,
    )
        -> Result<indelible_projections::Page<T>, indelible_projections::ViewError>,
) -> Result<Vec<T>, DemoError> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let next = page(after.as_deref())?;
        after = next.rows.last().map(|(cursor, _)| cursor.clone());
        found.extend(next.rows.into_iter().map(|(_, row)| row));
        if !next.more {
            return Ok(found);
        }
    }
}

/// The digits of an amount, without its currency.
pub fn plain(money: Money) -> String {
    let text = money.to_string();
    text.split(' ').next().unwrap_or_default().to_string()
}

/// An exact amount, rounded to be shown.
pub fn rounded(exact: Exact, currency: Currency) -> String {
    Money::round(exact, currency, Rounding::HalfUp).map_or_else(|_| exact.to_decimal(12), plain)
}

fn aging(aging: &Aging) -> Value {
    let late = |bucket: usize| aging.late.get(bucket).copied().map(plain);
    json!({
        "currency": aging.currency.to_string(),
        "days_1_to_30": late(0),
        "days_31_to_60": late(1),
        "days_61_to_90": late(2),
        "not_due": plain(aging.not_due),
        "open": plain(aging.open),
        "over_90": late(3),
        "unapplied_credit": plain(aging.unapplied),
    })
}

fn churn(churn: &Churn) -> Value {
    let ratio = |r: Option<Exact>| r.map(|r| r.to_decimal(6));
    json!({
        "accounts": churn.accounts,
        "accounts_lost": churn.accounts_lost,
        "gross_revenue": ratio(churn.gross_revenue),
        "logo": ratio(churn.logo),
        "month": churn.month.format("%Y-%m").to_string(),
        "net_revenue": ratio(churn.net_revenue),
    })
}

fn counts(counts: &UsageCounts) -> impl Serialize + use<> {
    let UsageCounts {
        received,
        accepted,
        duplicates,
        conflicts,
        unreadable,
        rated,
        pending,
        rejected,
        superseded,
    } = *counts;
    json!({
        "accepted": accepted,
        "conflicts": conflicts,
        "duplicates": duplicates,
        "pending": pending,
        "rated": rated,
        "received": received,
        "rejected": rejected,
        "superseded": superseded,
        "unreadable": unreadable,
    })
}
