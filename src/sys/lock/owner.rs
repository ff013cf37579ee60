use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::sys::{World, nonce};
use crate::terms::{Digest, NotA};

/// Who holds a lock, as the name of a file: enough to prove that it is dead,
/// without reading anything.
///
/// `v1~<host>~<boot>~<pid namespace>~<pid>~<start>~<Slurm job or 0>~<nonce>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Digest of the machine's id and its host name, 16 hex digits.
    host: String,
    /// Head of the id that the kernel chose at boot, 8 hex digits; `0` if unknown.
    boot: String,
    /// Inode number of the pid namespace; `0` if unknown.
    namespace: u64,
    /// Process id within that namespace.
    pub pid: u32,
    /// When the process started, in clock ticks since boot; `0` if unknown.
    start: u64,
    /// The Slurm job that it ran in, as data: only a caller may ask Slurm.
    pub slurm_job: Option<String>,
    /// What makes this one owner different from every other, 16 hex digits.
    pub nonce: String,
}

/// What can be said about the life of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs on this machine.
    Alive,
    /// It cannot run any more: its process ended, or the machine was restarted.
    Dead,
    /// It runs, or ran, where this process cannot look.
    Unproved,
}

/// What is the same for every owner on this machine in this boot.
#[derive(Debug, Clone)]
pub struct Here {
    host: String,
    has_machine_id: bool,
    boot: String,
    namespace: u64,
}

impl Here {
    /// Looks up the identity of this machine.
    pub fn look(world: &World) -> Here {
        let machine = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
            .iter()
            .find_map(|path| fs::read_to_string(path).ok())
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        let named = format!("{}\n{}", machine.as_deref().unwrap_or_default(), world.environment.host());
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let boot: String = boot.chars().filter(char::is_ascii_hexdigit).take(8).collect();
        Here {
            host: Digest::of(named.as_bytes()).to_string().chars().take(16).collect(),
            has_machine_id: machine.is_some(),
            boot: if boot.len() == 8 { boot } else { "0".into() },
            namespace: namespace().unwrap_or(0),
        }
    }

    /// A new owner: this process, for one taking of one lock.
    pub fn owner(&self, world: &World) -> std::io::Result<Owner> {
        let pid = std::process::id();
        let job = world.environment.text("SLURM_JOB_ID").filter(|text| is_job(text));
        Ok(Owner {
            host: self.host.clone(),
            boot: self.boot.clone(),
            namespace: self.namespace,
            pid,
            start: process(pid).map_or(0, |process| process.start),
            slurm_job: job.map(str::to_owned),
            nonce: nonce::<8>()?,
        })
    }

    /// Judges the life of an owner; in doubt it is not dead.
    pub fn judge(&self, owner: &Owner) -> Life {
        if owner.host != self.host {
            return Life::Unproved;
        }
        if owner.boot != self.boot {
            // Two machines may share a name; only a machine's own id proves
            // that this is the one that was restarted.
            let restarted = self.has_machine_id && owner.boot != "0" && self.boot != "0";
            return if restarted { Life::Dead } else { Life::Unproved };
        }
        if self.boot == "0" || owner.namespace != self.namespace || self.namespace == 0 {
            return Life::Unproved;
        }
        let Some(pid) = i32::try_from(owner.pid).ok().and_then(Pid::from_raw) else { return Life::Unproved };
        match test_kill_process(pid) {
            Err(Errno::SRCH) => Life::Dead,
            Err(_) => Life::Alive,
            Ok(()) => match process(owner.pid) {
                // The number was given to another process.
                Some(now) if owner.start != 0 && now.start != owner.start => Life::Dead,
                // It ended, and nobody has asked for its exit status yet.
                Some(now) if now.is_ended => Life::Dead,
                _ => Life::Alive,
            },
        }
    }
}

impl Owner {
    /// The owner whose file has this name.
    pub(super) fn of_file(name: &OsStr) -> Option<Owner> {
        name.to_str()?.parse().ok()
    }

    /// True if this program, in whatever version, may have given a file this name:
    /// `v`, a number, and `~`. What others leave in a folder (`.nfs...`) has no such name.
    pub(super) fn may_own(name: &OsStr) -> bool {
        let version = name.to_str().and_then(|name| name.strip_prefix('v')?.split_once('~'));
        version
            .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Owner { host, boot, namespace, pid, start, slurm_job, nonce } = self;
        let job = slurm_job.as_deref().unwrap_or("0");
        write!(f, "v1~{host}~{boot}~{namespace}~{pid}~{start}~{job}~{nonce}")
    }
}

