mod again;
mod cancel;

use proptest::prelude::*;

use super::*;
use crate::cluster::{ArrayLimits, Gpus, Node, State, Submission};
use crate::joblog::Retry;
use crate::sweep;
use crate::terms::{Bytes, JobId, TaskIds};
use cancel::to_intervene;

fn seen(class: &str, spread: Where) -> Seen {
    Seen {
        class: class.to_owned(),
        retry: Retry::Resume,
        sentence: format!("{class} struck"),
        action: "do this".to_owned(),
        node: None,
        spread,
        open: false,
    }
}

fn setup() -> Setup {
    Setup {
        name: "train".to_owned(),
        alive: Known::Known(TaskIds::default()),
        script: Some("train.sh".to_owned()),
        root: "/home/ann/tree".into(),
        ..Setup::of("48251", sweep::Kind::Array)
    }
}

fn failed(member: u32, cause: usize) -> Subject {
    Subject {
        state: State::Failed,
        cause: Some(cause),
        elapsed: Some(600),
        nodes: "gpu01".to_owned(),
        ..Subject::of(member, JobId::task(48251, member))
    }
}

fn with_checkpoint(subject: Subject, step: u64) -> Subject {
    let path = format!("/home/ann/tree/outputs/run {}/step_{step}.pt", subject.member).into();
    let run_dir = Some(format!("/home/ann/tree/outputs/run {}", subject.member).into());
    Subject {
        checkpoint: Known::Known(Some(Best { path, step: Some(step), weights_only: false })),
        run_dir,
        ..subject
    }
}

fn without_checkpoint(subject: Subject) -> Subject {
    Subject { checkpoint: Known::Known(None), ..subject }
}

fn texts(plan: &Plan) -> Vec<&str> {
    plan.runnable().map(|line| line.text.as_str()).collect()
}

#[test]
fn tasks_at_their_limit_go_on_from_their_checkpoints_with_the_projects_own_command() {
    let subjects: Vec<Subject> = [1, 2, 3, 7]
        .into_iter()
        .map(|member| {
            let subject = Subject { state: State::Timeout, last_step: Some(130), ..failed(member, 0) };
            with_checkpoint(subject, 100)
        })
        .collect();
    let mut setup =
        Setup { causes: vec![seen("time-limit", Where::Everywhere)], throttle: Some(2), ..setup() };
    setup.template = Some(Template::read("sbatch --array={tasks} {script} --resume auto").unwrap());
    let made = plan(&setup, &subjects);
    assert_eq!(texts(&made), ["sbatch --array=1-3,7%2 train.sh --resume auto"]);
    assert_eq!((made.steps.len(), made.steps[0].kind), (1, Kind::Resume));
    assert_eq!(made.steps[0].per_task[0].lost_steps, Some(30));
    assert_eq!(made.demand.resumable, 4);

    setup.template =
        Some(Template::read("{wandb} sbatch --array={tasks} {script} --resume {checkpoint}").unwrap());
    let mut subjects = subjects;
    subjects[3].wandb = Some("a1b2".to_owned());
    assert_eq!(
        texts(&plan(&setup, &subjects))[2..],
        [
            "sbatch --array=3 train.sh --resume 'outputs/run 3/step_100.pt'",
            "WANDB_RUN_ID=a1b2 WANDB_RESUME=must sbatch --array=7 train.sh --resume 'outputs/run 7/step_100.pt'"
        ]
    );
    setup.template = Some(Template::read("./run RUN={run}").unwrap());
    let made = plan(&setup, &subjects);
    assert_eq!(texts(&made)[0], "./run RUN='outputs/run 1'");
    // The same run goes on although the command does not ask for it.
    assert_eq!(texts(&made)[3], "WANDB_RUN_ID=a1b2 WANDB_RESUME=must ./run RUN='outputs/run 7'");
    // Not where one line is for several tasks, or variables would not reach the program.
    for command in ["sbatch --array={tasks} {script}", "cd x && ./run RUN={run}"] {
        setup.template = Some(Template::read(command).unwrap());
        let made = plan(&setup, &subjects);
        assert!(!texts(&made).iter().any(|line| line.contains("WANDB")), "{command}");
        assert!(made.notes.iter().any(|note| note.contains("add {wandb}")), "{:?}", made.notes);
    }
}

