//! What logs say, as text.

use super::lines::Lines;
use super::{Align, Style, Table, View, paint};
use crate::joblog::{Finding, Progress, Role, Trouble};
use crate::safety::{clip, one_line};
use crate::terms::{Bytes, by_number, counted};
use crate::verbs::logs::{Group, Log, NotRead, Origin, Outcome, Patterns, Root};

/// How many groups are shown; JSON has them all.
const MOST_GROUPS: usize = 30;
/// How many findings beside the cause are shown of one log.
const MOST_OTHERS: usize = 12;
/// How many files that were not read are named.
const MOST_UNREAD: usize = 20;
/// How much of a log's line is shown.
const LONGEST: usize = 240;

/// One log: its cause, what to do, what else it says.
pub fn of_one(view: &View, log: &Log) -> String {
    let mut out = String::new();
    let mut page = Page { lines: Lines { out: &mut out, width: view.width }, view };
    page.one(log);
    out
}

/// Many logs: one row per cause.
pub fn text(view: &View, outcome: &Outcome) -> String {
    let mut out = String::new();
    let mut page = Page { lines: Lines { out: &mut out, width: view.width }, view };
    match outcome.logs.as_slice() {
        [log] => page.one(log),
        _ => page.many(outcome),
    }
    for note in outcome.notes.iter().take(MOST_UNREAD) {
        page.lines.add("note", &one_line(note, LONGEST));
    }
    page.not_read(outcome);
    out
}

struct Page<'p> {
    lines: Lines<'p>,
    view: &'p View,
}

