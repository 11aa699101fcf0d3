//! Folios: what an account owes in one currency to one legal entity, and how it comes to have more than one.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::accounts::{AccountTerms, folio};
use indelible_domain::command::{Command, InvoicingPlace};
use indelible_domain::invoicing::{self, Invoicing};
use indelible_domain::kernel::{self, Currency};

use super::accounts::LegalEntity;
use super::books::{Books, Cut};
use super::desk::{self, Receipt};
use super::discounts::{Commitment, commitments_of};
use super::errors;
use super::ids;
use super::invoicing::{place, stream_of};
use super::payments::Balance;
use super::scalars::Decimal;
use crate::auth::Scope;

/// What an account owes in one currency to one legal entity. Its key names it wherever an account is asked for that owes or
/// pays: balances, payments, dunning, documents.
pub struct Folio {
    key: String,
    folio: indelible_domain::accounts::Folio,
    cut: Cut,
}

impl Folio {
    /// The account's own folio, and those on which something is billed or was owed.
    pub fn of_account(
        ctx: &Context<'_>,
        account: &str,
        terms: &AccountTerms,
        cut: Cut,
    ) -> Result<Vec<Folio>> {
        let books = Books::of(ctx)?;
        let billed = books.find::<Invoicing>(&invoicing::of_account(account));
        let mut keys: Vec<String> = books.index(|index| {
            let known = index.folios_of.get(account).into_iter().flatten();
            known.cloned().collect()
        });
        if let Some(said) = &billed {
            let said = &said.state;
            let folios = said.folios.values().chain(said.charges.values());
            keys.extend(folios.map(|folio| folio.id(account, terms)));
        }
        keys.push(account.to_owned());
        // The account's own id is the shortest of them all.
        keys.sort();
        keys.dedup();
        let found = keys.into_iter().filter_map(|key| {
            let folio = folio::named(&key, terms)?;
            Some(Folio {
                key,
                folio,
                cut: cut.clone(),
            })
        });
        Ok(found.collect())
    }
}

#[Object]
impl Folio {
    /// `account` for the account's own, `account~USD` for another currency, `account~USD~entity` for another legal entity.
    async fn key(&self) -> &str {
        &self.key
    }

    /// To whom it is owed.
    async fn entity(&self, ctx: &Context<'_>) -> Result<LegalEntity> {
        LegalEntity::named(ctx, &self.folio.entity)
    }

    /// ISO 4217 code.
    async fn currency(&self) -> &str {
        self.folio.currency.code()
    }

    /// What the account committed itself to over everything that is billed on it, oldest first.
    async fn commitments(&self, ctx: &Context<'_>) -> Result<Vec<Commitment>> {
        commitments_of(ctx, &self.key, &self.cut).await
    }

    /// What is owed and credit on it.
    async fn balance(&self, ctx: &Context<'_>) -> Result<Balance> {
        Balance::at(ctx, &self.key, self.cut.clone()).await
    }
}

/// In which currency documents are.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "invoicing::Currencies")]
pub enum DocumentCurrencies {
    /// In the account's: what is sold in another one is converted.
    Account,
    /// In that of the sale: each currency has documents, open items and credit of its own.
    Sale,
}

/// The setting after it was changed.
#[derive(SimpleObject)]
pub struct DocumentCurrenciesPayload {
    /// What is said there now; none: nothing.
    currencies: Option<DocumentCurrencies>,
    receipt: Receipt,
}

fn said(books: &Books, place: &InvoicingPlace, cut: &Cut) -> Option<DocumentCurrencies> {
    let known = books.find_tried::<Invoicing>(&stream_of(place), cut)?;
    known.state.currencies.map(DocumentCurrencies::from)
}

/// A total below which documents in a currency wait for more.
#[derive(SimpleObject)]
pub struct InvoiceMinimum {
    /// ISO 4217 code.
    currency: String,
    minimum: Decimal,
}

#[derive(Default)]
pub struct FolioQueries;

