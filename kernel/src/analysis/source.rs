//! The code that rust-analyzer sees: what the session has defined, then the cell.

use super::{Completions, code_points};
use crate::engine::{SessionView, split_commands};
use std::fmt::Write as _;

/// A cell behind a prefix that defines what the session knows.
#[derive(Debug, PartialEq)]
pub struct Source {
    /// Prefix and cell.
    pub text: String,
    /// The cursor in `text`, in bytes.
    pub offset: usize,
    prefix: usize,
}

impl Source {
    /// `at` is the cursor in `code`, in bytes.
    pub fn of(view: &SessionView, code: &str, at: usize) -> Source {
        let mut text = String::new();
        for line in &view.crates {
            let _ = writeln!(text, ":dep {line}");
        }
        text.push_str("use dlcore::prelude::*;\n");
        for item in &view.items {
            text.push_str(item);
            text.push('\n');
        }
        for variable in &view.variables {
            let mutable = if variable.mutable { "mut " } else { "" };
            let _ = writeln!(
                text,
                "let {mutable}{}: {} = todo!();",
                variable.name, variable.type_name
            );
        }
        let prefix = text.len();
        text.push_str(&split_commands(code).1);
        Source {
            text,
            offset: prefix + at,
            prefix,
        }
    }

    /// Completions found in `text`, counted in code points of `code`; `None` when they would
    /// replace something outside of it.
    pub fn in_code(&self, found: Completions, code: &str) -> Option<Completions> {
        let position = |at: usize| {
            let at = at.checked_sub(self.prefix)?;
            code.is_char_boundary(at).then(|| code_points(code, at))
        };
        Some(Completions {
            start: position(found.start)?,
            end: position(found.end)?,
            ..found
        })
    }
}

/// The end of the name that `at` stands in or right behind; `None` when there is no name.
pub fn end_of_name(code: &str, at: usize) -> Option<usize> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let after = code[at..].find(|c| !is_name(c)).unwrap_or(code[at..].len());
    let end = at + after;
    let start = code[..end]
        .char_indices()
        .rev()
        .take_while(|&(_, c)| is_name(c))
        .last()
        .map(|(start, _)| start)?;
    (start < end).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Variable;

    fn view() -> SessionView {
        SessionView {
            items: vec!["fn f() {}".to_owned()],
            crates: vec![],
            variables: vec![Variable {
                name: "é".to_owned(),
                type_name: "Tensor".to_owned(),
                mutable: true,
            }],
        }
    }

    #[test]
    fn the_cell_stands_behind_what_the_session_defines() {
        let code = "é.sh";
        let source = Source::of(&view(), code, code.len());
        assert_eq!(
            source.text,
            "use dlcore::prelude::*;\nfn f() {}\nlet mut é: Tensor = todo!();\né.sh"
        );
        assert_eq!(source.offset, source.text.len());
        let found = Completions {
            matches: vec![],
            start: source.text.len() - 2,
            end: source.text.len(),
            loading: false,
        };
        let there = source.in_code(found, code).unwrap();
        assert_eq!((there.start, there.end), (2, 4));
    }

    #[test]
    fn what_would_change_the_prefix_is_refused() {
        let source = Source::of(&view(), "x", 1);
        assert!(source.in_code(Completions::default(), "x").is_none());
    }

    #[test]
    fn names_end_where_they_end() {
        let code = "x.reshape([2])";
        assert_eq!(end_of_name(code, 4), Some(9));
        assert_eq!(end_of_name(code, 9), Some(9));
        assert_eq!(end_of_name(code, 0), Some(1));
        assert_eq!(end_of_name("( )", 1), None);
        assert_eq!(end_of_name("", 0), None);
    }
}
