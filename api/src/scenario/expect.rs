//! Expectations: what must be true at this point of the story.

use rust_decimal::Decimal;

use super::ast::{
    Counter, Expect, Invoice, InvoiceState, Kind, Line, ShownLine, Stock, SubscriptionState,
};
use super::parse::{Lines, Mistake};
use super::words::Words;

/// Reads `expect …`, and the `line`s below an invoice.
pub(super) fn expect(words: &mut Words, lines: &mut Lines<'_>) -> Result<Kind, Mistake> {
    words.descend("what is expected")?;
    let expect = match words.verb() {
        "invoice" => Expect::Invoice(invoice(words, lines)?),
        "no" => {
            if !words.skip("invoice") {
                return Err(words.mistake("is written `expect no invoice ACCOUNT`"));
            }
            Expect::NoInvoice {
                account: words.name("an account")?,
            }
        }
        "credit-note" => credit_note(words)?,
        "balance" => Expect::Balance {
            account: words.name("an account")?,
            amount: words.decimal("an amount")?,
        },
        "credit" => Expect::Credit {
            account: words.name("an account")?,
            amount: words.decimal("an amount")?,
        },
        "wallet" => Expect::Wallet {
            wallet: words.name("a wallet")?,
            what: if words.skip("units") {
                Stock::Units
            } else if words.skip("expected") {
                Stock::Expected
            } else if words.skip("asked") {
                Stock::Asked
            } else {
                Stock::Money
            },
            amount: words.decimal("an amount")?,
        },
        "rerated" => super::reratings::expected(words)?,
        "advance" => super::folios::expected(words)?,
        "counter" => super::allowances::counter(words)?,
        "entitled" => super::allowances::entitled(words)?,
        "dunning" => {
            let account = words.name("an account")?;
            let level = words.name("a level or `clear`")?;
            Expect::Dunning {
                account,
                level: (level != "clear").then_some(level),
            }
        }
        "subscription" => Expect::Subscription {
            subscription: words.name("a subscription")?,
            state: subscription_state(words)?,
        },
        "usage" => Expect::Usage {
            counts: counts(words)?,
        },
        "mrr" => {
            let (currency, amount) = (words.need("a currency code")?, words.decimal("an amount")?);
            let on = words
                .skip("on")
                .then(|| words.date("a day after `on`"))
                .transpose()?;
            Expect::Mrr {
                currency,
                amount,
                on,
            }
        }
        _ => return Err(words.mistake("is not something a scenario can expect")),
    };
    words.end()?;
    Ok(Kind::Expect(expect))
}

fn invoice(words: &mut Words, lines: &mut Lines<'_>) -> Result<Invoice, Mistake> {
    let mut invoice = Invoice {
        account: words.name("an account")?,
        number: number(words, "the number of an invoice")?,
        total: None,
        tax: None,
        accounting_tax: None,
        balance: None,
        state: None,
        currency: None,
        kind: None,
        numbered: None,
        seller: None,
        lines: Vec::new(),
        shown: Vec::new(),
    };
    while let Some(word) = words.take() {
        match word.as_str() {
            "total" => invoice.total = Some(words.decimal("an amount after `total`")?),
            "tax" => invoice.tax = Some(words.decimal("an amount after `tax`")?),
            "accounting-tax" => {
                invoice.accounting_tax = Some(words.decimal("an amount after `accounting-tax`")?);
            }
            "currency" => {
                invoice.currency = Some(words.need("a currency code after `currency`")?);
            }
            "kind" => invoice.kind = Some(words.need("a kind of document after `kind`")?),
            "numbered" => {
                invoice.numbered = Some(words.need("a number after `numbered`")?);
            }
            "seller" => invoice.seller = Some(words.name("an entity after `seller`")?),
            "balance" => invoice.balance = Some(words.decimal("an amount after `balance`")?),
            "state" => invoice.state = Some(invoice_state(words)?),
            other => return Err(words.unknown(other)),
        }
    }
    while let Some((line, text)) = lines.take_if_verb("line") {
        let Some(mut words) = Words::cut(line, text)? else {
            continue;
        };
        let (from, until) = match words.skip("deducted") {
            true => (Line::NO_DAY, None),
            false => words.span()?,
        };
        let amount = words.decimal("an amount")?;
        words.end()?;
        invoice.lines.push(Line {
            from,
            until,
            amount,
        });
    }
    while let Some((line, text)) = lines.take_if_verb("reads") {
        let Some(mut words) = Words::cut(line, text)? else {
            continue;
        };
        let text = words.need("the text of a shown line")?;
        let amount = words.decimal("an amount")?;
        let quantity = match words.skip("quantity") {
            true => Some(words.need("a quantity after `quantity`")?),
            false => None,
        };
        words.end()?;
        invoice.shown.push(ShownLine {
            text,
            amount,
            quantity,
        });
    }
    Ok(invoice)
}

