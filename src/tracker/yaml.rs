//! YAML that programs saved, read as plain data.
//!
//! Tags are dropped and their values kept: nothing is ever constructed or run. Anchors are
//! followed within a budget, so that a few lines cannot unfold to gigabytes: the library
//! limits how often it follows one, not how much it copies.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::{Map, Number, Value};

/// What one file may unfold to: bytes of text, and 16 for each value.
const BUDGET: usize = 1 << 20;

/// Reads one document. An empty one is null.
///
/// # Errors
/// Why it cannot be read, in words.
pub(super) fn read(text: &str) -> Result<Value, String> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Value::Null);
    }
    if let Some(line) = crate::safety::too_deep_yaml(text) {
        return Err(format!("it is nested deeper than {} in line {line}", crate::safety::DEEPEST_YAML));
    }
    let budget = Cell::new(BUDGET);
    let from = serde_yaml::Deserializer::from_str(text);
    Bounded(&budget).deserialize(from).map_err(|e| {
        let said = e.to_string();
        format!("it is no YAML that can be read: {}", crate::safety::one_line(&said, 200))
    })
}

/// The names of a W&B `config.yaml`, each `{desc:, value:}` replaced by its value, without the
/// client's own; any other mapping as it is.
pub(super) fn unwrapped(value: Value) -> Map<String, Value> {
    let Value::Object(names) = value else { return Map::new() };
    names
        .into_iter()
        .filter(|(name, _)| !matches!(name.as_str(), "_wandb" | "wandb_version"))
        .map(|(name, value)| match value {
            Value::Object(mut fields) if is_wrapped(&fields) => {
                let value = fields.remove("value").unwrap_or(Value::Null);
                (name, value)
            }
            value => (name, value),
        })
        .collect()
}

/// True for `{value: X}` and `{desc: .., value: X}`.
pub(super) fn is_wrapped(fields: &Map<String, Value>) -> bool {
    fields.contains_key("value") && fields.keys().all(|field| matches!(field.as_str(), "value" | "desc"))
}

/// Builds a value and pays for each part of it.
#[derive(Clone, Copy)]
struct Bounded<'b>(&'b Cell<usize>);

impl Bounded<'_> {
    fn pay<E: de::Error>(self, bytes: usize) -> Result<(), E> {
        let left = self.0.get().checked_sub(bytes + 16);
        left.map(|left| self.0.set(left)).ok_or_else(|| E::custom("it unfolds to more than 1 MiB"))
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.pay(0).map(|()| Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: de::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        self.deserialize(from)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        self.pay(0).map(|()| Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.pay(0).map(|()| Value::from(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.pay(0).map(|()| Value::from(value))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        self.pay(0)?;
        // JSON has no words for these; text compares as well.
        Ok(Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.pay(text.len()).map(|()| Value::String(text.to_owned()))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Value, E> {
        self.visit_str(&String::from_utf8_lossy(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        self.pay(0)?;
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        self.pay(0)?;
        let mut fields = Map::new();
        while let Some(name) = from.next_key_seed(self)? {
            let name = match name {
                Value::String(name) => name,
                name => name.to_string(),
            };
            fields.insert(name, from.next_value_seed(self)?);
        }
        merge(&mut fields);
        Ok(Value::Object(fields))
    }

    /// A tagged value: the tag is passed by.
    fn visit_enum<A: EnumAccess<'de>>(self, from: A) -> Result<Value, A::Error> {
        let (_, value) = from.variant::<Tag>()?;
        value.newtype_variant_seed(self)
    }
}

/// Puts what `<<` names beside the names that the mapping has itself, which count
/// more; of several mappings the first counts. Anything else stays as it is.
fn merge(fields: &mut Map<String, Value>) {
    let is_mapping = |value: &Value| value.is_object();
    let merged: Vec<Value> = match fields.get_mut("<<").map(Value::take) {
        None => return,
        Some(Value::Array(items)) if items.iter().all(is_mapping) => items,
        Some(Value::Object(one)) => vec![Value::Object(one)],
        Some(other) => {
            fields.insert("<<".to_owned(), other);
            return;
        }
    };
    fields.remove("<<");
    for (name, value) in merged.into_iter().flat_map(|one| match one {
        Value::Object(names) => names,
        _ => Map::new(),
    }) {
        fields.entry(name).or_insert(value);
    }
}

/// The name of a tag, which nobody asks for.
struct Tag;

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: de::Deserializer<'de>>(from: D) -> Result<Tag, D::Error> {
        String::deserialize(from).map(|_| Tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_too_deep_is_refused_before_it_is_parsed() {
        for nested in ["[".repeat(100_000), "{a: ".repeat(25_000), "- ".repeat(50_000)] {
            assert!(read(&nested).unwrap_err().contains("nested deeper than 64 in line 1"));
        }
    }
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_are_read_as_a_program_saved_them() {
        let text = "lr: 1e-3\nname: adam\nbetas: [0.9, 0.95]\nnone: null\nn: -4\nnan: .nan\n1: x\n";
        let expected = json!({"lr": 0.001, "name": "adam", "betas": [0.9, 0.95], "none": null, "n": -4,
            "nan": "NaN", "1": "x"});
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(read("# nothing\n\n").unwrap(), Value::Null);
        assert!(read("a: [").unwrap_err().contains("no YAML"));
    }

    #[test]
    fn tags_are_dropped_and_nothing_is_run() {
        let text = "a: !!python/tuple [1, 2]\nb: !local {c: 3}\nc: !!python/object/apply:os.system ['true']\n\
                    d: !!python/object:argparse.Namespace\n  lr: 0.1\n";
        let expected = json!({"a": [1, 2], "b": {"c": 3}, "c": ["true"], "d": {"lr": 0.1}});
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn merged_names_are_those_of_the_mapping() {
        let text = "base: &b {lr: 0.9, wd: 1}\nother: &o {wd: 2, eps: 3}\nmodel:\n  <<: *b\n  lr: 0.1\n\
                    both:\n  <<: [*b, *o]\n";
        let read = read(text).unwrap();
        assert_eq!(read["model"], json!({"lr": 0.1, "wd": 1}));
        assert_eq!(read["both"], json!({"lr": 0.9, "wd": 1, "eps": 3}));
        assert_eq!(super::read("<<: 3\n").unwrap(), json!({"<<": 3}));
    }

    #[test]
    fn aliases_are_followed_within_a_budget() {
        assert_eq!(read("a: &x [1, 2]\nb: *x\n").unwrap(), json!({"a": [1, 2], "b": [1, 2]}));
        // The few lines that unfold to billions.
        let mut laughs = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n".to_owned();
        for at in 1..12 {
            let before = format!("*a{}", at - 1);
            laughs.push_str(&format!("a{at}: &a{at} [{}]\n", vec![before; 9].join(", ")));
        }
        assert!(read(&laughs).is_err());
        // One long text and many names for it: few jumps, many bytes.
        let long = format!("a: &x {}\nb: [{}]\n", "x".repeat(100_000), vec!["*x"; 1000].join(", "));
        assert!(read(&long).unwrap_err().contains("1 MiB"));
        assert!(read("a: &a [*a]\n").is_err(), "one that holds itself");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[-a-c0-9:{}\\[\\]&*!#|>'\" \n\t,?%@.~<]{0,120}") {
            let _ = read(&text).map(unwrapped);
        }
    }
}
