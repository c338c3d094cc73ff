//! The Okta source against a pretend organisation: full rounds equal the truth, incremental
//! rounds keep up with it, and trouble never passes for absence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rosterd::directory::{Change, Collection, Cursor, GroupId, Member, User, UserId};
use rosterd::sources::okta::{Credential, OktaSource, Options, Scope};
use rosterd::sources::{Ask, FetchError, Fetched, Source};
use rosterd_sim::{OKTA_APP_ID, OKTA_TOKEN, Sim, SimHandle, SimOptions};
use serde_json::{Value, json};
use tokio::sync::mpsc;

struct World {
    sim: SimHandle,
    okta: OktaSource,
    known: Known,
    cursor: Option<Cursor>,
}

/// A directory as the engine would keep it, much simplified.
#[derive(Default, Clone)]
struct Known {
    users: BTreeMap<String, User>,
    groups: BTreeMap<String, String>,
    members: BTreeMap<String, BTreeSet<String>>,
    assigned: BTreeSet<String>,
    unreadable: BTreeSet<String>,
}

fn name(member: &Member) -> String {
    match member {
        Member::User(id) => id.to_string(),
        Member::Group(id) => id.to_string(),
    }
}

impl Known {
    fn take(&mut self, changes: Vec<Change>) {
        let mut parts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for change in changes {
            match change {
                Change::User(user) => drop(self.users.insert(user.id.to_string(), *user)),
                Change::UserPatch(_) => panic!("Okta sends whole users"),
                Change::UserGone(id) => {
                    self.users.remove(id.as_str());
                    for members in self.members.values_mut() {
                        members.remove(id.as_str());
                    }
                }
                Change::Group(group) => {
                    self.groups.insert(group.id.to_string(), group.display_name);
                }
                Change::GroupGone(id) => {
                    self.groups.remove(id.as_str());
                    self.members.remove(id.as_str());
                }
                Change::MemberAdded(group, member) => {
                    let members = self.members.entry(group.to_string()).or_default();
                    members.insert(name(&member));
                }
                Change::MemberRemoved(group, member) => {
                    let members = self.members.entry(group.to_string()).or_default();
                    members.remove(&name(&member));
                }
                Change::Members(group, part) => {
                    assert!(part.len() <= 1000);
                    let members = parts.entry(group.to_string()).or_default();
                    members.extend(part.iter().map(name));
                }
                Change::MembersEnd(group) => {
                    let members = parts.remove(group.as_str()).unwrap_or_default();
                    self.members.insert(group.to_string(), members);
                }
                Change::Assigned(all) => self.assigned = all.iter().map(name).collect(),
                Change::Unreadable { subject, .. } => {
                    self.unreadable.insert(name(&subject));
                }
            }
        }
        assert!(parts.is_empty(), "a member list was not closed");
    }
}

fn company(users: usize, groups: usize) -> SimOptions {
    SimOptions {
        okta_users: users,
        okta_groups: groups,
        okta_memberships: users * 3,
        ..SimOptions::default()
    }
}

fn options(sim: &SimHandle) -> Options {
    Options {
        name: "okta".into(),
        org_url: sim.base_url().parse().expect("an address"),
        credential: Credential::ApiToken(OKTA_TOKEN.into()),
        scope: Scope::Assigned {
            application: OKTA_APP_ID.into(),
        },
        pending_users_active: false,
        attributes: ["title", "department", "source.costCenter"]
            .map(str::to_owned)
            .into(),
        concurrency: 8,
        rate_share: 0.5,
        timeout: Duration::from_secs(10),
        ca_pem: None,
    }
}

impl World {
    fn new(company: SimOptions) -> World {
        World::with(company, |_| {})
    }

    fn with(company: SimOptions, change: impl FnOnce(&mut Options)) -> World {
        let sim = Sim::start(company).expect("a free port");
        let mut options = options(&sim);
        change(&mut options);
        World {
            okta: OktaSource::open(options).expect("good settings"),
            sim,
            known: Known::default(),
            cursor: None,
        }
    }

