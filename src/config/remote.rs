//! Settings about the machines that work is done on over ssh.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::terms::{NotA, Seconds};

/// Other machines, and how patient we are with them.
///
/// Only settings outside of the tree say where they are: a branch that somebody
/// else wrote must not lead files or commands to a machine of its choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Machines by a name of the user's own.
    pub profiles: BTreeMap<String, RemoteProfile>,
    /// How long a connection may take to come about.
    pub connect: Seconds,
    /// How often a connection is tried that the network did not carry.
    pub tries: u32,
}

/// One other machine, as it is written: nothing of it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteProfile {
    /// What it is for.
    pub kind: RemoteKind,
    /// A host name, an address, or a `Host` of the user's own `~/.ssh/config`,
    /// where ports, keys and jump hosts belong.
    pub host: String,
    /// The user there; by default what ssh takes.
    pub user: Option<String>,
    /// The port; by default what ssh takes.
    pub port: Option<u16>,
    /// The project there, absolute or from the home directory.
    pub path: String,
    /// What `remote push` and `remote pull` leave out, as rsync's patterns.
    pub excludes: Vec<String>,
    /// A network interface that must be up here for the machine to be reached:
    /// `tun0` or `zt*` for a VPN.
    pub interface: Option<String>,
    /// Commands that `remote check` runs there, by name; each must end with 0.
    pub probes: BTreeMap<String, String>,
}

/// What another machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteKind {
    /// The login node of a Slurm cluster.
    Slurm,
    /// A machine with GPUs of its own.
    Workstation,
}

impl Default for Remote {
    fn default() -> Remote {
        Remote { profiles: BTreeMap::new(), connect: Seconds(5), tries: 3 }
    }
}

/// The part of a configuration file, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoteFile {
    #[serde(default)]
    profiles: BTreeMap<String, ProfileFile>,
    connect: Option<String>,
    tries: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFile {
    kind: RemoteKind,
    host: String,
    user: Option<String>,
    port: Option<u16>,
    path: String,
    #[serde(default)]
    excludes: Vec<String>,
    interface: Option<String>,
    #[serde(default)]
    probes: BTreeMap<String, String>,
}

impl RemoteFile {
    /// A profile that stands in a later file replaces the earlier one whole: half
    /// of two machines is no machine.
    pub fn merge(self, remote: &mut Remote) -> Result<(), NotA> {
        for (name, file) in self.profiles {
            let ProfileFile { kind, host, user, port, path, excludes, interface, probes } = file;
            let profile = RemoteProfile { kind, host, user, port, path, excludes, interface, probes };
            remote.profiles.insert(name, profile);
        }
        if let Some(text) = self.connect {
            remote.connect = Seconds::from_person(&text)?;
        }
        remote.tries = self.tries.unwrap_or(remote.tries).clamp(1, 10);
        Ok(())
    }
}
