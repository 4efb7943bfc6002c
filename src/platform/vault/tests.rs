use super::*;
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use std::collections::HashSet;

const PHONE: Place = Place {
    table: "account",
    column: "phone_sealed",
    row: Uuid::from_u128(7),
};

fn vault() -> Vault {
    Vault::open([1; 32], "2026-a").unwrap()
}

#[test]
fn a_sealed_value_opens_in_its_place_and_shows_nothing() {
    let sealed = vault().seal(PHONE, "13812345678").unwrap();
    assert_eq!(vault().unseal(PHONE, &sealed).unwrap(), "13812345678");
    assert_eq!(sealed.len(), 2 + "2026-a".len() + 12 + 11 + 16);
    assert_eq!(&sealed[..8], b"\x01\x062026-a");
    assert!(!sealed.windows(4).any(|part| part == b"1381"));
    assert_ne!(sealed, vault().seal(PHONE, "13812345678").unwrap());
}

#[test]
fn a_value_moved_to_another_row_column_or_table_does_not_open() {
    let sealed = vault().seal(PHONE, "13812345678").unwrap();
    for elsewhere in [
        Place {
            row: Uuid::from_u128(8),
            ..PHONE
        },
        Place {
            column: "name_sealed",
            ..PHONE
        },
        Place {
            table: "worker",
            ..PHONE
        },
        Place {
            table: "accountphone",
            column: "_sealed",
            ..PHONE
        },
    ] {
        assert!(vault().unseal(elsewhere, &sealed).is_err(), "{elsewhere:?}");
    }
}

#[test]
fn a_derived_secret_follows_from_key_and_purpose_alone() {
    let secret = vault().derive("receipts").unwrap();
    assert_eq!(
        secret,
        Vault::open([1; 32], "other")
            .unwrap()
            .derive("receipts")
            .unwrap()
    );
    assert_ne!(secret, vault().derive("receipts 2").unwrap());
    assert_ne!(
        secret,
        Vault::open([2; 32], "2026-a")
            .unwrap()
            .derive("receipts")
            .unwrap()
    );
}

#[test]
fn the_wrong_key_does_not_open_even_under_the_same_name() {
    let sealed = vault().seal(PHONE, "x").unwrap();
    assert!(
        Vault::open([2; 32], "2026-a")
            .unwrap()
            .unseal(PHONE, &sealed)
            .is_err()
    );
    let error = Vault::open([1; 32], "2026-b")
        .unwrap()
        .unseal(PHONE, &sealed)
        .unwrap_err();
    assert!(!format!("{error:?}").contains("2026"));
}

#[test]
fn after_a_rotation_old_values_open_and_new_ones_use_the_new_key() {
    let old = vault().seal(PHONE, "梅").unwrap();
    let rotated = Vault::open([2; 32], "2026-b")
        .unwrap()
        .with_old_key("2026-a", [1; 32])
        .unwrap();
    assert_eq!(rotated.unseal(PHONE, &old).unwrap(), "梅");
    assert!(!rotated.is_current(&old) && vault().is_current(&old));
    let new = rotated.seal(PHONE, "梅").unwrap();
    assert!(rotated.is_current(&new));
    assert!(vault().unseal(PHONE, &new).is_err());
    assert_eq!(
        rotated.blind_indexes("phone", "1")[1],
        vault().blind_index("phone", "1")
    );
    assert!(rotated.with_old_key("2026-b", [3; 32]).is_err());
}

#[test]
fn a_blind_index_is_stable_per_column_and_key() {
    let index = vault().blind_index("phone", "13812345678");
    assert_eq!(index.len(), 32);
    assert_eq!(index, vault().blind_index("phone", "13812345678"));
    assert_ne!(index, vault().blind_index("phone", "13812345679"));
    assert_ne!(index, vault().blind_index("openid", "13812345678"));
    assert_ne!(
        index,
        Vault::open([2; 32], "2026-a")
            .unwrap()
            .blind_index("phone", "13812345678")
    );
}

