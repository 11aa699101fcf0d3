//! Progress on standard error, where it disturbs no result.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts something; invisible where standard error is not a terminal.
pub fn bar(what: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) =
        ProgressStyle::with_template(&format!("{{wide_bar}} {{pos}}/{{len}} {what} {{eta}}"))
    {
        bar.set_style(style);
    }
    bar
}

/// Shows where the work stands.
pub fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}
