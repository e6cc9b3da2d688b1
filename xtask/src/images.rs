//! The operator's and the signer's images: made by the Dockerfile from binaries that are compiled outside of it, and
//! kept as archives as long as nothing in them changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::places::{self, Places};
use crate::programs::{command, logged, output};
use crate::progress::{say, shown};
use crate::setup::{ImageStore, fnv1a};
use crate::workspace;

/// The C library of the base image. Binaries that were linked against a newer one would not start in it.
const BASE_LIBC: (u32, u32) = (2, 36);

/// An image, as a name and as a file.
#[derive(Clone, Debug)]
pub struct Image {
    /// `repository:tag`.
    pub name: String,
    /// The archive, as docker and kind take it.
    pub archive: PathBuf,
}

/// Both images.
#[derive(Clone, Debug)]
pub struct Images {
    pub operator: Image,
    pub signer: Image,
}

/// Makes the images of the binaries that the last build left.
pub fn make(places: &Places) -> Result<Images> {
    let started = Instant::now();
    check_libc()?;
    let context = places.scratch("image-context")?;
    for program in ["igra-operator", "igra-signer"] {
        strip(&workspace::built(places, program)?, &context.join(program))?;
    }
    let images =
        Images { operator: image(places, &context, "operator")?, signer: image(places, &context, "signer")? };
    places::remove(&context)?;
    say(format!(
        "images: {} and {} ({})",
        images.operator.name,
        images.signer.name,
        shown(started.elapsed())
    ));
    Ok(images)
}

/// Two thirds of a dev build are symbols, which would only make the image slow to load.
fn strip(from: &Path, to: &Path) -> Result<()> {
    output(command("strip", &["-o"]).arg(to).arg(from)).map(drop)
}

fn image(places: &Places, context: &Path, target: &str) -> Result<Image> {
    let dockerfile = places.root.join("Dockerfile");
    let binary = context.join(format!("igra-{target}"));
    let mut contents = fs::read(&dockerfile).context("could not read the Dockerfile")?;
    contents.extend(fs::read(&binary).with_context(|| format!("could not read {}", binary.display()))?);
    let mark = fnv1a(&contents);
    let folder = places::made(places.cache.join("image-archives"))?;
    let archive = folder.join(format!("{target}-{mark}.tar"));
    let name = format!("igra.dev/{target}:dev-{mark}");
    if !archive.exists() {
        forget_older(&folder, target)?;
        build(places, context, target, &name, &archive)?;
    }
    Ok(Image { name, archive })
}

fn build(places: &Places, context: &Path, target: &str, name: &str, archive: &Path) -> Result<()> {
    let store = ImageStore::of(places);
    let mut build = store.buildah(&["build", "--isolation", "chroot", "--pull-never", "--target", target]);
    build.args(["--build-arg", "BINARIES=prebuilt", "--tag", name, "--file"]);
    build.arg(places.root.join("Dockerfile")).arg(context);
    logged(&mut build, &places.logs()?.join(format!("image-{target}.log")), &format!("image {target}"))?;
    let unfinished = archive.with_extension("unfinished");
    let _none_is_fine = fs::remove_file(&unfinished);
    store.export(name, &unfinished)?;
    fs::rename(&unfinished, archive).with_context(|| format!("could not write {}", archive.display()))?;
    // The archive is all that is used; in the store the image would take its room twice.
    output(&mut store.buildah(&["rmi", "--force", name]))?;
    store.tidy()
}

fn forget_older(folder: &Path, target: &str) -> Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&format!("{target}-")) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn check_libc() -> Result<()> {
    let said = output(&mut command("getconf", &["GNU_LIBC_VERSION"]))?;
    let version = said.trim().rsplit(' ').next().and_then(|text| text.split_once('.'));
    let version =
        version.and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
    match version {
        Some(found) if found > BASE_LIBC => bail!(
            "this machine's C library is {} and the image's is {}.{}: binaries compiled here would not start there. \
             Build the images with the Dockerfile's builder stage and use --cluster current",
            said.trim(),
            BASE_LIBC.0,
            BASE_LIBC.1
        ),
        Some(_) => Ok(()),
        None => bail!("could not tell the C library's version from {said:?}"),
    }
}
