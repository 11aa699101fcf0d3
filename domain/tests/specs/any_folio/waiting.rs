//! Documents that wait for more, because they are small.

use super::sales::Sold;
use super::{History, currency};
use indelible_domain::Command;
use indelible_domain::command::InvoicingPlace;
use indelible_domain::invoicing::Split;
use indelible_domain::kernel::{Currency, Money};

impl History {
    pub(super) fn set_minimum(&mut self) {
        let who = ["alice", "arms", "legs"][self.dice.of(3)];
        let (code, most) = [("USD", 40_000), ("EUR", 40_000), ("JPY", 20_000)][self.dice.of(3)];
        let minimum = (self.dice.below(4) > 0).then(|| i128::from(self.dice.below(most)));
        let place = match who {
            "alice" => InvoicingPlace::Account(who.into()),
            seller => InvoicingPlace::Entity(seller.into()),
        };
        let written = |minor| {
            let amount = Money::new(minor, currency(code)).amount();
            amount.parse().expect("a number")
        };
        let set = Command::SetMinimum {
            place,
            currency: currency(code),
            minimum: minimum.map(written),
        };
        assert!(self.try_it(set), "a minimum is said");
        match minimum {
            Some(minimum) => self.minimums.insert((who, code), minimum),
            None => self.minimums.remove(&(who, code)),
        };
    }

    /// What documents of a seller in a currency wait for.
    fn minimum(&self, entity: &str, owed: Currency) -> i128 {
        let said = |who: &str| {
            let mut said = self.minimums.iter();
            said.find(|((of, code), _)| *of == who && *code == owed.code())
        };
        let found = said("alice").or_else(|| said(entity));
        found.map_or(0, |(_, minimum)| *minimum)
    }

    /// What waits is below its minimum while something runs on, and what does not wait is not.
    pub(super) fn check_waiting(&mut self, run: &str) {
        let runs_on = |sold: &Sold| sold.end.is_none_or(|end| end > self.ran);
        let waits = self.sold.iter().any(runs_on);
        let carried = &self.book.tenant().tables.runs[run].state.carried;
        let waiting = carried.len();
        for (folio, total) in carried {
            // Where nothing was made the run names the account, whichever folio of it waits.
            let sellers = match folio.ends_with("~legs") {
                true => &["legs"][..],
                false if folio == "alice" => &["arms", "legs"][..],
                false => &["arms"][..],
            };
            let minimums = sellers.iter().map(|s| self.minimum(s, total.currency));
            let minimum = minimums.max().unwrap_or_default();
            let small = total.is_positive() && total.minor < minimum;
            assert!(waits && small, "{folio} waits with {total} below {minimum}");
        }
        let made = self.invoices().map(|(_, i)| &i.document);
        for document in made.filter(|d| d.run.as_deref() == Some(run)) {
            let minimum = self.minimum(&document.entity, document.currency);
            let small = document.total.is_positive() && document.total.minor < minimum;
            let whole = self.split == Split::Whole;
            assert!(
                !(whole && waits && small),
                "{} of {} should wait for {minimum}",
                document.total,
                document.entity
            );
        }
        self.waited += waiting;
    }
}
