//! Documents as they were stored: 1 before they had a buyer of their own, 2 before lines had discounts and gross prices and
//! taxes had parts. A draft of version 1 is of the same time as a final document of version 2.

use super::{Document, Drafted, Finalised, Kind, Line, TaxGroup};
use crate::accounts::Buyer;
use crate::charges::What;
use crate::kernel::{Currency, Date, Exact, Id, Money, Personal, Rounding};
use crate::taxes::AnswerV1;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
struct LineV1 {
    no: u32,
    account: Id,
    subscription: Option<Id>,
    what: What,
    text: String,
    quantity: String,
    exact: Exact,
    net: Money,
    tax: AnswerV1,
    explain: String,
    corrects_line: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
struct TaxGroupV1 {
    tax: AnswerV1,
    net: Money,
    amount: Money,
}

#[derive(Clone, Debug, Deserialize)]
struct DocumentV1 {
    kind: Kind,
    account: Id,
    entity: Id,
    currency: Currency,
    rounding: Rounding,
    as_of: Date,
    lines: Vec<LineV1>,
    taxes: Vec<TaxGroupV1>,
    net: Money,
    tax: Money,
    total: Money,
    corrects: Option<Id>,
    run: Option<Id>,
}

/// A draft of version 1.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DraftedV1 {
    document: DocumentV1,
}

/// A final document of version 1.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct FinalisedV1 {
    number: String,
    issued: Date,
    due: Date,
    document: DocumentV1,
}

/// A final document of version 2.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct FinalisedV2 {
    number: String,
    issued: Date,
    due: Date,
    document: DocumentV1,
    buyer: Option<Personal<Buyer>>,
}

impl From<LineV1> for Line {
    fn from(old: LineV1) -> Line {
        Line {
            no: old.no,
            account: old.account,
            subscription: old.subscription,
            what: old.what,
            text: old.text,
            quantity: old.quantity,
            exact: old.exact,
            net: old.net,
            tax: old.tax.into(),
            explain: old.explain,
            corrects_line: old.corrects_line,
            reductions: vec![],
            gross: None,
        }
    }
}

impl From<TaxGroupV1> for TaxGroup {
    fn from(old: TaxGroupV1) -> TaxGroup {
        TaxGroup {
            tax: old.tax.into(),
            net: old.net,
            amount: old.amount,
            parts: vec![],
        }
    }
}

impl From<DocumentV1> for Document {
    fn from(old: DocumentV1) -> Document {
        Document {
            kind: old.kind,
            account: old.account,
            entity: old.entity,
            currency: old.currency,
            rounding: old.rounding,
            as_of: old.as_of,
            lines: old.lines.into_iter().map(Into::into).collect(),
            taxes: old.taxes.into_iter().map(Into::into).collect(),
            net: old.net,
            tax: old.tax,
            total: old.total,
            corrects: old.corrects,
            run: old.run,
        }
    }
}

impl From<DraftedV1> for Drafted {
    fn from(old: DraftedV1) -> Drafted {
        Drafted {
            document: old.document.into(),
        }
    }
}

impl From<FinalisedV1> for Finalised {
    fn from(old: FinalisedV1) -> Finalised {
        Finalised {
            number: old.number,
            issued: old.issued,
            due: old.due,
            document: old.document.into(),
            buyer: None,
        }
    }
}

impl From<FinalisedV2> for Finalised {
    fn from(old: FinalisedV2) -> Finalised {
        Finalised {
            number: old.number,
            issued: old.issued,
            due: old.due,
            document: old.document.into(),
            buyer: old.buyer,
        }
    }
}
