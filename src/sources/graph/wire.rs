//! What Graph sends, as it is spelled. Every field but the id may be missing, and one bad
//! object never spoils its page.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use crate::directory::{GroupId, Member, UserId};

/// A page of a collection. `value` is required: an error that comes with status 200 would
/// otherwise pass for an empty page, and so for everybody having left.
#[derive(Deserialize)]
struct RawPage<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
    #[serde(rename = "@odata.nextLink", default)]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink", default)]
    delta: Option<String>,
}

pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
    pub delta: Option<String>,
}

impl<T> Page<T> {
    pub fn read(body: &[u8], read: impl Fn(&RawValue) -> T) -> Result<Page<T>, String> {
        let page: RawPage = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
        Ok(Page {
            items: page.value.iter().map(|raw| read(raw)).collect(),
            next: page.next,
            delta: page.delta,
        })
    }
}

/// Where decoding stopped. Never what stood there: it may be anybody's name.
pub fn not_json(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Eof => "it ends too early".into(),
        serde_json::error::Category::Data => "it is not the answer that was asked for".into(),
        _ => format!(
            "no JSON at line {}, column {}",
            error.line(),
            error.column()
        ),
    }
}

/// An object of a collection of users.
#[derive(Debug)]
pub enum UserItem {
    Here {
        id: String,
        fields: Map<String, Json>,
    },
    /// Soft-deleted or purged: the reason does not matter, the user is no longer there.
    Removed { id: String },
    /// An object without an id: nobody can say whose it is.
    Nameless,
}

impl UserItem {
    pub fn read(raw: &RawValue) -> UserItem {
        let Ok(mut fields) = serde_json::from_str::<Map<String, Json>>(raw.get()) else {
            return UserItem::Nameless;
        };
        let id = match fields.remove("id") {
            Some(Json::String(id)) if !id.is_empty() => id,
            _ => return UserItem::Nameless,
        };
        match fields.get("@removed") {
            None | Some(Json::Null) => UserItem::Here { id, fields },
            Some(_) => UserItem::Removed { id },
        }
    }
}

/// An object of a collection of groups.
#[derive(Debug)]
pub enum GroupItem {
    Here {
        id: String,
        /// None: this object does not say.
        name: Option<String>,
        members: Vec<Edge>,
    },
    Removed {
        id: String,
    },
    Unreadable {
        id: String,
        reason: String,
    },
    Nameless,
}

/// A membership that was made or taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    Joined,
    Left,
}

/// An entry of `members@delta`.
#[derive(Debug)]
pub struct Edge {
    pub member: Member,
    pub link: Link,
}

#[derive(Deserialize)]
struct RawGroup<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(rename = "displayName", default)]
    name: Option<String>,
    #[serde(rename = "members@delta", borrow, default)]
    members: Option<Vec<RawMember<'a>>>,
    #[serde(rename = "@removed", default)]
    removed: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct RawMember<'a> {
    #[serde(rename = "@odata.type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(rename = "@removed", default)]
    removed: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct OnlyId {
    id: Option<String>,
}

impl GroupItem {
    pub fn read(raw: &RawValue) -> GroupItem {
        let group: RawGroup = match serde_json::from_str(raw.get()) {
            Ok(group) => group,
            Err(_) => {
                return match serde_json::from_str::<OnlyId>(raw.get()) {
                    Ok(OnlyId { id: Some(id) }) => GroupItem::Unreadable {
                        id,
                        reason: "Graph sent this group in a shape that cannot be read".into(),
                    },
                    _ => GroupItem::Nameless,
                };
            }
        };
        let id = match group.id {
            Some(id) if !id.is_empty() => id.into_owned(),
            _ => return GroupItem::Nameless,
        };
        if group.removed.is_some() {
            return GroupItem::Removed { id };
        }
        let mut members = Vec::new();
        for entry in group.members.unwrap_or_default() {
            let link = match entry.removed {
                Some(_) => Link::Left,
                None => Link::Joined,
            };
            match entry.read() {
                Ok(Some(member)) => members.push(Edge { member, link }),
                Ok(None) => {}
                Err(reason) => return GroupItem::Unreadable { id, reason },
            }
        }
        GroupItem::Here {
            id,
            name: group.name,
            members,
        }
    }
}

impl RawMember<'_> {
    /// None: a device, a service principal, a contact, which are nobody's members here.
    fn read(self) -> Result<Option<Member>, String> {
        let unclear = || "Graph sent a member without a type or an id".to_owned();
        let id = self.id.filter(|id| !id.is_empty()).ok_or_else(unclear)?;
        let kind = self.kind.ok_or_else(unclear)?;
        Ok(match kind.trim_start_matches('#') {
            "microsoft.graph.user" => Some(Member::User(UserId::new(id.into_owned()))),
            "microsoft.graph.group" => Some(Member::Group(GroupId::new(id.into_owned()))),
            _ => None,
        })
    }
}

