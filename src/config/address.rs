//! URLs and timezones as settings take them.
//!
//! Tokens and people's data travel to these URLs, so plain http is for this machine only:
//! tests, simulators, a proxy next door.

use jiff::tz::TimeZone;
use url::{Host, Url};

/// Where clouds serve a machine's own identity, over plain http by design.
const METADATA_SERVICE: [u8; 4] = [169, 254, 169, 254];

/// This reads an https URL, or an http URL of a loopback host.
pub fn web(text: &str) -> Result<Url, String> {
    let url = plain(text)?;
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err("must begin with https://, as http:// is for loopback hosts only".to_owned());
    }
    Ok(url)
}

/// This reads what [`web`] reads, or an http URL of the machine's metadata service.
pub fn identity(text: &str) -> Result<Url, String> {
    let url = plain(text)?;
    let metadata = matches!(url.host(), Some(Host::Ipv4(ip)) if ip.octets() == METADATA_SERVICE);
    if metadata { Ok(url) } else { web(text) }
}

/// This reads what [`web`] reads, or the same with a query: some services are told apart by it.
pub fn service(text: &str) -> Result<Url, String> {
    let whole = Url::parse(text).map_err(|error| format!("must be a URL: {error}"))?;
    let mut bare = whole.clone();
    bare.set_query(None);
    web(bare.as_str())?;
    Ok(whole)
}

/// Whether a URL leads back to this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// This finds a timezone by its IANA name.
pub fn timezone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| {
        format!(
            "must be a timezone such as \"UTC\" or \"Europe/Berlin\", and this system knows no \"{text}\""
        )
    })
}

/// The text is not repeated in a message: a URL may carry a password.
fn plain(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("must be a URL: {error}"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err("must be a URL that begins with https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user name or password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not carry a query or fragment".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for good in [
            "https://graph.microsoft.com",
            "http://127.0.0.1:8080/x",
            "http://localhost:1",
            "http://[::1]:80",
        ] {
            assert!(web(good).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com",
            "http://10.0.0.1",
            "http://169.254.169.254",
            "ftp://localhost",
        ] {
            assert!(web(bad).is_err(), "{bad}");
        }
        assert!(identity("http://169.254.169.254/metadata").is_ok());
        assert!(identity("http://169.254.169.253/metadata").is_err());
    }

    #[test]
    fn a_refused_url_is_not_repeated() {
        let error = web("https://admin:hunter2@example.com").unwrap_err();
        assert!(!error.contains("hunter2"));
        assert!(web("https://example.com/?token=x").is_err());
        assert!(web("example.com").is_err());
    }

    #[test]
    fn a_service_may_be_told_apart_by_a_query_and_by_nothing_else() {
        let url = service("https://example.com/scim/v2.0/d?aadOptscim062020").unwrap();
        assert_eq!(url.query(), Some("aadOptscim062020"));
        assert!(service("http://example.com/?x").is_err());
        assert!(service("https://example.com/#x").is_err());
        assert!(
            !service("https://a:hunter2@example.com")
                .unwrap_err()
                .contains("hunter2")
        );
    }

    #[test]
    fn timezones_go_by_their_iana_names() {
        assert!(timezone("Europe/Berlin").is_ok());
        assert!(timezone("Middle/Earth").is_err());
    }
}
