//! Subscriptions: which offer an account has, from when until when, in which quantity.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::{self, Command};
use indelible_domain::fields::Carrier;
use indelible_domain::kernel;
use indelible_domain::operations::Coming;
use indelible_domain::subscriptions as domain;
use indelible_domain::world::Entry;

use super::accounts::Account;
use super::books::{AsOf, Books, Cut};
use super::catalog::Offer;
use super::custom_fields::{self, CustomFieldValue};
use super::desk::{self, Receipt};
use super::life::{self, ComingElsewhere, ComingInvoice, SubscriptionEnding, Tenure, TenureInput};
use super::options::{OptionChoiceInput, choices};
use super::page::{self, Cursor};
use super::scalars::{Date, Decimal};
use super::{errors, ids};
use crate::auth::Scope;

/// What an account has subscribed to. Dates are calendar days in the account's zone; `until` is exclusive.
pub struct Subscription {
    pub key: String,
    state: Arc<Entry<domain::Subscription>>,
    cut: Cut,
}

impl Subscription {
    pub async fn find(
        ctx: &Context<'_>,
        key: &str,
        as_of: Option<AsOf>,
    ) -> Result<Option<Subscription>> {
        let books = Books::of(ctx)?;
        let cut = books.cut(as_of).await?;
        let state = books
            .find_at::<domain::Subscription>(key, &cut, None)
            .await?;
        Ok(state.map(|state| Subscription {
            key: key.to_owned(),
            state,
            cut,
        }))
    }

