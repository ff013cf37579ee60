//! `create`: seals a handover in one step.
//!
//! The order of writing is document, copy, context block, the end of the
//! parent's baton, draft: each thing that points is written after what it points to. A crash in between leaves
//! either no document or a whole one; the next `create` mends the pointers.

use std::path::PathBuf;

use serde::Serialize;

use super::batons::{self, Standing};
use super::carried::documents::{self, Published};
use super::carried::{self, Abroad};
use super::compose::{Composed, Wish, compose};
use super::lookup::Shelf;
use super::{Context, Error, Wanted, pointer};
use crate::baton::PassedOn;
use crate::document::{self, Body, Facts, Lint, Relation, Sealed, StoreError, render, seal, startup};
use crate::safety::{Redactions, escape_path};
use crate::terms::{AnyKey, Digest, Key, KeyPrefix, Seconds};
use crate::worktree::{Block, context as block};

/// How often another second is tried when a key is taken.
const TRIES: u64 = 5;

/// What to seal.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What the agent says, the parent, the cluster.
    pub wish: Wish,
    /// The document whose edited copy is sealed anew.
    pub amend: Option<KeyPrefix>,
    /// A body from a file, which the options override; the draft then stays as it is.
    pub file: Option<Vec<u8>>,
    /// What to do where another holds the baton of this worktree.
    pub manner: Manner,
    /// True if the document goes to the remote at once.
    pub push: bool,
}

/// What a new handover is to the one whose baton another holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    /// Its successor, which only the holder makes.
    #[default]
    Next,
    /// Its successor, because a person said so.
    TakeOver,
    /// No successor: it stands beside the newest one, which stays what it is.
    Side,
}

/// A document that is ready to be written.
#[derive(Debug, Clone)]
pub struct Plan {
    sealed: Sealed,
    facts: Facts,
    composed: Composed,
    draft: Option<PathBuf>,
    manner: Manner,
    push: bool,
    /// The newest of the worktree as they were when this was made; `None` for one
    /// that stands beside them.
    leaves: Option<Vec<AnyKey>>,
}

/// What was written, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The key.
    pub key: Key,
    /// The full digest.
    pub digest: Digest,
    /// The document that this one continues or amends, or beside which it stands.
    pub parent: Option<AnyKey>,
    /// True if it is a side handover, and not the newest of its worktree.
    pub side: bool,
    /// The copy that agents read, or the document itself if there is no copy.
    pub path: String,
    /// The sealed document, if it could be kept.
    pub document: Option<String>,
    /// The file that holds the context block, relative to the worktree.
    pub context_file: Option<String>,
    /// What the next agent is given.
    pub startup: String,
    /// What became of it at the remote, if it was to go there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// What is missing.
    pub lint: Lint,
    /// How many secrets each rule took out.
    pub redactions: Redactions,
    /// Remarks.
    pub notes: Vec<String>,
    /// What should have been written and was not, with the reason.
    pub not_written: Vec<String>,
}

/// What would be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Preview {
    /// The document.
    pub text: String,
    /// What is missing.
    pub lint: Lint,
}

impl Plan {
    /// What would be written, and what it lacks.
    pub fn preview(&self) -> Preview {
        Preview { text: self.sealed.text.clone(), lint: self.composed.lint.clone() }
    }
}

/// Looks whether this session may make the next handover: before anybody is
/// asked questions, or types a text, in vain.
///
/// # Errors
/// [`Error::Held`] if another holds a baton of this worktree.
pub fn admit(context: &Context, amend: Option<&KeyPrefix>, manner: Manner) -> Result<(), Error> {
    let shelf = Shelf::open(context)?;
    let manner = actual(&shelf, amend, manner)?;
    may(context, &shelf, manner).map(|_| ())
}

/// What correcting a side handover makes is one too.
fn actual(shelf: &Shelf, amend: Option<&KeyPrefix>, manner: Manner) -> Result<Manner, Error> {
    let Some(prefix) = amend else { return Ok(manner) };
    let amends_side = shelf.lineage()?.is_side(&shelf.find(Some(prefix))?);
    Ok(if amends_side { Manner::Side } else { manner })
}

