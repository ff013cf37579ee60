//! Puts a document together: what the program sees, what the agent says, what
//! moved since the parent. Changes nothing; `draft` and `create` share it.

use super::lookup::Shelf;
use std::sync::Arc;

use super::{Context, Error, Identity, capture, cluster_facts, moved, snapshot, sweep_facts};
use crate::config::Source;
use crate::document::{
    self, Body, Facts, Lint, Parent, Relation, RepositoryFact, SCHEMA, Section, Since, Sizes, StandingFact,
    StoreError, lint, placeholder,
};
use crate::safety::{Redactions, code_span, redact};
use crate::terms::{AnyKey, KeyPrefix, Seconds, Time, by_number, counted};
use crate::worktree::registry;

/// What to put together.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// What the agent says.
    pub body: Body,
    /// The parent, if it is not the newest document of this worktree.
    pub parent: Option<KeyPrefix>,
    /// What the new document is to its parent.
    pub relation: Relation,
    /// What it continues besides; found by itself for all but a side handover.
    pub joins: Vec<AnyKey>,
    /// Where to look for the cluster, if not where the settings say.
    pub cluster: Option<Source>,
    /// True if no logs, run folders or checkpoints are to be read.
    pub quick: bool,
}

/// What the agent says, section by section, as it comes from options.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// What the work is about.
    pub focus: Option<String>,
    /// A status word and a sentence.
    pub status: Option<String>,
    /// What the work is for.
    pub goal: Option<String>,
    /// The one thing to do next.
    pub next: Option<String>,
    /// What was done, and why.
    pub done: Vec<String>,
    /// What is to be done.
    pub pending: Vec<String>,
    /// What was verified.
    pub evidence: Vec<String>,
    /// What jobs are for.
    pub jobs: Vec<String>,
    /// What to do if something happens.
    pub if_then: Vec<String>,
    /// What was decided.
    pub decisions: Vec<String>,
    /// What does not work.
    pub dead_ends: Vec<String>,
    /// What is assumed, or open.
    pub assumptions: Vec<String>,
    /// What can hurt.
    pub hazards: Vec<String>,
    /// What to read.
    pub pointers: Vec<String>,
}

impl Said {
    /// The body that says this.
    pub fn body(self) -> Body {
        let mut body = Body::default();
        body.focus = self.focus;
        for (section, text) in
            [(Section::Status, self.status), (Section::Goal, self.goal), (Section::Next, self.next)]
        {
            if let Some(text) = text {
                body.set(section, &text);
            }
        }
        let lists = [
            (Section::Changed, self.done),
            (Section::Pending, self.pending),
            (Section::Evidence, self.evidence),
            (Section::Jobs, self.jobs),
            (Section::IfThen, self.if_then),
            (Section::Decisions, self.decisions),
            (Section::DeadEnds, self.dead_ends),
            (Section::Assumptions, self.assumptions),
            (Section::Hazards, self.hazards),
            (Section::Pointers, self.pointers),
        ];
        for (section, items) in lists {
            items.iter().for_each(|item| body.add_item(section, item));
        }
        body
    }
}

/// A document in parts, ready to be rendered.
#[derive(Debug, Clone)]
pub struct Composed {
    /// The facts, with a placeholder for the key.
    pub facts: Facts,
    /// The body, secrets taken out.
    pub body: Body,
    /// What moved since the parent.
    pub since: Option<Since>,
    /// What is missing.
    pub lint: Lint,
    /// Remarks for the person who asked.
    pub notes: Vec<String>,
}

