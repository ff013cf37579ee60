use std::io::{self, IsTerminal};

use dialoguer::Confirm;

use super::{Exit, Failure, Session};
use crate::safety::{Redactions, redact};

impl Session<'_> {
    /// Asks before something is done that cannot be taken back.
    ///
    /// `--yes` answers; without a terminal and without `--yes` nothing is done.
    ///
    /// # Errors
    /// A failure with exit code 5 unless the answer is yes.
    pub fn confirm(&self, what: &str, question: &str) -> Result<(), Failure> {
        if self.globals.yes {
            self.output.note(what);
            return Ok(());
        }
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Err(Failure::new(Exit::Refused, format!("not done without a yes: {what}"))
                .hint("run the same command again with --yes"));
        }
        let asked = format!("{what}\n{question}");
        match Confirm::new().with_prompt(redact(&asked, &mut Redactions::new())).default(false).interact() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::new(Exit::Refused, "not done: the answer was no")),
            Err(e) => Err(Failure::new(Exit::Outside, format!("cannot ask on this terminal: {e}"))
                .hint("run the same command again with --yes")),
        }
    }
}
