use std::ffi::OsString;

use clap::Args;

use super::super::{Exit, Failure, Session};
use crate::report;
use crate::verbs::remote::Side;
use crate::verbs::remote::run::{self, Options};

/// Run a command in the project on a machine
///
/// What it prints is passed on as it comes, secrets aside; its arguments arrive byte for byte, and its
/// standard input is empty. The exit code is that of the command; 75 if the connection was lost or
/// there is none, 7 if ssh is not let in, and then standard error says `error:`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover remote run gpu -- nvidia-smi
  handover remote run gpu --below configs -- git status --short")]
pub struct RunArgs {
    /// The machine, by its name in the settings
    #[arg(value_name = "NAME")]
    machine: String,
    /// A folder of the project there
    #[arg(long, value_name = "FOLDER")]
    below: Option<String>,
    /// The command and its arguments
    #[arg(value_name = "CMD", required = true, last = true)]
    words: Vec<OsString>,
}

/// Attach this terminal to a shell on a machine that outlives the connection
///
/// It is a tmux session of the project, made if it is not there. Ctrl-b d leaves it as it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover remote shell gpu
  handover remote status gpu    names the shells that are there")]
pub struct ShellArgs {
    /// The machine, by its name in the settings
    #[arg(value_name = "NAME")]
    machine: String,
}

/// So much of an output goes into an answer in JSON, in bytes.
const MOST: usize = 4 << 20;
/// A line longer than this is passed on in parts, in bytes.
const LONGEST: usize = 256 * 1024;

/// Runs `remote run`.
pub fn run(session: &Session, args: RunArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let options = Options { machine: args.machine, below: args.below, words: args.words };
    let is_json = session.output.is_json();
    let mut sides = [Vec::new(), Vec::new()];
    let mut on = |side: Side, bytes: &[u8]| {
        let at = usize::from(side == Side::Err);
        let room = if is_json { MOST.saturating_sub(sides[at].len()).min(bytes.len()) } else { bytes.len() };
        sides[at].extend_from_slice(&bytes[..room]);
        if !is_json {
            let whole = ready(&sides[at], bytes.is_empty());
            let rest = sides[at].split_off(whole);
            session.output.pass(side == Side::Err, &std::mem::replace(&mut sides[at], rest));
        }
    };
    let outcome = run::run(&context, &options, &mut on);
    if !is_json {
        session.output.pass(false, &sides[0]);
        session.output.pass(true, &sides[1]);
    }
    let mut outcome = outcome?;
    if is_json {
        let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into_owned());
        (outcome.stdout, outcome.stderr) = (text(&sides[0]), text(&sides[1]));
        session.output.answer("remote-run", &outcome, report::remote::run)?;
    }
    Ok(Exit::Command(outcome.code))
}

/// How many bytes can be passed on: whole lines, since a secret ends with its line; what stands there
/// without an end once nothing comes any more; of a private key nothing before all of it is there.
fn ready(bytes: &[u8], is_idle: bool) -> usize {
    let opens = find(bytes, b"-----BEGIN ");
    if let Some(at) = opens.filter(|at| find(&bytes[*at..], b"-----END ").is_none() && bytes.len() < LONGEST)
    {
        return bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    }
    if is_idle || bytes.len() >= LONGEST {
        return bytes.len();
    }
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Runs `remote shell`.
pub fn shell(session: &Session, args: &ShellArgs) -> Result<Exit, Failure> {
    use std::io::IsTerminal;
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) || session.output.is_json() {
        return Err(Failure::new(Exit::Usage, "a shell needs a terminal, and there is none here")
            .hint("a single command needs none: handover remote run NAME -- CMD"));
    }
    let context = session.context()?;
    Ok(Exit::Command(run::shell(&context, &args.machine)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_are_passed_on_until_nothing_comes() {
        assert_eq!(ready(b"one\ntwo", false), 4);
        assert_eq!(ready(b"one\ntwo", true), 7);
        assert_eq!(ready(b"one", false), 0);
        let open = [b"x\n-----BEGIN ".as_slice(), b"RSA PRIVATE KEY-----\nabc\n"].concat();
        assert_eq!(ready(&open, true), 2);
        assert_eq!(ready(&[&open[..], b"-----END RSA PRIVATE KEY-----\n"].concat(), false), open.len() + 30);
    }
}
