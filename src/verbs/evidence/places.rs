//! Where a task's run keeps its files.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::joblog::{Identity, Mention, Reading};
use crate::safety;
use crate::terms::Known;

/// Where runs are looked for if no template says it.
const USUAL: [&str; 6] = ["outputs", "runs", "checkpoints", "results", "lightning_logs", "multirun"];
/// So many folders below the usual ones are listed.
const MOST: usize = 50_000;
/// And so deep.
const DEPTH: usize = 2;
/// A raw job id in a folder's name counts from so many digits on: short
/// numbers stand for anything.
const LEAST_ID: u32 = 1000;

/// The folders of a sweep's runs.
#[derive(Debug, Default)]
pub struct Places {
    roots: Vec<PathBuf>,
    templates: Vec<String>,
    pairs: HashMap<(u32, u32), Vec<PathBuf>>,
    ids: HashMap<u32, Vec<PathBuf>>,
    /// What could not be listed, in words.
    pub problems: Vec<String>,
}

impl Places {
    /// Looks once at what is there: below `roots`, by `templates` if there are
    /// any, else in the folders where runs usually are.
    pub fn look(roots: &[PathBuf], templates: &[String]) -> Places {
        let mut places = Places { roots: roots.to_vec(), templates: templates.to_vec(), ..Places::default() };
        for template in templates {
            if let Err(what) = filled(template, &Identity::default()) {
                places.problems.push(what);
            }
        }
        if templates.is_empty() {
            let mut left = MOST;
            for root in roots {
                for usual in USUAL {
                    places.list(&root.join(usual), DEPTH, &mut left);
                }
            }
            if left == 0 {
                places.problems.push(format!("of the folders of runs only {MOST} were listed"));
            }
        }
        places
    }

    /// The folder of one task's run: by template, else as its log names it,
    /// else by the numbers in the folders' names.
    pub fn run_dir(&self, who: &Identity, log: Option<&Reading>) -> Known<PathBuf> {
        if !self.templates.is_empty() {
            return self.by_template(who);
        }
        if let Some(dir) = log.and_then(|log| self.named_by(log, who)) {
            return Known::Known(dir);
        }
        let by_pair = who.task.and_then(|task| self.pairs.get(&(who.base, task)));
        let by_id = || who.raw_id().and_then(|raw| self.ids.get(&raw));
        match by_pair.or_else(by_id).map(Vec::as_slice) {
            Some([dir]) => Known::Known(dir.clone()),
            Some([one, other, ..]) => Known::Unknown(format!(
                "two folders have its numbers: {} and {}",
                safety::escape_path(one),
                safety::escape_path(other)
            )),
            _ => Known::Unknown(
                "no folder has its numbers, and its log names none; `sweeps: runs:` can say where".to_owned(),
            ),
        }
    }

    fn by_template(&self, who: &Identity) -> Known<PathBuf> {
        let mut absent = Vec::new();
        for template in &self.templates {
            let Ok(path) = filled(template, who) else { continue };
            let own = who.work_dir.iter().chain(&self.roots).map(|root| root.join(&path));
            if let Some(dir) = own.into_iter().find(|dir| dir.is_dir()) {
                return Known::Known(dir);
            }
            absent.push(safety::escape_path(&path));
        }
        Known::Unknown(match absent.is_empty() {
            true => "no template of its folder could be filled".to_owned(),
            false => format!("{} is not there", absent.join(", ")),
        })
    }

    /// The folder of the last checkpoint that the log says was written.
    fn named_by(&self, log: &Reading, who: &Identity) -> Option<PathBuf> {
        let saved = log.mentions.iter().rev().filter_map(|mention| match mention {
            Mention::CheckpointSaved { path, .. } => Some(Path::new(path)),
            _ => None,
        });
        saved
            .filter(|path| path.components().all(|part| part != Component::ParentDir))
            .filter_map(|path| {
                let own = who.work_dir.iter().chain(&self.roots);
                own.map(|root| root.join(path)).find(|path| path.exists())
            })
            .find_map(|path| {
                let dir = path.parent()?;
                // Lightning keeps them in a folder of their own.
                let is_shelf = dir.file_name().is_some_and(|name| name == "checkpoints");
                Some(if is_shelf { dir.parent()?.to_owned() } else { dir.to_owned() })
            })
    }

