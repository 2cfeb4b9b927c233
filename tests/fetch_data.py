"""Fetches the canonical data sets into a directory, verified: fetch_data.py DIR.

The directory gets a SHA256SUMS of its own, so that dlcore trusts it by DLCORE_DATA.
"""

import hashlib
import pathlib
import sys
import urllib.request

BASE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
# As Keras publishes them: SHA-256, for the word index MD5.
FILES = {
    "mnist.npz": ("sha256", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"),
    "imdb.npz": ("sha256", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"),
    "imdb_word_index.json": ("md5", "bfafd718b763782e994055a2d397834f"),
}


def fetch(directory: pathlib.Path, name: str, algorithm: str, expected: str) -> str:
    path = directory / name
    if not path.exists():
        print(f"fetching {name}", flush=True)
        part = path.with_suffix(path.suffix + ".part")
        with urllib.request.urlopen(BASE + name, timeout=60) as response, part.open("wb") as out:
            while block := response.read(1 << 20):
                out.write(block)
        part.rename(path)
    found = hashlib.new(algorithm, path.read_bytes()).hexdigest()
    if found != expected:
        path.unlink()
        raise SystemExit(f"{name}: {algorithm} is {found}, expected {expected}; the file was removed, run this again")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    try:
        sums = {name: fetch(directory, name, *check) for name, check in FILES.items()}
    except OSError as error:
        raise SystemExit(f"fetch_data.py: {error} ({BASE})") from error
    (directory / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))


if __name__ == "__main__":
    main()
