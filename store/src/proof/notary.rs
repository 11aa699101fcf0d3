//! Makes the checkpoints of one log, keeps them, and proves documents by them.
//!
//! In the data directory: `checkpoint.key` (the secret, made when first needed), `checkpoints` (every note made, one
//! after the other), `tree` (disposable). Without a directory everything lives and dies with the notary.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indelible_domain::{Event, Recorded, lineage};

use super::bundle::Bundle;
use super::checkpoint::{self, Checkpoint, Signed};
use super::kept::KeptTree;
use super::leaf;
use super::note::{PublicKey, Signer};
use super::tree::{self, Edge};
use super::{ProofError, bundle};
use crate::data_dir::{private_file, sync_dir, write_whole};
use crate::{EventStore, StoreError, StoredEvent, StreamKey, codec};

/// Blocks between two checkpoints that are made by themselves.
pub const CHECKPOINT_BLOCKS: u64 = 1_000;

const KEY: &str = "checkpoint.key";
const CHECKPOINTS: &str = "checkpoints";
const TREE: &str = "tree";
/// Events of a stream read at a time.
const PAGE: usize = 1_024;
/// How long the follower waits for news before it looks whether it shall stop.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Hears of checkpoints that are made by themselves.
pub type Told = dyn Fn(Result<Signed, ProofError>) + Send;

/// Makes, keeps and checks the checkpoints of one log.
pub struct Notary {
    store: Arc<dyn EventStore>,
    data: Option<PathBuf>,
    desk: Mutex<Desk>,
}

/// What is read and made when it is first needed.
#[derive(Default)]
struct Desk {
    signer: Option<Signer>,
    tree: Option<KeptTree>,
    kept: Option<Vec<Signed>>,
}

impl Notary {
    /// The notary of an open log and its data directory. Touches nothing until it is asked.
    pub fn at(store: Arc<dyn EventStore>, data: &Path) -> Notary {
        Notary {
            store,
            data: Some(data.to_owned()),
            desk: Mutex::default(),
        }
    }

    /// A notary that keeps everything in memory. The seed is its secret; none: a random one.
    pub fn in_memory(store: Arc<dyn EventStore>, seed: Option<[u8; 32]>) -> Notary {
        Notary {
            store,
            data: None,
            desk: Mutex::new(Desk {
                signer: seed.map(|seed| Signer::from_seed(&seed)),
                ..Desk::default()
            }),
        }
    }

    /// The key that checkpoints are checked with. Publish it once, where it cannot be replaced unseen.
    pub fn public_key(&self) -> Result<PublicKey, ProofError> {
        let mut desk = self.desk();
        Ok(self.signer(&mut desk)?.public().clone())
    }

    /// Every checkpoint made so far, the oldest first. Their signatures were checked.
    pub fn list(&self) -> Result<Vec<Signed>, ProofError> {
        let mut desk = self.desk();
        Ok(self.kept(&mut desk)?.clone())
    }

    /// A checkpoint of the log as it is now; the last one if nothing was written since.
    ///
    /// Refuses to sign a log that does not begin with what the last checkpoint says.
    pub fn checkpoint(&self) -> Result<Signed, ProofError> {
        let mut desk = self.desk();
        self.make(&mut desk)
    }

    /// The proof of a document by the last checkpoint, or by a new one if the document is newer.
    pub fn prove(&self, tenant: &str, invoice: &str) -> Result<Bundle, ProofError> {
        let mut raw: BTreeMap<u64, StoredEvent> = BTreeMap::new();
        let positions = lineage::facts_behind(invoice, &mut |kind, id| {
            self.stream(&StreamKey::new(tenant, kind, id), &mut raw)
        })?
        .map_err(ProofError::Subject)?;
        let newest = positions.last().copied().unwrap_or_default();
        let mut desk = self.desk();
        let last = self.kept(&mut desk)?.last().cloned();
        let signed = match last {
            Some(last) if last.checkpoint.size >= newest => last,
            _ => self.make(&mut desk)?,
        };
        let size = signed.checkpoint.size;
        let tree = self.tree(&mut desk, size, &mut |_, _| {})?;
        let mut view = tree.at(self.store.as_ref(), size)?;
        let leaves: BTreeSet<u64> = positions.iter().map(|position| position - 1).collect();
        let places = tree::inclusion_places(size, &leaves);
        let nodes = view.nodes(self.store.as_ref(), &places)?;
        let events = positions.iter().filter_map(|position| raw.get(position));
        Ok(bundle::bind(tenant, invoice, &signed, events, &nodes))
    }

