//! A page for a phone: one file, nothing from elsewhere, every value escaped.

use std::fmt::Write as _;

use super::super::View;
use crate::document::{CauseFact, SweepFact};
use crate::safety::{clip, escape};
use crate::sweep::TaskProgress;
use crate::terms::{Digest, TaskIds, Time, counted};
use crate::verbs::paste::page::{Page, Shown, Titled};

const STYLE: &str = include_str!("../../../templates/page.css");
const SCRIPT: &str = include_str!("../../../templates/page.js");

/// So many cells a row of the heat strip has, and so many rows at most; beyond that a cell is several tasks.
const ROW: usize = 40;
const ROWS: usize = 10;
/// So many curves are drawn of one sweep.
const CURVES: usize = 6;
/// So many causes are told of one sweep.
const CAUSES: usize = 4;

/// The page.
pub fn html(_view: &View, page: &Page) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    // Nothing is loaded, sent or framed; the one style and the one script are those of this file.
    out.push_str(&format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{}'; \
         script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n",
        base64(STYLE),
        base64(SCRIPT)
    ));
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.push_str("<meta name=\"referrer\" content=\"no-referrer\">\n");
    let project = text(&page.project, 80);
    let _ = writeln!(
        out,
        "<title>{project}: sweeps</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{project}</h1>"
    );
    let taken = page.taken_at.map_or_else(|| "of an unknown time".to_owned(), age);
    let _ = writeln!(out, "<p class=\"faint\">State from {}: {taken}</p>", text(&page.source, 120));
    let _ = writeln!(out, "<p class=\"faint\">This page: {}</p>", age(page.made_at));
    for note in &page.notes {
        let _ = writeln!(out, "<p class=\"watch\">{}</p>", text(note, 300));
    }
    out.push_str("<h2>Sweeps</h2>\n");
    if page.sweeps.is_empty() {
        out.push_str("<p>None is known.</p>\n");
    }
    for shown in &page.sweeps {
        sweep(shown, page.taken_at, &mut out);
    }
    if page.omitted > 0 {
        let _ = writeln!(out, "<p class=\"faint\">and {} more</p>", page.omitted);
    }
    out.push_str("<h2>Lines to paste</h2>\n");
    let mut number = 0;
    for titled in &page.lines {
        lines(titled, &mut number, &mut out);
    }
    let _ = writeln!(out, "<script>{SCRIPT}</script>\n</body>\n</html>");
    out
}

fn sweep(shown: &Shown, taken_at: Option<Time>, out: &mut String) {
    let fact = &shown.fact;
    let _ = writeln!(
        out,
        "<section class=\"card\">\n<h3>{} <span class=\"faint\">{}</span></h3>",
        text(&fact.name, 60),
        text(&fact.key, 40)
    );
    if let Some(standing) = &fact.standing {
        let class = match standing.decision.as_str() {
            "no intervention" => "healthy",
            "watch" => "watch",
            _ => "intervene",
        };
        let _ = writeln!(
            out,
            "<p class=\"verdict {class}\">{}, {}</p>\n<p>{}</p>",
            text(&standing.health, 40),
            text(&standing.decision, 40),
            text(&standing.reason, 300)
        );
        if !standing.settled.is_empty() {
            let _ = writeln!(out, "<p>{}</p>", text(&standing.settled, 300));
        }
    }
    strip(fact, out);
    for cause in fact.standing.iter().flat_map(|standing| &standing.causes).take(CAUSES) {
        cause_line(cause, out);
    }
    curves(&shown.progress, out);
    if let Some(at) = taken_at {
        let _ = writeln!(out, "<p class=\"faint\">{}</p>", age(at));
    }
    out.push_str("</section>\n");
}

fn cause_line(cause: &CauseFact, out: &mut String) {
    let _ = writeln!(
        out,
        "<p><strong>{} failed:</strong> {}</p>",
        counted(cause.count as usize, "task"),
        text(&cause.sentence, 240)
    );
}

/// A state of Slurm as one of the five that the strip tells.
fn class(outcome: &str) -> &'static str {
    match outcome.split(' ').next().unwrap_or_default() {
        "COMPLETED" => "ok",
        "RUNNING" | "COMPLETING" | "CONFIGURING" => "run",
        "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "SUSPENDED" | "RESV_DEL_HOLD" => "wait",
        "FAILED" | "TIMEOUT" | "OUT_OF_MEMORY" | "NODE_FAIL" | "BOOT_FAIL" | "DEADLINE" => "bad",
        _ => "other",
    }
}

/// One cell a task, in their order; of many tasks one cell stands for several, and shows the worst of them.
fn strip(fact: &SweepFact, out: &mut String) {
    let mut cells: Vec<(u32, &str, &str)> = Vec::new();
    for (outcome, list) in &fact.tasks {
        let Ok(tasks) = list.parse::<TaskIds>() else { continue };
        // A list that was damaged may name more tasks than there are.
        cells.extend(tasks.iter().take(200_000).map(|task| (task, class(outcome), outcome.as_str())));
    }
    cells.sort_unstable_by_key(|(task, ..)| *task);
    if !cells.is_empty() {
        let each = cells.len().div_ceil(ROW * ROWS);
        let drawn: Vec<&[(u32, &str, &str)]> = cells.chunks(each).collect();
        let rows = drawn.len().div_ceil(ROW);
        let _ = writeln!(
            out,
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"tasks by outcome\">",
            ROW * 8,
            rows * 10
        );
        for (at, tasks) in drawn.iter().enumerate() {
            let (x, y) = (at % ROW * 8, at / ROW * 10);
            let Some((first, ..)) = tasks.first() else { continue };
            let (_, worst, outcome) =
                tasks.iter().max_by_key(|(_, class, _)| weight(class)).unwrap_or(&tasks[0]);
            let last = tasks.last().filter(|(last, ..)| last != first);
            let label = last.map_or_else(|| first.to_string(), |(last, ..)| format!("{first}-{last}"));
            let _ = writeln!(
                out,
                "<rect class=\"{worst}\" x=\"{x}\" y=\"{y}\" width=\"7\" height=\"9\" rx=\"1\"><title>{label}: {}</title></rect>",
                text(outcome, 40)
            );
        }
        out.push_str("</svg>\n");
    }
    out.push_str("<ul>\n");
    for (state, count) in &fact.states {
        let _ =
            writeln!(out, "<li><span class=\"key {}\"></span>{count} {}</li>", class(state), text(state, 30));
    }
    out.push_str("</ul>\n");
}