impl Page<'_> {
    fn many(&mut self, outcome: &Outcome) {
        let logs = outcome.logs.len();
        let proven = outcome.groups.iter().filter(|group| group.is_cause);
        let failed: u64 = proven.map(|group| group.logs).sum();
        self.lines.add(
            "logs",
            &format!(
                "{logs}, of which {failed} {} a cause ({})",
                by_number(failed, "names", "name"),
                outcome.bytes
            ),
        );
        for group in outcome.groups.iter().take(MOST_GROUPS) {
            self.row(group, logs);
        }
        if outcome.groups.len() > MOST_GROUPS {
            let rest: u64 = outcome.groups[MOST_GROUPS..].iter().map(|group| group.logs).sum();
            let more = outcome.groups.len() - MOST_GROUPS;
            self.lines.add(
                "",
                &format!("and {} of {}; --json has all", counted(more, "more cause"), counted(rest, "log")),
            );
        }
        if outcome.without_cause > 0 {
            self.lines.add("no cause", &format!("in {}", counted(outcome.without_cause, "log")));
        }
    }

    fn row(&mut self, group: &Group, logs: usize) {
        let share = format!("{} of {} ({} %)", group.logs, counted(logs, "log"), group.share);
        match group.is_cause {
            true => self.cause("cause", Style::Bad, &share, &group.first),
            false => self.cause("not proven", Style::Watch, &share, &group.first),
        }
    }

    fn one(&mut self, log: &Log) {
        let mut about = vec![Bytes(log.size).to_string()];
        about.extend(log.modified.map(|modified| format!("written {} ago", modified.age(self.view.now))));
        if log.attempts.len() > 1 {
            about.push(format!("{} attempts, the newest counts", log.attempts.len()));
        }
        about.extend(log.job.map(|job| format!("job {job}")));
        self.lines.add(
            "log",
            &format!("{} ({})", paint(Style::Strong, &self.view.path(&log.file)), about.join(", ")),
        );
        match (&log.root, &log.elsewhere) {
            (Some(root), _) => self.cause("cause", Style::Bad, "", root),
            (None, Some(elsewhere)) => {
                self.lines
                    .add("cause", "none in what is certainly this job's; another part of the file names one");
                self.cause("uncertain", Style::Watch, "", elsewhere);
            }
            (None, None) => match log.headline() {
                Some(_) => self.lines.add("cause", "none that is proven; what follows points to one"),
                None => self.lines.add("cause", "none was found"),
            },
        }
        if let Some(progress) = &log.progress {
            self.lines.add("progress", &came(progress));
            progress.findings.iter().for_each(|trouble| self.lines.add("", &trouble_in_words(trouble)));
        }
        self.others(log);
        let unread: u64 = log.unread.iter().map(|part| part.to.saturating_sub(part.from)).sum();
        if unread > 0 {
            let parts = log.unread.len();
            self.lines.add(
                "not read",
                &format!("{} in {parts} places of the middle; --full reads it", Bytes(unread)),
            );
        }
    }

    fn cause(&mut self, label: &str, style: Style, share: &str, root: &Root) {
        let finding = &root.finding;
        let class = paint(style, &one_line(&finding.class, 40));
        let fingerprint = paint(Style::Faint, finding.fingerprint.as_str());
        let head: Vec<&str> =
            [&class, share, &fingerprint].into_iter().filter(|part| !part.is_empty()).collect();
        self.lines.add(label, &head.join("  "));
        let place = place(&self.view.path(&root.file), finding.line, finding.offset);
        self.lines.add_in("", &format!("{place}: {}", one_line(&finding.text, LONGEST)), 2);
        if let Some(frame) = &finding.frame {
            self.lines.add_in("", &format!("in {}", one_line(frame, 120)), 2);
        }
        if !root.meaning.is_empty() {
            self.lines.add_in("", &one_line(&root.meaning, 400), 2);
        }
        if !root.action.is_empty() {
            let word = root.retry.map(|retry| format!("{}: ", retry.words())).unwrap_or_default();
            self.lines.add_in("", &format!("{word}{}", one_line(&root.action, 400)), 2);
        }
    }

    /// Findings beside the cause, of the newest attempt, harmless facts aside.
    fn others(&mut self, log: &Log) {
        let newest = log.attempts.last().map_or(0, |attempt| attempt.number);
        let shown: Vec<&Finding> = log
            .others
            .iter()
            .filter(|other| other.attempt == newest && !matches!(other.role, Role::Info))
            .filter(|other| other.role != Role::Noise || other.set_aside.is_some())
            .collect();
        for (number, other) in shown.iter().take(MOST_OTHERS).enumerate() {
            let times = if other.count > 1 { format!(" ({} times)", other.count) } else { String::new() };
            let role = match other {
                Finding { set_aside: Some(_), .. } => "set aside",
                Finding { survived: true, .. } => "survived",
                _ => role(other.role),
            };
            let at =
                other.line.map_or_else(|| format!("byte {}", other.offset), |line| format!("line {line}"));
            let why =
                other.set_aside.as_ref().map_or_else(String::new, |why| format!(" ({})", one_line(why, 80)));
            let head = format!("{at}  {role} {}{times}{why}: ", one_line(&other.class, 40));
            let room = self.lines.room().saturating_sub(head.chars().count()).max(40);
            self.lines.add(
                if number == 0 { "besides" } else { "" },
                &format!("{head}{}", one_line(&other.text, room)),
            );
        }
        let earlier = log.others.iter().filter(|other| other.attempt != newest).count();
        let more = shown.len().saturating_sub(MOST_OTHERS);
        let rest: Vec<String> =
            [(more as u64 + log.left_out, "more"), (earlier as u64, "of earlier attempts")]
                .into_iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}"))
                .collect();
        if !rest.is_empty() {
            self.lines.add("", &format!("and {}; --json has them", rest.join(", ")));
        }
    }

    fn not_read(&mut self, outcome: &Outcome) {
        let unread = outcome.bytes.0.saturating_sub(outcome.read.0);
        if outcome.logs.len() > 1 && unread > 0 {
            let read = outcome.read;
            self.lines.add(
                "not read",
                &format!("the middle of large logs: {read} of {} were read; --full reads all", outcome.bytes),
            );
        }
        for NotRead { path, why } in outcome.unread.iter().take(MOST_UNREAD) {
            self.lines.add("not read", &format!("{}: {}", self.view.path(path), one_line(why, LONGEST)));
        }
        if outcome.unread.len() > MOST_UNREAD {
            self.lines.add("", &format!("and {} more; --json has all", outcome.unread.len() - MOST_UNREAD));
        }
        if outcome.no_text > 0 {
            self.lines.add("left out", &format!("{} without text", counted(outcome.no_text, "file")));
        }
        if !outcome.missing_shards.is_empty() {
            let missing: Vec<String> = outcome.missing_shards.iter().take(20).map(u32::to_string).collect();
            let all = outcome.missing_shards.len();
            self.lines.add("not read", &format!("no answer of {all} shards: {}", missing.join(", ")));
        }
    }
}

