//! One run, from the question to what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tracing::{Instrument, Span, info_span};

use super::RunError;
use super::apply::settle_marks;
use super::decide::{Decided, Deciding};
use super::fetch::{Round, fetch};
use super::history::History;
use super::notes::{Notes, Rounds, rules_note, scope_note};
use super::order::{Intent, Order, Step};
use super::population::Populations;
use super::push::Inbox;
use super::remember::{self, remember};
use super::touched;
use super::view::View;
use crate::audit::AuditLog;
use crate::config::Retention;
use crate::plan::guard::{Limits, review};
use crate::plan::{Asked, LinkState, Mode, Plan, Status};
use crate::rules::{MATCH_KINDS, MatchOn, Portal, SourceRules};
use crate::sources::{Ask, Finding, Source};
use crate::store::Store;
use crate::store::directory as rows_of;
use crate::store::portals::put_link;
use crate::store::rows::Quarantined;
use crate::store::runs::HELD_NOTE;
use crate::targets::Target;

/// An unreadable record is tried again with every round that names it, and said to be at
/// least this often.
pub(super) const QUARANTINE: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// Everything a run needs, opened once.
pub struct Sync {
    pub store: Store,
    /// Every configured source, in the order of the settings.
    pub rules: Vec<SourceRules>,
    pub sources: BTreeMap<String, Arc<dyn Source>>,
    /// Sources that clients push to: there is nothing to fetch.
    pub inboxes: BTreeMap<String, Arc<Inbox>>,
    pub portals: Vec<Portal>,
    /// By the target's name.
    pub targets: BTreeMap<String, Arc<dyn Target>>,
    pub limits: Limits,
    /// What decides who is in which portal, as a digest by portal.
    pub fingerprints: BTreeMap<String, String>,
    /// What decides a source's scope, as a digest by source.
    pub scopes: BTreeMap<String, String>,
    /// The plans of past runs.
    pub history: History,
    pub history_kept: Retention,
    pub audit: AuditLog,
    pub audit_kept: Retention,
}

/// A finished run.
pub struct Run {
    pub plan: Plan,
    /// The plan came out otherwise than the one that was to be carried out.
    pub moved: bool,
}

impl Sync {
    /// Runs side by side fetch at once, and decide and apply one after the other.
    ///
    /// Two runs of one source must not go on at a time: that is seen to by who asks.
    pub async fn run(self: &Arc<Self>, order: Order) -> Result<Run, RunError> {
        let span = info_span!("run", run.id = %order.run);
        self.run_all(order).instrument(span).await
    }

    async fn run_all(self: &Arc<Self>, order: Order) -> Result<Run, RunError> {
        self.cannot()?;
        let rounds = tokio::select! {
            rounds = self.fetch_all(&order) => rounds?,
            () = order.stop.asked() => return Err(RunError::Stopped),
        };
        let (this, span) = (self.clone(), Span::current());
        tokio::task::spawn_blocking(move || span.in_scope(|| this.decide_and_apply(order, rounds)))
            .await
            .map_err(RunError::Worker)?
    }

    async fn fetch_all(&self, order: &Order) -> Result<Rounds, RunError> {
        let kinds = self.kinds();
        let asked = &order.asked;
        let names = self.sources_of(asked);
        order.progress.step(Step::Fetching {
            sources: names.clone(),
        });
        // Dropped with this future, and every fetch with it.
        let mut rounds = JoinSet::new();
        let mut done = BTreeMap::new();
        for (place, name) in names.into_iter().enumerate() {
            if self.inboxes.contains_key(&name) {
                done.insert(place, (name, Ok(Round::pushed())));
                continue;
            }
            let source = self.sources.get(&name).cloned().ok_or_else(|| {
                RunError::Asked(format!("there is no source '{name}' in the settings"))
            })?;
            let state = self.store.source_state(&name)?;
            let ask = if asked.is_on_demand() {
                Ask::Just {
                    users: asked.users.clone(),
                    groups: asked.groups.clone(),
                }
            } else {
                match state.cursor {
                    Some(cursor) if !asked.full => Ask::Since(cursor),
                    _ => Ask::Full,
                }
            };
            let (store, kinds) = (self.store.clone(), kinds.clone());
            let progress = order.progress.clone();
            let span = info_span!("fetch", source = %name);
            let round = async move {
                let round = fetch(&store, &name, &source, ask, &kinds).await?;
                if let Ok(Round {
                    staged: Some(staged),
                    ..
                }) = &round
                {
                    progress.step(Step::Fetched {
                        source: name.clone(),
                        users: staged.seen_users,
                        groups: staged.seen_groups,
                    });
                }
                Ok::<_, RunError>((place, (name, round)))
            };
            rounds.spawn(round.instrument(span));
        }
        while let Some(round) = rounds.join_next().await {
            let (place, round) = round.map_err(RunError::Worker)??;
            done.insert(place, round);
        }
        Ok(done.into_values().collect())
    }

