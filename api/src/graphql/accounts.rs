//! Customer accounts and the legal entities that sell to them.

use std::sync::Arc;

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::accounts as domain;
use indelible_domain::command::Command;
use indelible_domain::fields::Carrier;
use indelible_domain::kernel::{Currency, Rounding as DomainRounding, Zone};
use indelible_domain::{entities, world::Entry};

use super::advances::Advance;
use super::books::{AsOf, Books, Cut};
use super::charges::PendingCharge;
use super::collections::CollectionRules;
use super::custom_fields::{self, CustomFieldValue};
use super::desk::{self, Receipt};
use super::discounts::{self, Commitment, Redemption, TaxExemption};
use super::folios::Folio;
use super::forget::{self, Forgotten, PersonalData, Retention};
use super::invoices::Invoice;
use super::messages::{Channel, Message};
use super::page::{self, Cursor};
use super::payments::{Balance, Payment};
use super::periods::ClosedPeriods;
use super::scalars::Date;
use super::subscriptions::Subscription;
use super::wallets::Wallet;
use super::{dunning, errors, ids};
use crate::auth::Scope;

/// A customer account: who owes, in which currency and zone, on which terms, and who pays for it.
pub struct Account {
    key: String,
    state: Arc<Entry<domain::Account>>,
    cut: Cut,
}

impl Account {
    /// The account of the caller's tenant, now or as of some time.
    pub async fn find(
        ctx: &Context<'_>,
        key: &str,
        as_of: Option<AsOf>,
    ) -> Result<Option<Account>> {
        let cut = Books::of(ctx)?.cut(as_of).await?;
        Account::at(ctx, key, cut).await
    }

    /// `key`: the account's, or that of one of its folios.
    async fn at(ctx: &Context<'_>, key: &str, cut: Cut) -> Result<Option<Account>> {
        let books = Books::of(ctx)?;
        let key = domain::folio::owner(key);
        let state = books
            .find_at::<domain::Account>(key, &cut, Some(books.zone(key)))
            .await?;
        Ok(state.map(|state| Account {
            key: key.to_owned(),
            state,
            cut,
        }))
    }

    pub fn currency_code(&self) -> Currency {
        self.state.state.terms.currency
    }

    /// The account, which must exist because a fact names it.
    pub async fn named(ctx: &Context<'_>, key: &str) -> Result<Account> {
        Account::named_at(ctx, key, Cut::now()).await
    }

    /// The same at a cut, from something that was there.
    pub async fn named_at(ctx: &Context<'_>, key: &str, cut: Cut) -> Result<Account> {
        Account::at(ctx, key, cut)
            .await?
            .ok_or_else(|| errors::unknown("account", key))
    }
}

