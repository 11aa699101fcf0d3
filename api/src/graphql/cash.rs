//! Money that comes in and what is done by hand about it: allocating, matching, disputes, plans, deposits, transfers.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use indelible_domain::cash as domain;
use indelible_domain::command::{self, Command};
use indelible_domain::receivables::{self, Receivables, RestOn, Source};

use super::books::{AsOf, Books};
use super::desk::{self, Receipt};
use super::payments::{Balance, CreditPayload, currency_of};
use super::scalars::{Date, Decimal, Money};
use super::{errors, ids};
use crate::auth::Scope;

/// Money that no account was found for.
#[derive(SimpleObject)]
pub struct UnallocatedCash {
    /// The id its payment will have.
    payment: String,
    amount: Money,
    value_date: Date,
    /// Words of the payer's text that can be numbers.
    reference: String,
    method: String,
    /// Keys of the accounts it may belong to.
    candidates: Vec<String>,
}

/// How payments are applied when nobody says it.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum CashRule {
    /// What the payer names.
    Reference,
    /// The only open invoice of exactly this amount.
    ExactAmount,
    /// Oldest due date first.
    OldestDue,
}

#[derive(InputObject)]
pub struct EarlyPaymentInput {
    /// From the issue date.
    days: u32,
    /// Of what is open.
    percent: Decimal,
}

#[derive(InputObject)]
pub struct ToleranceInput {
    /// In the account's currency.
    amount: Decimal,
    /// Of the invoice's total.
    percent: Decimal,
}

#[derive(InputObject)]
pub struct ApplyDepositInput {
    id: ID,
    account: ID,
    /// None: by the rules.
    invoice: Option<ID>,
    /// None: all of it.
    amount: Option<Money>,
    reason: String,
}

#[derive(InputObject)]
pub struct CashRulesInput {
    entity: ID,
    /// Each at most once; without OLDEST_DUE the rest of a payment waits as held credit.
    order: Vec<CashRule>,
    /// Small differences that are written off.
    tolerance: Option<ToleranceInput>,
    #[graphql(default)]
    discounts: Vec<EarlyPaymentInput>,
}

#[derive(InputObject)]
pub struct ReceiveCashInput {
    /// Id of the payment, chosen by you; the same money always comes with the same one.
    payment: ID,
    entity: ID,
    /// None: found by the reference or the payer.
    account: Option<ID>,
    amount: Money,
    value_date: Date,
    /// What the payer wrote: invoice numbers, a creditor reference (ISO 11649), the account's number.
    #[graphql(default)]
    reference: String,
    #[graphql(default_with = "\"transfer\".to_owned()")]
    method: String,
}

#[derive(InputObject)]
pub struct AllocateCashInput {
    entity: ID,
    payment: ID,
    account: ID,
    /// What it pays first.
    #[graphql(default)]
    invoices: Vec<ID>,
    /// For money in another currency: units of the account's currency for one of the paid one.
    rate: Option<Decimal>,
    /// What money in another currency settles; none: what it is worth at the rate.
    settles: Option<Money>,
}

/// Where credit comes from.
#[derive(OneofObject, Clone)]
pub enum CreditSourceInput {
    Payment(ID),
    /// A credit note.
    Note(ID),
    /// Credit given by hand.
    Credit(ID),
    Transfer(ID),
}

impl From<&CreditSourceInput> for Source {
    fn from(input: &CreditSourceInput) -> Source {
        match input {
            CreditSourceInput::Payment(id) => Source::Payment(ids::key("payment", id)),
            CreditSourceInput::Note(id) => Source::Note(ids::key("invoice", id)),
            CreditSourceInput::Credit(id) => Source::Grant(ids::key("credit", id)),
            CreditSourceInput::Transfer(id) => Source::Transfer(ids::key("transfer", id)),
        }
    }
}

#[derive(InputObject)]
pub struct MatchInput {
    account: ID,
    invoices: Vec<ID>,
    credits: Vec<CreditSourceInput>,
    /// The invoice that stays open with the rest, if there is more to pay than credit.
    rest_on_invoice: Option<ID>,
    /// The credit that keeps the rest, if there is more credit than to pay.
    rest_on_credit: Option<CreditSourceInput>,
    /// What lacks on the last invoice need not be paid, if it is small by the entity's cash rules.
    #[graphql(default)]
    allow_difference: bool,
}

