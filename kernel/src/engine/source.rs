//! A cell's text, taken apart: items, statements, the last expression, the variables it binds.

use std::ops::Range;

use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::Visit;

/// A cell as written, parsed as far as it parses.
#[derive(Debug)]
pub struct Cell {
    /// `#![…]` at its head.
    pub attributes: Vec<Range<usize>>,
    /// `fn`, `struct`, `use`, `impl`, …: kept for all later cells.
    pub items: Vec<Item>,
    /// Everything that runs, in order.
    pub statements: Vec<Statement>,
    /// Variables bound at the cell's top level, in order; a name bound twice stands once.
    pub bindings: Vec<Binding>,
    /// Names bound to a closure or an `async` block, whose types no later cell could name.
    pub nameless: Vec<String>,
    /// Whether it awaits something, outside of functions, closures and `async` blocks of its own.
    pub awaits: bool,
}

impl Cell {
    /// Whether there is nothing to compile: only comments, or not even these.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.items.is_empty() && self.statements.is_empty()
    }
}

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

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Where it stands in the cell.
    pub span: Range<usize>,
    /// Whether it is the last expression, whose value is shown.
    pub shown: bool,
}

/// A variable bound by `let`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Its name.
    pub name: String,
    /// Whether it is bound with `mut`.
    pub mutable: bool,
    /// The type the user wrote, when it is written out in full.
    pub annotation: Option<String>,
}

/// Takes a cell apart. A cell that does not parse comes back as one statement, so that the
/// compiler says what is wrong with it in its own words.
pub fn parse(code: &str) -> Cell {
    let parser = |input: syn::parse::ParseStream<'_>| {
        Ok((
            input.call(syn::Attribute::parse_inner)?,
            input.call(syn::Block::parse_within)?,
        ))
    };
    // A `let` at the end may lack its semicolon.
    let parsed = syn::parse::Parser::parse_str(parser, code)
        .or_else(|_| syn::parse::Parser::parse_str(parser, &format!("{code}\n;")));
    let cell = match parsed {
        Ok((attributes, statements)) => take_apart(code, &attributes, &statements),
        Err(_) => {
            let whole = Statement {
                span: 0..code.len(),
                shown: false,
            };
            Cell {
                attributes: vec![],
                items: vec![],
                statements: vec![whole],
                bindings: vec![],
                nameless: vec![],
                awaits: false,
            }
        }
    };
    // Spans live in a table of this thread that otherwise grows with every cell.
    proc_macro2::extra::invalidate_current_thread_spans();
    cell
}

/// Whether a cell parses.
pub fn is_readable(code: &str) -> bool {
    let parser = |input: syn::parse::ParseStream<'_>| {
        input.call(syn::Attribute::parse_inner)?;
        input.call(syn::Block::parse_within)
    };
    syn::parse::Parser::parse_str(parser, code).is_ok()
}

fn take_apart(code: &str, attributes: &[syn::Attribute], parsed: &[syn::Stmt]) -> Cell {
    let mut cell = Cell {
        attributes: attributes.iter().map(range_of).collect(),
        items: vec![],
        statements: vec![],
        bindings: vec![],
        nameless: vec![],
        awaits: awaits(parsed),
    };
    for (index, statement) in parsed.iter().enumerate() {
        let span = range_of(statement);
        let span = span.start..span.end.min(code.len());
        let last = index + 1 == parsed.len();
        match statement {
            syn::Stmt::Item(item) => cell.items.extend(items_of(item, span, code)),
            syn::Stmt::Local(local) => {
                bind(&local.pat, None, may_fail(local), &mut cell.bindings);
                cell.nameless
                    .retain(|name| cell.bindings.iter().all(|binding| binding.name != *name));
                if let Some(name) = nameless(local) {
                    cell.bindings.retain(|binding| binding.name != name);
                    cell.nameless.push(name);
                }
                cell.statements.push(Statement { span, shown: false });
            }
            syn::Stmt::Expr(_, semicolon) => {
                cell.statements.push(Statement {
                    span,
                    shown: last && semicolon.is_none(),
                });
            }
            syn::Stmt::Macro(call) => {
                cell.statements.push(Statement {
                    span,
                    shown: last && call.semi_token.is_none(),
                });
            }
        }
    }
    cell
}

