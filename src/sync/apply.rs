//! Carries a plan out, and strikes off what is done. Apply decides nothing.
//!
//! The order is the plan's, but for keys that change hands: an account that gives its key up
//! is moved, or removed, before the one that takes it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::RunError;
use super::links::Links;
use super::order::{Order, Progress, Step as Progressed, Stop};
use super::population::Populations;
use crate::plan::{Action, Link, Op, Outcome, OutcomeStatus, Plan};
use crate::rules::{MATCH_KINDS, key_of};
use crate::store::Store;
use crate::targets::{Step, Target};

/// Actions handed to a target at a time.
const BATCH: usize = 200;

/// Members count as actions when a batch is filled.
const BATCH_MEMBERS: usize = 2_000;

/// What became of a plan.
#[derive(Default)]
pub struct Applied {
    /// Actions that are not done, by number.
    pub exceptions: BTreeMap<u64, Outcome>,
    /// Whose actions are still owed: (kind, source, id), with the error.
    pub owed: BTreeMap<(u8, String, String), String>,
    /// Not all of it was tried: it was asked to stop.
    pub stopped: bool,
}

pub struct Applying<'a, 'b> {
    store: &'a Store,
    /// By portal.
    targets: &'a BTreeMap<String, Arc<dyn Target>>,
    progress: &'a dyn Progress,
    populations: &'a mut Populations<'b>,
    stop: &'a Stop,
    applied: Applied,
    /// Accounts made in this run together with their memberships, as hashes: there may be
    /// millions, and only a hash of another account of this very run could be mistaken.
    joined: Vec<u64>,
    /// How many of them are in order: accounts are all made before the first membership.
    joined_sorted: usize,
    /// How often the marked were tried before.
    attempts: HashMap<(u8, String, String), u32>,
    /// Accounts whose devices could not be dealt with: they are not removed.
    stuck: HashSet<(String, String)>,
    waiting: Vec<(u64, Action, Option<String>)>,
    waiting_members: usize,
}

impl<'a, 'b> Applying<'a, 'b> {
    pub fn new(
        store: &'a Store,
        targets: &'a BTreeMap<String, Arc<dyn Target>>,
        order: &'a Order,
        populations: &'a mut Populations<'b>,
    ) -> Applying<'a, 'b> {
        Applying {
            store,
            targets,
            progress: &*order.progress,
            stop: &order.stop,
            populations,
            applied: Applied::default(),
            joined: Vec::new(),
            joined_sorted: 0,
            attempts: HashMap::new(),
            stuck: HashSet::new(),
            waiting: Vec::new(),
            waiting_members: 0,
        }
    }

    pub fn run(mut self, plan: &Plan) -> Result<Applied, RunError> {
        self.attempts = self
            .store
            .marks()?
            .into_iter()
            .map(|(kind, source, id, mark)| ((kind, source, id), mark.attempts))
            .collect();
        let order = self.keys_that_change_hands(plan)?;
        let mut early: HashSet<u64> = HashSet::new();
        if !order.freed.is_empty() {
            for (number, action) in plan.actions().enumerate() {
                let (number, action) = (number as u64, action?);
                if action.op.phase() == 3
                    && order
                        .freed
                        .contains(&(action.portal.clone(), action.key.clone()))
                {
                    early.insert(number);
                    self.take(number, action)?;
                }
            }
            self.send()?;
        }
        for group in order.moves {
            for (number, action, old_key) in group {
                early.insert(number);
                self.waiting.push((number, action, Some(old_key)));
            }
            self.send()?;
        }
        let total = plan.action_count();
        for (number, action) in plan.actions().enumerate() {
            let (number, action) = (number as u64, action?);
            if !early.contains(&number) {
                self.take(number, action)?;
            }
            if number % 1024 == 0 {
                self.progress.step(Progressed::Applied {
                    actions: number,
                    of: total,
                });
            }
        }
        self.send()?;
        self.progress.step(Progressed::Applied {
            actions: total,
            of: total,
        });
        Ok(self.applied)
    }

    fn take(&mut self, number: u64, action: Action) -> Result<(), RunError> {
        // An account goes only after what it had was dealt with, and batches are per target.
        let other_target = self.waiting.first().is_some_and(|(_, first, _)| {
            !Arc::ptr_eq(&self.targets[&first.portal], &self.targets[&action.portal])
        });
        let other_phase = self
            .waiting
            .first()
            .is_some_and(|(_, first, _)| first.op.phase() != action.op.phase())
            || matches!(action.op, Op::RemoveAccount) && self.has_waiting_device(&action);
        if other_target || other_phase {
            self.send()?;
        }
        self.waiting_members += action.members.len();
        self.waiting.push((number, action, None));
        if self.waiting.len() >= BATCH || self.waiting_members >= BATCH_MEMBERS {
            self.send()?;
        }
        Ok(())
    }

