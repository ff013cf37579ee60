//! Runs and checkpoints that a log names.

use std::sync::LazyLock;

use memchr::memmem;
use regex::bytes::Regex;

use super::finding::Mention;

/// The oldest of each kind that are kept, and the newest.
const OLDEST: usize = 2;
const NEWEST: usize = 6;
/// What is longer, in bytes, is cut. Not by the patterns: they would be compiled for each length.
const LONGEST: usize = 2001;

/// What was named so far.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    found: Vec<Mention>,
}

macro_rules! regex {
    ($pattern:expr) => {
        LazyLock::new(|| Regex::new($pattern).expect("a constant"))
    };
}

impl Mentions {
    /// Reads a line; true if it says that the run goes on from a checkpoint.
    pub fn read(&mut self, line: &[u8], offset: u64) -> bool {
        static URL: LazyLock<Regex> = regex!(r"(?-u)https?://[\w.:-]+/[\w.-]+/[\w.-]+/runs/([\w-]{1,100})");
        static DIR: LazyLock<Regex> =
            regex!(r#"(?-u)(?:saved locally in|wandb sync) +['"]?([^\s'"]*run-\d{8}_\d{6}-([\w-]{1,100}))"#);
        static RUN: LazyLock<Regex> = regex!(r"(?-u)wandb: setting up run ([\w-]{1,100})");
        static SAVED: LazyLock<Regex> = regex!(
            r#"(?i-u)\bsav(?:ing|ed|e)\b.{0,60}?\b(?:checkpoint|ckpt|model|state)s?\b.{0,60}?(?:\bto\b|\bat\b|\bin\b|\bas\b|:|=)\s*['"]?([\w./~][^\s'",;()\[\]]+)"#
        );
        static RESUMED: LazyLock<Regex> = regex!(
            r#"(?i-u)\b(?:resum(?:ing|ed|e)|restor(?:ing|ed))\b.{0,80}?(?:\bfrom\b|\bat\b|\bcheckpoint\b|:|=)\s*(?:the )?(?:checkpoint|ckpt)?\s*(?:path)?(?:at)?\s*[:=]?\s*['"]?([\w./~][^\s'",;()\[\]]+)"#
        );
        let text = |found: &regex::bytes::Captures, at: usize| {
            found.get(at).map_or_else(String::new, |part| {
                let part = &part.as_bytes()[..part.len().min(LONGEST)];
                String::from_utf8_lossy(part).trim_end_matches(['.', ':']).to_owned()
            })
        };
        let holds = |part: &str| memmem::find(line, part.as_bytes()).is_some();
        if let Some(found) = holds("/runs/").then(|| URL.captures(line)).flatten() {
            self.push(Mention::WandbUrl { url: text(&found, 0) });
            self.push(Mention::WandbRun { id: text(&found, 1) });
        }
        if let Some(found) = holds("run-").then(|| DIR.captures(line)).flatten() {
            self.push(Mention::WandbDir { path: text(&found, 1) });
            self.push(Mention::WandbRun { id: text(&found, 2) });
        }
        if let Some(found) = holds("setting up run").then(|| RUN.captures(line)).flatten() {
            self.push(Mention::WandbRun { id: text(&found, 1) });
        }
        if let Some(found) = RESUMED.captures(line) {
            let path = text(&found, 1);
            if looks_like_a_path(&path) {
                self.push(Mention::ResumedFrom { path, offset });
            }
            return true;
        }
        if let Some(found) = SAVED.captures(line) {
            let path = text(&found, 1);
            if looks_like_a_path(&path) {
                self.push(Mention::CheckpointSaved { path, offset });
            }
        }
        false
    }

    fn push(&mut self, mention: Mention) {
        if self.found.iter().any(|known| same(known, &mention)) {
            return;
        }
        let kind = std::mem::discriminant(&mention);
        let alike = |known: &Mention| std::mem::discriminant(known) == kind;
        if self.found.iter().filter(|known| alike(known)).count() >= OLDEST + NEWEST {
            // The first of the newest makes room.
            let at = self.found.iter().enumerate().filter(|(_, known)| alike(known)).nth(OLDEST);
            if let Some(at) = at.map(|(at, _)| at) {
                self.found.remove(at);
            }
        }
        self.found.push(mention);
    }

    pub fn finish(self) -> Vec<Mention> {
        self.found
    }
}

/// The same thing named again; a newer offset is no news.
fn same(one: &Mention, other: &Mention) -> bool {
    match (one, other) {
        (Mention::CheckpointSaved { path: one, .. }, Mention::CheckpointSaved { path: other, .. })
        | (Mention::ResumedFrom { path: one, .. }, Mention::ResumedFrom { path: other, .. }) => one == other,
        (one, other) => one == other,
    }
}

fn looks_like_a_path(text: &str) -> bool {
    text.contains('/')
        || text.contains("checkpoint")
        || [".pt", ".pth", ".ckpt", ".bin", ".safetensors"].iter().any(|end| text.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_checkpoints_are_found() {
        let mut mentions = Mentions::default();
        let mut resumed = 0;
        for line in [
            "wandb: Run data is saved locally in /s/wandb/run-20261121_101010-ab12cd",
            "wandb: 🚀 View run x at: https://wandb.ai/team/proj/runs/ab12cd",
            "wandb: wandb sync /s/wandb/offline-run-20261121_101010-ef34",
            "Saving model checkpoint to out/checkpoint-500",
            "[INFO] saved checkpoint to /s/run/epoch=3-step=120.ckpt.",
            "Resuming training from checkpoint /s/run/last.ckpt",
            "Restored all states from the checkpoint at /s/run/b.ckpt",
            "We will resume later",
            "no checkpoint found",
        ] {
            resumed += u32::from(mentions.read(line.as_bytes(), 5));
        }
        assert_eq!(resumed, 2);
        let json = serde_json::to_value(mentions.finish()).unwrap();
        assert_eq!(
            json,
            serde_json::json!([
                {"mention": "wandb_dir", "path": "/s/wandb/run-20261121_101010-ab12cd"},
                {"mention": "wandb_run", "id": "ab12cd"},
                {"mention": "wandb_url", "url": "https://wandb.ai/team/proj/runs/ab12cd"},
                {"mention": "wandb_dir", "path": "/s/wandb/offline-run-20261121_101010-ef34"},
                {"mention": "wandb_run", "id": "ef34"},
                {"mention": "checkpoint_saved", "path": "out/checkpoint-500", "offset": 5},
                {"mention": "checkpoint_saved", "path": "/s/run/epoch=3-step=120.ckpt", "offset": 5},
                {"mention": "resumed_from", "path": "/s/run/last.ckpt", "offset": 5},
                {"mention": "resumed_from", "path": "/s/run/b.ckpt", "offset": 5},
            ])
        );
    }
}
