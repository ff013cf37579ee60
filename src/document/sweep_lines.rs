//! Sweeps in words, for a document and for a briefing.
//!
//! A document may come from anybody: what its facts say is escaped again.

use super::{CauseFact, JobFact, ResumableFact, RunningFact, StandingFact, SweepFact};
use crate::safety::{clip, code_span, escape, shell_last};
use crate::terms::{TaskIds, by_number, counted};

/// So many causes of a sweep have a row in a document.
const CAUSES: usize = 8;
/// So many of them have a line in a briefing.
const CAUSES_IN_BRIEF: usize = 4;
/// So many of each other list are shown.
const MOST: usize = 4;
/// So many characters of a list of tasks are shown.
const LIST: usize = 100;

/// A sweep in a document: one line of counts, and rows below it.
pub fn told(sweep: &SweepFact) -> String {
    let states: Vec<String> =
        sweep.states.iter().map(|(state, count)| format!("{count} {}", escape(state))).collect();
    let mut text = format!("{}: {}; {}", name(sweep), finished(sweep), states.join(", "));
    let mut row = |what: String| text.push_str(&format!("\n  - {what}"));
    family(sweep).into_iter().for_each(&mut row);
    match &sweep.standing {
        Some(standing) => judged(sweep, standing).into_iter().for_each(&mut row),
        None => outcomes(sweep).into_iter().for_each(&mut row),
    }
    if !sweep.fast.is_empty() {
        row(format!(
            "suspiciously fast, look before you trust them: tasks {} ({})",
            tasks(&sweep.fast),
            escape(&sweep.fast_rule)
        ));
    }
    if !sweep.completed_over_failed_steps.is_empty() && sweep.standing.is_none() {
        row(format!("COMPLETED although a step failed: tasks {}", tasks(&sweep.completed_over_failed_steps)));
    }
    sweep.unknown.iter().for_each(|what| row(format!("not known: {}", escape(what))));
    text
}

/// Its id and its name.
pub fn name(sweep: &SweepFact) -> String {
    let key = code_span(&clip(&sweep.key, 60));
    if sweep.key == sweep.name { key } else { format!("{key} {}", code_span(&clip(&sweep.name, 60))) }
}

/// What a sweep asks a person or an agent to decide, if it asks for anything.
pub fn decision(sweep: &SweepFact) -> Option<String> {
    let standing = sweep.standing.as_ref().filter(|standing| standing.asks())?;
    let plan = plan(sweep).map(|plan| format!("; what to do: {plan}")).unwrap_or_default();
    Some(format!("sweep {}: {}: {}{plan}", name(sweep), verdict(standing), prose(&standing.reason, 240)))
}

/// What live jobs are told to be left alone but for: those of sweeps in which
/// somebody is to intervene. Empty if there are none.
pub fn but_for<'s>(sweeps: impl Iterator<Item = &'s SweepFact>, jobs: &[JobFact]) -> String {
    let is_asked = |sweep: &&SweepFact| {
        let intervenes = |standing: &StandingFact| standing.asks() && standing.decision == "intervene";
        let continued = sweep.continued_by.parse::<TaskIds>().unwrap_or_default();
        // Jobs that share a name are found by it, an array by its id alone.
        let is_of_it = |job: &JobFact| {
            job.id.base.to_string() == sweep.key
                || continued.contains(job.id.base)
                || sweep.key == sweep.name && job.name == sweep.name
        };
        sweep.is_live() && sweep.standing.as_ref().is_some_and(intervenes) && jobs.iter().any(is_of_it)
    };
    let names: Vec<String> = sweeps.filter(is_asked).take(MOST).map(name).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!(", but for what the plan of sweep {} names", names.join(" and of sweep ")),
    }
}

/// Where paths of files begin, if any was read, and that is not the worktree.
fn files_below(standing: &StandingFact) -> Option<&str> {
    (standing.looked_at > 0 && !standing.work_dir.is_empty()).then_some(standing.work_dir.as_str())
}

