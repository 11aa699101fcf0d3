//! The entries that fuzzing drives (`tests/fuzz`), over seeded changes of good texts.

// Taken in as a file, so that it is the same code and no crate of its own is built for it.
#[path = "../../../tests/fuzz/src/lib.rs"]
mod entries;

use crate::any_expression::Dice;

const EXPRESSIONS: &str = include_str!("../../../tests/fuzz/seeds/expressions.txt");
const USAGE: &str = include_str!("../../../tests/fuzz/seeds/usage.csv");

/// Pieces that texts of this kind are made of, put where they do not belong.
const PIECES: [&str; 44] = [
    "(",
    ")",
    "[",
    "]",
    "\"",
    "'",
    "\\",
    ",",
    ".",
    "-",
    "--",
    "+",
    "*",
    "/",
    "= ",
    "!=",
    "<",
    ">=",
    " in [",
    " not in [",
    " and ",
    " or ",
    "not ",
    "if ",
    " then ",
    " else ",
    "null",
    "true",
    "round(",
    "coalesce(",
    "date(\"2027-02-29\")",
    "record.x",
    "field(\"\")",
    "0",
    "99999999999999999999999999999",
    "0.0000000000000000000000000001",
    "1e9",
    "\u{0}",
    "ß",
    "\n",
    "[[offer.usage]]\n",
    "{ up_to = \"0\" }",
    "9999-12-31T23:59:59Z",
    ";",
];

/// A text with some bytes and pieces changed, moved, doubled and taken away.
fn changed(dice: &mut Dice, good: &[u8]) -> Vec<u8> {
    let mut text = good.to_vec();
    for _ in 0..=dice.below(6) {
        let at = dice.below(text.len() + 1);
        let until = (at + dice.below(24)).min(text.len());
        match dice.below(6) {
            0 => drop(text.drain(at..until)),
            1 => {
                let part = text[at..until].to_vec();
                let to = dice.below(text.len() + 1);
                text.splice(to..to, part);
            }
            2 => text.truncate(at.max(text.len() / 2)),
            3 if at < text.len() => text[at] ^= 1 << dice.below(8),
            _ => {
                let piece = dice.one::<&str>(&PIECES).bytes();
                text.splice(at..at, piece);
            }
        }
    }
    text
}

#[test]
fn no_expression_makes_the_language_panic_or_come_to_two_values() {
    let seeds: Vec<&str> = EXPRESSIONS.lines().collect();
    for seed in &seeds {
        assert!(indelible_domain::expressions::parse(seed).is_ok(), "{seed}");
        entries::expression(seed.as_bytes());
    }
    for n in 0..8_000 {
        let mut dice = Dice::new(n);
        let seed = dice.one::<&str>(&seeds).as_bytes();
        entries::expression(&changed(&mut dice, seed));
    }
    // As deep and as long as can be.
    for piece in ["(", "-", "not ", "if ", "1+", "min(", "[", "\"", "1 in ["] {
        entries::expression(piece.repeat(4_000 / piece.len()).as_bytes());
    }
    // Found by fuzzing: what was printed was nested deeper than what was read.
    for deep in [38, 39, 40, 41] {
        entries::expression(format!("a>b{}c", "-".repeat(deep)).as_bytes());
    }
}

#[test]
fn no_catalog_file_makes_publishing_panic_or_store_what_it_cannot_read() {
    entries::catalog(entries::OFFERS.as_bytes());
    for n in 0..600 {
        let mut dice = Dice::new(n);
        entries::catalog(&changed(&mut dice, entries::OFFERS.as_bytes()));
    }
}

#[test]
fn no_usage_file_makes_rating_panic_or_lose_a_record() {
    let records = [&[3], USAGE.as_bytes()].concat();
    entries::usage(&records);
    for n in 0..600 {
        let mut dice = Dice::new(n);
        entries::usage(&changed(&mut dice, &records));
    }
}
