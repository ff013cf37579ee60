//! Writes checkpoints as the frameworks do, byte by byte, without any of them.

use std::fs;
use std::path::Path;

/// What a made checkpoint says about itself.
pub struct Made {
    /// `global_step` of its data.
    pub step: u64,
    /// `epoch` of its data.
    pub epoch: u64,
    /// Bytes of each storage, all of floats; four each.
    pub storages: Vec<Vec<u8>>,
    /// True to look like Lightning's.
    pub lightning: bool,
}

impl Made {
    /// Two storages of some bytes that are not NUL.
    pub fn at(step: u64) -> Made {
        let noise = |seed: u64, length: usize| {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 24) as u8 | 1
            };
            (0..length).map(|_| next()).collect()
        };
        Made {
            step,
            epoch: step / 100,
            storages: vec![noise(step + 1, 4096), noise(step + 2, 400)],
            lightning: false,
        }
    }

    /// The same, as Lightning writes it.
    pub fn lightning(step: u64) -> Made {
        Made { lightning: true, ..Made::at(step) }
    }

    /// The bytes of a `torch.save` since 1.6.
    pub fn zip(&self) -> Vec<u8> {
        zip(&self.members())
    }

    /// The members of that archive.
    pub fn members(&self) -> Vec<(String, Vec<u8>)> {
        let mut members = vec![("archive/data.pkl".to_owned(), self.pickle())];
        members.push(("archive/byteorder".to_owned(), b"little".to_vec()));
        for (key, bytes) in self.storages.iter().enumerate() {
            members.push((format!("archive/data/{key}"), bytes.clone()));
        }
        members.push(("archive/version".to_owned(), b"3\n".to_vec()));
        members
    }

    /// The bytes of a `torch.save` before 1.6.
    pub fn legacy(&self) -> Vec<u8> {
        let mut out = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
        out.extend(b"\x80\x02M\xe9\x03.");
        out.extend(
            b"\x80\x02}q\0(X\x10\0\0\0protocol_versionq\x01M\xe9\x03X\x0d\0\0\0little_endianq\x02\x88u.",
        );
        out.extend(self.pickle());
        out.extend(b"\x80\x02]q\0(");
        for key in 0..self.storages.len() {
            text(&mut out, &key.to_string());
        }
        out.extend(b"e.");
        for storage in &self.storages {
            out.extend((storage.len() as u64 / 4).to_le_bytes());
            out.extend(storage);
        }
        out
    }

    /// `{'epoch', 'global_step', 'state_dict': {'w0': tensor, ..}, 'optimizer_states': []}`.
    fn pickle(&self) -> Vec<u8> {
        let mut out = b"\x80\x02}(".to_vec();
        for (name, number) in [("epoch", self.epoch), ("global_step", self.step)] {
            text(&mut out, name);
            out.push(b'J');
            out.extend((number as u32).to_le_bytes());
        }
        if self.lightning {
            text(&mut out, "pytorch-lightning_version");
            text(&mut out, "2.4.0");
        }
        text(&mut out, "state_dict");
        out.extend(b"ccollections\nOrderedDict\n)R(");
        for (key, bytes) in self.storages.iter().enumerate() {
            let elements = (bytes.len() / 4) as u32;
            text(&mut out, &format!("w{key}"));
            out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
            text(&mut out, "storage");
            out.extend(b"ctorch\nFloatStorage\n");
            text(&mut out, &key.to_string());
            text(&mut out, "cpu");
            out.push(b'J');
            out.extend(elements.to_le_bytes());
            out.extend(b"tQK\0J");
            out.extend(elements.to_le_bytes());
            out.extend(b"\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR");
        }
        out.push(b'u');
        text(&mut out, "optimizer_states");
        out.extend(b"]u.");
        out
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

/// A zip archive of stored members, with torch's alignment of 64 bytes.
pub fn zip(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, bytes) in members {
        let header = out.len();
        let padding = (64 - (header + 34 + name.len()) % 64) % 64;
        let crc = crc32fast::hash(bytes).to_le_bytes();
        let size = (bytes.len() as u32).to_le_bytes();
        let mut common = vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.splice(2..4, [0, 8]);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(crc);
        out.extend(size);
        out.extend(size);
        out.extend((name.len() as u16).to_le_bytes());
        out.extend((4 + padding as u16).to_le_bytes());
        out.extend(name.as_bytes());
        out.extend(b"FB");
        out.extend((padding as u16).to_le_bytes());
        out.extend(vec![b'Z'; padding]);
        out.extend(bytes);
        directory.extend(b"PK\x01\x02\0\0");
        directory.extend(&common);
        directory.extend(crc);
        directory.extend(size);
        directory.extend(size);
        directory.extend((name.len() as u16).to_le_bytes());
        directory.extend([0; 12]);
        directory.extend((header as u32).to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((members.len() as u16).to_le_bytes());
    out.extend((members.len() as u16).to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// A safetensors file of float tensors, in this order.
pub fn safetensors(tensors: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut at = 0;
    let mut parts = vec!["\"__metadata__\":{\"format\":\"pt\"}".to_owned()];
    for (name, bytes) in tensors {
        let end = at + bytes.len();
        let shape = bytes.len() / 4;
        parts.push(format!(
            "\"{name}\":{{\"dtype\":\"F32\",\"shape\":[{shape}],\"data_offsets\":[{at},{end}]}}"
        ));
        at = end;
    }
    let mut header = format!("{{{}}}", parts.join(",")).into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header);
    tensors.iter().for_each(|(_, bytes)| out.extend(bytes));
    out
}

/// A whole `checkpoint-STEP` of the HF Trainer.
pub fn hf_trainer(run: &Path, step: u64) -> std::path::PathBuf {
    let dir = run.join(format!("checkpoint-{step}"));
    fs::create_dir_all(&dir).unwrap();
    let made = Made::at(step);
    fs::write(dir.join("model.safetensors"), safetensors(&[("w", made.storages[0].clone())])).unwrap();
    for name in ["optimizer.pt", "scheduler.pt", "rng_state_0.pth", "rng_state_1.pth", "training_args.bin"] {
        fs::write(dir.join(name), made.zip()).unwrap();
    }
    let state = format!("{{\"epoch\":{}.5,\"global_step\":{step},\"log_history\":[]}}", step / 100);
    fs::write(dir.join("trainer_state.json"), state).unwrap();
    dir
}

/// A tag folder of DeepSpeed with so many data ranks, and `latest` naming it.
pub fn deepspeed(run: &Path, step: u64, ranks: u64) -> std::path::PathBuf {
    let dir = run.join(format!("global_step{step}"));
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("mp_rank_00_model_states.pt"), Made::at(step).zip()).unwrap();
    for rank in 0..ranks {
        let name = format!("bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt");
        fs::write(dir.join(name), Made::at(step + rank).zip()).unwrap();
    }
    fs::write(run.join("latest"), format!("global_step{step}")).unwrap();
    dir
}

/// An iteration of Megatron with two tensor ranks, and the tracker naming it.
pub fn megatron(run: &Path, step: u64) -> std::path::PathBuf {
    let dir = run.join(format!("iter_{step:07}"));
    for rank in 0..2 {
        let rank = dir.join(format!("mp_rank_{rank:02}"));
        fs::create_dir_all(&rank).unwrap();
        fs::write(rank.join("model_optim_rng.pt"), Made::at(step).zip()).unwrap();
    }
    fs::write(run.join("latest_checkpointed_iteration.txt"), step.to_string()).unwrap();
    dir
}

/// A model in so many shards, with its index.
pub fn shards(dir: &Path, count: usize) {
    let mut map = Vec::new();
    for place in 1..=count {
        let name = format!("model-{place:05}-of-{count:05}.safetensors");
        let tensor = format!("w{place}");
        fs::write(dir.join(&name), safetensors(&[(&tensor, vec![7; 400])])).unwrap();
        map.push(format!("\"{tensor}\":\"{name}\""));
    }
    let map = map.join(",");
    let index = format!("{{\"metadata\":{{\"total_size\":{}}},\"weight_map\":{{{map}}}}}", count * 400);
    fs::write(dir.join("model.safetensors.index.json"), index).unwrap();
}

/// A tar archive with members of these sizes.
pub fn tar(members: &[(&str, usize)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, size) in members {
        let mut header = vec![0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        header[148..156].fill(b' ');
        header[156] = b'0';
        header[257..263].copy_from_slice(b"ustar\0");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out.extend(header);
        out.extend(vec![1; *size]);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}
