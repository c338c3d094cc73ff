//! Random requests against the server and against a model that is too simple to be wrong: they
//! agree after each one, and the portal ends as the model says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Client, GROUP, USER, world};
use crate::chance::{Chance, times};

/// Names are few, so that they collide.
const NAMES: usize = 12;

#[derive(Clone, PartialEq, Debug)]
struct Person {
    user_name: String,
    active: bool,
    /// Of `title`, `nickName`, `displayName` and `name.givenName`, those that are set.
    texts: BTreeMap<&'static str, String>,
    work: Option<String>,
}

#[derive(Default)]
struct Model {
    users: BTreeMap<String, Person>,
    groups: BTreeMap<String, (String, BTreeSet<String>)>,
    groups_made: usize,
}

const TEXTS: [&str; 4] = ["title", "nickName", "displayName", "name.givenName"];

#[test]
fn random_requests_leave_what_a_simple_model_says() {
    let world = world();
    let client = Client::start(&world);
    let mut chance = Chance::new(times("ROSTERD_TEST_SEED", 4) as u64);
    let mut model = Model::default();
    for _ in 0..times("ROSTERD_TEST_STEPS", 250) {
        model.step(&client, &mut chance);
    }
    model.agrees_whole(&client);
    model.stands_in_the_portal(&client);
}

impl Model {
    fn step(&mut self, client: &Client, chance: &mut Chance) {
        let user = pick(&self.users, chance);
        let group = pick(&self.groups, chance);
        match chance.below(12) {
            0 | 1 => self.create_user(client, chance),
            2 => self.create_group(client, chance),
            3 => {
                if let Some(id) = user {
                    self.replace_user(client, chance, &id);
                }
            }
            4..=6 => {
                if let Some(id) = user {
                    self.patch_user(client, chance, &id);
                }
            }
            7 => {
                if let Some(id) = user {
                    self.refused_patch(client, chance, &id);
                }
            }
            8 if chance.below(3) == 0 => {
                if let Some(id) = user {
                    client
                        .send(client.request("DELETE", &format!("/Users/{id}")))
                        .is(204);
                    client.get(&format!("/Users/{id}")).is(404);
                    self.users.remove(&id);
                    self.groups.values_mut().for_each(|(_, members)| {
                        members.remove(&id);
                    });
                }
            }
            9 if chance.below(4) == 0 => {
                if let Some(id) = group {
                    client
                        .send(client.request("DELETE", &format!("/Groups/{id}")))
                        .is(204);
                    self.groups.remove(&id);
                }
            }
            _ => {
                if let Some(id) = group {
                    self.patch_group(client, chance, &id);
                }
            }
        }
    }

    fn is_taken(&self, name: &str, but: Option<&str>) -> bool {
        let mut others = self.users.iter().filter(|(id, _)| Some(id.as_str()) != but);
        others.any(|(_, person)| person.user_name.eq_ignore_ascii_case(name))
    }

