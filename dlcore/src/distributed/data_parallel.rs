//! Which share of each batch a rank trains on, and how the shares come together.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::communicator::reason_of;
use super::launcher::{self, Place, variable};
use super::{Communicator, Nccl, Sockets};
use crate::device::{Device, default_device};
use crate::{Error, Result};

/// By what ranks talk: `sockets`, or `mpi` where the library was built with it.
const VARIABLE: &str = "DLCORE_COMMUNICATOR";

/// Every batch is split among ranks; each computes the gradient of its share, and all make the step of the whole
/// batch. [`Fit::distribution`](crate::models::Fit::distribution) takes it; the batch size there is that of all ranks
/// together, as in Keras.
///
/// Ranks in processes of their own run the same program on the same data: by hand, in a notebook each, or under
/// `mpirun` and `srun`, as [`DataParallel::from_env`] says.
///
/// ```no_run
/// use dlcore::prelude::*;
/// # fn train(model: &mut Sequential, x: &Tensor, y: &Tensor) -> Result<()> {
/// // DLCORE_RANK=0 DLCORE_RANKS=2 in one process, DLCORE_RANK=1 DLCORE_RANKS=2 in the other.
/// let ranks = DataParallel::from_env()?;
/// model.fit(x, y, Fit::epochs(5).batch_size(128).distribution(&ranks))?;
/// # Ok(())
/// # }
/// ```
///
/// At first all ranks take the weights of rank 0, and each epoch its order of the samples, so seeds need not agree. What
/// is recorded of training is the mean over the ranks by their samples; rank 0 shows progress. Validation is computed by
/// each rank on all of its data, and each has its own callbacks. Layers compute with what is in the share: batch
/// normalization takes its statistics, and its running means are those of the last rank; the mean under a mask is one over
/// the share.
#[derive(Clone)]
pub struct DataParallel(Ranks);

#[derive(Clone)]
enum Ranks {
    /// All in this process, one after another.
    Here(usize),
    /// This process is one of them.
    Among(Arc<Among>),
}

struct Among {
    own: Arc<dyn Communicator>,
    local_rank: usize,
    /// What came of NCCL for a device: the same on all ranks. None where they have not tried.
    cards: Mutex<Option<(Device, Option<Arc<Nccl>>)>>,
}

impl DataParallel {
    /// So many ranks in this process, one after another: what several would compute, and batches of which only a share
    /// need fit into memory at a time.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let (x, y) = (Tensor::uniform([8, 3], -1.0, 1.0), Tensor::ones([8, 1]));
    /// let mut model = Sequential::new().add(Dense::new(1).input_shape([3]));
    /// model.compile("sgd", "mse", Metrics::none())?;
    /// let ranks = DataParallel::ranks(2)?;
    /// model.fit(&x, &y, Fit::epochs(1).batch_size(8).distribution(&ranks).verbose(0))?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Value`] for none.
    pub fn ranks(count: usize) -> Result<DataParallel> {
        match count {
            0 => Err(Error::Value(
                "data parallel: at least one rank, got 0".to_string(),
            )),
            _ => Ok(DataParallel(Ranks::Here(count))),
        }
    }

    /// This process as one rank of those that `communicator` talks to.
    pub fn new(communicator: Arc<dyn Communicator>) -> DataParallel {
        let local_rank = communicator.rank();
        Self::among(communicator, local_rank)
    }

    fn among(own: Arc<dyn Communicator>, local_rank: usize) -> DataParallel {
        DataParallel(Ranks::Among(Arc::new(Among {
            own,
            local_rank,
            cards: Mutex::new(None),
        })))
    }

    /// This process as rank `rank` of `size`; rank 0 listens at `address`, `"127.0.0.1:29500"`.
    ///
    /// # Errors
    /// As [`Sockets::connect`].
    pub fn connect(rank: usize, size: usize, address: &str) -> Result<DataParallel> {
        Ok(Self::new(Arc::new(Sockets::connect(rank, size, address)?)))
    }

