//! The command line as an operator types it.

use std::{
    path::Path,
    process::{Command, Output},
};

fn linjian(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linjian"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("LINJIAN__HTTP__LISTEN", "127.0.0.1:0");
    command.output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_demo_holds_in_both_languages_and_may_run_twice_in_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = linjian(folder.path(), &["demo", "--exit"]);
    assert_eq!(
        first.status.code(),
        Some(0),
        "{}{}",
        out(&first),
        err(&first)
    );
    assert!(out(&first).contains("每一步都成立"));
    assert!(!out(&first).contains('✗'));
    let second = linjian(folder.path(), &["demo", "--exit", "--lang", "en"]);
    assert_eq!(
        second.status.code(),
        Some(0),
        "{}{}",
        out(&second),
        err(&second)
    );
    assert!(out(&second).contains("Every step held"));
    assert!(
        out(&second).contains("0 past visits added"),
        "the company was made again"
    );
}

#[test]
fn what_was_typed_wrong_is_one_sentence_and_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [&[&str]; 8] = [
        &["fly"],
        &["demo", "--lang", "fr"],
        &["staff", "add", "--username", "wang", "--role", "boss"],
        &["ruleset", "check", "not-there.json"],
        &["ruleset", "diff", "not-there.json", "nor-there.json"],
        &["ruleset", "export", "version-three"],
        &["ruleset", "import", "not-there.json", "--by", "wang"],
        &["--config", "not-there.toml", "migrate"],
    ];
    for case in cases {
        let answer = linjian(folder.path(), case);
        assert_eq!(answer.status.code(), Some(2), "{case:?}: {}", err(&answer));
        assert!(!err(&answer).trim().is_empty(), "{case:?} says nothing");
        assert!(out(&answer).is_empty(), "{case:?}: {}", out(&answer));
    }
    let unknown = linjian(folder.path(), &["fly"]);
    assert_eq!(err(&unknown).trim().lines().count(), 1, "{}", err(&unknown));
}

#[test]
fn all_faults_of_the_settings_are_listed_at_once_with_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.toml");
    std::fs::write(
        &file,
        "[http]\nlisten = \"nowhere\"\ncolour = \"red\"\n[auth]\naccess_ttl = \"PT1H\"\n[queue]\nclaim_after = \"soon\"\n",
    )
    .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_linjian"));
    command.args(["--config", file.to_str().unwrap(), "serve"]);
    let answer = command
        .env("LINJIAN__DATABASE__MAX_CONNECTIONS", "many")
        .output()
        .unwrap();
    assert_eq!(answer.status.code(), Some(2));
    for key in [
        "http.listen",
        "http.colour",
        "auth.access_ttl",
        "queue.claim_after",
        "database.max_connections",
    ] {
        assert!(
            err(&answer).contains(key),
            "{key} is missing in {}",
            err(&answer)
        );
    }
}

#[test]
fn a_first_login_is_made_once_and_its_password_shown_once() {
    let folder = tempfile::tempdir().unwrap();
    let add = [
        "staff",
        "add",
        "--username",
        "wang",
        "--role",
        "manager",
        "--role",
        "service",
    ];
    let first = linjian(folder.path(), &add);
    assert_eq!(first.status.code(), Some(0), "{}", err(&first));
    assert!(out(&first).contains("密码"));
    let again = linjian(folder.path(), &add);
    assert_eq!(again.status.code(), Some(2), "the name is taken");
    assert!(!out(&again).contains("密码"));
    let doctor = linjian(folder.path(), &["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{}", out(&doctor));
    assert!(
        out(&doctor).matches('✓').count() >= 11 && !out(&doctor).contains('✗'),
        "{}",
        out(&doctor)
    );
    let dead = linjian(folder.path(), &["dead-letters", "list"]);
    assert_eq!(
        (dead.status.code(), out(&dead).trim()),
        (Some(0), "共 0 个")
    );
    #[cfg(unix)]
    for key in ["field.key", "jwt.key"] {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join("data/keys").join(key);
        if let Ok(about) = std::fs::metadata(path) {
            assert_eq!(about.permissions().mode() & 0o777, 0o600, "{key}");
        }
    }
}

#[test]
fn a_rule_set_file_is_checked_and_each_finding_cites_its_clause() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = root.join("config/rulesets/default.json");
    let good = linjian(
        folder.path(),
        &["ruleset", "check", shipped.to_str().unwrap()],
    );
    assert_eq!(good.status.code(), Some(0), "{}", out(&good));
    let text = std::fs::read_to_string(shipped).unwrap();
    let bad = folder.path().join("bad.json");
    std::fs::write(
        &bad,
        text.replace("rating.score\", \"op\"", "referral.share_count\", \"op\""),
    )
    .unwrap();
    let refused = linjian(folder.path(), &["ruleset", "check", bad.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1), "{}", out(&refused));
    assert!(out(&refused).contains("REF-L08"), "{}", out(&refused));
    let nonsense = folder.path().join("nonsense.json");
    std::fs::write(&nonsense, "{").unwrap();
    let refused = linjian(
        folder.path(),
        &["ruleset", "check", nonsense.to_str().unwrap()],
    );
    assert_eq!(refused.status.code(), Some(1), "{}", out(&refused));
}

