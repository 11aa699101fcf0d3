//! The bank side of the ledger: accounts of legal entities, what banks say of them, and files that go to banks.
//!
//! - A statement is taken once by its id, an entry once by its key, whatever file or message brings it again.
//! - An entry and what follows from it are one commit: cash received, a collection settled, failed or charged back. What
//!   cannot be told stays open, and a person sees it.
//! - A file names its payments before it leaves; a payment is in one file at most, and the file can be written again from
//!   these facts, byte for byte.
//! - What a bank says before it books (status reports, interim statements) settles, fails or is shown; it never books.
//! - Names, IBANs and texts of payers are sealed; the reference keeps only what can be a number.

pub mod account;
pub mod entry;
mod fees;
pub mod file;
mod index;
pub mod report;
pub mod statement;
pub mod target;

pub use account::{BankAccount, Terms};
pub use entry::{Entry, Fate, Part, Returned, Said};
pub use fees::FeeRule;
pub use file::{Amendment, BankFile, Item, Order, Sequence};
pub use index::{BankIndex, Drawn, MandateUse};
pub use report::{Reported, Status, Verdict};
pub use statement::{Balance, Gap, Statement, Taken};

/// Longest identification in bank messages (ISO 20022 `Max35Text`).
pub const BANK_ID_MAX: usize = 35;

/// Under what a payment or return goes through a bank and comes back: its own id where a bank takes that, else a hash of it.
pub fn end_to_end(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-');
    if id.len() <= BANK_ID_MAX && id.chars().all(plain) {
        return id.to_string();
    }
    let hash = blake3::hash(format!("end-to-end:{id}").as_bytes()).to_hex();
    hash.chars().take(32).collect()
}

/// Under what a return of a payment goes through a bank.
pub fn return_end_to_end(payment: &str, number: u32) -> String {
    end_to_end(&format!("{payment}.r{number}"))
}
