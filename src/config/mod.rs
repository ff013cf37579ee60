//! Settings, and where each of them came from.
//!
//! Three files are read, each overriding the one before: the user's
//! `~/.config/handover/config.yaml`, the project's `.handover.yaml` at the top
//! of the worktree, and `<git common dir>/handover/config.yaml`, which holds
//! for this clone alone. All are YAML with the same names; an unknown name is
//! an error, because a misspelt protection protects nothing.

mod baton;
mod load;
mod paste;
mod remote;
mod schema;
mod sweeps;
mod sync;

pub use baton::{Baton, Whereto};
pub use load::{ConfigError, load, parse, pattern_classes, pattern_rows};
pub use paste::Paste;
pub use remote::{Remote, RemoteKind, RemoteProfile};
pub use schema::{Cluster, Config, Retention, Source, Worktrees};
pub use sweeps::{Logs, Own, PatternClass, PatternRow, Sweeps};
pub use sync::{Profile, SecondRepository, Sync};
