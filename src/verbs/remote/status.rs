//! What another machine is doing: GPUs, memory, processes, jobs, worktrees.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Machine, login, side_by_side, targets};
use crate::remote::readers::{Gpu, Memory, Process, gpus, memory, processes};
use crate::remote::{Answers, Question};
use crate::safety::clip;
use crate::terms::Known;
use crate::verbs::{Context, Error};

/// What the machines said.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Each machine that was asked.
    pub machines: Vec<Machine<Board>>,
}

/// What one machine is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Board {
    /// Its GPUs.
    pub gpus: Known<Vec<Gpu>>,
    /// Its memory.
    pub memory: Known<Memory>,
    /// The load of the last minute, as the kernel says it.
    pub load: Known<String>,
    /// The user's own processes, those with most memory first.
    pub processes: Known<Vec<Process>>,
    /// The user's jobs by state.
    pub jobs: Known<BTreeMap<String, u64>>,
    /// Shells that `remote shell` keeps there.
    pub shells: Known<Vec<String>>,
}

/// So many processes are named.
const NAMED: usize = 20;

/// Asks the machine of this name, or all that the settings name, side by side.
///
/// # Errors
/// There is no such machine in the settings. One that does not answer is no error.
pub fn run(context: &Context, name: Option<&str>) -> Result<Outcome, Error> {
    let targets = targets(context, name)?;
    let answers = side_by_side(
        context,
        &targets,
        |target| (login(target), questions()),
        |_, answers, _| board(&answers),
    );
    let machines = targets.iter().zip(answers);
    Ok(Outcome { machines: machines.map(|(target, answer)| Machine::of(context, target, answer)).collect() })
}

fn questions() -> Vec<Question> {
    vec![
        Question::words(
            "gpus",
            [
                "nvidia-smi",
                "--query-gpu=index,name,utilization.gpu,memory.used,memory.total,temperature.gpu",
                "--format=csv,noheader,nounits",
            ],
        ),
        Question::shell("memory", "cat /proc/meminfo"),
        Question::shell("load", "read -r one rest </proc/loadavg && printf '%s\\n' \"$one\""),
        Question::shell("processes", "ps -u \"$UID\" -o pid=,etimes=,pcpu=,rss=,args="),
        Question::shell("jobs", "squeue -h -a -r -u \"$UID\" -t all -o %T"),
        Question::shell(
            "shells",
            "tmux list-sessions -F '#{session_name}' 2>/dev/null || type -P tmux >/dev/null",
        ),
    ]
}

fn board(answers: &Answers) -> Board {
    let text = |name: &str| super::words(answers.of(name));
    Board {
        gpus: text("gpus").map(|text| gpus(&text)),
        memory: match text("memory").into_known().and_then(|text| memory(&text)) {
            Some(memory) => Known::Known(memory),
            None => Known::Unknown("the kernel's answer cannot be read".to_owned()),
        },
        load: text("load").map(|text| clip(text.trim(), 20)),
        processes: text("processes").map(|text| {
            let mut all = processes(&text);
            // What answered us is none of the user's work.
            all.retain(|process| !process.is_ours());
            all.sort_by_key(|process| std::cmp::Reverse(process.memory));
            all.truncate(NAMED);
            all
        }),
        jobs: text("jobs").map(|text| {
            let mut states = BTreeMap::new();
            for state in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                *states.entry(clip(state, 40)).or_default() += 1;
            }
            states
        }),
        shells: text("shells").map(|text| {
            let ours = text.lines().map(str::trim).filter(|name| name.starts_with("handover-"));
            ours.take(NAMED).map(|name| clip(name, 80)).collect()
        }),
    }
}