#[test]
fn rule_sets_are_compared_taken_out_and_kept_as_files() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        linjian(
            folder.path(),
            &[["--config", "shop.toml"].as_slice(), arguments].concat(),
        )
    };
    // The demo's database: a first start has installed the shipped rules there.
    std::fs::write(
        folder.path().join("shop.toml"),
        "data_dir = \"data/demo\"\n",
    )
    .unwrap();
    let early = run(&["ruleset", "diff", "live", "v1"]);
    assert_eq!(early.status.code(), Some(2), "1 would be a difference");
    let demo = linjian(folder.path(), &["demo", "--exit"]);
    assert_eq!(demo.status.code(), Some(0), "{}", err(&demo));
    let add = ["staff", "add", "--username", "wang", "--role", "marketing"];
    assert_eq!(run(&add).status.code(), Some(0));
    let out_file = run(&["ruleset", "export", "live", "--out", "live.json"]);
    assert_eq!(out_file.status.code(), Some(0), "{}", err(&out_file));
    let printed = run(&["ruleset", "export"]);
    let live = std::fs::read_to_string(folder.path().join("live.json")).unwrap();
    assert_eq!(out(&printed), live);
    let same = run(&["ruleset", "diff", "live", "live.json"]);
    assert_eq!(
        (same.status.code(), out(&same).trim()),
        (Some(0), "没有差别")
    );
    let checked = run(&["ruleset", "check", "live.json"]);
    assert_eq!(checked.status.code(), Some(0), "{}", out(&checked));

    let changed = live.replace("\"fen\": 2000", "\"fen\": 1500");
    assert_ne!(changed, live);
    std::fs::write(folder.path().join("less.json"), changed).unwrap();
    let differs = linjian(
        folder.path(),
        &["ruleset", "diff", "live.json", "less.json"],
    );
    assert_eq!(differs.status.code(), Some(1), "{}", err(&differs));
    assert!(
        out(&differs).starts_with("↓ 权益 thanks"),
        "{}",
        out(&differs)
    );
    let json = run(&["ruleset", "diff", "live", "less.json", "--json"]);
    assert_eq!(json.status.code(), Some(1), "{}", err(&json));
    let told: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(told["lowered"], true, "{told}");

    let nobody = run(&["ruleset", "import", "less.json", "--by", "li"]);
    assert_eq!(nobody.status.code(), Some(2), "{}", err(&nobody));
    let kept = run(&["ruleset", "import", "less.json", "--by", "wang"]);
    assert_eq!(kept.status.code(), Some(0), "{}", err(&kept));
    let version = out(&kept).trim().rsplit(' ').next().unwrap().to_owned();
    let stored = run(&["ruleset", "diff", &version, "less.json"]);
    assert_eq!(
        stored.status.code(),
        Some(0),
        "{}{}",
        out(&stored),
        err(&stored)
    );
    std::fs::write(folder.path().join("broken.json"), "{\"schema\": 1}").unwrap();
    let broken = run(&["ruleset", "import", "broken.json", "--by", "wang"]);
    assert_eq!(broken.status.code(), Some(2), "{}", err(&broken));
    // Logs come before it.
    let told = err(&broken);
    assert!(
        told.trim().lines().last().unwrap().contains("缺少“name”"),
        "{told}"
    );
    let missing = run(&["ruleset", "diff", "v99", "live"]);
    assert_eq!(missing.status.code(), Some(2), "{}", err(&missing));
}
