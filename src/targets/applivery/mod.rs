//! The `applivery` target: Applivery's REST API, as far as it is public.
//!
//! A `store` portal is its employees, a `dashboard` portal its collaborators with their roles,
//! an `mdm` portal its MDM users with the devices of three platforms. Groups have no object of
//! their own there: they show as tags of their members.
//!
//! `client` sends, `people` and `devices` are Applivery's words, `known` remembers who stands
//! there, `accounts`, `moves`, `tags` and `gadgets` carry actions out, `held` reads back.

mod accounts;
mod check;
mod client;
mod devices;
mod gadgets;
mod held;
mod known;
mod moves;
mod options;
mod people;
mod tags;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures::stream::{self, StreamExt};
use tokio::runtime::Handle;

use client::{Client, Failure};
use devices::Devices;
use known::Known;
pub use options::Options;
use people::{Kind, Person};

use super::{Finding, Found, Held, Step, Target, TargetError};
use crate::http::HttpError;
use crate::plan::{Account, Groups, Op};
use crate::rules::lifecycle::Device;
use crate::rules::{OnDeactivate, Portal};
use crate::store::Store;

/// Few enough that a batch is through within a turn at the usual rate, many enough for all
/// that may be under way at once.
const BATCH: usize = 50;

/// An opened target that waits for the store.
pub struct Unstored {
    client: Client,
    options: Options,
    portals: BTreeMap<String, Place>,
    runtime: Handle,
}

pub struct Applivery {
    client: Client,
    options: Options,
    store: Store,
    portals: BTreeMap<String, Place>,
    /// What this asks of Applivery runs there; whoever calls it blocks.
    runtime: Handle,
    /// Why nothing more is asked or told in this run.
    away: Mutex<Option<String>>,
}

/// A portal that lives here.
struct Place {
    kind: Kind,
    /// The policy that its rules name: those of the target's settings, one a platform.
    policy: Option<String>,
    /// The attributes that it maps. What others keep beside them is not ours.
    mapped: BTreeSet<String>,
    known: Known,
}

impl Place {
    fn of(portal: &Portal) -> Option<Place> {
        Some(Place {
            kind: Kind::of(portal.kind)?,
            policy: match &portal.on_deactivate {
                OnDeactivate::ChangePolicy(policy) => Some(policy.clone()),
                _ => None,
            },
            mapped: portal.mapping.attributes().map(str::to_owned).collect(),
            known: Known::default(),
        })
    }

    /// What of a person is the portal's.
    fn account(&self, person: &Person) -> Account {
        let mut account = person.account();
        account
            .attributes
            .retain(|name, _| self.mapped.contains(name));
        account
            .metadata
            .retain(|name, _| self.mapped.contains(&format!("metadata.{name}")));
        account
    }
}

impl Applivery {
    /// Connects nowhere yet: the first request does. To be called within the runtime.
    pub fn open(options: Options, portals: &[Portal]) -> Result<Unstored, HttpError> {
        Ok(Unstored {
            client: Client::open(&options)?,
            options,
            portals: portals
                .iter()
                .filter_map(|portal| Some((portal.name.clone(), Place::of(portal)?)))
                .collect(),
            runtime: Handle::current(),
        })
    }

    fn place(&self, portal: &str) -> Result<&Place, TargetError> {
        self.portals.get(portal).ok_or_else(|| {
            TargetError::Refused(format!("Applivery has nothing like portal '{portal}'"))
        })
    }

    fn devices(&self) -> Devices<'_> {
        Devices {
            client: &self.client,
            options: &self.options,
        }
    }

    /// Err once Applivery was away in this run.
    fn is_there(&self) -> Result<(), TargetError> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match &*away {
            Some(reason) => Err(TargetError::Away(reason.clone())),
            None => Ok(()),
        }
    }

    /// What a failure means for an action; one that says Applivery is away is remembered.
    fn told(&self, failure: Failure) -> TargetError {
        match failure {
            Failure::Refused { text, .. } | Failure::Gone(text) => TargetError::Refused(text),
            Failure::Unsure(text) | Failure::Away(text) => {
                let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
                away.get_or_insert_with(|| text.clone());
                TargetError::Away(text)
            }
        }
    }

    /// What a failure means for a question: there is no answer now.
    fn unanswered(&self, failure: Failure) -> TargetError {
        self.told(Failure::Away(failure.to_string()))
    }

    async fn find_person(&self, place: &Place, key: &str) -> Result<Option<Person>, TargetError> {
        let found = place.known.get(&self.client, place.kind, key).await;
        found.map_err(|failure| self.unanswered(failure))
    }
}

impl Unstored {
    pub fn over(self, store: Store) -> Applivery {
        let Unstored {
            client,
            options,
            portals,
            runtime,
        } = self;
        Applivery {
            client,
            options,
            store,
            portals,
            runtime,
            away: Mutex::default(),
        }
    }
}

