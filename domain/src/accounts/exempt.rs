//! Tax exemptions of an account: for which charges, why, from when until when.

use super::{Account, Event};
use crate::kernel::{Date, Rejection};
use crate::taxes::Exemption;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaxExempted {
    pub exemption: Exemption,
}

/// From this day on, tax is charged again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaxExemptionEnded {
    pub class: Option<String>,
    pub on: Date,
}

impl Account {
    /// Why no tax is charged for a class of charges on a day, if none is.
    pub fn exempt(&self, class: &str, on: Date) -> Option<&str> {
        let holds = |e: &&Exemption| e.holds(class, on);
        self.exemptions
            .iter()
            .rev()
            .find(holds)
            .map(|e| e.reason.as_str())
    }

    pub(super) fn end_exemption(&mut self, class: &Option<String>, on: Date) {
        for e in self.exemptions.iter_mut().filter(|e| e.class == *class) {
            if e.until.is_none_or(|until| on < until) {
                e.until = Some(on);
            }
        }
        self.exemptions
            .retain(|e| e.until.is_none_or(|until| e.from < until));
    }
}

pub(super) fn exempt(state: &Account, exemption: Exemption) -> Result<Vec<Event>, Rejection> {
    if exemption.reason.trim().is_empty() {
        return Err(Rejection::new(
            "EXEMPTION_WITHOUT_REASON",
            "an exemption from tax needs the reason that the invoice will show",
        ));
    }
    if exemption.until.is_some_and(|until| until <= exemption.from) {
        return Err(Rejection::new(
            "EXEMPTION_EMPTY",
            format!(
                "an exemption from {} until before the next day holds on no day",
                exemption.from
            ),
        ));
    }
    if state.exemptions.contains(&exemption) {
        return Ok(vec![]);
    }
    Ok(vec![TaxExempted { exemption }.into()])
}

pub(super) fn end(
    state: &Account,
    class: Option<String>,
    on: Date,
) -> Result<Vec<Event>, Rejection> {
    let open = |e: &Exemption| e.class == class && e.until.is_none_or(|until| on < until);
    if state.exemptions.iter().any(open) {
        return Ok(vec![TaxExemptionEnded { class, on }.into()]);
    }
    Err(Rejection::new(
        "EXEMPTION_UNKNOWN",
        format!(
            "the account has no exemption for {} that holds on {on}",
            class.as_deref().unwrap_or("all charges")
        ),
    ))
}
