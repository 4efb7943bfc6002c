//! Vectors of message pushes and open data, and bytes nobody would send.

use super::{
    stage::env_at,
    vectors::{cases, settings, text},
};
use crate::platform::wechat::{
    OpenDataFault, PushError, WechatClient, open_data, push_message,
    push_seal::{PushKey, SealFault},
};
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

fn key_of(case: &Value) -> PushKey {
    let config = &case["config"];
    PushKey::new(
        text(config, "token"),
        text(config, "encoding_aes_key"),
        text(config, "appid"),
    )
    .unwrap()
}

/// A client with the case's own token and keys.
fn client_of(case: &Value) -> WechatClient {
    let config = &case["config"];
    let mut settings = settings("http://127.0.0.1:1");
    settings.push_token = text(config, "token").into();
    settings.push_aes_key = text(config, "encoding_aes_key").into();
    settings.appid = text(config, "appid").into();
    WechatClient::new(settings, env_at(0).0).unwrap()
}

fn query_of(case: &Value) -> String {
    let pairs = case["query"].as_object().unwrap();
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs.iter().map(|(name, value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), value)
        }))
        .finish()
}

fn of_type(kind: &str) -> Vec<Value> {
    let mut found = cases("msg_push.json", "cases");
    found.retain(|case| case["type"] == kind);
    assert!(!found.is_empty(), "no {kind}");
    found
}

#[test]
fn wechat_vectors_push_address_checks_are_answered_or_refused() {
    for case in of_type("url_verify") {
        let answer = client_of(&case).push_address(&query_of(&case));
        if case["expect"]["result"] == "accept" {
            assert_eq!(
                answer.unwrap(),
                text(&case["expect"], "answer_body"),
                "{}",
                case["id"]
            );
        } else {
            assert_eq!(answer, Err(PushError::Signature), "{}", case["id"]);
        }
    }
}

#[test]
fn wechat_vectors_push_sealed_messages_open_and_the_others_do_not() {
    for case in of_type("secure") {
        let id = &case["id"];
        let read = client_of(&case).pushed(&query_of(&case), text(&case, "body").as_bytes());
        if case["expect"]["result"] != "accept" {
            read.unwrap_err();
            continue;
        }
        let plain = text(&case["expect"], "plain").as_bytes();
        assert_eq!(read.unwrap(), push_message::parse(plain).unwrap(), "{id}");
        let envelope = push_message::parse(text(&case, "body").as_bytes()).unwrap();
        let (query, sealed) = (&case["query"], text(&envelope, "Encrypt"));
        let when = (text(query, "timestamp"), text(query, "nonce"));
        let opened = key_of(&case).open(text(query, "msg_signature"), when, sealed);
        assert_eq!(opened.unwrap(), plain, "{id}: byte for byte");
    }
}

#[test]
fn wechat_vectors_push_plain_messages_are_refused() {
    for case in of_type("plain") {
        let read = client_of(&case).pushed(&query_of(&case), text(&case, "body").as_bytes());
        assert_eq!(read, Err(PushError::Plain), "{}", case["id"]);
    }
}

#[test]
fn wechat_vectors_push_replies_are_byte_equal() {
    for case in of_type("reply") {
        let key = key_of(&case);
        let random: [u8; 16] = text(&case, "random16").as_bytes().try_into().unwrap();
        let reply = &case["reply"];
        let sealed = key.seal(&random, text(&case, "plain").as_bytes()).unwrap();
        assert_eq!(sealed, text(reply, "Encrypt"), "{}", case["id"]);
        let signature = key.sign(
            &reply["TimeStamp"].to_string(),
            text(reply, "Nonce"),
            &sealed,
        );
        assert_eq!(signature, text(reply, "MsgSignature"), "{}", case["id"]);
    }
}

#[test]
fn wechat_vectors_push_no_flipped_bit_of_a_body_passes() {
    for case in of_type("secure") {
        if case["expect"]["result"] != "accept" {
            continue;
        }
        let (client, query) = (client_of(&case), query_of(&case));
        let body = text(&case, "body").as_bytes();
        for bit in (0..body.len() * 8).step_by(5) {
            let mut spoilt = body.to_vec();
            spoilt[bit / 8] ^= 1 << (bit % 8);
            // Between two elements of XML any space is as good as any other.
            let space = |byte: &u8| byte.is_ascii_whitespace();
            if space(&body[bit / 8]) && space(&spoilt[bit / 8]) {
                continue;
            }
            assert!(
                client.pushed(&query, &spoilt).is_err(),
                "{} bit {bit}",
                case["id"]
            );
        }
    }
}

#[test]
fn wechat_vectors_open_data_opens_or_is_refused() {
    let mut seen = 0;
    for case in cases("mp_open_data.json", "cases") {
        let expect = &case["expect"];
        if case["type"] == "signature" {
            let holds = open_data::is_signed(
                text(&case, "rawData"),
                text(&case, "session_key"),
                text(&case, "signature"),
            );
            assert_eq!(holds, expect["result"] == "accept", "{}", case["id"]);
            continue;
        }
        seen += 1;
        let at = |now| {
            open_data::open(
                (text(&case, "session_key"), text(&case, "iv")),
                text(&case, "encryptedData"),
                text(&case, "appid"),
                now,
            )
        };
        if expect["result"] != "accept" {
            assert!(at(case["now"].as_i64().unwrap_or_default()).is_err());
            continue;
        }
        // A vector says what is inside; how old it may be is our own rule.
        let made = expect["plain"]["watermark"]["timestamp"].as_i64().unwrap();
        assert_eq!(at(made).unwrap(), expect["plain"], "{}", case["id"]);
        assert_eq!(at(made + 300).unwrap(), expect["plain"], "{}", case["id"]);
        assert_eq!(at(made + 301), Err(OpenDataFault::Stale), "{}", case["id"]);
        assert_eq!(at(made - 301), Err(OpenDataFault::Stale), "{}", case["id"]);
    }
    assert!(seen > 0);
}

