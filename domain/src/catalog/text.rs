//! The catalog as a text that a person reads and edits (docs/catalog.md).

use super::{
    Commitment, CounterRule, Feature, Offer, OneOff, OptionRule, PriceList, PriceTerm, Recurring,
    UnitOf, Usage,
};
use crate::kernel::Rejection;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Error, ValueDeserializer};

/// Of more things that cannot be read, the rest is left for the next reading.
const MOST_UNREADABLE: usize = 100;

/// What a catalog file says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[serde(default)]
    pub offer: Vec<Offer>,
    #[serde(default)]
    pub price_list: Vec<PriceList>,
}

impl From<Vec<Offer>> for File {
    fn from(offer: Vec<Offer>) -> File {
        File {
            offer,
            ..File::default()
        }
    }
}

/// Reads a catalog file from TOML. What cannot be read at all is refused, all of it with its place in the text; whether
/// it makes sense is judged when it is applied.
pub fn read(text: &str) -> Result<File, Rejection> {
    let file: File = toml::from_str(text).map_err(|first| {
        let mut found = unreadable(text);
        if found.is_empty() {
            found.push(first.to_string().trim_end().to_string());
        }
        let why = match found.as_slice() {
            [one] => one.clone(),
            all => format!("{} things cannot be read\n{}", all.len(), all.join("\n")),
        };
        Rejection::new("CATALOG_UNREADABLE", why)
    })?;
    if file == File::default() {
        return Err(Rejection::new(
            "CATALOG_EMPTY",
            "the text has no [[offer]] and no [[price_list]]",
        ));
    }
    Ok(file)
}

/// Reads a file of nothing but offers.
pub fn parse(text: &str) -> Result<Vec<Offer>, Rejection> {
    let file = read(text)?;
    match file.price_list.is_empty() {
        true => Ok(file.offer),
        false => Err(Rejection::new(
            "CATALOG_NOT_ONLY_OFFERS",
            "the text has price lists beside its offers",
        )),
    }
}

/// Everything of a catalog file that cannot be read, in the order of the text, each with line, column and the line itself:
/// broken syntax; and if there is none, names and values that the catalog does not know. At most 100.
pub fn unreadable(text: &str) -> Vec<String> {
    let (table, mut found) = DeTable::parse_recoverable(text);
    if found.is_empty() {
        let mut root = DeValue::Table(table.into_inner());
        for mut offer in taken(&mut root, "offer") {
            read_parts::<OneOff>(offer.get_mut(), "one_off", &mut found);
            read_parts::<Recurring>(offer.get_mut(), "recurring", &mut found);
            read_parts::<Usage>(offer.get_mut(), "usage", &mut found);
            read_parts::<UnitOf>(offer.get_mut(), "unit", &mut found);
            read_parts::<Commitment>(offer.get_mut(), "commitments", &mut found);
            read_parts::<OptionRule>(offer.get_mut(), "option", &mut found);
            read_parts::<CounterRule>(offer.get_mut(), "counter", &mut found);
            read_parts::<Feature>(offer.get_mut(), "feature", &mut found);
            read_one::<Offer>(offer, &mut found);
        }
        for mut list in taken(&mut root, "price_list") {
            read_parts::<PriceTerm>(list.get_mut(), "item", &mut found);
            read_one::<PriceList>(list, &mut found);
        }
        read_one::<File>(Spanned::new(0..text.len(), root), &mut found);
    }
    found.sort_by_key(|e| e.span().map(|s| s.start));
    found.truncate(MOST_UNREADABLE);
    let told = found.into_iter().map(|mut error| {
        error.set_input(Some(text));
        error.to_string().trim_end().to_string()
    });
    told.collect()
}

/// The tables of a list, taken out of what holds it; anything else stays, for its owner to complain about.
fn taken<'i>(of: &mut DeValue<'i>, name: &str) -> DeArray<'i> {
    let DeValue::Table(table) = of else {
        return DeArray::new();
    };
    match table.get(name).map(Spanned::get_ref) {
        Some(DeValue::Array(_)) => match table.remove(name).map(Spanned::into_inner) {
            Some(DeValue::Array(list)) => list,
            _ => DeArray::new(),
        },
        _ => DeArray::new(),
    }
}

fn read_parts<T: DeserializeOwned>(of: &mut DeValue<'_>, name: &str, found: &mut Vec<Error>) {
    for part in taken(of, name) {
        read_one::<T>(part, found);
    }
}

/// Reads one table again and again, each time without the entry that could not be read.
fn read_one<T: DeserializeOwned>(mut value: Spanned<DeValue<'_>>, found: &mut Vec<Error>) {
    let mut without = Vec::new();
    while found.len() < MOST_UNREADABLE {
        let Err(error) = T::deserialize(ValueDeserializer::from(value.clone())) else {
            return;
        };
        // What was taken out because it cannot be read is not missing.
        let missed = |name: &String| error.message() == format!("missing field `{name}`");
        if without.iter().any(missed) {
            return;
        }
        let name = culprit(value.get_ref(), &error);
        found.push(error);
        let (Some(name), DeValue::Table(table)) = (name, value.get_mut()) else {
            return;
        };
        table.remove(name.as_str());
        without.push(name);
    }
}

/// The entry of a table in which an error lies.
fn culprit(value: &DeValue<'_>, error: &Error) -> Option<String> {
    let (place, table) = (error.span()?, value.as_table()?);
    let holds = |span: std::ops::Range<usize>| span.start <= place.start && place.end <= span.end;
    table
        .iter()
        .find(|(name, entry)| holds(name.span()) || holds(entry.span()))
        .map(|(name, _)| name.get_ref().to_string())
}
