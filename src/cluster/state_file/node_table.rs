use super::super::problems::Problems;
use super::super::{Gpus, Node, gres, nodes};
use super::Section;
use crate::safety;
use crate::terms::{Known, counted};

/// Where `%12N %.6D %10P %.11T %.4c %.17G %.8m` cuts names, partitions, states
/// and generic resources.
const WIDTHS: [usize; 4] = [12, 10, 11, 17];

/// Reads a section of fixed-width `sinfo --Node` output, asked once per
/// partition or once for all.
pub(super) fn read(section: &Section, problems: &mut Problems) -> Known<Vec<Node>> {
    let about = section.title;
    if !section.lines.iter().any(|line| is_heading(line)) {
        return Known::Unknown(match section.lines.first() {
            None => format!("the section {about} is empty: not even sinfo's headings are there"),
            Some(line) => format!("sinfo said: {}", safety::one_line(line, 160)),
        });
    }
    let mut all: Vec<Node> = Vec::new();
    let mut unread = Vec::new();
    for line in section.lines.iter().filter(|line| !is_heading(line)) {
        match row(line, about, problems) {
            Some(row) => merge(&mut all, row),
            None => unread.push(*line),
        }
    }
    if let Some(first) = unread.first() {
        let first = safety::one_line(first, 80);
        problems.say(about, format!("{} not understood; the first: {first}", counted(unread.len(), "row")));
    }
    if all.iter().flat_map(|node| &node.gpus).any(|gpus| gpus.used.is_none()) {
        problems.say(about, "sinfo says how many GPUs a node has, not how many are used");
    }
    Known::Known(all)
}

fn is_heading(line: &str) -> bool {
    line.starts_with("NODELIST ") && line.contains(" PARTITION ")
}

fn row(line: &str, about: &str, problems: &mut Problems) -> Option<Node> {
    let cells: Vec<&str> = line.split_whitespace().collect();
    let [name, count, partition, state, cpus, gres, _memory] = cells[..] else { return None };
    if count.parse::<u32>().is_err() || !cpus.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    for (what, cell, width) in
        [("node", name, WIDTHS[0]), ("partition", partition, WIDTHS[1]), ("state", state, WIDTHS[2])]
    {
        if cell.len() >= width {
            problems.say(about, format!("names of {what}s may be cut at {width} characters"));
        }
    }
    let state = flags(state);
    let idle = state == ["IDLE"];
    // `gpu:a100:4(S:0-1)` may end anywhere; a count that may have lost digits is no count.
    let cut = gres.len() >= WIDTHS[3] && !gres.contains('(');
    if cut {
        let shown = safety::one_line(gres, 40);
        problems.say(about, format!("the GPUs of {} are cut: {shown}", safety::one_line(name, 40)));
    }
    let counts = if cut { Vec::new() } else { gres::counts(gres) };
    let gpus: Vec<Gpus> = nodes::pair(&counts, if idle { Some(&[]) } else { None });
    let partition = partition.trim_end_matches('*').to_owned();
    Some(Node {
        name: name.to_owned(),
        partitions: vec![partition],
        state,
        reason: String::new(),
        since: None,
        gpus,
        memory: None,
    })
}

/// A node stands in the table once per partition.
fn merge(all: &mut Vec<Node>, row: Node) {
    match all.iter_mut().find(|node| node.name == row.name) {
        Some(node) => {
            for partition in row.partitions {
                if !node.partitions.contains(&partition) {
                    node.partitions.push(partition);
                }
            }
        }
        None => all.push(row),
    }
}

/// sinfo's words for states, as the flags that they stand for.
fn flags(text: &str) -> Vec<String> {
    let bare = text.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let words: &[&str] = match bare.to_ascii_lowercase().as_str() {
        "idle" => &["IDLE"],
        "mixed" | "mix" => &["MIXED"],
        "allocated" | "alloc" => &["ALLOCATED"],
        "completing" | "comp" => &["ALLOCATED", "COMPLETING"],
        "drained" | "drain" => &["IDLE", "DRAIN"],
        "draining" | "drng" => &["ALLOCATED", "DRAIN"],
        "reserved" | "resv" => &["IDLE", "RESERVED"],
        "planned" | "plnd" => &["IDLE", "PLANNED"],
        "maint" => &["IDLE", "MAINTENANCE"],
        "down" => &["DOWN"],
        "fail" => &["IDLE", "FAIL"],
        "failing" | "failg" => &["ALLOCATED", "FAIL"],
        "inval" => &["IDLE", "INVALID_REG"],
        other => return vec![other.to_ascii_uppercase()],
    };
    let marks = text[bare.len()..].chars().filter_map(nodes::mark);
    words.iter().copied().chain(marks).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "NODELIST      NODES PARTITION        STATE CPUS              GRES   MEMORY";

    fn table(rows: &[&str]) -> (Vec<Node>, Vec<String>) {
        let lines = std::iter::once(HEADING).chain(rows.iter().copied()).collect();
        let mut problems = Problems::default();
        let nodes = read(&Section { title: "GPU AVAILABILITY", lines }, &mut problems);
        (nodes.into_known().unwrap(), problems.into_vec().into_iter().map(|p| p.what).collect())
    }

    #[test]
    fn a_node_of_several_partitions_is_one_node() {
        let (nodes, problems) = table(&[
            "cpu01             1 all*             mixed   32            (null)    64000",
            "gpu01             1 ai                idle   16        gpu:a100:4    64000",
            HEADING,
            "gpu01             1 scavenge          idle   16        gpu:a100:4    64000",
            "gpu03             1 ai              mixed-   16        gpu:h100:8   128000",
            "gpu04             1 ai           draining*   16 gpu:h100:8(S:0-1)   128000",
        ]);
        assert_eq!(nodes.len(), 4);
        assert_eq!(nodes[0].partitions, ["all"]);
        assert_eq!(nodes[1].partitions, ["ai", "scavenge"]);
        assert_eq!(nodes[1].gpus, [Gpus { kind: "a100".into(), total: 4, used: Some(0) }]);
        assert_eq!((nodes[2].state.join("+"), nodes[2].gpus[0].used), ("MIXED+PLANNED".into(), None));
        assert_eq!(nodes[3].state, ["ALLOCATED", "DRAIN", "NOT_RESPONDING"]);
        assert_eq!(nodes[3].gpus[0].total, 8);
        assert_eq!(problems, ["sinfo says how many GPUs a node has, not how many are used"]);
    }

    #[test]
    fn cut_and_run_together_columns_are_said() {
        let (nodes, problems) = table(&[
            "gpu05             1 ai                idle   16 gpu:nvidia_h100_8    64000",
            "gpu06             1 ai                idle  256gpu:nvidia_h100_8    64000",
            "averylongnode     1 ai                idle   16        gpu:a100:4    64000",
        ]);
        assert_eq!(nodes.len(), 2);
        assert!(nodes[0].gpus.is_empty());
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].contains("the GPUs of gpu05 are cut"));
        assert!(problems[2].contains("1 row not understood"));
    }
}
