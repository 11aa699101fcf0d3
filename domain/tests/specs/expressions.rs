//! What expressions mean, what is refused when they are published, and what is refused when they run.

use indelible_domain::expressions::{
    Expression, Kind, Moment, Names, Schema, TEXT_MAX, Value, parse,
};
use indelible_domain::kernel::{Date, Decimal, Exact};

/// A record of a call, as the tests below see it.
struct Call;

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

fn exact(text: &str) -> Exact {
    text.parse::<Decimal>().expect("a number").into()
}

impl Names for Call {
    fn name(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "quantity" => exact("130").into(),
            "amount" => Value::Null,
            "metric" => Value::text("voice"),
            "at" => Value::Moment(Moment {
                date: date("2027-02-06"),
                minute: 18 * 60 + 5,
            }),
            "subscription.start" => date("2026-11-06").into(),
            "account.country" => Value::text("DE"),
            _ => return None,
        })
    }

    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "destination" => Value::text("+49301234"),
            "class" => Value::text("ß-7"),
            "duration" => Value::text("61.5"),
            "long" => Value::Text("x".repeat(TEXT_MAX + 1).into()),
            _ => Value::Null,
        })
    }

    fn field(&self, code: &str) -> Option<Value<'_>> {
        match code {
            "segment" => Some(Value::text("gold")),
            "vip" => Some(Value::Boolean(true)),
            _ => None,
        }
    }
}

fn schema() -> Schema {
    Schema::default()
        .with("quantity", Kind::Number)
        .with("amount", Kind::Number)
        .with("metric", Kind::Text)
        .with("at", Kind::Moment)
        .with("subscription.start", Kind::Date)
        .with("account.country", Kind::Text)
        .with_field("segment", Kind::Text)
        .with_field("vip", Kind::Boolean)
        .with_attributes()
}

