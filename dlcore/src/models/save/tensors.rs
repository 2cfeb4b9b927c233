//! Tensors as safetensors.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};

use crate::config::Parsed;
use crate::files::numbers::{self, Class, Kind};
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
    let dtype = match tensor.dtype() {
        DType::Bool => Dtype::BOOL,
        DType::U8 => Dtype::U8,
        DType::I32 => Dtype::I32,
        DType::I64 => Dtype::I64,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
    };
    Written {
        dtype,
        shape: tensor.shape().to_vec(),
        bytes: numbers::bytes(tensor),
    }
}

/// The tensors of a safetensors file. What they take is bounded by the file's size.
pub(crate) fn read(bytes: &[u8]) -> Parsed<Tensors> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| {
        format!("byte 0: the header is damaged, or this is no safetensors file: {error}")
    })?;
    let mut tensors = Tensors::new();
    for (name, view) in file.iter() {
        let tensor = tensor(&view).map_err(|message| format!("{name}: {message}"))?;
        tensors.insert(name.to_string(), tensor);
    }
    Ok(tensors)
}

fn tensor(view: &TensorView<'_>) -> Parsed<Tensor> {
    let kind = match view.dtype() {
        Dtype::BOOL => Kind::new(Class::Bool, 1, false),
        Dtype::U8 => Kind::integer(1, false, false),
        Dtype::U16 => Kind::integer(2, false, false),
        Dtype::U32 => Kind::integer(4, false, false),
        Dtype::U64 => Kind::integer(8, false, false),
        Dtype::I8 => Kind::integer(1, false, true),
        Dtype::I16 => Kind::integer(2, false, true),
        Dtype::I32 => Kind::integer(4, false, true),
        Dtype::I64 => Kind::integer(8, false, true),
        Dtype::F16 => Kind::float(2, false),
        Dtype::BF16 => Kind::new(Class::Brain, 2, false),
        Dtype::F32 => Kind::float(4, false),
        Dtype::F64 => Kind::float(8, false),
        other => return Err(format!("expected numbers of a known type, found {other:?}")),
    };
    numbers::tensor(view.shape(), view.data(), kind)
}
