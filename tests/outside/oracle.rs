//! What is right: a second, slower reading of the design, from what the companies really are.
//!
//! It keeps, portal by portal, the accounts that should be there, and takes one turn for every
//! run: the truth of the simulator, the settings, and what was there before give what is there
//! after. It shares no code with rosterd and reads nothing that rosterd wrote.

use std::collections::{BTreeMap, BTreeSet};

use rosterd_sim::SimHandle;
use serde_json::{Map, Value, json};

use crate::settings::{Fill, Portal, Settings, Source};
use crate::world::{World, text};

#[derive(Default)]
pub struct Oracle {
    portals: BTreeMap<String, Books>,
    /// What each portal was like when it was compared last.
    compared: BTreeMap<String, Value>,
}

/// One portal's accounts by key, and its groups.
#[derive(Default)]
struct Books {
    accounts: BTreeMap<String, Account>,
    groups: Vec<PushedGroup>,
}

#[derive(Clone)]
struct Account {
    source: String,
    id: String,
    /// As exported, but for `groups`.
    card: Map<String, Value>,
    /// By source and id.
    groups: BTreeSet<(String, String)>,
}

impl Account {
    fn is(&self, person: &Person) -> bool {
        self.source == person.source && self.id == person.id
    }
}

struct PushedGroup {
    source: String,
    id: String,
    name: String,
}

/// A user of a source, seen from one portal.
struct Person {
    source: String,
    /// Place in the portal's `sources`.
    rank: usize,
    id: String,
    key: Option<String>,
    present: bool,
    role: Option<&'static str>,
    groups: BTreeSet<(String, String)>,
    card: Map<String, Value>,
}

/// A group of a source, in nobody's words.
struct Group {
    id: String,
    name: String,
    users: BTreeSet<String>,
    groups: Vec<String>,
    assigned: bool,
}

/// A user in the model's words; absent attributes are not there.
struct User {
    id: String,
    active: bool,
    assigned: bool,
    values: BTreeMap<String, Value>,
}

struct Company {
    users: Vec<User>,
    groups: Vec<Group>,
}

impl Oracle {
    /// Comes to what the next run comes to.
    pub fn turn(&mut self, settings: &Settings, sim: &SimHandle) {
        let companies: BTreeMap<&str, Company> = settings
            .sources
            .iter()
            .map(|source| {
                let company = if source.okta {
                    okta(&sim.okta_truth())
                } else {
                    graph(&sim.graph_truth())
                };
                (source.name, company)
            })
            .collect();
        for portal in &settings.portals {
            let books = self.portals.entry(portal.name.clone()).or_default();
            let mut people = Vec::new();
            books.groups.clear();
            for (rank, name) in portal.sources.iter().enumerate() {
                let source = settings.source(name);
                let company = &companies[name];
                people.extend(seen_from(portal, source, rank, company));
                books.groups.extend(pushed(portal, source, company));
            }
            books.turn(portal, &people);
        }
    }

    /// Compares every portal's accounts, and the groups of one portal for each way of pushing
    /// them: what portals do to their accounts shows in those.
    #[track_caller]
    pub fn agrees(&self, world: &World) {
        self.agrees_where(world, |_| true);
    }

    /// The same for the portals in which something was done, or should have been. The others
    /// are as they were when they were compared last.
    #[track_caller]
    pub fn agrees_after(&mut self, world: &World, plan: &Value) {
        let touched: BTreeSet<&str> = list(&plan["actions"])
            .iter()
            .filter_map(|action| action["portal"].as_str())
            .collect();
        let now: BTreeMap<String, Value> = self
            .portals
            .iter()
            .map(|(name, books)| (name.clone(), json!([books.accounts(), books.groups()])))
            .collect();
        self.agrees_where(world, |name| {
            touched.contains(name) || self.compared.get(name) != now.get(name)
        });
        self.compared = now;
    }

    /// What everybody has.
    pub fn holdings(&self) -> BTreeSet<String> {
        let portals = self.portals.iter();
        portals
            .flat_map(|(name, books)| holdings_in(name, &books.accounts()))
            .collect()
    }

