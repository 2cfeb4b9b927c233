//! Against NumPy: `fixtures/keras.json` holds what NumPy 2.4 and Keras 3.15's `load_data` give.

use serde_json::Value;

use super::mt19937::RandomState;

pub(super) fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/keras.json")).unwrap()
}

#[test]
fn random_state_gives_numpys_bits() {
    let mut random = RandomState::new(113);
    let bits: Vec<u32> = (0..5).map(|_| random.next_u32()).collect();
    assert_eq!(Value::from(bits), fixture()["random"]["bits"]);
}

#[test]
fn shuffles_land_in_numpys_order() {
    let mut random = RandomState::new(113);
    assert_eq!(Value::from(random.shuffled(10)), fixture()["random"]["ten"]);
    let order = random.shuffled(25_000);
    assert_eq!(Value::from(&order[..10]), fixture()["random"]["then_25000"]);
    let checksum: usize = order
        .iter()
        .zip(1..)
        .map(|(value, place)| value * place)
        .sum();
    assert_eq!(Value::from(checksum), fixture()["random"]["checksum"]);
}