/// Reads an object of a member list.
pub fn member(raw: &RawValue) -> Result<Option<Member>, String> {
    serde_json::from_str::<RawMember>(raw.get())
        .map_err(|error| not_json(&error))?
        .read()
}

/// A group that somebody is a member of, as `memberOf` shows it.
pub fn group_of(raw: &RawValue) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Object {
        #[serde(rename = "@odata.type", default)]
        kind: Option<String>,
        id: Option<String>,
        #[serde(rename = "displayName", default)]
        name: Option<String>,
    }
    let object: Object = serde_json::from_str(raw.get()).ok()?;
    // `memberOf` also lists administrative units and directory roles.
    match object.kind.as_deref() {
        Some("#microsoft.graph.group") => Some((object.id?, object.name?)),
        _ => None,
    }
}

/// An object of `appRoleAssignedTo`.
pub fn assignment(raw: &RawValue) -> Result<Option<Member>, String> {
    #[derive(Deserialize)]
    struct Assignment {
        #[serde(rename = "principalType")]
        kind: String,
        #[serde(rename = "principalId")]
        id: String,
    }
    let one: Assignment = serde_json::from_str(raw.get()).map_err(|error| not_json(&error))?;
    Ok(match one.kind.as_str() {
        "User" => Some(Member::User(UserId::new(one.id))),
        "Group" => Some(Member::Group(GroupId::new(one.id))),
        _ => None,
    })
}

/// Whether a text is an object id. Only such a text is ever put into a path as it is.
pub fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn a_page_without_a_value_is_no_page() {
        let error = r#"{"error":{"code":"TooManyRequests","message":"later"}}"#;
        assert!(Page::read(error.as_bytes(), |_| ()).is_err());
        assert!(Page::read(b"<html></html>", |_| ()).is_err());
        let page = Page::read(br#"{"value":[],"@odata.nextLink":"x"}"#, |_| ()).unwrap();
        assert!(page.items.is_empty() && page.next.is_some() && page.delta.is_none());
    }

    #[test]
    fn errors_do_not_show_what_they_stumbled_over() {
        let error = serde_json::from_str::<RawPage>(r#"{"value":"jane@contoso.com"}"#);
        assert!(!not_json(&error.err().unwrap()).contains("jane"));
    }

    #[test]
    fn one_bad_user_does_not_spoil_the_page() {
        let body = br#"{"value":[{"id":"a","mail":null},{"mail":"x"},7,{"id":"b","@removed":{"reason":"changed"}}]}"#;
        let page = Page::read(body, UserItem::read).unwrap();
        assert!(matches!(&page.items[0], UserItem::Here { id, .. } if id == "a"));
        assert!(matches!(page.items[1], UserItem::Nameless));
        assert!(matches!(page.items[2], UserItem::Nameless));
        assert!(matches!(&page.items[3], UserItem::Removed { id } if id == "b"));
    }

    #[test]
    fn members_that_are_neither_users_nor_groups_are_passed_over() {
        let group = GroupItem::read(&raw(r##"{"id":"g","displayName":"Pay","members@delta":[
                {"@odata.type":"#microsoft.graph.user","id":"u"},
                {"@odata.type":"#microsoft.graph.device","id":"d"},
                {"@odata.type":"#microsoft.graph.group","id":"h","@removed":{"reason":"deleted"}}]}"##));
        let GroupItem::Here { members, name, .. } = group else {
            panic!("{group:?}");
        };
        assert_eq!(name.as_deref(), Some("Pay"));
        assert_eq!(members.len(), 2);
        assert_eq!(members[0].member, Member::User(UserId::new("u")));
        assert_eq!(members[1].link, Link::Left);
    }

    #[test]
    fn a_group_with_a_member_of_no_kind_is_left_alone() {
        let group = GroupItem::read(&raw(r#"{"id":"g","members@delta":[{"id":"u"}]}"#));
        assert!(matches!(group, GroupItem::Unreadable { .. }));
        let group = GroupItem::read(&raw(r#"{"id":"g","displayName":7}"#));
        assert!(matches!(group, GroupItem::Unreadable { .. }));
    }

    #[test]
    fn assignments_of_service_principals_do_not_count() {
        let of = |kind: &str| {
            assignment(&raw(&format!(
                r#"{{"principalType":"{kind}","principalId":"x"}}"#
            )))
            .unwrap()
        };
        assert_eq!(of("Group"), Some(Member::Group(GroupId::new("x"))));
        assert_eq!(of("ServicePrincipal"), None);
        assert!(assignment(&raw(r#"{"principalType":"User"}"#)).is_err());
    }

    #[test]
    fn ids_are_told_from_names() {
        assert!(is_guid("37de1ae3-408f-4702-8636-20824abda004"));
        assert!(!is_guid("37de1ae3-408f-4702-8636-20824abda00/"));
        assert!(!is_guid("jane@contoso.com"));
    }
}
