//! Items that dlcore defines by macros of its own, such as the settings that all layers have.
//!
//! Only the plainest macros are understood: one rule that takes `$name:kind` parameters separated by
//! commas and writes items. Everything else is passed over.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::BTreeMap;

/// The plain macros of a library, and where they are called.
#[derive(Default)]
pub struct Macros {
    rules: BTreeMap<String, Rule>,
    calls: Vec<(String, TokenStream)>,
}

struct Rule {
    parameters: Vec<String>,
    body: TokenStream,
}

impl Macros {
    /// Takes note of a definition or a call.
    pub fn add(&mut self, item: &syn::ItemMacro) {
        match &item.ident {
            Some(name) => {
                if let Some(rule) = rule(item.mac.tokens.clone()) {
                    self.rules.insert(name.to_string(), rule);
                }
            }
            None => {
                if let Some(name) = item.mac.path.segments.last() {
                    let call = (name.ident.to_string(), item.mac.tokens.clone());
                    self.calls.push(call);
                }
            }
        }
    }

    /// What the calls write.
    pub fn expand(self) -> Vec<syn::File> {
        let expanded = self.calls.into_iter().filter_map(|(name, arguments)| {
            let rule = self.rules.get(&name)?;
            let arguments = arguments_of(arguments);
            if arguments.len() != rule.parameters.len() {
                return None;
            }
            let values = rule.parameters.iter().cloned().zip(arguments).collect();
            syn::parse2(substitute(rule.body.clone(), &values)).ok()
        });
        expanded.collect()
    }
}

fn rule(definition: TokenStream) -> Option<Rule> {
    let tokens: Vec<TokenTree> = definition.into_iter().collect();
    let (pattern, rest) = tokens.split_first()?;
    let TokenTree::Group(pattern) = pattern else {
        return None;
    };
    let [
        TokenTree::Punct(_),
        TokenTree::Punct(_),
        TokenTree::Group(body),
        end @ ..,
    ] = rest
    else {
        return None;
    };
    let is_end = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ';');
    if !end.iter().all(is_end) || end.len() > 1 {
        return None;
    }
    Some(Rule {
        parameters: parameters(pattern.stream())?,
        body: body.stream(),
    })
}

/// The names in `$layer:ident, $prefix:literal`.
fn parameters(pattern: TokenStream) -> Option<Vec<String>> {
    let parameter = |tokens: TokenStream| {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        match &tokens[..] {
            [
                TokenTree::Punct(dollar),
                TokenTree::Ident(name),
                TokenTree::Punct(colon),
                TokenTree::Ident(_),
            ] if dollar.as_char() == '$' && colon.as_char() == ':' => Some(name.to_string()),
            _ => None,
        }
    };
    arguments_of(pattern).into_iter().map(parameter).collect()
}

/// What stands between the commas.
fn arguments_of(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![Vec::new()];
    for token in tokens {
        match &token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => parts.push(Vec::new()),
            _ => parts.last_mut().expect("there is one").push(token),
        }
    }
    parts.retain(|part: &Vec<TokenTree>| !part.is_empty());
    parts.into_iter().map(TokenStream::from_iter).collect()
}

/// The body with `$name` replaced, and `$crate` by `crate`.
fn substitute(body: TokenStream, values: &BTreeMap<String, TokenStream>) -> TokenStream {
    let mut written = TokenStream::new();
    let mut tokens = body.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(dollar) if dollar.as_char() == '$' => match tokens.next() {
                Some(TokenTree::Ident(name)) => match values.get(&name.to_string()) {
                    Some(value) => written.extend(value.clone()),
                    None => written.extend([TokenTree::Ident(name)]),
                },
                other => written.extend(other),
            },
            TokenTree::Group(group) => {
                let inner = substitute(group.stream(), values);
                written.extend([TokenTree::from(proc_macro2::Group::new(
                    group.delimiter(),
                    inner,
                ))]);
            }
            other => written.extend([other]),
        }
    }
    written
}

/// The text of a `concat!` of texts, as documentation that a macro writes has it.
pub fn concatenated(expression: &syn::Expr) -> Option<String> {
    let syn::Expr::Macro(call) = expression else {
        return None;
    };
    if !call.mac.path.is_ident("concat") {
        return None;
    }
    let text = |token: TokenTree| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            text_of(group.stream().into_iter().next()?)
        }
        TokenTree::Punct(_) => Some(String::new()),
        other => text_of(other),
    };
    call.mac.tokens.clone().into_iter().map(text).collect()
}

fn text_of(token: TokenTree) -> Option<String> {
    match token {
        TokenTree::Literal(literal) => {
            let literal: syn::LitStr = syn::parse2(TokenTree::Literal(literal).into()).ok()?;
            Some(literal.value())
        }
        _ => None,
    }
}
