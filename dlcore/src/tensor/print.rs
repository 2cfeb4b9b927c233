//! Printing as NumPy does: aligned columns, the fewest digits that tell the numbers apart (at most
//! eight after the point), exponents where magnitudes differ much, the middle of what is long left
//! out; of many lines also where NumPy, which counts elements, prints them all.

use std::fmt;

use super::{DType, Element, Storage, Tensor, dense};

/// Elements beyond which only the edges are printed, of tensors and of other long lists.
pub(crate) const THRESHOLD: usize = 1000;
/// Elements printed at each end of an axis that is cut.
pub(crate) const EDGE: usize = 3;
/// Lines beyond which only the edges are printed, too.
const MOST_LINES: usize = 40;
const LINE_WIDTH: usize = 75;
/// Digits after the point.
const PRECISION: usize = 8;

/// Of more than 1000 elements or 40 lines the edges, or with `{:#}` all.
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.len() == 0 {
            return f.write_str("[]");
        }
        if self.ndim() == 0 {
            return match f.precision() {
                Some(_) if self.dtype().is_float() => fmt::Display::fmt(&self.item(), f),
                _ => f.pad(&single(self)),
            };
        }
        let all = vec![false; self.ndim()];
        if f.alternate() {
            return f.write_str(&written(self, &all));
        }
        let edges = vec![true; self.ndim()];
        // The columns of a table are all of interest where there are few.
        let mut rows = edges.clone();
        rows[self.ndim() - 1] = false;
        if self.len() <= THRESHOLD {
            for cut in [all, rows] {
                let text = written(self, &cut);
                if text.lines().count() <= MOST_LINES {
                    return f.write_str(&text);
                }
            }
        }
        f.write_str(&written(self, &edges))
    }
}

/// The elements within brackets; `cut` says of which axes only the edges.
fn written(tensor: &Tensor, cut: &[bool]) -> String {
    let mut texts = shown_texts(tensor, cut).into_iter();
    let mut text = String::new();
    write_axis(&mut text, &mut texts, tensor.shape(), cut, 1, LINE_WIDTH);
    text
}

/// Under a line that says type and shape; `{:-?}`, by which a notebook shows what a list or a struct holds,
/// leaves that line out.
impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.sign_minus() {
            writeln!(f, "Tensor {} {:?}", self.dtype(), self.shape())?;
        }
        write!(f, "{self}")
    }
}

/// The positions of an axis that are printed.
fn shown(length: usize, cut: bool) -> Vec<usize> {
    if cut && length > 2 * EDGE {
        (0..EDGE).chain(length - EDGE..length).collect()
    } else {
        (0..length).collect()
    }
}

/// The texts of the elements that are printed, all of one width, in row-major order.
fn shown_texts(tensor: &Tensor, cut: &[bool]) -> Vec<String> {
    let mut indices: Vec<Vec<usize>> = vec![Vec::new()];
    for (&length, &cut) in tensor.shape().iter().zip(cut) {
        let positions = shown(length, cut);
        let longer = |index: &Vec<usize>| {
            let index = index.clone();
            let extend = move |&position: &usize| [&index[..], &[position]].concat();
            positions.iter().map(extend).collect::<Vec<_>>()
        };
        indices = indices.iter().flat_map(longer).collect();
    }
    let at = |index: &Vec<usize>| match tensor.storage() {
        Storage::Sparse(rows) => Value::of(rows.get(index[0], index[1])),
        other => dense!(other, array => Value::of(array[&index[..]])),
    };
    aligned(&indices.iter().map(at).collect::<Vec<_>>())
}

/// Writes the elements of the remaining axes within brackets; `indent` spaces precede each line,
/// `width` columns may be filled.
fn write_axis(
    text: &mut String,
    texts: &mut impl Iterator<Item = String>,
    shape: &[usize],
    cut: &[bool],
    indent: usize,
    width: usize,
) {
    let summary = cut[0] && shape[0] > 2 * EDGE;
    let count = shown(shape[0], cut[0]).len();
    text.push('[');
    if let [_] = shape {
        let mut line = indent;
        let mut put = |text: &mut String, word: &str, last: bool| {
            if line > indent && line + word.len() > width - 1 {
                text.truncate(text.trim_end().len());
                text.push('\n');
                text.extend(std::iter::repeat_n(' ', indent));
                line = indent;
            }
            text.push_str(word);
            line += word.len();
            if !last {
                text.push(' ');
                line += 1;
            }
        };
        for position in 0..count {
            if summary && position == EDGE {
                put(text, "...", false);
            }
            put(
                text,
                &texts.next().expect("a text for each position"),
                position + 1 == count,
            );
        }
    } else {
        let separate = |text: &mut String| {
            text.extend(std::iter::repeat_n('\n', shape.len() - 1));
            text.extend(std::iter::repeat_n(' ', indent));
        };
        for position in 0..count {
            if summary && position == EDGE {
                text.push_str("...");
                separate(text);
            }
            write_axis(text, texts, &shape[1..], &cut[1..], indent + 1, width - 1);
            if position + 1 < count {
                separate(text);
            }
        }
    }
    text.push(']');
}

