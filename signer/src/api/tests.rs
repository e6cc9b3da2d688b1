//! The API over real HTTP, with a small loop behind the door.

mod http;

use std::{collections::BTreeMap, net::SocketAddr};

use axum::http::Method;
use igra_config::{ApiSource, PolicyFile, Role, SourceRule, Token, TokenEntry, TokensFile};
use igra_core::{
    Denial, DenialCode, GroupView, Halt, HaltCause, Ignored, Input, Intake, PolicyDigest, SessionState,
    SessionView, UnixSeconds, VerifiedEvent,
};
use igra_group::{MemberIndex, Network, Sompi};
use igra_tx::EventKey;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use self::http::Answer;
use super::*;
use crate::{
    events::{Verifier, VerifyCode, tests::address},
    keys::tests::group,
    node::{Check, CheckStatus, Heartbeat, Request},
};

const SUBMIT: &str = "submit-token-of-16";
const READ: &str = "read-token-of-16-or-more";
const ADMIN: &str = "admin-token-of-16-or-more";
/// The loop's policy: above this it denies.
const MOST: Sompi = Sompi(1_000);

/// A served API and what stops it.
struct Served {
    address: SocketAddr,
    metrics: Metrics,
    _stop: oneshot::Sender<()>,
}

/// What stands for the loop: it keeps events by key, denies large ones, and has stopped if told so.
#[derive(Default)]
struct Loop {
    events: BTreeMap<EventKey, VerifiedEvent>,
    stopped: bool,
}

impl Loop {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(request) = requests.recv().await {
            match request {
                Request::Submit { event, answer } => drop(answer.send(self.take(*event))),
                Request::Simulate { answer, .. } => drop(answer),
                Request::Session { key, answer } => drop(answer.send(self.events.get(&key).map(session))),
                Request::Sessions { after, limit, answer } => drop(answer.send(self.page(after, limit))),
                Request::Group { answer } => drop(answer.send(self.group())),
                Request::Order { input, answer } => drop(answer.send(self.obey(input))),
            }
        }
    }

    fn take(&mut self, event: VerifiedEvent) -> Intake {
        if let Some(known) = self.events.get(&event.payment.event) {
            return match known.payment.payload == event.payment.payload {
                true => Intake::Same(SessionState::Verified),
                false => Intake::Replayed { first: known.payment.payload },
            };
        }
        if event.payment.amount > MOST {
            return Intake::Denied(Denial {
                code: DenialCode::AmountAboveMax,
                rule: "amount.max".to_owned(),
                actual: event.payment.amount.to_string(),
                allowed: MOST.to_string(),
            });
        }
        self.events.insert(event.payment.event, event);
        Intake::New
    }

    /// Halted once, never in quarantine, and without a predecessor.
    fn obey(&mut self, input: Input) -> Result<(), Ignored> {
        match input {
            Input::ClearHalt { .. } if !self.stopped => return Err(Ignored::NothingToClear),
            Input::ClearHalt { reason } => {
                assert_eq!(reason, "all: the disk was replaced");
                self.stopped = false;
            }
            Input::ReleaseQuarantine { .. } | Input::ReleasePredecessor { .. } => {
                return Err(Ignored::NothingToClear);
            }
            Input::Cancel { event, by } => {
                assert_eq!(by, "all: sent by mistake");
                self.events.remove(&event);
            }
            Input::CoinsLost { .. } => return Err(Ignored::NothingLost),
            other => panic!("no order: {other:?}"),
        }
        Ok(())
    }

    fn page(&self, after: Option<EventKey>, limit: usize) -> Vec<SessionView> {
        let later = self.events.iter().filter(|(key, _)| after.is_none_or(|after| **key > after));
        later.take(limit).map(|(_, event)| session(event)).collect()
    }

    fn group(&self) -> GroupView {
        let group = group();
        GroupView {
            group: group.id(),
            address: group.wallet().address().to_string(),
            me: MemberIndex(0),
            threshold: 2,
            quorum: 2,
            members: vec![],
            config: group.config_digest(),
            policy: PolicyDigest::from_bytes([0; 32]),
            epoch: 1,
            promise: 0,
            view: 0,
            proposer: MemberIndex(1),
            node_synced: true,
            virtual_daa: 5,
            balance: Sompi(u64::MAX),
            coins: 1,
            spendable: Sompi(7),
            live_sessions: self.events.len(),
            held_sessions: 0,
            final_events: 0,
            stopped: self.stopped,
            halt: self.stopped.then(|| Halt {
                cause: HaltCause::OwnKey,
                text: "it broke".to_owned(),
                since: UnixSeconds(5),
            }),
            quarantine: None,
            tags: Default::default(),
            predecessor: None,
            interventions: vec![],
        }
    }
}

