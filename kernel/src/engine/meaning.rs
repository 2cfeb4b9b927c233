//! What a type's name means to a session: the texts of all definitions that it rests on.
//!
//! The compiler cannot tell two definitions of one name in two cells apart, and a value read with
//! another layout than it was written with is undefined behaviour. So a variable is dropped as soon
//! as one of these texts is another: sometimes without need, never too late.

use std::collections::BTreeSet;

use super::generate::KeptItem;
use super::source::{self, ItemKey};
use super::types;

/// The items of a session, ready to be asked.
pub struct Meanings<'a> {
    items: &'a [KeptItem],
    /// Glob imports whose names are known.
    globs: Vec<Glob<'a>>,
    /// Texts that may define any name: glob imports of other crates, macros.
    anything: Vec<&'a str>,
    /// Impls that define associated types or constants, on which a layout may rest.
    associated: Vec<&'a str>,
}

struct Glob<'a> {
    text: &'a str,
    /// The item that it imports from; empty for the standard library.
    from: String,
    names: Vec<String>,
}

fn defines_associated(kept: &KeptItem) -> bool {
    matches!(kept.item.key, ItemKey::Impl(..))
        && syn::parse_str(&kept.text).is_ok_and(|item: syn::ItemImpl| {
            let is_part = |part: &syn::ImplItem| {
                matches!(part, syn::ImplItem::Type(_) | syn::ImplItem::Const(_))
            };
            item.items.iter().any(is_part)
        })
}

impl<'a> Meanings<'a> {
    /// Reads the items without a name.
    pub fn of(items: &'a [KeptItem]) -> Meanings<'a> {
        let mut meanings = Meanings {
            items,
            globs: vec![],
            anything: vec![],
            associated: vec![],
        };
        for kept in items {
            if defines_associated(kept) {
                meanings.associated.push(&kept.text);
            }
            if !matches!(kept.item.key, ItemKey::Unnamed(_)) {
                continue;
            }
            match syn::parse_str(&kept.text) {
                Ok(syn::Item::Const(_)) => {}
                Ok(syn::Item::Use(import)) if import.leading_colon.is_none() => {
                    let Some(path) = imported(&import.tree) else {
                        continue;
                    };
                    match names_of(&path, items) {
                        Some(names) => meanings.globs.push(Glob {
                            text: &kept.text,
                            from: path.first().cloned().unwrap_or_default(),
                            names,
                        }),
                        None => meanings.anything.push(&kept.text),
                    }
                }
                _ => meanings.anything.push(&kept.text),
            }
        }
        proc_macro2::extra::invalidate_current_thread_spans();
        meanings
    }

    /// The texts of all items that have a say in what a type means: those it names, those that
    /// these name, and so on.
    pub fn meaning(&self, written: &str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut names: Vec<&str> = vec![];
        let of_type = types::of_the_user(written);
        for name in self.defined() {
            if of_type.contains(&name) && !names.contains(&name) {
                names.push(name);
            }
        }
        let in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        for path in written.split(|c| !in_path(c)) {
            if !path.contains("::") {
                self.follow_globs(path, &mut names, &mut found);
            }
        }
        if names.is_empty() {
            return found;
        }
        found.extend(&self.anything);
        let mut checked = 0;
        while checked < names.len() {
            let name = names[checked];
            checked += 1;
            for kept in self.items {
                if kept.item.key.name() != Some(name) {
                    continue;
                }
                found.insert(kept.text.as_str());
                for other in self.defined() {
                    if !names.contains(&other) && source::mentions(&kept.text, other) {
                        names.push(other);
                    }
                }
                self.follow_globs(&kept.text, &mut names, &mut found);
            }
            if checked == names.len() {
                self.follow_impls(&mut names, &mut found);
            }
        }
        found
    }

    /// `<S as T>::X` and `C::N` mean what an impl says.
    fn follow_impls<'n>(&'n self, names: &mut Vec<&'n str>, found: &mut BTreeSet<&'a str>) {
        if !found.iter().any(|text| text.contains("::")) {
            return;
        }
        for text in &self.associated {
            let concerns = names.iter().any(|name| source::mentions(text, name));
            if concerns && found.insert(text) {
                for other in self.defined() {
                    if !names.contains(&other) && source::mentions(text, other) {
                        names.push(other);
                    }
                }
            }
        }
    }

