//! The figures as tables that a person can read.

use super::figures::{Figures, last_full_month, plain, rounded};
use super::sheet;
use crate::office::Office;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indelible_domain::kernel::Exact;
use std::fmt::Write as _;

/// Rows of the longer tables.
const ROWS: usize = 12;

/// All tables, in the order in which money moves.
pub fn text(office: &Office, figures: &Figures) -> String {
    let mut out = String::new();
    section(
        &mut out,
        "The supplied files, untouched: figures that agree with those others computed",
        &checked(figures),
    );
    section(
        &mut out,
        "Usage: what became of every line received",
        &usage(figures),
    );
    section(
        &mut out,
        "Why lines were not simply rated",
        &reasons(figures),
    );
    section(&mut out, "Invoices by month", &invoices(figures));
    if let Some((title, table, totals)) = sheet::one_invoice(office, figures) {
        section(&mut out, &title, &table);
        let _ = writeln!(out, "{totals}");
    }
    let (table, more) = balances(figures);
    section(&mut out, "Balances: accounts that owe most", &table);
    let _ = writeln!(out, "{more}");
    section(
        &mut out,
        &format!("Aging on {}", figures.today),
        &aging(figures),
    );
    section(
        &mut out,
        "Monthly recurring revenue and its movements",
        &mrr(figures),
    );
    section(&mut out, "Churn", &churn(figures));
    section(&mut out, "Dunning: steps taken", &steps(figures));
    section(
        &mut out,
        "Dunning board: cases that are open",
        &board(figures),
    );
    section(&mut out, "Trial balance", &trial_balance(figures));
    let _ = writeln!(out, "\nHeld at the end of {} events:", figures.events);
    for sentence in &figures.invariants {
        let _ = writeln!(out, "  ✓ {sentence}");
    }
    out
}

fn section(out: &mut String, title: &str, table: &Table) {
    let _ = writeln!(out, "\n{title}\n{table}");
}

