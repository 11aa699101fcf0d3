//! Payments, and what an account owes: open items, applied money, unapplied credit.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::accounts::folio;
use indelible_domain::command::{self, Command};
use indelible_domain::kernel;
use indelible_domain::payments as domain;
use indelible_domain::receivables::{Application, Fund, Receivables, Source};
use indelible_domain::world::Entry;

use super::accounts::Account;
use super::books::{AsOf, Books, Cut};
use super::collections::ProviderSide;
use super::desk::{self, Receipt};
use super::ids;
use super::invoices::Invoice;
use super::scalars::{Date, Money};
use crate::auth::Scope;

/// A payment: pending or received, then perhaps given back in parts.
pub struct Payment {
    key: String,
    state: Arc<Entry<domain::Payment>>,
    cut: Cut,
}

impl Payment {
    pub fn find(ctx: &Context<'_>, key: &str) -> Result<Option<Payment>> {
        Payment::seen(ctx, key, &Cut::now())
    }

    /// As it is now, or as a dry run would leave it.
    pub fn seen(ctx: &Context<'_>, key: &str, cut: &Cut) -> Result<Option<Payment>> {
        let state = Books::of(ctx)?.find_tried::<domain::Payment>(key, cut);
        Ok(state.map(|state| Payment {
            key: key.to_owned(),
            state,
            cut: cut.clone(),
        }))
    }

    /// Payments of an account with their sort keys: the order in which they were recorded.
    pub async fn of_account(
        ctx: &Context<'_>,
        account: &str,
        cut: Cut,
    ) -> Result<Vec<(String, Payment)>> {
        let books = Books::of(ctx)?;
        let keys = books.index(|index| {
            let others = index.folios_of.get(account).into_iter().flatten();
            let folios = std::iter::once(account).chain(others.map(String::as_str));
            let payments = folios.filter_map(|folio| index.payments_of.get(folio));
            payments.flatten().cloned().collect()
        });
        let zone = Some(books.zone(account));
        let found = books.all_at::<domain::Payment>(keys, &cut, zone).await?;
        let row = |(n, (key, state))| {
            (
                format!("{n:012}"),
                Payment {
                    key,
                    state,
                    cut: cut.clone(),
                },
            )
        };
        Ok(found.into_iter().enumerate().map(row).collect())
    }

    /// What is left of it and where the rest went.
    async fn fund(&self, ctx: &Context<'_>) -> Result<Option<Fund>> {
        let (books, account) = (Books::of(ctx)?, &self.state.state.account);
        let owed = books
            .find_at::<Receivables>(account, &self.cut, Some(books.zone(account)))
            .await?;
        let source = Source::Payment(self.key.clone());
        Ok(owed.and_then(|owed| owed.state.fund(&source).cloned()))
    }
}

