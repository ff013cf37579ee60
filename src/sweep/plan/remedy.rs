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
    /// The file that it stands in, from the run's folder on; `None` for a parameter of the
    /// sweep, or an option of `sbatch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
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

/// Settings of runs that stand in one kind of file, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedSettings {
    /// The file, from the run's folder on.
    pub place: String,
    /// Its values.
    pub values: BTreeMap<String, String>,
}

impl SavedSettings {
    /// Keeps of a file what remedies can be worked out from.
    pub fn of(place: String, values: impl Iterator<Item = (String, String)>) -> SavedSettings {
        let names = || BATCH.iter().chain(&ACCUMULATION).chain(&RATE);
        let values = values.filter(|(name, _)| names().any(|wanted| is_named(name, wanted)));
        SavedSettings { place, values: values.collect() }
    }
}

/// A number of the run, with its name and with the file that it stands in; `None`
/// for the sweep's own parameters.
#[derive(Debug, Clone, Copy)]
struct Found<'p> {
    name: &'p str,
    value: f64,
    place: Option<&'p str>,
}

/// Remedies for GPU memory that ran out, the one that changes the training
/// least first.
///
/// `parameters` are the run's own, by name; nested names end in the plain one
/// (`trainer.batch_size`). What they do not name at all is looked for in `saved`,
/// the most trustworthy first.
pub fn gpu_memory(parameters: &BTreeMap<String, String>, saved: &[SavedSettings]) -> Vec<Remedy> {
    let find = |names: &[&str]| number(parameters, saved, names);
    let batch = find(&BATCH).filter(|batch| batch.value >= 2.0 && batch.value.fract() == 0.0);
    let accumulation = find(&ACCUMULATION).filter(|steps| steps.value >= 1.0);
    let rate = find(&RATE).filter(|rate| rate.value > 0.0);
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
fn same_batch(batch: Option<Found>, accumulation: Option<Found>) -> Remedy {
    let cost = "same effective batch, so the learning rate stays; slower steps".to_owned();
    let Some(batch) = batch else {
        let what = "halve the batch on each GPU and double the accumulation steps".to_owned();
        return Remedy { what, changes: Vec::new(), cost };
    };
    let size = batch.value;
    // Twice the steps over half of an odd batch would be another batch.
    let parts = (2..=size as u64).find(|parts| (size as u64).is_multiple_of(*parts)).unwrap_or(2) as f64;
    let steps = accumulation.map_or(1.0, |steps| steps.value);
    let more = Setting {
        name: accumulation.map_or("accumulation steps", |steps| steps.name).to_owned(),
        from: if accumulation.is_some() { plain(steps) } else { "not set".to_owned() },
        to: plain(steps * parts),
        place: accumulation.and_then(|steps| steps.place).map(str::to_owned),
    };
    Remedy {
        what: format!(
            "batch {} instead of {}, accumulated over {} steps instead of {}{}",
            plain(size / parts),
            plain(size),
            plain(steps * parts),
            plain(steps),
            places([Some(batch), accumulation])
        ),
        changes: vec![setting(batch, plain(size / parts)), more],
        cost,
    }
}

/// Half the batch, with the learning rate that goes with it.
fn smaller_batch(batch: Option<Found>, rate: Option<Found>) -> Remedy {
    let half = batch.map(|batch| (batch, (batch.value / 2.0).floor()));
    let mut changes: Vec<Setting> = half.iter().map(|(batch, half)| setting(*batch, plain(*half))).collect();
    let share = half.map_or(0.5, |(batch, half)| half / batch.value);
    let mut what = match half {
        Some((batch, half)) => format!("batch {} instead of {}", plain(half), plain(batch.value)),
        None => "half the batch".to_owned(),
    };
    match rate {
        Some(rate) => {
            let (linear, root) = (rate.value * share, rate.value * share.sqrt());
            what.push_str(&format!(
                ", learning rate {} instead of {} (linear rule, for SGD) or {} (square root rule, for Adam)",
                plain(linear),
                plain(rate.value),
                plain(root)
            ));
            changes
                .push(setting(rate, format!("{} (linear) or {} (square root)", plain(linear), plain(root))));
        }
        None => {
            let (linear, root) = (plain(share), plain(share.sqrt()));
            what.push_str(&format!(
                ", and the learning rate times {linear} (linear rule, for SGD) or times {root} (square root rule, for Adam)"
            ));
        }
    }
    what.push_str(&places([batch, rate]));
    let cost = "another effective batch: results are not those of the other tasks any more".to_owned();
    Remedy { what, changes, cost }
}

/// Which of these numbers stand in files of the run, and in which: `; batch_size as in config.yaml`.
fn places(numbers: [Option<Found>; 2]) -> String {
    let mut files: Vec<(&str, Vec<&str>)> = Vec::new();
    for found in numbers.iter().flatten() {
        let Some(place) = found.place else { continue };
        match files.iter_mut().find(|(file, _)| *file == place) {
            Some((_, names)) => names.push(found.name),
            None => files.push((place, vec![found.name])),
        }
    }
    let told = |(file, names): (&str, Vec<&str>)| format!("; {} as in the run's {file}", names.join(" and "));
    files.into_iter().map(told).collect()
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
                place: None,
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

/// The number by one of these names, from the first source that has any of them.
fn number<'p>(
    parameters: &'p BTreeMap<String, String>,
    saved: &'p [SavedSettings],
    names: &[&str],
) -> Option<Found<'p>> {
    let own = std::iter::once((None, parameters));
    let files = saved.iter().map(|file| (Some(file.place.as_str()), &file.values));
    let has = |values: &BTreeMap<String, String>| {
        values.keys().any(|name| names.iter().any(|wanted| is_named(name, wanted)))
    };
    let (place, values) = own.chain(files).find(|(_, values)| has(values))?;
    let (name, value) = first(values, names)?;
    Some(Found { name, value, place })
}

