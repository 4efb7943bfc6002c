//! Telling the story, in Chinese or English, and keeping count of what did not hold.

use super::StaffLogin;
use crate::{cli::Lang, kernel::shanghai};
use serde_json::Value;
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

pub(crate) struct Narrator {
    lang: Lang,
    broken: Cell<u32>,
    labels: RefCell<HashMap<String, String>>,
}

/// A value as it is said: a text without its quotes.
pub(crate) fn said(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

impl Narrator {
    pub(crate) fn new(lang: Lang) -> Self {
        Self {
            lang,
            broken: Cell::new(0),
            labels: RefCell::default(),
        }
    }

    /// Remembers what the fact catalogue calls its facts.
    pub(crate) fn learn(&self, facts: &Value) {
        let named = facts["items"].as_array().into_iter().flatten();
        let named = named.map(|fact| (said(&fact["name"]), said(&fact["label"])));
        self.labels.borrow_mut().extend(named);
    }

    /// A moment on the shop's clock.
    pub(crate) fn moment(&self, value: &Value) -> String {
        let at = value
            .as_str()
            .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
        let form = self.pick("%-m月%-d日 %H:%M", "%-d %B, %H:%M");
        at.map(|at| at.with_timezone(&shanghai()).format(form).to_string())
            .unwrap_or_default()
    }

    /// One condition of a decision: what was wanted and what was found.
    pub(crate) fn condition(&self, condition: &Value) {
        let fact = said(&condition["fact"]);
        let label = self.labels.borrow().get(&fact).cloned();
        let (zh, en) = match condition["op"].as_str().unwrap_or_default() {
            "gte" => ("不低于", "at least"),
            "gt" => ("高于", "above"),
            "lte" => ("不高于", "at most"),
            "lt" => ("低于", "below"),
            "eq" => ("等于", "is"),
            "ne" => ("不是", "is not"),
            _ => ("满足", "meets"),
        };
        let (want, got) = (said(&condition["want"]), said(&condition["got"]));
        let name = label.unwrap_or_else(|| fact.clone());
        self.tell(
            &format!("· {name} 应{zh} {want},实际 {got}"),
            &format!("· {fact} {en} {want}: found {got}"),
        );
    }

    fn pick<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        match self.lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    pub(crate) fn title(&self, zh: &str, en: &str) {
        println!("\n{}\n", self.pick(zh, en));
    }

    pub(crate) fn step(&self, number: u32, zh: &str, en: &str) {
        println!("\n{number}. {}", self.pick(zh, en));
    }

    pub(crate) fn tell(&self, zh: &str, en: &str) {
        println!("   {}", self.pick(zh, en));
    }

    /// Something the step promises.
    pub(crate) fn holds(&self, promise: bool, zh: &str, en: &str) {
        let mark = if promise { "✓" } else { "✗" };
        println!("   {mark} {}", self.pick(zh, en));
        if !promise {
            self.broken.set(self.broken.get() + 1);
        }
    }

    pub(crate) fn broke(&self, error: &str) {
        println!("   ✗ {error}");
        self.broken.set(self.broken.get() + 1);
    }

    pub(crate) fn all_held(&self) -> bool {
        self.broken.get() == 0
    }

    pub(crate) fn result(&self, held: bool) {
        if held {
            self.title("每一步都成立。", "Every step held.");
        } else {
            let (zh, en) = (
                format!("有 {} 处不成立。", self.broken.get()),
                format!("{} promises broke.", self.broken.get()),
            );
            self.title(&zh, &en);
        }
    }

    pub(crate) fn urls(&self, base: &str, staff: &StaffLogin) {
        self.tell(
            "服务仍在运行,按 Ctrl-C 结束:",
            "The server keeps running; Ctrl-C ends it:",
        );
        println!(
            "   {base}/docs/            {}",
            self.pick("接口文档", "API documentation")
        );
        println!(
            "   {base}/sandbox/inbox    {}",
            self.pick("微信沙箱:已发送的消息", "WeChat sandbox: messages sent")
        );
        println!(
            "   {base}/metrics          {}",
            self.pick("运行指标", "metrics")
        );
        let login = format!("{}  {}", staff.username, staff.password);
        println!(
            "   {}:{login}\n",
            self.pick("员工登录(本次演示生成)", "staff login (made for this run)")
        );
    }
}
