//! Framework contracts, price lists, and offers that are no longer sold.

use async_graphql::{Context, ID, InputObject, Json, Object, Result, SimpleObject};
use indelible_domain::catalog::{self, PriceTerm};
use indelible_domain::command::Command;
use indelible_domain::contracts::{self as domain, Agreement};

use super::books::{Books, Cut};
use super::desk::{self, Receipt};
use super::life::ComingInvoice;
use super::scalars::{Date, Decimal};
use super::{errors, ids};
use crate::auth::Scope;

/// Another price of one charge, or of every charge, of an offer.
#[derive(SimpleObject)]
pub struct AgreedPrice {
    offer: String,
    /// None: every charge.
    charge: Option<String>,
    /// The price model, as in the catalog file.
    price: Option<Json<serde_json::Value>>,
    /// Of a one-off charge.
    amount: Option<Decimal>,
    /// -10 is ten percent less than it would be otherwise.
    percent: Option<Decimal>,
}

impl AgreedPrice {
    fn of(term: &PriceTerm) -> AgreedPrice {
        let price = term.price.as_ref();
        AgreedPrice {
            offer: term.offer.clone(),
            charge: term.charge.clone(),
            price: price.and_then(|p| serde_json::to_value(p).ok()).map(Json),
            amount: term.amount.map(Decimal),
            percent: term.percent.map(Decimal),
        }
    }
}

/// One of price, amount and percent.
#[derive(InputObject)]
pub struct AgreedPriceInput {
    offer: String,
    /// None: every charge; only with a percentage.
    charge: Option<String>,
    /// The price model, as in the catalog file, such as `{ flat: "17.90" }`.
    price: Option<Json<serde_json::Value>>,
    /// Of a one-off charge.
    amount: Option<Decimal>,
    /// -10 is ten percent less than it would be otherwise.
    percent: Option<Decimal>,
}

impl AgreedPriceInput {
    fn into_domain(self) -> Result<PriceTerm> {
        let price = self
            .price
            .map(|json| serde_json::from_value(json.0))
            .transpose();
        let price = price.map_err(|e| errors::refused("PRICE_UNREADABLE", e.to_string()))?;
        Ok(PriceTerm {
            offer: self.offer,
            charge: self.charge,
            price,
            amount: self.amount.map(|amount| amount.0),
            percent: self.percent.map(|percent| percent.0),
        })
    }
}

/// Prices agreed with an account, for it and those it pays for.
#[derive(SimpleObject)]
pub struct Contract {
    id: ID,
    key: String,
    account: String,
    name: String,
    from: Date,
    /// Exclusive; none: until it is ended.
    until: Option<Date>,
    prices: Vec<AgreedPrice>,
}

impl Contract {
    fn find(ctx: &Context<'_>, key: &str) -> Result<Option<Contract>> {
        Contract::at(ctx, key, &Cut::now())
    }

    /// As it is now, or as a dry run would leave it.
    fn at(ctx: &Context<'_>, key: &str, cut: &Cut) -> Result<Option<Contract>> {
        let entry = Books::of(ctx)?.find_tried::<domain::Contract>(key, cut);
        let agreement = entry.and_then(|entry| entry.state.agreement.clone());
        Ok(agreement.map(|agreement| Contract {
            id: ids::node("contract", key),
            key: key.to_owned(),
            account: agreement.account.clone(),
            name: agreement.name.clone(),
            from: Date(agreement.from),
            until: agreement.until.map(Date),
            prices: agreement.terms.iter().map(AgreedPrice::of).collect(),
        }))
    }
}

/// Prices that hold where all that it names fits.
#[derive(SimpleObject)]
pub struct PriceList {
    code: String,
    name: String,
    currency: String,
    /// Legal entity that sells.
    seller: Option<String>,
    country: Option<String>,
    group: Option<String>,
    from: Option<Date>,
    /// Exclusive.
    until: Option<Date>,
    prices: Vec<AgreedPrice>,
}

impl PriceList {
    fn of(list: &catalog::PriceList) -> PriceList {
        PriceList {
            code: list.code.clone(),
            name: list.name.clone(),
            currency: list.currency.code().to_owned(),
            seller: list.seller.clone(),
            country: list.country.clone(),
            group: list.group.clone(),
            from: list.from.map(Date),
            until: list.until.map(Date),
            prices: list.items.iter().map(AgreedPrice::of).collect(),
        }
    }
}

#[derive(InputObject)]
pub struct DefineContractInput {
    /// Chosen by you; the same id again takes the place of what was agreed.
    id: ID,
    account: ID,
    #[graphql(default)]
    name: String,
    from: Date,
    /// Exclusive; none: until it is ended.
    until: Option<Date>,
    prices: Vec<AgreedPriceInput>,
}