/// An element of any type.
#[derive(Clone, Copy, Debug)]
enum Value {
    Bool(bool),
    Integer(i64),
    Single(f32),
    Double(f64),
}

impl Value {
    fn of<T: Element>(value: T) -> Value {
        match T::DTYPE {
            DType::Bool => Value::Bool(value.to_i64() != 0),
            DType::U8 | DType::I32 | DType::I64 => Value::Integer(value.to_i64()),
            DType::F32 => Value::Single(value.to_f32()),
            DType::F64 => Value::Double(value.to_f64()),
        }
    }

    fn float(self) -> f64 {
        match self {
            Value::Single(value) => f64::from(value),
            Value::Double(value) => value,
            _ => unreachable!("only floats are asked"),
        }
    }

    /// `d.ddde±x` with the fewest digits that name this number among those of its type, or with at
    /// most `precision` after the point.
    fn scientific(self, precision: usize) -> (String, i32) {
        let (shortest, rounded) = match self {
            Value::Single(v) => (format!("{v:e}"), format!("{v:.precision$e}")),
            _ => (
                format!("{:e}", self.float()),
                format!("{:.precision$e}", self.float()),
            ),
        };
        let text = if shortest.len() <= rounded.len() {
            shortest
        } else {
            rounded
        };
        let (mantissa, exponent) = text.split_once('e').expect("Rust's exponent form");
        let mantissa = match mantissa.contains('.') {
            true => mantissa.trim_end_matches('0').to_string(),
            false => format!("{mantissa}."),
        };
        (mantissa, exponent.parse().expect("Rust's exponent"))
    }

    /// `ddd.ddd` with the fewest digits that name this number, at most `precision` after the point.
    fn positional(self, precision: usize) -> String {
        let (shortest, rounded) = match self {
            Value::Single(v) => (format!("{v}"), format!("{v:.precision$}")),
            _ => (
                format!("{}", self.float()),
                format!("{:.precision$}", self.float()),
            ),
        };
        let decimals = |text: &str| text.split_once('.').map_or(0, |(_, digits)| digits.len());
        let text = if decimals(&shortest) <= precision {
            shortest
        } else {
            rounded
        };
        match text.contains('.') {
            true => text.trim_end_matches('0').to_string(),
            false => text + ".",
        }
    }
}

/// The only element, as NumPy prints a number rather than an array.
fn single(tensor: &Tensor) -> String {
    let value = dense!(tensor.storage(), array => {
        Value::of(*array.first().expect("one element"))
    });
    match value {
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Integer(value) => value.to_string(),
        float => {
            let size = float.float().abs();
            if !size.is_finite() {
                return special(float.float()).into();
            }
            // As NumPy 2.4.
            let large = match float {
                Value::Single(_) => 1e6,
                _ => 1e16,
            };
            if size == 0.0 || (1e-4..large).contains(&size) {
                let text = float.positional(usize::from(u16::MAX));
                return if text.ends_with('.') {
                    text + "0"
                } else {
                    text
                };
            }
            let (mantissa, exponent) = float.scientific(usize::from(u16::MAX / 2));
            format!(
                "{}e{}",
                mantissa.trim_end_matches('.'),
                exponent_text(exponent, 2)
            )
        }
    }
}

fn special(value: f64) -> &'static str {
    match value {
        v if v.is_nan() => "nan",
        v if v < 0.0 => "-inf",
        _ => "inf",
    }
}

fn exponent_text(exponent: i32, digits: usize) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{:0digits$}", exponent.unsigned_abs())
}

