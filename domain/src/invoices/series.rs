//! Numbers without gaps: one series per legal entity × kind of document × year of issue (policy 23).

use super::Kind;
use crate::events;
use crate::kernel::{Date, Decider, Id, Rejection};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub last: u64,
    pub last_issued: Option<Date>,
}

/// Stream id of a series.
pub fn id(entity: &str, kind: Kind, year: i32) -> Id {
    format!("{entity}/{}/{year}", kind.code())
}

/// `ACME-2026-000001` for an invoice, `ACME-CN-2026-000001` for a credit note, `ACME-ADV-2026-000001` for an invoice of an advance,
/// `ACME-PF-2026-000001` for what asks for one, `ACME-DN-2026-000001` for a debit note.
pub fn number(prefix: &str, kind: Kind, year: i32, n: u64) -> String {
    let kind = match kind {
        Kind::Invoice => "",
        Kind::CreditNote => "CN-",
        Kind::AdvanceInvoice => "ADV-",
        Kind::AdvanceRequest => "PF-",
        Kind::DebitNote => "DN-",
    };
    format!("{prefix}{kind}{year}-{n:06}")
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Numbered {
    pub n: u64,
    pub invoice: Id,
    pub issued: Date,
    /// BLAKE3 of the numbered document's stored bytes.
    pub digest: [u8; 32],
}

events! {
    /// What happens to a series of numbers.
    pub enum Event in "series" {
        Numbered = "numbered" 1,
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    Number {
        invoice: Id,
        issued: Date,
        digest: [u8; 32],
    },
}

impl Decider for Series {
    type State = Series;
    type Command = Command;
    type Event = Event;

    fn decide(state: &Series, command: Command) -> Result<Vec<Event>, Rejection> {
        let Command::Number {
            invoice,
            issued,
            digest,
        } = command;
        if let Some(last) = state.last_issued
            && issued < last
        {
            return Err(Rejection::new(
                "ISSUE_DATE_BACK",
                format!("the series' last document is of {last}, asked to issue one on {issued}"),
            ));
        }
        Ok(vec![
            Numbered {
                n: state.last + 1,
                invoice,
                issued,
                digest,
            }
            .into(),
        ])
    }

    fn evolve(state: &mut Series, event: &Event) {
        let Event::Numbered(e) = event;
        state.last = e.n;
        state.last_issued = Some(e.issued);
    }
}
