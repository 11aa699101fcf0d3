//! A part of the catalog as its events hold it: canonical text, so that fields can be added to it.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _,
};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Something that is stored as text in the log (JSON without defaults) and as itself everywhere else.
#[derive(Clone, PartialEq)]
pub struct Text<T>(Arc<T>);

impl<T> Text<T> {
    pub fn new(value: T) -> Text<T> {
        Text(Arc::new(value))
    }
}

impl<T> Deref for Text<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Serialize> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.0.serialize(serializer)
        } else {
            let text = serde_json::to_string(&*self.0).map_err(serde::ser::Error::custom)?;
            serializer.serialize_str(&text)
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<T>, D::Error> {
        if deserializer.is_human_readable() {
            T::deserialize(deserializer).map(Text::new)
        } else {
            let text = String::deserialize(deserializer)?;
            serde_json::from_str(&text)
                .map(Text::new)
                .map_err(D::Error::custom)
        }
    }
}
