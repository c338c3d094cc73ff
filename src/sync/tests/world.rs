//! A company, a pretend source that serves it, and portals over the local target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::config;
use crate::directory::{Change, Collection, Cursor, Email, Group, GroupId, Member, User, UserId};
use crate::plan::guard::Limits;
use crate::plan::{Action, Asked, Entry, Link, Plan, Section, Status};
use crate::rules::{Portal, SourceRules};
use crate::sources::{Ask, FetchError, Fetched, Finding, Sink, Source};
use crate::store::{MemoryEngine, Store};
use crate::sync::population::{self, Populations};
use crate::sync::{Intent, Order, Run, RunError, Sync};
use crate::targets::{Target, local::Local};

#[derive(Clone, Default)]
pub struct Company {
    pub users: BTreeMap<String, User>,
    /// Display name and members.
    pub groups: BTreeMap<String, (String, BTreeSet<Member>)>,
    pub assigned: BTreeSet<Member>,
}

/// Serves a company whole on a full round, and by its differences on an incremental one.
pub struct Pretend {
    pub company: Mutex<Company>,
    served: Mutex<Vec<Company>>,
    /// Fails the next fetch after this many changes.
    pub cut_after: Mutex<Option<usize>>,
    /// A full round leaves these users out, though they exist.
    pub hidden: Mutex<BTreeSet<String>>,
    /// A fetch waits while the door is shut.
    pub open: watch::Sender<bool>,
    /// How many fetches are inside, and how many there were.
    pub inside: watch::Sender<usize>,
    pub fetches: AtomicUsize,
}

/// One fetch, from its start until it ends or is dropped.
struct Inside<'a>(&'a Pretend);

impl<'a> Inside<'a> {
    fn enter(source: &'a Pretend) -> Inside<'a> {
        source.fetches.fetch_add(1, Ordering::SeqCst);
        source.inside.send_modify(|inside| {
            *inside += 1;
            assert_eq!(*inside, 1, "one source is in two runs at a time");
        });
        Inside(source)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.send_modify(|inside| *inside -= 1);
    }
}

impl Pretend {
    pub fn new() -> Pretend {
        Pretend {
            company: Mutex::default(),
            served: Mutex::default(),
            cut_after: Mutex::default(),
            hidden: Mutex::default(),
            open: watch::channel(true).0,
            inside: watch::channel(0).0,
            fetches: AtomicUsize::new(0),
        }
    }
}

fn group_of(id: &str, name: &str) -> Group {
    Group {
        id: GroupId::new(id),
        external_id: None,
        display_name: name.to_owned(),
    }
}

fn everything(company: &Company, hidden: &BTreeSet<String>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (id, user) in &company.users {
        if !hidden.contains(id) {
            changes.push(Change::User(Box::new(user.clone())));
        }
    }
    for (id, (name, members)) in &company.groups {
        let group = GroupId::new(id);
        changes.push(Change::Group(group_of(id, name)));
        changes.push(Change::Members(
            group.clone(),
            members.iter().cloned().collect(),
        ));
        changes.push(Change::MembersEnd(group));
    }
    changes.push(Change::Assigned(company.assigned.iter().cloned().collect()));
    changes
}

fn differences(old: &Company, new: &Company) -> Vec<Change> {
    let mut changes = Vec::new();
    for (id, user) in &new.users {
        if old.users.get(id) != Some(user) {
            changes.push(Change::User(Box::new(user.clone())));
        }
    }
    for id in old.users.keys().filter(|id| !new.users.contains_key(*id)) {
        changes.push(Change::UserGone(UserId::new(id)));
    }
    let nobody = BTreeSet::new();
    for (id, (name, members)) in &new.groups {
        let before = old.groups.get(id);
        if before.map(|(name, _)| name) != Some(name) {
            changes.push(Change::Group(group_of(id, name)));
        }
        let before = before.map_or(&nobody, |(_, members)| members);
        let group = GroupId::new(id);
        for member in members.difference(before) {
            changes.push(Change::MemberAdded(group.clone(), member.clone()));
        }
        for member in before.difference(members) {
            changes.push(Change::MemberRemoved(group.clone(), member.clone()));
        }
    }
    for id in old.groups.keys().filter(|id| !new.groups.contains_key(*id)) {
        changes.push(Change::GroupGone(GroupId::new(id)));
    }
    changes.push(Change::Assigned(new.assigned.iter().cloned().collect()));
    changes
}

#[async_trait]
impl Source for Pretend {
    async fn fetch(&self, ask: Ask, sink: Sink) -> Result<Fetched, FetchError> {
        let _inside = Inside::enter(self);
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
        let company = self.company.lock().unwrap().clone();
        let changes = match ask {
            Ask::Since(cursor) => {
                let number: usize = cursor.0.parse().unwrap();
                let old = self.served.lock().unwrap()[number].clone();
                differences(&old, &company)
            }
            _ => everything(&company, &self.hidden.lock().unwrap()),
        };
        let cut = self.cut_after.lock().unwrap().take();
        for (number, change) in changes.into_iter().enumerate() {
            if cut == Some(number) {
                return Err(FetchError::Unavailable("the connection was cut".into()));
            }
            sink.send(vec![change])
                .await
                .map_err(|_| FetchError::Stopped)?;
        }
        let mut served = self.served.lock().unwrap();
        served.push(company);
        Ok(Fetched {
            cursor: Some(Cursor((served.len() - 1).to_string())),
            complete: [Collection::Users, Collection::Groups, Collection::Assigned].into(),
            requests: 1,
            warnings: Vec::new(),
        })
    }