fn session(event: &VerifiedEvent) -> SessionView {
    SessionView {
        event: event.payment.event,
        state: SessionState::Verified,
        source: Some(event.source.clone()),
        amount: Some(event.payment.amount),
        recipient: event.payment.recipient.to_address(Network::Simnet),
        memo: Some(event.memo.clone()),
        first_seen: Some(UnixSeconds(1_790_000_000)),
        deadline: event.deadline,
        denial: None,
        blocked: None,
        proposal: None,
        transaction: None,
        approvals: vec![MemberIndex(0)],
        partials: vec![],
        own_approvals: vec![],
        missing_coins: vec![],
        refusals: vec![],
        accepted_daa: None,
        depth: None,
    }
}

/// Source `desk` trusts this API.
fn verify() -> Verify {
    let api = ApiSource { trust_ingress: true, ..ApiSource::default() };
    let desk = SourceRule { name: "desk".to_owned(), deadline_seconds: 60, api };
    let verifier =
        Verifier::new(&group(), &PolicyFile { sources: vec![desk], ..PolicyFile::default() }).unwrap();
    Arc::new(move |body| {
        verifier.verify_json(body).map_err(|error| BadEvent {
            code: error.code.as_str(),
            field: error.field.clone(),
            message: error.to_string(),
            too_large: error.code == VerifyCode::EvidenceTooLarge,
        })
    })
}

fn tokens() -> Tokens {
    let entry = |name: &str, token: &str, role| TokenEntry {
        name: name.to_owned(),
        token: Token::new(token),
        roles: vec![role],
    };
    let entries = [
        entry("desk", SUBMIT, Role::Submit),
        entry("eyes", READ, Role::Read),
        entry("all", ADMIN, Role::Admin),
    ];
    Tokens::new(&TokensFile { tokens: entries.to_vec() })
}

