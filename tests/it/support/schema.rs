//! Checks JSON against the schemas on file: the part of JSON Schema that they use, and stricter in
//! one thing. A field that the schema does not name is an error, so that a forgotten schema shows.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Map, Value};

/// Where the schema of this name is.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.json"))
}

/// Every schema on file.
pub fn files() -> Vec<PathBuf> {
    let dir = std::fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas")).unwrap();
    let paths = dir.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect()
}

/// The schema of this name, as it is on file.
#[track_caller]
pub fn load(name: &str) -> Value {
    let path = path(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).unwrap()
}

/// What is wrong with `value`, each with the path of the value in question.
pub fn check(schema: &Value, value: &Value) -> Vec<String> {
    let mut checker = Checker { root: schema, wrong: Vec::new() };
    checker.whole(schema, value, "data");
    checker.wrong
}

/// Keywords that say nothing about what is allowed.
const REMARKS: [&str; 9] =
    ["$schema", "$id", "$defs", "title", "description", "default", "format", "examples", "writeOnly"];

struct Checker<'s> {
    root: &'s Value,
    wrong: Vec<String>,
}

impl<'s> Checker<'s> {
    /// A value with all that is in it.
    fn whole(&mut self, schema: &'s Value, value: &Value, at: &str) {
        let named = self.rules(schema, value, at);
        for field in value.as_object().into_iter().flat_map(Map::keys) {
            if !named.contains(field) {
                self.say(at, format!("the schema has no field {field}"));
            }
        }
    }

    /// Every rule of one schema; the fields that it names.
    fn rules(&mut self, schema: &'s Value, value: &Value, at: &str) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        let Value::Object(rules) = schema else {
            if *schema == Value::Bool(true) {
                named.extend(value.as_object().into_iter().flat_map(Map::keys).cloned());
            } else {
                self.say(at, "nothing is allowed here".into());
            }
            return named;
        };
        for (keyword, rule) in rules {
            match keyword.as_str() {
                "$ref" => named.extend(self.rules(self.target(rule), value, at)),
                "type" if !is_of_type(rule, value) => self.say(at, format!("not of type {rule}: {value}")),
                "const" if rule != value => self.say(at, format!("not {rule}: {value}")),
                "enum" if !rule.as_array().unwrap().contains(value) => {
                    self.say(at, format!("none of {rule}: {value}"))
                }
                "minimum" if value.as_f64() < rule.as_f64() && value.is_number() => {
                    self.say(at, format!("less than {rule}: {value}"))
                }
                "maximum" if value.as_f64() > rule.as_f64() => {
                    self.say(at, format!("more than {rule}: {value}"))
                }
                "minItems" if value.as_array().is_some_and(|list| (list.len() as u64) < count(rule)) => {
                    self.say(at, format!("fewer than {rule} items"))
                }
                "maxItems" if value.as_array().is_some_and(|list| list.len() as u64 > count(rule)) => {
                    self.say(at, format!("more than {rule} items"))
                }
                "required" => {
                    for name in rule.as_array().unwrap().iter().filter_map(Value::as_str) {
                        if value.as_object().is_some_and(|fields| !fields.contains_key(name)) {
                            self.say(at, format!("{name} is missing"));
                        }
                    }
                }
                "properties" => {
                    for (name, field) in rule.as_object().unwrap() {
                        if let Some(inner) = value.as_object().and_then(|fields| fields.get(name)) {
                            named.insert(name.clone());
                            self.whole(field, inner, &format!("{at}.{name}"));
                        }
                    }
                }
                // Keys of maps: their form is the key's own affair.
                "additionalProperties" | "patternProperties" => {
                    let own = rules.get("properties").and_then(Value::as_object);
                    let others = value.as_object().into_iter().flatten();
                    for (name, inner) in
                        others.filter(|(name, _)| own.is_none_or(|own| !own.contains_key(*name)))
                    {
                        let inner_rule = match keyword.as_str() {
                            "patternProperties" => rule.as_object().unwrap().values().next().unwrap(),
                            _ if *rule == Value::Bool(false) && rules.contains_key("patternProperties") => {
                                continue;
                            }
                            _ => rule,
                        };
                        named.insert(name.clone());
                        self.whole(inner_rule, inner, &format!("{at}.{name}"));
                    }
                }
                "items" => {
                    let skipped = rules.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
                    let items = value.as_array().into_iter().flatten().enumerate();
                    items.skip(skipped).for_each(|(i, inner)| self.whole(rule, inner, &format!("{at}[{i}]")));
                }
                "prefixItems" => {
                    let items = value.as_array().into_iter().flatten();
                    for (i, (inner, rule)) in items.zip(rule.as_array().unwrap()).enumerate() {
                        self.whole(rule, inner, &format!("{at}[{i}]"));
                    }
                }
                "allOf" => {
                    for part in rule.as_array().unwrap() {
                        named.extend(self.rules(part, value, at));
                    }
                }
                "anyOf" | "oneOf" => named.extend(self.one_of(keyword, rule, value, at)),
                "type" | "const" | "enum" | "minimum" | "maximum" | "minItems" | "maxItems" => {}
                remark if REMARKS.contains(&remark) => {}
                // Better than a rule that nobody looks at.
                other => self.say(at, format!("this checker does not know the keyword {other}")),
            }
        }
        named
    }

    fn one_of(&mut self, keyword: &str, rule: &'s Value, value: &Value, at: &str) -> BTreeSet<String> {
        let mut fitting = Vec::new();
        let mut reasons = Vec::new();
        for choice in rule.as_array().unwrap() {
            let mut trial = Checker { root: self.root, wrong: Vec::new() };
            let named = trial.rules(choice, value, at);
            if trial.wrong.is_empty() { fitting.push(named) } else { reasons.extend(trial.wrong) }
        }
        if fitting.is_empty() {
            self.say(at, format!("none of the choices fits: {}", reasons.join("; ")));
            return value.as_object().into_iter().flat_map(Map::keys).cloned().collect();
        }
        if keyword == "oneOf" && fitting.len() > 1 {
            self.say(at, format!("{} choices fit, not one", fitting.len()));
        }
        fitting.into_iter().flatten().collect()
    }

    fn target(&self, reference: &Value) -> &'s Value {
        let reference = reference.as_str().unwrap();
        let inside = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} is elsewhere"));
        self.root.pointer(inside).unwrap_or_else(|| panic!("{reference} is nowhere"))
    }

    fn say(&mut self, at: &str, what: String) {
        self.wrong.push(format!("{at}: {what}"));
    }
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type of JSON: {other}"),
    };
    match rule {
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        name => name.as_str().is_some_and(is),
    }
}

