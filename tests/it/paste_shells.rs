//! Lines of `paste` given to real shells: exactly the bytes, or a refusal that says why; never a second command.

use std::collections::BTreeMap;
use std::path::PathBuf;

use handover::paste::{self, Carrier, Fault, Part, Place};
use handover::safety;

use crate::support::Sandbox;
use crate::support::cluster::skipped;
use crate::support::kill::{figure, proofs_are_full};

/// The shells, and how each reads a file as somebody types it. The last two think that somebody sits there, so that
/// they act on `!` too.
const SHELLS: [(&str, &[&str]); 8] = [
    ("sh", &[]),
    ("dash", &[]),
    ("bash", &["--norc"]),
    ("zsh", &["-f"]),
    ("ksh", &[]),
    ("busybox", &["sh"]),
    ("bash", &["--norc", "-i"]),
    ("zsh", &["-f", "-i"]),
];

/// What one shell or another makes something of, and what phones do.
const PIECES: [&str; 72] = [
    "'",
    "\"",
    "`",
    "\\",
    "$",
    "$(",
    ")",
    "${",
    "}",
    "{",
    "a",
    "b",
    "0",
    "7",
    "-",
    "--",
    "---",
    ".",
    "..",
    "...",
    " ",
    "  ",
    "!",
    "!!",
    "!a",
    "*",
    "?",
    "[",
    "]",
    "[a-z]",
    "~",
    "~/",
    "~root",
    "=",
    "=ls",
    "^",
    "#",
    "%",
    "%s",
    "&",
    "&&",
    "|",
    "||",
    ";",
    "<",
    ">",
    ">x",
    "<<X",
    "(",
    "$HOME",
    "$IFS",
    "$'",
    "$\"",
    "$0",
    "\\0",
    "\\047",
    "\\n",
    "\\c",
    "é",
    "漢",
    "🙂",
    "ÁÀ",
    "\u{fb01}",
    "touch pwned",
    ";touch pwned;",
    "$(touch pwned)",
    "`touch pwned`",
    "'$(touch pwned)'",
    "(c)",
    "->",
    "if",
    "rm -rf /",
];

/// Characters that nothing carries.
const CONTROLS: [&str; 9] =
    ["\n", "\t", "\r", "\0", "\u{1b}[31m", "\u{7f}", "\u{85}", "\u{81}x", "\u{1f468}\u{200d}\u{1f469}"];

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % most
    }

    fn of<'t>(&mut self, all: &[&'t str]) -> &'t str {
        all[self.below(all.len())]
    }

    fn value(&mut self) -> String {
        let count = if self.below(60) == 0 { 0 } else { 1 + self.below(8) };
        let mut value: String = (0..count).map(|_| self.of(&PIECES)).collect();
        if self.below(40) == 0 {
            value.push_str(self.of(&CONTROLS));
            value.push_str(self.of(&PIECES));
        }
        value
    }
}

