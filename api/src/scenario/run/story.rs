//! A scenario under way: its books, its clock, and the names it has given.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{Days, NaiveDateTime, Timelike};
use indelible_domain::accounts::folio;
use indelible_domain::command::UsageCounts;
use indelible_domain::kernel::{Currency, Date, Decimal, Instant, Money, Rejection, Zone};
use indelible_domain::reratings::Difference;
use indelible_domain::{Command, Outcome};

use super::super::ast::{self, Kind, Scenario};
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
    pub(super) entities: Vec<ast::Entity>,
    /// Opened so far, in that order.
    pub(super) accounts: Vec<String>,
    /// Payments and the account each belongs to.
    pub(super) payments: BTreeMap<String, String>,
    pub(super) wallets: BTreeMap<String, String>,
    /// Documents of an account that an expectation has looked at.
    pub(super) seen: BTreeMap<String, usize>,
    /// Usage counted so far.
    pub(super) usage: UsageCounts,
    /// What each rerating made different, or would.
    pub(super) rerated: BTreeMap<String, Vec<Difference>>,
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
            rerated: BTreeMap::new(),
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
        for wallet in self.wallets.keys() {
            let tick = Command::TickWallet {
                wallet: wallet.clone(),
            };
            self.execute(tick).map_err(|why| {
                format!(
                    "what time brought to wallet {wallet} on {} was refused with {}: {}",
                    self.clock.date(),
                    why.code,
                    why.message
                )
            })?;
        }
        for command in self.books.billing_due(self.now()) {
            self.execute(command).map_err(|why| {
                format!(
                    "a document that time asked for on {} was refused with {}: {}",
                    self.clock.date(),
                    why.code,
                    why.message
                )
            })?;
        }
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

    /// Today where the first entity is.
    pub(super) fn day(&self) -> Date {
        self.clock.date()
    }

    /// Today's business date of an account.
    pub(super) fn today(&self, account: &str) -> Result<Date, Rejection> {
        Ok(self.books.account(account)?.zone.date(self.now()))
    }

    pub(super) fn zone_of_subscription(&self, subscription: &str) -> Result<Zone, Rejection> {
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
        let own = self.books.account(folio::owner(account))?.currency;
        Ok(folio::parts(account).map_or(own, |(currency, _)| currency))
    }

    pub(super) fn money_of(
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

    pub(super) fn draft(&self, account: &str) -> Result<String, Rejection> {
        let open = |id: &String| self.books.is_draft(id);
        self.books
            .documents(account)?
            .into_iter()
            .rfind(open)
            .ok_or_else(|| Rejection::new("NOT_FOUND", format!("account {account} has no draft")))
    }

    pub(super) fn id(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}-{:04}", self.made)
    }
}

pub(super) fn instant(zone: &Zone, at: NaiveDateTime) -> Instant {
    let minute = u16::try_from(at.hour() * 60 + at.minute()).unwrap_or(0);
    let start = zone.at(at.date(), minute);
    Instant(start.0 + i64::from(at.second()) * 1_000_000)
}
