//! `handover sweep report`, on the recorded sweep of 200 tasks.

use crate::support::planted::Recorded;
use crate::sweep_plan::of_recording;

const PARTS: [&str; 8] = [
    "## 1. Scope and ids",
    "## 2. Timeline",
    "## 3. Failures and thresholds",
    "## 4. Decision and rationale",
    "## 5. Intervention",
    "## 6. Completion and artefact integrity",
    "## 7. Learnings and anomalies",
    "## 8. Evidence runbook",
];

#[test]
fn the_report_of_the_recorded_sweep_has_eight_parts_and_what_was_planted() {
    let recorded = Recorded::new();
    let report = of_recording(&recorded, &["sweep", "report", "2"]).expect(1);
    let text = report.stdout();
    let places: Vec<usize> =
        PARTS.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
    let fates = |fate: &str| recorded.truth.lists(|task| (task["fate"] == fate).then(|| fate.to_owned()));
    let modules = &fates("missing-module")["missing-module"];
    let row = text.lines().find(|line| line.starts_with("| missing-module | ")).expect("a row");
    assert!(row.ends_with(&format!("| `{modules}` |")), "{row}");
    assert!(text.contains("lrgrid, sweep ") && text.contains("q1w2e3r4"), "{text}");
    let first = modules.split([',', '-']).next().unwrap();
    assert!(text.contains(&format!("  - `logs/lrgrid_2_{first}.out:")), "{text}");
    assert!(text.contains("`ModuleNotFoundError: No module named 'lion_pytorch'`"), "{text}");
    assert!(text.contains("Nobody has intervened from this repository"), "{text}");
    let data = of_recording(&recorded, &["sweep", "report", "2", "--json"]).expect(1).data();
    let files = data["runbook"]["files"].as_array().unwrap();
    let count = |what: &str| files.iter().find(|files| files["what"] == what).unwrap()["count"].as_u64();
    for (what, many) in [("log", "logs"), ("tracker run", "tracker runs"), ("run folder", "run folders")] {
        assert!(text.contains(&format!("- {} {many}: `", count(what).unwrap())), "{what}: {text}");
    }
    let over = ["COMPLETED", "RUNNING", "PENDING"];
    let can_go_on = recorded.truth.lists(|task| {
        (!over.contains(&task["state"].as_str()) && task["best"] != "-").then(|| "all".to_owned())
    });
    assert_eq!(data["completion"]["checkpoints"]["ended_with"], can_go_on["all"]);
}

#[test]
fn a_report_that_would_say_the_same_says_since_when() {
    let recorded = Recorded::new();
    recorded.sandbox.set_now("2026-11-22T12:00:00Z");
    let call = |words: &[&str]| of_recording(&recorded, words).expect(1).stdout().to_owned();
    let first = call(&["sweep", "report", "2"]);
    assert!(!first.contains("no material change"), "{first}");
    recorded.sandbox.advance("3h");
    let second = call(&["sweep", "report", "2"]);
    // What goes on from it looks at the same state file.
    let state = recorded.sandbox.root().join("cluster_state.txt");
    let second = second.replace(state.to_str().unwrap(), "STATE");
    insta::assert_snapshot!(second, @r"
    # Sweep report: `lrgrid`, array 2

    2026-11-22 15:00 UTC: health **systemic**, decision **intervene**

    *no material change since 2026-11-22 12:00 UTC*

    The eight parts again: `handover sweep report --whole --cluster STATE 2`
    ");
    recorded.sandbox.advance("3h");
    let whole = call(&["sweep", "report", "2", "--whole"]);
    assert!(whole.contains("*no material change since 2026-11-22 12:00 UTC*"), "{whole}");
    assert!(PARTS.iter().all(|part| whole.contains(part)), "{whole}");
    // A log that names another cause is a change.
    let module = recorded.truth.0.iter().find(|task| task["fate"] == "missing-module").unwrap();
    let log = recorded.project.join(format!("logs/lrgrid_2_{}.out", module["task"]));
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, text.replace("ModuleNotFoundError: No module named", "KeyError:")).unwrap();
    let changed = call(&["sweep", "report", "2"]);
    assert!(changed.contains(PARTS[7]) && !changed.contains("no material change"), "{changed}");
}

