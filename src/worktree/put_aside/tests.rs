use std::fs;
use std::process::Command;

use super::*;

/// A project with a run's leavings in it, and a folder outside of it.
struct Yard {
    top: tempfile::TempDir,
    world: World,
}

impl Yard {
    fn new() -> Yard {
        let yard = Yard { top: tempfile::tempdir().unwrap(), world: World::real() };
        for (path, text) in
            [("p/.git/HEAD", "x"), ("p/runs/2/a.tmp/f", "precious"), ("scratch/3/b.tmp", "dear")]
        {
            let path = yard.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        yard
    }

    fn at(&self, path: &str) -> PathBuf {
        fs::canonicalize(self.top.path()).unwrap().join(path)
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.at(path)).ok()
    }

    fn put(&self, paths: &[&str]) -> PutAside {
        let paths: Vec<(PathBuf, Bytes)> = paths.iter().map(|path| (self.at(path), Bytes(8))).collect();
        let near = |path: &Path| path.parent().unwrap().to_owned();
        put(&self.world, &self.at("p/.git"), "8", &paths, &near, self.world.clock.now()).unwrap()
    }

    fn restore(&self, common: &str, note: &PutAside) -> Result<Vec<String>, Error> {
        let note = find(&self.at(common), &note.id)?;
        restore(&self.world, &self.at(common), &note)
    }

    fn left(&self, common: &str) -> usize {
        list(&self.at(common)).unwrap().len()
    }

    fn copy(&self, from: &str, to: &str) {
        assert!(Command::new("cp").arg("-a").args([self.at(from), self.at(to)]).status().unwrap().success());
    }
}

#[test]
fn a_project_that_was_moved_has_its_files_back_where_it_is_now() {
    let yard = Yard::new();
    let note = yard.put(&["p/runs/2/a.tmp", "scratch/3/b.tmp"]);
    assert_eq!((yard.text("p/runs/2/a.tmp/f"), yard.text("scratch/3/b.tmp")), (None, None));
    fs::rename(yard.at("p"), yard.at("q")).unwrap();
    assert_eq!(yard.restore("q/.git", &note).unwrap(), [""; 0]);
    assert_eq!(yard.text("q/runs/2/a.tmp/f").as_deref(), Some("precious"));
    assert_eq!(yard.text("scratch/3/b.tmp").as_deref(), Some("dear"));
    assert_eq!(yard.left("q/.git"), 0);
    assert!(!yard.at("p").exists());
}

#[test]
fn a_copy_acts_on_its_own_files_and_never_on_those_of_the_original() {
    let yard = Yard::new();
    let note = yard.put(&["p/runs/2/a.tmp"]);
    yard.copy("p", "q");
    assert!(yard.restore("q/.git", &note).unwrap().is_empty());
    assert_eq!(yard.text("q/runs/2/a.tmp/f").as_deref(), Some("precious"));
    assert_eq!((yard.text("p/runs/2/a.tmp/f"), yard.left("p/.git")), (None, 1));
    // What lies outside of both belongs to the one that put it aside.
    let outside = yard.put(&["scratch/3/b.tmp"]);
    fs::remove_dir_all(yard.at("q")).unwrap();
    yard.copy("p", "q");
    assert!(matches!(yard.restore("q/.git", &outside), Err(Error::NotSeen { .. })));
    assert_eq!((yard.text("scratch/3/b.tmp"), yard.left("q/.git"), yard.left("p/.git")), (None, 2, 2));
    assert!(yard.restore("p/.git", &outside).unwrap().is_empty());
    assert_eq!(yard.text("scratch/3/b.tmp").as_deref(), Some("dear"));
}

/// A note of what lies beside the runs, as where those have a file system of their own.
fn beside_the_runs(yard: &Yard) -> PutAside {
    let note = yard.put(&["p/runs/2/a.tmp"]);
    let (id, common) = (note.id.clone(), yard.at("p/.git"));
    let place = yard.at("p/runs").join(HIDDEN).join(&id);
    fs::create_dir_all(&place).unwrap();
    let own = folder(&common).join(&id);
    fs::rename(own.join("0"), place.join("0")).unwrap();
    let spot = Ground::of(&common).spot(&place.join("0"), &id);
    assert_eq!(spot.base, Base::Main);
    let item = Item { to_base: spot.base, to_hex: to_hex(&spot.path), ..note.items[0].clone() };
    let note = PutAside { items: vec![item], ..note };
    fs::write(own.join(notes::NAME), serde_json::to_vec(&note).unwrap()).unwrap();
    note
}

