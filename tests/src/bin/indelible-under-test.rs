//! The product's own binary, built where the tests can find it.

fn main() -> std::process::ExitCode {
    indelible_api::cli::run()
}
