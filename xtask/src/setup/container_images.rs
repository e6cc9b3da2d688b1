//! The two images that the cluster cannot do without and that no registry is asked for: the base of ours, made from
//! Debian packages, and the process that holds a pod's namespaces.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::places::{self, Places};
use crate::programs::{command, logged, output};
use crate::progress::{say, shown};

/// The name that the Dockerfile's runtime stages start from.
const BASE: &str = "docker.io/library/debian:bookworm-slim";
/// The name that containerd is told to start pods with.
pub const PAUSE: &str = "igra.dev/pause:1";
/// Changes when the base image is to be made anew on machines that have one.
const BASE_RECIPE: &str = "bookworm-1";

/// A folder of images that buildah works in.
#[derive(Clone, Debug)]
pub struct ImageStore {
    folder: PathBuf,
}

impl ImageStore {
    /// The store that `setup` fills.
    pub fn of(places: &Places) -> ImageStore {
        ImageStore { folder: places.cache.join(format!("images-{BASE_RECIPE}")) }
    }

    /// A buildah command on this store. It needs no overlay file system and no daemon, and runs nothing outside.
    pub fn buildah(&self, arguments: &[&str]) -> Command {
        let mut buildah = command("buildah", &["--storage-driver", "vfs"]);
        buildah.arg("--root").arg(self.folder.join("storage"));
        buildah.arg("--runroot").arg(self.folder.join("state"));
        buildah.args(arguments);
        buildah
    }

    /// The archive of the pause image, ready to be imported.
    pub fn pause_archive(&self) -> PathBuf {
        self.folder.join("pause.tar")
    }

    /// Writes an image as an archive, of the kind that is not compressed: it goes no further than this machine.
    pub fn export(&self, image: &str, archive: &Path) -> Result<()> {
        let target = format!("docker-archive:{}:{image}", archive.display());
        output(&mut self.buildah(&["push", "--quiet", image, &target])).map(drop)
    }

    /// Removes what builds leave behind: a container and an image without a name for each stage.
    pub fn tidy(&self) -> Result<()> {
        output(&mut self.buildah(&["rm", "--all"]))?;
        output(&mut self.buildah(&["rmi", "--prune"])).map(drop)
    }

    /// Makes an image of one tar file.
    fn import(&self, contents: &Path, image: &str, settings: &[&str]) -> Result<()> {
        let container = output(&mut self.buildah(&["from", "scratch"]))?;
        let container = container.trim();
        output(self.buildah(&["add", "--quiet", container]).arg(contents))?;
        let mut config = self.buildah(&["config"]);
        output(config.args(settings).arg(container))?;
        output(&mut self.buildah(&["commit", "--quiet", "--rm", container, image]))?;
        Ok(())
    }
}

/// Makes both images unless they are there.
pub fn provide(places: &Places) -> Result<()> {
    let store = ImageStore::of(places);
    if store.folder.exists() {
        return Ok(());
    }
    let started = Instant::now();
    say(format!("setup: making {BASE} from Debian packages, once (about half a minute)"));
    // Filled under another name, so that a start that was stopped leaves no half store behind.
    let unfinished = store.folder.with_extension("unfinished");
    places::remove(&unfinished)?;
    fs::create_dir_all(&unfinished)?;
    let scratch = places.scratch("base-image")?;
    let making = ImageStore { folder: unfinished.clone() };
    make_base(places, &making, &scratch)?;
    make_pause(places, &making, &scratch)?;
    places::remove(&scratch)?;
    fs::rename(&unfinished, &store.folder).context("could not put the image store in its place")?;
    say(format!("setup: base image made ({})", shown(started.elapsed())));
    Ok(())
}

fn make_base(places: &Places, store: &ImageStore, scratch: &Path) -> Result<()> {
    let tree = scratch.join("base.tar");
    let mut make = command("mmdebstrap", &["--variant=minbase", "bookworm"]);
    make.arg(&tree);
    logged(&mut make, &places.logs()?.join("base-image.log"), "mmdebstrap")?;
    store.import(&tree, BASE, &["--cmd", "bash"])
}

fn make_pause(places: &Places, store: &ImageStore, scratch: &Path) -> Result<()> {
    let program = scratch.join("pause");
    let source = places.root.join("xtask/images/pause.c");
    let mut compile = command("gcc", &["-static", "-Os", "-s", "-Wall", "-Werror", "-o"]);
    output(compile.arg(&program).arg(source))?;
    store.import(&program, PAUSE, &["--entrypoint", r#"["/pause"]"#, "--user", "65535:65535"])?;
    store.export(PAUSE, &store.pause_archive())
}
