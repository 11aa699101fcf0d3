//! Options, versions, price lists, contracts and the record of which price won.

use crate::book::{Book, d};
use indelible_domain::catalog::{self, PriceRule, PriceTerm};
use indelible_domain::command::{
    ChangeSubscription, ChangeWithOptions, Choice, Effective, OrderOneOff, StartSubscription,
    StartWithOptions,
};
use indelible_domain::contracts::Agreement;
use indelible_domain::kernel::{Date, Rejection};
use indelible_domain::subscriptions::{Subscription, Unused};
use indelible_domain::{Command, Event, Outcome, invoices};

const SHOP: &str = r#"
[[offer]]
code = "base"
name = "Base"
currency = "USD"
[[offer.option]]
code = "line"
offer = "line"
min = "1"
max = "3"
[[offer.option]]
code = "fax"
offer = "extra"
max = "2"
requires = ["line"]
excludes = ["mail"]
[[offer.option]]
code = "mail"
offer = "extra"
[[offer.recurring]]
code = "fee"
name = "fee"
price = { flat = "30.00" }
every = "1 month"
align = "calendar"
account = 40010
[[offer.usage]]
code = "calls"
name = "calls"
metric = "calls"
unit = "call"
every = "1 month"
align = "calendar"
allowance = "10"
price = { per_unit = "1" }
[[offer.one_off]]
code = "visit"
name = "visit"
amount = "80"
on = "ad_hoc"
account = 40020

[[offer]]
code = "line"
name = "Line"
currency = "USD"
[[offer.recurring]]
code = "fee"
name = "fee"
price = { flat = "6.20" }
every = "1 month"
align = "calendar"

[[offer]]
code = "extra"
name = "Extra"
currency = "USD"
[[offer.one_off]]
code = "setup"
name = "setup"
amount = "5"
on = "activation"
[[offer.recurring]]
code = "fee"
name = "fee"
price = { flat = "3.10" }
every = "1 month"
align = "calendar"

[[offer]]
code = "full"
name = "Full"
currency = "USD"
includes = ["fax"]
excludes = ["base"]
[[offer.recurring]]
code = "fee"
name = "fee"
price = { flat = "62.00" }
every = "1 month"
align = "calendar"
"#;

fn shop() -> Book {
    let mut book = Book::new();
    publish(&mut book, SHOP).expect("is published");
    book
}

fn publish(book: &mut Book, text: &str) -> Result<Outcome, Rejection> {
    let file = catalog::read(text).expect("the text reads");
    book.ask(Command::PublishCatalog(Box::new(file)))
}

fn choice(option: &str, quantity: i64) -> Choice {
    Choice {
        option: option.into(),
        quantity: quantity.into(),
        replaces: None,
    }
}

fn start(id: &str, offer: &str, options: &[Choice]) -> StartWithOptions {
    StartWithOptions {
        beginning: Default::default(),
        start: StartSubscription {
            subscription: id.into(),
            account: "alice".into(),
            offer: offer.into(),
            quantity: 1.into(),
            from: None,
            billing_day: None,
            overrides: Default::default(),
            trial: true,
            access: vec![format!("{id}.number")],
        },
        options: options.to_vec(),
        contract: None,
    }
}

fn change(id: &str) -> ChangeWithOptions {
    ChangeSubscription {
        subscription: id.into(),
        offer: None,
        quantity: None,
        billing_day: None,
        overrides: Default::default(),
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    }
    .into()
}

fn begin(book: &mut Book, ask: StartWithOptions) -> Result<Outcome, Rejection> {
    book.ask(Command::StartWithOptions(Box::new(ask)))
}

fn alter(book: &mut Book, ask: ChangeWithOptions) -> Result<Outcome, Rejection> {
    book.ask(Command::ChangeWithOptions(Box::new(ask)))
}

