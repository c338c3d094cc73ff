//! What the organization has: people of three kinds, devices, policies, and the rules of the
//! house that a test may change.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::people::{Collaborator, Employee, User};
use super::{error, not_found, ok, only};
use crate::reply::Reply;

pub const PLATFORMS: [&str; 3] = ["apple", "windows", "android"];

#[derive(Debug, Clone)]
pub struct Device {
    pub id: String,
    pub platform: String,
    /// The id of an MDM user.
    pub user: Option<String>,
    pub policy: Option<String>,
}

/// What a test may change of how it answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Employees that the plan has room for.
    pub employee_limit: Option<usize>,
    /// What clears the user of a device: `null`, `empty`, or nothing does (`never`): it is then
    /// answered with a yes all the same.
    pub unassign: String,
    pub rate: Option<Rate>,
    /// Platforms that the organization does not manage.
    pub without: Vec<String>,
    /// Whether an answer to a posted user gets lost, once, after the user was made.
    pub lose_next_answer: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub per_second: f64,
    pub burst: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            employee_limit: None,
            unassign: "null".to_owned(),
            rate: None,
            without: Vec::new(),
            lose_next_answer: false,
        }
    }
}

#[derive(Debug, Default)]
pub struct Org {
    made: u64,
    pub rules: Rules,
    /// In the order in which they were made; so are the others.
    pub users: Vec<User>,
    pub collaborators: Vec<Collaborator>,
    pub employees: Vec<Employee>,
    pub devices: Vec<Device>,
    /// By platform: id and name.
    pub policies: BTreeMap<String, Vec<(String, String)>>,
    /// Pending enrolment tokens, by the id of an MDM user.
    pub tokens: BTreeMap<String, u64>,
}

impl Org {
    pub fn new_id(&mut self) -> String {
        self.made += 1;
        format!("60000000000000000{:07x}", self.made)
    }

    pub fn devices(&self, platform: &str, user: Option<&str>) -> Vec<Value> {
        self.devices
            .iter()
            .filter(|device| device.platform == platform)
            .filter(|device| user.is_none() || device.user.as_deref() == user)
            .map(|device| self.show_device(device))
            .collect()
    }

    /// Each platform shows a device in its own way.
    fn show_device(&self, device: &Device) -> Value {
        let user = device.user.as_ref().and_then(|id| {
            let user = self.users.iter().find(|user| user.id == *id)?;
            Some(json!({"id": user.id, "email": user.email, "name": user.name}))
        });
        let policy = device.policy.as_ref().map(|id| json!({"id": id}));
        match device.platform.as_str() {
            "apple" => json!({"id": device.id, "mdmUser": user, "admPolicy": policy}),
            "windows" => json!({"id": device.id, "mdmUser": user, "winPolicy": policy}),
            _ => json!({"id": device.id, "mdmUser": device.user, "policyId": device.policy}),
        }
    }

    pub fn update_device(
        &mut self,
        platform: &str,
        id: &str,
        body: Map<String, Value>,
    ) -> Result<Reply, Reply> {
        let policy_field = match platform {
            "windows" => "winPolicyId",
            _ => "policyId",
        };
        only(&body, &["mdmUserId", policy_field, "tags", "segmentId"])?;
        let place = self.device_at(platform, id).ok_or_else(not_found)?;
        if let Some(user) = body.get("mdmUserId") {
            let user = match user.as_str() {
                Some("") | None => {
                    let given = if user.is_null() { "null" } else { "empty" };
                    match given == self.rules.unassign {
                        true => None,
                        false => self.devices[place].user.clone(),
                    }
                }
                Some(user) => {
                    if !self.users.iter().any(|known| known.id == user) {
                        return Err(not_found());
                    }
                    Some(user.to_owned())
                }
            };
            self.devices[place].user = user;
        }
        if let Some(policy) = body.get(policy_field).and_then(Value::as_str) {
            let known = self.policies.get(platform);
            if !known.is_some_and(|known| known.iter().any(|(id, _)| id == policy)) {
                return Err(not_found());
            }
            self.devices[place].policy = Some(policy.to_owned());
        }
        Ok(ok(self.show_device(&self.devices[place])))
    }

    pub fn delete_device(&mut self, platform: &str, id: &str) -> Result<Reply, Reply> {
        let place = self.device_at(platform, id).ok_or_else(not_found)?;
        self.devices.remove(place);
        Ok(ok(json!({})))
    }

    fn device_at(&self, platform: &str, id: &str) -> Option<usize> {
        self.devices
            .iter()
            .position(|device| device.platform == platform && device.id == id)
    }

    pub fn policies(&self, platform: &str) -> Vec<Value> {
        let there = self.policies.get(platform).into_iter().flatten();
        there
            .map(|(id, name)| json!({"id": id, "name": name}))
            .collect()
    }

    pub fn mdm_users(&self) -> Vec<Value> {
        self.users.iter().map(|user| self.show_user(user)).collect()
    }

    /// With the counts of what belongs to the user.
    pub fn show_user(&self, user: &User) -> Value {
        let devices = |platform: &str| {
            let theirs = self.devices.iter().filter(|device| {
                device.platform == platform && device.user.as_deref() == Some(&user.id)
            });
            theirs.count()
        };
        let pending = self.tokens.get(&user.id).copied().unwrap_or(0);
        let mut shown = user.show();
        shown["android"] = json!({
            "devices": {"DEVICE_OWNER": devices("android"), "PROFILE_OWNER": 0},
            "enrollmentTokens": {"PENDING": pending},
        });
        shown["apple"] = json!({"devices": devices("apple"), "enrollmentTokens": 0});
        shown["windows"] = json!({"devices": devices("windows"), "enrollmentTokens": 0});
        shown
    }

    pub fn delete_user(&mut self, id: &str) -> Result<Reply, Reply> {
        let place = self
            .users
            .iter()
            .position(|user| user.id == id)
            .ok_or_else(not_found)?;
        if self
            .devices
            .iter()
            .any(|device| device.user.as_deref() == Some(id))
        {
            return Err(error(400, 5054, "The user still has devices"));
        }
        if self.tokens.get(id).is_some_and(|pending| *pending > 0) {
            return Err(error(400, 5055, "The user has pending enrollment tokens"));
        }
        self.users.remove(place);
        Ok(ok(json!({})))
    }
}
