use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc;

use super::wire::Silence;
use super::*;

/// Runs `each` as every rank, in a thread of its own.
fn ranks<T: Send>(size: usize, each: impl Fn(Sockets) -> T + Sync) -> Vec<T> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::scope(|scope| {
        let (each, address) = (&each, &address);
        let mut threads = vec![scope.spawn(move || each(Sockets::accept(listener, size).unwrap()))];
        for rank in 1..size {
            threads.push(scope.spawn(move || each(Sockets::connect(rank, size, address).unwrap())));
        }
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn sums_are_the_same_on_each_rank_and_a_broadcast_reaches_all() {
    let results = ranks(4, |sockets| {
        let own = sockets.rank() as f32;
        let mut sums = [own, 0.1, 1e8 * own];
        sockets.all_reduce(&mut sums).unwrap();
        let mut from_two = [own * 10.0];
        sockets.broadcast(2, &mut from_two).unwrap();
        let mut from_none = [own + 7.0];
        sockets.broadcast(0, &mut from_none).unwrap();
        (sums, from_two, from_none)
    });
    let fourfold = 0.1_f32 + 0.1 + 0.1 + 0.1;
    for result in results {
        assert_eq!(result, ([6.0, fourfold, 6e8], [20.0], [7.0]));
    }
}

#[test]
fn a_rank_that_leaves_or_does_something_else_is_named() {
    let errors = ranks(2, |sockets| {
        let mut values = vec![0.0; if sockets.rank() == 0 { 3 } else { 2 }];
        sockets.all_reduce(&mut values).unwrap_err().to_string()
    });
    assert!(
        errors[0].starts_with("rank 1 is at step 0, a sum of 2 numbers"),
        "{errors:?}"
    );
    assert!(errors[1].starts_with("rank 0 has left"), "{errors:?}");
}

#[test]
fn what_one_rank_has_begun_is_not_taken_for_something_else() {
    let errors = ranks(2, |sockets| {
        let mut values = [1.0];
        sockets.all_reduce(&mut values).unwrap();
        let next = match sockets.rank() {
            0 => sockets.all_reduce(&mut values),
            _ => sockets.broadcast(1, &mut values),
        };
        let after = sockets.all_reduce(&mut values).unwrap_err().to_string();
        (next.err().map(|error| error.to_string()), after)
    });
    let error = errors[0].0.as_deref().unwrap();
    assert!(
        error.contains(
            "a broadcast of 1 numbers by rank 1, but this one, rank 0, is at step 1, a sum"
        ),
        "{error}"
    );
    assert!(
        errors[0].1.contains("connect all ranks again"),
        "{errors:?}"
    );
}

#[test]
fn who_leaves_ends_the_wait_of_the_others() {
    let errors = ranks(2, |sockets| {
        if sockets.rank() == 1 {
            sockets.leave("it has other data");
        }
        // The connection is there until all have heard of it.
        let error = sockets.all_reduce(&mut [1.0]).unwrap_err().to_string();
        (error, sockets)
    });
    assert!(
        errors[0]
            .0
            .starts_with("rank 1 has left: it has other data"),
        "{}",
        errors[0].0
    );
    assert!(errors[1].0.contains("has parted"), "{}", errors[1].0);
}

#[test]
fn a_rank_that_is_none_is_refused_and_strangers_are_passed_over() {
    let error = Sockets::connect(2, 2, "127.0.0.1:1")
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("of 2 there is none with number 2"),
        "{error}"
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut stranger = TcpStream::connect(&address).unwrap();
    stranger
        .write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    std::thread::scope(|scope| {
        let zero = scope.spawn(|| Sockets::accept(listener, 2).unwrap());
        let one = Sockets::connect(1, 2, &address).unwrap();
        scope.spawn(move || one.all_reduce(&mut [1.0]).unwrap());
        let mut sum = [1.0];
        zero.join().unwrap().all_reduce(&mut sum).unwrap();
        assert_eq!(sum, [2.0]);
    });
}

#[test]
fn each_rank_hears_who_has_left_and_why() {
    for leaver in 0..3 {
        let errors = ranks(3, |sockets| {
            if sockets.rank() == leaver {
                sockets.leave("its data are missing");
            }
            let error = sockets.all_reduce(&mut [1.0; 4]).unwrap_err().to_string();
            (error, sockets)
        });
        let expected = format!("rank {leaver} has left: its data are missing");
        for (error, _) in errors {
            assert!(error.contains(&expected), "{error}");
        }
    }
}

#[test]
fn a_reason_is_heard_by_one_who_is_sending() {
    // More than the system holds for one who does not read.
    let errors = ranks(2, |sockets| {
        if sockets.rank() == 0 {
            sockets.leave("it has other data");
        }
        let mut many = vec![1.0; 8 << 20];
        let error = sockets.all_reduce(&mut many).unwrap_err().to_string();
        (error, sockets)
    });
    let error = &errors[1].0;
    assert!(
        error.starts_with("rank 0 has left: it has other data"),
        "{error}"
    );
}

#[test]
fn ranks_that_do_not_come_are_named_to_all_who_have() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let soon = Duration::from_millis(500);
    std::thread::scope(|scope| {
        let zero = scope.spawn(|| Sockets::accept_within(&listener, 4, soon).err().unwrap());
        let three = Sockets::join(3, 4, &address, soon).err().unwrap();
        let zero = zero.join().unwrap().to_string();
        assert!(
            zero.contains("ranks 1, 2 of 4 did not come within 0.5 s"),
            "{zero}"
        );
        let three = three.to_string();
        assert!(
            three.contains("rank 1 has left: ranks 1, 2 of 4 did not come"),
            "{three}"
        );
    });
    // Nobody listens there any more.
    drop(listener);
    let error = Sockets::join(1, 2, &address, soon).err().unwrap();
    let error = error.to_string();
    assert!(error.contains("rank 0 is not at 127.0.0.1:"), "{error}");
}

#[test]
fn one_who_was_told_of_other_ranks_is_refused_and_one_who_left_may_come_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let patience = Duration::from_secs(60);
    std::thread::scope(|scope| {
        let zero = scope.spawn(|| Sockets::accept_within(&listener, 3, patience).unwrap());
        let odd = Sockets::join(1, 2, &address, patience).err().unwrap();
        let odd = odd.to_string();
        assert!(odd.contains("told of 2 ranks, rank 0 of 3"), "{odd}");
        let mut gone = TcpStream::connect(&address).unwrap();
        let mut greeting = b"dlcore 4".to_vec();
        greeting.extend(1_u64.to_le_bytes());
        greeting.extend(3_u64.to_le_bytes());
        gone.write_all(&greeting).unwrap();
        drop(gone);
        let others = [1, 2].map(|rank| {
            let address = &address;
            scope.spawn(move || {
                loop {
                    // Until the one before is known to have gone.
                    match Sockets::join(rank, 3, address, patience) {
                        Ok(sockets) => break sockets.all_reduce(&mut [1.0]).unwrap(),
                        Err(error) => assert!(error.to_string().contains("two with number 1")),
                    }
                }
            })
        });
        let mut sum = [1.0];
        zero.join().unwrap().all_reduce(&mut sum).unwrap();
        assert_eq!(sum, [3.0]);
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

#[test]
fn a_rank_that_lives_and_does_not_read_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let reader = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let reader = Wire::new(reader, 1).unwrap();
    let second = Duration::from_secs(1);
    let silence = Silence {
        before: second,
        times: 1,
        pause: second,
    };
    let mut writer = Wire::asking(listener.accept().unwrap().0, 0, silence).unwrap();
    // More than the system holds for one who does not read.
    let values = vec![1.0; 8 << 20];
    let header = Header {
        step: 0,
        kind: Header::SUM,
        count: values.len() as u64,
    };
    std::thread::scope(|scope| {
        let (ended, ends) = mpsc::channel();
        let (values, sender) = (&values, &mut writer);
        let sender = scope.spawn(move || {
            let sent = sender.send(header, values);
            ended.send(()).unwrap();
            sent
        });
        // Longer than one who says nothing is taken to be there.
        let waited = ends.recv_timeout(5 * second);
        assert_eq!(waited, Err(mpsc::RecvTimeoutError::Timeout));
        let mut received = vec![0.0; values.len()];
        reader.receive(header, &mut received, || Ok(())).unwrap();
        sender.join().unwrap().unwrap();
        assert!(received == *values);
    });
}

#[test]
fn an_address_that_is_none_is_not_waited_for() {
    for address in ["nowhere", "127.0.0.1:port", "127.0.0.1:70000"] {
        let long = Duration::from_secs(3600);
        let error = Sockets::join(1, 2, address, long).err().unwrap();
        let error = error.to_string();
        assert!(error.contains("must be host:port"), "{error}");
        assert!(error.contains(address), "{error}");
    }
}

#[test]
fn a_connection_to_itself_is_none_to_rank_0() {
    let own = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    own.bind(&any.into()).unwrap();
    let address = own.local_addr().unwrap();
    // As happens by chance where nobody listens at a port that the system gives out.
    own.connect(&address).unwrap();
    assert!(meeting::is_to_itself(&own.into()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert!(!meeting::is_to_itself(&other));
}

#[test]
fn a_rank_of_another_version_is_told_both() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut other = TcpStream::connect(&address).unwrap();
    let mut greeting = b"dlcore 2".to_vec();
    greeting.extend(1_u64.to_le_bytes());
    greeting.extend(2_u64.to_le_bytes());
    other.write_all(&greeting).unwrap();
    let soon = Duration::from_millis(500);
    let zero = Sockets::accept_within(&listener, 2, soon).err().unwrap();
    let zero = zero.to_string();
    let both = "one that came speaks as dlcore 2, rank 0 as dlcore 4";
    assert!(zero.contains(both), "{zero}");
    let told = Wire::new(other, 0)
        .unwrap()
        .receive(Header::WELCOME, &mut [], || Ok(()));
    match told {
        Err(Parting::Left(0, reason)) => assert!(reason.contains(both), "{reason}"),
        told => panic!("{told:?}"),
    }
}