    /// The sources that a wish is about, in the order of the wish or of the settings.
    pub fn sources_of(&self, asked: &Asked) -> Vec<String> {
        match asked.sources.is_empty() {
            true => self.rules.iter().map(|rules| rules.name.clone()).collect(),
            false => asked.sources.clone(),
        }
    }

    /// Tests every connection, and whether the targets can do what the rules ask: what it is
    /// about, and a finding.
    pub async fn check(&self) -> Vec<(String, Finding)> {
        let mut findings = Vec::new();
        for (name, inbox) in &self.inboxes {
            let finding = inbox.check(crate::clock::now());
            findings.push((format!("source {name}"), finding));
        }
        for (name, source) in &self.sources {
            for finding in source.check().await {
                findings.push((format!("source {name}"), finding));
            }
        }
        for (name, target) in &self.targets {
            // Targets block, each for as long as its service takes.
            let target = target.clone();
            let found = tokio::task::spawn_blocking(move || target.check()).await;
            let found = found.unwrap_or_else(|_| vec![Finding::wrong("the test broke off")]);
            findings.extend(
                found
                    .into_iter()
                    .map(|found| (format!("target {name}"), found)),
            );
        }
        for portal in &self.portals {
            for text in self.targets[&portal.target].cannot(portal) {
                findings.push((format!("portal {}", portal.name), Finding::wrong(text)));
            }
        }
        findings
    }

    /// The kinds of match key in use.
    fn kinds(&self) -> Vec<MatchOn> {
        MATCH_KINDS
            .into_iter()
            .filter(|kind| self.portals.iter().any(|portal| portal.match_on == *kind))
            .collect()
    }

