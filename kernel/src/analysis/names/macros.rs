//! Items that dlcore writes by macros of its own: whole layers, and the settings that they share.
//!
//! What `macro_rules!` does, but for hygiene: fragments are taken as `syn` parses them, repetitions
//! nest. A macro that this does not understand writes nothing.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens as _;
use std::collections::BTreeMap;
use syn::parse::{ParseStream, Parser as _};

/// Macros that write macros that write macros are not followed for ever.
const DEPTH: usize = 8;

/// The macros of a library, and where they are called.
#[derive(Default)]
pub struct Macros {
    rules: BTreeMap<String, Vec<Rule>>,
    calls: Vec<(String, String, TokenStream)>,
}

impl Macros {
    /// Takes note of a definition or a call in a module.
    pub fn add(&mut self, module: &str, item: &syn::ItemMacro) {
        if let Some(name) = &item.ident {
            self.rules
                .insert(name.to_string(), rules(item.mac.tokens.clone()));
        } else if let Some(name) = item.mac.path.segments.last() {
            let call = (
                module.to_owned(),
                name.ident.to_string(),
                item.mac.tokens.clone(),
            );
            self.calls.push(call);
        }
    }

    /// What the calls write, each with the module that it stands in.
    pub fn expand(self) -> Vec<(String, syn::File)> {
        let mut written = Vec::new();
        for (module, name, arguments) in &self.calls {
            self.call(module, name, arguments, 0, &mut written);
        }
        written
    }

    fn call(
        &self,
        module: &str,
        name: &str,
        arguments: &TokenStream,
        depth: usize,
        written: &mut Vec<(String, syn::File)>,
    ) {
        let arguments: Vec<TokenTree> = arguments.clone().into_iter().collect();
        let rules = self.rules.get(name).into_iter().flatten();
        let Some(text) = rules.filter_map(|rule| rule.apply(&arguments)).next() else {
            return;
        };
        let Ok(file) = syn::parse2::<syn::File>(text) else {
            return;
        };
        for item in &file.items {
            if let syn::Item::Macro(inner) = item
                && let Some(name) = inner.mac.path.segments.last()
                && depth < DEPTH
            {
                let name = name.ident.to_string();
                self.call(module, &name, &inner.mac.tokens, depth + 1, written);
            }
        }
        written.push((module.to_owned(), file));
    }
}

/// One arm of a macro.
struct Rule {
    pattern: Vec<Pattern>,
    body: TokenStream,
}

enum Pattern {
    Token(TokenTree),
    Group(Delimiter, Vec<Pattern>),
    /// `$name:kind`.
    Fragment(String, String),
    /// `$(…)separator*`.
    Repeat(Vec<Pattern>, Option<TokenTree>),
}

/// What a fragment stands for; within repetitions, for each of them.
#[derive(Clone)]
enum Value {
    One(TokenStream),
    Each(Vec<Values>),
}

type Values = BTreeMap<String, Value>;

/// The arms of `(pattern) => { body }; …`.
fn rules(definition: TokenStream) -> Vec<Rule> {
    let groups = definition.into_iter().filter_map(|token| match token {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    });
    let groups: Vec<TokenStream> = groups.collect();
    let arms = groups.chunks_exact(2).map(|arm| Rule {
        pattern: pattern(arm[0].clone()),
        body: arm[1].clone(),
    });
    arms.collect()
}

fn pattern(tokens: TokenStream) -> Vec<Pattern> {
    let mut tokens = tokens.into_iter().peekable();
    let mut parts = Vec::new();
    while let Some(token) = tokens.next() {
        let part = match token {
            TokenTree::Punct(dollar) if dollar.as_char() == '$' => match tokens.next() {
                Some(TokenTree::Group(repeated)) => {
                    let separator = separator(&mut tokens);
                    Pattern::Repeat(pattern(repeated.stream()), separator)
                }
                Some(name) => {
                    tokens.next();
                    let kind = tokens.next().map_or(String::new(), |kind| kind.to_string());
                    Pattern::Fragment(name.to_string(), kind)
                }
                None => break,
            },
            TokenTree::Group(group) => Pattern::Group(group.delimiter(), pattern(group.stream())),
            other => Pattern::Token(other),
        };
        parts.push(part);
    }
    parts
}

/// What stands between a repetition's parts, if anything; goes past `*`, `+` or `?`.
fn separator(tokens: &mut impl Iterator<Item = TokenTree>) -> Option<TokenTree> {
    let next = tokens.next()?;
    if matches!(&next, TokenTree::Punct(p) if matches!(p.as_char(), '*' | '+' | '?')) {
        return None;
    }
    tokens.next();
    Some(next)
}

