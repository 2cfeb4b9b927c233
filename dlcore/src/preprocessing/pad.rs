//! Sequences of different lengths as one tensor.

use crate::datasets::Sequences;
use crate::tensor::Shape;
use crate::{DType, Error, Result, Tensor, names};

const SIDES: [&str; 2] = ["pre", "post"];

/// The settings of [`pad_sequences`], with Keras's defaults. A number alone is `maxlen`.
///
/// ```
/// use dlcore::preprocessing::Pad;
/// let settings = Pad::to(100).padding("post").truncating("post").value(-1.0);
/// ```
#[derive(Clone, Debug)]
pub struct Pad {
    maxlen: Option<usize>,
    dtype: Option<DType>,
    padding: String,
    truncating: String,
    value: f64,
}

impl Default for Pad {
    fn default() -> Self {
        Pad::to_longest()
    }
}

impl Pad {
    /// To the length `maxlen`.
    pub fn to(maxlen: usize) -> Pad {
        Pad {
            maxlen: Some(maxlen),
            ..Pad::to_longest()
        }
    }

    /// To the length of the longest sequence.
    pub fn to_longest() -> Pad {
        Pad {
            maxlen: None,
            dtype: None,
            padding: "pre".to_owned(),
            truncating: "pre".to_owned(),
            value: 0.0,
        }
    }

    /// The type of the elements; `I32`, and for tensors their own, unless set.
    pub fn dtype(mut self, dtype: DType) -> Pad {
        self.dtype = Some(dtype);
        self
    }

    /// Where a short sequence is filled up: `"pre"`, before it, or `"post"`, after it (`"pre"`).
    pub fn padding(mut self, padding: &str) -> Pad {
        self.padding = padding.to_owned();
        self
    }

    /// Where a long sequence loses elements: `"pre"`, at its beginning, or `"post"`, at its end
    /// (`"pre"`).
    pub fn truncating(mut self, truncating: &str) -> Pad {
        self.truncating = truncating.to_owned();
        self
    }

    /// What short sequences are filled up with (0).
    pub fn value(mut self, value: f64) -> Pad {
        self.value = value;
        self
    }

    /// Whether elements go before and are lost at the beginning.
    fn sides(&self) -> Result<(bool, bool)> {
        let side = |what: &str, name: &str| match name {
            "pre" => Ok(true),
            "post" => Ok(false),
            other => Err(Error::Value(format!(
                "pad_sequences: {}",
                names::unknown(what, other, &SIDES)
            ))),
        };
        Ok((
            side("padding", &self.padding)?,
            side("truncating", &self.truncating)?,
        ))
    }

    fn length(&self, lengths: impl Iterator<Item = usize>) -> Result<usize> {
        let length = match self.maxlen {
            Some(maxlen) => Some(maxlen),
            None => lengths.max(),
        };
        match length {
            Some(0) if self.maxlen.is_some() => Err(Error::Value(
                "pad_sequences: expected a length of at least 1, got 0".to_owned(),
            )),
            Some(length) => Ok(length),
            None => Err(Error::Value(
                "pad_sequences: there is no sequence whose length could be taken; say how long: Pad::to(100)"
                    .to_owned(),
            )),
        }
    }
}

impl From<usize> for Pad {
    fn from(maxlen: usize) -> Pad {
        Pad::to(maxlen)
    }
}

impl From<&Pad> for Pad {
    fn from(settings: &Pad) -> Pad {
        settings.clone()
    }
}

/// What can be padded: lists of word numbers, or tensors that differ in the length of their first
/// axis.
pub struct Ragged<'a>(Rows<'a>);

enum Rows<'a> {
    Numbers(&'a [Vec<u32>]),
    Tensors(&'a [Tensor]),
}

impl<'a> From<&'a Sequences> for Ragged<'a> {
    fn from(sequences: &'a Sequences) -> Self {
        Ragged(Rows::Numbers(sequences.rows()))
    }
}

impl<'a> From<&'a Vec<Vec<u32>>> for Ragged<'a> {
    fn from(rows: &'a Vec<Vec<u32>>) -> Self {
        Ragged(Rows::Numbers(rows))
    }
}

impl<'a> From<&'a [Vec<u32>]> for Ragged<'a> {
    fn from(rows: &'a [Vec<u32>]) -> Self {
        Ragged(Rows::Numbers(rows))
    }
}

impl<'a> From<&'a [Tensor]> for Ragged<'a> {
    fn from(rows: &'a [Tensor]) -> Self {
        Ragged(Rows::Tensors(rows))
    }
}

impl<'a> From<&'a Vec<Tensor>> for Ragged<'a> {
    fn from(rows: &'a Vec<Tensor>) -> Self {
        Ragged(Rows::Tensors(rows))
    }
}

/// Sequences brought to one length, as `keras.utils.pad_sequences`: shorter ones are filled up, longer
/// ones cut, both at the beginning unless asked otherwise.
///
/// # Shapes
/// `n` lists of numbers → `[n, maxlen]`, `I32`; `n` tensors `[steps, …]` → `[n, maxlen, …]` of their type
///
/// ```
/// use dlcore::prelude::*;
/// let reviews = Sequences::new(vec![vec![7], vec![1, 2, 3, 4]]);
/// assert_eq!(pad_sequences(&reviews, 3)?.to_vec(), [0., 0., 7., 2., 3., 4.]);
/// let after = pad_sequences(&reviews, Pad::to(3).padding("post").truncating("post"))?;
/// assert_eq!(after.to_vec(), [7., 0., 0., 1., 2., 3.]);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::Value`] for a setting that is not known, a length of 0, and numbers that `I32` cannot hold;
/// [`Error::Shape`] for tensors whose steps differ in shape.
pub fn pad_sequences<'a>(
    sequences: impl Into<Ragged<'a>>,
    settings: impl Into<Pad>,
) -> Result<Tensor> {
    let (Ragged(rows), settings) = (sequences.into(), settings.into());
    match rows {
        Rows::Numbers(rows) => pad_numbers(rows, &settings),
        Rows::Tensors(rows) => pad_tensors(rows, &settings),
    }
}

