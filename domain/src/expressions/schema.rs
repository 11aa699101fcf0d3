//! What an expression may read at one place: names and their kinds, attributes of records, custom fields.

use super::Kind;
use std::collections::BTreeMap;

/// The names that one sort of expression is given, declared so that a mistake is found before anything is sold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    names: BTreeMap<String, Kind>,
    fields: BTreeMap<String, Kind>,
    attributes: bool,
}

impl Schema {
    /// The same, with a name.
    pub fn with(mut self, name: impl Into<String>, kind: Kind) -> Schema {
        self.names.insert(name.into(), kind);
        self
    }

    /// The same, with a custom field.
    pub fn with_field(mut self, code: impl Into<String>, kind: Kind) -> Schema {
        self.fields.insert(code.into(), kind);
        self
    }

    /// The same, with the attributes of a record: texts, under whatever name the source delivers.
    pub fn with_attributes(mut self) -> Schema {
        self.attributes = true;
        self
    }

    /// Kind of a name, if it is given here.
    pub fn name(&self, name: &str) -> Option<Kind> {
        self.names.get(name).copied()
    }

    /// Kind of a custom field, if it can be read here.
    pub fn field(&self, code: &str) -> Option<Kind> {
        self.fields.get(code).copied()
    }

    /// Whether there is a record with attributes.
    pub fn has_attributes(&self) -> bool {
        self.attributes
    }

    /// Every name, in order.
    pub fn names(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.names.iter().map(|(name, kind)| (name.as_str(), *kind))
    }

    /// Every custom field, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.fields
            .iter()
            .map(|(code, kind)| (code.as_str(), *kind))
    }
}
