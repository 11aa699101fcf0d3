//! What follows from one part of an entry.
//!
//! First our own payments by their end-to-end id, then a whole batch of ours by its id, then cash from outside. What
//! contradicts what is known is never guessed at: it stays open for a person, and the entry is booked all the same.

use super::bank_terms;
use crate::bank::entry::{self, Booked, Fate, FeeTaken, Followed, Part, Returned};
use crate::bank::{BankAccount, BankFile, Drawn, Entry as BankEntry, Item, Order, file};
use crate::command::{FailureKind, ReceiveCash, ReceivedPart};
use crate::kernel::{Date, Id, Money, Rejection};
use crate::operations::{cash, charges, folio_terms};
use crate::payments::{Answer, Command, Decline, Payment, Stage};
use crate::session::{Session, Staged};
use crate::world::Event;

/// How payments are called that come by the bank on their own.
const METHOD: &str = "transfer";

/// True for the end-to-end id of a payment that one of our files has.
pub(super) fn is_ours(session: &Session<'_>, end_to_end: &str) -> bool {
    session.index().bank.drawn.contains_key(end_to_end)
}

/// Our file and the number of its batch in a batch's id; the id of a file stands for all of it.
pub(super) fn batch_of(session: &Session<'_>, id: &str) -> Option<(Id, u32)> {
    if session.find::<BankFile>(id).is_some() {
        return Some((id.to_string(), 0));
    }
    let (file, _) = id.rsplit_once('-')?;
    session.find::<BankFile>(file)?;
    Some((file.to_string(), file::batch_number(file, id)?))
}

pub(super) fn follow(
    session: &mut Session<'_>,
    entry: &Booked,
    id: &str,
    number: u32,
    said: &ReceivedPart,
) -> Result<Followed, Rejection> {
    let part = usize::try_from(number)
        .ok()
        .and_then(|n| entry.parts.get(n));
    let part = part.unwrap_or(&said.part);
    let own = part.end_to_end.as_ref();
    let own = own.and_then(|e2e| session.index().bank.drawn.get(e2e).cloned());
    // A batch that is booked as one sum; one with its transactions names each of them.
    let batch = part.batch.as_ref().filter(|_| part.returned.is_none());
    let batch = batch.and_then(|id| batch_of(session, id));
    let result = session.attempt(|session| match (own, batch) {
        (Some(drawn), _) => ours(session, entry, (id, number), part, &drawn),
        (None, Some((file, batch))) => whole_batch(session, &file, batch, part.amount),
        (None, None) => foreign(session, entry, (id, number), said),
    });
    // A refusal of what would follow must not lose the entry: the bank's word is a fact.
    let fate = result.unwrap_or_else(|rejection| Fate::open(&rejection));
    Ok(Followed {
        part: number,
        end_to_end: part.end_to_end.clone(),
        fate,
    })
}

/// Money in for a collection, or out for a return of ours; the other way round it came back.
fn ours(
    session: &mut Session<'_>,
    entry: &Booked,
    at: (&str, u32),
    part: &Part,
    drawn: &Drawn,
) -> Result<Fate, Rejection> {
    let item = item(session, drawn, part)?;
    match (&item.order, part.amount.is_positive()) {
        (Order::Debit { .. }, true) if part.returned.is_none() => {
            if part.amount != item.amount {
                return Err(other_amount(&item, part.amount));
            }
            settle(session, std::slice::from_ref(&item))
        }
        (Order::Debit { .. }, false) => came_back(session, entry, at, &item, part),
        (Order::Transfer { .. }, false) if part.returned.is_none() => {
            if part.amount.negated() != item.amount {
                return Err(other_amount(&item, part.amount));
            }
            sent(session, &drawn.file, std::slice::from_ref(&item))
        }
        _ => Err(Rejection::new(
            "BANK_ENTRY_UNEXPECTED",
            format!(
                "{} moved for {}, which is not what was ordered",
                part.amount, item.end_to_end
            ),
        )),
    }
}

