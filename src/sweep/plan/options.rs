//! What a person has to decide between.

use serde::{Deserialize, Serialize};

use super::{Kind, Setup, Step, Subject};
use crate::cluster::State;
use crate::terms::{Known, Seconds, TaskIds};

/// One way to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Choice {
    /// What to do, in words.
    pub what: String,
    /// What speaks for it.
    #[serde(rename = "for")]
    pub pro: String,
    /// What speaks against it.
    pub against: String,
}

fn choice(what: impl Into<String>, pro: impl Into<String>, against: impl Into<String>) -> Choice {
    Choice { what: what.into(), pro: pro.into(), against: against.into() }
}

/// The options, and which we would take.
pub(super) fn options(setup: &Setup, subjects: &[Subject], steps: &[Step]) -> (Vec<Choice>, Option<String>) {
    let count = |kind: Kind| steps.iter().filter(|step| step.kind == kind).map(|step| step.tasks.len()).sum();
    if let Some(stop) = &setup.intervene {
        return intervene(setup, subjects, stop);
    }
    let (lost, canaries, fixes): (usize, usize, usize) =
        (count(Kind::Lost), count(Kind::Canary), count(Kind::FixFirst));
    let ready: usize = steps
        .iter()
        .filter(|step| step.kind == Kind::Resume && step.is_runnable())
        .map(|step| step.tasks.len())
        .sum();
    let cancelled = subjects.iter().filter(|one| is_to_ask(setup, one)).count();
    let mut options = Vec::new();
    if ready > 0 {
        let fixed = fixes + canaries;
        options.push(choice(
            format!("resume {} now", tasks(ready)),
            "they go on from what was checked, and nothing stands in their way",
            if fixed > 0 { "two rounds: the others need a change first" } else { "none seen" },
        ));
    }
    if fixes + canaries > 0 {
        options.push(choice(
            format!("mend first, try one task, then go on with all {}", tasks(fixes + canaries)),
            "no compute is spent on what fails again",
            "what is ready waits, if all are to go together",
        ));
    }
    if lost > 0 {
        options.push(choice(
            format!("start {} over", tasks(lost)),
            "the sweep gets whole",
            "all of their work is done a second time",
        ));
    }
    if cancelled > 0 {
        options.push(choice(
            format!("leave {} that somebody cancelled as they are", tasks(cancelled)),
            "there was a reason, which only that person knows",
            "their results are missing",
        ));
    }
    let recommendation = match (ready, fixes + canaries, lost, cancelled) {
        (0, 0, 0, 0) => None,
        (0, 0, 0, _) => Some("ask whoever cancelled them; nothing else is to be done".to_owned()),
        (0, 0, ..) => Some("start over only those whose results are missed".to_owned()),
        (0, ..) => Some("mend first: try one task of each group before the others".to_owned()),
        (_, 0, ..) => Some("resume what is ready".to_owned()),
        _ => Some(
            "resume what is ready now, and mend the rest meanwhile, one task of each group first".to_owned(),
        ),
    };
    (options, recommendation)
}

fn intervene(setup: &Setup, subjects: &[Subject], stop: &str) -> (Vec<Choice>, Option<String>) {
    let nothing = TaskIds::default();
    let alive = match &setup.alive {
        Known::Known(alive) => alive,
        _ => &nothing,
    };
    if alive.is_empty() {
        let only = choice(
            "mend the cause, try one task, then go on",
            format!("nothing is alive that would have to be cancelled; {stop}"),
            "none seen",
        );
        return (vec![only], Some("mend the cause before anything is submitted".to_owned()));
    }
    let options = vec![
        choice(
            format!("cancel {} that are alive, mend, then go on", tasks(alive.len())),
            format!("no more compute goes where results are lost: {stop}"),
            what_is_lost(setup, subjects, alive),
        ),
        choice(
            "let them run (--keep-running), and mend meanwhile",
            "tasks that escape the cause still give a result",
            "those that do not hold GPUs for nothing",
        ),
    ];
    (options, Some("cancel, unless the tasks that run are known to escape the cause".to_owned()))
}

/// What goes with the cancelling of these tasks.
pub(super) fn what_is_lost(setup: &Setup, subjects: &[Subject], alive: &TaskIds) -> String {
    let running: Vec<&Subject> =
        subjects.iter().filter(|one| alive.contains(one.member) && one.state.is_running()).collect();
    let waiting = alive.len().saturating_sub(running.len());
    if running.is_empty() {
        return format!("nothing is lost: {} wait", tasks(waiting));
    }
    let spent: u64 = running.iter().filter_map(|one| one.elapsed).map(u64::from).sum();
    let kept = running.iter().filter(|one| one.best().is_some()).count();
    let gpus = match setup.gpus {
        Some(1) => " on a GPU each".to_owned(),
        Some(gpus) => format!(" on {gpus} GPUs each"),
        None => String::new(),
    };
    let since = match kept {
        0 => "no checkpoint of theirs is known, so all of it may be lost".to_owned(),
        kept => format!("{kept} of them have a checkpoint and lose what came after it"),
    };
    format!(
        "{} have run {} together{gpus}: {since}; {waiting} that wait lose nothing",
        tasks(running.len()),
        Seconds(spent)
    )
}

fn is_to_ask(setup: &Setup, subject: &Subject) -> bool {
    let class = subject.cause.and_then(|number| setup.causes.get(number)).map(|cause| cause.class.as_str());
    subject.state == State::Cancelled
        && matches!(class, None | Some("cancelled"))
        && !setup.again.contains_key(&subject.member)
}

fn tasks(count: usize) -> String {
    format!("{count} {}", if count == 1 { "task" } else { "tasks" })
}
