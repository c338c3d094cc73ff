//! Carries a plan out on one target, and strikes off what is done. Apply decides nothing.
//!
//! The order is the plan's, but for keys that change hands: an account that gives its key up
//! is moved, or removed, before the one that takes it. Several targets are seen to side by
//! side (`targets.rs`); what goes to one never waits for another.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::RunError;
use super::links::Links;
use super::order::Stop;
use super::population::Populations;
use crate::plan::{Action, Link, Op, Outcome, OutcomeStatus, Plan};
use crate::rules::{MATCH_KINDS, key_of};
use crate::store::Store;
use crate::targets::{Step, Target, TargetError};

/// Members count as actions when a batch is filled, ten to one.
const MEMBERS_PER_ACTION: usize = 10;

/// What became of a plan.
#[derive(Default)]
pub struct Applied {
    /// Actions that are not done, by number.
    pub exceptions: BTreeMap<u64, Outcome>,
    /// Whose actions are still owed: (kind, source, id).
    pub owed: BTreeMap<(u8, String, String), Owed>,
    /// Not all of it was tried: it was asked to stop.
    pub stopped: bool,
    /// Why the target could not be told anything, if so.
    pub away: Option<Arc<str>>,
}

/// Why somebody's actions are still owed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owed {
    /// One text may be that of everybody.
    pub error: Arc<str>,
    /// It counts as an attempt.
    pub tried: bool,
}

impl Owed {
    fn tried(error: impl Into<Arc<str>>) -> Owed {
        Owed {
            error: error.into(),
            tried: true,
        }
    }

    /// How often it was tried, after so many times before. Who is owed something has at least
    /// one attempt.
    fn attempts_after(&self, before: u32) -> u32 {
        match self.tried {
            true => before + 1,
            false => before.max(1),
        }
    }
}

/// What ends an apply before its end.
pub struct Limits<'a> {
    pub stop: &'a Stop,
    /// From when on the target has had its turn, if others wait for it.
    pub until: Option<Instant>,
}

pub struct Applying<'a, 'b> {
    store: &'a Store,
    target: &'a dyn Target,
    /// The portals that live in the target.
    portals: &'a BTreeSet<String>,
    /// Called with how many actions were taken up since the last call.
    progress: &'a (dyn Fn(u64) + std::marker::Sync),
    populations: &'a mut Populations<'b>,
    limits: Limits<'a>,
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
        target: &'a dyn Target,
        portals: &'a BTreeSet<String>,
        populations: &'a mut Populations<'b>,
        limits: Limits<'a>,
        progress: &'a (dyn Fn(u64) + std::marker::Sync),
    ) -> Applying<'a, 'b> {
        Applying {
            store,
            target,
            portals,
            progress,
            limits,
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
                    && self.is_mine(&action)
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
        let mut taken = 0;
        for (number, action) in plan.actions().enumerate() {
            let (number, action) = (number as u64, action?);
            if !self.is_mine(&action) {
                continue;
            }
            if !early.contains(&number) {
                self.take(number, action)?;
            }
            taken += 1;
            if taken % 1024 == 0 {
                (self.progress)(1024);
            }
        }
        self.send()?;
        (self.progress)(taken % 1024);
        Ok(self.applied)
    }

    fn is_mine(&self, action: &Action) -> bool {
        self.portals.contains(&action.portal)
    }

    fn take(&mut self, number: u64, action: Action) -> Result<(), RunError> {
        // An account goes only after what it had was dealt with.
        let other_phase = self
            .waiting
            .first()
            .is_some_and(|(_, first, _)| first.op.phase() != action.op.phase())
            || matches!(action.op, Op::RemoveAccount) && self.has_waiting_device(&action);
        if other_phase {
            self.send()?;
        }
        self.waiting_members += action.members.len();
        self.waiting.push((number, action, None));
        let batch = self.target.batch();
        if self.waiting.len() >= batch || self.waiting_members >= batch * MEMBERS_PER_ACTION {
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
        if self.applied.stopped || self.limits.stop.is_asked() {
            self.applied.stopped = true;
            for (number, action, _) in waiting {
                let error = "rosterd was stopped; the next run goes on".to_owned();
                self.owe(number, &action, OutcomeStatus::Skipped, Owed::tried(error));
            }
            return Ok(());
        }
        let until = self.limits.until;
        let turn_over = until.is_some_and(|until| Instant::now() >= until);
        if turn_over || self.applied.away.is_some() {
            let owed = match &self.applied.away {
                Some(away) => Owed::tried(away.clone()),
                None => Owed {
                    error: "others waited for this target; the next run goes on".into(),
                    tried: false,
                },
            };
            for (number, action, _) in waiting {
                self.owe_members(&action, &owed)?;
                self.owe(number, &action, OutcomeStatus::Skipped, owed.clone());
            }
            return Ok(());
        }
        waiting.retain_mut(|(number, action, _)| {
            let place = (action.portal.clone(), action.key.clone());
            if action.op == Op::RemoveAccount && self.stuck.contains(&place) {
                let error = "waits until the account's devices are dealt with".to_owned();
                self.owe(*number, action, OutcomeStatus::Skipped, Owed::tried(error));
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
        if waiting.is_empty() {
            return Ok(());
        }
        let target = self.target;
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
                links.note(target, action, old_key.as_deref())?;
                if action.op == Op::CreateAccount && target.creates_with_groups() {
                    self.joined.push(place_hash(&action.portal, &action.key));
                }
            }
        }
        links.write()?;
        for ((number, action, _), result) in waiting.iter().zip(results) {
            if let Err(error) = result {
                if let TargetError::Away(reason) = &error {
                    self.applied
                        .away
                        .get_or_insert_with(|| reason.as_str().into());
                }
                let error = error.to_string();
                if action.device.is_some() {
                    self.stuck
                        .insert((action.portal.clone(), action.key.clone()));
                }
                let owed = Owed::tried(error);
                self.owe_members(action, &owed)?;
                self.owe(*number, action, OutcomeStatus::Failed, owed);
            }
        }
        Ok(())
    }

    fn owe(&mut self, number: u64, action: &Action, status: OutcomeStatus, owed: Owed) {
        let kind = match action.subject.kind {
            crate::plan::SubjectKind::User => b'u',
            crate::plan::SubjectKind::Group => b'g',
        };
        let subject = (
            kind,
            action.subject.source.clone(),
            action.subject.id.clone(),
        );
        let before = self.attempts.get(&subject).copied().unwrap_or(0);
        let outcome = Outcome {
            status,
            error: Some((*owed.error).to_owned()),
            attempts: owed.attempts_after(before),
        };
        self.applied.owed.insert(subject, owed);
        self.applied.exceptions.insert(number, outcome);
    }

    /// A membership that failed is owed to the member: memberships are decided user by user.
    fn owe_members(&mut self, action: &Action, owed: &Owed) -> Result<(), RunError> {
        for key in &action.members {
            if let Some(link) = self.store.link(&action.portal, key)? {
                self.applied
                    .owed
                    .insert((b'u', link.source, link.user), owed.clone());
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
            if !self.is_mine(&action) {
                continue;
            }
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
    owed: &BTreeMap<(u8, String, String), Owed>,
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
    for (place, owed) in owed {
        let attempts = before.get(place).map_or(0, |mark| mark.attempts);
        let mark = Mark {
            attempts: owed.attempts_after(attempts),
            last_error: Some((*owed.error).to_owned()),
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
