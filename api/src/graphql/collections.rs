//! Getting money from payers through providers: schedules, what a provider said, and what waits for a person.

use std::sync::Arc;

use async_graphql::connection::Connection;
use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::collections as domain;
use indelible_domain::command::{self, Command};
use indelible_domain::payments::{self, BackStage, Stage as PaidStage};
use indelible_domain::world::Entry;

use super::accounts::{Account, LegalEntity, LegalEntityPayload};
use super::books::Books;
use super::desk::{self, Receipt};
use super::ids;
use super::invoices::Invoice;
use super::methods::Kind as MethodKind;
use super::page::{self, Cursor};
use super::payments::{FailureKind, Payment, PaymentPayload};
use super::scalars::{Date, Money};
use crate::auth::Scope;

/// The attempts to get what is due, and when the next one is.
pub struct Collection {
    key: String,
    state: Arc<Entry<domain::Collection>>,
}

impl Collection {
    pub fn find(ctx: &Context<'_>, key: &str) -> Result<Option<Collection>> {
        let state = Books::of(ctx)?.find::<domain::Collection>(key);
        Ok(state.map(|state| Collection {
            key: key.to_owned(),
            state,
        }))
    }
}

#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum CollectionStage {
    /// A payment is under way.
    Trying,
    /// The next attempt has its day.
    Waiting,
    Collected,
    /// Every method was tried.
    GivenUp,
    /// Nothing is to be collected any more.
    Closed,
}

/// Why money is collected.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(name = "CollectionReason", remote = "domain::Why")]
pub enum Why {
    /// Somebody asked for it.
    Asked,
    /// The invoice was due.
    Due,
    /// Dunning asks again.
    Dunning,
}

#[Object]
impl Collection {
    pub async fn id(&self) -> ID {
        ids::node("collection", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.state.state.account).await
    }

    /// The folio of the account that it is about.
    async fn folio(&self) -> &str {
        &self.state.state.account
    }

    /// None: everything the account has due.
    async fn invoice(&self, ctx: &Context<'_>) -> Result<Option<Invoice>> {
        match &self.state.state.invoice {
            Some(key) => Invoice::now(ctx, key),
            None => Ok(None),
        }
    }

    async fn stage(&self) -> CollectionStage {
        match self.state.state.stage {
            domain::Stage::Absent | domain::Stage::Trying => CollectionStage::Trying,
            domain::Stage::Waiting { .. } => CollectionStage::Waiting,
            domain::Stage::Collected => CollectionStage::Collected,
            domain::Stage::GivenUp { .. } => CollectionStage::GivenUp,
            domain::Stage::Closed { .. } => CollectionStage::Closed,
        }
    }

    async fn why(&self) -> Why {
        self.state.state.why.into()
    }

    /// Why it was given up or closed.
    async fn reason(&self) -> Option<&str> {
        match &self.state.state.stage {
            domain::Stage::GivenUp { reason } | domain::Stage::Closed { reason } => Some(reason),
            _ => None,
        }
    }

    async fn opened(&self) -> Option<Date> {
        self.state.state.opened.map(Date)
    }

    /// When and by which method it is tried next, if it waits.
    async fn next(&self) -> Option<NextAttempt> {
        match &self.state.state.stage {
            domain::Stage::Waiting { next, method } => Some(NextAttempt {
                on: Date(*next),
                method: method.clone(),
            }),
            _ => None,
        }
    }

    /// The rules it was opened under.
    async fn rules(&self) -> CollectionRules {
        CollectionRules::new(&self.state.state.rules)
    }

    async fn attempts(&self) -> Vec<CollectionAttempt> {
        let attempts = self.state.state.attempts.iter();
        let rows = attempts.map(|attempt| CollectionAttempt {
            key: attempt.payment.clone(),
            method: attempt.method.clone(),
            amount: Money(attempt.amount),
            on: Date(attempt.on),
            failure: attempt.failure.map(FailureKind::from),
            code: attempt.code.clone(),
        });
        rows.collect()
    }
}