    fn create_user(&mut self, client: &Client, chance: &mut Chance) {
        let person = any_person(chance);
        let answer = client.call("POST", "/Users", person.sent());
        if self.is_taken(&person.user_name, None) {
            assert_eq!(answer.is(409).json()["scimType"], "uniqueness");
            return;
        }
        let id = answer.is(201).json()["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        self.users.insert(id.clone(), person);
        self.agrees_on(client, &id);
    }

    fn replace_user(&mut self, client: &Client, chance: &mut Chance, id: &str) {
        let person = any_person(chance);
        let answer = client.call("PUT", &format!("/Users/{id}"), person.sent());
        if self.is_taken(&person.user_name, Some(id)) {
            answer.is(409);
        } else {
            answer.is(200);
            self.users.insert(id.to_owned(), person);
        }
        self.agrees_on(client, id);
    }

    /// Some operations at once, in the ways of either client.
    fn patch_user(&mut self, client: &Client, chance: &mut Chance, id: &str) {
        let mut person = self.users[id].clone();
        let mut operations = Vec::new();
        for _ in 0..=chance.below(3) {
            operations.push(person.any_change(chance));
        }
        let answer = client.patch(&format!("/Users/{id}"), json!(operations));
        answer.is(200);
        self.users.insert(id.to_owned(), person);
        self.agrees_on(client, id);
    }

    /// The last operation is wrong, so the first ones are not done either.
    fn refused_patch(&mut self, client: &Client, chance: &mut Chance, id: &str) {
        let mut ignored = self.users[id].clone();
        let wrong = match chance.below(4) {
            0 => json!({ "op": "replace", "path": "id", "value": "x" }),
            1 => json!({ "op": "replace", "path": "active", "value": "perhaps" }),
            2 => json!({ "op": "remove", "path": "userName" }),
            _ => json!({ "op": "add", "path": "emails[", "value": "x" }),
        };
        let operations = json!([ignored.any_change(chance), wrong]);
        client.patch(&format!("/Users/{id}"), operations).is(400);
        self.agrees_on(client, id);
    }

    fn create_group(&mut self, client: &Client, chance: &mut Chance) {
        self.groups_made += 1;
        let name = format!("Group {}", self.groups_made);
        let members = self.some(chance);
        let listed: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let sent = json!({ "schemas": [GROUP], "displayName": name, "members": listed });
        let made = client.call("POST", "/Groups", sent).is(201).json();
        let id = made["id"].as_str().expect("an id").to_owned();
        self.groups.insert(id, (name, members));
    }

    fn patch_group(&mut self, client: &Client, chance: &mut Chance, id: &str) {
        let some = self.some(chance);
        let listed: Vec<Value> = some.iter().map(|id| json!({ "value": id })).collect();
        let members = &mut self.groups.get_mut(id).expect("it is there").1;
        let operations = match chance.below(5) {
            0 | 1 => {
                members.extend(some);
                json!([{ "op": "Add", "path": "members", "value": listed }])
            }
            2 => {
                members.retain(|member| !some.contains(member));
                json!([{ "op": "Remove", "path": "members", "value": listed }])
            }
            3 => {
                members.retain(|member| !some.contains(member));
                some.iter()
                    .map(|id| json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }))
                    .chain([json!({ "op": "replace", "value": { "id": id } })])
                    .collect()
            }
            _ => {
                *members = some;
                json!([{ "op": "replace", "path": "members", "value": listed }])
            }
        };
        client.patch(&format!("/Groups/{id}"), operations).is(204);
        let read = client.get(&format!("/Groups/{id}")).is(200).json();
        assert_eq!(members_in(&read), self.groups[id].1);
    }

    fn some(&self, chance: &mut Chance) -> BTreeSet<String> {
        (0..chance.below(4))
            .filter_map(|_| pick(&self.users, chance))
            .collect()
    }

    fn agrees_on(&self, client: &Client, id: &str) {
        let person = &self.users[id];
        let read = client.get(&format!("/Users/{id}")).is(200).json();
        assert_eq!(Person::read(&read), *person, "{read:#}");
        let filter = format!("userName eq \"{}\"", person.user_name.to_uppercase());
        assert_eq!(client.found("Users", &filter), [id]);
    }

    fn agrees_whole(&self, client: &Client) {
        let list = |kind: &str| {
            let list = client.get(&format!("/{kind}?count=1000")).is(200).json();
            list["Resources"].as_array().expect("a list").clone()
        };
        let id = |read: &Value| read["id"].as_str().expect("an id").to_owned();
        let users: BTreeMap<String, Person> = list("Users")
            .iter()
            .map(|read| (id(read), Person::read(read)))
            .collect();
        assert_eq!(users, self.users);
        let groups: BTreeMap<String, BTreeSet<String>> = list("Groups")
            .iter()
            .map(|read| (id(read), members_in(read)))
            .collect();
        let expected = self.groups.iter();
        let expected = expected.map(|(id, (_, members))| (id.clone(), members.clone()));
        assert_eq!(groups, expected.collect());
    }

    /// Whoever is active has an account under their address, and stands in their groups.
    fn stands_in_the_portal(&self, client: &Client) {
        let owners = self.owners();
        for (key, person) in &owners {
            client.account(key, |account| {
                account.is_some_and(|account| account["userName"] == person.user_name.as_str())
            });
        }
        let keys: BTreeMap<&str, &str> = owners
            .iter()
            .map(|(key, person)| (person.user_name.as_str(), key.as_str()))
            .collect();
        let mut expected = serde_json::Map::new();
        for (name, members) in self.groups.values() {
            let members: BTreeSet<&str> = members
                .iter()
                .filter_map(|id| keys.get(self.users[id].user_name.as_str()).copied())
                .collect();
            expected.insert(name.clone(), json!(members));
        }
        client.groups(Value::Object(expected));
    }

    /// Who has which key. Addresses are given once in these histories, but for the name's own.
    fn owners(&self) -> BTreeMap<String, &Person> {
        let active = self.users.values().filter(|person| person.active);
        active.map(|person| (person.key(), person)).collect()
    }
}

