//! Commands that take a secret as a bare word.

use std::ops::Range;

use super::doubt::{is_secret, stands_for_one};
use super::find::Secret;
use super::look::{Look, SHORT, Stretch};
use super::table::Gate;

/// So much of a command's line is read, in bytes.
const LONGEST_LINE: usize = 4096;
/// So many words of it: a line of nothing but commands is not read once for each.
const MOST_WORDS: usize = 64;
/// So many of a short line, or of what is left of it.
const FEWER_WORDS: usize = 32;
/// Shorter passwords are words of a sentence.
const SHORTEST: usize = 4;

/// How a command takes it.
enum Takes {
    /// As the first word that looks random.
    Random,
    /// As the first word.
    First,
    /// Behind one of these options, in a word of its own or in the same.
    Behind(&'static [&'static str]),
    /// As `NAME:PASSWORD` behind `-u`.
    User,
    /// The same as the first word.
    BehindColon,
    /// As `NAMEsPASSWORD` behind one of these options, with the sign s between.
    Joined(&'static [&'static str], u8),
    /// As its last word.
    Last,
    /// From an `echo` before it.
    Echo,
    /// The same, if the rest of the line names a key and the word looks random.
    EchoOfKey,
}

/// Beginnings of such commands as they stand in text, the rule, and how they take it.
const TABLE: [(&str, &str, Takes); 52] = [
    ("wandb login", "wandb-key", Takes::Random),
    ("ctrl+c to quit:", "wandb-key", Takes::Random),
    ("vault login", "vault-token", Takes::Random),
    ("sshpass -p", "password", Takes::First),
    ("docker login", "password", Takes::Behind(&["-p"])),
    ("podman login", "password", Takes::Behind(&["-p"])),
    ("registry login", "password", Takes::Behind(&["-p"])),
    ("helm login", "password", Takes::Behind(&["-p"])),
    ("redis-cli", "password", Takes::Behind(&["-a"])),
    ("ldapsearch", "password", Takes::Behind(&["-w"])),
    ("ldapmodify", "password", Takes::Behind(&["-w"])),
    ("mysql", "password", Takes::Behind(&["-p="])),
    ("codecov", "token", Takes::Behind(&["-t"])),
    ("unzip ", "password", Takes::Behind(&["-P"])),
    ("curl ", "password", Takes::User),
    ("lftp ", "password", Takes::Joined(&["-u"], b',')),
    ("smbclient ", "password", Takes::Joined(&["-U", "--user"], b'%')),
    ("rpcclient ", "password", Takes::Joined(&["-U", "--user"], b'%')),
    ("ipmitool ", "password", Takes::Behind(&["-P"])),
    ("7z ", "password", Takes::Behind(&["-p="])),
    ("config http-basic.", "password", Takes::Last),
    ("mc alias set", "secret", Takes::Last),
    ("htpasswd -b", "password", Takes::Last),
    ("| sudo -S", "password", Takes::Echo),
    ("| kinit", "password", Takes::Echo),
    ("--password-stdin", "password", Takes::Echo),
    ("| chpasswd", "password", Takes::Echo),
    ("| sudo chpasswd", "password", Takes::Echo),
    ("| openconnect", "password", Takes::Echo),
    ("| sudo openconnect", "password", Takes::Echo),
    ("mongosh ", "password", Takes::Behind(&["-p"])),
    ("mongo ", "password", Takes::Behind(&["-p"])),
    ("mongodump ", "password", Takes::Behind(&["-p"])),
    ("mongorestore ", "password", Takes::Behind(&["-p"])),
    ("convertto-securestring ", "password", Takes::First),
    ("az login", "password", Takes::Behind(&["-p"])),
    ("remote login", "password", Takes::Behind(&["-p"])),
    ("anaconda ", "token", Takes::Behind(&["-t"])),
    ("ssh-keygen ", "password", Takes::Behind(&["-N", "-P"])),
    ("rootpw --plaintext", "password", Takes::First),
    ("| base64 -d", "secret", Takes::EchoOfKey),
    ("> ~/.passwd-s3fs", "password", Takes::Echo),
    ("swanlab login", "api-key", Takes::Behind(&["-k"])),
    ("pscp ", "password", Takes::Behind(&["-pw"])),
    ("plink ", "password", Takes::Behind(&["-pw"])),
    ("rclone obscure", "password", Takes::First),
    ("| iinit", "password", Takes::Echo),
    ("| vncpasswd", "password", Takes::Echo),
    ("ntfy ", "password", Takes::User),
    ("-creds=", "password", Takes::BehindColon),
    ("-creds ", "password", Takes::BehindColon),
    ("| wandb login", "wandb-key", Takes::Echo),
];

