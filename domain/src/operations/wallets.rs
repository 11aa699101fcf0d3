use crate::command::Outcome;
use crate::kernel::{Date, Id, Money, Rejection};
use crate::session::Session;

pub(super) fn open(
    _s: &mut Session<'_>,
    _w: &str,
    _a: &str,
    _p: u32,
) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
pub(super) fn top_up(
    _s: &mut Session<'_>,
    _w: &str,
    _g: Id,
    _m: Money,
    _e: Option<Date>,
) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
