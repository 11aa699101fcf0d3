//! Asking for money: which method, how much, and what is due by a day.

use super::notice;
use super::{Collection, Command, Opened, Rules, Stage, Why};
use crate::accounts::folio;
use crate::entities::LegalEntity;
use crate::invoices::Invoice;
use crate::kernel::{Date, Id, Money, Rejection, calendar::add_days};
use crate::methods::{Method, Methods};
use crate::operations::{folio_terms, wallets};
use crate::payments::{self, Payment, Recorded, Routed};
use crate::receivables::{Due, Receivables};
use crate::session::Session;
use crate::world::Tables;

/// Opens a collection and asks for the money. `method` none: the preferred one of those that can be asked.
pub fn open(
    session: &mut Session<'_>,
    collection: &str,
    opened: Opened,
    method: Option<Id>,
) -> Result<(), Rejection> {
    let on = opened.on;
    session.decide::<Collection>(collection, Command::Open(opened))?;
    attempt(session, collection, method, on)
}

/// Asks for what is open now: with `method`, else with the planned one, else with the first that may be tried.
pub fn attempt(
    session: &mut Session<'_>,
    collection: &str,
    method: Option<Id>,
    on: Date,
) -> Result<(), Rejection> {
    let state = session.get::<Collection>(collection)?.clone();
    let account = state.account.clone();
    let methods = methods(session, &account);
    let method = method.or_else(|| said(session, &state));
    let chosen = choose(&state, &methods, method, on);
    let lead = chosen.map_or(0, |m| state.rules.lead(m.means.kind()));
    let target = match target(session, &state, on, lead) {
        Target::Open(target) => target,
        // The method before it could be asked ahead of the due date; this one waits for its day.
        Target::Early(due) if chosen.is_some() => {
            let next = add_days(due, -i64::from(lead));
            session.decide::<Collection>(collection, Command::Postpone { next })?;
            return Ok(());
        }
        Target::Nothing | Target::Early(_) => {
            let reason = "nothing is open any more".to_string();
            session.decide::<Collection>(collection, Command::Close { reason, on })?;
            return Ok(());
        }
        Target::Pending => {
            let next = add_days(on, 1);
            session.decide::<Collection>(collection, Command::Postpone { next })?;
            return Ok(());
        }
    };
    let Some(method) = chosen else {
        let reason = "no payment method can be tried".to_string();
        session.decide::<Collection>(collection, Command::GiveUp { reason, on })?;
        return Ok(());
    };
    let payment = format!("{collection}.{}", state.attempts.len() + 1);
    if let Some(wallet) = method.means.wallet() {
        let parts = wallets::collect(session, &account, wallet, &target.items, on)?;
        let usable = methods.usable(on).filter(|m| m.collects());
        let draw = Command::Draw {
            attempt: payment,
            method: method.id.clone(),
            wallet: wallet.to_string(),
            asked: target.amount,
            parts,
            on,
            usable: usable.map(|m| m.id.clone()).collect(),
        };
        session.decide::<Collection>(collection, draw)?;
        return Ok(());
    }
    let Some((gateway, token)) = method.means.gateway().zip(method.means.token()) else {
        return Ok(());
    };
    let attempt = Command::Attempt {
        payment: payment.clone(),
        method: method.id.clone(),
        amount: target.amount,
        on,
    };
    session.decide::<Collection>(collection, attempt)?;
    let recorded = Recorded {
        account: account.clone(),
        amount: target.amount,
        invoice: state.invoice.clone(),
        method: method.means.kind().name().to_string(),
        pending: true,
        on,
    };
    let route = Routed {
        account,
        gateway: gateway.to_string(),
        method: method.id.clone(),
        token: token.to_string(),
        customer: method.means.customer().map(ToString::to_string),
        collection: Some(collection.to_string()),
        text: target.text,
        on: target.moves,
    };
    if state.rules.notify {
        notice::of_debit(session, &payment, method, &route, target.amount)?;
    }
    session.decide::<Payment>(&payment, payments::Command::Ask { recorded, route })?;
    Ok(())
}

/// The method that the invoice is to be paid by, as long as nothing was tried.
fn said(session: &Session<'_>, state: &Collection) -> Option<Id> {
    let invoice = state
        .invoice
        .as_ref()
        .filter(|_| state.attempts.is_empty())?;
    session
        .find::<Invoice>(invoice)?
        .state
        .document
        .method
        .clone()
}

