//! Documents: invoices and credit notes, from draft to finalised to void.
//!
//! - A draft can be computed again and has no number; finalising numbers and freezes it (policy 23).
//! - total = Σ net lines + Σ tax of its groups; tax is computed per tax and rate over the group's net (policy 21).
//! - A document below zero is a credit note; what it gives back becomes account credit (policy 28).
//! - The credit notes of an invoice never exceed it, and notes for everything equal it exactly, tax included (policy 22).
//! - A void document keeps its number.
//! - What asks for money before the supply is of a kind of its own: an invoice of an advance, or a request, which books nothing.
//! - A draft that is held keeps its lines: nothing else bills them while it waits to be released or rejected.
//! - Where the legal entity has another currency than the document, the tax is told in that one too.
//! - Finalising records the buyer as it is then, sealed under the key of legal documents: the contact may go before that.

pub mod compose;
mod converted;
mod hold;
mod old;
pub mod product_lines;
pub mod series;
pub mod shown;
pub(crate) mod stated;

use crate::accounts::{Buyer, Folio};
use crate::charges::What;
use crate::events;
use crate::kernel::{Currency, Date, Decider, Exact, Id, Money, Personal, Rejection, Rounding};
use crate::taxes::Answer;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub use converted::Converted;
pub use hold::{GRACE, Held, Hold, KEPT, Reason, Rejected, Released};
pub use product_lines::product_lines;
pub use series::Series;
pub use shown::Shown;
pub use stated::{StatedTax, TaxStated};

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    #[default]
    Invoice,
    CreditNote,
    /// An invoice with its tax over what is asked for before the supply.
    AdvanceInvoice,
    /// Asks for money before the supply and is no invoice: nothing is owed or taxed by it.
    AdvanceRequest,
    /// Asks for more of what was invoiced before.
    DebitNote,
}

impl Kind {
    pub fn code(self) -> &'static str {
        match self {
            Kind::Invoice => "invoice",
            Kind::CreditNote => "credit-note",
            Kind::AdvanceInvoice => "advance-invoice",
            Kind::AdvanceRequest => "advance-request",
            Kind::DebitNote => "debit-note",
        }
    }

    /// What readers call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Invoice => "invoice",
            Kind::CreditNote => "credit note",
            Kind::AdvanceInvoice => "advance invoice",
            Kind::AdvanceRequest => "request for an advance",
            Kind::DebitNote => "debit note",
        }
    }

    /// Its code in UNTDID 1001, which EN 16931 calls BT-3: commercial invoice, credit note, prepayment invoice, pro forma
    /// invoice, debit note.
    pub fn type_code(self) -> u16 {
        match self {
            Kind::Invoice => 380,
            Kind::CreditNote => 381,
            Kind::AdvanceInvoice => 386,
            Kind::AdvanceRequest => 325,
            Kind::DebitNote => 383,
        }
    }

    /// Whether something is owed and taxed by it, or given back.
    pub fn is_booked(self) -> bool {
        self != Kind::AdvanceRequest
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// From 1, in the order shown.
    pub no: u32,
    /// The account that used it; the document's account unless a parent pays.
    pub account: Id,
    pub subscription: Option<Id>,
    pub what: What,
    pub text: String,
    pub quantity: String,
    /// Before rounding.
    pub exact: Exact,
    /// Negative where something is given back.
    pub net: Money,
    pub tax: Answer,
    /// The arithmetic in words.
    pub explain: String,
    /// For a line of a credit note: the line of the corrected invoice.
    pub corrects_line: Option<u32>,
    /// What discounts took off, in the order in which they did; `net` (or `gross`) is what they left.
    pub reductions: Vec<Reduction>,
    /// Of a line whose price includes tax: what the customer pays for it. `net` follows from it.
    pub gross: Option<Money>,
    /// Of a charge that is sold in another currency than the document's: what it was, and the rate.
    pub converted: Option<Converted>,
}

/// What one discount took off a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reduction {
    /// Who had it: the redemption's id; empty where an earlier discount is taken back with what it was of.
    pub redemption: Id,
    pub text: String,
    /// Positive where it lowers the line; of a price that includes tax, tax included.
    pub amount: Money,
}

impl Line {
    /// What the line costs as its price is told: with tax where the price includes it.
    pub fn priced(&self) -> Money {
        self.gross.unwrap_or(self.net)
    }

    /// The same before discounts.
    pub fn before_discounts(&self) -> Money {
        let priced = self.priced();
        self.reductions
            .iter()
            .fold(priced, |sum, r| sum.plus(r.amount))
    }
}

