"""The public conformance tests for Jupyter kernels (jupyter_kernel_test), all of them."""

import jupyter_kernel_test as jkt

KERNEL = "rust-dl"


class Conformance(jkt.KernelTests):
    kernel_name = KERNEL
    language_name = "rust"
    file_extension = ".rs"

    code_hello_world = 'println!("hello, world");'
    code_stderr = 'eprintln!("to standard error");'
    code_generate_error = 'panic!("on purpose");'

    code_execute_result = [
        {"code": "1 + 2 + 3", "result": "6"},
        {"code": "(1..=5).product::<i32>()", "result": "120"},
        {"code": '"a" .repeat(3)', "result": '"aaa"'},
    ]
    code_display_data = [
        {"code": "display(&Tensor::from([1.0, 2.0]));", "mime": "text/plain"},
        {"code": "display(&plot::image(&Tensor::zeros([4, 4])));", "mime": "image/svg+xml"},
    ]
    code_clear_output = "clear_output(false);"
    code_page_something = "Tensor?"

    completion_samples = [
        {"text": "Tensor::zer", "matches": {"zeros", "zeros_like"}},
        {"text": "let layer = Dense::new(8); layer.activa"},
    ]
    complete_code_samples = ["let x = 1;", "fn double(x: i32) -> i32 {\n    x * 2\n}", "// a comment", ""]
    incomplete_code_samples = ["let x = (1 +", "fn double(x: i32) -> i32 {", 'println!("unfinished', "/* open"]
    invalid_code_samples = ["let x = );", "fn double(x: i32] { x }"]
    code_inspect_sample = "Tensor"

    code_history_pattern = "1 + ?*"
    supported_history_operations = ("tail", "range", "search")


class Welcome(jkt.IopubWelcomeTests):
    kernel_name = KERNEL
    support_iopub_welcome = True
