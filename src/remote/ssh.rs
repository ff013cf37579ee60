//! How ssh is called.

use std::ffi::OsString;

use crate::sys::Spawn;

use super::Target;

/// The words of a call of ssh up to the host: nobody is asked anything, nothing is forwarded, and a
/// connection that has died is noticed.
///
/// Which keys are offered and whose host keys are trusted is the user's own business, in
/// `~/.ssh/config`; `StrictHostKeyChecking` in particular is never touched.
pub fn ssh_words(target: &Target) -> Vec<OsString> {
    let connect = format!("ConnectTimeout={}", target.connect.0.clamp(1, 600));
    let mut words: Vec<OsString> = vec!["ssh".into()];
    for option in [
        "BatchMode=yes",
        &connect,
        "ConnectionAttempts=1",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        "ForwardAgent=no",
        "ForwardX11=no",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
    ] {
        words.push("-o".into());
        words.push(option.into());
    }
    if let Some(user) = &target.user {
        words.extend(["-l".into(), user.as_str().into()]);
    }
    if let Some(port) = target.port {
        words.extend(["-p".into(), port.to_string().into()]);
    }
    words
}

/// A call of ssh that runs `command` there, in whatever login shell the user has: so it must be plain
/// words of ours. What is to be done goes to its standard input.
pub fn ssh(target: &Target, command: &'static str) -> Spawn {
    let mut words = ssh_words(target).into_iter();
    let program = words.next().unwrap_or_default();
    Spawn::new(program).args(words).args(["-T", "--", target.host.for_ssh(), command]).set("LC_ALL", "C")
}

/// A call of ssh that has a terminal of its own there, for a person at this one. `command` is made of
/// plain words of ours.
pub fn ssh_terminal(target: &Target, command: &str) -> Spawn {
    let mut words = ssh_words(target).into_iter();
    let program = words.next().unwrap_or_default();
    Spawn::new(program).args(words).args(["-t", "--", target.host.for_ssh(), command])
}
