//! The catalog as code and as drafts: what a file or a draft would change, and offers edited piece by piece.

use async_graphql::{Context, Enum, ID, InputObject, Json, Object, Result, SimpleObject};
use indelible_domain::Rejection;
use indelible_domain::catalog::{self as domain, File, Offer, PriceList, diff};
use indelible_domain::command::Command;
use indelible_domain::drafts::{self, Draft};
use indelible_domain::operations::{self, CatalogDifference as Reviewed, CatalogReview as Review};
use indelible_domain::session::Session;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::books::Books;
use super::desk::{self, Receipt};
use super::scalars::Date;
use super::{errors, ids};
use crate::auth::Scope;

/// What applying a catalog file or draft would do.
pub struct CatalogReview(Review);

#[Object]
impl CatalogReview {
    /// Each with its place; while there is one, nothing can be applied.
    async fn problems(&self) -> &[String] {
        &self.0.problems
    }

    /// Offers and price lists that would be otherwise; what the file does not name stays as it is.
    async fn differences(&self) -> Vec<CatalogDifference> {
        self.0.differences.iter().map(difference).collect()
    }
}

/// What of one offer or price list would be otherwise.
#[derive(SimpleObject)]
pub struct CatalogDifference {
    kind: DifferenceKind,
    /// Code of the offer or price list.
    code: String,
    price_list: bool,
    /// The version of the offer that is compared with; 0 for none.
    version: u32,
    /// Running subscriptions of the offer.
    subscriptions: i64,
    /// They get it with their first period after this day; none: they keep what they have.
    moves: Option<Date>,
    /// Whom it concerns, in words.
    concerns: String,
    changes: Vec<CatalogChange>,
}

#[derive(SimpleObject)]
pub struct CatalogChange {
    kind: DifferenceKind,
    /// Code of the charge, option or commitment; none for the offer itself.
    part: Option<String>,
    /// In the words of the business.
    words: String,
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "diff::Kind")]
pub enum DifferenceKind {
    Added,
    Changed,
    Removed,
}

fn difference(reviewed: &Reviewed) -> CatalogDifference {
    let found = &reviewed.difference;
    CatalogDifference {
        kind: found.kind.into(),
        code: found.of.clone(),
        price_list: found.price_list,
        version: found.version,
        subscriptions: i64::try_from(reviewed.subscriptions).unwrap_or(i64::MAX),
        moves: reviewed.moves.map(Date),
        concerns: reviewed.concerns(),
        changes: found
            .changes
            .iter()
            .map(|change| CatalogChange {
                kind: change.kind.into(),
                part: Some(change.part.clone()).filter(|part| !part.is_empty()),
                words: change.words.clone(),
            })
            .collect(),
    }
}

/// A draft of the catalog, worked on piece by piece and published as a whole.
pub struct CatalogDraft {
    key: String,
    state: Draft,
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "drafts::Stage")]
pub enum CatalogDraftStage {
    Open,
    Published,
    Discarded,
}

#[Object]
impl CatalogDraft {
    async fn id(&self) -> ID {
        ids::node("catalog-draft", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    async fn stage(&self) -> CatalogDraftStage {
        self.state.stage.into()
    }

    /// Offers in the form of the catalog file, by their codes; numbers are strings.
    async fn offers(&self) -> Vec<Json<Value>> {
        let all = self.state.offers.values();
        all.filter_map(|offer| serde_json::to_value(&**offer).ok().map(Json))
            .collect()
    }

    /// Price lists in the form of the catalog file, by their codes.
    async fn price_lists(&self) -> Vec<Json<Value>> {
        let all = self.state.price_lists.values();
        all.filter_map(|list| serde_json::to_value(&**list).ok().map(Json))
            .collect()
    }

    /// What publishing it now would do.
    async fn review(&self, ctx: &Context<'_>) -> Result<CatalogReview> {
        review(ctx, &self.state.file())
    }
}

/// Which list of an offer a piece belongs to.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub enum OfferPart {
    OneOff,
    Recurring,
    Usage,
    Commitment,
    Option,
    Counter,
    Feature,
}

impl OfferPart {
    fn list(self) -> &'static str {
        match self {
            OfferPart::OneOff => "one_off",
            OfferPart::Recurring => "recurring",
            OfferPart::Usage => "usage",
            OfferPart::Commitment => "commitments",
            OfferPart::Option => "option",
            OfferPart::Counter => "counter",
            OfferPart::Feature => "feature",
        }
    }

