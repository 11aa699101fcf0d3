//! Ids in their order.

use super::Name;
use std::borrow::Borrow;
use std::cmp::Ordering;

/// An id in its order, with its first bytes beside it: nearly every comparison of the order ends with them, and the ids
/// themselves lie all over the memory.
#[derive(Clone, Debug)]
pub(super) struct Ordered {
    head: u128,
    pub name: Name,
}

/// The first bytes of an id as a number that has its order.
pub(super) fn head(name: &Name) -> u128 {
    let mut head = [0; 16];
    let bytes = head.iter_mut().zip(name.0.as_bytes());
    bytes.for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(head)
}

impl Ordered {
    pub fn of(name: Name) -> Ordered {
        let head = head(&name);
        Ordered { head, name }
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Ordered) -> Ordering {
        let heads = self.head.cmp(&other.head);
        heads.then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Ordered) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Ordered) -> bool {
        self.name == other.name
    }
}

impl Eq for Ordered {}

impl Borrow<str> for Ordered {
    fn borrow(&self) -> &str {
        &self.name.0
    }
}
