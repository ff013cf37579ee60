//! What a handover carries of sweeps: causes, health, decision, in short; and
//! what `verify` and `resume` say has changed since.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use handover::sweep::{Kind, Members, plan::Purpose};
use handover::terms::Time;
use handover::verbs::sweep::records::{Done, Progress, Record};
use serde_json::Value;

use crate::support::cluster::skipped;
use crate::support::planted::Recorded;
use crate::support::{Answer, Sandbox, trace};

fn state(recorded: &Recorded) -> PathBuf {
    recorded.sandbox.root().join("cluster_state.txt")
}

fn handover(recorded: &Recorded, words: &[&str], state: &Path) -> Answer {
    let state = ["--cluster", state.to_str().unwrap()];
    recorded.sandbox.handover_in(&recorded.project, words.iter().chain(&state))
}

/// Seals a document; its key, its text, its facts.
fn sealed(recorded: &Recorded, words: &[&str], state: &Path) -> (String, String, Value) {
    let answer = handover(recorded, &[&["create"], words].concat(), state).expect(0);
    let key = answer.last_line().to_owned();
    let shown = recorded.sandbox.handover_in(&recorded.project, ["show", &key, "--json"]).expect(0).data();
    let text = std::fs::read_to_string(recorded.project.join(format!("CLAUDE/{key}.md"))).unwrap();
    (key, text, shown["facts"].clone())
}

fn standing(facts: &Value) -> &Value {
    &facts["sweeps"]["listed"][0]["standing"]
}

/// The class of the cause that was planted, by what became of the task.
fn class(fate: &str) -> Option<&'static str> {
    Some(match fate {
        "cuda-oom" => "cuda-oom",
        "missing-module" => "missing-module",
        "host-kill" | "host-kill-bare" => "host-oom",
        "time-limit" | "drifted" => "time-limit",
        "node-fail" => "node-fail",
        _ => return None,
    })
}

/// The recorded state as it may have been before these tasks ran.
fn earlier(recorded: &Recorded, waiting: &BTreeSet<String>) -> PathBuf {
    let text = std::fs::read_to_string(state(recorded)).unwrap();
    let is_later = |line: &&str| {
        let id = line.strip_prefix(":2_").and_then(|rest| rest.split(['\t', '.']).next());
        id.is_some_and(|id| waiting.contains(id))
    };
    let mut kept: Vec<String> = text.lines().filter(|line| !is_later(line)).map(str::to_owned).collect();
    let list = waiting.iter().cloned().collect::<Vec<_>>().join(",");
    for line in &mut kept {
        if let Some(taken) = line.strip_prefix("taken_at ") {
            *line = format!("taken_at {}", taken.parse::<i64>().unwrap() - 60);
        }
        *line = line.replace("2_[190-199%4]", &format!("2_[{list},190-199%4]"));
    }
    let path = recorded.sandbox.root().join("earlier.txt");
    std::fs::write(&path, kept.join("\n") + "\n").unwrap();
    path
}