#[Object]
impl Account {
    pub async fn id(&self) -> ID {
        ids::node("account", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    async fn entity(&self, ctx: &Context<'_>) -> Result<LegalEntity> {
        LegalEntity::named(ctx, &self.state.state.terms.entity)
    }

    /// ISO 4217 code; fixed when the account is opened.
    async fn currency(&self) -> &str {
        self.state.state.terms.currency.code()
    }

    /// IANA time zone that turns moments into business dates on the day that is looked at.
    async fn zone(&self, ctx: &Context<'_>) -> Result<String> {
        let zone = &self.state.state.terms.zone;
        let today = || Ok::<_, async_graphql::Error>(zone.date(Books::of(ctx)?.now()));
        let day = self.cut.day(zone).map_or_else(today, Ok)?;
        Ok(zone.name_on(day).to_owned())
    }

    /// Its time zones one after the other, those to come included: each day is of one of them.
    async fn zones(&self) -> Vec<AccountZone> {
        let zones = self.state.state.terms.zone.each().into_iter();
        let zone = |(from, zone): (Option<_>, &str)| AccountZone {
            from: from.map(Date),
            zone: zone.to_owned(),
        };
        zones.map(zone).collect()
    }

    /// Day of the month that charges with `align = "billing_day"` are aligned to.
    async fn billing_day(&self) -> Option<u32> {
        self.state.state.terms.billing_day
    }

    /// Days from issue to due date; none: those of the legal entity.
    async fn payment_days(&self) -> Option<u32> {
        self.state.state.terms.payment_days
    }

    /// ISO 3166 alpha-2, the buyer's country for tax.
    async fn country(&self) -> &str {
        &self.state.state.terms.country
    }

    async fn tax_category(&self) -> &str {
        &self.state.state.terms.tax_category
    }

    /// For which charges no tax is charged, and why; oldest first.
    async fn tax_exemptions(&self) -> Vec<TaxExemption> {
        discounts::exemptions_of(&self.state.state)
    }

    /// The discounts that it has or had, oldest first.
    async fn redemptions(&self, ctx: &Context<'_>) -> Result<Vec<Redemption>> {
        discounts::redemptions_of(ctx, &self.key, self.state.state.terms.currency, &self.cut).await
    }

    /// What it committed itself to over everything it pays for, oldest first.
    async fn commitments(&self, ctx: &Context<'_>) -> Result<Vec<Commitment>> {
        discounts::commitments_of(ctx, &self.key, &self.cut).await
    }

    /// The account whose invoices carry this one's charges; none: this one pays for itself.
    async fn payer(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        match &self.state.state.terms.payer {
            Some(payer) => Account::at(ctx, payer, self.cut.clone()).await,
            None => Ok(None),
        }
    }

    /// Policy the account is dunned by; none: that of the legal entity.
    async fn dunning_policy(&self) -> Option<&str> {
        self.state.state.terms.dunning_policy.as_deref()
    }

    /// Kind of customer; rules of dunning may ask for it.
    async fn group(&self) -> Option<&str> {
        self.state.state.terms.group.as_deref()
    }

    /// Language it is written to in, a BCP 47 tag; none: that of the legal entity.
    async fn language(&self) -> Option<&str> {
        self.state.state.terms.language.as_deref()
    }

    /// How it wants to be reached; none: by e-mail if it has an address, else by letter.
    async fn channel(&self) -> Option<Channel> {
        self.state.state.terms.channel.map(Channel::from)
    }

    /// Name and addresses of the holder; none if never given or forgotten.
    async fn contact(&self, ctx: &Context<'_>) -> Result<Option<Contact>> {
        let Some(sealed) = &self.state.state.terms.contact else {
            return Ok(None);
        };
        let contact: Option<domain::Contact> = Books::of(ctx)?.unseal(sealed)?;
        Ok(contact.map(Contact::from))
    }

    /// What is held of its holder, for what, and until when the law asks for it.
    async fn personal_data(&self, ctx: &Context<'_>) -> Result<Vec<PersonalData>> {
        forget::held(ctx, &self.key)
    }

    /// What was forgotten of its holder, in order.
    async fn forgotten(&self) -> Vec<Forgotten> {
        let facts = self.state.state.forgotten.iter();
        facts.map(Forgotten::from).collect()
    }

    /// What its custom fields say on a day, today if none is given; inherited values and defaults included.
    async fn custom_fields(
        &self,
        ctx: &Context<'_>,
        on: Option<Date>,
    ) -> Result<Vec<CustomFieldValue>> {
        custom_fields::values(ctx, Carrier::Account, &self.key, on)
    }

    /// Number of changes of the account up to this view of it.
    async fn version(&self) -> u64 {
        self.state.version
    }

    /// Subscriptions that were sold or had begun.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn subscriptions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Subscription>> {
        let asked = page::asked(first, after)?;
        Ok(page::sorted(
            &asked,
            Subscription::of_account(ctx, &self.key, self.cut.clone()).await?,
        ))
    }

    /// Documents in the order they came to be.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Invoice>> {
        let asked = page::asked(first, after)?;
        Ok(page::sorted(
            &asked,
            Invoice::of_account(ctx, &self.key, self.cut.clone()).await?,
        ))
    }

