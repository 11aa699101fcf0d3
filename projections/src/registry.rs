//! Every read model: one line each.

use crate::projection::Registered;
use crate::{
    ViewError, accounts, billing, dunning, finance, invoices, payments, receivables, subscriptions,
    usage, wallets,
};

pub(crate) const ALL: &[Registered] = &[
    Registered::of::<accounts::balances::Balances>(),
    Registered::of::<billing::runs::Runs>(),
    Registered::of::<dunning::board::Board>(),
    Registered::of::<finance::shares::Shares>(),
    Registered::of::<finance::trial_balance::TrialBalance>(),
    Registered::of::<invoices::list::Invoices>(),
    Registered::of::<payments::list::Payments>(),
    Registered::of::<receivables::aging::Agings>(),
    Registered::of::<receivables::open_items::OpenItems>(),
    Registered::of::<receivables::statement::Statements>(),
    Registered::of::<subscriptions::list::Subscriptions>(),
    Registered::of::<subscriptions::mrr::Mrr>(),
    Registered::of::<subscriptions::tcv::Tcv>(),
    Registered::of::<usage::completeness::Completeness>(),
    Registered::of::<wallets::list::Wallets>(),
];

/// The names of all read models.
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|r| r.name).collect()
}

/// The read models of these names; all of them for none.
pub(crate) fn named(names: &[String]) -> Result<Vec<Registered>, ViewError> {
    if names.is_empty() {
        return Ok(ALL.to_vec());
    }
    let find = |name: &String| {
        let known = || self::names().join(", ");
        ALL.iter()
            .find(|r| r.name == name)
            .copied()
            .ok_or_else(|| ViewError::Unknown {
                name: name.clone(),
                known: known(),
            })
    };
    names.iter().map(find).collect()
}
