//! What a person has to decide between.

use serde::{Deserialize, Serialize};

use super::{Kind, Setup, Step, Subject, cancel};
use crate::cluster::State;
use crate::terms::{Seconds, TaskIds, by_number, counted};

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
    let runnable = |kind: Kind| -> usize {
        let those = steps.iter().filter(|step| step.kind == kind && step.is_runnable());
        those.map(|step| step.tasks.len()).sum()
    };
    // What carries its change in its line is as ready as what needs none.
    let (resumed, changed) = (runnable(Kind::Resume), runnable(Kind::FixFirst));
    let ready = resumed + changed;
    let (lost, canaries, fixes): (usize, usize, usize) =
        (count(Kind::Lost), count(Kind::Canary), count(Kind::FixFirst) - changed);
    let cancelled = subjects.iter().filter(|one| is_to_ask(setup, one)).count();
    let mut options = Vec::new();
    if ready > 0 {
        let fixed = fixes + canaries;
        options.push(choice(
            match (resumed, changed) {
                (resumed, 0) => format!("resume {} now", tasks(resumed)),
                (0, changed) => {
                    format!("run {} again now, with the change that is in the line", tasks(changed))
                }
                (resumed, changed) => format!(
                    "resume {} now, and run {changed} again with the change that is in the line",
                    tasks(resumed)
                ),
            },
            "they go on from what was checked, and nothing stands in their way",
            if fixed > 0 { "two rounds: the others need a change first" } else { "none seen" },
        ));
    }
    if fixes + canaries > 0 {
        options.push(choice(
            match fixes + canaries {
                1 => "mend first, then go on with that task".to_owned(),
                count => format!("mend first, try one task, then go on with all {}", tasks(count)),
            },
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
            format!(
                "leave {} that somebody cancelled as {}",
                tasks(cancelled),
                by_number(cancelled, "it is", "they are")
            ),
            "there was a reason, which only that person knows",
            "their results are missing",
        ));
    }
    let recommendation = match (ready, fixes + canaries, lost, cancelled) {
        (0, 0, 0, 0) => None,
        (0, 0, 0, _) => Some("ask whoever cancelled them; nothing else is to be done".to_owned()),
        (0, 0, ..) => Some("start over only those whose results are missed".to_owned()),
        (0, ..) => Some("mend first: try one task of each group before the others".to_owned()),
        (_, 0, ..) if resumed == 0 => {
            Some("run again what is ready, with the change that is in the line".to_owned())
        }
        (_, 0, ..) => Some("resume what is ready".to_owned()),
        _ => Some(
            "resume what is ready now, and mend the rest meanwhile, one task of each group first".to_owned(),
        ),
    };
    (options, recommendation)
}

fn intervene(setup: &Setup, subjects: &[Subject], stop: &str) -> (Vec<Choice>, Option<String>) {
    let nothing = TaskIds::default();
    let alive = setup.alive.known().unwrap_or(&nothing);
    let doomed = cancel::doomed(setup);
    let all = tasks(alive.len());
    if alive.is_empty() {
        let only = choice(
            "mend the cause, try one task, then go on",
            format!("nothing is alive that would have to be cancelled; {stop}"),
            "none seen",
        );
        return (vec![only], Some("mend the cause before anything is submitted".to_owned()));
    }
    if setup.keep_running {
        let only = choice(
            format!("let the {all} run that {} alive, as asked, and mend meanwhile", are(alive.len())),
            "tasks that escape the cause still give a result",
            "those that do not hold GPUs for nothing",
        );
        return (vec![only], Some("mend the cause meanwhile, and start nothing of it before".to_owned()));
    }
    let everything = choice(
        match alive.len() {
            1 => "cancel the 1 task that is alive".to_owned(),
            _ => format!("cancel all {all} that are alive"),
        },
        "no more compute goes where results may be lost",
        what_is_lost(setup, subjects, alive),
    );
    if doomed.is_empty() {
        let leave = choice(
            format!("let the {all} run that {} alive, and mend meanwhile", are(alive.len())),
            format!("none of them is known to fail; {stop}"),
            "some of them may fail alike",
        );
        let what = "mend the cause first; cancel nothing, for no task that is alive is known to fail";
        return (vec![leave, everything], Some(what.to_owned()));
    }
    let those = tasks(doomed.len());
    let mut options = vec![
        choice(
            format!("cancel {those} that will fail ({}), mend, then bring them back", short(&doomed)),
            "no more compute goes where results are lost",
            what_is_lost(setup, subjects, &doomed),
        ),
        choice(
            "let them run (--keep-running), and mend meanwhile",
            "tasks that escape the cause still give a result",
            "those that do not hold GPUs for nothing",
        ),
    ];
    let mut what = format!("cancel {} ({those}): {} as the others did", short(&doomed), fail(doomed.len()));
    if doomed.len() < alive.len() {
        options.push(everything);
        let others = match alive.len() - doomed.len() {
            1 => "the other one that is alive".to_owned(),
            count => format!("the other {count} that are alive"),
        };
        what.push_str(&format!("; leave {others} alone"));
    }
    (options, Some(what))
}

