//! The catalog as a text that a person reads and edits (docs/catalog.md).

use super::{Offer, PriceList};
use crate::kernel::Rejection;
use serde::{Deserialize, Serialize};

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

/// Reads a catalog file from TOML. What cannot be read at all is refused with its place in the text; whether it makes
/// sense is judged when it is applied.
pub fn read(text: &str) -> Result<File, Rejection> {
    let file: File = toml::from_str(text)
        .map_err(|e| Rejection::new("CATALOG_UNREADABLE", e.to_string().trim_end().to_string()))?;
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
