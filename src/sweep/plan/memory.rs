//! How much memory the jobs of a sweep asked for, as `sbatch` takes it.

use crate::cluster::Submission;
use crate::terms::Bytes;

/// What jobs asked for, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// So much.
    Amount {
        /// How much.
        bytes: Bytes,
        /// Of what.
        per: Per,
        /// Who says so, in words.
        source: String,
    },
    /// All that a node has: `--mem=0`.
    Everything {
        /// Who says so, in words.
        source: String,
    },
}

/// What an amount of memory is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// Each node.
    Node,
    /// Each CPU.
    Cpu,
    /// Each GPU.
    Gpu,
}

impl Per {
    pub(super) const ALL: [Per; 3] = [Per::Node, Per::Cpu, Per::Gpu];

    /// The option of `sbatch`.
    pub fn option(self) -> &'static str {
        match self {
            Per::Node => "--mem",
            Per::Cpu => "--mem-per-cpu",
            Per::Gpu => "--mem-per-gpu",
        }
    }

    /// What it is for, in words; nothing for a node, which is what people mean.
    pub(super) fn words(self) -> &'static str {
        match self {
            Per::Node => "",
            Per::Cpu => " for each CPU",
            Per::Gpu => " for each GPU",
        }
    }
}

impl Asked {
    /// What options of `sbatch` ask for: the last one counts.
    pub fn of_options(submission: &Submission, source: &str) -> Option<Asked> {
        submission.options.iter().rev().find_map(|option| {
            let (name, value) = option.split_once('=')?;
            let per = Per::ALL.into_iter().find(|per| per.option() == name)?;
            Asked::of(value, per, source)
        })
    }

    /// What an option or a field of accounting says: a number with K, M, G or T,
    /// megabytes without; nothing of a node means all of it.
    pub fn of(value: &str, per: Per, source: &str) -> Option<Asked> {
        let value = value.trim();
        let value = value.strip_suffix(['B', 'b']).unwrap_or(value);
        let bytes: Bytes = match value.bytes().all(|b| b.is_ascii_digit()) {
            true => format!("{value}M").parse().ok()?,
            false => value.parse().ok()?,
        };
        let source = source.to_owned();
        match (bytes, per) {
            (Bytes(0), Per::Node) => Some(Asked::Everything { source }),
            (Bytes(0), _) => None,
            _ => Some(Asked::Amount { bytes, per, source }),
        }
    }

    /// The best of what several sources say. What jobs were given is the truth of
    /// it; whether that is of a node or of a CPU only the options tell.
    pub fn best(
        call: Option<Asked>,
        accounting: Option<Asked>,
        script: Option<Asked>,
        queue: Option<Asked>,
    ) -> Option<Asked> {
        let is_plain = |asked: &Asked| matches!(asked, Asked::Amount { per: Per::Node, .. });
        let form = call.clone().or_else(|| script.clone());
        match form {
            Some(form) if !is_plain(&form) => Some(form),
            _ => call.or(accounting).or(queue).or(script),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Option<Asked> {
        Asked::of_options(&Submission::read(line).unwrap(), "its call")
    }

    fn amount(bytes: u64, per: Per) -> Option<Asked> {
        Some(Asked::Amount { bytes: Bytes(bytes), per, source: "its call".to_owned() })
    }

    #[test]
    fn memory_is_read_in_every_form_that_sbatch_takes() {
        for (text, bytes) in [
            ("500", 500 << 20),
            ("500M", 500 << 20),
            ("500MB", 500 << 20),
            ("512000K", 512_000 << 10),
            ("4G", 4 << 30),
            ("4g", 4 << 30),
            ("1T", 1 << 40),
        ] {
            assert_eq!(asked(&format!("sbatch --mem={text} x.sh")), amount(bytes, Per::Node), "{text}");
        }
        assert_eq!(asked("sbatch --mem-per-cpu 2G x.sh"), amount(2 << 30, Per::Cpu));
        assert_eq!(asked("sbatch --mem=1G --mem-per-gpu=20G x.sh"), amount(20 << 30, Per::Gpu));
        let everything = Some(Asked::Everything { source: "its call".to_owned() });
        assert_eq!(asked("sbatch --mem=0 x.sh"), everything);
        for line in [
            "sbatch x.sh",
            "sbatch --mem=lots x.sh",
            "sbatch --mem-per-cpu=0 x.sh",
            "sbatch --mem-bind=local x.sh",
        ] {
            assert_eq!(asked(line), None, "{line}");
        }
    }

    #[test]
    fn what_jobs_were_given_counts_more_than_what_the_script_says_now() {
        let of = |value: &str, per, source: &str| Asked::of(value, per, source);
        let (accounting, script) = (of("500M", Per::Node, "accounting"), of("8G", Per::Node, "script"));
        let queue = of("2G", Per::Node, "queue");
        let best = |call: Option<Asked>, script: Option<Asked>| {
            Asked::best(call, accounting.clone(), script, queue.clone())
        };
        assert_eq!(best(None, script.clone()), accounting);
        assert_eq!(best(of("1G", Per::Node, "call"), script.clone()), of("1G", Per::Node, "call"));
        assert_eq!(best(None, of("3G", Per::Cpu, "script")), of("3G", Per::Cpu, "script"));
        assert_eq!(best(of("0", Per::Node, "call"), script.clone()), of("0", Per::Node, "call"));
        assert_eq!(Asked::best(None, None, script.clone(), queue.clone()), queue);
        assert_eq!(Asked::best(None, None, script.clone(), None), script);
    }
}
