//! Holds what a scenario expects against the books.

use chrono::NaiveDate;
use indelible_domain::charges::What;
use indelible_domain::invoices::Line;
use indelible_domain::kernel::{Currency, Decimal, Exact, Money, Rejection};
use indelible_domain::subscriptions::Stage;

use super::super::ast::{self, Counter, Expect, InvoiceState, SubscriptionState};
use super::allowances;
use super::draw::{Row, compare};
use super::story::Story;

/// Nothing, or the difference drawn.
pub(super) fn check(story: &mut Story, expect: &Expect) -> Result<(), String> {
    let rows = rows(story, expect).map_err(|why| format!("{} ({})", why.message, why.code))?;
    compare(&rows)
}

fn rows(story: &mut Story, expect: &Expect) -> Result<Vec<Row>, Rejection> {
    match expect {
        Expect::Invoice(invoice) => invoice_rows(story, invoice),
        Expect::NoInvoice { account } => {
            let made = story.books.documents(account)?;
            let seen = story.seen.insert(account.clone(), made.len()).unwrap_or(0);
            let new = made
                .iter()
                .skip(seen)
                .map(|id| story.books.invoice(id).map(|invoice| summary(&invoice)))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(vec![Row::new(
                format!("new invoices of {account}"),
                "none",
                none_or(new.join(", ")),
            )])
        }
        Expect::CreditNote {
            account,
            number,
            total,
            tax,
            accounting_tax,
        } => {
            let notes = story.books.credit_notes(account)?;
            let note = nth(&notes, *number)
                .ok_or_else(|| missing("credit note", account, *number, notes.len()))?;
            let note = story.books.invoice(note)?;
            let document = &note.document;
            let mut rows = vec![money_row("total", *total, document.total.negated())];
            rows.extend(tax.map(|tax| money_row("tax", tax, document.tax.negated())));
            let told = note.stated.as_deref().map(|told| told.total.negated());
            rows.extend(accounting_tax.map(|tax| accounting_row(tax, told)));
            Ok(rows)
        }
        Expect::Advance { advance, net, tax } => {
            let (left, of_tax) = story.books.advance(advance)?;
            let mut rows = vec![money_row(format!("left of {advance}"), *net, left)];
            rows.extend(tax.map(|tax| money_row(format!("tax left of {advance}"), tax, of_tax)));
            Ok(rows)
        }
        Expect::Balance { account, amount } => Ok(vec![money_row(
            format!("balance of {account}"),
            *amount,
            story.books.balance(account)?,
        )]),
        Expect::Credit { account, amount } => Ok(vec![money_row(
            format!("credit of {account}"),
            *amount,
            story.books.credit(account)?,
        )]),
        Expect::Wallet {
            wallet,
            what,
            amount,
        } => {
            let held = story.books.wallet(wallet, *what, story.now())?;
            Ok(vec![exact_row(format!("wallet {wallet}"), *amount, held)])
        }
        Expect::Rerated {
            rerating,
            differences,
        } => story.rerated_rows(rerating, differences),
        Expect::Counter {
            subscription,
            counter,
            left,
        } => {
            let now = story.now();
            let held = allowances::left(&story.books, now, subscription, counter)?;
            let what = format!("left of counter {counter} of {subscription}");
            Ok(vec![exact_row(what, *left, held)])
        }
        Expect::Entitled {
            subscription,
            class,
            quantity,
            free,
            refused,
        } => {
            let (now, quantity) = (story.now(), Decimal::new(*quantity));
            let asked = (subscription.as_str(), class.as_str());
            let answer = allowances::entitled(&story.books, now, asked, quantity)?;
            let what = format!("{quantity} of {class} for {subscription}");
            let code = |refused: Option<&String>| match refused {
                Some(code) => format!("refused {code}"),
                None => "allowed".to_owned(),
            };
            let why = answer.refused.map(|r| r.code);
            let mut rows = vec![Row::new(
                what.clone(),
                code(refused.as_ref()),
                code(why.as_ref()),
            )];
            rows.extend(free.map(|free| exact_row(format!("{what}, free"), free, answer.covered)));
            Ok(rows)
        }
        Expect::Dunning { account, level } => {
            let actual = story.books.dunning_level(account)?;
            let name = |level: &Option<String>| level.clone().unwrap_or_else(|| "clear".to_owned());
            Ok(vec![Row::new(
                format!("dunning of {account}"),
                name(level),
                name(&actual),
            )])
        }
        Expect::Subscription {
            subscription,
            state,
        } => {
            let sub = story.books.subscription(subscription)?;
            let today = story.today(&sub.account)?;
            let actual = match sub.stage(today) {
                Stage::Pending => SubscriptionState::Pending,
                Stage::Active => SubscriptionState::Active,
                Stage::Paused => SubscriptionState::Paused,
                Stage::Terminated => SubscriptionState::Terminated,
                Stage::Cancelled => SubscriptionState::Cancelled,
            };
            Ok(vec![Row::new(
                format!("subscription {subscription}"),
                stage_name(*state),
                stage_name(actual),
            )])
        }
        Expect::Usage { counts } => Ok(counts
            .iter()
            .map(|(counter, count)| {
                Row::new(counter_name(*counter), count, counted(story, *counter))
            })
            .collect()),
        Expect::Mrr {
            currency,
            amount,
            on,
        } => mrr_rows(story, currency, *amount, *on),
    }
}

