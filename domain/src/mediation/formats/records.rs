//! Any usage as CSV with a header, for sources that have no format of their own.
//!
//! Columns: `key`, `metric`, `access`, `at` (RFC 3339), `quantity`, and optionally `unit` and `amount`; every other
//! named column is an attribute. A record is identified by its `key`.
//!
//! A file without quotes is split here, in one pass and without copying; any other one by the CSV reader. Both read the
//! same.

use super::delimited::{self, Layout, Row};
use super::said::{LineRef, Raw, Said};
use super::{Line, Reading, Unreadable, fields};
use std::borrow::Cow;

const LAYOUT: Layout = Layout {
    delimiter: b',',
    quoted: true,
    required: &["key", "metric", "access", "at", "quantity"],
    null: None,
};
const OPTIONAL: [&str; 2] = ["unit", "amount"];

/// Hands out every line in file order.
pub(super) fn each(bytes: &[u8], take: &mut dyn FnMut(LineRef<'_>)) -> Result<(), Unreadable> {
    match plain(bytes) {
        Some(text) => Table::begin(text)?.each(take),
        None => {
            for line in read_quoted(bytes)? {
                let said = line.reading.as_ref().map(Reading::said);
                take(LineRef {
                    number: line.number,
                    raw: Raw::Text(&line.raw),
                    said: said.as_ref().map_err(|fault| (*fault).clone()),
                });
            }
        }
    }
    Ok(())
}

fn read_quoted(bytes: &[u8]) -> Result<Vec<Line>, Unreadable> {
    delimited::read(bytes, &LAYOUT, record)
}

/// The text of a file that has no quotes, and no line ends but LF and CR LF.
fn plain(bytes: &[u8]) -> Option<&str> {
    let lone_return = || {
        let mut follows = bytes.iter().skip(1).chain(&[0]);
        let follows = |at: &u8| (*at, follows.next().copied());
        bytes
            .iter()
            .map(follows)
            .any(|(byte, next)| byte == b'\r' && next != Some(b'\n'))
    };
    if bytes.contains(&b'"') || (bytes.contains(&b'\r') && lone_return()) {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

/// What a column is.
#[derive(Clone, Copy)]
enum Column {
    Field(usize),
    Attribute,
    /// Without a name.
    Nameless,
}

/// The fields of a row, in the order in which a missing one is told.
const FIELDS: [&str; 7] = [
    "key", "metric", "access", "at", "quantity", "unit", "amount",
];

/// A file that is split at commas and line ends.
struct Table<'a> {
    rest: &'a str,
    /// Line of the file at which `rest` begins.
    line: u64,
    columns: Vec<Column>,
    names: Vec<&'a str>,
    /// Places of the attributes, in the order of their names.
    attributes: Vec<usize>,
}

impl<'a> Table<'a> {
    fn begin(text: &'a str) -> Result<Table<'a>, Unreadable> {
        let mut table = Table {
            rest: text,
            line: 1,
            columns: Vec::new(),
            names: Vec::new(),
            attributes: Vec::new(),
        };
        let (_, header) = table
            .row()
            .ok_or_else(|| Unreadable::new("EMPTY_FILE", "the file holds no records"))?;
        let cells = header.trim_end_matches(['\r', '\n']).split(',');
        table.names = cells.map(str::trim).collect();
        delimited::columns(table.names.iter().map(|n| n.as_bytes()), LAYOUT.required)?;
        debug_assert!(OPTIONAL.iter().all(|name| FIELDS.contains(name)));
        for name in &table.names {
            let field = FIELDS.iter().position(|field| field == name);
            table.columns.push(match field {
                Some(field) => Column::Field(field),
                None if name.is_empty() => Column::Nameless,
                None => Column::Attribute,
            });
        }
        let places = table.columns.iter().enumerate();
        let attributes = places.filter(|(_, column)| matches!(column, Column::Attribute));
        table.attributes = attributes.map(|(place, _)| place).collect();
        let names = &table.names;
        table.attributes.sort_by_key(|place| names.get(*place));
        Ok(table)
    }

    /// The next row with its line end, and its line.
    fn row(&mut self) -> Option<(u64, &'a str)> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let end = self
                .rest
                .as_bytes()
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(self.rest.len(), |at| at + 1);
            let (row, rest) = self.rest.split_at(end);
            let line = self.line;
            self.rest = rest;
            self.line += 1;
            if !matches!(row, "\n" | "\r\n") {
                return Some((line, row));
            }
        }
    }

    fn each(&mut self, take: &mut dyn FnMut(LineRef<'_>)) {
        let mut cells: Vec<&'a str> = Vec::with_capacity(self.columns.len());
        let mut said = Said::default();
        while let Some((number, row)) = self.row() {
            cells.clear();
            split(row.trim_end_matches(['\r', '\n']), &mut cells);
            let read = self
                .check(&cells, row)
                .and_then(|()| self.read(&cells, &mut said));
            take(LineRef {
                number,
                raw: Raw::Bytes(row.as_bytes()),
                said: read.map(|()| &said),
            });
        }
    }

    fn check(&self, cells: &[&str], row: &str) -> Result<(), Unreadable> {
        let (found, width) = (cells.len(), self.columns.len());
        if found < width && self.rest.is_empty() && !row.ends_with('\n') {
            let reason = format!("the file ends within a row, after {found} of {width} cells");
            return Err(Unreadable::new("TRUNCATED", reason));
        }
        if found != width {
            let reason = format!("the row has {found} cells, the header {width}");
            return Err(Unreadable::new("WRONG_FIELD_COUNT", reason));
        }
        Ok(())
    }

    fn read(&self, cells: &[&'a str], said: &mut Said<'a>) -> Result<(), Unreadable> {
        let mut found: [Option<&'a str>; FIELDS.len()] = [None; FIELDS.len()];
        for (column, cell) in self.columns.iter().zip(cells) {
            if let Column::Field(field) = column
                && let Some(place) = found.get_mut(*field)
            {
                let cell = trim(cell);
                *place = (!cell.is_empty()).then_some(cell);
            }
        }
        let [key, metric, access, at, quantity, unit, amount] = found;
        let require = |name: &str, value: Option<&'a str>| {
            value.ok_or_else(|| Unreadable::new("MISSING_FIELD", format!("{name} has no value")))
        };
        said.key = Cow::Borrowed(require("key", key)?);
        said.metric = Cow::Borrowed(require("metric", metric)?);
        said.access = Cow::Borrowed(require("access", access)?);
        said.at_micros = fields::moment("at", require("at", at)?)?;
        said.quantity = fields::decimal("quantity", require("quantity", quantity)?)?;
        said.unit = Cow::Borrowed(unit.unwrap_or("unit"));
        said.amount = amount
            .map(|text| fields::decimal("amount", text))
            .transpose()?;
        said.attributes.clear();
        for place in &self.attributes {
            if let (Some(name), Some(cell)) = (self.names.get(*place), cells.get(*place)) {
                let cell = trim(cell);
                if !cell.is_empty() {
                    said.attributes
                        .push((Cow::Borrowed(name), Cow::Borrowed(cell)));
                }
            }
        }
        Ok(())
    }
}

/// The same as `str::trim`, quicker for what has nothing to trim.
fn trim(cell: &str) -> &str {
    match cell.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => cell,
        [] => cell,
        _ => cell.trim(),
    }
}

fn split<'a>(row: &'a str, cells: &mut Vec<&'a str>) {
    let mut from = 0;
    for (at, byte) in row.bytes().enumerate() {
        if byte == b',' {
            cells.push(row.get(from..at).unwrap_or_default());
            from = at + 1;
        }
    }
    cells.push(row.get(from..).unwrap_or_default());
}

fn record(row: &Row<'_>) -> Result<Reading, Unreadable> {
    let attributes = row
        .columns()
        .filter(|name| {
            !name.is_empty() && !LAYOUT.required.contains(name) && !OPTIONAL.contains(name)
        })
        .filter_map(|name| Some((name.to_owned(), row.get(name)?.to_owned())))
        .collect();
    Ok(Reading {
        key: row.require("key")?.to_owned(),
        corrects: false,
        metric: row.require("metric")?.to_owned(),
        access: row.require("access")?.to_owned(),
        at_micros: fields::moment("at", row.require("at")?)?,
        quantity: fields::decimal("quantity", row.require("quantity")?)?,
        unit: row.get("unit").unwrap_or("unit").to_owned(),
        amount: row
            .get("amount")
            .map(|text| fields::decimal("amount", text))
            .transpose()?,
        attributes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(bytes: &[u8]) -> [Result<Vec<Line>, Unreadable>; 2] {
        let mut fast = Vec::new();
        let read = each(bytes, &mut |line| fast.push(line.to_line()));
        [read.map(|()| fast), read_quoted(bytes)]
    }

    /// Every file of a few lines out of pieces that matter, read on both roads.
    #[test]
    fn a_file_without_quotes_is_read_the_same_on_the_fast_road() {
        let heads = [
            "key,metric,access,at,quantity\n",
            "\r\nzone, key ,metric,access,at,quantity,amount,,class\r\n",
            "quantity,at,access,metric\n",
            "a,b\n",
            "key,key,metric,access,at,quantity\n",
            "unit,amount,key,metric,access,at,quantity",
        ];
        let rows = [
            "r1,voice,n1,2026-01-15T00:00:00Z,60\n",
            "r1,voice,n1,2026-01-15T00:00:00Z,60",
            "eu,r1,voice,n1,2026-01-15T00:00:00+02:00,-6.50,0.1,x,peak\r\n",
            " ,r2, voice\t,n1,2026-01-15T00:00:00.5Z,1e3,,,\n",
            "s,0.20,r3,voice,n1,2026-02-29T00:00:00Z,1\n",
            "\u{a0}r1,voice,,2026-01-15T00:00:00Z,x\n",
            "\n",
            "  \n",
            "r1,voice\n",
            "r1,vo",
        ];
        for head in heads {
            for (n, first) in rows.iter().enumerate() {
                for second in rows.get(n..).unwrap_or_default() {
                    for ends in ["", "\n", "\r\n\r\n"] {
                        let file = format!("{head}{first}{second}{ends}");
                        let [fast, slow] = both(file.as_bytes());
                        assert_eq!(fast, slow, "{file:?}");
                    }
                }
            }
        }
    }
}
