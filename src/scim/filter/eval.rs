//! Asks a filter of a resource.
//!
//! A multi-valued attribute passes when one of its values does; `ne` is the opposite of `eq`.

use std::cmp::Ordering;

use serde_json::Value;

use super::compile::Place;
use super::{Compiled, Operator, Term, Test};
use crate::directory::fold::fold;
use crate::scim::Object;

impl Compiled {
    /// Whether a resource passes.
    pub fn passes(&self, resource: &Object) -> bool {
        match self {
            Compiled::All(parts) => parts.iter().all(|part| part.passes(resource)),
            Compiled::Any(parts) => parts.iter().any(|part| part.passes(resource)),
            Compiled::Not(inner) => !inner.passes(resource),
            Compiled::Term(term) => term.passes(resource),
            Compiled::Value(place, inner) => {
                let mut whole = Vec::new();
                place.values(resource, &mut whole);
                whole.into_iter().any(|value| inner.passes_value(value))
            }
        }
    }

    /// Whether one value of a multi-valued attribute passes.
    pub fn passes_value(&self, value: &Value) -> bool {
        match value {
            Value::Object(value) => self.passes(value),
            simple => {
                let mut object = Object::new();
                object.insert("value".to_owned(), simple.clone());
                self.passes(&object)
            }
        }
    }
}

impl Place {
    /// Every value at this place.
    fn values<'v>(&self, resource: &'v Object, found: &mut Vec<&'v Value>) {
        let object = match &self.extension {
            None => resource,
            Some(urn) => match resource.get(urn) {
                Some(Value::Object(extension)) => extension,
                _ => return,
            },
        };
        let Some(value) = object.get(&self.attribute) else {
            return;
        };
        let items = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for item in items {
            match (&self.sub, item) {
                (None, item) => found.push(item),
                (Some(sub), Value::Object(parts)) => found.extend(parts.get(sub)),
                (Some(sub), simple) if sub == "value" => found.push(simple),
                (Some(_), _) => {}
            }
        }
    }
}

impl Term {
    fn passes(&self, resource: &Object) -> bool {
        let mut values = Vec::new();
        self.place.values(resource, &mut values);
        values.retain(|value| !is_nothing(value));
        match &self.test {
            Test::Present => !values.is_empty(),
            Test::Null { equal } => values.is_empty() == *equal,
            Test::Boolean { equal, to } => {
                values.iter().any(|value| value.as_bool() == Some(*to)) == *equal
            }
            Test::Text {
                operator,
                to,
                exact,
                raw: _,
            } => {
                let holds = |value: &&Value| {
                    let Value::String(text) = value else {
                        return false;
                    };
                    match exact {
                        true => text_holds(*operator, text, to),
                        false => text_holds(*operator, &fold(text), to),
                    }
                };
                values.iter().any(holds) != (*operator == Operator::NotEqual)
            }
            Test::Moment { operator, to } => {
                let holds = |value: &&Value| {
                    let moment = value.as_str().and_then(|text| text.parse().ok());
                    moment.is_some_and(|moment: jiff::Timestamp| ordered(*operator, moment.cmp(to)))
                };
                values.iter().any(holds) != (*operator == Operator::NotEqual)
            }
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// For `ne` this says whether they are equal: the caller turns it round.
fn text_holds(operator: Operator, text: &str, to: &str) -> bool {
    match operator {
        Operator::Contains => text.contains(to),
        Operator::StartsWith => text.starts_with(to),
        Operator::EndsWith => text.ends_with(to),
        operator => ordered(operator, text.cmp(to)),
    }
}

fn ordered(operator: Operator, order: Ordering) -> bool {
    match operator {
        Operator::Equal | Operator::NotEqual => order.is_eq(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}