#[test]
fn the_document_of_the_recorded_sweep_has_one_row_for_each_cause() {
    let recorded = Recorded::new();
    let (_, text, facts) = sealed(&recorded, &[], &state(&recorded));
    let standing = standing(&facts);
    let planted = recorded.truth.lists(|task| class(&task["fate"]).map(str::to_owned));
    let causes = standing["causes"].as_array().unwrap();
    let told: std::collections::BTreeMap<String, String> = causes
        .iter()
        .map(|cause| (cause["class"].as_str().unwrap().into(), cause["tasks"].as_str().unwrap().into()))
        .collect();
    assert_eq!(told, planted);
    assert_eq!((&standing["health"], &standing["decision"]), (&"systemic".into(), &"intervene".into()));
    let over = ["COMPLETED", "RUNNING", "PENDING"];
    let resumable = recorded.truth.lists(|task| {
        (!over.contains(&task["state"].as_str()) && task["best"] != "-").then(|| "usable".to_owned())
    });
    assert_eq!(standing["resumable"]["tasks"].as_str(), Some(resumable["usable"].as_str()));
    assert!(standing["running"]["median"].is_number() && standing["contradictions"].is_array());
    assert!(standing["looked_at"].as_u64().unwrap() >= 80, "{standing:#}");
    let oom = causes.iter().find(|cause| cause["class"] == "cuda-oom").unwrap();
    let place = oom["place"].as_str().unwrap();
    let (file, line) = place.rsplit_once(':').unwrap();
    let log = std::fs::read_to_string(recorded.project.join(file)).unwrap();
    let there = log.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap();
    assert!(there.contains("CUDA out of memory") && file.starts_with("logs/"), "{place}: {there}");
    // Two hundred tasks, a page.
    let own = text.split("\nSweeps:\n").nth(1).unwrap().split("<!-- /program -->").next().unwrap();
    for class in planted.keys() {
        assert_eq!(
            own.lines().filter(|line| line.starts_with(&format!("  - {class}: "))).count(),
            1,
            "{own}"
        );
    }
    assert!(own.lines().count() < 40 && own.len() < 5000, "{own}");
    for part in ["**systemic, intervene**: ", "`handover sweep plan 2`", "have a usable checkpoint: "] {
        assert!(own.contains(part), "{part:?} is missing in\n{own}");
    }
}

#[test]
fn another_worktree_is_told_where_the_files_are_and_what_may_be_cancelled() {
    let recorded = Recorded::new();
    let (sandbox, project) = (&recorded.sandbox, &recorded.project);
    // In the sweep's own worktree paths begin there, and that needs no word.
    let (_, text, facts) = sealed(&recorded, &[], &state(&recorded));
    assert!(standing(&facts)["work_dir"].is_null() && !text.contains("paths of its files begin there"));
    let _ = sandbox.git_in(project, ["worktree", "add", "-q", "../other"]);
    let other = sandbox.root().join("other");
    std::fs::copy(project.join(".handover.yaml"), other.join(".handover.yaml")).unwrap();
    let state = state(&recorded);
    let cluster = ["--cluster", state.to_str().unwrap()];
    let made = sandbox.handover_in(&other, ["create"].iter().chain(&cluster)).expect(0);
    let key = made.last_line();
    let text = std::fs::read_to_string(other.join(format!("CLAUDE/{key}.md"))).unwrap();
    let dir = format!("`{}`", project.display());
    assert_eq!(
        text.matches(&format!("it works in {dir}: paths of its files begin there")).count(),
        1,
        "{text}"
    );
    let place = text.split("(`logs/").nth(1).unwrap().split(':').next().unwrap();
    assert!(project.join("logs").join(place).is_file(), "{place}");
    assert!(!other.join("logs").exists());
    let briefing = sandbox.handover_in(&other, ["resume", key].iter().chain(&cluster)).stdout().to_owned();
    assert!(briefing.contains(&format!("; its files are below {dir}")), "{briefing}");
    // Nobody is told to intervene, and to cancel nothing of it.
    for told in [&text, &briefing] {
        let mut live = told.lines().filter(|line| line.to_lowercase().contains("do not cancel, requeue"));
        let live = live.next().unwrap();
        assert!(live.contains(", but for what the plan of sweep `2` `lrgrid` names"), "{live}");
    }
}

