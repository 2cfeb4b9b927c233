//! What a cell defines for all later cells, and what it is known by when it comes again.

use std::ops::Range;

use quote::ToTokens;

use super::range_of;

/// One item and what it is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it stands in the cell.
    pub span: Range<usize>,
    /// What it replaces when it comes again, such as `type Point` or `impl Debug for Point`.
    pub key: ItemKey,
    /// What to write instead of the cell's own text: one import of a `use` that holds several.
    pub rewritten: Option<String>,
}

/// Two items with one key cannot stand side by side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemKey {
    /// A struct, enum, union, trait, type alias or module.
    Type(String),
    /// A function, constant or static.
    Value(String),
    /// A `macro_rules!`.
    Macro(String),
    /// A name brought in by `use` or `extern crate`.
    Import(String),
    /// `use path::*` and whatever else has no name, by its text.
    Unnamed(String),
    /// `impl Trait for Type`, by that text; for an inherent impl also the names it defines.
    Impl(String, Vec<String>),
}

/// The items of one that the parser sees.
pub(super) fn items_of(item: &syn::Item, span: Range<usize>, code: &str) -> Vec<Item> {
    match item {
        syn::Item::Use(import) => return imports_of(import, &span),
        // An empty block may still name a library to link.
        syn::Item::ForeignMod(block) if !block.items.is_empty() => {
            return foreign_items_of(block, span, code);
        }
        _ => {}
    }
    vec![Item {
        key: key_of(item, &code[span.clone()]),
        span,
        rewritten: None,
    }]
}

/// One item for each function of an `extern` block, so that each can be replaced by itself.
fn foreign_items_of(block: &syn::ItemForeignMod, span: Range<usize>, code: &str) -> Vec<Item> {
    let head = &code[span.start..block.brace_token.span.open().byte_range().start];
    let item = |member: &syn::ForeignItem| {
        let text = &code[range_of(member)];
        let key = foreign_key(member).unwrap_or_else(|| ItemKey::Unnamed(text.to_owned()));
        Item {
            span: span.clone(),
            key,
            // Alone in its block it stands as it was written, which places errors best.
            rewritten: (block.items.len() > 1).then(|| format!("{head}{{ {text} }}")),
        }
    };
    block.items.iter().map(item).collect()
}

fn foreign_key(member: &syn::ForeignItem) -> Option<ItemKey> {
    match member {
        syn::ForeignItem::Fn(function) => Some(ItemKey::Value(function.sig.ident.to_string())),
        syn::ForeignItem::Static(variable) => Some(ItemKey::Value(variable.ident.to_string())),
        syn::ForeignItem::Type(opaque) => Some(ItemKey::Type(opaque.ident.to_string())),
        // The parser does not know `safe` yet.
        syn::ForeignItem::Verbatim(tokens) => {
            let is_safe = |token: &proc_macro2::TokenTree| token.to_string() == "safe";
            let others = tokens.clone().into_iter().filter(|token| !is_safe(token));
            match syn::parse2(others.collect()).ok()? {
                syn::ForeignItem::Verbatim(_) => None,
                known => foreign_key(&known),
            }
        }
        _ => None,
    }
}

/// What an item is known by.
pub fn key_of(item: &syn::Item, text: &str) -> ItemKey {
    use syn::Item as I;
    match item {
        I::Struct(item) => ItemKey::Type(item.ident.to_string()),
        I::Enum(item) => ItemKey::Type(item.ident.to_string()),
        I::Union(item) => ItemKey::Type(item.ident.to_string()),
        I::Trait(item) => ItemKey::Type(item.ident.to_string()),
        I::TraitAlias(item) => ItemKey::Type(item.ident.to_string()),
        I::Type(item) => ItemKey::Type(item.ident.to_string()),
        I::Mod(item) => ItemKey::Type(item.ident.to_string()),
        I::Fn(item) => ItemKey::Value(item.sig.ident.to_string()),
        I::Const(item) if item.ident == "_" => ItemKey::Unnamed(text.to_owned()),
        I::Const(item) => ItemKey::Value(item.ident.to_string()),
        I::Static(item) => ItemKey::Value(item.ident.to_string()),
        I::Macro(syn::ItemMacro {
            ident: Some(name), ..
        }) => ItemKey::Macro(name.to_string()),
        I::ExternCrate(item) => {
            let name = item.rename.as_ref().map_or(&item.ident, |(_, name)| name);
            ItemKey::Import(name.to_string())
        }
        I::Impl(item) => impl_key(item),
        _ => ItemKey::Unnamed(text.to_owned()),
    }
}

fn impl_key(item: &syn::ItemImpl) -> ItemKey {
    let generics = item.generics.to_token_stream();
    let target = item.self_ty.to_token_stream();
    match &item.trait_ {
        Some((not, path, _)) => {
            let path = path.to_token_stream();
            let not = not.map_or("", |_| "!");
            ItemKey::Impl(format!("{generics} {not}{path} for {target}"), vec![])
        }
        None => {
            let names = item.items.iter().filter_map(|member| match member {
                syn::ImplItem::Fn(function) => Some(function.sig.ident.to_string()),
                syn::ImplItem::Const(constant) => Some(constant.ident.to_string()),
                _ => None,
            });
            ItemKey::Impl(format!("{generics} {target}"), names.collect())
        }
    }
}

