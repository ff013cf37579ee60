//! Words as a phone leaves them: no quote, no two dashes, no three dots.
//!
//! Phones and the programs on them turn `'` and `"` into curly quotes, `--` into a dash and `...` into one
//! character. A backslash is left alone, so it takes the place of quotes; bytes that no phone leaves alone are
//! written by `printf` in octal, which every POSIX shell knows.

use super::shell::{Kind, Piece, Token};

/// Why a line cannot be written like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Quotes: an expansion between them, or an empty word.
    Quotes,
    /// Something for a character that no prompt takes.
    Control(char),
}

/// Writes tokens so that every shell reads the same of them, and no phone rewrites any.
pub(super) fn write(tokens: &[Token]) -> Result<String, Needs> {
    let mut writer = Writer::default();
    writer.list(tokens)?;
    Ok(writer.out)
}

/// Writes one argument of a command.
pub(super) fn argument(text: &str) -> Result<String, Needs> {
    let mut writer = Writer::default();
    for c in text.chars() {
        // Without a quote it means the same wherever it is not first.
        if c == '=' && !writer.out.is_empty() { writer.plain(c)? } else { writer.quoted(c, false)? }
    }
    writer.end();
    if text.is_empty() { Err(Needs::Quotes) } else { Ok(writer.out) }
}

#[derive(Default)]
struct Writer {
    out: String,
    /// True while bytes are given to `printf`.
    is_open: bool,
}

impl Writer {
    fn list(&mut self, tokens: &[Token]) -> Result<(), Needs> {
        let mut begins = true;
        for (at, token) in tokens.iter().enumerate() {
            if at > 0 && !token.glued {
                self.out.push(' ');
            }
            match &token.kind {
                Kind::Operator("\n") => return Err(Needs::Control('\n')),
                Kind::Operator(operator) => {
                    self.out.push_str(operator);
                    begins = !operator.contains(['<', '>', ')']);
                }
                Kind::Word(word) => {
                    let redirects = tokens.get(at + 1).is_some_and(|next| {
                        next.glued && matches!(next.kind, Kind::Operator(one) if one.contains(['<', '>']))
                    });
                    self.word(word, begins || redirects)?;
                    begins = false;
                }
            }
        }
        Ok(())
    }

    /// A word. Where one that was quoted could be read as more than itself without
    /// its quotes (a keyword, an assignment, a number before `>`), it keeps a backslash.
    fn word(&mut self, word: &[Piece], is_special: bool) -> Result<(), Needs> {
        let is_empty_quote = |piece: &Piece| matches!(piece, Piece::InQuotes(text) if text.is_empty());
        if word.iter().all(is_empty_quote) {
            return Err(Needs::Quotes);
        }
        // Beside what the shell replaces, a character that was quoted stays so.
        let is_live = word.iter().any(|piece| matches!(piece, Piece::Live(_) | Piece::Command(_)));
        // ksh tells braces that expand from those that do not by quotes alone.
        let has = |wanted: fn(&Piece) -> bool| word.iter().any(wanted);
        if has(|piece| matches!(piece, Piece::Live(text) if text == "{"))
            && has(|piece| matches!(piece, Piece::Quoted('{' | '}' | ',')))
        {
            return Err(Needs::Quotes);
        }
        // To ksh a quote behind a tilde is none: `~"-"` is the directory before this one.
        if let [Piece::Live(tilde), Piece::Quoted(_) | Piece::InQuotes(_), ..] = word
            && tilde == "~"
        {
            return Err(Needs::Quotes);
        }
        let mut is_first = true;
        for piece in word {
            match piece {
                Piece::Plain(c) => self.plain(*c)?,
                Piece::Quoted(c) => self.quoted(*c, is_live || is_special && is_first)?,
                Piece::Live(text) => {
                    self.close();
                    self.out.push_str(text);
                }
                Piece::Command(tokens) => {
                    self.close();
                    // Two brackets would begin arithmetic.
                    let is_group = tokens.first().is_some_and(|token| token.kind == Kind::Operator("("));
                    self.out.push_str(if is_group { "$( " } else { "$(" });
                    self.list(tokens)?;
                    self.out.push(')');
                }
                // What stood between quotes is one word there, and several without them.
                Piece::InQuotes(text) if text.is_empty() && !is_live => {}
                Piece::InQuotes(_) => return Err(Needs::Quotes),
            }
            is_first = false;
        }
        self.end();
        Ok(())
    }

