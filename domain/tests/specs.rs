//! The rules of each noun as given / when / then, spoken through commands.

#[path = "specs/advances.rs"]
mod advances;
#[path = "specs/agenda.rs"]
mod agenda;
#[path = "specs/any_bytes.rs"]
mod any_bytes;
#[path = "specs/any_cash.rs"]
mod any_cash;
#[path = "specs/any_collecting.rs"]
mod any_collecting;
#[path = "specs/any_counters.rs"]
mod any_counters;
#[path = "specs/any_expression.rs"]
mod any_expression;
#[path = "specs/any_folio/mod.rs"]
mod any_folio;
#[path = "specs/any_life.rs"]
mod any_life;
#[path = "specs/bank.rs"]
mod bank;
#[path = "specs/bank_files.rs"]
mod bank_files;
#[path = "specs/bank_reports.rs"]
mod bank_reports;
#[path = "specs/begun_periods.rs"]
mod begun_periods;
#[path = "specs/berths.rs"]
mod berths;
#[path = "specs/book.rs"]
mod book;
#[path = "specs/cancelled_runs.rs"]
mod cancelled_runs;
#[path = "specs/cash.rs"]
mod cash;
#[path = "specs/catalog_code.rs"]
mod catalog_code;
#[path = "specs/catalogs.rs"]
mod catalogs;
#[path = "specs/collecting.rs"]
mod collecting;
#[path = "specs/corrections.rs"]
mod corrections;
#[path = "specs/counters.rs"]
mod counters;
#[path = "specs/dice.rs"]
mod dice;
#[path = "specs/discounts.rs"]
mod discounts;
#[path = "specs/dunning.rs"]
mod dunning;
#[path = "specs/dunning_acts.rs"]
mod dunning_acts;
#[path = "specs/dunning_histories.rs"]
mod dunning_histories;
#[path = "specs/dunning_rules.rs"]
mod dunning_rules;
#[path = "specs/entitlements.rs"]
mod entitlements;
#[path = "specs/entity_zones.rs"]
mod entity_zones;
#[path = "specs/exchange.rs"]
mod exchange;
#[path = "specs/explained.rs"]
mod explained;
#[path = "specs/expressions.rs"]
mod expressions;
#[path = "specs/fields.rs"]
mod fields;
#[path = "specs/folio_terms.rs"]
mod folio_terms;
#[path = "specs/folios.rs"]
mod folios;
#[path = "specs/follows.rs"]
mod follows;
#[path = "specs/forgetting.rs"]
mod forgetting;
#[path = "specs/ingest.rs"]
mod ingest;
#[path = "specs/invoicing.rs"]
mod invoicing;
#[path = "specs/journal.rs"]
mod journal;
#[path = "specs/life.rs"]
mod life;
#[path = "specs/mandates.rs"]
mod mandates;
#[path = "specs/matching.rs"]
mod matching;
#[path = "specs/measured.rs"]
mod measured;
#[path = "specs/messages.rs"]
mod messages;
#[path = "specs/milestones.rs"]
mod milestones;
#[path = "specs/periods.rs"]
mod periods;
#[path = "specs/priced_by_buyer.rs"]
mod priced_by_buyer;
#[path = "specs/priced_by_expression.rs"]
mod priced_by_expression;
#[path = "specs/prices.rs"]
mod prices;
#[path = "specs/purses.rs"]
mod purses;
#[path = "specs/receivables.rs"]
mod receivables;
#[path = "specs/rerating.rs"]
mod rerating;
#[path = "specs/rerating_any.rs"]
mod rerating_any;
#[path = "specs/rerating_counters.rs"]
mod rerating_counters;
#[path = "specs/rerating_steps.rs"]
mod rerating_steps;
#[path = "specs/reservations.rs"]
mod reservations;
#[path = "specs/shares.rs"]
mod shares;
#[path = "specs/shown.rs"]
mod shown;
#[path = "specs/stated_tax.rs"]
mod stated_tax;
#[path = "specs/stored_state.rs"]
mod stored_state;
#[path = "specs/structure.rs"]
mod structure;
#[path = "specs/taxes.rs"]
mod taxes;
#[path = "specs/wallet_methods.rs"]
mod wallet_methods;
#[path = "specs/wallets.rs"]
mod wallets;
#[path = "specs/whatever_happens.rs"]
mod whatever_happens;
#[path = "specs/worth.rs"]
mod worth;
#[path = "specs/zones.rs"]
mod zones;
