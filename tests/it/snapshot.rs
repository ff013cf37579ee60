//! `snapshot`: the cluster from Slurm's commands, from state files, from three
//! releases, and from none at all.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::{Answer, Fake, Sandbox};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const RELEASES: [&str; 3] = ["22.05", "23.02.8", "26.05.3"];

fn recorded(release: &str, file: &str) -> Vec<u8> {
    let path = format!("{ROOT}/tests/fixtures/slurm/{release}/{file}");
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn example(sandbox: &Sandbox) -> &'static str {
    std::fs::copy(format!("{ROOT}/examples/cluster_state.txt"), sandbox.root().join("recorded.txt")).unwrap();
    "../recorded.txt"
}

/// Slurm of one release, played back.
pub fn play(sandbox: &Sandbox, release: &str) -> [Fake; 3] {
    let squeue = sandbox
        .fake("squeue")
        .answers_to("*-o*", recorded(release, "squeue-separators.txt"))
        .fails(1, "squeue: error: Invalid job format specification: STDOUT\n");
    let sacct = sandbox.fake("sacct").answers(recorded(release, "sacct-duplicates.psv"));
    let settings = format!("ClusterName             = past\nSLURM_VERSION           = {release}\n");
    let scontrol = sandbox
        .fake("scontrol")
        .answers_to("*config*", settings)
        .answers_to("*node*", recorded(release, "scontrol-nodes.txt"));
    [squeue, sacct, scontrol]
}

fn known<'v>(data: &'v Value, part: &str) -> &'v Vec<Value> {
    data[part]["known"].as_array().unwrap_or_else(|| panic!("{part} is not known: {}", data[part]))
}

/// What the jobs are, without ids and times: by name, sorted.
fn shapes(data: &Value) -> BTreeMap<String, Vec<Value>> {
    let mut shapes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for job in known(data, "jobs") {
        let id = job["id"].as_str().unwrap();
        let part: String = id.chars().skip_while(char::is_ascii_digit).collect();
        let name = job["name"].as_str().unwrap().split(" $(touch").next().unwrap();
        shapes.entry(name.to_owned()).or_default().push(json!([
            part,
            job["state"],
            job["partition"],
            job["pending_tasks"],
            job["throttle"],
            job["reason"],
            job["nodes"],
        ]));
    }
    for jobs in shapes.values_mut() {
        jobs.sort_by_key(Value::to_string);
    }
    shapes
}

/// The GPUs that one has for jobs, and the nodes' names and partitions. That
/// the scheduler plans with a node changes from second to second.
fn nodes(data: &Value) -> Vec<Value> {
    let flags = |node: &Value| -> Vec<Value> {
        let flags = node["state"].as_array().unwrap().iter();
        flags.filter(|flag| *flag != "PLANNED").cloned().collect()
    };
    let total = |node: &Value| -> Vec<Value> {
        node["gpus"].as_array().unwrap().iter().map(|g| json!([g["type"], g["total"]])).collect()
    };
    known(data, "nodes").iter().map(|n| json!([n["name"], n["partitions"], flags(n), total(n)])).collect()
}

#[test]
fn a_state_file_is_shown_as_a_board() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.handover(["snapshot", "--cluster", example(&sandbox)]));
}

#[test]
fn the_board_fits_eighty_columns_and_brings_no_colour_to_a_pipe() {
    let sandbox = Sandbox::new();
    let answer = sandbox.handover(["snapshot", "--cluster", example(&sandbox)]).expect(0);
    for line in answer.stdout().lines() {
        assert!(line.chars().count() <= 80 && !line.contains('\u{1b}'), "{line}");
    }
}

