//! A SCIM 2.0 service provider (RFC 7643, RFC 7644), as one of many that all do it a little
//! differently.
//!
//! `profile` holds what is known of a provider's habits; `client` sends; `wire` and `place` say
//! what is sent; `find` looks up what stands there; `users`, `groups` and `members` carry steps
//! out; `back` reads everything back. What the provider calls our objects is noted in the store
//! as soon as an answer names it, and can be found again: every object carries the id it has at
//! its source as `externalId`, and that says whose it is.

mod back;
mod cannot;
mod check;
mod client;
mod create;
mod find;
mod groups;
mod members;
mod memory;
mod pace;
mod pages;
mod place;
mod profile;
mod roles;
mod swap;
mod trouble;
mod update;
mod users;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use tokio::runtime::Handle;

pub use client::Options;
use client::{Client, OpenError};
use memory::{Learnt, Run};
pub use profile::Profile;

use super::{Finding, Found, Held, Step, Target, TargetError};
use crate::config::{OnRemove, RoleAs};
use crate::plan::{Groups, Op, SubjectKind};
use crate::rules::{MatchOn, Portal};
use crate::store::Store;

/// So many actions at a time: with the provider's usual budget a batch is through well within
/// the time that one target may keep others waiting.
const BATCH: usize = 100;

pub struct Scim {
    profile: Profile,
    client: Client,
    store: Store,
    portals: BTreeMap<String, There>,
    handle: Handle,
    run: Mutex<Run>,
    learnt: Mutex<Learnt>,
    /// Held while the group of a role is looked up or made.
    making_role: tokio::sync::Mutex<()>,
}

/// A portal that lives in the provider.
struct There {
    match_on: MatchOn,
    sources: Vec<String>,
    /// The attributes that the portal fills beside those always carried.
    mapped: Vec<String>,
}

/// A provider that is ready to be asked, but for the store.
pub struct Opening {
    profile: Profile,
    client: Client,
    portals: BTreeMap<String, There>,
}

impl Opening {
    /// Reads the token. Nothing is sent.
    pub fn new(
        options: Options,
        profile: Profile,
        portals: Vec<Portal>,
    ) -> Result<Opening, OpenError> {
        let portals = portals.into_iter().map(|portal| {
            let there = There {
                match_on: portal.match_on,
                sources: portal.sources,
                mapped: portal.mapping.attributes().map(str::to_owned).collect(),
            };
            (portal.name, there)
        });
        Ok(Opening {
            client: Client::open(options, &profile)?,
            portals: portals.collect(),
            profile,
        })
    }

    /// Must be called from within the runtime that is to send.
    pub fn over(self, store: Store) -> Scim {
        let Opening {
            profile,
            client,
            portals,
        } = self;
        let learnt = Learnt {
            config_read: false,
            user_update: profile.user_update,
            group_update: profile.group_update,
            pathless: profile.patch_attrs_pathless,
            active: profile.deactivate_style,
            whole_lists: false,
            member_remove: profile.member_remove_style,
            no_email_filter: false,
            no_groups: false,
        };
        Scim {
            profile,
            client,
            store,
            portals,
            handle: Handle::current(),
            run: Mutex::default(),
            learnt: Mutex::new(learnt),
            making_role: tokio::sync::Mutex::default(),
        }
    }
}

