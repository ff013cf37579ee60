//! Other machines: what may be called a host, how ssh and rsync are called, and what comes back.
//!
//! Nothing that a person or a file names reaches ssh, rsync or a shell before it has become one of the
//! types of `names`; whatever a remote shell reads went through [`shell::quoted`] and stood on its
//! standard input, so no argument of ours is ever taken apart there.

mod ask;
mod disk;
mod names;
pub mod readers;
pub mod rsync;
mod run;
mod seen;
mod shell;
mod ssh;
mod target;
mod trouble;

pub use ask::{Answers, Section, ask};
pub use disk::{Disk, Quota, disk, quotas};
pub use names::{Host, NotOne, RemotePath, User};
pub use run::{Ended, run_script};
pub use seen::{Seen, last_seen, remember};
pub use shell::{Question, path_of_login, quoted};
pub use ssh::{ssh, ssh_terminal, ssh_words};
pub use target::{Kind, Target, TargetError};
pub use trouble::{Trouble, Why, telling_line};
