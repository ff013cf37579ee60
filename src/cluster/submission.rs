//! How a job was submitted: what `sbatch` was called with.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A call of `sbatch`, as accounting remembers it (`SubmitLine`, since 21.08).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Submission {
    /// The options before the script, each with its value in one word
    /// (`--mem=4G`, `-p` and `ai` become `--partition=ai` or `-pai`).
    pub options: Vec<String>,
    /// The batch script.
    pub script: String,
    /// What the script was given.
    pub arguments: Vec<String>,
}

/// Limits of a cluster that bound what can be submitted at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ArrayLimits {
    /// Indices are below this (`MaxArraySize`).
    pub size: u32,
    /// An array has at most so many tasks (`max_array_tasks`).
    pub tasks: u32,
}

impl Default for ArrayLimits {
    /// Slurm's own default.
    fn default() -> ArrayLimits {
        ArrayLimits { size: 1001, tasks: 1001 }
    }
}

impl ArrayLimits {
    /// Reads `scontrol show config`; `None` if it does not say.
    pub fn read(text: &str) -> Option<ArrayLimits> {
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once('='));
            lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
        };
        let size = value("MaxArraySize")?.parse().ok()?;
        let most = value("SchedulerParameters").and_then(|parameters| {
            parameters.split(',').find_map(|one| one.trim().strip_prefix("max_array_tasks="))?.parse().ok()
        });
        Some(ArrayLimits { size, tasks: most.unwrap_or(size).min(size) })
    }
}

/// The long options of `sbatch`: any start of a name that fits one alone is that option.
const LONG: [&str; 115] = [
    "--account",
    "--acctg-freq",
    "--array",
    "--batch",
    "--bb",
    "--bbf",
    "--begin",
    "--chdir",
    "--cluster-constraint",
    "--clusters",
    "--comment",
    "--consolidate-segments",
    "--constraint",
    "--container",
    "--container-id",
    "--contiguous",
    "--core-spec",
    "--cores-per-socket",
    "--cpu-freq",
    "--cpus-per-gpu",
    "--cpus-per-task",
    "--deadline",
    "--delay-boot",
    "--dependency",
    "--distribution",
    "--error",
    "--exclude",
    "--exclusive",
    "--export",
    "--export-file",
    "--extra",
    "--extra-node-info",
    "--get-user-env",
    "--gid",
    "--gpu-bind",
    "--gpu-freq",
    "--gpus",
    "--gpus-per-node",
    "--gpus-per-socket",
    "--gpus-per-task",
    "--gres",
    "--gres-flags",
    "--help",
    "--hint",
    "--hold",
    "--ignore-pbs",
    "--input",
    "--job-name",
    "--kill-on-invalid-dep",
    "--licenses",
    "--mail-type",
    "--mail-user",
    "--mcs-label",
    "--mem",
    "--mem-bind",
    "--mem-per-cpu",
    "--mem-per-gpu",
    "--mincpus",
    "--network",
    "--nice",
    "--no-kill",
    "--no-requeue",
    "--nodefile",
    "--nodelist",
    "--nodes",
    "--ntasks",
    "--ntasks-per-core",
    "--ntasks-per-gpu",
    "--ntasks-per-node",
    "--ntasks-per-socket",
    "--ntasks-per-tres",
    "--open-mode",
    "--output",
    "--overcommit",
    "--oversubscribe",
    "--parsable",
    "--partition",
    "--power",
    "--prefer",
    "--priority",
    "--profile",
    "--propagate",
    "--qos",
    "--quiet",
    "--reboot",
    "--requeue",
    "--reservation",
    "--resv-ports",
    "--segment",
    "--share",
    "--signal",
    "--sockets-per-node",
    "--spread-job",
    "--stepmgr",
    "--switches",
    "--tasks",
    "--tasks-per-node",
    "--test-only",
    "--thread-spec",
    "--threads-per-core",
    "--time",
    "--time-min",
    "--tmp",
    "--tres-bind",
    "--tres-per-task",
    "--uid",
    "--usage",
    "--use-min-nodes",
    "--verbose",
    "--version",
    "--wait",
    "--wait-all-nodes",
    "--wckey",
    "--workdir",
    "--wrap",
];
/// Options of `sbatch` that take no value, or only one with `=`.
const BARE: [&str; 22] = [
    "--contiguous",
    "--exclusive",
    "--get-user-env",
    "--hold",
    "--ignore-pbs",
    "--kill-on-invalid-dep",
    "--nice",
    "--no-kill",
    "--no-requeue",
    "--oversubscribe",
    "--overcommit",
    "--parsable",
    "--propagate",
    "--quiet",
    "--reboot",
    "--requeue",
    "--spread-job",
    "--use-min-nodes",
    "--verbose",
    "--wait",
    "--stepmgr",
    "--wait-all-nodes",
];
/// Its short options that take none.
const BARE_SHORT: &[u8] = b"HhkOQsvW";
/// Its short options that take a value.
const SHORT: &[u8] = b"AabcCdDeEFGiJLmMnNopqStwx";

