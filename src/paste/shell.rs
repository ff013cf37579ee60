//! A line of shell, taken apart as far as it has to be: words and operators,
//! and of each character whether the shell takes it as it is.
//!
//! The grammar is that on which sh, dash, bash, zsh, ksh and busybox agree.
//! What is beyond it is an error, never a guess.

/// Why a line was not taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    /// A quote, a bracket or a backslash has no end.
    #[error("{0} has no end")]
    Open(&'static str),
    /// More than words and operators.
    #[error("{0} is more than words and operators")]
    Beyond(&'static str),
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    /// True if no blank stands before it.
    pub glued: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Word(Vec<Piece>),
    Operator(&'static str),
}

/// A piece of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A character that stands for itself without a quote.
    Plain(char),
    /// A character that a quote or a backslash makes stand for itself.
    Quoted(char),
    /// A character or a variable that the shell replaces: `*`, `~`, `$HOME`.
    Live(String),
    /// A command between `$(` and `)`, or between backticks.
    Command(Vec<Token>),
    /// An expansion between double quotes, as it is written.
    InQuotes(String),
}

const OPERATORS: [&str; 17] =
    ["&&", "||", "|&", "&>", ">>", ">&", "<&", ">|", "<>", ";", "&", "|", ">", "<", "(", ")", "\n"];

/// Takes a line apart.
pub(super) fn read(line: &str) -> Result<Vec<Token>, Unread> {
    let mut reader = Reader { rest: line, depth: 0 };
    let tokens = reader.list()?;
    if reader.rest.is_empty() { Ok(tokens) } else { Err(Unread::Open("a bracket before )")) }
}

struct Reader<'l> {
    rest: &'l str,
    depth: usize,
}

impl Reader<'_> {
    /// Words and operators until the end, or until the bracket of a command.
    fn list(&mut self) -> Result<Vec<Token>, Unread> {
        self.depth += 1;
        if self.depth > 20 {
            return Err(Unread::Beyond("a command in a command, over and over,"));
        }
        let mut tokens: Vec<Token> = Vec::new();
        let mut open = 0usize;
        loop {
            let before = self.rest.len();
            self.rest = self.rest.trim_start_matches([' ', '\t']);
            let glued = before == self.rest.len() && !tokens.is_empty();
            if self.rest.is_empty() {
                break;
            }
            if self.rest.starts_with("<<") || self.rest.starts_with("<(") || self.rest.starts_with(">(") {
                return Err(Unread::Beyond("a here-document or a process in place of a file"));
            }
            if self.rest.starts_with("((") || self.rest.starts_with(";;") {
                return Err(Unread::Beyond("arithmetic or a case"));
            }
            if let Some(operator) = OPERATORS.iter().find(|one| self.rest.starts_with(**one)) {
                match *operator {
                    "(" => open += 1,
                    // It ends the command that this list is.
                    ")" if open == 0 => break,
                    ")" => open -= 1,
                    _ => {}
                }
                self.rest = &self.rest[operator.len()..];
                tokens.push(Token { kind: Kind::Operator(operator), glued });
                continue;
            }
            if self.rest.starts_with('#') {
                return Err(Unread::Beyond("a comment"));
            }
            let word = self.word()?;
            tokens.push(Token { kind: Kind::Word(word), glued });
        }
        if open > 0 {
            return Err(Unread::Open("a bracket"));
        }
        self.depth -= 1;
        Ok(tokens)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn word(&mut self) -> Result<Vec<Piece>, Unread> {
        let mut word = Vec::new();
        while let Some(next) = self.rest.chars().next() {
            if next.is_ascii_whitespace() || "&|;<>()".contains(next) {
                break;
            }
            let _ = self.next();
            match next {
                '\\' => match self.next() {
                    None => return Err(Unread::Open("a backslash")),
                    // Two lines that are one.
                    Some('\n') => {}
                    Some(quoted) => word.push(Piece::Quoted(quoted)),
                },
                '\'' => self.single(&mut word)?,
                '"' => self.double(&mut word)?,
                '`' => word.push(self.backticks()?),
                '$' => word.push(self.dollar()?),
                '~' if word.is_empty() => word.push(Piece::Live("~".to_owned())),
                '~' | '*' | '?' | '[' | ']' | '{' | '}' | '!' | '^' | '#' => {
                    word.push(Piece::Live(next.to_string()));
                }
                plain => word.push(Piece::Plain(plain)),
            }
        }
        Ok(word)
    }

    fn single(&mut self, word: &mut Vec<Piece>) -> Result<(), Unread> {
        let Some(end) = self.rest.find('\'') else { return Err(Unread::Open("a quote '")) };
        word.extend(self.rest[..end].chars().map(Piece::Quoted));
        if end == 0 {
            word.push(Piece::InQuotes(String::new()));
        }
        self.rest = &self.rest[end + 1..];
        Ok(())
    }

    fn double(&mut self, word: &mut Vec<Piece>) -> Result<(), Unread> {
        let mut is_empty = true;
        loop {
            let Some(next) = self.next() else { return Err(Unread::Open("a quote \"")) };
            match next {
                '"' => break,
                '\\' => match self.next() {
                    None => return Err(Unread::Open("a backslash")),
                    Some('\n') => {}
                    Some(quoted @ ('$' | '`' | '"' | '\\')) => word.push(Piece::Quoted(quoted)),
                    Some(other) => word.extend([Piece::Quoted('\\'), Piece::Quoted(other)]),
                },
                '`' => {
                    let command = self.backticks()?;
                    word.extend([command, Piece::InQuotes(String::new())]);
                }
                '$' => match self.dollar_in_quotes()? {
                    Piece::Live(text) => word.push(Piece::InQuotes(text)),
                    // What it prints is one word here, and several without the quotes.
                    command @ Piece::Command(_) => word.extend([command, Piece::InQuotes(String::new())]),
                    other => word.push(other),
                },
                other => word.push(Piece::Quoted(other)),
            }
            is_empty = false;
        }
        if is_empty {
            word.push(Piece::InQuotes(String::new()));
        }
        Ok(())
    }

    fn backticks(&mut self) -> Result<Piece, Unread> {
        let Some(end) = self.rest.find('`') else { return Err(Unread::Open("a backtick")) };
        let inner = &self.rest[..end];
        if inner.contains('\\') {
            return Err(Unread::Beyond("a backslash between backticks"));
        }
        let tokens = Reader { rest: inner, depth: self.depth }.list()?;
        self.rest = &self.rest[end + 1..];
        Ok(Piece::Command(tokens))
    }

    fn dollar_in_quotes(&mut self) -> Result<Piece, Unread> {
        match self.rest.chars().next() {
            Some('"' | '\'') => Ok(Piece::Quoted('$')),
            _ => self.dollar(),
        }
    }

    fn dollar(&mut self) -> Result<Piece, Unread> {
        let text = self.rest;
        match text.chars().next() {
            Some('(') if text.starts_with("((") => Err(Unread::Beyond("arithmetic")),
            Some('(') => {
                self.rest = &text[1..];
                let tokens = self.list()?;
                if self.next() != Some(')') {
                    return Err(Unread::Open("$("));
                }
                Ok(Piece::Command(tokens))
            }
            Some('{') => {
                let Some(end) = text.find('}') else { return Err(Unread::Open("${")) };
                let name = &text[1..end];
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    return Err(Unread::Beyond("${...}"));
                }
                self.rest = &text[end + 1..];
                Ok(Piece::Live(format!("${{{name}}}")))
            }
            Some('\'' | '"') => Err(Unread::Beyond("$ before a quote")),
            Some(first) if first.is_ascii_alphabetic() || first == '_' => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
                // To zsh it is a letter of the name, to the others none.
                if text[end..].starts_with(|c: char| !c.is_ascii()) {
                    return Err(Unread::Beyond("a variable right before a letter that is not ASCII"));
                }
                self.rest = &text[end..];
                Ok(Piece::Live(format!("${}", &text[..end])))
            }
            Some(special) if special.is_ascii_digit() || "@*#?$!-".contains(special) => {
                self.rest = &text[1..];
                Ok(Piece::Live(format!("${special}")))
            }
            _ => Ok(Piece::Quoted('$')),
        }
    }
}

