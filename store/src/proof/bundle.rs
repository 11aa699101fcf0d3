//! The file that proves a document: events, nodes and checkpoint, as JSON.
//!
//! There is one way to write a bundle, and every byte of it is checked: an event by its leaf hash, a node by its check
//! sum, all of them together by the root that a known key signed, the rest by writing it again.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use indelible_domain::{Recorded, lineage};
use serde::{Deserialize, Serialize};

use super::checkpoint::{self, Checkpoint, Signed};
use super::note::{self, PublicKey};
use super::tree::{self, Hash, Place, leaf_hash};
use super::{ProofError, leaf};
use crate::{EventRef, StoredEvent, codec};

/// Largest file that is read as a bundle.
pub const MAX_BUNDLE_BYTES: u64 = 1 << 30;
/// First field of every bundle.
const FORMAT: &str = "indelible-proof-1";

/// A proof that the facts behind one document are in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// `indelible-proof-1`.
    pub format: String,
    pub tenant: String,
    /// Id of the document.
    pub invoice: String,
    /// The signed note.
    pub checkpoint: String,
    /// In order of position.
    pub events: Vec<BundleEvent>,
    /// The fewest nodes that lead from the events to the root, in order of level and index.
    pub nodes: Vec<BundleNode>,
}

/// An event with everything the log knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleEvent {
    /// As in the leaf: for readers of the file.
    pub position: u64,
    /// As in the leaf: for readers of the file.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Leaf hash in hex: says which event was changed, if one was.
    pub hash: String,
    /// Leaf bytes in base64.
    pub leaf: String,
}

/// A node of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleNode {
    pub level: u32,
    pub index: u64,
    /// In hex.
    pub hash: String,
    /// CRC-32 of `level index hash` in hex: says which node was damaged, if one was. It proves nothing.
    pub check: String,
}

impl BundleNode {
    fn of(place: Place, hash: &Hash) -> BundleNode {
        let mut node = BundleNode {
            level: place.level,
            index: place.index,
            hash: hex(hash),
            check: String::new(),
        };
        node.check = node.sum();
        node
    }

    fn sum(&self) -> String {
        let text = format!("{} {} {}", self.level, self.index, self.hash);
        format!("{:08x}", crc32fast::hash(text.as_bytes()))
    }
}

impl Bundle {
    /// The file.
    pub fn to_text(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("a bundle is texts and numbers only");
        text.push('\n');
        text
    }
}

/// A bundle whose every part holds.
#[derive(Clone, Debug)]
pub struct Checked {
    pub checkpoint: Checkpoint,
    pub tenant: String,
    pub invoice: String,
    /// Number of events that were proven.
    pub events: u64,
    pub proven: lineage::Proven,
}

/// Puts a bundle together.
pub(super) fn bind<'e>(
    tenant: &str,
    invoice: &str,
    signed: &Signed,
    events: impl Iterator<Item = &'e StoredEvent>,
    nodes: &BTreeMap<Place, Hash>,
) -> Bundle {
    let mut bytes = Vec::new();
    let events = events.map(|event| {
        leaf::encode(&borrowed(event), &mut bytes);
        BundleEvent {
            position: event.position,
            event_type: event.event_type.clone(),
            hash: hex(&leaf_hash(&bytes)),
            leaf: BASE64.encode(&bytes),
        }
    });
    Bundle {
        format: FORMAT.into(),
        tenant: tenant.into(),
        invoice: invoice.into(),
        checkpoint: signed.note.clone(),
        events: events.collect(),
        nodes: nodes
            .iter()
            .map(|(place, hash)| BundleNode::of(*place, hash))
            .collect(),
    }
}

