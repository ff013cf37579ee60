//! Why another machine gave no answer.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::safety;

/// What stood in the way of an answer, with ssh's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trouble {
    /// What it was.
    pub why: Why,
    /// What ssh said of it, as it said it.
    pub words: String,
    /// How often it was tried.
    pub tries: u32,
}

/// The kinds of trouble, which ask for different things to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// No network here leads anywhere, or not the one that leads there.
    NetworkDown,
    /// Nobody knows a host of this name.
    UnknownHost,
    /// The host does not answer.
    HostDown,
    /// The host answers, and nobody listens at the port.
    Refused,
    /// The host does not take the user with the keys that there are.
    Denied,
    /// The host's key is not known, or is another one than before.
    HostKey,
    /// The connection was lost before the answer was whole.
    Cut,
    /// The connection stands, and what was asked for took too long.
    TooSlow,
    /// The machine has no bash.
    NoBash,
    /// There is no ssh here.
    NoSsh,
    /// ssh's own settings cannot be read.
    Settings,
    /// Something else.
    Other,
}

impl Why {
    /// True if the machine cannot be reached for now, and trying again later makes sense.
    pub fn is_offline(self) -> bool {
        matches!(
            self,
            Why::NetworkDown | Why::UnknownHost | Why::HostDown | Why::Refused | Why::Cut | Why::TooSlow
        )
    }

    /// True if trying again at once makes sense.
    pub(super) fn may_pass(self) -> bool {
        matches!(self, Why::HostDown | Why::Refused | Why::Cut)
    }

    /// The kind in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Why::NetworkDown => "the network is down here",
            Why::UnknownHost => "no host has that name",
            Why::HostDown => "the host does not answer",
            Why::Refused => "the host refuses connections",
            Why::Denied => "the host does not let us in",
            Why::HostKey => "the host's key is not trusted",
            Why::Cut => "the connection was lost",
            Why::TooSlow => "it took too long",
            Why::NoBash => "there is no bash there",
            Why::NoSsh => "ssh is not installed here",
            Why::Settings => "ssh's settings cannot be used",
            Why::Other => "ssh failed",
        }
    }

    /// Reads what ssh says on standard error when it ends with 255 (sshconnect.c, clientloop.c,
    /// packet.c; the C library's words for errors).
    pub fn of_words(text: &str) -> Why {
        let has = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
        if has(&[
            "REMOTE HOST IDENTIFICATION HAS CHANGED",
            "Host key verification failed",
            "No host key is known",
        ]) {
            return Why::HostKey;
        }
        if has(&["Permission denied (", "Too many authentication failures", "No more authentication methods"])
        {
            return Why::Denied;
        }
        if has(&[
            "Bad configuration option",
            "Bad owner or permissions",
            "no argument after keyword",
            "terminating, ",
        ]) {
            return Why::Settings;
        }
        if has(&["Temporary failure in name resolution", "Network is unreachable", "Network is down"]) {
            return Why::NetworkDown;
        }
        if has(&["Could not resolve hostname"]) {
            return Why::UnknownHost;
        }
        if has(&["Connection refused"]) {
            return Why::Refused;
        }
        if has(&["timed out during banner exchange", "No route to host", "Host is down"]) {
            return Why::HostDown;
        }
        if has(&["connect to host"]) && has(&["timed out"]) {
            return Why::HostDown;
        }
        let cut = [
            "Connection closed",
            "Connection reset",
            "Broken pipe",
            "not responding",
            "timed out",
            "closed by",
        ];
        if has(&cut) { Why::Cut } else { Why::Other }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why.in_words())?;
        if !self.words.is_empty() {
            write!(f, " ({})", safety::one_line(&self.words, 200))?;
        }
        if self.tries > 1 {
            write!(f, ", {} tries", self.tries)?;
        }
        Ok(())
    }
}

/// The line of ssh's words that tells most: not a banner of the host, not what follows from it.
pub fn telling_line(text: &str) -> &str {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let signs = [
        "ssh:",
        "kex_exchange",
        "Permission denied",
        "Host key",
        "Connection ",
        "Timeout",
        "client_loop",
        "Bad ",
        "@",
    ];
    lines()
        .rev()
        .find(|line| signs.iter().any(|sign| line.contains(sign)))
        .or_else(|| lines().next_back())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_says_is_told_apart() {
        for (text, why) in [
            ("ssh: Could not resolve hostname nohost: Name or service not known", Why::UnknownHost),
            ("ssh: Could not resolve hostname x: Temporary failure in name resolution", Why::NetworkDown),
            ("ssh: connect to host x port 22: Network is unreachable", Why::NetworkDown),
            ("ssh: connect to host x port 22: No route to host", Why::HostDown),
            ("ssh: connect to host 10.0.0.1 port 22: Connection timed out", Why::HostDown),
            ("Connection timed out during banner exchange\nConnection to x port 22 timed out", Why::HostDown),
            ("ssh: connect to host x port 22: Connection refused", Why::Refused),
            ("ann@x: Permission denied (publickey,password).", Why::Denied),
            ("Host key verification failed.", Why::HostKey),
            ("kex_exchange_identification: Connection closed by remote host", Why::Cut),
            ("client_loop: send disconnect: Broken pipe", Why::Cut),
            ("Timeout, server x not responding.", Why::Cut),
            ("/h/.ssh/config: line 3: Bad configuration option: foo", Why::Settings),
            ("something new", Why::Other),
        ] {
            assert_eq!(Why::of_words(text), why, "{text}");
        }
        let text = "Welcome to the cluster!\n\nann@x: Permission denied (publickey).\n";
        assert_eq!(telling_line(text), "ann@x: Permission denied (publickey).");
    }
}
