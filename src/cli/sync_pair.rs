//! `sync --pair`.

use super::{Exit, Failure, Session};
use crate::report;
use crate::sys::lock::Holder;
use crate::verbs::Context;
use crate::verbs::sync::pair::{self, End};

/// Joins the two branches of a pair.
pub fn run(session: &Session, context: &Context, remote: Option<&str>) -> Result<Exit, Failure> {
    let working = session.working("syncing");
    let mut waiting = |holder: &Holder| {
        session.output.note(&format!("waiting for another sync: {holder}"));
    };
    let outcome = pair::execute(context, remote, &mut waiting)?;
    drop(working);
    session.output.answer("sync-pair", &outcome, report::sync_pair::text)?;
    Ok(match &outcome.end {
        End::Same { .. } if outcome.is_held_up() => Exit::Look,
        End::Same { .. } => Exit::Done,
        End::Conflict { .. } | End::Impossible { .. } => Exit::Partial,
        End::Offline { .. } => Exit::Deferred,
        End::Refused { .. } => Exit::Outside,
    })
}