/// Lines of what is billed now: text, days, net.
fn bill(book: &mut Book) -> Vec<String> {
    let before = book.log.len();
    let run = format!("run-{before}");
    book.ask(Command::StartBillRun {
        run: run.clone(),
        as_of: None,
        accounts: vec![],
        draft: false,
    })
    .expect("a run starts");
    while book
        .ask(Command::StepBillRun { run: run.clone() })
        .expect("a run goes on")
        .left
        > 0
    {}
    let lines = book.log[before..].iter().filter_map(|(_, e)| match e {
        Event::Invoice(invoices::Event::Finalised(e)) => Some(&e.document.lines),
        _ => None,
    });
    let drawn = |l: &invoices::Line| match l.what.days() {
        Some(days) => format!("{} {days} {}", l.text, l.net.amount()),
        None => format!("{} {}", l.text, l.net.amount()),
    };
    lines.flatten().map(drawn).collect()
}

fn subscription(book: &Book, id: &str) -> Subscription {
    book.tenant().tables.subscriptions[id].state.clone()
}

#[test]
fn mandatory_options_come_along_and_each_broken_rule_is_told() {
    let mut book = shop();
    let wrong = [
        choice("line", 4),
        choice("fax", 1),
        choice("mail", 1),
        choice("tv", 1),
    ];
    let refused = begin(&mut book, start("s1", "base", &wrong)).expect_err("three rules");
    assert_eq!(refused.code, "OFFER_RULES_BROKEN");
    for part in [
        "3 problems",
        "1 to 3, asked for 4",
        "fax does not go with mail",
        "no option tv",
    ] {
        assert!(refused.message.contains(part), "{}", refused.message);
    }
    begin(&mut book, start("s1", "base", &[choice("fax", 2)])).expect("starts");
    // Two of a flat option cost twice; the line came along.
    assert_eq!(
        bill(&mut book),
        [
            "Extra setup 10.00",
            "Base fee [2012-05-01, 2012-06-01) 30.00",
            "Base Line fee [2012-05-01, 2012-06-01) 6.20",
            "Base Extra fee [2012-05-01, 2012-06-01) 6.20",
        ]
    );
}

#[test]
fn an_option_added_and_taken_away_is_charged_by_day_and_leaves_other_charges_alone() {
    let mut book = shop();
    begin(&mut book, start("s1", "base", &[])).expect("starts");
    bill(&mut book);
    book.on("2012-05-11");
    let mut add = change("s1");
    add.add = vec![choice("mail", 1)];
    alter(&mut book, add).expect("is added");
    // 21 of 31 days × 3.10
    assert_eq!(
        bill(&mut book),
        [
            "Extra setup 5.00",
            "Base Extra fee [2012-05-11, 2012-06-01) 2.10"
        ]
    );
    book.on("2012-05-21");
    let mut gone = change("s1");
    gone.remove = vec!["mail".into()];
    alter(&mut book, gone).expect("is taken away");
    assert_eq!(
        bill(&mut book),
        ["Unused mail.fee [2012-05-21, 2012-06-01) [2012-05-21, 2012-06-01) -1.10"]
    );
    let mut never = change("s1");
    never.remove = vec!["line".into()];
    let refused = alter(&mut book, never).expect_err("mandatory");
    assert_eq!(refused.code, "OFFER_RULES_BROKEN");
}

#[test]
fn a_usage_period_goes_on_when_an_option_is_added() {
    let mut book = shop();
    begin(&mut book, start("s1", "base", &[])).expect("starts");
    book.on("2012-05-11");
    let mut add = change("s1");
    add.add = vec![choice("mail", 1)];
    alter(&mut book, add).expect("is added");
    let sub = subscription(&book, "s1");
    let charge = &sub.terms[1].offer.usage[0];
    let days =
        indelible_domain::subscriptions::schedule::usage_period(&sub, 1, charge, d("2012-05-20"));
    assert_eq!(days.0.to_string(), "[2012-05-01, 2012-06-01)");
    let all = indelible_domain::subscriptions::schedule::usage_periods(&sub, d("2012-05-20"));
    assert_eq!(all.len(), 1);
}