#[test]
fn three_releases_give_one_answer() {
    let mut answers = Vec::new();
    for release in RELEASES {
        let sandbox = Sandbox::new();
        let _fakes = play(&sandbox, release);
        let data = sandbox.handover(["snapshot", "--json"]).expect(0).data();
        assert_eq!((&data["cluster"], &data["slurm"]), (&json!("past"), &json!(release)));
        answers.push(data);
    }
    let [debian, old, new] = &answers[..] else { panic!("one answer for each release") };
    assert_eq!(shapes(old), shapes(new));
    assert_eq!(nodes(old), nodes(new));
    // Which of them work at the moment is not the same there.
    let stateless = |data: &Value| -> Vec<Value> {
        nodes(data).iter().map(|node| json!([node[0], node[1], node[3]])).collect()
    };
    assert_eq!(stateless(debian), stateless(old));
    // The older release does not say that the free ones of a busy node are kept for a job.
    let unused = |data: &Value| -> Vec<Value> {
        let count = |gpus: &Value| gpus["free"].as_u64().unwrap() + gpus["planned"].as_u64().unwrap();
        known(data, "gpus").iter().map(|g| json!([g["partition"], g["type"], g["total"], count(g)])).collect()
    };
    assert_eq!(unused(old), unused(new));
    // The scenario of the test cluster has jobs that the two recordings lack.
    let (debian, old) = (shapes(debian), shapes(old));
    for name in ["slow_arr", "long", "het1", "dep1", "heldjob", "later", "we|ird \"name\""] {
        assert_eq!(debian[name], old[name], "{name}");
    }
    assert_eq!(old["slow_arr"].len(), 4, "{old:?}");
    assert_eq!(old["slow_arr"][0][3], "106-198:2");
}

#[test]
fn tables_for_people_and_records_give_one_answer() {
    for release in RELEASES {
        let sandbox = Sandbox::new();
        let text = |file: &str| String::from_utf8(recorded(release, file)).unwrap();
        let file = format!(
            "Sat Nov 21 03:30:00 UTC 2026\n\n=== MY JOBS ===\n{}\n=== GPU AVAILABILITY ===\n{}\n=== RECENT JOB HISTORY (24h) ===\n{}",
            text("squeue-fixed-width.txt"),
            text("sinfo-fixed-width.txt"),
            text("sacct-fixed-width.txt"),
        );
        sandbox.write("plain.txt", file);
        let people = sandbox.handover(["snapshot", "--json", "--cluster", "plain.txt"]).expect(0).data();
        let _fakes = play(&sandbox, release);
        let records = sandbox.handover(["snapshot", "--json", "--cluster", "local"]).expect(0).data();
        let jobs = |data: &Value| -> BTreeMap<String, Value> {
            let one = |job: &Value| {
                // The table cuts names, and its seconds are those of another call.
                let name: String = job["name"].as_str().unwrap().chars().take(30).collect();
                let id = format!("{}{}", job["id"].as_str().unwrap(), job["pending_tasks"]);
                let value = json!([
                    name.trim(),
                    job["state"],
                    job["reason"],
                    job["limit"],
                    job["node_list"],
                    job["partition"]
                ]);
                (id, value)
            };
            known(data, "jobs").iter().map(one).collect()
        };
        assert_eq!(jobs(&people), jobs(&records), "{release}");
        assert_eq!(nodes(&people), nodes(&records), "{release}");
        assert_eq!(people["jobs_partial"], json!(false));
        let finished = |data: &Value| data["accounting"]["known"]["attempts"].as_array().unwrap().len();
        assert!(finished(&people) > 40, "{release}");
    }
}

