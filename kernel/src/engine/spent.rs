//! Tensors that an operator has used up: `x + 1` takes `x`, which no newcomer expects.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// The operation that took a variable.
#[derive(Debug, PartialEq, Eq)]
pub struct Spent {
    /// `+`
    pub operator: String,
    /// The operation with `&` before the variable.
    pub instead: String,
}

impl Spent {
    /// What to say at the cell.
    pub fn note(&self, name: &str) -> String {
        format!(
            "note: `{name}` was used up by `{}`; write `{}` to keep it\n",
            self.operator, self.instead
        )
    }
}

/// The first arithmetic in a cell that has the variable itself on one side.
pub fn by_operator(code: &str, name: &str) -> Option<Spent> {
    let mut find = Find {
        code,
        name,
        found: None,
    };
    let statements = syn::parse::Parser::parse_str(syn::Block::parse_within, code).ok()?;
    statements.iter().for_each(|one| find.visit_stmt(one));
    proc_macro2::extra::invalidate_current_thread_spans();
    find.found
}

struct Find<'a> {
    code: &'a str,
    name: &'a str,
    found: Option<Spent>,
}

impl Visit<'_> for Find<'_> {
    fn visit_expr_binary(&mut self, binary: &syn::ExprBinary) {
        visit::visit_expr_binary(self, binary);
        let is_it = |side: &syn::Expr| matches!(side, syn::Expr::Path(path) if path.path.is_ident(self.name));
        let operator = binary.op.span().byte_range();
        let operator = self.code.get(operator).unwrap_or_default();
        if self.found.is_some() || !["+", "-", "*", "/"].contains(&operator) {
            return;
        }
        let side = [&binary.left, &binary.right]
            .into_iter()
            .find(|side| is_it(side));
        let Some(at) = side.map(|side| side.span().byte_range().start) else {
            return;
        };
        let whole = binary.span().byte_range();
        let (before, after) = (self.code.get(whole.start..at), self.code.get(at..whole.end));
        if let (Some(before), Some(after)) = (before, after) {
            self.found = Some(Spent {
                operator: operator.to_owned(),
                instead: format!("{before}&{after}"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_that_took_a_variable_is_found() {
        let instead = |code: &str| by_operator(code, "x").map(|spent| spent.instead);
        assert_eq!(instead("x + 1.0").as_deref(), Some("&x + 1.0"));
        assert_eq!(instead("let y = 2.0 * x;").as_deref(), Some("2.0 * &x"));
        assert_eq!(instead("(x - &m) / s").as_deref(), Some("&x - &m"));
        assert_eq!(instead("f(x); &x + 1.0; x == y"), None);
    }
}
