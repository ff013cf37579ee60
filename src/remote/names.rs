//! Names that ssh, rsync and git take as nothing but names.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::safety;

/// A name that no program is given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is no {what}: {why}", safety::code_span(&safety::clip(text, 80)))]
pub struct NotOne {
    /// What it was to be.
    pub what: &'static str,
    /// What stands there.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The longest host name, as in DNS.
const LONGEST_HOST: usize = 253;
/// The longest user name that is passed on.
const LONGEST_USER: usize = 64;
/// The longest path, as in Linux.
const LONGEST_PATH: usize = 4096;

/// A host name, an IPv4 address, an IPv6 address, or a `Host` of the user's ssh settings.
///
/// Letters, digits, `.`, `_` and `-`, not beginning with `-` or `.`; or an IPv6 address, with or without
/// brackets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Host(String);

impl Host {
    /// Reads a host.
    ///
    /// # Errors
    /// [`NotOne`] for whatever a program might take for anything else.
    pub fn read(text: &str) -> Result<Host, NotOne> {
        let wrong = |why| NotOne { what: "host", text: text.to_owned(), why };
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if inner.contains(':') {
            let (address, zone) = inner.split_once('%').unwrap_or((inner, "x"));
            let is_zone = !zone.is_empty() && zone.len() <= 15 && zone.bytes().all(is_plain);
            let is_address = address.parse::<std::net::Ipv6Addr>().is_ok();
            return match is_address && is_zone {
                true => Ok(Host(inner.to_owned())),
                false => Err(wrong("only an IPv6 address holds a colon; a port goes into its own setting")),
            };
        }
        match text.bytes().next() {
            None => Err(wrong("it is empty")),
            Some(b'-' | b'.') => Err(wrong("it begins like an option or a path")),
            _ if text.len() > LONGEST_HOST => Err(wrong("it is too long")),
            _ if !text.bytes().all(is_plain) => {
                Err(wrong("a host has letters, digits, dots, dashes and underscores"))
            }
            _ => Ok(Host(text.to_owned())),
        }
    }

    /// As ssh takes it: an IPv6 address without brackets.
    pub fn for_ssh(&self) -> &str {
        &self.0
    }

    /// As rsync and git take it before a colon: an IPv6 address in brackets.
    pub fn before_colon(&self) -> String {
        if self.0.contains(':') { format!("[{}]", self.0) } else { self.0.clone() }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user on another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct User(String);

impl User {
    /// Reads a user's name.
    ///
    /// # Errors
    /// [`NotOne`] for whatever a program might take for anything else.
    pub fn read(text: &str) -> Result<User, NotOne> {
        let wrong = |why| NotOne { what: "user", text: text.to_owned(), why };
        match text.bytes().next() {
            None => Err(wrong("it is empty")),
            Some(b'-' | b'.') => Err(wrong("it begins like an option or a path")),
            _ if text.len() > LONGEST_USER => Err(wrong("it is too long")),
            _ if !text.bytes().all(is_plain) => {
                Err(wrong("a user has letters, digits, dots, dashes and underscores"))
            }
            _ => Ok(User(text.to_owned())),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A path on another machine: absolute, or from the user's home there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct RemotePath(String);

impl RemotePath {
    /// Reads a path; `~/` at its beginning is the home directory, which is where relative ones begin.
    ///
    /// # Errors
    /// [`NotOne`] for a path with characters that cannot be seen, another user's home, or one that a
    /// program might take for an option or a URL.
    pub fn read(text: &str) -> Result<RemotePath, NotOne> {
        let wrong = |why| NotOne { what: "path on another machine", text: text.to_owned(), why };
        let path = match text {
            "~" | "~/" => ".",
            text => text.strip_prefix("~/").map(|rest| rest.trim_start_matches('/')).unwrap_or(text),
        };
        if path.is_empty() {
            return Err(wrong("it is empty"));
        }
        if path.len() > LONGEST_PATH {
            return Err(wrong("it is too long"));
        }
        if safety::escape(path) != path {
            return Err(wrong("it holds characters that cannot be seen"));
        }
        if path.starts_with('-') {
            return Err(wrong("it begins like an option"));
        }
        if path.starts_with('~') {
            return Err(wrong("only one's own home can be named by ~/"));
        }
        // `ext::` runs a command, `host::` is a daemon's module, `scheme://` a URL.
        let first = path.split('/').next().unwrap_or_default();
        if first.contains(':') {
            return Err(wrong("what stands before the first slash holds a colon"));
        }
        Ok(RemotePath(path.to_owned()))
    }

    /// The path, which is absolute or counts from the home directory.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A path below this one.
    ///
    /// # Errors
    /// [`NotOne`] as for [`RemotePath::read`].
    pub fn join(&self, below: &str) -> Result<RemotePath, NotOne> {
        RemotePath::read(&format!("{}/{below}", self.0.trim_end_matches('/')))
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.starts_with('/') {
            f.write_str("~/")?;
        }
        f.write_str(&self.0)
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts_are_names_and_addresses_alone() {
        for good in ["gpu-box", "login1.cluster.example", "10.0.0.7", "_gateway", "::1", "fe80::1%eth0"] {
            assert_eq!(Host::read(good).unwrap().for_ssh(), good);
        }
        let six = Host::read("[2001:db8::7]").unwrap();
        assert_eq!((six.for_ssh(), six.before_colon().as_str()), ("2001:db8::7", "[2001:db8::7]"));
        for bad in [
            "",
            "-oProxyCommand=touch x",
            "-p",
            ".ssh",
            "a b",
            "a\nb",
            "host:22",
            "a;b",
            "$(x)",
            "`x`",
            "ext::sh",
            "ssh://host",
            "user@host",
            "a/b",
            "höst",
            "%h",
            "[-x]",
            "fe80::1%-x y",
        ] {
            assert!(Host::read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn paths_are_absolute_or_from_home() {
        for (text, kept, shown) in [
            ("~/src/project", "src/project", "~/src/project"),
            ("src/a b", "src/a b", "~/src/a b"),
            ("/data/x:y", "/data/x:y", "/data/x:y"),
            ("~", ".", "~/."),
        ] {
            let path = RemotePath::read(text).unwrap();
            assert_eq!((path.as_str(), path.to_string().as_str()), (kept, shown));
        }
        for bad in
            ["", "-x", "~/-x", "~bob/x", "ext::sh -c x", "host:x", "ssh://h/x", "a\nb", "a\u{202e}b", "~/~x"]
        {
            assert!(RemotePath::read(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_passes_for_a_name_is_no_option_and_has_no_shell_in_it(text in "\\PC{0,30}|[-a-z:@/~$`;'\"\\[\\]% \n]{0,12}") {
            for name in [Host::read(&text).map(|host| host.to_string()), User::read(&text).map(|user| user.0)]
                .into_iter()
                .flatten()
            {
                prop_assert!(!name.starts_with('-') && !name.is_empty());
                prop_assert!(name.bytes().all(|byte| is_plain(byte) || b":%".contains(&byte)));
            }
            if let Ok(path) = RemotePath::read(&text) {
                prop_assert!(!path.as_str().starts_with('-') && !path.as_str().contains('\n'));
            }
        }
    }
}
