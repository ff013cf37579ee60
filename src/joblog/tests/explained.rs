//! What one line says of another: that it explains it, or that it was only a warning.

use super::*;

#[test]
fn what_the_kernel_the_shell_and_the_disk_say_explains_what_came_of_it() {
    let cuda = "Traceback (most recent call last):\n  File \"/h/t.py\", line 3, in <module>\n    f()\nRuntimeError: CUDA error: unspecified launch failure\n";
    assert_eq!(class_of(cuda).as_deref(), Some("code-or-hw"));
    let xid = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1, GPU has fallen off the bus.\n";
    assert_eq!(class_of(&format!("{cuda}{xid}")).as_deref(), Some("hardware"));
    let next = "Traceback (most recent call last):\n  File \"/h/n.py\", line 3, in <module>\n    f()\nFileNotFoundError: [Errno 2] No such file or directory: 'x.npz'\n";
    assert_eq!(class_of(next).as_deref(), Some("missing-path"));
    let killed = "/var/spool/slurmd/job00012/slurm_script: line 9: 21733 Killed      python a.py\n";
    assert_eq!(
        class_of(&format!("{killed}{next}")),
        None,
        "a bare kill is no proof, and what follows no cause"
    );
}

#[test]
fn a_disk_that_was_full_explains_the_files_that_are_broken() {
    let steps: String = (1..=12).map(|step| format!("step {step} loss 0.5\n")).collect();
    let full = format!("cp: error writing '/scratch/a/x.npy': No space left on device\n{steps}");
    let broken = "Traceback (most recent call last):\n  File \"/h/t.py\", line 3, in <module>\n    f()\n_pickle.UnpicklingError: pickle data was truncated\n";
    is(broken, "ckpt-corrupt", 4);
    is(&format!("{full}{broken}"), "disk-full", 1);
    // It explains no fault of the program's.
    let fault = broken.replace("_pickle.UnpicklingError: pickle data was truncated", "NameError: name 'x'");
    is(&format!("{full}{fault}"), "code", 17);
}

#[test]
fn a_module_that_was_not_there_explains_what_is_missing_and_not_a_binary_of_another_processor() {
    let lmod = "Lmod has detected the following error: The following module(s) are unknown: \"cuda/12.1\"\nloading\n";
    let missing = "Traceback (most recent call last):\n  File \"/h/t.py\", line 3, in <module>\n    import torch\nModuleNotFoundError: No module named 'torch'\n";
    is(&format!("{lmod}{missing}"), "env-activation", 1);
    let old = missing.replace("ModuleNotFoundError: No module named 'torch'", "SyntaxError: invalid syntax");
    is(&format!("{lmod}{old}"), "env-activation", 1);
    let library = "./solve: error while loading shared libraries: libcudart.so.12: cannot open shared object file: No such file or directory\n";
    is(&format!("{lmod}{library}"), "env-activation", 1);
    // One of another name is missing for another reason.
    is(&format!("{lmod}{}", library.replace("cudart", "hdf5_parallel")), "missing-lib", 3);
    let format = "slurm_script: line 27: /h/env/bin/python: cannot execute binary file: Exec format error\n";
    is(&format!("{lmod}{format}"), "env-mismatch", 3);
}

#[test]
fn a_package_of_which_r_only_warns_is_not_the_one_that_ended_it() {
    let warned = "Warning in library(package, lib.loc = lib.loc, character.only = TRUE,  :\n  there is no package called 'a'\n";
    let ended = "Error in library(b) : there is no package called 'b'\nExecution halted\n";
    is(&format!("{warned}{ended}"), "missing-module", 3);
    assert_eq!(root(warned), None);
    let summary = "Warning message:\nIn library(doMC) : there is no package called 'doMC'\n";
    assert_eq!(root(summary), None);
    is(&format!("{summary}{ended}"), "missing-module", 3);
}

#[test]
fn what_r_could_not_load_is_the_cause_if_nothing_says_what_it_missed() {
    for head in [
        "Error in dyn.load(file, DLLpath = DLLpath, ...) : ",
        "Error: package or namespace load failed for 'terra' in dyn.load(file):",
    ] {
        let text = format!(
            "{head}\n unable to load shared object '/h/R/terra.so':\n  file too short\nExecution halted\n"
        );
        is(&text, "missing-lib", 2);
    }
}

#[test]
fn the_server_that_died_is_the_cause_and_not_the_client_that_missed_it() {
    let server = "ERROR 04-03 08:11:31 [core.py:632] EngineCore failed to start.\nERROR 04-03 08:11:31 [core.py:632] Traceback (most recent call last):\nERROR 04-03 08:11:31 [core.py:632]   File \"/opt/lib/python3.11/site-packages/vllm/v1/engine/core.py\", line 623, in run\nERROR 04-03 08:11:31 [core.py:632] ValueError: No available memory for the cache blocks.\nRuntimeError: Engine core initialization failed. See root cause above.\n";
    let client = |error: &str| {
        format!(
            "[rank0]: Traceback (most recent call last):\n[rank0]:   File \"/h/grpo.py\", line 88, in <module>\n[rank0]:     f()\n[rank0]: {error}\n"
        )
    };
    for error in [
        "openai.APIConnectionError: Connection error.",
        "ConnectionError: The vLLM server can't be reached at http://n1:8000 after 240.0 seconds.",
        "requests.exceptions.ConnectionError: HTTPConnectionPool(host='n1', port=8000): Max retries exceeded with url: /health (Caused by ConnectTimeoutError())",
    ] {
        is(&format!("{server}{}", client(error)), "cuda-oom", 4);
        // The trainer goes on for a while before it asks the server.
        is(&format!("{server}{}\n{}", bar(1..=60), client(error)), "cuda-oom", 4);
    }
}

#[test]
fn rows_of_a_project_take_part_by_what_they_are() {
    let rows = "- id: mount-gone\n  pattern: '^mount: project is not there'\n  class: site-mount\n  role: warning\n  retry: resubmit\n  meaning: the mount is gone\n  action: submit again\n- id: planner\n  pattern: '^planner: no plan'\n  class: planner\n  role: root\n  yields_to: [site-mount]\n  retry: fix-first\n  meaning: no plan\n  action: make one\n";
    let rows = crate::config::pattern_rows("rows", rows).unwrap();
    let table = Table::with(&rows).unwrap();
    let reader = Reader::new(&table);
    let class = |text: &str| {
        reader.worker().read_bytes(text.as_bytes(), Extent::Full, None).root.map(|root| root.class)
    };
    assert_eq!(class("planner: no plan\n").as_deref(), Some("planner"));
    assert_eq!(class("mount: project is not there\nplanner: no plan\n").as_deref(), Some("site-mount"));
    assert_eq!(class("mount: project is not there\nNameError: x\n").as_deref(), Some("code"));
    let mut wrong = rows.clone();
    wrong[1].yields_to = Some(vec!["site-mout".into()]);
    assert_eq!(
        Table::with(&wrong).unwrap_err().to_string(),
        "use pattern \"planner\": it yields to \"site-mout\", which is neither a class nor a row"
    );
    wrong[1] = rows[1].clone();
    wrong[1].is = vec!["weird".into()];
    assert!(
        Table::with(&wrong)
            .unwrap_err()
            .to_string()
            .starts_with("read the is \"weird\" of pattern \"planner\"")
    );
}
