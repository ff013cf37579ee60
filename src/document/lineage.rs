use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::facts::Relation;
use super::{Store, StoreError, WorktreeFact, front};
use crate::terms::{AnyKey, CommitId, Time};

/// A document as it stands in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its key.
    pub key: AnyKey,
    /// When it was made: for a legacy document, what its key says.
    pub created: Option<Time>,
    /// The document that it continues or amends.
    pub parent: Option<AnyKey>,
    /// Other documents that it continues too.
    pub joins: Vec<AnyKey>,
    /// What it is to its parent, if it has one.
    pub relation: Option<Relation>,
    /// The worktree that it speaks of; `None` for a document that cannot be read.
    pub worktree: Option<WorktreeFact>,
    /// The host on which it was made.
    pub host: Option<String>,
    /// The branch that it speaks of.
    pub branch: Option<String>,
    /// The commit that was checked out.
    pub head: Option<CommitId>,
    /// What the work is about.
    pub focus: Option<String>,
    /// True if it names live jobs.
    pub has_live_jobs: bool,
    /// True if it was archived.
    pub is_archived: bool,
    /// Why it could not be read; nothing else is known then.
    pub problem: Option<String>,
}

/// All documents of a repository and what follows what.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    entries: BTreeMap<AnyKey, Entry>,
    children: BTreeMap<AnyKey, BTreeSet<AnyKey>>,
}

impl Lineage {
    /// Reads the front matter of every document in the store.
    pub fn load(store: &Store) -> Result<Lineage, StoreError> {
        let mut entries = Vec::new();
        for key in store.keys()? {
            entries.push(match store.load(&key) {
                Ok(Some(stored)) => Entry::of(&key, &stored.bytes, stored.is_archived),
                // Archived or removed by another process a moment ago.
                Ok(None) => continue,
                Err(e) => Entry { problem: Some(e.to_string()), ..Entry::unread(&key) },
            });
        }
        Ok(Lineage::of(entries))
    }

    /// Links entries by their parents.
    pub fn of(entries: Vec<Entry>) -> Lineage {
        let mut lineage = Lineage::default();
        for entry in entries {
            for parent in entry.parent.iter().chain(&entry.joins) {
                lineage.children.entry(parent.clone()).or_default().insert(entry.key.clone());
            }
            lineage.entries.insert(entry.key.clone(), entry);
        }
        lineage
    }

    /// Every entry, in the order of keys.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.values()
    }

    /// One entry.
    pub fn get(&self, key: &AnyKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// True if it stands beside another: it is never the newest of its worktree.
    pub fn is_side(&self, key: &AnyKey) -> bool {
        self.get(key).is_some_and(|entry| entry.relation == Some(Relation::Beside))
    }

    /// The documents that follow this one: those that continue, amend or join it.
    pub fn successors(&self, key: &AnyKey) -> impl Iterator<Item = &Entry> {
        self.children(key)
            .filter(move |child| child.relation != Some(Relation::Beside) || child.joins.contains(key))
    }

    /// The side handovers that stand beside this one, and that nothing follows.
    pub fn beside(&self, key: &AnyKey) -> Vec<&Entry> {
        let sides = self.children(key).filter(|child| self.is_side(&child.key) && !child.joins.contains(key));
        sides.filter(|side| !self.is_superseded(&side.key)).collect()
    }

    /// True if another document follows this one.
    pub fn is_superseded(&self, key: &AnyKey) -> bool {
        self.successors(key).next().is_some()
    }

    /// The newest documents of a worktree: those that no document of the same
    /// worktree follows. Newest is by parent links, not by time.
    pub fn leaves(&self, here: &Here) -> Vec<&Entry> {
        self.open(here, false)
    }

    /// The side handovers of a worktree that no document of it has joined yet.
    pub fn open_sides(&self, here: &Here) -> Vec<&Entry> {
        self.open(here, true)
    }

    /// The documents of a worktree that no document of the same worktree follows.
    fn open(&self, here: &Here, sides: bool) -> Vec<&Entry> {
        let is_followed = |entry: &&Entry| self.successors(&entry.key).any(|child| child.is_of(here));
        let all = self.of_worktree(here).filter(|entry| self.is_side(&entry.key) == sides);
        all.filter(|entry| !is_followed(entry)).collect()
    }

    /// The documents that name this one, whatever they are to it.
    fn children(&self, key: &AnyKey) -> impl Iterator<Item = &Entry> {
        self.children.get(key).into_iter().flatten().filter_map(|child| self.entries.get(child))
    }

    /// Every document of a worktree, in the order of keys.
    pub fn of_worktree(&self, here: &Here) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| entry.is_of(here))
    }

    /// The newest document of a worktree, if there is exactly one.
    pub fn leaf(&self, here: &Here) -> Result<&Entry, StoreError> {
        let leaves = self.leaves(here);
        match leaves.as_slice() {
            [] => Err(StoreError::None),
            [leaf] => Ok(leaf),
            _ => Err(StoreError::SeveralLeaves {
                keys: leaves.iter().map(|entry| entry.key.clone()).collect(),
            }),
        }
    }
}

/// The worktree in which we stand, as documents name it.
#[derive(Debug, Clone)]
pub struct Here<'a> {
    /// Its path.
    pub path: &'a Path,
    /// Its random id, if it has one.
    pub id: Option<&'a str>,
    /// This host.
    pub host: &'a str,
}

