//! Devices of the three platforms. They look alike, and each names its fields its own way.
//!
//! How a device shows its user and policy in a list is documented for Apple only, so reading
//! takes whatever form there is; what is written goes by the documentation, or by settings.

use reqwest::Method;
use serde_json::{Map, Value as Json, json};

use super::client::{Client, Failure};
use super::options::Options;
use crate::config::UnassignValue;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Platform {
    Apple,
    Windows,
    Android,
}

impl Platform {
    pub const ALL: [Platform; 3] = [Platform::Apple, Platform::Windows, Platform::Android];

    /// As it stands in addresses, settings and our names of devices.
    pub fn as_str(self) -> &'static str {
        match self {
            Platform::Apple => "apple",
            Platform::Windows => "windows",
            Platform::Android => "android",
        }
    }

    fn user_field(self, options: &Options) -> &str {
        match self {
            Platform::Apple | Platform::Windows => "mdmUserId",
            Platform::Android => &options.settings.android.user_field,
        }
    }

    fn policy_field(self, options: &Options) -> &str {
        match self {
            Platform::Apple => "policyId",
            Platform::Windows => "winPolicyId",
            Platform::Android => &options.settings.android.policy_field,
        }
    }

    pub fn policies_path(self) -> [&'static str; 4] {
        ["mdm", self.as_str(), "enterprise", "policies"]
    }
}

/// A device as a list shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    pub platform: Platform,
    pub id: String,
    pub user: Option<UserRef>,
    pub policy: Option<String>,
}

/// Whom a device belongs to, by whatever the list tells.
#[derive(Clone, PartialEq, Debug)]
pub struct UserRef {
    pub id: Option<String>,
    pub email: Option<String>,
}

impl Seen {
    /// Our name of it: ids of two platforms may be the same.
    pub fn name(&self) -> String {
        format!("{}/{}", self.platform.as_str(), self.id)
    }

    fn read(platform: Platform, json: &Json, options: &Options) -> Option<Seen> {
        let fields = json.as_object()?;
        Some(Seen {
            platform,
            id: fields.get("id")?.as_str()?.to_owned(),
            user: user_of(fields, platform.user_field(options)),
            policy: policy_of(fields, platform.policy_field(options)),
        })
    }
}

/// Takes one of our names of a device apart.
pub fn named(device: &str) -> Option<(Platform, &str)> {
    let (platform, id) = device.split_once('/')?;
    let platform = Platform::ALL
        .into_iter()
        .find(|known| known.as_str() == platform)?;
    Some((platform, id))
}

fn user_of(fields: &Map<String, Json>, written_as: &str) -> Option<UserRef> {
    let told = [written_as, "mdmUser", "mdmUserId"]
        .iter()
        .filter_map(|name| fields.get(*name))
        .find(|value| !value.is_null() && value.as_str() != Some(""))?;
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let user = match told {
        Json::Object(user) => UserRef {
            id: user.get("id").and_then(text),
            email: user.get("email").and_then(text),
        },
        other => UserRef {
            id: text(other),
            email: None,
        },
    };
    (user.id.is_some() || user.email.is_some()).then_some(user)
}

/// The names under which lists may show a device's own policy, the likeliest first.
const POLICY_FIELDS: [&str; 8] = [
    "admPolicy",
    "deviceAdmPolicy",
    "winPolicy",
    "emmPolicy",
    "policy",
    "policyId",
    "winPolicyId",
    "emmPolicyId",
];

fn policy_of(fields: &Map<String, Json>, written_as: &str) -> Option<String> {
    [written_as]
        .iter()
        .chain(&POLICY_FIELDS)
        .filter_map(|name| fields.get(*name))
        .find_map(|value| match value {
            Json::Object(policy) => policy.get("id")?.as_str().map(str::to_owned),
            other => other.as_str().map(str::to_owned),
        })
        .filter(|id| !id.is_empty())
}

/// What can be done to devices.
pub struct Devices<'a> {
    pub client: &'a Client,
    pub options: &'a Options,
}

