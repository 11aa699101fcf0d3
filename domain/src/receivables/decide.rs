use super::work::Work;
use super::{
    ClaimOpened, Event, Exchanged, How, Instalment, ItemOpened, PaymentDropped, Receivables,
    Remitted, RestOn, Reversal, Source,
};
use crate::cash::Rules;
use crate::kernel::{Date, Decider, Id, Money, Rejection};

#[derive(Clone, Debug)]
pub enum Command {
    Open(ItemOpened),
    /// A payment was asked of a provider; no invoice: the oldest due that it can cover.
    Expect {
        payment: Id,
        amount: Money,
        invoice: Option<Id>,
    },
    /// It failed.
    Drop {
        payment: Id,
    },
    /// What is known of a payment that will be applied.
    Remit(Remitted),
    /// It came; no invoice: oldest due date first.
    Apply {
        payment: Id,
        amount: Money,
        invoice: Option<Id>,
        how: Box<How>,
    },
    /// What money in another currency was worth.
    Exchange(Exchanged),
    /// The money of a charge-back is there again.
    Restore {
        payment: Id,
        amount: Money,
        invoice: Option<Id>,
    },
    /// Matches them by hand (policy 27).
    Match {
        invoices: Vec<Id>,
        credits: Vec<Source>,
        rest_on: Option<RestOn>,
        /// What difference is small.
        rules: Rules,
    },
    /// Takes what a source (none: every source) paid off an invoice.
    Unmatch {
        invoice: Id,
        source: Option<Source>,
    },
    /// What was held or unmatched goes by the rules again.
    Release,
    Dispute {
        dispute: Id,
        invoice: Id,
        amount: Option<Money>,
        reason: String,
    },
    EndDispute {
        dispute: Id,
        upheld: bool,
        reason: String,
    },
    Plan {
        plan: Id,
        invoices: Vec<Id>,
        instalments: Vec<Instalment>,
        grace_days: u32,
        on: Date,
    },
    CancelPlan {
        plan: Id,
        reason: String,
        on: Date,
    },
    /// Ends plans that are broken by a day.
    CheckPlans {
        on: Date,
    },
    TakeDeposit {
        deposit: Id,
        amount: Money,
        reason: String,
    },
    /// `source`: only the part of it that came from there. `invoice`: pays it; none: pays by the rules, or nothing by
    /// itself if it is to go back (`hold`).
    ReleaseDeposit {
        deposit: Id,
        amount: Option<Money>,
        source: Option<Source>,
        invoice: Option<Id>,
        hold: bool,
        reason: String,
    },
    /// Credit becomes another account's.
    MoveCredit {
        transfer: Id,
        amount: Money,
        to: Id,
        reason: String,
    },
    /// Credit of a transfer is wanted back by the account it came from.
    Recall {
        source: Source,
        amount: Money,
    },
    /// Credit that went to another account came back.
    TakeBack {
        transfer: Id,
        source: Source,
        amount: Money,
    },
    PayOut {
        refund: Id,
        source: Source,
        amount: Money,
        reason: String,
    },
    Claim(ClaimOpened),
    /// The invoice behind a claim is void.
    EndClaim {
        claim: Id,
        reason: String,
    },
    /// Another account takes over this much of an invoice.
    Relieve {
        source: Source,
        amount: Money,
        invoice: Id,
        reason: String,
    },
    Unapply {
        payment: Id,
        amount: Money,
        why: Reversal,
    },
    Grant {
        source: Source,
        amount: Money,
        reason: String,
    },
    /// A wallet pays an open invoice when it is finalised.
    Prepay {
        source: Source,
        invoice: Id,
        amount: Money,
    },
    /// Takes all of a source's credit away, reopening what it paid.
    Withdraw {
        source: Source,
    },
    /// A credit note of `amount` for an invoice; what exceeds the open amount becomes credit.
    Credit {
        invoice: Id,
        note: Id,
        amount: Money,
    },
    Void {
        invoice: Id,
    },
    WriteOff {
        invoice: Id,
        reason: String,
    },
    ReverseWriteOff {
        invoice: Id,
        reason: String,
    },
}

