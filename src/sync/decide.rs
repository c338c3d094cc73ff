//! Puts before the rules what they need, one user at a time, and gathers what they say.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::RunError;
use super::order::Stop;
use super::touched::Touched;
use super::view::{PersonView, View, Who};
use crate::directory::Value;
use crate::plan::{
    Action, AttributeChange, Builder, Entry, GroupLink, Groups, Link, LinkState, Op, Role, Subject,
    SubjectKind,
};
use crate::rules::groups::{GroupFacts, pushed};
use crate::rules::lifecycle::{Device, GroupChange, PushedGroup, frees_key, subject_of};
use crate::rules::matching::{Claim, Ruling, rule};
use crate::rules::scope::{Presence, presence};
use crate::rules::{Decision, LinkChange, Portal, Situation, decide, key_of};
use crate::targets::{Target, TargetError};

/// What was decided beside the plan itself.
#[derive(Default)]
pub struct Decided {
    pub builder: Builder,
    /// Changes to links that no target is asked about, by portal.
    pub links: Vec<(String, Link)>,
    /// Who has an action, a link change, or is to be watched: (kind, source, id).
    pub marked: BTreeSet<(u8, String, String)>,
    /// Of the marked, those to look at again in every run.
    pub watched: BTreeSet<(u8, String, String)>,
    /// More are marked than is worth a row each.
    pub mark_everything: bool,
    /// Accounts deactivated, by portal.
    pub deactivations: BTreeMap<String, u64>,
    /// Targets that could not be asked what stands there, with the reason.
    pub away: BTreeMap<String, String>,
}

/// Above this many, one row says "everybody".
const MARKS: usize = 5_000;

pub struct Deciding<'a> {
    view: &'a View<'a>,
    portals: &'a [Portal],
    targets: &'a BTreeMap<String, Arc<dyn Target>>,
    now: Timestamp,
    no_links: bool,
    everything_marked: bool,
    out: Decided,
    /// Users already decided in a contest, by portal.
    settled: HashSet<(usize, Who)>,
    /// Groups as they are pushed to a portal; None where one is not.
    pushed: HashMap<(usize, Who), Option<Arc<PushedGroup>>>,
    devices: HashMap<usize, BTreeMap<String, Vec<Device>>>,
    /// Admins that would go, by portal and key: the last one is spared. None where others are
    /// after the key, and are decided when it is known.
    ending: BTreeMap<(usize, String), Option<(Subject, Decision)>>,
    /// The contests that wait for this, by one of those in them.
    waiting: Vec<(usize, Who)>,
    /// Whether an admin who would go does.
    goes: HashMap<(usize, String), bool>,
    /// Admins made and unmade, by portal.
    made: BTreeMap<usize, BTreeSet<String>>,
    unmade: BTreeMap<usize, BTreeSet<String>>,
}

/// One user in one portal.
struct Stand {
    who: Who,
    person: Arc<PersonView>,
    presence: Presence,
    key: Option<String>,
    link: Option<Link>,
    /// The store does not have the link yet.
    left_behind: bool,
}