/// A sweep in a briefing; `when` says of which moment it is.
pub fn brief(sweep: &SweepFact, when: &str) -> Vec<String> {
    let mut head = format!("- sweep {} {when}: {}", name(sweep), finished(sweep));
    head.push_str(&family(sweep).map(|what| format!("; {what}")).unwrap_or_default());
    let Some(standing) = &sweep.standing else {
        let failed = match sweep.failed.as_str() {
            "" => "none failed".to_owned(),
            list => format!("failed: {}", code_span(&clip(list, 80))),
        };
        return vec![format!("{head}; {failed}")];
    };
    head.push_str(&format!("; {}", verdict(standing)));
    if standing.failed == 0 {
        head.push_str("; none failed");
    }
    if let Some(dir) = files_below(standing) {
        head.push_str(&format!("; its files are below {}", code_span(&clip(dir, 120))));
    }
    let mut lines = vec![head];
    let cause = |cause: &CauseFact| {
        // What no file says is in the class.
        let is_file = cause.place.contains(':');
        let place =
            if is_file { format!("; {}", code_span(&clip(&cause.place, 160))) } else { String::new() };
        format!("  - {}{place}; {}", cause_head(cause, None), prose(&cause.action, 160))
    };
    lines.extend(standing.causes.iter().take(CAUSES_IN_BRIEF).map(cause));
    lines.extend(further(standing, CAUSES_IN_BRIEF).map(|what| format!("  - {what}")));
    let mut rest: Vec<String> = standing.running.iter().map(running).collect();
    rest.extend(resumable(standing));
    if !standing.contradictions.is_empty() {
        rest.push(contradictions_counted(standing));
    }
    rest.extend(not_read(standing));
    if !rest.is_empty() {
        lines.push(format!("  - {}", rest.join("; ")));
    }
    lines
}

/// How it does, and what is to be done.
pub fn verdict(standing: &StandingFact) -> String {
    let alone = match (standing.looked_at, standing.cut_short) {
        (0, _) => " (by queue and accounting alone)".to_owned(),
        (_, 0) => String::new(),
        (_, left) => {
            format!(" (time was up before {} {} read)", counted(left, "task"), by_number(left, "was", "were"))
        }
    };
    format!("{}, {}{alone}", clip(&escape(&standing.health), 20), clip(&escape(&standing.decision), 30))
}

/// Which jobs are no sweeps of their own, since a plan submitted tasks again.
pub fn family(sweep: &SweepFact) -> Option<String> {
    match (sweep.continued_by.as_str(), sweep.continues.as_str()) {
        ("", "") => None,
        ("", first) => Some(format!("it continues {}: a plan submitted tasks of that again", tasks(first))),
        (jobs, _) => {
            Some(format!("continued by {}, counted here: a plan submitted tasks again", tasks(jobs)))
        }
    }
}

/// Who said that nothing is to be done about it.
fn settled(standing: &StandingFact) -> Option<String> {
    (!standing.settled.is_empty()).then(|| prose(&standing.settled, 300))
}

fn finished(sweep: &SweepFact) -> String {
    let total = sweep.total.map_or_else(|| "an unknown number".to_owned(), |total| total.to_string());
    format!("{} of {total} finished", sweep.finished)
}

/// The command that says what to do; none where the name was changed by escaping.
fn plan(sweep: &SweepFact) -> Option<String> {
    let word = shell_last(&sweep.key).ok().filter(|_| !sweep.key.contains(['\\', '…']))?;
    Some(code_span(&format!("handover sweep plan {word}")))
}

