//! Rates of exchange, and the currency that documents are made in.

use super::{History, currency};
use indelible_domain::Command;
use indelible_domain::command::{InvoicingPlace, RateOfDay};
use indelible_domain::invoicing::Currencies;

impl History {
    /// Worth of euros and yen in dollars today.
    pub(super) fn tell_rates(&mut self) {
        let (euro, yen) = match self.fixed {
            true => (12_500, 67),
            false => (10_000 + self.dice.below(5000), 50 + self.dice.below(40)),
        };
        let on = self.book.today;
        let rate = |from: &str, of: i64| RateOfDay {
            from: currency(from),
            to: currency("USD"),
            on,
            rate: format!("0.{of:04}").parse().expect("a rate"),
            source: "told".into(),
        };
        let mut rates = vec![rate("JPY", yen)];
        let euro = format!("{}.{:04}", euro / 10_000, euro % 10_000);
        rates.push(RateOfDay {
            rate: euro.parse().expect("a rate"),
            ..rate("EUR", 0)
        });
        let entity = None;
        self.book
            .ask(Command::TellRates { entity, rates })
            .expect("are told");
    }

    pub(super) fn set_mode(&mut self) {
        self.mode = [Currencies::Account, Currencies::Sale][self.dice.of(2)];
        let set = Command::SetCurrencies {
            place: InvoicingPlace::Account("alice".into()),
            currencies: Some(self.mode),
        };
        assert!(self.try_it(set), "the currency of documents is said");
    }
}
