//! What a seed makes of a run: group, load, network, node and crash behaviour.

use rand::{Rng, rngs::StdRng};

use crate::keys::{SHAPES, Shape};

/// The faults and the load of the first phase. Chances are per mille.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub shape: Shape,
    pub events: u64,
    pub deposits: u64,
    /// How long faults last, in virtual milliseconds.
    pub chaos_ms: u64,
    pub gossip_loss: u32,
    pub stream_loss: u32,
    pub duplicate: u32,
    pub latency_ms: u64,
    /// Now and then a message takes this long.
    pub straggle_ms: u64,
    /// That a step ends in a crash, at any write or effect.
    pub crash: u32,
    pub restart_ms: u64,
    /// That a block is followed by a reorganisation.
    pub reorganise: u32,
    /// Most blocks that a node is behind.
    pub lag: u64,
    /// That a block leaves out a transaction.
    pub delay_inclusion: u32,
    pub node_down: u32,
    pub partition: u32,
    pub fee_rate: u64,
    /// Largest difference of a wall clock from true time, in seconds.
    pub skew_seconds: u64,
    /// How long a signer gathers inputs before it commits them together; 0: each by itself.
    pub turn_ms: u64,
    /// The most that a signer may approve within the policy's window, in sompi; 0: any sum.
    pub volume: u64,
    /// Members that stay up in the second phase.
    pub survivors: u8,
}

impl Scenario {
    /// The scenario of a seed.
    pub fn draw(rng: &mut StdRng) -> Self {
        let shape = SHAPES[rng.gen_range(0..SHAPES.len())];
        let mut of = |choices: &[u64]| choices[rng.gen_range(0..choices.len())];
        let survivors = if of(&[0, 1]) == 0 { shape.members } else { shape.quorum };
        Self {
            shape,
            events: of(&[1, 2, 3, 4]),
            deposits: of(&[2, 4, 8]),
            chaos_ms: of(&[10_000, 20_000, 30_000]),
            gossip_loss: of(&[0, 50, 300, 600, 1_000]) as u32,
            stream_loss: of(&[0, 10, 100, 400]) as u32,
            duplicate: of(&[0, 50, 300]) as u32,
            latency_ms: of(&[5, 50, 300]),
            straggle_ms: of(&[0, 1_000, 8_000]),
            crash: of(&[0, 2, 10, 40]) as u32,
            restart_ms: of(&[200, 2_000, 8_000]),
            reorganise: of(&[0, 30, 120]) as u32,
            lag: of(&[0, 2, 6]),
            delay_inclusion: of(&[0, 300, 800]) as u32,
            node_down: of(&[0, 0, 20]) as u32,
            partition: of(&[0, 0, 40]) as u32,
            fee_rate: of(&[100, 130]),
            skew_seconds: of(&[0, 0, 600]),
            turn_ms: of(&[0, 0, 10, 100]),
            volume: of(&[0, 0, 2_500_000_000]),
            survivors,
        }
    }
}