/// The method that was asked for if it may be tried, else the planned one, else the first that is not exhausted.
fn choose<'a>(
    state: &Collection,
    methods: &'a Methods,
    asked: Option<Id>,
    on: Date,
) -> Option<&'a Method> {
    let usable = || methods.usable(on).filter(|m| m.collects());
    let planned = match &state.stage {
        Stage::Waiting { method, .. } => Some(method.clone()),
        _ => None,
    };
    let wanted = asked.or(planned);
    usable()
        .find(|m| Some(&m.id) == wanted.as_ref())
        .or_else(|| usable().find(|m| !state.exhausted(&m.id)))
}

/// The ways in which the account of a folio pays. Its wallets are in its own currency, with its own legal entity: they pay
/// nothing of another folio.
pub fn methods(session: &Session<'_>, id: &str) -> Methods {
    let found = session.find::<Methods>(folio::owner(id));
    let mut known = found.map(|e| e.state.clone()).unwrap_or_default();
    if !folio::is_own(id) {
        known.methods.retain(|m| m.means.wallet().is_none());
    }
    known
}

/// What is to be asked for.
struct Ask {
    amount: Money,
    text: String,
    /// What it is made of, by open item.
    items: Vec<(Id, Money)>,
    /// The day on which the money should move.
    moves: Date,
}

enum Target {
    Open(Ask),
    /// It is due on a later day, and the method is not asked ahead of it so far.
    Early(Date),
    /// Another payment of it is under way.
    Pending,
    Nothing,
}

/// Longest text shown to a payer, in bytes.
const TEXT_MAX: usize = 120;

fn target(session: &Session<'_>, state: &Collection, on: Date, lead: u32) -> Target {
    let Some(owed) = session.find::<Receivables>(&state.account) else {
        return Target::Nothing;
    };
    let owed = &owed.state;
    // Whoever asks for an invoice asks for all of it; otherwise an instalment waits for its day.
    let whole = state.why == Why::Asked && state.invoice.is_some();
    let mut wanted: Vec<Due> = owed.dues(on);
    wanted.retain(|d| state.covers(&d.invoice));
    let ahead = |days: u32| add_days(on, i64::from(days));
    let (until, most) = match state.why {
        Why::Due => (ahead(lead), ahead(state.rules.longest_lead())),
        _ => (on, on),
    };
    if !whole && wanted.iter().all(|d| d.due > until) {
        let due = wanted.iter().map(|d| d.due).filter(|due| *due <= most);
        if let Some(due) = due.min() {
            return Target::Early(due);
        }
    }
    wanted.retain(|d| whole || d.due <= until);
    let free = || wanted.iter().filter(|i| i.pending.is_none());
    let amount = Money::sum(owed.currency, free().map(|i| i.open));
    if amount.is_positive() {
        let (mut text, mut last) = (String::new(), None);
        for item in free().filter(|d| d.open.is_positive()) {
            if last == Some(&item.invoice) {
                continue;
            }
            if text.len() + item.number.len() + 1 > TEXT_MAX {
                break;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&item.number);
            last = Some(&item.invoice);
        }
        let mut items: Vec<(Id, Money)> = Vec::new();
        for due in free() {
            match items
                .iter_mut()
                .find(|(invoice, _)| *invoice == due.invoice)
            {
                Some((_, sum)) => *sum = sum.plus(due.open),
                None => items.push((due.invoice.clone(), due.open)),
            }
        }
        let last = free().map(|d| d.due).filter(|_| !whole).max();
        return Target::Open(Ask {
            amount,
            text,
            items,
            moves: last.map_or(on, |due| due.max(on)),
        });
    }
    match wanted.is_empty() {
        true => Target::Nothing,
        false => Target::Pending,
    }
}

/// What of a payment's invoices is open: what may be asked for when its provider is called.
pub(crate) fn open_of(session: &Session<'_>, payment: &str, state: &Payment, on: Date) -> Money {
    let none = Money::zero(state.amount.currency);
    let Some(owed) = session.find::<Receivables>(&state.account) else {
        return none;
    };
    let own = owed
        .state
        .dues(on)
        .into_iter()
        .filter(|d| d.pending.as_deref() == Some(payment));
    let open = own
        .map(|d| d.open)
        .filter(|open| open.currency == none.currency);
    Money::sum(none.currency, open)
}