    /// Checks every kept checkpoint against the log: signature, order, root computed anew, hash of the block.
    /// Returns how many there are; `progress(position, head)` on the way.
    ///
    /// The error names the first that does not hold.
    pub fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<u64, ProofError> {
        let mut desk = self.desk();
        if self.data.is_some() {
            if !self.has(CHECKPOINTS) && !self.has(TREE) {
                return Ok(0);
            }
            // What is on disk counts, not what was read of it before.
            desk.kept = None;
        }
        let kept = self.kept(&mut desk)?.clone();
        let head = self.store.head();
        let misfit = |signed: &Signed, what: String| ProofError::Checkpoint {
            what: format!("size {}, {what}", signed.checkpoint.size),
        };
        for pair in kept.windows(2) {
            if let [before, after] = pair
                && (after.checkpoint.size <= before.checkpoint.size
                    || after.checkpoint.recorded_at < before.checkpoint.recorded_at)
            {
                return Err(misfit(
                    after,
                    format!("it does not follow that of size {}", before.checkpoint.size),
                ));
            }
        }
        if let Some(beyond) = kept.iter().find(|signed| signed.checkpoint.size > head) {
            return Err(misfit(beyond, format!("the log ends at position {head}")));
        }
        let mut waiting = kept.iter().peekable();
        let mut edge = Edge::default();
        let mut wrong = None;
        let mut buffer = Vec::new();
        self.store.replay(0, head, &mut |event| {
            edge.push(leaf::hash(event, &mut buffer));
            if let Some(signed) = waiting.next_if(|s| s.checkpoint.size == edge.size()) {
                let said = &signed.checkpoint;
                if edge.root() != said.root {
                    wrong = Some(misfit(
                        signed,
                        "the events before it do not make its root".into(),
                    ));
                } else if event.recorded_at != said.recorded_at {
                    wrong = Some(misfit(
                        signed,
                        "it says another time than its last event".into(),
                    ));
                }
            }
            if edge.size() % (1 << 14) == 0 {
                progress(edge.size(), head);
            }
            Ok(wrong.is_none())
        })?;
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        for signed in &kept {
            if self.store.hash_at(signed.checkpoint.size)? != Some(signed.checkpoint.chain) {
                return Err(misfit(
                    signed,
                    "the block that ends there has another hash".into(),
                ));
            }
        }
        let tree = self.tree(&mut desk, head, progress)?;
        if tree.at(self.store.as_ref(), head)?.root() != edge.root() {
            // Only a cache was wrong: what is signed was compared with the log itself.
            desk.tree = None;
            if let Some(path) = self.path(TREE) {
                fs::remove_file(&path).map_err(|e| failed("removing", &path, e))?;
            }
        }
        Ok(kept.len() as u64)
    }

    /// Makes a checkpoint every so many blocks, on a thread of its own, until the follower is dropped.
    /// `told` hears of each, and of what went wrong; then it is tried again after as many blocks.
    pub fn follow(
        self: &Arc<Notary>,
        every_blocks: u64,
        told: Box<Told>,
    ) -> Result<Follower, ProofError> {
        let every = every_blocks.max(1);
        let notary = Arc::clone(self);
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let size = self.list()?.last().map_or(0, |last| last.checkpoint.size);
        // How many blocks came after the last checkpoint is not kept: at most as many as events.
        let stats = self.store.stats();
        let mut since = stats
            .blocks
            .saturating_sub(stats.events.saturating_sub(size));
        let thread = thread::Builder::new()
            .name("checkpoints".into())
            .spawn(move || {
                while !stopping.load(Ordering::Acquire) {
                    let blocks = notary.store.stats().blocks;
                    if blocks.saturating_sub(since) >= every {
                        told(notary.checkpoint());
                        since = blocks;
                    }
                    notary.store.wait_past(notary.store.head(), LOOK_AGAIN);
                }
            })
            .map_err(|e| StoreError::io("starting the thread of checkpoints", e))?;
        Ok(Follower {
            stop,
            thread: Some(thread),
        })
    }

    fn make(&self, desk: &mut Desk) -> Result<Signed, ProofError> {
        let head = self.store.head();
        let last = self.kept(desk)?.last().cloned();
        if let Some(last) = &last {
            let size = last.checkpoint.size;
            if size == head {
                return Ok(last.clone());
            }
            if size > head {
                return Err(ProofError::Checkpoint {
                    what: format!("the last one is of size {size}, the log ends at {head}"),
                });
            }
        }
        let Some(before) = head.checked_sub(1) else {
            return Err(ProofError::Empty);
        };
        let blocks = self.store.blocks(before, 0)?;
        let block = blocks.first().ok_or(ProofError::Empty)?;
        let size = block.last_position;
        let tree = self.tree(desk, size, &mut |_, _| {})?;
        if let Some(last) = &last
            && tree.at(self.store.as_ref(), last.checkpoint.size)?.root() != last.checkpoint.root
        {
            return Err(ProofError::Checkpoint {
                what: format!(
                    "the log does not begin with what the last one, of size {}, says",
                    last.checkpoint.size
                ),
            });
        }
        let root = tree.at(self.store.as_ref(), size)?.root();
        let signer = self.signer(desk)?;
        let checkpoint = Checkpoint {
            origin: signer.public().name().to_owned(),
            size,
            root,
            chain: block.hash,
            recorded_at: block.recorded_at,
        };
        let signed = Signed::by(signer, checkpoint);
        if let Some(path) = self.path(CHECKPOINTS) {
            append(&path, &signed.note).map_err(|e| failed("writing", &path, e))?;
        }
        self.kept(desk)?.push(signed.clone());
        Ok(signed)
    }

