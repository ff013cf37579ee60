//! The project's own resume command, filled in: every value is one quoted word
//! of the shell, wherever it stands.

use super::direct;
use super::memory::Per;
use crate::cluster::value_of_option;
use crate::safety::{self, Unquotable};

/// What a template may hold, with what is filled in.
pub const PLACEHOLDERS: [(Placeholder, &str, &str); 12] = [
    (Placeholder::Tasks, "tasks", "compressed list of array tasks, with the throttle"),
    (Placeholder::Task, "task", "index of the task, or id of the job"),
    (Placeholder::Array, "array", "id of the array"),
    (Placeholder::Id, "id", "array and index, such as 48251_7"),
    (Placeholder::Job, "job", "raw id of the job, as its log has it"),
    (Placeholder::Name, "name", "the jobs' name"),
    (Placeholder::Run, "run", "run folder"),
    (Placeholder::Checkpoint, "checkpoint", "newest checkpoint that passed its check"),
    (Placeholder::Script, "script", "batch script"),
    (Placeholder::Exclude, "exclude", "--exclude=NODES where nodes are to be avoided, else nothing"),
    (Placeholder::Wandb, "wandb", "WANDB_RUN_ID=... WANDB_RESUME=must where the run is known, else nothing"),
    (Placeholder::WandbId, "wandb_id", "the W&B run id alone"),
];

/// A value that a template asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placeholder {
    /// A compressed list of tasks.
    Tasks,
    /// One index.
    Task,
    /// The array's id.
    Array,
    /// Array and index.
    Id,
    /// The raw job id.
    Job,
    /// The jobs' name.
    Name,
    /// The run folder.
    Run,
    /// The checkpoint.
    Checkpoint,
    /// The batch script.
    Script,
    /// The option that keeps jobs off nodes.
    Exclude,
    /// The variables that lead to the same W&B run.
    Wandb,
    /// The W&B run id.
    WandbId,
}

impl Placeholder {
    /// Its name between the braces.
    pub fn name(self) -> &'static str {
        PLACEHOLDERS.iter().find(|(one, ..)| *one == self).map_or("", |(_, name, _)| name)
    }

    /// True if each task has a value of its own.
    pub fn is_per_task(self) -> bool {
        use Placeholder::{Checkpoint, Id, Job, Run, Task, Wandb, WandbId};
        matches!(self, Task | Id | Job | Run | Checkpoint | Wandb | WandbId)
    }
}

/// A template that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A name in braces that means nothing.
    #[error("the resume command has a placeholder that is not known: {{{name}}}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// A placeholder where quoting would not protect its value.
    #[error(
        "the resume command has {{{name}}} inside quotes or behind a backslash, where its value would not be safe"
    )]
    Quoted {
        /// The name.
        name: String,
    },
    /// A shell reads the line, or a part of it, a second time.
    #[error(
        "the resume command has `...`, $(...), ${{...}} with more than a name, <(...), eval, ssh, or a shell with -c \
         beside a placeholder: a shell would read its value a second time"
    )]
    ReadTwice,
    /// Characters that no line of a shell should have.
    #[error(
        "the resume command has characters that cannot be shown, more than one line, or quotes that do not close"
    )]
    Shape,
}

/// A template, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Placeholder),
}

