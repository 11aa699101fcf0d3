//! `indelible serve`: GraphQL, the console, health and metrics.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use indelible_channels::Outlets;
use indelible_domain::messages::Channel;
use indelible_gateways::Collector;
use indelible_store::ProofError;
use indelible_store::proof::{CHECKPOINT_BLOCKS, Follower, Signed};

use super::{Data, Failure, Snapshots};
use crate::auth::Keys;
use crate::clock::Clock;
use crate::collections;
use crate::office::Office;
use crate::outbox::{self, Outbox};
use crate::providers::Providers;
use crate::server::{self, Edge, StartError};
use crate::{logging, timers};

pub const EXAMPLE: &str = "Example:\n  indelible serve --data ./indelible-data --listen 127.0.0.1:4000\n\n\
    Without API keys only loopback is served, as tenant `default` with scope admin:\n  \
    indelible keys add --tenant acme --scope admin";

/// Where the channels are set up, in the data directory.
const CHANNELS_FILE: &str = "channels.toml";

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    snapshots: Snapshots,
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = server::DEFAULT_ADDRESS, env = "INDELIBLE_LISTEN")]
    listen: SocketAddr,
    /// Blocks of the log between two checkpoints that are made by themselves; 0: only those asked for.
    #[arg(long, value_name = "N", default_value_t = CHECKPOINT_BLOCKS)]
    checkpoint_blocks: u64,
    /// How messages reach customers (docs/operations.md); channels.toml of the data directory if left out, and nothing
    /// is sent if that is not there.
    #[arg(long, value_name = "FILE", env = "INDELIBLE_CHANNELS")]
    channels: Option<PathBuf>,
    /// File that says which payment providers are talked to, and where their keys lie.
    #[arg(long, value_name = "FILE", env = "INDELIBLE_GATEWAYS")]
    gateways: Option<PathBuf>,
    /// How log lines look.
    #[arg(long, value_enum, default_value = "text")]
    log_format: logging::Format,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    logging::start(arguments.log_format);
    let data = &arguments.data.dir;
    // Before the log is read, which may take a while.
    let keys = Keys::load(data).map_err(Failure::store)?;
    server::check(arguments.listen, &keys).map_err(Failure::refused)?;
    let outlets = outlets(arguments.channels, data)?;
    let providers = match &arguments.gateways {
        Some(file) => Providers::load(file).map_err(Failure::refused)?,
        None => Providers::default(),
    };
    let office =
        Office::begin(data, Clock::Machine, arguments.snapshots.begin()).map_err(Failure::store)?;
    let _checkpoints = follow(&office, arguments.checkpoint_blocks);
    let outside = Outside { outlets, providers };
    listen(office, data, arguments.listen, outside)
}

/// The carriers of the named file, or of the data directory's if there is one.
fn outlets(named: Option<PathBuf>, data: &Path) -> Result<Option<Outlets>, Failure> {
    let path = match named {
        Some(path) => path,
        None => {
            let usual = data.join(CHANNELS_FILE);
            if !usual.exists() {
                return Ok(None);
            }
            usual
        }
    };
    Outlets::read(&path).map(Some).map_err(Failure::refused)
}

/// Makes checkpoints while the returned follower lives. Billing goes on without them.
fn follow(office: &Office, every_blocks: u64) -> Option<Follower> {
    if every_blocks == 0 {
        return None;
    }
    let told = |made: Result<Signed, ProofError>| match made {
        Ok(signed) => tracing::info!(size = signed.checkpoint.size, "checkpoint"),
        Err(error) => {
            tracing::error!(code = error.code(), %error, "no checkpoint could be made");
        }
    };
    office
        .notary
        .follow(every_blocks, Box::new(told))
        .inspect_err(|error| {
            tracing::error!(code = error.code(), %error, "checkpoints are not made by themselves");
        })
        .ok()
}

/// Whom a server talks to by itself.
#[derive(Default)]
pub struct Outside {
    /// None: no message is sent; they wait.
    pub outlets: Option<Outlets>,
    pub providers: Providers,
}

/// Serves an office until a signal ends it.
pub fn listen(
    office: Arc<Office>,
    data: &Path,
    address: SocketAddr,
    outside: Outside,
) -> Result<(), Failure> {
    let keys = Keys::load(data).map_err(Failure::store)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::store)?;
    let done = runtime.block_on(async {
        let listener = server::bind(address, &keys).await?;
        let bound = listener.local_addr().map_err(StartError::Serve)?;
        if keys.is_empty() {
            tracing::warn!(
                "there is no API key: only loopback is served, as tenant `default` with scope admin"
            );
        }
        tracing::info!(
            graphql = format!("http://{bound}/graphql"),
            console = format!("http://{bound}/"),
            position = office.store().head(),
            "serving"
        );
        let stop = server::stop_on_signals().map_err(StartError::Serve)?;
        tokio::spawn(timers::run(Arc::clone(&office), stop.clone()));
        match outside.outlets {
            Some(outlets) => {
                let channels: Vec<_> = outlets.channels().map(Channel::name).collect();
                tracing::info!(?channels, "sending messages");
                let outbox = Outbox::new(Arc::clone(&office), outlets);
                tokio::spawn(outbox::run(outbox, stop.clone()));
            }
            None => tracing::info!("no channels are set up: messages wait until they are"),
        }
        let collector = Collector::new(outside.providers.gateways.clone());
        tokio::spawn(collections::run(
            Arc::clone(&office),
            collector,
            stop.clone(),
        ));
        let edge = Edge::with_providers(office, keys, outside.providers);
        server::serve(listener, edge, stop).await
    });
    tracing::info!("stopped");
    done.map_err(|error| match error {
        StartError::KeysNeeded(_) => Failure::refused(error),
        _ => Failure::store(error),
    })
}
