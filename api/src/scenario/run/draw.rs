//! Draws what was expected beside what is, so that a bookkeeper can read the difference.

/// One row of a comparison.
pub(super) struct Row {
    pub(super) label: String,
    pub(super) expected: String,
    pub(super) actual: String,
    /// How the actual figure came about; shown below the row when it differs.
    pub(super) because: Option<String>,
}

impl Row {
    pub(super) fn new(
        label: impl Into<String>,
        expected: impl ToString,
        actual: impl ToString,
    ) -> Row {
        Row {
            label: label.into(),
            expected: expected.to_string(),
            actual: actual.to_string(),
            because: None,
        }
    }

    pub(super) fn because(self, because: impl Into<String>) -> Row {
        Row {
            because: Some(because.into()),
            ..self
        }
    }

    fn differs(&self) -> bool {
        self.expected != self.actual
    }
}

/// All rows as a table when any of them differs.
pub(super) fn compare(rows: &[Row]) -> Result<(), String> {
    if rows.iter().all(|row| !row.differs()) {
        return Ok(());
    }
    let width = |cell: fn(&Row) -> &str, head: &str| {
        rows.iter()
            .map(|row| cell(row).chars().count())
            .chain([head.chars().count()])
            .max()
            .unwrap_or(0)
    };
    let label = width(|row| &row.label, "");
    let expected = width(|row| &row.expected, "expected");
    let actual = width(|row| &row.actual, "actual");
    let mut drawn = format!(
        "{:label$} │ {:>expected$} │ {:>actual$}\n",
        "", "expected", "actual"
    );
    drawn.push_str(&format!(
        "{}─┼─{}─┼─{}──\n",
        "─".repeat(label),
        "─".repeat(expected),
        "─".repeat(actual)
    ));
    for row in rows {
        let mark = if row.differs() { " ≠" } else { "" };
        drawn.push_str(&format!(
            "{:label$} │ {:>expected$} │ {:>actual$}{mark}\n",
            row.label, row.expected, row.actual
        ));
        if let Some(because) = row.because.as_ref().filter(|_| row.differs()) {
            drawn.push_str(&format!("{:label$} └ {because}\n", ""));
        }
    }
    Err(drawn)
}

#[cfg(test)]
mod tests {
    use super::{Row, compare};

    #[test]
    fn equal_rows_draw_nothing() {
        assert_eq!(compare(&[Row::new("total", "1.00", "1.00")]), Ok(()));
    }

    #[test]
    fn a_difference_shows_every_row_and_marks_the_ones_that_differ() {
        let rows = [
            Row::new("total", "10.00", "9.99"),
            Row::new("[2024-01-01, 2024-02-01)", "10.00", "9.99").because("31/31 x 9.99"),
            Row::new("tax", "0.00", "0.00"),
        ];
        let drawn = compare(&rows).expect_err("two rows differ");
        let expected = "                         │ expected │ actual
─────────────────────────┼──────────┼─────────
total                    │    10.00 │   9.99 ≠
[2024-01-01, 2024-02-01) │    10.00 │   9.99 ≠
                         └ 31/31 x 9.99
tax                      │     0.00 │   0.00
";
        assert_eq!(drawn, expected);
    }
}
