//! Where tensors live and are computed on.

pub mod cpu;
mod kernels;

pub use cpu::Cpu;
pub use kernels::Kernels;

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
    /// [`Error::Device`], always: this build has no CUDA path.
    pub fn cuda(number: usize) -> Result<Device> {
        Device::Cuda(number).ready()
    }

    /// Itself, if it can be used.
    pub(crate) fn ready(self) -> Result<Device> {
        match self {
            Device::Cpu => Ok(self),
            Device::Cuda(number) => Err(Error::Device(format!(
                "cuda:{number} is not available: this build has no CUDA path; use Device::Cpu, \
                 on which everything works"
            ))),
        }
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

#[cfg(test)]
mod tests {
    use super::Device;
    use crate::Tensor;

    #[test]
    fn an_absent_card_is_a_clear_error() {
        let t = Tensor::from([1.0]);
        assert_eq!(t.to(Device::Cpu).unwrap(), t);
        let error = t.to(Device::Cuda(0)).unwrap_err().to_string();
        assert!(
            error.contains("cuda:0") && error.contains("Device::Cpu"),
            "{error}"
        );
        assert_eq!(
            Device::cuda(1).unwrap_err().to_string(),
            error.replace('0', "1")
        );
    }
}
