"""Writers of the files that training leaves behind, by hand: no torch, no safetensors, no wandb.

Checkpoints in the layouts of torch.save (a zip) and of safetensors, good ones and broken ones; W&B's offline
run folders as version 0.31 and as version 0.16 leave them.
"""

import io
import json
import os
import pickle
import random
import struct
import sys
import time
import types
import zipfile
import zlib

# --- torch -----------------------------------------------------------------------------------------------------------


def _names_of_torch():
    """The names that torch's pickles refer to, without torch. A pickle holds names, no code."""
    torch = types.ModuleType("torch")
    utils = types.ModuleType("torch._utils")

    class FloatStorage:
        pass

    def _rebuild_tensor_v2(*parts):
        raise NotImplementedError("a name to be pickled, never called")

    FloatStorage.__module__, FloatStorage.__qualname__ = "torch", "FloatStorage"
    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    torch.FloatStorage, torch._utils, utils._rebuild_tensor_v2 = FloatStorage, utils, _rebuild_tensor_v2
    sys.modules["torch"], sys.modules["torch._utils"] = torch, utils
    return FloatStorage, _rebuild_tensor_v2


class _Storage:
    def __init__(self, key, numbers):
        self.key, self.numbers = key, numbers


class _Tensor:
    def __init__(self, storage):
        self.storage = storage


class _Pickler(pickle.Pickler):
    storage_type, rebuild = map(staticmethod, _names_of_torch())

    def persistent_id(self, thing):
        if isinstance(thing, _Storage):
            return ("storage", self.storage_type, thing.key, "cpu", thing.numbers)
        return None

    def reducer_override(self, thing):
        if isinstance(thing, _Tensor):
            return self.rebuild, (thing.storage, 0, (thing.storage.numbers,), (1,), False, {})
        return NotImplemented