#[test]
fn a_report_goes_into_a_file_between_its_markers_and_nowhere_else() {
    let recorded = Recorded::new();
    recorded.sandbox.set_now("2026-11-22T12:00:00Z");
    let file = recorded.project.join("reports.md");
    let name = file.to_str().unwrap();
    let call = |words: &[&str], code: i32| {
        let words = [&["sweep", "report", "2", "--output", name], words].concat();
        of_recording(&recorded, &words).expect(code)
    };
    let dry = call(&["--dry-run"], 1);
    assert!(
        dry.stdout().contains(PARTS[7]) && dry.stdout().ends_with("reports.md would be written\n"),
        "{dry:?}"
    );
    assert!(!file.exists());
    assert_eq!(call(&[], 1).stdout(), "reports.md written\n");
    let first = std::fs::read_to_string(&file).unwrap();
    assert!(PARTS.iter().all(|part| first.contains(part)), "{first}");
    // The next one leaves it as it is, text of others around it included.
    let around = format!("# Mine\n{first}\nmine too");
    std::fs::write(&file, &around).unwrap();
    recorded.sandbox.advance("2h");
    let same = call(&[], 1);
    assert!(same.stdout().starts_with("no material change since 2026-11-22 12:00 UTC"), "{same:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), around);
    // What somebody wrote into it is refused, then kept.
    std::fs::write(&file, around.replace("## 5. Intervention", "## 5. Intervention\n\nI asked Ann."))
        .unwrap();
    let refused = call(&[], 5);
    assert!(refused.stderr().contains("--replace-edits"), "{refused:?}");
    let replaced = call(&["--replace-edits", "--json"], 1).data();
    let kept = std::fs::read_to_string(replaced["file"]["edits"].as_str().unwrap()).unwrap();
    assert!(kept.contains("I asked Ann.") && replaced["file"]["became"] == "rewritten", "{kept}");
    let now = std::fs::read_to_string(&file).unwrap();
    assert!(
        now.starts_with("# Mine\n<!-- handover:report-2:begin") && now.ends_with("-->\n\nmine too"),
        "{now}"
    );
    assert!(!now.contains("Ann."), "{now}");
}

#[test]
fn a_file_that_is_not_ours_is_refused() {
    let recorded = Recorded::new();
    let notes = recorded.project.join("train.py");
    std::fs::write(&notes, "print(1)\n").unwrap();
    let link = recorded.project.join("link.md");
    std::os::unix::fs::symlink("elsewhere.md", &link).unwrap();
    let _ = recorded.sandbox.program("mkfifo", ["pipe.md"]).dir(&recorded.project).run().expect(0);
    for (name, why) in
        [("train.py", "is not ours"), ("link.md", "symbolic link"), ("pipe.md", "no regular file")]
    {
        let refused = of_recording(&recorded, &["sweep", "report", "2", "--output", name]).expect(5);
        assert!(refused.stderr().contains(why), "{refused:?}");
    }
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "print(1)\n");
    assert!(!recorded.project.join("elsewhere.md").exists());
}

#[test]
fn the_timeline_has_the_polls_and_what_they_saw() {
    let recorded = Recorded::new();
    let _ = of_recording(&recorded, &["watch", "2", "--once"]);
    recorded.sandbox.advance("1h");
    let _ = of_recording(&recorded, &["watch", "2", "--once"]);
    let text = of_recording(&recorded, &["sweep", "report", "2"]).expect(1).stdout().to_owned();
    assert!(text.contains("2 polls of `handover watch` from "), "{text}");
    let row = text.lines().find(|line| line.starts_with("| 2 | 2026-11-21 ")).expect("one row of two polls");
    assert!(row.contains("COMPLETED") && row.contains("RUNNING"), "{row}");
    assert!(text.contains(" | 200 tasks: ") && text.contains("cause cuda-oom, "), "{text}");
}
