//! Options, contracts and what is asked with them, as commands.

use indelible_domain::Command;
use indelible_domain::catalog::{Price, PriceTerm};
use indelible_domain::command::{
    Beginning, ChangeSubscription, ChangeWithOptions, Choice, StartSubscription, StartWithOptions,
};
use indelible_domain::contracts::Agreement;
use indelible_domain::kernel::Decimal;

use super::super::ast;

pub(super) fn start(ask: &ast::Subscribe, start: StartSubscription) -> Command {
    let choice = |(option, quantity): &(String, rust_decimal::Decimal)| Choice {
        option: option.clone(),
        quantity: Decimal::new(*quantity),
        replaces: None,
    };
    Command::StartWithOptions(Box::new(StartWithOptions {
        start,
        options: ask.options.iter().map(choice).collect(),
        contract: ask.contract.clone(),
        beginning: Beginning {
            billed_from: ask.billed_from,
            awaits_activation: ask.awaits_activation,
            tenure: None,
        },
    }))
}

pub(super) fn change(ask: &ast::Change, change: ChangeSubscription) -> Command {
    let choice = |added: &ast::Added| Choice {
        option: added.option.clone(),
        quantity: Decimal::new(added.quantity),
        replaces: added.replaces.clone(),
    };
    Command::ChangeWithOptions(Box::new(ChangeWithOptions {
        change,
        add: ask.add.iter().map(choice).collect(),
        remove: ask.remove.clone(),
        contract: None,
    }))
}

pub(super) fn contract(ask: &ast::Contract) -> Command {
    let term = |term: &ast::ContractTerm| PriceTerm {
        offer: term.offer.clone(),
        charge: term.charge.clone(),
        price: term.price.map(|price| Price::Flat(Decimal::new(price))),
        percent: term.percent.map(Decimal::new),
        ..PriceTerm::default()
    };
    Command::DefineContract {
        contract: ask.contract.clone(),
        agreement: Box::new(Agreement {
            account: ask.account.clone(),
            name: String::new(),
            from: ask.from,
            until: ask.until,
            terms: ask.terms.iter().map(term).collect(),
        }),
    }
}
