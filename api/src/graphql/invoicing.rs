//! How documents are made: review rules, holds, grace periods, groups, documents at once, and the look ahead.

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::{Command, InvoicingPlace};
use indelible_domain::expressions::Expression;
use indelible_domain::invoices as documents;
use indelible_domain::invoicing as domain;
use indelible_domain::world::Entry;
use indelible_domain::{Session, operations};
use std::sync::Arc;

use super::books::{Books, Cut};
use super::desk::{self, Receipt};
use super::invoices::{Invoice, InvoicePayload};
use super::page::{self, Cursor};
use super::scalars::{Date, Decimal};
use super::{errors, ids};
use crate::auth::Scope;

/// Why a draft waits.
#[derive(SimpleObject)]
pub struct InvoiceHold {
    /// At least one.
    reasons: Vec<HoldReason>,
    /// The day on which it is finalised without being asked; none: once somebody releases it.
    until: Option<Date>,
}

impl InvoiceHold {
    pub fn of(hold: &documents::Hold) -> InvoiceHold {
        let reason = |reason: &documents::Reason| HoldReason {
            rule: reason.rule.clone(),
            text: reason.text.clone(),
        };
        InvoiceHold {
            reasons: hold.reasons.iter().map(reason).collect(),
            until: hold.until.map(Date),
        }
    }
}

/// What a rule found.
#[derive(SimpleObject)]
pub struct HoldReason {
    /// Code of a review rule; `grace`, `kept` or `hand`.
    rule: String,
    text: String,
}

/// What goes onto a document of its own.
#[derive(Clone, Copy, Enum, PartialEq, Eq, Default)]
#[graphql(remote = "domain::Split")]
pub enum InvoiceSplit {
    /// One document for everything.
    #[default]
    Whole,
    /// One per subscription.
    Subscription,
    /// One per invoice group: an order, a payment method, a cost centre.
    Group,
    /// One per account that used it.
    Account,
    /// One per order that subscriptions are of.
    Order,
    /// One per payment method that subscriptions are paid by.
    Method,
}

/// What a review rule that holds says about a document.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::Verdict")]
pub enum ReviewVerdict {
    /// No later rule is read.
    Accept,
    /// It stays a draft until somebody has looked at it.
    Hold,
    /// Nothing is made; the bill run names the account as an exception.
    Reject,
}

/// How documents are made.
#[derive(SimpleObject)]
pub struct InvoicingTerms {
    /// In the account's currency; a smaller total above zero waits for more.
    minimum: Option<Decimal>,
    /// Days for which a document of a bill run stays a draft.
    grace_days: u32,
    /// Documents stay drafts until somebody releases them.
    keep_drafts: bool,
    split: InvoiceSplit,
    rules: Vec<ReviewRule>,
}

/// A condition and what it means for a document.
#[derive(SimpleObject)]
pub struct ReviewRule {
    code: String,
    /// True or false; see docs/expressions.md for what it may read.
    when: String,
    verdict: ReviewVerdict,
    text: String,
}

impl InvoicingTerms {
    fn of(terms: &domain::Terms) -> InvoicingTerms {
        let rule = |rule: &domain::Rule| ReviewRule {
            code: rule.code.clone(),
            when: rule.when.source().to_owned(),
            verdict: rule.verdict.into(),
            text: rule.text.clone(),
        };
        InvoicingTerms {
            minimum: terms.minimum.map(Decimal),
            grace_days: terms.grace_days,
            keep_drafts: terms.keep_drafts,
            split: terms.split.into(),
            rules: terms.rules.iter().map(rule).collect(),
        }
    }
}

#[derive(InputObject)]
pub struct InvoicingTermsInput {
    minimum: Option<Decimal>,
    #[graphql(default)]
    grace_days: u32,
    #[graphql(default)]
    keep_drafts: bool,
    #[graphql(default)]
    split: InvoiceSplit,
    #[graphql(default)]
    rules: Vec<ReviewRuleInput>,
}

#[derive(InputObject)]
pub struct ReviewRuleInput {
    code: String,
    when: String,
    verdict: ReviewVerdict,
    /// What a person is told.
    #[graphql(default)]
    text: String,
}

impl From<InvoicingTermsInput> for domain::Terms {
    fn from(input: InvoicingTermsInput) -> domain::Terms {
        let rule = |rule: ReviewRuleInput| domain::Rule {
            code: rule.code,
            when: Expression::new(rule.when),
            verdict: rule.verdict.into(),
            text: rule.text,
        };
        domain::Terms {
            minimum: input.minimum.map(|minimum| minimum.0),
            grace_days: input.grace_days,
            keep_drafts: input.keep_drafts,
            split: input.split.into(),
            rules: input.rules.into_iter().map(rule).collect(),
        }
    }
}

/// One of the two.
pub(super) fn place(entity: Option<ID>, account: Option<ID>) -> Result<InvoicingPlace> {
    match (entity, account) {
        (Some(entity), None) => Ok(InvoicingPlace::Entity(ids::key("entity", &entity))),
        (None, Some(account)) => Ok(InvoicingPlace::Account(ids::key("account", &account))),
        _ => Err(errors::refused(
            "PLACE_INVALID",
            "name either a legal entity or an account",
        )),
    }
}

/// A setting of documents after it was changed.
#[derive(SimpleObject)]
pub struct InvoicingPayload {
    /// What is said there now; none: nothing.
    terms: Option<InvoicingTerms>,
    receipt: Receipt,
}

