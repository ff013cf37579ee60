use std::fmt;

use serde::{Deserialize, Serialize};

use crate::safety::{Redactions, code_span, one_line, redact};
use crate::terms::{AnyKey, Time};

/// The form of a claim file.
const SCHEMA: &str = "handover-claim/1";

/// Whoever can hold a baton: a session of an agent, or a person at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Claimant {
    /// The agent's name, if it says so.
    pub agent: Option<String>,
    /// The agent's id of its session, if it says so.
    pub session: Option<String>,
    /// The top of the worktree, escaped.
    pub worktree: String,
    /// The machine.
    pub host: String,
    /// The user there.
    pub user: String,
    /// The Slurm job in which it ran.
    pub slurm_job: Option<String>,
}

impl Claimant {
    /// The same without secrets, for other machines to read.
    pub(super) fn redacted(&self) -> Claimant {
        let plain = |text: &String| redact(text, &mut Redactions::new()).into_owned();
        Claimant {
            agent: self.agent.as_ref().map(plain),
            session: self.session.as_ref().map(plain),
            worktree: plain(&self.worktree),
            host: plain(&self.host),
            user: plain(&self.user),
            slurm_job: self.slurm_job.as_ref().map(plain),
        }
    }

    /// The same with every text escaped and cut, as [`Claimant`]s are made: others
    /// may write into the folder of claims too.
    fn showable(self) -> Claimant {
        let line = |text: String| one_line(&text, 4096);
        Claimant {
            agent: self.agent.map(line),
            session: self.session.map(line),
            worktree: line(self.worktree),
            host: line(self.host),
            user: line(self.user),
            slurm_job: self.slurm_job.map(line),
        }
    }

    /// True if both say that they are the same session.
    pub fn is_same_session(&self, other: &Claimant) -> bool {
        self.session.is_some()
            && (&self.session, &self.agent, &self.host, &self.user)
                == (&other.session, &other.agent, &other.host, &other.user)
    }

    /// True if the other may let go for this one: the same session, or nobody
    /// who says a session, in the same worktree.
    pub fn may_end(&self, other: &Claimant) -> bool {
        let place = |who: &Claimant| (who.worktree.clone(), who.host.clone(), who.user.clone());
        self.is_same_session(other)
            || (self.session.is_none() && other.session.is_none() && place(self) == place(other))
    }
}

impl fmt::Display for Claimant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.agent, &self.session) {
            (Some(agent), Some(session)) => {
                write!(f, "{} (session {})", span(agent, 40), span(session, 60))
            }
            (Some(agent), None) => write!(f, "{} (session unknown)", span(agent, 40)),
            (None, Some(session)) => write!(f, "session {}", span(session, 60)),
            (None, None) => f.write_str("somebody without an agent's session"),
        }?;
        write!(f, ", user {} on {}", span(&self.user, 40), span(&self.host, 60))?;
        if let Some(job) = &self.slurm_job {
            write!(f, " in job {}", span(job, 20))?;
        }
        write!(f, ", in {}", span(&self.worktree, 200))
    }
}

/// A name from outside as a code span: it must not read like words of ours.
fn span(text: &str, most: usize) -> String {
    code_span(&one_line(text, most))
}

/// What happened to a baton.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody took it while it was free.
    Taken,
    /// Somebody took it from its holder, because a person said so.
    TakenOver,
    /// It was let go.
    Released,
    /// It ended because a document follows this one.
    PassedOn,
}

/// One entry in the history of a baton: who did what, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Claim {
    schema: String,
    /// What happened.
    pub kind: Kind,
    /// Which handover.
    pub key: AnyKey,
    /// What makes this entry different from every other.
    pub nonce: String,
    /// The entry that it ends: its nonce.
    pub over: Option<String>,
    /// Who did it.
    pub who: Claimant,
    /// When, by that one's clock.
    pub at: Time,
    /// The document that follows, if it was passed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<AnyKey>,
}

impl Claim {
    pub(super) fn new(kind: Kind, key: &AnyKey, who: &Claimant, at: Time, nonce: String) -> Claim {
        Claim {
            schema: SCHEMA.to_owned(),
            kind,
            key: key.clone(),
            nonce,
            over: None,
            who: who.clone(),
            at,
            successor: None,
        }
    }

    /// True if somebody holds the baton after this entry.
    pub fn holds(&self) -> bool {
        matches!(self.kind, Kind::Taken | Kind::TakenOver)
    }

    /// One line of JSON.
    pub(super) fn line(&self) -> Result<String, serde_json::Error> {
        Ok(crate::safety::json_line(&serde_json::to_value(self)?) + "\n")
    }

    /// Reads a claim; what is wrong with it, in words, otherwise.
    pub fn read(bytes: &[u8], key: &AnyKey) -> Result<Claim, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let text = text.strip_suffix('\n').ok_or("its line has no end")?;
        Claim::of_value(serde_json::from_str(text).map_err(|e| e.to_string())?, key)
    }

    /// The same of JSON that was read already.
    pub(super) fn of_value(value: serde_json::Value, key: &AnyKey) -> Result<Claim, String> {
        match value.get("schema").and_then(serde_json::Value::as_str) {
            Some(SCHEMA) => {}
            Some(other) => return Err(format!("it follows {other}, which this version does not know")),
            None => return Err("it has no schema".to_owned()),
        }
        let mut claim: Claim = serde_json::from_value(value).map_err(|e| e.to_string())?;
        claim.who = claim.who.showable();
        claim.nonce = one_line(&claim.nonce, 64);
        if claim.key == *key { Ok(claim) } else { Err(format!("it speaks of {}", claim.key)) }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, since {}", self.who, self.at)
    }
}
