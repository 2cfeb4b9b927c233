//! Completion and help for the lines that begin with a colon.

use super::{Completions, Match, code_points};
use crate::engine::{commands, split_commands};
use std::borrow::Cow;

/// Commands whose line goes on in Rust.
const WITH_RUST: [&str; 2] = [":doc", ":time"];

/// The command that `at` stands in: where its line begins, and that line up to `at`.
fn line(code: &str, at: usize) -> Option<(usize, &str)> {
    let start = code[..at].rfind('\n').map_or(0, |end| end + 1);
    let start = start + code[start..at].find(':')?;
    let line = &code[start..at];
    // Whether that line is a command or code, what stands above it decides.
    let (commands, _) = split_commands(&code[..at]);
    let is_command = commands.last().is_some_and(|last| *last == line.trim_end());
    is_command.then_some((start, line))
}

/// What could stand at `at`; `None` where that is no command, or Rust in one.
pub fn complete(code: &str, at: usize) -> Option<Completions> {
    let (start, line) = line(code, at)?;
    let (begun, from, choices) = match line.split_once(char::is_whitespace) {
        None => {
            let all = commands().map(|(name, text)| (name, "keyword", format!("{name} {text}")));
            (line, start, all.collect())
        }
        Some((command, _)) if WITH_RUST.contains(&command) => return None,
        Some((command, rest)) => {
            let rest = rest.trim_start();
            let choices: &[&str] = match command {
                ":engine" => &["rustc", "evcxr"],
                ":opt" => &["0", "1", "2", "3"],
                _ => &[],
            };
            let all = choices
                .iter()
                .map(|name| (*name, "keyword", (*name).to_owned()));
            (rest, at - rest.len(), all.collect::<Vec<_>>())
        }
    };
    let offered = choices
        .into_iter()
        .filter(|(name, ..)| name.starts_with(begun) && *name != begun);
    Some(Completions {
        matches: offered
            .map(|(name, kind, label)| Match {
                text: name.to_owned(),
                kind: kind.to_owned(),
                label,
            })
            .collect(),
        start: code_points(code, from),
        end: code_points(code, at),
        loading: false,
    })
}

/// What the command does whose name `at` stands in.
pub fn describe(code: &str, at: usize) -> Option<String> {
    let end = code[at..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    let end = end.map_or(code.len(), |length| at + length);
    let (_, name) = line(code, end)?;
    let (name, text) = commands().find(|(known, _)| *known == name)?;
    Some(format!("{name}\n\n{text}"))
}

/// The code with blanks in place of a command that goes on in Rust, where `at` stands in that.
pub fn as_rust(code: &str, at: usize) -> Cow<'_, str> {
    let command = line(code, at).and_then(|(start, line)| {
        let (command, _) = line.split_once(char::is_whitespace)?;
        WITH_RUST
            .contains(&command)
            .then_some((start, command.len()))
    });
    match command {
        Some((start, length)) => {
            let (before, rest) = (&code[..start], &code[start + length..]);
            Cow::Owned(format!("{before}{}{rest}", " ".repeat(length)))
        }
        None => Cow::Borrowed(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(code: &str) -> Option<String> {
        let found = complete(code, code.len())?;
        let texts: Vec<String> = found.matches.into_iter().map(|one| one.text).collect();
        Some(texts.join(" "))
    }

    #[test]
    fn commands_are_offered_where_they_may_stand() {
        assert_eq!(offered(":ti").as_deref(), Some(":time :timing"));
        assert!(offered(":").unwrap().contains(":vars"));
        assert_eq!(offered("// é\n:vars\n  :he").as_deref(), Some(":help"));
        let found = complete("// é\n:vars\n  :he", 17).unwrap();
        assert_eq!((found.start, found.end), (13, 16));
        assert_eq!(offered(":engine ").as_deref(), Some("rustc evcxr"));
        assert_eq!(offered(":opt 3").as_deref(), Some(""));
        for rust in [
            "let x: Te",
            "x\n:ti",
            "::st",
            ":time x.",
            ":doc De",
            "let a = 1;\nb::c",
        ] {
            assert_eq!(offered(rust), None, "{rust}");
        }
        let found = complete(":ti", 3).unwrap();
        let time = &found.matches[0];
        assert_eq!(time.kind, "keyword");
        assert!(time.label.starts_with(":time how long"), "{time:?}");
    }

    #[test]
    fn commands_are_described_and_what_follows_some_is_rust() {
        assert!(
            describe(":vars", 2)
                .unwrap()
                .starts_with(":vars\n\nthe variables")
        );
        assert_eq!(describe("vars", 2), None);
        assert_eq!(describe(":nothing", 3), None);
        assert_eq!(as_rust(":vars\n:time x.a", 15), ":vars\n      x.a");
        assert_eq!(as_rust("x.a", 3), "x.a");
    }
}
