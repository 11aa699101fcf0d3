//! Commitments of folios, counted month by month and compared with what was billed for them.

use super::documents::folio_of;
use super::sales::OFFERS;
use super::{History, currency, within};
use crate::book::d;
use crate::dice::Dice;
use indelible_domain::Command;
use indelible_domain::charges::What;
use indelible_domain::commitments::Agreed;
use indelible_domain::invoices::Stage;
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::kernel::{Date, Days, Exact, Money, Span};

/// What was agreed for a folio.
pub(super) struct Committed {
    pub(super) folio: String,
    pub(super) id: String,
    pub(super) min: Option<i128>,
    pub(super) max: Option<i128>,
    pub(super) from: Date,
    pub(super) until: Option<Date>,
    pub(super) offers: Vec<String>,
}

impl Committed {
    /// Its months that are over on a day, and how many days the whole ones have.
    pub(super) fn months(&self, on: Date) -> Vec<(Days, i64)> {
        let mut months = Vec::new();
        let mut n = 0;
        loop {
            let from = Span::months(n).after(self.from);
            let whole = Days::new(from, Span::months(n + 1).after(self.from));
            let until = self.until.map_or(whole.until, |end| end.min(whole.until));
            if until <= from || until > on {
                return months;
            }
            months.push((Days::new(from, until), whole.count()));
            n += 1;
        }
    }
}

impl History {
    pub(super) fn commit(&mut self) {
        let (at, id) = (self.dice.of(self.sold.len()), self.id("c"));
        let scale = currency(&self.sold[at].folio.0).scale();
        let bound = |dice: &mut Dice| match dice.below(3) > 0 {
            // A yen is no cent.
            true => Some(i128::from(dice.below(120)) * scale.max(50)),
            false => None,
        };
        let offers = match self.dice.below(3) {
            0 => vec![OFFERS[self.dice.of(OFFERS.len())].0.to_string()],
            _ => vec![],
        };
        let agreed = Committed {
            folio: self.folio(at),
            min: bound(&mut self.dice),
            max: bound(&mut self.dice),
            from: self.about().max(d("2012-01-01")),
            until: None,
            offers,
            id,
        };
        let written = |minor: i128| {
            let money = Money::new(minor, currency(&self.sold[at].folio.0));
            money.amount().parse().expect("a number")
        };
        let ask = Command::AgreeCommitment {
            account: agreed.folio.clone(),
            agreed: Box::new(Agreed {
                id: agreed.id.clone(),
                name: "At least".into(),
                min: agreed.min.map(written),
                max: agreed.max.map(written),
                every: Span::months(1),
                from: agreed.from,
                until: None,
                offers: agreed.offers.clone(),
                tax_class: "standard".into(),
            }),
        };
        if self.try_it(ask) {
            self.committed.push(agreed);
        }
    }

    pub(super) fn end_commitment(&mut self) {
        if self.committed.is_empty() {
            return;
        }
        // Also on a day before months that were billed.
        let days = self.dice.below(100) - 80;
        let on = add_days(self.book.today, days);
        let at = self.dice.of(self.committed.len());
        let end = Command::EndCommitment {
            account: self.committed[at].folio.clone(),
            commitment: self.committed[at].id.clone(),
            on: Some(on),
        };
        if self.try_it(end) {
            let known = &mut self.committed[at].until;
            *known = Some(known.map_or(on, |until| until.min(on)));
        }
    }

    /// What a month of a commitment asks for beyond what was used is billed, once, in the currency of its folio.
    pub(super) fn check_commitment(&self, agreed: &Committed) -> Result<(), String> {
        let of_folio: Vec<usize> = (0..self.sold.len())
            .filter(|at| self.folio(*at) == agreed.folio)
            .collect();
        let owed = of_folio.first().map(|at| currency(&self.sold[*at].folio.0));
        let owed = owed.expect("it was agreed for the folio of a sale");
        let (mut least, mut most, mut months) = (Exact::ZERO, Exact::ZERO, 0);
        for (days, whole) in agreed.months(self.ran) {
            let (mut low, mut high) = (Exact::ZERO, Exact::ZERO);
            for sold in of_folio.iter().map(|at| &self.sold[*at]) {
                let known = &self.book.tenant().tables.subscriptions[sold.id.as_str()].state;
                let cuts: Vec<Date> = known.terms.iter().map(|t| t.from).collect();
                let (from, until) = sold.counted(days, &agreed.offers, &cuts);
                let rate = match (sold.currency() == owed, sold.currency().code()) {
                    (true, _) => Exact::ratio(1, 1),
                    (false, _) if !self.fixed => return Ok(()),
                    (false, "JPY") => Exact::ratio(67, 10_000),
                    (false, _) => Exact::ratio(5, 4),
                };
                let worth = |sum: Exact| sum.times(rate.clone().expect("fits")).expect("fits");
                low = low.plus(worth(from)).expect("fits");
                high = high.plus(worth(until)).expect("fits");
            }
            let bound = |minor: i128| {
                let whole_month = Exact::ratio(minor, owed.scale()).expect("fits");
                let share = whole_month.share(days.count().into(), whole.into());
                share.expect("fits")
            };
            // More used lacks less and exceeds more: either way the sum only falls.
            let asked = |used: Exact| {
                let lacks = agreed.min.map_or(Exact::ZERO, |min| {
                    bound(min).minus(used).expect("fits").max(Exact::ZERO)
                });
                let beyond = agreed.max.map_or(Exact::ZERO, |max| {
                    bound(max).minus(used).expect("fits").min(Exact::ZERO)
                });
                lacks.plus(beyond).expect("fits")
            };
            least = least.plus(asked(high)).expect("fits");
            most = most.plus(asked(low)).expect("fits");
            months += 1;
        }
        let mut billed = Exact::ZERO;
        let all = self.invoices().map(|(_, i)| i);
        let stand = all.filter(|i| i.stage == Stage::Finalised);
        for (invoice, line) in stand.flat_map(|i| i.document.lines.iter().map(move |l| (i, l))) {
            let (What::TrueUp { commitment, .. } | What::Cap { commitment, .. }) = &line.what
            else {
                continue;
            };
            if *commitment != agreed.id {
                continue;
            }
            if folio_of(invoice) != agreed.folio {
                return Err(format!("{} is billed on {}", agreed.id, folio_of(invoice)));
            }
            billed = billed.plus(line.net.exact()).expect("fits");
        }
        let off = Exact::ratio(months, owed.scale()).expect("fits");
        within(
            &format!("commitment {}", agreed.id),
            billed,
            least,
            most,
            off,
        )
    }
}