/// The text of a word that the shell leaves as it is; `None` if it replaces any of it.
pub(super) fn fixed(word: &[Piece]) -> Option<String> {
    let mut text = String::new();
    for piece in word {
        match piece {
            Piece::Plain(c) | Piece::Quoted(c) => text.push(*c),
            Piece::InQuotes(empty) if empty.is_empty() => {}
            // Live characters that mean nothing outside of a name of files.
            Piece::Live(one) if matches!(one.as_str(), "!" | "^" | "#" | "{" | "}" | "]") => {
                text.push_str(one)
            }
            _ => return None,
        }
    }
    Some(text)
}

/// The same with what the shell replaces as it is written: for what is told of it.
pub(super) fn written(word: &[Piece]) -> String {
    let mut text = String::new();
    for piece in word {
        match piece {
            Piece::Plain(c) | Piece::Quoted(c) => text.push(*c),
            Piece::Live(live) | Piece::InQuotes(live) => text.push_str(live),
            Piece::Command(_) => text.push_str("$(...)"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_falls_into_words_and_operators() {
        let told = |line: &str| -> Vec<String> {
            let tokens = read(line).unwrap();
            tokens
                .iter()
                .map(|token| match &token.kind {
                    Kind::Word(word) => written(word),
                    Kind::Operator(operator) => format!("<{operator}>"),
                })
                .collect()
        };
        assert_eq!(
            told(r#"cd ~/a && b 'c d'"e f"\ g 2>&1"#),
            ["cd", "~/a", "<&&>", "b", "c de f g", "2", "<>&>", "1"]
        );
        assert_eq!(told("a $(b 'c;d') \"$HOME\"x"), ["a", "$(...)", "$HOMEx"]);
        assert_eq!(told("{ a; }"), ["{", "a", "<;>", "}"]);
        assert_eq!(told("a\\\nb"), ["ab"]);
        assert_eq!(told("(a; b) | c"), ["<(>", "a", "<;>", "b", "<)>", "<|>", "c"]);
    }

    #[test]
    fn what_has_no_end_and_what_is_beyond_is_said() {
        for open in ["a 'b", "a \"b", "a \\", "a $(b", "(a", "a)", "a `b", "${a"] {
            assert!(matches!(read(open), Err(Unread::Open(_))), "{open}: {:?}", read(open));
        }
        for beyond in ["a <<X", "a <(b)", "a # b", "a $'b'", "$((1))", "${a:-b}", "case a in a) b;; esac"] {
            assert!(read(beyond).is_err(), "{beyond}");
        }
        let deep = "$(".repeat(5000) + &")".repeat(5000);
        assert!(read(&deep).is_err());
    }
}
