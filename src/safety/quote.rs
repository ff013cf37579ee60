use std::path::Path;

/// Text that no shell prompt takes safely: it has control characters or
/// characters that cannot be seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be quoted for a shell")]
pub struct Unquotable(pub String);

/// Quotes one word for a POSIX shell; plain words stay plain.
///
/// # Errors
/// [`Unquotable`] for what a prompt would interpret even inside quotes.
pub fn shell_word(text: &str) -> Result<String, Unquotable> {
    let refused = || Unquotable(super::escape(text));
    if super::escape(text) != text {
        return Err(refused());
    }
    // An interactive bash expands `!` inside double quotes, which shlex uses
    // for words with an apostrophe; single quotes hold everything.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"@%+=:,./_-".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) && !text.starts_with('=') {
        return Ok(text.to_owned());
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// Quotes a path for a POSIX shell. One that begins with a dash begins with `./`
/// instead, so that no program takes it for an option; a dash alone stays standard input.
///
/// # Errors
/// [`Unquotable`], also for a path that is not UTF-8.
pub fn shell_path(path: &Path) -> Result<String, Unquotable> {
    let text = path.to_str().ok_or_else(|| Unquotable(super::escape_path(path)))?;
    if text.starts_with('-') && text != "-" { shell_word(&format!("./{text}")) } else { shell_word(text) }
}

/// Quotes a name that stands last in a command; before one that begins with a dash
/// stands `--`, which ends the options.
///
/// # Errors
/// [`Unquotable`] for what a prompt would interpret even inside quotes.
pub fn shell_last(name: &str) -> Result<String, Unquotable> {
    let word = shell_word(name)?;
    Ok(if name.starts_with('-') { format!("-- {word}") } else { word })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_when_they_must_be() {
        assert_eq!(shell_word("runs/a-1.txt").unwrap(), "runs/a-1.txt");
        assert_eq!(shell_word("a b").unwrap(), "'a b'");
        assert_eq!(shell_word("it's $(x)").unwrap(), r"'it'\''s $(x)'");
        assert_eq!(shell_word("").unwrap(), "''");
        assert_eq!(shell_word("~root").unwrap(), "'~root'");
        assert_eq!(shell_path(Path::new("-rf x")).unwrap(), "'./-rf x'");
        assert_eq!(shell_path(Path::new("/-x")).unwrap(), "/-x");
        assert_eq!(shell_path(Path::new("-")).unwrap(), "-");
        assert_eq!(shell_last("--json").unwrap(), "-- --json");
        assert_eq!(shell_last("a-b").unwrap(), "a-b");
        assert!(shell_word("a\nb").is_err());
        assert!(shell_word("a\u{202e}b").is_err());
    }
}
