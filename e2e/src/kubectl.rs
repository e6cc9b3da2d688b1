//! The cluster as a user drives it: kubectl and helm.

use std::process::Output;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::{environment::Environment, process};

/// kubectl and helm with the run's kubeconfig.
#[derive(Clone)]
pub struct Kubectl {
    environment: Environment,
}

impl Kubectl {
    pub fn new(environment: &Environment) -> Self {
        Self { environment: environment.clone() }
    }

    /// A kubectl command, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.environment.kubectl);
        command.env("KUBECONFIG", &self.environment.kubeconfig).args(arguments);
        command
    }

    /// Runs kubectl and gives what it printed.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        process::output(&mut self.command(arguments)).await
    }

    /// One object or list as JSON.
    pub async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.run(&[arguments, &["--output", "json"]].concat()).await?;
        serde_json::from_str(&text).context("kubectl did not print JSON")
    }

    /// `kubectl apply` of this text.
    pub async fn apply(&self, yaml: &str) -> Result<String> {
        let mut command = self.command(&["apply", "--filename", "-"]);
        let done = process::run(&mut command, Some(yaml)).await?;
        if !done.status.success() {
            bail!("{}", process::failure(&command, &done));
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// `kubectl apply` of something that the API server must refuse; gives its words.
    pub async fn apply_refused(&self, yaml: &str) -> Result<String> {
        let done: Output = process::run(&mut self.command(&["apply", "--filename", "-"]), Some(yaml)).await?;
        if done.status.success() {
            bail!("the API server took what it should refuse");
        }
        Ok(String::from_utf8_lossy(&done.stderr).trim().to_owned())
    }

    /// Makes a namespace that admits only pods which meet Pod Security *restricted*.
    pub async fn restricted_namespace(&self, name: &str) -> Result<()> {
        let labels = "pod-security.kubernetes.io/enforce: restricted";
        self.apply(&format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n"
        ))
        .await?;
        Ok(())
    }

    /// Fails if the cluster has this namespace: what is in it belongs to somebody.
    pub async fn refuse_existing(&self, namespace: &str) -> Result<()> {
        let found =
            self.run(&["get", "namespace", namespace, "--ignore-not-found", "--output", "name"]).await?;
        if !found.trim().is_empty() {
            bail!(
                "the cluster has a namespace {namespace} already; if nobody needs it: kubectl delete namespace {namespace}"
            );
        }
        Ok(())
    }

    /// Uninstalls the operator if it is there.
    pub async fn remove_operator(&self, namespace: &str) -> Result<()> {
        let mut helm = Command::new(&self.environment.helm);
        helm.env("KUBECONFIG", &self.environment.kubeconfig);
        helm.args(["uninstall", "igra", "--namespace", namespace, "--ignore-not-found"]);
        process::output(&mut helm).await.map(drop)
    }

    /// Deletes namespaces with all that is in them, and waits for it.
    pub async fn remove_namespaces(&self, names: &[&str]) -> Result<()> {
        self.run(&[&["delete", "namespace", "--ignore-not-found"], names].concat()).await.map(drop)
    }

    /// `helm upgrade --install` of the operator's chart with the run's images.
    pub async fn install_operator(&self, namespace: &str) -> Result<()> {
        let environment = &self.environment;
        let (repository, tag) = split_image(&environment.operator_image)?;
        let mut helm = Command::new(&environment.helm);
        helm.env("KUBECONFIG", &environment.kubeconfig);
        helm.args(["upgrade", "--install", "igra"]).arg(&environment.chart);
        helm.args(["--namespace", namespace, "--create-namespace", "--wait", "--timeout", "120s"]);
        for value in [
            format!("image.repository={repository}"),
            format!("image.tag={tag}"),
            format!("signerImage={}", environment.signer_image),
        ] {
            helm.args(["--set-string", &value]);
        }
        process::output(&mut helm).await.map(drop)
    }
}

fn split_image(image: &str) -> Result<(&str, &str)> {
    image.rsplit_once(':').with_context(|| format!("the image {image} has no tag"))
}
