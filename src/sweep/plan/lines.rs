//! The lines that do what a plan says, for a shell.

use super::build::is_node_list;
use super::decide::CHANGE_FIRST;
use super::template::{Placeholder, Template};
use super::{Line, Purpose, Setup, Subject, direct};
use crate::cluster::ArrayLimits;
use crate::safety::{self, Unquotable, shell_path, shell_word};
use crate::sweep::{Kind, Members};
use crate::terms::TaskIds;

/// What goes with the lines of one step.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Extra {
    /// Nodes to avoid, in Slurm's form.
    pub exclude: Vec<String>,
    /// The option that asks for more memory.
    pub memory: Option<String>,
}

/// Lines, and what to know about them; or why there are none.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub lines: Vec<Line>,
    pub notes: Vec<String>,
    pub refused: Option<String>,
    /// When they may run, if not as they are.
    pub condition: Option<String>,
}

impl Extra {
    /// It with what is excluded anyway, since of several lists Slurm takes the last.
    fn joined(&self, setup: &Setup) -> Extra {
        let own = setup.submission.as_ref().and_then(|call| call.option(Some('x'), "--exclude"));
        let own = own.or(setup.script_excludes.as_deref()).filter(|own| is_node_list(own));
        let mut all = self.clone();
        all.exclude.extend(own.filter(|own| !self.exclude.iter().any(|one| one == own)).map(str::to_owned));
        all
    }
}

impl Lines {
    fn none(why: impl Into<String>) -> Lines {
        Lines { refused: Some(why.into()), ..Lines::default() }
    }
}

/// Cancels exactly these tasks.
pub(super) fn cancel(setup: &Setup, tasks: &TaskIds) -> Vec<Line> {
    let text = |tasks: &TaskIds| match setup.kind {
        // Brackets are a pattern for the shell.
        Kind::Array => format!("scancel '{}_[{tasks}]'", setup.key),
        Kind::SharedName => {
            let ids: Vec<String> = tasks.iter().map(|id| id.to_string()).collect();
            format!("scancel {}", ids.join(" "))
        }
    };
    let fits = |tasks: &TaskIds| text(tasks).len() <= setup.longest_line;
    let pieces = pieces(tasks, usize::MAX, fits);
    pieces
        .iter()
        .map(|piece| Line { text: text(piece), tasks: Members(piece.clone()), purpose: Purpose::Cancel })
        .collect()
}

/// Resumes these tasks with the project's own command.
pub(super) fn resume(setup: &Setup, template: &Template, subjects: &[&Subject], extra: &Extra) -> Lines {
    let wants_tasks = template.asks_for(Placeholder::Tasks) || template.asks_for(Placeholder::Array);
    if wants_tasks && setup.kind != Kind::Array {
        return Lines::none("the resume command asks for {tasks} or {array}, and these jobs are no array");
    }
    if template.asks_for(Placeholder::Script) && setup.script.is_none() {
        return Lines::none("the resume command asks for {script}: name it as `script` below `sweeps`");
    }
    let mut lines = Lines::default();
    let mut extra = extra.clone();
    if template.is_sbatch() && extra.memory.is_some() && template.has_memory() {
        extra.memory = None;
        lines.condition =
            Some(format!("{CHANGE_FIRST} in the resume command, which says itself how much memory"));
    }
    let mut own = None;
    if !extra.exclude.is_empty() {
        let nodes = shell_word(&format!("{},", extra.exclude.join(",")));
        own = nodes.ok().filter(|_| template.is_sbatch()).and_then(|nodes| template.also_excluding(&nodes));
        extra = match own {
            Some(_) => Extra { exclude: Vec::new(), ..extra },
            None => extra.joined(setup),
        };
    }
    let (template, extra) = (own.as_ref().unwrap_or(template), &extra);
    let mut per_task = template.per_task();
    // The same run goes on: what differs from task to task has a line for each anyway.
    let led = leads_wandb(template).then_some(Placeholder::Wandb);
    per_task.extend(led);
    let mut groups: Vec<(Vec<String>, TaskIds)> = Vec::new();
    for subject in subjects {
        let mut values = Vec::with_capacity(per_task.len());
        for placeholder in &per_task {
            match value(setup, subject, *placeholder) {
                Ok(Some(value)) => values.push(value),
                Ok(None) => {
                    let (name, task) = (placeholder.name(), subject.member);
                    return Lines::none(format!(
                        "the resume command asks for {{{name}}}, unknown for task {task}"
                    ));
                }
                Err(error) => return Lines::none(format!("task {}: {error}", subject.member)),
            }
        }
        match groups.iter_mut().find(|(same, _)| *same == values && template.asks_for(Placeholder::Tasks)) {
            Some((_, tasks)) => tasks.push(subject.member),
            None => groups.push((values, [subject.member].into_iter().collect())),
        }
    }
    if !template.asks_for(Placeholder::Tasks) && per_task.is_empty() && groups.len() > 1 {
        return Lines::none(
            "the resume command names no task: it needs {tasks}, {task}, {run} or {checkpoint}",
        );
    }
    let options = match (template.is_sbatch(), options(extra, template.asks_for(Placeholder::Exclude))) {
        (_, Err(error)) => return Lines::none(error.to_string()),
        (true, Ok(options)) => options,
        (false, Ok(options)) => {
            if !options.is_empty() {
                lines
                    .notes
                    .push(format!("the resume command does not say {options}: see to it before it runs"));
            }
            String::new()
        }
    };
    let throttled = setup.throttle.is_some() && groups.len() > 1;
    for (values, tasks) in groups {
        let before = match led.and(values.last()) {
            Some(variables) if !variables.is_empty() => format!("{variables} "),
            _ => String::new(),
        };
        let fill = |tasks: &TaskIds, throttle: Option<u32>| {
            let line = template.fill(&options, |placeholder| match placeholder {
                Placeholder::Tasks => shell_word(&list(tasks, throttle)),
                Placeholder::Array => shell_word(&setup.key),
                Placeholder::Name => shell_word(&setup.name),
                Placeholder::Script => setup.script.as_deref().map_or_else(|| Ok(String::new()), script_word),
                Placeholder::Exclude => exclude(extra),
                other => {
                    let at = per_task.iter().position(|one| *one == other);
                    Ok(at.and_then(|at| values.get(at)).cloned().unwrap_or_default())
                }
            })?;
            Ok(format!("{before}{line}"))
        };
        let throttle = setup.throttle.filter(|_| tasks.len() > 1);
        match array_lines(setup, &tasks, throttle, Purpose::Resume, fill) {
            Ok(made) => lines.lines.extend(made),
            Err(why) => return Lines::none(why),
        }
    }
    note_throttle(setup, throttled, &mut lines);
    lines
}

