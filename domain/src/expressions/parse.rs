//! From tokens to a tree: one function per construct, binding strengths in [`Binary::strength`].

use super::tokens::{Token, tokens};
use super::tree::{Binary, COMPARISON, NEGATIVE, NOT, Node, Tree, Unary};
use super::{
    ARGUMENTS_MAX, DIGITS_MAX, Function, LIST_MAX, NESTING_MAX, NODES_MAX, Problem, RoundingMode,
};
use crate::kernel::calendar::parse_date;

/// Prefix of an attribute written as a name: `record.destination` is `attribute("destination")`.
const RECORD: &str = "record.";
/// Longest name, attribute or code, in bytes.
const NAME_MAX: usize = 120;
const KEYWORDS: [&str; 9] = [
    "if", "then", "else", "and", "or", "not", "in", "true", "false",
];

/// Reads a source; the first thing that cannot be read is the problem.
pub fn parse(source: &str) -> Result<Tree, Problem> {
    let mut reader = Reader {
        tokens: tokens(source)?,
        at: 0,
        nodes: 0,
        nesting: 0,
    };
    let tree = reader.expression(0)?;
    match reader.peek() {
        Token::End => Ok(tree),
        other => Err(reader.expected("an operator or the end", &other.shown())),
    }
}

struct Reader {
    tokens: Vec<(usize, Token)>,
    at: usize,
    nodes: usize,
    nesting: usize,
}