#[test]
fn code_and_environment_failures_get_no_line_at_all() {
    for class in FIX_FIRST {
        for retry in [Retry::Resume, Retry::Resubmit, Retry::Once, Retry::AfterChange] {
            for template in [None, Some("./run RUN={run}"), Some("sbatch --array={tasks} {script}")] {
                for spread in [Where::Everywhere, Where::OneNode, Where::Scattered, Where::OneCorner] {
                    let causes = vec![Seen { retry, ..seen(class, spread) }];
                    let template = template.map(|text| Template::read(text).unwrap());
                    let setup = Setup { causes, template, ..setup() };
                    let made =
                        plan(&setup, &[with_checkpoint(failed(3, 0), 5), without_checkpoint(failed(4, 0))]);
                    assert!(made.steps.iter().all(|step| step.lines.is_empty()), "{class}: {made:?}");
                    assert_eq!((made.steps.len(), made.steps[0].kind), (1, Kind::FixFirst), "{class}");
                    assert_eq!((made.steps[0].first, &made.hash), (Some(3), &None), "{class}");
                }
            }
        }
    }
}

#[test]
fn without_a_resume_command_nothing_that_has_a_checkpoint_is_submitted_again() {
    let setup = Setup { causes: vec![seen("preempted", Where::Scattered)], ..setup() };
    let made = plan(&setup, &[with_checkpoint(failed(3, 0), 5)]);
    assert_eq!(texts(&made), [""; 0]);
    let step = &made.steps[0];
    assert_eq!(step.lines[0].text, "sbatch --array=3 train.sh");
    assert!(step.condition.as_ref().unwrap().starts_with("it is sure that the script goes on"));
    assert_eq!(made.hash, None);
    let made = plan(&Setup { script: None, ..setup.clone() }, &[without_checkpoint(failed(3, 0))]);
    assert_eq!(
        made.steps[0].blocked.as_deref(),
        Some("the batch script is not known: name it as `script` below `sweeps`")
    );
    assert!(made.steps[0].lines.is_empty());
}

#[test]
fn a_task_without_a_checkpoint_is_lost_and_one_that_never_began_is_not() {
    let setup = Setup { causes: vec![seen("node-fail", Where::Scattered)], ..setup() };
    let never = Subject { never_ran: true, nodes: "gpu02".to_owned(), ..failed(9, 0) };
    let made = plan(&setup, &[without_checkpoint(failed(3, 0)), never]);
    let kinds: Vec<(Kind, String)> =
        made.steps.iter().map(|step| (step.kind, step.tasks.to_string())).collect();
    assert_eq!(kinds, [(Kind::Resume, "9".to_owned()), (Kind::Lost, "3".to_owned())]);
    // What starts over is never run by itself: somebody must want that.
    assert_eq!(texts(&made), ["sbatch --array=9 --exclude=gpu02 train.sh"]);
    let lost = made.steps.iter().find(|step| step.kind == Kind::Lost).unwrap();
    assert_eq!(lost.lines[0].text, "sbatch --array=3 --exclude=gpu01 train.sh");
    assert_eq!(lost.condition.as_deref(), Some("all of its work may be done a second time"));
    // Nor what came forward and left nothing, whatever is changed before.
    let causes = vec![seen("host-oom", Where::Scattered)];
    let memory = Asked::of("4G", Per::Node, "accounting");
    let setup = Setup { causes, memory, ..setup };
    let started = without_checkpoint(failed(3, 0));
    let came_forward = Subject { last_step: Some(400), ..without_checkpoint(failed(4, 0)) };
    assert_eq!(texts(&plan(&setup, &[started, came_forward])), ["sbatch --array=3 --mem=6G train.sh"]);
    let setup = Setup { causes: vec![seen("node-fail", Where::Scattered)], ..setup };
    let timeout = Subject { state: State::Timeout, ..without_checkpoint(failed(3, 0)) };
    let setup = Setup { causes: vec![seen("time-limit", Where::Scattered)], ..setup };
    let made = plan(&setup, &[timeout]);
    assert_eq!((made.steps[0].kind, texts(&made).len()), (Kind::Lost, 0));
    assert!(made.steps[0].condition.is_some(), "it would run into its limit again");
}

#[test]
fn what_is_alive_under_its_old_id_is_left_alone_whatever_accounting_says() {
    let causes = vec![seen("preempted", Where::Scattered)];
    let template = Some(Template::read("sbatch --array={tasks} {script}").unwrap());
    let alive = Known::Known("4-6".parse().unwrap());
    let setup = Setup { causes, template, alive, ..setup() };
    let subjects: Vec<Subject> = (3..8).map(|member| with_checkpoint(failed(member, 0), 5)).collect();
    let made = plan(&setup, &subjects);
    assert_eq!(texts(&made), ["sbatch --array=3,7 train.sh"]);
    assert_eq!(made.tasks(Kind::Leave).to_string(), "4-6");

    let unknown = Setup { alive: Known::Unknown("squeue did not answer".to_owned()), ..setup };
    let made = plan(&unknown, &subjects);
    assert!(made.steps.iter().all(|step| step.lines.is_empty() && step.blocked.is_some()));
    assert!(made.notes[0].contains("squeue did not answer"));
}

