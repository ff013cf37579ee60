//! One entry point per reader of text from outside. None may panic, whatever
//! it is given; what was read is printed and, where it can be, read again.
//!
//! `cargo fuzz run NAME` calls them (nightly Rust), and so does
//! `tests/it/fuzz.rs` with every test, for a bounded number of inputs.

mod checkpoints;
mod folders;

pub use checkpoints::*;
pub use folders::*;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use handover::cluster::{ArrayLimits, Job, Scope, StateFile, Submission, filled, readers, sacct};
use handover::git::Status;
use handover::joblog::{Extent, Identity, Reader, Table};
use handover::remote;
use handover::report::{self, View};
use handover::safety;
use handover::sweep::memory::{Memory, changes};
use handover::sweep::plan::Template;
use handover::sweep::{Kind, ParameterFile};
use handover::sync::carry;
use handover::terms::{AnyKey, Bytes, JobId, KeyPrefix, Seconds, TaskIds, Time};
use handover::verbs::watch::{Event, State, Told};
use handover::verbs::{evidence, readers as kept, shards, watch};
use handover::worktree::{Entry, fenced, markers, put_aside, trash};
use handover::{baton, config, document, git, sys, tracker};

/// A reader, by the name of its target.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 51] = [
    ("key", key),
    ("words", words),
    ("task_ids", task_ids),
    ("front_matter", front_matter),
    ("body", body),
    ("git_status", git_status),
    ("git_worktrees", git_worktrees),
    ("squeue", squeue),
    ("sacct", accounting),
    ("scontrol", scontrol),
    ("state_file", state_file),
    ("config", settings),
    ("markers", context_block),
    ("owner", owner),
    ("safety", harmless),
    ("wandb", wandb_records),
    ("wire", wire_message),
    ("tfevents", event_file),
    ("saved", saved_configuration),
    ("job_log", job_log),
    ("progress", progress),
    ("torch_zip", torch_zip),
    ("torch_legacy", torch_legacy),
    ("torch_tar", torch_tar),
    ("safetensors", safetensors),
    ("pickle", pickle),
    ("checkpoint", checkpoint_file),
    ("checkpoint_names", checkpoint_names),
    ("shards", shard_answers),
    ("job_files", job_files),
    ("submission", submission),
    ("patterns", patterns),
    ("parameter_file", parameter_file),
    ("tracker_text", tracker_text),
    ("manifest", manifest),
    ("templates", templates),
    ("checkpoint_folder", checkpoint_folder),
    ("watch_state", watch_state),
    ("plan_record", plan_record),
    ("records", records),
    ("trash_notes", trash_notes),
    ("page_markers", page_markers),
    ("attempts", attempts),
    ("batch_script", batch_script),
    ("request", request),
    ("secrets", secrets),
    ("baton_value", baton_value),
    ("remote_refs", remote_refs),
    ("run_folder", run_folder),
    ("log_names", log_names),
    ("machines", machines),
];

/// Keys and their prefixes, new form and old.
pub fn key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(key) = text.parse::<AnyKey>() {
        assert_eq!(key.to_string().parse::<AnyKey>().as_ref(), Ok(&key));
        if let Ok(prefix) = key.to_string().parse::<KeyPrefix>() {
            assert!(prefix.fits(&key), "{prefix} is the whole key");
        }
    }
    let _ = text.parse::<KeyPrefix>();
}

