//! The connection string: which server, and how well the way there has to be guarded.
//!
//! A socket of this machine and the loopback need no TLS. Everything else does: a database of
//! people's names is not read over a bare network, whatever the string says.

use std::net::IpAddr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::tls::{Connector, Trust};

pub struct Address {
    pub config: Config,
    /// None where TLS is not even tried.
    pub tls: Option<Connector>,
    /// The place, for messages: no user, no password.
    pub place: String,
}

/// What is wrong with the connection string. Nothing of it is repeated: it holds a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    #[error(
        "the url is no connection string: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the password as %XX"
    )]
    Unreadable,
    #[error(
        "the url names no host: write postgresql://USER@HOST/DATABASE, or postgresql:///DATABASE?host=/run/postgresql for a socket"
    )]
    NoHost,
    #[error(
        "the url names no database: write it behind the host, as in postgresql://HOST/DATABASE"
    )]
    NoDatabase,
    #[error(
        "the url's sslmode is none of disable, allow, prefer, require, verify-ca and verify-full"
    )]
    SslMode,
    #[error(
        "the url's sslmode lets people's data go over the network in the clear: leave it out, or write sslmode=verify-full"
    )]
    Bare,
    #[error("{0}")]
    Tls(String),
}

impl Address {
    /// Reads a connection string. `ca_pem` are further authorities to trust.
    pub fn read(url: &str, ca_pem: Option<&[u8]>) -> Result<Address, AddressError> {
        let (url, mode) = without_ssl_mode(url.trim());
        let mut config: Config = url.parse().map_err(|_| AddressError::Unreadable)?;
        let hosts = config.get_hosts();
        if hosts.is_empty() {
            return Err(AddressError::NoHost);
        }
        let Some(database) = config.get_dbname() else {
            return Err(AddressError::NoDatabase);
        };
        let place = format!("{} ({})", place(&config), database);
        let sockets = hosts.iter().all(|host| matches!(host, Host::Unix(_)));
        let near = hosts.iter().all(is_near);
        let trust = match (mode.as_deref(), near) {
            _ if sockets => None,
            (Some("disable"), true) => None,
            (None | Some("allow" | "prefer"), true) => Some((SslMode::Prefer, Trust::Anybody)),
            (Some("disable" | "allow" | "prefer"), false) => return Err(AddressError::Bare),
            // Without an authority named, it is what everybody takes it for: encrypted, to
            // whoever answers.
            (Some("require"), _) if ca_pem.is_none() => Some((SslMode::Require, Trust::Anybody)),
            (Some("require" | "verify-ca"), _) => Some((SslMode::Require, Trust::Chain)),
            (None | Some("verify-full"), _) => Some((SslMode::Require, Trust::Name)),
            _ => return Err(AddressError::SslMode),
        };
        let tls = match trust {
            None => {
                config.ssl_mode(SslMode::Disable);
                None
            }
            Some((mode, trust)) => {
                config.ssl_mode(mode);
                Some(Connector::new(trust, ca_pem).map_err(AddressError::Tls)?)
            }
        };
        config.application_name("rosterd");
        Ok(Address { config, tls, place })
    }
}

/// The string without its `sslmode`, of which the driver knows only half the words.
fn without_ssl_mode(url: &str) -> (String, Option<String>) {
    if let Some((front, query)) = url.split_once('?').filter(|_| url.contains("://")) {
        let (modes, others): (Vec<&str>, Vec<&str>) = query
            .split('&')
            .partition(|pair| pair.starts_with("sslmode="));
        let mode = modes.last().map(|pair| pair["sslmode=".len()..].to_owned());
        let front = match others.is_empty() {
            true => front.to_owned(),
            false => format!("{front}?{}", others.join("&")),
        };
        return (front, mode);
    }
    match url
        .split_whitespace()
        .find(|word| word.starts_with("sslmode="))
    {
        Some(word) if !url.contains("://") => {
            let mode = word["sslmode=".len()..].trim_matches('\'').to_owned();
            (url.replacen(word, "", 1), Some(mode))
        }
        _ => (url.to_owned(), None),
    }
}

fn is_near(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    }
}

fn place(config: &Config) -> String {
    let ports = config.get_ports();
    let port = |index: usize| {
        let port = ports.get(index).or(ports.first());
        port.copied().unwrap_or(5432)
    };
    let hosts = config.get_hosts().iter().enumerate();
    let hosts: Vec<String> = hosts
        .map(|(index, host)| match host {
            Host::Unix(path) => format!("{}:{}", path.display(), port(index)),
            Host::Tcp(name) => format!("{name}:{}", port(index)),
        })
        .collect();
    hosts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Address, AddressError> {
        Address::read(url, None)
    }

    fn mode(url: &str) -> SslMode {
        read(url).expect("it can be read").config.get_ssl_mode()
    }

    #[test]
    fn sockets_and_the_loopback_may_go_without_tls() {
        assert_eq!(
            mode("postgresql:///app?host=/run/postgresql"),
            SslMode::Disable
        );
        assert_eq!(mode("host=/run/postgresql dbname=app"), SslMode::Disable);
        assert_eq!(mode("postgresql://u:p@localhost/app"), SslMode::Prefer);
        assert_eq!(
            mode("postgresql://u:p@[::1]/app?sslmode=disable"),
            SslMode::Disable
        );
        assert_eq!(
            mode("postgresql://u:p@127.0.0.1/app?sslmode=verify-full"),
            SslMode::Require
        );
        assert_eq!(
            mode("host=127.0.0.1 sslmode=require dbname=app"),
            SslMode::Require
        );
    }

    #[test]
    fn the_network_asks_for_tls_whatever_the_string_says() {
        assert_eq!(
            mode("postgresql://u:p@db.example.com/app"),
            SslMode::Require
        );
        for word in ["disable", "allow", "prefer"] {
            let url = format!("postgresql://u:p@db.example.com/app?sslmode={word}");
            assert_eq!(read(&url).err(), Some(AddressError::Bare));
        }
        let several = read("postgresql://u:p@localhost,db.example.com/app?sslmode=prefer");
        assert_eq!(several.err(), Some(AddressError::Bare));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, error) in [
            ("hunter2", AddressError::Unreadable),
            ("postgresql://u:hunter2@/app", AddressError::NoHost),
            ("postgresql://u:hunter2@localhost", AddressError::NoDatabase),
            (
                "postgresql://u:hunter2@localhost/app?hunter2=hunter2",
                AddressError::Unreadable,
            ),
            (
                "postgresql://u:hunter2@localhost/app?sslmode=hunter2",
                AddressError::SslMode,
            ),
        ] {
            let said = read(url).err().expect("it is refused");
            assert_eq!(said, error, "{url}");
            assert!(!said.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn the_place_in_messages_is_without_user_and_password() {
        let address = read("postgresql://u:hunter2@localhost:5433/app").expect("it can be read");
        assert_eq!(address.place, "localhost:5433 (app)");
    }
}
