#!/usr/bin/env python3
"""Builds libraries that take the place of NVIDIA's, with the processor as the card.

    python tests/gpu/simulated/build.py DIRECTORY
    LD_LIBRARY_PATH=DIRECTORY DLCORE_DEVICE=cuda cargo test -p dlcore

The kernels are those of dlcore/src/device/cuda/kernels, compiled by g++ with the few words of CUDA C in shim.h. So
the whole way to a card is run, and every kernel's arithmetic, where there is no card. Needs g++ on x86-64.
"""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from compile_kernels import source  # noqa: E402

FLAGS = ["-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-Wall", "-Wno-unused-variable", f"-I{HERE}"]


def kernels(text):
    """The names of all kernels, and whether their threads wait for each other."""
    plain = subprocess.run(
        ["g++", "-E", "-P", "-x", "c++", "-"], input=text, capture_output=True, text=True, check=True
    ).stdout
    found = re.findall(r'extern "C" __global__ void (__launch_bounds__\(\d+\) )?(\w+)', plain)
    return [(name, bool(bounds)) for bounds, name in found]


def registry(text):
    """The kernels' source, then a table of them."""
    rows = "".join(
        f'    {{"{name}", {str(waits).lower()}, [](void** arguments) {{ call(&{name}, arguments); }}}},\n'
        for name, waits in kernels(text)
    )
    # Each line is a literal; neighbours are joined. The last one has no line's end.
    parts = ' "\\n"\n'.join(f'R"source({line})source"' for line in text.split("\n"))
    return (
        f'#include "shim.h"\n{text}\n#line 1 "registry"\n'
        f"extern const Kernel KERNELS[] = {{\n{rows}    {{nullptr, false, nullptr}},\n}};\n"
        f"extern const char* const SOURCE = {parts};\n"
    )


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    to = pathlib.Path(sys.argv[1])
    to.mkdir(parents=True, exist_ok=True)
    text = source()
    generated = to / "kernels.cpp"
    generated.write_text(registry(text))
    for name, sources in [
        ("libcuda.so.1", [HERE / "libcuda.cpp", generated]),
        ("libnvrtc.so.12", [HERE / "libnvrtc.cpp"]),
        ("libcublas.so.12", [HERE / "libcublas.cpp"]),
        ("libnccl.so.2", [HERE / "libnccl.cpp", "-pthread"]),
    ]:
        new = to / f".{name}.new"
        subprocess.run(["g++", *FLAGS, f"-Wl,-soname,{name}", *map(str, sources), "-o", str(new)], check=True)
        new.replace(to / name)
    print(f"{to}: {len(kernels(text))} kernels")


if __name__ == "__main__":
    main()
