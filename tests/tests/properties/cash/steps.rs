//! What a step asks for, and what it must do to the sums if it is accepted.

use super::sums::{Billed, Paid, Sums, add};
use super::{Effect, RATE, Step, Story};
use indelible_domain::Command;
use indelible_domain::cash::{EarlyPayment, Rule, Rules, Tolerance};
use indelible_domain::command::{Exchange, ReceiveCash};
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::kernel::{Currency, Id, Money};
use indelible_domain::receivables::{Instalment, Item, Receivables};

impl Story {
    /// One charge, drafted and finalised: without tax the total is what was asked for, and what a void set free.
    pub(super) fn billed(&mut self, payer: &str, currency: Currency) -> Step {
        let (invoice, charge, account) = (self.named("i"), self.named("c"), payer.to_string());
        let amount = self.amount(currency, None);
        let add_charge = Command::AddCharge {
            account: account.clone(),
            charge,
            text: "thing".into(),
            amount,
            on: None,
            tax_class: "standard".into(),
        };
        let draft = Command::DraftInvoice {
            invoice: invoice.clone(),
            account: account.clone(),
            as_of: None,
        };
        let finalise = Command::FinaliseInvoice {
            invoice: invoice.clone(),
        };
        let payer = account.clone();
        let charged: Effect = Box::new(move |sums| {
            *sums.pending.entry(payer).or_default() += amount.minor;
        });
        let issued: Effect = Box::new(move |sums| {
            let total = sums.pending.remove(&account).unwrap_or_default();
            let total = Money::new(total, currency);
            add(&mut sums.owed, total);
            let billed = Billed {
                payer: account,
                total,
                credited: 0,
                written_off: 0,
                void: false,
            };
            sums.invoices.insert(invoice, billed);
        });
        let steps = vec![
            (add_charge, charged),
            (draft, Box::new(|_: &mut Sums| {}) as Effect),
            (finalise, issued),
        ];
        ("invoice", steps)
    }

    /// Refunds, charge-backs, and charge-backs that are taken back.
    pub(super) fn reversed(&mut self) -> Option<Step> {
        let settled = self.sums.payments.iter().filter(|(_, p)| p.came);
        let settled: Vec<(Id, Paid)> = settled.map(|(id, p)| (id.clone(), p.clone())).collect();
        let (payment, known) = self.one_of(&settled)?;
        let left = known.amount.minor - known.returned - known.charged_back;
        let reason = String::from("chance");
        if known.charged_back > 0 && self.random.chance(50) {
            let amount = self.amount(known.amount.currency, Some(known.charged_back));
            let command = Command::ReverseChargeBack {
                payment: payment.clone(),
                amount: Some(amount),
                reason,
            };
            let effect: Effect = Box::new(move |sums| {
                sums.came(amount);
                sums.payments
                    .entry(payment)
                    .and_modify(|p| p.charged_back -= amount.minor);
            });
            return Some(("charge-back reversed", vec![(command, effect)]));
        }
        let amount = self.amount(known.amount.currency, Some(left));
        if self.random.chance(50) {
            let command = Command::RefundPayment {
                payment: payment.clone(),
                amount: Some(amount),
                reason,
            };
            let effect: Effect = Box::new(move |sums| {
                sums.went(amount);
                sums.payments
                    .entry(payment)
                    .and_modify(|p| p.returned += amount.minor);
            });
            return Some(("refund", vec![(command, effect)]));
        }
        let command = Command::ChargeBackPayment {
            payment: payment.clone(),
            amount: Some(amount),
            reason,
        };
        let effect: Effect = Box::new(move |sums| {
            sums.went(amount);
            sums.payments
                .entry(payment)
                .and_modify(|p| p.charged_back += amount.minor);
        });
        Some(("charge-back", vec![(command, effect)]))
    }

