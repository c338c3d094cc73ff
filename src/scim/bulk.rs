//! Many requests in one (RFC 7644 §3.7): read, and the references among them filled in. Who
//! carries them out is elsewhere.
//!
//! Operations are done in the order in which they stand, but one that refers to a resource
//! that a later one creates waits for it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::schema::urn;
use super::{ScimError, query};

/// The most operations of one request.
pub const MAX_OPERATIONS: usize = 1000;

/// What stands before a `bulkId` where an id belongs.
const REFERENCE: &str = "bulkId:";

#[derive(Clone, PartialEq, Debug)]
pub struct BulkRequest {
    /// After so many errors the rest is not done. None: all are tried.
    pub fail_on_errors: Option<u64>,
    pub operations: Vec<BulkOperation>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct BulkOperation {
    /// In capitals.
    pub method: String,
    pub bulk_id: Option<String>,
    pub version: Option<String>,
    /// As in `/Users/ID`.
    pub path: String,
    pub data: Option<Value>,
}

impl BulkRequest {
    pub fn read(sent: &Value) -> Result<BulkRequest, ScimError> {
        let sent = sent
            .as_object()
            .ok_or_else(|| ScimError::syntax("a bulk request is a JSON object"))?;
        query::message(sent, urn::BULK_REQUEST)?;
        let fail_on_errors = match super::member(sent, "failOnErrors") {
            None | Some(Value::Null) => None,
            Some(number) => Some(
                number
                    .as_u64()
                    .ok_or_else(|| ScimError::syntax("'failOnErrors' is a number"))?,
            ),
        };
        let Some(Value::Array(operations)) = super::member(sent, "Operations") else {
            return Err(ScimError::syntax("'Operations' is a list of operations"));
        };
        if operations.len() > MAX_OPERATIONS {
            return Err(ScimError::new(
                413,
                format!("a bulk request has at most {MAX_OPERATIONS} operations"),
            ));
        }
        let operations: Vec<BulkOperation> = operations
            .iter()
            .map(BulkOperation::read)
            .collect::<Result<_, _>>()?;
        let mut ids: Vec<&String> = operations
            .iter()
            .filter_map(|o| o.bulk_id.as_ref())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != all {
            return Err(ScimError::value("a 'bulkId' is given twice"));
        }
        Ok(BulkRequest {
            fail_on_errors,
            operations,
        })
    }
}

impl BulkOperation {
    fn read(sent: &Value) -> Result<BulkOperation, ScimError> {
        let sent = sent
            .as_object()
            .ok_or_else(|| ScimError::syntax("an operation is a JSON object"))?;
        let text = |name: &str| match super::member(sent, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(ScimError::syntax(format!("'{name}' is a text"))),
        };
        let missing = |name: &str| ScimError::syntax(format!("an operation has a '{name}'"));
        let method = text("method")?.ok_or_else(|| missing("method"))?;
        let operation = BulkOperation {
            method: method.to_ascii_uppercase(),
            bulk_id: text("bulkId")?,
            version: text("version")?,
            path: text("path")?.ok_or_else(|| missing("path"))?,
            data: super::member(sent, "data")
                .filter(|data| !data.is_null())
                .cloned(),
        };
        if operation.method == "POST" && operation.bulk_id.is_none() {
            return Err(ScimError::value("a POST has a 'bulkId'"));
        }
        Ok(operation)
    }

    /// The `bulkId`s that this refers to.
    pub fn references(&self) -> Vec<String> {
        let mut found: Vec<String> = self
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix(REFERENCE).map(str::to_owned))
            .collect();
        if let Some(data) = &self.data {
            collect(data, &mut found);
        }
        found
    }

    /// Puts the ids in place of the references that are known.
    pub fn resolve(&mut self, ids: &BTreeMap<String, String>) {
        let parts = self
            .path
            .split('/')
            .map(|part| known(part, ids).unwrap_or(part));
        self.path = parts.collect::<Vec<_>>().join("/");
        if let Some(data) = &mut self.data {
            replace(data, ids);
        }
    }
}

