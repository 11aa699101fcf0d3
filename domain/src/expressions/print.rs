//! A tree as the shortest source that reads back as the same tree.

use super::tree::{Binary, COMPARISON, NEGATIVE, NOT, Node, Tree, Unary};
use super::{Function, RoundingMode};
use std::fmt::{self, Write};

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_tree(f, self, 0)
    }
}

/// Writes a tree where only what binds at least as strongly as `least` goes without parentheses.
fn write_tree(f: &mut fmt::Formatter<'_>, tree: &Tree, least: u8) -> fmt::Result {
    let own = strength(&tree.node);
    if own < least {
        f.write_char('(')?;
        write_node(f, &tree.node)?;
        return f.write_char(')');
    }
    write_node(f, &tree.node)
}

fn strength(node: &Node) -> u8 {
    match node {
        Node::If(..) => 0,
        Node::Unary(Unary::Not, _) => NOT,
        Node::In(..) => COMPARISON,
        Node::Binary(operator, ..) => operator.strength(),
        Node::Unary(Unary::Negative, _) => NEGATIVE,
        _ => u8::MAX,
    }
}

fn write_node(f: &mut fmt::Formatter<'_>, node: &Node) -> fmt::Result {
    match node {
        Node::Null => f.write_str("null"),
        Node::Number(n) => write!(f, "{n}"),
        Node::Text(t) => quote(f, t),
        Node::Boolean(b) => write!(f, "{b}"),
        Node::Date(d) => write!(f, "date(\"{d}\")"),
        Node::Name(name) => f.write_str(name),
        Node::Attribute(name) => {
            f.write_str("attribute(")?;
            quote(f, name)?;
            f.write_char(')')
        }
        Node::Field(code) => {
            f.write_str("field(")?;
            quote(f, code)?;
            f.write_char(')')
        }
        Node::Unary(Unary::Negative, inner) => {
            f.write_char('-')?;
            // No parentheses that the source need not have: they would nest deeper than what was read.
            write_tree(f, inner, NEGATIVE)
        }
        Node::Unary(Unary::Not, inner) => {
            f.write_str("not ")?;
            write_tree(f, inner, NOT)
        }
        Node::Binary(operator, left, right) => binary(f, *operator, left, right),
        Node::In(value, list, negated) => {
            write_tree(f, value, COMPARISON + 1)?;
            f.write_str(if *negated { " not in [" } else { " in [" })?;
            write_list(f, list)?;
            f.write_char(']')
        }
        Node::If(condition, then, otherwise) => {
            f.write_str("if ")?;
            write_tree(f, condition, 0)?;
            f.write_str(" then ")?;
            write_tree(f, then, 0)?;
            f.write_str(" else ")?;
            write_tree(f, otherwise, 0)
        }
        Node::Call(function, arguments) => {
            f.write_str(function.name())?;
            f.write_char('(')?;
            write_list(f, arguments)?;
            match function {
                Function::Round(0, RoundingMode::HalfAwayFromZero) => {}
                Function::Round(digits, RoundingMode::HalfAwayFromZero) => {
                    write!(f, ", {digits}")?;
                }
                Function::Round(digits, mode) => write!(f, ", {digits}, \"{}\"", mode.name())?,
                _ => {}
            }
            f.write_char(')')
        }
    }
}

fn binary(f: &mut fmt::Formatter<'_>, operator: Binary, left: &Tree, right: &Tree) -> fmt::Result {
    let strength = operator.strength();
    // Comparisons do not chain; everything else does to the left.
    let left_least = strength + u8::from(strength == COMPARISON);
    write_tree(f, left, left_least)?;
    write!(f, " {} ", operator.sign())?;
    write_tree(f, right, strength + 1)
}

fn write_list(f: &mut fmt::Formatter<'_>, list: &[Tree]) -> fmt::Result {
    for (n, entry) in list.iter().enumerate() {
        if n > 0 {
            f.write_str(", ")?;
        }
        write_tree(f, entry, 0)?;
    }
    Ok(())
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
