//! The allocator of the programs, and the one thing that is asked of it beyond memory.
//!
//! The only unsafe code of the project: one call of a C function with two numbers (`docs/decisions/0044-memory-that-is-kept.md`).

pub use mimalloc::MiMalloc as Allocator;

/// `mi_option_purge_delay` of mimalloc's `mimalloc.h`: milliseconds after which freed memory goes back to the system.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
const KEPT_MILLISECONDS: core::ffi::c_long = 60_000;

/// Keeps freed memory for a minute before the system gets it back, unless `MIMALLOC_PURGE_DELAY` says otherwise.
///
/// Batches of usage come several times a second and need the same megabytes each: memory that is given back in between has to be
/// cleared by the system again. To be called once, before other threads start.
pub fn keep_freed_memory() {
    #[allow(
        unsafe_code,
        reason = "sets a number of the allocator, and no thread reads it yet"
    )]
    // SAFETY: the function takes two numbers and touches nothing but the allocator's own table of options, in which this
    // option exists; it is not safe for several threads, and `main` calls it before it has started any.
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, KEPT_MILLISECONDS);
    }
}
