//! Open-loop load: events come at a fixed rate, whether or not the group keeps up, and a sample of them is followed to
//! the moment when the node has their transaction.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use igra_group::Sompi;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{ApiClient, Fleet, Node, Seen, bench::Percentiles, progress::Progress};

/// Followed events a second: more would be a load of their own.
const FOLLOWED: u32 = 20;
/// How often a followed event is asked for at first. Later by this part of the time that it took so far: questions would
/// else be the most of the load, and use up what the API allows one client.
const POLL: Duration = Duration::from_millis(2);
const POLL_PART: u32 = 20;
const MOST_AT_ONCE: usize = 10_000;
const GIVE_UP: Duration = Duration::from_secs(60);
/// Small enough that a batch of 64 fits one coin of the bench.
const AMOUNT: Sompi = Sompi(igra_group::SOMPI_PER_KAS / 2);

/// One rate, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    #[serde(rename = "eventsPerSecond")]
    pub rate: u32,
    pub taken: usize,
    /// Answers other than 202.
    pub refused: usize,
    /// Followed ones that were not submitted within a minute.
    #[serde(rename = "notSubmitted")]
    pub late: usize,
    /// Event in → submitted, of the followed ones.
    #[serde(rename = "eventToSubmittedMs")]
    pub times: Percentiles,
    /// Events taken, by the time from the first one to the moment when the last followed one was submitted: a second.
    #[serde(rename = "submittedPerSecond")]
    pub throughput: f64,
}

/// Sends events to the first signer at one rate for so many seconds.
pub async fn run(
    fleet: &Fleet,
    node: &Node,
    recipient: &str,
    rate: u32,
    seconds: u32,
    progress: &Progress,
) -> anyhow::Result<LoadReport> {
    let (total, every) = (rate * seconds, rate.div_ceil(FOLLOWED));
    let mut clock = interval(Duration::from_secs(1) / rate);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let start = Instant::now();
    let ticks = stream::unfold((clock, 0), |(mut clock, number)| async move {
        clock.tick().await;
        (number < total).then_some((number, (clock, number + 1)))
    });
    let sent = ticks.map(|number| {
        let body = ApiClient::request(Fleet::SOURCE, &format!("load-{rate}-{number}"), recipient, AMOUNT);
        one(fleet, node, body, number % every == 0)
    });
    let outcomes: Vec<Outcome> = sent.buffer_unordered(MOST_AT_ONCE).try_collect().await?;
    let elapsed = start.elapsed();
    let taken = outcomes.iter().filter(|outcome| !matches!(outcome, Outcome::Refused)).count();
    let throughput = taken as f64 / elapsed.as_secs_f64();
    let times: Vec<Duration> = outcomes.iter().filter_map(Outcome::time).collect();
    let late = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Late(_))).count();
    for outcome in &outcomes {
        if let Outcome::Late(view) = outcome {
            progress.say(format!("not submitted within {} s: {view}", GIVE_UP.as_secs()));
        }
    }
    if times.is_empty() {
        bail!("no event was submitted at {rate} events a second");
    }
    progress.say(format!("{rate} events a second for {seconds} s: {taken} taken"));
    let refused = outcomes.len() - taken;
    Ok(LoadReport { rate, taken, refused, late, times: crate::bench::percentiles(times), throughput })
}

/// What became of one event.
enum Outcome {
    Refused,
    Taken,
    Submitted(Duration),
    /// What the signer says of it after the longest wait.
    Late(Value),
}

impl Outcome {
    fn time(&self) -> Option<Duration> {
        match self {
            Self::Submitted(time) => Some(*time),
            Self::Refused | Self::Taken | Self::Late(_) => None,
        }
    }
}

async fn one(fleet: &Fleet, node: &Node, body: Value, follow: bool) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let answer = fleet.signers[0].api.post_event(&body).await?;
    if !answer.status.is_success() {
        return Ok(Outcome::Refused);
    }
    if !follow {
        return Ok(Outcome::Taken);
    }
    let event = answer.body["event"].as_str().context("the receipt names no event")?;
    loop {
        let view = fleet.signers[0].api.event(event).await?.body;
        if let Some(transaction) = view["transaction"].as_str()
            && node.transaction(transaction).await? != Seen::Unknown
        {
            return Ok(Outcome::Submitted(start.elapsed()));
        }
        if start.elapsed() > GIVE_UP {
            return Ok(Outcome::Late(view));
        }
        sleep(POLL.max(start.elapsed() / POLL_PART)).await;
    }
}
