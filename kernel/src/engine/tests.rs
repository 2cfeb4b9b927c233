//! The engine against the real compiler and the real cell process. They need an installation:
//! `RUST_DL_HOME` names it (`tests/run` sets it); without one they say so and pass.

use std::path::PathBuf;

use super::*;

mod awaits;
mod crates;
mod differential;
mod last_words;
mod linking;
mod mistakes;
mod odd;
mod python;
mod revival;
mod stumbles;

struct Session {
    engine: Engine,
    count: u32,
}

#[derive(Debug, Default)]
struct Ran {
    stdout: String,
    stderr: String,
    result: Option<String>,
    displays: Vec<serde_json::Value>,
    error: Option<CellError>,
    builds: u32,
    timing: Timing,
}

impl Session {
    fn start() -> Option<Session> {
        let Some(home) = std::env::var_os("RUST_DL_HOME") else {
            println!("skipped: RUST_DL_HOME names no installation");
            return None;
        };
        let config = EngineConfig {
            home: PathBuf::from(home),
            working_dir: std::env::temp_dir(),
        };
        let engine =
            Engine::start(config, &mut |line| println!("{line}")).expect("the engine starts");
        Some(Session { engine, count: 0 })
    }

    fn run(&mut self, code: &str) -> Ran {
        self.count += 1;
        let mut ran = Ran::default();
        let (outcome, timing) = self
            .engine
            .evaluate(code, self.count, &mut |event| match event {
                Event::Stdout(bytes) => ran.stdout += &String::from_utf8_lossy(&bytes),
                Event::Note(note) => ran.stderr += &note,
                Event::Stderr(bytes) => ran.stderr += &String::from_utf8_lossy(&bytes),
                Event::Result { data, .. } => {
                    ran.result = data["text/plain"].as_str().map(str::to_owned)
                }
                Event::Display { data, .. } => ran.displays.push(data["text/plain"].clone()),
                Event::Clear { .. } | Event::Input { .. } => {}
            });
        ran.builds = timing.builds;
        ran.timing = timing;
        if let Outcome::Failed(error) = outcome {
            ran.error = Some(error);
        }
        ran
    }

    fn ok(&mut self, code: &str) -> Ran {
        let ran = self.run(code);
        assert!(
            ran.error.is_none(),
            "{code}\n{}",
            ran.error.unwrap().traceback.join("\n")
        );
        ran
    }

    fn fails(&mut self, code: &str) -> CellError {
        self.run(code)
            .error
            .unwrap_or_else(|| panic!("this cell should fail: {code}"))
    }
}

#[test]
fn what_a_cell_makes_is_there_in_the_next() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("use std::collections::HashMap;\n#[derive(Debug)] struct Point { x: i32 }\nlet mut counts = HashMap::new(); counts.insert(\"a\".to_string(), 1u8);");
    session.ok("counts.insert(\"b\".into(), 2); let p = Point { x: 3 };");
    let ran = session.ok("(counts.len(), p)");
    assert_eq!(ran.result.as_deref(), Some("(2, Point { x: 3 })"));
    assert_eq!(ran.builds, 1);
    assert_eq!(session.fails("p").ename, "E0425", "moved into the tuple");
}

#[test]
fn a_cell_says_where_its_time_went() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let x = Tensor::ones([3]);");
    let timing = session.ok("let y = x.sum().item(); y").timing;
    for (name, time) in timing.parts() {
        assert!(!time.is_zero(), "{name}: {timing:?}");
    }
    let sum: Duration = timing.parts().iter().map(|(_, time)| *time).sum();
    assert!(sum <= timing.total, "{timing:?}");
    let told = session.ok(":timing").stdout;
    assert!(
        told.starts_with("parse ") && told.contains("; 1 build, "),
        "{told}"
    );
    assert!(
        told.contains(", link ") && told.contains(", load "),
        "{told}"
    );
}

