use serde::Serialize;
use serde_json::{Value, json};

/// The one JSON form of every answer: which schema `data` follows, who wrote
/// it, and the data. A field that does not apply is left out; one that was
/// asked for and is unknown is `null`.
pub fn envelope(schema: &str, data: &impl Serialize) -> serde_json::Result<Value> {
    Ok(json!({
        "schema": format!("handover/{schema}/1"),
        "tool_version": env!("CARGO_PKG_VERSION"),
        "data": serde_json::to_value(data)?,
    }))
}
