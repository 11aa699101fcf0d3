//! An expression as a tree.

use super::Function;
use crate::kernel::{Date, Decimal};

/// A node with its place.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Character of the source, from 1.
    pub column: usize,
    pub node: Node,
}

/// Places do not count: two trees are the same if they compute the same.
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

/// What one step of an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Null,
    Number(Decimal),
    Text(String),
    Boolean(bool),
    Date(Date),
    /// A name given by the surroundings.
    Name(String),
    /// An attribute of the record.
    Attribute(String),
    /// A custom field, by code.
    Field(String),
    Unary(Unary, Box<Tree>),
    Binary(Binary, Box<Tree>, Box<Tree>),
    /// Whether a value is in a list of constants, or (`true`) is not.
    In(Box<Tree>, Vec<Tree>, bool),
    If(Box<Tree>, Box<Tree>, Box<Tree>),
    Call(Function, Vec<Tree>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Negative,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    Plus,
    Minus,
    Times,
    Over,
}

impl Binary {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Binary::Or => "or",
            Binary::And => "and",
            Binary::Equal => "=",
            Binary::Unequal => "!=",
            Binary::Less => "<",
            Binary::AtMost => "<=",
            Binary::More => ">",
            Binary::AtLeast => ">=",
            Binary::Plus => "+",
            Binary::Minus => "-",
            Binary::Times => "*",
            Binary::Over => "/",
        }
    }

    /// How strongly it binds; more binds before less.
    pub fn strength(self) -> u8 {
        match self {
            Binary::Or => 1,
            Binary::And => 2,
            Binary::Equal
            | Binary::Unequal
            | Binary::Less
            | Binary::AtMost
            | Binary::More
            | Binary::AtLeast => COMPARISON,
            Binary::Plus | Binary::Minus => 5,
            Binary::Times | Binary::Over => 6,
        }
    }
}

/// Strength of `not`: it takes a whole comparison.
pub(super) const NOT: u8 = 3;
/// Strength of comparisons and `in`, which do not chain.
pub(super) const COMPARISON: u8 = 4;
/// Strength of a sign before a value.
pub(super) const NEGATIVE: u8 = 7;

/// Something that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    Name(String),
    Attribute(String),
    Field(String),
}

impl Tree {
    pub(super) fn new(column: usize, node: Node) -> Tree {
        Tree { column, node }
    }

    /// The nodes directly below.
    pub fn children(&self) -> Vec<&Tree> {
        match &self.node {
            Node::Unary(_, a) => vec![a],
            Node::Binary(_, a, b) => vec![a, b],
            Node::In(a, list, _) => std::iter::once(a.as_ref()).chain(list).collect(),
            Node::If(a, b, c) => vec![a, b, c],
            Node::Call(_, arguments) => arguments.iter().collect(),
            _ => vec![],
        }
    }

    /// What it reads, each once, in order.
    pub fn reads(&self) -> Vec<Read> {
        let mut found = std::collections::BTreeSet::new();
        let mut open = vec![self];
        while let Some(tree) = open.pop() {
            match &tree.node {
                Node::Name(name) => found.insert(Read::Name(name.clone())),
                Node::Attribute(name) => found.insert(Read::Attribute(name.clone())),
                Node::Field(code) => found.insert(Read::Field(code.clone())),
                _ => false,
            };
            open.extend(tree.children());
        }
        found.into_iter().collect()
    }
}
