//! What a bank says before it books: status reports settle and fail, interim statements are only shown.

use crate::bank::{entry, entry_of, fate, import, part, statement};
use crate::bank_files::{about, back, collecting, draw, file, stage};
use crate::book::{Book, d, usd};
use indelible_domain::Command;
use indelible_domain::bank::entry::Fate;
use indelible_domain::bank::{Balance, BankAccount, FeeRule, Status, Verdict, statement};
use indelible_domain::charges::Charges;
use indelible_domain::command::{AddMethod, ImportStatusReport, RecordPayment};
use indelible_domain::journal::{Ledger, trial_balance};
use indelible_domain::methods::Means;
use indelible_domain::payments::{BackStage, Payment, Stage};
use indelible_domain::world::Noun;

fn verdict(status: Status) -> Verdict {
    Verdict {
        status,
        code: match status {
            Status::Rejected => "AC04".into(),
            _ => String::new(),
        },
        reason: String::new(),
        retry: false,
    }
}

fn report(name: &str, payments: &[(&str, Status)]) -> ImportStatusReport {
    ImportStatusReport {
        report: name.into(),
        digest: [u8::try_from(name.len()).expect("a short name"); 16],
        file: "f1".into(),
        whole: None,
        batches: vec![],
        payments: payments
            .iter()
            .map(|(id, status)| ((*id).to_string(), verdict(*status)))
            .collect(),
    }
}

fn told(book: &mut Book, report: ImportStatusReport) -> Result<(), String> {
    let told = book.ask(Command::ImportStatusReport(Box::new(report)));
    told.map(drop).map_err(|r| r.code)
}

fn net(book: &Book, ledger: Ledger) -> String {
    let balances = trial_balance(&book.tenant().tables);
    let found = balances.iter().find(|b| b.account == ledger);
    found.map_or("0".into(), |b| b.net().to_string())
}

#[test]
fn a_report_settles_what_has_moved_and_fails_what_is_refused_once() {
    let mut book = collecting(&["7.00", "5.00", "3.00"]);
    draw(&mut book, "f1").expect("is drawn");
    let said = report(
        "r1",
        &[
            ("c1", Status::Settled),
            ("c2", Status::Rejected),
            ("c3", Status::Accepted),
        ],
    );
    told(&mut book, said.clone()).expect("is taken");
    let stages = ["c1", "c2", "c3"].map(|id| stage(&book, id));
    assert_eq!(stages, [Stage::Settled, Stage::Failed, Stage::Pending]);
    let before = book.tenant().clone();
    told(&mut book, said).expect("is known");
    assert_eq!(*book.tenant(), before, "the second time writes nothing");
    let mut other = report("r1", &[("c3", Status::Settled)]);
    other.digest = [9; 16];
    assert_eq!(told(&mut book, other), Err("REPORT_CHANGED".into()));
    assert_eq!(file(&book, "f1").verdicts["c3"].status, Status::Accepted);
}

#[test]
fn what_is_said_of_a_payment_counts_more_than_of_its_batch_and_of_the_file() {
    let mut book = collecting(&["7.00", "5.00", "3.00"]);
    draw(&mut book, "f1").expect("is drawn");
    let mut said = report("r1", &[("c2", Status::Accepted)]);
    said.batches = vec![("f1-2".into(), verdict(Status::Rejected))];
    said.whole = Some(verdict(Status::Partly));
    told(&mut book, said).expect("is taken");
    let stages = ["c1", "c2", "c3"].map(|id| stage(&book, id));
    assert_eq!(stages, [Stage::Pending, Stage::Pending, Stage::Failed]);
    let mut whole = report("r22", &[]);
    whole.whole = Some(verdict(Status::Rejected));
    told(&mut book, whole).expect("is taken");
    assert_eq!(stage(&book, "c1"), Stage::Failed);
}

