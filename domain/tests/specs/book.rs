//! A seller, a customer and a movable day: enough to say a rule in a few lines.

use indelible_domain::accounts::AccountTerms;
use indelible_domain::catalog;
use indelible_domain::command::{FailureKind, RecordPayment, StartSubscription};
use indelible_domain::entities::EntityTerms;
use indelible_domain::invoices::{Document, Stage};
use indelible_domain::kernel::calendar::{add_days, parse_date};
use indelible_domain::kernel::{Date, Instant, Money, Rejection, Zone};
use indelible_domain::past::Memory;
use indelible_domain::receivables::Receivables;
use indelible_domain::runs::BillRun;
use indelible_domain::world::Tenant;
use indelible_domain::{Command, Event, Outcome, Session, World, operations};
use std::collections::BTreeMap;

pub struct Book {
    pub world: World,
    /// What usage left behind.
    pub past: Memory,
    pub today: Date,
    /// Everything that happened, in order: (stream id, event).
    pub log: Vec<(String, Event)>,
    made: u32,
}

pub fn d(text: &str) -> Date {
    parse_date(text).expect("a date")
}

pub fn usd(amount: &str) -> Money {
    format!("{amount} USD").parse().expect("an amount")
}

pub fn eur(amount: &str) -> Money {
    format!("{amount} EUR").parse().expect("an amount")
}

/// A run of a name bills everybody as of today.
pub fn run(book: &mut Book, run: &str) -> BillRun {
    let mut outcome = book
        .ask(Command::StartBillRun {
            run: run.into(),
            as_of: None,
            accounts: vec![],
            draft: false,
        })
        .expect("starts");
    while outcome.left > 0 {
        outcome = book
            .ask(Command::StepBillRun { run: run.into() })
            .expect("steps");
    }
    book.tenant().tables.runs[run].state.clone()
}

pub fn document<'b>(book: &'b Book, id: &str) -> &'b Document {
    &book.tenant().tables.invoices[id].state.document
}

impl Book {
    /// A seller without payment terms, and its customer alice.
    pub fn new() -> Book {
        let mut book = Book {
            world: World::default(),
            past: Memory::default(),
            today: d("2012-05-01"),
            log: vec![],
            made: 0,
        };
        let terms = EntityTerms {
            name: "Arms".into(),
            country: "US".into(),
            currency: usd("0").currency,
            ..EntityTerms::default()
        };
        book.ask(Command::OpenEntity {
            entity: "arms".into(),
            terms,
        })
        .expect("entity opens");
        book.open("alice", |_| {});
        book
    }

    pub fn open(&mut self, account: &str, set: impl FnOnce(&mut AccountTerms)) {
        let mut terms = AccountTerms {
            entity: "arms".into(),
            currency: usd("0").currency,
            ..AccountTerms::default()
        };
        set(&mut terms);
        self.ask(Command::OpenAccount {
            account: account.into(),
            terms,
        })
        .expect("account opens");
    }

    /// Publishes what is sold.
    pub fn sells(&mut self, text: &str) {
        let file = catalog::read(text).expect("the catalog is read");
        self.ask(Command::PublishCatalog(Box::new(file)))
            .expect("is published");
    }

    /// Alice has an offer from today on.
    pub fn start(&mut self, subscription: &str, offer: &str) {
        let start = StartSubscription {
            subscription: subscription.into(),
            account: "alice".into(),
            offer: offer.into(),
            quantity: 1.into(),
            from: None,
            billing_day: None,
            overrides: BTreeMap::new(),
            trial: true,
            access: vec![],
        };
        self.ask(Command::StartSubscription(Box::new(start)))
            .expect("starts");
    }

    /// A run bills everybody as of today: the documents that it made final, in the order of their ids.
    pub fn bill(&mut self) -> Vec<(String, Document)> {
        let id = self.id("run");
        let failed = run(self, &id).failed;
        assert!(failed.is_empty(), "{failed:?}");
        let all = self.tenant().tables.invoices.iter();
        let made = all.map(|(id, e)| (id, &e.state)).filter(|(_, i)| {
            i.stage == Stage::Finalised && i.document.run.as_deref() == Some(id.as_str())
        });
        made.map(|(id, i)| (id.clone(), Document::clone(&i.document)))
            .collect()
    }

    /// Another seller, legs, in another country.
    pub fn other_seller(&mut self) {
        let terms = EntityTerms {
            name: "Legs".into(),
            country: "CA".into(),
            currency: usd("0").currency,
            number_prefix: "L-".into(),
            ..EntityTerms::default()
        };
        self.ask(Command::OpenEntity {
            entity: "legs".into(),
            terms,
        })
        .expect("opens");
    }

    /// The same book over another world.
    pub fn over(&self, world: World) -> Book {
        Book {
            world,
            past: self.past.clone(),
            today: self.today,
            log: self.log.clone(),
            made: self.made,
        }
    }

    pub fn on(&mut self, date: &str) -> &mut Book {
        self.today = d(date);
        self
    }

    pub fn days_later(&mut self, days: i64) -> &mut Book {
        self.today = add_days(self.today, days);
        self
    }

