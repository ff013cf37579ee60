use super::*;

fn root(bytes: &[u8]) -> Result<Value, Fault> {
    walk(&bytes, 0).map(|walked| walked.root)
}

#[test]
fn plain_values_of_every_protocol_are_read() {
    // `pickle.dumps(value, protocol)` of Python 3.11.
    let ints: [(&[u8], i64); 8] = [
        (b"I1200\n.", 1200),
        (b"L-5L\n.", -5),
        (b"\x80\x02K\x07.", 7),
        (b"\x80\x02M\xe9\x03.", 1001),
        (b"\x80\x02J\xff\xff\xff\xff.", -1),
        (b"\x80\x02\x8a\x05\x00\x00\x00\x00\x01.", 1 << 32),
        (b"\x80\x02\x8a\x01\xff.", -1),
        (b"\x80\x02\x8a\x00.", 0),
    ];
    for (bytes, wanted) in ints {
        assert_eq!(root(bytes), Ok(Value::Int(wanted)), "{bytes:?}");
    }
    assert_eq!(root(b"\x80\x02G?\xf8\0\0\0\0\0\0."), Ok(Value::Float(1.5)));
    assert_eq!(root(b"\x80\x04\x95\x06\0\0\0\0\0\0\0\x8c\x02hi\x94."), Ok(Value::Text("hi".into())));
    let dict = walk(&&b"\x80\x04}\x94(\x8c\x04step\x94M\xb0\x04\x8c\x05epoch\x94G@\x04\0\0\0\0\0\0u."[..], 0);
    let dict = dict.unwrap();
    let dict = dict.root_dict().unwrap();
    assert_eq!(number(dict, "step"), Some(1200));
    assert_eq!(get(dict, "epoch"), Some(&Value::Float(2.5)));
    assert_eq!(number(dict, "epoch"), None);
}

#[test]
fn what_would_call_something_calls_nothing() {
    // `os.system("touch pwned")`, as an attacker would write it.
    let bytes = b"cos\nsystem\n(S'touch pwned'\ntR.";
    assert_eq!(root(bytes), Ok(Value::Other));
    assert!(!std::path::Path::new("pwned").exists());
}

#[test]
fn what_is_wrong_is_said_and_never_panics() {
    let unreadable: [&[u8]; 7] = [b"\x80\x02\xff.", b".", b"u.", b"t.", b"\x80\x02h\x07.", b"q\0.", b"\x85."];
    for bytes in unreadable {
        assert!(matches!(root(bytes), Err(Fault::Unreadable(_))), "{bytes:?}: {:?}", root(bytes));
    }
    let cut: [&[u8]; 6] = [
        b"",
        b"\x80",
        b"X\x05\0\0\0abc",
        b"B\xff\xff\xff\x7f",
        b"I12",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
    ];
    for bytes in cut {
        assert!(matches!(root(bytes), Err(Fault::Damaged(_))), "{bytes:?}: {:?}", root(bytes));
    }
}

#[test]
fn limits_hold_against_pickles_that_are_made_to_grow() {
    let marks = vec![b'('; 3 << 20];
    assert!(matches!(root(&marks), Err(Fault::Unreadable(why)) if why.contains("too many")));
    // Tuples in tuples: kept flat, so that dropping them needs no deep stack.
    let mut nested = b"N".to_vec();
    nested.extend(vec![0x85; 2 << 20]);
    nested.push(b'.');
    assert!(root(&nested).is_ok());
    let mut memo = b"N".to_vec();
    (0..2_u32 << 20).for_each(|at| {
        memo.push(b'r');
        memo.extend(at.to_le_bytes());
    });
    assert!(matches!(root(&memo), Err(Fault::Unreadable(why)) if why.contains("memo")));
    let dicts = vec![b'}'; 900_000];
    assert!(root(&dicts).is_err(), "without a STOP");
}