#[test]
fn verify_and_resume_say_which_causes_are_new_and_which_grew() {
    let recorded = Recorded::new();
    let is_late = |task: &&std::collections::BTreeMap<String, String>| {
        let late = task["task"].parse::<u32>().unwrap() >= 100;
        task["fate"] == "missing-module" || task["fate"] == "cuda-oom" && late
    };
    let late: BTreeSet<String> =
        recorded.truth.0.iter().filter(is_late).map(|task| task["task"].clone()).collect();
    let before = earlier(&recorded, &late);
    let (key, _, facts) = sealed(&recorded, &["--next", "wait"], &before);
    let then = standing(&facts);
    assert_eq!(then["decision"], "watch", "{then:#}");
    let count = |class: &str| {
        recorded.truth.0.iter().filter(|task| self::class(&task["fate"]) == Some(class)).count()
    };
    let (oom, modules) = (count("cuda-oom"), count("missing-module"));
    let verified = handover(&recorded, &["verify", &key, "--json"], &state(&recorded)).expect(3).data();
    let moved: Vec<&str> =
        verified["moved"].as_array().unwrap().iter().map(|moved| moved["what"].as_str().unwrap()).collect();
    let has = |part: &str| moved.iter().any(|what| what.contains(part));
    let more = late.len() - modules;
    for part in [
        &format!("`2` `lrgrid`: {} failed, FAILED 1:0", late.len()),
        "was degraded, watch; is systemic, intervene: ",
        &format!("cuda-oom took {more} tasks more, now {oom}: "),
        &format!("a new cause, missing-module, {modules} tasks: "),
    ] {
        assert!(has(part), "{part:?} is missing in {moved:#?}");
    }
    assert!(!has("a new cause, host-oom") && !has("time-limit took"), "{moved:#?}");
    let resumed = handover(&recorded, &["resume", &key], &state(&recorded)).expect(0);
    let text = resumed.stdout();
    let first = text.lines().find(|line| line.starts_with("- ")).unwrap();
    assert!(first.starts_with("- decide first (now): sweep `2` `lrgrid`: systemic, intervene: "), "{text}");
    assert!(text.contains("what to do: `handover sweep plan 2`"), "{text}");
    assert!(text.contains(&format!("  - cuda-oom: {oom} (")), "{text}");
    assert!(text.lines().count() <= 60, "{text}");
    // The next document says it of its parent.
    recorded.sandbox.advance("1m");
    let (_, text, _) = sealed(&recorded, &[], &state(&recorded));
    assert!(text.contains("was degraded, watch; is systemic, intervene"), "{text}");
}

#[test]
fn what_was_submitted_again_since_is_told_with_its_new_id() {
    let recorded = Recorded::new();
    let (key, ..) = sealed(&recorded, &[], &state(&recorded));
    let quiet = handover(&recorded, &["verify", &key, "--json"], &state(&recorded)).expect(0).data();
    assert_eq!(quiet["moved"], Value::Array(Vec::new()));
    let line = |tasks: &str, state: Progress, purpose: Purpose, ids: &[u32]| Done {
        why: String::new(),
        text: "sbatch x".into(),
        tasks: Members(tasks.parse().unwrap()),
        purpose,
        state,
        code: None,
        ids: ids.to_vec(),
        complaint: String::new(),
        word: None,
    };
    let record = Record {
        format: 1,
        hash: "0123456789ab".into(),
        sweep: "2".into(),
        name: "lrgrid".into(),
        kind: Kind::Array,
        at: "2027-01-01T00:00:00Z".parse::<Time>().unwrap(),
        by: "ann on host1".into(),
        lines: vec![
            line("3,8", Progress::Done, Purpose::Resume, &[4711]),
            line("15", Progress::Began, Purpose::Resume, &[]),
            line("190-199", Progress::Planned, Purpose::Cancel, &[]),
        ],
    };
    let folder = recorded.project.join(".git/handover/sweeps/plans");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("0123456789ab.json"), serde_json::to_vec(&record).unwrap()).unwrap();
    let answer = handover(&recorded, &["verify", &key], &state(&recorded)).expect(3);
    for part in [
        "`2` `lrgrid`: tasks 3,8 were resumed as job 4711 (plan 0123456789ab)",
        "task 15: a line began, and nobody saw its end",
    ] {
        assert!(answer.stdout().contains(part), "{answer:?}");
    }
    assert!(!answer.stdout().contains("190-199"), "{answer:?}");
    // A record that nobody can read, of whatever sweep, is told and stops nobody.
    std::fs::write(folder.join("aaaaaaaaaaaa.json"), "{").unwrap();
    for (words, code) in [(&["verify", &key][..], 3), (&["resume"], 0)] {
        let answer = handover(&recorded, words, &state(&recorded)).expect(code);
        let said = "`2` `lrgrid`: cannot read the record of a submitted plan";
        assert!(answer.stdout().contains(said), "{answer:?}");
    }
}

