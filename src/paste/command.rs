//! The commands of a line: what is run with which words, wherever it stands.

use super::shell::{Kind, Piece, Token, fixed, written};

/// One command of a line.
#[derive(Debug, Clone)]
pub(super) struct Command<'t> {
    /// Its words, assignments before it and redirections aside.
    pub words: Vec<&'t [Piece]>,
    /// True if what another prints is its standard input.
    pub is_fed: bool,
    /// True if what it prints goes to another or into a file.
    pub feeds: bool,
}

/// Words that say how commands hang together, and are none.
const KEYWORDS: [&str; 13] =
    ["{", "}", "!", "if", "then", "else", "elif", "fi", "do", "done", "while", "until", "time"];

/// Programs that run another with the words behind them.
const RUNNERS: [&str; 9] =
    ["env", "command", "exec", "nohup", "nice", "builtin", "timeout", "stdbuf", "setsid"];

impl Command<'_> {
    /// The word at a place as the program gets it; `None` if the shell replaces any of it.
    pub fn word(&self, at: usize) -> Option<String> {
        self.words.get(at).and_then(|word| fixed(word))
    }

    /// Name of the program that runs, without its directory, and where its words begin.
    pub fn program(&self) -> Option<(String, usize)> {
        let mut at = 0;
        loop {
            let word = self.word(at)?;
            let name = word.rsplit('/').next().unwrap_or_default().to_owned();
            if !RUNNERS.contains(&name.as_str()) {
                return Some((name, at + 1));
            }
            at += 1;
            // Its own options and numbers, and variables.
            while let Some(own) = self.word(at).filter(|own| is_of_runner(own)) {
                at += 1 + usize::from(own == "-n" || own == "-k" || own == "-s");
            }
        }
    }

    /// The words from a place on as they are written.
    pub fn text(&self) -> String {
        self.words.iter().map(|word| written(word)).collect::<Vec<_>>().join(" ")
    }
}

fn is_of_runner(word: &str) -> bool {
    word.starts_with('-') || word.contains('=') || word.starts_with(|c: char| c.is_ascii_digit())
}

/// Every command of these tokens in order, those between `$(` and `)` first.
pub(super) fn commands(tokens: &[Token]) -> Vec<Command<'_>> {
    let mut all = Vec::new();
    let mut words: Vec<&[Piece]> = Vec::new();
    let (mut is_fed, mut is_target, mut feeds) = (false, false, false);
    for token in tokens {
        match &token.kind {
            Kind::Operator(operator) if operator.contains(['<', '>']) => {
                is_target = true;
                feeds |= operator.contains('>');
            }
            Kind::Operator(operator) => {
                let is_pipe = operator.starts_with('|') && *operator != "||";
                let words = std::mem::take(&mut words);
                if !words.is_empty() {
                    all.push(Command { words, is_fed, feeds: feeds || is_pipe });
                }
                (is_fed, feeds) = (is_pipe, false);
            }
            Kind::Word(word) => {
                for piece in word {
                    if let Piece::Command(inner) = piece {
                        all.extend(commands(inner));
                    }
                }
                let begins = words.is_empty();
                if is_target {
                    is_target = false;
                } else if !(begins && (is_keyword(word) || is_assignment(word))) {
                    words.push(word);
                }
            }
        }
    }
    if !words.is_empty() {
        all.push(Command { words, is_fed, feeds });
    }
    all
}

fn is_keyword(word: &[Piece]) -> bool {
    let plain = word.iter().all(|piece| matches!(piece, Piece::Plain(_) | Piece::Live(_)));
    plain && KEYWORDS.contains(&written(word).as_str())
}

/// True for `NAME=...` as a shell reads it.
pub(super) fn is_assignment(word: &[Piece]) -> bool {
    let mut name = 0;
    for piece in word {
        match piece {
            Piece::Plain('=') => return name > 0,
            Piece::Plain(c) if c.is_ascii_alphabetic() || *c == '_' || name > 0 && c.is_ascii_digit() => {
                name += 1
            }
            _ => return false,
        }
    }
    false
}
