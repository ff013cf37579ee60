use std::path::{Path, PathBuf};

use super::Error;
use crate::config::{self, Config};
use crate::git::{GitError, Repository};
use crate::sys::World;
use crate::terms::Time;

/// What every verb works with: the world, the repository, the settings.
pub struct Context<'w> {
    /// Everything with effects.
    pub world: &'w World,
    /// The repository, seen from the worktree in which we stand.
    pub repository: Repository<'w>,
    /// All settings.
    pub config: Config,
    /// The settings that only this user and this clone name: what a branch
    /// brings with it in `.handover.yaml` is left out.
    pub outside: Config,
    /// The moment at which the verb began; one for the whole run.
    pub now: Time,
}

impl<'w> Context<'w> {
    /// Finds the repository of `dir` and reads its settings.
    pub fn open(world: &'w World, dir: &Path) -> Result<Context<'w>, Error> {
        let repository = Repository::discover(world, dir)?;
        let files = Context::files(world, &repository);
        let config = config::load(&files)?;
        let outside: Vec<PathBuf> = files.into_iter().filter(|file| *file != in_tree(&repository)).collect();
        let outside = config::load(&outside)?;
        Ok(Context { world, repository, config, outside, now: world.clock.now() })
    }

    /// The same, or `None` where there is no worktree: some questions can be
    /// answered anywhere.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn open_if_any(world: &'w World, dir: &Path) -> Result<Option<Context<'w>>, Error> {
        match Context::open(world, dir) {
            Ok(context) => Ok(Some(context)),
            Err(Error::Git(GitError::NotARepository { .. } | GitError::Bare { .. } | GitError::Spawn(_))) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Our own folder in the git directory that all worktrees share.
    pub fn home(&self) -> PathBuf {
        self.repository.common_dir().join("handover")
    }

    /// Where relative paths of jobs begin: this worktree, then the main one.
    pub fn roots(&self) -> Vec<PathBuf> {
        let mut roots = vec![self.repository.worktree().to_owned()];
        let common = self.repository.common_dir();
        let main = common.parent().filter(|_| common.file_name().is_some_and(|name| name == ".git"));
        roots.extend(main.filter(|main| **main != *roots[0]).map(Path::to_owned));
        roots
    }

    /// The worktrees of the repository, with [`Context::roots`] first: what works
    /// below one of them is ours.
    pub fn worktrees(&self) -> Vec<PathBuf> {
        let mut all = self.roots();
        let listed = crate::git::list(self.repository.git()).unwrap_or_default();
        all.extend(listed.into_iter().map(|listed| listed.path));
        all
    }

    fn files(world: &World, repository: &Repository) -> Vec<PathBuf> {
        let user = world
            .environment
            .value("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(world.environment.home()?.join(".config")));
        let mut files: Vec<PathBuf> = user.map(|dir| dir.join("handover/config.yaml")).into_iter().collect();
        files.push(in_tree(repository));
        files.push(repository.common_dir().join("handover/config.yaml"));
        files
    }
}

/// The settings that are committed with a branch.
fn in_tree(repository: &Repository) -> PathBuf {
    repository.worktree().join(".handover.yaml")
}
