//! What a row is besides its class and role: what the judge goes by.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::search::Search;
use super::{TableError, wrong};
use crate::config::{self, PatternRow};

/// A property of lines. The words are those of the table; see `docs/patterns.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trait {
    /// Slurm ends with it what has gone wrong before, too.
    Ending,
    /// Slurm may start the job again after it.
    ComesBack,
    /// The job is in the queue again.
    LivesOn,
    /// Programs survive it more often than not.
    Survived,
    /// Says no more than that code raised something.
    Generic,
    /// Something is not there, or may not be touched; many programs say so and go on.
    NotThere,
    /// Something could not be imported; another import may take its place.
    Import,
    /// What runs already does not raise it.
    AtStart,
    /// Follows from no trouble of memory, disks or other ranks.
    StandsAlone,
    /// Somebody who sees more says it, also late: what yields to it may stand before it.
    Witness,
    /// Ends a program that says nothing itself.
    Silent,
    /// What a client says whose server does not answer.
    Client,
    /// A server ended.
    ServerEnd,
    /// How a task of a step ended.
    TaskEnd,
    /// How a step or a job was ended.
    StepEnd,
    /// Warns of what the next line says.
    WarnsOfNext,
    /// Names what is missing: of two such lines one explains the other only if
    /// their names have something in common.
    NamesIt,
}

use Trait::*;

const WORDS: [(&str, Trait); 17] = [
    ("ending", Ending),
    ("comes-back", ComesBack),
    ("lives-on", LivesOn),
    ("survived", Survived),
    ("generic", Generic),
    ("not-there", NotThere),
    ("import", Import),
    ("at-start", AtStart),
    ("stands-alone", StandsAlone),
    ("witness", Witness),
    ("silent", Silent),
    ("client", Client),
    ("server-end", ServerEnd),
    ("task-end", TaskEnd),
    ("step-end", StepEnd),
    ("warns-of-next", WarnsOfNext),
    ("names-it", NamesIt),
];

/// The properties of a row.
#[derive(Debug, Clone, Default)]
pub struct Traits {
    words: u32,
    /// Classes and ids of rows that explain it.
    yields_to: Vec<String>,
    /// Errors whose text this matches ended a program only if a line of the row follows.
    pub(super) confirms: Option<Search>,
}

impl Traits {
    pub(crate) fn is(&self, one: Trait) -> bool {
        self.words & bit(one) != 0
    }

    /// True if a line of that row or class explains it.
    pub(crate) fn yields_to(&self, id: Option<&str>, class: &str) -> bool {
        self.yields_to.iter().any(|name| name == class || Some(name.as_str()) == id)
    }

    /// What it yields to, by class or id.
    pub fn explained_by(&self) -> &[String] {
        &self.yields_to
    }

    /// Its properties, as the table writes them.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        WORDS.into_iter().filter(|(_, one)| self.is(*one)).map(|(word, _)| word)
    }
}

fn bit(one: Trait) -> u32 {
    1 << one as u32
}

/// The properties that each row of a class has.
static CLASSES: LazyLock<HashMap<String, Traits>> = LazyLock::new(|| {
    let classes = config::pattern_classes("classes.yaml", include_str!("../classes.yaml"))
        .expect("the built-in classes are read by the tests");
    let traits = classes.into_iter().map(|(name, class)| {
        let words = words(&class.is).expect("the built-in classes are read by the tests");
        (name, Traits { words, yields_to: class.yields_to, confirms: None })
    });
    traits.collect()
});

/// The names of the classes that have properties.
#[cfg(test)]
pub(super) fn classes() -> impl Iterator<Item = (&'static str, &'static Traits)> {
    CLASSES.iter().map(|(name, traits)| (name.as_str(), traits))
}

/// The properties of a row: those of its class, and its own.
pub(super) fn traits(row: &PatternRow) -> Result<Arc<Traits>, TableError> {
    let mut traits = CLASSES.get(&row.class).cloned().unwrap_or_default();
    traits.words |= words(&row.is).map_err(|value| TableError::Word {
        id: row.id.clone(),
        field: "is",
        value,
        known: WORDS.map(|(word, _)| word).join(", "),
    })?;
    if let Some(names) = &row.yields_to {
        traits.yields_to.clone_from(names);
    }
    if let Some(pattern) = &row.confirms {
        let unreadable = |source| TableError::Pattern { id: row.id.clone(), source: Box::new(source) };
        let search = Search::compiled(pattern).map_err(unreadable)?;
        if search.is_match(b"") {
            return Err(wrong(row, "it confirms every line"));
        }
        traits.confirms = Some(search);
    }
    Ok(Arc::new(traits))
}

/// The bits of some words; the one that is none.
fn words(words: &[String]) -> Result<u32, String> {
    words.iter().try_fold(0, |bits, word| {
        let known = WORDS.iter().find(|(known, _)| known == word);
        known.map(|(_, one)| bits | bit(*one)).ok_or_else(|| word.clone())
    })
}