/// Why no line can be made of what the resume command asks for of a task: no
/// shell takes it, or another interpreter may read it.
pub(super) fn unnameable(setup: &Setup, template: &Template, subject: &Subject) -> Option<String> {
    let mut asked = template.per_task().into_iter();
    if let Some(error) = asked.find_map(|placeholder| value(setup, subject, placeholder).err()) {
        return Some(format!("rename what no command can name: {error}"));
    }
    template.handed_on().into_iter().find_map(|placeholder| {
        let raw = raw(setup, subject, placeholder).filter(|raw| !direct::is_plain(raw))?;
        Some(format!(
            "the resume command has a pipe, or a program that is neither sbatch nor a script, so that {{{}}} may be read \
             as more than a word, and it is {}: rename it to letters, digits and _./=:@%+,- alone, or put the command \
             into a script",
            placeholder.name(),
            safety::clip(&safety::escape(&raw), 120),
        ))
    })
}

/// A value of one task that comes from outside, as it is.
fn raw(setup: &Setup, subject: &Subject, wanted: Placeholder) -> Option<String> {
    let path = |path: &std::path::Path| setup.near(path).to_string_lossy().into_owned();
    match wanted {
        Placeholder::Run => subject.run_dir.as_deref().map(path),
        Placeholder::Checkpoint => subject.best().map(|best| path(&best.path)),
        Placeholder::Wandb | Placeholder::WandbId => subject.wandb.clone(),
        Placeholder::Name => Some(setup.name.clone()),
        Placeholder::Script => setup.script.clone(),
        _ => None,
    }
}

/// True if the variables that lead to the same W&B run are put before the
/// project's own command, which does not ask for them.
pub(super) fn leads_wandb(template: &Template) -> bool {
    let asks = template.asks_for(Placeholder::Wandb) || template.asks_for(Placeholder::WandbId);
    !asks && !template.per_task().is_empty() && template.takes_variables()
}

/// Submits these tasks again as they were submitted, or with the script that
/// the settings name.
pub(super) fn submit(setup: &Setup, tasks: &TaskIds, purpose: Purpose, extra: &Extra) -> Lines {
    if setup.kind != Kind::Array {
        return Lines::none("jobs that are no array are submitted one by one, each as it was");
    }
    let Some(script) = &setup.script else {
        return Lines::none("the batch script is not known: name it as `script` below `sweeps`");
    };
    let has_own = setup.submission.as_ref().is_some_and(|call| call.option(Some('x'), "--exclude").is_some());
    let joined = (has_own || !extra.exclude.is_empty()).then(|| extra.joined(setup));
    let extra = joined.as_ref().unwrap_or(extra);
    let fill = |tasks: &TaskIds, throttle: Option<u32>| -> Result<String, Unquotable> {
        let mut words = vec!["sbatch".to_owned(), format!("--array={}", shell_word(&list(tasks, throttle))?)];
        let options = options(extra, false)?;
        words.extend((!options.is_empty()).then_some(options));
        if let Some(submission) = &setup.submission {
            let without: &[&str] =
                if extra.memory.is_some() { &["--mem", "--mem-per-cpu", "--mem-per-gpu"] } else { &[] };
            for option in submission.lasting(without) {
                words.push(shell_word(option)?);
            }
        }
        words.push(script_word(script)?);
        for argument in setup.submission.iter().flat_map(|submission| &submission.arguments) {
            words.push(shell_word(argument)?);
        }
        Ok(words.join(" "))
    };
    let mut lines = Lines { condition: setup.call_doubt.clone(), ..Lines::default() };
    match array_lines(setup, tasks, setup.throttle.filter(|_| tasks.len() > 1), purpose, fill) {
        Ok(made) => lines.lines = made,
        Err(why) => return Lines::none(why),
    }
    note_throttle(setup, false, &mut lines);
    lines
}

