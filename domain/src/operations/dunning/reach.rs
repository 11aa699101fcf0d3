//! Does one level of one account: what its actions touch is looked up, changed, and said in the case's events.

use super::{case, interest, restore::running};
use crate::accounts::{AccountTerms, Folio, folio};
use crate::charges::{self, Charges, Pending};
use crate::command::{DunningAction, DunningLevel};
use crate::dunning::owed::{self, Owed};
use crate::dunning::{self, Case, Choice, Command, Effect, Notice, REASON, Restriction, Step};
use crate::entities::EntityTerms;
use crate::kernel::{Date, Exact, Id, Money, Rejection, calendar::days_between};
use crate::messages::{self, ABOUT_MAX, Ask, Message};
use crate::operations::{entity_terms, folio_terms, folios};
use crate::receivables::{self, Receivables};
use crate::session::Session;
use crate::subscriptions::{self, Subscription, Unused, UsageRule};
use std::collections::BTreeMap;

/// Text that a plain reminder is written by.
const REMINDER: &str = "reminder";

/// A level at work.
struct Work<'a> {
    account: &'a str,
    terms: AccountTerms,
    entity: EntityTerms,
    level: &'a DunningLevel,
    on: Date,
    case: Case,
    overdue: Money,
    /// Overdue invoices of which no payment is pending, and what is open of them.
    free: Vec<Id>,
    collectable: Money,
    /// Number of this level among those that the episode reached, from 1.
    ordinal: u32,
    /// Charges made so far.
    charges: u32,
    messages: u32,
    /// What this level charges.
    fees: Money,
    interest: Money,
}

/// Does a level on its day; `owed` is what was owed then.
pub(super) fn reach(
    session: &mut Session<'_>,
    account: &str,
    choice: Choice,
    level: &DunningLevel,
    on: Date,
    owed: &Receivables,
) -> Result<(), Rejection> {
    let case = case(session, account);
    let terms = folio_terms(session, account)?;
    let entity = entity_terms(session, &terms.entity)?;
    let parts = owed::owed(&case, owed, on);
    let Some(oldest) = parts.first().map(|o| o.invoice.clone()) else {
        return Ok(());
    };
    let free: Vec<&Owed> = owed::overdue(&parts, on).filter(|o| !o.pending).collect();
    let mut invoices: Vec<Id> = free.iter().map(|o| o.invoice.clone()).collect();
    invoices.dedup();
    let mut work = Work {
        account,
        level,
        on,
        overdue: owed::sum(&parts, on, terms.currency),
        collectable: Money::sum(terms.currency, free.iter().map(|o| o.amount)),
        free: invoices,
        ordinal: case.open.as_ref().map_or(0, |o| o.reached) + 1,
        charges: 0,
        messages: 0,
        fees: Money::zero(terms.currency),
        interest: Money::zero(terms.currency),
        terms,
        entity,
        case,
    };
    let (mut effects, mut says) = (BTreeMap::new(), Vec::new());
    for (i, action) in level.actions.iter().enumerate() {
        match action {
            DunningAction::Remind | DunningAction::Send(_) => says.push((i, action)),
            _ => effects.extend(work.act(session, action, &parts)?.map(|e| (i, e))),
        }
    }
    // Written last, because they say what the level costs.
    for (i, action) in says {
        effects.extend(work.act(session, action, &parts)?.map(|e| (i, e)));
    }
    let effects: Vec<Effect> = effects.into_values().collect();
    let gone: Vec<Id> = effects
        .iter()
        .flat_map(|effect| match effect {
            Effect::WroteOff { invoices, .. } => invoices.clone(),
            _ => vec![],
        })
        .collect();
    let step = Step {
        choice: Some(choice),
        level: level.name.clone(),
        actions: level.actions.clone(),
        on,
        oldest,
        overdue: work.overdue,
        effects,
    };
    session.decide::<Case>(account, Command::Reach(Box::new(step)))?;
    for invoice in gone {
        write_off(session, account, invoice, &level.name)?;
    }
    Ok(())
}