    /// Ends a word. A blank at its end would be one of two, or the last of the line, and get lost.
    fn end(&mut self) {
        self.close();
        if self.out.ends_with("\\ ") {
            self.out.push_str("$(:)");
        }
    }

    fn plain(&mut self, c: char) -> Result<(), Needs> {
        if c.is_control() {
            return Err(Needs::Control(c));
        }
        if !c.is_ascii() {
            self.bytes(c);
            return Ok(());
        }
        self.close();
        // A phone makes a dash of two, an arrow of `<-`, and one character of three dots.
        if c == '-' && self.out.ends_with(['-', '<']) || c == '.' && self.out.ends_with("..") {
            self.out.push('\\');
        }
        self.out.push(c);
        Ok(())
    }

    /// A character that stands for itself.
    fn quoted(&mut self, c: char, stays: bool) -> Result<(), Needs> {
        if c.is_control() {
            return Err(Needs::Control(c));
        }
        // No phone leaves these alone, whatever stands before them.
        if matches!(c, '\'' | '"' | '`') || !c.is_ascii() {
            self.bytes(c);
            return Ok(());
        }
        if !stays && (c.is_ascii_alphanumeric() || "_./,@%+:-".contains(c)) {
            return self.plain(c);
        }
        self.close();
        self.out.push('\\');
        self.out.push(c);
        Ok(())
    }

    /// Its bytes in octal: the shell takes one backslash away, `printf` the other.
    fn bytes(&mut self, c: char) {
        if !self.is_open {
            self.out.push_str("$(printf ");
            self.is_open = true;
        }
        let mut buffer = [0; 4];
        for byte in c.encode_utf8(&mut buffer).bytes() {
            self.out.push_str(&format!("\\\\{byte:03o}"));
        }
    }

    fn close(&mut self) {
        if self.is_open {
            self.out.push(')');
            self.is_open = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paste::shell::read;

    fn again(line: &str) -> String {
        write(&read(line).unwrap()).unwrap()
    }

    #[test]
    fn a_line_is_written_without_what_phones_rewrite() {
        assert_eq!(again("sbatch --array='3,7%4' train.sh"), r"sbatch -\-array=3,7%4 train.sh");
        assert_eq!(again("scancel '8_[3-5]'"), r"scancel 8_\[3-5\]");
        assert_eq!(again("cd  ~/a &&   ls *.out 2>&1"), "cd ~/a && ls *.out 2>&1");
        assert_eq!(again(r#"echo "it's""#), r"echo it$(printf \\047)s");
        assert_eq!(again("echo 'a  b' 'c ' d"), r"echo a\ \ b c\ $(:) d");
        assert_eq!(again("git log a...b"), r"git log a..\.b");
        assert_eq!(again("echo é"), r"echo $(printf \\303\\251)");
        assert_eq!(again("a $(b 'c') `d`"), "a $(b c) $(d)");
        assert_eq!(again("a $(printf x 'é')"), r"a $(printf x $(printf \\303\\251))");
    }

    #[test]
    fn what_was_quoted_stays_what_it_was() {
        assert_eq!(again("'if' x"), r"\if x");
        assert_eq!(again("'A=1' x"), r"\A\=1 x");
        assert_eq!(again("A='1' x"), "A=1 x");
        assert_eq!(again("'2'>x"), r"\2>x");
        assert_eq!(again("a '~' '#' '{x}' '!'"), r"a \~ \# \{x\} \!");
        assert_eq!(again("a $HOME'x' ~/'ann' [a'-'z]"), r"a $HOME\x ~/\a\n\n [a\-z]");
        assert_eq!(again("a 'b'''"), "a b");
        assert_eq!(argument("--lr=0.1").unwrap(), r"-\-lr=0.1");
        assert_eq!(argument("=ls").unwrap(), r"\=ls");
    }

    #[test]
    fn what_has_to_be_between_quotes_is_not_written() {
        for line in ["a \"$HOME\"", "a ''", "a \"\"", "a \"$(b)\"", "a \"x$b\"", "a \"`b`\"", "a ~'ann'"] {
            assert_eq!(write(&read(line).unwrap()), Err(Needs::Quotes), "{line}");
        }
        assert_eq!(write(&read("a\nb").unwrap()), Err(Needs::Control('\n')));
        assert_eq!(argument("a\tb"), Err(Needs::Control('\t')));
    }
}
