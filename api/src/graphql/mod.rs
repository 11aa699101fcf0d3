//! The GraphQL schema: one file per noun, the same nouns as in `domain` and `projections`.

use std::sync::Arc;

use async_graphql::{
    Context, ID, Interface, MergedObject, MergedSubscription, Object, Result, SDLExportOptions,
};
use async_graphql::{Schema as Built, SimpleObject};

use crate::limits;
use crate::office::Office;

mod accounts;
mod advances;
mod bank;
mod bank_told;
mod bill_runs;
mod books;
mod cash;
mod catalog;
mod catalog_drafts;
mod charges;
mod collections;
mod contracts;
mod custom_fields;
mod desk;
mod discounts;
mod dunning;
mod entitlements;
mod errors;
mod exchange;
pub(crate) mod explained;
mod folios;
mod forget;
mod ids;
mod invoices;
mod invoicing;
mod life;
pub(crate) mod log;
mod messages;
mod methods;
mod milestones;
mod options;
mod page;
mod past;
mod payments;
mod periods;
mod position;
mod proofs;
mod reports;
mod reratings;
mod reservations;
mod scalars;
mod shares;
pub(crate) mod shown;
mod subscriptions;
mod usage;
mod wallet_terms;
mod wallets;

use books::Books;

pub type Schema = Built<Query, Mutation, Feed>;

#[derive(MergedObject, Default)]
pub struct Query(
    ViewerQueries,
    accounts::AccountQueries,
    advances::AdvanceQueries,
    bank::BankQueries,
    bill_runs::BillRunQueries,
    cash::CashQueries,
    catalog::CatalogQueries,
    catalog_drafts::CatalogDraftQueries,
    discounts::DiscountQueries,
    entitlements::EntitlementQueries,
    exchange::ExchangeQueries,
    folios::FolioQueries,
    collections::CollectionQueries,
    contracts::ContractQueries,
    custom_fields::CustomFieldQueries,
    invoices::InvoiceQueries,
    invoicing::InvoicingQueries,
    messages::MessageQueries,
    methods::MethodQueries,
    milestones::MilestoneQueries,
    dunning::DunningQueries,
    log::LogQueries,
    proofs::ProofQueries,
    reports::FinanceQueries,
    reports::AgingQueries,
    reports::ReceivableQueries,
    reports::RevenueQueries,
    reports::UsageReportQueries,
    payments::PaymentQueries,
    reratings::ReratingQueries,
    reservations::ReservationQueries,
    shares::ShareQueries,
    shown::ShownQueries,
    subscriptions::SubscriptionQueries,
    usage::UsageQueries,
    wallets::WalletQueries,
);

#[derive(MergedObject, Default)]
pub struct Mutation(
    accounts::AccountMutations,
    advances::AdvanceMutations,
    bank::BankMutations,
    bank_told::BankToldMutations,
    bill_runs::BillRunMutations,
    cash::CashMutations,
    catalog::CatalogMutations,
    catalog_drafts::CatalogDraftMutations,
    discounts::DiscountMutations,
    charges::ChargeMutations,
    collections::CollectionMutations,
    contracts::ContractMutations,
    options::OptionMutations,
    custom_fields::CustomFieldMutations,
    dunning::DunningMutations,
    exchange::ExchangeMutations,
    folios::FolioMutations,
    forget::PersonalDataMutations,
    periods::PeriodMutations,
    invoices::InvoiceMutations,
    invoicing::InvoicingMutations,
    messages::MessageMutations,
    methods::MethodMutations,
    milestones::MilestoneMutations,
    payments::PaymentMutations,
    reratings::ReratingMutations,
    reservations::ReservationMutations,
    shown::ShownMutations,
    life::LifeMutations,
    subscriptions::SubscriptionMutations,
    usage::UsageMutations,
    wallets::WalletMutations,
);

/// The root of GraphQL subscriptions; the type `Subscription` is what a customer has.
#[derive(MergedSubscription, Default)]
pub struct Feed(log::LogSubscriptions, bill_runs::BillRunSubscriptions);

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Feed> {
    Built::build(Query::default(), Mutation::default(), Feed::default())
        .limit_complexity(limits::COMPLEXITY)
        .limit_recursive_depth(limits::PARSER_DEPTH)
        .limit_directives(limits::DIRECTIVES)
        .extension(limits::DocumentLimits::default())
}

/// Builds the schema over one office, with its limits.
pub fn schema(office: Arc<Office>) -> Schema {
    builder().data(office).finish()
}

/// The schema definition, sorted, as committed in `api/schema.graphql`.
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items();
    builder().finish().sdl_with_options(options)
}

#[derive(Default)]
pub struct ViewerQueries;

#[Object]
impl ViewerQueries {
    /// Who this server takes you for.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        let books = Books::of(ctx)?;
        let caller = books.caller();
        Ok(Viewer {
            tenant: caller.tenant.clone(),
            scope: caller.scope.to_string(),
            actor: caller.actor.clone(),
        })
    }

    /// Anything with a node id; none if there is no such thing.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Node>> {
        let Some((kind, key)) = ids::split(&id) else {
            return Ok(None);
        };
        Ok(match kind {
            "account" => accounts::Account::find(ctx, key, None)
                .await?
                .map(Node::from),
            "bill-run" => bill_runs::BillRun::find(ctx, key)?.map(Node::from),
            "collection" => collections::Collection::find(ctx, key)?.map(Node::from),
            "entity" => accounts::LegalEntity::find(ctx, key)?.map(Node::from),
            "invoice" => invoices::Invoice::now(ctx, key)?.map(Node::from),
            "subscription" => subscriptions::Subscription::find(ctx, key, None)
                .await?
                .map(Node::from),
            "batch" => usage::Batch::find(ctx, key)?.map(Node::from),
            "dunning-policy" => dunning::Policy::find(ctx, key)?.map(Node::from),
            "payment" => payments::Payment::find(ctx, key)?.map(Node::from),
            "message" => messages::Message::find(ctx, key)?.map(Node::from),
            "reservation" => reservations::Reservation::find(ctx, key)?.map(Node::from),
            "wallet" => wallets::Wallet::find(ctx, key)?.map(Node::from),
            _ => None,
        })
    }
}

/// Anything with a node id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID"))]
pub enum Node {
    Account(accounts::Account),
    BillRun(bill_runs::BillRun),
    Collection(collections::Collection),
    DunningPolicy(dunning::Policy),
    LegalEntity(accounts::LegalEntity),
    Invoice(invoices::Invoice),
    Payment(payments::Payment),
    Reservation(reservations::Reservation),
    Subscription(subscriptions::Subscription),
    UsageBatch(usage::Batch),
    Message(messages::Message),
    Wallet(wallets::Wallet),
}

/// The tenant and scope of the key that was sent.
#[derive(SimpleObject)]
pub struct Viewer {
    tenant: String,
    /// read, operate or admin; each includes the ones before it.
    scope: String,
    /// What the log records as the actor of what you do.
    actor: String,
}
