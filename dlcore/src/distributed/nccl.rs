//! Ranks with a card each, whose tensors NCCL sums where they are.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::Communicator;
use super::communicator::{WAS_INTERRUPTED, interrupted, reason_of};
use crate::device::cuda::nccl::{self as library, Group};
use crate::device::{Device, default_device};
use crate::{Error, Result, Tensor, interrupt};

/// How long a rank waits for a card before it looks whether it is to stop, or another rank has left.
const GLANCE: Duration = Duration::from_millis(50);
/// So many times it looks for the rank whose end is behind an error of NCCL's.
const GLANCES: usize = 40;

/// Ranks with a card each: gradients are summed by NVIDIA's NCCL from card to card, on the stream that computes them. What
/// else ranks say to each other, and that one has left, goes through another communicator.
///
/// [`DataParallel`](super::DataParallel) makes one by itself where the default device of each rank is a card of its own
/// and `libnccl.so.2` is found (the loader's path, `CUDA_HOME`, NVIDIA's Python package `nvidia-nccl`); otherwise one line
/// says why, and sums go through the processor. `DLCORE_COMMUNICATOR=sockets` leaves NCCL out.
pub struct Nccl {
    host: Arc<dyn Communicator>,
    group: Group,
    device: Device,
}

/// Why there is no NCCL, as all ranks know.
pub(super) struct Refused {
    /// Whose reason it is.
    pub(super) rank: usize,
    pub(super) why: String,
}

impl Nccl {
    /// Joins the default devices of all ranks that `host` talks to, each of which calls this.
    ///
    /// # Errors
    /// [`Error::Device`] if one of them is no card or another rank's, or NCCL is not found or fails; as
    /// [`Communicator::all_reduce`] of `host`.
    pub fn connect(host: Arc<dyn Communicator>) -> Result<Nccl> {
        Self::agree(&host)?.map_err(|refused| {
            Error::Device(format!(
                "NCCL cannot be used: rank {}: {}",
                refused.rank, refused.why
            ))
        })
    }

    /// The same on all ranks: NCCL, or why not. Where that fails the others are told, who wait for this one.
    pub(super) fn agree(host: &Arc<dyn Communicator>) -> Result<Result<Nccl, Refused>> {
        let agreed = Self::agreed(host);
        if let Err(error) = &agreed {
            host.leave(&reason_of(error));
        }
        agreed
    }

    fn agreed(host: &Arc<dyn Communicator>) -> Result<Result<Nccl, Refused>> {
        let device = default_device();
        let own = ready(device);
        let mut refusals = vec![0.0; host.size()];
        refusals[host.rank()] = f32::from(u8::from(own.is_err()));
        host.all_reduce(&mut refusals)?;
        if let Some(rank) = refusals.iter().position(|&refusal| refusal > 0.0) {
            let why = own.err().filter(|_| rank == host.rank());
            let why = why.unwrap_or_else(|| "see its output".to_string());
            return Ok(Err(Refused { rank, why }));
        }
        if let Some((first, second)) = same_card(host, &own.unwrap_or_default())? {
            let why = format!("it has the card of rank {first}; each rank needs one of its own");
            return Ok(Err(Refused { rank: second, why }));
        }
        let id = identity(host)?;
        let group = joined(host, device, id)?;
        Ok(Ok(Nccl {
            host: host.clone(),
            group,
            device,
        }))
    }

    /// What NCCL said; or that another rank has left, which is then the reason.
    fn why(&self, error: Error) -> Error {
        self.group.abort();
        for _ in 0..GLANCES {
            if let Err(left) = self.host.check() {
                return left;
            }
            std::thread::sleep(GLANCE);
        }
        error
    }
}

/// By what the card is known among all there are; or why it cannot be used.
fn ready(device: Device) -> Result<String, String> {
    let Device::Cuda(number) = device else {
        return Err(format!("its default device is {device}"));
    };
    library::find()?;
    library::identity(number)
}

