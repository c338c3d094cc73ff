//! Writing JSON straight into a buffer, for pages of many thousand objects.

use std::borrow::Cow;

use serde_json::Value;

/// A value of an object's property, before it becomes text.
#[derive(Debug, Clone, PartialEq)]
pub enum Val<'a> {
    /// Never set: absent from deltas, `null` in lists.
    Unset,
    Bool(bool),
    Text(Cow<'a, str>),
    /// Ready JSON text.
    Json(String),
    /// Given from outside; an explicit `null` means cleared.
    Given(&'a Value),
}

impl Val<'_> {
    /// Appends the value as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Unset => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Text(text) => string(text, out),
            Self::Json(text) => out.extend_from_slice(text.as_bytes()),
            Self::Given(value) => value_into(value, out),
        }
    }

    /// The same as a JSON value.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Unset => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Text(text) => Value::String(text.to_string()),
            Self::Json(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            Self::Given(value) => (*value).clone(),
        }
    }
}

/// Appends a JSON string.
pub fn string(text: &str, out: &mut Vec<u8>) {
    if text
        .bytes()
        .any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        value_into(&Value::String(text.to_owned()), out);
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

/// Appends any JSON value.
pub fn value_into(value: &Value, out: &mut Vec<u8>) {
    // Writing a `Value` into memory has no way to fail.
    let _ = serde_json::to_writer(out, value);
}

/// Appends `"name":`, with a comma unless the object was just opened.
pub fn name(name: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    string(name, out);
    out.push(b':');
}

/// Appends a comma unless an array was just opened or nothing stands before.
pub fn comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), None | Some(b'[')) {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_text_is_escaped() {
        let mut out = Vec::new();
        string("a\"b\nc", &mut out);
        assert_eq!(out, br#""a\"b\nc""#);
    }
}
