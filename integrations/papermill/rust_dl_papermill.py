"""Teaches papermill to write parameters in Rust.

papermill looks for engines of other packages when it is imported, which brings this module in; the
engine is papermill's own, and what matters is the translator that is registered on the way.

A parameter is assigned to, not bound anew, so that it keeps the type that the notebook gave it:
declare parameters in the cell tagged `parameters` with `let mut`, as in `let mut epochs: usize = 5;`.
"""

import math

from papermill.engines import NBClientEngine
from papermill.translators import Translator, papermill_translators


class Engine(NBClientEngine):
    """papermill's own way to run a notebook."""


class RustTranslator(Translator):
    """Writes values so that the type of what they are assigned to decides on theirs."""

    @classmethod
    def translate_str(cls, val):
        return f"{cls.text(val)}.into()"

    @classmethod
    def text(cls, val):
        plain = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
        shown = (plain.get(c) or (c if c.isprintable() else f"\\u{{{ord(c):x}}}") for c in val)
        return f'"{"".join(shown)}"'

    @classmethod
    def translate_bool(cls, val):
        return "true" if val else "false"

    @classmethod
    def translate_none(cls, val):
        return "None"

    @classmethod
    def translate_float(cls, val):
        if math.isfinite(val):
            return repr(float(val))
        # A division has the type it is wanted in.
        return "(0.0 / 0.0)" if math.isnan(val) else "(1.0 / 0.0)" if val > 0 else "(-1.0 / 0.0)"

    @classmethod
    def translate_list(cls, val):
        return f"[{', '.join(cls.translate(item) for item in val)}].into()"

    @classmethod
    def translate_tuple(cls, val):
        return f"({''.join(f'{cls.translate(item)}, ' for item in val)})"

    @classmethod
    def translate_dict(cls, val):
        pairs = (f"({cls.translate(str(key))}, {cls.translate(item)})" for key, item in val.items())
        return f"[{', '.join(pairs)}].into()"

    @classmethod
    def comment(cls, cmt_str):
        return f"// {cmt_str}"

    @classmethod
    def codify(cls, parameters, comment="Parameters"):
        lines = [cls.comment(comment), *(f"{name} = {cls.translate(val)};" for name, val in parameters.items())]
        return "\n".join(lines) + "\n"


papermill_translators.register("rust", RustTranslator)
