//! Credit control: what is reserved, debited and set free while something is used (RFC 8506).

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::Command;
use indelible_domain::reservations as domain;
use indelible_domain::reservations::{Action, Ask, Kind, LastAction, Request, Units};
use indelible_domain::world::Entry;

use super::accounts::Account;
use super::books::Books;
use super::desk::{self, Receipt};
use super::scalars::{Decimal, Instant};
use super::usage::AttributeInput;
use super::{errors, ids};
use crate::auth::Scope;

/// Decimals of an exact amount (policy 1).
const EXACT_PLACES: u32 = 12;

/// A session of credit control: money set aside for what is being used.
pub struct Reservation {
    key: String,
    state: Arc<Entry<domain::Reservation>>,
}

impl Reservation {
    pub fn find(ctx: &Context<'_>, key: &str) -> Result<Option<Reservation>> {
        let state = Books::of(ctx)?.find::<domain::Reservation>(key);
        Ok(state.map(|state| Reservation {
            key: key.to_owned(),
            state,
        }))
    }
}

#[Object]
impl Reservation {
    pub async fn id(&self) -> ID {
        ids::node("reservation", &self.key)
    }

    /// The id without its kind: the session.
    async fn key(&self) -> &str {
        &self.key
    }

    async fn stage(&self) -> ReservationStage {
        self.state.state.stage.into()
    }

    /// Who pays; none where nobody was found.
    async fn account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        match &self.state.state.account {
            Some(account) => Account::named(ctx, account).await.map(Some),
            None => Ok(None),
        }
    }

    /// Highest number of a request that was answered.
    async fn last_request(&self) -> Option<u32> {
        self.state.state.last
    }

    /// What may still be used.
    async fn quotas(&self, ctx: &Context<'_>) -> Result<Vec<Quota>> {
        let now = Books::of(ctx)?.now();
        let quotas = self.state.state.quotas.iter();
        let living = quotas.filter(|(_, quota)| now < quota.until);
        Ok(living
            .map(|(service, quota)| Quota {
                service: service.clone(),
                granted: Decimal(quota.granted.quantity),
                until: Instant(quota.until),
            })
            .collect())
    }
}

/// Units of a service that may be used.
#[derive(SimpleObject)]
pub struct Quota {
    service: String,
    granted: Decimal,
    /// From then on they may not be used any more.
    until: Instant,
}

/// How far a session is.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::Stage")]
pub enum ReservationStage {
    /// Nothing was granted yet.
    Refused,
    Open,
    /// Open, but all its quotas have ended; what was used can still be reported.
    Expired,
    /// Ended, after something was debited.
    Confirmed,
    /// Ended, and nothing ever was debited.
    Cancelled,
    /// Single events, debited at once.
    Events,
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub enum CreditRequestType {
    /// Begins a session.
    Initial,
    /// Reports what was used and asks for more.
    Update,
    /// Reports what was used and ends the session.
    Terminate,
    /// Debits what is requested at once.
    DirectDebit,
    /// Gives back what was debited in this period, at its price now.
    Refund,
    /// Asks whether there is money for what is requested.
    CheckBalance,
    /// Asks what it would cost.
    PriceEnquiry,
}

impl From<CreditRequestType> for Kind {
    fn from(kind: CreditRequestType) -> Kind {
        match kind {
            CreditRequestType::Initial => Kind::Initial,
            CreditRequestType::Update => Kind::Update,
            CreditRequestType::Terminate => Kind::Terminate,
            CreditRequestType::DirectDebit => Kind::Event(Action::DirectDebit),
            CreditRequestType::Refund => Kind::Event(Action::Refund),
            CreditRequestType::CheckBalance => Kind::Event(Action::CheckBalance),
            CreditRequestType::PriceEnquiry => Kind::Event(Action::PriceEnquiry),
        }
    }
}

/// What happens once the last units are used.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub enum FinalUnitAction {
    Terminate,
    Redirect,
    RestrictAccess,
}

/// What to do once the last units are used.
#[derive(InputObject)]
pub struct FinalUnitInput {
    action: FinalUnitAction,
    /// Where to redirect to.
    redirect_to: Option<String>,
    /// What access is restricted to.
    #[graphql(default)]
    filters: Vec<String>,
}

