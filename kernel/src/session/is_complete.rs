//! is_complete_request: can this run as it stands, can it become something that runs, or neither?

use crate::engine::split_commands;
use jupyter_protocol::IsCompleteReply;
use syn::parse::Parser as _;

const INDENT: usize = 4;

/// Judges `code` as a console does before it runs what was typed.
pub(super) fn is_complete(code: &str) -> IsCompleteReply {
    // Commands (`:dep …`, `:vars`) are no Rust, and complete as they are.
    let (_, rust) = split_commands(code);
    let reply = match scan(&rust) {
        Scan::Open { depth } => IsCompleteReply::incomplete(" ".repeat(INDENT * depth)),
        Scan::Mismatch => IsCompleteReply::invalid(),
        Scan::Closed => judge(&rust),
    };
    // Spans live in a table of this thread that otherwise grows with every question.
    proc_macro2::extra::invalidate_current_thread_spans();
    reply
}

/// All brackets are closed: the parser knows whether something is still to come.
fn judge(rust: &str) -> IsCompleteReply {
    match syn::Block::parse_within.parse_str(rust) {
        Ok(_) => IsCompleteReply::complete(),
        Err(error) if error.to_string().starts_with("unexpected end of input") => {
            IsCompleteReply::incomplete(String::new())
        }
        // `let x = 5` wants its semicolon.
        Err(_)
            if syn::Block::parse_within
                .parse_str(&format!("{rust}\n;"))
                .is_ok() =>
        {
            IsCompleteReply::incomplete(String::new())
        }
        // Attributes of the whole crate stand before statements in a cell, but not in a block.
        Err(_) if syn::parse_file(rust).is_ok() => IsCompleteReply::complete(),
        Err(_) => IsCompleteReply::invalid(),
    }
}

#[derive(Debug, PartialEq)]
enum Scan {
    /// Everything that was opened is closed.
    Closed,
    /// A bracket, a string or a comment is open, within `depth` brackets.
    Open { depth: usize },
    /// A bracket closes what it does not open: nothing that follows can mend it.
    Mismatch,
}

/// Follows brackets, strings, characters and comments, and nothing else of the language.
fn scan(code: &str) -> Scan {
    let chars: Vec<char> = code.chars().collect();
    let mut open: Vec<char> = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let depth = open.len();
        let next = chars.get(i + 1).copied();
        let end = match chars[i] {
            '/' if next == Some('/') => Some(line_end(&chars, i)),
            '/' if next == Some('*') => block_comment_end(&chars, i),
            '"' => string_end(&chars, i + 1),
            'r' | 'b' | 'c' if !continues_name(&chars, i) => prefixed_string_end(&chars, i),
            '\'' => Some(char_or_lifetime_end(&chars, i)),
            c @ ('(' | '[' | '{') => {
                open.push(c);
                Some(i + 1)
            }
            c @ (')' | ']' | '}') => {
                if open.pop() != Some(opener(c)) {
                    return Scan::Mismatch;
                }
                Some(i + 1)
            }
            _ => Some(i + 1),
        };
        match end {
            Some(end) => i = end,
            None => return Scan::Open { depth },
        }
    }
    match open.len() {
        0 => Scan::Closed,
        depth => Scan::Open { depth },
    }
}

fn opener(closer: char) -> char {
    match closer {
        ')' => '(',
        ']' => '[',
        _ => '{',
    }
}

fn continues_name(chars: &[char], i: usize) -> bool {
    i > 0 && (chars[i - 1].is_alphanumeric() || chars[i - 1] == '_')
}

fn line_end(chars: &[char], start: usize) -> usize {
    let length = chars[start..].iter().position(|&c| c == '\n');
    length.map_or(chars.len(), |length| start + length)
}

/// Block comments nest.
fn block_comment_end(chars: &[char], start: usize) -> Option<usize> {
    let mut depth = 0;
    let mut i = start;
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => {
                depth += 1;
                i += 2;
            }
            ('*', '/') => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => i += 1,
        }
    }
    None
}

/// The end of a string whose content begins at `start`.
fn string_end(chars: &[char], start: usize) -> Option<usize> {
    let mut i = start;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return Some(i + 1),
            _ => i += 1,
        }
    }
    None
}

/// The end of `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`; of anything else, the next character.
fn prefixed_string_end(chars: &[char], start: usize) -> Option<usize> {
    let mut i = start;
    while matches!(chars.get(i), Some('b' | 'c' | 'r')) && i < start + 2 {
        i += 1;
    }
    let raw = chars[start..i].contains(&'r');
    let hashes = chars[i..].iter().take_while(|&&c| c == '#').count();
    if chars.get(i + hashes) != Some(&'"') || (hashes > 0 && !raw) {
        return Some(start + 1);
    }
    let content = i + hashes + 1;
    if !raw {
        return string_end(chars, content);
    }
    (content..chars.len())
        .find(|&at| {
            chars[at] == '"' && chars[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes
        })
        .map(|at| at + 1 + hashes)
}

/// `'a'` and `'\n'` are characters, `'a` is a lifetime or a label.
fn char_or_lifetime_end(chars: &[char], start: usize) -> usize {
    match chars.get(start + 1) {
        Some('\\') => {
            let close = chars.iter().skip(start + 3).position(|&c| c == '\'');
            close.map_or(chars.len(), |length| start + 3 + length + 1)
        }
        Some(_) if chars.get(start + 2) == Some(&'\'') => start + 3,
        _ => start + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jupyter_protocol::IsCompleteReplyStatus as Status;

    fn status(code: &str) -> (Status, usize) {
        let reply = is_complete(code);
        (reply.status, reply.indent.len())
    }

    #[test]
    fn complete() {
        for code in [
            "",
            "1 + 1",
            "let x = Tensor::zeros([2, 3]);\nx",
            "fn f() -> u8 { b'{' }",
            "use std::collections::HashMap;",
            "let s = \"a { ( [ \\\" b\";",
            "let s = r#\"un \" closed {\"#;",
            "let q = '\"'; let b = '\\''; let n = '\\u{1F600}';",
            "fn longest<'a>(x: &'a str) -> &'a str { x }",
            "// nothing but a comment {",
            "/* nested /* comment */ { */ 1",
            "'outer: loop { break 'outer; }",
            ":dep serde = \"1\"\nlet x = 1;",
            ":vars",
            "network.compile(RMSprop::new(), \"mse\", [\"mae\"])?;",
            "#![allow(unused)]\nfn f() {}",
            "let x = y as f32; x",
        ] {
            assert_eq!(status(code), (Status::Complete, 0), "{code}");
        }
    }

    #[test]
    fn incomplete_with_the_indent_of_the_next_line() {
        for (code, indent) in [
            ("fn f() {", 4),
            ("fn f() {\n    if x {", 8),
            ("let x = vec![1,", 4),
            ("println!(\"hello", 4),
            ("let s = r#\"abc\"", 0),
            ("/* still open", 0),
            ("let x =", 0),
            ("let x = 5", 0),
            ("use std::", 0),
            ("x.", 0),
            ("#[derive(Debug)]", 0),
            ("struct Point", 0),
            ("match x", 0),
            (
                "let network = Sequential::new()\n    .add(Dense::new(512)",
                4,
            ),
        ] {
            assert_eq!(status(code), (Status::Incomplete, indent), "{code}");
        }
    }

    #[test]
    fn invalid() {
        for code in [
            "let = 5;",
            "fn f() }",
            "(1]",
            "let x: = 1;",
            "struct 5 {}",
            ")",
            "import numpy as np",
        ] {
            assert_eq!(status(code), (Status::Invalid, 0), "{code}");
        }
    }
}