/// How an account's legal entity collects.
pub fn rules_of(session: &Session<'_>, account: &str) -> Result<Rules, Rejection> {
    let entity = folio_terms(session, account)?.entity;
    let found = session.find::<LegalEntity>(&entity);
    Ok(found
        .map(|e| e.state.collection.clone())
        .unwrap_or_default())
}

/// Id of the collection that a due date of an invoice opens: there is one.
fn due_id(due: &Due) -> Id {
    format!("due.{}.{}", due.invoice, due.due)
}

/// Makes the attempts that are due by a day, and opens a collection for each invoice that is due and had none.
pub fn collect_due(session: &mut Session<'_>, account: &str, on: Date) -> Result<(), Rejection> {
    for id in open_collections(session, account) {
        let waits = session.get::<Collection>(&id)?.stage.clone();
        if let Stage::Waiting { next, .. } = waits
            && next <= on
        {
            attempt(session, &id, None, on)?;
        }
    }
    let rules = rules_of(session, account)?;
    if lead_on(&methods(session, account), &rules, on).is_none() {
        return Ok(());
    }
    let owed = session.find::<Receivables>(account);
    let dues = owed.map(|e| e.state.dues(on)).unwrap_or_default();
    let lead = lead_on(&methods(session, account), &rules, on).unwrap_or_default();
    let until = add_days(on, i64::from(lead));
    for due in dues
        .iter()
        .filter(|d| d.due <= until && d.pending.is_none())
    {
        let id = due_id(due);
        let running = open_collections(session, account).iter().any(|other| {
            let other = session.find::<Collection>(other);
            other.is_some_and(|c| c.state.is_open() && c.state.covers(&due.invoice))
        });
        if running || session.find::<Collection>(&id).is_some() {
            continue;
        }
        let opened = Opened {
            account: account.to_string(),
            invoice: Some(due.invoice.clone()),
            why: Why::Due,
            rules: rules.clone(),
            on,
        };
        open(session, &id, opened, None)?;
    }
    Ok(())
}

/// Collections of an account that were open before this command.
pub(super) fn open_collections(session: &Session<'_>, account: &str) -> Vec<Id> {
    let open = session.index().collections_of.get(account);
    open.into_iter().flatten().cloned().collect()
}

/// How many days ahead of its due date something is asked for on a day; none: nothing is collected without being asked.
/// A payer whose first choice is to bring the money is left to.
fn lead_on(methods: &Methods, rules: &Rules, on: Date) -> Option<u32> {
    let automatic = methods.automatic.unwrap_or(rules.automatic);
    let first = methods
        .preferred(on)
        .filter(|m| automatic && m.collects())?;
    Some(rules.lead(first.means.kind()))
}

/// The day on which what is due on a day is asked for by itself: the first on which the method of that day is asked so
/// far ahead.
fn asked_on(methods: &Methods, rules: &Rules, due: Date) -> Option<Date> {
    let ahead = (0..=rules.longest_lead()).rev();
    let mut days = ahead.map(|lead| (lead, add_days(due, -i64::from(lead))));
    let fits = |(ahead, on): &(u32, Date)| lead_on(methods, rules, *on) >= Some(*ahead);
    days.find(fits).map(|(_, on)| on)
}

/// The day on which something is to be collected from an account; it may be past.
pub fn next_due(tables: &Tables, open: &[Id], account: &str) -> Option<Date> {
    let collections = || {
        open.iter()
            .filter_map(|id| tables.collections.get(id).map(|e| &e.state))
    };
    let retries = collections().filter_map(|c| match &c.stage {
        Stage::Waiting { next, .. } => Some(*next),
        _ => None,
    });
    let invoices = first_due(tables, account, |invoice| {
        collections().any(|c| c.covers(invoice))
    });
    retries.chain(invoices).min()
}

fn first_due(tables: &Tables, account: &str, running: impl Fn(&str) -> bool) -> Option<Date> {
    let methods = &tables.methods.get(folio::owner(account))?.state;
    let own = &tables.accounts.get(folio::owner(account))?.state.terms;
    let terms = folio::terms(account, own)?;
    let rules = &tables.entities.get(&terms.entity)?.state.collection;
    let owed = &tables.receivables.get(account)?.state;
    let due = owed.dues(Date::MAX).into_iter().filter(|d| {
        d.pending.is_none() && !running(&d.invoice) && !tables.collections.contains_key(&due_id(d))
    });
    due.filter_map(|d| asked_on(methods, rules, d.due)).min()
}
