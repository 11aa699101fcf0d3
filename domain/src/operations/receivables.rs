//! What is agreed and moved by hand about open items and credit: matches, disputes, plans, deposits, transfers.

use super::{entity_terms, folio_terms, folios, payments};
use crate::accounts::AccountTerms;
use crate::cash::{self, Desk};
use crate::command::{Command, Outcome, RecordPayment};
use crate::kernel::{Date, Id, Money, Rejection, check_id};
use crate::receivables::{self, ClaimOpened, Found, Receivables, Remitted, Source};
use crate::session::Session;

/// Decides one of the commands about open items and credit.
pub(super) fn handle(session: &mut Session<'_>, command: Command) -> Result<Outcome, Rejection> {
    use receivables::Command as Ask;
    match command {
        Command::SetCashRules { entity, rules } => {
            entity_terms(session, &entity)?;
            session.decide::<Desk>(&entity, cash::Command::SetRules(rules))?;
            Ok(Outcome::of("entity", &entity))
        }
        Command::MatchItems {
            account,
            invoices,
            credits,
            rest_on,
        } => {
            let account = folios::holding(session, &account, invoices.first().map(String::as_str));
            let entity = folio_terms(session, &account)?.entity;
            let rules = session.find::<Desk>(&entity).map(|e| e.state.rules.clone());
            let ask = Ask::Match {
                invoices,
                credits,
                rest_on,
                rules: rules.unwrap_or_default(),
            };
            ask_of(session, &account, ask)
        }
        Command::UnmatchItem {
            account,
            invoice,
            source,
        } => {
            let account = folios::holding(session, &account, Some(&invoice));
            ask_of(session, &account, Ask::Unmatch { invoice, source })
        }
        Command::ReleaseCredit { account } => ask_of(session, &account, Ask::Release),
        Command::TransferCredit {
            transfer,
            from,
            to,
            amount,
            reason,
        } => transfer_credit(session, transfer, (&from, &to), amount, reason),
        Command::TransferDebt {
            transfer,
            invoice,
            from,
            to,
            amount,
            reason,
        } => transfer_debt(session, transfer, (&from, &to), (invoice, amount), reason),
        Command::RefundCredit {
            refund,
            account,
            amount,
            reason,
        } => refund_credit(session, refund, &account, amount, reason),
        Command::DisputeItem {
            dispute,
            account,
            invoice,
            amount,
            reason,
        } => {
            check_id("dispute", &dispute)?;
            let account = folios::holding(session, &account, Some(&invoice));
            let ask = Ask::Dispute {
                dispute,
                invoice,
                amount,
                reason,
            };
            ask_of(session, &account, ask)
        }
        Command::EndDispute {
            dispute,
            account,
            upheld,
            reason,
        } => {
            let ask = Ask::EndDispute {
                dispute,
                upheld,
                reason,
            };
            ask_of(session, &account, ask)
        }
        Command::AgreePlan {
            plan,
            account,
            invoices,
            instalments,
            grace_days,
        } => {
            check_id("payment plan", &plan)?;
            let account = folios::holding(session, &account, invoices.first().map(String::as_str));
            let on = today(session, &account)?;
            let ask = Ask::Plan {
                plan,
                invoices,
                instalments,
                grace_days,
                on,
            };
            ask_of(session, &account, ask)
        }
        Command::CancelPlan {
            plan,
            account,
            reason,
        } => {
            let on = today(session, &account)?;
            ask_of(session, &account, Ask::CancelPlan { plan, reason, on })
        }
        Command::CheckPlans { account } => {
            let on = today(session, &account)?;
            ask_of(session, &account, Ask::CheckPlans { on })
        }
        Command::ReceiveDeposit {
            deposit,
            account,
            amount,
            value_date,
            method,
        } => receive_deposit(session, deposit, account, (amount, value_date), method),
        Command::TakeDeposit {
            deposit,
            account,
            amount,
            reason,
        } => {
            check_id("deposit", &deposit)?;
            let ask = Ask::TakeDeposit {
                deposit,
                amount,
                reason,
            };
            ask_of(session, &account, ask)
        }
        Command::ApplyDeposit {
            deposit,
            account,
            invoice,
            amount,
            reason,
        } => {
            let ask = Ask::ReleaseDeposit {
                deposit,
                amount,
                source: None,
                invoice,
                hold: false,
                reason,
            };
            ask_of(session, &account, ask)
        }
        Command::ReturnDeposit {
            deposit,
            account,
            amount,
            reason,
        } => return_deposit(session, deposit, &account, amount, reason),
        other => unreachable!("{other:?} is not about open items"),
    }
}

