//! Tasks that wait for what is not in service: named, judged, and left where they are.

use crate::watch::{accounting, events, queue, slurm};

#[test]
fn tasks_that_wait_for_a_node_that_is_down_are_judged_with_its_state() {
    let reason = "ReqNodeNotAvail, UnavailableNodes:gpu[01-02]";
    let waiting = queue(&[("8_0", 9, "RUNNING", "None"), ("8_[1-3]", 8, "PENDING", reason)]);
    let (sandbox, ..) = slurm(&[waiting], &[accounting(&[("8_0", 9, "RUNNING", "0:0")])]);
    let nodes = "NodeName=gpu01 Gres=gpu:a100:4 State=DOWN*+DRAIN Partitions=ai CfgTRES=cpu=1 AllocTRES= \
                 Reason=Not responding [slurm@1795225260]\n\
                 NodeName=gpu02 State=IDLE Partitions=ai CfgTRES=cpu=1 AllocTRES=\n";
    drop(sandbox.fake("scontrol").fails(1, "").answers_to("*node*", nodes));
    let data = sandbox.handover(["sweep", "8", "--json", "--cluster", "local"]).expect(0).data();
    let waits = data["sweeps"][0]["waiting"][0].clone();
    assert_eq!(
        (&waits["outlook"], &waits["nodes"][0]["node"]),
        (&"blocked".into(), &"gpu01".into()),
        "{data:#}"
    );
    assert_eq!(waits["nodes"].as_array().unwrap().len(), 1, "gpu02 is back");
    let judgement = &data["examined"]["judgement"];
    assert_eq!((&judgement["health"], &judgement["decision"]), (&"degraded".into(), &"watch".into()));
    let text = sandbox.handover(["sweep", "8", "--cluster", "local"]).expect(0);
    let words = "3 tasks wait for what is not in service: gpu01 (DOWN+NOT_RESPONDING+DRAIN since 2026-11-21T01:41:00Z, \
                 Not responding)";
    let flat = text.stdout().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(words), "{text}");
    let plan = sandbox.handover(["sweep", "plan", "8", "--json", "--cluster", "local"]).expect(0).data();
    let leaves = plan["steps"].as_array().unwrap().iter().find(|step| step["tasks"] == "1-3").unwrap();
    assert_eq!(leaves["kind"], "leave", "{plan:#}");
    assert!(leaves["why"].as_str().unwrap().contains("gpu01 (DOWN"), "{plan:#}");
    let watch = sandbox.handover(["watch", "8", "--once", "--json", "--cluster", "local"]).expect(0);
    let told = events(&watch).iter().any(|event| event["change"]["what"] == "stuck");
    assert!(told, "{watch}");
}
