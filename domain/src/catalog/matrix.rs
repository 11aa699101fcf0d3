//! The price matrix: lines of cells over attributes of a record, of which the most specific that fits gives the price.
//!
//! A look-up does not walk the lines. Lines whose cells are of the same kinds share a table: exact cells and the heads of
//! prefixes are its key, and what is left, ranges, is ordered by where the first one begins.

use super::Price;
use crate::kernel::{Date, Decimal, calendar::parse_date};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::OnceLock;

/// Most lines of one matrix.
pub const LINES_MAX: usize = 10_000;
/// Most columns of one matrix.
pub const COLUMNS_MAX: usize = 8;

/// A price by attributes of the record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// What the cells of a line are compared with, in order.
    pub columns: Vec<Column>,
    pub lines: Vec<MatrixLine>,
    /// The price where no line fits; without one the record is rejected, `NO_PRICE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Box<Price>>,
    #[serde(skip)]
    index: Indexed,
}

/// An attribute, and how it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Name of an attribute; [`Column::DAY`] and [`Column::QUANTITY`] are what every record has.
    pub attribute: String,
    #[serde(default, skip_serializing_if = "ColumnKind::is_text")]
    pub kind: ColumnKind,
}

impl Column {
    /// The business date of the record.
    pub const DAY: &'static str = "$date";
    /// Its quantity, as it was delivered.
    pub const QUANTITY: &'static str = "$quantity";
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Equal, or beginning with: `DE`, `49*`.
    #[default]
    Text,
    /// Equal, or in a half-open range: `12`, `10..20`, `..10`, `20..`.
    Number,
    /// The day itself, or a half-open range: `2026-01-01..2027-01-01`.
    Date,
    /// `true` or `false`.
    Boolean,
}

impl ColumnKind {
    fn is_text(&self) -> bool {
        *self == ColumnKind::Text
    }
}

/// One line: a cell for each column, and the price where all of them fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatrixLine {
    /// `*` fits everything, a missing attribute included.
    pub cells: Vec<String>,
    pub price: Price,
}

/// What a look-up reads of a record.
pub trait Cells {
    fn attribute(&self, name: &str) -> Option<&str>;
    fn day(&self) -> Date;
    fn quantity(&self) -> Decimal;
}

impl Matrix {
    pub fn new(columns: Vec<Column>, lines: Vec<MatrixLine>, otherwise: Option<Price>) -> Matrix {
        Matrix {
            columns,
            lines,
            otherwise: otherwise.map(Box::new),
            index: Indexed::default(),
        }
    }

    /// The number of the line that prices a record, from 0: most cells that are not `*`, then the more exact one from
    /// the left (equal, longer prefix, narrower range), then the first of the catalog.
    pub fn line(&self, cells: &impl Cells) -> Option<usize> {
        self.index().find(self, cells)
    }

    /// The price of a line found by [`Matrix::line`], or the default.
    pub fn price(&self, line: Option<usize>) -> Option<&Price> {
        match line {
            Some(line) => self.lines.get(line).map(|l| &l.price),
            None => self.otherwise.as_deref(),
        }
    }

    /// Every price in it.
    pub fn prices(&self) -> impl Iterator<Item = &Price> {
        let lines = self.lines.iter().map(|l| &l.price);
        lines.chain(self.otherwise.as_deref())
    }

    fn index(&self) -> &Index {
        self.index.0.get_or_init(|| Index::of(self))
    }
}

/// What a cell asks of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Any,
    Exact(String),
    Prefix(String),
    /// `[from, until)` of numbers, or of days counted from the first day of the calendar.
    Range(Option<Decimal>, Option<Decimal>),
}

