use serde::Serialize;

use super::command::commands;
use super::fault::{contents, form};
use super::quote::{self, Needs};
use super::script::Script;
use super::shell::{Kind, Token, read};
use super::{Fault, Place, Refusal, waits};

/// One thing to do: a line of shell, begun in the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The line, as a shell reads it.
    pub text: String,
    /// What it does, in words.
    pub what: String,
}

/// How lines are made.
#[derive(Debug, Clone)]
pub struct Carrier<'s> {
    /// Where the project is.
    pub place: &'s Place,
    /// How long a line may be, in bytes.
    pub longest: usize,
    /// What brings a committed script there; empty if nothing has to.
    pub brings: &'s str,
}

/// How something gets to the other machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Carried {
    /// The lines, in the order in which they are pasted, each when the one before is done.
    pub lines: Vec<String>,
    /// The script that has to be committed and pushed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    /// Why it is a script or several lines, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A command given as words, as a line of shell; `-y` is put where the command knows it and would ask.
///
/// # Errors
/// [`Refusal`] for control characters, and if there is no word.
pub fn words(command: &[String]) -> Result<(String, bool), Refusal> {
    let refused = |fault| Refusal { faults: vec![fault] };
    let Some((program, rest)) = command.split_first().filter(|(program, _)| !program.is_empty()) else {
        return Err(refused(Fault::Empty));
    };
    if let Some(faults) = controls(&command.join(" ")) {
        return Err(Refusal { faults });
    }
    let quoted = |word: &String| {
        crate::safety::shell_word(word)
            .map_err(|_| refused(Fault::Control { characters: vec![crate::safety::escape(word)] }))
    };
    let mut out = vec![quoted(program)?];
    let known: Vec<&str> = rest.iter().map(String::as_str).collect();
    let name = program.rsplit('/').next().unwrap_or_default();
    let yes = waits::yes(name, &known);
    for (at, word) in rest.iter().enumerate() {
        out.push(quoted(word)?);
        if at == 0 {
            out.extend(yes.map(str::to_owned));
        }
    }
    Ok((out.join(" "), yes.is_some()))
}

fn controls(text: &str) -> Option<Vec<Fault>> {
    let control = form(text, usize::MAX)
        .into_iter()
        .find(|fault| matches!(fault, Fault::Control { .. } | Fault::Lines { .. }));
    let fault = match control? {
        Fault::Lines { .. } => Fault::Control { characters: vec!["a new line (U+000A)".to_owned()] },
        other => other,
    };
    Some(vec![fault])
}

/// Finds the form in which these parts get there, one after the other, each only if the one before went well.
///
/// # Errors
/// [`Refusal`] for what no form can carry, and for what must not be carried.
pub fn carry(carrier: &Carrier, parts: &[Part]) -> Result<Carried, Refusal> {
    let mut read_parts = Vec::new();
    if parts.is_empty() {
        return Err(Refusal { faults: vec![Fault::Empty] });
    }
    let mut beyond = None;
    for part in parts {
        if let Some(faults) = controls(&part.text) {
            return Err(Refusal { faults });
        }
        // What cannot be read cannot be looked at either.
        let faults = contents(&part.text, carrier.place.path());
        if !faults.is_empty() {
            return Err(Refusal { faults });
        }
        match read(&part.text) {
            Ok(tokens) if !tokens.is_empty() => read_parts.push(tokens),
            _ => return Err(Refusal { faults: vec![Fault::Empty] }),
        }
    }
    let mut written = Vec::new();
    for tokens in &read_parts {
        match quote::write(tokens) {
            Ok(text) => written.push(grouped(tokens, &text)),
            Err(Needs::Control(c)) => {
                let characters = vec![c.escape_unicode().to_string()];
                return Err(Refusal { faults: vec![Fault::Control { characters }] });
            }
            Err(Needs::Quotes) => beyond = Some("it needs quotes, which a phone rewrites"),
        }
    }
    let line =
        |commands: &[String]| finished(format!("cd {} && {}", carrier.place.word(), commands.join(" && ")));
    let fits = |line: &String| form(line, carrier.longest).is_empty();
    if beyond.is_none() {
        let whole = line(&written);
        if fits(&whole) {
            return Ok(Carried { lines: vec![whole], script: None, why: None });
        }
        let is_apart = !read_parts.iter().any(|tokens| changes_the_shell(tokens));
        if is_apart
            && let Some(lines) = packed(&written, line, fits)
            && lines.len() > 1
        {
            let why = format!("it is {} bytes as one line, and {} are allowed", whole.len(), carrier.longest);
            return Ok(Carried { lines, script: None, why: Some(why) });
        }
        beyond = Some(if whole.len() > carrier.longest {
            "it is too long for a line, and cannot be cut"
        } else {
            "a phone would rewrite some of it"
        });
    }
    let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    let made = run_there(carrier, Script::of(&texts))?;
    Ok(Carried { why: beyond.map(str::to_owned), ..made })
}

