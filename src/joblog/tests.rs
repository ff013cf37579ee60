//! Whole logs, read with the built-in table.

mod again;
mod explained;

use super::*;

fn reader() -> Reader<'static> {
    Reader::new(Table::builtin())
}

fn read(text: &str) -> Reading {
    reader().worker().read_bytes(text.as_bytes(), Extent::Full, None)
}

/// Class and line of the root.
fn root(text: &str) -> Option<(String, u64)> {
    let reading = read(text);
    reading.root.map(|root| (root.class, root.line.unwrap_or(0)))
}

#[track_caller]
fn is(text: &str, class: &str, line: u64) {
    assert_eq!(root(text), Some((class.to_owned(), line)), "{text}\n{:#?}", read(text).others);
}

#[test]
fn the_earliest_root_of_the_newest_attempt_is_the_cause() {
    is(
        "Starting\nTraceback (most recent call last):\n  File \"/h/train.py\", line 3, in main\n    f()\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\nsrun: error: n1: task 0: Exited with exit code 1\n",
        "cuda-oom",
        5,
    );
    is(
        "epoch 1\nslurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO TIME LIMIT ***\n",
        "time-limit",
        2,
    );
    // Glued to a progress bar.
    is(
        "\r 45%|████ | 45/100 [00:10<00:12, 4.2it/s]\r 46%|████ | 46/100 [00:10<00:12, 4.2it/s]slurmstepd: error: *** STEP 12.0 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO TIME LIMIT ***\n",
        "time-limit",
        1,
    );
}

#[test]
fn a_requeued_job_is_judged_by_its_last_attempt() {
    let first = "Starting run on node n1\nstep 10 loss 3.0\nKeyError: 'x'\nslurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO PREEMPTION ***\n";
    let healthy = format!("{first}Starting run on node n7\nstep 10 loss 3.0\nstep 20 loss 2.9\n");
    let reading = read(&healthy);
    assert_eq!(reading.root, None, "{reading:#?}");
    assert_eq!(reading.attempts.len(), 2);
    assert_eq!(reading.attempts[1].job, Some(12));
    assert!(reading.others.iter().any(|other| other.class == "preempted" && other.attempt == 0));
    let failed = format!("{healthy}RuntimeError: No space left on device\n");
    let reading = read(&failed);
    let root = reading.root.unwrap();
    assert_eq!((root.class.as_str(), root.attempt), ("disk-full", 1));
    // Put back into the queue, and not begun again: that is how it ended.
    let requeued = first.replace("KeyError: 'x'\n", "").replace("PREEMPTION", "JOB REQUEUE");
    assert_eq!(read(&requeued).root.map(|root| root.class), Some("requeued".to_owned()));
    assert_eq!(read(&format!("{requeued}Starting run on node n7\nstep 10 loss 3.0\n")).root, None);
    // What is said on the way out is no new attempt.
    let dying = format!(
        "{first}srun: error: n1: task 0: Terminated\nslurmstepd: error: *** STEP 12.0 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO PREEMPTION ***\n"
    );
    assert_eq!(read(&dying).attempts.len(), 1);
}

#[test]
fn a_file_with_two_jobs_is_read_for_the_one_that_is_wanted() {
    let text = "SLURM_JOB_ID=100\nModuleNotFoundError: No module named 'foo'\nSLURM_JOB_ID=200\nstep 1 loss 2\nslurmstepd: error: Detected 1 oom_kill event in StepId=200.batch. Some of the step tasks have been OOM Killed.\nslurmstepd: error: *** JOB 100 ON n1 CANCELLED AT 2026-11-21T10:00:00 ***\n";
    let of = |raw| {
        let job = Identity { base: raw, ..Identity::default() };
        reader().worker().read_bytes(text.as_bytes(), Extent::Full, Some(&job)).root.map(|root| root.class)
    };
    assert_eq!(of(100).as_deref(), Some("missing-module"));
    assert_eq!(of(200).as_deref(), Some("host-oom"));
    assert_eq!(of(300), None);
}

