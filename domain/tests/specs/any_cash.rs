//! Random commands about money that comes in, matches, disputes, plans, deposits and transfers.

use crate::book::{Book, d, usd};
use crate::whatever_happens::Dice;
use indelible_domain::Command;
use indelible_domain::cash::{EarlyPayment, Rule, Rules, Tolerance};
use indelible_domain::command::{Exchange, ReceiveCash};
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::kernel::{Id, Money};
use indelible_domain::receivables::{Instalment, Receivables, RestOn, Source};

/// The state of a payer, or nothing.
fn payer(book: &Book, account: &str) -> Receivables {
    let entry = book.tenant().tables.receivables.get(account);
    entry.map(|e| e.state.clone()).unwrap_or_default()
}

/// Half of the time what is really there, so that half of them are not refused.
fn some(dice: &mut Dice, real: impl Iterator<Item = Money>, any: Money) -> Money {
    let real: Vec<Money> = real.filter(|m| m.is_positive()).collect();
    match usize::try_from(dice.roll(2 * real.len() as u64 + 1)) {
        Ok(at) => real.get(at).copied().unwrap_or(any),
        Err(_) => any,
    }
}

/// One random command of this kind; `n` makes its ids.
pub fn command(book: &Book, dice: &mut Dice, n: u64) -> Command {
    let (account, other) = if dice.roll(3) == 0 {
        ("carol", "alice")
    } else {
        ("alice", "carol")
    };
    let state = payer(book, account);
    let (account, to) = (account.to_string(), other.to_string());
    let reason = String::from("chance");
    let any = usd(&dice.amount());
    let open: Vec<Id> = state.open_items().map(|i| i.invoice.clone()).collect();
    let invoice = dice.one_of(open.iter().cloned()).unwrap_or_default();
    let credits = state.funds.iter().filter(|f| f.unapplied.is_positive());
    let credits: Vec<Source> = credits.map(|f| f.source.clone()).take(2).collect();
    let amount = some(dice, state.funds.iter().map(|f| f.unapplied), any);
    let deposit = dice
        .one_of(state.deposits.keys().cloned())
        .unwrap_or_default();
    let part = (dice.roll(2) == 0).then_some(any);
    match dice.roll(20) {
        0..=2 => Command::ReceiveCash(Box::new(receive(book, dice, n, &state, &invoice))),
        3 => {
            let desk = book
                .tenant()
                .tables
                .cash
                .get("arms")
                .map(|e| e.state.clone());
            let waiting = desk.unwrap_or_default().unallocated;
            let payment = dice.one_of(waiting.keys().cloned()).unwrap_or_default();
            if dice.roll(6) == 0 {
                return Command::ReturnCash {
                    entity: "arms".into(),
                    payment,
                    reason,
                };
            }
            let foreign = waiting.get(&payment).map(|r| r.amount.currency);
            let exchange = Exchange {
                rate: "1.07".parse().expect("rate"),
                settles: part,
            };
            Command::AllocateCash {
                entity: "arms".into(),
                payment,
                account,
                invoices: open.into_iter().take(1).collect(),
                exchange: foreign.filter(|c| *c != any.currency).map(|_| exchange),
            }
        }
        4 => Command::SetCashRules {
            entity: "arms".into(),
            rules: rules(dice),
        },
        5 | 6 => {
            let rest_on = (dice.roll(2) == 0).then_some(RestOn::Invoice(invoice));
            Command::MatchItems {
                account,
                invoices: open.into_iter().take(2).collect(),
                credits,
                rest_on,
            }
        }
        7 | 8 => {
            let applied = state.funds.iter().flat_map(|f| &f.applied);
            let invoice = dice.one_of(applied.map(|a| a.invoice.clone()));
            Command::UnmatchItem {
                account,
                invoice: invoice.unwrap_or_default(),
                source: None,
            }
        }
        9 => Command::ReleaseCredit { account },
        10 => Command::TransferCredit {
            transfer: format!("t{n}"),
            from: account,
            to,
            amount,
            reason,
        },
        11 => Command::TransferDebt {
            transfer: format!("t{n}"),
            invoice,
            from: account,
            to,
            amount: part,
            reason,
        },
        12 => Command::RefundCredit {
            refund: format!("b{n}"),
            account,
            amount,
            reason,
        },
        13 => Command::DisputeItem {
            dispute: format!("d{n}"),
            account,
            invoice,
            amount: part,
            reason,
        },
        14 => {
            let disputes = state.items.iter().flat_map(|i| &i.disputes);
            let dispute = dice.one_of(disputes.map(|d| d.id.clone()));
            Command::EndDispute {
                dispute: dispute.unwrap_or_default(),
                account,
                upheld: dice.roll(2) == 0,
                reason,
            }
        }
        15 => plan(book, dice, n, &state),
        16 => match dice.one_of(state.plans.keys().cloned()) {
            Some(plan) if dice.roll(4) == 0 => Command::CancelPlan {
                plan,
                account,
                reason,
            },
            _ => Command::CheckPlans { account },
        },
        17 if dice.roll(2) == 0 => Command::ReceiveDeposit {
            deposit: format!("h{n}"),
            account,
            amount: any,
            value_date: book.today,
            method: "transfer".into(),
        },
        17 => Command::TakeDeposit {
            deposit: format!("h{n}"),
            account,
            amount,
            reason,
        },
        18 => Command::ApplyDeposit {
            deposit,
            account,
            invoice: part.map(|_| invoice),
            amount: (dice.roll(2) == 0).then_some(any),
            reason,
        },
        _ => Command::ReturnDeposit {
            deposit,
            account,
            amount: part,
            reason,
        },
    }
}

