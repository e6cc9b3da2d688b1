//! The main job, shown step by step: a group comes up on Kubernetes and pays an event on a real Kaspa node, once.

use anyhow::{Result, anyhow, ensure};
use igra_group::Sompi;
use reqwest::StatusCode;
use serde_json::Value;

use crate::{
    api::Ask,
    environment::Environment,
    kubectl::Kubectl,
    progress::Progress,
    stage::{GROUP, OPERATOR_NAMESPACE, Stage},
};

const PAYMENT: Sompi = Sompi(12_500_000_000);

/// Plays the demo; with `keep` waits at its end until it is interrupted, with `clean_up` takes away from the cluster
/// what it put there, also after a failure or Ctrl-C.
pub async fn play(environment: Environment, keep: bool, clean_up: bool) -> Result<()> {
    let kubectl = Kubectl::new(&environment);
    for namespace in [OPERATOR_NAMESPACE, GROUP] {
        kubectl.refuse_existing(namespace).await?;
    }
    let played = tokio::select! {
        played = story(environment, keep) => played,
        _ = tokio::signal::ctrl_c(), if clean_up => Err(anyhow!("interrupted")),
    };
    if clean_up {
        kubectl.remove_operator(OPERATOR_NAMESPACE).await?;
        kubectl.remove_namespaces(&[GROUP, OPERATOR_NAMESPACE]).await?;
        println!("taken away again, but for the two CRDs, which the chart keeps");
    }
    played
}

async fn story(environment: Environment, keep: bool) -> Result<()> {
    let progress = Progress::new();
    let mut stage = Stage::set(environment, &progress).await?;
    let recipient = stage.recipient.clone();
    let ask = Ask { id: "invoice-0001", recipient: &recipient, sompi: PAYMENT.0 };

    let key = progress.step(&format!("event sent: pay {PAYMENT}"), send(&stage, &ask)).await?;
    let transaction = progress.step("settled", follow(&stage, &key)).await?;
    progress.step("the recipient's coin is on the node", coin(&stage, &transaction)).await?;
    progress.step("the same event again: same answer, no second payment", again(&stage, &ask, &key)).await?;
    let other = Ask { sompi: PAYMENT.0 + 1, ..ask.clone() };
    progress
        .step("the same id with another amount is refused", refused(&stage, &other, StatusCode::CONFLICT))
        .await?;
    let large = Ask { id: "invoice-0002", sompi: 90_000_000_000_000, ..ask.clone() };
    progress
        .step("over the limit is refused", refused(&stage, &large, StatusCode::UNPROCESSABLE_ENTITY))
        .await?;

    show(&stage, &transaction, &key).await?;
    if keep {
        println!("\nIt stays up until Ctrl-C, or `cargo xtask demo --down` from elsewhere.");
        tokio::signal::ctrl_c().await?;
        stage.node.halt().await?;
    }
    Ok(())
}

async fn send(stage: &Stage, ask: &Ask<'_>) -> Result<(String, String)> {
    let (status, answer) = stage.api.send(ask).await?;
    ensure!(status.is_success(), "the API answered {status}: {answer}");
    let key = answer["event"].as_str().unwrap_or_default().to_owned();
    ensure!(!key.is_empty(), "the API named no event: {answer}");
    Ok((key.clone(), format!("event {key}")))
}

async fn follow(stage: &Stage, key: &str) -> Result<(String, String)> {
    let session = stage.api.event_in(key, &["settled", "paid"], 120).await?;
    let transaction = session["transaction"].as_str().unwrap_or_default().to_owned();
    ensure!(!transaction.is_empty(), "a settled event without a transaction: {session}");
    Ok((transaction.clone(), format!("transaction {transaction}")))
}

async fn coin(stage: &Stage, transaction: &str) -> Result<((), String)> {
    let sompi = stage.paid_coin(transaction).await?;
    ensure!(sompi == PAYMENT.0, "the coin holds {sompi} sompi, not {}", PAYMENT.0);
    Ok(((), Sompi(sompi).to_string()))
}

async fn again(stage: &Stage, ask: &Ask<'_>, key: &str) -> Result<((), String)> {
    Ok(((), crate::scenarios::not_paid_again(stage, ask, key).await?))
}

async fn refused(stage: &Stage, ask: &Ask<'_>, wanted: StatusCode) -> Result<((), String)> {
    let (status, answer) = stage.api.send(ask).await?;
    ensure!(status == wanted, "the API answered {status}: {answer}");
    Ok(((), format!("{} {}", status.as_u16(), why(&answer))))
}

/// The code of a refusal, and where a rule of the policy stands behind it what is and what may be.
fn why(answer: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let (code, details) = (text(&answer["code"]), &answer["details"]);
    if details["rule"].is_null() {
        return code;
    }
    format!(
        "{code}, {} where {} allows {}",
        text(&details["actual"]),
        text(&details["rule"]),
        text(&details["allowed"])
    )
}

async fn show(stage: &Stage, transaction: &str, key: &str) -> Result<()> {
    let table = stage.kubectl.run(&["get", "signergroups", "--namespace", GROUP]).await?;
    let pods = stage.kubectl.run(&["get", "pods", "--namespace", GROUP]).await?;
    println!("\naddress      {}\ntransaction  {transaction}\nevent        {key}\n", stage.address);
    println!(
        "$ kubectl get signergroups --namespace {GROUP}\n{table}\n$ kubectl get pods --namespace {GROUP}\n{pods}"
    );
    let kubeconfig = stage.environment.kubeconfig.display();
    println!("Look further while it is kept up (cargo xtask demo --keep):");
    println!("  export KUBECONFIG={kubeconfig}");
    println!("  kubectl describe signergroup {GROUP} --namespace {GROUP}");
    println!("  kubectl logs deployment/igra-operator --namespace {OPERATOR_NAMESPACE}");
    println!("  kubectl port-forward --namespace {GROUP} service/{GROUP}-api 8080 &");
    println!("  curl -H 'Authorization: Bearer {}' localhost:8080/v1/events/{key}", crate::fleet::TOKEN);
    Ok(())
}
