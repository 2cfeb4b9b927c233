//! Downloads from a server on this machine that does what servers do wrong.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;

const CONTENT: &[u8] = b"a data set that is fetched, checked and kept, whatever lies between";

fn file() -> File {
    let sum = hexadecimal(&Sha256::digest(CONTENT));
    File {
        name: "set.npz",
        address: "http://127.0.0.1:9/set.npz",
        sha256: sum.leak(),
    }
}

/// A fresh directory that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dlcore-fetch-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn places(&self, data: Option<String>) -> Places {
        Places {
            data: data.map(OsString::from),
            cache: self.0.join("cache"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Answers one connection after the other with the given bytes; the requests' ranges arrive at the
/// receiver.
fn server(answers: Vec<Vec<u8>>) -> (String, Receiver<Option<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, ranges) = channel();
    thread::spawn(move || {
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept() else {
                return;
            };
            let lines = BufReader::new(&stream).lines().map_while(|line| line.ok());
            let lines: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let range = lines.iter().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("range: ")
                    .map(str::to_owned)
            });
            let _ = sender.send(range);
            let _ = stream.write_all(&answer);
        }
    });
    (address, ranges)
}

fn answer(status: &str, headers: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn a_file_is_fetched_once_and_kept() {
    let folder = Folder::new("once");
    let (address, ranges) = server(vec![answer("200 OK", "", CONTENT.len(), CONTENT)]);
    let places = folder.places(Some(address));
    let path = places.get(&file()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), CONTENT);
    // The server answers once: the second copy comes from the cache.
    assert_eq!(places.get(&file()).unwrap(), path);
    assert_eq!(ranges.iter().collect::<Vec<_>>(), [None]);
    assert!(!path.with_file_name("set.npz.part").exists());
}

#[test]
fn a_broken_connection_is_resumed() {
    let folder = Folder::new("resumed");
    let rest = format!(
        "Content-Range: bytes 20-{}/{}\r\n",
        CONTENT.len() - 1,
        CONTENT.len()
    );
    let (address, ranges) = server(vec![
        answer("200 OK", "", CONTENT.len(), &CONTENT[..20]),
        answer(
            "206 Partial Content",
            &rest,
            CONTENT.len() - 20,
            &CONTENT[20..],
        ),
    ]);
    let path = folder.places(Some(address)).get(&file()).unwrap();
    assert_eq!(fs::read(path).unwrap(), CONTENT);
    assert_eq!(
        ranges.iter().collect::<Vec<_>>(),
        [None, Some("bytes=20-".to_owned())]
    );
}

#[test]
fn a_download_goes_on_in_a_later_session() {
    let folder = Folder::new("later");
    let cut = answer("200 OK", "", CONTENT.len(), &CONTENT[..30]);
    let nothing = answer("503 Service Unavailable", "", 0, b"");
    let (address, _ranges) = server(vec![cut, nothing.clone(), nothing.clone(), nothing]);
    let error = folder
        .places(Some(address))
        .get(&file())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("503") && error.contains("DLCORE_DATA=DIR"),
        "{error}"
    );

    let rest = format!(
        "Content-Range: bytes 30-{}/{}\r\n",
        CONTENT.len() - 1,
        CONTENT.len()
    );
    let (address, ranges) = server(vec![answer(
        "206 Partial Content",
        &rest,
        CONTENT.len() - 30,
        &CONTENT[30..],
    )]);
    let path = folder.places(Some(address)).get(&file()).unwrap();
    assert_eq!(fs::read(path).unwrap(), CONTENT);
    assert_eq!(ranges.recv().unwrap().as_deref(), Some("bytes=30-"));
}

#[test]
fn a_server_that_cannot_resume_starts_over() {
    let folder = Folder::new("over");
    let (address, ranges) = server(vec![
        answer("200 OK", "", CONTENT.len(), &CONTENT[..20]),
        answer("200 OK", "", CONTENT.len(), CONTENT),
    ]);
    let path = folder.places(Some(address)).get(&file()).unwrap();
    assert_eq!(fs::read(path).unwrap(), CONTENT);
    assert_eq!(ranges.iter().count(), 2);
}

