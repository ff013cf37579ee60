//! One sweep has one number of tasks, whoever counts them: the board, the watch,
//! the report, the documents.

use handover::sweep::{Kind, Members, plan::Purpose};
use handover::terms::Time;
use handover::verbs::sweep::records::{Done, Progress, Record};

use crate::support::planted::Recorded;

/// The recorded sweep, of which a plan has cancelled two tasks that waited:
/// Slurm keeps nothing of them.
fn cancelled() -> Recorded {
    let recorded = Recorded::new();
    let state = recorded.sandbox.root().join("cluster_state.txt");
    let text = std::fs::read_to_string(&state).unwrap();
    assert!(text.contains("2_[190-199%4]"));
    std::fs::write(&state, text.replace("2_[190-199%4]", "2_[190-193,195-198%4]")).unwrap();
    let line = Done {
        text: "scancel 2_194 2_199".to_owned(),
        tasks: Members("194,199".parse().unwrap()),
        purpose: Purpose::Cancel,
        why: String::new(),
        state: Progress::Done,
        code: Some(0),
        ids: Vec::new(),
        complaint: String::new(),
        word: None,
    };
    let record = Record {
        format: 1,
        hash: "0123456789ab".to_owned(),
        sweep: "2".to_owned(),
        name: "lrgrid".to_owned(),
        kind: Kind::Array,
        at: "2026-01-01T00:00:00Z".parse::<Time>().unwrap(),
        by: "ann@login1".to_owned(),
        lines: vec![line],
    };
    let folder = recorded.project.join(".git/handover/sweeps/plans");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("0123456789ab.json"), serde_json::to_vec(&record).unwrap()).unwrap();
    recorded
}

#[test]
fn what_a_plan_has_cancelled_counts_alike_wherever_the_sweep_is_told() {
    let recorded = cancelled();
    let state = recorded.sandbox.root().join("cluster_state.txt");
    let ask = |words: &[&str]| {
        let cluster = ["--cluster", state.to_str().unwrap()];
        let answer = recorded.sandbox.handover_in(&recorded.project, words.iter().chain(&cluster));
        let text = answer.stdout().to_owned();
        assert!(!text.is_empty(), "{words:?} {answer}");
        text
    };
    let board = ask(&["sweep", "2"]);
    assert!(board.contains("of 200 finished") && board.contains("2 CANCELLED"), "{board}");
    let over = board.split(" of 200 finished").next().unwrap().rsplit(' ').next().unwrap();
    let quick = ask(&["sweep", "2", "--quick"]);
    assert!(quick.contains(&format!("{over} of 200 finished")), "{quick}");
    let table = ask(&["sweep"]);
    assert!(table.contains(&format!("{over}/200")), "{table}");
    let watch = ask(&["watch", "2", "--once"]);
    assert!(watch.contains(&format!("{over} of 200 over")) && watch.contains("2 CANCELLED"), "{watch}");
    let report = ask(&["sweep", "report", "2"]);
    assert!(report.contains("of 200") && report.contains("194,199"), "{report}");
    let snapshot = ask(&["snapshot"]);
    assert!(snapshot.contains(&format!("{over} of 200 finished")), "{snapshot}");
    for words in [&["create"][..], &["draft", "--dry-run"], &["draft", "--dry-run", "--quick"]] {
        let text = ask(words);
        let text = match words[0] {
            "create" => {
                let key = text.lines().last().unwrap().to_owned();
                std::fs::read_to_string(recorded.project.join(format!("CLAUDE/{key}.md"))).unwrap()
            }
            _ => text,
        };
        assert!(text.contains(&format!("{over} of 200 finished")), "{words:?} {text}");
    }
    let resume = ask(&["resume"]);
    assert!(resume.contains(&format!("{over} of 200 finished")), "{resume}");
}
