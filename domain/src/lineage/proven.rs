//! Judges the facts of a proof: are they all there, and do they say what the document says?

use super::{finalised, meter, owner};
use crate::charges::{Event as ChargeEvent, Item, What};
use crate::invoices::{
    Document, Event as InvoiceEvent, Finalised, Invoice, Kind, Line, StatedTax, TaxStated,
};
use crate::kernel::{Date, Decider, Exact, Id, Money, Recorded};
use crate::usage::{self, Metered};
use crate::world::{Event, Noun};
use std::collections::BTreeMap;

/// Decimals of exact amounts in sentences.
const EXACT_PLACES: u32 = 12;

/// What a set of facts says about a document, after every check held.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    pub kind: Kind,
    pub number: String,
    pub account: Id,
    pub issued: Date,
    pub due: Date,
    pub net: Money,
    pub tax: Money,
    pub total: Money,
    /// The tax in the currency of the legal entity, where that is another one.
    pub accounting_tax: Option<Money>,
    /// The invoice that a credit note corrects.
    pub corrects: Option<Id>,
    pub lines: Vec<ProvenLine>,
    /// It was withdrawn later.
    pub void: bool,
    /// What later credit notes gave back, tax included.
    pub credited: Money,
}

/// A line and what lies under it.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvenLine {
    pub no: u32,
    pub text: String,
    pub quantity: String,
    pub net: Money,
    pub usage: Option<ProvenUsage>,
}

/// The usage under a line, as it stood when the document was finalised.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvenUsage {
    pub records: u64,
    /// Facts of the meter: ratings and corrections.
    pub facts: u64,
    /// Sum of what the records cost, exact.
    pub amount: Exact,
}

impl Proven {
    /// What is proven, one sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let kind = self.kind.name();
        let mut out = vec![format!(
            "{kind} {} for account {}, issued {}, due {}: {} net + {} tax = {}",
            self.number, self.account, self.issued, self.due, self.net, self.tax, self.total
        )];
        let told = self.accounting_tax.iter();
        out.extend(told.map(|tax| format!("its tax is {tax} in the accounting currency")));
        out.extend(self.corrects.iter().map(|id| format!("it corrects {id}")));
        for line in &self.lines {
            let under = line.usage.as_ref().map(|u| {
                format!(
                    ", from {} usage records in {} facts, which cost {}",
                    u.records,
                    u.facts,
                    u.amount.to_decimal(EXACT_PLACES)
                )
            });
            out.push(format!(
                "line {}: {}, {} = {}{}",
                line.no,
                line.text,
                line.quantity,
                line.net,
                under.unwrap_or_default()
            ));
        }
        let how = match self.corrects {
            None => "billed once in",
            Some(_) => "taken off",
        };
        let net = self.net;
        out.push(format!(
            "the lines sum to {net}, each is {how} its charge stream"
        ));
        if self.void {
            out.push("it was voided later and keeps its number".to_owned());
        }
        if !self.credited.is_zero() {
            out.push(format!(
                "later credit notes gave back {} of it",
                self.credited
            ));
        }
        out
    }
}

/// Checks the facts behind a document against each other. Every fact of the set must be of the tenant and in order.
///
/// The error is a sentence that names the fact, line or sum that does not hold.
pub fn check(tenant: &str, invoice: &str, facts: &[Recorded<Event>]) -> Result<Proven, String> {
    let mut before = 0;
    for fact in facts {
        if fact.tenant != tenant {
            return Err(format!(
                "the fact at position {} is of tenant {}, not {tenant}",
                fact.position, fact.tenant
            ));
        }
        if fact.position <= before {
            return Err(format!(
                "the fact at position {} does not come after position {before}",
                fact.position
            ));
        }
        before = fact.position;
    }
    let own: Vec<_> = stream(facts, Invoice::KIND, invoice).collect();
    whole(&own, "document", invoice)?;
    let Some((at, done)) = finalised(facts, invoice) else {
        return Err(format!(
            "the fact that document {invoice} was finalised is missing"
        ));
    };
    sums(invoice, &done.document)?;
    stated(invoice, &done.document, &own)?;
    let lines = match &done.document.corrects {
        Some(corrected) => {
            corrects(invoice, corrected, &done.document, facts)?;
            done.document.lines.iter().map(plain).collect()
        }
        None => {
            billed_once(invoice, &done.document, facts)?;
            let proven = done.document.lines.iter().map(|line| {
                Ok(ProvenLine {
                    usage: usage_under(line, at, facts)?,
                    ..plain(line)
                })
            });
            proven.collect::<Result<_, String>>()?
        }
    };
    Ok(proven(done, lines, &own))
}

