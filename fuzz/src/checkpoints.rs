//! The readers of checkpoints: each format, and folders of them.

use handover::checkpoint::{self, Depth};

/// `torch.save` since 1.6, also with an end record that fits what came.
pub fn torch_zip(data: &[u8]) {
    reader("torch_zip", data);
    let find = |mark: &[u8]| data.windows(mark.len()).position(|window| window == mark);
    let Some(start) = find(b"PK\x01\x02") else { return };
    let stop = find(b"PK\x05\x06").filter(|stop| *stop > start).unwrap_or(data.len());
    let count = data[start..stop].windows(4).filter(|window| *window == b"PK\x01\x02").count() as u16;
    let mut mended = data[..stop].to_vec();
    mended.extend(b"PK\x05\x06\0\0\0\0");
    mended.extend(count.to_le_bytes());
    mended.extend(count.to_le_bytes());
    mended.extend(((stop - start) as u32).to_le_bytes());
    mended.extend((start as u32).to_le_bytes());
    mended.extend([0, 0]);
    reader("torch_zip", &mended);
}

/// `torch.save` before 1.6, also after its first three pickles.
pub fn torch_legacy(data: &[u8]) {
    reader("torch_legacy", data);
    let head = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02N.";
    reader("torch_legacy", &[head, data].concat());
}

/// Tar archives.
pub fn torch_tar(data: &[u8]) {
    reader("torch_tar", data);
}

/// safetensors, also as a header whose length is right.
pub fn safetensors(data: &[u8]) {
    reader("safetensors", data);
    reader("safetensors", &[&(data.len() as u64).to_le_bytes(), data].concat());
}

/// Pickles of any protocol.
pub fn pickle(data: &[u8]) {
    reader("pickle", data);
    reader("pickle", &[b"\x80\x02", data].concat());
}

/// Whatever calls itself a checkpoint.
pub fn checkpoint_file(data: &[u8]) {
    for name in ["x.pt", "x.safetensors", "x.ckpt", "x"] {
        let (_, verdict) = checkpoint::check_bytes(name, data, Depth::Structure);
        let (_, whole) = checkpoint::check_bytes(name, data, Depth::Full);
        assert!(verdict.is_sound() || !whole.is_sound(), "what is broken does not become sound");
    }
}

/// Names of checkpoints.
pub fn checkpoint_names(data: &[u8]) {
    let _ = checkpoint::readers::name(&String::from_utf8_lossy(data));
}

/// One file of a checkpoint that is a folder: each in turn, the others sound
/// enough that the reader comes to it.
pub fn checkpoint_folder(data: &[u8]) {
    const FILES: [(&str, &str); 12] = [
        ("checkpoint-10", "trainer_state.json"),
        ("checkpoint-10", "optimizer.pt"),
        ("weights", "model.safetensors.index.json"),
        ("global_step10", "mp_rank_00_model_states.pt"),
        (".", "latest"),
        (".", "latest_checkpointed_iteration.txt"),
        ("iter_0000010", "common.pt"),
        ("iter_0000010", ".metadata"),
        ("dcp", ".metadata"),
        ("10", "_CHECKPOINT_METADATA"),
        ("10/default", "manifest.ocdbt"),
        ("checkpoint_0", "random_states_0.pkl"),
    ];
    thread_local! {
        static RUN: tempfile::TempDir = {
            let run = tempfile::tempdir().expect("a folder");
            for (folder, name) in FILES {
                std::fs::create_dir_all(run.path().join(folder)).expect("a folder");
                std::fs::write(run.path().join(folder).join(name), sound(name)).expect("a file");
            }
            for name in ["checkpoint-10/scheduler.pt", "checkpoint-10/pytorch_model.bin", "dcp/__0_0.distcp"] {
                std::fs::write(run.path().join(name), sound(name)).expect("a file");
            }
            run
        };
    }
    let number =
        data.iter().fold(data.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let (folder, name) = FILES[number % FILES.len()];
    RUN.with(|run| {
        let path = run.path().join(folder).join(name);
        std::fs::write(&path, data).expect("a file");
        let limits = checkpoint::Limits::default();
        let _ = checkpoint::check(&run.path().join(folder), Depth::Full, &limits);
        // The whole run is slow to look at, for a reader.
        if folder == "." || number % 7 == 0 {
            let survey = checkpoint::survey(run.path(), Depth::Structure, &limits);
            assert!(survey.best.is_none_or(|best| best.verdict.is_sound()));
        }
        std::fs::write(&path, sound(name)).expect("a file");
    });
}

/// What stands in a file while another one is tried.
fn sound(name: &str) -> &'static [u8] {
    match name {
        "trainer_state.json" => b"{\"global_step\": 10, \"epoch\": 1.0}",
        "latest" => b"global_step10",
        "latest_checkpointed_iteration.txt" => b"10",
        // `torch.save` before 1.6 of an empty list.
        _ => b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02}.\x80\x02].",
    }
}

fn reader(name: &str, data: &[u8]) {
    let readers = checkpoint::readers::READERS;
    let (_, read) = readers.iter().find(|(known, _)| *known == name).expect("a reader of that name");
    read(data);
}