/// What is planned.
#[derive(SimpleObject)]
pub struct NextAttempt {
    on: Date,
    /// Id of the payment method within the account.
    method: String,
}

/// One payment that was asked for.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct CollectionAttempt {
    #[graphql(skip)]
    key: String,
    /// Id of the payment method within the account.
    method: String,
    amount: Money,
    on: Date,
    /// None: under way, or collected.
    failure: Option<FailureKind>,
    /// The provider's code.
    code: Option<String>,
}

#[ComplexObject]
impl CollectionAttempt {
    async fn payment(&self, ctx: &Context<'_>) -> Result<Option<Payment>> {
        Payment::find(ctx, &self.key)
    }
}

/// When and how often is collected.
#[derive(SimpleObject)]
pub struct CollectionRules {
    /// What is due is collected on its due date without being asked, unless the account says otherwise.
    automatic: bool,
    /// Days from each soft refusal of a method to the next attempt with it.
    retry_days: Vec<u32>,
    /// After a hard refusal, or when the schedule has run out, the next method is tried.
    fallback: bool,
    /// Kinds of methods that are asked ahead of the due date.
    lead_days: Vec<CollectionLead>,
    /// Whoever is debited is told the amount and the day when the debit is initiated.
    notify: bool,
}

/// How many days before the due date a kind of method is asked.
#[derive(SimpleObject)]
pub struct CollectionLead {
    kind: MethodKind,
    days: u32,
}

impl CollectionRules {
    pub fn new(rules: &domain::Rules) -> CollectionRules {
        let leads = rules.lead_days.iter().map(|(kind, days)| CollectionLead {
            kind: (*kind).into(),
            days: *days,
        });
        CollectionRules {
            automatic: rules.automatic,
            retry_days: rules.soft_days.clone(),
            fallback: rules.fallback,
            lead_days: leads.collect(),
            notify: rules.notify,
        }
    }
}

/// What a provider was asked and what it said.
#[derive(SimpleObject)]
pub struct ProviderSide {
    gateway: String,
    /// Id of the payment method within the account.
    method: String,
    /// What the provider calls the payment.
    reference: Option<String>,
    /// The provider's code, or why its answer was lost.
    code: Option<String>,
    /// Where the payer does what the provider asks for.
    action: Option<String>,
    /// How often the provider was called.
    calls: u32,
    /// Key of the collection of which it is an attempt.
    collection: Option<String>,
    /// Money that goes back through the provider, in parts.
    returns: Vec<PaymentReturn>,
    /// What it said that cannot be.
    contradictions: Vec<String>,
}

impl ProviderSide {
    /// None: the payment is recorded by hand.
    pub fn of(payment: &payments::Payment) -> Option<ProviderSide> {
        let route = payment.route.clone()?;
        let returns = payment.returns.iter().map(|back| PaymentReturn {
            number: back.number,
            amount: Money(back.amount),
            reason: back.reason.clone(),
            stage: back.stage.into(),
            reference: back.reference.clone(),
            on: Date(back.on),
            code: back.code.clone(),
        });
        Some(ProviderSide {
            gateway: route.gateway,
            method: route.method,
            reference: payment.reference.clone(),
            code: payment.code.clone(),
            action: payment.action.clone(),
            calls: payment.sent,
            collection: route.collection,
            returns: returns.collect(),
            contradictions: payment.contradictions.clone(),
        })
    }
}

/// Where a return stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "BackStage")]
pub enum ReturnStage {
    /// To be asked of the provider.
    Asked,
    /// The provider is being called.
    Sent,
    /// Taken on by the provider.
    Pending,
    /// The answer was lost: it is being looked up.
    Unknown,
    Done,
    Failed,
}

