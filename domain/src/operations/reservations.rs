//! Credit control: reserves for what is asked, debits what was used, sets free what was not. One request, one commit.

use super::usage::Desk;
use crate::command::Outcome;
use crate::kernel::{Exact, Id, Instant, Rejection};
use crate::mediation::UsageRecord;
use crate::reservations::{
    Action, Answer, Answered, Ask, Command, Kind, Quota, Request, Reservation, Served, Units, code,
    hashed, hold_id,
};
use crate::session::Session;
use crate::wallets::{self, Wallet};
use std::collections::{BTreeMap, BTreeSet};

/// The source and format of records that come with credit control.
const SOURCE: &str = "credit-control";

/// Answers a request. The same request again gets the same answer, and nothing is done.
pub(super) fn control(session: &mut Session<'_>, request: Request) -> Result<Outcome, Rejection> {
    request.check()?;
    let id = request.session.clone();
    let known = session.find::<Reservation>(&id).map(|e| &e.state);
    let none = Reservation::default();
    let state = known.unwrap_or(&none);
    if let Some(given) = state.known(&request)? {
        return Ok(outcome(&id, given.answer.clone()));
    }
    state.admits(&request)?;
    expire(session, &id)?;
    let state = session.find::<Reservation>(&id).map(|e| e.state.clone());
    let state = state.unwrap_or_default();
    if request.strict {
        within_quotas(&request, &state, session.now())?;
    }
    // The slash keeps it apart from every batch that somebody sends.
    let batch = format!("{SOURCE}/{id}/{}", request.number);
    let (answer, who, plan) = {
        let mut desk = Desk::new(session, &batch, SOURCE);
        desk.reporting = true;
        let mut counter = Counter {
            desk,
            request: &request,
            state: &state,
            at: request.at.unwrap_or(session.now()),
            until: ends(session.now(), request.validity()),
            touched: BTreeSet::new(),
        };
        let (answer, who) = counter.serve()?;
        let Counter { desk, .. } = counter;
        let plan = match desk.counts.received {
            0 => desk.plan()?,
            _ => {
                let digest = *blake3::hash(&request.digest()).as_bytes();
                desk.receive(SOURCE.to_string(), id.clone(), digest)?
            }
        };
        (answer, who, plan)
    };
    plan.stage(session)?;
    let (account, subscription) = who.unzip();
    let answered = Answered {
        number: request.number,
        kind: request.kind,
        digest: request.digest(),
        account,
        subscription,
        at: session.now(),
        answer: answer.clone(),
    };
    session.decide::<Reservation>(&id, Command::Answer(Box::new(answered)))?;
    Ok(outcome(&id, answer))
}

/// Notes which quotas have ended by now; quiet if none has.
pub(super) fn expire(session: &mut Session<'_>, id: &str) -> Result<Outcome, Rejection> {
    let now = session.now();
    let ended: Vec<(Id, Id)> = match session.find::<Reservation>(id).map(|e| &e.state) {
        Some(state) => {
            let ended = state.quotas.iter().filter(|(_, q)| q.until <= now);
            ended.map(|(s, q)| (s.clone(), q.meter.clone())).collect()
        }
        None => vec![],
    };
    if ended.is_empty() {
        return Ok(Outcome::of("reservation", id));
    }
    session.decide::<Reservation>(id, Command::Expire { now })?;
    let account = session.get::<Reservation>(id)?.account.clone();
    let wallets = account.and_then(|account| session.index().wallets_of.get(&account));
    for wallet in wallets.into_iter().flatten() {
        for (service, _) in &ended {
            let by = hold_id(id, service);
            session.decide::<Wallet>(wallet, wallets::Command::Release { by })?;
        }
    }
    let mut desk = Desk::new(session, id, SOURCE);
    for meter in ended
        .iter()
        .map(|(_, meter)| meter)
        .collect::<BTreeSet<_>>()
    {
        desk.price_anew(meter, false)?;
    }
    desk.plan()?.stage(session)?;
    Ok(Outcome::of("reservation", id))
}

fn outcome(id: &str, answer: Answer) -> Outcome {
    Outcome {
        answer: Some(answer),
        ..Outcome::of("reservation", id)
    }
}

fn ends(now: Instant, seconds: u32) -> Instant {
    Instant(now.0.saturating_add(i64::from(seconds) * 1_000_000))
}

/// Errors: RESERVATION_EXPIRED, RESERVATION_EXCEEDED.
fn within_quotas(request: &Request, state: &Reservation, now: Instant) -> Result<(), Rejection> {
    for ask in &request.services {
        let (service, Some(used)) = (&ask.service, ask.used) else {
            continue;
        };
        let Some(quota) = state.quota(service, now) else {
            return Err(Rejection::new(
                "RESERVATION_EXPIRED",
                format!(
                    "nothing is reserved for service {service} at {now}, {} were used",
                    used.quantity
                ),
            ));
        };
        let granted = quota.granted;
        if used.quantity > granted.quantity || used.amount > granted.amount {
            return Err(Rejection::new(
                "RESERVATION_EXCEEDED",
                format!(
                    "service {service} used {} of {} reserved",
                    used.quantity, granted.quantity
                ),
            ));
        }
    }
    Ok(())
}

/// One request while it is served.
struct Counter<'a, 's, 'w> {
    desk: Desk<'s, 'w>,
    request: &'a Request,
    state: &'a Reservation,
    /// Event date of what was used.
    at: Instant,
    /// End of what is granted.
    until: Instant,
    /// Meters on which a quota was given up or something was debited.
    touched: BTreeSet<Id>,
}

/// Account and subscription.
type Who = (Id, Id);