#[test]
fn consequences_are_no_cause_unless_there_is_nothing_else() {
    is(
        "[rank1]:[E ProcessGroupNCCL.cpp:607] [Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7, OpType=ALLREDUCE, NumelIn=1) ran for 600000 milliseconds before timing out.\n[rank0]: Traceback (most recent call last):\n[rank0]:   File \"/h/train.py\", line 3, in main\n[rank0]: AssertionError: bad batch\n",
        "code",
        4,
    );
    let alone = "[rank1]:[E ProcessGroupNCCL.cpp:607] [Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7, OpType=ALLREDUCE, NumelIn=1) ran for 600000 milliseconds before timing out.\n";
    is(alone, "nccl-timeout", 1);
    assert_eq!(
        root("/var/spool/slurm/job7/slurm_script: line 12:  4711 Killed                  python train.py\n"),
        None
    );
}

#[test]
fn advice_and_what_was_survived_are_no_failures() {
    assert_eq!(root("For debugging consider passing CUDA_LAUNCH_BLOCKING=1.\n"), None);
    let steps =
        |from: u32| (from..from + 12).map(|step| format!("step {step} loss 2.0\n")).collect::<String>();
    let survived = format!(
        "{}Traceback (most recent call last):\n  File \"/h/eval.py\", line 3, in sample\nValueError: no sample\n{}",
        steps(1),
        steps(13)
    );
    let reading = read(&survived);
    assert_eq!(reading.root, None);
    assert!(reading.others[0].survived && reading.others[0].role == Role::Warning);
    is(
        &format!(
            "{survived}slurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO TIME LIMIT ***\n"
        ),
        "time-limit",
        28,
    );
    assert_eq!(
        root(
            "Exception ignored in: <function D.__del__ at 0x7f>\nTraceback (most recent call last):\n  File \"/h/d.py\", line 1, in __del__\nAttributeError: 'D' object has no attribute 'x'\n"
        ),
        None
    );
    assert_eq!(root("2026-11-21 WARNING cache: Permission denied, falling back to memory\n"), None);
}

#[test]
fn an_uncaught_exception_is_a_better_cause_than_the_time_limit_that_ended_the_hang() {
    is(
        "Traceback (most recent call last):\n  File \"/h/data.py\", line 3, in load\nFileNotFoundError: [Errno 2] No such file or directory: '/data/x'\nslurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO TIME LIMIT ***\n",
        "missing-path",
        3,
    );
    // After Slurm has spoken, exceptions are how Python ends.
    is(
        "slurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO TIME LIMIT ***\nTraceback (most recent call last):\n  File \"/h/train.py\", line 3, in main\nRuntimeError: DataLoader stopped\n",
        "time-limit",
        1,
    );
}

#[test]
fn tasks_that_failed_alike_have_one_fingerprint() {
    let log = |task: u32, value: &str| {
        read(&format!("task {task}\nTraceback (most recent call last):\n  File \"/scratch/u{task}/proj/train.py\", line {task}, in step\n    x()\n  File \"/opt/lib/python3.11/site-packages/t/x.py\", line 9, in x\nmy.Failure: batch {task} of /data/{task}.bin is {value}\n"))
            .root
            .unwrap()
    };
    let (one, other, third) = (log(3, "odd"), log(1411, "odd"), log(3, "even"));
    assert_eq!(one.fingerprint, other.fingerprint);
    assert_ne!(one.fingerprint, third.fingerprint);
    assert_eq!((one.exception.as_deref(), one.frame.as_deref()), (Some("Failure"), Some("train.py:step")));
    assert_eq!(one.class, "exception");
}

#[test]
fn escapes_and_bytes_that_are_no_text_hide_nothing() {
    let mut bytes = b"\xff\xfe\x00 garbage \x1b[31m\n".to_vec();
    bytes.extend_from_slice(b"\x1b[1;31mtorch.OutOfMemoryError\x1b[0m: \x1b[1mCUDA out of memory. Tried to allocate 1 GiB\x1b[0m\n");
    let reading = reader().worker().read_bytes(&bytes, Extent::Full, None);
    let root = reading.root.unwrap();
    assert_eq!((root.class.as_str(), root.line), ("cuda-oom", Some(2)));
    assert!(
        bytes[root.offset as usize..].starts_with(b"torch.OutOf")
            || bytes[root.offset as usize..].starts_with(b"CUDA out"),
        "{root:?}"
    );
}

