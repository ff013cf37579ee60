use super::*;
use crate::cluster::ExitCode;

mod damage;

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
fn where_the_files_of_jobs_are_is_read_where_a_saved_text_has_it() {
    let files = |text: &str| {
        let read = read_bytes(text.as_bytes());
        let ids = read.attempts().iter().map(|attempt| attempt.id).collect();
        let found = crate::cluster::files_in(&read, &ids);
        let path =
            |path: Option<std::path::PathBuf>| path.map_or("-".to_owned(), |path| path.display().to_string());
        found
            .into_iter()
            .map(|job| format!("{} {} {}", job.id, path(job.work_dir), path(job.stdout)))
            .collect::<Vec<_>>()
    };
    let head = "JobID|JobIDRaw|User|State|Start|WorkDir|JobName\n";
    let rows = "8_3|11|ann|PREEMPTED|2026-11-21T03:00:00|/old|lr\n8_3|11|ann|FAILED|2026-11-21T04:00:00|/w|lr\n9|9|ann|FAILED||(null)|x\n";
    assert_eq!(
        files(&format!("{head}{rows}")),
        ["8_3 /w -"],
        "of the newest attempt, and none where it has none"
    );
    let head = "JobID|JobIDRaw|User|State|StdOut|SubmitLine|WorkDir|JobName\n";
    let rows = "8_3|11|ann|FAILED|logs/%A_%a.out|sbatch -o no x.sh|/w|lr\n9|9|ann|FAILED||sbatch --output=/s/%x-%j.out x.sh -o no|/w|lr\n";
    assert_eq!(files(&format!("{head}{rows}")), ["8_3 /w /w/logs/8_3.out", "9 /w /s/lr-9.out"]);
    // In columns of a fixed width a long path is cut, and a piece of it is no path.
    let fixed = "JobID             State    WorkDir    JobName\n------------ ---------- ---------- ----------\n\
                 8_3              FAILED /home/ann+         lr\n9                FAILED         /w         lr\n";
    assert_eq!(files(fixed), ["9 /w -"]);
    // What is stored and read back has them.
    let read = read_bytes(format!("{head}{rows}").as_bytes());
    let back: Accounting = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
    assert_eq!(back, read);
    assert_eq!(back.text(back.attempts()[0].places.stdout), "logs/%A_%a.out");
}

