//! `--json` on every verb: one value, one envelope, data as its schema says.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use handover::sys::{World, lock};
use handover::terms::Seconds;
use serde_json::Value;

use crate::support::planted::{Recorded, looked_at};
use crate::support::{Sandbox, schema};

/// Runs verbs with `--json`, checks what they answer, and keeps count of them.
struct Tour {
    sandbox: Sandbox,
    verbs: RefCell<BTreeSet<String>>,
    schemas: RefCell<BTreeSet<String>>,
}

impl Tour {
    /// The data that a call in `dir` answers under the schema `name`, with exit code `code`.
    #[track_caller]
    fn visit(&self, dir: &Path, words: &[&str], code: i32, name: &str) -> Value {
        let mut told = self.visit_lines(dir, words, code, name);
        assert_eq!(told.len(), 1, "not one line: {told:?}");
        told.remove(0)
    }

    /// A call that is not answered: standard output is empty, and standard error ends with one
    /// line as its schema says.
    #[track_caller]
    fn refuse(&self, dir: &Path, words: &[&str], code: i32) -> Value {
        let refused = self.sandbox.handover_in(dir, words.iter().chain(&["--json"])).expect(code);
        self.schemas.borrow_mut().insert("error".to_owned());
        assert_eq!(refused.stdout(), "");
        let line: Value = serde_json::from_str(refused.stderr().lines().last().unwrap()).unwrap();
        let wrong = schema::check(&schema::load("error"), &line);
        assert!(wrong.is_empty(), "{words:?} is not as schemas/error.json says:\n{}", wrong.join("\n"));
        assert_eq!(line["error"]["exit_code"], code);
        line["error"].clone()
    }

    /// The same for a verb that tells one object a line.
    #[track_caller]
    fn visit_lines(&self, dir: &Path, words: &[&str], code: i32, name: &str) -> Vec<Value> {
        let answer = self.sandbox.handover_in(dir, words.iter().chain(&["--json"])).expect(code);
        self.verbs.borrow_mut().insert(words[0].to_owned());
        self.schemas.borrow_mut().insert(name.to_owned());
        answer.stdout().lines().map(|line| look_at_line(line, words, name)).collect()
    }

    /// The verbs that the program's help lists.
    fn verbs_of_the_help(&self) -> BTreeSet<String> {
        let help = self.sandbox.handover(["--help"]).expect(0);
        let verbs = help.stdout().split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
        // Continued lines stand further to the right.
        let heads = verbs.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        heads.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    }
}

/// The data of one line, which is an envelope as it should be.
#[track_caller]
fn look_at_line(line: &str, words: &[&str], name: &str) -> Value {
    let envelope: Value = serde_json::from_str(line).unwrap();
    let fields: Vec<&String> = envelope.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["schema", "tool_version", "data"], "{line}");
    assert_eq!(envelope["schema"], format!("handover/{name}/1"));
    assert_eq!(envelope["tool_version"], env!("CARGO_PKG_VERSION"));
    let on_file = schema::load(name);
    assert_eq!(on_file["$id"], envelope["schema"]);
    let wrong = schema::check(&on_file, &envelope["data"]);
    assert!(wrong.is_empty(), "{words:?} is not as schemas/{name}.json says:\n{}", wrong.join("\n"));
    envelope["data"].clone()
}

#[test]
fn every_verb_answers_in_json_as_its_schema_says() {
    look_at_every_verb("project".as_ref());
}

#[test]
fn no_byte_of_a_path_keeps_a_verb_from_answering() {
    look_at_every_verb(OsStr::from_bytes(b"pro\xffject"));
}