    async fn read_users(&self, ids: &[UserId]) -> Result<Vec<User>, FetchError> {
        let company = self.company.lock().unwrap();
        Ok(ids
            .iter()
            .filter_map(|id| company.users.get(id.as_str()).cloned())
            .collect())
    }

    async fn group_exists(&self, id: &GroupId) -> Result<bool, FetchError> {
        Ok(self
            .company
            .lock()
            .unwrap()
            .groups
            .contains_key(id.as_str()))
    }

    async fn read_members(&self, id: &GroupId) -> Result<Option<Vec<Member>>, FetchError> {
        let company = self.company.lock().unwrap();
        Ok(company
            .groups
            .get(id.as_str())
            .map(|(_, members)| members.iter().cloned().collect()))
    }

    async fn read_assigned(&self) -> Result<Vec<Member>, FetchError> {
        let company = self.company.lock().unwrap();
        Ok(company.assigned.iter().cloned().collect())
    }

    async fn check(&self) -> Vec<Finding> {
        Vec::new()
    }

    fn requests(&self) -> u64 {
        0
    }
}

/// A user with a login, an address and a department.
pub fn user(id: &str, name: &str) -> User {
    let mut user = User::new(UserId::new(id));
    user.user_name = Some(format!("{name}@corp"));
    user.emails = vec![Email {
        value: format!("{name}@corp"),
        kind: Some("work".into()),
        primary: true,
    }];
    user.display_name = Some(name.to_owned());
    user.active = true;
    user
}

pub fn hire(world: &World, source: &str, id: &str, name: &str) {
    world
        .company(source)
        .users
        .insert(id.into(), user(id, name));
}

pub fn user_member(id: &str) -> Member {
    Member::User(UserId::new(id))
}

pub fn group_member(id: &str) -> Member {
    Member::Group(GroupId::new(id))
}

pub struct World {
    pub sync: Arc<Sync>,
    pub sources: BTreeMap<String, Arc<Pretend>>,
    pub now: jiff::Timestamp,
    history: tempfile::TempDir,
}

impl World {
    /// A world with the given portals section of a settings file, over sources `a` and `b`.
    pub fn new(portals: &str, scope: &str) -> World {
        let sources: BTreeMap<String, Arc<Pretend>> = ["a", "b"]
            .map(|name| (name.to_owned(), Arc::new(Pretend::new())))
            .into();
        let history = tempfile::tempdir().unwrap();
        let store = Store::new(Arc::new(MemoryEngine::new()));
        let sync = open(portals, scope, &sources, store, history.path());
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        World {
            sync,
            sources,
            now,
            history,
        }
    }

    /// The same store and sources under other settings.
    pub fn change_settings(&mut self, portals: &str, scope: &str) {
        let store = self.sync.store.clone();
        self.sync = open(portals, scope, &self.sources, store, self.history.path());
    }

    pub fn company(&self, source: &str) -> std::sync::MutexGuard<'_, Company> {
        self.sources[source].company.lock().unwrap()
    }

    pub fn run(&self, full: bool, intent: Intent) -> Result<Run, RunError> {
        let asked = Asked {
            full,
            ..Asked::default()
        };
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(self.sync.run(Order::new(asked, intent, self.now)))
    }

    pub fn sync(&self) -> Plan {
        self.run(false, Intent::Apply).unwrap().plan
    }

    pub fn full_sync(&self) -> Plan {
        self.run(true, Intent::Apply).unwrap().plan
    }

    pub fn preview(&self) -> Plan {
        self.run(false, Intent::Preview).unwrap().plan
    }

    /// Syncs, checks that all was done, and that another run has nothing to do.
    pub fn settle(&self) -> Plan {
        let plan = self.sync();
        assert_eq!(plan.head.status, Status::Applied, "{:?}", lines(&plan));
        self.assert_quiet();
        plan
    }

    pub fn assert_quiet(&self) {
        for full in [false, true] {
            let again = self.run(full, Intent::Apply).unwrap().plan;
            assert_eq!(lines(&again), Vec::<String>::new(), "full: {full}");
        }
        self.assert_counted();
    }

    /// The counts the guard goes by are what counting again finds.
    fn assert_counted(&self) {
        let store = &self.sync.store;
        let mut kept = Populations::read(store, &self.sync.portals).unwrap();
        for portal in &self.sync.portals {
            let name = &portal.name;
            assert_eq!(
                kept.of(name).unwrap(),
                population::count(store, name).unwrap(),
                "{name}"
            );
        }
    }