#[test]
fn every_question_is_asked_once_and_with_pinned_fields() {
    let sandbox = Sandbox::new();
    sandbox.write(".handover.yaml", "cluster:\n  user: alice\n");
    let fakes = play(&sandbox, "26.05.3");
    let _ = sandbox.handover(["snapshot"]).expect(0);
    let calls = |fake: &Fake| {
        let calls = fake.calls().into_iter();
        let mut calls: Vec<String> =
            calls.map(|call| call.replace('\u{1e}', "<RS>").replace('\u{1f}', "<US>")).collect();
        calls.sort();
        calls.join("\n")
    };
    insta::assert_snapshot!(fakes.iter().map(calls).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_users_own_settings_of_slurm_change_nothing() {
    let sandbox = Sandbox::new();
    let _fakes = play(&sandbox, "22.05");
    let script = sandbox.root().join("bin/squeue");
    std::fs::write(
        &script,
        "#!/bin/sh\nenv | grep -E '^(SLURM|SQUEUE|SINFO|SACCT|LC_ALL)' | sort >&2\nexit 1\n",
    )
    .unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (name, value) in [
        ("SQUEUE_FORMAT", "%i"),
        ("SQUEUE_STATES", "PD"),
        ("SLURM_CLUSTERS", "other"),
        ("SLURM_TIME_FORMAT", "relative"),
        ("SACCT_FORMAT", "jobid"),
        ("SLURM_CONF", "/etc/mine.conf"),
        ("LC_ALL", "de_DE.UTF-8"),
    ] {
        sandbox.set(name, value);
    }
    // The last line that it says is the complaint; ask for each line in turn.
    let seen = |line: &str| {
        let text = std::fs::read_to_string(&script).unwrap();
        std::fs::write(&script, text.replace("sort >&2", &format!("sort | grep -c '^{line}$' >&2"))).unwrap();
        let answer = sandbox.handover(["snapshot", "--cluster", "local"]).expect(7);
        std::fs::write(&script, text).unwrap();
        answer.stdout().contains("exit status 1: 1\n")
    };
    for line in ["SLURM_BITSTR_LEN=0", "SLURM_TIME_FORMAT=%s", "LC_ALL=C", "SLURM_CONF=/etc/mine.conf"] {
        assert!(seen(line), "{line}");
    }
    for line in ["SQUEUE_FORMAT=.*", "SQUEUE_STATES=.*", "SLURM_CLUSTERS=.*", "SACCT_FORMAT=.*"] {
        assert!(!seen(line), "{line}");
    }
}

#[test]
fn no_slurm_here_is_no_failure_unless_one_is_configured() {
    let sandbox = Sandbox::new();
    let none = sandbox.handover(["snapshot", "--json"]).expect(0).data();
    assert_eq!(none["jobs"], json!({"not_applicable": "Slurm's commands are not installed here"}));
    insta::assert_snapshot!(sandbox.handover(["snapshot"]));
    sandbox.write(".handover.yaml", "cluster:\n  source: auto\n");
    let asked = sandbox.handover(["snapshot", "--json"]).expect(7).data();
    assert_eq!(asked["jobs"], json!({"unknown": "Slurm's commands are not installed here"}));
    let off = sandbox.handover(["snapshot", "--json", "--cluster", "none"]).expect(0).data();
    assert_eq!(off["origin"], json!({"kind": "nothing"}));
}

#[test]
fn commands_without_a_cluster_are_no_cluster() {
    let sandbox = Sandbox::new();
    let said = "squeue: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n\
                squeue: fatal: Could not establish a configuration source\n";
    for program in ["squeue", "sacct", "scontrol"] {
        drop(sandbox.fake(program).fails(1, said));
    }
    let none = sandbox.handover(["snapshot", "--json"]).expect(0).data();
    assert!(none["jobs"]["not_applicable"].is_string(), "{none}");
    // A name service that is out of order for the moment proves nothing.
    for program in ["squeue", "sacct", "scontrol"] {
        drop(sandbox.fake(program).fails(1, &said.replace("Unknown host", "Host name lookup failure")));
    }
    let unknown = sandbox.handover(["snapshot", "--json"]).expect(7).data();
    assert!(unknown["jobs"]["unknown"].is_string(), "{unknown}");
}

#[test]
fn a_hanging_command_costs_its_own_answer_alone() {
    let sandbox = Sandbox::new();
    let _fakes = play(&sandbox, "23.02.8");
    drop(sandbox.fake("squeue").waits(150.0));
    sandbox.write(".handover.yaml", "cluster:\n  limit: 1s\n");
    let data = sandbox.handover(["snapshot", "--json"]).expect(7).data();
    assert_eq!(data["jobs"], json!({"unknown": "squeue gave no answer within 1 s"}));
    assert_eq!(known(&data, "nodes").len(), 5);
    assert!(data["accounting"]["known"].is_object());
}

#[test]
fn half_an_answer_is_shown_as_half_an_answer() {
    let sandbox = Sandbox::new();
    let _fakes = play(&sandbox, "23.02.8");
    drop(sandbox.fake("sacct").fails(1, "Slurm accounting storage is disabled\n"));
    drop(sandbox.fake("scontrol").fails(1, "slurm_load_node error: Unable to contact slurm controller\n"));
    insta::assert_snapshot!(sandbox.handover(["snapshot"]));
}

#[test]
fn a_slip_in_the_name_of_a_file_is_an_error_and_an_unreadable_setting_is_not() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.handover(["snapshot", "--cluster", "no/such.txt"]));
    sandbox.write(".handover.yaml", "cluster:\n  source: no/such.txt\n");
    let data = sandbox.handover(["snapshot", "--json"]).expect(7).data();
    assert!(data["jobs"]["unknown"].as_str().unwrap().contains("no/such.txt"), "{data}");
}

