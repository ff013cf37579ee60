//! What runs that ran out of GPU memory saved of their configuration: there stand the numbers
//! that a sweep does not set.

use crate::safety::escape_path;
use crate::sweep::Judgement;
use crate::sweep::plan::{SavedSettings, Subject};
use crate::tracker;

/// The class of the causes for which numbers are worked out.
const CLASS: &str = "cuda-oom";
/// The runs of so many tasks are read.
const MOST: usize = 500;
/// So many files that cannot be read are told.
const MOST_TOLD: usize = 3;

/// Reads the configurations of the tasks that need them; what was not read, in words.
pub(super) fn add(subjects: &mut [Subject], judgement: &Judgement) -> Vec<String> {
    let group = |subject: &Subject| judgement.groups.get(subject.cause?);
    let is_meant = |subject: &&mut Subject| group(subject).is_some_and(|group| group.cause.class == CLASS);
    let mut not_read = Vec::new();
    for (number, subject) in subjects.iter_mut().filter(is_meant).enumerate() {
        let Some(dir) = subject.run_dir.clone() else { continue };
        if number >= MOST {
            not_read
                .push(format!("the saved configurations of more than {MOST} tasks that ran out of memory"));
            break;
        }
        let found = tracker::configurations(&dir);
        let files = found.saved.into_iter().map(|saved| {
            let place = escape_path(saved.path.strip_prefix(&dir).unwrap_or(&saved.path));
            let text =
                |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            SavedSettings::of(place, saved.values.into_iter().map(|(name, value)| (name, text(value))))
        });
        subject.saved.extend(files.filter(|file| !file.values.is_empty()));
        let unread =
            found.unread.iter().map(|unread| format!("{}: {}", escape_path(&unread.path), unread.why));
        let room = MOST_TOLD.saturating_sub(not_read.len());
        not_read.extend(unread.take(room));
    }
    not_read
}