    async fn ask(&mut self, ask: Ask) -> Result<Fetched, FetchError> {
        let (sink, mut batches) = mpsc::channel(4);
        let collect = async {
            let mut all = Vec::new();
            while let Some(batch) = batches.recv().await {
                all.extend(batch);
            }
            all
        };
        let full = matches!(ask, Ask::Full);
        let (fetched, changes) = tokio::join!(self.okta.fetch(ask, sink), collect);
        let fetched = fetched?;
        if full {
            self.known = Known::default();
        }
        self.known.take(changes);
        if let Some(cursor) = &fetched.cursor {
            self.cursor = Some(cursor.clone());
        }
        Ok(fetched)
    }

    async fn full(&mut self) -> Fetched {
        self.ask(Ask::Full).await.expect("a whole round")
    }

    async fn since(&mut self) -> Fetched {
        let cursor = self.cursor.clone().expect("a full round came first");
        self.ask(Ask::Since(cursor)).await.expect("a whole round")
    }

    fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let path = format!("/sim/okta/{path}");
        self.sim
            .control(method, &path, body)
            .expect("a valid change")
    }

    fn user(&self, which: impl Fn(&Value) -> bool) -> String {
        let truth = self.sim.okta_truth();
        let users = truth["users"].as_array().expect("users");
        let found = users.iter().find(|user| which(user)).expect("such a user");
        found["id"].as_str().expect("an id").to_owned()
    }

    fn active_user(&self) -> String {
        self.user(|user| user["status"] == "ACTIVE")
    }

    /// A group with members that may be changed.
    fn group(&self) -> (String, Vec<String>) {
        let truth = self.sim.okta_truth();
        let groups = truth["groups"].as_array().expect("groups");
        let found = groups
            .iter()
            .find(|group| {
                let members = group["members"].as_array().expect("members");
                let listed = members.iter().filter(|it| it["listed"] == true);
                group["type"] != "BUILT_IN" && (2..500).contains(&listed.count())
            })
            .expect("such a group");
        let members = found["members"].as_array().expect("members");
        let listed = members.iter().filter(|it| it["listed"] == true);
        let ids = listed.map(|it| it["id"].as_str().expect("an id").to_owned());
        (
            found["id"].as_str().expect("an id").to_owned(),
            ids.collect(),
        )
    }

    /// Compares everything known with the organisation as it really is.
    fn assert_true(&self) {
        let truth = self.sim.okta_truth();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let users: BTreeMap<String, (Option<String>, Option<String>, bool)> = truth["users"]
            .as_array()
            .expect("users")
            .iter()
            .map(|user| {
                let status = user["status"].as_str().expect("a status");
                let active = ["ACTIVE", "PASSWORD_EXPIRED", "LOCKED_OUT", "RECOVERY"];
                let profile = &user["profile"];
                let facts = (
                    text(&profile["login"]),
                    text(&profile["title"]),
                    active.contains(&status),
                );
                (text(&user["id"]).expect("an id"), facts)
            })
            .collect();
        let known: BTreeMap<_, _> = self
            .known
            .users
            .iter()
            .map(|(id, user)| {
                (
                    id.clone(),
                    (user.user_name.clone(), user.title.clone(), user.active),
                )
            })
            .collect();
        assert_eq!(known, users);
        let mut groups = BTreeMap::new();
        let mut members = BTreeMap::new();
        for group in truth["groups"].as_array().expect("groups") {
            let id = text(&group["id"]).expect("an id");
            groups.insert(id.clone(), text(&group["profile"]["name"]).expect("a name"));
            let listed = group["members"].as_array().expect("members").iter();
            let listed = listed.filter(|it| it["listed"] == true);
            let ids: BTreeSet<String> = listed.map(|it| text(&it["id"]).expect("an id")).collect();
            members.insert(id, ids);
        }
        assert_eq!(self.known.groups, groups);
        for (id, wanted) in members {
            let known = self.known.members.get(&id).cloned().unwrap_or_default();
            assert_eq!(known, wanted, "members of {id} ({})", groups[&id]);
        }
        let assigned = &truth["assignments"];
        let wanted: BTreeSet<String> = ["users", "groups"]
            .iter()
            .flat_map(|list| assigned[list].as_array().expect("a list"))
            .map(|id| text(id).expect("an id"))
            .collect();
        assert_eq!(self.known.assigned, wanted);
    }
}