    fn has_waiting_device(&self, action: &Action) -> bool {
        self.waiting.iter().any(|(_, waiting, _)| {
            waiting.device.is_some() && waiting.portal == action.portal && waiting.key == action.key
        })
    }

    /// Hands what is waiting to its target, then brings the links into step with what was done.
    fn send(&mut self) -> Result<(), RunError> {
        self.waiting_members = 0;
        let mut waiting = std::mem::take(&mut self.waiting);
        if self.joined_sorted < self.joined.len() && has_members(&waiting) {
            self.joined.sort_unstable();
            self.joined_sorted = self.joined.len();
        }
        if self.applied.stopped || self.stop.is_asked() {
            self.applied.stopped = true;
            for (number, action, _) in waiting {
                let error = "rosterd was stopped; the next run goes on".to_owned();
                self.fail(number, &action, OutcomeStatus::Skipped, error);
            }
            return Ok(());
        }
        waiting.retain_mut(|(number, action, _)| {
            let place = (action.portal.clone(), action.key.clone());
            if action.op == Op::RemoveAccount && self.stuck.contains(&place) {
                let error = "waits until the account's devices are dealt with".to_owned();
                self.fail(*number, action, OutcomeStatus::Skipped, error);
                return false;
            }
            if action.op == Op::AddMembers && !self.joined.is_empty() {
                let (portal, joined) = (&action.portal, &self.joined);
                action
                    .members
                    .retain(|key| joined.binary_search(&place_hash(portal, key)).is_err());
                if action.members.is_empty() {
                    return false;
                }
            }
            true
        });
        let Some((_, first, _)) = waiting.first() else {
            return Ok(());
        };
        let target = self.targets[&first.portal].clone();
        let steps: Vec<Step<'_>> = waiting
            .iter()
            .map(|(_, action, old_key)| Step {
                action,
                old_key: old_key.as_deref(),
            })
            .collect();
        let results = target.execute(&steps);
        let mut links = Links::new(self.store, self.populations);
        for ((_, action, old_key), result) in waiting.iter().zip(&results) {
            if let (Some(old_key), Ok(())) = (old_key, result) {
                links.take_away(&action.portal, old_key)?;
            }
        }
        for ((_, action, old_key), result) in waiting.iter().zip(&results) {
            if result.is_ok() {
                links.note(&*target, action, old_key.as_deref())?;
                if action.op == Op::CreateAccount && target.creates_with_groups() {
                    self.joined.push(place_hash(&action.portal, &action.key));
                }
            }
        }
        links.write()?;
        for ((number, action, _), result) in waiting.iter().zip(results) {
            if let Err(error) = result {
                let error = error.to_string();
                if action.device.is_some() {
                    self.stuck
                        .insert((action.portal.clone(), action.key.clone()));
                }
                self.owe_members(action, &error)?;
                self.fail(*number, action, OutcomeStatus::Failed, error);
            }
        }
        Ok(())
    }

    fn fail(&mut self, number: u64, action: &Action, status: OutcomeStatus, error: String) {
        let kind = match action.subject.kind {
            crate::plan::SubjectKind::User => b'u',
            crate::plan::SubjectKind::Group => b'g',
        };
        let subject = (
            kind,
            action.subject.source.clone(),
            action.subject.id.clone(),
        );
        let attempts = self.attempts.get(&subject).copied().unwrap_or(0) + 1;
        self.applied.owed.insert(subject, error.clone());
        let outcome = Outcome {
            status,
            error: Some(error),
            attempts,
        };
        self.applied.exceptions.insert(number, outcome);
    }

    /// A membership that failed is owed to the member: memberships are decided user by user.
    fn owe_members(&mut self, action: &Action, error: &str) -> Result<(), RunError> {
        for key in &action.members {
            if let Some(link) = self.store.link(&action.portal, key)? {
                self.applied
                    .owed
                    .insert((b'u', link.source, link.user), error.to_owned());
            }
        }
        Ok(())
    }

    /// Finds the accounts whose key moves, in sets that must go together, and the keys that a
    /// removal has to free first.
    fn keys_that_change_hands(&self, plan: &Plan) -> Result<ChangingKeys, RunError> {
        let mut removed: HashSet<(String, String)> = HashSet::new();
        let mut moves: Vec<(u64, Action, String)> = Vec::new();
        let summary = &plan.head.summary;
        let has = |op: Op| summary.values().any(|ops| ops.contains_key(&op));
        let frees = has(Op::RemoveAccount) && has(Op::CreateAccount);
        if !(has(Op::UpdateAccount) || frees) {
            return Ok(ChangingKeys::default());
        }
        for (number, action) in plan.actions().enumerate() {
            let action = action?;
            match action.op {
                Op::RemoveAccount => {
                    removed.insert((action.portal.clone(), action.key.clone()));
                }
                Op::UpdateAccount => {
                    if let Some(old) = self.old_key(&action)? {
                        moves.push((number as u64, action, old));
                    }
                }
                _ => {}
            }
        }
        let mut freed: HashSet<(String, String)> = HashSet::new();
        if !removed.is_empty() {
            for action in plan.actions() {
                let action = action?;
                if action.op.phase() == 1 {
                    let place = (action.portal.clone(), action.key.clone());
                    if removed.contains(&place) {
                        freed.insert(place);
                    }
                }
            }
        }
        Ok(ChangingKeys {
            freed,
            moves: together(moves),
        })
    }

