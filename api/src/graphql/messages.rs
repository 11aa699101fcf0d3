//! Messages to customers: what was asked for, what became of it, and what waits for a person.

use std::sync::Arc;

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use indelible_domain::command::{Command, FailureKind};
use indelible_domain::messages as domain;
use indelible_domain::world::Entry;

use super::accounts::{Account, LegalEntity, LegalEntityPayload};
use super::books::{Books, Cut};
use super::desk::{self, Receipt};
use super::invoices::Invoice;
use super::page::{self, Cursor};
use super::scalars::{Date, Instant};
use super::{errors, ids};
use crate::auth::Scope;
use crate::bounces;

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

/// Where a message is on its way.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(name = "MessageStage")]
pub enum Stage {
    /// To be sent as soon as it is due.
    Waiting,
    /// A provider took it.
    Sent,
    /// Failed for good; somebody has to look.
    Failed,
    /// Its account has no address for it, or was forgotten.
    Suppressed,
    /// No longer to be said.
    Withdrawn,
}

/// What came of an attempt.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(name = "MessageOutcome")]
pub enum Outcome {
    Sent,
    /// May be taken later.
    SoftFailure,
    /// Will not be taken as it is.
    HardFailure,
    NoAddress,
    Forgotten,
    /// What is sent to its address comes back, and there is no other way.
    Bounced,
}

/// One attempt to send a message.
#[derive(SimpleObject)]
#[graphql(name = "MessageAttempt")]
pub struct Attempt {
    at: Instant,
    outcome: Outcome,
    channel: Option<Channel>,
    /// Language it was written in, a BCP 47 tag.
    language: Option<String>,
    /// What the provider knows it by.
    reference: Option<String>,
    /// Why it failed.
    reason: Option<String>,
}

impl From<&domain::Attempt> for Attempt {
    fn from(attempt: &domain::Attempt) -> Attempt {
        let blank = |outcome, channel: Option<domain::Channel>| Attempt {
            at: Instant(attempt.at),
            outcome,
            channel: channel.map(Channel::from),
            language: None,
            reference: None,
            reason: None,
        };
        match &attempt.report {
            domain::Report::Sent {
                channel,
                language,
                reference,
            } => Attempt {
                language: Some(language.clone()),
                reference: Some(reference.clone()).filter(|reference| !reference.is_empty()),
                ..blank(Outcome::Sent, Some(*channel))
            },
            domain::Report::Failed {
                channel,
                kind,
                reason,
            } => {
                let outcome = match kind {
                    FailureKind::Soft => Outcome::SoftFailure,
                    FailureKind::Hard => Outcome::HardFailure,
                };
                Attempt {
                    reason: Some(reason.clone()),
                    ..blank(outcome, *channel)
                }
            }
            domain::Report::Suppressed { channel, why } => match why {
                domain::Suppression::NoAddress => blank(Outcome::NoAddress, *channel),
                domain::Suppression::Forgotten => blank(Outcome::Forgotten, *channel),
                domain::Suppression::Bounced => blank(Outcome::Bounced, *channel),
            },
        }
    }
}

/// What came back of a message.
#[derive(SimpleObject)]
pub struct MessageBounce {
    /// What the provider knew it by when it was sent.
    reference: String,
    /// Enhanced status code, e.g. `5.1.1` (RFC 3463).
    status: String,
    /// The address is not written to until the contact of the account is another.
    blocks: bool,
}

/// A name and what a text says for it.
#[derive(SimpleObject)]
pub struct MessageValue {
    name: String,
    value: String,
}

/// Something to be said to an account's holder. Its text is written when it is sent and kept nowhere.
pub struct Message {
    key: String,
    state: Arc<Entry<domain::Message>>,
}

impl Message {
    pub fn find(ctx: &Context<'_>, key: &str) -> Result<Option<Message>> {
        let state = Books::of(ctx)?.find::<domain::Message>(key);
        Ok(state.map(|state| Message {
            key: key.to_owned(),
            state,
        }))
    }