#[Object]
impl Payment {
    pub async fn id(&self) -> ID {
        ids::node("payment", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named_at(ctx, &self.state.state.account, self.cut.clone()).await
    }

    /// The folio of the account that it is about.
    async fn folio(&self) -> &str {
        &self.state.state.account
    }

    async fn stage(&self) -> PaymentStage {
        match self.state.state.stage {
            domain::Stage::Absent | domain::Stage::Pending => PaymentStage::Pending,
            domain::Stage::Created => PaymentStage::Created,
            domain::Stage::Sent => PaymentStage::Sent,
            domain::Stage::Unknown => PaymentStage::Unknown,
            domain::Stage::ActionRequired => PaymentStage::ActionRequired,
            domain::Stage::Settled => PaymentStage::Settled,
            domain::Stage::Failed => PaymentStage::Failed,
            domain::Stage::Returned => PaymentStage::Returned,
        }
    }

    async fn amount(&self) -> Money {
        Money(self.state.state.amount)
    }

    /// card, direct-debit, transfer, cash, …
    async fn method(&self) -> &str {
        &self.state.state.method
    }

    async fn refunded(&self) -> Money {
        Money(self.state.state.refunded)
    }

    async fn charged_back(&self) -> Money {
        Money(self.state.state.charged_back)
    }

    /// What a provider was asked and what it said; none: it is recorded by hand.
    async fn provider(&self) -> Option<ProviderSide> {
        ProviderSide::of(&self.state.state)
    }

    /// Invoices it was applied to.
    async fn applied(&self, ctx: &Context<'_>) -> Result<Vec<Applied>> {
        let source = Source::Payment(self.key.clone());
        let fund = self.fund(ctx).await?;
        let applied = fund.iter().flat_map(|fund| &fund.applied);
        Ok(applied
            .map(|part| Applied::new(&source, part, self.cut.clone()))
            .collect())
    }

    /// What of it is account credit that no invoice has used.
    async fn unapplied(&self, ctx: &Context<'_>) -> Result<Money> {
        let fund = self.fund(ctx).await?;
        let none = kernel::Money::zero(self.state.state.amount.currency);
        Ok(Money(fund.map_or(none, |fund| fund.unapplied)))
    }
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub enum PaymentStage {
    /// To be asked of a provider, which was not called yet.
    Created,
    /// The provider is being called.
    Sent,
    /// The provider's answer was lost: it is being looked up.
    Unknown,
    /// The payer must do something first.
    ActionRequired,
    /// Taken on by a provider, not here yet.
    Pending,
    Settled,
    Failed,
    /// All of it was refunded or charged back.
    Returned,
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "command::FailureKind")]
pub enum FailureKind {
    /// May succeed when tried again.
    Soft,
    /// Will not.
    Hard,
}

/// Money of one source on one invoice.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Applied {
    #[graphql(skip)]
    key: String,
    #[graphql(skip)]
    from: Source,
    #[graphql(skip)]
    cut: Cut,
    amount: Money,
    /// It was account credit before.
    as_credit: bool,
}

impl Applied {
    pub fn new(source: &Source, part: &Application, cut: Cut) -> Applied {
        let Application {
            invoice,
            amount,
            as_credit,
        } = part.clone();
        Applied {
            key: invoice,
            from: source.clone(),
            cut,
            amount: Money(amount),
            as_credit,
        }
    }
}

#[async_graphql::ComplexObject]
impl Applied {
    async fn invoice(&self, ctx: &Context<'_>) -> Result<Option<Invoice>> {
        Invoice::at(ctx, &self.key, self.cut.clone()).await
    }

    /// Node id of the payment, credit note or credit that it came from.
    async fn source(&self) -> ID {
        match &self.from {
            Source::Payment(key) => ids::node("payment", key),
            Source::Note(key) => ids::node("invoice", key),
            Source::Grant(key) => ids::node("credit", key),
            Source::Transfer(key) => ids::node("transfer", key),
            Source::Wallet(key) => {
                let wallet = key.split('/').next().unwrap_or(key);
                ids::node("wallet", wallet)
            }
        }
    }
}

/// The currency of a folio; `own`: that of its account.
pub fn currency_of(folio: &str, own: kernel::Currency) -> kernel::Currency {
    folio::parts(folio).map_or(own, |(currency, _)| currency)
}

/// What an account owes and has to its credit on one of its folios.
pub struct Balance {
    account: String,
    state: Receivables,
    cut: Cut,
}

impl Balance {
    /// The balance of an account's own folio, or of the one that is named, now or as of some time; an account without facts owes nothing.
    pub async fn find(ctx: &Context<'_>, account: &str, as_of: Option<AsOf>) -> Result<Balance> {
        let cut = Books::of(ctx)?.cut(as_of).await?;
        Balance::at(ctx, account, cut).await
    }

