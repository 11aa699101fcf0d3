//! A stored state is the state: read back it is equal, and goes on like the one that was never stored.

use crate::book::Book;
use crate::ingest::{self, correction, record, send};
use crate::whatever_happens::{Dice, ask, set_up};
use bincode::Options;
use indelible_domain::World;

fn read_back(world: &World) -> World {
    let options = bincode::DefaultOptions::new;
    let bytes = options().serialize(world).expect("it can be stored");
    let back: World = options().deserialize(&bytes).expect("it can be read");
    assert!(back == *world, "a state changed on its way");
    let again = options().serialize(&back).expect("it can be stored");
    assert!(again == bytes, "an equal state has other bytes");
    back
}

fn same(stored: &Book, never: &Book) {
    assert_eq!(stored.log, never.log);
    assert!(stored.world == never.world);
    let differing = |a: &Book, b: &Book| a.tenant().tables.first_difference(&b.tenant().tables);
    assert_eq!(differing(stored, never), None);
}

#[test]
fn any_history_goes_on_from_its_stored_state() {
    for seed in 0..10 {
        let (mut never, mut dice) = (set_up(), Dice(seed));
        for n in 0..60 {
            let _refused_or_done = ask(&mut never, &mut dice, n);
        }
        let (mut stored, mut again) = (never.over(read_back(&never.world)), dice.clone());
        for n in 60..120 {
            let one = ask(&mut never, &mut dice, n);
            let other = ask(&mut stored, &mut again, n);
            assert_eq!(one, other, "seed {seed}, command {n}");
        }
        same(&stored, &never);
    }
}

#[test]
fn usage_is_remembered_with_what_corrects_it_and_what_waits() {
    let mut never = ingest::book(ingest::OFFER);
    let hour = |n: u32| format!("2012-05-02T{n:02}:00:00Z");
    let energy = |n: u32| record(&format!("r{n} energy {} {n}", hour(n)));
    send(&mut never, "b1", (1..9).map(energy).collect());
    let mut unknown = record(&format!("w1 energy {} 5", hour(3)));
    unknown.access = "nobody".into();
    send(&mut never, "b2", vec![unknown, energy(9)]);
    send(
        &mut never,
        "b3",
        vec![correction(&format!("r2 energy {} 20", hour(2)))],
    );
    let mut stored = never.over(read_back(&never.world));
    for book in [&mut never, &mut stored] {
        // A duplicate, a conflict, a correction of a correction, and a line that the waiting record waits for.
        let again = vec![energy(3), record(&format!("r4 energy {} 7", hour(4)))];
        let counts = send(book, "b4", again).usage.expect("counts");
        assert_eq!((counts.duplicates, counts.conflicts), (1, 1));
        let correct = correction(&format!("r2 energy {} 30", hour(2)));
        send(book, "b5", vec![correct, energy(10)]);
        ingest::start(book, "line-2", "2012-05-01", "nobody");
    }
    same(&stored, &never);
}

#[test]
fn the_first_aggregate_that_differs_is_named() {
    let (one, mut other) = (set_up(), set_up());
    assert_eq!(
        one.tenant().tables.first_difference(&other.tenant().tables),
        None
    );
    other.grant("1.00");
    let found = one.tenant().tables.first_difference(&other.tenant().tables);
    assert_eq!(found, Some(("receivable", "alice".to_string())));
    assert!(one.world != other.world);
}
