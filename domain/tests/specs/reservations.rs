//! Credit control: what is reserved cannot be spent twice, and what is not used is as if it had never been reserved.

use crate::book::{Book, d, usd};
use crate::ingest::{self, intake, meter, record};
use crate::whatever_happens::Dice;
use indelible_domain::command::GrantWallet;
use indelible_domain::kernel::{Exact, Instant};
use indelible_domain::mediation::Event as BatchEvent;
use indelible_domain::processes::agenda;
use indelible_domain::reservations::{
    Action, Answer, Ask, Event as Fact, Kind, LastAction, Request, Served, Stage, Units, code,
};
use indelible_domain::wallets::Rollover;
use indelible_domain::{Command, Event, Outcome, Rejection, Session, operations};

/// 0.10 per minute; 10 MB free, then 1.00, from 20 MB on 2.00; 1.00 per song, all of them 0.40 from 10 songs on.
const OFFER: &str = r#"
[[offer]]
code = "line"
name = "Line"
currency = "USD"
[[offer.usage]]
code = "calls"
name = "Calls"
metric = "voice"
unit = "minute"
every = "1 month"
align = "calendar"
pay = "wallet"
price = { per_unit = "0.10" }
[[offer.usage]]
code = "data"
name = "Data"
metric = "data"
unit = "MB"
allowance = "10"
every = "1 month"
align = "calendar"
pay = "wallet"
price = { graduated = [{ up_to = "10", unit = "1" }, { unit = "2" }] }
[[offer.usage]]
code = "music"
name = "Music"
metric = "music"
unit = "song"
every = "1 month"
align = "calendar"
pay = "wallet"
price = { volume = [{ up_to = "10", unit = "1" }, { unit = "0.40" }] }
[[offer.usage]]
code = "posted"
name = "Postpaid"
metric = "posted"
unit = "piece"
every = "1 month"
align = "calendar"
price = { per_unit = "5" }
"#;

const DATA: &str = "line-1/data/2012-05-01";

/// A line with 10 USD, at noon of 2 May.
struct Net {
    book: Book,
    now: Instant,
}

fn net() -> Net {
    let mut book = ingest::book(OFFER);
    book.ask(Command::OpenWallet {
        wallet: "w".into(),
        account: "berta".into(),
        priority: 1,
    })
    .expect("opens");
    book.ask(Command::TopUpWallet {
        wallet: "w".into(),
        grant: "g".into(),
        amount: usd("10.00"),
        expires: None,
    })
    .expect("tops up");
    let now = "2012-05-02T12:00:00Z".parse().expect("an instant");
    book.today = d("2012-05-02");
    Net { book, now }
}

/// What is asked, from a short sentence: `service metric used requested`, 0 for nothing.
fn ask(text: &str) -> Ask {
    let parts: Vec<&str> = text.split(' ').collect();
    let units = |text: &str| {
        (text != "0").then(|| Units {
            quantity: text.parse().expect("a number"),
            amount: None,
        })
    };
    Ask {
        service: parts[0].into(),
        metric: parts[1].into(),
        used: units(parts[2]),
        requested: units(parts[3]),
        ..Ask::default()
    }
}

fn request(session: &str, number: u32, kind: Kind, asks: &[&str]) -> Request {
    Request {
        session: session.into(),
        number,
        kind,
        access: "no-1".into(),
        at: None,
        validity: None,
        last: LastAction::Terminate,
        strict: false,
        services: asks.iter().map(|text| ask(text)).collect(),
    }
}

impl Net {
    fn command(&mut self, command: Command) -> Result<Outcome, Rejection> {
        let mut session = Session::new(self.book.world.tenant("t"), self.now).with(&self.book.past);
        let outcome = operations::execute(&mut session, command)?;
        let (tables, events) = session.finish();
        self.book.world.absorb("t", tables, &events);
        self.book.past.absorb(&events);
        let said = events.into_iter().map(|s| (s.id.to_string(), s.event));
        self.book.log.extend(said);
        let broken = indelible_domain::audit::audit_at(self.book.tenant(), self.now);
        assert_eq!(broken, Vec::<String>::new());
        Ok(outcome)
    }

    fn try_ask(&mut self, request: Request) -> Result<Answer, Rejection> {
        let outcome = self.command(Command::ControlCredit(Box::new(request)))?;
        Ok(outcome.answer.expect("a request is answered"))
    }