#[tokio::test]
async fn a_full_round_is_the_truth() {
    let mut world = World::new(company(1234, 60));
    let fetched = world.full().await;
    world.assert_true();
    let all = [Collection::Users, Collection::Groups, Collection::Assigned];
    assert_eq!(fetched.complete, BTreeSet::from(all));
    assert!(fetched.warnings.is_empty(), "{:?}", fetched.warnings);
    assert!(world.known.unreadable.is_empty());
    // The log, 7 pages of users and 1 of those gone, 1 of groups, 59 member lists (Everyone's
    // is derived), and 1 page each of assigned users and groups.
    assert!(
        fetched.requests <= 1 + 8 + 1 + 59 + 4,
        "{}",
        fetched.requests
    );
}

#[tokio::test]
async fn a_quiet_round_costs_four_requests_and_says_nothing_new() {
    let mut world = World::new(company(700, 30));
    world.full().await;
    for _ in 0..2 {
        let before = world.known.clone();
        let fetched = world.since().await;
        assert!(fetched.requests <= 4, "{}", fetched.requests);
        assert_eq!(before.users, world.known.users);
        assert_eq!(before.members, world.known.members);
        world.assert_true();
    }
}

#[tokio::test]
async fn what_happened_just_before_a_full_round_is_not_looked_at_again() {
    let mut world = World::new(company(300, 20));
    let (group, members) = world.group();
    for id in &members {
        let path = format!("users/{id}");
        world.control("PATCH", &path, json!({"profile": {"title": "Early"}}));
    }
    world.control("DELETE", &format!("users/{}", members[0]), Value::Null);
    world.control(
        "DELETE",
        &format!("groups/{group}/members/{}", members[1]),
        Value::Null,
    );
    world.control("POST", &format!("assignments/{}", members[1]), Value::Null);
    world.full().await;
    let quiet = world.since().await;
    assert!(quiet.requests <= 4, "{}", quiet.requests);
    world.assert_true();
}

#[tokio::test]
async fn an_incremental_round_keeps_up_with_every_kind_of_change() {
    let mut world = World::new(company(300, 20));
    world.full().await;
    let user = world.active_user();
    let (group, members) = world.group();
    let truth = world.sim.okta_truth();
    let effective = truth["assignments"]["effective"]
        .as_array()
        .expect("a list");
    let outside = |it: &Value| {
        it["status"] == "ACTIVE"
            && !members.iter().any(|id| it["id"] == id.as_str())
            && !effective.iter().any(|other| it["id"] == other["id"])
    };
    let outsider = world.user(outside);
    let assignee = world.user(|it| outside(it) && it["id"] != outsider.as_str());
    let leaver = members[0].clone();
    type Step<'a> = (&'a str, String, Value);
    let steps: Vec<Step> = vec![
        (
            "PATCH",
            format!("users/{user}"),
            json!({"profile": {"title": "Countess"}}),
        ),
        (
            "PATCH",
            format!("users/{user}"),
            json!({"profile": {"login": "new@contoso.com", "title": null}}),
        ),
        (
            "PATCH",
            format!("users/{user}"),
            json!({"status": "SUSPENDED"}),
        ),
        (
            "PATCH",
            format!("users/{user}"),
            json!({"status": "ACTIVE"}),
        ),
        (
            "PATCH",
            format!("users/{leaver}"),
            json!({"status": "DEPROVISIONED"}),
        ),
        (
            "PATCH",
            format!("users/{leaver}"),
            json!({"status": "ACTIVE"}),
        ),
        (
            "POST",
            "users".into(),
            json!({"profile": {"login": "ada@contoso.com"}}),
        ),
        (
            "POST",
            format!("groups/{group}/members/{outsider}"),
            Value::Null,
        ),
        (
            "DELETE",
            format!("groups/{group}/members/{}", members[1]),
            Value::Null,
        ),
        (
            "PATCH",
            format!("groups/{group}"),
            json!({"profile": {"name": "Renamed"}}),
        ),
        (
            "POST",
            "groups".into(),
            json!({"profile": {"name": "New"}, "members": [user]}),
        ),
        ("POST", format!("assignments/{assignee}"), Value::Null),
        ("POST", format!("assignments/{group}"), Value::Null),
        ("DELETE", format!("assignments/{group}"), Value::Null),
        ("DELETE", format!("assignments/{assignee}"), Value::Null),
        ("DELETE", format!("users/{leaver}"), Value::Null),
        ("DELETE", format!("groups/{group}"), Value::Null),
    ];
    for (method, path, body) in steps {
        world.control(method, &path, body);
        world.since().await;
        world.assert_true();
        let quiet = world.since().await;
        assert!(
            quiet.requests <= 4,
            "after {method} {path}: {}",
            quiet.requests
        );
        world.assert_true();
    }
    world.full().await;
    world.assert_true();
}