fn pick<T>(from: &BTreeMap<String, T>, chance: &mut Chance) -> Option<String> {
    let ids: Vec<&String> = from.keys().collect();
    chance.pick(&ids).map(|id| (*id).clone())
}

fn members_in(read: &Value) -> BTreeSet<String> {
    let members = read["members"].as_array().into_iter().flatten();
    members
        .map(|member| member["value"].as_str().expect("an id").to_owned())
        .collect()
}

fn any_person(chance: &mut Chance) -> Person {
    let number = chance.below(NAMES);
    let user_name = match chance.below(2) {
        0 => format!("user{number}@corp.test"),
        _ => format!("User{number}@Corp.Test"),
    };
    let mut texts = BTreeMap::new();
    for name in TEXTS {
        if chance.below(2) == 0 {
            texts.insert(name, format!("{name} {}", chance.below(9)));
        }
    }
    Person {
        work: (chance.below(2) == 0).then(|| format!("work.{}", user_name.to_lowercase())),
        active: chance.below(4) > 0,
        texts,
        user_name,
    }
}

impl Person {
    /// The match key: the address, else the name.
    fn key(&self) -> String {
        self.work.as_ref().unwrap_or(&self.user_name).to_lowercase()
    }

    fn sent(&self) -> Value {
        let mut sent =
            json!({ "schemas": [USER], "userName": self.user_name, "active": self.active });
        for (name, text) in &self.texts {
            match name.split_once('.') {
                Some((outer, inner)) => sent[outer] = json!({ (inner): text }),
                None => sent[*name] = json!(text),
            }
        }
        if let Some(work) = &self.work {
            sent["emails"] = json!([{ "type": "work", "value": work, "primary": true }]);
        }
        sent
    }

    fn read(read: &Value) -> Person {
        let text = |name: &str| {
            let pointer = format!("/{}", name.replace('.', "/"));
            Some(read.pointer(&pointer)?.as_str()?.to_owned())
        };
        Person {
            user_name: text("userName").expect("a name"),
            active: read["active"] == true,
            texts: TEXTS
                .into_iter()
                .filter_map(|name| Some((name, text(name)?)))
                .collect(),
            work: text("emails.0.value"),
        }
    }

    /// One operation, done here as well.
    fn any_change(&mut self, chance: &mut Chance) -> Value {
        let op = |chance: &mut Chance| *chance.pick(&["add", "Add", "replace", "Replace"]).unwrap();
        let name = *chance.pick(&TEXTS).expect("there are some");
        let text = format!("{name} {}", chance.below(9));
        match chance.below(7) {
            0 | 1 => {
                self.texts.insert(name, text.clone());
                json!({ "op": op(chance), "path": name, "value": text })
            }
            2 => {
                self.texts.insert(name, text.clone());
                json!({ "op": op(chance), "value": { (name): text } })
            }
            3 => {
                self.texts.remove(name);
                json!({ "op": "Remove", "path": name })
            }
            4 => {
                self.active = chance.below(4) > 0;
                let value = match (chance.below(2), self.active) {
                    (0, active) => json!(active),
                    (_, true) => json!("True"),
                    (_, false) => json!("False"),
                };
                json!({ "op": op(chance), "path": "active", "value": value })
            }
            5 => {
                let work = format!("work.{}", self.user_name.to_lowercase());
                self.work = Some(work.clone());
                json!({ "op": op(chance), "path": "emails[type eq \"work\"].value", "value": work })
            }
            _ => {
                self.work = None;
                json!({ "op": "remove", "path": "emails" })
            }
        }
    }
}
