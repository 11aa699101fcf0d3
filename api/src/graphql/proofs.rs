//! Checkpoints of the log, and proofs of documents by them, for those whose data directory is being served.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use indelible_store::proof::{ProofError, Signed};

use super::books::Books;
use super::scalars::Instant;
use super::{desk, errors, ids};
use crate::auth::Scope;
use crate::office::Office;

/// A signed statement of what the whole log was.
#[derive(SimpleObject)]
pub struct Checkpoint {
    /// Number of events of the log, all tenants together.
    size: u64,
    /// When the last of them was recorded.
    recorded_at: Instant,
    /// Text and signature, to be published as they are.
    note: String,
    /// The public key that checks it.
    key: String,
}

impl Checkpoint {
    fn of(signed: Signed, key: String) -> Checkpoint {
        Checkpoint {
            size: signed.checkpoint.size,
            recorded_at: Instant(indelible_domain::kernel::Instant(
                signed.checkpoint.recorded_at,
            )),
            note: signed.note,
            key,
        }
    }
}

/// The facts behind one document, and that they are in the log.
#[derive(SimpleObject)]
pub struct DocumentProof {
    /// The file that `indelible prove --check` takes.
    file: String,
    /// The checkpoint it rests on; it must be published for others to check the proof.
    checkpoint: String,
    /// The public key of the checkpoint.
    key: String,
    /// What is proven, in words.
    says: Vec<String>,
}

#[derive(Default)]
pub struct ProofQueries;

#[Object]
impl ProofQueries {
    /// Signs what the log is now, for others to keep. Scope operate, because it is kept in the data directory too.
    async fn checkpoint(&self, ctx: &Context<'_>) -> Result<Checkpoint> {
        let make = |office: &Office| {
            let key = office.notary.public_key()?.to_string();
            Ok(Checkpoint::of(office.notary.checkpoint()?, key))
        };
        asked(ctx, make).await
    }

    /// Proves an invoice or credit note with everything under it, by the last checkpoint or by a new one. Scope operate.
    async fn proof(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Node id, key or number of a finalised document.")] invoice: ID,
    ) -> Result<DocumentProof> {
        let books = Books::of(ctx)?;
        let named = ids::key("invoice", &invoice);
        let found = books.live(|tenant| {
            indelible_domain::lineage::document_named(&tenant.tables, &named).cloned()
        });
        let id = found.ok_or_else(|| errors::unknown("invoice", &named))?;
        let tenant = books.tenant().to_owned();
        let make = move |office: &Office| {
            let bundle = office.notary.prove(&tenant, &id)?;
            let key = office.notary.public_key()?;
            let file = bundle.to_text();
            let checked = indelible_store::proof::check(&file, &bundle.checkpoint, &key)?;
            Ok(DocumentProof {
                file,
                checkpoint: bundle.checkpoint,
                key: key.to_string(),
                says: checked.proven.sentences(),
            })
        };
        asked(ctx, make).await
    }
}

/// Asks the notary, away from the threads that answer requests.
async fn asked<T: Send + 'static>(
    ctx: &Context<'_>,
    make: impl FnOnce(&Office) -> std::result::Result<T, ProofError> + Send + 'static,
) -> Result<T> {
    let books = Books::of(ctx)?;
    desk::require(&books, Scope::Operate)?;
    let office = std::sync::Arc::clone(books.office());
    let made = tokio::task::spawn_blocking(move || make(&office))
        .await
        .map_err(|error| errors::broken("INTERNAL", "the work was not finished", &error))?;
    made.map_err(|error| {
        if error.is_refusal() {
            errors::refused(error.code(), error.to_string())
        } else {
            errors::broken(error.code(), "the log could not be proven", &error)
        }
    })
}
