use super::*;

fn limits() -> Limits {
    Limits {
        largest: Bytes(1000),
        most_new: 3,
        most_gone: 2,
        many: vec![],
        deletions: false,
        allow: vec![],
        allow_secrets: vec![],
    }
}

fn new(paths: &[&str]) -> Vec<Candidate> {
    paths.iter().map(|path| Candidate { path: PathBuf::from(path), kind: Kind::New }).collect()
}

fn found(bytes: &[u8]) -> String {
    judge_content(bytes, |_| false).map(|why| why.to_string()).unwrap_or_default()
}

#[test]
fn a_name_can_be_enough() {
    for name in ["a/model.PT", ".env", "x.nii.gz", "keys/id_rsa", "data.tar.gz", "a.safetensors", "b.npz"] {
        assert!(!by_name(Path::new(name)).is_empty(), "{name}");
    }
    for name in ["pt", "model.py", "environment.yml", "tar.md", "a.binary", "nii", "gz.txt", "x.pt.md"] {
        assert!(by_name(Path::new(name)).is_empty(), "{name}");
    }
}

#[test]
fn content_is_known_whatever_the_file_is_called() {
    let at = |offset: usize, magic: &[u8]| [vec![0; offset], magic.to_vec(), vec![0; 64]].concat();
    let mut torch = b"PK\x03\x04".to_vec();
    torch.extend([0; 22]);
    torch.extend([16, 0, 0, 0]);
    torch.extend(b"archive/data.pkl");
    let header = b"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}";
    let safetensors = [&(header.len() as u64).to_le_bytes()[..], header].concat();
    for (bytes, what) in [
        (torch, "PyTorch"),
        (at(128, b"DICM"), "DICOM"),
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100".to_vec(), "DICOM"),
        (b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100".to_vec(), "DICOM"),
        (at(344, b"n+1\0"), "NIfTI"),
        (at(257, b"ustar"), "tar"),
        (b"\x1f\x8b\x08\x00".to_vec(), "gzip"),
        (safetensors, "safetensors"),
        (b"\x80\x04\x95\x05\x00}\x94.".to_vec(), "pickle"),
        (b"\x93NUMPY\x01\x00".to_vec(), "NumPy"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0".to_vec(), "crashed"),
        (b"a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n".to_vec(), "conflict from line 2"),
        (b"# us\n<!-- handover:begin 1 -->\n".to_vec(), "block"),
    ] {
        assert!(found(&bytes).contains(what), "{what}: {}", found(&bytes));
    }
    for harmless in [
        &b"epoch 1 loss 0.5\n"[..],
        b"",
        b"PK is a name\n",
        b"Title\n=======\n>>>>>>> quoted\n",
        b"in words: <!-- handover:begin -->",
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0",
        b"\x08\x00\x10\x00 just bytes",
        b"{\"a\": 1}",
    ] {
        assert_eq!(found(harmless), "", "{}", String::from_utf8_lossy(harmless));
    }
}

#[test]
fn links_may_not_lead_out() {
    for (path, target, out) in [
        ("a", "/etc/passwd", true),
        ("a", "../x", true),
        ("d/a", "../x", false),
        ("d/a", "../../x", true),
        ("a", "b/../../c", true),
        ("d/e/a", "./../../b", false),
    ] {
        assert_eq!(leads_out(Path::new(path), Path::new(target)), out, "{path} -> {target}");
    }
}

#[test]
fn many_new_files_and_many_deletions_are_refused_together() {
    let (kept, refused) = groups(new(&["runs/1", "runs/2", "runs/3", "runs/4", "src/a"]), &limits());
    assert_eq!(kept, new(&["src/a"]));
    assert_eq!(refused[0].path, PathBuf::from("runs"));
    assert_eq!(refused[0].allow.as_deref(), Some("--many=runs"));
    let gone = |name: &str| Candidate { path: PathBuf::from(name), kind: Kind::Deleted };
    let (kept, refused) = groups(vec![gone("a"), gone("b"), gone("c")], &limits());
    assert!(kept.is_empty() && refused.len() == 1);
    assert_eq!(refused[0].allow.as_deref(), Some("--deletions"));
    let (_, refused) = groups(new(&["1", "2", "3", "4"]), &limits());
    assert_eq!(refused[0].allow.as_deref(), Some("--many=."), "not what lies deeper");
}

#[test]
fn only_what_says_so_lets_many_through_and_it_lets_nothing_else_through() {
    let runs = || new(&["runs/1", "runs/2", "runs/3", "runs/4"]);
    let many = Limits { many: vec![PathBuf::from("runs")], ..limits() };
    let (kept, refused) = groups(runs(), &many);
    assert!(kept.len() == 4 && refused.is_empty());
    assert_eq!(groups(new(&["runsX/1", "runsX/2", "runsX/3", "runsX/4"]), &many).1.len(), 1);
    let weights = Refusal::Weights { format: "pt" };
    assert!(!is_let_through(Path::new("runs/1"), &weights, &many));
    // Any kind of file is not any number of files.
    let allowed = Limits { allow: Glob::read("**").into_iter().collect(), ..limits() };
    assert_eq!(groups(runs(), &allowed).1.len(), 1);
    let gone = |name: &str| Candidate { path: PathBuf::from(name), kind: Kind::Deleted };
    let deletions = || vec![gone("a"), gone("b"), gone("c")];
    assert_eq!(groups(deletions(), &allowed).1.len(), 1);
    assert!(groups(deletions(), &Limits { deletions: true, ..limits() }).1.is_empty());
    let top = Limits { many: vec![PathBuf::from(".")], ..limits() };
    assert!(groups(new(&["1", "2", "3", "4"]), &top).1.is_empty());
    assert_eq!(groups(runs(), &top).1.len(), 1);
}

#[test]
fn a_kind_that_is_let_through_is_still_searched_for_secrets() {
    let token = ["ghp", "_", "0123456789abcdefABCDEF0123456789abcd"].concat();
    let bytes = format!("GGUF\n{token}\n").into_bytes();
    let is_kind = |why: &Refusal| matches!(why, Refusal::Weights { .. });
    assert!(matches!(judge_content(&bytes, is_kind), Some(Refusal::Secret { line: 2, more: 0, .. })));
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    assert!(matches!(judge_file(file, is_kind), Some(Refusal::Secret { line: 2, .. })));
}

#[test]
fn a_file_can_be_let_through_by_name_and_a_secret_only_by_its_own_option() {
    let mut limits = limits();
    let large = || Refusal::Large { size: Bytes(2), most: Bytes(1) };
    let secret = || Refusal::Secret { rule: "github".to_owned(), line: 1, more: 0 };
    let path = Path::new("a b.txt");
    assert_eq!(refusal(path, large(), &limits).unwrap().allow.as_deref(), Some("--allow='a b.txt'"));
    limits.allow = Glob::read("*.txt").into_iter().collect();
    assert_eq!(refusal(path, large(), &limits), None);
    let refused = refusal(path, secret(), &limits).unwrap();
    assert_eq!(refused.allow.as_deref(), Some("--allow-secret='a b.txt'"));
    limits.allow_secrets = limits.allow.clone();
    assert_eq!(refusal(path, secret(), &limits), None);
    assert!(refusal(path, Refusal::EmbeddedRepository, &limits).unwrap().allow.is_none());
}