/// A collection is settled once; one that came back before its credit was told stays as it is.
pub(super) fn settle(session: &mut Session<'_>, items: &[Item]) -> Result<Fate, Rejection> {
    let mut payments = Vec::new();
    for item in items {
        let returned = came_back_before(session, &item.end_to_end);
        let stage = session.get::<Payment>(&item.payment)?.stage;
        if returned || matches!(stage, Stage::Settled | Stage::Returned) {
            continue;
        }
        let on = today(session, &item.payment)?;
        session.decide::<Payment>(&item.payment, Command::Settle { on })?;
        payments.push(item.payment.clone());
    }
    match payments.is_empty() {
        true => Ok(Fate::Noted {
            why: "its payments were settled or came back before".to_string(),
        }),
        false => Ok(Fate::Settled { payments }),
    }
}

/// Told by an earlier statement, or by an earlier entry of this one.
fn came_back_before(session: &Session<'_>, end_to_end: &str) -> bool {
    let told = |staged: &Staged| match &staged.event {
        Event::BankEntry(entry::Event::Followed(e)) => {
            e.end_to_end.as_deref() == Some(end_to_end)
                && matches!(e.fate, Fate::Failed { .. } | Fate::ChargedBack { .. })
        }
        _ => false,
    };
    session.index().bank.returned.contains(end_to_end) || session.events().iter().any(told)
}

/// The bank may keep its fee on top, never give back less than it took.
fn came_back(
    session: &mut Session<'_>,
    entry: &Booked,
    at: (&str, u32),
    item: &Item,
    part: &Part,
) -> Result<Fate, Rejection> {
    if part.amount.negated().minor < item.amount.minor {
        return Err(other_amount(item, part.amount));
    }
    let kept = part.amount.negated().minus(item.amount);
    if !kept.is_zero() {
        fee(session, entry, at, kept, Some(&item.payment))?;
    }
    if came_back_before(session, &item.end_to_end) {
        return Ok(Fate::Noted {
            why: "it was refused or came back before".to_string(),
        });
    }
    let Returned {
        code,
        reason,
        retry,
    } = part.returned.clone().unwrap_or_default();
    let payment = item.payment.clone();
    let on = today(session, &payment)?;
    if session.get::<Payment>(&payment)?.stage == Stage::Settled {
        let command = Command::ChargeBack {
            amount: Some(item.amount),
            reason: words(&code, &reason),
            on,
        };
        session.decide::<Payment>(&payment, command)?;
        return Ok(Fate::ChargedBack { payment, code });
    }
    let reason = words(&code, &reason);
    fail(session, item, code.clone(), reason, retry)?;
    Ok(Fate::Failed { payment, code })
}

pub(super) fn kind(retry: bool) -> FailureKind {
    match retry {
        true => FailureKind::Soft,
        false => FailureKind::Hard,
    }
}

/// A collection that waited does not come in.
pub(super) fn fail(
    session: &mut Session<'_>,
    item: &Item,
    code: String,
    reason: String,
    retry: bool,
) -> Result<(), Rejection> {
    let (on, kind) = (today(session, &item.payment)?, kind(retry));
    let command = match session.get::<Payment>(&item.payment)?.route {
        Some(_) => Command::Answer {
            answer: Answer::Declined {
                reference: Some(item.end_to_end.clone()),
                decline: Decline { kind, code, reason },
            },
            on,
        },
        // One that was recorded by hand has no provider that could answer.
        None => Command::Fail { kind, reason, on },
    };
    session.decide::<Payment>(&item.payment, command)?;
    Ok(())
}

/// The bank's fee goes to the account of the rule; one for a returned collection is charged to its payer, if the rule says
/// so.
fn fee(
    session: &mut Session<'_>,
    entry: &Booked,
    (id, number): (&str, u32),
    amount: Money,
    payment: Option<&Id>,
) -> Result<(), Rejection> {
    let rule = session.get::<BankAccount>(&entry.bank)?.fees.clone();
    let taken = FeeTaken {
        part: number,
        amount,
        ledger: rule.ledger,
        payment: payment.cloned(),
        on: entry.booked,
    };
    session.decide::<BankEntry>(id, entry::Command::TakeFee(taken))?;
    let (Some(payment), Some(tax_class)) = (payment, rule.recharge) else {
        return Ok(());
    };
    let account = session.get::<Payment>(payment)?.account.clone();
    let charge = format!("{id}.{number}");
    let text = "Bank fee for a returned direct debit".to_string();
    charges::add(session, &account, charge, text, amount, None, tax_class)?;
    Ok(())
}

