//! The only way out: standard output for the answer, standard error for the rest.
//! No secret goes through it.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

use super::failure::ErrorLine;
use super::{Failure, Globals};
use crate::report::{self, View, envelope};
use crate::safety::{Redactions, redact, secrets_in};
use crate::sys::{self, World};

/// Writes answers and remarks, in the form that the options ask for.
pub struct Output {
    json: bool,
    quiet: bool,
    color: ColorChoice,
    view: View,
}

impl Output {
    /// An output as the options say.
    pub fn new(world: &World, globals: &Globals) -> Output {
        let now = world.clock.now();
        let asked = world.environment.text("COLUMNS").and_then(|text| text.parse().ok());
        let is_terminal = io::stdout().is_terminal();
        let width = asked.or_else(|| is_terminal.then(sys::terminal_width).flatten()).unwrap_or(80);
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| {
            world.environment.text(name).map(|text| text.to_ascii_lowercase()).filter(|text| !text.is_empty())
        });
        let is_utf8 = locale.is_some_and(|locale| locale.contains("utf-8") || locale.contains("utf8"));
        Output {
            json: globals.json,
            quiet: globals.quiet,
            color: globals.color.choice(),
            view: View {
                now,
                zone: world.clock.zone_at(now),
                dir: world.environment.current_dir().clone(),
                width: usize::clamp(width, 40, 400),
                cuts: is_terminal || asked.is_some(),
                unicode: is_utf8 && is_terminal,
            },
        }
    }

    /// How things are to be shown.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// True if the answer goes out as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// True if nothing is to be said that need not be.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// An answer that is a problem, for one who wants to hear of problems alone:
    /// on standard error.
    pub fn alarm(&self, text: &str) {
        self.complain(text);
    }

    /// The answer: as JSON under `schema`, or the text that `text` makes.
    pub fn answer<T: Serialize>(
        &self,
        schema: &str,
        data: &T,
        text: impl FnOnce(&View, &T) -> String,
    ) -> Result<(), Failure> {
        if !self.json {
            return self.print(&text(&self.view, data));
        }
        let mut line = envelope(schema, data)
            .map_err(|e| Failure::new(super::Exit::Bug, format!("cannot write JSON: {e}")))?;
        line.push('\n');
        self.print(&line)
    }

    /// Text on standard output as it is, colours and secrets aside.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut redactions = Redactions::new();
        let text = redact(text, &mut redactions);
        if !redactions.is_empty() {
            self.remarks(&format!("note: {}\n", report::redacted(&redactions)));
        }
        let mut stream = AutoStream::new(io::stdout().lock(), self.color_of(&io::stdout()));
        match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
            // Whoever closed the pipe has read enough.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(e) => {
                Err(Failure::new(super::Exit::Outside, format!("cannot write to standard output: {e}")))
            }
            Ok(()) => Ok(()),
        }
    }

    /// What another program printed, bytes as they came, secrets aside.
    pub fn pass(&self, is_error: bool, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut clean = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for secret in secrets_in(bytes) {
            clean.extend_from_slice(bytes.get(from..secret.range.start).unwrap_or_default());
            clean.extend(format!("[redacted {}, {} bytes]", secret.rule, secret.range.len()).bytes());
            from = secret.range.end.max(from);
        }
        clean.extend_from_slice(bytes.get(from..).unwrap_or_default());
        // Whoever closed the pipe has read enough.
        if is_error {
            let mut stream = io::stderr().lock();
            let _ = stream.write_all(&clean).and_then(|()| stream.flush());
        } else {
            let mut stream = io::stdout().lock();
            let _ = stream.write_all(&clean).and_then(|()| stream.flush());
        }
    }

    /// A remark on standard error; silent under `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.complain(&format!("{text}\n"));
        }
    }

    /// Several lines of remarks on standard error; silent under `--quiet`, and
    /// with `--json`, where the answer holds them.
    pub fn remarks(&self, text: &str) {
        if !self.quiet && !self.json && !text.is_empty() {
            self.complain(text);
        }
    }

    /// Why the program did not do what it was asked to.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            self.complain(&error_line(failure));
        } else {
            self.complain(&failure.text());
        }
    }

    fn complain(&self, text: &str) {
        let text = redact(text, &mut Redactions::new());
        let mut stream = AutoStream::new(io::stderr().lock(), self.color_of(&io::stderr()));
        // There is nobody left to tell.
        let _ = stream.write_all(text.as_bytes());
    }

    fn color_of(&self, stream: &impl IsTerminal) -> ColorChoice {
        match self.color {
            ColorChoice::Auto if !stream.is_terminal() => ColorChoice::Never,
            ColorChoice::Auto => ColorChoice::Auto,
            other => other,
        }
    }
}

/// The failure as a line of JSON.
pub(super) fn error_line(failure: &Failure) -> String {
    // Numbers and strings: this cannot fail.
    let value = serde_json::to_value(ErrorLine { error: failure }).unwrap_or_default();
    format!("{}\n", crate::safety::json_line(&value))
}

/// Plain text on standard error, before there are options to say how.
pub(super) fn complain(text: &str) {
    // There is nobody left to tell.
    let text = redact(text, &mut Redactions::new());
    let _ = io::stderr().write_all(text.as_bytes());
}
