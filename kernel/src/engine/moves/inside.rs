//! What is named, assigned and left inside an expression.

use syn::visit::{self, Visit};

/// The names that are assigned a whole value.
pub struct Assigned(pub Vec<String>);

impl Visit<'_> for Assigned {
    fn visit_expr_assign(&mut self, assign: &syn::ExprAssign) {
        if let syn::Expr::Path(path) = &*assign.left
            && let Some(name) = path.path.get_ident()
        {
            self.0.push(name.to_string());
        }
        visit::visit_expr_assign(self, assign);
    }
    fn visit_expr_closure(&mut self, _: &syn::ExprClosure) {}
    fn visit_item(&mut self, _: &syn::Item) {}
}

/// Macros of the standard library that take references to their arguments.
pub const REFERRING: &[&str] = &[
    "println",
    "print",
    "eprintln",
    "eprint",
    "format",
    "write",
    "writeln",
    "assert",
    "assert_eq",
    "assert_ne",
    "panic",
];

/// A macro's arguments, where they are expressions; `name = value` gives the value.
pub fn arguments(call: &syn::Macro) -> Vec<syn::Expr> {
    let list = syn::punctuated::Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
    let arguments = call.parse_body_with(list).unwrap_or_default();
    arguments
        .into_iter()
        .map(|argument| match argument {
            syn::Expr::Assign(named) => *named.right,
            other => other,
        })
        .collect()
}

/// Whether it may end something around it.
pub fn diverges(body: &syn::Expr) -> bool {
    struct Ends(bool);
    impl Visit<'_> for Ends {
        fn visit_expr_return(&mut self, _: &syn::ExprReturn) {
            self.0 = true;
        }
        fn visit_expr_break(&mut self, _: &syn::ExprBreak) {
            self.0 = true;
        }
        fn visit_expr_continue(&mut self, _: &syn::ExprContinue) {
            self.0 = true;
        }
        fn visit_expr_path(&mut self, path: &syn::ExprPath) {
            let last = path.path.segments.last();
            self.0 |= last.is_some_and(|name| name.ident == "exit" || name.ident == "abort");
        }
        fn visit_macro(&mut self, call: &syn::Macro) {
            // Any but those known to come back: `panic!`, `bail!`, `todo!`, the user's own.
            let known = call.path.segments.last().is_some_and(|last| {
                let name = last.ident.to_string();
                name != "panic"
                    && (REFERRING.contains(&name.as_str()) || name == "vec" || name == "dbg")
            });
            self.0 |= !known;
        }
    }
    let mut ends = Ends(false);
    ends.visit_expr(body);
    ends.0
}

/// The names that patterns bind.
#[derive(Default)]
pub struct Names(Vec<String>);

impl Visit<'_> for Names {
    fn visit_pat_ident(&mut self, ident: &syn::PatIdent) {
        self.0.push(ident.ident.to_string());
        visit::visit_pat_ident(self, ident);
    }
}

pub fn names_in(look: impl FnOnce(&mut Names)) -> Vec<String> {
    let mut names = Names::default();
    look(&mut names);
    names.0
}

/// The names that a body uses whole and does not bind itself.
pub struct Captured {
    /// What it uses.
    pub used: Vec<syn::Ident>,
    /// What it binds.
    pub own: Vec<String>,
}

impl<'ast> Visit<'ast> for Captured {
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        if let Some(name) = path.path.get_ident()
            && !self.own.contains(&name.to_string())
        {
            self.used.push(name.clone());
        }
    }
    // Of a field only that field is captured, which may be `Copy`.
    fn visit_expr_field(&mut self, field: &'ast syn::ExprField) {
        if !matches!(*field.base, syn::Expr::Path(_)) {
            visit::visit_expr_field(self, field);
        }
    }
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let arguments = arguments(call);
        for argument in &arguments {
            if let syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) = argument
            {
                let text = text.value();
                let inline = text
                    .split('{')
                    .skip(1)
                    .filter_map(|rest| rest.split(['}', ':']).next());
                for name in inline.filter_map(|name| syn::parse_str::<syn::Ident>(name).ok()) {
                    let named = |argument: &syn::Expr| matches!(argument, syn::Expr::Path(path) if path.path.is_ident(&name));
                    if !self.own.contains(&name.to_string()) && !arguments.iter().any(named) {
                        self.used.push(name);
                    }
                }
            }
            let mut inner = Captured {
                used: vec![],
                own: self.own.clone(),
            };
            inner.visit_expr(argument);
            self.used.append(&mut inner.used);
        }
    }
    fn visit_item(&mut self, _: &'ast syn::Item) {}
}
