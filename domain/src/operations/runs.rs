//! Bill runs: who may have something due, one payer after the other, and what became of each.

use super::billing::compose_document;
use super::{account_terms, folios, invoicing, terms_of};
use crate::command::Outcome;
use crate::invoices::{self, Invoice, Stage};
use crate::kernel::{Date, Id, Money, Rejection, check_id};
use crate::processes::agenda::Timer;
use crate::runs::{BillRun, Command, FolioCarried};
use crate::session::Session;
use std::collections::BTreeSet;

/// Most drafts that one command of a cancelled run rejects.
const REJECTED_AT_ONCE: usize = 200;
/// Most documents that one command of a cancelled run looks at.
const LOOKED_AT_ONCE: usize = 10_000;

/// Nobody's document is computed here: an account with nothing due is found out when its turn comes.
///
/// A run whose list is not whole goes on with it, if it is asked for as it was started.
pub(super) fn start(
    session: &mut Session<'_>,
    run: &str,
    as_of: Option<Date>,
    accounts: Vec<Id>,
    draft: bool,
) -> Result<Outcome, Rejection> {
    check_id("bill run", run)?;
    let named = !accounts.is_empty();
    let begun = session.find::<BillRun>(run).map(|e| &e.state);
    let begun = begun.filter(|state| {
        let day = as_of.is_none() || as_of == state.as_of;
        state.listing() && day && state.draft == draft && state.named == named
    });
    let listed = begun.map(|state| (state.as_of, state.accounts.clone()));
    let mut last_day = as_of;
    let mut payers: Vec<Id> = if named {
        let (payers, day) = named_payers(session, as_of, accounts)?;
        last_day = last_day.max(day);
        payers
    } else {
        last_day = match &listed {
            Some((day, _)) => *day,
            None => last_day.or_else(|| session.agenda().last_today(session.now())),
        };
        waiting(session, as_of, last_day)?
    };
    match listed {
        Some((_, listed)) => {
            let listed: BTreeSet<&Id> = listed.iter().collect();
            payers.retain(|payer| !listed.contains(payer));
            session.decide::<BillRun>(run, Command::List { accounts: payers })?;
        }
        None => {
            let as_of = last_day.unwrap_or_else(|| session.today(&crate::kernel::Zone::default()));
            let start = Command::Start {
                as_of,
                accounts: payers,
                draft,
                named,
            };
            session.decide::<BillRun>(run, start)?;
        }
    }
    let waiting = session.get::<BillRun>(run)?.waiting() as u64;
    Ok(Outcome {
        left: waiting + 1,
        ..Outcome::of("bill-run", run)
    })
}

/// Who pays for accounts that were named, each once and in that order, and the last day that is today for one of them.
fn named_payers(
    session: &Session<'_>,
    as_of: Option<Date>,
    accounts: Vec<Id>,
) -> Result<(Vec<Id>, Option<Date>), Rejection> {
    let (mut payers, mut met, mut last_day) = (Vec::new(), BTreeSet::new(), None);
    for account in accounts {
        let terms = account_terms(session, &account)?;
        let payer = terms.payer(&account).to_string();
        last_day = last_day.max(Some(as_of.unwrap_or_else(|| session.today(&terms.zone))));
        if met.insert(payer.clone()) {
            payers.push(payer);
        }
    }
    Ok((payers, last_day))
}

/// Payers of accounts for which the agenda has something to bill by a day, each once and in order: nobody else is looked at.
/// Others wait meanwhile, so that no account is looked at where its payer is all there is to know.
fn waiting(
    session: &Session<'_>,
    as_of: Option<Date>,
    day: Option<Date>,
) -> Result<Vec<Id>, Rejection> {
    let mut payers: Vec<&str> = Vec::new();
    for (on, timer) in day
        .iter()
        .flat_map(|day| session.agenda().all_through(*day))
    {
        let Timer::Bill { account } = timer else {
            continue;
        };
        // Without a day of its own the run is as of today, which is another day where the zone is.
        if as_of.is_some() || on <= session.today(&terms_of(session, account)?.zone) {
            payers.push(session.index().payer(account));
        }
    }
    payers.sort_unstable();
    payers.dedup();
    Ok(payers.into_iter().map(str::to_string).collect())
}

pub(super) fn step(session: &mut Session<'_>, run: &str) -> Result<Outcome, Rejection> {
    let state = session.get::<BillRun>(run)?;
    let (waiting, drafts) = (state.waiting() as u64, state.draft);
    let open = !state.completed && state.cancelled.is_none();
    let (Some(as_of), true) = (state.as_of, open) else {
        return Ok(Outcome::of("bill-run", run));
    };
    // A list that is not whole has no next account either: completing it is refused.
    let Some(account) = state.next().cloned() else {
        session.decide::<BillRun>(run, Command::Complete)?;
        return Ok(Outcome::of("bill-run", run));
    };
    let mut outcome = Outcome {
        left: waiting,
        ..Outcome::of("bill-run", run)
    };
    let billed = session.attempt(|s| bill(s, run, &account, as_of, drafts));
    let step = match billed {
        Ok(Made::Documents { invoices, carried }) => {
            for left in carried {
                session.decide::<BillRun>(run, Command::Leave(left))?;
            }
            let touched = invoices.iter().map(|i| ("invoice".to_string(), i.clone()));
            outcome.touched.extend(touched);
            Command::Billed { account, invoices }
        }
        Ok(Made::Carried { total, minimum }) => Command::Carried {
            account,
            total,
            minimum,
        },
        Err(rejection) => Command::Refused { account, rejection },
    };
    session.decide::<BillRun>(run, step)?;
    Ok(outcome)
}

