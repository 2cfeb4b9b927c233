//! Names that are known without rust-analyzer: the session's, dlcore's, the language's.

use super::{Completions, Match, code_points};
use crate::engine::SessionView;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const KEYWORDS: &[&str] = &[
    "as", "async", "await", "break", "const", "continue", "else", "enum", "false", "fn", "for",
    "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
    "self", "static", "struct", "trait", "true", "type", "unsafe", "use", "where", "while",
];

/// dlcore's names, read from its source.
#[derive(Debug, Default)]
pub struct Names {
    /// What the prelude brings into scope, with its kind.
    prelude: BTreeMap<String, &'static str>,
    /// Methods of dlcore's types.
    methods: BTreeSet<String>,
}

impl Names {
    /// Reads `home/src/dlcore`; what cannot be read is left out.
    pub fn of_library(home: &Path) -> Names {
        let mut names = Names::default();
        let source = home.join("src/dlcore/src");
        if let Ok(text) = std::fs::read_to_string(source.join("prelude.rs"))
            && let Ok(file) = syn::parse_file(&text)
        {
            for item in &file.items {
                if let syn::Item::Use(item) = item {
                    names.add_use(&item.tree);
                }
            }
        }
        names.add_methods_below(&source);
        names
    }

    fn add_use(&mut self, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => self.add_use(&path.tree),
            syn::UseTree::Name(name) => self.add_name(name.ident.to_string()),
            syn::UseTree::Rename(rename) => self.add_name(rename.rename.to_string()),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_use(tree);
                }
            }
            syn::UseTree::Glob(_) => {}
        }
    }

    fn add_name(&mut self, name: String) {
        let kind = if name.starts_with(char::is_uppercase) {
            "class"
        } else {
            "function"
        };
        if name != "self" && name != "_" {
            self.prelude.insert(name, kind);
        }
    }

    fn add_methods_below(&mut self, directory: &Path) {
        let Ok(entries) = std::fs::read_dir(directory) else {
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                self.add_methods_below(&path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && let Ok(text) = std::fs::read_to_string(&path)
                && let Ok(file) = syn::parse_file(&text)
            {
                self.add_methods(&file);
            }
        }
    }

    fn add_methods(&mut self, file: &syn::File) {
        for item in &file.items {
            let syn::Item::Impl(item) = item else {
                continue;
            };
            for inner in &item.items {
                if let syn::ImplItem::Fn(method) = inner
                    && matches!(method.vis, syn::Visibility::Public(_))
                    && method.sig.receiver().is_some()
                {
                    self.methods.insert(method.sig.ident.to_string());
                }
            }
        }
    }

    /// Names that go on from what stands before `at`.
    pub fn complete(&self, view: &SessionView, code: &str, at: usize) -> Completions {
        let start = start_of_name(code, at);
        let begun = &code[start..at];
        let before = code[..start].trim_end();
        let mut matches = if before.ends_with('.') && !before.ends_with("..") {
            named(self.methods.iter(), "function")
        } else if before.ends_with("::") {
            Vec::new()
        } else {
            self.in_scope(view)
        };
        matches.retain(|found| found.text.starts_with(begun) && found.text != begun);
        Completions {
            matches,
            start: code_points(code, start),
            end: code_points(code, at),
        }
    }

    fn in_scope(&self, view: &SessionView) -> Vec<Match> {
        let mut matches: Vec<Match> = view
            .variables
            .iter()
            .map(|variable| Match {
                text: variable.name.clone(),
                kind: "instance".to_owned(),
                label: format!("{}: {}", variable.name, variable.type_name),
            })
            .collect();
        matches.sort_by(|a, b| a.text.cmp(&b.text));
        for item in &view.items {
            if let Some((name, kind)) = item_name(item) {
                matches.push(plain(&name, kind));
            }
        }
        matches.extend(self.prelude.iter().map(|(name, kind)| plain(name, kind)));
        matches.extend(named(KEYWORDS.iter(), "keyword"));
        let mut seen = BTreeSet::new();
        matches.retain(|found| seen.insert(found.text.clone()));
        matches
    }

    /// One line about the name that ends at `at`, if it is the session's own.
    pub fn describe(&self, view: &SessionView, code: &str, at: usize) -> Option<String> {
        let start = start_of_name(code, at);
        if code[..start].trim_end().ends_with(['.', ':']) {
            return None;
        }
        let name = &code[start..at];
        let variable = view.variables.iter().find(|known| known.name == name);
        if let Some(variable) = variable {
            let mutable = if variable.mutable { "mut " } else { "" };
            return Some(format!("let {mutable}{name}: {}", variable.type_name));
        }
        let defines = |item: &&String| item_name(item).is_some_and(|(known, _)| known == name);
        view.items.iter().rev().find(defines).cloned()
    }
}

