//! Settings: the embedded `config/default.toml`, then a file, then `LINJIAN__SECTION__KEY`.
//!
//! The default file is the schema: a key it does not have is a fault, and so is a value of another type. All faults
//! of all layers are listed at once, so that a start fails once, not once per typo.

mod address;
mod check;
mod sections;

pub use address::{is_loopback, is_notify_url, is_stand_in};
pub use sections::{
    Auth, Blob, Booking, Complaint, Controller, Crypto, Customer, Database, Http, Limits, Log,
    Photo, Queue, Referral, Settings, Shipping, TimeOfDay, Wechat, WechatMode,
};

use figment::{
    Figment,
    providers::{Env, Format, Toml},
    value::{Dict, Value},
};
use std::path::Path;

/// The manual of all settings, embedded.
pub const DEFAULT: &str = include_str!("../config/default.toml");

/// Every fault of the settings, one sentence each.
#[derive(Debug, thiserror::Error)]
#[error("设置有 {} 处错误:\n{}", .0.len(), .0.join("\n"))]
pub struct Faults(pub Vec<String>);

/// Reads all layers and checks them.
///
/// # Errors
/// All faults found, in the order of the sections.
pub fn load(file: Option<&Path>) -> Result<Settings, Faults> {
    let mut figment = Figment::from(Toml::string(DEFAULT));
    if let Some(path) = file {
        if !path.is_file() {
            return Err(Faults(vec![format!(
                "--config:没有这个文件 {}",
                path.display()
            )]));
        }
        figment = figment.merge(Toml::file_exact(path));
    }
    // As text: figment would read 02155550100 as a number and lose the zero. `conform` knows which keys are numbers.
    for (key, value) in Env::prefixed("LINJIAN__").split("__").iter() {
        figment = figment.merge((key.as_str(), value));
    }
    // The word other frameworks use for it; a deployment's own switch against playing with money.
    let production = std::env::var_os("APP_ENV").is_some_and(|word| word == "production");
    build(&figment, production)
}

/// The defaults with some keys set, as tests and the demo start them: `("http.listen", "127.0.0.1:0")`.
///
/// # Errors
/// As [`load`], without reading files or the environment.
pub fn with_overrides(overrides: &[(&str, &str)]) -> Result<Settings, Faults> {
    let mut figment = Figment::from(Toml::string(DEFAULT));
    for (key, value) in overrides {
        figment = figment.merge((*key, *value));
    }
    build(&figment, false)
}

fn build(figment: &Figment, production: bool) -> Result<Settings, Faults> {
    let fault =
        |error: figment::Error| Faults(error.into_iter().map(|one| one.to_string()).collect());
    let schema: Dict = Figment::from(Toml::string(DEFAULT))
        .extract()
        .map_err(fault)?;
    let found: Dict = figment.extract().map_err(fault)?;
    let mut faults = Vec::new();
    let merged = conform(&schema, found, "", &mut faults);
    let settings = extract(&schema, merged, &mut faults);
    if let Some(settings) = &settings {
        check::settings(settings, production, &mut faults);
    }
    match settings {
        Some(settings) if faults.is_empty() => Ok(settings),
        _ => Err(Faults(faults)),
    }
}

/// Reads the typed settings. A value that is of the right kind but not of its form (a span, a range) is named and its
/// default taken, until nothing is left to complain about: one start shows every fault.
fn extract(schema: &Dict, mut merged: Dict, faults: &mut Vec<String>) -> Option<Settings> {
    fill(schema, &mut merged);
    // Each round settles at least one key, and there are fewer keys than this.
    for _ in 0..500 {
        let typed = Figment::from(figment::providers::Serialized::defaults(merged.clone()));
        let error = match typed.extract::<Settings>() {
            Ok(settings) => return Some(settings),
            Err(error) => error,
        };
        for one in error {
            faults.push(format!("{}:{}", one.path.join("."), one.kind));
            if !restore(schema, &mut merged, &one.path) {
                return None;
            }
        }
    }
    None
}

/// Gives every key that was dropped its default.
fn fill(schema: &Dict, merged: &mut Dict) {
    for (key, default) in schema {
        match (default, merged.get_mut(key)) {
            (Value::Dict(_, inner), Some(Value::Dict(_, dict))) => fill(inner, dict),
            (_, Some(_)) => {}
            (default, None) => {
                merged.insert(key.clone(), default.clone());
            }
        }
    }
}

