//! Downloads from a server on this machine that does what servers do wrong.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
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
            let lines = read_request(&stream);
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

fn read_request(stream: &TcpStream) -> Vec<String> {
    let lines = BufReader::new(stream).lines().map_while(|line| line.ok());
    lines.take_while(|line| !line.is_empty()).collect()
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

/// A server that sends the beginning and then neither goes on nor ends, until it is dropped. The
/// second value tells when the beginning is out.
fn stalling_server() -> (String, Receiver<()>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let ((begun, out), (keep, dropped)) = (channel(), channel());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&stream);
        let beginning = answer("200 OK", "", CONTENT.len(), &CONTENT[..20]);
        stream.write_all(&beginning).unwrap();
        begun.send(()).unwrap();
        let _ = dropped.recv();
        let _ = stream.write_all(&CONTENT[20..]);
        // Whoever comes now is told that nothing more is to be had.
        while let Ok((mut stream, _)) = listener.accept() {
            read_request(&stream);
            let _ = stream.write_all(&answer("410 Gone", "", 0, b""));
        }
    });
    (address, out, keep)
}

#[test]
fn a_server_that_stalls_does_not_keep_an_interrupt_away() {
    let folder = Folder::new("stalls");
    let (address, begun, _keep) = stalling_server();
    let places = folder.places(Some(address));
    let interrupted = || begun.try_recv().is_ok();
    let error = places.get_unless(&file(), &interrupted).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("interrupted; run it again to go on"),
        "{error}"
    );
    assert!(!places.cache.join("set.npz").exists());
}

#[test]
fn a_beginning_of_another_file_is_dropped_and_fetched_anew() {
    let folder = Folder::new("other");
    let rest = format!(
        "Content-Range: bytes 9-{}/{}\r\n",
        CONTENT.len() - 1,
        CONTENT.len()
    );
    let (address, ranges) = server(vec![
        answer(
            "206 Partial Content",
            &rest,
            CONTENT.len() - 9,
            &CONTENT[9..],
        ),
        answer("200 OK", "", CONTENT.len(), CONTENT),
    ]);
    let places = folder.places(Some(address));
    fs::create_dir_all(&places.cache).unwrap();
    fs::write(places.cache.join("set.npz.part"), b"not ours!").unwrap();
    assert_eq!(fs::read(places.get(&file()).unwrap()).unwrap(), CONTENT);
    assert_eq!(ranges.iter().count(), 2);
}

#[test]
fn names_may_have_a_folder() {
    let folder = Folder::new("deep");
    let (address, _ranges) = server(vec![answer("200 OK", "", CONTENT.len(), CONTENT)]);
    let places = folder.places(Some(address));
    let file = File {
        name: "deep/set.npz",
        ..file()
    };
    assert_eq!(places.find(&file), None);
    let path = places.get(&file).unwrap();
    assert_eq!(path, places.cache.join("deep/set.npz"));
    assert_eq!(places.find(&file), Some((path, CONTENT.len() as u64)));
}

/// `/dev/full` stands for a disk without room: it refuses every byte.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_leaves_no_file() {
    let folder = Folder::new("full");
    let (address, _ranges) = server(vec![answer("200 OK", "", CONTENT.len(), CONTENT)]);
    let places = folder.places(Some(address));
    fs::create_dir_all(&places.cache).unwrap();
    let part = places.cache.join("set.npz.part");
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let error = places.get(&file()).unwrap_err().to_string();
    assert!(
        error.contains("the disk refuses: No space left on device"),
        "{error}"
    );
    assert!(error.contains("DLCORE_CACHE=DIR"), "{error}");
    assert!(!places.cache.join("set.npz").exists());
    // With room again, the next try succeeds.
    fs::remove_file(&part).unwrap();
    let (address, _ranges) = server(vec![answer("200 OK", "", CONTENT.len(), CONTENT)]);
    let path = folder.places(Some(address)).get(&file()).unwrap();
    assert_eq!(fs::read(path).unwrap(), CONTENT);
}

#[test]
fn waiting_for_another_program_can_be_interrupted() {
    let folder = Folder::new("wait");
    let (address, ranges) = server(vec![answer("200 OK", "", CONTENT.len(), CONTENT)]);
    let places = folder.places(Some(address));
    fs::create_dir_all(&places.cache).unwrap();
    let theirs = fs::File::create(places.cache.join("set.npz.part")).unwrap();
    theirs.lock().unwrap();
    let error = places.get_unless(&file(), &|| true).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("interrupted while another program"),
        "{error}"
    );
    assert!(ranges.try_recv().is_err(), "nothing was asked for");
    drop(theirs);
    assert_eq!(fs::read(places.get(&file()).unwrap()).unwrap(), CONTENT);
}

#[test]
fn a_file_that_its_holder_removed_is_not_written_on() {
    let folder = Folder::new("removed");
    let (address, _ranges) = server(vec![answer("200 OK", "", CONTENT.len(), CONTENT)]);
    let places = folder.places(Some(address));
    fs::create_dir_all(&places.cache).unwrap();
    let part = places.cache.join("set.npz.part");
    let theirs = fs::File::create(&part).unwrap();
    theirs.lock().unwrap();
    // While we wait, its holder finds that the checksum is wrong, removes the file and lets go; another
    // program begins anew under the same name and stops halfway.
    let holder = std::cell::RefCell::new(Some(theirs));
    let interrupted = || {
        if let Some(theirs) = holder.take() {
            fs::remove_file(&part).unwrap();
            fs::write(&part, b"half of").unwrap();
            drop(theirs);
        }
        false
    };
    let path = places.get_unless(&file(), &interrupted).unwrap();
    assert_eq!(fs::read(path).unwrap(), CONTENT);
}

/// What the processes of the test below do.
#[test]
fn in_another_process() {
    let Some(address) = std::env::var_os("DLCORE_TEST_FETCH") else {
        return;
    };
    let places = Places {
        data: Some(address),
        cache: PathBuf::from(std::env::var_os("DLCORE_TEST_CACHE").unwrap()),
    };
    let path = places.get(&file()).unwrap();
    assert_eq!(fs::read(path).unwrap(), CONTENT);
}

#[test]
fn two_processes_at_once_fetch_one_file_once() {
    let folder = Folder::new("two");
    let (address, begun, keep) = stalling_server();
    let process = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "--nocapture",
            "datasets::fetch::tests::in_another_process",
        ]);
        command.env("DLCORE_TEST_FETCH", &address);
        command.env("DLCORE_TEST_CACHE", folder.0.join("cache"));
        command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut first = process();
    begun.recv().unwrap();
    let mut second = process();
    let mut lines = BufReader::new(second.stderr.take().unwrap()).lines();
    let waits = lines.any(|line| line.unwrap().contains("another program is fetching it"));
    assert!(waits, "the second process did not wait");
    assert!(!folder.0.join("cache/set.npz").exists());
    drop(keep);
    assert!(first.wait().unwrap().success());
    let rest: Vec<String> = lines.map_while(|line| line.ok()).collect();
    assert!(second.wait().unwrap().success(), "{rest:?}");
    let names = fs::read_dir(folder.0.join("cache")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["set.npz"]);
}