fn named<'a>(names: impl Iterator<Item = &'a (impl AsRef<str> + 'a)>, kind: &str) -> Vec<Match> {
    names.map(|name| plain(name.as_ref(), kind)).collect()
}

fn plain(name: &str, kind: &str) -> Match {
    Match {
        text: name.to_owned(),
        kind: kind.to_owned(),
        label: name.to_owned(),
    }
}

fn start_of_name(code: &str, at: usize) -> usize {
    code[..at]
        .char_indices()
        .rev()
        .take_while(|&(_, c)| c.is_alphanumeric() || c == '_')
        .last()
        .map_or(at, |(start, _)| start)
}

/// The name that an item defines.
fn item_name(item: &str) -> Option<(String, &'static str)> {
    let (name, kind) = match syn::parse_str::<syn::Item>(item).ok()? {
        syn::Item::Fn(item) => (item.sig.ident, "function"),
        syn::Item::Struct(item) => (item.ident, "class"),
        syn::Item::Enum(item) => (item.ident, "class"),
        syn::Item::Trait(item) => (item.ident, "class"),
        syn::Item::Type(item) => (item.ident, "class"),
        syn::Item::Const(item) => (item.ident, "instance"),
        syn::Item::Static(item) => (item.ident, "instance"),
        syn::Item::Mod(item) => (item.ident, "module"),
        syn::Item::Macro(item) => (item.ident?, "function"),
        _ => return None,
    };
    Some((name.to_string(), kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Variable;

    fn library() -> (tempfile::TempDir, Names) {
        let home = tempfile::tempdir().unwrap();
        let source = home.path().join("src/dlcore/src/tensor");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(
            source.parent().unwrap().join("prelude.rs"),
            "pub use crate::{tensor::{Tensor, Tensor as Array}, random::set_seed};",
        )
        .unwrap();
        std::fs::write(
            source.join("mod.rs"),
            "impl Tensor { pub fn reshape(&self) {} pub fn zeros() {} fn hidden(&self) {} }",
        )
        .unwrap();
        let names = Names::of_library(home.path());
        (home, names)
    }

    fn view() -> SessionView {
        SessionView {
            items: vec!["fn settle() {}".to_owned()],
            variables: vec![Variable {
                name: "sé".to_owned(),
                type_name: "Tensor".to_owned(),
                mutable: false,
            }],
        }
    }

    fn texts(found: &Completions) -> Vec<&str> {
        found.matches.iter().map(|m| m.text.as_str()).collect()
    }

    #[test]
    fn names_of_session_library_and_language() {
        let (_home, names) = library();
        let code = "let é = s";
        let found = names.complete(&view(), code, code.len());
        assert_eq!(
            texts(&found),
            ["sé", "settle", "set_seed", "self", "static", "struct"]
        );
        assert_eq!((found.start, found.end), (8, 9));
        let found = names.complete(&view(), "A", 1);
        assert_eq!(texts(&found), ["Array"]);
    }

    #[test]
    fn methods_after_a_dot() {
        let (_home, names) = library();
        let found = names.complete(&view(), "sé\n  .re", "sé\n  .re".len());
        assert_eq!(texts(&found), ["reshape"]);
        assert!(texts(&names.complete(&view(), "0..", 3)).contains(&"sé"));
    }

    #[test]
    fn what_the_session_says_of_its_names() {
        let names = Names::default();
        let say = |code: &str| names.describe(&view(), code, code.len());
        assert_eq!(say("x + sé").as_deref(), Some("let sé: Tensor"));
        assert_eq!(say("settle").as_deref(), Some("fn settle() {}"));
        assert_eq!(say("x.settle"), None);
        assert_eq!(say("nothing"), None);
    }
}
