//! Products that sum over chosen axes: `einsum`, `tensordot`, `outer`.
//!
//! Everything is brought to one batched matrix product by moving and joining axes, so gradients come
//! from these operations.

use super::{Tensor, expect, fallible, resolve_axis};
use crate::{Error, Result};

impl Tensor {
    /// Einstein's summation: each axis is named by a letter, letters that the result does not name
    /// are summed over. `...` stands for further axes, which are broadcast; without `->` the result's
    /// letters are those that occur once, in alphabetical order.
    ///
    /// ```
    /// use dlcore::Tensor;
    /// let (a, b) = (Tensor::ones([2, 3]), Tensor::ones([3, 4]));
    /// assert_eq!(Tensor::einsum("ij,jk->ik", &[&a, &b]), a.dot(&b));
    /// assert_eq!(Tensor::einsum("ij->ji", &[&a]).shape(), [3, 2]);
    /// assert_eq!(Tensor::einsum("ii", &[&Tensor::eye(3)]).item(), 3.0);
    /// ```
    ///
    /// # Panics
    /// Where [`Tensor::try_einsum`] returns an error.
    #[track_caller]
    pub fn einsum(equation: &str, operands: &[&Tensor]) -> Tensor {
        expect(Self::try_einsum(equation, operands))
    }

    /// [`Tensor::einsum`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Value`] for an equation that says nothing clear, [`Error::Shape`] for operands that
    /// it does not fit.
    pub fn try_einsum(equation: &str, operands: &[&Tensor]) -> Result<Tensor> {
        let (terms, output) = parse(equation, operands)?;
        lengths(equation, operands, &terms)?;
        let mut left: Vec<Term> = Vec::with_capacity(operands.len());
        for (operand, labels) in operands.iter().zip(terms) {
            left.push(Term::new(&operand.as_float(), labels)?);
        }
        let mut result = left.remove(0);
        while !left.is_empty() {
            let next = left.remove(0);
            let wanted = |label: &char| {
                output.contains(label) || left.iter().any(|term| term.labels.contains(label))
            };
            result = result.summed(|label| wanted(label) || next.labels.contains(label))?;
            let next = next.summed(|label| wanted(label) || result.labels.contains(label))?;
            result = result.times(&next, wanted)?;
        }
        result
            .summed(|label| output.contains(label))?
            .ordered(&output)
    }

    fallible! {
        /// Sums over the last `axes` axes of this tensor and the first `axes` of the other, which
        /// must agree: 1 is `dot` for matrices, 0 the outer product.
        fn tensordot / try_tensordot(&self, other: &Tensor, axes: usize) -> Tensor {
            let (rank, fits) = (self.ndim(), axes <= self.ndim() && axes <= other.ndim());
            if !fits {
                return Err(Error::Shape(format!(
                    "tensordot: shapes {:?} and {:?} have no {axes} axes each to sum over",
                    self.shape(),
                    other.shape()
                )));
            }
            let left: Vec<isize> = (rank - axes..rank).map(|axis| axis as isize).collect();
            let right: Vec<isize> = (0..axes as isize).collect();
            self.try_tensordot_axes(other, &left, &right)
        }

        /// Sums over axis `left[i]` of this tensor and `right[i]` of the other, for each i. The
        /// result has the other axes of this tensor, then those of the other.
        fn tensordot_axes / try_tensordot_axes(&self, other: &Tensor, left: &[isize], right: &[isize]) -> Tensor {
            tensordot(self, other, left, right)
        }

        /// The product of each element with each of the other's, `[self.len(), other.len()]`.
        fn outer / try_outer(&self, other: &Tensor) -> Tensor {
            self.try_reshape([self.len(), 1])?.try_mul(other.try_reshape([1, other.len()])?)
        }
    }
}

/// Letters taken for the axes of an ellipsis: from a range that no equation can name.
const ELLIPSIS: char = '\u{E000}';

