//! `DLCORE_THREADS` sets the number of threads of the process's one pool.
//!
//! One test alone in its process, since the pool is made once; it starts itself again with the variable set.

use std::process::Command;

use dlcore::prelude::*;

const SEEN: &str = "threads seen: ";

#[test]
fn the_pool_has_as_many_threads_as_the_variable_says() {
    if std::env::var_os("DLCORE_TEST_CHILD").is_some() {
        let _ = Tensor::ones([300, 300]).dot(&Tensor::ones([300, 300]));
        println!("{SEEN}{}", rayon::current_num_threads());
        println!("{}", device::available()[0]);
        return;
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    for (value, expected) in [("1", 1), ("3", 3), ("many", cores)] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--nocapture", "--exact"])
            .arg("the_pool_has_as_many_threads_as_the_variable_says")
            .env("DLCORE_TEST_CHILD", "1")
            .env("DLCORE_THREADS", value)
            .env_remove("RAYON_NUM_THREADS")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.contains(&format!("{SEEN}{expected}\n")),
            "{value}: {text}"
        );
        let words = match expected {
            1 => ", 1 thread".to_string(),
            several => format!(", {several} threads"),
        };
        assert!(text.contains(&words), "{value}: {text}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            said.contains("DLCORE_THREADS=many: expected"),
            value == "many",
            "{said}"
        );
    }
}
