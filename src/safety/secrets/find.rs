//! Finds secrets in text, in one pass and in time that grows with its length alone.

use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::Regex;

use super::assigned::{Assigned, Form, assigned};
use super::block::{BLOCK, key_block, putty_block};
use super::command::{beginnings, secret_of};
use super::doubt::{entropy, is_example, is_secret, is_uuid};
use super::look::{Look, Stretch};
use super::shapes::{call, first, foreign, identified, login_of_url, partner, pgpass, scheme};
use super::table::{Gate, NAMED, Rule, TOKENS};

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The rule that found it.
    pub rule: &'static str,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
}

/// Words of names beside which secrets stand.
const WORDS: [&str; 19] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "auth",
    "credential",
    "bindpw",
    "jwt",
    "session",
    "_pat",
    "psk",
    "pw for ",
    "pw: ",
    "pw=",
    "pw is ",
    "_pw",
    "pw on ",
    "assword:",
];
/// Longest secret of the table, in bytes: what a place is looked at.
pub(super) const WINDOW: usize = 32 * 1024;

/// What a literal that was found may begin.
#[derive(Clone, Copy)]
enum Lead {
    Token(usize),
    Name,
    Url,
    Block,
    Putty,
    Scheme,
    Command,
    Call,
    /// A call whose first argument may be a key.
    First,
    Pgpass,
    /// `IDENTIFIED BY` of SQL.
    Identified,
    /// A name whose partner has so many characters.
    Pair(usize),
    /// The word for a password in another writing.
    Foreign,
}

struct Engine {
    literals: AhoCorasick,
    leads: Vec<Lead>,
    tokens: Vec<Pattern>,
    values: Vec<Pattern>,
}

/// A pattern of the table, compiled when the first text asks for it: most runs never do.
struct Pattern {
    source: &'static str,
    is_value: bool,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    fn new(source: &'static str, is_value: bool) -> Pattern {
        Pattern { source, is_value, compiled: OnceLock::new() }
    }

    fn get(&self) -> &Regex {
        self.compiled.get_or_init(|| {
            let source = self.source;
            let whole =
                if self.is_value { format!(r"\A(?s-u:{source})\z") } else { format!(r"\A(?-u:{source})") };
            Regex::new(&whole).expect("a pattern of the table")
        })
    }
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut literals: Vec<&str> = Vec::new();
    let mut leads = Vec::new();
    for (at, rule) in TOKENS.iter().enumerate() {
        literals.extend(rule.begins);
        leads.extend(rule.begins.iter().map(|_| Lead::Token(at)));
    }
    let others = [
        ("://", Lead::Url),
        ("-----BEGIN ", Lead::Block),
        ("Private-Lines: ", Lead::Putty),
        ("bearer ", Lead::Scheme),
        ("basic ", Lead::Scheme),
        ("login(", Lead::Call),
        (".init(", Lead::First),
        ("client(", Lead::First),
        ("experiment(", Lead::First),
        (".run(", Lead::First),
        ("auth=(", Lead::Call),
        ("auth = (", Lead::Call),
        ("basicauth(", Lead::Call),
        (":5432:", Lead::Pgpass),
        (":5433:", Lead::Pgpass),
        (":6432:", Lead::Pgpass),
        (":*:", Lead::Pgpass),
        (" identified ", Lead::Identified),
        ("AKIA", Lead::Pair(40)),
        ("\"AC", Lead::Pair(32)),
        ("'AC", Lead::Pair(32)),
        ("fernet(", Lead::First),
        ("smtp(", Lead::Call),
        ("密码", Lead::Foreign),
        ("密碼", Lead::Foreign),
        ("口令", Lead::Foreign),
        ("パスワード", Lead::Foreign),
        ("비밀번호", Lead::Foreign),
        ("пароль", Lead::Foreign),
    ];
    let words = WORDS.iter().map(|word| (*word, Lead::Name));
    let commands = beginnings().map(|begin| (begin, Lead::Command));
    for (literal, lead) in words.chain(commands).chain(others) {
        literals.push(literal);
        leads.push(lead);
    }
    Engine {
        // Names are written in any case; the patterns of tokens see to theirs.
        literals: AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(literals)
            .expect("the literals of the table"),
        leads,
        tokens: TOKENS.iter().map(|rule| Pattern::new(rule.pattern, false)).collect(),
        values: NAMED.iter().map(|named| Pattern::new(named.pattern, true)).collect(),
    }
});

/// The secrets of a text in their order; none overlaps another.
pub fn secrets(text: &[u8]) -> Vec<Secret> {
    searched(text).0
}

