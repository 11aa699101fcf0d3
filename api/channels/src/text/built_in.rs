//! The texts that come with the product.

macro_rules! texts {
    ($( $name:literal ),+ $(,)?) => {
        /// The built-in text of a name in a language.
        pub fn find(name: &str, tag: &str) -> Option<&'static str> {
            match (name, tag) {
                $(
                    ($name, "en") => Some(include_str!(concat!("../../templates/en/", $name, ".txt"))),
                    ($name, "de") => Some(include_str!(concat!("../../templates/de/", $name, ".txt"))),
                    ($name, "fr") => Some(include_str!(concat!("../../templates/fr/", $name, ".txt"))),
                )+
                _ => None,
            }
        }

        /// Every built-in text.
        #[cfg(test)]
        pub const NAMES: &[&str] = &[ $( $name ),+ ];
    };
}

texts! {
    "reminder",
    "second-reminder",
    "final-notice",
    "suspended",
    "restored",
    "collection",
    "payment-failed",
    "card-expiring",
    "debit-notice",
    "notice",
    "allowance",
}