#[test]
fn tasks_that_were_submitted_again_are_left_alone() {
    let again = |state| Again {
        id: Some(JobId::task(50000, 3)),
        state,
        sure: true,
        hash: "0123456789ab".to_owned(),
        why: String::new(),
    };
    for (state, why) in [
        (Some(State::Running), "submitted again as 50000_3, which is RUNNING"),
        (None, "submitted again as 50000_3, which is not seen yet"),
    ] {
        let setup = Setup {
            causes: vec![seen("preempted", Where::Scattered)],
            again: [(3, again(state))].into(),
            ..setup()
        };
        let made = plan(&setup, &[without_checkpoint(failed(3, 0))]);
        assert_eq!((made.steps[0].kind, made.steps[0].why.as_str()), (Kind::Leave, why));
        assert!(made.no_decision_required);
    }
}

#[test]
fn out_of_memory_carries_the_numbers_of_the_run() {
    let causes = vec![seen("host-oom", Where::Scattered), seen("cuda-oom", Where::Scattered)];
    let submission = Submission::read("sbatch --array=0-9 --mem=16G -pai train.sh --lr 0.1");
    let template = Some(Template::read("sbatch --array={tasks} {script}").unwrap());
    let memory = submission.as_ref().and_then(|call| Asked::of_options(call, "its call of sbatch"));
    let setup = Setup { causes, submission, memory, template, ..setup() };
    let host = Subject { memory: Some(Bytes(15 << 30)), ..with_checkpoint(failed(1, 0), 5) };
    let mut gpu = with_checkpoint(failed(2, 1), 5);
    gpu.parameters = [("batch_size".to_owned(), "64".to_owned())].into();
    let made = plan(&setup, &[host, gpu]);
    assert_eq!(texts(&made), ["sbatch --mem=24G --array=1 train.sh"]);
    let gpu = made.steps.iter().find(|step| step.class.as_deref() == Some("cuda-oom")).unwrap();
    assert_eq!(gpu.condition.as_deref(), Some("the change is made"));
    assert_eq!(gpu.remedies[0].what, "batch 32 instead of 64, accumulated over 2 steps instead of 1");
    assert!(made.steps.iter().all(|step| step.kind == Kind::FixFirst));
}

#[test]
fn a_job_that_ran_out_of_memory_is_not_run_with_the_same_memory_again() {
    let causes = vec![seen("host-oom", Where::Scattered)];
    let template = Some(Template::read("sbatch --array={tasks} {script}").unwrap());
    let setup = Setup { causes, template, submission: None, ..setup() };
    let made = plan(&setup, &[with_checkpoint(failed(1, 0), 5)]);
    assert_eq!(made.runnable().count(), 0);
    assert_eq!(made.hash, None);
    assert_eq!(made.steps[0].condition.as_deref(), Some("the change is made"));
    assert_eq!(made.steps[0].lines[0].text, "sbatch --array=1 train.sh");
}

#[test]
fn a_line_that_holds_a_secret_waits_until_it_is_out_of_it() {
    let causes = vec![seen("time-limit", Where::Everywhere)];
    let key = ["WANDB_API_KEY=9f86d081884c7d65", "9a2feaa0c55ad015a3bf4f1b"].concat();
    let template = format!("sbatch --array={{tasks}} --export=ALL,{key} {{script}} --resume {{checkpoint}}");
    let setup = Setup { causes, template: Some(Template::read(&template).unwrap()), ..setup() };
    let made = plan(&setup, &[with_checkpoint(Subject { state: State::Timeout, ..failed(7, 0) }, 400)]);
    assert_eq!(made.runnable().count(), 0);
    assert_eq!(made.hash, None);
    let step = made.steps.iter().find(|step| !step.lines.is_empty()).unwrap();
    assert!(step.lines[0].text.contains(&key), "the true line is kept, and never shown");
    let condition = step.condition.as_deref().unwrap();
    assert!(condition.contains("not the line to paste") && condition.contains("variable"), "{condition}");
    assert!(!condition.contains(&key));
}