#[tokio::test]
async fn a_direct_assignment_under_that_of_a_group_shows_when_the_group_is_left() {
    let mut world = World::new(company(200, 20));
    let truth = world.sim.okta_truth();
    let assigned = &truth["assignments"]["groups"];
    let groups = truth["groups"].as_array().expect("groups");
    let (group, member) = groups
        .iter()
        .filter(|it| assigned.as_array().expect("ids").contains(&it["id"]))
        .find_map(|it| {
            let mut members = it["members"].as_array().expect("members").iter();
            let member = members.find(|it| it["listed"] == true)?;
            Some((it["id"].as_str()?, member["id"].as_str()?))
        })
        .expect("an assigned group with a member");
    world.full().await;
    // The organisation logs nothing: the user has the application already.
    world.control("POST", &format!("assignments/{member}"), Value::Null);
    world.since().await;
    world.control(
        "DELETE",
        &format!("groups/{group}/members/{member}"),
        Value::Null,
    );
    world.since().await;
    world.assert_true();
}

#[tokio::test]
async fn who_was_away_during_a_full_round_returns_into_their_groups() {
    let mut world = World::new(company(200, 20));
    let (_, members) = world.group();
    let path = format!("users/{}", members[0]);
    world.control("PATCH", &path, json!({"status": "DEPROVISIONED"}));
    world.full().await;
    world.control("PATCH", &path, json!({"status": "ACTIVE"}));
    world.since().await;
    world.assert_true();
}

#[tokio::test]
async fn an_index_that_lags_hides_nothing() {
    let mut world = World::new(company(120, 16));
    world.full().await;
    world
        .sim
        .settings(json!({"okta_search_lag_ms": 600_000}))
        .expect("known");
    let user = world.active_user();
    let (group, members) = world.group();
    world.control(
        "PATCH",
        &format!("users/{user}"),
        json!({"profile": {"title": "Late"}}),
    );
    world.control(
        "DELETE",
        &format!("groups/{group}/members/{}", members[0]),
        Value::Null,
    );
    world.control("DELETE", &format!("users/{}", members[1]), Value::Null);
    world.since().await;
    world.assert_true();
    world
        .sim
        .settings(json!({"okta_search_lag_ms": 0}))
        .expect("known");
    world.since().await;
    world.assert_true();
}

#[tokio::test]
async fn a_bulk_change_does_not_make_the_next_round_expensive() {
    let mut world = World::new(company(900, 12));
    world.full().await;
    let truth = world.sim.okta_truth();
    for user in truth["users"].as_array().expect("users").iter().take(500) {
        let id = user["id"].as_str().expect("an id");
        world.control(
            "PATCH",
            &format!("users/{id}"),
            json!({"profile": {"title": "All"}}),
        );
    }
    world.since().await;
    world.assert_true();
    let quiet = world.since().await;
    assert!(quiet.requests <= 4, "{}", quiet.requests);
}

