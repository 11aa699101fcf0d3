//! One seller, one customer, one contract, asked by the commands that everybody uses.

use crate::calendar::{self, Day};
use indelible_domain::accounts::AccountTerms;
use indelible_domain::catalog;
use indelible_domain::charges::{Charges, Item, What, explained};
use indelible_domain::command::StartSubscription;
use indelible_domain::entities::EntityTerms;
use indelible_domain::invoices::{self, Document};
use indelible_domain::kernel::{Instant, Rejection, Zone};
use indelible_domain::past::{Memory, Past};
use indelible_domain::usage::{self, Kept, Metered, Records};
use indelible_domain::{Command, Event, Outcome, Session, World, operations};
use std::collections::BTreeMap;

pub struct Teller {
    world: World,
    past: Memory,
    zone: &'static str,
    /// Seconds since 1970.
    now: i64,
    runs: u32,
    /// Documents that were numbered since the last bill, by id.
    fresh: Vec<(String, Document)>,
}

impl Teller {
    /// A seller, and a customer in a zone who has no contract yet; none where the catalog is refused.
    pub fn open(zone: &'static str, catalog: &str, now: i64) -> Result<Teller, Rejection> {
        let mut teller = Teller {
            world: World::default(),
            past: Memory::default(),
            zone,
            now,
            runs: 0,
            fresh: vec![],
        };
        let terms = EntityTerms {
            name: "Seller".into(),
            country: "DE".into(),
            currency: "EUR".parse().expect("EUR"),
            ..EntityTerms::default()
        };
        let entity = "seller".to_string();
        teller.ask(Command::OpenEntity { entity, terms })?;
        let terms = AccountTerms {
            entity: "seller".into(),
            currency: "EUR".parse().expect("EUR"),
            zone: zone.parse::<Zone>().expect("a zone"),
            ..AccountTerms::default()
        };
        let account = "buyer".to_string();
        teller.ask(Command::OpenAccount { account, terms })?;
        let offers = catalog::parse(catalog)?;
        teller.ask(Command::ApplyCatalog { offers })?;
        Ok(teller)
    }

    /// So many seconds into a day of the customer's.
    pub fn on(&mut self, day: Day, second: i64) -> &mut Teller {
        self.now = calendar::begins(self.zone, day) + second;
        self
    }

    pub fn ask(&mut self, command: Command) -> Result<Outcome, Rejection> {
        let now = Instant(self.now * 1_000_000);
        let mut session = Session::new(self.world.tenant("t"), now).with(&self.past);
        let outcome = operations::execute(&mut session, command)?;
        let (tables, events) = session.finish();
        self.world.absorb("t", tables, &events);
        self.past.absorb(&events);
        for staged in events {
            if let Event::Invoice(invoices::Event::Finalised(e)) = staged.event {
                self.fresh
                    .push((staged.id.to_string(), Document::clone(&e.document)));
            }
        }
        Ok(outcome)
    }

    pub fn subscribe(&mut self, offer: &str, quantity: i64, billing_day: u32, from: Day) {
        let start = StartSubscription {
            subscription: "s".into(),
            account: "buyer".into(),
            offer: offer.into(),
            quantity: quantity.into(),
            from: Some(from),
            billing_day: Some(billing_day),
            overrides: BTreeMap::new(),
            trial: true,
            access: vec!["line".into()],
        };
        self.ask(Command::StartSubscription(Box::new(start)))
            .expect("the contract starts");
    }

    /// Bills everything that is due today.
    pub fn bill(&mut self) {
        self.runs += 1;
        let run = format!("r{}", self.runs);
        let start = Command::StartBillRun {
            run: run.clone(),
            as_of: None,
            accounts: vec![],
            draft: false,
        };
        self.ask(start).expect("a run starts");
        while self
            .ask(Command::StepBillRun { run: run.clone() })
            .expect("a run goes on")
            .left
            > 0
        {}
        for (invoice, document) in std::mem::take(&mut self.fresh) {
            self.explain(&invoice, &document);
        }
    }

    /// The figures behind every line of a document that was just made come to the line, and all of them are traced.
    fn explain(&mut self, invoice: &str, document: &Document) {
        for line in &document.lines {
            let tables = &self.world.tenant("t").tables;
            let meter = match &line.what {
                What::Usage { charge, days } => usage::id("s", charge, days.from),
                _ => String::new(),
            };
            let events = self.past.meter(&meter).expect("the past is there");
            let records: Vec<Kept> = Records::of(&events).iter().cloned().collect();
            let sub = tables.subscriptions.get("s").map(|e| &e.state);
            let earlier = match (sub, &line.what) {
                (Some(sub), What::Usage { charge, days }) => {
                    let days = explained::earlier(sub, charge, days.from).into_iter();
                    let meters = days.filter_map(|from| {
                        let meter = tables.usage.get(&usage::id("s", charge, from))?;
                        Some((from, Metered::clone(&meter.state)))
                    });
                    meters.collect()
                }
                _ => BTreeMap::new(),
            };
            let behind = explained::Behind {
                invoice,
                subscription: sub,
                charges: tables.charges.get("s").map(|e| -> &Charges { &e.state }),
                metered: tables.usage.get(&meter).map(|e| -> &Metered { &e.state }),
                records: &records,
                before: &earlier,
                ..explained::Behind::default()
            };
            let found = explained::line(document, line, behind).expect("fits");
            assert_eq!(
                found.recomputed().expect("fits"),
                line.priced(),
                "{line:#?} {found:#?}"
            );
            assert!(found.traced(), "{line:#?}");
            for figure in &found.figures {
                assert_eq!(figure.recomputed().expect("fits"), figure.amount);
            }
        }
    }

    /// Every line that was billed for the contract, after the books were looked through.
    pub fn lines(&self) -> Vec<Item> {
        let tenant = self.world.tenant("t");
        let broken = indelible_domain::audit::audit(tenant);
        assert!(broken.is_empty(), "{broken:?}");
        let charges = tenant.tables.charges.get("s");
        charges.map_or(vec![], |c| c.state.items.iter().cloned().collect())
    }
}

/// Hundredths of a line.
pub fn cents(item: &Item) -> i128 {
    let net = item.net.exact();
    net.numerator() * 100 / net.denominator()
}
