//! Where tensors live and are computed on.
//!
//! One program knows both: what an NVIDIA card needs is looked for when it is first asked for, and where it
//! is not there everything is computed on the processor.

mod available;
mod choice;
pub mod cpu;
pub mod cuda;
mod kernels;
mod tf32;

pub use available::{DeviceInfo, available, report};
pub use choice::{default_device, set_default_device};
pub use cpu::Cpu;
pub use cuda::synchronize;
pub use kernels::Kernels;
pub use tf32::{set_tf32, tf32};

use std::str::FromStr;

use crate::{Error, Result};

/// A place tensors can be moved to with [`Tensor::to`](crate::Tensor::to), chosen at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// The processor and its memory.
    #[default]
    Cpu,
    /// The NVIDIA card of this number, counted from 0.
    Cuda(usize),
}

impl Device {
    /// The NVIDIA card of this number.
    ///
    /// # Errors
    /// [`Error::Device`] if it cannot be used: which library was looked for and where, or what the driver said.
    pub fn cuda(number: usize) -> Result<Device> {
        Device::Cuda(number).ready()
    }

    /// Itself, if it can be used.
    pub(crate) fn ready(self) -> Result<Device> {
        if let Device::Cuda(number) = self {
            cuda::card(number)?;
        }
        Ok(self)
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

/// `cpu`, `cuda` or `cuda:1`, in any case.
impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Device> {
        let lower = text.trim().to_lowercase();
        let device = match lower.split_once(':') {
            None if lower == "cpu" => Some(Device::Cpu),
            None if lower == "cuda" => Some(Device::Cuda(0)),
            Some(("cuda", number)) => number.parse().ok().map(Device::Cuda),
            _ => None,
        };
        device.ok_or_else(|| {
            Error::Value(format!(
                "a device is \"cpu\", \"cuda\" or \"cuda:1\" (the second card), got {text:?}"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Device;
    use crate::Tensor;

    #[test]
    fn devices_have_names() {
        for (text, device) in [
            ("cpu", Device::Cpu),
            (" CUDA ", Device::Cuda(0)),
            ("cuda:3", Device::Cuda(3)),
        ] {
            assert_eq!(text.parse::<Device>().unwrap(), device);
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
        }
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:one", "cpu:0"] {
            let error = text.parse::<Device>().unwrap_err().to_string();
            assert!(error.contains("cuda:1") && error.contains(&format!("{text:?}")));
        }
    }

    #[test]
    fn a_card_that_is_not_there_is_an_error_that_says_what_was_looked_for() {
        let t = Tensor::from([1.0]);
        assert_eq!(t.to(Device::Cpu).unwrap(), t);
        // No machine has so many.
        let error = t.to(Device::Cuda(4711)).unwrap_err().to_string();
        assert!(error.starts_with("cuda:4711 is not available: "), "{error}");
        assert!(error.contains("Device::Cpu"), "{error}");
        if super::available().len() == 1 {
            assert!(error.contains("libcuda.so.1"), "{error}");
        }
    }
}
