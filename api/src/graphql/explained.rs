//! How a line of a document came to its amount, as figures: what was multiplied, what was taken off, how it was rounded.

use std::collections::BTreeMap;

use async_graphql::{Context, Enum, Result, SimpleObject};
use indelible_domain::accounts::Folio;
use indelible_domain::charges::explained::{self as domain, Behind};
use indelible_domain::charges::{Charges, What};
use indelible_domain::commitments::Commitments;
use indelible_domain::invoices::{Document, Event as DocumentEvent, Line};
use indelible_domain::invoicing;
use indelible_domain::kernel::{self, Rejection};
use indelible_domain::subscriptions::Subscription;
use indelible_domain::usage::{self, Kept, Metered, Records};
use indelible_domain::world::{Event, Noun};
use indelible_store::{Ledger, StoreError};

use super::accounts::Rounding;
use super::books::Books;
use super::catalog::PriceRule;
use super::errors;
use super::scalars::{Date, Decimal, Money};

/// Decimals of an exact amount (policy 1).
const EXACT_PLACES: u32 = 12;

/// A number that is not rounded: `numerator` ÷ `denominator`.
#[derive(SimpleObject)]
pub struct ExactNumber {
    /// With at most 12 decimals.
    decimal: String,
    numerator: String,
    denominator: String,
}

impl From<kernel::Exact> for ExactNumber {
    fn from(exact: kernel::Exact) -> ExactNumber {
        ExactNumber {
            decimal: exact.to_decimal(EXACT_PLACES),
            numerator: exact.numerator().to_string(),
            denominator: exact.denominator().to_string(),
        }
    }
}

/// How a line came to its amount. Every figure is quantity × price × share; the figures sum to `exact`, which is rounded once;
/// less what was billed before and less discounts it is the line.
#[derive(SimpleObject)]
pub struct LineExplanation {
    /// The arithmetic in one sentence, such as `100 minute at 0.05 + 20 minute at 0.04 = 5.8`.
    arithmetic: String,
    /// All of it, one sentence each.
    words: Vec<String>,
    /// Code of the offer that priced it.
    offer: Option<String>,
    /// Version of the offer as it was sold.
    offer_version: Option<u32>,
    /// Why the price is what it is; none: it is simply the offer's.
    price_source: Option<LinePriceSource>,
    /// The days that are charged.
    charged: Option<DaySpan>,
    /// The whole period that they are part of.
    period: Option<DaySpan>,
    usage: Option<LineUsage>,
    figures: Vec<LineFigure>,
    /// Sum of the figures, before rounding.
    exact: ExactNumber,
    rounding: Rounding,
    rounded: Money,
    /// Of the same period, on earlier documents.
    billed_before: Money,
    /// Of a charge that is sold in another currency than the document's; the figures and what follows from them are in the
    /// currency of the sale.
    conversion: Option<LineRate>,
    /// What is left of it, before discounts, in the document's currency.
    before_discounts: Money,
    /// Taken off by discounts.
    reduced: Money,
    /// Of a price that includes tax: what the customer pays for the line.
    gross: Option<Money>,
    net: Money,
    tax: LineTaxShare,
    /// False where what it came from was changed since, so that only the amount itself can be told.
    traced: bool,
}

/// Calendar days, the last one exclusive.
#[derive(SimpleObject)]
pub struct DaySpan {
    from: Date,
    until: Date,
    days: i64,
}

impl From<kernel::Days> for DaySpan {
    fn from(days: kernel::Days) -> DaySpan {
        DaySpan {
            from: Date(days.from),
            until: Date(days.until),
            days: days.count(),
        }
    }
}

/// The rate by which a line was converted.
#[derive(SimpleObject)]
pub struct LineRate {
    /// Before discounts, in the currency of the sale.
    sold_for: Money,
    /// Units of the document's currency for one of the sale's.
    rate: ExactNumber,
    on: Date,
    /// Who told it.
    source: String,
}

/// Why a price is what it is.
#[derive(SimpleObject)]
pub struct LinePriceSource {
    rule: PriceRule,
    /// The contract or price list.
    id: Option<String>,
    why: String,
}

/// What was used in the period of a line.
#[derive(SimpleObject)]
pub struct LineUsage {
    unit: String,
    records: u64,
    /// Aggregated units beyond counters.
    units: ExactNumber,
    /// Free in each period before the price sees the rest.
    allowance: Option<Decimal>,
    /// Units that the price sees.
    priced: ExactNumber,
    counters: Vec<LineCounter>,
    paid_by_wallets: ExactNumber,
}

