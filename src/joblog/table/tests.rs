use regex::bytes::Regex;

use super::*;
use crate::config;

/// Near misses of one row that are rightly a cause by another one.
const NEAR_MISS_IS_CAUSE: [(&str, &str); 0] = [];

/// What may stand before a message on its line.
const LABELS: [&str; 4] = ["[rank3]: ", " 3: ", "[1,3]<stderr>: ", "(Worker pid=71) "];

/// What may be glued to a message that did not begin a line.
const PROGRESS: &str = "Epoch 3:  45%|####5     | 450/1000 [00:10<00:12, 44.1it/s]";

fn row(id: &str, pattern: &str) -> PatternRow {
    PatternRow {
        id: id.into(),
        pattern: pattern.into(),
        class: "code".into(),
        role: "root".into(),
        weak: false,
        retry: "once".into(),
        is: Vec::new(),
        yields_to: None,
        confirms: None,
        meaning: "m".into(),
        action: "a".into(),
        example: None,
        near_miss: None,
    }
}

/// The built-in rows as written.
fn builtin_rows() -> Vec<PatternRow> {
    config::pattern_rows("patterns.yaml", include_str!("../patterns.yaml")).unwrap()
}

fn named(line: &str) -> &str {
    Table::builtin().classify(line.as_bytes()).map_or("", |row| &row.id)
}

#[test]
fn the_table_that_is_built_in_is_the_one_that_is_written() {
    let written = builtin_rows();
    assert_eq!(ROWS.len(), written.len());
    for (built_in, written) in ROWS.iter().zip(written) {
        assert_eq!(built_in.literals, literal::required(&written.pattern), "{}", written.id);
        assert_eq!(built_in.row(), PatternRow { example: None, near_miss: None, ..written });
    }
}

