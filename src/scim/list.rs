//! The answer to a query (RFC 7644 §3.4.2).

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::schema::urn;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct ListResponse {
    pub total: u64,
    pub resources: Vec<Value>,
    /// Where the page begins; none where the client pages by cursor.
    pub start: Option<u64>,
    pub next_cursor: Option<String>,
}

/// As the message of its schema.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    schemas: [&'static str; 1],
    total_results: u64,
    items_per_page: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<&'a str>,
    #[serde(rename = "Resources")]
    resources: &'a [Value],
}

impl Serialize for ListResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = Message {
            schemas: [urn::LIST],
            total_results: self.total,
            items_per_page: self.resources.len(),
            start_index: self.start,
            next_cursor: self.next_cursor.as_deref(),
            resources: &self.resources,
        };
        message.serialize(serializer)
    }
}
