//! The meters that a batch has opened, in the order in which they were reached.

use super::quick::Quick;
use super::working::Working;
use crate::kernel::Date;

/// Subscription, charge, first day.
pub(super) type Name<'s> = (&'s str, &'s str, Date);

enum Open<'s> {
    Full(Box<Working<'s>>),
    /// By its place among the quick ones.
    Quick(usize),
}

/// A meter at the end of its batch.
pub(super) enum Closed<'s> {
    Full(Box<Working<'s>>),
    Quick(usize),
}

/// Meters by the number of their opening; whoever asks for one by it means a full one.
#[derive(Default)]
pub(super) struct Meters<'s> {
    all: Vec<Open<'s>>,
    quick: Vec<Option<Quick>>,
}

impl<'s> Meters<'s> {
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Makes room for so many quick ones.
    pub fn reserve(&mut self, more: usize) {
        self.all.reserve(more);
        self.quick.reserve(more);
    }

    pub fn push(&mut self, working: Working<'s>) {
        self.all.push(Open::Full(Box::new(working)));
    }

    pub fn push_quick(&mut self, quick: Quick) {
        self.all.push(Open::Quick(self.quick.len()));
        self.quick.push(Some(quick));
    }

    pub fn get(&self, number: usize) -> Option<&Working<'s>> {
        match self.all.get(number)? {
            Open::Full(working) => Some(working),
            Open::Quick(_) => None,
        }
    }

    pub fn get_mut(&mut self, number: usize) -> Option<&mut Working<'s>> {
        match self.all.get_mut(number)? {
            Open::Full(working) => Some(working),
            Open::Quick(_) => None,
        }
    }

    pub fn quick(&self, number: usize) -> Option<&Quick> {
        match self.all.get(number)? {
            Open::Quick(place) => self.quick.get(*place)?.as_ref(),
            Open::Full(_) => None,
        }
    }

    pub fn quick_mut(&mut self, number: usize) -> Option<&mut Quick> {
        match self.all.get(number)? {
            Open::Quick(place) => self.quick.get_mut(*place)?.as_mut(),
            Open::Full(_) => None,
        }
    }

    /// Puts a full meter in the place of a quick one, which it is given.
    pub fn lengthen(&mut self, number: usize, full: impl FnOnce(Quick) -> Working<'s>) {
        let Some(open) = self.all.get_mut(number) else {
            return;
        };
        if let Open::Quick(place) = open
            && let Some(quick) = self.quick.get_mut(*place).and_then(Option::take)
        {
            *open = Open::Full(Box::new(full(quick)));
        }
    }

    /// All of them in their order, and the quick ones by their places.
    pub fn close(self) -> (impl Iterator<Item = Closed<'s>>, Vec<Option<Quick>>) {
        let all = self.all.into_iter().map(|open| match open {
            Open::Full(working) => Closed::Full(working),
            Open::Quick(place) => Closed::Quick(place),
        });
        (all, self.quick)
    }
}
