//! Performs steps: each becomes one command (a bill run several), at the story's clock.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{Days, NaiveDateTime, Timelike};
use indelible_domain::accounts::AccountTerms;
use indelible_domain::command::{
    self, ChangeSubscription, FailureKind, RecordPayment, StartSubscription, UsageCounts,
};
use indelible_domain::kernel::{Currency, Date, Decimal, Instant, Money, Rejection, Zone};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::subscriptions;
use indelible_domain::{Command, Outcome};

use super::super::ast::{self, Effective, Kind, Scenario, Unused};
use super::super::parse::Mistake;
use super::books::Books;
use super::setting;

/// A scenario under way.
pub(super) struct Story {
    pub(super) books: Books,
    /// Local time of the first entity.
    clock: NaiveDateTime,
    /// Zone of the first entity.
    zone: Zone,
    entities: Vec<ast::Entity>,
    /// Opened so far, in that order.
    accounts: Vec<String>,
    /// Payments and the account each belongs to.
    payments: BTreeMap<String, String>,
    wallets: BTreeMap<String, String>,
    /// Documents of an account that an expectation has looked at.
    pub(super) seen: BTreeMap<String, usize>,
    /// Usage counted so far.
    pub(super) usage: UsageCounts,
    /// For ids that the file does not name.
    made: u64,
}

impl Story {
    /// Opens the books with the scenario's setting.
    pub(super) fn open(scenario: &Scenario, folder: &Path) -> Result<Story, Mistake> {
        let entities = setting::entities(scenario);
        let mistake = |line: usize, why: Rejection| Mistake {
            line,
            sentence: format!("{} ({})", why.message, why.code),
        };
        let (line, zone) = entities
            .first()
            .map_or((0, "UTC"), |entity| (entity.line, entity.zone.as_str()));
        let zone = zone.parse().map_err(|why| mistake(line, why))?;
        let first = scenario.steps.iter().find_map(|step| match step.kind {
            Kind::On(moment) => Some(moment),
            _ => None,
        });
        let story = Story {
            books: Books::open().map_err(|why| mistake(line, why))?,
            clock: first.unwrap_or_default(),
            zone,
            entities,
            accounts: Vec::new(),
            payments: BTreeMap::new(),
            wallets: BTreeMap::new(),
            seen: BTreeMap::new(),
            usage: UsageCounts::default(),
            made: 0,
        };
        for (line, command) in setting::commands(scenario, folder)? {
            story.execute(command).map_err(|why| mistake(line, why))?;
        }
        Ok(story)
    }

    /// Performs one step that is not an expectation. The error is drawn for the reader.
    pub(super) fn perform(&mut self, step: &Kind) -> Result<(), String> {
        match step {
            Kind::On(moment) => self.move_clock(*moment),
            Kind::Refused { code, step } => match self.step(step) {
                Err(why) if why.code == *code => Ok(()),
                Err(why) => Err(format!(
                    "expected a refusal with {code}, it was {}: {}",
                    why.code, why.message
                )),
                Ok(()) => Err(format!(
                    "expected a refusal with {code}, but it was accepted"
                )),
            },
            step => self
                .step(step)
                .map_err(|why| format!("refused with {}: {}", why.code, why.message)),
        }
    }

