//! A `.ckpt` folder of Lightning, which sharded strategies write.
//!
//! Source: `lightning/pytorch/strategies`: DeepSpeed's has a folder
//! `checkpoint` with its files, FSDP's has the files of
//! `torch.distributed.checkpoint` and `meta.pt`.

use super::facts::Facts;
use super::look::{Folder, Look};
use super::source::Fault;
use super::{dcp, deepspeed};

/// True for such a folder.
pub(super) fn is(folder: &Folder) -> bool {
    folder.name().ends_with(".ckpt")
}

/// Checks what the strategy wrote.
///
/// # Errors
/// Whatever is wrong or missing.
pub(super) fn read(look: &Look, folder: &Folder) -> Result<Facts, Fault> {
    if dcp::is(folder) {
        let found = dcp::read(look, folder)?;
        let Some(meta) = folder.entries.get("meta.pt") else {
            return Err(Fault::Unfinished("meta.pt is missing".to_owned()));
        };
        return Ok(Facts { optimizer: found.optimizer, ..look.member(meta)? });
    }
    let Some(inner) = folder.entries.get("checkpoint") else {
        let what =
            if folder.entries.is_empty() { "it is empty" } else { "there is no folder checkpoint in it" };
        return Err(Fault::Unfinished(what.to_owned()));
    };
    let below = look.folder(&inner.path).map_err(|fault| fault.of("checkpoint"))?;
    deepspeed::read(look, &below).map_err(|fault| fault.of("checkpoint"))
}