#[test]
fn a_compiler_that_stands_ready_may_be_gone_or_the_wrong_one() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let x = 1;");
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap();
    let ready = children
        .split_whitespace()
        .find(|child| {
            std::fs::read_to_string(format!("/proc/{child}/comm"))
                .is_ok_and(|name| name.trim() == "rustc")
        })
        .expect("a compiler stands ready");
    let ready = nix::unistd::Pid::from_raw(ready.parse().unwrap());
    nix::sys::signal::kill(ready, nix::sys::signal::Signal::SIGKILL).unwrap();
    // Not reaped yet, it is there until the engine looks.
    let stat = || std::fs::read_to_string(format!("/proc/{ready}/stat")).unwrap();
    while !stat().contains(") Z ") {
        std::thread::yield_now();
    }
    assert_eq!(session.ok("x + 1").result.as_deref(), Some("2"));
    // One for another level of optimisation, and a cell that no pipe holds.
    assert_eq!(session.ok(":opt 1\nx + 2").result.as_deref(), Some("3"));
    let long = format!("// {}\nx + 3", "long ".repeat(20_000));
    assert_eq!(session.ok(&long).result.as_deref(), Some("4"));
}

#[test]
fn a_library_of_the_system_can_be_linked() {
    let Some(mut session) = Session::start() else {
        return;
    };
    // Not a function that Rust brings along, too: that one may be more exact.
    session.ok("#[link(name = \"m\")] unsafe extern \"C\" { fn j0(x: f64) -> f64; }");
    assert_eq!(
        session.ok("unsafe { j0(0.0) }").result.as_deref(),
        Some("1.0")
    );
}

#[test]
fn shadowing_with_a_move_takes_one_build() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let a = vec![1.0, 2.0]; let b = String::from(\"b\");");
    let ran = session.ok("let a = a.len(); let c = b; a");
    assert_eq!(ran.result.as_deref(), Some("2"));
    let ran = session.ok("let c = std::convert::identity(c); c");
    assert_eq!((ran.result.as_deref(), ran.builds), (Some("\"b\""), 1));
}

#[test]
fn a_variable_assigned_after_its_move_stays() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("fn grow(mut v: Vec<i32>) -> Vec<i32> { v.push(0); v } let mut v = vec![7]; let mut s = String::from(\"a\");");
    for (code, length) in [
        ("v = grow(v);", "2"),
        ("for _ in 0..3 { v = grow(v); }", "5"),
        ("let old = v; v = vec![1];", "1"),
        ("if old.len() > 1 { drop(v); v = grow(vec![]); }", "1"),
    ] {
        assert_eq!(session.ok(code).builds, 1, "{code}");
        assert_eq!(
            session.ok("v.len()").result.as_deref(),
            Some(length),
            "{code}"
        );
    }
    session.ok("s = s + \"b\"; let t = s;");
    assert_eq!(session.fails("s").ename, "E0425", "moved after all");
}

#[test]
fn output_comes_whole_and_in_order() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let ran = session.ok("print!(\"no newline\"); eprint!(\"é\"); dlcore::display::display(&dlcore::display::MimeBundle::text(\"rich\"));");
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("no newline", "é")
    );
    assert_eq!(ran.displays, ["rich"]);
    let ran = session.ok("for i in 0..200_000 { println!(\"{i:06}\") }");
    assert_eq!(ran.stdout.len(), 7 * 200_000);
    assert!(ran.result.is_none(), "a loop has nothing to show");
}

#[test]
fn what_is_printed_after_a_display_comes_after_it() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let mut order = vec![];
    let code = "for i in 0..50 { println!(\"a{i}\"); dlcore::display::display(&dlcore::display::MimeBundle::text(format!(\"b{i}\"))); }";
    session.engine.evaluate(code, 1, &mut |event| match event {
        Event::Stdout(bytes) => {
            order.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned))
        }
        Event::Display { data, .. } => order.extend(data["text/plain"].as_str().map(str::to_owned)),
        _ => {}
    });
    let expected: Vec<_> = (0..50)
        .flat_map(|i| [format!("a{i}"), format!("b{i}")])
        .collect();
    assert_eq!(order, expected);
}

#[test]
fn a_compile_error_points_at_the_cells_own_line() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let x = 1;");
    let error = session.fails("let y = 2;\nlet z: String = y;");
    assert_eq!(error.ename, "E0308");
    let text = error.traceback.join("\n");
    assert!(text.contains("cell [2]:2:17"), "{text}");
    let error = session.fails("let y = (1;");
    assert!(
        error.traceback.join("\n").contains("cell [3]:1:"),
        "{error:?}"
    );
    session.ok("x");
}

