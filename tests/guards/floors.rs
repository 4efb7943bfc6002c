//! Which floor each top-level module of `src/` stands on, and who may import whom.

use super::File;

/// Module and floor. A module imports from lower floors; on its own floor it uses only what the other's `mod.rs`
/// re-exports. The four shared capabilities stand in a row of their own.
const FLOORS: [(&str, u8); 39] = [
    ("kernel", 0),
    ("config", 10),
    ("platform", 20),
    ("http", 30),
    ("outbox", 40),
    ("audit", 41),
    ("push", 42),
    ("identity", 42),
    ("consent", 43),
    ("customer", 50),
    ("worker", 50),
    ("staff", 50),
    ("catalog", 50),
    ("notice", 50),
    ("notify", 50),
    ("booking", 60),
    ("payment", 60),
    ("wallet", 50),
    ("workorder", 60),
    ("photo", 60),
    ("rating", 60),
    ("complaint", 60),
    ("process", 60),
    ("content", 65),
    ("rule", 65),
    ("intake", 65),
    ("benefit", 70),
    ("referral", 70),
    ("crm", 70),
    ("matching", 70),
    ("report", 80),
    ("app", 90),
    ("demo", 100),
    ("bench", 100),
    ("cli", 100),
    ("main", 110),
    ("lib", 110),
    ("bin", 110),
    ("build", 110),
];

/// From here on a module is a room: others see only what its `mod.rs` re-exports.
const FIRST_ROOM: u8 = 50;

/// The engine is pure: whatever its floor, it imports the kernel alone.
const PURE: (&str, &str) = ("rule", "kernel");

fn floor(module: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, floor)| *floor)
}

/// All imports of `files` that go the wrong way, and modules that stand on no floor.
pub(crate) fn check(files: &[File]) -> Vec<String> {
    let mut offences = Vec::new();
    let mut homeless = Vec::new();
    for file in files {
        let Some(home) = file.module() else { continue };
        let Some(mine) = floor(&home) else {
            if !homeless.contains(&home) {
                offences.push(format!(
                    "{}:1: module {home} stands on no floor; add it to tests/guards/floors.rs",
                    file.path
                ));
                homeless.push(home);
            }
            continue;
        };
        for path in file.imports() {
            if let Some(what) = judge(&home, mine, &path.segments) {
                offences.push(format!("{}:{}: {what}", file.path, path.line));
            }
        }
    }
    offences
}

/// What is wrong with `home` using the path `segments` (from the crate root on), if anything.
fn judge(home: &str, mine: u8, segments: &[String]) -> Option<String> {
    let (module, rest) = segments.split_first()?;
    if module == home {
        return None;
    }
    let path = segments.join("::");
    let Some(theirs) = floor(module) else {
        return Some(format!(
            "crate::{path}: {module} stands on no floor; add it to tests/guards/floors.rs"
        ));
    };
    if home == PURE.0 && module != PURE.1 {
        return Some(format!(
            "crate::{path}: {home} is pure and may use crate::{} alone",
            PURE.1
        ));
    }
    if theirs > mine {
        return Some(format!(
            "crate::{path}: {module} stands above {home}; send an event instead"
        ));
    }
    // `crate::payment::refund` is a function, `crate::payment::Paid::New` a variant, `crate::payment::store::find` a back door.
    let inside = rest.len() > 1
        && rest
            .first()
            .is_some_and(|name| name.starts_with(|c: char| c.is_lowercase()));
    (theirs >= FIRST_ROOM && inside).then(|| {
        format!("crate::{path}: only what {module}/mod.rs re-exports may be used from outside")
    })
}
