#!/usr/bin/env python3
"""Makes tests/gpu/check: one file that says on a machine with a card whether everything works there.

    python tests/gpu/bundle.py [FILE]            # target/gpu-check unless said
    scp target/gpu-check machine: && ssh machine ./gpu-check

It carries the test program and the training program, built here in release mode, and MNIST where DLCORE_DATA has it.
There it needs NVIDIA's driver, NVRTC and cuBLAS; no network, no Rust. It runs every operation and layer on the card
against the processor, trains the same networks on both, takes seconds an epoch, and, where PyTorch is installed, those of
PyTorch. All that it says goes into gpu-check.txt, too, or the file that REPORT names: the card, its driver, the figures.
Ends with 0 if all is well, 1 if something is not, 2 where there is no card that can be used.
"""

import base64
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile

REPO = pathlib.Path(__file__).resolve().parents[2]
# The file, and the checksums of a directory that has others than the published ones.
MNIST = ["mnist.npz", "SHA256SUMS"]

LAUNCHER = """#!/bin/sh
# Made by tests/gpu/bundle.py; see there. What follows the line with PAYLOAD is an archive.
set -u
work=$(mktemp -d "${TMPDIR:-/tmp}/gpu-check.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
tail -n +"$(($(grep -an '^PAYLOAD$' "$0" | head -1 | cut -d: -f1) + 1))" "$0" | base64 -d | tar -xzf - -C "$work" || exit 1
report=${REPORT:-$PWD/gpu-check.txt}
{ sh "$work/check.sh" "$work" || echo $? >"$work/status"; } 2>&1 | tee "$report"
echo "This is in $report."
exit "$(cat "$work/status" 2>/dev/null || echo 0)"
PAYLOAD
"""


def built(arguments, name):
    """The path of an executable that cargo builds."""
    command = ["cargo", *arguments, "--release", "--locked", "-p", "dlcore", "--message-format=json"]
    out = subprocess.run(command, cwd=REPO, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    paths = [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == name]
    return pathlib.Path(paths[-1])


def pack(suite, device_check, data, to):
    """Writes the file of these programs and of what there is of MNIST; returns the names of what is in it."""
    files = {
        "check.sh": REPO / "tests/gpu/check.sh",
        "epochs_torch.py": REPO / "tests/gpu/epochs_torch.py",
        "suite": suite,
        "device_check": device_check,
    }
    files |= {f"data/{name}": data / name for name in MNIST if (data / name).is_file()}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, path in files.items():
            archive.add(path, name)
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(LAUNCHER.encode() + base64.encodebytes(packed.getvalue()))
    to.chmod(0o755)
    return list(files)


def main():
    to = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else REPO / "target/gpu-check"
    suite = built(["test", "--no-run", "--lib"], "dlcore")
    device_check = built(["build", "--example", "device_check"], "device_check")
    names = pack(suite, device_check, pathlib.Path(os.environ.get("DLCORE_DATA", "/nowhere")), to)
    print(f"{to}: {to.stat().st_size / 1e6:.0f} MB, with {', '.join(names)}")


if __name__ == "__main__":
    main()
