//! What a customer may use.