/// Money that names an invoice or nobody, in one of two currencies, often nearly enough.
fn receive(
    book: &Book,
    dice: &mut Dice,
    n: u64,
    state: &Receivables,
    invoice: &str,
) -> ReceiveCash {
    let item = state.item(invoice);
    let short = i128::from(dice.roll(3)) * 10;
    let amount = match item {
        Some(item) if item.open.minor > short => {
            Money::new(item.open.minor - short, item.open.currency)
        }
        _ => usd(&dice.amount()),
    };
    let foreign = dice.roll(8) == 0;
    ReceiveCash {
        payment: format!("m{n}"),
        entity: "arms".into(),
        account: None,
        amount: if foreign {
            "12.34 CHF".parse().expect("money")
        } else {
            amount
        },
        value_date: book.today,
        reference: item
            .filter(|_| dice.roll(4) > 0)
            .map(|i| i.number.clone())
            .unwrap_or_default(),
        payer: (dice.roll(4) == 0).then(|| "hash".into()),
        method: "transfer".into(),
    }
}

fn rules(dice: &mut Dice) -> Rules {
    let mut order = vec![Rule::Reference, Rule::ExactAmount, Rule::OldestDue];
    order.truncate(usize::try_from(dice.roll(3) + 1).expect("few"));
    Rules {
        order,
        tolerance: (dice.roll(2) == 0).then(|| Tolerance {
            amount: "0.20".parse().expect("amount"),
            percent: "10".parse().expect("percent"),
        }),
        discounts: vec![EarlyPayment {
            days: 10,
            percent: "2".parse().expect("percent"),
        }],
    }
}

fn plan(book: &Book, dice: &mut Dice, n: u64, state: &Receivables) -> Command {
    let invoices = state.open_items().filter(|i| i.plan.is_none());
    let invoices: Vec<_> = invoices.take(2).collect();
    let total = Money::sum(usd("0").currency, invoices.iter().map(|i| i.undisputed()));
    let parts = total.allocate(&[1, 1, 1]).unwrap_or_default();
    let instalments = parts.into_iter().zip(1..).map(|(amount, i)| Instalment {
        due: add_days(book.today, i * 7),
        amount,
    });
    Command::AgreePlan {
        plan: format!("l{n}"),
        account: "alice".into(),
        invoices: invoices.iter().map(|i| i.invoice.clone()).collect(),
        instalments: instalments.filter(|i| i.amount.is_positive()).collect(),
        grace_days: u32::try_from(dice.roll(5)).expect("few"),
    }
}

#[test]
fn an_instalment_in_the_past_is_refused() {
    let mut book = Book::new();
    let invoice = book.invoice("30.00");
    let ask = Command::AgreePlan {
        plan: "p1".into(),
        account: "alice".into(),
        invoices: vec![invoice],
        instalments: vec![Instalment {
            due: d("2012-04-30"),
            amount: usd("30.00"),
        }],
        grace_days: 0,
    };
    assert_eq!(book.refused(ask), "PLAN_INVALID");
}
