//! How items are written and what their documentation says, as a notebook shows it.

use super::super::macros;
use super::read::is_public;
use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::ToTokens as _;

/// A signature that is longer is written with a line for each argument.
const LINE: usize = 88;

/// The fields that can be used, as rustdoc shows a struct.
pub(super) fn fields(fields: &syn::Fields) -> String {
    let syn::Fields::Named(all) = fields else {
        return String::new();
    };
    let public = all.named.iter().filter(|field| is_public(&field.vis));
    let mut lines: Vec<String> = public
        .filter_map(|field| {
            let of = plain(field.ty.to_token_stream());
            Some(format!("    {}: {of},", field.ident.as_ref()?))
        })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    if lines.len() < all.named.len() {
        lines.push("    // and private ones".to_owned());
    }
    format!(" {{\n{}\n}}", lines.join("\n"))
}

/// A signature, with a line for each argument where one line is too long.
pub(super) fn written(signature: &syn::Signature) -> String {
    let is_static = |text: &str| text == "<>";
    let generics = plain(signature.generics.to_token_stream());
    let generics = if is_static(&generics) {
        String::new()
    } else {
        generics
    };
    let arguments: Vec<String> = signature.inputs.iter().map(argument).collect();
    let output = match plain(signature.output.to_token_stream()) {
        none if none.is_empty() => none,
        output => format!(" {output}"),
    };
    let bounds = match plain(signature.generics.where_clause.to_token_stream()) {
        none if none.is_empty() => none,
        bounds => format!(" {bounds}"),
    };
    let name = &signature.ident;
    let line = format!(
        "fn {name}{generics}({}){output}{bounds}",
        arguments.join(", ")
    );
    if line.chars().count() <= LINE || arguments.len() < 2 {
        return line;
    }
    let lines = arguments.join(",\n    ");
    format!("fn {name}{generics}(\n    {lines},\n){output}{bounds}")
}

/// An argument without what only the function's body cares for.
fn argument(argument: &syn::FnArg) -> String {
    match argument {
        syn::FnArg::Receiver(this) => match (&this.reference, &this.mutability) {
            (Some(_), Some(_)) => "&mut self".to_owned(),
            (Some(_), None) => "&self".to_owned(),
            (None, _) => "self".to_owned(),
        },
        syn::FnArg::Typed(typed) => {
            let name = match &*typed.pat {
                syn::Pat::Ident(name) => name.ident.to_string(),
                _ => "_".to_owned(),
            };
            format!("{name}: {}", plain(typed.ty.to_token_stream()))
        }
    }
}

/// Tokens as a person writes them: `&mut Vec<f32>`, `impl Into<Activation>`.
pub(super) fn plain(tokens: TokenStream) -> String {
    let mut text = String::new();
    write_plain(tokens, &mut text);
    text.trim().replace("crate::", "").replace("$", "")
}

fn write_plain(tokens: TokenStream, text: &mut String) {
    let mut joined = false;
    let mut after_lifetime = false;
    for token in tokens {
        let is_word = matches!(token, TokenTree::Ident(_));
        if std::mem::take(&mut after_lifetime) && matches!(token, TokenTree::Group(_)) {
            text.push(' ');
        }
        after_lifetime = is_word && text.ends_with('\'');
        let ends_word = text.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ("(", ")"),
                    proc_macro2::Delimiter::Bracket => ("[", "]"),
                    proc_macro2::Delimiter::Brace => ("{ ", " }"),
                    proc_macro2::Delimiter::None => ("", ""),
                };
                let brace = group.delimiter() == proc_macro2::Delimiter::Brace;
                if brace && !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(open);
                write_plain(group.stream(), text);
                text.push_str(close);
                joined = false;
            }
            TokenTree::Punct(mark) => {
                let spaced = matches!(mark.as_char(), '=' | '+' | '-') && !joined;
                if spaced && !text.ends_with(' ') && !text.is_empty() {
                    text.push(' ');
                }
                text.push(mark.as_char());
                let is_arrow = mark.as_char() == '>' && text.ends_with("->");
                let alone = mark.spacing() == Spacing::Alone;
                let ends = matches!(mark.as_char(), ',' | ';' | '+' | '=');
                let ends = ends || mark.as_char() == ':' && !text.ends_with("::");
                if alone && ends || is_arrow {
                    text.push(' ');
                }
                joined = !alone;
            }
            word => {
                let word = word.to_string();
                let is_bound = text.ends_with('>') || text.ends_with(')') || text.ends_with(']');
                if ends_word || is_bound && matches!(word.as_str(), "where" | "as" | "for") {
                    text.push(' ');
                }
                text.push_str(&word);
                joined = false;
            }
        }
    }
}