impl<'s> Counter<'_, 's, '_> {
    /// Quotas are given up before anything is debited, and everything is debited before anything is reserved.
    fn serve(&mut self) -> Result<(Answer, Option<Who>), Rejection> {
        let request = self.request;
        let probe = self.record(&Ask::default(), Units::default(), "");
        let (subscription, account) = match self.desk.who(&probe) {
            Ok(found) => found,
            Err(reason) => return Ok((self.nobody(&reason), None)),
        };
        let ends_all = request.kind == Kind::Terminate;
        let mut given_up: BTreeMap<&Id, &Quota> = BTreeMap::new();
        for (service, quota) in &self.state.quotas {
            if ends_all || request.services.iter().any(|a| a.service == *service) {
                let own = (request.session.as_str(), service.as_str());
                self.desk.give_up(account, own, quota)?;
                self.touched.insert(quota.meter.clone());
                given_up.insert(service, quota);
            }
        }
        let mut services: Vec<Served> = Vec::with_capacity(request.services.len());
        for ask in &request.services {
            let mut served = Served {
                service: ask.service.clone(),
                result: code::SUCCESS,
                ..Served::default()
            };
            match request.kind {
                Kind::Event(action) => self.event(ask, action, &mut served),
                _ => self.report(ask, given_up.get(&ask.service).copied(), &mut served),
            }
            services.push(served);
        }
        for meter in std::mem::take(&mut self.touched) {
            self.desk.price_anew(&meter, false)?;
        }
        if matches!(request.kind, Kind::Initial | Kind::Update) {
            for (ask, served) in request.services.iter().zip(&mut services) {
                self.grant(ask, served);
            }
        }
        let who = (account.to_string(), subscription.to_string());
        Ok((Answer::of(services), Some(who)))
    }

    fn nobody(&self, reason: &Rejection) -> Answer {
        let refused = self.request.services.iter().map(|ask| {
            let mut served = Served {
                service: ask.service.clone(),
                ..Served::default()
            };
            served.refuse(reason.clone());
            served
        });
        Answer {
            result: crate::reservations::result_of(reason),
            services: refused.collect(),
        }
    }

    /// Debits what was used. What exceeds the quota is a record of its own, so that it can be refused alone.
    fn report(&mut self, ask: &Ask, quota: Option<&Quota>, served: &mut Served) {
        let Some(used) = ask.used.filter(|u| !u.quantity.is_zero()) else {
            return;
        };
        let granted = quota.map_or(used.quantity, |q| q.granted.quantity);
        let over = used.quantity.minus(granted).unwrap_or_default();
        if used.amount.is_some() || over.is_zero() || over.is_negative() || granted.is_zero() {
            self.debit(ask, used, "", served);
            return;
        }
        for (quantity, part) in [(granted, ""), (over, "/over")] {
            let amount = None;
            self.debit(ask, Units { quantity, amount }, part, served);
        }
    }

    fn debit(&mut self, ask: &Ask, used: Units, part: &str, served: &mut Served) {
        let record = self.record(ask, used, part);
        match self.desk.debit(record) {
            Ok((meter, charge)) => {
                self.touched.insert(meter);
                let before = served.debited.unwrap_or(Exact::ZERO);
                served.debited = Some(before.plus(charge).unwrap_or(before));
            }
            Err(reason) => served.refuse(reason),
        }
    }

    /// Reserves what is asked for. Who could not pay what was used gets nothing more.
    fn grant(&mut self, ask: &Ask, served: &mut Served) {
        let Some(wanted) = ask.requested.filter(|_| served.result == code::SUCCESS) else {
            return;
        };
        let record = self.record(ask, wanted, "");
        let own = (self.request.session.as_str(), ask.service.as_str());
        match self.desk.reserve(&record, own, self.until) {
            Ok((quota, cost)) => {
                served.validity = Some(self.request.validity());
                served.last =
                    (quota.granted.quantity < wanted.quantity).then(|| self.request.last.clone());
                served.cost = Some(cost);
                served.quota = Some(quota);
            }
            Err(reason) => served.refuse(reason),
        }
    }

    fn event(&mut self, ask: &Ask, action: Action, served: &mut Served) {
        let wanted = ask.requested.unwrap_or_default();
        match action {
            Action::DirectDebit => self.debit(ask, wanted, "", served),
            Action::Refund => {
                let back = Units {
                    quantity: wanted.quantity.negated(),
                    amount: wanted.amount.map(|a| a.negated()),
                };
                self.debit(ask, back, "", served);
            }
            Action::CheckBalance | Action::PriceEnquiry => {
                match self.desk.price(&self.record(ask, wanted, "")) {
                    Ok(priced) => {
                        served.cost = Some(priced.cost);
                        served.enough = Some(priced.cost <= priced.available);
                    }
                    Err(reason) => served.refuse(reason),
                }
            }
        }
    }

    /// A usage record of this request: session, request number and service are its key.
    fn record(&self, ask: &Ask, units: Units, part: &str) -> UsageRecord {
        let request = self.request;
        let access = match &self.state.subscription {
            Some(subscription) => format!("subscription:{subscription}"),
            None => request.access.clone(),
        };
        let number = request.number.to_string();
        let key = hashed(SOURCE, &[&request.session, &number, &ask.service, part]);
        let said = format!("{ask:?} {units:?} {}", self.at);
        UsageRecord {
            line: self.desk.counts.received + 1,
            key,
            content: hashed("content", &[&access, &said]),
            corrects: false,
            metric: ask.metric.clone(),
            access,
            at: self.at,
            quantity: units.quantity,
            amount: units.amount,
            attributes: ask.attributes.clone(),
            raw: None,
        }
    }
}
