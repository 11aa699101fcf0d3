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
            state = self
                .changed_by_writer
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(item);
        }
        state.bytes += size;
        state.waiting.push_back(item);
        self.changed_by_submitter.notify_one();
        Ok(())
    }

    /// Waits for something, then takes what waits, in order: at least one item, then as many as stay within the bounds.
    /// Nothing once the queue is closed and empty.
    pub fn take(&self, max_items: usize, max_bytes: usize) -> Option<Vec<T>> {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            state = self
                .changed_by_submitter
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
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
        self.changed_by_writer.notify_all();
        Some(group)
    }

    /// Takes no more; what waits is still handed out.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed_by_submitter.notify_all();
        self.changed_by_writer.notify_all();
    }
}
