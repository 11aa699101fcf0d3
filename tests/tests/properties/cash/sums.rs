//! What must be true of all cash, from nothing but what was accepted.

use super::currency;
use indelible_domain::journal::{self, Ledger as Account};
use indelible_domain::kernel::{Currency, Id, Money};
use indelible_domain::receivables::{Fund, Item, Receivables, Source};
use indelible_domain::world::Tenant;
use std::collections::BTreeMap;

/// What is known of a payment without looking at the books: what came, and what of it was asked back by its name.
#[derive(Clone, Debug)]
pub struct Paid {
    pub amount: Money,
    pub came: bool,
    pub returned: i128,
    pub charged_back: i128,
}

#[derive(Clone, Debug)]
pub struct Billed {
    pub payer: Id,
    pub total: Money,
    pub credited: i128,
    /// Most that is given up of it: paid or credited after that, less may be.
    pub written_off: i128,
    pub void: bool,
}

/// Sums of what was accepted, in minor units.
#[derive(Default)]
pub struct Sums {
    /// Open − credit − deposits, before what was allowed or given up.
    pub owed: BTreeMap<Currency, i128>,
    pub cash: BTreeMap<Currency, i128>,
    /// Money that nobody claimed yet.
    pub unclaimed: BTreeMap<Id, Money>,
    /// Credit that was given away.
    pub given: BTreeMap<Currency, i128>,
    /// Worth more than it settled.
    pub exchange: BTreeMap<Currency, i128>,
    /// Charges that are on no invoice, by payer.
    pub pending: BTreeMap<Id, i128>,
    pub payments: BTreeMap<Id, Paid>,
    pub invoices: BTreeMap<Id, Billed>,
}

pub fn add(to: &mut BTreeMap<Currency, i128>, amount: Money) {
    *to.entry(amount.currency).or_default() += amount.minor;
}

impl Sums {
    /// Money of a payer came.
    pub fn came(&mut self, amount: Money) {
        add(&mut self.cash, amount);
        add(&mut self.owed, amount.negated());
    }

    pub fn went(&mut self, amount: Money) {
        self.came(amount.negated());
    }
}

pub fn contradictions(sums: &Sums, tenant: &Tenant) -> Vec<String> {
    let mut broken = Vec::new();
    let mut stands: BTreeMap<(Account, Currency), i128> = BTreeMap::new();
    for balance in journal::trial_balance(&tenant.tables) {
        let net = balance.net();
        *stands.entry((balance.account, net.currency)).or_default() += net.minor;
    }
    let [
        mut open,
        mut credit,
        mut deposits,
        mut allowed,
        mut lost,
        mut unclaimed,
    ] = std::array::from_fn(|_| BTreeMap::new());
    for entry in tenant.tables.receivables.values() {
        let state = &entry.state;
        for item in &state.items {
            add(&mut open, item.open);
            add(&mut lost, item.written_off);
            for allowance in &item.allowances {
                add(&mut allowed, allowance.amount);
            }
            item_within(sums, state, item, &mut broken);
        }
        for fund in &state.funds {
            add(&mut credit, fund.unapplied.negated());
            spent_once(sums, fund, &mut broken);
        }
        for deposit in state.deposits.values() {
            add(&mut deposits, deposit.left.negated());
        }
    }
    for amount in sums.unclaimed.values() {
        add(&mut unclaimed, amount.negated());
    }
    for code in ["EUR", "USD", "CHF"].map(currency) {
        let of = |map: &BTreeMap<Currency, i128>| map.get(&code).copied().unwrap_or_default();
        let stands = |account| stands.get(&(account, code)).copied().unwrap_or_default();
        let said = [
            (
                "what is owed, with what was allowed and given up",
                of(&open) + of(&credit) + of(&deposits) + of(&allowed) + of(&lost),
                of(&sums.owed),
            ),
            ("receivable", stands(Account::Receivable), of(&open)),
            ("credit", stands(Account::CustomerCredit), of(&credit)),
            ("deposits", stands(Account::DepositsHeld), of(&deposits)),
            (
                "unclaimed",
                stands(Account::UnallocatedCash),
                of(&unclaimed),
            ),
            ("cash", stands(Account::Cash), of(&sums.cash)),
            ("bad debt", stands(Account::BadDebt), of(&lost)),
            ("goodwill", stands(Account::Goodwill), of(&sums.given)),
            (
                "exchange",
                stands(Account::ExchangeGain) + stands(Account::ExchangeLoss),
                -of(&sums.exchange),
            ),
            (
                "allowances",
                stands(Account::PaymentDifference) + stands(Account::EarlyPayment),
                of(&allowed),
            ),
            ("transfers", stands(Account::Transfers), 0),
        ];
        let wrong = said.iter().filter(|(_, books, known)| books != known);
        broken.extend(wrong.map(|(what, books, known)| {
            format!("{what} in {code}: the books say {books}, it is {known}")
        }));
    }
    broken
}

/// Open + given up + paid + allowed is the total, less credit notes as far as they were not paid out as credit.
fn item_within(sums: &Sums, state: &Receivables, item: &Item, broken: &mut Vec<String>) {
    let Some(billed) = sums
        .invoices
        .get(&item.invoice)
        .filter(|b| b.total == item.total)
    else {
        // A debt that was taken over has a total of its own.
        return;
    };
    let applied = state.funds.iter().flat_map(|f| &f.applied);
    let applied = applied.filter(|a| a.invoice == item.invoice);
    let applied: i128 = applied.map(|a| a.amount.minor).sum();
    let allowed: i128 = item.allowances.iter().map(|a| a.amount.minor).sum();
    let known = item.open.minor + item.written_off.minor + applied + allowed;
    let most = if billed.void { 0 } else { billed.total.minor };
    let least = if billed.void {
        0
    } else {
        most - billed.credited
    };
    if !(least..=most).contains(&known)
        || item.open.minor < 0
        || !(0..=billed.written_off).contains(&item.written_off.minor)
    {
        broken.push(format!(
            "{} of {}, credited {}: {} open, {} written off, {applied} paid, {allowed} allowed",
            item.invoice, billed.total, billed.credited, item.open, item.written_off
        ));
    }
}

/// No payment pays more than came of it and stayed.
fn spent_once(sums: &Sums, fund: &Fund, broken: &mut Vec<String>) {
    let Source::Payment(payment) = &fund.source else {
        return;
    };
    let applied: i128 = fund.applied.iter().map(|a| a.amount.minor).sum();
    let left = sums.payments.get(payment).filter(|p| p.came);
    let left = left.map_or(0, |p| p.amount.minor - p.returned - p.charged_back);
    if applied > left || fund.unapplied.minor < 0 {
        broken.push(format!(
            "{payment} pays {applied} and has {} left, {left} of it are here",
            fund.unapplied
        ));
    }
}
