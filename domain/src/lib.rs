pub mod mediation {
    pub mod formats;
}