/// Two ranks that have one card between them.
fn same_card(host: &Arc<dyn Communicator>, own: &str) -> Result<Option<(usize, usize)>> {
    let mut hasher = DefaultHasher::new();
    own.hash(&mut hasher);
    let mut all = vec![0.0; 4 * host.size()];
    all[4 * host.rank()..][..4].copy_from_slice(&super::exact(hasher.finish()));
    host.all_reduce(&mut all)?;
    let cards: Vec<&[f32]> = all.chunks_exact(4).collect();
    let pairs = (0..cards.len()).flat_map(|second| (0..second).map(move |first| (first, second)));
    Ok(pairs
        .into_iter()
        .find(|&(first, second)| cards[first] == cards[second]))
}

/// What rank 0 gives all by which they find each other.
fn identity(host: &Arc<dyn Communicator>) -> Result<library::Id> {
    let mut id = match host.rank() {
        0 => library::unique_id().map_err(Error::Device)?,
        _ => library::Id::default(),
    };
    let mut numbers: Vec<f32> = id.bytes.iter().map(|&byte| f32::from(byte)).collect();
    host.broadcast(0, &mut numbers)?;
    for (byte, number) in id.bytes.iter_mut().zip(numbers) {
        *byte = number as u8;
    }
    Ok(id)
}

/// Joins the group. NCCL waits for all ranks without an end, so that another thread does; should a rank not come, that
/// thread is left behind.
fn joined(host: &Arc<dyn Communicator>, device: Device, id: library::Id) -> Result<Group> {
    let (rank, size) = (host.rank(), host.size());
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || done.send(Group::join(device, id, rank, size)));
    loop {
        match wait.recv_timeout(GLANCE) {
            Ok(group) => return group,
            Err(mpsc::RecvTimeoutError::Timeout) if interrupt::requested() => {
                host.leave(WAS_INTERRUPTED);
                return Err(interrupted(rank));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => host.check()?,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(Error::Device("NCCL has panicked".to_string()));
            }
        }
    }
}

impl Communicator for Nccl {
    fn rank(&self) -> usize {
        self.host.rank()
    }

    fn size(&self) -> usize {
        self.host.size()
    }

    fn all_reduce(&self, values: &mut [f32]) -> Result<()> {
        self.host.all_reduce(values)
    }

    fn broadcast(&self, from: usize, values: &mut [f32]) -> Result<()> {
        self.host.broadcast(from, values)
    }

    fn check(&self) -> Result<()> {
        self.host.check()
    }

    fn leave(&self, reason: &str) {
        self.host.leave(reason);
        self.group.abort();
    }

    fn card(&self) -> Option<Device> {
        Some(self.device)
    }

    fn all_reduce_on_card(&self, tensors: &mut [Tensor]) -> Result<()> {
        if let Err(error) = self.group.sum(tensors) {
            return Err(self.why(error));
        }
        let mut looked = Instant::now();
        loop {
            match self.group.is_done() {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => return Err(self.why(error)),
            }
            if looked.elapsed() > GLANCE {
                if interrupt::requested() {
                    self.leave(WAS_INTERRUPTED);
                    return Err(interrupted(self.rank()));
                }
                if let Err(left) = self.host.check() {
                    self.group.abort();
                    return Err(left);
                }
                looked = Instant::now();
            }
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A rank whose sums fail, and what it has told the others.
    struct Fails(Mutex<Vec<String>>);

    impl Communicator for Fails {
        fn rank(&self) -> usize {
            0
        }

        fn size(&self) -> usize {
            2
        }

        fn all_reduce(&self, _: &mut [f32]) -> Result<()> {
            Err(Error::Device("the line is cut".to_string()))
        }

        fn broadcast(&self, _: usize, _: &mut [f32]) -> Result<()> {
            Err(Error::Device("the line is cut".to_string()))
        }

        fn leave(&self, reason: &str) {
            self.0.lock().unwrap().push(reason.to_string());
        }
    }

    #[test]
    fn the_others_are_told_where_joining_fails() {
        let host = Arc::new(Fails(Mutex::new(Vec::new())));
        assert!(Nccl::connect(host.clone()).is_err());
        let told = host.0.lock().unwrap();
        assert!(
            told.len() == 1 && told[0].contains("the line is cut"),
            "{told:?}"
        );
    }
}
