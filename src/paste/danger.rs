//! What a line must not do on a cluster where nobody sits.

use super::Fault;
use super::command::{Command, commands};
use super::shell::{Piece, Token, read};
use super::waits::waits;

/// So deep are commands looked for in the words of commands.
const DEEPEST: usize = 6;

/// What is wrong with what these tokens do, begun in the project, whose path is as in the settings.
pub(super) fn look(tokens: &[Token], project: &str) -> Vec<Fault> {
    let mut looker = Looker { project, here: Some(Vec::new()), faults: Vec::new() };
    looker.list(tokens, 0);
    let mut seen = Vec::new();
    looker.faults.retain(|fault| {
        let is_new = !seen.contains(fault);
        seen.push(fault.clone());
        is_new
    });
    looker.faults
}

struct Looker<'p> {
    project: &'p str,
    /// Where relative paths begin, below the project; `None` if that is not known.
    here: Option<Vec<String>>,
    faults: Vec<Fault>,
}

/// Programs that run a text.
const SHELLS: [&str; 14] = [
    "sh", "bash", "dash", "zsh", "ksh", "ash", "eval", "ssh", "xargs", "watch", "su", "srun", "sbatch",
    "busybox",
];

impl Looker<'_> {
    fn list(&mut self, tokens: &[Token], depth: usize) {
        for command in commands(tokens) {
            self.command(&command, depth);
        }
    }

    fn refuse(&mut self, command: &Command, why: &'static str) {
        let what = crate::safety::clip(&command.text(), 120);
        self.faults.push(Fault::Dangerous { what, why: why.to_owned() });
    }

    fn command(&mut self, command: &Command, depth: usize) {
        let Some((program, first)) = command.program() else {
            let what = crate::safety::clip(&command.text(), 120);
            self.faults.push(Fault::Unclear { what });
            return;
        };
        let words: Vec<Option<String>> = (0..command.words.len()).map(|at| command.word(at)).collect();
        // `xargs rm`, `srun rm`, `find -exec rm`: wherever it stands.
        for (at, word) in words.iter().enumerate() {
            match word.as_deref().and_then(|word| word.rsplit('/').next()) {
                Some("rm") => self.rm(command, at, &program),
                Some("scancel") => self.scancel(command, at),
                _ => {}
            }
        }
        match program.as_str() {
            "cd" | "pushd" => self.cd(command, first),
            "find" => self.find(command, first),
            "git" => self.git(command, first),
            "dd" | "mkfs" | "shred" | "wipefs" | "fdisk" | "parted" => {
                self.refuse(command, "it writes over disks")
            }
            name if name.starts_with("mkfs.") => self.refuse(command, "it writes over disks"),
            "shutdown" | "reboot" | "halt" | "poweroff" | "init" => {
                self.refuse(command, "it stops the machine")
            }
            "chmod" | "chown" | "chgrp" => self.rights(command, first),
            name if command.is_fed && SHELLS[..6].contains(&name) => {
                let reads_it = !words[first..].iter().flatten().any(|word| !word.starts_with('-'));
                if reads_it {
                    self.refuse(command, "what another program prints would be run");
                }
            }
            _ => {}
        }
        if let Some(instead) = waits(&program, &words[first.min(words.len())..], command) {
            let what = crate::safety::clip(&command.text(), 120);
            self.faults.push(Fault::Interactive { what, instead: instead.to_owned() });
        }
        let runs_text = SHELLS.contains(&program.as_str())
            || words.iter().flatten().any(|word| SHELLS[..6].contains(&word.as_str()));
        if runs_text && depth < DEEPEST {
            for word in words.iter().flatten() {
                let text = word.strip_prefix("--wrap=").unwrap_or(word);
                if let Ok(inner) = read(text) {
                    let is_several = inner.len() > 1;
                    if is_several {
                        self.list(&inner, depth + 1);
                    }
                }
            }
            if program == "eval" {
                let rest = words[first..].iter().flatten().cloned().collect::<Vec<_>>().join(" ");
                match read(&rest) {
                    Ok(inner) if words[first..].iter().all(Option::is_some) => self.list(&inner, depth + 1),
                    _ => self.faults.push(Fault::Unclear { what: crate::safety::clip(&command.text(), 120) }),
                }
            }
        }
    }

    fn cd(&mut self, command: &Command, first: usize) {
        let target = command.words.get(first).copied().unwrap_or_default();
        self.here = self.below(target).filter(|_| command.words.len() == first + 1);
    }

    /// Where a path leads below the project; `None` if it leads out of it or if that is not known.
    /// Patterns are kept as they are.
    fn below(&self, word: &[Piece]) -> Option<Vec<String>> {
        let mut text = String::new();
        for piece in word {
            match piece {
                Piece::Plain(c) | Piece::Quoted(c) => text.push(*c),
                Piece::Live(live) if !live.starts_with(['$', '{']) => text.push_str(live),
                Piece::InQuotes(empty) if empty.is_empty() => {}
                _ => return None,
            }
        }
        let is_home = matches!(word.first(), Some(Piece::Live(tilde)) if tilde == "~");
        let (mut at, rest) = if is_home || text.starts_with('/') {
            let rest = text.strip_prefix(self.project.trim_end_matches('/'))?;
            let is_same_kind = self.project.starts_with('~') == is_home;
            (
                Vec::new(),
                Some(rest).filter(|rest| is_same_kind && (rest.is_empty() || rest.starts_with('/')))?,
            )
        } else {
            (self.here.clone()?, text.as_str())
        };
        for part in rest.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    at.pop()?;
                }
                name => at.push(name.to_owned()),
            }
        }
        Some(at)
    }

    /// What is wrong with taking all of this away or changing all of it.
    fn whole(&self, word: &[Piece]) -> Option<&'static str> {
        match self.below(word) {
            None => Some("that is outside of the project, or nobody can tell here where it is"),
            Some(at) => match at.first().map(String::as_str) {
                None => Some("that is the project itself"),
                Some(".git") => Some("that is the project's history"),
                Some(first) if first.chars().all(|c| "*?.".contains(c)) => Some("that is the project itself"),
                // A pattern in brackets or the like can be anything, `..` too.
                Some(first) if first.starts_with(['*', '?', '.', '[']) && first.contains(['*', '?', '[']) => {
                    Some("that pattern may be the project itself")
                }
                _ => None,
            },
        }
    }

    fn rm(&mut self, command: &Command, at: usize, program: &str) {
        let rest: Vec<&[Piece]> = command.words[at + 1..].to_vec();
        let texts: Vec<Option<String>> = (at + 1..command.words.len()).map(|at| command.word(at)).collect();
        let is_option = |text: &Option<String>| text.as_deref().is_some_and(|text| text.starts_with('-'));
        let ends = texts.iter().position(|text| text.as_deref() == Some("--"));
        let options =
            || texts.iter().take(ends.unwrap_or(texts.len())).filter(|text| is_option(text)).flatten();
        let is_recursive = options().any(|option| {
            option.starts_with("--r") || !option.starts_with("--") && option.contains(['r', 'R'])
        });
        // An option that the shell makes of something may be `-r`.
        let is_hidden = rest
            .first()
            .is_some_and(|word| matches!(word.first(), Some(Piece::Live(live)) if live.starts_with('$')));
        if !is_recursive && !is_hidden || program == "git" {
            return;
        }
        let is_operand =
            |at: usize| ends.is_some_and(|end| at > end) || !is_option(&texts[at]) && ends != Some(at);
        let operands: Vec<&[Piece]> =
            (0..rest.len()).filter(|at| is_operand(*at)).map(|at| rest[at]).collect();
        if operands.is_empty() {
            return self.refuse(command, "what it would remove is not in the line");
        }
        if let Some(why) = operands.iter().find_map(|word| self.whole(word)) {
            self.refuse(command, why);
        }
    }

    fn find(&mut self, command: &Command, first: usize) {
        let words = || (first..command.words.len()).map(|at| command.word(at));
        let removes = words().flatten().any(|word| word == "-delete")
            || words().flatten().any(|word| word.starts_with("-exec") || word.starts_with("-ok"))
                && words().flatten().any(|word| word == "rm" || word.ends_with("/rm"));
        if !removes {
            return;
        }
        let is_place = |word: &&&[Piece]| !crate::paste::shell::written(word).starts_with(['-', '!', '(']);
        let places: Vec<&[Piece]> = command.words[first..].iter().take_while(is_place).copied().collect();
        let all_of_it =
            || words().flatten().any(|word| matches!(word.as_str(), "-name" | "-path" | "-iname" | "-regex"));
        for place in &places {
            match self.whole(place) {
                // All files of one name below the project are no whole project.
                Some("that is the project itself") if all_of_it() => {}
                Some(why) => return self.refuse(command, why),
                None => {}
            }
        }
        if places.is_empty() && !all_of_it() {
            self.refuse(command, "that is the project itself");
        }
    }

    fn rights(&mut self, command: &Command, first: usize) {
        let words: Vec<Option<String>> = (first..command.words.len()).map(|at| command.word(at)).collect();
        let is_recursive = words.iter().flatten().any(|word| {
            word == "--recursive" || word.starts_with('-') && !word.starts_with("--") && word.contains('R')
        });
        let operands = command.words[first..].iter().zip(&words);
        let operands =
            operands.filter(|(_, text)| !text.as_deref().is_some_and(|text| text.starts_with('-')));
        let places = operands.skip(1).map(|(word, _)| *word);
        if is_recursive && places.into_iter().any(|word| self.below(word).is_none()) {
            self.refuse(command, "that is outside of the project, or nobody can tell here where it is");
        }
    }

    fn scancel(&mut self, command: &Command, at: usize) {
        let words: Vec<Option<String>> = (at + 1..command.words.len()).map(|at| command.word(at)).collect();
        let is_of_all = |word: &str| {
            let long =
                |name: &str| word.len() > 3 && name.starts_with(word.split('=').next().unwrap_or_default());
            let short = !word.starts_with("--")
                && word.starts_with('-')
                && word.contains(['u', 'A', 'p', 'q', 't', 'w', 'R']);
            short
                || word.starts_with("--")
                    && [
                        "--user",
                        "--me",
                        "--account",
                        "--partition",
                        "--qos",
                        "--state",
                        "--nodelist",
                        "--reservation",
                    ]
                    .iter()
                    .any(|name| long(name))
        };
        if words.iter().flatten().any(|word| is_of_all(word)) {
            return self.refuse(command, "it cancels jobs by whose they are, not by their ids");
        }
        let ids = words.iter().filter(|word| word.as_deref().is_none_or(|word| !word.starts_with('-')));
        let is_named = words
            .iter()
            .flatten()
            .any(|word| word.starts_with("-n") || word.starts_with("--name") || word.starts_with("--job"));
        if !is_named && ids.count() == 0 {
            self.refuse(command, "it names no job");
        }
    }

    fn git(&mut self, command: &Command, first: usize) {
        let words: Vec<String> = (first..command.words.len()).filter_map(|at| command.word(at)).collect();
        let mut rest = words.iter().map(String::as_str).peekable();
        // Options of git itself stand before its verb.
        while let Some(option) = rest.peek().copied().filter(|word| word.starts_with('-')) {
            let _ = rest.next();
            if matches!(option, "-c" | "-C") {
                let _ = rest.next();
            }
        }
        let verb = rest.next().unwrap_or_default();
        let rest: Vec<&str> = rest.collect();
        let short = |letter: char| {
            rest.iter().any(|word| word.starts_with('-') && !word.starts_with("--") && word.contains(letter))
        };
        let long = |name: &str| rest.iter().any(|word| word.split('=').next() == Some(name));
        let why = match verb {
            "push"
                if short('f')
                    || long("--force")
                    || long("--mirror")
                    || rest.iter().any(|w| w.starts_with('+')) =>
            {
                "it overwrites what others pushed"
            }
            "reset" if long("--hard") => "it throws uncommitted work away",
            "clean" if short('f') || long("--force") => "it deletes what is not committed",
            "checkout" | "switch" if short('f') || long("--force") || long("--discard-changes") => {
                "it throws uncommitted work away"
            }
            "checkout" | "restore" if rest.contains(&".") => "it throws uncommitted work away",
            "branch" if short('D') => "it deletes a branch whether it is merged or not",
            "stash" if matches!(rest.first(), Some(&"drop" | &"clear")) => "it throws put-aside work away",
            "filter-branch" | "filter-repo" => "it rewrites history",
            _ => return,
        };
        self.refuse(command, why);
    }
}

