//! Custom fields: which there are, what they say, and the expressions that read them.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::Command;
use indelible_domain::expressions::{Expression, Kind, Schema};
use indelible_domain::fields::{
    self, Carrier, Definition, FieldKind, FieldValue, Look, Period, Place, Subject,
};
use indelible_domain::kernel;
use indelible_domain::kernel::Purpose;
use indelible_domain::rating::names;
use indelible_domain::world::Tenant;

use super::books::Books;
use super::desk::{self, Receipt};
use super::errors;
use super::ids;
use super::scalars::Date;
use crate::auth::Scope;

/// What a custom field can be of.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Carrier")]
pub enum CustomFieldCarrier {
    LegalEntity,
    Account,
    Subscription,
    Offer,
    /// A charge of an offer; its id is `offer/charge`.
    Charge,
}

#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "FieldKind")]
pub enum CustomFieldType {
    Text,
    /// A decimal number.
    Number,
    /// A calendar day, such as `2027-01-31`.
    Date,
    /// `true` or `false`.
    Boolean,
    /// One text out of a list.
    Choice,
}

#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "fields::Inheritance")]
pub enum CustomFieldInheritance {
    /// A value holds only where it was set.
    None,
    /// A value holds for everything below that has none of its own.
    Nearest,
}

/// A field that the business defined for itself.
pub struct CustomField(Definition);

#[Object]
impl CustomField {
    /// What expressions call it: `field("code")`.
    async fn code(&self) -> &str {
        &self.0.code
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn of(&self) -> Vec<CustomFieldCarrier> {
        self.0.of.iter().map(|of| (*of).into()).collect()
    }

    #[graphql(name = "type")]
    async fn kind(&self) -> CustomFieldType {
        self.0.kind.into()
    }

    async fn inheritance(&self) -> CustomFieldInheritance {
        self.0.inheritance.into()
    }

    /// A subscription can only start where it has a value.
    async fn required(&self) -> bool {
        self.0.required
    }

    /// What it is where no value was set.
    async fn default(&self) -> Option<String> {
        self.0.default.as_ref().map(ToString::to_string)
    }

    /// The only values it takes; empty: any of its type.
    async fn allowed(&self) -> Vec<String> {
        let values = self.0.allowed.values.iter();
        values.map(ToString::to_string).collect()
    }

    /// Sealed before it is kept, gone when its account is forgotten, and not there for expressions.
    async fn personal(&self) -> bool {
        self.0.personal
    }
}

/// What a custom field says of something on a day.
#[derive(SimpleObject)]
pub struct CustomFieldValue {
    field: CustomField,
    /// As text, whatever its type; none: no value, or it was forgotten.
    value: Option<String>,
    /// What it was set for, such as `account/alice`; none: it is the default, or there is no value.
    set_for: Option<String>,
    from: Option<Date>,
    /// Exclusive.
    until: Option<Date>,
    priority: Option<i32>,
}

/// One value that was set, with its days.
#[derive(SimpleObject)]
pub struct CustomFieldPeriod {
    field: String,
    /// None: it was forgotten.
    value: Option<String>,
    from: Option<Date>,
    /// Exclusive.
    until: Option<Date>,
    priority: i32,
}

/// What every field that something can have says of it on a day, inherited values and defaults included; in the order
/// of the codes. None: today in the zone of its account, or UTC.
pub fn values(
    ctx: &Context<'_>,
    carrier: Carrier,
    id: &str,
    on: Option<Date>,
) -> Result<Vec<CustomFieldValue>> {
    let books = Books::of(ctx)?;
    let place = Place::new(carrier, id);
    let now = books.now();
    let found = books.live(|tenant| {
        let look = &tenant.tables;
        let subject = Subject::of(look, &place);
        let zone = subject.account.and_then(|a| look.account(a));
        let zone = zone.map(|a| a.zone.clone()).unwrap_or_default();
        let day = on.map_or_else(|| zone.date(now), |on| on.0);
        let definitions = look
            .definitions()
            .into_iter()
            .flat_map(|d| d.fields.values());
        definitions
            .filter(|definition| definition.of.contains(&place.carrier))
            .map(|definition| {
                let found = fields::find(look, definition, subject, day);
                let (value, place, period) = found.map_or((None, None, None), |f| {
                    (Some(f.value.clone()), f.place, f.period.cloned())
                });
                (definition.clone(), value, place, period)
            })
            .collect::<Vec<_>>()
    });
    found
        .into_iter()
        .map(|(definition, value, place, period)| {
            Ok(CustomFieldValue {
                field: CustomField(definition),
                value: shown(&books, value)?,
                set_for: place.map(|place| place.stream()),
                from: period.as_ref().and_then(|p| p.from).map(Date),
                until: period.as_ref().and_then(|p| p.until).map(Date),
                priority: period.map(|p| p.priority),
            })
        })
        .collect()
}

fn shown(books: &Books, value: Option<FieldValue>) -> Result<Option<String>> {
    match value {
        None => Ok(None),
        Some(FieldValue::Sealed(sealed)) => books.unseal_text(&sealed),
        Some(value) => Ok(Some(value.to_string())),
    }
}

/// Where an expression stands, and so what it can read.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ExpressionUse {
    /// A record of usage under a contract: filters, quantities, prices of records.
    Usage,
    /// A contract: whether it can be had, what a period of it costs.
    Contract,
}

