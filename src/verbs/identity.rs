use std::path::Path;

use serde::Serialize;

use crate::baton::Claimant;
use crate::safety::{escape_path, one_line};
use crate::sys::Environment;

/// Who runs this program: the agent and its session, as far as they say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Identity {
    /// The agent's name, such as `claude-code`; `None` for a person, or for an
    /// agent that sets nothing.
    pub agent: Option<String>,
    /// The agent's own id of its session or thread.
    pub session: Option<String>,
    /// The machine.
    pub host: String,
    /// The user there.
    pub user: String,
    /// The Slurm job in which this runs.
    pub slurm_job: Option<String>,
}

/// What an agent sets for the commands that it runs.
struct Signs {
    agent: &'static str,
    /// Any of these, set and not empty, means this agent.
    marks: &'static [&'static str],
    /// The id of its session, in order of trust.
    sessions: &'static [&'static str],
}

/// An agent that is started by another inherits the other's variables. Claude
/// Code stands last because it is the one that most often starts others.
const AGENTS: [Signs; 6] = [
    Signs {
        agent: "codex",
        marks: &["CODEX_THREAD_ID", "CODEX_SANDBOX", "CODEX_CI"],
        sessions: &["CODEX_THREAD_ID"],
    },
    Signs { agent: "gemini", marks: &["GEMINI_CLI"], sessions: &["GEMINI_SESSION_ID"] },
    Signs { agent: "cursor", marks: &["CURSOR_AGENT"], sessions: &["CURSOR_CONVERSATION_ID"] },
    Signs { agent: "opencode", marks: &["OPENCODE"], sessions: &["OPENCODE_SESSION_ID"] },
    Signs { agent: "copilot", marks: &["COPILOT_CLI"], sessions: &[] },
    Signs {
        agent: "claude-code",
        marks: &["CLAUDECODE", "CLAUDE_CODE_SESSION_ID"],
        sessions: &["CLAUDE_CODE_SESSION_ID", "CLAUDE_SESSION_ID"],
    },
];

impl Identity {
    /// Reads the environment. `HANDOVER_AGENT` and `HANDOVER_SESSION` win over
    /// what the agents set themselves.
    pub fn of(environment: &Environment) -> Identity {
        let text = |name: &str| environment.text(name).map(|text| one_line(text, 120));
        let found = AGENTS.iter().find(|signs| signs.marks.iter().any(|name| text(name).is_some()));
        let session = found.and_then(|signs| signs.sessions.iter().find_map(|name| text(name)));
        let agent = text("HANDOVER_AGENT");
        Identity {
            // The session of a detected agent is not that of another, named one.
            session: text("HANDOVER_SESSION").or(match (&agent, found) {
                (Some(named), Some(found)) if named != found.agent => None,
                _ => session,
            }),
            agent: agent.or_else(|| found.map(|signs| signs.agent.to_owned())),
            host: one_line(&environment.host(), 120),
            user: one_line(&environment.user(), 120),
            slurm_job: text("SLURM_JOB_ID"),
        }
    }

    /// Whoever runs this program, as one who can hold the baton, in the worktree at `top`.
    pub fn at(&self, top: &Path) -> Claimant {
        let Identity { agent, session, host, user, slurm_job } = self.clone();
        Claimant { agent, session, worktree: escape_path(top), host, user, slurm_job }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(variables: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let identity = Identity::of(&Environment::with(variables));
        (identity.agent, identity.session)
    }

    #[test]
    fn agents_are_known_by_what_they_set() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(identity(&[]), (None, None));
        assert_eq!(identity(&[("CLAUDECODE", "1")]), (some("claude-code"), None));
        assert_eq!(
            identity(&[("CLAUDECODE", "1"), ("CLAUDE_CODE_SESSION_ID", "s-1")]),
            (some("claude-code"), some("s-1"))
        );
        let nested = [("CLAUDECODE", "1"), ("CLAUDE_CODE_SESSION_ID", "s-1"), ("CODEX_THREAD_ID", "t-2")];
        assert_eq!(identity(&nested), (some("codex"), some("t-2")));
        assert_eq!(identity(&[("GEMINI_CLI", "1")]), (some("gemini"), None));
    }

    #[test]
    fn what_is_said_explicitly_wins() {
        let some = |text: &str| Some(text.to_owned());
        let claude = ("CLAUDE_CODE_SESSION_ID", "s-1");
        assert_eq!(identity(&[claude, ("HANDOVER_SESSION", "x")]), (some("claude-code"), some("x")));
        assert_eq!(identity(&[claude, ("HANDOVER_AGENT", "mine")]), (some("mine"), None));
        assert_eq!(
            identity(&[claude, ("HANDOVER_AGENT", "claude-code")]),
            (some("claude-code"), some("s-1"))
        );
        assert_eq!(identity(&[("HANDOVER_SESSION", "a\x1b[31m\nb")]).1, some("a\\x1b[31m\\nb"));
    }
}
