//! What is read beside accounting to say why tasks failed and from where they
//! go on.

mod gather;
mod identities;
mod parameters;
mod places;
mod results;
mod threads;
mod tracked;

pub use gather::{Gathered, Ground, gather};
pub use places::{Places, filled};
pub use results::Results;
