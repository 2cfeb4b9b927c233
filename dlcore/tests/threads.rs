//! `DLCORE_THREADS` sets the number of threads of the process's one pool.
//!
//! One test alone in its process, since the pool is made once; it starts itself again with the variable set.

use std::process::Command;

use dlcore::prelude::*;

const SEEN: &str = "threads seen: ";
const CHILD: &str = "DLCORE_TEST_CHILD";

/// What a program computes first: a product of numbers that are drawn, or, of a folder, its pictures; both draw on all
/// threads before there is a tensor.
fn compute(first: &str) -> Result<()> {
    if first == "a product" {
        Tensor::uniform([1000, 1000], 0.0, 1.0).try_dot(&Tensor::ones([1000, 2]))?;
    } else {
        let pictures = image_dataset_from_directory(first, ImageFolder::new())?;
        pictures.repeat().next().unwrap()?;
    }
    println!("{SEEN}{}", rayon::current_num_threads());
    println!("{}", device::available()[0]);
    Ok(())
}

#[test]
fn the_pool_has_as_many_threads_as_the_variable_says() -> Result<()> {
    if let Ok(first) = std::env::var(CHILD) {
        return compute(&first);
    }
    let pictures = std::env::temp_dir().join(format!("dlcore-threads-{}", std::process::id()));
    for kind in ["cats", "dogs"] {
        std::fs::create_dir_all(pictures.join(kind)).unwrap();
        save_img(
            pictures.join(kind).join("0.png"),
            &Tensor::zeros([8, 8, 3]),
            false,
        )?;
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    for (value, expected) in [("1", 1), ("3", 3), ("many", cores)] {
        for first in ["a product", pictures.to_str().unwrap()] {
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--nocapture", "--exact"])
                .arg("the_pool_has_as_many_threads_as_the_variable_says")
                .env(CHILD, first)
                .env("DLCORE_THREADS", value)
                .env_remove("RAYON_NUM_THREADS")
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            let seen = format!("{SEEN}{expected}\n");
            assert!(text.contains(&seen), "{value}, {first}: {text}{said}");
            let words = match expected {
                1 => ", 1 thread".to_string(),
                several => format!(", {several} threads"),
            };
            assert!(text.contains(&words), "{value}, {first}: {text}");
            let refused = said.contains("DLCORE_THREADS=many: expected");
            assert_eq!(refused, value == "many", "{said}");
            assert!(!said.contains("comes to nothing"), "{first}: {said}");
        }
    }
    std::fs::remove_dir_all(pictures).unwrap();
    Ok(())
}
