use super::*;

#[test]
fn the_call_of_sbatch_is_read_as_far_as_its_words_can_be_told_apart() {
    let read =
        Submission::read("sbatch -a 0-199%8 --mem 4G -pai --parsable --hold train.sh --lr 0.1").unwrap();
    assert_eq!(read.options, ["-a0-199%8", "--mem=4G", "-pai", "--parsable", "--hold"]);
    assert_eq!((read.script.as_str(), read.arguments.join(" ")), ("train.sh", "--lr 0.1".to_owned()));
    assert_eq!(read.lasting(&["--mem"]).collect::<Vec<_>>(), ["-pai"]);
    assert_eq!(read.memory(), Some("4G"));
    let read = Submission::read("/usr/bin/sbatch --array=1-3 -- run.sh").unwrap();
    assert_eq!((read.script.as_str(), read.lasting(&[]).count()), ("run.sh", 0));
}

#[test]
fn any_start_of_an_option_that_fits_no_other_is_that_option() {
    let lasting = |line: &str| -> Vec<String> {
        let read = Submission::read(line).unwrap();
        read.lasting(&["--mem"]).map(str::to_owned).collect()
    };
    assert!(lasting("sbatch --arr=0-3 --arra 0-3 --hol --dep=afterok:1 train.sh").is_empty());
    assert_eq!(lasting("sbatch -HWa0-3 --exclud=gpu01 --wait-a=1 train.sh"), ["--wait-all-nodes=1"]);
}

#[test]
fn letters_stand_together_and_arguments_may_have_been_one() {
    let read =
        Submission::read("sbatch -QHa0-3 -Qp ai --mem-per-c=1G --part=x train.sh --name my run").unwrap();
    assert_eq!(read.options, ["-Q", "-H", "-a0-3", "-Q", "-pai", "--mem-per-cpu=1G", "--partition=x"]);
    assert_eq!(
        read.lasting(&[]).collect::<Vec<_>>(),
        ["-Q", "-Q", "-pai", "--mem-per-cpu=1G", "--partition=x"]
    );
    assert_eq!(read.doubt().as_deref(), Some("my run"));
    assert_eq!(Submission::read("sbatch x.sh a --lr 0.1 --seed 7").unwrap().doubt(), None);
    // Those of plugins stay as they are.
    assert_eq!(Submission::read("sbatch --container-image=x y.sh").unwrap().options, ["--container-image=x"]);
}

#[test]
fn a_call_that_led_to_its_directory_does_not_lead_on_from_there() {
    let read = |line: &str| Submission::read(line).unwrap().called_in(Path::new("/w/out/a"));
    for line in ["sbatch --chdir=out/a -pai x.sh", "sbatch -D out/a/ -pai x.sh"] {
        let called = read(line).unwrap();
        assert_eq!((called.options.join(" "), called.script.as_str()), ("-pai".to_owned(), "/w/x.sh"));
    }
    assert_eq!(read("sbatch --chdir=/w/out/a /x.sh").unwrap().options, Vec::<String>::new());
    for line in ["sbatch --chdir=/w/out/a x.sh", "sbatch --chdir=other x.sh", "sbatch --chdir=../a x.sh"] {
        assert_eq!(read(line), None, "{line}");
    }
    assert_eq!(read("sbatch x.sh").unwrap().script, "x.sh");
}

#[test]
fn the_value_of_an_option_is_found_before_the_script() {
    let at =
        |command: &str| value_of_option(command, Some('x'), "--exclude").map(|at| command[at..].to_owned());
    assert_eq!(at("sbatch --array={tasks} --exclude=gpu9 {script}").as_deref(), Some("gpu9 {script}"));
    assert_eq!(at("{wandb} sbatch -Q -x gpu9 {exclude} a.sh").as_deref(), Some("gpu9 {exclude} a.sh"));
    assert_eq!(at("sbatch --exclud gpu9 a.sh").as_deref(), Some("gpu9 a.sh"));
    assert_eq!(at("sbatch -xgpu9 a.sh").as_deref(), Some("gpu9 a.sh"));
    assert_eq!(at("sbatch --array={tasks} {script} -x 5"), None);
    assert_eq!(at("sbatch -p x a.sh -x 5"), None);
}

#[test]
fn a_call_whose_script_is_not_told_is_not_guessed_at() {
    for line in [
        "",
        "srun train",
        "sbatch",
        "sbatch --wrap=x",
        "sbatch --wrap sleep 3",
        "sbatch -Z x.sh",
        "sbatch --wra=x",
        "sbatch --test x.sh",
        "sbatch --exc=gpu01 x.sh",
        "sbatch x.sh --name a  b",
        "sbatch --comment 'a b' x.sh",
        "sbatch --array=1",
        "sbatch -p",
    ] {
        assert_eq!(Submission::read(line), None, "{line}");
    }
}

#[test]
fn the_options_of_a_script_are_those_before_its_first_command() {
    let text =
        "#!/bin/bash\n#SBATCH -o logs/%A_%a.out # there\n\n# hm\n#SBATCH --mem 4G\ncd x\n#SBATCH --mem=1G\n";
    let read = Submission::of_script(text, "my train.sh").unwrap();
    assert_eq!((read.option(Some('o'), "--output"), read.memory()), (Some("logs/%A_%a.out"), Some("4G")));
    assert_eq!((read.option(Some('e'), "--error"), read.script.as_str()), (None, "my train.sh"));
}

#[test]
fn the_limits_of_arrays_are_read_from_the_clusters_settings() {
    let text =
        "MaxArraySize            = 4001\nSchedulerParameters     = bf_interval=2,max_array_tasks=500\n";
    assert_eq!(ArrayLimits::read(text), Some(ArrayLimits { size: 4001, tasks: 500 }));
    assert_eq!(ArrayLimits::read("MaxArraySize = 1001\n"), Some(ArrayLimits::default()));
    assert_eq!(ArrayLimits::read(""), None);
}
