//! Rows under a header, whatever separates their cells.

use std::collections::BTreeMap;

use csv::{ByteRecord, ReaderBuilder};

use super::{Line, Reading, Unreadable, raw};

/// How the rows of a format are laid out.
pub(super) struct Layout {
    pub delimiter: u8,
    /// Whether `"` may enclose a cell. Where it may not, a stray quote stays a character and cannot swallow lines.
    pub quoted: bool,
    /// The columns without which no row can be read.
    pub required: &'static [&'static str],
    /// The word that stands for "no value", beside an empty cell.
    pub null: Option<&'static str>,
}

/// One row's cells, by the names of their columns.
pub(super) struct Row<'a> {
    columns: &'a BTreeMap<String, usize>,
    cells: Vec<&'a str>,
    null: Option<&'static str>,
}

impl<'a> Row<'a> {
    /// A cell's value; none if the file has no such column or the row no value.
    pub fn get(&self, column: &str) -> Option<&'a str> {
        let cell = self.cells.get(*self.columns.get(column)?)?.trim();
        (!cell.is_empty() && Some(cell) != self.null).then_some(cell)
    }

    /// A cell's value, or why the row cannot be read.
    pub fn require(&self, column: &str) -> Result<&'a str, Unreadable> {
        self.get(column)
            .ok_or_else(|| Unreadable::new("MISSING_FIELD", format!("{column} has no value")))
    }

    /// The columns of the file, by name.
    pub fn columns(&self) -> impl Iterator<Item = &'a str> {
        self.columns.keys().map(String::as_str)
    }
}

/// Reads the header, then every row with `reading`.
pub(super) fn read(
    bytes: &[u8],
    layout: &Layout,
    reading: impl Fn(&Row<'_>) -> Result<Reading, Unreadable>,
) -> Result<Vec<Line>, Unreadable> {
    let mut source = Source::new(bytes, layout);
    let (_, header, _) = source
        .next()?
        .ok_or_else(|| Unreadable::new("EMPTY_FILE", "the file holds no records"))?;
    let width = header.len();
    let columns = columns(header.iter(), layout.required)?;
    let mut lines = Vec::new();
    while let Some((number, record, text)) = source.next()? {
        let read = cells(&record, text, width, source.ended(), layout.quoted).and_then(|cells| {
            reading(&Row {
                columns: &columns,
                cells,
                null: layout.null,
            })
        });
        lines.push(Line {
            number,
            raw: raw(text),
            reading: read,
        });
    }
    Ok(lines)
}

/// Places of the columns by name, if the header names what it must and nothing twice.
pub(super) fn columns<'a>(
    header: impl Iterator<Item = &'a [u8]>,
    required: &[&str],
) -> Result<BTreeMap<String, usize>, Unreadable> {
    let mut columns = BTreeMap::new();
    for (place, name) in header.enumerate() {
        let name = std::str::from_utf8(name)
            .map_err(|_| {
                Unreadable::new(
                    "NOT_UTF8",
                    format!("the name of column {} is not utf-8", place + 1),
                )
            })?
            .trim();
        // Two columns of one name: nothing says which of them counts.
        if columns.insert(name.to_owned(), place).is_some() {
            return Err(Unreadable::new(
                "DUPLICATE_COLUMN",
                format!("the header names column {name:?} twice"),
            ));
        }
    }
    let missing: Vec<&str> = required
        .iter()
        .copied()
        .filter(|name| !columns.contains_key(*name))
        .collect();
    if missing.len() == required.len() {
        let reason = format!(
            "the first line is no header: it names none of {}",
            missing.join(", ")
        );
        return Err(Unreadable::new("NO_HEADER", reason));
    }
    if !missing.is_empty() {
        return Err(Unreadable::new(
            "MISSING_COLUMN",
            format!("the header does not name {}", missing.join(", ")),
        ));
    }
    Ok(columns)
}

fn cells<'a>(
    record: &'a ByteRecord,
    text: &[u8],
    width: usize,
    last: bool,
    quoted: bool,
) -> Result<Vec<&'a str>, Unreadable> {
    // An open quote makes one cell of all that follows it, so this shows only on the last record of a file.
    if quoted && last && text.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
        let lines = text.split(|byte| *byte == b'\n').count();
        return Err(Unreadable::new(
            "UNCLOSED_QUOTE",
            format!("a quote is opened and not closed in {lines} line(s)"),
        ));
    }
    if record.len() < width && last && !text.ends_with(b"\n") {
        let reason = format!(
            "the file ends within a row, after {} of {width} cells",
            record.len()
        );
        return Err(Unreadable::new("TRUNCATED", reason));
    }
    if record.len() != width {
        let reason = format!("the row has {} cells, the header {width}", record.len());
        return Err(Unreadable::new("WRONG_FIELD_COUNT", reason));
    }
    record
        .iter()
        .map(|cell| {
            std::str::from_utf8(cell)
                .map_err(|_| Unreadable::new("NOT_UTF8", "the row is not utf-8"))
        })
        .collect()
}

/// A record, the number of its first line, and the bytes it was read from.
type Taken<'a> = (u64, ByteRecord, &'a [u8]);

/// The records of a file with the bytes and the line number each was read from.
struct Source<'a> {
    bytes: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    /// Where the next record begins, at the latest.
    offset: usize,
    /// Lines that begin before `offset`.
    line: u64,
}

impl<'a> Source<'a> {
    fn new(bytes: &'a [u8], layout: &Layout) -> Self {
        let reader = ReaderBuilder::new()
            .delimiter(layout.delimiter)
            .quoting(layout.quoted)
            .has_headers(false)
            .flexible(true)
            .from_reader(bytes);
        Self {
            bytes,
            reader,
            offset: 0,
            line: 1,
        }
    }

    fn next(&mut self) -> Result<Option<Taken<'a>>, Unreadable> {
        let mut record = ByteRecord::new();
        let more = self.reader.read_byte_record(&mut record).map_err(|error| {
            Unreadable::new(
                "BAD_TABLE",
                format!("the file cannot be split into rows: {error}"),
            )
        })?;
        if !more {
            return Ok(None);
        }
        let end = usize::try_from(self.reader.position().byte())
            .unwrap_or(usize::MAX)
            .min(self.bytes.len());
        let taken = self.bytes.get(self.offset..end).unwrap_or_default();
        // The reader leaves the second byte of CR LF, and empty lines, to the record behind them.
        let blank = taken
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        let (before, text) = taken.split_at(blank);
        let number = self.line + newlines(before);
        // That second byte tells a finished row from one cut off at the end of the file.
        let end_of_row = if text.ends_with(b"\r") && self.bytes.get(end) == Some(&b'\n') {
            end + 1
        } else {
            end
        };
        let text = self
            .bytes
            .get(self.offset + blank..end_of_row)
            .unwrap_or(text);
        self.line = number + newlines(text);
        self.offset = end_of_row;
        Ok(Some((number, record, text)))
    }

    fn ended(&self) -> bool {
        self.offset >= self.bytes.len()
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |lines, byte| lines + u64::from(*byte == b'\n'))
}