/// Equal as numbers, however many decimals are written.
fn exact_row(what: String, expected: rust_decimal::Decimal, held: Exact) -> Row {
    let held = match held == Exact::from(Decimal::new(expected)) {
        true => expected.to_string(),
        false => held.to_decimal(12),
    };
    Row::new(what, expected, held)
}

fn invoice_rows(story: &mut Story, expect: &ast::Invoice) -> Result<Vec<Row>, Rejection> {
    let account = &expect.account;
    let made = story.books.documents(account)?;
    story.seen.insert(account.clone(), made.len());
    let id = nth(&made, expect.number)
        .ok_or_else(|| missing("invoice", account, expect.number, made.len()))?;
    let invoice = story.books.invoice(id)?;
    let document = invoice.document;
    let mut rows = Vec::new();
    if let Some(kind) = &expect.kind {
        rows.push(Row::new("kind", kind, document.kind.code()));
    }
    if let Some(number) = &expect.numbered {
        rows.push(Row::new("number", number, &invoice.number));
    }
    rows.extend(
        expect
            .total
            .map(|total| money_row("total", total, document.total)),
    );
    rows.extend(expect.tax.map(|tax| money_row("tax", tax, document.tax)));
    let told = invoice.stated.as_deref().map(|told| told.total);
    rows.extend(expect.accounting_tax.map(|tax| accounting_row(tax, told)));
    if let Some(currency) = &expect.currency {
        rows.push(Row::new("currency", currency, document.currency.code()));
    }
    if let Some(seller) = &expect.seller {
        rows.push(Row::new("seller", seller, &document.entity));
    }
    if let Some(balance) = expect.balance {
        rows.push(money_row(
            "balance",
            balance,
            story.books.invoice_balance(id)?,
        ));
    }
    if let Some(state) = expect.state {
        rows.push(Row::new(
            "state",
            state_name(state),
            state_name(story.books.invoice_state(id)?),
        ));
    }
    if !expect.shown.is_empty() {
        rows.extend(shown_rows(story, id, &expect.shown, document.currency)?);
    }
    if !expect.lines.is_empty() {
        rows.extend(line_rows(&expect.lines, &document.lines, document.currency));
    }
    Ok(rows)
}

/// What a reader is shown of a document, line by line in its order.
fn shown_rows(
    story: &Story,
    invoice: &str,
    expected: &[ast::ShownLine],
    currency: Currency,
) -> Result<Vec<Row>, Rejection> {
    let found = story.books.shown(invoice)?;
    let told = |text: &str, amount: String, quantity: Option<&str>| match quantity {
        Some(quantity) => format!("{text}: {quantity}, {amount}"),
        None => format!("{text}: {amount}"),
    };
    let row = |n: usize| {
        let (wanted, shown) = (expected.get(n), found.get(n));
        let with = wanted.and_then(|line| line.quantity.as_deref());
        let wanted = wanted.map(|line| {
            let amount = in_minor_units(line.amount, currency);
            told(&line.text, amount, with)
        });
        let shown = shown.map(|line| {
            let quantity = line.quantity.as_deref().unwrap_or("no quantity");
            told(&line.text, line.net.amount(), with.map(|_| quantity))
        });
        let none = || "no line".to_owned();
        Row::new(
            format!("shown line {}", n + 1),
            wanted.unwrap_or_else(none),
            shown.unwrap_or_else(none),
        )
    };
    Ok((0..expected.len().max(found.len())).map(row).collect())
}

/// Pairs expected lines with actual ones: equal ones first, then those over the same days, then what is left on either side.
fn line_rows(expected: &[ast::Line], actual: &[Line], currency: Currency) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut actual: Vec<&Line> = actual.iter().collect();
    let mut open: Vec<&ast::Line> = expected.iter().collect();
    open.retain(|line| {
        let amount = in_minor_units(line.amount, currency);
        let same = actual
            .iter()
            .position(|a| span(a) == (line.from, line.until) && a.net.amount() == amount);
        same.map(|at| {
            actual.remove(at);
            rows.push(Row::new(label(line.from, line.until), &amount, &amount));
        })
        .is_none()
    });
    for line in open {
        let amount = in_minor_units(line.amount, currency);
        let label = label(line.from, line.until);
        let near = actual
            .iter()
            .position(|a| span(a) == (line.from, line.until));
        rows.push(match near.map(|at| actual.remove(at)) {
            Some(near) => Row::new(label, amount, near.net.amount()).because(&near.explain),
            None if line.amount.is_zero() => Row::new(label, "", ""),
            None => Row::new(label, amount, "no line"),
        });
    }
    for line in actual.into_iter().filter(|line| !line.net.is_zero()) {
        let (from, until) = span(line);
        rows.push(
            Row::new(label(from, until), "no line", line.net.amount()).because(&line.explain),
        );
    }
    rows
}