/// Whether its pattern may not fit: then it has an `else`.
fn may_fail(local: &syn::Local) -> bool {
    let init = local.init.as_ref();
    init.is_some_and(|init| init.diverge.is_some())
}

/// The name that is bound to a closure or an `async` block as it is.
fn nameless(local: &syn::Local) -> Option<String> {
    let syn::Pat::Ident(ident) = &local.pat else {
        return None;
    };
    let value = &*local.init.as_ref()?.expr;
    let plain = matches!(value, syn::Expr::Closure(_) | syn::Expr::Async(_));
    plain.then(|| ident.ident.to_string())
}

fn awaits(statements: &[syn::Stmt]) -> bool {
    struct Look(bool);
    impl Visit<'_> for Look {
        fn visit_expr_await(&mut self, _: &syn::ExprAwait) {
            self.0 = true;
        }
        fn visit_macro(&mut self, call: &syn::Macro) {
            // What stands in a macro is only tokens yet; a cell that is async without need does no harm.
            self.0 |= call.tokens.to_string().contains(". await");
        }
        fn visit_expr_async(&mut self, _: &syn::ExprAsync) {}
        fn visit_expr_closure(&mut self, _: &syn::ExprClosure) {}
        fn visit_item(&mut self, _: &syn::Item) {}
    }
    let mut look = Look(false);
    statements
        .iter()
        .for_each(|statement| look.visit_stmt(statement));
    look.0
}

fn range_of(node: &impl Spanned) -> Range<usize> {
    node.span().byte_range()
}

fn items_of(item: &syn::Item, span: Range<usize>, code: &str) -> Vec<Item> {
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
}

impl ItemKey {
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

fn bind(
    pattern: &syn::Pat,
    annotation: Option<&syn::Type>,
    may_fail: bool,
    found: &mut Vec<Binding>,
) {
    use syn::Pat as P;
    let mut all = |patterns: &mut dyn Iterator<Item = &syn::Pat>| {
        patterns.for_each(|pattern| bind(pattern, None, may_fail, found));
    };
    match pattern {
        P::Type(typed) => bind(&typed.pat, Some(&typed.ty), may_fail, found),
        // `ref` borrows from a value that is gone after the cell.
        P::Ident(ident) if ident.by_ref.is_some() => {}
        P::Ident(ident) => {
            let name = ident.ident.to_string();
            // In `let None = x else {…}` the name is a constant or variant, not a binding. Where a pattern
            // always fits, as in `let X = …`, it is one.
            if !may_fail || !name.starts_with(char::is_uppercase) {
                found.retain(|earlier| earlier.name != name);
                let annotation = annotation
                    .filter(|ty| written_out(ty))
                    .map(|ty| compact(&ty.to_token_stream().to_string()));
                found.push(Binding {
                    name,
                    mutable: ident.mutability.is_some(),
                    annotation,
                });
            }
            if let Some((_, inner)) = &ident.subpat {
                bind(inner, None, may_fail, found);
            }
        }
        P::Tuple(tuple) => all(&mut tuple.elems.iter()),
        P::TupleStruct(tuple) => all(&mut tuple.elems.iter()),
        P::Slice(slice) => all(&mut slice.elems.iter()),
        P::Struct(fields) => all(&mut fields.fields.iter().map(|field| &*field.pat)),
        P::Paren(inner) => bind(&inner.pat, annotation, may_fail, found),
        P::Reference(inner) => bind(&inner.pat, None, may_fail, found),
        _ => {}
    }
}

/// A type's tokens without the blanks that nobody writes.
fn compact(tokens: &str) -> String {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut text = String::with_capacity(tokens.len());
    let mut rest = tokens.chars().peekable();
    while let Some(c) = rest.next() {
        let before = text.chars().next_back().unwrap_or(' ');
        let after = rest.peek().copied().unwrap_or(' ');
        let spaced = |c: char| ",;+=".contains(c);
        // Beside a quote a word would become a part of the text: `extern "C" fn()`.
        let kept = (word(before) && word(after))
            || before == '"' && word(after)
            || word(before) && after == '"'
            || spaced(before)
            || "+=-".contains(after)
            || text.ends_with("->");
        if c != ' ' || kept {
            text.push(c);
        }
    }
    text
}

/// Whether a type can be written again elsewhere: no `_`, no `impl`, no lifetime of a scope.
fn written_out(ty: &syn::Type) -> bool {
    struct Look(bool);
    impl Visit<'_> for Look {
        fn visit_type_infer(&mut self, _: &syn::TypeInfer) {
            self.0 = false;
        }
        fn visit_type_impl_trait(&mut self, _: &syn::TypeImplTrait) {
            self.0 = false;
        }
        fn visit_type_reference(&mut self, _: &syn::TypeReference) {
            self.0 = false;
        }
        fn visit_lifetime(&mut self, _: &syn::Lifetime) {
            self.0 = false;
        }
        fn visit_type_macro(&mut self, _: &syn::TypeMacro) {
            self.0 = false;
        }
    }
    let mut look = Look(true);
    look.visit_type(ty);
    look.0
}

