//! A rank that waits for others can be interrupted; alone in its process, since the request is one for all of it.

use std::net::TcpListener;
use std::sync::Arc;

use dlcore::distributed::{Communicator, Sockets};
use dlcore::interrupt;
use dlcore::prelude::*;

#[test]
fn an_interrupt_ends_the_wait_for_other_ranks() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let other = std::thread::spawn(move || Sockets::connect(1, 2, &address).unwrap());
    let ranks = DataParallel::new(Arc::new(Sockets::accept(listener, 2).unwrap()));
    // It is there, and does nothing.
    let other = other.join().unwrap();
    let mut model = Sequential::new().add(Dense::new(1).input_shape([2]));
    model.compile("sgd", "mse", ()).unwrap();
    let before = model.get_weights();
    interrupt::request();
    let (x, y) = (Tensor::ones([8, 2]), Tensor::ones([8, 1]));
    let settings = Fit::epochs(1).verbose(0).distribution(&ranks);
    let history = model.fit(&x, &y, settings).unwrap();
    assert_eq!(history.stop_reason(), "interrupted");
    assert_eq!(model.get_weights(), before);
    interrupt::clear();
    // And hears that the first has left.
    assert!(other.all_reduce(&mut [1.0]).is_err());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    interrupt::request();
    let error = Sockets::accept(listener, 2).err().unwrap().to_string();
    assert!(error.contains("interrupted"), "{error}");
}