impl ItemKey {
    /// Whether an item under this key takes the place of one under `older`.
    pub fn replaces(&self, older: &ItemKey) -> bool {
        use ItemKey as K;
        match (self, older) {
            (K::Impl(new, new_names), K::Impl(old, old_names)) => {
                let inherent = !new_names.is_empty() || !old_names.is_empty();
                new == old && (!inherent || new_names.iter().any(|name| old_names.contains(name)))
            }
            // An import and a definition of one name cannot stand together, whichever comes first.
            (K::Import(new), K::Type(old) | K::Value(old) | K::Macro(old))
            | (K::Type(new) | K::Value(new) | K::Macro(new), K::Import(old)) => new == old,
            _ => self == older,
        }
    }

    /// The name it defines, if it has one.
    pub fn name(&self) -> Option<&str> {
        match self {
            ItemKey::Type(name)
            | ItemKey::Value(name)
            | ItemKey::Macro(name)
            | ItemKey::Import(name) => Some(name),
            ItemKey::Unnamed(_) | ItemKey::Impl(..) => None,
        }
    }
}

/// One item for each name a `use` brings in, so that each can be replaced by itself.
pub fn imports_of(import: &syn::ItemUse, span: &Range<usize>) -> Vec<Item> {
    let mut found = vec![];
    let lead = if import.leading_colon.is_some() {
        "::"
    } else {
        ""
    };
    flatten(&import.tree, lead.to_owned(), &mut found);
    let attributes: String = import
        .attrs
        .iter()
        .map(|attribute| attribute.to_token_stream().to_string() + " ")
        .collect();
    let public = import.vis.to_token_stream();
    let item = |(path, name): (String, Option<String>)| {
        let text = format!("{attributes}{public} use {path};");
        let key = match name {
            Some(name) => ItemKey::Import(name),
            None => ItemKey::Unnamed(text.clone()),
        };
        Item {
            span: span.clone(),
            key,
            rewritten: Some(text),
        }
    };
    found.into_iter().map(item).collect()
}

fn flatten(tree: &syn::UseTree, prefix: String, found: &mut Vec<(String, Option<String>)>) {
    match tree {
        syn::UseTree::Path(path) => flatten(&path.tree, format!("{prefix}{}::", path.ident), found),
        syn::UseTree::Group(group) => {
            group
                .items
                .iter()
                .for_each(|tree| flatten(tree, prefix.clone(), found));
        }
        syn::UseTree::Glob(_) => found.push((format!("{prefix}*"), None)),
        syn::UseTree::Name(name) if name.ident == "self" => {
            let module = prefix.trim_end_matches("::");
            let last = module.rsplit("::").next().unwrap_or(module);
            found.push((format!("{prefix}{{self}}"), Some(last.to_owned())));
        }
        syn::UseTree::Name(name) => {
            found.push((
                format!("{prefix}{}", name.ident),
                Some(name.ident.to_string()),
            ));
        }
        syn::UseTree::Rename(rename) => {
            let (from, to) = (&rename.ident, &rename.rename);
            let path = if from == "self" {
                format!("{prefix}{{self as {to}}}")
            } else {
                format!("{prefix}{from} as {to}")
            };
            let name = (to != "_").then(|| to.to_string());
            found.push((path, name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn a_use_is_kept_name_by_name() {
        let cell = parse("use std::{fmt::{self, Debug as D}, io::*};");
        let texts: Vec<_> = cell
            .items
            .iter()
            .map(|item| item.rewritten.clone().unwrap())
            .collect();
        assert_eq!(
            texts,
            [
                " use std::fmt::{self};",
                " use std::fmt::Debug as D;",
                " use std::io::*;"
            ]
        );
        assert_eq!(cell.items[1].key, ItemKey::Import("D".into()));
    }

    #[test]
    fn an_extern_block_is_kept_function_by_function() {
        let cell = parse("unsafe extern \"C\" { fn a(x: i32); safe fn b() -> u8; }");
        let kept: Vec<_> = cell
            .items
            .iter()
            .map(|item| (item.key.name().unwrap(), item.rewritten.as_deref().unwrap()))
            .collect();
        let expected = [
            ("a", "unsafe extern \"C\" { fn a(x: i32); }"),
            ("b", "unsafe extern \"C\" { safe fn b() -> u8; }"),
        ];
        assert_eq!(kept, expected);
        assert_eq!(parse("extern \"C\" { fn a(); }").items[0].rewritten, None);
    }

    #[test]
    fn an_impl_run_again_replaces_itself_and_no_other() {
        let key = |code: &str| parse(code).items[0].key.clone();
        assert!(key("impl P { fn a() {} }").replaces(&key("impl P { fn a() { 1; } fn b() {} }")));
        assert!(!key("impl P { fn c() {} }").replaces(&key("impl P { fn a() {} }")));
        assert!(key("impl Clone for P {}").replaces(&key("impl Clone for P { }")));
        assert!(!key("impl Clone for P {}").replaces(&key("impl Copy for P {}")));
        assert!(key("use a::X;").replaces(&key("struct X;")));
    }
}
