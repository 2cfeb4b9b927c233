//! Which `?` of a cell failed, and what of the cell a failure underlines.
//!
//! The compiler places a `?` at the beginning of the expression that it ends, and so all of a chain
//! (`a()?.b()?.c()?`) at one place. Brackets of ours, around each `?` that has more of the chain behind it, make
//! the places differ.

use std::ops::Range;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// The chains of `?` in a text: where each begins, and its `?` from the inmost on.
#[derive(Default)]
struct Tries {
    found: Vec<Range<usize>>,
}

impl Visit<'_> for Tries {
    fn visit_expr_try(&mut self, tried: &syn::ExprTry) {
        visit::visit_expr_try(self, tried);
        self.found.push(tried.span().byte_range());
    }

    // Those in a function are no business of the cell's.
    fn visit_item(&mut self, _: &syn::Item) {}
}

fn statements(code: &str) -> Option<Vec<syn::Stmt>> {
    syn::parse::Parser::parse_str(syn::Block::parse_within, code).ok()
}

/// Every expression with `?`, inner ones first.
fn tries(code: &str) -> Vec<Range<usize>> {
    let mut tries = Tries::default();
    if let Some(statements) = statements(code) {
        statements.iter().for_each(|one| tries.visit_stmt(one));
    }
    proc_macro2::extra::invalidate_current_thread_spans();
    tries.found
}

/// Where brackets of ours belong in a text: the expressions that end with a `?` in the middle of a chain.
pub fn in_chains(code: &str) -> Vec<Range<usize>> {
    if code.matches('?').count() < 2 {
        return vec![];
    }
    let all = tries(code);
    let goes_on = |tried: &&Range<usize>| {
        all.iter()
            .any(|other| other.start == tried.start && other.end > tried.end)
    };
    all.iter().filter(goes_on).cloned().collect()
}

/// The bytes of the expression with `?` that failed, of those that begin at `start`: the one with `brackets` of
/// ours before it.
pub fn failed(code: &str, start: usize, brackets: usize) -> Option<Range<usize>> {
    let mut chain: Vec<Range<usize>> = tries(code);
    chain.retain(|tried| tried.start == start);
    chain.sort_by_key(|tried| tried.end);
    let tried = chain.get(brackets)?.clone();
    // Of a chain only the part behind the `?` before it.
    let from = match brackets.checked_sub(1) {
        Some(before) => chain[before].end + code[chain[before].end..tried.end].find('.')? + 1,
        None => tried.start,
    };
    Some(within_a_line(code, from..tried.end))
}

/// What of several lines is worth underlining: the end of a chain, where that is on one line.
fn within_a_line(code: &str, range: Range<usize>) -> Range<usize> {
    let text = &code[range.clone()];
    if !text.contains('\n') {
        return range;
    }
    let first = text.lines().next().unwrap_or_default().trim_end();
    range.start..range.start + first.len().max(1)
}

/// The bytes of the call, macro or index that a panic at `start` was in.
pub fn panicked(code: &str, start: usize, message: &str) -> Option<Range<usize>> {
    let mut at = At {
        start,
        index: message.starts_with("index ") || message.contains("out of range"),
        found: None,
    };
    if let Some(statements) = statements(code) {
        statements.iter().for_each(|one| at.visit_stmt(one));
    }
    proc_macro2::extra::invalidate_current_thread_spans();
    Some(within_a_line(code, at.found?))
}

struct At {
    start: usize,
    /// Whether it is an index that failed.
    index: bool,
    found: Option<Range<usize>>,
}

impl At {
    fn note(&mut self, range: Range<usize>) {
        if range.start == self.start && self.found.is_none() {
            self.found = Some(range);
        }
    }
}

impl Visit<'_> for At {
    fn visit_expr(&mut self, expression: &syn::Expr) {
        let whole = expression.span().byte_range();
        match expression {
            syn::Expr::MethodCall(call) => {
                self.note(call.method.span().byte_range().start..whole.end);
            }
            // Inner ones first: `v[10] + 1` begins where `v[10]` does.
            syn::Expr::Index(_) if self.index => {
                visit::visit_expr(self, expression);
                self.note(whole);
            }
            syn::Expr::Macro(_) => self.note(whole),
            syn::Expr::Binary(_) | syn::Expr::Call(_) if !self.index => {
                visit::visit_expr(self, expression);
                self.note(whole);
            }
            _ => {}
        }
        visit::visit_expr(self, expression);
    }

    fn visit_stmt_macro(&mut self, call: &syn::StmtMacro) {
        self.note(call.mac.span().byte_range());
    }
}

