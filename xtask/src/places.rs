//! Where things are: the workspace, cargo's target folder, and the cache that outlives a clone.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::programs::pause;
use crate::progress::say;
use crate::signals::{self, Signal};

/// The folders that xtask reads and writes.
#[derive(Clone, Debug)]
pub struct Places {
    /// The root of the workspace.
    pub root: PathBuf,
    /// `IGRA_CACHE`, or `~/.cache/igra`: tools by version, images, folders of running clusters.
    pub cache: PathBuf,
    /// cargo's target folder: `CARGO_TARGET_DIR`, or one in the cache, so that a fresh clone compiles no dependency again.
    pub target: PathBuf,
}

impl Places {
    /// # Errors
    /// Neither `IGRA_CACHE` nor `HOME` is set, or the cache cannot be created.
    pub fn find() -> Result<Places> {
        let root = workspace_root()?;
        let cache = cache_folder()?;
        fs::create_dir_all(&cache).with_context(|| format!("could not create {}", cache.display()))?;
        // Mounts and processes show the real path.
        let cache = cache.canonicalize().with_context(|| format!("could not find {}", cache.display()))?;
        // Cargo takes a relative target folder from the folder that it is called in.
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => env::current_dir()?.join(folder),
            None => cache.join("target"),
        };
        Ok(Places { root, cache, target })
    }

    /// A binary of the ordinary (dev profile) build.
    pub fn built(&self, program: &str) -> PathBuf {
        self.target.join("debug").join(program)
    }

    /// The folder of one run of a cluster.
    pub fn run(&self, name: &str) -> PathBuf {
        self.cache.join("run").join(name)
    }

    /// Where the output of builds and checks goes.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub fn logs(&self) -> Result<PathBuf> {
        made(self.cache.join("logs"))
    }

    /// An empty folder for something half done. It lies beside the finished ones so that a rename finishes it.
    ///
    /// # Errors
    /// An older one of that name cannot be removed, or the new one cannot be created.
    pub fn scratch(&self, name: &str) -> Result<PathBuf> {
        let folder = self.cache.join("scratch").join(name);
        remove(&folder)?;
        made(folder)
    }
}

/// Creates a folder and all above it.
pub fn made(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
    Ok(folder)
}

/// Removes a folder with all that is in it, if it is there.
pub fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("could not remove {}", folder.display())),
    }
}

/// Writes a file, naming it in the error.
pub fn write(file: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    fs::write(file, text).with_context(|| format!("could not write {}", file.display()))
}

/// Reads a text file, naming it in the error.
pub fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))
}

/// Holds a lock file until dropped; when another process has it, waits and says so.
pub fn lock_waiting(file: &Path) -> Result<File> {
    let lock = open_lock(file)?;
    let mut said = false;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if !said => {
                say(format!("another cargo xtask holds {}: waiting for it", file.display()));
                said = true;
            }
            Err(TryLockError::WouldBlock) => pause(Duration::from_millis(100))?,
            Err(TryLockError::Error(error)) => return Err(could_not_lock(file, error)),
        }
    }
}

/// Holds a lock file until dropped; an error when another process has it.
pub fn lock_or_stop(file: &Path, what: &str) -> Result<File> {
    let lock = open_lock(file)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            bail!("{what} is in use by another cargo xtask (process {})", read(file)?.trim())
        }
        Err(TryLockError::Error(error)) => Err(could_not_lock(file, error)),
    }
    .and_then(|lock| sign(lock, file))
}

/// Asks the process that holds a lock file, if any, to stop, and holds it then.
pub fn lock_taking_over(file: &Path, what: &str) -> Result<File> {
    if let Err(TryLockError::WouldBlock) = open_lock(file)?.try_lock()
        && let Ok(holder) = read(file)?.trim().parse()
    {
        say(format!("{what} is in use by process {holder}: asking it to stop"));
        signals::send_to_process(holder, Signal::Terminate);
    }
    lock_waiting(file)
}

/// Writes down who holds the lock.
fn sign(mut lock: File, file: &Path) -> Result<File> {
    lock.set_len(0)
        .and_then(|()| write!(lock, "{}", std::process::id()))
        .with_context(|| format!("could not write {}", file.display()))?;
    Ok(lock)
}

fn could_not_lock(file: &Path, error: std::io::Error) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("could not lock {}", file.display()))
}

fn open_lock(file: &Path) -> Result<File> {
    if let Some(folder) = file.parent() {
        made(folder.to_path_buf())?;
    }
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(file)
        .with_context(|| format!("could not open {}", file.display()))
}

fn workspace_root() -> Result<PathBuf> {
    // Cargo sets the variable when it runs us; the compiled-in path serves a binary that is called by itself.
    let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let here = PathBuf::from(manifest);
    let root = here.parent().context("xtask lies inside the workspace")?;
    Ok(root.to_path_buf())
}

fn cache_folder() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("IGRA_CACHE") {
        return Ok(env::current_dir()?.join(folder));
    }
    let home =
        env::var_os("HOME").context("neither IGRA_CACHE nor HOME is set: no folder for the tool cache")?;
    Ok(PathBuf::from(home).join(".cache/igra"))
}
