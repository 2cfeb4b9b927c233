//! One public name: how it is written, what it gives back, what its documentation says.

use super::super::super::Match;
use super::super::macros;
use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::ToTokens as _;

/// A signature that is longer is written with a line for each argument.
const LINE: usize = 88;

/// One public name.
#[derive(Debug, Clone)]
pub struct Member {
    /// In Jupyter's words: `function`, `class`, `instance`, `module`.
    pub kind: &'static str,
    /// Whether it is called with a dot.
    pub is_method: bool,
    /// How it is written, a blank line, its documentation.
    pub text: String,
    /// The type of a call, of a field, of a variant; of a type, itself.
    pub gives: Option<Type>,
}

impl Member {
    /// As a completion.
    pub fn offered(&self, name: &str) -> Match {
        let written = self.text.split("\n\n").next().unwrap_or(name);
        let label = written.split_whitespace().collect::<Vec<_>>().join(" ");
        Match {
            text: name.to_owned(),
            kind: self.kind.to_owned(),
            label: label.replace("( ", "(").replace(", )", ")"),
        }
    }

    /// The documentation alone.
    pub fn documentation(&self) -> &str {
        self.text.split_once("\n\n").map_or("", |(_, text)| text)
    }

    pub fn function(
        signature: &syn::Signature,
        attributes: &[syn::Attribute],
        of: Option<&str>,
    ) -> Member {
        let gives = match &signature.output {
            syn::ReturnType::Type(_, of_call) => Type::of(of_call, of),
            syn::ReturnType::Default => None,
        };
        Member {
            kind: "function",
            is_method: signature.receiver().is_some(),
            text: with_docs(written(signature), attributes),
            gives,
        }
    }

    pub fn field(name: &str, field: &syn::Field) -> Member {
        Member {
            kind: "instance",
            is_method: true,
            text: with_docs(
                format!("{name}: {}", plain(field.ty.to_token_stream())),
                &field.attrs,
            ),
            gives: Type::of(&field.ty, None),
        }
    }

    pub fn variant(of: &str, variant: &syn::Variant) -> Member {
        let fields = plain(variant.fields.to_token_stream());
        Member {
            kind: "instance",
            is_method: false,
            text: with_docs(format!("{of}::{}{fields}", variant.ident), &variant.attrs),
            gives: Some(Type::named(of)),
        }
    }

    pub fn module(name: &str, attributes: &[syn::Attribute]) -> Member {
        Member {
            kind: "module",
            is_method: false,
            text: with_docs(format!("mod {name}"), attributes),
            gives: None,
        }
    }

    /// A type, a trait, a constant; `None` for what has no name or no use.
    pub fn item(item: &syn::Item) -> Option<(String, Member)> {
        let (name, attributes, written, kind, gives) = match item {
            syn::Item::Fn(item) => {
                let member = Member::function(&item.sig, &item.attrs, None);
                return Some((item.sig.ident.to_string(), member));
            }
            syn::Item::Struct(i) => {
                let written = format!("struct {}{}", i.ident, fields(&i.fields));
                (
                    &i.ident,
                    &i.attrs,
                    written,
                    "class",
                    Some(Type::named(&i.ident.to_string())),
                )
            }
            syn::Item::Enum(i) => {
                let variants: Vec<String> =
                    i.variants.iter().map(|v| v.ident.to_string()).collect();
                let written = format!("enum {} {{ {} }}", i.ident, variants.join(", "));
                (
                    &i.ident,
                    &i.attrs,
                    written,
                    "class",
                    Some(Type::named(&i.ident.to_string())),
                )
            }
            syn::Item::Trait(i) => {
                let of = Some(Type::named(&i.ident.to_string()));
                (
                    &i.ident,
                    &i.attrs,
                    format!("trait {}", i.ident),
                    "class",
                    of,
                )
            }
            syn::Item::Type(i) => {
                let written = format!("type {} = {}", i.ident, plain(i.ty.to_token_stream()));
                (&i.ident, &i.attrs, written, "class", Type::of(&i.ty, None))
            }
            syn::Item::Const(i) => {
                let written = format!("const {}: {}", i.ident, plain(i.ty.to_token_stream()));
                (
                    &i.ident,
                    &i.attrs,
                    written,
                    "instance",
                    Type::of(&i.ty, None),
                )
            }
            _ => return None,
        };
        let member = Member {
            kind,
            is_method: false,
            text: with_docs(written, attributes),
            gives,
        };
        Some((name.to_string(), member))
    }
}

/// A type by its name, as far as completion asks: references and lifetimes are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    pub name: String,
    pub arguments: Vec<Type>,
}

impl Type {
    pub fn named(name: &str) -> Type {
        Type {
            name: name.to_owned(),
            arguments: Vec::new(),
        }
    }

    /// As it is written, within an `impl` of `own`.
    pub fn of(written: &syn::Type, own: Option<&str>) -> Option<Type> {
        match written {
            syn::Type::Reference(reference) => Type::of(&reference.elem, own),
            syn::Type::Paren(inner) => Type::of(&inner.elem, own),
            syn::Type::Group(inner) => Type::of(&inner.elem, own),
            syn::Type::Tuple(tuple) => {
                let unknown = || Type::named("_");
                let parts = tuple
                    .elems
                    .iter()
                    .map(|part| Type::of(part, own).unwrap_or_else(unknown));
                Some(Type {
                    name: String::new(),
                    arguments: parts.collect(),
                })
            }
            syn::Type::Path(path) => {
                let last = path.path.segments.last()?;
                if last.ident == "Self" {
                    return own.map(Type::named);
                }
                let arguments = match &last.arguments {
                    syn::PathArguments::AngleBracketed(arguments) => {
                        let types = arguments.args.iter().filter_map(|argument| match argument {
                            syn::GenericArgument::Type(of) => Type::of(of, own),
                            _ => None,
                        });
                        types.collect()
                    }
                    _ => Vec::new(),
                };
                Some(Type {
                    name: last.ident.to_string(),
                    arguments,
                })
            }
            _ => None,
        }
    }

    /// As text has it.
    pub fn parse(text: &str) -> Option<Type> {
        Type::of(&syn::parse_str::<syn::Type>(text).ok()?, None)
    }

    /// What `?` gives of it.
    pub fn tried(&self) -> Option<Type> {
        let first = self.arguments.first().cloned();
        first.filter(|_| matches!(self.name.as_str(), "Result" | "Option"))
    }
}

/// The fields that can be used, as rustdoc shows a struct.
fn fields(fields: &syn::Fields) -> String {
    let syn::Fields::Named(all) = fields else {
        return String::new();
    };
    let public = all
        .named
        .iter()
        .filter(|field| super::read::is_public(&field.vis));
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
fn written(signature: &syn::Signature) -> String {
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
fn plain(tokens: TokenStream) -> String {
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

fn with_docs(written: String, attributes: &[syn::Attribute]) -> String {
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

    #[test]
    fn types_by_their_names() {
        let tried = Type::parse("dlcore :: error :: Result < & 'a Vec < f32 > >").unwrap();
        assert_eq!(tried.tried().unwrap().name, "Vec");
        assert_eq!(
            Type::parse("(Tensor, u8)").unwrap().arguments[0].name,
            "Tensor"
        );
        assert_eq!(Type::parse("impl Fn()"), None);
    }
}
