#!/usr/bin/env python3
"""Compiles the CUDA kernels for sm_70, sm_80 and sm_90 with NVRTC, which needs no card.

    python tests/gpu/compile_kernels.py [libnvrtc.so.12]

NVRTC is that of the Python package nvidia-cuda-nvrtc-cu12 (tests/gpu/requirements.txt), unless a library is named.
The source and the options are those of dlcore/src/device/cuda/compiler.rs. Fails at any error or warning.
"""

import ctypes
import pathlib
import re
import site
import sys

CUDA = pathlib.Path(__file__).resolve().parents[2] / "dlcore/src/device/cuda"
ARCHITECTURES = ["sm_70", "sm_80", "sm_90"]


def source():
    """The kernels' files in the order that compiler.rs gives, as one text."""
    names = re.findall(r'include_str!\("kernels/([^"]+)"\)', (CUDA / "compiler.rs").read_text())
    unused = {path.name for path in (CUDA / "kernels").iterdir()} - set(names)
    if unused or not names:
        sys.exit(f"compiler.rs does not take {sorted(unused)}")
    return "".join(f'#line 1 "{name}"\n{(CUDA / "kernels" / name).read_text()}\n' for name in names)


def options():
    rust = re.search(r"const OPTIONS: &\[&str\] = &\[(.*?)\];", (CUDA / "compiler.rs").read_text(), re.S)
    return re.findall(r'"([^"]+)"', rust.group(1))


def library():
    if len(sys.argv) > 1:
        return sys.argv[1]
    for folder in site.getsitepackages():
        for path in sorted(pathlib.Path(folder).glob("nvidia/cuda_nvrtc/lib/libnvrtc.so.*")):
            return str(path)
    sys.exit("NVRTC was not found: pip install -r tests/gpu/requirements.txt")


def compile_for(nvrtc, text, architecture):
    """The size of the machine code and the compiler's words."""
    program = ctypes.c_void_p()
    code = nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"dlcore.cu", 0, None, None)
    assert code == 0, f"nvrtcCreateProgram: {code}"
    given = [option.encode() for option in [*options(), f"--gpu-architecture={architecture}"]]
    code = nvrtc.nvrtcCompileProgram(program, len(given), (ctypes.c_char_p * len(given))(*given))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    words = log.value.decode().strip()
    if code != 0:
        return 0, words or f"nvrtcCompileProgram: {code}"
    nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    image = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetCUBIN(program, image)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return len(image.raw), words


def main():
    nvrtc = ctypes.CDLL(library())
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    text, failed = source(), False
    for architecture in ARCHITECTURES:
        size, words = compile_for(nvrtc, text, architecture)
        print(f"{architecture}: NVRTC {major.value}.{minor.value}, {size} bytes of machine code")
        if words:
            print(words)
            failed = True
    if failed:
        sys.exit(1)
    print(f"{len(ARCHITECTURES)} checks passed")


if __name__ == "__main__":
    main()
