//! The GraphQL schema is a promise to clients: a change of it must be seen in a review.

#[test]
fn the_schema_is_the_committed_one() {
    let committed = include_str!("../schema.graphql");
    let built = indelible_api::graphql::sdl();
    let differing = committed
        .lines()
        .zip(built.lines())
        .enumerate()
        .find(|(_, (a, b))| a != b);
    assert!(
        committed == built,
        "the schema differs from api/schema.graphql, first in {differing:?}; if the change is meant: cargo xtask sdl"
    );
}

#[test]
fn every_mutation_takes_an_idempotency_key_and_those_that_bill_can_be_tried() {
    let sdl = indelible_api::graphql::sdl();
    let mutations = sdl
        .split("type Mutation {")
        .nth(1)
        .and_then(|rest| rest.split("\n}").next())
        .unwrap();
    let fields: Vec<&str> = mutations
        .lines()
        .map(str::trim)
        .filter(|line| {
            let name = line.split('(').next().unwrap_or_default();
            line.ends_with('!') && line.contains('(') && name.chars().all(char::is_alphanumeric)
        })
        .collect();
    assert!(fields.len() > 20, "{fields:?}");
    // A request of credit control is named by its session and its number (RFC 8506 8.1): it has no other key.
    let named_by_their_session = [
        "controlCredit(input: ControlCreditInput!)",
        "reserve(input: ReserveInput!)",
        "confirmReservation(reservation: ID!, ",
        "cancelReservation(reservation: ID!)",
    ];
    for field in &fields {
        let named = named_by_their_session.iter().any(|n| field.starts_with(n));
        assert!(
            named || field.contains("idempotencyKey: String!"),
            "{field}"
        );
    }
    let billing = [
        "runBill",
        "draftInvoice",
        "finaliseInvoice",
        "voidInvoice",
        "creditInvoice",
        "addCharge",
    ];
    for name in billing {
        let field = fields
            .iter()
            .find(|field| field.starts_with(&format!("{name}(")));
        assert!(
            field.is_some_and(|field| field.contains("dryRun: Boolean!")),
            "{name}"
        );
    }
}

#[test]
fn no_number_of_the_schema_is_binary_floating_point() {
    assert!(!indelible_api::graphql::sdl().contains(": Float"));
}
