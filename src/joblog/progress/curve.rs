//! The loss over the steps, and what is wrong with it.

use super::{Point, Sample, Trouble};

/// The most points that a curve keeps.
const MOST: usize = 200;
/// Fewer points say nothing about a trend.
const TREND: usize = 40;
/// The last loss over the best one, from which on a run has diverged.
const FAR: f64 = 3.0;
/// A gain below this part of all that was gained is none.
const GAIN: f64 = 0.005;

/// All points of an attempt.
pub(super) fn points(samples: &[Sample]) -> Vec<Point> {
    let of = |(at, sample): (u64, &Sample)| {
        let step = sample.step.filter(|_| !sample.within_epoch).unwrap_or(at);
        sample.loss.map(|loss| Point { step, loss })
    };
    (1..).zip(samples).filter_map(of).collect()
}

/// At most 200 of them, the last included.
pub(super) fn thinned(points: &[Point]) -> Vec<Point> {
    if points.len() <= MOST {
        return points.to_vec();
    }
    (0..MOST).filter_map(|at| points.get((at * (points.len() - 1)) / (MOST - 1))).copied().collect()
}

/// What is wrong with the numbers.
pub(super) fn troubles(samples: &[Sample], points: &[Point]) -> Vec<Trouble> {
    let mut found = Vec::new();
    if let Some(at) = samples.iter().position(|sample| sample.is_nan) {
        // A single one is skipped by many trainers.
        let later = &samples[at..];
        let stays = later.iter().filter(|sample| sample.is_nan).count() * 2 > later.len();
        if stays {
            let step = samples[..=at].iter().rev().find_map(|sample| sample.step);
            let text = format!(
                "the loss is no number in {} of the last {} lines",
                later.iter().filter(|sample| sample.is_nan).count(),
                later.len()
            );
            found.push(Trouble::Nan { since_step: step, text, line: None, offset: samples[at].offset });
        }
    }
    if points.len() < TREND {
        return found;
    }
    let smooth = smoothed(points);
    let (first, last) = (smooth[0].loss, smooth[smooth.len() - 1].loss);
    let best = |points: &[Point]| points.iter().copied().min_by(|one, other| one.loss.total_cmp(&other.loss));
    let (early, late) = smooth.split_at(smooth.len() / 2);
    let (Some(whole), Some(early), Some(late)) = (best(&smooth), best(early), best(late)) else {
        return found;
    };
    if whole.loss > 0.0 && last > FAR * whole.loss && last > first {
        let text = format!("the loss is {last:.4} after its best of {:.4}", whole.loss);
        found.push(Trouble::Diverged { since_step: Some(whole.step), text });
    } else if early.loss - late.loss < GAIN * (first - early.loss).abs() {
        let text = format!("the best loss is {:.4}, reached in the first half", early.loss);
        found.push(Trouble::Plateau { since_step: Some(early.step), text });
    }
    found
}

/// The median of five neighbours, so that single spikes say nothing.
fn smoothed(points: &[Point]) -> Vec<Point> {
    let median = |at: usize| {
        let from = at.saturating_sub(2);
        let mut near: Vec<f64> =
            points[from..points.len().min(at + 3)].iter().map(|point| point.loss).collect();
        near.sort_by(f64::total_cmp);
        near[near.len() / 2]
    };
    points.iter().enumerate().map(|(at, point)| Point { loss: median(at), ..*point }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(loss: impl Fn(u64) -> f64) -> Vec<Trouble> {
        let of = |step: u64| {
            let loss = loss(step);
            let is_nan = !loss.is_finite();
            Sample {
                offset: step,
                step: Some(step),
                loss: Some(loss).filter(|_| !is_nan),
                is_nan,
                ..Sample::default()
            }
        };
        let samples: Vec<Sample> = (1..=300).map(of).collect();
        let points = points(&samples);
        assert!(thinned(&points).len() <= 200);
        troubles(&samples, &points)
    }

    #[test]
    fn a_curve_that_goes_wrong_is_told_from_one_that_does_not() {
        assert_eq!(run(|step| 5.0 / (step as f64).sqrt()), []);
        let nan = run(|step| if step > 200 { f64::NAN } else { 1.0 / step as f64 });
        assert!(matches!(nan[..], [Trouble::Nan { since_step: Some(201), .. }]), "{nan:?}");
        let diverged = run(|step| if step > 200 { step as f64 } else { 5.0 - step as f64 / 50.0 });
        assert!(matches!(diverged[..], [Trouble::Diverged { .. }]), "{diverged:?}");
        let flat =
            run(|step| if step > 90 { 1.0 + (step % 7) as f64 * 1e-3 } else { 10.0 - step as f64 / 10.0 });
        assert!(matches!(flat[..], [Trouble::Plateau { .. }]), "{flat:?}");
        // One spike is nothing.
        assert_eq!(run(|step| if step == 300 { 50.0 } else { 5.0 / (step as f64).sqrt() }), []);
    }
}
