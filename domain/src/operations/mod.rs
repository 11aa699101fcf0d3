//! One command → decisions of one or more aggregates, staged in a session. One file per noun.

mod accounts;
pub(crate) mod advances;
mod bank;
mod billing;
pub(crate) mod cash;
pub(crate) mod catalog;
mod charges;
mod collections;
mod commitments;
mod contracts;
pub(crate) mod counters;
mod discounts;
pub(crate) mod dunning;
pub mod entitlements;
pub(crate) mod exchange;
pub(crate) mod fields;
pub(crate) mod folios;
mod forecast;
pub mod forget;
mod invoices;
pub(crate) mod invoicing;
mod life;
mod messages;
mod methods;
pub(crate) mod migration;
mod milestones;
pub mod near;
mod payments;
mod receivables;
pub mod reratings;
mod reservations;
mod runs;
pub(crate) mod selling;
mod shares;
mod stated;
mod subscriptions;
pub(crate) mod taxes;
pub(crate) mod usage;
pub(crate) mod wallets;

pub use billing::{outlook, preview};
pub use catalog::{
    Review as CatalogReview, Reviewed as CatalogDifference, review as review_catalog,
};
pub use dunning::{Preview as DunningPreview, preview as preview_dunning};
pub use forecast::{COMING_MAX, Coming, coming, coming_with};
pub use wallets::expected_balance;

use crate::accounts::{Account, AccountTerms, folio};
use crate::command::{Command, Outcome};
use crate::entities::{EntityTerms, LegalEntity};
use crate::kernel::Rejection;
use crate::processes;
use crate::session::Session;
use std::borrow::Cow;

/// Runs one command and every process that reacts to what it decided. Nothing is written: the caller commits the
/// session as one unit, or drops it (a refusal, a dry run).
pub fn execute(session: &mut Session<'_>, command: Command) -> Result<Outcome, Rejection> {
    let outcome = handle(session, command)?;
    processes::settle(session)?;
    Ok(outcome)
}

