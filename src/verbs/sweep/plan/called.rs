//! By which call the sweep was submitted, and with which script it goes on: what
//! Slurm has recorded counts more than what the settings say of all sweeps.

use std::path::Path;

use crate::cluster::{Request, Submission, WORDS_UNTOLD};
use crate::config::Sweeps;
use crate::safety::{code_span, one_line};
use crate::sweep::plan::{Placeholder, Template};
use crate::terms::Known;
use crate::verbs::job_paths::without_links;

/// The script and the call that goes with it.
#[derive(Debug, Default)]
pub(super) struct Called {
    /// The batch script as a line names it: only what is there as a file, or what the settings name.
    pub script: Option<String>,
    /// How the sweep was submitted.
    pub submission: Option<Submission>,
    /// What to know before any line is run.
    pub warning: Option<String>,
    /// Why no line that starts anything can be given.
    pub held: Option<String>,
}

/// How to give a sweep settings that are its own.
const OWN: &str = "an entry of `for` below `sweeps` gives a sweep settings of its own";

/// What the record and the settings say together; paths are those in `root`.
pub(super) fn called(
    settings: &Sweeps,
    template: Option<&Template>,
    root: &Path,
    request: &Request,
) -> Called {
    let named = settings.script.as_deref().and_then(Path::to_str);
    let is_same = |a: &str, b: &str| a == b || without_links(&root.join(a)) == without_links(&root.join(b));
    // The second half of an option's value is no script, and what follows it may be the wrapped command.
    let hides_wrap = |call: &Submission| call.may_wrap() && !root.join(&call.script).is_file();
    let recorded = match &request.submission {
        Known::Known(recorded) if hides_wrap(recorded) => return wrapped(named),
        Known::Known(recorded) => match recorded.called_in(root) {
            Some(called) => called,
            None => {
                let shown = one_line(&recorded.script, 80);
                let warning = format!(
                    "it was submitted with {shown} and --chdir, and from where is not known, so neither is the script"
                );
                let script = named.map(str::to_owned);
                return Called { script, warning: Some(warning), ..Called::default() };
            }
        },
        _ if request.is_wrapped => return wrapped(named),
        _ => return Called { script: named.map(str::to_owned), ..Called::default() },
    };
    let recorded = &recorded;
    let own = &recorded.script;
    let shown = one_line(own, 80);
    let other = named.filter(|named| !is_same(named, own));
    let (script, warning) = match (other, root.join(own).is_file()) {
        (None, true) => (Some(own.clone()), None),
        (Some(other), true) => {
            let other = one_line(other, 80);
            let warning = format!(
                "the settings name {other} as its script, and it was submitted with {shown}, which is taken; the \
                 other settings below `sweeps` may be of another sweep, too: {OWN}"
            );
            (Some(own.clone()), Some(warning))
        }
        (None, false) => (named.map(str::to_owned), None),
        (Some(other), false) => {
            let shown_other = one_line(other, 80);
            let warning = format!(
                "it was submitted with {shown}, which is not there; {shown_other}, which the settings name, is taken: \
                 see that it does the same"
            );
            (Some(other.to_owned()), Some(warning))
        }
    };
    let submission = script.as_ref().filter(|script| is_same(script, own) && root.join(own).is_file());
    let submission = submission.map(|_| recorded.clone());
    // The command itself may name a script, a sweep's own or another's.
    let literal = template.and_then(literal).filter(|literal| !is_same(literal, own));
    let (warning, held) = match literal {
        None => (warning, None),
        Some(literal) if other.is_some_and(|other| is_same(other, &literal)) => {
            let literal = one_line(&literal, 80);
            let held = format!("the resume command runs {literal}, and it was submitted with {shown}: {OWN}");
            (warning, Some(held))
        }
        Some(literal) => {
            let literal = one_line(&literal, 80);
            let what = format!(
                "the resume command runs {literal}, and it was submitted with {shown}: see that this is meant"
            );
            (warning.or(Some(what)), None)
        }
    };
    Called { script, submission, warning, held }
}

/// It wrapped a command, so no script brings it back.
fn wrapped(named: Option<&str>) -> Called {
    let warning = named.map(|named| {
        let named = one_line(named, 80);
        format!(
            "it was submitted with --wrap, without a script; {named}, which the settings name, is not its script: {OWN}"
        )
    });
    Called { warning, ..Called::default() }
}

