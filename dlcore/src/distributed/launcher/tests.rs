use super::*;

fn get(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    |name| {
        let found = variables.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| value.to_string())
    }
}

fn with(variables: &[(&str, &str)]) -> Result<Option<(Place, Result<Address>)>> {
    let get = get(variables);
    Ok(place(&get)?.map(|place| (place, place.address(&get))))
}

fn ranks(variables: &[(&str, &str)]) -> (usize, usize, Option<usize>, Address) {
    let (place, address) = with(variables).unwrap().unwrap();
    let address = address.unwrap();
    let local_rank = place.local_rank(&get(variables));
    (place.rank, place.size, local_rank, address)
}

fn on(listen: &str, reach: &str) -> Address {
    Address {
        listen: listen.to_string(),
        reach: reach.to_string(),
    }
}

#[test]
fn our_own_variables_come_first() {
    assert!(with(&[]).unwrap().is_none());
    let own = [("DLCORE_RANK", "1"), ("DLCORE_RANKS", "3")];
    let here = on("127.0.0.1:29500", "127.0.0.1:29500");
    assert_eq!(ranks(&own), (1, 3, Some(1), here));
    let more = [
        ("OMPI_COMM_WORLD_RANK", "0"),
        ("OMPI_COMM_WORLD_SIZE", "8"),
        ("DLCORE_ADDRESS", "10.0.0.1:77"),
        own[0],
        own[1],
    ];
    let there = on("10.0.0.1:77", "10.0.0.1:77");
    assert_eq!(ranks(&more), (1, 3, None, there));
}

#[test]
fn mpirun_on_one_machine_needs_no_address() {
    let (rank, size, local, address) = ranks(&[
        ("OMPI_COMM_WORLD_RANK", "3"),
        ("OMPI_COMM_WORLD_SIZE", "4"),
        ("OMPI_COMM_WORLD_LOCAL_RANK", "3"),
        ("OMPI_COMM_WORLD_LOCAL_SIZE", "4"),
        ("PMIX_NAMESPACE", "1077477377"),
    ]);
    assert_eq!((rank, size, local), (3, 4, Some(3)));
    assert_eq!(address.listen, address.reach);
    assert!(address.reach.starts_with("127.0.0.1:"));
    let (rank, size, local, address) = ranks(&[
        ("PMI_RANK", "1"),
        ("PMI_SIZE", "2"),
        ("MPI_LOCALRANKID", "1"),
        ("MPI_LOCALNRANKS", "2"),
    ]);
    assert_eq!((rank, size, local), (1, 2, Some(1)));
    assert_eq!(address.reach, "127.0.0.1:29500");
}

#[test]
fn on_several_machines_the_first_one_is_named_or_asked_for() {
    let mpi = [
        ("OMPI_COMM_WORLD_RANK", "3"),
        ("OMPI_COMM_WORLD_SIZE", "4"),
        ("OMPI_COMM_WORLD_LOCAL_RANK", "1"),
        ("OMPI_COMM_WORLD_LOCAL_SIZE", "2"),
    ];
    let (_, address) = with(&mpi).unwrap().unwrap();
    let error = address.unwrap_err().to_string();
    assert!(error.contains("DLCORE_MASTER_ADDR"), "{error}");
    let mut said = mpi.to_vec();
    said.push(("DLCORE_MASTER_ADDR", "node7"));
    said.push(("DLCORE_MASTER_PORT", "4000"));
    let there = on("0.0.0.0:4000", "node7:4000");
    assert_eq!(ranks(&said), (3, 4, Some(1), there));
    // mpirun within an allocation of Slurm's.
    let mut slurm = mpi.to_vec();
    slurm.push(("SLURM_JOB_NODELIST", "gpu[007-009]"));
    assert_eq!(ranks(&slurm).3.reach, "gpu007:29500");
}

