//! What the environment says of the ranks: our own variables, and those that `mpirun` and `srun` set.

#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{Error, Result};

/// Where rank 0 listens unless something else is said.
const PORT: u16 = 29500;

/// Reads a variable of the environment.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One that says something.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Which rank this process is, as the one who started it says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) rank: usize,
    pub(super) size: usize,
    /// Which one on its machine, where somebody says so.
    local_rank: Option<usize>,
    /// How many there are on its machine.
    local_size: Option<usize>,
    launcher: &'static Launcher,
    /// Whether MPI is there.
    mpi: bool,
}

/// The variables of one kind of launcher.
#[derive(Debug, PartialEq)]
pub(super) struct Launcher {
    name: &'static str,
    rank: &'static str,
    /// The first that is there counts.
    sizes: &'static [&'static str],
    local_rank: &'static str,
    local_size: &'static str,
    /// What must be there, too, for the others to mean processes of one program.
    also: Option<&'static str>,
    /// What must not be there: another launcher was started by this one, and has started the ranks.
    unless: Option<&'static str>,
    /// Where Slurm lists the machines that have the ranks, the one of rank 0 first.
    nodes: &'static [&'static str],
    /// By which one launch is told from another on the same machine.
    job: &'static [&'static str],
    /// Whether it is one of MPI.
    mpi: bool,
}

const LAUNCHERS: [Launcher; 4] = [
    Launcher {
        name: "DLCORE_RANK",
        rank: "DLCORE_RANK",
        sizes: &["DLCORE_RANKS"],
        local_rank: "DLCORE_LOCAL_RANK",
        local_size: "",
        also: Some("DLCORE_RANKS"),
        unless: None,
        nodes: &[],
        job: &[],
        mpi: false,
    },
    Launcher {
        name: "OpenMPI's mpirun",
        rank: "OMPI_COMM_WORLD_RANK",
        sizes: &["OMPI_COMM_WORLD_SIZE"],
        local_rank: "OMPI_COMM_WORLD_LOCAL_RANK",
        local_size: "OMPI_COMM_WORLD_LOCAL_SIZE",
        also: None,
        unless: None,
        // Its own steps leave out the machine that it was started on.
        nodes: &["SLURM_JOB_NODELIST"],
        job: &["PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"],
        mpi: true,
    },
    // In a batch script itself, and in a notebook that runs in an allocation, there is no step of several tasks. With --mpi=pmi2 it sets
    // variables of MPICH's mpirun, too, and not all of them.
    Launcher {
        name: "srun",
        rank: "SLURM_PROCID",
        sizes: &["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"],
        local_rank: "SLURM_LOCALID",
        local_size: "",
        also: Some("SLURM_STEP_ID"),
        // MPICH's and Intel's mpirun start a process of their own on each machine by srun.
        unless: Some("MPI_LOCALRANKID"),
        nodes: &["SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"],
        job: &["SLURM_JOB_ID"],
        mpi: false,
    },
    Launcher {
        name: "MPICH's or Intel's mpirun",
        rank: "PMI_RANK",
        sizes: &["PMI_SIZE"],
        local_rank: "MPI_LOCALRANKID",
        local_size: "MPI_LOCALNRANKS",
        also: None,
        unless: None,
        nodes: &["SLURM_JOB_NODELIST"],
        job: &["PMI_PORT"],
        mpi: true,
    },
];

/// This process's place; none where nobody says that there are several.
///
/// # Errors
/// [`Error::Value`] for what is no number, or says half of it.
pub(super) fn place(get: Variables<'_>) -> Result<Option<Place>> {
    let there = |launcher: &&Launcher| {
        get(launcher.rank).is_some()
            && launcher.also.is_none_or(|also| get(also).is_some())
            && launcher.unless.is_none_or(|unless| get(unless).is_none())
    };
    let Some(launcher) = LAUNCHERS.iter().find(there) else {
        return Ok(None);
    };
    let number = |name: &str| {
        let text = get(name);
        let number = text.as_ref().map(|text| text.parse::<usize>());
        number.transpose().map_err(|_| {
            let text = text.unwrap_or_default();
            Error::Value(format!("{name} must be a number, got {text:?}"))
        })
    };
    let sizes = launcher.sizes.iter().map(|name| number(name));
    let size = sizes.collect::<Result<Vec<_>>>()?.into_iter().flatten();
    let Some(size) = size.into_iter().next() else {
        return Err(Error::Value(format!(
            "{} is set, so this is one of several ranks, but {} is not, which says how many",
            launcher.rank, launcher.sizes[0]
        )));
    };
    let rank = number(launcher.rank)?.unwrap_or_default();
    super::communicator::check_rank(rank, size)?;
    Ok(Some(Place {
        rank,
        size,
        local_rank: match number("DLCORE_LOCAL_RANK")? {
            None => number(launcher.local_rank)?,
            said => said,
        },
        local_size: number(launcher.local_size)?,
        launcher,
        mpi: launcher.mpi || get("PMI_RANK").is_some(),
    }))
}