#[test]
fn a_quick_handover_reads_no_file_and_says_so() {
    let recorded = Recorded::new();
    let told = |words: &[&str]| {
        let answer =
            handover(&recorded, &[&["create", "--dry-run"], words].concat(), &state(&recorded)).expect(0);
        answer.stdout().to_owned()
    };
    let quick = told(&["--quick"]);
    assert!(
        quick.contains("\"looked_at\":0,") && quick.contains("not read: logs and run folders: not asked for"),
        "{quick}"
    );
    assert!(quick.contains("(by queue and accounting alone)"), "{quick}");
    let settings = recorded.project.join(".handover.yaml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace("sweeps:\n", "sweeps:\n  budget: 0s\n")).unwrap();
    assert!(told(&[]).contains("\"looked_at\":0,"));
}

#[test]
fn a_sweep_of_another_project_is_counted_and_not_read() {
    let recorded = Recorded::new();
    let elsewhere = recorded.sandbox.root().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let text = std::fs::read_to_string(state(&recorded)).unwrap();
    let text = text.replace(recorded.project.to_str().unwrap(), elsewhere.to_str().unwrap());
    let other = recorded.sandbox.root().join("other.txt");
    std::fs::write(&other, text).unwrap();
    let (_, _, facts) = sealed(&recorded, &[], &other);
    let standing = standing(&facts);
    assert_eq!(standing["looked_at"], 0);
    let why = standing["not_read"][0].as_str().unwrap();
    assert!(why.ends_with("elsewhere, which is in no worktree of this repository"), "{why}");
    assert_eq!(standing["not_read"].as_array().unwrap().len(), 1);
}

#[test]
fn a_file_system_that_hangs_costs_the_causes_and_nothing_else() {
    let name = "a_file_system_that_hangs_costs_the_causes_and_nothing_else";
    let recorded = Recorded::new();
    if !trace::is_possible(&recorded.sandbox) {
        return skipped(name, "strace cannot trace here");
    }
    let settings = recorded.project.join(".handover.yaml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace("sweeps:\n", "sweeps:\n  budget: 1s\n")).unwrap();
    let first = recorded.truth.0.iter().find(|task| task["fate"] == "cuda-oom").unwrap();
    let log = recorded.project.join(format!("logs/lrgrid_2_{}.out", first["task"]));
    assert!(log.is_file());
    let slow = ["strace", "-f", "-o", "/dev/null", "-P", log.to_str().unwrap(), "-e", "trace=openat"];
    let slow = slow.into_iter().chain(["-e", "inject=openat:delay_enter=12s"]);
    let state = state(&recorded);
    let call = recorded.sandbox.call(["create", "--dry-run", "--cluster", state.to_str().unwrap()]);
    let answer = call.dir(&recorded.project).under(slow).run().expect(0);
    let text = answer.stdout();
    assert!(text.contains("not read: logs and run folders: not within 1 s"), "{answer:?}");
    assert!(text.contains("186 of 200 finished") && text.contains("\"looked_at\":0,"), "{answer:?}");
}

#[test]
fn a_sweep_of_a_hundred_thousand_tasks_is_a_short_document() {
    const TASKS: u32 = 100_000;
    let sandbox = Sandbox::new();
    let mut text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/sweep200/cluster_state.txt"
    ))
    .unwrap();
    // One row of accounting, many times, with every exit code and some states.
    let row = text.lines().find(|line| line.starts_with(":2_189\t")).unwrap().to_owned();
    let fields: Vec<&str> = row.split('\t').collect();
    let rows: String = (0..TASKS)
        .map(|task| {
            let mut fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
            fields[0] = format!(":7_{task}");
            fields[1] = (1000 + task).to_string();
            let state = if task % 3 == 0 { "COMPLETED" } else { "FAILED" };
            fields[4] = state.to_owned();
            fields[5] = if task % 3 == 0 { "0:0".to_owned() } else { format!("{}:0", task % 127 + 1) };
            fields.join("\t") + "\n"
        })
        .collect();
    text = text.replace(&format!("{row}\n"), &format!("{row}\n{rows}"));
    let state = sandbox.write("../large.txt", text);
    let answer = sandbox.handover(["create", "--dry-run", "--cluster", state.to_str().unwrap()]).expect(0);
    let document = answer.stdout();
    assert!(document.contains("100000 of 100000 finished"), "{}", &document[..4000]);
    assert!(document.len() < 64 << 10, "{} bytes", document.len());
    let body = document.split("\n---\n").nth(1).unwrap();
    assert!(body.len() < 16 << 10, "{} bytes:\n{body}", body.len());
}

