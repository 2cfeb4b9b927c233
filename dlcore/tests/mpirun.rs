//! Ranks that `mpirun` has started give the weights of one rank with the whole batch: over our own sockets, and over MPI with
//! the feature `mpi`. Left out, with a line that says so, where there is no `mpirun`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dlcore::prelude::*;

const OUT: &str = "DLCORE_TEST_OUT";
/// What rank 1 does instead of training.
const FAILS: &str = "DLCORE_TEST_FAILS";
const ENDS: &str = "DLCORE_TEST_ENDS";

/// Weights after two epochs in batches of `batch`.
fn train(ranks: Option<&DataParallel>, batch: usize) -> Result<Vec<f32>> {
    set_seed(1);
    let x = Tensor::uniform([64, 6], -1.0, 1.0);
    let labels = x.slice((.., 0..3)).argmax(1);
    let y = to_categorical(&labels, 3);
    let mut model = Sequential::new()
        .add(Dense::new(8).activation("tanh").input_shape([6]))
        .add(Dense::new(3).activation("softmax"));
    model.compile("adam", "categorical_crossentropy", ["accuracy"])?;
    let mut settings = Fit::epochs(2).batch_size(batch).verbose(2);
    if let Some(ranks) = ranks {
        settings = settings.distribution(ranks);
    }
    model.fit(&x, &y, settings)?;
    let weights = model.get_weights();
    Ok(weights.iter().flat_map(Tensor::to_vec).collect())
}

/// What a rank does; nothing in the process that the tests are started in.
#[test]
fn as_a_rank() {
    let Ok(out) = std::env::var(OUT) else {
        return;
    };
    if let Err(error) = rank(Path::new(&out)) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn rank(out: &Path) -> Result<()> {
    let ranks = DataParallel::from_env()?;
    // The launcher ends the other when rank 1 ends: not before it has written down what it was told.
    let told = out.join("0 of 2");
    if std::env::var_os(ENDS).is_some() {
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_secs(100));
            eprintln!("ranks wait for each other for ever");
            std::process::exit(3);
        });
        if ranks.rank() == 1 {
            // As `?` does.
            drop(ranks);
            wait_for(&told);
            return Err(Error::Value("its data are missing".to_string()));
        }
    }
    if ranks.rank() == 1 && std::env::var_os(FAILS).is_some() {
        let mut model = Sequential::new().add(Dense::new(1).input_shape([6]));
        let settings = Fit::epochs(1).distribution(&ranks);
        let failed = model.fit(&Tensor::ones([4, 6]), &Tensor::ones([4, 1]), settings);
        wait_for(&told);
        return failed.map(|_| ());
    }
    let weights = train(Some(&ranks), 8 * ranks.size());
    let text = match &weights {
        Ok(weights) => weights.iter().map(|w| format!("{w:?} ")).collect(),
        Err(error) => error.to_string(),
    };
    let file = out.join(format!("{} of {}", ranks.rank(), ranks.size()));
    // Whole, when it is there.
    let new = file.with_extension("new");
    let written = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &file));
    written.map_err(|source| Error::Io {
        context: file.display().to_string(),
        source,
    })?;
    weights.map(|_| ())
}

fn wait_for(file: &Path) {
    for _ in 0..600 {
        if file.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn launch(mpirun: &str, ranks: usize, talk: &str, out: &Path, does: Option<&str>) -> Output {
    // Where a launcher does not tell one launch from another, all of them meet at the same port.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(mpirun);
    command
        .args(["-n", &ranks.to_string()])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "as_a_rank", "--nocapture"])
        .env(OUT, out)
        .env("DLCORE_COMMUNICATOR", talk)
        // As root, on fewer cores than ranks, on this machine alone.
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .env("OMPI_MCA_rmaps_base_oversubscribe", "1")
        .env("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe")
        .env("OMPI_MCA_btl_vader_single_copy_mechanism", "none")
        .env("OMPI_MCA_btl_tcp_if_include", "lo")
        .env("OMPI_MCA_oob_tcp_if_include", "lo")
        .env("HYDRA_IFACE", "lo");
    if let Some(does) = does {
        command.env(does, "1");
    }
    command.output().unwrap()
}