    fn ask(&mut self, session: &str, number: u32, kind: Kind, asks: &[&str]) -> Answer {
        self.try_ask(request(session, number, kind, asks))
            .expect("it is answered")
    }

    fn begin(&mut self, session: &str, text: &str) -> Served {
        let answer = self.ask(session, 0, Kind::Initial, &[text]);
        answer.services[0].clone()
    }

    fn refused(&mut self, request: Request) -> String {
        let before = self.book.log.len();
        let code = self.try_ask(request).expect_err("a refusal").code;
        assert_eq!(self.book.log.len(), before, "a refusal stores nothing");
        code
    }

    fn seconds_later(&mut self, seconds: i64) {
        self.now = Instant(self.now.0 + seconds * 1_000_000);
    }

    /// What is left, and what of it can be spent.
    fn money(&self) -> (String, String) {
        let wallet = &self.book.tenant().tables.wallets["w"].state;
        let left = wallet.balance(self.book.today).to_string();
        let free = wallet.available(self.book.today, self.now).to_string();
        (left, free)
    }

    fn stage(&self, session: &str) -> Stage {
        self.book.tenant().tables.reservations[session].state.stage
    }

    fn send(&mut self, key: &str, metric: &str, quantity: &str) -> Option<String> {
        let mut record = record(&format!("{key} {metric} {} {quantity}", self.now));
        record.attributes.clear();
        self.command(intake(key, vec![record])).expect("is taken");
        let rejected = |(_, event): &(String, Event)| match event {
            Event::Batch(BatchEvent::Received(e)) => {
                Some(e.listed.rejected.first().map(|r| r.reason.code.clone()))
            }
            _ => None,
        };
        self.book.log.iter().rev().find_map(rejected).flatten()
    }
}

fn money(left: &str, free: &str) -> (String, String) {
    (left.into(), free.into())
}

fn granted(served: &Served) -> String {
    let quota = served.quota.as_ref();
    quota.map_or("nothing".into(), |q| q.granted.quantity.to_string())
}

#[test]
fn what_is_reserved_is_still_there_but_cannot_be_spent_again() {
    let mut net = net();
    let served = net.begin("s1", "call voice 0 60");
    assert_eq!(granted(&served), "60");
    assert_eq!(served.cost.map(|c| c.to_string()), Some("6".into()));
    assert_eq!(net.money(), money("10", "4"));
    assert_eq!(
        net.send("k1", "voice", "41"),
        Some("WALLET_INSUFFICIENT".into())
    );
    assert_eq!(net.send("k2", "voice", "40"), None);
    assert_eq!(net.money(), money("6", "0"));
}

#[test]
fn a_part_is_confirmed_and_the_rest_is_free_again() {
    let mut net = net();
    net.begin("s1", "call voice 0 60");
    let answer = net.ask("s1", 1, Kind::Terminate, &["call voice 25 0"]);
    assert_eq!(answer.result, code::SUCCESS);
    let debited = answer.services[0].debited.map(|d| d.to_string());
    assert_eq!(debited, Some("2.5".into()));
    assert_eq!(net.money(), money("7.5", "7.5"));
    assert_eq!(net.stage("s1"), Stage::Confirmed);
    let calls = meter(&net.book, "line-1/calls/2012-05-01");
    assert_eq!((calls.records, calls.burnt.to_string()), (1, "2.5".into()));
}

#[test]
fn a_cancelled_reservation_leaves_counters_and_money_as_they_were() {
    let mut net = net();
    net.send("k1", "data", "4");
    let usage = net.book.tenant().tables.usage.clone();
    let wallet = net.book.tenant().tables.wallets["w"].state.clone();
    net.begin("s1", "web data 0 12");
    assert_eq!(net.money(), money("10", "4"));
    net.ask("s1", 1, Kind::Terminate, &[]);
    assert!(net.book.tenant().tables.usage == usage);
    assert!(net.book.tenant().tables.wallets["w"].state == wallet);
    assert_eq!(net.book.tenant().index.reserved.iter().count(), 0);
    assert_eq!(net.stage("s1"), Stage::Cancelled);
}