impl FromStr for Owner {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Owner, NotA> {
        let wrong = || NotA::new("lock owner", text);
        let hex = |part: &str, most: usize| {
            let fits = (1..=most).contains(&part.len());
            (fits && part.bytes().all(|b| b.is_ascii_hexdigit())).then(|| part.to_owned())
        };
        let parts: Vec<&str> = text.split('~').collect();
        let ["v1", host, boot, namespace, pid, start, job, nonce] = parts.as_slice() else {
            return Err(wrong());
        };
        Ok(Owner {
            host: hex(host, 16).ok_or_else(wrong)?,
            boot: hex(boot, 8).ok_or_else(wrong)?,
            namespace: namespace.parse().map_err(|_| wrong())?,
            pid: pid.parse().map_err(|_| wrong())?,
            start: start.parse().map_err(|_| wrong())?,
            slurm_job: match *job {
                "0" => None,
                job if is_job(job) => Some(job.to_owned()),
                _ => return Err(wrong()),
            },
            nonce: hex(nonce, 16).ok_or_else(wrong)?,
        })
    }
}

fn is_job(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

fn namespace() -> Option<u64> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

struct Process {
    start: u64,
    is_ended: bool,
}

/// What the kernel says of a process: proc(5), `/proc/<pid>/stat`.
fn process(pid: u32) -> Option<Process> {
    let stat = fs::read(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    // The second field is the program's name in parentheses, which may hold
    // blanks and parentheses itself.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let state = fields.first()?;
    let threads: u64 = fields.get(17)?.parse().ok()?;
    // A first thread can end before the others, which still work.
    let is_ended = matches!(*state, "Z" | "X") && threads <= 1;
    Some(Process { start: fields.get(19)?.parse().ok()?, is_ended })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn here() -> (Here, Owner) {
        let world = World::real();
        let here = Here::look(&world);
        let owner = here.owner(&world).unwrap();
        (Here { has_machine_id: true, ..here }, owner)
    }

    #[test]
    fn this_process_lives() {
        let (here, owner) = here();
        assert_eq!(here.judge(&owner), Life::Alive);
        assert_eq!(owner.to_string().parse::<Owner>().unwrap(), owner);
        assert!(owner.to_string().len() <= 160);
    }

    #[test]
    fn only_what_is_proved_dead_is_dead() {
        let (here, owner) = here();
        let reused = Owner { start: owner.start + 1, ..owner.clone() };
        assert_eq!(here.judge(&reused), Life::Dead, "another process has the number");
        let restarted = Owner { boot: "1".into(), ..owner.clone() };
        assert_eq!(here.judge(&restarted), Life::Dead, "the machine was restarted");
        let unnamed = Here { has_machine_id: false, ..here.clone() };
        assert_eq!(unnamed.judge(&restarted), Life::Unproved, "perhaps another machine of that name");
        let gone = Owner { pid: 4_194_304, ..owner.clone() };
        assert_eq!(here.judge(&gone), Life::Dead, "no such process");
        let foreign = Owner { host: "1".into(), ..gone.clone() };
        assert_eq!(here.judge(&foreign), Life::Unproved, "another host");
        let contained = Owner { namespace: owner.namespace + 1, ..gone };
        assert_eq!(here.judge(&contained), Life::Unproved, "another pid namespace");
        let first = Owner { pid: 1, start: 0, ..owner.clone() };
        assert_eq!(here.judge(&first), Life::Alive, "not ours to signal, or without a start time");
        assert_eq!(here.judge(&Owner { pid: u32::MAX, ..owner }), Life::Unproved, "no number of a process");
    }

    #[test]
    fn what_has_no_name_of_ours_is_not_ours() {
        let (_, owner) = here();
        assert!(Owner::may_own(owner.to_string().as_ref()));
        assert!(Owner::may_own("v2~something".as_ref()), "of a later version");
        for name in [".nfs00000000012c5f3a00000001", "v~", "v1", "1~", "vx~", ".v1~", "core", ""] {
            assert!(!Owner::may_own(name.as_ref()), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_name_makes_the_reader_panic(text in "(v1~)?[\\PC~]{0,80}") {
            if let Ok(owner) = text.parse::<Owner>() {
                prop_assert!(owner.to_string().parse::<Owner>().is_ok());
            }
        }
    }
}