fn proven(done: &Finalised, lines: Vec<ProvenLine>, own: &[&Recorded<Event>]) -> Proven {
    let document = &done.document;
    let parts = own.iter().flat_map(|fact| match &fact.event {
        Event::Invoice(InvoiceEvent::CreditNoted(e)) => e.parts.as_slice(),
        _ => &[],
    });
    Proven {
        kind: document.kind,
        number: done.number.clone(),
        account: document.account.clone(),
        issued: done.issued,
        due: done.due,
        net: document.net,
        tax: document.tax,
        total: document.total,
        accounting_tax: told(own).map(|told| told.total),
        corrects: document.corrects.clone(),
        lines,
        void: own
            .iter()
            .any(|fact| matches!(fact.event, Event::Invoice(InvoiceEvent::Voided(_)))),
        credited: Money::sum(document.currency, parts.map(|part| part.net.plus(part.tax))),
    }
}

/// The fact that told the tax in another currency.
fn told<'a>(own: &[&'a Recorded<Event>]) -> Option<&'a TaxStated> {
    own.iter().find_map(|fact| match &fact.event {
        Event::Invoice(InvoiceEvent::TaxStated(told)) => Some(told),
        _ => None,
    })
}

/// The tax in another currency is of all the tax, at the rate it says; of a credit note with the cents that its document has.
fn stated(id: &str, document: &Document, own: &[&Recorded<Event>]) -> Result<(), String> {
    let Some(told) = told(own) else {
        return Ok(());
    };
    let (of, to) = (document.currency, told.total.currency);
    let mixed = |p: &StatedTax| p.of.currency != of || p.amount.currency != to;
    if told.parts.iter().any(mixed) {
        return Err(format!("the tax of {id} mixes currencies"));
    }
    let sums = (
        Money::sum(of, told.parts.iter().map(|p| p.of)),
        Money::sum(to, told.parts.iter().map(|p| p.amount)),
    );
    if sums != (document.tax, told.total) {
        return Err(format!(
            "document {id} has {} of tax, {} is told as {}",
            document.tax, sums.0, told.total
        ));
    }
    for part in &told.parts {
        let exact = part.of.exact().times(part.rate).map_err(|r| r.message)?;
        let whole = Money::round(exact, to, document.rounding).map_err(|r| r.message)?;
        let off = whole.minus(part.amount).minor.abs();
        if off > i128::from(document.corrects.is_some()) {
            return Err(format!(
                "tax of {} in document {id} is {whole} at its rate, told is {}",
                part.of, part.amount
            ));
        }
    }
    Ok(())
}

fn plain(line: &Line) -> ProvenLine {
    ProvenLine {
        no: line.no,
        text: line.text.clone(),
        quantity: line.quantity.clone(),
        net: line.net,
        usage: None,
    }
}

fn stream<'a>(
    facts: &'a [Recorded<Event>],
    kind: &'a str,
    id: &'a str,
) -> impl Iterator<Item = &'a Recorded<Event>> {
    facts.iter().filter(move |f| f.kind == kind && f.id == id)
}

/// Versions count 1, 2, 3 …: no fact of the stream before the last one given is missing.
fn whole(facts: &[&Recorded<Event>], what: &str, id: &str) -> Result<(), String> {
    for (expected, fact) in (1..).zip(facts) {
        if fact.version != expected {
            return Err(format!(
                "fact {expected} of {what} {id} is missing: the fact at position {} is its fact {}",
                fact.position, fact.version
            ));
        }
    }
    Ok(())
}

