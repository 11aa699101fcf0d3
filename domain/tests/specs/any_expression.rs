//! Random expressions: what is printed reads back, and the program comes to what a plain walk over the tree comes to.

use indelible_domain::expressions::{
    Binary, Expression, Function, Kind, Moment, Names, Node, RoundingMode, Schema, Tree, Unary,
    Value, parse,
};
use indelible_domain::kernel::{Date, Decimal, Exact};
use std::cmp::Ordering;

/// A seeded sequence (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).expect("31 bits") % n
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Names of every kind, some without a value.
struct Given(Vec<(&'static str, Value<'static>)>);

const NAMES: [(&str, Kind); 8] = [
    ("n", Kind::Number),
    ("gone", Kind::Number),
    ("t", Kind::Text),
    ("u", Kind::Text),
    ("b", Kind::Boolean),
    ("d", Kind::Date),
    ("at", Kind::Moment),
    ("sub.m", Kind::Number),
];

impl Names for Given {
    fn name(&self, name: &str) -> Option<Value<'_>> {
        self.0
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v.lend())
    }

    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "a b" => Value::text("12.5"),
            _ => Value::Null,
        })
    }

    fn field(&self, code: &str) -> Option<Value<'_>> {
        (code == "f").then(|| Value::text("gold"))
    }
}

fn day(n: usize) -> Date {
    let first = Date::from_ymd_opt(2024, 2, 27).expect("a date");
    first + chrono::TimeDelta::days(i64::try_from(n).expect("a few days"))
}

const NUMBERS: [&str; 10] = [
    "0",
    "1",
    "2",
    "3",
    "0.5",
    "0.05",
    "1.25",
    "100",
    "7",
    "9999999999999999999999999999",
];
const TEXTS: [&str; 7] = ["", "a", "Gold", "7.5", "2024-02-29", "ß\"\\\n'", "gold"];

fn given(dice: &mut Dice) -> Given {
    let text = |dice: &mut Dice| -> Value<'static> { Value::text(dice.one::<&str>(&TEXTS)) };
    let number = |dice: &mut Dice| Value::from(dice.one(&NUMBERS).parse::<Decimal>().expect("n"));
    Given(vec![
        ("n", number(dice)),
        ("gone", Value::Null),
        ("t", text(dice)),
        ("u", text(dice)),
        ("b", Value::Boolean(dice.below(2) == 0)),
        ("d", Value::Date(day(dice.below(800)))),
        (
            "at",
            Value::Moment(Moment {
                date: day(dice.below(800)),
                minute: u16::try_from(dice.below(1440)).expect("minutes"),
            }),
        ),
        ("sub.m", number(dice)),
    ])
}

fn schema() -> Schema {
    let named = NAMES
        .iter()
        .fold(Schema::default(), |s, (n, k)| s.with(*n, *k));
    named.with_attributes().with_field("f", Kind::Text)
}

fn tree(node: Node) -> Tree {
    Tree { column: 1, node }
}

