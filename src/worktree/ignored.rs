//! Which ignored files are data that somebody would miss.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use crate::safety::escape_path;
use crate::terms::Bytes;

/// Directories that tools fill and can fill again.
const CACHES: [&str; 18] = [
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    ".tox",
    ".nox",
    ".eggs",
    "node_modules",
    ".npm",
    ".yarn",
    ".next",
    ".turbo",
    ".parcel-cache",
    ".gradle",
    ".terraform",
    ".direnv",
    "htmlcov",
];
/// What tools keep in a directory `.cache`; anything else there is somebody's.
const KNOWN_CACHES: [&str; 21] = [
    "pip",
    "pip-tools",
    "uv",
    "pypoetry",
    "pdm",
    "conda",
    "huggingface",
    "torch",
    "matplotlib",
    "fontconfig",
    "pre-commit",
    "black",
    "mypy",
    "ruff",
    "pytest",
    "jedi",
    "go-build",
    "ccache",
    "sccache",
    "yarn",
    "bazel",
];
/// Files of that kind, by the end of their name.
const CACHE_FILES: [&str; 8] =
    [".pyc", ".pyo", ".DS_Store", ".egg-info", ".coverage", ".o", ".d.ts.map", ".tsbuildinfo"];
/// The most files that are counted in one directory.
const MOST: usize = 20_000;

/// Something that git ignores and a removal would take along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ignored {
    /// Relative to the top of the worktree; a directory ends in a slash.
    pub path: String,
    /// Its size, or that of everything in it.
    pub bytes: Bytes,
    /// True if there was more than was counted.
    pub is_more: bool,
}

/// True if tools made this and can make it again: a cache by its name, a
/// directory that says so itself, a virtual environment.
fn is_cache(top: &Path, path: &Path) -> bool {
    let is_known = |part: Component| CACHES.iter().any(|name| part.as_os_str() == *name);
    if path.components().any(is_known) {
        return true;
    }
    let is_under = |pair: &[Component]| {
        pair[0].as_os_str() == ".cache" && KNOWN_CACHES.iter().any(|name| pair[1].as_os_str() == *name)
    };
    if path.components().collect::<Vec<_>>().windows(2).any(is_under) {
        return true;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if CACHE_FILES.iter().any(|end| name.ends_with(end)) {
        return true;
    }
    let says_so =
        |dir: &Path| ["CACHEDIR.TAG", "pyvenv.cfg"].iter().any(|tag| top.join(dir).join(tag).is_file());
    path.ancestors().filter(|dir| !dir.as_os_str().is_empty()).any(says_so)
}

/// Measures one ignored path.
pub fn measure(top: &Path, path: &Path) -> Ignored {
    let full = top.join(path);
    let is_dir = full.is_dir() && !full.is_symlink();
    let mut bytes = 0;
    let mut files = 0;
    for entry in walkdir::WalkDir::new(&full).into_iter().flatten() {
        if files == MOST {
            break;
        }
        files += 1;
        if entry.file_type().is_file() {
            bytes += entry.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    let slash = if is_dir && !path.as_os_str().to_string_lossy().ends_with('/') { "/" } else { "" };
    Ignored { path: format!("{}{slash}", escape_path(path)), bytes: Bytes(bytes), is_more: files == MOST }
}

/// The ignored paths that somebody would miss, largest first.
pub fn data(top: &Path, ignored: impl IntoIterator<Item = PathBuf>) -> Vec<Ignored> {
    let mut found: Vec<Ignored> = ignored
        .into_iter()
        .flat_map(|path| opened(top, path))
        .filter(|path| !is_cache(top, path))
        .map(|path| measure(top, &path))
        .collect();
    found.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
    found
}

/// What is in a directory `.cache`, which git names as one path; any other path as it is.
fn opened(top: &Path, path: PathBuf) -> Vec<PathBuf> {
    let full = top.join(&path);
    if path.file_name() != Some(OsStr::new(".cache")) || full.is_symlink() || is_cache(top, &path) {
        return vec![path];
    }
    let names: Result<Vec<_>, _> = match std::fs::read_dir(&full) {
        Ok(names) => names.map(|entry| entry.map(|entry| path.join(entry.file_name()))).collect(),
        Err(e) => Err(e),
    };
    // What cannot be looked into counts as data.
    names.unwrap_or_else(|_| vec![path])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_told_from_data() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        for (path, text) in
            [("target/CACHEDIR.TAG", "x"), (".venv/pyvenv.cfg", "x"), ("outputs/model.pt", "12345")]
        {
            std::fs::create_dir_all(top.join(path).parent().unwrap()).unwrap();
            std::fs::write(top.join(path), text).unwrap();
        }
        for path in [
            "src/__pycache__/",
            "a.pyc",
            "target/",
            "target/debug/x",
            ".venv/",
            "web/node_modules/",
            ".cache/pip/x",
        ] {
            assert!(is_cache(top, Path::new(path)), "{path}");
        }
        for path in [
            ".env",
            "outputs/",
            "results.csv",
            "targets/",
            "env/",
            "wandb/",
            ".a.py.swp",
            ".cache/results/best.pt",
        ] {
            assert!(!is_cache(top, Path::new(path)), "{path}");
        }
        std::fs::create_dir_all(top.join(".cache/uv")).unwrap();
        assert_eq!(data(top, [PathBuf::from(".cache/")]), []);
        std::fs::create_dir_all(top.join(".cache/results")).unwrap();
        let found = data(top, [PathBuf::from(".cache/")]);
        assert_eq!(found.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), [".cache/results/"]);
        let data = data(top, ["target/", "outputs/"].map(PathBuf::from));
        assert_eq!(data, [Ignored { path: "outputs/".into(), bytes: Bytes(5), is_more: false }]);
    }
}
