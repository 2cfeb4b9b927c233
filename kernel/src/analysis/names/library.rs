//! dlcore's public names with their documentation, read from its source.

use super::super::Match;
use super::macros::{self, Macros};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What dlcore offers.
#[derive(Debug, Default)]
pub struct Library {
    /// Names that the prelude brings into scope.
    prelude: BTreeSet<String>,
    /// What stands in each type and each module.
    members: BTreeMap<String, BTreeMap<String, Member>>,
    /// The names that users choose by, such as those of activations, by the module that lists them.
    choices: BTreeMap<String, Vec<String>>,
    /// Every public item by its name.
    items: BTreeMap<String, Member>,
    /// Types that stand for another, by `Deref`, and have its methods too.
    fronts: BTreeMap<String, String>,
}

/// One public name.
#[derive(Debug, Clone)]
pub struct Member {
    kind: &'static str,
    /// Whether it is called with a dot.
    pub is_method: bool,
    /// How it is written, then its documentation.
    text: String,
}

impl Member {
    /// As a completion.
    pub fn offered(&self, name: &str) -> Match {
        Match {
            text: name.to_owned(),
            kind: self.kind.to_owned(),
            label: self.text.lines().next().unwrap_or(name).to_owned(),
        }
    }
}

impl Library {
    /// Reads all below `source`; what cannot be read is left out.
    pub fn read(source: &Path) -> Library {
        let mut library = Library::default();
        let mut macros = Macros::default();
        library.read_dir(source, &mut macros);
        for file in macros.expand() {
            library.add_file("", &file, &mut Macros::default());
        }
        if let Some(file) = parsed(&source.join("prelude.rs")) {
            for item in &file.items {
                if let syn::Item::Use(item) = item {
                    library.add_use("", &item.tree);
                }
            }
        }
        // Not earlier: the macros' tokens refer to them.
        super::forget_spans();
        library
    }

    /// The names in scope and what they are.
    pub fn prelude(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.prelude.iter().map(|name| {
            let kind = match self.items.get(name) {
                Some(item) => item.kind,
                None if self.members.contains_key(name) => "module",
                None if name.starts_with(char::is_uppercase) => "class",
                None => "function",
            };
            (name.as_str(), kind)
        })
    }

    /// What stands in a type or a module; with the methods of a type that it stands for.
    pub fn members_of(&self, name: &str) -> impl Iterator<Item = (&str, &Member)> {
        let own = self.members.get(name).into_iter().flatten();
        let behind = self.fronts.get(name).and_then(|of| self.members.get(of));
        let methods = behind
            .into_iter()
            .flatten()
            .filter(|(_, member)| member.is_method);
        own.chain(methods)
            .map(|(name, member)| (name.as_str(), member))
    }

    /// Every method there is.
    pub fn methods(&self) -> impl Iterator<Item = &str> {
        let all = self.members.values().flatten();
        let methods: BTreeSet<&str> = all
            .filter(|(_, member)| member.is_method)
            .map(|(name, _)| name.as_str())
            .collect();
        methods.into_iter()
    }

    /// The names that a module takes as text.
    pub fn choices(&self, module: &str) -> &[String] {
        self.choices.get(module).map_or(&[], Vec::as_slice)
    }

    /// How an item is written, and its documentation.
    pub fn describe(&self, name: &str) -> Option<String> {
        Some(self.items.get(name)?.text.clone())
    }

    /// The same for what stands in a type or a module.
    pub fn describe_member(&self, of: &str, name: &str) -> Option<String> {
        let member = |of: &String| self.members.get(of)?.get(name);
        let behind = || member(self.fronts.get(of)?);
        Some(member(&of.to_owned()).or_else(behind)?.text.clone())
    }

    fn read_dir(&mut self, directory: &Path, macros: &mut Macros) {
        let Ok(entries) = std::fs::read_dir(directory) else {
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                self.read_dir(&path, macros);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && let Some(file) = parsed(&path)
            {
                self.add_file(&module_name(&path), &file, macros);
            }
        }
    }

    fn add_file(&mut self, module: &str, file: &syn::File, macros: &mut Macros) {
        for item in &file.items {
            if let syn::Item::Impl(item) = item {
                self.add_impl(item);
            } else if let syn::Item::Macro(item) = item {
                macros.add(item);
            } else if let Some((name, member)) = public_item(item) {
                self.add_member(module, &name, member.clone());
                self.items.insert(name, member);
            }
            if let syn::Item::Enum(item) = item {
                self.add_variants(item);
            }
            if let syn::Item::Const(item) = item
                && item.ident == "NAMES"
            {
                self.choices.insert(module.to_owned(), texts(&item.expr));
            }
        }
    }

