//! Who a webhook is from (Stripe: "Verify webhook signatures manually").
//!
//! `Stripe-Signature: t=SECONDS,v1=HEX[,v1=HEX…]`, each `v1` an HMAC-SHA256 of `SECONDS.BODY` under a secret of the
//! endpoint. While a secret is being replaced there are two of each; one that fits is enough.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::account::Secret;

/// How far the sender's clock may be from ours, either way. An older recording of a webhook is refused.
pub const TOLERANCE_SECONDS: i64 = 300;

/// Why a signature is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the header Stripe-Signature is not of the form t=SECONDS,v1=HEX")]
    Malformed,
    #[error("the webhook was signed at {signed}, {TOLERANCE_SECONDS} s or more away from {now}")]
    OutOfTime { signed: i64, now: i64 },
    #[error("no signature of the webhook is by a secret of this endpoint")]
    Foreign,
}

/// Checks that the body is from someone who holds one of the secrets, and signed about `now` (seconds since 1970).
pub fn verify(
    header: &str,
    body: &[u8],
    secrets: &[Secret],
    now: i64,
) -> Result<(), SignatureError> {
    let mut signed = None;
    let mut signatures = vec![];
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", time)) => signed = time.parse::<i64>().ok(),
            Some(("v1", hex)) => signatures.extend(bytes(hex)),
            _ => {}
        }
    }
    let signed = signed.ok_or(SignatureError::Malformed)?;
    if signatures.is_empty() {
        return Err(SignatureError::Malformed);
    }
    let fits = secrets.iter().any(|secret| {
        // Compared in constant time: how much of a guess was right is not to be measured.
        let fits = |signature: &Vec<u8>| mac(secret, signed, body).verify_slice(signature).is_ok();
        !secret.expose().is_empty() && signatures.iter().any(fits)
    });
    if !fits {
        return Err(SignatureError::Foreign);
    }
    if signed.abs_diff(now) >= TOLERANCE_SECONDS.unsigned_abs() {
        return Err(SignatureError::OutOfTime { signed, now });
    }
    Ok(())
}

/// The header that goes with a body, as a stand-in for Stripe writes it.
pub fn sign(body: &[u8], secret: &Secret, at: i64) -> String {
    let hex: String = mac(secret, at, body)
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("t={at},v1={hex}")
}

fn mac(secret: &Secret, at: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("HMAC takes keys of every length");
    mac.update(format!("{at}.").as_bytes());
    mac.update(body);
    mac
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len())
        .step_by(2)
        .map(|at| {
            hex.get(at..at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1"}"#;
    const NOW: i64 = 1_700_000_000;

    fn secret(text: &str) -> Secret {
        Secret::new(text)
    }

    #[test]
    fn a_signature_is_the_hmac_sha256_of_the_time_a_dot_and_the_body() {
        // Computed with: printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
        let header =
            "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925";
        assert_eq!(sign(BODY, &secret("whsec_test"), NOW), header);
        assert_eq!(verify(header, BODY, &[secret("whsec_test")], NOW), Ok(()));
    }

    #[test]
    fn a_body_a_time_or_a_secret_that_differs_is_refused() {
        let header = sign(BODY, &secret("whsec_test"), NOW);
        let ours = [secret("whsec_test")];
        let foreign = Err(SignatureError::Foreign);
        assert_eq!(verify(&header, br#"{"id":"evt_2"}"#, &ours, NOW), foreign);
        assert_eq!(
            verify(&header.replace("t=17", "t=18"), BODY, &ours, NOW),
            foreign
        );
        assert_eq!(
            verify(&header, BODY, &[secret("whsec_other")], NOW),
            foreign
        );
        assert_eq!(verify(&header, BODY, &[], NOW), foreign);
        let by_nothing = sign(BODY, &secret(""), NOW);
        assert_eq!(verify(&by_nothing, BODY, &[secret("")], NOW), foreign);
    }

    #[test]
    fn a_recorded_webhook_is_refused_after_the_tolerance_and_one_from_the_future_too() {
        let ours = [secret("whsec_test")];
        let header = sign(BODY, &ours[0], NOW);
        for late in [TOLERANCE_SECONDS - 1, 1 - TOLERANCE_SECONDS] {
            assert_eq!(verify(&header, BODY, &ours, NOW + late), Ok(()));
        }
        for late in [TOLERANCE_SECONDS, -TOLERANCE_SECONDS, i64::MAX - NOW] {
            let refused = verify(&header, BODY, &ours, NOW + late);
            assert!(
                matches!(refused, Err(SignatureError::OutOfTime { .. })),
                "{late}"
            );
        }
    }

    #[test]
    fn while_a_secret_is_replaced_either_one_is_good() {
        let (old, new) = (secret("whsec_old"), secret("whsec_new"));
        let by_old = sign(BODY, &old, NOW);
        let by_new = sign(BODY, &new, NOW).replace("t=1700000000,", "");
        let both = format!("{by_old},{by_new},v0=00");
        for ours in [[old.clone()], [new.clone()]] {
            assert_eq!(verify(&both, BODY, &ours, NOW), Ok(()));
        }
        assert_eq!(verify(&by_old, BODY, &[new, old], NOW), Ok(()));
    }

    #[test]
    fn a_header_that_is_no_signature_is_refused() {
        let ours = [secret("whsec_test")];
        for header in [
            "",
            "t=1",
            "v1=00",
            "t=x,v1=00",
            "t=1700000000,v1=0",
            "t=1700000000,v1=zz",
            "t=1700000000,v1=é0",
        ] {
            assert_eq!(
                verify(header, BODY, &ours, NOW),
                Err(SignatureError::Malformed),
                "{header}"
            );
        }
    }
}
