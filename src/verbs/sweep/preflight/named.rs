//! The files that a shell script names, as far as its text alone tells.

use std::collections::BTreeSet;

/// A file or folder that a script names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The line, from 1.
    pub line: usize,
    /// The path as it stands there, relative.
    pub path: String,
    /// The folders that the script has changed into before, one below the other.
    pub within: Vec<String>,
    /// What it is for.
    pub what: What,
    /// True if an earlier command may have made it.
    pub may_be_made: bool,
}

/// What a script wants of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// To change into it.
    Folder,
    /// To run it.
    Program,
    /// To read settings from it.
    Settings,
}

/// The relative paths that stand in a shell script as they are: what it changes
/// into, runs, sources, or reads settings from. Anything with a variable or a pattern is left
/// out, and so is all that hangs on a condition.
pub fn named(text: &str) -> Vec<Named> {
    let mut found = Vec::new();
    let mut state = State::default();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let mut whole = line.to_owned();
        while whole.ends_with('\\') {
            whole.pop();
            match lines.next() {
                Some((_, more)) => whole.push_str(more),
                None => break,
            }
        }
        let Some(words) = words(&whole) else {
            // A quote that goes on: what follows may be text.
            state.lost = true;
            break;
        };
        for command in words.split(|word| OPERATORS.contains(&word.as_str())) {
            state.command(index + 1, command, &mut found);
        }
        if let Some(end) = heredoc(&whole) {
            lines.by_ref().find(|(_, line)| line.trim_start_matches('\t') == end);
        }
    }
    found
}

/// The words of a line as a shell splits it, quotes taken off and operators apart;
/// `None` if a quote goes on in the next line.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let own = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => own.push(c),
                    }
                }
            }
            '"' => {
                let own = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => own.extend(chars.next()),
                        c => own.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '#' if word.is_none() => break,
            ' ' | '\t' => words.extend(word.take()),
            // `2>&1` and `&>log` are no operators.
            ';' | '|' | '&'
                if !word.as_deref().is_some_and(|word| word.ends_with(['>', '<']))
                    && chars.peek() != Some(&'>') =>
            {
                words.extend(word.take());
                let mut operator = c.to_string();
                operator.extend(chars.next_if_eq(&c));
                words.push(operator);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

const OPERATORS: [&str; 6] = ["&&", "||", ";", "|", "&", ";;"];
/// Words that open a part which is not always run, and those that end it.
const OPENS: [&str; 7] = ["if", "for", "while", "until", "case", "select", "{"];
const CLOSES: [&str; 4] = ["fi", "done", "esac", "}"];
/// Commands that make files of whatever name.
const MAKERS: [&str; 16] = [
    "git", "wget", "curl", "cp", "mv", "rsync", "scp", "tar", "unzip", "gunzip", "ln", "touch", "tee", "dvc",
    "make", "module",
];
/// Commands that run the program that is named after them.
const LAUNCHERS: [&str; 12] = [
    "python",
    "python3",
    "torchrun",
    "accelerate",
    "deepspeed",
    "bash",
    "sh",
    "Rscript",
    "julia",
    "perl",
    "node",
    "srun",
];

#[derive(Default)]
struct State {
    /// Parts that are open.
    depth: usize,
    within: Vec<String>,
    /// True if it is no longer known where the script is.
    lost: bool,
    may_make: bool,
    made: BTreeSet<String>,
}

impl State {
    fn command(&mut self, line: usize, words: &[String], found: &mut Vec<Named>) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut is_bound = self.depth > 0;
        for word in &words {
            is_bound |= OPENS.contains(word);
            self.depth += usize::from(OPENS.contains(word));
            self.depth = self.depth.saturating_sub(usize::from(CLOSES.contains(word)));
        }
        // Assignments before a command, and words that only run it.
        let is_before = |word: &&&str| {
            let is_assignment = word.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            });
            is_assignment || ["exec", "time", "nohup", "env", "command"].contains(*word)
        };
        let words = &words[words.iter().take_while(is_before).count()..];
        let Some((&program, rest)) = words.split_first() else { return };
        if is_bound || program.contains(['(', ')']) {
            // What hangs on a condition may not be run; where it leads is not known then.
            self.lost |= words.iter().any(|word| ["cd", "pushd", "popd"].contains(word));
            self.may_make = true;
            return;
        }
        let mut name = |path: &str, what: What, state: &State| {
            if !state.lost && is_literal(path) {
                let may_be_made = state.may_make || state.made.contains(path);
                let (path, within) = (path.to_owned(), state.within.clone());
                found.push(Named { line, path, within, what, may_be_made });
            }
        };
        match program {
            "cd" => match rest.iter().find(|word| !word.starts_with('-')) {
                Some(dir) if is_literal(dir) => {
                    name(dir, What::Folder, self);
                    self.within.push((*dir).to_owned());
                }
                _ => self.lost = true,
            },
            "pushd" | "popd" => self.lost = true,
            "mkdir" => self.made.extend(rest.iter().map(|dir| (*dir).to_owned())),
            "source" | "." => rest.iter().take(1).for_each(|file| name(file, What::Program, self)),
            "echo" | "printf" | "export" => {}
            _ if MAKERS.contains(&program) => self.may_make = true,
            _ => {
                if program.contains('/') {
                    name(program, What::Program, self);
                }
                if LAUNCHERS.contains(&base(program)) && !is_module(words) {
                    rest.iter().find(|word| is_script(word)).into_iter().for_each(|file| {
                        name(file, What::Program, self);
                    });
                }
                settings(rest).into_iter().for_each(|file| name(file, What::Settings, self));
            }
        }
        self.may_make |= words.iter().any(|word| word.contains('>'));
    }
}

