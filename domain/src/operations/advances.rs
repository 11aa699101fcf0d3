//! Advances: invoiced when they are asked for, taken off what they are for, given back when something is left.

use super::{entity_terms, folio_terms, folios, invoices, receivables, taxes};
use crate::accounts::folio;
use crate::advances::{
    Advance, Asked, Closed, Command, Credited, Deducted, Part, Requested, Rest, Terms, Wanted,
};
use crate::charges::What;
use crate::command::Outcome;
use crate::invoices::{Document, Invoice, Kind, Line, compose};
use crate::invoicing::{self, Invoicing};
use crate::kernel::{Date, Id, Money, Rejection, check_id};
use crate::receivables::{Event as Receivable, Receivables, Source};
use crate::session::{Session, Staged};
use crate::subscriptions::Subscription;
use crate::taxes::Answer;
use crate::world::Event;
use std::collections::BTreeMap;

/// What documents that are made together take off, by advance and tax, before any of them is final.
pub(super) type Used = BTreeMap<(Id, Answer), Part>;

/// Id of the document of an advance.
pub fn invoice_id(advance: &str) -> Id {
    format!("advance.{advance}")
}

/// Id of the document that requests an advance before it is invoiced.
pub fn request_id(advance: &str) -> Id {
    format!("advance.{advance}.request")
}

/// Invoices an advance that nothing was said of before.
pub(super) fn ask(session: &mut Session<'_>, id: &str, terms: Terms) -> Result<Outcome, Rejection> {
    check_id("advance", id)?;
    allowed(session, &terms)?;
    ask_by_invoice(session, id, terms, Command::Ask)?;
    let mut outcome = Outcome::of("advance", id);
    let invoice = invoice_id(id);
    outcome.touched.push(("invoice".to_string(), invoice));
    Ok(outcome)
}

/// Asks for an advance by a document that is no invoice: nothing is owed or taxed until the money is there.
///
/// Tax on a payment on account is due on receipt (Directive 2006/112/EC, article 65), and the invoice of it is due then
/// (article 220 (1), points 4 and 5).
pub(super) fn request(
    session: &mut Session<'_>,
    id: &str,
    terms: Terms,
) -> Result<Outcome, Rejection> {
    check_id("advance", id)?;
    allowed(session, &terms)?;
    let (kind, on) = (Kind::AdvanceRequest, today(session, &terms)?);
    let document = document(session, id, &terms, kind, on)?;
    let own = request_id(id);
    let requested = Requested {
        terms,
        document: own.clone(),
        total: document.total,
        on,
    };
    session.decide::<Advance>(id, Command::Request(Box::new(requested)))?;
    super::billing::freeze(session, &own, document)?;
    let mut outcome = Outcome::of("advance", id);
    outcome.touched.push(("invoice".to_string(), own));
    Ok(outcome)
}

/// Invoices a requested advance, whether or not its money is there.
pub(super) fn invoice(session: &mut Session<'_>, id: &str) -> Result<Outcome, Rejection> {
    let state = session.get::<Advance>(id)?;
    let terms = match (state.waiting(), &state.closed) {
        (Some(requested), _) => requested.terms.clone(),
        (None, Some(closed)) => return Err(crate::advances::is_closed(closed)),
        (None, None) => {
            return Err(Rejection::new(
                "ADVANCE_INVOICED",
                format!("advance {id} is invoiced already, by {}", state.invoice),
            ));
        }
    };
    ask_by_invoice(session, id, terms, Command::Invoice)?;
    let mut outcome = Outcome::of("advance", id);
    let invoice = invoice_id(id);
    outcome.touched.push(("invoice".to_string(), invoice));
    Ok(outcome)
}

/// Refuses what nobody can be asked for.
fn allowed(session: &Session<'_>, terms: &Terms) -> Result<(), Rejection> {
    let account = folio_terms(session, &terms.account)?;
    let owner = folio::owner(&terms.account).to_string();
    if let Some(payer) = &account.payer {
        return Err(Rejection::new(
            "PAID_BY_OTHER",
            format!("account {owner} is paid for by {payer}: ask that account"),
        ));
    }
    if let Some(subscription) = &terms.subscription {
        let sub = session.get::<Subscription>(subscription)?;
        let paid_by = super::account_terms(session, &sub.account)?;
        if paid_by.payer(&sub.account) != owner {
            return Err(Rejection::new(
                "SUBSCRIPTION_UNKNOWN",
                format!("account {owner} does not pay for subscription {subscription:?}"),
            ));
        }
    }
    let foreign = |wanted: &&Wanted| wanted.amount.currency != account.currency;
    match terms.lines.iter().find(foreign) {
        Some(wanted) => Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "{} is owed in {}, the advance is in {}",
                terms.account, account.currency, wanted.amount.currency
            ),
        )),
        None => Ok(()),
    }
}