#[test]
fn an_allowance_that_is_reserved_is_not_free_for_another_and_is_free_again_when_it_is_given_up() {
    let mut net = net();
    let cost = |served: Served| served.cost.map(|c| c.to_string()).unwrap_or_default();
    assert_eq!(cost(net.begin("a", "web data 0 10")), "0");
    assert_eq!(cost(net.begin("b", "web data 0 4")), "4");
    assert_eq!(cost(net.begin("c", "web data 0 4")), "4");
    assert_eq!(net.money(), money("10", "2"));
    net.ask("a", 1, Kind::Terminate, &[]);
    // b and c now have the free 10 MB for their 8.
    assert_eq!(net.money(), money("10", "10"));
    assert_eq!(cost(net.begin("e", "web data 0 5")), "3");
}

#[test]
fn whoever_confirms_first_gets_the_cheap_units_and_nobody_needs_more_than_was_held() {
    let mut net = net();
    net.begin("a", "web data 0 10");
    net.begin("b", "web data 0 10");
    assert_eq!(net.money(), money("10", "0"));
    let b = net.ask("b", 1, Kind::Terminate, &["web data 10 0"]);
    assert_eq!(b.services[0].debited, Some(Exact::ZERO));
    assert_eq!(net.money(), money("10", "0"));
    let a = net.ask("a", 1, Kind::Terminate, &["web data 10 0"]);
    assert_eq!(
        a.services[0].debited.map(|d| d.to_string()),
        Some("10".into())
    );
    assert_eq!(net.money(), money("0", "0"));
    assert_eq!(meter(&net.book, DATA).burnt.to_string(), "10");
}

#[test]
fn usage_beside_a_reservation_must_leave_it_what_it_needs() {
    let mut net = net();
    net.begin("a", "web data 0 15");
    assert_eq!(net.money(), money("10", "5"));
    // 5 MB of somebody else: free by themselves, but they move a to its 6th to 10th paid megabyte.
    assert_eq!(net.send("k1", "data", "5"), None);
    assert_eq!(net.money(), money("10", "0"));
    let before = meter(&net.book, DATA).units;
    assert_eq!(
        net.send("k2", "data", "1"),
        Some("WALLET_INSUFFICIENT".into())
    );
    assert_eq!(net.money(), money("10", "0"));
    assert_eq!(meter(&net.book, DATA).units, before);
    let a = net.ask("a", 1, Kind::Terminate, &["web data 15 0"]);
    assert_eq!(
        a.services[0].debited.map(|d| d.to_string()),
        Some("10".into())
    );
}

#[test]
fn the_last_units_are_said_to_be_the_last_and_then_there_is_nothing() {
    let mut net = net();
    let mut first = request("s1", 0, Kind::Initial, &["call voice 0 250"]);
    first.last = LastAction::Redirect("https://top-up.example".into());
    let served = net.try_ask(first).expect("is answered").services[0].clone();
    assert_eq!(granted(&served), "100");
    assert_eq!(
        served.last,
        Some(LastAction::Redirect("https://top-up.example".into()))
    );
    let other = net.ask("s2", 0, Kind::Initial, &["call voice 0 1"]);
    assert_eq!(other.result, code::CREDIT_LIMIT_REACHED);
    assert_eq!(net.stage("s2"), Stage::Refused);
    // The end of the session is reported, and a new request of the refused session may come.
    net.ask("s1", 1, Kind::Terminate, &["call voice 10 0"]);
    let again = net.ask("s2", 1, Kind::Initial, &["call voice 0 1"]);
    assert_eq!(again.result, code::SUCCESS);
    assert_eq!(again.services[0].last, None);
}

#[test]
fn an_update_debits_what_was_used_and_reserves_anew() {
    let mut net = net();
    net.begin("s1", "call voice 0 30");
    let update = net.ask("s1", 1, Kind::Update, &["call voice 20 50"]);
    assert_eq!(
        update.services[0].debited.map(|d| d.to_string()),
        Some("2".into())
    );
    assert_eq!(granted(&update.services[0]), "50");
    assert_eq!(net.money(), money("8", "3"));
    // A service that is not named keeps its quota; one that asks for nothing more has none.
    net.ask("s1", 2, Kind::Update, &["web data 0 10"]);
    assert_eq!(net.money(), money("8", "3"));
    net.ask("s1", 3, Kind::Update, &["call voice 50 0"]);
    assert_eq!(net.money(), money("3", "3"));
    net.ask("s1", 4, Kind::Terminate, &["web data 1 0"]);
    assert_eq!(net.money(), money("3", "3"));
    assert_eq!(meter(&net.book, "line-1/calls/2012-05-01").records, 2);
}

