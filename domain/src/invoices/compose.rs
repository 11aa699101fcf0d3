//! From due lines to a document: taxes per group, sums, and the credit note for parts of an invoice.

use super::{Converted, Credited, Document, Invoice, Kind, Line, TaxGroup};
use crate::charges::What;
use crate::kernel::{Currency, Exact, Money, Rejection, Rounding};
use crate::taxes::Answer;
use std::collections::BTreeMap;

/// Completes a document from its lines: numbers them, groups tax by (tax, rate) and rounds each group once (policy 21).
pub fn complete(mut document: Document) -> Result<Document, Rejection> {
    for (i, line) in document.lines.iter_mut().enumerate() {
        line.no = u32::try_from(i + 1).map_err(|_| {
            Rejection::new(
                "TOO_MANY_LINES",
                "a document has more lines than can be numbered",
            )
        })?;
    }
    let mut groups: BTreeMap<Answer, Vec<usize>> = BTreeMap::new();
    for (i, line) in document.lines.iter().enumerate() {
        groups.entry(line.tax.clone()).or_default().push(i);
    }
    let (currency, rounding) = (document.currency, document.rounding);
    document.taxes = groups
        .into_iter()
        .map(|(tax, members)| {
            let included = taken_out(&mut document.lines, &members, &tax, currency, rounding)?;
            let nets = |gross: bool| {
                let of = members.iter().filter_map(|i| document.lines.get(*i));
                Money::sum(
                    currency,
                    of.filter(|l| l.gross.is_some() == gross).map(|l| l.net),
                )
            };
            // An advance is taken off with the tax that was asked for with it, which may be rounded otherwise.
            let of = members.iter().filter_map(|i| document.lines.get(*i));
            let (taken, taxed) = taken_off(of, currency);
            let exact = nets(false)
                .plus(taken)
                .exact()
                .times(Exact::from(tax.rate))?;
            let amount = Money::round(exact, currency, rounding)?
                .plus(included)
                .minus(taxed);
            Ok(TaxGroup {
                parts: tax.split(amount, rounding)?,
                net: nets(false).plus(nets(true)),
                tax,
                amount,
            })
        })
        .collect::<Result<_, Rejection>>()?;
    document.net = Money::sum(document.currency, document.lines.iter().map(|l| l.net));
    document.tax = Money::sum(document.currency, document.taxes.iter().map(|t| t.amount));
    document.total = document.net.plus(document.tax);
    document.kind = match document.kind {
        _ if document.total.is_negative() => Kind::CreditNote,
        Kind::CreditNote => Kind::Invoice,
        kind => kind,
    };
    Ok(document)
}

/// Net and tax, both positive, of the advances that lines take off.
pub fn taken_off<'l>(lines: impl Iterator<Item = &'l Line>, currency: Currency) -> (Money, Money) {
    let mut sums = (Money::zero(currency), Money::zero(currency));
    for line in lines {
        if let What::Deducted { tax, .. } = &line.what {
            sums = (sums.0.minus(line.net), sums.1.plus(*tax));
        }
    }
    sums
}

/// Takes the tax out of the lines of a group whose prices include it: the group's net is rounded once, and its lines share
/// it so that net and tax make exactly what the customer pays (policy 21). Answers with the tax.
fn taken_out(
    lines: &mut [Line],
    members: &[usize],
    tax: &Answer,
    currency: Currency,
    rounding: Rounding,
) -> Result<Money, Rejection> {
    let priced: Vec<(usize, Money)> = members
        .iter()
        .filter_map(|i| Some((*i, lines.get(*i)?.gross?)))
        .collect();
    if priced.is_empty() {
        return Ok(Money::zero(currency));
    }
    let whole = Exact::from(1).plus(Exact::from(tax.rate))?;
    let net_of = |gross: Money| {
        let exact = gross
            .exact()
            .share(whole.denominator(), whole.numerator())?;
        Money::round(exact, currency, rounding)
    };
    let gross = Money::sum(currency, priced.iter().map(|(_, m)| *m));
    let net = net_of(gross)?;
    let weights: Vec<i128> = priced.iter().map(|(_, m)| m.minor).collect();
    let nets = if gross.is_positive() && weights.iter().all(|w| *w >= 0) {
        net.allocate(&weights)?
    } else {
        // What is given back has no weight: each line takes what the sum up to it adds.
        let (mut so_far, mut taken) = (Money::zero(currency), Money::zero(currency));
        let mut nets = Vec::with_capacity(priced.len());
        for (_, gross) in &priced {
            so_far = so_far.plus(*gross);
            let now = net_of(so_far)?;
            nets.push(now.minus(taken));
            taken = now;
        }
        nets
    };
    for ((i, _), net) in priced.iter().zip(nets) {
        if let Some(line) = lines.get_mut(*i) {
            line.net = net;
        }
    }
    Ok(gross.minus(net))
}

