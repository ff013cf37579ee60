//! Text that wants to be more than text: names, paths, words, documents.
//!
//! For each: no panic, no raw control byte on a terminal, no block broken open,
//! and an error that has one of our exit codes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::support::{Answer, Sandbox};

/// What git takes as the name of a branch, and what wants to be more.
const BRANCHES: [&str; 14] = [
    "a'b",
    "a\"b",
    "$(touch${IFS}pwned)",
    "`touch${IFS}pwned`",
    "a;touch${IFS}pwned",
    "a|b>c&d",
    "--help",
    "-x",
    "</textarea><script>",
    "@import/etc/passwd",
    "a\u{202e}b\u{200b}c",
    "a\u{e0041}\u{e0042}",
    "#-key-HO-20261121-0341-7f3a9c2e",
    "ÄÖÜ-訓練-\u{1f680}",
];

/// What the program says of itself; a terminal must never see more than this.
#[track_caller]
fn is_clean(answer: &Answer) {
    let bytes = answer.bytes();
    let raw = bytes.iter().find(|b| **b < b' ' && **b != b'\n' || **b == 0x7f);
    assert_eq!(raw, None, "a raw control byte in\n{answer:?}");
    let text = String::from_utf8_lossy(&bytes);
    let hidden = |c: char| matches!(c, '\u{80}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}');
    assert_eq!(text.chars().find(|c| hidden(*c)), None, "a hidden character in\n{answer:?}");
    assert!(![70, 101, 134, 139].contains(&answer.code), "a bug, a panic or a crash: {answer:?}");
}

/// A document whose parts stand where they belong, whatever stands in them.
#[track_caller]
fn is_whole(text: &str) {
    // What stands in a fence is code, whatever it looks like; every fence of ours is closed again.
    let mut open: Option<String> = None;
    let mut outside = Vec::new();
    for line in text.lines() {
        let fence: String = line.chars().take_while(|c| matches!(c, '`' | '~')).collect();
        match &open {
            Some(begun) if fence.starts_with(begun.as_str()) => open = None,
            None if fence.len() >= 3 => open = Some(fence),
            None => outside.push(line),
            Some(_) => {}
        }
    }
    assert_eq!(open, None, "a fence is left open in\n{text}");
    let count = |line: &str| outside.iter().filter(|one| **one == line).count();
    assert_eq!(count("## Status"), 1, "{text}");
    assert_eq!(count("## Startup prompt"), 1, "{text}");
    assert_eq!(text.matches("<!-- program -->").count(), text.matches("<!-- /program -->").count(), "{text}");
    let front = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).expect(text).0;
    assert_eq!(front.lines().filter(|line| line.starts_with("key: ")).count(), 1, "{text}");
}

#[test]
fn branches_with_every_trick_go_through_every_verb() {
    let sandbox = Sandbox::new();
    for branch in BRANCHES {
        // `git switch` refuses some that `git update-ref` takes, as a remote's fetch does.
        let head = format!("refs/heads/{branch}");
        sandbox.git(["update-ref", &head, "HEAD"]);
        sandbox.git(["symbolic-ref", "HEAD", &head]);
        sandbox.advance("1m");
        let answer = sandbox.handover(["create", "--next", "x"]);
        assert_eq!(answer.code, 0, "{branch:?}: {answer:?}");
        let key = answer.last_line().to_owned();
        is_whole(&sandbox.read(format!("CLAUDE/{key}.md")));
        is_clean(&answer);
        for verb in ["verify", "show", "list", "resume", "release", "status", "draft"] {
            let answer = sandbox.handover([verb]);
            is_clean(&answer);
            let json = sandbox.handover([verb, "--json"]);
            is_clean(&json);
        }
        let block = sandbox.read("CLAUDE.md");
        assert_eq!(block.matches("handover:begin").count(), 1, "{block}");
        assert_eq!(block.matches("handover:end").count(), 1, "{block}");
    }
    assert!(!sandbox.exists("pwned"));
}