    /// Money by its text: nearly enough for an invoice, or francs, or of nobody known; or other rules from now on.
    pub(super) fn received(
        &mut self,
        payer: &str,
        currency: Currency,
        item: Option<&Item>,
    ) -> Option<Step> {
        if self.random.chance(20) {
            let decimal = |text: &str| text.parse().expect("a decimal");
            let rules = Rules {
                order: vec![Rule::Reference, Rule::ExactAmount, Rule::OldestDue],
                tolerance: self.random.chance(60).then(|| Tolerance {
                    amount: decimal("0.20"),
                    percent: decimal("10"),
                }),
                discounts: vec![EarlyPayment {
                    days: 10,
                    percent: decimal("2"),
                }],
            };
            let entity = "main".to_string();
            let command = Command::SetCashRules { entity, rules };
            return Some(("rules", vec![(command, Box::new(|_| {}))]));
        }
        let payment = self.named("m");
        let (amount, account) = if self.random.chance(25) {
            (Money::new(1234, super::currency("CHF")), None)
        } else if self.random.chance(25) {
            (self.amount(currency, None), None)
        } else {
            let short = i128::from(self.random.below(3)) * 10;
            let there = item.map(|i| i.open.minor - short);
            (self.amount(currency, there), Some(payer.to_string()))
        };
        let claimed = account.is_some();
        let command = Command::ReceiveCash(Box::new(ReceiveCash {
            payment: payment.clone(),
            entity: "main".into(),
            account,
            amount,
            value_date: self.today,
            reference: item
                .filter(|_| claimed)
                .map(|i| i.number.clone())
                .unwrap_or_default(),
            payer: None,
            method: "transfer".into(),
        }));
        let known = Paid {
            amount,
            came: true,
            returned: 0,
            charged_back: 0,
        };
        let effect: Effect = Box::new(move |sums| match claimed {
            true => {
                sums.came(amount);
                sums.payments.insert(payment, known);
            }
            false => {
                add(&mut sums.cash, amount);
                sums.unclaimed.insert(payment, amount);
            }
        });
        Some(("cash", vec![(command, effect)]))
    }

    /// Money that nobody claimed becomes somebody's, in his currency, or goes back.
    pub(super) fn waiting(
        &mut self,
        payer: &str,
        currency: Currency,
        open: &[Item],
    ) -> Option<Step> {
        let waiting: Vec<(Id, Money)> = self.sums.unclaimed.clone().into_iter().collect();
        let (payment, amount) = self.one_of(&waiting)?;
        let entity = "main".to_string();
        if self.random.chance(25) {
            let reason = String::from("chance");
            let command = Command::ReturnCash {
                entity,
                payment: payment.clone(),
                reason,
            };
            let effect: Effect = Box::new(move |sums| {
                add(&mut sums.cash, amount.negated());
                sums.unclaimed.remove(&payment);
            });
            return Some(("cash returned", vec![(command, effect)]));
        }
        let foreign = amount.currency != currency;
        // 12.34 francs are worth 13.2038, that is 13.20; anything else is in the payer's currency or refused.
        let worth = Money::new(if foreign { 1320 } else { amount.minor }, currency);
        let settles = if foreign && self.random.chance(50) {
            self.amount(currency, None)
        } else {
            worth
        };
        let exchange = Exchange {
            rate: RATE.parse().expect("a rate"),
            settles: (settles != worth).then_some(settles),
        };
        if foreign && amount != Money::new(1234, super::currency("CHF")) {
            return None;
        }
        let command = Command::AllocateCash {
            entity,
            payment: payment.clone(),
            account: payer.into(),
            invoices: open.iter().map(|i| i.invoice.clone()).take(1).collect(),
            exchange: foreign.then_some(exchange),
        };
        let known = Paid {
            amount: settles,
            came: true,
            returned: 0,
            charged_back: 0,
        };
        let effect: Effect = Box::new(move |sums| {
            // It leaves the box as it came and comes again as what it is worth.
            add(&mut sums.cash, amount.negated());
            add(&mut sums.cash, worth.minus(settles));
            add(&mut sums.exchange, worth.minus(settles));
            sums.came(settles);
            sums.unclaimed.remove(&payment);
            sums.payments.insert(payment, known);
        });
        Some(("cash allocated", vec![(command, effect)]))
    }

