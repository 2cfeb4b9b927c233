//! Expected strings are what NumPy 2.4 prints for the same arrays.

use crate::{DType, Tensor};

#[test]
fn prints_as_numpy() {
    let cases = [
        (Tensor::from([1.0, 2.0, 3.0]), "[1. 2. 3.]"),
        (Tensor::from([1.0, 2.5, -3.25]), "[ 1.    2.5  -3.25]"),
        (
            Tensor::from([[0.1, 0.2], [0.3, 10.0]]),
            "[[ 0.1  0.2]\n [ 0.3 10. ]]",
        ),
        (Tensor::from([1e-5, 1.0]), "[1.e-05 1.e+00]"),
        (Tensor::from([1e10, 1.5]), "[1.0e+10 1.5e+00]"),
        (
            Tensor::from([1e-10, 1e10, 3.0e38]),
            "[1.e-10 1.e+10 3.e+38]",
        ),
        (Tensor::from([123456.0, 1000.0]), "[123456.   1000.]"),
        (
            Tensor::from([1234567.0, 1000000.0]),
            "[1.234567e+06 1.000000e+06]",
        ),
        (Tensor::from([0.0, 0.0]), "[0. 0.]"),
        (Tensor::from([-0.0, 1.0]), "[-0.  1.]"),
        (
            Tensor::from([f32::NAN, 1.0, f32::INFINITY]),
            "[nan  1. inf]",
        ),
        (
            Tensor::from([f32::NAN, 1.25, f32::NEG_INFINITY]),
            "[ nan 1.25 -inf]",
        ),
        (Tensor::from([f32::NAN, f32::NAN]), "[nan nan]"),
        (Tensor::from([f32::NEG_INFINITY, 0.0001]), "[  -inf 0.0001]"),
        (Tensor::from([f32::NEG_INFINITY, 1e-7]), "[  -inf 1.e-07]"),
        (
            Tensor::from([0.33333334, 0.6666667, 12.123457]),
            "[ 0.33333334  0.6666667  12.123457  ]",
        ),
        (
            Tensor::from([0.33333334, 0.6666667, 12.123457]).cast(DType::F64),
            "[ 0.33333334  0.66666669 12.12345695]",
        ),
        (
            Tensor::linspace(0.0, 1.0, 7),
            "[0.         0.16666667 0.33333334 0.5        0.6666667  0.8333333\n 1.        ]",
        ),
        (
            Tensor::arange(0.0, 30.0, 1.0),
            "[ 0.  1.  2.  3.  4.  5.  6.  7.  8.  9. 10. 11. 12. 13. 14. 15. 16. 17.\n 18. 19. 20. 21. 22. 23. 24. 25. 26. 27. 28. 29.]",
        ),
        (
            Tensor::arange(0.0, 1001.0, 1.0),
            "[   0.    1.    2. ...  998.  999. 1000.]",
        ),
        (
            Tensor::arange(0.0, 2.0, 0.001).reshape([40, 50]),
            "[[0.000e+00 1.000e-03 2.000e-03 ... 4.700e-02 4.800e-02 4.900e-02]\n [5.000e-02 5.100e-02 5.200e-02 ... 9.700e-02 9.800e-02 9.900e-02]\n [1.000e-01 1.010e-01 1.020e-01 ... 1.470e-01 1.480e-01 1.490e-01]\n ...\n [1.850e+00 1.851e+00 1.852e+00 ... 1.897e+00 1.898e+00 1.899e+00]\n [1.900e+00 1.901e+00 1.902e+00 ... 1.947e+00 1.948e+00 1.949e+00]\n [1.950e+00 1.951e+00 1.952e+00 ... 1.997e+00 1.998e+00 1.999e+00]]",
        ),
        (
            Tensor::arange(0.0, 24.0, 1.0).reshape([2, 3, 4]),
            "[[[ 0.  1.  2.  3.]\n  [ 4.  5.  6.  7.]\n  [ 8.  9. 10. 11.]]\n\n [[12. 13. 14. 15.]\n  [16. 17. 18. 19.]\n  [20. 21. 22. 23.]]]",
        ),
        (
            Tensor::arange(0.0, 2400.0, 1.0).reshape([2, 30, 40]),
            "[[[0.000e+00 1.000e+00 2.000e+00 ... 3.700e+01 3.800e+01 3.900e+01]\n  [4.000e+01 4.100e+01 4.200e+01 ... 7.700e+01 7.800e+01 7.900e+01]\n  [8.000e+01 8.100e+01 8.200e+01 ... 1.170e+02 1.180e+02 1.190e+02]\n  ...\n  [1.080e+03 1.081e+03 1.082e+03 ... 1.117e+03 1.118e+03 1.119e+03]\n  [1.120e+03 1.121e+03 1.122e+03 ... 1.157e+03 1.158e+03 1.159e+03]\n  [1.160e+03 1.161e+03 1.162e+03 ... 1.197e+03 1.198e+03 1.199e+03]]\n\n [[1.200e+03 1.201e+03 1.202e+03 ... 1.237e+03 1.238e+03 1.239e+03]\n  [1.240e+03 1.241e+03 1.242e+03 ... 1.277e+03 1.278e+03 1.279e+03]\n  [1.280e+03 1.281e+03 1.282e+03 ... 1.317e+03 1.318e+03 1.319e+03]\n  ...\n  [2.280e+03 2.281e+03 2.282e+03 ... 2.317e+03 2.318e+03 2.319e+03]\n  [2.320e+03 2.321e+03 2.322e+03 ... 2.357e+03 2.358e+03 2.359e+03]\n  [2.360e+03 2.361e+03 2.362e+03 ... 2.397e+03 2.398e+03 2.399e+03]]]",
        ),
        (
            Tensor::arange(0.0, 1200.0, 1.0).reshape([10, 2, 3, 20]),
            "[[[[0.000e+00 1.000e+00 2.000e+00 ... 1.700e+01 1.800e+01 1.900e+01]\n   [2.000e+01 2.100e+01 2.200e+01 ... 3.700e+01 3.800e+01 3.900e+01]\n   [4.000e+01 4.100e+01 4.200e+01 ... 5.700e+01 5.800e+01 5.900e+01]]\n\n  [[6.000e+01 6.100e+01 6.200e+01 ... 7.700e+01 7.800e+01 7.900e+01]\n   [8.000e+01 8.100e+01 8.200e+01 ... 9.700e+01 9.800e+01 9.900e+01]\n   [1.000e+02 1.010e+02 1.020e+02 ... 1.170e+02 1.180e+02 1.190e+02]]]\n\n\n [[[1.200e+02 1.210e+02 1.220e+02 ... 1.370e+02 1.380e+02 1.390e+02]\n   [1.400e+02 1.410e+02 1.420e+02 ... 1.570e+02 1.580e+02 1.590e+02]\n   [1.600e+02 1.610e+02 1.620e+02 ... 1.770e+02 1.780e+02 1.790e+02]]\n\n  [[1.800e+02 1.810e+02 1.820e+02 ... 1.970e+02 1.980e+02 1.990e+02]\n   [2.000e+02 2.010e+02 2.020e+02 ... 2.170e+02 2.180e+02 2.190e+02]\n   [2.200e+02 2.210e+02 2.220e+02 ... 2.370e+02 2.380e+02 2.390e+02]]]\n\n\n [[[2.400e+02 2.410e+02 2.420e+02 ... 2.570e+02 2.580e+02 2.590e+02]\n   [2.600e+02 2.610e+02 2.620e+02 ... 2.770e+02 2.780e+02 2.790e+02]\n   [2.800e+02 2.810e+02 2.820e+02 ... 2.970e+02 2.980e+02 2.990e+02]]\n\n  [[3.000e+02 3.010e+02 3.020e+02 ... 3.170e+02 3.180e+02 3.190e+02]\n   [3.200e+02 3.210e+02 3.220e+02 ... 3.370e+02 3.380e+02 3.390e+02]\n   [3.400e+02 3.410e+02 3.420e+02 ... 3.570e+02 3.580e+02 3.590e+02]]]\n\n\n ...\n\n\n [[[8.400e+02 8.410e+02 8.420e+02 ... 8.570e+02 8.580e+02 8.590e+02]\n   [8.600e+02 8.610e+02 8.620e+02 ... 8.770e+02 8.780e+02 8.790e+02]\n   [8.800e+02 8.810e+02 8.820e+02 ... 8.970e+02 8.980e+02 8.990e+02]]\n\n  [[9.000e+02 9.010e+02 9.020e+02 ... 9.170e+02 9.180e+02 9.190e+02]\n   [9.200e+02 9.210e+02 9.220e+02 ... 9.370e+02 9.380e+02 9.390e+02]\n   [9.400e+02 9.410e+02 9.420e+02 ... 9.570e+02 9.580e+02 9.590e+02]]]\n\n\n [[[9.600e+02 9.610e+02 9.620e+02 ... 9.770e+02 9.780e+02 9.790e+02]\n   [9.800e+02 9.810e+02 9.820e+02 ... 9.970e+02 9.980e+02 9.990e+02]\n   [1.000e+03 1.001e+03 1.002e+03 ... 1.017e+03 1.018e+03 1.019e+03]]\n\n  [[1.020e+03 1.021e+03 1.022e+03 ... 1.037e+03 1.038e+03 1.039e+03]\n   [1.040e+03 1.041e+03 1.042e+03 ... 1.057e+03 1.058e+03 1.059e+03]\n   [1.060e+03 1.061e+03 1.062e+03 ... 1.077e+03 1.078e+03 1.079e+03]]]\n\n\n [[[1.080e+03 1.081e+03 1.082e+03 ... 1.097e+03 1.098e+03 1.099e+03]\n   [1.100e+03 1.101e+03 1.102e+03 ... 1.117e+03 1.118e+03 1.119e+03]\n   [1.120e+03 1.121e+03 1.122e+03 ... 1.137e+03 1.138e+03 1.139e+03]]\n\n  [[1.140e+03 1.141e+03 1.142e+03 ... 1.157e+03 1.158e+03 1.159e+03]\n   [1.160e+03 1.161e+03 1.162e+03 ... 1.177e+03 1.178e+03 1.179e+03]\n   [1.180e+03 1.181e+03 1.182e+03 ... 1.197e+03 1.198e+03 1.199e+03]]]]",
        ),
        (Tensor::from([1_u8, 20, 255]), "[  1  20 255]"),
        (Tensor::from([[-1_i64, 20], [3, 4]]), "[[-1 20]\n [ 3  4]]"),
        (Tensor::from([true, false]), "[ True False]"),
        (Tensor::from([true, true]), "[ True  True]"),
        (Tensor::from(1.5_f32), "1.5"),
        (Tensor::from(1.0_f32), "1.0"),
        (Tensor::from(0.1_f32), "0.1"),
        (Tensor::from(1e-5_f32), "1e-05"),
        (Tensor::from(1.25e-7_f32), "1.25e-07"),
        (Tensor::from(3e20_f32), "3e+20"),
        (Tensor::from(123456.7_f32), "123456.7"),
        (Tensor::from(f32::NAN), "nan"),
        (Tensor::from(-7_i64), "-7"),
        (Tensor::from(true), "True"),
        (Tensor::zeros([0]), "[]"),
        (Tensor::zeros([2, 0, 3]), "[]"),
        (Tensor::from([[1.0]]), "[[1.]]"),
        (
            Tensor::eye(3) * 1e-3,
            "[[0.001 0.    0.   ]\n [0.    0.001 0.   ]\n [0.    0.    0.001]]",
        ),
        (
            Tensor::from([16777216.0, 0.5]),
            "[1.6777216e+07 5.0000000e-01]",
        ),
        (
            Tensor::from([1e-45, 3.4028235e38]),
            "[1.4012985e-45 3.4028235e+38]",
        ),
        (
            Tensor::arange(0.0, 20.0, 1.0)
                .cast(DType::U8)
                .reshape([2, 10]),
            "[[ 0  1  2  3  4  5  6  7  8  9]\n [10 11 12 13 14 15 16 17 18 19]]",
        ),
        (
            (Tensor::arange(0.0, 56.0, 1.0) / 3.0).reshape([2, 28]),
            "[[ 0.          0.33333334  0.6666667   1.          1.3333334   1.6666666\n   2.          2.3333333   2.6666667   3.          3.3333333   3.6666667\n   4.          4.3333335   4.6666665   5.          5.3333335   5.6666665\n   6.          6.3333335   6.6666665   7.          7.3333335   7.6666665\n   8.          8.333333    8.666667    9.        ]\n [ 9.333333    9.666667   10.         10.333333   10.666667   11.\n  11.333333   11.666667   12.         12.333333   12.666667   13.\n  13.333333   13.666667   14.         14.333333   14.666667   15.\n  15.333333   15.666667   16.         16.333334   16.666666   17.\n  17.333334   17.666666   18.         18.333334  ]]",
        ),
        (
            Tensor::arange(0.0, 6.0, 1.0).reshape([2, 3]).transpose(),
            "[[0. 3.]\n [1. 4.]\n [2. 5.]]",
        ),
    ];
    for (index, (tensor, expected)) in cases.iter().enumerate() {
        assert_eq!(tensor.to_string(), *expected, "case {index}");
    }
}