    /// The ranks that the environment speaks of; without a word of it one rank, this process.
    ///
    /// | who starts them | what is read |
    /// |---|---|
    /// | by hand | `DLCORE_RANK`, `DLCORE_RANKS` |
    /// | `mpirun` of OpenMPI | `OMPI_COMM_WORLD_RANK`, `…_SIZE`, `…_LOCAL_RANK` |
    /// | `mpirun` of MPICH, Intel | `PMI_RANK`, `PMI_SIZE`, `MPI_LOCALRANKID` |
    /// | `srun` | `SLURM_PROCID`, `SLURM_STEP_NUM_TASKS` or `SLURM_NTASKS`, `SLURM_LOCALID` |
    ///
    /// `DLCORE_LOCAL_RANK` says which one it is on its machine, whoever starts them. Where nobody does, it is the rank if all
    /// are on this machine; otherwise 0, with a line that says so.
    ///
    /// They talk by MPI where the library was built with the feature `mpi` and `mpirun`, or `srun --mpi=pmi2`, has started them
    /// (`DLCORE_COMMUNICATOR=mpi`: in any case; `=sockets`: not). Otherwise by TCP: rank 0 listens at `DLCORE_ADDRESS`, or
    /// at `DLCORE_MASTER_PORT` of the machine `DLCORE_MASTER_ADDR`; without these on the first machine of Slurm's list,
    /// else on this one, `127.0.0.1:29500`, where all ranks are on it. Between machines it listens on all of its networks.
    ///
    /// ```sh
    /// mpirun -n 4 ./train                                        # one machine
    /// mpirun -n 8 -H a:4,b:4 -x DLCORE_MASTER_ADDR=a ./train     # two, by TCP; or built with the feature mpi
    /// srun --nodes 2 --ntasks-per-node 4 ./train
    /// ```
    ///
    /// # Errors
    /// [`Error::Value`] for what is no number, or where ranks are on several machines and nobody says on which one rank 0
    /// is; otherwise as [`Sockets::connect`].
    pub fn from_env() -> Result<DataParallel> {
        let Some(place) = launcher::place(&variable)? else {
            return Self::ranks(1);
        };
        let local_rank = place.local_rank(&variable).unwrap_or_else(|| {
            eprintln!(
                "rank {}: nobody says which one it is on its machine, so it is taken for the first there: DLCORE_LOCAL_RANK=1 \
                 says that it is the second",
                place.rank
            );
            0
        });
        let own: Arc<dyn Communicator> = match by_mpi(&place)? {
            Some(mpi) => mpi,
            None => Arc::new(by_sockets(&place)?),
        };
        Ok(Self::among(own, local_rank))
    }

    /// How many ranks there are.
    pub fn size(&self) -> usize {
        match &self.0 {
            Ranks::Here(count) => *count,
            Ranks::Among(among) => among.own.size(),
        }
    }

    /// Which rank this process is; 0 if it is all of them.
    pub fn rank(&self) -> usize {
        match &self.0 {
            Ranks::Here(_) => 0,
            Ranks::Among(among) => among.own.rank(),
        }
    }

