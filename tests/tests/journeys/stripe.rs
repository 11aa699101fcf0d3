//! Money through Stripe: answers that are lost, and webhooks that come first, twice, late and forged.

use std::sync::Arc;

use indelible_api::providers::Providers;
use indelible_domain::command::{AddMethod, Collect};
use indelible_domain::kernel::Money;
use indelible_domain::methods::{Card, Means, Month};
use indelible_domain::payments::{Answer, Payment, Stage};
use indelible_domain::{Command, Outcome};
use indelible_gateways::stripe::Tenants;
use indelible_gateways::{Ask, Gateway as _, Known};
use indelible_store::Request;
use serde_json::{Value, json};

use crate::shop::{self, Shop};
use crate::stripe_stand_in::{self, Fate, StandIn, event};

const NOON: &str = "2026-03-02T12:00:00Z";

/// A shop whose customer alice owes 36.00 EUR, with a card at Stripe.
async fn owing() -> (Shop, StandIn, Arc<Tenants>) {
    let stand_in = stripe_stand_in::open();
    let mut tenants = Tenants::default();
    assert!(tenants.add("acme", stand_in.stripe()));
    let providers = Providers::default().with_stripe(tenants);
    let stripe = Arc::clone(&providers.stripe);
    let shop = shop::open_with("2026-03-01T08:00:00Z", providers).await;
    shop::furnish(&shop.acme).await;
    let billed = shop::bill(&shop.acme, "march").await;
    assert_eq!(billed["invoices"][0]["total"], "36.00 EUR", "{billed}");
    shop.move_to(NOON);
    let card = Card {
        gateway: "stripe".to_owned(),
        token: "pm_card".to_owned(),
        customer: Some("cus_alice".to_owned()),
        brand: "visa".to_owned(),
        last4: "4242".to_owned(),
        expires: Month {
            year: 2030,
            month: 12,
        },
    };
    let add = AddMethod {
        account: "alice".to_owned(),
        method: "card-1".to_owned(),
        means: Means::Card(card),
        preferred: true,
    };
    ask_ledger(&shop, Command::AddMethod(Box::new(add)));
    (shop, stand_in, stripe)
}

fn ask_ledger(shop: &Shop, command: Command) -> Outcome {
    let request = Request::new("acme", "test", shop.clock.now(), command);
    let receipt = shop
        .office
        .ledger
        .execute(request)
        .expect("the ledger takes it");
    receipt.outcome
}

/// Asks for everything that alice owes, up to the moment in which Stripe is called.
fn intend(shop: &Shop) -> Ask {
    let invoice = shop
        .office
        .ledger
        .read("acme", |books| books.tables.invoices.keys().next().cloned());
    let outcome = ask_ledger(
        shop,
        Command::Collect(Collect {
            collection: "col-1".to_owned(),
            account: "alice".to_owned(),
            invoice,
            method: None,
        }),
    );
    let mut touched = outcome.touched.into_iter();
    let (_, payment) = touched
        .find(|(kind, _)| kind == "payment")
        .expect("a payment");
    ask_ledger(
        shop,
        Command::SendPayment {
            payment: payment.clone(),
            again: false,
        },
    );
    let state = look(shop, &payment);
    assert_eq!(state.stage, Stage::Sent);
    let route = state.route.expect("a way to Stripe");
    Ask {
        key: indelible_gateways::key("acme", &payment, None),
        tenant: "acme".to_owned(),
        payment,
        account: state.account,
        amount: state.amount,
        token: route.token,
        customer: route.customer,
        text: route.text,
        on: route.on,
    }
}

fn answer(shop: &Shop, payment: &str, answer: Answer) {
    let payment = payment.to_owned();
    ask_ledger(shop, Command::AnswerPayment { payment, answer });
}

fn look(shop: &Shop, payment: &str) -> Payment {
    let found = shop.office.ledger.read("acme", |books| {
        books
            .tables
            .payments
            .get(payment)
            .map(|entry| entry.state.clone())
    });
    found.expect("a payment")
}

fn seconds(shop: &Shop) -> i64 {
    shop.clock.now().0 / 1_000_000
}

/// Delivers an event about a thing as it is now; the status of the answer.
async fn deliver(shop: &Shop, id: &str, kind: &str, object: &Value) -> u16 {
    let (body, signature) = event(id, kind, object, seconds(shop));
    post(shop, "acme", &body, &signature).await
}

async fn post(shop: &Shop, tenant: &str, body: &str, signature: &str) -> u16 {
    let headers = [
        ("Content-Type", "application/json"),
        ("Stripe-Signature", signature),
    ];
    let path = format!("/webhooks/stripe/{tenant}");
    let sent = shop.stranger.send("POST", &path, &headers, body.as_bytes());
    sent.await.status
}

