//! What people say about a template, and who told us (WX-10).

use serde::{Deserialize, Serialize};

/// An answer of `wx.requestSubscribeMessage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// One more message is welcome.
    Accept,
    /// Not this time.
    Reject,
    /// WeChat itself does not show the template.
    Ban,
}

impl Answer {
    /// The answer a word of WeChat's stands for.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        [Self::Accept, Self::Reject, Self::Ban]
            .into_iter()
            .find(|answer| answer.word() == word)
    }

    /// WeChat's word, which is also the stored one.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Ban => "ban",
        }
    }
}

/// Who told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The mini-program on the person's phone: a hint.
    Client,
    /// WeChat's event: the truth.
    Wechat,
}

impl Source {
    /// The stored word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Wechat => "wechat",
        }
    }
}