#[test]
fn a_panic_is_one_error_and_costs_no_variable() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let mut v = vec![1, 2, 3];");
    let error = session.fails("v.push(4);\nlet w = 1;\nv[10];");
    assert_eq!(error.ename, "panic");
    assert!(
        error.traceback.join("\n").contains("cell [2]:3:"),
        "{error:?}"
    );
    assert_eq!(session.ok("v").result.as_deref(), Some("[1, 2, 3, 4]"));
    // A shadowing that came to nothing leaves the old value.
    session.fails("let v: f64 = panic!(\"no\");");
    assert_eq!(session.ok("v.len()").result.as_deref(), Some("4"));
}

#[test]
fn a_question_mark_is_an_error_with_its_place() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let kept = vec![1];");
    let error = session.fails("let n = kept.len();\n\"x\".parse::<i32>()?;");
    assert_eq!(
        (error.ename.as_str(), error.evalue.as_str()),
        ("ParseIntError", "invalid digit found in string")
    );
    assert!(
        error.traceback.join("\n").contains("cell [2]:2:"),
        "{error:?}"
    );
    session.ok("kept");
}

#[test]
fn what_cannot_be_kept_is_said() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let ran = session.ok("let f = |x: i32| x + 1; f(1)");
    assert!(ran.stderr.contains("`f` is a closure"), "{}", ran.stderr);
    let error = session.fails("let s = String::from(\"x\"); let r = &s;");
    assert!(error.evalue.contains("`r` borrows"), "{error:?}");
    session.ok("let boxed: Box<dyn Fn(i32) -> i32> = Box::new(|x| x + 1);");
    assert_eq!(session.ok("boxed(2)").result.as_deref(), Some("3"));
}

#[test]
fn a_type_in_a_private_module_is_found() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(
        "let mut it = vec![1, 2].into_iter().rev(); let ch = std::sync::mpsc::channel::<u8>();",
    );
    assert_eq!(session.ok("it.next()").result.as_deref(), Some("Some(2)"));
    assert_eq!(
        session.ok("it.next()").builds,
        1,
        "the public path is remembered"
    );
}

#[test]
fn a_type_defined_anew_takes_its_variables_with_it() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("struct A { n: u8 } struct B { a: A } let b = B { a: A { n: 1 } }; let other = 5;");
    session.ok("struct A { n: u8 } b.a.n"); // the same text: the same type
    let ran = session.ok("struct A { n: [u64; 8] } other");
    assert!(ran.stderr.contains("type of `b`"), "{}", ran.stderr);
    assert_eq!(session.fails("b.a.n").ename, "E0425");
}

#[test]
fn whatever_changes_a_type_from_afar_takes_its_variables_too() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let cases = [
        (
            "const N: usize = 3; struct P { a: [f32; N] } let p = P { a: [0.; N] };",
            "const N: usize = 9;",
        ),
        (
            "mod m { pub struct Q(pub u8); } let p = m::Q(1);",
            "mod m { pub struct Q(pub [u64; 8]); }",
        ),
        (
            "use std::collections::HashMap as M; let p: M<u8, u8> = M::new();",
            "use std::collections::BTreeMap as M;",
        ),
        (
            "mod g { pub struct Q(pub u8); } use g::*; let p: Q = Q(1);",
            "mod g { pub struct Q(pub [u64; 8]); }",
        ),
        (
            "mod h { pub struct R(pub u8); } use h::*; struct S(R); let p = S(R(1));",
            "mod h { pub struct R(pub [u64; 8]); }",
        ),
        (
            "struct W { v: Vec<u8> } let p = W { v: vec![1] };",
            "mod n { pub struct Vec<T>(pub T); } use n::*;",
        ),
        (
            "struct D { d: Dense } let p = D { d: Dense::new(1) };",
            "struct Dense([u8; 999]);",
        ),
    ];
    for (before, after) in cases {
        session.ok(before);
        let ran = session.ok(after);
        let error = session.fails("let q = &p;");
        assert_eq!(error.ename, "E0425", "{after}: {}", ran.stderr);
    }
}

