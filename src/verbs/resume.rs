//! `resume`: verify, take the baton, say what a fresh agent needs.
//!
//! The order of effects is baton, copy, context block: a crash in between
//! leaves a baton that the same session takes again, and nothing else undone
//! that the next run does not do.

use std::collections::BTreeMap;

use serde::Serialize;

use super::batons::{self, Standing};
use super::carried::{self, AtRemote};
use super::lookup::Shelf;
use super::verify::{self, Found};
use super::{Context, Error, Wanted, capture, compose, fetch, pointer};
use crate::baton::{Baton, BatonError, Claim, Claimant};
use crate::config::Source;
use crate::document::briefing::{self, Briefing, Material};
use crate::document::{self, Body, Facts, Section, Store, StoreError, Verdict};
use crate::safety::{escape_path, one_line};
use crate::sync::carry::baton::Manner;
use crate::sys::{FileError, nonce};
use crate::terms::{AnyKey, KeyPrefix};

/// What to resume, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which document; by default the newest of this worktree.
    pub key: Option<KeyPrefix>,
    /// True if a person wants the baton whoever holds it.
    pub take_over: bool,
    /// Where to look for the cluster.
    pub cluster: Option<Source>,
}

/// A document that was verified, and who holds its baton.
pub struct Plan {
    key: AnyKey,
    found: Found,
    who: Claimant,
    take_over: bool,
    /// True if nobody named it: it was the newest of the worktree.
    is_newest: bool,
}

/// What `resume` found and would do.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Preview {
    /// What `verify` says.
    pub verified: verify::Outcome,
    /// What would become of the baton.
    pub baton: Intent,
    /// Claims on other handovers of the worktree that would end with it.
    pub ends: Vec<Claim>,
    /// The copy that agents read, if it would be put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restores: Option<String>,
}

/// What would become of the baton.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "word")]
pub enum Intent {
    /// It is free, and this session would take it.
    Take,
    /// This session holds it already.
    Keep {
        /// The claim.
        claim: Box<Claim>,
    },
    /// This session would take it from another.
    TakeOver {
        /// Whose it is.
        from: Box<Claim>,
    },
    /// The document or the place is not the right one, so nothing would be taken.
    NotTaken,
}

/// What `resume` found and did.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// What `verify` says.
    pub verified: verify::Outcome,
    /// What became of the baton.
    pub baton: Held,
    /// How it stands at the remote; left out where there is none, or none is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<AtRemote>,
    /// From whom it was taken at the remote, because a person said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_from: Option<Box<Claim>>,
    /// What a fresh agent needs; left out if the baton was not to be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub briefing: Option<Briefing>,
    /// What the program established when the document was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// What the agent before said, by section; nobody has checked it.
    pub said: BTreeMap<Section, String>,
    /// The copy that agents read, if it is there.
    pub path: Option<String>,
    /// What should have been written and was not, with the reason.
    pub not_written: Vec<String>,
}

/// What became of the baton.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "word")]
pub enum Held {
    /// This session took it.
    Taken {
        /// The claim.
        claim: Claim,
    },
    /// This session held it before.
    Kept {
        /// The claim.
        claim: Claim,
    },
    /// This session took it from another.
    TakenOver {
        /// The claim.
        claim: Claim,
        /// Whose it was.
        from: Box<Claim>,
    },
    /// The document or the place is not the right one, so nothing was taken.
    NotTaken,
    /// It could not be written down, so nobody else can know of it.
    NotWritten {
        /// Why not.
        why: String,
    },
}