/// What became of a payer.
enum Made {
    /// Empty: nothing was due. Folios that wait beside them come back with the next run.
    Documents {
        invoices: Vec<Id>,
        carried: Vec<FolioCarried>,
    },
    Carried {
        total: Money,
        minimum: Money,
    },
}

fn bill(
    session: &mut Session<'_>,
    run: &str,
    account: &str,
    as_of: Date,
    draft: bool,
) -> Result<Made, Rejection> {
    let folios = folios::of(session, account)?;
    // Late fees and suspensions of days that have come are billed, whenever the clock is asked.
    for folio in &folios {
        super::dunning::dun(session, folio)?;
    }
    let mut made = Vec::new();
    let mut carried = Vec::new();
    for folio in &folios {
        // One after the other: what the first uses of a discount is not there for the next.
        let Some(mut document) = compose_document(session, folio, as_of)? else {
            continue;
        };
        document.run = Some(run.to_string());
        let terms = invoicing::terms_of(session, account, &document.entity);
        if let (false, Some(minimum)) = (draft, invoicing::carries(session, &document, &terms)?) {
            carried.push(FolioCarried {
                folio: folio.clone(),
                total: document.total,
                minimum,
            });
            continue;
        }
        for part in invoicing::split(session, document, terms.split)? {
            let invoice = unused(session, run, account, made.len());
            if draft {
                session.decide::<Invoice>(&invoice, invoices::Command::Draft(Box::new(part)))?;
            } else {
                invoicing::conclude(session, &invoice, part, &terms)?;
            }
            made.push(invoice);
        }
    }
    Ok(match carried.first() {
        Some(FolioCarried { total, minimum, .. }) if made.is_empty() => Made::Carried {
            total: *total,
            minimum: *minimum,
        },
        _ => Made::Documents {
            invoices: made,
            carried,
        },
    })
}

/// `<run>.<account>`, and `<run>.<account>.2` and so on for more; one that was used by an earlier try is left out.
fn unused(session: &Session<'_>, run: &str, account: &str, made: usize) -> Id {
    let mut n = made + 1;
    loop {
        let id = match n {
            1 => format!("{run}.{account}"),
            n => format!("{run}.{account}.{n}"),
        };
        if session.find::<Invoice>(&id).is_none() {
            return id;
        }
        n += 1;
    }
}

/// Bills nobody else, and rejects what is still a draft; documents that are final stay. Of many documents one command takes some:
/// it is asked again while something is left, and begins where it stopped. What was looked at is not looked at again, because
/// nothing becomes a draft of this run any more.
///
/// Errors: RUN_FINAL where it is through and has no draft: documents that are final are voided or credited one by one.
pub(super) fn cancel(
    session: &mut Session<'_>,
    run: &str,
    reason: String,
) -> Result<Outcome, Rejection> {
    let state = session.get::<BillRun>(run)?;
    let through = state.completed && state.cancelled.is_none();
    if through && !state.billed.iter().any(|(_, made)| is_draft(session, made)) {
        return Err(Rejection::new(
            "RUN_FINAL",
            format!(
                "bill run {run} is finished, and none of the {} documents that it made is a draft: nothing of it can be cancelled",
                state.billed.len()
            ),
        ));
    }
    session.decide::<BillRun>(
        run,
        Command::Cancel {
            reason: reason.clone(),
        },
    )?;
    let state = session.get::<BillRun>(run)?;
    let (all, mut upto) = (state.billed.len(), state.swept);
    let mut drafts: Vec<Id> = Vec::new();
    for (_, invoice) in state.billed.since(upto).take(LOOKED_AT_ONCE) {
        if is_draft(session, invoice) {
            if drafts.len() == REJECTED_AT_ONCE {
                break;
            }
            drafts.push(invoice.clone());
        }
        upto += 1;
    }
    for invoice in &drafts {
        invoicing::reject(session, invoice, reason.clone())?;
    }
    session.decide::<BillRun>(run, Command::Sweep { upto })?;
    Ok(Outcome {
        left: all.saturating_sub(upto) as u64,
        ..Outcome::of("bill-run", run)
    })
}

fn is_draft(session: &Session<'_>, invoice: &str) -> bool {
    let found = session.find::<Invoice>(invoice);
    found.is_some_and(|e| e.state.stage == Stage::Draft)
}

/// Accounts that were refused wait again; the run goes on with them alone.
pub(super) fn retry(
    session: &mut Session<'_>,
    run: &str,
    accounts: Vec<Id>,
) -> Result<Outcome, Rejection> {
    session.decide::<BillRun>(run, Command::Retry { accounts })?;
    let waiting = session.get::<BillRun>(run)?.waiting() as u64;
    Ok(Outcome {
        left: waiting + 1,
        ..Outcome::of("bill-run", run)
    })
}
