//! The reading side: one tenant's rows at one position.

use std::collections::BTreeMap;
use std::sync::RwLockReadGuard;

use serde::de::DeserializeOwned;

use crate::rows::{behind, decode, tenant_prefix};
use crate::sets::Set;
use crate::shelf::Shelf;
use crate::{Page, Projection, ViewError, parts};

/// Every row of a read model, of all tenants, as stored: for comparing two ways to the same rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    pub rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// One tenant's rows, all at the same position. Folding waits while it is held: drop it soon.
pub struct Snapshot<'v> {
    pub(crate) sets: RwLockReadGuard<'v, Vec<Set>>,
    pub(crate) shelf: &'v dyn Shelf,
    pub(crate) tenant: String,
}

impl Snapshot<'_> {
    /// The position that the rows show.
    pub fn position(&self) -> u64 {
        let positions = self.sets.iter().map(|s| s.checkpoint.position);
        positions.min().unwrap_or(0)
    }

    fn prefix<P: Projection>(&self) -> Result<Vec<u8>, ViewError> {
        let set = self.sets.iter().find(|s| s.projection.name == P::NAME);
        let set = set.ok_or_else(|| ViewError::row(P::NAME, "it has no rows"))?;
        Ok(tenant_prefix(set.id, &self.tenant))
    }

    /// The row of a key.
    pub(crate) fn get<P: Projection, T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<T>, ViewError> {
        let mut base = self.prefix::<P>()?;
        base.extend_from_slice(key.as_bytes());
        parts::read(self.shelf, &base)?
            .map(|(value, _)| decode(P::NAME, &value))
            .transpose()
    }

    /// Visits the rows whose keys are in `[from, until)`, in order. An empty `until` has no end.
    pub(crate) fn each<P: Projection, T: DeserializeOwned>(
        &self,
        from: &str,
        until: &str,
        visit: &mut dyn FnMut(&str, T) -> Result<bool, ViewError>,
    ) -> Result<(), ViewError> {
        let prefix = self.prefix::<P>()?;
        let at = |key: &str| [prefix.as_slice(), key.as_bytes()].concat();
        let end = match until {
            "" => behind(&prefix),
            until => at(until),
        };
        parts::scan(self.shelf, &at(from), &end, &mut |base, value, _| {
            let key = base.get(prefix.len()..).unwrap_or_default();
            let key = std::str::from_utf8(key).map_err(|e| ViewError::row(P::NAME, e))?;
            visit(key, decode(P::NAME, value)?)
        })
    }

    /// At most `limit` rows under a prefix, after a key (without the prefix), in order.
    pub(crate) fn page<P: Projection, T: DeserializeOwned>(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<T>, ViewError> {
        // One is the first byte behind the zero that parts begin with.
        let from = after.map_or(prefix.to_string(), |key| format!("{prefix}{key}\u{1}"));
        let end = String::from_utf8(behind(prefix.as_bytes())).unwrap_or_default();
        let end = if prefix.is_empty() { "" } else { &end };
        let mut page = Page {
            rows: Vec::new(),
            more: false,
        };
        self.each::<P, T>(&from, end, &mut |key, row| {
            page.more = page.rows.len() == limit;
            if !page.more {
                let own = key.strip_prefix(prefix).unwrap_or(key);
                page.rows.push((own.to_string(), row));
            }
            Ok(!page.more)
        })?;
        Ok(page)
    }
}
