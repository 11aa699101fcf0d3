//! Performs steps: each becomes one command (a bill run several), at the story's clock.

use std::collections::BTreeMap;

use indelible_domain::Command;
use indelible_domain::accounts::AccountTerms;
use indelible_domain::advances;
use indelible_domain::command::{
    self, ChangeSubscription, EndSubscription, EndWhen, FailureKind, RecordPayment, Rest,
    StartSubscription,
};
use indelible_domain::kernel::{Date, Decimal, Rejection};
use indelible_domain::mediation::{Intake, Received, UsageRecord};
use indelible_domain::subscriptions;

use super::super::ast::{self, Effective, Kind, Unused};
use super::super::folios;
use super::story::{Story, instant};
use super::structure;

impl Story {
    pub(super) fn step(&mut self, step: &Kind) -> Result<(), Rejection> {
        let command = match step {
            Kind::Account(account) => return self.account(account),
            Kind::Bill { accounts, as_of } => return self.bill(accounts, *as_of),
            Kind::Usage(usage) => return self.usage(usage),
            Kind::Rerate(rerate) => return self.rerate(rerate),
            Kind::UndoRerating { rerating } => return self.undo_rerating(rerating),
            Kind::Pay {
                payment,
                account,
                amount,
                invoice,
                pending,
            } => {
                let payment = RecordPayment {
                    payment: payment.clone(),
                    account: account.clone(),
                    amount: self.money(account, *amount)?,
                    invoice: invoice
                        .map(|number| self.document(account, number))
                        .transpose()?,
                    method: "transfer".to_owned(),
                    pending: *pending,
                };
                self.payments
                    .insert(payment.payment.clone(), account.clone());
                Command::RecordPayment(payment)
            }
            Kind::Subscribe(subscribe) => structure::start(subscribe, start(subscribe)),
            Kind::Change(change) => structure::change(change, change_of(change)),
            Kind::Life(command) => (**command).clone(),
            Kind::Migrate {
                subscription,
                effective,
            } => Command::MigrateSubscription {
                subscription: subscription.clone(),
                effective: effective_of(*effective),
                unused: subscriptions::Unused::CreditProrata,
            },
            Kind::Retire { offer } => Command::RetireOffer {
                offer: offer.clone(),
                from: None,
            },
            Kind::Order {
                subscription,
                code,
                quantity,
                amount,
            } => Command::OrderOneOff(Box::new(command::OrderOneOff {
                subscription: subscription.clone(),
                charge: self.id("charge"),
                code: code.clone(),
                quantity: Decimal::new(*quantity),
                amount: amount.map(Decimal::new),
                on: None,
            })),
            Kind::Contract(contract) => structure::contract(contract),
            Kind::Pause {
                subscription,
                from,
                reason,
            } => Command::PauseSubscription {
                subscription: subscription.clone(),
                reason: reason.clone().unwrap_or_else(|| "asked".to_owned()),
                from: *from,
            },
            Kind::Resume {
                subscription,
                on,
                reason,
            } => Command::ResumeSubscription {
                subscription: subscription.clone(),
                reason: reason.clone().unwrap_or_else(|| "asked".to_owned()),
                on: *on,
            },
            Kind::Terminate {
                subscription,
                effective,
                unused,
                charge_until: Some(day),
            } => Command::EndSubscription(Box::new(EndSubscription {
                subscription: subscription.clone(),
                reason: String::new(),
                when: EndWhen::Effective(effective_of(*effective)),
                unused: unused_of(*unused),
                rest: Rest::ChargeUntil(*day),
                fees: true,
            })),
            Kind::Terminate {
                subscription,
                effective,
                unused,
                charge_until: None,
            } => Command::TerminateSubscription {
                subscription: subscription.clone(),
                effective: effective_of(*effective),
                unused: unused_of(*unused),
            },
            Kind::Charge {
                account,
                amount,
                text,
                class,
                on,
            } => Command::AddCharge {
                account: account.clone(),
                charge: self.id("charge"),
                text: text.clone(),
                amount: self.money(account, *amount)?,
                on: *on,
                tax_class: class.clone().unwrap_or_else(|| "standard".to_owned()),
            },
            Kind::Wallet {
                name,
                account,
                terms,
            } => {
                self.wallets.insert(name.clone(), account.clone());
                self.execute(Command::OpenWallet {
                    wallet: name.clone(),
                    account: account.clone(),
                    priority: terms.priority,
                })?;
                Command::ChangeWallet {
                    wallet: name.clone(),
                    terms: terms.clone(),
                }
            }
            Kind::Grant(grant) => {
                let mut grant = grant.clone();
                if grant.grant.is_empty() {
                    grant.grant = self.id("grant");
                }
                Command::GrantWallet(grant)
            }
            Kind::TakeOut {
                wallet,
                units,
                grant,
            } => Command::VoidWallet {
                wallet: wallet.clone(),
                units: *units,
                grant: grant.clone(),
                reason: "scenario".to_owned(),
            },
            Kind::Ordered(command) => (**command).clone(),
            Kind::Refill { wallet, rule } => {
                let mut terms = self.books.wallet_terms(wallet)?;
                terms.rules.push((**rule).clone());
                let change = Command::ChangeWallet {
                    wallet: wallet.clone(),
                    terms: Box::new(terms),
                };
                self.execute(change)?;
                // A schedule that begins today does so at once.
                Command::TickWallet {
                    wallet: wallet.clone(),
                }
            }
            Kind::TopUp { wallet, amount } => Command::TopUpWallet {
                wallet: wallet.clone(),
                grant: self.id("grant"),
                amount: self.money_of(&self.wallets, "wallet", wallet, *amount)?,
                expires: None,
            },
            Kind::Credit { account, amount } => Command::GrantCredit {
                account: account.clone(),
                credit: self.id("credit"),
                amount: self.money(account, *amount)?,
                reason: "scenario".to_owned(),
            },
            Kind::Settle { payment } => Command::SettlePayment {
                payment: payment.clone(),
            },
            Kind::Fail {
                payment,
                hard,
                reason,
            } => Command::FailPayment {
                payment: payment.clone(),
                kind: if *hard {
                    FailureKind::Hard
                } else {
                    FailureKind::Soft
                },
                reason: reason.clone(),
            },
            Kind::Refund { payment, amount } => Command::RefundPayment {
                payment: payment.clone(),
                amount: Some(self.money_of(&self.payments, "payment", payment, *amount)?),
                reason: "scenario".to_owned(),
            },
            Kind::Chargeback { payment, amount } => Command::ChargeBackPayment {
                payment: payment.clone(),
                amount: amount
                    .map(|amount| self.money_of(&self.payments, "payment", payment, amount))
                    .transpose()?,
                reason: "scenario".to_owned(),
            },
            Kind::ReverseChargeback { payment, amount } => Command::ReverseChargeBack {
                payment: payment.clone(),
                amount: amount
                    .map(|amount| self.money_of(&self.payments, "payment", payment, amount))
                    .transpose()?,
                reason: "scenario".to_owned(),
            },
            Kind::Adjust {
                account,
                invoice,
                item,
                amount,
            } => Command::CreditInvoice {
                note: self.id("note"),
                invoice: self.document(account, *invoice)?,
                parts: vec![(
                    u32::try_from(*item).unwrap_or(u32::MAX),
                    Some(self.money(account, *amount)?),
                )],
                reason: "scenario".to_owned(),
            },
            Kind::Void { account, invoice } => Command::VoidInvoice {
                invoice: self.document(account, *invoice)?,
                reason: "scenario".to_owned(),
            },
            Kind::WriteOff { account, invoice } => Command::WriteOffInvoice {
                invoice: self.document(account, *invoice)?,
                reason: "scenario".to_owned(),
            },
            Kind::OwedAgain { account, invoice } => Command::ReverseWriteOff {
                invoice: self.document(account, *invoice)?,
                reason: "scenario".to_owned(),
            },
            Kind::Draft { account } => Command::DraftInvoice {
                invoice: self.id("draft"),
                account: account.clone(),
                as_of: None,
            },
            Kind::Finalise { account } => Command::FinaliseInvoice {
                invoice: self.draft(account)?,
            },
            Kind::InvoiceNow { account, usage } => Command::InvoiceNow {
                invoice: self.id("now"),
                account: account.clone(),
                usage: *usage,
            },
            Kind::Advance(asked) => {
                let advance = asked.name.clone();
                let terms = Box::new(advances::Terms {
                    account: asked.account.clone(),
                    subscription: asked.subscription.clone(),
                    order: asked.order.clone(),
                    lines: folios::wanted(&asked.lines, self.currency(&asked.account)?)?,
                    once_paid: asked.once_paid,
                });
                match asked.requested {
                    true => Command::RequestAdvance { advance, terms },
                    false => Command::AskAdvance { advance, terms },
                }
            }
            Kind::InvoiceAdvance { advance } => Command::InvoiceAdvance {
                advance: advance.clone(),
            },
            Kind::Reviewed {
                account,
                invoice,
                verdict,
            } => {
                let invoice = self.document(account, *invoice)?;
                let why = "scenario".to_owned();
                match verdict {
                    ast::Reviewed::Hold => Command::HoldInvoice {
                        invoice,
                        reason: why,
                    },
                    ast::Reviewed::Release => Command::ReleaseInvoice { invoice, note: why },
                    ast::Reviewed::Reject => Command::RejectInvoice {
                        invoice,
                        reason: why,
                    },
                }
            }
            Kind::On(_) | Kind::Refused { .. } | Kind::Expect(_) => return Ok(()),
        };
        self.execute(command).map(drop)
    }

