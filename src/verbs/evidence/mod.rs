//! What is read beside accounting to say why tasks failed and from where they
//! go on.

mod places;

pub use places::{Places, filled};
