//! Ctrl-C and ending other processes by id. The only calls into libc, and so the only unsafe code, of xtask.
#![allow(
    unsafe_code,
    reason = "the standard library neither catches signals nor sends them; each call below touches no memory of ours"
)]

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by the first Ctrl-C (or SIGTERM, or the terminal going away).
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What we send to processes.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    Interrupt,
    Terminate,
    Kill,
}

/// From here on Ctrl-C only sets a flag, so that what was started can be ended in order.
pub fn catch_interrupts() {
    extern "C" fn note(_signal: libc::c_int) {
        INTERRUPTED.store(true, Ordering::SeqCst);
    }
    let handler = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler does nothing but store to an atomic, which is allowed in a signal handler.
        unsafe { libc::signal(signal, handler) };
    }
}

/// Whether someone asked us to stop.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Sends a signal to every process of a group. A group that is gone already is no error.
pub fn send_to_group(group: u32, signal: Signal) {
    send(-(group as libc::pid_t), signal);
}

/// Sends a signal to one process. A process that is gone already is no error.
pub fn send_to_process(pid: u32, signal: Signal) {
    send(pid as libc::pid_t, signal);
}

/// The child ends when we die, however we die. Without it `kill -9` of xtask would leave a build running.
pub fn end_with_us(command: &mut Command) {
    // SAFETY: between fork and exec only `prctl` is called, which is async-signal-safe and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
}

/// Whether this user is root.
pub fn is_root() -> bool {
    // SAFETY: reads a number.
    unsafe { libc::geteuid() == 0 }
}

fn send(target: libc::pid_t, signal: Signal) {
    let number = match signal {
        Signal::Interrupt => libc::SIGINT,
        Signal::Terminate => libc::SIGTERM,
        Signal::Kill => libc::SIGKILL,
    };
    // 0, 1 and -1 would reach our own group, init, or everything.
    if !(-1..=1).contains(&target) {
        // SAFETY: sends a signal; touches no memory.
        unsafe { libc::kill(target, number) };
    }
}
