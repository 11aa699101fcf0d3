use indelible_domain::kernel::Rejection;

/// Why a file cannot be read or written. It stores nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// SCREAMING_SNAKE, never changed once shipped.
    pub code: &'static str,
    /// What is, and what was asked.
    pub message: String,
}

impl Fault {
    pub fn new(code: &'static str, message: impl Into<String>) -> Fault {
        Fault {
            code,
            message: message.into(),
        }
    }
}

impl From<Rejection> for Fault {
    fn from(rejection: Rejection) -> Fault {
        Fault::new("BANK_FILE_VALUE", rejection.message)
    }
}
