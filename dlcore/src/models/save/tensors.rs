//! Tensors as safetensors.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};

use crate::config::Parsed;
use crate::tensor::{Element, with_slice};
use crate::{DType, Tensor};

/// Tensors by name.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

/// Whether every element is a number, and a finite one.
pub(crate) fn is_finite(tensor: &Tensor) -> bool {
    match tensor.dtype() {
        DType::F32 => match tensor.to_dense().storage() {
            crate::tensor::Storage::F32(array) => array.iter().all(|value| value.is_finite()),
            _ => true,
        },
        DType::F64 => tensor.to_vec_of::<f64>().iter().all(|v| v.is_finite()),
        _ => true,
    }
}

/// One tensor, as the crate wants to see it.
struct Written {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for &Written {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// The bytes of a safetensors file.
pub(crate) fn write(tensors: &Tensors) -> Parsed<Vec<u8>> {
    write_with(tensors, None)
}

/// [`write`] with the names of the layers that the tensors belong to, by their places.
pub(crate) fn write_named(tensors: &Tensors, layers: &[String]) -> Parsed<Vec<u8>> {
    let layers = serde_json::Value::from(layers).to_string();
    write_with(tensors, Some((LAYERS.to_string(), layers)))
}

/// The names that [`write_named`] wrote.
pub(crate) fn names(bytes: &[u8]) -> Option<Vec<String>> {
    let (_, about) = SafeTensors::read_metadata(bytes).ok()?;
    let layers = about.metadata().as_ref()?.get(LAYERS)?;
    serde_json::from_str(layers).ok()
}

/// Under which key of the metadata the names of layers stand.
const LAYERS: &str = "layers";

fn write_with(tensors: &Tensors, about: Option<(String, String)>) -> Parsed<Vec<u8>> {
    let written: Vec<(&str, Written)> = tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), written(tensor)))
        .collect();
    let views = written.iter().map(|(name, tensor)| (*name, tensor));
    let about = about.map(|about| [about].into_iter().collect());
    safetensors::serialize(views, about).map_err(|error| error.to_string())
}

fn written(tensor: &Tensor) -> Written {
    fn bytes<T: Element, const N: usize>(
        array: &crate::tensor::Array<T>,
        convert: impl Fn(T) -> [u8; N],
    ) -> Vec<u8> {
        with_slice(array, |values| {
            values.iter().flat_map(|&value| convert(value)).collect()
        })
    }
    use crate::tensor::Storage;
    let tensor = tensor.to_dense();
    let (dtype, bytes) = match tensor.storage() {
        Storage::Bool(array) => (Dtype::BOOL, bytes(array, |v| [u8::from(v)])),
        Storage::U8(array) => (Dtype::U8, bytes(array, |v| [v])),
        Storage::I32(array) => (Dtype::I32, bytes(array, i32::to_le_bytes)),
        Storage::I64(array) => (Dtype::I64, bytes(array, i64::to_le_bytes)),
        Storage::F32(array) => (Dtype::F32, bytes(array, f32::to_le_bytes)),
        Storage::F64(array) => (Dtype::F64, bytes(array, f64::to_le_bytes)),
        Storage::Sparse(_) => unreachable!("made dense above"),
    };
    Written {
        dtype,
        shape: tensor.shape().to_vec(),
        bytes,
    }
}

/// The tensors of a safetensors file. What they take is bounded by the file's size.
pub(crate) fn read(bytes: &[u8]) -> Parsed<Tensors> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| format!("the weights are damaged, or no safetensors file: {error}"))?;
    file.iter()
        .map(|(name, view)| Ok((name.to_string(), tensor(name, &view)?)))
        .collect()
}

fn tensor(name: &str, view: &TensorView<'_>) -> Parsed<Tensor> {
    fn of<T: Element, const N: usize>(
        view: &TensorView<'_>,
        convert: impl Fn([u8; N]) -> T,
    ) -> Parsed<Tensor> {
        let (chunks, rest) = view.data().as_chunks::<N>();
        let count = view
            .shape()
            .iter()
            .try_fold(1_usize, |count, &axis| count.checked_mul(axis));
        if count != Some(chunks.len()) || !rest.is_empty() {
            return Err(format!(
                "shape {:?} does not fit {} bytes",
                view.shape(),
                view.data().len()
            ));
        }
        let values = chunks.iter().map(|&chunk| convert(chunk)).collect();
        Ok(Tensor::from_values(view.shape(), values))
    }
    let tensor = match view.dtype() {
        Dtype::BOOL => of(view, |[byte]| byte != 0),
        Dtype::U8 => of(view, |[byte]| byte),
        Dtype::I32 => of(view, i32::from_le_bytes),
        Dtype::I64 => of(view, i64::from_le_bytes),
        Dtype::F32 => of(view, f32::from_le_bytes),
        Dtype::F64 => of(view, f64::from_le_bytes),
        other => Err(format!(
            "expected elements of type F32, F64, I64, I32, U8 or BOOL, found {other:?}"
        )),
    };
    tensor.map_err(|message| format!("{name}: {message}"))
}
