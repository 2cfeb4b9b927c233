//! The variables that a cell certainly moves, seen before the first build.
//!
//! A variable that a cell moves must not be put back, and only the compiler knows moves for certain. What is
//! missed here costs one more build; what is wrongly taken for a move costs the user a variable, so
//! each case here is one where a value that is not `Copy` can only be moved.

mod inside;
mod kinds;

use syn::visit::{self, Visit};

use inside::{Assigned, Captured, REFERRING, arguments, diverges, names_in};
use kinds::{CONSUMING, called, kind_of_type, kind_of_value};

/// What a cell moves.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Variables of earlier cells.
    pub taken: Vec<String>,
    /// Variables of earlier cells that it assigns a whole value: they may be there again.
    pub assigned: Vec<String>,
    /// Variables that it binds itself.
    pub bound: Vec<String>,
}

/// The variables that the cell certainly moves. `owned` are those of earlier cells whose types are not
/// `Copy`, each with its type; `items` the texts of all items, which say what the user's methods take.
pub fn certainly_moved(code: &str, owned: &[(&str, &str)], items: &[&str]) -> Moved {
    let Ok(statements) = syn::parse::Parser::parse_str(syn::Block::parse_within, code) else {
        return Moved::default();
    };
    let variables = owned.iter().map(|(name, kind)| Variable {
        name: (*name).to_owned(),
        kind: Some((*kind).to_owned()),
        here: false,
        moved: false,
    });
    let mut look = Look {
        variables: variables.collect(),
        items,
        may_diverge: false,
    };
    let last = statements.len().saturating_sub(1);
    for (index, statement) in statements.iter().enumerate() {
        // The last expression is shown, not moved.
        match statement {
            syn::Stmt::Expr(expression, None) if index == last => look.visit_expr(expression),
            other => look.statement(other),
        }
    }
    let mut assigned = Assigned(vec![]);
    statements
        .iter()
        .for_each(|statement| assigned.visit_stmt(statement));
    let mut moved = Moved {
        assigned: assigned.0,
        ..Moved::default()
    };
    for (index, variable) in look.variables.iter().enumerate() {
        let later = &look.variables[index + 1..];
        if !variable.moved {
        } else if !variable.here {
            moved.taken.push(variable.name.clone());
        } else if later.iter().all(|later| later.name != variable.name) {
            moved.bound.push(variable.name.clone());
        }
    }
    moved
}

struct Variable {
    name: String,
    /// Its type; `None` for one that may be `Copy`, of which nothing is said.
    kind: Option<String>,
    /// Whether this cell binds it.
    here: bool,
    moved: bool,
}

struct Look<'a> {
    /// Those in scope; the last of a name is the one that is meant.
    variables: Vec<Variable>,
    items: &'a [&'a str],
    /// Whether what is looked at may leave the cell early, so that a variable that this cell binds is
    /// perhaps not moved where it is kept. Variables of earlier cells are moved into the cell's
    /// closure however it goes on.
    may_diverge: bool,
}