#[test]
fn a_wrong_checksum_names_both_and_keeps_nothing() {
    let folder = Folder::new("wrong");
    let other = b"something else";
    let (address, _ranges) = server(vec![answer("200 OK", "", other.len(), other)]);
    let places = folder.places(Some(address));
    let error = places.get(&file()).unwrap_err().to_string();
    let found = hexadecimal(&Sha256::digest(other));
    assert!(
        error.contains(file().sha256) && error.contains(&found),
        "{error}"
    );
    assert_eq!(fs::read_dir(&places.cache).unwrap().count(), 0);
}

#[test]
fn a_truncated_answer_is_not_taken_for_the_file() {
    let folder = Folder::new("truncated");
    let cut = answer("200 OK", "", CONTENT.len(), &CONTENT[..10]);
    let no_more = answer("503 Service Unavailable", "", 0, b"");
    let (address, _ranges) = server(vec![cut, no_more.clone(), no_more.clone(), no_more]);
    let places = folder.places(Some(address));
    assert!(places.get(&file()).is_err());
    assert!(!places.cache.join("set.npz").exists());
}

#[test]
fn a_missing_file_says_what_the_server_said() {
    let folder = Folder::new("missing");
    let (address, ranges) = server(vec![answer("404 Not Found", "", 0, b"")]);
    let error = folder
        .places(Some(address))
        .get(&file())
        .unwrap_err()
        .to_string();
    assert!(error.contains("404 Not Found"), "{error}");
    assert_eq!(ranges.iter().count(), 1);
}

#[test]
fn without_network_and_cache_the_error_says_what_to_do() {
    let folder = Folder::new("offline");
    // A port that was free a moment ago: nobody listens.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address = format!("http://127.0.0.1:{port}");
    let places = folder.places(Some(address.clone()));
    let error = places.get(&file()).unwrap_err().to_string();
    let place = places.cache.join("set.npz").display().to_string();
    for part in [
        "set.npz: no answer",
        &format!("Fetch {address}/set.npz"),
        &place,
        "DLCORE_DATA=DIR",
    ] {
        assert!(error.contains(part), "{part} is missing from {error}");
    }
}

#[test]
fn a_damaged_copy_in_the_cache_is_fetched_again() {
    let folder = Folder::new("damaged");
    let (address, _ranges) = server(vec![answer("200 OK", "", CONTENT.len(), CONTENT)]);
    let places = folder.places(Some(address));
    fs::create_dir_all(&places.cache).unwrap();
    fs::write(places.cache.join("set.npz"), b"half of it").unwrap();
    assert_eq!(fs::read(places.get(&file()).unwrap()).unwrap(), CONTENT);
}

#[test]
fn a_directory_is_trusted_by_its_own_sums() {
    let folder = Folder::new("given");
    let places = folder.places(folder.0.to_str().map(str::to_owned));
    let error = places.get(&file()).unwrap_err().to_string();
    assert!(
        error.contains("set.npz: not there, though DLCORE_DATA names its directory"),
        "{error}"
    );

    fs::write(folder.0.join("set.npz"), b"repacked").unwrap();
    let error = places.get(&file()).unwrap_err().to_string();
    assert!(error.contains("as is published"), "{error}");

    let sum = hexadecimal(&Sha256::digest(b"repacked"));
    fs::write(folder.0.join("SHA256SUMS"), format!("{sum}  set.npz\n")).unwrap();
    assert_eq!(places.get(&file()).unwrap(), folder.0.join("set.npz"));

    fs::write(folder.0.join("set.npz"), b"damaged").unwrap();
    let error = places.get(&file()).unwrap_err().to_string();
    assert!(error.contains("as SHA256SUMS beside it says"), "{error}");
}

#[test]
fn waiting_for_another_program_can_be_interrupted() {
    let folder = Folder::new("wait");
    let path = folder.0.join("set.npz.part");
    let theirs = fs::File::create(&path).unwrap();
    let ours = fs::File::open(&path).unwrap();
    theirs.lock().unwrap();
    let error = download::wait_for(&ours, &|| true).unwrap_err();
    assert!(error.to_string().contains("interrupted"), "{error}");
    drop(theirs);
    download::wait_for(&ours, &|| true).unwrap();
}