#[test]
fn each_example_is_what_its_row_says() {
    let mut wrong = Vec::new();
    for row in builtin_rows() {
        let example = row.example.unwrap_or_else(|| panic!("{} has an example", row.id));
        let mut lines = vec![example.clone()];
        lines.extend(LABELS.map(|label| format!("{label}{example}")));
        let is_anchored = row.pattern.contains('^');
        if !is_anchored {
            lines.push(format!("{PROGRESS}{example}"));
        }
        wrong.extend(
            lines
                .iter()
                .filter(|line| named(line) != row.id)
                .map(|line| format!("{}: {line} is {}", row.id, named(line))),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn each_near_miss_is_no_cause() {
    for row in builtin_rows() {
        let near_miss = row.near_miss.unwrap_or_else(|| panic!("{} has a near miss", row.id));
        let found = Table::builtin().classify(near_miss.as_bytes());
        let id = found.map_or("", |found| &found.id);
        assert_ne!(id, row.id, "{near_miss}");
        let is_known = NEAR_MISS_IS_CAUSE.contains(&(row.id.as_str(), id));
        let is_cause = found.is_some_and(|found| matches!(found.role, Role::Root | Role::Cascade));
        assert_eq!(is_cause, is_known, "{}: {near_miss} is {id}", row.id);
    }
}

#[test]
fn each_row_can_be_looked_for_by_a_text() {
    for row in Table::builtin().rows() {
        assert!(!row.literals.is_empty(), "{} contains no text for certain", row.id);
        let example =
            builtin_rows().into_iter().find(|written| written.id == row.id).unwrap().example.unwrap();
        let found = row.literals.iter().any(|text| memchr::memmem::find(example.as_bytes(), text).is_some());
        assert!(found, "{}: {example}", row.id);
    }
}

#[test]
fn each_row_speaks_in_whole_words() {
    for row in Table::builtin().rows() {
        for text in [&row.meaning, &row.action] {
            assert!(text.len() >= 4 && !text.ends_with('.') && !text.contains('\n'), "{}: {text}", row.id);
        }
    }
}

#[test]
fn own_rows_come_first_and_replace_by_id() {
    let mut oom = row("cuda-oom", "no such text");
    oom.class = "mine".into();
    let table = Table::with(&[row("ours", "^planner: "), oom]).unwrap();
    assert_eq!(table.rows()[0].id, "ours");
    assert_eq!(table.rows().len(), Table::builtin().rows().len() + 1);
    assert_eq!(table.pattern("cuda-oom").unwrap().class, "mine");
    assert_eq!(table.classify(b"[rank0]: planner: ValueError: 3").unwrap().id, "ours");
}

#[test]
fn a_row_that_cannot_be_used_is_named() {
    let long = format!("{}{{1000}}", "(?:abcdefghij){100}".repeat(3));
    for (pattern, complaint) in [
        ("(", "read the pattern of \"bad\""),
        ("(?=x)", "read the pattern of \"bad\""),
        (long.as_str(), "read the pattern of \"bad\""),
        ("", "use pattern \"bad\": it matches every line"),
        ("x*", "use pattern \"bad\": it matches every line"),
    ] {
        let error = Table::with(&[row("bad", pattern)]).unwrap_err();
        assert_eq!(error.to_string(), complaint, "{pattern}");
    }
    let wrong = |change: fn(&mut PatternRow)| {
        let mut row = row("bad", "abc");
        change(&mut row);
        Table::with(&[row]).unwrap_err().to_string()
    };
    assert_eq!(
        wrong(|row| row.role = "cause".into()),
        "read the role \"cause\" of pattern \"bad\": it is one of root, cascade, teardown, evidence, warning, noise, info"
    );
    assert!(
        wrong(|row| row.retry = "always".into()).starts_with("read the retry \"always\" of pattern \"bad\"")
    );
    assert_eq!(
        wrong(|row| row.class = "Out Of".into()),
        "use pattern \"bad\": its class is not 1 to 60 of a-z, 0-9 and -"
    );
    assert_eq!(
        wrong(|row| row.example = Some("xyz".into())),
        "use pattern \"bad\": it does not match its own example"
    );
    assert_eq!(
        wrong(|row| row.near_miss = Some("abc".into())),
        "use pattern \"bad\": it matches its near miss"
    );
    let twice = Table::from_rows(&[row("bad", "a"), row("bad", "b")]).unwrap_err();
    assert_eq!(twice.to_string(), "use pattern \"bad\": its id is taken by another row");
    let many: Vec<PatternRow> = (0..2001).map(|n| row(&format!("r{n}"), "abc")).collect();
    assert!(matches!(Table::with(&many), Err(TableError::TooMany { rows: 2001 })));
}

/// The rows of the playbook that agents used before there was a table.
#[test]
fn the_eight_rows_of_the_playbook_are_known_by_name() {
    for (line, class, role) in [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", "cuda-oom", Role::Root),
        ("slurm_script: line 9: 21733 Killed     python train.py", "killed-unconfirmed", Role::Evidence),
        (
            "slurmstepd: error: *** JOB 4711 ON n042 CANCELLED AT 2026-03-01T12:00:00 DUE TO TIME LIMIT ***",
            "time-limit",
            Role::Root,
        ),
        ("ModuleNotFoundError: No module named 'einops'", "missing-module", Role::Root),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'a'", "missing-path", Role::Root),
        (
            "[Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1)",
            "nccl-timeout",
            Role::Cascade,
        ),
        ("process train exited with exit code 137", "killed-unconfirmed", Role::Evidence),
        ("train.py ended with exit code 143", "cancelled", Role::Evidence),
    ] {
        let row = Table::builtin().classify(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
        assert_eq!((row.class.as_str(), row.role), (class, role), "{line}");
    }
}

/// Exceptions whose names no table can know: who reads the traceback around them names them; and a warning
/// that is the cause of what follows.
const NAMED_BY_OTHERS: [&str; 3] = ["own_exception", "group", "slurm_chdir"];

#[test]
fn the_line_of_each_known_cause_is_of_its_class() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/joblog");
    let truth = std::fs::read_to_string(format!("{dir}/truth.tsv")).unwrap();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for row in truth.lines().skip(1) {
        let [name, class, line, _attempt, text] = row.split('\t').collect::<Vec<_>>().try_into().unwrap();
        if NAMED_BY_OTHERS.contains(&name) {
            continue;
        }
        seen += 1;
        let log = std::fs::read(format!("{dir}/caused/{name}.log")).unwrap();
        let line = log.split(|byte| *byte == b'\n').nth(line.parse::<usize>().unwrap() - 1).unwrap();
        // What a reader does before it asks the table: parts between carriage returns, without colours.
        let plain = Regex::new(r"\x1b\[[0-9;]*m").unwrap().replace_all(line, &b""[..]).into_owned();
        let part = plain
            .split(|byte| *byte == b'\r')
            .find(|part| memchr::memmem::find(part, text.as_bytes()).is_some());
        let found = Table::builtin().classify(part.unwrap_or_else(|| panic!("{name}: no {text}")));
        let wanted = class.strip_prefix("none:").unwrap_or(class);
        let is_cause = found
            .is_some_and(|row| matches!(row.role, Role::Root | Role::Cascade | Role::Teardown))
            && wanted != "teardown";
        if found.map(|row| row.class.as_str()) != Some(wanted) || is_cause == class.starts_with("none:") {
            wrong.push(format!("{name}: {text}: is {:?}", found.map(|row| (&row.id, row.role))));
        }
    }
    assert!(seen >= 40, "{seen}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// They are compiled when they are first tried, which must not fail then.
#[test]
fn the_built_in_rows_can_be_used() {
    let rows = builtin_rows();
    let table = Table::from_rows(&rows).unwrap();
    assert_eq!(table.rows().len(), Table::builtin().rows().len());
}

#[test]
fn what_classes_and_rows_yield_to_is_in_the_table() {
    let table = Table::builtin();
    for (class, traits) in traits::classes() {
        assert!(table.has(class), "no row has the class {class}");
        assert!(traits.words().next().is_some() || !traits.explained_by().is_empty(), "{class}");
        for name in traits.explained_by() {
            assert!(table.has(name), "{class} yields to {name}");
        }
    }
    for row in table.rows() {
        assert!(row.traits.explained_by().iter().all(|name| table.has(name)), "{}", row.id);
    }
}
