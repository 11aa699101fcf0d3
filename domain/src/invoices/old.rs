//! Documents as they were stored: 1 before they had a buyer of their own, 2 before lines had discounts and gross prices and
//! taxes had parts, 3 before lines could be converted and documents be shown otherwise than line by line. A draft of version
//! 1 is of the same time as a final document of version 2, one of version 2 as one of version 3.

use super::{Document, Drafted, Finalised, Kind, Line, Reduction, Shown, TaxGroup};
use crate::accounts::Buyer;
use crate::charges::What;
use crate::kernel::{Currency, Date, Exact, Id, Money, Personal, Rounding};
use crate::taxes::{Answer, AnswerV1};
use serde::Deserialize;
use std::sync::Arc;

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
            converted: None,
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
            shown: Shown::default(),
            order: None,
            method: None,
        }
    }
}

impl From<DraftedV1> for Drafted {
    fn from(old: DraftedV1) -> Drafted {
        Drafted {
            document: Arc::new(old.document.into()),
        }
    }
}

impl From<FinalisedV1> for Finalised {
    fn from(old: FinalisedV1) -> Finalised {
        Finalised {
            number: old.number,
            issued: old.issued,
            due: old.due,
            document: Arc::new(old.document.into()),
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
            document: Arc::new(old.document.into()),
            buyer: old.buyer,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
struct LineV2 {
    no: u32,
    account: Id,
    subscription: Option<Id>,
    what: What,
    text: String,
    quantity: String,
    exact: Exact,
    net: Money,
    tax: Answer,
    explain: String,
    corrects_line: Option<u32>,
    reductions: Vec<Reduction>,
    gross: Option<Money>,
}

#[derive(Clone, Debug, Deserialize)]
struct DocumentV2 {
    kind: Kind,
    account: Id,
    entity: Id,
    currency: Currency,
    rounding: Rounding,
    as_of: Date,
    lines: Vec<LineV2>,
    taxes: Vec<TaxGroup>,
    net: Money,
    tax: Money,
    total: Money,
    corrects: Option<Id>,
    run: Option<Id>,
}

/// A draft of version 2.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DraftedV2 {
    document: DocumentV2,
}

/// A final document of version 3.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct FinalisedV3 {
    number: String,
    issued: Date,
    due: Date,
    document: DocumentV2,
    buyer: Option<Personal<Buyer>>,
}

impl From<LineV2> for Line {
    fn from(old: LineV2) -> Line {
        Line {
            no: old.no,
            account: old.account,
            subscription: old.subscription,
            what: old.what,
            text: old.text,
            quantity: old.quantity,
            exact: old.exact,
            net: old.net,
            tax: old.tax,
            explain: old.explain,
            corrects_line: old.corrects_line,
            reductions: old.reductions,
            gross: old.gross,
            converted: None,
        }
    }
}

impl From<DocumentV2> for Document {
    fn from(old: DocumentV2) -> Document {
        Document {
            kind: old.kind,
            account: old.account,
            entity: old.entity,
            currency: old.currency,
            rounding: old.rounding,
            as_of: old.as_of,
            lines: old.lines.into_iter().map(Into::into).collect(),
            taxes: old.taxes,
            net: old.net,
            tax: old.tax,
            total: old.total,
            corrects: old.corrects,
            run: old.run,
            shown: Shown::default(),
            order: None,
            method: None,
        }
    }
}

impl From<DraftedV2> for Drafted {
    fn from(old: DraftedV2) -> Drafted {
        Drafted {
            document: Arc::new(old.document.into()),
        }
    }
}

impl From<FinalisedV3> for Finalised {
    fn from(old: FinalisedV3) -> Finalised {
        Finalised {
            number: old.number,
            issued: old.issued,
            due: old.due,
            document: Arc::new(old.document.into()),
            buyer: old.buyer,
        }
    }
}
