//! Runs that are alike, in one line together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{line, why, word};
use crate::checkpoint::Survey;
use crate::report::lines::Lines;
use crate::report::{Style, View, paint};
use crate::safety::one_line;
use crate::terms::{TaskIds, by_number};

/// So many names are shown of runs whose names are no numbers.
const MOST_NAMES: usize = 8;

/// What runs have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Like {
    /// The newest step is what is resumed from.
    Intact,
    /// Something newer was refused: what it is.
    Refused(String),
    /// Nothing can be resumed from: what there is.
    Nothing(String),
}

/// Writes a line for each group; the runs that are like no other come back.
pub fn groups<'s>(view: &View, runs: &'s [Survey], out: &mut String) -> Vec<&'s Survey> {
    let mut groups: BTreeMap<Like, Vec<&Survey>> = BTreeMap::new();
    let mut odd = Vec::new();
    for run in runs {
        match like(run) {
            Some(like) => groups.entry(like).or_default().push(run),
            None => odd.push(run),
        }
    }
    for (like, runs) in groups {
        let what = match &like {
            Like::Intact => paint(Style::Good, &format!("newest step intact{}", steps(&runs))),
            Like::Refused(words) => {
                format!("an older step{}: what is newer is {}", steps(&runs), paint(Style::Watch, words))
            }
            Like::Nothing(words) => format!("{}: {words}", paint(Style::Bad, "nothing to resume from")),
        };
        let count = format!("{:>4} {}", runs.len(), by_number(runs.len(), "run", "runs"));
        let mut lines = Lines { out: &mut *out, width: view.width };
        lines.add(&count, &what);
        for (parent, names) in by_parent(&runs) {
            lines.add_in("", &format!("{}/{names}", view.path(parent)), 2);
        }
        if let Some(refused) = runs.iter().find_map(|run| run.refused.first()) {
            let example = format!("such as {}: {}", view.path(&refused.path), why(refused));
            lines.add_in("", &example, 2);
        }
    }
    if !odd.is_empty() && odd.len() < runs.len() {
        line(out, &format!("{} more, each by itself:", odd.len()));
    }
    odd
}

/// What a run is like; `None` if it has to be looked at by itself.
fn like(run: &Survey) -> Option<Like> {
    if !run.unread.is_empty() || run.newer_but_lower.is_some() {
        return None;
    }
    let words: BTreeSet<&str> = run.refused.iter().map(|refused| word(&refused.verdict)).collect();
    let words = words.into_iter().collect::<Vec<_>>().join(" or ");
    Some(match (&run.best, run.refused.is_empty()) {
        (Some(_), true) => Like::Intact,
        (Some(_), false) => Like::Refused(words),
        (None, true) => Like::Nothing("no checkpoint of it is sound".to_owned()),
        (None, false) => Like::Nothing(words),
    })
}

/// The lowest and the highest step that is resumed from.
fn steps(runs: &[&Survey]) -> String {
    let steps = || runs.iter().filter_map(|run| run.best.as_ref()?.step);
    match (steps().min(), steps().max()) {
        (Some(least), Some(most)) if least == most => format!(" (step {least})"),
        (Some(least), Some(most)) => format!(" (steps {least} to {most})"),
        _ => String::new(),
    }
}

/// The runs' names below each folder: numbers compressed, of others the first ones.
fn by_parent<'s>(runs: &[&'s Survey]) -> Vec<(&'s Path, String)> {
    let mut parents: Vec<(&Path, Vec<String>)> = Vec::new();
    for run in runs {
        let parent = run.dir.parent().unwrap_or(Path::new("/"));
        let name = run.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match parents.iter_mut().find(|(known, _)| *known == parent) {
            Some((_, names)) => names.push(name),
            None => parents.push((parent, vec![name])),
        }
    }
    parents.into_iter().map(|(parent, names)| (parent, shown(&names))).collect()
}

fn shown(names: &[String]) -> String {
    let number = |name: &String| name.parse::<u32>().ok().filter(|number| number.to_string() == *name);
    if let Some(numbers) = names.iter().map(number).collect::<Option<TaskIds>>() {
        return if names.len() == 1 { numbers.to_string() } else { format!("{{{numbers}}}") };
    }
    let first: Vec<String> = names.iter().take(MOST_NAMES).map(|name| one_line(name, 60)).collect();
    match names.len().saturating_sub(MOST_NAMES) {
        0 if names.len() == 1 => first.concat(),
        0 => format!("{{{}}}", first.join(",")),
        more => format!("{{{}}} and {more} more", first.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compressed_where_they_are_numbers() {
        let of = |names: &[&str]| shown(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["0", "1", "2", "7"]), "{0-2,7}");
        assert_eq!(of(&["7"]), "7");
        assert_eq!(of(&["07", "8"]), "{07,8}");
        assert_eq!(of(&["a"; 10]), "{a,a,a,a,a,a,a,a} and 2 more");
    }
}
