//! Pages that were read a moment ago, with the place of each row in them.
//!
//! A fold asks for many rows of few pages, because what is done one after the other mostly lies side by side: a bill run takes
//! accounts in their order. To find the page in the engine and to walk to the row costs more than everything else about it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indelible_store::engine::Bytes;

use crate::ViewError;
use crate::pages::{self, SET_BYTES};

/// Sets whose pages are kept apart from others', so that several can be made at once without waiting for each other.
const SHARDS: usize = 16;
/// Most pages of a shard: 2 MiB.
const PAGES_MAX: usize = 256;

/// What is stored for the keys from one until another: a page, or nothing.
pub(crate) struct Page {
    /// Its key and its bytes.
    stored: Option<(Bytes, Bytes)>,
    /// Where each row begins.
    rows: Vec<u32>,
    /// Where the last of them ends. What follows was moved to the next page, and this one was not written again since.
    length: usize,
    /// The first key behind it.
    end: Vec<u8>,
}

impl Page {
    /// Errors: a page that is cut short.
    pub fn new(stored: Option<(Bytes, Bytes)>, end: Vec<u8>) -> Result<Page, ViewError> {
        let (mut rows, mut length) = (Vec::new(), 0);
        if let Some((key, bytes)) = &stored {
            rows = pages::begins(bytes)?;
            length = bytes.len();
            let (set, _) = pages::split(key)?;
            if let Some(next) = end.strip_prefix(set) {
                let is_here =
                    |at: &u32| pages::row_at(bytes, *at as usize).is_some_and(|row| row.0 < next);
                let here = rows.partition_point(is_here);
                length = rows.get(here).map_or(length, |at| *at as usize);
                rows.truncate(here);
            }
        }
        Ok(Page {
            stored,
            rows,
            length,
            end,
        })
    }

    /// Its key, if there is a page.
    pub fn key(&self) -> Option<&[u8]> {
        self.stored.as_ref().map(|(key, _)| &**key)
    }

    pub fn bytes(&self) -> &[u8] {
        match &self.stored {
            Some((_, bytes)) => bytes.get(..self.length).unwrap_or(bytes),
            None => &[],
        }
    }

    pub fn end(&self) -> &[u8] {
        &self.end
    }

    /// The value of a row by what stands in its key behind the set's number.
    pub fn find(&self, wanted: &[u8]) -> Option<&[u8]> {
        let bytes = self.bytes();
        let row = |at: &u32| pages::row_at(bytes, *at as usize).unwrap_or_default();
        let at = self.rows.partition_point(|at| row(at).0 < wanted);
        let (key, value) = row(self.rows.get(at)?);
        (key == wanted).then_some(value)
    }
}

/// By the first key that a page is for.
type Shard = BTreeMap<Vec<u8>, Arc<Page>>;

/// See the module.
#[derive(Default)]
pub(crate) struct Near {
    shards: [Mutex<Shard>; SHARDS],
}

impl Near {
    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        let set = key.get(..SET_BYTES).and_then(|set| set.last().copied());
        let shard = usize::from(set.unwrap_or_default()) % SHARDS;
        let shard = &self.shards[shard];
        // Each change of it is one step.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page for a key; `read` if it is not here. Nobody else reads pages of its sets meanwhile.
    pub fn page(
        &self,
        key: &[u8],
        read: impl FnOnce() -> Result<Page, ViewError>,
    ) -> Result<Arc<Page>, ViewError> {
        let mut shard = self.shard(key);
        let upto = (Bound::Unbounded, Bound::Included(key));
        if let Some((_, page)) = shard.range::<[u8], _>(upto).next_back()
            && key < page.end()
        {
            return Ok(Arc::clone(page));
        }
        if shard.len() >= PAGES_MAX {
            shard.clear();
        }
        let page = Arc::new(read()?);
        let first = match page.key() {
            Some(first) => first.to_vec(),
            // Nothing lies before the first page of a set.
            None => key.get(..SET_BYTES).unwrap_or(key).to_vec(),
        };
        shard.insert(first, Arc::clone(&page));
        Ok(page)
    }

    /// Forgets the pages of a key's set, after they were changed.
    pub fn forget(&self, key: &[u8]) {
        self.shard(key).clear();
    }
}
