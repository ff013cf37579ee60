//! Reads how full the disks of another machine are.

use serde::{Deserialize, Serialize};

use crate::terms::Bytes;

/// A file system, as `df -Pk` tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Disk {
    /// Where it is mounted.
    pub mounted_on: String,
    /// Its size.
    pub size: Bytes,
    /// What is free for ordinary users.
    pub free: Bytes,
}

/// What a user may use of a file system, as `quota` or `lfs quota` tell of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quota {
    /// The file system.
    pub of: String,
    /// What is used.
    pub used: Bytes,
    /// What may be used; the smaller of the two limits that are set.
    pub limit: Bytes,
    /// Files that there are, and that there may be, where that is limited.
    pub files: Option<(u64, u64)>,
}

/// More file systems than this nobody has a quota on.
const MOST: usize = 100;

impl Quota {
    /// How much of it is used, in percent, of space or of files, whichever is more.
    pub fn percent(&self) -> u64 {
        let share = |used: u64, limit: u64| used.saturating_mul(100).checked_div(limit).unwrap_or(0);
        let files = self.files.map_or(0, |(used, limit)| share(used, limit));
        share(self.used.0, self.limit.0).max(files)
    }
}

/// Reads `df -Pk`: a header, and one line for a file system (POSIX, df, OUTPUT FILES).
///
/// Names of devices and mount points may hold blanks: the numbers in the middle tell them apart.
pub fn disk(text: &str) -> Option<Disk> {
    let line = text.lines().nth(1)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    // size, used, free, percent
    let at = words.windows(4).position(|four| {
        four[..3].iter().all(|word| word.parse::<i128>().is_ok())
            && (four[3].ends_with('%') || four[3] == "-")
    })?;
    // A file system that is more than full has less than nothing free.
    let kib = |word: &str| {
        word.parse::<i128>()
            .ok()
            .map(|n| Bytes(u64::try_from(n.max(0)).unwrap_or(u64::MAX).saturating_mul(1024)))
    };
    let mounted_on = words.get(at + 4..).unwrap_or_default().join(" ");
    Some(Disk { mounted_on, size: kib(words.get(at)?)?, free: kib(words.get(at + 2)?)? })
}

/// Reads `quota -w` and `lfs quota -q`: a name, then KiB used, soft and hard limit, a time of grace
/// where one runs, and the same for files. A star marks what is over its limit. Other lines are words.
pub fn quotas(text: &str) -> Vec<Quota> {
    text.lines().filter_map(quota).take(MOST).collect()
}

fn quota(line: &str) -> Option<Quota> {
    let mut words = line.split_whitespace();
    let of = words.next()?;
    let rest: Vec<Option<u64>> = words.map(|word| word.trim_end_matches('*').parse().ok()).collect();
    let number = |at: usize| rest.get(at).copied().flatten();
    let (used, soft, hard) = (number(0)?, number(1)?, number(2)?);
    // A time of grace stands between the two, as text, `-`, or not at all.
    let files_at = if number(3).is_some() && rest.len() <= 6 { 3 } else { 4 };
    let limit = |soft: u64, hard: u64| [soft, hard].into_iter().filter(|limit| *limit > 0).min();
    let files =
        number(files_at).and_then(|used| Some((used, limit(number(files_at + 1)?, number(files_at + 2)?)?)));
    let space = limit(soft, hard);
    (space.is_some() || files.is_some()).then(|| Quota {
        of: of.to_owned(),
        used: Bytes(used.saturating_mul(1024)),
        limit: Bytes(space.unwrap_or(0).saturating_mul(1024)),
        files,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_disk_is_read_whatever_its_names_are() {
        let head = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
        let read = |line: &str| disk(&format!("{head}{line}\n")).unwrap();
        let plain = read("/dev/sda1 1000 400 500 45% /home");
        assert_eq!(
            (plain.size, plain.free, plain.mounted_on.as_str()),
            (Bytes(1024_000), Bytes(512_000), "/home")
        );
        assert_eq!(read("//nas/my share 10 20 -10 110% /mnt/my share").mounted_on, "/mnt/my share");
        assert_eq!(read("//nas/my share 10 20 -10 110% /mnt").free, Bytes(0));
        assert_eq!(disk(head), None);
        assert_eq!(disk("df: /x: No such file or directory\n"), None);
    }

    #[test]
    fn quotas_of_both_programs_are_read() {
        let linux = "Disk quotas for user ann (uid 1000): \n     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace\n\
                     \x20/dev/sda1  1100*  1000  2000  6days  70  100  200\nnas:/home  500  0  1000  20  0  0\n";
        let read = quotas(linux);
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[0].used, read[0].limit, read[0].files),
            (Bytes(1_126_400), Bytes(1_024_000), Some((70, 100)))
        );
        assert_eq!((read[0].percent(), read[1].files, read[1].percent()), (110, None, 50));
        let lustre = "     /lustre  307298  400000  500000       -    1204  10000  10000       -\n";
        assert_eq!(quotas(lustre)[0].files, Some((1204, 10000)));
        assert!(quotas("Disk quotas for user ann (uid 1000): none\n").is_empty());
        // No limit at all.
        assert!(quotas("/dev/sda1 5 0 0 7 0 0\n").is_empty());
    }

    proptest! {
        #[test]
        fn whatever_is_printed_the_readers_do_not_panic(text in "([-0-9*%a-z/ \n]{0,12}|-?[0-9]{0,40} ){0,20}") {
            let _ = disk(&text);
            let rows = quotas(&text);
            prop_assert!(rows.iter().all(|row| row.percent() < u64::MAX));
        }
    }
}