fn ask_of(
    session: &mut Session<'_>,
    account: &str,
    ask: receivables::Command,
) -> Result<Outcome, Rejection> {
    folio_terms(session, account)?;
    session.decide::<Receivables>(account, ask)?;
    Ok(Outcome::of("account", account))
}

fn today(session: &Session<'_>, account: &str) -> Result<Date, Rejection> {
    Ok(session.today(&folio_terms(session, account)?.zone))
}

/// Both accounts of a transfer, which must be of one entity and currency: two sets of books are not settled here.
fn both(session: &Session<'_>, from: &str, to: &str) -> Result<AccountTerms, Rejection> {
    let (giver, taker) = (folio_terms(session, from)?, folio_terms(session, to)?);
    if from == to || giver.entity != taker.entity || giver.currency != taker.currency {
        let why = format!(
            "{from} is of {} in {}, {to} of {} in {}: a transfer needs two accounts of one entity and currency",
            giver.entity, giver.currency, taker.entity, taker.currency
        );
        return Err(Rejection::new("TRANSFER_IMPOSSIBLE", why));
    }
    Ok(taker)
}

fn transfer_credit(
    session: &mut Session<'_>,
    transfer: Id,
    (from, to): (&str, &str),
    amount: Money,
    reason: String,
) -> Result<Outcome, Rejection> {
    check_id("transfer", &transfer)?;
    let from = &folios::paying(session, from, None, amount.currency)?;
    let to = &folios::paying(session, to, None, amount.currency)?;
    both(session, from, to)?;
    let outcome = Outcome::of("transfer", &transfer);
    session.decide::<Receivables>(
        from,
        receivables::Command::MoveCredit {
            transfer: transfer.clone(),
            amount,
            to: to.to_string(),
            reason: reason.clone(),
        },
    )?;
    let credit = receivables::Command::Grant {
        source: Source::Transfer(transfer),
        amount,
        reason,
    };
    session.decide::<Receivables>(to, credit)?;
    Ok(outcome)
}

/// The debt is paid here by a credit of the transfer, and an item of the other account from now on, due as before.
fn transfer_debt(
    session: &mut Session<'_>,
    transfer: Id,
    (from, to): (&str, &str),
    (invoice, amount): (Id, Option<Money>),
    reason: String,
) -> Result<Outcome, Rejection> {
    check_id("transfer", &transfer)?;
    let from = &folios::holding(session, from, Some(&invoice));
    both(session, from, to)?;
    let missing = || {
        let why = format!("account {from} has no finalised invoice {invoice:?} to pay");
        Rejection::new("INVOICE_NOT_OPEN", why)
    };
    let state = session.find::<Receivables>(from).map(|e| &e.state);
    let item = state.and_then(|s| s.item(&invoice)).ok_or_else(missing)?;
    let amount = amount.unwrap_or(item.open);
    if amount.currency != item.open.currency || amount.minor > item.open.minor {
        let why = format!(
            "{} of invoice {} is open, asked to transfer {amount}",
            item.open, item.number
        );
        return Err(Rejection::new("TRANSFER_TOO_LARGE", why));
    }
    let claim = ClaimOpened {
        claim: transfer.clone(),
        number: item.number.clone(),
        invoice: item.invoice.clone(),
        issued: item.issued,
        due: item.due,
        total: amount,
        from: from.to_string(),
    };
    let source = Source::Transfer(transfer.clone());
    let given = receivables::Command::Relieve {
        source,
        amount,
        invoice,
        reason,
    };
    session.decide::<Receivables>(from, given)?;
    session.decide::<Receivables>(to, receivables::Command::Claim(claim))?;
    Ok(Outcome::of("transfer", &transfer))
}