impl Rule {
    fn apply(&self, arguments: &[TokenTree]) -> Option<TokenStream> {
        let mut values = Values::new();
        let rest = matched(&self.pattern, arguments, &mut values)?;
        rest.is_empty().then(|| transcribed(&self.body, &values))
    }
}

/// Takes what `pattern` wants off the front of `tokens`; the rest.
fn matched<'t>(
    pattern: &[Pattern],
    mut tokens: &'t [TokenTree],
    values: &mut Values,
) -> Option<&'t [TokenTree]> {
    for part in pattern {
        match part {
            Pattern::Token(wanted) => {
                let (first, rest) = tokens.split_first()?;
                if first.to_string() != wanted.to_string() {
                    return None;
                }
                tokens = rest;
            }
            Pattern::Group(delimiter, inner) => {
                let (TokenTree::Group(group), rest) = tokens.split_first()? else {
                    return None;
                };
                let within: Vec<TokenTree> = group.stream().into_iter().collect();
                let left = matched(inner, &within, values)?;
                if group.delimiter() != *delimiter || !left.is_empty() {
                    return None;
                }
                tokens = rest;
            }
            Pattern::Fragment(name, kind) => {
                let taken = fragment(kind, tokens)?;
                let value = tokens[..taken].iter().cloned().collect();
                values.insert(name.clone(), Value::One(value));
                tokens = &tokens[taken..];
            }
            Pattern::Repeat(inner, separator) => {
                let (each, rest) = repeated(inner, separator.as_ref(), tokens);
                for name in names(inner) {
                    values.insert(name, Value::Each(each.clone()));
                }
                tokens = rest;
            }
        }
    }
    Some(tokens)
}

fn repeated<'t>(
    inner: &[Pattern],
    separator: Option<&TokenTree>,
    mut tokens: &'t [TokenTree],
) -> (Vec<Values>, &'t [TokenTree]) {
    let mut each = Vec::new();
    let mut next = tokens;
    loop {
        let mut values = Values::new();
        let Some(rest) = matched(inner, next, &mut values).filter(|rest| rest.len() < next.len())
        else {
            return (each, tokens);
        };
        each.push(values);
        (tokens, next) = (rest, rest);
        if let Some(separator) = separator {
            match rest.split_first() {
                Some((first, rest)) if first.to_string() == separator.to_string() => next = rest,
                _ => return (each, tokens),
            }
        }
    }
}

/// The fragments in a pattern.
fn names(pattern: &[Pattern]) -> Vec<String> {
    let mut found = Vec::new();
    for part in pattern {
        match part {
            Pattern::Token(_) => {}
            Pattern::Fragment(name, _) => found.push(name.clone()),
            Pattern::Group(_, inner) | Pattern::Repeat(inner, _) => found.extend(names(inner)),
        }
    }
    found
}

/// How many tokens at the front are a fragment of this kind.
fn fragment(kind: &str, tokens: &[TokenTree]) -> Option<usize> {
    match (kind, tokens.first()) {
        ("vis", None) => return Some(0),
        (_, None) => return None,
        ("ident", Some(TokenTree::Ident(_))) | ("tt", _) => return Some(1),
        ("ident", _) => return None,
        ("literal", Some(TokenTree::Literal(_))) => return Some(1),
        _ => {}
    }
    let stream: TokenStream = tokens.iter().cloned().collect();
    let rest = match kind {
        "ty" => rest_after::<syn::Type>(stream),
        "path" => rest_after::<syn::Path>(stream),
        "meta" => rest_after::<syn::Meta>(stream),
        "expr" => rest_after::<syn::Expr>(stream),
        "block" => rest_after::<syn::Block>(stream),
        "vis" => rest_after::<syn::Visibility>(stream),
        "literal" => rest_after::<syn::Lit>(stream),
        "lifetime" => rest_after::<syn::Lifetime>(stream),
        "item" => rest_after::<syn::Item>(stream),
        _ => None,
    };
    tokens.len().checked_sub(rest?)
}

/// How many tokens are left behind a `T` at the front.
fn rest_after<T: syn::parse::Parse>(tokens: TokenStream) -> Option<usize> {
    let parse = |input: ParseStream<'_>| {
        input.parse::<T>()?;
        Ok(input.parse::<TokenStream>()?.into_iter().count())
    };
    parse.parse2(tokens).ok()
}

/// The body with what the fragments stand for; `$crate` is `crate`.
fn transcribed(body: &TokenStream, values: &Values) -> TokenStream {
    let mut written = TokenStream::new();
    let mut tokens = body.clone().into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(dollar) if dollar.as_char() == '$' => match tokens.next() {
                Some(TokenTree::Ident(name)) => match values.get(&name.to_string()) {
                    Some(Value::One(value)) => written.extend(value.clone()),
                    _ => written.extend([TokenTree::Ident(name)]),
                },
                Some(TokenTree::Group(part)) => {
                    let separator = separator(&mut tokens);
                    written.extend(each(&part.stream(), separator, values));
                }
                other => written.extend(other),
            },
            TokenTree::Group(group) => {
                let inner = transcribed(&group.stream(), values);
                written.extend([TokenTree::from(Group::new(group.delimiter(), inner))]);
            }
            other => written.extend([other]),
        }
    }
    written
}

