//! Day by day: what customers do, what arrives, what is paid, what is dunned, and on the 1st what is billed.

use super::businesses::{self, Business, DUNNING, cloud, energy, mobile};
use super::check::{self, Agreed};
use super::desk::Desk;
use super::generator::{self, Customers, Delivery};
use super::payers::Payers;
use super::random::Random;
use super::{DemoError, TENANT, next_day, sample};
use crate::office::Office;
use chrono::{Datelike as _, Months};
use indelible_domain::Command;
use indelible_domain::catalog::{self, Offer};
use std::sync::Arc;

/// What is to be played.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// 1 to 6.
    pub months: u32,
    /// Text of another price list.
    pub catalog: Option<String>,
}

/// What the player tells while it works.
pub trait Watch {
    /// The first `done` of `of` days are over; `what` happens now.
    fn at(&mut self, done: u64, of: u64, what: &str);
}

/// Plays the whole story on an empty office. The answer is the figures of the untouched files.
pub fn play(
    office: &Arc<Office>,
    plan: &Plan,
    watch: &mut dyn Watch,
) -> Result<Vec<Agreed>, DemoError> {
    let first = businesses::opening();
    let last = first
        .checked_add_months(Months::new(plan.months))
        .unwrap_or(first);
    let days = u64::try_from((last - first).num_days()).unwrap_or(0);
    let offers = offers(plan)?;
    let businesses = [
        mobile::business(),
        cloud::business(&generator::sub_accounts()?),
        energy::business(),
    ];

    watch.at(0, days, "the supplied files, untouched");
    let desk = Desk::new(Arc::clone(office), check::TENANT, first);
    found(&desk, &businesses, &offers)?;
    open_accounts(&desk, &businesses)?;
    let agreed = check::run(&desk, &businesses)?;

    let mut desk = Desk::new(Arc::clone(office), TENANT, first);
    found(&desk, &businesses, &offers)?;
    let customers = Customers {
        reachable: &mobile::reachable,
        sites: &energy::sites(),
    };
    let deliveries = generator::deliveries(plan.seed, first, plan.months, &customers)?;
    let mut deliveries = deliveries.into_iter().peekable();
    let mut payers = Payers::new(Random::new(plan.seed, "payments"));
    let mut done = 0;
    let mut today = first;
    while today <= last {
        watch.at(done, days, &today.format("%-d %B %Y").to_string());
        desk.move_to(today);
        steps(&desk, &businesses)?;
        while let Some(Delivery {
            source,
            format,
            name,
            bytes,
            ..
        }) = deliveries.next_if(|d| d.on <= today)
        {
            desk.ingest(source, format, &name, &bytes)?;
        }
        payers.act(&desk)?;
        tick(&desk)?;
        if today.day() == 1 {
            desk.bill(&today.format("%Y-%m").to_string(), Vec::new())?;
            payers.read_letters(&desk);
        }
        today = next_day(today);
        done += 1;
    }
    Ok(agreed)
}

fn offers(plan: &Plan) -> Result<Vec<Offer>, DemoError> {
    catalog::parse(plan.catalog.as_deref().unwrap_or(sample::CATALOG)).map_err(DemoError::Catalog)
}

/// Opens the legal entities of a tenant and publishes what they sell.
fn found(desk: &Desk, businesses: &[Business], offers: &[Offer]) -> Result<(), DemoError> {
    desk.order(Command::ApplyCatalog {
        offers: offers.to_vec(),
    })?;
    desk.order(Command::SetDunningPolicy {
        policy: DUNNING.to_string(),
        levels: businesses::dunning_levels(),
    })?;
    for business in businesses {
        desk.order(Command::OpenEntity {
            entity: business.entity.to_string(),
            terms: business.terms.clone(),
        })?;
        for rate in &business.taxes {
            desk.order(Command::SetTaxRate(rate.clone()))?;
        }
    }
    Ok(())
}

/// One account of each business, for the untouched files.
fn open_accounts(desk: &Desk, businesses: &[Business]) -> Result<(), DemoError> {
    for business in businesses {
        let open = business
            .steps
            .iter()
            .map(|(_, step)| step)
            .find(|step| matches!(step, businesses::Step::Open { .. }));
        if let Some(businesses::Step::Open { terms, .. }) = open {
            let account = format!("{}-1", business.entity);
            desk.step(&businesses::Step::Open {
                account,
                terms: terms.clone(),
                name: "Sample".to_string(),
            })?;
        }
    }
    Ok(())
}

/// What the customers of all businesses do today.
fn steps(desk: &Desk, businesses: &[Business]) -> Result<(), DemoError> {
    let today = businesses
        .iter()
        .flat_map(|b| &b.steps)
        .filter(|(on, _)| *on == desk.today());
    for (_, step) in today {
        desk.step(step)?;
    }
    Ok(())
}

/// What falls due by the clock: reminders, fees, suspensions, write-offs.
fn tick(desk: &Desk) -> Result<(), DemoError> {
    let done = desk.office.ledger.tick(desk.tenant, desk.now());
    let refused = |refused| DemoError::Refused {
        on: desk.today(),
        what: "tick".to_string(),
        refused,
    };
    match done.map_err(refused)?.refused.first() {
        Some((id, why)) => Err(DemoError::Unexpected(format!(
            "{id} was refused on {}: {why}",
            desk.today()
        ))),
        None => Ok(()),
    }
}
