use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::schema::File;
use super::{Config, PatternClass, PatternRow, Source};
use crate::safety;
use crate::terms::{NotA, Seconds};

/// The largest configuration file that is read, in bytes.
const MOST: u64 = 256 * 1024;

/// The name of the file that stands in the tree, where others may commit it.
const IN_TREE: &str = ".handover.yaml";
/// The least time for which that file can have the trash kept.
const SHORTEST_TRASH: Seconds = Seconds(86_400);

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is there and cannot be read.
    #[error("cannot read the configuration {}", safety::escape_path(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what the schema says; the text names line and column.
    #[error("the configuration {} is wrong: {}", safety::escape_path(path), safety::one_line(text, 300))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, in words.
        text: String,
    },
}

/// Reads the files that exist, in this order, each overriding the one before.
///
/// # Errors
/// [`ConfigError`] for the first file that is there and cannot be used.
pub fn load(files: &[PathBuf]) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    for path in files {
        if let Some(file) = read(path)? {
            let wrong = |e: NotA| ConfigError::Wrong { path: path.clone(), text: e.to_string() };
            let sets_trash = file.retention.trash_after.is_some();
            merge(&mut config, file).map_err(wrong)?;
            // Whoever commits to the tree must not empty other people's trash.
            if sets_trash && path.file_name().is_some_and(|name| name == IN_TREE) {
                let floor = config.retention.trash_after.0.max(SHORTEST_TRASH.0);
                config.retention.trash_after = Seconds(floor);
            }
            config.read_from.push(path.clone());
        }
    }
    Ok(config)
}

/// Reads settings that stand alone; `path` is for the error's words.
///
/// # Errors
/// [`ConfigError::Wrong`] if the text is not what the schema says.
pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let wrong = |e: NotA| ConfigError::Wrong { path: path.to_owned(), text: e.to_string() };
    let mut config = Config::default();
    merge(&mut config, file(path, text)?).map_err(wrong)?;
    Ok(config)
}

fn read(path: &Path) -> Result<Option<File>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    // A fifo of that name must not make anybody wait.
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(unreadable(io::Error::other("it is no regular file")));
    }
    let open = match std::fs::File::open(path) {
        Ok(open) => open,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(unreadable(e)),
    };
    let mut text = String::new();
    open.take(MOST + 1).read_to_string(&mut text).map_err(unreadable)?;
    file(path, &text).map(Some)
}

fn file(path: &Path, text: &str) -> Result<File, ConfigError> {
    let wrong = |text: String| ConfigError::Wrong { path: path.to_owned(), text };
    if text.len() as u64 > MOST {
        return Err(wrong(format!("it is larger than {MOST} bytes")));
    }
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(File::default());
    }
    guarded(text).map_err(wrong)
}

fn merge(config: &mut Config, file: File) -> Result<(), NotA> {
    fn take<T>(slot: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *slot = value;
        }
    }
    fn span(slot: &mut Seconds, value: Option<String>) -> Result<(), NotA> {
        take(slot, value.as_deref().map(Seconds::from_person).transpose()?);
        Ok(())
    }
    let cluster = &mut config.cluster;
    if let Some(source) = file.cluster.source {
        cluster.is_configured = source != "none";
        cluster.source = Source::read(&source);
    }
    take(&mut cluster.user, file.cluster.user.map(Some));
    take(&mut cluster.names, file.cluster.names);
    take(&mut cluster.ids, file.cluster.ids);
    take(&mut cluster.state_file, file.cluster.state_file);
    span(&mut cluster.limit, file.cluster.limit)?;
    span(&mut cluster.history, file.cluster.history)?;
    let worktrees = &mut config.worktrees;
    take(&mut worktrees.path, file.worktrees.path);
    take(&mut worktrees.share, file.worktrees.share);
    take(&mut worktrees.private, file.worktrees.private);
    take(&mut worktrees.link_environments, file.worktrees.link_environments);
    span(&mut config.retention.archive_after, file.retention.archive_after)?;
    span(&mut config.retention.trash_after, file.retention.trash_after)?;
    file.paste.merge(&mut config.paste);
    file.logs.merge(&mut config.logs);
    file.sync.merge(&mut config.sync)?;
    file.baton.merge(&mut config.baton)?;
    file.remote.merge(&mut config.remote)?;
    file.sweeps.merge(&mut config.sweeps)
}

