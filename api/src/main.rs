//! The `indelible` binary. See `indelible --help`.

/// Usage makes and frees a handful of small things per record, on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    indelible_api::cli::run()
}
