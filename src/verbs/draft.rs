//! `draft`: writes a body to fill in, with the facts and the gaps.

use serde::Serialize;

use super::compose::{Wish, compose};
use super::lookup::Shelf;
use super::{Context, Error};
use crate::document::{self, Body, Lint, render_draft};
use crate::safety::escape_path;
use crate::terms::Digest;

/// The draft that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Where it is.
    pub path: String,
    /// True if there was one already, whose text was kept.
    pub refreshed: bool,
    /// What is missing.
    pub lint: Lint,
}

/// The draft as it would be written.
#[derive(Debug, Clone)]
pub struct Plan {
    text: String,
    seen: Option<Digest>,
    outcome: Outcome,
}

/// What would be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Preview {
    /// The draft's text.
    pub text: String,
    /// What else would be answered.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Plan {
    /// What would be written, and where.
    pub fn preview(&self) -> Preview {
        Preview { text: self.text.clone(), outcome: self.outcome.clone() }
    }
}

/// Puts the draft together; what stands in one already is kept, the program's
/// own blocks in it are made anew.
pub fn plan(context: &Context, wish: &Wish) -> Result<Plan, Error> {
    let shelf = Shelf::open(context)?;
    let path = shelf.copy.draft_path();
    let old = document::read_file(&path)?;
    let mut wish = wish.clone();
    if let Some(bytes) = &old {
        wish.body = Body::read(bytes)?.overridden_by(wish.body);
    }
    let composed = compose(context, &shelf, &wish, context.now)?;
    Ok(Plan {
        text: render_draft(&composed.facts, &composed.body, composed.since.as_ref(), &composed.lint),
        seen: old.as_deref().map(Digest::of),
        outcome: Outcome { path: escape_path(&path), refreshed: old.is_some(), lint: composed.lint },
    })
}

/// Writes it, unless somebody wrote to the draft since the plan was made.
pub fn execute(context: &Context, plan: Plan) -> Result<Outcome, Error> {
    let shelf = Shelf::open(context)?;
    shelf.copy.prepare(context.world)?;
    let path = shelf.copy.draft_path();
    if !context.world.files.replace(&path, plan.text.as_bytes(), 0o644, Some(plan.seen))? {
        return Err(Error::Busy {
            what: format!("{} was changed while it was being refreshed", escape_path(&path)),
            hint: "handover draft".to_owned(),
        });
    }
    Ok(plan.outcome)
}