/// A random tree, mostly of the wanted kind.
fn any(dice: &mut Dice, kind: Kind, depth: usize) -> Tree {
    // One part in forty is of another kind than it should be.
    let kinds = [
        Kind::Number,
        Kind::Text,
        Kind::Boolean,
        Kind::Date,
        Kind::Moment,
    ];
    let kind = if dice.below(40) == 0 {
        *dice.one(&kinds)
    } else {
        kind
    };
    if depth == 0 || dice.below(6) == 0 {
        return leaf(dice, kind);
    }
    let d = depth - 1;
    let boxed = |dice: &mut Dice, kind| Box::new(any(dice, kind, d));
    let many = |dice: &mut Dice, kind| {
        let n = 2 + dice.below(3);
        (0..n).map(|_| any(dice, kind, d)).collect::<Vec<_>>()
    };
    let node = match dice.below(8) {
        0 => Node::If(
            boxed(dice, Kind::Boolean),
            boxed(dice, kind),
            boxed(dice, kind),
        ),
        1 => Node::Call(Function::Coalesce, many(dice, kind)),
        _ => match kind {
            Kind::Number => match dice.below(7) {
                0 => Node::Unary(Unary::Negative, boxed(dice, kind)),
                1 => {
                    let modes = [
                        RoundingMode::HalfAwayFromZero,
                        RoundingMode::HalfEven,
                        RoundingMode::Up,
                        RoundingMode::Down,
                    ];
                    let digits = u32::try_from(dice.below(4)).expect("small");
                    let round = Function::Round(digits, *dice.one(&modes));
                    let one = [Function::Abs, Function::Floor, Function::Ceil, round];
                    Node::Call(*dice.one(&one), vec![any(dice, kind, d)])
                }
                2 => {
                    let of = [(Function::Min, Kind::Number), (Function::Max, Kind::Number)];
                    let (function, kind) = *dice.one(&of);
                    Node::Call(function, many(dice, kind))
                }
                3 => {
                    let of = [
                        (Function::Length, Kind::Text),
                        (Function::Number, Kind::Text),
                        (Function::Year, Kind::Date),
                        (Function::Month, Kind::Moment),
                        (Function::Day, Kind::Date),
                        (Function::Hour, Kind::Moment),
                        (Function::Minute, Kind::Moment),
                    ];
                    let (function, kind) = *dice.one(&of);
                    Node::Call(function, vec![any(dice, kind, d)])
                }
                4 => Node::Call(
                    Function::Mod,
                    vec![any(dice, Kind::Number, d), any(dice, Kind::Number, d)],
                ),
                _ => {
                    let of = [Binary::Plus, Binary::Minus, Binary::Times, Binary::Over];
                    Node::Binary(*dice.one(&of), boxed(dice, kind), boxed(dice, kind))
                }
            },
            Kind::Text => match dice.below(4) {
                0 => Node::Call(Function::Concat, many(dice, kind)),
                1 => Node::Call(
                    Function::Substring,
                    vec![
                        any(dice, kind, d),
                        any(dice, Kind::Number, 0),
                        any(dice, Kind::Number, 0),
                    ],
                ),
                2 => {
                    let of = [Function::Lower, Function::Upper, Function::Trim];
                    Node::Call(*dice.one(&of), vec![any(dice, kind, d)])
                }
                _ => {
                    let of = [
                        (Function::Text, Kind::Number),
                        (Function::Text, Kind::Moment),
                        (Function::Weekday, Kind::Date),
                    ];
                    let (function, kind) = *dice.one(&of);
                    Node::Call(function, vec![any(dice, kind, d)])
                }
            },
            Kind::Boolean => match dice.below(6) {
                0 => Node::Unary(Unary::Not, boxed(dice, kind)),
                1 => {
                    let of = [Kind::Number, Kind::Text, Kind::Date];
                    let kind = *dice.one(&of);
                    let list = (0..1 + dice.below(3))
                        .map(|_| constant(dice, kind))
                        .collect();
                    Node::In(boxed(dice, kind), list, dice.below(2) == 0)
                }
                2 => {
                    let of = [Function::StartsWith, Function::EndsWith, Function::Contains];
                    let of = *dice.one(&of);
                    Node::Call(of, vec![any(dice, Kind::Text, d), any(dice, Kind::Text, d)])
                }
                3 => {
                    let of = [Binary::And, Binary::Or];
                    Node::Binary(*dice.one(&of), boxed(dice, kind), boxed(dice, kind))
                }
                _ => {
                    let of = [
                        Binary::Equal,
                        Binary::Unequal,
                        Binary::Less,
                        Binary::AtMost,
                        Binary::More,
                        Binary::AtLeast,
                    ];
                    let kind = *dice.one(&kinds);
                    Node::Binary(*dice.one(&of), boxed(dice, kind), boxed(dice, kind))
                }
            },
            Kind::Date => match dice.below(3) {
                // Of a text that is written out it would be a constant.
                0 => Node::Call(Function::Date, vec![tree(Node::Name("at".to_string()))]),
                _ => {
                    let of = [Binary::Plus, Binary::Minus];
                    Node::Binary(*dice.one(&of), boxed(dice, kind), boxed(dice, Kind::Number))
                }
            },
            Kind::Moment => return leaf(dice, kind),
        },
    };
    tree(node)
}

fn constant(dice: &mut Dice, kind: Kind) -> Tree {
    tree(match kind {
        Kind::Number => {
            let n = Node::Number(dice.one(&NUMBERS).parse().expect("a number"));
            match dice.below(4) {
                0 => Node::Unary(Unary::Negative, Box::new(tree(n))),
                _ => n,
            }
        }
        Kind::Text => Node::Text((*dice.one(&TEXTS)).to_string()),
        Kind::Boolean => Node::Boolean(dice.below(2) == 0),
        Kind::Date | Kind::Moment => Node::Date(day(dice.below(800))),
    })
}

