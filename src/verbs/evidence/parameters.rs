//! The parameters of a sweep's tasks, from the file that the settings name.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use crate::config::Sweeps;
use crate::safety;
use crate::sweep::ParameterFile;

/// The largest file that is read, in bytes.
const MOST: u64 = 64 << 20;

/// Reads the configured file; nothing if none is configured.
pub fn read(settings: &Sweeps, roots: &[PathBuf]) -> ParameterFile {
    let Some(path) = &settings.parameters else { return ParameterFile::default() };
    let problem = |what: &str| ParameterFile {
        problems: vec![format!("the parameters in {} {what}", safety::escape_path(path))],
        ..ParameterFile::default()
    };
    let Some(whole) = roots.iter().map(|root| root.join(path)).find(|path| path.is_file()) else {
        return problem("are not there");
    };
    let mut bytes = Vec::new();
    match fs::File::open(&whole).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes)) {
        Err(error) => problem(&format!("cannot be read: {error}")),
        Ok(_) if bytes.len() as u64 > MOST => problem("are larger than 64 MiB"),
        Ok(_) => ParameterFile::read(&String::from_utf8_lossy(&bytes), &settings.columns),
    }
}
