"""A training program without training: it reads its task's parameters, writes what such a program writes, and ends as
the plan in ../planted says. In another array than the planted one it is a good program: it resumes and completes."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
import zipfile

import formats

STEPS = 1000
TASK = int(os.environ["SLURM_ARRAY_TASK_ID"])
ATTEMPT = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
NODE = os.environ["SLURMD_NODENAME"]
RUN = os.path.join("runs", str(TASK))


class OutOfMemoryError(RuntimeError):
    """Looks in a traceback as torch's own does."""


OutOfMemoryError.__module__, OutOfMemoryError.__qualname__ = "torch.cuda", "OutOfMemoryError"


def main():
    parameters = parameters_of(TASK)
    fate, checkpoints = planted()
    config = save_config(parameters, fate)
    if fate == "fast":
        print("nothing to do")
        return
    tracker = start_tracker(config)
    try:
        model = build(parameters, fate)
        start = resume_point(fate)
        train(model, parameters, tracker, fate, checkpoints, start)
    except Exception:
        tracker.finish(1)  # as W&B's own hook does; a signal leaves it no time
        raise
    tracker.finish(0)
    os.makedirs("results", exist_ok=True)
    with open(f"results/{TASK}.json", "w") as file:
        json.dump({"task": TASK, "step": STEPS, "loss": loss(STEPS, parameters)}, file)
    if fate == "failed-step":
        subprocess.run(["srun", "-n1", "false"], check=False)
    print("training finished")


def parameters_of(task):
    with open("params.csv") as file:
        row = next(row for row in csv.DictReader(file) if int(row["task"]) == task)
    return {"batch_size": int(row["batch_size"]), "lr": float(row["lr"]), "seed": int(row["seed"])}


def planted():
    """This task's fate and checkpoints; a good fate for the rest, and for every array but the planted one."""
    with open("planted") as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    if lines[0][1] == os.environ["SLURM_ARRAY_JOB_ID"]:
        for task, fate, checkpoints in lines[1:]:
            if int(task) == TASK:
                return fate, [] if checkpoints == "-" else [one.split(":") for one in checkpoints.split(",")]
        return "good", []
    return "resumed", []


def save_config(parameters, fate):
    """Half of the runs as Hydra does it, half as one file."""
    config = parameters | {"steps": STEPS}
    if fate == "drifted":
        config["lr"] *= 3  # this run was started with another configuration than the one that is meant
    lines = "".join(f"{name}: {value}\n" for name, value in config.items())
    if TASK % 2:
        write(os.path.join(RUN, "config.yaml"), lines)
    else:
        write(os.path.join(RUN, ".hydra", "config.yaml"), lines)
        write(os.path.join(RUN, ".hydra", "overrides.yaml"), "".join(f"- {n}={v}\n" for n, v in parameters.items()))
        write(os.path.join(RUN, ".hydra", "hydra.yaml"), "hydra:\n  job:\n    name: train\n")
    return config


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def start_tracker(config):
    id = os.environ.get("WANDB_RUN_ID") or f"lr{TASK:04d}a{ATTEMPT}"
    run = formats.WandbRun(
        RUN, id, project="lrgrid", group="grid", sweep="q1w2e3r4", config=config, host=NODE, modern=TASK % 3 > 0
    )
    if run.modern:
        print(f"wandb: Tracking run with wandb version 0.31.0\nwandb: Run data is saved locally in {run.dir}")
    else:
        print(f"wandb: Tracking run with wandb version 0.16.6\nwandb: W&B syncing is set to `offline`. {run.dir}")
    return run


def build(parameters, fate):
    if fate == "missing-module":
        import lion_pytorch  # noqa: F401 (nobody has installed it)
    return parameters


def resume_point(fate):
    if "--resume" in sys.argv:
        path = sys.argv[sys.argv.index("--resume") + 1]
        step = step_in(path)
        with open("resumed.tsv", "a") as file:
            file.write(f"{TASK}\t{step}\t{path}\t{os.environ.get('WANDB_RUN_ID', '-')}\n")
    elif ATTEMPT and fate.startswith("preempted"):
        step = 200
        path = f"{RUN}/checkpoints/step_200.pt"
        step_in(path)
    else:
        return 0
    print(f"Resumed from checkpoint {path} at step {step}")
    return step


