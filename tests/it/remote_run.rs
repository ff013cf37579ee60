//! `remote run` and `remote status` over a real ssh.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::remote::{clone_there, is_as_its_schema_says, settings};
use crate::support::Sandbox;
use crate::support::sshd::Sshd;

const BOX: &str = "    box: {kind: workstation, host: box, path: ~/project}\n";

#[test]
fn arguments_arrive_byte_for_byte_and_the_exit_code_comes_back() {
    let sandbox = Sandbox::new();
    let name = "arguments_arrive_byte_for_byte_and_the_exit_code_comes_back";
    let Some(sshd) = Sshd::or_skip(&sandbox, name) else { return };
    clone_there(&sandbox);
    settings(&sandbox, BOX);
    let odd: [&[u8]; 14] = [
        b"",
        b"a b",
        b"it's \"so\"",
        b"$(touch pwned)",
        b"`id`",
        b"!x",
        b"a\nb\n",
        b"\t\r",
        b"\xff\xfe\x01",
        b"--",
        b"-oProxyCommand=x",
        b"~",
        b"*",
        b"\\",
    ];
    let mut call = sandbox.call(["remote", "run", "box", "--", "printf", "%s\\0"]);
    for word in odd {
        call = call.arg(OsStr::from_bytes(word));
    }
    let answer = call.run();
    assert_eq!(answer.code, 0, "{}", String::from_utf8_lossy(&answer.bytes()));
    let mut wanted: Vec<u8> = odd.iter().flat_map(|word| [*word, b"\0"].concat()).collect();
    wanted.push(b'\n');
    assert_eq!(answer.bytes(), wanted);
    for code in [1, 3, 75, 127, 254, 255] {
        let ended = sandbox.handover([
            "remote",
            "run",
            "box",
            "--",
            "bash",
            "-c",
            &format!("echo out; echo err >&2; exit {code}"),
        ]);
        assert_eq!((ended.code, ended.stdout(), ended.stderr()), (code, "out\n", "err\n"));
    }
    // A signal there, a standard input that is empty, the folder of the project.
    assert_eq!(sandbox.handover(["remote", "run", "box", "--", "bash", "-c", "kill -TERM $$"]).code, 143);
    assert_eq!(sandbox.handover(["remote", "run", "box", "--", "cat"]).expect(0).stdout(), "");
    let here =
        sandbox.handover(["remote", "run", "box", "--", "git", "rev-parse", "--show-toplevel"]).expect(0);
    assert!(here.stdout().trim().ends_with("far/project"), "{here}");
    let json =
        sandbox.handover(["remote", "run", "box", "--json", "--", "bash", "-c", "echo a; exit 4"]).expect(4);
    is_as_its_schema_says("remote-run", &json.data());
    assert_eq!((json.data()["stdout"].as_str(), json.data()["code"].as_u64()), (Some("a\n"), Some(4)));
    let none = sandbox.handover(["remote", "run", "box", "--below", "none", "--", "true"]).expect(2);
    assert!(none.stderr().contains("there is no folder ~/project/none on box"), "{none}");
    let _ = sandbox.handover(["remote", "run", "box", "--below", "../..", "--", "true"]);
    assert!(!sshd.home().join("project/pwned").exists() && !sandbox.exists("pwned"));
}

#[test]
fn what_a_command_prints_holds_no_secret_and_a_lost_connection_is_no_exit_code() {
    let sandbox = Sandbox::new();
    let name = "what_a_command_prints_holds_no_secret_and_a_lost_connection_is_no_exit_code";
    let Some(sshd) = Sshd::or_skip(&sandbox, name) else { return };
    clone_there(&sandbox);
    settings(&sandbox, BOX);
    let token = concat!("hf_", "QmRzTbVxKpLdWsYgNcJhFaEuMiOtPqXvBw");
    let (head, tail) = token.split_at(9);
    // Half of it, then the rest.
    let script = format!("printf %s 'HF_TOKEN={head}'; sleep 0.05; echo {tail}; echo done");
    let printed = sandbox.handover(["remote", "run", "box", "--", "bash", "-c", &script]).expect(0);
    assert!(!printed.stdout().contains(tail) && printed.stdout().ends_with("done\n"), "{printed}");
    let cut = std::thread::scope(|threads| {
        let run = threads.spawn(|| {
            sandbox.handover([
                "remote",
                "run",
                "box",
                "--",
                "bash",
                "-c",
                "touch begun; sleep 60; touch ended",
            ])
        });
        while !sshd.home().join("project/begun").exists() && !run.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        sshd.cut();
        run.join().unwrap()
    });
    assert_eq!(cut.code, 75, "{cut}");
    assert!(cut.stderr().contains("error: cannot reach box: the connection was lost"), "{cut}");
}

#[test]
fn a_machine_says_what_it_is_doing() {
    let sandbox = Sandbox::new();
    let Some(sshd) = Sshd::or_skip(&sandbox, "a_machine_says_what_it_is_doing") else { return };
    settings(&sandbox, BOX);
    sshd.program("nvidia-smi", "printf '0, NVIDIA A100-SXM4-80GB, 97, 61234, 81920, 64\\n1, NVIDIA A100-SXM4-80GB, [N/A], 3, 81920, 31\\n'");
    sshd.program("squeue", "printf 'RUNNING\\nRUNNING\\nPENDING\\n'");
    sshd.program("ps", "printf '  12 3600 99.5 2048000 python train.py\\n 13 1 0.0 4 sshd: ann@notty\\n'");
    let answer = sandbox.handover(["remote", "status", "--json"]).expect(0);
    is_as_its_schema_says("remote-status", &answer.data());
    let said = &answer.data()["machines"][0]["answer"]["said"];
    assert_eq!(said["gpus"]["known"][0]["busy"], 97);
    assert_eq!(said["gpus"]["known"][1]["busy"], serde_json::Value::Null);
    assert_eq!(said["jobs"]["known"], serde_json::json!({"PENDING": 1, "RUNNING": 2}));
    assert_eq!(said["processes"]["known"].as_array().unwrap().len(), 1);
    let text = sandbox.handover(["remote", "status", "box"]).expect(0);
    assert!(
        text.stdout().contains("0 NVIDIA A100-SXM4-80GB: 97 % busy, 59.8 GiB of 80.0 GiB, 64 C"),
        "{text}"
    );
    assert!(text.stdout().contains("jobs       1 PENDING, 2 RUNNING"), "{text}");
    assert_eq!(sshd.calls().len(), 2);
}