fn pad_numbers(rows: &[Vec<u32>], settings: &Pad) -> Result<Tensor> {
    let (pad_before, cut_before) = settings.sides()?;
    let length = settings.length(rows.iter().map(Vec::len))?;
    let shape = Shape::from([rows.len(), length]);
    let dtype = settings.dtype.unwrap_or(DType::I32);
    let place = |kept: usize| if pad_before { length - kept } else { 0 };
    let kept = |row: &'_ Vec<u32>| -> std::ops::Range<usize> {
        let first = if cut_before {
            row.len().saturating_sub(length)
        } else {
            0
        };
        first..row.len().min(first + length)
    };
    if dtype.is_float() {
        let mut values = vec![settings.value; shape.room::<f64>("pad_sequences")?];
        for (row, to) in rows.iter().zip(values.chunks_mut(length.max(1))) {
            let row = &row[kept(row)];
            let to = &mut to[place(row.len())..];
            to.iter_mut().zip(row).for_each(|(to, &v)| *to = v.into());
        }
        return Ok(Tensor::from_shape_vec_f64(shape, values)?.cast(dtype));
    }
    // As NumPy does, towards zero.
    let mut values = vec![settings.value as i64; shape.room::<i64>("pad_sequences")?];
    for (index, (row, to)) in rows
        .iter()
        .zip(values.chunks_mut(length.max(1)))
        .enumerate()
    {
        let row = &row[kept(row)];
        if let Some(large) = row
            .iter()
            .find(|&&v| dtype == DType::I32 && i32::try_from(v).is_err())
        {
            return Err(Error::Value(format!(
                "pad_sequences: {large} in sequence {index} is more than I32 holds; ask for .dtype(DType::I64)"
            )));
        }
        let to = &mut to[place(row.len())..];
        to.iter_mut().zip(row).for_each(|(to, &v)| *to = v.into());
    }
    Ok(Tensor::from_shape_vec_i64(shape, values)?.cast(dtype))
}

fn pad_tensors(rows: &[Tensor], settings: &Pad) -> Result<Tensor> {
    let (pad_before, cut_before) = settings.sides()?;
    if let Some(place) = rows.iter().position(|row| row.ndim() == 0) {
        return Err(Error::Shape(format!(
            "pad_sequences: expected sequences, with a first axis of steps; number {place} is a single number"
        )));
    }
    let length = settings.length(rows.iter().map(|row| row.shape()[0]))?;
    // As Keras: the first sequence that has a step says what a step is.
    let model = rows.iter().find(|row| row.shape()[0] > 0);
    let step = model.map_or(&[][..], |row| &row.shape()[1..]);
    let dtype = settings.dtype.or(model.map(Tensor::dtype));
    let dtype = dtype.unwrap_or(DType::I32);
    let filler = |steps: usize| {
        let shape = [&[steps], step].concat();
        Tensor::full(shape, settings.value).cast(dtype)
    };
    let mut padded = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let steps = row.shape()[0];
        if steps > 0 && &row.shape()[1..] != step {
            return Err(Error::Shape(format!(
                "pad_sequences: expected steps of shape {step:?}, as in the first sequence, got {:?} in sequence \
                 {index}",
                &row.shape()[1..]
            )));
        }
        let first = if cut_before {
            steps.saturating_sub(length)
        } else {
            0
        };
        let kept: Vec<usize> = (first..steps.min(first + length)).collect();
        let filler = filler(length - kept.len());
        let row = match steps {
            0 => filler,
            _ => {
                let row = row.try_rows(&kept)?.cast(dtype);
                let parts = if pad_before {
                    [&filler, &row]
                } else {
                    [&row, &filler]
                };
                Tensor::try_concat(&parts, 0)?
            }
        };
        padded.push(row);
    }
    match padded.is_empty() {
        true => Ok(Tensor::zeros([0, length]).cast(dtype)),
        false => Tensor::try_stack(&padded.iter().collect::<Vec<_>>(), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_padded_is_refused_with_the_reason() {
        let rows = vec![vec![1, 2], vec![u32::MAX]];
        let error = |settings: Pad| pad_sequences(&rows, settings).unwrap_err().to_string();
        assert!(error(Pad::to(0)).contains("at least 1, got 0"));
        assert!(error(Pad::to(2).padding("psot")).contains("did you mean \"post\"?"));
        assert!(error(Pad::to(2).truncating("middle")).contains("unknown truncating \"middle\""));
        assert!(error(Pad::to(2)).contains("4294967295 in sequence 1 is more than I32 holds"));
        let nothing: Vec<Vec<u32>> = vec![];
        let error = pad_sequences(&nothing, Pad::to_longest()).unwrap_err();
        assert!(error.to_string().contains("there is no sequence"));
        assert_eq!(pad_sequences(&nothing, 3).unwrap().shape(), [0, 3]);
        let mixed = vec![Tensor::zeros([2, 3]), Tensor::zeros([1, 4])];
        let error = pad_sequences(&mixed, 2).unwrap_err().to_string();
        assert!(
            error.contains("shape [3], as in the first sequence, got [4] in sequence 1"),
            "{error}"
        );
        let single = vec![Tensor::from(1.0)];
        let error = pad_sequences(&single, 2).unwrap_err().to_string();
        assert!(error.contains("number 0 is a single number"), "{error}");
    }
}
