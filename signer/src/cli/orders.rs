//! `igra-signer cancel`, `lost`, `halt`, `quarantine` and `predecessor`: what an administrator asks of a running signer.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::{Output, ask::Whom};

pub const CANCEL_EXAMPLES: &str = "Examples:
  igra-signer cancel --reason \"sent twice by mistake\" 4f0c…
  kubectl exec treasury-0 -- igra-signer cancel --reason \"sent twice by mistake\" 4f0c…

The event ends as cancelled where no member has approved it yet, else by a transaction of the group that voids it. Each
member's administrator speaks for that member alone, until the policy names others.";

pub const LOST_EXAMPLES: &str = "Examples:
  igra-signer lost --reason \"the exchange spent its deposit again; block 8d21… shows it\" 4f0c…
  kubectl exec treasury-0 -- igra-signer lost --reason \"the exchange spent its deposit again\" 4f0c…

`missingCoins` of the event names what its transactions spend and this signer's node does not show. Where such a coin is
gone for good, because its maker was undone and what that spent is spent otherwise, nobody can pay the event and nobody
can void it. To say so at q members frees them: what needs those coins counts as dead, and the event is paid from others.
If that is wrong and the coins come back, the event may be paid twice: look at the chain first, with other nodes too.";

pub const HALT_EXAMPLES: &str = "Examples:
  igra-signer halt status
  igra-signer halt clear --reason \"the second copy is gone, its volume deleted\"";

pub const QUARANTINE_EXAMPLES: &str = "Examples:
  igra-signer quarantine status
  igra-signer quarantine release --reason \"the volume is whole: its name alone was changed\"

A quarantine ends by itself once the group has washed its coins. To release it means that no promise was forgotten; if
that is wrong, the group may pay twice.";

pub const PREDECESSOR_EXAMPLES: &str = "Examples:
  igra-signer predecessor status
  igra-signer predecessor release --reason \"the ledger of what the old group paid was compared by hand\"

A signer whose group has a predecessor promises nothing until the predecessor's coins have moved here. To release it
means that the predecessor pays nothing more, and that no event will be asked for again which it paid and which this
signer's node does not remember; if that is wrong, an event may be paid by both groups.";

#[derive(Debug, Args)]
pub struct Cancel {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    why: Why,
    /// The event's key: 64 digits of hex
    #[arg(value_name = "EVENT")]
    event: String,
}

#[derive(Debug, Args)]
pub struct Lost {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    why: Why,
    /// The key of an event whose transactions spend them: 64 digits of hex
    #[arg(value_name = "EVENT")]
    event: String,
}

#[derive(Debug, Subcommand)]
pub enum Halt {
    /// Says whether an alarm has halted the signer, and which.
    #[command(after_help = HALT_EXAMPLES)]
    Status(Status),
    /// Says that the cause is gone; the signer promises again.
    #[command(after_help = HALT_EXAMPLES)]
    Clear(Order),
}

#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// Says whether the signer is quarantined, why, and how far the washing is.
    #[command(after_help = QUARANTINE_EXAMPLES)]
    Status(Status),
    /// Ends the quarantine on the administrator's word.
    #[command(after_help = QUARANTINE_EXAMPLES)]
    Release(Order),
}

#[derive(Debug, Subcommand)]
pub enum Predecessor {
    /// Says whether the signer still waits for another group's coins, and what for.
    #[command(after_help = PREDECESSOR_EXAMPLES)]
    Status(Status),
    /// Ends the waiting on the administrator's word.
    #[command(after_help = PREDECESSOR_EXAMPLES)]
    Release(Order),
}

#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    whom: Whom,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub struct Order {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    why: Why,
}

/// Kept and shown for ever.
#[derive(Debug, Args)]
pub struct Why {
    /// For those who come later; kept for ever
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

impl Cancel {
    pub fn run(self) -> anyhow::Result<()> {
        let path = format!("/v1/events/{}/cancel", self.event);
        let event = self.whom.order(&path, &self.why.reason)?;
        show(&event, self.why.output)
    }
}

impl Lost {
    pub fn run(self) -> anyhow::Result<()> {
        let path = format!("/v1/events/{}/lost", self.event);
        let event = self.whom.order(&path, &self.why.reason)?;
        show(&event, self.why.output)
    }
}

impl Halt {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Status(status) => status.show(&["stopped", "halt", "interventions"]),
            Self::Clear(order) => order.give("/v1/halt/clear", &["stopped", "halt", "interventions"]),
        }
    }
}

impl Quarantine {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Status(status) => status.show(&["quarantine", "interventions"]),
            Self::Release(order) => order.give("/v1/quarantine/release", &["quarantine", "interventions"]),
        }
    }
}

impl Predecessor {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Status(status) => status.show(&["predecessor", "interventions"]),
            Self::Release(order) => order.give("/v1/predecessor/release", &["predecessor", "interventions"]),
        }
    }
}

impl Status {
    fn show(self, fields: &[&str]) -> anyhow::Result<()> {
        let group = self.whom.get("/v1/group")?;
        show(&part(&group, fields), self.output)
    }
}

impl Order {
    fn give(self, path: &str, fields: &[&str]) -> anyhow::Result<()> {
        let group = self.whom.order(path, &self.why.reason)?;
        show(&part(&group, fields), self.why.output)
    }
}

/// The member's name and these fields of what it says of the group.
fn part(group: &Value, fields: &[&str]) -> Value {
    let named = ["member"].iter().chain(fields);
    named.map(|field| ((*field).to_owned(), group[*field].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn show(value: &Value, output: Output) -> anyhow::Result<()> {
    match output {
        Output::Text => print!("{}", serde_yaml::to_string(value)?),
        Output::Json => println!("{}", serde_json::to_string_pretty(value)?),
    }
    Ok(())
}
