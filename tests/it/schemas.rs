//! `schemas/`: what the data of every answer looks like, made from the types that it is made of.
//!
//! A type that changed fails here until the files are made anew, with `HANDOVER_UPDATE_SCHEMAS=1`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use handover::verbs;
use schemars::{JsonSchema, Schema, generate::SchemaSettings};

use crate::support::schema;

/// Every name that goes out with `--json`, with the type of its data.
fn answers() -> BTreeMap<&'static str, Schema> {
    BTreeMap::from([
        ("archive", of::<verbs::archive::Outcome>()),
        ("completions", of::<handover::report::Text>()),
        ("create", of::<verbs::create::Outcome>()),
        ("create-plan", of::<verbs::create::Preview>()),
        ("draft", of::<verbs::draft::Outcome>()),
        ("draft-plan", of::<verbs::draft::Preview>()),
        ("finish", of::<verbs::finish::Outcome>()),
        ("finish-plan", of::<verbs::finish::Intent>()),
        ("list", of::<verbs::list::Outcome>()),
        ("log", of::<verbs::logs::Log>()),
        ("logs", of::<verbs::logs::Outcome>()),
        ("logs-patterns", of::<verbs::logs::Patterns>()),
        ("man", of::<handover::report::Text>()),
        ("fetch", of::<verbs::fetch::Outcome>()),
        ("note", of::<verbs::note::Outcome>()),
        ("paste", of::<verbs::paste::Outcome>()),
        ("paste-check", of::<verbs::paste::Checked>()),
        ("paste-page", of::<handover::report::Text>()),
        ("release-plan", of::<verbs::release::Plan>()),
        ("release", of::<verbs::release::Outcome>()),
        ("remove", of::<handover::worktree::removal::Receipt>()),
        ("remove-plan", of::<handover::worktree::removal::Plan>()),
        ("remove-rest", of::<handover::worktree::trash::Trashed>()),
        ("restore-plan", of::<verbs::remove::TrashRow>()),
        ("restored", of::<handover::worktree::trash::Trashed>()),
        ("remote-check", of::<verbs::remote::check::Outcome>()),
        ("remote-pull", of::<verbs::remote::carry::Outcome>()),
        ("remote-pull-plan", of::<verbs::remote::carry::Plan>()),
        ("remote-push", of::<verbs::remote::carry::Outcome>()),
        ("remote-push-plan", of::<verbs::remote::carry::Plan>()),
        ("remote-reconcile", of::<verbs::remote::reconcile::Outcome>()),
        ("remote-run", of::<verbs::remote::run::Outcome>()),
        ("remote-status", of::<verbs::remote::status::Outcome>()),
        ("remote-worktree", of::<verbs::remote::worktree::Outcome>()),
        ("resume-plan", of::<verbs::resume::Preview>()),
        ("resume", of::<verbs::resume::Outcome>()),
        ("shards-script", of::<handover::report::Text>()),
        ("shards-submitted", of::<verbs::shards::Submitted>()),
        ("show", of::<verbs::show::Outcome>()),
        ("snapshot", of::<verbs::snapshot::Outcome>()),
        ("snapshot-script", of::<handover::report::Text>()),
        ("start", of::<verbs::start::Outcome>()),
        ("start-plan", of::<handover::worktree::create::Plan>()),
        ("status", of::<verbs::status::Board>()),
        ("sweep", of::<verbs::sweep::Outcome>()),
        ("sweep-checkpoints", of::<verbs::sweep::checkpoints::Outcome>()),
        ("sweep-clean", of::<verbs::sweep::clean::Receipt>()),
        ("sweep-clean-plan", of::<verbs::sweep::clean::Plan>()),
        ("sweep-clean-purge", of::<verbs::sweep::clean::Settled>()),
        ("sweep-clean-undo", of::<verbs::sweep::clean::Settled>()),
        ("sweep-page", of::<verbs::sweep::page::Page>()),
        ("sweep-plan", of::<verbs::sweep::plan::Outcome>()),
        ("sweep-preflight", of::<verbs::sweep::preflight::Outcome>()),
        ("sweep-report", of::<verbs::sweep::report::Report>()),
        ("sweep-settle", of::<verbs::sweep::settle::Statement>()),
        ("sweep-submit", of::<verbs::sweep::submit::Outcome>()),
        ("sweep-trash", of::<verbs::sweep::clean::Trash>()),
        ("sync", of::<verbs::sync::Outcome>()),
        ("sync-pair", of::<verbs::sync::pair::Outcome>()),
        ("sync-plan", of::<verbs::sync::Plan>()),
        ("sync-second", of::<verbs::sync::Second>()),
        ("trash", of::<verbs::remove::Trash>()),
        ("unlock-plan", of::<verbs::unlock::Plan>()),
        ("unlock", of::<verbs::unlock::Outcome>()),
        ("verify", of::<verbs::verify::Outcome>()),
        ("watch", of::<verbs::watch::Event>()),
    ])
}

/// The schema of what is written, not of what may be read.
fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

#[test]
fn the_schemas_on_file_are_those_of_the_types() {
    let mut wanted: BTreeMap<PathBuf, String> = answers()
        .into_iter()
        .map(|(name, schema)| file(name, &format!("handover/{name}/1"), schema))
        .collect();
    wanted.extend([
        file("front-matter", handover::document::SCHEMA, of::<handover::document::Facts>()),
        file("error", "handover/error/1", of::<handover::cli::ErrorLine>()),
    ]);
    if std::env::var_os("HANDOVER_UPDATE_SCHEMAS").is_some() {
        for (path, text) in &wanted {
            fs::write(path, text).unwrap();
        }
    }
    let differ: Vec<_> =
        wanted.iter().filter(|(path, text)| fs::read_to_string(path).ok().as_ref() != Some(text)).collect();
    let names: Vec<_> = differ.iter().map(|(path, _)| path.file_name().unwrap()).collect();
    assert!(names.is_empty(), "HANDOVER_UPDATE_SCHEMAS=1 ./test -- schemas makes these anew: {names:?}");
    let on_file: BTreeSet<PathBuf> = schema::files().into_iter().collect();
    assert_eq!(on_file, wanted.into_keys().collect(), "a schema of nothing is on file, or one is missing");
}

fn file(name: &str, id: &str, mut schema: Schema) -> (PathBuf, String) {
    schema.insert("$id".into(), id.into());
    // Rust's names say nothing to a reader of JSON.
    schema.insert("title".into(), name.into());
    let mut value = schema.to_value();
    value.sort_all_objects();
    (schema::path(name), format!("{}\n", serde_json::to_string_pretty(&value).unwrap()))
}

#[test]
fn every_answer_of_the_program_has_a_schema() {
    let mut said = BTreeSet::new();
    for entry in walkdir::WalkDir::new(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/cli")) {
        let Ok(text) = fs::read_to_string(entry.unwrap().path()) else { continue };
        let calls = text.split("output.answer(").skip(1);
        said.extend(calls.filter_map(|call| Some(call.split('"').nth(1)?.to_owned())));
    }
    let known: BTreeSet<String> = answers().into_keys().map(str::to_owned).collect();
    assert_eq!(said, known);
}