    pub(super) fn disputed(
        &mut self,
        payer: &str,
        state: &Receivables,
        item: Option<&Item>,
    ) -> Option<Step> {
        let (account, reason) = (payer.to_string(), String::from("chance"));
        let disputes = state.items.iter().flat_map(|i| &i.disputes);
        let disputes: Vec<Id> = disputes.map(|d| d.id.clone()).collect();
        if let Some(dispute) = self.one_of(&disputes).filter(|_| self.random.chance(50)) {
            let upheld = self.random.chance(50);
            let command = Command::EndDispute {
                dispute,
                account,
                upheld,
                reason,
            };
            return Some(("dispute ended", vec![(command, Box::new(|_| {}))]));
        }
        let item = item?;
        if self.random.chance(50) && item.plan.is_none() {
            let parts = item.undisputed().allocate(&[1, 1]).ok()?;
            let (today, plan) = (self.today, self.named("l"));
            let instalments = parts.into_iter().zip([10, 20]);
            let instalments = instalments.map(|(amount, days)| Instalment {
                due: add_days(today, days),
                amount,
            });
            let command = Command::AgreePlan {
                plan,
                account,
                invoices: vec![item.invoice.clone()],
                instalments: instalments.filter(|i| i.amount.is_positive()).collect(),
                grace_days: 2,
            };
            return Some(("plan", vec![(command, Box::new(|_| {}))]));
        }
        let amount = self
            .random
            .chance(50)
            .then_some(Money::new(1, item.open.currency));
        let command = Command::DisputeItem {
            dispute: self.named("d"),
            account,
            invoice: item.invoice.clone(),
            amount,
            reason,
        };
        Some(("dispute", vec![(command, Box::new(|_| {}))]))
    }

    pub(super) fn deposited(
        &mut self,
        payer: &str,
        currency: Currency,
        state: &Receivables,
        invoice: Id,
    ) -> Step {
        let (account, reason) = (payer.to_string(), String::from("chance"));
        let held: Vec<(Id, i128)> = state
            .deposits
            .iter()
            .map(|(id, d)| (id.clone(), d.left.minor))
            .collect();
        let held = self.one_of(&held);
        match (self.random.below(4), held) {
            (0, Some((deposit, left))) => {
                let amount = self.amount(currency, Some(left));
                let command = Command::ReturnDeposit {
                    deposit,
                    account,
                    amount: Some(amount),
                    reason,
                };
                let effect: Effect = Box::new(move |sums| sums.went(amount));
                ("deposit returned", vec![(command, effect)])
            }
            (1, Some((deposit, left))) => {
                let amount = Some(self.amount(currency, Some(left)));
                let invoice = Some(invoice).filter(|i| !i.is_empty() && self.random.chance(50));
                let command = Command::ApplyDeposit {
                    deposit,
                    account,
                    invoice,
                    amount,
                    reason,
                };
                ("deposit applied", vec![(command, Box::new(|_| {}))])
            }
            (2, _) => {
                let amount = self.amount(currency, Some(state.unapplied().minor));
                let command = Command::TakeDeposit {
                    deposit: self.named("h"),
                    account,
                    amount,
                    reason,
                };
                ("deposit taken", vec![(command, Box::new(|_| {}))])
            }
            _ => {
                let (deposit, amount) = (self.named("h"), self.amount(currency, None));
                let command = Command::ReceiveDeposit {
                    deposit: deposit.clone(),
                    account,
                    amount,
                    value_date: self.today,
                    method: "transfer".into(),
                };
                let known = Paid {
                    amount,
                    came: true,
                    returned: 0,
                    charged_back: 0,
                };
                let effect: Effect = Box::new(move |sums| {
                    sums.came(amount);
                    sums.payments.insert(deposit, known);
                });
                ("deposit received", vec![(command, effect)])
            }
        }
    }
}
