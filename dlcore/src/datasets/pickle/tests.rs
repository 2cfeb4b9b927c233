//! Pickles as Python writes them, and pickles that must be refused.

use super::*;

/// `numpy.array([[1, 2, 300], [], [70000]], dtype=object)`, pickled by NumPy 2 with each protocol.
const PICKLES: [&[u8]; 4] = [
    include_bytes!("fixtures/lists-2.pickle"),
    include_bytes!("fixtures/lists-3.pickle"),
    include_bytes!("fixtures/lists-4.pickle"),
    include_bytes!("fixtures/lists-5.pickle"),
];

fn refusal(bytes: &[u8]) -> PickleError {
    read_lists(bytes).expect_err("this must be refused")
}

#[test]
fn lists_come_out_as_numpy_put_them_in() {
    // Protocol 2 spells bytes as a call to `_codecs.encode`; no published file does.
    for (pickle, protocol) in PICKLES[1..].iter().zip(3..) {
        let lists =
            read_lists(pickle).unwrap_or_else(|error| panic!("protocol {protocol}: {error:?}"));
        assert_eq!(lists, [vec![1, 2, 300], vec![], vec![70_000]]);
    }
    assert!(refusal(PICKLES[0]).message.contains("_codecs.encode"));
}

#[test]
fn a_name_that_could_run_code_is_refused_where_it_stands() {
    let error = refusal(b"\x80\x03cos\nsystem\nX\x04\x00\x00\x00echo\x85R.");
    assert_eq!(error.offset, 2);
    assert!(
        error
            .message
            .contains("os.system, which could run code; nothing was run"),
        "{}",
        error.message
    );
    let error = refusal(b"\x80\x04\x8c\x05posix\x8c\x06system\x93.");
    assert!(error.message.contains("posix.system"), "{}", error.message);
}

#[test]
fn every_cut_is_refused() {
    for pickle in &PICKLES[1..] {
        for cut in 0..pickle.len() {
            refusal(&pickle[..cut]);
        }
    }
}

#[test]
fn no_changed_byte_makes_the_reader_panic() {
    for pickle in &PICKLES[1..] {
        for at in 0..pickle.len() {
            for value in 0..=255 {
                let mut changed = pickle.to_vec();
                changed[at] = value;
                let _ = read_lists(&changed);
            }
        }
    }
}

#[test]
fn other_content_is_refused_with_its_kind() {
    let whole = PICKLES[1];
    let numbers = whole
        .windows(2)
        .position(|window| window == b"K\x02")
        .unwrap();
    let with = |content: &[u8]| [&whole[..numbers], content, &whole[numbers + 2..]].concat();
    let cases: [(&[u8], &str); 6] = [
        (b"G\x3f\xf0\0\0\0\0\0\0", "not whole"),
        (b"J\xff\xff\xff\xff", "found -1"),
        (b"N", "found None"),
        (b"}", "dictionary"),
        (b"X\x01\0\0\0a", "found text"),
        (b"]", "mixes numbers and lists"),
    ];
    for (content, expected) in cases {
        let error = refusal(&with(content));
        assert!(
            error.message.contains(expected),
            "{expected}: {}",
            error.message
        );
    }
}

#[test]
fn a_small_file_cannot_become_huge() {
    // A list remembered once and recalled many times, and a memo slot far away.
    let whole = PICKLES[2];
    let twice = [&whole[..whole.len() - 1], b"0.".as_slice()].concat();
    refusal(&twice);
    let error = refusal(b"\x80\x03]r\xff\xff\xff\x00.");
    assert!(error.message.contains("out of order"), "{}", error.message);
    let tuples = [b"\x80\x03)".as_slice(), &[0x85; 100]].concat();
    assert!(refusal(&tuples).message.contains("tuples"));
}