    fn decide_and_apply(&self, order: Order, rounds: Rounds) -> Result<Run, RunError> {
        let _turn = self.store.my_turn();
        if order.stop.is_asked() {
            return Err(RunError::Stopped);
        }
        let (intent, now) = (&order.intent, order.now);
        // It was held when it was asked for. Meanwhile it may have been discarded, or approved
        // by somebody else.
        if let Intent::Approve { run, .. } = intent
            && !self.holds(run)?
        {
            return Err(RunError::NotHeld { run: run.clone() });
        }
        let known = self.store.known_sources()?;
        // With the pen, so that nobody who is pushed meanwhile is mended half way.
        let mut pen = self.store.pen();
        for source in &known {
            remember::mend(&self.store, source)?;
        }
        pen.forget_touched();
        drop(pen);
        remember::index_keys(&self.store, &known, &self.kinds())?;
        let mut notes = Notes::new(self, &order, rounds)?;
        let mut views = Vec::new();
        for rules in self.rules.iter().cloned().chain(self.former_sources(known)) {
            let staged = notes.rounds.remove(&rules.name);
            views.push((rules, staged));
        }
        let view = View::new(&self.store, views)?;
        order.progress.step(Step::Deciding);
        let span = info_span!("decide").entered();
        let everybody = !notes.changed_rules.is_empty() || self.store.everything_marked()?;
        let touched = match everybody {
            true => touched::everybody(&view)?,
            false => touched::by_changes(&view, &self.inboxes)?,
        };
        for target in self.targets.values() {
            target.begin();
        }
        let deciding = Deciding::new(&view, &self.portals, &self.targets, now)?;
        let mut decided = deciding.run(&touched, &order.stop)?;
        for (target, reason) in &decided.away {
            notes.head.warnings.push(format!(
                "target '{target}' could not be asked which accounts stand there already: {reason}"
            ));
        }
        for entry in notes.quarantined(&view, now) {
            decided.builder.push(entry)?;
        }
        self.add_drift(&mut notes, &mut decided)?;
        let builder = std::mem::take(&mut decided.builder);
        let mut plan = builder.finish(notes.head.clone())?;
        drop(span);
        let mut populations = Populations::read(&self.store, &self.portals)?;
        plan.head.guard = review(
            &plan,
            &self.limits,
            &decided.deactivations,
            &notes.doubts,
            |portal| populations.of(portal),
        )?;
        let exact = match intent {
            Intent::Exactly { digest } | Intent::Approve { digest, .. } => {
                *digest == plan.head.digest
            }
            Intent::Preview | Intent::Apply => true,
        };
        let approved = exact && matches!(intent, Intent::Approve { .. });
        if approved {
            plan.head.guard.held = false;
        }
        if !exact {
            plan.head.status = if plan.head.guard.held {
                Status::Held
            } else {
                Status::Planned
            };
            return Ok(Run { plan, moved: true });
        }
        if plan.head.guard.held {
            plan.head.status = Status::Held;
            if *intent != Intent::Preview {
                self.hold(&mut plan, &order)?;
            }
            return Ok(Run { plan, moved: false });
        }
        if *intent == Intent::Preview {
            return Ok(Run { plan, moved: false });
        }
        if order.stop.is_asked() {
            return Err(RunError::Stopped);
        }
        let span = info_span!("remember").entered();
        let links_change = plan.action_count() > 0 || !decided.links.is_empty();
        if links_change {
            self.store.write(populations.forget())?;
            self.store.flush()?;
        }
        remember(
            &view,
            &self.portals,
            &self.kinds(),
            &decided,
            &mut populations,
        )?;
        self.store.flush()?;
        self.checkpoint(&view, &notes, approved, now)?;
        self.store.flush()?;
        drop(span);
        // What the round held in memory is in the store now, and apply takes its share.
        drop(view);
        // Half of what a first run writes: without this the peak is higher by as much.
        self.store.give_back_memory()?;
        info_span!("apply")
            .in_scope(|| self.apply(&mut plan, &decided, &order, &mut populations))?;
        if links_change {
            self.store.write(populations.keep())?;
        }
        let all_failed = notes.fetched.is_empty() && !notes.failed.is_empty();
        if all_failed && plan.head.status == Status::Applied {
            plan.head.status = Status::Failed;
        }
        self.keep(&plan, &order)?;
        tracing::info!(
            run.id = %plan.head.run,
            run.status = plan.head.status.as_str(),
            actions = plan.action_count(),
            "run {} {}: {} actions",
            plan.head.run,
            plan.head.status.as_str(),
            plan.action_count()
        );
        Ok(Run { plan, moved: false })
    }

    /// Sources that are no longer in the settings: whoever still has an account from one is
    /// out of scope, and what is owed to them stays owed.
    fn former_sources(&self, known: Vec<String>) -> Vec<SourceRules> {
        known
            .into_iter()
            .filter(|name| self.rules.iter().all(|rules| rules.name != *name))
            .map(|name| SourceRules {
                name,
                assigned_only: true,
                nested_groups: true,
            })
            .collect()
    }

    /// Keeps a held plan, and nothing else. One that came out the same again keeps its id.
    fn hold(&self, plan: &mut Plan, order: &Order) -> Result<(), RunError> {
        if let Some(held) = self.store.held_run()?
            && held.head.digest == plan.head.digest
        {
            plan.head.run = held.head.run;
        } else {
            tracing::warn!(run.id = %plan.head.run, "the guard holds run {}", plan.head.run);
        }
        self.keep(plan, order)?;
        self.store
            .write(vec![rows_of::put_note(HELD_NOTE, &plan.head.run)])?;
        Ok(self.store.flush()?)
    }