/// Where rank 0 listens, and where the others look for it.
#[derive(Debug, PartialEq)]
pub(super) struct Address {
    pub(super) listen: String,
    pub(super) reach: String,
}

impl Place {
    pub(super) fn has_mpi(&self) -> bool {
        self.mpi
    }

    /// Which one on its machine; none where nobody says so, and others may be on other machines.
    pub(super) fn local_rank(&self, get: Variables<'_>) -> Option<usize> {
        let here = || {
            let address = self.address(get).ok()?;
            let here = ["127.", "localhost:", "[::1]:"];
            let is_here = here.iter().any(|host| address.reach.starts_with(host));
            is_here.then_some(self.rank)
        };
        self.local_rank.or_else(here)
    }

    /// Where the ranks meet.
    ///
    /// # Errors
    /// [`Error::Value`] where they are on several machines and nobody says on which one rank 0 is.
    pub(super) fn address(&self, get: Variables<'_>) -> Result<Address> {
        if let Some(address) = get("DLCORE_ADDRESS") {
            return Ok(Address {
                listen: address.clone(),
                reach: address,
            });
        }
        let port = match get("DLCORE_MASTER_PORT") {
            None => self.port(get),
            Some(text) => text.parse().map_err(|_| {
                Error::Value(format!(
                    "DLCORE_MASTER_PORT must be a number from 1 to 65535, got {text:?}"
                ))
            })?,
        };
        let here = |host: &str| format!("{host}:{port}");
        // Its own name may be one of the loopback to the machine itself.
        let on = |master: &str| Address {
            listen: here("0.0.0.0"),
            reach: here(master),
        };
        let local = Address {
            listen: here("127.0.0.1"),
            reach: here("127.0.0.1"),
        };
        if let Some(master) = get("DLCORE_MASTER_ADDR") {
            return Ok(on(&master));
        }
        if self.launcher.job.is_empty() || self.local_size == Some(self.size) {
            return Ok(local);
        }
        if let Some(nodes) = self.launcher.nodes.iter().find_map(|name| get(name)) {
            return match nodes.contains([',', '[']) {
                true => Ok(on(&first_host(&nodes))),
                false => Ok(local),
            };
        }
        Err(Error::Value(format!(
            "{} has started {} ranks, not all of them on this machine: say on which machine rank 0 is, \
             DLCORE_MASTER_ADDR=its-name-or-address (with OpenMPI: mpirun -x DLCORE_MASTER_ADDR=…), or build dlcore with the \
             feature mpi",
            self.launcher.name, self.size
        )))
    }

    /// The same port on all ranks, and another one for another launch.
    fn port(&self, get: Variables<'_>) -> u16 {
        let jobs: Vec<String> = self
            .launcher
            .job
            .iter()
            .filter_map(|name| get(name))
            .collect();
        let Some(job) = jobs.first() else {
            return PORT;
        };
        let mut hasher = DefaultHasher::new();
        job.hash(&mut hasher);
        PORT + (hasher.finish() % 2000) as u16
    }
}

/// The first machine of a list as Slurm writes it: `gpu[007-009,012],login` begins with `gpu007`.
fn first_host(nodes: &str) -> String {
    let end = nodes.find([',', '[']).unwrap_or(nodes.len());
    let (name, rest) = nodes.split_at(end);
    let Some(rest) = rest.strip_prefix('[') else {
        return name.to_string();
    };
    let number = rest.find(['-', ',', ']']).unwrap_or(rest.len());
    let suffix = rest.split_once(']').map_or("", |(_, after)| after);
    let suffix = suffix.split(',').next().unwrap_or_default();
    match suffix.is_empty() {
        true => format!("{name}{}", &rest[..number]),
        // A name with numbers in two places.
        false => first_host(&format!("{name}{}{}", &rest[..number], suffix)),
    }
}