fn judged(sweep: &SweepFact, standing: &StandingFact) -> Vec<String> {
    let mut rows = Vec::new();
    let is_asked = standing.asks() || standing.failed > 0 && standing.settled.is_empty() && !standing.foreign;
    let plan = plan(sweep).filter(|_| is_asked);
    let plan = plan.map(|plan| format!(". What to do: {plan}")).unwrap_or_default();
    rows.push(format!("**{}**: {}{plan}", verdict(standing), prose(&standing.reason, 300)));
    rows.extend(settled(standing));
    if !standing.learning.is_empty() {
        rows.push(format!("learning value: {}", prose(&standing.learning, 300)));
    }
    if let Some(dir) = files_below(standing) {
        rows.push(format!("it works in {}: paths of its files begin there", code_span(&clip(dir, 200))));
    }
    rows.extend(standing.causes.iter().take(CAUSES).map(|one| cause(one, Some(standing.counted))));
    rows.extend(further(standing, CAUSES));
    let aside = standing.aside.iter().take(MOST);
    rows.extend(aside.map(|one| format!("aside, in no share: {}", cause(one, None))));
    rows.extend(standing.running.iter().map(running));
    rows.extend(resumable(standing));
    for found in standing.contradictions.iter().take(MOST) {
        rows.push(format!("look at {}: {}", tasks(&found.tasks), prose(&found.what, 200)));
    }
    let more = standing.contradictions.len().saturating_sub(MOST) as u64 + standing.contradictions_omitted;
    if more > 0 {
        rows.push(format!("and {more} further kinds of contradictions"));
    }
    let shown = standing.not_read.iter().take(MOST);
    rows.extend(shown.map(|what| format!("not read: {}", prose(what, 200))));
    let more = standing.not_read.len().saturating_sub(MOST) as u64 + standing.not_read_omitted;
    if more > 0 {
        rows.push(format!("not read: {more} more"));
    }
    rows
}

impl ResumableFact {
    /// From which steps they go on, if that is known: `, from step 300 to 400`.
    pub fn from(&self) -> String {
        match self.steps {
            Some((least, most)) if least == most => format!(", from step {least}"),
            Some((least, most)) => format!(", from step {least} to {most}"),
            None => String::new(),
        }
    }
}

/// A cause in a document: three short lines.
fn cause(cause: &CauseFact, of: Option<u64>) -> String {
    let mut text = cause_head(cause, of);
    let place =
        if cause.place.is_empty() { String::new() } else { format!(" ({})", code_span(&cause.place)) };
    let guess = match cause.confidence.as_str() {
        "sure" => String::new(),
        guess => format!("{}: ", clip(&escape(guess), 20)),
    };
    text.push_str(&format!("\n    {guess}{}{place}", prose(&cause.sentence, 240)));
    // What is sure is said by the sentence.
    if !cause.meaning.is_empty() && cause.confidence != "sure" {
        text.push_str(&format!("\n    it means: {}", prose(&cause.meaning, 200)));
    }
    if !cause.action.is_empty() {
        text.push_str(&format!("\n    {}", prose(&cause.action, 240)));
    }
    text
}

fn cause_head(cause: &CauseFact, of: Option<u64>) -> String {
    let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
    format!(
        "{}: {}{of} ({} %), {}: {}",
        clip(&escape(&cause.class), 40),
        cause.count,
        cause.percent,
        prose(&cause.spread, 120),
        tasks(&cause.tasks)
    )
}

/// The causes that are not shown.
fn further(standing: &StandingFact, shown: usize) -> Option<String> {
    let hidden = standing.causes.get(shown..).unwrap_or_default();
    let causes = hidden.len() as u64 + standing.causes_omitted;
    let tasks = hidden.iter().map(|cause| cause.count).sum::<u64>() + standing.tasks_omitted;
    (causes > 0).then(|| format!("and {} of {}", counted(causes, "further cause"), counted(tasks, "task")))
}

fn running(running: &RunningFact) -> String {
    let mut text = format!("running: {}", running.running);
    match (running.median, running.least) {
        (Some(median), Some(least)) => {
            text.push_str(&format!(", median {median} % done, least {least} %"));
            text.extend(running.slowest.map(|task| format!(" (task {task})")));
            if running.told < running.running {
                text.push_str(&format!("; {} tell nothing", running.running - running.told));
            }
        }
        _ => text.push_str(", how far they are is not known"),
    }
    if !running.beyond_limit.is_empty() {
        text.push_str(&format!(
            "; will not be done before their time limit: {}",
            tasks(&running.beyond_limit)
        ));
    }
    if !running.troubled.is_empty() {
        text.push_str(&format!("; look at their loss: {}", tasks(&running.troubled)));
    }
    text
}

