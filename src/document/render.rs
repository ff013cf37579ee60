use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior, context};

use super::body::{OWN_BEGIN, OWN_END};
use super::group::{Times, groups};
use super::{Body, Facts, Lint, Relation, Section, front, sweep_lines};
use crate::safety::{clip, code_span, escape, json_line};
use crate::terms::{Seconds, counted};

/// What happened between the parent and this document, as the program saw it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Since {
    /// The parent's key.
    pub parent: String,
    /// How long ago the parent was made.
    pub age: Seconds,
    /// Sentences, one per thing that moved; already escaped.
    pub lines: Vec<String>,
    /// What the parent said was to be done next.
    pub planned: Option<String>,
    /// The parent's goal, to be carried on where this one says none.
    pub goal: Option<String>,
}

const TEMPLATE: &str = include_str!("../../templates/handover.md");

/// The whole document: front matter, then the body by the template.
///
/// Every value is escaped when it is inserted, unless it is markdown that was
/// contained before.
pub fn render(facts: &Facts, body: &Body, since: Option<&Since>) -> Result<String, front::FrontError> {
    let wrong = |e: minijinja::Error| front::FrontError::Value { text: e.to_string() };
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(|out, _, value| {
        let text = value.to_string();
        let text = if value.is_safe() { text } else { escape(&text) };
        out.write_str(&text).map_err(minijinja::Error::from)
    });
    let text = environment
        .render_str(
            TEMPLATE,
            context! {
                focus => focus(facts, body),
                created => facts.created.to_string(),
                status => markdown(&status(body)),
                sections => sections(facts, body, since),
                since => since.map(|since| markdown(&since_text(since))),
                startup => markdown(&startup(facts)),
                begin => markdown(OWN_BEGIN),
                end => markdown(OWN_END),
            },
        )
        .map_err(wrong)?
        + "\n";
    let front = front::write(&Facts {
        sizes: super::Sizes { body: text.len() as u64, ..facts.sizes.clone() },
        ..facts.clone()
    })?;
    Ok(front + &text)
}

/// A draft: the sections with their questions, what is known already, the gaps.
pub fn render_draft(facts: &Facts, body: &Body, since: Option<&Since>, lint: &Lint) -> String {
    let mut out = format!("# Draft: {}\n\n", title(&escape(body.focus.as_deref().unwrap_or_default())));
    out.push_str(&marked("Fill in the sections, then run `handover create`. Text between these comments is the\nprogram's and is not read back. An empty section is left out."));
    out.push('\n');
    for section in Section::ALL {
        out.push_str(&format!("\n## {}\n<!-- {} -->\n", section.heading(), section.question()));
        let text = if section == Section::Status {
            Some(status(body)).filter(|_| !body.is_empty())
        } else {
            body.text(section).map(str::to_owned)
        };
        if let Some(text) = text {
            out.push_str(&format!("{text}\n"));
        }
        let own = own_text(facts, section);
        if !own.is_empty() {
            out.push_str(&format!("{OWN_BEGIN}\n{own}\n{OWN_END}\n"));
        }
    }
    let mut own = String::new();
    if let Some(since) = since {
        own.push_str(&format!("## Since the last handover\n\n{}\n", since_text(since)));
    }
    if lint.gaps.is_empty() {
        own.push_str(&format!("\nNo gaps: score {} of 100.\n", lint.score));
    } else {
        own.push_str(&format!("\nGaps so far (score {} of 100):\n\n", lint.score));
        own.push_str(&bullets(
            &lint
                .gaps
                .iter()
                .map(|gap| format!("{}: {}", gap.section.heading(), gap.what))
                .collect::<Vec<_>>(),
        ));
    }
    if !own.trim().is_empty() {
        out.push_str(&format!("\n{OWN_BEGIN}\n{}\n{OWN_END}\n", own.trim()));
    }
    out
}

/// The title: what the agent says the work is about, else the branch.
fn focus(facts: &Facts, body: &Body) -> String {
    let text =
        body.focus.clone().or_else(|| facts.branch.clone()).unwrap_or_else(|| "detached HEAD".to_owned());
    title(&clip(&text, 120))
}

/// A title as sections are contained: it opens no comment.
fn title(text: &str) -> String {
    text.replace("<!--", "<\\!--")
}

fn markdown(text: &str) -> Value {
    Value::from_safe_string(text.to_owned())
}

fn status(body: &Body) -> String {
    match (body.condition, body.text(Section::Status)) {
        (Some(condition), Some(text)) => format!("**{condition}**: {text}"),
        (Some(condition), None) => format!("**{condition}**"),
        (None, Some(text)) => text.to_owned(),
        (None, None) => marked("Not said."),
    }
}