fn weight(class: &str) -> u8 {
    ["wait", "ok", "run", "other", "bad"].iter().position(|one| *one == class).unwrap_or(0) as u8
}

/// The loss of running tasks over their steps, those with trouble first.
fn curves(progress: &[TaskProgress], out: &mut String) {
    let mut with: Vec<&TaskProgress> = progress.iter().filter(|task| task.curve.len() > 1).collect();
    with.sort_by_key(|task| (task.troubles.is_empty(), task.member));
    for task in with.iter().take(CURVES) {
        let points = || task.curve.iter().filter(|point| point.loss.is_finite());
        let losses: Vec<f64> = points().map(|point| point.loss).collect();
        let (low, high) = losses
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), loss| (low.min(*loss), high.max(*loss)));
        let steps = (points().map(|point| point.step).min(), points().map(|point| point.step).max());
        let (Some(from), Some(to)) = steps else { continue };
        let across = |value: f64, least: f64, most: f64| {
            if most > least { (value - least) / (most - least) } else { 0.5 }
        };
        let line: Vec<String> = points()
            .map(|point| {
                let x = 4.0 + 312.0 * across(point.step as f64, from as f64, to as f64);
                let y = 60.0 - 52.0 * across(point.loss, low, high);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let percent = task.percent.map(|percent| format!(", {percent:.0} %")).unwrap_or_default();
        let trouble = if task.troubles.is_empty() { "" } else { " (look at it)" };
        let _ = writeln!(
            out,
            "<p class=\"faint\">Task {}{percent}: loss {} at step {to}{trouble}</p>\n\
             <svg viewBox=\"0 0 320 76\" role=\"img\" aria-label=\"loss of task {} over its steps\">\
             <line class=\"axis\" x1=\"4\" y1=\"64\" x2=\"316\" y2=\"64\"></line><polyline class=\"curve\" points=\"{}\"></polyline>\
             <text class=\"small\" x=\"4\" y=\"75\">step {from}</text><text class=\"small\" x=\"316\" y=\"75\" text-anchor=\"end\">step {to}</text>\
             <text class=\"small\" x=\"316\" y=\"12\" text-anchor=\"end\">{} to {}</text></svg>",
            task.member,
            losses.last().map(|loss| short(*loss)).unwrap_or_default(),
            task.member,
            line.join(" "),
            short(high),
            short(low),
        );
    }
    if with.len() > CURVES {
        let _ = writeln!(out, "<p class=\"faint\">and {} more that run</p>", with.len() - CURVES);
    }
}

fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        1e-3..1e4 => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}

fn lines(titled: &Titled, number: &mut usize, out: &mut String) {
    let _ = writeln!(out, "<section class=\"card\">\n<h3>{}</h3>", text(&titled.title, 120));
    for note in &titled.notes {
        let _ = writeln!(out, "<p class=\"watch\">{}</p>", text(note, 240));
    }
    let count = titled.lines.len();
    for (at, line) in titled.lines.iter().enumerate() {
        *number += 1;
        if count > 1 {
            let _ = writeln!(
                out,
                "<p>{} of {count}{}</p>",
                at + 1,
                if at > 0 { ", if the one before ended well" } else { "" }
            );
        }
        let _ = writeln!(
            out,
            "<pre id=\"line-{number}\">{}</pre>\n<button type=\"button\" data-line=\"line-{number}\">Copy</button>",
            markup(&line.text)
        );
    }
    out.push_str("</section>\n");
}

/// The age of a moment, which the page computes whenever it is looked at; without its script the moment itself.
fn age(at: Time) -> String {
    format!("<time datetime=\"{at}\">{at}</time>")
}

/// Text from outside: what nobody sees made visible, no longer than `most`, and no markup.
fn text(raw: &str, most: usize) -> String {
    markup(&clip(&escape(raw), most))
}

fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// SHA-256 in base 64, as a content security policy names a script.
fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let hex = Digest::of(text.as_bytes()).to_string();
    let bytes: Vec<u32> = hex
        .as_bytes()
        .chunks(2)
        .filter_map(|two| u32::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok())
        .collect();
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | byte) << (8 * (3 - three.len()));
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_as_policies_write_it() {
        assert_eq!(base64(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(base64("alert('Hello, world.');"), "qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=");
    }

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(
            text("<img src=x onerror='a()'>&\"", 80),
            "&lt;img src=x onerror=&#39;a()&#39;&gt;&amp;&quot;"
        );
        assert_eq!(text("a\u{202e}b\x1b", 80), "a\\u{202e}b\\x1b");
    }
}
