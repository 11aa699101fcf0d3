//! One seller, one customer, one contract, asked by the commands that everybody uses.

use crate::calendar::{self, Day};
use indelible_domain::accounts::AccountTerms;
use indelible_domain::catalog;
use indelible_domain::charges::Item;
use indelible_domain::command::StartSubscription;
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Instant, Rejection, Zone};
use indelible_domain::past::Memory;
use indelible_domain::{Command, Outcome, Session, World, operations};
use std::collections::BTreeMap;

pub struct Teller {
    world: World,
    past: Memory,
    zone: &'static str,
    /// Seconds since 1970.
    now: i64,
    runs: u32,
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
