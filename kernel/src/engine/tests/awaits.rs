//! `.await` at the top level of a cell.

use super::Session;

#[test]
fn a_cell_may_await_without_a_runtime() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("async fn double(x: u32) -> u32 { x * 2 }\nlet name = String::from(\"kept\");");
    let ran = session.ok("let y = double(21).await; println!(\"{name} {y}\");");
    assert_eq!((ran.stdout.as_str(), ran.builds), ("kept 42\n", 1));
    assert_eq!(
        session.ok("println!(\"{}\", double(4).await);").stdout,
        "8\n"
    );
    assert_eq!(session.ok("double(y).await").result.as_deref(), Some("84"));
    assert_eq!(session.ok("name").result.as_deref(), Some("\"kept\""));
    // An async block that nobody awaits does not make the cell one that awaits.
    session.ok("let later = async { double(1).await }; drop(later);");
    let error =
        session.fails("async fn bad() -> Result<u8, String> { Err(\"no\".into()) }\nbad().await?;");
    assert_eq!(error.evalue, "no");
}

#[test]
fn with_tokio_its_runtime_lives_on_between_cells() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(":dep tokio = { version = \"1\", features = [\"time\", \"sync\"] }\nuse std::time::Duration;");
    session.ok("tokio::time::sleep(Duration::from_millis(5)).await;\nlet (sender, mut receiver) = tokio::sync::mpsc::channel::<u32>(4);");
    session.ok("let sends = sender.clone(); tokio::spawn(async move { tokio::time::sleep(Duration::from_millis(5)).await; let _ = sends.send(7).await; }); tokio::task::yield_now().await;");
    let ran = session.ok("receiver.recv().await");
    assert_eq!(ran.result.as_deref(), Some("Some(7)"));
}
