//! A line that somebody wrote or a phone rewrote, put right where only one thing can have been meant.

use super::fault::{contents, faults};
use super::quote;
use super::shell::read;
use super::{Place, carry};

/// A line put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The line.
    pub line: String,
    /// What was changed, in words.
    pub changes: Vec<String>,
}

/// Puts a line right; `None` where it could come to mean something else, and where it must not be carried.
pub fn repair(line: &str, place: &Place, longest: usize) -> Option<Repaired> {
    let mut changes = Vec::new();
    let straight = straightened(line, &mut changes)?;
    if !contents(&straight, place.path()).is_empty() {
        return None;
    }
    let tokens = read(&straight).ok()?;
    let written = quote::write(&tokens).ok()?;
    let has_place = straight.starts_with("cd ") && straight.contains("&&");
    let line = match has_place {
        true => written.clone(),
        false => {
            changes.push(format!("it runs in {}", place.path()));
            format!("cd {} && {}", place.word(), carry::grouped(&tokens, &written))
        }
    };
    if written != straight {
        changes.push("written without what a phone rewrites; every shell reads the same of it".to_owned());
    }
    let line = carry::finished(line);
    faults(&line, place.path(), longest).is_empty().then_some(Repaired { line, changes })
}

/// The quote in which a character stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

/// The line in the characters that must have been typed.
fn straightened(line: &str, changes: &mut Vec<String>) -> Option<String> {
    let line = line.trim_matches([' ', '\n', '\r', '\t']);
    let mut out = String::with_capacity(line.len());
    let mut inside = Quote::None;
    let mut at = 0;
    let mut note = |change: &str| {
        if !changes.iter().any(|known| known == change) {
            changes.push(change.to_owned());
        }
    };
    while let Some(c) = line.get(at..).and_then(|rest| rest.chars().next()) {
        let next = at + c.len_utf8();
        let rest = &line[next..];
        match (c, inside) {
            ('\\', Quote::None | Quote::Double) => {
                let escaped = rest.chars().next()?;
                if escaped != '\n' {
                    out.push('\\');
                    out.push(escaped);
                }
                at = next + escaped.len_utf8();
                continue;
            }
            ('\'', Quote::None) => inside = Quote::Single,
            ('\'', Quote::Single) | ('"', Quote::Double) => inside = Quote::None,
            ('"', Quote::None) => inside = Quote::Double,
            _ => {}
        }
        match c {
            // What stands between quotes is data: whether a phone changed it nobody can tell.
            _ if inside != Quote::None && is_doubtful(c) => return None,
            '\n' => return None,
            '\t' if inside == Quote::None => {
                out.push(' ');
                note("a blank for a tab");
            }
            '\u{2018}' | '\u{201a}' | '\u{201b}' | '\u{201c}' | '\u{201e}' | '\u{201f}' => {
                let (text, length) = curly(c, rest, &out)?;
                out.push_str(&text);
                at = next + length;
                note("straight quotes for curly ones");
                continue;
            }
            // One that closes what was not opened.
            '\u{2019}' | '\u{201d}' => return None,
            '\u{2010}'..='\u{2015}' | '\u{2212}' => {
                out.push_str(dash(c, rest, &out)?);
                note("dashes as they were typed");
            }
            '\u{2026}' => {
                out.push_str("...");
                note("three dots for one character");
            }
            '\u{a0}'
            | '\u{202f}'
            | '\u{2007}'
            | '\u{2000}'..='\u{2006}'
            | '\u{2008}'..='\u{200a}'
            | '\u{3000}'
            | '\u{205f}' => {
                out.push(' ');
                note("plain blanks for those that do not break");
            }
            '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => note("characters without width are gone"),
            // What joins letters or turns their direction may belong to a name, or hide one.
            _ if is_doubtful(c) => return None,
            _ => out.push(c),
        }
        at = next;
    }
    (inside == Quote::None).then_some(out)
}

/// True for what phones put in place of something else, and for what nobody sees.
fn is_doubtful(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2018}'..='\u{201f}' | '\u{2026}' | '\u{a0}' | '\u{ad}' | '\u{3000}')
        || matches!(c, '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{feff}')
        || c.is_control()
}

/// A pair of curly quotes as straight ones, and how many bytes behind the first one it takes. Only a pair that
/// stands where a word begins and ends where one ends can be nothing else.
fn curly(open: char, rest: &str, before: &str) -> Option<(String, usize)> {
    let begins = before.is_empty() || before.ends_with([' ', '=', '(', '|', '&', ';', ':', ',']);
    let (straight, closes): (char, &[char]) = match open {
        '\u{2018}' | '\u{201a}' | '\u{201b}' => ('\'', &['\u{2019}', '\u{2018}']),
        _ => ('"', &['\u{201d}', '\u{201c}']),
    };
    let end = rest.find(closes)?;
    let inner = &rest[..end];
    let behind = end + rest[end..].chars().next()?.len_utf8();
    let ends =
        rest[behind..].is_empty() || rest[behind..].starts_with([' ', '|', '&', ';', ')', '>', '<', ',']);
    let is_data = !inner.contains(['\'', '"', '\\', '`']) && !inner.chars().any(is_doubtful);
    (begins && ends && is_data).then(|| (format!("{straight}{inner}{straight}"), behind))
}

