//! What credit control answers.

use super::{LastAction, Quota};
use crate::kernel::{Exact, Id, Rejection};
use serde::{Deserialize, Serialize};

/// Result codes (RFC 6733 7.1, RFC 8506 9).
pub mod code {
    pub const SUCCESS: u16 = 2001;
    /// The account cannot pay for it.
    pub const CREDIT_LIMIT_REACHED: u16 = 4012;
    /// The user may not use the service now: not started, paused, ended.
    pub const AUTHORIZATION_REJECTED: u16 = 5003;
    /// Nobody has this number.
    pub const USER_UNKNOWN: u16 = 5030;
    /// There is no price for it, or not enough was told to find it.
    pub const RATING_FAILED: u16 = 5031;
}

/// What is answered to a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Success if any service was; else what the first service was refused for.
    pub result: u16,
    pub services: Vec<Served>,
}

/// What is answered for one service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Served {
    pub service: Id,
    pub result: u16,
    /// What may be used, and until when.
    pub quota: Option<Quota>,
    /// In seconds, from the request on.
    pub validity: Option<u32>,
    /// The granted units are the last ones; what to do after them.
    pub last: Option<LastAction>,
    /// What is set aside for the granted units; of a price enquiry the price.
    pub cost: Option<Exact>,
    /// What was debited; below zero: given back.
    pub debited: Option<Exact>,
    /// Of a balance check: whether there is enough.
    pub enough: Option<bool>,
    /// Why not.
    pub reason: Option<Rejection>,
}

/// The result code of a refusal by the rules of rating and wallets.
pub fn result_of(refused: &Rejection) -> u16 {
    match refused.code.as_str() {
        "WALLET_INSUFFICIENT" => code::CREDIT_LIMIT_REACHED,
        "ACCESS_UNKNOWN" => code::USER_UNKNOWN,
        "SUBSCRIPTION_NOT_ACTIVE"
        | "SUBSCRIPTION_TERMINATED"
        | "SUBSCRIPTION_PAUSED"
        | "USAGE_RESTRICTED" => code::AUTHORIZATION_REJECTED,
        _ => code::RATING_FAILED,
    }
}

impl Answer {
    /// The answer with what its services say as a whole.
    pub fn of(services: Vec<Served>) -> Answer {
        let any = services.iter().any(|s| s.result == code::SUCCESS);
        let result = match services.first() {
            Some(first) if !any => first.result,
            _ => code::SUCCESS,
        };
        Answer { result, services }
    }

    /// What was answered for one service.
    pub fn service(&self, service: &str) -> Option<&Served> {
        self.services.iter().find(|s| s.service == service)
    }
}

impl Served {
    pub fn refuse(&mut self, reason: Rejection) {
        self.result = result_of(&reason);
        self.reason = Some(reason);
    }
}
