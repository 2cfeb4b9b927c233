"""Records scikit-learn's decisions on four two-dimensional data sets, for dlcore/src/classical/parity.rs.

    KERAS_ENV/bin/python tests/parity/classical.py

Each classifier is fitted with its defaults (and random_state 0 where it draws) and decides on a grid of 40 x 40
points over the training data and on 100 points that it has not seen; of its probabilities (of an SVM the decision
function) the first 20 of these points are kept. The points of the data makers stand beside them.
"""

import json
import pathlib
import warnings

import numpy as np
import sklearn
from sklearn import datasets
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

warnings.simplefilter("error")
SIDE, TEST = 40, 100


def numbers(array, digits=9):
    return [float(f"{v:.{digits}g}") for v in np.asarray(array).ravel()]


def sets():
    yield "moons", datasets.make_moons(300, noise=0.25, random_state=3)
    yield "circles", datasets.make_circles(300, noise=0.12, factor=0.5, random_state=4)
    yield "blobs", datasets.make_blobs(320, centers=4, cluster_std=1.6, random_state=8)
    yield "clusters", datasets.make_classification(
        320, n_features=2, n_informative=2, n_redundant=0, n_clusters_per_class=1, n_classes=3,
        class_sep=1.0, flip_y=0.05, random_state=6)


CLASSIFIERS = {
    "GaussianNB": GaussianNB(),
    "LogisticRegression": LogisticRegression(),
    "SVC linear": SVC(kernel="linear"),
    "SVC rbf": SVC(),
    "DecisionTreeClassifier": DecisionTreeClassifier(random_state=0),
    "RandomForestClassifier": RandomForestClassifier(random_state=0),
    "GradientBoostingClassifier": GradientBoostingClassifier(random_state=0),
}


def grid(x):
    """The points row by row, from the least to the greatest of each feature with half a unit around."""
    (a, b), (c, d) = x.min(axis=0) - 0.5, x.max(axis=0) + 0.5
    xs, ys = np.linspace(a, c, SIDE, dtype="float32"), np.linspace(b, d, SIDE, dtype="float32")
    return np.stack([np.tile(xs, SIDE), np.repeat(ys, SIDE)], axis=1), [xs, ys]


def record(name, x, y):
    # Tensors are single precision: so is what scikit-learn sees.
    x = x.astype("float32")
    seen, unseen = slice(0, len(x) - TEST), slice(len(x) - TEST, None)
    points, axes = grid(x[seen])
    cases = {}
    for kind, classifier in CLASSIFIERS.items():
        classifier.fit(x[seen].astype("float64"), y[seen])
        decide = lambda at: "".join(str(label) for label in classifier.predict(at.astype("float64")))
        few = x[unseen][:20].astype("float64")
        has_proba = not isinstance(classifier, SVC)
        cases[kind] = {
            "grid": decide(points), "test": decide(x[unseen]),
            "values": numbers(classifier.predict_proba(few) if has_proba else classifier.decision_function(few)),
            "score": classifier.score(x[unseen].astype("float64"), y[unseen]),
        }
        if kind == "RandomForestClassifier":
            other = RandomForestClassifier(random_state=1).fit(x[seen], y[seen])
            same = np.mean(other.predict(points) == classifier.predict(points))
            print(f"{name}: forests of two seeds agree on {same:.2%} of the grid")
    return {
        "name": name, "x": numbers(x[seen]), "y": y[seen].tolist(), "test_x": numbers(x[unseen]),
        "test_y": y[unseen].tolist(), "xs": numbers(axes[0]), "ys": numbers(axes[1]), "cases": cases,
    }


def maker(x, y):
    return {"x": numbers(x), "y": y.tolist()}


content = {
    "scikit-learn": sklearn.__version__,
    "sets": [record(name, x, y) for name, (x, y) in sets()],
    "makers": {
        "moons": maker(*datasets.make_moons(11, noise=0.1, random_state=5)),
        "moons without noise": maker(*datasets.make_moons(6, random_state=5)),
        "circles": maker(*datasets.make_circles(11, noise=0.05, factor=0.3, random_state=6)),
        "blobs": maker(*datasets.make_blobs(10, centers=3, cluster_std=2.0, random_state=7)),
    },
}
path = pathlib.Path(__file__).with_name("fixtures") / "classical.json"
path.write_text(json.dumps(content, separators=(",", ":")) + "\n")
print(f"{path}: {path.stat().st_size} bytes")