impl ExpressionUse {
    fn schema(self, tenant: &Tenant) -> Schema {
        let definitions = tenant.tables.definitions();
        match self {
            ExpressionUse::Usage => names::usage_schema(definitions),
            ExpressionUse::Contract => names::contract_schema(definitions),
        }
    }
}

#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Kind")]
pub enum ExpressionKind {
    Number,
    Text,
    Boolean,
    Date,
    /// A local day and time of day.
    Moment,
}

/// A name that an expression can read.
#[derive(SimpleObject)]
pub struct ExpressionName {
    /// As it is written, such as `account.country` or `field("segment")`.
    name: String,
    kind: ExpressionKind,
}

/// Something wrong with an expression.
#[derive(SimpleObject)]
pub struct ExpressionProblem {
    /// Character of the expression, from 1.
    column: usize,
    message: String,
}

#[derive(Default)]
pub struct CustomFieldQueries;

#[Object]
impl CustomFieldQueries {
    /// Every custom field there is, in the order of the codes.
    async fn custom_field_definitions(&self, ctx: &Context<'_>) -> Result<Vec<CustomField>> {
        let books = Books::of(ctx)?;
        Ok(books.live(|tenant| {
            let definitions = tenant.tables.definitions().into_iter();
            let fields = definitions.flat_map(|d| d.fields.values().cloned());
            fields.map(CustomField).collect()
        }))
    }

    /// What every custom field that something can have says of it on a day, inherited values and defaults included.
    /// Without a day: today.
    async fn custom_fields(
        &self,
        ctx: &Context<'_>,
        of: CustomFieldCarrier,
        id: String,
        on: Option<Date>,
    ) -> Result<Vec<CustomFieldValue>> {
        let place = place(of, &id);
        values(ctx, place.carrier, &place.id, on)
    }

    /// Every value that was set for something itself and not taken back, in the order they were set.
    async fn custom_field_periods(
        &self,
        ctx: &Context<'_>,
        of: CustomFieldCarrier,
        id: String,
    ) -> Result<Vec<CustomFieldPeriod>> {
        let books = Books::of(ctx)?;
        let held = books.find::<fields::Held>(&place(of, &id).stream());
        let periods = held.iter().flat_map(|held| &held.state.fields);
        periods
            .flat_map(|(field, periods)| periods.iter().map(move |period| (field, period)))
            .map(|(field, period)| {
                Ok(CustomFieldPeriod {
                    field: field.clone(),
                    value: shown(&books, Some(period.value.clone()))?,
                    from: period.from.map(Date),
                    until: period.until.map(Date),
                    priority: period.priority,
                })
            })
            .collect()
    }

    /// What is wrong with an expression that would stand in a catalog; nothing is written. Empty: it can be published.
    async fn check_expression(
        &self,
        ctx: &Context<'_>,
        expression: String,
        #[graphql(name = "for")] used: ExpressionUse,
        kind: ExpressionKind,
    ) -> Result<Vec<ExpressionProblem>> {
        let schema = Books::of(ctx)?.live(|tenant| used.schema(tenant));
        let problems = Expression::new(expression).check(&schema, kind.into());
        Ok(problems
            .into_iter()
            .map(|problem| ExpressionProblem {
                column: problem.column,
                message: problem.message,
            })
            .collect())
    }

