//! `indelible catalog`: the catalog as code. A file is checked, compared with what is published, and applied as a whole.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indelible_domain::catalog::{self, File};
use indelible_domain::operations::{self, CatalogReview};
use indelible_domain::session::Session;
use indelible_domain::{Command as Order, kernel};
use indelible_store::Request;
use serde_json::json;

use super::{Data, Failure};
use crate::clock::Clock;
use crate::office::Office;
use crate::request_id::RequestId;

pub const EXAMPLE: &str = "Example:\n  indelible catalog validate prices.toml\n  indelible catalog diff prices.toml\n  indelible catalog apply prices.toml\n\n\
    Every problem is listed with its place, and nothing is applied while there is one.";

const VALIDATE: &str = "Example:\n  indelible catalog validate prices.toml\n\n\
    With a data directory that exists, names of published offers and custom fields are known.";
const DIFF: &str = "Example:\n  indelible catalog diff prices.toml --json\n\n\
    Tells what would be otherwise in the words of the business, and how many subscriptions it concerns.";
const APPLY: &str = "Example:\n  indelible catalog apply prices.toml\n\n\
    The same file again changes nothing.";

#[derive(Subcommand)]
pub enum Command {
    /// List everything that is wrong with a catalog file.
    #[command(after_help = VALIDATE)]
    Validate(Arguments),
    /// Say what a catalog file would change.
    #[command(after_help = DIFF)]
    Diff(Arguments),
    /// Publish what is new or changed in a catalog file.
    #[command(after_help = APPLY)]
    Apply(Arguments),
}

#[derive(Args)]
pub struct Arguments {
    /// The catalog file, TOML.
    file: PathBuf,
    #[command(flatten)]
    data: Data,
    #[arg(long, default_value = "default", env = "INDELIBLE_TENANT")]
    tenant: String,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Validate(arguments) => validate(&arguments),
        Command::Diff(arguments) => differ(&arguments),
        Command::Apply(arguments) => apply(&arguments),
    }
}

fn read(arguments: &Arguments) -> Result<File, Failure> {
    let text = std::fs::read_to_string(&arguments.file).map_err(|why| {
        Failure::refused(format!(
            "{} cannot be read: {why}",
            arguments.file.display()
        ))
    })?;
    catalog::read(&text).map_err(|why| {
        if arguments.json {
            println!("{}", json!({ "problems": catalog::unreadable(&text) }));
        }
        Failure::refused(format!("{}: {why}", arguments.file.display()))
    })
}

/// What the file would do to the ledger of the data directory; without one, to an empty one.
fn review(arguments: &Arguments, file: &File) -> Result<CatalogReview, Failure> {
    let now = Clock::Machine.now();
    let reviewed = if arguments.data.dir.is_dir() {
        let office = Office::open(&arguments.data.dir, Clock::Machine).map_err(Failure::store)?;
        office.ledger.read(&arguments.tenant, |tenant| {
            operations::review_catalog(&Session::new(tenant, now), file)
        })
    } else {
        empty(now, file)
    };
    reviewed.map_err(|why| Failure::refused(why.to_string()))
}

fn empty(now: kernel::Instant, file: &File) -> Result<CatalogReview, indelible_domain::Rejection> {
    let world = indelible_domain::World::default();
    operations::review_catalog(&Session::new(world.tenant("default"), now), file)
}

fn validate(arguments: &Arguments) -> Result<(), Failure> {
    let file = read(arguments)?;
    let problems = review(arguments, &file)?.problems;
    if arguments.json {
        println!("{}", json!({ "problems": problems }));
    } else {
        for problem in &problems {
            println!("{problem}");
        }
    }
    match problems.len() {
        0 => {
            if !arguments.json {
                println!(
                    "{}: {} offers and {} price lists, nothing is wrong",
                    arguments.file.display(),
                    file.offer.len(),
                    file.price_list.len()
                );
            }
            Ok(())
        }
        n => Err(Failure::refused(format!("the catalog has {n} problems"))),
    }
}

fn differ(arguments: &Arguments) -> Result<(), Failure> {
    let file = read(arguments)?;
    let review = review(arguments, &file)?;
    if arguments.json {
        let differences: Vec<_> = review
            .differences
            .iter()
            .map(|d| {
                json!({
                    "difference": d.difference,
                    "subscriptions": d.subscriptions,
                    "moves": d.moves,
                    "concerns": d.concerns(),
                })
            })
            .collect();
        println!(
            "{}",
            json!({ "problems": review.problems, "differences": differences })
        );
    } else {
        tell(&review);
    }
    match review.problems.len() {
        0 => Ok(()),
        n => Err(Failure::refused(format!("the catalog has {n} problems"))),
    }
}

fn tell(review: &CatalogReview) {
    for problem in &review.problems {
        println!("problem: {problem}");
    }
    for found in &review.differences {
        let difference = &found.difference;
        let what = match (difference.price_list, difference.version) {
            (true, _) => "price list".to_owned(),
            (false, 0) => "new offer".to_owned(),
            (false, version) => format!("offer, now version {version}:"),
        };
        println!("{what} {} — {}", difference.of, found.concerns());
        for change in &difference.changes {
            println!("  {}", change.words);
        }
    }
    if review.differences.is_empty() {
        println!("nothing differs from what is published");
    }
}

fn apply(arguments: &Arguments) -> Result<(), Failure> {
    let file = read(arguments)?;
    let office = Office::open(&arguments.data.dir, Clock::Machine).map_err(Failure::store)?;
    let now = office.clock.now();
    let review = office
        .ledger
        .read(&arguments.tenant, |tenant| {
            operations::review_catalog(&Session::new(tenant, now), &file)
        })
        .map_err(|why| Failure::refused(why.to_string()))?;
    tell(&review);
    if !review.problems.is_empty() {
        return Err(Failure::refused(format!(
            "the catalog has {} problems: nothing is applied",
            review.problems.len()
        )));
    }
    let command = Order::PublishCatalog(Box::new(file));
    let request = Request {
        correlation: RequestId::default().to_string(),
        ..Request::new(&arguments.tenant, "cli", now, command)
    };
    office
        .ledger
        .execute(request)
        .map(|_| ())
        .map_err(|refused| Failure::refused(refused.message()))
}