impl Look<'_> {
    fn find(&mut self, name: &syn::Ident) -> Option<&mut Variable> {
        let found = self
            .variables
            .iter_mut()
            .rev()
            .find(|variable| *name == variable.name)?;
        found.kind.is_some().then_some(found)
    }

    fn variable(&mut self, expression: &syn::Expr) -> Option<&mut Variable> {
        match expression {
            syn::Expr::Path(path) => self.find(path.path.get_ident()?),
            syn::Expr::Paren(inner) => self.variable(&inner.expr),
            syn::Expr::Group(inner) => self.variable(&inner.expr),
            _ => None,
        }
    }

    /// The type of `name.clone()`, `mem::take(&mut name)` and `mem::replace(&mut name, …)`.
    fn kind_replaced(&mut self, value: &syn::Expr) -> Option<String> {
        if let syn::Expr::MethodCall(call) = value
            && call.method == "clone"
        {
            return self.kind(&call.receiver);
        }
        match (value, called(value)?.as_str()) {
            (syn::Expr::Call(call), "take" | "replace") => match call.args.first()? {
                syn::Expr::Reference(place) => self.kind(&place.expr),
                _ => None,
            },
            _ => None,
        }
    }

    fn kind(&mut self, expression: &syn::Expr) -> Option<String> {
        self.variable(expression)?.kind.clone()
    }

    /// `expression` stands where a value is taken: a bare name there is moved.
    fn takes(&mut self, expression: &syn::Expr) {
        let may_diverge = self.may_diverge;
        if let Some(variable) = self.variable(expression)
            && !(variable.here && may_diverge)
        {
            variable.moved = true;
        }
    }

    /// Looks at something with names of its own.
    fn within(&mut self, pattern: Option<&syn::Pat>, look: impl FnOnce(&mut Self)) {
        let outside = self.variables.len();
        if let Some(pattern) = pattern {
            self.hide(pattern);
        }
        look(self);
        self.variables.truncate(outside);
    }

    /// The names in a pattern are others from here on.
    fn hide(&mut self, pattern: &syn::Pat) {
        let names = names_in(|names| names.visit_pat(pattern));
        self.variables
            .extend(names.into_iter().map(|name| Variable {
                name,
                kind: None,
                here: true,
                moved: false,
            }));
    }

    fn conditional(&mut self, pattern: Option<&syn::Pat>, body: &syn::Expr) {
        let before = self.may_diverge;
        self.may_diverge |= diverges(body);
        self.within(pattern, |look| {
            look.takes(body);
            look.visit_expr(body);
        });
        self.may_diverge = before;
    }

    fn statement(&mut self, statement: &syn::Stmt) {
        match statement {
            syn::Stmt::Expr(expression, _) => {
                self.takes(expression);
                self.visit_expr(expression);
            }
            syn::Stmt::Macro(call) => self.visit_macro(&call.mac),
            other => self.visit_stmt(other),
        }
    }

    /// A pattern against a variable of which it takes something that is not `Copy`.
    fn destructures(&mut self, value: &syn::Expr, patterns: &[&syn::Pat]) {
        let Some(kind) = self.kind(value) else {
            return;
        };
        let by_value = |pattern: &syn::Pat| {
            matches!(pattern, syn::Pat::Ident(ident) if ident.by_ref.is_none() && ident.subpat.is_none()
                && !ident.ident.to_string().starts_with(char::is_uppercase))
        };
        let variant = |name: &str| {
            patterns.iter().any(|pattern| match pattern {
                syn::Pat::TupleStruct(tuple) => {
                    tuple.path.is_ident(name) && tuple.elems.len() == 1 && by_value(&tuple.elems[0])
                }
                _ => false,
            })
        };
        let moves = if kind.starts_with("std::option::Option<") {
            variant("Some")
        } else if kind.starts_with("std::result::Result<") {
            variant("Ok") && variant("Err")
        } else if kind.starts_with('(') {
            patterns.iter().any(|pattern| match pattern {
                syn::Pat::Tuple(tuple) => tuple.elems.iter().all(by_value),
                _ => false,
            })
        } else {
            false
        };
        if moves {
            self.takes(value);
        }
    }

    /// Whether a method takes a receiver of this type by value.
    fn consumes(&self, kind: &str, method: &str) -> bool {
        let of_user = |receiver: &str| {
            let start = format!("fn {method}");
            self.items.iter().any(|text| {
                text.match_indices(&start).any(|(at, _)| {
                    let rest = text[at + start.len()..].trim_start();
                    let rest = match rest.strip_prefix('<') {
                        Some(generics) => generics.split_once('(').map(|(_, rest)| rest),
                        None => rest.strip_prefix('('),
                    };
                    rest.is_some_and(|rest| rest.trim_start().starts_with(receiver))
                })
            })
        };
        if of_user("&") {
            return false;
        }
        method == "into"
            || (kind.starts_with("crate::") && (of_user("self") || of_user("mut self")))
            || CONSUMING.iter().any(|(start, methods)| {
                kind.starts_with(start)
                    && methods.split(' ').any(|name| match name.strip_suffix('*') {
                        Some(start) => method.starts_with(start),
                        None => method == name,
                    })
            })
    }

    /// A body that captures what it names: all of it is moved there.
    fn captures(&mut self, inputs: &[&syn::Pat], body: &syn::Expr) {
        let mut captured = Captured {
            used: vec![],
            own: names_in(|names| {
                inputs.iter().for_each(|pattern| names.visit_pat(pattern));
                names.visit_expr(body);
            }),
        };
        captured.visit_expr(body);
        let may_diverge = self.may_diverge;
        for name in captured.used {
            if let Some(variable) = self.find(&name)
                && !(variable.here && may_diverge)
            {
                variable.moved = true;
            }
        }
    }
}