    /// Messages of an account with their sort keys: the order in which they were asked for.
    pub async fn of_account(
        ctx: &Context<'_>,
        account: &str,
        cut: Cut,
    ) -> Result<Vec<(String, Message)>> {
        let books = Books::of(ctx)?;
        let keys = books.index(|index| {
            let of_account = &index.outbox.of_account;
            of_account.get(account).cloned().unwrap_or_default()
        });
        let zone = Some(books.zone(account));
        let found = books.all_at::<domain::Message>(keys, &cut, zone).await?;
        let row = |(n, (key, state))| (format!("{n:012}"), Message { key, state });
        Ok(found.into_iter().enumerate().map(row).collect())
    }
}

#[Object]
impl Message {
    pub async fn id(&self) -> ID {
        ids::node("message", &self.key)
    }

    /// The id without its kind.
    async fn key(&self) -> &str {
        &self.key
    }

    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::named(ctx, &self.state.state.ask.account).await
    }

    /// Name of its text.
    async fn template(&self) -> &str {
        &self.state.state.ask.template
    }

    /// The channel that was asked for; none: the one the account prefers.
    async fn channel(&self) -> Option<Channel> {
        self.state.state.ask.channel.map(Channel::from)
    }

    /// The language that was asked for; none: that of the account.
    async fn language(&self) -> Option<&str> {
        self.state.state.ask.language.as_deref()
    }

    /// Invoices it is about.
    async fn about(&self, ctx: &Context<'_>) -> Result<Vec<Invoice>> {
        let about = self.state.state.ask.about.iter();
        let found = about.map(|key| Invoice::now(ctx, key));
        Ok(found
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    /// What its text says, by name.
    async fn values(&self) -> Vec<MessageValue> {
        let values = self.state.state.ask.values.iter();
        values
            .map(|(name, value)| MessageValue {
                name: name.clone(),
                value: value.clone(),
            })
            .collect()
    }

    /// Day it is dated.
    async fn on(&self) -> Date {
        Date(self.state.state.ask.on)
    }

    async fn stage(&self) -> Stage {
        match self.state.state.stage {
            // A message exists from the fact that asks for it.
            domain::Stage::Absent | domain::Stage::Waiting => Stage::Waiting,
            domain::Stage::Sent => Stage::Sent,
            domain::Stage::Failed => Stage::Failed,
            domain::Stage::Suppressed => Stage::Suppressed,
            domain::Stage::Withdrawn => Stage::Withdrawn,
        }
    }

    /// When it is tried next; none: at once, or not any more.
    async fn due(&self) -> Option<Instant> {
        let state = &self.state.state;
        let waits = state.stage == domain::Stage::Waiting && !state.attempts.is_empty();
        waits.then_some(Instant(state.due))
    }

    /// Every attempt, in order.
    async fn attempts(&self) -> Vec<Attempt> {
        self.state
            .state
            .attempts
            .iter()
            .map(Attempt::from)
            .collect()
    }

    /// What came back of it, in order.
    async fn bounces(&self) -> Vec<MessageBounce> {
        let bounces = self.state.state.bounces.iter();
        let row = |bounce: &domain::Bounce| MessageBounce {
            reference: bounce.reference.clone(),
            status: bounce.status.clone(),
            blocks: bounce.contact.is_some(),
        };
        bounces.map(row).collect()
    }
}

/// A value of a message's text.
#[derive(InputObject)]
pub struct MessageValueInput {
    name: String,
    /// Amounts as `12.00 EUR`, days as `2026-10-01`. No personal data.
    value: String,
}

#[derive(InputObject)]
pub struct SendMessageInput {
    /// Chosen by you: letters, digits and `. _ : -`, at most 120. No personal data.
    id: ID,
    account: ID,
    /// Name of its text, e.g. `notice`.
    template: String,
    /// None: the one the account prefers.
    channel: Option<Channel>,
    /// BCP 47 tag; none: that of the account.
    language: Option<String>,
    /// Invoices it is about; if none of them is open any more it is withdrawn instead of sent.
    #[graphql(default)]
    about: Vec<ID>,
    #[graphql(default)]
    values: Vec<MessageValueInput>,
}

#[derive(SimpleObject)]
pub struct MessagePayload {
    message: Option<Message>,
    receipt: Receipt,
}

#[derive(Default)]
pub struct MessageQueries;

#[Object]
impl MessageQueries {
    async fn message(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Message>> {
        Message::find(ctx, &ids::key("message", &id))
    }

    /// Messages that failed for good or have no address: work for a person, who sends them again or withdraws them.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn stuck_messages(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Cursor, Message>> {
        let asked = page::asked(first, after)?;
        let books = Books::of(ctx)?;
        let keys = books.index(|index| index.outbox.stuck.clone());
        let rows = keys.into_iter().filter_map(|key| {
            let state = books.find::<domain::Message>(&key)?;
            Some((key.clone(), Message { key, state }))
        });
        Ok(page::sorted(&asked, rows.collect()))
    }
}

#[derive(Default)]
pub struct MessageMutations;

#[Object]
impl MessageMutations {
    /// Asks for a message; it is sent as soon as its channel takes it.
    async fn send_message(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: SendMessageInput,
    ) -> Result<MessagePayload> {
        let account = ids::key("account", &input.account);
        let values = input.values.into_iter();
        let about = input.about.iter();
        let ask = domain::Ask {
            on: Books::of(ctx)?.today(&account),
            account,
            template: input.template,
            channel: input.channel.map(Into::into),
            language: input.language,
            about: about.map(|id| ids::key("invoice", id)).collect(),
            values: values.map(|v| (v.name, v.value)).collect(),
        };
        let message = ids::key("message", &input.id);
        let command = Command::AskMessage {
            message: message.clone(),
            ask: Box::new(ask),
        };
        handed_in(ctx, &idempotency_key, message, command).await
    }

    /// Sends a message again, whatever became of it; `channel` none: as before.
    async fn resend_message(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        channel: Option<Channel>,
    ) -> Result<MessagePayload> {
        let message = ids::key("message", &id);
        let command = Command::ResendMessage {
            message: message.clone(),
            channel: channel.map(Into::into),
        };
        handed_in(ctx, &idempotency_key, message, command).await
    }

    /// E-mail came back: `notification` is the mail system's message as it came (a delivery status notification, RFC
    /// 3464). The message is sent another way if there is one, and the address is not written to until the account's
    /// contact is changed.
    async fn report_bounce(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        notification: String,
    ) -> Result<MessagePayload> {
        let books = Books::of(ctx)?;
        desk::require(&books, Scope::Operate)?;
        let told = bounces::told(books.office(), books.tenant(), notification.as_bytes());
        let (message, command) = told.map_err(|refused| match &refused {
            bounces::Refused::Personal(_) => {
                errors::broken(refused.code(), "personal data could not be used", &refused)
            }
            _ => errors::refused(refused.code(), refused.to_string()),
        })?;
        let payload = handed_in(ctx, &idempotency_key, message, command).await?;
        if payload.receipt.is_news() {
            let channel = Some(domain::Channel::Email);
            books.office().messages.count(channel, "bounced");
        }
        Ok(payload)
    }

    /// The language in which a legal entity writes to accounts that have none; none: English. Scope admin.
    async fn set_entity_language(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        entity: ID,
        language: Option<String>,
    ) -> Result<LegalEntityPayload> {
        let entity = ids::key("entity", &entity);
        let command = Command::SetEntityLanguage {
            entity: entity.clone(),
            language,
        };
        let receipt = desk::hand_in(ctx, Scope::Admin, &idempotency_key, command).await?;
        Ok(LegalEntityPayload {
            entity: LegalEntity::find(ctx, &entity)?,
            receipt,
        })
    }

    /// Takes a message back that was not sent.
    async fn withdraw_message(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        id: ID,
        reason: String,
    ) -> Result<MessagePayload> {
        let message = ids::key("message", &id);
        let command = Command::WithdrawMessage {
            message: message.clone(),
            reason,
        };
        handed_in(ctx, &idempotency_key, message, command).await
    }
}

async fn handed_in(
    ctx: &Context<'_>,
    idempotency_key: &str,
    message: String,
    command: Command,
) -> Result<MessagePayload> {
    let receipt = desk::hand_in(ctx, Scope::Operate, idempotency_key, command).await?;
    Ok(MessagePayload {
        message: Message::find(ctx, &message)?,
        receipt,
    })
}
