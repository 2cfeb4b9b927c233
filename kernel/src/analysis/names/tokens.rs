//! The words of code that is still being written: enough of Rust's lexing to know in which call the
//! cursor stands and what precedes a dot, where no parser would accept what is there.

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name, a keyword or a number.
    Word,
    /// A whole string or character.
    Text,
    /// A string whose end has not been written; it begins with its content.
    Unfinished,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// Anything else; `::`, `->`, `=>` and `..` are one each.
    Mark,
}

/// One word and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'c> {
    pub kind: Kind,
    pub text: &'c str,
    pub start: usize,
}

impl Token<'_> {
    pub fn is(&self, text: &str) -> bool {
        self.text == text && !matches!(self.kind, Kind::Text | Kind::Unfinished)
    }

    /// Whether this is a name that something may be called by.
    pub fn is_name(&self) -> bool {
        let begins = |c: char| c.is_alphabetic() || c == '_';
        self.kind == Kind::Word && self.text.starts_with(begins) && !KEYWORDS.contains(&self.text)
    }
}

/// What may stand before a parenthesis without calling anything.
const KEYWORDS: &[&str] = &[
    "as", "async", "await", "break", "else", "for", "if", "in", "let", "loop", "match", "move",
    "mut", "return", "unsafe", "where", "while",
];

/// The words of `code`; `None` when it ends within a comment.
pub fn tokens(code: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = code[at..].chars().next() {
        let rest = &code[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
        } else if rest.starts_with("//") {
            at += rest.find('\n')?;
        } else if rest.starts_with("/*") {
            at += comment_length(rest)?;
        } else {
            let token = token(code, at, c);
            at = token.start + token.text.len();
            tokens.push(token);
            // The quote behind what was taken without quotes.
            if token.kind == Kind::Unfinished {
                return Some(tokens);
            }
        }
    }
    Some(tokens)
}

fn token(code: &str, at: usize, first: char) -> Token<'_> {
    let rest = &code[at..];
    let take = |kind, length| Token {
        kind,
        text: &rest[..length],
        start: at,
    };
    if let Some(quote) = opening_quote(rest) {
        return match quote.length(rest) {
            Some(length) => take(Kind::Text, length),
            None => Token {
                kind: Kind::Unfinished,
                text: &rest[quote.content..],
                start: at + quote.content,
            },
        };
    }
    if first == '\'' {
        return take(Kind::Text, character_length(rest));
    }
    if first.is_alphanumeric() || first == '_' {
        return take(Kind::Word, word_length(rest));
    }
    let kind = match first {
        '(' | '[' | '{' => Kind::Open,
        ')' | ']' | '}' => Kind::Close,
        _ => Kind::Mark,
    };
    let long = ["::", "->", "=>", ".."];
    let length = match long.iter().find(|mark| rest.starts_with(**mark)) {
        Some(mark) => mark.len(),
        None => first.len_utf8(),
    };
    take(kind, length)
}

/// A name, or a number with its fraction: the dot of `1.5` is no method's.
fn word_length(rest: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let end = |from: usize| {
        let length = rest[from..].find(|c| !is_word(c));
        length.map_or(rest.len(), |length| from + length)
    };
    let whole = end(0);
    let fraction = rest[whole..].strip_prefix('.');
    let is_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    match fraction {
        Some(fraction) if is_digit(rest) && is_digit(fraction) => end(whole + 1),
        _ => whole,
    }
}

/// Block comments nest.
fn comment_length(rest: &str) -> Option<usize> {
    let mut depth = 0;
    let mut at = 0;
    loop {
        let next = at + rest[at..].find(['*', '/'])?;
        match rest.get(next..next + 2) {
            Some("/*") => (depth, at) = (depth + 1, next + 2),
            Some("*/") => (depth, at) = (depth - 1, next + 2),
            _ => at = next + 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// How a string begins.
struct Quote {
    content: usize,
    /// How many `#` end a raw one.
    raw: Option<usize>,
}

fn opening_quote(rest: &str) -> Option<Quote> {
    let prefix = rest.find(|c| !matches!(c, 'b' | 'c' | 'r'))?;
    let hashes = rest[prefix..].find(|c| c != '#')?;
    let raw = rest[..prefix].ends_with('r');
    let is_string = rest[prefix + hashes..].starts_with('"') && (hashes == 0 || raw) && prefix < 3;
    is_string.then_some(Quote {
        content: prefix + hashes + 1,
        raw: raw.then_some(hashes),
    })
}

impl Quote {
    fn length(&self, rest: &str) -> Option<usize> {
        let content = &rest[self.content..];
        if let Some(hashes) = self.raw {
            let end = format!("\"{}", "#".repeat(hashes));
            return Some(self.content + content.find(&end)? + end.len());
        }
        let mut escaped = false;
        for (at, c) in content.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return Some(self.content + at + 1),
                _ => {}
            }
        }
        None
    }
}

/// `'a'` and `'\n'` are characters, `'a` is a lifetime or a label.
fn character_length(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((escaped, c))) => {
            let from = escaped + c.len_utf8();
            rest[from..]
                .find('\'')
                .map_or(rest.len(), |at| from + at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// A call that the end of the code stands in the arguments of.
#[derive(Debug, PartialEq, Eq)]
pub struct Call<'c> {
    /// The function, method or macro.
    pub callee: &'c str,
    /// Where its name ends, in bytes.
    pub end: usize,
    /// In which argument, from 0.
    pub argument: usize,
}

/// The innermost call that is still open at the end; a block in its arguments hides it.
pub fn open_call<'c>(tokens: &[Token<'c>]) -> Option<Call<'c>> {
    let mut depth = 0;
    let mut argument = 0;
    for (at, token) in tokens.iter().enumerate().rev() {
        match token.kind {
            Kind::Close => depth += 1,
            Kind::Open if depth > 0 => depth -= 1,
            Kind::Open if token.is("{") => return None,
            Kind::Open => {
                if token.is("(")
                    && let Some(name) = callee(&tokens[..at])
                {
                    return Some(Call {
                        callee: name.text,
                        end: name.start + name.text.len(),
                        argument,
                    });
                }
                // `["a", "b"` is one argument of what it stands in.
                argument = 0;
            }
            Kind::Mark if depth == 0 && token.is(",") => argument += 1,
            _ => {}
        }
    }
    None
}