/// Each section that has text, as heading and markdown.
fn sections(facts: &Facts, body: &Body, since: Option<&Since>) -> Vec<Value> {
    let mut all = Vec::new();
    for section in Section::ALL.into_iter().filter(|section| *section != Section::Status) {
        let said = body.text(section).map(str::to_owned);
        let own = if said.is_none() { carried(section, since) } else { None };
        let own = own.unwrap_or_else(|| own_text(facts, section));
        let parts: Vec<String> = said.into_iter().chain((!own.is_empty()).then(|| marked(&own))).collect();
        if !parts.is_empty() {
            all.push(context! { heading => section.heading(), text => markdown(&parts.join("\n\n")) });
        }
    }
    all
}

/// What stands in a section of which the agent said nothing.
fn carried(section: Section, since: Option<&Since>) -> Option<String> {
    match section {
        Section::Goal => {
            let since = since.filter(|since| since.goal.is_some())?;
            Some(format!("Not said again. In {} it was:\n\n{}", since.parent, quoted(since.goal.as_deref()?)))
        }
        Section::Next => Some("Not said.".to_owned()),
        _ => None,
    }
}

/// Text of the program, between comments by which it is known again.
fn marked(text: &str) -> String {
    format!("{OWN_BEGIN}\n{text}\n{OWN_END}")
}

/// What moved since the parent.
fn since_text(since: &Since) -> String {
    let mut text = format!("Parent: {}, made {} before this one.", since.parent, since.age);
    if since.lines.is_empty() {
        text.push_str(" Nothing that the program looks at has moved.");
    } else {
        text.push_str(&format!("\n\n{}", bullets(&since.lines)));
    }
    if let Some(planned) = &since.planned {
        text.push_str(&format!("\n\nWhat it called the next action:\n\n{}", quoted(planned)));
    }
    text
}

/// What the program itself has to say in a section.
fn own_text(facts: &Facts, section: Section) -> String {
    match section {
        Section::Changed => changed(facts),
        Section::Evidence => {
            "The program ran no check for this handover; whatever this section claims is the agent's word."
                .to_owned()
        }
        Section::Jobs => jobs(facts),
        _ => String::new(),
    }
}

fn changed(facts: &Facts) -> String {
    let mut lines = Vec::new();
    if let Some(base) = &facts.base {
        lines.push(match (&base.merge_base, base.ahead, base.behind) {
            (None, ..) => format!("no common commit with {}", code_span(&base.branch)),
            (Some(_), 0, 0) => format!("at the same commit as {}", code_span(&base.branch)),
            (Some(at), ahead, behind) => format!(
                "{} ahead of and {behind} behind {}, common commit `{}`",
                commits(ahead),
                code_span(&base.branch),
                at.short()
            ),
        });
        let mut subjects: Vec<String> =
            base.subjects.iter().map(|subject| code_span(&clip(subject, 120))).collect();
        let more = (base.ahead as usize).saturating_sub(subjects.len());
        if more > 0 && !subjects.is_empty() {
            subjects.push(format!("and {more} older ones"));
        }
        // They belong to the line that counts them.
        if let Some(line) = lines.last_mut() {
            subjects.iter().for_each(|subject| line.push_str(&format!("\n  - {subject}")));
        }
    }
    if let Some(operation) = &facts.operation {
        let of = facts.operation_branch.as_deref().map(|branch| format!(" of {}", code_span(branch)));
        lines.push(format!("a {operation}{} is in progress", of.unwrap_or_default()));
    }
    let files = &facts.files;
    if files.is_clean() {
        lines.push("no uncommitted changes".to_owned());
    } else {
        let mut counts = Vec::new();
        for (count, what) in [
            (files.staged, "staged"),
            (files.unstaged, "not staged"),
            (files.conflicts, "in conflict"),
            (files.untracked, "untracked"),
        ] {
            if count > 0 {
                counts.push(format!("{count} {what}"));
            }
        }
        lines.push(format!("uncommitted: {}", counts.join(", ")));
        const SHOWN: usize = 20;
        lines.extend(
            files
                .listed
                .iter()
                .take(SHOWN)
                .map(|file| format!("{} {}", code_span(&file.letters), code_span(&clip(&file.path, 160)))),
        );
        let more = files.listed.len().saturating_sub(SHOWN) + files.omitted as usize;
        if more > 0 {
            lines.push(format!("and {more} more (the front matter lists {})", files.listed.len()));
        }
    }
    if facts.stashes > 0 {
        lines.push(format!(
            "{} in this repository; all worktrees share them",
            counted(facts.stashes, "stash")
        ));
    }
    bullets(&lines)
}

