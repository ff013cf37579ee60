//! What of the space of parameters is lost.

use super::*;

fn grid() -> Parameters {
    let mut parameters = Parameters::default();
    for member in 0..100u32 {
        parameters.set(member, "batch", ["16", "32", "64", "128"][member as usize % 4]);
        parameters.set(member, "model", ["s", "m", "l", "xl", "xxl"][member as usize / 4 % 5]);
        parameters.set(member, "seed", &(member / 20).to_string());
    }
    parameters
}

/// All of the grid that fits completed, the others failed.
fn on_grid(fails: impl Fn(&str, &str) -> bool) -> Vec<Made> {
    let parameters = grid();
    let fate = |member: u32| {
        let of = |name| parameters.value(member, name).unwrap();
        if fails(of("batch"), of("model")) {
            failed(member..member + 1, "gpu-oom", "cuda-oom", OOM)
        } else {
            made(member..member + 1, "COMPLETED", "0:0")
        }
    };
    (0..100).flat_map(fate).collect()
}

#[test]
fn a_corner_of_the_parameter_space_is_named_with_its_values() {
    let judgement = judged_with(&on_grid(|batch, _| batch == "128"), Vec::new(), &grid());
    assert_eq!(in_words(&judgement), ["cuda-oom 25 25 % [3-99:4] where batch=128 (25/25)"]);
    let judgement = judged_with(
        &on_grid(|batch, model| matches!(batch, "64" | "128") && matches!(model, "xl" | "xxl")),
        Vec::new(),
        &grid(),
    );
    let words = in_words(&judgement).remove(0);
    assert!(words.ends_with("where batch=64|128 and model=xl|xxl (20/20)"), "{words}");
    let learning = judgement.learning.unwrap();
    assert_eq!(learning.parameters, ["batch", "model"], "seeds only repeat");
    assert_eq!(
        (learning.total, learning.usable_now, learning.usable, learning.lost_percent),
        (20, 16, 16, 20)
    );
    assert_eq!(
        learning.lost_in_words(),
        [
            "batch=64,model=xl 5+0",
            "batch=64,model=xxl 5+0",
            "batch=128,model=xl 5+0",
            "batch=128,model=xxl 5+0"
        ]
    );
}

#[test]
fn what_is_scattered_is_no_corner_although_every_task_has_a_seed_of_its_own() {
    let mut parameters = Parameters::default();
    (0..60u32).for_each(|member| parameters.set(member, "lr", &format!("0.{member:03}")));
    let tasks = [failed(0..4, "gpu-oom", "cuda-oom", OOM), made(4..60, "COMPLETED", "0:0")].concat();
    assert_eq!(in_words(&judged_with(&tasks, Vec::new(), &parameters)), ["cuda-oom 4 6.7 % [0-3] scattered"]);
}

#[test]
fn a_space_of_which_half_is_lost_has_collapsed() {
    let parameters = grid();
    // Only the first fifth has run, and small models alone came through.
    let tasks: Vec<Made> = on_grid(|_, model| model != "s" && model != "m").into_iter().take(40).collect();
    let judgement = judged_with(&tasks, vec![waiting(8, Some("40-99"))], &parameters);
    let learning = judgement.learning.clone().unwrap();
    assert_eq!((learning.total, learning.usable_now, learning.usable, learning.lost_percent), (20, 8, 8, 60));
    assert!(learning.collapsed);
    assert_eq!(learning.lost_in_words(), ["model=l 8+12", "model=xl 8+12", "model=xxl 8+12"]);
    assert!(judgement.reasons.iter().any(|reason| reason.text.contains("collapsed")));
    assert_eq!(judgement.decision, Decision::Intervene);
}

#[test]
fn without_parameters_every_task_is_a_part() {
    let tasks = [failed(0..5, "gpu-oom", "cuda-oom", OOM), made(5..20, "COMPLETED", "0:0")].concat();
    let judgement = judged_with(&tasks, vec![waiting(8, Some("20-99"))], &Parameters::default());
    let learning = judgement.learning.unwrap();
    assert_eq!(
        (learning.total, learning.usable_now, learning.usable, learning.lost_percent),
        (100, 15, 75, 25)
    );
}

#[test]
fn what_a_resume_mends_is_not_lost() {
    let tasks = [made(0..5, "TIMEOUT", "0:0"), made(5..20, "COMPLETED", "0:0")].concat();
    let learning = judged(&tasks).learning.unwrap();
    assert_eq!((learning.total, learning.usable_now, learning.usable), (20, 15, 20));
}