/// What such commands begin with.
pub(super) fn beginnings() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(begin, ..)| *begin)
}

/// The secret in the line of the command that stands at `at..from`.
pub(super) fn secret_of(text: &[u8], at: usize, from: usize, look: &mut Look) -> Option<Secret> {
    let is_it = |row: &&(&str, &str, Takes)| text[at..from].eq_ignore_ascii_case(row.0.as_bytes());
    let (_, rule, takes) = TABLE.iter().find(is_it)?;
    if matches!(takes, Takes::Echo) {
        return echoed(text, at, rule);
    }
    if matches!(takes, Takes::EchoOfKey) {
        let near = &text[from..text.len().min(from + 80)];
        let is_key = near.windows(3).any(|three| three == b"key");
        return echoed(text, at, rule)
            .filter(|one| is_key && is_secret(&text[one.range.clone()], Gate::Random, false, false));
    }
    let length = look.end_of(Stretch::Line, text, from) - from;
    let length = look.most(length.min(LONGEST_LINE));
    let line = &text[from..from + length];
    let most_words = match takes {
        Takes::First | Takes::BehindColon => 1,
        _ if length <= SHORT => FEWER_WORDS,
        _ => MOST_WORDS,
    };
    let words = words(line, most_words);
    look.spend(words.last().map_or(0, |word| word.end));
    let is_random = |word: &&Range<usize>| is_secret(&line[(*word).clone()], Gate::Random, false, false);
    let range = match takes {
        Takes::Random => words.iter().find(is_random)?.clone(),
        Takes::First => words.first()?.clone(),
        Takes::Behind(options) => behind(line, &words, options)?,
        Takes::Joined(options, sign) => joined(line, &words, options, *sign)?,
        Takes::User => password_of_curl(line, &words)?,
        Takes::BehindColon => {
            let word = words.first()?;
            let colon = line[word.clone()].iter().position(|byte| *byte == b':')?;
            word.start + colon + 1..word.end
        }
        Takes::Last => words.last().filter(|_| words.len() >= 3)?.clone(),
        Takes::Echo | Takes::EchoOfKey => return None,
    };
    let value = &line[range.clone()];
    (value.len() >= SHORTEST && !stands_for_one(value))
        .then(|| Secret { rule, range: from + range.start..from + range.end })
}

/// `echo SECRET | COMMAND`, `printf '%s' SECRET | COMMAND`.
fn echoed(text: &[u8], at: usize, rule: &'static str) -> Option<Secret> {
    let near = at.saturating_sub(400);
    let before = &text[near..at];
    let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let behind = |command: &[u8]| {
        let found = before[line..].windows(command.len()).rposition(|part| part == command)?;
        Some(line + found + command.len())
    };
    let is_value = |echo: usize, word: &Range<usize>| !matches!(before[echo + word.start], b'-' | b'%');
    let echo = behind(b"echo ").or_else(|| behind(b"printf "))?;
    let range = words(&before[echo..], FEWER_WORDS).into_iter().find(|word| is_value(echo, word))?;
    let value = &before[echo..][range.clone()];
    (value.len() >= SHORTEST && !stands_for_one(value))
        .then(|| Secret { rule, range: near + echo + range.start..near + echo + range.end })
}

/// The word behind one of the options, or what is written together with it;
/// with `=` at its end an option takes nothing but the latter.
fn behind(line: &[u8], words: &[Range<usize>], options: &[&str]) -> Option<Range<usize>> {
    words.iter().enumerate().find_map(|(at, word)| {
        let text = &line[word.clone()];
        options.iter().find_map(|option| {
            let glued = option.strip_suffix('=');
            let option = glued.unwrap_or(option).as_bytes();
            match text.strip_prefix(option)? {
                [] if glued.is_none() => words.get(at + 1).cloned(),
                [] => None,
                // `-port` is another option.
                rest if rest.len() >= 6 && is_secret(rest, Gate::Password, false, false) => {
                    Some(word.start + option.len()..word.end)
                }
                _ => None,
            }
        })
    })
}