/// Reads YAML that is nested no deeper than a parser takes in its stride.
fn guarded<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    match safety::too_deep_yaml(text) {
        Some(line) => Err(format!("it is nested deeper than {} in line {line}", safety::DEEPEST_YAML)),
        None => serde_yaml::from_str(text).map_err(|e| e.to_string()),
    }
}

/// Reads a table of log patterns: a YAML list of rows; `name` is for the
/// error's words.
///
/// # Errors
/// [`ConfigError::Wrong`] if the text is no such list.
pub fn pattern_rows(name: &str, text: &str) -> Result<Vec<PatternRow>, ConfigError> {
    guarded(text).map_err(|text| ConfigError::Wrong { path: PathBuf::from(name), text })
}

/// Reads what classes of log patterns are: a YAML map by their names; `name` is
/// for the error's words.
///
/// # Errors
/// [`ConfigError::Wrong`] if the text is no such map.
pub fn pattern_classes(name: &str, text: &str) -> Result<BTreeMap<String, PatternClass>, ConfigError> {
    guarded(text).map_err(|text| ConfigError::Wrong { path: PathBuf::from(name), text })
}

impl Source {
    /// Reads `auto`, `local`, `none`, `ssh:HOST`, or a path.
    pub fn read(text: &str) -> Source {
        match text {
            "auto" => Source::Auto,
            "local" => Source::Local,
            "none" => Source::Off,
            other => match other.strip_prefix("ssh:") {
                Some(host) => Source::Ssh(host.to_owned()),
                None => Source::File(PathBuf::from(other)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_files_override_earlier_ones() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&one, "cluster:\n  user: ann\n  names: [sweep_*]\nretention:\n  archive_after: 3d\n")
            .unwrap();
        std::fs::write(&two, "# only this\ncluster:\n  user: bob\n").unwrap();
        let config = load(&[one.clone(), dir.path().join("absent"), two.clone()]).unwrap();
        assert_eq!(config.cluster.user.as_deref(), Some("bob"));
        assert_eq!(config.cluster.names, ["sweep_*"]);
        assert_eq!(config.retention.archive_after, Seconds(3 * 86_400));
        assert_eq!(config.read_from, [one, two]);
    }

    #[test]
    fn a_file_in_the_tree_cannot_empty_the_trash_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, clone) = (dir.path().join(".handover.yaml"), dir.path().join("config.yaml"));
        for path in [&tree, &clone] {
            std::fs::write(path, "retention:\n  trash_after: 0s\n").unwrap();
        }
        let kept = |files: &[PathBuf]| load(files).unwrap().retention.trash_after;
        assert_eq!(kept(std::slice::from_ref(&tree)), Seconds(86_400));
        // This clone's own file may.
        assert_eq!(kept(&[tree.clone(), clone]), Seconds(0));
        std::fs::write(&tree, "retention:\n  trash_after: 3d\n").unwrap();
        assert_eq!(kept(&[tree]), Seconds(3 * 86_400));
    }

    #[test]
    fn patterns_add_up_and_the_later_of_one_id_counts() {
        let dir = tempfile::tempdir().unwrap();
        let row = |id: &str, class: &str| {
            format!(
                "    - {{ id: {id}, pattern: boom, class: {class}, role: root, retry: once, meaning: m, action: a }}\n"
            )
        };
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&one, format!("logs:\n  patterns:\n{}{}", row("U1", "code"), row("U2", "code")))
            .unwrap();
        std::fs::write(
            &two,
            format!("logs:\n  patterns:\n{}sweeps:\n  intervene_percent: 30\n", row("U1", "quota")),
        )
        .unwrap();
        let config = load(&[one, two]).unwrap();
        let seen: Vec<(&str, &str)> =
            config.logs.patterns.iter().map(|row| (row.id.as_str(), row.class.as_str())).collect();
        assert_eq!(seen, [("U1", "quota"), ("U2", "code")]);
        assert_eq!((config.sweeps.watch_percent, config.sweeps.intervene_percent), (10, 30));
    }

    #[test]
    fn a_misspelt_name_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c");
        for text in [
            "clutser: {}\n",
            "cluster:\n  limit: soon\n",
            "cluster: [\n",
            "- a\n",
            "sweeps: {watch_percent: 101}\n",
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(load(std::slice::from_ref(&path)), Err(ConfigError::Wrong { .. })), "{text:?}");
        }
        std::fs::write(&path, "# nothing\n").unwrap();
        assert_eq!(load(std::slice::from_ref(&path)).unwrap().read_from.len(), 1);
    }
}