#[test]
fn an_offer_that_includes_an_option_ends_it_and_offers_that_exclude_each_other_do_not_meet() {
    let mut book = shop();
    begin(&mut book, start("s1", "base", &[choice("fax", 1)])).expect("starts");
    bill(&mut book);
    let refused = begin(&mut book, start("s2", "full", &[])).expect_err("base is there");
    assert!(
        refused.message.contains("does not go with offer base"),
        "{}",
        refused.message
    );
    let mut up = change("s1");
    up.change.offer = Some("full".into());
    alter(&mut book, up).expect("changes");
    assert_eq!(
        bill(&mut book),
        [
            "Unused fee [2012-05-01, 2012-06-01) [2012-05-01, 2012-06-01) -30.00",
            "Unused line.fee [2012-05-01, 2012-06-01) [2012-05-01, 2012-06-01) -6.20",
            "Unused fax.fee [2012-05-01, 2012-06-01) [2012-05-01, 2012-06-01) -3.10",
            "Full fee [2012-05-01, 2012-06-01) 62.00",
        ]
    );
}

#[test]
fn a_retired_offer_is_kept_by_who_has_it_and_what_is_in_use_is_not_deleted() {
    let mut book = shop();
    begin(&mut book, start("s1", "base", &[])).expect("starts");
    let delete = |offer: &str| Command::DeleteOffer {
        offer: offer.into(),
    };
    let refused = book.ask(delete("base")).expect_err("in use");
    assert_eq!(refused.code, "OFFER_IN_USE");
    assert!(
        refused.message.contains("retire it instead"),
        "{}",
        refused.message
    );
    book.ask(delete("full")).expect("nobody had it");
    assert_eq!(book.refused(delete("extra")), "OFFER_IN_USE");
    book.ask(Command::RetireOffer {
        offer: "base".into(),
        from: None,
    })
    .expect("retires");
    assert_eq!(
        begin(&mut book, start("s2", "base", &[]))
            .expect_err("retired")
            .code,
        "OFFER_RETIRED"
    );
    let mut more = change("s1");
    more.change.quantity = Some(2.into());
    alter(&mut book, more).expect("who has it may change");
    book.ask(Command::ReopenOffer {
        offer: "base".into(),
    })
    .expect("reopens");
    begin(&mut book, start("s2", "base", &[])).expect("is sold again");
}

fn plan(price: &str, more: &str) -> String {
    format!(
        "[[offer]]\ncode = \"plan\"\nname = \"Plan\"\ncurrency = \"USD\"\n{more}\n[[offer.recurring]]\ncode = \"fee\"\nname = \"fee\"\nprice = {{ flat = \"{price}\" }}\nevery = \"1 month\"\nalign = \"calendar\"\n"
    )
}

fn fee_on(book: &Book, id: &str, day: &str) -> String {
    let sub = subscription(book, id);
    let term = sub.term_on(d(day)).expect("it runs").1;
    let price = serde_json::to_string(&term.offer.recurring[0].price).expect("a price");
    format!("v{} {price}", term.offer.version)
}

