//! What is read beside accounting to say why tasks failed and from where they
//! go on.

mod again;
mod asked;
mod gather;
mod identities;
mod parameters;
mod places;
mod recorded;
mod results;
mod run_dirs;
mod threads;
mod tracked;
mod whereabouts;
mod work_dirs;

pub use again::Again;
pub use asked::{Asked, add_asked_memory};
pub use gather::{Gathered, Ground, Wanted, gather, gather_again, track};
pub use identities::known as identity;
pub use parameters::read as parameters;
pub use places::{Places, filled};
pub use results::{Results, listed, of_sweep as results_of_sweep, of_task as results_of};
pub use run_dirs::{RunDirs, run_dirs};
pub use whereabouts::absent;
pub use work_dirs::Belonging;