/// Brings the document from the remote if a key was named that nothing here has, and its commits
/// if they are not here.
///
/// # Errors
/// It could not be brought, from where there is a remote.
pub fn bring(context: &Context, options: &Options) -> Result<Option<fetch::Outcome>, Error> {
    let Some(key) = &options.key else { return Ok(None) };
    match Shelf::open(context)?.find(Some(key)) {
        Err(Error::Store(StoreError::NotFound(_))) => {}
        Ok(key) => {
            // What is not here after that is what `verify` says.
            fetch::bring_commits(context, &key)?;
            return Ok(None);
        }
        Err(_) => return Ok(None),
    }
    let wanted = fetch::Options { key: key.clone(), remote: None, digest: None };
    match fetch::run(context, &wanted) {
        Ok(brought) => Ok(Some(brought)),
        // Where no other machine is, the key is unknown, and that is all.
        Err(Error::Fetch(fetch::FetchError::NoRemote)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Verifies; changes nothing.
pub fn plan(context: &Context, options: &Options) -> Result<Plan, Error> {
    let key = Shelf::open(context)?.find(options.key.as_ref())?;
    let found = verify::verify(context, &key, options.cluster.as_ref(), true)?;
    let is_newest = options.key.is_none();
    Ok(Plan { key, found, who: batons::claimant(context), take_over: options.take_over, is_newest })
}

/// What [`execute`] would do now.
///
/// # Errors
/// As [`execute`], where it would refuse.
pub fn preview(context: &Context, plan: &Plan) -> Result<Preview, Error> {
    let verified = plan.found.outcome.clone();
    let mut preview = Preview { verified, baton: Intent::NotTaken, ends: Vec::new(), restores: None };
    if !plan.is_good() || plan.found.facts.is_none() {
        return Ok(preview);
    }
    let shelf = Shelf::open(context)?;
    let Standing { mine, others } = granted(context, &shelf, plan)?;
    let (key, who) = (&plan.key, &plan.who);
    let mut claims: Vec<Claim> = mine.into_iter().chain(others).collect();
    preview.baton = match claims.iter().position(|claim| claim.key == *key).map(|at| claims.remove(at)) {
        None => Intent::Take,
        Some(claim) if claim.who.is_same_session(who) => Intent::Keep { claim: Box::new(claim) },
        Some(claim) => Intent::TakeOver { from: Box::new(claim) },
    };
    preview.ends = claims;
    let path = shelf.copy.path(key);
    let is_missing = !path.exists() && !shelf.store.archive_marker(key).exists();
    preview.restores = is_missing.then(|| escape_path(&path));
    Ok(preview)
}

impl Plan {
    /// True if this is the document, and nothing says that its place is another.
    fn is_good(&self) -> bool {
        let verdict = &self.found.outcome.verdict;
        verdict.is_yes() || matches!(verdict, Verdict::PlaceUnknown { .. })
    }
}

/// Takes the baton, puts the copy and the context block back, and makes the briefing.
///
/// # Errors
/// [`Error::Held`] if another holds a baton of the worktree and it is not to be taken over.
pub fn execute(context: &Context, plan: Plan) -> Result<Outcome, Error> {
    let is_good = plan.is_good();
    let found = &plan.found;
    let mut outcome = Outcome {
        verified: found.outcome.clone(),
        baton: Held::NotTaken,
        remote: None,
        remote_from: None,
        briefing: None,
        facts: None,
        said: BTreeMap::new(),
        path: None,
        not_written: Vec::new(),
    };
    let Some(facts) = found.facts.as_ref().filter(|_| is_good) else { return Ok(outcome) };
    let shelf = Shelf::open(context)?;
    // Of two sessions that resume two handovers of one worktree at once, the
    // second is to see what the first took.
    let lock = batons::alone(context, "take a baton")?;
    if plan.take_over {
        let aside = batons::put_damaged_aside(context, &shelf, Some(&plan.key))?;
        outcome.verified.notes.extend(aside);
    }
    let standing = granted(context, &shelf, &plan)?;
    if plan.is_newest && shelf.find(None)? != plan.key {
        return Err(Error::Busy {
            what: "another handover of this worktree was sealed a moment ago".to_owned(),
            hint: "the same command again takes that one".to_owned(),
        });
    }
    let Plan { key, found, who, .. } = &plan;
    let holder = standing.others.iter().find(|claim| claim.key == *key).cloned();
    outcome.baton = match take(context, key, who, holder) {
        // An agent's sandbox may forbid the git directory.
        Err(BatonError::File(e)) if e.is_forbidden() => Held::NotWritten { why: reason(&e) },
        held => held?,
    };
    // The remote may take its time, and nobody here is to wait for it.
    drop(lock);
    at_remote(context, &plan, &mut outcome)?;
    let lock = batons::alone(context, "take a baton")?;
    let rest = standing.mine.iter().chain(&standing.others).filter(|claim| claim.key != *key);
    let mut let_go = Vec::new();
    for claim in rest {
        match batons::let_go(context, who, claim) {
            Some(why) => outcome.not_written.push(why),
            None => let_go.push(claim.key.clone()),
        }
    }
    // Nobody seals another between the look at the newest and the pointer to it.
    restore(context, &shelf, key, found, &mut outcome);
    drop(lock);
    let told = let_go.iter().filter_map(|key| carried::batons::told_in_words(context, key));
    outcome.verified.notes.extend(told);
    let text = String::from_utf8_lossy(&found.bytes);
    let body = Body::read(document::body_of(&text).as_bytes())?;
    outcome.said = Section::ALL
        .into_iter()
        .filter_map(|section| Some((section, body.text(section)?.to_owned())))
        .collect();
    outcome.briefing = Some(brief(context, found, facts, &body, &outcome)?);
    outcome.facts = Some(facts.clone());
    Ok(outcome)
}

/// Has the remote confirm what was taken here. Where another holds it there, what was taken a
/// moment ago is given back.
fn at_remote(context: &Context, plan: &Plan, outcome: &mut Outcome) -> Result<(), Error> {
    let Some(claim) = outcome.baton.claim() else { return Ok(()) };
    let manner = if plan.take_over { Manner::TakeOver } else { Manner::Resume };
    match carried::batons::take(context, claim, manner) {
        Ok(None) => {}
        Ok(Some(taken)) => {
            if let Some(passed_on) = &taken.passed_on {
                outcome.verified.notes.push(passed_on_in_words(passed_on));
            }
            outcome.remote = Some(taken.at);
            outcome.remote_from = taken.from;
        }
        Err(error) => {
            let was_held = matches!(outcome.baton, Held::Kept { .. });
            if !was_held {
                carried::batons::give_back(context, claim);
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Where the work went on, if it did so elsewhere.
fn passed_on_in_words(claim: &Claim) -> String {
    match &claim.successor {
        Some(next) => format!(
            "at the remote this handover was passed on to {next} by {claim}; to bring that one: handover fetch {next}"
        ),
        None => format!("at the remote this handover was passed on by {claim}"),
    }
}

/// Who holds what, if the baton may be taken.
fn granted(context: &Context, shelf: &Shelf, plan: &Plan) -> Result<Standing, Error> {
    let standing = standing(context, shelf, plan)?;
    if standing.others.is_empty() || plan.take_over {
        return Ok(standing);
    }
    let (wanted, now) = (Wanted::Resume(plan.key.clone()), context.now);
    Err(Error::Held { wanted, holders: standing.others, now })
}

/// Who holds the batons of this worktree, and that of the document, wherever it
/// was made. Nobody who says no session is known to be the same as before.
fn standing(context: &Context, shelf: &Shelf, plan: &Plan) -> Result<Standing, Error> {
    let Plan { key, who, take_over, .. } = plan;
    let is_mine = |holder: &Claimant| holder.is_same_session(who);
    let mut standing = batons::standing(context, shelf, *take_over, is_mine)?;
    let own = match Baton::of(context.world, &context.home(), key).holder() {
        Err(BatonError::Damaged { .. }) if *take_over => None,
        own => own?,
    };
    if let Some(own) = own.filter(|own| !standing.mine.contains(own) && !standing.others.contains(own)) {
        let list = if is_mine(&own.who) { &mut standing.mine } else { &mut standing.others };
        list.push(own);
    }
    // The one that was asked for is named first.
    standing.others.sort_by_key(|claim| claim.key != *key);
    Ok(standing)
}

/// Takes the baton: from `from` if a person said so, else if it is free or ours.
fn take(context: &Context, key: &AnyKey, who: &Claimant, from: Option<Claim>) -> Result<Held, BatonError> {
    let baton = Baton::of(context.world, &context.home(), key);
    if let Some(from) = from.filter(|from| !from.who.is_same_session(who)) {
        let claim = baton.take_over(who, &from.nonce)?;
        return Ok(Held::TakenOver { claim, from: Box::new(from) });
    }
    let taken = baton.take(who)?;
    Ok(if taken.was_held { Held::Kept { claim: taken.claim } } else { Held::Taken { claim: taken.claim } })
}

/// Puts back what `git clean` or a slip took away. An edited copy was refused before.
fn restore(context: &Context, shelf: &Shelf, key: &AnyKey, found: &Found, outcome: &mut Outcome) {
    let is_archived = shelf.store.archive_marker(key).exists();
    let path = if is_archived { shelf.copy.archived_path(key) } else { shelf.copy.path(key) };
    if path.exists() {
        outcome.path = Some(escape_path(&path));
    } else if !is_archived {
        match shelf.copy.write(context.world, key, &found.bytes) {
            Ok(()) => outcome.path = Some(escape_path(&path)),
            Err(e) => outcome.not_written.push(format!("the copy: {}", reason(&e))),
        }
    }
    if let Err(e) = pointer::refresh(context, shelf) {
        outcome.not_written.push(format!("the context block: {e}"));
    }
}

fn brief(
    context: &Context,
    found: &Found,
    facts: &Facts,
    body: &Body,
    outcome: &Outcome,
) -> Result<Briefing, FileError> {
    let repository = &context.repository;
    let nonce = nonce::<8>().map_err(|e| FileError::new("read", "/dev/urandom".as_ref(), e))?;
    let place = found.place.as_ref();
    let key = AnyKey::Proving(facts.key);
    let stored = Store::new(context.home()).load(&key).ok().flatten();
    let is_proved = stored.is_some_and(|stored| stored.digest.is_some());
    let proved = if is_proved { "intact" } else { "matches its key only; nobody here kept its full digest" };
    let verdict = match &found.outcome.verdict {
        Verdict::PlaceUnknown { why } => {
            format!("{proved}; whether this is its place is unknown: {}", one_line(why, 200))
        }
        _ => proved.to_owned(),
    };
    let mut notes: Vec<String> = outcome.verified.notes.iter().chain(&outcome.not_written).cloned().collect();
    notes.extend(said_before(context, facts, body));
    Ok(briefing::brief(&Material {
        facts,
        body,
        worktree: &escape_path(repository.worktree()),
        branch: place.and_then(|place| place.branch.as_deref()),
        head: place.and_then(|place| place.head.as_ref()),
        operation: place.and_then(capture::Place::operation_in_words).as_deref(),
        files: place.map(|place| &place.files),
        is_proved,
        verdict: &verdict,
        baton: &outcome.baton_in_words(),
        jobs: &found.jobs,
        sweeps: &found.sweeps,
        moved: &found.outcome.moved,
        unchecked: &found.outcome.unchecked,
        notes: &notes,
        superseded_by: &found.outcome.superseded_by,
        now: context.now,
        nonce: &nonce,
    }))
}

/// Where more is said than in this document: in the one that it follows.
fn said_before(context: &Context, facts: &Facts, body: &Body) -> Vec<String> {
    let Some(parent) = &facts.parent else { return Vec::new() };
    let Ok(shelf) = Shelf::open(context) else { return Vec::new() };
    let Some(before) = compose::said_before(&shelf, &parent.key, body, facts) else { return Vec::new() };
    let key = &parent.key;
    let (now, then) = (before.now, before.then);
    let more =
        format!("the one before it says more ({then} of 100 points against {now}): handover show {key}");
    let goal = before.goal.map(|goal| format!("the goal, as {key} says it: {}", one_line(&goal, 120)));
    [more].into_iter().chain(goal).collect()
}

impl Outcome {
    /// Who has the baton, here and at the remote.
    fn baton_in_words(&self) -> String {
        let here = self.baton.sentence();
        match &self.remote {
            None => here,
            Some(AtRemote::Confirmed { remote }) => format!("{here}; confirmed at {remote}"),
            Some(other) => format!("{here}; {}", other.doubt().unwrap_or_default()),
        }
    }
}

impl Held {
    /// The claim of this session, if it has one.
    pub fn claim(&self) -> Option<&Claim> {
        match self {
            Held::Taken { claim } | Held::Kept { claim } | Held::TakenOver { claim, .. } => Some(claim),
            Held::NotTaken | Held::NotWritten { .. } => None,
        }
    }

    /// Who has the baton, in words.
    pub fn sentence(&self) -> String {
        match self {
            Held::Taken { claim } => format!("yours, {claim}"),
            Held::Kept { claim } => format!("yours as before, {claim}"),
            Held::TakenOver { claim, from } => format!("yours, {claim}; taken over from {from}"),
            Held::NotTaken => "not taken".to_owned(),
            Held::NotWritten { why } => format!("NOT taken, another agent may resume too: {why}"),
        }
    }
}

fn reason(error: &FileError) -> String {
    format!("{error}: {}", error.source)
}