#[derive(InputObject)]
pub struct TransferInput {
    /// Chosen by you.
    id: ID,
    from: ID,
    to: ID,
    /// None, for debt only: all that is open.
    amount: Option<Money>,
    /// For debt: the invoice that the other account takes over.
    invoice: Option<ID>,
    reason: String,
}

#[derive(InputObject)]
pub struct InstalmentInput {
    due: Date,
    amount: Money,
}

#[derive(InputObject)]
pub struct PaymentPlanInput {
    /// Chosen by you.
    id: ID,
    account: ID,
    invoices: Vec<ID>,
    /// They sum to what is open and undisputed of the invoices.
    instalments: Vec<InstalmentInput>,
    /// Days that an instalment may be late before the plan is broken.
    #[graphql(default)]
    grace_days: u32,
}

#[derive(InputObject)]
pub struct DisputeInput {
    /// Chosen by you.
    id: ID,
    account: ID,
    invoice: ID,
    /// None: all that is open and undisputed.
    amount: Option<Money>,
    reason: String,
}

#[derive(InputObject)]
pub struct DepositInput {
    /// Chosen by you; also the id of the payment of money that comes now.
    id: ID,
    account: ID,
    amount: Money,
    /// Given: the money comes now, counted from this day. None: it is taken from unapplied credit.
    value_date: Option<Date>,
    #[graphql(default_with = "\"transfer\".to_owned()")]
    method: String,
    reason: String,
}

/// What became of money that came in.
#[derive(SimpleObject)]
pub struct CashPayload {
    /// The account it was recorded for; none: it waits unallocated.
    account: Option<String>,
    receipt: Receipt,
}

/// What an account owes on a day, as its items stand now.
#[derive(SimpleObject)]
pub struct BalanceFigures {
    /// Open amounts less unapplied credit.
    total: Money,
    /// Undisputed and due on the day or before.
    due: Money,
    /// Undisputed and due before the day.
    overdue: Money,
    disputed: Money,
    unapplied: Money,
    /// Held apart; in none of the other figures.
    deposits: Money,
}

/// Where the rest of a match could stay.
#[derive(SimpleObject)]
pub struct MatchCandidate {
    /// The invoice that would stay open with it.
    invoice: Option<String>,
    /// The credit that would keep it, in words.
    credit: Option<String>,
}

/// An invoice's open dispute.
#[derive(SimpleObject)]
pub struct OpenDispute {
    dispute: String,
    invoice: String,
    amount: Money,
    reason: String,
}

/// A part of what is owed and the day it is due.
#[derive(SimpleObject)]
pub struct DuePart {
    invoice: String,
    number: String,
    due: Date,
    open: Money,
}

#[derive(Default)]
pub struct CashQueries;

fn state(ctx: &Context<'_>, account: &ID) -> Result<Receivables> {
    let key = ids::key("account", account);
    let entry = Books::of(ctx)?.find::<Receivables>(&key);
    Ok(entry.map(|e| e.state.clone()).unwrap_or_default())
}

#[Object]
impl CashQueries {
    /// Money of a legal entity that no account was found for, in the order of its ids: work for somebody.
    async fn unallocated_cash(
        &self,
        ctx: &Context<'_>,
        entity: ID,
    ) -> Result<Vec<UnallocatedCash>> {
        let key = ids::key("entity", &entity);
        let desk = Books::of(ctx)?.find::<domain::Desk>(&key);
        let receipts = desk
            .map(|e| e.state.unallocated.clone())
            .unwrap_or_default();
        let rows = receipts.into_values().map(|r| UnallocatedCash {
            payment: r.payment,
            amount: Money(r.amount),
            value_date: Date(r.value_date),
            reference: r.reference,
            method: r.method,
            candidates: r.candidates,
        });
        Ok(rows.collect())
    }

    /// Where the rest of a match could stay; empty: there is no rest. Nothing is matched.
    async fn match_candidates(
        &self,
        ctx: &Context<'_>,
        account: ID,
        invoices: Vec<ID>,
        credits: Vec<CreditSourceInput>,
    ) -> Result<Vec<MatchCandidate>> {
        let invoices: Vec<String> = invoices.iter().map(|i| ids::key("invoice", i)).collect();
        let credits: Vec<Source> = credits.iter().map(Source::from).collect();
        let found = state(ctx, &account)?.candidates(&invoices, &credits);
        let found = found.map_err(|r| errors::refused(&r.code, &r.message))?;
        let rows = found.into_iter().filter_map(|rest| match rest {
            RestOn::Invoice(invoice) => Some(MatchCandidate {
                invoice: Some(invoice),
                credit: None,
            }),
            RestOn::Credit(source) => Some(MatchCandidate {
                invoice: None,
                credit: Some(source.name()),
            }),
            // A small difference stays nowhere.
            RestOn::Allowed => None,
        });
        Ok(rows.collect())
    }