impl Cell {
    /// Reads a cell; what is wrong with it is the error.
    pub(super) fn parse(kind: ColumnKind, text: &str) -> Result<Cell, String> {
        let text = text.trim();
        if text == "*" || text.is_empty() {
            return Ok(Cell::Any);
        }
        match kind {
            ColumnKind::Text => Ok(match text.strip_suffix('*') {
                Some(head) => Cell::Prefix(head.to_string()),
                None => Cell::Exact(text.to_string()),
            }),
            ColumnKind::Boolean if matches!(text, "true" | "false") => {
                Ok(Cell::Exact(text.to_string()))
            }
            ColumnKind::Boolean => Err(format!("{text:?} is not true, false or *")),
            ColumnKind::Number => range(text, number),
            ColumnKind::Date => range(text, day),
        }
    }

    /// How exact the cell is: bound at all, kind, length of a prefix.
    fn rank(&self) -> (u8, usize) {
        match self {
            Cell::Exact(_) => (3, 0),
            Cell::Prefix(head) => (2, head.len()),
            Cell::Range(..) => (1, 0),
            Cell::Any => (0, 0),
        }
    }
}

fn range(text: &str, read: fn(&str) -> Option<Decimal>) -> Result<Cell, String> {
    let wrong = || format!("{text:?} is neither a value nor a range like a..b");
    let Some((from, until)) = text.split_once("..") else {
        return read(text)
            .map(|v| Cell::Exact(v.to_string()))
            .ok_or_else(wrong);
    };
    let end = |t: &str| match t.trim() {
        "" => Ok(None),
        t => read(t).map(Some).ok_or_else(wrong),
    };
    let (from, until) = (end(from)?, end(until)?);
    if let (Some(a), Some(b)) = (from, until)
        && a >= b
    {
        return Err(format!(
            "{text:?} holds nothing: the second end is not included"
        ));
    }
    Ok(match (from, until) {
        (None, None) => Cell::Any,
        (from, until) => Cell::Range(from, until),
    })
}

fn number(text: &str) -> Option<Decimal> {
    text.trim().parse().ok()
}

fn day(text: &str) -> Option<Decimal> {
    parse_date(text.trim()).ok().map(ordinal)
}

fn ordinal(date: Date) -> Decimal {
    use chrono::Datelike;
    Decimal::from(i64::from(date.num_days_from_ce()))
}

/// Kinds of the cells of lines that share a table, by column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Any,
    Range,
    /// Bytes of the prefix.
    Prefix(usize),
    Exact,
}

struct Index {
    /// Most specific kinds first.
    tables: Vec<Table>,
}

struct Table {
    kinds: Vec<Kind>,
    rows: HashMap<String, Rows>,
}

/// Lines with the same key: only their ranges differ.
#[derive(Default)]
struct Rows {
    /// By where the first range begins; without ranges only the first line of the catalog is here.
    rows: Vec<Row>,
    /// The furthest end of a first range up to each row: where to stop looking back. None: without end.
    reach: Vec<Option<Decimal>>,
}

struct Row {
    line: usize,
    /// The ranges, in the order of the columns.
    ranges: Vec<(Option<Decimal>, Option<Decimal>)>,
}

/// How many cells of a line say something and of what kind they are; lines that say more come first.
type Shape = Reverse<(usize, Vec<Kind>)>;

/// Between values in a key; no attribute may hold it, so no two keys are the same by accident.
const BETWEEN: char = '\u{1f}';

