//! Options of `fetch`.

use clap::Args;

use super::{Exit, Failure, Session};
use crate::report;
use crate::terms::{Digest, KeyPrefix};
use crate::verbs::fetch::{self, Options};

/// Bring a handover that was made on another machine
///
/// The remote has what `sync` and `create --push` published. What comes is kept only if its bytes
/// prove its key; another document under the same key is refused and neither is changed. `resume`
/// does this by itself for a key that is unknown here.
///
/// Exit code 4: no such handover there. 5: another one is here under that key. 8: what is there is
/// not that handover. 75: the remote cannot be reached.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover fetch HO-20261121-0341-7f3a9c2e
  handover fetch 7f3a
  handover fetch 7f3a9c2e --remote backup --json

The last two lines of the answer are the document's path and its key.")]
pub struct FetchArgs {
    /// The key, its start, or the start of its hash
    key: KeyPrefix,
    /// The remote, instead of that of batons and documents
    #[arg(long, value_name = "NAME")]
    remote: Option<String>,
    /// The full digest, as its maker told it: of a key alone 32 bits are proved
    #[arg(long, value_name = "SHA256")]
    digest: Option<Digest>,
}

/// Runs `fetch`.
pub fn run(session: &Session, args: FetchArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let options = Options { key: args.key, remote: args.remote, digest: args.digest };
    let working = session.working("asking the remote");
    let outcome = fetch::run(&context, &options)?;
    drop(working);
    session.output.answer("fetch", &outcome, report::fetch::text)?;
    Ok(Exit::Done)
}