/// Options that say which tasks, where not, or when: they belong to one call
/// and not to the next. Held jobs were released one by one, and nobody would
/// release the new ones.
const OF_ONE_CALL: [&str; 13] = [
    "--array",
    "-a",
    "--exclude",
    "-x",
    "--dependency",
    "-d",
    "--begin",
    "-b",
    "--parsable",
    "--hold",
    "-H",
    "--wait",
    "-W",
];

impl Submission {
    /// Reads the words of a call; `None` if it has none that can be told apart:
    /// another program, a wrapped command, quotes, or no script.
    ///
    /// Slurm joins the words by blanks, so a word that had a blank comes back
    /// as two. Whoever uses this looks whether the script is a file.
    pub fn read(line: &str) -> Option<Submission> {
        let line = line.trim();
        // Two blanks are of an argument that is empty, or has one itself.
        if line.contains("  ") {
            return None;
        }
        let mut words = line.split(' ');
        let program = words.next()?;
        if program.rsplit('/').next() != Some("sbatch") || line.contains(['"', '\'', '\\', '\n']) {
            return None;
        }
        let mut options = Vec::new();
        let script = loop {
            let word = words.next()?;
            if word == "--" {
                break words.next()?;
            } else if let Some(name) = word.strip_prefix("--") {
                let (name, value) =
                    name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
                let name = long(name)?;
                if matches!(name.as_str(), "--wrap" | "--test-only") {
                    return None;
                }
                let value = match value {
                    None if !BARE.contains(&name.as_str()) => Some(words.next()?),
                    value => value,
                };
                options.push(value.map_or_else(|| name.clone(), |value| format!("{name}={value}")));
            } else if let Some(letters) = word.strip_prefix('-') {
                // Letters without a value may stand together, and one with a value behind them.
                let bare = letters.bytes().take_while(|letter| BARE_SHORT.contains(letter)).count();
                let (bare, last) = letters.split_at_checked(bare)?;
                options.extend(bare.chars().map(|letter| format!("-{letter}")));
                match last.as_bytes() {
                    [] if !bare.is_empty() => {}
                    [letter] if SHORT.contains(letter) => options.push(format!("-{last}{}", words.next()?)),
                    [letter, ..] if SHORT.contains(letter) => options.push(format!("-{last}")),
                    _ => return None,
                }
            } else {
                break word;
            }
        };
        Some(Submission { options, script: script.to_owned(), arguments: words.map(str::to_owned).collect() })
    }

    /// Two words of its arguments that may have been one, if there are such: an
    /// option is told from its value, and a value from the next one is not.
    pub fn doubt(&self) -> Option<String> {
        let is_value = |word: &String| !word.starts_with('-');
        let pair = self.arguments.windows(2).find(|pair| pair.iter().all(is_value))?;
        Some(pair.join(" "))
    }

    /// True if one of its arguments may be `--wrap` of `sbatch` itself: an option
    /// before it whose value has a blank makes its second half look like a script.
    pub fn may_wrap(&self) -> bool {
        let name = |word: &String| long(word.strip_prefix("--")?.split('=').next()?);
        self.arguments.iter().filter_map(name).any(|name| name == "--wrap")
    }

    /// It as it is called in the directory in which its jobs work: without
    /// `--chdir`, which would lead from there to another one, and with the script
    /// named from where it was. `None` if that cannot be said.
    pub fn called_in(&self, work_dir: &Path) -> Option<Submission> {
        let Some(dir) = self.option(Some('D'), "--chdir").map(Path::new) else { return Some(self.clone()) };
        let script = match (Path::new(&self.script).is_absolute(), dir.is_absolute()) {
            (true, _) => self.script.clone(),
            (false, true) => return None,
            (false, false) => {
                let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
                if !dir.components().all(plain) || !work_dir.ends_with(dir) {
                    return None;
                }
                let base = work_dir.ancestors().nth(dir.components().count())?;
                base.join(&self.script).to_str()?.to_owned()
            }
        };
        let leads = |option: &&String| !option.starts_with("--chdir=") && !option.starts_with("-D");
        let options = self.options.iter().filter(leads).cloned().collect();
        Some(Submission { options, script, arguments: self.arguments.clone() })
    }

