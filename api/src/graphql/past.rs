//! What follows from everything that an account has, as it stood on a past day: its streams are folded up to the cut, and the
//! rules are asked of what they make.

use std::collections::BTreeSet;

use async_graphql::Result;
use indelible_domain::kernel::{Exact, Instant, calendar::add_days};
use indelible_domain::world::{Noun, Tenant, World};
use indelible_domain::{
    Session, accounts, advances, charges, commitments, discounts, entities, exchange, invoices,
    invoicing, operations, receivables, subscriptions, taxes, usage, wallets,
};

use super::books::{Books, Cut};
use super::errors;

/// What a wallet was expected to have left at a cut, once everything held, due and used up to then was paid.
pub async fn expected_balance(
    books: &Books,
    wallet: &str,
    account: &str,
    cut: &Cut,
) -> Result<Exact> {
    let zone = books.zone(account);
    let streams = books.live(|tenant| streams(tenant, account));
    let (of, until) = (books.tenant().to_owned(), cut.clone());
    let days = zone.clone();
    let (past, last) = books
        .blocking(move |office| {
            let mut facts = Vec::new();
            for (kind, key) in &streams {
                let stream = office.ledger.stream(&of, kind, key, until.known)?;
                facts.extend(stream.into_iter().filter(|fact| {
                    let on = days.date(fact.meta.recorded_at);
                    until.effective.is_none_or(|until| on <= until)
                }));
            }
            facts.sort_by_key(|fact| fact.position);
            let mut past = World::default();
            facts.iter().for_each(|fact| past.apply(fact));
            Ok((past, facts.last().map(|fact| fact.meta.recorded_at)))
        })
        .await?;
    // The last moment of the day that is looked at, or the moment that is asked for.
    let end = cut
        .day(&zone)
        .map(|day| zone.start_of(add_days(day, 1)))
        .map(|next| Instant(next.0.saturating_sub(1)));
    let moment = cut.moment().or(end).or(last).unwrap_or_else(|| books.now());
    let tenant = past.tenant(books.tenant());
    let session = Session::new(tenant, moment.min(books.now()));
    operations::expected_balance(&session, wallet).map_err(errors::rejected)
}

/// The streams of an account and of those it pays for that say what is due and who pays it.
fn streams(tenant: &Tenant, account: &str) -> BTreeSet<(&'static str, String)> {
    let (tables, index) = (&tenant.tables, &tenant.index);
    let mut all: BTreeSet<(&'static str, String)> = BTreeSet::new();
    let children = index.paid_by.get(account).into_iter().flatten();
    for account in std::iter::once(account).chain(children.map(String::as_str)) {
        let mut of_account = |kind: &'static str| all.insert((kind, account.to_owned()));
        of_account(accounts::Account::KIND);
        of_account(charges::Charges::KIND);
        of_account(discounts::Redemptions::KIND);
        of_account(commitments::Commitments::KIND);
        of_account(receivables::Receivables::KIND);
        all.insert((invoicing::Invoicing::KIND, invoicing::of_account(account)));
        if let Some(known) = tables.accounts.get(account) {
            let entity = &known.state.terms.entity;
            all.insert((entities::LegalEntity::KIND, entity.clone()));
            all.insert((invoicing::Invoicing::KIND, invoicing::of_entity(entity)));
        }
        for id in index.wallets_of.get(account).into_iter().flatten() {
            all.insert((wallets::Wallet::KIND, id.clone()));
        }
        for id in index.invoices_of.get(account).into_iter().flatten() {
            all.insert((invoices::Invoice::KIND, id.clone()));
        }
        for id in index.subscriptions_of.get(account).into_iter().flatten() {
            all.insert((subscriptions::Subscription::KIND, id.clone()));
            all.insert((charges::Charges::KIND, id.clone()));
            let meters = tables.usage.range(format!("{id}/")..format!("{id}0"));
            all.extend(meters.map(|(meter, _)| (usage::Metered::KIND, meter.clone())));
        }
        let own = |a: &advances::Advance| {
            let terms = a.terms.as_ref();
            terms.is_some_and(|t| accounts::folio::owner(&t.account) == account)
        };
        let asked = tables.advances.iter().filter(|(_, a)| own(&a.state));
        all.extend(asked.map(|(id, _)| (advances::Advance::KIND, id.clone())));
    }
    let rates = tables.exchanges.iter().map(|(pair, _)| pair.clone());
    all.extend(rates.map(|pair| (exchange::ExchangeRates::KIND, pair)));
    all.insert((taxes::TaxTable::KIND, "main".to_owned()));
    all
}
