//! What is sold: subscriptions, their changes and their calls, counted day by day and compared with charges and documents.

use super::{History, currency, within};
use crate::book::d;
use indelible_domain::Command;
use indelible_domain::charges::What;
use indelible_domain::command::{ChangeSubscription, Effective, StartSubscription};
use indelible_domain::invoices::{Invoice, Line, Stage};
use indelible_domain::invoicing::Currencies;
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::kernel::{Currency, Date, Days, Exact, Grid, Span, Zone};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::subscriptions::Unused;
use std::collections::{BTreeMap, BTreeSet};

/// Code, currency, fee and price of a call in minor units, seller.
pub(super) const OFFERS: [(&str, &str, i128, i128, &str); 6] = [
    ("local", "USD", 2990, 7, "arms"),
    ("plan", "EUR", 4550, 11, "arms"),
    ("grand", "EUR", 8125, 13, "arms"),
    ("yen", "JPY", 3100, 9, "arms"),
    ("hosting", "EUR", 1710, 3, "legs"),
    ("purse", "USD", 990, 5, "arms"),
];

/// Whose calls wallets pay as far as they can.
const PURSE: &str = "purse";

pub(super) fn offers() -> String {
    let offer = |(code, currency, fee, call, _): &(&str, &str, i128, i128, &str)| {
        let pay = match *code == PURSE {
            true => "wallet_then_invoice",
            false => "invoice",
        };
        let places = if *currency == "JPY" { 0 } else { 2 };
        let written = |minor: i128| match places {
            0 => minor.to_string(),
            _ => format!("{}.{:02}", minor / 100, minor % 100),
        };
        format!(
            r#"
[[offer]]
code = "{code}"
name = "{code}"
currency = "{currency}"
[[offer.recurring]]
code = "fee"
name = "fee"
price = {{ per_unit = "{}" }}
every = "1 month"
align = "billing_day"
[[offer.usage]]
code = "calls"
name = "calls"
metric = "calls"
unit = "call"
every = "1 month"
align = "billing_day"
tax_class = "reduced"
pay = "{pay}"
price = {{ per_unit = "{}" }}
"#,
            written(*fee),
            written(*call)
        )
    };
    OFFERS.iter().map(offer).collect()
}

/// One aspect of a sale: what it is from which day on.
struct Aspect<T>(Vec<(Date, T)>);

impl<T: Copy + PartialEq> Aspect<T> {
    pub(super) fn on(&self, day: Date) -> T {
        let begun = self.0.iter().rev().find(|(from, _)| *from <= day);
        begun.unwrap_or(&self.0[0]).1
    }

    /// `value` from a day on, up to the next day on which it becomes another.
    pub(super) fn set(&mut self, from: Date, value: T) {
        self.0.retain(|(day, _)| *day != from);
        self.0.push((from, value));
        self.0.sort_by_key(|(day, _)| *day);
        self.0.dedup_by(|later, earlier| later.1 == earlier.1);
    }
}

/// What was sold, by day.
pub(super) struct Sold {
    pub(super) id: String,
    pub(super) start: Date,
    billing_day: u32,
    offer: Aspect<usize>,
    quantity: Aspect<i64>,
    /// Every offer that it ever had.
    pub(super) had: BTreeSet<usize>,
    pub(super) end: Option<Date>,
    /// Day and number of calls.
    pub(super) calls: Vec<(Date, i64)>,
    /// Where its documents are to be.
    pub(super) folio: (String, &'static str),
}

impl Sold {
    pub(super) fn currency(&self) -> Currency {
        currency(OFFERS[self.offer.0[0].1].1)
    }

    fn grid(&self) -> Grid {
        Grid::billing_day(self.start, self.billing_day, Span::months(1))
    }

    /// What a day's fee is.
    fn fee(&self, day: Date) -> Exact {
        let (offer, quantity) = (self.offer.on(day), self.quantity.on(day));
        let whole = i128::from(self.grid().period(day).count());
        let minor = OFFERS[offer].2 * i128::from(quantity);
        let fee = Exact::ratio(minor, self.currency().scale()).expect("fits");
        fee.share(1, whole).expect("fits")
    }

    /// What calls cost under an offer.
    fn price(&self, offer: usize, calls: i64) -> Exact {
        let minor = OFFERS[offer].3 * i128::from(calls);
        Exact::ratio(minor, self.currency().scale()).expect("fits")
    }

    /// What calls that nobody knows the offer of cost at most.
    fn dearest(&self, calls: i64) -> Exact {
        let held = self.had.iter().map(|offer| self.price(*offer, calls));
        held.max().expect("an offer")
    }

    pub(super) fn runs(&self, day: Date) -> bool {
        day >= self.start && self.end.is_none_or(|end| day < end)
    }