    /// A stream as it is stored, kept by position, and decoded.
    fn stream(
        &self,
        key: &StreamKey,
        raw: &mut BTreeMap<u64, StoredEvent>,
    ) -> Result<Vec<Recorded<Event>>, StoreError> {
        let mut found = Vec::new();
        let mut version = 0;
        loop {
            let page = self.store.read_stream(key, version, PAGE)?;
            let Some(last) = page.last() else {
                return Ok(found);
            };
            version = last.version;
            for event in page {
                raw.insert(event.position, event.clone());
                found.push(codec::decode(event)?);
            }
        }
    }

    fn signer<'d>(&self, desk: &'d mut Desk) -> Result<&'d Signer, ProofError> {
        let signer = match desk.signer.take() {
            Some(signer) => signer,
            None => match &self.data {
                Some(data) => load_or_make(data)?,
                None => Signer::from_seed(&random()?),
            },
        };
        Ok(desk.signer.insert(signer))
    }

    fn kept<'d>(&self, desk: &'d mut Desk) -> Result<&'d mut Vec<Signed>, ProofError> {
        let kept = match desk.kept.take() {
            Some(kept) => kept,
            None => match self.path(CHECKPOINTS) {
                None => Vec::new(),
                Some(path) => {
                    let text = match fs::read_to_string(&path) {
                        Ok(text) => text,
                        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
                        Err(e) => return Err(failed("reading", &path, e).into()),
                    };
                    if text.is_empty() {
                        Vec::new()
                    } else {
                        let key = self.signer(desk)?.public().clone();
                        let open = |(n, note): (usize, &str)| {
                            Signed::open(note, &key).map_err(|e| ProofError::Checkpoint {
                                what: format!("number {} of {}: {e}", n + 1, path.display()),
                            })
                        };
                        let (notes, _cut_short) = checkpoint::notes(&text);
                        notes
                            .into_iter()
                            .enumerate()
                            .map(open)
                            .collect::<Result<_, _>>()?
                    }
                }
            },
        };
        Ok(desk.kept.insert(kept))
    }

    /// The tree, grown to a size.
    fn tree<'d>(
        &self,
        desk: &'d mut Desk,
        size: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<&'d KeptTree, ProofError> {
        let mut tree = match desk.tree.take() {
            Some(tree) => tree,
            None => KeptTree::open(self.path(TREE), self.store.as_ref())?,
        };
        tree.grow(self.store.as_ref(), size, progress)?;
        Ok(desk.tree.insert(tree))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.data.as_ref().map(|data| data.join(name))
    }

    fn has(&self, name: &str) -> bool {
        self.path(name).is_some_and(|path| path.exists())
    }

    // Whatever a panicking holder took out of the desk is read again.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that makes checkpoints; dropping this stops it.
#[derive(Debug)]
#[must_use = "checkpoints are made until this is dropped"]
pub struct Follower {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // Its panic was already reported where it happened.
            let _ = thread.join();
        }
    }
}

fn load_or_make(data: &Path) -> Result<Signer, ProofError> {
    let path = data.join(KEY);
    match fs::read_to_string(&path) {
        Ok(text) => Signer::from_secret_text(&text),
        // Checkpoints of another key must not be mixed with those that are there.
        Err(e) if e.kind() == io::ErrorKind::NotFound && data.join(CHECKPOINTS).exists() => {
            Err(ProofError::Key {
                what: format!(
                    "{} is missing, and there are checkpoints signed with it",
                    path.display()
                ),
            })
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let signer = Signer::from_seed(&random()?);
            write_whole(data, KEY, signer.secret_text().as_bytes())
                .map_err(|e| failed("writing", &path, e))?;
            Ok(signer)
        }
        Err(e) => Err(failed("reading", &path, e).into()),
    }
}

fn random() -> Result<[u8; 32], ProofError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| ProofError::Key {
        what: "the operating system gave no random bytes for a key".into(),
    })?;
    Ok(seed)
}

/// Appends a note and syncs it. What a crash left of an earlier one goes.
fn append(path: &Path, note: &str) -> io::Result<()> {
    let whole = match fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            (bytes.len() - checkpoint::notes(&text).1.len().min(bytes.len())) as u64
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
        Err(e) => return Err(e),
    };
    let mut file = private_file(OpenOptions::new().create(true).truncate(false), path)?;
    file.set_len(whole)?;
    file.seek(SeekFrom::Start(whole))?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    match path.parent() {
        Some(dir) if whole == 0 => sync_dir(dir),
        _ => Ok(()),
    }
}

fn failed(doing: &str, path: &Path, e: io::Error) -> StoreError {
    StoreError::io(format!("{doing} {}", path.display()), e)
}