/// The launchers that are there, by which the tests are run.
fn launchers() -> Vec<&'static str> {
    let there = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    let both: Vec<&str> = ["mpirun.openmpi", "mpirun.mpich"]
        .into_iter()
        .filter(there)
        .collect();
    if !both.is_empty() {
        return both;
    }
    let any: Vec<&str> = ["mpirun"].into_iter().filter(there).collect();
    if any.is_empty() {
        // Written past what the test runner keeps to itself.
        let line = b"LEFT OUT: there is no mpirun here (Debian: apt-get install openmpi-bin)\n";
        std::io::stderr().write_all(line).unwrap();
    }
    any
}

fn ways() -> &'static [&'static str] {
    match cfg!(feature = "mpi") {
        true => &["sockets", "mpi"],
        false => &["sockets"],
    }
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("dlcore-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn two_and_four_ranks_give_the_weights_of_one_with_the_whole_batch() {
    let out = folder("mpirun");
    for mpirun in launchers() {
        for (ranks, talk) in [2, 4]
            .into_iter()
            .flat_map(|n| ways().iter().map(move |w| (n, w)))
        {
            let expected = train(None, 8 * ranks).unwrap();
            let output = launch(mpirun, ranks, talk, &out, None);
            let said = format!(
                "{mpirun}, {ranks} ranks, {talk}: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(output.status.success(), "{said}");
            // One rank reports.
            assert_eq!(said.matches("Epoch 2/2").count(), 1, "{said}");
            let mut first = None;
            for rank in 0..ranks {
                let file = out.join(format!("{rank} of {ranks}"));
                let text = std::fs::read_to_string(&file).expect(&said);
                std::fs::remove_file(&file).unwrap();
                let weights: Vec<f32> = text.split(' ').filter_map(|w| w.parse().ok()).collect();
                assert_eq!(weights.len(), expected.len(), "{text}");
                let off = weights.iter().zip(&expected).map(|(a, b)| (a - b).abs());
                let worst = off.fold(0.0, f32::max);
                assert!(worst < 1e-6, "{said}: rank {rank} is off by {worst:e}");
                assert_eq!(first.get_or_insert_with(|| weights.clone()), &weights);
            }
        }
    }
    std::fs::remove_dir_all(out).unwrap();
}

#[test]
fn a_rank_that_fails_is_an_error_on_the_others_with_its_reason() {
    let out = folder("mpirun-fails");
    for mpirun in launchers() {
        for talk in ways() {
            let output = launch(mpirun, 2, talk, &out, Some(FAILS));
            let said = format!(
                "{mpirun}, {talk}: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(!output.status.success(), "{said}");
            assert!(
                said.contains("is not compiled") || said.contains("compile"),
                "{said}"
            );
            let file = out.join("0 of 2");
            let text = std::fs::read_to_string(&file).expect(&said);
            std::fs::remove_file(&file).unwrap();
            assert!(text.contains("rank 1 has left: fit: "), "{text}");
        }
    }
    std::fs::remove_dir_all(out).unwrap();
}

#[test]
fn a_rank_that_ends_before_it_trains_is_an_error_on_the_others_not_a_wait() {
    let out = folder("mpirun-ends");
    for mpirun in launchers() {
        for talk in ways() {
            let output = launch(mpirun, 2, talk, &out, Some(ENDS));
            let said = format!(
                "{mpirun}, {talk}: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(!output.status.success(), "{said}");
            assert!(!said.contains("for ever"), "{said}");
            let file = out.join("0 of 2");
            let text = std::fs::read_to_string(&file).expect(&said);
            std::fs::remove_file(&file).unwrap();
            assert!(
                text.contains("rank 1 has left: it has dropped its connection"),
                "{text}"
            );
        }
    }
    std::fs::remove_dir_all(out).unwrap();
}
