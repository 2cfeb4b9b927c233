"""Fetches the canonical data sets into a directory, verified: fetch_data.py DIR.

The directory gets a SHA256SUMS of its own, so that dlcore trusts it by DLCORE_DATA.
"""

import hashlib
import pathlib
import sys
import urllib.request

BASE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
# As Keras publishes them: SHA-256, for the word indexes MD5; of Fashion-MNIST it publishes none.
FILES = {
    "mnist.npz": ("sha256", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"),
    "imdb.npz": ("sha256", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"),
    "imdb_word_index.json": ("md5", "bfafd718b763782e994055a2d397834f"),
    "reuters.npz": ("sha256", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"),
    "reuters_word_index.json": ("md5", "4d44cc38712099c9e383dc6e5f11a921"),
    "boston_housing.npz": ("sha256", "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"),
    "fashion_mnist/train-images-idx3-ubyte.gz": (
        "sha256", "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    "fashion_mnist/train-labels-idx1-ubyte.gz": (
        "sha256", "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    "fashion_mnist/t10k-images-idx3-ubyte.gz": (
        "sha256", "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    "fashion_mnist/t10k-labels-idx1-ubyte.gz": (
        "sha256", "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
}


def fetch(directory: pathlib.Path, name: str, algorithm: str, expected: str) -> str:
    path = directory / name
    if not path.exists():
        print(f"fetching {name}", flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(path.suffix + ".part")
        with urllib.request.urlopen(BASE + path.name, timeout=60) as response, part.open("wb") as out:
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
