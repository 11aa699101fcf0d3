//! Which policy dunns whom: every condition of a rule, by whom it is met and by whom not.

use crate::book::{Book, usd};
use crate::dunning::{bill, check, level, subscribe};
use indelible_domain::command::{AddMethod, DunningLevel};
use indelible_domain::dunning::{Event as Dunning, Rule, When, Why};
use indelible_domain::methods::{Card, Kind, Means, Month};
use indelible_domain::{Command, Event};

fn decimal(text: &str) -> indelible_domain::kernel::Decimal {
    text.parse().expect("a decimal")
}

/// Two policies and one rule: whom it fits is dunned by `chosen`, everybody else by `usual`, which is the entity's.
fn ruled(when: When) -> Book {
    let mut book = Book::new();
    for policy in ["chosen", "usual"] {
        let policy = policy.to_string();
        let levels = vec![level("one", 5, &[])];
        book.ask(Command::SetDunningPolicy { policy, levels })
            .expect("policy");
    }
    let rule = Rule {
        name: "only".into(),
        policy: "chosen".into(),
        when,
    };
    book.ask(Command::SetDunningRules { rules: vec![rule] })
        .expect("rules");
    let mut terms = book.tenant().tables.entities["arms"].state.terms.clone();
    terms.dunning_policy = Some("usual".into());
    let entity = "arms".to_string();
    book.ask(Command::ChangeEntity { entity, terms })
        .expect("entity");
    book
}

/// The policy of alice's first episode, with what chose it.
fn begun(book: &Book) -> Option<(String, Why)> {
    book.log.iter().find_map(|(_, event)| match event {
        Event::Dunning(Dunning::Begun(e)) => Some((e.policy.clone(), e.why.clone())),
        _ => None,
    })
}

/// Whether the rule chose, once 60.00 are five days overdue.
fn chosen(book: &mut Book) -> bool {
    if book.receivables().open().is_zero() {
        book.invoice("60.00");
    }
    let late = indelible_domain::kernel::calendar::add_days(book.today, 20);
    check(book, &late.to_string());
    match begun(book).expect("an episode") {
        (policy, Why::Rule(name)) if policy == "chosen" && name == "only" => true,
        (policy, Why::Entity) if policy == "usual" => false,
        other => panic!("chosen is {other:?}"),
    }
}

fn alice(book: &mut Book, set: impl FnOnce(&mut indelible_domain::accounts::AccountTerms)) {
    let mut terms = book.tenant().tables.accounts["alice"].state.terms.clone();
    set(&mut terms);
    let account = "alice".to_string();
    book.ask(Command::ChangeAccount { account, terms })
        .expect("account");
}

fn pays_by(book: &mut Book, method: &str, means: Means) {
    book.ask(Command::AddMethod(Box::new(AddMethod {
        account: "alice".into(),
        method: method.into(),
        means,
        preferred: false,
    })))
    .expect("is added");
}

fn card(month: u32) -> Means {
    Means::Card(Card {
        gateway: "test".into(),
        token: "t".into(),
        customer: None,
        brand: "visa".into(),
        last4: "4242".into(),
        expires: Month { year: 2012, month },
    })
}

#[test]
fn a_rule_for_a_customer_group_is_for_nobody_else() {
    let vip = || When {
        groups: vec!["vip".into(), "staff".into()],
        ..When::default()
    };
    for (group, fits) in [
        (Some("vip"), true),
        (Some("staff"), true),
        (Some("retail"), false),
        (None, false),
    ] {
        let mut book = ruled(vip());
        alice(&mut book, |terms| terms.group = group.map(Into::into));
        assert_eq!(chosen(&mut book), fits, "{group:?}");
    }
}

#[test]
fn a_rule_for_countries_asks_for_the_buyers() {
    let abroad = || When {
        countries: vec!["FR".into(), "CH".into()],
        ..When::default()
    };
    for (country, fits) in [("FR", true), ("CH", true), ("US", false), ("", false)] {
        let mut book = ruled(abroad());
        alice(&mut book, |terms| terms.country = country.into());
        assert_eq!(chosen(&mut book), fits, "{country:?}");
    }
}

#[test]
fn a_rule_for_an_amount_holds_from_the_lower_bound_up_to_below_the_upper_one() {
    for (at_least, below, fits) in [
        (Some("60.00"), None, true),
        (Some("60.01"), None, false),
        (None, Some("60.00"), false),
        (None, Some("60.01"), true),
        (Some("60"), Some("60.01"), true),
    ] {
        let mut book = ruled(When {
            at_least: at_least.map(decimal),
            below: below.map(decimal),
            ..When::default()
        });
        assert_eq!(chosen(&mut book), fits, "{at_least:?} {below:?}");
    }
}

#[test]
fn a_rule_for_methods_asks_for_the_one_that_would_be_tried_that_day() {
    let carded = || When {
        methods: vec![Kind::Card],
        ..When::default()
    };
    let mut book = ruled(carded());
    assert!(!chosen(&mut book), "there is none");
    let mut book = ruled(carded());
    pays_by(&mut book, "card", card(12));
    assert!(chosen(&mut book));
    let mut book = ruled(carded());
    pays_by(&mut book, "cash", Means::Cash);
    pays_by(&mut book, "card", card(12));
    assert!(!chosen(&mut book), "cash is tried first");
    // The level is of 6 May, a month after the card's last day.
    let mut book = ruled(carded());
    book.on("2012-04-01");
    pays_by(&mut book, "old", card(4));
    pays_by(&mut book, "cash", Means::Cash);
    book.on("2012-05-01");
    assert!(!chosen(&mut book), "an expired card is not tried");
    let nothing = When {
        no_method: true,
        ..When::default()
    };
    let mut book = ruled(nothing.clone());
    assert!(chosen(&mut book));
    let mut book = ruled(nothing);
    pays_by(&mut book, "cash", Means::Cash);
    assert!(!chosen(&mut book));
}