fn leaf(dice: &mut Dice, kind: Kind) -> Tree {
    if dice.below(30) == 0 {
        return tree(Node::Null);
    }
    if kind != Kind::Moment && dice.below(2) == 0 {
        return constant(dice, kind);
    }
    if kind == Kind::Text && dice.below(3) == 0 {
        return tree(match dice.below(3) {
            0 => Node::Field("f".to_string()),
            1 => Node::Attribute("a b".to_string()),
            _ => Node::Attribute("none".to_string()),
        });
    }
    let fit: Vec<_> = NAMES.iter().filter(|(_, k)| *k == kind).collect();
    tree(Node::Name(dice.one(&fit).0.to_string()))
}

/// What a plain walk over the tree comes to; none where there is no value.
fn walk(tree: &Tree, names: &Given) -> Option<Value<'static>> {
    Some(match &tree.node {
        Node::Null => Value::Null,
        Node::Number(n) => Value::from(*n),
        Node::Text(t) => Value::Text(t.clone().into()),
        Node::Boolean(b) => Value::Boolean(*b),
        Node::Date(d) => Value::Date(*d),
        Node::Name(name) => own(names.name(name)?),
        Node::Attribute(name) => own(names.attribute(name)?),
        Node::Field(code) => own(names.field(code)?),
        Node::Unary(Unary::Negative, a) => Value::Number(number(walk(a, names)?)?.negated()),
        Node::Unary(Unary::Not, a) => Value::Boolean(!truth(walk(a, names)?)?),
        Node::Binary(Binary::And, a, b) => {
            Value::Boolean(truth(walk(a, names)?)? && truth(walk(b, names)?)?)
        }
        Node::Binary(Binary::Or, a, b) => {
            Value::Boolean(truth(walk(a, names)?)? || truth(walk(b, names)?)?)
        }
        Node::Binary(operator, a, b) => apply(*operator, walk(a, names)?, walk(b, names)?)?,
        Node::In(a, list, negated) => {
            let value = walk(a, names)?;
            let mut found = false;
            for entry in list {
                if !found {
                    found = same(&value, &walk(entry, names)?)?;
                }
            }
            Value::Boolean(found != *negated)
        }
        Node::If(c, a, b) => match truth(walk(c, names)?)? {
            true => walk(a, names)?,
            false => walk(b, names)?,
        },
        Node::Call(Function::Coalesce, arguments) => {
            for argument in arguments {
                let value = walk(argument, names)?;
                if value != Value::Null {
                    return Some(value);
                }
            }
            Value::Null
        }
        Node::Call(function, arguments) => {
            let mut values = Vec::new();
            for argument in arguments {
                values.push(walk(argument, names)?);
            }
            of(*function, &values)?
        }
    })
}

fn own(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Text(t) => Value::Text(t.into_owned().into()),
        Value::Null => Value::Null,
        Value::Number(n) => Value::Number(n),
        Value::Boolean(b) => Value::Boolean(b),
        Value::Date(d) => Value::Date(d),
        Value::Moment(m) => Value::Moment(m),
    }
}

fn number(value: Value<'_>) -> Option<Exact> {
    match value {
        Value::Number(n) => Some(n),
        _ => None,
    }
}

fn truth(value: Value<'_>) -> Option<bool> {
    match value {
        Value::Boolean(b) => Some(b),
        _ => None,
    }
}

fn same(a: &Value<'_>, b: &Value<'_>) -> Option<bool> {
    let comparable = a.kind().is_none() || b.kind().is_none() || a.kind() == b.kind();
    comparable.then(|| a == b)
}

fn order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    Some(match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.chars().cmp(b.chars()),
        (Value::Date(a), Value::Date(b)) => a.signed_duration_since(*b).num_days().cmp(&0),
        (Value::Moment(a), Value::Moment(b)) => (a.date, a.minute).cmp(&(b.date, b.minute)),
        _ => return None,
    })
}

fn apply(operator: Binary, a: Value<'_>, b: Value<'_>) -> Option<Value<'static>> {
    let truth = match operator {
        Binary::Equal => same(&a, &b)?,
        Binary::Unequal => !same(&a, &b)?,
        Binary::Less => order(&a, &b)? == Ordering::Less,
        Binary::AtMost => order(&a, &b)? != Ordering::Greater,
        Binary::More => order(&a, &b)? == Ordering::Greater,
        Binary::AtLeast => order(&a, &b)? != Ordering::Less,
        _ => return calculate(operator, a, b),
    };
    Some(Value::Boolean(truth))
}