fn resumable(standing: &StandingFact) -> Option<String> {
    let resumable = standing.resumable.as_ref()?;
    let (of, usable, unknown) = (resumable.of, resumable.usable, resumable.unknown);
    if unknown >= of {
        return Some(format!(
            "resumable: not known; nobody looked for checkpoints of the {of} that failed or stopped"
        ));
    }
    let mut text = format!("resumable: {usable} of {of} that failed or stopped have a usable checkpoint");
    if !resumable.tasks.is_empty() {
        text.push_str(&format!(": {}", tasks(&resumable.tasks)));
    }
    text.push_str(&resumable.from());
    if unknown > 0 {
        text.push_str(&format!("; of {unknown} it is not known"));
    }
    Some(text)
}

fn contradictions_counted(standing: &StandingFact) -> String {
    let kinds = standing.contradictions.len() as u64 + standing.contradictions_omitted;
    format!("{} of contradictions between the sources", counted(kinds, "kind"))
}

fn not_read(standing: &StandingFact) -> Option<String> {
    let first = standing.not_read.first()?;
    let more = standing.not_read.len() as u64 - 1 + standing.not_read_omitted;
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    Some(format!("not read: {}{more}", prose(first, 160)))
}

/// What failed by state and exit code, where nobody judged.
fn outcomes(sweep: &SweepFact) -> Vec<String> {
    let failures = sweep.tasks.iter().filter(|(outcome, _)| !sweep.failed.is_empty() && is_failure(outcome));
    let mut rows: Vec<String> =
        failures.map(|(outcome, list)| format!("{}: tasks {}", escape(outcome), tasks(list))).collect();
    if sweep.tasks.is_empty() && !sweep.failed.is_empty() {
        rows.push(format!("failed: tasks {}", tasks(&sweep.failed)));
    }
    rows
}

