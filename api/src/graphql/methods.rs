//! The ways in which an account pays. What names a bank account is sealed here, before it becomes a fact.

use async_graphql::{
    Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject, Union,
};
use indelible_domain::command::{AddMethod, Command};
use indelible_domain::kernel::{self, Purpose};
use indelible_domain::methods::{self as domain, Means, iban};

use super::accounts::Account;
use super::books::Books;
use super::desk::{self, Receipt};
use super::scalars::Date;
use super::{errors, ids};
use crate::auth::Scope;
use crate::{bank, forget};

/// The ways in which an account pays, in the order in which they are tried.
pub struct PaymentMethods {
    state: domain::Methods,
    today: kernel::Date,
}

#[Object]
impl PaymentMethods {
    async fn methods(&self) -> Vec<PaymentMethod> {
        let methods = self.state.methods.iter();
        methods.map(|m| PaymentMethod::new(m, self.today)).collect()
    }

    /// The first that may be tried today.
    async fn preferred(&self) -> Option<PaymentMethod> {
        let first = self.state.preferred(self.today);
        first.map(|m| PaymentMethod::new(m, self.today))
    }

    /// Whether what is due is collected without being asked; none: as the legal entity has it.
    async fn automatic(&self) -> Option<bool> {
        self.state.automatic
    }
}

/// One way to pay.
pub struct PaymentMethod {
    state: domain::Method,
    today: kernel::Date,
}

impl PaymentMethod {
    fn new(state: &domain::Method, today: kernel::Date) -> PaymentMethod {
        let state = state.clone();
        PaymentMethod { state, today }
    }
}

#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(name = "PaymentMethodKind", remote = "domain::Kind")]
pub enum Kind {
    Card,
    DirectDebit,
    Transfer,
    Cash,
    Wallet,
}

#[Object]
impl PaymentMethod {
    /// Its id within the account.
    async fn key(&self) -> &str {
        &self.state.id
    }

    async fn kind(&self) -> Kind {
        self.state.means.kind().into()
    }

    /// The provider that can be asked for money; none: the payer brings it.
    async fn gateway(&self) -> Option<&str> {
        self.state.means.gateway()
    }

    /// It may be tried today: neither blocked nor expired.
    async fn usable(&self) -> bool {
        self.state.usable(self.today)
    }

    /// A provider refused it for good.
    async fn blocked(&self) -> Option<BlockedMethod> {
        self.state.blocked.as_ref().map(|refusal| BlockedMethod {
            code: refusal.code.clone(),
            on: Date(refusal.on),
        })
    }

    /// What is known of it beyond its kind.
    async fn means(&self) -> Option<PaymentMeans> {
        match &self.state.means {
            Means::Card(card) => Some(PaymentMeans::Card(CardMeans {
                brand: card.brand.clone(),
                last4: card.last4.clone(),
                good_through: Date(card.expires.last_day()),
            })),
            Means::DirectDebit(mandate) => Some(PaymentMeans::Mandate(MandateMeans {
                reference: mandate.reference.clone(),
                signed: Date(mandate.signed),
                scheme: mandate.scheme.into(),
                last4: mandate.bank.last4.clone(),
                term: self.state.term.into(),
            })),
            Means::Wallet(wallet) => Some(PaymentMeans::Wallet(WalletMeans {
                wallet: wallet.clone(),
            })),
            Means::Transfer(_) | Means::Cash => None,
        }
    }

    /// The bank account that it names; none if it names none or its payer is forgotten. Needs a key that may operate.
    async fn bank_account(&self, ctx: &Context<'_>) -> Result<Option<PayerBank>> {
        let books = Books::of(ctx)?;
        desk::require(&books, Scope::Operate)?;
        let Some(bank) = self.state.means.bank() else {
            return Ok(None);
        };
        let opened = books.unseal(&bank.account)?;
        Ok(opened.map(|account| PayerBank {
            iban: account.iban,
            bic: account.bic,
            holder: account.holder,
        }))
    }
}

/// Why and since when a method is not tried any more.
#[derive(SimpleObject)]
pub struct BlockedMethod {
    /// The provider's code.
    code: String,
    on: Date,
}

#[derive(Union)]
pub enum PaymentMeans {
    Card(CardMeans),
    Mandate(MandateMeans),
    Wallet(WalletMeans),
}

#[derive(SimpleObject)]
pub struct CardMeans {
    brand: String,
    last4: String,
    /// The last day on which it is good.
    good_through: Date,
}

#[derive(SimpleObject)]
pub struct MandateMeans {
    /// The unique mandate reference.
    reference: String,
    signed: Date,
    scheme: Scheme,
    /// Last four characters of the IBAN.
    last4: String,
    /// How many collections it is for.
    term: MandateTerm,
}