/// Looks at everything and puts it together, dated `created`.
pub fn compose(context: &Context, shelf: &Shelf, wish: &Wish, created: Time) -> Result<Composed, Error> {
    let mut notes = Vec::new();
    let Ancestry { parent, joins, sides } = ancestry(shelf, wish, &mut notes)?;
    // The cluster's answers take longest; git is asked meanwhile.
    let (place, snapshot) = std::thread::scope(|threads| {
        let snapshot = threads.spawn(|| snapshot::take(context, wish.cluster.as_ref()));
        let place = capture::place(context);
        let snapshot = snapshot.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (place, snapshot)
    });
    let (place, snapshot) = (place?, Arc::new(snapshot?));
    let budget = if wish.quick { Seconds(0) } else { context.config.sweeps.budget };
    let sweeps = sweep_facts::of(context, &snapshot, budget);
    let (cluster, jobs) = cluster_facts::of(&snapshot, created);
    let identity = Identity::of(&context.world.environment);
    let mut body = wish.body.clone();
    let since = match &parent {
        Some(parent) => {
            let now = ClusterSeen { snapshot: &snapshot, sweeps: sweeps.as_ref() };
            since(context, shelf, parent, &place, &now, created)?
        }
        None => None,
    };
    let since = since.map(|mut since| {
        since.lines.extend(sides);
        since
    });
    if body.focus.is_none() {
        body.focus = parent.as_ref().and_then(|parent| inherited_focus(shelf, &parent.key));
    }
    if body.focus.is_none() {
        // What `start` was told.
        body.focus = registry::entry_here(&context.repository)?.and_then(|entry| entry.focus);
    }
    let mut redactions = Redactions::new();
    body.map_texts(|text| redact(text, &mut redactions).into_owned());
    let mut facts = Facts {
        schema: SCHEMA.to_owned(),
        key: placeholder(created),
        parent,
        joins,
        created,
        host: identity.host,
        user: identity.user,
        agent: identity.agent,
        session: identity.session,
        base: capture::base(context, place.head.as_ref())?,
        stashes: capture::stashes(context)?,
        worktree: place.worktree,
        branch: place.branch,
        repository: RepositoryFact { remote: capture::remote(context)?, ..place.repository },
        upstream: place.upstream,
        upstream_ahead_behind: place.upstream_ahead_behind,
        head: place.head,
        operation: place.operation.map(|operation| operation.to_string()),
        operation_branch: place.operation_branch,
        state_id: place.state_id,
        files: place.files,
        cluster,
        jobs,
        sweeps,
        redactions: Redactions::new(),
        sizes: Sizes { body: 0, sections: u32::try_from(body.len()).unwrap_or(u32::MAX) },
    };
    redact_facts(&mut facts, &mut redactions);
    facts.redactions = redactions;
    facts.shorten();
    if let Some(parent) = facts.parent.as_ref().filter(|parent| parent.relation == Relation::Continues)
        && let Some(before) = said_before(shelf, &parent.key, &body, &facts)
    {
        let key = &parent.key;
        notes.push(format!(
            "it says less than the one that it follows, {key} ({} of 100 against {}): say it again, or correct that \
             one: handover create --amend {key}",
            before.now, before.then
        ));
    }
    notes.extend(uncommitted(&facts));
    notes.extend(of_others(context, &facts));
    let mut lint = lint(&body, &facts);
    if is_other_projects(&facts) {
        // Nobody here can say what those jobs are for.
        lint.without_jobs();
    }
    Ok(Composed { facts, body, since, lint, notes })
}

/// A document that says much more than the one that follows it.
pub(super) struct SaidBefore {
    /// Its score.
    pub then: u32,
    /// The score of the one that follows.
    pub now: u32,
    /// Its goal, if the one that follows says none.
    pub goal: Option<String>,
}

/// What the document before this one says, if that is much more.
pub(super) fn said_before(shelf: &Shelf, before: &AnyKey, body: &Body, facts: &Facts) -> Option<SaidBefore> {
    /// So many points are much.
    const MUCH: u32 = 30;
    let bytes = shelf.bytes(before).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let (then, said) = document::read(&text).ok()?;
    let said = Body::read(said.as_bytes()).ok()?;
    let (then, now) = (lint(&said, &then).score, lint(body, facts).score);
    let goal = said.text(Section::Goal).filter(|_| body.text(Section::Goal).is_none()).map(str::to_owned);
    (then >= now + MUCH).then_some(SaidBefore { then, now, goal })
}

/// What the next agent sees only in this very worktree.
fn uncommitted(facts: &Facts) -> Option<String> {
    let count = facts.files.listed.len() + facts.files.omitted as usize;
    let (are, them) = by_number(count, ("is", "it"), ("are", "them"));
    (count > 0).then(|| {
        let files = counted(count, "file");
        format!("{files} {are} not committed: in another worktree or clone nobody will see {them}")
    })
}

/// Sweeps that work elsewhere on this machine are told, and asked of nobody here.
fn of_others(context: &Context, facts: &Facts) -> Option<String> {
    let settings = &context.config.cluster;
    let foreign = facts.sweeps.iter().flat_map(|sweeps| &sweeps.listed).filter(|sweep| sweep.is_foreign());
    let count = foreign.count();
    let sweeps = format!("{} {}", counted(count, "sweep"), by_number(count, "works", "work"));
    (count > 0 && settings.names.is_empty() && settings.ids.is_empty()).then(|| {
        format!(
            "{sweeps} in no worktree of this repository; `names` below `cluster` in .handover.yaml says which jobs are this project's"
        )
    })
}

/// True if every live job is of a sweep that works in no worktree of this repository.
fn is_other_projects(facts: &Facts) -> bool {
    let sweeps: Vec<_> = facts.sweeps.iter().flat_map(|sweeps| &sweeps.listed).collect();
    let is_foreign = |job: &document::JobFact| {
        let is_it = |sweep: &&&document::SweepFact| {
            sweep.key == job.id.base.to_string() || sweep.key == sweep.name && job.name == sweep.name
        };
        sweeps.iter().find(is_it).is_some_and(|sweep| sweep.is_foreign())
    };
    facts.jobs.as_ref().is_some_and(|jobs| !jobs.listed.is_empty() && jobs.listed.iter().all(is_foreign))
}

/// What a document follows.
struct Ancestry {
    parent: Option<Parent>,
    /// What else it continues.
    joins: Vec<AnyKey>,
    /// The side handovers among those, in a sentence each.
    sides: Vec<String>,
}

