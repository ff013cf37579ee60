//! What a further look at a sweep brings along.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::Places;
use crate::cluster::Job;
use crate::joblog::Extent;
use crate::terms::{JobId, TaskIds};

/// What is wanted of a further look, and what is known from the ones before.
pub struct Again<'a> {
    /// The tasks to be read.
    pub tasks: &'a TaskIds,
    /// Jobs as the queue had them while they ran: they say where files are.
    pub jobs: &'a HashMap<JobId, Job>,
    /// The logs that were found before, by task.
    pub logs: &'a BTreeMap<u32, PathBuf>,
    /// The folders of the runs.
    pub places: &'a Places,
    /// How much is read of the logs of tasks that run.
    pub running: Extent,
}