pub(super) fn words(code: &str, reason: &str) -> String {
    match (code.is_empty(), reason.is_empty()) {
        (false, false) => format!("{code}: {reason}"),
        (false, true) => code.to_string(),
        _ => "returned by the bank".to_string(),
    }
}

/// A batch is booked with all its items, or without those that came back before. Anything else is for a person.
fn whole_batch(
    session: &mut Session<'_>,
    file: &str,
    number: u32,
    amount: Money,
) -> Result<Fate, Rejection> {
    let items: Vec<Item> = session
        .get::<BankFile>(file)?
        .batch(number)
        .cloned()
        .collect();
    let living = items
        .iter()
        .filter(|i| !came_back_before(session, &i.end_to_end));
    let all = Money::sum(amount.currency, items.iter().map(|i| i.amount));
    let net = Money::sum(amount.currency, living.map(|i| i.amount));
    let transfers = items
        .iter()
        .all(|i| matches!(i.order, Order::Transfer { .. }));
    let moved = if transfers { amount.negated() } else { amount };
    if items.is_empty() || (moved != all && moved != net) {
        return Err(Rejection::new(
            "BANK_BATCH_DIFFERS",
            format!("batch {number} of file {file} is {all}, the bank booked {amount}"),
        ));
    }
    match transfers {
        true => sent(session, file, &items),
        false => settle(session, &items),
    }
}

/// Money from or to somebody outside.
fn foreign(
    session: &mut Session<'_>,
    entry: &Booked,
    (id, number): (&str, u32),
    said: &ReceivedPart,
) -> Result<Fate, Rejection> {
    let payment = &format!("{id}.{number}");
    let amount = said.part.amount;
    if session
        .get::<BankAccount>(&entry.bank)?
        .fees
        .covers(&entry.code)
    {
        fee(session, entry, (id, number), amount.negated(), None)?;
        return Ok(Fate::Noted {
            why: "it is a fee of the bank".to_string(),
        });
    }
    if said.part.returned.is_some() || entry.reversal {
        return Err(Rejection::new(
            "BANK_RETURN_UNKNOWN",
            format!("{amount} came back of a payment that no file of ours has"),
        ));
    }
    if !amount.is_positive() {
        return Ok(Fate::Noted {
            why: "money went out that this ledger did not order".to_string(),
        });
    }
    let ask = ReceiveCash {
        payment: payment.to_string(),
        entity: bank_terms(session, &entry.bank)?.entity,
        account: None,
        amount,
        value_date: entry.value,
        reference: said.reference.clone(),
        payer: said.payer.clone(),
        method: METHOD.to_string(),
    };
    cash::receive(session, ask)?;
    Ok(Fate::Received {
        payment: payment.to_string(),
    })
}

/// Money that we sent has left: each return is made.
pub(super) fn sent(
    session: &mut Session<'_>,
    file: &str,
    items: &[Item],
) -> Result<Fate, Rejection> {
    let mut returns = Vec::new();
    for item in items {
        let Order::Transfer { number } = item.order else {
            continue;
        };
        let on = today(session, &item.payment)?;
        let answer = Answer::Settled {
            reference: item.end_to_end.clone(),
        };
        let command = Command::AnswerRefund { number, answer, on };
        session.decide::<Payment>(&item.payment, command)?;
        returns.push((item.payment.clone(), number));
    }
    Ok(Fate::Sent {
        file: file.to_string(),
        returns,
    })
}

fn item(session: &Session<'_>, drawn: &Drawn, part: &Part) -> Result<Item, Rejection> {
    let items = &session.get::<BankFile>(&drawn.file)?.items;
    let found = items
        .iter()
        .find(|i| Some(&i.end_to_end) == part.end_to_end.as_ref());
    found.cloned().ok_or_else(|| {
        Rejection::new(
            "BANK_FILE_UNKNOWN",
            format!("file {} does not have this payment", drawn.file),
        )
    })
}

fn other_amount(item: &Item, amount: Money) -> Rejection {
    Rejection::new(
        "BANK_AMOUNT_DIFFERS",
        format!(
            "{} was ordered for {}, the bank booked {amount}",
            item.amount, item.end_to_end
        ),
    )
}

/// Today in the zone of the payment's account.
pub(super) fn today(session: &Session<'_>, payment: &str) -> Result<Date, Rejection> {
    let account = &session.get::<Payment>(payment)?.account;
    Ok(session.today(&folio_terms(session, account)?.zone))
}