    fn account(&mut self, account: &ast::Account) -> Result<(), Rejection> {
        let name = account.entity.as_deref();
        let entity = match name {
            Some(name) => self.entities.iter().find(|entity| entity.name == name),
            None => self.entities.first(),
        };
        let unknown = || {
            Rejection::new(
                "ENTITY_UNKNOWN",
                format!("there is no entity {:?}", name.unwrap_or("main")),
            )
        };
        let entity = entity.ok_or_else(unknown)?;
        let terms = AccountTerms {
            entity: entity.name.clone(),
            currency: account
                .currency
                .as_deref()
                .unwrap_or(&entity.currency)
                .parse()?,
            zone: account.zone.as_deref().unwrap_or(&entity.zone).parse()?,
            billing_day: account.billing_day,
            payment_days: account.terms,
            country: account
                .country
                .clone()
                .unwrap_or_else(|| entity.country.clone()),
            tax_category: account
                .tax_category
                .clone()
                .unwrap_or_else(|| "standard".to_owned()),
            payer: account.parent.clone(),
            dunning_policy: account.dunning.clone(),
            contact: None,
            buyer: None,
            group: account.group.clone(),
            language: account.language.clone(),
            channel: account.channel,
        };
        self.execute(Command::OpenAccount {
            account: account.name.clone(),
            terms,
        })?;
        self.accounts.push(account.name.clone());
        Ok(())
    }