    fn list(&mut self, dir: &Path, depth: usize, left: &mut usize) {
        let Ok(entries) = fs::read_dir(dir) else { return };
        for entry in entries.flatten() {
            // Links are not followed: they lead out of the project, or in circles.
            if *left == 0 || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            *left -= 1;
            let path = entry.path();
            let numbers = numbers(&entry.file_name().to_string_lossy());
            for pair in numbers.windows(2) {
                self.pairs.entry((pair[0], pair[1])).or_default().push(path.clone());
            }
            for id in numbers.into_iter().filter(|id| *id >= LEAST_ID) {
                self.ids.entry(id).or_default().push(path.clone());
            }
            if depth > 1 {
                self.list(&path, depth - 1, left);
            }
        }
    }
}

/// The numbers in a name, in their order; too large ones are left out.
pub(super) fn numbers(name: &str) -> Vec<u32> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// A template of a path with its placeholders filled: `{array}`, `{task}`,
/// `{id}`, `{job}`, `{name}`.
///
/// # Errors
/// In words: there is no such placeholder, or what it stands for is unknown
/// or would lead out of the folder.
pub fn filled(template: &str, who: &Identity) -> Result<PathBuf, String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, after) =
            after.split_once('}').ok_or_else(|| format!("a brace is left open in {template}"))?;
        rest = after;
        let value = match name {
            "array" => Some(who.base.to_string()),
            "task" => Some(who.task.unwrap_or(who.base).to_string()),
            "id" => Some(who.task.map_or(who.base.to_string(), |task| format!("{}_{task}", who.base))),
            "job" => who.raw_id().or(Some(0).filter(|_| who.base == 0)).map(|raw| raw.to_string()),
            "name" => Some(who.name.clone()),
            _ => return Err(format!("there is no {{{name}}} that could be filled in {template}")),
        };
        let value = value.ok_or_else(|| format!("{{{name}}} is not known"))?;
        if value.contains(['/', '\0']) || value == ".." {
            return Err(format!("{{{name}}} would lead out of the folder"));
        }
        out.push_str(&value);
    }
    out.push_str(rest);
    Ok(PathBuf::from(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(base: u32, task: u32) -> Identity {
        Identity {
            base,
            task: Some(task),
            raw: Some(base * 10 + task),
            name: "seg_lr".into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_template_is_filled_and_leads_nowhere_else() {
        let path = |template| filled(template, &who(482, 7)).map(|path| path.display().to_string());
        assert_eq!(path("outputs/{array}_{task}/{name}"), Ok("outputs/482_7/seg_lr".to_owned()));
        assert_eq!(path("{id}-{job}"), Ok("482_7-4827".to_owned()));
        assert!(path("{oops}").is_err_and(|what| what.contains("{oops}")));
        assert!(path("a{task").is_err());
        let foreign = Identity { name: "../../etc".into(), ..who(1, 2) };
        assert!(filled("runs/{name}", &foreign).is_err());
    }

    #[test]
    fn a_run_is_found_by_template_by_its_log_and_by_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for made in
            ["outputs/sweep_482_7", "outputs/sweep_482_8/ckpt", "runs/x/48299", "runs/a_5_1", "runs/b_5_1"]
        {
            fs::create_dir_all(root.join(made)).unwrap();
        }
        let roots = [root.to_owned()];
        let places = Places::look(&roots, &[]);
        assert_eq!(places.run_dir(&who(482, 7), None), Known::Known(root.join("outputs/sweep_482_7")));
        let single = Identity { base: 48299, ..Identity::default() };
        assert_eq!(places.run_dir(&single, None), Known::Known(root.join("runs/x/48299")));
        assert!(
            matches!(places.run_dir(&who(5, 1), None), Known::Unknown(why) if why.contains("two folders"))
        );
        assert!(places.run_dir(&who(5, 2), None).is_unknown());
        let by_template = Places::look(&roots, &["outputs/sweep_{id}".to_owned()]);
        assert_eq!(by_template.run_dir(&who(482, 8), None), Known::Known(root.join("outputs/sweep_482_8")));
        assert!(
            matches!(by_template.run_dir(&who(482, 9), None), Known::Unknown(why) if why.contains("sweep_482_9"))
        );
        let broken = Places::look(&roots, &["{nothing}".to_owned()]);
        assert_eq!(broken.problems.len(), 1);
        let log = Reading {
            path: root.join("log"),
            size: 0,
            modified: None,
            root: None,
            elsewhere: None,
            others: Vec::new(),
            left_out: 0,
            attempts: Vec::new(),
            unread: Vec::new(),
            progress: None,
            mentions: vec![Mention::CheckpointSaved { path: "outputs/sweep_482_8/ckpt".into(), offset: 0 }],
        };
        assert_eq!(places.run_dir(&who(9, 9), Some(&log)), Known::Known(root.join("outputs/sweep_482_8")));
    }
}
