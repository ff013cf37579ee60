//! Programs that play back what they were told to: for clocks and faults.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A small shell script on the sandbox's `PATH` that logs its arguments and
/// plays back a file. Each method rewrites it.
pub struct Fake {
    script: PathBuf,
    /// Holds the texts that it plays back, and `calls`.
    dir: PathBuf,
    /// Shell patterns over the joined arguments, first match wins.
    cases: Vec<(String, Reply)>,
    otherwise: Reply,
    /// How many texts it gives one after the other.
    turns: usize,
}

#[derive(Default)]
struct Reply {
    text: Vec<u8>,
    complaint: String,
    code: i32,
    seconds: f32,
}

impl Fake {
    pub(super) fn new(script: PathBuf, dir: PathBuf) -> Fake {
        fs::create_dir_all(&dir).unwrap();
        let fake = Fake { script, dir, cases: Vec::new(), otherwise: Reply::default(), turns: 0 };
        fake.write();
        fake
    }

    /// What it prints, whatever it is asked.
    pub fn answers(mut self, text: impl AsRef<[u8]>) -> Fake {
        self.otherwise.text = text.as_ref().to_vec();
        self.written()
    }

    /// What it prints when its arguments, joined by spaces, fit a shell pattern.
    pub fn answers_to(mut self, pattern: &str, text: impl AsRef<[u8]>) -> Fake {
        let reply = Reply { text: text.as_ref().to_vec(), ..Reply::default() };
        self.cases.push((pattern.to_owned(), reply));
        self.written()
    }

    /// Ends with `code` and a complaint when its arguments fit a shell pattern.
    pub fn fails_for(mut self, pattern: &str, code: i32, complaint: &str) -> Fake {
        let reply = Reply { code, complaint: complaint.to_owned(), ..Reply::default() };
        self.cases.push((pattern.to_owned(), reply));
        self.written()
    }

    /// Ends with `code` and a complaint, after whatever it prints.
    pub fn fails(mut self, code: i32, complaint: &str) -> Fake {
        (self.otherwise.code, self.otherwise.complaint) = (code, complaint.to_owned());
        self.written()
    }

    /// What it prints at its first call, its second, and so on; the last one
    /// again and again. A text that begins with `!` is a complaint, and fails.
    pub fn answers_in_turn<T: AsRef<str>>(mut self, texts: &[T]) -> Fake {
        for (at, text) in texts.iter().enumerate() {
            fs::write(self.dir.join(format!("turn.{}", at + 1)), text.as_ref()).unwrap();
        }
        self.turns = texts.len();
        self.written()
    }

    /// Waits before it answers.
    pub fn waits(mut self, seconds: f32) -> Fake {
        self.otherwise.seconds = seconds;
        self.written()
    }

    /// The arguments of every call so far, joined by spaces.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.join("calls")).unwrap_or_default();
        text.split('\0').filter(|call| !call.is_empty()).map(|call| call.trim().to_owned()).collect()
    }

    fn written(self) -> Fake {
        self.write();
        self
    }

    fn write(&self) {
        let dir = self.dir.display();
        let mut script = format!("#!/bin/sh\nprintf '%s\\0' \"$*\" >>'{dir}/calls'\ncase \"$*\" in\n");
        for (at, (pattern, reply)) in self.cases.iter().enumerate() {
            script.push_str(&format!("{pattern}) {} ;;\n", self.reply(&at.to_string(), reply)));
        }
        let otherwise = match self.turns {
            0 => self.reply("otherwise", &self.otherwise),
            turns => format!(
                "n=$(tr -cd '\\000' <'{dir}/calls' | wc -c); [ \"$n\" -le {turns} ] || n={turns}; \
                 case $(head -c 1 '{dir}/turn.'$n) in !) tail -c +2 '{dir}/turn.'$n >&2; exit 1 ;; \
                 *) cat '{dir}/turn.'$n ;; esac"
            ),
        };
        script.push_str(&format!("*) {otherwise} ;;\nesac\n"));
        // A new file each time: the old one may be running.
        let _ = fs::remove_file(&self.script);
        fs::write(&self.script, script).unwrap();
        fs::set_permissions(&self.script, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The commands of one case.
    fn reply(&self, name: &str, reply: &Reply) -> String {
        let dir = self.dir.display();
        fs::write(self.dir.join(name), &reply.text).unwrap();
        fs::write(self.dir.join(format!("{name}.err")), &reply.complaint).unwrap();
        let wait = if reply.seconds > 0.0 { format!("sleep {}; ", reply.seconds) } else { String::new() };
        format!("{wait}cat '{dir}/{name}'; cat '{dir}/{name}.err' >&2; exit {}", reply.code)
    }
}
