//! What `scontrol show node` says, one node to a paragraph or to a line.

use super::gres::{self, Count};
use super::problems::Problems;
use super::{Gpus, Node};
use crate::terms::{Bytes, Time};

/// The values that are needed, as `scontrol` names them. What is not in this
/// list may hold anything.
const KEYS: [&str; 8] =
    ["State", "Partitions", "Gres", "GresUsed", "CfgTRES", "AllocTRES", "Reason", "RealMemory"];

/// Reads all nodes of an answer, each once.
pub(super) fn read(text: &str, about: &str, problems: &mut Problems) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for paragraph in paragraphs(text) {
        let node = node(&paragraph);
        if node.state.is_empty() {
            problems.say(about, "a node has no state and is left out");
        } else if !nodes.iter().any(|known| known.name == node.name) {
            nodes.push(node);
        }
    }
    nodes
}

/// The lines of each node, the first of which begins with its name.
fn paragraphs(text: &str) -> Vec<Vec<&str>> {
    let mut all: Vec<Vec<&str>> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("NodeName=") {
            all.push(vec![line]);
        } else if let Some(last) = all.last_mut() {
            last.push(line);
        }
    }
    all
}

fn node(lines: &[&str]) -> Node {
    let value =
        |key: &str| KEYS.contains(&key).then(|| lines.iter().find_map(|line| find(line, key))).flatten();
    let name = lines.first().and_then(|line| find(line, "NodeName")).unwrap_or_default();
    let list = |text: &str| text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let state = value("State").map(flags).unwrap_or_default();
    Node {
        name: name.to_owned(),
        partitions: value("Partitions").map(list).unwrap_or_default(),
        reason: lines.iter().find_map(|line| reason(line)).unwrap_or_default().to_owned(),
        since: lines.iter().find_map(|line| since(line)),
        // In MiB.
        memory: value("RealMemory")
            .and_then(|text| text.parse::<u64>().ok()?.checked_mul(1 << 20))
            .map(Bytes),
        gpus: gpus(value("CfgTRES"), value("AllocTRES"), value("Gres"), value("GresUsed"), &state),
        state,
    }
}

/// The word after `key=`, where that is a word of its own.
fn find<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    line.match_indices(key).find_map(|(at, _)| {
        let value = line[at + key.len()..].strip_prefix('=')?;
        (at == 0 || line[..at].ends_with(' ')).then(|| value.split(' ').next().unwrap_or_default())
    })
}

/// Why a node is drained: free text up to who said so and when.
fn reason(line: &str) -> Option<&str> {
    let at = if line.starts_with("Reason=") { 0 } else { line.find(" Reason=")? + 1 };
    let text = &line[at + "Reason=".len()..];
    Some(text.rfind(" [").map_or(text, |end| &text[..end]).trim())
}

/// Since when: in seconds, as we ask for; a time without a zone is none.
fn since(line: &str) -> Option<Time> {
    reason(line)?;
    let (_, stamp) = line.rsplit_once(" [")?;
    let (_, at) = stamp.trim_end().strip_suffix(']')?.rsplit_once('@')?;
    Time::from_unix(at.parse().ok()?)
}

/// The state as flags: `IDLE+DRAIN`, and the marks that some releases put behind.
fn flags(text: &str) -> Vec<String> {
    let mut flags = Vec::new();
    for word in text.split('+').filter(|word| !word.is_empty()) {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        flags.push(bare.to_ascii_uppercase());
        flags.extend(word[bare.len()..].chars().filter_map(mark).map(str::to_owned));
    }
    flags
}

/// What a mark behind a node's state means.
pub(super) fn mark(mark: char) -> Option<&'static str> {
    Some(match mark {
        '*' => "NOT_RESPONDING",
        '~' => "POWERED_DOWN",
        '#' => "POWERING_UP",
        '!' => "POWER_DOWN",
        '%' => "POWERING_DOWN",
        '$' => "MAINTENANCE",
        '@' => "REBOOT_REQUESTED",
        '^' => "REBOOT_ISSUED",
        '-' => "PLANNED",
        _ => return None,
    })
}

/// GPUs with what is used: from the trackable resources where the site tracks
/// GPUs, else from the generic ones.
fn gpus(
    total: Option<&str>,
    used: Option<&str>,
    gres: Option<&str>,
    gres_used: Option<&str>,
    state: &[String],
) -> Vec<Gpus> {
    let tracked = total.map(gres::counts).unwrap_or_default();
    if !tracked.is_empty() {
        return pair(&tracked, Some(&used.map(gres::counts).unwrap_or_default()));
    }
    let all = gres.map(gres::counts).unwrap_or_default();
    match gres_used {
        Some(used) => pair(&all, Some(&gres::counts(used))),
        // Nothing runs on an idle node.
        None if state.first().is_some_and(|base| base == "IDLE") => pair(&all, Some(&[])),
        None => pair(&all, None),
    }
}

