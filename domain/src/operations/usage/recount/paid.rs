//! Who pays for a meter that was counted anew: wallets pay or get back only the difference of the whole meter.

use super::count::Paid;
use crate::catalog::Pay;
use crate::kernel::{Exact, Rejection};
use crate::operations::usage::desk::tax_rate;
use crate::session::Session;
use crate::usage::{Meter, Metered, Part};
use crate::wallets::{Purse, Wallet};

/// Wallets pay the difference of the whole meter, or get it back; the invoice's side is the rest.
pub(super) fn settle(
    session: &Session<'_>,
    account: &str,
    id: &str,
    before: &Metered,
    paid: &Paid,
    mut meter: Meter,
) -> Result<(Meter, Vec<Part>, Option<Purse>), Rejection> {
    let total = meter.amount.plus(meter.burnt)?;
    let burnt = before.meter.burnt;
    let asked = match paid.pay {
        Pay::Invoice => Exact::ZERO,
        Pay::Wallet => total,
        // Wallets keep what they paid, as far as that much is still due, and are asked for what is new.
        Pay::WalletThenInvoice => {
            let new = total.minus(before.meter.amount.plus(burnt)?)?;
            burnt
                .plus(new.max(Exact::ZERO))?
                .min(total.max(Exact::ZERO))
        }
    };
    let difference = asked.minus(burnt)?;
    (meter.amount, meter.burnt) = (total.minus(burnt)?, burnt);
    if difference.is_zero() {
        return Ok((meter, vec![], None));
    }
    let mut purse = purse(session, account, id, paid)?;
    let target = paid.target();
    let parts = match (difference.is_negative(), paid.pay, &target) {
        (true, ..) => purse.give_back(difference.negated(), &before.paid, paid.on)?,
        (false, Pay::WalletThenInvoice, Some(target)) => {
            purse.draw_most(difference, paid.on, target)?.0
        }
        (false, _, Some(target)) => purse.draw(difference, paid.on, target)?,
        (false, _, None) => vec![],
    };
    let mut amounts = parts.iter().map(|p| p.amount);
    let sum = amounts.try_fold(Exact::ZERO, Exact::plus)?;
    (meter.amount, meter.burnt) = (meter.amount.minus(sum)?, burnt.plus(sum)?);
    Ok((meter, parts, Some(purse)))
}

pub(super) fn purse(
    session: &Session<'_>,
    account: &str,
    meter: &str,
    paid: &Paid,
) -> Result<Purse, Rejection> {
    let ids = session.index().wallets_of.get(account);
    let wallets = || {
        let ids = ids.into_iter().flatten();
        ids.filter_map(|id| session.find::<Wallet>(id).map(|e| (id, &e.state)))
    };
    let mut purse = Purse::new(wallets(), session.now());
    if purse.asks_for_tax() {
        let rate = tax_rate(session, account, &paid.tax_class, paid.on)?;
        let known = wallets().flat_map(|(id, w)| w.taxes_of(meter).iter().map(move |t| (id, t)));
        purse.tax(meter, rate, known);
    }
    Ok(purse)
}
