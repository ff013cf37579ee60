//! What is to be done, and why.

use std::fmt::Write;

use super::{evidence, words};
use crate::safety::code_span;
use crate::sweep::Decision;
use crate::verbs::sweep::report::Report;

pub fn part(out: &mut String, report: &Report) {
    let rationale = &report.rationale;
    super::part(out, 4, "Decision and rationale");
    let _ = writeln!(out, "Health **{}**, decision **{}**, because:\n", rationale.health, rationale.decision);
    for reason in &rationale.reasons {
        let asks = match reason.decision {
            Decision::NoIntervention => String::new(),
            decision => format!("**{decision}**: "),
        };
        let _ = writeln!(out, "- {asks}{}", words(&reason.text, 400));
        for line in reason.evidence.iter().take(1) {
            let _ = writeln!(out, "  - {}", evidence(&report.directory, line));
        }
    }
    if rationale.reasons.is_empty() {
        out.push_str("- nothing was seen that asks for anything\n");
    }
    if rationale.no_decision_required {
        out.push_str("\n*no decision required*\n");
    }
    for (number, choice) in rationale.options.iter().enumerate() {
        let _ = write!(
            out,
            "\n**Option {}**: {}\n\n- for: {}\n- against: {}\n",
            number + 1,
            words(&choice.what, 300),
            words(&choice.pro, 400),
            words(&choice.against, 400)
        );
    }
    if let Some(what) = &rationale.recommendation {
        let _ = writeln!(out, "\nRecommendation: {}.", words(what, 300).trim_end_matches('.'));
    }
    if let Some(plan) = &rationale.plan {
        let show = report.runbook.again.iter().find(|line| line.starts_with("handover sweep plan "));
        let show = show.map(|line| format!(": {}", code_span(line))).unwrap_or_default();
        let _ = writeln!(out, "\nThe lines that do it are those of plan `{plan}`{show}");
    }
}
