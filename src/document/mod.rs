//! The handover itself: its facts, its body, its key, and where it is kept.
//!
//! A sealed document is never changed and holds no state. What the program
//! established stands in the front matter; what the agent says, in the body.

mod body;
pub mod briefing;
mod condition;
pub mod drift;
mod facts;
mod front;
pub mod group;
mod lineage;
mod lint;
mod markdown;
mod render;
pub mod retention;
mod seal;
mod store;
pub mod sweep_drift;
mod sweep_facts;
pub mod sweep_lines;
mod verdict;

pub use body::{Body, BodyError, Section};
pub use condition::Condition;
pub use facts::{
    Base, ClusterFacts, Facts, FileFact, FilesFact, GpuFact, JobFact, JobsFact, Parent, Relation,
    RepositoryFact, SCHEMA, Sizes, WorktreeFact,
};
pub use front::{FrontError, body_of, read, title_of};
pub use lineage::{Entry, Here, Lineage};
pub use lint::{Gap, Lint, lint};
pub use render::{Since, render, render_draft, startup};
pub use seal::{Proof, Sealed, digest, placeholder, prove, seal};
pub use store::{Copy, Store, StoreError, Stored, read_file};
pub use sweep_facts::{
    CauseFact, ContradictionFact, ResumableFact, RunningFact, StandingFact, SweepFact, SweepsFact,
};
pub use verdict::{Edited, Verdict};