#[test]
fn a_rule_for_product_lines_asks_what_is_overdue() {
    let fixed = || When {
        product_lines: vec!["fixed".into()],
        ..When::default()
    };
    for (line, fits) in [
        (Some("fixed"), true),
        (Some("mobile"), false),
        (None, false),
    ] {
        let mut book = ruled(fixed());
        subscribe(&mut book, "60.00");
        book.ask(Command::ClassifyOffer {
            offer: "shotgun".into(),
            product_line: line.map(Into::into),
        })
        .expect("is classified");
        // The trial is over on the 31st; that day and no other document is billed.
        bill(&mut book, "2012-06-01");
        assert!(book.receivables().open().is_positive());
        assert_eq!(chosen(&mut book), fits, "{line:?}");
    }
    // What was sold by hand is of no product line.
    assert!(!chosen(&mut ruled(fixed())));
}

#[test]
fn a_rule_for_currencies_and_entities_asks_for_the_accounts() {
    let mut book = ruled(When {
        currencies: vec![usd("0").currency],
        entities: vec!["arms".into()],
        ..When::default()
    });
    assert!(chosen(&mut book));
    let mut book = ruled(When {
        entities: vec!["legs".into()],
        ..When::default()
    });
    assert!(!chosen(&mut book));
    let mut book = ruled(When {
        currencies: vec!["EUR".parse().expect("a currency")],
        ..When::default()
    });
    assert!(!chosen(&mut book));
}

#[test]
fn every_condition_of_a_rule_must_be_met() {
    let both = || When {
        groups: vec!["vip".into()],
        countries: vec!["FR".into()],
        ..When::default()
    };
    for (group, country, fits) in [
        ("vip", "FR", true),
        ("vip", "US", false),
        ("retail", "FR", false),
    ] {
        let mut book = ruled(both());
        alice(&mut book, |terms| {
            terms.group = Some(group.into());
            terms.country = country.into();
        });
        assert_eq!(chosen(&mut book), fits, "{group} in {country}");
    }
}

#[test]
fn the_first_rule_that_fits_chooses_the_policy_and_the_event_says_which() {
    let rule = |name: &str, policy: &str, when: When| Rule {
        name: name.into(),
        policy: policy.into(),
        when,
    };
    let rules = || {
        vec![
            rule(
                "vip",
                "mild",
                When {
                    groups: vec!["vip".into()],
                    ..When::default()
                },
            ),
            rule(
                "large",
                "hard",
                When {
                    at_least: Some(decimal("100")),
                    currencies: vec![usd("0").currency],
                    ..When::default()
                },
            ),
            rule(
                "abroad",
                "hard",
                When {
                    countries: vec!["FR".into()],
                    ..When::default()
                },
            ),
            rule(
                "nothing to collect from",
                "mild",
                When {
                    no_method: true,
                    below: Some(decimal("50")),
                    ..When::default()
                },
            ),
        ]
    };
    let named = |name: &str| Why::Rule(name.to_string());
    for (group, country, amount, policy, why) in [
        (Some("vip"), "US", "500.00", "mild", named("vip")),
        (None, "US", "100.00", "hard", named("large")),
        (None, "FR", "99.99", "hard", named("abroad")),
        (
            None,
            "US",
            "49.99",
            "mild",
            named("nothing to collect from"),
        ),
        (None, "US", "50.00", "usual", Why::Entity),
    ] {
        let mut book = Book::new();
        for policy in ["mild", "hard", "usual"] {
            let levels: Vec<DunningLevel> = vec![level(policy, 5, &[])];
            let policy = policy.to_string();
            book.ask(Command::SetDunningPolicy { policy, levels })
                .expect("policy");
        }
        book.ask(Command::SetDunningRules { rules: rules() })
            .expect("rules");
        let mut entity = book.tenant().tables.entities["arms"].state.terms.clone();
        entity.dunning_policy = Some("usual".into());
        book.ask(Command::ChangeEntity {
            entity: "arms".into(),
            terms: entity,
        })
        .expect("entity");
        let mut terms = book.tenant().tables.accounts["alice"].state.terms.clone();
        terms.group = group.map(Into::into);
        terms.country = country.into();
        book.ask(Command::ChangeAccount {
            account: "alice".into(),
            terms,
        })
        .expect("account");
        book.invoice(amount);
        check(&mut book, "2012-05-06");
        assert_eq!(begun(&book), Some((policy.to_string(), why)), "{amount}");
    }
}

#[test]
fn a_rule_about_the_amount_chooses_as_more_falls_due() {
    let mut book = Book::new();
    let soon = vec![level("soon", 3, &[])];
    let policy = "large".to_string();
    book.ask(Command::SetDunningPolicy {
        policy: policy.clone(),
        levels: soon,
    })
    .expect("policy");
    let rule = Rule {
        name: "large".into(),
        policy,
        when: When {
            at_least: Some(decimal("100")),
            ..When::default()
        },
    };
    book.ask(Command::SetDunningRules { rules: vec![rule] })
        .expect("rules");
    book.on("2012-05-01").invoice("60.00");
    assert_eq!(check(&mut book, "2012-05-20"), Vec::<String>::new());
    book.invoice("40.00");
    // The second one is overdue from the 21st.
    assert_eq!(
        check(&mut book, "2012-05-25"),
        ["2012-05-21 soon over 100.00"]
    );
}
