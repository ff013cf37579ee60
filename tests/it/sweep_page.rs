//! `handover sweep report --page`: the page of all sweeps that are live.

use crate::support::planted::Recorded;
use crate::sweep_plan::of_recording;

#[test]
fn the_page_tells_of_every_live_sweep_and_is_rewritten_only_when_something_changed() {
    let recorded = Recorded::new();
    recorded.sandbox.set_now("2026-11-22T12:00:00Z");
    let file = recorded.project.join("ACTIVE_SWEEPS.md");
    std::fs::write(&file, "# My own notes\n").unwrap();
    let call = |words: &[&str], code: i32| {
        of_recording(&recorded, &[&["sweep", "report", "--page"], words].concat()).expect(code)
    };
    assert_eq!(call(&[], 0).stdout(), "1 live sweep: ACTIVE_SWEEPS.md written\n");
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.ends_with("\n# My own notes\n"), "{page}");
    for part in ["Running sweeps", "Jobs", "Sources", "Discrepancies", "Preemptions"] {
        assert!(page.contains(&format!("\n## {part}\n")), "{page}");
    }
    let count = |states: &[&str]| {
        recorded.truth.0.iter().filter(|task| states.contains(&task["state"].as_str())).count()
    };
    let (run, wait) = (count(&["RUNNING"]), count(&["PENDING"]));
    let failed = 200 - count(&["COMPLETED"]) - run - wait;
    let row = format!("| `2` | `lrgrid` | {}/200 | {failed} | {run} | {wait} | systemic |", 200 - run - wait);
    assert!(page.contains(&row), "{row}: {page}");
    let planted = recorded.truth.0.iter().filter(|task| task["fate"].starts_with("preempted")).count();
    let preempted = page.lines().filter(|line| line.contains("| PREEMPTED |")).count();
    assert_eq!(preempted, planted, "{page}");
    recorded.sandbox.advance("1h");
    let same = call(&[], 0);
    assert!(same.stdout().contains("no material change since"), "{same:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), page);
    std::fs::write(&file, page.replace("## Jobs", "## Jobs (ask Ann)")).unwrap();
    let refused = call(&[], 5);
    assert!(refused.stderr().contains("somebody has changed it"), "{refused:?}");
    let _ = call(&["--replace-edits"], 0);
    let again = std::fs::read_to_string(&file).unwrap().replace("13:00", "12:00");
    assert_eq!(again.lines().skip(1).collect::<Vec<_>>(), page.lines().skip(1).collect::<Vec<_>>());
}

#[test]
fn the_page_never_leads_out_of_the_worktree() {
    let recorded = Recorded::new();
    let settings = recorded.project.join(".handover.yaml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::os::unix::fs::symlink("..", recorded.project.join("up")).unwrap();
    let outside = recorded.sandbox.root().join("page.md");
    for page in ["../page.md", outside.to_str().unwrap(), "up/page.md", ".git/page.md", "''"] {
        std::fs::write(&settings, format!("{text}  page: {page}\n")).unwrap();
        let refused = of_recording(&recorded, &["sweep", "report", "--page"]).expect(5);
        assert!(refused.stderr().contains("will not write"), "{page}: {refused:?}");
    }
    assert!(!outside.exists());
    std::fs::write(&settings, format!("{text}  page: no/such/page.md\n")).unwrap();
    let absent = of_recording(&recorded, &["sweep", "report", "--page"]).expect(4);
    let folder = recorded.project.join("no/such");
    assert!(absent.stderr().contains(&format!("hint: mkdir -p {}", folder.display())), "{absent:?}");
    let output =
        of_recording(&recorded, &["sweep", "report", "2", "--output", "no/such/report.md"]).expect(4);
    assert!(output.stderr().contains("hint: mkdir -p "), "{output:?}");
    assert!(!folder.exists());
}