pub(super) fn with_docs(written: String, attributes: &[syn::Attribute]) -> String {
    let lines: Vec<String> = attributes.iter().filter_map(doc_line).collect();
    match tidied(&lines.join("\n")) {
        none if none.is_empty() => written,
        docs => format!("{written}\n\n{docs}"),
    }
}

fn doc_line(attribute: &syn::Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    let text = match &pair.value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => text.value(),
        other => macros::concatenated(other)?,
    };
    pair.path
        .is_ident("doc")
        .then(|| text.strip_prefix(' ').unwrap_or(&text).to_owned())
}

/// rustdoc's markdown as a notebook can show it: without links into the library, without the lines
/// of examples that rustdoc hides, and with headings that do not shout.
fn tidied(docs: &str) -> String {
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in docs.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            in_code = !in_code;
            let is_rust = matches!(language, "" | "no_run" | "should_panic" | "ignore");
            lines.push(if in_code && is_rust {
                "```rust".to_owned()
            } else {
                line.to_owned()
            });
        } else if in_code {
            let hidden = line.trim_start();
            if hidden != "#" && !hidden.starts_with("# ") {
                lines.push(line.to_owned());
            }
        } else if line.starts_with("# ") {
            lines.push(format!("###{}", &line[1..]));
        } else {
            lines.push(without_links(line));
        }
    }
    lines.join("\n").trim().to_owned()
}

/// `[text](target)` without its target, unless that is an address; the brackets of `[`name`]` go too.
fn without_links(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(open) = rest.find('[') {
        let (before, link) = rest.split_at(open);
        text.push_str(before);
        let Some(close) = link.find(']') else { break };
        let (inner, after) = (&link[1..close], &link[close + 1..]);
        let target = after
            .strip_prefix('(')
            .and_then(|after| after.split_once(')'));
        let is_code = inner.starts_with('`') && inner.ends_with('`') && inner.len() > 2;
        // Brackets in code, as in `[batch, units]`, are no link.
        let within_code = text.matches('`').count() % 2 == 1;
        match target {
            Some((target, after)) if !target.contains("//") && !within_code => {
                text.push_str(inner);
                rest = after;
            }
            None if is_code && !within_code => {
                text.push_str(inner);
                rest = after;
            }
            _ => {
                text.push('[');
                rest = &link[1..];
            }
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_read_as_they_are_written() {
        for text in [
            "fn fit(&mut self, x: impl Into<Data>, y: &Tensor) -> Result<History>",
            "fn save(&self, path: impl AsRef<Path>)",
            "fn map<T: Layer + 'static>(of: &'a [T; 2]) -> Vec<(String, f64)>",
            "fn apply(f: impl Fn(&Tensor) -> Tensor + Send + 'static) -> Box<dyn Fn()>",
            "fn all(of: std::ops::Range<usize>) -> impl Iterator<Item = u8>",
        ] {
            let signature: syn::Signature = syn::parse_str(text).unwrap();
            assert_eq!(written(&signature), text);
        }
        let long = "fn long(mut self, first_argument: impl Into<Activation>, second_argument: impl Into<Initializer>) -> Self";
        assert_eq!(
            written(&syn::parse_str(long).unwrap()),
            "fn long(\n    self,\n    first_argument: impl Into<Activation>,\n    second_argument: impl Into<Initializer>,\n) -> Self"
        );
    }

    #[test]
    fn documentation_is_made_fit_for_a_notebook() {
        let docs = "Takes `[batch, 2]` as [`Dense::new`] and [others](crate::layers) do, [here](https://a.b).\n\
                    # Panics\nNever [x].\n```\n# use dlcore::prelude::*;\nlet x = 1; // [`x`]\n```\n```text\n[`y`]\n```";
        assert_eq!(
            tidied(docs),
            "Takes `[batch, 2]` as `Dense::new` and others do, [here](https://a.b).\n\
             ### Panics\nNever [x].\n```rust\nlet x = 1; // [`x`]\n```\n```text\n[`y`]\n```"
        );
    }
}
