//! Structured logs on standard error; standard output belongs to results.

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One line of text.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `INDELIBLE_LOG` chooses what is logged (`info` if unset; `debug`, `indelible_api=trace`, …).
/// A second call changes nothing, so that several servers can run in one test process.
pub fn start(format: Format) {
    let filter =
        EnvFilter::try_from_env("INDELIBLE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match format {
        Format::Text => lines.with_target(false).try_init(),
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was already started");
    }
}