fn today(session: &Session<'_>, terms: &Terms) -> Result<Date, Rejection> {
    Ok(session.today(&folio_terms(session, &terms.account)?.zone))
}

/// Numbers and books the invoice of an advance, with the tax of today.
fn ask_by_invoice(
    session: &mut Session<'_>,
    id: &str,
    terms: Terms,
    command: fn(Box<Asked>) -> Command,
) -> Result<(), Rejection> {
    let on = today(session, &terms)?;
    let document = document(session, id, &terms, Kind::AdvanceInvoice, on)?;
    let invoice = invoice_id(id);
    let part = |group: &crate::invoices::TaxGroup| Part {
        tax: group.tax.clone(),
        net: group.net,
        amount: group.amount,
    };
    let asked = Asked {
        terms,
        invoice: invoice.clone(),
        rounding: document.rounding,
        parts: document.taxes.iter().map(part).collect(),
        on,
    };
    session.decide::<Advance>(id, command(Box::new(asked)))?;
    super::billing::finalise(session, &invoice, document)
}

/// What asks for an advance, with the tax of a day.
fn document(
    session: &Session<'_>,
    id: &str,
    terms: &Terms,
    kind: Kind,
    on: Date,
) -> Result<Document, Rejection> {
    let account = folio_terms(session, &terms.account)?;
    let owner = folio::owner(&terms.account).to_string();
    let entity = entity_terms(session, &account.entity)?;
    let mut lines = Vec::new();
    for wanted in &terms.lines {
        let class = &wanted.tax_class;
        let tax = taxes::answer(session, &owner, &account, &entity, class, on);
        let what = What::Advance {
            advance: id.to_string(),
            on,
        };
        let explain = format!("{} asked for before the supply", wanted.amount);
        lines.push(line(
            &owner,
            what,
            wanted.text.clone(),
            wanted.amount,
            tax,
            explain,
        ));
    }
    compose::complete(Document {
        kind,
        account: owner,
        entity: account.entity,
        currency: account.currency,
        rounding: entity.rounding,
        as_of: on,
        lines,
        order: terms.order.clone(),
        ..Document::default()
    })
}

/// Whether the invoice of an advance can be made now. Without an exchange rate for its tax it cannot: money that came is
/// never refused for that, it stays credit, and the request waits.
fn can_be_invoiced(session: &Session<'_>, id: &str, terms: &Terms) -> Result<bool, Rejection> {
    let on = today(session, terms)?;
    let document = document(session, id, terms, Kind::AdvanceInvoice, on)?;
    let issued = super::billing::issued(session, &document)?;
    match super::stated::of(session, &document, issued) {
        Err(why) if why.code == "RATE_MISSING" => Ok(false),
        other => other.map(|_| true),
    }
}

/// What a payment that names a document is for: of a request that it pays whole, the invoice that follows it now; of one that is
/// invoiced, that invoice as far as it is open; nothing in particular of another request.
///
/// `settled`: the money that is there. It is asked before the payment is told, so that the invoice is open when it is applied.
pub(crate) fn of_request(
    session: &mut Session<'_>,
    document: &str,
    settled: Option<Money>,
) -> Result<Option<Id>, Rejection> {
    let named = session.find::<Invoice>(document).map(|e| &e.state);
    let Some(named) = named.filter(|i| !i.document.kind.is_booked()) else {
        return Ok(Some(document.to_string()));
    };
    let folio = folios::of_document(session, &named.document)?;
    let Some(What::Advance { advance, .. }) = named.document.lines.first().map(|l| &l.what) else {
        return Ok(None);
    };
    let advance = advance.clone();
    let state = session.get::<Advance>(&advance)?;
    if let (Some(requested), Some(paid)) = (state.waiting(), settled)
        && requested.total.currency == paid.currency
        && requested.total.minor <= paid.minor
        && can_be_invoiced(session, &advance, &requested.terms)?
    {
        invoice(session, &advance)?;
        return Ok(Some(invoice_id(&advance)));
    }
    let own = state.invoice.clone();
    let owed = session.find::<Receivables>(&folio);
    let item = owed.and_then(|e| e.state.item(&own));
    Ok(item.filter(|i| i.open.is_positive()).map(|_| own))
}