    #[track_caller]
    fn agrees_where(&self, world: &World, asked: impl Fn(&str) -> bool) {
        let mut pushing = BTreeSet::new();
        for portal in &world.settings.portals {
            let let_go = portal.on_deactivate.starts_with("remove");
            let first = pushing.insert((&portal.push, portal.match_on, let_go));
            if !asked(&portal.name) {
                continue;
            }
            let books = &self.portals[&portal.name];
            let accounts = world.accounts(&portal.name);
            same(&portal.name, "accounts", &books.accounts(), &accounts);
            if first {
                let groups = world.groups(&portal.name);
                same(&portal.name, "groups", &books.groups(), &groups);
            }
        }
    }
}

/// Which accounts there are, whether they are active, and in which groups. By who it is: a
/// changed address takes nothing away.
pub fn holdings_in(portal: &str, accounts: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for account in list(accounts) {
        let who = format!("{portal} {}", account["source_id"]);
        all.push(format!("{who} active {}", account["active"]));
        for group in list(&account["groups"]) {
            all.push(format!("{who} in {group}"));
        }
    }
    all
}

/// Fails with the rows that differ, and only those.
#[track_caller]
fn same(portal: &str, what: &str, wanted: &Value, found: &Value) {
    if wanted == found {
        return;
    }
    let rows = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (wanted, found) = (rows(wanted), rows(found));
    let missing: Vec<_> = wanted.iter().filter(|row| !found.contains(row)).collect();
    let surplus: Vec<_> = found.iter().filter(|row| !wanted.contains(row)).collect();
    panic!("{what} of {portal}:\nwanted {missing:#?}\nfound {surplus:#?}");
}

impl Books {
    fn accounts(&self) -> Value {
        let rows = self.accounts.iter().map(|(key, account)| {
            let mut card = account.card.clone();
            let mut groups: Vec<&str> = self
                .groups
                .iter()
                .filter(|group| {
                    let place = (group.source.clone(), group.id.clone());
                    account.groups.contains(&place)
                })
                .map(|group| group.name.as_str())
                .collect();
            groups.sort_unstable();
            card.insert("key".to_owned(), json!(key));
            card.insert("groups".to_owned(), json!(groups));
            card.insert("source".to_owned(), json!(account.source));
            card.insert("source_id".to_owned(), json!(account.id));
            Value::Object(card)
        });
        rows.collect()
    }

    fn groups(&self) -> Value {
        let mut rows: Vec<(&str, &str, Value)> = Vec::new();
        for group in &self.groups {
            let place = (group.source.clone(), group.id.clone());
            let members: Vec<&str> = self
                .accounts
                .iter()
                .filter(|(_, account)| account.groups.contains(&place))
                .map(|(key, _)| key.as_str())
                .collect();
            let row = json!({
                "displayName": group.name, "externalId": group.id, "members": members,
            });
            rows.push((&group.name, &group.id, row));
        }
        rows.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        rows.into_iter().map(|(.., row)| row).collect()
    }