/// The function, by its name, that the place stands in.
pub fn function_at(code: &str, at: usize) -> Option<String> {
    struct Around {
        at: usize,
        found: Option<String>,
    }
    impl Visit<'_> for Around {
        fn visit_item_fn(&mut self, function: &syn::ItemFn) {
            if function.span().byte_range().contains(&self.at) {
                self.found = Some(function.sig.ident.to_string());
                visit::visit_item_fn(self, function);
            }
        }
        fn visit_impl_item_fn(&mut self, function: &syn::ImplItemFn) {
            if function.span().byte_range().contains(&self.at) {
                self.found = Some(function.sig.ident.to_string());
                visit::visit_impl_item_fn(self, function);
            }
        }
    }
    let mut around = Around { at, found: None };
    statements(code)?
        .iter()
        .for_each(|statement| around.visit_stmt(statement));
    proc_macro2::extra::invalidate_current_thread_spans();
    around.found
}

/// Where a cell, outside of functions of its own, calls the function of this name.
pub fn calls_of(code: &str, name: &str) -> Vec<Range<usize>> {
    struct Calls<'n> {
        name: &'n str,
        found: Vec<Range<usize>>,
    }
    impl Visit<'_> for Calls<'_> {
        fn visit_expr_call(&mut self, call: &syn::ExprCall) {
            let last = match &*call.func {
                syn::Expr::Path(path) => path.path.segments.last(),
                _ => None,
            };
            if last.is_some_and(|last| last.ident == self.name) {
                self.found.push(call.span().byte_range());
            }
            visit::visit_expr_call(self, call);
        }
        fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
            if call.method == self.name {
                let end = call.span().byte_range().end;
                self.found.push(call.method.span().byte_range().start..end);
            }
            visit::visit_expr_method_call(self, call);
        }
        fn visit_item(&mut self, _: &syn::Item) {}
    }
    let mut calls = Calls {
        name,
        found: vec![],
    };
    if let Some(statements) = statements(code) {
        statements.iter().for_each(|one| calls.visit_stmt(one));
    }
    proc_macro2::extra::invalidate_current_thread_spans();
    let found = calls.found.into_iter();
    found.map(|range| within_a_line(code, range)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_try_of_a_chain_is_told_from_the_others() {
        let code = "let y = 1;\na(x?)?.b(c()?)?.d()?;\nplain()?;";
        let texts: Vec<&str> = in_chains(code).into_iter().map(|at| &code[at]).collect();
        assert_eq!(texts, ["a(x?)?", "a(x?)?.b(c()?)?"]);
        let start = code.find("a(x").unwrap();
        for (brackets, text) in [(0, "a(x?)?"), (1, "b(c()?)?"), (2, "d()?")] {
            assert_eq!(
                failed(code, start, brackets).map(|at| &code[at]),
                Some(text)
            );
        }
        assert_eq!(failed(code, start, 3), None);
        let start = code.find("plain").unwrap();
        assert_eq!(failed(code, start, 0).map(|at| &code[at]), Some("plain()?"));
        assert!(in_chains("a()?; b()?;").is_empty());
        assert!(in_chains("fn f() -> Option<u8> { a()?.b()? }").is_empty());
        let lines = "model\n    .fit(&x)?";
        assert_eq!(failed(lines, 0, 0).map(|at| &lines[at]), Some("model"));
    }

    #[test]
    fn what_panicked_is_found_by_its_beginning() {
        let code = "let v = w[3] + f(1);\nx.dot(&y).sum();\nif a { panic!(\"no\") }";
        let text = |needle: &str, message: &str| {
            panicked(code, code.find(needle).unwrap(), message).map(|at| &code[at])
        };
        assert_eq!(text("w[3]", "index out of bounds"), Some("w[3]"));
        assert_eq!(text("w[3]", "attempt to add"), Some("w[3] + f(1)"));
        assert_eq!(text("dot", "shapes"), Some("dot(&y)"));
        assert_eq!(text("panic", "no"), Some("panic!(\"no\")"));
        assert_eq!(text("let", "no"), None);
    }

    #[test]
    fn calls_of_the_function_that_panicked() {
        let code = "fn half(n: i32) -> i32 { panic!() }\nfn f() { half(1); }\nhalf(2) + s.half(3)";
        let at = code.find("panic").unwrap();
        assert_eq!(function_at(code, at).as_deref(), Some("half"));
        let calls: Vec<&str> = calls_of(code, "half")
            .into_iter()
            .map(|at| &code[at])
            .collect();
        assert_eq!(calls, ["half(2)", "half(3)"]);
        assert_eq!(function_at(code, code.len() - 1), None);
    }
}
