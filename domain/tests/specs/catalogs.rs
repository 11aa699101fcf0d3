//! Reading and publishing catalogs.

use crate::book::Book;
use indelible_domain::catalog::{self, Offer};
use indelible_domain::{Command, Event};

const PLAN: &str = r#"
[[offer]]
code = "mobile-m"
name = "Mobile M"
currency = "USD"
trial = "30 days"
[[offer.one_off]]
code = "activation"
name = "Activation fee"
amount = "9.90"
on = "activation"
[[offer.recurring]]
code = "fee"
name = "Monthly fee"
price = { flat = "19.90" }
every = "1 month"
[[offer.usage]]
code = "voice"
name = "Voice minutes"
metric = "voice"
unit = "minute"
per = "60"
allowance = "100"
every = "1 month"
align = "billing_day"
price = { graduated = [{ up_to = "10", unit = "0.05" }, { unit = "0.03" }] }
where = { direction = "mo" }
[[offer.usage.when]]
days = ["mon", "fri"]
from = "07:00"
until = "24:00"
"#;

fn offers(text: &str) -> Vec<Offer> {
    catalog::parse(text).expect("the text reads")
}

fn published(book: &Book) -> Vec<u32> {
    let versions = book.log.iter().filter_map(|(_, e)| match e {
        Event::Catalog(catalog::Event::OfferPublished(e)) => Some(e.offer.version),
        _ => None,
    });
    versions.collect()
}

#[test]
fn the_same_catalog_again_publishes_nothing_and_a_change_publishes_a_version() {
    let mut book = Book::new();
    book.ask(Command::ApplyCatalog {
        offers: offers(PLAN),
    })
    .expect("applies");
    book.ask(Command::ApplyCatalog {
        offers: offers(PLAN),
    })
    .expect("applies again");
    assert_eq!(published(&book), [1]);
    book.ask(Command::ApplyCatalog {
        offers: offers(&PLAN.replace("19.90", "21.90")),
    })
    .expect("applies changed");
    assert_eq!(published(&book), [1, 2]);
}

#[test]
fn a_text_that_cannot_be_read_is_refused_with_its_place() {
    let refused = catalog::parse(&PLAN.replace("every = \"1 month\"", "every = \"monthly\""))
        .expect_err("no such span");
    assert_eq!(refused.code, "CATALOG_UNREADABLE");
    assert!(refused.message.contains("line 16"), "{}", refused.message);
    assert_eq!(
        catalog::parse("# nothing").expect_err("empty").code,
        "CATALOG_EMPTY"
    );
    assert_eq!(
        catalog::parse(&PLAN.replace("unit = \"minute\"", "unti = \"minute\""))
            .expect_err("a typo")
            .code,
        "CATALOG_UNREADABLE"
    );
}

#[test]
fn everything_of_a_text_that_cannot_be_read_is_told_at_once_in_the_order_of_the_text() {
    let wrong = r#"
[[offer]]
code = "basic"
name = "Basic"
currency = "EURO"
trail = "30 days"
[[offer.recurring]]
code = "fee"
price = { flat = 5 }
every = "monthly"
[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
every = "1 month"
aggregate = "median"
price = { per_unit = "0.05" }
[[offer]]
code = "good"
name = "Good"
currency = "EUR"
[[price_list]]
code = "gold"
currency = "EUR"
from = "soon"
[[price_list.item]]
offer = "basic"
percent = "ten"
[[prices]]
"#;
    let found = catalog::unreadable(wrong);
    let places = [
        ("line 5,", "EURO"),
        ("line 6,", "trail"),
        ("line 7,", "missing field `name`"),
        ("line 9,", "5"),
        ("line 10,", "monthly"),
        ("line 17,", "median"),
        ("line 26,", "soon"),
        ("line 29,", "ten"),
        ("line 30,", "prices"),
    ];
    let mut places: Vec<_> = places.to_vec();
    // A missing name is told of the whole table, which begins at its heading.
    for told in &found {
        let fits = |(line, what): &(&str, &str)| told.contains(line) && told.contains(what);
        let at = places.iter().position(fits);
        places.remove(at.unwrap_or_else(|| panic!("not foreseen: {told}")));
    }
    assert!(places.is_empty(), "{places:?} of {found:#?}");
    let refused = catalog::read(wrong).expect_err("wrong");
    assert_eq!(refused.code, "CATALOG_UNREADABLE");
    for told in &found {
        assert!(refused.message.contains(told), "{}", refused.message);
    }
}

#[test]
fn every_place_where_the_syntax_of_a_text_is_broken_is_told() {
    let found = catalog::unreadable("[[offer]]\ncode = \nname = \"a\"\ncurrency\n");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("line 2,"), "{found:#?}");
    assert!(found[1].contains("line 4,"), "{found:#?}");
}