async fn serve(state: Loop, tokens: Option<Tokens>, per_second: u32, burst: u32) -> Served {
    let (door, requests) = Door::new();
    tokio::spawn(state.run(requests));
    let metrics = Metrics::new();
    let group = group();
    let identity = Identity::new(&group, group.index_by_name("alpha").unwrap()).unwrap();
    let api = Api {
        door,
        verify: verify(),
        tokens: tokens.map(|tokens| tokio::sync::watch::channel(tokens).1),
        identity: Arc::new(identity),
        metrics: metrics.clone(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let rate = RateLimit { per_second: per_second.try_into().unwrap(), burst: burst.try_into().unwrap() };
    tokio::spawn(api.serve(listener, rate, async move { drop(stopped.await) }));
    Served { address, metrics, _stop: stop }
}

async fn open() -> Served {
    serve(Loop::default(), None, 10_000, 10_000).await
}

impl Served {
    async fn send(&self, method: Method, path: &str, token: Option<&str>, body: &str) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        http::send(self.address, method, path, &headers, body).await
    }

    async fn post(&self, body: impl AsRef<str>) -> (StatusCode, Value) {
        let answer = self.send(Method::POST, "/v1/events", None, body.as_ref()).await;
        (answer.status, answer.json())
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.send(Method::GET, path, None, "").await;
        (answer.status, answer.json())
    }
}

fn event(id: &str, amount: Value) -> Value {
    json!({"source": "desk", "id": id, "recipient": address(Network::Simnet, 3), "amountSompi": amount})
}

fn with(field: &str, value: Value) -> String {
    let mut event = event("a", json!(5));
    event[field] = value;
    event.to_string()
}

/// Code and field of a refusal, whose shape is checked on the way.
fn refused(body: &Value) -> (String, Option<String>) {
    for field in ["message", "timestamp", "requestId"] {
        assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    }
    let field = body["details"]["field"].as_str().map(str::to_owned);
    (body["code"].as_str().unwrap().to_owned(), field)
}

#[tokio::test]
async fn an_event_is_taken_once_and_told_the_same_key_again() {
    let api = open().await;

    let (first, receipt) = api.post(event("a", json!("5")).to_string()).await;
    let (again, same) = api.post(event("a", json!(5)).to_string()).await;

    assert_eq!((first, again), (StatusCode::ACCEPTED, StatusCode::OK));
    assert_eq!(receipt, same);
    assert_eq!(receipt["state"], "verified");
    let (found, shown) = api.get(&format!("/v1/events/{}", receipt["event"].as_str().unwrap())).await;
    assert_eq!(found, StatusCode::OK);
    assert_eq!((&shown["amountSompi"], &shown["source"]), (&json!("5"), &json!("desk")));
    assert_eq!(shown["approvals"], json!([group().members()[0].name]));
}

#[tokio::test]
async fn the_same_id_with_another_payload_is_a_conflict() {
    let api = open().await;
    let (_, receipt) = api.post(event("a", json!(5)).to_string()).await;

    let (status, body) = api.post(event("a", json!(6)).to_string()).await;

    assert_eq!((status, refused(&body).0.as_str()), (StatusCode::CONFLICT, "event_replayed"));
    assert_eq!(body["details"]["event"], receipt["event"]);
    assert_eq!(body["details"]["firstSeen"], 1_790_000_000);
    assert!(api.metrics.text().contains("igra_events_total{outcome=\"replayed\",source=\"request\"} 1"));
}

#[tokio::test]
async fn a_denial_names_rule_and_values() {
    let api = open().await;
    let (status, body) = api.post(event("a", json!(1_001)).to_string()).await;
    assert_eq!((status, refused(&body).0.as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "amount_above_max"));
    let details = &body["details"];
    assert_eq!(details["rule"], "amount.max");
    assert_eq!(details["actual"], Sompi(1_001).to_string());
    assert_eq!(details["allowed"], MOST.to_string());
}

#[tokio::test]
async fn bad_input_is_told_by_code_and_field() {
    let api = open().await;
    let foreign = address(Network::Mainnet, 3);
    let rows = [
        ("{".to_owned(), "malformed_json", None),
        ("nonsense".to_owned(), "malformed_json", None),
        (String::new(), "malformed_json", None),
        (with("amountSompi", json!(0)), "amount_zero", Some("amountSompi")),
        (with("amountSompi", json!("18446744073709551616")), "amount_invalid", Some("amountSompi")),
        (with("amountSompi", json!(-1)), "amount_invalid", Some("amountSompi")),
        (
            with("amountSompi", json!(0)).replace(":0", ":18446744073709551616"),
            "amount_invalid",
            Some("amountSompi"),
        ),
        (with("recipient", json!(foreign)), "wrong_network", Some("recipient")),
        (with("recipient", json!("kaspasim:qq")), "invalid_recipient", Some("recipient")),
        (with("network", json!("mainnet")), "wrong_network", Some("network")),
        (with("group", json!("00")), "wrong_group", Some("group")),
        (with("source", json!("elsewhere")), "unknown_source", Some("source")),
        (with("id", json!("a b")), "invalid_id", Some("id")),
        (with("memo", json!("x".repeat(1025))), "invalid_memo", Some("memo")),
        (with("extra", json!(1)), "malformed_request", Some("extra")),
        (with("deadline", json!("soon")), "malformed_request", Some("deadline")),
        ("[]".to_owned(), "malformed_request", None),
    ];
    for (body, code, field) in rows {
        let (status, answer) = api.post(body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        let expected = (code.to_owned(), field.map(str::to_owned));
        if code != "malformed_request" || field.is_some() {
            assert_eq!(refused(&answer), expected, "{body}");
        }
    }
    assert!(api.metrics.text().contains("igra_events_total{outcome=\"invalid\",source=\"request\"} 17"));
}

#[tokio::test]
async fn large_bodies_are_refused_as_too_large() {
    let api = open().await;
    let (status, body) = api.post(" ".repeat(MAX_BODY_BYTES + 1)).await;
    assert_eq!((status, refused(&body).0.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"));
    let (status, body) = api.post(with("memo", json!("x".repeat(33 * 1024)))).await;
    assert_eq!((status, refused(&body).0.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "evidence_too_large"));
}

#[tokio::test]
async fn tokens_open_what_their_roles_say() {
    let api = serve(Loop::default(), Some(tokens()), 10_000, 10_000).await;
    let status = async |method, path, token, body: &str| api.send(method, path, token, body).await.status;
    let body = event("a", json!(5)).to_string();
    let unauthorized = StatusCode::UNAUTHORIZED;

    for token in [None, Some("wrong-token-of-16-or-more"), Some("")] {
        assert_eq!(status(Method::POST, "/v1/events", token, &body).await, unauthorized);
        assert_eq!(status(Method::GET, "/v1/identity", token, "").await, unauthorized);
    }
    assert_eq!(status(Method::POST, "/v1/events", Some(READ), &body).await, StatusCode::FORBIDDEN);
    assert_eq!(status(Method::GET, "/v1/group", Some(SUBMIT), "").await, StatusCode::FORBIDDEN);
    assert_eq!(status(Method::POST, "/v1/events", Some(SUBMIT), &body).await, StatusCode::ACCEPTED);
    assert_eq!(status(Method::GET, "/v1/group", Some(READ), "").await, StatusCode::OK);
    assert_eq!(status(Method::POST, "/v1/events", Some(ADMIN), &body).await, StatusCode::OK);
    assert_eq!(status(Method::GET, "/v1/events", Some(ADMIN), "").await, StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_token_is_told_nothing_but_how_to_ask() {
    let api = serve(Loop::default(), Some(tokens()), 10_000, 10_000).await;
    let response = api.send(Method::POST, "/v1/events", Some("wrong-token-of-16-or-more"), "{").await;
    assert_eq!(response.headers["www-authenticate"], "Bearer");
    assert_eq!(refused(&response.json()).0, "unauthorized");
}

#[tokio::test]
async fn unknown_paths_methods_and_events_have_the_same_shape() {
    let api = open().await;
    let (status, body) = api.get("/v2/events").await;
    assert_eq!((status, refused(&body).0.as_str()), (StatusCode::NOT_FOUND, "not_found"));
    let response = api.send(Method::DELETE, "/v1/events", None, "").await;
    assert!(response.headers["allow"].contains("POST"));
    assert_eq!(response.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused(&response.json()).0, "method_not_allowed");
    let (status, body) = api.get(&format!("/v1/events/{}", "00".repeat(32))).await;
    assert_eq!((status, refused(&body).0.as_str()), (StatusCode::NOT_FOUND, "unknown_event"));
    let (status, body) = api.get("/v1/events/nonsense").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(refused(&body), ("malformed_request".to_owned(), Some("key".to_owned())));
}

#[tokio::test]
async fn a_request_keeps_the_id_that_its_client_gave_it() {
    let api = open().await;
    let ask =
        async |id: &str| http::send(api.address, Method::GET, "/nowhere", &[("x-request-id", id)], "").await;
    let answer = ask("mine-7").await;
    assert_eq!(answer.headers["x-request-id"], "mine-7");
    assert_eq!(answer.json()["requestId"], "mine-7");
    assert_eq!(ask(&"x".repeat(65)).await.headers["x-request-id"].len(), 16);
}

#[tokio::test]
async fn events_come_in_pages_that_miss_none() {
    let api = open().await;
    for id in 0..5 {
        api.post(event(&id.to_string(), json!(5)).to_string()).await;
    }
    let mut path = "/v1/events?limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let (status, page) = api.get(&path).await;
        assert_eq!(status, StatusCode::OK);
        seen.extend(
            page["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| event["event"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/events?limit=2&after={next}");
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|a, b| a < b));
    for query in ["limit=0", "limit=501", "limit=x", "after=x", "from=1"] {
        assert_eq!(api.get(&format!("/v1/events?{query}")).await.0, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn group_and_identity_are_told() {
    let api = open().await;
    let (_, identity) = api.get("/v1/identity").await;
    assert_eq!(identity["member"], "alpha");
    assert_eq!(identity["address"], group().wallet().address().to_string());
    assert_eq!((&identity["network"], &identity["group"]), (&json!("simnet"), &json!(group().id())));
    let (_, shown) = api.get("/v1/group").await;
    assert_eq!(shown["balanceSompi"], u64::MAX.to_string());
    assert_eq!(shown["proposer"], group().members()[1].name);
}

#[tokio::test]
async fn who_asks_too_often_is_told_to_wait() {
    let api = serve(Loop::default(), None, 1, 3).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(api.get("/v1/identity").await.0);
    }
    let response = api.send(Method::GET, "/v1/identity", None, "").await;
    assert_eq!(statuses, [StatusCode::OK; 3]);
    assert_eq!(response.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(response.headers["retry-after"].parse::<u64>().unwrap() >= 1);
    assert_eq!(refused(&response.json()).0, "rate_limited");
    assert!(api.metrics.text().contains("igra_rate_limited_total{where=\"api\"} 1"));
}

#[tokio::test]
async fn a_stopped_signer_takes_nothing() {
    let api = serve(Loop { stopped: true, ..Loop::default() }, None, 10_000, 10_000).await;
    let (status, body) = api.post(event("a", json!(5)).to_string()).await;
    assert_eq!((status, refused(&body).0.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "stopped"));
}

#[tokio::test]
async fn without_a_loop_the_answer_is_unavailable() {
    let (door, requests) = Door::new();
    drop(requests);
    let group = group();
    let identity = Arc::new(Identity::new(&group, MemberIndex(0)).unwrap());
    let api = Api { door, verify: verify(), tokens: None, identity, metrics: Metrics::new() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let rate = RateLimit { per_second: 100.try_into().unwrap(), burst: 100.try_into().unwrap() };
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(api.serve(listener, rate, async move { drop(stopped.await) }));
    let api = Served { address, metrics: Metrics::new(), _stop: stop };
    let response = api.send(Method::GET, "/v1/group", None, "").await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers["retry-after"], "1");
    assert_eq!(refused(&response.json()).0, "stopping");
}

async fn admin(checks: Vec<Check>) -> Served {
    let health = Health::new(Heartbeat::new(), move || {
        let checks = checks.clone();
        async move { checks }
    });
    let metrics = Metrics::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve_admin(listener, health, metrics.clone(), async move { drop(stopped.await) }));
    Served { address, metrics, _stop: stop }
}

fn check(name: &'static str, status: CheckStatus) -> Check {
    Check { name, status, message: format!("{name} it is"), latency_ms: 3 }
}

#[tokio::test]
async fn readiness_names_what_fails_while_the_process_lives() {
    let admin =
        admin(vec![check("storage", CheckStatus::Pass), check("kaspa-node", CheckStatus::Fail)]).await;
    let (live, _) = admin.get("/health/live").await;
    let (ready, body) = admin.get("/health/ready").await;
    let (health, all) = admin.get("/health").await;
    assert_eq!((live, ready), (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(
        body["failing"],
        json!([{"name": "kaspa-node", "status": "fail", "message": "kaspa-node it is", "latencyMs": 3}])
    );
    assert_eq!((health, &all["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unhealthy")));
    assert_eq!(all["checks"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_warning_degrades_and_does_not_stop() {
    let admin = admin(vec![check("storage", CheckStatus::Pass), check("gossip", CheckStatus::Warn)]).await;
    assert_eq!(admin.get("/health/ready").await, (StatusCode::OK, json!({"status": "ready"})));
    let (status, body) = admin.get("/health").await;
    assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("degraded")));
}

#[tokio::test]
async fn metrics_are_text_and_other_paths_are_refused_in_shape() {
    let admin = admin(vec![]).await;
    let response = admin.send(Method::GET, "/metrics", None, "").await;
    assert!(response.headers["content-type"].starts_with("text/plain"));
    assert!(response.text.contains("igra_build_info{version="));
    let (status, body) = admin.get("/nothing").await;
    assert_eq!((status, refused(&body).0.as_str()), (StatusCode::NOT_FOUND, "not_found"));
}

#[tokio::test]
async fn orders_need_the_role_admin_and_a_reason_and_say_when_nothing_is_to_be_done() {
    let state = Loop { stopped: true, ..Loop::default() };
    let api = serve(state, Some(tokens()), 10_000, 10_000).await;
    let order = async |path, token, body: &str| {
        let answer = api.send(Method::POST, path, Some(token), body).await;
        (answer.status, answer.json())
    };
    let reason = json!({"reason": " the disk was replaced "}).to_string();
    for token in [SUBMIT, READ] {
        let (status, body) = order("/v1/halt/clear", token, &reason).await;
        assert_eq!((status, &body["details"]["role"]), (StatusCode::FORBIDDEN, &json!("admin")));
    }
    for bad in ["", "{}", "{\"reason\": \"  \"}", "{\"reason\": \"x\", \"more\": 1}"] {
        let (status, body) = order("/v1/halt/clear", ADMIN, bad).await;
        let expected = ("reason_missing".to_owned(), Some("reason".to_owned()));
        assert_eq!((status, refused(&body)), (StatusCode::BAD_REQUEST, expected), "{bad}");
    }
    let group = api.send(Method::GET, "/v1/group", Some(ADMIN), "").await.json();
    assert_eq!(group["halt"], json!({"cause": "own_key", "text": "it broke", "since": 5}));

    let (status, cleared) = order("/v1/halt/clear", ADMIN, &reason).await;

    assert_eq!((status, &cleared["halt"]), (StatusCode::OK, &json!(null)));
    for path in ["/v1/halt/clear", "/v1/quarantine/release", "/v1/predecessor/release"] {
        let (status, body) = order(path, ADMIN, &reason).await;
        assert_eq!((status, refused(&body).0.as_str()), (StatusCode::CONFLICT, "nothing_to_do"));
        assert_eq!(body["details"]["why"], "nothing_to_clear");
    }
}

#[tokio::test]
async fn an_event_that_nobody_knows_can_neither_be_cancelled_nor_lose_coins() {
    let api = serve(Loop::default(), Some(tokens()), 10_000, 10_000).await;
    let reason = json!({"reason": "sent by mistake"}).to_string();
    for order in ["cancel", "lost"] {
        let path = format!("/v1/events/{}/{order}", "00".repeat(32));
        let answer = api.send(Method::POST, &path, Some(ADMIN), &reason).await;
        let (status, code) = (answer.status, refused(&answer.json()).0);
        assert_eq!((status, code.as_str()), (StatusCode::NOT_FOUND, "unknown_event"));
    }
}

#[tokio::test]
async fn coins_are_given_up_by_an_administrator_alone_and_only_where_some_are_missing() {
    let api = serve(Loop::default(), Some(tokens()), 10_000, 10_000).await;
    let sent =
        api.send(Method::POST, "/v1/events", Some(ADMIN), &event("a", json!(5)).to_string()).await.json();
    let path = format!("/v1/events/{}/lost", sent["event"].as_str().unwrap());
    let reason = json!({"reason": "its sender spent it again"}).to_string();
    assert_eq!(api.send(Method::POST, &path, Some(SUBMIT), &reason).await.status, StatusCode::FORBIDDEN);
    let answer = api.send(Method::POST, &path, Some(ADMIN), &reason).await;
    assert_eq!((answer.status, refused(&answer.json()).0.as_str()), (StatusCode::CONFLICT, "nothing_to_do"));
    assert_eq!(answer.json()["details"]["why"], "nothing_lost");
}

#[tokio::test]
async fn a_cancelled_event_is_told_to_the_loop_with_name_and_reason() {
    let api = serve(Loop::default(), Some(tokens()), 10_000, 10_000).await;
    let sent =
        api.send(Method::POST, "/v1/events", Some(ADMIN), &event("a", json!(5)).to_string()).await.json();
    let path = format!("/v1/events/{}/cancel", sent["event"].as_str().unwrap());
    let reason = json!({"reason": "sent by mistake"}).to_string();
    // This loop forgets what is cancelled.
    assert_eq!(api.send(Method::POST, &path, Some(ADMIN), &reason).await.status, StatusCode::NOT_FOUND);
}
