use super::super::problems::Problems;

/// A state file as sections under headings like `=== MY JOBS ===`.
#[derive(Debug)]
pub(super) struct Sections<'t> {
    /// What stands before the first heading.
    pub preamble: &'t str,
    all: Vec<Section<'t>>,
    conflicted: bool,
}

/// One section.
#[derive(Debug)]
pub(super) struct Section<'t> {
    /// Its heading as written, without the marks.
    pub title: &'t str,
    /// Its lines, without empty ones.
    pub lines: Vec<&'t str>,
}

impl<'t> Sections<'t> {
    /// Splits the text at its headings.
    pub fn split(text: &'t str) -> Sections<'t> {
        let mut all: Vec<Section> = Vec::new();
        let mut preamble_end = text.len();
        let mut at = 0;
        let mut conflicted = false;
        for whole in text.split_inclusive('\n') {
            let line = whole.trim_end_matches(['\n', '\r']);
            conflicted |= line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
            if let Some(title) = heading(line) {
                preamble_end = preamble_end.min(at);
                all.push(Section { title, lines: Vec::new() });
            } else if let Some(section) = all.last_mut()
                && !line.trim().is_empty()
            {
                section.lines.push(line);
            }
            at += whole.len();
        }
        Sections { preamble: &text[..preamble_end], all, conflicted }
    }

    /// The part for programs, which is the last section or none.
    pub fn machine(&self) -> Option<&Section<'t>> {
        self.all.last().filter(|section| super::machine::is_machine(section))
    }

    /// The first section of this title: a later one may be the name of some
    /// other user's job.
    pub fn named(&self, title: &str) -> Option<&Section<'t>> {
        self.all.iter().find(|section| section.title.eq_ignore_ascii_case(title))
    }

    /// The first section whose title starts so.
    pub fn starting(&self, start: &str) -> Option<&Section<'t>> {
        self.all.iter().find(|section| begins(section.title, start))
    }

    /// The sections `ALL RUNNING JOBS ON <NAME> PARTITION`, with the name.
    pub fn of_partitions(&self) -> impl Iterator<Item = (&'t str, &Section<'t>)> {
        self.all.iter().filter_map(|section| Some((partition(section.title)?, section)))
    }

    /// True if at least one section has a title that is known.
    pub fn has_known(&self) -> bool {
        self.all.iter().any(|section| is_known(section.title) || super::machine::is_machine(section))
    }

    /// Says what is wrong with the file as a whole.
    pub fn complain(&self, problems: &mut Problems) {
        if self.all.is_empty() {
            problems.say("state file", "it has no section such as === MY JOBS ===");
        }
        if self.conflicted {
            problems.say("state file", "it holds the marks of an unfinished merge: parts may stand twice");
        }
        for (index, section) in self.all.iter().enumerate() {
            let title = section.title;
            if self.all[..index].iter().any(|before| before.title == title) {
                problems.say(title, "the section stands more than once; the first one is read");
            }
            let machine = super::machine::is_machine(section) && index + 1 == self.all.len();
            if !is_known(title) && !machine {
                problems.say(title, "the section is not known and not read");
            }
        }
    }
}

fn is_known(title: &str) -> bool {
    ["MY JOBS", "GPU AVAILABILITY", "RECENT JOB HISTORY"].iter().any(|known| begins(title, known))
        || partition(title).is_some()
}

fn begins(title: &str, start: &str) -> bool {
    title.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

fn heading(line: &str) -> Option<&str> {
    let inner = line.trim_end().strip_prefix("===")?.strip_suffix("===")?;
    let title = inner.trim_matches('=').trim();
    (!title.is_empty()).then_some(title)
}

fn partition(title: &str) -> Option<&str> {
    const BEFORE: &str = "ALL RUNNING JOBS ON ";
    const AFTER: &str = " PARTITION";
    let rest = begins(title, BEFORE).then(|| &title[BEFORE.len()..])?;
    let end = rest.len().checked_sub(AFTER.len())?;
    rest.get(end..)?.eq_ignore_ascii_case(AFTER).then(|| rest[..end].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_split_the_file() {
        let sections = Sections::split(
            "Taken: x\r\n=== MY JOBS ===\r\nrow\r\n\r\n==== My Jobs ====\nother\n === INDENTED ===\n=== ALL RUNNING JOBS ON big-mem PARTITION ===\n=== ===\n",
        );
        assert_eq!(sections.preamble, "Taken: x\r\n");
        assert_eq!(sections.named("MY JOBS").unwrap().lines, ["row"]);
        assert_eq!(sections.of_partitions().map(|(name, _)| name).collect::<Vec<_>>(), ["big-mem"]);
        assert!(Sections::split("nothing").named("MY JOBS").is_none());
    }
}
