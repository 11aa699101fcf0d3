//! `indelible rebuild`: makes read models again from position 0.

use std::sync::Arc;

use clap::Args;
use indelible_projections::{Views, names};
use indelible_store::{EventStore, SledStore};
use serde_json::json;

use super::{Data, Failure, progress};

pub const EXAMPLE: &str = "Example:\n  indelible rebuild subscriptions/mrr receivables/aging\n  indelible rebuild\n\n\
    The rows that queries read are replaced when the new ones are complete. The log is only read.";

#[derive(Args)]
pub struct Arguments {
    /// Read models; none named: all of them.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    data: Data,
    /// Lists the read models and does nothing.
    #[arg(long)]
    list: bool,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.list {
        names().iter().for_each(|name| println!("{name}"));
        return Ok(());
    }
    let dir = &arguments.data.dir;
    if !dir.is_dir() {
        return Err(Failure::refused(format!(
            "there is no data directory {}",
            dir.display()
        )));
    }
    let store = Arc::new(SledStore::open(dir).map_err(Failure::store)?);
    let bar = progress::bar("events");
    let mut tell = |p: indelible_projections::Progress| progress::show(&bar, p.done, p.of);
    let views = Views::open(store.clone(), dir, &mut tell).map_err(Failure::store)?;
    let rebuilt = views.rebuild(&arguments.names, &mut tell);
    bar.finish_and_clear();
    let rebuilt = rebuilt.map_err(Failure::refused)?;
    if arguments.json {
        println!("{}", json!({ "rebuilt": rebuilt, "events": store.head() }));
    } else {
        println!(
            "rebuilt {} from {} events",
            rebuilt.join(", "),
            store.head()
        );
    }
    Ok(())
}
