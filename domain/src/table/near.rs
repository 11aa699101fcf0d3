//! Aggregates that are fetched together, before any of them is worked on, so that the waits for memory overlap.

use super::{Row, Spot, Table, tag};

impl<S> Table<S> {
    /// Fetches the aggregates with these ids: each step of the way is made for all of them before the next one. `look` goes
    /// as far into a state as what follows will; its answer means nothing.
    pub(crate) fn near(&self, ids: &[&str], look: impl Fn(&S) -> usize) {
        if self.spots.is_empty() {
            return;
        }
        let places = ids.iter().filter_map(|id| {
            let tag = tag(id);
            // A row of another id with the same tag is fetched in vain, once in four thousand million times.
            let spot = self
                .spots
                .find(Spot::hash(tag), |spot: &Spot| spot.tag == tag)?;
            Some(spot.place)
        });
        let places: Vec<u32> = places.collect();
        let rows = places.iter().filter_map(|place| self.row(*place));
        let rows: Vec<&Row<S>> = rows.collect();
        let heads = rows.iter().fold(0, |touched, row| {
            touched ^ row.name.0.len() ^ usize::from(row.entry.version == 0)
        });
        let states = rows.iter().fold(heads, |touched, row| {
            let text = row.name.0.as_bytes().first().copied();
            touched ^ usize::from(text.unwrap_or_default()) ^ look(&row.entry.state)
        });
        std::hint::black_box(states);
    }
}
