//! Small curves of loss and bars of progress.

use crate::joblog::{Point, Trouble};
use crate::report::lines::Lines;
use crate::report::{Style, View, paint};
use crate::safety::one_line;
use crate::sweep::TaskProgress;

/// So many tasks are shown; JSON has more.
const MOST: usize = 12;
/// So many cells has a curve, and half as many a bar.
const CELLS: usize = 24;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The same where the terminal may not have them: low, in between, high.
const PLAIN: [char; 5] = ['_', '.', '-', '\'', '^'];

/// The running tasks, those with least done and those with trouble first.
pub fn curves(lines: &mut Lines<'_>, view: &View, tasks: &[TaskProgress]) {
    if tasks.is_empty() {
        return;
    }
    let (troubled, fine): (Vec<_>, Vec<_>) = tasks.iter().partition(|task| !task.troubles.is_empty());
    let shown: Vec<&TaskProgress> = troubled.into_iter().chain(fine).take(MOST).collect();
    let widest = shown.iter().map(|task| task.member.to_string().len()).max().unwrap_or(1);
    for (number, task) in shown.iter().enumerate() {
        let label = if number == 0 { "progress" } else { "" };
        lines.add(label, &one(view, task, widest, lines.room()));
        for trouble in &task.troubles {
            let text = match trouble {
                Trouble::Nan { since_step, text, .. } => {
                    let since = since_step.map(|step| format!(" since step {step}")).unwrap_or_default();
                    format!("no number{since}: {}", one_line(text, 100))
                }
                Trouble::Diverged { text, .. } => format!("diverged: {}", one_line(text, 100)),
                Trouble::Plateau { text, .. } => format!("plateau: {}", one_line(text, 100)),
            };
            lines.add_in("", &paint(Style::Watch, &text), widest + 2);
        }
    }
    if tasks.len() > shown.len() {
        lines.add("", &format!("and {} more running tasks; --json has them", tasks.len() - shown.len()));
    }
}

fn one(view: &View, task: &TaskProgress, widest: usize, room: usize) -> String {
    let percent = task.percent.map_or_else(|| "   ?".to_owned(), |percent| format!("{percent:>3.0}%"));
    let mut text = format!("{:>widest$}  {} {percent}", task.member, bar(view, task.percent, CELLS / 2));
    let curve = curve(view.unicode, &task.curve, CELLS.min(room / 3));
    if !curve.is_empty() {
        text.push_str(&format!(" {curve}"));
    }
    if let Some(loss) = task.loss {
        text.push_str(&format!(" loss {}", short(loss)));
    }
    match task.remaining {
        Some(left) if task.beyond_limit => {
            text.push_str(&format!(
                " {}",
                paint(Style::Watch, &format!("{} left, over its limit", left.short()))
            ));
        }
        Some(left) => text.push_str(&format!(" {} left", left.short())),
        None => {}
    }
    text
}

/// A bar of so many cells.
fn bar(view: &View, percent: Option<f64>, cells: usize) -> String {
    let full = (percent.unwrap_or(0.0).clamp(0.0, 100.0) * cells as f64 / 100.0).round() as usize;
    let (on, off) = if view.unicode { ("█", "░") } else { ("=", "-") };
    format!("{}{}", on.repeat(full), off.repeat(cells.saturating_sub(full)))
}

/// The loss over the steps, from its least to its greatest value.
fn curve(unicode: bool, points: &[Point], cells: usize) -> String {
    if points.len() < 2 || cells == 0 {
        return String::new();
    }
    let signs: &[char] = if unicode { &BLOCKS } else { &PLAIN };
    let count = points.len().min(cells);
    let losses: Vec<f64> = (0..count)
        .map(|cell| {
            let (from, to) = (cell * points.len() / count, ((cell + 1) * points.len() / count).max(1));
            let part = points.get(from..to).unwrap_or_default();
            part.iter().map(|point| point.loss).sum::<f64>() / part.len().max(1) as f64
        })
        .collect();
    let low = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let high = losses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = high - low;
    let sign = |loss: &f64| {
        let share = if span > 0.0 && span.is_finite() { (loss - low) / span } else { 0.0 };
        let at = (share * (signs.len() - 1) as f64).round() as usize;
        signs.get(at).or(signs.last()).copied().unwrap_or(' ')
    };
    losses.iter().map(sign).collect()
}

/// Four digits that tell.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        1e-3..1e4 => format!("{value:.*}", if value.abs() < 1.0 { 4 } else { 2 }),
        _ => format!("{value:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(losses: &[f64]) -> Vec<Point> {
        losses.iter().enumerate().map(|(step, loss)| Point { step: step as u64, loss: *loss }).collect()
    }

    #[test]
    fn a_curve_goes_from_its_greatest_to_its_least() {
        let falling = points(&[8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
        assert_eq!(curve(true, &falling, 8), "█▇▆▅▄▃▂▁");
        assert_eq!(curve(false, &falling, 4), "^'._");
        assert_eq!(curve(true, &points(&[2.0, 2.0, 2.0]), 8), "▁▁▁");
        assert_eq!(curve(true, &points(&[2.0]), 8), "");
        assert_eq!(curve(true, &points(&[f64::MAX, f64::MIN, 0.0]), 8).chars().count(), 3);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in
            [(0.0, "0"), (0.01234, "0.0123"), (2.5, "2.50"), (1e-6, "1.00e-6"), (-3e7, "-3.00e7")]
        {
            assert_eq!(short(value), text);
        }
    }
}