/// What a counter covered of a line.
#[derive(SimpleObject)]
pub struct LineCounter {
    counter: String,
    covered: ExactNumber,
    /// False: units.
    money: bool,
}

/// One step of the arithmetic: quantity × price × days ÷ periodDays = amount.
#[derive(SimpleObject)]
pub struct LineFigure {
    source: FigureSource,
    /// What it is about.
    text: String,
    /// Tier of the price, from 1.
    tier: Option<u32>,
    /// The tier begins after so many units.
    after: Option<ExactNumber>,
    /// Its last quantity; none: it has no end, or there are no tiers.
    up_to: Option<Decimal>,
    quantity: ExactNumber,
    price: ExactNumber,
    /// Days of the period that count; none: not by days.
    days: Option<i64>,
    period_days: Option<i64>,
    amount: ExactNumber,
    words: String,
}

#[derive(Clone, Copy, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::Source")]
pub enum FigureSource {
    /// Units at the price of their tier, or of the model.
    Price,
    /// Due once because a tier was entered.
    Flat,
    /// An amount that was agreed or asked for.
    Amount,
    /// What the whole period costs, where that is not simply price × units.
    Period,
    /// The part of it that an earlier line carries.
    Paid,
    /// Money that the records carry.
    Carried,
    /// A percentage of what the records are worth, beyond what is free.
    Percentage,
    /// A fee for each record that is not free.
    PerRecord,
    /// What the least and the most of a record change.
    RecordBounds,
    /// Records of which each has a price of its own; `charges` of the line say how they came to it.
    Records,
    /// A level, for as long as it stood: `days` of `periodDays`, or seconds where the charge counts them.
    Level,
    /// What counters of money pay, less what units cost that counters cover.
    Counters,
    /// What wallets paid.
    Wallets,
    /// What the least or the most of a period changes.
    Bounds,
    /// What a commitment asks for.
    Commitment,
    /// What was rated of it.
    Rated,
    /// Unused days of an earlier line, given back.
    GivenBack,
    /// It stands on the document, and what it came from was changed since.
    Other,
}

/// A line's part of the tax of its group; the parts of a group's lines sum to the tax of the group.
#[derive(SimpleObject)]
pub struct LineTaxShare {
    name: String,
    /// 0.19 is 19 %.
    rate: Decimal,
    group_net: Money,
    /// Rounded once for the group.
    group_amount: Money,
    amount: Money,
}

/// What stood behind a line when its document was made.
#[derive(Default)]
struct Stood {
    subscription: Option<Subscription>,
    charges: Option<Charges>,
    metered: Option<Metered>,
    records: Vec<Kept>,
    before: BTreeMap<kernel::Date, Metered>,
    commitments: Option<Commitments>,
    rated: Vec<(kernel::Id, kernel::Exact)>,
}

/// Position of the fact that made the document as it is: numbered, or drafted last. None: nobody wrote it.
fn made_at(ledger: &Ledger, tenant: &str, invoice: &str) -> Result<Option<u64>, StoreError> {
    let facts = ledger.stream(
        tenant,
        indelible_domain::invoices::Invoice::KIND,
        invoice,
        None,
    )?;
    let made = facts.iter().rev().find(|fact| {
        let made = |e: &DocumentEvent| {
            matches!(e, DocumentEvent::Finalised(_) | DocumentEvent::Drafted(_))
        };
        matches!(&fact.event, Event::Invoice(e) if made(e))
    });
    Ok(made.map(|fact| fact.position))
}

