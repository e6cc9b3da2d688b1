//! What every story begins with: a node with a miner, the operator installed, a group that is Ready and funded.

use anyhow::Result;

use crate::{
    api::Api,
    environment::Environment,
    fleet::{Fleet, Wish},
    forward::Forward,
    kubectl::Kubectl,
    node::Node,
    progress::Progress,
    recipient,
    wait::until,
};

/// The namespace of the operator.
pub const OPERATOR_NAMESPACE: &str = "igra-system";
/// The namespace and name of the first group.
pub const GROUP: &str = "treasury";
/// What the group is funded with, in KAS, one coin each.
const FUNDS: [&str; 3] = ["1000", "1000", "1000"];

/// A running group and all around it.
pub struct Stage {
    pub environment: Environment,
    pub kubectl: Kubectl,
    pub node: Node,
    pub fleet: Fleet,
    pub address: String,
    /// The one address that the policy allows.
    pub recipient: String,
    pub api: Api,
}

impl Stage {
    /// Sets the stage, a line a step.
    pub async fn set(environment: Environment, progress: &Progress) -> Result<Self> {
        let kubectl = Kubectl::new(&environment);
        let node = progress
            .step("Kaspa node on simnet", async {
                let node = Node::start(&environment).await?;
                let endpoint = node.endpoint();
                Ok((node, endpoint))
            })
            .await?;
        let install =
            async { kubectl.install_operator(OPERATOR_NAMESPACE).await.map(|()| ((), String::new())) };
        progress.step("operator installed by helm", install).await?;
        let recipient = recipient::new_address();
        let fleet = progress
            .step("keys, policy and SignerGroup applied", apply(&environment, &kubectl, &node, &recipient))
            .await?;
        let address = progress.step("the group knows its address", know_address(&fleet)).await?;
        progress
            .step("group Ready", async {
                let status = fleet.condition("Ready", "True", 180).await?;
                Ok(((), format!("{} members ready", status["readyMembers"].as_str().unwrap_or("?"))))
            })
            .await?;
        // Not before: members that begin while the chain shows coins of theirs think that they forgot something.
        progress.step("funded", fund(&node, &address)).await?;
        let api = Api::new(Forward::open(&kubectl, GROUP, &format!("service/{GROUP}-api"), 8080).await?)?;
        Ok(Self { environment, kubectl, node, fleet, address, recipient, api })
    }

    /// The way to one member's admin port.
    pub async fn member_admin(&self, member: &str) -> Result<Forward> {
        Forward::open(&self.kubectl, GROUP, &format!("pod/{}", self.fleet.pod(member)), 9090).await
    }

    /// The API of one member's pod.
    pub async fn member_api(&self, member: &str) -> Result<Api> {
        let target = format!("pod/{}", self.fleet.pod(member));
        Api::new(Forward::open(&self.kubectl, GROUP, &target, 8080).await?)
    }

    /// Waits until the recipient holds a coin of this transaction; gives its value in sompi.
    pub async fn paid_coin(&self, transaction: &str) -> Result<u64> {
        until("the recipient's coin on the node", 60, async || {
            let coins = self.node.coins(&self.recipient).await?;
            let found = coins.iter().find(|(id, _)| id == transaction).map(|(_, sompi)| *sompi);
            Ok(found.ok_or_else(|| format!("the recipient holds {coins:?}")))
        })
        .await
    }
}

async fn apply(
    environment: &Environment,
    kubectl: &Kubectl,
    node: &Node,
    recipient: &str,
) -> Result<(Fleet, String)> {
    let endpoint = node.endpoint();
    let wish = Wish { namespace: GROUP, name: GROUP, node: &endpoint, recipient };
    Ok((Fleet::apply(environment, kubectl, &wish).await?, format!("namespace {GROUP}, 2-of-3")))
}

async fn know_address(fleet: &Fleet) -> Result<(String, String)> {
    let expected = fleet.address()?;
    until("the address in the group's status", 30, async || {
        let status = fleet.status().await?;
        Ok(if status["address"] == expected.as_str() {
            Ok(())
        } else {
            Err(format!("status.address is {}", status["address"]))
        })
    })
    .await?;
    Ok((expected.clone(), expected))
}

async fn fund(node: &Node, address: &str) -> Result<((), String)> {
    for kas in FUNDS {
        node.fund(address, kas).await?;
    }
    // Deposits are spent from a depth of 1 000 on; the samples ask for less, and mining is quick here.
    node.mine(150).await?;
    Ok(((), format!("{} coins of 1000 KAS", FUNDS.len())))
}
