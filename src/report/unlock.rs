//! What `unlock` would break, and what it broke.

use std::path::{Path, PathBuf};

use super::View;
use crate::safety::{escape_path, shell_path};
use crate::terms::Known;
use crate::verbs::unlock::{Outcome, Plan};

/// What would be broken, for the person who is asked.
pub fn warning(plan: &Plan) -> String {
    let holder = &plan.holder;
    let life = match &holder.is_alive {
        Known::Known(true) => "it is running now, and goes on to write until it notices".to_owned(),
        Known::Known(false) => "it has ended".to_owned(),
        Known::Unknown(why) | Known::NotApplicable(why) => {
            format!("whether it is alive is unknown: {why}")
        }
    };
    format!("{holder}; {life}")
}

/// What would be broken, for one who only looks.
pub fn planned(_view: &View, plan: &Plan) -> String {
    format!("would break: {}\n{}", warning(plan), stays(&plan.in_the_way))
}

/// What was broken.
pub fn text(_view: &View, outcome: &Outcome) -> String {
    format!("broken: {}\n{}", outcome.broken, stays(&outcome.in_the_way))
}

fn stays(in_the_way: &[PathBuf]) -> String {
    let line =
        |path: &PathBuf| format!("still in the way, and no file of this program: {}\n", escape_path(path));
    in_the_way.iter().map(line).collect()
}

/// What to do about a file in a lock that this program did not put there, and does not remove.
pub fn about_strange(path: &Path) -> Vec<String> {
    let is_of_nfs = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".nfs"));
    let goes = if is_of_nfs { ", as NFS removes it once nobody has" } else { "" };
    let lock = path.parent().unwrap_or(path);
    let home = lock.parent().unwrap_or(lock);
    match (shell_path(path), shell_path(home), shell_path(lock)) {
        (Ok(file), Ok(home), _) => vec![
            format!("see what it is, and who has it open{goes}: ls -la {file}; fuser -v {file}"),
            format!("if nobody needs it there: mv -n {file} {home}"),
        ],
        (Err(_), _, Ok(lock)) => vec![format!("see what it is: ls -lab {lock}")],
        _ => vec!["see what lies in handover/lock below: git rev-parse --git-common-dir".to_owned()],
    }
}
