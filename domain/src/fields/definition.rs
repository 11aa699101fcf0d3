//! Which custom fields there are. One list per tenant.

use super::{Carrier, FieldValue, TEXT_MAX};
use crate::events;
use crate::expressions::{Kind, Schema};
use crate::kernel::{Decider, Id, Rejection, check_id};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Stream of the definitions.
pub const MAIN: &str = "main";
/// Most fields of a tenant.
pub const FIELDS_MAX: usize = 500;
/// Longest code of a field, in bytes.
pub const CODE_MAX: usize = 60;
/// Most values that a field can be limited to.
pub const ALLOWED_MAX: usize = 200;

/// What sort of value a field takes.
///
/// Stored in events: new ones are added at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    #[default]
    Text,
    Number,
    Date,
    Boolean,
    /// One text out of a list.
    Choice,
}

impl FieldKind {
    /// What it is in an expression.
    pub fn kind(self) -> Kind {
        match self {
            FieldKind::Text | FieldKind::Choice => Kind::Text,
            FieldKind::Number => Kind::Number,
            FieldKind::Date => Kind::Date,
            FieldKind::Boolean => Kind::Boolean,
        }
    }
}

/// Whether values of a parent hold for what hangs on it.
///
/// Stored in events: new ones are added at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inheritance {
    /// Only where they were set.
    None,
    /// Everywhere below, unless something nearer has a value.
    #[default]
    Nearest,
}

/// What a value may be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Allowed {
    /// Only these, if there are any. A choice has at least one.
    pub values: Vec<FieldValue>,
}

/// A custom field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    pub code: String,
    pub name: String,
    /// What it can be of.
    pub of: BTreeSet<Carrier>,
    pub kind: FieldKind,
    pub inheritance: Inheritance,
    /// A subscription can only start where it has a value.
    pub required: bool,
    /// What it is where no value was set.
    pub default: Option<FieldValue>,
    pub allowed: Allowed,
    /// Sealed before it is kept, and not there for expressions.
    pub personal: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Definitions {
    pub fields: BTreeMap<String, Definition>,
}

/// A field is there from now on, or has other words, limits or defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Defined {
    pub definition: Definition,
}

/// A field is there no more; its values stay in the log, and no expression reads them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    pub code: String,
}

events! {
    /// What happens to the list of custom fields.
    pub enum Event in "field" {
        Defined = "defined" 1,
        Withdrawn = "withdrawn" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Define(Definition),
    /// `used`: where the field is still read, such as `offer mobile, charge roaming`.
    Withdraw {
        code: String,
        used: Vec<Id>,
    },
}

impl Decider for Definitions {
    type State = Definitions;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Definitions, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Define(definition) => define(state, definition),
            Command::Withdraw { code, .. } if !state.fields.contains_key(&code) => {
                Err(unknown(&code))
            }
            Command::Withdraw { code, used } if !used.is_empty() => Err(Rejection::new(
                "FIELD_IN_USE",
                format!("custom field {code:?} is read by {}", used.join("; ")),
            )),
            Command::Withdraw { code, .. } => Ok(vec![Withdrawn { code }.into()]),
        }
    }

    fn evolve(state: &mut Definitions, event: &Event) {
        match event {
            Event::Defined(e) => {
                let (code, definition) = (e.definition.code.clone(), e.definition.clone());
                state.fields.insert(code, definition);
            }
            Event::Withdrawn(e) => {
                state.fields.remove(&e.code);
            }
        }
    }
}

impl Definitions {
    /// A field that must be there.
    pub fn get(&self, code: &str) -> Result<&Definition, Rejection> {
        self.fields.get(code).ok_or_else(|| unknown(code))
    }
}

