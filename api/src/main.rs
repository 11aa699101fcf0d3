//! The `indelible` binary. See `indelible --help`.

/// Usage makes and frees a handful of small things per record, on several threads.
#[global_allocator]
static ALLOCATOR: indelible_allocator::Allocator = indelible_allocator::Allocator;

fn main() -> std::process::ExitCode {
    indelible_allocator::keep_freed_memory();
    indelible_api::cli::run()
}