impl Work<'_> {
    /// What an action does now; none where it finds nothing to act on.
    fn act(
        &mut self,
        session: &mut Session<'_>,
        action: &DunningAction,
        parts: &[Owed],
    ) -> Result<Option<Effect>, Rejection> {
        let currency = self.terms.currency;
        let invoices = self.free.clone();
        Ok(match action {
            DunningAction::Remind => {
                let notice = Notice {
                    template: REMINDER.to_string(),
                    ..Notice::default()
                };
                self.notice(session, &notice, parts)?;
                Some(Effect::Reminded)
            }
            DunningAction::Send(notice) => Some(Effect::Noticed {
                message: self.notice(session, notice, parts)?,
                template: notice.template.clone(),
            }),
            DunningAction::Fee(fee) => {
                let amount = Money::round(Exact::from(*fee), currency, self.entity.rounding)?;
                self.fee(session, amount, "standard")?
            }
            DunningAction::LateFee(fee) => {
                let amount = fee.of(self.overdue, self.entity.rounding)?;
                self.fee(session, amount, &fee.tax_class)?
            }
            DunningAction::Interest(terms) => self.charge_interest(session, terms, parts)?,
            DunningAction::Suspend => {
                let all = Restriction::default();
                let subscriptions = running(session, self.account, self.on, &all, REASON)?;
                for id in &subscriptions {
                    let (reason, from) = (REASON.to_string(), self.on);
                    let pause = subscriptions::Command::Pause { reason, from };
                    session.decide::<Subscription>(id, pause)?;
                }
                (!subscriptions.is_empty()).then_some(Effect::Suspended { subscriptions })
            }
            DunningAction::Restrict(restriction) => self.restrict(session, restriction)?,
            DunningAction::Terminate => {
                let all = Restriction::default();
                let subscriptions = running(session, self.account, self.on, &all, "")?;
                for id in &subscriptions {
                    let (on, unused) = (self.on, Unused::CreditProrata);
                    let end = subscriptions::Command::Terminate { on, unused };
                    session.decide::<Subscription>(id, end)?;
                }
                (!subscriptions.is_empty()).then_some(Effect::Terminated { subscriptions })
            }
            DunningAction::Hold => (!self.case.held()).then_some(Effect::Held),
            DunningAction::RetryPayment => {
                (!invoices.is_empty()).then_some(Effect::RetryAsked { invoices })
            }
            DunningAction::WriteOff => (!invoices.is_empty()).then_some(Effect::WroteOff {
                invoices,
                amount: self.collectable,
            }),
            DunningAction::HandOver { agency } => {
                let agency = agency.clone();
                let over = self.case.agency().is_some() || invoices.is_empty();
                (!over).then_some(Effect::HandedOver {
                    agency,
                    invoices,
                    amount: self.collectable,
                })
            }
        })
    }

    fn fee(
        &mut self,
        session: &mut Session<'_>,
        amount: Money,
        tax_class: &str,
    ) -> Result<Option<Effect>, Rejection> {
        if !amount.is_positive() {
            return Ok(None);
        }
        let text = format!("Late fee, {}", self.level.name);
        let charge = self.charge(session, text, amount, tax_class)?;
        self.fees = self.fees.plus(amount);
        Ok(Some(Effect::Fee { charge, amount }))
    }

    fn charge_interest(
        &mut self,
        session: &mut Session<'_>,
        terms: &dunning::Interest,
        parts: &[Owed],
    ) -> Result<Option<Effect>, Rejection> {
        let spans = interest::spans(&self.case, parts, self.on);
        let due = interest::due(
            &self.case,
            terms,
            &spans,
            self.overdue,
            self.entity.rounding,
        )?;
        if !due.amount.is_positive() {
            return Ok(None);
        }
        let text = format!("Interest on late payment, {} % a year", terms.rate);
        let charge = self.charge(session, text, due.amount, &terms.tax_class)?;
        self.interest = self.interest.plus(due.amount);
        Ok(Some(Effect::Interest {
            charge,
            amount: due.amount,
            capped: due.capped,
            rate: terms.rate,
            day_count: terms.day_count,
            spans,
        }))
    }

    /// Adds a charge `dun.<account>.<episode>.<ordinal of the level>`, the second one of a level with `.2`, and so on.
    fn charge(
        &mut self,
        session: &mut Session<'_>,
        text: String,
        amount: Money,
        tax_class: &str,
    ) -> Result<Id, Rejection> {
        self.charges += 1;
        let more = match self.charges {
            1 => String::new(),
            n => format!(".{n}"),
        };
        let id = self.id(&more);
        let pending = Pending {
            charge: id.clone(),
            text,
            amount,
            on: self.on,
            tax_class: tax_class.to_string(),
        };
        let owner = folio::owner(self.account);
        session.decide::<Charges>(owner, charges::Command::Add(pending))?;
        if !folio::is_own(self.account) {
            let folio = Folio::own(&folio_terms(session, self.account)?);
            folios::charge_on(session, owner, &id, folio)?;
        }
        Ok(id)
    }

    fn id(&self, more: &str) -> Id {
        let (account, episode) = (self.account, self.case.episode());
        format!("dun.{account}.{episode}.{}{more}", self.ordinal)
    }

    /// Asks for a message about what is overdue: `dun.<account>.<episode>.<ordinal of the level>.m1`, and so on.
    fn notice(
        &mut self,
        session: &mut Session<'_>,
        notice: &Notice,
        parts: &[Owed],
    ) -> Result<Id, Rejection> {
        self.messages += 1;
        let message = self.id(&format!(".m{}", self.messages));
        let about = owed::invoices(parts, self.on).into_iter().cloned();
        let oldest = parts.first().map_or(self.on, |part| part.due);
        let mut values = vec![
            ("open", self.overdue.to_string()),
            ("since", oldest.to_string()),
            ("days", days_between(oldest, self.on).to_string()),
            ("level", self.level.name.clone()),
        ];
        let costs = [("fee", self.fees), ("interest", self.interest)];
        let costs = costs.into_iter().filter(|(_, sum)| sum.is_positive());
        values.extend(costs.map(|(name, sum)| (name, sum.to_string())));
        let agency = self.level.actions.iter().find_map(|action| match action {
            DunningAction::HandOver { agency } => Some(agency.as_str()),
            _ => self.case.agency(),
        });
        values.extend(agency.map(|agency| ("agency", agency.to_string())));
        let ask = Ask {
            account: folio::owner(self.account).to_string(),
            template: notice.template.clone(),
            channel: notice.channel,
            language: notice.language.clone(),
            about: about.take(ABOUT_MAX).collect(),
            values: values
                .into_iter()
                .map(|(name, value)| (name.to_string(), value))
                .collect(),
            on: self.on,
        };
        session.decide::<Message>(&message, messages::Command::Ask(Box::new(ask)))?;
        Ok(message)
    }

    fn restrict(
        &self,
        session: &mut Session<'_>,
        restriction: &Restriction,
    ) -> Result<Option<Effect>, Rejection> {
        let (billing_stops, usage) = (restriction.billing_stops, restriction.usage.clone());
        if !billing_stops && usage == UsageRule::Allowed {
            return Ok(None);
        }
        let reason = dunning::reason_of(&self.level.name);
        let subscriptions = running(session, self.account, self.on, restriction, &reason)?;
        for id in &subscriptions {
            let restricted = subscriptions::Restricted {
                reason: reason.clone(),
                from: self.on,
                billing_stops,
                usage: usage.clone(),
            };
            session.decide::<Subscription>(id, subscriptions::Command::Restrict(restricted))?;
        }
        Ok((!subscriptions.is_empty()).then_some(Effect::Restricted {
            subscriptions,
            billing_stops,
            usage,
            reason,
        }))
    }
}

/// Writes off what is still open of an invoice and not being paid.
fn write_off(
    session: &mut Session<'_>,
    account: &str,
    invoice: Id,
    level: &str,
) -> Result<(), Rejection> {
    let item = session.get::<Receivables>(account)?.item(&invoice);
    if item.is_some_and(|i| i.open.is_positive() && i.pending.is_none()) {
        let reason = format!("dunning level {level}");
        let command = receivables::Command::WriteOff { invoice, reason };
        session.decide::<Receivables>(account, command)?;
    }
    Ok(())
}
