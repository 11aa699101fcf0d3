//! What one request may cost, checked on the parsed document before anything is validated or run.
//!
//! Depth, aliases, root fields and the number of fields after expanding fragments are counted here, with each
//! fragment measured once, so that a document whose fragments multiply costs nothing to refuse. Complexity is
//! counted by the schema itself: a connection multiplies its children by `first`. Introspection has its own
//! limits, because the query every GraphQL console sends is deeper than anything a client needs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery};
use async_graphql::parser::types::{
    ExecutableDocument, FragmentDefinition, Selection, SelectionSet,
};
use async_graphql::{
    Error, ErrorExtensions as _, Name, Pos, Positioned, ServerError, ServerResult, Variables,
};

/// Fields below one another.
pub const DEPTH: usize = 12;
/// Sum over the fields, a connection counting its children `first` times.
pub const COMPLEXITY: usize = 2_000;
/// Aliases in the document, and separately fields at the root of an operation.
pub const ALIASES: usize = 30;
/// Rows of one page.
pub const PAGE: i32 = 500;
/// Rows of a page when `first` is not given.
pub const PAGE_DEFAULT: i32 = 20;
/// Bytes of one request body or websocket message.
pub const BODY_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of blocks in one answer of `/log/blocks` (4 MiB), unless its first block alone is larger (at most 16 MiB).
pub const LOG_PAGE_BYTES: usize = indelible_store::segments::PAGE_BYTES;
/// Answers of `/log/blocks` that are read and sent at a time; more wait.
pub const LOG_READERS: usize = 4;
/// Longest time a request for `/log/blocks` may wait for news, in seconds.
pub const LOG_WAIT_SECONDS: u64 = 30;
/// Webhooks that are worked on at a time, each asking its provider in between; more wait.
pub const WEBHOOK_CALLS: usize = 8;

/// Fields after expanding every fragment: far above `COMPLEXITY` allows, low enough to validate quickly.
const FIELDS: usize = 5_000;
/// Directives on one field.
pub const DIRECTIVES: usize = 10;
const INTROSPECTION_DEPTH: usize = 16;
const INTROSPECTION_LISTS: usize = 3;
/// Nesting the parser itself follows before it gives up.
pub const PARSER_DEPTH: usize = 64;

/// Documents that are remembered, and the longest one, in bytes: frontends send the same few again and again, and to parse one
/// takes longer than most commands.
const DOCUMENTS: usize = 256;
const DOCUMENT_BYTES: usize = 8 * 1024;

/// The extension that refuses a document above the limits. Documents within them are remembered.
#[derive(Clone, Default)]
pub struct DocumentLimits(Arc<Mutex<HashMap<String, Arc<ExecutableDocument>>>>);

impl DocumentLimits {
    fn known(&self, query: &str) -> Option<Arc<ExecutableDocument>> {
        self.documents().get(query).cloned()
    }

    fn remember(&self, query: &str, document: &ExecutableDocument) {
        if query.len() > DOCUMENT_BYTES {
            return;
        }
        let mut documents = self.documents();
        // Who makes up documents gains nothing: those in use are soon there again.
        if documents.len() >= DOCUMENTS {
            documents.clear();
        }
        documents.insert(query.to_owned(), Arc::new(document.clone()));
    }

    fn documents(&self) -> MutexGuard<'_, HashMap<String, Arc<ExecutableDocument>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ExtensionFactory for DocumentLimits {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(self.clone())
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for DocumentLimits {
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        if let Some(known) = self.known(query) {
            return Ok(ExecutableDocument::clone(&known));
        }
        let document = next.run(ctx, query, variables).await?;
        check(&document)?;
        self.remember(query, &document);
        Ok(document)
    }
}

/// What a selection set costs, with its fragments expanded.
#[derive(Clone, Copy, Default)]
struct Measure {
    depth: usize,
    /// Fields at this level.
    roots: usize,
    fields: usize,
    aliases: usize,
    /// Names of introspection lists below one another.
    lists: usize,
    introspection_depth: usize,
    introspection_lists: usize,
}

