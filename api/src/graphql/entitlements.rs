//! What may be used, how much of it is left, and what would give more; and the counters that say so.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use indelible_domain::catalog::{self, Pay};
use indelible_domain::counters as lots;
use indelible_domain::entitlements as domain;
use indelible_domain::kernel::{self, Exact, Rejection};
use indelible_domain::operations::entitlements as desk;
use indelible_domain::session::Session;

use super::books::Books;
use super::scalars::{Date, Decimal};
use super::{errors, ids};

/// Decimals of exact figures.
const EXACT_PLACES: u32 = 12;
/// Most periods of counters that one query answers.
const PERIODS_MAX: usize = 1_000;

fn exact(value: Exact) -> String {
    value.to_decimal(EXACT_PLACES)
}

/// Whose a counter is.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub enum CounterOwner {
    Subscription,
    /// All subscriptions of the account draw on it.
    Account,
    /// All subscriptions of the account that pays, and of those it pays for.
    Customer,
}

impl From<catalog::Owner> for CounterOwner {
    fn from(owner: catalog::Owner) -> CounterOwner {
        match owner {
            catalog::Owner::Subscription => CounterOwner::Subscription,
            catalog::Owner::Account => CounterOwner::Account,
            catalog::Owner::Customer => CounterOwner::Customer,
        }
    }
}

/// Whose entitlements or counters.
#[derive(OneofObject)]
pub enum EntitlementsOf {
    Subscription(ID),
    Account(ID),
    /// The account that pays.
    Customer(ID),
}

impl EntitlementsOf {
    fn key(&self) -> (catalog::Owner, String) {
        match self {
            EntitlementsOf::Subscription(id) => {
                (catalog::Owner::Subscription, ids::key("subscription", id))
            }
            EntitlementsOf::Account(id) => (catalog::Owner::Account, ids::key("account", id)),
            EntitlementsOf::Customer(id) => (catalog::Owner::Customer, ids::key("account", id)),
        }
    }
}

/// Who pays for use beyond what is left.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub enum BeyondAllowance {
    Invoice,
    Wallet,
    WalletThenInvoice,
    /// Nobody: it is refused.
    Refused,
}

/// Why something may not be used.
#[derive(SimpleObject)]
pub struct EntitlementRefusal {
    code: String,
    message: String,
}

impl From<Rejection> for EntitlementRefusal {
    fn from(refused: Rejection) -> EntitlementRefusal {
        EntitlementRefusal {
            code: refused.code,
            message: refused.message,
        }
    }
}

/// One allowance: a period of a counter, or what a charge itself has free.
#[derive(SimpleObject)]
pub struct AllowanceLeft {
    /// Code of the counter; none: the allowance of the charge.
    counter: Option<String>,
    name: String,
    owner: CounterOwner,
    /// Key of the subscription, account or paying account that it belongs to.
    of: String,
    /// None: money.
    unit: Option<String>,
    /// Of money.
    currency: Option<String>,
    /// Exact, with at most 12 decimals.
    size: String,
    /// Exact, with at most 12 decimals.
    used: String,
    /// Exact, with at most 12 decimals.
    left: String,
    /// It was left of an earlier period.
    carried: bool,
    /// The first day on which it is not there any more, or begins anew; none: never.
    resets: Option<Date>,
}

impl From<domain::Left> for AllowanceLeft {
    fn from(left: domain::Left) -> AllowanceLeft {
        AllowanceLeft {
            counter: left.counter,
            name: left.name,
            owner: left.owner.into(),
            of: left.of,
            unit: left.unit,
            currency: left.currency.map(|c| c.code().to_owned()),
            size: exact(left.size),
            used: exact(left.used),
            left: exact(left.left),
            carried: left.carried,
            resets: left.resets.map(Date),
        }
    }
}

/// Something on sale that gives more.
#[derive(SimpleObject)]
pub struct MoreOnSale {
    offer: String,
    /// The option of the present offer by which it comes; none: another offer to change to.
    option: Option<String>,
    name: String,
    /// In words.
    gives: String,
}

/// A switch, a limit or a text.
#[derive(SimpleObject)]
pub struct EntitledFeature {
    on: Option<bool>,
    limit: Option<Decimal>,
    text: Option<String>,
}

