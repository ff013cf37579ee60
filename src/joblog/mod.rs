//! What a job's log says: why it failed, how far it came, what it wrote.
//!
//! A log is bytes from outside. It is read in blocks, in constant memory; what
//! comes back is plain data, raw and clipped, escaped only where it is shown.

mod finding;
mod label;
mod literal;
mod table;

pub use finding::{
    AttemptSpan, Finding, Fingerprint, Identity, Mention, Point, Progress, Reading, Retry, Role, Trouble,
    Unread,
};
pub use table::{Pattern, Table, TableError};