/// The secrets, and how many bytes were looked at for them.
pub(super) fn searched(text: &[u8]) -> (Vec<Secret>, usize) {
    let engine = &*ENGINE;
    let mut look = Look::new();
    let look = &mut look;
    let mut found: Vec<Secret> = Vec::new();
    for hit in engine.literals.find_overlapping_iter(text) {
        let at = hit.start();
        look.read += hit.end() - at;
        look.come_to(at);
        // Blocks are long: what stands within one is not looked at again.
        if found.last().is_some_and(|last| last.range.end > hit.end() && last.rule == BLOCK) {
            continue;
        }
        let secret = match engine.leads[hit.pattern().as_usize()] {
            Lead::Token(rule) => token(text, at, &TOKENS[rule], &engine.tokens[rule], look),
            Lead::Name => named(engine, text, at, look),
            Lead::Url => login_of_url(text, at),
            Lead::Block => key_block(text, at, look),
            Lead::Putty => putty_block(text, hit.end(), look),
            Lead::Scheme => scheme(text, hit.end()),
            Lead::Command => secret_of(text, at, hit.end(), look),
            Lead::Call => call(text, hit.end()),
            Lead::First => first(text, hit.end()),
            Lead::Pgpass => pgpass(text, hit.end()),
            Lead::Identified => identified(text, hit.end()),
            Lead::Pair(length) => partner(text, hit.end(), length),
            Lead::Foreign => foreign(text, hit.end()),
        };
        found.extend(secret);
    }
    (without_overlaps(found), look.read)
}

/// Of secrets that overlap the one that begins first, of those the longest, and
/// of those the one whose own form says what it is.
fn without_overlaps(mut found: Vec<Secret>) -> Vec<Secret> {
    let is_named = |secret: &Secret| NAMED.iter().any(|named| named.id == secret.rule);
    found.sort_by_key(|secret| {
        (
            secret.range.start,
            std::cmp::Reverse(secret.range.end),
            is_named(secret) || secret.rule == "authorization",
        )
    });
    let mut end = 0;
    found.retain(|secret| {
        let is_new = secret.range.start >= end;
        end = end.max(secret.range.end);
        is_new
    });
    found
}

/// True if a token may begin here: it is not the rest of a longer word.
fn begins(text: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| text[before]) else { return true };
    if !before.is_ascii_alphanumeric() {
        return true;
    }
    // `\nTOKEN` in a text that is quoted in another, and `%3DTOKEN` in a URL.
    let escaped = at >= 2 && text[at - 2] == b'\\' && matches!(before, b'n' | b't' | b'r');
    let encoded = at >= 3 && text[at - 3] == b'%' && text[at - 2..at].iter().all(u8::is_ascii_hexdigit);
    escaped || encoded || ends_colour(&text[..at])
}

/// True if the text ends with what sets a terminal's colour: `ESC [ 33 m`.
fn ends_colour(text: &[u8]) -> bool {
    let Some(text) = text.strip_suffix(b"m") else { return false };
    let numbers =
        text.iter().rev().take(16).take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
    text[..text.len() - numbers].ends_with(b"\x1b[")
}

fn token(text: &[u8], at: usize, rule: &Rule, pattern: &Pattern, look: &mut Look) -> Option<Secret> {
    // Base64 has signs of its own; a rule that begins with one of them is of base64.
    let is_base64 = rule.begins.iter().all(|begin| begin.starts_with('+'));
    let is_part = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || if is_base64 { matches!(byte, b'+' | b'/') } else { matches!(byte, b'_' | b'-' | b'~' | b'.') }
    };
    let before = text[..at].iter().rev().take(rule.before).take_while(|byte| is_part(byte)).count();
    let is_whole =
        if rule.before == 0 { begins_with_sign(rule) || begins(text, at) } else { before + 2 >= rule.before };
    if !is_whole {
        return None;
    }
    // Long forms are common beginnings of other words: whether there is a next part is seen at less cost.
    if rule.id == "jwt" {
        let end = look.end_of(Stretch::Part, text, at);
        if end - at < 11 || text.get(end) != Some(&b'.') {
            return None;
        }
    }
    let most = look.most(text.len().min(at + WINDOW) - at);
    let matched = pattern.get().find(&text[at..at + most]).map(|found| found.end());
    look.spend(matched.unwrap_or(rule.begins[0].len()));
    let length = matched?;
    let judged = &text[at..at + length];
    if entropy(judged) < rule.entropy || is_drawn_out(judged) || is_example(judged) {
        return None;
    }
    // Where it was cut nothing of it stays: it goes as far as a token can.
    let is_cut = length == most && most < WINDOW;
    let end = if is_cut {
        look.end_of(Stretch::Token, text, at).clamp(at + length, text.len().min(at + WINDOW))
    } else {
        at + length
    };
    Some(Secret { rule: rule.id, range: at - before..end })
}

