use std::path::Path;

use super::super::{Context, Error};
use super::Outcome;
use crate::paste::FOLDER;
use crate::safety::{Redactions, redact};

/// Writes the script that a line runs, and commits that file alone: what is staged stays staged.
///
/// # Errors
/// The file cannot be written, or git takes no commit now.
pub fn commit(context: &Context, mut outcome: Outcome) -> Result<Outcome, Error> {
    let Some(placed) = outcome.script.as_mut().filter(|placed| !placed.is_committed) else {
        return Ok(outcome);
    };
    let wrong = |what: &str, hint: String| Error::Usage { what: what.to_owned(), hint };
    // It is made to travel.
    if redact(&placed.script.text, &mut Redactions::new()) != placed.script.text.as_str() {
        let hint = "keep the secret in a file there that only you can read".to_owned();
        return Err(wrong("the script would hold what looks like a secret", hint));
    }
    let top = context.repository.worktree();
    let path = top.join(&placed.script.path);
    let files = &context.world.files;
    files.ensure_dir(&top.join(FOLDER))?;
    match files.create_new(&path, placed.script.text.as_bytes(), 0o644, true) {
        Ok(()) => {}
        Err(error) if error.already_exists() => {
            let there = crate::sys::read_regular(&path, 1 << 20).ok().flatten();
            if there.as_deref() != Some(placed.script.text.as_bytes()) {
                let path = crate::safety::shell_path(Path::new(&placed.script.path)).unwrap_or_default();
                let hint = format!("look at it, and move it away: mv {path} {path}.old");
                return Err(wrong("a file of that name is there, and is another", hint));
            }
        }
        Err(error) => return Err(error.into()),
    }
    let git = context.repository.git().at(top);
    let name = placed.script.path.as_str();
    git.run(&["add", "--force", "--", name])?;
    let message = format!("paste: {name}");
    // A hook that rewrites what is committed would take its name from it.
    git.run(&["commit", "--quiet", "--no-verify", "--message", &message, "--only", "--", name])?;
    placed.is_committed = true;
    Ok(outcome)
}