impl FinalUnitInput {
    fn into_domain(self) -> Result<LastAction> {
        Ok(match (self.action, self.redirect_to) {
            (FinalUnitAction::Terminate, _) => LastAction::Terminate,
            (FinalUnitAction::RestrictAccess, _) => LastAction::Restrict(self.filters),
            (FinalUnitAction::Redirect, Some(to)) => LastAction::Redirect(to),
            (FinalUnitAction::Redirect, None) => {
                let sentence = "a redirection needs redirectTo";
                return Err(errors::refused("FINAL_UNIT_INVALID", sentence));
            }
        })
    }
}

/// What is asked for one service.
#[derive(InputObject)]
pub struct ServiceInput {
    /// Rating group or service identifier; names the service within the session.
    service: String,
    /// What finds the price, as in a usage record.
    metric: String,
    #[graphql(default)]
    attributes: Vec<AttributeInput>,
    /// Used since the last report.
    used: Option<Decimal>,
    /// The amount of money that goes with it, for dynamic prices.
    used_amount: Option<Decimal>,
    /// Wanted; none: nothing more.
    requested: Option<Decimal>,
    requested_amount: Option<Decimal>,
}

impl From<ServiceInput> for Ask {
    fn from(input: ServiceInput) -> Ask {
        let units = |quantity: Option<Decimal>, amount: Option<Decimal>| {
            quantity.map(|quantity| Units {
                quantity: quantity.0,
                amount: amount.map(|a| a.0),
            })
        };
        let attributes = input.attributes.into_iter();
        Ask {
            service: input.service,
            metric: input.metric,
            attributes: attributes
                .map(|a| (a.name, a.value))
                .collect::<BTreeMap<_, _>>(),
            used: units(input.used, input.used_amount),
            requested: units(input.requested, input.requested_amount),
        }
    }
}

/// One request of credit control.
#[derive(InputObject)]
pub struct ControlCreditInput {
    session: ID,
    /// Rises within the session. Session and number are the idempotency key: the same request again gets the first
    /// answer.
    number: u32,
    #[graphql(name = "type")]
    kind: CreditRequestType,
    /// The number, meter or resource that uses it, or `subscription:<id>`; needed by the first request and by events.
    access: Option<String>,
    /// When it was used; none: now.
    at: Option<Instant>,
    /// How long a quota shall last, in seconds; none: 60.
    validity: Option<u32>,
    final_unit: Option<FinalUnitInput>,
    #[graphql(default)]
    services: Vec<ServiceInput>,
}

/// Money set aside for something that is about to be used.
#[derive(InputObject)]
pub struct ReserveInput {
    reservation: ID,
    /// The number, meter or resource that uses it, or `subscription:<id>`.
    access: String,
    /// How long it shall last, in seconds; none: 60.
    validity: Option<u32>,
    services: Vec<ServiceInput>,
}

/// What was answered for one service.
#[derive(SimpleObject)]
pub struct ServedService {
    service: String,
    /// Result code: 2001 success, 4012 credit limit reached, 5003 not authorised, 5030 user unknown, 5031 rating failed.
    result: u16,
    /// Units that may be used.
    granted: Option<Decimal>,
    /// For how many seconds.
    validity: Option<u32>,
    until: Option<Instant>,
    /// The granted units are the last ones: what happens after them.
    final_unit: Option<FinalUnit>,
    /// What is set aside for them, or the price that was asked for: exact, with at most 12 decimals.
    cost: Option<String>,
    /// What was debited; below zero: given back.
    debited: Option<String>,
    /// Of a balance check.
    enough: Option<bool>,
    /// Why not: a stable code, and a sentence.
    code: Option<String>,
    reason: Option<String>,
}

/// What happens once the last units are used.
#[derive(SimpleObject)]
pub struct FinalUnit {
    action: FinalUnitAction,
    redirect_to: Option<String>,
    filters: Vec<String>,
}

impl From<LastAction> for FinalUnit {
    fn from(last: LastAction) -> FinalUnit {
        let (action, redirect_to, filters) = match last {
            LastAction::Terminate => (FinalUnitAction::Terminate, None, vec![]),
            LastAction::Redirect(to) => (FinalUnitAction::Redirect, Some(to), vec![]),
            LastAction::Restrict(filters) => (FinalUnitAction::RestrictAccess, None, filters),
        };
        FinalUnit {
            action,
            redirect_to,
            filters,
        }
    }
}