    fn step(&mut self, step: &Kind) -> Result<(), Rejection> {
        let command = match step {
            Kind::Account(account) => return self.account(account),
            Kind::Bill { accounts, as_of } => return self.bill(accounts, *as_of),
            Kind::Usage(usage) => return self.usage(usage),
            Kind::Pay {
                payment,
                account,
                amount,
                invoice,
                pending,
            } => {
                let payment = RecordPayment {
                    payment: payment.clone(),
                    account: account.clone(),
                    amount: self.money(account, *amount)?,
                    invoice: invoice
                        .map(|number| self.document(account, number))
                        .transpose()?,
                    method: "transfer".to_owned(),
                    pending: *pending,
                };
                self.payments
                    .insert(payment.payment.clone(), account.clone());
                Command::RecordPayment(payment)
            }
            Kind::Subscribe(subscribe) => Command::StartSubscription(Box::new(start(subscribe))),
            Kind::Change(change) => Command::ChangeSubscription(Box::new(change_of(change))),
            Kind::Pause {
                subscription,
                from,
                reason,
            } => Command::PauseSubscription {
                subscription: subscription.clone(),
                reason: reason.clone().unwrap_or_else(|| "asked".to_owned()),
                from: *from,
            },
            Kind::Resume {
                subscription,
                on,
                reason,
            } => Command::ResumeSubscription {
                subscription: subscription.clone(),
                reason: reason.clone().unwrap_or_else(|| "asked".to_owned()),
                on: *on,
            },
            Kind::Terminate {
                subscription,
                effective,
                unused,
            } => Command::TerminateSubscription {
                subscription: subscription.clone(),
                effective: effective_of(*effective),
                unused: unused_of(*unused),
            },
            Kind::Charge {
                account,
                amount,
                text,
                class,
                on,
            } => Command::AddCharge {
                account: account.clone(),
                charge: self.id("charge"),
                text: text.clone(),
                amount: self.money(account, *amount)?,
                on: *on,
                tax_class: class.clone().unwrap_or_else(|| "standard".to_owned()),
            },
            Kind::Wallet {
                name,
                account,
                priority,
            } => {
                self.wallets.insert(name.clone(), account.clone());
                Command::OpenWallet {
                    wallet: name.clone(),
                    account: account.clone(),
                    priority: priority.unwrap_or(1),
                }
            }
            Kind::TopUp { wallet, amount } => Command::TopUpWallet {
                wallet: wallet.clone(),
                grant: self.id("grant"),
                amount: self.money_of(&self.wallets, "wallet", wallet, *amount)?,
                expires: None,
            },
            Kind::Credit { account, amount } => Command::GrantCredit {
                account: account.clone(),
                credit: self.id("credit"),
                amount: self.money(account, *amount)?,
                reason: "scenario".to_owned(),
            },
            Kind::Settle { payment } => Command::SettlePayment {
                payment: payment.clone(),
            },
            Kind::Fail {
                payment,
                hard,
                reason,
            } => Command::FailPayment {
                payment: payment.clone(),
                kind: if *hard {
                    FailureKind::Hard
                } else {
                    FailureKind::Soft
                },
                reason: reason.clone(),
            },
            Kind::Refund { payment, amount } => Command::RefundPayment {
                payment: payment.clone(),
                amount: Some(self.money_of(&self.payments, "payment", payment, *amount)?),
                reason: "scenario".to_owned(),
            },
            Kind::Chargeback { payment, amount } => Command::ChargeBackPayment {
                payment: payment.clone(),
                amount: amount
                    .map(|amount| self.money_of(&self.payments, "payment", payment, amount))
                    .transpose()?,
                reason: "scenario".to_owned(),
            },
            Kind::Adjust {
                account,
                invoice,
                item,
                amount,
            } => Command::CreditInvoice {
                note: self.id("note"),
                invoice: self.document(account, *invoice)?,
                parts: vec![(
                    u32::try_from(*item).unwrap_or(u32::MAX),
                    Some(self.money(account, *amount)?),
                )],
                reason: "scenario".to_owned(),
            },
            Kind::Void { account, invoice } => Command::VoidInvoice {
                invoice: self.document(account, *invoice)?,
                reason: "scenario".to_owned(),
            },
            Kind::WriteOff { account, invoice } => Command::WriteOffInvoice {
                invoice: self.document(account, *invoice)?,
                reason: "scenario".to_owned(),
            },
            Kind::Draft { account } => Command::DraftInvoice {
                invoice: self.id("draft"),
                account: account.clone(),
                as_of: None,
            },
            Kind::Finalise { account } => Command::FinaliseInvoice {
                invoice: self.draft(account)?,
            },
            Kind::On(_) | Kind::Refused { .. } | Kind::Expect(_) => return Ok(()),
        };
        self.execute(command).map(drop)
    }