#[test]
fn a_line_without_end_is_searched_to_its_end() {
    let mut text = vec![b'x'; 3 << 20];
    let at = text.len() - 1_500_000;
    text.splice(at..at, b" slurmstepd: error: Detected 1 oom_kill event in StepId=5.batch. ".iter().copied());
    let reading = reader().worker().read_bytes(&text, Extent::Full, None);
    let root = reading.root.unwrap();
    assert_eq!((root.class.as_str(), root.line, root.count), ("host-oom", Some(1), 1));
    assert!(root.text.chars().count() <= 400);
    assert_eq!(root.job, Some(5));
}

#[test]
fn triage_says_what_it_did_not_read() {
    let mut text = "ModuleNotFoundError: No module named 'a'\n".to_owned();
    text.push_str(&"nothing to see here\n".repeat(200_000));
    let at_tail = "slurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-21T10:00:00 ***\n";
    text.push_str(at_tail);
    for extent in [Extent::Triage, Extent::Glance, Extent::Full] {
        let reading = reader().worker().read_bytes(text.as_bytes(), extent, None);
        let root = reading.root.clone().unwrap();
        assert_eq!((root.class.as_str(), root.line), ("missing-module", Some(1)), "{extent:?}");
        let cancelled = reading.others.iter().find(|other| other.class == "cancelled").unwrap();
        assert_eq!(cancelled.line.is_some(), extent == Extent::Full);
        assert!(text[cancelled.offset as usize..].len() <= at_tail.len());
        let unread: u64 = reading.unread.iter().map(|part| part.to - part.from).sum();
        assert_eq!(unread == 0, extent == Extent::Full);
        assert!(unread < text.len() as u64);
    }
}

#[test]
fn a_glance_knows_the_last_step_and_what_was_survived() {
    let steps = |from: u32, to: u32| -> String {
        (from..to).map(|step| format!("epoch 1 step {step} loss 0.5 lr 3e-4\n")).collect()
    };
    let error = "ValueError: shard 3 is empty\n";
    let glance = |text: &str| reader().worker().read_bytes(text.as_bytes(), Extent::Glance, None);
    let ended = glance(&(steps(0, 3000) + error));
    assert_eq!(ended.root.map(|root| root.class), Some("code".to_owned()));
    assert_eq!(ended.progress.unwrap().step, Some(2999));
    let survived = glance(&(steps(0, 3000) + error + &steps(3000, 3020)));
    assert_eq!((survived.root, survived.progress.unwrap().step), (None, Some(3019)));
}

#[test]
fn line_numbers_are_those_of_grep_across_blocks() {
    let mut text = String::new();
    let mut wanted = Vec::new();
    for line in 1..=60_000u32 {
        if line % 7_001 == 0 {
            text.push_str(&format!("KeyError: 'key{}'\n", "x".repeat(line as usize / 7_001)));
            wanted.push(u64::from(line));
        } else {
            text.push_str("an ordinary line of a log,\rwith more\n");
        }
    }
    let reading = read(&text);
    let found: Vec<u64> = reading.findings().filter_map(|finding| finding.line).collect();
    assert_eq!(found, wanted);
}

#[test]
fn progress_is_that_of_the_newest_attempt() {
    let steps = |to: u32| {
        (1..=to)
            .map(|step| format!("epoch=0 step={step}/1000 loss={}\n", 5.0 / f64::from(step)))
            .collect::<String>()
    };
    let text = format!(
        "begin of it\n{}slurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO PREEMPTION ***\nbegin of it\n{}",
        steps(500),
        steps(250)
    );
    let progress = read(&text).progress.unwrap();
    assert_eq!((progress.step, progress.steps, progress.percent), (Some(250), Some(1000), Some(25.0)));
    assert!(progress.series.len() <= 200 && progress.series.len() > 20);
}

