//! Settings about the claim on a handover.

use serde::Deserialize;

use crate::terms::{NotA, Seconds};

/// Where batons are taken besides this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baton {
    /// At which remote.
    pub remote: Whereto,
    /// How long one exchange about a baton or a document may take.
    pub limit: Seconds,
}

/// At which remote a baton is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Whereto {
    /// That of `sync`, if the repository has one.
    #[default]
    Auto,
    /// None: batons are known on this machine alone.
    Off,
    /// One by its name.
    Named(String),
}

impl Default for Baton {
    fn default() -> Baton {
        Baton { remote: Whereto::Auto, limit: Seconds(30) }
    }
}

/// The part of a configuration file, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatonFile {
    pub remote: Option<String>,
    pub limit: Option<String>,
}

impl BatonFile {
    pub fn merge(self, baton: &mut Baton) -> Result<(), NotA> {
        if let Some(remote) = self.remote {
            baton.remote = match remote.as_str() {
                "auto" => Whereto::Auto,
                "off" => Whereto::Off,
                _ => Whereto::Named(remote),
            };
        }
        if let Some(limit) = self.limit {
            baton.limit = Seconds::from_person(&limit)?;
        }
        Ok(())
    }
}
