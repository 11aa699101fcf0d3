//! From a tree to a flat program: no recursion, no look-up of functions, no text copied while it runs.

use super::tree::{Binary, Node, Tree, Unary};
use super::value::Value;
use super::{Function, Problem};
use crate::kernel::Exact;
use std::borrow::Cow;

/// One step. Jumps only ever go forward, so a program runs each step at most once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Constant(usize),
    Name(usize),
    Attribute(usize),
    Field(usize),
    Negative,
    Not,
    /// Arithmetic or a comparison of the two values on top.
    Binary(Binary),
    /// Whether the value on top is in a list, or (true) is not.
    In(usize, bool),
    Call(Function, usize),
    Jump(usize),
    /// Takes the condition on top, and jumps if it is false.
    JumpUnless(usize),
    /// Jumps with the value on top if it is this; drops it otherwise.
    KeepIf(bool, usize),
    /// Jumps with the value on top if there is one; drops it otherwise.
    KeepIfThere(usize),
    /// The value on top must be true or false.
    Truth,
}

#[derive(Debug, Default)]
pub(super) struct Program {
    pub ops: Vec<Op>,
    /// Column of the source that each step came from.
    pub columns: Vec<usize>,
    pub constants: Vec<Value<'static>>,
    pub names: Vec<String>,
    pub lists: Vec<Vec<Value<'static>>>,
    /// Values on the stack at most.
    pub room: usize,
    depth: usize,
}

/// The program of a tree.
pub(super) fn compile(tree: &Tree) -> Result<Program, Problem> {
    let mut program = Program::default();
    program.tree(tree);
    Ok(program)
}

impl Program {
    /// Adds a step that leaves `more` values after taking `less`; returns its number.
    fn step(&mut self, tree: &Tree, op: Op, less: usize, more: usize) -> usize {
        self.ops.push(op);
        self.columns.push(tree.column);
        self.depth = self.depth.saturating_sub(less) + more;
        self.room = self.room.max(self.depth);
        self.ops.len() - 1
    }

    /// Makes the jump with number `from` go to the next step.
    fn land(&mut self, from: usize) {
        let here = self.ops.len();
        if let Some(Op::Jump(to) | Op::JumpUnless(to) | Op::KeepIf(_, to) | Op::KeepIfThere(to)) =
            self.ops.get_mut(from)
        {
            *to = here;
        }
    }

    fn constant(&mut self, tree: &Tree, value: Value<'static>) {
        self.constants.push(value);
        let at = self.constants.len() - 1;
        self.step(tree, Op::Constant(at), 0, 1);
    }

    fn named(&mut self, tree: &Tree, name: &str, op: impl FnOnce(usize) -> Op) {
        self.names.push(name.to_string());
        let at = self.names.len() - 1;
        self.step(tree, op(at), 0, 1);
    }

    fn tree(&mut self, tree: &Tree) {
        if let Some(value) = constant(&tree.node) {
            return self.constant(tree, value);
        }
        match &tree.node {
            Node::Name(name) => self.named(tree, name, Op::Name),
            Node::Attribute(name) => self.named(tree, name, Op::Attribute),
            Node::Field(code) => self.named(tree, code, Op::Field),
            Node::Unary(unary, inner) => {
                self.tree(inner);
                let op = match unary {
                    Unary::Negative => Op::Negative,
                    Unary::Not => Op::Not,
                };
                self.step(tree, op, 1, 1);
            }
            Node::Binary(operator @ (Binary::And | Binary::Or), left, right) => {
                self.tree(left);
                let stops = *operator == Binary::Or;
                let jump = self.step(tree, Op::KeepIf(stops, 0), 1, 0);
                self.tree(right);
                self.step(tree, Op::Truth, 1, 1);
                self.land(jump);
            }
            Node::Binary(operator, left, right) => {
                self.tree(left);
                self.tree(right);
                self.step(tree, Op::Binary(*operator), 2, 1);
            }
            Node::In(value, list, negated) => {
                self.tree(value);
                self.lists
                    .push(list.iter().filter_map(|e| constant(&e.node)).collect());
                let at = self.lists.len() - 1;
                self.step(tree, Op::In(at, *negated), 1, 1);
            }
            Node::If(condition, then, otherwise) => {
                self.tree(condition);
                let unless = self.step(tree, Op::JumpUnless(0), 1, 0);
                self.tree(then);
                let done = self.step(tree, Op::Jump(0), 1, 0);
                self.land(unless);
                self.tree(otherwise);
                self.land(done);
            }
            Node::Call(Function::Coalesce, arguments) => {
                let mut jumps = Vec::new();
                for (n, argument) in arguments.iter().enumerate() {
                    self.tree(argument);
                    if n + 1 < arguments.len() {
                        jumps.push(self.step(tree, Op::KeepIfThere(0), 1, 0));
                    }
                }
                jumps.into_iter().for_each(|jump| self.land(jump));
            }
            Node::Call(function, arguments) => {
                for argument in arguments {
                    self.tree(argument);
                }
                let count = arguments.len();
                self.step(tree, Op::Call(*function, count), count, 1);
            }
            // All others are constants.
            _ => {}
        }
    }
}

/// The value of a node that is written out.
fn constant(node: &Node) -> Option<Value<'static>> {
    Some(match node {
        Node::Null => Value::Null,
        Node::Number(n) => Value::Number((*n).into()),
        Node::Text(t) => Value::Text(Cow::Owned(t.clone())),
        Node::Boolean(b) => Value::Boolean(*b),
        Node::Date(d) => Value::Date(*d),
        Node::Unary(Unary::Negative, inner) => match inner.node {
            Node::Number(n) => Value::Number(Exact::from(n).negated()),
            _ => return None,
        },
        _ => return None,
    })
}