    /// The key under which the subject's account stands, where it is another than the
    /// action's.
    fn old_key(&self, action: &Action) -> Result<Option<String>, RunError> {
        let subject = &action.subject;
        let is_own = |link: &Link| link.source == subject.source && link.user == subject.id;
        if self
            .store
            .link(&action.portal, &action.key)?
            .as_ref()
            .is_some_and(is_own)
        {
            return Ok(None);
        }
        let Some(row) = self.store.user(&subject.source, &subject.id)? else {
            return Ok(None);
        };
        let today = MATCH_KINDS
            .iter()
            .filter_map(|kind| key_of(*kind, &row.user));
        for key in row.old_keys.iter().cloned().chain(today) {
            if self
                .store
                .link(&action.portal, &key)?
                .as_ref()
                .is_some_and(is_own)
            {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }
}

fn has_members(waiting: &[(u64, Action, Option<String>)]) -> bool {
    waiting
        .iter()
        .any(|(_, action, _)| action.op.is_membership())
}

fn place_hash(portal: &str, key: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (portal, key).hash(&mut hasher);
    hasher.finish()
}

#[derive(Default)]
struct ChangingKeys {
    freed: HashSet<(String, String)>,
    moves: Vec<Vec<(u64, Action, String)>>,
}

/// Moves that pass keys on to one another go in one set; within a set the one that frees a
/// key comes before the one that takes it, save in a ring, where all go at once.
fn together(moves: Vec<(u64, Action, String)>) -> Vec<Vec<(u64, Action, String)>> {
    let by_old: HashMap<(String, String), usize> = moves
        .iter()
        .enumerate()
        .map(|(place, (_, action, old))| ((action.portal.clone(), old.clone()), place))
        .collect();
    let mut set_of: Vec<usize> = (0..moves.len()).collect();
    fn root(set_of: &mut [usize], mut place: usize) -> usize {
        while set_of[place] != place {
            set_of[place] = set_of[set_of[place]];
            place = set_of[place];
        }
        place
    }
    for (place, (_, action, _)) in moves.iter().enumerate() {
        if let Some(freer) = by_old.get(&(action.portal.clone(), action.key.clone())) {
            let (a, b) = (root(&mut set_of, place), root(&mut set_of, *freer));
            set_of[a] = b;
        }
    }
    let mut sets: BTreeMap<usize, Vec<(u64, Action, String)>> = BTreeMap::new();
    for (place, one) in moves.into_iter().enumerate() {
        let set = root(&mut set_of, place);
        sets.entry(set).or_default().push(one);
    }
    sets.into_values().collect()
}

/// Marks what is left: who is owed something, and who is watched. Everyone else is struck off.
pub fn settle_marks(
    store: &Store,
    owed: &BTreeMap<(u8, String, String), String>,
    watched: &BTreeSet<(u8, String, String)>,
) -> Result<(), RunError> {
    use crate::store::directory::{delete_mark, put_mark, unmark_everything};
    use crate::store::rows::Mark;
    let before: HashMap<(u8, String, String), Mark> = store
        .marks()?
        .into_iter()
        .map(|(kind, source, id, mark)| ((kind, source, id), mark))
        .collect();
    let mut ops = Vec::new();
    for (place, error) in owed {
        let attempts = before.get(place).map_or(0, |mark| mark.attempts) + 1;
        let mark = Mark {
            attempts,
            last_error: Some(error.clone()),
        };
        ops.push(put_mark(place.0, &place.1, &place.2, &mark));
    }
    for place in watched.iter().filter(|place| !owed.contains_key(*place)) {
        let mark = Mark {
            attempts: 0,
            last_error: None,
        };
        ops.push(put_mark(place.0, &place.1, &place.2, &mark));
    }
    // Who was pushed again meanwhile may have been decided on as they were before.
    let pen = store.pen();
    for place in before.keys() {
        if !owed.contains_key(place) && !watched.contains(place) && !pen.is_touched(place) {
            ops.push(delete_mark(place.0, &place.1, &place.2));
        }
    }
    store.write(ops)?;
    drop(pen);
    // Only when every mark that is still needed stands by itself.
    Ok(store.write(vec![unmark_everything()])?)
}