impl Target for Applivery {
    fn begin(&self) {
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) = None;
        for place in self.portals.values() {
            self.runtime.block_on(place.known.forget());
        }
    }

    fn cannot(&self, portal: &Portal) -> Vec<String> {
        check::cannot(&self.options, portal)
    }

    fn check(&self) -> Vec<Finding> {
        self.runtime.block_on(check::findings(self))
    }

    fn find(&self, portal: &str, key: &str) -> Result<Option<Found>, TargetError> {
        self.is_there()?;
        let place = self.place(portal)?;
        let person = self.runtime.block_on(self.find_person(place, key))?;
        Ok(person.map(|person| Found {
            account: place.account(&person),
            made_for: None,
            groups: Groups::default(),
        }))
    }

    fn devices(&self, portal: &str) -> Result<BTreeMap<String, Vec<Device>>, TargetError> {
        self.is_there()?;
        let place = self.place(portal)?;
        self.runtime.block_on(self.devices_by_key(place))
    }

    fn creates_with_groups(&self) -> bool {
        true
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn execute(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
        self.runtime.block_on(self.carry_out(steps))
    }

    fn reads_back(&self) -> bool {
        true
    }

    fn keeps(&self, portal: &str, attribute: &str) -> bool {
        self.portals
            .get(portal)
            .is_some_and(|place| place.kind.keeps(attribute))
    }

    fn read_back(
        &self,
        portal: &str,
        take: &mut dyn FnMut(Held) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        self.is_there()?;
        let place = self.place(portal)?;
        let people = place.known.all(&self.client, place.kind);
        let people = self.runtime.block_on(people);
        let people = people.map_err(|failure| self.unanswered(failure))?;
        self.hand_over(portal, place, people, take)
    }
}

/// Steps that must keep their order, by their places among all.
type Lane = Vec<usize>;

impl Applivery {
    async fn carry_out(&self, steps: &[Step<'_>]) -> Vec<Result<(), TargetError>> {
        let mut results: Vec<Option<Result<(), TargetError>>> =
            steps.iter().map(|_| None).collect();
        let mut members: Lane = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            match step.action.op {
                Op::CreateGroup | Op::UpdateGroup | Op::DeleteGroup => {
                    results[number] = Some(self.group(step.action).await);
                }
                Op::AddMembers | Op::RemoveMembers => members.push(number),
                _ => {}
            }
        }
        if !members.is_empty() {
            let those: Vec<_> = members.iter().map(|number| steps[*number].action).collect();
            let done = self.memberships(&those).await;
            for (number, done) in members.into_iter().zip(done) {
                results[number] = Some(done);
            }
        }
        let lanes = self.lanes(steps, &results);
        if let Err(error) = self.expect(steps, &lanes).await {
            let text = error.to_string();
            for number in lanes.into_iter().flatten() {
                results[number] = Some(Err(TargetError::Away(text.clone())));
            }
        } else {
            let mut under_way = stream::iter(lanes)
                .map(|lane| self.lane(steps, lane))
                .buffer_unordered(self.options.settings.concurrency);
            while let Some(done) = under_way.next().await {
                for (number, result) in done {
                    results[number] = Some(result);
                }
            }
        }
        results
            .into_iter()
            .map(|result| result.expect("every step is a group's, a membership or in a lane"))
            .collect()
    }

    /// Accounts and devices: a lane an account, and one for all whose key moves, since those
    /// may pass keys on to one another.
    fn lanes(&self, steps: &[Step<'_>], results: &[Option<Result<(), TargetError>>]) -> Vec<Lane> {
        let moves = steps.iter().any(|step| step.old_key.is_some());
        let mut lanes: BTreeMap<(&str, &str), Lane> = BTreeMap::new();
        for (number, step) in steps.iter().enumerate() {
            let is_member_step = step.action.op.is_membership();
            if results[number].is_some() || is_member_step {
                continue;
            }
            let lane = match moves {
                true => ("", ""),
                false => (step.action.portal.as_str(), step.action.key.as_str()),
            };
            lanes.entry(lane).or_default().push(number);
        }
        lanes.into_values().collect()
    }

    /// Says how many people the lanes will ask for.
    async fn expect(&self, steps: &[Step<'_>], lanes: &[Lane]) -> Result<(), TargetError> {
        self.is_there()?;
        let mut many: BTreeMap<&str, usize> = BTreeMap::new();
        for number in lanes.iter().flatten() {
            let action = steps[*number].action;
            let asks = match action.op {
                Op::CreateAccount => 0,
                Op::ChangeDevicePolicy | Op::RemoveDevices => 0,
                _ => 1,
            };
            *many.entry(&action.portal).or_default() += asks;
        }
        for (portal, many) in many {
            let place = self.place(portal)?;
            let expected = place.known.expect(&self.client, place.kind, many).await;
            expected.map_err(|failure| self.unanswered(failure))?;
        }
        Ok(())
    }

    async fn lane(&self, steps: &[Step<'_>], lane: Lane) -> Vec<(usize, Result<(), TargetError>)> {
        let mut done = Vec::new();
        for number in lane {
            let step = &steps[number];
            let result = match self.is_there() {
                Ok(()) if step.action.device.is_some() => self.device(step.action).await,
                Ok(()) => self.account(step).await,
                away => away,
            };
            done.push((number, result));
        }
        self.really_unassigned(steps, &mut done).await;
        done
    }
}
