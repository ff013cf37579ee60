//! Slurm's commands on another machine: the same questions, over one connection.

use std::sync::{Mutex, PoisonError};

use crate::remote::{Question, Target, Trouble, ask, path_of_login, quoted};
use crate::sys::{Finished, Spawn, World};

/// Stands for the user there, whom only that machine knows: its shell puts the number in.
pub(super) const OWN: &str = "\u{1}own\u{1}";

/// What runs first: only we say what Slurm's commands print (as in `templates/cluster_snapshot.sh`).
const PRELUDE: &str = r#"while IFS= read -r name; do
    case $name in
        SLURM_CONF | SLURM_CONF_SERVER | SLURM_JWT) ;;
        SLURM_* | SQUEUE_* | SINFO_* | SACCT_* | SCONTROL_*) unset "$name" ;;
    esac
done < <(compgen -e)
export LC_ALL=C SLURM_BITSTR_LEN=0 SLURM_TIME_FORMAT=%s
"#;

/// A question as a shell reads it, and what came of it.
type Answered = (Vec<u8>, Result<Finished, Trouble>);

/// Another machine, and what it has answered already.
#[derive(Debug)]
pub(super) struct Far<'w> {
    target: &'w Target,
    seconds: u64,
    answers: Mutex<Vec<Answered>>,
    user: Mutex<Option<String>>,
    trouble: Mutex<Option<Trouble>>,
}

impl<'w> Far<'w> {
    pub fn new(target: &'w Target, limit: std::time::Duration) -> Far<'w> {
        Far {
            target,
            seconds: limit.as_secs().max(1),
            answers: Mutex::default(),
            user: Mutex::default(),
            trouble: Mutex::default(),
        }
    }

    /// The machine's name.
    pub fn name(&self) -> &str {
        &self.target.name
    }

    /// Asks all of these at once, and keeps the answers for whoever asks for one.
    pub fn prepare(&self, world: &World, spawns: &[Spawn]) {
        let who = Question::words("who", ["id", "-un"]).within(self.seconds);
        let commands: Vec<Vec<u8>> = spawns.iter().map(command).collect();
        let asked = self.questions(&commands).into_iter().chain([who]).collect::<Vec<_>>();
        match self.ask(world, &asked) {
            Ok(answers) => {
                let user =
                    answers.of("who").and_then(|section| section.text()).map(|text| text.trim().to_owned());
                *locked(&self.user) = user.filter(|user| !user.is_empty());
                let mut kept = locked(&self.answers);
                for (at, command) in commands.into_iter().enumerate() {
                    if let Some(section) = answers.of(&at.to_string()) {
                        kept.push((command, Ok(finished(section))));
                    }
                }
            }
            Err(trouble) => {
                let all = commands.into_iter().map(|command| (command, Err(trouble.clone())));
                locked(&self.answers).extend(all);
            }
        }
    }

    /// The answer to one question, which may have come already.
    pub fn answer(&self, world: &World, spawn: &Spawn) -> Result<Finished, Trouble> {
        let command = command(spawn);
        {
            let mut kept = locked(&self.answers);
            if let Some(at) = kept.iter().position(|(known, _)| *known == command) {
                return kept.swap_remove(at).1;
            }
        }
        // Who gave no answer a moment ago is not asked again for each further question.
        if let Some(trouble) = self.trouble() {
            return Err(trouble);
        }
        let answers = self.ask(world, &self.questions(std::slice::from_ref(&command)))?;
        match answers.of("0") {
            Some(section) => Ok(finished(section)),
            None => Err(Trouble { why: crate::remote::Why::Cut, words: String::new(), tries: 1 }),
        }
    }

    /// The user there, as far as it was asked for.
    pub fn user(&self) -> Option<String> {
        locked(&self.user).clone()
    }

    /// Why the machine gave no answer, if it gave none.
    pub fn trouble(&self) -> Option<Trouble> {
        locked(&self.trouble).clone()
    }

    fn questions(&self, commands: &[Vec<u8>]) -> Vec<Question> {
        let one = |(at, command): (usize, &Vec<u8>)| {
            Question::shell(&at.to_string(), command.clone()).within(self.seconds)
        };
        commands.iter().enumerate().map(one).collect()
    }

    fn ask(&self, world: &World, questions: &[Question]) -> Result<crate::remote::Answers, Trouble> {
        let prelude = path_of_login("squeue") + PRELUDE;
        let answers = ask(world, self.target, &prelude, questions);
        if let Err(trouble) = &answers {
            *locked(&self.trouble) = Some(trouble.clone());
        }
        answers
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn finished(section: &crate::remote::Section) -> Finished {
    Finished {
        code: section.code,
        stdout: section.stdout.clone(),
        stderr: section.stderr.clone(),
        cut: false,
    }
}

/// A call as a shell there reads it.
fn command(spawn: &Spawn) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(dir) = spawn.directory() {
        out.extend(b"cd -- ");
        out.extend(quoted(dir.as_os_str()));
        out.extend(b" && ");
    }
    let words = spawn.words_to_run().map(|word| match word.to_str() {
        Some(OWN) => b"\"$UID\"".to_vec(),
        _ => quoted(word),
    });
    out.extend(words.collect::<Vec<_>>().join(&b' '));
    out
}