    /// Total, due, overdue, disputed, unapplied and held of an account, now or as of some time. `on` is the day that says
    /// what is due; none: that of `asOf`, else today.
    async fn balance_figures(
        &self,
        ctx: &Context<'_>,
        account: ID,
        on: Option<Date>,
        as_of: Option<AsOf>,
    ) -> Result<BalanceFigures> {
        let books = Books::of(ctx)?;
        let key = ids::key("account", &account);
        let terms = super::accounts::Account::named(ctx, &key).await?;
        let cut = books.cut(as_of).await?;
        let found = books
            .find_at::<Receivables>(&key, &cut, Some(books.zone(&key)))
            .await?;
        let mut state = found.map(|e| e.state.clone()).unwrap_or_default();
        if state.items.is_empty() && state.funds.is_empty() {
            state.currency = currency_of(&key, terms.currency_code());
        }
        let day = on.map(|on| on.0).or(cut.effective);
        let figures = state.figures(day.unwrap_or_else(|| books.today(&key)));
        Ok(BalanceFigures {
            total: Money(figures.total),
            due: Money(figures.due),
            overdue: Money(figures.overdue),
            disputed: Money(figures.disputed),
            unapplied: Money(figures.unapplied),
            deposits: Money(figures.deposits),
        })
    }

    /// What an account owes undisputed and when it is due, instalments of payment plans one by one.
    async fn dues(&self, ctx: &Context<'_>, account: ID) -> Result<Vec<DuePart>> {
        let today = Books::of(ctx)?.today(&ids::key("account", &account));
        let dues = state(ctx, &account)?.dues(today).into_iter();
        let rows = dues.map(|due| DuePart {
            invoice: due.invoice,
            number: due.number,
            due: Date(due.due),
            open: Money(due.open),
        });
        Ok(rows.collect())
    }

    /// Open disputes of an account.
    async fn disputes(&self, ctx: &Context<'_>, account: ID) -> Result<Vec<OpenDispute>> {
        let state = state(ctx, &account)?;
        let rows = state.items.iter().flat_map(|item| {
            item.disputes.iter().map(|d| OpenDispute {
                dispute: d.id.clone(),
                invoice: item.invoice.clone(),
                amount: Money(d.amount),
                reason: d.reason.clone(),
            })
        });
        Ok(rows.collect())
    }
}

async fn cash(
    ctx: &Context<'_>,
    key: &str,
    command: Command,
    dry_run: bool,
) -> Result<CashPayload> {
    let receipt = desk::hand_in_or_try(ctx, Scope::Operate, key, command, dry_run).await?;
    let touched = &receipt.outcome().touched;
    let account = touched.iter().find(|(kind, _)| kind == "account");
    Ok(CashPayload {
        account: account.map(|(_, id)| id.clone()),
        receipt,
    })
}

async fn done(
    ctx: &Context<'_>,
    key: &str,
    account: &ID,
    command: Command,
    dry_run: bool,
) -> Result<CreditPayload> {
    let receipt = desk::hand_in_or_try(ctx, Scope::Operate, key, command, dry_run).await?;
    let balance = Balance::at(ctx, &ids::key("account", account), receipt.cut()).await?;
    Ok(CreditPayload { balance, receipt })
}

#[derive(Default)]
pub struct CashMutations;