async fn owed(shop: &Shop) -> Value {
    let data = shop
        .acme
        .data(
            r#"{ account(id: "alice") { invoices { nodes { open } } } }"#,
            json!({}),
        )
        .await;
    data["account"]["invoices"]["nodes"][0]["open"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_comes_before_the_answer_settles_the_payment_and_the_answer_changes_nothing()
{
    let (shop, stand_in, stripe) = owing().await;
    let ask = intend(&shop);
    let said = stripe.collect(&ask);
    let intent = stand_in.intent(&ask.payment);
    assert_eq!(intent["amount"], 3_600);
    assert_eq!(
        deliver(&shop, "evt_1", "payment_intent.succeeded", &intent).await,
        200
    );
    assert_eq!(look(&shop, &ask.payment).stage, Stage::Settled);
    assert_eq!(owed(&shop).await, "0.00 EUR");
    let head = shop.office.store().head();
    answer(&shop, &ask.payment, said);
    assert_eq!(
        deliver(&shop, "evt_1", "payment_intent.succeeded", &intent).await,
        200
    );
    assert_eq!(
        shop.office.store().head(),
        head,
        "nothing was written twice"
    );
    assert_eq!(stand_in.charges(&ask.payment), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_and_a_lost_request_is_known_to_be_lost() {
    let (shop, stand_in, stripe) = owing().await;
    stand_in.fates(&[Fate::RequestLost, Fate::AnswerLost]);
    let ask = intend(&shop);
    let said = stripe.collect(&ask);
    assert!(matches!(said, Answer::Unknown { .. }), "{said:?}");
    answer(&shop, &ask.payment, said);
    assert_eq!(look(&shop, &ask.payment).stage, Stage::Unknown);
    assert_eq!(stripe.look_up(&ask.key, None), Known::NeverArrived);
    // Asked again under the same key: now it is charged, and nobody hears of it.
    let again = Command::SendPayment {
        payment: ask.payment.clone(),
        again: true,
    };
    ask_ledger(&shop, again);
    answer(&shop, &ask.payment, stripe.collect(&ask));
    assert_eq!(look(&shop, &ask.payment).stage, Stage::Unknown);
    let Known::As(found) = stripe.look_up(&ask.key, None) else {
        panic!("it is in the list");
    };
    answer(&shop, &ask.payment, found);
    assert_eq!(look(&shop, &ask.payment).stage, Stage::Settled);
    assert_eq!(stand_in.charges(&ask.payment), 1);
    assert_eq!(owed(&shop).await, "0.00 EUR");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_overtaken_sets_nothing_back() {
    let (shop, stand_in, stripe) = owing().await;
    stand_in.fates(&[Fate::Processing]);
    let ask = intend(&shop);
    answer(&shop, &ask.payment, stripe.collect(&ask));
    let early = stand_in.intent(&ask.payment);
    assert_eq!(
        deliver(&shop, "evt_1", "payment_intent.processing", &early).await,
        200
    );
    assert_eq!(look(&shop, &ask.payment).stage, Stage::Pending);
    assert_eq!(owed(&shop).await, "36.00 EUR");
    let reference = early["id"].as_str().expect("a name");
    stand_in.settle(reference);
    let late = stand_in.intent(&ask.payment);
    assert_eq!(
        deliver(&shop, "evt_2", "payment_intent.succeeded", &late).await,
        200
    );
    let settled = look(&shop, &ask.payment);
    assert_eq!(
        (settled.stage, settled.reference.as_deref()),
        (Stage::Settled, Some(reference))
    );
    // What was said first arrives last, and even claims that it failed.
    assert_eq!(
        deliver(&shop, "evt_1", "payment_intent.processing", &early).await,
        200
    );
    assert_eq!(
        deliver(&shop, "evt_0", "payment_intent.payment_failed", &early).await,
        200
    );
    assert_eq!(look(&shop, &ask.payment), settled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_believed_by_its_signature_its_time_and_its_tenant_only() {
    let (shop, stand_in, stripe) = owing().await;
    stand_in.fates(&[Fate::AnswerLost]);
    let ask = intend(&shop);
    answer(&shop, &ask.payment, stripe.collect(&ask));
    let intent = stand_in.intent(&ask.payment);
    let (body, signature) = event("evt_1", "payment_intent.succeeded", &intent, seconds(&shop));
    let forged = signature.replace("v1=", "v1=00");
    for (tenant, body, signature) in [
        ("acme", body.as_str(), ""),
        ("acme", &body, forged.as_str()),
        ("acme", &body.replace("evt_1", "evt_2"), &signature),
        ("rival", &body, &signature),
        ("nobody", &body, &signature),
    ] {
        assert_eq!(
            post(&shop, tenant, body, signature).await,
            400,
            "{tenant} {signature}"
        );
    }
    assert_eq!(look(&shop, &ask.payment).stage, Stage::Unknown);
    // A good one, recorded and played back when the office's clock is five minutes on.
    shop.move_to("2026-03-02T12:05:00Z");
    assert_eq!(post(&shop, "acme", &body, &signature).await, 400);
    // Stripe signs each delivery anew.
    assert_eq!(
        deliver(&shop, "evt_1", "payment_intent.succeeded", &intent).await,
        200
    );
    assert_eq!(look(&shop, &ask.payment).stage, Stage::Settled);
    // Nothing of ours, and nothing that Stripe knows.
    let customer = json!({ "object": "customer", "id": "cus_1" });
    assert_eq!(
        deliver(&shop, "evt_3", "customer.created", &customer).await,
        200
    );
    let mut unknown = intent.clone();
    unknown["id"] = json!("pi_999");
    assert_eq!(
        deliver(&shop, "evt_4", "payment_intent.succeeded", &unknown).await,
        503
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_takes_the_money_once_and_gives_it_back_once() {
    let (shop, stand_in, stripe) = owing().await;
    let ask = intend(&shop);
    answer(&shop, &ask.payment, stripe.collect(&ask));
    let reference = stand_in.intent(&ask.payment)["id"].clone();
    let dispute = json!({
        "object": "dispute", "id": "dp_1", "payment_intent": reference, "charge": "ch_1",
        "amount": 1_600, "currency": "eur", "reason": "product_not_received",
    });
    let money = |minor| Money::new(minor, ask.amount.currency);
    for _ in 0..2 {
        assert_eq!(
            deliver(&shop, "evt_1", "charge.dispute.funds_withdrawn", &dispute).await,
            200
        );
        assert_eq!(look(&shop, &ask.payment).charged_back, money(1_600));
        assert_eq!(owed(&shop).await, "16.00 EUR");
    }
    for _ in 0..2 {
        assert_eq!(
            deliver(&shop, "evt_2", "charge.dispute.funds_reinstated", &dispute).await,
            200
        );
        assert_eq!(look(&shop, &ask.payment).charged_back, money(0));
        assert_eq!(owed(&shop).await, "0.00 EUR");
    }
    // The first event once more, days late.
    assert_eq!(
        deliver(&shop, "evt_1", "charge.dispute.funds_withdrawn", &dispute).await,
        200
    );
    assert_eq!(look(&shop, &ask.payment).charged_back, money(0));
}

/// Chance that is the same for the same seed (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % 1_000).expect("small") % end
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_network_loses_delays_or_repeats_the_payer_is_charged_once() {
    for seed in 1..=24_u64 {
        let (shop, stand_in, stripe) = owing().await;
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let fates = [
            Fate::RequestLost,
            Fate::AnswerLost,
            Fate::Processing,
            Fate::Charged,
        ];
        let coming: Vec<Fate> = (0..chance.below(5))
            .map(|_| fates[chance.below(4)])
            .collect();
        stand_in.fates(&coming);
        let ask = intend(&shop);
        // As if the process had died after the intent: half the time nobody has called Stripe yet.
        if chance.below(2) == 0 {
            stripe.collect(&ask);
        }
        let mut seen: Vec<Value> = vec![];
        for _ in 0..40 {
            seen.extend(stand_in.intents());
            match chance.below(4) {
                // An event, perhaps an old one, perhaps twice, perhaps one that says what is not so.
                0 if !seen.is_empty() => {
                    let object = &seen[chance.below(seen.len())];
                    let kinds = ["payment_intent.succeeded", "payment_intent.payment_failed"];
                    let id = format!("evt_{}", chance.below(3));
                    deliver(&shop, &id, kinds[chance.below(2)], object).await;
                }
                1 => {
                    for intent in stand_in.intents() {
                        stand_in.settle(intent["id"].as_str().expect("a name"));
                    }
                    stand_in.forget_keys();
                }
                // The server's own rounds: ask what became of it, and again only what never arrived.
                _ => {
                    let payment = look(&shop, &ask.payment);
                    match stripe.look_up(&ask.key, payment.reference.as_deref()) {
                        Known::As(known) => answer(&shop, &ask.payment, known),
                        Known::NeverArrived => {
                            let again = Command::SendPayment {
                                payment: ask.payment.clone(),
                                again: true,
                            };
                            ask_ledger(&shop, again);
                            let said = stripe.collect(&ask);
                            // Or dies before it can write the answer down.
                            if chance.below(2) == 0 {
                                answer(&shop, &ask.payment, said);
                            }
                        }
                        Known::NotYet { why } => panic!("seed {seed}: {why}"),
                    }
                }
            }
        }
        for intent in stand_in.intents() {
            stand_in.settle(intent["id"].as_str().expect("a name"));
            deliver(&shop, "evt_9", "payment_intent.succeeded", &intent).await;
        }
        let payment = look(&shop, &ask.payment);
        assert_eq!(payment.stage, Stage::Settled, "seed {seed}, {coming:?}");
        assert_eq!(payment.contradictions, Vec::<String>::new(), "seed {seed}");
        assert_eq!(stand_in.charges(&ask.payment), 1, "seed {seed}, {coming:?}");
        assert_eq!(stand_in.taken(), 3_600, "seed {seed}, {coming:?}");
        assert_eq!(owed(&shop).await, "0.00 EUR", "seed {seed}");
    }
}
