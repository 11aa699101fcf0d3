//! The bounded queue between those who submit and the one writer.
//!
//! Bounded by commits and by bytes, because a commit may be 14 MiB: a bound on the count alone would be none on memory.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Most commits that wait.
const QUEUE_COMMITS: usize = 1_024;
/// Bytes of waiting commits above which a submitter waits.
const QUEUE_BYTES: usize = 32 << 20;

/// Something with a size in bytes.
pub(crate) trait Weighed {
    fn bytes(&self) -> usize;
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    bytes: usize,
    closed: bool,
    /// Whether the writer sleeps, and how many submitters do: to wake nobody costs a system call too.
    writer_sleeps: bool,
    submitters_sleep: usize,
    /// Submitters that have more to queue at once: the writer takes nothing before they have, unless one waits for room.
    held: usize,
}

impl<T> State<T> {
    /// Whether the writer has something to take.
    fn is_ready(&self) -> bool {
        let held = self.held > 0 && self.submitters_sleep == 0 && !self.closed;
        !self.waiting.is_empty() && !held
    }
}

#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    changed_by_submitter: Condvar,
    changed_by_writer: Condvar,
}

impl<T: Weighed> Queue<T> {
    pub fn new() -> Queue<T> {
        Queue {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                bytes: 0,
                closed: false,
                writer_sleeps: false,
                submitters_sleep: 0,
                held: 0,
            }),
            changed_by_submitter: Condvar::new(),
            changed_by_writer: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Every critical section below leaves the state whole, even if it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room, then queues the item. Gives it back if the queue is closed.
    pub fn push(&self, item: T) -> Result<(), T> {
        let size = item.bytes();
        let mut state = self.lock();
        // An item larger than the bound may pass when nothing else waits.
        while !state.closed
            && !state.waiting.is_empty()
            && (state.waiting.len() >= QUEUE_COMMITS || state.bytes + size > QUEUE_BYTES)
        {
            state.submitters_sleep += 1;
            if state.held > 0 && state.writer_sleeps {
                self.changed_by_submitter.notify_one();
            }
            state = self
                .changed_by_writer
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.submitters_sleep -= 1;
        }
        if state.closed {
            return Err(item);
        }
        state.bytes += size;
        state.waiting.push_back(item);
        let wake = state.writer_sleeps && state.is_ready();
        drop(state);
        if wake {
            self.changed_by_submitter.notify_one();
        }
        Ok(())
    }

    /// From now on the writer waits for what else comes, until the answer is dropped.
    pub fn hold(&self) -> Held<'_, T> {
        self.lock().held += 1;
        Held(self)
    }

    /// Waits for something, then takes what waits, in order: at least one item, then as many as stay within the bounds.
    /// Nothing once the queue is closed and empty.
    pub fn take(&self, max_items: usize, max_bytes: usize) -> Option<Vec<T>> {
        let mut state = self.lock();
        while !state.is_ready() {
            if state.closed {
                return None;
            }
            state.writer_sleeps = true;
            state = self
                .changed_by_submitter
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.writer_sleeps = false;
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(next) = state.waiting.front() {
            let size = next.bytes();
            if !group.is_empty() && (group.len() >= max_items || bytes + size > max_bytes) {
                break;
            }
            bytes += size;
            state.bytes -= size;
            group.extend(state.waiting.pop_front());
        }
        let sleepers = state.submitters_sleep > 0;
        drop(state);
        if sleepers {
            self.changed_by_writer.notify_all();
        }
        Some(group)
    }

    /// Takes no more; what waits is still handed out.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed_by_submitter.notify_all();
        self.changed_by_writer.notify_all();
    }
}

/// Holds the writer back, so that what is queued meanwhile is one group.
#[derive(Debug)]
pub(crate) struct Held<'q, T: Weighed>(&'q Queue<T>);

impl<T: Weighed> Drop for Held<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.held -= 1;
        let wake = state.writer_sleeps && state.is_ready();
        drop(state);
        if wake {
            self.0.changed_by_submitter.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Item(usize);

    impl Weighed for Item {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn never_more_waits_than_the_bounds_allow() {
        const EIGHTH: usize = QUEUE_BYTES / 8;
        for (size, fit, total) in [(EIGHTH, 8, 30), (1, QUEUE_COMMITS, 2 * QUEUE_COMMITS + 5)] {
            let queue = Arc::new(Queue::new());
            let (pushed, pushes) = channel();
            let pusher = {
                let queue = Arc::clone(&queue);
                std::thread::spawn(move || {
                    for _ in 0..total {
                        queue.push(Item(size)).unwrap();
                        pushed.send(()).unwrap();
                    }
                })
            };
            // So many fit without anybody taking; the pusher goes on to wait for room.
            assert_eq!(pushes.iter().take(fit).count(), fit);
            let mut taken = 0;
            while taken < total {
                let group = queue.take(usize::MAX, usize::MAX).unwrap();
                assert!(group.len() <= fit, "{} waited, {fit} may", group.len());
                taken += group.len();
            }
            pusher.join().unwrap();
        }
    }

    #[test]
    fn an_item_larger_than_the_bound_passes_alone() {
        let queue = Queue::new();
        queue.push(Item(QUEUE_BYTES + 1)).unwrap();
        assert_eq!(queue.take(1, 1).unwrap(), [Item(QUEUE_BYTES + 1)]);
    }

    #[test]
    fn a_group_keeps_its_order_and_its_bounds() {
        let queue = Queue::new();
        for size in [5, 4, 3, 2, 1] {
            queue.push(Item(size)).unwrap();
        }
        assert_eq!(queue.take(10, 9).unwrap(), [Item(5), Item(4)]);
        assert_eq!(queue.take(2, 100).unwrap(), [Item(3), Item(2)]);
        assert_eq!(queue.take(2, 100).unwrap(), [Item(1)]);
    }

    #[test]
    fn what_is_queued_while_the_writer_is_held_back_is_one_group() {
        let queue = Arc::new(Queue::new());
        let held = queue.hold();
        let writer = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.take(9, 9))
        };
        for _ in 0..3 {
            queue.push(Item(1)).unwrap();
            std::thread::yield_now();
        }
        drop(held);
        assert_eq!(writer.join().unwrap().unwrap(), [Item(1), Item(1), Item(1)]);
    }

    #[test]
    fn who_waits_for_room_ends_the_hold() {
        let queue = Arc::new(Queue::new());
        let held = queue.hold();
        let writer = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.take(usize::MAX, usize::MAX).unwrap().len())
        };
        for _ in 0..=QUEUE_COMMITS {
            queue.push(Item(1)).unwrap();
        }
        assert_eq!(writer.join().unwrap(), QUEUE_COMMITS);
        drop(held);
        assert_eq!(queue.take(9, 9).unwrap(), [Item(1)]);
    }

    #[test]
    fn a_closed_queue_hands_out_what_it_has_and_takes_no_more() {
        let queue = Queue::new();
        queue.push(Item(1)).unwrap();
        queue.close();
        assert_eq!(queue.push(Item(2)), Err(Item(2)));
        assert_eq!(queue.take(9, 9).unwrap(), [Item(1)]);
        assert!(queue.take(9, 9).is_none());
    }
}
