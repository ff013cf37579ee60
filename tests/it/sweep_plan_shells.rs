//! What a project's own resume command becomes, given to real shells: whatever
//! runs, checkpoints, scripts, jobs and W&B's ids are called, each is one word.

use std::path::PathBuf;

use handover::cluster::State;
use handover::joblog::Retry;
use handover::sweep::Kind;
use handover::sweep::plan::{Best, Seen, Setup, Subject, Template, Where, plan};
use handover::terms::{JobId, Known, TaskIds};

use crate::support::Sandbox;

/// What one shell or another makes something of.
const NAMES: [&str; 26] = [
    "plain-1.0_x",
    "it's",
    "'",
    "\"",
    "\\",
    "a\\'b",
    "$(touch pwned)",
    "`touch pwned`",
    "${HOME}",
    "$'a'",
    "a b  c",
    ";touch pwned;",
    "&touch pwned&",
    "|touch pwned|",
    ">pwned",
    "!!",
    "*",
    "?[a]",
    "{a,b}",
    "~",
    "~root",
    "=ls",
    "^x",
    "#x",
    "%s",
    "é ü 漢",
];

/// What a template gives the program, in words with the values of the task.
type Words = fn(&Values) -> Vec<String>;

struct Values {
    run: String,
    checkpoint: String,
    name: String,
}

fn all(values: &Values) -> Vec<String> {
    let Values { run, checkpoint, name } = values;
    [run, checkpoint, name, name, name].map(String::clone).to_vec()
}

/// Templates, and what the program must get by them.
const TEMPLATES: [(&str, Words); 6] = [
    ("./show {run} {checkpoint} {script} {name} {wandb_id}", all),
    ("{wandb} ./show {run} {checkpoint} {script} {name} {wandb_id}", all),
    ("true && ./show {run} {checkpoint} {script} {name} {wandb_id}; true", all),
    ("R={run}; ./show \"$R\" {checkpoint} {script} {name} {wandb_id}", all),
    ("./show RUN={run} --from={checkpoint} a{script}b \"in\"{name}'quotes' {wandb_id}/x", |values| {
        let Values { run, checkpoint, name } = values;
        vec![
            format!("RUN={run}"),
            format!("--from={checkpoint}"),
            format!("a{name}b"),
            format!("in{name}quotes"),
            format!("{name}/x"),
        ]
    }),
    ("./show x#{run} {checkpoint}{script} -- {name} # {wandb_id}", |values| {
        let Values { run, checkpoint, name } = values;
        vec![format!("x#{run}"), format!("{checkpoint}{name}"), "--".to_owned(), name.clone()]
    }),
];

/// The line that a plan has for a task all of whose names are `name`.
fn line(root: &std::path::Path, template: &str, name: &str) -> String {
    let cause = Seen {
        class: "preempted".to_owned(),
        retry: Retry::Resume,
        sentence: String::new(),
        action: String::new(),
        node: None,
        spread: Where::Scattered,
        open: false,
    };
    let path = root.join(name).join(name);
    let subject = Subject {
        state: State::Preempted,
        cause: Some(0),
        checkpoint: Known::Known(Some(Best { path, step: Some(1), weights_only: false })),
        run_dir: Some(root.join(name)),
        wandb: Some(name.to_owned()),
        ..Subject::of(3, JobId::task(8, 3))
    };
    let setup = Setup {
        name: name.to_owned(),
        script: Some(name.to_owned()),
        causes: vec![cause],
        alive: Known::Known(TaskIds::default()),
        template: Some(Template::read(template).unwrap()),
        root: root.to_owned(),
        ..Setup::of("8", Kind::Array)
    };
    let made = plan(&setup, &[subject]);
    let lines: Vec<&str> = made.runnable().map(|line| line.text.as_str()).collect();
    let [line] = lines.as_slice() else { panic!("{template} with {name:?}: {made:#?}") };
    (*line).to_owned()
}

#[test]
fn every_value_is_one_word_to_every_shell_wherever_it_stands() {
    let sandbox = Sandbox::new();
    let project: PathBuf = sandbox.project().to_owned();
    let script =
        "#!/bin/sh\nprintf '%s\\0' \"$@\" >args\nprintf '%s %s' \"$WANDB_RUN_ID\" \"$WANDB_RESUME\" >run\n";
    let show = sandbox.write("show", script);
    let _ = sandbox.program("chmod", ["+x", show.to_str().unwrap()]).run().expect(0);
    let path = std::env::var_os("PATH").unwrap();
    sandbox.use_path_of_this_machine();
    for shell in ["sh", "dash", "bash", "zsh", "ksh"] {
        if !std::env::split_paths(&path).any(|dir| dir.join(shell).is_file()) {
            eprintln!("SKIPPED: {shell} is not installed, so lines were not given to it");
            continue;
        }
        for (template, words) in TEMPLATES {
            for name in NAMES {
                let line = line(&project, template, name);
                let _ = sandbox.program(shell, ["-c", &line]).dir(&project).run().expect(0);
                let said = format!("{shell}: {line}");
                let got = sandbox.read("args");
                let got: Vec<&str> = got.trim_end_matches('\0').split('\0').collect();
                let values = Values {
                    run: name.to_owned(),
                    checkpoint: format!("{name}/{name}"),
                    name: name.to_owned(),
                };
                assert_eq!(got, words(&values), "{said}");
                if template.starts_with("{wandb}") {
                    assert_eq!(sandbox.read("run"), format!("{name} must"), "{said}");
                }
            }
        }
    }
    assert!(!project.join("pwned").exists(), "a value was run");
}

#[test]
fn a_placeholder_where_a_shell_would_read_its_value_again_is_refused() {
    for template in [
        "train '{run}'",
        "train \"{run}\"",
        "train \"a {checkpoint} b\"",
        "train \"'{run}'\"",
        "train '\"{script}\"'",
        r"train \{run}",
        "train $'{run}'",
        "train $\"{run}\"",
        r"train $'\'{run}' x",
        "train `echo {run}`",
        "train $(echo {run})",
        "train \"$(echo {name})\"",
        "train ${X:-{run}}",
        "train <(cat {run})",
        "eval train {wandb_id}",
        "sh -c {run}",
        "bash -lc 'train' {run}",
        "bash -xec {script}",
        "su - ann -c {run}",
        "ssh login sbatch {script}",
        "sbatch --wrap={run}",
        "sbatch --wrap {run}",
        "python -c {run}",
        "cat <<X {run}",
    ] {
        assert!(Template::read(template).is_err(), "{template}");
    }
    // Where they stand beside quotes, and not in them, values are words.
    for template in
        ["train 'a'{run}\"b\"", "train \"$HOME\"/{run}", "train '$(x)' \"y\" {run}", "sbatch -c 8 {script}"]
    {
        let is_read_twice = template.contains("$(");
        assert_eq!(Template::read(template).is_err(), is_read_twice, "{template}");
    }
}
