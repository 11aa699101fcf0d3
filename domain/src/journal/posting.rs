//! The posting table: which fact moves what between which accounts. Everything else in `journal` is mechanism.

use super::{Entry, Ledger, Line};
use crate::accounts::folio;
use crate::bank::{self, BankAccount};
use crate::cash;
use crate::charges::{Charges, What};
use crate::invoices::{self, Document, Invoice};
use crate::kernel::{Date, Id, Money, Rejection};
use crate::operations::{account_terms, entity_terms, folio_terms};
use crate::receivables::{Event as Receivable, Reversal, Source, Why};
use crate::session::{Session, Staged};
use crate::shares::{self, Shares};
use crate::subscriptions::Subscription;
use crate::wallets::{self, Origin, Wallet};
use crate::world::Event;
use std::collections::BTreeMap;

/// The legal entity and the entry of a fact that moves value; none for all others.
pub fn entry(session: &Session<'_>, fact: &Staged) -> Result<Option<(Id, Entry)>, Rejection> {
    match &fact.event {
        Event::Invoice(event) => document(session, fact, event),
        Event::Receivable(event) => receivable(session, fact, event),
        Event::Wallet(event) => wallet(session, fact, event),
        Event::Cash(event) => cash(fact, event),
        Event::Share(event) => shares(session, fact, event),
        Event::BankEntry(bank::entry::Event::FeeTaken(fee)) => bank_fee(session, fact, fee),
        _ => Ok(None),
    }
}

/// Receivable against revenue and tax; a credit note has negative amounts and posts the other way round.
fn document(
    session: &Session<'_>,
    fact: &Staged,
    event: &invoices::Event,
) -> Result<Option<(Id, Entry)>, Rejection> {
    let about = format!("invoice/{}", fact.id);
    match event {
        invoices::Event::Finalised(e) if !e.document.kind.is_booked() => Ok(None),
        invoices::Event::Finalised(e) => {
            let text = format!("{} {}", e.document.kind.code(), e.number);
            made(
                &e.document,
                e.issued,
                about,
                text,
                document_lines(session, &e.document),
            )
        }
        invoices::Event::Voided(_) => {
            let invoice = session.get::<Invoice>(&fact.id)?;
            // A draft has no number and was never posted, and neither was a request.
            if invoice.number.is_empty() || !invoice.document.kind.is_booked() {
                return Ok(None);
            }
            let on = session.today(&entity_terms(session, &invoice.document.entity)?.zone);
            let reversed = document_lines(session, &invoice.document)
                .into_iter()
                .map(|l| Line {
                    debit: l.credit,
                    credit: l.debit,
                    ..l
                });
            made(
                &invoice.document,
                on,
                about,
                format!("void of {}", invoice.number),
                reversed.collect(),
            )
        }
        invoices::Event::Drafted(_)
        | invoices::Event::CreditNoted(_)
        | invoices::Event::Held(_)
        | invoices::Event::Released(_)
        | invoices::Event::Rejected(_)
        | invoices::Event::TaxStated(_) => Ok(None),
    }
}

fn made(
    document: &Document,
    on: Date,
    about: String,
    text: String,
    lines: Vec<Line>,
) -> Result<Option<(Id, Entry)>, Rejection> {
    let entry = Entry::balanced(on, &document.account, about, text, lines)?;
    Ok(Some((document.entity.clone(), entry)).filter(|(_, e)| !e.lines().is_empty()))
}

fn document_lines(session: &Session<'_>, document: &Document) -> Vec<Line> {
    let mut by_account: BTreeMap<Ledger, Vec<Money>> = BTreeMap::new();
    for line in &document.lines {
        let account = earned(session, line);
        by_account.entry(account).or_default().push(line.net);
    }
    let mut lines = vec![Line::debit(Ledger::Receivable, document.total)];
    lines.extend(
        by_account
            .into_iter()
            .map(|(account, nets)| Line::credit(account, Money::sum(document.currency, nets))),
    );
    lines.push(Line::credit(Ledger::TaxPayable, document.tax));
    lines
}

