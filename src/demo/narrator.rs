//! Telling the story, in Chinese or English, and keeping count of what did not hold.

use super::StaffLogin;
use crate::cli::Lang;
use std::cell::Cell;

pub(crate) struct Narrator {
    lang: Lang,
    broken: Cell<u32>,
}

impl Narrator {
    pub(crate) fn new(lang: Lang) -> Self {
        Self {
            lang,
            broken: Cell::new(0),
        }
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
