//! What comes from outside is data: escaped, fenced, capped, quoted, redacted.
//!
//! Every text of a log, a job, a branch, a note or another agent's document
//! passes through here before it reaches a terminal, a document or a shell.

mod nesting;
mod quote;
mod secret_files;
mod secrets;
mod text;

pub use nesting::{DEEPEST_YAML, too_deep_yaml};
pub use quote::{Unquotable, shell_last, shell_path, shell_word};
pub use secret_files::is_file_of_secrets;
pub use secrets::{
    Finding, Findings, Redactions, Secret, redact, secrets as secrets_in, secrets_in_file,
    url_without_credentials,
};
pub use text::{
    clip, code_span, escape, escape_bytes, escape_path, fence, json_line, one_line, plain_markdown,
    showable_json,
};