/// Findings beside the cause: of the newest attempt first, harmless facts aside.
fn role(role: Role) -> &'static str {
    match role {
        Role::Root => "also",
        Role::Cascade => "cascade",
        Role::Teardown => "teardown",
        Role::Evidence => "evidence",
        Role::Warning => "warning",
        Role::Noise => "noise",
        Role::Info => "info",
    }
}

/// `logs/a.out:81` or, where the lines before it were not read, `logs/a.out, byte 9000`.
fn place(file: &str, line: Option<u64>, offset: u64) -> String {
    match line {
        Some(line) => format!("{file}:{line}"),
        None => format!("{file}, byte {offset}"),
    }
}

fn came(progress: &Progress) -> String {
    let mut parts = Vec::new();
    let of = |most: Option<String>| most.map(|most| format!(" of {most}")).unwrap_or_default();
    if let Some(epoch) = progress.epoch {
        parts.push(format!(
            "epoch {}{}",
            rounded(epoch),
            of(progress.epochs.map(|it| rounded(it).to_string()))
        ));
    }
    if let Some(step) = progress.step {
        parts.push(format!("step {step}{}", of(progress.steps.map(|steps| steps.to_string()))));
    }
    parts.extend(progress.percent.map(|percent| format!("{percent:.0} %")));
    parts.extend(progress.loss.map(|loss| format!("loss {}", rounded(loss))));
    parts.extend(progress.remaining.map(|left| format!("{left} to go")));
    if parts.is_empty() { "some, without numbers".to_owned() } else { parts.join(", ") }
}

fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

fn trouble_in_words(trouble: &Trouble) -> String {
    let (what, text) = match trouble {
        Trouble::Nan { text, .. } => ("no number any more", text),
        Trouble::Diverged { text, .. } => ("diverged", text),
        Trouble::Plateau { text, .. } => ("plateau", text),
    };
    format!("{}: {}", paint(Style::Watch, what), one_line(text, LONGEST))
}

/// The table of patterns.
pub fn patterns(_: &View, patterns: &Patterns) -> String {
    let mut table = Table::new([
        ("id", Align::Left),
        ("class", Align::Left),
        ("role", Align::Left),
        ("retry", Align::Left),
        ("origin", Align::Left),
        ("pattern", Align::Left),
    ]);
    for row in &patterns.patterns {
        let role = format!("{}{}", role_word(row.role), if row.weak { "?" } else { "" });
        let origin = match row.origin {
            Origin::BuiltIn => "built in",
            Origin::Settings => "settings",
            Origin::Replaced => "settings, in place of a built-in one",
        };
        table.row([
            one_line(&row.id, 60),
            one_line(&row.class, 60),
            role,
            row.retry.words().to_owned(),
            origin.to_owned(),
            clip(&one_line(&row.pattern, 80), 80),
        ]);
    }
    table.render()
}

fn role_word(kind: Role) -> &'static str {
    if kind == Role::Root { "root" } else { role(kind) }
}
