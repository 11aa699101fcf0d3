//! Wallets: money or credits put in before they are used.

use std::sync::Arc;

use async_graphql::connection::Connection;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::{Command, GrantWallet};
use indelible_domain::kernel;
use indelible_domain::wallets as domain;
use indelible_domain::world::Entry;
use indelible_domain::{Session, operations};
use indelible_projections::wallets::spends;

use super::accounts::Account;
use super::books::{Books, Cut};
use super::desk::{self, Receipt};
use super::errors;
use super::ids;
use super::page::{self, Cursor};
use super::past;
use super::scalars::{Date, Decimal, Instant, Money, Position};
use super::wallet_terms::{ChangeWalletInput, GrantWalletInput, RolloverInput, WalletTerms};
use crate::auth::Scope;

/// Decimals of an exact amount (policy 1).
const EXACT_PLACES: u32 = 12;

/// Money or credits put in before they are used: burnt as usage is rated, without tax, or when an invoice is finalised,
/// which it pays gross.
pub struct Wallet {
    key: String,
    state: Arc<Entry<domain::Wallet>>,
    cut: Cut,
}

impl Wallet {
    pub fn find(ctx: &Context<'_>, key: &str) -> Result<Option<Wallet>> {
        Wallet::seen(ctx, key, &Cut::now())
    }

    /// As it is now, or as a dry run would leave it.
    fn seen(ctx: &Context<'_>, key: &str, cut: &Cut) -> Result<Option<Wallet>> {
        let state = Books::of(ctx)?.find_tried::<domain::Wallet>(key, cut);
        Ok(state.map(|state| Wallet {
            key: key.to_owned(),
            state,
            cut: cut.clone(),
        }))
    }

    /// Wallets of an account, first the one that is burnt first.
    pub async fn of_account(ctx: &Context<'_>, account: &str, cut: Cut) -> Result<Vec<Wallet>> {
        let books = Books::of(ctx)?;
        let keys: Vec<String> = books.index(|index| {
            let of_account = index.wallets_of.get(account).into_iter().flatten();
            of_account.cloned().collect()
        });
        let zone = Some(books.zone(account));
        let found = books.all_at::<domain::Wallet>(keys, &cut, zone).await?;
        let wallet = |(key, state)| Wallet {
            key,
            state,
            cut: cut.clone(),
        };
        let mut wallets: Vec<Wallet> = found.into_iter().map(wallet).collect();
        wallets.sort_by_key(|wallet| wallet.state.state.terms.priority);
        Ok(wallets)
    }

    /// The day that its units and grants are looked at.
    fn day(&self, ctx: &Context<'_>) -> Result<kernel::Date> {
        let books = Books::of(ctx)?;
        let zone = books.zone(&self.state.state.account);
        let then = self.cut.day(&zone);
        Ok(then.unwrap_or_else(|| zone.date(books.now())))
    }
}

#[Object]
impl Wallet {
    pub async fn id(&self) -> ID {
        ids::node("wallet", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.state.state.account).await
    }

    /// ISO 4217 code.
    async fn currency(&self) -> &str {
        self.state.state.currency.code()
    }

    /// Wallets with lower numbers are burnt first.
    async fn priority(&self) -> u32 {
        self.state.state.terms.priority
    }

    /// What is agreed about it.
    async fn terms(&self) -> WalletTerms {
        WalletTerms {
            terms: self.state.state.terms.clone(),
        }
    }

    /// What can be used today in units of the wallet, exact, with at most 12 decimals.
    async fn units(&self, ctx: &Context<'_>) -> Result<String> {
        let today = self.day(ctx)?;
        Ok(self.state.state.units(today).to_decimal(EXACT_PLACES))
    }

    /// What will be left in the wallet's currency once everything held, due and used up to now is paid.
    async fn expected_balance(&self, ctx: &Context<'_>) -> Result<String> {
        let books = Books::of(ctx)?;
        if self.cut.is_past() {
            let account = &self.state.state.account;
            let then = past::expected_balance(&books, &self.key, account, &self.cut).await?;
            return Ok(then.to_decimal(EXACT_PLACES));
        }
        let now = books.now();
        let expected = books
            .live(|tenant| operations::expected_balance(&Session::new(tenant, now), &self.key));
        let expected = expected.map_err(errors::rejected)?;
        Ok(expected.to_decimal(EXACT_PLACES))
    }

    /// How far it was burnt below zero and not repaid yet; exact, with at most 12 decimals.
    async fn overdraft(&self) -> String {
        self.state.state.overdraft.to_decimal(EXACT_PLACES)
    }