#[test]
fn a_failing_cell_gives_back_the_tensors_it_took() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let x = Tensor::zeros([2]); let y = Tensor::zeros([3]); let text = String::new();");
    assert_eq!(session.fails("let z = x + y;").ename, "ShapeError");
    session.ok("(x.len(), y.len())");
    let ran = session.run("drop(text); panic!()");
    let told = ran.stderr.contains("`text` is gone");
    assert!(ran.error.is_some() && told, "{}", ran.stderr);
}

#[test]
fn impls_and_functions_run_again_replace_themselves() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("struct A; fn f() -> u8 { 1 }");
    for answer in ["1", "2"] {
        session.ok(&format!("impl A {{ fn n(&self) -> u8 {{ {answer} }} }}"));
        assert_eq!(session.ok("A.n()").result.as_deref(), Some(answer));
    }
    session.ok("fn f() -> u8 { 9 }");
    assert_eq!(session.ok("f()").result.as_deref(), Some("9"));
}

#[test]
fn a_dead_process_is_one_error_and_the_session_goes_on() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("fn two() -> u8 { 2 } let gone = vec![Some(1)];");
    let error = session.fails("print!(\"last words\"); std::process::abort();");
    assert_eq!(error.ename, "ProcessDied");
    assert!(
        error.traceback.join("\n").contains("gone: gone."),
        "{error:?}"
    );
    assert_eq!(session.ok("two()").result.as_deref(), Some("2"));
    let error =
        session.fails("fn deep(n: u64) -> u64 { std::hint::black_box(deep(n + 1)) + 1 } deep(0)");
    assert_eq!(error.ename, "ProcessDied");
    session.ok("two()");
}

#[test]
fn an_interrupt_stops_the_cell_and_a_second_one_ends_it() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let kept = vec![Some(7)];");
    let interrupter = session.engine.interrupter();
    // Pressed when the cell has started, twice at once (a double click), and again when it is
    // said that the cell does not stop by itself.
    let press = |event: Event| match event {
        Event::Stdout(_) => (0..2).for_each(|_| interrupter.interrupt()),
        Event::Note(text) if text.contains("Interrupt again") => {
            interrupter.interrupt();
        }
        _ => {}
    };
    // Code that asks, as `fit` does at each batch.
    let polite =
        "println!(\"started\"); while !dlcore::interrupt::requested() { std::thread::yield_now() }";
    let (outcome, _) = session
        .engine
        .evaluate(polite, 9, &mut |event| press(event));
    assert_eq!(outcome, Outcome::Done);
    session.ok("assert!(!dlcore::interrupt::requested()); kept");
    let endless = "println!(\"started\"); loop { std::hint::spin_loop() }";
    let (outcome, _) = session
        .engine
        .evaluate(endless, 10, &mut |event| press(event));
    let Outcome::Failed(error) = outcome else {
        panic!("it never ends by itself")
    };
    assert_eq!(error.ename, "Interrupted");
    assert!(
        error.traceback.join("\n").contains("gone: kept."),
        "{error:?}"
    );
    assert_eq!(session.ok("1 + 1").result.as_deref(), Some("2"));
}

