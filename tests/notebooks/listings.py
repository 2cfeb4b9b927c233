"""Where each listing of the book has its counterpart, and how many lines of code each of the two takes.

usage: listings.py           writes the table into notebooks/README.md
       listings.py --check   fails where a cell is missing, no longer does what the listing does or takes more than 1.3 times its
                             lines, or where the table is old

Lines are counted alike: without blank lines, comments and lines that only print. What Python needs to import is counted, since
the listings show it; here there is nothing to import. The listings themselves are not here, only how long they are; these numbers
were written down from memory of the book and may be off by a line or two, those of Rust are counted from the notebooks.
"""

import argparse
import dataclasses
import pathlib
import sys

import nbformat

NOTEBOOKS = pathlib.Path(__file__).resolve().parents[2] / "notebooks"
README = NOTEBOOKS / "README.md"
BEGIN, END = "<!-- listings -->", "<!-- end of listings -->"
MOST = 1.3


@dataclasses.dataclass(frozen=True)
class Listing:
    """Listings of the book that belong together, their lines of Python, and the cells that do the same, which `shows` tells them by."""

    numbers: str
    says: str
    python: int
    notebook: str
    cells: tuple[str, ...]
    shows: str


LISTINGS = [
    Listing("2.1", "load MNIST", 2, "02-1-first-network", ("mnist-load",), "mnist::load"),
    Listing("2.2", "the network", 5, "02-1-first-network", ("mnist-build",), "Dense::new(512)"),
    Listing("2.3", "compile", 3, "02-1-first-network", ("mnist-compile-call",), ".compile("),
    Listing("2.4, 2.5", "prepare pictures and labels", 7, "02-1-first-network", ("mnist-prepare-call",), "to_categorical("),
    Listing("2.6", "show a digit", 4, "02-2-tensors", ("tensor-digit",), "plot::image("),
    Listing("3.1", "load IMDB", 3, "03-4-imdb", ("imdb-load",), "imdb::load"),
    Listing("3.2", "encode", 10, "03-4-imdb", ("imdb-vectorize",), "multi_hot("),
    Listing("3.3", "the model", 6, "03-4-imdb", ("imdb-build",), "Dense::new(16)"),
    Listing("3.4", "compile", 3, "03-4-imdb", ("imdb-compile-names",), '.compile("rmsprop"'),
    Listing("3.5", "configure the optimizer", 4, "03-4-imdb", ("imdb-compile-configured",), ".learning_rate("),
    Listing("3.6", "loss and metric as values", 5, "03-4-imdb", ("imdb-compile-custom",), "Loss::binary_crossentropy()"),
    Listing("3.7", "set aside", 4, "03-4-imdb", ("imdb-split",), ".slice(..10_000)"),
    Listing("3.8", "train", 8, "03-4-imdb", ("imdb-compile", "imdb-fit"), ".validation_data("),
    Listing("3.9, 3.10", "curves", 22, "03-4-imdb", ("imdb-curves-plot",), "history.plot()"),
    Listing("3.11", "retrain", 9, "03-4-imdb", ("imdb-refit-fit", "imdb-refit-evaluate"), "Fit::epochs(4)"),
    Listing("3.12", "load Reuters", 3, "03-5-reuters", ("reuters-load",), "reuters::load"),
    Listing("3.13", "decode", 4, "03-5-reuters", ("reuters-first",), ".decode("),
    Listing("3.14", "encode", 8, "03-5-reuters", ("reuters-vectorize",), "to_categorical("),
    Listing("3.15, 3.16", "the model, compiled", 9, "03-5-reuters", ("reuters-build",), "Dense::new(46)"),
    Listing("3.17 to 3.20", "set aside, train, curves", 29, "03-5-reuters", ("reuters-fit",), ".validation_data("),
    Listing("3.21", "retrain", 13, "03-5-reuters", ("reuters-refit",), "Fit::epochs(8)"),
    Listing("3.22", "predict", 1, "03-5-reuters", ("reuters-predict",), ".predict("),
    Listing("3.23", "a bottleneck", 12, "03-5-reuters", ("reuters-bottleneck",), "topic_network(4)"),
    Listing("3.24", "load Boston", 2, "03-6-boston", ("boston-load",), "boston_housing::load"),
    Listing("3.25", "normalize", 6, "03-6-boston", ("boston-normalize",), ".std_axis("),
    Listing("3.26", "the model", 9, "03-6-boston", ("boston-build",), '"mse"'),
    Listing("3.27", "k-fold", 21, "03-6-boston", ("boston-kfold-fn", "boston-kfold"), "build_model()"),
    Listing("3.28 to 3.30", "errors by epoch, their mean, its curve", 26, "03-6-boston", ("boston-long",), 'get("val_mae")'),
    Listing("3.31", "smoothed", 14, "03-6-boston", ("boston-smooth",), "fn smooth("),
    Listing("3.32", "the final model", 4, "03-6-boston", ("boston-final",), "Fit::epochs(80)"),
    Listing("4.1", "hold-out", 11, "04-2-evaluation", ("evaluation-holdout",), ".evaluate("),
    Listing("4.2", "k-fold", 17, "04-2-evaluation", ("evaluation-kfold",), "fn k_fold("),
    Listing("4.3 to 4.5", "the original model, a smaller, a larger", 14, "04-4-overfitting", ("overfitting-capacity", "overfitting-large"), "stack(512)"),
    Listing("4.6", "weight decay", 7, "04-4-overfitting", ("overfitting-l2-build",), "Regularizer::l2("),
    Listing("4.8", "dropout", 6, "04-4-overfitting", ("overfitting-dropout-build",), "Dropout::new("),
]


