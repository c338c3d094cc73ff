//! A group, without its members: those are edges, kept and streamed on their own.

use serde::{Deserialize, Serialize};

use super::ids::GroupId;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Group {
    pub id: GroupId,
    pub external_id: Option<String>,
    pub display_name: String,
}

impl Group {
    pub fn external_id(&self) -> &str {
        self.external_id.as_deref().unwrap_or(self.id.as_str())
    }
}