impl Index {
    fn of(matrix: &Matrix) -> Index {
        let mut tables: BTreeMap<Shape, HashMap<String, Rows>> = BTreeMap::new();
        for (line, cells) in matrix.lines.iter().enumerate() {
            let read = |(column, text): (&Column, &String)| Cell::parse(column.kind, text).ok();
            let cells: Option<Vec<Cell>> =
                matrix.columns.iter().zip(&cells.cells).map(read).collect();
            // What cannot be read was refused when the catalog was published.
            let Some(cells) = cells else { continue };
            let mut key = String::new();
            let mut kinds = Vec::new();
            let mut ranges = Vec::new();
            for cell in &cells {
                kinds.push(match cell {
                    Cell::Any => Kind::Any,
                    Cell::Range(from, until) => {
                        ranges.push((*from, *until));
                        Kind::Range
                    }
                    Cell::Prefix(head) => {
                        push(&mut key, head);
                        Kind::Prefix(head.len())
                    }
                    Cell::Exact(text) => {
                        push(&mut key, text);
                        Kind::Exact
                    }
                });
            }
            let bound = cells.iter().filter(|c| c.rank().0 > 0).count();
            let rows = tables
                .entry(Reverse((bound, kinds)))
                .or_default()
                .entry(key)
                .or_default();
            if !ranges.is_empty() || rows.rows.is_empty() {
                rows.rows.push(Row { line, ranges });
            }
        }
        let tables = tables
            .into_iter()
            .map(|(Reverse((_, kinds)), mut rows)| {
                rows.values_mut().for_each(Rows::arrange);
                Table { kinds, rows }
            })
            .collect();
        Index { tables }
    }

    fn find(&self, matrix: &Matrix, cells: &impl Cells) -> Option<usize> {
        let values: Vec<Option<Seen<'_>>> = matrix
            .columns
            .iter()
            .map(|column| Seen::of(column, cells))
            .collect();
        let mut key = String::new();
        self.tables
            .iter()
            .find_map(|table| table.find(&values, &mut key))
    }
}

/// A value of a record, as its column reads it.
struct Seen<'a> {
    text: Cow<'a, str>,
    number: Option<Decimal>,
}

impl<'a> Seen<'a> {
    fn of(column: &Column, cells: &'a impl Cells) -> Option<Seen<'a>> {
        let number = match (column.attribute.as_str(), column.kind) {
            (Column::DAY, _) => Some(ordinal(cells.day())),
            (Column::QUANTITY, _) => Some(cells.quantity()),
            (name, ColumnKind::Number) => Some(number(cells.attribute(name)?)?),
            // A moment counts for its day.
            (name, ColumnKind::Date) => {
                let text = cells.attribute(name)?;
                Some(day(text.get(..10).unwrap_or(text))?)
            }
            (name, ColumnKind::Text | ColumnKind::Boolean) => {
                let text = Cow::Borrowed(cells.attribute(name)?);
                return Some(Seen { text, number: None });
            }
        };
        Some(Seen {
            text: Cow::Owned(number?.to_string()),
            number,
        })
    }
}

fn push(key: &mut String, value: &str) {
    key.push_str(value);
    key.push(BETWEEN);
}

impl Table {
    fn find(&self, values: &[Option<Seen<'_>>], key: &mut String) -> Option<usize> {
        key.clear();
        let mut ranged = Vec::new();
        for (kind, value) in self.kinds.iter().zip(values) {
            match (kind, value) {
                (Kind::Any, _) => {}
                (Kind::Exact, Some(seen)) => push(key, &seen.text),
                (Kind::Prefix(bytes), Some(seen)) => push(key, seen.text.get(..*bytes)?),
                (Kind::Range, Some(seen)) => ranged.push(seen.number?),
                (_, None) => return None,
            }
        }
        self.rows.get(key.as_str())?.find(&ranged)
    }
}

impl Rows {
    fn arrange(&mut self) {
        let begin = |row: &Row| row.ranges.first().and_then(|(from, _)| *from);
        self.rows.sort_by_key(|row| (begin(row), row.line));
        let (mut furthest, mut endless) = (None, false);
        for row in &self.rows {
            match row.ranges.first().and_then(|(_, until)| *until) {
                Some(end) => furthest = furthest.max(Some(end)),
                None => endless = true,
            }
            self.reach.push(furthest.filter(|_| !endless));
        }
    }

