//! Usage completeness: nothing disappears (policy 14).

use async_graphql::{Context, Object, Result, SimpleObject};
use indelible_projections::usage::completeness;

use super::super::books::Books;
use super::super::desk::UsageCounts;
use super::super::scalars::Position;
use super::super::usage::ProblemKind;

/// What became of every usage record: received = accepted + duplicates + conflicts + unreadable, and
/// accepted = rated + pending + rejected + superseded.
#[derive(SimpleObject)]
pub struct UsageCompleteness {
    counts: UsageCounts,
    /// Why lines were not simply rated, over all batches of all sources.
    reasons: Vec<UsageReason>,
}

/// How many lines had one outcome for one reason.
#[derive(SimpleObject)]
pub struct UsageReason {
    outcome: ProblemKind,
    code: String,
    lines: u64,
}

#[derive(Default)]
pub struct UsageReportQueries;

#[Object]
impl UsageReportQueries {
    /// What became of all usage, or of that of one source.
    async fn usage_completeness(
        &self,
        ctx: &Context<'_>,
        source: Option<String>,
        min_position: Option<Position>,
    ) -> Result<UsageCompleteness> {
        let (counts, reasons) = Books::of(ctx)?
            .views(min_position, move |views| {
                let counts = match &source {
                    Some(source) => completeness::of_source(views, source)?,
                    None => completeness::total(views)?,
                };
                Ok((counts, completeness::reasons(views)?))
            })
            .await?;
        let reason = |reason: completeness::Reason| UsageReason {
            outcome: reason.fate.into(),
            code: reason.code,
            lines: reason.lines,
        };
        Ok(UsageCompleteness {
            counts: counts.into(),
            reasons: reasons.into_iter().map(reason).collect(),
        })
    }
}