/// The whole tour, in a repository at this place in the sandbox.
fn look_at_every_verb(place: &OsStr) {
    let tour = Tour { sandbox: Sandbox::empty(), verbs: RefCell::default(), schemas: RefCell::default() };
    let sandbox = &tour.sandbox;
    let project = &sandbox.repository(place);
    let state = format!("{}/examples/cluster_state.txt", env!("CARGO_MANIFEST_DIR"));
    let state = state.as_str();

    look_at_the_cluster(&tour, project, state);
    tour.schemas.borrow_mut().extend(look_into_a_sweep(place));

    tour.visit(project, &["start", "lr-schedule", "--dry-run"], 0, "start-plan");
    let started = tour.visit(project, &["start", "lr-schedule", "--focus", "warm-up"], 0, "start");
    // What we name ourselves can be shown; people move it where they like.
    let made = Path::new(started["path"].as_str().unwrap());
    let there = &made.with_file_name([place, OsStr::new(".lr-schedule")].join(OsStr::new("")));
    if made != there {
        // Ours are locked, so that nobody removes them without a look.
        let words = ["worktree", "move", "--force", "--force"].map(OsStr::new);
        sandbox.git_in(project, words.into_iter().chain([made.as_os_str(), there.as_os_str()]));
    }
    std::fs::write(there.join("train.py"), "lr = 0.1\n").unwrap();
    sandbox.commit_in(there, "Train");
    std::fs::write(there.join("new.py"), "\n").unwrap();

    tour.visit(there, &["draft", "--dry-run", "--cluster", state], 0, "draft-plan");
    tour.visit(there, &["draft", "--cluster", state], 0, "draft");
    tour.visit(there, &["create", "--dry-run", "--cluster", state], 0, "create-plan");
    let made = tour.visit(there, &["create", "--cluster", state, "--next", "look at task 3"], 0, "create");
    let key = made["key"].as_str().unwrap();
    std::fs::write(there.join("new.py"), "import os\n").unwrap();
    tour.visit(there, &["verify", key, "--cluster", "none"], 3, "verify");
    tour.visit(there, &["show"], 0, "show");
    tour.visit(there, &["list", "--all"], 0, "list");
    tour.visit(there, &["resume", "--dry-run", "--cluster", state], 0, "resume-plan");
    let resumed = tour.visit(there, &["resume", "--cluster", state], 0, "resume");
    let wrong = schema::check(&schema::load("front-matter"), &resumed["facts"]);
    assert!(wrong.is_empty(), "schemas/front-matter.json: {}", wrong.join("\n"));
    assert_eq!(schema::load("front-matter")["$id"], resumed["facts"]["schema"]);
    tour.visit(project, &["status", "--cluster", state], 0, "status");
    tour.visit(there, &["release", "--dry-run"], 0, "release-plan");
    tour.visit(there, &["release"], 0, "release");
    tour.refuse(there, &["release"], 4);

    sandbox.advance("30d");
    tour.visit(there, &["create", "--cluster", "none"], 0, "create");
    tour.visit(there, &["archive", "--dry-run", "--cluster", "none"], 0, "archive");
    tour.visit(there, &["archive", "--cluster", "none"], 0, "archive");
    tour.visit(project, &["remove", "lr-schedule", "--dry-run", "--cluster", "none"], 5, "remove-plan");
    sandbox.commit_in(there, "The rest");
    tour.visit(project, &["finish", "lr-schedule", "--dry-run", "--cluster", "none"], 0, "finish-plan");
    let waive = ["finish", "lr-schedule", "--cluster", "none", "--waive", "ignored", "--yes"];
    tour.visit(project, &waive, 0, "finish");

    sandbox.git_in(project.parent().unwrap(), ["init", "--quiet", "--bare", "origin.git"]);
    sandbox.git_in(project, ["remote", "add", "origin", "../origin.git"]);
    std::fs::write(project.join("train.py"), "lr = 0.2\n").unwrap();
    std::fs::write(project.join("model.pt"), "weights").unwrap();
    tour.visit(project, &["sync", "--dry-run", "--profile", "local"], 0, "sync-plan");
    tour.visit(project, &["sync", "--profile", "local"], 3, "sync");
    tour.refuse(project, &["sync", "--profile", "none-such"], 2);
    look_at_a_second_repository(&tour, project);
    sandbox.advance("1h");
    let made = tour.visit(project, &["create", "--cluster", "none", "--push"], 0, "create");
    let made = made["key"].as_str().unwrap().to_owned();
    tour.visit(project, &["resume", &made, "--cluster", "none"], 0, "resume");
    tour.visit(project, &["list"], 0, "list");
    tour.visit(project, &["fetch", &made], 0, "fetch");
    tour.refuse(project, &["fetch", "HO-20261121-0341-00000000"], 4);
    tour.visit(project, &["release"], 0, "release");
    tour.visit(project, &["note", "bob", "look at task 3", "--dry-run"], 0, "note");
    tour.visit(project, &["note", "bob", "look at task 3"], 0, "note");

    tour.visit(project, &["start", "idea"], 0, "start");
    tour.visit(project, &["remove", "idea", "--cluster", "none"], 0, "remove");
    let trash = tour.visit(project, &["remove", "--list-trash"], 0, "trash");
    let id = trash["entries"][0]["id"].as_str().unwrap();
    tour.visit(project, &["remove", "--undo", id, "--dry-run"], 0, "restore-plan");
    tour.visit(project, &["remove", "--undo", id], 0, "restored");

    let home = project.join(".git/handover");
    let held = lock::acquire(&World::real(), &home, "start a worktree", Seconds(0), &mut |_| {}).unwrap();
    let id = lock::holders(&World::real(), &home).unwrap()[0].id.clone();
    tour.visit(project, &["unlock", &id, "--dry-run"], 0, "unlock-plan");
    tour.visit(project, &["unlock", &id, "--yes"], 0, "unlock");
    tour.refuse(project, &["unlock", &id, "--yes"], 4);
    // What is no line of ours at all is told in the same form.
    let said = tour.refuse(project, &["unlock", "--no-such-option"], 2);
    assert!(said["messages"][0].as_str().is_some_and(|text| text.contains("--no-such-option")), "{said}");
    assert!(said["hints"].as_array().is_some_and(|all| !all.is_empty()), "{said}");
    drop(held);

    std::fs::create_dir_all(project.join("outputs/run1")).unwrap();
    std::fs::write(project.join("train.sh"), "#!/bin/bash\n#SBATCH -o out-%j.log\ntrue\n").unwrap();
    let checkpoints = ["sweep", "checkpoints", "outputs"];
    tour.visit(project, &checkpoints, 0, "sweep-checkpoints");
    let shards = [&checkpoints[..], &["--sbatch", "2"]].concat();
    if place.to_str().is_some() {
        tour.visit(project, &shards, 0, "shards-script");
        tour.sandbox.fake("sbatch").answers("77\n");
        tour.visit(project, &[&shards[..], &["--submit"]].concat(), 0, "shards-submitted");
    } else {
        // A batch script is text: no file of it could name this folder.
        let refused = sandbox.handover_in(project, shards).expect(2);
        assert!(refused.stderr().contains("into a script"), "{refused:?}");
        tour.schemas.borrow_mut().extend(["shards-script", "shards-submitted"].map(str::to_owned));
    }
    tour.visit(project, &["sweep", "preflight", "train.sh"], 3, "sweep-preflight");

    std::fs::write(project.join("slurm-1.out"), "step 1\nKeyError: 'lr'\n").unwrap();
    tour.visit(project, &["logs", "slurm-1.out"], 0, "log");
    tour.visit(project, &["logs"], 0, "logs");
    tour.visit(project, &["logs", "--patterns"], 0, "logs-patterns");

    // Where a folder's name is no text, the settings name the place.
    std::fs::write(project.join(".git/handover/config.yaml"), "paste: {project: ~/project}\n").unwrap();
    tour.visit(project, &["paste", "pull", "submit:train.sh"], 0, "paste");
    tour.visit(project, &["paste", "check", "ls"], 3, "paste-check");
    tour.visit(project, &["paste", "page", "--cluster", state], 0, "paste-page");
    tour.refuse(project, &["paste", "environment", "fly"], 2);
    look_at_machines(&tour, project);
    tour.visit(project, &["completions", "bash"], 0, "completions");
    tour.visit(project, &["man"], 0, "man");

    assert_eq!(tour.verbs.take(), tour.verbs_of_the_help(), "a verb was not looked at");
    let on_file: BTreeSet<String> =
        schema::files().iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let mut seen = tour.schemas.take();
    // The head of a document, checked above; what only a removal that was killed leaves behind; and
    // what Slurm itself was told, which `sweep_plan` looks at, or of a sweep that is over, `sweep_settled`.
    seen.extend(["front-matter", "remove-rest", "sweep-settle", "sweep-submit"].map(str::to_owned));
    assert_eq!(seen, on_file, "a schema was not looked at");
}