    fn find(&self, values: &[Decimal]) -> Option<usize> {
        let Some(first) = values.first() else {
            return self.rows.first().map(|row| row.line);
        };
        let begun = self.rows.partition_point(|row| {
            let from = row.ranges.first().and_then(|(from, _)| *from);
            from.is_none_or(|from| from <= *first)
        });
        let mut best: Option<(&Row, Option<Decimal>)> = None;
        for (row, reach) in self.rows.iter().zip(&self.reach).take(begun).rev() {
            // Everything up to here has ended before the value.
            if reach.is_some_and(|end| end <= *first) {
                break;
            }
            if !row.holds(values) {
                continue;
            }
            let width = row.width();
            let better = match &best {
                None => true,
                Some((known, narrow)) => match (width, narrow) {
                    (Some(w), Some(n)) if w != *n => w < *n,
                    (Some(_), None) => true,
                    (None, Some(_)) => false,
                    _ => row.line < known.line,
                },
            };
            if better {
                best = Some((row, width));
            }
        }
        best.map(|(row, _)| row.line)
    }
}

impl Row {
    fn holds(&self, values: &[Decimal]) -> bool {
        self.ranges.iter().zip(values).all(|((from, until), v)| {
            from.is_none_or(|from| from <= *v) && until.is_none_or(|until| *v < until)
        })
    }