/// One service or feature that a subscription has.
#[derive(SimpleObject)]
pub struct Entitlement {
    subscription: ID,
    account: ID,
    /// Code of the usage charge or feature.
    class: String,
    name: String,
    /// Of a usage charge.
    metric: Option<String>,
    unit: Option<String>,
    /// It may be used now.
    allowed: bool,
    refused: Option<EntitlementRefusal>,
    feature: Option<EntitledFeature>,
    /// In the order in which they are drawn.
    left: Vec<AllowanceLeft>,
    /// Of a usage charge.
    beyond: Option<BeyondAllowance>,
    /// What wallets have for it, where they pay; exact.
    wallets: Option<String>,
    /// Options and offers on sale that give more.
    more: Vec<MoreOnSale>,
}

impl From<domain::Entitlement> for Entitlement {
    fn from(e: domain::Entitlement) -> Entitlement {
        let usage = e.metric.is_some();
        let beyond = match e.beyond {
            Some(Pay::Invoice) => BeyondAllowance::Invoice,
            Some(Pay::Wallet) => BeyondAllowance::Wallet,
            Some(Pay::WalletThenInvoice) => BeyondAllowance::WalletThenInvoice,
            None => BeyondAllowance::Refused,
        };
        Entitlement {
            subscription: ids::node("subscription", &e.subscription),
            account: ids::node("account", &e.account),
            class: e.class,
            name: e.name,
            metric: e.metric,
            unit: e.unit,
            allowed: e.refused.is_none(),
            refused: e.refused.map(EntitlementRefusal::from),
            feature: e.feature.map(|f| EntitledFeature {
                on: f.on,
                limit: f.limit.map(Decimal),
                text: f.text,
            }),
            left: e.left.into_iter().map(AllowanceLeft::from).collect(),
            beyond: usage.then_some(beyond),
            wallets: e.wallets.map(exact),
            more: e.more.into_iter().map(on_sale).collect(),
        }
    }
}

fn on_sale(more: domain::More) -> MoreOnSale {
    MoreOnSale {
        offer: more.offer,
        option: more.option,
        name: more.name,
        gives: more.gives,
    }
}

/// The answer to one request.
#[derive(SimpleObject)]
pub struct EntitlementAnswer {
    allowed: bool,
    refused: Option<EntitlementRefusal>,
    /// How much of what was asked is allowed; exact.
    granted: String,
    /// How much of it costs nothing: allowances and counters cover it; exact.
    covered: String,
    /// What wallets would pay for the rest; exact.
    cost: String,
    /// Code of the usage charge or feature that answered.
    class: String,
}

/// An attribute that the record would have.
#[derive(InputObject)]
pub struct EntitlementAttributeInput {
    name: String,
    value: String,
}

#[derive(InputObject)]
pub struct CheckEntitlementInput {
    subscription: ID,
    /// Code of a usage charge, a metric, or code of a feature.
    class: String,
    #[graphql(default_with = "Decimal(kernel::Decimal::ONE)")]
    quantity: Decimal,
    #[graphql(default)]
    attributes: Vec<EntitlementAttributeInput>,
}

/// What one subscription brings to a pool.
#[derive(SimpleObject)]
pub struct CounterShare {
    subscription: ID,
    /// Exact, with at most 12 decimals.
    amount: String,
}

/// One period of a counter that was reached by usage.
pub struct CounterPeriod {
    key: String,
    state: lots::Counter,
    terms: lots::Terms,
}

#[Object]
impl CounterPeriod {
    /// Its stream in the log: every draw, threshold and rollover is a fact of it.
    async fn stream(&self) -> &str {
        &self.key
    }

    /// Code of the counter.
    async fn counter(&self) -> &str {
        &self.terms.rule.code
    }

    async fn name(&self) -> &str {
        self.terms.rule.shown()
    }

    async fn owner(&self) -> CounterOwner {
        self.terms.owner.into()
    }

    /// Key of the subscription, account or paying account that it belongs to.
    async fn of(&self) -> &str {
        &self.terms.of
    }

    /// None: money.
    async fn unit(&self) -> Option<&str> {
        self.terms.rule.unit.as_deref()
    }

