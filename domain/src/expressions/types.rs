//! Which kind each part of an expression has, told before anything is sold.

use super::schema::Schema;
use super::tree::{Binary, Node, Tree, Unary};
use super::value::Kind;
use super::{Function, Problem};
use std::fmt;

/// What is known of a part's value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sort {
    Of(Kind),
    /// Always nothing.
    Null,
    /// Not known, because of a problem that was told already.
    Any,
}

impl Sort {
    fn may_be(self, kind: Kind) -> bool {
        matches!(self, Sort::Any) || self == Sort::Of(kind)
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sort::Of(kind) => kind.fmt(f),
            Sort::Null => f.write_str("nothing"),
            Sort::Any => f.write_str("something"),
        }
    }
}

/// Every problem of a tree, in the order of the source.
pub(super) fn check(tree: &Tree, schema: &Schema, wanted: Kind) -> Vec<Problem> {
    let mut checker = Checker {
        schema,
        problems: Vec::new(),
    };
    let sort = checker.sort(tree);
    if !sort.may_be(wanted) {
        checker.add(tree, format!("it comes to {sort}, {wanted} is needed"));
    }
    checker.problems.sort_by_key(|p| p.column);
    checker.problems
}

struct Checker<'s> {
    schema: &'s Schema,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn add(&mut self, tree: &Tree, message: impl Into<String>) {
        self.problems.push(Problem::at(tree.column, message));
    }

    /// Says so where a part is of another kind than it must be.
    fn need(&mut self, tree: &Tree, kinds: &[Kind], of: &str) -> Sort {
        let sort = self.sort(tree);
        if kinds.iter().any(|k| sort.may_be(*k)) {
            return sort;
        }
        let kinds: Vec<String> = kinds.iter().map(Kind::to_string).collect();
        self.add(
            tree,
            format!("{of} takes {}, not {sort}", kinds.join(" or ")),
        );
        Sort::Any
    }

    /// Says so where two parts that must be of one kind are not; what is nothing goes with everything.
    fn same(&mut self, tree: &Tree, a: Sort, b: Sort, of: &str) -> Sort {
        match (a, b) {
            (Sort::Any, other) | (other, Sort::Any) => match other {
                Sort::Null => Sort::Any,
                other => other,
            },
            (Sort::Null, other) | (other, Sort::Null) => other,
            (a, b) if a == b => a,
            (a, b) => {
                self.add(tree, format!("{of} {a} and {b}, which are not of one kind"));
                Sort::Any
            }
        }
    }

    fn sort(&mut self, tree: &Tree) -> Sort {
        match &tree.node {
            Node::Null => Sort::Null,
            Node::Number(_) => Sort::Of(Kind::Number),
            Node::Text(_) => Sort::Of(Kind::Text),
            Node::Boolean(_) => Sort::Of(Kind::Boolean),
            Node::Date(_) => Sort::Of(Kind::Date),
            Node::Name(name) => {
                let names: Vec<_> = self.schema.names().map(|(name, _)| name).collect();
                let known = known("names", &names);
                let found = self.schema.name(name);
                self.found(tree, found, || {
                    format!("there is no name {name} here {known}")
                })
            }
            Node::Attribute(name) => {
                let found = self.schema.has_attributes().then_some(Kind::Text);
                let told = || format!("there is no record here that could have {name:?}");
                self.found(tree, found, told)
            }
            Node::Field(code) => {
                let fields: Vec<_> = self.schema.fields().map(|(code, _)| code).collect();
                let known = known("custom fields", &fields);
                let found = self.schema.field(code);
                self.found(tree, found, || {
                    format!("there is no custom field {code:?} here {known}")
                })
            }
            Node::Unary(Unary::Negative, inner) => {
                self.need(inner, &[Kind::Number], "the sign");
                Sort::Of(Kind::Number)
            }
            Node::Unary(Unary::Not, inner) => {
                self.need(inner, &[Kind::Boolean], "not");
                Sort::Of(Kind::Boolean)
            }
            Node::Binary(operator, left, right) => self.binary(tree, *operator, left, right),
            Node::In(value, list, _) => {
                let sort = self.sort(value);
                for entry in list {
                    let other = self.sort(entry);
                    self.same(entry, sort, other, "in looks for");
                }
                Sort::Of(Kind::Boolean)
            }
            Node::If(condition, then, otherwise) => {
                self.need(condition, &[Kind::Boolean], "if");
                let (a, b) = (self.sort(then), self.sort(otherwise));
                self.same(tree, a, b, "if comes to")
            }
            Node::Call(function, arguments) => self.call(tree, *function, arguments),
        }
    }

    fn found(&mut self, tree: &Tree, kind: Option<Kind>, told: impl FnOnce() -> String) -> Sort {
        match kind {
            Some(kind) => Sort::Of(kind),
            None => {
                self.add(tree, told());
                Sort::Any
            }
        }
    }

    fn binary(&mut self, tree: &Tree, operator: Binary, left: &Tree, right: &Tree) -> Sort {
        use Kind::{Boolean, Date, Moment, Number, Text};
        let sign = operator.sign();
        match operator {
            Binary::Or | Binary::And => {
                self.need(left, &[Boolean], sign);
                self.need(right, &[Boolean], sign);
                Sort::Of(Boolean)
            }
            Binary::Equal | Binary::Unequal => {
                let (a, b) = (self.sort(left), self.sort(right));
                self.same(tree, a, b, &format!("{sign} compares"));
                Sort::Of(Boolean)
            }
            Binary::Less | Binary::AtMost | Binary::More | Binary::AtLeast => {
                let ordered = [Number, Text, Date, Moment];
                let a = self.need(left, &ordered, sign);
                let b = self.need(right, &ordered, sign);
                self.same(tree, a, b, &format!("{sign} compares"));
                Sort::Of(Boolean)
            }
            Binary::Times | Binary::Over => {
                self.need(left, &[Number], sign);
                self.need(right, &[Number], sign);
                let zero = matches!(&right.node, Node::Number(n) if n.is_zero());
                if operator == Binary::Over && zero {
                    self.add(right, "nothing can be divided by zero");
                }
                Sort::Of(Number)
            }
            Binary::Plus => {
                let a = self.need(left, &[Number, Date], sign);
                self.need(right, &[Number], sign);
                a
            }
            Binary::Minus => {
                let a = self.need(left, &[Number, Date], sign);
                let taken: &[Kind] = match a {
                    Sort::Of(Date) | Sort::Any => &[Number, Date],
                    _ => &[Number],
                };
                let b = self.need(right, taken, sign);
                match (a, b) {
                    (Sort::Of(Date), Sort::Of(Date)) => Sort::Of(Number),
                    (Sort::Of(Date), Sort::Any) => Sort::Any,
                    (a, _) => a,
                }
            }
        }
    }

    fn call(&mut self, tree: &Tree, function: Function, arguments: &[Tree]) -> Sort {
        use Kind::{Boolean, Date, Moment, Number, Text};
        let name = function.name();
        let mut all = |kinds: &[Kind]| {
            for argument in arguments {
                self.need(argument, kinds, name);
            }
        };
        Sort::Of(match function {
            Function::Abs
            | Function::Ceil
            | Function::Floor
            | Function::Mod
            | Function::Round(..) => {
                all(&[Number]);
                Number
            }
            Function::StartsWith | Function::EndsWith | Function::Contains => {
                all(&[Text]);
                Boolean
            }
            Function::Lower | Function::Upper | Function::Trim | Function::Concat => {
                all(&[Text]);
                Text
            }
            Function::Length => {
                all(&[Text]);
                Number
            }
            Function::Substring => {
                for (n, argument) in arguments.iter().enumerate() {
                    self.need(argument, &[if n == 0 { Text } else { Number }], name);
                }
                Text
            }
            Function::Number => {
                all(&[Text, Number]);
                Number
            }
            Function::Text => {
                all(&[Number, Text, Boolean, Date, Moment]);
                Text
            }
            Function::Date => {
                all(&[Moment, Date, Text]);
                Date
            }
            Function::Year | Function::Month | Function::Day => {
                all(&[Date, Moment]);
                Number
            }
            Function::Weekday => {
                all(&[Date, Moment]);
                Text
            }
            Function::Hour | Function::Minute => {
                all(&[Moment]);
                Number
            }
            Function::Min | Function::Max => {
                let mut sort = Sort::Any;
                for argument in arguments {
                    let next = self.need(argument, &[Number, Date], name);
                    sort = self.same(argument, sort, next, &format!("{name} compares"));
                }
                return sort;
            }
            Function::Coalesce => {
                let mut sort = Sort::Null;
                for argument in arguments {
                    let next = self.sort(argument);
                    sort = self.same(argument, sort, next, "coalesce chooses between");
                }
                if sort == Sort::Null {
                    self.add(tree, "coalesce has nothing to choose from");
                    return Sort::Any;
                }
                return sort;
            }
        })
    }
}

/// What a message offers instead of a name that is not there.
fn known(what: &str, names: &[&str]) -> String {
    match names {
        [] => format!("(there are no {what})"),
        names => format!("(there are {})", names.join(", ")),
    }
}
