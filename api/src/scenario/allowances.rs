//! Words about counters and what may be used.

use super::ast::Expect;
use super::parse::Mistake;
use super::words::Words;

/// `counter SUBSCRIPTION CODE LEFT`
pub(super) fn counter(words: &mut Words) -> Result<Expect, Mistake> {
    Ok(Expect::Counter {
        subscription: words.name("a subscription")?,
        counter: words.name("the code of a counter")?,
        left: words.decimal("what is left")?,
    })
}

/// `entitled SUBSCRIPTION CLASS QUANTITY [free N] [refused CODE]`
pub(super) fn entitled(words: &mut Words) -> Result<Expect, Mistake> {
    let subscription = words.name("a subscription")?;
    let class = words.name("a charge, metric or feature")?;
    let quantity = words.decimal("a quantity")?;
    let (mut free, mut refused) = (None, None);
    while let Some(word) = words.take() {
        match word.as_str() {
            "free" => free = Some(words.decimal("a quantity after `free`")?),
            "refused" => refused = Some(words.name("a code after `refused`")?),
            other => return Err(words.unknown(other)),
        }
    }
    Ok(Expect::Entitled {
        subscription,
        class,
        quantity,
        free,
        refused,
    })
}