#[test]
fn no_field_is_asked_for_that_a_release_lacks_and_one_that_is_lacking_is_left_out() {
    let path = format!("{}/tests/fixtures/slurm/22.05/sacct-helpformat.txt", env!("CARGO_MANIFEST_DIR"));
    let help = std::fs::read_to_string(path).unwrap();
    let known: Vec<&str> = help.split_whitespace().collect();
    let missing: Vec<&str> = FIELDS.split(',').filter(|field| !known.contains(field)).collect();
    assert_eq!(missing, [""; 0]);
    let complaint = "sacct: error: Invalid field requested: \"DerivedExitCode\"";
    let fewer = without_unknown(FIELDS, complaint).unwrap();
    assert_eq!(fewer, FIELDS.replace("DerivedExitCode,", ""));
    assert_eq!(without_unknown(&fewer, complaint), None, "it was left out already");
    assert_eq!(without_unknown(FIELDS, "Invalid field requested: \"JobID\""), None);
    assert_eq!(without_unknown(FIELDS, "Slurm accounting storage is disabled"), None);
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

/// What was said to be the matter.
fn said(read: &Accounting) -> Vec<&str> {
    read.problems.iter().map(|problem| problem.what.as_str()).collect()
}

fn names(read: &Accounting) -> Vec<&str> {
    read.attempts().iter().map(|attempt| read.text(attempt.name)).collect()
}

fn states(read: &Accounting) -> Vec<State> {
    read.attempts().iter().map(|attempt| attempt.state).collect()
}

#[test]
fn fields_may_come_in_any_order_with_any_separator() {
    let rows = [
        ["JobName", "Comment", "State", "JobIDRaw", "ExitCode", "JobID", "Elapsed", "MaxRSS"],
        ["lr", "", "FAILED", "11", "2:0", "8_3", "1-00:00:05", ""],
        ["batch", "", "FAILED", "11.batch", "2:0", "8_3.batch", "1-00:00:05", "1024K"],
    ];
    let mut answers = Vec::new();
    for delimiter in ["|", "|#", ";", "\x1f", ",", "\t", "\x1f\x1e"] {
        let lines: Vec<String> = rows.iter().map(|row| row.join(delimiter)).collect();
        // `-p` ends each row with a separator, `-P` does not.
        for end in ["", delimiter] {
            let text: String = lines.iter().map(|line| format!("{line}{end}\r\n")).collect();
            let read = read_bytes(text.as_bytes());
            let [attempt] = read.attempts() else { panic!("{delimiter:?}: {read:?}") };
            assert_eq!((attempt.id, attempt.elapsed), (JobId::task(8, 3), Some(86_405)));
            assert_eq!(attempt.steps.max_rss.unwrap().0, 1 << 20);
            assert_eq!(said(&read), ["not in this text: Submit, Start"]);
            answers.push(read);
        }
    }
    assert!(answers.iter().all(|read| *read == answers[0]));
}

#[test]
fn every_kind_of_row_is_known() {
    let read = read_bytes(
        b"JobID|JobIDRaw|State|ExitCode|Elapsed|Submit|Start|JobName\n\
          123|123|COMPLETED|0:0|00:00:01|1000000|1000001|one\n\
          123.batch|123.batch|COMPLETED|0:0|00:00:01|1000001|1000001|batch\n\
          123.extern|123.extern|COMPLETED|0:0|00:00:01|1000001|1000001|extern\n\
          123.interactive|123.interactive|COMPLETED|0:0|00:00:01|1000001|1000001|interactive\n\
          123.0|123.0|COMPLETED|0:0|00:00:01|1000001|1000001|python\n\
          124_4|130|RUNNING|0:0|00:00:01|1000000|1000001|arr\n\
          124_[5-10%2]|124|PENDING|0:0|00:00:00|1000000|Unknown|arr\n\
          125_[1-99:2]|125|PENDING|0:0|00:00:00|1000000|None|stepped\n\
          126_[1,3,5,7,9,11,13,...]|126|PENDING|0:0|00:00:00|1000000|N/A|cut\n\
          127+0|127|COMPLETED|0:0|00:00:01|1000000|1000001|het\n\
          127+0.batch|127.batch|COMPLETED|0:0|00:00:01|1000001|1000001|batch\n\
          127+1|128|FAILED|1:0|00:00:01|1000000|1000001|het\n\
          127+1.0|128.0|FAILED|1:0|00:00:01|1000001|1000001|python\n",
    );
    let ids: Vec<String> = read.attempts().iter().map(|attempt| attempt.id.to_string()).collect();
    assert_eq!(ids, ["123", "124_4", "127+0", "127+1"]);
    assert_eq!(read.attempts().iter().map(|a| a.steps.count).collect::<Vec<_>>(), [4, 0, 1, 1]);
    let waiting: Vec<_> = read
        .waiting
        .iter()
        .map(|rest| (rest.base, rest.tasks.as_ref().map(|tasks| tasks.len()), rest.throttle))
        .collect();
    assert_eq!(waiting, [(124, Some(6), Some(2)), (125, Some(50), None), (126, None, None)]);
    assert_eq!(said(&read), ["1 row: the list of waiting tasks is cut, so that their count is unknown"]);
}

#[test]
fn states_are_read_with_uid_and_cut() {
    let read = read_bytes(
        b"JobID|State|JobName\n1|CANCELLED by 1000|a\n2|CANCELLED+|b\n3|OUT_OF_ME+|c\n4|COMPLET+|d\n5|NODE_FAIL|e\n",
    );
    use State::{Cancelled, NodeFail, OutOfMemory, Unknown};
    assert_eq!(states(&read), [Cancelled, Cancelled, OutOfMemory, Unknown, NodeFail]);
    assert_eq!(read.attempts()[0].cancelled_by, Some(1000));
}

#[test]
fn every_attempt_of_a_requeued_job_is_kept_and_the_newest_known() {
    let read = fixture("22.05", "sacct-duplicates.psv");
    let attempts: Vec<&Attempt> =
        read.attempts().iter().filter(|attempt| read.text(attempt.name) == "preemptme").collect();
    assert_eq!(attempts.iter().map(|a| a.state).collect::<Vec<_>>(), [State::Preempted, State::Running]);
    assert!(attempts[1].is_newer_than(attempts[0]));
    assert_eq!(attempts.iter().map(|a| a.steps.count).collect::<Vec<_>>(), [1, 1]);

    // One that waits again has no start, and is the newest all the same.
    let read = own("3|3|ann|ai|PENDING|0:0|0:0|0|600|1000020|Unknown|Unknown||None assigned|a\n\
         3|3|ann|ai|NODE_FAIL|0:0|0:0|9|600|1000020|1000030|1000040||gpu01|a\n");
    let [waits, ran] = read.attempts() else { panic!("{read:?}") };
    assert!(waits.is_newer_than(ran));
    assert_eq!(read.text(waits.node_list), "");
}

#[test]
fn success_over_a_failed_step_is_kept_as_what_it_is() {
    for release in ["22.05", "23.02.8", "26.05.3"] {
        for file in ["sacct-all.psv", "sacct-duplicates.psv", "sacct-fixed-width.txt"] {
            let read = fixture(release, file);
            let attempt = read
                .attempts()
                .iter()
                .find(|a| read.text(a.name) == "srunfail" || read.text(a.name) == "stepfail");
            let attempt = attempt.unwrap_or_else(|| panic!("{release} {file} {:?}", names(&read)));
            assert_eq!((attempt.state, attempt.exit), (State::Completed, Some(ExitCode::default())));
            assert!(attempt.completed_over_failed_steps(), "{release} {file}");
            assert_eq!((attempt.steps.count, attempt.steps.failed), (2, 1));
            let worst = attempt.steps.worst.unwrap();
            assert_eq!((worst.state, worst.exit.to_string().as_str()), (State::Failed, "1:0"));
        }
    }
}

#[test]
fn a_memory_kill_may_sit_on_a_step_alone() {
    let read = own("7|7|ann|ai|FAILED|1:0|0:125|9|600|1000000|1000010|1000020||gpu01|a\n\
         7.batch|7.batch|||FAILED|1:0||9||1000010|1000010|1000020|1.50G|gpu01|batch\n\
         7.extern|7.extern|||COMPLETED|0:0||9||1000010|1000010|1000020|0|gpu01|extern\n\
         7.0|7.0|||OUT_OF_MEMORY|0:125||9||1000010|1000010|1000020|2.25M|gpu01|python\n\
         8|8|ann|ai|FAILED|0:125|0:125|9|600|1000000|1000010|1000020||gpu01|b\n\
         8.0|8.0|||CANCELLED|0:125||9||1000010|1000010|1000020||gpu01|python\n");
    let steps: Vec<Steps> = read.attempts().iter().map(|attempt| attempt.steps).collect();
    assert!(steps[0].out_of_memory && steps[1].out_of_memory);
    assert_eq!(steps[0].worst.unwrap().state, State::OutOfMemory, "worse than the batch step's FAILED");
    assert_eq!(steps[0].max_rss.unwrap().0, 1_610_612_736, "the largest");
}

#[test]
fn a_time_out_has_a_cancelled_batch_step() {
    for release in ["22.05", "23.02.8", "26.05.3"] {
        let read = fixture(release, "sacct-duplicates.psv");
        let attempt = read.attempts().iter().find(|a| a.state == State::Timeout).unwrap();
        let worst = attempt.steps.worst.unwrap();
        assert_eq!((worst.state, worst.exit.to_string().as_str()), (State::Cancelled, "0:15"));
        assert_eq!(attempt.limit, Some(60));
        assert!(attempt.elapsed.unwrap() >= 60);
    }
}

#[test]
fn exit_codes_are_kept_as_the_release_prints_them() {
    for (release, printed) in [("22.05", "9:0"), ("23.02.8", "9:0"), ("26.05.3", "137:0")] {
        for file in ["sacct-all.psv", "sacct-duplicates.psv", "sacct-fixed-width.txt"] {
            let read = fixture(release, file);
            let codes: Vec<String> = read
                .attempts()
                .iter()
                .filter(|attempt| attempt.state == State::Failed)
                .filter_map(|attempt| attempt.exit.map(|exit| exit.to_string()))
                .collect();
            assert!(codes.iter().any(|code| code == printed), "{release} {file} {codes:?}");
        }
    }
}

#[test]
fn times_say_whether_they_have_a_zone() {
    let times = |times: &str| {
        let read = read_bytes(format!("JobID|State|Submit|Start|JobName\n1|FAILED|{times}|a\n").as_bytes());
        let attempt = read.attempts()[0];
        let text = |stamp| read.moment(stamp).map(|moment| moment.to_string());
        (text(attempt.submitted), text(attempt.started), read.zone_unknown, said(&read).join("; "))
    };
    let known = Some("2026-11-21T03:41:07Z".to_owned());
    let nothing_else = "not in this text: ExitCode, Elapsed";
    assert_eq!(times("1795232467|Unknown"), (known.clone(), None, false, nothing_else.into()));
    assert_eq!(times("2026-11-21T04:41:07+0100|None"), (known.clone(), None, false, nothing_else.into()));
    assert_eq!(times("2026-11-21T04:41:07+01:00|N/A"), (known.clone(), None, false, nothing_else.into()));
    let (submitted, _, zone_unknown, said) = times("2026-11-21T04:41:07|Unknown");
    assert_eq!((submitted, zone_unknown), (None, true), "a wall clock tells no moment");
    assert!(said.contains("its zone is not known"), "{said}");
    let (submitted, _, _, said) = times("21 Nov 04:41|Di 4:41");
    assert_eq!(submitted, None);
    assert!(said.contains("1 row: a time in a form") || said.contains("2 rows: a time in a form"), "{said}");
    let (.., said) = times("1795232467|2026-11-21T04:41:07");
    assert!(said.contains("mixed"), "{said}");
}

#[test]
fn limits_and_run_times_come_in_words_days_and_fractions() {
    let read = read_bytes(
        b"JobID|State|Elapsed|Timelimit|JobName\n\
          1|TIMEOUT|2-03:04:05|3-00:00:00|a\n2|FAILED|00:01.500|UNLIMITED|b\n\
          3|FAILED|INVALID|Partition_Limit|c\n4|FAILED||365-00:00:00|d\n",
    );
    let spans: Vec<_> = read.attempts().iter().map(|a| (a.elapsed, a.limit)).collect();
    assert_eq!(
        spans,
        [(Some(183_845), Some(259_200)), (Some(1), None), (None, None), (None, Some(31_536_000))]
    );
    let raw = read_bytes(b"JobID|State|ElapsedRaw|TimelimitRaw|JobName\n1|FAILED|7|90|a\n");
    assert_eq!((raw.attempts()[0].elapsed, raw.attempts()[0].limit), (Some(7), Some(5400)));
}

#[test]
fn fixed_columns_are_read_by_their_dashes_and_cuts_are_kept_in_mind() {
    let read = read_bytes(
        "       JobID    JobName  Partition      State ExitCode \n\
         ------------ ---------- ---------- ---------- -------- \n\
         1            we|ird `n+         ai CANCELLED+      0:0 \n\
         1.batch           batch            CANCELLED     0:15 \n\
         \x20          2 \u{fc}n\u{ef}-\u{540d}\u{524d}         ai  COMPLETED      0:0 \n\
         1234567_[1-+        arr         ai    PENDING      0:0 \n\
         123456_1234+        arr         ai     FAILED      1:0 \n\
         no row at all\n"
            .as_bytes(),
    );
    // sacct counts bytes: the name has twelve of them here, and pushes the rest along.
    assert_eq!(read.attempts().len(), 1, "{read:#?}");
    assert_eq!((names(&read), read.attempts()[0].name_cut), (vec!["we|ird `n"], true));
    assert_eq!(states(&read), [State::Cancelled]);
    assert_eq!(read.waiting.len(), 1);
    assert_eq!(read.waiting[0].tasks, None);
    let said = said(&read).join("; ");
    assert!(said.contains("1 row: the job id is cut"), "{said}");
    assert!(said.contains("2 lines not understood"), "{said}");
    assert!(said.contains("not in this text: Submit, Start, Elapsed"), "{said}");
}

#[test]
fn names_that_are_not_ascii_keep_their_columns() {
    for release in ["22.05", "23.02.8", "26.05.3"] {
        let read = fixture(release, "sacct-fixed-width.txt");
        assert!(names(&read).iter().any(|name| name.starts_with("\u{fc}n\u{ef}")), "{:?}", names(&read));
    }
    // Columns that count characters instead of bytes.
    let read = read_bytes(
        "JobID   JobName State      ExitCode\n----- --------- ---------- --------\n1     \u{fc}n\u{ef}-\u{540d}\u{524d}    FAILED     1:0\n"
            .as_bytes(),
    );
    assert_eq!((names(&read), states(&read)), (vec!["\u{fc}n\u{ef}-\u{540d}\u{524d}"], vec![State::Failed]));
}

#[test]
fn steps_that_stand_apart_from_their_job_find_it() {
    let read = read_bytes(
        b"JobID|State|ExitCode|Elapsed|Submit|Start|JobName\n\
          1|COMPLETED|0:0|00:00:01|1000000|1000001|a\n\
          2|COMPLETED|0:0|00:00:01|1000000|1000001|b\n\
          1.batch|COMPLETED|0:0|00:00:01|1000000|1000001|batch\n\
          9.batch|COMPLETED|0:0|00:00:01|1000000|1000001|batch\n",
    );
    assert_eq!(read.attempts()[0].steps.count, 1);
    assert_eq!(said(&read), ["1 row: a step of a job that is not in the text"]);
}

#[test]
fn an_accounting_survives_its_json() {
    for file in ["sacct-all.psv", "sacct-duplicates.psv", "sacct-fixed-width.txt"] {
        let read = fixture("22.05", file);
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Accounting>(&json).unwrap(), read);
        assert_eq!(serde_json::from_reader::<_, Accounting>(json.as_bytes()).unwrap(), read);
    }
}