/// True for the outcomes that count as failures: the words of Slurm for them.
fn is_failure(outcome: &str) -> bool {
    const WORDS: [&str; 6] = ["BOOT_FAIL", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"];
    WORDS.contains(&outcome.split(' ').next().unwrap_or_default())
}

/// A list of tasks; one that is too long is cut between two of them.
fn tasks(list: &str) -> String {
    code_span(&short_list(list, LIST))
}

/// A list that is longer than `most` characters, cut at a comma.
pub fn short_list(list: &str, most: usize) -> String {
    if list.chars().count() <= most {
        return list.to_owned();
    }
    let cut: String = list.chars().take(most.saturating_sub(4)).collect();
    format!("{},...", cut.rsplit_once(',').map_or("", |(whole, _)| whole)).trim_start_matches(',').to_owned()
}

/// A sentence that may hold words from outside, as text of markdown: it can
/// open no comment, no code, no picture and no link.
pub fn prose(text: &str, most: usize) -> String {
    let text = clip(&escape(text.trim()), most).replace('`', "'");
    text.replace("<!--", "<\\!--").replace("](", "]\\(")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(class: &str, count: u64) -> CauseFact {
        CauseFact {
            class: class.into(),
            confidence: "sure".into(),
            count,
            percent: 2.5,
            tasks: (0..count).map(|task| (task * 2).to_string()).collect::<Vec<_>>().join(","),
            spread: "scattered".into(),
            sentence: "s".repeat(900),
            meaning: "m".repeat(900),
            action: "a".repeat(900),
            place: "logs/x.out:4".into(),
            ..CauseFact::default()
        }
    }

    #[test]
    fn two_hundred_tasks_of_one_cause_are_one_row() {
        let standing = StandingFact {
            health: "systemic".into(),
            decision: "intervene".into(),
            reason: "200 of 1000 failed alike".into(),
            looked_at: 200,
            counted: 1000,
            failed: 200,
            causes: vec![CauseFact {
                tasks: "0-199".into(),
                sentence: "out of memory".into(),
                meaning: String::new(),
                action: "smaller batch".into(),
                ..cause("cuda-oom", 200)
            }],
            ..StandingFact::default()
        };
        let sweep = SweepFact {
            key: "7".into(),
            name: "lr".into(),
            total: Some(1000),
            finished: 1000,
            standing: Some(standing),
            ..SweepFact::default()
        };
        let text = told(&sweep);
        assert_eq!(text.matches("cuda-oom").count(), 1, "{text}");
        assert!(text.contains("cuda-oom: 200 of 1000 (2.5 %), scattered: `0-199`"), "{text}");
        assert!(decision(&sweep).is_some_and(|what| what.contains("`handover sweep plan 7`")));
    }

    #[test]
    fn what_is_lost_and_from_where_it_goes_on_is_told() {
        let resumable =
            ResumableFact { of: 7, usable: 3, tasks: "5-7".into(), steps: Some((300, 400)), unknown: 0 };
        let standing = StandingFact {
            reason: "2 of 11 failed alike".into(),
            learning: "20 of 25 parts of the space (bs x lr) have a usable result: 20 % lost; nothing came of bs=512"
                .into(),
            resumable: Some(resumable.clone()),
            ..StandingFact::default()
        };
        let sweep = SweepFact { key: "7".into(), standing: Some(standing), ..SweepFact::default() };
        let text = told(&sweep);
        assert!(text.contains("\n  - learning value: 20 of 25 parts of the space (bs x lr)"), "{text}");
        assert!(text.contains("20 % lost; nothing came of bs=512\n"), "{text}");
        assert!(text.contains("have a usable checkpoint: `5-7`, from step 300 to 400"), "{text}");
        let at = |steps| ResumableFact { steps, ..resumable.clone() }.from();
        assert_eq!((at(Some((300, 300))), at(None)), (", from step 300".to_owned(), String::new()));
    }

    #[test]
    fn a_sweep_of_many_tasks_and_causes_is_short() {
        let standing = StandingFact {
            causes: (0..12).map(|_| cause("code", 5000)).collect(),
            causes_omitted: 488,
            tasks_omitted: 40_000,
            aside: vec![cause("cancelled", 5000); 12],
            contradictions: vec![
                super::super::ContradictionFact {
                    what: "w".repeat(500),
                    count: 9,
                    tasks: "1".repeat(5000)
                };
                12
            ],
            not_read: vec!["n".repeat(500); 12],
            learning: "l".repeat(900),
            ..StandingFact::default()
        };
        let sweep = SweepFact { key: "7".into(), standing: Some(standing), ..SweepFact::default() };
        let text = told(&sweep);
        assert!(
            text.len() < 20_000 && text.contains("and 492 further causes of 60000 tasks"),
            "{} {text}",
            text.len()
        );
        assert!(brief(&sweep, "then").len() <= 7);
    }

    #[test]
    fn words_from_outside_open_nothing() {
        let evil = "x` <!-- program --> ![a](http://b)\n## Status\u{202e}";
        let standing = StandingFact {
            health: evil.into(),
            decision: evil.into(),
            reason: evil.into(),
            work_dir: evil.into(),
            causes: vec![CauseFact {
                class: evil.into(),
                spread: evil.into(),
                sentence: evil.into(),
                action: evil.into(),
                place: evil.into(),
                tasks: evil.into(),
                ..CauseFact::default()
            }],
            not_read: vec![evil.into()],
            ..StandingFact::default()
        };
        let sweep = SweepFact {
            key: evil.into(),
            name: evil.into(),
            standing: Some(standing),
            ..SweepFact::default()
        };
        let text = format!("{}\n{:?}\n{}", told(&sweep), decision(&sweep), brief(&sweep, "then").join("\n"));
        assert!(!text.contains("\n## ") && !text.contains('\u{202e}'), "{text}");
        assert_eq!(plan(&sweep), None);
    }

    #[test]
    fn a_list_is_cut_between_two_tasks() {
        assert_eq!(short_list("1-3,7,9", 100), "1-3,7,9");
        assert_eq!(short_list("100,200,300", 10), "100,...");
        assert_eq!(short_list(&"1".repeat(200), 10), "...");
    }
}