    /// The same at a cut.
    pub async fn at(ctx: &Context<'_>, account: &str, cut: Cut) -> Result<Balance> {
        let books = Books::of(ctx)?;
        // Each look waits until what it saw is on disk, so that the usual answer takes one.
        let owed = match cut.is_past() {
            false => books.find_tried::<Receivables>(account, &cut),
            true => {
                let zone = Some(books.zone(account));
                books.find_at::<Receivables>(account, &cut, zone).await?
            }
        };
        let state = match owed {
            Some(owed) => owed.state.clone(),
            None => {
                // Its folio may be asked about a day before it was opened.
                let at = match cut.is_past() {
                    true => Cut::now(),
                    false => cut.clone(),
                };
                let terms = Account::named_at(ctx, account, at).await?;
                Receivables {
                    currency: currency_of(account, terms.currency_code()),
                    ..Receivables::default()
                }
            }
        };
        Ok(Balance {
            account: account.to_owned(),
            state,
            cut,
        })
    }
}

#[Object]
impl Balance {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named_at(ctx, &self.account, self.cut.clone()).await
    }

    /// The folio of the account that it is about.
    async fn folio(&self) -> &str {
        &self.account
    }

    /// Open amounts less unapplied credit; below zero when the account is in credit.
    async fn balance(&self) -> Money {
        Money(self.state.balance())
    }

    /// Sum of what is open of its invoices.
    async fn open(&self) -> Money {
        Money(self.state.open())
    }

    /// Credit that no invoice has used.
    async fn unapplied(&self) -> Money {
        Money(self.state.unapplied())
    }

    /// Invoices with something to pay, oldest due date first.
    async fn open_items(&self) -> Vec<OpenItem> {
        let items = self.state.open_items();
        items
            .map(|item| OpenItem::new(item, self.cut.clone()))
            .collect()
    }
}

/// An invoice with something to pay.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct OpenItem {
    #[graphql(skip)]
    key: String,
    number: String,
    issued: Date,
    due: Date,
    total: Money,
    open: Money,
    #[graphql(skip)]
    pending: Option<String>,
    #[graphql(skip)]
    cut: Cut,
}

impl OpenItem {
    fn new(item: &indelible_domain::receivables::Item, cut: Cut) -> OpenItem {
        OpenItem {
            key: item.invoice.clone(),
            number: item.number.clone(),
            issued: Date(item.issued),
            due: Date(item.due),
            total: Money(item.total),
            open: Money(item.open),
            pending: item.pending.clone(),
            cut,
        }
    }
}

#[async_graphql::ComplexObject]
impl OpenItem {
    async fn invoice(&self, ctx: &Context<'_>) -> Result<Option<Invoice>> {
        Invoice::at(ctx, &self.key, self.cut.clone()).await
    }

    /// The payment asked of a provider that has not come yet.
    async fn pending(&self, ctx: &Context<'_>) -> Result<Option<Payment>> {
        match &self.pending {
            Some(payment) => Payment::find(ctx, payment),
            None => Ok(None),
        }
    }
}

#[derive(InputObject)]
pub struct RecordPaymentInput {
    /// Chosen by you.
    id: ID,
    account: ID,
    amount: Money,
    /// Applied to this invoice; none: oldest due date first.
    invoice: Option<ID>,
    /// card, direct-debit, transfer, cash, …
    #[graphql(default_with = "\"transfer\".to_owned()")]
    method: String,
    /// True: asked of a provider, money not here yet. False: received.
    #[graphql(default)]
    pending: bool,
}

#[derive(InputObject)]
pub struct GrantCreditInput {
    /// Chosen by you.
    id: ID,
    account: ID,
    amount: Money,
    reason: String,
}

#[derive(SimpleObject)]
pub struct PaymentPayload {
    /// As it is now; for a dry run as it would be.
    payment: Option<Payment>,
    receipt: Receipt,
}

#[derive(SimpleObject)]
pub struct CreditPayload {
    /// As it is now; for a dry run as it would be.
    pub balance: Balance,
    pub receipt: Receipt,
}

pub(super) async fn done(
    ctx: &Context<'_>,
    idempotency_key: &str,
    payment: &str,
    command: Command,
    dry_run: bool,
) -> Result<PaymentPayload> {
    let receipt =
        desk::hand_in_or_try(ctx, Scope::Operate, idempotency_key, command, dry_run).await?;
    Ok(PaymentPayload {
        payment: Payment::seen(ctx, payment, &receipt.cut())?,
        receipt,
    })
}

