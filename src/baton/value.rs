//! What a baton at a remote says.

use serde::{Deserialize, Serialize};

use super::claim::{Claim, Claimant};
use crate::terms::{AnyKey, CommitId, Digest};

/// The form of a value.
const SCHEMA: &str = "handover-baton/1";

/// What the ref of a baton holds at a remote: the claim as it is on its own machine, and what
/// makes each push of it another object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    schema: String,
    /// The claim, or the entry that ended one.
    pub claim: Claim,
    /// The full digest of the document.
    pub document: Option<Digest>,
    /// Where the branch was when it was taken.
    pub base: Option<CommitId>,
    /// One more than the value before it: clocks of two machines are never compared.
    pub turn: u64,
    /// How often its holder has pushed it anew, together with work.
    pub renewed: u64,
    /// Different in every push: a value that is there already would be pushed by nobody.
    pub tick: String,
}

impl Value {
    /// The largest value that is read, in bytes.
    pub const MOST: usize = 64 << 10;
    /// The name of the file that holds it.
    pub const FILE: &str = "baton.json";

    /// The value of a claim, without secrets.
    pub fn new(claim: &Claim, document: Option<Digest>, base: Option<CommitId>, tick: String) -> Value {
        let mut claim = claim.clone();
        claim.who = claim.who.redacted();
        Value { schema: SCHEMA.to_owned(), claim, document, base, turn: 1, renewed: 0, tick }
    }

    /// The same after another one.
    pub fn after(mut self, before: &Value) -> Value {
        self.turn = before.turn.saturating_add(1);
        self.claim.over = Some(before.claim.nonce.clone());
        self
    }

    /// The same claim, pushed anew.
    pub fn renewed(&self, tick: String) -> Value {
        Value {
            turn: self.turn.saturating_add(1),
            renewed: self.renewed.saturating_add(1),
            tick,
            ..self.clone()
        }
    }

    /// True if it is of this claim.
    pub fn is_of(&self, claim: &Claim) -> bool {
        self.claim.nonce == claim.nonce
    }

    /// True if somebody holds the baton by it, and who it is, is not `who`.
    pub fn is_held_against(&self, who: &Claimant) -> bool {
        self.claim.holds() && !self.claim.who.is_same_session(&who.redacted())
    }

    /// One line of JSON.
    ///
    /// # Errors
    /// The serializer's.
    pub fn line(&self) -> Result<String, serde_json::Error> {
        Ok(crate::safety::json_line(&serde_json::to_value(self)?) + "\n")
    }

    /// Reads a value.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(bytes: &[u8], key: &AnyKey) -> Result<Value, String> {
        if bytes.len() > Value::MOST {
            return Err(format!("it is larger than {} bytes", Value::MOST));
        }
        let mut json: serde_json::Value = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        match json.get("schema").and_then(serde_json::Value::as_str) {
            Some(SCHEMA) => {}
            Some(_) => return Err("it is of a form that this version does not know".to_owned()),
            None => return Err("it has no schema".to_owned()),
        }
        let claim = json.get_mut("claim").map(serde_json::Value::take).ok_or("it has no claim")?;
        let claim = Claim::of_value(claim, key)?;
        let part = |name: &str| json.get(name).cloned().unwrap_or_default();
        let read = |name: &str, e: serde_json::Error| format!("its {name}: {e}");
        Ok(Value {
            schema: SCHEMA.to_owned(),
            claim,
            document: serde_json::from_value(part("document")).map_err(|e| read("document", e))?,
            base: serde_json::from_value(part("base")).map_err(|e| read("base", e))?,
            turn: serde_json::from_value(part("turn")).map_err(|e| read("turn", e))?,
            renewed: serde_json::from_value(part("renewed")).map_err(|e| read("renewed", e))?,
            tick: serde_json::from_value(part("tick")).map_err(|e| read("tick", e))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::claim::Kind;
    use super::*;
    use proptest::prelude::*;

    fn value() -> Value {
        let who = Claimant {
            agent: Some("codex".into()),
            session: None,
            worktree: "/w".into(),
            host: "h".into(),
            user: "u".into(),
            slurm_job: None,
        };
        let at = "2026-11-21T03:41:07Z".parse().unwrap();
        Value::new(&Claim::new(Kind::Taken, &key(), &who, at, "n".into()), None, None, "t".into())
    }

    fn key() -> AnyKey {
        "HO-20261121-0341-7f3a9c2e".parse().unwrap()
    }

    #[test]
    fn a_value_is_read_as_it_was_written_and_a_renewed_one_is_another() {
        let value = value();
        let line = value.line().unwrap();
        assert_eq!(Value::read(line.as_bytes(), &key()).unwrap(), value);
        let again = value.renewed("u".into());
        assert!(again.is_of(&value.claim) && again != value && again.turn == 2);
        let other: AnyKey = "HO-20261121-0341-00000001".parse().unwrap();
        assert!(Value::read(line.as_bytes(), &other).unwrap_err().contains("speaks of"));
    }

    #[test]
    fn who_says_no_session_is_never_the_same_as_before() {
        let value = value();
        assert!(value.is_held_against(&value.claim.who));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..400) {
            let _ = Value::read(&bytes, &key());
            let line = value().line().unwrap();
            let _ = Value::read(&line.as_bytes()[..cut.min(line.len())], &key());
        }
    }
}
