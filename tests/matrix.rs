//! Tables of numbers are read as numpy wrote them: every plain type, both byte orders, C and
//! Fortran order (`tests/data/make_matrices.py`); anything else, damaged files included, is an error.

use rand::RngExt;
use serde_json::Value;
use tagwalk::format::matrix::{Matrix, Values};
use tagwalk::random::{Purpose, generator};

fn cases() -> Vec<(Value, Vec<u8>)> {
    let file: Vec<Value> = serde_json::from_str(include_str!("data/matrices.json")).unwrap();
    let bytes = |case: &Value| {
        let hex = case["hex"].as_str().unwrap();
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    };
    file.into_iter().map(|case| (bytes(&case), case)).map(|(b, c)| (c, b)).collect()
}

#[test]
fn every_type_and_order_of_numpy() {
    let table = vec![0.0, 1.0, 1.0, 1.0, 0.0, 1.0];
    for (case, bytes) in cases() {
        let what = format!("{} {} fortran {}", case["type"], case["shape"], case["fortran"]);
        if case["refused"] == true {
            assert!(Matrix::parse(&bytes).is_err(), "{what}");
            continue;
        }
        let matrix = Matrix::parse(&bytes).unwrap_or_else(|e| panic!("{what}: {e:?}"));
        assert_eq!(serde_json::json!(matrix.shape), case["shape"], "{what}");
        let want: Vec<f64> = case["values"].as_array().map_or(table.clone(), |v| v.iter().map(|v| v.as_f64().unwrap()).collect());
        match matrix.values {
            Values::F32(v) => {
                assert!(case["type"].as_str().unwrap().ends_with("f4"), "{what}");
                assert_eq!(v.into_iter().map(f64::from).collect::<Vec<_>>(), want, "{what}");
            }
            Values::F64(v) => assert_eq!(v, want, "{what}"),
        }
    }
}

#[test]
fn hostile_files_never_panic() {
    let cases = cases();
    let mut random = generator(1, Purpose::Synthetic, [0; 3]);
    let mut refused = 0;
    for _ in 0..30_000 {
        let mut bytes = cases[random.random_range(0..cases.len())].1.clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..4) {
                0 => bytes[at] = random.random(),
                1 => bytes[at] = b"0123456789(),'<>|L"[random.random_range(0..18)],
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, b'9'),
            }
        }
        refused += usize::from(Matrix::parse(&bytes).is_err());
    }
    assert!(refused > 15_000 && refused < 30_000, "{refused} of 30000 refused");
    // A type that begins with a letter of several bytes; rows without number, of nothing.
    let file = |header: &str| [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
    assert!(Matrix::parse(&file("{'descr': '\u{e9}f8', 'fortran_order': False, 'shape': (0, 3)}")).is_err());
    let many = Matrix::parse(&file("{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976, 0)}")).unwrap();
    assert_eq!(many.shape, [1 << 60, 0]);
    // Sizes that no memory has: refused before anything is allocated.
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }";
    let huge = [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), &[0; 64]].concat();
    assert!(Matrix::parse(&huge).is_err());
    assert!(Matrix::parse(&String::from_utf8_lossy(&huge).replace("4294967296", "0").into_bytes()).is_err());
}