impl Devices<'_> {
    fn path(platform: Platform) -> [&'static str; 4] {
        ["mdm", platform.as_str(), "enterprise", "devices"]
    }

    /// The devices of a platform; of one user, if one is named. An organization that does not
    /// manage a platform has no such list, and no such devices.
    pub async fn list(&self, platform: Platform, user: Option<&str>) -> Result<Vec<Seen>, Failure> {
        let what = format!("the list of {} devices", platform.as_str());
        let query: Vec<(&str, &str)> = user.map(|user| ("mdm-user", user)).into_iter().collect();
        let items = match self.client.list(&what, &Self::path(platform), &query).await {
            Err(Failure::Gone(_)) => return Ok(Vec::new()),
            items => items?,
        };
        let read = |json: &Json| {
            Seen::read(platform, json, self.options)
                .ok_or_else(|| Failure::Away(format!("{what} holds something that is no device")))
        };
        items.iter().map(read).collect()
    }

    pub async fn probe(&self, platform: Platform) -> Result<(), Failure> {
        let what = format!("the list of {} devices", platform.as_str());
        self.client.probe(&what, &Self::path(platform)).await
    }

    async fn put(&self, platform: Platform, id: &str, body: Json) -> Result<(), Failure> {
        let what = format!("{} device {id}", platform.as_str());
        let path = [&Self::path(platform)[..], &[id]].concat();
        let put = self.client.call(Method::PUT, &what, &path, Some(&body));
        match put.await {
            // A device that is gone needs nothing.
            Ok(_) | Err(Failure::Gone(_)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Takes the user off a device.
    pub async fn unassign(&self, platform: Platform, id: &str) -> Result<(), Failure> {
        let nobody = match self.options.settings.unassign_value {
            UnassignValue::Null => Json::Null,
            UnassignValue::Empty => json!(""),
        };
        let field = platform.user_field(self.options);
        self.put(platform, id, json!({ field: nobody })).await
    }

    pub async fn assign(&self, platform: Platform, id: &str, user: &str) -> Result<(), Failure> {
        let field = platform.user_field(self.options);
        self.put(platform, id, json!({ field: user })).await
    }

    pub async fn change_policy(
        &self,
        platform: Platform,
        id: &str,
        policy: &str,
    ) -> Result<(), Failure> {
        let field = platform.policy_field(self.options);
        self.put(platform, id, json!({ field: policy })).await
    }

    pub async fn remove(&self, platform: Platform, id: &str) -> Result<(), Failure> {
        let what = format!("{} device {id}", platform.as_str());
        let path = [&Self::path(platform)[..], &[id]].concat();
        match self.client.call(Method::DELETE, &what, &path, None).await {
            Ok(_) | Err(Failure::Gone(_)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: Json) -> Map<String, Json> {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn a_user_is_read_from_any_form_a_list_may_have() {
        let id = |json: Json| user_of(&fields(json), "mdmUserId").and_then(|user| user.id);
        assert_eq!(id(json!({"mdmUser": {"id": "u"}})).as_deref(), Some("u"));
        assert_eq!(id(json!({"mdmUser": "u"})).as_deref(), Some("u"));
        assert_eq!(id(json!({"mdmUserId": "u"})).as_deref(), Some("u"));
        for nobody in [
            json!({}),
            json!({"mdmUser": null}),
            json!({"mdmUserId": ""}),
            json!({"mdmUser": {}}),
        ] {
            assert_eq!(user_of(&fields(nobody), "mdmUserId"), None);
        }
    }

    #[test]
    fn a_policy_is_an_id_or_an_object_that_has_one() {
        let policy = |json: Json| policy_of(&fields(json), "policyId");
        assert_eq!(
            policy(json!({"admPolicy": {"id": "p"}})).as_deref(),
            Some("p")
        );
        assert_eq!(policy(json!({"winPolicyId": "p"})).as_deref(), Some("p"));
        assert_eq!(policy(json!({"admPolicy": null})), None);
    }

    #[test]
    fn our_names_of_devices_can_be_taken_apart() {
        assert_eq!(named("windows/0a"), Some((Platform::Windows, "0a")));
        assert_eq!(named("0a"), None);
        assert_eq!(named("palm/0a"), None);
    }
}