def step_in(path):
    """The step, after the check that torch's and safetensors' own readers make."""
    file = os.path.join(path, "model.safetensors") if os.path.isdir(path) else path
    if file.endswith(".safetensors"):
        with open(file, "rb") as open_file:
            length = int.from_bytes(open_file.read(8), "little")
            return int(json.loads(open_file.read(length))["__metadata__"]["step"])
    with zipfile.ZipFile(file) as archive:
        if bad := archive.testzip():
            raise RuntimeError(f"PytorchStreamReader failed reading file {bad}: invalid header or archive is corrupted")
    return int("".join(c for c in os.path.basename(file).rpartition("step")[2] if c.isdigit()))


def train(model, parameters, tracker, fate, checkpoints, start):
    for step in range(start + 100, STEPS + 1, 100):
        if fate == "cuda-oom" and all(int(what[0]) < step for what in checkpoints):
            forward(model)
        time.sleep(0.02)
        value = loss(step, parameters)
        bar = "█" * (step // 100) + " " * (10 - step // 100)
        seconds = step // 50
        sys.stderr.write(
            f"\rEpoch {step // 100}/10: {step // 10:3d}%|{bar}| {step}/{STEPS} "
            f"[00:{seconds:02d}<00:{20 - seconds:02d}, 50.00it/s, loss={value:.3f}]"
        )
        tracker.history(step, {"loss": value, "epoch": step // 100})
        for what in checkpoints:
            if int(what[0]) == step:
                save(what, step)
        if (fate == "good" or fate == "resumed") and step == STEPS and TASK % 20 == 0:
            save([str(step), "torch", "good"], step)
        interrupt(fate, step)
    sys.stderr.write("\n")
    print(f"epoch=10, step={STEPS}, loss={loss(STEPS, parameters):.3f}")


def loss(step, parameters):
    return round(2.5 * math.exp(-step / 400) + 0.01 * parameters["seed"] + 0.1, 6)


def forward(model):
    allocate(2 + model["seed"] % 3)


def allocate(gib):
    raise OutOfMemoryError(
        f"CUDA out of memory. Tried to allocate {gib}.00 GiB. GPU 0 has a total capacity of 79.15 GiB of which "
        f"{gib - 1}.{TASK % 90 + 10} GiB is free. Process {os.getpid()} has 77.31 GiB memory in use."
    )


def interrupt(fate, step):
    """What comes from outside, at the step where it was planted."""
    if fate.startswith("host-kill") and step == 400:
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if fate in ("time-limit", "drifted") and step == 700:
        wait("time limit")
    if fate.startswith("node-fail") and ATTEMPT == 0 and step == 400:
        wait("node failure")
    if fate.startswith("preempted") and ATTEMPT == 0 and step == 300:
        wait("preemption")
    if fate in ("running", "preempted-running") and step == 500:
        wait("end of the test")


def wait(what):
    """Until Slurm, or whoever planted this, makes an end of it."""
    write(f"waiting/{TASK}", what)
    time.sleep(7200)


def save(what, step):
    """`step:format:condition`."""
    _, form, condition = what
    folder = os.path.join(RUN, "checkpoints")
    os.makedirs(folder, exist_ok=True)
    epoch = step // 100
    if form == "torch":
        path = os.path.join(folder, f"step_{step}.pt")
        formats.torch_zip(path, step, epoch, seed=TASK)
    elif form == "lightning":
        path = os.path.join(folder, f"epoch={epoch}-step={step}.ckpt")
        formats.torch_zip(path, step, epoch, seed=TASK)
    elif form == "safetensors":
        path = os.path.join(folder, f"step_{step}.safetensors")
        formats.safetensors(path, step, seed=TASK)
    elif form == "trainer":
        path = os.path.join(folder, f"checkpoint-{step}")
        save_trainer(path, step, epoch)
    else:
        raise ValueError(form)
    if condition == "tmp":  # the writer died before it gave the file its name
        os.rename(path, path + ".tmp")
    elif condition == "stateless":  # the trainer writes its state last
        os.remove(os.path.join(path, "trainer_state.json"))
    elif condition != "good":
        formats.damage(path, condition)
    print(f"\nSaved checkpoint {path}")


def save_trainer(path, step, epoch):
    os.makedirs(path, exist_ok=True)
    formats.safetensors(os.path.join(path, "model.safetensors"), step, seed=TASK)
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        formats.torch_zip(os.path.join(path, name), step, epoch, numbers=32, seed=TASK)
    state = {"global_step": step, "epoch": epoch, "max_steps": STEPS, "log_history": []}
    write(os.path.join(path, "trainer_state.json"), json.dumps(state))


if __name__ == "__main__":
    main()