#[test]
fn a_script_that_counts_its_attempts_is_believed() {
    let text = "=== attempt 1 ===\nRuntimeError: CUDA error: an illegal memory access was encountered\n\
                === attempt 2 ===\nModuleNotFoundError: No module named 'einops'\n";
    assert_eq!(root(text), Some(("missing-module".to_owned(), 4)));
    // The same number again is no new attempt, and a number alone is none at all.
    let text = text.replace("attempt 2", "attempt 1");
    assert_eq!(root(&text), Some(("code-or-hw".to_owned(), 2)));
    let text = text.replace("=== attempt 1 ===", "download attempt 2 of 5");
    assert_eq!(root(&text), Some(("code-or-hw".to_owned(), 2)));
}

#[test]
fn a_script_that_heads_its_output_with_the_job_begins_an_attempt() {
    let error = "ERROR: LoadError: UndefVarError: `x` not defined\n";
    for (first, second) in [
        ("job 4400871 on g1107", "job 4400902 on g1107"),
        ("#### run 1 of chain: job 440101, node h200-2", "#### run 2 of chain: job 440117, node h200-2"),
        ("slurm: job 5512 start, restart count 0", "slurm: job 5512 start, restart count 1"),
        (
            "### Thu Jan 16 2025 17:20:00 ### dry run ###",
            "### Thu Jan 16 2025 18:02:11 ### job 3381002 on gcn44 ###",
        ),
    ] {
        let reading = read(&format!("{first}\n{error}{second}\n{MISSING}"));
        let root = reading.root.as_ref().unwrap();
        assert_eq!((root.class.as_str(), root.attempt), ("missing-module", 1), "{second}");
    }
    // Others' jobs are spoken of otherwise.
    let reading =
        read(&format!("job 12 on n1 is done\n{error}job 13 on n1 is done\nsubmitted job 4711 on n042\n"));
    assert_eq!((reading.attempts.len(), reading.root.is_some()), (1, true));
}

/// The log of task 7 of an array, whose raw id is 4714.
fn read_of_task(text: &str) -> Reading {
    let task = Identity { base: 4707, task: Some(7), raw: Some(4714), ..Identity::default() };
    reader().worker().read_bytes(text.as_bytes(), Extent::Full, Some(&task))
}

const MISSING: &str = "Traceback (most recent call last):\n  File \"/h/train.py\", line 3, in <module>\n    import einops\nModuleNotFoundError: No module named 'einops'\n";

#[test]
fn a_line_of_slurms_that_names_another_job_counts_for_nothing() {
    for forged in [
        "slurmstepd: error: *** JOB 999 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO TIME LIMIT ***\n",
        "slurmstepd: error: *** STEP 999.0 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO PREEMPTION ***\n",
        "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=999.0. Some of your processes may have been killed by the cgroup out-of-memory handler.\n",
        "/var/spool/slurmd/job00999/slurm_script: line 9: 21733 Segmentation fault      (core dumped) python train.py\n",
    ] {
        let life: String = (0..12).map(|number| format!("module {number} is loaded\n")).collect();
        for text in [
            format!("begin\n{forged}{MISSING}"),
            format!("begin\n{MISSING}{forged}"),
            format!("begin\n{MISSING}{forged}{life}"),
            format!("begin\n{forged}{life}{MISSING}{forged}"),
        ] {
            let reading = read_of_task(&text);
            let root = reading.root.as_ref().unwrap_or_else(|| panic!("{text}{reading:#?}"));
            assert_eq!((root.class.as_str(), reading.attempts.len()), ("missing-module", 1), "{text}");
            assert_eq!(reading.elsewhere, None);
            let set_aside = reading.others.iter().find(|other| other.job == Some(999)).unwrap();
            assert_eq!(set_aside.role, Role::Noise);
            assert_eq!(set_aside.set_aside.as_deref(), Some("names job 999, which is none of this task's"));
        }
        // Alone it is no cause; and where nobody knows whose log it is, it is believed.
        assert_eq!(read_of_task(&format!("begin\n{forged}")).root, None);
        assert!(root(&format!("begin\n{forged}")).is_some());
        // Its own id it may name.
        let own = forged.replace("999", "4714");
        assert!(read_of_task(&format!("begin\n{own}")).root.is_some(), "{own}");
    }
}

