//! Why a job waits, in plain words, and what can come of it.

use serde::{Deserialize, Serialize};

/// What can come of a job that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outlook {
    /// It will start by itself.
    Waits,
    /// It will start when somebody releases it.
    Held,
    /// It starts when what it needs is in service again; nobody knows when that is.
    Blocked,
    /// It will never start as it is.
    Never,
    /// Slurm gives a reason that this program does not know.
    Unknown,
}

/// A reason in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// What it means.
    pub words: &'static str,
    /// What can come of it.
    pub outlook: Outlook,
    /// What to do; empty if waiting is all there is to do.
    pub advice: &'static str,
}

use Outlook::{Blocked, Held, Never, Waits};

const NOTHING: &str = "";
const FIX: &str = "submit it again with another request";
const SERVICE: &str = "wait until it is in service again, or submit it again without what it asks for there";
const BUDGET: &str = "wait for its reset, or ask for more";

/// Slurm's reasons, the first pattern that fits; `*` stands for anything.
/// Source: Slurm's list of job reason codes, and what the releases 20.11 to
/// 26.05 print. Blanks and underscores are the same here, because `squeue`
/// prints the one and `scontrol` the other.
const TABLE: [(&str, Outlook, &str, &str); 58] = [
    ("", Waits, "not looked at yet", NOTHING),
    ("None", Waits, "not looked at yet", NOTHING),
    ("Priority", Waits, "jobs with higher priority go first", NOTHING),
    ("Resources", Waits, "next in line for free nodes or GPUs", NOTHING),
    (
        "DependencyNeverSatisfied",
        Never,
        "what it depends on failed",
        "cancel it, or submit it without the dependency",
    ),
    ("Dependency", Waits, "waits for other jobs", NOTHING),
    ("JobArrayTaskLimit", Waits, "the array's own limit of running tasks", NOTHING),
    ("BeginTime", Waits, "not before its begin time", NOTHING),
    ("Deadline", Never, "it cannot end before its deadline", "submit it again with a later deadline"),
    ("JobHeldUser", Held, "held by its user", "scontrol release"),
    ("JobHeldAdmin", Held, "held by an administrator", "ask the administrators"),
    (
        "JobHoldMaxRequeue",
        Never,
        "requeued too often, held",
        "find out why it is requeued, then scontrol release",
    ),
    (
        "launch failed requeued held",
        Never,
        "its launch failed, held",
        "exclude the node, then scontrol release",
    ),
    ("*requeued*held*", Held, "requeued and held", "scontrol release when it may run again"),
    ("*special*exit*", Held, "its script asked to be held", "scontrol release when it may run again"),
    ("ReservationDeleted", Held, "its reservation was deleted", "submit it again without the reservation"),
    ("ReqNodeNotAvail*Reserved for maintenance*", Waits, "its nodes are kept for a maintenance", NOTHING),
    ("ReqNodeNotAvail*reserved for other job*", Waits, "its nodes are kept for another job", NOTHING),
    ("ReqNodeNotAvail*", Blocked, "nodes it asks for are not available", SERVICE),
    ("Nodes required for job are DOWN*", Waits, "its nodes are down or kept for others", NOTHING),
    ("NodeDown", Blocked, "a node it needs is down", SERVICE),
    ("FrontEndDown", Blocked, "no front end is in service", "wait, or ask the administrators"),
    ("PartitionDown", Blocked, "its partition is down", "wait, or submit it again to another partition"),
    (
        "PartitionInactive",
        Blocked,
        "its partition is closed",
        "wait, or submit it again to another partition",
    ),
    ("PartitionTimeLimit", Never, "its time limit is above the partition's", FIX),
    ("PartitionNodeLimit", Never, "more nodes than the partition gives", FIX),
    ("PartitionConfig", Never, "the partition does not take such jobs", FIX),
    ("BadConstraints", Never, "no node has what it asks for", FIX),
    ("InvalidAccount", Never, "its account is not valid", FIX),
    ("InvalidQOS", Never, "its QOS is not valid", FIX),
    ("AccountNotAllowed", Never, "its account may not use the partition", FIX),
    ("QOSNotAllowed", Never, "its QOS may not use the partition", FIX),
    ("AccountingPolicy", Waits, "a limit of the account", NOTHING),
    ("*PerJob*", Never, "it asks for more than one job may have", FIX),
    ("*PerNode*", Never, "more than it may have on one node", FIX),
    ("*RunMinutes*", Waits, "running jobs hold all minutes", NOTHING),
    ("*Minutes*", Never, "the budget of compute time is spent", BUDGET),
    ("*GrpWall*", Never, "the group's wall time is spent", BUDGET),
    ("QOSTimeLimit", Never, "the budget of its QOS is spent", BUDGET),
    ("AssociationTimeLimit", Never, "the budget of its account is spent", BUDGET),
    ("MaxMemPerLimit", Never, "more memory than a job may have", FIX),
    ("QOSResourceLimit", Waits, "a limit of the QOS", NOTHING),
    ("QOSJobLimit", Waits, "the QOS's limit of jobs is used up", NOTHING),
    ("QOSUsageThreshold", Waits, "its QOS has used too much lately", NOTHING),
    ("BurstBuffer*", Waits, "waits for the burst buffer", NOTHING),
    ("QOSMin*", Never, "it asks for less than one job must have", FIX),
    ("*PerUser*", Waits, "your own limit, used up by your jobs", NOTHING),
    ("*MaxJobs*", Waits, "your own limit of jobs, used up", NOTHING),
    ("QOSGrp*", Waits, "the group's limit is used up for now", NOTHING),
    ("AssocGrp*", Waits, "the group's limit is used up for now", NOTHING),
    ("QOSMax*", Waits, "a limit of the QOS", NOTHING),
    ("Assoc*", Waits, "a limit of the account", NOTHING),
    ("Licenses", Waits, "waits for a licence", NOTHING),
    ("Reservation", Waits, "waits for its reservation", NOTHING),
    ("FedJobLock", Waits, "waits for the clusters of a federation", NOTHING),
    ("Prolog", Waits, "its node is being prepared", NOTHING),
    ("Cleaning", Waits, "its last attempt is being cleaned up", NOTHING),
    ("SchedDefer", Waits, "the scheduler looks later", NOTHING),
];