fn calculate(operator: Binary, a: Value<'_>, b: Value<'_>) -> Option<Value<'static>> {
    Some(match (a, b, operator) {
        (Value::Number(a), Value::Number(b), operator) => Value::Number(
            match operator {
                Binary::Plus => b.plus(a),
                Binary::Minus => b.negated().plus(a),
                Binary::Times => b.times(a),
                _ if b.is_zero() => return None,
                _ => a.times(Exact::ratio(b.denominator(), b.numerator()).ok()?),
            }
            .ok()?,
        ),
        (Value::Date(a), Value::Date(b), Binary::Minus) => Value::Number(Exact::from(i128::from(
            a.signed_duration_since(b).num_days(),
        ))),
        (Value::Date(a), Value::Number(b), Binary::Plus) => Value::Date(after(a, b)?),
        (Value::Date(a), Value::Number(b), Binary::Minus) => Value::Date(after(a, b.negated())?),
        _ => return None,
    })
}

fn after(date: Date, days: Exact) -> Option<Date> {
    let days: i64 = days
        .to_string()
        .parse()
        .ok()
        .filter(|_| days.denominator() == 1)?;
    date.checked_add_signed(chrono::TimeDelta::try_days(days)?)
}

/// Rounds by asking which of the two neighbours is nearer.
fn rounded(value: Exact, digits: u32, mode: RoundingMode) -> Option<Exact> {
    let scale = Exact::from(10_i128.pow(digits));
    let scaled = value.times(scale).ok()?;
    let above = scaled.ceil();
    if above == scaled {
        return Some(value);
    }
    let below = above.minus(Exact::from(1)).ok()?;
    let (away, toward) = match scaled.is_negative() {
        true => (below, above),
        false => (above, below),
    };
    let to_away = scaled.minus(away).ok()?;
    let to_toward = scaled.minus(toward).ok()?;
    let size = |n: Exact| n.max(n.negated());
    let chosen = match (mode, size(to_away).cmp(&size(to_toward))) {
        (RoundingMode::Up, _) => away,
        (RoundingMode::Down, _) | (_, Ordering::Greater) => toward,
        (_, Ordering::Less) | (RoundingMode::HalfAwayFromZero, _) => away,
        (RoundingMode::HalfEven, _) if away.numerator() % 2 == 0 => away,
        (RoundingMode::HalfEven, _) => toward,
    };
    chosen
        .times(Exact::ratio(1, 10_i128.pow(digits)).ok()?)
        .ok()
}