#[test]
fn a_report_on_what_is_not_ours_is_refused_whole() {
    let mut book = collecting(&["7.00"]);
    let early = report("r1", &[("c1", Status::Settled)]);
    assert_eq!(told(&mut book, early), Err("BANK_FILE_UNKNOWN".into()));
    draw(&mut book, "f1").expect("is drawn");
    let strange = report("r1", &[("c1", Status::Settled), ("x", Status::Settled)]);
    assert_eq!(told(&mut book, strange), Err("REPORT_MISMATCH".into()));
    assert_eq!(stage(&book, "c1"), Stage::Pending);
    book.ask(Command::WithdrawBankFile {
        file: "f1".into(),
        reason: "lost".into(),
    })
    .expect("is withdrawn");
    let late = report("r1", &[("c1", Status::Settled)]);
    assert_eq!(told(&mut book, late), Err("BANK_FILE_WITHDRAWN".into()));
}

#[test]
fn what_a_report_settled_or_refused_is_not_booked_again_by_the_statement() {
    let mut book = collecting(&["7.00", "5.00"]);
    draw(&mut book, "f1").expect("is drawn");
    let said = report("r1", &[("c1", Status::Settled), ("c2", Status::Rejected)]);
    told(&mut book, said).expect("is taken");
    assert_eq!(book.owes(), ("5.00".into(), "0.00".into()));
    // Gross, and then what was refused taken out again.
    let entries = vec![
        entry_of(1, vec![about("c1", "7.00"), about("c2", "5.00")]),
        entry_of(2, vec![back("c2", "-5.00", "AC04")]),
    ];
    import(&mut book, statement("s1", entries));
    for (key, part) in [(1, 0), (1, 1), (2, 0)] {
        assert!(matches!(fate(&book, key, part), Fate::Noted { .. }));
    }
    assert_eq!(book.owes(), ("5.00".into(), "0.00".into()));
}

#[test]
fn an_interim_statement_is_shown_and_the_statement_books_it_once() {
    let mut book = collecting(&["7.00"]);
    draw(&mut book, "f1").expect("is drawn");
    let interim = |name: &str, entries| {
        let mut said = statement(name, entries);
        said.kind = statement::Kind::Interim;
        said
    };
    let (mut loose, mut pending) = (entry(2, "5.00"), entry_of(1, vec![about("c1", "7.00")]));
    loose.referenced = false;
    pending.pending = true;
    import(&mut book, interim("i1", vec![pending.clone(), loose]));
    let expected = |book: &Book| {
        let bank = &<BankAccount as Noun>::table(&book.tenant().tables)["main"].state;
        let shown = bank.expected.iter();
        let shown = shown.map(|e| (e.key[0], e.pending, e.end_to_end.clone()));
        shown.collect::<Vec<_>>()
    };
    let ours = (1, true, Some("c1".to_string()));
    assert_eq!(expected(&book), [ours.clone(), (2, false, None)]);
    assert_eq!(
        stage(&book, "c1"),
        Stage::Pending,
        "nothing is booked by it"
    );
    let mut again = entry(3, "5.00");
    again.referenced = false;
    import(&mut book, interim("i2", vec![again]));
    assert_eq!(expected(&book), [ours, (3, false, None)]);
    let mut day = statement("s1", vec![entry_of(1, vec![about("c1", "7.00")])]);
    let balance = |amount, on| Balance {
        amount: usd(amount),
        on: d(on),
    };
    day.opening = Some(balance("1.00", "2012-05-02"));
    day.closing = Some(balance("8.00", "2012-05-03"));
    import(&mut book, day);
    assert_eq!(stage(&book, "c1"), Stage::Settled);
    assert_eq!(expected(&book), []);
    let known = import(&mut book, interim("i3", vec![pending]));
    assert_eq!(expected(&book), [], "what is booked is not expected");
    assert!(known.contains(":i:"));
}