    /// Payments in the order they were recorded, those of its own folio first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn payments(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Payment>> {
        let asked = page::asked(first, after)?;
        Ok(page::sorted(
            &asked,
            Payment::of_account(ctx, &self.key, self.cut.clone()).await?,
        ))
    }

    /// Messages to its holder in the order they were asked for.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn messages(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Message>> {
        let asked = page::asked(first, after)?;
        Ok(page::sorted(
            &asked,
            Message::of_account(ctx, &self.key, self.cut.clone()).await?,
        ))
    }

    /// Prepaid wallets, first the one that is burnt first.
    async fn wallets(&self, ctx: &Context<'_>) -> Result<Vec<Wallet>> {
        Wallet::of_account(ctx, &self.key, self.cut.clone()).await
    }

    /// Charges that wait for the next invoice.
    async fn pending_charges(&self, ctx: &Context<'_>) -> Result<Vec<PendingCharge>> {
        PendingCharge::of_account(ctx, &self.key, &self.cut).await
    }

    /// Its dunning, on its own folio; none while nothing was ever dunned or paused.
    async fn dunning(&self, ctx: &Context<'_>) -> Result<Option<dunning::Case>> {
        dunning::case_at(ctx, &self.key, self.cut.clone()).await
    }

    /// Advances that have something left, in the order they were asked for.
    async fn advances(&self, ctx: &Context<'_>) -> Result<Vec<Advance>> {
        Advance::of_account(ctx, &self.key, &self.cut).await
    }

    /// What it owes apart, by legal entity and currency; its own folio first.
    async fn folios(&self, ctx: &Context<'_>) -> Result<Vec<Folio>> {
        Folio::of_account(ctx, &self.key, &self.state.state.terms, self.cut.clone())
    }

    /// What it owes and has to its credit on its own folio: to its legal entity, in its currency.
    async fn balance(&self, ctx: &Context<'_>) -> Result<Balance> {
        Balance::at(ctx, &self.key, self.cut.clone()).await
    }
}

/// Name, address, e-mail and telephone of an account's holder.
#[derive(SimpleObject)]
pub struct Contact {
    name: String,
    email: String,
    address: String,
    phone: String,
}

impl From<domain::Contact> for Contact {
    fn from(contact: domain::Contact) -> Contact {
        let domain::Contact {
            name,
            email,
            address,
            phone,
        } = contact;
        Contact {
            name,
            email,
            address,
            phone,
        }
    }
}

/// The legal entity that sells: whose zone dates documents, whose rounding makes money.
pub struct LegalEntity {
    key: String,
    state: Arc<Entry<entities::LegalEntity>>,
}

impl LegalEntity {
    pub fn find(ctx: &Context<'_>, key: &str) -> Result<Option<LegalEntity>> {
        LegalEntity::at(ctx, key, &Cut::now())
    }

    /// As it is now, or as a dry run would leave it.
    pub fn at(ctx: &Context<'_>, key: &str, cut: &Cut) -> Result<Option<LegalEntity>> {
        let state = Books::of(ctx)?.find_tried::<entities::LegalEntity>(key, cut);
        Ok(state.map(|state| LegalEntity {
            key: key.to_owned(),
            state,
        }))
    }

    pub fn named(ctx: &Context<'_>, key: &str) -> Result<LegalEntity> {
        LegalEntity::find(ctx, key)?.ok_or_else(|| errors::unknown("entity", key))
    }
}

#[Object]
impl LegalEntity {
    pub async fn id(&self) -> ID {
        ids::node("entity", &self.key)
    }