def torch_zip(path, step, epoch, numbers=256, seed=0):
    """What torch.save writes: stored members, each one's data at a multiple of 64 bytes."""
    storages = {"0": numbers, "1": numbers // 2}
    state = {
        "model": {"weight": _Tensor(_Storage("0", numbers)), "bias": _Tensor(_Storage("1", numbers // 2))},
        "optimizer": {"state": {"exp_avg": _Tensor(_Storage("1", numbers // 2))}, "param_groups": [{"lr": 0.001}]},
        "global_step": step,
        "epoch": epoch,
    }
    text = io.BytesIO()
    _Pickler(text, protocol=2).dump(state)
    noise = random.Random(f"{seed} {step}")
    members = [("data.pkl", text.getvalue()), ("byteorder", b"little")]
    members += [(f"data/{key}", noise.randbytes(4 * count)) for key, count in storages.items()]
    members += [("version", b"3\n"), (".data/serialization_id", b"1234567890")]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            entry = zipfile.ZipInfo(f"archive/{name}", (1980, 1, 1, 0, 0, 0))
            begin = archive.fp.tell() + 30 + len(entry.filename) + 4
            padding = -begin % 64
            entry.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
            archive.writestr(entry, data)


def safetensors(path, step, numbers=256, seed=0):
    """Eight bytes of length, JSON, data."""
    noise = random.Random(f"{seed} {step}")
    header = {"__metadata__": {"format": "pt", "step": str(step)}}
    at = 0
    for name, count in (("model.weight", numbers), ("model.bias", numbers // 2)):
        header[name] = {"dtype": "F32", "shape": [count], "data_offsets": [at, at + 4 * count]}
        at += 4 * count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + noise.randbytes(at))


# --- what goes wrong with files --------------------------------------------------------------------------------------


def damage(path, how):
    """Does to a file what crashes, quotas and bad memory do."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    if how == "truncated":  # the writer died
        del data[len(data) * 3 // 5 :]
    elif how == "empty":  # created, never written
        data.clear()
    elif how == "nul-tail":  # right size, the end never reached the disk
        half = len(data) // 2
        data[half:] = bytes(len(data) - half)
    elif how == "flipped":  # one bit of the last tensor: only a checksum can tell
        at = data.index(b"archive/data/1") + 400
        data[at] ^= 0x10
    elif how == "flipped-head":  # one bit where the layout is described
        at = data.rindex(b"PK\x01\x02") if data[:2] == b"PK" else data.index(b'"data_offsets": [') + 17
        data[at] ^= 0x01
    else:
        raise ValueError(how)
    with open(path, "wb") as file:
        file.write(data)


# --- W&B -------------------------------------------------------------------------------------------------------------


def _varint(number):
    number &= (1 << 64) - 1
    text = bytearray()
    while number > 0x7F:
        text.append(number & 0x7F | 0x80)
        number >>= 7
    text.append(number)
    return bytes(text)


def _field(number, value):
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, str):
        value = value.encode()
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _message(*fields):
    return b"".join(_field(number, value) for number, value in fields if value not in ("", None))


def _items(number, values, key):
    """Key and JSON value, as W&B writes configuration and history."""
    return [(number, _message((key, name), (16, json.dumps(value)))) for name, value in values.items()]


SLURM = "JOB_ID ARRAY_JOB_ID ARRAY_TASK_ID RESTART_COUNT JOB_NAME JOB_NODELIST JOB_PARTITION NNODES NTASKS".split()


class WandbFile:
    """A `.wandb` file: seven bytes, then records in LevelDB's log format."""

    BLOCK = 32 * 1024

    def __init__(self, path):
        self.file = open(path, "wb", buffering=0)
        self.file.write(b":W&B" + struct.pack("<HB", 0xBEE1, 0))
        self.at = 7
        self.records = 0

    def record(self, number, message):
        self.records += 1
        data = _message((1, self.records), (number, message))
        first = True
        while first or data:
            left = self.BLOCK - self.at % self.BLOCK
            if left < 7:
                self._write(bytes(left))
                continue
            part, data = data[: left - 7], data[left - 7 :]
            kind = (1 if not data else 2) if first else (4 if not data else 3)
            first = False
            crc = zlib.crc32(bytes([kind]) + part)
            self._write(struct.pack("<IHB", crc, len(part), kind) + part)

    def _write(self, data):
        self.file.write(data)
        self.at += len(data)


class WandbRun:
    """An offline run of W&B in DIR/wandb, as wandb 0.31 (`modern`) or 0.16 leaves it."""

    def __init__(self, dir, id, *, project, group, sweep, config, host, modern):
        self.id, self.modern, self.began = id, modern, time.time()
        stamp = time.strftime("%Y%m%d_%H%M%S", time.localtime(self.began))
        self.dir = os.path.join(dir, "wandb", f"offline-run-{stamp}-{id}")
        os.makedirs(os.path.join(self.dir, "files"))
        os.makedirs(os.path.join(self.dir, "logs"))
        os.makedirs(os.path.join(dir, "wandb", f"sweep-{sweep}"), exist_ok=True)
        # What `wandb init` writes; the program reads where runs go, and nothing else of it.
        self._text("../settings", f"[default]\nentity = lab\nproject = {project}\n")
        self._text(f"../sweep-{sweep}/config-{id}.yaml", _yaml_of_wandb(config, version=not modern))
        self._text("files/requirements.txt", "numpy==1.26.4\n")
        self._text("logs/debug-internal.log", "")
        self.log = WandbFile(os.path.join(self.dir, f"run-{id}.wandb"))
        self.log.record(21, _message((1, _message((1, "0.31.0" if modern else "0.16.6")))))
        seconds = int(self.began)
        self.log.record(
            17,
            _message(
                (1, id),
                (3, project),
                (4, b"".join(_field(*item) for item in _items(1, config, 1))),
                (6, group),
                (8, f"run-{id}"),
                (12, sweep),
                (13, host),
                (17, _message((1, seconds), (2, int((self.began - seconds) * 1e9)))),
            ),
        )
        if modern:
            # W&B takes every SLURM_ variable; here those that name no path and no host of this machine.
            slurm = {name.lower(): os.environ.get(f"SLURM_{name}") for name in SLURM}
            pairs = [(27, _message((1, name), (2, value))) for name, value in slurm.items() if value is not None]
            self.log.record(26, _message((1, "Linux-6.1"), (2, "3.11.2"), (6, "train.py"), (12, host), *pairs))
        else:
            # Written once, at the start, and never again: no sign of life.
            began = time.strftime("%Y-%m-%dT%H:%M:%S.000000", time.gmtime(self.began))
            facts = {"os": "Linux-6.1", "python": "3.11.2", "heartbeatAt": began, "startedAt": began, "host": host}
            facts |= {"program": "train.py", "state": "running"}
            self._text("files/wandb-metadata.json", json.dumps(facts, indent=4))
            self._text("files/config.yaml", _yaml_of_wandb(config, version=True))

    def history(self, step, values):
        self.log.record(2, _message(*_items(1, values | {"_step": step}, 1), (2, _message((1, step)))))
        self._text("files/output.log", f"step {step}\n", "a")

    def finish(self, code):
        self.log.record(18, _message((1, code), (2, int(time.time() - self.began))))
        if not self.modern:
            self._text("files/wandb-summary.json", json.dumps({"_runtime": time.time() - self.began}))

    def _text(self, name, text, mode="w"):
        with open(os.path.join(self.dir, name), mode) as file:
            file.write(text)


def _yaml_of_wandb(config, version):
    lines = ["wandb_version: 1", ""] if version else []
    for name, value in config.items():
        lines += [f"{name}:", f"  value: {json.dumps(value)}"]
    return "\n".join(lines) + "\n"
