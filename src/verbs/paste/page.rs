//! A page for a phone: how the sweeps do, and the lines to paste.

use super::super::{Context, Error, snapshot, sweep};
use super::{Line, Wanted};
use crate::cluster::Origin;
use crate::config::Source;
use crate::document::{self, Store, SweepFact};
use crate::sweep::TaskProgress;
use crate::terms::{Known, Time};

/// Of so many sweeps the logs of what runs are read for their curves.
const MOST_CURVES: usize = 3;
/// Sweeps of more tasks are not read for that.
const MOST_TASKS: u64 = 2_000;
/// So many sweeps are on the page.
const MOST_SWEEPS: usize = 12;

/// What is on the page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The project's name.
    pub project: String,
    /// When the page was made.
    pub made_at: Time,
    /// Where its state comes from, in words.
    pub source: String,
    /// When that was taken; `None` if nothing says it.
    pub taken_at: Option<Time>,
    /// The sweeps.
    pub sweeps: Vec<Shown>,
    /// How many more there are.
    pub omitted: usize,
    /// What to paste.
    pub lines: Vec<Titled>,
    /// What could not be seen or made, in words.
    pub notes: Vec<String>,
}

/// One sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// What is known of it.
    pub fact: SweepFact,
    /// How far its running tasks have come.
    pub progress: Vec<TaskProgress>,
}

/// Lines with what they are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Titled {
    /// What they are for.
    pub title: String,
    /// The lines.
    pub lines: Vec<Line>,
    /// What to know about them.
    pub notes: Vec<String>,
}

/// Looks, and makes the lines; nothing is changed.
///
/// # Errors
/// A state file that was named cannot be read; the project's place cannot be in a line.
pub fn page(context: &Context, source: Option<&Source>) -> Result<Page, Error> {
    let looked = snapshot::run(context, source, false)?;
    let mut notes: Vec<String> =
        looked.snapshot.problems.iter().map(|one| format!("{}: {}", one.about, one.what)).collect();
    notes.truncate(5);
    if let Known::Unknown(why) | Known::NotApplicable(why) = &looked.snapshot.jobs {
        notes.insert(0, format!("the queue is not known: {why}"));
    }
    let mut from = match &looked.snapshot.origin {
        Origin::Local => "Slurm's commands".to_owned(),
        Origin::File { name } => format!("the state file {name}"),
        _ => "nothing".to_owned(),
    };
    let mut taken_at = looked.snapshot.taken_at;
    let mut listed = looked.sweeps.clone().map(|fact| (fact.listed, fact.omitted));
    if listed.is_none()
        && let Some((key, at, sweeps)) = of_newest_handover(context)
    {
        from = format!("the handover {key}");
        taken_at = Some(at);
        listed = Some((sweeps.listed, sweeps.omitted));
    }
    let (facts, omitted) = listed.unwrap_or_default();
    let omitted = omitted as usize + facts.len().saturating_sub(MOST_SWEEPS);
    let mut sweeps = Vec::new();
    let mut curves = 0;
    for fact in facts.into_iter().filter(|fact| !fact.is_foreign()).take(MOST_SWEEPS) {
        let runs = fact.states.get("RUNNING").is_some_and(|count| *count > 0);
        let is_read = runs && curves < MOST_CURVES && fact.total.is_some_and(|total| total <= MOST_TASKS);
        let progress = match is_read {
            true => {
                curves += 1;
                let place = sweep::examine::Place::of(context);
                sweep::board(&place, looked.snapshot.clone(), &fact.key)
                    .ok()
                    .and_then(|board| board.examined)
                    .map(|examined| examined.progress)
                    .unwrap_or_default()
            }
            false => Vec::new(),
        };
        sweeps.push(Shown { fact, progress });
    }
    let lines = lines(context, source, &sweeps, &mut notes)?;
    Ok(Page {
        project: context.repository.name(),
        made_at: context.now,
        source: from,
        taken_at,
        sweeps,
        omitted,
        lines,
        notes,
    })
}

fn lines(
    context: &Context,
    source: Option<&Source>,
    sweeps: &[Shown],
    notes: &mut Vec<String>,
) -> Result<Vec<Titled>, Error> {
    let mut lines = Vec::new();
    let mut add = |title: String, wanted: &Wanted| -> Result<(), Error> {
        match super::run(context, wanted) {
            Ok(made) if made.lines.is_empty() => {}
            Ok(made) => {
                let mut said = made.notes;
                if let Some(placed) = made.script.filter(|placed| !placed.is_committed) {
                    said.push(format!(
                        "not yet there: it runs {}, to be committed and pushed first",
                        placed.script.path
                    ));
                }
                lines.push(Titled { title, lines: made.lines, notes: said });
            }
            Err(error @ Error::Place(_)) => return Err(error),
            Err(error) => notes.push(format!("no line for \"{title}\": {error}")),
        }
        Ok(())
    };
    for shown in sweeps.iter().filter(|shown| !shown.fact.failed.is_empty()) {
        let wanted = Wanted::Resubmit { name: Some(shown.fact.key.clone()), cluster: source.cloned() };
        add(format!("Submit again what failed of {}", shown.fact.name), &wanted)?;
    }
    add("Bring the newest commits".to_owned(), &Wanted::Steps(vec![super::Step::Pull]))?;
    add("Send logs and the state of the cluster".to_owned(), &Wanted::Snapshot)?;
    Ok(lines)
}

/// The sweeps of the newest handover of this worktree, with its key and when it was made.
fn of_newest_handover(context: &Context) -> Option<(String, Time, document::SweepsFact)> {
    let shelf = super::super::lookup::Shelf::open(context).ok()?;
    let key = shelf.find(None).ok()?;
    let stored = Store::new(context.home()).load(&key).ok()??;
    let (facts, _) = document::read(&String::from_utf8_lossy(&stored.bytes)).ok()?;
    Some((key.to_string(), facts.created, facts.sweeps?))
}