/// See tests/parity/make_printing.py.
#[test]
fn prints_what_numpy_printed() {
    let cases = include_str!("../../../tests/parity/printing.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(cases).unwrap();
    assert!(cases.len() > 300);
    for (index, case) in cases.iter().enumerate() {
        let list = |key: &str| case[key].as_array().unwrap();
        let shape: Vec<usize> = list("shape")
            .iter()
            .map(|n| n.as_u64().unwrap() as usize)
            .collect();
        let values = list("values").iter().map(|text| text.as_str().unwrap());
        let (float, dtype) = match case["dtype"].as_str().unwrap() {
            "f32" => (true, DType::F32),
            "f64" => (true, DType::F64),
            "u8" => (false, DType::U8),
            "i32" => (false, DType::I32),
            "i64" => (false, DType::I64),
            _ => (false, DType::Bool),
        };
        let tensor = if float {
            let values = values.map(|text| text.parse().unwrap()).collect();
            Tensor::from_shape_vec_f64(shape, values).unwrap()
        } else {
            let values = values.map(|text| text.parse().unwrap()).collect();
            Tensor::from_shape_vec_i64(shape, values).unwrap()
        };
        let text = tensor.cast(dtype).to_string();
        assert_eq!(
            text,
            case["text"].as_str().unwrap(),
            "case {index} of {dtype}"
        );
    }
}

#[test]
fn of_many_rows_the_first_and_the_last_are_printed_with_all_their_columns() {
    let table = Tensor::arange(0.0, 400.0, 1.0).reshape([50, 8]);
    let text = table.to_string();
    assert_eq!(text.lines().count(), 7, "{text}");
    assert!(
        text.contains("\n ...\n") && text.contains("[  8.   9.  10.  11.  12.  13.  14.  15.]")
    );
    assert_eq!(format!("{table:#}").lines().count(), 50);
    let few = Tensor::zeros([40, 2]);
    assert_eq!(few.to_string().lines().count(), 40);
    // A line holds few numbers of many digits.
    let long = Tensor::arange(0.0, 900.0, 1.0) / 7.0;
    assert!(long.to_string().contains(" ... "));
    let deep = Tensor::zeros([60, 2, 4]).to_string();
    assert!(
        deep.lines().count() <= 40 && deep.contains("\n\n ...\n\n"),
        "{deep}"
    );
}

#[test]
fn debug_names_type_and_shape() {
    let tensor = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    assert_eq!(
        format!("{tensor:?}"),
        "Tensor f32 [2, 3]\n[[1. 2. 3.]\n [4. 5. 6.]]"
    );
    assert_eq!(format!("{:-?}", (1, tensor.slice(0))), "(1, [1. 2. 3.])");
}

#[test]
fn sparse_rows_print_without_becoming_dense() {
    // Made dense, these would take 40 GB.
    let rows = vec![vec![0, 9_999_999]; 1000];
    let tensor = Tensor::from_sparse_rows(10_000_000, &rows).unwrap();
    assert!(
        tensor
            .to_string()
            .starts_with("[[1. 0. 0. ... 0. 0. 1.]\n [1.")
    );
}
