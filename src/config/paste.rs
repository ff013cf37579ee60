//! Settings about lines that somebody pastes on another machine.

use serde::Deserialize;

/// How lines for a phone are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paste {
    /// Where the project is on the cluster: `~/...` or `/...`; by default the path
    /// of the only profile of a Slurm cluster, else the name of the repository's folder in the
    /// home there.
    pub project: Option<String>,
    /// The command that brings the environment there up to date; by default what the
    /// project's lock file asks for, and none if it is empty.
    pub environment: Option<String>,
    /// How long a line may be, in bytes.
    pub longest: usize,
}

impl Default for Paste {
    fn default() -> Paste {
        Paste { project: None, environment: None, longest: 500 }
    }
}

/// The part of a configuration file, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PasteFile {
    pub project: Option<String>,
    pub environment: Option<String>,
    pub longest: Option<usize>,
}

impl PasteFile {
    pub fn merge(self, paste: &mut Paste) {
        paste.project = self.project.or(paste.project.take());
        paste.environment = self.environment.or(paste.environment.take());
        paste.longest = self.longest.unwrap_or(paste.longest);
    }
}
