use super::super::{Context, Error};
use crate::paste::{NoPlace, Place};

/// Where the project is on the cluster.
pub(super) fn of(context: &Context) -> Result<Place, Error> {
    let settings = &context.config.paste;
    let path = settings.project.clone().unwrap_or_else(|| format!("~/{}", context.repository.name()));
    if path.contains(char::REPLACEMENT_CHARACTER) {
        return Err(NoPlace { path, why: "the name of the repository's folder is no text" }.into());
    }
    Ok(Place::new(&path)?)
}
