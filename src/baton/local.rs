use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::BatonError;
use super::claim::{Claim, Claimant, Kind};
use crate::sys::{FileError, World, nonce};
use crate::terms::{AnyKey, Key};

/// The largest claim file that is read, in bytes.
const MOST: u64 = 64 << 10;
/// How often somebody else may be faster before we give up.
const TRIES: u32 = 64;

/// The baton of one handover, on this machine: a folder of numbered claims,
/// the last of which counts.
///
/// A claim is never changed or removed. The next number is created exclusively,
/// so of all who try to follow one claim exactly one succeeds, without a lock,
/// and the folder keeps the history as evidence.
pub struct Baton<'w> {
    world: &'w World,
    dir: PathBuf,
    key: AnyKey,
}

/// A baton that is held by the one who asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The claim.
    pub claim: Claim,
    /// True if this session held it before.
    pub was_held: bool,
}

/// What became of the parent's baton when a document was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassedOn {
    /// It ended.
    Ended,
    /// Nobody held it.
    WasFree,
    /// Another holds it, and goes on holding it.
    HeldBy(Box<Claim>),
}

/// A baton that somebody holds, or of which nobody can tell.
pub type Found = (AnyKey, Result<Claim, BatonError>);

/// Every baton below `home` that somebody holds, by key, and every one of which
/// that cannot be told.
///
/// # Errors
/// The folder of batons cannot be listed.
pub fn held(world: &World, home: &Path) -> Result<Vec<Found>, BatonError> {
    let folder = home.join("batons");
    let failed = |e| FileError::new("read", &folder, e);
    let entries = match fs::read_dir(&folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let Some(key) = name.to_str().and_then(|name| name.parse::<AnyKey>().ok()) else { continue };
        if let Some(claim) = Baton::of(world, home, &key).holder().transpose() {
            found.push((key, claim));
        }
    }
    found.sort_by(|(one, _), (two, _)| one.cmp(two));
    Ok(found)
}

/// The last claim and its number.
type Last = Option<(u32, Claim)>;

