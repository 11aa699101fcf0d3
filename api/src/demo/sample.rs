//! The supplied files, compiled in, so that the demo runs wherever the program does.

macro_rules! supplied {
    ($( $text:ident, $name:ident = $path:literal );+ $(;)?) => {
        $(
            pub const $text: &str = include_str!(concat!("../../../tests/data/", $path));
            pub const $name: &str = $path;
        )+
    };
}

supplied! {
    CALLS, CALLS_NAME = "telecom/voice-calls.csv";
    CALLS_EXPECTED, CALLS_EXPECTED_NAME = "telecom/mo.expected.json";
    FOCUS, FOCUS_NAME = "cloud/focus-1.0-sample.csv";
    SOLAR, SOLAR_NAME = "energy/nem12/Example_NEM12_month_solar.csv";
    INTERVAL, INTERVAL_NAME = "energy/nem12/Example_NEM12_actual_interval.csv";
    QUALITY, QUALITY_NAME = "energy/nem12/Example_NEM12_multiple_quality.csv";
    NEM12_EXPECTED, NEM12_EXPECTED_NAME = "energy/nem12/expected.json";
}

/// The price list that a person can read and edit.
pub const CATALOG: &str = include_str!("../../demo/catalog.toml");
