//! Matching by hand, and what automatic matching allows beside money: facts and rules.

use super::work::Work;
use super::{Part, Receivables, Source, WriteOffReversed};
use crate::cash::Rules;
use crate::kernel::{Decimal, Id, Money, Rejection};
use serde::{Deserialize, Serialize};

/// Invoices or credits that one match may take together.
pub const MATCH_MAX: usize = 500;

/// Where the rest of a match stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestOn {
    /// It stays open.
    Invoice(Id),
    /// It stays credit.
    Credit(Source),
    /// Nowhere: what lacks is small by the entity's rules, and need not be paid.
    Allowed,
}

/// Credit of one source on one invoice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchPart {
    pub source: Source,
    pub invoice: Id,
    pub amount: Money,
}

/// Credit pays invoices because somebody said so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matched {
    pub parts: Vec<MatchPart>,
}

/// Money of a source is taken off an invoice: both are as they were before, and kept apart until somebody says more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unmatched {
    pub source: Source,
    pub invoice: Id,
    pub amount: Money,
}

/// Unapplied credit pays nothing by itself any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditHeld {
    pub source: Source,
    pub amount: Money,
}

/// Unmatched invoices and held credit pay and are paid by the rules again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditReleased {
    pub sources: Vec<Source>,
    pub invoices: Vec<Id>,
}

/// Why less money than what is open closes an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A small difference within the entity's tolerance.
    Difference,
    /// A discount for paying early.
    EarlyPayment,
}

/// Something of an invoice need not be paid, because a payment paid the rest of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allowed {
    pub invoice: Id,
    pub source: Source,
    pub why: Why,
    pub amount: Money,
    /// The part of `amount` that is tax: it is not owed to the authority either.
    pub tax: Money,
}

/// It has to be paid after all, because that payment is gone from the invoice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AllowanceReversed {
    pub invoice: Id,
    pub source: Source,
    pub why: Why,
    pub amount: Money,
    pub tax: Money,
}

/// Money in another currency settled claims of the account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchanged {
    pub payment: Id,
    /// What was paid.
    pub paid: Money,
    /// Units of the account's currency for one unit of the paid one, on the value date.
    pub rate: Decimal,
    /// `paid` at that rate.
    pub worth: Money,
    /// What the payment counts for; `worth` − `settled` is a gain, below zero a loss.
    pub settled: Money,
}

/// Held back beside money: on the item, for taking it back with the payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allowance {
    pub source: Source,
    pub why: Why,
    pub amount: Money,
    pub tax: Money,
}

impl Receivables {
    /// Where the rest of a match could stay (policy 27): the invoices if they are more than the credits, else the
    /// credits, that are at least the difference. Empty: the sums are equal and there is no rest.
    ///
    /// # Errors
    /// `MATCH_INVALID` unless there is something to match on both sides; `INVOICE_PENDING`, `INVOICE_NOT_OPEN`,
    /// `CREDIT_UNKNOWN`; `MATCH_IMPOSSIBLE` when no single one can take the rest.
    pub fn candidates(
        &self,
        invoices: &[Id],
        credits: &[Source],
    ) -> Result<Vec<RestOn>, Rejection> {
        let work = Work::on(self);
        let (debits, credits) = work.sides(invoices, credits)?;
        let sum = |parts: &mut dyn Iterator<Item = Money>| Money::sum(self.currency, parts);
        let owed = sum(&mut debits.iter().map(|(_, m)| *m));
        let paid = sum(&mut credits.iter().map(|(_, m)| *m));
        let rest = owed.minus(paid);
        let found: Vec<RestOn> = if rest.is_negative() {
            let large = credits
                .into_iter()
                .filter(|(_, m)| m.minor >= rest.negated().minor);
            large.map(|(source, _)| RestOn::Credit(source)).collect()
        } else if rest.is_positive() {
            let large = debits.into_iter().filter(|(_, m)| m.minor >= rest.minor);
            large.map(|(invoice, _)| RestOn::Invoice(invoice)).collect()
        } else {
            return Ok(vec![]);
        };
        if found.is_empty() {
            let why = format!(
                "{owed} open and {paid} credit differ by more than any single one of the larger side"
            );
            return Err(Rejection::new("MATCH_IMPOSSIBLE", why));
        }
        Ok(found)
    }
}

/// The sum of one side; nothing in the default currency for none.
fn sum_of<T>(side: &[(T, Money)]) -> Money {
    let mut parts = side.iter().map(|(_, m)| *m);
    let first = parts.next().unwrap_or_default();
    parts.fold(first, Money::plus)
}

type Sides = (Vec<(Id, Money)>, Vec<(Source, Money)>);