/// A credit note for parts of a finalised invoice, and what the invoice must remember of it.
///
/// The tax of a part is the group's rate on it, rounded like an invoice; the parts that exhaust a group take the tax
/// that is left of it, so that notes for everything equal the invoice exactly (policy 22). `told`: the tax of groups that
/// something else decides, such as what documents took off an advance.
pub fn credit_note(
    of: &Invoice,
    of_id: &str,
    note: &str,
    parts: &[(u32, Money)],
    told: &BTreeMap<Answer, Money>,
) -> Result<(Document, Vec<Credited>), Rejection> {
    let origin: &Document = &of.document;
    let mut lines = Vec::new();
    let mut credited: Vec<Credited> = Vec::new();
    let mut groups: BTreeMap<_, Vec<(u32, Money)>> = BTreeMap::new();
    for (no, net) in parts {
        let line = of.line(*no).ok_or_else(|| {
            Rejection::new(
                "LINE_UNKNOWN",
                format!("document {} has no line {no}", of.number),
            )
        })?;
        groups
            .entry(line.tax.clone())
            .or_default()
            .push((*no, *net));
        lines.push(Line {
            no: 0,
            net: net.negated(),
            exact: net.exact().negated(),
            corrects_line: Some(*no),
            text: format!("Credit for line {no} of {}: {}", of.number, line.text),
            quantity: "1".to_string(),
            explain: format!("{net} of line {no} of {} given back", of.number),
            reductions: vec![],
            gross: None,
            converted: converted(line, *net)?,
            ..line.clone()
        });
    }
    let mut taxes = Vec::new();
    for (tax, parts) in groups {
        let group = origin.taxes.iter().find(|g| g.tax == tax);
        let (group_net, group_tax) = group.map_or(
            (Money::zero(origin.currency), Money::zero(origin.currency)),
            |g| (g.net, g.amount),
        );
        let in_group = |line: u32| of.line(line).is_some_and(|l| l.tax == tax);
        let before: Vec<&Credited> = of.credited.iter().filter(|c| in_group(c.line)).collect();
        let net_before = Money::sum(origin.currency, before.iter().map(|c| c.net));
        let tax_left = group_tax.minus(Money::sum(origin.currency, before.iter().map(|c| c.tax)));
        let net = Money::sum(origin.currency, parts.iter().map(|(_, m)| *m));
        let amount = match told.get(&tax) {
            Some(told) => *told,
            None if net_before.plus(net) == group_net => tax_left,
            None => Money::round(
                net.exact().times(Exact::from(tax.rate))?,
                origin.currency,
                origin.rounding,
            )?
            .min(tax_left),
        };
        taxes.push(TaxGroup {
            parts: tax.split(amount.negated(), origin.rounding)?,
            tax,
            net: net.negated(),
            amount: amount.negated(),
        });
        let weights: Vec<i128> = parts.iter().map(|(_, m)| m.minor).collect();
        for ((line, net), tax) in parts.iter().zip(amount.allocate(&weights)?) {
            credited.push(Credited {
                note: note.to_string(),
                line: *line,
                net: *net,
                tax,
            });
        }
    }
    for (i, line) in lines.iter_mut().enumerate() {
        line.no = u32::try_from(i + 1).unwrap_or(u32::MAX);
    }
    let net = Money::sum(origin.currency, lines.iter().map(|l| l.net));
    let tax = Money::sum(origin.currency, taxes.iter().map(|t| t.amount));
    let document = Document {
        kind: Kind::CreditNote,
        lines,
        taxes,
        net,
        tax,
        total: net.plus(tax),
        corrects: Some(of_id.to_string()),
        run: None,
        ..Document::clone(origin)
    };
    Ok((document, credited))
}

/// What a part of a line that is given back was in the currency that it is sold in.
fn converted(line: &Line, net: Money) -> Result<Option<Converted>, Rejection> {
    let part = |c: &Converted| c.given_back(net, line.net);
    line.converted.as_ref().map(part).transpose()
}
