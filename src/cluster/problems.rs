use super::Problem;

/// Collects what could not be seen or not be trusted while something is read.
#[derive(Debug, Default)]
pub(super) struct Problems {
    all: Vec<Problem>,
}

impl Problems {
    /// Notes one problem; the same one is noted once.
    pub fn say(&mut self, about: &str, what: impl Into<String>) {
        let problem = Problem { about: about.to_owned(), what: what.into() };
        if !self.all.contains(&problem) {
            self.all.push(problem);
        }
    }

    /// Takes over what somebody else collected.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Problem>) {
        for problem in more {
            self.say(&problem.about, problem.what);
        }
    }

    /// Everything that was noted, in the order of reading.
    pub fn into_vec(self) -> Vec<Problem> {
        self.all
    }
}
