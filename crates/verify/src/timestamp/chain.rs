//! From the signer's certificate to a trusted root. Refuses to know what was signed.

use super::StampError;
use super::certificate::Certificate;
use crate::time::Instant;

/// A certificate that a chain has reached.
struct Link<'a, 'b> {
    certificate: &'b Certificate<'a>,
    /// The first end of validity from the signer up to here.
    until: Instant,
    /// Authorities between its issuer and the signer.
    below: u32,
}

/// Finds a chain whose certificates were all valid at this instant; the root's own validity counts too. Gives the first end of
/// validity in it.
///
/// Shortest chains come first and each certificate is reached once, so the work is bounded by the number of pairs, and
/// what is reached is reached with the fewest authorities below it.
pub(super) fn ends(
    signer: &Certificate<'_>,
    others: &[Certificate<'_>],
    roots: &[Certificate<'_>],
    at: &Instant,
) -> Result<Instant, StampError> {
    if !signer.is_valid_at(at) {
        return Err(StampError::NotValidThen);
    }
    let is_root = |certificate: &Certificate<'_>| roots.iter().any(|root| root.whole == certificate.whole);
    let mut reached = vec![Link { certificate: signer, until: signer.until.clone(), below: 0 }];
    let mut why = StampError::Untrusted;
    let mut next = 0;
    while let Some(Link { certificate, until, below }) = reached.get(next) {
        let (certificate, until, below) = (*certificate, until.clone(), *below);
        next += 1;
        if is_root(certificate) {
            return Ok(until);
        }
        for issuer in roots.iter().chain(others) {
            if issuer.subject != certificate.issuer || reached.iter().any(|link| link.certificate.whole == issuer.whole)
            {
                continue;
            }
            match issued(certificate, issuer, below, at) {
                Ok(()) => {
                    reached.push(Link {
                        certificate: issuer,
                        until: until.clone().min(issuer.until.clone()),
                        below: below + 1,
                    });
                }
                // Another authority of the same name is none of this chain's.
                Err(StampError::Signature) => {}
                // The first reason is the one nearest to the signer.
                Err(reason) if why == StampError::Untrusted => why = reason,
                Err(_) => {}
            }
        }
    }
    Err(why)
}

/// Whether one certificate was rightly issued by the other.
fn issued(certificate: &Certificate<'_>, issuer: &Certificate<'_>, below: u32, at: &Instant) -> Result<(), StampError> {
    certificate.is_signed_by(issuer)?;
    if !issuer.is_valid_at(at) {
        return Err(StampError::NotValidThen);
    }
    let extensions = issuer.extensions().map_err(|_| StampError::Issuer)?;
    if extensions.may_issue(below) { Ok(()) } else { Err(StampError::Issuer) }
}