impl<'ast> Visit<'ast> for Look<'_> {
    fn visit_local(&mut self, local: &'ast syn::Local) {
        let Some(init) = &local.init else {
            self.hide(&local.pat);
            return;
        };
        let pattern = match &local.pat {
            syn::Pat::Type(typed) => &*typed.pat,
            other => other,
        };
        match pattern {
            syn::Pat::Ident(ident) if ident.by_ref.is_none() => self.takes(&init.expr),
            other => self.destructures(&init.expr, &[other]),
        }
        self.visit_expr(&init.expr);
        let kind = match &local.pat {
            syn::Pat::Type(typed) => kind_of_type(&typed.ty),
            _ => match self.kind(&init.expr) {
                Some(kind) => Some(kind),
                None => kind_of_value(&init.expr).or_else(|| self.kind_replaced(&init.expr)),
            },
        };
        self.hide(&local.pat);
        if let (syn::Pat::Ident(_), Some(kind), Some(variable)) =
            (pattern, kind, self.variables.last_mut())
        {
            variable.kind = Some(kind);
        }
        if let (syn::Pat::Tuple(tuple), Some("channel")) = (pattern, called(&init.expr).as_deref())
            && tuple
                .elems
                .iter()
                .all(|end| matches!(end, syn::Pat::Ident(_)))
            && let [.., sender, receiver] = &mut self.variables[..]
        {
            sender.kind = Some("std::sync::mpsc::Sender<_>".to_owned());
            receiver.kind = Some("std::sync::mpsc::Receiver<_>".to_owned());
        }
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Some(kind) = self.kind(&call.func)
            && kind.starts_with("std::boxed::Box<dyn std::ops::FnOnce")
        {
            self.takes(&call.func);
        }
        call.args.iter().for_each(|argument| self.takes(argument));
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if let Some(kind) = self.kind(&call.receiver)
            && self.consumes(&kind, &call.method.to_string())
        {
            self.takes(&call.receiver);
        }
        call.args.iter().for_each(|argument| self.takes(argument));
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        use syn::BinOp as B;
        match binary.op {
            B::Add(_)
            | B::Sub(_)
            | B::Mul(_)
            | B::Div(_)
            | B::Rem(_)
            | B::BitAnd(_)
            | B::BitOr(_)
            | B::BitXor(_) => {
                self.takes(&binary.left);
                self.takes(&binary.right);
            }
            B::AddAssign(_) | B::SubAssign(_) | B::MulAssign(_) | B::DivAssign(_) => {
                self.takes(&binary.right)
            }
            _ => {}
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_tuple(&mut self, tuple: &'ast syn::ExprTuple) {
        tuple.elems.iter().for_each(|element| self.takes(element));
        visit::visit_expr_tuple(self, tuple);
    }

    fn visit_expr_array(&mut self, array: &'ast syn::ExprArray) {
        array.elems.iter().for_each(|element| self.takes(element));
        visit::visit_expr_array(self, array);
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        self.takes(&field.expr);
        visit::visit_field_value(self, field);
    }

    fn visit_expr_assign(&mut self, assign: &'ast syn::ExprAssign) {
        self.takes(&assign.right);
        self.visit_expr(&assign.right);
        match self.variable(&assign.left) {
            // Whether it is moved again behind this is left to the compiler.
            Some(variable) if variable.here => (variable.kind, variable.moved) = (None, false),
            Some(_) => {}
            None => self.visit_expr(&assign.left),
        }
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        if matches!(unary.op, syn::UnOp::Neg(_) | syn::UnOp::Not(_)) {
            self.takes(&unary.expr);
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_await(&mut self, wait: &'ast syn::ExprAwait) {
        self.takes(&wait.base);
        visit::visit_expr_await(self, wait);
    }

    fn visit_expr_try(&mut self, attempt: &'ast syn::ExprTry) {
        if let Some(kind) = self.kind(&attempt.expr)
            && (kind.starts_with("std::option::Option<")
                || kind.starts_with("std::result::Result<"))
        {
            self.takes(&attempt.expr);
        }
        visit::visit_expr_try(self, attempt);
    }

    fn visit_expr_for_loop(&mut self, each: &'ast syn::ExprForLoop) {
        self.takes(&each.expr);
        self.visit_expr(&each.expr);
        self.repeated(Some(&each.pat), &each.body);
    }

    fn visit_expr_let(&mut self, condition: &'ast syn::ExprLet) {
        self.destructures(&condition.expr, &[&condition.pat]);
        self.visit_expr(&condition.expr);
        self.hide(&condition.pat);
    }

    fn visit_expr_if(&mut self, choice: &'ast syn::ExprIf) {
        let then = syn::Expr::Block(syn::ExprBlock {
            attrs: vec![],
            label: None,
            block: choice.then_branch.clone(),
        });
        self.within(None, |look| {
            look.may_diverge_in(&then, |look| look.visit_expr(&choice.cond));
            look.conditional(None, &then);
        });
        if let Some((_, other)) = &choice.else_branch {
            self.conditional(None, other);
        }
    }

    fn visit_expr_match(&mut self, choice: &'ast syn::ExprMatch) {
        let patterns: Vec<_> = choice.arms.iter().map(|arm| &arm.pat).collect();
        let any = syn::Expr::Match(choice.clone());
        self.may_diverge_in(&any, |look| look.destructures(&choice.expr, &patterns));
        self.visit_expr(&choice.expr);
        for arm in &choice.arms {
            self.conditional(Some(&arm.pat), &arm.body);
        }
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        self.within(None, |look| {
            block
                .stmts
                .iter()
                .for_each(|statement| look.statement(statement));
        });
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        if closure.capture.is_some() {
            let inputs: Vec<_> = closure.inputs.iter().collect();
            self.captures(&inputs, &closure.body);
        }
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        if block.capture.is_some() {
            let body = syn::Expr::Block(syn::ExprBlock {
                attrs: vec![],
                label: None,
                block: block.block.clone(),
            });
            self.captures(&[], &body);
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let name = call
            .path
            .segments
            .last()
            .map(|segment| segment.ident.to_string());
        let takes = match name.as_deref() {
            Some("vec" | "dbg") => true,
            Some(name) if REFERRING.contains(&name) => false,
            _ => return,
        };
        for argument in arguments(call) {
            if takes {
                self.takes(&argument);
            }
            self.visit_expr(&argument);
        }
    }

    fn visit_expr_while(&mut self, each: &'ast syn::ExprWhile) {
        self.within(None, |look| {
            look.visit_expr(&each.cond);
            look.repeated(None, &each.body);
        });
    }
    fn visit_expr_loop(&mut self, each: &'ast syn::ExprLoop) {
        self.repeated(None, &each.body);
    }
    fn visit_item(&mut self, _: &'ast syn::Item) {}
}

impl Look<'_> {
    /// What a loop's body moves it moves once only, and then leaves the loop or assigns it anew.
    fn repeated(&mut self, pattern: Option<&syn::Pat>, body: &syn::Block) {
        let before = std::mem::replace(&mut self.may_diverge, true);
        self.within(pattern, |look| look.visit_block(body));
        self.may_diverge = before;
    }

    fn may_diverge_in(&mut self, body: &syn::Expr, look: impl FnOnce(&mut Self)) {
        let before = self.may_diverge;
        self.may_diverge |= diverges(body);
        look(self);
        self.may_diverge = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLES: &[(&str, &str)] = &[
        ("a", "dlcore::tensor::Tensor"),
        ("b", "std::vec::Vec<i32>"),
        ("o", "std::option::Option<std::string::String>"),
        ("r", "std::result::Result<i32, std::string::String>"),
        ("t", "(std::string::String, i32)"),
        ("p", "crate::Point"),
    ];
    const ITEMS: &[&str] =
        &["impl Point { fn split(self) -> (f32, f32) { (0., 0.) } fn norm(&self) -> f32 { 0. } }"];

    fn moved(code: &str) -> Vec<String> {
        certainly_moved(code, VARIABLES, ITEMS).taken
    }

    fn bound(code: &str) -> Vec<String> {
        certainly_moved(code, VARIABLES, ITEMS).bound
    }

    #[test]
    fn arguments_operands_and_parts_are_moved() {
        assert_eq!(moved("let a = a / 255.0;"), ["a"]);
        assert_eq!(moved("f(a, &b)"), ["a"]);
        assert_eq!(moved("let c = a;"), ["a"]);
        assert_eq!(moved("(1, a); P { b }"), ["a", "b"]);
        assert_eq!(moved("println!(\"{}\", f(a))"), ["a"]);
        assert_eq!(moved("if b.len() > 1 { drop(a) }"), ["a"]);
        assert_eq!(moved("let c = vec![a];"), ["a"]);
    }

    #[test]
    fn what_only_looks_at_a_value_leaves_it() {
        for code in [
            "let _ = a;",
            "a.len(); a == b; &a; a[0]; println!(\"{a}\", a)",
            "let a = 1; f(a)",
            "let f = |a| g(a);",
            "if let Some(a) = b.get() && f(a) {}",
            "match b.len() { a => f(a) }",
            "{ let a = 1; f(a); }",
            "a",
            "let f = move |a: u8| a + 1;",
            "let f = move || p.x;",
            "p.norm()",
            "match &o { Some(text) => f(text), None => {} }",
            "match r { Ok(n) => n, Err(_) => 0 };",
            "let (n, _) = t;",
        ] {
            assert_eq!(moved(code), [""; 0], "{code}");
        }
    }

    #[test]
    fn receivers_patterns_and_captures_are_moved() {
        assert_eq!(moved("b.into_iter().sum::<i32>()"), ["b"]);
        assert_eq!(moved("o.unwrap()"), ["o"]);
        assert_eq!(moved("p.split()"), ["p"]);
        assert_eq!(moved("r?"), ["r"]);
        assert_eq!(moved("if let Some(text) = o { f(&text) }"), ["o"]);
        assert_eq!(moved("match r { Ok(n) => n, Err(why) => 0 };"), ["r"]);
        assert_eq!(moved("let (text, n) = t;"), ["t"]);
        assert_eq!(moved("spawn(move || println!(\"{}\", b.len()))"), ["b"]);
        assert_eq!(moved("spawn(move || println!(\"{a}\"))"), ["a"]);
    }

    #[test]
    fn what_a_cell_binds_and_moves_is_seen_too() {
        assert_eq!(bound("let s = String::from(\"s\"); let u = s;"), ["s"]);
        assert_eq!(bound("let h = thread::spawn(f); h.join()"), ["h"]);
        assert_eq!(bound("let s = b.clone(); g(s);"), ["s"]);
        assert_eq!(bound("let s = 1; let u = s;"), [""; 0]);
        assert_eq!(bound("let s = vec![1]; let s = g(s);"), [""; 0]);
        assert_eq!(bound("let mut s = vec![1]; s = g(s);"), [""; 0]);
        let perhaps = "let s = vec![1]; if x { drop(s); return Ok(()) }";
        assert_eq!(bound(perhaps), [""; 0]);
    }

    #[test]
    fn a_variable_assigned_after_its_move_is_known() {
        let seen = certainly_moved("b = grow(b);", VARIABLES, ITEMS);
        assert_eq!(
            (seen.taken, seen.assigned),
            (vec!["b".into()], vec!["b".into()])
        );
    }
}