    /// Width of the first range; none where it has no end.
    fn width(&self) -> Option<Decimal> {
        let (from, until) = self.ranges.first()?;
        (*until)?.minus((*from)?).ok()
    }
}

/// The index, made when it is first asked for: it follows from the lines, so it is neither stored nor compared.
#[derive(Default)]
struct Indexed(OnceLock<Index>);

impl Clone for Indexed {
    fn clone(&self) -> Indexed {
        Indexed::default()
    }
}

impl PartialEq for Indexed {
    fn eq(&self, _: &Indexed) -> bool {
        true
    }
}

impl fmt::Debug for Indexed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Indexed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Of(Vec<(&'static str, String)>);

    impl Cells for Of {
        fn attribute(&self, name: &str) -> Option<&str> {
            let found = self.0.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| value.as_str())
        }
        fn day(&self) -> Date {
            parse_date("2026-03-15").expect("a date")
        }
        fn quantity(&self) -> Decimal {
            Decimal::from(7)
        }
    }

    fn matrix(columns: &[(&str, ColumnKind)], lines: &[&[&str]]) -> Matrix {
        let column = |(name, kind): &(&str, ColumnKind)| Column {
            attribute: name.to_string(),
            kind: *kind,
        };
        let line = |(n, cells): (usize, &&[&str])| MatrixLine {
            cells: cells.iter().map(|c| c.to_string()).collect(),
            price: Price::PerUnit(Decimal::from(i64::try_from(n).expect("few"))),
        };
        Matrix::new(
            columns.iter().map(column).collect(),
            lines.iter().enumerate().map(line).collect(),
            None,
        )
    }

    fn at(matrix: &Matrix, values: &[(&'static str, &str)]) -> Option<usize> {
        let values = values.iter().map(|(n, v)| (*n, v.to_string())).collect();
        matrix.line(&Of(values))
    }

    #[test]
    fn the_most_specific_line_wins_and_the_leftmost_cell_decides_between_equals() {
        let m = matrix(
            &[("to", ColumnKind::Text), ("peak", ColumnKind::Boolean)],
            &[
                &["*", "*"],
                &["49*", "*"],
                &["4930*", "*"],
                &["*", "true"],
                &["49*", "true"],
                &["493012", "false"],
            ],
        );
        assert_eq!(at(&m, &[("to", "331"), ("peak", "false")]), Some(0));
        assert_eq!(at(&m, &[("to", "4989"), ("peak", "false")]), Some(1));
        assert_eq!(at(&m, &[("to", "493077"), ("peak", "false")]), Some(2));
        assert_eq!(at(&m, &[("to", "331"), ("peak", "true")]), Some(3));
        assert_eq!(at(&m, &[("to", "493077"), ("peak", "true")]), Some(4));
        assert_eq!(at(&m, &[("to", "493012"), ("peak", "false")]), Some(5));
        assert_eq!(at(&m, &[]), Some(0), "a wildcard fits what is not there");
    }

    #[test]
    fn ranges_are_half_open_and_the_narrower_wins() {
        let m = matrix(
            &[("kw", ColumnKind::Number), ("$date", ColumnKind::Date)],
            &[
                &["..10", "*"],
                &["10..20", "*"],
                &["0..100", "*"],
                &["5", "*"],
                &["10..20", "2026-03-01..2026-03-15"],
                &["10..20", "2026-03-15..2026-04-01"],
            ],
        );
        assert_eq!(at(&m, &[("kw", "9.99")]), Some(2), "the other has no end");
        assert_eq!(at(&m, &[("kw", "-1")]), Some(0));
        assert_eq!(at(&m, &[("kw", "5.0")]), Some(3), "a number, not a text");
        assert_eq!(at(&m, &[("kw", "10")]), Some(5));
        assert_eq!(at(&m, &[("kw", "20")]), Some(2));
        assert_eq!(at(&m, &[("kw", "100")]), None);
        assert_eq!(at(&m, &[("kw", "much")]), None);
    }

    #[test]
    fn every_look_up_finds_what_walking_all_lines_finds() {
        // A linear congruential generator: the same numbers every time.
        let mut seed = 7_u64;
        let mut roll = |sides: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % sides
        };
        let cell = |roll: &mut dyn FnMut(u64) -> u64| match roll(4) {
            0 => "*".to_string(),
            1 => roll(12).to_string(),
            2 => format!("{}..", roll(12)),
            _ => {
                let from = roll(12);
                format!("{from}..{}", from + 1 + roll(5))
            }
        };
        let columns = [("a", ColumnKind::Number), ("b", ColumnKind::Number)];
        for _ in 0..40 {
            let lines: Vec<Vec<String>> = (0..roll(60))
                .map(|_| vec![cell(&mut roll), cell(&mut roll)])
                .collect();
            let texts: Vec<Vec<&str>> = lines
                .iter()
                .map(|l| l.iter().map(String::as_str).collect())
                .collect();
            let refs: Vec<&[&str]> = texts.iter().map(Vec::as_slice).collect();
            let m = matrix(&columns, &refs);
            for _ in 0..50 {
                let (a, b) = (roll(14).to_string(), roll(14).to_string());
                let found = at(&m, &[("a", &a), ("b", &b)]);
                assert_eq!(found, walk(&lines, &a, &b), "{lines:?} at {a}, {b}");
            }
        }
    }

    /// The rule once more, line by line.
    fn walk(lines: &[Vec<String>], a: &str, b: &str) -> Option<usize> {
        let fits = |cell: &str, value: &str| {
            let v: i64 = value.parse().expect("a number");
            match cell.split_once("..") {
                None => cell == "*" || cell == value,
                Some((from, until)) => {
                    from.parse::<i64>().expect("a number") <= v
                        && until.parse::<i64>().map_or(true, |until| v < until)
                }
            }
        };
        let kind = |cell: &str| match cell {
            "*" => 0,
            c if c.contains("..") => 1,
            _ => 3,
        };
        let width = |cells: &[String]| {
            let range = cells.iter().find_map(|c| c.split_once(".."));
            range.map_or(0, |(from, until)| {
                let from: i64 = from.parse().expect("a number");
                until.parse::<i64>().map_or(i64::MAX, |until| until - from)
            })
        };
        let best = |(n, cells): &(usize, &Vec<String>)| {
            let kinds: Vec<i32> = cells.iter().map(|c| kind(c)).collect();
            let bound = kinds.iter().filter(|k| **k > 0).count();
            (Reverse(bound), Reverse(kinds), width(cells), *n)
        };
        lines
            .iter()
            .enumerate()
            .filter(|(_, c)| fits(&c[0], a) && fits(&c[1], b))
            .min_by_key(best)
            .map(|(n, _)| n)
    }
}