    fn turn(&mut self, portal: &Portal, people: &[Person]) {
        let before = std::mem::take(&mut self.accounts);
        let owned = |person: &Person| before.iter().find(|(_, account)| account.is(person));
        // Who the key belongs to, among those who are present and have it.
        let mut first: BTreeMap<&str, &Person> = BTreeMap::new();
        for person in people.iter().filter(|person| person.present) {
            let Some(key) = person.key.as_deref() else {
                continue;
            };
            let order = |person: &Person| {
                let linked = before.get(key).is_some_and(|account| account.is(person));
                (person.rank, !linked, person.id.clone())
            };
            match first.get(key) {
                Some(other) if order(other) < order(person) => {}
                _ => {
                    first.insert(key, person);
                }
            }
        }
        // A key is free when nobody stays on it. Who wants another key stays until that is
        // free: begin with everyone moving, and take back the moves that cannot be.
        let mut blocked: BTreeSet<(&str, &str)> = BTreeSet::new();
        loop {
            let stays = |key: &str| -> bool {
                let Some(account) = before.get(key) else {
                    return false;
                };
                let owner = people.iter().find(|person| account.is(person));
                let Some(owner) = owner.filter(|person| person.present) else {
                    return false;
                };
                owner.key.as_deref() != Some(key)
                    && (blocked.contains(&(&owner.source, &owner.id))
                        || owner.key.is_none()
                        || owner
                            .key
                            .as_deref()
                            .is_some_and(|key| !first[key].same(owner)))
            };
            let next: BTreeSet<(&str, &str)> = first
                .iter()
                .filter(|(key, person)| {
                    let at = owned(person).map(|(key, _)| key.as_str());
                    at != Some(**key) && stays(key)
                })
                .map(|(_, person)| (person.source.as_str(), person.id.as_str()))
                .collect();
            if next == blocked {
                break;
            }
            blocked = next;
        }
        let mut after: BTreeMap<String, Account> = BTreeMap::new();
        for (key, person) in &first {
            if blocked.contains(&(&person.source, &person.id)) {
                continue;
            }
            let own = owned(person);
            let there = before.get(*key);
            // The account goes on being the user's own, or that of the key handed over.
            let old = match (own, there) {
                (Some((_, own)), _) => Some((own, false)),
                (None, Some(there)) => {
                    let owner = people.iter().find(|other| there.is(other));
                    let moves = owner.is_some_and(|owner| {
                        owner.present
                            && owner
                                .key
                                .as_deref()
                                .is_some_and(|now| now != *key && first[now].same(owner))
                    });
                    (!moves).then_some((there, true))
                }
                (None, None) => None,
            };
            if old.is_none() && portal.on_create != "create" {
                continue;
            }
            after.insert((*key).to_owned(), person.account(portal, old));
        }
        for (key, account) in before {
            let owner = people.iter().find(|person| account.is(person));
            let moved = owner.is_some_and(|owner| {
                owner.present
                    && owner
                        .key
                        .as_deref()
                        .is_some_and(|now| after.get(now).is_some_and(|account| account.is(owner)))
            });
            if moved || after.contains_key(&key) {
                continue;
            }
            let mut account = account;
            if owner.is_some_and(|owner| owner.present) {
                // In conflict, or without a key: left as it is.
                after.insert(key, account);
                continue;
            }
            match portal.on_deactivate {
                "remove" | "remove_user" | "remove_user_and_devices" => continue,
                "disable" => {
                    account.card.insert("active".to_owned(), json!(false));
                }
                _ => {}
            }
            account.card.insert("departed".to_owned(), json!(true));
            account.groups.clear();
            after.insert(key, account);
        }
        self.accounts = after;
    }
}

impl Person {
    fn same(&self, other: &Person) -> bool {
        self.source == other.source && self.id == other.id
    }

    /// The account as the user is now; `old` is what it was, and whether it was another's.
    fn account(&self, portal: &Portal, old: Option<(&Account, bool)>) -> Account {
        let mut card = self.card.clone();
        let role = match old {
            Some((old, _)) if !portal.continuous => old.card["role"].clone(),
            _ if portal.kind == "dashboard" => json!(self.role.or(portal.default_role)),
            _ => Value::Null,
        };
        card.insert("role".to_owned(), role);
        card.insert("active".to_owned(), json!(true));
        card.insert("departed".to_owned(), json!(false));
        Account {
            source: self.source.clone(),
            id: self.id.clone(),
            card,
            groups: self.groups.clone(),
        }
    }
}

/// All above all below: what comparing knows of letters. NFC is what the tests write.
pub fn folded(text: &str) -> String {
    text.to_lowercase().replace('ß', "ss")
}

fn fits(glob: &str, name: &str) -> bool {
    fn rest(glob: &[char], name: &[char]) -> bool {
        match glob.split_first() {
            None => name.is_empty(),
            Some(('*', more)) => (0..=name.len()).any(|skip| rest(more, &name[skip..])),
            Some(('?', more)) => !name.is_empty() && rest(more, &name[1..]),
            Some((one, more)) => name.first() == Some(one) && rest(more, &name[1..]),
        }
    }
    let chars = |text: &str| folded(text).chars().collect::<Vec<_>>();
    rest(&chars(glob), &chars(name))
}

const ROLES: [(&str, &str); 4] = [
    ("applivery-admin", "admin"),
    ("applivery-editor", "editor"),
    ("applivery-viewer", "viewer"),
    ("applivery-unassigned", "unassigned"),
];

fn pushed(portal: &Portal, source: &Source, company: &Company) -> Vec<PushedGroup> {
    company
        .groups
        .iter()
        .filter(|group| !source.assigned || group.assigned)
        .filter(|group| portal.push.iter().any(|glob| fits(glob, &group.name)))
        .map(|group| PushedGroup {
            source: source.name.to_owned(),
            id: group.id.clone(),
            name: group.name.clone(),
        })
        .collect()
}

