//! Ranks that a launcher of MPI has started, which talk by MPI.

mod library;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use self::library::Handle;
use super::Communicator;
use super::communicator::{HAS_DROPPED, WAS_INTERRUPTED, interrupted, left, parted};
use crate::{Error, Result, interrupt};

/// How long a rank waits for others before it looks whether it is to stop, or one of them has left.
const GLANCE: Duration = Duration::from_millis(5);
/// Bytes of a message that says that a rank has left: its number, then as much of the reason as has room.
const MESSAGE: usize = 1024;
/// How often it is looked whether the others have taken such a message: for two seconds.
const GLANCES: usize = 400;

/// Ranks that talk by MPI (`MPI_Iallreduce`), over whatever network it uses. There is one in a process; MPI ends with it.
///
/// The library is the one that is on the machine (OpenMPI, or MPICH and its kin: Intel MPI, MVAPICH), found at run time as
/// NVIDIA's are, so nothing of MPI is needed to build with the feature `mpi`. A rank that fails tells the others why, and one
/// that drops its connection while others train is an error on them. When
/// the process of one ends early, or is killed, that is the launcher's business: `mpirun` says so, and ends all others.
pub struct Mpi {
    library: &'static library::Mpi,
    rank: usize,
    size: usize,
    started: ThreadId,
    parted: Mutex<Option<String>>,
}

impl Mpi {
    /// Joins the ranks that the launcher has started.
    ///
    /// # Errors
    /// [`Error::Device`] if MPI is not found, does not start, or has been ended in this process before.
    pub fn connect() -> Result<Mpi> {
        let library = library::library().map_err(Error::Device)?;
        let (rank, size) = library.start().map_err(Error::Device)?;
        Ok(Mpi {
            library,
            rank,
            size,
            started: std::thread::current().id(),
            parted: Mutex::new(None),
        })
    }

    fn line(&self) -> MutexGuard<'_, Option<String>> {
        self.parted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step that all ranks make together: `numbers` are moved into memory that stays, should the step not end.
    fn together(
        &self,
        kind: u32,
        values: &mut [f32],
        begin: impl FnOnce(&mut [f32]) -> Result<Handle, String>,
    ) -> Result<()> {
        let mut line = self.line();
        if let Some(why) = &*line {
            return Err(parted(why, self.rank, self.size));
        }
        self.agree(&mut line, Some(kind), values.len())?;
        let mut numbers = values.to_vec();
        let begun = begin(&mut numbers);
        values.copy_from_slice(&self.finish(&mut line, begun, numbers)?);
        Ok(())
    }

    /// Compares what all ranks are about to do: MPI itself does not notice that it differs. No kind is the end.
    fn agree(&self, line: &mut Option<String>, kind: Option<u32>, count: usize) -> Result<()> {
        let ends = f32::from(u8::from(kind.is_none()));
        let step = step(kind.unwrap_or_default(), count);
        let mut all = step.to_vec();
        all.extend([ends, ends * self.rank as f32]);
        // SAFETY: `finish` waits until it is done, or leaves the numbers where they are for ever.
        let begun = unsafe { self.library.begin_sum(&mut all) };
        let all = self.finish(line, begun, all)?;
        let (steps, ending) = all.split_at(step.len());
        if ending[0] > 0.0 && ending[0] < self.size as f32 {
            // All ranks see it in this sum, and need not be told.
            let (who, count) = (ending[1] as usize, ending[0]);
            let (why, error) = match count == 1.0 {
                true => (
                    format!("rank {who} has left: {HAS_DROPPED}"),
                    left(who, HAS_DROPPED, self.rank, self.size),
                ),
                false => {
                    let why = format!("{count} ranks have left: of each, {HAS_DROPPED}");
                    (why.clone(), Error::Device(why))
                }
            };
            *line = Some(why);
            return Err(error);
        }
        let same = |(sum, own): (&f32, &f32)| *sum == own * self.size as f32;
        if !steps.iter().zip(&step).all(same) {
            let problem = format!(
                "rank {} is at a sum or broadcast of {count} numbers, and others are not: all ranks must train the same model \
                 on the same data with the same settings",
                self.rank,
            );
            self.part(line, &problem);
            return Err(Error::Device(problem));
        }
        Ok(())
    }

