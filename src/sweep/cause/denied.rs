//! Lines in Slurm's words that accounting denies.
//!
//! A program can print whatever Slurm would, with its own job's id. Accounting
//! it cannot write: where that is known, and final, and cannot go together with
//! the line, the line says nothing of how the job ended.

use crate::cluster::{ExitCode, Printed, State};
use crate::joblog::Finding;
use crate::sweep::Evidence;

/// What a line in Slurm's words tells of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    /// The whole job was ended.
    Job,
    /// A step was, which may have had limits of its own; the job may go on.
    Step,
    /// Memory ran out.
    Memory,
    /// The same, in words that only releases have which do not account it.
    OldMemory,
}

/// True if accounting cannot go together with what the line says.
pub fn is_denied(task: &Evidence, finding: &Finding) -> bool {
    // Every other state says itself who ended it.
    if !matches!(task.state, State::Failed | State::Completed) {
        return false;
    }
    let Some(words) = words(finding) else { return false };
    let steps_deny = task.steps.count > 0 && !was_ended(task);
    match (finding.class.as_str(), words) {
        // Whoever reaches it is TIMEOUT; near to it the clocks of two programs decide.
        ("time-limit", Words::Job) => is_far_below_limit(task),
        ("time-limit", Words::Step) => is_far_below_limit(task) && steps_deny,
        // Not `cancelled`: up to 22.05 at least `scancel --signal` has the same words, and a
        // program that traps the signal ends as it likes, FAILED 1:0 with no step ended. Its
        // cause is to be asked for anyway.
        ("preempted" | "node-fail" | "requeued", Words::Job) => !was_ended(task),
        ("preempted" | "node-fail" | "requeued", Words::Step) => steps_deny,
        // Who prints it accounts it: the step is OUT_OF_MEMORY, 0:125.
        ("host-oom", Words::Memory) => steps_deny,
        ("host-oom", Words::OldMemory) => steps_deny && task.printed == Printed::Whole,
        _ => false,
    }
}

/// True if an attempt before the newest one ended in the way of this class: then
/// its line may still be in the log.
pub fn is_of_earlier(task: &Evidence, class: &str) -> bool {
    task.earlier.iter().any(|attempt| match attempt.state {
        State::Timeout | State::Deadline => class == "time-limit",
        State::Preempted => matches!(class, "preempted" | "requeued" | "cancelled"),
        State::NodeFail | State::BootFail => class == "node-fail",
        State::OutOfMemory => class == "host-oom",
        State::Cancelled | State::Revoked => matches!(class, "cancelled" | "requeued" | "preempted"),
        // Put back into the queue, for whatever reason.
        State::Failed | State::Completed => false,
        _ => class != "host-oom",
    })
}

fn words(finding: &Finding) -> Option<Words> {
    let text = &finding.text;
    let has = |part: &str| text.contains(part);
    match finding.class.as_str() {
        "host-oom" if has("at some point") && has("memory limit") => Some(Words::OldMemory),
        "host-oom" if has("oom_kill event") || has("oom-kill event") => Some(Words::Memory),
        "host-oom" if has("srun: error: ") && has("Out Of Memory") => Some(Words::Memory),
        "host-oom" if has("slurm") && has("exceeded") && has("memory limit") => Some(Words::Memory),
        "host-oom" => None,
        _ if has("*** JOB ") => Some(Words::Job),
        _ if has("*** STEP ") || has("srun: ") || has("slurmstepd") => Some(Words::Step),
        _ => None,
    }
}

/// True if it ran less than nine tenths of its time; false if that is not known.
fn is_far_below_limit(task: &Evidence) -> bool {
    task.elapsed.zip(task.limit).is_some_and(|(elapsed, limit)| elapsed < limit - limit / 10)
}

/// True if accounting knows of anything in the job that was ended from outside,
/// or may have been.
fn was_ended(task: &Evidence) -> bool {
    let by_signal = |exit: ExitCode| exit.is_out_of_memory() || exit.signal(task.printed).is_some();
    let step = task.steps.worst;
    task.steps.out_of_memory
        || step.is_some_and(|step| step.state != State::Failed || by_signal(step.exit))
        || [task.exit, task.derived].into_iter().flatten().any(by_signal)
}
