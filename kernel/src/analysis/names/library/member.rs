//! One public name: what it is, what it gives back, where it is written.

use super::super::super::Match;
use super::text::{fields, plain, with_docs, written};
use quote::ToTokens as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

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
    /// Where it is written: a file and the bytes in it. What a macro writes is nowhere.
    pub place: Option<(Arc<Path>, Range<usize>)>,
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

    /// Its source.
    pub fn source(&self) -> Option<String> {
        let (file, range) = self.place.as_ref()?;
        let text = std::fs::read_to_string(file).ok()?;
        let start = text[..range.start].rfind('\n').map_or(0, |end| end + 1);
        let indent = range.start - start;
        let lines = text.get(start..range.end)?.lines();
        let lines = lines.map(|line| line.get(indent..).unwrap_or(line.trim_start()));
        Some(lines.collect::<Vec<_>>().join("\n"))
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
            place: None,
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
            place: None,
        }
    }

    pub fn variant(of: &str, variant: &syn::Variant) -> Member {
        let fields = plain(variant.fields.to_token_stream());
        Member {
            kind: "instance",
            is_method: false,
            text: with_docs(format!("{of}::{}{fields}", variant.ident), &variant.attrs),
            gives: Some(Type::named(of)),
            place: None,
        }
    }

    pub fn module(name: &str, attributes: &[syn::Attribute]) -> Member {
        Member {
            kind: "module",
            is_method: false,
            text: with_docs(format!("mod {name}"), attributes),
            gives: None,
            place: None,
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
            place: None,
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

#[cfg(test)]
mod tests {
    use super::*;

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
