//! Errors as clients see them: a stable code in `extensions.code`, a sentence, and the path GraphQL adds.

use async_graphql::{Error, ErrorExtensions as _};
use indelible_domain::kernel::Rejection;

/// A refusal of the edge itself.
pub fn refused(code: &str, sentence: impl Into<String>) -> Error {
    Error::new(sentence).extend_with(|_, extensions| extensions.set("code", code))
}

/// A refusal of the domain, passed on as it is.
pub fn rejected(rejection: Rejection) -> Error {
    refused(&rejection.code, rejection.message)
}

/// What a client may not see and what does not exist are the same answer.
pub fn unknown(kind: &str, key: &str) -> Error {
    refused("NOT_FOUND", format!("there is no {kind} `{key}`"))
}

/// Something that is not the caller's fault: the cause goes to the log under a number, the caller gets the number.
pub fn broken(code: &str, what: &str, cause: &(dyn std::error::Error + 'static)) -> Error {
    let quote = quote();
    tracing::error!(code, quote, %cause, "{what}");
    Error::new(format!("{what}; quote {quote} when you report it"))
        .extend_with(|_, extensions| extensions.set("code", code))
}

fn quote() -> String {
    let mut bytes = [0_u8; 4];
    // Without randomness the number is all zeros, which still finds the line in the log.
    getrandom::fill(&mut bytes).ok();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