    /// Every name and custom field that an expression can read there. Attributes of records are
    /// `attribute("name")`, whatever their source delivers.
    async fn expression_names(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "for")] used: ExpressionUse,
    ) -> Result<Vec<ExpressionName>> {
        let schema = Books::of(ctx)?.live(|tenant| used.schema(tenant));
        let plain = schema.names().map(|(name, kind)| (name.to_owned(), kind));
        let fields = schema
            .fields()
            .map(|(code, kind)| (format!("field({code:?})"), kind));
        Ok(plain
            .chain(fields)
            .map(|(name, kind)| ExpressionName {
                name,
                kind: kind.into(),
            })
            .collect())
    }
}

#[derive(InputObject)]
pub struct CustomFieldInput {
    code: String,
    name: String,
    of: Vec<CustomFieldCarrier>,
    #[graphql(name = "type", default_with = "CustomFieldType::Text")]
    kind: CustomFieldType,
    #[graphql(default_with = "CustomFieldInheritance::Nearest")]
    inheritance: CustomFieldInheritance,
    /// A subscription can only start where it has a value.
    #[graphql(default)]
    required: bool,
    /// As text, whatever the type.
    default: Option<String>,
    /// The only values it takes; a choice needs some.
    #[graphql(default)]
    allowed: Vec<String>,
    /// Only texts of accounts and subscriptions can be.
    #[graphql(default)]
    personal: bool,
}

#[derive(InputObject)]
pub struct CustomFieldValueInput {
    of: CustomFieldCarrier,
    /// Id of the account, offer, …; of a charge `offer/charge`.
    id: String,
    field: String,
    /// As text, whatever the type.
    value: String,
    /// None: since ever.
    from: Option<Date>,
    /// Exclusive; none: until further notice.
    until: Option<Date>,
    /// Of several values that hold on a day the one with the highest counts, then the one with the latest first day.
    #[graphql(default)]
    priority: i32,
}

/// A value that was set.
#[derive(InputObject)]
pub struct CustomFieldPeriodInput {
    of: CustomFieldCarrier,
    id: String,
    field: String,
    /// Its first day; none: since ever.
    from: Option<Date>,
    #[graphql(default)]
    priority: i32,
}

#[derive(SimpleObject)]
pub struct CustomFieldPayload {
    /// None: it is there no more.
    field: Option<CustomField>,
    receipt: Receipt,
}

#[derive(SimpleObject)]
pub struct CustomFieldValuePayload {
    /// What the field says today.
    value: Option<CustomFieldValue>,
    receipt: Receipt,
}

fn place(of: CustomFieldCarrier, id: &str) -> Place {
    let carrier = Carrier::from(of);
    Place::new(carrier, ids::key(carrier.name(), &id.into()))
}

fn definition(books: &Books, code: &str) -> Option<Definition> {
    books.live(|tenant| tenant.tables.definitions()?.fields.get(code).cloned())
}

fn read(kind: FieldKind, text: &str) -> Result<FieldValue> {
    FieldValue::read(kind.kind(), text).map_err(errors::rejected)
}

async fn done(
    ctx: &Context<'_>,
    place: &Place,
    field: &str,
    receipt: Receipt,
) -> Result<CustomFieldValuePayload> {
    let all = values(ctx, place.carrier, &place.id, None)?;
    Ok(CustomFieldValuePayload {
        value: all.into_iter().find(|value| value.field.0.code == field),
        receipt,
    })
}

#[derive(Default)]
pub struct CustomFieldMutations;

