//! An attribute's value, as a source gave it and as a mapping passes it on.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value of any shape a directory can hold. Null does not exist: it is an absence.
#[derive(Clone, PartialEq)]
pub enum Value {
    Bool(bool),
    Integer(i64),
    Decimal(f64),
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// Reads JSON. Null and the empty string are absences: SCIM treats them alike
    /// (RFC 7643 §2.5), and so do the rules.
    pub fn from_json(json: serde_json::Value) -> Option<Value> {
        use serde_json::Value as Json;
        Some(match json {
            Json::Null => return None,
            Json::Bool(b) => Value::Bool(b),
            Json::Number(n) => match n.as_i64() {
                Some(i) => Value::Integer(i),
                None => Value::Decimal(n.as_f64()?),
            },
            Json::String(s) if s.is_empty() => return None,
            Json::String(s) => Value::Text(s),
            Json::Array(items) => {
                Value::List(items.into_iter().filter_map(Value::from_json).collect())
            }
            Json::Object(fields) => Value::Object(
                fields
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, Value::from_json(value)?)))
                    .collect(),
            ),
        })
    }

    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::Bool(b) => Json::Bool(*b),
            Value::Integer(i) => Json::from(*i),
            Value::Decimal(d) => Json::from(*d),
            Value::Text(s) => Json::String(s.clone()),
            Value::List(items) => Json::Array(items.iter().map(Value::to_json).collect()),
            Value::Object(fields) => Json::Object(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), value.to_json()))
                    .collect(),
            ),
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(s) => Some(s),
            _ => None,
        }
    }

    /// The value as one word, for filters (`department = Sales`) and for reports.
    pub fn plain(&self) -> String {
        match self {
            Value::Text(s) => s.clone(),
            other => other.to_json().to_string(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

/// Personal data: a stray `{:?}` shows the shape and nothing else.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Value::Bool(_) => "Bool(…)",
            Value::Integer(_) => "Integer(…)",
            Value::Decimal(_) => "Decimal(…)",
            Value::Text(_) => "Text(…)",
            Value::List(_) => "List(…)",
            Value::Object(_) => "Object(…)",
        })
    }
}

/// How a value is kept in compact rows, which cannot say what comes next by themselves.
#[derive(Serialize, Deserialize)]
enum Stored {
    Bool(bool),
    Integer(i64),
    Decimal(f64),
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

#[derive(Serialize)]
enum StoredRef<'a> {
    Bool(bool),
    Integer(i64),
    Decimal(f64),
    Text(&'a str),
    List(&'a [Value]),
    Object(&'a BTreeMap<String, Value>),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return match self {
                Value::Bool(b) => b.serialize(serializer),
                Value::Integer(i) => i.serialize(serializer),
                Value::Decimal(d) => d.serialize(serializer),
                Value::Text(s) => s.serialize(serializer),
                Value::List(items) => items.serialize(serializer),
                Value::Object(fields) => fields.serialize(serializer),
            };
        }
        match self {
            Value::Bool(b) => StoredRef::Bool(*b),
            Value::Integer(i) => StoredRef::Integer(*i),
            Value::Decimal(d) => StoredRef::Decimal(*d),
            Value::Text(s) => StoredRef::Text(s),
            Value::List(items) => StoredRef::List(items),
            Value::Object(fields) => StoredRef::Object(fields),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let json = serde_json::Value::deserialize(deserializer)?;
            return Value::from_json(json)
                .ok_or_else(|| serde::de::Error::custom("null where a value is needed"));
        }
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Bool(b) => Value::Bool(b),
            Stored::Integer(i) => Value::Integer(i),
            Stored::Decimal(d) => Value::Decimal(d),
            Stored::Text(s) => Value::Text(s),
            Stored::List(items) => Value::List(items),
            Stored::Object(fields) => Value::Object(fields),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_string_and_null_are_absences() {
        assert!(Value::from_json(serde_json::json!("")).is_none());
        assert!(Value::from_json(serde_json::json!(null)).is_none());
    }

    #[test]
    fn rows_keep_every_shape() {
        let json = serde_json::json!({"a": [1, 2.5, "x", true], "b": {"c": "d"}});
        let value = Value::from_json(json.clone()).unwrap();
        let bytes = postcard::to_stdvec(&value).unwrap();
        let back: Value = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(back.to_json(), json);
    }

    #[test]
    fn debug_shows_no_personal_data() {
        assert_eq!(format!("{:?}", Value::from("jane@contoso.com")), "Text(…)");
    }
}