impl Work {
    fn sides(&self, invoices: &[Id], sources: &[Source]) -> Result<Sides, Rejection> {
        let invalid = |why: &str| Err(Rejection::new("MATCH_INVALID", why));
        if invoices.is_empty() || sources.is_empty() {
            return invalid("a match takes at least one invoice and one credit");
        }
        if invoices.len() > MATCH_MAX || sources.len() > MATCH_MAX {
            return invalid("a match takes at most 500 invoices and 500 credits");
        }
        let mut debits: Vec<(Id, Money)> = Vec::new();
        for invoice in invoices {
            let item = self.free_item(invoice, None)?;
            if !item.open.is_positive() || debits.iter().any(|(i, _)| i == invoice) {
                return invalid("every invoice of a match is open and named once");
            }
            debits.push((invoice.clone(), item.open));
        }
        let mut credits: Vec<(Source, Money)> = Vec::new();
        for source in sources {
            let fund = self.fund(source)?;
            if !fund.unapplied.is_positive() || credits.iter().any(|(s, _)| s == source) {
                return invalid(
                    "every credit of a match has something unapplied and is named once",
                );
            }
            credits.push((source.clone(), fund.unapplied));
        }
        Ok((debits, credits))
    }

    /// Matches all of them; what one side is more than the other stays where `rest_on` says, or on the only one that
    /// can take it (policy 27).
    pub fn match_all(
        &mut self,
        invoices: &[Id],
        sources: &[Source],
        rest_on: Option<&RestOn>,
    ) -> Result<(), Rejection> {
        let candidates = self.next.candidates(invoices, sources)?;
        let rest_on = match (rest_on, candidates.as_slice()) {
            (_, []) => None,
            (Some(chosen), found) if found.contains(chosen) => Some(chosen.clone()),
            (Some(_), _) => {
                let why = "the chosen one is on the smaller side or smaller than the rest";
                return Err(Rejection::new("MATCH_IMPOSSIBLE", why));
            }
            (None, [only]) => Some(only.clone()),
            (None, several) => {
                let named: Vec<String> = several.iter().map(RestOn::name).collect();
                let why = format!("the rest can stay on {}: choose one", named.join(", "));
                return Err(Rejection::new("MATCH_AMBIGUOUS", why));
            }
        };
        let (mut debits, mut credits) = self.sides(invoices, sources)?;
        let (owed, paid) = (sum_of(&debits), sum_of(&credits));
        match &rest_on {
            Some(RestOn::Invoice(rest)) => {
                for (_, open) in debits.iter_mut().filter(|(i, _)| i == rest) {
                    *open = open.minus(owed.minus(paid));
                }
            }
            Some(RestOn::Credit(rest)) => {
                for (_, left) in credits.iter_mut().filter(|(s, _)| s == rest) {
                    *left = left.minus(paid.minus(owed));
                }
            }
            Some(RestOn::Allowed) | None => {}
        }
        self.pair(debits, credits);
        Ok(())
    }

    /// Matches all of them, and what lacks on the last invoice need not be paid: it is small by the rules.
    ///
    /// # Errors
    /// `MATCH_IMPOSSIBLE` when nothing lacks, or more than the last invoice; `TOLERANCE_EXCEEDED`.
    pub fn match_short(
        &mut self,
        invoices: &[Id],
        sources: &[Source],
        rules: &Rules,
    ) -> Result<(), Rejection> {
        let (mut debits, credits) = self.sides(invoices, sources)?;
        let lacks = sum_of(&debits).minus(sum_of(&credits));
        let impossible = || {
            let why =
                format!("{lacks} lacks: only what is missing of the last invoice can be allowed");
            Rejection::new("MATCH_IMPOSSIBLE", why)
        };
        let (last, open) = debits.last_mut().ok_or_else(impossible)?;
        if !lacks.is_positive() || lacks.minor >= open.minor {
            return Err(impossible());
        }
        let (invoice, most) = (last.clone(), rules.tolerated(self.item(last)?.total));
        if lacks.minor > most.minor {
            let why = format!("{lacks} lacks, a difference of {most} is small");
            return Err(Rejection::new("TOLERANCE_EXCEEDED", why));
        }
        *open = open.minus(lacks);
        let source = self.pair(debits, credits).ok_or_else(impossible)?;
        self.say(Allowed {
            invoice,
            source,
            why: Why::Difference,
            amount: lacks,
            tax: Money::zero(lacks.currency),
        });
        Ok(())
    }

