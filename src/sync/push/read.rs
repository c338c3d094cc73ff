//! Resources as they are answered: what the client wrote, with what only rosterd knows.

use serde_json::{Value, json};

use super::{Inbox, PushError, not_there, object};
use crate::directory::Member;
use crate::scim::{Kind, Object, Selection};
use crate::store::pushed::ResourceRow;
use crate::store::rows::RowState;

/// A resource as it is answered, with its version.
pub struct Answer {
    pub version: u64,
    pub resource: Object,
}

/// A version as an entity tag (RFC 7644 §3.14).
pub fn tag(version: u64) -> String {
    format!("W/\"{version}\"")
}

impl Inbox {
    /// One resource, or the error that there is none.
    pub fn get(&self, kind: Kind, id: &str, selection: &Selection) -> Result<Answer, PushError> {
        let row = self.store.resource(&self.source, kind.letter(), id)?;
        self.shown(kind, id, &row.ok_or_else(|| not_there(kind))?, selection)
    }

    /// A resource of which the row is known.
    pub fn shown(
        &self,
        kind: Kind,
        id: &str,
        row: &ResourceRow,
        selection: &Selection,
    ) -> Result<Answer, PushError> {
        let mut resource = self.whole(kind, id, row, |name| selection.wants(name))?;
        selection.apply(&mut resource, self.kind(kind));
        Ok(Answer {
            version: row.version,
            resource,
        })
    }

    /// A resource with everything that is `wanted` of what has to be looked up: the members of
    /// a group, the groups of a user.
    pub fn whole(
        &self,
        kind: Kind,
        id: &str,
        row: &ResourceRow,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Object, PushError> {
        let mut resource = object(&row.json)?;
        resource.insert("id".to_owned(), id.into());
        let (base, endpoint) = (&self.base, kind.endpoint());
        let meta = json!({
            "resourceType": kind.name(),
            "created": row.created.to_string(),
            "lastModified": row.modified.to_string(),
            "location": format!("{base}{endpoint}/{id}"),
            "version": tag(row.version),
        });
        resource.insert("meta".to_owned(), meta);
        let looked_up = match kind {
            Kind::User if wanted("groups") => ("groups", self.groups_of(id)?),
            Kind::Group if wanted("members") => ("members", self.members_of(id)?),
            _ => return Ok(resource),
        };
        if !looked_up.1.is_empty() {
            resource.insert(looked_up.0.to_owned(), Value::Array(looked_up.1));
        }
        Ok(resource)
    }

    fn groups_of(&self, id: &str) -> Result<Vec<Value>, PushError> {
        let base = &self.base;
        let mut groups = Vec::new();
        let user = self.store.user(&self.source, id)?;
        for number in user.map(|user| user.parents).unwrap_or_default() {
            if let Some(row) = self.store.group(&self.source, number)?
                && row.state == RowState::Known
            {
                let id = row.group.id.as_str();
                groups.push(json!({
                    "value": id,
                    "$ref": format!("{base}{}/{id}", Kind::Group.endpoint()),
                    "display": row.group.display_name,
                    "type": "direct",
                }));
            }
        }
        Ok(groups)
    }

    fn members_of(&self, id: &str) -> Result<Vec<Value>, PushError> {
        let Some(number) = self.store.group_number(&self.source, id)? else {
            return Ok(Vec::new());
        };
        let base = &self.base;
        let members = self.store.named_members(&self.source, number)?;
        let shown = members.into_iter().map(|(_, member)| {
            let (kind, id) = named(&member);
            json!({
                "value": id,
                "$ref": format!("{base}{}/{id}", kind.endpoint()),
                "type": kind.name(),
            })
        });
        Ok(shown.collect())
    }
}

/// A member in SCIM's words.
pub(super) fn named(member: &Member) -> (Kind, &str) {
    match member {
        Member::User(id) => (Kind::User, id.as_str()),
        Member::Group(id) => (Kind::Group, id.as_str()),
    }
}