fn stood(
    ledger: &Ledger,
    tenant: &str,
    invoice: &str,
    line: &Line,
    on: &Committed,
) -> std::result::Result<Stood, StoreError> {
    let at = made_at(ledger, tenant, invoice)?;
    let owner = line.subscription.as_ref().unwrap_or(&line.account);
    let mut stood = Stood {
        charges: ledger.state_at::<Charges>(tenant, owner, at)?,
        ..Stood::default()
    };
    let Some(subscription) = &line.subscription else {
        if let What::TrueUp { commitment, days } | What::Cap { commitment, days } = &line.what {
            committed(ledger, tenant, at, (commitment, on), *days, &mut stood)?;
        }
        return Ok(stood);
    };
    stood.subscription = ledger.state_at::<Subscription>(tenant, subscription, at)?;
    if let What::Usage { charge, days } = &line.what {
        let meter = usage::id(subscription, charge, days.from);
        let facts = ledger.stream(tenant, Metered::KIND, &meter, at)?;
        let events = facts.iter().filter_map(|fact| match &fact.event {
            Event::Usage(event) => Some(event),
            _ => None,
        });
        stood.records = Records::of(events).iter().cloned().collect();
        stood.metered = ledger.state_at::<Metered>(tenant, &meter, at)?;
        let earlier = stood.subscription.as_ref();
        let earlier = earlier.map(|sub| domain::earlier(sub, charge, days.from));
        for from in earlier.into_iter().flatten() {
            let meter = usage::id(subscription, charge, from);
            if let Some(metered) = ledger.state_at::<Metered>(tenant, &meter, at)? {
                stood.before.insert(from, metered);
            }
        }
    }
    Ok(stood)
}

/// What an account committed itself to, and what was rated of it by subscription: those it paid for are looked at as they
/// stood.
fn committed(
    ledger: &Ledger,
    tenant: &str,
    at: Option<u64>,
    (commitment, on): (&str, &Committed),
    days: kernel::Days,
    stood: &mut Stood,
) -> std::result::Result<(), StoreError> {
    stood.commitments = ledger.state_at::<Commitments>(tenant, &on.folio, at)?;
    let agreed = stood.commitments.iter().flat_map(|c| &c.agreed);
    let Some(agreed) = agreed.into_iter().find(|a| a.id == commitment) else {
        return Ok(());
    };
    for id in &on.paid_for {
        let Some(sub) = ledger.state_at::<Subscription>(tenant, id, at)? else {
            continue;
        };
        let mut meters = BTreeMap::new();
        for (charge, from) in domain::meters(&sub, days) {
            let meter = usage::id(id, &charge, from);
            if let Some(metered) = ledger.state_at::<Metered>(tenant, &meter, at)? {
                meters.insert((charge, from), metered);
            }
        }
        let metered = |charge: &str, from| meters.get(&(charge.to_owned(), from));
        // What cannot be computed any more is a part of what the figures leave.
        if let Ok(rated) = domain::rated(agreed, &sub, days, metered) {
            stood.rated.push((id.clone(), rated));
        }
    }
    Ok(())
}

/// The folio that a line's commitment is of, and the subscriptions that it counts.
#[derive(Default)]
struct Committed {
    folio: kernel::Id,
    paid_for: Vec<kernel::Id>,
}

/// The folio of a document, and the subscriptions of its account and of those it pays for that are billed there.
fn committed_on(books: &Books, document: &Document) -> Committed {
    let account = document.account.as_str();
    books.live(|tenant| {
        let Some(own) = tenant.tables.accounts.get(account) else {
            return Committed::default();
        };
        let (on, own) = (document.folio(), &own.state.terms);
        let index = &tenant.index;
        let children = index.paid_by.get(account).into_iter().flatten();
        let accounts = std::iter::once(account).chain(children.map(String::as_str));
        let all = accounts.flat_map(|account| {
            let said = tenant
                .tables
                .invoicings
                .get(&invoicing::of_account(account));
            let of = index.subscriptions_of.get(account).into_iter().flatten();
            let (here, elsewhere) = (on.clone(), on != Folio::own(own));
            of.filter(move |id| match said.and_then(|s| s.state.folios.get(*id)) {
                Some(folio) => *folio == here,
                None => !elsewhere,
            })
        });
        Committed {
            folio: on.id(account, own),
            paid_for: all.cloned().collect(),
        }
    })
}

/// Explains a line of a document, from what stood behind it when the document was made.
pub async fn line(
    ctx: &Context<'_>,
    invoice: &str,
    document: &Document,
    line: &Line,
) -> Result<LineExplanation> {
    let stood = stood_behind(&Books::of(ctx)?, invoice, document, line).await?;
    let found = domain::line(document, line, stood.behind(invoice)).map_err(errors::rejected)?;
    Ok(LineExplanation::of(found))
}

/// The groups that a line of usage was made of, from what stood behind it when the document was made.
pub(super) async fn groups(
    books: &Books,
    invoice: &str,
    document: &Document,
    line: &Line,
) -> Result<Option<Vec<domain::OfGroup>>> {
    let stood = stood_behind(books, invoice, document, line).await?;
    domain::groups(document, line, stood.behind(invoice)).map_err(errors::rejected)
}