/// What stands behind the sign in the word behind one of the options.
fn joined(line: &[u8], words: &[Range<usize>], options: &[&str], sign: u8) -> Option<Range<usize>> {
    let is_option =
        |word: &Range<usize>| options.iter().any(|option| &line[word.clone()] == option.as_bytes());
    let word = words.get(words.iter().position(is_option)? + 1)?;
    let at = line[word.clone()].iter().position(|byte| *byte == sign)?;
    Some(word.start + at + 1..word.end)
}

/// `-u NAME:PASSWORD`, `--user NAME:PASSWORD`, `--user=NAME:PASSWORD`, `-uNAME:PASSWORD`.
fn password_of_curl(line: &[u8], words: &[Range<usize>]) -> Option<Range<usize>> {
    let given = words.iter().enumerate().find_map(|(at, word)| {
        let option = &line[word.clone()];
        let skipped = match option {
            b"-u" | b"--user" | b"--proxy-user" => return words.get(at + 1).cloned(),
            _ if option.starts_with(b"--user=") => 7,
            _ if option.starts_with(b"-u") && option.contains(&b':') => 2,
            _ => return None,
        };
        Some(word.start + skipped..word.end)
    })?;
    let colon = line[given.clone()].iter().position(|byte| *byte == b':')?;
    let password = given.start + colon + 1..given.end;
    // `-u KEY:` has a name that is the secret.
    if password.is_empty() { Some(given.start..given.start + colon) } else { Some(password) }
}

/// The words of a shell's line, without the quotes around them.
fn words(line: &[u8], most: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(skipped) = line[at..].iter().position(|byte| !byte.is_ascii_whitespace() && *byte != b'\\')
    {
        let start = at + skipped;
        let quote = Some(line[start]).filter(|byte| matches!(byte, b'\'' | b'"'));
        let start = start + usize::from(quote.is_some());
        let ends = |byte: &u8| match quote {
            Some(quote) => *byte == quote,
            None => {
                byte.is_ascii_whitespace() || matches!(byte, b'\'' | b'"' | b'`' | b'\\' | b';' | b'|' | b'&')
            }
        };
        let end = line[start..].iter().position(ends).map_or(line.len(), |length| start + length);
        if end > start {
            found.push(start..end);
        }
        if found.len() == most {
            break;
        }
        at = (end + 1).min(line.len());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::find::secrets;

    fn found(text: &str) -> Vec<&str> {
        secrets(text.as_bytes()).into_iter().map(|secret| &text[secret.range]).collect()
    }

    #[test]
    fn bare_words_of_commands_are_found() {
        let key = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c";
        assert_eq!(found(&format!("wandb login --relogin {key}")), [key]);
        assert_eq!(found(&format!("+ wandb login '{key}' && python train.py")), [key]);
        assert_eq!(found("sshpass -p 'corr3ct horse' ssh gw"), ["corr3ct horse"]);
        assert_eq!(found("docker login r.example -u ci -p 'Meadow2870!Kq'"), ["Meadow2870!Kq"]);
        assert_eq!(found("echo 'corr3ct horse' | sudo -S apt update"), ["corr3ct horse"]);
        assert_eq!(found("mysqldump -h db -u ann -pbM8fBGTG9ZVz x"), ["bM8fBGTG9ZVz"]);
        assert_eq!(found("curl -sS -u ann:s3cr3t https://x/y"), ["s3cr3t"]);
        assert_eq!(found("curl --user=ann:s3cr3t https://x/y"), ["s3cr3t"]);
        for plain in [
            "wandb login",
            "sshpass -p $PW ssh x",
            "curl https://host:8080/x",
            "curl -u ann https://x",
            "mysql -h db -p x",
            "docker login -p $PW",
        ] {
            assert_eq!(found(plain), [""; 0], "{plain}");
        }
    }
}