    pub fn now(&self) -> Instant {
        Zone::default().start_of(self.today)
    }

    pub fn tenant(&self) -> &Tenant {
        self.world.tenant("t")
    }

    /// Runs one command; a refusal leaves no trace.
    pub fn ask(&mut self, command: Command) -> Result<Outcome, Rejection> {
        let mut session = Session::new(self.world.tenant("t"), self.now()).with(&self.past);
        let outcome = operations::execute(&mut session, command)?;
        let (tables, events) = session.finish();
        self.world.absorb("t", tables, &events);
        self.past.absorb(&events);
        self.log
            .extend(events.into_iter().map(|s| (s.id.to_string(), s.event)));
        assert_eq!(
            indelible_domain::audit::audit(self.tenant()),
            Vec::<String>::new()
        );
        Ok(outcome)
    }

    pub fn refused(&mut self, command: Command) -> String {
        let (before, answer) = (self.log.len(), self.ask(command));
        assert_eq!(self.log.len(), before, "a refusal stores nothing");
        answer.expect_err("a refusal").code
    }

    fn id(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}{}", self.made)
    }

    /// A draft for one charge to alice, not finalised.
    pub fn draft(&mut self, amount: &str) -> String {
        let (charge, invoice) = (self.id("c"), self.id("i"));
        let add = Command::AddCharge {
            account: "alice".into(),
            charge,
            text: "service".into(),
            amount: usd(amount),
            on: None,
            tax_class: "standard".into(),
        };
        self.ask(add).expect("charge is added");
        self.ask(Command::DraftInvoice {
            invoice: invoice.clone(),
            account: "alice".into(),
            as_of: None,
        })
        .expect("drafts");
        invoice
    }

    /// A finalised document for one charge to alice.
    pub fn invoice(&mut self, amount: &str) -> String {
        let invoice = self.draft(amount);
        self.ask(Command::FinaliseInvoice {
            invoice: invoice.clone(),
        })
        .expect("finalises");
        invoice
    }

    fn record(&mut self, amount: &str, invoice: Option<&str>, pending: bool) -> RecordPayment {
        RecordPayment {
            payment: self.id("p"),
            account: "alice".into(),
            amount: usd(amount),
            invoice: invoice.map(Into::into),
            method: "transfer".into(),
            pending,
        }
    }

    /// Money received from alice.
    pub fn pay(&mut self, amount: &str, invoice: Option<&str>) -> String {
        let payment = self.record(amount, invoice, false);
        let id = payment.payment.clone();
        self.ask(Command::RecordPayment(payment)).expect("is paid");
        id
    }

    /// Money asked of alice's bank.
    pub fn collect(&mut self, amount: &str, invoice: Option<&str>) -> Result<String, Rejection> {
        let payment = self.record(amount, invoice, true);
        let id = payment.payment.clone();
        self.ask(Command::RecordPayment(payment)).map(|_| id)
    }

    pub fn settle(&mut self, payment: &str) {
        self.ask(Command::SettlePayment {
            payment: payment.into(),
        })
        .expect("settles");
    }

    pub fn fail(&mut self, payment: &str) {
        let kind = FailureKind::Soft;
        self.ask(Command::FailPayment {
            payment: payment.into(),
            kind,
            reason: "no funds".into(),
        })
        .expect("fails");
    }

    pub fn grant(&mut self, amount: &str) {
        let credit = self.id("g");
        let grant = Command::GrantCredit {
            account: "alice".into(),
            credit,
            amount: usd(amount),
            reason: "sorry".into(),
        };
        self.ask(grant).expect("is granted");
    }

    pub fn refund(&mut self, payment: &str, amount: Option<&str>) {
        let amount = amount.map(usd);
        self.ask(Command::RefundPayment {
            payment: payment.into(),
            amount,
            reason: "asked".into(),
        })
        .expect("is refunded");
    }

    /// A credit note for line 1.
    pub fn credit(&mut self, invoice: &str, amount: Option<&str>) -> String {
        let note = self.id("n");
        let parts = vec![(1, amount.map(usd))];
        let credit = Command::CreditInvoice {
            note: note.clone(),
            invoice: invoice.into(),
            parts,
            reason: "wrong".into(),
        };
        self.ask(credit).expect("is credited");
        note
    }

    pub fn void(&mut self, invoice: &str) -> Result<Outcome, Rejection> {
        self.ask(Command::VoidInvoice {
            invoice: invoice.into(),
            reason: "wrong".into(),
        })
    }

    pub fn receivables(&self) -> Receivables {
        self.tenant()
            .tables
            .receivables
            .get("alice")
            .map(|e| e.state.clone())
            .unwrap_or_default()
    }

    /// Open amount of an invoice.
    pub fn open_of(&self, invoice: &str) -> String {
        self.receivables()
            .item(invoice)
            .map_or("none".into(), |i| i.open.amount())
    }

    /// Account balance and unapplied credit.
    pub fn owes(&self) -> (String, String) {
        let state = self.receivables();
        (state.balance().amount(), state.unapplied().amount())
    }
}

/// `owes` in literals.
pub fn sums(balance: &str, credit: &str) -> (String, String) {
    (balance.into(), credit.into())
}
