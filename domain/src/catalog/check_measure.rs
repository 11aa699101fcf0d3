//! Whether what a usage charge measures, rounds and remembers goes together, and whether a price matrix can be read.

use super::check::{Problems, price};
use super::matrix::{COLUMNS_MAX, Cell, LINES_MAX, Matrix};
use super::{
    Aggregate, Column, ColumnKind, Offer, Pay, Price, Recurring, RoundPer, UnitOf, Usage,
    conversion,
};
use std::collections::BTreeSet;

/// Most attributes that one charge groups by.
const GROUP_BY_MAX: usize = 4;

pub(super) fn units(offer: &Offer, problems: &mut Problems) {
    let mut codes = BTreeSet::new();
    for UnitOf { code, of, factor } in &offer.unit {
        problems.when(!codes.insert(code), || {
            format!("there is another unit {code:?}")
        });
        problems.positive(&format!("unit {code}: factor"), *factor);
        problems.when(conversion(&offer.unit, code, code).is_none(), || {
            format!("unit {code}: {of:?} is not a unit that leads to one that is known")
        });
    }
}

pub(super) fn usage(offer: &Offer, charge: &Usage, problems: &mut Problems) {
    measure(offer, charge, problems);
    level(charge, problems);
    amounts(charge, problems);
    let mut days = BTreeSet::new();
    for dated in &charge.prices {
        problems.when(!days.insert(dated.from), || {
            format!("there are two prices from {}", dated.from)
        });
        let place = format!("{}, price from {}", problems.place, dated.from);
        problems.within(place, |p| price(&dated.price, p));
        problems.when(by_record(&dated.price) != by_record(&charge.price), || {
            format!(
                "price from {}: a price of records does not follow a price of a total",
                dated.from
            )
        });
    }
}

pub(super) fn by_record(price: &Price) -> bool {
    matches!(
        price,
        Price::Percentage(_) | Price::Dynamic(_) | Price::Expression(_)
    )
}

fn measure(offer: &Offer, charge: &Usage, problems: &mut Problems) {
    if let Some(from) = &charge.usage_unit {
        problems.when(
            conversion(&offer.unit, from, &charge.unit).is_none(),
            || {
                format!(
                    "usage_unit {from:?} cannot be turned into unit {:?}",
                    charge.unit
                )
            },
        );
    }
    if let Some(least) = charge.least {
        problems.positive("least", least);
    }
    if let Some(round) = charge.round {
        problems.positive("round to", round.to);
        let per_period = round.per == RoundPer::Period;
        problems.when(per_period && charge.aggregate == Aggregate::Level, || {
            "each day of a level is priced by itself: there are no units of the period to round"
                .to_string()
        });
        problems.when(per_period && by_record(&charge.price), || {
            "a price per record does not see the units of the period: round each record".to_string()
        });
    }
    let counts_values = charge.aggregate == Aggregate::Unique;
    problems.when(counts_values && charge.unique.is_none(), || {
        "aggregate unique counts the values of an attribute: say which with unique".to_string()
    });
    problems.when(
        charge.unique.is_some() && !counts_values && !charge.is_level(),
        || "unique goes with aggregate unique, level, weighted or peak".to_string(),
    );
    problems.when(charge.group_by.len() > GROUP_BY_MAX, || {
        format!(
            "group_by has {} attributes, it may have {GROUP_BY_MAX}",
            charge.group_by.len()
        )
    });
    let different: BTreeSet<_> = charge.group_by.iter().collect();
    problems.when(different.len() < charge.group_by.len(), || {
        "group_by names an attribute twice".to_string()
    });
}