    /// What every day comes to, in the currency of the sale: fees; calls at least and at most.
    pub(super) fn count(&self) -> (Exact, Exact, Exact) {
        let mut fees = Exact::ZERO;
        let mut day = self.start;
        while self.runs(day) {
            fees = fees.plus(self.fee(day)).expect("fits");
            day = add_days(day, 1);
        }
        let (mut least, mut most) = (Exact::ZERO, Exact::ZERO);
        for (day, calls) in &self.calls {
            match self.runs(*day) {
                true => {
                    let cost = self.price(self.offer.on(*day), *calls);
                    least = least.plus(cost).expect("fits");
                    most = most.plus(cost).expect("fits");
                }
                // What was rated stays rated, at the price of an offer it had.
                false => most = most.plus(self.dearest(*calls)).expect("fits"),
            }
        }
        (fees, least, most)
    }

    /// What a commitment of these days counts of it, at least and at most: its fees day by day, and calls of periods that end
    /// after the first of the days and not after the last. `cuts`: the days on which its contract was changed.
    pub(super) fn counted(&self, days: Days, offers: &[String], cuts: &[Date]) -> (Exact, Exact) {
        let counts = |day: Date| {
            let code = OFFERS[self.offer.on(day)].0;
            offers.is_empty() || offers.iter().any(|o| o == code)
        };
        let mut sum = Exact::ZERO;
        let mut day = days.from;
        while day < days.until {
            if self.runs(day) && counts(day) {
                sum = sum.plus(self.fee(day)).expect("fits");
            }
            day = add_days(day, 1);
        }
        let mut most = sum;
        for (day, calls) in &self.calls {
            if !self.runs(*day) {
                most = most.plus(self.dearest(*calls)).expect("fits");
                continue;
            }
            let cut = cuts.iter().copied().filter(|cut| cut > day).min();
            let ends = [Some(self.grid().period(*day).until), cut, self.end];
            let until = ends.into_iter().flatten().min().expect("an end");
            if counts(*day) && days.from < until && until <= days.until {
                let cost = self.price(self.offer.on(*day), *calls);
                sum = sum.plus(cost).expect("fits");
                most = most.plus(cost).expect("fits");
            }
        }
        (sum, most)
    }
}

impl History {
    pub(super) fn start(&mut self) {
        let (offer, account) = (
            self.dice.of(OFFERS.len()),
            ["alice", "carol"][self.dice.of(2)],
        );
        let id = self.id("s");
        let from = add_days(self.book.today, self.dice.below(40) - 25).max(d("2012-01-01"));
        let billing_day = u32::try_from(1 + self.dice.below(31)).expect("a day");
        let start = StartSubscription {
            subscription: id.clone(),
            account: account.into(),
            offer: OFFERS[offer].0.into(),
            quantity: 1.into(),
            from: Some(from),
            billing_day: Some(billing_day),
            overrides: BTreeMap::new(),
            trial: true,
            access: vec![],
        };
        assert!(
            self.try_it(Command::StartSubscription(Box::new(start))),
            "everything is sold"
        );
        let (_, sold, _, _, seller) = OFFERS[offer];
        let owed = match self.mode {
            Currencies::Sale => sold,
            Currencies::Account => "USD",
        };
        self.sold.push(Sold {
            id,
            start: from,
            billing_day,
            offer: Aspect(vec![(from, offer)]),
            quantity: Aspect(vec![(from, 1)]),
            had: [offer].into(),
            end: None,
            calls: vec![],
            folio: (owed.to_string(), seller),
        });
    }

    pub(super) fn change(&mut self) {
        let (at, from) = (self.dice.of(self.sold.len()), self.about());
        let (offer, quantity) = (self.dice.of(OFFERS.len()), 1 + self.dice.below(4));
        let same = OFFERS[offer].1 == self.sold[at].currency().code();
        let change = ChangeSubscription {
            subscription: self.sold[at].id.clone(),
            offer: Some(OFFERS[offer].0.into()),
            quantity: Some(quantity.into()),
            billing_day: None,
            overrides: BTreeMap::new(),
            effective: Effective::On(from),
            unused: Unused::CreditProrata,
        };
        if self.try_it(Command::ChangeSubscription(Box::new(change))) {
            assert!(same, "a sale keeps its currency");
            let sold = &mut self.sold[at];
            sold.offer.set(from, offer);
            sold.quantity.set(from, quantity);
            sold.had.insert(offer);
        }
    }

    pub(super) fn end(&mut self, at: usize, on: Date) {
        let end = Command::TerminateSubscription {
            subscription: self.sold[at].id.clone(),
            effective: Effective::On(on),
            unused: Unused::CreditProrata,
        };
        if self.try_it(end) {
            self.sold[at].end = Some(on);
        }
    }

