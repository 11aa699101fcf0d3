use crate::command::Outcome;
use crate::command::{FailureKind, RecordPayment};
use crate::kernel::{Id, Money, Rejection};
use crate::session::Session;

pub(super) fn write_off(_s: &mut Session<'_>, _i: &str, _r: String) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
pub(super) fn grant_credit(
    _s: &mut Session<'_>,
    _a: &str,
    _c: Id,
    _m: Money,
    _r: String,
) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
pub(super) fn record(_s: &mut Session<'_>, _p: RecordPayment) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
pub(super) fn settle(_s: &mut Session<'_>, _p: &str) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
pub(super) fn fail(
    _s: &mut Session<'_>,
    _p: &str,
    _k: FailureKind,
    _r: String,
) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
pub(super) fn refund(
    _s: &mut Session<'_>,
    _p: &str,
    _m: Option<Money>,
    _r: String,
) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
pub(super) fn charge_back(
    _s: &mut Session<'_>,
    _p: &str,
    _m: Option<Money>,
    _r: String,
) -> Result<Outcome, Rejection> {
    Err(Rejection::new("NOT_READY", "not ready"))
}