    /// Waits until what was begun with these numbers is done. Where it does not come to that, MPI may write to them at any
    /// time: they are never freed.
    fn finish(
        &self,
        line: &mut Option<String>,
        begun: Result<Handle, String>,
        numbers: Vec<f32>,
    ) -> Result<Vec<f32>> {
        let done = begun
            .map_err(Error::Device)
            .and_then(|request| self.wait(line, request));
        match done {
            Ok(()) => Ok(numbers),
            Err(error) => {
                std::mem::forget(numbers);
                self.part(line, &error.to_string());
                Err(error)
            }
        }
    }

    fn wait(&self, line: &mut Option<String>, mut request: Handle) -> Result<()> {
        let mut looked = Instant::now();
        while !self.library.is_done(&mut request).map_err(Error::Device)? {
            if looked.elapsed() > GLANCE {
                self.look(line)?;
                if interrupt::requested() {
                    self.part(line, WAS_INTERRUPTED);
                    return Err(interrupted(self.rank));
                }
                looked = Instant::now();
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    fn look(&self, line: &mut Option<String>) -> Result<()> {
        let message = self.library.message::<MESSAGE>().map_err(Error::Device)?;
        let Some(message) = message else {
            return Ok(());
        };
        let (rank, reason) = message.split_at(8);
        let rank = u64::from_le_bytes(rank.try_into().expect("eight bytes")) as usize;
        let reason = String::from_utf8_lossy(reason);
        let reason = reason.trim_end_matches(['\0', char::REPLACEMENT_CHARACTER]);
        *line = Some(format!("rank {rank} has left: {reason}"));
        Err(left(rank, reason, self.rank, self.size))
    }

    /// Tells all others, once.
    fn part(&self, line: &mut Option<String>, reason: &str) {
        if line.is_some() {
            return;
        }
        *line = Some(format!("rank {} has left: {reason}", self.rank));
        let mut message = (self.rank as u64).to_le_bytes().to_vec();
        message.extend(reason.as_bytes());
        message.resize(MESSAGE, 0);
        let message: &'static [u8] = message.leak();
        let others = (0..self.size).filter(|&to| to != self.rank);
        let mut sent: Vec<Handle> = others
            .filter_map(|to| self.library.send(to, message).ok())
            .collect();
        // The launcher ends all ranks when this one's process ends: they are to hear the reason before. Who is in a long batch
        // may not.
        for _ in 0..GLANCES {
            sent.retain_mut(|request| matches!(self.library.is_done(request), Ok(false)));
            if sent.is_empty() {
                return;
            }
            std::thread::sleep(GLANCE);
        }
    }
}

/// What is compared before a step, in numbers of which as many as there are ranks add up exactly.
fn step(kind: u32, count: usize) -> [f32; 4] {
    const PART: usize = 1 << 12;
    let parts = [count / PART / PART, count / PART % PART, count % PART];
    let [high, middle, low] = parts.map(|part| part as f32);
    [kind as f32, high, middle, low]
}

impl Communicator for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_reduce(&self, values: &mut [f32]) -> Result<()> {
        // SAFETY: `finish` waits until it is done, or leaves the numbers where they are for ever.
        self.together(0, values, |numbers| unsafe {
            self.library.begin_sum(numbers)
        })
    }

    fn broadcast(&self, from: usize, values: &mut [f32]) -> Result<()> {
        // SAFETY: as above.
        self.together(1 + from as u32, values, |numbers| unsafe {
            self.library.begin_broadcast(from, numbers)
        })
    }

    fn check(&self) -> Result<()> {
        let mut line = self.line();
        match &*line {
            Some(why) => Err(parted(why, self.rank, self.size)),
            None => self.look(&mut line),
        }
    }

    fn leave(&self, reason: &str) {
        self.part(&mut self.line(), reason);
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.leave("it has panicked");
        }
        // After ranks have parted something may be under way, and MPI would wait for it. It would wait, too, for one that is
        // in a sum, which waits for this one.
        let mut line = self.line();
        let agreed = line.is_none() && self.agree(&mut line, None, 0).is_ok();
        if agreed && self.started == std::thread::current().id() {
            self.library.end();
        }
    }
}