/// Why a line that repeats its call may not repeat it, in words.
pub(super) fn doubt(request: &Request, used: Option<&Submission>) -> Option<String> {
    let seen =
        |what: &str| format!("somebody has seen that it has every option and argument of its call: {what}");
    match (&request.submission, used) {
        (Known::Unknown(why), _) if why == WORDS_UNTOLD => Some(seen(why)),
        (_, Some(used)) => {
            let both = code_span(&used.doubt()?);
            Some(seen(&format!("Slurm does not tell whether {both} was one argument or two")))
        }
        _ => None,
    }
}

/// The script that a resume command names without a placeholder, if it can be told.
fn literal(template: &Template) -> Option<String> {
    if !template.is_sbatch() || template.asks_for(Placeholder::Script) {
        return None;
    }
    let line = template.fill("", |_| Ok("x".to_owned())).ok()?;
    let from = line.find("sbatch")?;
    Submission::read(line.get(from..)?).map(|call| call.script).filter(|script| script != "x")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Nothing;

    fn told(script: Option<&str>, resume: Option<&str>, line: Option<&str>) -> Called {
        let dir = tempfile::tempdir().unwrap();
        for name in ["lr.sbatch", "wd.sbatch"] {
            std::fs::write(dir.path().join(name), "#!/bin/sh\n").unwrap();
        }
        let settings = Sweeps { script: script.map(Into::into), ..Sweeps::default() };
        let template = resume.map(|resume| Template::read(resume).unwrap());
        let mut request = Request::unknown(&Nothing::Unknown("not asked".to_owned()));
        if let Some(line) = line {
            match Submission::read(line) {
                Some(submission) => request.submission = Known::Known(submission),
                None => request.is_wrapped = line.contains("--wrap"),
            }
        }
        called(&settings, template.as_ref(), dir.path(), &request)
    }

    #[test]
    fn the_recorded_script_goes_before_that_of_the_settings() {
        let wd = Some("sbatch --mem=1G --array=0-23 wd.sbatch");
        let other = told(Some("lr.sbatch"), None, wd);
        assert_eq!(other.script.as_deref(), Some("wd.sbatch"));
        assert!(other.warning.unwrap().contains("the settings name lr.sbatch"));
        assert_eq!(other.submission.unwrap().options, ["--mem=1G", "--array=0-23"]);
        for script in [None, Some("wd.sbatch"), Some("./wd.sbatch")] {
            let same = told(script, None, wd);
            assert_eq!((same.script.as_deref(), same.warning), (Some("wd.sbatch"), None));
            assert!(same.submission.is_some());
        }
        let gone = told(Some("lr.sbatch"), None, Some("sbatch --array=0-23 gone.sbatch"));
        assert_eq!((gone.script.as_deref(), gone.submission), (Some("lr.sbatch"), None));
        assert!(gone.warning.unwrap().contains("gone.sbatch, which is not there"));
        let unknown = told(Some("lr.sbatch"), None, None);
        assert_eq!((unknown.script.as_deref(), unknown.warning), (Some("lr.sbatch"), None));
    }

    #[test]
    fn a_wrapped_command_is_brought_back_by_no_script_of_the_settings() {
        // Of a value with a blank the second half stands where the script would.
        for line in [
            "sbatch --array=0-3 --wrap python x.py",
            "sbatch --comment two words --wra=python x.py",
            "sbatch -J my lr --wrap python lr.sbatch",
        ] {
            let wrapped = told(Some("lr.sbatch"), None, Some(line));
            assert_eq!((wrapped.script, wrapped.submission), (None, None), "{line}");
            assert!(wrapped.warning.unwrap().contains("--wrap"), "{line}");
        }
        // An argument of a script that is there.
        let own = told(None, None, Some("sbatch --array=0-3 wd.sbatch --wrap 80"));
        assert_eq!((own.script.as_deref(), own.warning), (Some("wd.sbatch"), None));
    }

    #[test]
    fn a_resume_command_with_the_script_of_another_sweep_holds_the_lines() {
        let wd = Some("sbatch --array=0-23 wd.sbatch");
        let resume = Some("sbatch --array={tasks} lr.sbatch --resume {checkpoint}");
        assert!(told(Some("lr.sbatch"), resume, wd).held.unwrap().contains("runs lr.sbatch"));
        // A script that is there to resume is in order, and said.
        let other = told(None, resume, wd);
        assert!(other.held.is_none() && other.warning.unwrap().contains("see that this is meant"));
        let own = told(Some("wd.sbatch"), Some("sbatch --array={tasks} wd.sbatch {checkpoint}"), wd);
        assert_eq!((own.warning, own.held), (None, None));
        assert!(told(None, Some("sbatch --array={tasks} {script} {checkpoint}"), wd).warning.is_none());
    }
}