/// The batons of this worktree, if they leave this manner open.
fn may(context: &Context, shelf: &Shelf, manner: Manner) -> Result<Standing, Error> {
    if manner == Manner::Side {
        return Ok(Standing { mine: Vec::new(), others: Vec::new() });
    }
    let who = batons::claimant(context);
    let standing =
        batons::standing(context, shelf, manner == Manner::TakeOver, |holder| holder.may_end(&who))?;
    if standing.others.is_empty() || manner == Manner::TakeOver {
        return Ok(standing);
    }
    Err(Error::Held { wanted: Wanted::Create, holders: standing.others, now: context.now })
}

/// Looks at everything and makes the document; changes nothing.
pub fn plan(context: &Context, options: &Options) -> Result<Plan, Error> {
    let shelf = Shelf::open(context)?;
    let manner = actual(&shelf, options.amend.as_ref(), options.manner)?;
    let held = may(context, &shelf, manner)?;
    let mut wish = options.wish.clone();
    let mut draft = None;
    let mut left_alone = false;
    let mut untouched = false;
    if manner == Manner::Side {
        wish.relation = Relation::Beside;
    }
    if let Some(prefix) = &options.amend {
        let key = shelf.find(Some(prefix))?;
        wish.body = edited(&shelf, &key)?.overridden_by(wish.body);
        let beside = shelf.lineage()?.get(&key).and_then(|entry| entry.parent.as_ref());
        match beside.filter(|_| manner == Manner::Side) {
            // A side handover that is corrected stands where the first one does.
            Some(beside) => {
                wish.parent = Some(KeyPrefix::from(beside));
                wish.joins = vec![key];
            }
            None => {
                wish.parent = Some(KeyPrefix::from(&key));
                wish.relation = Relation::Amends;
            }
        }
    } else if let Some(bytes) = &options.file {
        wish.body = Body::read(bytes)?.overridden_by(wish.body);
    } else {
        // The draft may be the holder's: it is not taken along beside his handover.
        let path = shelf.copy.draft_path();
        if manner == Manner::Side {
            left_alone = path.exists();
        } else if let Some(bytes) = document::read_file(&path)? {
            let written = Body::read(&bytes)?;
            untouched = written.says_nothing();
            wish.body = written.overridden_by(wish.body);
            draft = Some(path);
        }
    }
    // The holder may have resumed a handover of a worktree that is gone: that one goes on here.
    let newest = shelf.lineage()?.leaf(&shelf.here());
    if let (None, Err(StoreError::None), Some(claim)) = (&wish.parent, newest, held.mine.last()) {
        wish.parent = Some(KeyPrefix::from(&claim.key));
    }
    let mut composed = compose(context, &shelf, &wish, context.now)?;
    if untouched {
        composed.notes.push(
            "the draft was not filled in: no section of it says anything; to say it now: handover create --amend KEY"
                .to_owned(),
        );
    }
    if left_alone {
        composed.notes.push(
            "the draft of this worktree stays as it is; if it is yours: handover create --side --body CLAUDE/DRAFT.md"
                .to_owned(),
        );
    }
    // A key is taken if another document has the same minute and 32 bits; the
    // next second gives another digest.
    for _ in 0..TRIES {
        let text = render(&composed.facts, &composed.body, composed.since.as_ref())?;
        let sealed = seal(composed.facts.created, &text);
        let taken = shelf.store.load(&AnyKey::Proving(sealed.key))?;
        if taken.is_none_or(|stored| stored.bytes == sealed.text.as_bytes()) {
            let facts = Facts { key: sealed.key, ..composed.facts.clone() };
            let leaves = (manner != Manner::Side).then(|| leaves_of(&shelf));
            return Ok(Plan { sealed, facts, composed, draft, manner, push: options.push, leaves });
        }
        let later = composed.facts.created.plus(Seconds(1));
        composed.facts.created = later;
        composed.facts.key = document::placeholder(later);
    }
    Err(StoreError::Collision(composed.facts.key).into())
}

