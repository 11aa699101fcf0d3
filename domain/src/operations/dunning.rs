use crate::command::DunningLevel;
use crate::command::Outcome;
use crate::kernel::Rejection;
use crate::session::Session;

pub(super) fn set_policy(
    _s: &mut Session<'_>,
    _p: &str,
    _l: Vec<DunningLevel>,
) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
pub(super) fn dun(_s: &mut Session<'_>, _a: &str) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
pub(super) fn pause(_s: &mut Session<'_>, _a: &str, _r: String) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
pub(super) fn resume(_s: &mut Session<'_>, _a: &str) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