#[derive(SimpleObject)]
pub struct ContractPayload {
    /// As it is now; for a dry run as it would be.
    contract: Option<Contract>,
    /// What becomes due with it of everything that is billed with its account, up to 400 days ahead and 100 documents; for a dry
    /// run as it would be.
    coming: Vec<ComingInvoice>,
    receipt: Receipt,
}

async fn agreed(
    ctx: &Context<'_>,
    idempotency_key: &str,
    (contract, account): (&str, &str),
    command: Command,
    dry_run: bool,
) -> Result<ContractPayload> {
    let scope = Scope::Operate;
    let (receipt, coming) =
        desk::hand_in_or_look_ahead(ctx, scope, idempotency_key, command, account, dry_run).await?;
    Ok(ContractPayload {
        contract: Contract::at(ctx, contract, &receipt.cut())?,
        coming: coming.iter().map(ComingInvoice::of).collect(),
        receipt,
    })
}

#[derive(SimpleObject)]
pub struct OfferStandingPayload {
    receipt: Receipt,
}

#[derive(Default)]
pub struct ContractQueries;

#[Object]
impl ContractQueries {
    /// A framework contract; none if there is no such contract.
    async fn contract(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Contract>> {
        Contract::find(ctx, &ids::key("contract", &id))
    }

    /// Framework contracts of an account, in the order of their ids.
    async fn contracts(&self, ctx: &Context<'_>, account: ID) -> Result<Vec<Contract>> {
        let account = ids::key("account", &account);
        let keys = Books::of(ctx)?.index(|index| {
            let keys = index.contracts_of.get(&account);
            keys.cloned().unwrap_or_default()
        });
        let found = keys.iter().map(|key| Contract::find(ctx, key));
        Ok(found
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    /// Price lists in the order of their codes.
    async fn price_lists(&self, ctx: &Context<'_>) -> Result<Vec<PriceList>> {
        let catalog = Books::of(ctx)?.catalog();
        let lists = catalog.iter().flat_map(|c| c.state.price_lists.values());
        Ok(lists.map(|list| PriceList::of(list)).collect())
    }
}

#[derive(Default)]
pub struct ContractMutations;

#[Object]
impl ContractMutations {
    /// Agrees on prices for an account and those it pays for. Subscriptions that run have them from the contract's first
    /// day on.
    async fn define_contract(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: DefineContractInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<ContractPayload> {
        let contract = ids::key("contract", &input.id);
        let account = ids::key("account", &input.account);
        let terms = input.prices.into_iter().map(AgreedPriceInput::into_domain);
        let agreement = Agreement {
            account: account.clone(),
            name: input.name,
            from: input.from.0,
            until: input.until.map(|date| date.0),
            terms: terms.collect::<Result<_>>()?,
        };
        let command = Command::DefineContract {
            contract: contract.clone(),
            agreement: Box::new(agreement),
        };
        agreed(
            ctx,
            &idempotency_key,
            (&contract, &account),
            command,
            dry_run,
        )
        .await
    }

    /// Ends a contract; `on` is the first day without it, none: today.
    async fn end_contract(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        on: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<ContractPayload> {
        let contract = ids::key("contract", &id);
        let account = Contract::find(ctx, &contract)?;
        let account = account.map(|known| known.account).unwrap_or_default();
        let command = Command::EndContract {
            contract: contract.clone(),
            on: on.map(|date| date.0),
        };
        agreed(
            ctx,
            &idempotency_key,
            (&contract, &account),
            command,
            dry_run,
        )
        .await
    }

    /// Nobody new can subscribe to the offer from a day on, today in UTC if none is given; who has it keeps it. Scope admin.
    async fn retire_offer(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        offer: String,
        from: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<OfferStandingPayload> {
        let from = from.map(|date| date.0);
        let command = Command::RetireOffer { offer, from };
        stand(ctx, &idempotency_key, command, dry_run).await
    }

    /// A retired offer is sold again. Scope admin.
    async fn reopen_offer(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        offer: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<OfferStandingPayload> {
        let command = Command::ReopenOffer { offer };
        stand(ctx, &idempotency_key, command, dry_run).await
    }

    /// Takes an offer that nobody ever had out of the catalog. Scope admin.
    async fn delete_offer(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        offer: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<OfferStandingPayload> {
        let command = Command::DeleteOffer { offer };
        stand(ctx, &idempotency_key, command, dry_run).await
    }
}

async fn stand(
    ctx: &Context<'_>,
    idempotency_key: &str,
    command: Command,
    dry_run: bool,
) -> Result<OfferStandingPayload> {
    let receipt =
        desk::hand_in_or_try(ctx, Scope::Admin, idempotency_key, command, dry_run).await?;
    Ok(OfferStandingPayload { receipt })
}
