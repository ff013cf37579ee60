//! Whether a resume command gives its values to a program as they are, or may
//! hand them on as text that another interpreter reads.
//!
//! Judged by the form: what is given as it is, is known; of everything else it
//! is not, since no list has all programs that read their arguments as code.

/// Stands in the text where a value from outside will be.
pub(super) const VALUE: char = '\u{1}';

/// Programs that read a file of commands, and give it the words behind its name.
const READERS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "python"];
/// Programs that run the words behind them.
const RUNNERS: [&str; 5] = ["exec", "nohup", "time", "env", "srun"];
/// Programs to which every word is a path.
const OF_PATHS: [&str; 2] = ["cd", "mkdir"];

/// True if every value reaches `sbatch`, or a script, as a word of its own or a
/// part of one, and nothing else gets it: no pipe, no group, no other program.
pub(super) fn is_direct(text: &str) -> bool {
    let Some(commands) = commands(text) else { return false };
    // A variable carries a value to every command that follows.
    let keeps = |command: &[String]| {
        let own = command.iter().skip_while(|word| *word == "export");
        command.iter().any(|word| word.contains(VALUE)) && own.clone().all(|word| is_assignment(word))
    };
    let all = commands.iter().any(|command| keeps(command));
    let concerns = |command: &&Vec<String>| all || command.iter().any(|word| word.contains(VALUE));
    commands.iter().filter(concerns).all(|command| {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        keeps(command) || is_given(&words)
    })
}

/// True for a command that takes its words as words.
fn is_given(words: &[&str]) -> bool {
    let start = words.iter().position(|word| !is_assignment(word)).unwrap_or(words.len());
    let Some((program, rest)) = words.get(start..).and_then(<[&str]>::split_first) else { return true };
    let name = program.rsplit('/').next().unwrap_or(program);
    let is_python = name
        .strip_prefix("python")
        .is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    if name == "sbatch" {
        // Any start of --wrap that Slurm takes for it.
        return !rest.iter().any(|word| word.starts_with("--wr"));
    }
    if OF_PATHS.contains(&name) {
        return true;
    }
    if RUNNERS.contains(&name) {
        let is_option = |word: &&&str| name == "srun" && word.starts_with('-');
        let options = rest.iter().take_while(is_option).count();
        return !rest[options..].is_empty() && is_given(&rest[options..]);
    }
    if READERS.contains(&name) || is_python {
        let harmless: &[&str] =
            if is_python { &["-u", "-B", "-O", "-m"] } else { &["-e", "-u", "-x", "-l", "-eu"] };
        let options = rest.iter().take_while(|word| harmless.contains(word)).count();
        return rest.get(options).is_some_and(|file| !file.starts_with('-'));
    }
    let is_script = [".sh", ".bash", ".py"].iter().any(|end| name.ends_with(end));
    let is_of_project = program.contains('/') && !program.starts_with(['/', '-', '~']);
    is_script || is_of_project || program.contains(VALUE)
}

/// `NAME=value`, in front of a command or alone.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

/// The commands of a line, each as its words without their quotes; `None` where
/// one command feeds another, or commands are grouped.
fn commands(text: &str) -> Option<Vec<Vec<String>>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let last = std::mem::replace(&mut before, c);
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(rest.next()),
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ' | '\t') => commands.last_mut()?.extend(word.take()),
            (None, '(' | ')' | '`') => return None,
            (None, '|') if rest.peek() != Some(&'|') && last != '|' => return None,
            // As in `2>&1`.
            (None, '&') if last == '>' || rest.peek() == Some(&'>') => word.get_or_insert_default().push(c),
            (None, ';' | '&' | '|') => {
                commands.last_mut()?.extend(word.take());
                commands.push(Vec::new());
            }
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    commands.last_mut()?.extend(word);
    commands.retain(|command| !command.is_empty());
    Some(commands)
}

/// True for text that nothing reads as more than a word: what a shell, `make`
/// and their like leave alone.
pub(super) fn is_plain(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_./=:@%+,-".contains(&b);
    !text.is_empty() && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(template: &str) -> bool {
        is_direct(&template.replace('V', "\u{1}"))
    }

    #[test]
    fn what_sbatch_and_scripts_are_given_is_given_as_it_is() {
        for template in [
            "sbatch --array=3 train.sh --resume V",
            "W=V sbatch --array=3 V --resume=V.bak # 3",
            "./resume.sh 3 V V",
            "scripts/resume RUN=V",
            "bash -eu resume.sh V",
            "python3.11 -u train.py --resume V",
            "srun -c4 bash V V",
            "true && ./show V; true",
            "R=V; ./show \"$R\"",
            "cd V && sbatch train.sh >log 2>&1",
        ] {
            assert!(direct(template), "{template}");
        }
    }

    #[test]
    fn what_another_interpreter_may_read_is_not() {
        for template in [
            "echo sbatch train.sh V | sh",
            "bash -ce V",
            "srun sh -ce V",
            "busybox ash -ce V",
            "csh -c V",
            "perl -e V",
            "ruby -e V",
            "env -S V",
            "xargs -I X sh V",
            "find . -exec V",
            "printf xV | bash",
            "sbatch --wra=V",
            "sbatch --wrapV x",
            "make run RUN=V",
            "R=V; perl -e \"$R\"",
            "export R=V; make",
            "(cat V)",
            "sh -s V <x",
            "echo V >x.sh; sh x.sh",
        ] {
            assert!(!direct(template), "{template}");
        }
        assert!(is_plain("runs/3/step=5.pt") && !is_plain("a b") && !is_plain("$x") && !is_plain(""));
    }
}
