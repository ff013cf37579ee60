//! The sweep of 200 tasks that `tests/cluster/sweep` plants on a real Slurm:
//! what the program says of it is compared whole with what was planted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use handover::terms::TaskIds;
use serde_json::Value;

use crate::support::{Answer, Sandbox, cluster::Cluster};

/// A person in front of the planted sweep.
struct Planted {
    sandbox: Sandbox,
    cluster: Cluster,
    project: PathBuf,
    array: String,
}

impl Planted {
    fn or_skip(test: &str) -> Option<Planted> {
        let cluster = Cluster::with_sweep_or_skip(test)?;
        let sandbox = Sandbox::empty();
        cluster.open_to(&sandbox);
        let project = PathBuf::from(&cluster.scenario["SWEEP_PROJECT"]);
        let array = cluster.scenario["SWEEP_ARRAY"].clone();
        Some(Planted { sandbox, cluster, project, array })
    }

    /// `handover WORD...` in the sweep's project.
    fn handover(&self, words: &[&str]) -> Answer {
        self.sandbox.handover_in(&self.project, words)
    }

    /// The planted tasks by what `key` says of them, as compressed lists.
    fn lists(&self, key: impl Fn(&BTreeMap<String, String>) -> Option<String>) -> BTreeMap<String, String> {
        let mut lists: BTreeMap<String, TaskIds> = BTreeMap::new();
        for task in self.cluster.planted_tasks() {
            if let Some(key) = key(&task) {
                lists.entry(key).or_default().push(task["task"].parse().unwrap());
            }
        }
        lists.into_iter().map(|(key, list)| (key, list.to_string())).collect()
    }
}

fn texts(object: &Value) -> BTreeMap<String, String> {
    let object = object.as_object().unwrap_or_else(|| panic!("no object: {object}"));
    object.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

#[test]
fn every_task_of_the_planted_sweep_has_its_state_and_exit_code() {
    let name = "every_task_of_the_planted_sweep_has_its_state_and_exit_code";
    let Some(planted) = Planted::or_skip(name) else { return };
    let data = planted.handover(&["sweep", &planted.array, "--cluster", "local", "--json"]).data();
    let sweep = &data["sweeps"][0];
    let outcomes = planted.lists(|task| match task["exit"].as_str() {
        "-" => Some(task["state"].clone()),
        _ if task["state"] == "RUNNING" => Some(task["state"].clone()),
        // The text of this release shows exit codes from 128 on less 128.
        "137:0" => Some("FAILED 9:0".to_owned()),
        exit => Some(format!("{} {exit}", task["state"])),
    });
    assert_eq!(texts(&sweep["look"]["tasks"]), outcomes, "{sweep:#}");
    assert_eq!(sweep["total"], 200);
}