#[Object]
impl FolioQueries {
    /// In which currency documents are, as a legal entity or an account itself says; none: nothing is said there.
    async fn document_currencies(
        &self,
        ctx: &Context<'_>,
        entity: Option<ID>,
        account: Option<ID>,
    ) -> Result<Option<DocumentCurrencies>> {
        Ok(said(
            &Books::of(ctx)?,
            &place(entity, account)?,
            &Cut::now(),
        ))
    }

    /// Totals below which documents wait for more, by currency, as a legal entity or an account itself says.
    async fn invoice_minimums(
        &self,
        ctx: &Context<'_>,
        entity: Option<ID>,
        account: Option<ID>,
    ) -> Result<Vec<InvoiceMinimum>> {
        let stream = stream_of(&place(entity, account)?);
        let known = Books::of(ctx)?.find::<Invoicing>(&stream);
        let minimums = known.iter().flat_map(|known| &known.state.minimums);
        let minimum = |(currency, minimum): (&Currency, &kernel::Decimal)| InvoiceMinimum {
            currency: currency.code().to_owned(),
            minimum: Decimal(*minimum),
        };
        Ok(minimums.map(minimum).collect())
    }

    /// The legal entity that sells an offer to everybody; none: that of whoever buys it.
    async fn offer_seller(&self, ctx: &Context<'_>, offer: String) -> Result<Option<LegalEntity>> {
        let known = Books::of(ctx)?.find::<Invoicing>(&invoicing::of_offer(&offer));
        match known.and_then(|known| known.state.seller.clone()) {
            Some(seller) => LegalEntity::find(ctx, &seller),
            None => Ok(None),
        }
    }
}

#[derive(InputObject)]
pub struct InvoiceMinimumInput {
    currency: String,
    /// The least total a document is made for; none: nothing is said of the currency any more.
    minimum: Option<Decimal>,
}

#[derive(Default)]
pub struct FolioMutations;

#[Object]
impl FolioMutations {
    /// Says in which currency the documents of a legal entity's accounts, or of one account, are; without `currencies` nothing
    /// is said there any more. It holds for what is sold from now on.
    async fn set_document_currencies(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        entity: Option<ID>,
        account: Option<ID>,
        currencies: Option<DocumentCurrencies>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<DocumentCurrenciesPayload> {
        let place = place(entity, account)?;
        let command = Command::SetCurrencies {
            place: place.clone(),
            currencies: currencies.map(invoicing::Currencies::from),
        };
        let receipt =
            desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await?;
        Ok(DocumentCurrenciesPayload {
            currencies: said(&Books::of(ctx)?, &place, &receipt.cut()),
            receipt,
        })
    }

    /// Says below which total documents in a currency wait for more, for a legal entity's documents or for one account; without
    /// `minimum` nothing is said there any more. Where nothing is said, `minimum` of `setInvoicing` holds in the account's
    /// currency.
    async fn set_invoice_minimum(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        entity: Option<ID>,
        account: Option<ID>,
        input: InvoiceMinimumInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<Receipt> {
        let command = Command::SetMinimum {
            place: place(entity, account)?,
            currency: input.currency.parse().map_err(errors::rejected)?,
            minimum: input.minimum.map(|minimum| minimum.0),
        };
        desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await
    }

    /// Says which legal entity sells an offer from now on, whoever buys it; without `seller` that of the buyer's account does.
    async fn set_offer_seller(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        offer: String,
        seller: Option<ID>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<Receipt> {
        let seller = seller.map(|seller| ids::key("entity", &seller));
        let command = Command::SetSeller { offer, seller };
        desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await
    }

    /// Says which legal entity a subscription is bought from and in which currency it is billed: without `seller` the
    /// account's, without `currencies` as the account or its legal entity says. Refused for one that was billed.
    async fn set_subscription_folio(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        subscription: ID,
        seller: Option<ID>,
        currencies: Option<DocumentCurrencies>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<Receipt> {
        let command = Command::SetFolio {
            subscription: ids::key("subscription", &subscription),
            seller: seller.map(|seller| ids::key("entity", &seller)),
            currencies: currencies.map(invoicing::Currencies::from),
        };
        desk::hand_in_or_try(ctx, Scope::Operate, &idempotency_key, command, dry_run).await
    }
}
