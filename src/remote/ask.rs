//! One connection, one script, one answer for each question.

use std::path::Path;
use std::time::Duration;

use crate::sys::{Glob, SpawnError, World, nonce};

use super::shell::script;
use super::trouble::telling_line;
use super::{Question, Target, Trouble, Why, ssh};

/// What came back, by the names of the questions.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    sections: Vec<Section>,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The question's name.
    pub name: String,
    /// The exit status; 124 if it took too long.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// No answer is longer, in bytes, whatever a machine sends.
const MOST: usize = 256 << 20;

impl Answers {
    /// The answer to the question of this name.
    pub fn of(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// All of them, as they came.
    pub fn into_sections(self) -> Vec<Section> {
        self.sections
    }
}

impl Section {
    /// Standard output as text, if the command ended well.
    pub fn text(&self) -> Option<String> {
        (self.code == 0).then(|| String::from_utf8_lossy(&self.stdout).into_owned())
    }

    /// The last line of standard error that says something.
    pub fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
    }
}

/// Asks questions side by side over one connection; a connection that the network did not carry is
/// tried again, with growing pauses, as often as the target says.
///
/// `prelude` is bash of ours that runs first.
///
/// # Errors
/// [`Trouble`], which is never taken for an empty answer.
pub fn ask(
    world: &World,
    target: &Target,
    prelude: &str,
    questions: &[Question],
) -> Result<Answers, Trouble> {
    let mut pause = Duration::from_millis(500);
    let mut tries = 0;
    loop {
        tries += 1;
        match ask_once(world, target, prelude, questions) {
            Err(trouble) if trouble.why.may_pass() && tries < target.tries => {
                world.clock.pause(pause);
                pause *= 2;
            }
            Err(trouble) => return Err(Trouble { tries, ..trouble }),
            answers => return answers,
        }
    }
}

fn ask_once(
    world: &World,
    target: &Target,
    prelude: &str,
    questions: &[Question],
) -> Result<Answers, Trouble> {
    let trouble = |why, words: String| Trouble { why, words, tries: 1 };
    let chance = nonce::<16>().map_err(|e| trouble(Why::Other, e.to_string()))?;
    let mark = format!("handover-{chance}");
    let slowest = questions.iter().map(|question| question.seconds).max().unwrap_or(1);
    let limit = Duration::from_secs(target.connect.0.clamp(1, 600) + slowest + 10);
    let spawn = ssh(target, "exec bash -s").input(script(&mark, prelude, questions)).limit(limit).cap(MOST);
    let done = match world.processes.run(&spawn) {
        Ok(done) => done,
        Err(SpawnError::Missing { .. }) => return Err(trouble(Why::NoSsh, String::new())),
        Err(SpawnError::TimedOut { .. }) => {
            return Err(trouble(Why::TooSlow, format!("no answer within {} s", limit.as_secs())));
        }
        Err(error) => return Err(trouble(Why::Other, error.to_string())),
    };
    let (answers, is_whole) = read(&mark, &done.stdout);
    if is_whole {
        return Ok(answers);
    }
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    let words = telling_line(&errors).to_owned();
    let why = match done.code {
        126 | 127 => Why::NoBash,
        255 => network(target, Why::of_words(&errors)),
        _ if !answers.sections.is_empty() => Why::Cut,
        _ => Why::Other,
    };
    Err(trouble(why, words))
}

/// Whether it is the host or the network that is down, as far as the interfaces here tell.
fn network(target: &Target, why: Why) -> Why {
    let is_doubtful = matches!(why, Why::HostDown | Why::UnknownHost);
    let leads = || interfaces_lead(Path::new("/sys/class/net"), target.interface.as_deref());
    if is_doubtful && leads() == Some(false) { Why::NetworkDown } else { why }
}

