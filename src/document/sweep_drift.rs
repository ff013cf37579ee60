//! What a sweep amounts to, then against now. Pure.

use super::drift::{Class, Moved};
use super::sweep_lines::{self, short_list};
use super::{CauseFact, StandingFact, SweepFact};
use crate::safety::{clip, code_span, escape};
use crate::terms::{TaskIds, by_number, counted};

/// So many causes are told one by one.
const MOST: usize = 6;

/// What changed in health, decision and causes of a sweep; nothing where one of
/// the two sides was not judged, or rests on less than the other.
pub fn standing(then: &SweepFact, now: &SweepFact) -> Vec<Moved> {
    let (Some(before), Some(after)) = (&then.standing, &now.standing) else { return Vec::new() };
    let read = |standing: &StandingFact| standing.looked_at > 0;
    if read(before) && !read(after) {
        return Vec::new();
    }
    let name = sweep_lines::name(now);
    let mut moved = Vec::new();
    let mut tell = |what: String| moved.push(Moved { class: Class::Sweeps, what: format!("{name}: {what}") });
    if (&before.health, &before.decision) != (&after.health, &after.decision) {
        let (was, is) = (sweep_lines::verdict(before), sweep_lines::verdict(after));
        tell(format!("was {was}; is {is}: {}", sweep_lines::prose(&after.reason, 240)));
    }
    if read(before) != read(after) {
        return moved;
    }
    // Of tasks that were not read it is not known which cause they share.
    let is_told = |cause: &&CauseFact| cause.confidence != "open" || before.cut_short + after.cut_short == 0;
    let mut news = after.causes.iter().filter(is_told).filter_map(|cause| news(cause, before));
    news.by_ref().take(MOST).for_each(&mut tell);
    let more = news.count();
    if more > 0 {
        let news = by_number(more, "is new or grew", "are new or grew");
        tell(format!("and {} {news}", counted(more, "further cause")));
    }
    moved
}

/// Why the causes of a sweep cannot be held against those of the document.
pub fn unchecked(then: &SweepFact, now: &SweepFact) -> Option<String> {
    let (before, after) = (then.standing.as_ref()?, now.standing.as_ref()?);
    let is_less = before.looked_at > 0 && (after.looked_at == 0 || after.cut_short > 0);
    let why =
        after.not_read.iter().find(|what| what.starts_with("logs and run folders")).filter(|_| is_less)?;
    Some(format!("causes of sweep {}: not read: {why}", sweep_lines::name(now)))
}

/// What is new about a cause, if anything is.
fn news(cause: &CauseFact, before: &StandingFact) -> Option<String> {
    let class = clip(&escape(&cause.class), 40);
    let tasks = code_span(&short_list(&cause.tasks, 80));
    let place = match cause.place.as_str() {
        "" => String::new(),
        place => format!(" ({})", code_span(&clip(place, 160))),
    };
    let sentence = sweep_lines::prose(&cause.sentence, 160);
    match before.causes.iter().find(|known| is_same(known, cause)) {
        Some(known) if known.count < cause.count => Some(format!(
            "{class} took {} more, now {}: {tasks}{place}",
            counted(cause.count - known.count, "task"),
            cause.count
        )),
        Some(_) => None,
        None if before.causes_omitted == 0 => {
            let count = counted(cause.count, "task");
            Some(format!("a new cause, {class}, {count}: {tasks}: {sentence}{place}"))
        }
        // It may have been among those that the document only counts.
        None if before.causes.iter().all(|known| known.count < cause.count) => Some(format!(
            "{class} is the largest cause now, {}: {tasks}: {sentence}{place}",
            counted(cause.count, "task")
        )),
        None => None,
    }
}

