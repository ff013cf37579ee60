//! A batch script as text: which lines are for sbatch, which shell reads it.
//! Nothing of it is run.

use crate::cluster::Submission;
use crate::terms::Seconds;

/// A batch script, taken apart line by line.
pub struct Script {
    /// The program of its first line, without folders: `bash`; `None` without `#!`.
    pub interpreter: Option<String>,
    /// The `#SBATCH` lines that sbatch reads.
    pub directives: Vec<Directive>,
    /// The numbers of those that it does not, since a command comes before them.
    pub ignored: Vec<usize>,
    /// The line of the first command.
    pub first_command: Option<usize>,
}

/// One `#SBATCH` line.
pub struct Directive {
    /// Its number, from 1.
    pub line: usize,
    /// Its options; `None` if they cannot be told apart.
    pub options: Option<Submission>,
}

impl Script {
    /// Takes a text apart.
    pub fn read(text: &str) -> Script {
        let mut script = Script {
            interpreter: text.lines().next().and_then(interpreter),
            directives: Vec::new(),
            ignored: Vec::new(),
            first_command: None,
        };
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if line.starts_with("#SBATCH") {
                match script.first_command {
                    Some(_) => script.ignored.push(number),
                    None => {
                        let options = Submission::of_script(line, "script");
                        script.directives.push(Directive { line: number, options });
                    }
                }
            } else if !line.trim().is_empty() && !line.starts_with('#') {
                script.first_command.get_or_insert(number);
            }
        }
        script
    }

    /// Values that sbatch cannot read, with the number of their line, in words.
    pub fn bad_values(&self) -> Vec<(usize, String)> {
        let mut bad = Vec::new();
        for directive in &self.directives {
            let Some(options) = &directive.options else { continue };
            for (short, long, form) in VALUES {
                let value = options.option(*short, long);
                if let Some(value) = value.filter(|value| !form.takes(value)) {
                    bad.push((directive.line, format!("{long}={value} is no {}", form.words())));
                }
            }
        }
        bad
    }

    /// True if bash or a shell of its kind reads it.
    pub fn is_shell(&self) -> bool {
        matches!(self.interpreter.as_deref(), Some("bash" | "sh"))
    }
}

/// `#!/bin/bash -l`, `#!/usr/bin/env bash`.
fn interpreter(line: &str) -> Option<String> {
    let mut words = line.strip_prefix("#!")?.split_ascii_whitespace();
    let name = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let program = name(words.next()?);
    if program != "env" {
        return Some(program);
    }
    words.find(|word| !word.starts_with('-') && !word.contains('=')).map(name)
}

/// The form of a value of sbatch.
#[derive(Clone, Copy)]
enum Form {
    Size,
    Span,
    Count,
    Tasks,
}

/// The options whose values are looked at.
const VALUES: &[(Option<char>, &str, Form)] = &[
    (None, "--mem", Form::Size),
    (None, "--mem-per-cpu", Form::Size),
    (None, "--mem-per-gpu", Form::Size),
    (None, "--tmp", Form::Size),
    (Some('t'), "--time", Form::Span),
    (None, "--time-min", Form::Span),
    (Some('c'), "--cpus-per-task", Form::Count),
    (Some('n'), "--ntasks", Form::Count),
    (Some('a'), "--array", Form::Tasks),
];

impl Form {
    fn words(self) -> &'static str {
        match self {
            Form::Size => "size: digits, then K, M (the default), G or T",
            Form::Span => {
                "time: minutes, minutes:seconds, hours:minutes:seconds, or days-hours[:minutes[:seconds]]"
            }
            Form::Count => "number",
            Form::Tasks => "list of tasks such as 0-15%4 or 1,3,5-9:2",
        }
    }

    fn takes(self, value: &str) -> bool {
        match self {
            Form::Size => megabytes(value).is_some(),
            Form::Span => span(value),
            Form::Count => value.parse::<u32>().is_ok_and(|count| count > 0),
            Form::Tasks => tasks(value),
        }
    }
}

/// A size in MiB, rounded up, as sbatch reads it: `4000`, `4G`, `4GB`.
pub fn megabytes(value: &str) -> Option<u64> {
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let count: u64 = value[..digits].parse().ok()?;
    match value[digits..].to_ascii_uppercase().as_str() {
        "K" | "KB" => Some(count.div_ceil(1024)),
        "" | "M" | "MB" => Some(count),
        "G" | "GB" => count.checked_mul(1 << 10),
        "T" | "TB" => count.checked_mul(1 << 20),
        "P" | "PB" => count.checked_mul(1 << 30),
        _ => None,
    }
}

fn span(value: &str) -> bool {
    if ["INFINITE", "UNLIMITED", "-1"].iter().any(|word| value.eq_ignore_ascii_case(word)) {
        return true;
    }
    let is_minutes = !value.is_empty() && value.len() <= 9 && value.bytes().all(|b| b.is_ascii_digit());
    is_minutes || Seconds::from_slurm(value).is_ok_and(|_| !value.contains('.'))
}

fn tasks(value: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().ok();
    let (list, throttle) = match value.split_once('%') {
        Some((list, throttle)) => (list, number(throttle)),
        None => (value, Some(0)),
    };
    let is_range = |part: &str| match part.split_once('-') {
        None => number(part).is_some(),
        Some((from, to)) => {
            let (to, step) = to.split_once(':').unwrap_or((to, "1"));
            number(from).zip(number(to)).is_some_and(|(from, to)| from <= to)
                && number(step).is_some_and(|step| step > 0)
        }
    };
    throttle.is_some() && list.split(',').all(is_range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_for_sbatch_end_at_the_first_command() {
        let script = Script::read(
            "#!/usr/bin/env bash\n#SBATCH -t 5\n\n# hm\n#SBATCH --mem=4G\nset -e\n#SBATCH --array=0-3\n",
        );
        assert_eq!(script.interpreter.as_deref(), Some("bash"));
        assert_eq!(script.directives.iter().map(|one| one.line).collect::<Vec<_>>(), [2, 5]);
        assert_eq!((script.ignored, script.first_command), (vec![7], Some(6)));
        assert_eq!(Script::read("#!/bin/sh -e\n").interpreter.as_deref(), Some("sh"));
        assert_eq!(Script::read("echo\n").interpreter, None);
    }

    #[test]
    fn values_that_sbatch_cannot_read_are_found_and_others_are_not() {
        let bad = |options: &str| Script::read(&format!("#!/bin/sh\n#SBATCH {options}\n")).bad_values().len();
        for options in [
            "--mem=lots",
            "--mem=1.5G",
            "--mem 4X",
            "--time=abc",
            "-t 1:2:3:4",
            "--time=",
            "-c many",
            "-n 0",
            "--array=3-1",
            "-a 1,,2",
            "--array=0-3%",
            "--mem-per-cpu=G",
        ] {
            assert_eq!(bad(options), 1, "{options}");
        }
        for options in [
            "--mem=4000",
            "--mem=4G",
            "--mem=4gb",
            "--mem=0",
            "-t 90",
            "--time=1-12",
            "--time=1-12:30:00",
            "-t 90:30",
            "--time=UNLIMITED",
            "-c 8",
            "--array=0-15%4",
            "-a 1,3,5-9:2",
            "--mem-per-gpu=16G",
        ] {
            assert_eq!(bad(options), 0, "{options}");
        }
        assert_eq!(megabytes("1T"), Some(1 << 20));
    }
}