/// A script as sbatch takes it for one, whatever it is called.
fn script_word(script: &str) -> Result<String, Unquotable> {
    match script.starts_with('-') {
        true => shell_word(&format!("./{script}")),
        false => shell_word(script),
    }
}

/// One line for tasks, or several where one would be too long or too many.
fn array_lines(
    setup: &Setup,
    tasks: &TaskIds,
    throttle: Option<u32>,
    purpose: Purpose,
    fill: impl Fn(&TaskIds, Option<u32>) -> Result<String, Unquotable>,
) -> Result<Vec<Line>, String> {
    let ArrayLimits { size, tasks: most } = setup.limits;
    if setup.kind == Kind::Array
        && let Some(high) = tasks.ranges().last().map(|range| range.1).filter(|last| *last >= size)
    {
        return Err(format!("index {high} is not below this cluster's MaxArraySize, which is {size}"));
    }
    let fits = |tasks: &TaskIds| fill(tasks, throttle).is_ok_and(|line| line.len() <= setup.longest_line);
    let pieces = pieces(tasks, most as usize, fits);
    // Several arrays side by side share what one was allowed.
    let throttle = throttle.map(|most| (most / pieces.len().max(1) as u32).max(1));
    let line = |piece: &TaskIds| {
        let text = fill(piece, throttle.filter(|_| piece.len() > 1)).map_err(|error| error.to_string())?;
        if text.len() > setup.longest_line {
            return Err(format!("a line for one task would have {} characters", text.len()));
        }
        Ok(Line { text, tasks: Members(piece.clone()), purpose })
    };
    pieces.iter().map(line).collect()
}

fn note_throttle(setup: &Setup, one_by_one: bool, lines: &mut Lines) {
    let Some(throttle) = setup.throttle else { return };
    let count = lines.lines.len();
    if one_by_one && count > throttle as usize {
        lines
            .notes
            .push(format!("{count} jobs would run side by side; the array's own limit was {throttle}"));
    } else if count > throttle as usize {
        lines.notes.push(format!("{count} arrays of one task at a time; the limit was {throttle}"));
    }
}

/// The tasks in as few pieces of about the same size as fit.
fn pieces(tasks: &TaskIds, most: usize, fits: impl Fn(&TaskIds) -> bool) -> Vec<TaskIds> {
    let all: Vec<u32> = tasks.iter().collect();
    let mut count = all.len().div_ceil(most.max(1)).max(1);
    loop {
        let size = all.len().div_ceil(count).max(1);
        let pieces: Vec<TaskIds> = all.chunks(size).map(|chunk| chunk.iter().copied().collect()).collect();
        if size == 1 || pieces.iter().all(&fits) {
            return pieces;
        }
        count += count.div_ceil(4);
    }
}

fn list(tasks: &TaskIds, throttle: Option<u32>) -> String {
    let throttle = throttle.filter(|most| *most > 0).map(|most| format!("%{most}")).unwrap_or_default();
    format!("{tasks}{throttle}")
}

fn exclude(extra: &Extra) -> Result<String, Unquotable> {
    if extra.exclude.is_empty() {
        return Ok(String::new());
    }
    shell_word(&format!("--exclude={}", extra.exclude.join(",")))
}

fn options(extra: &Extra, has_exclude: bool) -> Result<String, Unquotable> {
    let mut options = Vec::new();
    if !has_exclude && !extra.exclude.is_empty() {
        options.push(exclude(extra)?);
    }
    if let Some(memory) = &extra.memory {
        options.push(shell_word(memory)?);
    }
    Ok(options.join(" "))
}

/// A value of one task as the shell takes it; `None` if it is not known.
fn value(setup: &Setup, subject: &Subject, wanted: Placeholder) -> Result<Option<String>, Unquotable> {
    let run = subject.wandb.as_deref();
    Ok(match wanted {
        Placeholder::Task => Some(subject.member.to_string()),
        Placeholder::Id => Some(subject.id.to_string()),
        Placeholder::Job => subject.raw_id.map(|id| id.to_string()),
        Placeholder::Run => subject.run_dir.as_deref().map(|dir| shell_path(setup.near(dir))).transpose()?,
        Placeholder::Checkpoint => {
            subject.best().map(|best| shell_path(setup.near(&best.path))).transpose()?
        }
        Placeholder::Wandb => {
            let variables = run.map(|run| Ok(format!("WANDB_RUN_ID={} WANDB_RESUME=must", shell_word(run)?)));
            Some(variables.transpose()?.unwrap_or_default())
        }
        Placeholder::WandbId => run.map(shell_word).transpose()?,
        _ => None,
    })
}
