//! The record that `docs/tour.md` follows, on its real way: from a line of the supplied file to the reports.

use std::sync::Arc;
use std::time::Duration;

use indelible_api::ingest::{self, Origin};
use indelible_domain::accounts::AccountTerms;
use indelible_domain::command::{Command, StartSubscription};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Date, Decimal, Instant, Zone};
use indelible_domain::mediation::Received;
use indelible_domain::mediation::formats::Format;
use indelible_domain::taxes::Rate;
use indelible_domain::{Event, catalog, usage};
use indelible_projections::Views;
use indelible_store::ledger::BillRunRequest;
use indelible_store::{EventStore, Keyring, Ledger, MemoryStore, Request};

const TENANT: &str = "demo";
const CALLS: &[u8] = include_bytes!("../data/telecom/voice-calls.csv");
const CATALOG: &str = include_str!("../../api/demo/catalog.toml");
const TOUR: &str = include_str!("../../docs/tour.md");

/// A line of the file, counted from 1.
const LINE: u64 = 868;

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

fn morning(day: &str) -> Instant {
    let zone: Zone = "Europe/Berlin".parse().expect("a zone");
    zone.start_of(date(day))
}

fn ask(ledger: &Ledger, day: &str, command: Command) {
    let request = Request::new(TENANT, "tour", morning(day), command);
    if let Err(refused) = ledger.execute(request) {
        panic!("{}", refused.message());
    }
}

fn bill(ledger: &Ledger, day: &str) {
    let run = BillRunRequest {
        tenant: TENANT.to_string(),
        run: day[..7].to_string(),
        as_of: Some(date(day)),
        accounts: vec![],
        draft: false,
        command_id: None,
        input_hash: [0; 32],
        actor: "tour".to_string(),
        correlation: String::new(),
        now: morning(day),
    };
    let report = ledger.run_bill(&run, &mut |_, _| {});
    let report = report.unwrap_or_else(|refused| panic!("{}", refused.message()));
    assert_eq!(report.run.failed, []);
}

/// The tour says it, in these words.
#[track_caller]
fn told(what: &str) {
    assert!(TOUR.contains(what), "docs/tour.md does not say {what:?}");
}

#[test]
fn the_record_of_the_tour_goes_the_way_the_tour_describes() {
    let store = Arc::new(MemoryStore::new());
    let ledger = Ledger::open(store.clone()).expect("an empty ledger opens");
    let keyring = Keyring::in_memory(1);
    let zone: Zone = "Europe/Berlin".parse().expect("a zone");
    let currency = "EUR".parse().expect("a currency");
    let day = "2026-10-01";
    let terms = EntityTerms {
        name: "Nordfunk Mobil GmbH".to_string(),
        country: "DE".to_string(),
        currency,
        zone: zone.clone(),
        payment_days: 14,
        number_prefix: "NM-".to_string(),
        ..EntityTerms::default()
    };
    let entity = "mobile".to_string();
    ask(
        &ledger,
        day,
        Command::OpenEntity {
            entity: entity.clone(),
            terms,
        },
    );
    let any = || "*".to_string();
    let vat = Rate {
        name: "VAT".to_string(),
        category: any(),
        class: "standard".to_string(),
        seller: any(),
        buyer: any(),
        rate: "0.19".parse().expect("a rate"),
        from: date("2000-01-01"),
        parts: vec![],
    };
    ask(&ledger, day, Command::SetTaxRate(vat));
    let offers = catalog::parse(CATALOG).expect("the demo's catalog is read");
    let offers = offers
        .into_iter()
        .filter(|o| o.code == "mobile-m")
        .collect();
    ask(&ledger, day, Command::ApplyCatalog { offers });
    let terms = AccountTerms {
        entity,
        currency,
        zone,
        country: "DE".to_string(),
        tax_category: "standard".to_string(),
        ..AccountTerms::default()
    };
    ask(
        &ledger,
        day,
        Command::OpenAccount {
            account: "mobile-23".to_string(),
            terms,
        },
    );
    let access = ingest::access(&keyring, TENANT, "491700000023");
    let start = StartSubscription {
        subscription: "mobile-23-line".to_string(),
        account: "mobile-23".to_string(),
        offer: "mobile-m".to_string(),
        quantity: Decimal::ONE,
        from: Some(date(day)),
        billing_day: None,
        overrides: Default::default(),
        trial: true,
        access: vec![access.clone()],
    };
    ask(&ledger, day, Command::StartSubscription(Box::new(start)));
    bill(&ledger, day);

    // 1 to 3: the raw line, read and sealed.
    let raw = String::from_utf8_lossy(CALLS);
    let raw = raw
        .lines()
        .nth(LINE as usize - 1)
        .expect("the file has that line");
    told(raw);
    let origin = Origin {
        tenant: TENANT,
        source: "switch",
        format: Format::Calls,
        name: "voice-calls.csv",
        batch: "calls-1",
    };
    let mut batches = ingest::intakes(&keyring, &origin, CALLS).expect("the file is read");
    assert_eq!(batches.len(), 1);
    let batch = batches.remove(0);
    let ours = batch.lines.iter().find_map(|line| match line {
        Received::Record(record) if record.line == LINE => Some(record.clone()),
        _ => None,
    });
    let ours = ours.expect("the line is a record");
    assert_eq!(ours.access, access);
    ask(&ledger, "2026-10-02", Command::IngestUsage(Box::new(batch)));

    // 4 and 5: judged and rated.
    let meter = usage::id("mobile-23-line", "voice", date(day));
    told(&format!("`usage/{meter}`"));
    let stream = ledger
        .stream(TENANT, "usage", &meter, None)
        .expect("the stream is read");
    let rated = stream.iter().find_map(|fact| match &fact.event {
        Event::Usage(usage::Event::Rated(e)) => e.records.iter().find(|r| r.key == ours.key),
        _ => None,
    });
    let rated = rated.expect("the record was rated");
    told(&format!("{} minutes", rated.units.to_decimal(12)));
    told(&format!("**{} EUR**", rated.amount.to_decimal(12)));

    // 6 to 8: the invoice of the month, what follows from it, and the reports.
    bill(&ledger, "2026-11-01");
    ledger.read(TENANT, |tenant| {
        let invoice = &tenant
            .tables
            .invoices
            .get("2026-11.mobile-23")
            .expect("it is billed")
            .state;
        told(&invoice.number);
        for line in &invoice.document.lines {
            told(&format!("{}: {} = {}", line.text, line.explain, line.net));
        }
        told(&format!(
            "{} net + {} tax = {}",
            invoice.document.net, invoice.document.tax, invoice.document.total
        ));
        let owed = &tenant
            .tables
            .receivables
            .get("mobile-23")
            .expect("it is owed")
            .state;
        told(&format!("owes {}", owed.balance()));
        assert_eq!(indelible_domain::audit::audit(tenant), Vec::<String>::new());
    });
    let views = Views::in_memory(store.clone()).expect("read models open");
    views
        .wait_for(store.head(), Duration::from_secs(60))
        .expect("they catch up");
    let balance = indelible_projections::accounts::balances::get(&views.of(TENANT), "mobile-23");
    let balance = balance.expect("the row is read").expect("there is a row");
    told(&format!("owes {}", balance.balance()));
}
