//! Advances: money asked for before the supply and taken off what the supply is invoiced for.

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::accounts::folio;
use indelible_domain::advances as domain;
use indelible_domain::command::Command;
use indelible_domain::world::Tenant;

use super::books::{AsOf, Books, Cut};
use super::desk::{self, Receipt};
use super::ids;
use super::invoices::Invoice;
use super::scalars::{Date, Decimal, Money};
use crate::auth::Scope;

/// Money asked for before the supply.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Advance {
    /// The id without its kind.
    key: String,
    /// Key of who pays it.
    account: String,
    /// Key of the subscription that it is for; none: not for one alone.
    subscription: Option<String>,
    /// The order that it is for; none: not for one alone.
    order: Option<String>,
    /// It is taken off only once it is paid whole.
    once_paid: bool,
    /// What was invoiced, by tax and rate.
    asked: Vec<AdvancePart>,
    /// What was taken off, document by document.
    deductions: Vec<AdvanceDeduction>,
    /// What no document took off and no note gave back.
    left: Vec<AdvancePart>,
    /// Why nothing of it is taken off any more; none: it is open.
    closed: Option<AdvanceClosed>,
    #[graphql(skip)]
    invoice: String,
    #[graphql(skip)]
    request: Option<String>,
    #[graphql(skip)]
    cut: Cut,
}

#[ComplexObject]
impl Advance {
    /// Its invoice; none: it was requested, and its money is not there.
    async fn invoice(&self, ctx: &Context<'_>) -> Result<Option<Invoice>> {
        Invoice::seen(ctx, &self.invoice, &self.cut)
    }

    /// What asked for it before it was invoiced; none: it was invoiced at once.
    async fn request(&self, ctx: &Context<'_>) -> Result<Option<Invoice>> {
        match &self.request {
            Some(request) => Invoice::seen(ctx, request, &self.cut),
            None => Ok(None),
        }
    }
}

/// An amount of one tax and rate.
#[derive(SimpleObject)]
pub struct AdvancePart {
    tax_name: String,
    /// 0.19 is 19 %.
    rate: Decimal,
    net: Money,
    tax: Money,
}

impl From<&domain::Part> for AdvancePart {
    fn from(part: &domain::Part) -> AdvancePart {
        AdvancePart {
            tax_name: part.tax.name.clone(),
            rate: Decimal(part.tax.rate),
            net: Money(part.net),
            tax: Money(part.amount),
        }
    }
}

/// What a document took off.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct AdvanceDeduction {
    part: AdvancePart,
    #[graphql(skip)]
    document: String,
    #[graphql(skip)]
    cut: Cut,
}

#[ComplexObject]
impl AdvanceDeduction {
    /// The document that it was taken off.
    async fn invoice(&self, ctx: &Context<'_>) -> Result<Option<Invoice>> {
        Invoice::seen(ctx, &self.document, &self.cut)
    }
}

/// What becomes of the rest of an advance.
#[derive(Clone, Copy, Debug, Default, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::Rest")]
pub enum AdvanceRest {
    /// It is account credit, as far as it was paid.
    #[default]
    Credit,
    /// It is paid out, as far as it was paid and nothing else is open.
    Refund,
}

/// How an advance ended.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct AdvanceClosed {
    rest: AdvanceRest,
    reason: String,
    on: Date,
    #[graphql(skip)]
    note: Option<String>,
    #[graphql(skip)]
    cut: Cut,
}

#[ComplexObject]
impl AdvanceClosed {
    /// The credit note over what was left; none: nothing was.
    async fn note(&self, ctx: &Context<'_>) -> Result<Option<Invoice>> {
        match &self.note {
            Some(note) => Invoice::seen(ctx, note, &self.cut),
            None => Ok(None),
        }
    }
}

#[derive(InputObject)]
pub struct AdvanceLineInput {
    /// What the line says.
    text: String,
    /// Net.
    amount: Money,
    #[graphql(default_with = "\"standard\".to_owned()")]
    tax_class: String,
}

#[derive(InputObject)]
pub struct AdvanceInput {
    /// Chosen by you.
    id: ID,
    /// Who pays it: an account, or one of its folios.
    account: ID,
    /// Only documents of this subscription take it off.
    subscription: Option<ID>,
    /// Only what is of this order takes it off.
    order: Option<String>,
    lines: Vec<AdvanceLineInput>,
    /// It is taken off only once it is paid whole.
    #[graphql(default)]
    once_paid: bool,
}

impl AdvanceInput {
    /// Its key, and what is agreed.
    fn terms(self) -> (String, domain::Terms) {
        let line = |line: AdvanceLineInput| domain::Wanted {
            text: line.text,
            amount: line.amount.0,
            tax_class: line.tax_class,
        };
        let terms = domain::Terms {
            account: ids::key("account", &self.account),
            subscription: self.subscription.map(|s| ids::key("subscription", &s)),
            order: self.order,
            lines: self.lines.into_iter().map(line).collect(),
            once_paid: self.once_paid,
        };
        (ids::key("advance", &self.id), terms)
    }
}

#[derive(SimpleObject)]
pub struct AdvancePayload {
    advance: Option<Advance>,
    receipt: Receipt,
}