/// The same of documents that one payment names; what is left of it is for the later ones.
pub(super) fn of_requests(
    session: &mut Session<'_>,
    documents: Vec<Id>,
    paid: Money,
) -> Result<Vec<Id>, Rejection> {
    let (mut left, mut found) = (paid, Vec::new());
    for document in documents {
        let Some(invoice) = of_request(session, &document, Some(left))? else {
            continue;
        };
        let total = session.get::<Invoice>(&invoice)?.document.total;
        if total.currency == left.currency {
            left = left.minus(total.min(left));
        }
        if !found.contains(&invoice) {
            found.push(invoice);
        }
    }
    Ok(found)
}

/// Money that came in and is for nothing yet pays the requests of its folio, the oldest first: each that it pays whole is
/// invoiced, and the invoice takes it.
fn covered(session: &mut Session<'_>, folio: &str) -> Result<(), Rejection> {
    let known = session.index().advances_of.get(folio::owner(folio));
    let known = known.cloned().unwrap_or_default();
    let Some(owed) = session.find::<Receivables>(folio).map(|e| &e.state) else {
        return Ok(());
    };
    // An invoice that this command made may not have taken its money yet.
    let mut free = owed.unapplied();
    let mut waiting = Vec::new();
    for id in &known {
        let state = session.get::<Advance>(id)?;
        let (requested, made) = (state.waiting(), session.find::<Invoice>(&state.invoice));
        let request = requested.and_then(|r| session.find::<Invoice>(&r.document));
        let Some(document) = request.or(made).map(|e| &e.state.document) else {
            continue;
        };
        if folios::of_document(session, document)? != folio {
            continue;
        }
        match requested {
            Some(requested) => waiting.push((id, requested.total)),
            None if owed.item(&state.invoice).is_none() => free = free.minus(document.total),
            None => {}
        }
    }
    for (id, total) in waiting {
        let fits = total.currency == free.currency && total.minor <= free.minor;
        let requested = session.get::<Advance>(id)?.waiting();
        let Some(terms) = requested.filter(|_| fits).map(|r| r.terms.clone()) else {
            continue;
        };
        if can_be_invoiced(session, id, &terms)? {
            invoice(session, id)?;
            free = free.minus(session.get::<Invoice>(&invoice_id(id))?.document.total);
        }
    }
    Ok(())
}

fn line(account: &str, what: What, text: String, net: Money, tax: Answer, explain: String) -> Line {
    Line {
        no: 0,
        account: account.to_string(),
        subscription: None,
        what,
        text,
        quantity: "1".to_string(),
        exact: net.exact(),
        net,
        tax,
        explain,
        corrects_line: None,
        reductions: vec![],
        gross: None,
        converted: None,
    }
}

/// The document without what it takes off.
pub(super) fn without(document: Document) -> Result<Document, Rejection> {
    let takes = |l: &Line| matches!(l.what, What::Deducted { .. });
    if !document.lines.iter().any(takes) {
        return Ok(document);
    }
    let lines = document.lines.iter().filter(|l| !takes(l)).cloned();
    compose::complete(Document {
        lines: lines.collect(),
        ..document.clone()
    })
}

/// The document with what advances take off it: the oldest first, by tax, never more than it asks for. `used`: what
/// other documents of the same making take off.
pub(super) fn deduct(
    session: &Session<'_>,
    document: Document,
    used: &mut Used,
) -> Result<Document, Rejection> {
    let known = session.index().advances_of.get(&document.account);
    let Some(known) = known.filter(|known| !known.is_empty()) else {
        return Ok(document);
    };
    let mut document = without(document)?;
    let mut room: BTreeMap<Answer, Money> = BTreeMap::new();
    for group in &document.taxes {
        room.insert(group.tax.clone(), group.net);
    }
    let mut lines = Vec::new();
    for id in known {
        let Some(advance) = session.find::<Advance>(id).map(|e| &e.state) else {
            continue;
        };
        let Some(terms) = advance.terms.as_ref().filter(|_| advance.is_open()) else {
            continue;
        };
        let Some(origin) = session.find::<Invoice>(&advance.invoice).map(|e| &e.state) else {
            continue;
        };
        if origin.document.folio() != document.folio() || !ripe(session, terms, origin, advance)? {
            continue;
        }
        for whole in &advance.parts {
            let Some(mut left) = advance.left(&whole.tax) else {
                continue;
            };
            let key = (id.clone(), whole.tax.clone());
            if let Some(gone) = used.get(&key) {
                left.net = left.net.minus(gone.net);
                left.amount = left.amount.minus(gone.amount);
            }
            for tax in rates_of(session, terms, origin, &whole.tax, document.as_of)? {
                let asked = asked_for(session, terms, &document, &tax);
                let most = room.get(&tax).copied().unwrap_or(asked).min(asked);
                let net = left.net.min(most);
                if !net.is_positive() {
                    continue;
                }
                let part = Advance::share(&left, net, document.rounding)?;
                left.net = left.net.minus(part.net);
                left.amount = left.amount.minus(part.amount);
                if let Some(room) = room.get_mut(&tax) {
                    *room = room.minus(net);
                }
                let gone = used.entry(key.clone()).or_insert_with(|| Part {
                    tax: whole.tax.clone(),
                    net: Money::zero(net.currency),
                    amount: Money::zero(net.currency),
                });
                gone.net = gone.net.plus(part.net);
                gone.amount = gone.amount.plus(part.amount);
                lines.push(taken_off(&document.account, id, origin, part));
            }
        }
    }
    if lines.is_empty() {
        return Ok(document);
    }
    document.lines.extend(lines);
    compose::complete(document)
}