/// Times, spans, sizes, job ids.
pub fn words(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = Seconds::from_slurm(&text);
    let _ = Seconds::from_person(&text);
    let _ = text.parse::<Bytes>();
    if let Some(time) = Time::from_wall_clock(data) {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
    if let Ok(time) = text.parse::<Time>() {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
    if let Ok(id) = text.parse::<JobId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}

/// What other machines print: sections, GPUs, memory, processes, disks, quotas, rsync; and what may be
/// called a machine.
pub fn machines(data: &[u8]) {
    use remote::readers;
    let text = String::from_utf8_lossy(data);
    for section in readers::sections("M", data) {
        let _ = section.complaint();
    }
    let _ = (readers::gpus(&text), readers::memory(&text), readers::processes(&text));
    let _ = readers::disk(&text);
    for quota in readers::quotas(&text) {
        let _ = quota.percent();
    }
    for item in readers::items(data) {
        assert!(item.path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
    }
    for line in text.lines() {
        let name = remote::Target::named(line, &config::Remote::default());
        if let Ok(target) = name {
            let words = remote::ssh_words(&target);
            assert!(!target.host.for_ssh().starts_with('-'), "{line:?}");
            assert!(words.iter().all(|word| !word.as_encoded_bytes().contains(&b' ')), "{line:?}");
        }
        if let Ok(path) = remote::RemotePath::read(line) {
            assert!(!path.as_str().starts_with('-'), "{line:?}");
        }
        let _ = remote::Why::of_words(line);
    }
}

/// Lists of array tasks: `1-3,7,9-21:4%2`.
pub fn task_ids(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(ids) = text.parse::<TaskIds>() {
        assert_eq!(ids.to_string().parse::<TaskIds>().as_ref(), Ok(&ids), "{text:?}");
    }
}

/// Documents: front matter, title, proof of the key.
pub fn front_matter(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = document::title_of(&text);
    let _ = document::body_of(&text);
    if let Ok((facts, _)) = document::read(&text) {
        let _ = document::prove(facts.key, data, None);
    }
}

/// Bodies that an agent wrote, as markdown or JSON.
pub fn body(data: &[u8]) {
    let _ = document::Body::read(data);
}

/// `git status --porcelain=v2 -z`.
pub fn git_status(data: &[u8]) {
    let _ = Status::parse(data);
}

/// `git worktree list --porcelain`, with and without `-z`.
pub fn git_worktrees(data: &[u8]) {
    let _ = git::parse_worktrees(data, 0);
    let _ = git::parse_worktrees(data, b'\n');
}

/// `squeue` with our own separators.
pub fn squeue(data: &[u8]) {
    let _ = readers::queue(data);
}

/// `sacct`, in the forms that people save it in.
pub fn accounting(data: &[u8]) {
    let whole = sacct::read_bytes(data);
    if let Ok(blocks) = sacct::read(data) {
        assert_eq!(blocks.attempts(), whole.attempts());
        assert_eq!(blocks.problems, whole.problems);
    }
}

/// `scontrol show node`.
pub fn scontrol(data: &[u8]) {
    let _ = readers::nodes_of(&String::from_utf8_lossy(data));
}

/// Both forms of `cluster_state.txt`.
pub fn state_file(data: &[u8]) {
    let file = StateFile { name: "fuzz".to_owned(), bytes: data.to_vec(), committed_at: None };
    let _ = file.taken_at();
    let _ = readers::state(&file, &Scope::default());
}

/// Settings in YAML.
pub fn settings(data: &[u8]) {
    let _ = config::parse(Path::new("fuzz"), &String::from_utf8_lossy(data));
}

/// Context files with our markers in them.
pub fn context_block(data: &[u8]) {
    let _ = markers::is_blank(data);
    let _ = markers::find(data);
    if let Ok(Some(rest)) = markers::take(data) {
        assert_eq!(markers::find(&rest), Ok(None), "one block, and it was taken");
    }
    if let Ok(put) = markers::put(data, "body\n") {
        assert!(matches!(markers::find(&put), Ok(Some(_))), "what was put is found");
    }
}

/// Who holds a lock, a baton, a worktree.
pub fn owner(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(owner) = text.parse::<sys::lock::Owner>() {
        let _ = owner.to_string();
    }
    if let Ok(key) = "HO-20261121-0341-7f3a9c2e".parse() {
        let _ = baton::Claim::read(data, &key);
    }
    let _ = serde_json::from_slice::<Entry>(data);
}

/// What comes from outside is harmless afterwards.
pub fn harmless(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let is_bad = |c: char| c.is_control();
    for shown in [safety::escape(&text), safety::escape_bytes(data), safety::one_line(&text, 80)] {
        assert!(!shown.contains(is_bad), "{shown:?}");
    }
    assert!(!safety::code_span(&text).contains(is_bad));
    let fenced = safety::fence("log", "0123456789abcdef", &[text.to_string()]);
    assert!(!fenced.replace('\n', "").contains(is_bad), "{fenced:?}");
    let _ = safety::shell_word(&text);
    let once = safety::redact(&text, &mut safety::Redactions::default());
    assert!(once.len() <= text.len() * 40, "a placeholder is short");
    // In a file they are the same as in a text.
    let found = safety::secrets_in_file(data).unwrap_or_default();
    let whole = safety::secrets_in(data);
    assert_eq!(found.count, whole.len());
    for (one, other) in found.named.iter().zip(&whole) {
        assert_eq!(
            (one.rule, one.offset as usize, one.length),
            (other.rule, other.range.start, other.range.len())
        );
    }
    let _ = safety::url_without_credentials(&text);
}

/// W&B's `.wandb` files: as they are, with their header, and in their framing.
pub fn wandb_records(data: &[u8]) {
    let limits = tracker::Limits { whole: 4096, edge: 1, ..tracker::Limits::default() };
    let run = tracker::readers::wandb("fuzz", data, &limits);
    assert!(run.parameters.len() <= 4_000);
    let _ = tracker::readers::wandb("fuzz", &[b":W&B\xe1\xbe\x00", data].concat(), &limits);
}

/// Records in protobuf's wire format.
pub fn wire_message(data: &[u8]) {
    let _ = tracker::readers::message(data);
}

/// TensorBoard event files.
pub fn event_file(data: &[u8]) {
    let _ = tracker::readers::events(data);
}

/// Configurations that runs saved, and MLflow's `meta.yaml`.
pub fn saved_configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = |name: &str| tracker::readers::configuration(Path::new(name), &text);
    let read: Vec<_> =
        ["config.yaml", "config.json", ".hydra/overrides.yaml"].map(read).into_iter().flatten().collect();
    for one in &read {
        assert_eq!(tracker::compare(one, one).differences, []);
        for two in &read {
            let _ = tracker::compare(one, two);
        }
    }
    let _ = tracker::readers::mlflow(Path::new("fuzz"), &text);
}

/// Job logs: causes, attempts, tracebacks, progress, whole and in part.
pub fn job_log(data: &[u8]) {
    let reader = log_reader();
    let reading = reader.worker().read_bytes(data, Extent::Full, None);
    for finding in reading.findings() {
        assert!(finding.offset <= data.len() as u64 && finding.text.chars().count() <= 400);
        let newlines = |line: u64| line as usize <= data.iter().filter(|byte| **byte == b'\n').count() + 1;
        assert!(finding.line.is_some_and(newlines), "{finding:?}");
    }
    assert!(reading.attempts.windows(2).all(|pair| pair[0].to == pair[1].from));
    // The same text often enough to be read in part.
    if data.len() > 64 && data.first().is_some_and(|byte| byte % 32 == 0) {
        let long = data.repeat((700 << 10) / data.len());
        let reading = reader.worker().read_bytes(&long, Extent::Triage, None);
        assert!(reading.findings().all(|finding| finding.offset <= long.len() as u64));
    }
}

/// Lines of progress, one by one.
pub fn progress(data: &[u8]) {
    let reading = log_reader().worker().read_bytes(data, Extent::Full, None);
    if let Some(mut progress) = reading.progress {
        assert!(progress.series.len() <= 200);
        progress.aim(Some(1000), Some(3));
        assert!(progress.percent.is_none_or(|percent| (0.0..=100.0).contains(&percent)));
        assert!(serde_json::to_string(&progress).is_ok());
    }
}

/// Logs of several jobs in one file, read for one of them.
pub fn attempts(data: &[u8]) {
    let task = Some(7).filter(|_| data.len().is_multiple_of(2));
    let who =
        Identity { base: 482, task, raw: task.map(|_| 489), name: "lr".to_owned(), ..Identity::default() };
    let reading = log_reader().worker().read_bytes(data, Extent::Full, Some(&who));
    let newest = reading.attempts.last().map_or(0, |last| last.number);
    assert!(reading.findings().all(|finding| finding.attempt <= newest), "{:?}", reading.attempts);
    assert!(reading.attempts.iter().all(|span| span.from <= span.to && span.to <= data.len() as u64));
}

fn log_reader() -> &'static Reader<'static> {
    static READER: LazyLock<Reader<'static>> = LazyLock::new(|| Reader::new(Table::builtin()));
    &READER
}

/// Answers of the tasks of an array.
pub fn shard_answers(data: &[u8]) {
    let _ = shards::read_bytes::<serde_json::Value, serde_json::Value>("fuzz", data);
    let head = b"{\"shard\":{\"of\":\"fuzz\",\"shard\":{\"index\":1,\"count\":2},\"about\":null}}\n";
    let _ = shards::read_bytes::<serde_json::Value, serde_json::Value>("fuzz", &[head, data].concat());
    let _ = String::from_utf8_lossy(data).parse::<shards::Shard>();
}

/// Where the files of jobs lie: `scontrol show job -o`, accounting's rows, and
/// the patterns in the names.
pub fn job_files(data: &[u8]) {
    for files in readers::files_of_jobs(data).into_iter().chain(readers::files_of_rows(data)) {
        for path in [files.job.stdout.as_ref(), files.job.stderr.as_ref()].into_iter().flatten() {
            let _ = filled(&files.job, path);
        }
    }
    let text = String::from_utf8_lossy(data);
    let job = Job { name: text.chars().take(40).collect(), ..Job::new(JobId::task(7, 3)) };
    let full = filled(&job, Path::new(text.as_ref()));
    assert!(full.is_none_or(|full| full.as_os_str().len() <= 200 * (1 + data.len())), "{text:?}");
}

/// How a job was submitted: a command line, a batch script, what sbatch prints,
/// and the limits of arrays.
pub fn submission(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = [Submission::read(&text), Submission::read(&format!("sbatch {text}"))];
    for one in read.into_iter().chain([Submission::of_script(&text, "train.sh")]).flatten() {
        let _ = (one.memory(), one.option(Some('o'), "--output"), one.lasting(&["--mem"]).count());
    }
    let _ = ArrayLimits::read(&text);
    let _ = kept::submitted(&text, "sbatch --parsable x");
}

/// Batch scripts, as a preflight reads them.
pub fn batch_script(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines = text.lines().count();
    assert!(kept::batch_script(&text).into_iter().all(|line| (1..=lines).contains(&line)));
}

/// How a job was submitted, as accounting tells it.
pub fn request(data: &[u8]) {
    let _ = readers::request(&String::from_utf8_lossy(data));
}

/// What is secret in a text: each found once, and nothing of it left.
pub fn secrets(data: &[u8]) {
    let found = safety::secrets_in(data);
    assert!(found.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start), "{found:?}");
    assert!(found.iter().all(|one| one.range.start < one.range.end && one.range.end <= data.len()));
    let text = String::from_utf8_lossy(data);
    let once = safety::redact(&text, &mut safety::Redactions::default()).into_owned();
    let again = safety::redact(&once, &mut safety::Redactions::default()).into_owned();
    assert_eq!(safety::redact(&again, &mut safety::Redactions::default()), again, "{text:?}");
}

/// Patterns that users write, and a log read with them.
pub fn patterns(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let of_settings = config::parse(Path::new("fuzz"), &text).map(|config| config.logs.patterns);
    for rows in [of_settings, config::pattern_rows("fuzz", &text)].into_iter().flatten() {
        if rows.is_empty() {
            continue;
        }
        if let Ok(table) = Table::with(&rows) {
            let _ = Reader::new(&table).worker().read_bytes(data, Extent::Full, None);
        }
    }
}

/// Parameters of tasks, as CSV or JSON lines.
pub fn parameter_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for columns in [&[][..], &["lr".to_owned(), "none".to_owned()]] {
        let read = ParameterFile::read(&text, columns);
        for member in [0, 1, u32::MAX] {
            let _ = read.parameters.of(member);
        }
    }
}

