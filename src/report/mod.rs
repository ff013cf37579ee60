//! Outcomes as text for people and as JSON for programs.
//!
//! Nothing here has effects: a report is a string, made of plain data, the
//! moment, and the width of the terminal.

pub mod archive;
pub mod checkpoints;
mod envelope;
pub mod fetch;
pub mod finish;
pub mod handover;
pub(crate) mod lines;
pub mod logs;
pub mod paste;
pub mod preflight;
pub mod remote;
pub mod remove;
pub mod resume;
pub mod shards;
pub mod snapshot;
pub mod start;
pub mod status;
mod style;
pub mod sweep;
pub mod sweep_clean;
pub mod sweep_page;
pub mod sweep_plan;
pub mod sweep_report;
pub mod sweep_settle;
pub mod sync;
pub mod sync_pair;
mod table;
mod text;
pub mod unlock;
pub mod verify;
mod view;
pub mod watch;

pub use envelope::envelope;
pub use style::{Style, paint};
pub use table::{Align, Table};
pub use text::{Text, redacted};
pub use view::View;
