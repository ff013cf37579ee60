//! What `unlock` would break, and what it broke.

use super::View;
use crate::terms::Known;
use crate::verbs::unlock::{Outcome, Plan};

/// What would be broken, for the person who is asked.
pub fn warning(plan: &Plan) -> String {
    let holder = &plan.holder;
    let life = match &holder.is_alive {
        Known::Known(true) => "it is running now, and goes on to write until it notices".to_owned(),
        Known::Known(false) => "it has ended".to_owned(),
        Known::Unknown(why) | Known::NotApplicable(why) => {
            format!("whether it is alive is unknown: {why}")
        }
    };
    format!("{holder}; {life}")
}

/// What was broken.
pub fn text(_view: &View, outcome: &Outcome) -> String {
    format!("broken: {}\n", outcome.broken)
}