/// The taxes off whose supply a part of an advance is taken: its own, then what its classes are taxed with on a later day.
///
/// A supply is taxed at the rate of its own day, also as far as an advance was taxed before at another one; the tax of the
/// advance is taken off as it was asked for, so that the document of the supply corrects it (Directive 2006/112/EC, articles
/// 93 and 95; § 27 (1) UStG).
fn rates_of(
    session: &Session<'_>,
    terms: &Terms,
    origin: &Invoice,
    own: &Answer,
    on: Date,
) -> Result<Vec<Answer>, Rejection> {
    let mut found = vec![own.clone()];
    let account = folio_terms(session, &terms.account)?;
    let entity = entity_terms(session, &account.entity)?;
    let owner = folio::owner(&terms.account);
    // Each line of its document is one that was asked for.
    let lines = terms.lines.iter().zip(&origin.document.lines);
    for (wanted, _) in lines.filter(|(_, line)| line.tax == *own) {
        let now = taxes::answer(session, owner, &account, &entity, &wanted.tax_class, on);
        if !found.contains(&now) {
            found.push(now);
        }
    }
    Ok(found)
}

fn taken_off(account: &str, advance: &str, origin: &Invoice, part: Part) -> Line {
    let issued = origin.issued.unwrap_or_default();
    let text = format!("Advance {} of {issued}", origin.number);
    let explain = format!(
        "{} asked for by {} on {issued}, with tax {}, is taken off",
        part.net, origin.number, part.amount
    );
    let what = What::Deducted {
        advance: advance.to_string(),
        tax: part.amount,
    };
    line(account, what, text, part.net.negated(), part.tax, explain)
}

/// Whether an advance can be taken off: its own document stands, and is paid where that is agreed.
fn ripe(
    session: &Session<'_>,
    terms: &Terms,
    origin: &Invoice,
    advance: &Advance,
) -> Result<bool, Rejection> {
    if origin.stage != crate::invoices::Stage::Finalised {
        return Ok(false);
    }
    if !terms.once_paid {
        return Ok(true);
    }
    let folio = folios::of_document(session, &origin.document)?;
    let owed = session.find::<Receivables>(&folio);
    let item = owed.and_then(|e| e.state.item(&advance.invoice));
    Ok(item.is_some_and(|i| i.open.is_zero() && i.written_off.is_zero()))
}

/// What a document asks for of one tax and rate for what an advance is for.
fn asked_for(session: &Session<'_>, terms: &Terms, document: &Document, tax: &Answer) -> Money {
    let is_for = |line: &&Line| match (&terms.subscription, &terms.order) {
        (Some(subscription), _) => line.subscription.as_ref() == Some(subscription),
        (None, Some(order)) => order_of(session, line).as_ref() == Some(order),
        (None, None) => true,
    };
    let own = |line: &&Line| !matches!(line.what, What::TopUp { .. } | What::Advance { .. });
    let lines = document.lines.iter().filter(|l| l.tax == *tax);
    let nets = lines.filter(own).filter(is_for).map(|l| l.net);
    Money::sum(document.currency, nets)
}

fn order_of(session: &Session<'_>, line: &Line) -> Option<String> {
    let said = session.find::<Invoicing>(&invoicing::of_account(&line.account))?;
    said.state.orders.get(line.subscription.as_ref()?).cloned()
}

