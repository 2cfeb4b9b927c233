//! Ranks whose process is killed: the others end with an error that names them. Each rank is this program once more.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use dlcore::callbacks::{Control, LambdaCallback};
use dlcore::distributed::Sockets;
use dlcore::prelude::*;
use socket2::{Domain, Socket, Type};

/// How many seconds ranks wait for each other to come: where all do, and where one does not.
const LONG: &str = "100";
const SHORT: &str = "2";

/// A rank in a process of its own, which says a word when it is somewhere, and can be told to go on.
struct Rank {
    child: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
}

impl Rank {
    fn start(rank: usize, size: usize, address: &str, patience: &str, stops: bool) -> Rank {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "as_a_rank", "--nocapture"])
            .env("DLCORE_RANK", rank.to_string())
            .env("DLCORE_RANKS", size.to_string())
            .env("DLCORE_ADDRESS", address)
            .env("DLCORE_JOIN_SECONDS", patience)
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

    /// All ranks, of which rank 0 chooses where it listens.
    fn all(size: usize, stops: Option<usize>) -> Vec<Rank> {
        let mut zero = Rank::start(0, size, "127.0.0.1:0", LONG, stops == Some(0));
        let address = zero.listens();
        let others =
            (1..size).map(|rank| Rank::start(rank, size, &address, LONG, stops == Some(rank)));
        std::iter::once(zero).chain(others).collect()
    }

    /// Where it does.
    fn listens(&mut self) -> String {
        let said = self.said("listens: ");
        said["listens: ".len()..].trim_end().to_string()
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
        let ranks = match std::env::var("DLCORE_RANK").as_deref() {
            Ok("0") => listen()?,
            _ => DataParallel::from_env()?,
        };
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

/// Rank 0, at a port that it says: one that was looked for before might be another's by then.
fn listen() -> Result<DataParallel> {
    let said = |name: &str| std::env::var(name).unwrap();
    let listener = TcpListener::bind(said("DLCORE_ADDRESS")).unwrap();
    println!("listens: {}", listener.local_addr().unwrap());
    let size = said("DLCORE_RANKS").parse().unwrap();
    let sockets = Sockets::accept(listener, size)?;
    Ok(DataParallel::new(Arc::new(sockets)))
}

#[test]
fn ranks_in_processes_end_well() {
    for rank in Rank::all(3, None) {
        assert_eq!(rank.end(), "ended: well\n");
    }
}

#[test]
fn a_rank_that_is_killed_before_it_joins_is_named() {
    let mut zero = Rank::start(0, 3, "127.0.0.1:0", SHORT, false);
    let one = Rank::start(1, 3, &zero.listens(), SHORT, false);
    for rank in [zero, one] {
        let said = rank.end();
        assert!(said.contains("rank 2 "), "{said}");
    }
    // A port that is held, and at which nobody listens.
    let held = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    held.bind(&any.into()).unwrap();
    let address = held.local_addr().unwrap().as_socket().unwrap().to_string();
    let others = [1, 2].map(|rank| Rank::start(rank, 3, &address, SHORT, false));
    for rank in others {
        let said = rank.end();
        assert!(said.contains("rank 0 "), "{said}");
    }
}

#[test]
fn a_rank_that_is_killed_between_batches_is_named() {
    for killed in 0..3 {
        let mut ranks = Rank::all(3, Some(killed));
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
        let mut ranks = Rank::all(3, Some(2));
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
