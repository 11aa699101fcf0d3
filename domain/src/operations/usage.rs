use crate::command::Outcome;
use crate::kernel::Rejection;
use crate::mediation::Intake;
use crate::session::Session;

pub(super) fn ingest(_s: &mut Session<'_>, _i: Intake) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
