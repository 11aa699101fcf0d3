//! Charges that wait for the next invoice, and what an invoice line is for.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::accounts::folio;
use indelible_domain::charges as domain;
use indelible_domain::command::Command;

use super::books::{Books, Cut};
use super::desk::{self, Receipt};
use super::ids;
use super::life::ComingInvoice;
use super::scalars::{Date, Money};
use crate::auth::Scope;

/// A charge added by hand or by a process, waiting for the account's next invoice.
#[derive(SimpleObject)]
pub struct PendingCharge {
    id: ID,
    /// What the invoice line will say.
    text: String,
    /// Net; below zero gives something back.
    amount: Money,
    on: Date,
    tax_class: String,
}

impl PendingCharge {
    /// Charges of an account that no invoice carries yet.
    pub async fn of_account(
        ctx: &Context<'_>,
        account: &str,
        cut: &Cut,
    ) -> Result<Vec<PendingCharge>> {
        let books = Books::of(ctx)?;
        let found = books
            .find_at::<domain::Charges>(account, cut, Some(books.zone(account)))
            .await?;
        let Some(charges) = found else {
            return Ok(vec![]);
        };
        let row = |pending: &domain::Pending| PendingCharge {
            id: ids::node("charge", &pending.charge),
            text: pending.text.clone(),
            amount: Money(pending.amount),
            on: Date(pending.on),
            tax_class: pending.tax_class.clone(),
        };
        Ok(charges.state.pending.iter().map(row).collect())
    }
}

/// What an invoice line is for.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub enum LineKind {
    /// Days of a recurring charge.
    Recurring,
    /// Unused days of an earlier line, given back.
    Credit,
    /// A period of a usage charge; a second line for the same period is the exact difference.
    Usage,
    /// A one-off charge of the offer.
    OneOff,
    /// A charge added by hand or by a process.
    Added,
    /// Something to be put into a wallet; it is there once this is paid.
    TopUp,
    /// What a commitment lacks of its minimum.
    TrueUp,
    /// What is beyond the maximum of a commitment, taken off.
    Cap,
    /// What a discount took off a line; never a line of its own.
    Reduction,
    /// Money asked for before the supply.
    Advance,
    /// An advance that is taken off what it was for.
    Deducted,
}

impl From<&domain::What> for LineKind {
    fn from(what: &domain::What) -> LineKind {
        match what {
            domain::What::Recurring { .. } => LineKind::Recurring,
            domain::What::Credit { .. } => LineKind::Credit,
            domain::What::Usage { .. } => LineKind::Usage,
            domain::What::OneOff { .. } => LineKind::OneOff,
            domain::What::Added { .. } => LineKind::Added,
            domain::What::TopUp { .. } => LineKind::TopUp,
            domain::What::TrueUp { .. } => LineKind::TrueUp,
            domain::What::Cap { .. } => LineKind::Cap,
            domain::What::Reduction { .. } => LineKind::Reduction,
            domain::What::Advance { .. } => LineKind::Advance,
            domain::What::Deducted { .. } => LineKind::Deducted,
        }
    }
}

#[derive(InputObject)]
pub struct AddChargeInput {
    /// Chosen by you; it can be added once.
    id: ID,
    account: ID,
    /// What the invoice line will say.
    text: String,
    /// Net; below zero gives something back.
    amount: Money,
    /// None: today in the account's zone.
    on: Option<Date>,
    #[graphql(default_with = "\"standard\".to_owned()")]
    tax_class: String,
}

#[derive(SimpleObject)]
pub struct ChargePayload {
    /// Charges of the account that wait for its next invoice; for a dry run those that would.
    pending: Vec<PendingCharge>,
    /// What becomes due with it of everything that is billed with the account, up to 400 days ahead and 100 documents; for a dry
    /// run as it would be.
    coming: Vec<ComingInvoice>,
    receipt: Receipt,
}

async fn done(
    ctx: &Context<'_>,
    idempotency_key: &str,
    account: &str,
    command: Command,
    dry_run: bool,
) -> Result<ChargePayload> {
    let scope = Scope::Operate;
    let (receipt, coming) =
        desk::hand_in_or_look_ahead(ctx, scope, idempotency_key, command, account, dry_run).await?;
    Ok(ChargePayload {
        // Charges of all folios wait with the account.
        pending: PendingCharge::of_account(ctx, folio::owner(account), &receipt.cut()).await?,
        coming: coming.iter().map(ComingInvoice::of).collect(),
        receipt,
    })
}

#[derive(Default)]
pub struct ChargeMutations;

#[Object]
impl ChargeMutations {
    /// Adds a one-off charge to the account's next invoice.
    async fn add_charge(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: AddChargeInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<ChargePayload> {
        let account = ids::key("account", &input.account);
        let command = Command::AddCharge {
            account: account.clone(),
            charge: ids::key("charge", &input.id),
            text: input.text,
            amount: input.amount.0,
            on: input.on.map(|date| date.0),
            tax_class: input.tax_class,
        };
        done(ctx, &idempotency_key, &account, command, dry_run).await
    }

    /// Takes back a charge that no invoice carries yet.
    async fn cancel_charge(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        id: ID,
        #[graphql(default)] dry_run: bool,
    ) -> Result<ChargePayload> {
        let account = ids::key("account", &account);
        let command = Command::CancelCharge {
            account: account.clone(),
            charge: ids::key("charge", &id),
        };
        done(ctx, &idempotency_key, &account, command, dry_run).await
    }
}
