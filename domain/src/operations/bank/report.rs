//! A status report (pain.002): collections and transfers settle or fail by what the bank says before it books them.

use super::follow;
use crate::bank::file::{BankFile, Command, batch_number};
use crate::bank::{Item, Order, Reported, Status, Verdict};
use crate::command::{ImportStatusReport, Outcome};
use crate::kernel::Rejection;
use crate::payments::{Answer, Command as Pay, Decline, Payment, Stage};
use crate::session::Session;

pub(in crate::operations) fn report(
    session: &mut Session<'_>,
    ask: ImportStatusReport,
) -> Result<Outcome, Rejection> {
    let unknown = |what: String| Rejection::new("BANK_FILE_UNKNOWN", what);
    if session.find::<BankFile>(&ask.file).is_none() {
        return Err(unknown(format!(
            "report {} is about file {:?}, which this ledger never drew",
            ask.report, ask.file
        )));
    }
    let mut batches = Vec::new();
    for (id, verdict) in ask.batches {
        let number = batch_number(&ask.file, &id).ok_or_else(|| {
            unknown(format!(
                "report {} is about batch {id:?}, which is not one of file {}",
                ask.report, ask.file
            ))
        })?;
        batches.push((number, verdict));
    }
    let reported = Reported {
        report: ask.report.clone(),
        digest: ask.digest,
        whole: ask.whole,
        batches,
        payments: ask.payments,
        refused: Vec::new(),
    };
    let known = session.get::<BankFile>(&ask.file)?;
    let again = known.reports.contains_key(&ask.report);
    session.decide::<BankFile>(&ask.file, Command::Report(reported.clone()))?;
    if !again {
        let file = session.get::<BankFile>(&ask.file)?;
        let verdicts: Vec<(String, Verdict)> = reported.of(file).collect();
        let items = file.items.clone();
        for (item, verdict) in items.iter().filter_map(|item| {
            let named = verdicts.iter().find(|(id, _)| *id == item.end_to_end);
            named.map(|(_, verdict)| (item, verdict))
        }) {
            heed(session, &ask.file, item, verdict)?;
        }
    }
    Ok(Outcome::of("bank-file", &ask.file))
}

/// What is settled or has failed stays so: a statement tells what became of it after that.
fn heed(
    session: &mut Session<'_>,
    file: &str,
    item: &Item,
    verdict: &Verdict,
) -> Result<(), Rejection> {
    let items = std::slice::from_ref(item);
    match (&item.order, verdict.status) {
        (_, Status::Pending | Status::Accepted | Status::Partly) => {}
        (Order::Debit { .. }, Status::Settled) => drop(follow::settle(session, items)?),
        (Order::Transfer { .. }, Status::Settled) => drop(follow::sent(session, file, items)?),
        (Order::Debit { .. }, Status::Rejected) => {
            let stage = session.get::<Payment>(&item.payment)?.stage;
            if stage == Stage::Pending {
                let reason = follow::words(&verdict.code, &verdict.reason);
                follow::fail(session, item, verdict.code.clone(), reason, verdict.retry)?;
            }
        }
        (Order::Transfer { number }, Status::Rejected) => {
            let payment = session.get::<Payment>(&item.payment)?;
            if payment
                .back(*number)
                .is_some_and(|back| back.stage.is_open())
            {
                let answer = Answer::Declined {
                    reference: Some(item.end_to_end.clone()),
                    decline: Decline {
                        kind: follow::kind(verdict.retry),
                        code: verdict.code.clone(),
                        reason: follow::words(&verdict.code, &verdict.reason),
                    },
                };
                let on = follow::today(session, &item.payment)?;
                let command = Pay::AnswerRefund {
                    number: *number,
                    answer,
                    on,
                };
                session.decide::<Payment>(&item.payment, command)?;
            }
        }
    }
    Ok(())
}
