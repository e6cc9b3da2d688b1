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

use anyhow::{Context as _, bail};
use futures::{
    FutureExt, StreamExt,
    channel::mpsc,
    future::{BoxFuture, Shared},
};
use igra_crds::{GroupPolicy, SignerGroup};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        Controller, WatchStreamExt,
        controller::{self, Action},
        events::Recorder,
        reflector::{Lookup, ObjectRef, store::Writer},
        watcher,
    },
};
use tokio::task::JoinSet;

use crate::{
    Error,
    admin::Admin,
    fetch::{Cache, watch_config},
    metrics::Metrics,
    reconcile::{Operator, accept, reconcile},
    rights::{self, Right},
};

/// How many groups are worked on at the same time.
const CONCURRENCY: u16 = 8;
/// Changes that may wait to be looked at before watches wait as well.
const QUEUE: usize = 256;

/// Done when it is time to stop, for as many as wait for it.
type Stop = Shared<BoxFuture<'static, ()>>;

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
    stop: impl Future<Output = ()> + Send + 'static,
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
    tell_missing_rights(&client).await;
    let writer = Writer::<SignerGroup>::new(());
    let groups = writer.as_reader();
    let (changed, changes) = mpsc::channel(QUEUE);
    let cache = Cache::start(&client, &groups, &changed, &metrics, &mut tasks);
    let stop: Stop = stop.boxed().shared();
    let work = async {
        let Some(changes) = fill(&cache, changes, stop.clone()).await else { return };
        ready.store(true, Ordering::Relaxed);
        tracing::info!("caches are filled, groups are looked after");
        let recorder = Recorder::new(client.clone(), crate::FIELD_MANAGER.into());
        let operator =
            Operator { client: client.clone(), cache, recorder, metrics, signer_image: options.signer_image };
        let operator = Arc::new(operator);
        let groups = control_groups(operator.clone(), writer, changes, stop.clone());
        futures::join!(groups, control_policies(operator, stop));
    };
    tokio::select! {
        () = work => Ok(()),
        result = admin => result,
        // Watches go on for ever; without one of them we would be blind and not know it.
        Some(ended) = tasks.join_next() => bail!("a watch ended: {ended:?}"),
    }
}

/// Names what will fail. Nothing more: rights may come later, and all that needs them tries again.
async fn tell_missing_rights(client: &Client) {
    match rights::missing(client).await {
        Ok(missing) => {
            for Right { group, resource, verb } in missing {
                tracing::error!(group, resource, verb, "a right is missing");
            }
        }
        Err(error) => tracing::warn!(%error),
    }
}

/// Waits until the caches are filled, and drops what changes meanwhile: every group is looked at first thing anyway.
/// None when it is time to stop.
async fn fill(
    cache: &Cache,
    mut changes: mpsc::Receiver<ObjectRef<SignerGroup>>,
    stop: Stop,
) -> Option<mpsc::Receiver<ObjectRef<SignerGroup>>> {
    let drain = async {
        while changes.next().await.is_some() {}
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = cache.filled() => {}
        () = drain => {}
        () = stop => return None,
    }
    Some(changes)
}

async fn control_groups(
    operator: Arc<Operator>,
    writer: Writer<SignerGroup>,
    changes: mpsc::Receiver<ObjectRef<SignerGroup>>,
    stop: Stop,
) {
    let groups = writer.as_reader();
    let watch = watcher(Api::<SignerGroup>::all(operator.client.clone()), watch_config());
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
        .graceful_shutdown_on(stop)
        .run(reconcile, move |object, error, operator| failures.wait(&*object, error, &operator), operator);
    running.for_each(|result| finished.forget(result.ok().map(|(group, _)| group))).await;
}

async fn control_policies(operator: Arc<Operator>, stop: Stop) {
    let failures = Failures::default();
    let finished = failures.clone();
    let running = Controller::new(Api::<GroupPolicy>::all(operator.client.clone()), watch_config())
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop)
        .run(accept, move |object, error, operator| failures.wait(&*object, error, &operator), operator);
    running.for_each(|result| finished.forget(result.ok().map(|(policy, _)| policy))).await;
}

/// How often each object failed in a row, by namespace and name.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<BTreeMap<(String, String), u32>>>);

impl Failures {
    fn wait<K: Resource>(&self, object: &K, error: &Error, operator: &Operator) -> Action {
        let class = error.class();
        operator.metrics.error(class);
        let namespace = ResourceExt::namespace(object).unwrap_or_default();
        let name = object.name_any();
        let mut failures = self.0.lock().expect("nothing panics while it counts");
        let count = failures.entry((namespace.clone(), name.clone())).or_default();
        *count = count.saturating_add(1);
        let wait = class.wait(*count);
        let class = class.as_str();
        tracing::warn!(namespace, name, class, wait_s = wait.as_secs(), %error, "could not be brought into shape");
        Action::requeue(wait)
    }

    /// Whatever came to its end well starts to count anew.
    fn forget<K: Lookup>(&self, object: Option<ObjectRef<K>>) -> std::future::Ready<()> {
        if let Some(object) = object {
            let mut failures = self.0.lock().expect("nothing panics while it counts");
            failures.remove(&(object.namespace.unwrap_or_default(), object.name));
        }
        std::future::ready(())
    }
}