#[test]
fn the_derivation_of_keys_never_changes() {
    // Values at rest depend on it: a change makes every stored index and envelope unreadable. The expected values
    // were computed by another implementation of HKDF, HMAC and AES-GCM.
    assert_eq!(
        hex::encode(vault().blind_index("phone", "13812345678")),
        "01ff1ad72a25c8ba7b4135239ba0e3f2ead951da49bd04c73f521dbd5343b10c"
    );
    let sealed = hex::decode(
        "0106323032362d61000102030405060708090a0b97f623bd8430cf3470d09b5df49c34dbf9e652973e58f48b263688",
    )
    .unwrap();
    assert_eq!(vault().unseal(PHONE, &sealed).unwrap(), "13812345678");
}

#[test]
fn a_key_file_is_made_once_with_mode_0600_and_read_again() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("keys/vault.key");
    let first = Vault::load_or_create(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let sealed = first.seal(PHONE, "x").unwrap();
    assert_eq!(
        Vault::load_or_create(&path)
            .unwrap()
            .unseal(PHONE, &sealed)
            .unwrap(),
        "x"
    );
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(STANDARD.decode(text.trim()).unwrap().len(), 32);
    assert!(!format!("{first:?}").contains(text.trim()));

    fs::write(&path, format!("{}\n{text}", STANDARD.encode([9; 32]))).unwrap();
    let rotated = Vault::load_or_create(&path).unwrap();
    assert_eq!(rotated.unseal(PHONE, &sealed).unwrap(), "x");
    assert!(!rotated.is_current(&sealed));
    for bad in ["", "\n", "short", "AAAA\n"] {
        fs::write(&path, bad).unwrap();
        assert!(Vault::load_or_create(&path).is_err(), "{bad:?}");
    }
}

#[test]
fn processes_that_start_at_once_end_with_the_same_key() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("vault.key");
    let ids: HashSet<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| Vault::load_or_create(&path).unwrap().current.id))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(ids.len(), 1);
}

#[test]
fn key_ids_have_a_narrow_form() {
    for bad in ["", "a b", "键", &"a".repeat(33)] {
        assert!(Vault::open([1; 32], bad).is_err(), "{bad:?}");
    }
}

#[test]
fn tokens_and_codes_are_long_unlike_and_of_their_alphabet() {
    let tokens: HashSet<String> = (0..500).map(|_| random_token(32)).collect();
    assert_eq!(tokens.len(), 500);
    assert!(
        tokens
            .iter()
            .all(|token| URL_SAFE_NO_PAD.decode(token).unwrap().len() == 32)
    );
    assert_eq!(URL_SAFE_NO_PAD.decode(random_token(1)).unwrap().len(), 16);
    let letters: HashSet<char> = (0..200)
        .flat_map(|_| random_code(26).chars().collect::<Vec<_>>())
        .collect();
    assert_eq!(
        letters,
        CODE_ALPHABET.iter().copied().map(char::from).collect()
    );
    assert_eq!(random_code(26).len(), 26);
}

#[test]
fn the_fingerprint_is_sha_256() {
    assert_eq!(
        sha256_hex(b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_sealed_comes_back(plain in any::<String>(), row in any::<u128>()) {
        let place = Place { row: Uuid::from_u128(row), ..PHONE };
        let sealed = vault().seal(place, &plain).unwrap();
        prop_assert_eq!(vault().unseal(place, &sealed).unwrap(), plain);
    }

    #[test]
    fn one_changed_bit_or_a_cut_end_does_not_open(bit in 0usize..8 * 47, cut in 0usize..47) {
        let mut sealed = vault().seal(PHONE, "13812345678").unwrap();
        prop_assert!(vault().unseal(PHONE, &sealed[..cut]).is_err());
        sealed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(vault().unseal(PHONE, &sealed).is_err());
    }

    #[test]
    fn random_bytes_do_not_open(bytes in any::<Vec<u8>>()) {
        prop_assert!(vault().unseal(PHONE, &bytes).is_err());
        prop_assert!(!vault().is_current(&bytes) || bytes.len() >= 8);
    }
}