/// The id that a text refers to.
fn known<'i>(text: &str, ids: &'i BTreeMap<String, String>) -> Option<&'i str> {
    let name = text.strip_prefix(REFERENCE)?;
    ids.get(name).map(String::as_str)
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.extend(text.strip_prefix(REFERENCE).map(str::to_owned)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(parts) => parts.values().for_each(|part| collect(part, found)),
        _ => {}
    }
}

fn replace(value: &mut Value, ids: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(id) = known(text, ids) {
                *text = id.to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, ids)),
        Value::Object(parts) => parts.values_mut().for_each(|part| replace(part, ids)),
        _ => {}
    }
}

/// An order in which what an operation refers to comes before it, as far as there is one:
/// otherwise as they stand. Circles are left as they are, and fail where they are tried.
pub fn order(operations: &[BulkOperation]) -> Vec<usize> {
    let makers: BTreeMap<&str, usize> = operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.method == "POST")
        .filter_map(|(at, operation)| Some((operation.bulk_id.as_deref()?, at)))
        .collect();
    let needs: Vec<Vec<usize>> = operations
        .iter()
        .map(|operation| {
            let references = operation.references();
            let makers = references
                .iter()
                .filter_map(|name| makers.get(name.as_str()));
            makers.copied().collect()
        })
        .collect();
    let mut done = vec![false; operations.len()];
    let mut order = Vec::with_capacity(operations.len());
    while order.len() < operations.len() {
        let before = order.len();
        for at in 0..operations.len() {
            let ready = needs[at].iter().all(|need| done[*need] || *need == at);
            if !done[at] && ready {
                done[at] = true;
                order.push(at);
            }
        }
        if order.len() == before {
            order.extend((0..operations.len()).filter(|at| !done[*at]));
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(operations: Value) -> Result<BulkRequest, ScimError> {
        BulkRequest::read(&json!({ "schemas": [urn::BULK_REQUEST], "Operations": operations }))
    }

    #[test]
    fn who_is_referred_to_comes_first_and_is_filled_in() {
        let mut request = read(json!([
            { "method": "post", "path": "/Groups", "bulkId": "g",
              "data": { "members": [{ "value": "bulkId:u" }] } },
            { "method": "PATCH", "path": "/Groups/bulkId:g", "data": {} },
            { "method": "POST", "path": "/Users", "bulkId": "u", "data": { "userName": "a" } },
        ]))
        .unwrap();
        assert_eq!(order(&request.operations), [2, 0, 1]);
        let ids = BTreeMap::from([
            ("u".to_owned(), "1".to_owned()),
            ("g".to_owned(), "2".to_owned()),
        ]);
        request.operations.iter_mut().for_each(|o| o.resolve(&ids));
        assert_eq!(request.operations[1].path, "/Groups/2");
        let data = request.operations[0].data.clone().unwrap();
        assert_eq!(data["members"][0]["value"], "1");
        assert!(request.operations[0].references().is_empty());
    }

    #[test]
    fn a_reference_is_not_the_beginning_of_another() {
        let mut request = read(json!([
            { "method": "DELETE", "path": "/Users/bulkId:12", "data": "bulkId:12" },
        ]))
        .unwrap();
        let ids = BTreeMap::from([("1".to_owned(), "a".to_owned())]);
        let operation = &mut request.operations[0];
        operation.resolve(&ids);
        assert_eq!(operation.path, "/Users/bulkId:12");
        assert_eq!(operation.references(), ["12", "12"]);
    }

    #[test]
    fn circles_end() {
        let request = read(json!([
            { "method": "POST", "path": "/Groups", "bulkId": "a", "data": { "x": "bulkId:b" } },
            { "method": "POST", "path": "/Groups", "bulkId": "b", "data": { "x": "bulkId:a" } },
        ]));
        assert_eq!(order(&request.unwrap().operations), [0, 1]);
    }

    #[test]
    fn what_is_no_bulk_request_is_refused() {
        for operations in [
            json!(1),
            json!([1]),
            json!([{ "path": "/Users" }]),
            json!([{ "method": "POST", "path": "/Users" }]),
            json!([{ "method": "POST", "path": "/Users", "bulkId": "a" },
                   { "method": "POST", "path": "/Users", "bulkId": "a" }]),
        ] {
            assert!(read(operations.clone()).is_err(), "{operations}");
        }
    }
}
