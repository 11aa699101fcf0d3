//! Pages: Relay connections, forwards only, with opaque cursors over a sort key, never an offset.

use async_graphql::connection::{Connection, Edge, OpaqueCursor};
use async_graphql::{OutputType, Result};

use super::errors;
use crate::limits;

/// A cursor holds the sort key of its row.
pub type Cursor = OpaqueCursor<String>;

/// The rows a page asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Sort key of the last row already seen.
    pub after: Option<String>,
    pub first: usize,
}

/// Reads `first` and `after` as they came in.
pub fn asked(first: Option<i32>, after: Option<String>) -> Result<Asked> {
    let first = first.unwrap_or(limits::PAGE_DEFAULT);
    if !(0..=limits::PAGE).contains(&first) {
        let sentence = format!("a page has 0 to {} rows, asked for {first}", limits::PAGE);
        return Err(errors::refused("PAGE_TOO_LARGE", sentence));
    }
    let after = match after {
        None => None,
        Some(text) => Some(decode(&text).ok_or_else(|| {
            errors::refused(
                "CURSOR_INVALID",
                format!("`{text}` is no cursor of this server"),
            )
        })?),
    };
    Ok(Asked {
        after,
        first: usize::try_from(first).unwrap_or_default(),
    })
}

fn decode(text: &str) -> Option<String> {
    use async_graphql::connection::CursorType as _;
    Cursor::decode_cursor(text).ok().map(|cursor| cursor.0)
}

/// What a field with pages costs: its children, once per row.
pub fn cost(first: Option<i32>, child: usize) -> usize {
    let rows = first.unwrap_or(limits::PAGE_DEFAULT).clamp(1, limits::PAGE);
    usize::try_from(rows)
        .unwrap_or(1)
        .saturating_mul(child)
        .saturating_add(1)
}

/// A page of rows that are in order of their keys and begin after `asked.after`. One row more than `asked.first`
/// tells that there is a next page.
pub fn page<T: OutputType>(
    asked: &Asked,
    rows: impl IntoIterator<Item = (String, T)>,
) -> Connection<Cursor, T> {
    let mut rows = rows.into_iter();
    let mut page = Connection::new(asked.after.is_some(), false);
    page.edges.extend(
        rows.by_ref()
            .take(asked.first)
            .map(|(key, row)| Edge::new(OpaqueCursor(key), row)),
    );
    page.has_next_page = rows.next().is_some();
    page
}

/// A page of a read model as a connection.
pub fn rows<R, T: OutputType>(
    asked: &Asked,
    rows: indelible_projections::Page<R>,
    make: impl Fn(R) -> T,
) -> Connection<Cursor, T> {
    let mut page = Connection::new(asked.after.is_some(), rows.more);
    page.edges.extend(
        rows.rows
            .into_iter()
            .map(|(key, row)| Edge::new(OpaqueCursor(key), make(row))),
    );
    page
}

/// A page of rows sorted by a key of their own: for short lists that are at hand as a whole.
pub fn sorted<T: OutputType>(asked: &Asked, mut rows: Vec<(String, T)>) -> Connection<Cursor, T> {
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let after = asked.after.clone();
    page(
        asked,
        rows.into_iter()
            .filter(move |(key, _)| after.as_ref().is_none_or(|after| key > after)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(keys: &[&str]) -> Vec<(String, String)> {
        keys.iter()
            .map(|key| ((*key).to_owned(), (*key).to_owned()))
            .collect()
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let all = rows(&["c", "a", "e", "b", "d"]);
        let mut seen = Vec::new();
        let mut asked = Asked {
            after: None,
            first: 2,
        };
        loop {
            let page = sorted(&asked, all.clone());
            seen.extend(page.edges.iter().map(|edge| edge.node.clone()));
            if !page.has_next_page {
                break;
            }
            asked.after = page.edges.last().map(|edge| edge.cursor.0.clone());
        }
        assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn a_page_of_more_than_the_limit_is_refused() {
        assert!(asked(Some(500), None).is_ok());
        assert_eq!(
            asked(Some(501), None).unwrap_err().message,
            "a page has 0 to 500 rows, asked for 501"
        );
        assert!(asked(Some(-1), None).is_err());
        assert!(asked(None, Some("no cursor".to_owned())).is_err());
    }

    #[test]
    fn a_page_costs_its_children_once_per_row() {
        assert_eq!(cost(Some(100), 7), 701);
        assert_eq!(cost(None, 7), 141);
    }
}