    /// The field that tells the pieces of a list apart.
    fn name(self) -> &'static str {
        match self {
            OfferPart::Option => "offer",
            _ => "code",
        }
    }
}

#[derive(InputObject)]
pub struct DraftOfferPartInput {
    draft: ID,
    /// Code of an offer of the draft; one that is only published is taken into the draft as it is.
    offer: String,
    part: OfferPart,
    /// The piece in the form of the catalog file; takes the place of one with the same code.
    value: Json<Value>,
}

#[derive(SimpleObject)]
pub struct CatalogDraftPayload {
    draft: Option<CatalogDraft>,
    receipt: Receipt,
}

#[derive(Default)]
pub struct CatalogDraftQueries;

#[Object]
impl CatalogDraftQueries {
    /// What applying a catalog file would do: every problem, every difference, and whom it concerns. Writes nothing.
    async fn review_catalog(&self, ctx: &Context<'_>, toml: String) -> Result<CatalogReview> {
        let file = domain::read(&toml).map_err(errors::rejected)?;
        review(ctx, &file)
    }

    async fn catalog_draft(&self, ctx: &Context<'_>, id: ID) -> Result<Option<CatalogDraft>> {
        found(ctx, &ids::key("catalog-draft", &id))
    }
}

#[derive(Default)]
pub struct CatalogDraftMutations;

#[Object]
impl CatalogDraftMutations {
    /// Puts an offer into a draft, in place of the one with its code. The first edit begins the draft. Scope admin.
    async fn put_draft_offer(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        draft: ID,
        offer: Json<Value>,
    ) -> Result<CatalogDraftPayload> {
        let offer: Offer = read(offer.0, "offer")?;
        let edit = drafts::Command::PutOffer(Box::new(offer));
        hand_in(ctx, &idempotency_key, &draft, edit).await
    }

    /// Puts one charge, commitment or option into an offer of a draft. Scope admin.
    async fn put_draft_offer_part(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: DraftOfferPartInput,
    ) -> Result<CatalogDraftPayload> {
        let DraftOfferPartInput {
            draft,
            offer,
            part,
            value,
        } = input;
        let key = ids::key("catalog-draft", &draft);
        let code = value.0.get(part.name()).cloned();
        let offer = with_pieces(ctx, &key, &offer, part, |pieces| {
            match pieces
                .iter_mut()
                .find(|p| p.get(part.name()).cloned() == code)
            {
                Some(same) => *same = value.0,
                None => pieces.push(value.0),
            }
            Ok(())
        })?;
        let edit = drafts::Command::PutOffer(Box::new(offer));
        hand_in(ctx, &idempotency_key, &draft, edit).await
    }

    /// Takes one charge, commitment or option out of an offer of a draft. Scope admin.
    async fn drop_draft_offer_part(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        draft: ID,
        offer: String,
        part: OfferPart,
        code: String,
    ) -> Result<CatalogDraftPayload> {
        let key = ids::key("catalog-draft", &draft);
        let offer = with_pieces(ctx, &key, &offer, part, |pieces| {
            let before = pieces.len();
            pieces.retain(|p| p.get(part.name()).and_then(Value::as_str) != Some(&code));
            if pieces.len() < before {
                return Ok(());
            }
            Err(Rejection::new(
                "NOT_IN_DRAFT",
                format!("the offer has no {} {code:?} to take out", part.list()),
            ))
        })?;
        let edit = drafts::Command::PutOffer(Box::new(offer));
        hand_in(ctx, &idempotency_key, &draft, edit).await
    }

    /// Takes an offer out of a draft; the catalog keeps it as it is. Scope admin.
    async fn drop_draft_offer(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        draft: ID,
        offer: String,
    ) -> Result<CatalogDraftPayload> {
        let edit = drafts::Command::DropOffer(offer);
        hand_in(ctx, &idempotency_key, &draft, edit).await
    }

