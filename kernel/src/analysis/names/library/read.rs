//! Reading a crate's source as its user sees it: modules from `lib.rs` on, what is public in them,
//! and what they pass on by `pub use`.

mod modules;

use super::super::macros::Macros;
use super::{Library, Member};
use modules::{Module, Use, join, split};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use syn::spanned::Spanned as _;

/// How a file's tests begin.
const TESTS: &str = "\n#[cfg(test)]\nmod tests {";

#[derive(Default)]
struct Reader {
    library: Library,
    modules: BTreeMap<String, Module>,
    macros: Macros,
    /// In a session everything can be used.
    all_public: bool,
    /// The file that is being read.
    file: Option<Arc<Path>>,
}

/// The crate whose `lib.rs` lies in `source`.
pub(super) fn library(source: &Path) -> Library {
    let mut reader = Reader::default();
    reader.read_file("", &source.join("lib.rs"), source);
    for (module, file) in std::mem::take(&mut reader.macros).expand() {
        reader.add_items(&module, &file.items, None);
    }
    reader.finish()
}

/// The items of a session.
pub(super) fn session(items: &[String]) -> Library {
    let mut reader = Reader {
        all_public: true,
        ..Reader::default()
    };
    let items: Vec<syn::Item> = items
        .iter()
        .filter_map(|item| syn::parse_str(item).ok())
        .collect();
    reader.add_items("", &items, None);
    reader.finish()
}

impl Reader {
    fn read_file(&mut self, module: &str, path: &Path, directory: &Path) {
        let Ok(text) = std::fs::read_to_string(path) else {
            return;
        };
        // Tests stand at a file's end; to parse them would take as long again.
        let code = text.split(TESTS).next().unwrap_or(&text);
        let Ok(file) = syn::parse_file(code) else {
            return;
        };
        if let Some((above, name)) = split(module)
            && let Some((member, _)) = self
                .modules
                .entry(above.to_owned())
                .or_default()
                .inner
                .get_mut(name)
        {
            // Its documentation stands at the head of its own file.
            *member = Member::module(name, &file.attrs);
        }
        self.modules.entry(module.to_owned()).or_default();
        let above = self.file.replace(path.into());
        self.add_items(module, &file.items, Some(directory));
        self.file = above;
    }

    /// Where something of the file is written that is being read.
    fn place(&self, of: proc_macro2::Span) -> Option<(Arc<Path>, std::ops::Range<usize>)> {
        Some((self.file.clone()?, of.byte_range()))
    }

