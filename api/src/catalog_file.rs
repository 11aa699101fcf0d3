//! Catalog files: the text a person reads and edits, as offers.

use indelible_domain::catalog::Offer;
use indelible_domain::kernel::Rejection;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    offer: Vec<Offer>,
}

/// Reads the offers of a catalog file. A mistake is answered with its line.
pub fn read(text: &str) -> Result<Vec<Offer>, Rejection> {
    let file: File = toml::from_str(text)
        .map_err(|error| Rejection::new("CATALOG_INVALID", error.to_string().trim().to_owned()))?;
    if file.offer.is_empty() {
        return Err(Rejection::new(
            "CATALOG_EMPTY",
            "the catalog holds no [[offer]]",
        ));
    }
    Ok(file.offer)
}