#[test]
fn a_run_that_is_not_what_was_intended_is_not_resumed() {
    let causes = vec![seen("preempted", Where::Scattered)];
    let template = Some(Template::read("./run RUN={run}").unwrap());
    let setup = Setup { causes, template, ..setup() };
    let other =
        Subject { differences: vec!["lr: 0.1, intended 0.2".to_owned()], ..with_checkpoint(failed(3, 0), 5) };
    let made = plan(&setup, &[other, with_checkpoint(failed(4, 0), 5)]);
    assert_eq!(texts(&made), ["./run RUN='outputs/run 4'"]);
    let blocked = made.steps.iter().find(|step| step.blocked.is_some()).unwrap();
    assert_eq!(blocked.per_task[0].differences, ["lr: 0.1, intended 0.2"]);
}

#[test]
fn an_unknown_cause_is_tried_with_one_task() {
    let template = Some(Template::read("sbatch --array={tasks} {script}").unwrap());
    let setup = Setup { template, ..setup() };
    let subjects: Vec<Subject> = (0..9)
        .map(|member| Subject { cause: None, ..with_checkpoint(failed(member, 0), u64::from(member % 5)) })
        .collect();
    let made = plan(&setup, &subjects);
    assert_eq!((made.steps[0].kind, made.steps[0].first), (Kind::Canary, Some(4)));
    assert_eq!(texts(&made), ["sbatch --array=4 train.sh"]);

    let id = Some(JobId::task(50000, 4));
    let again = Again {
        id,
        state: Some(State::Completed),
        sure: true,
        hash: "0123456789ab".to_owned(),
        why: String::new(),
    };
    let made = plan(&Setup { again: [(4, again)].into(), ..setup }, &subjects);
    assert_eq!(texts(&made), ["sbatch --array=0-3,5-8 train.sh"], "the one that was tried went well");
}

#[test]
fn what_somebody_submitted_again_is_in_no_line() {
    let causes = vec![seen("preempted", Where::Scattered)];
    let template = Some(Template::read("sbatch --array={tasks} {script}").unwrap());
    let subjects: Vec<Subject> = (3..6).map(|member| with_checkpoint(failed(member, 0), 5)).collect();
    let elsewhere = Elsewhere { tasks: [(4, JobId::task(51, 4))].into(), ..Elsewhere::default() };
    let setup = Setup { causes, template, elsewhere, ..setup() };
    let made = plan(&setup, &subjects);
    assert_eq!(texts(&made), ["sbatch --array=3,5 train.sh"]);
    assert_eq!(made.tasks(Kind::Leave).to_string(), "4");
    assert!(made.steps.last().unwrap().why.contains("51_4"));
    // An array of which the tasks are not known may be all of them.
    let elsewhere = Elsewhere { any: Some(JobId::whole(51)), ..Elsewhere::default() };
    let made = plan(&Setup { elsewhere, ..setup.clone() }, &subjects);
    assert!(texts(&made).is_empty() && made.steps[0].blocked.as_ref().unwrap().contains("51"));
    // Nor is what works in another directory than the others.
    let mut subjects = subjects;
    subjects[0].works_in = Some("/other".into());
    assert_eq!(texts(&plan(&setup, &subjects)), ["sbatch --array=5 train.sh"]);
    // And where the directory is not known, nothing is started; what is cancelled needs none.
    let (held, all) = to_intervene("cuda-oom", "20");
    let made = plan(&Setup { held: Some("where is it?".to_owned()), ..held }, &all);
    assert_eq!(texts(&made), ["scancel '48251_[20]'"]);
    assert!(made.steps.iter().all(|step| step.kind == Kind::Cancel || step.lines.is_empty()), "{made:#?}");
}

#[test]
fn the_same_lines_in_another_directory_are_another_plan() {
    let causes = vec![seen("preempted", Where::Scattered)];
    let template = Some(Template::read("sbatch --array={tasks} {script}").unwrap());
    let setup = Setup { causes, template, directory: "/a".into(), ..setup() };
    let subjects = [with_checkpoint(failed(3, 0), 5)];
    let other = Setup { directory: "/b".into(), ..setup.clone() };
    let (one, other) = (plan(&setup, &subjects), plan(&other, &subjects));
    assert!(one.hash.is_some() && one.hash != other.hash && texts(&one) == texts(&other));
}

#[test]
fn a_healthy_sweep_needs_no_decision() {
    let alive = Known::Known("1".parse().unwrap());
    let done =
        |member| Subject { state: State::Completed, ..Subject::of(member, JobId::task(48251, member)) };
    let runs = Subject { state: State::Running, ..Subject::of(1, JobId::task(48251, 1)) };
    let made = plan(&Setup { alive, ..setup() }, &[done(0), runs, done(2)]);
    assert!(made.no_decision_required && made.options.is_empty() && made.hash.is_none());
}