impl<'a> Deciding<'a> {
    pub fn new(
        view: &'a View<'a>,
        portals: &'a [Portal],
        targets: &'a BTreeMap<String, Arc<dyn Target>>,
        now: Timestamp,
    ) -> Result<Deciding<'a>, RunError> {
        Ok(Deciding {
            view,
            portals,
            targets,
            now,
            no_links: !view.store.has_links()?,
            everything_marked: view.store.everything_marked()?,
            out: Decided::default(),
            settled: HashSet::new(),
            pushed: HashMap::new(),
            devices: HashMap::new(),
            ending: BTreeMap::new(),
            waiting: Vec::new(),
            goes: HashMap::new(),
            made: BTreeMap::new(),
            unmade: BTreeMap::new(),
        })
    }

    pub fn run(mut self, touched: &Touched, stop: &Stop) -> Result<Decided, RunError> {
        for (source, groups) in touched.groups.iter().enumerate() {
            for number in groups {
                for portal in 0..self.portals.len() {
                    self.group(portal, Who { source, number })?;
                }
            }
        }
        for (source, users) in touched.users.iter().enumerate() {
            for number in users {
                if stop.is_asked() {
                    return Err(RunError::Stopped);
                }
                self.user(Who { source, number })?;
            }
        }
        while !self.ending.is_empty() {
            self.last_admins()?;
            for (portal, who) in std::mem::take(&mut self.waiting) {
                if let Some(person) = self.view.person(who)? {
                    let stand = self.stand(portal, who, Arc::new(person))?;
                    self.contest(portal, stand)?;
                }
            }
        }
        Ok(self.out)
    }

    fn user(&mut self, who: Who) -> Result<(), RunError> {
        let Some(person) = self.view.person(who)?.map(Arc::new) else {
            return Ok(());
        };
        for portal in 0..self.portals.len() {
            if self.settled.contains(&(portal, who)) {
                continue;
            }
            let stand = self.stand(portal, who, person.clone())?;
            if stand.link.is_none() && !stand.presence.is_present() {
                continue;
            }
            self.contest(portal, stand)?;
        }
        Ok(())
    }

    fn stand(
        &mut self,
        portal: usize,
        who: Who,
        person: Arc<PersonView>,
    ) -> Result<Stand, RunError> {
        let rules = &self.portals[portal];
        let source = &self.view.sources[who.source].rules;
        let presence = presence(&person.person(source), rules);
        let key = key_of(rules.match_on, &person.user);
        let link = match self.no_links {
            true => None,
            false => self
                .view
                .own_link(&rules.name, rules.match_on, &source.name, &person)?,
        };
        let mut stand = Stand {
            who,
            person,
            presence,
            key,
            link,
            left_behind: false,
        };
        if stand.link.is_none() && !stand.presence.is_present() {
            stand.link = self.left_behind(portal, &stand)?;
            stand.left_behind = stand.link.is_some();
        }
        Ok(stand)
    }

    /// The link that is missing for an account of somebody absent: a run was cut off between
    /// the account and its link, or never heard that the account was made, and before the next
    /// run they left. Whoever that may be true of carries a mark.
    fn left_behind(&mut self, portal: usize, stand: &Stand) -> Result<Option<Link>, RunError> {
        let rules = &self.portals[portal];
        let source = &self.view.sources[stand.who.source].rules.name;
        let id = stand.person.user.id.as_str();
        if !self.targets[&rules.target].knows_owners(self.everything_marked)
            || !(self.everything_marked || self.view.store.is_marked(b'u', source, id)?)
        {
            return Ok(None);
        }
        for key in stand.key.iter().chain(&stand.person.old_keys) {
            if self.view.store.link(&rules.name, key)?.is_some() {
                continue;
            }
            match self.asked(portal, |target| target.find(&rules.name, key)) {
                // One that is disabled was seen to: some targets keep what is removed.
                Ok(Some(found)) if found.is_of(id) && found.account.active => {
                    return Ok(Some(Link {
                        key: key.clone(),
                        source: source.clone(),
                        user: id.to_owned(),
                        account: found.account,
                        groups: found.groups,
                        state: LinkState::Live,
                    }));
                }
                Ok(_) => {}
                Err(error) => {
                    self.is_away(&rules.target, error)?;
                    let subject = self.subject(stand);
                    self.mark(&subject, true);
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    /// Decides for a user and for everyone the user shares a key with.
    fn contest(&mut self, portal: usize, first: Stand) -> Result<(), RunError> {
        let rules = &self.portals[portal];
        let mut stands = vec![first];
        let mut keys: BTreeSet<String> = BTreeSet::new();
        let mut known: HashSet<Who> = HashSet::from([stands[0].who]);
        let mut next = 0;
        while next < stands.len() {
            let stand = &stands[next];
            next += 1;
            let wanted = stand
                .presence
                .is_present()
                .then(|| stand.key.clone())
                .flatten();
            let held = stand.link.as_ref().map(|link| link.key.clone());
            for key in wanted.into_iter().chain(held) {
                if !keys.insert(key.clone()) {
                    continue;
                }
                let mut sharing = self.view.holders(rules.match_on, &key)?;
                if !self.no_links
                    && let Some(link) = self.view.store.link(&rules.name, &key)?
                    && let Some(source) = self.view.source_named(&link.source)
                    && let Some(number) = self.view.number_of_user(source, &link.user)?
                {
                    sharing.push(Who { source, number });
                }
                for who in sharing {
                    if known.insert(who)
                        && let Some(person) = self.view.person(who)?
                    {
                        stands.push(self.stand(portal, who, Arc::new(person))?);
                    }
                }
            }
        }
        if stands.len() > 1 && self.waits_for_admins(portal, &stands) {
            self.waiting.push((portal, stands[0].who));
            return Ok(());
        }
        let claims: Vec<Claim> = stands
            .iter()
            .map(|stand| self.claim(portal, stand))
            .collect();
        let rulings = rule(&claims);
        for (stand, ruling) in stands.iter().zip(&rulings) {
            // Decided already, in the contest of somebody who shares a key.
            if self.settled.contains(&(portal, stand.who)) {
                continue;
            }
            if stands.len() > 1 || !stand.presence.is_present() {
                self.settled.insert((portal, stand.who));
            }
            let (kept, taken) = match ruling {
                Ruling::Blocked { by } | Ruling::HandedOver { to: by } => {
                    (Some(self.subject(&stands[*by])), None)
                }
                Ruling::TakesOver(from) => (None, stands[*from].link.as_ref()),
                Ruling::Owner | Ruling::None => (None, None),
            };
            self.one(portal, stand, *ruling, kept, taken)?;
        }
        Ok(())
    }

    fn claim(&self, portal: usize, stand: &Stand) -> Claim {
        let rules = &self.portals[portal];
        let source = &self.view.sources[stand.who.source].rules.name;
        Claim {
            precedence: rules.precedence(source).unwrap_or(usize::MAX),
            source: source.clone(),
            user: stand.person.user.id.as_str().to_owned(),
            wants: stand
                .presence
                .is_present()
                .then(|| stand.key.clone())
                .flatten(),
            holds: stand.link.as_ref().map(|link| link.key.clone()),
            // An admin's removal may be called off: the last one is spared.
            frees: self.would_free(portal, stand).is_some_and(|link| {
                let place = (portal, link.key.clone());
                link.account.role != Some(Role::Admin) || self.goes.get(&place) == Some(&true)
            }),
        }
    }

    fn would_free<'s>(&self, portal: usize, stand: &'s Stand) -> Option<&'s Link> {
        let link = stand.link.as_ref().filter(|_| !stand.presence.is_present());
        link.filter(|link| frees_key(&self.portals[portal], link, self.now))
    }

    /// Notes the admins among these of whom it is not known yet whether they go.
    fn waits_for_admins(&mut self, portal: usize, stands: &[Stand]) -> bool {
        let mut waits = false;
        for stand in stands {
            if let Some(link) = self.would_free(portal, stand)
                && link.account.role == Some(Role::Admin)
            {
                let place = (portal, link.key.clone());
                if !self.goes.contains_key(&place) {
                    self.ending.entry(place).or_insert(None);
                    waits = true;
                }
            }
        }
        waits
    }

    fn subject(&self, stand: &Stand) -> Subject {
        subject_of(
            &stand
                .person
                .person(&self.view.sources[stand.who.source].rules),
        )
    }

    fn one(
        &mut self,
        portal: usize,
        stand: &Stand,
        ruling: Ruling,
        kept: Option<Subject>,
        taken: Option<&Link>,
    ) -> Result<(), RunError> {
        let rules = &self.portals[portal];
        let source = &self.view.sources[stand.who.source].rules;
        let found = match (&stand.link, taken, ruling, &stand.key) {
            (None, None, Ruling::Owner, Some(key)) => {
                self.asked(portal, |target| target.find(&rules.name, key))
            }
            _ => Ok(None),
        };
        let (found, unknown) = match found {
            Ok(found) => (found, false),
            // What the account's creation runs into is found out by apply, which leaves it owed.
            Err(error) => (self.is_away(&rules.target, error).map(|()| None)?, true),
        };
        let absent = !stand.presence.is_present();
        let devices = match &stand.link {
            Some(link) if absent && rules.kind == crate::rules::PortalKind::Mdm => {
                if !self.devices.contains_key(&portal) {
                    match self.asked(portal, |target| target.devices(&rules.name)) {
                        Ok(devices) => {
                            self.devices.insert(portal, devices);
                        }
                        Err(error) => {
                            // Without its devices an account is left as it is, and looked at
                            // again.
                            self.is_away(&rules.target, error)?;
                            let subject = self.subject(stand);
                            self.mark(&subject, true);
                            return Ok(());
                        }
                    }
                }
                let all = &self.devices[&portal];
                all.get(&link.key).cloned().unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let groups = self.pushed_groups(portal, stand)?;
        let id = stand.person.user.id.as_str();
        let held = match (stand.link.as_ref().or(taken), &found) {
            (Some(link), _) => Some(link.groups.clone()),
            (None, Some(found)) if found.is_of(id) => Some(found.groups.clone()),
            (None, _) => None,
        };
        let leaving_groups = self.leaving_groups(portal, &groups, &held.unwrap_or_default())?;
        let person = stand.person.person(source);
        let mut decision = decide(&Situation {
            portal: rules,
            person: &person,
            presence: &stand.presence,
            key: stand.key.as_deref(),
            ruling,
            kept,
            link: stand.link.as_ref(),
            taken,
            found: found.as_ref().map(|found| &found.account),
            devices: &devices,
            groups: &groups,
            leaving_groups: &leaving_groups,
            now: self.now,
        });
        decision.watch |= unknown;
        if let (Some(link), true) = (&stand.link, stand.left_behind)
            && decision.link == LinkChange::None
        {
            decision.link = LinkChange::Put(Box::new(link.clone()));
        }
        let subject = subject_of(&person);
        if decision.ends_admin {
            let key = stand
                .link
                .as_ref()
                .map(|link| link.key.clone())
                .unwrap_or_default();
            let place = (portal, key);
            return match self.goes.get(&place) {
                None => {
                    self.ending.insert(place, Some((subject, decision)));
                    Ok(())
                }
                Some(true) => self.keep(portal, &subject, decision),
                Some(false) => self.spare(portal, &subject, place.1),
            };
        }
        self.note_admins(portal, stand, &decision);
        self.keep(portal, &subject, decision)
    }

    /// What a portal's target answers. Once it was away it is not asked again: each question may
    /// take as long as the first.
    fn asked<T>(
        &self,
        portal: usize,
        ask: impl FnOnce(&dyn Target) -> Result<T, TargetError>,
    ) -> Result<T, TargetError> {
        let name = &self.portals[portal].target;
        match self.out.away.get(name) {
            Some(reason) => Err(TargetError::Away(reason.clone())),
            None => ask(&*self.targets[name]),
        }
    }

    /// Notes that a target is away; any other error of it ends the run.
    fn is_away(&mut self, target: &str, error: TargetError) -> Result<(), RunError> {
        match error {
            TargetError::Away(reason) => {
                self.out.away.entry(target.to_owned()).or_insert(reason);
                Ok(())
            }
            error => Err(error.into()),
        }
    }

    /// The pushed groups that hold a user.
    fn pushed_groups(
        &mut self,
        portal: usize,
        stand: &Stand,
    ) -> Result<Vec<Arc<PushedGroup>>, RunError> {
        let source = stand.who.source;
        let rules = &self.view.sources[source].rules;
        let mut groups = Vec::new();
        for membership in &stand.person.memberships {
            if !(membership.direct || rules.nested_groups) {
                continue;
            }
            let who = Who {
                source,
                number: membership.number,
            };
            let place = (portal, who);
            let known = self.pushed.entry(place).or_insert_with(|| {
                let facts = GroupFacts {
                    source: rules,
                    folded_name: &membership.folded_name,
                    assigned: membership.assigned,
                    gone: false,
                };
                pushed(facts, &self.portals[portal]).then(|| {
                    Arc::new(PushedGroup {
                        source: rules.name.clone(),
                        number: membership.number,
                        id: membership.group.id.as_str().to_owned(),
                        display_name: membership.group.display_name.clone(),
                    })
                })
            });
            groups.extend(known.clone());
        }
        Ok(groups)
    }

    /// Of the groups a link is in, those it should not be in that are pushed all the same.
    fn leaving_groups(
        &self,
        portal: usize,
        groups: &[Arc<PushedGroup>],
        held: &Groups,
    ) -> Result<Vec<Arc<PushedGroup>>, RunError> {
        let mut leaving = Vec::new();
        for (source, number) in held.iter() {
            if groups
                .iter()
                .any(|group| group.source == source && group.number == number)
            {
                continue;
            }
            let Some(place) = self.view.source_named(source) else {
                continue;
            };
            let Some(group) = self.view.group(Who {
                source: place,
                number,
            })?
            else {
                continue;
            };
            let facts = GroupFacts {
                source: &self.view.sources[place].rules,
                folded_name: &group.folded_name,
                assigned: group.assigned,
                gone: group.gone,
            };
            if pushed(facts, &self.portals[portal]) {
                leaving.push(Arc::new(PushedGroup {
                    source: source.to_owned(),
                    number,
                    id: group.group.id.as_str().to_owned(),
                    display_name: group.group.display_name.clone(),
                }));
            }
        }
        Ok(leaving)
    }

    fn note_admins(&mut self, portal: usize, stand: &Stand, decision: &Decision) {
        let key = stand.key.clone().unwrap_or_default();
        if decision.makes_admin {
            self.made.entry(portal).or_default().insert(key);
            return;
        }
        let loses_admin = |change: &AttributeChange| {
            change.attribute == "role" && change.before == Some(Value::from(Role::Admin.as_str()))
        };
        for entry in &decision.entries {
            if let Entry::Action(Action {
                op: Op::SetRole | Op::AdoptAccount,
                changes,
                ..
            }) = entry
                && changes.iter().any(loses_admin)
            {
                let held = stand.link.as_ref().map_or(&key, |link| &link.key);
                self.unmade.entry(portal).or_default().insert(held.clone());
            }
        }
    }

    fn keep(
        &mut self,
        portal: usize,
        subject: &Subject,
        decision: Decision,
    ) -> Result<(), RunError> {
        let name = &self.portals[portal].name;
        if decision.deactivates {
            *self.out.deactivations.entry(name.clone()).or_default() += 1;
        }
        let acts = !decision.memberships.is_empty()
            || decision
                .entries
                .iter()
                .any(|entry| matches!(entry, Entry::Action(_)));
        let changes_link = decision.link != LinkChange::None;
        if acts || changes_link || decision.watch {
            self.mark(subject, decision.watch);
        }
        if let LinkChange::Put(link) = decision.link {
            self.out.links.push((name.clone(), *link));
        }
        for entry in decision.entries {
            self.out.builder.push(entry)?;
        }
        for change in decision.memberships {
            let GroupChange { op, group, key } = &change;
            let source = self
                .view
                .source_named(&group.source)
                .expect("a pushed group comes from a source in the view");
            let slot = (portal, *op, source, group.number);
            let builder = &mut self.out.builder;
            builder.member(slot, || change.action(name), key)?;
        }
        Ok(())
    }

    fn mark(&mut self, subject: &Subject, watch: bool) {
        let kind = match subject.kind {
            SubjectKind::User => b'u',
            SubjectKind::Group => b'g',
        };
        let place = (kind, subject.source.clone(), subject.id.clone());
        if watch {
            self.out.watched.insert(place.clone());
        }
        if self.out.marked.len() >= MARKS {
            self.out.mark_everything = true;
        } else {
            self.out.marked.insert(place);
        }
    }

    /// Of the admins that would go, the one with the smallest key stays where no other is left.
    fn last_admins(&mut self) -> Result<(), RunError> {
        let ending = std::mem::take(&mut self.ending);
        let mut by_portal: BTreeMap<usize, Vec<_>> = BTreeMap::new();
        for ((portal, key), decided) in ending {
            by_portal.entry(portal).or_default().push((key, decided));
        }
        for (portal, going) in by_portal {
            // Those known to go already are here no longer.
            let mut left = self.view.store.admins(&self.portals[portal].name)?;
            left.retain(|key| self.goes.get(&(portal, key.clone())) != Some(&true));
            for key in self.unmade.remove(&portal).unwrap_or_default() {
                left.remove(&key);
            }
            for (key, _) in &going {
                left.remove(key);
            }
            left.extend(self.made.remove(&portal).unwrap_or_default());
            let mut spare = left.is_empty();
            for (key, decided) in going {
                let goes = !std::mem::take(&mut spare);
                self.goes.insert((portal, key.clone()), goes);
                match decided {
                    None => {}
                    Some((subject, decision)) if goes => self.keep(portal, &subject, decision)?,
                    Some((subject, _)) => self.spare(portal, &subject, key)?,
                }
            }
        }
        Ok(())
    }

    /// The last admin stays, and is looked at again in every run.
    fn spare(&mut self, portal: usize, subject: &Subject, key: String) -> Result<(), RunError> {
        let spared = Entry::Spared {
            portal: self.portals[portal].name.clone(),
            key,
            reason: "last admin".to_owned(),
        };
        let decision = Decision {
            entries: vec![spared],
            watch: true,
            ..Decision::default()
        };
        self.keep(portal, subject, decision)
    }

    fn group(&mut self, portal: usize, who: Who) -> Result<(), RunError> {
        let rules = &self.portals[portal];
        let source = &self.view.sources[who.source].rules;
        let group = self.view.group(who)?;
        let link = self
            .view
            .store
            .group_link(&rules.name, &source.name, who.number)?;
        let wanted = group.filter(|group| {
            let facts = GroupFacts {
                source,
                folded_name: &group.folded_name,
                assigned: group.assigned,
                gone: group.gone,
            };
            pushed(facts, rules)
        });
        let (op, display, id, changes, reason) = match (&wanted, &link) {
            (None, None) => return Ok(()),
            (Some(group), None) => {
                let group = &group.group;
                let changes = vec![
                    change("displayName", None, &group.display_name),
                    change("externalId", None, group.external_id()),
                ];
                let id = group.id.as_str();
                (
                    Op::CreateGroup,
                    &group.display_name,
                    id,
                    changes,
                    "selected to be pushed",
                )
            }
            (Some(group), Some(link)) => {
                let group = &group.group;
                let mut changes = Vec::new();
                if link.display_name != group.display_name {
                    changes.push(change(
                        "displayName",
                        Some(&link.display_name),
                        &group.display_name,
                    ));
                }
                if link.external_id != group.external_id() {
                    changes.push(change(
                        "externalId",
                        Some(&link.external_id),
                        group.external_id(),
                    ));
                }
                if changes.is_empty() {
                    return Ok(());
                }
                (
                    Op::UpdateGroup,
                    &group.display_name,
                    group.id.as_str(),
                    changes,
                    "renamed",
                )
            }
            (
                None,
                Some(GroupLink {
                    display_name, id, ..
                }),
            ) => {
                let reason = "no longer selected to be pushed, or gone";
                (
                    Op::DeleteGroup,
                    display_name,
                    id.as_str(),
                    Vec::new(),
                    reason,
                )
            }
        };
        let subject = Subject {
            kind: SubjectKind::Group,
            source: source.name.clone(),
            id: id.to_owned(),
            display: display.clone(),
        };
        self.out.builder.push(Entry::Action(Action {
            portal: rules.name.clone(),
            op,
            key: display.clone(),
            subject: subject.clone(),
            changes,
            reason: reason.to_owned(),
            members: Vec::new(),
            device: None,
            joins: Groups::default(),
        }))?;
        self.mark(&subject, false);
        Ok(())
    }
}

fn change(attribute: &str, before: Option<&str>, after: &str) -> AttributeChange {
    AttributeChange {
        attribute: attribute.to_owned(),
        before: before.map(Value::from),
        after: Some(Value::from(after)),
    }
}
