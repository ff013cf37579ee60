//! Two branches brought to the same commit.

use super::View;
use crate::safety::{escape, escape_path, one_line};
use crate::verbs::sync::pair::{End, Here, Outcome, What};

/// So many files are named in a list.
const NAMED: usize = 20;

/// What was done, and what stands in the way.
pub fn text(_view: &View, outcome: &Outcome) -> String {
    let [work, machine] = outcome.branches.each_ref().map(|name| one_line(name, 80));
    let remote = one_line(&outcome.remote, 60);
    let mut out = match &outcome.end {
        End::Same { tip, merged, pushed } => {
            let how = if *merged { ", a merge commit of both" } else { "" };
            let pushed: Vec<String> = pushed.iter().map(|name| one_line(name, 80)).collect();
            let pushed = if pushed.is_empty() {
                "nothing to push".to_owned()
            } else {
                format!("pushed {}", pushed.join(" and "))
            };
            format!("{work} and {machine} are at {}{how} ({remote}: {pushed})\n", tip.short())
        }
        End::Conflict { files } => {
            let mut out = format!("{work} and {machine} changed the same lines; nothing was merged\n");
            for path in files.iter().take(NAMED) {
                out.push_str(&format!("  {}\n", escape_path(path)));
            }
            if files.len() > NAMED {
                out.push_str(&format!("  and {} more\n", files.len() - NAMED));
            }
            out.push_str("put them together by hand on one of the two, then again\n");
            out
        }
        End::Impossible { why } => format!("nothing was merged: {}\n", escape(why)),
        End::Offline { why } => format!("{remote} cannot be reached: {}\n", one_line(why, 200)),
        End::Refused { why } => format!("{remote} does not take it: {}\n", one_line(why, 200)),
    };
    for Here { branch, what } in &outcome.here {
        let branch = one_line(branch, 80);
        match what {
            What::AsItWas => {}
            What::Moved => out.push_str(&format!("{branch} is there too\n")),
            What::Elsewhere { worktree } => out.push_str(&format!(
                "{branch} is checked out in {} and was left alone there: handover sync\n",
                escape_path(worktree)
            )),
            What::InTheWay { files } => {
                let files: Vec<String> = files.iter().take(NAMED).map(escape_path).collect();
                out.push_str(&format!(
                    "{branch} was left alone here, files are in the way: {}\n",
                    files.join(", ")
                ));
            }
            What::MovedByOthers => {
                out.push_str(&format!("{branch} was moved by somebody else meanwhile, and left alone\n"))
            }
        }
    }
    out
}