#[test]
fn where_the_file_system_of_the_trash_is_not_there_nothing_is_said_to_be_back() {
    let yard = Yard::new();
    let note = beside_the_runs(&yard);
    fs::rename(yard.at("p/runs"), yard.at("disk")).unwrap();
    fs::create_dir(yard.at("p/runs")).unwrap();
    assert!(matches!(yard.restore("p/.git", &note), Err(Error::NotSeen { .. })));
    assert!(matches!(discard(&yard.world, &yard.at("p/.git"), &note), Err(Error::NotSeen { .. })));
    assert_eq!(yard.left("p/.git"), 1);
    fs::remove_dir(yard.at("p/runs")).unwrap();
    fs::rename(yard.at("disk"), yard.at("p/runs")).unwrap();
    assert!(yard.restore("p/.git", &note).unwrap().is_empty());
    assert_eq!((yard.text("p/runs/2/a.tmp/f").as_deref(), yard.left("p/.git")), (Some("precious"), 0));
    assert!(!yard.at("p/runs").join(HIDDEN).exists());
}

#[test]
fn what_no_note_names_is_never_deleted_with_an_entry() {
    let yard = Yard::new();
    let note = yard.put(&["p/runs/2/a.tmp"]);
    let own = folder(&yard.at("p/.git")).join(&note.id);
    fs::write(own.join("7"), "not in the note").unwrap();
    assert!(matches!(yard.restore("p/.git", &note), Err(Error::Damaged { .. })));
    assert_eq!(fs::read_to_string(own.join("7")).unwrap(), "not in the note");
    assert_eq!((yard.text("p/runs/2/a.tmp/f").as_deref(), yard.left("p/.git")), (Some("precious"), 1));
    // And what somebody else took is said, not called back.
    fs::remove_file(own.join("7")).unwrap();
    fs::remove_dir_all(yard.at("p/runs/2/a.tmp")).unwrap();
    assert_eq!(yard.restore("p/.git", &note).unwrap().len(), 1);
}

#[test]
fn a_note_with_whole_paths_alone_loses_nothing_when_the_project_was_moved() {
    let yard = Yard::new();
    let note = yard.put(&["p/runs/2/a.tmp"]);
    let own = folder(&yard.at("p/.git")).join(&note.id);
    let item = Item {
        from_base: Base::Whole,
        from_hex: to_hex(&yard.at("p/runs/2/a.tmp")),
        to_base: Base::Whole,
        to_hex: to_hex(&own.join("0")),
        ..note.items[0].clone()
    };
    let note = PutAside { format: WHOLE_PATHS, repository: None, items: vec![item], ..note };
    fs::write(own.join(notes::NAME), serde_json::to_vec(&note).unwrap()).unwrap();
    fs::rename(yard.at("p"), yard.at("q")).unwrap();
    assert!(matches!(yard.restore("q/.git", &note), Err(Error::NotSeen { .. })));
    assert!(matches!(discard(&yard.world, &yard.at("q/.git"), &note), Err(Error::NotSeen { .. })));
    fs::rename(yard.at("q"), yard.at("p")).unwrap();
    assert!(yard.restore("p/.git", &note).unwrap().is_empty());
    assert_eq!(yard.text("p/runs/2/a.tmp/f").as_deref(), Some("precious"));
}

#[test]
fn a_linked_worktree_is_found_again_by_its_own_word_on_its_git_directory() {
    let yard = Yard::new();
    let write = |path: &str, text: String| {
        let path = yard.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let register = |at: &str| {
        write("p/.git/worktrees/w/gitdir", format!("{}/.git\n", yard.at(at).display()));
        write(&format!("{at}/.git"), format!("gitdir: {}\n", yard.at("p/.git/worktrees/w").display()));
    };
    register("w");
    write("w/runs/5/c.tmp", "mine".to_owned());
    let note = yard.put(&["w/runs/5/c.tmp"]);
    // A copy of the project has the original's worktree registered, and it is not its own.
    yard.copy("p", "q");
    assert!(matches!(yard.restore("q/.git", &note), Err(Error::NotSeen { .. })));
    fs::rename(yard.at("w"), yard.at("v")).unwrap();
    assert!(matches!(yard.restore("p/.git", &note), Err(Error::NotSeen { .. })));
    register("v");
    assert!(yard.restore("p/.git", &note).unwrap().is_empty());
    assert_eq!(yard.text("v/runs/5/c.tmp").as_deref(), Some("mine"));
}

#[test]
fn where_nothing_could_be_moved_no_entry_stays() {
    let yard = Yard::new();
    let paths = [(yard.at("p/runs/2/none"), Bytes(0))];
    let near = |path: &Path| path.parent().unwrap().to_owned();
    assert!(put(&yard.world, &yard.at("p/.git"), "8", &paths, &near, yard.world.clock.now()).is_err());
    assert_eq!(yard.left("p/.git"), 0);
    assert!(!yard.at("p/runs/2").join(HIDDEN).exists());
}
