//! Opens the books: price lists, legal entities, tax, dunning policies.

use std::fs;
use std::path::Path;

use indelible_domain::Command;
use indelible_domain::catalog::File;
use indelible_domain::command::{DunningAction, DunningLevel};
use indelible_domain::entities::EntityTerms;
use indelible_domain::kernel::{Decimal, Rounding};
use indelible_domain::taxes::{Rate, TaxPart};

use super::super::ast;
use super::super::parse::Mistake;

/// The commands that make the setting, each with the line it comes from.
pub(super) fn commands(
    scenario: &ast::Scenario,
    folder: &Path,
) -> Result<Vec<(usize, Command)>, Mistake> {
    let mut commands = Vec::new();
    for policy in &scenario.dunning {
        let levels = policy.levels.iter().map(level).collect();
        commands.push((
            policy.line,
            Command::SetDunningPolicy {
                policy: policy.name.clone(),
                levels,
            },
        ));
    }
    let default = scenario
        .dunning
        .iter()
        .find(|policy| policy.name == "default")
        .map(|policy| policy.name.clone());
    for entity in entities(scenario) {
        let terms = entity_terms(&entity, default.clone())?;
        commands.push((
            entity.line,
            Command::OpenEntity {
                entity: entity.name,
                terms,
            },
        ));
    }
    commands.extend(
        scenario
            .taxes
            .iter()
            .map(|tax| (tax.line, Command::SetTaxRate(rate(tax)))),
    );
    for catalog in &scenario.catalogs {
        let (line, file) = published(catalog, folder)?;
        commands.push((line, Command::PublishCatalog(Box::new(file))));
    }
    Ok(commands)
}

/// The file's entities, or the one that is there when it names none.
pub(super) fn entities(scenario: &ast::Scenario) -> Vec<ast::Entity> {
    match scenario.entities.as_slice() {
        [] => vec![ast::Entity::default()],
        named => named.to_vec(),
    }
}

fn published(catalog: &ast::Catalog, folder: &Path) -> Result<(usize, File), Mistake> {
    let read = |text: &str| toml::from_str::<File>(text).map_err(|error| error.to_string());
    let (line, offers) = match catalog {
        ast::Catalog::Inline { line, text } => (*line, read(text)),
        ast::Catalog::File { line, path } => {
            let text = fs::read_to_string(folder.join(path)).map_err(|error| error.to_string());
            (
                *line,
                text.and_then(|text| read(&text))
                    .map_err(|error| format!("{path}: {error}")),
            )
        }
    };
    let offers = offers.map_err(|error| Mistake {
        line,
        sentence: format!("the price list cannot be used: {error}"),
    })?;
    Ok((line, offers))
}

fn entity_terms(
    entity: &ast::Entity,
    dunning_policy: Option<String>,
) -> Result<EntityTerms, Mistake> {
    let mistake = |why: indelible_domain::Rejection| Mistake {
        line: entity.line,
        sentence: why.message,
    };
    Ok(EntityTerms {
        name: entity.name.clone(),
        country: entity.country.clone(),
        currency: entity.currency.parse().map_err(mistake)?,
        zone: entity.zone.parse().map_err(mistake)?,
        rounding: match entity.rounding {
            ast::Rounding::HalfUp => Rounding::HalfUp,
            ast::Rounding::HalfEven => Rounding::HalfEven,
            ast::Rounding::Up => Rounding::Up,
            ast::Rounding::Down => Rounding::Down,
        },
        payment_days: entity.terms,
        number_prefix: String::new(),
        dunning_policy,
    })
}

fn rate(tax: &ast::Tax) -> Rate {
    let any = |value: &Option<String>| value.clone().unwrap_or_else(|| "*".to_owned());
    Rate {
        name: tax.name.clone().unwrap_or_else(|| "tax".to_owned()),
        category: any(&tax.category),
        class: tax.class.clone(),
        seller: any(&tax.seller),
        buyer: any(&tax.buyer),
        rate: Decimal::new(tax.rate),
        from: tax.from,
        parts: tax
            .parts
            .iter()
            .map(|(name, rate)| TaxPart {
                name: name.clone(),
                rate: Decimal::new(*rate),
            })
            .collect(),
    }
}

fn level(level: &ast::Level) -> DunningLevel {
    let mut actions = Vec::new();
    if level.remind {
        actions.push(DunningAction::Remind);
    }
    actions.extend(level.fee.map(|fee| DunningAction::Fee(Decimal::new(fee))));
    if level.suspend {
        actions.push(DunningAction::Suspend);
    }
    if level.write_off {
        actions.push(DunningAction::WriteOff);
    }
    DunningLevel {
        name: level.name.clone(),
        after_days: level.after_days,
        minimum: level.minimum.map(Decimal::new),
        actions,
    }
}