    fn bill(&mut self, accounts: &[String], as_of: Option<Date>) -> Result<(), Rejection> {
        let run = self.id("run");
        self.books.bill(self.now(), run, accounts, as_of)
    }

    /// One record of usage as a batch of its own.
    pub(super) fn intake(&mut self, usage: &ast::Usage) -> Result<Intake, Rejection> {
        let zone = self.zone_of_subscription(&usage.subscription)?;
        let at = usage.at.map_or_else(|| self.now(), |at| instant(&zone, at));
        let key = usage.key.clone().unwrap_or_else(|| self.id("record"));
        let says = format!(
            "{} {} {} {at} {:?} {:?}",
            usage.subscription, usage.metric, usage.quantity, usage.amount, usage.attributes
        );
        let record = UsageRecord {
            line: 1,
            key: hash(&key),
            content: hash(&says),
            corrects: false,
            metric: usage.metric.clone(),
            access: format!("subscription:{}", usage.subscription),
            at,
            quantity: Decimal::new(usage.quantity),
            amount: usage.amount.map(Decimal::new),
            attributes: usage.attributes.iter().cloned().collect(),
            raw: None,
        };
        Ok(Intake {
            batch: self.id("batch"),
            source: "scenario".to_owned(),
            format: "api".to_owned(),
            name: "scenario".to_owned(),
            lines: vec![Received::Record(record)],
        })
    }

    fn usage(&mut self, usage: &ast::Usage) -> Result<(), Rejection> {
        let intake = self.intake(usage)?;
        let counts = self
            .execute(Command::IngestUsage(Box::new(intake)))?
            .usage
            .unwrap_or_default();
        let total = &mut self.usage;
        total.received += counts.received;
        total.accepted += counts.accepted;
        total.duplicates += counts.duplicates;
        total.conflicts += counts.conflicts;
        total.unreadable += counts.unreadable;
        total.rated += counts.rated;
        total.pending += counts.pending;
        total.rejected += counts.rejected;
        total.superseded += counts.superseded;
        Ok(())
    }
}

fn start(ask: &ast::Subscribe) -> StartSubscription {
    StartSubscription {
        subscription: ask.subscription.clone(),
        account: ask.account.clone(),
        offer: ask.offer.clone(),
        quantity: ask.quantity.map_or(Decimal::ONE, Decimal::new),
        from: ask.from,
        billing_day: ask.billing_day,
        overrides: prices(&ask.overrides),
        trial: !ask.no_trial,
        access: ask.access.clone(),
    }
}

fn change_of(ask: &ast::Change) -> ChangeSubscription {
    ChangeSubscription {
        subscription: ask.subscription.clone(),
        offer: ask.to.clone(),
        quantity: ask.quantity.map(Decimal::new),
        billing_day: ask.billing_day,
        overrides: prices(&ask.overrides),
        effective: effective_of(ask.effective),
        unused: unused_of(ask.unused),
    }
}

fn prices(overrides: &[(String, rust_decimal::Decimal)]) -> BTreeMap<String, Decimal> {
    overrides
        .iter()
        .map(|(charge, price)| (charge.clone(), Decimal::new(*price)))
        .collect()
}

fn effective_of(effective: Effective) -> command::Effective {
    match effective {
        Effective::Now => command::Effective::Immediate,
        Effective::On(day) => command::Effective::On(day),
        Effective::AtPeriodEnd => command::Effective::EndOfPeriod,
    }
}

fn unused_of(unused: Unused) -> subscriptions::Unused {
    match unused {
        Unused::Prorata => subscriptions::Unused::CreditProrata,
        Unused::Full => subscriptions::Unused::CreditFull,
        Unused::Nothing => subscriptions::Unused::None,
    }
}

/// Who sent a record is the same throughout a scenario, so its key alone identifies it.
pub(super) fn hash(text: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
    short
}
