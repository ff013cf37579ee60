//! What to change when memory ran out, in the order in which to try it, with
//! the numbers of this run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::memory::{Asked, Per};
use crate::terms::Bytes;

/// One thing to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Remedy {
    /// What to do, in words.
    pub what: String,
    /// The settings to change, by name, where the run's own values are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Setting>,
    /// What it costs or changes.
    pub cost: String,
}

/// A setting with its value then and its value to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Setting {
    /// Its name, as the run has it.
    pub name: String,
    /// What it was.
    pub from: String,
    /// What it should be.
    pub to: String,
}

/// Names of the batch size on one device, as trainers call it.
const BATCH: [&str; 7] = [
    "per_device_train_batch_size",
    "micro_batch_size",
    "train_batch_size",
    "batch_size",
    "batch-size",
    "bs",
    "train_micro_batch_size_per_gpu",
];
/// Names of the number of steps over which gradients are added up.
const ACCUMULATION: [&str; 6] = [
    "gradient_accumulation_steps",
    "accumulate_grad_batches",
    "accumulation_steps",
    "grad_accum_steps",
    "grad_accum",
    "accum",
];
/// Names of the learning rate.
const RATE: [&str; 5] = ["learning_rate", "lr", "learning-rate", "base_lr", "max_lr"];

/// Remedies for GPU memory that ran out, the one that changes the training
/// least first.
///
/// `parameters` are the run's own, by name; nested names end in the plain one
/// (`trainer.batch_size`).
pub fn gpu_memory(parameters: &BTreeMap<String, String>) -> Vec<Remedy> {
    let batch = number(parameters, &BATCH).filter(|(_, batch)| *batch >= 2.0 && batch.fract() == 0.0);
    let accumulation = number(parameters, &ACCUMULATION).filter(|(_, steps)| *steps >= 1.0);
    let rate = number(parameters, &RATE).filter(|(_, rate)| rate.is_finite() && *rate > 0.0);
    let mut all = vec![same_batch(batch, accumulation)];
    all.push(Remedy {
        what: "recompute activations in the backward pass (gradient checkpointing)".to_owned(),
        changes: Vec::new(),
        cost: "about a third more time, same result".to_owned(),
    });
    all.push(smaller_batch(batch, rate));
    all.push(Remedy {
        what: "ask for a GPU type with more memory, or spread the model over more GPUs".to_owned(),
        changes: Vec::new(),
        cost: "may wait longer".to_owned(),
    });
    all
}

/// Half the batch, twice the accumulation: the effective batch stays.
fn same_batch(batch: Option<(&str, f64)>, accumulation: Option<(&str, f64)>) -> Remedy {
    let cost = "same effective batch, so the learning rate stays; slower steps".to_owned();
    let Some((name, size)) = batch else {
        let what = "halve the batch on each GPU and double the accumulation steps".to_owned();
        return Remedy { what, changes: Vec::new(), cost };
    };
    // Twice the steps over half of an odd batch would be another batch.
    let parts = (2..=size as u64).find(|parts| (size as u64).is_multiple_of(*parts)).unwrap_or(2) as f64;
    let (steps_name, steps) = accumulation.unwrap_or(("accumulation steps", 1.0));
    Remedy {
        what: format!(
            "batch {} instead of {}, accumulated over {} steps instead of {}",
            plain(size / parts),
            plain(size),
            plain(steps * parts),
            plain(steps)
        ),
        changes: vec![
            setting(name, size, size / parts),
            Setting {
                name: steps_name.to_owned(),
                from: if accumulation.is_some() { plain(steps) } else { "not set".to_owned() },
                to: plain(steps * parts),
            },
        ],
        cost,
    }
}

/// Half the batch, with the learning rate that goes with it.
fn smaller_batch(batch: Option<(&str, f64)>, rate: Option<(&str, f64)>) -> Remedy {
    let half = batch.map(|(name, size)| (name, size, (size / 2.0).floor()));
    let mut changes: Vec<Setting> =
        half.iter().map(|(name, size, half)| setting(name, *size, *half)).collect();
    let share = half.map_or(0.5, |(_, size, half)| half / size);
    let mut what = match half {
        Some((_, size, half)) => format!("batch {} instead of {}", plain(half), plain(size)),
        None => "half the batch".to_owned(),
    };
    match rate {
        Some((name, rate)) => {
            let (linear, root) = (rate * share, rate * share.sqrt());
            what.push_str(&format!(
                ", learning rate {} instead of {} (linear rule, for SGD) or {} (square root rule, for Adam)",
                plain(linear),
                plain(rate),
                plain(root)
            ));
            changes.push(Setting {
                name: name.to_owned(),
                from: plain(rate),
                to: format!("{} (linear) or {} (square root)", plain(linear), plain(root)),
            });
        }
        None => {
            let (linear, root) = (plain(share), plain(share.sqrt()));
            what.push_str(&format!(
                ", and the learning rate times {linear} (linear rule, for SGD) or times {root} (square root rule, for Adam)"
            ));
        }
    }
    let cost = "another effective batch: results are not those of the other tasks any more".to_owned();
    Remedy { what, changes, cost }
}