    /// What its custom fields say on a day, today if none is given; defaults included.
    async fn custom_fields(
        &self,
        ctx: &Context<'_>,
        on: Option<Date>,
    ) -> Result<Vec<CustomFieldValue>> {
        custom_fields::values(ctx, Carrier::LegalEntity, &self.key, on)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    async fn name(&self) -> &str {
        &self.state.state.terms.name
    }

    async fn country(&self) -> &str {
        &self.state.state.terms.country
    }

    async fn currency(&self) -> &str {
        self.state.state.terms.currency.code()
    }

    /// IANA time zone that dates documents and entries today.
    async fn zone(&self, ctx: &Context<'_>) -> Result<String> {
        let zone = &self.state.state.terms.zone;
        let today = zone.date(Books::of(ctx)?.now());
        Ok(zone.name_on(today).to_owned())
    }

    /// Its time zones one after the other, those to come included: each day is of one of them.
    async fn zones(&self) -> Vec<EntityZone> {
        let zones = self.state.state.terms.zone.each().into_iter();
        let zone = |(from, zone): (Option<_>, &str)| EntityZone {
            from: from.map(Date),
            zone: zone.to_owned(),
        };
        zones.map(zone).collect()
    }

    async fn rounding(&self) -> Rounding {
        self.state.state.terms.rounding.into()
    }

    /// Days from issue to due date, unless the account has its own.
    async fn payment_days(&self) -> u32 {
        self.state.state.terms.payment_days
    }

    /// Put before the number of each document.
    async fn number_prefix(&self) -> &str {
        &self.state.state.terms.number_prefix
    }

    /// Language in which it writes to accounts that have none, a BCP 47 tag; none: English.
    async fn language(&self) -> Option<&str> {
        self.state.state.language.as_deref()
    }

    /// When and how often it collects what is due.
    async fn collection_rules(&self) -> CollectionRules {
        CollectionRules::new(&self.state.state.collection)
    }

    async fn dunning_policy(&self) -> Option<&str> {
        self.state.state.terms.dunning_policy.as_deref()
    }

    /// For how long its legal documents are kept, by the day of their issue; empty: ten years.
    async fn retention(&self) -> Vec<Retention> {
        let rules = self.state.state.retention.iter();
        rules.copied().map(Retention::from).collect()
    }

    /// Where its open accounting periods begin; none: nothing was ever closed.
    async fn closed_periods(&self) -> Option<ClosedPeriods> {
        self.state.state.closing.map(ClosedPeriods::from)
    }
}

/// How an exact amount becomes whole minor units.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainRounding")]
pub enum Rounding {
    /// Half away from zero.
    HalfUp,
    /// Half to the even neighbour.
    HalfEven,
    /// Away from zero.
    Up,
    /// Towards zero.
    Down,
}

#[derive(InputObject)]
pub struct ContactInput {
    name: String,
    #[graphql(default)]
    email: String,
    #[graphql(default)]
    address: String,
    #[graphql(default)]
    phone: String,
}

#[derive(InputObject)]
pub struct OpenAccountInput {
    /// Chosen by you: letters, digits and `. _ : -`, at most 120. No personal data.
    id: ID,
    /// The legal entity that sells to the account.
    entity: ID,
    /// ISO 4217 code; none: that of the legal entity.
    currency: Option<String>,
    /// IANA time zone; none: that of the legal entity.
    zone: Option<String>,
    billing_day: Option<u32>,
    payment_days: Option<u32>,
    /// ISO 3166 alpha-2; none: that of the legal entity.
    country: Option<String>,
    #[graphql(default_with = "\"standard\".to_owned()")]
    tax_category: String,
    payer: Option<ID>,
    dunning_policy: Option<String>,
    contact: Option<ContactInput>,
    /// Kind of customer, e.g. `retail`. No personal data.
    group: Option<String>,
    /// BCP 47 tag of the language it is written to in; none: that of the legal entity.
    language: Option<String>,
    /// How it wants to be reached; none: by e-mail if it has an address, else by letter.
    channel: Option<Channel>,
}

/// A time zone of an account.
#[derive(SimpleObject)]
pub struct AccountZone {
    /// Its first day; none: since the account is there.
    from: Option<Date>,
    /// IANA time zone.
    zone: String,
}

/// A time zone of a legal entity.
#[derive(SimpleObject)]
pub struct EntityZone {
    /// Its first day; none: since the legal entity is there.
    from: Option<Date>,
    /// IANA time zone.
    zone: String,
}

/// What is left out stays as it is.
#[derive(InputObject)]
pub struct ChangeAccountInput {
    id: ID,
    /// In force from today on; `setAccountZone` takes another day.
    zone: Option<String>,
    billing_day: async_graphql::MaybeUndefined<u32>,
    payment_days: async_graphql::MaybeUndefined<u32>,
    country: Option<String>,
    tax_category: Option<String>,
    /// Null: the account pays for itself from now on.
    payer: async_graphql::MaybeUndefined<ID>,
    dunning_policy: async_graphql::MaybeUndefined<String>,
    contact: Option<ContactInput>,
    group: async_graphql::MaybeUndefined<String>,
    language: async_graphql::MaybeUndefined<String>,
    channel: async_graphql::MaybeUndefined<Channel>,
}

#[derive(InputObject)]
pub struct LegalEntityInput {
    id: ID,
    name: String,
    /// ISO 3166 alpha-2.
    country: String,
    /// ISO 4217 code.
    currency: String,
    /// IANA time zone. Of one that is there: another zone than that of today is in force from today on; `setEntityZone` takes
    /// another day.
    #[graphql(default_with = "\"UTC\".to_owned()")]
    zone: String,
    #[graphql(default_with = "Rounding::HalfUp")]
    rounding: Rounding,
    #[graphql(default = 14)]
    payment_days: u32,
    #[graphql(default)]
    number_prefix: String,
    dunning_policy: Option<String>,
}

#[derive(SimpleObject)]
pub struct AccountPayload {
    account: Option<Account>,
    receipt: Receipt,
}

#[derive(SimpleObject)]
pub struct LegalEntityPayload {
    pub entity: Option<LegalEntity>,
    pub receipt: Receipt,
}

#[derive(Default)]
pub struct AccountQueries;

#[Object]
impl AccountQueries {
    /// An account, now or as of some time; none if there is no such account.
    async fn account(
        &self,
        ctx: &Context<'_>,
        id: ID,
        as_of: Option<AsOf>,
    ) -> Result<Option<Account>> {
        Account::find(ctx, &ids::key("account", &id), as_of).await
    }