    fn add_impl(&mut self, item: &syn::ItemImpl) {
        let syn::Type::Path(of) = &*item.self_ty else {
            return;
        };
        let Some(of) = of.path.segments.last() else {
            return;
        };
        let of = of.ident.to_string();
        let is_deref = |path: &syn::Path| path.segments.last().is_some_and(|s| s.ident == "Deref");
        if item
            .trait_
            .as_ref()
            .is_some_and(|(_, path, _)| is_deref(path))
            && let Some(target) = item.items.iter().find_map(target_of)
        {
            self.fronts.insert(of.clone(), target);
        }
        for inner in &item.items {
            if let syn::ImplItem::Fn(function) = inner
                && is_public(&function.vis)
            {
                let name = function.sig.ident.to_string();
                self.add_member(&of, &name, of_function(&function.sig, &function.attrs));
            }
        }
    }

    fn add_variants(&mut self, item: &syn::ItemEnum) {
        for variant in &item.variants {
            let name = variant.ident.to_string();
            let text = with_docs(format!("{}::{name}", item.ident), &variant.attrs);
            let member = Member {
                kind: "instance",
                is_method: false,
                text,
            };
            self.add_member(&item.ident.to_string(), &name, member);
        }
    }

    fn add_member(&mut self, of: &str, name: &str, member: Member) {
        let members = self.members.entry(of.to_owned()).or_default();
        members.insert(name.to_owned(), member);
    }

    fn add_use(&mut self, within: &str, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => self.add_use(&path.ident.to_string(), &path.tree),
            syn::UseTree::Name(name) => self.add_to_prelude(name.ident.to_string()),
            syn::UseTree::Rename(rename) => self.add_to_prelude(rename.rename.to_string()),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_use(within, tree);
                }
            }
            syn::UseTree::Glob(_) => {
                let all: Vec<String> = self
                    .members_of(within)
                    .map(|(name, _)| name.to_owned())
                    .collect();
                self.prelude.extend(all);
            }
        }
    }

    fn add_to_prelude(&mut self, name: String) {
        if name != "self" && name != "_" {
            self.prelude.insert(name);
        }
    }
}

/// The name in `type Target = …`.
fn target_of(item: &syn::ImplItem) -> Option<String> {
    match item {
        syn::ImplItem::Type(syn::ImplItemType {
            ident,
            ty: syn::Type::Path(target),
            ..
        }) if ident == "Target" => Some(target.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

/// The texts in an array of them, or in a slice.
fn texts(array: &syn::Expr) -> Vec<String> {
    let array = match array {
        syn::Expr::Array(array) => array,
        syn::Expr::Reference(slice) => return texts(&slice.expr),
        _ => return Vec::new(),
    };
    let text = |element: &syn::Expr| match element {
        syn::Expr::Lit(literal) => match &literal.lit {
            syn::Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    };
    array.elems.iter().filter_map(text).collect()
}

fn parsed(path: &Path) -> Option<syn::File> {
    syn::parse_file(&std::fs::read_to_string(path).ok()?).ok()
}

/// `plot` of `plot.rs` and of `plot/mod.rs`.
fn module_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    let name = match path.parent().and_then(Path::file_name) {
        Some(directory) if stem == "mod" => directory,
        _ => stem,
    };
    name.to_string_lossy().into_owned()
}

fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

fn public_item(item: &syn::Item) -> Option<(String, Member)> {
    let (visibility, name, attributes, word, kind) = match item {
        syn::Item::Fn(item) if is_public(&item.vis) => {
            let name = item.sig.ident.to_string();
            return Some((name, of_function(&item.sig, &item.attrs)));
        }
        syn::Item::Struct(i) => (&i.vis, &i.ident, &i.attrs, "struct", "class"),
        syn::Item::Enum(i) => (&i.vis, &i.ident, &i.attrs, "enum", "class"),
        syn::Item::Trait(i) => (&i.vis, &i.ident, &i.attrs, "trait", "class"),
        syn::Item::Type(i) => (&i.vis, &i.ident, &i.attrs, "type", "class"),
        syn::Item::Const(i) => (&i.vis, &i.ident, &i.attrs, "const", "instance"),
        _ => return None,
    };
    let member = Member {
        kind,
        is_method: false,
        text: with_docs(format!("{word} {name}"), attributes),
    };
    is_public(visibility).then(|| (name.to_string(), member))
}

fn of_function(signature: &syn::Signature, attributes: &[syn::Attribute]) -> Member {
    let arguments: Vec<String> = signature.inputs.iter().map(argument).collect();
    let written = format!("fn {}({})", signature.ident, arguments.join(", "));
    Member {
        kind: "function",
        is_method: signature.receiver().is_some(),
        text: with_docs(written, attributes),
    }
}

fn argument(argument: &syn::FnArg) -> String {
    match argument {
        syn::FnArg::Receiver(this) => match (&this.reference, &this.mutability) {
            (Some(_), Some(_)) => "&mut self".to_owned(),
            (Some(_), None) => "&self".to_owned(),
            (None, _) => "self".to_owned(),
        },
        syn::FnArg::Typed(typed) => match &*typed.pat {
            syn::Pat::Ident(name) => name.ident.to_string(),
            _ => "_".to_owned(),
        },
    }
}

fn with_docs(written: String, attributes: &[syn::Attribute]) -> String {
    let lines: Vec<String> = attributes.iter().filter_map(doc_line).collect();
    if lines.is_empty() {
        written
    } else {
        format!("{written}\n\n{}", lines.join("\n").trim())
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
