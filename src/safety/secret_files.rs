use std::ffi::OsStr;
use std::path::Path;

/// Whole names of files that hold passwords or tokens.
const NAMES: [&str; 10] = [
    ".netrc",
    "_netrc",
    ".authinfo",
    ".pgpass",
    ".my.cnf",
    ".git-credentials",
    ".pypirc",
    ".npmrc",
    ".env",
    ".htpasswd",
];
/// How the names of private keys of ssh begin; what follows is `_sk` or an end.
const KEYS: [&str; 5] = ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_xmss"];
/// How the names of keys and key stores end.
const ENDS: [&str; 6] = ["pem", "p12", "pfx", "jks", "ppk", "kdbx"];

/// True if a file of that name is one of secrets by all custom: no log, and
/// nothing that is to be opened because something points to it.
pub fn is_file_of_secrets(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else { return false };
    let name = name.to_ascii_lowercase();
    let is_key = |start: &str| {
        name.strip_prefix(start).is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
    };
    NAMES.contains(&name.as_str())
        || KEYS.iter().any(|start| is_key(start))
        || name.rsplit_once('.').is_some_and(|(_, end)| ENDS.contains(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_secrets_are_known_by_their_names() {
        for name in
            ["/h/.netrc", "_netrc", ".ssh/id_rsa", "id_ed25519_sk", "ID_RSA.bak", "a/server.PEM", ".env"]
        {
            assert!(is_file_of_secrets(Path::new(name)), "{name}");
        }
        for name in ["train_7.out", "id_7.out", "slurm-1.out", "id_rsab", "netrc", "x.pem.out", "/", ""] {
            assert!(!is_file_of_secrets(Path::new(name)), "{name}");
        }
    }
}