fn span(line: &Line) -> (NaiveDate, Option<NaiveDate>) {
    match (&line.what, line.what.days()) {
        (_, Some(days)) => (days.from, Some(days.until)),
        (
            What::OneOff { on, .. }
            | What::Added { on, .. }
            | What::TopUp { on, .. }
            | What::Advance { on, .. },
            None,
        ) => (*on, None),
        _ => (ast::Line::NO_DAY, None),
    }
}

fn label(from: NaiveDate, until: Option<NaiveDate>) -> String {
    if from == ast::Line::NO_DAY {
        return "deducted".to_owned();
    }
    until.map_or_else(|| from.to_string(), |until| format!("[{from}, {until})"))
}

/// Compared at the number of decimals that the file writes.
fn mrr_rows(
    story: &Story,
    currency: &str,
    expected: rust_decimal::Decimal,
    on: Option<NaiveDate>,
) -> Result<Vec<Row>, Rejection> {
    let day = on.unwrap_or_else(|| story.day());
    let exact = story.books.mrr(currency.parse()?, day)?;
    let actual = exact.to_decimal(expected.scale());
    let because = format!("exactly {}", exact.to_decimal(12));
    Ok(vec![
        Row::new(
            format!("mrr {currency} on {day}"),
            expected.normalize(),
            actual,
        )
        .because(because),
    ])
}

fn nth(ids: &[String], number: Option<usize>) -> Option<&String> {
    number.map_or_else(|| ids.last(), |number| ids.get(number.wrapping_sub(1)))
}

fn missing(what: &str, account: &str, number: Option<usize>, count: usize) -> Rejection {
    let which = number.map_or_else(String::new, |number| format!(" {number}"));
    Rejection::new(
        "NOT_FOUND",
        format!("account {account} has no {what}{which}: there are {count}"),
    )
}

fn summary(invoice: &indelible_domain::invoices::Invoice) -> String {
    let lines: Vec<String> = invoice
        .document
        .lines
        .iter()
        .map(|line| {
            let (from, until) = span(line);
            format!("{} {}", label(from, until), line.net.amount())
        })
        .collect();
    format!("{} ({})", invoice.document.total.amount(), lines.join("; "))
}

fn none_or(text: String) -> String {
    if text.is_empty() {
        "none".to_owned()
    } else {
        text
    }
}

/// The tax in the currency of the legal entity, where there is one.
fn accounting_row(expected: rust_decimal::Decimal, told: Option<Money>) -> Row {
    let label = "tax in the accounting currency";
    match told {
        Some(told) => money_row(label, expected, told),
        None => Row::new(label, expected, "none"),
    }
}

fn money_row(label: impl Into<String>, expected: rust_decimal::Decimal, actual: Money) -> Row {
    Row::new(
        label,
        in_minor_units(expected, actual.currency),
        actual.amount(),
    )
}

/// An amount as the currency writes it; one that is finer than the currency stays as written, and so never matches.
fn in_minor_units(amount: rust_decimal::Decimal, currency: Currency) -> String {
    Money::parse(Decimal::new(amount), currency).map_or_else(|_| amount.to_string(), Money::amount)
}

fn state_name(state: InvoiceState) -> &'static str {
    match state {
        InvoiceState::Draft => "draft",
        InvoiceState::Open => "open",
        InvoiceState::PartlyPaid => "partly-paid",
        InvoiceState::Paid => "paid",
        InvoiceState::Void => "void",
        InvoiceState::WrittenOff => "written-off",
        InvoiceState::Requested => "requested",
        InvoiceState::Credited => "credited",
        InvoiceState::Rejected => "rejected",
    }
}

fn stage_name(state: SubscriptionState) -> &'static str {
    match state {
        SubscriptionState::Pending => "pending",
        SubscriptionState::Active => "active",
        SubscriptionState::Paused => "paused",
        SubscriptionState::Terminated => "terminated",
        SubscriptionState::Cancelled => "cancelled",
    }
}

fn counter_name(counter: Counter) -> &'static str {
    match counter {
        Counter::Received => "received",
        Counter::Accepted => "accepted",
        Counter::Duplicates => "duplicates",
        Counter::Conflicts => "conflicts",
        Counter::Unreadable => "unreadable",
        Counter::Rated => "rated",
        Counter::Pending => "pending",
        Counter::Rejected => "rejected",
        Counter::Superseded => "superseded",
    }
}

fn counted(story: &Story, counter: Counter) -> u64 {
    let usage = &story.usage;
    match counter {
        Counter::Received => usage.received,
        Counter::Accepted => usage.accepted,
        Counter::Duplicates => usage.duplicates,
        Counter::Conflicts => usage.conflicts,
        Counter::Unreadable => usage.unreadable,
        Counter::Rated => usage.rated,
        Counter::Pending => usage.pending,
        Counter::Rejected => usage.rejected,
        Counter::Superseded => usage.superseded,
    }
}