    fn account(&mut self, account: &ast::Account) -> Result<(), Rejection> {
        let name = account.entity.as_deref();
        let entity = match name {
            Some(name) => self.entities.iter().find(|entity| entity.name == name),
            None => self.entities.first(),
        };
        let unknown = || {
            Rejection::new(
                "ENTITY_UNKNOWN",
                format!("there is no entity {:?}", name.unwrap_or("main")),
            )
        };
        let entity = entity.ok_or_else(unknown)?;
        let terms = AccountTerms {
            entity: entity.name.clone(),
            currency: account
                .currency
                .as_deref()
                .unwrap_or(&entity.currency)
                .parse()?,
            zone: account.zone.as_deref().unwrap_or(&entity.zone).parse()?,
            billing_day: account.billing_day,
            payment_days: account.terms,
            country: account
                .country
                .clone()
                .unwrap_or_else(|| entity.country.clone()),
            tax_category: account
                .tax_category
                .clone()
                .unwrap_or_else(|| "standard".to_owned()),
            payer: account.parent.clone(),
            dunning_policy: account.dunning.clone(),
            contact: None,
        };
        self.execute(Command::OpenAccount {
            account: account.name.clone(),
            terms,
        })?;
        self.accounts.push(account.name.clone());
        Ok(())
    }

    fn bill(&mut self, accounts: &[String], as_of: Option<Date>) -> Result<(), Rejection> {
        let run = self.id("run");
        self.books.bill(self.now(), run, accounts, as_of)
    }

    fn usage(&mut self, usage: &ast::Usage) -> Result<(), Rejection> {
        let zone = self.zone_of_subscription(&usage.subscription)?;
        let at = usage.at.map_or_else(|| self.now(), |at| instant(&zone, at));
        let key = usage.key.clone().unwrap_or_else(|| self.id("record"));
        let says = format!(
            "{} {} {} {at} {:?} {:?}",
            usage.subscription, usage.metric, usage.quantity, usage.amount, usage.attributes
        );
        let record = UsageRecord {
            line: 1,
            key: hash(&key),
            content: hash(&says),
            corrects: false,
            metric: usage.metric.clone(),
            access: format!("subscription:{}", usage.subscription),
            at,
            quantity: Decimal::new(usage.quantity),
            amount: usage.amount.map(Decimal::new),
            attributes: usage.attributes.iter().cloned().collect(),
            raw: None,
        };
        let intake = Intake {
            batch: self.id("batch"),
            source: "scenario".to_owned(),
            format: "api".to_owned(),
            name: "scenario".to_owned(),
            lines: vec![Received::Record(record)],
        };
        let counts = self
            .execute(Command::IngestUsage(Box::new(intake)))?
            .usage
            .unwrap_or_default();
        let total = &mut self.usage;
        total.received += counts.received;
        total.accepted += counts.accepted;
        total.duplicates += counts.duplicates;
        total.conflicts += counts.conflicts;
        total.unreadable += counts.unreadable;
        total.rated += counts.rated;
        total.pending += counts.pending;
        total.rejected += counts.rejected;
        total.superseded += counts.superseded;
        Ok(())
    }

    /// Moves the clock forward; at each midnight on the way dunning does what has fallen due.
    fn move_clock(&mut self, to: NaiveDateTime) -> Result<(), String> {
        if to < self.clock {
            return Err(format!(
                "the clock is at {} and only moves forward",
                self.clock.format("%Y-%m-%dT%H:%M")
            ));
        }
        let mut midnight = ast::midnight(self.clock.date());
        while let Some(next) = midnight
            .checked_add_days(Days::new(1))
            .filter(|next| *next <= to)
        {
            midnight = next;
            self.clock = next;
            self.tick()?;
        }
        self.clock = to;
        Ok(())
    }

    fn tick(&mut self) -> Result<(), String> {
        for account in self.books.dunnable(&self.accounts) {
            let dun = Command::DunAccount {
                account: account.clone(),
            };
            self.execute(dun).map_err(|why| {
                format!(
                    "dunning of {account} on {} was refused with {}: {}",
                    self.clock.date(),
                    why.code,
                    why.message
                )
            })?;
        }
        Ok(())
    }

    pub(super) fn execute(&self, command: Command) -> Result<Outcome, Rejection> {
        let now = self.now();
        self.books.execute(now, command)
    }

    pub(super) fn now(&self) -> Instant {
        instant(&self.zone, self.clock)
    }