    pub fn links(&self, portal: &str) -> BTreeMap<String, Link> {
        self.sync
            .store
            .links(portal)
            .map(|link| link.unwrap())
            .map(|link| (link.key.clone(), link))
            .collect()
    }

    /// The target holds what the links say.
    pub fn assert_target_agrees(&self) {
        for portal in &self.sync.portals {
            let links = self.links(&portal.name);
            let accounts: BTreeMap<_, _> = self
                .sync
                .store
                .local_accounts(&portal.name)
                .map(|account| account.unwrap())
                .map(|account| (account.key.clone(), account))
                .collect();
            assert_eq!(
                links.keys().collect::<Vec<_>>(),
                accounts.keys().collect::<Vec<_>>(),
                "{}",
                portal.name
            );
            for (key, link) in links {
                assert_eq!(
                    link.account.named().len(),
                    accounts[&key].account.named().len()
                );
                assert!(
                    link.account == accounts[&key].account,
                    "{key} in {}",
                    portal.name
                );
                assert_eq!(
                    link.groups, accounts[&key].groups,
                    "{key} in {}",
                    portal.name
                );
            }
        }
    }
}

fn open(
    portals: &str,
    scope: &str,
    pretend: &BTreeMap<String, Arc<Pretend>>,
    store: Store,
    history: &std::path::Path,
) -> Arc<Sync> {
    let text = format!(
        r#"
        [sources.a]
        kind = "okta"
        org_url = "http://127.0.0.1:1"
        api_token = {{ env = "NONE" }}
        {scope}
        [sources.b]
        kind = "okta"
        org_url = "http://127.0.0.1:1"
        api_token = {{ env = "NONE" }}
        {scope}
        [targets.local]
        kind = "local"
        {portals}
        "#
    );
    let loaded = config::parse("world.toml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    let settings = &loaded.settings;
    let portals: Vec<Portal> = crate::app::rules::portals(settings).unwrap();
    let rules: Vec<SourceRules> = settings
        .sources
        .values()
        .map(crate::app::rules::source_rules)
        .collect();
    let local: Arc<dyn Target> = Arc::new(Local::new(store.clone()));
    let fingerprints = settings
        .portals
        .keys()
        .map(|name| {
            (
                name.as_str().to_owned(),
                settings.rules_fingerprint(name).unwrap(),
            )
        })
        .collect();
    Arc::new(Sync {
        store,
        rules,
        inboxes: BTreeMap::new(),
        sources: pretend
            .iter()
            .map(|(name, source)| (name.clone(), source.clone() as Arc<dyn Source>))
            .collect(),
        portals,
        targets: [("local".to_owned(), local)].into(),
        limits: Limits {
            max_deactivations: settings.safety.max_deactivations,
            max_group_deletes: settings.safety.max_group_deletes,
            max_membership_removals: settings.safety.max_membership_removals,
        },
        fingerprints,
        scopes: settings
            .sources
            .keys()
            .map(|name| {
                (
                    name.as_str().to_owned(),
                    settings.scope_fingerprint(name).unwrap(),
                )
            })
            .collect(),
        history: crate::sync::History(history.join("runs")),
        history_kept: settings.history.clone(),
        audit: crate::audit::AuditLog::new(history.join("audit")),
        audit_kept: settings.audit.clone(),
    })
}

/// The actions of a plan, a short line each.
pub fn lines(plan: &Plan) -> Vec<String> {
    plan.actions()
        .map(|action| line(&action.unwrap()))
        .collect()
}

pub fn line(action: &Action) -> String {
    let mut line = format!("{} {} {}", action.portal, action.op.as_str(), action.key);
    if !action.members.is_empty() {
        line.push_str(&format!(" [{}]", action.members.join(" ")));
    }
    if let Some(device) = &action.device {
        line.push_str(&format!(" ({device})"));
    }
    line
}

/// The keys in one of a plan's lists.
pub fn listed(plan: &Plan, section: Section) -> Vec<String> {
    plan.list(section)
        .map(|entry| match entry.unwrap() {
            Entry::Departed { key, cause, .. } => format!("{key}: {cause}"),
            Entry::Pending {
                key, cause, due_at, ..
            } => format!("{key}: {cause} {due_at}"),
            Entry::Spared { key, reason, .. } => format!("{key}: {reason}"),
            Entry::Returned { key, .. } | Entry::NeedsRole { key, .. } => key,
            Entry::Skipped {
                subject, reason, ..
            } => format!("{}: {reason}", subject.id),
            Entry::Conflict {
                key, kept, dropped, ..
            } => {
                format!("{key}: {} over {}", kept.id, dropped.id)
            }
            Entry::Quarantined { id, reason, .. } => format!("{id}: {reason}"),
            Entry::Action(_) => unreachable!("a list holds no actions"),
        })
        .collect()
}