/// The name before a parenthesis that calls it; what is being defined there is not called.
fn callee<'c>(before: &[Token<'c>]) -> Option<Token<'c>> {
    let before = &before[..before_turbofish(before)];
    let before = match before {
        [name @ .., mark] if mark.is("!") => name,
        _ => before,
    };
    let (name, before) = before.split_last()?;
    let is_defined = before.last().is_some_and(|word| word.is("fn"));
    (name.is_name() && !is_defined).then_some(*name)
}

/// How many of the words stand before `::<…>` at their end; all, where there is none.
pub fn before_turbofish(tokens: &[Token<'_>]) -> usize {
    if !tokens.last().is_some_and(|token| token.is(">")) {
        return tokens.len();
    }
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().rev() {
        depth += i32::from(token.is(">")) - i32::from(token.is("<"));
        if depth == 0 {
            let is_path = at > 0 && tokens[at - 1].is("::");
            return if is_path { at - 1 } else { tokens.len() };
        }
    }
    tokens.len()
}

/// Where the bracket that the last word closes was opened.
pub fn opening(tokens: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().rev() {
        match token.kind {
            Kind::Close => depth += 1,
            Kind::Open => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(code: &str) -> Option<Vec<&str>> {
        Some(tokens(code)?.iter().map(|token| token.text).collect())
    }

    #[test]
    fn words_of_unfinished_code() {
        assert_eq!(
            texts("a.b(1.5, x.0)? /* ( /* */ */ .é::<'a>(").unwrap(),
            [
                "a", ".", "b", "(", "1.5", ",", "x", ".", "0", ")", "?", ".", "é", "::", "<", "'",
                "a", ">", "("
            ]
        );
        assert_eq!(texts("0..n").unwrap(), ["0", "..", "n"]);
        assert_eq!(
            texts("f(\"a\\\"(\", '\"', '\\u{1F600}', r#\"\"(\"#, b\"x\"").unwrap(),
            [
                "f",
                "(",
                "\"a\\\"(\"",
                ",",
                "'\"'",
                ",",
                "'\\u{1F600}'",
                ",",
                "r#\"\"(\"#",
                ",",
                "b\"x\""
            ]
        );
        let open = tokens("f(\"üb").unwrap();
        let last = open.last().unwrap();
        assert_eq!(
            (last.kind, last.text, last.start),
            (Kind::Unfinished, "üb", 3)
        );
        assert_eq!(texts("x // com"), None);
        assert_eq!(texts("/* /* */"), None);
    }

    #[test]
    fn the_call_around_the_cursor() {
        let call = |code: &str| {
            let tokens = tokens(code).unwrap();
            let call = open_call(&tokens)?;
            assert!(code[..call.end].ends_with(call.callee), "{code}");
            Some((call.callee.to_owned(), call.argument))
        };
        let some = |name: &str, argument| Some((name.to_owned(), argument));
        assert_eq!(call("model.fit("), some("fit", 0));
        assert_eq!(
            call("model.fit(&x, &y, Fit::epochs(5).batch_size(1"),
            some("batch_size", 0)
        );
        assert_eq!(call("model.fit(&x, &y[1, 2], "), some("fit", 2));
        assert_eq!(call("c(a, b, [\"m\", 1"), some("c", 2));
        assert_eq!(call("x.parse::<Vec<f32>>("), some("parse", 0));
        assert_eq!(call("println!(\"{}\", "), some("println", 1));
        assert_eq!(call("Dense::new(10)"), None);
        assert_eq!(call("f(|x| { "), None);
        assert_eq!(call("if (a"), None);
        assert_eq!(call("fn f(a"), None);
        assert_eq!(call("g((a + b"), some("g", 0));
    }
}
