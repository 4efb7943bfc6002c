//! Nothing secret and nobody's openid in any log line, whatever the level (spec 1, SEC-29).

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
};

/// What must not be found, with a name for the failure.
fn secrets(data: &std::path::Path) -> Vec<(&'static str, String)> {
    let text = |path: &str| fs::read_to_string(data.join(path)).unwrap();
    let keys: serde_json::Value = serde_json::from_str(&text("sandbox/keys.json")).unwrap();
    let mut found = vec![
        (
            "app secret",
            keys["app_secret"].as_str().unwrap().to_owned(),
        ),
        ("APIv3 key", keys["apiv3_key"].as_str().unwrap().to_owned()),
    ];
    for name in ["merchant_key_pem", "platform_key_pem"] {
        let lines = keys[name].as_str().unwrap().lines();
        found.extend(
            lines
                .filter(|line| line.len() == 64)
                .map(|line| ("private key", line.to_owned())),
        );
    }
    let journal = text("sandbox/journal.jsonl");
    let openids: BTreeSet<&str> = journal
        .split("\"openid\":\"")
        .skip(1)
        .filter_map(|part| part.split('"').next())
        .collect();
    assert!(openids.len() > 1, "the story has people in it");
    found.extend(openids.into_iter().map(|id| ("openid", id.to_owned())));
    found
}

#[test]
fn the_whole_story_at_trace_level_tells_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let status = Command::new(env!("CARGO_BIN_EXE_linjian"))
        .args(["demo", "--exit"])
        .current_dir(folder.path())
        .env("LINJIAN__HTTP__LISTEN", "127.0.0.1:0")
        .env("LINJIAN__LOG__FILTER", "trace")
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    let log = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
    assert!(log.lines().count() > 1_000, "the log is there");
    for (name, secret) in secrets(&folder.path().join("data/demo")) {
        let line = log.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "{name}: {line:?}");
    }
    // A token of the sandbox, a session key (16 bytes in base64), a JWT, a signature header, a query with a secret in it.
    for piece in log.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=_-.".contains(c))) {
        let base64 = piece.trim_matches(['-', '_', '.']);
        assert!(
            !(base64.len() == 24 && base64.ends_with("==")),
            "a session key? {piece}"
        );
        assert!(
            !piece.starts_with("sandbox_") || piece.len() < 20,
            "a token: {piece}"
        );
        assert!(
            !(piece.starts_with("eyJ") && piece.len() > 60),
            "a JWT: {piece}"
        );
    }
    for word in [
        "access_token=",
        "secret=",
        "js_code=",
        "WECHATPAY2-SHA256-RSA2048 mchid",
    ] {
        assert!(!log.contains(word), "{word}");
    }
}