/// Whether `name` stands in `code` as a word of its own. A word in a comment or a string counts:
/// it may be a capture in a format string, and a variable taken without need does no harm.
pub fn mentions(code: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        !code[..at].chars().next_back().is_some_and(word)
            && !code[at + name.len()..].chars().next().is_some_and(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'a>(code: &'a str, span: &Range<usize>) -> &'a str {
        &code[span.clone()]
    }

    #[test]
    fn items_statements_and_the_last_expression_part() {
        let code = "use std::fmt;\nfn f() -> u8 { 1 }\nlet mut x = f();\nx += 1;\nx";
        let cell = parse(code);
        assert_eq!(cell.items.len(), 2);
        assert_eq!(text(code, &cell.statements[1].span), "x += 1;");
        assert_eq!(
            cell.statements[2],
            Statement {
                span: 58..59,
                shown: true
            }
        );
        assert_eq!(
            cell.bindings,
            [Binding {
                name: "x".into(),
                mutable: true,
                annotation: None
            }]
        );
    }

    #[test]
    fn what_does_not_parse_goes_to_the_compiler_whole() {
        let cell = parse("let x = (1;");
        assert_eq!(
            cell.statements,
            [Statement {
                span: 0..11,
                shown: false
            }]
        );
    }

    #[test]
    fn columns_count_bytes_after_letters_of_several_bytes() {
        let code = "let ä = \"é\"; ä";
        let cell = parse(code);
        assert_eq!(text(code, &cell.statements[1].span), "ä");
    }

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

    #[test]
    fn patterns_bind_every_name() {
        let cell = parse(
            "let ((a, mut b), Point { x, .. }): T = f(); let Some(c) = g() else { return Ok(()) };",
        );
        let names: Vec<_> = cell
            .bindings
            .iter()
            .map(|binding| binding.name.as_str())
            .collect();
        assert_eq!(names, ["a", "b", "x", "c"]);
    }

    #[test]
    fn names_in_capitals_are_bound_where_a_pattern_always_fits() {
        let names = |code: &str| {
            let bindings = parse(code).bindings;
            let names: Vec<_> = bindings.into_iter().map(|binding| binding.name).collect();
            names.join(" ")
        };
        assert_eq!(names("let X_train = f(); let (X, Y) = g();"), "X_train X Y");
        assert_eq!(names("let None = f() else { return Ok(()) };"), "");
    }

    #[test]
    fn only_a_type_written_out_is_taken_from_the_user() {
        let annotation = |code: &str| parse(code).bindings[0].annotation.clone();
        assert_eq!(annotation("let v: Vec<u8> = f();"), Some("Vec<u8>".into()));
        assert_eq!(
            annotation("let v: std::collections::HashMap<Box<dyn Fn(i32, [u8; 3]) -> i32 + Send>, *const u8> = f();").unwrap(),
            "std::collections::HashMap<Box<dyn Fn(i32, [u8; 3]) -> i32 + Send>, *const u8>"
        );
        assert_eq!(
            annotation("let v: extern \"C\" fn(i32) = f;").as_deref(),
            Some("extern \"C\" fn(i32)")
        );
        assert_eq!(annotation("let v: Vec<_> = f();"), None);
        assert_eq!(annotation("let v: &str = f();"), None);
    }

    #[test]
    fn a_name_is_found_as_a_word_only() {
        assert!(mentions("println!(\"{x}\")", "x"));
        assert!(!mentions("max + y_x", "x"));
    }
}
