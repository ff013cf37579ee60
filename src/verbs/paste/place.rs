use super::super::{Context, Error};
use crate::config::RemoteKind;
use crate::paste::{NoPlace, Place};

/// Where the project is on the cluster.
pub(super) fn of(context: &Context) -> Result<Place, Error> {
    let settings = &context.config.paste;
    let path = settings.project.clone().or_else(|| of_the_only_cluster(context));
    let path = path.unwrap_or_else(|| format!("~/{}", context.repository.name()));
    if path.contains(char::REPLACEMENT_CHARACTER) {
        return Err(NoPlace { path, why: "the name of the repository's folder is no text" }.into());
    }
    Ok(Place::new(&path)?)
}

/// The project's path on the cluster that the settings outside of the tree name, if they name one alone.
fn of_the_only_cluster(context: &Context) -> Option<String> {
    let profiles = context.outside.remote.profiles.values();
    let mut clusters = profiles.filter(|profile| profile.kind == RemoteKind::Slurm);
    let only = clusters.next().filter(|_| clusters.next().is_none())?;
    let is_whole = only.path.starts_with('/') || only.path.starts_with("~/");
    Some(if is_whole { only.path.clone() } else { format!("~/{}", only.path) })
}