#[test]
fn each_service_of_a_request_is_judged_for_itself() {
    let mut net = net();
    let asks = [
        "call voice 0 90",
        "tune music 0 5",
        "tv cinema 0 1",
        "post posted 0 7",
    ];
    let answer = net.ask("s1", 0, Kind::Initial, &asks);
    let results: Vec<_> = answer
        .services
        .iter()
        .map(|s| (s.result, granted(s)))
        .collect();
    let expected = [(2001, "90"), (2001, "1"), (5031, "nothing"), (2001, "7")];
    assert_eq!(
        results,
        expected.map(|(code, units)| (code, units.to_string()))
    );
    assert_eq!(answer.result, code::SUCCESS);
    assert!(answer.services[1].last.is_some());
}

#[test]
fn a_duplicate_is_answered_identically_and_nothing_is_done() {
    let mut net = net();
    let ask = |net: &mut Net| net.ask("s1", 1, Kind::Update, &["call voice 20 300"]);
    net.begin("s1", "call voice 0 30");
    let first = ask(&mut net);
    let log = net.book.log.len();
    net.seconds_later(3_600);
    assert_eq!(ask(&mut net), first);
    // Refusals too, even when they would not be refused any more.
    let refused = net.ask("s2", 0, Kind::Initial, &["call voice 0 1"]);
    assert_eq!(refused.result, code::SUCCESS, "the quota of s1 has ended");
    let unknown = |net: &mut Net| {
        let mut ask = request("s3", 0, Kind::Initial, &["call voice 0 1"]);
        ask.access = "no-2".into();
        net.try_ask(ask).expect("is answered")
    };
    let nobody = unknown(&mut net);
    assert_eq!(nobody.result, code::USER_UNKNOWN);
    ingest::start(&mut net.book, "line-2", "2012-05-01", "no-2");
    assert_eq!(unknown(&mut net), nobody);
    assert!(net.book.log.len() > log);
    // Another request under the same number, and one that comes after a later one.
    let other = request("s1", 1, Kind::Update, &["call voice 21 300"]);
    assert_eq!(net.refused(other), "REQUEST_CONFLICT");
    net.ask("s1", 20, Kind::Update, &[]);
    let late = request("s1", 5, Kind::Update, &[]);
    assert_eq!(net.refused(late), "REQUEST_OUTDATED");
}

#[test]
fn requests_that_cannot_follow_are_refused() {
    let mut net = net();
    let of = |session: &str, number, kind| request(session, number, kind, &[]);
    assert_eq!(net.refused(of("s1", 0, Kind::Update)), "SESSION_UNKNOWN");
    net.begin("s1", "call voice 0 1");
    assert_eq!(net.refused(of("s1", 1, Kind::Initial)), "SESSION_EXISTS");
    net.ask("s1", 1, Kind::Terminate, &[]);
    assert_eq!(net.refused(of("s1", 2, Kind::Update)), "SESSION_ENDED");
    let twice = request("s2", 0, Kind::Initial, &["a voice 0 1", "a voice 0 1"]);
    assert_eq!(net.refused(twice), "SERVICES_INVALID");
    let below = request("s2", 0, Kind::Initial, &["a voice 0 -1"]);
    assert_eq!(net.refused(below), "UNITS_NEGATIVE");
    let never = Request {
        validity: Some(0),
        ..of("s2", 0, Kind::Initial)
    };
    assert_eq!(net.refused(never), "VALIDITY_INVALID");
}

#[test]
fn who_may_not_use_a_service_is_told_so() {
    let mut net = net();
    net.command(Command::PauseSubscription {
        subscription: "line-1".into(),
        reason: "holiday".into(),
        from: None,
    })
    .expect("pauses");
    let answer = net.ask("s1", 0, Kind::Initial, &["call voice 0 1"]);
    assert_eq!(answer.result, code::AUTHORIZATION_REJECTED);
}

