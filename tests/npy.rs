//! `.npy` files are NumPy's: what we write is byte for byte what `np.save` writes, what it writes
//! we read, and hostile headers give errors. The files in `data/npy` were made with NumPy 2.4.6.

use std::path::{Path, PathBuf};

use tagwalk::format::npy::{self, Array, Element, Header};

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/npy").join(name)
}

/// Reads NumPy's file, expects these values, writes them and expects NumPy's bytes.
fn round_trip<T: Element + PartialEq + std::fmt::Debug>(name: &str, shape: &[usize], values: &[T]) {
    let array = Array::<T>::open(&recorded(name)).unwrap();
    assert_eq!(array.shape(), shape, "{name}");
    assert_eq!(&array[..], values, "{name}");
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join(name);
    npy::write(&ours, shape, values).unwrap();
    assert_eq!(std::fs::read(ours).unwrap(), std::fs::read(recorded(name)).unwrap(), "{name}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn same_bytes_as_numpy() {
    round_trip::<u8>("u1.npy", &[2, 3], &[1, 2, 3, 250, 0, 255]);
    round_trip::<i16>("i2.npy", &[5], &[-32768, -1, 0, 1, 32767]);
    round_trip::<u32>("u4.npy", &[2, 1], &[0, u32::MAX]);
    round_trip::<u64>("u8.npy", &[3], &[0, 1 << 40, u64::MAX]);
    round_trip::<f32>("f4.npy", &[2, 2], &[0.1, -2.5, f32::INFINITY, 1e-40]);
    round_trip::<u64>("empty.npy", &[0, 3], &[]);
}

#[test]
fn other_versions_and_orders() {
    assert_eq!(Array::<f32>::open(&recorded("v2.npy")).unwrap()[..], [0.0, 1.0, 2.0]);
    let refused = |name| Array::<f32>::open(&recorded(name)).err().unwrap().to_string();
    assert!(refused("fortran.npy").contains("ascontiguousarray"));
    assert!(refused("big_endian.npy").contains(">f4"));
    assert!(refused("u4.npy").contains("holds <u4, not <f4"));
}

#[test]
fn hostile_headers_are_errors() {
    let open = |bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        std::fs::write(&path, bytes).unwrap();
        Array::<f32>::open(&path).map(|a| a.len()).map_err(|e| e.to_string())
    };
    let with = |dict: &str, data: usize| {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((dict.len() as u16).to_le_bytes());
        bytes.extend(dict.as_bytes());
        bytes.extend(vec![0; data]);
        open(&bytes)
    };
    // 54 bytes with the line's end, and 10 before them: the data begins at 64.
    let good = "{'descr':'<f4','fortran_order': False,'shape': (2,)} \n";
    assert_eq!(good.len(), 54);
    assert_eq!(with(good, 8), Ok(2));
    for dict in [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': 2, 'shape': (2,)}",
        "",
    ] {
        assert!(with(dict, 8).is_err(), "{dict}");
    }
    let whole = std::fs::read(recorded("f4.npy")).unwrap();
    for length in 0..whole.len() {
        assert!(open(&whole[..length]).is_err(), "cut to {length} bytes");
    }
    assert!(Header::parse(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}").is_err());
}