#[derive(SimpleObject)]
pub struct WalletMeans {
    /// Key of the wallet.
    wallet: String,
}

/// A payer's bank account.
#[derive(SimpleObject)]
pub struct PayerBank {
    iban: String,
    bic: String,
    holder: String,
}

/// How many collections a mandate is for.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(name = "MandateTerm", remote = "domain::MandateTerm")]
pub enum MandateTerm {
    /// Any number, until it is taken back.
    Recurring,
    Once,
    /// One more.
    Last,
}

/// Rulebook that a mandate was given under.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(name = "MandateScheme", remote = "domain::Scheme")]
pub enum Scheme {
    /// For everybody; a debit can be returned for eight weeks without a reason.
    Core,
    /// Between businesses.
    B2b,
}

#[derive(InputObject)]
pub struct CardInput {
    /// The provider, e.g. `stripe`.
    gateway: String,
    /// What the provider knows the card by; never its number.
    token: String,
    /// What the provider knows the payer by.
    customer: Option<String>,
    #[graphql(default)]
    brand: String,
    /// Last four digits.
    last4: String,
    expiry_year: i32,
    /// 1–12.
    expiry_month: u32,
}

#[derive(InputObject)]
pub struct PayerBankInput {
    iban: String,
    #[graphql(default)]
    bic: String,
    holder: String,
}

#[derive(InputObject)]
pub struct MandateInput {
    /// The provider; usually files to the bank.
    #[graphql(default_with = "\"direct-debit\".to_owned()")]
    gateway: String,
    /// The unique mandate reference, at most 35 characters.
    reference: String,
    /// The day it was signed.
    signed: Date,
    #[graphql(default_with = "Scheme::Core")]
    scheme: Scheme,
    account: PayerBankInput,
}

/// How the payer brings money.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum Brought {
    Transfer,
    Cash,
}

/// What a method is made of.
#[derive(OneofObject)]
pub enum PaymentMeansInput {
    Card(CardInput),
    DirectDebit(MandateInput),
    /// A transfer, with the account that money goes back to.
    Transfer(PayerBankInput),
    /// The payer brings it, and nothing else is known.
    Brought(Brought),
    /// A wallet of the account.
    Wallet(ID),
}

impl PaymentMeansInput {
    fn means(self, books: &Books, account: &str) -> Result<Means> {
        Ok(match self {
            PaymentMeansInput::Card(card) => Means::Card(domain::Card {
                gateway: card.gateway,
                token: card.token,
                customer: card.customer,
                brand: card.brand,
                last4: card.last4,
                expires: domain::Month {
                    year: card.expiry_year,
                    month: card.expiry_month,
                },
            }),
            PaymentMeansInput::DirectDebit(mandate) => Means::DirectDebit(domain::Mandate {
                gateway: mandate.gateway,
                reference: mandate.reference,
                signed: mandate.signed.0,
                scheme: mandate.scheme.into(),
                bank: sealed(books, account, mandate.account)?,
            }),
            PaymentMeansInput::Transfer(known) => {
                Means::Transfer(Some(sealed(books, account, known)?))
            }
            PaymentMeansInput::Brought(Brought::Transfer) => Means::Transfer(None),
            PaymentMeansInput::Brought(Brought::Cash) => Means::Cash,
            PaymentMeansInput::Wallet(wallet) => Means::Wallet(ids::key("wallet", &wallet)),
        })
    }
}

/// A bank account as facts hold it: sealed under the payer's key, with the hash by which statements find him.
fn sealed(books: &Books, account: &str, input: PayerBankInput) -> Result<domain::SealedBank> {
    let iban = iban::normal(&input.iban).map_err(errors::rejected)?;
    let bic = match input.bic.trim() {
        "" => String::new(),
        bic => indelible_bank::ident::bic(bic)
            .map_err(|fault| errors::refused(fault.code, fault.to_string()))?,
    };
    // An IBAN in its normal form is ASCII of 15 characters and more.
    let last4 = iban.chars().skip(iban.len().saturating_sub(4)).collect();
    let keyring = &books.office().keyring;
    let hash = bank::account_hash(keyring, books.tenant(), &iban);
    let plain = domain::BankAccount {
        iban,
        bic,
        holder: input.holder,
    };
    let sealed = forget::seal(keyring, books.tenant(), account, Purpose::Payment, &plain);
    let sealed = sealed
        .map_err(|error| errors::broken(error.code(), "personal data could not be sealed", &error));
    Ok(domain::SealedBank {
        last4,
        hash,
        account: sealed?,
    })
}

#[derive(InputObject)]
pub struct PaymentMethodInput {
    account: ID,
    /// Chosen by you, within the account.
    id: String,
    means: PaymentMeansInput,
    /// Tried before the others; else after them.
    #[graphql(default)]
    preferred: bool,
}