impl Here<'_> {
    /// True if a document that names `worktree` speaks of this one.
    pub fn is_of(&self, worktree: &WorktreeFact, host: Option<&str>) -> bool {
        match (&worktree.id, self.id) {
            (Some(theirs), Some(ours)) => theirs == ours,
            // Without ids the path decides, on the same host: a shared home
            // may hold other trees at the same path.
            _ => worktree.path == crate::safety::escape_path(self.path) && host == Some(self.host),
        }
    }
}

impl Entry {
    /// True if it is of this worktree.
    pub fn is_of(&self, here: &Here) -> bool {
        self.worktree.as_ref().is_some_and(|worktree| here.is_of(worktree, self.host.as_deref()))
    }

    fn unread(key: &AnyKey) -> Entry {
        Entry {
            key: key.clone(),
            created: key.proving().map(|key| key.minute()),
            parent: None,
            joins: Vec::new(),
            relation: None,
            worktree: None,
            host: None,
            branch: None,
            head: None,
            focus: None,
            has_live_jobs: false,
            is_archived: false,
            problem: None,
        }
    }

    /// What a list needs of a document.
    pub fn of(key: &AnyKey, bytes: &[u8], is_archived: bool) -> Entry {
        let unread = Entry { is_archived, ..Entry::unread(key) };
        let text = String::from_utf8_lossy(bytes);
        match front::peek(&text) {
            Ok((peek, has_live_jobs, body)) => Entry {
                created: Some(peek.created),
                relation: peek.parent.as_ref().map(|parent| parent.relation),
                parent: peek.parent.map(|parent| parent.key),
                joins: peek.joins,
                worktree: Some(peek.worktree),
                host: Some(peek.host),
                branch: peek.branch,
                head: peek.head,
                focus: front::title_of(body),
                has_live_jobs,
                ..unread
            },
            Err(e) => Entry { problem: Some(e.to_string()), ..unread },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, parent: Option<&str>, path: &str) -> Entry {
        let key: AnyKey = key.parse().unwrap();
        Entry {
            parent: parent.map(|key| key.parse().unwrap()),
            relation: parent.map(|_| Relation::Continues),
            worktree: Some(WorktreeFact { path: path.into(), id: None, is_main: true }),
            host: Some("h".into()),
            ..Entry::unread(&key)
        }
    }

    const A: &str = "HO-20261121-0341-0000000a";
    const B: &str = "HO-20261121-0342-0000000b";
    const C: &str = "HO-20261121-0340-0000000c";

    #[test]
    fn newest_is_by_parents_not_by_time() {
        // C follows B although its clock says that it is older.
        let lineage =
            Lineage::of(vec![entry(A, None, "/r"), entry(B, Some(A), "/r"), entry(C, Some(B), "/r")]);
        let here = Here { path: Path::new("/r"), id: None, host: "h" };
        assert_eq!(lineage.leaf(&here).unwrap().key.to_string(), C);
        assert!(lineage.is_superseded(&A.parse().unwrap()));
    }

    #[test]
    fn several_leaves_are_an_answer_of_their_own() {
        let lineage =
            Lineage::of(vec![entry(A, None, "/r"), entry(B, None, "/r"), entry(C, None, "/elsewhere")]);
        let here = Here { path: Path::new("/r"), id: None, host: "h" };
        assert!(matches!(lineage.leaf(&here), Err(StoreError::SeveralLeaves { keys }) if keys.len() == 2));
        let nobody = Here { path: Path::new("/r"), id: None, host: "other" };
        assert!(matches!(lineage.leaf(&nobody), Err(StoreError::None)));
    }

    #[test]
    fn what_stands_beside_another_is_no_leaf_until_it_is_joined() {
        let here = Here { path: Path::new("/r"), id: None, host: "h" };
        let side = Entry { relation: Some(Relation::Beside), ..entry(B, Some(A), "/r") };
        // A corrected side handover stands where the first does, and joins that.
        let amended = Entry {
            relation: Some(Relation::Beside),
            joins: vec![B.parse().unwrap()],
            ..entry(C, Some(A), "/r")
        };
        let keys =
            |entries: Vec<&Entry>| entries.iter().map(|entry| entry.key.to_string()).collect::<Vec<_>>();
        let lineage = Lineage::of(vec![entry(A, None, "/r"), side.clone(), amended.clone()]);
        assert_eq!(lineage.leaf(&here).unwrap().key.to_string(), A);
        assert_eq!(keys(lineage.open_sides(&here)), [C]);
        assert_eq!(keys(lineage.beside(&A.parse().unwrap())), [C]);
        assert!(!lineage.is_superseded(&A.parse().unwrap()));
        const D: &str = "HO-20261121-0343-0000000d";
        let joining = Entry { joins: vec![C.parse().unwrap()], ..entry(D, Some(A), "/r") };
        let lineage = Lineage::of(vec![entry(A, None, "/r"), side, amended, joining]);
        assert_eq!(lineage.leaf(&here).unwrap().key.to_string(), D);
        assert!(lineage.open_sides(&here).is_empty());
        assert!(lineage.beside(&A.parse().unwrap()).is_empty());
    }

    #[test]
    fn a_cycle_of_parents_hangs_nothing() {
        let lineage = Lineage::of(vec![entry(A, Some(B), "/r"), entry(B, Some(A), "/r")]);
        let here = Here { path: Path::new("/r"), id: None, host: "h" };
        assert!(matches!(lineage.leaf(&here), Err(StoreError::None)));
    }
}
