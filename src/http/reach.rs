//! Which addresses a client may connect to.
//!
//! Where an address comes from somebody's settings and the answer could be of use to them, it
//! must not lead inside: to a cloud's metadata service, to a neighbour that trusts this network.
//! A name is checked when it is resolved for a connection, so one that is pointed elsewhere
//! later does not get past. A proxy that the environment names was chosen by whoever runs this
//! machine, and may stand anywhere.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Where requests may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    Anywhere,
    /// Names that resolve to public addresses only. An address that is written out is for the
    /// caller to check.
    Public,
}

/// Whether an address is somebody's on the internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        // "This network", multicast, reserved and broadcast.
        || a == 0
        || a >= 224
        // Shared by carriers (RFC 6598), protocol assignments, benchmarks (RFC 2544).
        || a == 100 && (64..128).contains(&b)
        || (a, b, c) == (192, 0, 0)
        || a == 198 && (b == 18 || b == 19);
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(ip) = embedded_v4(ip) {
        return is_public_v4(ip);
    }
    let [first, second, ..] = ip.segments();
    // Global unicast is 2000::/3, and of that 2001:db8::/32 is for examples.
    first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0xdb8)
}

/// The IPv4 address that is meant: mapped, translated (64:ff9b::/96), or by 6to4 (2002::/16).
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = ip.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(of(high, low))
        }
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

/// Resolves names, but for those with an address that is not public.
pub(super) struct PublicOnly {
    /// Hosts of proxies.
    pub exempt: Arc<BTreeSet<String>>,
}

impl PublicOnly {
    pub fn new() -> PublicOnly {
        let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
        let names = names
            .iter()
            .flat_map(|name| [name.to_string(), name.to_lowercase()]);
        let hosts = names
            .filter_map(|name| std::env::var(name).ok())
            .filter_map(|proxy| {
                let url = url::Url::parse(&proxy).or_else(|_| format!("http://{proxy}").parse());
                Some(url.ok()?.host_str()?.to_lowercase())
            });
        PublicOnly {
            exempt: Arc::new(hosts.collect()),
        }
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let exempt = self.exempt.clone();
        Box::pin(async move {
            let host = name.as_str().to_lowercase();
            // The port is put in by the caller.
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            if !exempt.contains(&host)
                && let Some(inside) = found.iter().find(|found| !is_public(found.ip()))
            {
                return Err(format!(
                    "it has the private address {}, which 'allow_private_addresses' would have to allow",
                    inside.ip()
                )
                .into());
            }
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for public in [
            "8.8.8.8",
            "93.184.216.34",
            "100.128.0.1",
            "2606:4700::1111",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for inside in [
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "203.0.113.9",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_unless_it_is_the_proxy_s() {
        let resolve = |exempt: &[&str]| {
            let exempt = exempt.iter().map(|host| (*host).to_owned()).collect();
            let resolver = PublicOnly {
                exempt: Arc::new(exempt),
            };
            resolver.resolve("localhost".parse().unwrap())
        };
        let refused = resolve(&[]).await.err().expect("refused").to_string();
        assert!(refused.contains("private address"), "{refused}");
        assert!(resolve(&["localhost"]).await.is_ok());
    }
}
