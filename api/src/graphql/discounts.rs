//! Discounts and who has them, commitments of accounts, exemptions from tax.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use indelible_domain::accounts::folio;
use indelible_domain::command::{Command, RedeemDiscount};
use indelible_domain::commitments as pledge;
use indelible_domain::discounts as domain;
use indelible_domain::taxes::Exemption;

use super::accounts::Account;
use super::books::{Books, Cut};
use super::desk::{self, Receipt};
use super::life::ComingInvoice;
use super::scalars::{Date, Decimal, Money};
use super::{errors, ids};
use crate::auth::Scope;

/// A discount that is offered under a code.
#[derive(SimpleObject)]
pub struct Discount {
    id: ID,
    code: String,
    name: String,
    /// 0.2 is 20 %.
    percent: Option<Decimal>,
    fixed: Option<Money>,
    /// `once`, `2 times`, `3 months`, `forever`.
    lasts: String,
    scope: DiscountScope,
    redeem_from: Option<Date>,
    /// Exclusive.
    redeem_until: Option<Date>,
    limit: Option<u32>,
    limit_per_account: Option<u32>,
    /// Lower numbers are applied first.
    sequence: u32,
    exclusive: bool,
    withdrawn: bool,
    /// How often it was redeemed.
    redeemed: u32,
}