#[test]
fn numbers_of_steps_and_folders_are_no_job_ids() {
    for last in [
        "FloatingPointError: nan in step 300 of job\n",
        "FileNotFoundError: [Errno 2] No such file or directory: '/scratch/job0012/x'\n",
    ] {
        let text = format!(
            "Traceback (most recent call last):\n  File \"/h/train.py\", line 3, in f\n    g()\n{last}"
        );
        let root = read_of_task(&text).root.unwrap();
        assert_eq!((root.job, root.line), (None, Some(4)), "{last}");
    }
}

#[test]
fn a_cause_in_a_part_that_may_be_another_jobs_is_said_to_stand_elsewhere() {
    let text = format!("SLURM_JOB_ID=100\n{MISSING}SLURM_JOB_ID=4714\nbegin\nstep 1 loss 2\n");
    let reading = read_of_task(&text);
    assert_eq!((reading.root, reading.attempts.len()), (None, 2));
    let elsewhere = reading.elsewhere.unwrap();
    assert_eq!((elsewhere.class.as_str(), elsewhere.line, elsewhere.attempt), ("missing-module", Some(5), 0));
    // A part that only says that it is another job's.
    let reading = read_of_task(&format!("Job ID: 999\n{MISSING}"));
    assert_eq!((reading.root, reading.elsewhere.map(|one| one.class)), (None, Some("missing-module".into())));
    // Its own earlier attempt is nothing of the kind.
    let text = format!(
        "SLURM_JOB_ID=4714\n{MISSING}slurmstepd: error: *** JOB 4714 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO PREEMPTION ***\nSLURM_JOB_ID=4714\nstep 1 loss 2\n"
    );
    let reading = read_of_task(&text);
    assert_eq!((reading.root, reading.elsewhere, reading.attempts.len()), (None, None, 2));
}

#[test]
fn a_line_that_was_only_printed_is_not_how_the_program_ended() {
    let printed = "torch.cuda.OutOfMemoryError: CUDA out of memory\n";
    is(&format!("begin\n{printed}{MISSING}"), "missing-module", 6);
    let own = "Traceback (most recent call last):\n  File \"/h/train.py\", line 3, in f\n    g()\nRuntimeError: the trial went wrong\n";
    let lines = "loading\nloading more\nbuilding\nready\n";
    is(&format!("begin\n{printed}{lines}{own}"), "exception", 10);
    // What was raised right after what was printed may follow from it.
    is(&format!("begin\n{printed}{own}"), "cuda-oom", 2);
    // Of another rank it is the cause; so is what another program says shortly before.
    is(
        &format!("[rank3]: {printed}{lines}[rank0]: {}", own.trim_end().replace('\n', "\n[rank0]: ")),
        "cuda-oom",
        1,
    );
    is(&format!("cp: error writing 'x': No space left on device\n{MISSING}"), "disk-full", 1);
    is(
        &format!("cp: error writing 'x': No space left on device\n{}{MISSING}", lines.repeat(3)),
        "missing-module",
        17,
    );
}

/// What a bar draws, up to a step.
fn bar(steps: std::ops::RangeInclusive<u32>) -> String {
    steps.map(|step| format!("\r {step}%|████ | {step}/100 [00:10<00:12, 4.2it/s]")).collect()
}

#[test]
fn what_is_drawn_once_more_after_the_end_is_no_new_attempt() {
    for end in ["TIME LIMIT", "PREEMPTION"] {
        let end = format!(
            "slurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO {end} ***\n"
        );
        for later in [
            bar(46..=46),
            bar(46..=48),
            bar(45..=46),
            "received SIGTERM, saving\n".to_owned() + &bar(47..=47),
        ] {
            let reading = read(&format!("begin it\n{}{end}{later}\n", bar(40..=46)));
            assert!(reading.root.is_some() && reading.attempts.len() == 1, "{later:?} {reading:#?}");
        }
        // What begins anew is one; so is what goes on there after it has begun.
        for later in [bar(1..=3), "loading\nbuilding the model\nready\n".to_owned() + &bar(47..=48)] {
            let reading = read(&format!("begin it\n{}{end}{later}\n", bar(40..=46)));
            assert!(reading.root.is_none() && reading.attempts.len() == 2, "{later:?} {reading:#?}");
        }
    }
}

