//! What a job's log says: why it failed, how far it came, what it wrote.
//!
//! A log is bytes from outside. It is read in blocks, in constant memory; what
//! comes back is plain data, raw and clipped, escaped only where it is shown.

mod attempts;
mod find;
mod finding;
mod judge;
mod label;
mod life;
mod lines;
mod literal;
mod matcher;
mod mentions;
mod names;
mod normal;
mod progress;
mod read;
mod scan;
mod table;
mod traceback;

pub use find::{Listed, Located, among, arrays_with, find, list, of_job};
pub use finding::{
    AttemptSpan, Finding, Fingerprint, Identity, Mention, Point, Progress, Reading, Retry, Role, Trouble,
    Unread,
};
pub use read::{Extent, Reader, Worker, line_of, read};
pub use table::{Pattern, Table, TableError, Traits};

#[cfg(test)]
mod tests;
