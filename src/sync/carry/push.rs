//! Pushes of single refs, each with the value that was seen.

use crate::sys::Finished;
use crate::terms::CommitId;

use super::super::Error;
use super::super::remote::{Answer, LIMIT, exchange_as, is_lost_race, no_answer};
use super::Side;

/// A ref that gets a new value, if it still has the one that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The full name of the ref.
    pub reference: String,
    /// The new value.
    pub to: CommitId,
    /// The value that was seen; `None` if the ref must not be there.
    pub seen: Option<CommitId>,
}

/// What the remote said of one ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It has the new value, by this push.
    Taken,
    /// It had that value before: nobody can tell by whom.
    Same,
    /// It has another value than the one that was seen, or others held its lock.
    Behind,
    /// The remote does not want it; its words.
    Refused(String),
}

impl Update {
    /// The lease, as an option of `git push`.
    pub fn lease(&self) -> String {
        let seen = self.seen.as_ref().map_or("", |seen| seen.as_str());
        format!("--force-with-lease={}:{seen}", self.reference)
    }

    /// What goes where.
    pub fn spec(&self) -> String {
        format!("{}:{}", self.to, self.reference)
    }
}

impl Side<'_, '_> {
    /// Pushes refs of ours, each for itself; what the remote said of each, in the same order. The
    /// hooks of the user's branches do not run for them.
    ///
    /// # Errors
    /// Git could not be run at all.
    pub fn push(&self, updates: &[Update]) -> Result<Answer<Vec<Said>>, Error> {
        let mut args: Vec<String> =
            ["push", "--porcelain", "--no-follow-tags", "--no-verify", "--recurse-submodules=no"]
                .map(str::to_owned)
                .to_vec();
        args.extend(updates.iter().map(Update::lease));
        args.extend(["--".to_owned(), self.remote.to_owned()]);
        args.extend(updates.iter().map(Update::spec));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let limit = self.limit;
        let done = exchange_as(self.world, self.repository.git(), &args, |spawn| spawn.limit(limit))?;
        let said: Option<Vec<Said>> =
            updates.iter().map(|update| said_of(&done, &update.reference)).collect();
        Ok(said.map_or_else(|| no_answer(&done), Answer::Done))
    }
}

/// What came of a push of work behind its fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fenced {
    /// All of it is there.
    Taken,
    /// Nothing of it is, or nobody knows: what is there has to be looked at. What the remote said
    /// of the work itself, if it said something.
    Not(Option<Said>, Answer<()>),
    /// The remote cannot take several refs as one; nothing was pushed.
    NotAtomic,
}

impl Side<'_, '_> {
    /// Pushes work and the refs of its fence as one (`--atomic`): if one of them does not have the
    /// value that was seen, nothing of it lands.
    ///
    /// # Errors
    /// Git could not be run at all.
    pub fn push_fenced(&self, work: &Update, fence: &[Update]) -> Result<Fenced, Error> {
        let mut args: Vec<String> =
            ["push", "--porcelain", "--atomic", "--no-follow-tags"].map(str::to_owned).to_vec();
        let all = || std::iter::once(work).chain(fence);
        args.extend(all().map(Update::lease));
        args.extend(["--".to_owned(), self.remote.to_owned()]);
        args.extend(all().map(Update::spec));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let done = exchange_as(self.world, self.repository.git(), &args, |spawn| spawn.limit(LIMIT))?;
        let said: Vec<Option<Said>> = all().map(|update| said_of(&done, &update.reference)).collect();
        if done.success() && said.iter().all(|said| matches!(said, Some(Said::Taken | Said::Same))) {
            return Ok(Fenced::Taken);
        }
        if String::from_utf8_lossy(&done.stderr).contains("does not support --atomic") {
            return Ok(Fenced::NotAtomic);
        }
        Ok(Fenced::Not(said.into_iter().next().flatten(), no_answer(&done)))
    }
}

/// What `git push --porcelain` says of a ref: `<flag> TAB <from>:<to> TAB <summary>`. `None` if it
/// says nothing, or that the remote said nothing: the push may have been taken all the same.
pub fn said_of(done: &Finished, reference: &str) -> Option<Said> {
    let text = String::from_utf8_lossy(&done.stdout);
    let line = text.lines().find(|line| {
        let to = line.split('\t').nth(1).and_then(|pair| pair.split_once(':'));
        to.is_some_and(|(_, to)| to == reference)
    })?;
    let summary = line.split('\t').nth(2).unwrap_or_default();
    match line.as_bytes().first()? {
        b'*' | b' ' | b'+' => Some(Said::Taken),
        b'=' => Some(Said::Same),
        b'!' if summary.contains("remote failure") || summary.contains("failed to report status") => None,
        b'!' => {
            let alone = Finished { stdout: line.as_bytes().to_vec(), ..done.clone() };
            // The words on standard error speak of all refs of the push.
            let behind = is_lost_race(&Finished { stderr: Vec::new(), ..alone.clone() });
            Some(if behind { Said::Behind } else { Said::Refused(super::super::remote::refusal_of(&alone)) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(stdout: &str) -> Finished {
        Finished { code: 1, stdout: stdout.into(), ..Finished::default() }
    }

    #[test]
    fn each_ref_has_its_own_answer_and_silence_is_none() {
        let text = "To x\n*\tabc:refs/handover/docs/A\t[new reference]\n\
            !\tabc:refs/handover/docs/B\t[rejected] (stale info)\n\
            =\tabc:refs/handover/docs/C\t[up to date]\n\
            !\tabc:refs/handover/docs/D\t[remote rejected] (deny updating a hidden ref)\n\
            !\tabc:refs/handover/docs/E\t[remote failure] (remote failed to report status)\nDone\n";
        let said = |key: &str| said_of(&done(text), &format!("refs/handover/docs/{key}"));
        assert_eq!(said("A"), Some(Said::Taken));
        assert_eq!(said("B"), Some(Said::Behind));
        assert_eq!(said("C"), Some(Said::Same));
        let words = "[remote rejected] (deny updating a hidden ref)".to_owned();
        assert_eq!(said("D"), Some(Said::Refused(words)));
        assert_eq!(said("E"), None);
        assert_eq!(said("F"), None);
    }
}