/// Remedies for a job that went over the memory of its allocation, and the
/// option of `sbatch` that asks for more, if what it asked for is known.
///
/// `used` is a sample, so it bounds the need from below only: without what was
/// asked for, half as much again of it may be less than there was.
pub fn host_memory(used: Option<Bytes>, asked: Option<&Asked>) -> (Vec<Remedy>, Option<String>) {
    let seen = used.map(|used| format!("seen using {used}; "));
    let sampled = used.map_or("", |_| "; the peak is a sample and may be missed");
    let seen = seen.unwrap_or_default();
    let (what, option, changes) = match asked {
        Some(Asked::Amount { bytes, per, source }) => {
            let least = Some(*bytes).max(used.filter(|_| *per == Per::Node));
            let option = least.and_then(|least| enough(least, *per)).map(|new| option(new, *per));
            let words = format!("{seen}it asked for {bytes}{}, by {source}{sampled}", per.words());
            let change = option.iter().map(|option| Setting {
                name: per.option().to_owned(),
                from: bytes.to_string(),
                to: option.split_once('=').map_or("", |(_, value)| value).to_owned(),
            });
            let changes: Vec<Setting> = change.collect();
            let what = match &option {
                Some(option) => format!("{option} ({words})"),
                None => format!("raise {} ({words})", per.option()),
            };
            (what, option, changes)
        }
        Some(Asked::Everything { source }) => {
            let what = format!(
                "a node with more memory: it asks for all that its node has already ({seen}--mem=0, by {source})"
            );
            (what, None, Vec::new())
        }
        None => (format!("raise --mem ({seen}what it asked for is not known)"), None, Vec::new()),
    };
    let more = Remedy { what, changes, cost: "may wait longer".to_owned() };
    let fewer = Remedy {
        what: "fewer data loader workers, each of which holds a copy of what it reads".to_owned(),
        changes: Vec::new(),
        cost: "may starve the GPU".to_owned(),
    };
    (vec![more, fewer], option)
}

/// Half as much again: of a node in whole GiB, of a CPU or a GPU in finer steps
/// where it is little, since it counts many times.
fn enough(seen: Bytes, per: Per) -> Option<Bytes> {
    let more = seen.0.checked_add(seen.0 / 2)?;
    let step = if per == Per::Node || more >= 4 << 30 { 1 << 30 } else { 256 << 20 };
    more.div_ceil(step).checked_mul(step).filter(|more| *more > 0).map(Bytes)
}

/// The option of `sbatch` that asks for so much.
fn option(memory: Bytes, per: Per) -> String {
    let value = match memory.0.is_multiple_of(1 << 30) {
        true => format!("{}G", memory.0 >> 30),
        false => format!("{}M", memory.0.div_ceil(1 << 20)),
    };
    format!("{}={value}", per.option())
}

/// The first of these names that the run has with a number; nested names count
/// by their last part.
fn number<'p>(parameters: &'p BTreeMap<String, String>, names: &[&str]) -> Option<(&'p str, f64)> {
    names.iter().find_map(|wanted| {
        let mut fitting = parameters.iter().filter(|(name, _)| {
            let last = name.rsplit(['.', '/']).next().unwrap_or(name);
            last.eq_ignore_ascii_case(wanted)
        });
        // A run with several of one name (a validation batch, say) does not tell which.
        let (name, value) = fitting.next()?;
        if fitting.next().is_some() && !parameters.contains_key(*wanted) {
            return None;
        }
        let value = parameters.get(*wanted).unwrap_or(value);
        value.trim().parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| (name.as_str(), value))
    })
}

fn setting(name: &str, from: f64, to: f64) -> Setting {
    Setting { name: name.to_owned(), from: plain(from), to: plain(to) }
}

