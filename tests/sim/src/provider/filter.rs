//! The one filter that clients send: `attribute eq "value"`.

use serde_json::{Map, Value};

use super::No;

pub struct Filter {
    pub attribute: String,
    pub value: String,
}

impl Filter {
    pub fn read(text: &str) -> Result<Filter, No> {
        let bad = || No::typed(400, "invalidFilter", "The filter is not understood.");
        let (attribute, rest) = text.trim().split_once(' ').ok_or_else(bad)?;
        let value = rest.trim().strip_prefix("eq ").ok_or_else(bad)?;
        let value: String = serde_json::from_str(value.trim()).map_err(|_| bad())?;
        Ok(Filter {
            attribute: attribute.to_owned(),
            value,
        })
    }

    pub fn finds(&self, user: &Map<String, Value>) -> bool {
        let same = |text: &str| text.eq_ignore_ascii_case(&self.value);
        match self.attribute.as_str() {
            "emails.value" => emails(user).iter().any(|email| same(email)),
            // `externalId` is case-exact.
            "externalId" | "id" => user
                .get(&self.attribute)
                .and_then(Value::as_str)
                .is_some_and(|text| text == self.value),
            name => user.get(name).and_then(Value::as_str).is_some_and(same),
        }
    }
}

/// Every email address of a user.
pub fn emails(user: &Map<String, Value>) -> Vec<String> {
    let emails = user.get("emails").and_then(Value::as_array);
    let emails = emails.into_iter().flatten();
    emails
        .filter_map(|email| email["value"].as_str().map(str::to_owned))
        .collect()
}