impl Reader {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(_, t)| t)
    }

    fn column(&self) -> usize {
        let last = self.tokens.last().map_or(1, |(column, _)| *column);
        self.tokens.get(self.at).map_or(last, |(column, _)| *column)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(w) if w == word)
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(s) if *s == sign)
    }

    fn expected(&self, what: &str, found: &str) -> Problem {
        Problem::at(self.column(), format!("{what} is expected, found {found}"))
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), Problem> {
        if !self.is_sign(sign) {
            return Err(self.expected(&format!("{sign:?}"), &self.peek().shown()));
        }
        self.at += 1;
        Ok(())
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Problem> {
        if !self.is_word(word) {
            return Err(self.expected(word, &self.peek().shown()));
        }
        self.at += 1;
        Ok(())
    }

    fn node(&mut self, column: usize, node: Node) -> Result<Tree, Problem> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Problem::at(
                column,
                format!("the expression has more than {NODES_MAX} parts"),
            ));
        }
        Ok(Tree::new(column, node))
    }

    /// Reads something one level deeper.
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return Err(Problem::at(
                self.column(),
                format!("the expression is nested more than {NESTING_MAX} deep"),
            ));
        }
        let out = read(self)?;
        self.nesting -= 1;
        Ok(out)
    }

    /// Everything that binds at least as strongly as `least`.
    fn expression(&mut self, least: u8) -> Result<Tree, Problem> {
        let mut left = self.operand(least)?;
        loop {
            let column = self.column();
            if let Some(negated) = self.list_operator() {
                if least > COMPARISON {
                    return Ok(left);
                }
                self.at += if negated { 2 } else { 1 };
                let list = self.list()?;
                left = self.node(column, Node::In(Box::new(left), list, negated))?;
                self.no_chain()?;
                continue;
            }
            let Some(operator) = self.operator()? else {
                return Ok(left);
            };
            let strength = operator.strength();
            if strength < least {
                return Ok(left);
            }
            self.at += 1;
            let right = self.expression(strength + 1)?;
            left = self.node(
                column,
                Node::Binary(operator, Box::new(left), Box::new(right)),
            )?;
            if strength == COMPARISON {
                self.no_chain()?;
            }
        }
    }

    /// `a < b < c` has no meaning here.
    fn no_chain(&self) -> Result<(), Problem> {
        let next = self.operator()?.map(Binary::strength);
        if next == Some(COMPARISON) || self.list_operator().is_some() {
            return Err(Problem::at(
                self.column(),
                "comparisons do not chain: write a < b and b < c, or put one into parentheses",
            ));
        }
        Ok(())
    }

    /// Whether `in` (false) or `not in` (true) follows.
    fn list_operator(&self) -> Option<bool> {
        let next = self.tokens.get(self.at + 1).map(|(_, t)| t);
        if self.is_word("in") {
            return Some(false);
        }
        let negated = self.is_word("not") && matches!(next, Some(Token::Word(w)) if w == "in");
        negated.then_some(true)
    }

    fn operator(&self) -> Result<Option<Binary>, Problem> {
        Ok(Some(match self.peek() {
            Token::Word(w) if w == "or" => Binary::Or,
            Token::Word(w) if w == "and" => Binary::And,
            Token::Sign("&&") => return Err(self.expected("and", "\"&&\"")),
            Token::Sign("||") => return Err(self.expected("or", "\"||\"")),
            Token::Sign("=") => Binary::Equal,
            Token::Sign("!=") => Binary::Unequal,
            Token::Sign("<") => Binary::Less,
            Token::Sign("<=") => Binary::AtMost,
            Token::Sign(">") => Binary::More,
            Token::Sign(">=") => Binary::AtLeast,
            Token::Sign("+") => Binary::Plus,
            Token::Sign("-") => Binary::Minus,
            Token::Sign("*") => Binary::Times,
            Token::Sign("/") => Binary::Over,
            _ => return Ok(None),
        }))
    }

    fn operand(&mut self, least: u8) -> Result<Tree, Problem> {
        let column = self.column();
        match self.take() {
            Token::Number(n) => self.node(column, Node::Number(n)),
            Token::Text(t) => self.node(column, Node::Text(t)),
            Token::Sign("-") => {
                let inner = self.nested(|r| r.operand(NEGATIVE))?;
                self.node(column, Node::Unary(Unary::Negative, Box::new(inner)))
            }
            Token::Sign("(") => {
                let inner = self.nested(|r| r.expression(0))?;
                self.expect_sign(")")?;
                Ok(inner)
            }
            Token::Word(w) if w == "not" => {
                alone(column, &w, least <= NOT)?;
                let inner = self.nested(|r| r.expression(NOT))?;
                self.node(column, Node::Unary(Unary::Not, Box::new(inner)))
            }
            Token::Word(w) if w == "if" => {
                alone(column, &w, least == 0)?;
                let condition = self.nested(|r| r.expression(0))?;
                self.expect_word("then")?;
                let then = self.nested(|r| r.expression(0))?;
                self.expect_word("else")?;
                let otherwise = self.nested(|r| r.expression(0))?;
                let parts = (Box::new(condition), Box::new(then), Box::new(otherwise));
                self.node(column, Node::If(parts.0, parts.1, parts.2))
            }
            Token::Word(w) if w == "true" => self.node(column, Node::Boolean(true)),
            Token::Word(w) if w == "false" => self.node(column, Node::Boolean(false)),
            Token::Word(w) if w == "null" => self.node(column, Node::Null),
            Token::Word(w) if KEYWORDS.contains(&w.as_str()) => Err(Problem::at(
                column,
                format!("a value is expected, found {w}"),
            )),
            Token::Word(w) if self.is_sign("(") => self.nested(|r| r.call(column, &w)),
            Token::Word(w) => {
                named(column, &w)?;
                match w.strip_prefix(RECORD) {
                    Some(attribute) => self.node(column, Node::Attribute(attribute.to_string())),
                    None => self.node(column, Node::Name(w)),
                }
            }
            other => Err(Problem::at(
                column,
                format!("a value is expected, found {}", other.shown()),
            )),
        }
    }

    /// A list of constants of one kind.
    fn list(&mut self) -> Result<Vec<Tree>, Problem> {
        self.expect_sign("[")?;
        let mut list = Vec::new();
        loop {
            let column = self.column();
            let entry = self.operand(NEGATIVE)?;
            let constant = match &entry.node {
                Node::Unary(Unary::Negative, inner) => matches!(inner.node, Node::Number(_)),
                node => matches!(
                    node,
                    Node::Number(_) | Node::Text(_) | Node::Boolean(_) | Node::Date(_)
                ),
            };
            if !constant {
                let message = "a list holds numbers, texts or dates that are written out";
                return Err(Problem::at(column, message));
            }
            if list.len() >= LIST_MAX {
                let message = format!("the list has more than {LIST_MAX} entries");
                return Err(Problem::at(column, message));
            }
            list.push(entry);
            if !self.is_sign(",") {
                self.expect_sign("]")?;
                return Ok(list);
            }
            self.at += 1;
        }
    }

    fn call(&mut self, column: usize, name: &str) -> Result<Tree, Problem> {
        self.expect_sign("(")?;
        let mut arguments = Vec::new();
        if !self.is_sign(")") {
            arguments.push(self.expression(0)?);
            while self.is_sign(",") {
                self.at += 1;
                if arguments.len() >= ARGUMENTS_MAX {
                    let message = format!("a call takes at most {ARGUMENTS_MAX} arguments");
                    return Err(Problem::at(column, message));
                }
                arguments.push(self.expression(0)?);
            }
        }
        self.expect_sign(")")?;
        if let ("attribute" | "field", [argument]) = (name, arguments.as_slice())
            && let Node::Text(text) = &argument.node
        {
            if text.is_empty() || text.len() > NAME_MAX {
                let message = format!("{name} takes a name of 1 to {NAME_MAX} bytes");
                return Err(Problem::at(argument.column, message));
            }
            let text = text.clone();
            return self.node(
                column,
                match name {
                    "field" => Node::Field(text),
                    _ => Node::Attribute(text),
                },
            );
        }
        if matches!(name, "attribute" | "field") {
            let message = format!("{name} takes one name, written out: {name}(\"name\")");
            return Err(Problem::at(column, message));
        }
        let Some((function, least, most)) = Function::named(name) else {
            let known: Vec<_> = Function::names().collect();
            let message = format!(
                "there is no function {name}; there are attribute, field, {}",
                known.join(", ")
            );
            return Err(Problem::at(column, message));
        };
        if arguments.len() < least || arguments.len() > most {
            let given = arguments.len();
            let takes = match (least, most) {
                (least, most) if least == most => format!("{least}"),
                (least, usize::MAX) => format!("at least {least}"),
                (least, most) => format!("{least} to {most}"),
            };
            let message = format!("{name} takes {takes} arguments, {given} are given");
            return Err(Problem::at(column, message));
        }
        match function {
            Function::Round(..) => self.round(column, arguments),
            Function::Date => self.date(column, arguments),
            _ => self.node(column, Node::Call(function, arguments)),
        }
    }

    /// Decimals and mode of `round` are constants: how far is rounded must be readable.
    fn round(&mut self, column: usize, mut arguments: Vec<Tree>) -> Result<Tree, Problem> {
        let mode = match arguments.get(2).map(|t| (t.column, &t.node)) {
            None => RoundingMode::default(),
            Some((_, Node::Text(name))) if RoundingMode::named(name).is_some() => {
                RoundingMode::named(name).unwrap_or_default()
            }
            Some((column, _)) => {
                return Err(Problem::at(
                    column,
                    "round goes \"half_away_from_zero\", \"half_even\", \"up\" or \"down\"",
                ));
            }
        };
        let digits = match arguments.get(1).map(|t| (t.column, &t.node)) {
            None => 0,
            Some((column, node)) => {
                let digits = match node {
                    Node::Number(n) => n.to_string().parse::<u32>().ok(),
                    _ => None,
                };
                digits.filter(|d| *d <= DIGITS_MAX).ok_or_else(|| {
                    let message = format!("round goes to 0 to {DIGITS_MAX} decimals, written out");
                    Problem::at(column, message)
                })?
            }
        };
        arguments.truncate(1);
        self.node(column, Node::Call(Function::Round(digits, mode), arguments))
    }

    /// `date` of a text that is written out is a constant.
    fn date(&mut self, column: usize, arguments: Vec<Tree>) -> Result<Tree, Problem> {
        if let Some((column, Node::Text(text))) = arguments.first().map(|t| (t.column, &t.node)) {
            let date = parse_date(text).map_err(|_| {
                let message = format!("{text:?} is not a date like 2027-01-31");
                Problem::at(column, message)
            })?;
            return self.node(column, Node::Date(date));
        }
        self.node(column, Node::Call(Function::Date, arguments))
    }
}

/// `not` and `if` reach as far to the right as they can, so they stand alone or in parentheses.
fn alone(column: usize, word: &str, is: bool) -> Result<(), Problem> {
    match is {
        true => Ok(()),
        false => Err(Problem::at(
            column,
            format!("{word} is put into parentheses here: ({word} …)"),
        )),
    }
}

/// Words between dots, each beginning with a letter or `_`.
fn named(column: usize, name: &str) -> Result<(), Problem> {
    let formed = name.split('.').all(|part| {
        part.bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
    });
    match formed && name.len() <= NAME_MAX {
        true => Ok(()),
        false => Err(Problem::at(
            column,
            format!("{name:?} is not a name like account.country of at most {NAME_MAX} bytes"),
        )),
    }
}
