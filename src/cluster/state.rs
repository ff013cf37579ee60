use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The state of a job, a task or a step, in Slurm's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub enum State {
    /// Terminated by a failure of its nodes at launch.
    BootFail,
    /// Cancelled by a user or an administrator.
    Cancelled,
    /// Ended with exit code zero on all nodes.
    Completed,
    /// Its last processes are being cleaned up.
    Completing,
    /// Has nodes, which are not ready yet.
    Configuring,
    /// Terminated at its deadline.
    Deadline,
    /// Ended with another exit code than zero.
    Failed,
    /// Terminated because a node failed.
    NodeFail,
    /// Ended by a shortage of memory.
    OutOfMemory,
    /// Waits for resources or a condition.
    Pending,
    /// Taken off its nodes for another job.
    Preempted,
    /// Is being requeued.
    Requeued,
    /// Is being requeued into the queue of another cluster.
    RequeueFed,
    /// Requeued and held: it does not start by itself.
    RequeueHold,
    /// Held because its reservation was deleted.
    ResvDelHold,
    /// Changes its size.
    Resizing,
    /// Removed from this cluster because another one of the federation runs it.
    Revoked,
    /// Has nodes and executes.
    Running,
    /// Is being signalled.
    Signaling,
    /// Requeued in a special state set by its script; held.
    SpecialExit,
    /// Stages files out.
    StageOut,
    /// Has nodes and was stopped with SIGSTOP.
    Stopped,
    /// Has nodes and was suspended.
    Suspended,
    /// Terminated at its time limit.
    Timeout,
    /// A word that this program does not know.
    Unknown,
}

const NAMES: [(State, &str); 25] = [
    (State::BootFail, "BOOT_FAIL"),
    (State::Cancelled, "CANCELLED"),
    (State::Completed, "COMPLETED"),
    (State::Completing, "COMPLETING"),
    (State::Configuring, "CONFIGURING"),
    (State::Deadline, "DEADLINE"),
    (State::Failed, "FAILED"),
    (State::NodeFail, "NODE_FAIL"),
    (State::OutOfMemory, "OUT_OF_MEMORY"),
    (State::Pending, "PENDING"),
    (State::Preempted, "PREEMPTED"),
    (State::Requeued, "REQUEUED"),
    (State::RequeueFed, "REQUEUE_FED"),
    (State::RequeueHold, "REQUEUE_HOLD"),
    (State::ResvDelHold, "RESV_DEL_HOLD"),
    (State::Resizing, "RESIZING"),
    (State::Revoked, "REVOKED"),
    (State::Running, "RUNNING"),
    (State::Signaling, "SIGNALING"),
    (State::SpecialExit, "SPECIAL_EXIT"),
    (State::StageOut, "STAGE_OUT"),
    (State::Stopped, "STOPPED"),
    (State::Suspended, "SUSPENDED"),
    (State::Timeout, "TIMEOUT"),
    (State::Unknown, "UNKNOWN"),
];

impl State {
    /// Reads a state in full or cut short with a `+`; `CANCELLED by 1000` is
    /// cancelled, and a word that fits no state or several is `Unknown`.
    pub fn read(text: &str) -> State {
        let word = text.split([' ', ',']).next().unwrap_or_default();
        if let Some(cut) = word.strip_suffix('+') {
            let mut fitting = NAMES.iter().filter(|(_, name)| name.starts_with(cut));
            return match (fitting.next(), fitting.next()) {
                (Some((state, _)), None) if !cut.is_empty() => *state,
                _ => State::Unknown,
            };
        }
        NAMES.iter().find(|(_, name)| *name == word).map_or(State::Unknown, |(state, _)| *state)
    }

    /// Slurm's name of the state.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(state, _)| *state == self).map_or("UNKNOWN", |(_, name)| name)
    }

    /// True if the job holds nodes or works on them.
    pub fn is_running(self) -> bool {
        use State::{Completing, Configuring, Resizing, Running, Signaling, StageOut, Stopped, Suspended};
        matches!(
            self,
            Running | Completing | Configuring | Resizing | Signaling | StageOut | Stopped | Suspended
        )
    }

    /// True if the job waits, held and requeued ones included.
    pub fn is_waiting(self) -> bool {
        use State::{Pending, RequeueFed, RequeueHold, Requeued, ResvDelHold, SpecialExit};
        matches!(self, Pending | Requeued | RequeueFed | RequeueHold | ResvDelHold | SpecialExit)
    }

    /// True if the job may still do something: it must not lose its directory.
    ///
    /// `PREEMPTED` may come back where jobs are requeued; whether it does, only
    /// the queue knows, so a finished attempt alone does not make a job live.
    pub fn is_live(self) -> bool {
        self.is_running() || self.is_waiting()
    }

    /// True if this attempt is over.
    pub fn is_finished(self) -> bool {
        !self.is_live() && self != State::Unknown
    }

    /// True if this attempt is over and did not do what it was to do.
    ///
    /// Cancelled and preempted attempts are neither successes nor failures.
    pub fn is_failure(self) -> bool {
        use State::{BootFail, Deadline, Failed, NodeFail, OutOfMemory, Timeout};
        matches!(self, BootFail | Deadline | Failed | NodeFail | OutOfMemory | Timeout)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<State, D::Error> {
        Ok(State::read(&std::borrow::Cow::<'de, str>::deserialize(from)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_in_every_spelling() {
        assert_eq!(State::read("CANCELLED by 1000"), State::Cancelled);
        assert_eq!(State::read("CANCELLED+"), State::Cancelled);
        assert_eq!(State::read("OUT_OF_ME+"), State::OutOfMemory);
        assert_eq!(State::read("COMPLET+"), State::Unknown);
        assert_eq!(State::read("REQUEUE_HOLD"), State::RequeueHold);
        assert_eq!(State::read("läuft"), State::Unknown);
        assert_eq!(State::read(""), State::Unknown);
    }

    #[test]
    fn every_state_is_live_or_finished_or_unknown() {
        for (state, name) in NAMES {
            assert_eq!(State::read(name), state);
            assert_eq!(state.name(), name);
            assert!(state == State::Unknown || state.is_live() != state.is_finished(), "{name}");
        }
    }
}