impl Definition {
    /// Refuses a value that the field does not take.
    pub fn takes(&self, value: &FieldValue) -> Result<(), Rejection> {
        let code = &self.code;
        let wrong = |message: String| Err(Rejection::new("FIELD_VALUE_INVALID", message));
        let fits = match value {
            FieldValue::Sealed(_) => return self.takes_sealed(),
            _ if self.personal => {
                return Err(Rejection::new(
                    "FIELD_PERSONAL",
                    format!(
                        "custom field {code:?} is personal: its values are sealed before they are kept"
                    ),
                ));
            }
            FieldValue::Text(text) if text.is_empty() || text.len() > TEXT_MAX => {
                let bytes = text.len();
                return wrong(format!(
                    "custom field {code:?} takes a text of 1 to {TEXT_MAX} bytes, {bytes} were given"
                ));
            }
            FieldValue::Text(_) => self.kind.kind() == Kind::Text,
            FieldValue::Number(_) => self.kind == FieldKind::Number,
            FieldValue::Date(_) => self.kind == FieldKind::Date,
            FieldValue::Boolean(_) => self.kind == FieldKind::Boolean,
        };
        if !fits {
            let kind = self.kind.kind();
            return wrong(format!("custom field {code:?} takes {kind}, not {value:?}"));
        }
        let allowed = &self.allowed.values;
        if !allowed.is_empty() && !allowed.contains(value) {
            let known: Vec<_> = allowed.iter().map(ToString::to_string).collect();
            return wrong(format!(
                "custom field {code:?} takes one of {}, not {value}",
                known.join(", ")
            ));
        }
        Ok(())
    }

    fn takes_sealed(&self) -> Result<(), Rejection> {
        match self.personal {
            true => Ok(()),
            false => Err(Rejection::new(
                "FIELD_VALUE_INVALID",
                format!(
                    "custom field {:?} is not personal: its values are not sealed",
                    self.code
                ),
            )),
        }
    }
}

fn unknown(code: &str) -> Rejection {
    Rejection::new(
        "FIELD_UNKNOWN",
        format!("there is no custom field {code:?}"),
    )
}

fn define(state: &Definitions, definition: Definition) -> Result<Vec<Event>, Rejection> {
    let known = state.fields.get(&definition.code);
    if known == Some(&definition) {
        return Ok(vec![]);
    }
    check(&definition)?;
    let code = &definition.code;
    if known.is_none() && state.fields.len() >= FIELDS_MAX {
        return Err(invalid(code, format!("there are {FIELDS_MAX} already")));
    }
    if let Some(known) = known {
        // Offers were checked against the kind, and values were kept under it.
        let same = known.kind == definition.kind && known.personal == definition.personal;
        if !same || !known.of.is_subset(&definition.of) {
            return Err(Rejection::new(
                "FIELD_FIXED",
                format!(
                    "custom field {code:?} keeps its kind, what it is of, and whether it is personal: define another one"
                ),
            ));
        }
    }
    Ok(vec![Defined { definition }.into()])
}

fn invalid(code: &str, why: impl std::fmt::Display) -> Rejection {
    Rejection::new("FIELD_INVALID", format!("custom field {code:?}: {why}"))
}

fn check(definition: &Definition) -> Result<(), Rejection> {
    let code = &definition.code;
    check_id("custom field", code)?;
    if code.len() > CODE_MAX {
        return Err(invalid(
            code,
            format!("a code has at most {CODE_MAX} bytes"),
        ));
    }
    if definition.name.trim().is_empty() || definition.name.len() > TEXT_MAX {
        return Err(invalid(code, format!("a name has 1 to {TEXT_MAX} bytes")));
    }
    if definition.of.is_empty() {
        return Err(invalid(code, "say what it is of"));
    }
    let allowed = &definition.allowed.values;
    if definition.kind == FieldKind::Choice && allowed.is_empty() {
        return Err(invalid(code, "a choice needs something to choose from"));
    }
    if allowed.len() > ALLOWED_MAX {
        return Err(invalid(
            code,
            format!("at most {ALLOWED_MAX} values can be listed"),
        ));
    }
    if definition.personal {
        let people = [Carrier::Account, Carrier::Subscription];
        if definition.kind != FieldKind::Text || !allowed.is_empty() || definition.default.is_some()
        {
            return Err(invalid(
                code,
                "what is personal is a text, without defaults and lists",
            ));
        }
        // Keys belong to accounts; an offer or a seller is nobody's personal data.
        if definition
            .of
            .iter()
            .any(|carrier| !people.contains(carrier))
        {
            return Err(invalid(
                code,
                "only accounts and subscriptions have personal data",
            ));
        }
    }
    allowed
        .iter()
        .chain(&definition.default)
        .try_for_each(|value| definition.takes(value))
}

/// A schema with every custom field that an expression can read.
pub fn schema(definitions: Option<&Definitions>, schema: Schema) -> Schema {
    let fields = definitions.into_iter().flat_map(|d| d.fields.values());
    fields.filter(|f| !f.personal).fold(schema, |schema, f| {
        schema.with_field(&*f.code, f.kind.kind())
    })
}