/// True if an interface is up that is called as the pattern says, or any but the loopback; `None` if
/// the system does not tell.
fn interfaces_lead(folder: &Path, wanted: Option<&str>) -> Option<bool> {
    let wanted = wanted.map(Glob::read);
    let listed = std::fs::read_dir(folder).ok()?;
    Some(listed.flatten().any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_wanted = match &wanted {
            Some(glob) => glob.as_ref().is_some_and(|glob| glob.fits(Path::new(&name))),
            None => name != "lo",
        };
        // Tunnels say `unknown` while they are up.
        let state = std::fs::read_to_string(entry.path().join("operstate")).unwrap_or_default();
        is_wanted && matches!(state.trim(), "up" | "unknown")
    }))
}

/// What came back, taken apart at a mark; for whoever holds a recording.
pub fn sections(mark: &str, bytes: &[u8]) -> Vec<Section> {
    read(mark, bytes).0.into_sections()
}

/// Takes what came back apart; true if it is whole. What stands before the first mark is a greeting.
fn read(mark: &str, bytes: &[u8]) -> (Answers, bool) {
    let mark = format!("\n{mark} ").into_bytes();
    let mut sections: Vec<Section> = Vec::new();
    let mut is_whole = false;
    let mut places: Vec<usize> = memchr::memmem::find_iter(bytes, &mark).collect();
    places.push(bytes.len());
    for pair in places.windows(2) {
        let piece = bytes.get(pair[0] + mark.len()..pair[1]).unwrap_or_default();
        let end = memchr::memchr(b'\n', piece).unwrap_or(piece.len());
        let head = String::from_utf8_lossy(&piece[..end]).into_owned();
        let body = piece.get(end + 1..).unwrap_or_default();
        let mut words = head.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("begin"), Some(name), None) => sections.push(Section {
                name: name.to_owned(),
                // Until its end says otherwise.
                code: -1,
                stdout: body.to_vec(),
                stderr: Vec::new(),
            }),
            (Some("end"), Some(name), Some(code)) => {
                if let Some(section) = sections.last_mut().filter(|section| section.name == name) {
                    section.code = code.parse().unwrap_or(-1);
                    section.stderr = body.to_vec();
                }
            }
            (Some("whole"), None, None) => is_whole = true,
            _ => {}
        }
    }
    (Answers { sections }, is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers_are_taken_apart_at_the_marks_alone() {
        let bytes = b"Welcome!\n\nM begin a\none\nM end a 0\n\nM end a 3\nsaid\nM closed\n\nM begin b\n\nM end b 0\n\nM closed\n\nM whole\n";
        let (answers, is_whole) = read("M", bytes);
        assert!(is_whole);
        // A line that only looks like one counts, since nobody can guess the real mark.
        let a = answers.of("a").unwrap();
        assert_eq!((a.code, a.stdout.as_slice(), a.complaint().as_str()), (3, &b"one"[..], "said"));
        let b = answers.of("b").unwrap();
        assert_eq!((b.code, b.stdout.as_slice()), (0, &b""[..]));
        let (cut, is_whole) = read("M", &bytes[..40]);
        assert!(!is_whole && cut.of("b").is_none());
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(text in "(\nM (begin|end|whole|closed)?( [a-c])?( -?[0-9]{0,12})?\n|[a-z\n ]{0,8}){0,12}") {
            let (answers, _) = read("M", text.as_bytes());
            prop_assert!(answers.into_sections().len() <= 12);
        }
    }

    #[test]
    fn an_interface_that_is_up_leads_somewhere() {
        let dir = tempfile::tempdir().unwrap();
        for (name, state) in [("lo", "unknown"), ("eth0", "down"), ("zt5u4", "unknown")] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("operstate"), format!("{state}\n")).unwrap();
        }
        assert_eq!(interfaces_lead(dir.path(), Some("zt*")), Some(true));
        assert_eq!(interfaces_lead(dir.path(), Some("tun0")), Some(false));
        assert_eq!(interfaces_lead(dir.path(), None), Some(true));
        std::fs::remove_dir_all(dir.path().join("zt5u4")).unwrap();
        assert_eq!(interfaces_lead(dir.path(), None), Some(false));
        assert_eq!(interfaces_lead(&dir.path().join("none"), None), None);
    }
}
