//! The `indelible` binary. See `indelible --help`.

fn main() -> std::process::ExitCode {
    indelible_api::cli::run()
}
