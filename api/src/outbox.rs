//! The outbox at work: what the log asks to be said is written, sent, and reported back to the log.
//!
//! - Nothing is sent that the log does not ask for, and no lock of the ledger is held while a server is talked to.
//! - A crash between a server's answer and its record sends again, under the same identity; nothing is lost
//!   (docs/decisions/0022-messages.md).
//! - A contact is opened only to be written on what is sent; neither text nor address is kept here or logged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indelible_channels::text::{Facts, Invoice};
use indelible_channels::{Outlets, Parcel, choose};
use indelible_domain::Command;
use indelible_domain::accounts::{Account, Contact, folio};
use indelible_domain::command::FailureKind;
use indelible_domain::entities::LegalEntity;
use indelible_domain::kernel::{Instant, Money, Purpose};
use indelible_domain::messages::{ATTEMPTS_MAX, Channel, Message, Report, Suppression};
use indelible_domain::receivables::Receivables;
use indelible_domain::world::{Noun, Tenant};
use indelible_store::{Refused, Request};
use tokio::sync::watch;

use crate::forget;
use crate::office::Office;

/// How often it is looked whether something is due.
const EVERY: Duration = Duration::from_secs(1);

/// Messages of one tenant that one turn looks at, so that every tenant has its turn.
const TURN_MAX: usize = 500;

/// Failures in a row after which a channel rests until the next turn: its server is down, not its readers.
const PATIENCE: u32 = 3;

/// Failures in a row, by channel and by the tenant whose own it is; none: everybody's.
type Failures = BTreeMap<(Option<String>, Channel), u32>;

/// Who acts when a message was tried.
const ACTOR: &str = "outbox";

/// What one turn came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    pub sent: u64,
    /// For now or for good.
    pub failed: u64,
    pub suppressed: u64,
    /// Nothing that they are about is open any more.
    pub withdrawn: u64,
    /// Left for the next turn, because their channel rests or the log refused.
    pub left: u64,
}

/// Sends what an office's log asks for.
pub struct Outbox {
    office: Arc<Office>,
    outlets: Outlets,
}

/// What the books say of a message, read at once.
struct Order {
    message: Message,
    sealed: Option<indelible_domain::kernel::Personal<Contact>>,
    forgotten: bool,
    preferred: Option<Channel>,
    language: String,
    entity: String,
    facts: Facts,
    /// What is sent to the e-mail address of the contact comes back.
    bounces: bool,
    /// It is about invoices, and none of them is open.
    moot: bool,
}

/// What is to be recorded of an attempt.
enum Done {
    Report(Report),
    Withdraw,
    /// Nothing: it could not even be tried.
    Nothing,
}

impl Outbox {
    pub fn new(office: Arc<Office>, outlets: Outlets) -> Outbox {
        Outbox { office, outlets }
    }

    /// Tries everything that is due now, of every tenant.
    pub fn turn(&self) -> Turn {
        self.turn_until(&|| false)
    }

    fn turn_until(&self, stop: &dyn Fn() -> bool) -> Turn {
        let (now, mut turn) = (self.office.clock.now(), Turn::default());
        let mut failures = Failures::new();
        for tenant in self.office.ledger.tenants() {
            let due: Vec<String> = self.office.ledger.read(&tenant, |books| {
                books
                    .index
                    .outbox
                    .due(now)
                    .take(TURN_MAX)
                    .cloned()
                    .collect()
            });
            for message in due {
                if stop() {
                    return turn;
                }
                self.one(&tenant, &message, &mut failures, &mut turn);
            }
        }
        turn
    }

    fn one(&self, tenant: &str, id: &str, failures: &mut Failures, turn: &mut Turn) {
        let Some(order) = self.office.ledger.read(tenant, |books| order(books, id)) else {
            turn.left += 1;
            return;
        };
        let attempt = order.message.next_attempt();
        let tries = attempt.saturating_sub(order.message.before);
        let asked = order.message.ask.channel;
        let done = self.attempt(tenant, id, order, failures);
        let (command, counted, passage) = match done {
            Done::Nothing => {
                turn.left += 1;
                return;
            }
            Done::Withdraw => (
                Command::WithdrawMessage {
                    message: id.to_owned(),
                    reason: "nothing it is about is open any more".to_owned(),
                },
                &mut turn.withdrawn,
                (asked, "withdrawn"),
            ),
            Done::Report(report) => {
                let counted = match &report {
                    Report::Sent { .. } => &mut turn.sent,
                    Report::Failed { .. } => &mut turn.failed,
                    Report::Suppressed { .. } => &mut turn.suppressed,
                };
                let (message, passage) = (id.to_owned(), passage(&report, tries));
                (
                    Command::ReportMessage {
                        message,
                        attempt,
                        report,
                    },
                    counted,
                    passage,
                )
            }
        };
        match self.record(tenant, id, attempt, command) {
            Ok(()) => {
                *counted += 1;
                self.office.messages.count(passage.0, passage.1);
            }
            Err(refused) => {
                turn.left += 1;
                tracing::error!(tenant, message = id, code = refused.code(), error = %refused,
                    "what came of a message could not be recorded");
            }
        }
    }

