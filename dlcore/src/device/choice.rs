//! The device that models are trained on unless something else is said.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Device;
use crate::Result;

/// Which device to compute on: `cpu`, `cuda`, `cuda:1`.
const VARIABLE: &str = "DLCORE_DEVICE";

/// 0 where nothing was chosen yet, 1 for the processor, then the cards.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

fn code(device: Device) -> usize {
    match device {
        Device::Cpu => 1,
        Device::Cuda(number) => 2 + number,
    }
}

/// The device that weights are put on when a model is trained, evaluated or asked to predict: what
/// [`set_default_device`] chose; else what the environment variable `DLCORE_DEVICE` names (`cpu`, `cuda`, `cuda:1`),
/// if it can be used; else the processor.
pub fn default_device() -> Device {
    match CHOSEN.load(Ordering::Relaxed) {
        0 => first(),
        1 => Device::Cpu,
        other => Device::Cuda(other - 2),
    }
}

/// Chooses the device that models are trained on from here on. Weights that are elsewhere move when their
/// model is next used; random numbers, and so batches and first weights, are the same on every device.
///
/// ```
/// use dlcore::device::{self, Device};
/// // On a machine with a card: device::set_default_device(Device::Cuda(0))?;
/// device::set_default_device(Device::Cpu)?;
/// assert_eq!(device::default_device(), Device::Cpu);
/// # Ok::<(), dlcore::Error>(())
/// ```
///
/// # Errors
/// [`Error::Device`](crate::Error::Device) if it cannot be used; the choice is then as it was.
pub fn set_default_device(device: Device) -> Result<()> {
    let device = device.ready()?;
    CHOSEN.store(code(device), Ordering::Relaxed);
    Ok(())
}

/// Chooses the processor, if this device was chosen: it is gone.
pub(super) fn leave(device: Device) {
    let _ = CHOSEN.compare_exchange(
        code(device),
        code(Device::Cpu),
        Ordering::Relaxed,
        Ordering::Relaxed,
    );
}

/// What the environment asks for, if it is there; otherwise one line says why not.
#[cold]
fn first() -> Device {
    let (device, problem) = asked_for(std::env::var(VARIABLE).ok().as_deref());
    if let (Ok(_), Some(problem)) = (
        CHOSEN.compare_exchange(0, code(device), Ordering::Relaxed, Ordering::Relaxed),
        problem,
    ) {
        eprintln!("{problem}");
    }
    device
}

/// The device for what the environment says, and what to tell where it is not the one that was meant.
fn asked_for(text: Option<&str>) -> (Device, Option<String>) {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return (Device::Cpu, None);
    };
    match text.parse().and_then(Device::ready) {
        Ok(device) => (device, None),
        Err(error) => {
            let line = format!("{VARIABLE}={text}: {error}; computing on the CPU");
            (Device::Cpu, Some(line.replace('\n', " ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_the_processor_and_one_line() {
        assert_eq!(asked_for(None), (Device::Cpu, None));
        assert_eq!(asked_for(Some(" ")), (Device::Cpu, None));
        assert_eq!(asked_for(Some("CPU")), (Device::Cpu, None));
        for text in ["cuda:4711", "tpu"] {
            let (device, line) = asked_for(Some(text));
            let line = line.unwrap();
            assert_eq!(device, Device::Cpu);
            assert!(line.starts_with(&format!("DLCORE_DEVICE={text}: ")));
            assert!(line.ends_with("computing on the CPU"), "{line}");
            assert_eq!(line.lines().count(), 1);
        }
    }
}
