//! Where the block for agents stands, on real repositories.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use handover::git::Repository;
use handover::sys::World;
use handover::worktree::context::{self, Place, Written};
use handover::worktree::{Block, Error};

struct Project {
    _dir: tempfile::TempDir,
    root: PathBuf,
    world: World,
}

impl Project {
    /// A repository with one commit that holds these files.
    fn with(files: &[(&str, &str)]) -> Project {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("project");
        fs::create_dir(&root).unwrap();
        let project = Project { _dir: dir, root, world: World::real() };
        project.git(&["init", "-q", "-b", "main"]);
        project.git(&["config", "user.name", "t"]);
        project.git(&["config", "user.email", "t@example.org"]);
        for (name, text) in files {
            project.write(name, text);
        }
        project.git(&["add", "-A"]);
        project.git(&["commit", "-q", "--allow-empty", "-m", "first"]);
        project
    }

    fn git(&self, args: &[&str]) -> String {
        git(&self.root, args)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.root.join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.root.join(name)).unwrap()
    }

    fn update_in(&self, dir: &Path, focus: &str) -> Result<Written, Error> {
        let repository = Repository::discover(&self.world, dir).unwrap();
        let block = Block { focus: Some(focus.to_owned()), worktree: dir.to_owned(), ..Block::default() };
        context::update(&self.world, &repository, None, &block)
    }

    fn update(&self, focus: &str) -> Result<Written, Error> {
        self.update_in(&self.root, focus)
    }

    fn here(&self) -> Repository<'_> {
        Repository::discover(&self.world, &self.root).unwrap()
    }

    fn exclude(&self) -> String {
        self.read(".git/info/exclude")
    }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git").args(args).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn without_any_claude_md_ours_takes_the_name_and_cannot_be_committed() {
    let project = Project::with(&[("a", "a")]);
    let before = project.exclude();
    let written = project.update("one").unwrap();
    assert_eq!((written.place, written.changed, written.noticed), (Place::Shared, true, vec![]));
    assert!(project.read("CLAUDE.md").contains("`one`"));
    assert_eq!(project.git(&["status", "--porcelain"]), "");
    project.git(&["add", "-A"]);
    assert_eq!(project.git(&["diff", "--cached", "--name-only"]), "");
    assert_eq!(project.exclude(), format!("{before}# added by handover\n/CLAUDE.md\n.handover-tmp.*\n"));

    assert!(!project.update("one").unwrap().changed);
    assert!(project.update("two").unwrap().changed);
    assert_eq!(project.exclude(), format!("{before}# added by handover\n/CLAUDE.md\n.handover-tmp.*\n"));
    assert_eq!(project.read("CLAUDE.md").matches("handover:begin").count(), 1);
}

#[test]
fn a_tracked_claude_md_is_never_touched() {
    let project = Project::with(&[("CLAUDE.md", "# Project\n")]);
    let written = project.update("one").unwrap();
    assert_eq!((written.place, written.noticed), (Place::Local, vec![]));
    assert_eq!(project.read("CLAUDE.md"), "# Project\n");
    assert_eq!(project.git(&["status", "--porcelain"]), "");
    assert!(!project.exclude().contains("/CLAUDE.md"));
}

#[test]
fn a_claude_md_on_the_base_or_the_upstream_counts_as_tracked() {
    let project = Project::with(&[("a", "a")]);
    project.git(&["checkout", "-q", "-b", "other"]);
    project.write("CLAUDE.md", "x");
    project.git(&["add", "-A"]);
    project.git(&["commit", "-q", "-m", "second"]);
    project.git(&["checkout", "-q", "main"]);
    assert_eq!(context::place(&project.here(), None).unwrap().place, Place::Shared);
    assert_eq!(context::place(&project.here(), Some("other")).unwrap().place, Place::Local);
    project.git(&["branch", "-q", "--set-upstream-to=other"]);
    assert_eq!(context::place(&project.here(), None).unwrap().place, Place::Local);
}

#[test]
fn a_users_own_untracked_claude_md_stays_visible_and_unchanged() {
    let project = Project::with(&[("a", "a")]);
    project.write("CLAUDE.md", "mine\r\n");
    let written = project.update("one").unwrap();
    assert_eq!(written.place, Place::Local);
    assert_eq!(written.noticed, ["CLAUDE.md is the user's own file"]);
    assert_eq!(project.read("CLAUDE.md"), "mine\r\n");
    assert_eq!(project.git(&["status", "--porcelain"]), "?? CLAUDE.md\n");
    assert_eq!(context::has_user_text(&project.here()).unwrap(), [Path::new("CLAUDE.md")]);
}

#[test]
fn a_users_own_claude_md_in_another_worktree_is_not_hidden_either() {
    let project = Project::with(&[("a", "a")]);
    let other = project.root.with_file_name("other");
    project.git(&["worktree", "add", "-q", "-b", "other", other.to_str().unwrap()]);
    assert_eq!(project.update_in(&other, "one").unwrap().place, Place::Shared);
    // The user starts one in the main worktree: the next command makes way.
    project.write("CLAUDE.md", "mine");
    let written = project.update_in(&other, "one").unwrap();
    assert_eq!(written.place, Place::Local);
    assert!(written.noticed[1].contains("taken out of CLAUDE.md"), "{:?}", written.noticed);
    assert!(!other.join("CLAUDE.md").exists());
    assert_eq!(project.git(&["status", "--porcelain"]), "?? CLAUDE.md\n");
}

