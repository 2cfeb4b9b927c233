//! Brackets that are not closed, or close what was not opened.
//!
//! The compiler would tell it of the crate around the cell, whose own brackets the cell has eaten.

use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};

/// What is wrong: where, and in words.
#[derive(Debug, PartialEq, Eq)]
pub struct Unbalanced {
    /// The byte at which the bracket stands.
    pub at: usize,
    /// What is wrong with it.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// The first bracket of a cell that does not belong; `None` also where strings or comments are open.
pub fn unbalanced(code: &str) -> Option<Unbalanced> {
    let bracket = |c: char| "()[]{}".contains(c);
    // With something harmless in place of each bracket the text can be read as tokens, and shows
    // which of them stand in strings and comments.
    let flat: String = code
        .chars()
        .map(|c| if bracket(c) { ';' } else { c })
        .collect();
    let tokens = TokenStream::from_str(&flat).ok()?;
    let mut open: Vec<(usize, char)> = vec![];
    let mut found = None;
    for token in tokens {
        let TokenTree::Punct(token) = token else {
            continue;
        };
        let at = token.span().byte_range().start;
        match code[at..].chars().next() {
            Some(c @ ('(' | '[' | '{')) => open.push((at, c)),
            Some(c @ (')' | ']' | '}')) => {
                let opened = open.pop();
                if opened.map(|(_, opener)| closer(opener)) != Some(c) {
                    found = Some(wrong(at, c, opened));
                    break;
                }
            }
            _ => {}
        }
    }
    proc_macro2::extra::invalidate_current_thread_spans();
    found.or_else(|| {
        let (at, opener) = open.pop()?;
        Some(Unbalanced {
            at,
            message: format!("this `{opener}` is never closed"),
            hint: format!("add a `{}` where it ends", closer(opener)),
        })
    })
}

/// Where the text begins that is never closed: the first that goes over the end of its line, or else the last.
/// The compiler would point at the last quote, which in an earlier line's place opens what is none.
pub fn open_text(code: &str) -> Option<usize> {
    let mut letters = code.char_indices().peekable();
    let mut last = None;
    while let Some((at, letter)) = letters.next() {
        let rest = &code[at..];
        if rest.starts_with("//") {
            while letters.next_if(|&(_, letter)| letter != '\n').is_some() {}
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            while letters.next_if(|&(_, letter)| letter != '\'').is_some() {}
            letters.next();
        } else if letter == '"' {
            let mut over_line = false;
            let mut closed = false;
            while let Some((_, letter)) = letters.next() {
                match letter {
                    '\\' => {
                        letters.next();
                    }
                    '"' => {
                        closed = true;
                        break;
                    }
                    '\n' => over_line = true,
                    _ => {}
                }
            }
            if over_line || !closed {
                return Some(at);
            }
            last = Some(at);
        }
    }
    last
}

fn wrong(at: usize, closing: char, opened: Option<(usize, char)>) -> Unbalanced {
    match opened {
        None => Unbalanced {
            at,
            message: format!("this `{closing}` closes nothing"),
            hint: "take it away, or open it before".to_owned(),
        },
        Some((at, opener)) => Unbalanced {
            at,
            message: format!("this `{opener}` is closed by a `{closing}`"),
            hint: format!("add a `{}` before that", closer(opener)),
        },
    }
}

fn closer(opener: char) -> char {
    match opener {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bracket_that_does_not_belong_is_found() {
        for (code, at, message) in [
            ("if true { let z = 1;", 8, "this `{` is never closed"),
            ("f(1;\nlet y = 2;", 1, "this `(` is never closed"),
            ("let v = [1, (2];", 12, "this `(` is closed by a `]`"),
            ("let é = 1; }", 12, "this `}` closes nothing"),
        ] {
            let found = unbalanced(code).expect(code);
            assert_eq!((found.at, found.message.as_str()), (at, message), "{code}");
        }
        for code in [
            "let s = \"{ (\"; // {\nlet c = '(';",
            "/* { */ vec![(1, 2)]",
            "\"open",
        ] {
            assert_eq!(unbalanced(code), None, "{code}");
        }
    }

    #[test]
    fn a_text_without_end_is_told_from_where_it_begins() {
        let code = "let s = \"unclosed;\nprintln!(\"{s}\");";
        assert_eq!(open_text(code), Some(8));
        assert_eq!(open_text("f(\"a\\\"b\", '\"', \"c); // \""), Some(15));
        assert_eq!(open_text("// \"\nx"), None);
    }
}