/// Machines that cannot be reached: what the others say, `remote_carry` and its kin look at.
fn look_at_machines(tour: &Tour, project: &Path) {
    let settings = project.join(".git/handover/config.yaml");
    let machines = "remote: {tries: 1, profiles: {box: {kind: slurm, host: box, path: project}}}\n";
    std::fs::write(&settings, format!("{machines}sync: {{pairs: [[main, gpu]]}}\n")).unwrap();
    let refused = "ssh: connect to host box port 22: Connection refused\n";
    tour.sandbox.fake("ssh").fails(255, refused);
    for verb in ["check", "status"] {
        tour.visit(project, &["remote", verb], 75, &format!("remote-{verb}"));
    }
    tour.visit(project, &["remote", "reconcile", "box"], 75, "remote-reconcile");
    tour.refuse(project, &["remote", "worktree", "box", "main"], 75);
    tour.sandbox.git_in(project, ["switch", "--quiet", "main"]);
    tour.sandbox.git_in(project, ["branch", "--quiet", "gpu"]);
    tour.visit(project, &["sync", "--pair"], 0, "sync-pair");
    let over_ssh = [
        "remote-push",
        "remote-push-plan",
        "remote-pull",
        "remote-pull-plan",
        "remote-run",
        "remote-worktree",
    ];
    tour.schemas.borrow_mut().extend(over_ssh.map(str::to_owned));
}

