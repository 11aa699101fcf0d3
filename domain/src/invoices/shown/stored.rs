//! How lines are shown, as it is stored: what was added later is a bit of a byte that was there, so that documents of
//! before are read, and written, as they were.

use super::{Shown, UsageDate};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const UNIT_PRICE: u8 = 1;
const GROUP: u8 = 2;

/// Byte by byte: which days, which of the bits above, and whether lines of one service are one.
#[derive(Serialize, Deserialize)]
struct Stored(UsageDate, u8, bool);

/// By names, for eyes and for JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    usage_date: UsageDate,
    unit_price: bool,
    service: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    group: bool,
}

fn is_false(said: &bool) -> bool {
    !said
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Shown {
            usage_date,
            unit_price,
            service,
            group,
        } = *self;
        if serializer.is_human_readable() {
            let named = Named {
                usage_date,
                unit_price,
                service,
                group,
            };
            return named.serialize(serializer);
        }
        let bit = |said: bool, bit: u8| if said { bit } else { 0 };
        let bits = bit(unit_price, UNIT_PRICE) | bit(group, GROUP);
        Stored(usage_date, bits, service).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shown, D::Error> {
        if deserializer.is_human_readable() {
            let Named {
                usage_date,
                unit_price,
                service,
                group,
            } = Named::deserialize(deserializer)?;
            return Ok(Shown {
                usage_date,
                unit_price,
                service,
                group,
            });
        }
        let Stored(usage_date, bits, service) = Stored::deserialize(deserializer)?;
        if bits & !(UNIT_PRICE | GROUP) != 0 {
            return Err(D::Error::custom(
                "lines are shown in a way that is not known",
            ));
        }
        Ok(Shown {
            usage_date,
            unit_price: bits & UNIT_PRICE != 0,
            service,
            group: bits & GROUP != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::event::{from_bytes, to_bytes};

    /// As it was before groups.
    #[derive(Serialize)]
    struct Before {
        usage_date: UsageDate,
        unit_price: bool,
        service: bool,
    }

    #[test]
    fn what_was_stored_before_groups_is_read_and_written_as_it_was() {
        for (unit_price, service) in [(false, false), (true, false), (false, true), (true, true)] {
            let usage_date = UsageDate::Week;
            let old = to_bytes(
                "shown",
                &Before {
                    usage_date,
                    unit_price,
                    service,
                },
            )
            .expect("bytes");
            let shown: Shown = from_bytes("shown", 1, &old).expect("is read");
            assert_eq!(
                shown,
                Shown {
                    usage_date,
                    unit_price,
                    service,
                    group: false
                }
            );
            assert_eq!(to_bytes("shown", &shown).expect("bytes"), old);
            let by_group = Shown {
                group: true,
                ..shown
            };
            let bytes = to_bytes("shown", &by_group).expect("bytes");
            assert_eq!(
                from_bytes::<Shown>("shown", 1, &bytes).expect("is read"),
                by_group
            );
            let json = serde_json::to_string(&by_group).expect("json");
            assert_eq!(
                serde_json::from_str::<Shown>(&json).expect("is read"),
                by_group
            );
        }
        assert!(from_bytes::<Shown>("shown", 1, &[0, 0, 0, 0, 4, 0]).is_err());
    }
}