/// A state file of one job, taken at a time of day.
fn state(name: &str, time: &str) -> String {
    format!(
        "Taken: 2026-11-21 {time} UTC\n=== MY JOBS ===\n             JOBID PARTITION                           NAME     USER    STATE       TIME TIME_LIMI  NODES NODELIST(REASON)\n                 1        ai {name:>30}      ann  RUNNING       1:00   1:00:00      1 g1\n"
    )
}

fn seen(answer: &Answer) -> (String, String) {
    let data = answer.data();
    let job = known(&data, "jobs")[0]["name"].as_str().unwrap().to_owned();
    (data["origin"]["name"].as_str().unwrap().to_owned(), job)
}

#[test]
fn the_newest_state_file_that_the_repository_knows_is_read_by_the_time_in_it() {
    let sandbox = Sandbox::new();
    sandbox.write("cluster_state.txt", state("here", "01:00:00"));
    sandbox.commit("State");
    let answer = sandbox.handover(["snapshot", "--json"]).expect(0);
    assert_eq!(seen(&answer), ("cluster_state.txt".into(), "here".into()));
    // Another worktree has a newer one, which was never committed.
    let other = sandbox.worktree("other");
    std::fs::write(other.join("cluster_state.txt"), state("beside", "02:00:00")).unwrap();
    let answer = sandbox.handover(["snapshot", "--json"]).expect(0);
    assert_eq!(seen(&answer).1, "beside");
    // The branch that ours follows has a newer one still.
    sandbox.git(["checkout", "-q", "-b", "theirs"]);
    sandbox.write("cluster_state.txt", state("upstream", "03:00:00"));
    let theirs = sandbox.commit("Newer state");
    sandbox.git(["checkout", "-q", "main"]);
    sandbox.git(["branch", "-q", "-D", "theirs"]);
    sandbox.git(["config", "remote.origin.url", "/nowhere"]);
    sandbox.git(["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
    sandbox.git(["update-ref", "refs/remotes/origin/main", &theirs]);
    sandbox.git(["config", "branch.main.remote", "origin"]);
    sandbox.git(["config", "branch.main.merge", "refs/heads/main"]);
    let answer = sandbox.handover(["snapshot", "--json"]).expect(0);
    assert_eq!(seen(&answer), ("origin/main:cluster_state.txt".into(), "upstream".into()));
}

#[test]
fn a_file_that_says_no_time_is_as_old_as_its_commit_and_an_edited_one_has_no_age() {
    let sandbox = Sandbox::new();
    let timeless = state("x", "01:00:00").replacen("Taken: 2026-11-21 01:00:00 UTC\n", "", 1);
    sandbox.write("cluster_state.txt", &timeless);
    sandbox.commit("State");
    sandbox.advance("26h");
    let data = sandbox.handover(["snapshot", "--json"]).expect(0).data();
    assert_eq!((&data["clock"], &data["age"]), (&json!("committer"), &json!(26 * 3600)));
    sandbox.write("cluster_state.txt", format!("{timeless}\n"));
    let data = sandbox.handover(["snapshot", "--json"]).expect(0).data();
    assert_eq!((&data["clock"], &data["age"], &data["taken_at"]), (&json!(null), &json!(null), &json!(null)));
}

#[test]
fn slurm_that_gives_no_answer_is_replaced_by_the_state_file_and_that_is_said() {
    let sandbox = Sandbox::new();
    sandbox.write("cluster_state.txt", state("recorded", "01:00:00"));
    let _fakes = play(&sandbox, "22.05");
    drop(sandbox.fake("squeue").fails(1, "slurm_load_jobs error: Unable to contact slurm controller\n"));
    let answer = sandbox.handover(["snapshot", "--json"]).expect(0);
    assert_eq!(seen(&answer).1, "recorded");
    let said = answer.data()["problems"][0]["what"].as_str().unwrap().to_owned();
    assert!(said.contains("gave no answer") && said.contains("Unable to contact"), "{said}");
}

#[test]
fn hostile_names_reach_neither_the_terminal_nor_other_jobs() {
    let sandbox = Sandbox::new();
    let row = |id: &str, name: &str| {
        let fields =
            [id, id, id, "N/A", "ai", "RUNNING", "1:00", "1:00:00", "1", "None", "g1", "/home/x", name];
        format!("\u{1e}{}\n", fields.join("\u{1f}"))
    };
    let names = ["\u{1b}[2J\u{1b}]0;x\u{7}", "a\u{202e}b", "`id`$(id)|;\n\"'", "\u{1f}\u{1f}x"];
    let text: String = names.iter().zip(["1", "2", "3", "4"]).map(|(name, id)| row(id, name)).collect();
    let _squeue =
        sandbox.fake("squeue").answers_to("*-o*", text).fails(1, "Invalid job format specification\n");
    let answer = sandbox.handover(["snapshot", "--color", "always"]).expect(0);
    let shown = anstream::adapter::strip_str(answer.stdout()).to_string();
    assert!(!shown.contains(['\u{7}', '\u{202e}', '\u{1f}']), "{shown:?}");
    assert!(!answer.stdout().contains("\u{1b}[2J"));
    let jobs = sandbox.handover(["snapshot", "--json"]).expect(0).data();
    let given: Vec<&str> = known(&jobs, "jobs").iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert_eq!(given, names);
}

#[test]
fn the_script_is_printed_as_it_is_and_bash_takes_it() {
    let sandbox = Sandbox::new();
    let script = sandbox.handover(["snapshot", "--script"]).expect(0);
    let file = std::fs::read_to_string(format!("{ROOT}/templates/cluster_snapshot.sh")).unwrap();
    assert_eq!(script.stdout(), file);
    let checked = sandbox.program("bash", ["-n"]).stdin(file).run().expect(0);
    assert_eq!(checked.stderr(), "");
}

/// Runs the script of the program with Slurm played back or real.
fn script(sandbox: &Sandbox, file: &str) -> Answer {
    sandbox.program("bash", [&format!("{ROOT}/templates/cluster_snapshot.sh"), file]).run()
}

#[test]
fn the_script_writes_what_failed_and_leaves_nothing_else() {
    let sandbox = Sandbox::new();
    let _fakes = play(&sandbox, "22.05");
    drop(sandbox.fake("sinfo").fails(1, "sinfo: error: no sinfo today\n"));
    drop(sandbox.fake("sacct").fails(1, "Slurm accounting storage is disabled\n"));
    let _ = script(&sandbox, "state.txt").expect(1);
    let text = sandbox.read("state.txt");
    assert!(text.contains("=== GPU AVAILABILITY ===\nsinfo: error: no sinfo today\n"), "{text}");
    assert!(text.contains("error Slurm accounting storage is disabled\nend sacct 1 0\n"), "{text}");
    assert!(text.ends_with("end of cluster state\n"));
    let here: Vec<String> = sandbox.tree(sandbox.project());
    assert!(!here.iter().any(|name| name.contains(".new")), "{here:?}");
    let data = sandbox.handover(["snapshot", "--json", "--cluster", "state.txt"]).expect(0).data();
    assert_eq!(known(&data, "jobs").len(), 14);
    assert!(data["accounting"]["unknown"].as_str().unwrap().contains("storage is disabled"));
    // Nothing is written without Slurm, or where something else lies.
    std::fs::create_dir(sandbox.project().join("dir")).unwrap();
    let _ = script(&sandbox, "dir").expect(2);
    std::fs::remove_file(sandbox.root().join("bin/squeue")).unwrap();
    let _ = script(&sandbox, "none.txt").expect(2);
    assert!(!Path::new(&sandbox.project().join("none.txt")).exists());
}

#[test]
fn the_real_cluster_is_seen_as_it_was_planted_by_look_and_by_script() {
    let name = "the_real_cluster_is_seen_as_it_was_planted_by_look_and_by_script";
    let Some(cluster) = Cluster::with_scenario_or_skip(name) else { return };
    let sandbox = Sandbox::new();
    sandbox.write(".handover.yaml", "cluster:\n  user: root\n");
    cluster.open_to(&sandbox);
    sandbox.set("CLUSTER_USER", "root");
    let look = sandbox.handover(["snapshot", "--json"]).expect(0).data();
    let _ = script(&sandbox, "state.txt").expect(0);
    let file = sandbox.handover(["snapshot", "--json", "--cluster", "state.txt"]).expect(0).data();
    for data in [&look, &file] {
        assert_eq!(data["jobs_partial"], json!(false));
        let mut queue: BTreeMap<String, (&str, &str, &str)> = BTreeMap::new();
        for job in known(data, "jobs") {
            let text = |field: &str| job[field].as_str().unwrap_or_default();
            let throttle = job["throttle"].as_u64().map(|most| format!("%{most}")).unwrap_or_default();
            let label = match text("pending_tasks") {
                "" => text("id").to_owned(),
                tasks => format!("{}_[{tasks}{throttle}]", text("id")),
            };
            queue.insert(label, (text("state"), text("reason"), text("name")));
        }
        let attempts = data["accounting"]["known"]["attempts"].as_array().unwrap();
        for [id, state, _, reason, name] in cluster.truth() {
            if reason != "-" || state == "RUNNING" {
                let (seen, why, called) =
                    queue.get(&id).unwrap_or_else(|| panic!("{id} is not in {queue:?}"));
                let reason = if reason == "-" { "" } else { reason.as_str() };
                assert_eq!((*seen, *why, *called), (state.as_str(), reason, name.as_str()), "{id}");
            } else if !id.contains('.') {
                let rows = attempts.iter().filter(|row| row["id"] == json!(id));
                let states: Vec<&Value> = rows.map(|row| &row["state"]).collect();
                assert!(states.contains(&&json!(state)), "{id}: {states:?}");
            }
        }
    }
    // A state file carries no memory of nodes.
    let mut nodes = known(&look, "nodes").clone();
    for node in &mut nodes {
        assert!(node.as_object_mut().unwrap().remove("memory").is_some(), "{node}");
    }
    assert_eq!(nodes, *known(&file, "nodes"));
    assert_eq!(shapes(&look), shapes(&file));
    let free: u64 =
        look["gpus"]["known"].as_array().unwrap().iter().map(|g| g["free"].as_u64().unwrap()).sum();
    assert!(free > 0, "{}", look["gpus"]);
    let slow = &cluster.scenario["SLOW_JOB"];
    let rest = known(&look, "jobs").iter().find(|job| job["id"] == json!(slow)).unwrap();
    assert!(rest["stdout"].as_str().unwrap().ends_with(&format!("slurm-{slow}_%a.out")), "{rest}");
}