/// What parties get of a document is revenue no more: it is owed to them.
fn shares(
    session: &Session<'_>,
    fact: &Staged,
    event: &shares::Event,
) -> Result<Option<(Id, Entry)>, Rejection> {
    let (owed, on, text) = match event {
        shares::Event::Owed(owed) => (owed.clone(), owed.on, "shares of"),
        shares::Event::TakenBack(e) => {
            let owed = session.get::<Shares>(&fact.id)?.owed.clone();
            let Some(mut owed) = owed else {
                return Ok(None);
            };
            for part in &mut owed.parts {
                part.amount = part.amount.negated();
            }
            (owed, e.on, "shares taken back of")
        }
    };
    let mut of: BTreeMap<Ledger, Vec<Money>> = BTreeMap::new();
    for part in &owed.parts {
        of.entry(part.of).or_default().push(part.amount);
    }
    let mut lines = Vec::new();
    for (account, amounts) in of {
        let Some(currency) = amounts.first().map(|m| m.currency) else {
            continue;
        };
        let sum = Money::sum(currency, amounts);
        lines.push(Line::debit(account, sum));
        lines.push(Line::credit(Ledger::PartnerShares, sum));
    }
    let about = format!("invoice/{}", fact.id);
    let text = format!("{text} {}", fact.id);
    let entry = Entry::balanced(on, &owed.account, about, text, lines)?;
    Ok(Some((owed.entity, entry)).filter(|(_, e)| !e.lines().is_empty()))
}

/// The revenue account of a line.
pub(crate) fn earned(session: &Session<'_>, line: &invoices::Line) -> Ledger {
    let own = own_account(session, line).map(Ledger::Revenue);
    own.unwrap_or_else(|| earned_as(&line.what))
}

/// The revenue account that the line's charge names: in the term of its days, else in the latest one that has the charge.
fn own_account(session: &Session<'_>, line: &invoices::Line) -> Option<u16> {
    let id = line.subscription.as_ref()?;
    if let What::Added { charge, .. } = &line.what {
        let charges = &session.find::<Charges>(id)?.state;
        return charges.orders.get(charge)?.account;
    }
    let sub = &session.find::<Subscription>(id)?.state;
    let from = line.what.days().map(|d| d.from);
    let on_day = from.and_then(|day| sub.term_on(day)).map(|(_, t)| t);
    let code = line.what.charge();
    let terms = on_day.into_iter().chain(sub.terms.iter().rev());
    terms.flat_map(|t| t.offer.account_of(code)).next()
}

fn earned_as(what: &What) -> Ledger {
    match what {
        What::Recurring { .. } | What::Credit { .. } => Ledger::RecurringRevenue,
        What::Usage { .. } | What::TrueUp { .. } | What::Cap { .. } => Ledger::UsageRevenue,
        What::OneOff { .. } | What::Added { .. } | What::Reduction { .. } => Ledger::OneOffRevenue,
        // Nothing is earned before it is used.
        What::TopUp { .. } => Ledger::PrepaidInvoiced,
        What::Advance { .. } | What::Deducted { .. } => Ledger::Advances,
    }
}