/// Free credit, oldest first: what a payment stands behind is refunded with it, the rest is paid out.
fn refund_credit(
    session: &mut Session<'_>,
    refund: Id,
    account: &str,
    amount: Money,
    reason: String,
) -> Result<Outcome, Rejection> {
    check_id("refund", &refund)?;
    let account = &folios::paying(session, account, None, amount.currency)?;
    let funds = session.find::<Receivables>(account);
    let funds = funds.map(|e| e.state.funds.clone()).unwrap_or_default();
    let mut parts = Vec::new();
    let mut left = amount;
    for fund in funds
        .into_iter()
        .filter(|f| f.amount.currency == amount.currency)
    {
        let part = fund.unapplied.min(left);
        if part.is_positive() {
            left = left.minus(part);
            parts.push((fund.source.clone(), part));
        }
    }
    if !amount.is_positive() || left.is_positive() {
        let there = amount.minus(left);
        let why = format!("{there} of credit is unapplied, asked to pay out {amount}");
        return Err(Rejection::new("CREDIT_INSUFFICIENT", why));
    }
    pay_out(session, &refund, account, parts, &reason)?;
    Ok(Outcome::of("refund", &refund))
}

pub(super) fn pay_out(
    session: &mut Session<'_>,
    refund: &str,
    account: &str,
    parts: Vec<(Source, Money)>,
    reason: &str,
) -> Result<(), Rejection> {
    for (source, amount) in parts {
        if let Source::Payment(payment) = &source {
            payments::refund(session, payment, Some(amount), reason.to_string())?;
            continue;
        }
        let ask = receivables::Command::PayOut {
            refund: refund.to_string(),
            source,
            amount,
            reason: reason.to_string(),
        };
        session.decide::<Receivables>(account, ask)?;
    }
    Ok(())
}

fn receive_deposit(
    session: &mut Session<'_>,
    deposit: Id,
    account: Id,
    (amount, value_date): (Money, Date),
    method: String,
) -> Result<Outcome, Rejection> {
    check_id("deposit", &deposit)?;
    let account = folios::paying(session, &account, None, amount.currency)?;
    let remitted = Remitted {
        payment: deposit.clone(),
        value_date,
        reference: String::new(),
        payer: None,
        found: Found::Given,
        invoices: vec![],
        deposit: Some(deposit.clone()),
    };
    session.decide::<Receivables>(&account, receivables::Command::Remit(remitted))?;
    let payment = RecordPayment {
        payment: deposit.clone(),
        account,
        amount,
        invoice: None,
        method,
        pending: false,
    };
    payments::record(session, payment)?;
    Ok(Outcome::of("deposit", &deposit))
}

fn return_deposit(
    session: &mut Session<'_>,
    deposit: Id,
    account: &str,
    amount: Option<Money>,
    reason: String,
) -> Result<Outcome, Rejection> {
    folio_terms(session, account)?;
    let before = parts_of(session, account, &deposit);
    let release = receivables::Command::ReleaseDeposit {
        deposit: deposit.clone(),
        amount,
        source: None,
        invoice: None,
        hold: true,
        reason: reason.clone(),
    };
    session.decide::<Receivables>(account, release)?;
    let after = parts_of(session, account, &deposit);
    let left = |source: &Source| after.iter().find(|(s, _)| s == source).map(|(_, m)| *m);
    let parts = before.into_iter().filter_map(|(source, was)| {
        let gone = left(&source).map_or(was, |now| was.minus(now));
        gone.is_positive().then_some((source, gone))
    });
    let parts = parts.collect();
    pay_out(session, &deposit, account, parts, &reason)?;
    Ok(Outcome::of("deposit", &deposit))
}

/// What is in a deposit, by source.
fn parts_of(session: &Session<'_>, account: &str, deposit: &str) -> Vec<(Source, Money)> {
    let here = |to: &receivables::Elsewhere| matches!(to, receivables::Elsewhere::Deposit(id) if id == deposit);
    let funds = session.find::<Receivables>(account);
    let funds = funds.map(|e| e.state.funds.as_slice()).unwrap_or_default();
    let parts = funds.iter().flat_map(|f| {
        let inside = f.moved.iter().filter(|m| here(&m.to));
        inside.map(|m| (f.source.clone(), m.amount))
    });
    parts.collect()
}