fn seen_from(portal: &Portal, source: &Source, rank: usize, company: &Company) -> Vec<Person> {
    let by_id: BTreeMap<&str, &Group> = company
        .groups
        .iter()
        .map(|group| (group.id.as_str(), group))
        .collect();
    // Everyone in a group, directly or through the groups within.
    let everyone = |group: &Group| -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut users = group.users.clone();
        let mut open = vec![group];
        while let Some(group) = open.pop() {
            if !seen.insert(group.id.as_str()) || !source.nested {
                continue;
            }
            for inner in group.groups.iter().filter_map(|id| by_id.get(id.as_str())) {
                users.extend(inner.users.iter().cloned());
                open.push(inner);
            }
        }
        users
    };
    let members: Vec<(&Group, BTreeSet<String>)> = company
        .groups
        .iter()
        .map(|group| (group, everyone(group)))
        .collect();
    let pushed: BTreeSet<String> = pushed(portal, source, company)
        .into_iter()
        .map(|group| group.id)
        .collect();
    company
        .users
        .iter()
        .map(|user| {
            let of = || {
                let mine = members.iter().filter(|(_, users)| users.contains(&user.id));
                mine.map(|(group, _)| *group)
            };
            let in_scope = !source.assigned || user.assigned || of().any(|group| group.assigned);
            let globs = &portal.include_groups;
            let included = globs.is_empty()
                || of().any(|group| globs.iter().any(|glob| fits(glob, &group.name)));
            let excluded = portal.exclude_attributes.iter().any(|(name, value)| {
                let found = user.values.get(*name).and_then(Value::as_str);
                found.is_some_and(|found| folded(found) == folded(value))
            });
            let role = ROLES
                .iter()
                .find(|(name, _)| of().any(|group| folded(&group.name) == *name))
                .map(|(_, role)| *role);
            let value = |name: &str| user.values.get(name).and_then(Value::as_str);
            let key = match portal.match_on {
                "email" => value("email"),
                "userName" => value("userName"),
                _ => Some(user.id.as_str()),
            };
            Person {
                source: source.name.to_owned(),
                rank,
                id: user.id.clone(),
                key: key.map(folded),
                present: in_scope && included && !excluded && user.active,
                role,
                groups: of()
                    .filter(|group| pushed.contains(&group.id))
                    .map(|group| (source.name.to_owned(), group.id.clone()))
                    .collect(),
                card: card(portal, user),
            }
        })
        .collect()
}