/// The letters of each operand and of the result.
fn parse(equation: &str, operands: &[&Tensor]) -> Result<(Vec<Vec<char>>, Vec<char>)> {
    let wrong = |why: String| Err(Error::Value(format!("einsum {equation:?}: {why}")));
    let compact: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = match compact.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (&compact[..], None),
    };
    let inputs: Vec<&str> = inputs.split(',').collect();
    if inputs.len() != operands.len() {
        return wrong(format!(
            "it names {} operands, got {}",
            inputs.len(),
            operands.len()
        ));
    }
    // How many axes the widest ellipsis stands for.
    let mut widest = 0;
    for (position, (text, operand)) in inputs.iter().zip(operands).enumerate() {
        let named = text.replacen("...", "", 1);
        if let Some(bad) = named.chars().find(|c| !c.is_ascii_alphabetic()) {
            return wrong(format!("{bad:?} is not a letter that names an axis"));
        }
        let (named, rank) = (named.len(), operand.ndim());
        if named > rank || (named < rank && !text.contains("...")) {
            return wrong(format!(
                "{text:?} names {named} axes of operand {position}, whose shape is {:?}",
                operand.shape()
            ));
        }
        widest = widest.max(rank - named);
    }
    // Ellipses are matched from their last axis, as in broadcasting.
    let spread = |text: &str, count: usize| -> Vec<char> {
        let axes = (widest - count..widest).map(|axis| {
            char::from_u32(ELLIPSIS as u32 + axis as u32).expect("fewer axes than private letters")
        });
        match text.split_once("...") {
            Some((before, after)) => before.chars().chain(axes).chain(after.chars()).collect(),
            None => text.chars().collect(),
        }
    };
    let terms: Vec<Vec<char>> = inputs
        .iter()
        .zip(operands)
        .map(|(text, operand)| match text.contains("...") {
            true => spread(text, operand.ndim() + 3 - text.len()),
            false => text.chars().collect(),
        })
        .collect();
    let output = match output {
        Some(text) => spread(text, widest),
        None => implied(&terms),
    };
    for (place, label) in output.iter().enumerate() {
        let known = terms.iter().any(|term| term.contains(label));
        if !known || output[..place].contains(label) {
            return wrong(format!(
                "the result names {label:?}, which {}",
                if known {
                    "it has already"
                } else {
                    "no operand has"
                }
            ));
        }
    }
    Ok((terms, output))
}

/// The result's letters where the equation does not say: the ellipsis, then what occurs once.
fn implied(terms: &[Vec<char>]) -> Vec<char> {
    let all: Vec<char> = terms.concat();
    let once = |label: &&char| all.iter().filter(|other| other == label).count() == 1;
    let mut named: Vec<char> = all
        .iter()
        .filter(|l| **l < ELLIPSIS)
        .filter(once)
        .copied()
        .collect();
    named.sort_unstable();
    let mut output: Vec<char> = all
        .iter()
        .filter(|label| **label >= ELLIPSIS)
        .copied()
        .collect();
    output.sort_unstable();
    output.dedup();
    output.extend(named);
    output
}