fn receivable(
    session: &Session<'_>,
    fact: &Staged,
    event: &Receivable,
) -> Result<Option<(Id, Entry)>, Rejection> {
    use Ledger::{
        BadDebt, Cash, CustomerCredit, DepositsHeld, Goodwill, Receivable as Owed, Transfers,
    };
    let given_by = |source: &Source| match source {
        Source::Grant(_) => Goodwill,
        Source::Transfer(_) => Transfers,
        Source::Payment(_) | Source::Note(_) | Source::Wallet(_) => Owed,
    };
    let sum = |amount: Money, parts: &[crate::receivables::Part]| {
        Money::sum(amount.currency, parts.iter().map(|p| p.amount))
    };
    let (text, lines) = match event {
        Receivable::PaymentApplied(e) => (
            format!("payment {}", e.payment),
            vec![
                Line::debit(Cash, e.amount),
                Line::credit(Owed, sum(e.amount, &e.applied)),
                Line::credit(CustomerCredit, e.unapplied),
            ],
        ),
        Receivable::PaymentUnapplied(e) => {
            let why = match e.why {
                Reversal::Refund => "refund",
                Reversal::ChargeBack => "chargeback",
            };
            let lines = vec![
                Line::debit(Owed, sum(e.amount, &e.reopened)),
                Line::debit(CustomerCredit, e.unapplied),
                Line::credit(Cash, e.amount),
            ];
            (format!("{why} of payment {}", e.payment), lines)
        }
        // A credit note has already reduced the receivable; what exceeds its invoice is owed to the customer instead.
        // A wallet's payment is posted by the wallet's own fact.
        Receivable::CreditGranted(e) if matches!(e.source, Source::Wallet(_)) => return Ok(None),
        Receivable::CreditGranted(e) => {
            let from = given_by(&e.source);
            (
                "credit granted".to_string(),
                vec![
                    Line::debit(from, e.amount),
                    Line::credit(CustomerCredit, e.amount),
                ],
            )
        }
        // A wallet's payment is posted by the wallet's own fact.
        Receivable::CreditWithdrawn(e) if matches!(e.source, Source::Wallet(_)) => return Ok(None),
        Receivable::CreditWithdrawn(e) => {
            let to = given_by(&e.source);
            (
                "credit withdrawn".to_string(),
                vec![
                    Line::debit(CustomerCredit, e.amount),
                    Line::credit(to, e.amount),
                ],
            )
        }
        Receivable::CreditApplied(e) => (
            format!("credit used on {}", e.invoice),
            vec![
                Line::debit(CustomerCredit, e.amount),
                Line::credit(Owed, e.amount),
            ],
        ),
        Receivable::CreditReturned(e) => (
            format!("credit returned from {}", e.invoice),
            vec![
                Line::debit(Owed, e.amount),
                Line::credit(CustomerCredit, e.amount),
            ],
        ),
        Receivable::WrittenOff(e) => (
            format!("write-off of {}", e.invoice),
            vec![Line::debit(BadDebt, e.amount), Line::credit(Owed, e.amount)],
        ),
        Receivable::WriteOffReversed(e) => (
            format!("write-off of {} reversed", e.invoice),
            vec![Line::debit(Owed, e.amount), Line::credit(BadDebt, e.amount)],
        ),
        Receivable::PaymentRestored(e) => (
            format!("chargeback of payment {} reversed", e.payment),
            vec![
                Line::debit(Cash, e.amount),
                Line::credit(Owed, sum(e.amount, &e.applied)),
                Line::credit(CustomerCredit, e.unapplied),
            ],
        ),
        Receivable::Matched(e) => {
            let parts = e.parts.iter().flat_map(|p| {
                [
                    Line::debit(CustomerCredit, p.amount),
                    Line::credit(Owed, p.amount),
                ]
            });
            ("credit matched".to_string(), parts.collect())
        }
        Receivable::Unmatched(e) => (
            format!("{} unmatched from {}", e.source.name(), e.invoice),
            vec![
                Line::debit(Owed, e.amount),
                Line::credit(CustomerCredit, e.amount),
            ],
        ),
        Receivable::Allowed(e) => allowance(&e.invoice, e.why, e.amount, e.tax),
        Receivable::AllowanceReversed(e) => {
            let (text, lines) = allowance(&e.invoice, e.why, e.amount.negated(), e.tax.negated());
            (format!("{text} reversed"), lines)
        }
        Receivable::Exchanged(e) => {
            let gain = e.worth.minus(e.settled);
            let to = if gain.is_negative() {
                Ledger::ExchangeLoss
            } else {
                Ledger::ExchangeGain
            };
            (
                format!("payment {} of {}", e.payment, e.paid),
                vec![Line::debit(Cash, gain), Line::credit(to, gain)],
            )
        }
        Receivable::DepositTaken(e) => (
            format!("deposit {} taken", e.deposit),
            vec![
                Line::debit(CustomerCredit, e.amount),
                Line::credit(DepositsHeld, e.amount),
            ],
        ),
        Receivable::DepositReleased(e) => (
            format!("deposit {} released", e.deposit),
            vec![
                Line::debit(DepositsHeld, e.amount),
                Line::credit(CustomerCredit, e.amount),
            ],
        ),
        Receivable::CreditMoved(e) => (
            format!("transfer {} to account {}", e.transfer, e.to),
            vec![
                Line::debit(CustomerCredit, e.amount),
                Line::credit(Transfers, e.amount),
            ],
        ),
        Receivable::CreditMovedBack(e) => (
            format!("transfer {} taken back", e.transfer),
            vec![
                Line::debit(Transfers, e.amount),
                Line::credit(CustomerCredit, e.amount),
            ],
        ),
        Receivable::CreditPaidOut(e) => (
            format!("credit paid out as {}", e.refund),
            vec![
                Line::debit(CustomerCredit, e.amount),
                Line::credit(Cash, e.amount),
            ],
        ),
        Receivable::ClaimOpened(e) => (
            format!("debt of account {} for {} taken over", e.from, e.number),
            vec![Line::debit(Owed, e.total), Line::credit(Transfers, e.total)],
        ),
        Receivable::ClaimEnded(e) => (
            format!("debt {} is owed no more: {}", e.claim, e.reason),
            vec![
                Line::debit(Transfers, e.amount),
                Line::credit(Owed, e.amount),
            ],
        ),
        // Documents post what these follow from; a payment that has not come moves nothing.
        Receivable::ItemOpened(_)
        | Receivable::ItemCredited(_)
        | Receivable::ItemVoided(_)
        | Receivable::PaymentExpected(_)
        | Receivable::PaymentDropped(_)
        | Receivable::Remitted(_)
        | Receivable::CreditHeld(_)
        | Receivable::CreditReleased(_)
        | Receivable::Disputed(_)
        | Receivable::DisputeEnded(_)
        | Receivable::PlanAgreed(_)
        | Receivable::PlanEnded(_) => return Ok(None),
    };
    let entity = folio_terms(session, &fact.id)?.entity;
    let on = session.today(&entity_terms(session, &entity)?.zone);
    let account = folio::owner(&fact.id);
    let entry = Entry::balanced(on, account, format!("receivable/{}", fact.id), text, lines)?;
    Ok(Some((entity, entry)))
}

