//! `remote check`: a machine over a real ssh on the loopback.

use crate::support::sshd::Sshd;
use crate::support::{Sandbox, schema};

/// Settings of this user that name machines.
pub fn settings(sandbox: &Sandbox, profiles: &str) {
    let text = format!("remote:\n  connect: 5s\n  tries: 1\n  profiles:\n{profiles}");
    sandbox.write(sandbox.home().join(".config/handover/config.yaml"), text);
}

/// What goes out with `--json` is as its file below `schemas/` says.
#[track_caller]
pub fn is_as_its_schema_says(name: &str, data: &serde_json::Value) {
    let wrong = schema::check(&schema::load(name), data);
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

/// A clone of the project on the other machine, as it is there.
pub fn clone_there(sandbox: &Sandbox) {
    sandbox.git_in(sandbox.root(), ["clone", "--quiet", "project", "far/project"]);
}

const BOX: &str = "    box: {kind: workstation, host: box, path: ~/project}\n";

#[test]
fn a_machine_says_over_one_connection_what_it_has() {
    let sandbox = Sandbox::new();
    let Some(sshd) = Sshd::or_skip(&sandbox, "a_machine_says_over_one_connection_what_it_has") else {
        return;
    };
    clone_there(&sandbox);
    sshd.program("nvidia-smi", "echo 'NVIDIA A100-SXM4-80GB, 81920 MiB'");
    sshd.program("quota", "echo '  /dev/sda1  950 1000 1100  20 0 0'");
    settings(
        &sandbox,
        "    box: {kind: workstation, host: box, path: ~/project, probes: {here: 'pwd -P', torch: 'echo no; exit 3'}}\n",
    );
    let answer = sandbox.handover(["remote", "check", "--json"]).expect(3);
    is_as_its_schema_says("remote-check", &answer.data());
    let machine = &answer.data()["machines"][0];
    let said = &machine["answer"]["said"];
    assert_eq!(machine["answer"]["is"], "reachable", "{answer}");
    assert_eq!(said["project"]["known"]["is_ours"], true);
    assert_eq!(said["project"]["known"]["branch"], "main");
    assert_eq!(said["gpus"]["known"][0], "NVIDIA A100-SXM4-80GB, 81920 MiB");
    assert_eq!(said["quotas"]["known"][0]["used"], 950 * 1024);
    assert!(said["git"]["known"].as_str().unwrap().starts_with("git version"));
    assert!(said["disk"]["known"]["size"].as_u64().unwrap() > 0);
    let there = sandbox.root().join("far/project");
    assert_eq!(said["probes"][0]["said"], there.canonicalize().unwrap().to_str().unwrap());
    assert_eq!((said["probes"][1]["code"].as_i64(), &said["probes"][1]["said"]), (Some(3), &"no".into()));
    assert_eq!(sshd.calls().len(), 1, "one connection");
    let text = sandbox.handover(["remote", "check", "box"]).expect(3);
    assert!(text.stdout().contains("missing    probe torch: it ended with 3"), "{text}");
    // Another commit there is said.
    sandbox.commit_in("far/project", "Only there");
    let text = sandbox.handover(["remote", "check", "box"]).expect(3);
    assert!(text.stdout().contains("not the commit that is checked out here"), "{text}");
}

#[test]
fn why_a_machine_does_not_answer_is_told_apart_and_never_an_empty_answer() {
    let sandbox = Sandbox::new();
    let name = "why_a_machine_does_not_answer_is_told_apart_and_never_an_empty_answer";
    let Some(sshd) = Sshd::or_skip(&sandbox, name) else { return };
    clone_there(&sandbox);
    let hosts = ["box", "closed", "denied", "changed", "unknown"];
    let profile = |host: &&str| format!("    {host}: {{kind: slurm, host: {host}, path: ~/project}}\n");
    settings(&sandbox, &hosts.iter().map(profile).collect::<String>());
    let _ = sandbox.handover(["remote", "check", "box", "--json"]).expect(3);
    sandbox.advance("2h");
    let why = |host: &str, code: i32| {
        let answer = sandbox.handover(["remote", "check", host, "--json"]).expect(code);
        let answer = answer.data()["machines"][0]["answer"].clone();
        (answer["is"].clone(), answer["trouble"]["why"].clone(), answer["last_seen"].clone())
    };
    assert_eq!(why("closed", 75), ("offline".into(), "refused".into(), serde_json::Value::Null));
    assert_eq!(why("denied", 7), ("barred".into(), "denied".into(), serde_json::Value::Null));
    assert_eq!(why("changed", 7), ("barred".into(), "host_key".into(), serde_json::Value::Null));
    assert_eq!(why("unknown", 7).1, "host_key");
    // Of all that are asked at once, each has its own answer.
    let all = sandbox.handover(["remote", "check", "--json"]).expect(7);
    assert_eq!(all.data()["machines"].as_array().unwrap().len(), hosts.len());
    sandbox.advance("3h");
    drop(sshd);
    let gone = sandbox.handover(["remote", "check", "box"]).expect(75);
    assert!(gone.stdout().contains("offline    the host refuses connections"), "{gone}");
    assert!(gone.stdout().contains("last seen  2026-11-21 05:41 (3 h ago)"), "{gone}");
}

#[test]
fn a_branch_leads_nobody_to_a_machine_of_its_choice() {
    let sandbox = Sandbox::new();
    sandbox.write(".handover.yaml", format!("remote:\n  profiles:\n{BOX}"));
    let ssh = sandbox.fake("ssh");
    let refused = sandbox.handover(["remote", "check", "box"]).expect(5);
    assert!(refused.stderr().contains("a branch does not say where files and commands go"), "{refused}");
    let _ = sandbox.handover(["remote", "check"]).expect(5);
    assert!(ssh.calls().is_empty());
}

#[test]
fn no_host_user_or_path_of_the_settings_becomes_an_option() {
    let sandbox = Sandbox::new();
    let ssh = sandbox.fake("ssh");
    for (key, value) in [
        ("host", "-oProxyCommand=touch x"),
        ("host", "--"),
        ("host", "ext::sh -c x"),
        ("host", "ssh://x"),
        ("host", "a b"),
        ("host", "a\\nb"),
        ("user", "-l"),
        ("user", "a@b"),
        ("user", "$(x)"),
        ("path", "-x"),
        ("path", "~bob/x"),
        ("path", "a:b"),
        ("path", "a\\nb"),
        ("path", ""),
    ] {
        let all = [("host", "box"), ("user", "ann"), ("path", "p")];
        let field = |(name, usual): (&str, &str)| {
            let value = if name == key { value } else { usual };
            format!("{name}: \"{value}\"")
        };
        let fields: Vec<String> = all.into_iter().map(field).collect();
        settings(&sandbox, &format!("    m: {{kind: slurm, {}}}\n", fields.join(", ")));
        let refused = sandbox.handover(["remote", "check", "m"]).expect(2);
        assert!(refused.stderr().contains("cannot be used"), "{key} {value}: {refused}");
    }
    assert!(ssh.calls().is_empty());
}
