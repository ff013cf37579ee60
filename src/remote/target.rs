//! A machine that can be gone to: a profile of the settings, or a host by its name.

use crate::config::{Remote, RemoteKind, RemoteProfile};
use crate::safety;
use crate::terms::Seconds;
use serde::{Deserialize, Serialize};

use super::{Host, NotOne, RemotePath, User};

/// A machine, with everything checked that goes to ssh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The profile's name, or the host as it was given.
    pub name: String,
    /// What it is for; `None` where no profile says it.
    pub kind: Option<Kind>,
    /// The host.
    pub host: Host,
    /// The user there, if it is not left to ssh.
    pub user: Option<User>,
    /// The port, if it is not left to ssh.
    pub port: Option<u16>,
    /// The project there; `None` where no profile says it.
    pub path: Option<RemotePath>,
    /// What rsync leaves out.
    pub excludes: Vec<String>,
    /// The network interface here that leads there.
    pub interface: Option<String>,
    /// Commands that must end with 0 there.
    pub probes: Vec<(String, String)>,
    /// How long a connection may take to come about.
    pub connect: Seconds,
    /// How often a connection is tried that the network did not carry; at least 1.
    pub tries: u32,
}

/// What a machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The login node of a Slurm cluster.
    Slurm,
    /// A machine with GPUs of its own.
    Workstation,
}

/// A machine that cannot be gone to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// There is no profile of this name, and it is no host.
    #[error(transparent)]
    Name(#[from] NotOne),
    /// A profile says something that cannot be used.
    #[error("the profile {} of `remote` cannot be used", safety::one_line(profile, 60))]
    Profile {
        /// Its name.
        profile: String,
        /// What is wrong.
        source: NotOne,
    },
    /// There is no profile, or none of this kind.
    #[error("the settings name no {what}")]
    None {
        /// What was looked for.
        what: &'static str,
    },
    /// Several profiles fit.
    #[error("the settings name several machines: {}", safety::one_line(&names.join(", "), 200))]
    Several {
        /// Which.
        names: Vec<String>,
    },
    /// No profile has this name.
    #[error("the settings name no machine {}", safety::one_line(name, 60))]
    Unknown {
        /// What was asked for.
        name: String,
    },
}

impl Target {
    /// The profile of this name.
    ///
    /// # Errors
    /// [`TargetError::Unknown`], and [`TargetError::Profile`] for one that cannot be used.
    pub fn profile(name: &str, settings: &Remote) -> Result<Target, TargetError> {
        match settings.profiles.get(name) {
            Some(profile) => of(name, profile, settings)
                .map_err(|source| TargetError::Profile { profile: name.to_owned(), source }),
            None => Err(TargetError::Unknown { name: name.to_owned() }),
        }
    }

    /// The profile of this name, else the host, with a user before an `@` if there is one.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn named(text: &str, settings: &Remote) -> Result<Target, TargetError> {
        if settings.profiles.contains_key(text) {
            return Target::profile(text, settings);
        }
        let (user, host) = match text.split_once('@') {
            Some((user, host)) => (Some(User::read(user)?), host),
            None => (None, text),
        };
        Ok(Target {
            name: text.to_owned(),
            kind: None,
            host: Host::read(host)?,
            user,
            port: None,
            path: None,
            excludes: Vec::new(),
            interface: None,
            probes: Vec::new(),
            connect: settings.connect,
            tries: settings.tries,
        })
    }

    /// The one profile of a kind, or of any.
    ///
    /// # Errors
    /// [`TargetError::None`] and [`TargetError::Several`].
    pub fn only(kind: Option<RemoteKind>, settings: &Remote) -> Result<Target, TargetError> {
        let fits = |profile: &&RemoteProfile| kind.is_none_or(|kind| kind == profile.kind);
        let names: Vec<&String> =
            settings.profiles.iter().filter(|(_, profile)| fits(profile)).map(|(name, _)| name).collect();
        match names.as_slice() {
            [only] => Target::profile(only, settings),
            [] => Err(TargetError::None {
                what: if kind == Some(RemoteKind::Slurm) { "login node of a cluster" } else { "machine" },
            }),
            several => {
                Err(TargetError::Several { names: several.iter().map(|name| (*name).clone()).collect() })
            }
        }
    }

    /// The machine as people write it: `user@host`, and the port if it is not ssh's own.
    pub fn address(&self) -> String {
        let user = self.user.as_ref().map(|user| format!("{}@", user.as_str())).unwrap_or_default();
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let host = if self.port.is_some() { self.host.before_colon() } else { self.host.to_string() };
        format!("{user}{host}{port}")
    }

    /// `user@host` as rsync and git take it before a colon.
    pub fn before_colon(&self) -> String {
        let user = self.user.as_ref().map(|user| format!("{}@", user.as_str())).unwrap_or_default();
        format!("{user}{}", self.host.before_colon())
    }
}

fn of(name: &str, profile: &RemoteProfile, settings: &Remote) -> Result<Target, NotOne> {
    // What goes to rsync as a pattern stands in one argument; it still has to be readable.
    let hidden = profile.excludes.iter().find(|text| safety::escape(text) != **text || text.is_empty());
    if let Some(text) = hidden {
        let why = "it is empty or holds characters that cannot be seen";
        return Err(NotOne { what: "pattern of `excludes`", text: text.clone(), why });
    }
    Ok(Target {
        name: name.to_owned(),
        kind: Some(match profile.kind {
            RemoteKind::Slurm => Kind::Slurm,
            RemoteKind::Workstation => Kind::Workstation,
        }),
        host: Host::read(&profile.host)?,
        user: profile.user.as_deref().map(User::read).transpose()?,
        port: profile.port,
        path: Some(RemotePath::read(&profile.path)?),
        excludes: profile.excludes.clone(),
        interface: profile.interface.clone(),
        probes: profile.probes.iter().map(|(name, command)| (name.clone(), command.clone())).collect(),
        connect: settings.connect,
        tries: settings.tries,
    })
}
