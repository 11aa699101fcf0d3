//! Messages to customers.

use async_graphql::Enum;
use indelible_domain::messages as domain;

/// How a message reaches somebody.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::Channel")]
pub enum Channel {
    /// E-mail, by SMTP.
    Email,
    /// Printed and posted.
    Letter,
    /// Short message to a telephone.
    Sms,
    /// Notification to an app.
    Push,
}