/// The tax of all lines of one tax and rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaxGroup {
    pub tax: Answer,
    pub net: Money,
    pub amount: Money,
    /// Of a composite tax: what each part takes of the amount.
    pub parts: Vec<(String, Money)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    pub kind: Kind,
    pub account: Id,
    pub entity: Id,
    pub currency: Currency,
    pub rounding: Rounding,
    /// Everything due on or before this day is on it.
    #[serde(with = "crate::kernel::written")]
    pub as_of: Date,
    pub lines: Vec<Line>,
    pub taxes: Vec<TaxGroup>,
    pub net: Money,
    pub tax: Money,
    pub total: Money,
    /// The invoice that a credit note corrects.
    pub corrects: Option<Id>,
    /// The bill run that made it.
    pub run: Option<Id>,
    /// How its lines are put together for whoever reads it.
    pub shown: Shown,
    /// The order that all of it is of, where documents are split by orders.
    pub order: Option<String>,
    /// The payment method that it is to be collected by, where documents are split by methods.
    pub method: Option<Id>,
}

impl Document {
    /// The folio that it is on, of its account.
    pub fn folio(&self) -> Folio {
        Folio {
            entity: self.entity.clone(),
            currency: self.currency,
        }
    }
}

impl Default for Document {
    fn default() -> Self {
        let none = Money::zero(Currency::default());
        Document {
            kind: Kind::Invoice,
            account: Id::new(),
            entity: Id::new(),
            currency: Currency::default(),
            rounding: Rounding::HalfUp,
            as_of: Date::default(),
            lines: vec![],
            taxes: vec![],
            net: none,
            tax: none,
            total: none,
            corrects: None,
            run: None,
            shown: Shown::default(),
            order: None,
            method: None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    #[default]
    Absent,
    Draft,
    Finalised,
    Void,
    /// A draft that was refused after it was looked at: its charges are due again.
    Rejected,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Invoice {
    pub stage: Stage,
    pub document: Arc<Document>,
    pub number: String,
    pub issued: Option<Date>,
    pub due: Option<Date>,
    /// Who it was made out to when it was finalised; none where the account had said nothing.
    pub buyer: Option<Personal<Buyer>>,
    /// Credit notes so far: (note, line of this invoice, net taken off, tax taken off), positive.
    pub credited: Vec<Credited>,
    /// Of a draft that waits: why, and until when.
    pub hold: Option<Hold>,
    /// Its tax in the currency of its legal entity, where that is another one than its own.
    pub stated: Option<Box<TaxStated>>,
}

/// A part of a line given back by a credit note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Credited {
    pub note: Id,
    pub line: u32,
    pub net: Money,
    /// Tax of the line's group that went with it.
    pub tax: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drafted {
    /// Shared by the fact, the state that it leads to and whoever looks at either.
    pub document: Arc<Document>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finalised {
    pub number: String,
    #[serde(with = "crate::kernel::written")]
    pub issued: Date,
    #[serde(with = "crate::kernel::written")]
    pub due: Date,
    /// Shared, as in [`Drafted`].
    pub document: Arc<Document>,
    /// Who it is made out to.
    pub buyer: Option<Personal<Buyer>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Voided {
    pub reason: String,
}

/// Parts of this invoice were given back by a credit note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditNoted {
    pub parts: Vec<Credited>,
}

events! {
    /// What happens to a document.
    pub enum Event in "invoice" {
        Drafted = "drafted" 3 from { 1: old::DraftedV1, 2: old::DraftedV2 },
        Finalised = "finalised" 4 from { 1: old::FinalisedV1, 2: old::FinalisedV2, 3: old::FinalisedV3 },
        Voided = "voided" 1,
        CreditNoted = "credit-noted" 1,
        Held = "held" 1,
        Released = "released" 1,
        Rejected = "rejected" 1,
        TaxStated = "tax-stated" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Draft(Box<Document>),
    Finalise {
        number: String,
        issued: Date,
        due: Date,
        document: Box<Document>,
        buyer: Option<Personal<Buyer>>,
    },
    Void {
        reason: String,
    },
    Credit {
        parts: Vec<Credited>,
    },
    /// Its tax in another currency, in the commit that finalises it.
    StateTax(TaxStated),
    /// A draft waits and keeps its lines.
    Hold(Hold),
    /// It waits no longer; it is finalised in the same commit.
    Release {
        note: String,
    },
    /// It becomes no invoice.
    Reject {
        reason: String,
    },
}

impl Invoice {
    pub fn line(&self, no: u32) -> Option<&Line> {
        self.document.lines.iter().find(|l| l.no == no)
    }

    /// Net of a line that no credit note has taken off yet.
    pub fn line_left(&self, line: &Line) -> Money {
        line.net.minus(Money::sum(
            line.net.currency,
            self.credited
                .iter()
                .filter(|c| c.line == line.no)
                .map(|c| c.net),
        ))
    }

    /// What is left of the document after its credit notes, tax included.
    pub fn left(&self) -> Money {
        self.document.total.minus(Money::sum(
            self.document.currency,
            self.credited.iter().map(|c| c.net.plus(c.tax)),
        ))
    }
}

impl Decider for Invoice {
    type State = Invoice;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Invoice, command: Command) -> Result<Vec<Event>, Rejection> {
        match (command, &state.stage) {
            (
                command @ (Command::Hold(_) | Command::Release { .. } | Command::Reject { .. }),
                _,
            ) => hold::decide(state, command),
            (Command::Draft(document), Stage::Draft) if *document == *state.document => Ok(vec![]),
            (Command::Draft(document), Stage::Absent | Stage::Draft) => {
                check_sums(&document)?;
                Ok(vec![
                    Drafted {
                        document: Arc::from(document),
                    }
                    .into(),
                ])
            }
            (
                Command::Finalise {
                    number,
                    issued,
                    due,
                    document,
                    buyer,
                },
                Stage::Absent | Stage::Draft,
            ) => {
                check_sums(&document)?;
                Ok(vec![
                    Finalised {
                        number,
                        issued,
                        due,
                        document: Arc::from(document),
                        buyer,
                    }
                    .into(),
                ])
            }
            (Command::Draft(_) | Command::Finalise { .. }, Stage::Rejected) => {
                Err(hold::no_longer())
            }
            (Command::Draft(_) | Command::Finalise { .. }, Stage::Void)
                if state.number.is_empty() =>
            {
                Err(Rejection::new(
                    "INVOICE_FINAL",
                    "this draft is void and never changes",
                ))
            }
            (Command::Draft(_) | Command::Finalise { .. }, _) => Err(Rejection::new(
                "INVOICE_FINAL",
                format!("document {} is finalised and never changes", state.number),
            )),
            (Command::Void { reason }, Stage::Draft | Stage::Finalised)
                if state.credited.is_empty() =>
            {
                Ok(vec![Voided { reason }.into()])
            }
            (Command::Void { .. }, Stage::Draft | Stage::Finalised) => Err(Rejection::new(
                "INVOICE_CREDITED",
                format!(
                    "document {} has credit notes: it cannot be voided",
                    state.number
                ),
            )),
            (Command::Void { .. }, Stage::Rejected) => Err(hold::no_longer()),
            (Command::Void { .. }, Stage::Void) => Err(Rejection::new(
                "INVOICE_VOID",
                format!("document {} is already void", state.number),
            )),
            (Command::Credit { parts }, Stage::Finalised) => credit(state, parts),
            (Command::StateTax(told), _) => Ok(vec![stated::decide(state, told)?.into()]),
            (_, Stage::Absent) => Err(Rejection::new(
                "INVOICE_UNKNOWN",
                "there is no such document",
            )),
            (Command::Credit { .. }, _) => Err(Rejection::new(
                "INVOICE_NOT_FINAL",
                "only a finalised document can be credited",
            )),
        }
    }

    fn evolve(state: &mut Invoice, event: &Event) {
        match event {
            Event::Drafted(e) => {
                state.stage = Stage::Draft;
                state.document = Arc::clone(&e.document);
            }
            Event::Finalised(e) => {
                state.stage = Stage::Finalised;
                state.hold = None;
                state.document = Arc::clone(&e.document);
                state.number.clone_from(&e.number);
                state.issued = Some(e.issued);
                state.due = Some(e.due);
                state.buyer.clone_from(&e.buyer);
            }
            Event::Voided(_) => {
                state.stage = Stage::Void;
                state.hold = None;
            }
            Event::Held(e) => state.hold = Some(e.hold.clone()),
            Event::Released(_) => state.hold = None,
            Event::Rejected(_) => {
                state.stage = Stage::Rejected;
                state.hold = None;
            }
            Event::CreditNoted(e) => state.credited.extend(e.parts.iter().cloned()),
            Event::TaxStated(e) => state.stated = Some(Box::new(e.clone())),
        }
    }
}

/// A document whose sums do not hold must not come to exist.
fn check_sums(document: &Document) -> Result<(), Rejection> {
    let net = Money::sum(document.currency, document.lines.iter().map(|l| l.net));
    let tax = Money::sum(document.currency, document.taxes.iter().map(|t| t.amount));
    if net != document.net || tax != document.tax || net.plus(tax) != document.total {
        return Err(Rejection::new(
            "DOCUMENT_UNBALANCED",
            format!("lines {net} and tax {tax} do not make {}", document.total),
        ));
    }
    Ok(())
}

fn credit(state: &Invoice, parts: Vec<Credited>) -> Result<Vec<Event>, Rejection> {
    let mut next = state.clone();
    for part in &parts {
        let Some(line) = next.line(part.line).cloned() else {
            return Err(Rejection::new(
                "LINE_UNKNOWN",
                format!("document {} has no line {}", state.number, part.line),
            ));
        };
        let left = next.line_left(&line);
        if part.net.minor <= 0 || part.net.minor > left.minor {
            return Err(Rejection::new(
                "CREDIT_TOO_LARGE",
                format!(
                    "line {} of {} has {left} left, asked to credit {}",
                    part.line, state.number, part.net
                ),
            ));
        }
        next.credited.push(part.clone());
    }
    if next.left().is_negative() {
        return Err(Rejection::new(
            "CREDIT_TOO_LARGE",
            format!("credit notes would exceed document {}", state.number),
        ));
    }
    Ok(if parts.is_empty() {
        vec![]
    } else {
        vec![CreditNoted { parts }.into()]
    })
}