/// What an invoice need not bring, without its tax: that is not owed to the authority either.
fn allowance(invoice: &str, why: Why, amount: Money, tax: Money) -> (String, Vec<Line>) {
    let (text, to) = match why {
        Why::Difference => ("small difference", Ledger::PaymentDifference),
        Why::EarlyPayment => ("early payment discount", Ledger::EarlyPayment),
    };
    let lines = vec![
        Line::debit(to, amount.minus(tax)),
        Line::debit(Ledger::TaxPayable, tax),
        Line::credit(Ledger::Receivable, amount),
    ];
    (format!("{text} of {invoice}"), lines)
}

/// Money that nobody has claimed is owed to whoever sent it. Allocating takes it out of cash again, because its payment
/// brings it there.
fn cash(fact: &Staged, event: &cash::Event) -> Result<Option<(Id, Entry)>, Rejection> {
    use Ledger::{Cash, UnallocatedCash};
    let (payment, on, amount, debit, credit) = match event {
        cash::Event::Received(e) => (&e.payment, e.on, e.amount, Cash, UnallocatedCash),
        cash::Event::Allocated(e) => (&e.payment, e.on, e.amount, UnallocatedCash, Cash),
        cash::Event::Returned(e) => (&e.payment, e.on, e.amount, UnallocatedCash, Cash),
        cash::Event::RulesSet(_) => return Ok(None),
    };
    let text = match event {
        cash::Event::Received(_) => format!("unallocated money {payment}"),
        cash::Event::Allocated(e) => format!("money {payment} is of account {}", e.account),
        cash::Event::Returned(_) | cash::Event::RulesSet(_) => {
            format!("money {payment} goes back")
        }
    };
    let lines = vec![Line::debit(debit, amount), Line::credit(credit, amount)];
    let entry = Entry::balanced(on, "", format!("cash/{}", fact.id), text, lines)?;
    Ok(Some((fact.id.to_string(), entry)))
}

