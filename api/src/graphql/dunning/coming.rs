//! What time alone will bring to an account, and what a day's run would do.

use async_graphql::{Context, Object, Result, SimpleObject};
use indelible_domain::dunning as domain;
use indelible_domain::operations::DunningPreview;
use indelible_projections::dunning::board;

use super::StepKind;
use crate::graphql::accounts::Account;
use crate::graphql::scalars::{Date, Money};

/// What comes next for an account: a level, or the end of a pause.
#[derive(SimpleObject)]
#[graphql(name = "DunningNext")]
pub struct Next {
    on: Date,
    /// None: a pause is over, or a promise was not kept.
    level: Option<String>,
    /// Key of the policy.
    policy: Option<String>,
}

impl From<domain::Next> for Next {
    fn from(next: domain::Next) -> Next {
        match next {
            domain::Next::Level { choice, level, on } => Next {
                on: Date(on),
                level: Some(level.name),
                policy: Some(choice.policy),
            },
            domain::Next::PauseEnds { on } => Next {
                on: Date(on),
                level: None,
                policy: None,
            },
        }
    }
}

/// What dunning would do to an account.
pub struct Preview {
    pub made: DunningPreview,
}

#[Object(name = "DunningPreview")]
impl Preview {
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.made.account).await
    }

    /// The folio of the account that it is about.
    async fn folio(&self) -> &str {
        &self.made.account
    }

    async fn steps(&self) -> Vec<PreviewedStep> {
        let events = self.made.events.iter().flatten();
        let step = |event: &domain::Event| {
            let (kind, on, level, amount) = board::read(event);
            PreviewedStep {
                on: Date(on),
                kind: kind.into(),
                level: level.cloned(),
                amount: amount.map(Money),
            }
        };
        events.map(step).collect()
    }

    /// Why nothing could be done.
    async fn refused(&self) -> Option<String> {
        let why = self.made.events.as_ref().err()?;
        Some(format!("{}: {}", why.code, why.message))
    }
}

#[derive(SimpleObject)]
#[graphql(name = "DunningPreviewStep")]
pub struct PreviewedStep {
    on: Date,
    kind: StepKind,
    level: Option<String>,
    amount: Option<Money>,
}
