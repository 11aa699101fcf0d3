//! What a read model is.

use indelible_domain::{Event, Recorded};

use crate::{Rows, ViewError};

/// A fold of the log into rows. It takes every event of its kinds, of every tenant, in order, once.
///
/// Pure: the same events make the same rows, so that a rebuild equals what was folded as it happened.
pub trait Projection: 'static {
    /// `<noun>/<question>`, as the file is called.
    const NAME: &'static str;
    /// Raised whenever the rows or their meaning change; the read model is then made again.
    const VERSION: u32;
    /// The kinds of events it takes: what stands before the dot in their stored names (`account`, `invoice`). Events that
    /// no read model takes are not even decoded. A debug build refuses a row written for another kind.
    const KINDS: &'static [&'static str];

    /// Takes one event over into the rows of its tenant.
    ///
    /// Errors: a stored row that cannot be read, or a figure too large; they stop all read models.
    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError>;
}

/// A part of an ordered list, and the key to ask for the next part after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// (key, row); the key is the cursor of its row.
    pub rows: Vec<(String, T)>,
    /// More rows follow the last one.
    pub more: bool,
}

impl<K> Page<K> {
    /// The rows that an index page points to.
    pub(crate) fn look_up<T>(
        self,
        get: impl Fn(&K) -> Result<Option<T>, ViewError>,
    ) -> Result<Page<T>, ViewError> {
        let mut rows = Vec::with_capacity(self.rows.len());
        for (key, id) in self.rows {
            if let Some(row) = get(&id)? {
                rows.push((key, row));
            }
        }
        Ok(Page {
            rows,
            more: self.more,
        })
    }
}

/// A projection without its type, for the list of all of them.
#[derive(Clone, Copy)]
pub(crate) struct Registered {
    pub name: &'static str,
    pub version: u32,
    pub kinds: &'static [&'static str],
    pub fold: fn(&mut Rows<'_>, &Recorded<Event>) -> Result<(), ViewError>,
}

impl Registered {
    pub const fn of<P: Projection>() -> Registered {
        Registered {
            name: P::NAME,
            version: P::VERSION,
            kinds: P::KINDS,
            fold: P::fold,
        }
    }
}