/// A document is final, or waits with its lines: what it takes off is gone.
pub(super) fn take(
    session: &mut Session<'_>,
    invoice: &str,
    lines: &[Line],
) -> Result<(), Rejection> {
    let mut parts: BTreeMap<Id, Vec<Part>> = BTreeMap::new();
    for line in lines {
        if let What::Deducted { advance, tax } = &line.what {
            parts.entry(advance.clone()).or_default().push(Part {
                tax: line.tax.clone(),
                net: line.net.negated(),
                amount: *tax,
            });
        }
    }
    for (advance, parts) in parts {
        let document = invoice.to_string();
        let deducted = Deducted { document, parts };
        session.decide::<Advance>(&advance, Command::Deduct(deducted))?;
    }
    Ok(())
}

/// A document is void or was never sent: what it took off is there again. One that asked for an advance of which something was
/// taken off stays.
pub(super) fn give_back(
    session: &mut Session<'_>,
    invoice: &str,
    lines: &[Line],
) -> Result<(), Rejection> {
    for line in lines {
        match &line.what {
            What::Deducted { advance, .. } => {
                let document = invoice.to_string();
                session.decide::<Advance>(advance, Command::Return { document })?;
                left_closed(session, advance)?;
            }
            What::Advance { advance, on } => {
                let state = session.get::<Advance>(advance)?;
                if !state.taken.is_empty() {
                    return Err(deducted(advance));
                }
                let request = state.requested.as_ref();
                let request = request.is_some_and(|r| r.document == invoice);
                if request && !state.invoice.is_empty() {
                    return Err(Rejection::new(
                        "ADVANCE_INVOICED",
                        format!("advance {advance} is invoiced: what asked for it stays"),
                    ));
                }
                if state.is_open() {
                    let closed = Closed {
                        rest: Rest::Credit,
                        note: None,
                        reason: match request {
                            true => "its request is void".to_string(),
                            false => "its invoice is void".to_string(),
                        },
                        on: *on,
                    };
                    session.decide::<Advance>(advance, Command::Close(closed))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What comes back to an advance that is closed goes the way of what was left when it was closed: nothing takes it off any more.
fn left_closed(session: &mut Session<'_>, id: &str) -> Result<(), Rejection> {
    let state = session.get::<Advance>(id)?;
    let Some(closed) = state.closed.clone() else {
        return Ok(());
    };
    let (left, invoice) = (state.rest(), state.invoice.clone());
    if left.is_empty() {
        return Ok(());
    }
    let mut notes = (2..).map(|n| format!("{}.{n}", note_id(&invoice)));
    let note = notes.find(|id| session.find::<Invoice>(id).is_none());
    let note = note.unwrap_or_default();
    credit_rest(session, &note, &invoice, left, &closed.reason)
}

/// Id of the note over what is left of an advance, by its own document; those of what came back later are named after it.
fn note_id(invoice: &str) -> Id {
    format!("{invoice}.note")
}

/// Credits what is left of an advance on its own document.
fn credit_rest(
    session: &mut Session<'_>,
    note: &str,
    invoice: &str,
    left: Vec<Part>,
    reason: &str,
) -> Result<(), Rejection> {
    let origin = session.get::<Invoice>(invoice)?;
    let mut parts = Vec::new();
    for part in left {
        let mut back = part.net;
        let lines = origin.document.lines.iter().filter(|l| l.tax == part.tax);
        for line in lines {
            let of = origin.line_left(line).min(back);
            if of.is_positive() {
                back = back.minus(of);
                parts.push((line.no, Some(of)));
            }
        }
    }
    invoices::credit(session, note, invoice, &parts, reason)?;
    Ok(())
}

fn deducted(advance: &str) -> Rejection {
    Rejection::new(
        "ADVANCE_DEDUCTED",
        format!("something of advance {advance} was taken off a document: void that one first"),
    )
}

/// The tax of what a credit note gives back of an advance, by tax: what the rest of the advance does not need.
pub(super) fn taxes_of(
    session: &Session<'_>,
    invoice: &Invoice,
    parts: &[(u32, Money)],
) -> Result<BTreeMap<Answer, Money>, Rejection> {
    let mut nets: BTreeMap<Answer, (&Id, Money)> = BTreeMap::new();
    for (no, net) in parts {
        let Some(line) = invoice.line(*no) else {
            continue;
        };
        if let What::Advance { advance, .. } = &line.what {
            let zero = Money::zero(net.currency);
            let sum = nets.entry(line.tax.clone()).or_insert((advance, zero));
            sum.1 = sum.1.plus(*net);
        }
    }
    let mut told = BTreeMap::new();
    for (tax, (advance, net)) in nets {
        let state = session.get::<Advance>(advance)?;
        if let Some(left) = state.left(&tax) {
            let part = Advance::share(&left, net, invoice.document.rounding)?;
            told.insert(tax, part.amount);
        }
    }
    Ok(told)
}

/// A credit note gives back parts of an advance's document: never what was taken off.
pub(super) fn credited(
    session: &mut Session<'_>,
    note: &str,
    invoice: &Invoice,
    parts: &[crate::invoices::Credited],
) -> Result<(), Rejection> {
    let mut given: BTreeMap<Id, Vec<Part>> = BTreeMap::new();
    for part in parts {
        let Some(line) = invoice.line(part.line) else {
            continue;
        };
        let What::Advance { advance, .. } = &line.what else {
            continue;
        };
        let known = given.entry(advance.clone()).or_default();
        match known.iter_mut().find(|p| p.tax == line.tax) {
            Some(known) => {
                known.net = known.net.plus(part.net);
                known.amount = known.amount.plus(part.tax);
            }
            None => known.push(Part {
                tax: line.tax.clone(),
                net: part.net,
                amount: part.tax,
            }),
        }
    }
    for (advance, parts) in given {
        let note = note.to_string();
        session.decide::<Advance>(&advance, Command::Credit(Credited { note, parts }))?;
    }
    Ok(())
}

/// Gives back what is left by a credit note, and takes nothing off any more.
pub(super) fn close(
    session: &mut Session<'_>,
    id: &str,
    rest: Rest,
    reason: String,
) -> Result<Outcome, Rejection> {
    let state = session.get::<Advance>(id)?.clone();
    let on = match &state.terms {
        Some(terms) => session.today(&folio_terms(session, &terms.account)?.zone),
        None => Date::default(),
    };
    let left = state.rest();
    let request = state.waiting().map(|r| r.document.clone());
    let note = (!left.is_empty() && state.is_open()).then(|| note_id(&state.invoice));
    let closed = Closed {
        rest,
        note: note.clone(),
        reason: reason.clone(),
        on,
    };
    session.decide::<Advance>(id, Command::Close(closed))?;
    let mut outcome = Outcome::of("advance", id);
    if let Some(note) = note {
        credit_rest(session, &note, &state.invoice, left, &reason)?;
        outcome.touched.push(("invoice".to_string(), note));
    }
    if let Some(request) = request {
        invoices::void(session, &request, reason)?;
        outcome.touched.push(("invoice".to_string(), request));
    }
    Ok(outcome)
}

/// Money that is there for a request, and what the note over the rest of an advance left unused: it is paid out, where that was
/// chosen.
pub(crate) fn react(session: &mut Session<'_>, fact: &Staged) -> Result<(), Rejection> {
    if let Event::Receivable(Receivable::PaymentApplied(e)) = &fact.event
        && e.unapplied.is_positive()
    {
        return covered(session, &fact.id);
    }
    let Event::Receivable(Receivable::CreditGranted(e)) = &fact.event else {
        return Ok(());
    };
    let Source::Note(note) = &e.source else {
        return Ok(());
    };
    let Some(document) = session.find::<Invoice>(note).map(|e| &e.state.document) else {
        return Ok(());
    };
    let Some(What::Advance { advance, .. }) = document.lines.first().map(|l| &l.what) else {
        return Ok(());
    };
    let Some(state) = session.find::<Advance>(advance).map(|e| &e.state) else {
        return Ok(());
    };
    let (closed, of_rest) = (state.closed.clone(), note_id(&state.invoice));
    let rest = note
        .strip_prefix(&of_rest)
        .is_some_and(|more| more.is_empty() || more.starts_with('.'));
    let Some(closed) = closed.filter(|c| c.rest == Rest::Refund && rest) else {
        return Ok(());
    };
    let free = session
        .find::<Receivables>(&fact.id)
        .and_then(|e| e.state.fund(&of_note(note)).map(|f| f.unapplied));
    match free.filter(|free| free.is_positive()) {
        Some(free) => {
            let parts = vec![(of_note(note), free)];
            receivables::pay_out(session, note, &fact.id, parts, &closed.reason)
        }
        None => Ok(()),
    }
}

fn of_note(note: &str) -> Source {
    Source::Note(note.to_string())
}
