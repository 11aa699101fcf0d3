//! What a charge has when its catalog says nothing of it.

use super::{OneOff, Price, Recurring, Usage, standard};
use crate::kernel::Decimal;

impl Default for Price {
    fn default() -> Price {
        Price::Flat(Decimal::ZERO)
    }
}

impl Default for OneOff {
    fn default() -> OneOff {
        OneOff {
            code: Default::default(),
            name: Default::default(),
            amount: Default::default(),
            on: Default::default(),
            tax_class: standard(),
            account: None,
            of: None,
            source: None,
            shares: Default::default(),
        }
    }
}

impl Default for Recurring {
    fn default() -> Recurring {
        Recurring {
            code: Default::default(),
            name: Default::default(),
            price: Default::default(),
            every: Default::default(),
            timing: Default::default(),
            align: Default::default(),
            anchor: Default::default(),
            prorate: Default::default(),
            after: Default::default(),
            lasts: Default::default(),
            tax_class: standard(),
            periods: None,
            on_start: None,
            on_change: None,
            on_pause: None,
            on_end: None,
            anticipates_end: true,
            account: None,
            of: None,
            source: None,
            high_water: Default::default(),
            shares: Default::default(),
        }
    }
}

impl Default for Usage {
    fn default() -> Usage {
        Usage {
            code: Default::default(),
            name: Default::default(),
            metric: Default::default(),
            unit: Default::default(),
            per: Default::default(),
            aggregate: Default::default(),
            allowance: Default::default(),
            price: Default::default(),
            every: Default::default(),
            align: Default::default(),
            pay: Default::default(),
            filter: Default::default(),
            when: Default::default(),
            tax_class: standard(),
            account: None,
            of: None,
            source: None,
            priority: Default::default(),
            condition: Default::default(),
            quantity: Default::default(),
            usage_unit: Default::default(),
            least: Default::default(),
            round: Default::default(),
            group_by: Default::default(),
            unique: Default::default(),
            by: Default::default(),
            carry: Default::default(),
            readings: Default::default(),
            high_water: Default::default(),
            timing: Default::default(),
            minimum: Default::default(),
            maximum: Default::default(),
            prices: Default::default(),
            shares: Default::default(),
        }
    }
}