/// Money that goes back through the provider that brought it.
#[derive(SimpleObject)]
pub struct PaymentReturn {
    /// 1, 2, … within the payment.
    number: u32,
    amount: Money,
    reason: String,
    stage: ReturnStage,
    /// What the provider calls the return.
    reference: Option<String>,
    on: Date,
    /// The provider's code, or why its answer was lost.
    code: Option<String>,
}

/// Why a payment waits for a person.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum PaymentWorkReason {
    /// The provider's answer was lost; it is looked up until it is known.
    OutcomeUnknown,
    /// The payer must do something first.
    ActionRequired,
    /// The provider said what cannot be.
    Contradicted,
    /// The answer about a return was lost.
    ReturnUnknown,
    /// Money that was to go back did not.
    ReturnFailed,
}

/// A payment that somebody has to look at.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct PaymentWork {
    #[graphql(skip)]
    key: String,
    why: Vec<PaymentWorkReason>,
}

#[ComplexObject]
impl PaymentWork {
    async fn payment(&self, ctx: &Context<'_>) -> Result<Option<Payment>> {
        Payment::find(ctx, &self.key)
    }
}

fn reasons(payment: &payments::Payment) -> Vec<PaymentWorkReason> {
    let returned = |stage| payment.returns.iter().any(|b| b.stage == stage);
    let cases = [
        (
            payment.stage == PaidStage::Unknown,
            PaymentWorkReason::OutcomeUnknown,
        ),
        (
            payment.stage == PaidStage::ActionRequired,
            PaymentWorkReason::ActionRequired,
        ),
        (payment.contradicted(), PaymentWorkReason::Contradicted),
        (
            returned(BackStage::Unknown),
            PaymentWorkReason::ReturnUnknown,
        ),
        (
            payment.returns.iter().any(payments::Back::failed_unseen),
            PaymentWorkReason::ReturnFailed,
        ),
    ];
    let holding = cases.into_iter().filter(|(holds, _)| *holds);
    holding.map(|(_, why)| why).collect()
}

#[derive(Default)]
pub struct CollectionQueries;

#[Object]
impl CollectionQueries {
    async fn collection(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Collection>> {
        Collection::find(ctx, &ids::key("collection", &id))
    }

    /// Collections of an account in the order in which they were opened.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn collections(
        &self,
        ctx: &Context<'_>,
        account: ID,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Collection>> {
        let asked = page::asked(first, after)?;
        let account = ids::key("account", &account);
        let books = Books::of(ctx)?;
        let keys = books.index(|index| index.all_collections_of.get(&account).cloned());
        let rows = keys
            .into_iter()
            .flatten()
            .enumerate()
            .filter_map(|(n, key)| {
                let state = books.find::<domain::Collection>(&key)?;
                Some((format!("{n:012}"), Collection { key, state }))
            });
        Ok(page::sorted(&asked, rows.collect()))
    }

    /// Payments that wait for a person, in the order of their keys: lost answers, payers who must act, returns that
    /// failed, and what cannot be.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn payment_work(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, PaymentWork>> {
        let asked = page::asked(first, after)?;
        let rows = Books::of(ctx)?.live(|tenant| {
            let intents = &tenant.index.intents;
            let candidates = intents.asked.iter();
            let candidates = candidates.chain(intents.backs.keys()).chain(&intents.odd);
            let keys: std::collections::BTreeSet<&String> = candidates.collect();
            let rows = keys.into_iter().filter_map(|key| {
                let payment = &tenant.tables.payments.get(key)?.state;
                let why = reasons(payment);
                let key = key.clone();
                (!why.is_empty()).then(|| (key.clone(), PaymentWork { key, why }))
            });
            rows.collect::<Vec<_>>()
        });
        Ok(page::sorted(&asked, rows))
    }
}

#[derive(InputObject)]
pub struct CollectInput {
    /// Chosen by you.
    id: ID,
    account: ID,
    /// None: everything that is due by today.
    invoice: Option<ID>,
    /// Id of a payment method within the account; none: the first that a provider can be asked by.
    method: Option<String>,
}