#[test]
fn tasks_of_srun_are_ranks_and_a_batch_script_is_none() {
    let step = [
        ("SLURM_PROCID", "5"),
        ("SLURM_NTASKS", "8"),
        ("SLURM_LOCALID", "1"),
        ("SLURM_STEP_NODELIST", "n[1-2]"),
        ("SLURM_STEP_ID", "0"),
    ];
    let (rank, size, local, address) = ranks(&step);
    assert_eq!((rank, size, local), (5, 8, Some(1)));
    assert_eq!(address.reach, "n1:29500");
    assert!(with(&step[..4]).unwrap().is_none());
    let mut alone = step.to_vec();
    alone[3].1 = "n1";
    assert_eq!(ranks(&alone).3, on("127.0.0.1:29500", "127.0.0.1:29500"));
    // A step of one task in an allocation of eight: a notebook.
    let mut notebook = step.to_vec();
    notebook[0].1 = "0";
    notebook.push(("SLURM_STEP_NUM_TASKS", "1"));
    assert_eq!(ranks(&notebook).1, 1);
}

#[test]
fn srun_comes_before_what_it_says_for_mpi_and_after_an_mpirun_within_it() {
    // By --mpi=pmi2.
    let step = [
        ("SLURM_PROCID", "5"),
        ("SLURM_STEP_NUM_TASKS", "8"),
        ("SLURM_LOCALID", "1"),
        ("SLURM_STEP_NODELIST", "n[1-2]"),
        ("SLURM_STEP_ID", "0"),
        ("PMI_RANK", "5"),
        ("PMI_SIZE", "8"),
    ];
    let (rank, size, local, address) = ranks(&step);
    assert_eq!((rank, size, local), (5, 8, Some(1)));
    assert_eq!(address.reach, "n1:29500");
    assert!(with(&step).unwrap().unwrap().0.has_mpi());
    assert!(!with(&step[..5]).unwrap().unwrap().0.has_mpi());
    // Started by the second machine's process of mpirun.
    let mut within = step.to_vec();
    within[0].1 = "1";
    within[1].1 = "2";
    within[2].1 = "0";
    within.extend([("MPI_LOCALRANKID", "1"), ("MPI_LOCALNRANKS", "4")]);
    within.push(("SLURM_JOB_NODELIST", "n[1-2]"));
    let (rank, size, local, _) = ranks(&within);
    assert_eq!((rank, size, local), (5, 8, Some(1)));
    let mut open = step.to_vec();
    open.extend([("OMPI_COMM_WORLD_RANK", "3"), ("OMPI_COMM_WORLD_SIZE", "4")]);
    assert_eq!(with(&open).unwrap().unwrap().0.rank, 3);
}

#[test]
fn between_machines_the_rank_is_not_taken_for_that_on_its_machine() {
    let own = [
        ("DLCORE_RANK", "1"),
        ("DLCORE_RANKS", "3"),
        ("DLCORE_ADDRESS", "10.0.0.1:77"),
    ];
    assert_eq!(ranks(&own).2, None);
    let mut said = own.to_vec();
    said.push(("DLCORE_LOCAL_RANK", "0"));
    assert_eq!(ranks(&said).2, Some(0));
    let pmi = [("PMI_RANK", "5"), ("PMI_SIZE", "8")];
    assert_eq!(with(&pmi).unwrap().unwrap().0.local_rank(&get(&pmi)), None);
    let mut said = pmi.to_vec();
    said.push(("DLCORE_LOCAL_RANK", "2"));
    assert_eq!(
        with(&said).unwrap().unwrap().0.local_rank(&get(&said)),
        Some(2)
    );
}

#[test]
fn the_first_of_slurms_list_of_machines() {
    for (nodes, first) in [
        ("login", "login"),
        ("a,b", "a"),
        ("gpu[007-009,012],login", "gpu007"),
        ("gpu[3,5]", "gpu3"),
        ("rack[1-2]node[08-09],x", "rack1node08"),
        ("n[1-2].cluster,x", "n1.cluster"),
    ] {
        assert_eq!(first_host(nodes), first, "{nodes}");
    }
}

#[test]
fn what_is_half_said_or_no_number_is_an_error() {
    for (variables, words) in [
        (
            &[("DLCORE_RANK", "one"), ("DLCORE_RANKS", "2")][..],
            "DLCORE_RANK must be a number",
        ),
        (&[("PMI_RANK", "1")], "PMI_SIZE is not"),
        (
            &[("DLCORE_RANK", "2"), ("DLCORE_RANKS", "2")],
            "of 2 there is none with number 2",
        ),
    ] {
        let error = with(variables).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