fn jobs(facts: &Facts) -> String {
    let cluster = &facts.cluster;
    let mut out = source(facts);
    if let Some(by_state) = &cluster.by_state {
        let counts: Vec<String> = by_state.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let counts = if counts.is_empty() { "no jobs in the queue".to_owned() } else { counts.join(", ") };
        out.push_str(&format!("\n\nIn the queue: {counts}."));
    }
    if let Some(gpus) = &cluster.gpus
        && !gpus.is_empty()
    {
        let list: Vec<String> = gpus
            .iter()
            .map(|gpu| {
                let free = gpu.free.map_or_else(|| "?".to_owned(), |free| free.to_string());
                let kind = if gpu.kind.is_empty() { "untyped".to_owned() } else { escape(&gpu.kind) };
                format!("{free} of {} {kind}", gpu.total)
            })
            .collect();
        out.push_str(&format!("\n\nGPUs free: {}.", list.join(", ")));
    }
    match &facts.jobs {
        Some(jobs) if !jobs.listed.is_empty() => {
            let sweeps = facts.sweeps.iter().flat_map(|sweeps| &sweeps.listed);
            let but = sweep_lines::but_for(sweeps, &jobs.listed);
            out.push_str(&format!(
                "\n\nLive jobs. Do not cancel, requeue or overwrite what belongs to them{but}:\n\n"
            ));
            const SHOWN: usize = 30;
            let groups = groups(&jobs.listed);
            out.push_str(&bullets(
                &groups.iter().take(SHOWN).map(|group| group.line(Times::Told)).collect::<Vec<_>>(),
            ));
            let more = groups.len().saturating_sub(SHOWN) + jobs.omitted as usize;
            if more > 0 {
                out.push_str(&format!("\n- and {more} more (the front matter lists {})", jobs.listed.len()));
            }
        }
        Some(_) => out.push_str("\n\nNo live job within this scope."),
        None if cluster.source == "none" => {}
        None => out.push_str("\n\nWhich jobs are live is not known. Treat the cluster as busy."),
    }
    out.push_str(&sweeps(facts));
    for problem in &cluster.problems {
        out.push_str(&format!("\n\nNot seen: {}.", escape(problem)));
    }
    out
}

/// The sweeps: counts, health, causes, what to do.
fn sweeps(facts: &Facts) -> String {
    let Some(sweeps) = facts.sweeps.as_ref().filter(|sweeps| !sweeps.listed.is_empty()) else {
        return String::new();
    };
    const SHOWN: usize = 12;
    let mut out = "\n\nSweeps:\n\n".to_owned();
    out.push_str(&bullets(&sweeps.listed.iter().take(SHOWN).map(sweep_lines::told).collect::<Vec<_>>()));
    let more = sweeps.listed.len().saturating_sub(SHOWN) + sweeps.omitted as usize;
    if more > 0 {
        out.push_str(&format!("\n- and {more} more (`handover sweep` lists all)"));
    }
    out
}

/// Where the answers came from, how old they were, and what was asked.
fn source(facts: &Facts) -> String {
    let cluster = &facts.cluster;
    let detail = cluster.detail.as_deref().map(escape).unwrap_or_default();
    if cluster.source == "none" {
        return if detail.is_empty() {
            "No cluster was looked at.".to_owned()
        } else {
            format!("No cluster was looked at: {detail}.")
        };
    }
    let mut out = format!(
        "Cluster{}, seen through {}",
        cluster.name.as_deref().map(|name| format!(" {}", code_span(name))).unwrap_or_default(),
        match cluster.source.as_str() {
            "local" => "Slurm's commands on this machine".to_owned(),
            _ => format!("the state file {}", code_span(&detail)),
        }
    );
    match (cluster.taken_at, cluster.age) {
        (Some(at), Some(age)) => out.push_str(&format!(", taken {at} ({age} before this document)")),
        _ => out.push_str(", taken at an unknown time"),
    }
    let mut scope: Vec<String> =
        cluster.user.iter().map(|user| format!("user {}", code_span(user))).collect();
    scope.extend(cluster.scope.iter().map(|name| code_span(name)));
    if !scope.is_empty() {
        out.push_str(&format!("; scope: {}", scope.join(", ")));
    }
    out.push('.');
    out
}

/// Facts, not orders; key and path last, so that a script can take them.
pub fn startup(facts: &Facts) -> String {
    let place = match &facts.branch {
        Some(branch) => format!("branch {}", json_line(&branch.as_str().into())),
        None => facts.branch_in_words(),
    };
    let head =
        facts.head.as_ref().map_or("no commit yet".to_owned(), |head| format!("commit {}", head.short()));
    if let Some(parent) = facts.parent.as_ref().filter(|parent| parent.relation == Relation::Beside) {
        return format!(
            "A side handover is sealed. It stands beside {}, which stays the current one.\n\
             The holder's next handover of {} joins it.\n\
             `handover show {key}` prints it.\n\
             Document: CLAUDE/{key}.md\n\
             Key: {key}",
            parent.key,
            json_line(&facts.worktree.path.as_str().into()),
            key = facts.key,
        );
    }
    format!(
        "The session before this one has ended and its handover is sealed.\n\
         Work on {} continues in {} on {place} at {head}.\n\
         `handover verify {key}` says whether this document is intact and what moved since.\n\
         `handover resume {key}` takes the baton and prints the briefing.\n\
         Document: CLAUDE/{key}.md\n\
         Key: {key}",
        json_line(&facts.repository.name.as_str().into()),
        json_line(&facts.worktree.path.as_str().into()),
        key = facts.key,
    )
}

fn quoted(text: &str) -> String {
    text.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n")
}

fn commits(n: u32) -> String {
    counted(n, "commit")
}