    /// Today's business date of an account.
    pub(super) fn today(&self, account: &str) -> Result<Date, Rejection> {
        Ok(self.books.account(account)?.zone.date(self.now()))
    }

    fn zone_of_subscription(&self, subscription: &str) -> Result<Zone, Rejection> {
        let account = self.books.subscription(subscription)?.account.clone();
        Ok(self.books.account(&account)?.zone)
    }

    pub(super) fn money(
        &self,
        account: &str,
        amount: rust_decimal::Decimal,
    ) -> Result<Money, Rejection> {
        Money::parse(Decimal::new(amount), self.currency(account)?)
    }

    pub(super) fn currency(&self, account: &str) -> Result<Currency, Rejection> {
        Ok(self.books.account(account)?.currency)
    }

    fn money_of(
        &self,
        names: &BTreeMap<String, String>,
        what: &str,
        name: &str,
        amount: rust_decimal::Decimal,
    ) -> Result<Money, Rejection> {
        let unknown = || {
            Rejection::new(
                "NOT_FOUND",
                format!("there is no {what} {name:?} in this scenario"),
            )
        };
        self.money(names.get(name).ok_or_else(unknown)?, amount)
    }

    /// The `number`th document that billing made for an account, from 1.
    pub(super) fn document(&self, account: &str, number: usize) -> Result<String, Rejection> {
        let documents = self.books.documents(account)?;
        documents
            .get(number.wrapping_sub(1))
            .cloned()
            .ok_or_else(|| {
                Rejection::new(
                    "NOT_FOUND",
                    format!(
                        "account {account} has {} documents, not {number}",
                        documents.len()
                    ),
                )
            })
    }

    fn draft(&self, account: &str) -> Result<String, Rejection> {
        let open = |id: &String| self.books.is_draft(id);
        self.books
            .documents(account)?
            .into_iter()
            .rfind(open)
            .ok_or_else(|| Rejection::new("NOT_FOUND", format!("account {account} has no draft")))
    }

    fn id(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}-{:04}", self.made)
    }
}

fn start(ask: &ast::Subscribe) -> StartSubscription {
    StartSubscription {
        subscription: ask.subscription.clone(),
        account: ask.account.clone(),
        offer: ask.offer.clone(),
        quantity: ask.quantity.map_or(Decimal::ONE, Decimal::new),
        from: ask.from,
        billing_day: ask.billing_day,
        overrides: prices(&ask.overrides),
        trial: !ask.no_trial,
        access: ask.access.clone(),
    }
}

fn change_of(ask: &ast::Change) -> ChangeSubscription {
    ChangeSubscription {
        subscription: ask.subscription.clone(),
        offer: ask.to.clone(),
        quantity: ask.quantity.map(Decimal::new),
        billing_day: ask.billing_day,
        overrides: prices(&ask.overrides),
        effective: effective_of(ask.effective),
        unused: unused_of(ask.unused),
    }
}

fn prices(overrides: &[(String, rust_decimal::Decimal)]) -> BTreeMap<String, Decimal> {
    overrides
        .iter()
        .map(|(charge, price)| (charge.clone(), Decimal::new(*price)))
        .collect()
}

fn effective_of(effective: Effective) -> command::Effective {
    match effective {
        Effective::Now => command::Effective::Immediate,
        Effective::On(day) => command::Effective::On(day),
        Effective::AtPeriodEnd => command::Effective::EndOfPeriod,
    }
}

fn unused_of(unused: Unused) -> subscriptions::Unused {
    match unused {
        Unused::Prorata => subscriptions::Unused::CreditProrata,
        Unused::Full => subscriptions::Unused::CreditFull,
        Unused::Nothing => subscriptions::Unused::None,
    }
}

fn instant(zone: &Zone, at: NaiveDateTime) -> Instant {
    let minute = u16::try_from(at.hour() * 60 + at.minute()).unwrap_or(0);
    let start = zone.at(at.date(), minute);
    Instant(start.0 + i64::from(at.second()) * 1_000_000)
}

/// Who sent a record is the same throughout a scenario, so its key alone identifies it.
fn hash(text: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
    short
}
