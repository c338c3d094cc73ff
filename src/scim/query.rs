//! What a query asks for: in a URL, or in the body of a `.search` (RFC 7644 §3.4.2, §3.4.3;
//! cursors: RFC 9865).

use serde_json::Value;

use super::schema::urn;
use super::{Object, ScimError, same};

/// A query as it was asked. Whether its names exist is not known here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    pub filter: Option<String>,
    /// 1-based; less counts as 1.
    pub start: Option<u64>,
    /// Less than none counts as none.
    pub count: Option<u64>,
    /// Given and empty: the first page of many.
    pub cursor: Option<String>,
    pub sort_by: Option<String>,
    pub descending: bool,
    pub attributes: Vec<String>,
    pub excluded: Vec<String>,
}

impl Query {
    /// From the parameters of a URL. Others than these are none of ours: Entra adds
    /// `aadOptscim062020` to all of its.
    pub fn from_pairs<'p>(
        pairs: impl Iterator<Item = (std::borrow::Cow<'p, str>, std::borrow::Cow<'p, str>)>,
    ) -> Result<Query, ScimError> {
        let mut query = Query::default();
        for (name, value) in pairs {
            let list = || -> Vec<String> {
                let names = value.split(',').map(str::trim);
                names
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect()
            };
            match name.to_ascii_lowercase().as_str() {
                "filter" if !value.trim().is_empty() => query.filter = Some(value.into_owned()),
                "startindex" => query.start = Some(at_least(1, &value, "startIndex")?),
                "count" => query.count = Some(at_least(0, &value, "count")?),
                "cursor" => query.cursor = Some(value.into_owned()),
                "sortby" if !value.is_empty() => query.sort_by = Some(value.into_owned()),
                "sortorder" => query.descending = descending(&value)?,
                "attributes" => query.attributes.extend(list()),
                "excludedattributes" => query.excluded.extend(list()),
                _ => {}
            }
        }
        query.agrees()
    }

    /// From a SearchRequest.
    pub fn from_json(sent: &Value) -> Result<Query, ScimError> {
        let sent = sent
            .as_object()
            .ok_or_else(|| ScimError::syntax("a search is a JSON object"))?;
        message(sent, urn::SEARCH)?;
        let mut query = Query::default();
        for (name, value) in sent {
            if value.is_null() {
                continue;
            }
            let text = || match value {
                Value::String(text) => Ok(text.clone()),
                _ => Err(ScimError::value(format!("'{name}' is not a text"))),
            };
            let number = |least: i64| match value.as_i64() {
                Some(number) => Ok(u64::try_from(number.max(least)).unwrap_or(0)),
                None => Err(ScimError::value(format!("'{name}' is not a whole number"))),
            };
            let list = || match value {
                Value::Array(items) => items
                    .iter()
                    .map(|item| item.as_str().map(str::to_owned))
                    .collect::<Option<Vec<String>>>()
                    .ok_or_else(|| ScimError::value(format!("'{name}' is a list of names"))),
                Value::String(one) => Ok(vec![one.clone()]),
                _ => Err(ScimError::value(format!("'{name}' is a list of names"))),
            };
            match name.to_ascii_lowercase().as_str() {
                "filter" => query.filter = Some(text()?).filter(|text| !text.trim().is_empty()),
                "startindex" => query.start = Some(number(1)?),
                "count" => query.count = Some(number(0)?),
                "cursor" => query.cursor = Some(text()?),
                "sortby" => query.sort_by = Some(text()?),
                "sortorder" => query.descending = descending(&text()?)?,
                "attributes" => query.attributes = list()?,
                "excludedattributes" => query.excluded = list()?,
                _ => {}
            }
        }
        query.agrees()
    }

    fn agrees(self) -> Result<Query, ScimError> {
        if !self.attributes.is_empty() && !self.excluded.is_empty() {
            let text = "give 'attributes' or 'excludedAttributes', not both";
            return Err(ScimError::value(text));
        }
        Ok(self)
    }
}

/// Refuses a message whose schemas name another kind. Okta sends some without any.
pub fn message(sent: &Object, kind: &str) -> Result<(), ScimError> {
    let wrong = || ScimError::value(format!("'schemas' does not name {kind}"));
    match super::member(sent, "schemas") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(named)) => {
            let is = |urn: &Value| urn.as_str().is_some_and(|urn| same(urn, kind));
            named.iter().any(is).then_some(()).ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

fn at_least(least: i64, text: &str, name: &str) -> Result<u64, ScimError> {
    let number: i64 = text
        .trim()
        .parse()
        .map_err(|_| ScimError::value(format!("'{name}' is not a whole number")))?;
    Ok(u64::try_from(number.max(least)).unwrap_or(0))
}

fn descending(word: &str) -> Result<bool, ScimError> {
    match word {
        word if same(word, "descending") => Ok(true),
        word if same(word, "ascending") => Ok(false),
        _ => Err(ScimError::value("'sortOrder' is ascending or descending")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(query: &str) -> Result<Query, ScimError> {
        Query::from_pairs(url::form_urlencoded::parse(query.as_bytes()))
    }

    #[test]
    fn a_url_and_a_search_say_the_same() {
        let url = read(
            "FILTER=userName+pr&startIndex=0&count=-3&sortBy=userName&sortOrder=Descending&attributes=userName,%20emails&aadOptscim062020",
        );
        let search = Query::from_json(&json!({
            "schemas": [urn::SEARCH], "filter": "userName pr", "startIndex": 0, "count": -3,
            "sortBy": "userName", "sortOrder": "descending", "attributes": ["userName", "emails"]
        }));
        assert_eq!(url, search);
        assert_eq!(url.unwrap().start, Some(1));
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for query in [
            "startIndex=a",
            "count=1.5",
            "sortOrder=up",
            "attributes=a&excludedAttributes=b",
        ] {
            assert!(read(query).is_err(), "{query}");
        }
        for search in [
            json!(1),
            json!({ "schemas": ["x"] }),
            json!({ "count": "1" }),
        ] {
            assert!(Query::from_json(&search).is_err(), "{search}");
        }
    }
}