#[test]
fn text_of_the_users_around_the_block_survives_to_the_byte() {
    let project = Project::with(&[("CLAUDE.md", "x")]);
    let mine = "\u{feff}# Mine\r\n\r\nlast line";
    project.write("CLAUDE.local.md", mine);
    assert_eq!(project.update("one").unwrap().place, Place::Local);
    project.update("two").unwrap();
    let text = project.read("CLAUDE.local.md");
    assert!(
        text.starts_with("\u{feff}<!-- handover:begin") && text.ends_with("-->\r\n# Mine\r\n\r\nlast line")
    );
    assert_eq!(context::has_user_text(&project.here()).unwrap(), [Path::new("CLAUDE.local.md")]);
}

#[test]
fn a_merge_that_brings_a_tracked_claude_md_moves_the_block() {
    let project = Project::with(&[("a", "a")]);
    project.git(&["checkout", "-q", "-b", "other"]);
    project.write("CLAUDE.md", "tracked\n");
    project.git(&["add", "-A"]);
    project.git(&["commit", "-q", "-m", "second"]);
    project.git(&["checkout", "-q", "main"]);
    assert_eq!(project.update("one").unwrap().place, Place::Shared);
    project.git(&["merge", "-q", "other"]);
    let written = project.update("one").unwrap();
    assert_eq!((written.place, written.changed), (Place::Local, true));
    assert_eq!(written.noticed, ["a tracked CLAUDE.md has come over ours"]);
    assert_eq!(project.read("CLAUDE.md"), "tracked\n");
    assert_eq!(project.git(&["status", "--porcelain"]), "");
    assert!(!project.exclude().contains("/CLAUDE.md"));
    assert!(project.update("one").unwrap().noticed.is_empty());
}

#[test]
fn rules_of_the_project_that_defeat_the_exclude_leave_the_folder() {
    let project = Project::with(&[(".gitignore", "!CLAUDE*.md\n")]);
    let written = project.update("one").unwrap();
    assert_eq!(written.place, Place::Folder);
    assert_eq!(written.noticed.len(), 2, "{:?}", written.noticed);
    assert!(project.read("CLAUDE/CONTEXT.md").contains("`one`"));
    assert_eq!(project.git(&["status", "--porcelain"]), "");
}

#[test]
fn rules_that_would_let_the_folder_be_committed_too_are_a_refusal() {
    let project = Project::with(&[(".gitignore", "!*.md\n")]);
    fs::create_dir(project.root.join("CLAUDE")).unwrap();
    project.write("CLAUDE/.gitignore", "!*\n");
    assert!(matches!(project.update("one"), Err(Error::Exposed { .. })));
    assert!(!project.root.join("CLAUDE/CONTEXT.md").exists());
}

#[test]
fn a_link_is_followed_only_to_a_hidden_file_of_the_worktree() {
    let project = Project::with(&[("CLAUDE.md", "x"), (".gitignore", "/notes/\n"), ("seen.md", "y")]);
    let link = project.root.join("CLAUDE.local.md");
    let point_to = |target: &str| {
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(target, &link).unwrap();
    };
    fs::create_dir(project.root.join("notes")).unwrap();
    project.write("notes/mine.md", "mine");
    point_to("notes/mine.md");
    assert_eq!(project.update("one").unwrap().place, Place::Local);
    assert!(link.is_symlink() && project.read("notes/mine.md").ends_with("-->\nmine"));

    // A tracked target would take the block into the next commit.
    point_to("seen.md");
    assert_eq!(project.update("one").unwrap().place, Place::Folder);
    assert_eq!(project.read("seen.md"), "y");

    let outside = project.root.with_file_name("outside");
    fs::write(&outside, "theirs").unwrap();
    for target in ["../outside", "nowhere", "notes", ".git/config"] {
        point_to(target);
        assert!(matches!(project.update("one"), Err(Error::NotAFile { .. })), "{target}");
    }
    assert_eq!(fs::read_to_string(&outside).unwrap(), "theirs");
}

#[test]
fn broken_markers_are_refused_and_left_alone() {
    let project = Project::with(&[("CLAUDE.md", "x")]);
    let text = "<!-- handover:begin -->\nmine\n";
    project.write("CLAUDE.local.md", text);
    assert!(matches!(project.update("one"), Err(Error::Markers { .. })));
    assert_eq!(project.read("CLAUDE.local.md"), text);
}

#[test]
fn a_repository_before_its_first_commit_gets_a_block_too() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    git(&root, &["init", "-q", "-b", "main"]);
    let project = Project { _dir: dir, root, world: World::real() };
    assert_eq!(project.update("one").unwrap().place, Place::Shared);
    assert_eq!(project.git(&["status", "--porcelain"]), "");
}
