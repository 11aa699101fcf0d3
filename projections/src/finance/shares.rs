//! What each party gets of documents whose charges are shared with it, by day.

use indelible_domain::journal::Ledger;
use indelible_domain::kernel::{Date, Id, Money};
use indelible_domain::shares::{self, Owed};
use indelible_domain::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::{Projection, Rows, Snapshot, ViewError};

/// What one party gets of one line; below zero: what it gives back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyShare {
    pub party: Id,
    pub document: Id,
    pub line: u32,
    pub charge: String,
    /// Whose document it is.
    pub account: Id,
    pub entity: Id,
    pub on: Date,
    pub amount: Money,
    /// The revenue that it is a part of.
    pub of: Ledger,
}

/// Rows: `p/party/day/document/line/which` a [`PartyShare`], where `which` is 0 for what was given and 1 for what a void
/// took back; `o/document` what is owed of it.
pub struct Shares;

impl Projection for Shares {
    const NAME: &'static str = "finance/shares";
    const VERSION: u32 = 1;
    const KINDS: &'static [&'static str] = &["share"];

    fn fold(rows: &mut Rows<'_>, recorded: &Recorded<Event>) -> Result<(), ViewError> {
        let Event::Share(fact) = &recorded.event else {
            return Ok(());
        };
        let document = &recorded.id;
        let known = format!("o/{document}");
        match fact {
            shares::Event::Owed(owed) => {
                rows.put(&known, owed)?;
                put(rows, document, owed, (owed.on, 0))
            }
            shares::Event::TakenBack(e) => {
                let Some(mut owed) = rows.get::<Owed>(&known)? else {
                    return Ok(());
                };
                for part in &mut owed.parts {
                    part.amount = part.amount.negated();
                }
                put(rows, document, &owed, (e.on, 1))
            }
        }
    }
}

fn put(
    rows: &mut Rows<'_>,
    document: &Id,
    owed: &Owed,
    (on, which): (Date, u8),
) -> Result<(), ViewError> {
    for part in &owed.parts {
        let (party, line) = (&part.party, part.line);
        let key = format!("p/{party}/{on}/{document}/{line:010}/{which}");
        let row = PartyShare {
            party: party.clone(),
            document: document.clone(),
            line,
            charge: part.charge.clone(),
            account: owed.account.clone(),
            entity: owed.entity.clone(),
            on,
            amount: part.amount,
            of: part.of,
        };
        rows.put(&key, &row)?;
    }
    Ok(())
}

/// What a party got on days in `[from, until)` (none: without bound), in the order of the days.
pub fn of_party(
    snapshot: &Snapshot<'_>,
    party: &str,
    from: Option<Date>,
    until: Option<Date>,
) -> Result<Vec<PartyShare>, ViewError> {
    let edge = |day: Option<Date>, open: String| day.map_or(open, |d| format!("p/{party}/{d}"));
    let first = edge(from, format!("p/{party}/"));
    let last = edge(until, format!("p/{party}0"));
    let mut found = Vec::new();
    snapshot.each::<Shares, PartyShare>(&first, &last, &mut |_, share| {
        found.push(share);
        Ok(true)
    })?;
    Ok(found)
}
