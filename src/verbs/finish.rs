//! Brings a feature home: integrate, then remove its worktree.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::{Context, Error, hindrances};
use crate::config::Source;
use crate::safety::{escape, shell_word};
use crate::terms::Known;
pub use crate::worktree::integrate::Wish;
use crate::worktree::integrate::{self, Plan};
use crate::worktree::removal::{self, Receipt, Waiver};
use crate::worktree::{Error as WorktreeError, Target};

/// At most this many jobs are named.
const SHOWN: usize = 8;

/// What to bring home, and what may be given up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The feature, branch, path, or name of the directory.
    pub feature: String,
    /// How.
    pub wish: Wish,
    /// What is given up when the worktree goes.
    pub waive: Vec<Waiver>,
    /// Where to look for the cluster, if not where the settings say.
    pub cluster: Option<Source>,
}

/// What would be done.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Intent {
    /// What would be brought over.
    pub integration: Plan,
    /// What stands against the removal now, in words.
    pub against_removal: Vec<String>,
    #[serde(skip)]
    target: Target,
}

/// What was done.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The feature.
    pub feature: String,
    /// What was to be brought over.
    pub integration: Plan,
    /// How many commits are new on the branch.
    pub new_commits: usize,
    /// The removal; `None` if it was refused.
    pub removal: Option<Receipt>,
    /// Why the worktree stays, in words.
    pub stays: Vec<String>,
    /// What to do about that, with commands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// Looks at both halves; changes nothing.
///
/// # Errors
/// Live jobs work in the checkout that would change, or it is not clean.
pub fn plan(context: &Context, here: &Path, options: &Options) -> Result<Intent, Error> {
    let Context { world, repository, .. } = context;
    let target = Target::find(repository, &options.feature, here)?;
    let integration = integrate::plan(repository, &target, &options.wish)?;
    let refused = |why: String, hint: String| WorktreeError::NotIntegrated { name: target.name(), why, hint };
    match hindrances::jobs_in(context, &integration.checkout, options.cluster.as_ref())? {
        Known::Known(jobs) if !jobs.is_empty() => {
            let named: Vec<String> = jobs.iter().take(SHOWN).map(|job| escape(&job.label())).collect();
            let more = jobs.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let why = format!(
                "live jobs of ours work in the checkout of {}, whose files would change under them: {}{more}",
                escape(&integration.into),
                named.join(", ")
            );
            let ids: BTreeSet<u32> = jobs.iter().map(|job| job.id.base).collect();
            let ids: Vec<String> = ids.iter().take(SHOWN).map(u32::to_string).collect();
            let hint = format!("wait until they have ended: squeue --jobs={}", ids.join(","));
            return Err(refused(why, hint).into());
        }
        Known::Unknown(why) if !options.waive.contains(&Waiver::Unknown) => {
            let why = format!("whether jobs work in the checkout that would change is unknown: {why}");
            let name = shell_word(&target.name()).unwrap_or_else(|_| "FEATURE".to_owned());
            let hint = format!("if you know that none does: handover finish {name} --waive unknown");
            return Err(refused(why, hint).into());
        }
        _ => {}
    }
    let found = hindrances::of(context, &target, options.cluster.as_ref())?;
    let removal = removal::plan(world, repository, &target, &found, &waive(options))?;
    let against_removal = removal.blocking().map(|finding| finding.text()).collect();
    Ok(Intent { integration, against_removal, target })
}

/// Integrates, keeps the branch's commits reachable, and removes the worktree
/// if nothing stands against it; else it stays, and that is said.
pub fn execute(context: &Context, options: &Options, intent: &Intent) -> Result<Outcome, Error> {
    let Context { world, repository, config, now, .. } = context;
    let Intent { integration, target, .. } = intent;
    let new_commits = integrate::execute(world, repository, target, integration)?;
    let removed = hindrances::of(context, target, options.cluster.as_ref()).and_then(|found| {
        let plan = removal::plan(world, repository, target, &found, &waive(options))?;
        Ok(removal::execute(world, repository, &plan, config.retention.trash_after, *now)?)
    });
    let (removal, stays, hints) = match removed {
        Ok(receipt) => (Some(receipt), Vec::new(), Vec::new()),
        Err(Error::Worktree(WorktreeError::WouldLose { reasons, hints, .. })) => (None, reasons, hints),
        Err(e) => (None, vec![e.to_string()], Vec::new()),
    };
    if removal.is_some() {
        hindrances::release_ours(context, target);
    }
    Ok(Outcome {
        feature: target.name(),
        integration: integration.clone(),
        new_commits,
        removal,
        stays,
        hints,
    })
}

/// Commits that were not brought over stay on the branch, and a ref keeps all.
fn waive(options: &Options) -> Vec<Waiver> {
    options.waive.iter().copied().chain([Waiver::Unlanded]).collect()
}