    /// Writes and sends one message.
    fn attempt(&self, tenant: &str, id: &str, order: Order, failures: &mut Failures) -> Done {
        if order.moot {
            return Done::Withdraw;
        }
        let asked = order.message.ask.channel;
        let suppressed = |channel, why| Done::Report(Report::Suppressed { channel, why });
        let contact = match &order.sealed {
            Some(sealed) => match forget::open::<Contact>(&self.office.keyring, sealed) {
                Ok(Some(contact)) => contact,
                Ok(None) => return suppressed(asked, Suppression::Forgotten),
                Err(error) => {
                    tracing::error!(tenant, message = id, %error, "a contact could not be opened");
                    return Done::Nothing;
                }
            },
            None if order.forgotten => return suppressed(asked, Suppression::Forgotten),
            None => Contact::default(),
        };
        let reachable = match order.bounces {
            true => Contact {
                email: String::new(),
                ..contact.clone()
            },
            false => contact.clone(),
        };
        let Some(channel) = choose(asked, order.preferred, &reachable) else {
            let why = match order.bounces {
                true => Suppression::Bounced,
                false => Suppression::NoAddress,
            };
            return suppressed(asked.or(order.preferred), why);
        };
        let own = self.outlets.has_own(tenant, channel);
        let route = (own.then(|| tenant.to_owned()), channel);
        if failures.get(&route).is_some_and(|n| *n >= PATIENCE) {
            return Done::Nothing;
        }
        let failed = |kind, reason| {
            Done::Report(Report::Failed {
                channel: Some(channel),
                kind,
                reason,
            })
        };
        let Some(carrier) = self.outlets.carrier(tenant, channel) else {
            let reason = format!("no carrier for {} is set up", channel.name());
            return failed(FailureKind::Soft, reason);
        };
        let facts = Facts {
            name: contact.name.clone(),
            ..order.facts
        };
        let template = &order.message.ask.template;
        let (text, language) =
            match self
                .outlets
                .texts(tenant)
                .write(template, &order.language, &facts)
            {
                Ok(written) => written,
                Err(error) => return failed(FailureKind::Hard, error.to_string()),
            };
        let parcel = Parcel {
            tenant: tenant.to_owned(),
            message: id.to_owned(),
            edition: order.message.before,
            account: order.message.ask.account.clone(),
            entity: order.entity,
            sender: facts.sender,
            to: contact,
            language: language.clone(),
            text,
            dated: facts.on,
            now: moment(self.office.clock.now()),
        };
        match carrier.carry(&parcel) {
            Ok(reference) => {
                failures.remove(&route);
                Done::Report(Report::Sent {
                    channel,
                    language,
                    reference,
                })
            }
            Err(undelivered) => {
                if undelivered.kind == FailureKind::Soft {
                    *failures.entry(route).or_default() += 1;
                }
                failed(undelivered.kind, undelivered.reason)
            }
        }
    }

    /// One attempt has one outcome, whatever happens to this program in between: the id names the attempt.
    fn record(
        &self,
        tenant: &str,
        message: &str,
        attempt: u32,
        command: Command,
    ) -> Result<(), Refused> {
        let id = format!("outbox:{message}:{attempt}");
        let request = Request {
            input_hash: *blake3::hash(id.as_bytes()).as_bytes(),
            correlation: id.clone(),
            ..Request::new(tenant, ACTOR, self.office.clock.now(), command).named(id)
        };
        self.office.ledger.execute(request).map(drop)
    }
}