fn credit_note(words: &mut Words) -> Result<Expect, Mistake> {
    let account = words.name("an account")?;
    let number = number(words, "the number of a credit note")?;
    let (mut total, mut tax): (Option<Decimal>, Option<Decimal>) = (None, None);
    let mut accounting_tax: Option<Decimal> = None;
    while let Some(word) = words.take() {
        match word.as_str() {
            "total" => total = Some(words.decimal("an amount after `total`")?),
            "tax" => tax = Some(words.decimal("an amount after `tax`")?),
            "accounting-tax" => {
                accounting_tax = Some(words.decimal("an amount after `accounting-tax`")?);
            }
            other => return Err(words.unknown(other)),
        }
    }
    let total = total.ok_or_else(|| words.mistake("needs `total`"))?;
    Ok(Expect::CreditNote {
        account,
        number,
        total,
        tax,
        accounting_tax,
    })
}

/// An ordinal, if the next word begins with a digit.
fn number(words: &mut Words, what: &str) -> Result<Option<usize>, Mistake> {
    let given = words
        .peek()
        .is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    given.then(|| words.ordinal(what)).transpose()
}

fn invoice_state(words: &mut Words) -> Result<InvoiceState, Mistake> {
    let what =
        "draft, open, partly-paid, paid, void, written-off, requested or credited after `state`";
    Ok(match words.need(what)?.as_str() {
        "draft" => InvoiceState::Draft,
        "open" => InvoiceState::Open,
        "partly-paid" => InvoiceState::PartlyPaid,
        "paid" => InvoiceState::Paid,
        "void" => InvoiceState::Void,
        "written-off" => InvoiceState::WrittenOff,
        "requested" => InvoiceState::Requested,
        "credited" => InvoiceState::Credited,
        "rejected" => InvoiceState::Rejected,
        other => return Err(words.misfit(what, other)),
    })
}

fn subscription_state(words: &mut Words) -> Result<SubscriptionState, Mistake> {
    let what = "pending, active, paused, terminated or cancelled";
    Ok(match words.need(what)?.as_str() {
        "pending" => SubscriptionState::Pending,
        "active" => SubscriptionState::Active,
        "paused" => SubscriptionState::Paused,
        "terminated" => SubscriptionState::Terminated,
        "cancelled" => SubscriptionState::Cancelled,
        other => return Err(words.misfit(what, other)),
    })
}

fn counts(words: &mut Words) -> Result<Vec<(Counter, u64)>, Mistake> {
    let mut counts = Vec::new();
    while let Some(word) = words.take() {
        let counter = match word.as_str() {
            "received" => Counter::Received,
            "accepted" => Counter::Accepted,
            "duplicates" => Counter::Duplicates,
            "conflicts" => Counter::Conflicts,
            "unreadable" => Counter::Unreadable,
            "rated" => Counter::Rated,
            "pending" => Counter::Pending,
            "rejected" => Counter::Rejected,
            "superseded" => Counter::Superseded,
            other => return Err(words.unknown(other)),
        };
        counts.push((counter, words.whole(&format!("a count after `{word}`"))?));
    }
    if counts.is_empty() {
        return Err(
            words.mistake("needs at least one count, as in `expect usage rated 3 rejected 1`")
        );
    }
    Ok(counts)
}