#[cfg(test)]
mod tests {
    use super::super::waits::yes;
    use super::*;

    fn told(line: &str) -> Vec<String> {
        let kind = |fault: Fault| match fault {
            Fault::Dangerous { .. } => "dangerous".to_owned(),
            Fault::Interactive { .. } => "interactive".to_owned(),
            Fault::Unclear { .. } => "unclear".to_owned(),
            other => format!("{other:?}"),
        };
        let mut told: Vec<String> = look(&read(line).unwrap(), "~/project").into_iter().map(kind).collect();
        // One line may do it in several ways.
        told.dedup();
        told
    }

    #[test]
    fn trees_are_removed_below_the_project_alone() {
        for line in [
            "rm -rf /",
            "rm -rf ~",
            "rm -rf ~/",
            "rm -rf ~/projects",
            "rm -rf ~/other",
            "rm -r ..",
            "rm -Rf logs/../..",
            "rm -rf logs/../../x",
            "rm --recursive /tmp/x",
            "rm -rf .",
            "rm -rf ./",
            "rm -rf *",
            "rm -rf ./*",
            "rm -rf .*",
            "rm -rf .git",
            "rm -rf ~/project",
            "rm -rf $HOME/x",
            "rm -rf \"$DIR\"",
            "rm -rf $(pwd)",
            "rm $FLAGS x",
            "rm -rf",
            "r\\m -r'f' /scratch",
            "/bin/rm -rf /x",
            "sudo -n rm -rf /x",
            "env A=1 nohup nice -n 5 rm -rf /x",
            "ls | xargs rm -rf",
            "sh -c 'rm -rf /x'",
            "bash -lc 'cd /x && rm -rf y'",
            "eval rm -rf /x",
            "srun bash -c 'rm -rf ~'",
            "sbatch --wrap='rm -rf ~/x'",
            "echo $(rm -rf /x)",
            "if true; then rm -rf /x; fi",
            "cd .. && rm -rf logs",
            "cd ~/other && rm -rf logs",
            "cd $X && rm -rf logs",
            "cd && rm -rf logs",
            "find / -name x -delete",
            "find . -delete",
            "find ~ -name '*.pt' -exec rm {} +",
            "rm -rf -- /x",
            "rm logs -rf ~/x",
            "chmod -R 777 /",
        ] {
            assert_eq!(told(line), ["dangerous"], "{line}");
        }
        for line in [
            "rm -rf outputs/run3",
            "rm -rf ~/project/outputs",
            "cd ~/project && rm -rf logs",
            "cd outputs && rm -rf ../logs",
            "rm -f x.log",
            "rm -rf logs/*.out outputs/[0-9]*",
            "find logs -name '*.tmp' -delete",
            "find . -name '*.tmp' -delete",
            "git rm -r logs",
            "rm -rf -- logs",
            "echo rm",
            "chmod -R u+w outputs",
        ] {
            assert_eq!(told(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn jobs_are_cancelled_by_their_ids_alone() {
        for line in [
            "scancel -u ann",
            "scancel -uann",
            "scancel --user=ann",
            "scancel --us ann",
            "scancel --me",
            "scancel",
            "scancel -t PENDING",
            "scancel --state=PENDING -n x",
            "squeue -h -o %i | xargs scancel -u ann",
            "sh -c 'scancel -u $USER'",
        ] {
            assert_eq!(told(line), ["dangerous"], "{line}");
        }
        for line in ["scancel 7", "scancel '7_[3-5]'", "scancel -n lr_sweep", "scancel -s TERM 7_3"] {
            assert_eq!(told(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn what_overwrites_what_others_have_is_refused() {
        for line in [
            "git push --force",
            "git push -f origin main",
            "git push origin +main",
            "git reset --hard",
            "git -c a.b=c reset --hard HEAD~1",
            "git clean -fdx",
            "git checkout -- .",
            "git stash clear",
            "curl -s https://example.org/x | sh",
            "dd if=/dev/zero of=/dev/sda",
            "mkfs.ext4 /dev/sda",
        ] {
            assert_eq!(told(line), ["dangerous"], "{line}");
        }
        for line in
            ["git push", "git push origin main", "git reset -q logs", "curl -s https://example.org/x | head"]
        {
            assert_eq!(told(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn what_waits_for_somebody_is_named() {
        for line in [
            "vim train.py",
            "less logs/x.out",
            "tail -f logs/x.out",
            "top",
            "srun --pty bash",
            "salloc -n 1",
            "git commit",
            "git rebase -i HEAD~2",
            "git log",
            "python",
            "conda install numpy",
            "apt-get install x",
            "pip uninstall numpy",
            "ssh login1",
            "wandb login",
            "sudo ls",
            "watch squeue",
            "read x",
        ] {
            assert!(told(line).contains(&"interactive".to_owned()), "{line}: {:?}", told(line));
        }
        for line in [
            "git commit -m x",
            "git log | head",
            "git -P log -3",
            "python train.py",
            "conda install -y numpy",
            "tail -n 5 x",
            "top -b -n 1 | head",
            "echo x | python",
        ] {
            let told = told(line);
            assert!(!told.contains(&"interactive".to_owned()), "{line}: {told:?}");
        }
        assert_eq!(told("$CMD x"), ["unclear"]);
        assert_eq!(yes("conda", &["install", "x"]), Some("-y"));
        assert_eq!(yes("conda", &["install", "-y", "x"]), None);
        assert_eq!(yes("vim", &["x"]), None);
    }
}