/// `/t/`, `$6$`: no word goes on into them.
fn begins_with_sign(rule: &Rule) -> bool {
    rule.begins.iter().all(|begin| !begin.as_bytes()[0].is_ascii_alphanumeric())
}

/// `hf_xxxxxxxxxxxx`: the form with nothing in it.
fn is_drawn_out(token: &[u8]) -> bool {
    let mut run = 0;
    token.windows(2).any(|two| {
        run = if two[0] == two[1] { run + 1 } else { 0 };
        run == 7
    })
}

/// Words of a header between its name and the secret.
const SCHEMES: [&str; 7] = ["bearer", "basic", "token", "apikey", "ssws", "bot", "key"];

/// What is given to a name that alone says too little: it must have a form of its own.
fn bare(name: &str, text: &[u8], given: &Assigned) -> Option<Secret> {
    let value = &text[given.value.clone()];
    if matches!(given.form, Form::Line | Form::Prose) {
        return None;
    }
    let is_base64 =
        || value.len() == 88 && value.ends_with(b"==") && is_secret(value, Gate::Random, true, true);
    let rule = match name {
        "pass" if is_secret(value, Gate::Password, given.is_quoted, true) && value.len() >= 8 => "password",
        "key" if is_base64() => "azure-account-key",
        // A sentence about a key, with nothing but a key in its end.
        "key"
            if is_told(text, given) && value.len() >= 24 && is_secret(value, Gate::Random, false, false) =>
        {
            "api-key"
        }
        "key" => key_of_company(text, value, given)?,
        _ => return None,
    };
    Some(Secret { rule, range: given.value.clone() })
}

/// True if `is` stands between name and value.
fn is_told(text: &[u8], given: &Assigned) -> bool {
    text[given.name.end..given.value.start].trim_ascii() == b"is"
}

/// So much before a key says whose it is, in bytes.
const COMPANY: usize = 160;

/// The rule of a `key` that stands near the name of whose it is: `{"username": "NAME", "key": "SECRET"}`.
fn key_of_company(text: &[u8], value: &[u8], given: &Assigned) -> Option<&'static str> {
    let before = text[given.name.start.saturating_sub(COMPANY)..given.name.start].to_ascii_lowercase();
    let is_near = |word: &str| before.windows(word.len()).any(|part| part == word.as_bytes());
    let is_hex = value.iter().all(u8::is_ascii_hexdigit);
    match value.len() {
        40 if is_hex && is_near("wandb") => Some("wandb-key"),
        36 if is_uuid(value) && (is_near("cdsapi") || is_near("://cds.") || is_near("://ads.")) => {
            Some("api-key")
        }
        32 if is_hex && (is_near("username") || is_near("kaggle")) => Some("kaggle-key"),
        // A remote of rclone.
        _ if is_near("\nuser = ") && is_near("\ntype = ") => {
            is_secret(value, Gate::Password, false, true).then_some("secret")
        }
        _ => None,
    }
}

/// Names of keys that no secret opens.
const OPEN_KEYS: [&str; 12] = [
    "public",
    "cache",
    "hash",
    "sort",
    "primary",
    "foreign",
    "partition",
    "group",
    "row",
    "index",
    "dedup",
    "lookup",
];

/// `--rf-key X`, `RAILS_MASTER_KEY: X`: a key that is given to a program, if it looks random.
fn key_of_machine(text: &[u8], name: &str, given: &Assigned) -> Option<Secret> {
    let is_option = text[..given.name.start].ends_with(b"-");
    let is_variable = !text[given.name.clone()].iter().any(u8::is_ascii_lowercase);
    let is_key = name.ends_with("_key") && !OPEN_KEYS.iter().any(|open| name.contains(open));
    // `Using Key=X` of a log; `cache key=X` is none, nor is what is made of words and a digest.
    let value = &text[given.value.clone()];
    let before = &text[given.name.start.saturating_sub(12)..given.name.start];
    let is_mixed = value.iter().any(|byte| byte.is_ascii_alphabetic() && !byte.is_ascii_hexdigit());
    let is_bare = (name == "key" || name.ends_with("_key") && text[given.name.clone()].contains(&b'.'))
        && (given.form == Form::Tight || given.is_quoted && is_mixed && value.len() >= 32)
        && value.len() >= 24
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        && !OPEN_KEYS.iter().any(|open| before.to_ascii_lowercase().ends_with(format!("{open} ").as_bytes()));
    (given.form != Form::Prose
        && (is_bare || is_key && (is_option || is_variable))
        && is_secret(value, Gate::Random, true, true))
    .then(|| Secret { rule: "api-key", range: given.value.clone() })
}