impl Reason {
    /// What Slurm's reason means.
    pub fn of(reason: &str) -> Reason {
        let text = reason.trim().replace('_', " ").to_ascii_lowercase();
        let found = TABLE.iter().find(|(pattern, ..)| fits(&pattern.to_ascii_lowercase(), &text));
        match found {
            Some((_, outlook, words, advice)) => Reason { words, outlook: *outlook, advice },
            None => Reason { words: "", outlook: Outlook::Unknown, advice: "" },
        }
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    pattern.ends_with('*') || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_say_which_jobs_will_never_start() {
        for (reason, outlook) in [
            ("", Waits),
            ("Priority", Waits),
            (
                "Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved_for_jobs_in_higher_priority_partitions",
                Waits,
            ),
            (
                "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
                Waits,
            ),
            ("ReqNodeNotAvail, UnavailableNodes:gpu[01-03]", Blocked),
            ("ReqNodeNotAvail,_UnavailableNodes:gpu01", Blocked),
            ("ReqNodeNotAvail, Reserved for maintenance", Waits),
            ("ReqNodeNotAvail, May be reserved for other job", Waits),
            ("ReqNodeNotAvail(Unavailable:gpu01)", Blocked),
            ("QOSMaxGRESPerNode", Never),
            ("AssocMaxCpuPerNode", Never),
            ("AssocGrpWallLimit", Never),
            ("QOSGrpWallLimit", Never),
            ("AssociationTimeLimit", Never),
            ("QOSMaxGRESPerUser", Waits),
            ("QOSMaxJobsPerUserLimit", Waits),
            ("AssocMaxJobsLimit", Waits),
            ("AssocGrpGRES", Waits),
            ("QOSGrpGRES", Waits),
            ("JobHeldUser", Held),
            ("job requeued in held state", Held),
            ("launch failed requeued held", Never),
            ("JobHoldMaxRequeue", Never),
            ("DependencyNeverSatisfied", Never),
            ("AssocGrpBillingMinutes", Never),
            ("QOSGrpGRESMinutes", Never),
            ("QOSMaxCpuPerJobLimit", Never),
            ("QOSMaxWallDurationPerJobLimit", Never),
            ("PartitionTimeLimit", Never),
            ("PartitionNodeLimit", Never),
            ("InvalidAccount", Never),
            ("InvalidQOS", Never),
            ("AccountNotAllowed", Never),
            ("BadConstraints", Never),
            ("AssocMaxCpuMinutesPerJobLimit", Never),
            ("AssocGrpCPURunMinutesLimit", Waits),
            ("None", Waits),
            ("Resources", Waits),
            ("Dependency", Waits),
            ("BeginTime", Waits),
            ("JobArrayTaskLimit", Waits),
            ("JobHeldAdmin", Held),
            ("QOSGrpCpuLimit", Waits),
            ("QOSMaxJobsPerAccountLimit", Waits),
            ("ReqNodeNotAvail", Blocked),
            ("PartitionDown", Blocked),
            ("PartitionInactive", Blocked),
            ("NodeDown", Blocked),
            ("Licenses", Waits),
            ("Reservation", Waits),
            ("Prolog", Waits),
            ("Cleaning", Waits),
            ("SomethingNew", Outlook::Unknown),
            ("PriorityX", Outlook::Unknown),
        ] {
            assert_eq!(Reason::of(reason).outlook, outlook, "{reason}");
        }
    }

    #[test]
    fn what_will_not_start_by_itself_comes_with_advice() {
        for (pattern, outlook, words, advice) in TABLE {
            assert!(!words.is_empty() && words.len() < 40, "{pattern}: a column of the board");
            assert_eq!(advice.is_empty(), outlook == Waits, "{pattern}");
        }
    }
}
