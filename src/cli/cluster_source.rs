//! The option of every verb that looks at the cluster.

use std::path::Path;

use clap::Args;

use super::Session;
use crate::config::Source;

/// Where the answers about the cluster come from, for this call.
#[derive(Debug, Clone, Args)]
pub struct ClusterArgs {
    /// Where to look at the cluster: auto, local, none, ssh:HOST, or the path of a state file
    ///
    /// auto asks Slurm's commands here, else reads the newest state file that
    /// the repository knows. HOST is a machine of the settings (`remote`), or any that ssh knows.
    #[arg(long = "cluster", value_name = "SOURCE")]
    source: Option<String>,
}

impl ClusterArgs {
    /// The source that was named; a path counts from where the program was called.
    pub fn source(&self, session: &Session) -> Option<Source> {
        match Source::read(self.source.as_deref()?) {
            Source::File(path) => Some(Source::File(session.dir().join(path))),
            source => Some(source),
        }
    }

    /// The option as it was given, for a command that goes on from this one: ` --cluster FILE`,
    /// or nothing. With `-C` before it, if that was given.
    pub fn again(&self, session: &Session) -> String {
        let source = self.source.as_deref().map(Path::new);
        session.again("-C", session.globals.dir.as_deref()) + &session.again("--cluster", source)
    }
}
