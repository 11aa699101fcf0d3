//! Bundles: every document can be proven, and nothing in a proof can be changed, left out or added.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use indelible_domain::{Event, Recorded, lineage};
use indelible_store::proof::{Bundle, Checked, ProofError, PublicKey, check, leaf};
use indelible_store::{EventStore, MemoryStore, Notary, decode};

use crate::story::{self, TENANT};

const WRITE: &str = "INDELIBLE_WRITE_GOLDEN";

struct Office {
    notary: Notary,
    documents: Vec<&'static str>,
    key: PublicKey,
}

fn open() -> Office {
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let documents = story::play(Arc::clone(&store));
    let notary = Notary::in_memory(store, Some([42; 32]));
    let key = notary.public_key().expect("a key");
    Office {
        notary,
        documents,
        key,
    }
}

impl Office {
    fn prove(&self, document: &str) -> Bundle {
        self.notary
            .prove(TENANT, document)
            .expect("it can be proven")
    }
}

fn facts(bundle: &Bundle) -> Vec<Recorded<Event>> {
    let fact = |leaf: &String| {
        let bytes = BASE64.decode(leaf).expect("base64");
        decode(leaf::decode(&bytes).expect("a leaf").to_stored()).expect("an event")
    };
    bundle
        .events
        .iter()
        .map(|event| fact(&event.leaf))
        .collect()
}

fn shown(checked: &Checked) -> String {
    checked.proven.sentences().join("\n")
}

#[test]
fn a_proof_says_in_words_what_was_billed_and_from_how_much_usage() {
    let office = open();
    let published = office.notary.checkpoint().expect("signed").note;
    let said: Vec<String> = office
        .documents
        .iter()
        .map(|document| {
            let text = office.prove(document).to_text();
            shown(&check(&text, &published, &office.key).expect("it holds"))
        })
        .collect();
    let expected = "\
invoice 2026-000001 for account alice, issued 2026-04-01, due 2026-04-01: 65.60 EUR net + 0.00 EUR tax = 65.60 EUR
line 1: Basic Monthly fee, 1 = 30.00 EUR
line 2: Basic Monthly fee, 1 = 30.00 EUR
line 3: Basic Voice minutes, 13 minute = 0.65 EUR, from 3 usage records in 3 facts, which cost 0.65
line 4: Delivery of a handset, 1 = 4.95 EUR
the lines sum to 65.60 EUR, each is billed once in its charge stream
later credit notes gave back 5.00 EUR of it

invoice 2026-000002 for account alice, issued 2026-05-01, due 2026-05-01: 35.00 EUR net + 0.00 EUR tax = 35.00 EUR
line 1: Basic Monthly fee, 1 = 30.00 EUR
line 2: Basic Voice minutes, adjustment of [2026-03-01, 2026-04-01) billed on april.alice, 113 minute = 5.00 EUR, from 4 usage records in 4 facts, which cost 5.65
the lines sum to 35.00 EUR, each is billed once in its charge stream

credit note CN-2026-000001 for account alice, issued 2026-06-01, due 2026-06-01: -21.29 EUR net + 0.00 EUR tax = -21.29 EUR
line 1: Unused fee [2026-05-10, 2026-06-01), -22/31 = -21.29 EUR
the lines sum to -21.29 EUR, each is billed once in its charge stream

credit note CN-2026-000002 for account alice, issued 2026-06-02, due 2026-06-02: -5.00 EUR net + 0.00 EUR tax = -5.00 EUR
it corrects april.alice
line 1: Credit for line 1 of 2026-000001: Basic Monthly fee, 1 = -5.00 EUR
the lines sum to -5.00 EUR, each is taken off its charge stream";
    assert_eq!(said.join("\n\n"), expected);
}

#[test]
fn any_changed_byte_is_refused() {
    let office = open();
    let bundle = office.prove("april.alice");
    let (text, published) = (bundle.to_text(), bundle.checkpoint.clone());
    check(&text, &published, &office.key).expect("it holds");
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let bytes = text.as_bytes();
    for round in 0..800 {
        let at = usize::try_from(next()).expect("64 bits") % bytes.len();
        let other = bytes[at] ^ (1 << (next() % 7));
        let mut bad = bytes.to_vec();
        bad[at] = other;
        let Ok(bad) = String::from_utf8(bad) else {
            continue;
        };
        let found = check(&bad, &published, &office.key);
        assert!(found.is_err(), "round {round}: byte {at} became {other}");
    }
    for at in [0, bytes.len() / 2, bytes.len() - 1] {
        let cut = [&text[..at], &text[at + 1..]].concat();
        assert!(
            check(&cut, &published, &office.key).is_err(),
            "without byte {at}"
        );
    }
    assert!(
        check(&format!("{text} "), &published, &office.key).is_err(),
        "a byte too many"
    );
}

