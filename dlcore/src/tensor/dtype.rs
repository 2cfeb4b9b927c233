//! Element types, and how they mix.

use super::storage::{Array, Storage};

/// The type of a tensor's elements.
///
/// Arithmetic between two types gives the later one in this list; `Bool` first becomes `I64`.
/// Division, and functions such as `exp`, turn integers into `F32` first, and so does arithmetic
/// of an integer tensor with a Rust float: `u8_tensor / 255.0` is `F32`. A Rust number otherwise
/// takes the tensor's own type, and a whole one that it cannot hold, such as 300 beside `U8`, is an error. Integer
/// arithmetic wraps around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DType {
    /// True or false, one byte.
    Bool,
    /// Unsigned, one byte: pixels.
    U8,
    /// Signed, four bytes.
    I32,
    /// Signed, eight bytes: labels, indices, sums of integers.
    I64,
    /// IEEE single precision: what networks compute in.
    F32,
    /// IEEE double precision: gradient checks.
    F64,
}

impl DType {
    /// Whether this is `F32` or `F64`, the types gradients exist for.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// The type arithmetic between `self` and `other` is done in.
    pub(crate) fn promote(self, other: DType) -> DType {
        match self.max(other) {
            DType::Bool => DType::I64,
            wider => wider,
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DType::Bool => "bool",
            DType::U8 => "u8",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::F32 => "f32",
            DType::F64 => "f64",
        })
    }
}

/// A Rust type that tensors can hold.
pub trait Element:
    Copy + Default + PartialEq + PartialOrd + Send + Sync + std::fmt::Debug + 'static
{
    /// Its name at run time.
    const DTYPE: DType;
    /// Conversion as by `as`; booleans are 0 and 1.
    fn to_f32(self) -> f32;
    /// Conversion as by `as`; booleans are 0 and 1.
    fn to_f64(self) -> f64;
    /// Conversion as by `as` (saturating, NaN becomes 0); booleans are 0 and 1.
    fn to_i64(self) -> i64;
    /// Conversion as by `as`; a boolean is whether `value` differs from 0.
    fn from_f64(value: f64) -> Self;
    /// Conversion as by `as`; a boolean is whether `value` differs from 0.
    fn from_i64(value: i64) -> Self;
    #[doc(hidden)]
    fn cast_from<S: Element>(value: S) -> Self;
    #[doc(hidden)]
    fn wrap(array: Array<Self>) -> Storage;
    #[doc(hidden)]
    fn array(storage: &Storage) -> Option<&Array<Self>>;
    #[doc(hidden)]
    fn array_mut(storage: &mut Storage) -> Option<&mut Array<Self>>;
}

macro_rules! element {
    ($type:ty, $variant:ident, $cast:expr) => {
        impl Element for $type {
            const DTYPE: DType = DType::$variant;
            #[inline(always)]
            fn to_f32(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn cast_from<S: Element>(value: S) -> Self {
                let cast: fn(S) -> $type = $cast;
                cast(value)
            }
            fn wrap(array: Array<Self>) -> Storage {
                Storage::$variant(array)
            }
            fn array(storage: &Storage) -> Option<&Array<Self>> {
                match storage {
                    Storage::$variant(array) => Some(array),
                    _ => None,
                }
            }
            fn array_mut(storage: &mut Storage) -> Option<&mut Array<Self>> {
                match storage {
                    Storage::$variant(array) => Some(array),
                    _ => None,
                }
            }
        }
    };
}

element!(u8, U8, |v| v.to_i64() as u8);
element!(i32, I32, |v| v.to_i64() as i32);
element!(i64, I64, |v| v.to_i64());
element!(f32, F32, |v| v.to_f32());
element!(f64, F64, |v| v.to_f64());

impl Element for bool {
    const DTYPE: DType = DType::Bool;
    fn to_f32(self) -> f32 {
        f32::from(self)
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn to_i64(self) -> i64 {
        i64::from(self)
    }
    fn from_f64(value: f64) -> Self {
        value != 0.0
    }
    fn from_i64(value: i64) -> Self {
        value != 0
    }
    fn cast_from<S: Element>(value: S) -> Self {
        value.to_f64() != 0.0
    }
    fn wrap(array: Array<Self>) -> Storage {
        Storage::Bool(array)
    }
    fn array(storage: &Storage) -> Option<&Array<Self>> {
        match storage {
            Storage::Bool(array) => Some(array),
            _ => None,
        }
    }
    fn array_mut(storage: &mut Storage) -> Option<&mut Array<Self>> {
        match storage {
            Storage::Bool(array) => Some(array),
            _ => None,
        }
    }
}

/// The types networks compute in: every operation that has a gradient is written once, over this.
pub trait Real:
    Element + num_traits::Float + num_traits::NumAssign + std::iter::Sum + std::fmt::Display
{
}

impl Real for f32 {}
impl Real for f64 {}