/// Small files of text that trackers write.
pub fn tracker_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = tracker::readers::wandb_small(&text);
    let _ = tracker::readers::versions(&text);
    let _ = tracker::readers::mlflow_step(&text);
}

/// The list of results that are expected.
pub fn manifest(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let listed = kept::manifest(Path::new("/nowhere/at/all"), &text);
    assert!(listed.present <= listed.expected && listed.missing.len() <= 20);
}

/// Templates of commands and of paths, and globs.
pub fn templates(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(template) = Template::read(&text) {
        let value = |_| safety::shell_word(&text);
        let _ = (template.per_task(), template.is_sbatch(), template.fill("--exclude=a", value));
    }
    let who =
        Identity { base: 482, task: Some(7), name: text.chars().take(20).collect(), ..Default::default() };
    let _ = evidence::filled(&text, &who);
    if let Some(glob) = sys::Glob::read(&text) {
        let _ = (glob.folder(), glob.depth(), glob.fits(Path::new(text.as_ref())));
        let _ = glob.fits_below(Path::new("/a"), Path::new("/a/logs/b.out"));
    }
}

/// What watches keep: of a sweep, of its tasks, and the shared queue; what was
/// read back is compared and told.
pub fn watch_state(data: &[u8]) {
    let _ = (kept::readings(data), kept::queue_answer(data));
    let Some(read) = kept::kept(data) else { return };
    let memory = &read.memory;
    let nothing = Memory { look: Default::default(), ..memory.clone() };
    for now in
        [memory.clone().carried(memory), nothing.clone().carried(memory), memory.clone().carried(&nothing)]
    {
        let mut held = now.clone();
        held.hold(&memory.look.all(), memory);
        for change in changes(Some(memory), &now).into_iter().chain(changes(None, &held)) {
            tell(memory, change);
        }
    }
    read.transitions.into_iter().for_each(|one| tell(memory, one.change));
    let _ = watch::next(&State::of_memory(memory), &config::Sweeps::default(), "");
}

