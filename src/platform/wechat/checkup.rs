//! What `linjian doctor` asks WeChat: each question changes nothing there.

use super::{
    WechatClient,
    fault::{busy, errcode},
    key::VerifyingKey,
    pay::PayCall,
    settings::PUSH_PATH,
};
use crate::kernel::{AppError, Code, Result};
use chrono::{DateTime, Duration, Utc};
use reqwest::{Url, header};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Which of WeChat's two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WechatHost {
    /// The mini-program API.
    Api,
    /// WeChat Pay.
    Pay,
}

/// How the merchant's certificate fits the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFit {
    /// Serial and key are those of the settings.
    Fits,
    /// Its serial is another.
    OtherSerial,
    /// Its key is not the private key's.
    OtherKey,
    /// It is no certificate.
    Unreadable,
}

/// A template of one-time messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its title, as people read it.
    pub title: String,
    /// The keys of its fields (`thing1`, `time2` …).
    pub fields: Vec<String>,
}

impl WechatClient {
    /// How far the host's clock is ahead of ours, to the second.
    ///
    /// # Errors
    /// `unavailable` when the host cannot be reached or tells no time.
    pub async fn clock_skew(&self, host: WechatHost) -> Result<Duration> {
        let base: &Url = match host {
            WechatHost::Api => &self.inner.api_base,
            WechatHost::Pay => &self.inner.pay_base,
        };
        let answer = self.inner.http.get(base.clone()).send().await;
        let answer = answer.map_err(|error| busy(1).because(error.without_url()))?;
        let told = answer
            .headers()
            .get(header::DATE)
            .and_then(|date| date.to_str().ok())
            .and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        let told = told.ok_or_else(|| busy(1).because("the host tells no time"))?;
        Ok(told.with_timezone(&Utc) - self.inner.env.now())
    }

    /// Whether an access token can be had.
    ///
    /// # Errors
    /// As the fault; [`errcode`](super::errcode) tells WeChat's number.
    pub async fn has_token(&self) -> Result<()> {
        self.token().await.map(drop)
    }

    /// The templates of the mini-program by id.
    ///
    /// # Errors
    /// `unavailable` when busy, `internal` when refused.
    pub async fn templates(&self) -> Result<HashMap<String, Template>> {
        let answer = self.get_with_token("/wxaapi/newtmpl/gettemplate").await?;
        let listed = answer.get("data").and_then(Value::as_array);
        let one = |template: &Value| {
            let id = template.get("priTmplId")?.as_str()?.to_owned();
            let template = Template {
                title: template.get("title")?.as_str()?.to_owned(),
                fields: fields(template.get("content")?.as_str()?),
            };
            Some((id, template))
        };
        Ok(listed.into_iter().flatten().filter_map(one).collect())
    }

    /// The going-live self-test of WeChat Pay: our signature is accepted, and theirs verifies (spec 2.9). With
    /// `notify`, WeChat also calls our notification address back.
    ///
    /// # Errors
    /// As any pay call.
    pub async fn security_echo(&self, notify: bool) -> Result<()> {
        let message = "linjian";
        let mut body = json!({ "echo_message": message });
        if let (true, Some(body)) = (notify, body.as_object_mut()) {
            body.insert("notify_url".into(), self.notify_url().into());
        }
        let call = PayCall::post(&["v3", "security", "echo"], &body);
        let answer: Value = self.pay_once(&call).await?;
        match answer.get("echo_message").and_then(Value::as_str) {
            Some(echo) if echo != message => {
                Err(AppError::new(Code::Unavailable, "微信支付回显了别的内容"))
            }
            _ => Ok(()),
        }
    }

    /// Whether our own push address, asked from here as WeChat asks it, answers as it must.
    ///
    /// # Errors
    /// `unavailable` when nobody answers there or the answer is another.
    pub async fn push_address_answers(&self) -> Result<()> {
        let echo = "linjian-doctor";
        let query = self
            .push_check(echo)
            .map_err(|_| busy(1).because("no push keys"))?;
        let address = format!("{}{PUSH_PATH}?{query}", self.inner.settings.notify_base_url);
        let answer = self.inner.http.get(address).send().await;
        let answer = answer.map_err(|error| busy(1).because(error.without_url()))?;
        let status = answer.status().as_u16();
        match answer.text().await {
            Ok(text) if text == echo => Ok(()),
            _ => Err(AppError::new(
                Code::Unavailable,
                format!("地址答复了 {status},而不是校验串"),
            )),
        }
    }

    /// Whether a PEM is the certificate of the configured private key under the configured serial.
    pub fn certificate_fit(&self, pem: &str) -> CertificateFit {
        use super::key::KeyFault;
        let probe = b"linjian doctor";
        match VerifyingKey::from_pem(&self.inner.settings.merchant_serial, pem) {
            Err(KeyFault::Serial) => CertificateFit::OtherSerial,
            Err(_) => CertificateFit::Unreadable,
            Ok(key) => match self.inner.merchant_key.sign(probe) {
                Ok(signature) if key.verifies(probe, &signature) => CertificateFit::Fits,
                _ => CertificateFit::OtherKey,
            },
        }
    }

    /// What an operator must do about a refusal of the mini-program API, if it is his to cure.
    pub fn cure(error: &AppError) -> Option<&'static str> {
        Some(match errcode(error)? {
            40_013 => "检查 wechat.appid(小程序后台 → 开发设置)",
            40_125 | 41_004 => "检查 wechat.app_secret,或在小程序后台重置后再填",
            40_164 => "把服务器的出口 IP 加入小程序后台的 IP 白名单",
            48_001 => "这个小程序没有该接口的权限:完成认证与类目设置",
            50_001 | 50_002 => "小程序账号被限制:登录小程序后台查看通知",
            45_009 | 45_011 => "调用额度已用完:稍后再试",
            _ => return None,
        })
    }
}

/// The keys in `服务项目:{{thing1.DATA}}` and so on.
fn fields(content: &str) -> Vec<String> {
    content
        .split("{{")
        .skip(1)
        .filter_map(|part| part.split_once(".DATA}}"))
        .map(|(key, _)| key.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_fields_of_a_template_are_read_from_its_text() {
        let text = "服务项目:{{thing1.DATA}}\n时间:{{time2.DATA}}\n{{broken}}\n";
        assert_eq!(super::fields(text), ["thing1", "time2"]);
        assert!(super::fields("{{").is_empty());
    }
}
