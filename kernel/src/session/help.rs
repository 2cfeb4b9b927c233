//! `name?` and `name??`: documentation as the answer to a cell.

use super::Session;
use crate::analysis::did_you_mean;
use crate::display::media;
use crate::engine::SessionView;
use jupyter_protocol::Payload;
use serde_json::{Map, Value};

/// What a cell that asks for help asks about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'c> {
    /// A name, or a path to one.
    pub(super) path: &'c str,
    /// Whether the source is wanted, too.
    pub(super) full: bool,
}

/// The question of a cell that is nothing but one: `name?`, `name??`, `?name`, `??name`, `:doc name`.
///
/// `result?` is also Rust: with a variable of that type it stays what it is there.
pub(super) fn asked<'c>(code: &'c str, view: &SessionView) -> Option<Asked<'c>> {
    let code = code.trim();
    if let Some(path) = code.strip_prefix(":doc ").map(str::trim)
        && is_path(path)
    {
        return Some(Asked { path, full: false });
    }
    let path = code.trim_matches('?');
    let marks = code.len() - path.len();
    let one_side = code.starts_with('?') != code.ends_with('?');
    if !(1..=2).contains(&marks) || !one_side || !is_path(path) {
        return None;
    }
    let fails = |type_name: &str| {
        let written = type_name.replace(' ', "");
        written.contains("Result<") || written.contains("Option<")
    };
    let is_rust = view
        .variables
        .iter()
        .any(|variable| variable.name == path && fails(&variable.type_name) && code.ends_with('?'));
    (!is_rust).then_some(Asked {
        path,
        full: marks == 2,
    })
}

fn is_path(text: &str) -> bool {
    let names = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '!');
    text.starts_with(|c: char| c.is_alphabetic() || c == '_') && text.chars().all(names)
}

impl Session {
    /// What a frontend shows for a question.
    pub(super) async fn help(&self, asked: &Asked<'_>) -> Payload {
        let end = asked.path.trim_end_matches('!').chars().count();
        let found = self
            .analysis
            .inspect(&self.view, asked.path, end, asked.full)
            .await;
        Payload::Page {
            data: media(
                found.unwrap_or_else(|| not_found(asked.path, &self.analysis.near(asked.path))),
            ),
            start: 0,
        }
    }
}

fn not_found(path: &str, near: &[String]) -> Map<String, Value> {
    let more = match near {
        [] => "`:help` shows what there is; a name of your own is known once its cell has run."
            .to_owned(),
        near => did_you_mean(near),
    };
    let text = format!("Nothing is known of `{path}`. {more}");
    [("text/plain".to_owned(), Value::from(text))]
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Variable;

    #[test]
    fn questions_are_told_from_rust() {
        let variable = |name: &str, type_name: &str| Variable {
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            mutable: false,
        };
        let view = SessionView {
            variables: vec![
                variable("read", "Result < u8 , String >"),
                variable("model", "Sequential"),
            ],
            ..SessionView::default()
        };
        let path = |code| asked(code, &view).map(|asked| (asked.path, asked.full));
        assert_eq!(path(" Tensor::zeros?\n"), Some(("Tensor::zeros", false)));
        assert_eq!(path("model.fit??"), Some(("model.fit", true)));
        assert_eq!(path("model?"), Some(("model", false)));
        assert_eq!(path("?read"), Some(("read", false)));
        assert_eq!(path(":doc Dense::new"), Some(("Dense::new", false)));
        assert_eq!(path(":doc"), None);
        for rust in [
            "read?",
            "f()?",
            "?",
            "a???",
            "?a?",
            "1?",
            "a b?",
            "let a = b?",
            "",
            "\"a?\"",
        ] {
            assert_eq!(path(rust), None, "{rust}");
        }
    }
}
