//! Values as they stand before the dot of a method.

use syn::{Expr, Lit};

/// Whether nothing of it is taken by what stands beside it: `as`, an operator, or a method's dot.
fn stands_alone(value: &Expr) -> bool {
    matches!(
        value,
        Expr::Path(_)
            | Expr::Field(_)
            | Expr::Index(_)
            | Expr::MethodCall(_)
            | Expr::Call(_)
            | Expr::Paren(_)
            | Expr::Array(_)
            | Expr::Macro(_)
            | Expr::Try(_)
            | Expr::Lit(_)
    )
}

/// A value as it stands beside `as` or an operator: in brackets where these would take a part of it.
pub(in crate::engine) fn operand(value: &str) -> String {
    match syn::parse_str(value).is_ok_and(|parsed| stands_alone(&parsed)) {
        true => value.to_owned(),
        false => format!("({value})"),
    }
}

/// A value as it stands before a dot: what is computed in brackets, without the `&` that a method needs not. None for
/// what is no Rust.
pub(in crate::engine) fn before_dot(value: &str) -> Option<String> {
    let value = value.trim();
    let parsed = syn::parse_str::<Expr>(value).ok()?;
    Some(match parsed {
        Expr::Reference(_) => {
            let inner = value.trim_start_matches('&').trim_start();
            before_dot(inner.strip_prefix("mut ").unwrap_or(inner))?
        }
        _ => operand(value),
    })
}

/// Whether a value is written of numbers alone, as `1.0 + 2.0`, so that nothing says which type it is of.
fn of_literals(value: &Expr) -> bool {
    match value {
        Expr::Lit(literal) => matches!(literal.lit, Lit::Int(_) | Lit::Float(_)),
        Expr::Unary(negated) => of_literals(&negated.expr),
        Expr::Paren(inner) => of_literals(&inner.expr),
        Expr::Binary(both) => of_literals(&both.left) && of_literals(&both.right),
        _ => false,
    }
}

/// Whether a text is written of numbers alone.
pub(in crate::engine) fn is_of_literals(value: &str) -> bool {
    syn::parse_str(value).is_ok_and(|parsed| of_literals(&parsed))
}

/// A value written of numbers alone before a dot, with the type that a method needs to know: `(1.0_f64 + 2.0)`. Whole
/// numbers stay so where `float` is false.
pub(in crate::engine) fn typed_before_dot(value: &str, float: bool) -> Option<String> {
    let before = before_dot(value)?;
    if !is_of_literals(value) {
        return Some(before);
    }
    let whole = !before.contains('.');
    let digit = |c: char| c.is_ascii_digit() || c == '.' || c == '_';
    let start = before.find(digit)?;
    let end = before[start..]
        .find(|c| !digit(c))
        .map_or(before.len(), |end| start + end);
    let number = &before[start..end];
    let plain = |c: char| digit(c) || " +-*/%()".contains(c);
    if !before.chars().all(plain) {
        // A number with a type or an exponent.
        return before.contains(['f', 'i', 'u']).then_some(before);
    }
    let rest = &before[end..];
    let simple = !rest.contains(|c: char| c.is_ascii_digit());
    let typed = match (whole, float) {
        (true, false) => format!("{number}_i32"),
        (true, true) if simple => format!("{number}.0_f64"),
        // `7 / 2` is 3 here.
        (true, true) => return None,
        (false, _) if number.ends_with('.') => format!("{number}0_f64"),
        (false, _) if number.contains('.') => format!("{number}_f64"),
        (false, _) => format!("{number}.0_f64"),
    };
    Some(format!("{}{typed}{rest}", &before[..start]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_computed_stands_in_brackets_before_a_dot() {
        let cases = [
            ("x", Some("x")),
            ("&x", Some("x")),
            ("&x + 1.0", Some("(&x + 1.0)")),
            ("(x - y) * (x - y)", Some("((x - y) * (x - y))")),
            ("y - net.forward(x)", Some("(y - net.forward(x))")),
            ("a.b[0].f(1)", Some("a.b[0].f(1)")),
            ("-x", Some("(-x)")),
            ("x[:, 0]", None),
        ];
        for (value, written) in cases {
            assert_eq!(before_dot(value).as_deref(), written);
        }
        assert_eq!(typed_before_dot("-3", false).unwrap(), "(-3_i32)");
        assert_eq!(typed_before_dot("2", true).unwrap(), "2.0_f64");
        assert_eq!(typed_before_dot("7 / 2", true), None);
    }
}
