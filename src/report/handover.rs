//! Documents as text: what `create`, `draft`, `show` and `list` say.

use super::{Align, Style, Table, View, paint, redacted};
use crate::document::Lint;
use crate::safety::{clip, escape, one_line};
use crate::verbs::carried::{AtRemote, documents};
use crate::verbs::{create, draft, list, show};

/// A sealed document: what it lacks, the startup prompt, then path and key,
/// each on a line of its own so that scripts can take them.
pub fn created(_: &View, outcome: &create::Outcome) -> String {
    format!("{}\n\n{}\n{}\n", outcome.startup, outcome.path, outcome.key)
}

/// The remarks about a sealed document, for standard error.
pub fn created_notes(outcome: &create::Outcome) -> String {
    let mut out = gaps(&outcome.lint);
    if !outcome.redactions.is_empty() {
        out.push_str(&format!("note: {}\n", redacted(&outcome.redactions)));
    }
    for note in &outcome.notes {
        out.push_str(&format!("note: {}\n", escape(note)));
    }
    let there = |published: &&documents::Published| published.not.is_empty() && published.offline.is_none();
    if let Some(published) = outcome.published.as_ref().filter(there) {
        out.push_str(&format!("note: published at {}\n", one_line(&published.remote, 60)));
    }
    for failure in &outcome.not_written {
        out.push_str(&format!("{}: {}\n", paint(Style::Bad, "not written"), escape(failure)));
    }
    out
}

/// A draft: where it is and what it lacks.
pub fn drafted(_: &View, outcome: &draft::Outcome) -> String {
    format!("{}\n", outcome.path)
}

/// The score of a handover and its gaps, the heaviest first.
pub fn gaps(lint: &Lint) -> String {
    let score = format!("score {} of 100", lint.score);
    let style = if lint.score >= 70 { Style::Good } else { Style::Watch };
    if lint.gaps.is_empty() {
        return format!("{}\n", paint(style, &score));
    }
    let mut out = format!("{}, missing:\n", paint(style, &score));
    for gap in &lint.gaps {
        out.push_str(&format!(
            "  {:>3}  {}: {}\n",
            format!("-{}", gap.weight),
            gap.section.heading(),
            gap.what
        ));
    }
    out
}

/// A document, as it stands; lines with characters that cannot be shown are escaped.
pub fn shown(_: &View, outcome: &show::Outcome) -> String {
    let mut out = String::with_capacity(outcome.text.len());
    for line in outcome.text.lines() {
        out.push_str(&escape(line));
        out.push('\n');
    }
    out
}

/// The handovers as a table, newest last.
pub fn listed(view: &View, outcome: &list::Outcome) -> String {
    let mut out = String::new();
    if outcome.handovers.is_empty() {
        out.push_str("no handover yet; `handover create` writes the first one\n");
    } else {
        let mut table = Table::new([
            ("key", Align::Left),
            ("age", Align::Right),
            ("state", Align::Left),
            ("worktree", Align::Left),
            ("focus", Align::Left),
        ]);
        // Key, age and state take 50 columns; the rest is shared.
        let is_held = |row: &list::Row| row.baton != list::RowBaton::Free;
        let taken = if outcome.handovers.iter().any(is_held) { 61 } else { 52 };
        let room = view.room_beside(taken, 24);
        // A short name leaves its room to the focus, a long one takes half of it.
        let name = |row: &list::Row| one_line(row.worktree.as_deref().unwrap_or("?"), room / 2);
        let widest = outcome.handovers.iter().map(|row| name(row).chars().count()).max().unwrap_or(0);
        for row in &outcome.handovers {
            let (state, style) = match row.state {
                list::RowState::Current => ("current", Style::Good),
                list::RowState::Superseded => ("superseded", Style::Faint),
                list::RowState::Side => ("side", Style::Watch),
                list::RowState::Archived => ("archived", Style::Faint),
                list::RowState::Unproved => ("unproved", Style::Watch),
            };
            let held = match &row.baton {
                list::RowBaton::Free => "",
                list::RowBaton::Held { remote: Some(AtRemote::Lost { .. }), .. } => ", lost",
                list::RowBaton::Held { remote: Some(AtRemote::Unconfirmed { .. }), .. } => ", held?",
                list::RowBaton::Held { .. } => ", held",
                list::RowBaton::Unknown { .. } => ", baton?",
            };
            let about =
                row.problem.as_deref().or(row.focus.as_deref()).or(row.branch.as_deref()).unwrap_or_default();
            table.row([
                row.key.to_string(),
                row.created.map_or("?".to_owned(), |created| created.age(view.now).to_string()),
                format!("{}{held}", paint(style, state)),
                name(row),
                clip(&escape(about), room.saturating_sub(widest).max(12)),
            ]);
        }
        out.push_str(&table.render());
    }
    for row in &outcome.handovers {
        if let list::RowBaton::Held { remote: Some(remote), .. } = &row.baton
            && let Some(doubt) = remote.doubt()
        {
            out.push_str(&format!("the baton of {} is {doubt}\n", row.key));
        }
    }
    let mut left_out = Vec::new();
    if outcome.archived_left_out > 0 {
        left_out.push(format!("{} archived", outcome.archived_left_out));
    }
    if outcome.elsewhere_left_out > 0 {
        left_out.push(format!("{} of other worktrees", outcome.elsewhere_left_out));
    }
    if !left_out.is_empty() {
        out.push_str(&format!("not listed: {} (list them with --all)\n", left_out.join(", ")));
    }
    out
}
