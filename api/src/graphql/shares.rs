//! With whom charges are shared: what parties get of a document, and what one party got in a time.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use indelible_domain::shares as domain;
use indelible_projections::finance::shares;

use super::books::Books;
use super::ids;
use super::scalars::{Date, Money, Position};

/// What one party gets of one line of a document, after discounts and without tax.
#[derive(SimpleObject)]
pub struct LineShare {
    /// Number of the line.
    line: u32,
    /// Code of the charge.
    charge: String,
    /// As the catalog calls it.
    party: String,
    /// Below zero: given back.
    amount: Money,
    /// Number of the revenue account that it is a part of.
    revenue_account: u16,
}

impl LineShare {
    pub fn of(part: &domain::Part) -> LineShare {
        LineShare {
            line: part.line,
            charge: part.charge.clone(),
            party: part.party.clone(),
            amount: Money(part.amount),
            revenue_account: part.of.code(),
        }
    }
}

/// What a party got of one line.
#[derive(SimpleObject)]
pub struct PartnerShare {
    on: Date,
    /// The document, by its id.
    invoice: ID,
    line: u32,
    /// Code of the charge.
    charge: String,
    /// Whose document it is.
    account: ID,
    /// The legal entity that owes it.
    entity: ID,
    /// Below zero: given back, by a credit note or a void.
    amount: Money,
    /// Number of the revenue account that it is a part of.
    revenue_account: u16,
}

#[derive(Default)]
pub struct ShareQueries;

#[Object]
impl ShareQueries {
    /// What a party got of charges that are shared with it, on days in [from, until), in the order of the days.
    async fn partner_shares(
        &self,
        ctx: &Context<'_>,
        party: String,
        from: Option<Date>,
        until: Option<Date>,
        min_position: Option<Position>,
    ) -> Result<Vec<PartnerShare>> {
        let (from, until) = (from.map(|date| date.0), until.map(|date| date.0));
        let found = Books::of(ctx)?
            .views(min_position, move |views| {
                shares::of_party(views, &party, from, until)
            })
            .await?;
        let row = |share: shares::PartyShare| PartnerShare {
            on: Date(share.on),
            invoice: ids::node("invoice", &share.document),
            line: share.line,
            charge: share.charge,
            account: ids::node("account", &share.account),
            entity: ids::node("entity", &share.entity),
            amount: Money(share.amount),
            revenue_account: share.of.code(),
        };
        Ok(found.into_iter().map(row).collect())
    }
}
