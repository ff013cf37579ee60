use serde::{Deserialize, Serialize};

use super::{Accounting, Job};

/// Which jobs a question was about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scope {
    /// The cluster user; `None` asks for nobody's in particular.
    pub user: Option<String>,
    /// Job names, or starts of names that end in `*`.
    pub names: Vec<String>,
    /// Job ids; an array's id takes all its tasks.
    pub ids: Vec<u32>,
}

impl Scope {
    /// True if a job belongs to the scope: the user is right, and its name or
    /// its id is one of those named. No names and no ids take every job.
    ///
    /// What the source cut is compared as far as it goes, so that no job of ours
    /// is lost for a long name.
    pub fn takes(&self, job: &Job) -> bool {
        let user = match &self.user {
            Some(user) if job.user_cut => user.starts_with(&job.user),
            Some(user) => job.user.is_empty() || *user == job.user,
            None => true,
        };
        user && self.takes_named(&job.name, job.name_cut, &[Some(job.id.base), job.raw_id])
    }

    /// The same for a job of which only name and ids are known.
    fn takes_named(&self, name: &str, cut: bool, ids: &[Option<u32>]) -> bool {
        if self.names.is_empty() && self.ids.is_empty() {
            return true;
        }
        ids.iter().flatten().any(|id| self.ids.contains(id))
            || self.names.iter().any(|pattern| fits(pattern, name, cut))
    }

    /// Drops from an accounting what is not of this scope; the user was part of
    /// the question, or is not known there.
    pub(super) fn keep(&self, accounting: &mut Accounting) {
        accounting.retain(|row, name, user| {
            let is_user = user.is_empty() || self.user.as_deref().is_none_or(|wanted| wanted == user);
            is_user && self.takes_named(name, row.name_cut, &[Some(row.id.base), row.raw_id])
        });
    }

    /// True if it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        *self == Scope::default()
    }
}

fn fits(pattern: &str, name: &str, cut: bool) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start) || (cut && start.starts_with(name)),
        None => name == pattern || (cut && pattern.starts_with(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::JobId;

    fn job(user: &str, name: &str) -> Job {
        Job { user: user.into(), name: name.into(), raw_id: Some(9), ..Job::new(JobId::task(7, 1)) }
    }

    #[test]
    fn a_scope_takes_names_or_ids_of_the_right_user() {
        let scope =
            Scope { user: Some("ann".into()), names: vec!["sweep_*".into(), "eval".into()], ids: vec![7] };
        assert!(scope.takes(&job("ann", "other")), "the array's id takes its tasks");
        let scope = Scope { ids: vec![9], ..scope };
        assert!(scope.takes(&job("ann", "other")), "the raw id is as good");
        let scope = Scope { ids: vec![], ..scope };
        assert!(!scope.takes(&job("ann", "other")));
        assert!(scope.takes(&job("ann", "sweep_lr")));
        assert!(scope.takes(&job("ann", "eval")));
        assert!(!scope.takes(&job("ann", "evaluate")));
        assert!(!scope.takes(&job("bob", "eval")));
        assert!(Scope::default().takes(&job("bob", "x")));
    }

    #[test]
    fn cut_names_and_users_are_compared_as_far_as_they_go() {
        let scope = Scope {
            user: Some("ann.longname".into()),
            names: vec!["a_very_long_name_that_is_cut_somewhere".into()],
            ids: vec![],
        };
        let mut cut = job("ann.long", "a_very_long_name_that_is_cut_s");
        assert!(!scope.takes(&cut));
        (cut.user_cut, cut.name_cut) = (true, true);
        assert!(scope.takes(&cut));
    }
}
