//! What is cancelled, and how it comes back.

use super::*;

/// Tasks 10, 11 run and 12, 20 wait; the cause awaits these.
pub(super) fn to_intervene(class: &str, doomed: &str) -> (Setup, Vec<Subject>) {
    let alive: Known<TaskIds> = Known::Known("10-12,20".parse().unwrap());
    let running = |member| Subject {
        state: State::Running,
        elapsed: Some(3600),
        ..Subject::of(member, JobId::task(48251, member))
    };
    let waiting = |member| Subject {
        state: State::Pending,
        never_ran: true,
        ..Subject::of(member, JobId::task(48251, member))
    };
    let subjects = vec![
        without_checkpoint(failed(3, 0)),
        running(10),
        with_checkpoint(running(11), 7),
        waiting(12),
        waiting(20),
    ];
    let tasks: TaskIds = doomed.parse().unwrap_or_default();
    let doomed = Doomed { cause: Some(0), tasks, why: "batch_size=512".to_owned(), on_nodes: false };
    let setup = Setup {
        causes: vec![seen(class, Where::OneCorner)],
        alive,
        intervene: Some("40 % fail alike".to_owned()),
        doomed: vec![doomed],
        template: Some(Template::read("sbatch --array={tasks} {script}").unwrap()),
        ..setup()
    };
    (setup, subjects)
}

#[test]
pub(super) fn to_intervene_is_to_cancel_exactly_what_will_fail_and_to_bring_it_back_afterwards() {
    let (setup, subjects) = to_intervene("cuda-oom", "3,11,20");
    let made = plan(&setup, &subjects);
    assert_eq!(texts(&made), ["scancel '48251_[11,20]'"]);
    let cancel = &made.steps[0];
    assert!(cancel.why.ends_with("will fail too: 11,20: batch_size=512"));
    assert_eq!(
        cancel.action,
        "1 task has run 1 h together: 1 of them has a checkpoint, at step 7, and loses what came after it; \
         1 that waits loses nothing"
    );
    // Nothing is cancelled and left alone.
    assert_eq!(made.tasks(Kind::Leave).to_string(), "10,12");
    let back: Vec<&Step> = made.steps.iter().filter(|step| step.why.starts_with("cancelled above")).collect();
    assert_eq!(back.len(), 1, "{:#?}", made.steps);
    assert_eq!((back[0].tasks.to_string(), back[0].class.as_deref()), ("11,20".to_owned(), Some("cuda-oom")));
    assert_eq!(back[0].lines[0].text, "sbatch --array=11,20 train.sh");
    assert_eq!(back[0].condition.as_deref(), Some("the change is made and they are cancelled"));
    assert!(!back[0].remedies.is_empty());
    assert_eq!(made.options.len(), 3);
    assert_eq!(
        made.recommendation.as_deref(),
        Some(
            "cancel 11,20 (2 tasks): they will fail as the others did; leave the other 2 that are alive alone"
        )
    );
}

#[test]
fn where_nothing_that_is_alive_is_known_to_fail_nothing_is_cancelled() {
    let (setup, subjects) = to_intervene("cuda-oom", "3");
    let made = plan(&setup, &subjects);
    assert!(texts(&made).is_empty() && made.tasks(Kind::Cancel).is_empty());
    assert_eq!(made.tasks(Kind::Leave).to_string(), "10-12,20");
    assert!(made.recommendation.unwrap().contains("cancel nothing"));
    // And where it is to run on, nobody is told to cancel it.
    let (setup, subjects) = to_intervene("cuda-oom", "3,11,20");
    let made = plan(&Setup { keep_running: true, ..setup }, &subjects);
    assert!(texts(&made).is_empty());
    assert_eq!(made.tasks(Kind::Leave).to_string(), "10-12,20");
    let said = format!("{:?} {:?} {:?}", made.options, made.recommendation, made.notes);
    assert!(!said.contains("cancel"), "{said}");
}

#[test]
fn what_a_plan_has_cancelled_comes_back_after_the_change() {
    let (setup, mut subjects) = to_intervene("missing-module", "20");
    let ended = |one: &Subject| Subject { state: State::Cancelled, cause: Some(1), ..one.clone() };
    subjects[4] = ended(&subjects[4]);
    let by = Cancelled { hash: "0123456789ab".to_owned(), at: crate::terms::Time::from_unix(0).unwrap() };
    let mut causes = setup.causes.clone();
    causes.push(seen("cancelled", Where::Scattered));
    let setup = Setup {
        alive: Known::Known("10-12".parse().unwrap()),
        cancelled: [(20, by)].into(),
        causes,
        ..setup
    };
    let made = plan(&setup, &subjects);
    let back = made.steps.iter().find(|step| step.tasks.to_string() == "20").unwrap();
    assert_eq!(back.why, "cancelled by plan 0123456789ab on 1970-01-01T00:00:00Z");
    assert_eq!((back.kind, back.class.as_deref()), (Kind::FixFirst, Some("missing-module")));
    assert_eq!(back.lines[0].text, "sbatch --array=20 train.sh");
    assert_eq!(back.condition.as_deref(), Some("the change is made"));
    assert!(!format!("{made:?}").contains("whoever"), "{made:#?}");
}