#[derive(Default)]
pub struct PaymentQueries;

#[Object]
impl PaymentQueries {
    async fn payment(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Payment>> {
        Payment::find(ctx, &ids::key("payment", &id))
    }

    /// What an account owes to its legal entity in its currency, or on the folio that is named, now or as of some time.
    async fn balance(
        &self,
        ctx: &Context<'_>,
        account: ID,
        as_of: Option<AsOf>,
    ) -> Result<Balance> {
        Balance::find(ctx, &ids::key("account", &account), as_of).await
    }
}

#[derive(Default)]
pub struct PaymentMutations;

#[Object]
impl PaymentMutations {
    /// Records money that came, or that was asked of a provider. What it leaves over becomes account credit.
    async fn record_payment(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: RecordPaymentInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<PaymentPayload> {
        let payment = ids::key("payment", &input.id);
        let command = Command::RecordPayment(command::RecordPayment {
            payment: payment.clone(),
            account: ids::key("account", &input.account),
            amount: input.amount.0,
            invoice: input.invoice.map(|invoice| ids::key("invoice", &invoice)),
            method: input.method,
            pending: input.pending,
        });
        done(ctx, &idempotency_key, &payment, command, dry_run).await
    }

    /// The money of a pending payment came.
    async fn settle_payment(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        #[graphql(default)] dry_run: bool,
    ) -> Result<PaymentPayload> {
        let payment = ids::key("payment", &id);
        done(
            ctx,
            &idempotency_key,
            &payment,
            Command::SettlePayment {
                payment: payment.clone(),
            },
            dry_run,
        )
        .await
    }

    /// The money of a pending payment will not come.
    async fn fail_payment(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        kind: FailureKind,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<PaymentPayload> {
        let payment = ids::key("payment", &id);
        let command = Command::FailPayment {
            payment: payment.clone(),
            kind: kind.into(),
            reason,
        };
        done(ctx, &idempotency_key, &payment, command, dry_run).await
    }

    /// Gives money of a settled payment back, as often as some is left; no amount: all that is left of it. What came
    /// through a provider goes back through it: asked for here, done when it says so (`provider { returns }`).
    async fn refund_payment(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        amount: Option<Money>,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<PaymentPayload> {
        let payment = ids::key("payment", &id);
        let amount = amount.map(|amount| amount.0);
        let command = Command::RefundPayment {
            payment: payment.clone(),
            amount,
            reason,
        };
        done(ctx, &idempotency_key, &payment, command, dry_run).await
    }

    /// The payer's bank took money of a settled payment back; no amount: all that is left of it.
    async fn charge_back_payment(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        amount: Option<Money>,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<PaymentPayload> {
        let payment = ids::key("payment", &id);
        let amount = amount.map(|amount| amount.0);
        let command = Command::ChargeBackPayment {
            payment: payment.clone(),
            amount,
            reason,
        };
        done(ctx, &idempotency_key, &payment, command, dry_run).await
    }

    /// Money that was charged back is ours again; no amount: all of it.
    async fn reverse_charge_back(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        amount: Option<Money>,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<PaymentPayload> {
        let payment = ids::key("payment", &id);
        let amount = amount.map(|amount| amount.0);
        let command = Command::ReverseChargeBack {
            payment: payment.clone(),
            amount,
            reason,
        };
        done(ctx, &idempotency_key, &payment, command, dry_run).await
    }

    /// Gives an account credit without a payment; it pays finalised invoices, oldest due date first.
    async fn grant_credit(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: GrantCreditInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<CreditPayload> {
        let account = ids::key("account", &input.account);
        let command = Command::GrantCredit {
            account: account.clone(),
            credit: ids::key("credit", &input.id),
            amount: input.amount.0,
            reason: input.reason,
        };
        let receipt =
            desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await?;
        Ok(CreditPayload {
            balance: Balance::at(ctx, &account, receipt.cut()).await?,
            receipt,
        })
    }
}