/// A fee that a bank gives back posts the other way round.
fn bank_fee(
    session: &Session<'_>,
    fact: &Staged,
    fee: &bank::entry::FeeTaken,
) -> Result<Option<(Id, Entry)>, Rejection> {
    let bank = &session.get::<bank::Entry>(&fact.id)?.bank;
    let entity = session.get::<BankAccount>(bank)?.terms.entity.clone();
    let lines = vec![
        Line::debit(fee.ledger, fee.amount),
        Line::credit(Ledger::Cash, fee.amount),
    ];
    let about = format!("bank-entry/{}", fact.id);
    let entry = Entry::balanced(fee.on, "", about, format!("fee of bank {bank}"), lines)?;
    Ok(Some((entity, entry)))
}

/// Money in a wallet is owed to the customer until it is burnt, expires or is taken out.
fn wallet(
    session: &Session<'_>,
    fact: &Staged,
    event: &wallets::Event,
) -> Result<Option<(Id, Entry)>, Rejection> {
    use Ledger::{
        Breakage, Cash, CustomerCredit, Goodwill, PrepaidInvoiced, UsageRevenue,
        WalletLiability as Held,
    };
    let moved = |from, to, amount| vec![Line::debit(from, amount), Line::credit(to, amount)];
    let (text, lines) = match event {
        wallets::Event::ToppedUp(e) => {
            let (grant, amount) = (&e.grant.id, e.grant.amount);
            let lines = match &e.grant.origin {
                Origin::Paid => moved(Cash, Held, amount),
                Origin::Free => moved(Goodwill, Held, amount),
                Origin::Invoice(_) => moved(PrepaidInvoiced, Held, amount),
                Origin::Rollover { kept, .. } => vec![
                    Line::debit(Breakage, *kept),
                    Line::debit(Goodwill, amount.minus(*kept)),
                    Line::credit(Held, amount),
                ],
            };
            (format!("top-up {grant}"), lines)
        }
        wallets::Event::Burnt(e) => (
            "usage paid from the wallet".to_string(),
            moved(Held, UsageRevenue, e.posted),
        ),
        // The receivable's own facts use the credit on the invoice, or take it from there.
        wallets::Event::Paid(e) => (
            format!("{} paid from the wallet", e.invoice),
            moved(Held, CustomerCredit, e.amount),
        ),
        wallets::Event::Returned(e) => (
            format!("payment of {} back in the wallet", e.invoice),
            moved(CustomerCredit, Held, e.amount),
        ),
        // The tax inside it was never earned.
        wallets::Event::Taxed(e) => (
            "tax of usage paid from the wallet".to_string(),
            moved(UsageRevenue, Ledger::TaxPayable, e.posted),
        ),
        wallets::Event::Revoked(e) => (
            format!("top-up {} taken out again", e.grant),
            moved(Held, PrepaidInvoiced, e.amount),
        ),
        wallets::Event::Restored(e) => (
            format!("top-up {} there again", e.grant),
            moved(PrepaidInvoiced, Held, e.amount),
        ),
        wallets::Event::Expired(e) => (
            format!("grant {} expired", e.grant),
            moved(Held, Breakage, e.posted),
        ),
        wallets::Event::Voided(e) => (
            format!("taken out of the wallet: {}", e.reason),
            moved(Held, Breakage, e.posted),
        ),
        _ => return Ok(None),
    };
    let account = session.get::<Wallet>(&fact.id)?.account.clone();
    let entity = account_terms(session, &account)?.entity;
    let on = session.today(&entity_terms(session, &entity)?.zone);
    let entry = Entry::balanced(on, &account, format!("wallet/{}", fact.id), text, lines)?;
    Ok(Some((entity, entry)).filter(|(_, e)| !e.lines().is_empty()))
}
