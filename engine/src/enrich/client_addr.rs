//! Who is asking: the client's address behind proxies, and the only form of it that leaves the connection.
//!
//! The peer is the client unless it is a trusted proxy. Behind one, exactly one configured header is read, from right
//! to left, and the first address that is not a trusted proxy is the client: what a client writes into the header
//! itself stands further left and is never reached. Anything unreadable means *unknown*, never the proxy's address.
//!
//! Cost: one scan of the header, no allocation, at most [`FORWARD_HOPS_MAX`] hops.
//! Not here: the PROXY protocol, which belongs to the listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::limits::FORWARD_HOPS_MAX;

/// A network in prefix form, such as `10.0.0.0/8`. Host bits are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// A network could not be read; the configuration is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Not an address before the slash.
    #[error("not an IP address")]
    Address,
    /// Not a prefix length for this family.
    #[error("prefix length must be between 0 and {bits_max}")]
    Prefix {
        /// Longest prefix of this family.
        bits_max: u8,
    },
}

impl Network {
    /// Does this network hold `address`? IPv4-mapped IPv6 addresses count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix_bits);
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix_bits);
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Reads `address/prefix`, or an address alone for a single host.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => bits_max,
            Some(prefix) => prefix.parse().map_err(|_| NetworkError::Prefix { bits_max })?,
        };
        if prefix_bits > bits_max {
            return Err(NetworkError::Prefix { bits_max });
        }
        Ok(Network { address, prefix_bits })
    }
}

/// Which single header carries the client's address behind a trusted proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HeaderChoice {
    /// `X-Forwarded-For`: a comma-separated list, appended to by each proxy.
    #[default]
    XForwardedFor,
    /// `Forwarded` of RFC 7239: the `for=` parameter of each element.
    Forwarded,
    /// A header that holds one address, such as `x-real-ip`; lower case.
    Single(Box<str>),
}

impl HeaderChoice {
    /// The header's name, lower case. The caller passes all values of this header and of no other.
    pub fn name(&self) -> &str {
        match self {
            HeaderChoice::XForwardedFor => "x-forwarded-for",
            HeaderChoice::Forwarded => "forwarded",
            HeaderChoice::Single(name) => name,
        }
    }
}

/// How the client's address is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientAddrPolicy {
    /// Proxies whose header is believed. Empty: every peer is the client.
    pub trusted: Vec<Network>,
    /// The header they write.
    pub header: HeaderChoice,
}

impl ClientAddrPolicy {
    /// Is this address one of the trusted proxies?
    pub fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// The client behind `peer`, or nothing when it cannot be known.
    ///
    /// `values` are the values of the configured header ([`HeaderChoice::name`]), in the order in which its lines came;
    /// several lines are one list.
    pub fn resolve<'a, V>(&self, peer: IpAddr, values: V) -> Option<IpAddr>
    where
        V: DoubleEndedIterator<Item = &'a str>,
    {
        let peer = peer.to_canonical();
        if !self.is_trusted(peer) {
            return Some(peer);
        }
        if let HeaderChoice::Single(_) = self.header {
            return single_value(values);
        }
        let mut leftmost = None;
        for (hop, token) in values.rev().flat_map(|line| line.rsplit(',')).enumerate() {
            if hop == FORWARD_HOPS_MAX {
                return None;
            }
            let address = match self.header {
                HeaderChoice::Forwarded => parse_node(forwarded_for(token)?)?,
                _ => parse_node(token.trim())?,
            };
            if !self.is_trusted(address) {
                return Some(address);
            }
            leftmost = Some(address);
        }
        // Every hop is one of ours: the request started inside, at the leftmost.
        leftmost
    }
}

/// A single-value header: a second value means that someone else wrote one too.
fn single_value<'a>(mut values: impl Iterator<Item = &'a str>) -> Option<IpAddr> {
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    parse_node(value.trim())
}

/// The `for` parameter of one element of a `Forwarded` header, without quotes.
fn forwarded_for(element: &str) -> Option<&str> {
    for parameter in element.split(';') {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if !name.trim().eq_ignore_ascii_case("for") {
            continue;
        }
        let value = value.trim();
        return Some(value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value));
    }
    None
}

/// An address with an optional port, brackets or zone. Octal, decimal and obfuscated forms are refused.
fn parse_node(token: &str) -> Option<IpAddr> {
    if let Some(rest) = token.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        let is_port = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        return if is_port { parse_v6(inside) } else { None };
    }
    if let Some((host, port)) = token.split_once(':')
        && !port.contains(':')
    {
        return if is_port(port) { host.parse::<Ipv4Addr>().ok().map(IpAddr::V4) } else { None };
    }
    match token.parse::<Ipv4Addr>() {
        Ok(address) => Some(IpAddr::V4(address)),
        Err(_) => parse_v6(token),
    }
}

fn parse_v6(text: &str) -> Option<IpAddr> {
    let without_zone = text.split_once('%').map_or(text, |(address, _)| address);
    without_zone.parse::<Ipv6Addr>().ok().map(|address| IpAddr::V6(address).to_canonical())
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The network that the address is in, coarse enough not to name a household: `/24` for IPv4, `/48` for IPv6.
///
/// The only form that is looked up, and the only form that may leave the connection.
pub fn truncate(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & 0xffff_ff00)),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn truncation_drops_the_host_part() {
        assert_eq!(truncate(address("198.51.100.77")), address("198.51.100.0"));
        assert_eq!(truncate(address("::ffff:198.51.100.77")), address("198.51.100.0"));
        assert_eq!(truncate(address("2001:db8:1:2:3:4:5:6")), address("2001:db8:1::"));
    }

    #[test]
    fn networks_are_read_and_matched() {
        let everything: Network = "0.0.0.0/0".parse().unwrap();
        assert!(everything.contains(address("255.255.255.255")));
        assert!(!everything.contains(address("::1")));
        let host: Network = "2001:db8::1".parse().unwrap();
        assert!(host.contains(address("2001:db8::1")) && !host.contains(address("2001:db8::2")));
        assert_eq!("10.0.0.0/33".parse::<Network>(), Err(NetworkError::Prefix { bits_max: 32 }));
        assert_eq!("10.0.0/8".parse::<Network>(), Err(NetworkError::Address));
        assert_eq!("10.0.0.0/".parse::<Network>(), Err(NetworkError::Prefix { bits_max: 32 }));
    }

    #[test]
    fn endless_chains_are_unknown() {
        let policy = ClientAddrPolicy {
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
            header: HeaderChoice::XForwardedFor,
        };
        let chain = vec!["10.0.0.1"; FORWARD_HOPS_MAX + 1].join(",");
        assert_eq!(policy.resolve(address("10.0.0.1"), [chain.as_str()].into_iter()), None);
        let chain = vec!["10.0.0.1"; FORWARD_HOPS_MAX].join(",");
        assert_eq!(
            policy.resolve(address("10.0.0.1"), [chain.as_str()].into_iter()),
            Some(address("10.0.0.1"))
        );
    }

    #[test]
    fn a_repeated_single_value_header_is_unknown() {
        let policy = ClientAddrPolicy {
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
            header: HeaderChoice::Single("x-real-ip".into()),
        };
        let values = ["198.51.100.9", "1.1.1.1"];
        assert_eq!(policy.resolve(address("10.0.0.1"), values.into_iter()), None);
    }
}
