//! What of the first call stays in the lines that repeat it.

use super::*;

#[test]
fn what_is_excluded_stays_excluded_and_the_commands_own_memory_counts() {
    let node = Seen { node: Some("bad[1-2]".to_owned()), ..seen("node-fail", Where::OneNode) };
    let causes = vec![node, seen("host-oom", Where::Scattered)];
    let line = |template: Option<&str>, call: Option<&str>, script: Option<&str>| {
        let setup = Setup {
            causes: causes.clone(),
            template: template.map(|text| Template::read(text).unwrap()),
            submission: call.and_then(Submission::read),
            script_excludes: script.map(str::to_owned),
            ..setup()
        };
        let subject = Subject { never_ran: true, ..failed(3, 0) };
        texts(&plan(&setup, &[subject])).join("; ")
    };
    let own = Some("sbatch --array={tasks} --exclude=gpu9 {script}");
    assert_eq!(line(own, None, None), "sbatch --array=3 --exclude='bad[1-2],'gpu9 train.sh");
    let short = Some("sbatch {exclude} -x gpu9 --array={tasks} {script}");
    assert_eq!(line(short, None, None), "sbatch -x 'bad[1-2],'gpu9 --array=3 train.sh");
    let plain = Some("sbatch --array={tasks} {script}");
    let joined = "sbatch '--exclude=bad[1-2],gpu03' --array=3 train.sh";
    assert_eq!(line(plain, None, Some("gpu03")), joined);
    let again = "sbatch --array=3 '--exclude=bad[1-2],cpu01' train.sh";
    assert_eq!(line(None, Some("sbatch --array=1-3 -x cpu01 train.sh"), Some("gpu03")), again);

    let call = Submission::read("sbatch --array=0-9 --mem=16G train.sh");
    let memory = call.as_ref().and_then(|call| Asked::of_options(call, "its call"));
    let template = Some(Template::read("sbatch --array={tasks} --mem=2G {script}").unwrap());
    let setup = Setup { causes: causes.clone(), memory, template, ..setup() };
    let made = plan(&setup, &[with_checkpoint(failed(1, 1), 5)]);
    assert_eq!(made.steps[0].lines[0].text, "sbatch --array=1 --mem=2G train.sh");
    assert!(made.steps[0].condition.as_deref().unwrap().starts_with("the change is made in the resume"));
}

#[test]
fn a_call_that_is_not_sure_to_be_repeated_is_not_repeated_unseen() {
    let setup = Setup {
        causes: vec![seen("preempted", Where::Scattered)],
        submission: Submission::read("sbatch --array=1-3 train.sh --name my run"),
        call_doubt: Some("somebody has seen it".to_owned()),
        ..setup()
    };
    let subject = Subject { never_ran: true, ..failed(3, 0) };
    let made = plan(&setup, &[subject.clone()]);
    assert_eq!((made.runnable().count(), made.steps[0].lines.len()), (0, 1));
    assert_eq!(made.steps[0].condition.as_deref(), Some("somebody has seen it"));
    let lost = plan(&setup, &[Subject { last_step: Some(9), ..without_checkpoint(failed(3, 0)) }]);
    let both = "all of its work may be done a second time, and somebody has seen it";
    assert_eq!(lost.steps[0].condition.as_deref(), Some(both));
    // A script may be called like an option.
    let setup = Setup { script: Some("-x.sh".to_owned()), submission: None, call_doubt: None, ..setup };
    assert_eq!(texts(&plan(&setup, &[subject])), ["sbatch --array=3 ./-x.sh"]);
}
