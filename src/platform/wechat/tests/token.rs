//! One token for all nodes: fetched once, replaced once, and never missed when Redis is away.

use super::stage::Stage;
use crate::kernel::{Env, V7};
use crate::platform::{
    vault::random_code,
    wechat::{TokenShelf, WechatClient, sandbox::Chaos},
};
use chrono::Duration;
use futures_util::future::join_all;
use std::sync::Arc;

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where Redis is"
)]
fn redis_url() -> String {
    std::env::var("LINJIAN_TEST_REDIS_URL")
        .expect("LINJIAN_TEST_REDIS_URL must name a Redis for tests")
}

/// Clients of this many nodes, each with its own connection to the shared place.
fn nodes(stage: &Stage, url: &str, count: usize) -> Vec<WechatClient> {
    let prefix = format!("test-{}", random_code(26).to_lowercase());
    let node = || {
        let settings = stage.sandbox.settings(&stage.base);
        let shelf = TokenShelf::open(url, &prefix, &settings.appid).unwrap();
        let env = Env {
            clock: Arc::new(stage.clock.clone()),
            ids: Arc::new(V7),
        };
        WechatClient::sharing(settings, env, Some(shelf)).unwrap()
    };
    (0..count).map(|_| node()).collect()
}

async fn all_call(nodes: &[WechatClient]) {
    let calls = nodes
        .iter()
        .flat_map(|node| (0..20).map(move |_| node.url_link("pages/index/index", "", 1)));
    assert!(join_all(calls).await.iter().all(Result::is_ok));
}

#[actix_web::test]
async fn three_nodes_share_a_token_and_its_successor() {
    let stage = Stage::open().await;
    let nodes = nodes(&stage, &redis_url(), 3);
    all_call(&nodes).await;
    assert_eq!(stage.sandbox.token_calls(), 1, "sixty calls on three nodes");

    // WeChat ends the token early: one node notices, fetches, and the others take what it fetched.
    let ended = Chaos {
        expire_token: true,
        ..Chaos::default()
    };
    stage.sandbox.set_chaos(ended).unwrap();
    all_call(&nodes).await;
    assert_eq!(stage.sandbox.token_calls(), 2, "one refetch for all nodes");

    stage.clock.advance(Duration::seconds(6_901));
    all_call(&nodes).await;
    assert_eq!(
        stage.sandbox.token_calls(),
        3,
        "and one when its time is over"
    );
    stage.close().await;
}

#[actix_web::test]
async fn without_redis_each_node_fetches_for_itself() {
    let stage = Stage::open().await;
    let nodes = nodes(&stage, "redis://127.0.0.1:1", 2);
    for node in &nodes {
        node.url_link("pages/index/index", "", 1).await.unwrap();
    }
    assert_eq!(stage.sandbox.token_calls(), 2);
    stage.close().await;
}

#[actix_web::test]
async fn a_token_in_its_last_minutes_is_not_asked_for_at_every_call() {
    let stage = Stage::open().await;
    stage.client.has_token().await.unwrap();
    // Four minutes before its end WeChat still gives the same one to a new node.
    stage.clock.advance(Duration::seconds(7_200 - 240));
    let late = stage.client_of(&stage.sandbox);
    for _ in 0..5 {
        late.url_link("pages/index/index", "", 1).await.unwrap();
    }
    assert_eq!(stage.sandbox.token_calls(), 2);
    stage.close().await;
}