/// The part of a body that is repeated, once for each value of the fragments in it.
fn each(part: &TokenStream, separator: Option<TokenTree>, values: &Values) -> TokenStream {
    let mut mentioned = Vec::new();
    mentions(part, &mut mentioned);
    let repeated = mentioned.iter().filter_map(|name| match values.get(name) {
        Some(Value::Each(each)) => Some(each),
        _ => None,
    });
    let mut written = TokenStream::new();
    let Some(longest) = repeated.clone().max_by_key(|each| each.len()) else {
        return written;
    };
    for at in 0..longest.len() {
        let mut own = values.clone();
        for each in repeated.clone() {
            own.extend(each.get(at).cloned().unwrap_or_default());
        }
        if at > 0
            && let Some(separator) = &separator
        {
            written.extend([separator.clone()]);
        }
        written.extend(transcribed(part, &own));
    }
    written
}

/// The names that stand behind a dollar.
fn mentions(part: &TokenStream, found: &mut Vec<String>) {
    let mut tokens = part.clone().into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(dollar) if dollar.as_char() == '$' => match tokens.next() {
                Some(TokenTree::Ident(name)) => found.push(name.to_string()),
                Some(TokenTree::Group(group)) => mentions(&group.stream(), found),
                _ => {}
            },
            TokenTree::Group(group) => mentions(&group.stream(), found),
            _ => {}
        }
    }
}

/// The text of a `concat!` of texts, as documentation that a macro writes has it.
pub fn concatenated(expression: &syn::Expr) -> Option<String> {
    let syn::Expr::Macro(call) = expression else {
        return None;
    };
    if call.mac.path.is_ident("stringify") {
        return Some(call.mac.tokens.to_string());
    }
    if !call.mac.path.is_ident("concat") {
        return None;
    }
    let parts = syn::punctuated::Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
    let parts = parts.parse2(call.mac.tokens.clone()).ok()?;
    let text = |part: &syn::Expr| match part {
        syn::Expr::Lit(literal) => match &literal.lit {
            syn::Lit::Str(text) => Some(text.value()),
            other => Some(other.to_token_stream().to_string()),
        },
        other => concatenated(other),
    };
    parts.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(source: &str) -> String {
        let mut macros = Macros::default();
        for item in &syn::parse_file(source).unwrap().items {
            if let syn::Item::Macro(item) = item {
                macros.add("m", item);
            }
        }
        let mut files: Vec<String> = macros
            .expand()
            .iter()
            .map(|(module, file)| format!("{module}: {}", file.to_token_stream()))
            .collect();
        files.sort();
        files.join("\n").replace(' ', "")
    }

    #[test]
    fn whole_layers_and_their_settings_are_written() {
        let written = expanded(
            r#"macro_rules! settings {
                ($layer:ident, $prefix:literal) => { impl $layer { #[doc = concat!("`", $prefix, "`")] pub fn name(self) -> $layer {} } };
            }
            macro_rules! layers {
                ($($(#[$doc:meta])* $layer:ident $prefix:literal, $extent:ty, $most:expr;)*) => {$(
                    $(#[$doc])* pub struct $layer; settings!($layer, $prefix);
                    impl $layer { pub fn new(size: $extent) -> $layer { at($most) } }
                )*};
            }
            layers! {
                /// One.
                A "a", Vec<(u8, u8)>, 1 + 2;
                B "b", [usize; 2], f(3, 4);
            }
            macro_rules! other { () => { pub fn none() {} }; ($($x:ident),+) => { $(pub fn $x() { s!($($x),*) })+ }; }
            other!(); other!(a, b); other!(1);"#,
        );
        for text in [
            "#[doc=r\"One.\"]pubstructA;",
            "implB{pubfnnew(size:[usize;2])->B{at(f(3,4))}}",
            "implA{pubfnnew(size:Vec<(u8,u8)>)->A{at(1+2)}}",
            "#[doc=concat!(\"`\",\"b\",\"`\")]pubfnname(self)->B",
            "pubfnnone(){}",
            "pubfna()",
        ] {
            let found = written
                .replace("\" One.\"", "r\"One.\"")
                .replace("\"One.\"", "r\"One.\"");
            let found = found.replace("rr\"", "r\"");
            assert!(found.contains(text), "{text} is not in\n{found}");
        }
    }
}
