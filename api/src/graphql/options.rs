//! Options of a subscription, other versions of its offer, and ad hoc charges.

use std::collections::BTreeMap;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::{self, Command};
use indelible_domain::kernel;

use super::desk::{self, Receipt};
use super::ids;
use super::scalars::{Date, Decimal};
use super::subscriptions::{EffectiveInput, SubscriptionPayload, Unused, done};
use crate::auth::Scope;

/// An option of an offer, and how many of it.
#[derive(InputObject)]
pub struct OptionChoiceInput {
    option: String,
    #[graphql(default_with = "Decimal(kernel::Decimal::ONE)")]
    quantity: Decimal,
    /// The option whose place it takes: phases and trial go on from where that one's are.
    replaces: Option<String>,
}

pub(super) fn choices(inputs: Vec<OptionChoiceInput>) -> Vec<command::Choice> {
    let choice = |input: OptionChoiceInput| command::Choice {
        option: input.option,
        quantity: input.quantity.0,
        replaces: input.replaces,
    };
    inputs.into_iter().map(choice).collect()
}

#[derive(InputObject)]
pub struct MigrateSubscriptionsInput {
    offer: String,
    /// The version to go to; none: the newest.
    version: Option<u32>,
    #[graphql(default)]
    effective: EffectiveInput,
    #[graphql(default_with = "Unused::CreditProrata")]
    unused: Unused,
}

#[derive(InputObject)]
pub struct AddOptionInput {
    subscription: ID,
    option: OptionChoiceInput,
    #[graphql(default)]
    effective: EffectiveInput,
    #[graphql(default_with = "Unused::CreditProrata")]
    unused: Unused,
}

#[derive(InputObject)]
pub struct RemoveOptionInput {
    subscription: ID,
    option: String,
    #[graphql(default)]
    effective: EffectiveInput,
    #[graphql(default_with = "Unused::CreditProrata")]
    unused: Unused,
}

#[derive(InputObject)]
pub struct OrderChargeInput {
    /// Chosen by you; it can be ordered once.
    id: ID,
    subscription: ID,
    /// Code of an ad hoc one-off charge of the offer.
    charge: String,
    #[graphql(default_with = "Decimal(kernel::Decimal::ONE)")]
    quantity: Decimal,
    /// Of one; none: the offer's.
    amount: Option<Decimal>,
    /// None: today in the account's zone.
    on: Option<Date>,
}

#[derive(SimpleObject)]
pub struct MigrationPayload {
    /// Subscriptions that got another version.
    moved: Vec<ID>,
    /// How many are left: ask again, with another idempotency key, until none is.
    left: u64,
    receipt: Receipt,
}

fn change(
    subscription: String,
    effective: command::Effective,
    unused: Unused,
) -> command::ChangeWithOptions {
    command::ChangeSubscription {
        subscription,
        offer: None,
        quantity: None,
        billing_day: None,
        overrides: BTreeMap::new(),
        effective,
        unused: unused.into(),
    }
    .into()
}

#[derive(Default)]
pub struct OptionMutations;

#[Object]
impl OptionMutations {
    /// Adds an option, or changes how many of it there are.
    async fn add_option(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: AddOptionInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let key = ids::key("subscription", &input.subscription);
        let effective = input.effective.into_domain()?;
        let change = command::ChangeWithOptions {
            add: choices(vec![input.option]),
            ..change(key.clone(), effective, input.unused)
        };
        let command = Command::ChangeWithOptions(Box::new(change));
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Takes an option away.
    async fn remove_option(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: RemoveOptionInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let key = ids::key("subscription", &input.subscription);
        let effective = input.effective.into_domain()?;
        let change = command::ChangeWithOptions {
            remove: vec![input.option],
            ..change(key.clone(), effective, input.unused)
        };
        let command = Command::ChangeWithOptions(Box::new(change));
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Gives a subscription the version of its offer that is sold on the day of the change.
    async fn migrate_subscription(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        #[graphql(default)] effective: EffectiveInput,
        #[graphql(default_with = "Unused::CreditProrata")] unused: Unused,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let key = ids::key("subscription", &id);
        let command = Command::MigrateSubscription {
            subscription: key.clone(),
            effective: effective.into_domain()?,
            unused: unused.into(),
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// The same for everybody who has a version of an offer, or any older one. Scope admin.
    async fn migrate_subscriptions(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: MigrateSubscriptionsInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<MigrationPayload> {
        let command = Command::MigrateSubscriptions {
            offer: input.offer,
            version: input.version,
            effective: input.effective.into_domain()?,
            unused: input.unused.into(),
        };
        let receipt =
            desk::hand_in_or_try(ctx, Scope::Admin, &idempotency_key, command, dry_run).await?;
        let outcome = receipt.outcome();
        let moved = outcome
            .touched
            .iter()
            .filter(|(kind, _)| kind == "subscription");
        Ok(MigrationPayload {
            moved: moved.map(|(kind, id)| ids::node(kind, id)).collect(),
            left: outcome.left,
            receipt,
        })
    }

    /// Charges an ad hoc one-off of the offer that a subscription has, with its next invoice.
    async fn order_charge(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: OrderChargeInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let key = ids::key("subscription", &input.subscription);
        let command = Command::OrderOneOff(Box::new(command::OrderOneOff {
            subscription: key.clone(),
            charge: ids::key("charge", &input.id),
            code: input.charge,
            quantity: input.quantity.0,
            amount: input.amount.map(|amount| amount.0),
            on: input.on.map(|date| date.0),
        }));
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }
}