#[test]
fn values_show_in_their_best_form() {
    let Some(mut session) = Session::start() else {
        return;
    };
    assert_eq!(session.ok("\"text\"").result.as_deref(), Some("\"text\""));
    assert_eq!(session.ok("()").result, None);
    assert_eq!(session.ok("println!(\"x\")").result, None);
    assert!(
        session
            .ok("struct Opaque; Opaque")
            .result
            .unwrap()
            .contains("no text form")
    );
    let shown = session
        .ok("dlcore::display::MimeBundle::text(\"rich\")")
        .result;
    assert_eq!(shown.as_deref(), Some("rich"));
    // A result without `?` shows what is in it.
    session.ok("let t = Tensor::from([1.0, 2.0]);");
    let shown = |session: &mut Session, code: &str| session.ok(code).result.unwrap();
    assert_eq!(
        shown(&mut session, "t.try_reshape([2, 1])"),
        "[[1.]\n [2.]]"
    );
    assert_eq!(shown(&mut session, "Some(t.clone())"), "[1. 2.]");
    assert_eq!(shown(&mut session, "None::<Tensor>"), "None");
    assert_eq!(shown(&mut session, "&t"), "[1. 2.]");
    let lists = "[t.clone(), t.clone()]";
    for list in [lists, "vec![&t, &t]", "Some(vec![t.clone(); 2])"] {
        assert_eq!(shown(&mut session, list), "[[1. 2.], [1. 2.]]");
    }
    assert_eq!(shown(&mut session, "(t.len(), t.clone())"), "(2, [1. 2.])");
    let mixed = "(2, t.reshape([2, 1]))";
    assert_eq!(
        shown(&mut session, mixed),
        "(\n    2,\n    [[1.]\n     [2.]],\n)"
    );
    let mapped = "std::collections::BTreeMap::from([(\"a\", t.clone())])";
    assert_eq!(shown(&mut session, mapped), "{\"a\": [1. 2.]}");
    assert!(shown(&mut session, "t.try_reshape([3])").starts_with("Err: "));
    assert_eq!(shown(&mut session, "\"5\".parse::<u8>()"), "Ok(5)");
}

#[test]
fn an_unused_result_is_warned_about() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let ran = session.ok("\"1\".parse::<u8>();\n1");
    assert!(
        ran.stderr.contains("unused") && ran.stderr.contains("cell [1]:1:1"),
        "{}",
        ran.stderr
    );
}

#[test]
fn commands_time_optimise_and_begin_anew() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let x = Tensor::ones([20, 20]); fn twice(n: u32) -> u32 { n * 2 }");
    let shown = session.ok(":time x.dot(&x)").result.unwrap();
    assert!(
        shown.contains(" a run (") && shown.contains(" runs)"),
        "{shown}"
    );
    assert!(session.fails(":time").evalue.contains(":time x.dot(&y)"));
    assert!(session.fails(":opt fast").evalue.contains(":opt 3"));
    let ran = session.ok(":opt 2\n:sccache 1\nlet y = twice(4); y + x.len() as u32");
    assert_eq!(ran.result.as_deref(), Some("408"));
    assert!(ran.stdout.contains("opt-level 2") && ran.stdout.contains("changes nothing here"));
    session.ok(":restart");
    assert_eq!(session.fails("x").ename, "E0425");
    assert_eq!(session.fails("twice(1)").ename, "E0425");
    assert_eq!(session.ok("1 + 1").result.as_deref(), Some("2"));
}

#[test]
fn a_notebook_for_evcxr_shows_what_it_shows_there() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("struct Card(u8); impl Card { pub fn evcxr_display(&self) { println!(\"EVCXR_BEGIN_CONTENT text/plain\\ncard {}\\nEVCXR_END_CONTENT\", self.0); } }");
    let ran = session.ok("println!(\"before\"); Card(7)");
    assert_eq!(
        (ran.stdout.as_str(), ran.result, ran.builds),
        ("before\n", None, 1)
    );
    assert_eq!(ran.displays, [serde_json::json!("card 7")]);
    let ran = session.ok("print!(\"EVCXR_BEGIN_CONTENT text/html\\nno end\");");
    assert_eq!(ran.stdout, "EVCXR_BEGIN_CONTENT text/html\nno end");
}

#[test]
fn a_cell_of_comments_is_not_built_and_an_unknown_command_is_an_error() {
    let Some(mut session) = Session::start() else {
        return;
    };
    assert_eq!(session.ok("// nothing\n").builds, 0);
    assert!(session.fails(":nonsense").evalue.contains(":help"));
    session.ok("let x = 1.5;");
    assert!(session.ok(":vars").stdout.contains("x  f64"));
    let error = session.fails(":vars\nlet y: u8 = x;");
    assert!(
        error.traceback.join("\n").contains("cell [5]:2:"),
        "{error:?}"
    );
}

