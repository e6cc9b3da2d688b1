//! The commands, and which module does each.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::checks::Test;
use crate::cluster::{self, Cluster};
use crate::demo::Demo;
use crate::fuzz::Fuzz;
use crate::generate;
use crate::images;
use crate::places::Places;
use crate::programs::{command, streamed};
use crate::setup::{self, Scope};
use crate::workspace;

/// Sets a machine up for Igra, tests it, and shows it.
///
/// Tools, images and logs are kept in ~/.cache/igra, or where IGRA_CACHE says.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand, Debug)]
enum Task {
    /// Install and build what this machine lacks.
    Setup {
        /// Only what building and testing without a cluster take.
        #[arg(long)]
        without_cluster: bool,
    },
    Demo(Demo),
    Test(Test),
    /// Run the simulator: whole groups, faults, many seeds.
    Sim(Sim),
    /// Search every schedule of small groups for a second payment and for states without a way out.
    Prove(Prove),
    Fuzz(Fuzz),
    /// Measure how fast payments go through (release build).
    Bench(Bench),
    /// Write the files that are generated from others.
    Gen {
        /// Write nothing; fail if a file is not what it would be.
        #[arg(long)]
        check: bool,
    },
    /// A Kubernetes cluster of one node on this machine, for development. Needs root.
    #[command(subcommand)]
    Cluster(ClusterTask),
}

/// What is handed to the simulator.
#[derive(Args, Debug)]
struct Sim {
    /// How many seeds to run.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first seed, or with --trace the only one.
    #[arg(long)]
    seed: Option<u64>,
    /// Print everything that happens.
    #[arg(long)]
    trace: bool,
}

#[derive(Args, Debug)]
struct Prove {
    /// Handed to igra-prove, such as --quick, --list, --case NAME or --json.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

#[derive(Args, Debug)]
struct Bench {
    /// Leave out the parts by themselves, which take some minutes.
    #[arg(long)]
    group_only: bool,
    /// Handed to igra-devnet bench.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

#[derive(Subcommand, Debug)]
enum ClusterTask {
    /// Start it and leave it running.
    Up(Name),
    /// End it and remove everything but its logs.
    Down(Name),
    /// Show its processes.
    Status(Name),
    /// Print the path of its kubeconfig.
    Kubeconfig(Name),
    /// Load images: archives, or without any our own two, made from the last build.
    Load {
        #[command(flatten)]
        name: Name,
        archives: Vec<PathBuf>,
    },
}

#[derive(Args, Debug)]
struct Name {
    /// The run's name; clusters of different names run side by side.
    #[arg(long, default_value = "dev")]
    name: String,
}

impl Cli {
    /// # Errors
    /// What was asked for could not be done.
    pub fn run(self) -> Result<()> {
        let places = Places::find()?;
        match self.task {
            Task::Setup { without_cluster } => set_up(&places, without_cluster),
            Task::Demo(demo) => demo.run(&places),
            Task::Test(test) => test.run(&places),
            Task::Sim(sim) => simulate(&places, &sim),
            Task::Prove(prove) => search(&places, &prove),
            Task::Fuzz(fuzz) => fuzz.run(&places),
            Task::Bench(bench) => measure(&places, &bench),
            Task::Gen { check } => generate_files(&places, check),
            Task::Cluster(task) => task.run(&places),
        }
    }
}

impl ClusterTask {
    fn run(self, places: &Places) -> Result<()> {
        match self {
            ClusterTask::Up(Name { name }) => {
                let tools = setup::setup(places, Scope::Cluster)?;
                let mut cluster = Cluster::up(places, &tools, &name)?;
                cluster.keep();
                println!("export KUBECONFIG={}", cluster.kubeconfig().display());
                println!("export PATH={}:$PATH", tools.kubernetes.display());
                Ok(())
            }
            ClusterTask::Down(Name { name }) => cluster::down(places, &name),
            ClusterTask::Status(Name { name }) => cluster::status(places, &name),
            ClusterTask::Kubeconfig(Name { name }) => {
                println!("{}", cluster::kubeconfig(places, &name)?.display());
                Ok(())
            }
            ClusterTask::Load { name: Name { name }, archives } => load(places, &name, archives),
        }
    }
}

fn set_up(places: &Places, without_cluster: bool) -> Result<()> {
    let scope = if without_cluster { Scope::Build } else { Scope::Cluster };
    let tools = setup::setup(places, scope)?;
    println!("Kubernetes programs: {}\nhelm: {}", tools.kubernetes.display(), tools.helm.display());
    Ok(())
}

fn simulate(places: &Places, sim: &Sim) -> Result<()> {
    setup::setup(places, Scope::Build)?;
    workspace::build(places)?;
    let mut program = command(workspace::built(places, "igra-sim")?, &["--seeds", &sim.seeds.to_string()]);
    if let Some(seed) = sim.seed {
        program.args(["--seed", &seed.to_string()]);
    }
    if sim.trace {
        program.arg("--trace");
    }
    streamed(&mut program)
}

fn search(places: &Places, prove: &Prove) -> Result<()> {
    setup::setup(places, Scope::Build)?;
    workspace::build(places)?;
    streamed(command(workspace::built(places, "igra-prove")?, &[]).args(&prove.arguments))
}

fn measure(places: &Places, bench: &Bench) -> Result<()> {
    setup::setup(places, Scope::Build)?;
    let mut build = workspace::cargo(places, &["build", "--release", "--workspace", "--bins", "--locked"]);
    streamed(&mut build)?;
    let released = |name: &str| places.target.join("release").join(name);
    if !bench.group_only {
        streamed(&mut command(released("igra-bench"), &[]))?;
    }
    streamed(command(released("igra-devnet"), &["bench"]).args(&bench.arguments))
}

fn generate_files(places: &Places, check: bool) -> Result<()> {
    let tools = setup::setup(places, Scope::Build)?;
    workspace::build(places)?;
    generate::run(places, &tools, check)
}

fn load(places: &Places, name: &str, archives: Vec<PathBuf>) -> Result<()> {
    cluster::kubeconfig(places, name)?;
    if !archives.is_empty() {
        return archives.iter().try_for_each(|archive| cluster::import(places, name, archive));
    }
    let images = images::make(places)?;
    for image in [images.operator, images.signer] {
        cluster::import(places, name, &image.archive)?;
        println!("{}", image.name);
    }
    Ok(())
}