#[test]
fn a_fee_of_the_bank_is_posted_to_the_account_of_its_rule() {
    let mut book = collecting(&[]);
    let fee = |key, amount| {
        let mut fee = entry(key, amount);
        fee.code = "PMNT-MDOP-CHRG".into();
        fee
    };
    import(&mut book, statement("s1", vec![fee(1, "-4.50")]));
    import(&mut book, statement("s2", vec![fee(2, "0.50")]));
    assert_eq!(net(&book, Ledger::BankFees), usd("4.00").to_string());
    assert_eq!(net(&book, Ledger::Cash), usd("4.00").negated().to_string());
    let rule = |ledger| Command::RuleBankFees {
        bank: "main".into(),
        rule: FeeRule {
            codes: vec!["PMNT-MDOP-OTHR".into()],
            ledger,
            recharge: None,
        },
    };
    assert_eq!(book.refused(rule(Ledger::Cash)), "BANK_FEES_INVALID");
    book.ask(rule(Ledger::PaymentDifference)).expect("is ruled");
    let mut other = fee(3, "-1.00");
    other.code = "PMNT-MDOP-OTHR".into();
    import(&mut book, statement("s3", vec![other]));
    assert_eq!(
        net(&book, Ledger::PaymentDifference),
        usd("1.00").to_string()
    );
}

#[test]
fn the_fee_of_a_return_is_posted_and_charged_to_the_payer_if_the_rule_says_so() {
    let mut book = collecting(&["7.00"]);
    book.ask(Command::RuleBankFees {
        bank: "main".into(),
        rule: FeeRule {
            recharge: Some("standard".into()),
            ..FeeRule::default()
        },
    })
    .expect("is ruled");
    draw(&mut book, "f1").expect("is drawn");
    import(
        &mut book,
        statement("s1", vec![entry_of(1, vec![back("c1", "-10.00", "AM04")])]),
    );
    assert_eq!(net(&book, Ledger::BankFees), usd("3.00").to_string());
    let charges = &<Charges as Noun>::table(&book.tenant().tables)["alice"].state;
    let asked = charges.pending.last().map(|c| c.amount);
    assert_eq!(asked, Some(usd("3.00")));
}

#[test]
fn money_that_was_sent_goes_back_by_file_to_the_account_that_was_given_for_it() {
    let mut book = collecting(&[]);
    let pay = |book: &mut Book, id: &str| {
        let invoice = book.invoice("7.00");
        book.ask(Command::RecordPayment(RecordPayment {
            payment: id.into(),
            account: "alice".into(),
            amount: usd("7.00"),
            invoice: Some(invoice),
            method: "transfer".into(),
            pending: false,
        }))
        .expect("is recorded");
    };
    let state = |book: &Book, id: &str| {
        <Payment as Noun>::table(&book.tenant().tables)[id]
            .state
            .clone()
    };
    pay(&mut book, "t1");
    book.refund("t1", Some("1.00"));
    assert_eq!(state(&book, "t1").refunded, usd("1.00"), "by hand");
    book.ask(Command::AddMethod(Box::new(AddMethod {
        account: "alice".into(),
        method: "bank".into(),
        means: Means::Transfer(Some(crate::bank_files::sealed("7"))),
        preferred: false,
    })))
    .expect("is added");
    pay(&mut book, "t2");
    book.refund("t2", Some("2.00"));
    assert_eq!(state(&book, "t2").returns[0].stage, BackStage::Pending);
    book.ask(Command::DrawTransfers {
        file: "f1".into(),
        bank: "main".into(),
        on: None,
    })
    .expect("is drawn");
    let item = &file(&book, "f1").items[0];
    assert_eq!(
        (item.end_to_end.as_str(), item.account.hash.as_str()),
        ("t2.r1", "7".repeat(64).as_str())
    );
    let refused = report("r1", &[("t2.r1", Status::Rejected)]);
    told(&mut book, refused).expect("is taken");
    assert_eq!(state(&book, "t2").returns[0].stage, BackStage::Failed);
    book.refund("t2", Some("2.00"));
    book.ask(Command::DrawTransfers {
        file: "f2".into(),
        bank: "main".into(),
        on: None,
    })
    .expect("is drawn");
    let mut left = part("-2.00");
    left.part.end_to_end = Some("t2.r2".into());
    let mut settled = report("r2", &[("t2.r2", Status::Settled)]);
    settled.file = "f2".into();
    told(&mut book, settled).expect("is taken");
    import(&mut book, statement("s1", vec![entry_of(1, vec![left])]));
    assert_eq!(state(&book, "t2").refunded, usd("2.00"), "once");
}
