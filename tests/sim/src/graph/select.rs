//! `$select` and `$expand` of users and groups, and writing objects by them.

use super::tenant::{Group, Ref, Tenant, User};
use super::{Denied, fields, group_fields};
use crate::json::{self, Val};

/// Which properties an answer shows.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Property names in the order they are written; `id` is always among them.
    pub names: Vec<String>,
    /// Whether `manager` was expanded.
    pub manager: bool,
    /// Whether `$select` was given at all.
    pub selected: bool,
}

/// Whose properties a shape names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Users,
    Groups,
}

/// How missing values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Lists and single reads show `null`.
    Null,
    /// Deltas leave out what was never set.
    Absent,
}

impl Shape {
    /// Reads `$select` and `$expand`.
    pub fn read(of: Of, select: Option<&str>, expand: Option<&str>) -> Result<Self, Denied> {
        let defaults = match of {
            Of::Users => fields::DEFAULT,
            Of::Groups => group_fields::DEFAULT,
        };
        let selected = select.is_some_and(|text| !text.trim().is_empty());
        let mut names: Vec<String> = Vec::new();
        if selected {
            for name in select.unwrap_or_default().split(',').map(str::trim) {
                if name.is_empty() || names.iter().any(|have| have == name) {
                    continue;
                }
                let known = match of {
                    Of::Users if fields::ELSEWHERE.contains(&name) => {
                        return Err(Denied::not_implemented(name));
                    }
                    Of::Users => fields::is_known(name),
                    Of::Groups => group_fields::is_known(name),
                };
                if !known {
                    return Err(Denied::unknown_property(name, of));
                }
                names.push(name.to_owned());
            }
            if !names.iter().any(|name| name == "id") {
                names.push("id".to_owned());
            }
        } else {
            names.extend(defaults.iter().map(|&name| name.to_owned()));
        }
        let manager = match expand {
            Some(text) if text.trim_start().starts_with("manager") && of == Of::Users => true,
            Some(text) if !text.trim().is_empty() => return Err(Denied::bad_expand(text)),
            _ => false,
        };
        Ok(Self {
            names,
            manager,
            selected,
        })
    }

    /// A name for this shape among cached pages.
    pub fn key(&self) -> String {
        format!("{}|{}", self.names.join(","), self.manager)
    }
}

/// Appends a user as a JSON object, without the closing brace, so that more can follow.
pub fn open_user<'n>(
    tenant: &Tenant,
    user: &User,
    names: impl Iterator<Item = &'n str>,
    missing: Missing,
    out: &mut Vec<u8>,
) {
    let person = tenant.person(user);
    out.push(b'{');
    for name in names {
        if name == "id" {
            json::name("id", out);
            out.push(b'"');
            user.id.write(out);
            out.push(b'"');
            continue;
        }
        let value = tenant.user_value(user, person.as_ref(), name);
        let absent = missing == Missing::Absent || name.starts_with("extension_");
        if value == Val::Unset && absent {
            continue;
        }
        json::name(name, out);
        value.write(out);
    }
}

/// Appends a user as a list or single read shows them.
pub fn user(tenant: &Tenant, user: &User, shape: &Shape, out: &mut Vec<u8>) {
    open_user(
        tenant,
        user,
        shape.names.iter().map(String::as_str),
        Missing::Null,
        out,
    );
    if shape.manager
        && let Some(manager) = tenant.manager_of(user)
    {
        let manager = &tenant.users[manager as usize];
        json::name("manager", out);
        out.extend_from_slice(br##"{"@odata.type":"#microsoft.graph.user","id":""##);
        manager.id.write(out);
        out.push(b'"');
        let name = tenant.user_value(
            manager,
            tenant.person(manager).as_ref(),
            "userPrincipalName",
        );
        json::name("userPrincipalName", out);
        name.write(out);
        out.push(b'}');
    }
    out.push(b'}');
}

/// Appends a group as a JSON object, without the closing brace.
pub fn open_group<'n>(
    tenant: &Tenant,
    group: &Group,
    names: impl Iterator<Item = &'n str>,
    missing: Missing,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    for name in names {
        let value = tenant.group_value(group, name);
        let absent = missing == Missing::Absent || name.starts_with("extension_");
        if value == Val::Unset && absent {
            continue;
        }
        json::name(name, out);
        value.write(out);
    }
}

/// Appends `"@odata.type":…,"id":…` of any object, with the brace opened.
pub fn open_reference(tenant: &Tenant, object: Ref, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"@odata.type":""#);
    out.extend_from_slice(object.kind().odata().as_bytes());
    out.extend_from_slice(br#"","id":""#);
    tenant.id_of(object).write(out);
    out.push(b'"');
}
