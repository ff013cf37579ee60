#![expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The environment of the process as it was at the start.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    current_dir: PathBuf,
}

impl Environment {
    /// Reads the environment of this process.
    pub fn of_this_process() -> Environment {
        Environment {
            variables: std::env::vars_os().collect(),
            current_dir: std::env::current_dir().unwrap_or_default(),
        }
    }

    /// An environment of these variables alone, for tests.
    #[cfg(test)]
    pub fn with(variables: &[(&str, &str)]) -> Environment {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Environment { variables, current_dir: PathBuf::new() }
    }

    /// A variable that is set and not empty.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable that is set, not empty, and UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(OsStr::to_str)
    }

    /// All variables.
    pub fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Where the program was started; empty if that directory is gone.
    pub fn current_dir(&self) -> &PathBuf {
        &self.current_dir
    }

    /// The user's home directory.
    pub fn home(&self) -> Option<PathBuf> {
        self.value("HOME").map(PathBuf::from)
    }

    /// True if a program of that name can be found.
    pub fn finds_program(&self, name: &str) -> bool {
        use std::os::unix::fs::PermissionsExt;
        let is_program = |dir: PathBuf| {
            dir.join(name)
                .metadata()
                .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        self.value("PATH").is_some_and(|path| std::env::split_paths(path).any(is_program))
    }

    /// The name of this machine.
    pub fn host(&self) -> String {
        if let Some(name) = self.text("HANDOVER_HOST") {
            return name.to_owned();
        }
        let uname = rustix::system::uname();
        uname.nodename().to_string_lossy().into_owned()
    }

    /// The same as part of the name of a file or a branch: ASCII letters,
    /// digits and hyphens, at most 40.
    pub fn host_in_names(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let plain: String = self.host().chars().map(plain).take(40).collect();
        let plain = plain.trim_matches('-');
        if plain.is_empty() { "host".to_owned() } else { plain.to_owned() }
    }

    /// The number of the user who runs this.
    pub fn uid(&self) -> u32 {
        rustix::process::getuid().as_raw()
    }

    /// The name of the user, or the number where there is no name.
    pub fn user(&self) -> String {
        ["HANDOVER_USER", "USER", "LOGNAME"]
            .into_iter()
            .find_map(|name| self.text(name))
            .map_or_else(user_by_number, str::to_owned)
    }
}

/// The name of the user in the local list of users; clusters that keep theirs
/// elsewhere set `USER`.
fn user_by_number() -> String {
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let is_ours = |line: &&str| line.split(':').nth(2) == Some(uid.to_string().as_str());
    let name = users.lines().find(is_ours).and_then(|line| line.split(':').next());
    name.map_or_else(|| format!("uid {uid}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_part_of_a_name_whatever_it_is_called() {
        let named = |host: &str| Environment::with(&[("HANDOVER_HOST", host)]).host_in_names();
        assert_eq!(named("login01.cluster"), "login01-cluster");
        assert_eq!(named("../x"), "x");
        assert_eq!(named("\u{fc}"), "host");
        assert_eq!(named(&"a".repeat(80)).len(), 40);
    }
}