impl From<domain::Served> for ServedService {
    fn from(served: domain::Served) -> ServedService {
        let until = served.quota.as_ref().map(|q| Instant(q.until));
        let (code, reason) = served.reason.map(|r| (r.code, r.message)).unzip();
        ServedService {
            service: served.service,
            result: served.result,
            granted: served.quota.map(|q| Decimal(q.granted.quantity)),
            validity: served.validity,
            until,
            final_unit: served.last.map(FinalUnit::from),
            cost: served.cost.map(|cost| cost.to_decimal(EXACT_PLACES)),
            debited: served
                .debited
                .map(|debited| debited.to_decimal(EXACT_PLACES)),
            enough: served.enough,
            code,
            reason,
        }
    }
}

/// The answer to a request of credit control.
#[derive(SimpleObject)]
pub struct CreditControlPayload {
    /// Result code of the request as a whole: success if any service was.
    result: u16,
    services: Vec<ServedService>,
    reservation: Option<Reservation>,
    receipt: Receipt,
}

/// Hands a request in under its own key: session and number.
async fn control(ctx: &Context<'_>, request: Request) -> Result<CreditControlPayload> {
    let key = format!("credit-control:{}:{}", request.session, request.number);
    let session = request.session.clone();
    let command = Command::ControlCredit(Box::new(request));
    let receipt = desk::hand_in(ctx, Scope::Operate, &key, command).await?;
    let answer = receipt.outcome().answer.clone().unwrap_or_default();
    Ok(CreditControlPayload {
        result: answer.result,
        services: answer
            .services
            .into_iter()
            .map(ServedService::from)
            .collect(),
        reservation: Reservation::find(ctx, &session)?,
        receipt,
    })
}

/// A request within a reservation: it is refused where it goes beyond what was reserved.
fn within(reservation: &ID, number: u32, kind: Kind, services: Vec<ServiceInput>) -> Request {
    Request {
        session: ids::key("reservation", reservation),
        number,
        kind,
        access: String::new(),
        at: None,
        validity: None,
        last: LastAction::Terminate,
        strict: true,
        services: services.into_iter().map(Ask::from).collect(),
    }
}

#[derive(Default)]
pub struct ReservationQueries;

#[Object]
impl ReservationQueries {
    /// A session of credit control; none if there is no such session.
    async fn reservation(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Reservation>> {
        Reservation::find(ctx, &ids::key("reservation", &id))
    }
}

#[derive(Default)]
pub struct ReservationMutations;

#[Object]
impl ReservationMutations {
    /// Answers a request of credit control with the semantics of RFC 8506. A refusal for lack of credit, of a price or
    /// of a user is an answer with its result code; what cannot follow in this session is an error.
    async fn control_credit(
        &self,
        ctx: &Context<'_>,
        input: ControlCreditInput,
    ) -> Result<CreditControlPayload> {
        let books = Books::of(ctx)?;
        let last = input.final_unit.map(FinalUnitInput::into_domain);
        let request = Request {
            session: ids::key("reservation", &input.session),
            number: input.number,
            kind: input.kind.into(),
            access: input.access.map(|a| books.lookup(&a)).unwrap_or_default(),
            at: input.at.map(|at| at.0),
            validity: input.validity,
            last: last.transpose()?.unwrap_or_default(),
            strict: false,
            services: input.services.into_iter().map(Ask::from).collect(),
        };
        control(ctx, request).await
    }

    /// Sets money aside for what is requested, or for as much of it as there is money for. Confirm or cancel it before
    /// it ends.
    async fn reserve(
        &self,
        ctx: &Context<'_>,
        input: ReserveInput,
    ) -> Result<CreditControlPayload> {
        let access = Books::of(ctx)?.lookup(&input.access);
        let request = Request {
            access,
            validity: input.validity,
            ..within(&input.reservation, 0, Kind::Initial, input.services)
        };
        control(ctx, request).await
    }

    /// Debits what was used of a reservation and sets the rest free. Refused when more was used, or when it has ended.
    async fn confirm_reservation(
        &self,
        ctx: &Context<'_>,
        reservation: ID,
        services: Vec<ServiceInput>,
    ) -> Result<CreditControlPayload> {
        control(ctx, within(&reservation, 1, Kind::Terminate, services)).await
    }

    /// Sets all of a reservation free.
    async fn cancel_reservation(
        &self,
        ctx: &Context<'_>,
        reservation: ID,
    ) -> Result<CreditControlPayload> {
        control(ctx, within(&reservation, 1, Kind::Terminate, vec![])).await
    }
}