/// Texts of one width.
fn aligned(values: &[Value]) -> Vec<String> {
    let texts: Vec<String> = match values[0] {
        Value::Single(_) => return floats(values, 1e6),
        Value::Double(_) => return floats(values, 1e8),
        _ => values
            .iter()
            .map(|value| match value {
                Value::Bool(true) => "True".to_string(),
                Value::Bool(false) => "False".to_string(),
                Value::Integer(value) => value.to_string(),
                Value::Single(_) | Value::Double(_) => unreachable!("one type"),
            })
            .collect(),
    };
    let width = match values[0] {
        Value::Bool(_) => 5,
        _ => texts.iter().map(String::len).max().unwrap_or(0),
    };
    texts.iter().map(|text| format!("{text:>width$}")).collect()
}

/// Floats, the points below one another; with exponents from `large` on, below 1e-4, or where the
/// largest is more than a thousand times the smallest.
fn floats(values: &[Value], large: f64) -> Vec<String> {
    let finite: Vec<Value> = values
        .iter()
        .copied()
        .filter(|v| v.float().is_finite())
        .collect();
    let sizes = finite
        .iter()
        .map(|v| v.float().abs())
        .filter(|&size| size != 0.0);
    let (least, most) = sizes.fold((f64::INFINITY, 0.0_f64), |(a, b), s| (a.min(s), b.max(s)));
    // Compared in the elements' own type: 0.0001 as f32 is a little below 0.0001 as f64.
    let (least_shown, widest) = match values[0] {
        Value::Single(_) => (f64::from(1e-4_f32), f64::from(most as f32 / least as f32)),
        _ => (1e-4, most / least),
    };
    let exponents = most >= large || (most > 0.0 && (least < least_shown || widest > 1000.0));
    let (mut before, after, finite_texts) = if exponents {
        with_exponents(&finite)
    } else {
        with_points(&finite)
    };
    let specials = values.iter().map(|v| v.float()).filter(|v| !v.is_finite());
    for text in specials.map(special) {
        before = before.max((text.len()).saturating_sub(after + 1));
    }
    let width = before + 1 + after;
    let mut finite_texts = finite_texts.into_iter();
    let text = |value: &Value| match value.float() {
        v if v.is_finite() => {
            let text = finite_texts.next().expect("one for each finite value");
            format!("{text:>width$}")
        }
        v => format!("{:>width$}", special(v)),
    };
    values.iter().map(text).collect()
}

/// Widths before and after the point, and texts filled up to the latter.
fn with_points(values: &[Value]) -> (usize, usize, Vec<String>) {
    let texts: Vec<String> = values
        .iter()
        .map(|value| value.positional(PRECISION))
        .collect();
    let widths = |text: &String| {
        let point = text.find('.').expect("a point in every text");
        (point, text.len() - point - 1)
    };
    let before = texts.iter().map(|t| widths(t).0).max().unwrap_or(0);
    let after = texts.iter().map(|t| widths(t).1).max().unwrap_or(0);
    let fill = |text: String| {
        let missing = after - widths(&text).1;
        text + &" ".repeat(missing)
    };
    (before, after, texts.into_iter().map(fill).collect())
}

/// Widths before and after the point, exponents included, and texts with as many digits each.
fn with_exponents(values: &[Value]) -> (usize, usize, Vec<String>) {
    let parts: Vec<(String, i32)> = values.iter().map(|v| v.scientific(PRECISION)).collect();
    let point = |mantissa: &String| mantissa.find('.').expect("a point in every mantissa");
    let before = parts.iter().map(|(m, _)| point(m)).max().unwrap_or(0);
    let digits = parts
        .iter()
        .map(|(m, _)| m.len() - point(m) - 1)
        .max()
        .unwrap_or(0);
    let exponents = parts
        .iter()
        .map(|(_, e)| exponent_text(*e, 2).len() - 1)
        .max()
        .unwrap_or(2);
    let text = |value: &Value| {
        let text = format!("{:.digits$e}", value.float());
        let (mantissa, exponent) = text.split_once('e').expect("Rust's exponent form");
        let exponent = exponent.parse().expect("Rust's exponent");
        let point = if digits == 0 { "." } else { "" };
        format!("{mantissa}{point}e{}", exponent_text(exponent, exponents))
    };
    let texts = values.iter().map(text).collect();
    (before, digits + 2 + exponents, texts)
}

#[cfg(test)]
#[path = "print_tests.rs"]
mod tests;
