//! Documents and money: made, withdrawn and paid; what a folio owes is added up from their lines.

use super::History;
use super::advances::Request;
use crate::book::run as run_of;
use indelible_domain::Command;
use indelible_domain::charges::What;
use indelible_domain::command::RecordPayment;
use indelible_domain::invoices::{Invoice, Kind, Stage};
use indelible_domain::kernel::{Currency, Money, Rounding};
use indelible_domain::taxes::Answer;
use std::collections::{BTreeMap, BTreeSet};

/// A request asks for money, and nothing is owed by it.
pub(super) fn is_booked(invoice: &Invoice) -> bool {
    invoice.document.kind != Kind::AdvanceRequest
}

/// The folio of a document of alice.
pub(super) fn folio_of(invoice: &Invoice) -> String {
    let document = &invoice.document;
    match (document.currency.code(), document.entity.as_str()) {
        ("USD", "arms") => "alice".into(),
        (owed, "arms") => format!("alice~{owed}"),
        (owed, seller) => format!("alice~{owed}~{seller}"),
    }
}

impl History {
    pub(super) fn document(&self, id: &str) -> &Invoice {
        &self.book.tenant().tables.invoices[id].state
    }

    pub(super) fn invoices(&self) -> impl Iterator<Item = (&String, &Invoice)> {
        let all = self.book.tenant().tables.invoices.iter();
        all.map(|(id, e)| (id, &e.state))
    }

    /// What a folio owes, as its documents and what was paid say it: below zero it has credit.
    pub(super) fn owed(&self, folio: &str, owed: Currency) -> Money {
        let all = self.invoices().map(|(_, i)| i);
        let booked = all.filter(|i| i.stage == Stage::Finalised && is_booked(i));
        let own = booked.filter(|i| folio_of(i) == folio);
        let sum = Money::sum(owed, own.map(|i| i.document.total));
        let mut paid = self.paid.get(folio).copied().unwrap_or(Money::zero(owed));
        if folio == "alice" {
            paid = paid.plus(self.paid_by_wallet().expect("a wallet that adds up"));
        }
        sum.minus(paid)
    }

    pub(super) fn void(&mut self) {
        let all: Vec<String> = self.invoices().map(|(id, _)| id.clone()).collect();
        if all.is_empty() {
            return;
        }
        let recent = all.len().saturating_sub(6);
        let invoice = all[recent + self.dice.of(all.len() - recent)].clone();
        let done = self.try_it(Command::VoidInvoice {
            invoice: invoice.clone(),
            reason: "wrong".into(),
        });
        if done {
            let of = |r: &Request| format!("advance.{}.request", r.advance);
            self.requests.retain(|r| of(r) != invoice);
        }
    }

    pub(super) fn pay(&mut self) {
        let all: Vec<(String, Money, String)> = self
            .invoices()
            .filter(|(_, i)| i.stage == Stage::Finalised && i.document.total.is_positive())
            .map(|(id, i)| (id.clone(), i.document.total, folio_of(i)))
            .collect();
        if all.is_empty() {
            return;
        }
        let (invoice, total, folio) = all[self.dice.of(all.len())].clone();
        let minor = match self.dice.below(3) {
            0 => total.minor,
            1 => total.minor + i128::from(self.dice.below(20_000)),
            _ => 1 + i128::from(self.dice.below(8000)),
        };
        let (payment, amount) = (self.id("p"), Money::new(minor, total.currency));
        let named = self.dice.below(2) == 0;
        let covers = self.covers(&folio, amount, (!named).then_some(&*invoice));
        let purse = self.purse && folio == "alice";
        let pay = Command::RecordPayment(RecordPayment {
            payment: payment.clone(),
            account: if named { folio.clone() } else { "alice".into() },
            amount,
            invoice: (!named).then_some(invoice),
            method: "transfer".into(),
            pending: false,
        });
        if self.try_it(pay) {
            let went = &self.book.tenant().tables.payments[payment.as_str()].state;
            assert_eq!(went.account, folio, "money goes where it is owed");
            let zero = Money::zero(amount.currency);
            let paid = self.paid.entry(folio).or_insert(zero);
            *paid = paid.plus(amount);
            let waits = |r: &&Request| {
                let advance = &self.book.tenant().tables.advances[r.advance.as_str()];
                advance.state.waiting().is_none()
            };
            let gone = self.requests.iter().filter(waits);
            let gone: BTreeSet<String> = gone.map(|r| r.advance.clone()).collect();
            // Where a wallet pays what was invoiced, money is left that nothing was asked about.
            if !purse {
                assert_eq!(gone, covers, "{amount} pays requests");
            }
            for advance in gone {
                self.invoiced(&advance);
            }
        }
    }

    pub(super) fn run(&mut self) {
        let run = self.id("r");
        let failed = run_of(&mut self.book, &run).failed;
        assert!(failed.is_empty(), "{failed:?}");
        self.tale.push(format!("{} run {run}", self.book.today));
        self.ran = self.book.today;
        self.check_waiting(&run);
    }

    /// One folio is invoiced at once, or drafted.
    pub(super) fn now(&mut self) {
        let (at, invoice) = (self.dice.of(self.sold.len()), self.id("i"));
        let account = self.folio(at);
        let usage = self.dice.below(2) == 0;
        self.try_it(Command::InvoiceNow {
            invoice,
            account,
            usage,
        });
    }

    /// Every document of a folio, added up from its lines: net without advances, and the tax of that, are what all documents
    /// together ask for once no advance is open; and that is what is owed and was paid.
    pub(super) fn check_folio(&self, name: &str, documents: &[&Invoice]) -> Result<(), String> {
        let owed = documents[0].document.currency;
        let (mut net, mut tax) = (Money::zero(owed), Money::zero(owed));
        let (mut told_net, mut told_tax) = (net, tax);
        for invoice in documents {
            self.check_tax(invoice)?;
            let document = &invoice.document;
            told_net = told_net.plus(document.net);
            told_tax = told_tax.plus(document.tax);
            let mut groups: BTreeMap<&Answer, Money> = BTreeMap::new();
            for line in &document.lines {
                if !matches!(line.what, What::Advance { .. } | What::Deducted { .. }) {
                    let group = groups.entry(&line.tax).or_insert(Money::zero(owed));
                    *group = group.plus(line.net);
                }
            }
            for (answer, group) in groups {
                let exact = group.exact().times(answer.rate.into()).expect("fits");
                net = net.plus(group);
                tax = tax.plus(Money::round(exact, owed, Rounding::HalfUp).expect("fits"));
            }
        }
        if (told_net, told_tax) != (net, tax) {
            return Err(format!(
                "{name}: documents make {told_net} and tax {told_tax}, what was supplied is {net} and {tax}"
            ));
        }
        let mut paid = self.paid.get(name).copied().unwrap_or(Money::zero(owed));
        if name == "alice" {
            paid = paid.plus(self.paid_by_wallet()?);
        }
        let known = self.book.tenant().tables.receivables.get(name);
        let balance = known.map_or(Money::zero(owed), |e| e.state.balance());
        match balance == net.plus(tax).minus(paid) {
            true => Ok(()),
            false => Err(format!(
                "{name}: {balance} is owed of {net} and tax {tax}, {paid} was paid"
            )),
        }
    }
}