/// Checks a bundle against a published checkpoint, offline. `published` is a file of one or more checkpoints, one of which
/// must be the bundle's.
///
/// PROOF_MISFIT and CHECKPOINT_MISFIT say which event, node, line or sum does not hold.
pub fn check(text: &str, published: &str, key: &PublicKey) -> Result<Checked, ProofError> {
    let bundle: Bundle =
        serde_json::from_str(text).map_err(|e| misfit(format!("the file is no proof: {e}")))?;
    if bundle.format != FORMAT {
        return Err(misfit(format!(
            "the file has format {:?}, this program reads {FORMAT:?}",
            bundle.format
        )));
    }
    let leaves = events(&bundle)?;
    let nodes = nodes(&bundle)?;
    let checkpoint = published_one(&bundle.checkpoint, published, key)?;
    root(&checkpoint, &leaves, &nodes)?;
    let again = bundle.to_text();
    if again != text {
        let at = again
            .bytes()
            .zip(text.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        return Err(misfit(format!(
            "byte {at} of the file is not as the program writes proofs"
        )));
    }
    let mut facts = Vec::new();
    for leaf in leaves.values() {
        facts.push(decoded(leaf)?);
    }
    let behind = behind(&bundle, &facts)?;
    if let Some(stranger) = facts.iter().find(|fact| !behind.contains(&fact.position)) {
        return Err(misfit(format!(
            "the event at position {} has nothing to do with document {}",
            stranger.position, bundle.invoice
        )));
    }
    let proven = lineage::check(&bundle.tenant, &bundle.invoice, &facts).map_err(misfit)?;
    Ok(Checked {
        checkpoint,
        tenant: bundle.tenant,
        invoice: bundle.invoice,
        events: facts.len() as u64,
        proven,
    })
}

/// Leaf bytes by position, each of which fits its own hash.
fn events(bundle: &Bundle) -> Result<BTreeMap<u64, Vec<u8>>, ProofError> {
    let mut leaves = BTreeMap::new();
    for event in &bundle.events {
        let at = event.position;
        let wrong = |what: &str| misfit(format!("the event at position {at} {what}"));
        let bytes = BASE64
            .decode(&event.leaf)
            .map_err(|e| wrong(&format!("is not base64: {e}")))?;
        if hex(&leaf_hash(&bytes)) != event.hash {
            return Err(wrong("does not fit its hash"));
        }
        let decoded = leaf::decode(&bytes).map_err(|e| wrong(&format!("cannot be read: {e}")))?;
        if decoded.position != at {
            return Err(wrong(&format!("says itself it is at {}", decoded.position)));
        }
        if decoded.event_type != event.event_type {
            return Err(wrong(&format!("says itself it is {}", decoded.event_type)));
        }
        if leaves.keys().next_back().is_some_and(|last| *last >= at) {
            return Err(wrong("is not in order"));
        }
        leaves.insert(at, bytes);
    }
    Ok(leaves)
}

fn nodes(bundle: &Bundle) -> Result<BTreeMap<Place, Hash>, ProofError> {
    let mut nodes = BTreeMap::new();
    for node in &bundle.nodes {
        let wrong = |what: &str| {
            misfit(format!(
                "the node at level {}, index {} {what}",
                node.level, node.index
            ))
        };
        if node.sum() != node.check {
            return Err(wrong("does not fit its check sum"));
        }
        let hash = checkpoint::hash(&node.hash).ok_or_else(|| wrong("is not 64 hex digits"))?;
        let place = Place {
            level: node.level,
            index: node.index,
        };
        if nodes.keys().next_back().is_some_and(|last| *last >= place) {
            return Err(wrong("is not in order"));
        }
        nodes.insert(place, hash);
    }
    Ok(nodes)
}

/// The bundle's checkpoint, if the key signed it and it is among the published ones.
fn published_one(own: &str, published: &str, key: &PublicKey) -> Result<Checkpoint, ProofError> {
    let signed = Signed::open(own, key)?;
    let text = signed.checkpoint.text();
    let (notes, rest) = checkpoint::notes(published);
    let mut same_size = None;
    for note in notes
        .into_iter()
        .chain((!rest.trim().is_empty()).then_some(rest))
    {
        let Some((said, _)) = note::split(note) else {
            return Err(ProofError::Checkpoint {
                what: "the published file holds something that is no signed note".into(),
            });
        };
        if said == text {
            return Ok(signed.checkpoint);
        }
        same_size = same_size.or_else(|| {
            let other = Checkpoint::parse(said).ok()?;
            (other.size == signed.checkpoint.size).then_some(other)
        });
    }
    let size = signed.checkpoint.size;
    Err(ProofError::Checkpoint {
        what: match same_size {
            Some(_) => format!("the published checkpoint of size {size} says something else"),
            None => {
                format!("the one of the proof, of size {size}, is not among the published ones")
            }
        },
    })
}

fn root(
    checkpoint: &Checkpoint,
    leaves: &BTreeMap<u64, Vec<u8>>,
    nodes: &BTreeMap<Place, Hash>,
) -> Result<(), ProofError> {
    let mut hashes = BTreeMap::new();
    for (position, bytes) in leaves {
        if *position > checkpoint.size {
            return Err(misfit(format!(
                "the event at position {position} came after the checkpoint of size {}",
                checkpoint.size
            )));
        }
        hashes.insert(position - 1, leaf_hash(bytes));
    }
    let root = tree::root_from(checkpoint.size, &hashes, nodes).map_err(misfit)?;
    if root != checkpoint.root {
        return Err(misfit(format!(
            "the {} events and {} nodes make the root {}, the checkpoint says {}: an event or node was exchanged",
            leaves.len(),
            nodes.len(),
            hex(&root),
            hex(&checkpoint.root)
        )));
    }
    Ok(())
}

fn decoded(bytes: &[u8]) -> Result<Recorded<indelible_domain::Event>, ProofError> {
    let event = leaf::decode(bytes).map_err(misfit)?;
    codec::decode(event.to_stored()).map_err(ProofError::Store)
}

/// What a log that held only these events would give as a proof: so there is none too many.
fn behind(
    bundle: &Bundle,
    facts: &[Recorded<indelible_domain::Event>],
) -> Result<BTreeSet<u64>, ProofError> {
    let mut read = |kind: &str, id: &str| {
        let own = facts
            .iter()
            .filter(|fact| fact.kind == kind && fact.id == id);
        Ok::<_, ProofError>(own.cloned().collect::<Vec<_>>())
    };
    lineage::facts_behind(&bundle.invoice, &mut read)?.map_err(|r| misfit(r.message))
}

fn borrowed(event: &StoredEvent) -> EventRef<'_> {
    EventRef {
        position: event.position,
        tenant: &event.stream.tenant,
        kind: &event.stream.kind,
        id: &event.stream.id,
        version: event.version,
        event_type: &event.event_type,
        schema: event.schema,
        payload: &event.payload,
        recorded_at: event.recorded_at,
        actor: &event.actor,
        command_id: event.command_id.as_deref(),
        correlation: &event.correlation,
        causation: event.causation,
    }
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

fn misfit(what: impl Into<String>) -> ProofError {
    ProofError::Misfit { what: what.into() }
}