    /// Moves the cursors, now that every row is durable.
    fn checkpoint(
        &self,
        view: &View<'_>,
        notes: &Notes,
        approved: bool,
        now: Timestamp,
    ) -> Result<(), RunError> {
        let mut ops = Vec::new();
        // What is pushed is counted by whoever has the pen.
        let pen = self.store.pen();
        for name in self
            .inboxes
            .keys()
            .filter(|name| notes.fetched.contains_key(*name))
        {
            let mut state = self.store.source_state(name)?;
            (state.last_run, state.last_complete) = (Some(now), Some(now));
            self.store
                .write(vec![rows_of::put_source_state(name, &state)])?;
        }
        drop(pen);
        let pulled = |name: &String| !self.inboxes.contains_key(name);
        for (name, fetched) in notes.fetched.iter().filter(|(name, _)| pulled(name)) {
            let mut state = self.store.source_state(name)?;
            if let Some(cursor) = &fetched.cursor {
                state.cursor = Some(cursor.clone());
                state.last_complete = Some(now);
                state.failures = 0;
                state.last_error = None;
                if notes.full.contains(name) {
                    state.last_full = Some(now);
                }
            }
            if let Some(report) = notes.head.sources.get(name) {
                (state.users, state.groups) = (report.users, report.groups);
            }
            state.last_run = Some(now);
            ops.push(rows_of::put_source_state(name, &state));
        }
        for (name, error) in &notes.failed {
            let mut state = self.store.source_state(name)?;
            state.failures += 1;
            state.last_error = Some(error.clone());
            state.last_run = Some(now);
            ops.push(rows_of::put_source_state(name, &state));
        }
        // As many as there are bad records: bulk, and harmless to do again.
        let mut bulk = Vec::new();
        let quarantined = self.store.quarantined()?;
        for source in &view.sources {
            let Some(staged) = &source.staged else {
                continue;
            };
            ops.push(rows_of::put_note(&remember::unfinished(&staged.source), ""));
            for (name, id, _) in &quarantined {
                let member = crate::directory::Member::User(crate::directory::UserId::new(id));
                let read = staged.full || staged.number_of(&member).is_some();
                if *name == staged.source && read && !staged.unreadable.contains_key(id) {
                    bulk.push(rows_of::delete_quarantined(name, id));
                }
            }
            for (id, reason) in &staged.unreadable {
                let next_try = now.saturating_add(QUARANTINE).unwrap_or(now);
                let row = Quarantined {
                    reason: reason.clone(),
                    next_try,
                };
                bulk.push(rows_of::put_quarantined(&staged.source, id, &row));
            }
        }
        self.store.write(bulk)?;
        self.store.flush()?;
        for (portal, fingerprint) in &self.fingerprints {
            ops.push(rows_of::put_note(&rules_note(portal), fingerprint));
        }
        let whole = notes.head.mode != Mode::OnDemand;
        for name in notes.fetched.keys().filter(|_| whole) {
            if let Some(scope) = self.scopes.get(name) {
                ops.push(rows_of::put_note(&scope_note(name), scope));
            }
        }
        // A run that read nothing, or only one user, takes no held plan's place, and one of
        // what was pushed only that of another.
        let pushed = notes.head.mode == Mode::Push;
        let held = if pushed { self.store.held_run()? } else { None };
        let takes = !pushed || held.is_some_and(|held| held.head.mode == Mode::Push);
        if approved || (whole && takes && !notes.fetched.is_empty()) {
            ops.push(rows_of::put_note(HELD_NOTE, ""));
        }
        Ok(self.store.transact(ops)?)
    }

    fn apply(
        &self,
        plan: &mut Plan,
        decided: &Decided,
        order: &Order,
        populations: &mut Populations<'_>,
    ) -> Result<(), RunError> {
        let applied = self.tell(plan, order, populations, &decided.away)?;
        if applied.stopped {
            // Every mark stays, as after a crash: the next run decides again what is left.
            plan.head.status = Status::PartlyApplied;
            plan.set_outcomes(applied.exceptions);
            return Ok(self.store.flush()?);
        }
        let owed = &applied.owed;
        let mut settled = Vec::new();
        for (portal, link) in &decided.links {
            let LinkState::Departed {
                settled: false,
                cause,
            } = &link.state
            else {
                continue;
            };
            let place = (b'u', link.source.clone(), link.user.clone());
            if !owed.contains_key(&place)
                && let Some(mut link) = self.store.link(portal, &link.key)?
            {
                link.state = LinkState::Departed {
                    cause: cause.clone(),
                    settled: true,
                };
                settled.extend(put_link(portal, &link));
            }
        }
        self.store.write(settled)?;
        self.store.flush()?;
        settle_marks(&self.store, owed, &decided.watched)?;
        plan.head.status = match applied.exceptions.is_empty() {
            true => Status::Applied,
            false => Status::PartlyApplied,
        };
        plan.set_outcomes(applied.exceptions);
        Ok(())
    }
}
