//! `indelible demo`: three businesses for six months, then tables, then a server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indelible_projections::Views;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Data, Exit, Failure, serve};
use crate::clock::Clock;
use crate::demo::{self, DemoError, Figures, Plan, Watch};
use crate::office::Office;
use crate::{logging, server};

pub const EXAMPLE: &str = "Example:\n  indelible demo\n  indelible demo --data ./other --no-serve\n  \
    indelible demo --data ./third --json > figures.json\n\n\
    The data directory must be new: a demo never mixes with other facts. The same seed gives the same figures.";

/// How long the read models may take to catch up with the log.
const CATCH_UP: Duration = Duration::from_secs(300);

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    data: Data,
    /// Everything drawn follows from this number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Months to play, at most 6.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=6))]
    months: u32,
    /// Another price list than the built-in one (api/demo/catalog.toml). It must keep the codes of the offers.
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// End after the tables.
    #[arg(long)]
    no_serve: bool,
    /// Print one JSON object instead of tables, and do not serve.
    #[arg(long)]
    json: bool,
    /// Address to serve on afterwards.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = server::DEFAULT_ADDRESS)]
    listen: SocketAddr,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let data = arguments.data.dir.as_path();
    refuse_others(data)?;
    let catalog = match &arguments.catalog {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|e| {
            Failure::store(format!(
                "the price list {} cannot be read: {e}",
                path.display()
            ))
        })?),
        None => None,
    };
    let plan = Plan {
        seed: arguments.seed,
        months: arguments.months,
        catalog,
    };
    let began = Instant::now();
    let office = Office::open(data, Clock::movable(Default::default())).map_err(Failure::store)?;
    let figures = play(&office, &office.views, &plan)?;
    if arguments.json {
        println!("{:#}", figures.json());
        return Ok(());
    }
    println!("{}", demo::text(&office, &figures));
    eprintln!(
        "{} events in {}, played in {:.1} s",
        figures.events,
        data.display(),
        began.elapsed().as_secs_f32()
    );
    println!(
        "{}",
        hints(data, (!arguments.no_serve).then_some(arguments.listen))
    );
    if arguments.no_serve {
        return Ok(());
    }
    logging::start(logging::Format::Text);
    serve::listen(office, data, arguments.listen, serve::Outside::default())
}

fn play(office: &Arc<Office>, views: &Views, plan: &Plan) -> Result<Figures, Failure> {
    let mut watch = Bar::new();
    let agreed = demo::play(office, plan, &mut watch).map_err(failure)?;
    watch.says("the read models, and what must hold");
    let wait = views.wait_for(office.store().head(), CATCH_UP);
    wait.map_err(|e| failure(e.into()))?;
    let invariants = demo::hold(office, views).map_err(failure)?;
    let figures = Figures::read(office, views, plan.seed, agreed, invariants).map_err(failure)?;
    watch.bar.finish_and_clear();
    Ok(figures)
}

/// A demo in a directory with facts of its own would change what they sum to.
fn refuse_others(data: &Path) -> Result<(), Failure> {
    let taken = std::fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some());
    if !taken && !data.is_file() {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "{0} is in use; the demo needs a directory of its own: name a new one with --data DIR, look at this one with `indelible serve --data {0}`, or remove it",
        data.display()
    )))
}

fn failure(error: DemoError) -> Failure {
    let exit = match error {
        DemoError::Store(_) | DemoError::View(_) => Exit::Store,
        _ => Exit::Refused,
    };
    Failure {
        exit,
        error: Box::new(error),
    }
}

/// What to try next.
fn hints(data: &Path, served: Option<SocketAddr>) -> String {
    let (head, place) = match served {
        Some(address) => ("Served now", format!("http://{address}/")),
        None => (
            "To look around",
            format!(
                "run `indelible serve --data {}`, then open http://{}/",
                data.display(),
                server::DEFAULT_ADDRESS
            ),
        ),
    };
    let queries: Vec<String> = demo::QUERIES
        .iter()
        .map(|(shows, query)| format!("# {shows}\n{query}"))
        .collect();
    format!("{head}: {place}\n\nTry:\n\n{}", queries.join("\n\n"))
}

/// Days on a bar; where standard error is no terminal, a line per month.
struct Bar {
    bar: ProgressBar,
    last: String,
}

impl Bar {
    fn new() -> Bar {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos:>3}/{len} days  {msg}") {
            bar.set_style(style);
        }
        Bar {
            bar,
            last: String::new(),
        }
    }

    fn says(&mut self, what: &str) {
        self.bar.set_message(what.to_string());
        let month = what.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        if self.bar.is_hidden() && month != self.last {
            eprintln!("demo: {month}");
            self.last = month.to_string();
        }
    }
}

impl Watch for Bar {
    fn at(&mut self, done: u64, of: u64, what: &str) {
        self.bar.set_length(of);
        self.bar.set_position(done);
        self.says(what);
    }
}
