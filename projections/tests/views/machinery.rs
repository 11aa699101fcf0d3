//! Exactly once, also across restarts and rebuilds.

use std::sync::Arc;
use std::time::Duration;

use indelible_projections::{Dump, Views, names};
use indelible_store::{EventStore, MemoryStore, SledStore};

use crate::script::Business;

const LONG: Duration = Duration::from_secs(60);

fn dumps(views: &Views) -> Vec<(&'static str, Dump)> {
    let dump = |name| (name, views.dump(name).expect("readable"));
    names().into_iter().map(dump).collect()
}

fn caught_up(views: &Views, store: &dyn EventStore) {
    views.wait_for(store.head(), LONG).expect("they follow");
}

#[test]
fn rows_folded_as_it_happened_equal_rows_rebuilt_at_the_end() {
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let views = Views::in_memory(Arc::clone(&store)).expect("opens");
    let business = Business::over(Arc::clone(&store));
    business.half_a_year();
    caught_up(&views, &*store);
    let as_it_happened = dumps(&views);
    for (name, dump) in &as_it_happened {
        assert!(
            !dump.rows.is_empty(),
            "{name} has no rows: the script must touch it"
        );
    }
    let rebuilt = views.rebuild(&[], &mut |_| {}).expect("rebuilds");
    assert_eq!(rebuilt, names());
    for ((name, before), (_, after)) in as_it_happened.iter().zip(dumps(&views)) {
        assert_eq!(*before, after, "rows of {name}");
    }
    assert!(views.verify(&mut |_| {}).expect("compares").is_empty());
    let late = Views::in_memory(Arc::clone(&store)).expect("opens");
    assert_eq!(dumps(&late), as_it_happened);
}

#[test]
fn one_read_model_is_rebuilt_by_name_with_progress_and_an_unknown_one_is_refused() {
    let business = Business::new();
    business.half_a_year();
    let views = Views::in_memory(Arc::clone(business.ledger.store())).expect("opens");
    let before = dumps(&views);
    let mut seen = vec![];
    let name = "invoices/list".to_string();
    views
        .rebuild(&[name], &mut |progress| seen.push(progress))
        .expect("rebuilds");
    let last = seen.last().expect("progress is told");
    assert_eq!((last.done, last.of), (views.position(), views.position()));
    assert_eq!(dumps(&views), before);
    let unknown = views.rebuild(&["weather".to_string()], &mut |_| {});
    assert_eq!(unknown.expect_err("refused").code(), "VIEW_UNKNOWN");
}

#[test]
fn after_a_restart_they_go_on_from_their_checkpoint() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store: Arc<dyn EventStore> = Arc::new(SledStore::open(dir.path()).expect("opens"));
    let business = Business::over(Arc::clone(&store));
    business.open();
    business.account("zoe", "2026-01-01");
    let open = || {
        let mut folded = 0;
        let views = Views::open(Arc::clone(&store), dir.path(), &mut |p| folded = p.done);
        (views.expect("opens"), folded)
    };
    let (views, folded) = open();
    assert_eq!(folded, store.head());
    drop(views);
    // While they are closed the log grows.
    business.account("yann", "2026-01-02");
    let (views, folded) = open();
    assert_eq!(folded, 0, "nothing is made again");
    caught_up(&views, &*store);
    business.account("xena", "2026-01-03");
    caught_up(&views, &*store);
    let fresh = Views::in_memory(Arc::clone(&store)).expect("opens");
    assert_eq!(dumps(&views), dumps(&fresh));
    drop(views);
    assert_eq!(dumps(&open().0), dumps(&fresh));
}

#[test]
fn rows_of_another_log_are_not_taken_for_this_ones() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let business = Business::new();
    business.half_a_year();
    let other = Arc::clone(business.ledger.store());
    drop(Views::open(other, dir.path(), &mut |_| {}).expect("opens"));
    let business = Business::new();
    business.open();
    business.account("zoe", "2026-01-01");
    let store = Arc::clone(business.ledger.store());
    let views = Views::open(Arc::clone(&store), dir.path(), &mut |_| {}).expect("opens");
    let fresh = Views::in_memory(store).expect("opens");
    assert_eq!(dumps(&views), dumps(&fresh));
}

#[test]
fn a_wait_for_what_was_not_written_ends_with_its_timeout() {
    let business = Business::new();
    business.open();
    let views = Views::in_memory(Arc::clone(business.ledger.store())).expect("opens");
    let answer = views.wait_for(1_000, Duration::from_millis(1));
    assert_eq!(answer.expect_err("too far").code(), "VIEWS_BEHIND");
}
