//! The catalog as a text that a person reads and edits (docs/catalog.md).

use super::Offer;
use crate::kernel::Rejection;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    offer: Vec<Offer>,
}

/// Reads offers from TOML. What cannot be read at all is refused with its place in the text; whether the offers make
/// sense is judged when they are applied.
pub fn parse(text: &str) -> Result<Vec<Offer>, Rejection> {
    let file: File = toml::from_str(text)
        .map_err(|e| Rejection::new("CATALOG_UNREADABLE", e.to_string().trim_end().to_string()))?;
    if file.offer.is_empty() {
        return Err(Rejection::new("CATALOG_EMPTY", "the text has no [[offer]]"));
    }
    Ok(file.offer)
}
