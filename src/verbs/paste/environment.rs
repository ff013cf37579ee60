use super::super::Context;

/// Lock files, and what brings an environment to what they say. None of these asks anything.
const LOCKS: [(&str, &str); 6] = [
    ("uv.lock", "uv sync"),
    ("pixi.lock", "pixi install"),
    ("poetry.lock", "poetry install -n"),
    ("pdm.lock", "pdm sync"),
    ("Pipfile.lock", "pipenv sync"),
    ("environment.yml", "conda env update -q -f environment.yml"),
];

/// The command that brings the project's environment up to date, if it has one.
pub(super) fn of(context: &Context) -> Option<String> {
    if let Some(own) = &context.config.paste.environment {
        return Some(own.trim().to_owned()).filter(|own| !own.is_empty());
    }
    let top = context.repository.worktree();
    LOCKS.iter().find(|(lock, _)| top.join(lock).is_file()).map(|(_, command)| (*command).to_owned())
}