impl<'w> Baton<'w> {
    /// The baton of a handover, below `home` (`<git common dir>/handover`).
    pub fn of(world: &'w World, home: &Path, key: &AnyKey) -> Baton<'w> {
        Baton { world, dir: home.join("batons").join(key.to_string()), key: key.clone() }
    }

    /// Who holds it, if anybody does.
    ///
    /// # Errors
    /// [`BatonError::Damaged`]: a claim that cannot be read is never taken for none.
    pub fn holder(&self) -> Result<Option<Claim>, BatonError> {
        Ok(self.last()?.map(|(_, claim)| claim).filter(Claim::holds))
    }

    /// All that happened to it, oldest first.
    pub fn history(&self) -> Result<Vec<Claim>, BatonError> {
        self.numbers()?.into_iter().map(|number| self.read(number)).collect()
    }

    /// Takes it if it is free. A session that holds it already holds it still.
    ///
    /// # Errors
    /// [`BatonError::Held`] if another does.
    pub fn take(&self, who: &Claimant) -> Result<Taken, BatonError> {
        let mut claim = self.claim(Kind::Taken, who)?;
        for _ in 0..TRIES {
            let last = self.last()?;
            if let Some((_, held)) = last.as_ref().filter(|(_, last)| last.holds()) {
                return if held.who.is_same_session(who) {
                    Ok(Taken { claim: held.clone(), was_held: true })
                } else {
                    Err(BatonError::Held { key: self.key.clone(), holder: Box::new(held.clone()) })
                };
            }
            claim.over = last.as_ref().map(|(_, last)| last.nonce.clone());
            if self.follow(&last, &claim)? {
                return Ok(Taken { claim, was_held: false });
            }
        }
        Err(self.moved()?)
    }

    /// Takes it from the holder whose claim has the nonce `seen`, and from no other.
    ///
    /// # Errors
    /// [`BatonError::Moved`] if that claim is not the last any more.
    pub fn take_over(&self, who: &Claimant, seen: &str) -> Result<Claim, BatonError> {
        self.end(who, seen, Kind::TakenOver, None)
    }

    /// Moves claims aside that stand in the way because they cannot be read, and
    /// says where they are now; the last one that can be read counts again. Only
    /// for somebody who was told by a person that it is theirs, and who is alone.
    ///
    /// # Errors
    /// A file could not be moved, or the folder cannot be read.
    pub fn put_damaged_aside(&self) -> Result<Vec<PathBuf>, BatonError> {
        let mut aside = Vec::new();
        loop {
            match self.last() {
                Err(BatonError::Damaged { path, .. }) if aside.len() < TRIES as usize => {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    let tag = nonce::<4>().map_err(|e| FileError::new("name", &path, e))?;
                    let kept = self.dir.join(format!("{name}.damaged-{tag}"));
                    self.world.files.rename_new(&path, &kept)?;
                    aside.push(kept);
                }
                Err(error) => return Err(error),
                Ok(_) => return Ok(aside),
            }
        }
    }

    /// Lets it go.
    ///
    /// # Errors
    /// Those of [`Baton::own`].
    pub fn release(&self, who: &Claimant) -> Result<Claim, BatonError> {
        self.end(who, &self.own(who)?.nonce, Kind::Released, None)
    }

    /// The claim that `who` holds, and may end.
    ///
    /// # Errors
    /// [`BatonError::Free`] if nobody holds it, [`BatonError::Held`] if another does.
    pub fn own(&self, who: &Claimant) -> Result<Claim, BatonError> {
        match self.holder()? {
            None => Err(BatonError::Free { key: self.key.clone() }),
            Some(held) if held.who.may_end(who) => Ok(held),
            Some(held) => Err(BatonError::Held { key: self.key.clone(), holder: Box::new(held) }),
        }
    }

    /// The claim with the nonce `seen`, whoever holds it.
    ///
    /// # Errors
    /// [`BatonError::Moved`] if that claim is not the last any more.
    pub fn seen(&self, seen: &str) -> Result<Claim, BatonError> {
        match self.holder()? {
            Some(held) if held.nonce == seen => Ok(held),
            holder => Err(BatonError::Moved { key: self.key.clone(), holder: holder.map(Box::new) }),
        }
    }

    /// Lets the claim with the nonce `seen` go, whoever holds it.
    ///
    /// # Errors
    /// [`BatonError::Moved`] if that claim is not the last any more.
    pub fn release_seen(&self, who: &Claimant, seen: &str) -> Result<Claim, BatonError> {
        self.end(who, seen, Kind::Released, None)
    }

    /// Ends the baton of a document that `successor` follows, if the one who
    /// made the successor holds it.
    pub fn pass_on(&self, who: &Claimant, successor: Key) -> Result<PassedOn, BatonError> {
        let Some(held) = self.holder()? else { return Ok(PassedOn::WasFree) };
        if !held.who.may_end(who) {
            return Ok(PassedOn::HeldBy(Box::new(held)));
        }
        match self.end(who, &held.nonce, Kind::PassedOn, Some(successor)) {
            Ok(_) => Ok(PassedOn::Ended),
            Err(BatonError::Moved { holder: Some(holder), .. }) => Ok(PassedOn::HeldBy(holder)),
            Err(BatonError::Moved { holder: None, .. }) => Ok(PassedOn::WasFree),
            Err(error) => Err(error),
        }
    }

    /// Follows the claim `seen`, if it is the last and holds.
    fn end(
        &self,
        who: &Claimant,
        seen: &str,
        kind: Kind,
        successor: Option<Key>,
    ) -> Result<Claim, BatonError> {
        let last = self.last()?;
        let mut claim = self.claim(kind, who)?;
        claim.over = Some(seen.to_owned());
        claim.successor = successor.map(AnyKey::Proving);
        let is_seen = last.as_ref().is_some_and(|(_, last)| last.holds() && last.nonce == seen);
        if is_seen && self.follow(&last, &claim)? {
            return Ok(claim);
        }
        Err(self.moved()?)
    }

    fn moved(&self) -> Result<BatonError, BatonError> {
        Ok(BatonError::Moved { key: self.key.clone(), holder: self.holder()?.map(Box::new) })
    }

    fn claim(&self, kind: Kind, who: &Claimant) -> Result<Claim, BatonError> {
        let nonce = nonce::<16>().map_err(|e| FileError::new("claim", &self.dir, e))?;
        Ok(Claim::new(kind, &self.key, who, self.world.clock.now(), nonce))
    }

    /// Publishes a claim under the number after the last; false if somebody was faster.
    fn follow(&self, last: &Last, claim: &Claim) -> Result<bool, BatonError> {
        let number = last.as_ref().map_or(0, |(number, _)| *number) + 1;
        let path = self.path(number);
        let line = claim.line().map_err(|e| FileError::new("write", &path, io::Error::other(e)))?;
        self.world.files.ensure_dir(&self.dir)?;
        match self.world.files.create_new(&path, line.as_bytes(), 0o444, true) {
            Ok(()) => Ok(true),
            // On a network file system the answer to our own success can be lost.
            Err(e) if e.already_exists() => Ok(self.read(number)?.nonce == claim.nonce),
            Err(e) => Err(e.into()),
        }
    }

    fn last(&self) -> Result<Last, BatonError> {
        let Some(number) = self.numbers()?.pop() else { return Ok(None) };
        Ok(Some((number, self.read(number)?)))
    }

    fn path(&self, number: u32) -> PathBuf {
        self.dir.join(format!("{number:06}.json"))
    }

    /// The numbers of all claims, rising. Files of other names are not ours.
    fn numbers(&self) -> Result<Vec<u32>, BatonError> {
        let failed = |e| FileError::new("read", &self.dir, e);
        let entries = match fs::read_dir(&self.dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            if stem.len() < 6 || !stem.bytes().all(|b| b.is_ascii_digit()) {
                continue;
            }
            // The largest number has no successor.
            let number = stem.parse().ok().filter(|number| (1..u32::MAX).contains(number));
            numbers.push(number.ok_or_else(|| BatonError::Damaged {
                key: self.key.clone(),
                path: self.dir.join(&name),
                why: "its number is none that this program gives".into(),
            })?);
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    fn read(&self, number: u32) -> Result<Claim, BatonError> {
        let path = self.path(number);
        let failed = |e| FileError::new("read", &path, e);
        let damaged = |why: String| BatonError::Damaged { key: self.key.clone(), path: path.clone(), why };
        // Opening a pipe that somebody put there would wait for ever.
        if !fs::symlink_metadata(&path).map_err(failed)?.is_file() {
            return Err(damaged("it is no regular file".into()));
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(&path).map_err(failed)?;
        file.take(MOST + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MOST {
            return Err(damaged(format!("it is larger than {MOST} bytes")));
        }
        Claim::read(&bytes, &self.key).map_err(damaged)
    }
}
