//! The readers of what this program keeps between its runs, and of a project's
//! own small files, for whoever wants to try them on any bytes at all.

pub use super::evidence::listed as manifest;
pub use super::sweep::preflight::{
    lines_in as batch_script, parameters_in as tensors, records_in as preflights,
};
pub use super::sweep::records::{read_bytes as plan_record, submitted};
pub use super::sweep::report::reported;
pub use super::sweep::settle::read_bytes as settled;
pub use super::watch::readers::{answer_in as queue_answer, kept, readings_in as readings};
