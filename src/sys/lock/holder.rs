use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::owner::{Here, Life, Owner};
use crate::safety::one_line;
use crate::sys::World;
use crate::terms::{Digest, Known, Seconds, Time};

/// Who holds a lock, for people and for `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Holder {
    /// What `handover unlock` takes.
    pub id: String,
    /// The user's name.
    pub user: Known<String>,
    /// The machine's name.
    pub host: Known<String>,
    /// The process on that machine.
    pub pid: Known<u32>,
    /// The Slurm job in which it ran; left out if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slurm_job: Option<String>,
    /// What it is doing, as a verb.
    pub purpose: Known<String>,
    /// Since when it holds the lock, by its own clock.
    pub taken: Known<Time>,
    /// How long ago that was.
    pub age: Known<Seconds>,
    /// True if it runs on this machine, false if it has ended.
    pub is_alive: Known<bool>,
    /// Set if it is no holder but a file that this program did not put there, as
    /// the rest that NFS keeps of a file in use: where it is.
    #[serde(skip)]
    pub strange: Option<PathBuf>,
}

/// What an owner writes into its file, for people; nothing is decided by it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    tool: String,
    user: String,
    host: String,
    dir: String,
    purpose: String,
    taken: Time,
}

impl Note {
    pub(super) fn of(world: &World, purpose: &str) -> Note {
        Note {
            tool: format!("handover {}", env!("CARGO_PKG_VERSION")),
            user: world.environment.user(),
            host: world.environment.host(),
            dir: crate::safety::escape_path(world.environment.current_dir()),
            purpose: purpose.to_owned(),
            taken: world.clock.now(),
        }
    }

    pub(super) fn line(&self) -> String {
        // Strings and a time: this cannot fail, and nothing depends on it.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

impl Holder {
    pub(super) fn read(here: &Here, dir: &Path, name: &OsStr, now: Time) -> Holder {
        let unreadable = || "its file cannot be read".to_owned();
        let path = dir.join(name);
        let owner = Owner::of_file(name);
        let note = read_capped(&path).and_then(|text| serde_json::from_str::<Note>(&text).ok());
        let known = |text: Option<String>| {
            text.map_or_else(|| Known::Unknown(unreadable()), |text| Known::Known(one_line(&text, 80)))
        };
        let taken = note.as_ref().map(|note| note.taken);
        let time = |time: Option<Time>| time.map_or_else(|| Known::Unknown(unreadable()), Known::Known);
        Holder {
            id: owner.as_ref().map_or_else(
                || Digest::of(name.as_encoded_bytes()).to_string().chars().take(16).collect(),
                |owner| owner.nonce.clone(),
            ),
            pid: owner.as_ref().map_or_else(|| Known::Unknown(unreadable()), |owner| Known::Known(owner.pid)),
            is_alive: match owner.as_ref().map(|owner| here.judge(owner)) {
                Some(Life::Alive) => Known::Known(true),
                Some(Life::Dead) => Known::Known(false),
                Some(Life::Unproved) => Known::Unknown("it runs where this process cannot look".into()),
                None => Known::Unknown(unreadable()),
            },
            slurm_job: owner.and_then(|owner| owner.slurm_job),
            user: known(note.as_ref().map(|note| note.user.clone())),
            host: known(note.as_ref().map(|note| note.host.clone())),
            purpose: known(note.map(|note| note.purpose)),
            taken: time(taken),
            age: time(taken).map(|taken| taken.age(now)),
            strange: (!Owner::may_own(name)).then_some(path),
        }
    }

    /// The command that takes the lock away from this holder.
    pub fn unlock_command(&self) -> String {
        format!("handover unlock {}", self.id)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.strange {
            return f.write_str(&super::strange(path));
        }
        let text = |value: &Known<String>| value.known().cloned().unwrap_or_else(|| "unknown".into());
        write!(f, "{} on {}", text(&self.user), text(&self.host))?;
        if let Known::Known(pid) = self.pid {
            write!(f, " (process {pid}")?;
            if let Some(job) = &self.slurm_job {
                write!(f, " in job {job}")?;
            }
            f.write_str(")")?;
        }
        write!(f, " holds the lock to {}", text(&self.purpose))?;
        match (&self.taken, &self.age) {
            (Known::Known(taken), Known::Known(age)) => write!(f, ", since {taken} ({age})"),
            _ => f.write_str(", since an unknown time"),
        }
    }
}

fn read_capped(path: &Path) -> Option<String> {
    // Opening a pipe that somebody put there would wait for ever.
    std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let mut text = String::new();
    File::open(path).ok()?.take(4096).read_to_string(&mut text).ok()?;
    Some(text)
}
