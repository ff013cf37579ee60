use std::path::{Path, PathBuf};

use super::Error;
use crate::config::{self, Config};
use crate::git::Repository;
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
    /// The moment at which the verb began; one for the whole run.
    pub now: Time,
}

impl<'w> Context<'w> {
    /// Finds the repository of `dir` and reads its settings.
    pub fn open(world: &'w World, dir: &Path) -> Result<Context<'w>, Error> {
        let repository = Repository::discover(world, dir)?;
        let config = config::load(&Context::files(world, &repository))?;
        Ok(Context { world, repository, config, now: world.clock.now() })
    }

    /// Our own folder in the git directory that all worktrees share.
    pub fn home(&self) -> PathBuf {
        self.repository.common_dir().join("handover")
    }

    fn files(world: &World, repository: &Repository) -> Vec<PathBuf> {
        let user = world
            .environment
            .value("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(world.environment.home()?.join(".config")));
        let mut files: Vec<PathBuf> = user.map(|dir| dir.join("handover/config.yaml")).into_iter().collect();
        files.push(repository.worktree().join(".handover.yaml"));
        files.push(repository.common_dir().join("handover/config.yaml"));
        files
    }
}