fn handle(session: &mut Session<'_>, command: Command) -> Result<Outcome, Rejection> {
    match command {
        Command::OpenEntity { entity, terms } => accounts::open_entity(session, &entity, terms),
        Command::ChangeEntity { entity, terms } => accounts::change_entity(session, &entity, terms),
        Command::SetRetention { entity, rule } => accounts::set_retention(session, &entity, rule),
        Command::ClosePeriod { entity, closing } => {
            accounts::close_period(session, &entity, closing)
        }
        Command::ReopenPeriod {
            entity,
            open_from,
            reason,
        } => accounts::reopen_period(session, &entity, open_from, reason),
        Command::SetTaxRate(rate) => taxes::set_rate(session, rate),
        Command::ExemptFromTax { account, exemption } => {
            taxes::exempt(session, &account, exemption)
        }
        Command::EndTaxExemption { account, class, on } => {
            taxes::end_exemption(session, &account, class, on)
        }
        Command::DefineDiscount { discount, terms } => {
            discounts::define(session, &discount, *terms)
        }
        Command::WithdrawDiscount { discount, reason } => {
            discounts::withdraw(session, &discount, reason)
        }
        Command::RedeemDiscount(ask) => discounts::redeem(session, *ask),
        Command::EndRedemption {
            account,
            redemption,
            on,
        } => discounts::end(session, &account, redemption, on),
        Command::AgreeCommitment { account, agreed } => {
            commitments::agree(session, &account, *agreed)
        }
        Command::EndCommitment {
            account,
            commitment,
            on,
        } => commitments::end(session, &account, commitment, on),
        Command::ApplyCatalog { offers } => catalog::apply(session, offers.into()),
        Command::PublishCatalog(file) => catalog::apply(session, *file),
        Command::EditCatalogDraft { draft, edit } => catalog::edit(session, &draft, edit),
        Command::RetireOffer { offer, from } => catalog::retire(session, offer, from),
        Command::ReopenOffer { offer } => catalog::reopen(session, offer),
        Command::DeleteOffer { offer } => catalog::delete(session, offer),
        Command::DefineContract {
            contract,
            agreement,
        } => contracts::define(session, &contract, *agreement),
        Command::EndContract { contract, on } => contracts::end(session, &contract, on),
        Command::ClassifyOffer {
            offer,
            product_line,
        } => catalog::classify(session, offer, product_line),
        Command::DefineField(definition) => fields::define(session, *definition),
        Command::WithdrawField { code } => fields::withdraw(session, code),
        Command::SetField {
            place,
            field,
            period,
        } => fields::set(session, &place, &field, period),
        Command::ClearField {
            place,
            field,
            from,
            priority,
        } => fields::clear(session, &place, &field, from, priority),
        Command::OpenAccount { account, terms } => accounts::open(session, &account, terms),
        Command::ChangeAccount { account, terms } => accounts::change(session, &account, terms),
        Command::SetEntityZone { entity, zone, from } => {
            accounts::set_entity_zone(session, &entity, &zone, from)
        }
        Command::SetAccountZone {
            account,
            zone,
            from,
        } => accounts::set_zone(session, &account, &zone, from),
        Command::ForgetAccount(forget) => forget::forget(session, *forget),
        Command::StartSubscription(start) => subscriptions::start(session, (*start).into()),
        Command::ChangeSubscription(change) => subscriptions::change(session, (*change).into()),
        Command::StartWithOptions(start) => subscriptions::start(session, *start),
        Command::ChangeWithOptions(change) => subscriptions::change(session, *change),
        Command::MigrateSubscription {
            subscription,
            effective,
            unused,
        } => migration::migrate(session, &subscription, effective, unused),
        Command::MigrateSubscriptions {
            offer,
            version,
            effective,
            unused,
        } => migration::migrate_all(session, &offer, version, effective, unused),
        Command::MoveSubscription { subscription } => {
            migration::move_by_date(session, &subscription)
        }
        Command::OrderOneOff(order) => charges::order(session, *order),
        Command::PauseSubscription {
            subscription,
            reason,
            from,
        } => subscriptions::pause(session, &subscription, reason, from),
        Command::ResumeSubscription {
            subscription,
            reason,
            on,
        } => subscriptions::resume(session, &subscription, reason, on),
        Command::TerminateSubscription {
            subscription,
            effective,
            unused,
        } => subscriptions::terminate(session, &subscription, effective, unused),
        command @ (Command::EndSubscription(_)
        | Command::CancelSubscription { .. }
        | Command::ReactivateSubscription { .. }
        | Command::UndoPlan { .. }
        | Command::ActivateSubscription { .. }
        | Command::TransferSubscription(_)
        | Command::MoveBillingDay { .. }
        | Command::MoveAccountBillingDay { .. }
        | Command::AgreeTenure { .. }
        | Command::TendTenure { .. }) => life::handle(session, command),
        Command::IngestUsage(intake) => usage::ingest(session, *intake),
        Command::Rerate { rerating, ask, add } => {
            reratings::ask(session, &rerating, *ask, add.map(|intake| *intake))
        }
        Command::AddToRerating {
            rerating,
            ask,
            part,
            more,
        } => reratings::add_part(session, &rerating, *ask, *part, more),
        Command::StepRerating { rerating } => reratings::step(session, &rerating),
        Command::UndoRerating { rerating, reason } => reratings::undo(session, &rerating, reason),
        Command::AddCharge {
            account,
            charge,
            text,
            amount,
            on,
            tax_class,
        } => charges::add(session, &account, charge, text, amount, on, tax_class),
        Command::CancelCharge { account, charge } => charges::cancel(session, &account, charge),
        Command::OpenWallet {
            wallet,
            account,
            priority,
        } => wallets::open(session, &wallet, &account, priority),
        Command::TopUpWallet {
            wallet,
            grant,
            amount,
            expires,
        } => wallets::top_up(session, &wallet, grant, amount, expires),
        Command::ControlCredit(request) => reservations::control(session, *request),
        Command::ExpireReservation { session: id } => reservations::expire(session, &id),
        Command::ChangeWallet { wallet, terms } => wallets::change(session, &wallet, *terms),
        Command::GrantWallet(grant) => wallets::grant(session, *grant),
        Command::VoidWallet {
            wallet,
            units,
            grant,
            reason,
        } => wallets::void(session, &wallet, units, grant, reason),
        Command::TickWallet { wallet } => wallets::tick(session, &wallet),
        Command::StartBillRun {
            run,
            as_of,
            accounts,
            draft,
        } => runs::start(session, &run, as_of, accounts, draft),
        Command::StepBillRun { run } => runs::step(session, &run),
        Command::DraftInvoice {
            invoice,
            account,
            as_of,
        } => billing::draft(session, &invoice, &account, as_of),
        Command::FinaliseInvoice { invoice } => billing::finalise_draft(session, &invoice),
        Command::CancelBillRun { run, reason } => runs::cancel(session, &run, reason),
        Command::RetryBillRun { run, accounts } => runs::retry(session, &run, accounts),
        Command::SetInvoicing { place, terms } => invoicing::set(session, &place, terms),
        Command::SetExchange { place, exchange } => {
            invoicing::set_exchange(session, &place, exchange)
        }
        Command::SetShown { place, shown } => invoicing::set_shown(session, &place, shown),
        Command::SetCurrencies { place, currencies } => {
            folios::set_currencies(session, &place, currencies)
        }
        Command::SetMinimum {
            place,
            currency,
            minimum,
        } => invoicing::set_minimum(session, &place, currency, minimum),
        Command::SetSeller { offer, seller } => folios::set_seller(session, &offer, seller),
        Command::SetFolio {
            subscription,
            seller,
            currencies,
        } => folios::set(session, subscription, seller, currencies),
        Command::OrderSubscription {
            subscription,
            order,
        } => invoicing::order(session, subscription, order),
        Command::PaySubscriptionBy {
            subscription,
            method,
        } => invoicing::pay_by(session, subscription, method),
        Command::AgreeMilestones { plan, terms } => milestones::agree(session, &plan, *terms),
        Command::ReachMilestone {
            plan,
            milestone,
            on,
        } => milestones::reach(session, &plan, milestone, on),
        Command::CancelMilestones { plan, reason } => milestones::cancel(session, &plan, reason),
        Command::AskAdvance { advance, terms } => advances::ask(session, &advance, *terms),
        Command::RequestAdvance { advance, terms } => advances::request(session, &advance, *terms),
        Command::InvoiceAdvance { advance } => advances::invoice(session, &advance),
        Command::CloseAdvance {
            advance,
            rest,
            reason,
        } => advances::close(session, &advance, rest, reason),
        Command::TellRates { entity, rates } => exchange::tell(session, entity, rates),
        Command::WithdrawRate {
            entity,
            from,
            to,
            on,
            reason,
        } => exchange::withdraw(session, entity.as_deref(), (from, to), on, reason),
        Command::GroupSubscription {
            subscription,
            group,
        } => invoicing::group(session, subscription, group),
        Command::InvoiceNow {
            invoice,
            account,
            usage,
        } => invoicing::now(session, &invoice, &account, usage),
        Command::HoldInvoice { invoice, reason } => {
            invoicing::hold_by_hand(session, &invoice, reason)
        }
        Command::ReleaseInvoice { invoice, note } => invoicing::release(session, &invoice, note),
        Command::RejectInvoice { invoice, reason } => invoicing::reject(session, &invoice, reason),
        Command::BillThreshold { subscription } => {
            invoicing::bill_threshold(session, &subscription)
        }
        Command::VoidInvoice { invoice, reason } => invoices::void(session, &invoice, reason),
        Command::CreditInvoice {
            note,
            invoice,
            parts,
            reason,
        } => invoices::credit(session, &note, &invoice, &parts, &reason),
        Command::WriteOffInvoice { invoice, reason } => {
            payments::write_off(session, &invoice, reason)
        }
        Command::ReverseWriteOff { invoice, reason } => {
            payments::reverse_write_off(session, &invoice, reason)
        }
        Command::GrantCredit {
            account,
            credit,
            amount,
            reason,
        } => payments::grant_credit(session, &account, credit, amount, reason),
        Command::AddMethod(add) => methods::add(session, *add),
        Command::ChangeMethod {
            account,
            method,
            means,
        } => methods::change(session, &account, method, *means),
        Command::OrderMethods { account, order } => methods::order(session, &account, order),
        Command::RemoveMethod {
            account,
            method,
            reason,
        } => methods::remove(session, &account, method, reason),
        Command::NoticeMethods { account } => methods::notice(session, &account),
        Command::SetAutomaticCollection { account, automatic } => {
            methods::set_automatic(session, &account, automatic)
        }
        Command::SetMandateTerm {
            account,
            method,
            term,
        } => methods::set_mandate_term(session, &account, method, term),
        Command::RuleBankFees { bank, rule } => bank::rule_fees(session, &bank, rule),
        Command::ImportStatusReport(report) => bank::report(session, *report),
        Command::OpenBankAccount { bank, terms } => bank::open(session, &bank, *terms),
        Command::ChangeBankAccount { bank, terms } => bank::change(session, &bank, *terms),
        Command::ImportStatement(statement) => bank::import(session, *statement),
        Command::CloseBankEntry { entry, part, note } => bank::close(session, &entry, part, note),
        Command::DrawDebits { file, bank, on } => bank::draw_debits(session, &file, &bank, on),
        Command::DrawTransfers { file, bank, on } => {
            bank::draw_transfers(session, &file, &bank, on)
        }
        Command::WithdrawBankFile { file, reason } => bank::withdraw(session, &file, reason),
        Command::RecordPayment(payment) => payments::record(session, payment),
        Command::ReceiveCash(ask) => cash::receive(session, *ask),
        Command::AllocateCash {
            entity,
            payment,
            account,
            invoices,
            exchange,
        } => cash::allocate(session, (&entity, &payment), &account, invoices, exchange),
        command @ (Command::SetCashRules { .. }
        | Command::MatchItems { .. }
        | Command::UnmatchItem { .. }
        | Command::ReleaseCredit { .. }
        | Command::TransferCredit { .. }
        | Command::TransferDebt { .. }
        | Command::RefundCredit { .. }
        | Command::DisputeItem { .. }
        | Command::EndDispute { .. }
        | Command::AgreePlan { .. }
        | Command::CancelPlan { .. }
        | Command::CheckPlans { .. }
        | Command::ReceiveDeposit { .. }
        | Command::TakeDeposit { .. }
        | Command::ApplyDeposit { .. }
        | Command::ReturnDeposit { .. }) => receivables::handle(session, command),
        Command::ReturnCash {
            entity,
            payment,
            reason,
        } => cash::give_back(session, &entity, &payment, reason),
        Command::SettlePayment { payment } => payments::settle(session, &payment),
        Command::FailPayment {
            payment,
            kind,
            reason,
        } => payments::fail(session, &payment, kind, reason),
        Command::RefundPayment {
            payment,
            amount,
            reason,
        } => payments::refund(session, &payment, amount, reason),
        Command::ChargeBackPayment {
            payment,
            amount,
            reason,
        } => payments::charge_back(session, &payment, amount, reason),
        Command::ReverseChargeBack {
            payment,
            amount,
            reason,
        } => payments::reverse_charge_back(session, &payment, amount, reason),
        Command::SendPayment { payment, again } => payments::send(session, &payment, again),
        Command::AnswerPayment { payment, answer } => payments::answer(session, &payment, answer),
        Command::SendRefund {
            payment,
            number,
            again,
        } => payments::send_refund(session, &payment, number, again),
        Command::AnswerRefund {
            payment,
            number,
            answer,
        } => payments::answer_refund(session, &payment, number, answer),
        Command::ObserveRefund {
            payment,
            reference,
            amount,
            reason,
        } => payments::observe(session, &payment, reference, amount, reason),
        Command::AcknowledgePayment { payment, note } => {
            payments::acknowledge(session, &payment, note)
        }
        Command::SetCollectionRules { entity, rules } => {
            collections::set_rules(session, &entity, rules)
        }
        Command::Collect(collect) => collections::collect(session, collect),
        Command::CollectDue { account } => collections::collect_due(session, &account),
        Command::CloseCollection { collection, reason } => {
            collections::close(session, &collection, reason)
        }
        Command::SetDunningPolicy { policy, levels } => {
            dunning::set_policy(session, &policy, levels)
        }
        Command::DunAccount { account } => dunning::dun(session, &account),
        Command::PauseDunning { account, reason } => {
            dunning::pause(session, &account, reason, None)
        }
        Command::ResumeDunning { account } => dunning::resume(session, &account),
        Command::AskMessage { message, ask } => messages::ask(session, &message, *ask),
        Command::ReportMessage {
            message,
            attempt,
            report,
        } => messages::report(session, &message, attempt, report),
        Command::ResendMessage { message, channel } => messages::resend(session, &message, channel),
        Command::WithdrawMessage { message, reason } => {
            messages::withdraw(session, &message, reason)
        }
        Command::BounceMessage { message, bounce } => messages::bounce(session, &message, *bounce),
        Command::SetEntityLanguage { entity, language } => {
            accounts::set_language(session, &entity, language)
        }
        Command::SetDunningTerms { policy, terms } => dunning::set_terms(session, &policy, terms),
        Command::SetDunningRules { rules } => dunning::set_rules(session, rules),
        Command::SteerDunning { account, steer } => dunning::steer(session, &account, steer),
    }
}

