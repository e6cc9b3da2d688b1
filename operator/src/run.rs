//! The running operator: caches first, then the controller, until it is told to stop.

use std::{
    collections::BTreeMap,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context as _;
use futures::{StreamExt, channel::mpsc};
use igra_crds::SignerGroup;
use kube::{
    Api, Client,
    runtime::{
        Controller, WatchStreamExt,
        controller::{self, Action},
        events::Recorder,
        reflector::{ObjectRef, store::Writer},
        watcher,
    },
};
use tokio::task::JoinSet;

use crate::{
    Error,
    admin::Admin,
    fetch::Cache,
    metrics::Metrics,
    reconcile::{Operator, reconcile},
};

/// How many groups are worked on at the same time.
const CONCURRENCY: u16 = 8;
/// Changes that may wait to be looked at before watches wait as well.
const QUEUE: usize = 256;

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// For groups that name no image.
    pub signer_image: String,
    /// Health and metrics; none serves neither.
    pub admin: Option<SocketAddr>,
}

/// Runs until `stop` is done, then finishes what is in hand.
pub async fn run(
    client: Client,
    options: Options,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::new());
    let ready = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    let admin = Admin { metrics: metrics.clone(), ready: ready.clone() };
    let admin = async move {
        match options.admin {
            Some(address) => {
                admin.serve(address).await.with_context(|| format!("could not serve on {address}"))
            }
            None => std::future::pending().await,
        }
    };
    let writer = Writer::<SignerGroup>::new(());
    let groups = writer.as_reader();
    let (changed, changes) = mpsc::channel(QUEUE);
    let cache = Cache::start(&client, &groups, &changed, &metrics, &mut tasks);
    let (stop, stopped) = share(stop, &mut tasks);
    let work = async {
        let Some(changes) = fill(&cache, changes, stopped).await else { return };
        ready.store(true, Ordering::Relaxed);
        tracing::info!("caches are filled, groups are looked after");
        let recorder = Recorder::new(client.clone(), crate::FIELD_MANAGER.into());
        let operator =
            Operator { client: client.clone(), cache, recorder, metrics, signer_image: options.signer_image };
        control(Arc::new(operator), writer, changes, stop).await;
    };
    tokio::select! {
        () = work => Ok(()),
        result = admin => result,
    }
}

/// The same end for two waiters.
fn share(
    stop: impl Future<Output = ()> + Send + 'static,
    tasks: &mut JoinSet<()>,
) -> (tokio::sync::oneshot::Receiver<()>, tokio::sync::oneshot::Receiver<()>) {
    let (first, stop_first) = tokio::sync::oneshot::channel();
    let (second, stop_second) = tokio::sync::oneshot::channel();
    tasks.spawn(async move {
        stop.await;
        let _ = (first.send(()), second.send(()));
    });
    (stop_first, stop_second)
}

/// Waits until the caches are filled, and drops what changes meanwhile: every group is looked at first thing anyway.
/// None when it is time to stop.
async fn fill(
    cache: &Cache,
    mut changes: mpsc::Receiver<ObjectRef<SignerGroup>>,
    stopped: tokio::sync::oneshot::Receiver<()>,
) -> Option<mpsc::Receiver<ObjectRef<SignerGroup>>> {
    let drain = async {
        while changes.next().await.is_some() {}
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = cache.filled() => {}
        () = drain => {}
        _ = stopped => return None,
    }
    Some(changes)
}

async fn control(
    operator: Arc<Operator>,
    writer: Writer<SignerGroup>,
    changes: mpsc::Receiver<ObjectRef<SignerGroup>>,
    stop: tokio::sync::oneshot::Receiver<()>,
) {
    let groups = writer.as_reader();
    let watch = watcher(Api::<SignerGroup>::all(operator.client.clone()), watcher::Config::default());
    let metrics = operator.metrics.clone();
    let watch = watch.default_backoff().modify(|group| group.metadata.managed_fields = None).reflect(writer);
    let watch = watch.touched_objects().filter(move |event| {
        if let Err(error) = event {
            metrics.watch_error("SignerGroup");
            tracing::warn!(kind = "SignerGroup", %error, "watch broke and is started again");
        }
        // The watch backs off by itself; the controller's own back-off would hold up all other triggers.
        std::future::ready(event.is_ok())
    });
    let failures = Failures::default();
    let finished = failures.clone();
    let running = Controller::for_stream(watch, groups)
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(changes)
        .graceful_shutdown_on(async move {
            let _ = stop.await;
        })
        .run(
            reconcile,
            move |object, error, operator: Arc<Operator>| failures.wait(&object, error, &operator),
            operator,
        );
    running
        .for_each(|result| {
            if let Ok((group, _)) = result {
                finished.forget(&group.name, group.namespace.as_deref().unwrap_or_default());
            }
            std::future::ready(())
        })
        .await;
}

/// How often each group failed in a row.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<BTreeMap<(String, String), u32>>>);

impl Failures {
    fn wait(&self, object: &SignerGroup, error: &Error, operator: &Operator) -> Action {
        let class = error.class();
        operator.metrics.error(class);
        let key = (
            object.metadata.namespace.clone().unwrap_or_default(),
            object.metadata.name.clone().unwrap_or_default(),
        );
        let mut failures = self.0.lock().expect("nothing panics while it counts");
        let count = failures.entry(key).or_default();
        *count = count.saturating_add(1);
        let wait = class.wait(*count);
        let name = object.metadata.name.as_deref().unwrap_or_default();
        tracing::warn!(group = name, class = class.as_str(), wait_s = wait.as_secs(), %error, "group could not be brought into shape");
        Action::requeue(wait)
    }

    fn forget(&self, name: &str, namespace: &str) {
        let mut failures = self.0.lock().expect("nothing panics while it counts");
        failures.remove(&(namespace.to_owned(), name.to_owned()));
    }
}
