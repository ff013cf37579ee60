//! What was submitted to do a look in parts.

use super::View;
use crate::verbs::shards::Submitted;

/// The array's id, and what to run when it is done.
pub fn text(_: &View, submitted: &Submitted) -> String {
    format!("submitted array {}; when it is done:\n  {}\n", submitted.job, submitted.merge)
}