#[test]
fn what_was_changed_is_named() {
    let office = open();
    let bundle = office.prove("april.alice");
    let refused = |change: &dyn Fn(&mut Bundle)| {
        let mut changed = bundle.clone();
        change(&mut changed);
        let answer = check(&changed.to_text(), &bundle.checkpoint, &office.key);
        answer.expect_err("a changed bundle is refused").to_string()
    };
    let at = bundle.events[3].position;
    let leaf = refused(&|b| {
        let mut bytes = BASE64.decode(&b.events[3].leaf).expect("base64");
        *bytes.last_mut().expect("a byte") ^= 1;
        b.events[3].leaf = BASE64.encode(bytes);
    });
    assert_eq!(
        leaf,
        format!("the proof does not hold: the event at position {at} does not fit its hash")
    );
    let node = bundle.nodes[2].clone();
    let changed = refused(&|b| b.nodes[2].hash.replace_range(0..1, "g"));
    let named = format!("the node at level {}, index {}", node.level, node.index);
    assert!(changed.contains(&named), "{changed}");
    let missing = refused(&|b| drop(b.nodes.remove(2)));
    assert!(
        missing.contains(&named) && missing.contains("missing"),
        "{missing}"
    );
    let event = refused(&|b| drop(b.events.remove(3)));
    assert!(event.contains("missing"), "{event}");
    let kind = refused(&|b| b.events[3].event_type = "usage.other".into());
    assert!(
        kind.contains(&format!("position {at} says itself")),
        "{kind}"
    );
    let tenant = refused(&|b| b.tenant = "rival".into());
    assert!(tenant.contains("is of tenant acme, not rival"), "{tenant}");
    let invoice = refused(&|b| b.invoice = "may.alice".into());
    assert!(invoice.contains("may.alice"), "{invoice}");
    let format = refused(&|b| b.format = "indelible-proof-2".into());
    assert!(format.contains("indelible-proof-2"), "{format}");
    let signature =
        refused(&|b| b.checkpoint = b.checkpoint.replace("\nrecorded 1", "\nrecorded 2"));
    assert!(signature.contains("is not what indelible/"), "{signature}");
}

#[test]
fn an_event_exchanged_with_its_hash_and_all_nodes_in_order_does_not_make_the_root() {
    let office = open();
    let mut bundle = office.prove("april.alice");
    let mut bytes = BASE64.decode(&bundle.events[3].leaf).expect("base64");
    *bytes.last_mut().expect("a byte") ^= 1;
    let hash = indelible_store::proof::tree::leaf_hash(&bytes);
    bundle.events[3].hash = hash.iter().map(|b| format!("{b:02x}")).collect();
    bundle.events[3].leaf = BASE64.encode(bytes);
    let answer = check(&bundle.to_text(), &bundle.checkpoint, &office.key);
    let sentence = answer.expect_err("refused").to_string();
    assert!(sentence.contains("make the root"), "{sentence}");
}

#[test]
fn a_proof_by_an_unpublished_checkpoint_or_another_key_is_refused() {
    let office = open();
    let other = Notary::in_memory(Arc::new(MemoryStore::new()), Some([43; 32]));
    let stranger = other.public_key().expect("a key");
    let bundle = office.prove("april.alice");
    let text = bundle.to_text();
    let unknown = check(&text, &bundle.checkpoint, &stranger);
    assert_eq!(unknown.expect_err("refused").code(), "CHECKPOINT_MISFIT");
    let unpublished = check(&text, "", &office.key);
    assert_eq!(
        unpublished.expect_err("refused").code(),
        "CHECKPOINT_MISFIT"
    );
}

#[test]
fn what_lies_under_a_document_cannot_be_left_out() {
    let office = open();
    for document in ["april.alice", "may.alice", "june.alice", "sorry"] {
        let all = facts(&office.prove(document));
        lineage::check(TENANT, document, &all).expect("whole");
        for left_out in &all {
            // Only a later fact about the document may be missing: a proof says nothing of what followed.
            let later =
                left_out.event.event_type().0 == "invoice.credit-noted" && document != "sorry";
            let rest: Vec<_> = all
                .iter()
                .filter(|fact| fact.position != left_out.position)
                .cloned()
                .collect();
            let judged = lineage::check(TENANT, document, &rest);
            assert_eq!(
                judged.is_err(),
                !later,
                "{document} without {} at {}: {judged:?}",
                left_out.event.event_type().0,
                left_out.position
            );
        }
    }
}

#[test]
fn a_document_that_is_newer_than_the_last_checkpoint_gets_a_new_one() {
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let notary = Notary::in_memory(Arc::clone(&store), Some([42; 32]));
    assert!(matches!(notary.checkpoint(), Err(ProofError::Empty)));
    story::play(Arc::clone(&store));
    let bundle = notary.prove(TENANT, "april.alice").expect("proven");
    let list = notary.list().expect("kept");
    assert_eq!(list.len(), 1);
    assert_eq!(bundle.checkpoint, list[0].note);
    notary.prove(TENANT, "may.alice").expect("proven");
    assert_eq!(
        notary.list().expect("kept").len(),
        1,
        "the one that is there will do"
    );
}

#[test]
fn only_a_finalised_document_of_the_tenant_is_proven() {
    let office = open();
    let unknown = office.notary.prove(TENANT, "nobody").expect_err("refused");
    assert_eq!(unknown.code(), "INVOICE_UNKNOWN");
    let other = office
        .notary
        .prove("rival", "april.alice")
        .expect_err("refused");
    assert_eq!(other.code(), "INVOICE_UNKNOWN");
}

#[test]
fn a_proof_ever_written_holds_for_ever() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/proof");
    if std::env::var_os(WRITE).is_some() && !folder.exists() {
        let office = open();
        fs::create_dir_all(&folder).expect("a folder");
        let bundle = office.prove("april.alice");
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("written");
        write("april.proof", &bundle.to_text());
        write("published.checkpoint", &bundle.checkpoint);
        write("public.key", &format!("{}\n", office.key));
    }
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("the golden is readable");
    let key: PublicKey = read("public.key").parse().expect("a key");
    let checked =
        check(&read("april.proof"), &read("published.checkpoint"), &key).expect("it holds");
    assert_eq!(checked.proven.number, "2026-000001");
    let under: BTreeSet<u64> = checked
        .proven
        .lines
        .iter()
        .filter_map(|line| line.usage.as_ref())
        .map(|usage| usage.records)
        .collect();
    assert_eq!(under, BTreeSet::from([3]));
}