struct Shells {
    sandbox: Sandbox,
    project: PathBuf,
    place: Place,
    all: Vec<(&'static str, &'static [&'static str])>,
}

impl Shells {
    fn new() -> Shells {
        let sandbox = Sandbox::empty();
        // A folder whose own name has to be quoted.
        let project = sandbox.home().join("it's my $(project)");
        std::fs::create_dir_all(&project).unwrap();
        let path = std::env::var_os("PATH").unwrap();
        sandbox.use_path_of_this_machine();
        let is_here = |name: &str| std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
        let all = SHELLS.into_iter().filter(|(name, _)| {
            let here = is_here(name);
            if !here {
                skipped("paste_shells", &format!("{name} is not installed, so no line was given to it"));
            }
            here
        });
        let place = Place::new("~/it's my $(project)").unwrap();
        Shells { all: all.collect(), sandbox, project, place }
    }

    fn carry(&self, text: &str) -> Result<paste::Carried, Vec<Fault>> {
        let carrier = Carrier { place: &self.place, longest: 2000, brings: "" };
        let part = Part { text: text.to_owned(), what: String::new() };
        paste::carry(&carrier, &[part]).map_err(|refusal| refusal.faults)
    }

    /// What a shell prints that reads these lines.
    fn run(&self, shell: (&str, &[&str]), lines: &[String]) -> Vec<u8> {
        let script = self.sandbox.root().join("lines");
        std::fs::write(&script, lines.join("\n") + "\n").unwrap();
        let call = self
            .sandbox
            .program(shell.0, shell.1)
            .env("ENV", "/dev/null")
            .env("X", "a  *b")
            .dir(&self.project);
        let call = if shell.1.contains(&"-i") {
            call.stdin(std::fs::read(&script).unwrap())
        } else {
            call.arg(&script)
        };
        call.run().output().to_vec()
    }

    /// Only the planted files are there.
    fn look_that_nothing_ran(&self, said: &str) {
        for dir in [&self.project, &self.sandbox.home(), &self.sandbox.root().to_owned()] {
            let found = |name: &str| dir.join(name).exists();
            assert!(
                !found("pwned") && !found("x") && !found("X"),
                "{said}: a value was run in {}",
                dir.display()
            );
        }
    }
}

#[test]
fn whatever_a_value_is_every_shell_gets_exactly_that_or_it_is_refused() {
    let count = if proofs_are_full() { 100_000 } else { 3_000 };
    let shells = Shells::new();
    let mut dice = Dice(0x5eed_1234_abcd_0001);
    let (mut carried, mut refused, mut scripts) = (0usize, BTreeMap::<String, usize>::new(), 0usize);
    let mut batch: Vec<(String, Vec<String>)> = Vec::new();
    for number in 0..count {
        let values: Vec<String> = (0..1 + dice.below(3)).map(|_| dice.value()).collect();
        let mut command = vec!["printf".to_owned(), "%s\\0".to_owned()];
        command.extend(values.iter().cloned());
        let made = paste::words(&command)
            .map_err(|refusal| refusal.faults)
            .and_then(|(text, _)| shells.carry(&text));
        let has_control = values.iter().any(|value| safety::escape(value) != *value);
        match made {
            Err(faults) => {
                assert!(has_control, "{values:?} was refused: {faults:?}");
                for fault in faults {
                    let name = serde_json::to_value(&fault).unwrap()["kind"].as_str().unwrap().to_owned();
                    *refused.entry(name).or_default() += 1;
                }
            }
            Ok(_) if has_control => panic!("{values:?} was carried"),
            Ok(made) if made.script.is_some() => {
                assert!(values.iter().any(String::is_empty), "{values:?} became a script");
                scripts += 1;
            }
            Ok(made) => {
                let [line] = made.lines.as_slice() else { panic!("{made:?}") };
                assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line:?}");
                assert!(!["'", "\"", "`", "--", "...", "  "].iter().any(|bad| line.contains(bad)), "{line}");
                carried += 1;
                batch.push((line.clone(), values));
            }
        }
        if batch.len() == 1000 || number + 1 == count {
            let lines: Vec<String> = batch.iter().map(|(line, _)| line.clone()).collect();
            let wanted: Vec<&str> =
                batch.iter().flat_map(|(_, values)| values.iter().map(String::as_str)).collect();
            for shell in &shells.all {
                let got = shells.run(*shell, &lines);
                let got: Vec<&[u8]> =
                    got.strip_suffix(b"\0").unwrap_or(&got).split(|byte| *byte == 0).collect();
                if got.len() != wanted.len()
                    || got.iter().zip(&wanted).any(|(got, wanted)| *got != wanted.as_bytes())
                {
                    for (line, values) in &batch {
                        let got = shells.run(*shell, std::slice::from_ref(line));
                        let wanted: String = values.iter().map(|value| format!("{value}\0")).collect();
                        assert_eq!(String::from_utf8_lossy(&got), wanted, "{shell:?}: {line}");
                    }
                    panic!("{shell:?}: {} values came of {}", got.len(), wanted.len());
                }
                shells.look_that_nothing_ran(&format!("{shell:?}"));
            }
            batch.clear();
        }
    }
    let refusals: usize = refused.values().sum();
    assert!(carried > count * 8 / 10 && refusals > count / 100, "{carried} {refused:?}");
    figure(&format!(
        "paste: {count} commands of random values in {} ways of shells: {carried} exact, {scripts} as scripts, refused {refused:?}",
        shells.all.len()
    ));
}

/// A line of shell at random, whose words print themselves.
fn line(dice: &mut Dice) -> String {
    let word = |dice: &mut Dice| -> String {
        let count = 1 + dice.below(4);
        (0..count)
            .map(|_| {
                let text = dice.of(&[
                    "a", "b c", "-", "--", "..", "...", "~", "*", "{x,y}", "=", "if", "2", "é", "!", "#",
                    "[a-z]", "$X", "`",
                ]);
                match dice.below(4) {
                    0 => format!("'{text}'"),
                    1 if !text.contains(['`', '!']) => format!("\"{text}\""),
                    2 => text.chars().map(|c| format!("\\{c}")).collect(),
                    _ if text.contains([' ', '`', '#', '!']) => "p".to_owned(),
                    _ => text.to_owned(),
                }
            })
            .collect()
    };
    let command = |dice: &mut Dice| {
        let words: Vec<String> = (0..1 + dice.below(3)).map(|_| word(dice)).collect();
        match dice.below(6) {
            0 => format!("V={} && printf '%s\\0' \"$V\" {}", word(dice), words.join(" ")),
            1 => format!("printf '%s\\0' $(printf %s {})", words.join(" ")),
            _ => format!("printf '%s\\0' {}", words.join(" ")),
        }
    };
    let count = 1 + dice.below(3);
    let mut line = command(dice);
    for _ in 1..count {
        let joined = dice.of(&[" && ", "; ", " || ", " | cat; ", " > /dev/null && ", " 2>&1 | cat && "]);
        line = format!("{line}{joined}{}", command(dice));
    }
    line
}

#[test]
fn a_line_that_is_written_anew_does_in_every_shell_what_it_did() {
    let count = if proofs_are_full() { 20_000 } else { 1_000 };
    let shells = Shells::new();
    std::fs::write(shells.project.join("ab"), "").unwrap();
    let mut dice = Dice(0x0dd_ba11_5eed_0007);
    let (mut same, mut scripts) = (0usize, 0usize);
    let mut batch: Vec<(String, String)> = Vec::new();
    for number in 0..count {
        let text = line(&mut dice);
        match shells.carry(&text) {
            Ok(made) if made.script.is_some() => scripts += 1,
            Ok(made) => {
                same += 1;
                batch.push((text, made.lines[0].clone()));
            }
            Err(faults) => {
                // `V=~...` and the like aside, nothing of this is beyond words and operators.
                assert!(
                    faults.iter().all(|fault| matches!(fault, Fault::Beyond { .. } | Fault::Open { .. })),
                    "{text}: {faults:?}"
                );
            }
        }
        if batch.len() == 500 || number + 1 == count {
            for shell in shells.all.iter().filter(|shell| !shell.1.contains(&"-i")) {
                // Each in a shell of its own: an error in one ends no other.
                let alone = |line: &String| format!("( {line} ) 2>/dev/null; printf 'end\\0'");
                // Begun in the project, as the other is.
                let begun = |text: &String| format!("cd {} && {{ {text}; }}", shells.place.word());
                let before: Vec<String> = batch.iter().map(|(text, _)| alone(&begun(text))).collect();
                let after: Vec<String> = batch.iter().map(|(_, line)| alone(line)).collect();
                let (before, after) = (shells.run(*shell, &before), shells.run(*shell, &after));
                if before != after {
                    for (text, line) in &batch {
                        let [before, after] =
                            [begun(text), line.clone()].map(|line| shells.run(*shell, &[alone(&line)]));
                        assert_eq!(
                            String::from_utf8_lossy(&before),
                            String::from_utf8_lossy(&after),
                            "{shell:?}: {text}\n became {line}"
                        );
                    }
                    panic!("{shell:?}: the lines differ together, and none alone");
                }
            }
            batch.clear();
        }
    }
    assert!(same > count / 4, "{same} {scripts}");
    figure(&format!(
        "paste: {count} lines of shell: {same} written anew and the same everywhere, {scripts} as scripts"
    ));
}
