//! Host names as a server's certificate and a join token may carry them: exact names and addresses. Wildcards, user
//! names, paths and bare numbers are refused, since each has been read two ways by two programs before.

use std::net::{IpAddr, SocketAddr};

/// Longest DNS name, in bytes.
const DNS_BYTES: usize = 253;

/// Whether a text is an IP address or an exact DNS name in lower case.
pub(crate) fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || is_dns_name(text)
}

/// Whether a text is `https://host:port`, with nothing before, between or after. IPv6 addresses stand in brackets.
pub fn is_https_address(text: &str) -> bool {
    let Some(authority) = text.strip_prefix("https://") else { return false };
    if let Ok(address) = authority.parse::<SocketAddr>() {
        return address.port() != 0;
    }
    authority.rsplit_once(':').is_some_and(|(host, port)| is_dns_name(host) && is_port(port))
}

fn is_port(text: &str) -> bool {
    !text.starts_with(['0', '+']) && text.parse::<u16>().is_ok()
}

fn is_dns_name(text: &str) -> bool {
    let numeric = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    text.len() <= DNS_BYTES
        && text.split('.').all(crate::label::is_label)
        // A name whose last label is a number would be taken for a (broken) IPv4 address.
        && text.rsplit('.').next().is_some_and(|last| !numeric(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_exact() {
        for good in ["localhost", "coordinator-0.gallra.example", "127.0.0.1", "::1"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "*.example", "example.", ".example", "UPPER", "300.1.1.1", "[::1]", "a b", "a:1"] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn addresses_have_a_host_a_port_and_nothing_else() {
        for good in ["https://localhost:8443", "https://127.0.0.1:1", "https://[::1]:65535"] {
            assert!(is_https_address(good), "{good}");
        }
        for bad in [
            "http://localhost:1",
            "https://localhost",
            "https://localhost:0",
            "https://127.0.0.1:0",
            "https://localhost:+1",
            "https://localhost:65536",
            "https://localhost:1/",
            "https://user@localhost:1",
            "https://::1:1",
            "https://:1",
        ] {
            assert!(!is_https_address(bad), "{bad}");
        }
    }
}
