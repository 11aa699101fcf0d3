//! What the bench bills, and what it must come to: accounts with three contracts each, their usage, and an oracle that
//! counts in whole cents and knows nothing of the product's rating, discounts or taxes.

use std::io::Write;

/// Two tax classes, three contracts of one recurring charge each, two of them with usage.
pub const CATALOG: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "EUR"
[[offer.recurring]]
code = "line"
name = "Line"
every = "1 month"
timing = "arrears"
price = { flat = "19.99" }
[[offer.usage]]
code = "voice"
name = "Voice"
metric = "voice"
unit = "minute"
per = "60"
allowance = "60"
every = "1 month"
price = { per_unit = "0.09" }
[[offer]]
code = "internet"
name = "Internet"
currency = "EUR"
[[offer.recurring]]
code = "internet"
name = "Internet"
every = "1 month"
timing = "arrears"
price = { flat = "9.99" }
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "MB"
every = "1 month"
price = { graduated = [{ up_to = "100", unit = "0.02" }, { unit = "0.01" }] }
[[offer]]
code = "press"
name = "Press"
currency = "EUR"
[[offer.recurring]]
code = "press"
name = "Press"
every = "1 month"
timing = "arrears"
tax_class = "reduced"
price = { flat = "4.99" }
"#;

/// The offers, each with a subscription per account, and whether it is used under a number of its own.
pub const OFFERS: [(&str, bool); 3] = [("line", true), ("internet", true), ("press", false)];

/// Fees in cents after the discount of 10 %: 34.97 comes down by 3.50 as a whole, and by largest remainder the lines
/// take 2.00, 1.00 and 0.50 of it.
const FEES: (i64, i64) = (1_999 - 200 + 999 - 100, 499 - 50);

/// The charges of a month of one account, in cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    pub net: i64,
    pub tax: i64,
}

impl Total {
    pub fn add(&mut self, other: Total) {
        self.net += other.net;
        self.tax += other.tax;
    }
}

/// Half away from zero; nothing here is below zero.
fn rounded(numerator: i64, denominator: i64) -> i64 {
    (2 * numerator + denominator) / (2 * denominator)
}

/// Scatters a number (SplitMix64).
fn scatter(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Usage of a month: so many records of each account, in random order of accounts, half of them on each number.
#[derive(Clone, Copy, Debug)]
pub struct Month {
    pub number: u64,
    /// First second of the month, since 1970.
    pub begins: i64,
    /// The first account, and how many from there.
    pub first: u64,
    pub accounts: u64,
    pub records_each: u64,
}

impl Month {
    pub fn records(&self) -> u64 {
        self.accounts * self.records_each
    }

    /// Seconds of voice, or thousandths of a megabyte.
    fn quantity(&self, account: u64, record: u64) -> i64 {
        let random = scatter(scatter(self.number ^ account.rotate_left(20)) ^ record);
        let most = if record.is_multiple_of(2) { 120 } else { 4_000 };
        1 + (random % most) as i64
    }

    /// Lines `from..until` of all records, with a head.
    pub fn csv(&self, from: u64, until: u64) -> Vec<u8> {
        let mut out = b"key,metric,access,at,quantity\n".to_vec();
        for n in from..until {
            let (record, account) = (n / self.accounts, self.first + n % self.accounts);
            let quantity = self.quantity(account, record);
            let (month, key) = (self.number, self.first * self.records_each + n);
            let day = 1 + record % 28;
            let at = chrono::DateTime::from_timestamp(self.begins + 86_400 * day as i64 - 3_600, 0);
            let at = at.unwrap_or_default().format("%Y-%m-%dT%H:%M:%SZ");
            // Writing to a vector cannot fail.
            let _ = match record % 2 {
                0 => writeln!(out, "m{month}r{key},voice,line-{account},{at},{quantity}"),
                _ => writeln!(
                    out,
                    "m{month}r{key},data,internet-{account},{at},{}.{:03}",
                    quantity / 1_000,
                    quantity % 1_000
                ),
            };
        }
        out
    }

    /// What all its accounts owe.
    pub fn all(&self) -> Total {
        let each = (self.first..self.first + self.accounts).map(|account| self.total(account));
        let mut all = Total::default();
        each.for_each(|one| all.add(one));
        all
    }

    /// What an account owes for the month.
    fn total(&self, account: u64) -> Total {
        let used = |first: usize| -> i64 {
            let of = (0..self.records_each).skip(first).step_by(2);
            of.map(|record| self.quantity(account, record)).sum()
        };
        // 0.09 for each minute beyond 60: cents are 9 × seconds ÷ 60.
        let voice = rounded((used(0) - 3_600).max(0) * 9, 60);
        // 0.02 up to 100 MB, 0.01 beyond, of thousandths.
        let kb = used(1);
        let data = rounded(2 * kb.min(100_000) + (kb - 100_000).max(0), 1_000);
        let (standard, reduced) = (FEES.0 + voice + data, FEES.1);
        Total {
            net: standard + reduced,
            tax: rounded(standard * 19, 100) + rounded(reduced * 7, 100),
        }
    }
}