struct Measuring<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// `None` while the fragment is being measured: a cycle counts nothing here, validation refuses it.
    known: HashMap<&'a str, Option<Measure>>,
}

fn check(document: &ExecutableDocument) -> ServerResult<()> {
    let mut measuring = Measuring {
        fragments: &document.fragments,
        known: HashMap::new(),
    };
    let mut aliases = 0_usize;
    for (_, operation) in document.operations.iter() {
        let measure = measuring.set(&operation.node.selection_set.node);
        aliases = aliases.saturating_add(measure.aliases);
        let over = |code: &str, what: &str, is: usize, limit: usize| {
            Err(refusal(
                code,
                format!("the query has {is} {what}, the limit is {limit}"),
                operation.pos,
            ))
        };
        if measure.depth > DEPTH {
            return over("QUERY_TOO_DEEP", "levels of fields", measure.depth, DEPTH);
        }
        if measure.roots > ALIASES {
            return over(
                "QUERY_TOO_MANY_ROOT_FIELDS",
                "root fields",
                measure.roots,
                ALIASES,
            );
        }
        if aliases > ALIASES {
            return over("QUERY_TOO_MANY_ALIASES", "aliases", aliases, ALIASES);
        }
        if measure.fields > FIELDS {
            return over(
                "QUERY_TOO_LARGE",
                "fields with its fragments expanded",
                measure.fields,
                FIELDS,
            );
        }
        if measure.introspection_depth > INTROSPECTION_DEPTH {
            let is = measure.introspection_depth;
            return over(
                "QUERY_TOO_DEEP",
                "levels of introspection",
                is,
                INTROSPECTION_DEPTH,
            );
        }
        if measure.introspection_lists > INTROSPECTION_LISTS {
            let is = measure.introspection_lists;
            return over(
                "QUERY_TOO_DEEP",
                "nested lists of introspection",
                is,
                INTROSPECTION_LISTS,
            );
        }
    }
    Ok(())
}

impl<'a> Measuring<'a> {
    fn set(&mut self, set: &'a SelectionSet) -> Measure {
        let mut sum = Measure::default();
        for item in &set.items {
            let one = match &item.node {
                Selection::Field(field) => {
                    let below = self.set(&field.node.selection_set.node);
                    field_measure(
                        field.node.name.node.as_str(),
                        field.node.alias.is_some(),
                        below,
                    )
                }
                Selection::InlineFragment(inline) => self.set(&inline.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    self.fragment(spread.node.fragment_name.node.as_str())
                }
            };
            sum = Measure {
                depth: sum.depth.max(one.depth),
                roots: sum.roots.saturating_add(one.roots),
                fields: sum.fields.saturating_add(one.fields),
                aliases: sum.aliases.saturating_add(one.aliases),
                lists: sum.lists.max(one.lists),
                introspection_depth: sum.introspection_depth.max(one.introspection_depth),
                introspection_lists: sum.introspection_lists.max(one.introspection_lists),
            };
        }
        sum
    }

    fn fragment(&mut self, name: &str) -> Measure {
        let Some((name, fragment)) = self.fragments.get_key_value(name) else {
            return Measure::default();
        };
        if let Some(known) = self.known.get(name.as_str()) {
            return known.unwrap_or_default();
        }
        self.known.insert(name.as_str(), None);
        let measure = self.set(&fragment.node.selection_set.node);
        self.known.insert(name.as_str(), Some(measure));
        measure
    }
}

fn field_measure(name: &str, aliased: bool, below: Measure) -> Measure {
    let introspection = matches!(name, "__schema" | "__type");
    let list = matches!(
        name,
        "types"
            | "fields"
            | "inputFields"
            | "interfaces"
            | "possibleTypes"
            | "enumValues"
            | "args"
            | "directives"
    );
    Measure {
        depth: if introspection {
            1
        } else {
            below.depth.saturating_add(1)
        },
        roots: 1,
        fields: below.fields.saturating_add(1),
        aliases: below.aliases.saturating_add(usize::from(aliased)),
        lists: below.lists.saturating_add(usize::from(list)),
        introspection_depth: if introspection {
            below.depth
        } else {
            below.introspection_depth
        },
        introspection_lists: if introspection {
            below.lists
        } else {
            below.introspection_lists
        },
    }
}

