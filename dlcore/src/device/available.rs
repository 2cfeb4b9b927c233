//! What there is to compute on.

use super::{Device, cpu, cuda};

/// A device that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// How it is named in [`set_default_device`](super::set_default_device).
    pub device: Device,
    /// The maker's name.
    pub name: String,
    /// Its memory, in bytes; 0 where it is not known.
    pub memory: u64,
    /// How much of it is free, in bytes.
    pub free: u64,
    /// The highest CUDA version that the driver knows: `"12.4"`. `None` for the processor.
    pub driver: Option<String>,
    /// The compute capability: (8, 0). `None` for the processor.
    pub compute_capability: Option<(u32, u32)>,
}

/// `cuda:0  NVIDIA A100, compute capability 8.0, 38.1 of 40.0 GB free, driver for CUDA 12.4`
impl std::fmt::Display for DeviceInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}  {}", self.device, self.name)?;
        if let Some((major, minor)) = self.compute_capability {
            write!(f, ", compute capability {major}.{minor}")?;
        }
        if self.memory > 0 {
            let giga = |bytes: u64| bytes as f64 / 1e9;
            write!(
                f,
                ", {:.1} of {:.1} GB free",
                giga(self.free),
                giga(self.memory)
            )?;
        }
        match &self.driver {
            Some(driver) => write!(f, ", driver for CUDA {driver}"),
            None => Ok(()),
        }
    }
}

/// The devices that tensors can be moved to: the processor, then the NVIDIA cards, if their driver is there and works.
///
/// ```
/// for device in dlcore::device::available() {
///     println!("{device}");
/// }
/// ```
pub fn available() -> Vec<DeviceInfo> {
    let mut devices = vec![processor()];
    devices.extend(cuda::cards().unwrap_or_default());
    devices
}

/// What a person asks who wonders why it is slow: a line for each device, then one for what is missing, and one
/// for the operations that a card left to the processor so far.
pub fn report() -> String {
    let mut lines: Vec<String> = Vec::new();
    lines.push(processor().to_string());
    match cuda::cards() {
        Ok(cards) => {
            for card in cards {
                let device = card.device;
                lines.push(card.to_string());
                if let Err(error) = device.ready() {
                    lines.push(error.to_string());
                }
            }
        }
        Err(problem) => lines.push(format!("cuda  not available: {problem}")),
    }
    lines.extend(cuda::fallback::summary());
    lines.join("\n")
}

fn processor() -> DeviceInfo {
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    let memory = |name: &str| {
        let text = field("/proc/meminfo", name)?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    cpu::threads::ready();
    let threads = rayon::current_num_threads();
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "processor".to_string());
    DeviceInfo {
        device: Device::Cpu,
        name: format!(
            "{model}, {threads} thread{}",
            if threads == 1 { "" } else { "s" }
        ),
        memory: memory("MemTotal").map_or(0, |kilo| kilo * 1024),
        free: memory("MemAvailable").map_or(0, |kilo| kilo * 1024),
        driver: None,
        compute_capability: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_always_there_and_comes_first() {
        let devices = available();
        assert_eq!(devices[0].device, Device::Cpu);
        assert!(!devices[0].name.is_empty());
        let report = report();
        assert!(report.starts_with("cpu  "), "{report}");
        if devices.len() == 1 {
            assert!(report.contains("\ncuda  not available: "), "{report}");
            assert!(report.contains("libcuda.so.1"), "{report}");
        }
    }

    #[test]
    fn a_card_is_one_line() {
        let card = DeviceInfo {
            device: Device::Cuda(1),
            name: "NVIDIA Something".to_string(),
            memory: 8_000_000_000,
            free: 7_540_000_000,
            driver: Some("12.4".to_string()),
            compute_capability: Some((8, 6)),
        };
        assert_eq!(
            card.to_string(),
            "cuda:1  NVIDIA Something, compute capability 8.6, 7.5 of 8.0 GB free, driver for CUDA 12.4"
        );
    }
}
