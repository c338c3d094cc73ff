//! The SCIM endpoint: the built binary, a real socket, and the portal's accounts as the result.

mod bad_input;
mod conformance;
mod entra;
mod model;
mod okta;
mod portals;
mod protocol;
mod races;
mod tokens;

use serde_json::{Value, json};

use crate::served::{Answer, Served, TOKEN};
use crate::settings::{Portal, Settings};
use crate::world::World;

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// A world with a source `push` and one portal of plain users and groups.
pub fn world() -> World {
    let portal = Portal::new("directory", "remove")
        .named("app")
        .from(&["push"]);
    let mut settings = Settings::new(Vec::new(), vec![portal]);
    settings.more = SOURCE.to_owned();
    World::small(settings)
}

pub const SOURCE: &str = "[sources.push]\nkind = \"scim\"\n[sources.push.extensions]\n\"urn:ietf:params:scim:schemas:extension:appspace:2.0:User\" = [\"floor\", \"site\"]\n";

/// A client of the source `push`.
pub struct Client {
    pub served: Served,
    pub token: String,
}

/// A new token, made beside the daemon.
pub fn token(world: &World, source: &str) -> String {
    let made = world.json(&["token", "create", "--source", source, "--format", "json"]);
    made["token"].as_str().expect("a token").to_owned()
}

impl Client {
    pub fn start(world: &World) -> Client {
        let served = Served::start(world);
        let token = token(world, "push");
        Client { served, token }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let path = format!("/scim/push/v2{path}");
        self.served.request(method, &path).bearer_auth(&self.token)
    }

    /// An answer as every SCIM answer is: of SCIM's type, and an error where it is one.
    #[track_caller]
    pub fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = self.served.send(request);
        if !answer.text.is_empty() {
            assert_eq!(answer.header("content-type"), "application/scim+json");
        }
        if answer.status >= 400 {
            let error = answer.json();
            assert_eq!(error["schemas"], json!([ERROR]), "{error}");
            assert_eq!(error["status"], answer.status.to_string(), "{error}");
            assert!(error["detail"].is_string(), "{error}");
        }
        answer
    }

    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let request = self.request(method, path);
        let request = request.header("content-type", "application/scim+json");
        self.send(request.body(body.to_string()))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path))
    }

    /// The ids that a filter finds.
    #[track_caller]
    pub fn found(&self, kind: &str, filter: &str) -> Vec<String> {
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let list = self.get(&format!("/{kind}?filter={filter}")).is(200).json();
        let found = list["Resources"].as_array().expect("a list").iter();
        let ids: Vec<String> = found
            .map(|r| r["id"].as_str().expect("an id").to_owned())
            .collect();
        assert_eq!(list["totalResults"], ids.len(), "{list}");
        ids
    }

    /// A user of this name, made.
    #[track_caller]
    pub fn user(&self, name: &str) -> String {
        let user = json!({
            "schemas": [USER], "userName": name, "displayName": name, "active": true,
            "emails": [{ "primary": true, "type": "work", "value": name }],
        });
        let made = self.call("POST", "/Users", user).is(201).json();
        made["id"].as_str().expect("an id").to_owned()
    }

    /// A group of this name with these members, made.
    #[track_caller]
    pub fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let group = json!({ "schemas": [GROUP], "displayName": name, "members": members });
        let made = self.call("POST", "/Groups", group).is(201).json();
        made["id"].as_str().expect("an id").to_owned()
    }

    #[track_caller]
    pub fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = json!({ "schemas": [PATCH], "Operations": operations });
        self.call("PATCH", path, body)
    }

    /// Waits until the portal's account of that key passes; none where there is none.
    #[track_caller]
    pub fn account(&self, key: &str, passes: impl Fn(Option<&Value>) -> bool) {
        self.served
            .wait_for(&format!("the account {key}"), |served| {
                let path = format!("/api/v1/portals/app/accounts/{key}");
                let answer = served.send(served.request("GET", &path).bearer_auth(TOKEN));
                let account = (answer.status == 200).then(|| answer.json());
                passes(account.as_ref()).then_some(())
            });
    }

    /// Waits until the portal's groups are these, with the keys of their members.
    #[track_caller]
    pub fn groups(&self, expected: Value) {
        self.served
            .wait_for(&format!("the groups {expected}"), |served| {
                let request = served.request("GET", "/api/v1/portals/app/groups");
                let page = served.send(request.bearer_auth(TOKEN)).is(200).json();
                let groups = page["items"].as_array().expect("items").iter();
                let found: serde_json::Map<String, Value> = groups
                    .map(|group| {
                        let name = group["displayName"].as_str().expect("a name");
                        (name.to_owned(), group["members"].clone())
                    })
                    .collect();
                (Value::Object(found) == expected).then_some(())
            });
    }
}