    /// Puts a price list into a draft, in place of the one with its code. Scope admin.
    async fn put_draft_price_list(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        draft: ID,
        list: Json<Value>,
    ) -> Result<CatalogDraftPayload> {
        let list: PriceList = read(list.0, "price list")?;
        let edit = drafts::Command::PutPriceList(Box::new(list));
        hand_in(ctx, &idempotency_key, &draft, edit).await
    }

    /// Takes a price list out of a draft; the catalog keeps it as it is. Scope admin.
    async fn drop_draft_price_list(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        draft: ID,
        list: String,
    ) -> Result<CatalogDraftPayload> {
        let edit = drafts::Command::DropPriceList(list);
        hand_in(ctx, &idempotency_key, &draft, edit).await
    }

    /// Publishes the whole draft, or nothing while it has a problem; it is closed then. Scope admin.
    async fn publish_catalog_draft(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        draft: ID,
    ) -> Result<CatalogDraftPayload> {
        hand_in(ctx, &idempotency_key, &draft, drafts::Command::Publish).await
    }

    /// Closes a draft without publishing it. Scope admin.
    async fn discard_catalog_draft(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        draft: ID,
    ) -> Result<CatalogDraftPayload> {
        hand_in(ctx, &idempotency_key, &draft, drafts::Command::Discard).await
    }
}

fn review(ctx: &Context<'_>, file: &File) -> Result<CatalogReview> {
    let books = Books::of(ctx)?;
    let now = books.now();
    let review = books.live(|tenant| operations::review_catalog(&Session::new(tenant, now), file));
    review.map(CatalogReview).map_err(errors::rejected)
}

fn found(ctx: &Context<'_>, key: &str) -> Result<Option<CatalogDraft>> {
    let known = Books::of(ctx)?.find::<Draft>(key);
    Ok(known.map(|entry| CatalogDraft {
        key: key.to_owned(),
        state: entry.state.clone(),
    }))
}

async fn hand_in(
    ctx: &Context<'_>,
    idempotency_key: &str,
    draft: &ID,
    edit: drafts::Command,
) -> Result<CatalogDraftPayload> {
    let key = ids::key("catalog-draft", draft);
    let command = Command::EditCatalogDraft {
        draft: key.clone(),
        edit,
    };
    let receipt = desk::hand_in(ctx, Scope::Admin, idempotency_key, command).await?;
    Ok(CatalogDraftPayload {
        draft: found(ctx, &key)?,
        receipt,
    })
}

/// An offer of a draft, or as it is published, with the pieces of one of its lists edited.
fn with_pieces(
    ctx: &Context<'_>,
    draft: &str,
    offer: &str,
    part: OfferPart,
    edit: impl FnOnce(&mut Vec<Value>) -> std::result::Result<(), Rejection>,
) -> Result<Offer> {
    let books = Books::of(ctx)?;
    let drafted = books.find::<Draft>(draft);
    let drafted = drafted.and_then(|d| d.state.offers.get(offer).map(|o| Offer::clone(o)));
    let published = || {
        let catalog = books.catalog()?;
        let newest = catalog.state.offer(offer)?;
        Some(Offer {
            version: 0,
            ..Offer::clone(newest)
        })
    };
    let Some(known) = drafted.or_else(published) else {
        let unknown = Rejection::new(
            "OFFER_UNKNOWN",
            format!("neither the draft nor the catalog has an offer {offer:?}"),
        );
        return Err(errors::rejected(unknown));
    };
    let mut value = serde_json::to_value(known).map_err(|why| unreadable("offer", &why))?;
    let pieces = value.as_object_mut().map(|fields| {
        fields
            .entry(part.list())
            .or_insert_with(|| Value::Array(vec![]))
    });
    if let Some(Value::Array(pieces)) = pieces {
        edit(pieces).map_err(errors::rejected)?;
    }
    read(value, "offer")
}

fn read<T: DeserializeOwned>(value: Value, what: &str) -> Result<T> {
    serde_json::from_value(value).map_err(|why| unreadable(what, &why))
}

fn unreadable(what: &str, why: &serde_json::Error) -> async_graphql::Error {
    errors::rejected(Rejection::new(
        "CATALOG_UNREADABLE",
        format!("the {what} cannot be read: {why}"),
    ))
}
