//! A ledger with every kind of line: a fee, usage with a correction, late usage, a charge by hand, a credit, a credit note.

use std::collections::BTreeMap;
use std::sync::Arc;

use indelible_domain::Command;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::catalog;
use indelible_domain::command::{Effective, StartSubscription};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Decimal, Instant, Money};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::subscriptions::Unused;
use indelible_store::ledger::BillRunRequest;
use indelible_store::{EventStore, Ledger, Request};

pub const TENANT: &str = "acme";

const CATALOG: &str = r#"
[[offer]]
code = "basic"
name = "Basic"
currency = "EUR"

[[offer.recurring]]
code = "fee"
name = "Monthly fee"
price = { flat = "30.00" }
every = "1 month"

[[offer.usage]]
code = "voice"
name = "Voice minutes"
metric = "voice"
unit = "minute"
per = "60"
every = "1 month"
price = { per_unit = "0.05" }
"#;

fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

fn euros(minor: i128) -> Money {
    Money {
        minor,
        currency: "EUR".parse().expect("a currency"),
    }
}

fn record(line: u64, key: &str, when: &str, seconds: &str, corrects: bool) -> Received {
    let short = |text: String| {
        let hash = blake3::hash(text.as_bytes());
        <[u8; 16]>::try_from(&hash.as_bytes()[..16]).expect("16 bytes")
    };
    Received::Record(UsageRecord {
        line,
        key: short(key.into()),
        content: short(format!("{key} {when} {seconds}")),
        corrects,
        metric: "voice".into(),
        access: "no-1".into(),
        at: at(when),
        quantity: seconds.parse().expect("a number"),
        amount: None,
        attributes: BTreeMap::new(),
        raw: None,
    })
}

fn batch(id: &str, lines: Vec<Received>) -> Command {
    Command::IngestUsage(Box::new(Intake {
        batch: id.into(),
        source: "switch".into(),
        format: "records".into(),
        name: "calls.csv".into(),
        lines,
    }))
}

/// Plays it, and answers the ids of its documents.
pub fn play(store: Arc<dyn EventStore>) -> Vec<&'static str> {
    let ledger = Ledger::open(store).expect("the log opens");
    let ask = |now: &str, command: Command| {
        let request = Request::new(TENANT, "test", at(now), command);
        ledger.execute(request).expect("accepted");
    };
    let bill = |now: &str, run: &str| {
        let request = BillRunRequest {
            tenant: TENANT.into(),
            run: run.into(),
            as_of: None,
            accounts: vec![],
            draft: false,
            command_id: None,
            input_hash: [7; 32],
            actor: "test".into(),
            correlation: String::new(),
            now: at(now),
        };
        let report = ledger.run_bill(&request, &mut |_, _| {}).expect("billed");
        assert_eq!(report.run.billed.len(), 1, "{run}");
    };
    let terms = EntityTerms {
        name: "Acme".into(),
        ..EntityTerms::default()
    };
    let march = "2026-03-01T08:00:00Z";
    ask(
        march,
        Command::OpenEntity {
            entity: "main".into(),
            terms,
        },
    );
    let offers = catalog::parse(CATALOG).expect("a catalog");
    ask(march, Command::ApplyCatalog { offers });
    let terms = AccountTerms {
        entity: "main".into(),
        currency: "EUR".parse().expect("a currency"),
        ..AccountTerms::default()
    };
    ask(
        march,
        Command::OpenAccount {
            account: "alice".into(),
            terms,
        },
    );
    let start = StartSubscription {
        subscription: "s1".into(),
        account: "alice".into(),
        offer: "basic".into(),
        quantity: Decimal::ONE,
        from: Some("2026-03-01".parse().expect("a date")),
        billing_day: None,
        overrides: BTreeMap::new(),
        trial: true,
        access: vec!["no-1".into()],
    };
    ask(march, Command::StartSubscription(Box::new(start)));
    let early = vec![
        record(1, "c1", "2026-03-02T10:00:00Z", "600", false),
        record(2, "c2", "2026-03-03T10:00:00Z", "61", false),
    ];
    ask("2026-03-10T08:00:00Z", batch("b1", early));
    let correction = vec![
        record(1, "c2", "2026-03-03T10:00:00Z", "120", true),
        record(2, "c3", "2026-03-04T10:00:00Z", "60", false),
    ];
    ask("2026-03-11T08:00:00Z", batch("b2", correction));
    ask(
        "2026-03-12T08:00:00Z",
        Command::AddCharge {
            account: "alice".into(),
            charge: "delivery".into(),
            text: "Delivery of a handset".into(),
            amount: euros(495),
            on: None,
            tax_class: "standard".into(),
        },
    );
    bill("2026-04-01T08:00:00Z", "april");
    let late = vec![record(1, "c4", "2026-03-30T10:00:00Z", "6000", false)];
    ask("2026-04-10T08:00:00Z", batch("b3", late));
    bill("2026-05-01T08:00:00Z", "may");
    ask(
        "2026-05-10T08:00:00Z",
        Command::TerminateSubscription {
            subscription: "s1".into(),
            effective: Effective::Immediate,
            unused: Unused::CreditProrata,
        },
    );
    bill("2026-06-01T08:00:00Z", "june");
    ask(
        "2026-06-02T08:00:00Z",
        Command::CreditInvoice {
            note: "sorry".into(),
            invoice: "april.alice".into(),
            parts: vec![(1, Some(euros(500)))],
            reason: "a day without service".into(),
        },
    );
    vec!["april.alice", "may.alice", "june.alice", "sorry"]
}
