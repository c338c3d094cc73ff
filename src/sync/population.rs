//! How much each portal has, kept beside the links so that the guard need not read them all.
//!
//! The counts are a note in the store. A run that changes links takes the notes away first and
//! puts them back, moved by what it changed, when it is through. A run that is cut off leaves
//! none, and the next that needs a count reads the links once.

use std::collections::BTreeMap;

use super::RunError;
use crate::plan::Link;
use crate::plan::guard::Population;
use crate::rules::Portal;
use crate::store::directory::put_note;
use crate::store::{Op, Store};

pub struct Populations<'a> {
    store: &'a Store,
    /// By portal; None where the links would have to be read.
    known: BTreeMap<String, Option<Population>>,
}

impl<'a> Populations<'a> {
    pub fn read(store: &'a Store, portals: &[Portal]) -> Result<Populations<'a>, RunError> {
        let any_links = store.has_links()?;
        let mut known = BTreeMap::new();
        for portal in portals {
            let noted = store.note(&note(&portal.name))?;
            let population = match noted.as_deref().and_then(parse) {
                None if !any_links => Some(count(store, &portal.name)?),
                noted => noted,
            };
            known.insert(portal.name.clone(), population);
        }
        Ok(Populations { store, known })
    }

    /// What a portal has; reads its links if nothing was noted.
    pub fn of(&mut self, portal: &str) -> Result<Population, RunError> {
        if let Some(Some(known)) = self.known.get(portal) {
            return Ok(*known);
        }
        let counted = count(self.store, portal)?;
        self.known.insert(portal.to_owned(), Some(counted));
        Ok(counted)
    }

    /// Takes the counts of some portals out, to be moved by somebody else meanwhile.
    pub fn lend(&mut self, portals: impl Iterator<Item = String>) -> Populations<'a> {
        let known = portals.filter_map(|portal| self.known.remove_entry(&portal));
        Populations {
            store: self.store,
            known: known.collect(),
        }
    }

    pub fn take_back(&mut self, lent: Populations<'a>) {
        self.known.extend(lent.known);
    }

    /// Takes the notes away; must be durable before the first link changes.
    pub fn forget(&self) -> Vec<Op> {
        self.known
            .keys()
            .map(|portal| put_note(&note(portal), ""))
            .collect()
    }

    /// A link is about to change.
    pub fn link_changes(
        &mut self,
        portal: &str,
        key: &str,
        after: Option<&Link>,
    ) -> Result<(), RunError> {
        let Some(Some(population)) = self.known.get_mut(portal) else {
            return Ok(());
        };
        let before = self.store.link(portal, key)?;
        for (link, is_after) in [(before.as_ref(), false), (after, true)] {
            let Some(link) = link.filter(|link| !link.is_departed()) else {
                continue;
            };
            let memberships = link.groups.iter().count() as u64;
            if is_after {
                population.accounts += 1;
                population.memberships += memberships;
            } else {
                population.accounts = population.accounts.saturating_sub(1);
                population.memberships = population.memberships.saturating_sub(memberships);
            }
        }
        Ok(())
    }

    /// A group is linked, or no longer.
    pub fn group_changes(&mut self, portal: &str, was_linked: bool, is_linked: bool) {
        if let Some(Some(population)) = self.known.get_mut(portal) {
            match (was_linked, is_linked) {
                (false, true) => population.groups += 1,
                (true, false) => population.groups = population.groups.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// The notes as they are after the run.
    pub fn keep(&self) -> Vec<Op> {
        let noted = self.known.iter().filter_map(|(portal, population)| {
            let Population {
                accounts,
                groups,
                memberships,
            } = (*population)?;
            let text = format!("{accounts} {groups} {memberships}");
            Some(put_note(&note(portal), &text))
        });
        noted.collect()
    }
}

fn note(portal: &str) -> String {
    format!("population {portal}")
}

fn parse(text: &str) -> Option<Population> {
    let mut numbers = text.split(' ').map(|number| number.parse().ok());
    Some(Population {
        accounts: numbers.next()??,
        groups: numbers.next()??,
        memberships: numbers.next()??,
    })
}

/// What a portal has, where that is noted and no link has to be read.
pub fn noted(store: &Store, portal: &str) -> Result<Option<Population>, RunError> {
    let noted = store.note(&note(portal))?;
    Ok(noted.as_deref().and_then(parse))
}

/// Reads every link of a portal.
pub fn count(store: &Store, portal: &str) -> Result<Population, RunError> {
    let mut population = Population::default();
    for link in store.links(portal) {
        let link = link?;
        if !link.is_departed() {
            population.accounts += 1;
            population.memberships += link.groups.iter().count() as u64;
        }
    }
    population.groups = store.group_links(portal).count() as u64;
    Ok(population)
}