    /// Subscriptions of an account with their sort keys: those that were sold at the cut, or had begun then as far as was
    /// known.
    pub async fn of_account(
        ctx: &Context<'_>,
        account: &str,
        cut: Cut,
    ) -> Result<Vec<(String, Subscription)>> {
        let books = Books::of(ctx)?;
        let keys: Vec<String> = books.index(|index| {
            let of_account = index.subscriptions_of.get(account).into_iter().flatten();
            of_account.cloned().collect()
        });
        let mut rows = books
            .all_at::<domain::Subscription>(keys.clone(), &cut, None)
            .await?;
        if let Some(day) = cut.effective {
            let sold = books
                .all_at::<domain::Subscription>(keys, &cut, Some(books.zone(account)))
                .await?;
            let sold: BTreeSet<String> = sold.into_iter().map(|(key, _)| key).collect();
            rows.retain(|(key, found)| {
                sold.contains(key) || found.state.start().is_some_and(|start| start <= day)
            });
        }
        let row = |(key, state): (String, _)| {
            (
                key.clone(),
                Subscription {
                    key,
                    state,
                    cut: cut.clone(),
                },
            )
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn state(&self) -> &domain::Subscription {
        &self.state.state
    }

    /// The day that `stage` and `current` speak about.
    fn day(&self, ctx: &Context<'_>) -> Result<kernel::Date> {
        let books = Books::of(ctx)?;
        let zone = books.zone(&self.state().account);
        let then = self.cut.day(&zone);
        Ok(then.unwrap_or_else(|| zone.date(books.now())))
    }
}

#[Object]
impl Subscription {
    pub async fn id(&self) -> ID {
        ids::node("subscription", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named_at(ctx, &self.state().account, self.cut.clone()).await
    }

    /// What its custom fields say on a day, today if none is given; inherited values and defaults included.
    async fn custom_fields(
        &self,
        ctx: &Context<'_>,
        on: Option<Date>,
    ) -> Result<Vec<CustomFieldValue>> {
        custom_fields::values(ctx, Carrier::Subscription, &self.key, on)
    }

    /// First day of the first term: the anchor that every period is counted from.
    async fn from(&self) -> Option<Date> {
        self.state().start().map(Date)
    }

    /// First day that is not charged any more; none while no end is set.
    async fn until(&self) -> Option<Date> {
        self.state().end.as_ref().map(|end| Date(end.on))
    }

    /// Where it stands today, or on the day that was asked for.
    async fn stage(&self, ctx: &Context<'_>) -> Result<Stage> {
        Ok(self.state().stage(self.day(ctx)?).into())
    }

    /// The term in force today, or on the day that was asked for.
    async fn current(&self, ctx: &Context<'_>) -> Result<Option<Term>> {
        let day = self.day(ctx)?;
        Ok(self
            .state()
            .term_on(day)
            .map(|(i, term)| Term::new(self.state(), i, term)))
    }

    /// All terms, following each other without gap.
    async fn terms(&self) -> Vec<Term> {
        self.state()
            .terms
            .iter()
            .enumerate()
            .map(|(i, term)| Term::new(self.state(), i, term))
            .collect()
    }

    async fn pauses(&self) -> Vec<Pause> {
        let pause = |pause: &domain::Pause| Pause {
            reason: pause.reason.clone(),
            from: Date(pause.from),
            until: pause.until.map(Date),
        };
        self.state().pauses.iter().map(pause).collect()
    }

    /// Why, and with what it ends; none while no end is set.
    async fn ending(&self) -> Option<SubscriptionEnding> {
        self.state().end.as_ref().map(SubscriptionEnding::of)
    }

    /// How long it is agreed to run for at least.
    async fn tenure(&self) -> Option<Tenure> {
        self.state().tenure.as_ref().map(Tenure::of)
    }

    /// The first day of its own, where it goes on with a subscription of another account.
    async fn taken_over_on(&self) -> Option<Date> {
        self.state().since.map(Date)
    }

    /// It is sold and waits to be activated.
    async fn awaits_activation(&self) -> bool {
        self.state().awaits
    }

    /// What becomes due of it up to and including a day, 400 days ahead if none is given, as far as facts are known: computed
    /// by billing it day after day without writing anything.
    async fn coming(&self, ctx: &Context<'_>, through: Option<Date>) -> Result<Vec<ComingInvoice>> {
        life::coming(ctx, &self.key, through)
    }

    /// Number of changes of the subscription up to this view of it.
    async fn version(&self) -> u64 {
        self.state.version
    }
}

/// One stretch of the contract under one offer.
#[derive(SimpleObject)]
pub struct Term {
    from: Date,
    /// Exclusive; none while nothing ends it.
    until: Option<Date>,
    /// The offer as it was sold, price overrides applied.
    offer: Offer,
    quantity: Decimal,
    billing_day: u32,
    unused: Unused,
}

impl Term {
    fn new(subscription: &domain::Subscription, i: usize, term: &domain::Term) -> Term {
        let until = subscription.term_days(i).until;
        Term {
            from: Date(term.from),
            until: (until < kernel::calendar::LAST_DATE).then_some(Date(until)),
            offer: Offer::new(term.offer.clone()),
            quantity: Decimal(term.quantity),
            billing_day: term.billing_day,
            unused: term.unused.into(),
        }
    }
}

/// Days on which nothing recurring is charged, for one reason.
#[derive(SimpleObject)]
pub struct Pause {
    reason: String,
    from: Date,
    /// Exclusive; none while the reason holds.
    until: Option<Date>,
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(name = "SubscriptionStage", remote = "domain::Stage")]
pub enum Stage {
    /// Begins on a later day, or when it is activated.
    Pending,
    Active,
    Paused,
    Terminated,
    /// It was taken back before it began.
    Cancelled,
}

/// What happens to the part of a billed period that a change leaves unused.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::Unused")]
pub enum Unused {
    CreditProrata,
    CreditFull,
    None,
}

/// When a change takes effect.
#[derive(Clone, Copy, Enum, PartialEq, Eq, Default)]
pub enum When {
    /// Today, in the account's zone; today belongs to what follows.
    #[default]
    Immediate,
    EndOfPeriod,
    /// On the date given with it.
    On,
}

/// When a change takes effect; `date` belongs to `ON` and only to it.
#[derive(InputObject, Default)]
pub struct EffectiveInput {
    when: When,
    date: Option<Date>,
}

impl EffectiveInput {
    pub fn into_domain(self) -> Result<command::Effective> {
        match (self.when, self.date) {
            (When::Immediate, None) => Ok(command::Effective::Immediate),
            (When::EndOfPeriod, None) => Ok(command::Effective::EndOfPeriod),
            (When::On, Some(date)) => Ok(command::Effective::On(date.0)),
            (When::On, None) => Err(errors::refused(
                "DATE_MISSING",
                "a change `ON` a date needs the date",
            )),
            (_, Some(date)) => Err(errors::refused(
                "DATE_UNEXPECTED",
                format!("the date {} belongs to a change `ON` a date only", date.0),
            )),
        }
    }
}

/// The price of one charge, instead of the offer's.
#[derive(InputObject)]
pub struct OverrideInput {
    /// Code of the charge; of an option's `option.charge`.
    charge: String,
    /// Per period of a recurring charge, per unit of a usage charge; the amount of a one-off charge.
    price: Decimal,
}

fn overrides(inputs: Vec<OverrideInput>) -> BTreeMap<String, kernel::Decimal> {
    inputs
        .into_iter()
        .map(|input| (input.charge, input.price.0))
        .collect()
}

#[derive(InputObject)]
pub struct StartSubscriptionInput {
    /// Chosen by you: letters, digits and `. _ : -`, at most 120. No personal data.
    id: ID,
    account: ID,
    /// Code of a published offer; the version valid on the first day is sold.
    offer: String,
    #[graphql(default_with = "Decimal(kernel::Decimal::ONE)")]
    quantity: Decimal,
    /// None: today in the account's zone.
    from: Option<Date>,
    billing_day: Option<u32>,
    #[graphql(default)]
    overrides: Vec<OverrideInput>,
    /// False: no trial, even if the offer has one.
    #[graphql(default = true)]
    trial: bool,
    /// What finds the subscription in usage records: telephone numbers, meters, resources. Kept as keyed hashes.
    #[graphql(default)]
    access: Vec<String>,
    /// Options of the offer; mandatory ones come along unasked.
    #[graphql(default)]
    options: Vec<OptionChoiceInput>,
    /// A contract of the account, or of who pays for it, that is asked first for prices.
    contract: Option<ID>,
    /// It runs from its first day, and nothing recurring is charged before this one; none: as the offer's trial says.
    billed_from: Option<Date>,
    /// It is sold now, and begins when it is activated.
    #[graphql(default)]
    awaits_activation: bool,
    /// How long it is agreed to run for at least; none: as the offer says.
    tenure: Option<TenureInput>,
}

#[derive(InputObject)]
pub struct ChangeSubscriptionInput {
    id: ID,
    /// Code of a published offer; none: the one it has.
    offer: Option<String>,
    quantity: Option<Decimal>,
    billing_day: Option<u32>,
    #[graphql(default)]
    overrides: Vec<OverrideInput>,
    /// Options that come, or whose quantity changes.
    #[graphql(default)]
    add_options: Vec<OptionChoiceInput>,
    /// Options that go.
    #[graphql(default)]
    remove_options: Vec<String>,
    /// The contract that is asked first for prices from now on; none: as it is.
    contract: Option<ID>,
    #[graphql(default)]
    effective: EffectiveInput,
    #[graphql(default_with = "Unused::CreditProrata")]
    unused: Unused,
}

pub struct SubscriptionPayload {
    subscription: Option<Subscription>,
    receipt: Receipt,
    /// What a dry run looked ahead to; none: nothing was tried.
    coming: Option<Vec<ComingInvoice>>,
    /// The same of other subscriptions.
    elsewhere: Vec<ComingElsewhere>,
}

#[Object]
impl SubscriptionPayload {
    /// As it is now; for a dry run as it would be.
    async fn subscription(&self) -> Option<&Subscription> {
        self.subscription.as_ref()
    }

    async fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// What becomes due of it in the coming 400 days, with all that is charged and credited; for a dry run what would.
    async fn coming(&self, ctx: &Context<'_>) -> Result<Vec<ComingInvoice>> {
        match (&self.coming, &self.subscription) {
            (Some(coming), _) => Ok(coming.clone()),
            (None, Some(subscription)) => life::coming(ctx, &subscription.key, None),
            (None, None) => Ok(vec![]),
        }
    }

    /// What becomes due of other subscriptions that the command changes too: a transfer gives back to the account that had
    /// it. At most 10; afterwards their own `coming` tells it.
    async fn elsewhere(&self, ctx: &Context<'_>) -> Result<Vec<ComingElsewhere>> {
        if self.receipt.dry_run_only() {
            return Ok(self.elsewhere.clone());
        }
        let own = self.subscription.as_ref().map(|s| s.key.as_str());
        let touched = self.receipt.outcome().touched.iter();
        let others =
            touched.filter(|(kind, key)| kind == "subscription" && Some(key.as_str()) != own);
        others
            .take(desk::OTHERS_MAX)
            .map(|(_, key)| Ok(ComingElsewhere::of(key, life::coming(ctx, key, None)?)))
            .collect()
    }
}

pub(super) async fn done(
    ctx: &Context<'_>,
    idempotency_key: &str,
    key: &str,
    command: Command,
    dry_run: bool,
) -> Result<SubscriptionPayload> {
    if dry_run {
        let days = life::DAYS_AHEAD;
        let (receipt, tried) =
            desk::attempt_subscription(ctx, Scope::Operate, command, key, days).await?;
        let (subscription, coming, elsewhere) = match tried {
            None => (None, vec![], vec![]),
            Some(tried) => {
                let shown = |coming: &[Coming]| -> Vec<ComingInvoice> {
                    coming.iter().map(ComingInvoice::of).collect()
                };
                let coming = shown(&tried.coming);
                let others = tried.others.iter();
                let elsewhere = others
                    .map(|(key, coming)| ComingElsewhere::of(key, shown(coming)))
                    .collect();
                let subscription = Subscription {
                    key: tried.key,
                    state: tried.state,
                    cut: receipt.cut(),
                };
                (Some(subscription), coming, elsewhere)
            }
        };
        return Ok(SubscriptionPayload {
            subscription,
            receipt,
            coming: Some(coming),
            elsewhere,
        });
    }
    let receipt = desk::hand_in(ctx, Scope::Operate, idempotency_key, command).await?;
    Ok(SubscriptionPayload {
        subscription: Subscription::find(ctx, key, None).await?,
        receipt,
        coming: None,
        elsewhere: vec![],
    })
}

#[derive(Default)]
pub struct SubscriptionQueries;

#[Object]
impl SubscriptionQueries {
    /// A subscription, now or as of some time; none if there is no such subscription.
    async fn subscription(
        &self,
        ctx: &Context<'_>,
        id: ID,
        as_of: Option<AsOf>,
    ) -> Result<Option<Subscription>> {
        Subscription::find(ctx, &ids::key("subscription", &id), as_of).await
    }

    /// Subscriptions in the order of their keys.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn subscriptions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Subscription>> {
        let asked = page::asked(first, after)?;
        let rows = Books::of(ctx)?.page::<domain::Subscription>(&asked);
        let row = |(key, state): (String, _)| {
            (
                key.clone(),
                Subscription {
                    key,
                    state,
                    cut: Cut::now(),
                },
            )
        };
        Ok(page::page(&asked, rows.into_iter().map(row)))
    }
}

#[derive(Default)]
pub struct SubscriptionMutations;

#[Object]
impl SubscriptionMutations {
    /// Sells the version of an offer that is valid on the first day to an account, with options.
    async fn start_subscription(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: StartSubscriptionInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let books = Books::of(ctx)?;
        let key = ids::key("subscription", &input.id);
        let start = command::StartSubscription {
            subscription: key.clone(),
            account: ids::key("account", &input.account),
            offer: input.offer,
            quantity: input.quantity.0,
            from: input.from.map(|date| date.0),
            billing_day: input.billing_day,
            overrides: overrides(input.overrides),
            trial: input.trial,
            access: input
                .access
                .iter()
                .map(|access| books.lookup(access))
                .collect(),
        };
        let command = Command::StartWithOptions(Box::new(command::StartWithOptions {
            start,
            options: choices(input.options),
            contract: input.contract.map(|id| ids::key("contract", &id)),
            beginning: command::Beginning {
                billed_from: input.billed_from.map(|date| date.0),
                awaits_activation: input.awaits_activation,
                tenure: input.tenure.map(TenureInput::into_domain).transpose()?,
            },
        }));
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Changes offer, quantity, price or billing day. A change on a date bills that date to what follows.
    async fn change_subscription(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: ChangeSubscriptionInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let key = ids::key("subscription", &input.id);
        let change = command::ChangeSubscription {
            subscription: key.clone(),
            offer: input.offer,
            quantity: input.quantity.map(|quantity| quantity.0),
            billing_day: input.billing_day,
            overrides: overrides(input.overrides),
            effective: input.effective.into_domain()?,
            unused: input.unused.into(),
        };
        let command = Command::ChangeWithOptions(Box::new(command::ChangeWithOptions {
            change,
            add: choices(input.add_options),
            remove: input.remove_options,
            contract: input.contract.map(|id| ids::key("contract", &id)),
        }));
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Pauses for one reason; paused while any reason holds. `from` none: today.
    async fn pause_subscription(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        #[graphql(default_with = "\"customer\".to_owned()")] reason: String,
        from: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let subscription = ids::key("subscription", &id);
        let from = from.map(|date| date.0);
        let command = Command::PauseSubscription {
            subscription: subscription.clone(),
            reason,
            from,
        };
        done(ctx, &idempotency_key, &subscription, command, dry_run).await
    }

    /// Ends one reason for pausing. `on` is the first day charged again; none: today.
    async fn resume_subscription(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        #[graphql(default_with = "\"customer\".to_owned()")] reason: String,
        on: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<SubscriptionPayload> {
        let subscription = ids::key("subscription", &id);
        let on = on.map(|date| date.0);
        let command = Command::ResumeSubscription {
            subscription: subscription.clone(),
            reason,
            on,
        };
        done(ctx, &idempotency_key, &subscription, command, dry_run).await
    }
}