    /// Top-ups whose invoices are not paid yet.
    async fn asked(&self) -> Vec<AskedTopUp> {
        let asked = self.state.state.asked.iter().map(|ask| AskedTopUp {
            grant: ask.grant.clone(),
            invoice: ids::node("invoice", &ask.invoice),
            amount: Money(ask.amount),
            on: Date(ask.on),
        });
        asked.collect()
    }

    /// What one of its grants was used for, oldest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn spends(
        &self,
        ctx: &Context<'_>,
        grant: ID,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Connection<Cursor, Spend>> {
        let asked = page::asked(first, after)?;
        let (seen, most) = (asked.after.clone(), asked.first);
        let (wallet, grant) = (self.key.clone(), ids::key("grant", &grant));
        let rows = Books::of(ctx)?
            .views(min_position, move |views| {
                spends::page(views, &wallet, &grant, seen.as_deref(), most)
            })
            .await?;
        Ok(page::rows(&asked, rows, Spend::from))
    }

    /// What can be used today, less what was burnt below zero; exact, with at most 12 decimals.
    async fn balance(&self, ctx: &Context<'_>) -> Result<String> {
        let today = self.day(ctx)?;
        Ok(self.state.state.balance(today).to_decimal(EXACT_PLACES))
    }

    /// What is set aside for reservations now, exact, with at most 12 decimals.
    async fn reserved(&self, ctx: &Context<'_>) -> Result<String> {
        let now = Books::of(ctx)?.now();
        Ok(self.state.state.reserved(now).to_decimal(EXACT_PLACES))
    }

    /// What can be used today and is not set aside now, exact, with at most 12 decimals.
    async fn available(&self, ctx: &Context<'_>) -> Result<String> {
        let books = Books::of(ctx)?;
        let today = self.day(ctx)?;
        let available = self.state.state.available(today, books.now());
        Ok(available.to_decimal(EXACT_PLACES))
    }

    /// What usage has burnt so far, exact, with at most 12 decimals.
    async fn burnt(&self) -> String {
        self.state.state.burnt.to_decimal(EXACT_PLACES)
    }

    /// Top-ups, oldest first.
    async fn grants(&self) -> Vec<Grant> {
        let grant = |grant: &domain::Grant| Grant {
            key: grant.id.clone(),
            amount: Money(grant.amount),
            remaining: grant.remaining.to_decimal(EXACT_PLACES),
            expires: grant.expires.map(Date),
            at: Instant(grant.at),
            priority: grant.priority,
            rule: grant.rule.clone(),
            free: matches!(grant.origin, domain::Origin::Free),
            invoice: match &grant.origin {
                domain::Origin::Invoice(invoice) => Some(ids::node("invoice", invoice)),
                _ => None,
            },
            continues: match &grant.origin {
                domain::Origin::Rollover { from, .. } => Some(from.clone()),
                _ => None,
            },
        };
        self.state.state.grants.iter().map(grant).collect()
    }
}

/// Money put into a wallet at once.
#[derive(SimpleObject)]
pub struct Grant {
    key: String,
    amount: Money,
    /// Exact, with at most 12 decimals.
    remaining: String,
    /// The first day on which it cannot be used.
    expires: Option<Date>,
    at: Instant,
    /// Lower is burnt first within the wallet.
    priority: u32,
    /// The automatic top-up that made it.
    rule: Option<String>,
    /// True: a gift of the seller.
    free: bool,
    /// The invoice that was paid for it.
    invoice: Option<ID>,
    /// The expired grant whose rest it is.
    continues: Option<String>,
}

/// A top-up that is there once its invoice is paid.
#[derive(SimpleObject)]
pub struct AskedTopUp {
    grant: String,
    invoice: ID,
    amount: Money,
    on: Date,
}

/// A part of a grant that left it; below zero: that came back.
#[derive(SimpleObject)]
pub struct Spend {
    /// Exact, with at most 12 decimals.
    amount: String,
    /// The batch of usage that it paid.
    batch: Option<ID>,
    /// The invoice that it paid.
    invoice: Option<ID>,
    /// True: it repaid what had been burnt below zero.
    repaid: bool,
    /// The day it expired.
    expired: Option<Date>,
    /// Why it was taken out by hand.
    taken_out: Option<String>,
}