/// A table whose columns from `numbers` on are aligned to the right.
pub(super) fn table(header: &[&str], numbers: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn checked(figures: &Figures) -> Table {
    let mut table = table(&["what", "figure"], 1);
    for agreed in &figures.agreed {
        table.add_row([&agreed.what, &agreed.figure]);
    }
    table
}

fn usage(figures: &Figures) -> Table {
    let c = &figures.usage;
    let mut table = table(
        &[
            "received",
            "accepted",
            "duplicates",
            "conflicts",
            "unreadable",
            "",
            "rated",
            "pending",
            "rejected",
            "superseded",
        ],
        0,
    );
    let n = |n: u64| n.to_string();
    let row = [
        n(c.received),
        n(c.accepted),
        n(c.duplicates),
        n(c.conflicts),
        n(c.unreadable),
    ];
    let accepted = [
        String::new(),
        n(c.rated),
        n(c.pending),
        n(c.rejected),
        n(c.superseded),
    ];
    table.add_row(row.into_iter().chain(accepted));
    table
}

fn reasons(figures: &Figures) -> Table {
    let mut table = table(&["fate", "reason", "lines"], 2);
    for reason in &figures.reasons {
        table.add_row([
            reason.fate.name().to_string(),
            reason.code.clone(),
            reason.lines.to_string(),
        ]);
    }
    table
}

fn invoices(figures: &Figures) -> Table {
    let mut table = table(
        &[
            "month",
            "invoices",
            "credit notes",
            "net",
            "tax",
            "total",
            "currency",
        ],
        1,
    );
    let mut months: Vec<_> = figures.months.iter().collect();
    months.sort_by_key(|m| (m.month, m.total.currency));
    for month in months {
        table.add_row([
            month.month.format("%Y-%m").to_string(),
            month.invoices.to_string(),
            month.credit_notes.to_string(),
            plain(month.net),
            plain(month.tax),
            plain(month.total),
            month.total.currency.to_string(),
        ]);
    }
    table
}

fn balances(figures: &Figures) -> (Table, String) {
    let mut rows: Vec<_> = figures
        .balances
        .iter()
        .filter(|b| !b.balance().is_zero())
        .collect();
    rows.sort_by_key(|b| (std::cmp::Reverse(b.balance().minor), b.account.clone()));
    let mut table = table(
        &["account", "open", "unapplied credit", "balance", "currency"],
        1,
    );
    for balance in rows.iter().take(ROWS) {
        table.add_row([
            balance.account.clone(),
            plain(balance.open),
            plain(balance.unapplied),
            plain(balance.balance()),
            balance.currency.to_string(),
        ]);
    }
    let more = rows.len().saturating_sub(ROWS);
    (
        table,
        format!(
            "{more} more accounts have a balance, {} of {} are even",
            figures.balances.len() - rows.len(),
            figures.balances.len()
        ),
    )
}

fn aging(figures: &Figures) -> Table {
    let mut table = table(
        &[
            "currency",
            "not due",
            "1–30 days",
            "31–60",
            "61–90",
            "over 90",
            "open",
            "unapplied credit",
        ],
        1,
    );
    for a in &figures.aging {
        let late = a.late.iter().copied();
        let amounts = std::iter::once(a.not_due)
            .chain(late)
            .chain([a.open, a.unapplied]);
        table.add_row(std::iter::once(a.currency.to_string()).chain(amounts.map(plain)));
    }
    table
}

fn mrr(figures: &Figures) -> Table {
    let header = [
        "month",
        "currency",
        "opening",
        "new",
        "expansion",
        "contraction",
        "churn",
        "reactivation",
        "closing",
        "ARR",
    ];
    let mut table = table(&header, 2);
    for (currency, recurring) in &figures.recurring {
        for month in &recurring.months {
            let moves = &month.moves;
            let arr = month.arr().unwrap_or(Exact::ZERO);
            let amounts = [
                month.opening,
                moves.new,
                moves.expansion,
                moves.contraction,
                moves.churn,
                moves.reactivation,
                month.closing,
                arr,
            ];
            let head = [month.from.format("%Y-%m").to_string(), currency.to_string()];
            table.add_row(
                head.into_iter()
                    .chain(amounts.into_iter().map(|exact| rounded(exact, *currency))),
            );
        }
    }
    table
}

fn churn(figures: &Figures) -> Table {
    let mut table = table(
        &[
            "month",
            "currency",
            "accounts",
            "lost",
            "logo churn",
            "gross revenue",
            "net revenue",
        ],
        2,
    );
    let share =
        |ratio: Option<Exact>| ratio.map_or("–".to_string(), |r| format!("{} %", percent(r)));
    for (currency, recurring) in &figures.recurring {
        for churn in recurring
            .churn
            .iter()
            .filter(|c| c.month <= last_full_month(figures.today))
        {
            table.add_row([
                churn.month.format("%Y-%m").to_string(),
                currency.to_string(),
                churn.accounts.to_string(),
                churn.accounts_lost.to_string(),
                share(churn.logo),
                share(churn.gross_revenue),
                share(churn.net_revenue),
            ]);
        }
    }
    table
}

pub(super) fn percent(ratio: Exact) -> String {
    ratio
        .times(Exact::from(100))
        .map_or_else(|_| "?".to_string(), |p| p.to_decimal(2))
}

fn steps(figures: &Figures) -> Table {
    let mut table = table(&["step", "times"], 1);
    for step in &figures.dunning_steps {
        table.add_row([step.kind.name().to_string(), step.times.to_string()]);
    }
    table
}

fn board(figures: &Figures) -> Table {
    let mut table = table(
        &[
            "account",
            "began",
            "level",
            "reached on",
            "suspended",
            "overdue then",
        ],
        5,
    );
    let day = |d: Option<chrono::NaiveDate>| d.map(|d| d.to_string()).unwrap_or_default();
    for case in figures.cases.iter().filter(|c| c.open) {
        table.add_row([
            case.account.clone(),
            day(case.began),
            case.level.clone().unwrap_or_default(),
            day(case.reached_on),
            case.suspended.len().to_string(),
            case.overdue.map(|m| m.to_string()).unwrap_or_default(),
        ]);
    }
    table
}

fn trial_balance(figures: &Figures) -> Table {
    let mut table = table(&["currency", "account", "debit", "credit"], 2);
    for line in &figures.trial_balance {
        table.add_row([
            line.debit.currency.to_string(),
            line.account.name().to_string(),
            plain(line.debit),
            plain(line.credit),
        ]);
    }
    table
}
