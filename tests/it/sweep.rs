//! `handover sweep`: from saved accounting, from a state file, from a real Slurm.

use serde_json::{Value, json};

use crate::support::{Answer, Sandbox, cluster};

const RELEASES: [&str; 3] = ["22.05", "23.02.8", "26.05.3"];

fn fixture(release: &str, file: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/slurm/{release}/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

/// One sweep with everything that can be odd about a sweep, one by name, and
/// jobs of no sweep.
fn odd_text() -> String {
    let mut rows = vec![
        "JobID|JobIDRaw|User|Partition|State|ExitCode|DerivedExitCode|ElapsedRaw|TimelimitRaw|Submit|Start|End|MaxRSS|NodeList|JobName"
            .to_owned(),
    ];
    let mut row = |id: &str, state: &str, exit: &str, elapsed: u32, name: &str| {
        let raw = 1000 + rows.len();
        rows.push(format!(
            "{id}|{raw}|ann|ai|{state}|{exit}|0:0|{elapsed}|1440|1795200000|1795200600|1795230000||gpu01|{name}"
        ));
        let step = if state == "CANCELLED by 1000" { "CANCELLED" } else { state };
        rows.push(format!("{id}.batch|{raw}.batch|||{step}|{exit}||{elapsed}||1795200600|1795200600|1795230000|2G|gpu01|batch"));
    };
    for index in 0..60 {
        let id = format!("900_{index}");
        match index {
            5 | 17 => row(&id, "COMPLETED", "0:0", 95, "train \u{1b}[31mred\u{202e}"),
            7 => row(&id, "OUT_OF_MEMORY", "0:125", 3000, "train \u{1b}[31mred\u{202e}"),
            i if i % 10 == 3 => row(&id, "FAILED", "9:0", 40, "train \u{1b}[31mred\u{202e}"),
            i if i % 15 == 4 => row(&id, "FAILED", "1:0", 40, "train \u{1b}[31mred\u{202e}"),
            44 => row(&id, "CANCELLED by 1000", "0:0", 40, "train \u{1b}[31mred\u{202e}"),
            50 => {
                row(&id, "PREEMPTED", "0:0", 800, "train \u{1b}[31mred\u{202e}");
                row(&id, "RUNNING", "0:0", 900, "train \u{1b}[31mred\u{202e}");
            }
            i => row(&id, "COMPLETED", "0:0", 18_000 + i * 60, "train \u{1b}[31mred\u{202e}"),
        }
    }
    for id in ["700", "710", "720", "730"] {
        row(
            id,
            "COMPLETED",
            "0:0",
            60,
            "eval `date` a very long name of a job that nobody will ever read to its end",
        );
    }
    row("800", "FAILED", "1:0", 5, "alone");
    rows.push(
        "800.0|800.0|||OUT_OF_MEMORY|0:125||5||1795200600|1795200600|1795230000|9G|gpu01|python".into(),
    );
    rows.join("\n") + "\n"
}

fn of_text(sandbox: &Sandbox, text: impl Into<Vec<u8>>, words: &[&str]) -> Answer {
    sandbox.call(["sweep", "--accounting", "-"].iter().chain(words)).stdin(text).run()
}

#[track_caller]
fn fits_a_narrow_terminal(answer: &Answer) {
    for line in answer.stdout().lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
}

#[test]
fn all_sweeps_of_a_saved_text_are_listed() {
    let sandbox = Sandbox::empty();
    std::fs::write(sandbox.root().join("sacct.psv"), fixture("22.05", "sacct-duplicates.psv")).unwrap();
    let answer = sandbox.handover_in(sandbox.root(), ["sweep", "--accounting", "sacct.psv"]).expect(0);
    fits_a_narrow_terminal(&answer);
    insta::assert_snapshot!(answer);
    let answer = of_text(&sandbox, odd_text(), &[]).expect(0);
    fits_a_narrow_terminal(&answer);
    insta::assert_snapshot!(answer);
}

#[test]
fn one_sweep_shows_what_failed_what_was_fast_and_what_to_look_at() {
    let sandbox = Sandbox::empty();
    let answer = of_text(&sandbox, odd_text(), &["900"]).expect(0);
    fits_a_narrow_terminal(&answer);
    insta::assert_snapshot!(answer);
    let answer = of_text(&sandbox, odd_text(), &["eval"]).expect(0);
    fits_a_narrow_terminal(&answer);
    insta::assert_snapshot!(answer);
}

#[test]
fn no_name_of_a_job_reaches_the_terminal_raw() {
    let sandbox = Sandbox::empty();
    for words in [&[][..], &["900"], &["900", "--json"], &["train"], &["nothing \u{1b}[2J"]] {
        let bytes = of_text(&sandbox, odd_text(), words).bytes();
        let raw = bytes.iter().filter(|byte| byte.is_ascii_control() && **byte != b'\n').count();
        assert_eq!(raw, 0, "{words:?}: {}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn a_sweep_is_found_by_its_id_a_task_a_job_its_name_or_the_start_of_it() {
    let sandbox = Sandbox::empty();
    let key = |wanted: &str| {
        let data = of_text(&sandbox, odd_text(), &[wanted, "--json"]).expect(0).data();
        data["sweeps"][0]["key"].as_str().unwrap().to_owned()
    };
    for wanted in ["900", "900_17", "train", "tr"] {
        assert_eq!(key(wanted), "900", "{wanted}");
    }
    assert!(key("720").starts_with("eval"));
    // The raw id of a task, which logs and trackers have, and a task: of which sweep, and how it is.
    let asked = |wanted: &str| {
        let answer = of_text(&sandbox, odd_text(), &[wanted, "--quick"]).expect(0);
        let text = answer.stdout();
        text.lines().find_map(|line| line.strip_prefix("asked for")).unwrap_or_default().trim().to_owned()
    };
    assert_eq!(asked("1027"), "1027 is the raw id of task 13 of array 900: FAILED 9:0");
    assert_eq!(asked("900_17"), "task 17: COMPLETED 0:0");
    assert_eq!(asked("900_99"), "task 99: not seen");
    assert_eq!(asked("900"), "");
    assert_eq!(asked("720"), "job 720: COMPLETED 0:0");
    let data = of_text(&sandbox, odd_text(), &["1027", "--json"]).expect(0).data();
    assert_eq!(data["asked"], json!({"id": "1027", "is_raw": true, "member": 13, "outcome": "FAILED 9:0"}));
    // A name comes before an id, and an id before the beginning of a name.
    let named =
        odd_text().replace("|alone", "|900").replace("800", "801") + &odd_text().replace("|alone", "|900");
    let named = named + "803|803|ann|ai|FAILED|1:0|0:0|5|1440|1795200000|1795200600|1795230000||gpu01|900\n";
    let data = of_text(&sandbox, named, &["900", "--json"]).expect(0).data();
    assert_eq!(data["sweeps"][0]["kind"], "shared_name");

    let lost = of_text(&sandbox, odd_text(), &["800"]).expect(4);
    insta::assert_snapshot!(lost);
    let text = odd_text().replace("|alone", "|trailing").replace("900_1|", "901_1|").replace(
        "901_1|1003|ann|ai|COMPLETED|0:0|0:0|18060|1440|1795200000|1795200600|1795230000||gpu01|train",
        "901_1|1003|ann|ai|COMPLETED|0:0|0:0|18060|1440|1795200000|1795200600|1795230000||gpu01|trail",
    );
    insta::assert_snapshot!(of_text(&sandbox, text, &["tr"]).expect(4));
    insta::assert_snapshot!(
        sandbox.handover_in(sandbox.root(), ["sweep", "--accounting", "nowhere"]).expect(4)
    );
}

#[test]
fn a_suggested_command_names_the_same_files_again() {
    let sandbox = Sandbox::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cluster_state.txt");
    sandbox.write("the state.txt", std::fs::read(example).unwrap());
    sandbox.write("sacct.psv", odd_text());
    let of_state = sandbox.handover(["sweep", "--cluster", "the state.txt"]).expect(0);
    let text = of_state.stdout().replace('\n', " ");
    assert!(text.contains("handover sweep NAME --cluster 'the state.txt'"), "{of_state}");
    let lost = sandbox.handover(["sweep", "x", "--cluster", "the state.txt"]).expect(4);
    assert!(lost.stderr().contains("hint: see which there are: handover sweep --cluster 'the state.txt'\n"));
    let lost = sandbox.handover(["sweep", "clean", "x", "--cluster", "the state.txt"]).expect(4);
    assert!(lost.stderr().contains("handover sweep --cluster 'the state.txt'\n"), "{lost}");
    let lost =
        sandbox.handover_in(sandbox.root(), ["-C", "project", "sweep", "x", "--accounting", "sacct.psv"]);
    assert!(lost.stderr().contains("handover sweep -C project --accounting sacct.psv\n"), "{lost}");
}

#[test]
fn a_task_older_than_the_window_is_asked_for_with_its_whole_array() {
    let sandbox = Sandbox::new();
    drop(sandbox.fake("squeue").answers(""));
    drop(sandbox.fake("scontrol").answers(""));
    let task = |index: u32| {
        format!(
            "8_{index}|{}|ann|ai|FAILED|1:0|0:0|70|600|1795230000|1795230010|1795230080||gpu01|lr",
            20 + index
        )
    };
    let (one, two) = (task(1), task(2));
    let _sacct = sandbox
        .fake("sacct")
        .answers_to("*-j?22?*", own_form(&[&two]))
        .answers_to("*-j?8?*", own_form(&[&one, &two]))
        .answers(own_form(&[]));
    let data = sandbox.handover(["sweep", "22", "--cluster", "local", "--quick", "--json"]).expect(0).data();
    assert_eq!((&data["sweeps"][0]["seen"], &data["asked"]["member"]), (&json!(2), &json!(2)), "{data:#}");
}

#[test]
fn several_arrays_of_one_name_show_the_newest_and_name_the_others() {
    let sandbox = Sandbox::empty();
    let text = "JobID|State|ExitCode|Elapsed|Submit|Start|JobName\n\
                5_0|FAILED|1:0|00:00:09|1795200000|1795200000|lr\n\
                9_0|COMPLETED|0:0|00:00:09|1795200000|1795200000|lr\n\
                7_0|FAILED|1:0|00:00:09|1795200000|1795200000|lr\n";
    let data = of_text(&sandbox, text, &["lr", "--json"]).expect(0).data();
    assert_eq!(data["sweeps"][0]["key"], "9");
    assert_eq!(data["others"], json!([{"key": "7", "name": "lr"}, {"key": "5", "name": "lr"}]));
    let answer = of_text(&sandbox, text, &["lr"]).expect(0);
    assert!(answer.stdout().contains("also in 7, 5"), "{answer}");
}

#[test]
fn one_situation_in_three_releases_and_three_forms_has_one_answer() {
    let sandbox = Sandbox::empty();
    let mut answers: Vec<Value> = Vec::new();
    for release in RELEASES {
        for file in ["sacct-all.psv", "sacct-duplicates.psv", "sacct-fixed-width.txt"] {
            let data = of_text(&sandbox, fixture(release, file), &["sweep_lr", "--quick", "--json"])
                .expect(0)
                .data();
            let mut sweep = data["sweeps"][0].clone();
            assert_eq!(sweep["kind"], "array");
            // Ids and seconds differ between recordings, nothing else may.
            for field in ["key", "user", "elapsed", "per_task"] {
                sweep.as_object_mut().unwrap().remove(field).unwrap();
            }
            sweep["look"].as_object_mut().unwrap().remove("key");
            answers.push(sweep);
        }
    }
    assert_eq!(answers[0]["failures"][0]["outcome"], "FAILED 1:0");
    assert_eq!(answers[0]["failed_tasks"], "3,7,9,13,17,19,23,27,29,33,37,39");
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
}

#[test]
fn a_state_file_gives_queue_and_accounting_together() {
    let sandbox = Sandbox::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cluster_state.txt");
    sandbox.write("state.txt", std::fs::read(example).unwrap());
    let answer = sandbox.handover(["sweep", "--cluster", "state.txt"]).expect(0);
    fits_a_narrow_terminal(&answer);
    assert!(answer.stdout().starts_with("sweep"), "{answer}");
    insta::assert_snapshot!(answer);
    let answer = sandbox.handover(["sweep", "sweep_lr_wd", "--quick", "--cluster", "state.txt"]).expect(0);
    fits_a_narrow_terminal(&answer);
    insta::assert_snapshot!(answer);
}

#[test]
fn a_cluster_that_gives_no_answer_is_no_empty_list() {
    let sandbox = Sandbox::new();
    for program in ["squeue", "sacct", "scontrol", "sinfo"] {
        sandbox.fake(program).fails(1, "slurm_load_jobs error: Unable to contact slurm controller");
    }
    let answer = sandbox.handover(["sweep", "--cluster", "local"]).expect(7);
    assert!(answer.stdout().contains("Unable to contact slurm controller"), "{answer}");
    let answer = sandbox.handover(["sweep", "--cluster", "none"]).expect(7);
    insta::assert_snapshot!(answer);
    for words in [["9", "--cluster", "none"], ["9", "--cluster", "local"]] {
        let answer = sandbox.handover(["sweep"].iter().chain(&words)).expect(7);
        assert!(answer.stderr().contains("cannot look for a sweep 9"), "{answer}");
        assert!(answer.stderr().contains("--cluster FILE"), "{answer}");
    }
}

#[test]
fn where_nothing_was_asked_no_list_is_shown() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.handover(["sweep"]).expect(7));
    insta::assert_snapshot!(sandbox.handover(["sweep", "lr"]).expect(7));
}

#[test]
fn a_file_that_is_nothing_of_slurms_is_refused_by_name_and_line() {
    let sandbox = Sandbox::new();
    sandbox.write("dir/x", "");
    let bytes: Vec<u8> = (0..5000u32).map(|i| (i * i % 251) as u8).collect();
    for (name, content) in [
        ("words", b"\n  \nepoch 3: loss \x1b[31m0.4\nmore\n".to_vec()),
        ("empty", Vec::new()),
        ("binary", bytes),
        ("rows", b"JobID|State|JobName\nhello\nthere\n".to_vec()),
    ] {
        sandbox.write(name, content);
    }
    let told = |option: &str, file: &str| {
        let answer = sandbox.handover(["sweep", option, file]).expect(2);
        assert_eq!(answer.stdout(), "");
        sandbox.normalise(&answer.stderr())
    };
    let mut all = String::new();
    for option in ["--accounting", "--cluster"] {
        for file in ["words", "empty", "binary", "rows", "dir"] {
            all.push_str(&format!("{option} {file}\n{}", told(option, file)));
        }
    }
    insta::assert_snapshot!(all);
    // A header alone is what sacct prints when there was nothing.
    let nothing = of_text(&sandbox, "JobID|State|JobName\n", &[]).expect(0);
    assert!(nothing.stdout().starts_with("No sweep was seen."), "{nothing}");
    // A state file that somebody's settings name is no slip of this call.
    sandbox.write(".handover.yaml", "cluster:\n  source: words\n");
    let answer = sandbox.handover(["sweep"]).expect(7);
    assert!(answer.stdout().contains("line 3"), "{answer}");
}

/// Each sweep of the planted truth, counted from it: array, tasks by state and
/// exit code for what is over, by state for what is not.
#[test]
fn the_sweeps_of_a_real_slurm_are_what_was_planted() {
    let name = "the_sweeps_of_a_real_slurm_are_what_was_planted";
    let Some(cluster) = cluster::Cluster::with_scenario_or_skip(name) else { return };
    let array = &cluster.scenario["SWEEP_JOB"];
    let sandbox = Sandbox::new();
    cluster.open_to(&sandbox);
    let data = sandbox.handover(["sweep", array, "--cluster", "local", "--quick", "--json"]).expect(0).data();
    let sweep = &data["sweeps"][0];
    let truth = std::fs::read_to_string(cluster.dir.join("scenario.truth")).unwrap();
    let mut planted: std::collections::BTreeMap<String, Vec<u32>> = Default::default();
    for line in truth.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let Some((base, index)) = fields[0].split_once('_') else { continue };
        if base == array {
            planted.entry(format!("{} {}", fields[1], fields[2])).or_default().push(index.parse().unwrap());
        }
    }
    assert_eq!(planted.values().map(Vec::len).sum::<usize>(), 40, "{truth}");
    let planted: Value = planted
        .into_iter()
        .map(|(outcome, tasks)| {
            let list: handover::terms::TaskIds = tasks.into_iter().collect();
            (outcome, Value::String(list.to_string()))
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    assert_eq!(sweep["look"]["tasks"], planted, "{sweep:#}");
    assert_eq!(sweep["total"], 40);
    // The throttled array waits in the queue alone; its total is known all the same.
    let slow = &cluster.scenario["SLOW_JOB"];
    let data = sandbox.handover(["sweep", slow, "--cluster", "local", "--json"]).expect(0).data();
    let sweep = &data["sweeps"][0];
    assert_eq!(sweep["total"], 50, "{sweep:#}");
    assert_eq!(
        (&sweep["states"]["RUNNING"], &sweep["states"]["PENDING"]),
        (&json!(3), &json!(47)),
        "{sweep:#}"
    );
}

/// Our own form of accounting, with `|` for the unit separator.
fn own_form(rows: &[&str]) -> String {
    let header = handover::cluster::sacct::FIELDS.replace(',', "|");
    format!("{header}\n{}\n", rows.join("\n")).replace('|', handover::cluster::sacct::DELIMITER)
}

#[test]
fn one_array_is_asked_for_by_its_id_since_a_window_leaves_out_what_never_started() {
    let sandbox = Sandbox::new();
    drop(sandbox.fake("squeue").answers(""));
    drop(sandbox.fake("scontrol").answers(""));
    let ran = "8_0|9|ann|ai|COMPLETED|0:0|0:0|70|600|1795230000|1795230010|1795230080||gpu01|lr";
    let cancelled =
        "8_[1-4%2]|8|ann|ai|CANCELLED by 7|0:0|0:0|0|600|1795230000|None|1795230090||None assigned|lr";
    let sacct =
        sandbox.fake("sacct").answers_to("*-j*8*", own_form(&[ran, cancelled])).answers(own_form(&[ran]));
    let all = sandbox.handover(["sweep", "--cluster", "local", "--json"]).expect(0).data();
    assert_eq!(all["sweeps"][0]["seen"], 1);
    let [call] = &sacct.calls()[..] else { panic!("{:?}", sacct.calls()) };
    assert!(
        call.contains("--starttime=now-604800seconds"),
        "never sacct's own window from midnight on: {call}"
    );
    let one = sandbox.handover(["sweep", "lr", "--cluster", "local", "--json"]).expect(0).data();
    assert_eq!(one["sweeps"][0]["states"], json!({"CANCELLED": 4, "COMPLETED": 1}), "{one:#}");
    assert_eq!(one["sweeps"][0]["total"], 5);
    let calls = sacct.calls();
    assert_eq!(calls.len(), 3, "{calls:?}");
    assert!(calls[2].starts_with("-j 8 ") && !calls[2].contains("--starttime"), "{}", calls[2]);
}

#[test]
fn a_release_that_lacks_a_field_answers_without_it() {
    let sandbox = Sandbox::new();
    drop(sandbox.fake("squeue").answers(""));
    drop(sandbox.fake("scontrol").answers(""));
    let rows = own_form(&["8_0|9|ann|ai|FAILED|1:0|0:0|70|600|1795230000|1795230010|1795230080||gpu01|lr"]);
    let sacct = sandbox
        .fake("sacct")
        .fails_for("*TimelimitRaw*", 1, "sacct: error: Invalid field requested: \"TimelimitRaw\"\n")
        .answers(rows);
    let answer = sandbox.handover(["sweep", "--cluster", "local", "--json"]).expect(0).data();
    assert_eq!(answer["sweeps"][0]["states"], json!({"FAILED": 1}), "{answer:#}");
    assert_eq!(sacct.calls().len(), 2, "{:?}", sacct.calls());
}

#[test]
fn the_real_slurm_says_where_the_files_of_finished_tasks_lie() {
    let name = "the_real_slurm_says_where_the_files_of_finished_tasks_lie";
    let Some(cluster) = cluster::Cluster::with_scenario_or_skip(name) else { return };
    // The caller of the tests set this process before the cluster, as `up` says.
    let world = handover::sys::World::real();
    let look = handover::cluster::Look {
        source: handover::cluster::Source::Local,
        scope: handover::cluster::Scope::default(),
        limit: std::time::Duration::from_secs(30),
        history: handover::terms::Seconds(86_400),
        now: world.clock.now(),
    };
    let ids =
        [&cluster.scenario["SWEEP_JOB"], &cluster.scenario["EXIT137_JOB"]].map(|id| id.parse().unwrap());
    let found =
        handover::cluster::files_of(&world, &look, &[ids[0], ids[1], 4_000_000]).into_known().unwrap();
    assert_eq!(found.unknown, [4_000_000], "{:?}", found.problems);
    let of = |id: u32| found.jobs.iter().filter(move |files| files.job.id.base == id);
    assert_eq!(of(ids[0]).count(), 40);
    for files in found.jobs.iter() {
        let work_dir = files.job.work_dir.as_deref().unwrap();
        assert!(work_dir.is_dir(), "{files:?}");
        // slurmctld forgets finished jobs after a while; this release's accounting has no output paths.
        assert!(files.job.stdout.as_deref().is_none_or(|path| path.is_file()), "{files:?}");
        assert!(files.exit.is_none_or(|_| files.job.stdout.is_some()), "{files:?}");
    }
    assert!(of(ids[1]).all(|files| files.exit.is_none_or(|exit| exit.status == 137)));
}
