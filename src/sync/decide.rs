//! Puts before the rules what they need, one user at a time, and gathers what they say.

mod admins;
mod groups;
mod stand;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::RunError;
use super::order::Stop;
use super::touched::Touched;
use super::view::{View, Who};
use crate::plan::{Builder, Entry, Link, Subject, SubjectKind};
use crate::rules::lifecycle::{Device, GroupChange, PushedGroup, subject_of};
use crate::rules::matching::{Claim, Ruling, rule};
use crate::rules::{Decision, LinkChange, Portal, PortalKind, Situation, decide};
use crate::targets::{Target, TargetError};
use stand::Stand;

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
            Some(link) if absent && rules.kind == PortalKind::Mdm => {
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
}
