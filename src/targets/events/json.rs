//! JSON, spelled as JavaScript spells it.
//!
//! Receivers of the Polis kind parse a body and serialise it again before they check its
//! signature. What is sent must therefore be what `JSON.stringify(JSON.parse(body))` gives back,
//! byte for byte (ECMA-262 §25.5, §10.1.11.1, §6.1.6.1.20): no spaces, keys that look like array
//! indices first and in ascending order, then the others as they come, numbers as JavaScript
//! prints them. Whole numbers that a JavaScript number cannot hold are sent as texts.

use crate::directory::Value;

/// A JSON value that remembers the order of its keys.
#[derive(Clone, PartialEq, Debug)]
pub enum Node {
    Null,
    Bool(bool),
    Integer(i64),
    Decimal(f64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// 2^53 - 1: up to here every whole number is a JavaScript number of its own.
const LARGEST_WHOLE: u64 = (1 << 53) - 1;

/// The largest array index, 2^32 - 2.
const LARGEST_INDEX: u32 = u32::MAX - 1;

impl Node {
    pub fn text(text: impl Into<String>) -> Node {
        Node::Text(text.into())
    }

    /// The JSON text.
    pub fn spell(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Node::Null => out.push_str("null"),
            Node::Bool(true) => out.push_str("true"),
            Node::Bool(false) => out.push_str("false"),
            Node::Integer(number) if number.unsigned_abs() > LARGEST_WHOLE => {
                write_text(out, &number.to_string());
            }
            Node::Integer(number) => out.push_str(&number.to_string()),
            Node::Decimal(number) => out.push_str(&number_text(*number)),
            Node::Text(text) => write_text(out, text),
            Node::List(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Node::Object(fields) => {
                out.push('{');
                for (place, (name, value)) in ordered(fields).into_iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    write_text(out, name);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Node {
        match value {
            Value::Bool(flag) => Node::Bool(*flag),
            Value::Integer(number) => Node::Integer(*number),
            Value::Decimal(number) => Node::Decimal(*number),
            Value::Text(text) => Node::Text(text.clone()),
            Value::List(items) => Node::List(items.iter().map(Node::from).collect()),
            Value::Object(fields) => Node::Object(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), Node::from(value)))
                    .collect(),
            ),
        }
    }
}

/// The fields as an object enumerates them. Of two with one name the later value stands, in
/// the place of the first.
fn ordered(fields: &[(String, Node)]) -> Vec<(&str, &Node)> {
    let mut indices: Vec<(u32, &str, &Node)> = Vec::new();
    let mut names: Vec<(&str, &Node)> = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        match index(name) {
            Some(index) => match indices.binary_search_by_key(&index, |field| field.0) {
                Ok(place) => indices[place].2 = value,
                Err(place) => indices.insert(place, (index, name, value)),
            },
            None => match names.iter_mut().find(|field| field.0 == name) {
                Some(field) => field.1 = value,
                None => names.push((name, value)),
            },
        }
    }
    let indices = indices.into_iter().map(|(_, name, value)| (name, value));
    indices.chain(names).collect()
}

/// The array index that a name is, if it is one: `7`, and not `07`, `+7` or `7.0`.
fn index(name: &str) -> Option<u32> {
    let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || name.len() > 1 && name.starts_with('0') {
        return None;
    }
    let number: u32 = name.parse().ok()?;
    (number <= LARGEST_INDEX).then_some(number)
}

/// Quotes a text. serde_json escapes what JavaScript escapes, and nothing else.
pub fn write_text(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).expect("a text is always JSON"));
}

/// A number as JavaScript prints it: the shortest digits that read back as the same number,
/// plain from a millionth up to 10^21, else with an exponent.
fn number_text(number: f64) -> String {
    if !number.is_finite() {
        return "null".to_owned();
    }
    if number == 0.0 {
        // Minus nought, too.
        return "0".to_owned();
    }
    // `d.ddde±x`: the same shortest digits, only arranged in another way.
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').expect("that is its form");
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().expect("that is its form");
    let count = i32::try_from(digits.len()).expect("at most 17 digits");
    // The decimal point stands after so many digits.
    let point = exponent + 1;
    let nought = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let split = |place: i32| digits.split_at(usize::try_from(place).unwrap_or(0));
    let text = if count <= point && point <= 21 {
        format!("{digits}{}", nought(point - count))
    } else if 0 < point && point <= 21 {
        let (whole, part) = split(point);
        format!("{whole}.{part}")
    } else if -6 < point && point <= 0 {
        format!("0.{}{digits}", nought(-point))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let (first, rest) = split(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{first}{dot}{rest}e{sign}{}", exponent.abs())
    };
    if number < 0.0 {
        format!("-{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests;
