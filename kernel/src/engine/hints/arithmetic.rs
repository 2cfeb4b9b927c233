//! Operators between numbers and tensors of types that do not fit.

use syn::spanned::Spanned;
use syn::visit::Visit;

use super::quoted;
use crate::engine::diagnostics::{Diagnostic, Sources};
use crate::engine::habits::{self, values::operand};

fn is_integer(kind: &str) -> bool {
    [
        "{integer}",
        "usize",
        "isize",
        "u8",
        "u16",
        "u32",
        "u64",
        "i8",
        "i16",
        "i32",
        "i64",
    ]
    .contains(&kind)
}

fn is_float(kind: &str) -> bool {
    ["{float}", "f32", "f64"].contains(&kind)
}

/// `cannot multiply `f32` by `&Tensor``: two numbers of two types, or a number left of a tensor.
pub(super) fn arithmetic(error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    let types = quoted(&error.message);
    let (left_type, right_type) = match types.as_slice() {
        // Of a sum and a difference the compiler names the right side first.
        [right, left, ..]
            if ["cannot add", "cannot subtract"]
                .iter()
                .any(|said| error.message.starts_with(said)) =>
        {
            (*left, *right)
        }
        [left, right, ..] => (*left, *right),
        _ => habits::operand_types(error)?,
    };
    let (cell, at) = error.primary_in_cell(sources)?;
    let operands = Operands::at(&sources.cells.get(cell)?.1, at.start);
    let (left, operator, right) = match &operands {
        Some(found) => (
            found.left.as_str(),
            found.operator.as_str(),
            found.right.as_str(),
        ),
        None => ("a", "*", "b"),
    };
    let number = |kind: &str| is_integer(kind) || is_float(kind);
    let tensor = |kind: &str| kind.trim_start_matches('&') == "Tensor";
    if error.message.contains("-assign") && number(left_type) && tensor(right_type) {
        return Some(format!(
            "the number of a tensor that has one: `{left} {operator} {}.item()`",
            operand(right.trim_start_matches('&'))
        ));
    }
    if number(left_type) && tensor(right_type) {
        return Some(match operator {
            "*" | "+" => format!("put the tensor on the left: `{right} {operator} {left}`"),
            _ => {
                format!(
                    "left of a tensor a number is an f64: `({} as f64) {operator} {right}`",
                    operand(left)
                )
            }
        });
    }
    let (text, kind, other) = match (is_integer(left_type), is_float(right_type)) {
        (true, true) => (left, left_type, right_type),
        _ if is_float(left_type) && is_integer(right_type) => (right, right_type, left_type),
        _ if number(left_type) && number(right_type) => {
            return Some(format!(
                "both sides need one type: `{left} {operator} {} as {left_type}`",
                operand(right)
            ));
        }
        _ => return None,
    };
    let float = if other == "f32" { "f32" } else { "f64" };
    Some(match kind {
        "{integer}" => with_point(text, float),
        _ => format!("convert the whole number: `{} as {float}`", operand(text)),
    })
}

/// How a whole number becomes one of type `float`.
pub(super) fn with_point(text: &str, float: &str) -> String {
    match is_literal(text) {
        true => {
            format!("write the whole number with a decimal point: `{text}.0` instead of `{text}`")
        }
        false => format!("convert the whole number: `{} as {float}`", operand(text)),
    }
}

/// Whether it is a whole number as written, and no variable.
pub(super) fn is_literal(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '_')
}

/// The two sides of a binary operator.
struct Operands {
    operator_at: usize,
    left: String,
    operator: String,
    right: String,
}

impl Operands {
    /// Of the operator at this byte of a cell.
    fn at(code: &str, operator_at: usize) -> Option<Operands> {
        let statements = syn::parse::Parser::parse_str(syn::Block::parse_within, code).ok()?;
        let mut found = Finder {
            code,
            operator_at,
            found: None,
        };
        statements
            .iter()
            .for_each(|statement| found.visit_stmt(statement));
        let found = found.found;
        proc_macro2::extra::invalidate_current_thread_spans();
        found.filter(|found| found.operator_at == operator_at)
    }
}

struct Finder<'a> {
    code: &'a str,
    operator_at: usize,
    found: Option<Operands>,
}

impl Visit<'_> for Finder<'_> {
    fn visit_expr_binary(&mut self, binary: &syn::ExprBinary) {
        let text =
            |range: std::ops::Range<usize>| self.code.get(range).unwrap_or_default().to_owned();
        let operator = binary.op.span().byte_range();
        if operator.start == self.operator_at {
            self.found = Some(Operands {
                operator_at: operator.start,
                left: text(binary.left.span().byte_range()),
                operator: text(operator),
                right: text(binary.right.span().byte_range()),
            });
        }
        syn::visit::visit_expr_binary(self, binary);
    }
}