#[tokio::test]
async fn a_fault_on_any_page_is_overcome_or_is_an_error() {
    let troubles = [
        (json!({"kind": "status", "status": 503}), true),
        (json!({"kind": "status", "status": 500}), true),
        (json!({"kind": "drop"}), true),
        (json!({"kind": "truncate"}), true),
        (json!({"kind": "html"}), true),
        (json!({"kind": "reset_conn"}), true),
        (json!({"kind": "expire_token"}), true),
        (json!({"kind": "endless", "times": 100_000}), false),
    ];
    for (trouble, overcome) in troubles {
        for class in ["okta.users", "okta.groups.users"] {
            let mut world = World::new(company(700, 20));
            let mut rule = json!({"class": class, "nth": 2, "times": 1});
            for (name, value) in trouble.as_object().expect("an object") {
                rule[name] = value.clone();
            }
            if trouble["kind"] == "endless" {
                rule.as_object_mut().expect("an object").remove("nth");
                if class != "okta.users" {
                    continue;
                }
            }
            world.sim.faults(json!([rule])).expect("a valid rule");
            match world.ask(Ask::Full).await {
                Ok(_) => {
                    assert!(overcome, "{rule}");
                    world.assert_true();
                }
                Err(error) => {
                    assert!(!overcome, "{rule}: {error}");
                    assert!(matches!(error, FetchError::Unavailable(_)), "{error}");
                    assert!(!error.to_string().contains('\n'));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_group_that_cannot_be_read_fails_the_round() {
    let mut world = World::new(company(100, 14));
    let rule = json!({"class": "okta.groups.users", "after": 3, "kind": "status", "status": 403, "code": "E0000006"});
    world.sim.faults(json!([rule])).expect("a valid rule");
    let error = world.ask(Ask::Full).await.expect_err("half a picture");
    assert!(matches!(error, FetchError::Refused(_)), "{error}");
}

#[tokio::test]
async fn rate_limits_are_waited_for() {
    let mut company = company(500, 20);
    company.settings.okta_window_ms = 1_000;
    company.settings.okta_limits = BTreeMap::from([("default".to_owned(), 12)]);
    company.settings.okta_concurrency = 3;
    let mut world = World::with(company, |options| options.rate_share = 1.0);
    world.full().await;
    world.assert_true();
}

#[tokio::test]
async fn a_group_that_was_hidden_from_us_is_not_deleted() {
    let mut world = World::new(company(100, 14));
    world.full().await;
    let (hidden, _) = world.group();
    let (deleted, _) = {
        let truth = world.sim.okta_truth();
        let groups = truth["groups"].as_array().expect("groups").clone();
        let other = groups
            .iter()
            .find(|it| it["type"] != "BUILT_IN" && it["id"] != hidden.as_str())
            .expect("another group");
        (other["id"].as_str().expect("an id").to_owned(), ())
    };
    world
        .sim
        .settings(json!({"okta_hidden_groups": [hidden]}))
        .expect("known");
    world.control("DELETE", &format!("groups/{deleted}"), Value::Null);
    assert!(
        world
            .okta
            .group_exists(&GroupId::new(&hidden))
            .await
            .expect("an answer")
    );
    assert!(
        !world
            .okta
            .group_exists(&GroupId::new(&deleted))
            .await
            .expect("an answer")
    );
    world.since().await;
    assert!(world.known.groups.contains_key(&hidden));
    assert!(!world.known.groups.contains_key(&deleted));
}

#[tokio::test]
async fn the_second_look_tells_who_is_still_there() {
    let world = World::new(company(60, 14));
    let user = world.active_user();
    let gone = UserId::new("00uXXXXXXXXXXXXXXXXX");
    let found = world
        .okta
        .read_users(&[gone, UserId::new(&user)])
        .await
        .expect("an answer");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id.as_str(), user);
    let (group, members) = world.group();
    let read = world
        .okta
        .read_members(&GroupId::new(&group))
        .await
        .expect("an answer");
    let read: BTreeSet<String> = read.expect("a group").iter().map(name).collect();
    assert_eq!(read, members.into_iter().collect());
    let none = world
        .okta
        .read_members(&GroupId::new("00gXXXXXXXXXXXXXXXXX"))
        .await;
    assert!(none.expect("an answer").is_none());
}

#[tokio::test]
async fn a_position_of_other_settings_or_another_time_is_refused() {
    let mut world = World::new(company(30, 14));
    world.full().await;
    let cursor = world.cursor.clone().expect("a cursor");
    let mut other = options(&world.sim);
    other.attributes.insert("locale".into());
    let other = OktaSource::open(other).expect("good settings");
    let (sink, _batches) = mpsc::channel(64);
    let refused = other.fetch(Ask::Since(cursor.clone()), sink).await;
    assert!(matches!(refused, Err(FetchError::Resync(_))));
    for hours in [-1_i64, 81 * 24] {
        world
            .sim
            .settings(json!({"clock_offset_ms": hours * 3_600_000}))
            .expect("known");
        let refused = world.ask(Ask::Since(cursor.clone())).await;
        assert!(matches!(refused, Err(FetchError::Resync(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_lookup_brings_a_user_with_its_groups_and_a_group_with_its_members() {
    let mut world = World::new(company(80, 14));
    let truth = world.sim.okta_truth();
    let user = world.active_user();
    let login = truth["users"]
        .as_array()
        .expect("users")
        .iter()
        .find(|it| it["id"] == user.as_str());
    let login = login.expect("the user")["profile"]["login"]
        .as_str()
        .expect("a login")
        .to_owned();
    let (group, members) = world.group();
    let ask = Ask::Just {
        users: vec![login, "00uXXXXXXXXXXXXXXXXX".into()],
        groups: vec![group.clone()],
    };
    let fetched = world.ask(ask).await.expect("a lookup");
    assert!(fetched.cursor.is_none() && fetched.complete.is_empty());
    assert!(world.known.users.contains_key(&user));
    assert!(world.known.members.values().any(|it| it.contains(&user)));
    assert_eq!(
        world.known.members[&group],
        members.iter().cloned().collect()
    );
    assert!(members.iter().all(|id| world.known.users.contains_key(id)));
    assert!(!world.known.assigned.is_empty());
    let name = world.known.groups[&group].to_uppercase();
    let mut again = World {
        known: Known::default(),
        ..world
    };
    let ask = Ask::Just {
        users: vec![],
        groups: vec![name],
    };
    again.ask(ask).await.expect("a lookup");
    assert!(again.known.groups.contains_key(&group));
}

#[tokio::test]
async fn check_names_what_is_missing() {
    let world = World::new(company(30, 14));
    let findings = world.okta.check().await;
    assert!(findings.iter().all(|it| it.ok), "{findings:?}");
    let wrong = World::with(company(30, 14), |options| {
        options.credential = Credential::ApiToken("wrong".into());
    });
    let findings = wrong.okta.check().await;
    assert!(
        findings
            .iter()
            .any(|it| !it.ok && it.text.contains("API token")),
        "{findings:?}"
    );
    let elsewhere = World::with(company(30, 14), |options| {
        options.scope = Scope::Assigned {
            application: "0oanowhere".into(),
        };
    });
    let findings = elsewhere.okta.check().await;
    assert!(
        findings.iter().any(|it| !it.ok && it.text.contains("0oa…")),
        "{findings:?}"
    );
}

/// A service app whose key the organisation knows.
fn service_app(company: SimOptions) -> World {
    const KEY: &str = include_str!("../src/sources/okta/testdata/rsa.pem");
    const PUBLIC: &str = include_str!("../src/sources/okta/testdata/rsa.pub.pem");
    let world = World::with(company, |options| {
        options.credential = Credential::PrivateKey {
            client_id: "0oasimservice".into(),
            key_pem: KEY.into(),
            key_id: Some("k1".into()),
        };
    });
    world.control(
        "POST",
        "credentials",
        json!({"keys": [{"kid": "k1", "pem": PUBLIC}]}),
    );
    world
}

#[tokio::test]
async fn a_service_app_signs_in_and_renews_its_token() {
    let mut world = service_app(company(500, 20));
    world.full().await;
    world.assert_true();
    world.control("POST", "expire_access_tokens", Value::Null);
    world.since().await;
    world.assert_true();
    assert!(world.okta.check().await.iter().all(|it| it.ok));
    world
        .sim
        .settings(json!({"okta_scopes": ["okta.users.read", "okta.groups.read", "okta.apps.read"]}))
        .expect("known");
    world.control("POST", "expire_access_tokens", Value::Null);
    let findings = world.okta.check().await;
    assert!(
        findings
            .iter()
            .any(|it| !it.ok && it.text.contains("okta.logs.read")),
        "{findings:?}"
    );
}

#[tokio::test]
async fn a_service_app_signs_in_by_the_clock_of_okta() {
    let mut world = service_app(company(30, 14));
    for minutes in [20, -20] {
        world
            .sim
            .settings(json!({"clock_offset_ms": minutes * 60_000}))
            .expect("known");
        world.control("POST", "expire_access_tokens", Value::Null);
        world.full().await;
        world.assert_true();
    }
}

#[tokio::test]
async fn under_scope_all_there_are_no_assignments() {
    let mut world = World::with(company(100, 14), |options| options.scope = Scope::All);
    let fetched = world.full().await;
    assert!(!fetched.complete.contains(&Collection::Assigned));
    assert!(world.known.assigned.is_empty());
    assert!(world.since().await.requests <= 3);
}