impl Decider for Receivables {
    type State = Receivables;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Receivables, command: Command) -> Result<Vec<Event>, Rejection> {
        let mut work = Work::on(state);
        match command {
            Command::Open(item) => work.open(item)?,
            Command::Expect {
                payment,
                amount,
                invoice,
            } => work.expect(payment, amount, invoice)?,
            Command::Drop { payment } => {
                if work
                    .next
                    .items
                    .iter()
                    .any(|i| i.pending.as_ref() == Some(&payment))
                {
                    work.say(PaymentDropped { payment });
                }
            }
            Command::Remit(remitted) => work.say(remitted),
            Command::Apply {
                payment,
                amount,
                invoice,
                how,
            } => work.apply(payment, amount, invoice, &how)?,
            Command::Exchange(exchanged) => work.say(exchanged),
            Command::Restore {
                payment,
                amount,
                invoice,
            } => work.restore(payment, amount, invoice.as_deref())?,
            Command::Match {
                invoices,
                credits,
                rest_on: Some(RestOn::Allowed),
                rules,
            } => work.match_short(&invoices, &credits, &rules)?,
            Command::Match {
                invoices,
                credits,
                rest_on,
                ..
            } => work.match_all(&invoices, &credits, rest_on.as_ref())?,
            Command::Unmatch { invoice, source } => work.unmatch(&invoice, source.as_ref())?,
            Command::Release => work.release(),
            Command::Dispute {
                dispute,
                invoice,
                amount,
                reason,
            } => work.dispute(dispute, invoice, amount, reason)?,
            Command::EndDispute {
                dispute,
                upheld,
                reason,
            } => work.end_dispute(&dispute, upheld, reason)?,
            Command::Plan {
                plan,
                invoices,
                instalments,
                grace_days,
                on,
            } => work.plan(plan, &invoices, instalments, grace_days, on)?,
            Command::CancelPlan { plan, reason, on } => work.cancel_plan(&plan, reason, on)?,
            Command::CheckPlans { on } => work.check_plans(on),
            Command::TakeDeposit {
                deposit,
                amount,
                reason,
            } => work.take_deposit(deposit, amount, None, &reason)?,
            Command::ReleaseDeposit {
                deposit,
                amount,
                source,
                invoice,
                hold,
                reason,
            } => {
                // A deposit that could pay nothing stays what it is.
                if let Some(invoice) = &invoice {
                    work.owed(invoice)?;
                }
                let of = (amount, source.as_ref());
                let credits = work.release_deposit(&deposit, of, hold, &reason)?;
                if let Some(invoice) = invoice {
                    work.pay_one(&invoice, credits)?;
                }
            }
            Command::MoveCredit {
                transfer,
                amount,
                to,
                reason,
            } => work.move_credit(&transfer, amount, &to, &reason)?,
            Command::Recall { source, amount } => work.recall(&source, amount)?,
            Command::TakeBack {
                transfer,
                source,
                amount,
            } => work.moved_back(&transfer, &source, amount),
            Command::PayOut {
                refund,
                source,
                amount,
                reason,
            } => work.pay_out(&refund, &source, amount, &reason)?,
            Command::Claim(claim) => work.claim(claim)?,
            Command::EndClaim { claim, reason } => work.end_claim(claim, reason)?,
            Command::Relieve {
                source,
                amount,
                invoice,
                reason,
            } => {
                work.grant(source.clone(), amount, reason)?;
                work.pay_one(&invoice, vec![(source, amount)])?;
            }
            Command::Unapply {
                payment,
                amount,
                why,
            } => work.unapply(payment, amount, why)?,
            Command::Grant {
                source,
                amount,
                reason,
            } => work.grant(source, amount, reason)?,
            Command::Prepay {
                source,
                invoice,
                amount,
            } => work.prepay(source, invoice, amount)?,
            Command::Withdraw { source } => work.withdraw(source)?,
            Command::Credit {
                invoice,
                note,
                amount,
            } => work.credit(invoice, note, amount)?,
            Command::Void { invoice } => work.void(invoice)?,
            Command::WriteOff { invoice, reason } => work.write_off(invoice, reason)?,
            Command::ReverseWriteOff { invoice, reason } => {
                work.reverse_write_off(&invoice, &reason)?
            }
        }
        work.spend();
        work.end_kept_plans();
        Ok(work.events)
    }

    fn evolve(state: &mut Receivables, event: &Event) {
        super::evolve::evolve(state, event);
    }
}
