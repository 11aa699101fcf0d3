//! What dunning would do, without doing it.

use crate::accounts::folio;
use crate::command::Command;
use crate::dunning::Event;
use crate::kernel::{Date, Id, Rejection};
use crate::operations::execute;
use crate::processes::agenda::Timer;
use crate::session::Session;
use crate::world::{Event as Fact, Tenant};

/// What would happen to one account.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    pub account: Id,
    /// The events of its case, or why it would be refused.
    pub events: Result<Vec<Event>, Rejection>,
}

/// What the clock would do on a day if nothing else happened until then, for at most `limit` accounts after one. Nothing is
/// written.
pub fn preview(tenant: &Tenant, on: Date, after: Option<&str>, limit: usize) -> Vec<Preview> {
    let timers = tenant.agenda.through(on);
    let accounts = timers.filter_map(|(_, timer)| match timer {
        Timer::Dun { account } => Some(account),
        _ => None,
    });
    let mut accounts: Vec<&Id> = accounts
        .filter(|account| after.is_none_or(|after| account.as_str() > after))
        .collect();
    accounts.sort();
    let accounts = accounts.into_iter().take(limit);
    accounts.map(|account| of(tenant, account, on)).collect()
}

fn of(tenant: &Tenant, account: &Id, on: Date) -> Preview {
    let terms = tenant
        .tables
        .accounts
        .get(folio::owner(account))
        .map(|a| &a.state.terms);
    let at = terms.map(|t| t.zone.start_of(on)).unwrap_or_default();
    let mut session = Session::new(tenant, at);
    let command = Command::DunAccount {
        account: account.clone(),
    };
    let events = execute(&mut session, command).map(|_| {
        let staged = session.events().iter();
        let of_case = staged.filter_map(|staged| match &staged.event {
            Fact::Dunning(event) if *staged.id == *account => Some(event.clone()),
            _ => None,
        });
        of_case.collect()
    });
    Preview {
        account: account.clone(),
        events,
    }
}
