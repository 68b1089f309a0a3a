//! Where a witness is: `http://host:port/prefix`, to which `/add-checkpoint` is added.
//!
//! Refuses what would be understood in two ways: queries, fragments, names and passwords in an address.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;

/// Longest address, in bytes.
const MOST_BYTES: usize = 1024;

/// The text is no address that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address.
    #[error("not an address: expected http://HOST[:PORT][/PREFIX] without query, user and trailing slash")]
    Form,
    /// Not `http`.
    #[error("only http is spoken: for https give the address of a local proxy that adds TLS")]
    Scheme,
}

/// An address in its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    /// Empty, or begins with a slash and does not end in one.
    prefix: String,
}

impl Address {
    /// The host as it is dialled: a name or an IP address, without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What the `Host` header says.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 80 { host } else { format!("{host}:{}", self.port) }
    }

    /// The path of a request.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.prefix)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MOST_BYTES || text.contains(['#', '@', '?']) || !text.is_ascii() {
            return Err(AddressError::Form);
        }
        let uri: Uri = text.parse().map_err(|_| AddressError::Form)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return Err(AddressError::Form) };
        if *scheme != Scheme::HTTP {
            return Err(AddressError::Scheme);
        }
        let host = host(authority.host()).ok_or(AddressError::Form)?;
        let bare = authority.port().is_none();
        // A colon without a number behind it, or one that is no port.
        let port = if bare { 80 } else { authority.port_u16().ok_or(AddressError::Form)? };
        if port == 0 || (bare && authority.as_str().len() != authority.host().len()) {
            return Err(AddressError::Form);
        }
        let prefix = uri.path().strip_suffix('/').unwrap_or(uri.path());
        if prefix.ends_with('/') {
            return Err(AddressError::Form);
        }
        Ok(Self { host: host.to_owned(), port, prefix: prefix.to_owned() })
    }
}

/// A name, an IPv4 address, or an IPv6 address out of its brackets. The library takes more, and what it takes has two readings.
fn host(text: &str) -> Option<&str> {
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|inner| inner.parse::<Ipv6Addr>().is_ok()),
        None => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
            (!text.is_empty() && text.bytes().all(plain)).then_some(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, authority, path) in [
            ("http://witness.example", "witness.example", "/add-checkpoint"),
            ("http://witness.example/", "witness.example", "/add-checkpoint"),
            ("http://witness.example:8080/w/1", "witness.example:8080", "/w/1/add-checkpoint"),
            ("http://127.0.0.1:7344/", "127.0.0.1:7344", "/add-checkpoint"),
            ("http://[::1]:7344", "[::1]:7344", "/add-checkpoint"),
        ] {
            let read: Address = text.parse().expect(text);
            assert_eq!((read.authority().as_str(), read.path("/add-checkpoint").as_str()), (authority, path));
            assert_eq!(read.to_string().parse(), Ok(read));
        }
        let read: Address = "http://[::1]:7344".parse().expect("reads");
        assert_eq!((read.host(), read.port()), ("::1", 7344));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "witness.example",
            "/add-checkpoint",
            "http://",
            "http:///x",
            "http://a:b@witness.example",
            "http://witness.example?x",
            "http://witness.example/#x",
            "http://witness.example:",
            "http://witness.example:0",
            "http://witness.example:65536",
            "http://witness.example//",
            "http://witness.example/a b",
            "http://vittne.exämple",
            "http://x[::1]:7344",
            "http://[witness.example]",
        ] {
            assert_eq!(bad.parse::<Address>(), Err(AddressError::Form), "{bad}");
        }
        for bad in ["https://witness.example", "ftp://witness.example"] {
            assert_eq!(bad.parse::<Address>(), Err(AddressError::Scheme), "{bad}");
        }
    }
}
