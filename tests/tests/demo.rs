//! The demo, shortened: the same seed gives the same bytes, its read models equal a rebuild, and what it tells people
//! to try works.
//!
//! One story is played twice, on two ledgers with other keys and other threads, and everything looks at those.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use indelible_api::auth::{Caller, Scope};
use indelible_api::clock::Clock;
use indelible_api::demo::{self, Figures, Plan, Watch};
use indelible_api::graphql;
use indelible_api::office::Office;
use indelible_domain::kernel::Instant;
use indelible_projections::Views;

/// Two months: the first reminders, fees and rejections are in them.
const MONTHS: u32 = 2;

struct Quiet;

impl Watch for Quiet {
    fn at(&mut self, _: u64, _: u64, _: &str) {}
}

struct Played {
    office: Arc<Office>,
    views: Views,
    figures: Figures,
    text: String,
}

/// `keys` seeds the keyring: keys differ from machine to machine, figures must not.
fn play(keys: u64) -> Played {
    let office = Office::in_memory(keys, Clock::movable(Instant(0))).expect("an empty ledger");
    let views = Views::in_memory(Arc::clone(office.store())).expect("empty read models");
    let plan = Plan {
        seed: 1,
        months: MONTHS,
        catalog: None,
    };
    let agreed = demo::play(&office, &plan, &mut Quiet).expect("the demo is played to its end");
    let head = office.store().head();
    views
        .wait_for(head, Duration::from_secs(600))
        .expect("read models that keep up");
    let held = demo::hold(&office, &views).expect("books that hold");
    let figures = Figures::read(&office, &views, 1, agreed, held).expect("figures");
    let text = format!("{:#}", figures.json());
    Played {
        office,
        views,
        figures,
        text,
    }
}

static PLAYED: LazyLock<Played> = LazyLock::new(|| play(1));

#[test]
fn the_same_seed_gives_the_same_object_byte_for_byte_under_other_keys() {
    assert_eq!(play(2).text, PLAYED.text);
}

#[test]
fn read_models_kept_while_the_demo_ran_equal_those_made_again_from_position_0() {
    let views = &PLAYED.views;
    let before: Vec<_> = dump(views);
    assert!(
        before.iter().any(|(_, rows)| rows.len() > 100),
        "there is something to compare"
    );
    views.rebuild(&[], &mut |_| {}).expect("a rebuild");
    assert_eq!(dump(views), before);
}

/// The rows of one read model.
type Rows = std::collections::BTreeMap<Vec<u8>, Vec<u8>>;

fn dump(views: &Views) -> Vec<(&'static str, Rows)> {
    let rows = |name: &&'static str| (*name, views.dump(name).expect("rows").rows);
    indelible_projections::names().iter().map(rows).collect()
}

#[test]
fn the_untouched_files_come_to_the_figures_that_others_computed() {
    let figure = |what: &str| {
        let agreed = &PLAYED.figures.agreed;
        agreed
            .iter()
            .find(|a| a.what == what)
            .map(|a| a.figure.clone())
    };
    let is = |text: &str| Some(text.to_string());
    assert_eq!(
        figure("cloud cost in USD before the mark-up"),
        is("20.52022672899")
    );
    assert_eq!(figure("calls received"), is("2025"));
    assert_eq!(figure("calls accepted"), is("2000"));
    assert_eq!(figure("calls repeated"), is("25"));
    assert_eq!(figure("kWh of NMI1234567 B1"), is("589.172"));
    assert_eq!(figure("kWh of NMI1234567 E1"), is("270.738"));
}

#[test]
fn nothing_disappears_and_every_kind_of_fault_in_the_input_is_counted() {
    let usage = &PLAYED.figures.usage;
    assert_eq!(
        usage.received,
        usage.accepted + usage.duplicates + usage.conflicts + usage.unreadable
    );
    assert_eq!(
        usage.accepted,
        usage.rated + usage.pending + usage.rejected + usage.superseded
    );
    let faults = [
        usage.duplicates,
        usage.conflicts,
        usage.unreadable,
        usage.pending,
        usage.rejected,
        usage.superseded,
    ];
    assert!(faults.iter().all(|n| *n > 0), "{usage:?}");
}

#[test]
fn the_object_has_the_keys_it_promises_and_three_currencies_apart() {
    let object: serde_json::Value = serde_json::from_str(&PLAYED.text).expect("JSON");
    let keys = "aging arr churn dunning_steps events invoices mrr payments trial_balance usage";
    for key in keys.split(' ') {
        assert!(object.get(key).is_some_and(|v| !v.is_null()), "{key}");
    }
    let totals = object["invoices"]["total_by_currency"]
        .as_object()
        .expect("totals");
    let currencies: Vec<&str> = totals.keys().map(String::as_str).collect();
    assert_eq!(currencies, ["AUD", "EUR", "USD"]);
    assert!(
        totals.values().all(serde_json::Value::is_string),
        "amounts are text"
    );
}

#[test]
fn every_query_that_the_demo_tells_people_to_try_answers_with_something() {
    let schema = graphql::schema(Arc::clone(&PLAYED.office));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (shows, query) in demo::QUERIES {
        let caller = Arc::new(Caller {
            tenant: demo::TENANT.into(),
            actor: "test".into(),
            scope: Scope::Read,
        });
        let request = async_graphql::Request::new(query).data(caller);
        let answer = runtime.block_on(schema.execute(request));
        assert!(answer.errors.is_empty(), "{shows}: {:?}", answer.errors);
        let data = answer.data.into_json().expect("JSON");
        let fields = data.as_object().expect("an object");
        assert!(fields.values().all(|v| !v.is_null()), "{shows}: {data}");
    }
}