/// Nested names count by their last part.
fn is_named(name: &str, wanted: &str) -> bool {
    name.rsplit(['.', '/']).next().unwrap_or(name).eq_ignore_ascii_case(wanted)
}

/// The first of these names that is there with a number.
fn first<'p>(values: &'p BTreeMap<String, String>, names: &[&str]) -> Option<(&'p str, f64)> {
    names.iter().find_map(|wanted| {
        let mut fitting = values.iter().filter(|(name, _)| is_named(name, wanted));
        // A run with several of one name (a validation batch, say) does not tell which.
        let (name, value) = fitting.next()?;
        let (name, value) = match (fitting.next(), values.get_key_value(*wanted)) {
            (None, _) => (name, value),
            (Some(_), Some(plain)) => plain,
            (Some(_), None) => return None,
        };
        value.trim().parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| (name.as_str(), value))
    })
}

fn setting(found: Found, to: String) -> Setting {
    let (name, place) = (found.name.to_owned(), found.place.map(str::to_owned));
    Setting { name, from: plain(found.value), to, place }
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
        let all = gpu_memory(&parameters("batch_size=32 lr=0.001 trainer.accumulate_grad_batches=2"), &[]);
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
        let all = gpu_memory(&parameters("per_device_train_batch_size=9 learning_rate=0.1"), &[]);
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
            let all = gpu_memory(&parameters(text), &[]);
            assert_eq!(
                all[0].what, "halve the batch on each GPU and double the accumulation steps",
                "{text}"
            );
            assert!(all.iter().all(|remedy| remedy.changes.is_empty()), "{text}");
        }
    }

    #[test]
    fn what_the_sweep_does_not_set_is_taken_from_what_the_run_saved_and_that_is_said() {
        let saved =
            |place: &str, text: &str| SavedSettings::of(place.to_owned(), parameters(text).into_iter());
        let files = [
            saved(".hydra/config.yaml", "data.batch_size=64 optim.lr=0.1 seed=1"),
            saved("config.yaml", "batch_size=8 accum=4"),
        ];
        assert_eq!(files[0].values.len(), 2, "{files:?}");
        let all = gpu_memory(&parameters("lr=0.01"), &files);
        assert_eq!(
            all[0].what,
            "batch 32 instead of 64, accumulated over 8 steps instead of 4; data.batch_size as in the run's \
             .hydra/config.yaml; accum as in the run's config.yaml"
        );
        assert!(all[2].what.starts_with("batch 32 instead of 64, learning rate 5e-3 instead of 0.01 (lin"));
        let places: Vec<Option<&str>> = all[2].changes.iter().map(|change| change.place.as_deref()).collect();
        assert_eq!(places, [Some(".hydra/config.yaml"), None]);
        // What the sweep names is not overruled, even where it is no number.
        let all = gpu_memory(&parameters("batch_size=auto"), &files);
        assert!(all[0].changes.is_empty(), "{all:?}");
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
