use super::*;
use crate::cluster::ExitCode;

fn fixture(release: &str, file: &str) -> Accounting {
    let path = format!("{}/tests/fixtures/slurm/{release}/{file}", env!("CARGO_MANIFEST_DIR"));
    read_bytes(&std::fs::read(path).unwrap())
}

/// Our own form, written with `|` for the unit separator.
fn own(rows: &str) -> Accounting {
    let text = format!("{}\n{rows}", FIELDS.replace(',', "|"));
    read_bytes(text.replace('|', DELIMITER).as_bytes())
}

#[test]
fn our_own_form_is_read() {
    let read = own("8_3|11|alice|ai|FAILED|1:0|0:0|7|10|1795235376|1795235380|1795235387||gpu01|lr\n\
         8_3.batch|11.batch|||FAILED|1:0||7||1795235380|1795235380|1795235387|3.5M|gpu01|batch\n");
    assert_eq!(read.problems, []);
    let [attempt] = read.attempts() else { panic!("{read:?}") };
    assert_eq!(attempt.id, JobId::task(8, 3));
    assert_eq!((attempt.raw_id, attempt.state), (Some(11), State::Failed));
    assert_eq!(attempt.exit, Some(ExitCode { status: 1, signal: 0 }));
    assert_eq!((attempt.elapsed, attempt.limit), (Some(7), Some(600)));
    assert_eq!(read.moment(attempt.submitted).unwrap().unix(), 1_795_235_376);
    assert_eq!(read.text(attempt.name), "lr");
    assert_eq!((attempt.steps.count, attempt.steps.failed), (1, 1));
    assert_eq!(attempt.steps.max_rss.unwrap().0, 3_670_016);
}

#[test]
fn saved_files_of_two_releases_are_read_in_every_form() {
    for (release, array) in [("23.02.8", 1), ("26.05.3", 211)] {
        for file in ["sacct-all.psv", "sacct-duplicates.psv", "sacct-fixed-width.txt"] {
            let read = fixture(release, file);
            let said: Vec<&str> = read.problems.iter().map(|problem| problem.what.as_str()).collect();
            let tasks: Vec<&Attempt> =
                read.attempts().iter().filter(|attempt| attempt.id.base == array).collect();
            assert_eq!(tasks.len(), 40, "{release} {file} {said:?}");
            for task in tasks {
                let Part::Task(index) = task.id.part else { panic!("{task:?}") };
                let expected = match index % 10 {
                    3 | 7 => (State::Failed, "1:0"),
                    9 => (State::Failed, "0:9"),
                    _ => (State::Completed, "0:0"),
                };
                assert_eq!((task.state, task.exit.unwrap().to_string().as_str()), expected);
                assert_eq!(task.steps.count, 1);
                assert_eq!(read.text(task.name), "sweep_lr");
            }
            assert!(!said.iter().any(|what| what.contains("not understood")), "{release} {file} {said:?}");
        }
    }
}