fn refusal(code: &str, sentence: String, at: Pos) -> ServerError {
    Error::new(sentence)
        .extend_with(|_, extensions| extensions.set("code", code))
        .into_server_error(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    fn refused(query: &str) -> Option<String> {
        check(&parse_query(query).unwrap())
            .err()
            .map(|error| error.message)
    }

    fn nested(levels: usize) -> String {
        format!("{{{}a{}}}", "a{".repeat(levels - 1), "}".repeat(levels - 1))
    }

    #[test]
    fn twelve_levels_pass_and_thirteen_do_not() {
        assert_eq!(refused(&nested(12)), None);
        assert_eq!(
            refused(&nested(13)).unwrap(),
            "the query has 13 levels of fields, the limit is 12"
        );
    }

    #[test]
    fn a_document_is_remembered_as_it_was_read_and_never_more_than_there_is_room_for() {
        let limits = DocumentLimits::default();
        let first = parse_query("{ a }").unwrap();
        limits.remember("{ a }", &first);
        let known = limits.known("{ a }").expect("it was remembered");
        assert_eq!(format!("{known:?}"), format!("{first:?}"));
        let long = format!("{{ {} }}", "a ".repeat(DOCUMENT_BYTES));
        limits.remember(&long, &first);
        assert!(limits.known(&long).is_none());
        for n in 0..DOCUMENTS + 1 {
            limits.remember(&format!("{{ a{n} }}"), &first);
            assert!(limits.documents().len() <= DOCUMENTS);
        }
    }

    #[test]
    fn fragments_do_not_hide_depth_aliases_or_root_fields() {
        let deep = format!("query {{ ...F }} fragment F on Q {}", nested(13));
        assert!(refused(&deep).unwrap().contains("13 levels"));
        let aliases: String = (0..31).map(|n| format!("a{n}: b ")).collect();
        assert!(
            refused(&format!("{{ x {{ {aliases} }} }}"))
                .unwrap()
                .contains("31 aliases")
        );
        let twice: String = (0..16).map(|n| format!("a{n}: b ")).collect();
        let spread = format!("{{ x {{ ...F }} y {{ ...F }} }} fragment F on Q {{ {twice} }}");
        assert!(refused(&spread).unwrap().contains("32 aliases"));
        let roots: String = (0..31).map(|n| format!("b{n} ")).collect();
        assert!(
            refused(&format!("{{ ...F }} fragment F on Q {{ {roots} }}"))
                .unwrap()
                .contains("31 root fields")
        );
    }

    #[test]
    fn fragments_that_double_are_refused_without_expanding_them() {
        let mut query = String::from("{ x { ...F0 } } ");
        for n in 0..60 {
            query.push_str(&format!(
                "fragment F{n} on Q {{ ...F{} ...F{} }} ",
                n + 1,
                n + 1
            ));
        }
        query.push_str("fragment F60 on Q { a }");
        assert!(refused(&query).unwrap().contains("fragments expanded"));
    }

    #[test]
    fn a_fragment_that_contains_itself_ends() {
        assert_eq!(refused("{ ...F } fragment F on Q { a { ...F } }"), None);
    }

    #[test]
    fn the_query_of_a_console_passes_and_nested_introspection_does_not() {
        let type_ref = "{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name}}}}}}}}}}";
        let console = format!(
            "query IntrospectionQuery {{ __schema {{ types {{ fields {{ args {{ type {type_ref} }} }} }} }} }}"
        );
        assert_eq!(refused(&console), None);
        let nasty =
            "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
        assert!(refused(nasty).unwrap().contains("4 nested lists"));
    }
}
