//! Amounts in Stripe's smallest units, which are not ISO 4217's for every currency (Stripe: "Supported currencies").

use indelible_domain::kernel::{Currency, Money};

/// Charged in whole units.
const WHOLE: [&str; 15] = [
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
    "XOF", "XPF",
];
/// Charged in thousandths, of which the last digit must be 0.
const THOUSANDTHS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];
/// Charged in whole units only, yet written with two decimals, which must be 0.
const WHOLE_IN_HUNDREDTHS: [&str; 2] = ["ISK", "UGX"];

/// Stripe's digits after the point, and what its amounts must be a multiple of.
fn units(currency: Currency) -> (u32, i128) {
    let code = currency.code();
    if WHOLE.contains(&code) {
        (0, 1)
    } else if THOUSANDTHS.contains(&code) {
        (3, 10)
    } else if WHOLE_IN_HUNDREDTHS.contains(&code) {
        (2, 100)
    } else {
        (2, 1)
    }
}

/// The amount as Stripe counts it. Nothing is rounded: what Stripe cannot move exactly is refused.
pub fn to_stripe(money: Money) -> Result<i64, String> {
    let (digits, step) = units(money.currency);
    let scaled = 10_i128
        .checked_pow(digits)
        .and_then(|scale| money.minor.checked_mul(scale))
        .ok_or_else(|| format!("{money} is more than can be collected"))?;
    let whole = money.currency.scale();
    let amount = scaled / whole;
    if scaled % whole != 0 || amount % step != 0 {
        return Err(format!(
            "{money} cannot be collected exactly: Stripe moves {} in steps of {step} of 10^-{digits}",
            money.currency
        ));
    }
    match i64::try_from(amount) {
        Ok(amount) if amount > 0 => Ok(amount),
        _ => Err(format!("{money} is not an amount that can be collected")),
    }
}

/// Money out of Stripe's units. None if it is not whole in the currency's own minor unit.
pub fn from_stripe(amount: i64, currency: Currency) -> Option<Money> {
    let (digits, _) = units(currency);
    let scaled = i128::from(amount).checked_mul(currency.scale())?;
    let unit = 10_i128.checked_pow(digits)?;
    (scaled % unit == 0).then(|| Money::new(scaled / unit, currency))
}

/// The currency as Stripe writes it.
pub fn code(currency: Currency) -> String {
    currency.code().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i128, code: &str) -> Money {
        Money::new(minor, code.parse().expect("a currency"))
    }

    #[test]
    fn amounts_are_counted_in_stripes_units_and_come_back_the_same() {
        let table = [
            (1_000, "EUR", 1_000),
            (1, "USD", 1),
            // 500 yen, 500 won: whole in both.
            (500, "JPY", 500),
            (500, "KRW", 500),
            // 5.120 dinar: thousandths, the last one 0.
            (5_120, "KWD", 5_120),
            // 5 krónur and 500 shillings: whole in ISO 4217, two zeros at Stripe.
            (5, "ISK", 500),
            (500, "UGX", 50_000),
            // 20.00 ariary: hundredths in ISO 4217, whole at Stripe.
            (2_000, "MGA", 20),
        ];
        for (minor, code, stripe) in table {
            assert_eq!(to_stripe(money(minor, code)), Ok(stripe), "{minor} {code}");
            assert_eq!(
                from_stripe(stripe, money(0, code).currency),
                Some(money(minor, code)),
                "{stripe} {code}"
            );
        }
    }

    #[test]
    fn what_stripe_cannot_move_exactly_is_refused_and_never_rounded() {
        // 5.124 dinar, 20.01 ariary, 0.0001 unidad de fomento, nothing, less than nothing, more than an i64.
        for (minor, code) in [
            (5_124, "KWD"),
            (2_001, "MGA"),
            (1, "CLF"),
            (0, "EUR"),
            (-1, "EUR"),
            (i128::from(i64::MAX) + 1, "EUR"),
            (i128::MAX, "EUR"),
        ] {
            assert!(to_stripe(money(minor, code)).is_err(), "{minor} {code}");
        }
    }
}