    pub(super) fn call(&mut self) {
        let at = self.dice.of(self.sold.len());
        let day = add_days(self.book.today, -self.dice.below(20));
        if !self.sold[at].runs(day) {
            return;
        }
        let (batch, calls) = (self.id("b"), 1 + self.dice.below(60));
        let short = blake3::hash(batch.as_bytes());
        let key = <[u8; 16]>::try_from(&short.as_bytes()[..16]).expect("16 bytes");
        let record = UsageRecord {
            line: 1,
            key,
            content: key,
            corrects: false,
            metric: "calls".into(),
            access: format!("subscription:{}", self.sold[at].id),
            at: Zone::default().start_of(day),
            quantity: calls.into(),
            amount: None,
            attributes: BTreeMap::new(),
            raw: None,
        };
        let intake = Intake {
            batch,
            source: "test".into(),
            format: "api".into(),
            name: "test".into(),
            lines: vec![Received::Record(record)],
        };
        let done = self.book.ask(Command::IngestUsage(Box::new(intake)));
        let counts = done.expect("a batch").usage.expect("counts");
        assert_eq!(counts.rated, 1, "a call of a running day is rated");
        self.sold[at].calls.push((day, calls));
    }

    /// The folio of a sale, as others name it.
    pub(super) fn folio(&self, at: usize) -> String {
        let (owed, seller) = &self.sold[at].folio;
        match (owed.as_str(), *seller) {
            ("USD", "arms") => "alice".into(),
            (owed, "arms") => format!("alice~{owed}"),
            (owed, seller) => format!("alice~{owed}~{seller}"),
        }
    }

    /// Lines that bill something of a sale, on documents that stand.
    pub(super) fn lines<'h>(
        &'h self,
        sold: &'h Sold,
    ) -> impl Iterator<Item = (&'h Invoice, &'h Line)> {
        let stands = self
            .invoices()
            .map(|(_, i)| i)
            .filter(|i| i.stage == Stage::Finalised && i.document.corrects.is_none());
        let lines = stands.flat_map(|i| i.document.lines.iter().map(move |l| (i, l)));
        lines.filter(|(_, l)| l.subscription.as_ref() == Some(&sold.id))
    }

    /// What wallets paid of the calls of a sale.
    pub(super) fn burnt(&self, sold: &Sold) -> Exact {
        let meters = self.book.tenant().tables.usage.iter();
        let own = meters.filter(|(id, _)| id.split('/').next() == Some(sold.id.as_str()));
        own.map(|(_, e)| e.state.meter.burnt)
            .fold(Exact::ZERO, |sum, burnt| sum.plus(burnt).expect("fits"))
    }

    /// A sale was billed what its days cost, on its own folio.
    pub(super) fn check_sale(&self, sold: &Sold) -> Result<(), String> {
        let (fees, least, most) = sold.count();
        let scale = sold.currency().scale();
        let own = self.book.tenant().tables.charges.get(sold.id.as_str());
        let items = own.iter().flat_map(|e| e.state.items.iter());
        let (mut of_fees, mut of_calls, mut lines) = (Exact::ZERO, Exact::ZERO, 0);
        for item in items {
            if item.net.currency != sold.currency() {
                return Err(format!("{} remembers {}", sold.id, item.net));
            }
            let sum = match item.what {
                What::Usage { .. } => &mut of_calls,
                _ => &mut of_fees,
            };
            *sum = sum.plus(item.net.exact()).expect("fits");
            lines += 1;
        }
        // Wallets paid the rest.
        let of_calls = of_calls.plus(self.burnt(sold)).expect("fits");
        let off = Exact::ratio(lines, 2 * scale).expect("fits");
        within(&format!("fees of {}", sold.id), of_fees, fees, fees, off)?;
        within(&format!("calls of {}", sold.id), of_calls, least, most, off)?;
        let (owed, seller) = &sold.folio;
        let owed = currency(owed);
        let (mut billed, mut count) = (Exact::ZERO, 0);
        for (invoice, line) in self.lines(sold) {
            let document = &invoice.document;
            if (document.currency, document.entity.as_str()) != (owed, *seller) {
                return Err(format!(
                    "{} of {} {seller} is billed by {} in {}",
                    sold.id, owed, document.entity, document.currency
                ));
            }
            if (document.currency != sold.currency()) != line.converted.is_some() {
                return Err(format!("{}: a line is converted wrongly", sold.id));
            }
            billed = billed.plus(line.net.exact()).expect("fits");
            count += 1;
        }
        if count != lines {
            return Err(format!(
                "{}: {lines} lines are remembered, {count} stand",
                sold.id
            ));
        }
        let rate = match (sold.currency() == owed, sold.currency().code()) {
            (true, _) => Exact::ratio(1, 1),
            (false, _) if !self.fixed => return Ok(()),
            (false, "JPY") => Exact::ratio(67, 10_000),
            (false, _) => Exact::ratio(5, 4),
        };
        let rate = rate.expect("fits");
        // Half a unit for a line as sold, and half a unit of what it is converted to.
        let off = off.times(rate).expect("fits");
        let rounded = Exact::ratio(lines, 2 * owed.scale()).expect("fits");
        let off = off.plus(rounded).expect("fits");
        let burnt = self.burnt(sold);
        let worth = |sum: Exact| {
            let all = sum
                .plus(fees)
                .and_then(|all| all.minus(burnt))
                .expect("fits");
            all.times(rate).expect("fits")
        };
        let what = format!("documents of {}", sold.id);
        within(&what, billed, worth(least), worth(most), off)
    }
}