    /// The options that hold for another call too, without those named.
    pub fn lasting<'s>(&'s self, without: &'s [&str]) -> impl Iterator<Item = &'s str> {
        self.options.iter().map(String::as_str).filter(move |option| {
            !OF_ONE_CALL.iter().chain(without).any(|name| {
                let is_short = !name.starts_with("--");
                option
                    .strip_prefix(name)
                    .is_some_and(|rest| is_short || rest.is_empty() || rest.starts_with('='))
            })
        })
    }

    /// The memory that it asked for on each node, as `--mem` has it.
    pub fn memory(&self) -> Option<&str> {
        self.option(None, "--mem")
    }

    /// The value of an option, by its short letter or its long name; the last one counts.
    pub fn option(&self, short: Option<char>, long: &str) -> Option<&str> {
        self.options.iter().rev().find_map(|option| match option.strip_prefix("--") {
            Some(_) => option.strip_prefix(long)?.strip_prefix('='),
            None => option.strip_prefix('-')?.strip_prefix(short?),
        })
    }

    /// The options that a batch script gives itself in its `#SBATCH` lines,
    /// which end at the first command; `None` if they cannot be told apart.
    pub fn of_script(text: &str, script: &str) -> Option<Submission> {
        let mut line = "sbatch".to_owned();
        let comments = text.lines().take_while(|line| line.trim().is_empty() || line.starts_with('#'));
        for directive in comments.filter_map(|line| line.strip_prefix("#SBATCH")) {
            // What stands behind another `#` is a comment.
            let words = directive.split(" #").next().unwrap_or_default().replace('"', "");
            for word in words.split_whitespace() {
                line.push(' ');
                line.push_str(word);
            }
        }
        let own = Submission::read(&format!("{line} -- {}", script.replace([' ', '\'', '"', '\\'], "_")))?;
        Some(Submission { script: script.to_owned(), ..own })
    }
}

/// The whole name of a long option, with its dashes: any start of it that fits
/// no other. A name that fits none is of a plugin; `None` if it fits several.
fn long(name: &str) -> Option<String> {
    let whole = format!("--{name}");
    if LONG.contains(&whole.as_str()) || name.is_empty() {
        return Some(whole);
    }
    let mut fitting = LONG.iter().filter(|option| option.starts_with(&whole));
    match (fitting.next(), fitting.next()) {
        (Some(option), None) => Some((*option).to_owned()),
        (None, _) => Some(whole),
        _ => None,
    }
}

/// Where in a command that begins with `sbatch` the value of an option of it
/// begins, if it has that option before the script; in bytes.
pub fn value_of_option(command: &str, short: Option<char>, wanted: &str) -> Option<usize> {
    let places = command.split(' ').scan(0, |at, word| {
        let start = *at;
        *at += word.len() + 1;
        Some((start, word))
    });
    let mut words = places.filter(|(_, word)| !word.is_empty());
    words.find(|(_, word)| word.rsplit('/').next() == Some("sbatch"))?;
    let mut found = None;
    while let Some((at, word)) = words.next() {
        if word == "--" {
            break;
        } else if let Some(name) = word.strip_prefix("--") {
            let (name, value) = name.split_once('=').map_or((name, false), |(name, _)| (name, true));
            let full = long(name)?;
            let begin = match value {
                true => at + 2 + name.len() + 1,
                false if BARE.contains(&full.as_str()) => at + word.len(),
                false => words.next()?.0,
            };
            if full == wanted {
                found = Some(begin);
            }
        } else if let Some(letters) = word.strip_prefix('-') {
            let bare = letters.bytes().take_while(|letter| BARE_SHORT.contains(letter)).count();
            let mut rest = letters.get(bare..)?.chars();
            let Some(letter) = rest.next() else { continue };
            let begin = match rest.next() {
                Some(_) => at + 1 + bare + 1,
                None => words.next()?.0,
            };
            if Some(letter) == short {
                found = Some(begin);
            }
        } else if !word.starts_with('{') || word.starts_with("{script}") {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests;
