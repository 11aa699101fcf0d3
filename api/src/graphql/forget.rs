//! Personal data: what is held until when, and forgetting it.

use std::collections::BTreeSet;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::accounts::{self as domain, Buyer as DomainBuyer};
use indelible_domain::command::Command;
use indelible_domain::entities;
use indelible_domain::kernel::{Personal, Purpose as DomainPurpose};
use indelible_domain::operations;
use indelible_domain::session::Session;

use super::accounts::{Account, LegalEntity, LegalEntityPayload};
use super::books::Books;
use super::desk::{self, Receipt};
use super::scalars::Date;
use super::{errors, ids};
use crate::auth::Scope;
use crate::forget;

/// What personal data is kept for; each customer has a key of its own for each.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainPurpose")]
pub enum Purpose {
    /// Name, address, e-mail and telephone of an account's holder.
    Contact,
    /// The buyer as printed on invoices and credit notes.
    LegalDocument,
    /// Lines of usage as they were delivered.
    UsageRaw,
    /// Bank accounts that money is drawn from or given back to.
    Payment,
}

/// What is held of a person for one purpose.
#[derive(SimpleObject)]
pub struct PersonalData {
    purpose: Purpose,
    /// Something can still be read.
    held: bool,
    /// The last day on which the law asks for it; none: it can be forgotten at any time.
    kept_through: Option<Date>,
    /// The first day on which it can be forgotten; none: at any time.
    forgettable_from: Option<Date>,
}

/// Keys that were destroyed for good.
#[derive(SimpleObject)]
pub struct Forgotten {
    purposes: Vec<Purpose>,
    /// Business day in the zone of the legal entity.
    on: Date,
    /// Who asked for it.
    by: String,
}

impl From<&domain::Forgotten> for Forgotten {
    fn from(fact: &domain::Forgotten) -> Forgotten {
        Forgotten {
            purposes: fact.purposes.iter().copied().map(Purpose::from).collect(),
            on: Date(fact.on),
            by: fact.by.clone(),
        }
    }
}

/// The buyer as printed on a document.
#[derive(SimpleObject)]
pub struct Buyer {
    name: String,
    address: String,
}

impl Buyer {
    /// Opens what a document recorded; none once its key was destroyed.
    pub fn open(books: &Books, sealed: &Personal<DomainBuyer>) -> Result<Option<Buyer>> {
        let opened = books.unseal(sealed)?;
        Ok(opened.map(|DomainBuyer { name, address }| Buyer { name, address }))
    }
}

/// For how long documents issued on or after a day are kept.
#[derive(SimpleObject)]
pub struct Retention {
    from: Date,
    /// Whole calendar years after the year of issue.
    years: u32,
}

impl From<entities::Retention> for Retention {
    fn from(rule: entities::Retention) -> Retention {
        Retention {
            from: Date(rule.from),
            years: rule.years,
        }
    }
}

/// What is held of an account's holder.
pub fn held(ctx: &Context<'_>, account: &str) -> Result<Vec<PersonalData>> {
    let books = Books::of(ctx)?;
    let (keyring, now) = (&books.office().keyring, books.now());
    Ok(books.live(|tenant| {
        let kept_until = operations::forget::kept_until(&Session::new(tenant, now), account);
        let row = |purpose| {
            let keys = forget::keys(keyring, books.tenant(), tenant, account, purpose);
            let until = kept_until.filter(|_| purpose == DomainPurpose::LegalDocument);
            PersonalData {
                purpose: purpose.into(),
                held: !keys.is_empty(),
                kept_through: until.and_then(|day| day.pred_opt()).map(Date),
                forgettable_from: until.map(Date),
            }
        };
        DomainPurpose::ALL.map(row).into()
    }))
}

#[derive(InputObject)]
pub struct ForgetAccountInput {
    account: ID,
    /// Default: everything the law does not ask for.
    #[graphql(default_with = "vec![Purpose::Contact, Purpose::UsageRaw, Purpose::Payment]")]
    purposes: Vec<Purpose>,
}

#[derive(InputObject)]
pub struct RetentionInput {
    entity: ID,
    /// Holds for documents issued on or after this day; an earlier day reaches back.
    from: Date,
    /// Whole calendar years after the year of issue, 1 to 100.
    years: u32,
}

#[derive(SimpleObject)]
pub struct ForgetAccountPayload {
    account: Option<Account>,
    /// Keys that were destroyed now; those of an earlier call are not counted again.
    keys_destroyed: usize,
    receipt: Receipt,
}

#[derive(Default)]
pub struct PersonalDataMutations;

#[Object]
impl PersonalDataMutations {
    /// Destroys keys of an account's personal data, for good. Amounts, numbers and dates stay, and the log still
    /// verifies. Legal documents are refused with RETENTION_NOT_OVER until their retention ends. Scope admin.
    async fn forget_account(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: ForgetAccountInput,
    ) -> Result<ForgetAccountPayload> {
        let books = Books::of(ctx)?;
        desk::require(&books, Scope::Admin)?;
        let key = ids::key("account", &input.account);
        let purposes: BTreeSet<DomainPurpose> = input
            .purposes
            .into_iter()
            .map(DomainPurpose::from)
            .collect();
        let office = books.office();
        let command = books
            .live(|tenant| {
                let by = &books.caller().actor;
                forget::command(&office.keyring, books.tenant(), tenant, &key, purposes, by)
            })
            .map_err(|error| {
                errors::broken(error.code(), "personal data could not be read", &error)
            })?;
        let command = Command::ForgetAccount(Box::new(command));
        let receipt = desk::hand_in(ctx, Scope::Admin, &idempotency_key, command).await?;
        // The fact is on disk from here on; what fails now is done at the next start.
        let (tenant, account) = (books.tenant().to_owned(), key.clone());
        let destroyed = books
            .blocking(move |office| {
                Ok(forget::destroy(
                    &office.keyring,
                    &office.ledger,
                    &tenant,
                    &account,
                ))
            })
            .await?;
        let keys_destroyed = destroyed.map_err(|error| {
            errors::broken(error.code(), "the keys could not be destroyed", &error)
        })?;
        Ok(ForgetAccountPayload {
            account: Account::find(ctx, &key, None).await?,
            keys_destroyed,
            receipt,
        })
    }

    /// Sets for how long a legal entity's documents are kept. Scope admin.
    async fn set_retention(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: RetentionInput,
    ) -> Result<LegalEntityPayload> {
        let key = ids::key("entity", &input.entity);
        let command = Command::SetRetention {
            entity: key.clone(),
            rule: entities::Retention {
                from: input.from.0,
                years: input.years,
            },
        };
        let receipt = desk::hand_in(ctx, Scope::Admin, &idempotency_key, command).await?;
        Ok(LegalEntityPayload {
            entity: LegalEntity::find(ctx, &key)?,
            receipt,
        })
    }
}