fn tell(memory: &Memory, change: handover::sweep::memory::Change) {
    static VIEW: LazyLock<View> = LazyLock::new(|| View {
        now: Time::from_unix(1_795_232_460).expect("a time"),
        zone: chrono::FixedOffset::east_opt(0).expect("a zone"),
        width: 80,
        cuts: true,
        dir: PathBuf::from("/"),
        unicode: true,
    });
    let (key, name) = (memory.look.key.clone(), memory.look.name.clone());
    let told = Told { at: memory.at, key, name, kind: Kind::Array, change };
    let text = report::watch::text(&VIEW, &Event::Change(told));
    assert!(!text.replace(['\n', '\u{1b}'], "").contains(|c: char| c.is_control()), "{text:?}");
}

/// What a submitted plan has done.
pub fn plan_record(data: &[u8]) {
    if let Ok(record) = kept::plan_record(data) {
        let _ = (record.is_whole(), record.did_nothing(), record.ids());
    }
}

/// Other things that are kept: reports, preflights; and a header of tensors.
pub fn records(data: &[u8]) {
    let _ = (kept::reported(data), kept::preflights(data).is_ok(), kept::tensors(data));
    let _ = kept::settled(data).map(|said| said.in_words());
}

/// A baton at a remote, and what is recorded of it here.
pub fn baton_value(data: &[u8]) {
    let Ok(key) = "HO-20261121-0341-7f3a9c2e".parse::<AnyKey>() else { return };
    if let Ok(value) = baton::Value::read(data, &key) {
        let line = value.line().expect("it was read from JSON");
        assert!(baton::Value::read(line.as_bytes(), &key).is_ok(), "{line}");
        let _ = (value.claim.to_string(), value.renewed("t".to_owned()).after(&value));
    }
    if let Ok(record) = baton::Record::read(data, &key) {
        let _ = record.there();
    }
}

/// What a remote says of its refs, what one of them holds, and what is remembered of it.
pub fn remote_refs(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = (carry::listed(&text), carry::memory::Memory::read(data).is_ok());
    let _ = carry::parcel::only_file(data, "baton.json", 20);
    let done = sys::Finished { code: 1, stdout: data.to_vec(), ..sys::Finished::default() };
    let _ = carry::push::said_of(&done, "refs/handover/docs/HO-20261121-0341-7f3a9c2e");
}

/// Notes beside what was removed or put aside.
pub fn trash_notes(data: &[u8]) {
    if let Ok(note) = trash::read_bytes(data) {
        let common = Path::new("/nowhere/.git");
        let _ = (note.place(), note.admin_place(common), note.tree(common), note.keeper());
    }
    if let Ok(note) = put_aside::read_bytes(data) {
        drop(note.standings(&put_aside::Ground::of(Path::new("/nowhere/.git"))));
    }
}

/// Pages of the user with our part in them.
pub fn page_markers(data: &[u8]) {
    if let Ok(Some(body)) = fenced::body_of("sweeps", data) {
        assert!(body.len() <= data.len());
    }
}