#[Object]
impl CustomFieldMutations {
    /// Defines a custom field, or changes its name, limits, default and inheritance. Its type, what it is of and
    /// whether it is personal stay. Scope admin.
    async fn define_custom_field(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: CustomFieldInput,
    ) -> Result<CustomFieldPayload> {
        let kind = FieldKind::from(input.kind);
        let allowed = input.allowed.iter().map(|text| read(kind, text));
        let default = input.default.as_deref().map(|text| read(kind, text));
        let code = input.code.clone();
        let command = Command::DefineField(Box::new(Definition {
            code: input.code,
            name: input.name,
            of: input.of.into_iter().map(Carrier::from).collect(),
            kind,
            inheritance: input.inheritance.into(),
            required: input.required,
            default: default.transpose()?,
            allowed: fields::Allowed {
                values: allowed.collect::<Result<_>>()?,
            },
            personal: input.personal,
        }));
        let receipt = desk::hand_in(ctx, Scope::Admin, &idempotency_key, command).await?;
        Ok(CustomFieldPayload {
            field: definition(&Books::of(ctx)?, &code).map(CustomField),
            receipt,
        })
    }

    /// Takes a custom field off the list. Refused with FIELD_IN_USE while an offer on sale reads it. Scope admin.
    async fn withdraw_custom_field(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        code: String,
    ) -> Result<CustomFieldPayload> {
        let command = Command::WithdrawField { code: code.clone() };
        let receipt = desk::hand_in(ctx, Scope::Admin, &idempotency_key, command).await?;
        Ok(CustomFieldPayload {
            field: definition(&Books::of(ctx)?, &code).map(CustomField),
            receipt,
        })
    }

    /// Gives a custom field a value, from a day and until a day; a value with the same first day and priority is
    /// replaced. Personal values are sealed before anything is written. Scope operate; for offers, charges and legal
    /// entities admin.
    async fn set_custom_field(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: CustomFieldValueInput,
    ) -> Result<CustomFieldValuePayload> {
        let books = Books::of(ctx)?;
        let scope = scope(input.of);
        desk::require(&books, scope)?;
        let place = place(input.of, &input.id);
        let defined = definition(&books, &input.field);
        let value = match &defined {
            Some(defined) if defined.personal => sealed(&books, &place, &input.value)?,
            Some(defined) => read(defined.kind, &input.value)?,
            // Refused where it is decided.
            None => FieldValue::Text(input.value),
        };
        let command = Command::SetField {
            place: place.clone(),
            field: input.field.clone(),
            period: Period {
                value,
                from: input.from.map(|day| day.0),
                until: input.until.map(|day| day.0),
                priority: input.priority,
            },
        };
        let receipt = desk::hand_in(ctx, scope, &idempotency_key, command).await?;
        done(ctx, &place, &input.field, receipt).await
    }

    /// Takes back the value with this first day and priority. Scope operate; for offers, charges and legal entities
    /// admin.
    async fn clear_custom_field(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: CustomFieldPeriodInput,
    ) -> Result<CustomFieldValuePayload> {
        let place = place(input.of, &input.id);
        let command = Command::ClearField {
            place: place.clone(),
            field: input.field.clone(),
            from: input.from.map(|day| day.0),
            priority: input.priority,
        };
        let receipt = desk::hand_in(ctx, scope(input.of), &idempotency_key, command).await?;
        done(ctx, &place, &input.field, receipt).await
    }
}

/// Customers are everyday work; what is sold, and by whom, is set up.
fn scope(of: CustomFieldCarrier) -> Scope {
    match of {
        CustomFieldCarrier::Account | CustomFieldCarrier::Subscription => Scope::Operate,
        _ => Scope::Admin,
    }
}

/// A personal value under the key that reaches the account's holder, so that it is forgotten with it.
fn sealed(books: &Books, place: &Place, text: &str) -> Result<FieldValue> {
    if text.is_empty() || text.len() > fields::TEXT_MAX {
        let most = fields::TEXT_MAX;
        return Err(errors::refused(
            "FIELD_VALUE_INVALID",
            format!(
                "a personal value has 1 to {most} bytes, {} were given",
                text.len()
            ),
        ));
    }
    let account = books.live(|tenant| {
        let subject = Subject::of(&tenant.tables, place);
        subject.account.map(str::to_owned)
    });
    let Some(account) = account else {
        return Err(errors::refused(
            "FIELD_PERSONAL",
            format!("{place} belongs to no account: whose personal data is it"),
        ));
    };
    let sealed: kernel::Personal<String> = books.seal_text(&account, Purpose::Contact, text)?;
    Ok(FieldValue::Sealed(sealed))
}