/// What a discount is of; an empty list is no restriction.
#[derive(SimpleObject, InputObject)]
#[graphql(input_name = "DiscountScopeInput")]
pub struct DiscountScope {
    #[graphql(default)]
    offers: Vec<String>,
    #[graphql(default)]
    charges: Vec<String>,
    #[graphql(default)]
    metrics: Vec<String>,
    #[graphql(default)]
    kinds: Vec<DiscountedKind>,
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::ChargeKind")]
pub enum DiscountedKind {
    OneOff,
    Recurring,
    Usage,
}

/// A discount that an account has, on the terms of the day it was redeemed.
#[derive(SimpleObject)]
pub struct Redemption {
    key: String,
    /// Code of the discount.
    discount: String,
    name: String,
    /// Only of this subscription.
    subscription: Option<String>,
    from: Date,
    /// Exclusive.
    until: Option<Date>,
    /// How many documents it took something off.
    times: u32,
    /// What it took off in all.
    taken: Money,
    /// It will take nothing off any more.
    used_up: bool,
}

/// What an account committed itself to, per period.
#[derive(SimpleObject)]
pub struct Commitment {
    key: String,
    name: String,
    min: Option<Decimal>,
    max: Option<Decimal>,
    /// Length of a period, such as `1 year`.
    every: String,
    from: Date,
    /// Exclusive.
    until: Option<Date>,
    /// Offers whose charges count; empty: all.
    offers: Vec<String>,
    tax_class: String,
}

/// For which charges no tax is charged, and why.
#[derive(SimpleObject)]
pub struct TaxExemption {
    /// Tax class; none: all.
    class: Option<String>,
    reason: String,
    from: Date,
    /// Exclusive.
    until: Option<Date>,
}

/// What is taken off: a share, or an amount.
#[derive(OneofObject)]
pub enum DiscountOffInput {
    /// 0.2 is 20 %.
    Percent(Decimal),
    Fixed(Money),
}

/// For how long.
#[derive(OneofObject)]
pub enum DiscountLastsInput {
    /// A share: one document. An amount: until it is used up. The value is ignored.
    Once(bool),
    /// So many documents.
    Times(u32),
    /// Services of so long from the redemption, such as `3 months`.
    For(String),
    /// The value is ignored.
    Forever(bool),
}

#[derive(InputObject)]
pub struct DefineDiscountInput {
    /// The code under which it is redeemed.
    code: ID,
    /// Shown on invoices.
    name: String,
    off: DiscountOffInput,
    lasts: DiscountLastsInput,
    scope: Option<DiscountScope>,
    redeem_from: Option<Date>,
    /// Exclusive.
    redeem_until: Option<Date>,
    limit: Option<u32>,
    limit_per_account: Option<u32>,
    #[graphql(default)]
    sequence: u32,
    #[graphql(default)]
    exclusive: bool,
}

#[derive(InputObject)]
pub struct RedeemDiscountInput {
    /// Chosen by you.
    id: ID,
    account: ID,
    code: String,
    /// Only of this subscription.
    subscription: Option<ID>,
    /// Services from this day on; none: today.
    from: Option<Date>,
}

#[derive(InputObject)]
pub struct AgreeCommitmentInput {
    /// Chosen by you.
    id: ID,
    account: ID,
    /// Shown on invoices.
    name: String,
    /// In the account's currency, per period.
    min: Option<Decimal>,
    max: Option<Decimal>,
    /// Such as `1 month`.
    every: String,
    from: Date,
    /// Exclusive.
    until: Option<Date>,
    #[graphql(default)]
    offers: Vec<String>,
    #[graphql(default_with = "\"standard\".to_owned()")]
    tax_class: String,
}

#[derive(InputObject)]
pub struct TaxExemptionInput {
    account: ID,
    /// Tax class; none: all.
    class: Option<String>,
    /// Shown on invoices.
    reason: String,
    from: Date,
    /// Exclusive.
    until: Option<Date>,
}

#[derive(SimpleObject)]
pub struct DiscountPayload {
    /// As it is now; for a dry run as it would be.
    discount: Option<Discount>,
    receipt: Receipt,
}

/// An account after its discounts, commitments or exemptions changed; for a dry run as it would be.
#[derive(SimpleObject)]
pub struct AccountTermsPayload {
    account: Account,
    /// What becomes due with it of everything that is billed with the account, up to 400 days ahead and 100 documents; for a dry
    /// run as it would be.
    coming: Vec<ComingInvoice>,
    receipt: Receipt,
}

fn discount(code: &str, state: &domain::Discount) -> Option<Discount> {
    let terms = state.terms.as_ref()?;
    let (percent, fixed) = match terms.off {
        domain::Off::Percent(share) => (Some(Decimal(share)), None),
        domain::Off::Fixed(amount) => (None, Some(Money(amount))),
    };
    Some(Discount {
        id: ids::node("discount", code),
        code: code.to_owned(),
        name: terms.name.clone(),
        percent,
        fixed,
        lasts: match terms.lasts {
            domain::Lasts::Once => "once".to_owned(),
            domain::Lasts::Times(n) => format!("{n} times"),
            domain::Lasts::For(span) => span.to_string(),
            domain::Lasts::Forever => "forever".to_owned(),
        },
        scope: DiscountScope {
            offers: terms.scope.offers.clone(),
            charges: terms.scope.charges.clone(),
            metrics: terms.scope.metrics.clone(),
            kinds: terms.scope.kinds.iter().map(|k| (*k).into()).collect(),
        },
        redeem_from: terms.redeem_from.map(Date),
        redeem_until: terms.redeem_until.map(Date),
        limit: terms.limit,
        limit_per_account: terms.limit_per_account,
        sequence: terms.sequence,
        exclusive: terms.exclusive,
        withdrawn: state.withdrawn,
        redeemed: state.redeemed,
    })
}

/// The discounts that an account has, oldest first.
pub async fn redemptions_of(
    ctx: &Context<'_>,
    account: &str,
    currency: indelible_domain::kernel::Currency,
    cut: &Cut,
) -> Result<Vec<Redemption>> {
    let books = Books::of(ctx)?;
    let known = books
        .find_at::<domain::Redemptions>(account, cut, Some(books.zone(account)))
        .await?;
    let row = |r: &domain::Redemption| Redemption {
        key: r.id.clone(),
        discount: r.discount.clone(),
        name: r.terms.name.clone(),
        subscription: r.subscription.clone(),
        from: Date(r.from),
        until: r.until.map(Date),
        times: r.times,
        taken: Money(indelible_domain::kernel::Money::new(r.taken, currency)),
        used_up: r.used_up(),
    };
    let all = known.iter().flat_map(|e| &e.state.redeemed);
    Ok(all.map(row).collect())
}

/// What an account committed itself to, oldest first.
pub async fn commitments_of(
    ctx: &Context<'_>,
    account: &str,
    cut: &Cut,
) -> Result<Vec<Commitment>> {
    let books = Books::of(ctx)?;
    let known = books
        .find_at::<pledge::Commitments>(account, cut, Some(books.zone(account)))
        .await?;
    let row = |a: &pledge::Agreed| Commitment {
        key: a.id.clone(),
        name: a.name.clone(),
        min: a.min.map(Decimal),
        max: a.max.map(Decimal),
        every: a.every.to_string(),
        from: Date(a.from),
        until: a.until.map(Date),
        offers: a.offers.clone(),
        tax_class: a.tax_class.clone(),
    };
    let all = known.iter().flat_map(|e| &e.state.agreed);
    Ok(all.map(row).collect())
}

/// Exemptions of an account, oldest first.
pub fn exemptions_of(account: &indelible_domain::accounts::Account) -> Vec<TaxExemption> {
    let row = |e: &Exemption| TaxExemption {
        class: e.class.clone(),
        reason: e.reason.clone(),
        from: Date(e.from),
        until: e.until.map(Date),
    };
    account.exemptions.iter().map(row).collect()
}

#[derive(Default)]
pub struct DiscountQueries;

#[Object]
impl DiscountQueries {
    /// A discount by its code.
    async fn discount(&self, ctx: &Context<'_>, code: String) -> Result<Option<Discount>> {
        let known = Books::of(ctx)?.find::<domain::Discount>(&code);
        Ok(known.and_then(|e| discount(&code, &e.state)))
    }
}

#[derive(Default)]
pub struct DiscountMutations;

#[Object]
impl DiscountMutations {
    /// Offers a discount, or changes its terms for those who redeem it from now on. Scope admin.
    async fn define_discount(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: DefineDiscountInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<DiscountPayload> {
        let code = ids::key("discount", &input.code);
        let span = |text: String| {
            text.parse()
                .map(domain::Lasts::For)
                .map_err(errors::rejected)
        };
        let terms = domain::DiscountTerms {
            name: input.name,
            off: match input.off {
                DiscountOffInput::Percent(share) => domain::Off::Percent(share.0),
                DiscountOffInput::Fixed(amount) => domain::Off::Fixed(amount.0),
            },
            lasts: match input.lasts {
                DiscountLastsInput::Once(_) => domain::Lasts::Once,
                DiscountLastsInput::Times(n) => domain::Lasts::Times(n),
                DiscountLastsInput::For(text) => span(text)?,
                DiscountLastsInput::Forever(_) => domain::Lasts::Forever,
            },
            scope: input
                .scope
                .map_or_else(domain::Scope::default, |s| domain::Scope {
                    offers: s.offers,
                    charges: s.charges,
                    metrics: s.metrics,
                    kinds: s.kinds.into_iter().map(Into::into).collect(),
                }),
            redeem_from: input.redeem_from.map(|d| d.0),
            redeem_until: input.redeem_until.map(|d| d.0),
            limit: input.limit,
            limit_per_account: input.limit_per_account,
            sequence: input.sequence,
            exclusive: input.exclusive,
        };
        let command = Command::DefineDiscount {
            discount: code.clone(),
            terms: Box::new(terms),
        };
        let receipt =
            desk::hand_in_or_try(ctx, Scope::Admin, &idempotency_key, command, dry_run).await?;
        told(ctx, &code, receipt)
    }

    /// Nobody redeems it any more; who has it keeps it. Scope admin.
    async fn withdraw_discount(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        code: String,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<DiscountPayload> {
        let command = Command::WithdrawDiscount {
            discount: code.clone(),
            reason,
        };
        let receipt =
            desk::hand_in_or_try(ctx, Scope::Admin, &idempotency_key, command, dry_run).await?;
        told(ctx, &code, receipt)
    }

    /// Gives an account a discount, by its code: its documents from now on have it. Scope operate.
    async fn redeem_discount(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: RedeemDiscountInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AccountTermsPayload> {
        let account = ids::key("account", &input.account);
        let command = Command::RedeemDiscount(Box::new(RedeemDiscount {
            account: account.clone(),
            discount: input.code,
            redemption: ids::key("redemption", &input.id),
            subscription: input.subscription.map(|id| ids::key("subscription", &id)),
            from: input.from.map(|d| d.0),
        }));
        of_account(ctx, &idempotency_key, &account, command, dry_run).await
    }

    /// A discount of an account takes nothing off services of this day (none: today) and later. Scope operate.
    async fn end_redemption(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        redemption: ID,
        on: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AccountTermsPayload> {
        let account = ids::key("account", &account);
        let command = Command::EndRedemption {
            account: account.clone(),
            redemption: ids::key("redemption", &redemption),
            on: on.map(|d| d.0),
        };
        of_account(ctx, &idempotency_key, &account, command, dry_run).await
    }

    /// What an account commits itself to over everything it pays for, or over what is billed on one of its folios. Scope operate.
    async fn agree_commitment(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: AgreeCommitmentInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AccountTermsPayload> {
        let account = ids::key("account", &input.account);
        let agreed = pledge::Agreed {
            id: ids::key("commitment", &input.id),
            name: input.name,
            min: input.min.map(|d| d.0),
            max: input.max.map(|d| d.0),
            every: input.every.parse().map_err(errors::rejected)?,
            from: input.from.0,
            until: input.until.map(|d| d.0),
            offers: input.offers,
            tax_class: input.tax_class,
        };
        let command = Command::AgreeCommitment {
            account: account.clone(),
            agreed: Box::new(agreed),
        };
        of_account(ctx, &idempotency_key, &account, command, dry_run).await
    }

    /// A commitment binds until this day (none: today), exclusive; its last period is prorated. Scope operate.
    async fn end_commitment(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        commitment: ID,
        on: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AccountTermsPayload> {
        let account = ids::key("account", &account);
        let command = Command::EndCommitment {
            account: account.clone(),
            commitment: ids::key("commitment", &commitment),
            on: on.map(|d| d.0),
        };
        of_account(ctx, &idempotency_key, &account, command, dry_run).await
    }

    /// No tax is charged to an account for a class of charges, or for all. Scope operate.
    async fn exempt_from_tax(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: TaxExemptionInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AccountTermsPayload> {
        let account = ids::key("account", &input.account);
        let command = Command::ExemptFromTax {
            account: account.clone(),
            exemption: Exemption {
                class: input.class,
                reason: input.reason,
                from: input.from.0,
                until: input.until.map(|d| d.0),
            },
        };
        of_account(ctx, &idempotency_key, &account, command, dry_run).await
    }

    /// Tax is charged again from this day (none: today) on. Scope operate.
    async fn end_tax_exemption(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        class: Option<String>,
        on: Option<Date>,
        #[graphql(default)] dry_run: bool,
    ) -> Result<AccountTermsPayload> {
        let account = ids::key("account", &account);
        let command = Command::EndTaxExemption {
            account: account.clone(),
            class,
            on: on.map(|d| d.0),
        };
        of_account(ctx, &idempotency_key, &account, command, dry_run).await
    }
}

fn told(ctx: &Context<'_>, code: &str, receipt: Receipt) -> Result<DiscountPayload> {
    let known = Books::of(ctx)?.find_tried::<domain::Discount>(code, &receipt.cut());
    Ok(DiscountPayload {
        discount: known.and_then(|e| discount(code, &e.state)),
        receipt,
    })
}

async fn of_account(
    ctx: &Context<'_>,
    idempotency_key: &str,
    account: &str,
    command: Command,
    dry_run: bool,
) -> Result<AccountTermsPayload> {
    let scope = Scope::Operate;
    let (receipt, coming) =
        desk::hand_in_or_look_ahead(ctx, scope, idempotency_key, command, account, dry_run).await?;
    Ok(AccountTermsPayload {
        account: Account::named_at(ctx, folio::owner(account), receipt.cut()).await?,
        coming: coming.iter().map(ComingInvoice::of).collect(),
        receipt,
    })
}
