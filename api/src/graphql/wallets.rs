//! Prepaid wallets: money paid in before it is used.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::Command;
use indelible_domain::wallets as domain;
use indelible_domain::world::Entry;

use super::accounts::Account;
use super::books::Books;
use super::desk::{self, Receipt};
use super::ids;
use super::scalars::{Date, Instant, Money};
use crate::auth::Scope;

/// Decimals of an exact amount (policy 1).
const EXACT_PLACES: u32 = 12;

/// Money paid in before it is used; burnt as usage is rated, without tax.
pub struct Wallet {
    key: String,
    state: Arc<Entry<domain::Wallet>>,
}

impl Wallet {
    pub fn find(ctx: &Context<'_>, key: &str) -> Result<Option<Wallet>> {
        let state = Books::of(ctx)?.find::<domain::Wallet>(key);
        Ok(state.map(|state| Wallet {
            key: key.to_owned(),
            state,
        }))
    }

    /// Wallets of an account, first the one that is burnt first.
    pub fn of_account(ctx: &Context<'_>, account: &str) -> Result<Vec<Wallet>> {
        let books = Books::of(ctx)?;
        let keys = books.index(|index| index.wallets_of.get(account).cloned().unwrap_or_default());
        let find = |key: String| {
            Some(Wallet {
                state: books.find::<domain::Wallet>(&key)?,
                key,
            })
        };
        let mut wallets: Vec<Wallet> = keys.into_iter().filter_map(find).collect();
        wallets.sort_by_key(|wallet| wallet.state.state.terms.priority);
        Ok(wallets)
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

    /// What can be used today, exact, with at most 12 decimals.
    async fn balance(&self, ctx: &Context<'_>) -> Result<String> {
        let today = Books::of(ctx)?.today(&self.state.state.account);
        Ok(self.state.state.balance(today).to_decimal(EXACT_PLACES))
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
    ) -> Result<WalletPayload> {
        let wallet = ids::key("wallet", &id);
        let account = ids::key("account", &account);
        let command = Command::OpenWallet {
            wallet: wallet.clone(),
            account,
            priority,
        };
        let receipt = desk::hand_in(ctx, Scope::Operate, &idempotency_key, command).await?;
        Ok(WalletPayload {
            wallet: Wallet::find(ctx, &wallet)?,
            receipt,
        })
    }

    /// Puts money into a wallet.
    async fn top_up_wallet(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: TopUpWalletInput,
    ) -> Result<WalletPayload> {
        let wallet = ids::key("wallet", &input.wallet);
        let command = Command::TopUpWallet {
            wallet: wallet.clone(),
            grant: ids::key("grant", &input.grant),
            amount: input.amount.0,
            expires: input.expires.map(|date| date.0),
        };
        let receipt = desk::hand_in(ctx, Scope::Operate, &idempotency_key, command).await?;
        Ok(WalletPayload {
            wallet: Wallet::find(ctx, &wallet)?,
            receipt,
        })
    }
}
