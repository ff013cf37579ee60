//! A real sshd on the loopback, with keys and directories of its own; gone when it is dropped.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Sandbox;
use super::cluster::skipped;

/// Where Debian and its kin keep what is not for everybody's `PATH`.
const PROGRAM: &str = "/usr/sbin/sshd";

/// Another machine: its home is `far` below the sandbox, its `PATH` is `far/bin` and the tools.
///
/// The sandbox's `ssh` knows it as `box`; it writes every call down and goes on to the real one.
pub struct Sshd {
    child: Child,
    port: u16,
    root: PathBuf,
}

impl Sshd {
    /// Starts one, or says loudly that the test named here was skipped.
    pub fn or_skip(sandbox: &Sandbox, test: &str) -> Option<Sshd> {
        Sshd::with_path_or_skip(sandbox, test, &[], &[])
    }

    /// The same with more directories on its `PATH`, and variables.
    pub fn with_path_or_skip(
        sandbox: &Sandbox,
        test: &str,
        more: &[&Path],
        variables: &[(String, String)],
    ) -> Option<Sshd> {
        let has = |name: &str| {
            std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|dir| dir.join(name).is_file())
        };
        if !Path::new(PROGRAM).is_file() || !has("ssh") || !has("ssh-keygen") {
            skipped(test, "no sshd, ssh and ssh-keygen are installed (openssh-server)");
            return None;
        }
        let root = sandbox.root().to_owned();
        for dir in ["far/bin", "sshd"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        for name in ["df", "rsync", "tmux"] {
            if has(name) {
                std::os::unix::fs::symlink(which(name), root.join("far/bin").join(name)).unwrap();
            }
        }
        let keys = root.join("sshd");
        for name in ["host", "user", "stranger"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(keys.join(name))
                .status()
                .unwrap();
            assert!(made.success());
        }
        fs::copy(keys.join("user.pub"), keys.join("authorized")).unwrap();
        // As root, sshd wants this directory of the system, which Debian makes when the service starts.
        if rustix::process::geteuid().is_root() && !Path::new("/run/sshd").exists() {
            fs::create_dir_all("/run/sshd").unwrap();
            fs::set_permissions("/run/sshd", fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut path: Vec<PathBuf> = vec![root.join("far/bin")];
        path.extend(more.iter().map(|dir| dir.to_path_buf()));
        path.push(root.join("tools"));
        let path = std::env::join_paths(path).unwrap().into_string().unwrap();
        let mut set =
            format!("SetEnv PATH={path} HOME={0}/far LC_ALL=C.UTF-8 TZ=UTC TMPDIR={0}/far", root.display());
        for (name, value) in variables {
            set.push_str(&format!(" {name}={value}"));
        }
        // Another process may take a port that was free a moment ago.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let settings = format!(
                "ListenAddress 127.0.0.1\nPort {port}\nHostKey {0}/host\nPidFile none\n\
                 AuthorizedKeysFile {0}/authorized\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
                 KbdInteractiveAuthentication no\nPermitRootLogin yes\nLogLevel ERROR\nMaxStartups 100\n\
                 PrintMotd no\nPrintLastLog no\n{set}\n\
                 ForceCommand cd \"$HOME\" && if [ -n \"$SSH_ORIGINAL_COMMAND\" ]; then exec bash -c \"$SSH_ORIGINAL_COMMAND\"; else exec bash; fi\n",
                keys.display()
            );
            fs::write(keys.join("sshd_config"), settings).unwrap();
            let log = fs::File::create(keys.join("log")).unwrap();
            let mut child = Command::new(PROGRAM)
                .args(["-D", "-e", "-f"])
                .arg(keys.join("sshd_config"))
                .env_clear()
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(20) && child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    let sshd = Sshd { child, port, root };
                    sshd.client_settings();
                    return Some(sshd);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("sshd did not start: {}", fs::read_to_string(keys.join("log")).unwrap_or_default());
    }

    /// The other machine's home.
    pub fn home(&self) -> PathBuf {
        self.root.join("far")
    }

    /// A program on the other machine's `PATH` alone, as a script for bash.
    pub fn program(&self, name: &str, script: &str) {
        let path = self.home().join("bin").join(name);
        fs::write(&path, format!("#!/usr/bin/env bash\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The arguments of every call of ssh so far.
    pub fn calls(&self) -> Vec<Vec<String>> {
        let text = fs::read(self.root.join("sshd/calls")).unwrap_or_default();
        let text = String::from_utf8(text).unwrap();
        let calls = text.split_terminator("\0\n");
        calls.map(|call| call.split('\0').map(str::to_owned).collect()).collect()
    }

    /// Ends every connection, without a word to the other side.
    pub fn cut(&self) {
        for pid in below(self.child.id()) {
            signal(pid);
        }
    }

    fn client_settings(&self) {
        let keys = self.root.join("sshd");
        let host = fs::read_to_string(keys.join("host.pub")).unwrap();
        let port = self.port;
        fs::write(keys.join("known"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        let other = fs::read_to_string(keys.join("stranger.pub")).unwrap();
        fs::write(keys.join("known_wrong"), format!("[127.0.0.1]:{port} {other}")).unwrap();
        fs::write(keys.join("known_none"), "").unwrap();
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
        let mut text = format!(
            "Host closed\n    Port {}\nHost denied\n    IdentityFile {1}/stranger\n\
             Host changed\n    UserKnownHostsFile {1}/known_wrong\nHost unknown\n    UserKnownHostsFile {1}/known_none\n\
             Host * !denied\n    IdentityFile {1}/user\n",
            free_port(),
            keys.display()
        );
        text.push_str(&format!(
            "Host *\n    HostName 127.0.0.1\n    Port {port}\n    User {}\n    IdentitiesOnly yes\n\
             \x20   IdentityAgent none\n    UserKnownHostsFile {1}/known\n    GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes\n",
            user.trim(),
            keys.display()
        ));
        fs::write(keys.join("ssh_config"), text).unwrap();
        let real = which("ssh");
        let script = format!(
            "#!/bin/sh\n{{ printf '%s\\0' \"$@\"; echo; }} >>'{0}/calls'\nexec {1} -F '{0}/ssh_config' \"$@\"\n",
            keys.display(),
            real.display()
        );
        let path = self.root.join("bin/ssh");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.cut();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program of this machine, by the `PATH` of the tests.
pub fn which(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed"))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Every process that this one has started, and those below it.
fn below(pid: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name stands in brackets and may hold anything.
        let rest = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        if let Some(parent) = rest.split(' ').nth(1).and_then(|text| text.parse::<u32>().ok()) {
            parents.push((child, parent));
        }
    }
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(one) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, parent)| *parent == one).map(|(child, _)| *child));
        at += 1;
    }
    found.remove(0);
    found
}

fn signal(pid: u32) {
    let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
}
