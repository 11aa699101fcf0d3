//! What a bank takes for its work.

use crate::journal::Ledger;
use crate::kernel::Rejection;
use serde::{Deserialize, Serialize};

/// Words of bank transaction codes that stand for a fee where an account has no rule: sub-families of ISO 20022 (external
/// code set), and the types of MT940.
const WORDS: [&str; 7] = ["CHRG", "FEES", "COME", "COMM", "NCHG", "NCOM", "CHG"];

/// Most codes of one rule.
const CODES_MAX: usize = 50;

/// Which entries are fees, where they are posted, and who bears them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeeRule {
    /// Words or whole transaction codes of fees; empty: the usual ones.
    pub codes: Vec<String>,
    /// What they are posted to.
    pub ledger: Ledger,
    /// What a bank takes for a returned collection is charged to its payer, in this tax class; none: we bear it.
    pub recharge: Option<String>,
}

impl Default for FeeRule {
    fn default() -> FeeRule {
        FeeRule {
            codes: Vec::new(),
            ledger: Ledger::BankFees,
            recharge: None,
        }
    }
}

impl FeeRule {
    /// True for the transaction code of a fee.
    pub fn covers(&self, code: &str) -> bool {
        let mut words = code.split('-');
        match self.codes.is_empty() {
            true => words.any(|word| WORDS.contains(&word)),
            false => {
                let known = |word: &str| self.codes.iter().any(|c| c == word);
                known(code) || words.any(known)
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), Rejection> {
        let cost = matches!(
            self.ledger,
            Ledger::BankFees | Ledger::PaymentDifference | Ledger::Goodwill
        );
        let empty = self.codes.iter().any(|code| code.trim().is_empty());
        if !cost || empty || self.codes.len() > CODES_MAX {
            return Err(Rejection::new(
                "BANK_FEES_INVALID",
                format!(
                    "fees have at most {CODES_MAX} codes, none of them empty, and go to an account of costs, not to {}",
                    self.ledger
                ),
            ));
        }
        Ok(())
    }
}