#[test]
fn an_attempt_may_be_short() {
    let first = "begin it\nsrun: Job step aborted: Waiting up to 7 seconds for job step to finish.\nslurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO PREEMPTION ***\n";
    let told = "srun: error: n1: task 0: Terminated\n";
    for between in [told, &format!("{told}config: lr 3\n"), "config: lr 3\n", ""] {
        let reading = read(&format!("{first}{between}{MISSING}"));
        let root = reading.root.as_ref().unwrap();
        assert_eq!((root.class.as_str(), root.attempt), ("missing-module", 1), "{between:?}");
    }
    // Ended ranks may say why they end.
    let dying = "Traceback (most recent call last):\n  File \"/h/train.py\", line 3, in f\n    g()\nRuntimeError: received signal 15\n";
    is(&format!("{first}{told}{dying}"), "preempted", 3);
}

#[test]
fn a_glance_looks_closer_at_an_exception_whose_traceback_it_has_cut() {
    let steps: String = (0..3000).map(|step| format!("epoch 1 step {step} loss 0.5 lr 3e-4\n")).collect();
    let frames: String = (0..100)
        .map(|line| {
            format!("  File \"/opt/lib/python3.11/site-packages/t/x.py\", line {line}, in x\n    y()\n")
        })
        .collect();
    let text = format!(
        "{steps}Traceback (most recent call last):\n  File \"/h/train.py\", line 3, in step\n    x()\n{frames}ValueError: no\n"
    );
    let reading = reader().worker().read_bytes(text.as_bytes(), Extent::Glance, None);
    assert_eq!(reading.root.unwrap().frame.as_deref(), Some("train.py:step"));
}

fn class_of(text: &str) -> Option<String> {
    read(text).root.map(|root| root.class)
}

#[test]
fn what_a_program_lived_through_is_no_cause_and_what_ended_it_is() {
    let caught = "Traceback (most recent call last):\n  File \"/h/tune.py\", line 3, in run_trial\n    f()\nKeyError: 'lr'\n";
    let rounds: String = (0..12).map(|round| format!("epoch {round} train_err 0.5 val_err 0.6\n")).collect();
    assert_eq!(class_of(caught).as_deref(), Some("code"));
    assert_eq!(class_of(&format!("{caught}{rounds}")), None);
    // A file that was not found ended the first program of a script; the second failed without its work.
    let first = "Traceback (most recent call last):\n  File \"/h/list.py\", line 4, in <module>\n    main()\nFileNotFoundError: [Errno 2] No such file or directory: '/data/x'\n";
    let second = "Traceback (most recent call last):\n  File \"/h/train.py\", line 9, in <module>\n    main()\nValueError: num_samples=0\n";
    assert_eq!(class_of(&format!("{first}{second}")).as_deref(), Some("missing-path"));
    let inside = first.replace("<module>", "look");
    assert_eq!(class_of(&format!("{inside}{second}")).as_deref(), Some("code"));
}

#[test]
fn an_exception_in_the_text_of_a_warning_was_dealt_with() {
    let fit =
        "Traceback (most recent call last):\n  File \"/h/fit.py\", line 3, in fit\n    f()\nKeyError: 'lr'\n";
    assert_eq!(class_of(&format!("{fit}done\n")).as_deref(), Some("code"));
    assert_eq!(class_of(&format!("{fit}\n  warnings.warn(message, FitFailedWarning)\ndone\n")), None);
}

#[test]
fn an_error_of_r_ended_it_only_if_r_says_that_it_halts() {
    let error = "Error in solve.default(m) : \n  system is exactly singular\n";
    assert_eq!(class_of(&format!("{error}Calls: fit -> solve\nExecution halted\n")).as_deref(), Some("code"));
    assert_eq!(class_of(&format!("{error}using another way\n")), None);
}

#[test]
fn tests_that_all_passed_say_what_they_test() {
    let tests = |end: &str| {
        format!(
            "===== test session starts =====\nERROR x\nOSError: [Errno 98] Address already in use\n===== {end} in 4.1s =====\ntraining\n"
        )
    };
    assert_eq!(class_of(&tests("7 passed")), None);
    assert_eq!(class_of(&tests("1 failed, 7 passed")).as_deref(), Some("port-clash"));
}
