//! Every fact of value is posted once, and the control accounts tie to the accounts they control (policy 31).
//! `Book::ask` audits that after every command; here the amounts themselves are named.

use crate::book::Book;
use indelible_domain::Command;
use indelible_domain::journal::{Ledger, trial_balance};
use indelible_domain::kernel::Decimal;
use indelible_domain::taxes::Rate;

/// Debits − credits of every account that has any, by code.
fn trial(book: &Book) -> Vec<(u16, String)> {
    let all = trial_balance(&book.tenant().tables);
    all.iter()
        .filter(|b| !b.net().is_zero())
        .map(|b| (u16::from(b.account), b.net().amount()))
        .collect()
}

fn expect(book: &Book, rows: &[(Ledger, &str)]) {
    let rows: Vec<(u16, String)> = rows
        .iter()
        .map(|(l, a)| (u16::from(*l), (*a).to_string()))
        .collect();
    assert_eq!(trial(book), rows);
}

fn taxed() -> Book {
    let mut book = Book::new();
    let rate: Decimal = "0.10".parse().expect("rate");
    let tax = Rate {
        name: "Sales tax".into(),
        category: "".into(),
        class: "standard".into(),
        seller: "US".into(),
        buyer: "".into(),
        rate,
        from: crate::book::d("2000-01-01"),
        parts: vec![],
    };
    book.ask(Command::SetTaxRate(tax)).expect("tax is set");
    book
}

#[test]
fn an_invoice_its_payment_and_its_credit_note_post_revenue_tax_cash_and_credit() {
    use Ledger::{Cash, CustomerCredit, OneOffRevenue, Receivable, TaxPayable};
    let mut book = taxed();
    let invoice = book.invoice("100.00");
    expect(
        &book,
        &[
            (Receivable, "110.00"),
            (TaxPayable, "-10.00"),
            (OneOffRevenue, "-100.00"),
        ],
    );
    book.pay("130.00", Some(&invoice));
    expect(
        &book,
        &[
            (Cash, "130.00"),
            (CustomerCredit, "-20.00"),
            (TaxPayable, "-10.00"),
            (OneOffRevenue, "-100.00"),
        ],
    );
    book.credit(&invoice, Some("50.00"));
    expect(
        &book,
        &[
            (Cash, "130.00"),
            (CustomerCredit, "-75.00"),
            (TaxPayable, "-5.00"),
            (OneOffRevenue, "-50.00"),
        ],
    );
}

#[test]
fn goodwill_write_offs_refunds_and_voids_post_against_their_own_accounts() {
    use Ledger::{BadDebt, Goodwill, OneOffRevenue, Receivable};
    let mut book = Book::new();
    let lost = book.invoice("40.00");
    book.grant("15.00");
    expect(
        &book,
        &[
            (Receivable, "25.00"),
            (OneOffRevenue, "-40.00"),
            (Goodwill, "15.00"),
        ],
    );
    book.ask(Command::WriteOffInvoice {
        invoice: lost,
        reason: "lost".into(),
    })
    .expect("is written off");
    expect(
        &book,
        &[
            (OneOffRevenue, "-40.00"),
            (Goodwill, "15.00"),
            (BadDebt, "25.00"),
        ],
    );
    let wrong = book.invoice("10.00");
    let payment = book.pay("12.00", None);
    book.refund(&payment, None);
    book.void(&wrong).expect("voids");
    expect(
        &book,
        &[
            (OneOffRevenue, "-40.00"),
            (Goodwill, "15.00"),
            (BadDebt, "25.00"),
        ],
    );
}
