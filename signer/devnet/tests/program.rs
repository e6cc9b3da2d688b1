//! `igra-devnet node` as others use it: one line when it is ready, requests over HTTP, an end in order.

use std::{process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_program_serves_its_control_interface_and_ends_on_sigterm() {
    let (mut program, ready) = start().await;
    let control = Control::at(ready["control"].as_str().unwrap());
    let address = igra_devnet::up::fresh_address();

    let funded = control.post("fund", json!({ "address": address, "amountKas": "12.5" })).await;
    let id = funded["transaction"].as_str().unwrap();
    let seen = control.get(&format!("transaction?id={id}")).await;
    let coins = control.get(&format!("utxos?address={address}")).await;
    let before = control.get("state").await;
    control.post("mine", json!({ "blocks": 3 })).await;
    let after = control.get("state").await;

    assert_eq!(seen["state"], "accepted", "{seen}");
    assert_eq!(coins["utxos"][0]["amountSompi"], 1_250_000_000, "{coins}");
    assert_eq!(after["blocks"].as_u64(), before["blocks"].as_u64().map(|blocks| blocks + 3));
    assert_eq!(control.post("reorg", json!({ "depth": 2 })).await["removed"], 2);
    assert!(
        control.post("fund", json!({ "address": "kaspa:wrong", "amountKas": "1" })).await["error"]
            .is_string()
    );

    kill(Pid::from_raw(program.id().unwrap().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let status = timeout(PATIENCE, program.wait()).await.expect("the program ends").unwrap();
    assert!(status.success(), "{status}");
}

/// The program with ports of its own, and what it printed when it was ready.
async fn start() -> (Child, Value) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_igra-devnet"))
        .args(["node", "--rpc-listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--block-interval-ms", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.expect("the program is ready in time").unwrap();
    let ready: Value = serde_json::from_str(&line.expect("the program prints a line")).unwrap();
    assert_eq!(ready["ready"], true);
    (program, ready)
}

struct Control {
    client: reqwest::Client,
    url: String,
}

impl Control {
    fn at(url: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { client: reqwest::Client::new(), url: url.to_owned() }
    }

    async fn get(&self, path: &str) -> Value {
        self.client.get(format!("{}/{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.client
            .post(format!("{}/{path}", self.url))
            .json(&body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }
}