#[Object]
impl CashMutations {
    /// How payments of a legal entity's accounts are applied from now on. Scope admin.
    async fn set_cash_rules(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: CashRulesInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<Receipt> {
        let order = input.order.iter().map(|rule| match rule {
            CashRule::Reference => domain::Rule::Reference,
            CashRule::ExactAmount => domain::Rule::ExactAmount,
            CashRule::OldestDue => domain::Rule::OldestDue,
        });
        let discounts = input.discounts.iter().map(|d| domain::EarlyPayment {
            days: d.days,
            percent: d.percent.0,
        });
        let rules = domain::Rules {
            order: order.collect(),
            tolerance: input.tolerance.map(|t| domain::Tolerance {
                amount: t.amount.0,
                percent: t.percent.0,
            }),
            discounts: discounts.collect(),
        };
        let entity = ids::key("entity", &input.entity);
        let command = Command::SetCashRules { entity, rules };
        desk::hand_in_or_try(ctx, Scope::Admin, &idempotency_key, command, dry_run).await
    }

    /// Money that came in: recorded for the account it can be told to belong to, else kept unallocated.
    async fn receive_cash(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: ReceiveCashInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CashPayload> {
        let command = Command::ReceiveCash(Box::new(command::ReceiveCash {
            payment: ids::key("payment", &input.payment),
            entity: ids::key("entity", &input.entity),
            account: input.account.map(|a| ids::key("account", &a)),
            amount: input.amount.0,
            value_date: input.value_date.0,
            reference: input.reference,
            payer: None,
            method: input.method,
        }));
        cash(ctx, &idempotency_key, command, dry_run).await
    }

    /// Unallocated money becomes a payment of an account.
    async fn allocate_cash(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: AllocateCashInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CashPayload> {
        let settles = input.settles.map(|m| m.0);
        let command = Command::AllocateCash {
            entity: ids::key("entity", &input.entity),
            payment: ids::key("payment", &input.payment),
            account: ids::key("account", &input.account),
            invoices: input
                .invoices
                .iter()
                .map(|i| ids::key("invoice", i))
                .collect(),
            exchange: input.rate.map(|rate| command::Exchange {
                rate: rate.0,
                settles,
            }),
        };
        cash(ctx, &idempotency_key, command, dry_run).await
    }

    /// Unallocated money goes back to where it came from.
    async fn return_cash(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        entity: ID,
        payment: ID,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CashPayload> {
        let command = Command::ReturnCash {
            entity: ids::key("entity", &entity),
            payment: ids::key("payment", &payment),
            reason,
        };
        cash(ctx, &idempotency_key, command, dry_run).await
    }

    /// Credits pay invoices. What one side is more than the other stays on the one that can take it; several can:
    /// MATCH_AMBIGUOUS names them, and nothing is matched.
    async fn match_items(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: MatchInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let rest_on = match (&input.rest_on_invoice, &input.rest_on_credit) {
            (None, None) if input.allow_difference => Some(RestOn::Allowed),
            (Some(_), Some(_)) => {
                let why = "the rest stays on an invoice or on a credit, not on both";
                return Err(errors::refused("MATCH_INVALID", why));
            }
            (Some(invoice), None) => Some(RestOn::Invoice(ids::key("invoice", invoice))),
            (None, Some(credit)) => Some(RestOn::Credit(credit.into())),
            (None, None) => None,
        };
        let command = Command::MatchItems {
            account: ids::key("account", &input.account),
            invoices: input
                .invoices
                .iter()
                .map(|i| ids::key("invoice", i))
                .collect(),
            credits: input.credits.iter().map(Source::from).collect(),
            rest_on,
        };
        done(ctx, &idempotency_key, &input.account, command, dry_run).await
    }

    /// Takes what a credit (none: every one) paid off an invoice: both are as before, and are left alone until released.
    async fn unmatch_item(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        invoice: ID,
        credit: Option<CreditSourceInput>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let command = Command::UnmatchItem {
            account: ids::key("account", &account),
            invoice: ids::key("invoice", &invoice),
            source: credit.as_ref().map(Source::from),
        };
        done(ctx, &idempotency_key, &account, command, dry_run).await
    }

    /// What was unmatched or held goes by the rules again.
    async fn release_credit(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let command = Command::ReleaseCredit {
            account: ids::key("account", &account),
        };
        done(ctx, &idempotency_key, &account, command, dry_run).await
    }

    /// Credit, or what is open of an invoice, becomes another account's of the same legal entity and currency.
    async fn transfer_between_accounts(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: TransferInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let transfer = ids::key("transfer", &input.id);
        let (from, to) = (
            ids::key("account", &input.from),
            ids::key("account", &input.to),
        );
        let amount = input.amount.map(|m| m.0);
        let command = match (&input.invoice, amount) {
            (Some(invoice), amount) => Command::TransferDebt {
                transfer,
                invoice: ids::key("invoice", invoice),
                from,
                to,
                amount,
                reason: input.reason,
            },
            (None, Some(amount)) => Command::TransferCredit {
                transfer,
                from,
                to,
                amount,
                reason: input.reason,
            },
            (None, None) => {
                let why = "a transfer of credit needs an amount";
                return Err(errors::refused("AMOUNT_INVALID", why));
            }
        };
        done(ctx, &idempotency_key, &input.from, command, dry_run).await
    }

    /// Pays unapplied credit out, oldest first.
    #[allow(clippy::too_many_arguments)]
    async fn refund_credit(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        account: ID,
        amount: Money,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let command = Command::RefundCredit {
            refund: ids::key("refund", &id),
            account: ids::key("account", &account),
            amount: amount.0,
            reason,
        };
        done(ctx, &idempotency_key, &account, command, dry_run).await
    }

    /// An invoice or a part of it is not asked for until the dispute is over.
    async fn dispute_invoice(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: DisputeInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let command = Command::DisputeItem {
            dispute: ids::key("dispute", &input.id),
            account: ids::key("account", &input.account),
            invoice: ids::key("invoice", &input.invoice),
            amount: input.amount.map(|m| m.0),
            reason: input.reason,
        };
        done(ctx, &idempotency_key, &input.account, command, dry_run).await
    }

    /// The dispute is over and the amount is asked for again. Moves no money: what was given in to (`upheld`) is still
    /// open until you credit it with `creditInvoice`.
    #[allow(clippy::too_many_arguments)]
    async fn end_dispute(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        account: ID,
        upheld: bool,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let command = Command::EndDispute {
            dispute: ids::key("dispute", &id),
            account: ids::key("account", &account),
            upheld,
            reason,
        };
        done(ctx, &idempotency_key, &account, command, dry_run).await
    }

    /// Instalments take the place of the invoices' due dates until everything is paid or one of them is not.
    async fn agree_payment_plan(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: PaymentPlanInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let instalments = input.instalments.iter().map(|i| receivables::Instalment {
            due: i.due.0,
            amount: i.amount.0,
        });
        let command = Command::AgreePlan {
            plan: ids::key("payment-plan", &input.id),
            account: ids::key("account", &input.account),
            invoices: input
                .invoices
                .iter()
                .map(|i| ids::key("invoice", i))
                .collect(),
            instalments: instalments.collect(),
            grace_days: input.grace_days,
        };
        done(ctx, &idempotency_key, &input.account, command, dry_run).await
    }

    /// The due dates of the invoices hold again.
    async fn cancel_payment_plan(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        account: ID,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let command = Command::CancelPlan {
            plan: ids::key("payment-plan", &id),
            account: ids::key("account", &account),
            reason,
        };
        done(ctx, &idempotency_key, &account, command, dry_run).await
    }

    /// Money is held apart: it pays nothing until it is applied, and can go back.
    async fn take_deposit(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: DepositInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let deposit = ids::key("deposit", &input.id);
        let account = ids::key("account", &input.account);
        let amount = input.amount.0;
        let command = match input.value_date {
            Some(value_date) => Command::ReceiveDeposit {
                deposit,
                account,
                amount,
                value_date: value_date.0,
                method: input.method,
            },
            None => Command::TakeDeposit {
                deposit,
                account,
                amount,
                reason: input.reason,
            },
        };
        done(ctx, &idempotency_key, &input.account, command, dry_run).await
    }

    /// A deposit pays an invoice, or by the rules; no amount: all of it.
    async fn apply_deposit(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: ApplyDepositInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let command = Command::ApplyDeposit {
            deposit: ids::key("deposit", &input.id),
            account: ids::key("account", &input.account),
            invoice: input.invoice.map(|i| ids::key("invoice", &i)),
            amount: input.amount.map(|m| m.0),
            reason: input.reason,
        };
        done(ctx, &idempotency_key, &input.account, command, dry_run).await
    }

    /// A deposit goes back to the customer; no amount: all of it.
    #[allow(clippy::too_many_arguments)]
    async fn return_deposit(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        account: ID,
        amount: Option<Money>,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let command = Command::ReturnDeposit {
            deposit: ids::key("deposit", &id),
            account: ids::key("account", &account),
            amount: amount.map(|m| m.0),
            reason,
        };
        done(ctx, &idempotency_key, &account, command, dry_run).await
    }
}