/// What a name may have behind its telling end: `SECRET_V2`, `TOKEN_PROD`, `passwordB64`.
const MORE: [&str; 12] =
    ["prod", "dev", "test", "staging", "b64", "base64", "json", "value", "old", "new", "main", "plain"];

fn named(engine: &Engine, text: &[u8], at: usize, look: &mut Look) -> Option<Secret> {
    let given = assigned(text, at, look)?;
    let name: Vec<u8> = text[given.name.clone()]
        .iter()
        .map(|byte| if matches!(byte, b'-' | b'.' | b' ') { b'_' } else { byte.to_ascii_lowercase() })
        .collect();
    let name = std::str::from_utf8(&name).ok()?;
    let mut value = given.value.clone();
    if let Some(blank) = text[value.clone()].iter().position(|byte| *byte == b' ')
        && SCHEMES
            .iter()
            .any(|word| text[value.start..value.start + blank].eq_ignore_ascii_case(word.as_bytes()))
    {
        value.start += blank + 1;
    }
    // Without quotes the value ends at the blank behind the scheme.
    if SCHEMES.iter().any(|word| text[value.clone()].eq_ignore_ascii_case(word.as_bytes())) {
        let next = value.end + text[value.end..].iter().take_while(|byte| **byte == b' ').count();
        let length = text[next..].iter().take(WINDOW).take_while(|byte| is_of_token(byte)).count();
        value = next..next + length;
    }
    let of = |name: &str| {
        NAMED.iter().enumerate().find(|(_, named)| named.names.iter().any(|end| ends_with(name, end)))
    };
    let Some((at, named)) =
        of(name).or_else(|| of(told(name))).or_else(|| of(&with_words(text, &given, name)?))
    else {
        return bare(name, text, &given).or_else(|| key_of_machine(text, name, &given));
    };
    let bytes = &text[value.clone()];
    // The folder in which a shell stands.
    if name.ends_with("pwd") && bytes.starts_with(b"/") {
        return None;
    }
    // Programs give their sessions such names in every log.
    if named.id == "session-cookie" && is_uuid(bytes) {
        return None;
    }
    let is_one = match given.form {
        Form::Tight | Form::Loose => is_secret(bytes, named.gate, given.is_quoted, given.form == Form::Tight),
        Form::Line => is_secret(bytes, named.gate, false, false),
        Form::Prose => is_secret(bytes, named.gate, false, false) && proves_itself(bytes, named.gate),
    };
    (is_one && engine.values[at].get().is_match(bytes)).then_some(Secret { rule: named.id, range: value })
}

/// The name with up to two words before it: `API key`, `Secret Access Key`.
fn with_words(text: &[u8], given: &Assigned, name: &str) -> Option<String> {
    let near = &text[given.name.start.saturating_sub(24)..given.name.start];
    let mut words = near.strip_suffix(b" ")?.rsplit(|byte| !byte.is_ascii_alphanumeric()).take(2);
    let (last, first) = (words.next()?, words.next().unwrap_or_default());
    let [first, last] = [first, last].map(|word| String::from_utf8_lossy(word).to_ascii_lowercase());
    (!last.is_empty()).then(|| format!("{first}_{last}_{name}"))
}

/// Where a blank alone stands between name and value, in the middle of words: nothing that a sentence may hold.
fn proves_itself(value: &[u8], gate: Gate) -> bool {
    match gate {
        Gate::Random => {
            value.len() >= 20
                && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-+=".contains(byte))
        }
        Gate::Password => {
            value.len() >= 8
                && [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit]
                    .iter()
                    .all(|is| value.iter().any(is))
        }
    }
}

/// A name without what says which of several it is.
fn told(name: &str) -> &str {
    let name = MORE.iter().find_map(|more| name.strip_suffix(more)?.strip_suffix('_')).unwrap_or(name);
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    let name = name.strip_suffix("_v").unwrap_or(name);
    MORE.iter().find_map(|more| name.strip_suffix(more)?.strip_suffix('_')).unwrap_or(name)
}

/// True if a name ends with a word of the table; words in it may be written together.
fn ends_with(name: &str, end: &str) -> bool {
    if name.ends_with(end) {
        let before = name.len() - end.len();
        // `password` may end `dbpassword`; `token` must not end `pretoken`; both may end `hf_token`.
        return end.starts_with('_')
            || before == 0
            || name.as_bytes()[before - 1] == b'_'
            || end.len() >= 6
            || is_camel(end);
    }
    false
}

/// Short words that are written together with others: `hfToken`, `appSecret`.
fn is_camel(end: &str) -> bool {
    matches!(end, "token" | "secret" | "pwd")
}

pub(super) fn is_of_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'_' | b'~' | b'+' | b'/' | b'=' | b'-' | b':' | b'%')
}