/// The line that runs a committed script there.
///
/// # Errors
/// [`Refusal`] if even that line is too long.
pub fn run_there(carrier: &Carrier, script: Script) -> Result<Carried, Refusal> {
    let brings =
        Some(carrier.brings).filter(|brings| !brings.is_empty()).map(|brings| format!("{brings} && "));
    let brings = brings.unwrap_or_default();
    let line = format!("cd {} && {brings}{} {}", carrier.place.word(), script.shell, script.path);
    let wrong = form(&line, carrier.longest);
    if !wrong.is_empty() {
        return Err(Refusal { faults: wrong });
    }
    Ok(Carried { lines: vec![line], script: Some(script), why: None })
}

/// A line whose last character is not lost: a dot at the end is taken for that of a sentence.
pub(super) fn finished(mut line: String) -> String {
    if line.ends_with('.') {
        line.pop();
        // An even number of backslashes stands for half as many of them, and leaves the dot alone.
        let is_escaped = line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
        line.truncate(line.len() - usize::from(is_escaped));
        line.push_str("$(printf \\\\056)");
    }
    line
}

/// A list of commands as one, so that what stands before it decides about all of it.
pub(super) fn grouped(tokens: &[Token], text: &str) -> String {
    let mut depth = 0usize;
    let mut loose = false;
    for token in tokens {
        match token.kind {
            Kind::Operator("(") => depth += 1,
            Kind::Operator(")") => depth = depth.saturating_sub(1),
            Kind::Operator(";" | "||" | "&") if depth == 0 => loose = true,
            _ => {}
        }
    }
    match text.trim_end() {
        text if !loose => text.to_owned(),
        text if text.ends_with([';', '&']) => format!("{{ {text} }}"),
        text => format!("{{ {text}; }}"),
    }
}

/// As few lines as there can be; `None` if one command alone does not fit.
fn packed(
    commands: &[String],
    line: impl Fn(&[String]) -> String,
    fits: impl Fn(&String) -> bool,
) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    let mut from = 0;
    for to in 1..=commands.len() {
        if !fits(&line(&commands[from..to])) {
            if to - from == 1 {
                return None;
            }
            lines.push(line(&commands[from..to - 1]));
            from = to - 1;
            if !fits(&line(&commands[from..to])) {
                return None;
            }
        }
    }
    lines.push(line(&commands[from..]));
    Some(lines)
}

/// True if what comes behind it depends on more than that it went well.
fn changes_the_shell(tokens: &[Token]) -> bool {
    const CHANGES: [&str; 14] = [
        "cd", "pushd", "popd", "export", "unset", "set", "source", ".", "module", "ml", "conda", "alias",
        "umask", "eval",
    ];
    let only_assigns = tokens
        .iter()
        .any(|token| matches!(&token.kind, Kind::Word(word) if super::command::is_assignment(word)))
        && commands(tokens).is_empty();
    only_assigns
        || commands(tokens)
            .iter()
            .any(|command| command.word(0).is_none_or(|word| CHANGES.contains(&word.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_at_the_end_is_written_in_another_way_and_nothing_else_is_touched() {
        let line = |text: &str| finished(text.to_owned());
        assert_eq!(line("ls ."), r"ls $(printf \\056)");
        assert_eq!(line(r"ls ..\."), r"ls ..$(printf \\056)");
        assert_eq!(line(r"ls a\\."), r"ls a\\$(printf \\056)");
        assert_eq!(line("ls"), "ls");
    }
}