#[test]
fn the_board_has_a_word_for_each_array_and_reads_no_log() {
    let recorded = Recorded::new();
    let logs = recorded.project.join("logs");
    std::fs::rename(&logs, recorded.sandbox.root().join("away")).unwrap();
    let data = handover(&recorded, &["status", "--json"], &state(&recorded)).expect(0).data();
    let word = &data["worktrees"][0]["sweeps"][0];
    assert_eq!((&word["key"], &word["name"]), (&"2".into(), &"lrgrid".into()));
    let health = word["health"].as_str().unwrap();
    let text = handover(&recorded, &["status"], &state(&recorded)).expect(0);
    let told = format!("sweep 2 lrgrid {health} (by accounting alone; `handover sweep ID` reads the logs)");
    assert!(text.stdout().contains(&told), "{text:?}");
}

/// A document that an earlier version of this program sealed.
const OLDER: &str = "HO-20261121-0341-6158fae2";

#[test]
fn documents_of_an_earlier_version_stay_what_they_are() {
    let sandbox = Sandbox::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/documents");
    let bytes = std::fs::read_to_string(fixture.join(format!("{OLDER}.md"))).unwrap();
    for ending in ["md", "sha256"] {
        let name = format!("{OLDER}.{ending}");
        sandbox.write(format!(".git/handover/docs/{name}"), std::fs::read(fixture.join(&name)).unwrap());
    }
    let verified = sandbox.handover(["verify", OLDER, "--cluster", "none", "--json"]).expect(3).data();
    assert_eq!(verified["verdict"]["word"], "intact", "{verified:#}");
    assert_eq!(sandbox.handover(["show", OLDER]).expect(0).stdout(), bytes);
    let briefing = sandbox.handover(["resume", OLDER, "--cluster", "none"]).expect(0);
    let line = "- sweep `48120` `sweep_lr_wd` when the document was made: 24 of 40 finished; failed: `6,7,11,14,17,22`";
    assert!(briefing.stdout().contains(line), "{briefing:?}");
    assert_eq!(sandbox.read(format!(".git/handover/docs/{OLDER}.md")), bytes);
    assert_eq!(sandbox.read(format!("CLAUDE/{OLDER}.md")), bytes);
}

#[test]
fn names_of_a_later_version_are_passed_over_and_a_later_schema_is_refused() {
    let recorded = Recorded::new();
    let (_, text, _) = sealed(&recorded, &[], &state(&recorded));
    let later = text.replacen("\"standing\":{", "\"standing\":{\"novelty\":[1],", 1);
    let later = later.replacen("\nsweeps: ", "\nnovelty: {\"x\":1}\nsweeps: ", 1);
    assert_ne!(later, text);
    let (facts, _) = handover::document::read(&later).unwrap();
    assert!(facts.sweeps.unwrap().listed[0].standing.as_ref().is_some_and(|standing| standing.failed > 0));
    let newer = text.replacen("handover/1", "handover/2", 1);
    assert!(handover::document::read(&newer).is_err());
}
