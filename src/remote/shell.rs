//! What a shell on another machine reads.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::RemotePath;

/// One word for a POSIX shell that reads a script: any bytes but NUL, which no argument can hold. In
/// single quotes every byte stands for itself, new lines too.
///
/// This is for scripts alone. A line that a person pastes is another matter: `safety::shell_word`.
pub fn quoted(word: &OsStr) -> Vec<u8> {
    let bytes = word.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"%+:,./_-".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return bytes.to_vec();
    }
    let mut out = vec![b'\''];
    for byte in bytes {
        match byte {
            b'\'' => out.extend(b"'\\''"),
            byte => out.push(*byte),
        }
    }
    out.push(b'\'');
    out
}

/// A command that is asked for its answer, with a name for the section in which that comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub(super) name: String,
    pub(super) command: Vec<u8>,
    pub(super) seconds: u64,
}

impl Question {
    /// A program and its arguments.
    pub fn words<W: AsRef<OsStr>>(name: &str, words: impl IntoIterator<Item = W>) -> Question {
        let words: Vec<Vec<u8>> = words.into_iter().map(|word| quoted(word.as_ref())).collect();
        Question::shell(name, words.join(&b' '))
    }

    /// A command in bash, which is ours or in the user's own settings; everything else in it went
    /// through [`quoted`].
    pub fn shell(name: &str, command: impl Into<Vec<u8>>) -> Question {
        // Names are ours; a blank in one would cut the line that tells of it.
        let name = name.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect();
        Question { name, command: command.into(), seconds: 20 }
    }

    /// How long its answer may take, in seconds.
    pub fn within(mut self, seconds: u64) -> Question {
        self.seconds = seconds.max(1);
        self
    }

    /// Asked in this directory.
    pub fn at(mut self, path: &RemotePath) -> Question {
        self.command = [&go_to(path)[..], b" && ", &self.command].concat();
        self
    }
}

/// The words that go to a directory: from home, wherever a profile of the user's may have gone.
pub(super) fn go_to(path: &RemotePath) -> Vec<u8> {
    let path = path.as_str();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("./{path}") };
    [b"unset CDPATH && cd && cd -- ", &quoted(OsStr::new(&path))[..]].concat()
}

/// Bash that takes the `PATH` of a login shell where a program is not on that of this one, since what
/// ssh runs is no login shell. `program` is a plain word of ours.
pub fn path_of_login(program: &'static str) -> String {
    format!(
        r#"if ! type -P {program} >/dev/null; then
    login=$(bash -lc 'printf "\n%s\n%s\n%s\n." "$PATH" "$SLURM_CONF" "$LD_LIBRARY_PATH"' </dev/null 2>/dev/null)
    login=${{login%$'\n.'}}
    libraries=${{login##*$'\n'}} login=${{login%$'\n'*}}
    settings=${{login##*$'\n'}} login=${{login%$'\n'*}}
    login=${{login##*$'\n'}}
    [ -z "$login" ] || PATH=$login
    [ -z "$settings" ] || export SLURM_CONF=$settings
    [ -z "$libraries" ] || export LD_LIBRARY_PATH=$libraries
fi
"#
    )
}

/// The script that asks all questions side by side, and says where each answer begins and ends.
///
/// Nothing of it runs before all of it has arrived: it is one command in braces. `mark` is a word that
/// nobody can guess, so no answer can pretend to be the end of itself.
pub(super) fn script(mark: &str, prelude: &str, questions: &[Question]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(b"{\n");
    out.extend(prelude.as_bytes());
    out.extend(format!("mark={mark}\n").bytes());
    out.extend(ASK.as_bytes());
    // Each answer comes through a pipe of its own; they are read in order while all are at work.
    for (at, question) in questions.iter().enumerate() {
        out.extend(format!("exec {}< <(ask {} {} ", at + 10, question.name, question.seconds).bytes());
        out.extend(quoted(OsStr::from_bytes(&question.command)));
        out.extend(b")\n");
    }
    for at in 0..questions.len() {
        out.extend(format!("cat <&{0}; exec {0}<&-\n", at + 10).bytes());
    }
    out.extend(b"printf '\\n%s whole\\n' \"$mark\"\nexit 0\n}\n");
    out
}

/// Standard output goes straight on; standard error is kept, and follows with the exit status.
/// Standard input holds this script, and is not for the commands.
const ASK: &str = r#"ask() {
    local said code
    printf '\n%s begin %s\n' "$mark" "$1"
    { said=$(limited "$2" "$3" 2>&1 >&4 </dev/null); code=$?; } 4>&1
    printf '\n%s end %s %s\n%s\n%s closed\n' "$mark" "$1" "$code" "$said" "$mark"
}
limited() {
    if type -P timeout >/dev/null; then timeout "$1" bash -c "$2"; else bash -c "$2"; fi
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_every_byte() {
        let word = |text: &str| String::from_utf8(quoted(OsStr::new(text))).unwrap();
        assert_eq!(word("a/b-1.txt"), "a/b-1.txt");
        assert_eq!(word("~x"), "'~x'");
        assert_eq!(word("a=b"), "'a=b'");
        assert_eq!(word(""), "''");
        assert_eq!(word("it's\n$(x)"), "'it'\\''s\n$(x)'");
        assert_eq!(quoted(OsStr::from_bytes(b"\xff '")), b"'\xff '\\'''");
    }
}