    /// Which one it is on its machine, so that each takes a card of its own:
    ///
    /// ```no_run
    /// use dlcore::device::{Device, set_default_device};
    /// use dlcore::prelude::*;
    /// let ranks = DataParallel::from_env()?;
    /// set_default_device(Device::Cuda(ranks.local_rank()))?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn local_rank(&self) -> usize {
        match &self.0 {
            Ranks::Here(_) => 0,
            Ranks::Among(among) => among.local_rank,
        }
    }

    /// Tells ranks in other processes that this one goes no further with them: they get an error with the reason where they
    /// would wait for it. A `fit` that fails does so by itself; this is for what fails before it, in a notebook, where the
    /// connection outlives the cell.
    pub fn leave(&self, reason: &str) {
        if let Ranks::Among(among) = &self.0 {
            among.own.leave(reason);
            if let Some((_, Some(nccl))) = &*among.cards() {
                nccl.leave(reason);
            }
        }
    }

    /// This process's shares of a batch, of neighbouring samples each; shares differ by one sample at most.
    pub(crate) fn shares(&self, samples: usize) -> Vec<Range<usize>> {
        let size = self.size();
        let share = |rank: usize| rank * samples / size..(rank + 1) * samples / size;
        match &self.0 {
            Ranks::Here(count) => (0..*count).map(share).collect(),
            Ranks::Among(among) => vec![share(among.own.rank())],
        }
    }

    /// The sum over the ranks, of which this process's is there already.
    pub(crate) fn sum(&self, values: &mut [f32]) -> Result<()> {
        match &self.0 {
            Ranks::Here(_) => Ok(()),
            Ranks::Among(among) => among.own.all_reduce(values),
        }
    }

    /// What the first rank has.
    pub(crate) fn of_first(&self, values: &mut [f32]) -> Result<()> {
        self.of(0, values)
    }

    /// What the last rank has.
    pub(crate) fn of_last(&self, values: &mut [f32]) -> Result<()> {
        self.of(self.size() - 1, values)
    }

    fn of(&self, rank: usize, values: &mut [f32]) -> Result<()> {
        match &self.0 {
            Ranks::Here(_) => Ok(()),
            Ranks::Among(among) => among.own.broadcast(rank, values),
        }
    }

    /// What came of something that this rank does by itself; where it failed, the others are told.
    pub(crate) fn told<T>(ranks: Option<&DataParallel>, result: Result<T>) -> Result<T> {
        if let (Some(ranks), Err(error)) = (ranks, &result) {
            ranks.leave(&reason_of(error));
        }
        result
    }

    /// Finds out whether sums go from card to card. All ranks call it, and are told the same.
    pub(crate) fn ready_cards(&self) -> Result<()> {
        let Ranks::Among(among) = &self.0 else {
            return Ok(());
        };
        if among.own.card().is_some() {
            return Ok(());
        }
        let device = default_device();
        let mut cards = among.cards();
        let wanted = device != Device::Cpu && variable(VARIABLE).as_deref() != Some("sockets");
        let tried = cards.as_ref().is_some_and(|(own, _)| *own == device);
        let mut flags = [wanted, tried].map(|flag| f32::from(u8::from(flag)));
        among.own.all_reduce(&mut flags)?;
        let all = among.own.size() as f32;
        if flags[0] < all {
            *cards = None;
        } else if flags[1] < all {
            let found = match Nccl::agree(&among.own)? {
                Ok(nccl) => Some(Arc::new(nccl)),
                Err(refused) => {
                    if refused.rank == among.own.rank() {
                        eprintln!(
                            "rank {}: {}; the gradients of all ranks go through the processor",
                            refused.rank, refused.why
                        );
                    }
                    None
                }
            };
            *cards = Some((device, found));
        }
        Ok(())
    }

    /// Whether the last `fit` on this device summed gradients there, by NCCL.
    pub fn sums_on(&self, device: Device) -> bool {
        self.cards_of(device).is_some()
    }

    /// By what tensors on the default device are summed where they are.
    pub(crate) fn on_card(&self) -> Option<Arc<dyn Communicator>> {
        self.cards_of(default_device())
    }

    fn cards_of(&self, device: Device) -> Option<Arc<dyn Communicator>> {
        let Ranks::Among(among) = &self.0 else {
            return None;
        };
        if among.own.card() == Some(device) {
            return Some(among.own.clone());
        }
        match &*among.cards() {
            Some((own, Some(nccl))) if *own == device => Some(nccl.clone()),
            _ => None,
        }
    }

    /// Whether this process is all the ranks.
    pub(crate) fn are_here(&self) -> bool {
        matches!(self.0, Ranks::Here(_))
    }

    /// An order of samples as the first rank has it.
    pub(crate) fn order(&self, mut order: Vec<usize>) -> Result<Vec<usize>> {
        const HALF: usize = 1 << 16;
        if self.are_here() {
            return Ok(order);
        }
        // Halves, each of which a number of single precision holds exactly.
        let halves = order
            .iter()
            .flat_map(|at| [(at / HALF) as f32, (at % HALF) as f32]);
        let mut halves: Vec<f32> = halves.collect();
        self.of_first(&mut halves)?;
        for (at, half) in order.iter_mut().zip(halves.chunks_exact(2)) {
            *at = half[0] as usize * HALF + half[1] as usize;
        }
        Ok(order)
    }
}

