//! Price models as functions of a total quantity.

use crate::catalog::Price;
use crate::kernel::{Decimal, Exact, Rejection};

/// The exact amount of `quantity` units under `price`, from nothing: tiers filled from the first, flat fees included.
pub fn amount(price: &Price, quantity: Decimal) -> Result<Exact, Rejection> {
    match price {
        Price::Flat(amount) => Ok((*amount).into()),
        Price::PerUnit(unit) => Exact::from(*unit).times(quantity.into()),
        _ => Err(Rejection::new(
            "PRICE_UNSUPPORTED",
            "this price model has no price for a plain quantity",
        )),
    }
}