def lines(source: str) -> int:
    """Lines of code, without those of a println!."""
    count, printing = 0, False
    for line in source.splitlines():
        line = line.strip()
        if not line or line.startswith("//"):
            continue
        code = line.split(" //")[0].rstrip()
        printing = printing or code.startswith("println!")
        if printing:
            printing = not code.endswith(";")
            continue
        count += 1
    return count


def row(listing: Listing) -> tuple[str, float]:
    notebook = nbformat.read(NOTEBOOKS / f"{listing.notebook}.ipynb", as_version=4)
    sources = {cell["id"]: cell.source for cell in notebook.cells if cell.cell_type == "code"}
    if missing := [cell for cell in listing.cells if cell not in sources]:
        raise SystemExit(f"listing {listing.numbers}: {listing.notebook} has no cell {missing[0]}")
    if not any(listing.shows in sources[cell] for cell in listing.cells):
        raise SystemExit(f"listing {listing.numbers}: no {listing.shows} in {listing.notebook}, {' and '.join(listing.cells)}: is it still its counterpart?")
    rust = sum(lines(sources[cell]) for cell in listing.cells)
    cells = ", ".join(f"`{cell}`" for cell in listing.cells)
    place = f"[{listing.notebook[:4]}]({listing.notebook}.ipynb) {cells}"
    return f"| {listing.numbers} {listing.says} | {place} | {listing.python} | {rust} | {rust / listing.python:.2f} |", rust / listing.python


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    rows = [row(listing) for listing in LISTINGS]
    head = ["| listing | cell | Python (from memory) | Rust (counted) | ratio |", "|---|---|---|---|---|"]
    table = "\n".join(head + [text for text, _ in rows])
    before, rest = README.read_text().split(BEGIN)
    old, after = rest.split(END)
    long = [listing.numbers for listing, (_, ratio) in zip(LISTINGS, rows) if ratio > MOST]
    for numbers in long:
        print(f"FAILED listing {numbers}: its cell takes more than {MOST} times the lines")
    if not check:
        README.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")
        return 1 if long else 0
    if fresh := old.strip() != table:
        print("FAILED the table of listings in notebooks/README.md is old; run listings.py")
    print(f"{len(rows) - len(long)} checks passed, {len(long) + fresh} failed: lines of code beside the book's listings")
    return 1 if long or fresh else 0


if __name__ == "__main__":
    sys.exit(main())
