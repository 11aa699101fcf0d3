//! The GraphQL schema: one file per noun, the same nouns as in `domain` and `projections`.

use async_graphql::{
    Context, EmptyMutation, EmptySubscription, Object, SDLExportOptions, Schema as Built,
    SimpleObject,
};

use crate::auth::Caller;
use crate::limits;

pub type Schema = Built<Query, EmptyMutation, EmptySubscription>;

/// Builds the schema with its limits.
pub fn schema() -> Schema {
    Built::build(Query, EmptyMutation, EmptySubscription)
        .limit_complexity(limits::COMPLEXITY)
        .limit_recursive_depth(limits::PARSER_DEPTH)
        .limit_directives(limits::DIRECTIVES)
        .extension(limits::DocumentLimits)
        .finish()
}

/// The schema definition, sorted, as committed in `api/schema.graphql`.
pub fn sdl() -> String {
    schema().sdl_with_options(
        SDLExportOptions::new()
            .sorted_fields()
            .sorted_arguments()
            .sorted_enum_items(),
    )
}

pub struct Query;

#[Object]
impl Query {
    /// Who this server takes you for.
    async fn viewer(&self, ctx: &Context<'_>) -> async_graphql::Result<Viewer> {
        let caller = ctx.data::<Caller>()?;
        Ok(Viewer {
            tenant: caller.tenant.clone(),
            scope: caller.scope.to_string(),
            actor: caller.actor.clone(),
        })
    }
}

/// The tenant and scope of the key that was sent.
#[derive(SimpleObject)]
pub struct Viewer {
    tenant: String,
    scope: String,
    actor: String,
}