/// Counts by type, the untyped ones only where no type is named.
pub(super) fn pair(total: &[Count], used: Option<&[Count]>) -> Vec<Gpus> {
    let typed: Vec<&Count> = total.iter().filter(|count| !count.kind.is_empty()).collect();
    let untyped =
        |counts: &[Count]| counts.iter().find(|count| count.kind.is_empty()).map(|count| count.count);
    if typed.is_empty() {
        let only = untyped(total).map(|total| Gpus {
            kind: String::new(),
            total,
            used: used
                .map(|used| used.iter().fold(0u32, |sum, count| sum.saturating_add(count.count)).min(total)),
        });
        return only.into_iter().collect();
    }
    let mut kinds: Vec<Gpus> = Vec::new();
    for count in typed {
        match kinds.iter_mut().find(|known| known.kind == count.kind) {
            Some(known) => known.total = known.total.saturating_add(count.count),
            None => kinds.push(Gpus { kind: count.kind.clone(), total: count.count, used: None }),
        }
    }
    let Some(used) = used else { return kinds };
    let names_types = used.iter().any(|count| !count.kind.is_empty());
    let of_no_type = untyped(used);
    let only_one = kinds.len() == 1;
    for gpus in &mut kinds {
        let of_type = used.iter().filter(|count| count.kind == gpus.kind);
        gpus.used = match of_no_type {
            // Some are used, and which of the types is not said.
            Some(count) if !names_types && count > 0 => only_one.then_some(count),
            _ => Some(of_type.fold(0u32, |sum, count| sum.saturating_add(count.count))),
        };
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "NodeName=gpu01 Arch=x86_64 CoresPerSocket=1 \n   Gres=gpu:a100:4\n   GresUsed=gpu:a100:2(IDX:0-1)\n   \
OS=Linux 6.1 #1 SMP State=no PREEMPT_DYNAMIC\n   State=MIXED ThreadsPerCore=1 Weight=1\n   Partitions=ai,scavenge \n   \
CfgTRES=cpu=16,mem=62.50G,billing=16,gres/gpu=4,gres/gpu:a100=4\n   AllocTRES=cpu=1,gres/gpu=2,gres/gpu:a100=2\n\n\
NodeName=cpu02 Gres=(null) Version=22.05.8 State=IDLE*+DRAIN Partitions=all  CfgTRES=cpu=32 AllocTRES= Reason=bad fan = x [root@2026-11-21T09:15:25]\n";

    #[test]
    fn paragraphs_and_lines_are_read_alike() {
        // The system's name stands before the state and is free text.
        let text = TWO.replace("State=no ", "");
        let mut problems = Problems::default();
        let nodes = read(&text, "scontrol", &mut problems);
        assert!(problems.into_vec().is_empty());
        let [gpu, cpu] = &nodes[..] else { panic!("{nodes:?}") };
        assert_eq!(gpu.gpus, [Gpus { kind: "a100".into(), total: 4, used: Some(2) }]);
        assert_eq!((gpu.state.join("+"), gpu.partitions.join(",")), ("MIXED".into(), "ai,scavenge".into()));
        assert!(gpu.is_available());
        assert_eq!(cpu.state, ["IDLE", "NOT_RESPONDING", "DRAIN"]);
        assert_eq!((cpu.reason.as_str(), cpu.since), ("bad fan = x", None), "no zone");
        assert!(cpu.is_out_of_service() && !gpu.is_out_of_service());
        let asked = TWO.replace("@2026-11-21T09:15:25]", "@1795252525]");
        let since = read(&asked, "scontrol", &mut Problems::default())[1].since;
        assert_eq!(since.map(|at| at.unix()), Some(1_795_252_525));
        assert!(!cpu.is_available() && cpu.gpus.is_empty());
    }

    #[test]
    fn used_gpus_are_counted_by_type_or_not_at_all() {
        let gpus = |total, used, gres, gres_used| {
            gpus(total, used, gres, gres_used, &["MIXED".into()])
                .iter()
                .map(|g| format!("{}:{}/{:?}", g.kind, g.total, g.used))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let two = Some("gres/gpu=6,gres/gpu:a=4,gres/gpu:b=2");
        assert_eq!(gpus(two, Some("gres/gpu=3,gres/gpu:a=3"), None, None), "a:4/Some(3) b:2/Some(0)");
        assert_eq!(gpus(two, Some("gres/gpu=3"), None, None), "a:4/None b:2/None");
        assert_eq!(gpus(two, Some(""), None, None), "a:4/Some(0) b:2/Some(0)");
        assert_eq!(gpus(Some("gres/gpu:a=4,gres/gpu=4"), Some("gres/gpu=1"), None, None), "a:4/Some(1)");
        assert_eq!(
            gpus(Some("cpu=4"), Some(""), Some("gpu:a:4(S:0-1)"), Some("gpu:a:1(IDX:3)")),
            "a:4/Some(1)"
        );
        assert_eq!(gpus(Some("cpu=4"), Some(""), Some("gpu:a:4"), None), "a:4/None");
        assert_eq!(gpus(None, None, Some("gpu:4"), Some("gpu:1")), ":4/Some(1)");
        assert_eq!(gpus(Some("cpu=4"), Some(""), Some("(null)"), None), "");
    }
}