/// total = Σ net lines + Σ tax, and each tax group is the sum of its lines (policy 21).
fn sums(id: &str, document: &Document) -> Result<(), String> {
    let currencies = document.lines.iter().map(|l| l.net.currency);
    let currencies = currencies.chain(document.taxes.iter().map(|t| t.amount.currency));
    let totals = [document.net, document.tax, document.total].map(|m| m.currency);
    if currencies.chain(totals).any(|c| c != document.currency) {
        return Err(format!("document {id} mixes currencies"));
    }
    let net = Money::sum(document.currency, document.lines.iter().map(|l| l.net));
    let tax = Money::sum(document.currency, document.taxes.iter().map(|t| t.amount));
    if net != document.net || tax != document.tax || net.plus(tax) != document.total {
        return Err(format!(
            "document {id}: lines {net} and tax {tax} do not make {}",
            document.total
        ));
    }
    for group in &document.taxes {
        let of_group = document.lines.iter().filter(|l| l.tax == group.tax);
        if Money::sum(document.currency, of_group.map(|l| l.net)) != group.net {
            return Err(format!(
                "document {id}: tax group {} is not the sum of its lines",
                group.tax.name
            ));
        }
    }
    Ok(())
}

/// Each line is in the charge stream of its owner exactly once, with the same net; and nothing else of this document is.
fn billed_once(id: &str, document: &Document, facts: &[Recorded<Event>]) -> Result<(), String> {
    // A request bills nothing.
    if !document.kind.is_booked() {
        return Ok(());
    }
    let mut items: BTreeMap<u32, (&Id, &Item)> = BTreeMap::new();
    let mut reduced: BTreeMap<u32, Money> = BTreeMap::new();
    for fact in facts {
        let Event::Charge(ChargeEvent::Billed(billed)) = &fact.event else {
            continue;
        };
        for item in billed.items.iter().filter(|item| item.invoice == id) {
            if let What::Reduction { .. } = item.what {
                let off = reduced
                    .entry(item.line)
                    .or_insert(Money::zero(item.net.currency));
                *off = off.plus(item.net);
            } else if items.insert(item.line, (&fact.id, item)).is_some() {
                return Err(format!("line {} of {id} is billed twice", item.line));
            }
        }
    }
    for line in &document.lines {
        let no = line.no;
        let off = reduced.remove(&no);
        let (sold, taken) = line.sold().map_err(|r| r.message)?;
        let off = off.unwrap_or(Money::zero(sold.currency));
        let taken = Money::sum(sold.currency, taken);
        if off.currency != taken.currency || off != taken.negated() {
            return Err(format!(
                "discounts take {taken} off line {no} of {id}, its charge stream has {off}"
            ));
        }
        match items.remove(&no) {
            Some((of, item)) if of == owner(line) && item.what == line.what && item.net == sold => {
            }
            Some((of, item)) => {
                return Err(format!(
                    "line {no} of {id} is {} of {}, charge stream {of} has {}",
                    line.net,
                    owner(line),
                    item.net
                ));
            }
            None => {
                return Err(format!(
                    "the charge fact under line {no} of {id} is missing"
                ));
            }
        }
        origin(id, line, facts)?;
    }
    match items.keys().next() {
        Some(no) => Err(format!(
            "a charge stream has a line {no} of {id}, the document has not"
        )),
        None => Ok(()),
    }
}

/// An added charge was added with this amount; days given back were billed on the line they name.
fn origin(id: &str, line: &Line, facts: &[Recorded<Event>]) -> Result<(), String> {
    let there = |holds: &dyn Fn(&ChargeEvent) -> bool| {
        let of_owner = facts.iter().filter(|fact| fact.id == *owner(line));
        let mut charges = of_owner.filter_map(|fact| match &fact.event {
            Event::Charge(event) => Some(event),
            _ => None,
        });
        charges.any(holds)
    };
    let found = match &line.what {
        What::Added { charge, .. } => there(&|event| {
            matches!(event, ChargeEvent::Added(e)
                if e.pending.charge == *charge && e.pending.amount == line.before_discounts())
                || matches!(event, ChargeEvent::Ordered(e)
                    if e.pending.charge == *charge && e.pending.amount == line.before_discounts())
        }),
        What::Credit { invoice, line, .. } => there(&|event| {
            matches!(event, ChargeEvent::Billed(e)
                if e.items.iter().any(|i| i.invoice == *invoice && i.line == *line))
        }),
        What::Recurring { .. }
        | What::Usage { .. }
        | What::OneOff { .. }
        | What::TopUp { .. }
        | What::Advance { .. }
        | What::Deducted { .. }
        | What::TrueUp { .. }
        | What::Cap { .. } => true,
        // A discount lowers a line; it is never one.
        What::Reduction { .. } => false,
    };
    if found {
        Ok(())
    } else {
        Err(format!(
            "the fact that line {} of {id} rests on is missing: {}",
            line.no, line.explain
        ))
    }
}