#[derive(InputObject)]
pub struct CollectionRulesInput {
    entity: ID,
    /// What is due is collected on its due date without being asked, unless the account says otherwise.
    #[graphql(default)]
    automatic: bool,
    /// Days from each soft refusal of a method to the next attempt with it.
    #[graphql(default_with = "domain::Rules::default().soft_days")]
    retry_days: Vec<u32>,
    /// After a hard refusal, or when the schedule has run out, the next method is tried.
    #[graphql(default = true)]
    fallback: bool,
    /// Kinds of methods that are asked ahead of the due date, so that the money moves on it: cards and direct debits.
    #[graphql(default)]
    lead_days: Vec<CollectionLeadInput>,
    /// Whoever is debited is told the amount and the day when the debit is initiated.
    #[graphql(default)]
    notify: bool,
}

#[derive(InputObject)]
pub struct CollectionLeadInput {
    kind: MethodKind,
    days: u32,
}

#[derive(SimpleObject)]
pub struct CollectionPayload {
    collection: Option<Collection>,
    receipt: Receipt,
}

async fn done(ctx: &Context<'_>, key: &str, command: Command) -> Result<CollectionPayload> {
    let receipt = desk::hand_in(ctx, Scope::Operate, key, command).await?;
    let touched = &receipt.outcome().touched;
    let of = touched.iter().find(|(kind, _)| kind == "collection");
    let collection = match of {
        Some((_, key)) => Collection::find(ctx, key)?,
        None => None,
    };
    Ok(CollectionPayload {
        collection,
        receipt,
    })
}

#[derive(Default)]
pub struct CollectionMutations;

#[Object]
impl CollectionMutations {
    /// Asks a payer's provider for an invoice, or for everything that is due. One that waits for its next attempt is
    /// tried now: the answer has its id then. The provider is called once this is on disk.
    async fn collect(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: CollectInput,
    ) -> Result<CollectionPayload> {
        let command = Command::Collect(command::Collect {
            collection: ids::key("collection", &input.id),
            account: ids::key("account", &input.account),
            invoice: input.invoice.map(|invoice| ids::key("invoice", &invoice)),
            method: input.method,
        });
        done(ctx, &idempotency_key, command).await
    }

    /// A person has looked at what a provider said that cannot be, and at returns that failed: the payment is no work any
    /// more until something new is said of it.
    async fn acknowledge_payment(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        note: String,
    ) -> Result<PaymentPayload> {
        let payment = ids::key("payment", &id);
        let command = Command::AcknowledgePayment {
            payment: payment.clone(),
            note,
        };
        super::payments::done(ctx, &idempotency_key, &payment, command, false).await
    }

    /// No further attempt is made.
    async fn close_collection(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        reason: String,
    ) -> Result<CollectionPayload> {
        let command = Command::CloseCollection {
            collection: ids::key("collection", &id),
            reason,
        };
        done(ctx, &idempotency_key, command).await
    }

    /// How a legal entity collects, for collections opened from now on. Scope admin.
    async fn set_collection_rules(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: CollectionRulesInput,
    ) -> Result<LegalEntityPayload> {
        let entity = ids::key("entity", &input.entity);
        let leads = input.lead_days.into_iter();
        let command = Command::SetCollectionRules {
            entity: entity.clone(),
            rules: domain::Rules {
                automatic: input.automatic,
                soft_days: input.retry_days,
                fallback: input.fallback,
                lead_days: leads.map(|lead| (lead.kind.into(), lead.days)).collect(),
                notify: input.notify,
            },
        };
        let receipt = desk::hand_in(ctx, Scope::Admin, &idempotency_key, command).await?;
        Ok(LegalEntityPayload {
            entity: LegalEntity::find(ctx, &entity)?,
            receipt,
        })
    }
}