/// The newest handovers of the worktree: two successors of one of them, made at
/// once, would be two newest.
fn leaves_of(shelf: &Shelf) -> Vec<AnyKey> {
    let leaves = shelf.lineage().map(|lineage| lineage.leaves(&shelf.here()));
    leaves.into_iter().flatten().map(|entry| entry.key.clone()).collect()
}

/// The body of the edited copy of a document.
fn edited(shelf: &Shelf, key: &AnyKey) -> Result<Body, Error> {
    let bytes = match shelf.copy.load(key)? {
        Some(bytes) => bytes,
        None => shelf.bytes(key)?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let body = document::body_of(&text);
    Ok(Body::read(body.as_bytes())?)
}

/// Writes the planned document, its copy and its pointers.
pub fn execute(context: &Context, plan: &Plan) -> Result<Outcome, Error> {
    let world = context.world;
    let shelf = Shelf::open(context)?;
    let key = AnyKey::Proving(plan.sealed.key);
    // Nobody takes the baton between the look and the writing.
    let lock = batons::alone(context, "seal a handover")?;
    if plan.leaves.as_ref().is_some_and(|leaves| *leaves != leaves_of(&shelf)) {
        return Err(Error::Busy {
            what: "another handover of this worktree was sealed a moment ago".to_owned(),
            hint: "the same command, after a look at it: handover show".to_owned(),
        });
    }
    let aside = match plan.manner {
        Manner::TakeOver => batons::put_damaged_aside(context, &shelf, None)?,
        Manner::Next | Manner::Side => Vec::new(),
    };
    let standing = may(context, &shelf, plan.manner)?;
    let mut outcome = Outcome {
        key: plan.sealed.key,
        digest: plan.sealed.digest,
        parent: plan.facts.parent.as_ref().map(|parent| parent.key.clone()),
        side: plan.manner == Manner::Side,
        path: escape_path(shelf.copy.path(&key)),
        document: None,
        context_file: None,
        startup: startup(&plan.facts),
        published: None,
        lint: plan.composed.lint.clone(),
        redactions: plan.facts.redactions.clone(),
        notes: plan.composed.notes.iter().cloned().chain(aside).collect(),
        not_written: Vec::new(),
    };
    match shelf.store.put(world, &plan.sealed) {
        Ok(_) => outcome.document = Some(escape_path(shelf.store.path(&key))),
        // An agent's sandbox may forbid the git directory and allow the worktree.
        Err(StoreError::File(e)) if e.is_forbidden() => {
            outcome.not_written.push(format!("the sealed document: {e}: {}", e.source))
        }
        Err(e) => return Err(e.into()),
    }
    match shelf.copy.write(world, &key, plan.sealed.text.as_bytes()) {
        Ok(()) => {
            if !shelf.copy.is_ignored(context.repository.git(), &key)? {
                outcome.notes.push(format!("git does not ignore {}: do not commit it", outcome.path));
            }
        }
        Err(e) if outcome.document.is_some() => {
            outcome.not_written.push(format!("the copy: {e}: {}", e.source));
            outcome.path = outcome.document.clone().unwrap_or_default();
        }
        Err(e) => return Err(e.into()),
    }
    let mut ended = Vec::new();
    if plan.manner != Manner::Side {
        point(context, &shelf, plan, &mut outcome);
        ended = pass_on(context, standing, plan, &mut outcome);
    }
    drop(lock);
    // The document first: a baton that is passed on names what others look for then.
    if plan.push && outcome.document.is_some() {
        publish(context, plan.sealed.key, &mut outcome);
    }
    // Only a remote that has such a baton is asked: with the offer to go on here gone, it would
    // else show a holder who has ended.
    outcome.notes.extend(ended.iter().filter_map(|key| carried::batons::told_in_words(context, key)));
    if let Some(draft) = &plan.draft {
        // Its text is in the document; the file itself is kept all the same.
        let kept = shelf.copy.archived_draft_path(&key);
        let moved = shelf.copy.prepare_archive(world).and_then(|()| world.files.rename_new(draft, &kept));
        if let Err(e) = moved {
            outcome.not_written.push(format!("the draft could not be put away: {e}: {}", e.source));
        }
    }
    Ok(outcome)
}

/// Brings the document to the remote. It is sealed whatever comes of that.
fn publish(context: &Context, key: Key, outcome: &mut Outcome) {
    let published = Abroad::of_documents(context, None).and_then(|abroad| match abroad {
        Some(mut abroad) => documents::publish(&mut abroad, &[key]).map(Some),
        None => Ok(None),
    });
    match published {
        Ok(Some(published)) => {
            outcome.not_written.extend(published.in_words());
            outcome.published = Some(published);
        }
        Ok(None) => outcome.not_written.push("not published: there is no remote for handovers".to_owned()),
        Err(error) => outcome.not_written.push(format!("not published: {error}")),
    }
}

/// Lets the context block point to the new document.
fn point(context: &Context, shelf: &Shelf, plan: &Plan, outcome: &mut Outcome) {
    let repository = &context.repository;
    let key = AnyKey::Proving(plan.sealed.key);
    let recent =
        shelf.lineage().map(|lineage| pointer::recent(lineage, outcome.parent.as_ref())).unwrap_or_default();
    let path = shelf.copy.path(&key);
    let block = Block {
        key: Some(plan.sealed.key),
        document: path.strip_prefix(repository.worktree()).map(PathBuf::from).ok(),
        digest: Some(plan.sealed.digest),
        branch: plan.facts.branch.clone(),
        focus: plan.composed.body.focus.clone(),
        recent,
        baton: None,
        worktree: repository.worktree().to_owned(),
    };
    match block::update(context.world, repository, None, &block) {
        Ok(written) => {
            outcome.notes.extend(written.noticed);
            outcome.context_file = Some(written.place.file().to_owned());
        }
        Err(e) => outcome.not_written.push(format!("the context block: {e}")),
    }
}

/// Ends the batons of this worktree, and the parent's wherever it was made:
/// whoever resumes this document takes its own.
///
/// Which ones have ended here, for the remote to hear of it.
fn pass_on(context: &Context, standing: Standing, plan: &Plan, outcome: &mut Outcome) -> Vec<AnyKey> {
    let mut ended = Vec::new();
    let who = batons::claimant(context);
    let successor = plan.sealed.key;
    let mut keys: Vec<AnyKey> = standing.mine.iter().map(|claim| claim.key.clone()).collect();
    let is_here = |key: &AnyKey| standing.mine.iter().chain(&standing.others).any(|claim| claim.key == *key);
    keys.extend(outcome.parent.clone().filter(|parent| !is_here(parent)));
    for key in keys {
        match batons::pass_on(context, &who, &key, successor) {
            Ok(PassedOn::Ended) => {
                outcome.notes.push(format!("the baton of {key} has ended: this document follows it"));
                ended.push(key);
            }
            Ok(PassedOn::WasFree) => {}
            Ok(PassedOn::HeldBy(holder)) => {
                outcome.notes.push(format!("the baton of {key} stays with another: {holder}"));
            }
            Err(why) => outcome.not_written.push(why),
        }
    }
    // Only where a person said so are there any.
    for claim in &standing.others {
        match batons::take_and_pass_on(context, &who, claim, successor) {
            Ok(PassedOn::WasFree) => {
                outcome.notes.push(format!("the baton of {} was let go a moment ago by {claim}", claim.key));
            }
            Ok(_) => {
                outcome.notes.push(format!(
                    "the baton of {} was taken over and has ended: this document follows it; it was held by {claim}",
                    claim.key
                ));
                ended.push(claim.key.clone());
            }
            Err(why) => outcome.not_written.push(why),
        }
    }
    ended
}
