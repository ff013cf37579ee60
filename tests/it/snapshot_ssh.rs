//! `--cluster ssh:HOST`: the same data as on the login node itself, over one connection.

use serde_json::Value;

use crate::remote::settings;
use crate::snapshot::play;
use crate::support::Sandbox;
use crate::support::cluster::Cluster;
use crate::support::sshd::Sshd;

const LOGIN: &str = "    login: {kind: slurm, host: box, path: ~/project}\n";

/// A snapshot without what differs from one look to the next: where it comes from, and times that go on.
fn alike(mut data: Value) -> Value {
    fn still(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for name in ["origin", "elapsed", "taken_at", "since", "age", "work_dirs", "state"] {
                    map.remove(name);
                }
                map.values_mut().for_each(still);
            }
            Value::Array(list) => list.iter_mut().for_each(still),
            _ => {}
        }
    }
    still(&mut data);
    data
}

#[test]
fn over_ssh_the_login_node_says_what_it_says_itself_and_is_asked_once() {
    let sandbox = Sandbox::new();
    let name = "over_ssh_the_login_node_says_what_it_says_itself_and_is_asked_once";
    let bin = sandbox.root().join("bin");
    let Some(sshd) = Sshd::with_path_or_skip(&sandbox, name, &[&bin], &[]) else { return };
    settings(&sandbox, LOGIN);
    for release in ["23.02.8", "26.05.3"] {
        let _fakes = play(&sandbox, release);
        let calls = sshd.calls().len();
        let there = sandbox.handover(["snapshot", "--quick", "--cluster", "ssh:login", "--json"]).expect(0);
        assert_eq!(there.data()["origin"], serde_json::json!({"kind": "ssh", "machine": "login"}));
        // These releases lack a field of the long form: it is asked for again without.
        assert!(sshd.calls().len() - calls <= 2, "{:?}", sshd.calls());
        let mut here =
            sandbox.handover(["snapshot", "--quick", "--cluster", "local", "--json"]).expect(0).data();
        let mut there = there.data();
        for part in ["jobs", "nodes", "accounting", "problems", "cluster", "slurm", "gpus", "waiting"] {
            assert_eq!(there[part].take(), here[part].take(), "{release}: {part}");
        }
    }
    // A host that no profile names is as good.
    let host = sandbox.handover(["snapshot", "--quick", "--cluster", "ssh:box"]).expect(0);
    assert!(host.stdout().contains("source   Slurm's commands on box, over ssh"), "{host}");
}

#[test]
fn a_cluster_that_ssh_does_not_reach_is_unknown_and_says_why() {
    let sandbox = Sandbox::new();
    let name = "a_cluster_that_ssh_does_not_reach_is_unknown_and_says_why";
    let Some(_sshd) = Sshd::or_skip(&sandbox, name) else { return };
    settings(&sandbox, LOGIN);
    let look = |source: &str, code: i32| {
        sandbox.handover(["snapshot", "--quick", "--cluster", source, "--json"]).expect(code).data()
    };
    let closed = look("ssh:closed", 75);
    assert_eq!(closed["origin"]["trouble"]["why"], "refused");
    assert!(closed["jobs"]["unknown"].as_str().unwrap().contains("closed: the host refuses connections"));
    assert_eq!(look("ssh:denied", 7)["origin"]["trouble"]["why"], "denied");
    for wrong in ["ssh:-oProxyCommand=x", "ssh:a b", "ssh:", "ssh:ssh://box", "ssh:-l@box", "ssh:@box"] {
        let _ = sandbox.handover(["snapshot", "--cluster", wrong]).expect(2);
    }
    // A branch's settings lead nowhere.
    sandbox.write(".handover.yaml", "cluster: {source: 'ssh:box'}\n");
    let _ = sandbox.handover(["snapshot"]).expect(5);
}

#[test]
fn the_real_slurm_says_the_same_over_ssh_as_on_its_own_machine() {
    let name = "the_real_slurm_says_the_same_over_ssh_as_on_its_own_machine";
    let Some(cluster) = Cluster::with_scenario_or_skip(name) else { return };
    let sandbox = Sandbox::new();
    cluster.open_to(&sandbox);
    let path = std::env::var_os("PATH").unwrap();
    let path: Vec<_> = std::env::split_paths(&path).collect();
    let path: Vec<_> = path.iter().map(std::path::PathBuf::as_path).collect();
    let Some(sshd) = Sshd::with_path_or_skip(&sandbox, name, &path, cluster.environment()) else { return };
    settings(&sandbox, LOGIN);
    let look = |source: &str| {
        sandbox.handover(["snapshot", "--quick", "--cluster", source, "--json"]).expect(0).data()
    };
    // Jobs go on meanwhile: of several looks one pair has seen the same moment.
    let mut last = (Value::Null, Value::Null);
    for _ in 0..10 {
        let (before, there, after) = (look("local"), look("ssh:login"), look("local"));
        last = (alike(there), alike(before));
        if last.0 == last.1 || last.0 == alike(after) {
            assert!(last.0["jobs"]["known"].as_array().is_some_and(|jobs| !jobs.is_empty()), "{}", last.0);
            assert_eq!(sshd.calls().last().map(|call| call.iter().any(|word| word == "box")), Some(true));
            return;
        }
    }
    assert_eq!(last.0, last.1);
}
