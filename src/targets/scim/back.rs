//! Reading back what the provider holds, to compare it with what was last told.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::Scim;
use super::find::keys_of;
use super::groups::read_group;
use super::wire::id_of;
use crate::config::{GroupsWord, ReadMembers};
use crate::plan::SubjectKind;
use crate::scim::member;
use crate::targets::{Held, TargetError};

/// Whose an object is.
type Subject = (String, String);

/// What we know of a portal's objects beside what is read.
#[derive(Default)]
struct Ours {
    /// Who an object stands for, by its id at the provider.
    users: HashMap<String, Subject>,
    groups: HashMap<String, Subject>,
    /// The key of a link, by whose it is.
    keys: HashMap<Subject, String>,
    /// Groups that are pushed, by what they carry as `externalId`.
    pushed: BTreeMap<String, Subject>,
}

impl Scim {
    pub(super) async fn hand_back(
        &self,
        portal: &str,
        take: &mut dyn FnMut(Held) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        let ours = self.ours(portal)?;
        let match_on = self.match_on(portal);
        let mut keys: HashMap<String, String> = HashMap::new();
        let mut user = |user: Map<String, Value>| {
            let Some(read) = self.read(portal, &user) else {
                return Ok(());
            };
            let carried = read.external_id.as_ref().and_then(|id| {
                let mut own = self.sources(portal).iter();
                own.find_map(|source| ours.keys.get(&(source.clone(), id.clone())))
            });
            let noted = ours.users.get(&read.id).and_then(|who| ours.keys.get(who));
            let key = noted
                .or(carried)
                .cloned()
                .or_else(|| keys_of(&read, match_on).into_iter().next());
            let Some(key) = key else {
                return Ok(());
            };
            keys.insert(read.id, key.clone());
            take(Held::Account {
                key,
                account: read.account,
            })
        };
        self.walk("Users", &[], &mut user).await?;
        if self.profile.groups == GroupsWord::Off || self.takes_groups().await.is_err() {
            return Ok(());
        }
        let mut group = |group: Map<String, Value>| {
            let Some(read) = read_group(&group) else {
                return Ok(());
            };
            let carried = read.external_id.as_ref().and_then(|id| ours.pushed.get(id));
            // Groups that stand for none of ours are nobody's business here.
            let Some((source, id)) = ours.groups.get(&read.id).or(carried) else {
                return Ok(());
            };
            let members = match self.profile.read_members {
                ReadMembers::None => None,
                ReadMembers::Full | ReadMembers::OptIn => Some(members_of(&group, &keys)),
            };
            take(Held::Group {
                source: source.clone(),
                id: id.clone(),
                display_name: read.display_name,
                members,
            })
        };
        self.walk("Groups", self.asks_for_members(), &mut group)
            .await
    }

    fn ours(&self, portal: &str) -> Result<Ours, TargetError> {
        let mut ours = Ours::default();
        for row in self.store.target_ids(portal) {
            let row = row?;
            let who = (row.source, row.subject);
            match row.kind {
                SubjectKind::User => ours.users.insert(row.id, who),
                SubjectKind::Group => ours.groups.insert(row.id, who),
            };
        }
        for link in self.store.links(portal) {
            let link = link?;
            ours.keys.insert((link.source, link.user), link.key);
        }
        for link in self.store.group_links(portal) {
            let link = link?;
            ours.pushed.insert(link.external_id, (link.source, link.id));
        }
        Ok(ours)
    }
}

/// The keys of a group's members, sorted. Members that are no users of the list are groups
/// within the group, and those nobody put there from here.
fn members_of(group: &Map<String, Value>, keys: &HashMap<String, String>) -> Vec<String> {
    let members = member(group, "members").and_then(Value::as_array);
    let ids = members.into_iter().flatten().filter_map(|one| match one {
        Value::Object(one) => match member(one, "value") {
            Some(Value::String(id)) => Some(id.clone()),
            _ => id_of(one),
        },
        _ => None,
    });
    let mut members: Vec<String> = ids.filter_map(|id| keys.get(&id).cloned()).collect();
    members.sort();
    members.dedup();
    members
}
