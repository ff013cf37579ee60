//! `handover` carries a piece of work from one coding agent to the next.
//!
//! The map of the house; `ARCHITECTURE.md` walks through it.
//!
//! - [`cli`] is the command line, [`report`] turns outcomes into text and JSON.
//! - [`verbs`] has one file per verb, and is the only place where rooms meet.
//! - [`document`] is the handover itself: its key, facts and body, where it is kept, what moved since.
//! - [`baton`] is the claim on a handover.
//! - [`worktree`] makes and removes worktrees, with the block that agents read.
//! - [`cluster`] reads Slurm, [`joblog`] reads what jobs write, [`checkpoint`] proves what runs have saved, and
//!   [`sweep`] counts what was read; [`git`] asks git; [`config`] knows the settings.
//! - [`remote`] is other machines over ssh; [`sync`] carries the work through git to other machines and back.
//! - [`sync`] carries the work through git to other machines and back.
//! - [`paste`] makes the lines that somebody pastes where only a prompt is.
//! - [`tracker`] reads what experiment trackers left on disk.
//! - [`safety`] makes text from outside harmless; [`sys`] is the only door to
//!   processes, files, clock and environment; [`terms`] are the words that
//!   everybody uses.

pub mod baton;
pub mod checkpoint;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod document;
pub mod git;
pub mod joblog;
pub mod paste;
pub mod remote;
pub mod report;
pub mod safety;
pub mod sweep;
pub mod sync;
pub mod sys;
pub mod terms;
pub mod tracker;
pub mod verbs;
pub mod worktree;