#[test]
fn json_and_xml_of_one_event_read_the_same() {
    let json = json!({
        "ToUserName": "gh", "Event": "subscribe_msg_popup_event", "CreateTime": "7",
        "List": { "TemplateId": "t", "SubscribeStatusString": "accept" },
    });
    let xml = "<xml><ToUserName><![CDATA[gh]]></ToUserName>\n<Event>subscribe_msg_popup_event</Event>\
        <CreateTime>7</CreateTime><SubscribeMsgPopupEvent><List><TemplateId>t</TemplateId>\
        <SubscribeStatusString>accept</SubscribeStatusString></List></SubscribeMsgPopupEvent></xml>";
    let json = push_message::parse(json.to_string().as_bytes()).unwrap();
    assert_eq!(push_message::parse(xml.as_bytes()).unwrap(), json);
    assert!(json["List"].is_array());
    let two = "<xml><List><A>1</A></List><List><A>2</A></List></xml>";
    let two = push_message::parse(two.as_bytes()).unwrap();
    assert_eq!(two["List"], json!([{ "A": "1" }, { "A": "2" }]));
    let escaped = push_message::parse("<xml><A>a&amp;b&#20320;</A></xml>".as_bytes()).unwrap();
    assert_eq!(escaped["A"], "a&b你");
}

#[test]
fn xml_that_could_do_anything_is_refused() {
    let deep = format!("<xml>{}{}</xml>", "<a>".repeat(9), "</a>".repeat(9));
    let many = format!("<xml>{}</xml>", "<a/>".repeat(2_001));
    for text in [
        "<!DOCTYPE xml [<!ENTITY who \"x\">]><xml><A>&who;</A></xml>",
        "<!DOCTYPE xml SYSTEM \"file:///etc/passwd\"><xml><A>1</A></xml>",
        "<xml><A>&who;</A></xml>",
        "<xml><A b=\"1\">1</A></xml>",
        "<?xml-stylesheet href=\"x\"?><xml><A>1</A></xml>",
        "<xml><A>1</B></xml>",
        "<xml><A>1</A>",
        "<xml><A>1</A></xml><xml><A>1</A></xml>",
        "<xml><A>1</A></xml>x",
        "<xml>x<A>1</A></xml>",
        "<xml>only text</xml>",
        "<other><A>1</A></other>",
        &deep,
        &many,
        "[1]",
        "\"x\"",
        "",
    ] {
        assert_eq!(push_message::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_key_needs_a_token_and_32_bytes() {
    let key = "qnHCNHh9EAOcTihmMIrsITwaDzbVbaEd1kytPSy5qfo";
    assert!(PushKey::new("t", key, "wx").is_some());
    assert!(
        PushKey::new("t", &key.replace('o', "p"), "wx").is_some(),
        "not canonical"
    );
    assert!(PushKey::new("", key, "wx").is_none());
    for wrong in ["", &key[1..], &format!("{key}A"), &key.replace('q', "*")] {
        assert!(PushKey::new("t", wrong, "wx").is_none(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_and_nothing_else(message: Vec<u8>, random: [u8; 16], bit in any::<prop::sample::Index>()) {
        let case = &of_type("reply")[0];
        let key = key_of(case);
        let sealed = key.seal(&random, &message).unwrap();
        let signature = key.sign("7", "n", &sealed);
        assert_eq!(key.open(&signature, ("7", "n"), &sealed).unwrap(), message);
        let mut spoilt = sealed.into_bytes();
        let at = bit.index(spoilt.len());
        spoilt[at] = if spoilt[at] == b'A' { b'B' } else { b'A' };
        let spoilt = String::from_utf8(spoilt).unwrap();
        assert_eq!(key.open(&signature, ("7", "n"), &spoilt), Err(SealFault::Signature));
        // Even rightly signed it may only open or not: whatever was changed, nothing panics.
        let _opened = key.open(&key.sign("7", "n", &spoilt), ("7", "n"), &spoilt);
    }

    #[test]
    fn no_bytes_make_the_readers_panic(body: Vec<u8>, text in "\\PC{0,400}", markup in "[<>/&;a-c\\[\\]!CDATA?x\" ]{0,200}", query in "\\PC{0,100}") {
        let case = &of_type("reply")[0];
        let client = client_of(case);
        for body in [body.as_slice(), text.as_bytes(), markup.as_bytes(), format!("<xml>{markup}</xml>").as_bytes()] {
            let _read = push_message::parse(body);
            assert!(client.pushed(&query, body).is_err());
        }
        assert!(client.push_address(&query).is_err());
        assert!(open_data::open((&text, &markup), &query, &text, 0).is_err());
        assert!(!open_data::is_signed(&text, &markup, &query));
    }
}