/// One letter, one length; 1 is repeated where another operand has more.
fn lengths(equation: &str, operands: &[&Tensor], terms: &[Vec<char>]) -> Result<()> {
    let mut known: Vec<(char, usize)> = Vec::new();
    for (position, (operand, labels)) in operands.iter().zip(terms).enumerate() {
        for (&label, &length) in labels.iter().zip(operand.shape()) {
            match known.iter_mut().find(|(other, _)| *other == label) {
                None => known.push((label, length)),
                Some((_, other)) if *other == 1 => *other = length,
                Some((_, other)) if length != *other && length != 1 => {
                    let axis = if label >= ELLIPSIS {
                        "...".to_string()
                    } else {
                        label.to_string()
                    };
                    return Err(Error::Shape(format!(
                        "einsum {equation:?}: axis {axis} has length {other}, but {length} in operand \
                         {position} of shape {:?}",
                        operand.shape()
                    )));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// A tensor whose axes are named, each differently.
struct Term {
    tensor: Tensor,
    labels: Vec<char>,
}

impl Term {
    /// Axes of one name become their diagonal.
    fn new(tensor: &Tensor, labels: Vec<char>) -> Result<Term> {
        let mut term = Term {
            tensor: tensor.clone(),
            labels,
        };
        while let Some((first, second)) = term.twins() {
            term = term.diagonal(first, second)?;
        }
        Ok(term)
    }

    fn twins(&self) -> Option<(usize, usize)> {
        let labels = &self.labels;
        let pairs = (0..labels.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        pairs.into_iter().find(|&(a, b)| labels[a] == labels[b])
    }

    /// Both axes brought last and joined: the diagonal is every (n + 1)-th element.
    fn diagonal(&self, first: usize, second: usize) -> Result<Term> {
        let shape = self.tensor.shape();
        let length = match shape[first] {
            1 => shape[second],
            length => length,
        };
        let mut wide = shape.to_vec();
        (wide[first], wide[second]) = (length, length);
        let rest: Vec<usize> = (0..shape.len())
            .filter(|&axis| axis != first && axis != second)
            .collect();
        let moved = self
            .tensor
            .try_broadcast_to(&wide)?
            .try_permute([&rest[..], &[first, second]].concat())?;
        let mut joined: Vec<usize> = rest.iter().map(|&axis| shape[axis]).collect();
        joined.push(length * length);
        let every = super::SliceItem::from(..).step(length as isize + 1);
        let parts = vec![super::SliceItem::Ellipsis, every];
        let mut labels: Vec<char> = rest.iter().map(|&axis| self.labels[axis]).collect();
        labels.push(self.labels[first]);
        Ok(Term {
            tensor: moved.try_reshape(joined)?.try_slice(parts)?,
            labels,
        })
    }

    /// Summed over the axes that are not wanted.
    fn summed(self, wanted: impl Fn(&char) -> bool) -> Result<Term> {
        let axes = (0..self.labels.len()).filter(|&axis| !wanted(&self.labels[axis]));
        let axes: Vec<usize> = axes.collect();
        if axes.is_empty() {
            return Ok(self);
        }
        Ok(Term {
            tensor: self.tensor.try_sum_axis(axes)?,
            labels: self
                .labels
                .into_iter()
                .filter(|label| wanted(label))
                .collect(),
        })
    }

    /// With the axes in the order of `labels`.
    fn ordered(&self, labels: &[char]) -> Result<Tensor> {
        let place = |label| self.labels.iter().position(|own| own == label);
        let axes: Vec<usize> = labels.iter().filter_map(place).collect();
        self.tensor.try_permute(&axes)
    }

    /// The axes named `labels`, in this order and of these lengths, joined to `[batch, rows, columns]`.
    fn as_matrices(&self, groups: [&[char]; 3], length: impl Fn(&char) -> usize) -> Result<Tensor> {
        let labels = groups.concat();
        let size = |group: &[char]| group.iter().map(&length).product::<usize>();
        let shape: Vec<usize> = labels.iter().map(&length).collect();
        self.ordered(&labels)?
            .try_broadcast_to(shape)?
            .try_reshape(groups.map(size))
    }

    /// The product with another, summed over what both have and nobody wants: one matrix product for
    /// each place of what both have and somebody wants.
    fn times(&self, other: &Term, wanted: impl Fn(&char) -> bool) -> Result<Term> {
        let part = |labels: &[char], keep: &dyn Fn(&char) -> bool| -> Vec<char> {
            labels.iter().filter(|label| keep(label)).copied().collect()
        };
        let (mine, theirs) = (&self.labels, &other.labels);
        let batch = part(mine, &|label| theirs.contains(label) && wanted(label));
        let summed = part(mine, &|label| theirs.contains(label) && !wanted(label));
        let rows = part(mine, &|label| !theirs.contains(label));
        let columns = part(theirs, &|label| !mine.contains(label));
        let length = |label: &char| {
            let of = |term: &Term| {
                let axis = term.labels.iter().position(|own| own == label);
                axis.map_or(1, |axis| term.tensor.shape()[axis])
            };
            // A length of 1 gives way, to 0 too.
            match of(self) {
                1 => of(other),
                own => own,
            }
        };
        let left = self.as_matrices([&batch, &rows, &summed], length)?;
        let right = other.as_matrices([&batch, &summed, &columns], length)?;
        let labels = [batch, rows, columns].concat();
        let shape: Vec<usize> = labels.iter().map(length).collect();
        Ok(Term {
            tensor: left.try_matmul(&right)?.try_reshape(shape)?,
            labels,
        })
    }
}

fn tensordot(a: &Tensor, b: &Tensor, left: &[isize], right: &[isize]) -> Result<Tensor> {
    let resolve = |tensor: &Tensor, axes: &[isize]| -> Result<Vec<usize>> {
        super::Axes::from(axes).resolve("tensordot", tensor.shape())?;
        let axes = axes
            .iter()
            .map(|&axis| resolve_axis("tensordot", axis, tensor.shape()));
        axes.collect()
    };
    let (left, right) = (resolve(a, left)?, resolve(b, right)?);
    let lengths = |tensor: &Tensor, axes: &[usize]| -> Vec<usize> {
        axes.iter().map(|&axis| tensor.shape()[axis]).collect()
    };
    let (summed, others) = (lengths(a, &left), lengths(b, &right));
    if summed != others {
        return Err(Error::Shape(format!(
            "tensordot: axes {left:?} of shape {:?} have lengths {summed:?}, axes {right:?} of shape \
             {:?} have {others:?}; they must be equal",
            a.shape(),
            b.shape()
        )));
    }
    let rest = |tensor: &Tensor, axes: &[usize]| -> Vec<usize> {
        (0..tensor.ndim())
            .filter(|axis| !axes.contains(axis))
            .collect()
    };
    let (rows, columns) = (rest(a, &left), rest(b, &right));
    let shape = [lengths(a, &rows), lengths(b, &columns)].concat();
    let size = |lengths: &[usize]| lengths.iter().product::<usize>();
    let k = size(&summed);
    let m = size(&lengths(a, &rows));
    let n = size(&lengths(b, &columns));
    let a = a.try_permute([rows, left].concat())?.try_reshape([m, k])?;
    let b = b
        .try_permute([right, columns].concat())?
        .try_reshape([k, n])?;
    a.try_dot(&b)?.try_reshape(shape)
}