#[derive(Default)]
pub struct InvoicingQueries;

#[Object]
impl InvoicingQueries {
    /// What is said for a legal entity or for an account itself; none: nothing.
    async fn invoicing(
        &self,
        ctx: &Context<'_>,
        entity: Option<ID>,
        account: Option<ID>,
    ) -> Result<Option<InvoicingTerms>> {
        said(&Books::of(ctx)?, &place(entity, account)?, &Cut::now())
    }

    /// Drafts that wait, in the order of their keys, each with its reasons.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn held_invoices(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Invoice>> {
        let asked = page::asked(first, after)?;
        let held = Books::of(ctx)?.index(|index| index.held.clone());
        let rows = held
            .into_iter()
            .filter_map(|key| Some((key.clone(), Invoice::now(ctx, &key).ok()??)));
        Ok(page::sorted(&asked, rows.collect()))
    }

    /// What the account's next document would be, computed now and kept nowhere; none: nothing is due. `usage`: with what
    /// was used so far of periods that still run.
    async fn invoice_preview(
        &self,
        ctx: &Context<'_>,
        account: ID,
        as_of: Option<Date>,
        #[graphql(default)] usage: bool,
    ) -> Result<Option<Invoice>> {
        let account = ids::key("account", &account);
        let books = Books::of(ctx)?;
        let now = books.now();
        let day = as_of.map_or_else(|| books.today(&account), |day| day.0);
        let document = books.live(|tenant| {
            let session = Session::new(tenant, now);
            match usage {
                true => operations::outlook(&session, &account, day),
                false => operations::preview(&session, &account, day),
            }
        });
        let document = document.map_err(errors::rejected)?;
        Ok(document.map(|document| {
            let state = documents::Invoice {
                stage: documents::Stage::Draft,
                document: document.into(),
                ..documents::Invoice::default()
            };
            let entry = Entry { version: 0, state };
            Invoice::tried(format!("preview.{account}"), Arc::new(entry), Cut::now())
        }))
    }
}

/// Where it is remembered.
pub(super) fn stream_of(place: &InvoicingPlace) -> String {
    match place {
        InvoicingPlace::Entity(entity) => domain::of_entity(entity),
        InvoicingPlace::Account(account) => domain::of_account(account),
    }
}

fn said(books: &Books, place: &InvoicingPlace, cut: &Cut) -> Result<Option<InvoicingTerms>> {
    let known = books.find_tried::<domain::Invoicing>(&stream_of(place), cut);
    let terms = known.and_then(|known| known.state.terms.as_ref().map(InvoicingTerms::of));
    Ok(terms)
}

#[derive(Default)]
pub struct InvoicingMutations;

#[Object]
impl InvoicingMutations {
    /// Says how documents of a legal entity's accounts, or of one account, are made from now on; without `terms` nothing is
    /// said there any more.
    async fn set_invoicing(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        entity: Option<ID>,
        account: Option<ID>,
        terms: Option<InvoicingTermsInput>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<InvoicingPayload> {
        let place = place(entity, account)?;
        let command = Command::SetInvoicing {
            place: place.clone(),
            terms: terms.map(|terms| Box::new(terms.into())),
        };
        let receipt =
            desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await?;
        Ok(InvoicingPayload {
            terms: said(&Books::of(ctx)?, &place, &receipt.cut())?,
            receipt,
        })
    }

    /// Puts a subscription's lines onto the documents of an invoice group (an order, a payment method, a cost centre);
    /// without `group` it is in none.
    async fn group_subscription(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        subscription: ID,
        group: Option<String>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<Receipt> {
        let command = Command::GroupSubscription {
            subscription: ids::key("subscription", &subscription),
            group,
        };
        desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await
    }

    /// Invoices everything due for an account at once; `usage`: and what was used so far of periods that still run, which
    /// is then missing on their last invoice.
    async fn invoice_now(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        account: ID,
        #[graphql(default)] usage: bool,
        #[graphql(default)] dry_run: bool,
    ) -> Result<InvoicePayload> {
        let invoice = ids::key("invoice", &id);
        let command = Command::InvoiceNow {
            invoice: invoice.clone(),
            account: ids::key("account", &account),
            usage,
        };
        super::invoices::done(ctx, &idempotency_key, &invoice, command, dry_run).await
    }

    /// Keeps a draft until it is released; its lines are on no other document meanwhile.
    async fn hold_invoice(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<InvoicePayload> {
        let invoice = ids::key("invoice", &id);
        let command = Command::HoldInvoice {
            invoice: invoice.clone(),
            reason,
        };
        super::invoices::done(ctx, &idempotency_key, &invoice, command, dry_run).await
    }

    /// Finalises a draft that waits, computed again with what happened since.
    async fn release_invoice(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        #[graphql(default)] note: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<InvoicePayload> {
        let invoice = ids::key("invoice", &id);
        let command = Command::ReleaseInvoice {
            invoice: invoice.clone(),
            note,
        };
        super::invoices::done(ctx, &idempotency_key, &invoice, command, dry_run).await
    }

    /// Makes no invoice of a draft: its charges are due again.
    async fn reject_invoice(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<InvoicePayload> {
        let invoice = ids::key("invoice", &id);
        let command = Command::RejectInvoice {
            invoice: invoice.clone(),
            reason,
        };
        super::invoices::done(ctx, &idempotency_key, &invoice, command, dry_run).await
    }
}
