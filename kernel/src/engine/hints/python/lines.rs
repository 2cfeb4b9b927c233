//! Lines that are no Rust but a habit of notebooks in Python.

/// A line that is no Rust but a habit of notebooks in Python.
pub(in crate::engine::hints) fn line(line: &str) -> Option<String> {
    let first = line.split([' ', '(', ':']).next().unwrap_or_default();
    if is_comment(line) {
        return Some("a comment begins with `//` in Rust".into());
    }
    if line.starts_with("%matplotlib") {
        return Some("leave it out: plots show themselves".into());
    }
    if line.starts_with("%time") {
        return Some("commands begin with a colon: `:time x.dot(&y)` says how long something takes (`:help` lists them)".into());
    }
    if line.starts_with('%') {
        return Some("commands of this kernel begin with a colon: `:help` lists them".into());
    }
    if line.starts_with("!pip") || line.starts_with("pip ") || line.starts_with("!conda") {
        return Some("nothing needs to be installed; a crate is added by `:dep rand = \"0.9\"` at the head of a cell".into());
    }
    if line.starts_with('!') {
        return Some(SHELL.into());
    }
    let said = match first {
        "def" => "a function is written `fn half(x: f64) -> f64 { x / 2.0 }`",
        "class" => {
            "a type of your own is a `struct`, its methods stand in an `impl`; `:doc Layer` shows a layer of your own"
        }
        "import" | "from" => {
            "nothing needs to be imported: everything of dlcore is in reach (`:help`)"
        }
        "del" => "a variable goes by `drop(x);`",
        "with" => {
            "there is no `with`: what was opened is closed at the end of its block `{ … }`; a tape is `GradientTape::new()`"
        }
        "try" => {
            "what may fail returns a Result: `?` behind it ends the cell with the error, `match` looks at both"
        }
        "assert" => "it is a macro: `assert!(x.len() == 3);`, `assert_eq!(x.shape(), [3]);`",
        _ => return None,
    };
    Some(said.into())
}

/// Whether a line has a comment of Python's: a `#` that stands in no text and begins no attribute.
fn is_comment(line: &str) -> bool {
    let (mut text, mut escaped, mut before) = (None, false, ' ');
    for (at, letter) in line.char_indices() {
        let rest = &line[at + letter.len_utf8()..];
        match (text, letter) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if letter == open => text = None,
            (Some(_), _) => {}
            (None, '"') => text = Some('"'),
            (None, '\'') if rest.contains('\'') => text = Some('\''),
            (None, '/') if rest.starts_with('/') => return false,
            (None, '#') if before.is_whitespace() || before == ';' => {
                return !rest.starts_with(['[', '!', '"']);
            }
            _ => {}
        }
        before = letter;
    }
    false
}

/// `!ls`, which Rust reads as a negation.
pub(in crate::engine::hints) const SHELL: &str =
    "cells run no commands of the shell: open a terminal beside the notebook (File, New, Terminal)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_python_stand_in_no_text() {
        for line in [
            "# all",
            "let q = 1; # one",
            "let q = \"a\"; # one",
            "f(x) #one",
        ] {
            assert!(is_comment(line), "{line}");
        }
        for line in [
            "let label = \"Run # 1\"",
            "#[derive(Debug)]",
            "#![allow(unused)]",
            "let q = 1; // # one",
            "let q = r#\"a # b\"#;",
            "let q = \"a \\\" # b\";",
        ] {
            assert!(!is_comment(line), "{line}");
        }
    }
}