impl From<&DataParallel> for DataParallel {
    fn from(ranks: &DataParallel) -> DataParallel {
        ranks.clone()
    }
}

impl std::fmt::Debug for DataParallel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Ranks::Here(count) => write!(f, "{count} ranks in this process"),
            Ranks::Among(_) => write!(f, "rank {} of {}", self.rank(), self.size()),
        }
    }
}

impl Among {
    fn cards(&self) -> std::sync::MutexGuard<'_, Option<(Device, Option<Arc<Nccl>>)>> {
        self.cards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// MPI, where it was started by its launcher; where it cannot be used, one line says why.
#[cfg(feature = "mpi")]
fn by_mpi(place: &Place) -> Result<Option<Arc<dyn Communicator>>> {
    let asked = variable(VARIABLE);
    let must = asked.as_deref() == Some("mpi");
    if !must && (!place.has_mpi() || asked.as_deref() == Some("sockets")) {
        return Ok(None);
    }
    let found = super::Mpi::connect().and_then(|mpi| match (mpi.rank(), mpi.size()) {
        (rank, size) if (rank, size) == (place.rank, place.size) => Ok(mpi),
        (rank, size) => Err(Error::Device(format!(
            "MPI says that this is rank {rank} of {size}, its launcher {} of {}: the library that was found is not the \
             launcher's",
            place.rank, place.size
        ))),
    });
    match found {
        Ok(mpi) => Ok(Some(Arc::new(mpi))),
        Err(error) if must => Err(error),
        Err(error) => {
            eprintln!("rank {}: {error}; ranks talk by TCP", place.rank);
            Ok(None)
        }
    }
}

#[cfg(not(feature = "mpi"))]
fn by_mpi(place: &Place) -> Result<Option<Arc<dyn Communicator>>> {
    match variable(VARIABLE).as_deref() {
        Some("mpi") => Err(Error::Value(format!(
            "{VARIABLE}=mpi, but this dlcore was built without MPI{}: build it with the feature mpi, or leave the variable out \
             to talk by TCP",
            match place.has_mpi() {
                true => "",
                false => ", and no mpirun has started it",
            }
        ))),
        _ => Ok(None),
    }
}

fn by_sockets(place: &Place) -> Result<Sockets> {
    let address = place.address(&variable)?;
    if place.rank > 0 {
        return Sockets::connect(place.rank, place.size, &address.reach);
    }
    let listener = TcpListener::bind(&address.listen);
    let listener = listener.map_err(|source| Error::Io {
        context: format!("ranks cannot meet: rank 0 listens on {}", address.listen),
        source,
    })?;
    Sockets::accept(listener, place.size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_a_batch_whatever_its_size() {
        let ranks = DataParallel::ranks(4).unwrap();
        for samples in 0..20 {
            let shares = ranks.shares(samples);
            assert_eq!(shares.len(), 4);
            let all: Vec<usize> = shares.iter().cloned().flatten().collect();
            assert_eq!(all, (0..samples).collect::<Vec<_>>());
            let lengths = shares.iter().map(ExactSizeIterator::len);
            assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1);
        }
        assert!(DataParallel::ranks(0).is_err());
    }
}