/// The meter under a line of usage: no fact of it is missing, its records sum to it, and the line shows its quantity.
fn usage_under(
    line: &Line,
    at: u64,
    facts: &[Recorded<Event>],
) -> Result<Option<ProvenUsage>, String> {
    let Some(id) = meter(line) else {
        return Ok(None);
    };
    let own: Vec<_> = stream(facts, Metered::KIND, &id).collect();
    whole(&own, "meter", &id)?;
    let (mut metered, mut known) = (Metered::default(), usage::Records::default());
    for fact in &own {
        if fact.position >= at {
            return Err(format!(
                "the usage at position {} came after the document",
                fact.position
            ));
        }
        let Event::Usage(event) = &fact.event else {
            return Err(format!(
                "the fact at position {} is no usage",
                fact.position
            ));
        };
        Metered::evolve(&mut metered, event);
        known.apply(event);
    }
    let records = known.iter().count() as u64;
    let mut amount = Exact::ZERO;
    for kept in known.iter() {
        amount = amount.plus(kept.amount).map_err(|r| r.message)?;
    }
    let meter = &metered.meter;
    let metered_amount = meter.amount.plus(meter.burnt).map_err(|r| r.message)?;
    if records != meter.records || amount != metered_amount {
        return Err(format!(
            "the {records} records under line {} cost {}, their meter says {} records and {}",
            line.no,
            amount.to_decimal(EXACT_PLACES),
            meter.records,
            metered_amount.to_decimal(EXACT_PLACES)
        ));
    }
    let quantity = meter.quantity.to_string();
    if line.quantity.split(' ').next() != Some(quantity.as_str()) {
        return Err(format!(
            "line {} shows {}, the usage under it is {quantity}",
            line.no, line.quantity
        ));
    }
    Ok(Some(ProvenUsage {
        records,
        facts: own.len() as u64,
        amount,
    }))
}

/// A credit note: its lines are lines of the document it corrects, and that document remembers each part.
fn corrects(
    note: &str,
    corrected: &str,
    document: &Document,
    facts: &[Recorded<Event>],
) -> Result<(), String> {
    let Some((_, origin)) = finalised(facts, corrected) else {
        return Err(format!(
            "the fact that document {corrected} was finalised is missing"
        ));
    };
    let parts: Vec<_> = stream(facts, Invoice::KIND, corrected)
        .filter_map(|fact| match &fact.event {
            Event::Invoice(InvoiceEvent::CreditNoted(e)) => Some(&e.parts),
            _ => None,
        })
        .flatten()
        .filter(|part| part.note == note)
        .collect();
    for line in &document.lines {
        let no = line.no;
        let of = origin
            .document
            .lines
            .iter()
            .find(|l| Some(l.no) == line.corrects_line);
        let remembered = parts
            .iter()
            .any(|p| Some(p.line) == line.corrects_line && p.net == line.net.negated());
        let taken_off = facts.iter().any(|fact| {
            fact.id == *owner(line)
                && matches!(&fact.event, Event::Charge(ChargeEvent::Adjusted(e))
                    if e.invoice == corrected
                        && Some(e.line) == line.corrects_line
                        && (e.amount == line.net.negated()
                            || of.is_some_and(|l| l.gross.is_some() || l.converted.is_some())))
        });
        if of.is_none() || !remembered || !taken_off {
            return Err(format!(
                "line {no} of {note} gives back a line that document {corrected} or its charges do not remember"
            ));
        }
    }
    if parts.len() != document.lines.len() {
        return Err(format!(
            "document {corrected} remembers {} parts given back by {note}, it has {} lines",
            parts.len(),
            document.lines.len()
        ));
    }
    Ok(())
}