/// Programs whose options of several letters begin with two dashes, always.
const LONG: [&str; 15] = [
    "git", "sbatch", "srun", "salloc", "scancel", "squeue", "sinfo", "sacct", "scontrol", "sstat", "sprio",
    "uv", "pip", "conda", "mamba",
];

/// The dashes that one dash of another kind was; `None` where they may have been one or two.
fn dash(c: char, rest: &str, before: &str) -> Option<&'static str> {
    let name_end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(rest.len());
    let name = &rest[..name_end];
    if !(before.ends_with(' ') && name.starts_with(|c: char| c.is_ascii_lowercase())) {
        return None;
    }
    let command = before.rsplit(['|', '&', ';', '(']).next().unwrap_or_default();
    let mut words = command.split_whitespace().filter(|word| !word.contains('='));
    let program = words.next()?.rsplit('/').next()?;
    let knows = LONG.contains(&program);
    match c {
        // Two dashes become a long one; one alone never does.
        '\u{2014}' | '\u{2015}' if name.len() >= 2 => Some("--"),
        // A short one may have been either: the name tells, of these programs.
        _ if knows && (name.contains('-') || name.len() >= 5) => Some("--"),
        // A single letter behind it never had two.
        '\u{2010}' | '\u{2011}' | '\u{2013}' | '\u{2212}' if knows && name.len() == 1 => Some("-"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(line: &str) -> Option<String> {
        let place = Place::new("~/project").unwrap();
        repair(line, &place, 500).map(|repaired| repaired.line)
    }

    #[test]
    fn what_can_have_meant_one_thing_is_put_right() {
        for (line, right) in [
            ("cd ~/project && sbatch –array=3 train.sh", r"cd ~/project && sbatch -\-array=3 train.sh"),
            ("cd ~/project && git pull —ff-only", r"cd ~/project && git pull -\-ff-only"),
            ("cd ~/project && sbatch –p gpu x.sh", "cd ~/project && sbatch -p gpu x.sh"),
            ("cd ~/project && echo “a b” ‘c’", r"cd ~/project && echo a\ b c"),
            ("cd ~/project && sbatch\u{a0}train.sh\n", "cd ~/project && sbatch train.sh"),
            ("cd ~/project && sbatch\ttrain\u{200b}.sh ", "cd ~/project && sbatch train.sh"),
            ("cd ~/project && git log -1 a…b | head", r"cd ~/project && git log -1 a..\.b | head"),
            ("sbatch --array=3 train.sh", r"cd ~/project && sbatch -\-array=3 train.sh"),
            ("cd ~/project && echo 'é'", r"cd ~/project && echo $(printf \\303\\251)"),
            ("cd ~/project \\\n&& ls", "cd ~/project && ls"),
            ("cd ~/project && ls .", r"cd ~/project && ls $(printf \\056)"),
            ("a; b", "cd ~/project && { a; b; }"),
        ] {
            assert_eq!(repaired(line).as_deref(), Some(right), "{line}");
        }
    }

    #[test]
    fn what_could_mean_something_else_is_left_to_whoever_wrote_it() {
        for line in [
            "cd ~/project && rm –rf logs",
            "cd ~/project && find . –name x",
            "cd ~/project && python train.py –epochs 3",
            "cd ~/project && python train.py –e 3",
            "cd ~/project && echo “don’t”",
            "cd ~/project && echo don’t",
            "cd ~/project && echo \"a – b\"",
            "cd ~/project && echo 'a\u{200b}b'",
            "cd ~/project && echo 'a\u{a0}b'",
            "cd ~/project && echo ”a“",
            "cd ~/project && echo “a $(b “c”)”",
            "cd ~/project && ls\nrm x",
            "cd ~/project && echo 'a",
            "cd ~/project && echo \"$HOME\"",
            "cd ~/project && rm -rf /",
            "cd ~/project && vim x",
            "cd ~/project && echo \u{202e}x",
            "cd ~/project && echo a\u{200d}b",
            "cd ~/project && echo a\u{1b}b",
            "",
        ] {
            assert_eq!(repaired(line), None, "{line}");
        }
        assert_eq!(repaired(&format!("echo {}", "x".repeat(600))), None);
    }
}