#[test]
fn a_quota_counts_until_its_end_whether_or_not_anybody_noted_it() {
    let facts = |tick: bool| {
        let mut net = net();
        net.begin("a", "web data 0 15");
        net.begin("b", "call voice 0 50");
        assert_eq!(net.money(), money("10", "0"));
        net.seconds_later(59);
        assert_eq!(net.money(), money("10", "0"));
        net.seconds_later(1);
        assert_eq!(net.money(), money("10", "10"));
        if tick {
            // Late and repeated.
            net.seconds_later(3);
            for _ in 0..2 {
                let due = agenda::tick_commands(net.book.tenant(), net.now);
                for (_, command) in due {
                    net.command(command).expect("it is done");
                }
            }
            assert_eq!(net.stage("a"), Stage::Expired);
            assert!(net.book.tenant().tables.wallets["w"].state.holds.is_empty());
        }
        assert_eq!(net.begin("c", "call voice 0 100").last, None);
        net.ask("c", 1, Kind::Terminate, &["call voice 90 0"]);
        // What was used after the end is debited as far as there is money for it.
        let late = net.ask("a", 1, Kind::Terminate, &["web data 11 0"]);
        assert_eq!(
            late.services[0].debited.map(|d| d.to_string()),
            Some("1".into())
        );
        let too_late = net.ask("b", 1, Kind::Terminate, &["call voice 1 0"]);
        assert_eq!(too_late.result, code::CREDIT_LIMIT_REACHED);
        assert_eq!(net.money(), money("0", "0"));
        assert!(net.book.tenant().tables.wallets["w"].state.holds.is_empty());
        let expired = net.book.log.iter().filter_map(|(id, event)| match event {
            Event::Reservation(Fact::Expired(e)) => Some((id.clone(), e.clone())),
            _ => None,
        });
        let mut expired: Vec<_> = expired.collect();
        expired.sort_by(|x, y| x.0.cmp(&y.0));
        (
            expired,
            net.book.tenant().tables.wallets.clone(),
            net.book.tenant().tables.usage.clone(),
        )
    };
    let (noted, wallets, usage) = facts(true);
    assert_eq!(noted.len(), 2);
    assert!((noted, wallets, usage) == facts(false));
}

#[test]
fn nothing_is_held_for_what_an_invoice_bills() {
    let mut net = net();
    let served = net.begin("a", "post posted 0 100");
    assert_eq!((granted(&served), served.last), ("100".to_string(), None));
    net.seconds_later(30);
    net.begin("b", "post posted 0 1");
    net.seconds_later(30);
    for (_, command) in agenda::tick_commands(net.book.tenant(), net.now) {
        net.command(command).expect("it is done");
    }
    assert_eq!(net.money(), money("10", "10"));
    net.ask("b", 1, Kind::Terminate, &["post posted 1 0"]);
    assert_eq!(
        meter(&net.book, "line-1/posted/2012-05-01")
            .amount
            .to_string(),
        "5"
    );
}

#[test]
fn a_strict_confirmation_stays_within_its_reservation() {
    let mut net = net();
    net.begin("s1", "call voice 0 10");
    let confirm = |used: &str| Request {
        strict: true,
        ..request("s1", 1, Kind::Terminate, &[&format!("call voice {used} 0")])
    };
    assert_eq!(net.refused(confirm("11")), "RESERVATION_EXCEEDED");
    net.seconds_later(60);
    assert_eq!(net.refused(confirm("10")), "RESERVATION_EXPIRED");
    assert_eq!(net.money(), money("10", "10"));
}

#[test]
fn what_exceeds_the_quota_is_debited_if_there_is_money_for_it_and_listed_if_not() {
    let mut net = net();
    net.begin("a", "call voice 0 60");
    net.begin("b", "call voice 0 30");
    let a = net.ask("a", 1, Kind::Update, &["call voice 65 0"]);
    assert_eq!(
        a.services[0].debited.map(|d| d.to_string()),
        Some("6.5".into())
    );
    let b = net.ask("b", 1, Kind::Terminate, &["call voice 36 0"]);
    assert_eq!(
        b.services[0].debited.map(|d| d.to_string()),
        Some("3".into())
    );
    assert_eq!(b.result, code::CREDIT_LIMIT_REACHED);
    assert_eq!(net.money(), money("0.5", "0.5"));
    let batch = &net.book.tenant().tables.batches["credit-control/b/1"].state;
    assert_eq!((batch.counts.rated, batch.counts.rejected), (1, 1));
}