/// Terms of an account that must be open.
pub(crate) fn account_terms(
    session: &Session<'_>,
    account: &str,
) -> Result<AccountTerms, Rejection> {
    terms_of(session, account).cloned()
}

/// The same where the session holds them.
pub(crate) fn terms_of<'s>(
    session: &'s Session<'_>,
    account: &str,
) -> Result<&'s AccountTerms, Rejection> {
    let found = session.find::<Account>(account).map(|e| &e.state.terms);
    found.ok_or_else(|| {
        Rejection::new(
            "ACCOUNT_UNKNOWN",
            format!("there is no account {account:?}"),
        )
    })
}

/// Terms of a folio, by its id: those of its account but for its currency and legal entity (see [`folio`]).
pub(crate) fn folio_terms(session: &Session<'_>, id: &str) -> Result<AccountTerms, Rejection> {
    folio_terms_of(session, id).map(Cow::into_owned)
}

/// The same where the session holds them.
pub(crate) fn folio_terms_of<'s>(
    session: &'s Session<'_>,
    id: &str,
) -> Result<Cow<'s, AccountTerms>, Rejection> {
    let own = terms_of(session, folio::owner(id))?;
    let known = folio::terms(id, own).filter(|t| session.find::<LegalEntity>(&t.entity).is_some());
    known.ok_or_else(|| {
        Rejection::new(
            "ACCOUNT_UNKNOWN",
            format!("there is no account and no folio {id:?}"),
        )
    })
}

/// Terms of a legal entity that must be open.
pub(crate) fn entity_terms(session: &Session<'_>, entity: &str) -> Result<EntityTerms, Rejection> {
    seller_of(session, entity).cloned()
}

/// The same where the session holds them.
pub(crate) fn seller_of<'s>(
    session: &'s Session<'_>,
    entity: &str,
) -> Result<&'s EntityTerms, Rejection> {
    let found = session.find::<LegalEntity>(entity).map(|e| &e.state.terms);
    found.ok_or_else(|| {
        Rejection::new(
            "ENTITY_UNKNOWN",
            format!("there is no legal entity {entity:?}"),
        )
    })
}