#[test]
fn an_expression_comes_to_the_value_that_its_words_say() {
    let table = [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 / 4", "2.5"),
        ("1 / 3 * 3", "1"),
        ("-2 * -3", "6"),
        ("0.1 + 0.2 = 0.3", "true"),
        ("7 - 2 - 1", "4"),
        ("quantity * 0.05", "6.5"),
        (
            "if quantity > 100 then 100 * 0.05 + (quantity - 100) * 0.03 else quantity * 0.05",
            "5.9",
        ),
        ("coalesce(amount, 3) + 1", "4"),
        ("amount = null", "true"),
        ("amount != null or quantity > 1000", "false"),
        ("not quantity > 1000 and true", "true"),
        ("record.missing = \"x\"", "false"),
        ("record.missing != \"x\"", "true"),
        ("record.missing in [\"x\", \"y\"]", "false"),
        ("metric in ['voice', 'sms']", "true"),
        ("metric not in ['data', 'sms']", "true"),
        ("quantity in [-130, 130]", "true"),
        ("starts_with(record.destination, \"+49\")", "true"),
        ("ends_with(record.destination, \"+49\")", "false"),
        ("contains(attribute(\"destination\"), \"301\")", "true"),
        ("length(record.class)", "3"),
        ("upper(record.class)", "\"SS-7\""),
        ("lower(\"ÄB\")", "\"äb\""),
        ("substring(record.destination, 2, 2)", "\"49\""),
        ("substring(record.destination, 4)", "\"301234\""),
        ("substring(\"ab\", 9, 9)", "\"\""),
        ("concat(metric, \"-\", account.country)", "\"voice-DE\""),
        ("trim(\"  a \")", "\"a\""),
        ("number(record.duration) / 60", "1.025"),
        ("text(1 / 3)", "\"0.333333333333\""),
        ("text(at)", "\"2027-02-06 18:05\""),
        ("min(3, 2, 2.5) + max(1, 4)", "6"),
        ("max(date(at), date(\"2028-01-01\"))", "2028-01-01"),
        ("abs(-1.5)", "1.5"),
        ("floor(-1.5)", "-2"),
        ("ceil(-1.5)", "-1"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(2.5, 0, \"half_even\")", "2"),
        ("round(3.5, 0, \"half_even\")", "4"),
        ("round(-2.5, 0, \"half_even\")", "-2"),
        ("round(1.001, 2, \"up\")", "1.01"),
        ("round(-1.001, 2, \"up\")", "-1.01"),
        ("round(-1.009, 2, \"down\")", "-1"),
        ("round(2 / 3, 4)", "0.6667"),
        ("mod(-7, 3)", "2"),
        ("mod(7.5, 2)", "1.5"),
        ("weekday(at)", "\"sat\""),
        ("weekday(at) in [\"sat\", \"sun\"] or hour(at) < 8", "true"),
        ("hour(at) * 60 + minute(at)", "1085"),
        ("year(at) + month(at) + day(subscription.start)", "2035"),
        ("date(at) - subscription.start", "92"),
        ("subscription.start + 30", "2026-12-06"),
        ("subscription.start - 6", "2026-10-31"),
        ("date(at) >= date(\"2027-02-06\")", "true"),
        ("date(\"2027-02-06\") = date(at)", "true"),
        ("field(\"segment\") = \"gold\" and field(\"vip\")", "true"),
        ("\"it's \\\"so\\\"\"", "\"it's \\\"so\\\"\""),
        // A part that is not needed is not looked at.
        ("false and 1 / (quantity - 130) > 0", "false"),
        ("true or 1 / (quantity - 130) > 0", "true"),
        ("if true then 1 else 1 / (quantity - 130)", "1"),
        ("coalesce(1, 1 / (quantity - 130))", "1"),
    ];
    for (source, value) in table {
        let expression = Expression::new(source);
        let found = expression.eval(&Call).expect(source);
        assert_eq!(found.to_string(), value, "{source}");
        let kind = found.kind().expect("a kind");
        assert_eq!(expression.check(&schema(), kind), [], "{source}");
    }
}

#[test]
fn every_problem_of_an_expression_is_told_with_its_place() {
    let table = [
        (
            "quantity +",
            Kind::Number,
            "column 11: a value is expected, found the end",
        ),
        (
            "quantity quantity",
            Kind::Number,
            "column 10: an operator or the end is expected, found quantity",
        ),
        (
            "(1 + 2",
            Kind::Number,
            "column 7: \")\" is expected, found the end",
        ),
        (
            "1 < 2 < 3",
            Kind::Boolean,
            "column 7: comparisons do not chain: write a < b and b < c, or put one into parentheses",
        ),
        (
            "1 = 2 && true",
            Kind::Boolean,
            "column 7: and is expected, found \"&&\"",
        ),
        (
            "1 + if true then 1 else 2",
            Kind::Number,
            "column 5: if is put into parentheses here: (if …)",
        ),
        (
            "\"open",
            Kind::Text,
            "column 1: the text that begins here has no closing \"",
        ),
        (
            "1e5",
            Kind::Number,
            "column 1: \"1e5\" is not a number like 12 or 0.045 of at most 28 digits",
        ),
        (
            "1 ; 2",
            Kind::Number,
            "column 3: ';' has no meaning in an expression",
        ),
        (
            "eval(\"1\")",
            Kind::Number,
            "column 1: there is no function eval; there are attribute, field, abs, ceil, coalesce, concat, contains, date, day, ends_with, floor, hour, length, lower, max, min, minute, mod, month, number, round, starts_with, substring, text, trim, upper, weekday, year",
        ),
        (
            "abs(1, 2)",
            Kind::Number,
            "column 1: abs takes 1 arguments, 2 are given",
        ),
        (
            "round(1, quantity)",
            Kind::Number,
            "column 10: round goes to 0 to 12 decimals, written out",
        ),
        (
            "round(1, 2, \"odd\")",
            Kind::Number,
            "column 13: round goes \"half_away_from_zero\", \"half_even\", \"up\" or \"down\"",
        ),
        (
            "date(\"2027-02-30\")",
            Kind::Date,
            "column 6: \"2027-02-30\" is not a date like 2027-01-31",
        ),
        (
            "metric in [quantity]",
            Kind::Boolean,
            "column 12: a list holds numbers, texts or dates that are written out",
        ),
        (
            "field(metric)",
            Kind::Text,
            "column 1: field takes one name, written out: field(\"name\")",
        ),
        (
            "country = \"DE\"",
            Kind::Boolean,
            "column 1: there is no name country here (there are account.country, amount, at, metric, quantity, subscription.start)",
        ),
        (
            "field(\"x\") = \"DE\"",
            Kind::Boolean,
            "column 1: there is no custom field \"x\" here (there are segment, vip)",
        ),
        (
            "quantity",
            Kind::Boolean,
            "column 1: it comes to a number, true or false is needed",
        ),
        (
            "metric * 2",
            Kind::Number,
            "column 1: * takes a number, not a text",
        ),
        (
            "metric = 2",
            Kind::Boolean,
            "column 8: = compares a text and a number, which are not of one kind",
        ),
        (
            "metric in [\"a\", 2]",
            Kind::Boolean,
            "column 17: in looks for a text and a number, which are not of one kind",
        ),
        (
            "if quantity then 1 else 2",
            Kind::Number,
            "column 4: if takes true or false, not a number",
        ),
        (
            "if true then 1 else \"2\"",
            Kind::Number,
            "column 1: if comes to a number and a text, which are not of one kind",
        ),
        (
            "quantity / 0",
            Kind::Number,
            "column 12: nothing can be divided by zero",
        ),
        (
            "true < false",
            Kind::Boolean,
            "column 1: < takes a number or a text or a date or a moment, not true or false; column 8: < takes a number or a text or a date or a moment, not true or false",
        ),
        (
            "quantity + null",
            Kind::Number,
            "column 12: + takes a number, not nothing",
        ),
        (
            "null",
            Kind::Number,
            "column 1: it comes to nothing, a number is needed",
        ),
        (
            "1 + at",
            Kind::Number,
            "column 5: + takes a number, not a moment",
        ),
        (
            "hour(subscription.start)",
            Kind::Number,
            "column 6: hour takes a moment, not a date",
        ),
        (
            "x + y",
            Kind::Number,
            "column 1: there is no name x here (there are account.country, amount, at, metric, quantity, subscription.start); column 5: there is no name y here (there are account.country, amount, at, metric, quantity, subscription.start)",
        ),
    ];
    for (source, wanted, told) in table {
        let problems = Expression::new(source).check(&schema(), wanted);
        let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(found.join("; "), told, "{source}");
    }
    let nowhere = Expression::new("record.x = \"a\"").check(&Schema::default(), Kind::Boolean);
    assert_eq!(
        nowhere[0].to_string(),
        "column 1: there is no record here that could have \"x\""
    );
}

#[test]
fn a_value_that_is_not_what_was_promised_is_refused_with_code_expression_place_and_value() {
    let table = [
        (
            "quantity / (quantity - 130)",
            "EXPRESSION_DIVISION_BY_ZERO",
            "column 10: 130 / 0: 1 divided by zero",
        ),
        (
            "mod(1, quantity - 130)",
            "EXPRESSION_DIVISION_BY_ZERO",
            "column 1: mod(1, 0): 1 divided by zero",
        ),
        (
            "1 + amount",
            "EXPRESSION_VALUE_MISSING",
            "column 3: a number is needed and there is no value: say what to take with coalesce(…)",
        ),
        (
            "amount > 1",
            "EXPRESSION_VALUE_MISSING",
            "column 8: a number is needed and there is no value: say what to take with coalesce(…)",
        ),
        (
            "metric + 1",
            "EXPRESSION_VALUE_KIND",
            "column 8: a number is needed, \"voice\" is given",
        ),
        (
            "metric = 1",
            "EXPRESSION_VALUE_KIND",
            "column 8: a text is needed, 1 is given",
        ),
        (
            "metric and true",
            "EXPRESSION_VALUE_KIND",
            "column 8: true or false is needed, \"voice\" is given",
        ),
        (
            "true and metric",
            "EXPRESSION_VALUE_KIND",
            "column 6: true or false is needed, \"voice\" is given",
        ),
        (
            "number(record.class)",
            "EXPRESSION_VALUE_INVALID",
            "column 1: \"ß-7\" is not a number",
        ),
        (
            "date(record.class)",
            "EXPRESSION_VALUE_INVALID",
            "column 1: \"ß-7\" is not a date like 2027-01-31",
        ),
        (
            "substring(metric, 0)",
            "EXPRESSION_VALUE_INVALID",
            "column 1: 0 is not a whole number of at least 1",
        ),
        (
            "subscription.start + 0.5",
            "EXPRESSION_VALUE_INVALID",
            "column 20: 2026-11-06 cannot be moved by 0.5 days",
        ),
        (
            "nowhere",
            "EXPRESSION_NAME_UNKNOWN",
            "column 1: there is no name \"nowhere\" here",
        ),
        (
            "record.long = \"x\"",
            "EXPRESSION_TEXT_TOO_LONG",
            "column 1: a text of 4001 bytes, 4000 are allowed",
        ),
        (
            "1 +",
            "EXPRESSION_INVALID",
            "column 4: a value is expected, found the end",
        ),
    ];
    for (source, code, told) in table {
        let expression = Expression::new(source);
        let failure = expression.eval(&Call).expect_err(source);
        assert_eq!(failure.code, code, "{source}");
        assert_eq!(
            failure.to_string(),
            format!("expression {source:?}, {told}")
        );
        let refusal = failure.of("charge voice, price");
        assert_eq!(refusal.code, code);
        assert!(
            refusal
                .message
                .starts_with("charge voice, price: expression ")
        );
    }
    let large = "9999999999999999999999999999";
    let source = format!("{large} * {large}");
    let failure = Expression::new(&*source)
        .eval(&Call)
        .expect_err("too large");
    assert_eq!(failure.code, "EXPRESSION_NUMBER_TOO_LARGE");
    let not_a_number = Expression::new("metric").number(&Call).expect_err("a text");
    assert_eq!(not_a_number.code, "EXPRESSION_VALUE_KIND");
}

#[test]
fn what_would_cost_too_much_is_refused_before_it_runs() {
    let told = |source: String| parse(&source).expect_err("too much").message;
    assert_eq!(
        told(format!("1{}", " + 1".repeat(250))),
        "the expression has more than 500 parts"
    );
    assert_eq!(
        told(format!("{}1{}", "(".repeat(41), ")".repeat(41))),
        "the expression is nested more than 40 deep"
    );
    assert_eq!(
        told(format!("{}1", "- ".repeat(2000))),
        "the expression has 4001 bytes, 4000 are allowed"
    );
    assert_eq!(
        told(format!("{}1", "-".repeat(41))),
        "the expression is nested more than 40 deep"
    );
    let list = vec!["1"; 201].join(", ");
    assert_eq!(
        told(format!("1 in [{list}]")),
        "the list has more than 200 entries"
    );
    assert_eq!(
        told(format!("min({})", vec!["1"; 17].join(", "))),
        "a call takes at most 16 arguments"
    );
    let most = format!("1{}", " + 1".repeat(249));
    let sum = Expression::new(most).number(&Call).expect("499 parts");
    assert_eq!(sum.to_string(), "250");
    let text = format!("concat({})", ["record.destination"; 10].join(", "));
    let text = format!("concat({})", vec![text; 16].join(", "));
    let made = Expression::new(text).text(&Call).expect("1440 bytes");
    assert_eq!(made.len(), 1440);
}

#[test]
fn an_expression_is_kept_as_its_source_and_compared_by_it() {
    let written = "quantity  *  0.05";
    let expression: Expression = written.parse().expect("an expression");
    let json = serde_json::to_string(&expression).expect("json");
    assert_eq!(json, format!("{written:?}"));
    let back: Expression = serde_json::from_str(&json).expect("an expression");
    assert_eq!(back, expression);
    assert_ne!(back, Expression::new("quantity * 0.05"));
    assert_eq!(
        parse(written).expect("a tree"),
        parse("quantity * 0.05").expect("a tree")
    );
    let factor = "-0.5".parse().expect("a number");
    let halved = expression.times(factor).expect("an expression");
    assert_eq!(halved.number(&Call).expect("a number"), exact("-3.25"));
    let refused = "1 +".parse::<Expression>().expect_err("unreadable");
    assert_eq!(refused.code, "EXPRESSION_INVALID");
}
