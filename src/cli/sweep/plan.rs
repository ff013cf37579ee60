use clap::Args;

use crate::cli::cluster_source::ClusterArgs;
use crate::cli::{Exit, Failure, Session};
use crate::report;
use crate::safety::shell_word;
use crate::verbs::sweep::plan::{self, Options};
use crate::verbs::sweep::submit;

/// Say what to do about each task of a sweep, with the lines that do it
///
/// Per task: leave alone, resume from the newest checkpoint that passed its check, fix first, try
/// one (canary), or lost. Lines are printed, quoted, ready to paste; nothing runs. Tasks that are
/// alive under their old id are in no line, and failures of code or environment get none until
/// --mended says that they are mended.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    handover sweep plan 48251\n  \
    handover sweep plan train_lr --json\n  \
    handover sweep plan 48251 --mended missing-module\n  \
    handover sweep plan 48251 --submit 3f9a0c1d2e4b\n\n\
    The resume command, `resume` below `sweeps` in the settings, is one line for a POSIX shell:\n  \
    sbatch --array={tasks} {exclude} {script} --resume {checkpoint}\n\n\
    It is best one command, which is sbatch or a script of the project; variables and `cd DIR &&` may stand before \
    it. Each placeholder stands outside of quotes, and its value becomes one quoted word. Beside a placeholder \
    $(...), `...`, eval, ssh and a shell with -c are refused, since a shell would read the value a second time. With \
    a pipe, a group, --wrap, a second interpreter or another program, a line is printed only where its values are \
    made of letters, digits and _./=:@%+,- alone: what needs more belongs into a script. A secret belongs into a \
    variable of the environment: a line that holds one is shown without it, and not run. The placeholders:\n\
    \x20 {tasks}       compressed list of array tasks, with the throttle\n\
    \x20 {task}        index of the task, or id of the job\n\
    \x20 {array}       id of the array\n\
    \x20 {id}          array and index, such as 48251_7\n\
    \x20 {job}         raw id of the job, as its log has it\n\
    \x20 {name}        the jobs' name\n\
    \x20 {run}         run folder\n\
    \x20 {checkpoint}  newest checkpoint that passed its check\n\
    \x20 {script}      batch script\n\
    \x20 {exclude}     --exclude=NODES where nodes are to be avoided, else nothing\n\
    \x20 {wandb}       WANDB_RUN_ID=... WANDB_RESUME=must where the run is known, else nothing\n\
    \x20 {wandb_id}    the W&B run id alone\n\
    \n\
    The exit code is 0 if no decision is required or somebody settled the sweep, 3 if there is something to do, 1 if somebody \
    must intervene. With --submit it is 0 if every line was done, 6 if one failed, 5 if the plan \
    is another one now or was submitted before.")]
pub struct PlanArgs {
    /// An array's id, the id of a task or job, a name, or the start of one
    #[arg(value_name = "NAME|JOBID")]
    wanted: String,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Leave what is alive running, even if somebody must intervene
    #[arg(long)]
    keep_running: bool,
    /// Take it that the failures of this class are mended: one of their tasks is tried before the
    /// others
    #[arg(long, value_name = "CLASS")]
    mended: Vec<String>,
    /// Read every byte of the checkpoints that are resumed from, not their structure alone: finds
    /// flipped bits, and takes as long as reading them
    #[arg(long)]
    full: bool,
    /// Show each task with its checkpoint and its lost steps, every list whole, and also the lines
    /// that must wait for a change; --full does so too
    #[arg(long)]
    details: bool,
    /// Run exactly the lines of the plan with this hash, if a fresh look gives the same plan
    #[arg(long, value_name = "PLAN-HASH")]
    submit: Option<String>,
    /// Say that the lines of this earlier plan of which it is unknown whether they submitted
    /// anything did not: a person's word, after a look into squeue and sacct. Then plan anew
    #[arg(long, value_name = "PLAN-HASH", conflicts_with = "submit")]
    not_submitted: Option<String>,
}

pub fn run(session: &Session, args: &PlanArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let word = |class: &String| shell_word(class).map(|class| format!(" --mended {class}")).ok();
    let mended: String = args.mended.iter().filter_map(word).collect();
    let options = Options {
        wanted: args.wanted.clone(),
        cluster: args.cluster.source(session),
        keep_running: args.keep_running,
        mended: args.mended.clone(),
        full: args.full,
        details: args.details || args.full,
        words: [
            args.cluster.again(session).as_str(),
            if args.keep_running { " --keep-running" } else { "" },
            &mended,
            if args.full { " --full" } else { "" },
        ]
        .concat(),
    };
    if let Some(hash) = &args.submit {
        submit::check(&context, hash)?;
    }
    if let Some(hash) = &args.not_submitted {
        let record = submit::unclear(&context, hash)?;
        session
            .confirm(&report::sweep_plan::unclear(&record), "Is it certain that these submitted nothing?")?;
        submit::say_not_submitted(&context, hash)?;
    }
    let made = {
        let _working = session.working("reading logs and checkpoints");
        plan::make(&context, &options)?
    };
    if let Some(hash) = &args.submit {
        let outcome = submit::run(&context, &made, hash)?;
        session.output.answer("sweep-submit", &outcome, report::sweep_plan::submitted)?;
        return Ok(if outcome.whole { Exit::Done } else { Exit::Partial });
    }
    session.output.answer("sweep-plan", &made.outcome, report::sweep_plan::text)?;
    Ok(match (made.outcome.says_intervene(), made.outcome.asks_for_nothing()) {
        (true, _) => Exit::No,
        (false, true) => Exit::Done,
        (false, false) => Exit::Look,
    })
}
