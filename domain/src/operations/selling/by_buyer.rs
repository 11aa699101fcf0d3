//! Recurring prices that depend on who buys: found when something is sold, and from then on a price like any other.
//!
//! An expression says what a period costs. The columns of a matrix are expressions about the contract, and its line a price. Both are computed
//! again whenever the contract is sold again: when it changes, migrates, or its prices are agreed anew. In between the price stays what was
//! sold, whatever becomes of what it was computed from.

use super::Sale;
use crate::catalog::{
    Cells, Column, ColumnKind, Matrix, Offer, Price, PriceRule, PriceSource, Recurring,
};
use crate::expressions::{Expression, Value};
use crate::kernel::{Date, Decimal, Rejection};
use crate::rating::names::ContractNames;
use crate::session::Session;
use crate::subscriptions::Subscription;
use std::collections::BTreeMap;

/// Decimals of a price that an expression comes to (policy 2).
const PLACES: u32 = 12;

pub(super) fn depends(charge: &Recurring) -> bool {
    matches!(charge.price, Price::Matrix(_) | Price::Expression(_))
}

/// The offer with prices in the place of everything that depends on the buyer.
///
/// Errors: NO_PRICE where no line of a matrix fits, PRICE_NEGATIVE, and whatever an expression fails with.
pub(super) fn found(
    session: &Session<'_>,
    sale: Sale<'_>,
    mut offer: Offer,
) -> Result<Offer, Rejection> {
    if !offer.recurring.iter().any(depends) {
        return Ok(offer);
    }
    let whole = offer.clone();
    let sub = session
        .find::<Subscription>(sale.subscription)
        .map(|e| (sale.subscription, &e.state));
    for charge in offer.recurring.iter_mut().filter(|c| depends(c)) {
        let names = ContractNames {
            look: session,
            account: sale.account,
            terms: sale.terms,
            subscription: sub,
            offer: &whole,
            charge: Some(&charge.code),
            quantity: Some(sale.quantity),
            on: sale.on,
        };
        let (price, why) = match &charge.price {
            Price::Expression(expression) => computed(expression, &charge.code, &names)?,
            Price::Matrix(matrix) => looked_up(matrix, &charge.code, &names, sale)?,
            _ => continue,
        };
        let (rule, id, before) = match charge.source.take() {
            Some(source) => (source.rule, source.id, format!("{}; ", source.why)),
            None => (PriceRule::Default, String::new(), String::new()),
        };
        charge.price = price;
        charge.source = Some(PriceSource {
            rule,
            id,
            why: format!("{before}{why}"),
        });
    }
    Ok(offer)
}

/// What a period costs.
fn computed(
    expression: &Expression,
    code: &str,
    names: &ContractNames<'_>,
) -> Result<(Price, String), Rejection> {
    let amount = expression
        .number(names)
        .map_err(|e| e.of(format!("charge {code}, price")))?;
    if amount.is_negative() {
        return Err(Rejection::new(
            "PRICE_NEGATIVE",
            format!(
                "charge {code}: {} comes to less than nothing",
                expression.source()
            ),
        ));
    }
    let amount: Decimal = match amount.shown() {
        Some(shown) => shown,
        None => amount.to_decimal(PLACES).parse()?,
    };
    let why = format!("{} = {amount} on {}", expression.source(), names.on);
    Ok((Price::Flat(amount), why))
}

/// The price of the line that fits.
fn looked_up(
    matrix: &Matrix,
    code: &str,
    names: &ContractNames<'_>,
    sale: Sale<'_>,
) -> Result<(Price, String), Rejection> {
    let mut read = Read {
        values: BTreeMap::new(),
        on: sale.on,
        quantity: sale.quantity,
    };
    for column in matrix.columns.iter().filter(|c| is_read(c)) {
        let value = Expression::new(&*column.attribute);
        let value = value
            .eval(names)
            .map_err(|e| e.of(format!("charge {code}, column {}", column.attribute)))?;
        if let Some(text) = text(&value) {
            read.values.insert(column.attribute.clone(), text);
        }
    }
    let said = || {
        let said = read
            .values
            .iter()
            .map(|(name, value)| format!("{name} {value}"));
        said.collect::<Vec<_>>().join(", ")
    };
    let line = matrix.line(&read);
    let price = matrix.price(line).ok_or_else(|| {
        Rejection::new(
            "NO_PRICE",
            format!("charge {code} has no price for {} on {}", said(), sale.on),
        )
    })?;
    let which = line.map_or("no line".to_string(), |n| format!("line {}", n + 1));
    Ok((
        price.clone(),
        format!("{which} of the matrix for {} on {}", said(), sale.on),
    ))
}

/// Whether a column is computed, rather than the day or the quantity itself.
pub(in crate::operations) fn is_read(column: &Column) -> bool {
    column.attribute != Column::DAY && column.attribute != Column::QUANTITY
}

/// What a column of a kind has to come to.
pub(in crate::operations) fn kind(column: &Column) -> crate::expressions::Kind {
    use crate::expressions::Kind;
    match column.kind {
        ColumnKind::Text => Kind::Text,
        ColumnKind::Number => Kind::Number,
        ColumnKind::Date => Kind::Date,
        ColumnKind::Boolean => Kind::Boolean,
    }
}

fn text(value: &Value<'_>) -> Option<String> {
    Some(match value {
        Value::Null | Value::Moment(_) => return None,
        Value::Number(number) => number.shown()?.to_string(),
        Value::Text(text) => text.to_string(),
        Value::Boolean(is) => is.to_string(),
        Value::Date(day) => day.to_string(),
    })
}

/// A contract as the lines of a matrix see it.
struct Read {
    values: BTreeMap<String, String>,
    on: Date,
    quantity: Decimal,
}

impl Cells for Read {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    fn day(&self) -> Date {
        self.on
    }

    fn quantity(&self) -> Decimal {
        self.quantity
    }
}
