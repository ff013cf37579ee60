//! What was said of a sweep that is over.

use super::View;
use crate::safety::one_line;
use crate::verbs::sweep::settle::Statement;

/// What it asks for from now on.
pub fn text(_: &View, said: &Statement) -> String {
    let name = match said.sweep == said.name {
        true => one_line(&said.sweep, 60),
        false => format!("{} {}", one_line(&said.sweep, 20), one_line(&said.name, 60)),
    };
    match said.because {
        Some(_) => format!("sweep {name} is {}\n", said.in_words()),
        None => format!("sweep {name} is judged as before: what was said of it is taken back\n"),
    }
}