impl Template {
    /// Reads a template: `{name}` is a placeholder, `${NAME}` is the shell's own.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn read(text: &str) -> Result<Template, TemplateError> {
        let text = text.trim();
        if text.is_empty() || safety::escape(text) != text {
            return Err(TemplateError::Shape);
        }
        let mut pieces = vec![Piece::Text(String::new())];
        let mut quote = Quote::default();
        let mut rest = text;
        let mut before = ' ';
        while let Some(c) = rest.chars().next() {
            if c == '{'
                && before != '$'
                && let Some((name, after)) = name_of(&rest[1..])
            {
                let found = PLACEHOLDERS.iter().find(|(_, known, _)| *known == name);
                let (placeholder, ..) =
                    found.ok_or_else(|| TemplateError::Unknown { name: name.to_owned() })?;
                if quote.is_open() {
                    return Err(TemplateError::Quoted { name: name.to_owned() });
                }
                pieces.push(Piece::Value(*placeholder));
                pieces.push(Piece::Text(String::new()));
                (rest, before) = (after, '}');
                continue;
            }
            // In `$'...'` a backslash protects the quote, but not to every shell.
            if !quote.is_open() && c == '\'' && before == '$' {
                return Err(TemplateError::ReadTwice);
            }
            quote.take(c);
            if let Some(Piece::Text(text)) = pieces.last_mut() {
                text.push(c);
            }
            (rest, before) = (&rest[c.len_utf8()..], c);
        }
        let has_values = pieces.iter().any(|piece| matches!(piece, Piece::Value(_)));
        if quote.is_open() {
            Err(TemplateError::Shape)
        } else if has_values && reads_twice(text) {
            Err(TemplateError::ReadTwice)
        } else {
            Ok(Template { pieces })
        }
    }

    /// What it asks for.
    pub fn asks_for(&self, wanted: Placeholder) -> bool {
        self.pieces.contains(&Piece::Value(wanted))
    }

    /// True if variables in front of the line reach the program that it runs, as
    /// they do for a single command.
    pub fn takes_variables(&self) -> bool {
        let is_plain = |piece: &Piece| match piece {
            Piece::Text(text) => !text.contains([';', '&', '|', '(', ')', '<', '>', '`']),
            Piece::Value(_) => true,
        };
        let starts_with =
            |word: &str| matches!(self.pieces.first(), Some(Piece::Text(text)) if text.starts_with(word));
        self.pieces.iter().all(is_plain)
            && !["cd ", "export ", "exec ", "source ", ". "].into_iter().any(starts_with)
    }

    /// It with these nodes, a word of the shell that ends in a comma, in front of
    /// those that it excludes itself; `None` if it excludes none.
    pub(super) fn also_excluding(&self, nodes: &str) -> Option<Template> {
        let text = self.text();
        let at = value_of_option(&text, Some('x'), "--exclude")?;
        let (before, after) = text.split_at_checked(at)?;
        Template::read(&format!("{before}{nodes}{after}")).ok()
    }

    /// True if it says itself how much memory its jobs get.
    pub(super) fn has_memory(&self) -> bool {
        let text = self.text();
        Per::ALL.iter().any(|per| value_of_option(&text, None, per.option()).is_some())
    }

    /// It as it was read.
    fn text(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Value(value) => format!("{{{}}}", value.name()),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// The values that come from outside as they are, if another program than
    /// `sbatch` or a script may read them as more than words.
    pub(super) fn handed_on(&self) -> Vec<Placeholder> {
        let outside = |placeholder: Placeholder| {
            use Placeholder::{Checkpoint, Name, Run, Script, Wandb, WandbId};
            matches!(placeholder, Run | Checkpoint | Name | Script | Wandb | WandbId)
        };
        let text: String = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Value(Placeholder::Wandb) => format!("WANDB_RUN_ID={}", direct::VALUE),
                Piece::Value(value) if outside(*value) => direct::VALUE.to_string(),
                Piece::Value(_) => "0".to_owned(),
            })
            .collect();
        if direct::is_direct(&text) {
            return Vec::new();
        }
        let values = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(value) if outside(*value) => Some(*value),
            _ => None,
        });
        values.collect()
    }

    /// Which values differ from task to task.
    pub fn per_task(&self) -> Vec<Placeholder> {
        let mut all: Vec<Placeholder> = self
            .pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Value(value) if value.is_per_task() => Some(*value),
                _ => None,
            })
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// True if the program that it runs is `sbatch` itself, so that options of
    /// sbatch can be put behind it.
    pub fn is_sbatch(&self) -> bool {
        matches!(self.pieces.first(), Some(Piece::Text(text)) if text.starts_with("sbatch "))
            || self.behind_variables().is_some()
    }

    /// The line, with `options` right behind `sbatch` where that is what it runs.
    ///
    /// # Errors
    /// [`Unquotable`] for a value that no shell takes.
    pub fn fill(
        &self,
        options: &str,
        mut value: impl FnMut(Placeholder) -> Result<String, Unquotable>,
    ) -> Result<String, Unquotable> {
        let behind = self.behind_variables();
        let mut line = String::new();
        for (number, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Value(placeholder) => line.push_str(&value(*placeholder)?),
                Piece::Text(text) => {
                    let text = if number == 0 || Some(number) == behind {
                        with_options(text, options)
                    } else {
                        text.clone()
                    };
                    // An empty value leaves one blank, not two.
                    let text = if line.is_empty() || line.ends_with(' ') { text.trim_start() } else { &text };
                    line.push_str(text);
                }
            }
        }
        Ok(line.trim_end().to_owned())
    }

    /// The piece that begins with `sbatch` behind a leading `{wandb}`.
    fn behind_variables(&self) -> Option<usize> {
        match self.pieces.get(..3)? {
            [Piece::Text(first), Piece::Value(Placeholder::Wandb), Piece::Text(text)] => {
                (first.is_empty() && text.trim_start().starts_with("sbatch ")).then_some(2)
            }
            _ => None,
        }
    }
}

