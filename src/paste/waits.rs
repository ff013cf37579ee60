//! Commands that would wait for somebody who is not there, and what to write in their place.

use super::command::Command;

/// What to do instead, for a command that would wait for somebody.
pub(super) fn waits(program: &str, words: &[Option<String>], command: &Command) -> Option<&'static str> {
    let known: Vec<&str> = words.iter().flatten().map(String::as_str).collect();
    let has = |names: &[&str]| known.iter().any(|word| names.contains(word));
    let short = |letter: char| {
        known
            .iter()
            .any(|word| word.starts_with('-') && !word.starts_with("--") && word[1..].contains(letter))
    };
    let operands = || words.iter().filter(|word| word.as_deref().is_none_or(|word| !word.starts_with('-')));
    let verb = known.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
    match program {
        "vi" | "vim" | "nvim" | "nano" | "emacs" | "ed" | "pico" | "mcedit" | "joe" | "micro" => {
            Some("change the file where you have an editor, and bring it by git")
        }
        "less" | "more" | "most" | "man" | "info" => Some("head or tail of it"),
        "top" if !short('b') => Some("one look, as `top -b -n 1 | head`"),
        "htop" | "btop" | "nvtop" | "iotop" | "atop" => Some("one look, as `top -b -n 1 | head`"),
        "watch" => Some("the command that it repeats, once"),
        "tail" if short('f') || short('F') || has(&["--follow"]) => Some("tail without -f"),
        "salloc" | "passwd" | "su" | "screen" | "mc" | "ftp" | "sftp" | "telnet" | "dialog" | "whiptail" => {
            Some("a batch job, or nothing")
        }
        "sudo" if !short('n') => Some("what needs no password"),
        "tmux" if !has(&["-d"]) && !matches!(verb, "kill-session" | "send-keys" | "ls") => {
            Some("tmux new -d")
        }
        "srun" if has(&["--pty"]) => Some("srun without a terminal, or sbatch"),
        "squeue" | "sinfo" if short('i') || known.iter().any(|word| word.starts_with("--iterate")) => {
            Some("it without -i")
        }
        "python" | "python3" | "ipython" | "R" | "julia" | "node" | "irb" | "psql" | "sqlite3"
        | "bpython"
            if words.is_empty() && !command.is_fed && !command.words.is_empty() =>
        {
            Some("a script for it")
        }
        "python" | "python3" if short('i') && operands().next().is_none() => Some("it without -i"),
        "bash" | "sh" | "zsh" | "ksh" | "dash" if words.is_empty() && !command.is_fed => {
            Some("nothing: a shell is there")
        }
        "ssh" if operands().count() < 2 => Some("ssh with the command behind the host"),
        "read" | "select" => Some("the answer in the line itself"),
        "rm" | "mv" | "cp" | "ln" if short('i') || short('I') => Some("it without -i"),
        "git" => git_waits(&known, !command.feeds),
        "wandb" if verb == "login" && operands().count() < 2 => Some("a key in ~/.netrc"),
        "huggingface-cli" | "hf" if known.contains(&"login") && !has(&["--token"]) => {
            Some("a token in its file")
        }
        "gh" | "glab" if known.contains(&"login") => Some("a token in its file"),
        "conda" | "mamba" | "micromamba"
            if matches!(
                verb,
                "install" | "create" | "remove" | "update" | "uninstall" | "upgrade" | "clean"
            ) && !has(&["-y", "--yes", "-n=y"])
                && !has(&["--dry-run"]) =>
        {
            Some("it with -y")
        }
        "apt" | "apt-get" | "dnf" | "yum" | "zypper"
            if matches!(
                verb,
                "install" | "remove" | "upgrade" | "update" | "purge" | "autoremove" | "dist-upgrade"
            ) && verb != "update"
                && !has(&["-y", "--yes", "--assume-yes"]) =>
        {
            Some("it with -y")
        }
        "pip" | "pip3" if verb == "uninstall" && !has(&["-y", "--yes"]) => Some("it with -y"),
        _ => None,
    }
}

fn git_waits(words: &[&str], feeds_nobody: bool) -> Option<&'static str> {
    let mut rest = words.iter().copied().peekable();
    while let Some(option) = rest.peek().copied().filter(|word| word.starts_with('-')) {
        let _ = rest.next();
        if matches!(option, "-c" | "-C") {
            let _ = rest.next();
        }
    }
    let verb = rest.next()?;
    let rest: Vec<&str> = rest.collect();
    let has =
        |names: &[&str]| rest.iter().any(|word| names.contains(&word.split('=').next().unwrap_or(word)));
    let short = |letter: char| {
        rest.iter().any(|word| word.starts_with('-') && !word.starts_with("--") && word[1..].contains(letter))
    };
    match verb {
        "commit"
            if !short('m')
                && !short('F')
                && !short('C')
                && !has(&["--message", "--file", "--no-edit", "--reuse-message", "--dry-run", "--fixup"]) =>
        {
            Some("git commit with -m")
        }
        "rebase" if short('i') || has(&["--interactive"]) => Some("git rebase without -i"),
        "add" | "checkout" | "restore" | "stash" | "reset" | "clean"
            if short('p') || short('i') || has(&["--patch", "--interactive"]) =>
        {
            Some("the files by their names")
        }
        "merge" | "revert"
            if !has(&["--no-edit", "--ff-only", "--abort", "--continue", "--no-commit", "--message"])
                && !short('m') =>
        {
            Some("it with --no-edit, or git merge --ff-only")
        }
        "mergetool" | "difftool" | "gui" => Some("git diff"),
        // A pager waits for keys where the answer is longer than the screen.
        "log" | "diff" | "show" | "blame" | "reflog"
            if feeds_nobody && !words.contains(&"--no-pager") && !words.contains(&"-P") =>
        {
            Some("git -P, which asks no pager")
        }
        _ => None,
    }
}

/// The word that says yes beforehand, for commands that ask and know one.
pub(super) fn yes(program: &str, words: &[&str]) -> Option<&'static str> {
    let known: Vec<Option<String>> = words.iter().map(|word| Some((*word).to_owned())).collect();
    let command = Command { words: Vec::new(), is_fed: false, feeds: false };
    (waits(program, &known, &command) == Some("it with -y")).then_some("-y")
}
