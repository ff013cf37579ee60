//! CRC-32 of every stored member, on as many threads as may be used.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::source::{Fault, Source};
use super::zip::{self, Member, data_start};

/// How much is read at once: small enough for the cache, large enough to keep
/// the calls few.
const BLOCK: u64 = 512 * 1024;
/// A member is shared out between threads in pieces of this size.
const PIECE: u64 = 16 << 20;

/// One piece of a member, and its CRC when it is known.
struct Piece {
    member: usize,
    start: u64,
    length: u64,
}

/// Reads every member and compares its CRC-32 with the directory's, if the
/// archive has checksums.
///
/// # Errors
/// The first member, in the directory's order, that differs or cannot be read;
/// a compressed one cannot.
pub(super) fn check(source: &dyn Source, members: &[Member], threads: usize) -> Result<(), Fault> {
    let mut pieces = Vec::new();
    for (at, member) in members.iter().enumerate() {
        if member.method != 0 {
            return Err(Fault::Unreadable(format!(
                "member {} is compressed, so its checksum was not compared",
                crate::safety::one_line(&member.name, 80)
            )));
        }
        let start = data_start(source, member, source.size())?;
        let mut done = 0;
        loop {
            let length = (member.size - done).min(PIECE);
            pieces.push(Piece { member: at, start: start + done, length });
            done += length;
            if done >= member.size {
                break;
            }
        }
    }
    let sums = sums(source, &pieces, threads)?;
    let mut joined: Vec<crc32fast::Hasher> = members.iter().map(|_| crc32fast::Hasher::new()).collect();
    for (piece, sum) in pieces.iter().zip(&sums) {
        joined[piece.member].combine(sum);
    }
    let has_checksums = zip::has_checksums(members);
    for (member, sum) in members.iter().zip(joined) {
        if has_checksums && sum.finalize() != member.crc {
            return Err(differs(&member.name));
        }
    }
    Ok(())
}

/// The CRC of each piece.
fn sums(source: &dyn Source, pieces: &[Piece], threads: usize) -> Result<Vec<crc32fast::Hasher>, Fault> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, crc32fast::Hasher)>> = Mutex::new(Vec::with_capacity(pieces.len()));
    let fault: Mutex<Option<Fault>> = Mutex::new(None);
    let work = || {
        let mut block = vec![0; BLOCK as usize];
        while let Some((at, piece)) = pieces.get(next.load(Ordering::Relaxed)).and_then(|_| {
            let at = next.fetch_add(1, Ordering::Relaxed);
            Some((at, pieces.get(at)?))
        }) {
            match sum(source, piece, &mut block) {
                Ok(sum) => lock(&done).push((at, sum)),
                Err(found) => {
                    *lock(&fault) = Some(found);
                    next.store(pieces.len(), Ordering::Relaxed);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let helpers = threads.clamp(1, pieces.len().max(1)) - 1;
        for _ in 0..helpers {
            scope.spawn(work);
        }
        work();
    });
    if let Some(fault) = lock(&fault).take() {
        return Err(fault);
    }
    let mut done = std::mem::take(&mut *lock(&done));
    done.sort_unstable_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, sum)| sum).collect())
}

fn sum(source: &dyn Source, piece: &Piece, block: &mut [u8]) -> Result<crc32fast::Hasher, Fault> {
    let mut hasher = crc32fast::Hasher::new();
    let mut done = 0;
    while done < piece.length {
        let length = (piece.length - done).min(BLOCK);
        let part = &mut block[..length as usize];
        source.fill(piece.start + done, part)?;
        hasher.update(part);
        done += length;
    }
    Ok(hasher)
}

/// What a member with another CRC than it should have is called.
pub(super) fn differs(name: &str) -> Fault {
    let shown = crate::safety::one_line(name, 80);
    Fault::Damaged(format!("the checksum of {shown} is wrong: bytes in it have changed"))
}

/// A thread that panicked leaves nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
