//! Ranks whose process is killed: the others end with an error that names them. Each rank is this program once more.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use dlcore::callbacks::{Control, LambdaCallback};
use dlcore::prelude::*;

/// A rank in a process of its own, which says a word when it is somewhere, and can be told to go on.
struct Rank {
    child: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
}

impl Rank {
    fn start(rank: usize, size: usize, address: &str, stops: bool) -> Rank {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "as_a_rank", "--nocapture"])
            .env("DLCORE_RANK", rank.to_string())
            .env("DLCORE_RANKS", size.to_string())
            .env("DLCORE_ADDRESS", address)
            .env("DLCORE_JOIN_SECONDS", "2")
            .env("STOPS", if stops { "yes" } else { "" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Rank {
            says: BufReader::new(child.stdout.take().unwrap()),
            hears: child.stdin.take().unwrap(),
            child,
        }
    }

    /// The next line that begins so.
    fn said(&mut self, word: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.says.read_line(&mut line).unwrap();
            assert!(read > 0, "it has ended and not said {word}");
            if let Some(at) = line.find(word) {
                return line[at..].to_string();
            }
        }
    }

    fn go_on(&mut self) {
        writeln!(self.hears, "on").unwrap();
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn end(mut self) -> String {
        let said = self.said("ended: ");
        self.child.wait().unwrap();
        said
    }
}

/// What a rank does; nothing in the process that the tests are started in.
#[test]
fn as_a_rank() {
    if std::env::var_os("DLCORE_RANKS").is_none() {
        return;
    }
    let stops = std::env::var_os("STOPS").is_some_and(|stops| !stops.is_empty());
    let train = || -> Result<History> {
        let ranks = DataParallel::from_env()?;
        println!("joined");
        let mut model = Sequential::new().add(Dense::new(1).input_shape([2]));
        model.compile("sgd", "mse", ())?;
        let stop = LambdaCallback::new().on_batch_end(move |batch, _| {
            if stops && batch == 1 {
                println!("stops");
                let _ = std::io::stdin().read_line(&mut String::new());
            }
            Control::Continue
        });
        let (x, y) = (Tensor::ones([64, 2]), Tensor::ones([64, 1]));
        let settings = Fit::epochs(2).batch_size(8).verbose(0).callback(stop);
        model.fit(&x, &y, settings.distribution(&ranks))
    };
    match train() {
        Ok(_) => println!("ended: well"),
        Err(error) => println!("ended: {}", error.to_string().replace('\n', " ")),
    }
}

/// A port that nobody had a moment ago.
fn address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn ranks_in_processes_end_well() {
    let address = address();
    let ranks = [0, 1, 2].map(|rank| Rank::start(rank, 3, &address, false));
    for rank in ranks {
        assert_eq!(rank.end(), "ended: well\n");
    }
}

#[test]
fn a_rank_that_is_killed_before_it_joins_is_named() {
    for missing in [0, 2] {
        let address = address();
        let there = (0..3).filter(|&rank| rank != missing);
        let ranks: Vec<Rank> = there
            .map(|rank| Rank::start(rank, 3, &address, false))
            .collect();
        for rank in ranks {
            let said = rank.end();
            assert!(said.contains(&format!("rank {missing} ")), "{said}");
        }
    }
}

#[test]
fn a_rank_that_is_killed_between_batches_is_named() {
    for killed in 0..3 {
        let address = address();
        let mut ranks: Vec<Rank> = (0..3)
            .map(|rank| Rank::start(rank, 3, &address, rank == killed))
            .collect();
        let mut victim = ranks.remove(killed);
        victim.said("stops");
        victim.kill();
        for rank in ranks {
            let said = rank.end();
            assert!(said.contains(&format!("rank {killed} has left")), "{said}");
        }
    }
}

#[test]
fn a_rank_that_is_killed_while_it_waits_in_an_all_reduce_is_named() {
    for killed in [0, 1] {
        let address = address();
        let mut ranks: Vec<Rank> = (0..3)
            .map(|rank| Rank::start(rank, 3, &address, rank == 2))
            .collect();
        // The others are on their way into the sum of the third batch, or wait in it.
        ranks[2].said("stops");
        ranks.remove(killed).kill();
        ranks.last_mut().unwrap().go_on();
        for rank in ranks {
            let said = rank.end();
            assert!(said.contains(&format!("rank {killed} has left")), "{said}");
        }
    }
}
