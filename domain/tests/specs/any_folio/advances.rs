//! Advances: asked for, requested, paid, invoiced, given back; and which of them a payment covers.

use super::documents::folio_of;
use super::{History, currency};
use indelible_domain::Command;
use indelible_domain::advances::{Rest, Terms, Wanted};
use indelible_domain::invoices::Kind;
use indelible_domain::kernel::Money;
use std::collections::BTreeSet;

/// Asked for before the supply, and not invoiced yet.
pub(super) struct Request {
    pub(super) advance: String,
    pub(super) folio: String,
    pub(super) seller: &'static str,
    /// Class of tax and amount.
    pub(super) lines: Vec<(&'static str, Money)>,
    /// What has to come in.
    pub(super) total: Money,
}

impl History {
    /// An advance for a sale, or for all of its folio, is invoiced or requested.
    pub(super) fn ask_advance(&mut self, request: bool) {
        let (at, id) = (self.dice.of(self.sold.len()), self.id("a"));
        let owed = currency(&self.sold[at].folio.0);
        let mut wanted = Vec::new();
        for class in ["standard", "reduced"] {
            if self.dice.below(3) > 0 {
                let minor = i128::from(1 + self.dice.below(9000));
                wanted.push((class, Money::new(minor, owed)));
            }
        }
        let line = |(class, amount): &(&str, Money)| Wanted {
            text: "in advance".into(),
            amount: *amount,
            tax_class: class.to_string(),
        };
        let own = self.dice.below(2) == 0;
        let terms = Box::new(Terms {
            account: self.folio(at),
            subscription: own.then(|| self.sold[at].id.clone()),
            order: None,
            lines: wanted.iter().map(line).collect(),
            once_paid: self.dice.below(4) == 0,
        });
        let advance = id.clone();
        let ask = match request {
            true => Command::RequestAdvance { advance, terms },
            false => Command::AskAdvance { advance, terms },
        };
        if !self.try_it(ask) {
            return;
        }
        if request {
            let seller = self.sold[at].folio.1;
            let asked = Request {
                advance: id.clone(),
                folio: self.folio(at),
                seller,
                total: self.taxed(seller, &wanted),
                lines: wanted,
            };
            let made = &self.document(&format!("advance.{id}.request")).document;
            assert_eq!((made.kind, made.total), (Kind::AdvanceRequest, asked.total));
            self.requests.push(asked);
        }
        self.advances.push(id);
    }

    /// Which requests a payment makes invoices of: the one that it names, if it brings all of it; then, of what nothing else is
    /// owed, the oldest that it brings all of.
    pub(super) fn covers(&self, folio: &str, paid: Money, named: Option<&str>) -> BTreeSet<String> {
        let own = || self.requests.iter().filter(|r| r.folio == folio);
        let named = own().find(|r| {
            let id = format!("advance.{}.request", r.advance);
            named == Some(&id) && r.total.minor <= paid.minor
        });
        let mut free = paid.minus(self.owed(folio, paid.currency));
        let mut made = BTreeSet::new();
        let mut take = |request: &Request, free: &mut Money| {
            *free = free.minus(self.taxed(request.seller, &request.lines));
            made.insert(request.advance.clone());
        };
        if let Some(named) = named {
            take(named, &mut free);
        }
        for request in own().filter(|r| named.is_none_or(|n| n.advance != r.advance)) {
            if request.total.minor <= free.minor {
                take(request, &mut free);
            }
        }
        made
    }

    /// A request became an invoice, with the tax of today.
    pub(super) fn invoiced(&mut self, advance: &str) {
        let at = self.requests.iter().position(|r| r.advance == advance);
        let request = self.requests.remove(at.expect("it waited"));
        let made = self.document(&format!("advance.{advance}"));
        let total = self.taxed(request.seller, &request.lines);
        assert_eq!(
            (made.document.kind, made.document.total),
            (Kind::AdvanceInvoice, total),
            "{advance} is taxed as of its invoice"
        );
        assert_eq!(folio_of(made), request.folio);
        self.invoiced += 1;
    }

    /// A request is invoiced without waiting for money, or is not there any more.
    pub(super) fn invoice_request(&mut self) {
        let Some(advance) = self.some_advance() else {
            return;
        };
        let invoice = Command::InvoiceAdvance {
            advance: advance.clone(),
        };
        let waits = self.requests.iter().any(|r| r.advance == advance);
        assert_eq!(self.try_it(invoice), waits, "what waits can be invoiced");
        if waits {
            self.invoiced(&advance);
        }
    }

    /// Part of a line of an advance's document is given back, or all of it that is left.
    pub(super) fn credit_advance(&mut self) {
        let Some(advance) = self.some_advance() else {
            return;
        };
        let known = &self.book.tenant().tables.advances[advance.as_str()].state;
        let Some(left) = known.rest().into_iter().next() else {
            return;
        };
        let minor = i128::from(1 + self.dice.below(i64::try_from(left.net.minor).expect("few")));
        let (note, part) = (self.id("n"), Money::new(minor, left.net.currency));
        self.try_it(Command::CreditInvoice {
            note,
            invoice: format!("advance.{advance}"),
            parts: vec![(1, Some(part))],
            reason: "less".into(),
        });
    }

    pub(super) fn some_advance(&mut self) -> Option<String> {
        let known = self.advances.len();
        (known > 0).then(|| self.advances[self.dice.of(known)].clone())
    }

    pub(super) fn close(&mut self, advance: String) -> bool {
        let done = self.try_it(Command::CloseAdvance {
            advance: advance.clone(),
            rest: Rest::Credit,
            reason: "over".into(),
        });
        if done {
            self.requests.retain(|r| r.advance != advance);
        }
        done
    }
}