/// What is exported of a user who has an account, but for what the portal decides.
fn card(portal: &Portal, user: &User) -> Map<String, Value> {
    let value = |name: &str| user.values.get(name).cloned();
    let word = |name: &str| value(name).and_then(|value| value.as_str().map(str::to_owned));
    let (given, family) = (word("name.givenName"), word("name.familyName"));
    let both = [given.clone(), family.clone()];
    let both: Vec<String> = both.into_iter().flatten().collect();
    let mut display = word("displayName")
        .or_else(|| (!both.is_empty()).then(|| both.join(" ")))
        .or_else(|| word("userName"));
    let (mut attributes, mut metadata) = (Map::new(), Map::new());
    for (target, fill) in &portal.attributes {
        let filled = match fill {
            Fill::From(from) => value(from),
            Fill::Or(from, default) => value(from).or_else(|| Some(json!(default))),
            Fill::Constant(constant) => Some(json!(constant)),
            Fill::Reversed => {
                let (family, given) = (family.clone(), given.clone());
                let family = family.unwrap_or_default().to_uppercase();
                let filled = format!("{family}, {}", given.unwrap_or_default());
                Some(json!(filled.trim()))
            }
        };
        let Some(filled) = filled else { continue };
        if *target == "displayName" {
            display = filled.as_str().map(str::to_owned);
        } else if let Some(name) = target.strip_prefix("metadata.") {
            metadata.insert(name.to_owned(), filled);
        } else {
            attributes.insert((*target).to_owned(), filled);
        }
    }
    let card = json!({
        "userName": value("userName"),
        "email": value("email"),
        "displayName": display,
        "name": { "givenName": given, "familyName": family },
        "attributes": attributes,
        "metadata": metadata,
    });
    match card {
        Value::Object(card) => card,
        _ => unreachable!("an object was written above"),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Takes what is not empty under the model's name.
fn take(values: &mut BTreeMap<String, Value>, name: &str, value: &Value) {
    let empty = match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    if !empty {
        values.insert(name.to_owned(), value.clone());
    }
}

fn graph(truth: &Value) -> Company {
    let assigned: BTreeSet<&str> = list(&truth["assignments"])
        .iter()
        .filter_map(|one| one["principalId"].as_str())
        .collect();
    let users = list(&truth["users"]).iter().map(|user| {
        let mut values = BTreeMap::new();
        let object = user.as_object().expect("a user is an object");
        for (name, value) in object {
            take(&mut values, &format!("source.{name}"), value);
        }
        let extensions = user["onPremisesExtensionAttributes"].as_object();
        for (name, value) in extensions.into_iter().flatten() {
            take(&mut values, &format!("source.{name}"), value);
        }
        for (name, from) in [
            ("userName", "userPrincipalName"),
            ("name.givenName", "givenName"),
            ("name.familyName", "surname"),
            ("displayName", "displayName"),
            ("userType", "userType"),
            ("department", "department"),
            ("preferredLanguage", "preferredLanguage"),
            ("title", "jobTitle"),
            ("employeeNumber", "employeeId"),
            ("organization", "companyName"),
            ("manager", "manager"),
            ("email", "userPrincipalName"),
            ("email", "mail"),
        ] {
            take(&mut values, name, &user[from]);
        }
        for name in ["division", "costCenter"] {
            take(&mut values, name, &user["employeeOrgData"][name]);
        }
        let id = text(&user["id"]);
        User {
            active: user["accountEnabled"] == true,
            assigned: assigned.contains(id.as_str()),
            id,
            values,
        }
    });
    let groups = list(&truth["groups"]).iter().map(|group| {
        let of = |kind: &str| {
            let mine = list(&group["members"]).iter();
            let mine = mine.filter(|member| member["type"] == kind && member["deleted"] == false);
            mine.map(|member| text(&member["id"])).collect::<Vec<_>>()
        };
        let id = text(&group["id"]);
        Group {
            name: text(&group["displayName"]),
            users: of("user").into_iter().collect(),
            groups: of("group"),
            assigned: assigned.contains(id.as_str()),
            id,
        }
    });
    Company {
        users: users.collect(),
        groups: groups.collect(),
    }
}

fn okta(truth: &Value) -> Company {
    let assigned = |what: &str| -> BTreeSet<&str> {
        let all = list(&truth["assignments"][what]).iter();
        all.filter_map(Value::as_str).collect()
    };
    let (direct, by_group) = (assigned("users"), assigned("groups"));
    let users = list(&truth["users"]).iter().map(|user| {
        let mut values = BTreeMap::new();
        let profile = user["profile"].as_object().expect("a profile");
        for (name, value) in profile {
            take(&mut values, &format!("source.{name}"), value);
        }
        for (name, from) in [
            ("userName", "login"),
            ("name.givenName", "firstName"),
            ("name.familyName", "lastName"),
            ("displayName", "displayName"),
            ("userType", "userType"),
            ("department", "department"),
            ("preferredLanguage", "preferredLanguage"),
            ("title", "title"),
            ("employeeNumber", "employeeNumber"),
            ("organization", "organization"),
            ("division", "division"),
            ("costCenter", "costCenter"),
            ("manager", "managerId"),
            ("email", "login"),
            ("email", "email"),
        ] {
            take(
                &mut values,
                name,
                user["profile"].get(from).unwrap_or(&Value::Null),
            );
        }
        let id = text(&user["id"]);
        let status = user["status"].as_str().unwrap_or_default();
        User {
            active: ["ACTIVE", "PASSWORD_EXPIRED", "LOCKED_OUT", "RECOVERY"].contains(&status),
            assigned: direct.contains(id.as_str()),
            id,
            values,
        }
    });
    let groups = list(&truth["groups"]).iter().map(|group| {
        let members = list(&group["members"]).iter();
        let id = text(&group["id"]);
        Group {
            name: text(&group["profile"]["name"]),
            users: members
                .filter(|member| member["listed"] == true)
                .map(|member| text(&member["id"]))
                .collect(),
            groups: Vec::new(),
            assigned: by_group.contains(id.as_str()),
            id,
        }
    });
    Company {
        users: users.collect(),
        groups: groups.collect(),
    }
}