/// The channel of an attempt and what became of it, as metrics name it; `tries`: how often its schedule tried.
fn passage(report: &Report, tries: u32) -> (Option<Channel>, &'static str) {
    match report {
        Report::Sent { channel, .. } => (Some(*channel), "sent"),
        Report::Suppressed { channel, .. } => (*channel, "suppressed"),
        Report::Failed { channel, kind, .. } => {
            let again = *kind == FailureKind::Soft && tries < ATTEMPTS_MAX;
            (*channel, if again { "retried" } else { "failed" })
        }
    }
}

/// One sum for each currency, in the order in which they come.
fn sums(amounts: &[Money]) -> String {
    let mut sums: Vec<Money> = Vec::new();
    for amount in amounts {
        match sums.iter_mut().find(|sum| sum.currency == amount.currency) {
            Some(sum) => *sum = sum.plus(*amount),
            None => sums.push(*amount),
        }
    }
    let told: Vec<String> = sums.iter().map(Money::to_string).collect();
    told.join(" + ")
}

/// What the books say of a message; none if it, its account or its legal entity is not there.
fn order(books: &Tenant, id: &str) -> Option<Order> {
    let tables = &books.tables;
    let message = Message::table(tables).get(id)?.state.clone();
    let account = &Account::table(tables).get(&message.ask.account)?.state;
    // What a message is about may be on any folio of the account.
    let others = books.index.folios_of.get(&message.ask.account);
    let folios = std::iter::once(&message.ask.account).chain(others.into_iter().flatten());
    let owed: Vec<_> = folios
        .filter_map(|folio| Some((folio, Receivables::table(tables).get(folio)?)))
        .collect();
    let about = owed.iter().find(|(_, owed)| {
        let mut about = message.ask.about.iter();
        about.any(|invoice| owed.state.item(invoice).is_some())
    });
    let seller = about.and_then(|(folio, _)| folio::named(folio, &account.terms));
    let seller = seller.map_or(account.terms.entity.clone(), |folio| folio.entity);
    let entity = &LegalEntity::table(tables).get(&seller)?.state;
    let items = message.ask.about.iter().filter_map(|invoice| {
        let mut found = owed.iter();
        let item = found.find_map(|(_, owed)| owed.state.item(invoice))?;
        Some((
            item.open,
            Invoice {
                number: item.number.clone(),
                issued: item.issued.to_string(),
                due: item.due.to_string(),
                total: item.total.to_string(),
                open: item.open.to_string(),
            },
        ))
    });
    let (open, invoices): (Vec<Money>, Vec<Invoice>) =
        items.filter(|(open, _)| !open.is_zero()).unzip();
    let ask = &message.ask;
    let facts = Facts {
        name: String::new(),
        account: ask.account.clone(),
        sender: entity.terms.name.clone(),
        on: ask.on.to_string(),
        open: match open.is_empty() {
            true => String::new(),
            false => sums(&open),
        },
        invoices,
        values: ask.values.clone(),
    };
    let forgotten = account
        .forgotten
        .iter()
        .any(|f| f.purposes.contains(&Purpose::Contact));
    let language = ask.language.clone().or(account.terms.language.clone());
    let language = language.or(entity.language.clone());
    let sealed = account.terms.contact.clone();
    Some(Order {
        moot: !ask.about.is_empty() && open.is_empty(),
        bounces: sealed
            .as_ref()
            .is_some_and(|contact| books.index.outbox.bounces(&ask.account, &contact.nonce)),
        sealed,
        forgotten,
        preferred: account.terms.channel,
        language: language.unwrap_or_else(|| indelible_channels::text::FALLBACK.to_owned()),
        entity: account.terms.entity.clone(),
        facts,
        message,
    })
}

/// The instant as the system counts time.
fn moment(at: Instant) -> SystemTime {
    let since = Duration::from_micros(u64::try_from(at.0).unwrap_or_default());
    UNIX_EPOCH + since
}

/// Takes turns until `stop` turns true.
pub async fn run(outbox: Outbox, mut stop: watch::Receiver<bool>) {
    let outbox = Arc::new(outbox);
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let (working, stopping) = (Arc::clone(&outbox), stop.clone());
        let turn =
            tokio::task::spawn_blocking(move || working.turn_until(&|| *stopping.borrow())).await;
        match turn {
            Ok(turn) if turn != Turn::default() => tracing::info!(?turn, "messages"),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "a turn of messages was not finished"),
        }
    }
}