    async fn currency(&self) -> Option<&str> {
        self.terms.currency.as_ref().map(kernel::Currency::code)
    }

    async fn from(&self) -> Date {
        Date(self.terms.days.from)
    }

    /// Exclusive.
    async fn until(&self) -> Date {
        Date(self.terms.days.until)
    }

    /// Exact, with at most 12 decimals.
    async fn size(&self) -> String {
        exact(self.state.size)
    }

    /// Exact, with at most 12 decimals.
    async fn used(&self) -> String {
        exact(self.state.used)
    }

    /// How much of it later periods used; exact.
    async fn used_later(&self) -> String {
        exact(self.state.later)
    }

    /// What records of this period may still draw; exact.
    async fn left(&self) -> Result<String> {
        self.state.left().map(exact).map_err(errors::rejected)
    }

    /// What records of later periods may still draw; exact.
    async fn left_later(&self) -> Result<String> {
        self.state.left_later().map(exact).map_err(errors::rejected)
    }

    /// Who brings how much.
    async fn members(&self) -> Vec<CounterShare> {
        let share = |(id, amount): (&String, &Exact)| CounterShare {
            subscription: ids::node("subscription", id),
            amount: exact(*amount),
        };
        self.state.brought.iter().map(share).collect()
    }
}

#[derive(Default)]
pub struct EntitlementQueries;

#[Object]
impl EntitlementQueries {
    /// Everything that may be used now, how much of it is left, and what on sale would give more.
    async fn entitlements(
        &self,
        ctx: &Context<'_>,
        of: EntitlementsOf,
    ) -> Result<Vec<Entitlement>> {
        let books = Books::of(ctx)?;
        let now = books.now();
        let (owner, key) = of.key();
        let of = match owner {
            catalog::Owner::Subscription => domain::Of::Subscription(&key),
            catalog::Owner::Account => domain::Of::Account(&key),
            catalog::Owner::Customer => domain::Of::Customer(&key),
        };
        let all = books.live(|tenant| desk::all(&Session::new(tenant, now), of));
        let all = all.map_err(errors::rejected)?;
        Ok(all.into_iter().map(Entitlement::from).collect())
    }

    /// May a subscription use so much? Answered from memory; nothing is set aside for it (see `reserve` for that).
    async fn check_entitlement(
        &self,
        ctx: &Context<'_>,
        input: CheckEntitlementInput,
    ) -> Result<EntitlementAnswer> {
        let books = Books::of(ctx)?;
        let now = books.now();
        let key = ids::key("subscription", &input.subscription);
        let attributes = input.attributes.into_iter().map(|a| (a.name, a.value));
        let attributes = attributes.collect();
        let (class, quantity) = (input.class, input.quantity.0);
        let answer = books.live(|tenant| {
            let session = Session::new(tenant, now);
            desk::check(&session, &key, &class, quantity, attributes)
        });
        let answer = answer.map_err(errors::rejected)?;
        Ok(EntitlementAnswer {
            allowed: answer.allowed,
            refused: answer.refused.map(EntitlementRefusal::from),
            granted: exact(answer.granted),
            covered: exact(answer.covered),
            cost: exact(answer.cost),
            class: answer.class,
        })
    }

    /// Periods of counters that usage reached, by counter and then by day; at most 1,000.
    async fn counters(
        &self,
        ctx: &Context<'_>,
        of: EntitlementsOf,
        #[graphql(desc = "Code of one counter; none: all.")] counter: Option<String>,
    ) -> Result<Vec<CounterPeriod>> {
        let (owner, key) = of.key();
        let prefix = lots::prefix(owner, &key, counter.as_deref());
        let found = Books::of(ctx)?.live(|tenant| {
            let all = tenant.tables.counters.range(prefix.as_str()..);
            let all = all.take_while(|(id, _)| id.starts_with(&prefix));
            let periods = all.filter_map(|(id, entry)| {
                Some(CounterPeriod {
                    key: id.clone(),
                    terms: entry.state.terms.clone()?,
                    state: entry.state.clone(),
                })
            });
            periods.take(PERIODS_MAX).collect()
        });
        Ok(found)
    }
}
