//! The answer to a query (RFC 7644 §3.4.2).

use serde_json::{Value, json};

use super::schema::urn;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct ListResponse {
    pub total: u64,
    pub resources: Vec<Value>,
    /// Where the page begins; none where the client pages by cursor.
    pub start: Option<u64>,
    pub next_cursor: Option<String>,
}

impl ListResponse {
    pub fn document(self) -> Value {
        let mut document = json!({
            "schemas": [urn::LIST],
            "totalResults": self.total,
            "itemsPerPage": self.resources.len(),
            "Resources": self.resources,
        });
        if let Some(start) = self.start {
            document["startIndex"] = start.into();
        }
        if let Some(cursor) = self.next_cursor {
            document["nextCursor"] = cursor.into();
        }
        document
    }
}
