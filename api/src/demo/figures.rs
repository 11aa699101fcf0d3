//! tmp
pub struct Figures {}