    fn defined(&self) -> impl Iterator<Item = &'a str> {
        self.items.iter().filter_map(|kept| kept.item.key.name())
    }

    /// The items that globs import the names in `text` from. A glob import that is new changes what a
    /// name means only if the name was there before without any import: what another item
    /// defines goes before it, and between two globs the compiler does not choose.
    fn follow_globs<'n>(
        &'n self,
        text: &str,
        names: &mut Vec<&'n str>,
        found: &mut BTreeSet<&'a str>,
    ) {
        for glob in &self.globs {
            for name in glob
                .names
                .iter()
                .filter(|name| source::mentions(text, name))
            {
                if WITHOUT_IMPORT.contains(&name.as_str()) {
                    found.insert(glob.text);
                }
                if !names.contains(&glob.from.as_str()) {
                    names.push(&glob.from);
                }
            }
        }
    }
}

/// Types that are there without an import.
const WITHOUT_IMPORT: &[&str] = &[
    "Box",
    "Option",
    "Result",
    "String",
    "Vec",
    "bool",
    "char",
    "str",
    "f32",
    "f64",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "Send",
    "Sync",
    "Sized",
    "Copy",
    "Drop",
    "Fn",
    "FnMut",
    "FnOnce",
    "Clone",
    "PartialEq",
    "PartialOrd",
    "Eq",
    "Ord",
    "AsRef",
    "AsMut",
    "Into",
    "From",
    "Default",
    "Iterator",
    "Extend",
    "IntoIterator",
    "DoubleEndedIterator",
    "ExactSizeIterator",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "FromIterator",
    "Future",
    "IntoFuture",
    "Unpin",
];

/// The path in front of `*`, from the crate's root; `None` for an import without a name (`as _`).
fn imported(tree: &syn::UseTree) -> Option<Vec<String>> {
    let (mut path, mut tree) = (vec![], tree);
    loop {
        match tree {
            syn::UseTree::Path(step) => {
                let name = step.ident.to_string();
                if !(path.is_empty() && (name == "crate" || name == "self")) {
                    path.push(name);
                }
                tree = &step.tree;
            }
            syn::UseTree::Glob(_) => return Some(path),
            _ => return None,
        }
    }
}

/// The names that `path::*` brings in; `None` when nobody knows.
fn names_of(path: &[String], items: &[KeptItem]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let defined: Vec<_> = items
        .iter()
        .filter(|kept| kept.item.key.name() == Some(first))
        .collect();
    match defined.as_slice() {
        // `std::fmt::Result` is the one type there that is another one without an import.
        [] if ["std", "core", "alloc"].contains(&first.as_str()) => Some(vec!["Result".to_owned()]),
        [kept] if matches!(kept.item.key, ItemKey::Type(_)) => {
            names_in(&syn::parse_str(&kept.text).ok()?, rest)
        }
        _ => None,
    }
}

fn names_in(item: &syn::Item, path: &[String]) -> Option<Vec<String>> {
    match item {
        syn::Item::Enum(item) if path.is_empty() => Some(
            item.variants
                .iter()
                .map(|variant| variant.ident.to_string())
                .collect(),
        ),
        syn::Item::Mod(module) => {
            let (_, inside) = module.content.as_ref()?;
            let named = |item: &syn::Item, name: &str| match source::key_of(item, "") {
                ItemKey::Type(own) => own == name,
                _ => false,
            };
            match path.split_first() {
                Some((name, rest)) => names_in(inside.iter().find(|item| named(item, name))?, rest),
                None => inside
                    .iter()
                    .map(of_item)
                    .collect::<Option<Vec<_>>>()
                    .map(|all| all.concat()),
            }
        }
        _ => None,
    }
}

/// The names that one item of a module defines, private ones too; `None` when nobody knows.
fn of_item(item: &syn::Item) -> Option<Vec<String>> {
    if let syn::Item::Use(import) = item {
        let mut names = vec![];
        for one in source::imports_of(import, &(0..0)) {
            match one.key {
                ItemKey::Import(name) => names.push(name),
                _ if one.rewritten.is_some_and(|text| text.contains('*')) => return None,
                _ => {}
            }
        }
        return Some(names);
    }
    match source::key_of(item, "") {
        ItemKey::Unnamed(_) => matches!(item, syn::Item::Const(_)).then(Vec::new),
        ItemKey::Impl(..) => Some(vec![]),
        key => Some(key.name().map(str::to_owned).into_iter().collect()),
    }
}