#[test]
fn where_less_costs_more_the_most_that_a_part_can_cost_is_held() {
    let mut net = net();
    net.send("k1", "music", "5");
    assert_eq!(net.money(), money("5", "5"));
    // 12 songs cost 4.80, less than the 5.00 of the first five; but 10 cost 10.00.
    net.begin("s1", "tune music 0 7");
    assert_eq!(net.money(), money("5", "0"));
    let part = net.ask("s1", 1, Kind::Terminate, &["tune music 5 0"]);
    assert_eq!(
        part.services[0].debited.map(|d| d.to_string()),
        Some("5".into())
    );
}

#[test]
fn single_events_are_debited_refunded_and_asked_for_at_once() {
    let mut net = net();
    let mut event = |number, action, text: &str| {
        let answer = net.ask("e", number, Kind::Event(action), &[text]);
        let s = &answer.services[0];
        let show = |e: Option<Exact>| e.map(|e| e.to_string());
        (s.result, show(s.debited), show(s.cost), s.enough)
    };
    let some = |text: &str| Some(text.to_string());
    let debit = event(0, Action::DirectDebit, "call voice 0 40");
    assert_eq!(debit, (2001, some("4"), None, None));
    let check = event(1, Action::CheckBalance, "call voice 0 61");
    assert_eq!(check, (2001, None, some("6.1"), Some(false)));
    let price = event(2, Action::PriceEnquiry, "web data 0 12");
    assert_eq!(price, (2001, None, some("2"), Some(true)));
    let refund = event(3, Action::Refund, "call voice 0 10");
    assert_eq!(refund, (2001, some("-1"), None, None));
    assert_eq!(event(4, Action::DirectDebit, "call voice 0 71").0, 4012);
    assert_eq!(net.money(), money("7", "7"));
}

#[test]
fn sessions_are_the_same_after_a_replay_of_the_log() {
    let mut net = net();
    net.begin("a", "web data 0 15");
    let first = net.ask("a", 1, Kind::Update, &["web data 7 9"]);
    let options = || bincode::Options::with_fixint_encoding(bincode::DefaultOptions::new());
    let mut replayed = indelible_domain::World::default();
    let mut versions = std::collections::BTreeMap::<(&str, &String), u64>::new();
    for (id, event) in &net.book.log {
        let bytes = event.encode().expect("it can be stored");
        let (name, schema) = event.event_type();
        let read = Event::decode(name, schema, &bytes).expect("it can be read");
        let version = versions.entry((event.kind(), id)).or_default();
        *version += 1;
        replayed.fold("t", id, *version, &read);
    }
    assert!(replayed == net.book.world);
    use bincode::Options;
    let stored = options().serialize(&replayed).expect("it can be stored");
    net.book.world = options().deserialize(&stored).expect("it can be read");
    assert_eq!(net.ask("a", 1, Kind::Update, &["web data 7 9"]), first);
}

/// What a month's megabytes cost, said once more: 10 free, 10 at 1.00, the rest at 2.00.
fn worth(units: u64) -> u64 {
    let paid = units.saturating_sub(10);
    paid + paid.saturating_sub(10)
}