fn fail(count: usize) -> &'static str {
    by_number(count, "it will fail", "they will fail")
}

fn are(count: usize) -> &'static str {
    by_number(count, "is", "are")
}

/// A list of tasks that stands in a sentence.
fn short(tasks: &TaskIds) -> String {
    let list = tasks.to_string();
    match list.char_indices().nth(60) {
        None => list,
        Some((at, _)) => format!("{}, …", list[..at].rsplit_once(',').map_or("", |(whole, _)| whole)),
    }
}

/// What goes with the cancelling of these tasks.
pub(super) fn what_is_lost(setup: &Setup, subjects: &[Subject], alive: &TaskIds) -> String {
    let running: Vec<&Subject> =
        subjects.iter().filter(|one| alive.contains(one.member) && one.state.is_running()).collect();
    let waiting = alive.len().saturating_sub(running.len());
    if running.is_empty() {
        let verb = by_number(waiting, "waits", "wait");
        return format!("nothing is lost: {} {verb}", tasks(waiting));
    }
    let spent: u64 = running.iter().filter_map(|one| one.elapsed).map(u64::from).sum();
    let kept = running.iter().filter(|one| one.best().is_some()).count();
    let gpus = match setup.gpus {
        Some(1) => " on a GPU each".to_owned(),
        Some(gpus) => format!(" on {gpus} GPUs each"),
        None => String::new(),
    };
    let steps = running.iter().filter_map(|one| one.best()?.step);
    let at = match (steps.clone().min(), steps.max()) {
        (Some(least), Some(most)) if least == most => format!(", at step {least}"),
        (Some(least), Some(most)) => format!(", at steps {least} to {most}"),
        _ => String::new(),
    };
    let since = match kept {
        0 => "no checkpoint of theirs is known, so all of it may be lost".to_owned(),
        1 => format!("1 of them has a checkpoint{at}, and loses what came after it"),
        kept => format!("{kept} of them have a checkpoint{at}, and lose what came after it"),
    };
    let verb = by_number(running.len(), "has", "have");
    let waiting = match waiting {
        0 => String::new(),
        1 => "; 1 that waits loses nothing".to_owned(),
        waiting => format!("; {waiting} that wait lose nothing"),
    };
    format!("{} {verb} run {} together{gpus}: {since}{waiting}", tasks(running.len()), Seconds(spent))
}

fn is_to_ask(setup: &Setup, subject: &Subject) -> bool {
    let class = subject.cause.and_then(|number| setup.causes.get(number)).map(|cause| cause.class.as_str());
    subject.state == State::Cancelled
        && matches!(class, None | Some("cancelled"))
        && !setup.again.contains_key(&subject.member)
        && !setup.cancelled.contains_key(&subject.member)
}

pub(super) fn tasks(count: usize) -> String {
    counted(count, "task")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::plan::{Line, Purpose};
    use crate::sweep::{Kind as Sort, Members};

    fn step(kind: Kind, tasks: &[u32], is_ready: bool) -> Step {
        let tasks = Members(tasks.iter().copied().collect());
        let line = Line { text: "sbatch x".to_owned(), tasks: tasks.clone(), purpose: Purpose::Resume };
        Step {
            kind,
            tasks,
            class: None,
            cause: None,
            why: String::new(),
            action: String::new(),
            remedies: Vec::new(),
            first: None,
            waits_for_mending: false,
            lines: vec![line],
            condition: (!is_ready).then(|| "the change is made".to_owned()),
            blocked: None,
            exclude: Vec::new(),
            per_task: Vec::new(),
        }
    }

    #[test]
    fn what_carries_its_change_in_its_line_counts_as_ready() {
        let said = |steps: &[Step]| {
            let (options, recommended) = options(&Setup::of("7", Sort::Array), &[], steps);
            let what: Vec<String> = options.into_iter().map(|option| option.what).collect();
            (what, recommended.unwrap())
        };
        let resume = step(Kind::Resume, &[9, 13, 14], true);
        let changed = step(Kind::FixFirst, &[7], true);
        let waits = step(Kind::FixFirst, &[4], false);
        assert_eq!(
            said(&[resume.clone(), changed.clone()]),
            (
                vec!["resume 3 tasks now, and run 1 again with the change that is in the line".to_owned()],
                "resume what is ready".to_owned()
            )
        );
        assert_eq!(
            said(std::slice::from_ref(&changed)),
            (
                vec!["run 1 task again now, with the change that is in the line".to_owned()],
                "run again what is ready, with the change that is in the line".to_owned()
            )
        );
        let (what, recommended) = said(&[resume, changed, waits]);
        assert_eq!(what[1], "mend first, then go on with that task");
        assert!(recommended.starts_with("resume what is ready now, and mend the rest"), "{recommended}");
    }
}