/// True if two looks speak of one cause: by its fingerprint, or by a task that
/// both name, since a task that failed stays failed.
fn is_same(known: &CauseFact, cause: &CauseFact) -> bool {
    let by_print = || !known.fingerprint.is_empty() && known.fingerprint == cause.fingerprint;
    let by_class = || known.fingerprint.is_empty() && cause.fingerprint.is_empty();
    let by_task = || !list(&known.tasks).intersection(&list(&cause.tasks)).is_empty();
    known.class == cause.class && (by_print() || by_class() || by_task())
}

fn list(text: &str) -> TaskIds {
    TaskIds::of_jobs(text.trim_end_matches(",...")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(decision: &str, looked_at: u64, causes: &[(&str, &str, u64)]) -> SweepFact {
        let cause = |(class, tasks, count): &(&str, &str, u64)| CauseFact {
            class: (*class).into(),
            tasks: (*tasks).into(),
            count: *count,
            sentence: "it fell over".into(),
            ..CauseFact::default()
        };
        let standing = StandingFact {
            health: "degraded".into(),
            decision: decision.into(),
            reason: "because".into(),
            looked_at,
            causes: causes.iter().map(cause).collect(),
            ..StandingFact::default()
        };
        SweepFact { key: "7".into(), name: "lr".into(), standing: Some(standing), ..SweepFact::default() }
    }

    fn told(then: &SweepFact, now: &SweepFact) -> Vec<String> {
        standing(then, now).into_iter().map(|moved| moved.what).collect()
    }

    #[test]
    fn decision_new_causes_and_grown_causes_are_told() {
        let then = sweep("watch", 9, &[("cuda-oom", "3,5", 2), ("time-limit", "8", 1)]);
        assert_eq!(told(&then, &then), [""; 0]);
        let now = sweep(
            "intervene",
            9,
            &[("cuda-oom", "3-7", 5), ("missing-module", "9", 1), ("time-limit", "8", 1)],
        );
        assert_eq!(
            told(&then, &now),
            [
                "`7` `lr`: was degraded, watch; is degraded, intervene: because",
                "`7` `lr`: cuda-oom took 3 tasks more, now 5: `3-7`",
                "`7` `lr`: a new cause, missing-module, 1 task: `9`: it fell over",
            ]
        );
    }

    #[test]
    fn what_rests_on_less_is_not_held_against_what_was_read() {
        let read = sweep("watch", 9, &[("cuda-oom", "3,5", 2)]);
        let counted = sweep("intervene", 0, &[("unknown", "3,5", 2)]);
        assert_eq!(told(&read, &counted), [""; 0]);
        assert_eq!(
            told(&counted, &read),
            [
                "`7` `lr`: was degraded, intervene (by queue and accounting alone); is degraded, watch: because"
            ]
        );
    }

    #[test]
    fn what_there_was_no_time_for_is_no_news() {
        let then = sweep("watch", 9, &[("cuda-oom", "3,5", 2)]);
        let mut now = sweep("watch", 9, &[("unknown", "7-9", 3), ("cuda-oom", "3,5", 2)]);
        let standing = now.standing.as_mut().unwrap();
        standing.cut_short = 3;
        standing.causes[0].confidence = "open".into();
        standing.not_read = vec!["logs and run folders of 3 of 12 tasks: time was up".into()];
        assert_eq!(told(&then, &now), [""; 0]);
        assert_eq!(
            unchecked(&then, &now).as_deref(),
            Some("causes of sweep `7` `lr`: not read: logs and run folders of 3 of 12 tasks: time was up")
        );
        assert_eq!(unchecked(&then, &then), None);
    }

    #[test]
    fn a_cause_that_was_only_counted_is_not_called_new() {
        let mut then = sweep("watch", 9, &[("cuda-oom", "3-5", 3)]);
        then.standing.as_mut().unwrap().causes_omitted = 4;
        assert_eq!(told(&then, &sweep("watch", 9, &[("cuda-oom", "3-5", 3), ("code", "9", 1)])), [""; 0]);
        let told = told(&then, &sweep("watch", 9, &[("code", "9-13", 5)]));
        assert!(told.iter().any(|what| what.contains("code is the largest cause now")), "{told:?}");
    }
}
