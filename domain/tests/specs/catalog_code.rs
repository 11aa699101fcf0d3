//! The catalog as code: what a file would change is told in words before it is applied, and drafts are published whole.

use crate::book::Book;
use indelible_domain::catalog::{self, File, Offer, diff};
use indelible_domain::drafts::{Command as Edit, Stage};
use indelible_domain::kernel::Decimal;
use indelible_domain::operations::{CatalogReview, review_catalog};
use indelible_domain::{Command, Session};

const CATALOG: &str = r#"
[[offer]]
code = "mobile"
name = "Mobile"
currency = "EUR"
[[offer.recurring]]
code = "base"
name = "Fee"
price = { flat = "10.00" }
every = "1 month"
[[offer.usage]]
code = "voice"
name = "Calls"
metric = "voice"
unit = "minute"
allowance = "100"
every = "1 month"
price = { per_unit = "0.05" }
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "GB"
every = "1 month"
price = { graduated = [ { up_to = "10", unit = "2" }, { unit = "1.5" } ] }
"#;

fn file(text: &str) -> File {
    catalog::read(text).expect("the text is read")
}

fn published() -> Book {
    let mut book = Book::new();
    book.ask(Command::PublishCatalog(Box::new(file(CATALOG))))
        .expect("is published");
    book
}

fn review(book: &Book, text: &str) -> CatalogReview {
    let session = Session::new(book.tenant(), book.now());
    review_catalog(&session, &file(text)).expect("is reviewed")
}

fn words(review: &CatalogReview) -> Vec<String> {
    let all = review
        .differences
        .iter()
        .flat_map(|d| &d.difference.changes);
    all.map(|change| change.words.clone()).collect()
}

#[test]
fn a_lower_price_above_an_allowance_is_told_with_the_day_from_which_it_holds() {
    let changed = CATALOG.replace("0.05", "0.045").replace(
        "currency = \"EUR\"",
        "currency = \"EUR\"\nvalid_from = \"2027-01-01\"",
    );
    let review = review(&published(), &changed);
    assert_eq!(
        words(&review),
        [
            "mobile: valid from: 2027-01-01",
            "voice: price above 100: 0.05 EUR per minute → 0.045 EUR per minute from 2027-01-01",
        ]
    );
    assert_eq!(review.differences[0].concerns(), "nobody has it yet");
}

#[test]
fn a_tier_that_moves_is_told_by_what_it_was_and_is() {
    let review = review(
        &published(),
        &CATALOG.replace("up_to = \"10\"", "up_to = \"20\""),
    );
    assert_eq!(
        words(&review),
        [
            "data: price of units above 0 up to 10: 2 EUR per GB no more",
            "data: price of units above 0 up to 20: 2 EUR per GB",
            "data: price of units above 10: 1.5 EUR per GB no more",
            "data: price of units above 20: 1.5 EUR per GB",
        ]
    );
}

#[test]
fn a_charge_that_comes_or_goes_is_told_as_a_whole() {
    let without = CATALOG.replace(
        "[[offer.recurring]]\ncode = \"base\"\nname = \"Fee\"\nprice = { flat = \"10.00\" }\nevery = \"1 month\"\n",
        "",
    );
    let review = review(&published(), &without);
    let change = &review.differences[0].difference.changes[0];
    assert_eq!(
        (change.kind, change.part.as_str()),
        (diff::Kind::Removed, "base")
    );
    assert!(
        change.words.contains("no more") && change.words.contains("10 EUR"),
        "{}",
        change.words
    );
}

#[test]
fn the_same_file_again_differs_in_nothing_and_a_wrong_one_lists_every_problem() {
    let book = published();
    assert_eq!(words(&review(&book, CATALOG)), Vec::<String>::new());
    let wrong = CATALOG
        .replace("\"0.05\"", "\"-0.05\"")
        .replace("unit = \"1.5\"", "unit = \"-1.5\"")
        .replace("name = \"Mobile\"", "name = \"\"");
    // A price per unit below zero pays for what the customer delivers; a tier below zero, and no name, are wrong.
    assert_eq!(review(&book, &wrong).problems.len(), 2);
}

#[test]
fn a_draft_is_published_as_a_whole_or_not_at_all() {
    let mut book = published();
    let edit = |edit| Command::EditCatalogDraft {
        draft: "spring".into(),
        edit,
    };
    let mut offer: Offer = file(CATALOG).offer.remove(0);
    offer.usage[0].allowance = Some(Decimal::from(-1));
    book.ask(edit(Edit::PutOffer(Box::new(offer.clone()))))
        .expect("a draft may be unfinished");
    assert_eq!(book.refused(edit(Edit::Publish)), "CATALOG_INVALID");
    offer.usage[0].allowance = Some(Decimal::from(200));
    book.ask(edit(Edit::PutOffer(Box::new(offer))))
        .expect("is edited");
    book.ask(edit(Edit::Publish)).expect("is published");
    let catalog = &book.tenant().tables.catalogs["main"].state;
    let newest = catalog.offer("mobile").expect("is there");
    assert_eq!(
        (newest.version, newest.usage[0].allowance),
        (2, Some(Decimal::from(200)))
    );
    let draft = &book.tenant().tables.catalog_drafts["spring"].state;
    assert_eq!(draft.stage, Stage::Published);
    assert_eq!(book.refused(edit(Edit::Discard)), "DRAFT_CLOSED");
}

#[test]
fn what_is_not_in_a_draft_is_not_taken_out_of_it() {
    let mut book = published();
    let edit = Command::EditCatalogDraft {
        draft: "spring".into(),
        edit: Edit::DropOffer("mobile".into()),
    };
    assert_eq!(book.refused(edit), "NOT_IN_DRAFT");
}