/// A number with at most four significant digits, as people write it.
fn plain(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value}");
    }
    let text = format!("{value:.3e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    match power.parse::<i32>() {
        Ok(power @ -2..=5) => {
            let places = usize::try_from(3 - power).unwrap_or(0);
            format!("{value:.places$}").trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{digits}e{power}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(text: &str) -> BTreeMap<String, String> {
        text.split(' ')
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    }

    #[test]
    fn remedies_for_gpu_memory_carry_the_numbers_of_the_run() {
        let all = gpu_memory(&parameters("batch_size=32 lr=0.001 trainer.accumulate_grad_batches=2"));
        assert_eq!(all[0].what, "batch 16 instead of 32, accumulated over 4 steps instead of 2");
        assert_eq!(
            all[2].what,
            "batch 16 instead of 32, learning rate 5e-4 instead of 1e-3 (linear rule, for SGD) or 7.071e-4 \
             (square root rule, for Adam)"
        );
        assert_eq!(all[0].changes[1].name, "trainer.accumulate_grad_batches");
        assert_eq!(all[2].changes[1].to, "5e-4 (linear) or 7.071e-4 (square root)");
    }

    #[test]
    fn an_odd_batch_is_divided_so_that_the_effective_one_stays() {
        let all = gpu_memory(&parameters("per_device_train_batch_size=9 learning_rate=0.1"));
        assert_eq!(all[0].what, "batch 3 instead of 9, accumulated over 3 steps instead of 1");
        assert_eq!(
            all[2].what,
            "batch 4 instead of 9, learning rate 0.04444 instead of 0.1 (linear rule, for SGD) or 0.06667 \
             (square root rule, for Adam)"
        );
    }

    #[test]
    fn without_the_runs_numbers_only_the_order_is_said() {
        for text in ["", "batch_size=auto", "batch_size=1", "batch_size=NaN lr=nan", "a.bs=2 b.bs=4"] {
            let all = gpu_memory(&parameters(text));
            assert_eq!(
                all[0].what, "halve the batch on each GPU and double the accumulation steps",
                "{text}"
            );
            assert!(all.iter().all(|remedy| remedy.changes.is_empty()), "{text}");
        }
    }

    #[test]
    fn host_memory_is_asked_for_above_what_was_seen_in_the_form_in_which_it_was() {
        let gib = |n: u64| Some(Bytes(n << 30));
        let asked = |value: &str, per| Asked::of(value, per, "its call of sbatch");
        let option = |used, asked: Option<Asked>| host_memory(used, asked.as_ref()).1;
        let (all, new) = host_memory(gib(15), asked("16G", Per::Node).as_ref());
        assert_eq!(new.as_deref(), Some("--mem=24G"));
        assert_eq!(
            all[0].what,
            "--mem=24G (seen using 15.0 GiB; it asked for 16.0 GiB, by its call of sbatch; the peak is a sample \
             and may be missed)"
        );
        for (value, per, new) in [
            ("500M", Per::Node, "--mem=1G"),
            ("500", Per::Node, "--mem=1G"),
            ("900000K", Per::Node, "--mem=2G"),
            ("1T", Per::Node, "--mem=1536G"),
            ("500M", Per::Cpu, "--mem-per-cpu=768M"),
            ("4G", Per::Cpu, "--mem-per-cpu=6G"),
            ("30G", Per::Gpu, "--mem-per-gpu=45G"),
        ] {
            assert_eq!(option(None, asked(value, per)).as_deref(), Some(new), "{value}");
        }
        // What a process used says nothing of one CPU.
        assert_eq!(option(gib(20), asked("4G", Per::Cpu)).as_deref(), Some("--mem-per-cpu=6G"));
        assert_eq!(option(gib(20), asked("4G", Per::Node)).as_deref(), Some("--mem=30G"));
        let (all, new) = host_memory(gib(60), asked("0", Per::Node).as_ref());
        assert!(new.is_none() && all[0].what.starts_with("a node with more memory"), "{all:?}");
        // Half as much again of a sample may be less than what it had.
        let (all, new) = host_memory(gib(1), None);
        assert_eq!(
            (all[0].what.as_str(), new),
            ("raise --mem (seen using 1.0 GiB; what it asked for is not known)", None)
        );
        assert_eq!(option(Some(Bytes(u64::MAX)), asked("1G", Per::Node)), None);
    }
}
