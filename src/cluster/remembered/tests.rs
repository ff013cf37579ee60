use std::path::Path;

use super::*;

fn path(job: &Job) -> (String, String) {
    let text = |path: &Option<PathBuf>| path.as_deref().and_then(Path::to_str).unwrap_or("").to_owned();
    (text(&job.stdout), text(&job.stderr))
}

#[test]
fn records_of_slurmctld_name_files_nodes_and_the_whole_exit_status() {
    let text = "JobId=11 ArrayJobId=5 ArrayTaskId=4 JobName=lo gs StdOut=/evil UserId=ann(1000) GroupId=g(1) JobState=FAILED Reason=NonZeroExitCode Restarts=1 ExitCode=137:0 ExcNodeList=(null) NodeList=gpu01 BatchHost=gpu01 Command=/w/e.sh WorkDir=/w with blank Comment=x WorkDir=/evil StdErr=/w/err.11 StdIn=/dev/null StdOut=/w/lo gs-5_4-%N.out Power= \n\
        JobId=5 ArrayJobId=5 ArrayTaskId=6-9%2 ArrayTaskThrottle=2 JobName=a UserId=ann(1000) JobState=PENDING StdOut=/w/slurm-5_4294967294.out Power= \n\
        JobId=7 JobName=two\nlines UserId=ann(1000) JobState=RUNNING Reason=None ExitCode=0:0 NodeList=(null) WorkDir=/w StdErr=/w/slurm-7.out StdOut=/w/slurm-7.out Power= \n\
        JobId=20 HetJobId=19 HetJobOffset=1 HetJobIdSet=19-20 JobName=h UserId=ann(1000) JobState=RUNNING WorkDir=/w StdOut=/w/o\n\
        JobId=x JobName= UserId=\nJobId=9";
    let files = records(text.as_bytes());
    let ids: Vec<String> = files.iter().map(|files| files.job.id.to_string()).collect();
    assert_eq!(ids, ["5_4", "7", "19+1"]);
    let task = &files[0];
    assert_eq!((task.job.raw_id, task.exit.unwrap().status), (Some(11), 137));
    assert_eq!((task.job.user.as_str(), task.job.node_list.as_str()), ("ann", "gpu01"));
    assert_eq!(path(&task.job), ("/w/lo gs-5_4-%N.out".to_owned(), "/w/err.11".to_owned()));
    assert_eq!(task.job.restarts, Some(1));
    assert_eq!(files[1].job.name, "two\nlines");
    assert_eq!((files[1].job.node_list.as_str(), files[1].job.state), ("", State::Running));
}

#[test]
fn the_recording_of_a_real_slurm_is_read() {
    // `-o` prints what the other form has in one line.
    let file = format!("{}/tests/fixtures/slurm/22.05/scontrol-jobs.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).unwrap();
    let joined: Vec<String> = text
        .split("\n\n")
        .map(|record| record.lines().map(str::trim).collect::<Vec<_>>().join(" "))
        .collect();
    let files = records(joined.join("\n").as_bytes());
    let task = files.iter().find(|files| files.job.id == JobId::task(5, 9)).unwrap();
    let out = path(&task.job).0;
    assert!(out.ends_with("slurm-5_9.out"), "{out}");
    let killed = files.iter().find(|files| files.job.name == "exit137").unwrap();
    assert_eq!(killed.exit.unwrap().to_string(), "137:0", "sacct of this release says 9:0");
}

#[test]
fn rows_of_accounting_name_files_by_field_or_by_the_command_line() {
    let old = "JobID,JobIDRaw,User,State,NodeList,WorkDir,SubmitLine,JobName";
    let rows_of = |fields: &str, text: &str| {
        let text = format!("{}\n{text}", fields.replace(',', "|")).replace('|', "\u{1f}");
        rows(text.as_bytes(), fields)
    };
    let read = rows_of(
        old,
        "5_3|10|ann|FAILED|gpu01|/w|sbatch -J logs -o logs/%x-%A_%a-%N.out --error=err.%j e.sh|lo\ngs\n\
         6_1|12|ann|COMPLETED|gpu02|/w|sbatch e.sh|dflt\n\
         6_[2-9]|6|ann|CANCELLED by 7|None assigned|/w|sbatch e.sh|dflt\nhalf\n",
    );
    assert_eq!(read.len(), 2, "{read:#?}");
    assert_eq!(path(&read[0].job).0, "/w/logs/lo\ngs-5_3-%N.out");
    assert_eq!(path(&read[0].job).1, "/w/err.10");
    assert_eq!((path(&read[1].job).0.as_str(), read[1].job.work_dir.as_deref()), ("", Some(Path::new("/w"))));
    let new = rows_of(FIELDS, "5_3|10|ann|FAILED|gpu01|out/%A_%a|/abs/%j|/w|sbatch -o other e.sh|lr\n");
    assert_eq!(path(&new[0].job), ("/w/out/5_3".to_owned(), "/abs/10".to_owned()));
}

#[test]
fn the_last_of_several_options_counts() {
    for (line, path) in [
        ("sbatch -o a --output b x.sh", Some("b")),
        ("sbatch --output=a x.sh", Some("a")),
        ("sbatch -oa x.sh", Some("a")),
        ("sbatch --parsable --array=1-3 -J lr x.sh --output runs/lr -o here", None),
        ("sbatch --hold -J lr --output=a%j x.sh --output runs/lr", Some("a%j")),
        ("sbatch x.sh", None),
        ("sbatch --output", None),
        ("", None),
    ] {
        assert_eq!(option_of(line, 'o', "output").as_deref(), path.map(Path::new), "{line}");
    }
}

use proptest::prelude::*;

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        text in "(JobId=|1|2| |JobName=|UserId=|ArrayJobId=|ArrayTaskId=|StdOut=|WorkDir=|\n|=|/|%|é|\u{1f}){0,40}",
    ) {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            records(bytes);
            rows(bytes, FIELDS);
            let mut started = b"JobId=1 JobName=x UserId=a(1) ".to_vec();
            started.extend_from_slice(bytes);
            records(&started);
        }
    }
}