#[test]
fn an_invalid_catalog_is_refused_as_a_whole_with_every_problem_in_its_place() {
    let bad = PLAN
        .replace("amount = \"9.90\"", "amount = \"-9.90\"")
        .replace("code = \"fee\"", "code = \"activation\"")
        .replace("per = \"60\"", "per = \"0\"\ntax_class = \" \"")
        .replace("up_to = \"10\"", "up_to = \"0\"")
        .replace("\"fri\"", "\"friday\"")
        .replace("from = \"07:00\"", "from = \"7:00\"")
        .replace("trial = \"30 days\"", "trial = \"0 days\"");
    let mut all = offers(&bad);
    all.extend(offers(PLAN));
    let mut book = Book::new();
    let refused = book
        .ask(Command::ApplyCatalog { offers: all })
        .expect_err("invalid");
    assert_eq!(refused.code, "CATALOG_INVALID");
    for problem in [
        "the catalog has 9 problems",
        "offer mobile-m, charge voice: its tax_class is empty: leave it out for \"standard\"",
        "offer mobile-m: there is another offer with this code",
        "offer mobile-m: trial is no time at all",
        "offer mobile-m, charge activation: there is another charge with this code",
        "offer mobile-m, charge activation: amount -9.9 is below zero",
        "offer mobile-m, charge voice: per 0 is not above zero",
        "offer mobile-m, charge voice: tier 1: up_to 0 is not above 0, where the tier begins",
        "offer mobile-m, charge voice: window 1: \"friday\" is not a weekday",
        "offer mobile-m, charge voice: window 1: from \"7:00\" until \"24:00\" are not times like 07:00",
    ] {
        assert!(
            refused.message.contains(problem),
            "{problem:?} is not in {:?}",
            refused.message
        );
    }
    assert_eq!(published(&book), [] as [u32; 0]);
}

#[test]
fn prices_that_cannot_be_applied_are_refused() {
    for (price, problem) in [
        ("graduated = []", "it has no tiers"),
        (
            r#"volume = [{ unit = "1" }, { up_to = "5", unit = "2" }]"#,
            "only the last tier may go without up_to",
        ),
        (
            r#"volume = [{ up_to = "5", unit = "1" }, { up_to = "5", unit = "2" }]"#,
            "tier 2: up_to 5 is not above 5",
        ),
        (
            r#"package = { size = "0", price = "1" }"#,
            "package size 0 is not above zero",
        ),
        (
            r#"graduated = [{ unit = "1", block = "-1" }]"#,
            "tier 1: block -1 is not above zero",
        ),
        (r#"per_unit = "0.0000000000001""#, "more than 12 decimals"),
        (
            r#"percentage = { rate = "0.01", min = "5", max = "2" }"#,
            "min 5 is above max 2",
        ),
    ] {
        let text = PLAN.replace(
            r#"graduated = [{ up_to = "10", unit = "0.05" }, { unit = "0.03" }]"#,
            price,
        );
        let refused = Book::new()
            .ask(Command::ApplyCatalog {
                offers: offers(&text),
            })
            .expect_err("invalid");
        assert!(
            refused.message.contains(problem),
            "{problem:?} is not in {:?}",
            refused.message
        );
    }
}