/// The name of a program without its folder.
fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or_default()
}

/// True for `python -m package`, which names no file.
fn is_module(words: &[&str]) -> bool {
    let mut after = words.iter().skip_while(|word| !base(word).starts_with("python")).skip(1);
    after.by_ref().take_while(|word| word.starts_with('-')).any(|word| ["-m", "-c"].contains(word))
}

/// The values of options that name a file of settings.
fn settings<'w>(words: &[&'w str]) -> Vec<&'w str> {
    let is_option = |word: &str| {
        let name = word.trim_start_matches('-');
        // A name is looked up in a folder that only the program knows.
        word.starts_with('-')
            && !name.contains("name")
            && ["config", "cfg", "conf"].iter().any(|part| name.contains(part))
    };
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let value = match word.split_once('=') {
            Some((name, value)) => is_option(name).then_some(value),
            None => is_option(word).then(|| words.get(at + 1).copied()).flatten(),
        };
        let has_ending = |value: &&str| {
            [".yaml", ".yml", ".json", ".toml", ".ini", ".cfg"].iter().any(|end| value.ends_with(end))
        };
        found.extend(value.filter(has_ending));
    }
    found
}

fn is_script(word: &str) -> bool {
    !word.starts_with('-') && [".py", ".sh", ".R", ".jl", ".pl", ".js"].iter().any(|end| word.ends_with(end))
}

/// A relative path without anything that a shell would put something in for.
fn is_literal(word: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "._-/+,=@%: ".contains(c);
    !word.is_empty() && !word.starts_with(['/', '-', '~']) && word.chars().all(is_plain)
}

/// The word that ends a text which a command is given, if one begins in this line.
fn heredoc(line: &str) -> Option<String> {
    let (_, after) = line.split_once("<<")?;
    // A string of three signs is whole in its line.
    let word = after.strip_prefix('-').unwrap_or(after).trim_start();
    if word.starts_with('<') {
        return None;
    }
    let end = word.split([' ', ';', '|', '&', '>', ')']).next()?.trim_matches(['\'', '"', '\\']).to_owned();
    (!end.is_empty()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_script_makes_the_readers_panic(
            text in "(#SBATCH (--mem=|--time=|-a|--array=|-c )?[0-9a-zé:%,\\-]{0,9}\n|[a-z #<>|&;(){}'\"\\\\$`=\u{301}\n-]{0,60}|cd x\n|if x\n){0,12}"
        ) {
            let _ = named(&text);
            let _ = super::super::script::Script::read(&text).bad_values();
        }
    }

    #[test]
    fn only_paths_that_stand_there_as_they_are_count() {
        let text = "#!/bin/bash\ncd work && source env/bin/activate\nsrun -n 2 python -u train.py --config=conf/a.yaml \\\n  --cfg conf/b.json --out results/x.json\n\
                    python \"$HERE\"/x.py\npython -m pkg.train --config conf/c.yaml\n./run.sh $X\ncat <<'END' > made.yaml\npython not.py\nEND\n\
                    python late.py\nif true; then\n  python maybe.py\nfi\n";
        let paths: Vec<(usize, String, bool)> =
            named(text).into_iter().map(|one| (one.line, one.path, one.may_be_made)).collect();
        let expected = [
            (2, "work", false),
            (2, "env/bin/activate", false),
            (3, "train.py", false),
            (3, "conf/a.yaml", false),
            (3, "conf/b.json", false),
            (6, "conf/c.yaml", false),
            (7, "./run.sh", false),
            (11, "late.py", true),
        ];
        assert_eq!(paths, expected.map(|(line, path, made)| (line, path.to_owned(), made)));
        assert!(named(text).iter().skip(1).all(|one| one.within == ["work"]));
    }

    #[test]
    fn where_the_script_goes_is_followed_only_as_long_as_it_is_said() {
        assert_eq!(named("cd \"$DIR\"\npython train.py\n"), []);
        assert_eq!(named("if x; then cd a; fi\npython train.py\n"), []);
        assert_eq!(named("mkdir -p out\ncd out\n").iter().filter(|one| !one.may_be_made).count(), 0);
        assert_eq!(named("echo 'it\npython train.py\n"), []);
        assert_eq!(named("cd /abs\npython train.py\n"), []);
        assert_eq!(named("python3 <<EOF\nimport x\nEOF\n"), []);
    }
}