fn count(rule: &Value) -> u64 {
    rule.as_u64().unwrap()
}

#[test]
fn what_does_not_fit_a_schema_is_told_with_its_place() {
    let schema: Value = serde_json::from_str(
        r##"{"type": "object", "required": ["a"], "properties": {
            "a": {"$ref": "#/$defs/A"}, "m": {"type": "object", "additionalProperties": {"type": "string"}},
            "l": {"type": ["array", "null"], "items": {"type": "integer", "minimum": 0}}},
            "oneOf": [{"type": "object", "properties": {"w": {"const": "x"}}, "required": ["w"]}, {"properties": {"w": {"const": "y"}}, "required": ["w"]}],
            "$defs": {"A": {"enum": ["one", "two"]}}}"##,
    )
    .unwrap();
    let said = |text: &str| check(&schema, &serde_json::from_str(text).unwrap());
    assert_eq!(said(r#"{"a": "one", "w": "x", "m": {"k": "v"}, "l": [1, 2]}"#), [""; 0]);
    assert_eq!(said(r#"{"a": "two", "w": "y", "l": null}"#), [""; 0]);
    assert_eq!(said(r#"{"a": "one", "w": "x", "b": 1}"#), ["data: the schema has no field b"]);
    assert_eq!(said(r#"{"w": "x"}"#), ["data: a is missing"]);
    assert_eq!(said(r#"{"a": "three", "w": "x"}"#), [r#"data.a: none of ["one","two"]: "three""#]);
    assert_eq!(said(r#"{"a": "one", "w": "x", "m": {"k": 1}}"#), [r#"data.m.k: not of type "string": 1"#]);
    assert_eq!(said(r#"{"a": "one", "w": "x", "l": [1, -2]}"#), ["data.l[1]: less than 0: -2"]);
    assert_eq!(said(r#"{"a": "one", "w": "z"}"#).len(), 1);
}
