//! How far a training came, from the lines that it prints.

mod bar;
mod curve;
mod formats;
mod words;

pub(super) use formats::sample;

use super::finding::{Point, Progress, Trouble};
use crate::terms::Seconds;

/// Samples that are kept of one file.
const MOST_SAMPLES: usize = 4_000;

/// What one line says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sample {
    pub offset: u64,
    pub format: &'static str,
    pub epoch: Option<f64>,
    pub epochs: Option<f64>,
    pub step: Option<u64>,
    pub steps: Option<u64>,
    /// True if steps are counted within the epoch.
    pub within_epoch: bool,
    pub loss: Option<f64>,
    /// True if the loss is no finite number.
    pub is_nan: bool,
    pub rate: Option<f64>,
    pub remaining: Option<Seconds>,
}

impl Sample {
    /// How far the run is, on a scale that grows.
    pub fn place(&self) -> Option<f64> {
        let step = self.step.map(|step| step as f64);
        match (self.epoch, step) {
            (Some(epoch), Some(step)) if self.within_epoch => {
                let steps = self.steps.filter(|steps| *steps > 0).map(|steps| steps as f64);
                Some(epoch * steps.unwrap_or(1e6) + step)
            }
            (_, Some(step)) => Some(step),
            (epoch, None) => epoch,
        }
    }
}

/// The samples of a file: all of a small one, every other of a large one.
#[derive(Debug, Default)]
pub(super) struct Samples {
    all: Vec<Sample>,
    stride: u64,
    seen: u64,
    last: Option<Sample>,
}

impl Samples {
    pub fn push(&mut self, sample: Sample) {
        self.seen += 1;
        if self.seen.is_multiple_of(self.stride.max(1)) {
            self.all.push(sample.clone());
        }
        self.last = Some(sample);
        if self.all.len() >= MOST_SAMPLES {
            let mut at = 0;
            self.all.retain(|_| {
                at += 1;
                at % 2 == 0
            });
            self.stride = self.stride.max(1) * 2;
        }
    }

    /// The samples in the order of the file.
    pub fn finish(mut self) -> Vec<Sample> {
        if let Some(last) = self.last.filter(|last| self.all.last() != Some(last)) {
            self.all.push(last);
        }
        self.all.sort_by_key(|sample| sample.offset);
        self.all.dedup_by_key(|sample| sample.offset);
        self.all
    }
}

/// What the samples of one attempt say together.
pub(super) fn progress(samples: &[Sample]) -> Option<Progress> {
    let last = samples.last()?;
    let mut progress =
        Progress { format: last.format.to_owned(), offset: last.offset, ..Progress::default() };
    // The newest line need not say everything.
    for sample in samples.iter().rev().take(200) {
        let fill = |slot: &mut Option<f64>, value: Option<f64>| *slot = slot.or(value);
        fill(&mut progress.epoch, sample.epoch);
        fill(&mut progress.epochs, sample.epochs);
        fill(&mut progress.loss, sample.loss);
        fill(&mut progress.rate, sample.rate);
        if progress.step.is_none() {
            progress.step = sample.step;
            progress.steps = sample.steps;
        }
        progress.steps = progress.steps.or(sample.steps.filter(|_| sample.step <= progress.step));
        // An older one's guess has gone stale, but only by a few lines.
        progress.remaining = progress.remaining.or(sample.remaining);
    }
    let within_epoch = samples.iter().rev().take(200).any(|sample| sample.within_epoch);
    progress.fill_up(within_epoch);
    // A bar's own guess is for the epoch that it shows.
    if within_epoch && progress.epochs.is_none_or(|epochs| epochs > 1.0) {
        progress.remaining = None;
    }
    let points = curve::points(samples);
    progress.findings = curve::troubles(samples, &points);
    progress.series = curve::thinned(&points);
    Some(progress)
}

impl Progress {
    /// Sets the target that is known from elsewhere, and what follows from it.
    pub fn aim(&mut self, step: Option<u64>, epoch: Option<u64>) {
        if let Some(step) = step {
            self.steps = Some(step);
            self.fill_up(false);
        }
        if let Some(epoch) = epoch {
            self.epochs = Some(epoch as f64);
            if step.is_none() {
                self.percent = None;
                self.fill_up(self.percent.is_none() && self.step.is_none());
            }
        }
    }

    /// Percent and time to the end, from place, target and rate.
    fn fill_up(&mut self, within_epoch: bool) {
        let part = |done: f64, all: f64| (all > 0.0).then(|| (100.0 * done / all).clamp(0.0, 100.0));
        let steps = self.step.zip(self.steps).map(|(step, steps)| (step as f64, steps as f64));
        self.percent = match (within_epoch, steps) {
            (false, Some((step, steps))) => part(step, steps),
            (true, Some((step, steps))) if steps > 0.0 => {
                // Lightning counts epochs from 0; the last bar of a run then reads one less than all.
                let done = self.epoch.zip(self.epochs);
                done.and_then(|(epoch, epochs)| part(epoch + step / steps, epochs))
            }
            _ => self.epoch.zip(self.epochs).and_then(|(epoch, epochs)| part(epoch, epochs)),
        };
        if let (None | Some(Seconds(0)), Some((step, steps)), Some(rate), false) =
            (self.remaining, steps, self.rate, within_epoch)
        {
            let left = ((steps - step) / rate).max(0.0);
            // A float beyond this is no time that anybody waits.
            self.remaining = (left < 1e12).then_some(Seconds(left as u64));
        }
    }
}