fn level(charge: &Usage, problems: &mut Problems) {
    let last = charge.aggregate == Aggregate::Last;
    problems.when(charge.carry && !charge.is_level() && !last, || {
        "only a level goes over to the next period: carry goes with aggregate level, weighted, peak or last".to_string()
    });
    problems.when(charge.carry && charge.pay != Pay::Invoice, || {
        "what is carried over costs without any record: a wallet cannot pay it".to_string()
    });
    problems.when(charge.readings && !charge.is_level() && !last, || {
        "readings goes with aggregate level, weighted, peak or last".to_string()
    });
    problems.when(charge.readings && charge.unique.is_some(), || {
        "a value is there or not: readings does not go with unique".to_string()
    });
    problems.when(charge.by.is_some() && !charge.is_level(), || {
        "by goes with aggregate level, weighted or peak".to_string()
    });
    problems.when(
        charge.high_water && !matches!(charge.aggregate, Aggregate::Level | Aggregate::Weighted),
        || "high_water goes with aggregate level or weighted".to_string(),
    );
    let matrix = charge.all_prices().any(|p| matches!(p, Price::Matrix(_)));
    problems.when(charge.carry && matrix, || {
        "what is carried over has no attributes to look up in a matrix".to_string()
    });
    let unseen = matrix && charge.allowance.is_some() && !charge.remembers();
    problems.when(unseen, || {
        "records that a matrix prices per unit are not counted up, so no allowance is seen: give its lines a first tier that costs nothing".to_string()
    });
    let percentage = matches!(charge.price, Price::GraduatedPercentage(_));
    problems.when(percentage && charge.aggregate == Aggregate::Level, || {
        "a level is no amount of money to take a percentage of".to_string()
    });
}

fn amounts(charge: &Usage, problems: &mut Problems) {
    for (what, amount) in [("minimum", charge.minimum), ("maximum", charge.maximum)] {
        if let Some(amount) = amount {
            problems.price(what, amount);
            let pays = charge.all_prices().any(Price::pays_the_customer);
            problems.when(pays, || format!("{what} does not fit a price below zero"));
        }
    }
    if let (Some(minimum), Some(maximum)) = (charge.minimum, charge.maximum) {
        problems.when(minimum > maximum, || {
            format!("minimum {minimum} is above maximum {maximum}")
        });
    }
    problems.when(
        charge.minimum.is_some() && charge.pay != Pay::Invoice,
        || "a minimum is billed when the period ends: a wallet cannot pay it".to_string(),
    );
}

pub(super) fn recurring(charge: &Recurring, problems: &mut Problems) {
    let flat = match &charge.price {
        Price::Flat(_) | Price::Expression(_) => true,
        Price::Matrix(matrix) => matrix.prices().any(|p| matches!(p, Price::Flat(_))),
        _ => false,
    };
    problems.when(charge.high_water && flat, || {
        "a flat price has no quantity whose highest could count".to_string()
    });
}

pub(super) fn matrix(matrix: &Matrix, problems: &mut Problems) {
    let columns = matrix.columns.len();
    problems.when(columns == 0 || columns > COLUMNS_MAX, || {
        format!("a matrix has 1 to {COLUMNS_MAX} columns, this one has {columns}")
    });
    problems.when(matrix.lines.len() > LINES_MAX, || {
        format!(
            "a matrix has at most {LINES_MAX} lines, this one has {}",
            matrix.lines.len()
        )
    });
    for column in &matrix.columns {
        let fits = match column.attribute.as_str() {
            "" => false,
            Column::DAY => column.kind == ColumnKind::Date,
            Column::QUANTITY => column.kind == ColumnKind::Number,
            _ => true,
        };
        problems.when(!fits, || {
            format!("column {:?} is not {:?}", column.attribute, column.kind)
        });
    }
    let mut known: BTreeSet<&[String]> = BTreeSet::new();
    for (n, line) in matrix.lines.iter().enumerate() {
        let place = format!("{}, line {}", problems.place, n + 1);
        problems.within(place, |p| {
            p.when(line.cells.len() != columns, || {
                format!("{} cells for {columns} columns", line.cells.len())
            });
            for (column, cell) in matrix.columns.iter().zip(&line.cells) {
                if let Err(wrong) = Cell::parse(column.kind, cell) {
                    p.add(format!("{}: {wrong}", column.attribute));
                }
                p.when(cell.chars().any(char::is_control), || {
                    format!("{}: a cell has no control characters", column.attribute)
                });
            }
            p.when(!known.insert(&line.cells), || {
                "another line has the same cells".to_string()
            });
            simple(&line.price, p);
        });
    }
    if let Some(otherwise) = &matrix.otherwise {
        let place = format!("{}, otherwise", problems.place);
        problems.within(place, |p| simple(otherwise, p));
    }
}

/// A price in a matrix: of a total, and not a matrix again.
fn simple(nested: &Price, problems: &mut Problems) {
    let simple = matches!(
        nested,
        Price::Flat(_)
            | Price::PerUnit(_)
            | Price::Package(_)
            | Price::Graduated(_)
            | Price::Volume(_)
    );
    problems.when(!simple, || {
        "a line has a flat, per unit, package, graduated or volume price".to_string()
    });
    if simple {
        price(nested, problems);
    }
}