impl From<spends::Spend> for Spend {
    fn from(row: spends::Spend) -> Spend {
        let mut spend = Spend {
            amount: row.amount.to_decimal(EXACT_PLACES),
            batch: None,
            invoice: None,
            repaid: false,
            expired: None,
            taken_out: None,
        };
        match row.what {
            spends::Use::Batch(batch) => spend.batch = Some(ids::node("batch", &batch)),
            spends::Use::Invoice(invoice) => spend.invoice = Some(ids::node("invoice", &invoice)),
            spends::Use::Repaid => spend.repaid = true,
            spends::Use::Expired(on) => spend.expired = Some(Date(on)),
            spends::Use::TakenOut(reason) => spend.taken_out = Some(reason),
        }
        spend
    }
}

#[derive(InputObject)]
pub struct TopUpWalletInput {
    wallet: ID,
    /// Id of the top-up, chosen by you.
    grant: ID,
    amount: Money,
    /// The first day on which it cannot be used; none: it does not expire.
    expires: Option<Date>,
}

#[derive(SimpleObject)]
pub struct WalletPayload {
    /// As it is now; for a dry run as it would be, but for `expectedBalance`, which is as it is.
    wallet: Option<Wallet>,
    receipt: Receipt,
}

#[derive(Default)]
pub struct WalletQueries;

#[Object]
impl WalletQueries {
    async fn wallet(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Wallet>> {
        Wallet::find(ctx, &ids::key("wallet", &id))
    }
}

#[derive(Default)]
pub struct WalletMutations;

#[Object]
impl WalletMutations {
    /// Opens a wallet in the account's currency.
    async fn open_wallet(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        account: ID,
        #[graphql(default)] priority: u32,
        #[graphql(default)] dry_run: bool,
    ) -> Result<WalletPayload> {
        let wallet = ids::key("wallet", &id);
        let account = ids::key("account", &account);
        let command = Command::OpenWallet {
            wallet: wallet.clone(),
            account,
            priority,
        };
        hand_in(ctx, &idempotency_key, wallet, command, dry_run).await
    }

    /// Agrees about a wallet from now on; everything is replaced.
    async fn change_wallet(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: ChangeWalletInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<WalletPayload> {
        let wallet = ids::key("wallet", &input.wallet);
        let command = Command::ChangeWallet {
            wallet: wallet.clone(),
            terms: Box::new(input.terms.read()?),
        };
        hand_in(ctx, &idempotency_key, wallet, command, dry_run).await
    }

    /// Puts units into a wallet: a gift, paid for, or on an invoice of its own.
    async fn grant_wallet(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: GrantWalletInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<WalletPayload> {
        let wallet = ids::key("wallet", &input.wallet);
        let command = Command::GrantWallet(Box::new(GrantWallet {
            wallet: wallet.clone(),
            grant: ids::key("grant", &input.grant),
            units: input.units.0,
            funding: input.funding.into(),
            expires: input.expires.map(|date| date.0),
            priority: input.priority,
            rollover: input.rollover.map(RolloverInput::read).transpose()?,
        }));
        hand_in(ctx, &idempotency_key, wallet, command, dry_run).await
    }

    /// Takes units out of a wallet, of one grant or in the order of burning; no units: all that is left.
    #[allow(clippy::too_many_arguments)]
    async fn void_wallet(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        wallet: ID,
        units: Option<Decimal>,
        grant: Option<ID>,
        reason: String,
        #[graphql(default)] dry_run: bool,
    ) -> Result<WalletPayload> {
        let wallet = ids::key("wallet", &wallet);
        let command = Command::VoidWallet {
            wallet: wallet.clone(),
            units: units.map(|units| units.0),
            grant: grant.map(|grant| ids::key("grant", &grant)),
            reason,
        };
        hand_in(ctx, &idempotency_key, wallet, command, dry_run).await
    }

    /// Puts money into a wallet.
    async fn top_up_wallet(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: TopUpWalletInput,
        #[graphql(default)] dry_run: bool,
    ) -> Result<WalletPayload> {
        let wallet = ids::key("wallet", &input.wallet);
        let command = Command::TopUpWallet {
            wallet: wallet.clone(),
            grant: ids::key("grant", &input.grant),
            amount: input.amount.0,
            expires: input.expires.map(|date| date.0),
        };
        hand_in(ctx, &idempotency_key, wallet, command, dry_run).await
    }
}

async fn hand_in(
    ctx: &Context<'_>,
    idempotency_key: &str,
    wallet: String,
    command: Command,
    dry_run: bool,
) -> Result<WalletPayload> {
    let receipt =
        desk::hand_in_or_try(ctx, Scope::Operate, idempotency_key, command, dry_run).await?;
    Ok(WalletPayload {
        wallet: Wallet::seen(ctx, &wallet, &receipt.cut())?,
        receipt,
    })
}