/// The same in a ledger: what stood behind it when the document was made.
pub(crate) fn groups_in(
    ledger: &Ledger,
    tenant: &str,
    (invoice, document): (&str, &Document),
    line: &Line,
) -> std::result::Result<Option<Vec<domain::OfGroup>>, Rejection> {
    let stood = stood(ledger, tenant, invoice, line, &Committed::default());
    let stood = stood.map_err(|error| Rejection::new(error.code(), error.to_string()))?;
    domain::groups(document, line, stood.behind(invoice))
}

async fn stood_behind(
    books: &Books,
    invoice: &str,
    document: &Document,
    line: &Line,
) -> Result<Stood> {
    let (tenant, invoice) = (books.tenant().to_owned(), invoice.to_owned());
    let asked = line.clone();
    let on = match line.subscription {
        None => committed_on(books, document),
        Some(_) => Committed::default(),
    };
    books
        .blocking(move |office| stood(&office.ledger, &tenant, &invoice, &asked, &on))
        .await
}

impl Stood {
    fn behind<'a>(&'a self, invoice: &'a str) -> Behind<'a> {
        Behind {
            invoice,
            subscription: self.subscription.as_ref(),
            charges: self.charges.as_ref(),
            metered: self.metered.as_ref(),
            records: &self.records,
            before: &self.before,
            commitments: self.commitments.as_ref(),
            rated: &self.rated,
        }
    }
}

impl LineFigure {
    pub(super) fn of(f: &domain::Figure, unit: &str) -> LineFigure {
        LineFigure {
            source: f.source.into(),
            text: f.text.clone(),
            tier: f.tier,
            after: f.after.map(ExactNumber::from),
            up_to: f.up_to.map(Decimal),
            quantity: f.quantity.into(),
            price: f.price.into(),
            days: f.share.map(|(part, _)| part),
            period_days: f.share.map(|(_, whole)| whole),
            amount: f.amount.into(),
            words: f.words(unit),
        }
    }
}

impl LineExplanation {
    fn of(found: domain::Explained) -> LineExplanation {
        let unit = found.used.as_ref().map_or("", |used| used.unit.as_str());
        let source = found.sold.as_ref().and_then(|sold| sold.source.as_ref());
        let reduced = kernel::Money::sum(
            found.net.currency,
            found.reductions.iter().map(|r| r.amount),
        );
        LineExplanation {
            arithmetic: found.arithmetic(),
            words: found.words(),
            offer: found.sold.as_ref().map(|sold| sold.offer.clone()),
            offer_version: found.sold.as_ref().map(|sold| sold.version),
            price_source: source.map(|source| LinePriceSource {
                rule: source.rule.into(),
                id: Some(source.id.clone()).filter(|id| !id.is_empty()),
                why: source.why.clone(),
            }),
            charged: found.days.map(Into::into),
            period: found.period.map(Into::into),
            figures: found
                .figures
                .iter()
                .map(|f| LineFigure::of(f, unit))
                .collect(),
            exact: found.exact.into(),
            rounding: found.rounding.into(),
            rounded: Money(found.rounded),
            billed_before: Money(found.billed_before),
            conversion: found.converted.as_ref().map(|converted| LineRate {
                sold_for: Money(converted.from),
                rate: converted.rate.into(),
                on: Date(converted.on),
                source: converted.source.clone(),
            }),
            before_discounts: Money(found.before_discounts),
            reduced: Money(reduced),
            gross: found.gross.map(Money),
            net: Money(found.net),
            traced: found.traced(),
            tax: LineTaxShare {
                name: found.tax.name,
                rate: Decimal(found.tax.rate),
                group_net: Money(found.tax.group_net),
                group_amount: Money(found.tax.group_amount),
                amount: Money(found.tax.amount),
            },
            usage: found.used.map(LineUsage::of),
        }
    }
}

impl LineUsage {
    fn of(used: domain::Use) -> LineUsage {
        let counter = |c: domain::Covered| LineCounter {
            counter: c.counter,
            covered: c.amount.into(),
            money: c.money,
        };
        LineUsage {
            unit: used.unit,
            records: used.records,
            units: used.units.into(),
            allowance: used.allowance.map(Decimal),
            priced: used.priced.into(),
            counters: used.counters.into_iter().map(counter).collect(),
            paid_by_wallets: used.burnt.into(),
        }
    }
}