/// Puts the default of `path` back; whether there was one.
fn restore(schema: &Dict, merged: &mut Dict, path: &[String]) -> bool {
    let Some((key, rest)) = path.split_first() else {
        return false;
    };
    match (schema.get(key), merged.get_mut(key), rest.is_empty()) {
        (Some(Value::Dict(_, inner)), Some(Value::Dict(_, dict)), false) => {
            restore(inner, dict, rest)
        }
        (Some(default), Some(value), _) => {
            *value = default.clone();
            true
        }
        _ => false,
    }
}

/// Keeps what fits the schema, names what does not, and turns numbers from the environment into text where text is due.
fn conform(schema: &Dict, found: Dict, at: &str, faults: &mut Vec<String>) -> Dict {
    let mut kept = Dict::new();
    for (key, value) in found {
        let name = if at.is_empty() {
            key.clone()
        } else {
            format!("{at}.{key}")
        };
        let Some(model) = schema.get(&key) else {
            faults.push(format!("{name}:没有这个设置"));
            continue;
        };
        match (model, value) {
            (Value::Dict(_, inner), Value::Dict(_, dict)) => {
                kept.insert(key, conform(inner, dict, &name, faults).into());
            }
            (Value::String(..), Value::Num(_, number)) => {
                let text = number.to_i128().map_or_else(
                    || {
                        number.to_u128().map_or_else(
                            || number.to_f64().unwrap_or_default().to_string(),
                            |n| n.to_string(),
                        )
                    },
                    |n| n.to_string(),
                );
                kept.insert(key, text.into());
            }
            (Value::String(..), Value::Bool(_, flag)) => {
                kept.insert(key, flag.to_string().into());
            }
            (Value::Array(..), Value::String(_, text)) => {
                let items: Vec<Value> = text
                    .split(',')
                    .map(str::trim)
                    .filter(|s| !s.is_empty())
                    .map(Value::from)
                    .collect();
                kept.insert(key, items.into());
            }
            (Value::Num(..), Value::String(_, text)) if text.trim().parse::<i64>().is_ok() => {
                kept.insert(key, text.trim().parse::<i64>().unwrap_or_default().into());
            }
            (Value::Bool(..), Value::String(_, text)) if text.parse::<bool>().is_ok() => {
                kept.insert(key, text.parse::<bool>().unwrap_or_default().into());
            }
            (model, value) if same_kind(model, &value) => {
                kept.insert(key, value);
            }
            (model, _) => faults.push(format!("{name}:应为{}", kind(model))),
        }
    }
    kept
}

fn same_kind(a: &Value, b: &Value) -> bool {
    matches!(
        (a, b),
        (Value::String(..), Value::String(..))
            | (Value::Num(..), Value::Num(..))
            | (Value::Bool(..), Value::Bool(..))
            | (Value::Array(..), Value::Array(..))
    )
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "文字",
        Value::Num(..) => "整数",
        Value::Bool(..) => "true 或 false",
        Value::Array(..) => "列表",
        Value::Dict(..) => "一节设置",
        Value::Empty(..) => "空",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        let settings = with_overrides(&[]).unwrap();
        assert_eq!(settings.http.listen, "127.0.0.1:8080");
        assert_eq!(
            settings.referral.refund_window.get(),
            chrono::Duration::days(7)
        );
    }

    #[test]
    fn all_faults_are_listed_at_once() {
        let faults = with_overrides(&[
            ("http.listen", "nowhere"),
            ("http.colour", "red"),
            ("database.max_connections", "many"),
            ("auth.access_ttl", "PT1H"),
            ("crypto.master_key", "short"),
            ("queue.claim_after", "soon"),
            ("complaint.resolution", "P1Y"),
            ("limits.login", "0"),
            ("log.filter", "linjian=[debug"),
        ])
        .err()
        .unwrap();
        let text = faults.to_string();
        for key in [
            "http.listen",
            "http.colour",
            "database.max_connections",
            "auth.access_ttl",
            "crypto.master_key",
            "queue.claim_after",
            "complaint.resolution",
            "limits.login",
            "log.filter",
        ] {
            assert!(text.contains(key), "{key} is missing in {text}");
        }
    }

    #[test]
    fn a_number_where_text_is_due_stays_the_text() {
        let figment =
            Figment::from(Toml::string(DEFAULT)).merge(("wechat.mchid", 1_900_000_109_u64));
        assert_eq!(build(&figment, false).unwrap().wechat.mchid, "1900000109");
    }
}