    /// Credits pay debits in their order; the answer is the credit that paid the last part.
    fn pair(&mut self, debits: Vec<(Id, Money)>, credits: Vec<(Source, Money)>) -> Option<Source> {
        let mut parts: Vec<MatchPart> = Vec::new();
        let mut credits = credits.into_iter();
        let mut credit = credits.next();
        for (invoice, mut open) in debits {
            while let Some((source, left)) = credit.as_mut().filter(|_| open.is_positive()) {
                let amount = open.min(*left);
                if amount.is_positive() {
                    parts.push(MatchPart {
                        source: source.clone(),
                        invoice: invoice.clone(),
                        amount,
                    });
                }
                open = open.minus(amount);
                *left = left.minus(amount);
                if left.is_zero() {
                    credit = credits.next();
                }
            }
        }
        let last = parts.last().map(|p| p.source.clone());
        self.say(Matched { parts });
        last
    }

    /// These credits pay what they can of one invoice.
    pub fn pay_one(
        &mut self,
        invoice: &str,
        credits: Vec<(Source, Money)>,
    ) -> Result<(), Rejection> {
        let mut open = self.free_item(invoice, None)?.open;
        let mut parts = Vec::new();
        for (source, left) in credits {
            let amount = left.min(open);
            if amount.is_positive() {
                open = open.minus(amount);
                parts.push(MatchPart {
                    source,
                    invoice: invoice.to_string(),
                    amount,
                });
            }
        }
        if !parts.is_empty() {
            self.say(Matched { parts });
        }
        Ok(())
    }

    /// Takes what a source (none: every source) paid off an invoice.
    pub fn unmatch(&mut self, invoice: &str, source: Option<&Source>) -> Result<(), Rejection> {
        let number = self.item(invoice)?.number.clone();
        let applied = self.next.applied_to(invoice);
        let applied = applied.filter(|(s, _)| source.is_none_or(|chosen| chosen == *s));
        let mut sums: Vec<(Source, Money)> = Vec::new();
        for (from, part) in applied {
            match sums.iter_mut().find(|(s, _)| s == from) {
                Some((_, sum)) => *sum = sum.plus(part.amount),
                None => sums.push((from.clone(), part.amount)),
            }
        }
        if sums.is_empty() {
            return Err(Rejection::new(
                "MATCH_UNKNOWN",
                format!("nothing of that kind is applied to invoice {number}"),
            ));
        }
        for (source, amount) in sums {
            self.disallow(invoice, &source);
            self.say(Unmatched {
                source,
                invoice: invoice.to_string(),
                amount,
            });
        }
        Ok(())
    }

    /// What was held or unmatched goes by the rules again.
    pub fn release(&mut self) {
        let held = self.next.funds.iter().filter(|f| f.held.is_positive());
        let sources: Vec<Source> = held.map(|f| f.source.clone()).collect();
        let kept = self.next.items.iter().filter(|i| i.by_hand);
        let invoices: Vec<Id> = kept.map(|i| i.invoice.clone()).collect();
        if !sources.is_empty() || !invoices.is_empty() {
            self.say(CreditReleased { sources, invoices });
        }
    }

    /// What was allowed with a source's payment of an invoice has to be paid again.
    pub fn disallow(&mut self, invoice: &str, source: &Source) {
        let item = self.next.item(invoice);
        let all = item.map(|i| i.allowances.clone()).unwrap_or_default();
        for allowance in all.into_iter().filter(|a| a.source == *source) {
            self.say(AllowanceReversed {
                invoice: invoice.to_string(),
                source: allowance.source,
                why: allowance.why,
                amount: allowance.amount,
                tax: allowance.tax,
            });
        }
    }

    /// Everything that was allowed for a source's payments of these invoices.
    pub fn disallow_all(&mut self, source: &Source, parts: &[Part]) {
        for part in parts {
            self.disallow(&part.invoice, source);
        }
    }

    /// Money that comes for a written-off invoice, beyond what is open of it, takes the write-off back.
    pub fn revive(&mut self, invoice: &str, amount: Money, reason: &str) {
        let Some(item) = self.next.item(invoice) else {
            return;
        };
        let back = amount.minus(item.open).min(item.written_off);
        if back.is_positive() {
            self.say(WriteOffReversed {
                invoice: invoice.to_string(),
                amount: back,
                reason: reason.to_string(),
            });
        }
    }
}

impl RestOn {
    fn name(&self) -> String {
        match self {
            RestOn::Invoice(invoice) => format!("invoice {invoice}"),
            RestOn::Credit(source) => source.name(),
            RestOn::Allowed => "a small difference".to_string(),
        }
    }
}

impl Source {
    /// What it is called in a sentence.
    pub fn name(&self) -> String {
        match self {
            Source::Payment(id) => format!("payment {id}"),
            Source::Note(id) => format!("credit note {id}"),
            Source::Grant(id) => format!("credit {id}"),
            Source::Transfer(id) => format!("transfer {id}"),
            Source::Wallet(id) => format!("wallet payment {id}"),
        }
    }
}
