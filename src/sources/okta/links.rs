//! The `Link` header (RFC 8288), as far as paging needs it.

use reqwest::header::{HeaderMap, LINK};

/// The target of `rel="next"`. Links come as several header lines, as one with commas, or as
/// a mixture; the targets themselves may hold commas.
pub fn next_of(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .find_map(next_in)
}

fn next_in(line: &str) -> Option<&str> {
    let mut rest = line;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        // The parameters end where the next target begins.
        let (parameters, remainder) = after.split_at(after.find('<').unwrap_or(after.len()));
        let next = parameters.split(';').any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
                name.trim().eq_ignore_ascii_case("rel")
                    && value
                        .split_ascii_whitespace()
                        .any(|rel| rel.eq_ignore_ascii_case("next"))
            })
        });
        if next {
            return Some(target);
        }
        rest = remainder;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(LINK, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_next_link_is_found_in_any_form() {
        let own = "<https://x.test/api/v1/users?limit=2>; rel=\"self\"";
        let next = "<https://x.test/api/v1/users?after=a,b&limit=2>; rel=\"next\"";
        let found = Some("https://x.test/api/v1/users?after=a,b&limit=2");
        assert_eq!(next_of(&headers(&[own, next])), found);
        assert_eq!(next_of(&headers(&[next, own])), found);
        assert_eq!(next_of(&headers(&[&format!("{own}, {next}")])), found);
        assert_eq!(next_of(&headers(&[&format!("{next},{own}")])), found);
        assert_eq!(
            next_of(&headers(&["<https://x.test/a>;rel=next"])),
            Some("https://x.test/a")
        );
        assert_eq!(next_of(&headers(&[own])), None);
        assert_eq!(next_of(&headers(&[])), None);
    }
}
