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
    assert!(text.contains(&format!("| missing-module | 10 | 5.4 % | scattered | `{modules}` |")), "{text}");
    assert!(text.contains("tracker: 31 runs of lrgrid, sweep `q1w2e3r4`"), "{text}");
    assert!(
        text.contains("`logs/lrgrid_2_11.out:13`: `ModuleNotFoundError: No module named 'lion_pytorch'`")
    );
    assert!(text.contains("Nobody has intervened from this repository"), "{text}");
    let data = of_recording(&recorded, &["sweep", "report", "2", "--json"]).expect(1).data();
    let files = data["runbook"]["files"].as_array().unwrap();
    let count = |what: &str| files.iter().find(|files| files["what"] == what).unwrap()["count"].as_u64();
    assert_eq!((count("log"), count("tracker run")), (Some(96), Some(31)));
    let over = ["COMPLETED", "RUNNING", "PENDING"];
    let can_go_on = recorded.truth.lists(|task| {
        (!over.contains(&task["state"].as_str()) && task["best"] != "-").then(|| "all".to_owned())
    });
    assert_eq!(data["completion"]["checkpoints"]["ended_with"], can_go_on["all"]);
}

#[test]
fn a_report_that_would_say_the_same_says_since_when() {
    let recorded = Recorded::new();
    let call = |words: &[&str]| of_recording(&recorded, words).expect(1).stdout().to_owned();
    let first = call(&["sweep", "report", "2"]);
    assert!(!first.contains("no material change"), "{first}");
    recorded.sandbox.advance("3h");
    let second = call(&["sweep", "report", "2"]);
    insta::assert_snapshot!(second, @r"
    # Sweep report: `lrgrid`, array 2

    2026-11-21 15:38 UTC: health **systemic**, decision **intervene**

    *no material change since 2026-11-21 12:38 UTC*

    The eight parts again: `handover sweep report 2 --whole`
    ");
    recorded.sandbox.advance("3h");
    let whole = call(&["sweep", "report", "2", "--whole"]);
    assert!(whole.contains("*no material change since 2026-11-21 12:38 UTC*"), "{whole}");
    assert!(PARTS.iter().all(|part| whole.contains(part)), "{whole}");
    // A log that names another cause is a change.
    let log = recorded.project.join("logs/lrgrid_2_11.out");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, text.replace("ModuleNotFoundError: No module named", "KeyError:")).unwrap();
    let changed = call(&["sweep", "report", "2"]);
    assert!(changed.contains(PARTS[7]) && !changed.contains("no material change"), "{changed}");
}
