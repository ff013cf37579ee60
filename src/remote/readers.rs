//! Readers of what other machines print, as plain functions: nothing is asked.

use serde::{Deserialize, Serialize};

use crate::safety::clip;
use crate::terms::{Bytes, Seconds};

pub use super::ask::sections;
pub use super::disk::{disk, quotas};
pub use super::rsync::items;

/// A GPU at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gpu {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// How busy it is, in percent; `None` where it does not say.
    pub busy: Option<u8>,
    /// Memory in use.
    pub used: Option<Bytes>,
    /// Its memory.
    pub total: Option<Bytes>,
    /// Its temperature in degrees Celsius.
    pub degrees: Option<u16>,
}

/// A machine's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Memory {
    /// All of it.
    pub total: Bytes,
    /// What new work can have.
    pub free: Bytes,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// How long it has been there.
    pub age: Seconds,
    /// How much of one processor it used since it began, in percent.
    pub busy: f32,
    /// Its memory.
    pub memory: Bytes,
    /// What it is called with.
    pub command: String,
}

impl Process {
    /// True for what ssh and our own question started.
    pub fn is_ours(&self) -> bool {
        let program = self.command.split(' ').next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default();
        matches!(program, "sshd:" | "(sd-pam)" | "ps" | "timeout" | "systemd")
            || self.command.contains("bash -s")
    }
}

/// More rows than this are no list.
const MOST: usize = 4096;
/// So much of a name or a command is kept.
const LONGEST: usize = 300;
const MIB: u64 = 1 << 20;

/// Reads `nvidia-smi --query-gpu=index,name,utilization.gpu,memory.used,memory.total,temperature.gpu
/// --format=csv,noheader,nounits`: MiB and percent; `[N/A]` or `[Not Supported]` where it does not know. A
/// name may hold commas.
pub fn gpus(text: &str) -> Vec<Gpu> {
    text.lines().filter_map(gpu).take(MOST).collect()
}

fn gpu(line: &str) -> Option<Gpu> {
    let (index, rest) = line.split_once(',')?;
    let mut fields = rest.rsplitn(5, ',').map(str::trim);
    let (degrees, total, used, busy) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let name = fields.next()?;
    let mib = |text: &str| text.parse::<u64>().ok().and_then(|mib| mib.checked_mul(MIB)).map(Bytes);
    Some(Gpu {
        index: index.trim().parse().ok()?,
        name: clip(name, LONGEST),
        busy: busy.parse().ok(),
        used: mib(used),
        total: mib(total),
        degrees: degrees.parse().ok(),
    })
}

/// Reads `/proc/meminfo` (proc(5)): KiB.
pub fn memory(text: &str) -> Option<Memory> {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024).map(Bytes)
    };
    Some(Memory { total: value("MemTotal")?, free: value("MemAvailable").or_else(|| value("MemFree"))? })
}

/// Reads `ps -o pid=,etimes=,pcpu=,rss=,args=`: seconds, percent, KiB, and the rest of the line.
pub fn processes(text: &str) -> Vec<Process> {
    text.lines().filter_map(process).take(MOST).collect()
}

fn process(line: &str) -> Option<Process> {
    let mut rest = line.trim_start();
    let mut word = || {
        let (word, after) = rest.split_once(char::is_whitespace)?;
        rest = after.trim_start();
        Some(word)
    };
    let (pid, age, busy, memory) = (word()?, word()?, word()?, word()?);
    let busy: f32 = busy.parse().ok().filter(|busy: &f32| busy.is_finite())?;
    Some(Process {
        pid: pid.parse().ok()?,
        age: Seconds(age.parse().ok()?),
        busy,
        memory: Bytes(memory.parse::<u64>().ok()?.checked_mul(1024)?),
        command: clip(rest.trim_end(), LONGEST),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn gpus_are_read_with_what_they_do_not_say() {
        let read = gpus(
            "0, NVIDIA A100-SXM4-80GB, 97, 61234, 81920, 64\n1, NVIDIA, odd, [N/A], 0, 81920, [Not Supported]\nNo devices were found\n",
        );
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[0].busy, read[0].used, read[0].degrees),
            (Some(97), Some(Bytes(61234 * MIB)), Some(64))
        );
        assert_eq!((read[1].name.as_str(), read[1].busy, read[1].degrees), ("NVIDIA, odd", None, None));
    }

    #[test]
    fn memory_and_processes_are_read() {
        let text = "MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:    400 kB\n";
        assert_eq!(memory(text), Some(Memory { total: Bytes(1_024_000), free: Bytes(409_600) }));
        assert_eq!(memory("MemTotal: x kB\n"), None);
        let read =
            processes("  12   3600 99.5  2048 python train.py  --lr 1\n 13 1 0.0 4 sshd: ann@notty\nx\n");
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[0].pid, read[0].memory, read[0].command.as_str()),
            (12, Bytes(2 << 20), "python train.py  --lr 1")
        );
        assert!(read[1].is_ours() && !read[0].is_ours());
    }

    proptest! {
        #[test]
        fn whatever_is_printed_the_readers_do_not_panic(text in "([-0-9.,:kB %a-zE\n\\[\\]]{0,16}|-?[0-9]{0,40}[, ]|Mem(Total|Free): ){0,20}") {
            let _ = (gpus(&text), memory(&text), processes(&text));
        }
    }
}
