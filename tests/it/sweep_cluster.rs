//! The sweep of 200 tasks that `tests/cluster/sweep` plants on a real Slurm:
//! what the program says of it is compared whole with what was planted.
//! `sweep_recorded` does the same without Slurm.

use std::path::PathBuf;

use crate::support::planted::Truth;
use crate::support::{Answer, Sandbox, cluster::Cluster};
use crate::sweep_recorded::{checkpoints_are_as_planted, texts};
use crate::sweep_truth::Place;

/// A person in front of the planted sweep.
struct Planted {
    sandbox: Sandbox,
    project: PathBuf,
    array: String,
    truth: Truth,
}

impl Planted {
    fn or_skip(test: &str) -> Option<Planted> {
        let cluster = Cluster::with_sweep_or_skip(test)?;
        let sandbox = Sandbox::empty();
        cluster.open_to(&sandbox);
        // Real files and a real queue have real times.
        let now = sandbox.program("date", ["-u", "+%Y-%m-%dT%H:%M:%SZ"]).run().expect(0);
        sandbox.set_now(now.last_line());
        let project = PathBuf::from(&cluster.scenario["SWEEP_PROJECT"]);
        let array = cluster.scenario["SWEEP_ARRAY"].clone();
        let truth = Truth::read(&cluster.dir.join("sweep.truth"));
        Some(Planted { sandbox, project, array, truth })
    }

    /// `handover WORD...` in the sweep's project, about the real cluster.
    fn handover(&self, words: &[&str]) -> Answer {
        self.sandbox.handover_in(&self.project, words.iter().chain(&["--cluster", "local"]))
    }
}

/// One test, as the last of its looks changes what the others see.
#[test]
fn the_sweep_on_a_real_slurm_is_what_was_planted() {
    let name = "the_sweep_on_a_real_slurm_is_what_was_planted";
    let Some(planted) = Planted::or_skip(name) else { return };
    states_are_as_planted(&planted);
    checkpoints_are_as_planted(&planted.truth, |words| planted.sandbox.handover_in(&planted.project, words));
    let place = Place { truth: &planted.truth, project: &planted.project, array: &planted.array };
    place.board_is_as_planted(&planted.handover(&["sweep", &planted.array, "--json"]).data());
    let plan = planted.handover(&["sweep", "plan", &planted.array, "--json"]).expect(1).data();
    // Half as much again as the 500 MB that it asked for, in whole GiB.
    place.plan_is_as_planted(&plan, Some("--mem=1G"));
    let text = planted.handover(&["sweep", "plan", &planted.array]).expect(1);
    place.text_has_the_lines(&plan, text.stdout());
}

fn states_are_as_planted(planted: &Planted) {
    let data = planted.handover(&["sweep", &planted.array, "--json"]).data();
    let sweep = &data["sweeps"][0];
    assert_eq!(texts(&sweep["look"]["tasks"]), planted.truth.outcomes());
    assert_eq!(sweep["total"], 200);
}