    /// `directory` holds the files of modules in this one.
    fn add_items(&mut self, module: &str, items: &[syn::Item], directory: Option<&Path>) {
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            match item {
                syn::Item::Mod(inner) => self.add_module(module, inner, directory),
                syn::Item::Use(item) => {
                    let is_public = is_public(&item.vis);
                    self.add_use(module, &mut Vec::new(), &item.tree, is_public);
                }
                syn::Item::Macro(item) => self.macros.add(module, item),
                syn::Item::Impl(item) => self.add_impl(item),
                item => self.add_item(module, item),
            }
        }
    }

    fn add_module(&mut self, module: &str, inner: &syn::ItemMod, directory: Option<&Path>) {
        let name = inner.ident.to_string();
        let path = join(module, &name);
        let is_usable = self.is_usable(&inner.vis, &inner.attrs);
        let member = Member::module(&name, &inner.attrs);
        let here = self.modules.entry(module.to_owned()).or_default();
        here.inner.insert(name.clone(), (member, is_usable));
        if let Some((_, items)) = &inner.content {
            let within = directory.map(|directory| directory.join(&name));
            self.modules.entry(path.clone()).or_default();
            self.add_items(&path, items, within.as_deref());
        } else if let Some(directory) = directory {
            let within = directory.join(&name);
            let files: [PathBuf; 2] = [directory.join(format!("{name}.rs")), within.join("mod.rs")];
            if let Some(file) = files.iter().find(|file| file.is_file()) {
                self.read_file(&path, file, &within);
            }
        }
    }

    fn add_use(
        &mut self,
        module: &str,
        path: &mut Vec<String>,
        tree: &syn::UseTree,
        is_public: bool,
    ) {
        let (last, name) = match tree {
            syn::UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.add_use(module, path, &step.tree, is_public);
                path.pop();
                return;
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_use(module, path, tree, is_public);
                }
                return;
            }
            syn::UseTree::Name(name) => {
                (Some(name.ident.to_string()), Some(name.ident.to_string()))
            }
            syn::UseTree::Rename(name) => {
                (Some(name.ident.to_string()), Some(name.rename.to_string()))
            }
            syn::UseTree::Glob(_) => (None, None),
        };
        let mut whole = path.clone();
        let mut name = name;
        match last {
            // `plot::{self}` is `plot`.
            Some(last) if last == "self" => {
                if name.as_deref() == Some("self") {
                    name = path.last().cloned();
                }
            }
            last => whole.extend(last),
        }
        let here = self.modules.entry(module.to_owned()).or_default();
        here.uses.push(Use {
            path: whole,
            name,
            is_public,
        });
    }

    fn add_item(&mut self, module: &str, item: &syn::Item) {
        let Some((name, mut member)) = Member::item(item) else {
            return;
        };
        member.place = self.place(item.span());
        match item {
            syn::Item::Struct(item) => self.add_fields(&name, &item.fields),
            syn::Item::Enum(item) => {
                let known = self.library.types.entry(name.clone()).or_default();
                for variant in item.variants.iter().filter(|v| !is_hidden(&v.attrs)) {
                    known
                        .members
                        .insert(variant.ident.to_string(), Member::variant(&name, variant));
                }
            }
            syn::Item::Trait(item) => {
                let known = self.library.types.entry(name.clone()).or_default();
                for inner in &item.items {
                    if let syn::TraitItem::Fn(function) = inner
                        && !is_hidden(&function.attrs)
                    {
                        let member = Member::function(&function.sig, &function.attrs, None);
                        known.members.insert(function.sig.ident.to_string(), member);
                    }
                }
            }
            syn::Item::Const(item) if name == "NAMES" => {
                let module = split(module).map_or("", |(_, name)| name);
                self.library
                    .choices
                    .insert(module.to_owned(), texts(&item.expr));
            }
            _ => {}
        }
        let usable = self.is_usable(visibility(item), attributes(item));
        let here = self.modules.entry(module.to_owned()).or_default();
        here.items.insert(name, (member, usable));
    }

    fn add_fields(&mut self, of: &str, fields: &syn::Fields) {
        for (at, field) in fields.iter().enumerate() {
            let name = field
                .ident
                .as_ref()
                .map_or(at.to_string(), ToString::to_string);
            let usable = self.is_usable(&field.vis, &field.attrs);
            let known = self.library.types.entry(of.to_owned()).or_default();
            if usable {
                known
                    .members
                    .insert(name.clone(), Member::field(&name, field));
            } else {
                known.hidden.insert(name);
            }
        }
    }

    fn add_impl(&mut self, item: &syn::ItemImpl) {
        let trait_name = item
            .trait_
            .as_ref()
            .and_then(|(_, path, _)| path.segments.last());
        let trait_name = trait_name.map(|last| last.ident.to_string());
        let Some(of) = path_end(&item.self_ty) else {
            return;
        };
        if let Some(trait_name) = trait_name {
            // `impl<T: Layer> LayerCall for T`: whatever is a `Layer`.
            if let Some(bounds) = bounds_of(&item.generics, &of) {
                let blanket = bounds.into_iter().map(|bound| (bound, trait_name.clone()));
                return self.library.blankets.extend(blanket);
            }
            let known = self.library.types.entry(of).or_default();
            if trait_name == "Deref" {
                known.front = item.items.iter().find_map(target_of);
            }
            known.traits.insert(trait_name);
            return;
        }
        for inner in &item.items {
            let (name, attributes, visibility, mut member) = match inner {
                syn::ImplItem::Fn(function) => {
                    let member = Member::function(&function.sig, &function.attrs, Some(&of));
                    (
                        function.sig.ident.to_string(),
                        &function.attrs,
                        &function.vis,
                        member,
                    )
                }
                syn::ImplItem::Const(constant) => {
                    let as_item = syn::Item::Const(syn::ItemConst {
                        attrs: constant.attrs.clone(),
                        vis: constant.vis.clone(),
                        const_token: constant.const_token,
                        ident: constant.ident.clone(),
                        generics: constant.generics.clone(),
                        colon_token: constant.colon_token,
                        ty: Box::new(constant.ty.clone()),
                        eq_token: constant.eq_token,
                        expr: Box::new(constant.expr.clone()),
                        semi_token: constant.semi_token,
                    });
                    let Some((name, member)) = Member::item(&as_item) else {
                        continue;
                    };
                    (name, &constant.attrs, &constant.vis, member)
                }
                _ => continue,
            };
            if is_for_tests(attributes) {
                continue;
            }
            member.place = self.place(inner.span());
            let usable = self.is_usable(visibility, attributes);
            let known = self.library.types.entry(of.clone()).or_default();
            if usable {
                known.members.insert(name, member);
            } else {
                known.hidden.insert(name);
            }
        }
    }

    fn is_usable(&self, visibility: &syn::Visibility, attributes: &[syn::Attribute]) -> bool {
        self.all_public || is_public(visibility) && !is_hidden(attributes)
    }
}

pub(super) fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

fn names_in(attribute: &syn::Attribute, outer: &str, inner: &str) -> bool {
    let syn::Meta::List(list) = &attribute.meta else {
        return false;
    };
    list.path.is_ident(outer) && list.tokens.to_string() == inner
}

fn is_hidden(attributes: &[syn::Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| names_in(attribute, "doc", "hidden"))
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| names_in(attribute, "cfg", "test"))
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        _ => &[],
    }
}

fn visibility(item: &syn::Item) -> &syn::Visibility {
    match item {
        syn::Item::Fn(item) => &item.vis,
        syn::Item::Struct(item) => &item.vis,
        syn::Item::Enum(item) => &item.vis,
        syn::Item::Trait(item) => &item.vis,
        syn::Item::Type(item) => &item.vis,
        syn::Item::Const(item) => &item.vis,
        _ => &syn::Visibility::Inherited,
    }
}

/// The last name of a type's path.
fn path_end(of: &syn::Type) -> Option<String> {
    match of {
        syn::Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

/// The bounds of a type parameter of this name; `None` when it is none.
fn bounds_of(generics: &syn::Generics, name: &str) -> Option<Vec<String>> {
    let parameter = generics
        .type_params()
        .find(|parameter| parameter.ident == name)?;
    let bounds = parameter.bounds.iter().filter_map(|bound| match bound {
        syn::TypeParamBound::Trait(bound) => Some(bound.path.segments.last()?.ident.to_string()),
        _ => None,
    });
    Some(bounds.collect())
}

/// The name in `type Target = …`.
fn target_of(item: &syn::ImplItem) -> Option<String> {
    match item {
        syn::ImplItem::Type(target) if target.ident == "Target" => path_end(&target.ty),
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
