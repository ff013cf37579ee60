use serde::Serialize;

use crate::safety;

#[derive(Serialize)]
struct Envelope<'d, T> {
    schema: String,
    tool_version: &'static str,
    data: &'d T,
}

/// The one JSON form of every answer, on one line: which schema `data` follows,
/// who wrote it, and the data. A field that does not apply is left out; one
/// that was asked for and is unknown is `null`. Names keep what they hold, and
/// a terminal gets nothing that it would obey.
///
/// # Errors
/// `data` has no form in JSON: a bug.
pub fn envelope(schema: &str, data: &impl Serialize) -> serde_json::Result<String> {
    let schema = format!("handover/{schema}/1");
    // Without a tree in between: of an array of 100,000 tasks that would take longer than to read them.
    let plain = serde_json::to_string(&Envelope { schema, tool_version: env!("CARGO_PKG_VERSION"), data })?;
    Ok(safety::showable_json(plain))
}
