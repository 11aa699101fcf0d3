//! Node ids: `<kind>:<key>`, such as `account:alice`.
//!
//! Every argument that takes an id takes the node id or the bare key. There is no tenant in an id: the tenant is
//! that of the caller, so an id of somebody else is simply unknown.

use async_graphql::ID;

/// The node id of a thing.
pub fn node(kind: &str, key: &str) -> ID {
    ID(format!("{kind}:{key}"))
}

/// The key within `kind`, given a node id or a key.
pub fn key(kind: &str, id: &ID) -> String {
    let text = id.as_str();
    let bare = text
        .strip_prefix(kind)
        .and_then(|rest| rest.strip_prefix(':'));
    bare.unwrap_or(text).to_owned()
}

/// Splits a node id; none if it has no kind.
pub fn split(id: &ID) -> Option<(&str, &str)> {
    id.as_str().split_once(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_with_or_without_its_kind() {
        assert_eq!(key("account", &ID::from("account:alice")), "alice");
        assert_eq!(key("account", &ID::from("alice")), "alice");
        assert_eq!(key("account", &ID::from("accountant:x")), "accountant:x");
        assert_eq!(split(&node("account", "a:b")), Some(("account", "a:b")));
    }
}