#[derive(SimpleObject)]
pub struct PaymentMethodsPayload {
    methods: PaymentMethods,
    receipt: Receipt,
}

async fn find(ctx: &Context<'_>, account: &str) -> Result<PaymentMethods> {
    Account::named(ctx, account).await?;
    let books = Books::of(ctx)?;
    let found = books.find::<domain::Methods>(account);
    Ok(PaymentMethods {
        state: found.map(|e| e.state.clone()).unwrap_or_default(),
        today: books.today(account),
    })
}

async fn done(
    ctx: &Context<'_>,
    key: &str,
    account: &str,
    command: Command,
) -> Result<PaymentMethodsPayload> {
    let receipt = desk::hand_in(ctx, Scope::Operate, key, command).await?;
    Ok(PaymentMethodsPayload {
        methods: find(ctx, account).await?,
        receipt,
    })
}

#[derive(Default)]
pub struct MethodQueries;

#[Object]
impl MethodQueries {
    /// The ways in which an account pays.
    async fn payment_methods(&self, ctx: &Context<'_>, account: ID) -> Result<PaymentMethods> {
        find(ctx, &ids::key("account", &account)).await
    }
}

#[derive(Default)]
pub struct MethodMutations;

#[Object]
impl MethodMutations {
    /// Adds a way to pay. Bank accounts are sealed before anything is written.
    async fn add_payment_method(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: PaymentMethodInput,
    ) -> Result<PaymentMethodsPayload> {
        let books = Books::of(ctx)?;
        // No key is made for somebody who may not write or is not there.
        desk::require(&books, Scope::Operate)?;
        let account = ids::key("account", &input.account);
        Account::named(ctx, &account).await?;
        let command = Command::AddMethod(Box::new(AddMethod {
            means: input.means.means(&books, &account)?,
            account: account.clone(),
            method: input.id,
            preferred: input.preferred,
        }));
        done(ctx, &idempotency_key, &account, command).await
    }

    /// Another card or mandate of the same kind under the same id; it may be tried again.
    async fn change_payment_method(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        id: String,
        means: PaymentMeansInput,
    ) -> Result<PaymentMethodsPayload> {
        let books = Books::of(ctx)?;
        desk::require(&books, Scope::Operate)?;
        let account = ids::key("account", &account);
        Account::named(ctx, &account).await?;
        let command = Command::ChangeMethod {
            means: Box::new(means.means(&books, &account)?),
            account: account.clone(),
            method: id,
        };
        done(ctx, &idempotency_key, &account, command).await
    }

    /// It is tried no more. What was asked for by it stays asked for.
    async fn remove_payment_method(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        id: String,
        reason: String,
    ) -> Result<PaymentMethodsPayload> {
        let account = ids::key("account", &account);
        let command = Command::RemoveMethod {
            account: account.clone(),
            method: id,
            reason,
        };
        done(ctx, &idempotency_key, &account, command).await
    }

    /// Says how many collections a mandate is for: the file for the bank says FRST and RCUR, OOFF, or FNAL accordingly.
    async fn set_mandate_term(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        id: String,
        term: MandateTerm,
    ) -> Result<PaymentMethodsPayload> {
        let account = ids::key("account", &account);
        let command = Command::SetMandateTerm {
            account: account.clone(),
            method: id,
            term: term.into(),
        };
        done(ctx, &idempotency_key, &account, command).await
    }

    /// It is tried before the others, which keep their order.
    async fn prefer_payment_method(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        id: String,
    ) -> Result<PaymentMethodsPayload> {
        let account = ids::key("account", &account);
        let known = find(ctx, &account).await?.state.methods;
        let mut order = vec![id.clone()];
        order.extend(known.into_iter().map(|m| m.id).filter(|other| *other != id));
        let command = Command::OrderMethods {
            account: account.clone(),
            order,
        };
        done(ctx, &idempotency_key, &account, command).await
    }

    /// Every method of the account, once, in the order in which they are to be tried.
    async fn order_payment_methods(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        order: Vec<String>,
    ) -> Result<PaymentMethodsPayload> {
        let account = ids::key("account", &account);
        let command = Command::OrderMethods {
            account: account.clone(),
            order,
        };
        done(ctx, &idempotency_key, &account, command).await
    }

    /// Whether what is due is collected without being asked; none: as the legal entity has it.
    async fn set_automatic_collection(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        account: ID,
        automatic: Option<bool>,
    ) -> Result<PaymentMethodsPayload> {
        let account = ids::key("account", &account);
        let command = Command::SetAutomaticCollection {
            account: account.clone(),
            automatic,
        };
        done(ctx, &idempotency_key, &account, command).await
    }
}
