//! A cell's text, taken apart: items, statements, the last expression, the variables it binds.

mod items;

use std::ops::Range;
use std::str::FromStr;

use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::Visit;

use items::items_of;
pub use items::{Item, ItemKey, imports_of, key_of};

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

/// Where the last word or sign of a cell stands, which a comment is none of; `None` where brackets or strings are open.
pub fn last_token(code: &str) -> Option<Range<usize>> {
    let last = proc_macro2::TokenStream::from_str(code)
        .ok()?
        .into_iter()
        .last();
    let span = last.map(|token| token.span().byte_range());
    proc_macro2::extra::invalidate_current_thread_spans();
    span
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