#[test]
fn what_fits_now_is_counted_by_node() {
    let node = |name: &str, state: &str, used| Node {
        name: name.to_owned(),
        partitions: vec!["ai".to_owned()],
        state: vec![state.to_owned()],
        reason: String::new(),
        since: None,
        gpus: vec![Gpus { kind: "a100".to_owned(), total: 4, used: Some(used) }],
        memory: None,
    };
    let nodes = vec![node("g1", "MIXED", 1), node("g2", "MIXED", 3), node("g3", "DRAIN", 0)];
    let setup = Setup { nodes: Known::Known(nodes), gpus: Some(2), ..setup() };
    let made = plan(&setup, &[]);
    let fit = &made.fits.known().unwrap()[0];
    assert_eq!((fit.free, fit.tasks), (Some(4), Some(1)), "3 and 1 free GPUs take one task of 2");
}

#[test]
fn values_from_outside_stay_words() {
    let causes = vec![seen("preempted", Where::Scattered)];
    let template = Some(Template::read("./run RUN={run} NAME={name}").unwrap());
    let mut task = with_checkpoint(failed(3, 0), 5);
    task.run_dir = Some("/home/ann/tree/-x'; rm -rf ~ #`id`".into());
    let setup = Setup { causes, template, name: "$(reboot)".to_owned(), ..setup() };
    assert_eq!(
        texts(&plan(&setup, &[task.clone()])),
        [r"./run RUN='/home/ann/tree/-x'\''; rm -rf ~ #`id`' NAME='$(reboot)'"]
    );
    // Where another interpreter would read it, it is in no line.
    for command in ["echo sbatch train.sh {checkpoint} | sh", "make run RUN={run}", "busybox ash -ce {run}"] {
        let template = Some(Template::read(command).unwrap());
        let setup = Setup { template, name: "lr".to_owned(), ..setup.clone() };
        let mut plain = with_checkpoint(failed(4, 0), 5);
        plain.run_dir = Some("/home/ann/tree/4".into());
        plain.checkpoint = Known::Known(Some(Best {
            path: "/home/ann/tree/4/a.pt".into(),
            step: Some(5),
            weights_only: false,
        }));
        let made = plan(&setup, &[task.clone(), plain]);
        assert_eq!(made.runnable().count(), 1, "{command}");
        let blocked = made.steps.iter().find_map(|step| step.blocked.clone()).unwrap();
        assert!(blocked.contains("may be read as more than a word"), "{blocked}");
    }
    // One that no shell takes blocks itself, and no other.
    let other = Subject { run_dir: Some("/home/ann/tree/4".into()), ..with_checkpoint(failed(4, 0), 5) };
    task.run_dir = Some("/home/ann/tree/a\nb".into());
    let made = plan(&setup, &[task, other]);
    let blocked: Vec<_> = made.steps.iter().filter(|step| step.blocked.is_some()).collect();
    assert!(blocked[0].blocked.as_ref().unwrap().contains("cannot be quoted"));
    assert_eq!((blocked.len(), blocked[0].tasks.to_string().as_str()), (1, "3"));
    assert_eq!(texts(&made), ["./run RUN=4 NAME='$(reboot)'"]);
}

proptest! {
    #[test]
    fn lines_stay_within_the_clusters_limits_and_name_every_task_once(
        members in proptest::collection::btree_set(0u32..3000, 1..600),
        most in 1u32..300,
        longest in 120usize..800,
    ) {
        let subjects: Vec<Subject> =
            members.iter().map(|member| Subject { never_ran: true, ..failed(*member, 0) }).collect();
        let setup = Setup {
            causes: vec![seen("preempted", Where::Scattered)],
            limits: ArrayLimits { size: 3001, tasks: most },
            longest_line: longest,
            throttle: Some(8),
            ..setup()
        };
        let made = plan(&setup, &subjects);
        let mut named = Vec::new();
        for line in made.runnable() {
            prop_assert!(line.text.len() <= longest, "{}", line.text);
            prop_assert!(line.tasks.len() <= most as usize);
            let list = line.text.split("--array=").nth(1).unwrap().split([' ', '%']).next().unwrap();
            let list: TaskIds = list.parse().unwrap();
            prop_assert_eq!(&list, &line.tasks.0);
            named.extend(list.iter());
        }
        prop_assert_eq!(named, members.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn an_index_beyond_the_clusters_limit_is_refused() {
    let setup = Setup { causes: vec![seen("preempted", Where::Scattered)], ..setup() };
    let made = plan(&setup, &[without_checkpoint(failed(1001, 0))]);
    let why = "index 1001 is not below this cluster's MaxArraySize, which is 1001";
    assert_eq!(made.steps[0].blocked.as_deref(), Some(why));
}