    /// Accounts in the order of their keys.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Account>> {
        let asked = page::asked(first, after)?;
        let rows = Books::of(ctx)?.page::<domain::Account>(&asked);
        let cut = Cut::now();
        let account = |(key, state): (String, _)| {
            (
                key.clone(),
                Account {
                    key,
                    state,
                    cut: cut.clone(),
                },
            )
        };
        Ok(page::page(&asked, rows.into_iter().map(account)))
    }

    async fn legal_entity(&self, ctx: &Context<'_>, id: ID) -> Result<Option<LegalEntity>> {
        LegalEntity::find(ctx, &ids::key("entity", &id))
    }

    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn legal_entities(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, LegalEntity>> {
        let asked = page::asked(first, after)?;
        let rows = Books::of(ctx)?.page::<entities::LegalEntity>(&asked);
        Ok(page::page(
            &asked,
            rows.into_iter()
                .map(|(key, state)| (key.clone(), LegalEntity { key, state })),
        ))
    }
}

#[derive(Default)]
pub struct AccountMutations;

#[Object]
impl AccountMutations {
    /// Opens a legal entity, or changes its terms if it is open already. Scope admin.
    async fn set_legal_entity(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: LegalEntityInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<LegalEntityPayload> {
        let key = ids::key("entity", &input.id);
        let terms = entities::EntityTerms {
            name: input.name,
            country: input.country,
            currency: input
                .currency
                .parse::<Currency>()
                .map_err(errors::rejected)?,
            zone: input.zone.parse::<Zone>().map_err(errors::rejected)?,
            rounding: input.rounding.into(),
            payment_days: input.payment_days,
            number_prefix: input.number_prefix,
            dunning_policy: input.dunning_policy,
        };
        let command = match Books::of(ctx)?.find::<entities::LegalEntity>(&key) {
            None => Command::OpenEntity {
                entity: key.clone(),
                terms,
            },
            Some(_) => Command::ChangeEntity {
                entity: key.clone(),
                terms,
            },
        };
        let receipt =
            desk::hand_in_or_try(ctx, Scope::Admin, &idempotency_key, command, dry_run).await?;
        Ok(LegalEntityPayload {
            entity: LegalEntity::at(ctx, &key, &receipt.cut())?,
            receipt,
        })
    }

    /// Opens an account. A dry run seals no contact and shows none.
    async fn open_account(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: OpenAccountInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AccountPayload> {
        let books = Books::of(ctx)?;
        let key = ids::key("account", &input.id);
        let entity_key = ids::key("entity", &input.entity);
        let entity = LegalEntity::named(ctx, &entity_key)?.state;
        let own = &entity.state.terms;
        let (contact, buyer) = match input.contact {
            // Nobody is given a key by a dry run.
            Some(_) if dry_run => (None, None),
            Some(contact) => {
                let (contact, buyer) = books.seal_contact(&key, &contact.into_domain())?;
                (Some(contact), Some(buyer))
            }
            None => (None, None),
        };
        let terms = domain::AccountTerms {
            entity: entity_key,
            currency: match input.currency {
                Some(code) => code.parse().map_err(errors::rejected)?,
                None => own.currency,
            },
            zone: match input.zone {
                Some(zone) => zone.parse().map_err(errors::rejected)?,
                None => own.zone.clone(),
            },
            billing_day: input.billing_day,
            payment_days: input.payment_days,
            country: input.country.unwrap_or_else(|| own.country.clone()),
            tax_category: input.tax_category,
            payer: input.payer.map(|payer| ids::key("account", &payer)),
            dunning_policy: input.dunning_policy,
            contact,
            buyer,
            group: input.group,
            language: input.language,
            channel: input.channel.map(Into::into),
        };
        let command = Command::OpenAccount {
            account: key.clone(),
            terms,
        };
        let receipt =
            desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await?;
        Ok(AccountPayload {
            account: Account::at(ctx, &key, receipt.cut()).await?,
            receipt,
        })
    }

    /// Changes the terms of an account; what is left out stays as it is. A dry run seals no contact and shows the one before.
    async fn change_account(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: ChangeAccountInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AccountPayload> {
        let books = Books::of(ctx)?;
        let key = ids::key("account", &input.id);
        let mut terms = Account::named(ctx, &key).await?.state.state.terms.clone();
        if let Some(zone) = input.zone {
            terms.zone = zone.parse().map_err(errors::rejected)?;
        }
        changed(&mut terms.billing_day, input.billing_day);
        changed(&mut terms.payment_days, input.payment_days);
        changed(&mut terms.dunning_policy, input.dunning_policy);
        changed(&mut terms.group, input.group);
        changed(&mut terms.language, input.language);
        changed(&mut terms.channel, input.channel.map_value(Into::into));
        changed(
            &mut terms.payer,
            input.payer.map_value(|payer| ids::key("account", &payer)),
        );
        terms.country = input.country.unwrap_or(terms.country);
        terms.tax_category = input.tax_category.unwrap_or(terms.tax_category);
        // Nobody is given a key by a dry run.
        if let Some(contact) = input.contact.filter(|_| !dry_run) {
            let (contact, buyer) = books.seal_contact(&key, &contact.into_domain())?;
            (terms.contact, terms.buyer) = (Some(contact), Some(buyer));
        }
        let command = Command::ChangeAccount {
            account: key.clone(),
            terms,
        };
        let receipt =
            desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await?;
        Ok(AccountPayload {
            account: Account::at(ctx, &key, receipt.cut()).await?,
            receipt,
        })
    }

    /// Another time zone of a legal entity from a day on, past or coming; today if none is said. Zones that were to follow later do
    /// not. What is issued and posted from now on is dated by it; documents and entries that are there keep their dates.
    async fn set_entity_zone(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        entity: ID,
        zone: String,
        from: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<LegalEntityPayload> {
        let key = ids::key("entity", &entity);
        let command = Command::SetEntityZone {
            entity: key.clone(),
            zone: zone.parse().map_err(errors::rejected)?,
            from: from.map(|day| day.0),
        };
        let scope = Scope::Admin;
        let receipt = desk::hand_in_or_try(ctx, scope, &idempotency_key, command, dry_run).await?;
        Ok(LegalEntityPayload {
            entity: LegalEntity::at(ctx, &key, &receipt.cut())?,
            receipt,
        })
    }

    /// Another time zone from a day on, past or coming; today if none is said. Days before it stay as they are. Zones that were
    /// to follow later do not. Usage that moves to another day is rated again at once.
    async fn set_account_zone(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        zone: String,
        from: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AccountPayload> {
        let key = ids::key("account", &account);
        let command = Command::SetAccountZone {
            account: key.clone(),
            zone: zone.parse().map_err(errors::rejected)?,
            from: from.map(|day| day.0),
        };
        let scope = Scope::Operate;
        let receipt = desk::hand_in_or_try(ctx, scope, &idempotency_key, command, dry_run).await?;
        Ok(AccountPayload {
            account: Account::at(ctx, &key, receipt.cut()).await?,
            receipt,
        })
    }
}

impl ContactInput {
    fn into_domain(self) -> domain::Contact {
        let ContactInput {
            name,
            email,
            address,
            phone,
        } = self;
        domain::Contact {
            name,
            email,
            address,
            phone,
        }
    }
}

fn changed<T>(field: &mut Option<T>, input: async_graphql::MaybeUndefined<T>) {
    match input {
        async_graphql::MaybeUndefined::Undefined => {}
        async_graphql::MaybeUndefined::Null => *field = None,
        async_graphql::MaybeUndefined::Value(value) => *field = Some(value),
    }
}
