//! Bank files against the schemas of ISO 20022 and against what banks send.

mod camt;
mod hostile;
mod mt940;
mod orders;
mod schema;
mod status;

/// A sample file beside the tests.
fn sample(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/files")
        .join(name);
    std::fs::read(path).expect("the sample is part of the source")
}