fn with_options(text: &str, options: &str) -> String {
    let bare = text.trim_start();
    let blanks = &text[..text.len() - bare.len()];
    match bare.strip_prefix("sbatch ") {
        Some(rest) if !options.is_empty() => format!("{blanks}sbatch {options} {rest}"),
        _ => text.to_owned(),
    }
}

/// The name at the start of `text` up to a closing brace, and what follows.
fn name_of(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.split_once('}')?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    is_name.then_some((name, after))
}

/// True if a shell would begin to read anew within the line: there quotes nest,
/// and what protects a value outside does not protect it inside.
fn reads_twice(text: &str) -> bool {
    let is_plain_name = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        end > 0 && rest[end..].starts_with('}')
    };
    let words: Vec<&str> = text
        .split([' ', '\t', ';', '&', '|', '(', ')', '='])
        .map(|word| word.trim_matches(['"', '\'', '\\']))
        .collect();
    let names: Vec<&str> = words.iter().map(|word| word.rsplit('/').next().unwrap_or(word)).collect();
    let has = |all: &[&str]| names.iter().any(|name| all.contains(name));
    let gives_text = |word: &&str| {
        let letters = word.strip_prefix('-').unwrap_or_default();
        letters.ends_with('c') && letters.bytes().all(|b| b.is_ascii_alphabetic())
    };
    text.contains('`')
        || ["$(", "<(", ">(", "<<"].iter().any(|begin| text.contains(begin))
        || text.match_indices("${").any(|(at, _)| !is_plain_name(&text[at + 2..]))
        || has(&AGAIN)
        || (has(&SHELLS) || names.iter().any(|name| name.starts_with("python")))
            && words.iter().any(gives_text)
}

/// What hands its words to a shell, on this machine or another one.
const AGAIN: [&str; 10] =
    ["eval", "ssh", "parallel", "watch", "trap", "alias", "tmux", "screen", "--wrap", "--command"];
/// What reads text as a program where it gets `-c`.
const SHELLS: [&str; 10] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "su", "script", "perl"];

/// Where in quotes a shell would be.
#[derive(Default)]
struct Quote {
    open: Option<char>,
    escaped: bool,
}

impl Quote {
    fn take(&mut self, c: char) {
        if std::mem::take(&mut self.escaped) {
            return;
        }
        match (self.open, c) {
            (Some('\''), '\'') | (Some('"'), '"') | (Some('`'), '`') => self.open = None,
            (Some('\''), _) => {}
            (_, '\\') => self.escaped = true,
            (None, '\'' | '"' | '`') => self.open = Some(c),
            _ => {}
        }
    }