fn of(function: Function, values: &[Value<'static>]) -> Option<Value<'static>> {
    let n = |i: usize| number(values.get(i).cloned().unwrap_or_default());
    let t = |i: usize| match values.get(i) {
        Some(Value::Text(t)) => Some(t.to_string()),
        _ => None,
    };
    let day = || match values.first() {
        Some(Value::Date(d)) => Some(*d),
        Some(Value::Moment(m)) => Some(m.date),
        _ => None,
    };
    let shown = |format: &str| Some(day()?.format(format).to_string());
    let whole = |text: Option<String>| Some(Value::from(text?.trim().parse::<Decimal>().ok()?));
    let text = |text: String| (text.len() <= 4000).then(|| Value::Text(text.into()));
    match function {
        Function::Abs => n(0).map(|n| n.max(n.negated()).into()),
        Function::Ceil => Some(n(0)?.ceil().into()),
        Function::Floor => Some(n(0)?.negated().ceil().negated().into()),
        Function::Round(digits, mode) => rounded(n(0)?, digits, mode).map(Value::from),
        Function::Mod => {
            let (a, b) = (n(0)?, n(1)?);
            let whole = match b.is_zero() {
                true => return None,
                false => a.times(Exact::ratio(b.denominator(), b.numerator()).ok()?),
            };
            let whole = whole.ok()?.negated().ceil().negated();
            Some(a.minus(whole.times(b).ok()?).ok()?.into())
        }
        Function::Min | Function::Max => {
            let mut sorted = values.to_vec();
            let kind = sorted.first()?.kind()?;
            let fits = matches!(kind, Kind::Number | Kind::Date);
            if !fits || sorted.iter().any(|v| v.kind() != Some(kind)) {
                return None;
            }
            sorted.sort_by(|a, b| order(a, b).expect("one kind"));
            match function {
                Function::Min => sorted.first().cloned(),
                _ => sorted.last().cloned(),
            }
        }
        Function::StartsWith => Some(t(0)?.starts_with(&t(1)?).into()),
        Function::EndsWith => Some(t(0)?.ends_with(&t(1)?).into()),
        Function::Contains => Some(t(0)?.contains(&t(1)?).into()),
        Function::Length => whole(Some(t(0)?.chars().count().to_string())),
        Function::Lower => text(t(0)?.to_lowercase()),
        Function::Upper => text(t(0)?.to_uppercase()),
        Function::Trim => text(t(0)?.trim().to_string()),
        Function::Concat => {
            let mut out = String::new();
            for i in 0..values.len() {
                out += &t(i)?;
            }
            text(out)
        }
        Function::Substring => {
            let (chars, from, count) = (t(0)?, n(1)?, n(2)?);
            let place = |n: Exact| {
                let whole = n.denominator() == 1 && !n.is_negative();
                whole.then(|| usize::try_from(n.numerator()).ok())?
            };
            let (from, count) = (place(from).filter(|f| *f > 0)?, place(count)?);
            text(chars.chars().skip(from - 1).take(count).collect())
        }
        Function::Text => match values.first()? {
            Value::Null => None,
            Value::Text(t) => text(t.to_string()),
            other => text(other.to_string()),
        },
        Function::Number => match values.first()? {
            Value::Number(n) => Some((*n).into()),
            _ => whole(t(0)),
        },
        Function::Date => match values.first()? {
            Value::Text(t) => t.parse().ok().map(Value::Date),
            _ => day().map(Value::Date),
        },
        Function::Year => whole(shown("%Y")),
        Function::Month => whole(shown("%m")),
        Function::Day => whole(shown("%d")),
        Function::Weekday => text(shown("%a")?.to_lowercase()),
        Function::Hour | Function::Minute => match values.first()? {
            Value::Moment(m) if function == Function::Hour => {
                whole(Some((m.minute / 60).to_string()))
            }
            Value::Moment(m) => whole(Some((m.minute % 60).to_string())),
            _ => None,
        },
        Function::Coalesce => None,
    }
}

#[test]
fn a_program_comes_to_what_a_walk_over_the_tree_comes_to_and_what_is_printed_reads_back() {
    let (mut valued, mut refused, mut clean) = (0, 0, 0);
    for seed in 0..6_000 {
        let mut dice = Dice::new(seed);
        let kinds = [
            Kind::Number,
            Kind::Number,
            Kind::Text,
            Kind::Boolean,
            Kind::Date,
        ];
        let kind = *dice.one(&kinds);
        let tree = any(&mut dice, kind, 4);
        let source = tree.to_string();
        let back = match parse(&source) {
            Ok(back) => back,
            // Random trees may be larger than an expression may be.
            Err(problem) => {
                let limits = ["bytes", "parts", "nested"];
                let limited = limits.iter().any(|l| problem.message.contains(l));
                assert!(limited, "seed {seed}: {source}: {problem}");
                continue;
            }
        };
        assert_eq!(back, tree, "seed {seed}: {source}");
        assert_eq!(back.to_string(), source, "seed {seed}");
        let expression = Expression::new(&*source);
        let checked = expression.check(&schema(), kind).is_empty();
        for _ in 0..3 {
            let names = given(&mut dice);
            let found = expression.eval(&names);
            match (&found, walk(&tree, &names)) {
                (Ok(found), Some(expected)) => {
                    assert_eq!(*found, expected, "seed {seed}: {source}");
                    valued += 1;
                }
                (Err(failure), None) => {
                    // What is checked fails over values, never over kinds.
                    let kinds = ["EXPRESSION_VALUE_KIND", "EXPRESSION_NAME_UNKNOWN"];
                    let by_kind = kinds.contains(&failure.code);
                    assert!(!(checked && by_kind), "seed {seed}: {failure}");
                    refused += 1;
                }
                (found, expected) => {
                    panic!("seed {seed}: {source} came to {found:?}, the walk to {expected:?}")
                }
            }
            if checked && let Ok(value) = found {
                assert!(
                    value.kind().is_none_or(|k| k == kind),
                    "seed {seed}: {source}"
                );
                clean += 1;
            }
        }
    }
    assert!(
        valued > 4_000 && refused > 1_000 && clean > 2_000,
        "too little was tried: {valued} values, {refused} refusals, {clean} of them checked"
    );
}