/// The parent, and what else the document continues: several newest documents
/// were made side by side, or another session left a side handover, and the next one joins them.
fn ancestry(shelf: &Shelf, wish: &Wish, notes: &mut Vec<String>) -> Result<Ancestry, Error> {
    let relation = wish.relation;
    let lineage = shelf.lineage()?;
    let mut found = Ancestry { parent: None, joins: Vec::new(), sides: Vec::new() };
    if let Some(prefix) = &wish.parent {
        found.parent = Some(Parent { key: shelf.find(Some(prefix))?, relation });
    } else {
        match lineage.leaf(&shelf.here()) {
            Ok(leaf) => found.parent = Some(Parent { key: leaf.key.clone(), relation }),
            Err(StoreError::None) if relation == Relation::Beside => {
                return Err(Error::Usage {
                    what: "cannot create a side handover: this worktree has none yet to stand beside"
                        .to_owned(),
                    hint: "leave --side out: handover create".to_owned(),
                });
            }
            Err(StoreError::None) => {}
            Err(StoreError::SeveralLeaves { keys }) => {
                let newest =
                    keys.iter().max_by_key(|key| lineage.get(key).and_then(|entry| entry.created)).cloned();
                if let (Some(newest), true) = (&newest, relation != Relation::Beside) {
                    notes.push(format!(
                        "several handovers of this worktree had no successor; this one continues {newest} and joins the others"
                    ));
                }
                found.joins = keys.into_iter().filter(|key| Some(key) != newest.as_ref()).collect();
                found.parent = newest.map(|key| Parent { key, relation });
            }
            Err(e) => return Err(e.into()),
        }
    }
    if relation == Relation::Beside {
        found.joins.clone_from(&wish.joins);
        return Ok(found);
    }
    for side in lineage.open_sides(&shelf.here()) {
        if found.parent.as_ref().is_none_or(|parent| parent.key != side.key) {
            let about =
                side.focus.as_deref().map_or(String::new(), |focus| format!(", {}", code_span(focus)));
            let key = &side.key;
            found
                .sides
                .push(format!("a side handover was made: {key}{about}; read it: `handover show {key}`"));
            found.joins.push(key.clone());
        }
    }
    notes.extend(found.sides.iter().map(|side| format!("this document joins what was beside: {side}")));
    Ok(found)
}

/// The cluster as the new document has it.
struct ClusterSeen<'c> {
    snapshot: &'c crate::cluster::Snapshot,
    sweeps: Option<&'c document::SweepsFact>,
}

/// What moved between the parent and now; `None` for a parent that cannot be read.
fn since(
    context: &Context,
    shelf: &Shelf,
    parent: &Parent,
    place: &capture::Place,
    now: &ClusterSeen,
    created: Time,
) -> Result<Option<Since>, Error> {
    let bytes = shelf.bytes(&parent.key)?;
    let text = String::from_utf8_lossy(&bytes);
    let Ok((then, body)) = document::read(&text) else { return Ok(None) };
    let said = Body::read(body.as_bytes()).unwrap_or_default();
    let again = now.sweeps.map(|sweeps| sweeps.listed.clone()).unwrap_or_default();
    let cluster = moved::ClusterNow::of(context, &then, now.snapshot, again);
    let moved = moved::since(context, &then, place, &cluster)?;
    Ok(Some(Since {
        parent: parent.key.to_string(),
        age: then.created.age(created),
        lines: moved.into_iter().map(|moved| moved.what).collect(),
        planned: said.text(Section::Next).map(str::to_owned),
        goal: said.text(Section::Goal).map(str::to_owned),
    }))
}

/// What the parent was said to be about; the name of a branch stands in for nothing said.
fn inherited_focus(shelf: &Shelf, parent: &AnyKey) -> Option<String> {
    let bytes = shelf.bytes(parent).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let (facts, body) = document::read(&text).ok()?;
    let said = Body::read(body.as_bytes()).ok()?.focus;
    said.filter(|focus| facts.branch.as_ref() != Some(focus))
}

/// Texts from outside that stand in the front matter may hold secrets too: a
/// login in a path, a token in a job's name.
fn redact_facts(facts: &mut Facts, counts: &mut Redactions) {
    let mut clean = |text: &mut String| *text = redact(text, counts).into_owned();
    for job in facts.jobs.iter_mut().flat_map(|jobs| &mut jobs.listed) {
        clean(&mut job.name);
        job.work_dir.as_mut().map(&mut clean);
        job.stdout.as_mut().map(&mut clean);
    }
    facts.files.listed.iter_mut().for_each(|file| clean(&mut file.path));
    facts.branch.as_mut().map(&mut clean);
    facts.operation_branch.as_mut().map(&mut clean);
    for sweep in facts.sweeps.iter_mut().flat_map(|sweeps| &mut sweeps.listed) {
        clean(&mut sweep.name);
        clean(&mut sweep.key);
        sweep.standing.iter_mut().flat_map(StandingFact::texts_mut).for_each(&mut clean);
    }
    facts.cluster.problems.iter_mut().for_each(&mut clean);
    facts.cluster.detail.as_mut().map(&mut clean);
}
