//! How much memory a sweep's jobs asked for: by their call of `sbatch`, by
//! accounting, by their script, or by what the live ones have.

use crate::cluster::{Request, Snapshot, Submission};
use crate::sweep::plan::{Asked, Per};
use crate::sweep::{Kind, Sweep};

/// What the sources say together.
pub(super) fn asked(
    submission: Option<&Submission>,
    script: Option<&[u8]>,
    request: &Request,
    snapshot: &Snapshot,
    sweep: &Sweep,
) -> Option<Asked> {
    let call = submission.or(request.submission.known());
    let call = call.and_then(|call| Asked::of_options(call, "its call of sbatch"));
    let accounting = request.memory.and_then(|memory| {
        let per = if memory.per_cpu { Per::Cpu } else { Per::Node };
        Asked::of(&format!("{}K", memory.bytes.0 >> 10), per, "accounting")
    });
    let script = script.and_then(|bytes| {
        let own = Submission::of_script(&String::from_utf8_lossy(bytes), "script")?;
        Asked::of_options(&own, "the #SBATCH lines of its script")
    });
    let is_of_it = |job: &&crate::cluster::Job| match sweep.kind {
        Kind::Array => job.id.base.to_string() == sweep.key,
        Kind::SharedName => sweep.look.all().contains(job.id.base),
    };
    let given = snapshot.jobs.known().into_iter().flatten().filter(is_of_it).find_map(|job| job.memory);
    let queue = given.and_then(|bytes| {
        Asked::of(&format!("{}K", bytes.0 >> 10), Per::Node, "what its running tasks have")
    });
    Asked::best(call, accounting, script, queue)
}
