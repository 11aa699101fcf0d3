//! A statement, entry by entry: what is known stays as it is, what is new is booked together with what follows from it.

use super::{bank_terms, follow};
use crate::bank::account::{Announced, Expected};
use crate::bank::entry::{Booked, Command as EntryCommand, Part};
use crate::bank::statement::{Balances, Command, Counts, ENTRIES_MAX, Kind, Opened};
use crate::bank::{BankAccount, Entry, Gap, Statement, Taken, account, entry, statement};
use crate::command::{ImportStatement, Outcome, ReceivedEntry};
use crate::kernel::{Id, Rejection};
use crate::session::Session;

pub(in crate::operations) fn import(
    session: &mut Session<'_>,
    ask: ImportStatement,
) -> Result<Outcome, Rejection> {
    let Some(bank) = session.index().bank.numbers.get(&ask.number).cloned() else {
        return Err(Rejection::new(
            "BANK_ACCOUNT_UNKNOWN",
            format!(
                "no bank account is known by the number of statement {}",
                ask.name
            ),
        ));
    };
    if ask.entries.len() > ENTRIES_MAX {
        return Err(Rejection::new(
            "STATEMENT_TOO_LARGE",
            format!(
                "{} entries in one part of a statement, at most {ENTRIES_MAX}",
                ask.entries.len()
            ),
        ));
    }
    let id = statement::id(&bank, ask.kind, &ask.name);
    open(session, &bank, &id, &ask)?;
    let taken = session.get::<Statement>(&id)?.taken.contains(&ask.part);
    if !taken {
        let counts = match ask.kind {
            Kind::Interim => announce(session, &bank, &id, ask.entries)?,
            kind => entries(session, &bank, &id, kind, ask.entries)?,
        };
        let taken = Taken {
            part: ask.part,
            counts,
        };
        session.decide::<Statement>(&id, Command::Take(taken))?;
        if session.get::<Statement>(&id)?.is_complete()
            && ask.kind == Kind::Statement
            && let Some(closing) = ask.closing
        {
            let command = account::Command::Balance {
                statement: id.clone(),
                closing: closing.amount,
                on: closing.on,
            };
            session.decide::<BankAccount>(&bank, command)?;
        }
    }
    Ok(Outcome::of("bank-statement", &id))
}

/// A statement that does not begin where the last one ended is taken, and says so.
fn open(
    session: &mut Session<'_>,
    bank: &str,
    id: &str,
    ask: &ImportStatement,
) -> Result<(), Rejection> {
    let terms = bank_terms(session, bank)?;
    let foreign = ask.entries.iter().map(|e| e.amount.currency);
    if let Some(currency) = foreign.into_iter().find(|c| *c != terms.currency) {
        return Err(Rejection::new(
            "CURRENCY_MISMATCH",
            format!(
                "bank account {bank} is in {}, the statement in {currency}",
                terms.currency
            ),
        ));
    }
    let last = session.get::<BankAccount>(bank)?.closing;
    let gap = match (last, ask.opening) {
        _ if ask.kind == Kind::Interim => None,
        (Some((expected, _)), Some(opening)) if opening.amount != expected => Some(Gap {
            expected,
            found: opening.amount,
        }),
        _ => None,
    };
    let opened = Opened {
        bank: bank.to_string(),
        kind: ask.kind,
        name: ask.name.clone(),
        digest: ask.digest,
        balances: Box::new(Balances {
            opening: ask.opening,
            closing: ask.closing,
            gap,
        }),
        parts: ask.parts,
    };
    session.decide::<Statement>(id, Command::Open(Box::new(opened)))?;
    Ok(())
}

/// What the day has brought so far is shown until a statement books it.
fn announce(
    session: &mut Session<'_>,
    bank: &Id,
    statement: &Id,
    entries: Vec<ReceivedEntry>,
) -> Result<Counts, Rejection> {
    let mut counts = Counts::default();
    let mut expected = Vec::new();
    for received in entries {
        counts.received += 1;
        if session
            .find::<Entry>(&entry::id(bank, &received.key))
            .is_some()
        {
            counts.known += 1;
            continue;
        }
        counts.left += 1;
        let mut named = received
            .parts
            .iter()
            .filter_map(|p| p.part.end_to_end.clone());
        expected.push(Expected {
            key: received.key,
            referenced: received.referenced,
            amount: received.amount,
            pending: received.pending,
            on: received.booked,
            code: received.code,
            end_to_end: named.find(|id| follow::is_ours(session, id)),
        });
    }
    let announced = Announced {
        statement: statement.clone(),
        entries: expected,
    };
    session.decide::<BankAccount>(bank, account::Command::Announce(announced))?;
    Ok(counts)
}

fn entries(
    session: &mut Session<'_>,
    bank: &Id,
    statement: &Id,
    kind: Kind,
    entries: Vec<ReceivedEntry>,
) -> Result<Counts, Rejection> {
    let mut counts = Counts::default();
    for received in entries {
        counts.received += 1;
        let id = entry::id(bank, &received.key);
        if session.find::<Entry>(&id).is_some() {
            counts.known += 1;
        } else if kind == Kind::Notification && !received.referenced {
            // The statement of the day brings it again, and could not be told that it is the same.
            counts.left += 1;
        } else {
            counts.new += 1;
            book(session, bank, statement, &id, received)?;
        }
    }
    Ok(counts)
}

fn book(
    session: &mut Session<'_>,
    bank: &Id,
    statement: &Id,
    id: &str,
    received: ReceivedEntry,
) -> Result<(), Rejection> {
    let known = |part: &Part| Part {
        end_to_end: part
            .end_to_end
            .clone()
            .filter(|id| follow::is_ours(session, id)),
        batch: part
            .batch
            .clone()
            .filter(|id| follow::batch_of(session, id).is_some()),
        ..part.clone()
    };
    let booked = Booked {
        bank: bank.clone(),
        statement: statement.clone(),
        key: received.key,
        amount: received.amount,
        reversal: received.reversal,
        booked: received.booked,
        value: received.value,
        code: received.code,
        parts: received.parts.iter().map(|p| known(&p.part)).collect(),
    };
    session.decide::<Entry>(id, EntryCommand::Book(booked.clone()))?;
    for (n, said) in (0..).zip(&received.parts) {
        let followed = follow::follow(session, &booked, id, n, said)?;
        session.decide::<Entry>(id, EntryCommand::Follow(followed))?;
    }
    Ok(())
}