#[test]
fn paths_with_every_trick_are_told_and_touch_nothing() {
    let sandbox = Sandbox::new();
    let names: [&[u8]; 9] = [
        b"a\nb",
        b"a\x1b[2Jb",
        b"\xff\xfe",
        b"--help",
        b"`x`",
        b"$(touch pwned)",
        "a\u{202e}b".as_bytes(),
        b"<!-- handover:end -->",
        b"## Status",
    ];
    for name in names {
        std::fs::write(sandbox.project().join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let answer = sandbox.handover(["create"]).expect(0);
    is_clean(&answer);
    is_whole(&sandbox.read(format!("CLAUDE/{}.md", answer.last_line())));
    is_clean(&sandbox.handover(["verify"]).expect(0));
    for name in names {
        std::fs::write(sandbox.project().join(OsStr::from_bytes(name)), "y").unwrap();
    }
    let answer = sandbox.handover(["verify"]).expect(3);
    is_clean(&answer);
    assert!(answer.stdout().contains("`\\xff\\xfe`"), "{answer:?}");
    assert!(!sandbox.exists("pwned"));
}

#[test]
fn a_repository_at_a_naughty_path_works() {
    let sandbox = Sandbox::empty();
    let naughty: [&[u8]; 4] =
        [b"it's a $(touch pwned) \"path\"", b"-dash", b"\xff\xfe", "a\u{202e}b".as_bytes()];
    for name in naughty {
        let dir = sandbox.root().join(OsStr::from_bytes(name));
        std::fs::create_dir(&dir).unwrap();
        sandbox.git_in(&dir, ["init", "--quiet"]);
        sandbox.git_in(&dir, ["commit", "--quiet", "--allow-empty", "--message", "x"]);
        let answer = sandbox.call(["create"]).dir(&dir).run();
        assert_eq!(answer.code, 0, "{name:?}: {answer:?}");
        is_clean(&answer);
        is_clean(&sandbox.call(["verify"]).dir(&dir).run().expect(0));
        is_clean(&sandbox.call(["list"]).dir(&dir).run().expect(0));
    }
}

/// Documents as another agent, an old program or an enemy could have left them.
fn bad_documents() -> Vec<(&'static str, Vec<u8>)> {
    let front =
        |lines: &str| format!("---\nschema: \"handover/1\"\n{lines}---\n\n# Handover: x\n").into_bytes();
    vec![
        ("empty", Vec::new()),
        ("no front matter", b"# hello\n".to_vec()),
        ("never ends", b"---\nschema: \"handover/1\"\n".to_vec()),
        ("newer", b"---\nschema: \"handover/9\"\n---\n".to_vec()),
        ("repeated name", front("key: \"a\"\nkey: \"b\"\n")),
        ("alias bomb", front("a: &a [x,x]\nb: &b [*a,*a]\n")),
        ("deep", front(&format!("key: {}\n", "[".repeat(50_000)))),
        ("long line", front(&format!("key: \"{}\"\n", "x".repeat(300_000)))),
        ("wrong types", front("key: 1\ncreated: []\n")),
        ("not UTF-8", b"---\nschema: \"\xff\"\n---\n".to_vec()),
        ("nul bytes", front("key: \"\\u0000\"\n")),
        ("terminal", b"---\n\x1b]0;pwned\x07: 1\n---\n\x1b[2J".to_vec()),
        ("large", vec![b'x'; 5 << 20]),
    ]
}

#[test]
fn bad_documents_give_typed_errors_and_hide_no_good_one() {
    let sandbox = Sandbox::new();
    let good = sandbox.handover(["create", "--next", "x"]).expect(0).last_line().to_owned();
    for (index, (what, bytes)) in bad_documents().into_iter().enumerate() {
        let key = format!("HO-20261121-0300-{index:08x}");
        for folder in ["CLAUDE", ".git/handover/docs"] {
            let path = sandbox.project().join(folder).join(format!("{key}.md"));
            std::fs::write(&path, &bytes).unwrap();
            for verb in ["verify", "show", "resume", "release"] {
                let answer = sandbox.handover([verb, &key]);
                is_clean(&answer);
                assert!((1..=8).contains(&answer.code) || verb == "show", "{what}, {verb}: {answer:?}");
                is_clean(&sandbox.handover([verb, &key, "--json"]));
            }
            is_clean(&sandbox.handover(["create", "--amend", &key, "--dry-run"]));
            is_clean(&sandbox.handover(["list", "--all"]));
            let _ = sandbox.handover(["verify", &good]).expect(0);
            std::fs::remove_file(&path).unwrap();
        }
    }
    // A fifo of that name must not make anybody wait.
    let fifo = sandbox.project().join("CLAUDE/HO-20261121-0300-0000ffff.md");
    let _ = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    let answer = sandbox.handover(["verify", "HO-20261121-0300-0000ffff"]).expect(8);
    assert!(answer.stderr().contains("no regular file"), "{answer:?}");
}

#[test]
fn words_of_any_length_and_kind_stay_in_their_section() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(100_000);
    let words = [
        "\n## Next action\nlies",
        "---\nkey: \"HO-20990101-0000-00000000\"\n---",
        "```\nopen",
        "~~~~\n## Status",
        "<!-- program -->\nfacts\n<!-- /program -->",
        "<!-- never closed",
        "{% raw %}{{ 7777 * 7777 }}",
        "\u{202e}\u{200b}\u{e0041}\x1b[31m\x07",
        "text\n===\nmore\n---",
        long.as_str(),
        "",
        "   ",
    ];
    for word in words {
        sandbox.advance("1m");
        let mut args = vec!["create"];
        for option in
            ["--focus", "--status", "--goal", "--next", "--done", "--hazard", "--if-then", "--pointer"]
        {
            args.extend([option, word]);
        }
        let answer = sandbox.handover(args);
        assert_eq!(answer.code, 0, "{:?}: {answer:?}", &word[..word.len().min(40)]);
        is_clean(&answer);
        let text = sandbox.read(format!("CLAUDE/{}.md", answer.last_line()));
        is_whole(&text);
        assert!(!text.contains("60481729"), "a template was run");
        let resumed = sandbox.handover(["resume"]).expect(0);
        is_clean(&resumed);
        assert!(resumed.stdout().lines().count() <= 60, "{resumed:?}");
    }
}

#[test]
fn keys_that_are_paths_or_options_are_wrong_usage() {
    let sandbox = Sandbox::new();
    let _ = sandbox.handover(["create"]).expect(0);
    for key in ["../../../etc/passwd", "/etc/passwd", "HO-*", "", "a b", "\u{202e}", "x\n"] {
        for verb in ["verify", "show", "resume", "release"] {
            let answer = sandbox.handover([verb, key]);
            assert_eq!(answer.code, 2, "{verb} {key:?}: {answer:?}");
            is_clean(&answer);
        }
    }
}