impl Advance {
    fn of(key: &str, state: &domain::Advance, cut: &Cut) -> Option<Advance> {
        let terms = state.terms.as_ref()?;
        let deduction = |(document, part): &(String, domain::Part)| AdvanceDeduction {
            part: part.into(),
            document: document.clone(),
            cut: cut.clone(),
        };
        Some(Advance {
            cut: cut.clone(),
            key: key.to_owned(),
            account: terms.account.clone(),
            subscription: terms.subscription.clone(),
            order: terms.order.clone(),
            once_paid: terms.once_paid,
            asked: state.parts.iter().map(AdvancePart::from).collect(),
            deductions: state.taken.iter().map(deduction).collect(),
            left: state.rest().iter().map(AdvancePart::from).collect(),
            closed: state.closed.as_ref().map(|closed| AdvanceClosed {
                rest: closed.rest.into(),
                reason: closed.reason.clone(),
                on: Date(closed.on),
                note: closed.note.clone(),
                cut: cut.clone(),
            }),
            invoice: state.invoice.clone(),
            request: state.requested.as_ref().map(|r| r.document.clone()),
        })
    }

    /// Advances of an account that have something left or wait for their money, in the order they were asked for; in the past
    /// also those that have nothing left by now, in the order of their keys.
    pub async fn of_account(ctx: &Context<'_>, account: &str, cut: &Cut) -> Result<Vec<Advance>> {
        let books = Books::of(ctx)?;
        let keys = match cut.is_past() {
            false => books.index(|index| index.advances_of.get(account).cloned()),
            true => Some(books.live(|tenant| all_of(tenant, account))),
        };
        let zone = Some(books.zone(account));
        let found = books
            .all_at::<domain::Advance>(keys.unwrap_or_default(), cut, zone)
            .await?;
        let rows = found.iter();
        Ok(rows
            .filter(|(_, advance)| {
                let advance = &advance.state;
                !cut.is_past() || advance.waiting().is_some() || !advance.rest().is_empty()
            })
            .filter_map(|(key, advance)| Advance::of(key, &advance.state, cut))
            .collect())
    }
}

/// Every advance that an account was ever asked for.
fn all_of(tenant: &Tenant, account: &str) -> Vec<String> {
    let own = |advance: &domain::Advance| {
        let terms = advance.terms.as_ref();
        terms.is_some_and(|terms| folio::owner(&terms.account) == account)
    };
    let all = tenant.tables.advances.iter();
    all.filter(|(_, advance)| own(&advance.state))
        .map(|(key, _)| key.clone())
        .collect()
}

/// As it is now, or as a dry run would leave it.
fn find(books: &Books, key: &str, cut: &Cut) -> Option<Advance> {
    Advance::of(
        key,
        &books.find_tried::<domain::Advance>(key, cut)?.state,
        cut,
    )
}

async fn done(
    ctx: &Context<'_>,
    idempotency_key: &str,
    key: &str,
    command: Command,
    dry_run: bool,
) -> Result<AdvancePayload> {
    let receipt =
        desk::hand_in_or_try(ctx, Scope::Operate, idempotency_key, command, dry_run).await?;
    Ok(AdvancePayload {
        advance: find(&Books::of(ctx)?, key, &receipt.cut()),
        receipt,
    })
}

#[derive(Default)]
pub struct AdvanceQueries;

#[Object]
impl AdvanceQueries {
    /// An advance, now or as of some time; none if there was no such advance.
    async fn advance(
        &self,
        ctx: &Context<'_>,
        id: ID,
        as_of: Option<AsOf>,
    ) -> Result<Option<Advance>> {
        let (books, key) = (Books::of(ctx)?, ids::key("advance", &id));
        let cut = books.cut(as_of).await?;
        let now = books.find::<domain::Advance>(&key);
        let terms = now.as_ref().and_then(|now| now.state.terms.as_ref());
        let zone = terms.map(|terms| books.zone(&terms.account));
        let then = books.find_at::<domain::Advance>(&key, &cut, zone).await?;
        Ok(then.and_then(|then| Advance::of(&key, &then.state, &cut)))
    }
}

#[derive(Default)]
pub struct AdvanceMutations;

#[Object]
impl AdvanceMutations {
    /// Invoices money before the supply, with its tax. Documents of what it is for show all of it and take the advance off with
    /// the tax that was asked for, until nothing of it is left.
    async fn ask_advance(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: AdvanceInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AdvancePayload> {
        let (key, terms) = input.terms();
        let command = Command::AskAdvance {
            advance: key.clone(),
            terms: Box::new(terms),
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Asks for money before the supply by a document that is no invoice: nothing is owed, posted or taxed. When a payment brings
    /// its whole total, the advance is invoiced on that day, with the tax of that day, and the payment is applied to the invoice.
    async fn request_advance(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: AdvanceInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AdvancePayload> {
        let (key, terms) = input.terms();
        let command = Command::RequestAdvance {
            advance: key.clone(),
            terms: Box::new(terms),
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Invoices a requested advance now, whether or not its money is there.
    async fn invoice_advance(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AdvancePayload> {
        let key = ids::key("advance", &id);
        let command = Command::InvoiceAdvance {
            advance: key.clone(),
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }

    /// Takes nothing more of an advance off, and gives back what is left of it by a credit note: as credit, or paid out. One
    /// that was called off before anything was supplied is credited whole; a request that nobody paid is void.
    async fn close_advance(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        #[graphql(default)] rest: AdvanceRest,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AdvancePayload> {
        let key = ids::key("advance", &id);
        let command = Command::CloseAdvance {
            advance: key.clone(),
            rest: rest.into(),
            reason,
        };
        done(ctx, &idempotency_key, &key, command, dry_run).await
    }
}
