//! Aggregates that are fetched together, before any of them is worked on, so that the waits for memory overlap.

use super::{Newcomer, Order, Row, Spot, Table, tag};

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

    /// As [`near`](Table::near), and hands the states out: as many as there are places for.
    pub(crate) fn each_near<'t>(
        &'t self,
        ids: &[&str],
        states: &mut [Option<&'t S>],
        look: impl Fn(&S) -> usize,
    ) {
        let places = ids.iter().map(|id| {
            let tag = tag(id);
            let is_it = |spot: &Spot| spot.tag == tag;
            Some(self.spots.find(Spot::hash(tag), is_it)?.place)
        });
        let places: Vec<Option<u32>> = places.collect();
        let rows = places.iter().map(|place| self.row((*place)?));
        let rows: Vec<Option<&Row<S>>> = rows.collect();
        let touched = rows.iter().flatten().fold(0, |touched, row| {
            touched ^ row.name.0.len() ^ look(&row.entry.state)
        });
        for (row, state) in rows.iter().zip(states) {
            *state = row.map(|row| &row.entry.state);
        }
        std::hint::black_box(touched);
    }

    /// Fetches what adding an id needs, and hands out what was found of it on the way; where the id is there, nothing of it
    /// is of use.
    pub(crate) fn announce(&self, id: &str) -> (Newcomer, u32) {
        let newcomer = Newcomer {
            tag: tag(id),
            family: self.family(id),
        };
        let is_it = |spot: &Spot| spot.tag == newcomer.tag;
        let spot = self.spots.find(Spot::hash(newcomer.tag), is_it);
        let family = match (&self.order, newcomer.family) {
            (Order::Families(families), Some(family)) => families.near(family),
            _ => 0,
        };
        (newcomer, family ^ spot.map_or(0, |spot| spot.place))
    }
}