#[test]
fn what_the_chapters_keep_takes_one_build_a_cell() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let mut network = Sequential::new().add(Dense::new(1).input_shape([2])); let x = Tensor::ones([4, 2]);");
    assert_eq!(
        session
            .ok("network.compile(\"sgd\", \"mse\", [\"mae\"])?;")
            .builds,
        1
    );
    let fit = "let history = network.fit(&x, &Tensor::ones([4, 1]), Fit::epochs(1).verbose(0))?;";
    assert_eq!(session.ok(fit).builds, 1);
    session.ok("let scores = network.evaluate(&x, &Tensor::ones([4, 1]))?; let chart = history.plot(); let about = network.summary();");
    let ran = session.ok("(scores.loss, &chart, &about, history.epochs().len());");
    assert_eq!(ran.builds, 1);
}

#[test]
fn a_layout_that_rests_on_an_impl_goes_with_it() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("trait T { type X; } struct S; impl T for S { type X = u8; } struct W { x: <S as T>::X, y: u8 } let w = W { x: 5, y: 6 };");
    session.ok("struct C; impl C { const N: usize = 3; } struct Q { a: [u8; C::N] } let q = Q { a: [1; 3] }; struct Plain(u8); let plain = Plain(1);");
    session.ok("impl T for S { type X = [u64; 8]; }");
    session.ok("impl C { const N: usize = 4000; } impl Plain { fn get(&self) -> u8 { self.0 } }");
    assert_eq!(session.fails("w.x").ename, "E0425");
    assert_eq!(session.fails("q.a.len()").ename, "E0425");
    assert_eq!(session.ok("plain.get()").result.as_deref(), Some("1"));
}

#[test]
fn what_became_of_a_variable_is_said_to_whoever_names_it() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let r#loop = vec![1]; let xs = Tensor::ones([2]); let bomb = 1;");
    session.ok("let y = r#loop; let ys = xs * 2.0;");
    let text = |error: &CellError| error.traceback.join("\n");
    let error = session.fails("xs.shape()");
    assert!(
        text(&error).contains("`xs` was given away in cell 2"),
        "{error:?}"
    );
    let ran = session.run("let fresh = 1; let y = 2; let f: f32 = \"abc\".parse()?;");
    assert!(
        ran.stderr
            .contains("`fresh`, `y`, `f`; `y` is again what it was before"),
        "{}",
        ran.stderr
    );
    assert!(text(&session.fails("fresh")).contains("cell 4 failed before it had made `fresh`"));
    assert_eq!(session.ok("y").result.as_deref(), Some("[1]"));
}

#[test]
fn a_value_whose_drop_panics_costs_no_other() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("struct Bomb(i32); impl Drop for Bomb { fn drop(&mut self) { panic!(\"boom\") } } let bomb = Bomb(1); let kept = String::from(\"here\");");
    session.ok("struct Bomb(i64);");
    assert_eq!(session.ok("kept").result.as_deref(), Some("\"here\""));
}

#[test]
fn a_last_semicolon_may_be_missing_and_long_values_are_cut() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let v = 3 // three");
    assert_eq!(session.ok("v").result.as_deref(), Some("3"));
    let error = session.fails("v +");
    assert!(!error.traceback.join("").contains("Ok"), "{error:?}");
    let list = session.ok("(0..1_000_000).collect::<Vec<i32>>()").result;
    assert!(
        list.as_deref()
            .is_some_and(|list| list.contains("… 999994 more …")),
        "{list:?}"
    );
    let shown = session.ok("\"ä\".repeat(1_000_000)").result.unwrap();
    assert!(
        shown.len() < 30_000 && shown.contains("cut here"),
        "{}",
        shown.len()
    );
}

#[test]
fn a_process_that_leaves_a_child_behind_is_still_seen_to_die() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let fork = "unsafe extern \"C\" { fn fork() -> i32; fn pause() -> i32; }\n\
        let child = unsafe { fork() };\n\
        if child == 0 { unsafe { pause(); } }\n\
        println!(\"child {child}\"); std::process::abort();";
    let ran = session.run(fork);
    assert_eq!(ran.error.unwrap().ename, "ProcessDied");
    let child = ran.stdout.trim().strip_prefix("child ").unwrap();
    let child = nix::unistd::Pid::from_raw(child.parse().unwrap());
    nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(session.ok("1 + 1").result.as_deref(), Some("2"));
}