impl Scim {
    /// What stands behind these two locks is whole at any time, so a poisoned one is as good.
    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learnt(&self) -> Learnt {
        *self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, lesson: impl FnOnce(&mut Learnt)) {
        lesson(&mut self.learnt.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn match_on(&self, portal: &str) -> MatchOn {
        let there = self.portals.get(portal);
        there.map_or(MatchOn::Email, |there| there.match_on)
    }

    fn sources(&self, portal: &str) -> &[String] {
        let there = self.portals.get(portal);
        there.map_or(&[], |there| &there.sources)
    }

    fn mapped(&self, portal: &str) -> &[String] {
        let there = self.portals.get(portal);
        there.map_or(&[], |there| &there.mapped)
    }
}

impl Target for Scim {
    fn begin(&self) {
        self.client.begin();
        *self.run() = Run::default();
    }

    fn cannot(&self, portal: &Portal) -> Vec<String> {
        let others: Vec<&str> = self.portals.keys().map(String::as_str).collect();
        cannot::cannot(portal, &others, &self.profile)
    }

    fn check(&self) -> Vec<Finding> {
        self.client.begin();
        self.handle.block_on(self.tested())
    }

    fn find(&self, portal: &str, key: &str) -> Result<Option<Found>, TargetError> {
        let found = self.handle.block_on(async {
            self.read_config().await?;
            self.find_user(portal, key).await
        });
        let found = match found {
            Ok(found) => found,
            // A look-up that is not understood must not end everybody's run.
            Err(TargetError::Refused(text)) => return Err(TargetError::Away(text)),
            Err(error) => return Err(error),
        };
        Ok(found.map(|found| Found {
            account: found.account,
            made_for: found.external_id,
            groups: Groups::default(),
        }))
    }

    fn knows_owners(&self, of_many: bool) -> bool {
        // What a removal leaves as it is looks as if it had never been removed.
        self.profile.on_remove != OnRemove::Nothing && (!of_many || self.lists_whole())
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn execute(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
        self.run().roster = None;
        self.handle.block_on(self.carry_out(steps))
    }

    fn reads_back(&self) -> bool {
        self.lists_whole()
    }

    fn keeps(&self, _: &str, attribute: &str) -> bool {
        match attribute {
            "userName" => !self.profile.username_equals_email,
            "role" => matches!(self.profile.role_as, RoleAs::Roles | RoleAs::Entitlements),
            "phoneNumbers" => self.profile.multi_valued_limit.is_none(),
            _ => place::Place::of(attribute, self.profile.role_as).is_some(),
        }
    }

    fn read_back(
        &self,
        portal: &str,
        take: &mut dyn FnMut(Held) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        if !self.lists_whole() {
            return Err(TargetError::Refused(
                "this service does not page its lists, so that nobody knows whether one is whole"
                    .to_owned(),
            ));
        }
        self.handle.block_on(self.hand_back(portal, take))
    }
}

/// The steps of one subject, in order, by their places.
struct Job<'a> {
    kind: SubjectKind,
    steps: Vec<(usize, &'a Step<'a>)>,
}

/// What became of a job: one answer a step.
type Done = Vec<(usize, Result<(), Fail>)>;

/// Why a step was not done.
enum Fail {
    /// Somebody else has the name; they may be about to give it up.
    Taken(String),
    Target(TargetError),
}

impl Fail {
    fn told(self) -> TargetError {
        match self {
            Fail::Taken(text) => TargetError::Refused(text),
            Fail::Target(error) => error,
        }
    }

    /// The same once more: one request answers for several steps.
    fn again(&self) -> Fail {
        match self {
            Fail::Taken(text) => Fail::Taken(text.clone()),
            Fail::Target(TargetError::Away(text)) => Fail::Target(TargetError::Away(text.clone())),
            Fail::Target(other) => Fail::Target(TargetError::Refused(other.to_string())),
        }
    }
}

impl<E: Into<TargetError>> From<E> for Fail {
    fn from(error: E) -> Fail {
        Fail::Target(error.into())
    }
}

impl Scim {
    async fn carry_out(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
        if let Err(error) = self.read_config().await {
            let text = error.to_string();
            return steps
                .iter()
                .map(|_| Err(TargetError::Away(text.clone())))
                .collect();
        }
        let mut results: Vec<Option<Result<(), Fail>>> = steps.iter().map(|_| None).collect();
        // Some providers refuse to touch the memberships of who is not active, and some keep those
        // of who is deleted.
        for (place, fail) in self.leave_groups(steps).await {
            results[place] = Some(Err(fail));
        }
        let mut jobs: Vec<Job<'_>> = Vec::new();
        let mut by_subject: BTreeMap<_, usize> = BTreeMap::new();
        for (place, step) in steps.iter().enumerate() {
            if results[place].is_some() {
                continue;
            }
            let subject = &step.action.subject;
            let who = (
                &step.action.portal,
                subject.kind,
                &subject.source,
                &subject.id,
            );
            let job = *by_subject.entry(who).or_insert_with(|| {
                jobs.push(Job {
                    kind: subject.kind,
                    steps: Vec::new(),
                });
                jobs.len() - 1
            });
            jobs[job].steps.push((place, step));
        }
        let at_once = self.profile.concurrency.max(1);
        let mut under_way = futures::stream::iter(&jobs)
            .map(|job| self.job(job))
            .buffer_unordered(at_once);
        while let Some(done) = under_way.next().await {
            for (place, result) in done {
                results[place] = Some(result);
            }
        }
        drop(under_way);
        self.names_that_change_hands(&jobs, &mut results).await;
        results
            .into_iter()
            .map(|result| match result {
                Some(result) => result.map_err(Fail::told),
                None => Err(TargetError::Refused("it was not tried".to_owned())),
            })
            .collect()
    }

    async fn job(&self, job: &Job<'_>) -> Done {
        match job.kind {
            SubjectKind::User => self.user(&job.steps).await,
            SubjectKind::Group => {
                let mut done = Vec::new();
                for (place, step) in &job.steps {
                    let action = step.action;
                    let result = match action.op {
                        Op::CreateGroup => self.create_group(action).await,
                        Op::UpdateGroup => self.update_group(action).await,
                        Op::DeleteGroup => self.delete_group(action).await,
                        _ => self.change_members(action).await,
                    };
                    done.push((*place, result.map_err(Fail::from)));
                }
                done
            }
        }
    }
}
