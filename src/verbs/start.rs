//! A worktree of its own for a feature: branch, files, links, context block.

use std::path::PathBuf;

use serde::Serialize;

use super::{Context, Error};
use crate::git::{Status, Untracked};
use crate::safety::one_line;
use crate::sys::lock::Holder;
use crate::terms::Known;
use crate::worktree::context::{self, Written};
pub use crate::worktree::create::Wish;
use crate::worktree::create::{self, Made, Plan};
use crate::worktree::share::{self, Shared};
use crate::worktree::{Block, registry};

/// What `start` did.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The feature.
    pub feature: String,
    /// What was made, and what was there already.
    #[serde(flatten)]
    pub plan: Plan,
    /// How many changed or new files stay behind in the worktree in which it ran.
    pub left_behind: Known<usize>,
    /// The worktree in which it ran.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub from: PathBuf,
    /// What is shared by links.
    pub shared: Shared,
    /// Where the context block stands; `None` if it could not be written.
    pub context: Option<Written>,
    /// What should be said, in words.
    pub notes: Vec<String>,
    /// What was to be done and failed, in words; running it again tries again.
    pub failed: Vec<String>,
}

/// Looks what would be made.
pub fn plan(context: &Context, wish: &Wish) -> Result<Plan, Error> {
    stays_near(context, wish)?;
    Ok(create::plan(&context.repository, wish, &context.config.worktrees)?)
}

/// A template that came with the branch may not lead away from the directory
/// that holds the main worktree: whoever wrote the branch is not its user.
fn stays_near(context: &Context, wish: &Wish) -> Result<(), Error> {
    let template = &context.config.worktrees.path;
    if wish.path.is_some() || *template == context.outside.worktrees.path {
        return Ok(());
    }
    let below = template.strip_prefix("../").unwrap_or(template);
    if !template.starts_with('/') && below.split('/').all(|part| part != "..") {
        return Ok(());
    }
    Err(Error::Usage {
        what: format!(
            "will not follow worktrees.path of .handover.yaml, {}: it leads away",
            one_line(template, 120)
        ),
        hint: "set it in ~/.config/handover/config.yaml, or name the place with --path".to_owned(),
    })
}

/// Makes it; `on_wait` hears whom it waits for.
///
/// The plan is made again under the lock, since others may start at the same time.
pub fn execute(context: &Context, wish: &Wish, on_wait: &mut dyn FnMut(&Holder)) -> Result<Outcome, Error> {
    stays_near(context, wish)?;
    let Context { world, repository, config, now, .. } = context;
    let (made, left_behind) = std::thread::scope(|threads| {
        let status = threads.spawn(|| Status::of(repository.git(), Untracked::Directories));
        let made = create::make(world, repository, wish, &config.worktrees, *now, on_wait);
        let left_behind = match status.join() {
            Ok(Ok(status)) => Known::Known(status.changes.len()),
            Ok(Err(e)) => Known::Unknown(e.to_string()),
            Err(_) => Known::Unknown("the look at it ended early".to_owned()),
        };
        (made, left_behind)
    });
    let Made { plan, listed, repository: tree, mut entry, mut notes } = made?;
    notes.splice(..0, plan.notes.iter().cloned());
    let mut failed = Vec::new();

    let shared = match create::source_of_links(repository, &listed)? {
        Some(source) => share::link(world, &tree, &source, &config.worktrees),
        None => Ok(Shared::default()),
    };
    let shared = shared.unwrap_or_else(|e| {
        failed.push(format!("links: {e}"));
        Shared::default()
    });
    if !shared.links.iter().all(|link| entry.links.contains(link)) {
        entry.links.extend(
            shared.links.iter().filter(|link| !entry.links.contains(link)).cloned().collect::<Vec<_>>(),
        );
        registry::write(world, tree.common_dir(), &entry)?;
    }

    let block = Block {
        branch: Some(plan.branch.clone()),
        focus: entry.focus.clone(),
        worktree: tree.worktree().to_owned(),
        ..Block::default()
    };
    let base = entry.base.as_ref().map(ToString::to_string);
    // A block that is there names the newest handover; it is not for us to take that away.
    let written = match context::present(&tree) {
        Ok(Some(_)) => Ok(None),
        Ok(None) => context::update_among(world, &tree, base.as_deref(), &block, Some(&listed)).map(Some),
        Err(e) => Err(e),
    };
    let written = written.unwrap_or_else(|e| {
        failed.push(format!("context block: {e}"));
        None
    });
    Ok(Outcome {
        feature: wish.feature.clone(),
        plan,
        left_behind,
        from: repository.worktree().to_owned(),
        shared,
        context: written,
        notes,
        failed,
    })
}