#[test]
fn the_version_sold_is_the_one_valid_on_the_day_and_two_at_once_are_refused() {
    let mut book = Book::new();
    publish(&mut book, &plan("10", "valid_until = \"2012-07-01\"")).expect("version 1");
    let overlap =
        publish(&mut book, &plan("11", "valid_from = \"2012-06-01\"")).expect_err("both in June");
    assert!(
        overlap.message.contains("both on the same days"),
        "{}",
        overlap.message
    );
    publish(&mut book, &plan("11", "valid_from = \"2012-07-01\"")).expect("version 2");
    begin(&mut book, start("early", "plan", &[])).expect("starts");
    let mut later = start("late", "plan", &[]);
    later.start.from = Some(d("2012-07-01"));
    begin(&mut book, later).expect("starts");
    assert_eq!(fee_on(&book, "early", "2012-08-01"), r#"v1 {"flat":"10"}"#);
    assert_eq!(fee_on(&book, "late", "2012-08-01"), r#"v2 {"flat":"11"}"#);
}

#[test]
fn migration_moves_one_or_all_and_keeps_what_was_agreed() {
    let mut book = Book::new();
    publish(&mut book, &plan("10", "")).expect("version 1");
    for id in ["a", "b", "c"] {
        let mut ask = start(id, "plan", &[]);
        if id == "c" {
            ask.start.overrides = [("fee".to_string(), "8".parse().expect("8"))].into();
        }
        begin(&mut book, ask).expect("starts");
    }
    publish(&mut book, &plan("12", "")).expect("version 2");
    book.ask(Command::MigrateSubscription {
        subscription: "a".into(),
        effective: Effective::EndOfPeriod,
        unused: Unused::CreditProrata,
    })
    .expect("moves");
    assert_eq!(fee_on(&book, "a", "2012-05-31"), r#"v1 {"flat":"10"}"#);
    assert_eq!(fee_on(&book, "a", "2012-06-01"), r#"v2 {"flat":"12"}"#);
    let all = || Command::MigrateSubscriptions {
        offer: "plan".into(),
        version: None,
        effective: Effective::Immediate,
        unused: Unused::CreditProrata,
    };
    assert_eq!(book.ask(all()).expect("moves").left, 0);
    assert_eq!(fee_on(&book, "b", "2012-05-01"), r#"v2 {"flat":"12"}"#);
    assert_eq!(fee_on(&book, "c", "2012-05-01"), r#"v2 {"flat":"8"}"#);
    let before = book.log.len();
    book.ask(all()).expect("nothing is left");
    assert_eq!(book.log.len(), before);
}

#[test]
fn a_grandfathering_date_moves_subscribers_with_their_next_period() {
    let mut book = Book::new();
    publish(&mut book, &plan("10", "")).expect("version 1");
    begin(&mut book, start("a", "plan", &[])).expect("starts");
    publish(
        &mut book,
        &plan("12", "grandfathered_until = \"2012-07-10\""),
    )
    .expect("version 2");
    let due =
        |book: &Book| indelible_domain::processes::agenda::tick_commands(book.tenant(), book.now());
    book.on("2012-07-09");
    assert_eq!(due(&book).len(), 0);
    book.on("2012-07-10");
    let commands = due(&book);
    assert_eq!(commands.len(), 1);
    for (_, command) in commands {
        book.ask(command).expect("moves");
    }
    assert_eq!(due(&book).len(), 0, "once");
    assert_eq!(fee_on(&book, "a", "2012-07-31"), r#"v1 {"flat":"10"}"#);
    assert_eq!(fee_on(&book, "a", "2012-08-01"), r#"v2 {"flat":"12"}"#);
}

fn agree(
    book: &mut Book,
    id: &str,
    from: Date,
    until: Option<Date>,
    term: PriceTerm,
) -> Result<Outcome, Rejection> {
    book.ask(Command::DefineContract {
        contract: id.into(),
        agreement: Box::new(Agreement {
            account: "alice".into(),
            name: String::new(),
            from,
            until,
            terms: vec![term],
        }),
    })
}

fn ten_percent_off() -> PriceTerm {
    PriceTerm {
        offer: "plan".into(),
        percent: Some("-10".parse().expect("a percentage")),
        ..PriceTerm::default()
    }
}

#[test]
fn a_contract_prices_running_subscriptions_from_its_first_day_until_its_last() {
    let mut book = Book::new();
    publish(&mut book, &plan("31", "")).expect("is published");
    begin(&mut book, start("a", "plan", &[])).expect("starts");
    agree(
        &mut book,
        "frame",
        d("2012-05-11"),
        Some(d("2012-05-21")),
        ten_percent_off(),
    )
    .expect("is agreed");
    assert_eq!(fee_on(&book, "a", "2012-05-10"), r#"v1 {"flat":"31"}"#);
    assert_eq!(fee_on(&book, "a", "2012-05-11"), r#"v1 {"flat":"27.9"}"#);
    assert_eq!(fee_on(&book, "a", "2012-05-20"), r#"v1 {"flat":"27.9"}"#);
    assert_eq!(fee_on(&book, "a", "2012-05-21"), r#"v1 {"flat":"31"}"#);
    let source = subscription(&book, "a").terms[1].offer.recurring[0]
        .source
        .clone()
        .expect("a source");
    assert_eq!(source.rule, PriceRule::AccountContract);
    assert_eq!(source.id, "frame");
    // A new sale under it ends with it as well.
    book.on("2012-05-15");
    begin(&mut book, start("b", "plan", &[])).expect("starts");
    assert_eq!(fee_on(&book, "b", "2012-05-15"), r#"v1 {"flat":"27.9"}"#);
    assert_eq!(fee_on(&book, "b", "2012-05-21"), r#"v1 {"flat":"31"}"#);
    // Ended early, its days come back to the offer's own price.
    book.ask(Command::EndContract {
        contract: "frame".into(),
        on: None,
    })
    .expect("ends");
    assert_eq!(fee_on(&book, "a", "2012-05-14"), r#"v1 {"flat":"27.9"}"#);
    assert_eq!(fee_on(&book, "a", "2012-05-15"), r#"v1 {"flat":"31"}"#);
    let wrong = PriceTerm {
        offer: "nothing".into(),
        ..ten_percent_off()
    };
    let refused =
        agree(&mut book, "other", d("2012-05-11"), None, wrong).expect_err("no such offer");
    assert_eq!(refused.code, "CONTRACT_INVALID");
}

#[test]
fn the_first_rule_that_says_something_wins_and_is_recorded() {
    let mut book = Book::new();
    publish(&mut book, &plan("100", "")).expect("is published");
    let lists = r#"
[[price_list]]
code = "us"
currency = "USD"
country = "US"
[[price_list.item]]
offer = "plan"
charge = "fee"
price = { flat = "90" }
[[price_list]]
code = "gold"
currency = "USD"
group = "gold"
[[price_list.item]]
offer = "plan"
percent = "-20"
"#;
    publish(&mut book, lists).expect("lists are published");
    let sold = |book: &mut Book, id: &str, group: &str, own: Option<&str>| {
        let account = format!("of-{id}");
        book.open(&account, |terms| {
            terms.country = "US".into();
            terms.group = (!group.is_empty()).then(|| group.to_string());
        });
        let mut ask = start(id, "plan", &[]);
        ask.start.account = account;
        if let Some(own) = own {
            ask.start.overrides = [("fee".to_string(), own.parse().expect("a price"))].into();
        }
        begin(book, ask).expect("starts");
        let sub = subscription(book, id);
        let charge = &sub.terms[0].offer.recurring[0];
        let rule = charge.source.as_ref().map(|s| s.rule);
        (serde_json::to_string(&charge.price).expect("a price"), rule)
    };
    let list = Some(PriceRule::PriceList);
    assert_eq!(
        sold(&mut book, "a", "", None),
        (r#"{"flat":"90"}"#.into(), list)
    );
    assert_eq!(
        sold(&mut book, "b", "gold", None),
        (r#"{"flat":"80"}"#.into(), list)
    );
    assert_eq!(
        sold(&mut book, "c", "gold", Some("55")),
        (r#"{"flat":"55"}"#.into(), Some(PriceRule::Override))
    );
    let twice = lists.replace("code = \"us\"", "code = \"us-2\"");
    let refused = publish(&mut book, &twice).expect_err("two lists for one market");
    assert!(
        refused.message.contains("fits the same buyers"),
        "{}",
        refused.message
    );
}

#[test]
fn an_offer_is_sold_in_another_currency_where_a_price_list_has_every_price() {
    let mut book = Book::new();
    publish(&mut book, SHOP).expect("is published");
    let list = |items: &str| format!("[[price_list]]\ncode = \"eu\"\ncurrency = \"EUR\"\n{items}");
    let item = |charge: &str, price: &str| {
        format!("[[price_list.item]]\noffer = \"base\"\ncharge = \"{charge}\"\n{price}\n")
    };
    let fee = item("fee", "price = { flat = \"28\" }");
    publish(&mut book, &list(&fee)).expect("a list");
    book.open("berta", |terms| {
        terms.currency = "EUR".parse().expect("EUR")
    });
    let mut ask = start("e", "base", &[]);
    ask.start.account = "berta".into();
    let refused = begin(&mut book, ask.clone()).expect_err("calls have no price");
    assert_eq!(refused.code, "NO_PRICE");
    assert!(refused.message.contains("calls"), "{}", refused.message);
    let line =
        "[[price_list.item]]\noffer = \"line\"\ncharge = \"fee\"\nprice = { flat = \"5\" }\n";
    let all = [
        fee,
        item("calls", "price = { per_unit = \"0.9\" }"),
        item("visit", "amount = \"70\""),
        line.to_string(),
    ];
    publish(&mut book, &list(&all.concat())).expect("a whole list");
    begin(&mut book, ask).expect("starts");
    assert_eq!(
        bill(&mut book),
        [
            "Base fee [2012-05-01, 2012-06-01) 28.00",
            "Base Line fee [2012-05-01, 2012-06-01) 5.00",
        ]
    );
}

#[test]
fn an_ad_hoc_charge_is_billed_by_quantity_and_posted_to_the_account_it_names() {
    let mut book = shop();
    begin(&mut book, start("s1", "base", &[])).expect("starts");
    bill(&mut book);
    let mut order = OrderOneOff {
        subscription: "s1".into(),
        charge: "v1".into(),
        code: "visit".into(),
        quantity: 4.into(),
        amount: Some(100.into()),
        on: None,
    };
    book.ask(Command::OrderOneOff(Box::new(order.clone())))
        .expect("is charged");
    let again = book.refused(Command::OrderOneOff(Box::new(order.clone())));
    assert_eq!(again, "CHARGE_EXISTS");
    order.charge = "v2".into();
    order.code = "fee".into();
    assert_eq!(
        book.refused(Command::OrderOneOff(Box::new(order))),
        "CHARGE_UNKNOWN"
    );
    assert_eq!(bill(&mut book), ["Base visit 400.00"]);
    let journal = &book.tenant().tables.journals["arms/2012-05"].state;
    let of = |code: u16| {
        let row = journal.balances.iter().find(|b| b.account.code() == code);
        row.map(|b| b.credit.amount())
    };
    assert_eq!(of(40_010).as_deref(), Some("30.00"));
    assert_eq!(of(40_020).as_deref(), Some("400.00"));
    assert_eq!(of(4_000).as_deref(), Some("6.20"));
}

#[test]
fn only_who_is_eligible_buys() {
    let mut book = Book::new();
    let wrong = publish(&mut book, &plan("10", "eligible = \"account.shoe = 'x'\""))
        .expect_err("no such name");
    assert!(wrong.message.contains("eligible"), "{}", wrong.message);
    publish(
        &mut book,
        &plan("10", "eligible = \"account.country = 'US'\""),
    )
    .expect("is published");
    let refused = begin(&mut book, start("a", "plan", &[])).expect_err("alice has no country");
    assert_eq!(refused.code, "OFFER_RULES_BROKEN");
    assert!(
        refused.message.contains("not eligible"),
        "{}",
        refused.message
    );
    book.open("us", |terms| terms.country = "US".into());
    let mut ask = start("a", "plan", &[]);
    ask.start.account = "us".into();
    begin(&mut book, ask).expect("starts");
}

/// What is billed for a month of 31.00 that begins or ends on the 11th, by what the charge says.
fn cut_month(more: &str, act: impl Fn(&mut Book)) -> Vec<String> {
    let mut book = Book::new();
    publish(
        &mut book,
        &plan("31", "").replace("align =", &format!("{more}\nalign =")),
    )
    .expect("is published");
    begin(&mut book, start("a", "plan", &[])).expect("starts");
    let mut lines = bill(&mut book);
    book.on("2012-05-11");
    act(&mut book);
    lines.extend(bill(&mut book));
    let net = |line: &String| line.rsplit(' ').next().unwrap_or_default().to_string();
    lines.iter().map(net).collect()
}

#[test]
fn a_charge_says_what_a_cut_period_costs() {
    let end = |book: &mut Book| {
        book.ask(Command::TerminateSubscription {
            subscription: "a".into(),
            effective: Effective::Immediate,
            unused: Unused::CreditProrata,
        })
        .expect("ends");
    };
    let pause = |book: &mut Book| {
        book.ask(Command::PauseSubscription {
            subscription: "a".into(),
            reason: "asked".into(),
            from: None,
        })
        .expect("is paused");
    };
    // 21 unused days of 31.
    assert_eq!(cut_month("", end), ["31.00", "-21.00"]);
    assert_eq!(cut_month("on_end = \"full\"", end), ["31.00"]);
    assert_eq!(cut_month("on_end = \"nothing\"", end), ["31.00", "-31.00"]);
    assert_eq!(cut_month("timing = \"arrears\"", end), ["10.00"]);
    assert_eq!(
        cut_month("timing = \"arrears\"\non_end = \"full\"", end),
        ["31.00"]
    );
    assert_eq!(
        cut_month("timing = \"arrears\"\non_end = \"nothing\"", end),
        [""; 0]
    );
    assert_eq!(cut_month("on_pause = \"full\"", pause), ["31.00"]);
    assert_eq!(
        cut_month("on_pause = \"nothing\"", pause),
        ["31.00", "-31.00"]
    );
    assert_eq!(cut_month("", pause), ["31.00", "-21.00"]);
}

#[test]
fn a_leading_part_is_charged_as_the_charge_says_and_a_term_in_periods_ends() {
    let first = |more: &str| {
        let mut book = Book::new();
        book.on("2012-05-11");
        let text = plan("31", "").replace("align =", &format!("{more}\nalign ="));
        publish(&mut book, &text).expect("is published");
        begin(&mut book, start("a", "plan", &[])).expect("starts");
        let mut lines = bill(&mut book);
        for day in ["2012-06-01", "2012-07-01"] {
            book.on(day);
            lines.extend(bill(&mut book));
        }
        let net = |line: &String| line.rsplit(' ').next().unwrap_or_default().to_string();
        lines.iter().map(net).collect::<Vec<_>>()
    };
    assert_eq!(first(""), ["21.00", "31.00", "31.00"]);
    assert_eq!(first("on_start = \"full\""), ["31.00", "31.00", "31.00"]);
    assert_eq!(first("on_start = \"nothing\""), ["31.00", "31.00"]);
    // One month from the 11th: the rest of May, then ten days of June.
    assert_eq!(first("periods = 1"), ["21.00", "10.33"]);
}

#[test]
fn an_end_that_is_not_anticipated_is_given_back_when_it_comes() {
    let billed = |more: &str| {
        let mut book = Book::new();
        let text = plan("31", "").replace("align =", &format!("{more}\nalign ="));
        publish(&mut book, &text).expect("is published");
        begin(&mut book, start("a", "plan", &[])).expect("starts");
        book.ask(Command::TerminateSubscription {
            subscription: "a".into(),
            effective: Effective::On(d("2012-05-11")),
            unused: Unused::CreditProrata,
        })
        .expect("will end");
        let mut lines = bill(&mut book);
        book.on("2012-05-11");
        lines.extend(bill(&mut book));
        let net = |line: &String| line.rsplit(' ').next().unwrap_or_default().to_string();
        lines.iter().map(net).collect::<Vec<_>>()
    };
    assert_eq!(billed(""), ["10.00"]);
    assert_eq!(billed("anticipates_end = false"), ["31.00", "-21.00"]);
}