#[test]
fn whatever_happens_a_report_within_its_quota_is_paid_and_nothing_is_promised_twice() {
    for seed in 0..60 {
        let (mut net, mut dice) = (net(), Dice(seed));
        net.command(Command::TopUpWallet {
            wallet: "w".into(),
            grant: "g2".into(),
            amount: usd("30.00"),
            expires: None,
        })
        .expect("tops up");
        let mut open: Vec<(String, u32, u64, Instant)> = vec![];
        let mut used = 0;
        for n in 0..60 {
            match dice.roll(6) {
                0 | 1 => {
                    let session = format!("s{n}");
                    let served = net.begin(&session, &format!("web data 0 {}", 1 + dice.roll(15)));
                    if let Some(quota) = served.quota {
                        let units = quota.granted.quantity.to_string().parse().expect("whole");
                        open.push((session, 0, units, quota.until));
                    }
                }
                2 => {
                    let units = 1 + dice.roll(3);
                    if net
                        .send(&format!("k{n}"), "data", &units.to_string())
                        .is_none()
                    {
                        used += units;
                    }
                }
                3 => net.seconds_later(1 + dice.roll(15) as i64),
                4 => {
                    for (_, command) in agenda::tick_commands(net.book.tenant(), net.now) {
                        net.command(command).expect("it is done");
                    }
                }
                _ if open.is_empty() => {}
                _ => {
                    let place =
                        usize::try_from(dice.roll(open.len() as u64)).expect("a place in memory");
                    let (session, number, granted, until) = open.swap_remove(place);
                    let report = dice.roll(granted + 1);
                    let text = format!("web data {report} 0");
                    let answer = net.ask(&session, number + 1, Kind::Terminate, &[&text]);
                    let paid = report == 0 || answer.services[0].debited.is_some();
                    let in_time = net.now < until;
                    assert!(paid || !in_time, "seed {seed}, step {n}: {answer:?}");
                    used += if paid { report } else { 0 };
                }
            }
            let wallet = &net.book.tenant().tables.wallets["w"].state;
            for grant in &wallet.grants {
                let living = wallet.holds.values().filter(|h| h.lives(net.now));
                let parts = living
                    .flat_map(|h| &h.parts)
                    .filter(|(id, _)| *id == grant.id);
                let held = parts.fold(Exact::ZERO, |sum, (_, p)| sum.plus(*p).expect("few"));
                assert!(held <= grant.remaining, "seed {seed}, step {n}: {wallet:?}");
            }
            let meter = meter(&net.book, DATA);
            assert_eq!(
                meter.burnt,
                Exact::from(i128::from(worth(used))),
                "seed {seed}, step {n}"
            );
            assert_eq!(wallet.burnt, meter.burnt);
        }
    }
}

#[test]
fn what_was_held_when_its_grant_expired_rolls_over_when_it_is_free_again() {
    let ticks = |net: &mut Net| {
        for (_, command) in agenda::tick_commands(net.book.tenant(), net.now) {
            net.command(command).expect("it is done");
        }
    };
    let day = 24 * 3_600;
    let rolled = |used: &str| {
        let mut net = net();
        net.command(Command::VoidWallet {
            wallet: "w".into(),
            units: None,
            grant: None,
            reason: "only the other one".into(),
        })
        .expect("is empty");
        net.command(Command::GrantWallet(Box::new(GrantWallet {
            wallet: "w".into(),
            grant: "june".into(),
            units: "10".parse().expect("a number"),
            expires: Some(d("2012-05-03")),
            rollover: Some(Rollover {
                max: Some("8".parse().expect("a number")),
                min: Some("1".parse().expect("a number")),
                lasts: None,
            }),
            ..GrantWallet::default()
        })))
        .expect("is granted");
        let mut begin = request("s1", 0, Kind::Initial, &["call voice 0 60"]);
        begin.validity = Some(86_400);
        net.try_ask(begin).expect("6.00 are held");
        net.seconds_later(day - 60);
        net.book.today = d("2012-05-03");
        ticks(&mut net);
        let grants = |net: &Net| -> Vec<String> {
            let grants = &net.book.tenant().tables.wallets["w"].state.grants;
            let rolled = grants.iter().filter(|g| g.id.starts_with("june@"));
            rolled.map(|g| g.amount.amount()).collect()
        };
        let first = grants(&net);
        let mut end = request("s1", 1, Kind::Terminate, &[&format!("call voice {used} 0")]);
        end.at = Some("2012-05-02T12:00:30Z".parse().expect("an instant"));
        net.try_ask(end).expect("ends");
        ticks(&mut net);
        ticks(&mut net);
        let money = net.book.tenant().tables.wallets["w"].state.clone();
        assert!(money.grant("june").expect("a grant").remaining.is_zero());
        (first, grants(&net))
    };
    let texts = |all: &[&str]| all.iter().map(|s| (*s).to_string()).collect::<Vec<_>>();
    // 4.00 were free on the day; of the 6.00 that were held 2.00 are free later, and with all of it the bound of 8.00 holds.
    assert_eq!(rolled("40"), (texts(&["4.00"]), texts(&["4.00", "2.00"])));
    assert_eq!(rolled("0"), (texts(&["4.00"]), texts(&["4.00", "4.00"])));
    assert_eq!(rolled("60"), (texts(&["4.00"]), texts(&["4.00"])));
}