/// What is said of the recorded sweep; the names of the schemas.
fn look_into_a_sweep(place: &OsStr) -> BTreeSet<String> {
    let Recorded { sandbox, project, .. } = Recorded::at(place);
    let state = sandbox.root().join("cluster_state.txt");
    let state = ["--cluster", state.to_str().unwrap()];
    let tour = Tour { sandbox, verbs: RefCell::default(), schemas: RefCell::default() };
    let visit = |words: &[&str], code: i32, name: &str| {
        tour.visit(&project, &[&["sweep"], words, &state].concat(), code, name)
    };
    let trash =
        |words: &[&str], name: &str| tour.visit(&project, &[&["sweep", "clean"], words].concat(), 0, name);
    for verb in ["snapshot", "status", "logs"] {
        tour.visit(&project, &[&[verb], &state[..]].concat(), 0, verb);
    }
    visit(&["2"], 1, "sweep");
    visit(&["plan", "2"], 1, "sweep-plan");
    visit(&["report", "2"], 1, "sweep-report");
    let again = visit(&["report", "2", "--output", "report.md"], 1, "sweep-report");
    assert!(again["unchanged"].is_object() && again["file"]["became"] == "new", "{again}");
    visit(&["report", "--page"], 0, "sweep-page");
    looked_at(&tour.sandbox, "2026-11-22T12:00:00Z".parse().unwrap());
    visit(&["clean", "2", "--dry-run"], 0, "sweep-clean-plan");
    let gone = visit(&["clean", "2", "--remove", "--yes"], 0, "sweep-clean");
    trash(&["--list-trash"], "sweep-trash");
    trash(&["--undo", gone["id"].as_str().unwrap()], "sweep-clean-undo");
    visit(&["clean", "2", "--remove", "--yes"], 0, "sweep-clean");
    let cleaned = visit(&["report", "2"], 1, "sweep-report");
    assert_eq!(cleaned["intervention"]["clean_ups"].as_array().map(Vec::len), Some(1), "{cleaned}");
    tour.sandbox.set_now("2027-03-01T12:00:00Z");
    trash(&["--purge", "--yes"], "sweep-clean-purge");
    tour.schemas.take()
}

fn look_at_a_second_repository(tour: &Tour, project: &Path) {
    let sandbox = &tour.sandbox;
    let vault = sandbox.repository("vault");
    std::fs::write(vault.join("day.md"), "notes\n").unwrap();
    let settings = project.join(".git/handover/config.yaml");
    let before = std::fs::read(&settings).ok();
    std::fs::write(&settings, "sync: {second: {path: ../vault}}\n").unwrap();
    // It has no remote yet.
    let plan = tour.visit(project, &["sync", "--dry-run", "--profile", "local"], 4, "sync-plan");
    assert_eq!(plan["second"]["problem"]["exit_code"], 4, "{plan}");
    sandbox.git_in(&vault, ["remote", "add", "origin", "../origin.git"]);
    sandbox.git_in(&vault, ["switch", "--quiet", "--create", "vault"]);
    sandbox.git_in(project, ["switch", "--quiet", "--detach"]);
    let second = tour.visit(project, &["sync", "--profile", "local"], 5, "sync-second");
    assert_eq!(second["outcome"]["sent"]["sent"], "pushed", "{second}");
    sandbox.git_in(project, ["switch", "--quiet", "-"]);
    match before {
        Some(before) => std::fs::write(&settings, before).unwrap(),
        None => std::fs::remove_file(&settings).unwrap(),
    }
}

fn look_at_the_cluster(tour: &Tour, project: &Path, state: &str) {
    tour.visit(project, &["snapshot", "--script"], 0, "snapshot-script");
    tour.visit(project, &["snapshot", "--cluster", state], 0, "snapshot");
    tour.visit(project, &["snapshot", "--cluster", "none"], 0, "snapshot");
    tour.visit(project, &["snapshot", "--cluster", "local"], 7, "snapshot");
    let sweeps = tour.visit(project, &["sweep", "--cluster", state], 0, "sweep");
    assert!(sweeps["sweeps"].as_array().is_some_and(|all| !all.is_empty()), "{sweeps}");
    let told = tour.visit_lines(project, &["watch", "sweep_lr", "--once", "--cluster", state], 0, "watch");
    let events: Vec<&str> = told.iter().filter_map(|told| told["event"].as_str()).collect();
    assert_eq!((events.first(), events.last()), (Some(&"contract"), Some(&"end")), "{events:?}");
    for release in ["22.05", "23.02.8", "26.05.3"] {
        let saved = format!("{}/tests/fixtures/slurm/{release}/sacct-all.psv", env!("CARGO_MANIFEST_DIR"));
        tour.visit(project, &["sweep", "--accounting", &saved], 0, "sweep");
    }
}
