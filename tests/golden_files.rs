//! The golden files mean what the network's tables say: their tensors are exactly the parameters and
//! statistics of the architecture in their JSON, and going through the flat tensors loses nothing.

mod common;

use common::golden;
use tagwalk::network::Parameters;

#[test]
fn every_golden_file_is_the_network_it_describes() {
    let problems = golden::all();
    for name in ["tiny", "tiny_odd", "tiny_m2", "tiny_long", "wide"] {
        assert!(problems.iter().any(|g| g.name == name), "{name} is missing from tests/golden");
    }
    for g in &problems {
        println!("{}", g.name);
        let table = Parameters::new(&g.network).unwrap();
        assert_eq!(g.shape("waveform"), [g.hyper.steps, g.batch, g.network.clip_length]);
        assert_eq!(g.shape("dropout.mask"), [g.hyper.steps, g.batch, table.features()]);
        assert_eq!(g.shape("eval.waveform")[1], g.network.clip_length);
        for prefix in ["before.", "grad.", "after1.", "after.", "after.momentum."] {
            for back in table.export(&g.parameters(&table, prefix)) {
                assert_eq!(back.values, g.values(&format!("{prefix}{}", back.name)), "{} {prefix}{}", g.name, back.name);
            }
        }
        for back in table.export_running(&g.running(&table, "after.", true)) {
            assert_eq!(back.values, g.values(&format!("after.{}", back.name)));
        }
        for (i, lengths) in g.network.lengths().unwrap().iter().enumerate() {
            if g.has(&format!("act.{i}")) {
                assert_eq!(g.shape(&format!("act.{i}")), [g.batch, g.network.layers[i].cout, lengths.output]);
            }
        }
    }
}

/// The bounds are those of `golden/README.md`: the file's own tensors hold, a part in ten thousand
/// more does not, and neither does not-a-number.
#[test]
fn bounds_separate_right_from_wrong() {
    for g in golden::all().iter().filter(|g| ["tiny", "tiny_odd", "tiny_m2", "tiny_long"].contains(&g.name.as_str())) {
        let names: Vec<&str> =
            g.names().filter(|n| n.starts_with("after") || n.starts_with("grad") || n.starts_with("act")).collect();
        let same: Vec<_> = names.iter().map(|n| g.compare(n, g.values(n))).collect();
        golden::assert_all(&same);
        for name in names {
            let off: Vec<f32> = g.values(name).iter().map(|v| v * 1.0001 + if *v == 0.0 { 1e-3 } else { 0.0 }).collect();
            let zero = g.values(name).iter().all(|v| v.abs() < 1e-12);
            assert!(zero || !g.compare(name, &off).holds(), "{} {name}", g.name);
            let nan = vec![f32::NAN; off.len()];
            assert!(!g.compare(name, &nan).holds(), "{} {name}", g.name);
        }
    }
}