    fn is_open(&self) -> bool {
        self.open.is_some() || self.escaped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, options: &str) -> String {
        let value = |placeholder: Placeholder| match placeholder {
            Placeholder::Exclude | Placeholder::Wandb => Ok(String::new()),
            other => safety::shell_word(&format!("<{}>", other.name())),
        };
        Template::read(template).unwrap().fill(options, value).unwrap()
    }

    #[test]
    fn values_are_filled_in_as_quoted_words() {
        assert_eq!(filled("make run RUN={run}", "--mem=1G"), "make run RUN='<run>'");
        assert_eq!(
            filled("sbatch --array={tasks} {exclude} {script} --resume {checkpoint}", "--mem=24G"),
            "sbatch --mem=24G --array='<tasks>' '<script>' --resume '<checkpoint>'"
        );
        assert_eq!(filled("{wandb} sbatch {script}", "--mem=1G"), "sbatch --mem=1G '<script>'");
        assert_eq!(filled("run ${HOME}/x {task} {a,b}", ""), "run ${HOME}/x '<task>' {a,b}");
    }

    #[test]
    fn a_value_never_stands_where_quoting_does_not_protect_it() {
        for template in [r#"sh -c "train {run}""#, "sh -c 'train {run}'", r"train \{run}", "x `y {run}`"] {
            let error = Template::read(template).unwrap_err();
            assert_eq!(error, TemplateError::Quoted { name: "run".into() }, "{template}");
        }
        for template in [
            r#"sbatch --comment="$(basename "{run}")" x"#,
            r#"sbatch --comment="`basename "{run}"`" x"#,
            r#"sbatch --comment="${X:-"{run}"}" x"#,
            "eval sbatch {run}",
            "bash -c {run}",
            "sbatch --wrap={run}",
            "diff <(ls {run}) x",
            "bash -lc {run}",
            "exec /bin/zsh -ec {run}",
            "ssh login sbatch {run}",
            "su ann -c {run}",
            "python3 -c {run}",
            r"echo $'\'{run}' x",
            "parallel train ::: {run}",
        ] {
            assert_eq!(Template::read(template), Err(TemplateError::ReadTwice), "{template}");
        }
        for template in ["", "two\nlines", "un'closed", "red \u{1b}[31m"] {
            assert_eq!(Template::read(template), Err(TemplateError::Shape), "{template:?}");
        }
        let error = Template::read("train {runn}").unwrap_err();
        assert_eq!(error, TemplateError::Unknown { name: "runn".into() });
    }

    #[test]
    fn the_options_of_sbatch_are_not_those_of_a_shell() {
        for template in [
            "sbatch -c 8 --array={tasks} {script}",
            "srun -c4 bash {script} {run}",
            "grep -c '$' {run}",
            r#"env A="b"{run}"c" make"#,
        ] {
            assert!(Template::read(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn variables_go_before_single_commands_alone() {
        let takes = |template: &str| Template::read(template).unwrap().takes_variables();
        assert!(
            takes("sbatch --array={tasks} {script} --resume {checkpoint}") && takes("make run RUN={run}")
        );
        for template in ["cd x && make RUN={run}", "cd {run}", "export A=1; train {run}", "echo {run} | sh"] {
            assert!(!takes(template), "{template}");
        }
    }

    #[test]
    fn a_template_says_what_differs_from_task_to_task() {
        let template = Template::read("sbatch --array={tasks} {script} --resume {checkpoint}").unwrap();
        assert_eq!(template.per_task(), [Placeholder::Checkpoint]);
        assert!(template.is_sbatch() && template.asks_for(Placeholder::Tasks));
        assert!(!Template::read("make run RUN={run}").unwrap().is_sbatch());
    }
}
