//! One look at everything that is watched: what is new is read, judged, told
//! and kept.

use super::kept::{self, Kept};
use super::scene::{Scene, Seen, Target};
use super::study::Studied;
use super::{Event, Round, Tell, Told, Watch};
use crate::cluster::{Origin, Problem, Snapshot};
use crate::safety;
use crate::sweep::memory::{self, Expected, Known, Memory, Standing};
use crate::sweep::vital::vital;
use crate::sweep::{self, Decision, Kind, Rules, Sweep};
use crate::terms::{Seconds, TaskIds};
use crate::verbs::Error;
use crate::verbs::evidence::{self, Ground};
use crate::verbs::sweep::settle::{Settled, Statement};

/// A sweep in which no task changed is judged again after this long: logs and
/// trackers go on.
const AGAIN: Seconds = Seconds(1800);
/// What problems with logs and folders are about.
const EVIDENCE: &str = "evidence";

impl Watch<'_> {
    /// Looks at everything once: tells, remembers, stores.
    pub(super) fn round<E: From<Error>>(
        &mut self,
        scene: &mut Scene,
        tell: &mut Tell<E>,
    ) -> Result<Round, E> {
        let at = self.context.now;
        self.looks += 1;
        let mut round = Round::default();
        let seen = scene.see(&self.context);
        let mut settled = Settled::read(Some(&self.home));
        if let Some(what) = settled.unread.take() {
            scene.snapshot.problems.push(Problem { about: "settled".to_owned(), what });
        }
        for (number, seen) in seen.into_iter().enumerate() {
            let seen = self.study(scene, number, seen, &settled);
            let Some(now) = seen.memory else { continue };
            let Some(target) = scene.targets.get_mut(number) else { continue };
            let before = target.kept.as_ref().map(|kept| &kept.memory);
            let changes = memory::changes(before, &now);
            let was = before.and_then(Memory::decision);
            let asks = target.settled.is_none() && now.decision() == Some(Decision::Intervene);
            round.intervene |= asks && was != now.decision();
            round.changed |= before.is_some() && !changes.is_empty();
            self.changes += changes.len() as u64;
            for change in &changes {
                tell(&Event::Change(Told {
                    at,
                    key: target.key.clone(),
                    name: now.look.name.clone(),
                    kind: target.kind,
                    change: change.clone(),
                }))?;
            }
            let kept = target.kept.get_or_insert_with(|| Kept::new(now.clone()));
            kept.add(now, &changes);
            self.keep(target, tell)?;
        }
        self.say_problems(scene, tell)?;
        Ok(round)
    }

    /// Reads what is new of a target and judges it, if enough of it is known
    /// here and something changed, or nobody judged for a while.
    fn study(&self, scene: &mut Scene, number: usize, mut seen: Seen, settled: &Settled) -> Seen {
        let Scene { targets, snapshot, questions, .. } = scene;
        let (Some(target), Some(now)) = (targets.get_mut(number), seen.memory.take()) else { return seen };
        let mut now = now;
        let before = target.kept.as_ref().map(|kept| &kept.memory);
        now.standing = before.and_then(|before| before.standing.clone());
        let mut evidence = Vec::new();
        if let Some(sweep) = &seen.sweep {
            let settings = self.context.config.sweeps.of(&sweep.key, &sweep.name);
            let ground = Ground { sweeps: &settings, ..self.ground(snapshot) };
            let studied = {
                let evidence = target.followed.tasks(snapshot, sweep, &target.cancelled);
                target.study.follow(target.followed.ids().collect());
                target.study.look(&ground, snapshot, sweep, evidence, self.is_last())
            };
            questions.files += u64::from(studied.calls);
            let problem = |what: &String| Problem { about: EVIDENCE.to_owned(), what: what.clone() };
            snapshot.problems.extend(studied.problems.iter().map(problem));
            let progress = sweep::progress(&studied.evidence, ground.sweeps);
            let vital = vital(&studied.evidence, &progress, self.context.now);
            now.with_course(progress, vital);
            let same = before.is_some_and(|before| before.look == now.look) && !studied.is_new;
            let is_recent = target.judged.is_some_and(|at| at.age(self.context.now) < AGAIN);
            if seen.is_whole && !(same && is_recent) {
                target.judged = Some(self.context.now);
                self.judge(&ground, sweep, &studied, target.study.open(), &mut now);
            }
            evidence = studied.evidence;
        }
        if let Some(before) = before {
            now = now.carried(before);
        }
        target.settled = settled.of_memory(&now, &evidence).map(Statement::in_words);
        if target.followed.note_unseen(&now) && !self.is_last() {
            target.study.wait();
        }
        // File servers show late what was written elsewhere.
        let is_new = before.is_some_and(|before| !before.is_over());
        let is_local = snapshot.origin == Origin::Local;
        match self.results(target, &now, is_local) {
            Some(Ok(found)) if found.lacking() > 0 && is_new && !self.is_last() => target.study.wait(),
            Some(Ok(found)) => now.results = Some(found),
            Some(Err(what)) => {
                now.results = before.and_then(|before| before.results.clone());
                snapshot.problems.push(Problem { about: EVIDENCE.to_owned(), what });
            }
            None => {}
        }
        seen.memory = Some(now);
        seen
    }

    /// The results of a whole sweep that is over, if it is known how many there
    /// must be, and it works in this repository.
    fn results(&self, target: &Target, now: &Memory, is_local: bool) -> Option<Result<Expected, String>> {
        if !now.is_over() || now.look.tasks.is_empty() {
            return None;
        }
        // They lie where the jobs worked, which may be another worktree.
        let mut roots = target.study.works_in(&self.worktrees, is_local)?;
        roots.extend(self.roots.iter().filter(|root| !roots.contains(root)).cloned().collect::<Vec<_>>());
        let array = (now.kind == Kind::Array).then(|| now.look.key.parse().ok()).flatten();
        let settings = self.context.config.sweeps.of(&now.look.key, &now.look.name);
        let found = evidence::results_of_sweep(&settings, &roots, array)?;
        Some(found.map(|found| Expected {
            expected: found.expected,
            present: found.present,
            missing: found.missing.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
        }))
    }

    pub(super) fn ground(&self, snapshot: &Snapshot) -> Ground<'_> {
        let look = crate::verbs::snapshot::here(&self.context);
        Ground {
            depth: crate::checkpoint::Depth::Structure,
            world: self.context.world,
            sweeps: &self.context.config.sweeps,
            logs: &self.context.config.logs,
            table: &self.table,
            roots: self.roots.clone(),
            look: (snapshot.origin == Origin::Local).then_some(look),
            now: self.context.now,
            until: None,
            within: Vec::new(),
        }
    }

    fn judge(&self, ground: &Ground, sweep: &Sweep, studied: &Studied, open: &TaskIds, now: &mut Memory) {
        let rules = Rules {
            settings: ground.sweeps,
            table: &self.table,
            parameters: &studied.parameters,
            now: Some(self.context.now),
        };
        let judgement = sweep::judge(sweep, &studied.evidence, &rules);
        let looked = studied.evidence.iter().filter_map(|task| task.looked.as_deref());
        let missing =
            looked.flat_map(|looked| &looked.missing).map(|path| path.to_string_lossy().into_owned());
        now.standing = Some(Standing::of(&judgement, missing, open));
        Known::contradictions(&judgement).into_iter().for_each(|finding| now.add_finding(finding));
    }

    /// True if what is not there now will not be looked for again.
    pub(super) fn is_last(&self) -> bool {
        self.options.once || self.lingered || self.at_horizon
    }

    fn keep<E: From<Error>>(&mut self, target: &mut Target, tell: &mut Tell<E>) -> Result<(), E> {
        let Some(kept) = &target.kept else { return Ok(()) };
        let look = &kept.memory.look;
        let readings = kept::readings(&self.home, &look.key);
        let world = self.context.world;
        let wrote =
            kept.write(world, &self.home).and_then(|()| target.study.write(world, &readings, &look.key));
        match wrote {
            Err(error) if !self.unkept => {
                self.unkept = true;
                let what = format!("the next watch will start from nothing: {error}");
                tell(&Event::Trouble { at: self.context.now, what, is_over: false })
            }
            _ => Ok(()),
        }
    }

    /// Tells what is the matter with the answers, once for as long as it is.
    fn say_problems<E: From<Error>>(&mut self, scene: &Scene, tell: &mut Tell<E>) -> Result<(), E> {
        let now: Vec<String> = scene
            .snapshot
            .problems
            .iter()
            .map(|problem| format!("{}: {}", problem.about, problem.what))
            .collect();
        for what in now.iter().filter(|what| !self.problems.contains(what)) {
            let what = safety::one_line(what, 300);
            tell(&Event::Trouble { at: self.context.now, what, is_over: false })?;
        }
        // Not everything is read at each look: what could not be is said once.
        let before = std::mem::replace(&mut self.problems, now);
        self.problems.extend(before.into_iter().filter(|what| what.starts_with(EVIDENCE)));
        self.problems.sort_unstable();
        self.problems.dedup();
        Ok(())
    }

    /// True once, if all is over and a log or a result may still be on its way.
    pub(super) fn lingers(&mut self, scene: &Scene) -> bool {
        let lingers = !self.is_last() && scene.targets.iter().any(|target| target.study.is_open());
        self.lingered |= lingers;
        lingers
    }
}
